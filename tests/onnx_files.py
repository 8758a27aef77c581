"""Put ONNX files together by code: small compiled models, and files made to do harm.

In comes what is to be in them; out go bytes, and the export.json that belongs beside them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

CLASSES = ("blue", "green", "red")


def model(
    nodes: list[NodeProto] | None = None,
    constants: dict[str, Any] | None = None,
    classes: int = 3,
    opsets: tuple[str, ...] = ("",),
) -> ModelProto:
    """A compiled model as `voilearn compile` writes them: here it says which colour prevails.

    `nodes` goes in front of its own, on the photo's way to them.
    """
    own = [
        helper.make_node("Cast", ["photo"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "sides"], ["means"], keepdims=0),
        helper.make_node("Gather", ["means", "order"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    values = {"sides": np.array([0, 1]), "order": np.arange(classes)[::-1] % 3}
    graph = helper.make_graph(
        [*(nodes or []), *own],
        "colours",
        [helper.make_tensor_value_info("photo", TensorProto.UINT8, ["height", "width", 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [classes])],
        [numpy_helper.from_array(a, name) for name, a in {**values, **(constants or {})}.items()],
    )
    imports = [helper.make_opsetid(domain, 20 if not domain else 1) for domain in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, producer_name="voilearn")


def description(data: bytes, **changes: Any) -> dict[str, Any]:
    """What export.json says of such a model."""
    said = {
        "model": {
            "name": "colours",
            "sha256": "0" * 64,
            "task": "single-label",
            "classes": list(CLASSES),
        },
        "thresholds": [],
        "preprocessing": {"size": 64, "transforms": ["Resize(size=(64, 64))"]},
        "onnx": {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "opset": 20,
            "precision": "float32",
        },
        "agreement": {
            "pictures": 2,
            "made": True,
            "labels": 2,
            "max_difference": 0.0,
            "accuracy": None,
        },
    }
    return {**said, **changes}


def write(folder: Path, made: ModelProto | bytes, **changes: Any) -> Path:
    """Write an export.onnx, and the export.json beside it."""
    data = made if isinstance(made, bytes) else made.SerializeToString()
    path = folder / "export.onnx"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(description(data, **changes)))
    return path


def branch(name: str, *nodes: NodeProto) -> GraphProto:
    """A graph inside a node: of an If, or of a loop."""
    value = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), name, [], [value])
