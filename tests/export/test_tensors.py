"""Tensors are told from other records, and none reaches outside its storage."""

from typing import Any

import pytest

from voilearn.export.records import DamagedPickle, Global, Instance, PersistentId
from voilearn.export.tensors import Tensor, tensor_of

REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
HOOKS = Instance(Global("collections", "OrderedDict"))


def storage(numel: int = 6, kind: str = "FloatStorage") -> PersistentId:
    return PersistentId(("storage", Global("torch", kind), "0", "cuda:0", numel))


def record(size: Any = (2, 3), stride: Any = (3, 1), offset: Any = 0, **changed: Any) -> Instance:
    args = (changed.get("storage", storage()), offset, size, stride, False)
    return Instance(REBUILD, (*args, changed.get("hooks", HOOKS)))


def test_a_tensor_is_told_with_its_shape() -> None:
    assert tensor_of(record()) == Tensor("float32", "0", 6, 0, (2, 3), (3, 1))


def test_a_parameter_and_a_tensor_of_a_class_are_the_tensor_in_them() -> None:
    inner = record()
    parameter = Instance(Global("torch._utils", "_rebuild_parameter"), (inner, True, HOOKS))
    kind = Global("fastai.torch_core", "TensorImage")
    typed = Instance(
        Global("torch._tensor", "_rebuild_from_type_v2"), (REBUILD, kind, inner.args, {})
    )
    assert tensor_of(parameter) == tensor_of(typed) == tensor_of(inner)


def test_what_is_no_tensor_is_none() -> None:
    assert tensor_of(None) is None
    assert tensor_of([1]) is None
    assert tensor_of(Instance(Global("os", "system"), ("true",))) is None


def test_a_function_in_the_place_of_a_rebuild_is_no_tensor() -> None:
    how = Global("torch._tensor", "_rebuild_from_type_v2")
    assert tensor_of(Instance(how, (Global("os", "system"), None, ("true",), None))) is None


@pytest.mark.parametrize(
    "bad",
    [
        record(size=(3, 3)),
        record(offset=1),
        record(offset=-1),
        record(stride=(-3, 1)),
        record(stride=(3,)),
        record(size=(2**20, 2**20), stride=(0, 0)),
        record(size=(2**62, 2**62), stride=(0, 0)),
        record(size=(True, 3)),
        record(size=(2.0, 3)),
        record(size=[2, 3]),
        record(size=(1,) * 20, stride=(1,) * 20),
        record(storage=storage(kind="ComplexFloatStorage")),
        record(storage=storage(numel=-6)),
        record(storage=PersistentId("storage")),
        record(storage=None),
        record(hooks=Instance(HOOKS.of, pairs=[(0, Global("os", "system"))])),
    ],
)
def test_a_tensor_that_makes_no_sense_is_damage(bad: Instance) -> None:
    with pytest.raises(DamagedPickle):
        tensor_of(bad)


def test_a_tensor_of_no_numbers_is_fine() -> None:
    empty = tensor_of(record(size=(0, 3), storage=storage(numel=0)))
    assert empty
    assert empty.numel == 0
