"""A pickle comes out as plain values and records, and a bad one as DamagedPickle, soon."""

import collections
import io
import pickle
from pathlib import PurePosixPath
from typing import Any

import pytest

from voilearn.export.pickle_machine import read_pickle
from voilearn.export.records import DamagedPickle, Global, Instance, Pickle, time_limit

VALUES: dict[str, Any] = {
    "none": None,
    "numbers": [0, 1, -1, 255, 65536, -(2**31), 2**70, 1.5, float("inf"), True, False],
    "texts": ["", "grizzly", "Bär", "熊", "a\nb'\"\\", "x" * 300],
    "bytes": [b"", b"\x00\xff", b"x" * 300],
    "nested": {"a": [1, (2, 3), {"b": ()}], (1, "k"): None, 4: frozenset({1, 2})},
}


def read(data: bytes) -> Pickle:
    return read_pickle(io.BytesIO(data), len(data))


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_plain_values_come_out_as_they_went_in(value: Any, protocol: int) -> None:
    if protocol == 3 and value is VALUES["nested"]:
        value = {**value, 4: None}  # a frozenset is a call there
    assert read(pickle.dumps(value, protocol)).root == value


@pytest.mark.parametrize("protocol", range(3))
def test_protocols_of_python_2_are_read(protocol: int) -> None:
    value = {"numbers": VALUES["numbers"], "texts": VALUES["texts"]}
    assert read(pickle.dumps(value, protocol)).root == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_object_is_a_record_of_its_making(protocol: int) -> None:
    path = read(pickle.dumps(PurePosixPath("a/b"), protocol)).root
    assert isinstance(path, Instance)
    assert path.path in ("pathlib.PurePosixPath", "pathlib._local.PurePosixPath")
    ordered = read(pickle.dumps(collections.OrderedDict(a=1), protocol)).root
    assert ordered.path == "collections.OrderedDict"
    assert [tuple(pair) for pair in ordered.pairs or ordered.args[0]] == [("a", 1)]


def test_what_would_run_is_a_record_and_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = read(b"cbuiltins\nprint\n(Vran\ntR.").root
    assert (found.path, found.args) == ("builtins.print", ("ran",))
    assert capsys.readouterr().out == ""


def test_a_call_whose_outcome_is_thrown_away_is_told() -> None:
    found = read(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R0N.")
    assert found.root is None
    assert [made.path for made in found.instances] == ["os.system"]
    assert [name.path for name in found.globals] == ["os.system"]


def test_a_name_is_one_record_however_often_it_comes() -> None:
    root = read(b"(cos\nsystem\ncos\nsystem\nt.").root
    assert isinstance(root[0], Global)
    assert root[0] is root[1]


def test_a_list_may_hold_itself() -> None:
    inner: list[Any] = []
    inner.append(inner)
    root = read(pickle.dumps(inner)).root
    assert root[0] is root


def test_a_pickle_cut_short_anywhere_is_damaged() -> None:
    data = pickle.dumps([VALUES, PurePosixPath("a")], 4)
    for end in range(len(data)):
        with pytest.raises(DamagedPickle):
            read(data[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x06N.",
        b"\xff.",
        b"R.",
        b"(.",
        b"0.",
        b"NN\x86\x81.",
        b"N}b.",
        b"cos\nsystem\n}b.",
        b"h\x07.",
        b"\x82\x01.",
        b"\x97.",
        b"]](e(NNNu.",
        b"}]Ns.",
        b"\x8d" + b"\xff" * 8 + b".",
        b"\x8b\xff\xff\xff\xff.",
        b"I" + b"9" * 5000 + b"\n.",
        b"c" + b"a" * 400 + b"\nb\n.",
        b"c\x1b[31m\nb\n.",
        b"\x8c\x01a\x8c\x03b\nc\x93.",
    ],
)
def test_steps_that_make_no_sense_are_damage_and_no_other_error(data: bytes) -> None:
    with pytest.raises(DamagedPickle):
        read(data)


def test_a_pickle_of_very_many_steps_is_refused_before_they_are_all_taken() -> None:
    with pytest.raises(DamagedPickle, match="more than 1,500,000 steps"):
        read(b"\x80\x02" + b"]" * 5_000_000)


def test_keys_that_collide_end_with_the_time_that_is_granted() -> None:
    """Each is a multiple of 2^61 - 1, and its hash 0: a dict of n of them takes n^2 steps."""
    keys = b"".join(pickle.dumps(k * (2**61 - 1), 2)[2:-1] for k in range(1, 40_000))
    values = b"".join(
        bytes([*pickle.dumps(k * (2**61 - 1), 2)[2:-1], *b"N"]) for k in range(40_000)
    )
    for data in (b"(" + keys + b"\x91.", b"}(" + values + b"u."):
        with pytest.raises(DamagedPickle, match="too long"), time_limit(0.5):
            read(data)
