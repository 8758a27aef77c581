"""Read what a network is made of, without torch: its layers' names, its size, what it is called.

In comes the record of an nn.Module; out goes a `Network`. Building it is `network.py`'s work; here
is what can be told before, and why it could not be built.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from voilearn.errors import printable
from voilearn.export.plain import name_of, state_of
from voilearn.export.records import DamagedPickle, Instance
from voilearn.export.tensors import Tensor, tensor_of

MAX_CALLS = 20_000  # of layers, for one photo: a layer that is used twice counts twice
MAX_DEPTH = 60
MAX_PLACE = 100  # characters of where a layer is

# The libraries whose layers are made, and what of them runs code that it is given.
LIBRARIES = {
    "torch": (
        "torch.nn.modules.",
        # what torchvision's quantizable networks have besides, before they are quantized
        "torch.ao.quantization.stubs.",
        "torch.ao.nn.intrinsic.modules.fused.",
        "torch.ao.nn.quantized.modules.functional_modules.FloatFunctional",
    ),
    "torchvision": (
        "torchvision.models.",
        "torchvision.ops.",
        *(f"torchvision.transforms.transforms.{name}" for name in ("Normalize", "Resize")),
        "torchvision.transforms.functional.InterpolationMode",
    ),
    "timm": ("timm.layers.", "timm.models."),
    "fastai": (
        "fastai.layers.",
        "fastai.vision.models.",
        "fastai.vision.learner.",
        "fastai.vision.gan.",
    ),
}
RUN_CODE = (
    "torchvision.models.feature_extraction.",
    "timm.models._features_fx.",
    "timm.models._builder.",
    "timm.models._hub.",
    "fastai.layers.Debugger",  # stops in Python's debugger
)
ARCHITECTURES = ("torchvision.models.", "timm.models.", "fastai.vision.models.")
# Layers that hold one other, by the name it has there, and predict what that predicts
WRAPPERS = {
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",  # what torch.compile returns
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.CheckpointWrapper": (
        "_checkpoint_wrapped_module"
    ),
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.OffloadWrapper": (
        "_checkpoint_wrapped_module"
    ),
    "timm.utils.model_ema.ModelEmaV2": "module",
    "timm.utils.model_ema.ModelEmaV3": "module",
}
METHODS = ("forward", "_call_impl", "_wrapped_call_impl", "_compiled_call_impl", "_slow_forward")
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
# Hooks of torch's own that compute a weight anew from others, for each call: `learner/derived.py`
# computes it once. Those of the second row look after saving and loading.
DERIVING = ("torch.nn.utils.weight_norm.WeightNorm", "torch.nn.utils.spectral_norm.SpectralNorm")
SAVING = (
    "torch.nn.utils.spectral_norm.SpectralNormStateDictHook",
    "torch.nn.utils.spectral_norm.SpectralNormLoadStateDictPreHook",
)
PRUNING = "torch.nn.utils.prune."
WRAPPED_HOOK = "torch.nn.modules.module._WrappedHook"
# Layers of torchvision's resnets, after which fastai cuts them off: their counts tell which it is.
RESNETS: dict[tuple[str, tuple[int, ...]], str] = {
    ("BasicBlock", (2, 2, 2, 2)): "resnet18",
    ("BasicBlock", (3, 4, 6, 3)): "resnet34",
    ("Bottleneck", (3, 4, 6, 3)): "resnet50",
    ("Bottleneck", (3, 4, 23, 3)): "resnet101",
    ("Bottleneck", (3, 8, 36, 3)): "resnet152",
}


@dataclass(frozen=True, slots=True)
class Network:
    """What plain reading tells of a network.

    `layers` counts its layers by class, `unknown` names the classes that are in no library, each
    once, and the first place of each, as `learn.model` has it; `hooked` those with code that runs
    whenever they do, `replaced` those that have other code in the place of their own.
    `weight_bytes` are in the file, `memory` is what they take in single precision.
    """

    record: Instance
    architecture: str
    parameters: int
    weight_bytes: int
    memory: int
    layers: Counter[str]
    unknown: dict[str, str]
    hooked: dict[str, str]
    replaced: dict[str, str]


def read_network(record: Any, arch: Any = None) -> Network:
    """Read a network's record; `arch` is the record of what it was made by, if that is known.

    Raises DamagedPickle where it is none, or never ends.
    """
    if not isinstance(record, Instance):
        raise DamagedPickle("The learner has no network.")
    record = within(record)
    _check_ends(record)
    placed = list(_modules(record))
    found = [module for _, module in placed]
    names = [name_of(module) for module in found]
    parameters = _tensors(found, "_parameters")
    stored = {t.key: t for t in (*_tensors(found, "_buffers"), *parameters)}
    return Network(
        record=record,
        architecture=_given(arch) or _architecture(found),
        parameters=sum(tensor.numel for tensor in parameters),
        weight_bytes=sum(t.storage_numel * t.item_size for t in stored.values()),
        memory=sum(t.storage_numel * max(t.item_size, 4) for t in stored.values()),
        layers=Counter(names),
        unknown=_first_places((at, m) for at, m in placed if library_of(name_of(m)) is None),
        hooked=_first_places((at, m) for at, m in placed if any(own_hooks(m, h) for h in HOOKS)),
        replaced=_first_places((at, m) for at, m in placed if _is_replaced(m)),
    )


def library_of(name: str) -> str | None:
    """Return the library that a layer's class is of, or None if it is of none that is known."""
    if name.startswith(RUN_CODE):
        return None
    return next((library for library, homes in LIBRARIES.items() if name.startswith(homes)), None)


