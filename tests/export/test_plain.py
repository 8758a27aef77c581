"""Records that stand for plain values become them; no other does, and none takes for ever."""

import collections
import io
import pickle
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import pytest

from voilearn.errors import printable
from voilearn.export.pickle_machine import read_pickle
from voilearn.export.plain import NotPlain, items_of, name_of, plain, state_of
from voilearn.export.records import DamagedPickle, Global, Instance

np = pytest.importorskip("numpy")


def record(value: Any, protocol: int = 2) -> Any:
    data = pickle.dumps(value, protocol)
    return read_pickle(io.BytesIO(data), len(data)).root


PLAIN: dict[str, tuple[Any, Any]] = {
    "an OrderedDict": (collections.OrderedDict(a=(1, 2)), {"a": (1, 2)}),
    "a set": ({1, 2}, {1, 2}),
    "bytes": (b"\x00\xe9", b"\x00\xe9"),
    "a number of numpy": (np.int64(7), 7),
    "a float of numpy": (np.float32(0.5), 0.5),
    "a text of numpy": (np.str_("bear"), "bear"),
    "an array of numbers": (np.arange(3), [0, 1, 2]),
    "an array of texts": (np.array(["a", "bcd"]), ["a", "bcd"]),
    "an array of objects": (np.array(["a", None], dtype=object), ["a", None]),
    "all of them": ([collections.OrderedDict(a={1}), b"x"], [{"a": {1}}, b"x"]),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(("value", "expected"), PLAIN.values(), ids=PLAIN)
def test_a_plain_value_in_disguise_becomes_it(value: Any, expected: Any, protocol: int) -> None:
    assert plain(record(value, protocol)) == expected


@pytest.mark.parametrize("value", [Fraction(1, 2), print, PurePosixPath, [Fraction(1, 2)]])
def test_what_is_no_plain_value_is_named(value: Any) -> None:
    with pytest.raises(NotPlain) as error:
        plain(record(value))
    assert error.value.name in ("fractions.Fraction", "builtins.print", "pathlib.PurePosixPath")


def test_values_that_repeat_each_other_without_end_are_damage() -> None:
    twice: Any = ()
    for _ in range(35):
        twice = (twice, twice)  # 2^35 values in 35
    itself: list[Any] = []
    itself.append(itself)
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    for value in (twice, itself, deep):
        with pytest.raises(DamagedPickle):
            plain(value)


def test_a_state_of_two_parts_is_both() -> None:
    made = Instance(Global("a", "B"), states=(({"x": 1}, {"y": 2}), {"z": 3, 4: 5}))
    assert state_of(made) == {"x": 1, "y": 2, "z": 3}
    assert state_of("text") == {}


def test_items_of_fastcores_l_are_its_items() -> None:
    made = Instance(Global("fastcore.foundation", "L"), states=({"items": [1, 2]},))
    assert items_of(made) == [1, 2]
    assert items_of((1,)) == [1]
    assert items_of(None) == []


def test_a_name_is_todays() -> None:
    assert name_of(Global("fastcore.transform", "Pipeline")) == "fasttransform.transform.Pipeline"
    assert name_of(Instance(Global("__builtin__", "set"))) == "builtins.set"
    assert name_of(3) == "int"


def test_a_text_that_a_terminal_would_obey_is_shown_without_that() -> None:
    assert printable("a\x1b[31mb\n\ud800") == "a?[31mb??"
    assert printable("x" * 400).endswith("x…")
