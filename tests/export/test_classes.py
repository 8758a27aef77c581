"""What a class that is in a file whole defines is told by name, whoever wrote the file."""

from typing import Any

import pytest

from voilearn.export.classes import Lineage, lineage_of, names_in_code, put_definitions
from voilearn.export.records import DamagedPickle, Global, Instance, Pickle, time_limit
from voilearn.export.transforms import UnknownTransform, read_transform

MAKE = Global("cloudpickle.cloudpickle", "_make_skeleton_class")
SET = Global("cloudpickle.cloudpickle", "_class_setstate")
META = Global("fasttransform.transform", "_TfmMeta")
BASE = Global("fasttransform.transform", "Transform")


def written(
    *bases: Any, maker: Any = META, given: Any = None, defined: Any = None, times: int = 1
) -> Instance:
    """An object of a class as cloudpickle writes it."""
    cls = Instance(MAKE, (maker, "Own", bases, given or {"__module__": "__main__"}, "id", None))
    states = [Instance(SET, (cls, (defined or {}, {}))) for _ in range(times)]
    put_definitions(Pickle(None, [], states, []))
    return Instance(cls)


def test_a_class_has_what_it_and_those_it_is_made_of_define() -> None:
    first = written(BASE, defined={"order": 1, "split_idx": 0})
    second = written(first.of, defined={"order": 2})
    lineage = lineage_of(second)
    assert lineage
    assert lineage.base == BASE.path
    assert (lineage.defined["order"], lineage.defined["split_idx"]) == (2, 0)


def test_of_a_class_by_name_nothing_but_that_is_known() -> None:
    assert lineage_of(Instance(Global("__main__", "Own"))) == Lineage({}, "__main__.Own")


def without_end() -> Instance:
    made = written(BASE)
    made.of.args = (META, "Own", (made.of,), {}, "id", None)
    return made


UNKNOWN = {
    "made of itself": without_end,
    "made of two": lambda: written(BASE, BASE),
    "made of none": written,
    "made of what is no class": lambda: written("Transform"),
    "by a metaclass of its author's": lambda: written(BASE, maker=Global("__main__", "Meta")),
    "defined twice": lambda: written(BASE, times=2),
    "never defined": lambda: written(BASE, times=0),
    "with a million attributes": lambda: written(BASE, given={str(n): n for n in range(10**6)}),
    "of no arguments": lambda: Instance(Instance(MAKE)),
    "of a function": lambda: Instance(Instance(Global("builtins", "getattr"), (BASE, "x"))),
    "of nothing": lambda: None,
}


@pytest.mark.parametrize("make", UNKNOWN.values(), ids=UNKNOWN)
def test_a_class_that_can_t_be_followed_is_unknown(make: Any) -> None:
    with time_limit(5):
        assert lineage_of(make()) is None


def test_a_class_of_too_many_attributes_is_not_read() -> None:
    with pytest.raises(DamagedPickle):
        lineage_of(written(BASE, defined={str(n): n for n in range(5000)}))


def test_the_names_in_code_are_told_or_unknown() -> None:
    code = Instance(None, (1, 0, 0, 1, 1, 0, b"", (), ("append", "split_idx"), ("self",)))
    assert names_in_code(Instance(None, (code, {}))) == {"append", "split_idx"}
    for none in (
        None,
        Instance(None),
        Instance(None, (code.args,)),
        Instance(None, (Instance(None),)),
    ):
        assert names_in_code(none) is None


SPLIT = {"split_idx": 0}


@pytest.mark.parametrize("key", ["_call", "_do_call", "before_call", "__class__"])
def test_an_object_that_replaces_what_heeds_its_split_is_named(key: str) -> None:
    own = written(BASE)
    own.states = (SPLIT,)
    assert read_transform(own) is None
    own.states = (SPLIT | {key: Global("os", "system")},)
    with pytest.raises(UnknownTransform):
        read_transform(own)


@pytest.mark.parametrize("key", ["__call__", "_call", "_do_call", "_call1", "__getattribute__"])
def test_a_class_that_replaces_what_heeds_its_split_is_named(key: str) -> None:
    assert read_transform(written(BASE, defined=SPLIT)) is None
    with pytest.raises(UnknownTransform):
        read_transform(written(BASE, defined=SPLIT | {key: Global("os", "system")}))


@pytest.mark.parametrize("split", ["0", 0.0, [0], Global("os", "system"), False])
def test_a_split_that_is_no_number_is_not_guessed(split: Any) -> None:
    with pytest.raises(UnknownTransform):
        read_transform(written(BASE, defined={"split_idx": split}))
