"""A class is called what learn.predict calls it, or it is told which one can't be, and why."""

import datetime
import decimal
import enum
import fractions
import io
import re
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")

import cloudpickle  # noqa: E402
import numpy as np  # noqa: E402
from fastai.data.all import L  # noqa: E402
from fastai.data.transforms import (  # noqa: E402
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
)

from voilearn.export.labels import MAX_LABEL, read_classes, wrong_with  # noqa: E402
from voilearn.export.records import DamagedPickle, Global, Instance, time_limit  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402

pytestmark = pytest.mark.model

DAY = datetime.date(2020, 2, 3)
NOON = datetime.datetime(2020, 2, 3, 12, 0, 0, 5)


def record(transform: Any, protocol: int = 2) -> Any:
    file = io.BytesIO()
    torch.save(transform, file, pickle_module=cloudpickle, pickle_protocol=protocol)
    return read_torch_file(file).pickle.root


def category(vocab: Any) -> Any:
    return Categorize(vocab=vocab, sort=False)


class Size(enum.Enum):
    """A label of the author's own class."""

    SMALL = 1


SHOWN: dict[str, list[Any]] = {
    "texts": ["a", "", " ", "  ", "a\x1b[31m", "b\nc", "\x00", "a\u202eb", "x" * MAX_LABEL],
    "None": ["a", None],
    "booleans": [False, True],
    "integers": [10**30, -5, 0],
    "floats": [0.1, 1e22, float("inf"), 2.0, -0.0],
    "complex numbers": [1 + 2j, 3j],
    "tuples": [(1, "a"), (2.5, None), ("b",)],
    "dates": [DAY, datetime.date(1, 1, 1)],
    "times of a day": [datetime.time(3, 4), datetime.time(5, 6, 7, 8)],
    "dates with times": [NOON, NOON.replace(fold=1, hour=1), NOON.replace(microsecond=0)],
    "times of zones": [
        NOON.replace(tzinfo=datetime.UTC),
        NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-3, minutes=30), "X")),
    ],
    "spans of time": [datetime.timedelta(1, 5), datetime.timedelta(-1, 2, 3)],
    "decimals": [decimal.Decimal("1.10"), decimal.Decimal("1E+5"), decimal.Decimal("NaN")],
    "fractions": [fractions.Fraction(1, 2), fractions.Fraction(-3), fractions.Fraction(10, 4)],
    "UUIDs": [uuid.UUID(int=5)],
    "paths": [PurePosixPath("/a/b"), Path("c"), PurePosixPath("."), PureWindowsPath("C:\\a\\b")],
    "numpy's texts": [np.str_("a"), np.str_("ä")],
    "numpy's integers": [np.int8(-1), np.int16(2), np.int32(3), np.int64(4), np.uint8(5),
                         np.uint16(6), np.uint32(7), np.uint64(2**64 - 1)],
    "numpy's booleans": [np.bool_(True), np.bool_(False)],
    "numpy's doubles": [np.float64(0.1), np.float64(1e16), np.float64("nan"), np.float64(-2)],
    "numpy's singles": [np.float32(x) for x in (0.1, 0.3, 123456.7, -2, 0, "inf", 1 / 3, 1e-3)],
    "numpy's halves": [np.float16(x) for x in (0.1, 0.3, 999, -2, 0, "nan", 1 / 3, 1e-3)],
    "pandas' times": [pd.Timestamp("2020-01-01"), pd.Timestamp("1960-05-06 07:08:09.123456789"),
                      pd.Timestamp("2021-01-01 00:00:00.5"), pd.Timestamp(5, unit="s")],
    "pandas' intervals": [pd.Interval(0, 10), pd.Interval(10.5, 20, "left"),
                          pd.Interval(0, 1, "both"), pd.Interval(0, 2, "neither")],
}  # fmt: skip


