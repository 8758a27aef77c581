"""Tell which of a pickle's records are tensors, and check each against its storage.

In comes a record; out goes a `Tensor`: where its numbers are, of what kind and in what shape. The
numbers themselves are not in the pickle; `torch_file` reads them.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from voilearn.errors import printable
from voilearn.export.records import (
    DamagedPickle,
    Global,
    Instance,
    PersistentId,
    RefusedPickle,
)

# Names that torch has for the numbers of a storage, and their size in bytes.
DTYPES = {
    "FloatStorage": ("float32", 4),
    "DoubleStorage": ("float64", 8),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}
REBUILDS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
# A tensor of a class of its own, such as fastai's TensorImage: (how, class, its arguments, state).
OF_A_TYPE = ("torch._tensor._rebuild_from_type_v2", "fastai.torch_core._rebuild_from_type")

ITEM_SIZES = dict(DTYPES.values())


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage; `size`, `stride` and `offset` are counted in numbers, not bytes."""

    dtype: str
    key: str
    storage_numel: int
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numel(self) -> int:
        """How many numbers it has."""
        return prod(self.size)

    @property
    def item_size(self) -> int:
        """How many bytes each number takes."""
        return ITEM_SIZES[self.dtype]


def tensor_of(value: Any) -> Tensor | None:
    """Return the tensor that a record is, checked against its storage; None if it is none.

    Raises DamagedPickle for one that would reach outside its storage, and RefusedPickle for one
    that is no plain tensor.
    """
    for _ in range(4):  # a parameter holds a tensor, and either may be of a class of its own
        if not isinstance(value, Instance):
            return None
        if value.path in PARAMETERS:
            value = value.args[0] if value.args else None
        elif value.path in OF_A_TYPE:
            how, args = value.args[0], value.args[2]
            value = Instance(how, args) if isinstance(args, tuple) else None
        elif value.path.endswith("._fa_rebuild_tensor"):  # fastai's, with the class in front
            value = Instance(Global("torch._utils", "_rebuild_tensor_v2"), value.args[1:])
        elif value.path in REBUILDS:
            return _checked(value.args)
        else:
            return None
    return None


def _checked(args: tuple[Any, ...]) -> Tensor:
    if len(args) < 4 or not is_storage(args[0]):
        raise DamagedPickle("A tensor's parts are missing.")
    _, kind, key, _, numel, *_ = args[0].value
    offset, size, stride = args[1:4]
    numbers = (numel, offset, *_sizes(size), *_sizes(stride))
    if not all(type(n) is int and 0 <= n < 2**40 for n in numbers) or len(size) != len(stride):
        raise DamagedPickle("A tensor's sizes make no sense.")
    if kind.path.rpartition(".")[2] not in DTYPES:
        raise RefusedPickle(f"A tensor is of {printable(kind.path, 80)}, which is not read")
    if len(args) > 5 and getattr(args[5], "pairs", None):
        raise RefusedPickle("A tensor brings hooks, code that would run")
    dtype = DTYPES[kind.path.rpartition(".")[2]][0]
    tensor = Tensor(dtype, str(key), numel, offset, tuple(size), tuple(stride))
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if tensor.numel > numel or (tensor.numel and last >= numel):
        raise DamagedPickle("A tensor reaches outside its storage.")
    return tensor


def is_storage(value: Any) -> bool:
    """Say whether this is torch's reference to a storage: its class, key, place and count."""
    parts = value.value if isinstance(value, PersistentId) else None
    if not isinstance(parts, tuple) or len(parts) not in (5, 6):
        return False
    return parts[0] == "storage" and isinstance(parts[1], Global) and isinstance(parts[2], str)


def _sizes(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple) or len(value) > 16:
        raise DamagedPickle("A tensor's sizes make no sense.")
    return value
