"""Everything that takes an export.pkl takes an export.onnx."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.compiled.test_load import RED
from voilearn import model
from voilearn.errors import UnusableModel


@pytest.mark.parametrize("name", ["export.onnx", "Export.ONNX"])
def test_a_file_named_onnx_is_opened_as_one(name: str, tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    path.with_suffix(".json").rename(tmp_path / Path(name).with_suffix(".json"))
    path = path.rename(tmp_path / name)
    assert model.load_classify(path, trust=True)(RED).label == "red"


@pytest.mark.model
def test_any_other_file_is_opened_as_a_learner(tmp_path: Path, export: Path) -> None:
    assert model.load_classify(export)(RED).model.classes == ("black", "grizzly", "teddy")
    path = onnx_files.write(tmp_path, onnx_files.model()).rename(tmp_path / "export.pkl")
    with pytest.raises(UnusableModel, match=r"is an ONNX model\. .* name it export\.onnx"):
        model.load_classify(path)


@pytest.mark.parametrize(
    "there", [None, b"<!doctype html>", b""], ids=["nothing", "a page", "empty"]
)
def test_what_is_seen_to_be_no_export_is_told_before_torch_is_loaded(
    there: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "voilearn.learner.load", None)  # importing it would fail
    path = tmp_path / "export.pkl"
    if there is not None:
        path.write_bytes(there)
    with pytest.raises(UnusableModel, match=r"^(There is no file )?export\.pkl "):
        model.load_classify(path)
