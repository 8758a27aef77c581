"""A compiled model answers without torch, from several threads, and says what is wrong with it."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from voilearn.compiled import load
from voilearn.errors import DamagedPhoto, UnusableModel
from voilearn.scope import Outputs

RED = encode(Image.new("RGB", (30, 20), (200, 10, 20)), "PNG")
BLUE = encode(Image.new("RGB", (30, 20), (20, 10, 200)), "PNG")


def test_a_photo_gets_its_prediction(tmp_path: Path) -> None:
    classify = load.load_classify(onnx_files.write(tmp_path, onnx_files.model()))
    prediction = classify(RED)
    assert (prediction.label, classify(BLUE).label) == ("red", "blue")
    assert list(prediction.probabilities) == ["red", "blue", "green"]
    assert prediction.model.sha256 == "0" * 64
    assert prediction.in_scope is None


def test_a_bad_photo_is_told_as_ever(tmp_path: Path) -> None:
    classify = load.load_classify(onnx_files.write(tmp_path, onnx_files.model()))
    with pytest.raises(DamagedPhoto):
        classify(RED[:50])
    assert classify(RED).label == "red"


def test_a_multi_label_model_keeps_to_its_thresholds(tmp_path: Path) -> None:
    model = {**onnx_files.description(b"")["model"], "task": "multi-label"}
    path = onnx_files.write(tmp_path, onnx_files.model(), model=model, thresholds=[0.0, 0.9, 0.9])
    assert load.load_classify(path)(RED).labels == ("red", "blue")


def test_many_threads_get_the_same_answers_as_one(tmp_path: Path) -> None:
    classify = load.load_classify(onnx_files.write(tmp_path, onnx_files.model()))
    photos = [encode(draw((60 + at, 90)), "PNG") for at in range(60)]
    alone = [classify(photo) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(classify, photos)) == alone


def test_it_runs_without_torch_fastai_and_all_that(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    (tmp_path / "red.png").write_bytes(RED)
    script = (
        "import sys, json; from voilearn.cli import main;"
        "code = main(['classify', '--json', '--model', *sys.argv[1:]]);"
        "print(json.dumps([code, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, path, tmp_path / "red.png"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    answer, (code, modules) = map(json.loads, run.stdout.splitlines())
    assert (code, answer["label"], run.stderr) == (0, "red", "")
    heavy = {"torch", "torchvision", "fastai", "fastcore", "matplotlib", "scipy", "pandas", "onnx"}
    assert not heavy & set(modules)
    assert {"onnxruntime", "numpy", "PIL"} <= set(modules)


def test_a_large_photo_is_decoded_no_larger_than_it_has_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def run(session: Any, picture: Image.Image, options: Any = None, heard: Any = 0) -> Outputs:
        sizes.append(picture.size)
        return Outputs([0.2, 0.3, 0.5])

    monkeypatch.setattr(load, "run", run)
    classify = load.load_classify(onnx_files.write(tmp_path, onnx_files.model()))
    classify(encode(draw((1600, 1200)), "JPEG"))
    assert sizes[-1] == (400, 300)  # a quarter, which is at least three times 64


def test_a_session_takes_one_thread_a_call(tmp_path: Path) -> None:
    session = load.open_session(onnx_files.write(tmp_path, onnx_files.model()))
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_a_model_of_another_kind_is_told(tmp_path: Path) -> None:
    made = onnx_files.model()
    made.graph.input[0].name = "pixels"
    made.graph.node[0].input[0] = "pixels"
    with pytest.raises(UnusableModel, match="not one that `voilearn compile` wrote"):
        load.load_classify(onnx_files.write(tmp_path, made))


def test_a_model_of_other_classes_is_told(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model(classes=5))
    with pytest.raises(UnusableModel, match="to 3 probabilities"):
        load.load_classify(path)


def test_a_model_that_the_runtime_refuses_is_told(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["nowhere"], ["x"], to=TensorProto.FLOAT)
    with pytest.raises(UnusableModel, match=r"can't be opened: ONNX Runtime .* finds it damaged"):
        load.load_classify(onnx_files.write(tmp_path, onnx_files.model([node])))


def test_a_model_that_fails_on_a_picture_is_told(tmp_path: Path) -> None:
    made = onnx_files.model(constants={"order": np.array([0, 1, 9])})  # there are three
    with pytest.raises(UnusableModel, match="gives no answer to a picture of 64 x 64 pixels"):
        load.load_classify(onnx_files.write(tmp_path, made))


def test_a_model_whose_answers_are_no_probabilities_is_told(tmp_path: Path) -> None:
    made = onnx_files.model()
    made.graph.node[3].op_type = "Identity"
    with pytest.raises(UnusableModel, match="is not a set of probabilities"):
        load.load_classify(onnx_files.write(tmp_path, made))


def test_a_model_that_takes_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the cosine of the cosine, and so on, of a million numbers: that goes on and on."""
    monkeypatch.setattr(load, "OPENING_SECONDS", 0.3)
    made = onnx_files.model(constants={"one": np.ones(1000), "times": np.array([1000])})
    tile = helper.make_node("Tile", ["one", "times"], ["cosine0"])
    cosines = [helper.make_node("Cos", [f"cosine{at}"], [f"cosine{at + 1}"]) for at in range(500)]
    total = helper.make_node("ReduceSum", ["cosine500"], ["total"], keepdims=0)
    float32 = helper.make_node("Cast", ["total"], ["total32"], to=TensorProto.FLOAT)
    more = helper.make_node("Add", ["means", "total32"], ["more"])
    first, second, *rest = made.graph.node
    rest[0].input[0] = "more"
    del made.graph.node[:]
    made.graph.node.extend([first, second, tile, *cosines, total, float32, more, *rest])
    with pytest.raises(UnusableModel, match="gave no answer to a small grey picture in 0 seconds"):
        load.load_classify(onnx_files.write(tmp_path, made))


def test_nothing_is_told_to_its_makers_and_no_file_is_left(tmp_path: Path) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    script = "import sys; from voilearn.model import load_classify; load_classify(sys.argv[1])"
    own = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**own, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert [*home.rglob("*"), *temporary.rglob("*")] == []
