"""Make probabilities of what a network says, as its loss and a run of it tell.

In come what `export/loss.py` found of a loss, or a learner as it was pickled; out goes a loss of
fastai's whose `activation` predict applies, or the function that makes probabilities of predict's
own numbers.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from fastai.learner import Learner
from fastai.losses import BaseLoss, BCEWithLogitsLossFlat, CrossEntropyLossFlat

from voilearn.export.ending import Ending
from voilearn.export.loss import CantTell, Loss, activation_of, loss_named, no_probabilities
from voilearn.export.records import HinderedLearner
from voilearn.learner.ending import ending_in
from voilearn.prediction import ModelInfo, Task

Make = Callable[[torch.Tensor], torch.Tensor]
MAKES: dict[str, Make] = {
    "softmax": partial(torch.softmax, dim=-1),
    "sigmoid": torch.sigmoid,
    "exp": torch.exp,
    "none": torch.clone,
}


def told(loss: Loss, ending: Ending, task: Task, classes: int) -> str:
    """Return what makes probabilities of a network's numbers.

    Raises HinderedLearner if neither the loss nor what the network ends in tells it.
    """
    activation = activation_of(loss, ending, task, classes) or no_probabilities(loss, ending)
    if isinstance(activation, CantTell):
        raise HinderedLearner(activation.why)
    return activation


def loss_with(activation: str, task: Task, thresholds: torch.Tensor) -> Any:
    """Return a loss with an activation, for predict alone; it decodes by these thresholds."""
    if task == "multi-label" and activation == "sigmoid":
        return BCEWithLogitsLossFlat(thresh=thresholds)
    loss = CrossEntropyLossFlat()
    if activation != "softmax":
        loss.activation = MAKES[activation]
    if task == "multi-label":
        loss.decodes = lambda numbers: numbers > thresholds
    return loss


def probabilities_of(learn: Learner, item: Any, model: ModelInfo) -> Make:
    """Return what makes probabilities of the numbers that `learn.predict` gives for an item.

    Nothing does if its loss has an activation. Raises HinderedLearner if it can't be told.
    """
    loss = learn.loss_func
    own = getattr(loss, "activation", None)
    if own is not None and getattr(own, "__func__", own) is not BaseLoss.activation:
        return torch.clone
    while isinstance(loss, partial | BaseLoss):
        loss = loss.func
    of = loss if hasattr(loss, "__qualname__") else type(loss)
    named = loss_named(f"{of.__module__}.{of.__qualname__}")
    return MAKES[told(named, _ending(learn, item), model.task, len(model.classes))]


def _ending(learn: Learner, item: Any) -> Ending:
    """Run a learner's network on an item, and return what it ends in."""
    with suppress(Exception):  # an author's layer may raise anything
        batch = learn.dls.test_dl([item], num_workers=0).one_batch()
        return ending_in(learn.model, *(part.as_subclass(torch.Tensor) for part in batch))
    return Ending(type(learn.model).__name__, None)
