"""A network is built of known layers and checked values; whatever else it holds is refused."""

import io
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import timm  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402

from voilearn.export.network import read_network  # noqa: E402
from voilearn.export.records import DamagedPickle, RefusedPickle  # noqa: E402
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
    "starnet_s1", "dm_nfnet_f0",
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
