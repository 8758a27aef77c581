"""An author evaluates a learner, and from then on every outlet answers by what was found."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from tests.conftest import EXPORTS, with_fastai
from tests.evaluate.learners import KINDS, OTHERS, draw_all, train
from tests.services import served
from voilearn.cli import main
from voilearn.client.remote import Remote
from voilearn.image import decode_photo
from voilearn.scope import Scope, Term, rows_of, scope_of

pytestmark = [with_fastai, pytest.mark.model]


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a learner of shapes, photos kept from it, and photos of other shapes."""
    folder = tmp_path_factory.mktemp("shapes")
    train(draw_all(folder / "train", KINDS, 60, seed=1), folder / "export.pkl")
    draw_all(folder / "kept", KINDS, 30, seed=2)
    draw_all(folder / "others", OTHERS, 20, seed=3)
    (folder / "kept" / "cross" / "999.jpg").write_bytes(b"\xff\xd8\xff no photo")
    Image.new("RGB", (90, 60), "teal").save(folder / "plain.png")
    return folder


@pytest.fixture(scope="module")
def evaluated(subject: Path) -> Iterator[dict[str, Any]]:
    """What `voilearn evaluate --json` says of it; its report and scope are there then."""
    import contextlib
    import io

    out = io.StringIO()
    command = ["evaluate", f"{subject}/export.pkl", f"{subject}/kept", "--json", "--show-nearest"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main(
            [*command, "--out-of-scope", f"{subject}/others", "-o", f"{subject}/report.html"]
        )
    assert code == 0
    told: dict[str, Any] = json.loads(out.getvalue())
    yield told


def test_it_counts_what_is_right_and_says_what_it_left_out(evaluated: dict[str, Any]) -> None:
    assert evaluated["photos"] == 90
    right = sum(row[at] for at, row in enumerate(evaluated["confusion"]))
    assert evaluated["accuracy"]["share"] == pytest.approx(right / 90, abs=1e-4)
    assert evaluated["accuracy"]["share"] > 0.8
    low, high = evaluated["accuracy"]["interval"]
    assert low < evaluated["accuracy"]["share"] <= high
    assert [row["label"] for row in evaluated["classes"]] == sorted(KINDS)
    assert sum(map(sum, evaluated["confusion"])) == 90
    (unread,) = evaluated["unread"]
    assert unread["photo"].endswith("999.jpg")
    assert any("1 photos can't be read: 999.jpg" in warning for warning in evaluated["warnings"])


def test_the_scope_is_of_this_model_and_small(evaluated: dict[str, Any], subject: Path) -> None:
    beside = subject / "export.scope.json"
    assert beside.stat().st_size < 100_000
    scope = scope_of(subject / "export.pkl", evaluated["model"]["sha256"])
    assert scope is not None
    assert scope.temperature == evaluated["temperature"]["value"]
    kinds = [term.kind for term in scope.terms]
    assert kinds in ([], evaluated["out_of_scope"]["ways"][0]["terms"])
    assert evaluated["out_of_scope"]["answered"]["of"] == 40


@pytest.mark.usefixtures("evaluated")
def test_the_report_is_one_file_that_shows_all_and_asks_nobody(subject: Path) -> None:
    page = (subject / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/jpeg;base64,)""", page)
    assert "://" not in page
    assert "<script" not in page
    assert str(subject) not in page
    for words in ("Class by class", "What is taken for what", *KINDS, *OTHERS, "<svg", "interval"):
        assert words in page


def scope_between(export: Path, known: bytes, strange: bytes) -> Scope:
    """A scope with a term of each kind, which tells one photo from another."""
    from voilearn.learner import load

    learn, sha256 = load.open_learner(export)
    info = load.model_info(learn, export, sha256)
    ask = load.outputs_with(learn, export, info)
    inside, outside = (ask(decode_photo(photo)) for photo in (known, strange))
    assert inside.features is not None
    assert outside.features is not None
    means = Term("means", 0.0, rows_of(np.array([inside.features])))
    line = Term("outside", 0.0, rows_of(np.array([outside.features - inside.features])), 0.0)
    terms = [
        replace(term, threshold=(term.value(inside) + term.value(outside)) / 2)
        for term in (means, line)
    ]
    energy = Term("energy", min(Term("energy", 0.0).value(each) for each in (inside, outside)) - 1)
    return Scope(info, 0.5, "softmax", (energy, *terms), {})


def test_every_outlet_gives_the_same_answer(
    subject: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = [subject / "kept" / "cross" / "001.png", subject / "plain.png"]
    export = tmp_path / "export.pkl"
    shutil.copy(subject / "export.pkl", export)
    scope = scope_between(export, *(photo.read_bytes() for photo in photos))
    (tmp_path / "export.scope.json").write_text(scope.to_json())
    assert main(["compile", str(export), "-o", str(tmp_path / "compiled")]) == 0
    capsys.readouterr()
    said = []
    named = [str(photo) for photo in photos]
    for model in (export, tmp_path / "compiled" / "export.onnx"):
        assert main(["classify", "--json", "--model", str(model), *named]) == 0
        said.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    with served("--model", str(export)) as address:
        remote = Remote(address)
        said.append([remote(photo.read_bytes()).to_dict() for photo in photos])
        with urlopen(f"{address}/metrics") as answer:
            counted = answer.read().decode()
        with urlopen(f"{address}/v1/model") as answer:
            model_there = json.load(answer)
    assert 'voilearn_photos_answered_total{in_scope="true"} 1.0' in counted
    assert 'voilearn_photos_answered_total{in_scope="false"} 1.0' in counted
    told = {"temperature": 0.5, "terms": ["energy", "means", "outside"]}
    assert model_there["scope"] == told
    for answers in said:
        assert [answer["in_scope"] for answer in answers] == [True, False]
        for one, two in zip(said[0], answers, strict=True):
            assert one["label"] == two["label"]
            for label, probability in one["probabilities"].items():
                assert two["probabilities"][label] == pytest.approx(probability, abs=0.005)
    assert main(["classify", "--json", "--no-scope", "--model", str(export), *named]) == 0
    raw = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {answer["in_scope"] for answer in raw} == {None}
    assert raw[0]["probability"] != said[0][0]["probability"]
    assert main(["inspect", str(export)]) == 0
    assert "told by energy and means and outside" in capsys.readouterr().out


@pytest.mark.usefixtures("evaluated")
def test_in_the_terminal_it_is_ten_lines(subject: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (subject / "export.scope.json").read_bytes()
    command = ["evaluate", f"{subject}/export.pkl", f"{subject}/kept", "--no-scope"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 5 <= len(lines) <= 12
    assert re.match(r"right +\d+\.\d% \(\d+ of 90; ", lines[0])
    assert (subject / "export.scope.json").read_bytes() == before


@pytest.mark.usefixtures("evaluated")
def test_a_second_run_writes_the_same(subject: Path, tmp_path: Path) -> None:
    shutil.copy(subject / "export.pkl", tmp_path)
    command = ["evaluate", f"{tmp_path}/export.pkl", f"{subject}/kept"]
    assert main([*command, "--out-of-scope", f"{subject}/others"]) == 0
    one, two = (each / "export.scope.json" for each in (subject, tmp_path))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.usefixtures("evaluated")
def test_a_compiled_model_is_measured_and_keeps_its_scope(
    subject: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(subject / "export.pkl"), "-o", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["evaluate", f"{tmp_path}/export.onnx", f"{subject}/kept"]) == 0
    assert "none is written here" in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["export.json", "export.onnx"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone.pkl", "kept"], "There is no file gone.pkl"),
        (["export.pkl", "gone"], "There is no folder gone here"),
        (["export.pkl", "others"], "has no photos of the classes circle, cross, stripes"),
        (["export.pkl", "kept", "--out-of-scope", "gone"], "There is no folder gone here"),
        (["export.pkl", "kept", "--out-of-scope", "empty"], "There are no photos in empty"),
        (["export.pkl", "kept", "-o", "empty"], "empty can't be written: Is a directory"),
    ],
)
@pytest.mark.usefixtures("evaluated")
def test_what_can_not_be_done_is_told(
    arguments: list[str],
    sentence: str,
    subject: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(subject)
    (subject / "empty").mkdir(exist_ok=True)
    assert main(["evaluate", *arguments, "--no-scope"]) == 1
    assert sentence in capsys.readouterr().err


KINDS_OF_EXPORTS = (
    *("2.8.12-from_folder", "2.8.12-multi_label", "2.8.12-torch_loss", "2.8.12-timm_vit"),
    *("2.2.7-vgg", "2.8.12-focal_loss", "2.8.12-grey_pictures", "2.7.19-mobilenet_v3"),
)
ALL = sorted(file.stem for file in EXPORTS.glob("*.pkl"))
MORE = [pytest.param(name, marks=pytest.mark.slow) for name in ALL if name not in KINDS_OF_EXPORTS]


@pytest.mark.parametrize("name", [*KINDS_OF_EXPORTS, *MORE])
def test_learner_and_compiled_model_hear_the_same_numbers(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    import onnx_ir as ir

    from tests.conftest import draw as picture_of
    from voilearn.compiled.graph import graph_of
    from voilearn.compiled.load import open_session, run
    from voilearn.errors import UnusableModel
    from voilearn.learner import load

    path = EXPORTS / f"{name}.pkl"
    try:
        learn, sha256 = load.open_learner(path)
        info = load.model_info(learn, path, sha256)
        mode = load.picture_kind(learn, path)._open_args["mode"]
        graph = graph_of(learn, mode, len(info.classes))
    except UnusableModel as error:
        pytest.skip(f"it is none that is compiled: {error}")
    session = open_session(ir.to_proto(graph).SerializeToString())
    heard = load.outputs_with(learn, path, info)
    plain = load.outputs_with(learn, path, info, heard=False)
    for seed in range(3):
        picture = picture_of((120 + 40 * seed, 100)).rotate(20 * seed)
        one, two = heard(picture), run(session, picture, heard=True)
        assert one.probabilities == plain(picture).probabilities
        assert one.logits is not None
        assert two.logits is not None
        assert np.allclose(one.logits, two.logits, atol=0.2)
        assert (one.features is None) == (two.features is None)
        if one.features is not None and two.features is not None:
            far = np.abs(one.features - two.features).max()
            assert far <= 0.1 * max(1, np.abs(one.features).max())
