"""The functions that libraries keep in a layer: of one picture's numbers, and nothing else.

In comes the record of a function; out goes the function, if it is one of those listed here.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from voilearn.export.plain import name_of
from voilearn.export.records import Global, Instance

FUNCTIONAL = (
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish"),
    *("hardsigmoid", "softplus", "sigmoid", "tanh", "softmax", "log_softmax", "normalize"),
    *("adaptive_avg_pool2d", "dropout"),
)
# pickle writes these two ways: with Python's name, and with that of the C function behind it
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{home}.{name}": getattr(functional, name)
    for name in FUNCTIONAL
    for home in ("torch.nn.functional", "torch._C._nn")
}
# ... and the functions of torch itself as getattr(this class, name)
OF_TORCH = "torch._C._VariableFunctionsClass"
TORCH: dict[Any, Callable[..., Any]] = {
    name: getattr(torch, name) for name in ("relu", "sigmoid", "tanh", "flatten", "selu")
}
# Modules whose own functions may all be meant: activations, and what xresnets are made of
MODULES = {
    "timm.layers.activations": None,
    "fastai.layers": ("SEBlock", "SEResNeXtBlock", "SeparableBlock"),
}


def function_of(record: Any) -> Callable[..., Any] | None:
    """Return the function that a record stands for, or None if it is none of those known."""
    if isinstance(record, Instance):
        of, name = record.args if len(record.args) == 2 else (None, None)
        is_getattr = name_of(record) == "builtins.getattr" and isinstance(name, str)
        return TORCH.get(name) if is_getattr and name_of(of) == OF_TORCH else None
    if not isinstance(record, Global):
        return None
    path = name_of(record)
    home, _, name = path.rpartition(".")
    if home == "torch" and name in TORCH:
        return TORCH[name]
    return FUNCTIONS.get(path) or _of_module(home, name)


def _of_module(home: str, name: str) -> Callable[..., Any] | None:
    if home not in MODULES or name not in (MODULES[home] or (name,)):
        return None
    found: Callable[..., Any] | None = vars(importlib.import_module(home)).get(name)
    if not inspect.isfunction(found) or found.__module__ != home:
        return None
    return found
