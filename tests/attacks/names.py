"""A good learner with a layer of a class that no network needs, or that is no class at all.

A reader that makes layers looks their classes up by the names in the file. What it finds there can
be anything that a module happens to hold; and to look, it may have to import the module.
"""

from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import Made, Name, New
from tests.attacks.state import payload
from tests.attacks.workshop import Workshop, add, attack

STATE: dict[str, Any] = {
    "training": False,
    "_parameters": {},
    "_buffers": {},
    "_non_persistent_buffers_set": set(),
    "_modules": {},
}


def layer(module: str, attribute: str, **state: Any) -> Callable[[Workshop], bytes]:
    """A network whose third layer is of this class, whatever it is."""
    made = New(Name(module, attribute), state={**STATE, **state})
    return lambda shop: shop.planted(lambda learn: learn.model._modules.update({"2": made}))


def called(module: str, attribute: str, *arguments: Any) -> Callable[[Workshop], bytes]:
    """A network whose third layer is what a call gives."""
    made = Made(Name(module, attribute), *arguments)
    return lambda shop: shop.planted(lambda learn: learn.model._modules.update({"2": made}))


NN, SYSTEM = "torch.nn.modules.activation", Name("os", "system")
ROWS: list[tuple[str, str, Callable[[Workshop], bytes]]] = [
    # Classes that run what they hold
    ("fx_graph", "GraphModule compiles its text", layer("torch.fx", "GraphModule", _code="1")),
    (
        "fx_graph_inside",
        "the class by the name of the module that defines it",
        layer("torch.fx.graph_module", "GraphModule", _code="def forward(self): 1"),
    ),
    (
        "fx_graph_of_torchvision",
        "torchvision has a GraphModule of its own, below torchvision.models",
        layer("torchvision.models.feature_extraction", "DualGraphModule"),
    ),
    ("jit_script", "a ScriptModule runs TorchScript", layer("torch.jit", "ScriptModule")),
    (
        "jit_loaded",
        "what torch.jit.load gives",
        layer("torch.jit._script", "RecursiveScriptModule"),
    ),
    (
        "compiled",
        "torch.compile's module starts a compiler",
        layer("torch._dynamo.eval_frame", "OptimizedModule"),
    ),
    (
        "remote",
        "RemoteModule writes a module's source, and imports it",
        layer("torch.distributed.nn.api.remote_module", "RemoteModule"),
    ),
    (
        "parallel",
        "DataParallel sends its parts to devices",
        layer("torch.nn.parallel.data_parallel", "DataParallel"),
    ),
    (
        "distributed",
        "DistributedDataParallel joins processes when its state is put in",
        layer("torch.nn.parallel.distributed", "DistributedDataParallel"),
    ),
    (
        "parametrized",
        "a parametrization is code on a weight",
        layer("torch.nn.utils.parametrize", "ParametrizationList"),
    ),
    (
        "quantized",
        "packed weights are an object of C++ that a state makes",
        layer("torch.ao.nn.quantized.modules.linear", "LinearPackedParams"),
    ),
    ("debugger", "fastai's layer that stops in the debugger", layer("fastai.layers", "Debugger")),
    (
        "lambda_layer",
        "fastai's layer that calls its attribute",
        layer("fastai.layers", "Lambda", func=SYSTEM),
    ),
    (
        "lambda_loads",
        "the same, with a function of torch",
        layer("fastai.layers", "Lambda", func=Name("torch", "load")),
    ),
    (
        "lambda_evaluates",
        "the same, with eval",
        layer("fastai.layers", "Lambda", func=Name("builtins", "eval")),
    ),
    (
        "partial_lambda",
        "fastai's layer that calls a partial",
        layer("fastai.layers", "PartialLambda", func=Made(Name("functools", "partial"), SYSTEM)),
    ),
    (
        "torchvision_lambda",
        "torchvision's transforms are layers, and one is a Lambda",
        layer("torchvision.transforms.v2", "Lambda", lambd=SYSTEM, types=(object,)),
    ),
    # Names that are no class of a layer
    ("module_in_a_package", "torch.nn has a module os", layer("torch.nn", "os.system")),
    ("dotted", "a walk to another module", layer("fastai.layers", "torch.os.system")),
    ("dotted_class", "a walk that ends in a class", layer("torch.nn", "modules.ReLU")),
    ("builtins_dict", "each module has builtins", layer("torch.nn", "__builtins__")),
    ("dunder", "a layer's class by way of another's", layer(NN, "ReLU.__base__")),
    ("imported_name", "a module's import", layer("torch.nn.modules.container", "OrderedDict")),
    ("imported_class", "a class, but no layer", layer("torch.nn.modules.module", "Parameter")),
    ("function", "a function where a class is due", layer("torch.nn.functional", "relu")),
    ("method", "a method where a class is due", layer(NN, "ReLU.forward")),
    ("metaclass", "type, the class of classes", layer("builtins", "type")),
    ("object_itself", "object, of which all are", layer("builtins", "object")),
    ("abstract", "Module, which has no forward", layer("torch.nn.modules.module", "Module")),
    ("of_main", "a class of the program that opens the file", layer("__main__", "Report")),
    ("of_ours", "a class of Voilearn", layer("voilearn.learner.load", "Learner")),
    ("class_called", "a call that makes a class", called("builtins", "type", "T", (), {})),
    ("loaded", "what torch.load makes of a path", called("torch", "load", "export.pkl")),
    ("from_hub", "what torch.hub downloads", called("torch.hub", "load", "a/b", "c")),
    ("created", "timm makes any network by name", called("timm", "create_model", "hf_hub:a/b")),
    # Modules that must not be imported
    ("import_prints", "importing `this` prints", layer("this", "Zen")),
    ("import_browses", "importing antigravity opens a browser", layer("antigravity", "ReLU")),
    ("import_window", "importing idlelib.idle opens a window", layer("idlelib.idle", "ReLU")),
    ("import_compiles", "torch's way to a compiler", layer("torch.utils.cpp_extension", "ReLU")),
    (
        "import_pool",
        "importing what starts processes",
        layer("torch._inductor.async_compile", "ReLU"),
    ),
    ("import_main", "importing a program", layer("torch.distributed.run", "ReLU")),
    (
        "import_tests",
        "importing what reads the command line",
        layer("torch.testing._internal.common_utils", "A"),
    ),
    ("import_dots", "parts with no name", layer("timm.models..layers", "ReLU")),
    ("import_relative", "a name that begins with a dot", layer(".os", "system")),
    ("import_nothing", "no name at all", layer("", "ReLU")),
    ("import_nul", "a name that C would cut", layer("fastai.vision.models.unet\x00", "UnetBlock")),
    ("import_path", "a path in the place of a name", layer("timm/models/../../os", "system")),
    ("import_up", "a path that leads up", layer("timm.models.../../evil", "A")),
    ("import_spaced", "white space round a name", layer("torch.nn.modules.activation ", "ReLU")),
    ("import_letters", "letters that look alike", layer("torсh.nn.modules.activation", "ReLU")),
    ("name_of_a_megabyte", "a name without end", layer("timm.models", "A" * 1_000_000)),
    ("name_of_dots", "a name of a million dots", layer("timm.models", "." * 1_000_000)),
    ("name_of_controls", "what a terminal obeys", layer("timm.models", "\x1b[2J\x1b]0;pwned\x07")),
    ("name_of_markup", "what a page obeys", layer("timm.models", "<img src=x onerror=alert(1)>")),
    ("name_turned_round", "letters that turn the line", layer("timm.models", "\u202egnp.exe")),
]

