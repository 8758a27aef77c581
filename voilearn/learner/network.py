"""Build a network of torch from its records: layers of known libraries, and the file's weights.

In comes a `Network`; out goes an `nn.Module`. A layer is made without calling its class or
anything else that the file names: an empty one, into which the plain values, the weights and the
layers of the record are put, each checked. What a layer may not have is refused by name.

By `cls.__new__` and not by its constructor: an architecture's arguments are not in the file, its
layers are; so any network of known layers opens, whoever put it together.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from enum import Enum
from functools import partial
from typing import Any

import torch
from torch import nn

from voilearn.export.network import (
    Network,
    chosen_forward,
    deriving,
    library_of,
    named,
    own_hooks,
    within,
)
from voilearn.export.old_names import today
from voilearn.export.plain import NotPlain, name_of, plain, state_of
from voilearn.export.records import Global, Instance, RefusedPickle
from voilearn.export.tensors import Tensor, tensor_of
from voilearn.export.torch_file import TorchFile
from voilearn.learner.derived import derive, derived_name
from voilearn.learner.functions import function_of
from voilearn.learner.old_layers import add_what_is_new

# What every module has before anything is put into it: hooks, mostly, which have to be empty.
EMPTY = nn.Module().__dict__
PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
# What decorators and annotations leave in a layer's __dict__; no layer computes with it.
NOTES = re.compile("__(annotations|doc|module|name|qualname|signature|stored_args|wrapped)__")
# timm's cards of where pretrained weights come from and which layers are for other tasks, and a
# levit's store of what it computes anew
EMPTIED = (
    *("default_cfg", "pretrained_cfg", "pretrained_cfg_overlay", "feature_info"),
    "attention_bias_cache",
)


def build_network(network: Network, file: TorchFile) -> nn.Module:
    """Return the network with its weights, in single precision, on the CPU, ready to predict.

    Raises RefusedPickle, with the layer's name, for one that can't be built.
    """
    return _Builder(file).module(network.record, "the network").eval()


class _Builder:
    def __init__(self, file: TorchFile) -> None:
        self.file = file
        self.modules: dict[int, nn.Module] = {}
        self.parameters: dict[int, nn.Parameter] = {}
        self.storages: dict[str, tuple[torch.Tensor, torch.dtype]] = {}
        self.computed = 0  # numbers of weights that are not the file's own, but made of them

    def module(self, record: Any, name: str) -> nn.Module:
        """Make one layer, and those in it; the same record is the same layer."""
        if id(record) not in self.modules:
            cls = module_class(name_of(record), name)
            module = cls.__new__(cls)
            nn.Module.__init__(module)
            computed = {derived_name(how): how for how in deriving(record)}
            if len(computed) < len(deriving(record)):
                raise RefusedPickle(f"{name} has one weight that is computed in two ways")
            _put(module, dict(self.attributes(cls, record, name, computed)))
            if (own := _own_forward(cls, record)) is not None:
                module.forward = getattr(module, own)
            for part, tensor in named(record, "_parameters"):
                module.register_parameter(_plain_name(part), self.parameter(tensor, name))
            for part, tensor in named(record, "_buffers"):
                module.register_buffer(_plain_name(part), self.buffer(tensor, name))
            for part, child in named(record, "_modules"):
                inner = self.module(within(child), f"{name}.{part}") if child is not None else None
                module.add_module(_plain_name(part), inner)
            for how in computed.values():
                self.count(derive(module, how, name))
            add_what_is_new(module)
            _check_shapes(module, name)
            self.modules[id(record)] = module
        return self.modules[id(record)]

    def count(self, numbers: int) -> None:
        """Refuse weights that are computed from the same few numbers again and again."""
        self.computed += numbers
        if self.computed > sum(storage.numel() for storage, _ in self.storages.values()):
            raise RefusedPickle("More weights are computed from others than the file has numbers")

    def parameter(self, record: Any, name: str) -> nn.Parameter | None:
        if record is None:
            return None
        if id(record) not in self.parameters:
            self.parameters[id(record)] = nn.Parameter(
                self.weight(record, name), requires_grad=False
            )
        return self.parameters[id(record)]

    def buffer(self, record: Any, name: str) -> torch.Tensor | None:
        return None if record is None else self.weight(record, name)

    def weight(self, record: Any, name: str) -> torch.Tensor:
        if (tensor := tensor_of(record)) is None:
            raise RefusedPickle(f"{name} has a weight that is no tensor: {name_of(record)}.")
        return self.tensor(tensor)

    def tensor(self, tensor: Tensor) -> torch.Tensor:
        """Return a tensor as a view of its storage, which is read once."""
        dtype = getattr(torch, tensor.dtype)
        if tensor.storage_numel == 0:
            return torch.empty(
                tensor.size, dtype=torch.float32 if dtype.is_floating_point else dtype
            )
        if tensor.key not in self.storages:
            numbers = bytearray(self.file.read_storage(tensor))
            storage = torch.frombuffer(numbers, dtype=dtype)
            # Here, and not of each tensor: a thousand may be views of one storage.
            single = storage.float() if dtype.is_floating_point else storage
            self.storages[tensor.key] = (single, dtype)
        storage, stored = self.storages[tensor.key]
        if stored != dtype or storage.numel() != tensor.storage_numel:
            raise RefusedPickle(f"Storage {tensor.key} is of two kinds.")
        return storage.as_strided(tensor.size, tensor.stride, tensor.offset)

    def attributes(
        self, cls: type, record: Any, name: str, computed: Collection[str]
    ) -> Iterator[tuple[str, Any]]:
        """Yield what a layer's `__dict__` has beside its weights and layers."""
        for key, value in state_of(record).items():
            if key in ("_parameters", "_buffers", "_modules", *computed) or NOTES.fullmatch(key):
                continue
            if key == "forward" and _own_forward(cls, record) is not None:
                continue
            if key in EMPTIED:
                yield key, {}
            elif key in EMPTY:
                if "hooks" not in key or own_hooks(record, key) or not named(record, key):
                    _check_empty(key, value, name)
                if key == "training" or key == "_non_persistent_buffers_set":
                    yield key, plain(value)
            else:
                _check_attribute(cls, key, name)
                yield key, self.value(value, f"{name}.{key}")

    def value(self, value: Any, name: str) -> Any:
        """Return what an attribute holds: plain values, tensors, functions that are known."""
        return plain(value, lambda made: self.made(made, name))

    def made(self, value: Any, name: str) -> Any:
        """Return what is no plain value, of those kinds that layers hold."""
        if (tensor := tensor_of(value)) is not None:
            return self.tensor(tensor)
        if (function := function_of(value)) is not None:
            return function
        if isinstance(value, Global):
            return _named_value(value, name)
        if name_of(value) == "functools.partial":
            return self.partial(value, name)
        if name_of(value) == "torch.device":
            return torch.device("cpu")  # where all of it is
        if name_of(value) == "builtins.slice":
            return slice(*plain(value.args))
        if (choice := _choice(value)) is not None:
            return choice
        own = name_of(value).endswith("._make_function")
        what = "a function of the author's own" if own else name_of(value)
        raise RefusedPickle(f"{name} is {what}, which is not read")

    def partial(self, record: Instance, name: str) -> Any:
        """Return the class or function that is to be called, with its arguments."""
        state = next((s for s in record.states if isinstance(s, tuple) and len(s) == 4), None)
        of, args, kwargs = (
            state[:3] if state else (record.args[0], record.args[1:], record.kwargs or {})
        )
        if not isinstance(of, Global):
            raise RefusedPickle(f"{name} is made of what is no class")
        called = function_of(of) or _named_value(of, name)
        return partial(called, *self.value(args, name), **self.value(kwargs or {}, name))


