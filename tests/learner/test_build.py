"""Exports of real old releases open, and answer as their own release did; see tests/exports."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXPORTS
from voilearn.errors import UnusableModel

torch = pytest.importorskip("torch")

from fastai.losses import CrossEntropyLossFlat  # noqa: E402

from tests.exports.compare import largest_difference  # noqa: E402
from tests.exports.pictures import fixed_pictures  # noqa: E402
from voilearn.learner.load import load_classify, load_learner, picture_kind  # noqa: E402

pytestmark = pytest.mark.model
AGREES = 1e-4


def facts(expect: str) -> list[Any]:
    """The recorded exports of image classifiers that are to open, or to be refused."""
    told = [(path, json.loads(path.read_text())) for path in sorted(EXPORTS.glob("*.json"))]
    return [
        pytest.param(path.with_suffix(".pkl"), fact, id=path.stem)
        for path, fact in told
        if fact["expect"] == expect and fact["kind"] == "image classifier"
    ]


@pytest.mark.parametrize(("export", "recorded"), facts("opens"))
def test_an_export_answers_as_its_own_release_did(export: Path, recorded: dict[str, Any]) -> None:
    assert largest_difference(export, recorded) <= AGREES


@pytest.mark.parametrize(("export", "recorded"), facts("opens")[::6])
def test_an_export_says_the_labels_its_own_release_said(
    export: Path, recorded: dict[str, Any]
) -> None:
    learn = load_learner(export)
    kind = picture_kind(learn, export)
    assert [str(name) for name in learn.dls.vocab] == [str(name) for name in recorded["vocab"]]
    for name, picture in fixed_pictures().items():
        with learn.no_bar():
            label = learn.predict(kind.create(picture.convert(kind._open_args["mode"])))[0]
        if not recorded["raw_scores"]:  # of those, each score became a label
            assert str(label) == str(recorded["pictures"][name]["label"])


@pytest.mark.parametrize(("export", "recorded"), facts("refused"))
def test_an_author_s_own_part_is_refused_by_name(export: Path, recorded: dict[str, Any]) -> None:
    with pytest.raises(UnusableModel) as error:
        load_learner(export)
    assert recorded["names"]
    assert all(name in str(error.value) for name in recorded["names"])
    assert "--trust" in str(error.value)


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the networks of full size with their real old releases; VOILEARN_BIG keeps them."""
    folder = Path(os.environ.get("VOILEARN_BIG") or tmp_path_factory.mktemp("big"))
    if not list(folder.glob("*.json")):
        make = [sys.executable, str(EXPORTS / "make.py"), "--big", str(folder)]
        subprocess.run(make, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_networks_of_full_size_answer_as_their_own_release_did(big: Path) -> None:
    told = [(path, json.loads(path.read_text())) for path in sorted(big.glob("*.json"))]
    assert len(told) >= 30
    for path, recorded in told:
        assert largest_difference(path.with_suffix(".pkl"), recorded) <= AGREES, path.stem


def test_every_release_and_kind_of_export_is_there() -> None:
    """The issue's list: a file that is gone would make these tests pass without it."""
    told = [json.loads(path.read_text()) for path in EXPORTS.glob("*.json")]
    releases = {fact["made_by"]["fastai"] for fact in told}
    assert {"2.3.1", "2.5.6", "2.7.13", "2.7.19", "2.8.12"} <= releases
    assert {release.rsplit(".", 1)[0] for release in releases} >= {"2.0", "2.1", "2.2"}
    assert len(told) >= 70


def test_the_exports_are_small_enough_for_git() -> None:
    sizes = [path.stat().st_size for path in EXPORTS.rglob("*.pkl")]
    assert sum(sizes) < 20_000_000
    assert max(sizes) < 1_500_000


def test_a_rebuilt_learner_keeps_nothing_of_the_training() -> None:
    learn = load_learner(EXPORTS / "2.8.12-mixup_fp16.pkl")
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)
    assert len(learn.dls.train_ds) == 0
    names = {type(callback).__name__ for callback in learn.cbs}
    assert not names & {"MixUp", "MixedPrecision", "SaveModelCallback"}


def test_the_threshold_of_the_export_decides_the_labels() -> None:
    from tests.conftest import draw, encode

    classify = load_classify(EXPORTS / "2.7.19-multi_label.pkl")
    prediction = classify(encode(draw(), "PNG"))
    above = [name for name, p in prediction.probabilities.items() if p >= 0.3]
    assert list(prediction.labels) == above
