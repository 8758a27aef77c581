"""A second model beside the one in service: what is counted, and that nobody notices."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import numpy as np
from PIL import Image

from tests import onnx_files
from tests.conftest import encode
from tests.serving import Serving, serving, wait_for
from voilearn.service.shadow import distance

RED = encode(Image.new("RGB", (40, 30), (250, 0, 0)), "PNG")
OTHER = "1" * 64


def written(folder: Path, order: list[int], **changes: object) -> Path:
    """A model whose classes are of the channels in this order."""
    folder.mkdir()
    constants = {"order": np.array(order)}
    return onnx_files.write(folder, onnx_files.model(constants=constants), **changes)


def info(sha256: str = OTHER, **changes: object) -> dict[str, object]:
    known = {"name": "new", "sha256": sha256, "task": "single-label"}
    return {**known, "classes": list(onnx_files.CLASSES), **changes}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return written(tmp_path / "old", [2, 1, 0])


@pytest.fixture
def same(tmp_path: Path) -> Path:
    return written(tmp_path / "same", [2, 1, 0], model=info())


@pytest.fixture
def different(tmp_path: Path) -> Path:
    return written(tmp_path / "different", [0, 1, 2], model=info())


def seen(service: Serving) -> float:
    outcomes = ("same", "different", "failed")
    return sum(service.metric(f'voilearn_shadow_photos_total{{outcome="{o}"}}') for o in outcomes)


def asked(service: Serving, photo: bytes, times: int) -> Iterator[dict[str, Any]]:
    """The answers to a photo that is sent again once the shadow has looked at it."""
    for _ in range(times):
        before = seen(service)
        status, body = service.post(photo)
        assert status == 200
        yield json.loads(body)
        wait_for(partial(more, service, before))


def more(service: Serving, before: float) -> bool:
    return seen(service) > before


def loaded(service: Serving) -> None:
    wait_for(lambda: service.metric("voilearn_shadow{"))


def test_a_model_that_says_the_same_is_counted_as_that(model: Path, same: Path) -> None:
    with serving(model, "--shadow", str(same), "--shadow-share", "1") as service:
        loaded(service)
        for told in asked(service, RED, 3):
            assert told["model"]["sha256"] == "0" * 64
        assert service.metric('voilearn_shadow_photos_total{outcome="same"}') == 3
        assert service.metric('voilearn_shadow_photos_total{outcome="different"}') == 0
        assert service.metric('voilearn_shadow_difference_bucket{le="0.001"}') == 3
        assert f'sha256="{OTHER}"' in service.get("/metrics")[1].decode()


def test_a_model_that_says_something_else_is_counted_and_never_shown(
    model: Path, different: Path
) -> None:
    with serving(model, "--shadow", str(different), "--shadow-share", "1") as service:
        loaded(service)
        for told in asked(service, RED, 3):
            assert (told["label"], told["model"]["sha256"]) == ("red", "0" * 64)
        assert service.metric('voilearn_shadow_photos_total{outcome="different"}') == 3
        assert service.metric('voilearn_shadow_difference_bucket{le="0.5"}') == 0
        assert service.metric("voilearn_shadow_difference_sum") == pytest.approx(3, abs=0.01)


def test_classes_that_one_model_lacks_count_as_nothing(model: Path, tmp_path: Path) -> None:
    classes = ["blue", "green", "scarlet"]
    renamed = written(tmp_path / "renamed", [2, 1, 0], model=info(classes=classes))
    with serving(model, "--shadow", str(renamed), "--shadow-share", "1") as service:
        loaded(service)
        list(asked(service, RED, 1))
        assert service.metric('voilearn_shadow_photos_total{outcome="different"}') == 1
    assert distance({"a": 0.75, "b": 0.25}, {"b": 0.5, "c": 0.5}) == 0.75


def test_no_share_is_no_photo_and_a_refused_photo_is_never_shown(model: Path, same: Path) -> None:
    with serving(model, "--shadow", str(same), "--shadow-share", "0") as service:
        loaded(service)
        assert service.post(RED)[0] == 200
        assert service.metric("voilearn_shadow_photos_total") == 0
    with serving(model, "--shadow", str(same), "--shadow-share", "1") as service:
        loaded(service)
        assert service.post(b"no photo")[0] == 415
        list(asked(service, RED, 1))
        assert service.metric("voilearn_shadow_photos_total") == 1


@pytest.mark.parametrize("what", ["garbage", "cut short"])
def test_a_shadow_that_can_not_be_loaded_disturbs_nobody(
    model: Path, same: Path, what: str
) -> None:
    same.write_bytes(b"garbage" if what == "garbage" else same.read_bytes()[:-40])
    with serving(model, "--shadow", str(same), "--shadow-share", "1") as service:
        wait_for(lambda: service.metric("voilearn_shadow_refused"))
        assert service.post(RED)[0] == 200
        assert service.metric("voilearn_shadow_photos_total") == 0
        (line,) = service.events("there is no shadow: its model can't be loaded")
        assert line["reason"]


def test_a_photo_is_kept_nowhere(model: Path, same: Path) -> None:
    with serving(model, "--shadow", str(same), "--shadow-share", "1") as service:
        loaded(service)
        list(asked(service, RED, 2))
        assert service.end() == 0
    told = json.dumps(service.lines)
    assert "label" not in told
    assert sorted(path.name for path in same.parent.iterdir()) == ["export.json", "export.onnx"]


@pytest.mark.parametrize("share", ["2", "-1", "nan", "much"])
def test_a_share_that_is_none_is_told(
    share: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from voilearn.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["serve", "--model", str(model), "--shadow", str(model), "--shadow-share", share])
    assert ended.value.code == 2
    assert f"'{share}' is no number from 0 to 1" in capsys.readouterr().err