def children_of(module: Any) -> dict[str, Any]:
    """Return the records of a layer's own layers, by name; what is None is left out.

    In the place of a wrapper is what it holds.
    """
    return {name: within(child) for name, child in named(module, "_modules") if child is not None}


def within(module: Any) -> Any:
    """Return what a wrapper holds, or in it another; a layer that is none as it is.

    One with hooks, or with a method of its own, is left: what it holds would answer otherwise.
    """
    for _ in range(MAX_DEPTH):
        held = WRAPPERS.get(name_of(module)) if isinstance(module, Instance) else None
        if held is None or any(own_hooks(module, hooks) for hooks in HOOKS):
            return module
        if _is_replaced(module) or any(key.startswith("__") for key in state_of(module)):
            return module
        module = _held(module, held)
    raise DamagedPickle("The network's layers are in each other without end.")


def chosen_forward(module: Any) -> str | None:
    """Return which of its own methods a layer computes by, as timm's fasternet chooses; or None.

    pickle writes a method as getattr(the layer, its name).
    """
    chosen = state_of(module).get("forward")
    if not isinstance(chosen, Instance) or name_of(chosen) != "builtins.getattr":
        return None
    of, name = chosen.args if len(chosen.args) == 2 else (None, None)
    is_own = of is module and isinstance(name, str) and name.startswith("forward_")
    return name if is_own else None


def _is_replaced(module: Any) -> bool:
    own = ("forward",) if chosen_forward(module) else ()
    return any(key in METHODS and key not in own for key in state_of(module))


def _held(wrapper: Instance, part: str) -> Any:
    """Return a wrapper's layer: among its layers, an attribute, or what it was to be made of."""
    inner = dict(named(wrapper, "_modules")).get(part, state_of(wrapper).get(part))
    if inner is None and wrapper.args:
        return wrapper.args[0]
    return inner


def own_hooks(module: Any, part: str) -> list[Any]:
    """Return the hooks in one part of a layer's state that are not known to be harmless data."""
    return [hook for _, hook in named(module, part) if not _is_harmless(hook)]


def deriving(module: Any) -> list[Any]:
    """Return the records of what computes a layer's weights from others, in its order."""
    return [h for _, h in named(module, "_forward_pre_hooks") if _derives(name_of(h))]


def _derives(name: str) -> bool:
    return name in DERIVING or name.startswith(PRUNING)


def _is_harmless(hook: Any) -> bool:
    if not isinstance(hook, Instance):
        return False
    if name_of(hook) == WRAPPED_HOOK:
        hook = state_of(hook).get("hook")
    return name_of(hook) in SAVING or _derives(name_of(hook))


