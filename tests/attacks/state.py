"""A good learner whose network carries something more: hooks, and methods of its own.

All classes are those of a good export. What is wrong is in an object's state, which the usual way
puts into `__dict__` as it is, before any method of the class.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import Name, New
from tests.attacks.workshop import Workshop, attack

SYSTEM = Name("os", "system")


def payload(shop: Workshop) -> Callable[..., Any]:
    """A lambda of somebody's notebook, which is pickled by its code."""
    command = shop.command
    return lambda *args, **kwargs: __import__("os").system(command)


def in_model(shop: Workshop, **attributes: Any) -> bytes:
    """Put attributes into the network's `__dict__`."""
    return shop.planted(lambda learn: learn.model.__dict__.update(attributes))


def in_layer(shop: Workshop, layer: int, **attributes: Any) -> bytes:
    return shop.planted(lambda learn: learn.model[layer].__dict__.update(attributes))


def hooked(shop: Workshop, hooks: str, hook: Any = None) -> bytes:
    hook = hook or payload(shop)
    return shop.planted(lambda learn: getattr(learn.model[0], hooks).update({0: hook}))


def remade(shop: Workshop, **attributes: Any) -> bytes:
    """Write a layer's state by hand: torch leaves some attributes out of what it pickles."""

    def change(learn: Any) -> None:
        state = {**learn.model[0].__dict__, **attributes}
        learn.model._modules["0"] = New(type(learn.model[0]), state=state)

    return shop.planted(change)


@attack(fires=True)
def forward_is_a_lambda(shop: Workshop) -> bytes:
    """torch calls self.forward, and an attribute comes before a method."""
    return in_model(shop, forward=payload(shop))


@attack(fires=True)
def forward_is_a_partial(shop: Workshop) -> bytes:
    """The same by a function of Python's own: max(command, x, key=os.system)."""
    return in_model(shop, forward=functools.partial(max, shop.command, key=os.system))


@attack()
def forward_is_a_name(shop: Workshop) -> bytes:
    """A bare reference to os.system in the place of a method."""
    return in_model(shop, forward=SYSTEM)


@attack()
def forward_is_a_text(shop: Workshop) -> bytes:
    """An attribute that hides a method must be refused, whatever it is."""
    return in_model(shop, forward="def forward(self, x): ...")


@attack(fires=True)
def forward_of_a_layer(shop: Workshop) -> bytes:
    """The same deeper down, in a layer."""
    return in_layer(shop, 2, forward=payload(shop))


@attack(fires=True)
def inner_method_of_a_layer(shop: Workshop) -> bytes:
    """Conv2d.forward calls self._conv_forward, a method that few lists of names have."""
    return in_layer(shop, 0, _conv_forward=payload(shop))


@attack(fires=True)
def check_of_a_layer(shop: Workshop) -> bytes:
    """BatchNorm2d.forward calls self._check_input_dim."""
    return in_layer(shop, 1, _check_input_dim=payload(shop))


@attack(fires=True)
def call_impl(shop: Workshop) -> bytes:
    """torch's own step between a module's call and its forward."""
    return in_model(shop, _call_impl=payload(shop))


@attack(fires=True)
def compiled_call_impl(shop: Workshop) -> bytes:
    """What torch.compile leaves in a module is called instead of all else."""
    return remade(shop, _compiled_call_impl=payload(shop))


@attack(fires=True)
def eval_of_the_network(shop: Workshop) -> bytes:
    """fastai calls model.eval() before it predicts."""
    return in_model(shop, eval=payload(shop))


@attack(fires=True)
def hook_before(shop: Workshop) -> bytes:
    """A hook that runs before each call of a layer."""
    return hooked(shop, "_forward_pre_hooks")


@attack(fires=True)
def hook_after(shop: Workshop) -> bytes:
    """A hook that runs after each call of a layer."""
    return hooked(shop, "_forward_hooks")


@attack()
def hook_by_name(shop: Workshop) -> bytes:
    """A hook that is a bare reference, with no code in the file."""
    return hooked(shop, "_forward_pre_hooks", SYSTEM)


@attack()
def hook_backward(shop: Workshop) -> bytes:
    """A hook that waits for training, which may come later."""
    return hooked(shop, "_backward_hooks")


@attack()
def hook_on_saving(shop: Workshop) -> bytes:
    """A hook that waits for state_dict(), which an export to ONNX calls."""
    return hooked(shop, "_state_dict_hooks")


@attack()
def hook_on_loading(shop: Workshop) -> bytes:
    """A hook that waits for load_state_dict(), by which weights may be filled in."""
    return hooked(shop, "_load_state_dict_pre_hooks")


@attack()
def hooks_are_no_dict(shop: Workshop) -> bytes:
    """Hooks that are an object of another class, whose values() would be called."""
    return in_layer(shop, 0, _forward_hooks=SYSTEM)


@attack()
def class_of_a_layer(shop: Workshop) -> bytes:
    """`__class__` in a state: set as an attribute, it makes another object of it."""
    return remade(shop, __class__=Name("subprocess", "Popen"))


@attack()
def dict_of_a_layer(shop: Workshop) -> bytes:
    """`__dict__` in a state: set as an attribute, it replaces all others."""
    return remade(shop, __dict__={"forward": SYSTEM})


@attack()
def call_of_a_layer(shop: Workshop) -> bytes:
    """`__call__` and `__getattr__` in a state; no honest one has names like that."""
    return remade(shop, __call__=SYSTEM, __getattr__=SYSTEM)


@attack(fires=True)
def attribute_before_a_child(shop: Workshop) -> bytes:
    """A child `ap`, and an attribute `ap`: Python finds the attribute first."""

    def change(learn: Any) -> None:
        from fastai.layers import AdaptiveConcatPool2d

        learn.model._modules["3"] = pool = AdaptiveConcatPool2d()
        pool.__dict__["ap"] = payload(shop)

    return shop.planted(change)


@attack()
def training_is_a_text(shop: Workshop) -> bytes:
    """`training` is true or false; a text is true for ever."""
    return in_layer(shop, 1, training="no")
