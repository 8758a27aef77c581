"""Read the names of a learner's classes: what fastai's predict writes of each label in the vocab.

In comes the record of the transform that has the vocab; out go the names, in the order of the
network's answers, and what stands in the way of answering with them, if so, as a sentence without
the file's name in front.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import isfinite
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

from voilearn.errors import printable
from voilearn.export.plain import TEXTS, NotPlain, items_of, name_of, plain, state_of
from voilearn.export.records import Global, Instance, check_time

MAX_CLASSES = 100_000  # ImageNet-21k has 21,841
MAX_LABEL = 10_000  # characters of one
MAX_LABELS = 3_000_000  # bytes of all, in UTF-8: they are in every answer
SHOWN = 60  # characters of one, in a sentence
MAX_PARTS = 16  # of a label that is a tuple
INTERVALS = {"pandas.Interval", "pandas._libs.interval.Interval"}
ARRAY, SCALAR = "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar"
NUMPY = {  # what numpy calls its kinds of numbers
    **{f"i{size}": f"numpy.int{8 * size}" for size in (1, 2, 4, 8)},
    **{f"u{size}": f"numpy.uint{8 * size}" for size in (1, 2, 4, 8)},
    **{f"f{size}": f"numpy.float{8 * size}" for size in (2, 4, 8)},
    **{"b1": "numpy.bool", "M8": "numpy.datetime64", "m8": "numpy.timedelta64"},
}


def read_classes(category: Any) -> tuple[tuple[str, ...], str | None]:
    """Return the names of the classes, and what is wrong with them, or None.

    Where something is, those that were not named are called by their type.
    """
    vocab = state_of(category).get("vocab")
    labels = _labels_in(state_of(vocab).get("items", vocab))
    if not labels:
        return (), "has no classes: its vocab is empty, or no list. Set it up, and export it again."
    names, kinds = list[str](), [_kind(label) for label in labels]

    def named() -> Iterator[str]:
        for label in labels:
            check_time()
            names.append(written(label))
            yield names[-1]

    try:
        wrong = wrong_with(named(), kinds)
    except NotPlain:
        at = len(names)
        wrong = (
            f"has a class whose name can't be told from the file: number {at + 1} of "
            f"{len(labels)} is {_told(labels[at])}. {_rename(at)}; or, if you trust whoever made "
            "it, open it with --trust (trust=True), which runs the code in it."
        )
    return (*(name[:MAX_LABEL] for name in names), *kinds[len(names) : MAX_CLASSES]), wrong


def wrong_with(names: Iterable[str], kinds: Sequence[str]) -> str | None:
    """Say what stands in the way of answering with these names; `kinds` are their types' names."""
    if len(kinds) > MAX_CLASSES:
        return f"has {len(kinds):,} classes; up to {MAX_CLASSES:,} are answered."
    first, size = dict[str, int](), 0
    for at, name in enumerate(names):
        this = f"number {at + 1} of {len(kinds)}"
        if (before := first.setdefault(name, at)) != at:
            return (
                f"has two classes that are both written {_shown(name)}: number {before + 1}, of "
                f"type {printable(kinds[before], 80)}, and {this}, of type "
                f"{printable(kinds[at], 80)}. {_rename(at)}."
            )
        if len(name) > MAX_LABEL:
            return (
                f"has a class whose name is {len(name):,} characters long, {this}: "
                f"{_shown(name)}. Up to {MAX_LABEL:,} are shown. {_rename(at)}."
            )
        if not _is_whole(name):
            return (
                f"has a class whose name holds half a character, {this}: {_shown(name)}. "
                f"{_rename(at)}."
            )
        size += len(name.encode())
        if size > MAX_LABELS:
            return (
                f"has classes whose names take more than {MAX_LABELS / 1e6:.0f} MB together, which "
                "is too much for every answer. Give them shorter names, and export it again."
            )
    return None


def _kind(label: Any) -> str:
    """Return the name of a label's type."""
    check_time()
    if name_of(label) == "_codecs.encode":  # as protocol 2 has them
        return "bytes"
    if name_of(label) != SCALAR:
        return name_of(label)
    kind = label.args[0] if label.args else None
    code = kind.args[0] if isinstance(kind, Instance) and kind.args else ""
    return NUMPY.get(code, f"numpy.dtype({str(code)[:20]!a})")


def _told(label: Any) -> str:
    """Return a label that has no name as it can be shown: its type, and what that was made of."""
    made_of = label.args if isinstance(label, Instance) and name_of(label) != SCALAR else ()
    told = f"({', '.join(map(repr, made_of))})" if made_of and _is_python_s(made_of) else ""
    return printable(_kind(label) + told, 80)


def _rename(at: int) -> str:
    return (
        f"Where it was trained, give it another name, learn.dls.vocab.items[{at}] = 'a name', and "
        "learn.export() it again"
    )


def _shown(name: str) -> str:
    return repr(printable(name, SHOWN)) if _is_whole(name) else ascii(name[:SHOWN])


