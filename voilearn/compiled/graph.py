"""Make one ONNX graph of a learner: a photo's pixels in, probabilities out.

In comes a fastai Learner; out goes a graph that any ONNX runtime gives the learner's answers with,
its transforms and activation inside. Raises UnusableModel for what ONNX can't express, by name.
"""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from fastai.learner import Learner
from torch import nn

from voilearn.compiled.nodes import Nodes, Pixels
from voilearn.compiled.transforms import write_transforms
from voilearn.errors import UnusableModel

OPSET = 20  # the first that has all that networks are made of; ONNX Runtime reads it since 1.17
PHOTO, PROBABILITIES = "photo", "probabilities"
HEARD = ("logits", "features")  # what a scope is told by, beside the probabilities
# Bytes of a convolution's weights from which on they are left in the order they came in. ONNX
# Runtime puts weights into an order of its own while it opens a model, and holds both orders of
# all of them for that time: half as much memory again for a resnet18. In the last and heaviest
# layers that order gains little; `benchmarks/compiled.py` holds what it costs below 15 %.
HEAVY = 2_000_000
MAX_BYTES = 2**31 - 10_000_000  # of weights: a protobuf, which an ONNX file is, ends at 2 GB
ANY_SIZE = (96, 128)  # what a network is traced with that takes photos of any size


class _Answer(nn.Module):
    """A network with its activation: one photo's pixels in, its probabilities out.

    Where `heard`, its logits and the features that its last linear layer is given come out, too.
    """

    def __init__(self, learn: Learner, heard: bool) -> None:
        super().__init__()
        self.network = learn.model
        self.activation = getattr(learn.loss_func, "activation", nn.Identity())
        self.heard = heard
        self.features: list[torch.Tensor] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        self.features.clear()
        logits = self.network(pixels)
        probabilities: torch.Tensor = self.activation(logits)[0]
        if not self.heard:
            return probabilities
        return probabilities, logits[0], *(features[0] for features in self.features[-1:])


def graph_of(learn: Learner, mode: str, classes: int = 0) -> ir.Model:
    """Return the learner as a graph from uint8 [height, width, 3] to float32 [classes].

    With `classes`, how many there are, the graph gives logits and features, too (HEARD). `mode` is
    Pillow's name of the pictures the learner takes, RGB or L. Raises UnusableModel.
    """
    _check_size(learn.model)
    nodes = Nodes()
    photo = ir.val(PHOTO, ir.DataType.UINT8, ["height", "width", 3])
    pixels = write_transforms(nodes, learn, photo, mode)
    answer = _Answer(learn, classes > 0).eval()
    with _hearing(answer, classes):
        model = _network(answer, pixels)
    _put_before(model.graph, nodes, photo, pixels.value)
    for output, name in zip(model.graph.outputs, (PROBABILITIES, *HEARD), strict=False):
        output.name = name
    for node in model.graph.all_nodes():  # torch notes which lines of whose files made each
        node.metadata_props.clear()
    model.producer_name = "voilearn"
    return model


