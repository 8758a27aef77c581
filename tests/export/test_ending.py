"""What a network ends in is read from its layers' names, without torch."""

from collections.abc import Sequence
from math import inf
from typing import Any

import pytest

from voilearn.export.ending import Ending, read_ending
from voilearn.export.ranges import ANY, Range
from voilearn.export.records import Global, Instance

UNIT, LOGS = Range(0, 1), Range(-inf, 0, logs=True)
NN = "torch.nn.modules"


def layer(path: str, *inner: Instance, **attributes: Any) -> Instance:
    module, _, name = path.rpartition(".")
    children = {str(number): child for number, child in enumerate(inner)}
    return Instance(Global(module, name), states=[{"_modules": children, **attributes}])


def sequential(*inner: Instance) -> Instance:
    return layer(f"{NN}.container.Sequential", *inner)


LINEAR = layer(f"{NN}.linear.Linear", out_features=4)
CONV = layer(f"{NN}.conv.Conv2d")
SIGMOID, SOFTMAX = layer(f"{NN}.activation.Sigmoid"), layer(f"{NN}.activation.Softmax", dim=1)
FLATTEN, POOL = layer(f"{NN}.flatten.Flatten"), layer(f"{NN}.pooling.AdaptiveAvgPool2d")
DROPOUT, IDENTITY = layer(f"{NN}.dropout.Dropout"), layer(f"{NN}.linear.Identity")
SIGMOID_OF_TORCH = Instance(
    Global("builtins", "getattr"), (Global("torch._C", "_VariableFunctionsClass"), "sigmoid")
)
PART = Instance(Global("functools", "partial"), (Global("torch.nn.functional", "log_softmax"),))

ENDINGS: dict[str, tuple[Sequence[Instance], Ending]] = {
    "a linear layer": ([LINEAR], Ending("Linear", ANY, 4)),
    "dropout": ([LINEAR, DROPOUT], Ending("Linear", ANY, 4)),
    "softmax, then shapes": ([LINEAR, SOFTMAX, FLATTEN, IDENTITY], Ending("Softmax", UNIT, 4)),
    "far inside": (
        [LINEAR, sequential(sequential(SIGMOID), sequential())],
        Ending("Sigmoid", UNIT, 4),
    ),
    "twice": ([LINEAR, SOFTMAX, layer(f"{NN}.activation.ReLU")], Ending("ReLU", UNIT, 4)),
    "y_range": (
        [LINEAR, layer("fastai.layers.SigmoidRange", low=-1, high=2.5)],
        Ending("SigmoidRange", Range(-1, 2.5), 4),
    ),
    "a y_range that is none": (
        [LINEAR, layer("fastai.layers.SigmoidRange", low="a", high=float("nan"))],
        Ending("SigmoidRange", None),
    ),
    "hardtanh": (
        [LINEAR, layer(f"{NN}.activation.Hardtanh", min_val=0, max_val=1)],
        Ending("Hardtanh", UNIT, 4),
    ),
    "torch's function": (
        [LINEAR, layer("fastai.layers.Lambda", func=SIGMOID_OF_TORCH)],
        Ending("Lambda", UNIT, 4),
    ),
    "a part of a function": (
        [LINEAR, layer("fastai.layers.Lambda", func=PART)],
        Ending("Lambda", LOGS, 4),
    ),
    "a function that is not known": (
        [LINEAR, layer("fastai.layers.Lambda", func=Global("os", "system"))],
        Ending("Lambda", None),
    ),
    "timm's": (
        [LINEAR, layer("timm.layers.activations.HardSigmoid")],
        Ending("HardSigmoid", UNIT, 4),
    ),
    "a layer of an author's that has such a name": (
        [LINEAR, layer("__main__.Sigmoid")],
        Ending("Sigmoid", None),
    ),
    "a skip": ([LINEAR, SIGMOID, layer("fastai.layers.MergeLayer")], Ending("MergeLayer", None)),
    "a convolution, pooled": ([CONV, SIGMOID, POOL, FLATTEN], Ending("Sigmoid", UNIT)),
    "a linear layer, pooled": ([LINEAR, SIGMOID, POOL], Ending("Sigmoid", UNIT)),
    "no layer that computes": ([FLATTEN], Ending("Sequential", ANY)),
}  # fmt: skip


@pytest.mark.parametrize(("layers", "ending"), ENDINGS.values(), ids=ENDINGS)
def test_what_a_network_ends_in(layers: Sequence[Instance], ending: Ending) -> None:
    assert read_ending(sequential(*layers)) == ending
