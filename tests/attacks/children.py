"""A good learner whose layers hold what no layer holds: in their children, weights, and state.

What is there is called, added up or copied to a device by the libraries, which ask no questions.
"""

from typing import Any

from tests.attacks.assemble import Name, New, Opcodes, plain
from tests.attacks.state import SYSTEM, payload
from tests.attacks.workshop import Workshop, attack


def with_child(shop: Workshop, child: Any, key: Any = "2") -> bytes:
    return shop.planted(lambda learn: learn.model._modules.update({key: child}))


def with_parts(shop: Workshop, where: str, **parts: Any) -> bytes:
    """Put something in the place of a layer's parameters or buffers."""
    return shop.planted(lambda learn: getattr(learn.model[1], where).update(parts))


@attack()
def child_is_a_lambda(shop: Workshop) -> bytes:
    """A lambda among the children, with its code."""
    return with_child(shop, payload(shop))


@attack()
def child_is_a_text(shop: Workshop) -> bytes:
    """A child that is no module."""
    return with_child(shop, "ReLU()")


@attack()
def child_is_a_function(shop: Workshop) -> bytes:
    """A child that is a reference to a function."""
    return with_child(shop, SYSTEM)


@attack()
def child_is_a_class(shop: Workshop) -> bytes:
    """A child that is an allowed class, not an object of it: a call would make a layer."""
    return with_child(shop, Name("torch.nn.modules.activation", "ReLU"))


@attack()
def child_is_a_dict(shop: Workshop) -> bytes:
    """A child that is a plain value."""
    return with_child(shop, {"forward": SYSTEM})


@attack()
def child_has_a_number(shop: Workshop) -> bytes:
    """A child whose name is no text."""
    return with_child(shop, None, 7)


@attack()
def child_hides_a_method(shop: Workshop) -> bytes:
    """A child called forward: torch refuses such a name, a state that is put in does not."""
    return shop.planted(lambda learn: learn.model._modules.update(forward=learn.model[2]))


@attack()
def parameter_is_a_module(shop: Workshop) -> bytes:
    """A module among a layer's parameters."""
    return shop.planted(lambda learn: learn.model[1]._parameters.update(weight=learn.model[0]))


@attack()
def parameter_is_a_text(shop: Workshop) -> bytes:
    """A text in the place of a parameter."""
    return with_parts(shop, "_parameters", weight="1")


@attack()
def parameter_of_another_shape(shop: Workshop) -> bytes:
    """Weights that do not fit the layer: torch finds out when it is called, or reads beyond."""
    import torch

    return with_parts(shop, "_parameters", weight=torch.nn.Parameter(torch.zeros(1_000)))


@attack()
def buffer_is_a_function(shop: Workshop) -> bytes:
    """A function in the place of a buffer."""
    return with_parts(shop, "_buffers", running_mean=SYSTEM)


@attack()
def buffer_is_an_array_of_objects(shop: Workshop) -> bytes:
    """numpy's arrays of objects hold whatever was pickled."""
    import numpy

    return with_parts(shop, "_buffers", running_mean=numpy.array([SYSTEM, None], dtype=object))


@attack()
def buffer_of_texts(shop: Workshop) -> bytes:
    """Buffers of another kind of number, which torch would read as its own."""
    import torch

    return with_parts(shop, "_buffers", running_mean=torch.zeros(4, dtype=torch.int64))


@attack(opens=True)
def state_is_a_list(shop: Workshop) -> bytes:
    """A module's state that is no dict."""
    return with_child(shop, New(Name("torch.nn.modules.activation", "ReLU"), state=[1, 2]))


@attack(opens=True)
def state_has_no_children(shop: Workshop) -> bytes:
    """A module with none of the attributes that torch relies on."""
    return with_child(shop, New(Name("torch.nn.modules.activation", "ReLU"), state={"a": 1}))


@attack(opens=True)
def state_names_are_numbers(shop: Workshop) -> bytes:
    """A state whose names are numbers, bytes and tuples."""
    names = Opcodes(plain({1: 2, b"forward": 3, (4, 5): 6}))
    return with_child(shop, New(Name("torch.nn.modules.activation", "ReLU"), state=names))


@attack()
def state_in_slots(shop: Workshop) -> bytes:
    """BUILD with a pair: the second half is set by setattr, past __setstate__."""
    slots = (None, {"forward": SYSTEM, "__class__": SYSTEM})
    return with_child(shop, New(Name("torch.nn.modules.activation", "ReLU"), state=slots))
