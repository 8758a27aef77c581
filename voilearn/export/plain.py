"""Read from a pickle's records what is a plain value in disguise: a dict, L, Size, path or number.

In comes a value as `pickle_records` gives it; out goes one of Python's own. Nothing else is made:
a record that is no plain value is NotPlain, by its name.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any

from voilearn.export.old_names import today
from voilearn.export.records import (
    CHECK_EVERY,
    SCALARS,
    DamagedPickle,
    Global,
    Instance,
    RefusedPickle,
    TooMuch,
    check_time,
)

MAX_NODES = 2_000_000
MAX_DEPTH = 40
MAX_ATTRIBUTES = 1000

LISTS = {"fastcore.foundation.L", "builtins.list", "fastai.data.transforms.MultiCategory"}
TUPLES = {"builtins.tuple", "fastcore.basics.fastuple", "torch.Size"}
SETS = {"builtins.set", "builtins.frozenset"}
DICTS = {"collections.OrderedDict", "builtins.dict", "collections.defaultdict"}
TEXTS = {"builtins.str", "fastai.data.transforms.Category", "numpy.str_"}
NUMBERS = {"PIL.Image.Resampling", "builtins.int", "builtins.float", "builtins.bool"}
PATHS = {"pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.Path"}
# numpy's names for numbers, and struct's (numpy/_core/src/multiarray/descriptor.c)
FORMATS = {
    **{"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "f2": "e", "f4": "f", "f8": "d"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
}


class NotPlain(RefusedPickle):
    """This is an object of a class; `name` is the class's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"It holds {name} where a plain value is read")
        self.name = name