for label, reason, build in ROWS:
    add("names", label, reason, build, opens=label == "dotted_class")  # it is ReLU, after all


@attack(fires=True)
def lambda_of_a_lambda(shop: Workshop) -> bytes:
    """fastai's Lambda with a lambda, as in many an honest notebook."""

    def change(learn: Any) -> None:
        from fastai.layers import Lambda

        learn.model._modules["2"] = Lambda(payload(shop))

    return shop.planted(change)


@attack(fires=True)
def weight_norm_of_old(shop: Workshop) -> bytes:
    """torch.nn.utils.weight_norm leaves a hook, an object whose call may be anything."""

    def change(learn: Any) -> None:
        from torch.nn.utils.weight_norm import WeightNorm

        hook = WeightNorm("weight", 0)
        hook.__dict__["compute_weight"] = payload(shop)
        learn.model[0]._forward_pre_hooks[0] = hook

    return shop.planted(change)


@attack(fires=True)
def class_by_value(shop: Workshop) -> bytes:
    """A layer of a class that is made on the spot, as cloudpickle makes those of a notebook."""
    from torch import nn

    own = Made(Name("builtins", "type"), "Own", (nn.ReLU,), {"forward": payload(shop)})
    made = New(own, state=nn.ReLU().__dict__)
    return shop.planted(lambda learn: learn.model._modules.update({"2": made}))
