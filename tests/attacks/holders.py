"""What stands for another layer, or computes a weight: wrappers, hooks of torch's own, graphs.

These are opened as what they hold, or by the numbers they hold. So what they hold may be nothing, a
million of them or a terabyte, and code in them must stay there.
"""

from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import Made, Name, New
from tests.attacks.state import payload
from tests.attacks.workshop import Workshop, add, attack


def parallel(inner: Any, **attributes: Any) -> Any:
    """The record of a DataParallel as it is saved on a machine with a graphics card."""
    from torch import nn

    wrapper = nn.DataParallel(nn.Identity())
    wrapper._modules["module"] = inner
    wrapper.__dict__.update(attributes)
    return wrapper


def held(shop: Workshop, make: Callable[[Any], Any]) -> bytes:
    """The good export, with its second layer in something."""

    def change(learn: Any) -> None:
        learn.model._modules["1"] = make(learn.model[1])

    return shop.planted(change)


def compiled(inner: Any, *more: Any) -> Any:
    return Made(Name("torch._dynamo.eval_frame", "OptimizedModule"), inner, *more)


@attack(opens=True)
def in_each_other(shop: Workshop) -> bytes:
    """Ten wrappers in each other, as a patient author might leave them."""

    def ten(layer: Any) -> Any:
        for _ in range(10):
            layer = parallel(layer)
        return layer

    return held(shop, ten)


@attack()
def wrapper_of_itself(shop: Workshop) -> bytes:
    """A wrapper that holds itself: what it holds is never found."""

    def endless(layer: Any) -> Any:
        wrapper = parallel(layer)
        wrapper._modules["module"] = wrapper
        return wrapper

    return held(shop, endless)


@attack()
def wrappers_of_each_other(shop: Workshop) -> bytes:
    """Two that hold each other."""

    def endless(layer: Any) -> Any:
        one, other = parallel(layer), parallel(layer)
        one._modules["module"], other._modules["module"] = other, one
        return one

    return held(shop, endless)


HELD: list[tuple[str, str, Any]] = [
    ("name", "the name of a function", Name("os", "system")),
    ("text", "a text", "layer"),
    ("number", "a number", 10**300),
    ("list", "a list of layers", []),
    ("nothing", "nothing at all", None),
]
for label, what, value in HELD:

    def wrapped(shop: Workshop, value: Any = value) -> bytes:
        return held(shop, lambda layer: parallel(value))

    def made(shop: Workshop, value: Any = value) -> bytes:
        return held(shop, lambda layer: compiled(value, None))

    add("holders", f"wrapper_of_a_{label}", f"a wrapper that holds {what}", wrapped)
    add("holders", f"compiled_{label}", f"torch.compile of {what}", made)


@attack()
def compiled_of_a_call(shop: Workshop) -> bytes:
    """What was compiled is what a call gives: the call must not be made."""
    call = Made(Name("os", "system"), shop.command)
    return held(shop, lambda layer: compiled(call, None))


@attack(opens=True)
def compiled_by_a_call(shop: Workshop) -> bytes:
    """How it was compiled is what a call gives: that is never looked at."""
    call = Made(Name("os", "system"), shop.command)
    return held(shop, lambda layer: compiled(layer, call))


@attack(fires=True)
def forward_of_a_wrapper(shop: Workshop) -> bytes:
    """A wrapper that computes by a lambda of its own is not what it holds."""
    return held(shop, lambda layer: parallel(layer, forward=payload(shop)))


@attack(fires=True)
def hook_of_a_wrapper(shop: Workshop) -> bytes:
    """A wrapper with a hook is not what it holds."""

    def hooked(layer: Any) -> Any:
        wrapper = parallel(layer)
        wrapper._forward_hooks[0] = payload(shop)
        return wrapper

    return held(shop, hooked)


@attack(opens=True)
def averaged_by_code(shop: Workshop) -> bytes:
    """AveragedModel keeps the function that averages, which no answer needs."""

    def averaged(layer: Any) -> Any:
        from torch.optim.swa_utils import AveragedModel

        return AveragedModel(layer, avg_fn=payload(shop))

    return held(shop, averaged)


# Weights that are computed


def normed(shop: Workshop, change: Callable[[Any, Any], object]) -> bytes:
    """The good export with weight_norm on its convolution, changed by hand."""

    def norm(learn: Any) -> None:
        import warnings

        from torch.nn.utils import weight_norm

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer = weight_norm(learn.model[0])
        change(layer, next(iter(layer._forward_pre_hooks.values())))

    return shop.planted(norm)


def resized(**sides: tuple[int, ...]) -> Callable[[Any, Any], object]:
    def change(layer: Any, _: Any) -> None:
        import torch

        for name, size in sides.items():
            layer._parameters[name] = torch.nn.Parameter(torch.ones(size))

    return change


@attack(opens=True)
def norm_computes_by_code(shop: Workshop) -> bytes:
    """A method of its own in the hook: its numbers are used, its code is not."""

    def change(_: Any, hook: Any) -> None:
        hook.compute_weight = payload(shop)

    return normed(shop, change)


