"""What plain reading tells of a network is what torch tells of it."""

import io
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import timm  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402

from voilearn.export.network import Network, library_of, read_network  # noqa: E402
from voilearn.export.records import DamagedPickle, Instance  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402

pytestmark = pytest.mark.model


def read(network: Any) -> Network:
    file = io.BytesIO()
    torch.save(network, file)
    return read_network(read_torch_file(file).pickle.root)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_a_resnet_is_named_though_fastai_cut_it(name: str) -> None:
    whole = getattr(torchvision.models, name)()
    assert read(nn.Sequential(*list(whole.children())[:-2])).architecture == name


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (timm.create_model("test_resnet.r160_in1k", pretrained=False), "test_resnet"),
        (torchvision.models.squeezenet1_1().features, "torchvision.models.squeezenet.Fire"),
        (nn.Sequential(nn.Linear(2, 2)), "torch.nn.modules.container.Sequential"),
    ],
)
def test_another_network_is_named_by_what_tells_most(network: Any, named: str) -> None:
    assert read(network).architecture == named


def test_parameters_and_layers_are_counted_as_torch_counts_them() -> None:
    whole = torchvision.models.mobilenet_v2()
    found = read(whole)
    assert found.parameters == sum(p.numel() for p in whole.parameters())
    assert sum(found.layers.values()) == len(list(whole.modules()))
    stored = {t.untyped_storage().data_ptr(): t.nbytes for t in whole.state_dict().values()}
    assert found.weight_bytes == sum(stored.values())


def test_layers_of_no_known_library_are_named() -> None:
    class MyLayer(nn.Module):  # type: ignore[misc, unused-ignore]
        """Of this test's own."""

    MyLayer.__qualname__ = "MyLayer"
    globals()["MyLayer"] = MyLayer
    inner = nn.Sequential(nn.ReLU(), MyLayer())
    assert read(nn.Sequential(nn.ReLU(), inner)).unknown == {f"{__name__}.MyLayer": "model.1.1"}
    assert library_of("torch.nn.parallel.DataParallel") is None


@pytest.mark.parametrize("record", [None, 3, "network", {}, []])
def test_what_is_no_network_is_damage(record: Any) -> None:
    with pytest.raises(DamagedPickle):
        read_network(record)


def test_a_layer_that_is_none_is_damage() -> None:
    with pytest.raises(DamagedPickle):
        read_network(Instance(None, states=({"_modules": {"0": "a layer"}},)))