@contextlib.contextmanager
def _hearing(answer: _Answer, classes: int) -> Iterator[None]:
    """Have the answer note what the layers are given that may be the network's last."""

    def given(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs[0].ndim == 2:
            answer.features.append(inputs[0])

    from voilearn.learner.head import linear_layers

    layers = linear_layers(answer.network, classes) if answer.heard else []
    handles = [layer.register_forward_pre_hook(given) for layer in layers]
    try:
        yield
    finally:
        answer.features.clear()
        for handle in handles:
            handle.remove()


def _check_size(network: nn.Module) -> None:
    weights = [*network.parameters(), *network.buffers()]
    if (size := sum(weight.nbytes for weight in weights)) > MAX_BYTES:
        raise UnusableModel(
            f"This network can't be compiled: its weights take {size / 1e9:.1f} GB, and an ONNX "
            f"file holds {MAX_BYTES / 1e9:.1f} GB. Use the export.pkl as it is."
        )


def _network(answer: nn.Module, pixels: Pixels) -> ir.Model:
    """Return the network alone as a graph, from float32 [1, channels, height, width]."""
    example = torch.zeros(1, pixels.channels, *(pixels.size or ANY_SIZE))
    sides = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    shapes = None if pixels.size else ({0: None, 1: None} | sides,)
    with _quiet(), torch.no_grad(), _step_by_step(answer):
        try:
            traced = torch.export.export(answer, (example,), dynamic_shapes=shapes)
        except Exception as error:  # a layer's code may do anything
            raise UnusableModel(_untraceable(error, pixels.size is None)) from error
        try:
            program = torch.onnx.export(traced, opset_version=OPSET, dynamo=True, verbose=False)
        except torch.onnx.OnnxExporterError as error:
            raise UnusableModel(_inexpressible(error, traced)) from error
    assert program is not None  # noqa: S101  # it is None only for the old exporter
    model: ir.Model = program.model
    return model


@contextlib.contextmanager
def _step_by_step(network: nn.Module) -> Iterator[None]:
    """Have timm's layers do attention in steps, which ONNX has in any number of dimensions."""
    layers: list[Any] = list(network.modules())
    fused = [layer for layer in layers if getattr(layer, "fused_attn", False) is True]
    for layer in fused:
        layer.fused_attn = False
    try:
        yield
    finally:
        for layer in fused:
            layer.fused_attn = True


def _untraceable(error: Exception, any_size: bool) -> str:
    reason = str(error).strip().partition("\n")[0][:200]
    advice = (
        "It takes photos of any size: export it with item_tfms=Resize(…), and compile that."
        if any_size
        else "A layer of it does what depends on the photo; compile a network without it."
    )
    return f"This network can't be compiled: {type(error).__name__}: {reason} {advice}"


def _inexpressible(error: Exception, traced: torch.export.ExportedProgram) -> str:
    """Name the layer that the exporter stopped at."""
    said = f"{error} {error.__cause__}"
    found = re.search(r"target=torch\.ops\.(\w+\.\w+)", said)
    operation = found.group(1) if found else "an operation"
    for node in traced.graph.nodes:
        name = re.sub(r"\.\w+$", "", str(node.target))
        if operation.startswith(name) and (layers := node.meta.get("nn_module_stack")):
            path, kind = list(layers.values())[-1]
            layer = f"{str(kind).rpartition('.')[2]} at {path or 'the top'}"
            break
    else:
        layer = "a layer"
    return (
        f"This network can't be compiled: ONNX has nothing for {layer} ({operation}). "
        "Train with another layer in its place, or use the export.pkl as it is."
    )


def _put_before(graph: ir.Graph, nodes: Nodes, photo: ir.Value, pixels: ir.Value) -> None:
    """Let a graph begin with these nodes, and take the photo that they take."""
    ir.convenience.replace_all_uses_with(graph.inputs[0], pixels)
    graph.inputs[0] = photo
    for initializer in nodes.initializers:
        graph.register_initializer(initializer)
    for number, node in enumerate(nodes.nodes):
        node.name = f"photo/{number}"
    graph.insert_before(graph[0], nodes.nodes)


def keep_heavy_weights_in_order(graph: ir.Graph) -> None:
    """Put a Reshape, to the shape they have, between heavy weights and their convolution.

    ONNX Runtime then takes them for something computed, if it is told not to fold constants.
    """
    for node in list(graph):
        weights = node.inputs[1] if node.op_type == "Conv" else None
        if weights is None or weights.const_value is None or weights.const_value.nbytes < HEAVY:
            continue
        shape = ir.tensor(np.array(weights.const_value.shape.numpy(), np.int64))
        sides = ir.Value(name=f"{weights.name}.shape", const_value=shape)
        graph.register_initializer(sides)
        reshape = ir.node("Reshape", [weights, sides])
        graph.insert_before(node, reshape)
        node.replace_input_with(1, reshape.outputs[0])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch says of its own workings from the terminal."""
    level = logging.getLogger("torch").level
    logging.getLogger("torch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.getLogger("torch").setLevel(level)