@pytest.mark.parametrize("labels", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_class_is_called_what_predict_calls_it(labels: list[Any], protocol: int) -> None:
    made = category(labels)
    names, wrong = read_classes(record(made, protocol))
    assert wrong is None
    assert list(names) == [str(made.decodes(at)) for at in range(len(made.vocab))]
    assert len(names) >= len([label for label in labels if label == label])


def test_a_number_of_single_precision_is_called_what_numpy_calls_it() -> None:
    numbers = np.random.default_rng(0).uniform(-4, 6, 2000)
    singles = [np.float32(10**number) for number in numbers]
    names, wrong = read_classes(record(category(singles)))
    assert (wrong, list(names)) == (None, [str(single) for single in dict.fromkeys(singles)])


FROM = {
    "a list": ["b", "a"],
    "an L": L("b", "a"),
    "a tuple": ("b", "a"),
    "a text": "ba",
    "an array": np.array(["b", "a"]),
    "an array of objects": np.array(["b", "a"], dtype=object),
    "a dict": {"b": 0, "a": 1},
    "a table's column": pd.Series(["b", "a", "b"]),
    "categories": pd.Series(["b", "a"], dtype=pd.CategoricalDtype(["b", "a", "c"])),
    "numbers": np.arange(3),
    "a column of dates": pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"])),
    "bins": pd.cut(pd.Series([1, 5, 9]), [0, 3, 6, 9]),
}


@pytest.mark.parametrize("kind", [Categorize, MultiCategorize, EncodedMultiCategorize])
@pytest.mark.parametrize("vocab", FROM.values(), ids=FROM)
def test_a_vocab_is_read_whatever_it_was_made_of(vocab: Any, kind: Any) -> None:
    by_numpy = isinstance(vocab, np.ndarray | pd.Series)  # which fastai takes for one label alone
    made = category(vocab) if by_numpy else kind(vocab=vocab)
    names, wrong = read_classes(record(made))
    assert (wrong, list(names)) == (None, [str(label) for label in made.vocab])


def test_a_vocab_with_a_class_for_none_of_them_is_read() -> None:
    made = Categorize(vocab=["b", "a"], add_na=True)
    assert read_classes(record(made)) == (("#na#", "a", "b"), None)


@pytest.mark.parametrize(
    "labels",
    [np.array([1.5, 2.5], "f4"), np.array([3, 4]), np.array(["b", "äa"])],
    ids=lambda labels: str(labels.dtype),
)
def test_a_vocab_that_was_made_an_array_is_read(labels: Any) -> None:
    made = category(["x", "y"])
    made.vocab.items = labels
    assert read_classes(record(made)) == (tuple(map(str, labels)), None)


WRONG: dict[str, tuple[list[Any], str]] = {
    "an int and a text": (["a", 1, "1"], r"written '1': number 2, of type int, and number 3 "),
    "a bool and a text": ([True, "True"], r"number 1, of type bool, and number 2 of 2"),
    "None and a text": ([None, "None"], "both written 'None'"),
    "a double and a text": ([np.float64(1), "1.0"], "of type numpy.float64"),
    "a name that is too long": (["b", "y" * (MAX_LABEL + 1)], r"10,001 characters long.*'yyy.*…'"),
    "half a character": (["b", "x\ud800"], r"half a character, number 2 of 2: 'x\\ud800'"),
    "an enum": ([Size.SMALL], r"number 1 of 1 is tests\.export\.test_labels\.Size\(1\)"),
    "bytes": (["a", b"cat"], "number 2 of 2 is bytes"),
    "numpy's bytes": (["a", np.bytes_(b"q")], r"number 2 of 2 is numpy\.dtype\('S1'\)"),
    "a tuple with bytes in it": ([(1, b"a")], "number 1 of 1 is tuple"),
    "a set": (["a", frozenset("a")], r"number 2 of 2 is builtins\.frozenset"),
    "a tuple with numpy's in it": ([(np.int64(1), "a")], "number 1 of 1 is tuple"),
    "numpy's days": ([np.datetime64("2020-01-01")], r"is numpy\.datetime64"),
    "half precision, large": ([np.float16(1000)], r"is numpy\.float16"),
    "single precision, large": ([np.float32(16777216)], r"is numpy\.float32"),
    "more digits": ([np.longdouble("0.1")], r"is numpy\.dtype\('f16'\)"),
    "a month": ([pd.Period("2020-01")], r"is pandas\.Period"),
    "a time in Berlin": ([pd.Timestamp("2020-01-01", tz="Europe/Berlin")], "Timestamp|timestamps"),
    "a tensor": ([torch.tensor(1)], r"is torch\._utils\._rebuild_tensor"),
    "a type": ([int], r"is builtins\.int"),
}  # fmt: skip


@pytest.mark.parametrize(("labels", "told"), WRONG.values(), ids=WRONG)
def test_a_class_that_can_t_be_shown_is_named_with_what_to_do(labels: list[Any], told: str) -> None:
    names, wrong = read_classes(record(category(labels)))
    assert re.search(told, wrong or "")
    assert len(names) == len(labels)
    at = len(labels) - 1
    assert f"learn.dls.vocab.items[{at}] = 'a name'" in (wrong or "")
    assert len(wrong or "") < 500


def test_an_enum_of_the_notebook_is_named() -> None:
    class Own(enum.Enum):
        RED = 1

    Own.__module__, Own.__qualname__ = "__main__", "Own"
    assert "is __main__.Own(1)" in (read_classes(record(category([Own.RED])))[1] or "")


@pytest.mark.parametrize("vocab", [[], None])
def test_no_class_at_all_is_told(vocab: Any) -> None:
    assert "has no classes" in (read_classes(record(Categorize(vocab=vocab)))[1] or "")


def test_how_many_classes_there_may_be_is_told() -> None:
    assert wrong_with(map(str, range(100_000)), ["str"] * 100_000) is None
    told = wrong_with(map(str, range(100_001)), ["str"] * 100_001)
    assert told == "has 100,001 classes; up to 100,000 are answered."
    long = (f"{n:0100}" for n in range(50_000))
    assert "more than 3 MB together" in (wrong_with(long, ["str"] * 50_000) or "")


LABEL = "fastai.data.transforms.Categorize"


def of_labels(items: Any) -> Any:
    """What a file can say of a vocab, whoever wrote it."""
    vocab = Instance(Global("fastai.data.transforms", "CategoryMap"), states=({"items": items},))
    return Instance(Global("fastai.data.transforms", "Categorize"), states=({"vocab": vocab},))


def interval(end: Any) -> Any:
    return Instance(Global("pandas", "Interval"), (end, end, "right"))


def interval_of_intervals() -> Any:
    end: Any = 1
    for _ in range(60):
        end = interval(end)
    return [end]


def tuple_of_tuples() -> Any:
    row: Any = ("a" * 1000,) * 1000
    for _ in range(3):
        row = (row,) * 1000
    return [row]


def array_of(count: Any, data: bytes, kind: str = "f4") -> Any:
    dtype = Instance(Global("numpy", "dtype"), (kind, False, True))
    state = (1, (count,), dtype, False, data)
    return Instance(Global("numpy.core.multiarray", "_reconstruct"), (), states=(state,))


def made_by(path: str, *args: Any) -> list[Any]:
    return [Instance(Global(*path.rsplit(".", 1)), args)]


TIMESTAMP = "pandas._libs.tslibs.timestamps._unpickle_timestamp"
ATTACKS: dict[str, Callable[[], Any]] = {
    "intervals within intervals, 2^60 of them": interval_of_intervals,
    "tuples within tuples, a terabyte of text": tuple_of_tuples,
    "a million times the same long bytes": lambda: [b"x" * 10**6] * 10**6,
    "lists": lambda: [["a"], ["b"]],
    "a million times the same long text": lambda: ["x" * 10**6] * 10**6,
    "an array that says it has more than it has": lambda: array_of(10**12, bytes(40)),
    "an array of no number": lambda: array_of(-1, bytes(40)),
    "an array of a million bytes": lambda: array_of(10**6, bytes(10**6), "S1"),
    "a type of a long name": lambda: array_of(1000, bytes(4000), "x" * 10**6),
    "a fraction that is a power": lambda: made_by("fractions.Fraction", "1e9999999"),
    "a date of no year": lambda: made_by("datetime.date", b"\0\0\0\0"),
    "a date of one byte": lambda: made_by("datetime.datetime", b"\7"),
    "a time of nothing": lambda: made_by("datetime.time"),
    "a span without end": lambda: made_by("datetime.timedelta", 10**300),
    "a span of what is no number": lambda: made_by("datetime.timedelta", float("inf")),
    "a UUID of nothing": lambda: made_by("uuid.UUID"),
    "a decimal of a list": lambda: made_by("decimal.Decimal", [1]),
    "a time of an unknown unit": lambda: made_by(TIMESTAMP, 1, None, None, 99),
    "a time after all times": lambda: made_by(TIMESTAMP, 10**30, None, None, 7),
    "a program in a label": lambda: made_by("os.system", "true"),
}


@pytest.mark.parametrize("make", ATTACKS.values(), ids=ATTACKS)
def test_a_label_that_was_made_to_do_harm_does_none(make: Any) -> None:
    """No memory, no time, and nothing is called."""
    items = make()
    with time_limit(5):
        try:
            names, wrong = read_classes(of_labels(items))
        except DamagedPickle:
            return
    assert wrong
    assert sum(map(len, names)) < 10_000_000
    assert len(wrong) < 500
