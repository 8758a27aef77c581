"""Compute the weights that a layer has torch compute from others before each call.

In come a layer with its parameters and buffers, and the record of what computes: weight_norm,
spectral_norm or pruning, which torch keeps as hooks. Out goes the weight that a network that does
not train has; what it was made of is no more. Nothing of the file is called: the sums are these.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from voilearn.export.plain import name_of, plain, state_of
from voilearn.export.records import RefusedPickle

ADDED = ("_g", "_v", "_u", "_orig", "_mask")  # what such a layer has beside the weight's own name


def derived_name(record: Any) -> str:
    """Return the name of the weight that a record computes."""
    state = state_of(record)
    name = plain(state.get("name", state.get("_tensor_name")))
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
        raise RefusedPickle("A layer's weight that is computed anew has no name")
    return name


def derive(module: nn.Module, record: Any, where: str) -> int:
    """Put into a layer the weight that a record computes; return how many numbers it has.

    Raises RefusedPickle where the parts are not of the sizes that belong together: to spread a few
    numbers over many takes a small file and much memory.
    """
    name = derived_name(record)
    kind = name_of(record)
    compute = next(how for start, how in KINDS.items() if kind.startswith(start))
    parts = {end: _part(module, name + end) for end in ADDED}
    for end in ADDED:
        module._parameters.pop(name + end, None)
        module._buffers.pop(name + end, None)
    try:
        weight = compute(parts, state_of(record))
        setattr(module, name, nn.Parameter(weight, requires_grad=False))
    except (KeyError, TypeError, IndexError, RuntimeError) as error:
        raise RefusedPickle(
            f"{where}.{name} is computed by {kind.rpartition('.')[2]} of what does not fit"
        ) from error
    return weight.numel()


def _part(module: nn.Module, name: str) -> torch.Tensor | None:
    found = module._parameters.get(name)
    return found if found is not None else module._buffers.get(name)


Parts = dict[str, torch.Tensor | None]


def _given(parts: Parts, end: str) -> torch.Tensor:
    tensor = parts[end]
    if tensor is None or not tensor.is_floating_point():
        raise TypeError(end)
    return tensor


def _weight_norm(parts: Parts, state: dict[str, Any]) -> torch.Tensor:
    """Salimans and Kingma 2016, equation 2: a direction `v` of length `g`."""
    length, direction, dim = _given(parts, "_g"), _given(parts, "_v"), _dim(state)
    if torch.norm_except_dim(direction, 2, dim).shape != length.shape:
        raise TypeError("sizes")
    return torch._weight_norm(direction, length, dim)


def _spectral_norm(parts: Parts, state: dict[str, Any]) -> torch.Tensor:
    """Miyato et al. 2018, equation 8, with the vectors that training left."""
    weight, left, right = (_given(parts, end) for end in ("_orig", "_u", "_v"))
    matrix = weight.movedim(_dim(state), 0).flatten(1)
    return weight / torch.dot(left, torch.mv(matrix, right))


def _pruned(parts: Parts, _: dict[str, Any]) -> torch.Tensor:
    weight, mask = _given(parts, "_orig"), parts["_mask"]
    if mask is None or mask.shape != weight.shape:
        raise TypeError("sizes")
    return mask.to(weight.dtype) * weight


def _dim(state: dict[str, Any]) -> int:
    dim = plain(state["dim"])
    if type(dim) is not int or abs(dim) > 16:
        raise TypeError("dim")
    return dim


KINDS: dict[str, Callable[[Parts, dict[str, Any]], torch.Tensor]] = {
    "torch.nn.utils.weight_norm.": _weight_norm,
    "torch.nn.utils.spectral_norm.": _spectral_norm,
    "torch.nn.utils.prune.": _pruned,
}