@attack(fires=True)
def norm_beside_code(shop: Workshop) -> bytes:
    """A hook that is known does not make another one known."""

    def change(layer: Any, _: Any) -> None:
        layer._forward_pre_hooks[7] = payload(shop)

    return normed(shop, change)


@attack()
def norm_of_another_class(shop: Workshop) -> bytes:
    """A hook by the name of a class that is none of torch's norms."""

    def change(layer: Any, _: Any) -> None:
        hook = New(Name("subprocess", "Popen"), state={"name": "weight", "dim": 0})
        layer._forward_pre_hooks = {0: hook}

    return normed(shop, change)


def named(hook: Any, **state: Any) -> None:
    hook.__dict__.update(state)


SPREAD: list[tuple[str, str, Callable[[Any, Any], object]]] = [
    (
        "spread",
        "two small weights spread over each other are a terabyte",
        resized(weight_g=(1, 1, 1, 100_000, 1), weight_v=(100_000, 1, 1, 1, 1)),
    ),
    ("spread_more", "the same", resized(weight_g=(2,) + (1,) * 10, weight_v=(4, 3, 3, 3))),
    ("name_text", "a method's name", lambda _, hook: named(hook, name="forward")),
    ("name_dunder", "a name of Python's own", lambda _, hook: named(hook, name="__class__")),
    ("name_none", "no name", lambda _, hook: named(hook, name=None)),
    ("name_list", "a list as its name", lambda _, hook: named(hook, name=["weight"])),
    ("dim_huge", "a dimension of 2^62", lambda _, hook: named(hook, dim=2**62)),
    ("dim_text", "a text as its dimension", lambda _, hook: named(hook, dim="0")),
    ("no_parts", "nothing to compute of", lambda layer, _: layer._parameters.clear()),
]
for label, reason, change in SPREAD:

    def built(shop: Workshop, change: Callable[[Any, Any], object] = change) -> bytes:
        return normed(shop, change)

    add("holders", f"norm_{label}", f"weight_norm of what does not fit: {reason}", built)


@attack()
def norms_of_one_storage(shop: Workshop) -> bytes:
    """2,000 weights computed of one storage: views cost nothing, what is made of them 8 GB."""

    def change(learn: Any) -> None:
        import warnings

        import torch
        from torch.nn.utils import weight_norm

        one = torch.ones(1000, 1000)
        for number in range(2_000):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                layer = weight_norm(torch.nn.Linear(1, 1, bias=False))
            layer.weight_v, layer.weight_g = (torch.nn.Parameter(t) for t in (one, one[:, :1]))
            layer.__dict__.pop("weight")
            learn.model[2]._modules[f"p{number}"] = layer

    return shop.planted(change)


# Graphs


def run_at_once(code: str) -> Any:
    """The record of a traced network, whose code torch compiles and runs as it opens it."""
    from torch.fx.graph_module import reduce_graph_module

    class Traced:
        def __reduce__(self) -> Any:
            return reduce_graph_module, ({"_code": code, "training": False}, "")

    return Traced()


@attack(fires=True)
def graph_of_code(shop: Workshop) -> bytes:
    """A torch.fx graph is saved as Python source, which is run to open it."""
    code = f"{shop.code}\ndef forward(self, x):\n    return x\n"
    return held(shop, lambda layer: run_at_once(code))


@attack()
def graph_by_another_name(shop: Workshop) -> bytes:
    """The same as a class, with the source in its state."""
    code = f"{shop.code}\ndef forward(self, x):\n    return x\n"
    graph = New(Name("torch.fx.graph_module", "GraphModule"), state={"_code": code})
    return held(shop, lambda layer: graph)


# A method that is chosen


def bound(shop: Workshop, of: Callable[[Any], Any], name: str) -> bytes:
    """A layer of timm's whose forward is a method, as pickle writes one: getattr(of, name)."""

    def change(learn: Any) -> None:
        from timm.models.fasternet import Partial_conv3

        layer = Partial_conv3(4, 4, "split_cat")
        layer.__dict__["forward"] = Made(Name("builtins", "getattr"), of(layer), name)
        learn.model._modules["2"] = layer

    return shop.planted(change)


METHODS: list[tuple[str, str, Callable[[Any], Any], str]] = [
    ("of_a_module", "a function of os", lambda layer: Name("os", "path"), "forward_system"),
    ("to", "a method that takes what it is given elsewhere", lambda layer: layer, "to"),
    ("dunder", "a method of Python's own", lambda layer: layer, "__reduce_ex__"),
    ("nowhere", "one that is not there", lambda layer: layer, "forward_nowhere"),
    ("itself", "the attribute itself, without end", lambda layer: layer, "forward"),
]
for label, reason, of, name in METHODS:

    def chosen(shop: Workshop, of: Callable[[Any], Any] = of, name: str = name) -> bytes:
        return bound(shop, of, name)

    add("holders", f"method_{label}", f"a layer computes by {reason}", chosen)
