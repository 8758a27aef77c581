"""What one photo costs is known before it is computed, and too much is refused."""

import io
import time
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import timm  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402

from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.network import read_network  # noqa: E402
from voilearn.export.records import RefusedPickle  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402
from voilearn.learner import cost  # noqa: E402
from voilearn.learner.cost import Clock, check_cost  # noqa: E402

pytestmark = pytest.mark.model


def test_the_cost_of_a_resnet18_is_that_of_the_paper() -> None:
    """1.8 billion multiply-adds at 224 pixels (He et al. 2015, table 1)."""
    found = check_cost(torchvision.models.resnet18(), 3, (224, 224))
    assert found.operations == pytest.approx(2 * 1.8e9, rel=0.02)
    assert 3e6 < found.bytes < 100e6


with torch.device("meta"):  # weights without numbers, which would be four gigabytes
    WASTEFUL = {
        "upsample": nn.Upsample(scale_factor=100_000),
        "upsamples": nn.Sequential(*(nn.Upsample(scale_factor=2) for _ in range(20))),
        "padding": nn.ZeroPad2d(1_000_000),
        "pooling": nn.AdaptiveAvgPool2d(100_000),
        "channels": nn.Conv2d(3, 200_000, 1),
        "operations": nn.Sequential(
            nn.Conv2d(3, 256, 1), *(nn.Conv2d(256, 256, 21, padding=10) for _ in range(30))
        ),
    }


@pytest.mark.parametrize("network", WASTEFUL.values(), ids=WASTEFUL)
def test_a_network_that_asks_for_too_much_is_refused_at_once(network: nn.Module) -> None:
    began = time.thread_time()
    with pytest.raises(RefusedPickle, match="for one photo; allowed are"):
        check_cost(network, 3, (224, 224))
    assert time.thread_time() - began < 5


# fmt: off
LARGE = [
    ("beit_large_patch16_384", 384), ("vit_large_patch14_dinov2", 518), ("convnextv2_huge", 384),
    ("vit_so400m_patch14_siglip_378", 378), ("sequencer2d_s", 224), ("sequencer2d_l", 224),
    ("eva02_large_patch14_448", 448), ("efficientnet_l2", 800), ("dm_nfnet_f6", 576),
    ("maxvit_xlarge_tf_512", 512), ("swinv2_cr_huge_384", 384), ("resnetv2_152x4_bit", 480),
    ("mvitv2_huge_cls", 224), ("samvit_base_patch16", 1024), ("xcit_large_24_p8_384", 384),
    ("regnety_1280", 384), ("beit3_giant_patch14_336", 336), ("aimv2_3b_patch14_448", 448),
    ("vgg16", 512), ("vgg16", 1024), ("resnet18", 2000), ("resnet50", 2000), ("resnet50", 3000),
    ("densenet121", 2000), ("mobilenet_v2", 2000), ("squeezenet1_1", 2000), ("inception_v3", 1024),
]
# fmt: on
ROOM = 10**11


@pytest.mark.parametrize(("name", "side"), LARGE)
def test_an_ordinary_classifier_is_allowed_its_cost(
    name: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine has the memory: sizes alone, there are no weights."""
    monkeypatch.setattr(cost, "FREE", ROOM)
    with torch.device("meta"):
        network = (
            torchvision.models.get_model(name, weights=None, num_classes=3)
            if hasattr(torchvision.models, name)
            else timm.create_model(name, pretrained=False, num_classes=3)
        )
    check_cost(network.eval(), 3, (side, side))


def wide(weights: int, side: int) -> nn.Module:
    """A network of so many weights that makes a photo large."""
    with torch.device("meta"):
        layers = (nn.Upsample(size=(side, side)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(*layers, nn.Linear(3, weights // 4))


def test_what_is_allowed_grows_with_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "FREE", ROOM)
    check_cost(wide(40_000_000, 13_000), 3, (64, 64))
    with pytest.raises(RefusedPickle, match="memory"):
        check_cost(wide(40_000, 13_000), 3, (64, 64))


def test_but_not_above_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "FREE", 10**9)
    with pytest.raises(RefusedPickle, match=r"2,\d\d\d MB of memory.*; allowed are .* 1,000 MB"):
        check_cost(wide(40_000_000, 13_000), 3, (64, 64))


def test_both_numbers_are_told_and_how_to_raise_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "FREE", ROOM)
    network = wide(40_000, 13_000)
    with pytest.raises(RefusedPickle, match=r"2,0\d\d MB of memory .* 700 MB of mem") as told:
        check_cost(network, 3, (64, 64))
    assert "VOILEARN_COST=3" in told.value.advice
    monkeypatch.setenv("VOILEARN_COST", "2")
    with pytest.raises(RefusedPickle, match="1,400 MB of memory") as told:
        check_cost(network, 3, (64, 64))
    assert "VOILEARN_COST=3" in told.value.advice
    monkeypatch.setenv("VOILEARN_COST", "3")
    check_cost(network, 3, (64, 64))


@pytest.mark.parametrize("given", ["much", "0.5", "-1", "nan", "inf", "1e999"])
def test_a_limit_that_is_no_number_is_told(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOILEARN_COST", given)
    with pytest.raises(UnusableModel, match="VOILEARN_COST"):
        check_cost(nn.Identity(), 3, (8, 8))


def test_weights_that_the_machine_has_no_room_for_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "FREE", 10**6)
    file = io.BytesIO()
    torch.save(nn.Linear(1000, 1000).half(), file)
    network = read_network(read_torch_file(file).pickle.root)
    with pytest.raises(RefusedPickle, match="take 4 MB of memory; 1 MB are free"):
        cost.check_weights(network)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("first", [True, False])
def test_a_recurrent_layer_costs_what_its_steps_cost(kind: Any, first: bool) -> None:
    layer = kind(32, 8, batch_first=first, bidirectional=True)
    whole = nn.Sequential(nn.Flatten(0, 1), layer)
    found = check_cost(whole, 3, (32, 32))
    each = sum(weight.numel() for weight in layer.parameters() if weight.ndim == 2)
    assert found.operations == pytest.approx(2 * each * 96, rel=0.01)
    assert found.steps < 500


def test_a_network_that_does_not_run_is_told_with_the_reason() -> None:
    with pytest.raises(RefusedPickle, match="does not run on a picture of 40 x 30 pixels"):
        check_cost(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)), 3, (30, 40))


def test_a_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)).eval()
    check_cost(network, 3, (32, 32))
    assert all(tensor.device.type == "cpu" for tensor in network.state_dict().values())


def test_a_clock_ends_what_takes_too_long() -> None:
    slow = nn.Sequential(*(nn.LogSigmoid() for _ in range(10_000)))
    with pytest.raises(RefusedPickle, match="too long"), torch.no_grad(), Clock(0.2):
        slow(torch.zeros(1, 3, 224, 224))
