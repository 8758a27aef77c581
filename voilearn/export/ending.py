"""Tell by reading what a network ends in: probabilities, their logarithms, or scores.

In comes the record of a network; out goes an `Ending`. A layer's class tells the range of its
numbers, one after the other, from the last that may give any number on; `learner/ending.py` finds
the same in a run, where layers are not one after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from voilearn.export.network import children_of, library_of
from voilearn.export.plain import name_of, plain, state_of
from voilearn.export.ranges import ANY, Range, after, scaled
from voilearn.export.records import Instance, RefusedPickle


@dataclass(frozen=True, slots=True)
class Ending:
    """What a network's last numbers are.

    `layer` is the class of the last layer that computes, `range` is None if it can't be told, and
    `count` of the numbers for one photo, if that can be.
    """

    layer: str
    range: Range | None
    count: int | None = None


def read_ending(network: Instance) -> Ending:
    """Read what a network ends in."""
    tail, pooled = [], False
    for layer in _layers_from_the_end(network):
        pooled |= "pool" in name_of(layer).lower()
        if not name_of(layer).startswith(KEEPING):
            tail.append(layer)
            if name_of(layer).startswith(SCORING):
                break
    found: Range | None = ANY
    for layer in reversed(tail):
        found = _after(layer, found)
    last = name_of(tail[0]) if tail else name_of(network)
    return Ending(last.rpartition(".")[2], found, None if pooled else _count(tail))


def _layers_from_the_end(module: Any) -> Iterator[Any]:
    """Yield the layers that hold no others, the last first."""
    waiting = [module]
    while waiting:
        layer = waiting.pop()
        inner = list(children_of(layer).values())
        waiting.extend(inner)
        if not inner and not name_of(layer).startswith("torch.nn.modules.container."):
            yield layer


def _count(tail: list[Any]) -> int | None:
    """Return how many numbers a linear layer gives, if what follows changes each by itself."""
    if not tail or any(_function(layer) is None for layer in tail[:-1]):
        return None
    if name_of(tail[-1]) != "torch.nn.modules.linear.Linear":
        return None
    count = state_of(tail[-1]).get("out_features")
    return count if isinstance(count, int) else None


def _after(layer: Any, given: Range | None) -> Range | None:
    """Return the range of a layer's numbers."""
    if name_of(layer).startswith(SCORING):
        return ANY
    function = _function(layer)
    if function is None:
        return None
    name, *arguments = function
    return scaled(after("sigmoid", given), *arguments) if name == "sigmoid_range" else after(
        name, given, *arguments
    )  # fmt: skip


def _function(layer: Any) -> tuple[Any, ...] | None:
    """Return the name of the function that a layer is, with its numbers, if it is one."""
    state, name = state_of(layer), name_of(layer)
    last = name.rpartition(".")[2]
    if library_of(name) is None:
        return None
    if last in ("Lambda", "PartialLambda"):
        return FUNCTIONS.get(_called(state.get("func")))
    if last == "Hardtanh":
        return _numbers("clamp", state.get("min_val"), state.get("max_val"))
    if last == "SigmoidRange":
        low, high = (plain_number(state.get(end)) for end in ("low", "high"))
        return None if low is None or high is None else ("sigmoid_range", high - low, low)
    return FUNCTIONS.get(last.removesuffix("Jit").removesuffix("Me").lower())


def _numbers(name: str, *given: Any) -> tuple[Any, ...] | None:
    numbers = tuple(plain_number(each) for each in given)
    return None if None in numbers else (name, *numbers)


def plain_number(value: Any) -> float | None:
    """Return what a record holds as a number, or None if it is none."""
    try:
        number = plain(value)
    except RefusedPickle:
        return None
    return float(number) if isinstance(number, int | float) else None


def _called(function: Any) -> str:
    """Return the bare name of the function that a record, or a partial of it, stands for."""
    if name_of(function) == "functools.partial" and function.args:
        return _called(function.args[0])
    if name_of(function) == "builtins.getattr" and len(function.args) == 2:
        return str(function.args[1])
    return name_of(function).rpartition(".")[2]


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    **{name: (name,) for name in ("sigmoid", "hardsigmoid", "tanh", "relu", "softplus", "exp")},
    **{name: (name,) for name in ("silu", "gelu", "mish", "hardswish", "elu", "log", "softmax")},
    **dict.fromkeys(("softmin", "softmax2d"), ("softmax",)),
    **dict.fromkeys(("log_softmax", "logsoftmax"), ("log_softmax",)),
    **dict.fromkeys(("logsigmoid", "log_sigmoid"), ("log_sigmoid",)),
    **dict.fromkeys(("leakyrelu", "leaky_relu", "prelu"), ("leaky_relu",)),
    **dict.fromkeys(("gelutanh", "quickgelu"), ("gelu",)),
    **dict.fromkeys(("celu", "selu"), ("elu",)),
    "swish": ("silu",),
    "hardmish": ("mish",),
    "relu6": ("clamp", 0, 6),
    **dict.fromkeys(("flatten", "adaptive_avg_pool2d", "dropout"), ("clamp", -inf, inf)),
}
NN = "torch.nn.modules."
# Layers that pass numbers on, or their means
KEEPING = (
    *(f"{NN}{home}." for home in ("flatten", "dropout", "pixelshuffle", "channelshuffle")),
    *(f"{NN}pooling.{kind}" for kind in ("Max", "Avg", "Adaptive", "Fractional")),
    f"{NN}linear.Identity",
    *(f"fastai.layers.{n}" for n in ("Identity", "Flatten", "View", "ResizeBatch", "ToTensorBase")),
    "torchvision.ops.misc.Permute",
    "torchvision.ops.stochastic_depth.",
    "timm.layers.drop.",
    "timm.layers.adaptive_avgmax_pool.",
)
# Layers whose numbers may be any
SCORING = (
    *(f"{NN}{home}." for home in ("linear", "conv", "batchnorm", "instancenorm", "rnn", "sparse")),
    *(f"{NN}normalization.{kind}" for kind in ("LayerNorm", "GroupNorm", "RMSNorm")),
    *(
        "timm.layers.norm.",
        "timm.layers.linear.",
        "timm.layers.std_conv.",
        "timm.layers.conv2d_same.",
    ),
    "fastai.layers.BatchNorm1dFlat",
)