def module_class(path: str, name: str) -> type[nn.Module]:
    """Return the class of a layer, by today's name: only one that a known library defines."""
    home, _, last = path.rpartition(".")
    library = library_of(path)
    if library is None or not PATH.fullmatch(path):
        raise RefusedPickle(f"{name} is a {path}, which is no layer of a known library")
    try:
        found = vars(importlib.import_module(home)).get(last)
    except ImportError as error:
        raise RefusedPickle(f"{name} is a {path}, which today's {library} has not") from error
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        raise RefusedPickle(f"{name} is a {path}, which is no layer of today's {library}")
    if library_of(f"{found.__module__}.{last}") is None:
        raise RefusedPickle(f"{name} is a {path}, which is not {library}'s own")
    return found


def _put(module: nn.Module, attributes: dict[str, Any]) -> None:
    """Give a module its attributes, by its class's own `__setstate__`, which knows old releases."""
    module.__setstate__({**module.__dict__, **attributes})  # type: ignore[no-untyped-call]


def _check_attribute(cls: type, key: str, name: str) -> None:
    """Refuse an attribute that would stand in the way of a method, or of Python's own."""
    if not key.isidentifier() or key.startswith("__"):
        raise RefusedPickle(f"{name} has an attribute {key!a:.80}, which no layer has")
    on_class = inspect.getattr_static(cls, key, None)
    if key == "_compiled_call_impl" or callable(on_class) or hasattr(on_class, "__get__"):
        raise RefusedPickle(f"{name} replaces its own method {key}: that would be code that runs")