def _is_whole(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _labels_in(items: Any) -> list[Any]:
    """Return the records of the labels in a vocab: a list, an L, or an array of numpy's."""
    if name_of(items) != ARRAY or not items.states:
        return items_of(items)
    _, shape, kind, _, data = items.states[-1]
    if not isinstance(shape, tuple) or len(shape) != 1 or isinstance(data, list):
        return items_of(data)
    scalar, data, count = Global(*SCALAR.rsplit(".", 1)), plain(data), int(shape[0])
    width = len(data) // max(1, count)
    starts = range(0, width * min(count, MAX_CLASSES + 1), width or 1)
    return [Instance(scalar, (kind, data[at : at + width])) for at in starts]


def written(label: Any) -> str:
    """Return what `str` makes of a label in today's Python, numpy and pandas.

    Raises NotPlain for one of which that can't be told from the file.
    """
    if isinstance(label, str):
        return label
    if _is_python_s(label):
        return str(label)
    if isinstance(label, Instance):
        for names, write in WRITERS:
            if name_of(label) in names:
                with suppress(TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
                    return write(label)
    raise NotPlain(name_of(label))


def _is_python_s(value: Any) -> bool:
    """Say whether a value is wholly Python's own, small, and written alike by every Python."""
    if isinstance(value, tuple):
        return len(value) <= MAX_PARTS and all(map(_is_one, value))
    return _is_one(value)


def _is_one(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_LABEL
    return isinstance(value, int | float | None)  # no bytes: what text they are is not told


def _text(label: Instance) -> str:
    return str(plain(label))


def _complex(label: Instance) -> str:
    real, imaginary = label.args
    return str(complex(real, imaginary))


def _date(label: Instance) -> str:
    high, low, month, day = plain(label.args[0])
    return str(date(high * 256 + low, month, day))


def _datetime(label: Instance) -> str:
    high, low, month, day, hour, minute, second, *micro = plain(label.args[0])
    zone = _zone(label.args[1]) if len(label.args) > 1 else None
    at = (month & 127, day, hour, minute, second, int.from_bytes(micro))
    return str(datetime(high * 256 + low, *at, zone))


def _zone(zone: Any) -> timezone | None:
    if zone is None:
        return None
    if name_of(zone) != "datetime.timezone":
        raise NotPlain(name_of(zone))
    return timezone(timedelta(*map(int, zone.args[0].args)))


def _time(label: Instance) -> str:
    (stored,) = label.args
    hour, minute, second, *micro = plain(stored)
    return str(time(hour & 127, minute, second, int.from_bytes(micro)))


def _timedelta(label: Instance) -> str:
    return str(timedelta(*map(int, label.args)))


def _decimal(label: Instance) -> str:
    (text,) = label.args
    return str(Decimal(text))


def _fraction(label: Instance) -> str:
    if len(label.args) == 2:  # since Python 3.12
        over, under = map(int, label.args)
        return f"{over}/{under}" if under != 1 else str(over)
    (text,) = label.args
    if not re.fullmatch(r"-?\d+(/\d+)?", text, re.ASCII):
        raise ValueError(text)
    return str(text)


def _uuid(label: Instance) -> str:
    return str(UUID(int=state_of(label)["int"]))


def _posix_path(label: Instance) -> str:
    return str(PurePosixPath(*label.args))


def _windows_path(label: Instance) -> str:
    return str(PureWindowsPath(*label.args))


def _timestamp(label: Instance) -> str:
    """Write a pandas Timestamp: counts since 1970, of a unit by its number in numpy."""
    count, _, zone, unit = (*label.args, 10)[:4]
    if zone is not None:
        raise NotPlain(name_of(label))
    nanoseconds = count * {7: 10**9, 8: 10**6, 9: 10**3, 10: 1}[unit]
    told = datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds // 1000)
    rest = nanoseconds % 1000
    exact = told.isoformat(" ", "microseconds" if rest else "auto")
    return f"{exact}{rest:03}" if rest else exact


def _interval(label: Instance) -> str:
    low, high, closed = label.args
    if name_of(low) in INTERVALS or name_of(high) in INTERVALS:
        raise ValueError("an interval of intervals")
    begin, end = (
        "[" if closed in ("left", "both") else "(",
        "]" if closed in ("right", "both") else ")",
    )
    return f"{begin}{written(low)}, {written(high)}{end}"


def _numpy(label: Instance) -> str:
    """Write a number of numpy's, or a text of fixed width."""
    kind, _ = label.args
    code = kind.args[0] if isinstance(kind, Instance) else None
    if code in SHORT:
        return _short(plain(label), *SHORT[code])
    value = plain(label)
    if value is None:
        raise NotPlain(f"numpy.dtype({code})")
    return str(value)


def _short(value: float, form: str, most: float) -> str:
    """Write a number of half or single precision, in as few digits as tell it from others.

    Those for which releases of numpy differ, between 123456.0 and 1.23456e+05, are ValueErrors.
    """
    if value == 0 or not isfinite(value):
        return str(value)
    if not 1e-4 <= abs(value) < most:
        raise ValueError(value)
    same = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return str(
        next(short for short in same if struct.unpack(form, struct.pack(form, short))[0] == value)
    )


# Of numpy's two kinds of short numbers: struct's name, and from where on numpy writes an exponent
SHORT = {"f2": ("e", 1e3), "f4": ("f", 1e6)}
WRITERS: tuple[tuple[frozenset[str], Callable[[Instance], str]], ...] = tuple(
    (frozenset(names), write)
    for names, write in (
        (TEXTS | {"builtins.int", "builtins.float", "builtins.bool"}, _text),
        ({"builtins.complex"}, _complex),
        ({"datetime.date"}, _date),
        ({"datetime.datetime"}, _datetime),
        ({"datetime.time"}, _time),
        ({"datetime.timedelta"}, _timedelta),
        ({"decimal.Decimal"}, _decimal),
        ({"fractions.Fraction"}, _fraction),
        ({"uuid.UUID"}, _uuid),
        ({"pathlib.PosixPath", "pathlib.PurePosixPath", "pathlib.Path"}, _posix_path),
        ({"pathlib.WindowsPath", "pathlib.PureWindowsPath"}, _windows_path),
        ({"pandas._libs.tslibs.timestamps._unpickle_timestamp"}, _timestamp),
        (INTERVALS, _interval),
        ({SCALAR}, _numpy),
    )
)
