"""Find out by a run what a network ends in: probabilities, their logarithms, or scores.

In come a network and a photo's size; out goes an `Ending`. Each step of torch's hands on between
what its numbers lie, so the last one's tell it for any photo, whatever the layers are called and
however they are put together. It runs on torch's meta device, where tensors have no numbers.
"""

from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from math import inf
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from voilearn.export.ending import Ending
from voilearn.export.ranges import ANY, Range, after, either, scaled, together
from voilearn.learner.cost import ANY_SIZE


def ending_of(network: nn.Module, channels: int, size: tuple[int, int] | None) -> Ending | None:
    """Return what the network ends in, for photos of `size` (height, width).

    Its range is None if the steps of torch's don't tell it. None if it runs for no such photo.
    """
    weights = [*network.parameters(), *network.buffers()]
    bare: dict[int, Any] = {id(weight): weight.to("meta") for weight in weights}
    photo = torch.empty(1, channels, *(size or ANY_SIZE), device="meta")
    with suppress(Exception):  # a layer may raise anything
        return ending_in(deepcopy(network, bare), photo)
    return None


def ending_in(network: nn.Module, *batch: torch.Tensor) -> Ending:
    """Run a network on a batch of one, and return what it ends in."""
    with torch.no_grad(), _Ranges() as ranges:  # type: ignore[no-untyped-call]
        for part in batch:
            ranges.keep(part, ANY)
        answer = network(*batch)
    layer = next((m for m in reversed(list(network.modules())) if not list(m.children())), network)
    count = answer.shape[1] if answer.ndim == 2 else None
    return Ending(type(layer).__name__, ranges.of(answer), count)


class _Ranges(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the range of each tensor's numbers on the tensor."""

    def of(self, value: Any) -> Range | None:
        """Return the range of a tensor or number; None if it is not known."""
        if isinstance(value, int | float):
            return Range(value, value)
        return getattr(value, "_voilearn_range", None)

    def keep(self, value: Any, found: Range | None) -> None:
        for tensor in value if isinstance(value, tuple | list) else (value,):
            if isinstance(tensor, torch.Tensor):
                tensor._voilearn_range = found  # type: ignore[attr-defined]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = self.found(func.overloadpacket.__name__.strip("_"), args, kwargs or {})
        out = func(*args, **(kwargs or {}))
        self.keep(out, found)
        if func._schema.is_mutable and args[0]._is_view():  # what it is a view of changed, too
            self.keep(args[0]._base, None)
        return out

    def found(self, name: str, args: Any, kwargs: Any) -> Range | None:
        """Return the range of what a step gives."""
        if name in SCORING:
            return ANY
        first = self.of(args[0]) if args else None
        if name in KEEPING:
            return first
        if name == "sum":
            return first if first == ANY else None
        if name in BLENDING:
            return first and replace(first, logs=False)
        if name in JOINING:
            joined = args[0] if isinstance(args[0], list | tuple) else args[-2:]
            return either(*(self.of(part) for part in joined))
        if name in ("add", "sub", "rsub", "mul", "div"):
            return _arithmetic(name, first, self.of(args[1]), kwargs.get("alpha", 1))
        if name in ("clamp", "hardtanh", "clamp_min", "clamp_max"):
            return _clamped(name, first, *args[1:], **kwargs)
        return after(SAME.get(name, name), first)


def _arithmetic(name: str, one: Range | None, two: Range | None, alpha: float) -> Range | None:
    """Return the range of a sum, difference, product or quotient."""
    if two is None or two.low != two.high:
        if name in ("add", "mul"):
            return together(one, two, name == "mul")
        return ANY if one == ANY else None
    number = two.low
    if name == "div" and number == 0:
        return None
    by = {"mul": number, "div": 1 / (number or 1), "rsub": -alpha}.get(name, 1)
    plus = {"add": alpha * number, "sub": -alpha * number, "rsub": number}.get(name, 0)
    return scaled(one, by, plus)


def _clamped(
    name: str, given: Range | None, low: Any = None, high: Any = None, **named: Any
) -> Range | None:
    """Return the range of numbers that are kept between two, or below or above one."""
    low, high = named.get("min", low), named.get("max", high)
    if name == "clamp_max":
        low, high = None, low if high is None else high
    if isinstance(low, torch.Tensor) or isinstance(high, torch.Tensor):
        return None
    ends = (-1, 1) if name == "hardtanh" else (-inf, inf)  # what is left out is as by default
    return after("clamp", given, ends[0] if low is None else low, ends[1] if high is None else high)


# Steps by their names in torch's ATen. Those whose numbers may be any, whatever they are given:
SCORING = {
    *("convolution", "mkldnn_convolution", "addmm", "mm", "bmm", "baddbmm", "linear", "addbmm"),
    *("native_batch_norm", "native_batch_norm_legit_no_training", "native_batch_norm_legit"),
    *("cudnn_batch_norm", "native_layer_norm", "native_group_norm", "fused_rms_norm", "embedding"),
}
# ... those that hand on some or all of the numbers, in their order or another
KEEPING = {
    *("view", "unsafe_view", "reshape_alias", "squeeze", "unsqueeze", "expand", "permute", "t"),
    *("transpose", "clone", "detach", "alias", "slice", "select", "index", "index_select", "split"),
    *("split_with_sizes", "unbind", "as_strided", "to_copy", "flip", "roll", "repeat", "gather"),
    *("amax", "amin", "max", "min", "max_pool2d_with_indices", "adaptive_max_pool2d", "lift_fresh"),
    *("pixel_shuffle", "upsample_nearest2d", "diagonal", "unfold", "contiguous", "copy"),
}
# ... their means
BLENDING = {
    *("mean", "avg_pool2d", "adaptive_avg_pool2d", "avg_pool1d", "adaptive_avg_pool1d"),
    *("upsample_bilinear2d", "median"),
}
# ... numbers of several
JOINING = {"cat", "stack", "where", "maximum", "minimum"}
# What ranges.py calls otherwise
SAME = {
    **{"log_sigmoid_forward": "log_sigmoid", "prelu_kernel": "leaky_relu"},
    **{"celu": "elu", "selu": "elu"},
}
