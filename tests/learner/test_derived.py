"""Weights that torch computes from others before each call are computed once, to the same."""

import warnings
from collections.abc import Callable
from typing import Any, cast

import pytest

torch = pytest.importorskip("torch")

from fastai.layers import (  # noqa: E402
    ConvLayer,
    NormType,
    PixelShuffle_ICNR,
    PooledSelfAttention2d,
    SelfAttention,
    SimpleSelfAttention,
)
from fastai.vision.models.xresnet import xresnet18  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.utils import prune, spectral_norm, weight_norm  # noqa: E402

from tests.learner.test_network import rebuilt  # noqa: E402
from voilearn.export.records import RefusedPickle  # noqa: E402

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::FutureWarning")]
PHOTOS = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def small(change: Callable[[Any], Any]) -> Any:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 5, 3), nn.Linear(30, 3))
    network = nn.Sequential(*layers[:3], nn.Conv2d(5, 6, 3), layers[3])
    change(network)
    return network


def after(norm: NormType) -> Any:
    return nn.Sequential(ConvLayer(3, 8, norm_type=norm), ConvLayer(8, 4, norm_type=norm))


def pruned_twice(network: Any) -> None:
    prune.l1_unstructured(network[0], "weight", 0.5)
    prune.random_structured(network[0], "weight", 0.2, dim=0)
    prune.l1_unstructured(network[4], "bias", 1)


NETWORKS: dict[str, Callable[[], Any]] = {
    "xresnet18(sa=True)": lambda: xresnet18(sa=True, n_out=3),
    "SimpleSelfAttention": lambda: nn.Sequential(ConvLayer(3, 8), SimpleSelfAttention(8)),
    "SelfAttention": lambda: nn.Sequential(ConvLayer(3, 8), SelfAttention(8)),
    "PooledSelfAttention2d": lambda: nn.Sequential(ConvLayer(3, 16), PooledSelfAttention2d(16)),
    "PixelShuffle_ICNR": lambda: nn.Sequential(ConvLayer(3, 8), PixelShuffle_ICNR(8, 4, blur=True)),
    "NormType.Weight": lambda: after(NormType.Weight),
    "NormType.Spectral": lambda: after(NormType.Spectral),
    "weight_norm": lambda: small(lambda n: weight_norm(n[0])),
    "weight_norm of a dim": lambda: small(lambda n: weight_norm(n[2], dim=1)),
    "weight_norm of all": lambda: small(lambda n: weight_norm(n[4], dim=cast(int, None))),
    "weight_norm of a bias": lambda: small(lambda n: weight_norm(n[0], "bias")),
    "spectral_norm": lambda: small(lambda n: spectral_norm(n[0])),
    "spectral_norm backwards": lambda: small(lambda n: spectral_norm(n[2])),
    "spectral_norm of a dim": lambda: small(lambda n: spectral_norm(n[4], dim=1)),
    "both": lambda: small(lambda n: (weight_norm(n[0]), spectral_norm(n[2]))),
    "pruning": lambda: small(pruned_twice),
    "pruning over all": lambda: small(
        lambda n: prune.global_unstructured(
            [(n[0], "weight"), (n[3], "weight")], prune.L1Unstructured, amount=0.3
        )
    ),
    "recurrent": lambda: weight_norm(nn.GRU(32, 4, batch_first=True), "weight_hh_l0"),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_network_with_computed_weights_gives_what_it_gave(make: Callable[[], Any]) -> None:
    network = make()
    photos = PHOTOS[:, 0] if isinstance(network, nn.GRU) else PHOTOS
    network.train()(photos)  # spectral_norm's vectors move
    for parameter in network.parameters():  # and what is stored as the weight is an older one
        parameter.data.mul_(1.1)
    network.eval()
    found = rebuilt(network)
    with torch.no_grad():
        outcomes = zip(*(_all(each(photos)) for each in (found, network)), strict=True)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in outcomes)
    assert not any(layer._forward_pre_hooks for layer in found.modules())


def _all(outcome: Any) -> tuple[Any, ...]:
    return outcome if isinstance(outcome, tuple) else (outcome,)


def spread(network: Any) -> None:
    """Give a length to each number of the direction: they would be spread over each other."""
    weight_norm(network[0])
    network[0].weight_g = nn.Parameter(torch.ones(7, 4, 3, 3, 3))


def unmasked(network: Any) -> None:
    prune.l1_unstructured(network[0], "weight", 0.5)
    network[0].weight_mask = torch.ones(9, 4, 3, 3, 3)


def of_one_storage(network: Any) -> None:
    one = torch.ones(4, 3, 3, 3)
    for _ in range(30):
        layer = weight_norm(nn.Conv2d(3, 4, 3, bias=False))
        layer.weight_v = nn.Parameter(one)
        network.append(layer)


def renamed(name: Any) -> Callable[[Any], None]:
    def change(network: Any) -> None:
        weight_norm(network[0])
        next(iter(network[0]._forward_pre_hooks.values())).name = name

    return change


WRONG: dict[str, Callable[[Any], Any]] = {
    "lengths of another size": spread,
    "a mask of another size": unmasked,
    "many of one storage": of_one_storage,
    "no name": renamed(None),
    "a name that is none": renamed("__class__"),
    "a method's name": renamed("forward"),
    "another weight's name": renamed("bias"),
    "no part": lambda n: (weight_norm(n[0]), n[0]._parameters.pop("weight_v")),
    "whole numbers": lambda n: (
        spectral_norm(n[0]),
        n[0]._buffers.update(weight_u=torch.ones(4, dtype=torch.int64)),
    ),
    "a vector of another size": lambda n: (
        spectral_norm(n[0]),
        n[0]._buffers.update(weight_u=torch.ones(5)),
    ),
    "twice": lambda n: n[0]._forward_pre_hooks.update(
        {at: next(iter(weight_norm(nn.Linear(2, 2))._forward_pre_hooks.values())) for at in (1, 2)}
    ),
    "another hook too": lambda n: weight_norm(n[0]).register_forward_pre_hook(print),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_together_is_refused(change: Callable[[Any], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = small(change)
    with pytest.raises(RefusedPickle):
        rebuilt(network)
