"""What one photo costs is known before it is computed, and too much is refused."""

import time

import pytest

torch = pytest.importorskip("torch")

import torchvision  # noqa: E402
from torch import nn  # noqa: E402

from voilearn.export.records import RefusedPickle  # noqa: E402
from voilearn.learner.cost import Clock, check_cost  # noqa: E402

pytestmark = pytest.mark.model


def test_the_cost_of_a_resnet18_is_that_of_the_paper() -> None:
    """1.8 billion multiply-adds at 224 pixels (He et al. 2015, table 1)."""
    cost = check_cost(torchvision.models.resnet18(), 3, (224, 224))
    assert cost.operations == pytest.approx(2 * 1.8e9, rel=0.02)
    assert 3e6 < cost.bytes < 100e6


with torch.device("meta"):  # weights without numbers, which would be four gigabytes
    WASTEFUL = {
        "upsample": nn.Upsample(scale_factor=100_000),
        "upsamples": nn.Sequential(*(nn.Upsample(scale_factor=2) for _ in range(20))),
        "padding": nn.ZeroPad2d(1_000_000),
        "pooling": nn.AdaptiveAvgPool2d(100_000),
        "channels": nn.Conv2d(3, 200_000, 1),
        "operations": nn.Sequential(
            nn.Conv2d(3, 256, 1), *(nn.Conv2d(256, 256, 21) for _ in range(30))
        ),
    }


@pytest.mark.parametrize("network", WASTEFUL.values(), ids=WASTEFUL)
def test_a_network_that_asks_for_too_much_is_refused_at_once(network: nn.Module) -> None:
    began = time.thread_time()
    with pytest.raises(RefusedPickle, match="more for one photo"):
        check_cost(network, 3, (224, 224))
    assert time.thread_time() - began < 5


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
