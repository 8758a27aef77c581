"""Tell what of an export no prediction needs, and what of it is code.

In come the records of a learner; out go names for people to read: of the optimizer, the callbacks,
the functions that found photos and labels, and of all that unpickling the file would run or import;
and which Python its functions were written by.
"""

import opcode
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from voilearn.export.plain import LISTS, items_of, name_of, state_of
from voilearn.export.records import Global, Instance, Pickle

SLASH = "\\"  # between the folders of Windows
# fmt: off
KNOWN_PACKAGES = frozenset((
    "torch", "torchvision", "timm", "fastai", "fastai2", "fastcore", "fasttransform", "plum",
    "fastprogress", "numpy", "pandas", "PIL", "cloudpickle", "pathlib", "collections", "builtins",
    "__builtin__", "functools", "operator", "_operator", "copyreg", "copy_reg", "_codecs",
    "typing", "datetime", "random", "re", "inspect", "enum", "types", "abc",
    "_abcoll",
))
# fmt: on
IMPORTED_BY_FASTAI = {"io"}  # by the code of PILBase.create, which cloudpickle puts into a file
RUNS_CODE = {
    f"{module}.{name}"
    for module in ("builtins", "__builtin__")
    for name in ("eval", "exec", "compile", "open", "__import__", "breakpoint", "input")
}
MOVED_IN_FASTAI_2_8 = ("fastcore.transform.", "fastcore.dispatch.")  # to the package fasttransform
# The number, in each Python, of the opcode RESUME, with which a function begins after its cells.
RESUME = {151: ("3.11", "3.12"), 149: ("3.13",), 128: ("3.14 or newer",)}
# How a code object is made: with 18 arguments since Python 3.11, and fewer before.
CODE_ARGUMENTS, BYTECODE = 18, 6


def unknown_references(references: Sequence[str]) -> tuple[str, ...]:
    """Return the names that no export is made of: of other libraries, or for running code."""
    return tuple(
        name
        for name in references
        if name not in IMPORTED_BY_FASTAI
        and (name.partition(".")[0] not in KNOWN_PACKAGES or name in RUNS_CODE)
    )


def own_code(pickled: Pickle) -> tuple[str, ...]:
    """Return the functions and classes of the author's own: by name, or with their code."""
    return tuple(sorted(set(_own_code(pickled))))


def other_python(pickled: Pickle) -> str | None:
    """Return which Python wrote a pickle's functions, if it was not this one: "3.11 or 3.12".

    Bytecode bears no version, and is never checked: what another Python wrote is run as if it were
    this one's, to a wrong answer or a crash. None if there is none, or if it is as this one's.
    """
    return next(filter(None, map(_other_writer, _codes(pickled))), None)


def trusting(pickled: Pickle) -> str:
    """Return why opening a file by its own code would not work here, as a sentence; "" if it may.

    Before 2.8, fastai's transforms were fastcore's, which today's `load_learner` does not find.
    """
    if any(name.path.startswith(MOVED_IN_FASTAI_2_8) for name in pickled.globals):
        return (
            "But --trust opens only exports of fastai 2.8 or newer, and this one is older: then "
            "open it where it was made, and export it again with today's fastai."
        )
    if python := other_python(pickled):
        return f"But its functions are the bytecode of Python {python}: --trust needs that Python."
    return ""


def _other_writer(code: Instance) -> str | None:
    if len(code.args) < CODE_ARGUMENTS:
        return "3.10 or older"
    bytecode = code.args[BYTECODE]
    if isinstance(bytecode, Instance) and bytecode.path == "_codecs.encode":
        bytecode = str(bytecode.args[0]).encode("latin-1")  # how protocol 2 writes bytes
    if not isinstance(bytecode, bytes) or _is_of_this_python(bytecode):
        return None
    begun = (op for op, zero in zip(bytecode[::2], bytecode[1::2], strict=False) if not zero)
    writers = next((RESUME[op] for op in begun if op in RESUME), ())
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return " or ".join(name for name in writers if name != here) or f"other than {here}"


def _is_of_this_python(bytecode: bytes) -> bool:
    """Tell whether all its opcodes are this Python's, each before as much room as it needs.

    The room is for what the interpreter keeps beside an instruction; it is written as zeros, and
    nearly every Python needs more or less of it than the last.
    """
    rooms, seen, at = _rooms(), set[int](), 0
    while at < len(bytecode):
        op = bytecode[at]
        room = bytes(2 * rooms.get(op, 0))
        if bytecode[at + 2 : at + 2 + len(room)] != room:
            return False
        seen.add(op)
        at += 2 + len(room)
    known = set(opcode.opmap.values()) - ({opcode.opmap["CACHE"]} if rooms else set())
    return seen <= known and opcode.opmap["RESUME"] in seen


def _rooms() -> dict[int, int]:
    """Return how many units of two bytes this Python's opcodes need; none if it doesn't say."""
    told = getattr(opcode, "_inline_cache_entries", {})  # by name since Python 3.13
    if isinstance(told, dict):
        return {opcode.opmap[name]: count for name, count in told.items() if name in opcode.opmap}
    return dict(enumerate(told))


def unused(
    learner: dict[str, Any],
    found_by: Sequence[Sequence[Any]],
    trained: Sequence[Any],
    used: set[int],
) -> Iterator[str]:
    """Say what of a learner is of no use to a prediction.

    `found_by` are the transforms that found photos and labels, `trained` those that change photos
    in training alone, and `used` the ids of the records that are used.
    """
    yield f"loss: {name_of(learner.get('loss_func'))}"
    for part, kind in (("opt_func", "optimizer"), ("metrics", "metrics"), ("cbs", "callbacks")):
        given = learner.get(part, learner.get(f"_{part}"))
        is_list = isinstance(given, list | tuple) or name_of(given) in LISTS
        if names := [_told(value) for value in (items_of(given) if is_list else [given]) if value]:
            yield f"{kind}: {', '.join(names)}"
    for record in trained:
        yield f"in training only: {_told(record)}"
    for records, what in zip(found_by, ("photos", "labels"), strict=True):
        if names := [_told(record) for record in records if id(record) not in used]:
            yield f"how {what} were found: {', '.join(names)}"


def _told(value: Any) -> str:
    """Return what says most of a callback, metric or function: its own name, or its class's."""
    state = state_of(value)
    inner = state.get("func", state.get("_name"))
    if isinstance(inner, Global):
        return name_of(inner)
    return inner if isinstance(inner, str) else name_of(value)


def _own_code(pickled: Pickle) -> Iterator[str]:
    """Yield the functions and classes of the author's own: by name, or with their code."""
    for name in pickled.globals:
        if name.module == "__main__":
            yield name.path
    for made in _codes(pickled):
        texts = [arg for arg in made.args if isinstance(arg, str)]
        yield _where(*texts[:2]) if len(texts) > 1 else "a function"


def _codes(pickled: Pickle) -> Iterator[Instance]:
    """Yield the code of the functions that cloudpickle wrote into a pickle whole."""
    for made in pickled.instances:
        if isinstance(made.of, Instance) and made.of.args == ("CodeType",):
            yield made


def _where(file: str, function: str) -> str:
    """Say which function this is, and of which file: `create (fastai/vision/core.py)`."""
    return f"{function} ({'/'.join(PurePath(file.replace(SLASH, '/')).parts[-3:])})"
