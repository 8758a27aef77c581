"""A network is built of known layers and checked values; whatever else it holds is refused."""

import io
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
import timm  # noqa: E402
import torchvision  # noqa: E402
import torchvision.models.quantization  # noqa: E402
from timm.layers.format import Format  # noqa: E402
from timm.models._features import FeatureInfo  # noqa: E402
from timm.models.fasternet import Partial_conv3  # noqa: E402
from timm.utils.model_ema import ModelEmaV2, ModelEmaV3  # noqa: E402
from torch import nn  # noqa: E402
from torch.ao.quantization import QuantWrapper  # noqa: E402
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (  # noqa: E402
    checkpoint_wrapper,
    offload_wrapper,
)
from torch.optim.swa_utils import AveragedModel  # noqa: E402
from torchvision import transforms  # noqa: E402

from voilearn.export.network import read_network, within  # noqa: E402
from voilearn.export.plain import state_of  # noqa: E402
from voilearn.export.records import (  # noqa: E402
    DamagedPickle,
    Global,
    Instance,
    RefusedPickle,
)
from voilearn.export.torch_file import read_torch_file  # noqa: E402
from voilearn.learner.cost import check_cost  # noqa: E402
from voilearn.learner.network import build_network, module_class  # noqa: E402

pytestmark = pytest.mark.model
PHOTO = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def rebuilt(network: Any, **how: Any) -> Any:
    """Save a network with torch, and build it from the file."""
    file = io.BytesIO()
    torch.save(network, file, **how)
    contents = read_torch_file(file)
    return build_network(read_network(contents.pickle.root), contents)


def small() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "make", [small, partial(torchvision.models.resnet18, num_classes=3)], ids=["small", "resnet18"]
)
def test_a_network_gives_what_it_gave(make: Callable[[], Any], zipped: bool) -> None:
    network = make().eval()
    found = rebuilt(network, _use_new_zipfile_serialization=zipped)
    assert torch.equal(found(PHOTO), network(PHOTO))


QUICK = ("mobilenet_v3_small", "squeezenet1_1", "test_resnet.r160_in1k", "convnext_atto")
# fmt: off
TIMM = (
    "levit_128s", "swin_tiny_patch4_window7_224", "mobilenetv3_small_050",
    "efficientvit_b0", "fastvit_t8", "hgnetv2_b0", "repvgg_a0", "edgenext_xx_small",
    "mobilevit_xxs", "tiny_vit_5m_224", "efficientformer_l1", "poolformer_s12",
    "cait_xxs24_224", "xcit_nano_12_p16_224", "pvt_v2_b0", "gcvit_xxtiny",
    "focalnet_tiny_srf", "eva02_tiny_patch14_224", "davit_tiny", "mobilenetv4_conv_small",
    "starnet_s1", "dm_nfnet_f0", "nextvit_small", "fasternet_t0", "hiera_tiny_224", "nest_tiny",
    "vit_small_resnet26d_224", "sequencer2d_s",
)
TORCHVISION = (
    "alexnet", "vgg11", "densenet121", "mnasnet0_5", "mobilenet_v2", "shufflenet_v2_x0_5",
    "googlenet", "inception_v3", "efficientnet_b0", "efficientnet_v2_s", "regnet_x_400mf",
    "regnet_y_400mf", "resnext50_32x4d", "wide_resnet50_2", "convnext_tiny", "swin_t",
    "swin_v2_t", "vit_b_32", "maxvit_t",
)
# fmt: on


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in (*TIMM, *TORCHVISION))]
)
def test_a_network_of_a_library_gives_what_it_gave(name: str) -> None:
    torch.manual_seed(0)
    network: Any
    if hasattr(torchvision.models, name):
        network, side = torchvision.models.get_model(name, weights=None, num_classes=3), 224
    else:
        network = timm.create_model(name, pretrained=False, num_classes=3)
        side = network.default_cfg["input_size"][-1]
    photo = torch.rand(1, 3, side, side)
    network.eval()
    with torch.no_grad():
        assert torch.equal(rebuilt(network)(photo), network(photo))
    check_cost(network, 3, (side, side))


