"""What makes probabilities is decided in one place: by the loss, and what the network ends in."""

from math import inf

import pytest

from voilearn.export.ending import Ending
from voilearn.export.loss import CantTell, Loss, activation_of, loss_named
from voilearn.export.ranges import ANY, Range
from voilearn.prediction import Task

UNIT, LOGS = Range(0, 1), Range(-inf, 0, logs=True)
FLAT = Loss("fastai.losses.CrossEntropyLossFlat", "softmax", "softmax", known=True)
CE = loss_named("torch.nn.modules.loss.CrossEntropyLoss")
LOGITS = loss_named("torch.nn.modules.loss.BCEWithLogitsLoss")
NLL = loss_named("torch.nn.modules.loss.NLLLoss")
MSE = loss_named("torch.nn.functional.mse_loss")
AUTHORS = loss_named("__main__.focal")


@pytest.mark.parametrize(
    ("loss", "ending", "task", "made_by"),
    [
        (FLAT, ANY, "single-label", "softmax"),
        (FLAT, UNIT, "single-label", "softmax"),  # once more: so does learn.predict
        (FLAT, None, "multi-label", "softmax"),
        (CE, ANY, "single-label", "softmax"),
        (CE, ANY, "multi-label", "softmax"),
        (CE, UNIT, "single-label", "none"),
        (CE, Range(0, inf), "single-label", "softmax"),
        (CE, LOGS, "single-label", "exp"),
        (LOGITS, ANY, "single-label", "sigmoid"),
        (LOGITS, ANY, "multi-label", "sigmoid"),
        (LOGITS, Range(0.1, 0.9), "multi-label", "none"),
        (NLL, LOGS, "single-label", "exp"),
        (NLL, UNIT, "single-label", "none"),
        (MSE, UNIT, "single-label", "none"),
        (AUTHORS, ANY, "single-label", "softmax"),
        (AUTHORS, ANY, "multi-label", "sigmoid"),
        (AUTHORS, UNIT, "multi-label", "none"),
        (AUTHORS, LOGS, "multi-label", "exp"),
        (AUTHORS, Range(0, 1, loose=True), "multi-label", "none"),
        (CE, None, "single-label", None),
        (CE, Range(0, 2, loose=True), "single-label", None),
    ],
)
def test_what_makes_probabilities(
    loss: Loss, ending: Range | None, task: Task, made_by: str | None
) -> None:
    assert activation_of(loss, Ending("Linear", ending, 3), task, 3) == made_by


@pytest.mark.parametrize(
    ("loss", "ending"),
    [
        (NLL, ANY),
        (MSE, ANY),
        (MSE, Range(-1, 2)),
        (loss_named("torch.nn.modules.loss.BCELoss"), ANY),
        (loss_named("fastai.losses.BaseLoss"), ANY),
        (AUTHORS, Range(-1, 1)),
        (AUTHORS, Range(0, inf)),
    ],
)
def test_what_can_t_be_told_names_the_layer_and_the_loss(loss: Loss, ending: Range) -> None:
    found = activation_of(loss, Ending("Tanh", ending, 3), "single-label", 3)
    assert isinstance(found, CantTell)
    assert "ends in Tanh" in found.why
    assert loss.name in found.why
    assert "CrossEntropyLossFlat()" in found.why


@pytest.mark.parametrize(
    ("loss", "ending", "why"),
    [
        (FLAT, Ending("Linear", ANY, 1), "gives one number for its 3 classes"),
        (Loss("its", "softmax", axis=0), Ending("Linear", ANY), "works along axis 0"),
        (
            Loss("its", "softmax", own="decodes"),
            Ending("Linear", ANY),
            "whose decodes is the author",
        ),
        (Loss("its", own="activation"), Ending("Linear", UNIT), "whose activation is the author"),
    ],
)
def test_what_is_in_the_way_is_told(loss: Loss, ending: Ending, why: str) -> None:
    found = activation_of(loss, ending, "single-label", 3)
    assert isinstance(found, CantTell)
    assert why in found.why
