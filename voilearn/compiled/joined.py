"""Do beforehand what ONNX Runtime would do to a graph each time it opens it: join its layers.

In comes a graph; out goes the same graph with fewer, larger operators, some of them ONNX Runtime's
own. What opens it need not look for them once more: on a web page, where that code is slow for
being new, it takes a third of the time to open, and less of the runtime is compiled. Numbers that
are widened when the file is opened stay narrow in it.
"""

import tempfile
from pathlib import Path

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
    used = {node.domain for node in nodes} | {""}
    for domain in set(model.opset_imports) - used:
        del model.opset_imports[domain]  # which the page's runtime need not know
    return bytes(ir.to_proto(model).SerializeToString())
