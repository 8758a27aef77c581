"""What export.json says is read back as it was written, and never taken for another model's."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

from tests import onnx_files
from voilearn.compiled.description import Agreement, Compiled, read_compiled
from voilearn.errors import UnusableModel
from voilearn.prediction import ModelInfo


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    sha256 = onnx_files.description(path.read_bytes())["onnx"]["sha256"]
    compiled = Compiled(
        ModelInfo("mine", "a" * 64, "multi-label", ("bär", "cub")),
        (0.5, 0.25),
        224,
        ("Resize(size=(224, 224))",),
        sha256,
        path.stat().st_size,
        20,
        "int8",
        Agreement(10, False, 9, 0.01, (0.9, 0.8)),
    )
    compiled.write(path.with_suffix(".json"))
    assert read_compiled(path) == compiled


def test_an_agreement_is_told_in_words() -> None:
    assert str(Agreement(1689, False, 1688, 0.00412, (0.997, 0.995))) == (
        "1,689 photos: the same labels in 1,688, probabilities differ by 0.0041 at most; right in "
        "99.70% before and 99.50% compiled"
    )
    assert str(Agreement(2, True, 2, 0.0)).startswith("2 pictures made by code: ")


def test_an_export_json_of_another_model_is_told(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    path.write_bytes(onnx_files.model(classes=2).SerializeToString())
    with pytest.raises(UnusableModel, match=r"export\.json is not of this export\.onnx: .*Copy"):
        read_compiled(path)


def test_an_export_onnx_alone_is_told(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    path.with_suffix(".json").unlink()
    with pytest.raises(UnusableModel, match=r"has no export\.json beside it, .* copy both"):
        read_compiled(path)


CHANGES: list[dict[str, Any]] = [
    {"model": {}},
    {"model": {"name": "x", "sha256": "0", "task": "regression", "classes": ["a"]}},
    {"thresholds": [0.5]},
    {"thresholds": "123"},
    {"thresholds": [0.1, 0.2, 10**400]},
    {"model": {"name": "x", "sha256": "0", "task": "single-label", "classes": ["a", "a"]}},
    {"model": {"name": "x", "sha256": "0", "task": "single-label", "classes": "abc"}},
    {"model": {"name": "x", "sha256": "0", "task": "single-label", "classes": []}},
    {"model": {"name": "x", "sha256": "0", "task": "multi-label", "classes": ["a"]}},
    {"preprocessing": {"size": -5, "transforms": []}},
    {"preprocessing": {"size": 10**9, "transforms": []}},
    {"preprocessing": {"size": float("inf"), "transforms": []}},
    {"preprocessing": {"size": "large", "transforms": []}},
    {"onnx": None},
    {"agreement": {"pictures": 3}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_an_export_json_that_makes_no_sense_is_told(changes: Any, tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model(), **changes)
    with pytest.raises(UnusableModel, match=r"export\.json is damaged, or was not written by"):
        read_compiled(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"model": 1e999}', "\udcff"])
def test_an_export_json_that_is_none_is_told(text: str, tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    path.with_suffix(".json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnusableModel, match=r"export\.json is damaged, or was not written by"):
        read_compiled(path)


def test_an_export_json_that_is_no_file_is_told(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    path.with_suffix(".json").unlink()
    os.mkfifo(path.with_suffix(".json"))
    with pytest.raises(UnusableModel, match=r"export\.json can't be read: it is no file"):
        read_compiled(path)


def test_export_json_is_for_people_too(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    read_compiled(path).write(path.with_suffix(".json"))
    said = json.loads(path.with_suffix(".json").read_text())
    assert said["input"] == {"name": "photo", "type": "uint8", "shape": ["height", "width", 3]}
    assert said["output"] == {"name": "probabilities", "type": "float32", "shape": [3]}
