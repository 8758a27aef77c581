"""Keep a graph's weights in fewer bits: the file is a half or a quarter of the size.

In comes a graph with weights in float32; out goes one that holds them in 8 or 16 bits, and widens
them to float32 before they are used. A runtime that folds constants does so once, while it opens
the file, so the network computes what it did, as fast, with weights that are rounded.

Weights that are rounded shift what a layer gives, on average. That much is taken off its bias,
which leaves a third of the difference on the bears (empirical bias correction, as in Nagel et al.,
https://arxiv.org/abs/1906.04721).
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from voilearn.compiled.load import open_session

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
BIASED = ("Conv", "Gemm")  # have their bias with them
LEVELS = 127  # of each sign, in eight bits
# A scale may be that of the largest weight, or less, where the many small ones gain more than the
# few large ones lose.
SHARES = np.linspace(0.6, 1, 21, dtype=np.float32)


def mean_inputs(model: ir.Model, pictures: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return what each layer with weights is given on average, by name of the layer's output.

    It is float32 [channels] of a convolution, or [features]; `pictures` are uint8 [height, width,
    3]. Raises what ONNX Runtime does.
    """
    heard = ir.from_proto(ir.to_proto(model))
    graph, names = heard.graph, {}
    for node in list(graph):
        if node.op_type not in BIASED or node.inputs[0] is None:
            continue
        sides = ir.tensor(np.array([0, 2, 3] if node.op_type == "Conv" else [0], np.int64))
        sides.name = f"{node.outputs[0].name}.sides"
        over = ir.Value(name=sides.name, const_value=sides)
        graph.register_initializer(over)
        mean = ir.node("ReduceMean", [node.inputs[0], over], {"keepdims": 0})
        mean.outputs[0].name = f"{node.outputs[0].name}.mean"
        mean.outputs[0].dtype = ir.DataType.FLOAT
        graph.append(mean)
        graph.outputs.append(mean.outputs[0])
        names[str(node.outputs[0].name)] = mean.outputs[0].name
    if not names:
        return {}
    session = open_session(ir.to_proto(heard).SerializeToString())
    sums: dict[str, np.ndarray] = {}
    for picture in pictures:
        found = session.run(list(names.values()), {graph.inputs[0].name: picture})
        for name, mean_input in zip(names, found, strict=True):
            sums[name] = sums.get(name, 0) + mean_input
    return {name: total / len(pictures) for name, total in sums.items()}


def narrow_weights(model: ir.Model, least: float, means: Mapping[str, np.ndarray]) -> ir.Model:
    """Return a copy of a model with its weights in fewer bits.

    Those of a layer that has at least the share `least` of all of them are in 8 bits, with a scale
    for each output; the others, which are few and which a network feels most, in 16. With a share
    above 1 all are in 16. `means` are those of `mean_inputs`.
    """
    narrow = ir.from_proto(ir.to_proto(model))
    found = list(_weights(narrow.graph))
    total = sum(numbers.size for _, _, numbers in found)
    for node, weights, numbers in found:
        if numbers.size < least * total:
            _widen(narrow.graph, node, weights, "Cast", [_sixteen_bits(numbers)], {"to": 1})
            continue
        side = _output_side(node, numbers)
        levels, scales = _eight_bits(numbers, side)
        operator, taken = "DequantizeLinear", [levels, scales.reshape(-1)]
        _widen(narrow.graph, node, weights, operator, taken, {"axis": side})
        given = means.get(str(node.outputs[0].name))
        if given is not None:
            _take_off(narrow.graph, node, _shift(node, levels * scales - numbers, given))
    return narrow


def _weights(graph: ir.Graph) -> Iterator[tuple[ir.Node, ir.Value, np.ndarray]]:
    """Yield the layers with weights in float32 that no other layer has, with these."""
    for node in graph:
        if node.op_type not in WEIGHTED or (weights := node.inputs[1]) is None:
            continue
        constant = weights.const_value
        if (
            constant is not None
            and constant.dtype == ir.DataType.FLOAT
            and len(weights.uses()) == 1
        ):
            yield node, weights, constant.numpy()


def _output_side(node: ir.Node, numbers: np.ndarray) -> int:
    """Return which side of the weights counts the layer's outputs."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm" and (turned := node.attributes.get("transB")) and turned.as_int():
        return 0
    return 1 if node.op_type in ("Gemm", "ConvTranspose") else numbers.ndim - 1


def _sixteen_bits(numbers: np.ndarray) -> np.ndarray:
    most = np.finfo(np.float16).max
    return numbers.clip(-most, most).astype(np.float16)


def _eight_bits(numbers: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights as int8, and the scale of each output, to multiply them by.

    Each scale is the one of SHARES with the least sum of squared errors.
    """
    others = tuple(at for at in range(numbers.ndim) if at != side)
    most = np.abs(numbers).max(axis=others, keepdims=True) / LEVELS
    most[most == 0] = 1
    scales, least = most, np.full_like(most, math.inf)
    for share in SHARES:
        tried = most * share
        error = np.square(_levels(numbers, tried) * tried - numbers).sum(others, keepdims=True)
        scales, least = np.where(error < least, tried, scales), np.minimum(error, least)
    return _levels(numbers, scales).astype(np.int8), scales.astype(np.float32)


def _shift(node: ir.Node, errors: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return what errors of its weights add to each output of a layer, on average."""
    shift: np.ndarray
    if node.op_type == "Conv":
        groups = given.size // errors.shape[1]
        kernels = errors.reshape(groups, -1, errors.shape[1], math.prod(errors.shape[2:]))
        shift = np.einsum("goik,gi->go", kernels, given.reshape(groups, -1)).reshape(-1)
    else:
        shift = errors @ given if _output_side(node, errors) == 0 else given @ errors
    return shift


def _take_off(graph: ir.Graph, node: ir.Node, shift: np.ndarray) -> None:
    """Take so much off a layer's bias, if it has one."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None or bias.const_value is None or bias.const_value.shape.numpy() != shift.shape:
        return
    tensor = ir.tensor((bias.const_value.numpy() - shift).astype(np.float32))
    tensor.name = f"{bias.name}.{node.name}"
    corrected = ir.Value(name=tensor.name, const_value=tensor)
    graph.register_initializer(corrected)
    node.replace_input_with(2, corrected)
    if not bias.uses():
        del graph.initializers[str(bias.name)]


def _levels(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    levels: np.ndarray = (numbers / scales).round().clip(-LEVELS, LEVELS)
    return levels


def _widen(
    graph: ir.Graph,
    node: ir.Node,
    weights: ir.Value,
    operator: str,
    taken: list[np.ndarray],
    attributes: dict[str, int],
) -> None:
    """Have a node give the weights that were a constant before."""
    values = []
    for at, numbers in enumerate(taken):
        value = ir.Value(name=f"{weights.name}.narrow{at}", const_value=ir.tensor(numbers))
        value.const_value.name = value.name  # type: ignore[union-attr]
        graph.register_initializer(value)
        values.append(value)
    widened = ir.node(operator, values, attributes)
    graph.insert_before(node, widened)
    ir.convenience.replace_all_uses_with(weights, widened.outputs[0])
    del graph.initializers[str(weights.name)]