def plain(value: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """Return the plain value that a record stands for; `other` makes what is none, anywhere in it.

    Raises NotPlain, and DamagedPickle where the values are nested or repeated without end.
    """
    return _Reader(other or _not_plain).read(value, 0)


def _not_plain(value: Any) -> Any:
    raise NotPlain(name_of(value) or "an object")


def state_of(value: Any) -> dict[str, Any]:
    """Return all that was put into an object: its attributes by name, or {} if it has none."""
    check_time()
    found: dict[str, Any] = {}
    for state in value.states if isinstance(value, Instance) else ():
        for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
            if isinstance(part, dict) and len(part) > MAX_ATTRIBUTES:
                raise TooMuch(f"It has an object of more than {MAX_ATTRIBUTES:,} attributes")
            if isinstance(part, dict):
                found.update((k, v) for k, v in part.items() if isinstance(k, str))
    return found


def items_of(value: Any) -> list[Any]:
    """Return the items of a list, a tuple or fastcore's L, as they are; [] if it is none."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Instance) and today(value.path) in LISTS | TUPLES:
        inner = state_of(value).get("items", value.args[0] if value.args else [])
        return [*(inner if isinstance(inner, list | tuple) else []), *value.items]
    return []


def name_of(value: Any) -> str:
    """Return today's name of a record's class, or of the class it is; a word if it has none."""
    if isinstance(value, Global):
        return today(value.path)
    if isinstance(value, Instance):
        return today(value.path) or class_name(value.of)
    return type(value).__name__


def class_name(of: Any) -> str:
    """Return the name of a class; cloudpickle may have put its code into the file."""
    if isinstance(of, Global):
        return today(of.path)
    if not isinstance(of, Instance):
        return "an object"
    names = [arg for arg in of.args if isinstance(arg, str)]
    if of.path.endswith("._make_skeleton_class") and names:
        module = next((a.get("__module__") for a in of.args if isinstance(a, dict)), None)
        return f"{module}.{names[0]}"[:200]
    if of.path.endswith("._make_skeleton_enum") and len(names) > 2:  # name, whole name, module
        return f"{names[2]}.{names[0]}"[:200]
    return "an object"


class _Reader:
    """Counts what it reads: a list that holds itself, or twice what holds another twice, ends."""

    def __init__(self, other: Callable[[Any], Any]) -> None:
        self.nodes, self.other = 0, other

    def read(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes % CHECK_EVERY == 1:
            check_time()
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise DamagedPickle("Values are nested or repeated without end.")
        if isinstance(value, SCALARS):
            return value
        if isinstance(value, list | tuple | set | frozenset):
            return type(value)(self.all(value, depth))
        if isinstance(value, dict):
            keys = self.keys(value, depth)
            return dict(zip(keys, self.all(value.values(), depth), strict=True))
        if isinstance(value, Instance):
            return self.instance(value, depth)
        return self.other(value)

    def all(self, values: Iterable[Any], depth: int) -> list[Any]:
        return [self.read(value, depth + 1) for value in values]

    def keys(self, values: Iterable[Any], depth: int) -> list[Any]:
        found = self.all(values, depth)
        if not all(isinstance(key, (*SCALARS, tuple)) for key in found):
            raise NotPlain("a dict or set of what is no plain value")
        return found

    def instance(self, value: Instance, depth: int) -> Any:
        name = today(value.path)
        if name in LISTS:
            return self.all(items_of(value), depth)
        if name in TUPLES:
            return tuple(self.all(items_of(value), depth))
        if name in SETS:
            return set(self.keys([*_first(value), *value.items], depth))
        if name in DICTS:
            return self.pairs(value, depth)
        if name in TEXTS | NUMBERS and len(value.args) == 1:
            return self.read(value.args[0], depth + 1)
        if name in PATHS:
            return "/".join(part for part in value.args if isinstance(part, str))
        if name == "_codecs.encode" and isinstance(value.args[0], str):
            return value.args[0].encode("latin-1")  # how protocol 2 writes bytes
        if name == "builtins.bytes" and not value.args:
            return b""
        if name.startswith("numpy.") or name == "_codecs":
            return self.numpy(value, name, depth)
        return self.other(value)

    def pairs(self, value: Instance, depth: int) -> dict[Any, Any]:
        given = [tuple(pair) for pair in _first(value) if isinstance(pair, list | tuple)]
        pairs = [pair for pair in (*given, *value.pairs) if len(pair) == 2]
        keys = self.keys([key for key, _ in pairs], depth)
        return dict(zip(keys, self.all([v for _, v in pairs], depth), strict=True))

    def numpy(self, value: Instance, name: str, depth: int) -> Any:
        """Read a number or an array of numbers or objects, as Python's own (a list)."""
        if name == "numpy._core.multiarray.scalar" and len(value.args) == 2:
            kind, data = value.args
            numbers = _numbers(kind, self.read(data, depth + 1))
            return numbers[0] if len(numbers) == 1 else None
        if name == "numpy._core.multiarray._reconstruct" and value.states:
            _, shape, kind, _, data = value.states[-1]
            if isinstance(shape, tuple) and len(shape) == 1:
                return (
                    self.all(data, depth)
                    if isinstance(data, list)
                    else _numbers(kind, self.read(data, depth + 1))
                )
        raise NotPlain(name)


def _first(value: Instance) -> list[Any]:
    given = value.args[0] if value.args else []
    return list(given) if isinstance(given, list | tuple | set) else []


def _numbers(kind: Any, data: Any) -> list[Any]:
    """Read numpy's numbers, or texts of a fixed width, of the dtype that `kind` records."""
    code = kind.args[0] if isinstance(kind, Instance) and kind.args else None
    order = next((s[1] for s in kind.states if isinstance(s, tuple)), "<") if code else "<"
    if not isinstance(code, str) or not isinstance(data, bytes) or order == ">":
        raise NotPlain("numpy.dtype")
    if code in FORMATS:
        form = FORMATS[code]
        count = len(data) // struct.calcsize(form)
        return list(struct.unpack(f"<{count}{form}", data[: count * struct.calcsize(form)]))
    if code.startswith("U") and code[1:].isdigit() and 0 < int(code[1:]) < 10_000:
        width = 4 * int(code[1:])
        rows = [data[at : at + width] for at in range(0, len(data), width)]
        return [row.decode("utf-32-le").rstrip("\0") for row in rows]
    raise NotPlain(f"numpy.dtype({code})")