def _first_places(placed: Iterable[tuple[str, Instance]]) -> dict[str, str]:
    """Return the classes of layers, each with the first place where it is."""
    found: dict[str, str] = {}
    for place, module in placed:
        found.setdefault(name_of(module), place)
    return dict(sorted(found.items()))


def _tensors(modules: list[Instance], part: str) -> set[Tensor]:
    """Return the tensors in one part of all layers; one that two layers share counts once."""
    values = (value for module in modules for _, value in named(module, part))
    return {tensor for tensor in map(tensor_of, values) if tensor}


def named(module: Any, part: str) -> list[tuple[str, Any]]:
    """Return what a dict, or an OrderedDict's record, holds in one part of a module's state."""
    given = state_of(module).get(part)
    if isinstance(given, Instance):
        first = given.args[0] if given.args and isinstance(given.args[0], list | tuple) else []
        return [*(tuple(p) for p in first if len(p) == 2), *given.pairs]
    return list(given.items()) if isinstance(given, dict) else []


def _modules(record: Instance) -> Iterator[tuple[str, Instance]]:
    """Yield each module once with its place, the outer before the inner, in their order."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("model", record)]
    while waiting:
        place, module = waiting.pop()
        if not isinstance(module, Instance):
            raise DamagedPickle("A layer of the network is no layer.")
        if id(module) not in seen:
            seen.add(id(module))
            yield place, module
            inner = children_of(module).items()
            waiting.extend(reversed([(_place(place, name), child) for name, child in inner]))


def _place(outer: str, name: Any) -> str:
    """Return where a layer is, as far as it can be shown: its name may be of any length."""
    return printable(f"{outer}.{str(name)[:MAX_PLACE]}", MAX_PLACE)


def _check_ends(record: Instance) -> None:
    """Refuse a network that holds itself, or layers in layers so often that no photo gets through.

    Sixty layers of which each holds the next one twice are a small file, and 2^60 calls.
    """
    calls: dict[int, int] = {}

    def count(module: Any, above: tuple[int, ...]) -> int:
        if id(module) in above or len(above) > MAX_DEPTH:
            raise DamagedPickle("The network's layers are in each other without end.")
        if id(module) not in calls:
            inner = [count(c, (*above, id(module))) for c in children_of(module).values()]
            calls[id(module)] = 1 + sum(inner)
        return calls[id(module)]

    if count(record, ()) > MAX_CALLS:
        raise DamagedPickle(f"The network has more than {MAX_CALLS:,} layers.")


def _given(arch: Any) -> str | None:
    """Return the name of a library's function, such as torchvision's resnet18, or timm's name."""
    if isinstance(arch, str):
        return arch[:80]
    name = name_of(arch)
    return name.rpartition(".")[2] if name.startswith(ARCHITECTURES) else None


def _architecture(modules: list[Instance]) -> str:
    """Return the network's usual name where it can be told, or the class that tells most."""
    for module in modules:
        for part in ("pretrained_cfg", "default_cfg"):
            given = state_of(module).get(part)
            config = state_of(given) if isinstance(given, Instance) else given
            if isinstance(config, dict) and isinstance(config.get("architecture"), str):
                return str(config["architecture"])[:80]
    return _resnet(modules) or _class_that_tells(modules)


def _resnet(modules: list[Instance]) -> str | None:
    for module in modules:
        rows = [[name_of(b) for b in children_of(c).values()] for c in children_of(module).values()]
        blocks = [row for row in rows if row and row[0].startswith("torchvision.models.resnet.")]
        if len(blocks) == 4:
            kind = blocks[0][0].rpartition(".")[2]
            return RESNETS.get((kind, tuple(map(len, blocks))), f"a resnet of {kind}s")
    return None


def _class_that_tells(modules: list[Instance]) -> str:
    names = [name_of(module) for module in modules]
    for home in ARCHITECTURES:
        found = [n for n in names if n.startswith(home) and "._" not in n]
        if found:
            return found[0]
    return next((n for n in names if not n.startswith("torch.nn.")), names[0])
