"""A graph whose layers are joined beforehand: fewer operators, the same answers, no larger."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import numpy as np
import onnx_ir as ir
import onnxruntime

from tests.compiled.conftest import SMALL
from tests.conftest import draw
from voilearn.compiled import joined as module
from voilearn.compiled.compile import compile_learner
from voilearn.compiled.joined import joined
from voilearn.compiled.load import open_session

pytestmark = pytest.mark.model


def as_the_page_opens(network: bytes, narrow: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_BASIC if narrow else levels.ORT_DISABLE_ALL
    if narrow:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def to_float(node: ir.Node) -> bool:
    return node.attributes["to"].as_int() == ir.DataType.FLOAT


def is_constant(node: ir.Node) -> bool:
    return node.inputs[0] is not None and node.inputs[0].const_value is not None


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_it_answers_the_same_with_fewer_operators_and_is_no_larger(
    bits: int, tmp_path: Path
) -> None:
    compile_learner(SMALL, tmp_path, weights=bits)
    network = (tmp_path / "export.onnx").read_bytes()
    made = joined(network)
    assert made is not None
    assert len(made) < 1.02 * len(network)
    before, after = (ir.load(write(tmp_path, each)).graph for each in (network, made))
    assert len(after) < len(before)
    assert {node.op_type for node in after} - {node.op_type for node in before} >= {"FusedConv"}
    # what is left is of the two numbers of a size, and of weights that are all in 16 bits
    wide = [each for each in after.all_nodes() if each.op_type == "Cast" and to_float(each)]
    assert [bits == 16 and is_constant(each) for each in wide] == [True] * len(wide)
    assert bits != 16 or wide
    picture = {"photo": np.asarray(draw((300, 200)))}
    (told,) = as_the_page_opens(made, bits < 32).run(["probabilities"], picture)
    (given,) = open_session(network, narrow=bits < 32).run(["probabilities"], picture)
    assert told == pytest.approx(given, abs=1e-6)


@pytest.mark.usefixtures("quick")
def test_what_only_a_new_runtime_knows_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_learner(SMALL, tmp_path)
    monkeypatch.setattr(module, "KNOWN", set())
    assert joined((tmp_path / "export.onnx").read_bytes()) is None


def test_what_is_no_graph_is_left_to_who_opens_it() -> None:
    assert joined(b"no graph") is None


def write(folder: Path, network: bytes) -> Path:
    file = folder / "looked-at.onnx"
    file.write_bytes(network)
    return file
