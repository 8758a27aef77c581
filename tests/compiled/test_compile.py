"""`compile` writes both files or neither, measures them, and keeps int8 only if it is good."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")


from tests.compiled.conftest import SMALL
from tests.conftest import EXPORTS, draw, encode
from voilearn import model
from voilearn.compiled import compile as module
from voilearn.compiled import int8, load
from voilearn.compiled.compile import compile_learner
from voilearn.compiled.description import Agreement, read_compiled
from voilearn.errors import PhotoNotFound, UnusableModel
from voilearn.export.file import read_export_file
from voilearn.scope import Outputs

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def classes() -> tuple[str, ...]:
    return read_export_file(SMALL).learner.classes


@pytest.fixture
def labelled(tmp_path: Path, classes: tuple[str, ...]) -> Path:
    """A folder of photos with a folder for each class, and what else lies about."""
    folder = tmp_path / "photos"
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for at in range(4):
            photo = encode(draw((80 + 30 * at, 90 + 20 * number)), "PNG")
            (folder / name / f"{at}.png").write_bytes(photo)
    (folder / "notes.txt").write_text("not a photo")
    (folder / "other.jpg").write_bytes(encode(draw(), "JPEG"))
    return folder


def test_a_learner_compiles_to_two_files_that_answer_as_it_does(tmp_path: Path) -> None:
    said: list[str] = []
    compiled = compile_learner(SMALL, tmp_path / "out", say=said.append)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["export.json", "export.onnx"]
    assert read_compiled(tmp_path / "out" / "export.onnx") == compiled
    assert said[0] == "opening 2.8.12-from_folder.pkl"
    assert (compiled.agreement.made, compiled.agreement.pictures) == (True, 32)
    assert compiled.agreement.max_difference < 0.005
    assert compiled.agreement.labels == 32
    assert compiled.transforms[0].startswith("RandomResizedCrop(size=")
    photo = encode(draw((300, 200)), "JPEG")
    learner, other = model.load_classify(SMALL), model.load_classify(tmp_path / "out/export.onnx")
    assert other(photo).model == learner(photo).model
    assert other(photo).probability == pytest.approx(learner(photo).probability, abs=0.005)


@pytest.mark.usefixtures("quick")
def test_it_is_compared_on_the_photos_that_are_named(labelled: Path, tmp_path: Path) -> None:
    compiled = compile_learner(SMALL, tmp_path, labelled)
    assert not compiled.agreement.made
    assert compiled.agreement.pictures == 4 * len(compiled.model.classes) + 1
    assert compiled.agreement.accuracy is not None
    before, after = compiled.agreement.accuracy
    assert before == after


def test_a_multi_label_learner_keeps_its_thresholds(tmp_path: Path) -> None:
    path = EXPORTS / "2.8.12-multi_label.pkl"
    compiled = compile_learner(path, tmp_path)
    assert compiled.model.task == "multi-label"
    assert compiled.thresholds == pytest.approx(read_export_file(path).learner.thresholds)
    photo = encode(draw((200, 200)), "PNG")
    labels = model.load_classify(path)(photo).labels
    assert model.load_classify(tmp_path / "export.onnx")(photo).labels == labels


@pytest.mark.usefixtures("quick")
def test_nothing_is_left_of_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "export.onnx").write_text("the one from before")

    def fail(*_: object) -> None:
        raise UnusableModel("no")

    monkeypatch.setattr(module, "_checked", fail)
    with pytest.raises(UnusableModel):
        compile_learner(SMALL, folder)
    assert [path.name for path in folder.iterdir()] == ["export.onnx"]
    assert (folder / "export.onnx").read_text() == "the one from before"


@pytest.mark.usefixtures("quick")
def test_a_model_that_answers_otherwise_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run", lambda *given: Outputs(load.run(*given).probabilities[::-1]))
    with pytest.raises(UnusableModel, match="does not give the learner's answers"):
        compile_learner(SMALL, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(PhotoNotFound, match="There are no photos in"):
            compile_learner(SMALL, tmp_path / "out", folder)


@pytest.mark.usefixtures("quick")
def test_int8_is_not_judged_on_a_few_photos(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="photos can't show how good an int8 model is"):
        compile_learner(SMALL, tmp_path / "out", labelled, int8=True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["export.onnx", "export.json"])
def test_a_folder_in_a_files_place_is_told_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UnusableModel, match=f"Nothing can be written to .*: {name} is a folder"):
        compile_learner(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_of_this_machine_is_in_the_files(tmp_path: Path) -> None:
    compile_learner(SMALL, tmp_path)
    for file in tmp_path.iterdir():
        assert b"site-packages" not in file.read_bytes()
        assert str(Path.home()).encode() not in file.read_bytes()


@pytest.mark.usefixtures("quick")
def test_a_compiled_model_that_fails_on_a_picture_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Gemm")

    monkeypatch.setattr(module, "run", fail)
    with pytest.raises(UnusableModel, match=r"gives no answer to a picture of .*Resize\(…\)"):
        compile_learner(SMALL, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableModel, match=r"Nothing can be written to out: .* with -o"):
        compile_learner(SMALL, tmp_path / "file" / "out")


def test_int8_asks_for_photos(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="Name a folder of some hundred with --photos"):
        compile_learner(SMALL, tmp_path, int8=True)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("labels", "accuracy", "kept"),
    [
        (199, (0.9, 0.897), "int8"),
        (197, (0.9, 0.9), "float32"),
        (200, (0.9, 0.894), "float32"),
        (200, None, "int8"),
    ],
)
def test_int8_is_kept_only_if_it_is_good_enough(
    labels: int,
    accuracy: tuple[float, float] | None,
    kept: str,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FEWEST", 2)
    found = iter([Agreement(200, False, 200, 0.0), Agreement(200, False, labels, 0.1, accuracy)])
    monkeypatch.setattr(module, "agreement", lambda *_: next(found))
    said: list[str] = []
    compiled = compile_learner(SMALL, tmp_path / "out", labelled, int8=True, say=said.append)
    assert compiled.precision == kept
    assert any("float32 is kept" in line for line in said) == (kept == "float32")
    classify = model.load_classify(tmp_path / "out" / "export.onnx")
    assert classify(encode(draw(), "PNG")).model.name == SMALL.stem


@pytest.mark.usefixtures("quick")
def test_int8_is_calibrated_on_some_photos_and_judged_on_others(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated: list[int] = []

    quantized = int8.quantize

    def quantize(model: Path, small: Path, pictures: Any) -> None:
        calibrated.append(len(pictures))
        quantized(model, small, pictures)

    monkeypatch.setattr(int8, "quantize", quantize)
    monkeypatch.setattr(module, "FEWEST", 2)
    monkeypatch.setattr(module, "SAME_LABELS", 0.0)
    monkeypatch.setattr(module, "LOST_ACCURACY", 1.0)
    compiled = compile_learner(SMALL, tmp_path / "out", labelled, int8=True)
    every = 4 * len(compiled.model.classes) + 1
    assert calibrated[0] + compiled.agreement.pictures == every
    whole = compile_learner(SMALL, tmp_path / "float32")
    assert compiled.bytes < whole.bytes


@pytest.fixture(scope="module")
def bears(compiled: Path) -> Path:
    return compiled / "export.onnx"


def test_the_bears_answer_the_same_of_real_photos(bears: Path, export: Path, photos: Path) -> None:
    """Forty of them; all 1,689 are in `make bench`."""
    learner, compiled = model.load_classify(export), model.load_classify(bears)
    for file in sorted((photos / "bears").rglob("*.jpg"))[::25]:
        before, after = learner(file.read_bytes()), compiled(file.read_bytes())
        assert before.label == after.label, file
        for name, probability in before.probabilities.items():
            assert after.probabilities[name] == pytest.approx(probability, abs=0.005), file


def test_photos_in_awkward_files_answer_the_same(bears: Path, export: Path, photos: Path) -> None:
    learner, compiled = model.load_classify(export), model.load_classify(bears)
    for file in sorted((photos / "odd" / "bears").iterdir()):
        before, after = learner(file.read_bytes()), compiled(file.read_bytes())
        assert after.probability == pytest.approx(before.probability, abs=0.005), file


def test_a_model_does_not_open_with_the_export_json_of_another(bears: Path, tmp_path: Path) -> None:
    shutil.copy(bears, tmp_path / "export.onnx")
    said = json.loads(bears.with_suffix(".json").read_text())
    said["onnx"]["sha256"] = "f" * 64
    (tmp_path / "export.json").write_text(json.dumps(said))
    with pytest.raises(UnusableModel, match="is not of this"):
        model.load_classify(tmp_path / "export.onnx")