def _own_forward(cls: type, record: Any) -> str | None:
    """Return the method that a layer has chosen to compute by, if its class has it."""
    name = chosen_forward(record)
    return name if name and inspect.isfunction(inspect.getattr_static(cls, name, None)) else None


def _check_empty(key: str, value: Any, name: str) -> None:
    """Refuse hooks: code that would run whenever the layer is used."""
    if key in ("training", "_non_persistent_buffers_set"):
        kind = bool if key == "training" else set
        if not isinstance(plain(value), kind):
            raise RefusedPickle(f"{name}.{key} makes no sense")
    elif value is not None and not isinstance(value, bool) and _holds_something(value):
        raise RefusedPickle(f"{name} brings hooks ({key}): that would be code that runs")


def _holds_something(value: Any) -> bool:
    try:
        return bool(plain(value))
    except NotPlain:
        return True


def _named_value(value: Global, name: str) -> Any:
    """Return the class or dtype that an attribute names, if it is a known one."""
    path = today(value.path)
    if path.startswith("torch.") and isinstance(getattr(torch, path[6:], None), torch.dtype):
        return getattr(torch, path[6:])
    return module_class(path, name)


def _choice(value: Any) -> Enum | None:
    """Return the member of a library's enum, such as timm's Format, that a record stands for."""
    path = name_of(value) if isinstance(value, Instance) else ""
    if library_of(path) is None or len(value.args) != 1 or not PATH.fullmatch(path):
        return None
    home, _, last = path.rpartition(".")
    found = vars(importlib.import_module(home)).get(last)
    if not isinstance(found, type) or not issubclass(found, Enum):
        return None
    return found(plain(value.args[0]))


def _plain_name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > 200:
        raise RefusedPickle("A layer's part has no name")
    return name


def _check_shapes(module: nn.Module, name: str) -> None:
    """Refuse weights that are not of the shape that the layer says it has."""
    for kinds, expected in SHAPES:
        if isinstance(module, kinds):
            for key, shape in expected(module).items():
                weight = getattr(module, key, None)
                found = tuple(weight.shape) if isinstance(weight, torch.Tensor) else None
                if found != shape and not (weight is None and key != "weight"):
                    raise RefusedPickle(f"{name}.{key} is of size {found}, not {shape}")


Shapes = Callable[[Any], dict[str, tuple[int, ...]]]
SHAPES: tuple[tuple[Any, Shapes], ...] = (
    (
        (nn.Conv1d, nn.Conv2d, nn.Conv3d),
        lambda m: {
            "weight": (m.out_channels, m.in_channels // m.groups, *m.kernel_size),
            "bias": (m.out_channels,),
        },
    ),
    (
        nn.Linear,
        lambda m: {"weight": (m.out_features, m.in_features), "bias": (m.out_features,)},
    ),
    (
        (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
        lambda m: dict.fromkeys(("running_mean", "running_var", "bias"), (m.num_features,)),
    ),
    (nn.LayerNorm, lambda m: {"bias": tuple(m.normalized_shape)}),
)
