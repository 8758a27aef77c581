"""Everything that takes an export.pkl takes an export.onnx."""

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