def test_half_precision_weights_become_single() -> None:
    network = small()
    expected = network.half().float()(PHOTO)
    assert torch.equal(rebuilt(network.half())(PHOTO), expected)


def test_a_layer_that_is_used_twice_is_one_layer() -> None:
    shared = nn.Linear(3, 3)
    found = rebuilt(nn.Sequential(shared, nn.Sequential(shared)))
    assert found[0] is found[1][0]


def test_weights_that_are_shared_are_one_parameter() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    found = rebuilt(nn.Sequential(first, second))
    assert found[0].weight is found[1].weight


def wrapped(make: Callable[[Any], Any]) -> Any:
    """A network whose first layers are wrapped, and again as a whole."""
    network = small()
    return make(nn.Sequential(make(network[:3]), *network[3:])).eval()


WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "DataParallel": nn.DataParallel,
    "torch.compile": partial(torch.compile, backend="eager"),
    "in place": lambda n: n.compile(backend="eager") or n,
    "one in another": lambda n: torch.compile(nn.DataParallel(n), backend="eager"),
    "AveragedModel": AveragedModel,
    "AveragedModel of all": lambda n: AveragedModel(n, use_buffers=True),
    "ModelEmaV2": ModelEmaV2,
    "ModelEmaV3": ModelEmaV3,
    "checkpoint_wrapper": checkpoint_wrapper,
    "offload_wrapper": offload_wrapper,
    "QuantWrapper": QuantWrapper,
    "convert_sync_batchnorm": nn.SyncBatchNorm.convert_sync_batchnorm,
    "channels_last": lambda n: n.to(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("make", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapper_is_what_it_holds(make: Callable[[Any], Any]) -> None:
    found = rebuilt(wrapped(make))
    assert torch.allclose(found(PHOTO), small()(PHOTO), atol=1e-6)


def test_a_network_in_parts_of_one_process_is_what_it_holds(tmp_path: Path) -> None:
    settings = {"init_method": (tmp_path / "group").as_uri(), "rank": 0, "world_size": 1}
    torch.distributed.init_process_group("gloo", **settings)
    try:
        network = wrapped(nn.Sequential)
        network[0] = nn.parallel.DistributedDataParallel(network[0])
        file = io.BytesIO()
        torch.save(network, file)
    finally:
        torch.distributed.destroy_process_group()
    contents = read_torch_file(file)
    assert torch.equal(
        build_network(read_network(contents.pickle.root), contents)(PHOTO), small()(PHOTO)
    )


def test_what_an_older_torch_compiled_is_in_its_state() -> None:
    """Until torch 2.7 it is an attribute or a layer, and no argument."""
    inner = read_back(small())
    for state in ({"_orig_mod": inner}, {"_modules": {"_orig_mod": inner}}):
        compiled = Instance(Global("torch._dynamo.eval_frame", "OptimizedModule"), states=(state,))
        assert within(compiled) is inner


def read_back(network: Any) -> Any:
    file = io.BytesIO()
    torch.save(network, file)
    return read_torch_file(file).pickle.root


DOUBTFUL: dict[str, Callable[[Any], Any]] = {
    "a hook": lambda n: n.register_forward_hook(print),
    "a method of its own": lambda n: n.__dict__.update(forward=print),
    "a layer that is none": lambda n: n._modules.update(module="layer"),
    "itself": lambda n: n._modules.update(module=n),
    "nothing": lambda n: n._modules.update(module=None),
}


@pytest.mark.parametrize("change", DOUBTFUL.values(), ids=DOUBTFUL)
@pytest.mark.parametrize("deep", [True, False])
def test_a_wrapper_with_more_in_it_is_refused(change: Callable[[Any], Any], deep: bool) -> None:
    wrapper = nn.DataParallel(small())
    change(wrapper)
    with pytest.raises(DamagedPickle):
        rebuilt(nn.Sequential(wrapper) if deep else wrapper)


def test_wrappers_without_end_are_refused() -> None:
    record = read_back(small())
    for _ in range(100_000):
        wrapper = Global("torch._dynamo.eval_frame", "OptimizedModule")
        record = Instance(wrapper, args=(record, None))
    with pytest.raises(DamagedPickle, match="without end"):
        read_network(record)


class Holder(nn.Sequential):
    """Of this test's own, but for what it holds, which is read as a Sequential's."""

    def __reduce__(self) -> Any:
        return nn.Sequential, (), {**nn.Sequential().__dict__, **self.__dict__}


HELD: dict[str, Any] = {
    "classes in lists": [[nn.ReLU], [nn.ReLU, [nn.GELU]]],
    "classes in a dict": {"act": nn.ReLU, "more": (nn.GELU, {"of": [nn.ReLU]})},
    "a partial of classes": [partial(nn.Sequential, nn.ReLU, norm=[nn.BatchNorm2d])],
    "functions in a tuple": (torch.nn.functional.gelu, [torch.nn.functional.relu]),
    "tensors in a list": [torch.ones(2), {"x": torch.zeros(1)}],
    "kinds of numbers": {"a": torch.float16, "b": [torch.int64]},
    "a size": torch.Size([1, 2]),
    "sets and ordered dicts": OrderedDict(a={1, 2}, b=frozenset({3})),
    "a slice": [slice(None, 3), (slice(1, 9, 2),)],
    "a device": [torch.device("cpu"), {"at": torch.device("cpu")}],
    "numpy's numbers": [np.float32(2), {"n": np.int64(3)}],
    "an enum": [Format.NHWC, {"format": Format.NCHW}],
}


@pytest.mark.parametrize("value", HELD.values(), ids=HELD)
def test_what_a_layer_holds_may_be_nested(value: Any) -> None:
    holder = Holder(nn.ReLU())
    holder.held = value
    held = rebuilt(holder).held
    assert repr(held) == repr(value) or held == value


def test_what_only_other_tasks_need_is_left_out() -> None:
    """A hybrid vision transformer of timm's keeps the card of its backbone."""
    holder: Any = Holder(nn.ReLU())
    holder.feature_info = FeatureInfo([{"num_chs": 4, "reduction": 2, "module": "0"}], (0,))
    assert rebuilt(holder).feature_info == {}


def test_lists_of_parameters_and_dicts_of_layers_are_read() -> None:
    one = nn.Parameter(torch.ones(2))
    network = nn.ModuleDict(
        {"a": nn.ParameterDict({"x": one}), "b": nn.ParameterList([one, nn.Parameter(one + 1)])}
    )
    found = rebuilt(network)
    assert torch.equal(found["a"]["x"], found["b"][0])
    assert torch.equal(found["b"][1], one + 1)


def test_a_layer_may_compute_by_another_of_its_own_methods() -> None:
    """timm's fasternet chooses one when it is made."""
    layer = Partial_conv3(8, 4, "split_cat").eval()
    picture = torch.rand(1, 8, 5, 5)
    assert torch.equal(rebuilt(layer)(picture), layer(picture))


@pytest.mark.parametrize(
    "method", ["to", "forward", "_call_impl", "forward_of_nowhere", "__call__"]
)
def test_but_by_no_other(method: str) -> None:
    layer = read_back(Partial_conv3(8, 4, "split_cat"))
    chosen = state_of(layer)["forward"]
    chosen.args = (layer, method)
    file = io.BytesIO()
    torch.save({}, file)
    with pytest.raises(RefusedPickle, match="method forward"):
        build_network(read_network(layer), read_torch_file(file))


QUANTIZABLE = ("resnet18", "mobilenet_v2", "shufflenet_v2_x0_5")


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", QUANTIZABLE)
def test_a_quantizable_network_gives_what_it_gave(name: str, fused: bool) -> None:
    network = getattr(torchvision.models.quantization, name)(num_classes=3).eval()
    if fused:
        network.fuse_model()
    assert torch.equal(rebuilt(network)(PHOTO), network(PHOTO))


def test_a_photo_may_be_normalised_and_resized_in_the_network() -> None:
    tfms = (transforms.Normalize([0.5] * 3, [0.2] * 3), transforms.Resize(16, antialias=True))
    network = nn.Sequential(*tfms, *small()).eval()
    assert torch.equal(rebuilt(network)(PHOTO), network(PHOTO))
    check_cost(network, 3, (32, 32))


def planted(change: Callable[[Any], Any]) -> Any:
    network = small()
    change(network)
    return network


PLANTED: dict[str, Callable[[Any], Any]] = {
    "forward": lambda n: n[0].__dict__.update(forward=print),
    "a text as forward": lambda n: n[0].__dict__.update(forward="print"),
    "__class__": lambda n: n[0].__dict__.update(__class__=nn.ReLU),
    "_call_impl": lambda n: n[0].__dict__.update(_call_impl=print),
    "a hook": lambda n: n[0].register_forward_hook(print),
    "a hook of the weights": lambda n: n[0]._load_state_dict_pre_hooks.update({0: print}),
    "a function": lambda n: n[0].__dict__.update(activation=print),
    "an object": lambda n: n[0].__dict__.update(half=Fraction(1, 2)),
    "a layer that is none": lambda n: n._modules.update({"0": "layer"}),
    "a weight that is none": lambda n: n[0]._parameters.update(weight=[1.0]),
    "weights of another shape": lambda n: n[0]._parameters.update(
        weight=nn.Parameter(torch.zeros(4, 3, 5, 5))
    ),
    "no weights": lambda n: n[0]._parameters.update(weight=None),
    "itself": lambda n: n._modules.update({"0": n}),
    "training": lambda n: n[0].__dict__.update(training="yes"),
}


@pytest.mark.parametrize("change", PLANTED.values(), ids=PLANTED)
def test_what_is_planted_in_a_layer_is_refused(change: Callable[[Any], Any]) -> None:
    with pytest.raises(DamagedPickle):
        rebuilt(planted(change))


@pytest.mark.parametrize(
    "path",
    [
        "torch.nn.modules.module.importlib",
        "torch.nn.modules.linear.Tensor",
        "torch.nn.parallel.data_parallel.DataParallel",
        "torch.nn.utils.parametrize.ParametrizedConv2d",
        "torch.nn.utils.weight_norm.WeightNorm",
        "torch.ao.nn.quantized.modules.functional_modules.QFunctional",
        "torchvision.transforms.transforms.Lambda",
        "torch.fx.graph_module.GraphModule",
        "torch.jit._script.RecursiveScriptModule",
        "torchvision.transforms.v2._misc.Lambda",
        "torchvision.models.feature_extraction.DualGraphModule",
        "timm.models._features_fx.FeatureGraphNet",
        "fastai.layers.Debugger",
        "fastai.layers.partial",
        "timm.models.os.system",
        "timm.models..system",
        "torch.nn.modules.no_such.Layer",
        "torch.nn.modules.linear.NoSuch",
        "__main__.MyNet",
        "os.system",
        "",
    ],
)
def test_only_a_layer_that_a_library_defines_is_a_layer(path: str) -> None:
    with pytest.raises(RefusedPickle):
        module_class(path, "layer")


def test_sixty_layers_that_hold_the_next_one_twice_end_at_once() -> None:
    network: Any = nn.Identity()
    for _ in range(60):
        network = nn.Sequential(network, network)
    with pytest.raises(DamagedPickle, match="layers"):
        rebuilt(network)
