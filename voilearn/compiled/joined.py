"""Do beforehand what ONNX Runtime would do to a graph each time it opens it: join its layers.

In comes a graph; out goes the same graph with fewer, larger operators, some of them ONNX Runtime's
own. What opens it need not look for them once more: on a web page, where that code is slow for
being new, it takes a third of the time to open, and less of the runtime is compiled. Numbers that
are widened when the file is opened stay narrow in it, but for a few.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from voilearn.compiled.load import SILENT

# Of its own operators, those that it makes of a network's layers, and has had for years: what opens
# the file may be an older ONNX Runtime than the one that joined them.
KNOWN = {
    *("FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "FastGelu", "QuickGelu", "BiasGelu"),
    *("BiasSoftmax", "SkipLayerNormalization"),
}
OWN = "com.microsoft"
FEW = 1 / 8  # of a graph's weights


def joined(network: bytes) -> bytes | None:
    """Return a graph with its layers joined; None where that can't be had.

    That is so where ONNX Runtime joined them to what only a new one knows.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    constants = "optimization.disable_specified_optimizers"
    options.add_session_config_entry(constants, "ConstantFolding")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "joined.onnx")
        options.optimized_model_filepath = str(out)
        try:
            onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
            model = ir.from_proto(ir.to_proto(ir.load(out)))
        except Exception:  # noqa: BLE001 ONNX Runtime raises what it likes
            return None
    nodes = list(model.graph.all_nodes())
    if any(node.domain not in ("", OWN) for node in nodes):
        return None
    if any(node.domain == OWN and node.op_type not in KNOWN for node in nodes):
        return None
    _cast_nothing(model)
    used = {node.domain for node in nodes} | {""}
    for domain in set(model.opset_imports) - used:
        del model.opset_imports[domain]  # which the page's runtime need not know
    return bytes(ir.to_proto(model).SerializeToString())


def _cast_nothing(model: ir.Model) -> None:
    """Widen a photo's bytes, and weights where few are in 16 bits, without ONNX Runtime's Cast.

    On a page that is one function of half a megabyte, for numbers of every kind: as soon as it has
    run for a while, as it does for one photo, Chromium takes over a second and 107 MB to compile it
    anew. A byte times one is the same number.
    """
    graph = model.graph
    casts = [
        (node, given)
        for node in graph.all_nodes()
        if node.op_type == "Cast"
        and node.attributes["to"].as_int() == ir.DataType.FLOAT
        and (given := node.inputs[0]) is not None
    ]
    halves = [
        (node, constant)
        for node, given in casts
        if (constant := given.const_value) is not None and constant.dtype == ir.DataType.FLOAT16
    ]
    weights = [value.const_value for value in graph.initializers.values()]
    if sum(half.size for _, half in halves) <= FEW * sum(each.size for each in weights if each):
        for node, half in halves:
            _become(node, graph, half)
    photo = _bytes_in(model)
    one = ir.Value(name="photo.one", const_value=ir.tensor(np.float32(1), name="photo.one"))
    for node, given in casts:
        if given.name in photo:
            graph.initializers.setdefault("photo.one", one)
            node.op_type = "DequantizeLinear"
            node.attributes.clear()
            node.resize_inputs(2)
            node.replace_input_with(1, one)


def _become(node: ir.Node, graph: ir.Graph, half: ir.TensorProtocol) -> None:
    """Put a constant, in float32, in place of the node that widens it."""
    given, told = node.inputs[0], node.outputs[0]
    name = str(told.name)
    tensor = ir.tensor(half.numpy().astype(np.float32), name=name)
    told.name = f"{name}.cast"
    wide = ir.Value(name=name, const_value=tensor)
    ir.convenience.replace_all_uses_with(told, wide)
    graph.remove(node, safe=True)
    graph.register_initializer(wide)
    if given is not None and not given.uses():
        del graph.initializers[str(given.name)]


def _bytes_in(model: ir.Model) -> set[str]:
    """Return the names of all values that are bytes."""
    inferred = ir.from_proto(onnx.shape_inference.infer_shapes(ir.to_proto(model)))
    return {
        str(value.name)
        for node in inferred.graph.all_nodes()
        for value in (*node.inputs, *node.outputs)
        if value is not None and value.dtype == ir.DataType.UINT8
    }
