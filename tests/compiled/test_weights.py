"""Weights in fewer bits: a smaller file whose answers stay, or the bits that they need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import numpy as np
import onnx_ir as ir

from tests.compiled.conftest import SMALL
from tests.conftest import draw, encode
from voilearn import model
from voilearn.compiled import compile as module
from voilearn.compiled.compile import compile_learner
from voilearn.compiled.description import Agreement, read_compiled
from voilearn.compiled.load import open_session
from voilearn.compiled.weights import mean_inputs, narrow_weights

pytestmark = pytest.mark.model
DICE = np.random.default_rng(7)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("bits", "share"), [(8, 0.45), (16, 0.6)])
def test_a_file_with_fewer_bits_is_smaller_and_answers_the_same(
    bits: int, share: float, tmp_path: Path
) -> None:
    wide = compile_learner(SMALL, tmp_path / "wide")
    narrow = compile_learner(SMALL, tmp_path / "narrow", weights=bits)
    assert (wide.weights, narrow.weights, narrow.precision) == (32, bits, "float32")
    assert narrow.bytes < share * wide.bytes
    assert narrow.agreement.labels == narrow.agreement.pictures
    assert narrow.agreement.max_difference <= max(0.02, wide.agreement.max_difference)
    file = tmp_path / "narrow" / "export.onnx"
    assert read_compiled(file) == narrow
    assert sorted(p.name for p in file.parent.iterdir()) == ["export.json", "export.onnx"]
    one, other = model.load_classify(tmp_path / "wide" / "export.onnx"), model.load_classify(file)
    photo = encode(draw((300, 200)), "JPEG")
    assert other(photo).probability == pytest.approx(one(photo).probability, abs=0.02)


@pytest.mark.usefixtures("quick")
def test_an_export_json_without_a_word_on_weights_is_of_whole_ones(tmp_path: Path) -> None:
    compile_learner(SMALL, tmp_path)
    beside = tmp_path / "export.json"
    beside.write_text(beside.read_text().replace(' "weights": 32', ' "other": 32'))
    assert read_compiled(tmp_path / "export.onnx").weights == 32


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("bits", "good_from", "kept", "tried"),
    [
        (8, 0, 8, 1),
        (8, 2, 8, 3),
        (8, 3, 16, 4),
        (8, 9, 32, 4),
        (16, 0, 16, 1),
        (16, 9, 32, 1),
    ],
)
def test_as_many_bits_are_kept_as_the_answers_need(
    bits: int,
    good_from: int,
    kept: int,
    tried: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Agreement] = []

    def agreement(*_: object) -> Agreement:
        good = not asked or len(asked) > good_from  # the first is of the file as it is
        asked.append(Agreement(200, True, 200, 0.001 if good else 0.021))
        return asked[-1]

    monkeypatch.setattr(module, "agreement", agreement)
    said: list[str] = []
    compiled = compile_learner(SMALL, tmp_path, weights=bits, say=said.append)
    assert (compiled.weights, len(asked) - 1) == (kept, tried)
    assert compiled.agreement.max_difference == 0.001
    assert ("all 32 are kept" in said[-1]) == (kept == 32)
    assert model.load_classify(tmp_path / "export.onnx")(encode(draw(), "PNG")).labels is not None


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("labels", "kept"), [(199, 8), (198, 32)])
def test_one_label_in_two_hundred_may_change(
    labels: int, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> Iterator[Agreement]:
        yield Agreement(200, True, 200, 0.0)
        while True:
            yield Agreement(200, True, labels, 0.01)

    each = found()
    monkeypatch.setattr(module, "agreement", lambda *_: next(each))
    assert compile_learner(SMALL, tmp_path, weights=8).weights == kept


def layers(*nodes: ir.Node, shape: list[int], **weights: np.ndarray) -> ir.Model:
    """A model of one layer, that takes and gives `x` and `y`."""
    values = {"x": ir.val("x", ir.DataType.FLOAT, shape)}
    for name, numbers in weights.items():
        values[name] = ir.Value(name=name, const_value=ir.tensor(numbers, name=name))
    made = []
    for node in nodes:
        taken = [values[str(name)] for name in node.meta["takes"]]
        made.append(ir.node(node.op_type, taken, node.meta["given"]))
        made[-1].outputs[0].name = "y"
        made[-1].outputs[0].dtype = ir.DataType.FLOAT
    graph = ir.Graph(
        [values["x"]],
        made[-1].outputs,
        nodes=made,
        initializers=[values[name] for name in weights],
        opset_imports={"": 20},
    )
    return ir.Model(graph, ir_version=9)


def layer(kind: str, shape: list[int], given: dict[str, int], **weights: np.ndarray) -> ir.Model:
    node = ir.node(kind, [])
    node.meta["takes"], node.meta["given"] = ["x", *weights], given
    return layers(node, shape=shape, **weights)


def numbers(*shape: int) -> np.ndarray:
    return DICE.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "network",
    [
        layer("Conv", [1, 6, 9, 9], {}, w=numbers(8, 6, 1, 1), b=numbers(8)),
        layer("Conv", [1, 6, 9, 9], {"group": 3}, w=numbers(9, 2, 3, 3), b=numbers(9)),
        layer("Conv", [1, 6, 9, 9], {"group": 6}, w=numbers(6, 1, 5, 5), b=numbers(6)),
        layer("Conv", [1, 6, 9, 9], {}, w=numbers(4, 6, 3, 3)),
        layer("Gemm", [1, 12], {"transB": 1}, w=numbers(5, 12), b=numbers(5)),
        layer("Gemm", [1, 12], {}, w=numbers(12, 5), b=numbers(5)),
        layer("MatMul", [1, 12], {}, w=numbers(12, 5)),
    ],
    ids=["1x1", "groups", "depthwise", "no bias", "turned", "gemm", "matmul"],
)
def test_rounded_weights_shift_no_layer_of_its_kind(network: ir.Model) -> None:
    """On what is the same everywhere, which is its own mean, the bias makes up for all of it."""
    sides = network.graph.inputs[0].shape
    assert sides
    shape = list(sides.numpy())
    given = np.broadcast_to(numbers(*shape[:2], *[1] * (len(shape) - 2)), shape).copy()
    means = mean_inputs(network, [given])
    narrow = narrow_weights(network, 0, means)
    assert "DequantizeLinear" in [node.op_type for node in narrow.graph]
    wide, rounded = (_run(each, given) for each in (network, narrow))
    plain = _run(narrow_weights(network, 0, {}), given)
    corrected = len(network.graph.initializers) > 1
    assert np.abs(wide - plain).max() > 1e-4  # without the correction
    assert (np.abs(wide - rounded).max() < 1e-4) == corrected
    assert np.abs(wide - rounded).max() <= np.abs(wide - plain).max() + 1e-6
    assert np.abs(wide - plain).max() < 0.1


def _run(network: ir.Model, given: np.ndarray) -> np.ndarray:
    session = open_session(ir.to_proto(network).SerializeToString(), narrow=True)
    found: np.ndarray = session.run(None, {"x": given})[0]
    return found if found.ndim == 2 else found[:, :, 4:5, 4:5]  # the middle, which sees no edge


def test_layers_that_share_their_weights_keep_them_whole() -> None:
    network = layer("Gemm", [1, 5], {"transB": 1}, w=numbers(5, 5), b=numbers(5))
    first = network.graph[0]
    second = ir.node("Gemm", [first.outputs[0], *first.inputs[1:]], {"transB": 1})
    network.graph.append(second)
    narrow = narrow_weights(network, 0, {})
    assert [node.op_type for node in narrow.graph] == ["Gemm", "Gemm"]


def test_a_number_beyond_sixteen_bits_becomes_the_largest() -> None:
    weights = numbers(5, 12)
    weights[0, 0] = 1e6
    network = layer("Gemm", [1, 12], {"transB": 1}, w=weights, b=numbers(5))
    given = numbers(1, 12)
    assert np.isfinite(_run(narrow_weights(network, 2, {}), given)).all()
