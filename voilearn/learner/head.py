"""Hear what a network's last linear layer is given, and what the network itself gives.

In comes a network; out come, for the photo that the calling thread had it look at last, its logits
and features, as `voilearn/scope.py` takes them. Listening changes no number.
"""

import threading
from typing import Any

import torch
from torch import nn


class Head:
    """Hears a network from now on, each thread its own photo."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        self._heard = heard = threading.local()

        def given(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
            heard.features = inputs[0]

        def gave(layer: nn.Module, inputs: tuple[Any, ...], answer: Any) -> None:
            heard.logits = answer

        # functions, which a copy of the network takes along as they are
        for layer in linear_layers(network, classes):
            layer.register_forward_pre_hook(given)
        network.register_forward_hook(gave)

    def features(self) -> torch.Tensor | None:
        """Return float [features] of the last photo; None where no such layer was given a row."""
        return _row(self._heard.__dict__.pop("features", None))

    def logits(self) -> torch.Tensor | None:
        """Return float [classes] of the last photo; None if the network did not give a row."""
        return _row(self._heard.__dict__.pop("logits", None))


def linear_layers(network: nn.Module, classes: int) -> list[nn.Module]:
    """Return the layers of which the one that runs last makes the network's answer."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
    return [layer for layer in layers if layer.out_features == classes]


def _row(found: Any) -> torch.Tensor | None:
    """Return what is a batch of one row as that row."""
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 1:
        return None
    return found.detach().as_subclass(torch.Tensor)[0]
