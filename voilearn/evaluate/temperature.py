"""Find the temperature at which probabilities mean what they say.

In come logits and what is in the photos; out goes a number to divide logits by. It is fitted on
harder copies of the photos: on photos that a model has learned, or on easy ones, it would be as
good as never wrong, and so told to be surer than it is on what visitors bring. Where those copies
are so hard that this would spoil what it says of the photos themselves, it is fitted on both, and
where that would, too, there is none.
"""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from voilearn.evaluate.measure import reliability
from voilearn.scope import Activation

Array = np.ndarray[Any, np.dtype[Any]]

LEAST, MOST = 0.2, 5.0
FEWEST = 50  # photos
SPOILT = 0.02  # of calibration error on the photos as they are, more than without
SAME = 1e-3  # how far an activation's numbers may be from the model's


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature, or None and why there is none."""

    value: float | None
    activation: Activation | None
    why: str


def activation_of(probabilities: Array, logits: Array) -> Activation | None:
    """Return what makes the probabilities, float [photos, classes], of the logits, if known."""
    for name in get_args(Activation):
        if np.abs(activated(logits, name) - probabilities).max() < SAME:
            return name  # type: ignore[no-any-return]
    return None


def activated(logits: Array, activation: Activation) -> Array:
    """Return probabilities, float [photos, classes]."""
    logits = logits.astype(np.float64)
    if activation == "sigmoid":
        halves: Array = 0.5 + 0.5 * np.tanh(logits / 2)
        return halves
    grown = np.exp(logits - logits.max(1, keepdims=True))
    shares: Array = grown / grown.sum(1, keepdims=True)
    return shares


def find_temperature(
    photos: Array, harder: Array, truth: Array, activation: Activation | None
) -> Temperature:
    """Return a temperature for the logits of photos and harder copies, float [photos, classes].

    `truth` is bool [photos, classes].
    """
    if activation is None:
        return Temperature(None, None, "the network's numbers are no logits of its probabilities")
    count = len(photos)
    if count < FEWEST:
        return Temperature(None, None, f"{count} photos are too few, {FEWEST} are needed")
    of_harder = fitted(harder, truth, activation)
    most = _error(photos, truth, activation) + SPOILT
    if _error(photos / of_harder, truth, activation) <= most:
        return Temperature(of_harder, activation, f"fitted on harder copies of {count:,} photos")
    both = fitted(np.concatenate([photos, harder]), np.concatenate([truth, truth]), activation)
    if _error(photos / both, truth, activation) <= most:
        told = f"fitted on {count:,} photos and harder copies of them"
        return Temperature(both, activation, told)
    return Temperature(
        None, None, "what would be right for harder copies would be wrong for the photos"
    )


def _error(logits: Array, truth: Array, activation: Activation) -> float:
    """Return the calibration error of the probabilities that logits give."""
    found = activated(logits, activation)
    if activation == "sigmoid":
        return reliability(found.ravel(), truth.ravel()).error
    right = truth[np.arange(len(truth)), found.argmax(1)]
    return reliability(found.max(1), right).error


def fitted(logits: Array, truth: Array, activation: Activation) -> float:
    """Return the temperature with the least cross-entropy on logits, float [photos, classes].

    `truth` is bool [photos, classes]. The targets are Platt's, (n + 1) / (n + 2) for what is there
    (J. Platt, 1999), so that a few photos without a mistake don't make a model sure of everything.
    """
    from scipy.optimize import minimize_scalar

    count, classes = truth.shape
    yes, others = (count + 1) / (count + 2), max(classes - 1, 1)
    no = (1 - yes) / (others if activation == "softmax" else 1)
    targets = np.where(truth, yes, no)

    def loss(logarithm: float) -> float:
        found = activated(logits / np.exp(logarithm), activation).clip(1e-12, 1 - 1e-12)
        each = targets * np.log(found)
        if activation == "sigmoid":
            each = each + (1 - targets) * np.log(1 - found)
        return float(-each.sum(1).mean())

    best = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    return float(f"{np.exp(best.x):.3g}")
