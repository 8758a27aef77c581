"""Count how good answers are: how many are right, of which class, and how far to believe them.

In come what is in each photo and what the model gave; out go shares with their intervals, a
confusion matrix, and how far probabilities are from what came true. numpy alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 10
Z = 1.959964  # of a normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """A part of `of` things, and where the part of all such things is likely to be."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share, from 0 to 1; NaN of nothing."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % (E. B. Wilson, 1927)."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle = p + Z**2 / (2 * n)
        spread = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        scale = 1 + Z**2 / n
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        share = None if math.isnan(self.value) else round(self.value, 4)
        interval = [round(end, 4) for end in self.interval]
        return {"count": self.count, "of": self.of, "share": share, "interval": interval}

    def __str__(self) -> str:
        """Write it as a report does."""
        if not self.of:
            return "none"
        low, high = self.interval
        return f"{self.value:.1%} ({self.count:,} of {self.of:,}; {low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class OfClass:
    """How a class is answered: `found` of its photos, and `right` of the answers that name it."""

    label: str
    found: Share
    right: Share

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "label": self.label,
            "found": self.found.to_dict(),
            "right": self.right.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose probability lies in one tenth: their mean probability, and how many are right.

    `right` is of so many answers.
    """

    mean: float
    right: Share


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities are what comes true; `error` is the expected calibration error.

    That is the mean distance of the bins' probabilities and shares (arXiv:1706.04599).
    """

    bins: tuple[Bin, ...]
    error: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        bins = [{"mean": round(each.mean, 4), "right": each.right.to_dict()} for each in self.bins]
        return {"error": round(self.error, 4), "bins": bins}


def reliability(probabilities: Array, came_true: Array) -> Reliability:
    """Measure numbers from 0 to 1, float [n], against what came true, bool [n]."""
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for place in range(BINS):
        here = places == place
        if here.any():
            share = Share(int(came_true[here].sum()), int(here.sum()))
            bins.append(Bin(float(probabilities[here].mean()), share))
            error += share.of / len(places) * abs(bins[-1].mean - share.value)
    return Reliability(tuple(bins), error)


@dataclass(frozen=True, slots=True)
class Measured:
    """How good the answers to labelled photos are.

    `confusion` is int [truth, answer] of a model that answers one class, else None.
    """

    accuracy: Share
    classes: tuple[OfClass, ...]
    confusion: Array | None
    reliability: Reliability
    right: Array  # bool [photos]
    of_truth: Array  # float [photos]: what the answer gave to what is there; the least is worst

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "accuracy": self.accuracy.to_dict(),
            "classes": [each.to_dict() for each in self.classes],
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "calibration": self.reliability.to_dict(),
        }


def measure(
    classes: Sequence[str], probabilities: Array, truth: Array, floors: Sequence[float] | None
) -> Measured:
    """Measure float [photos, classes] against bool [photos, classes].

    `floors`, one for each class, are the thresholds of a multi-label model, which is right where it
    names all classes that are there and no other; None is for one that answers the likeliest.
    """
    if floors is None:
        answered = np.eye(len(classes), dtype=bool)[probabilities.argmax(1)]
    else:
        answered = probabilities >= np.array(floors)
    right = (answered == truth).all(1)
    each = tuple(
        OfClass(
            label,
            Share(int((answered & truth)[:, at].sum()), int(truth[:, at].sum())),
            Share(int((answered & truth)[:, at].sum()), int(answered[:, at].sum())),
        )
        for at, label in enumerate(classes)
    )
    if floors is None:
        rows = truth.argmax(1)
        confusion = np.zeros((len(classes), len(classes)), int)
        np.add.at(confusion, (rows, answered.argmax(1)), 1)
        sure, of_truth = probabilities.max(1), probabilities[np.arange(len(rows)), rows]
        found = reliability(sure, right)
    else:
        confusion = None
        found = reliability(probabilities.ravel(), truth.ravel())
        of_truth = np.where(truth, probabilities, 1 - probabilities).min(1)
    return Measured(Share(int(right.sum()), len(right)), each, confusion, found, right, of_truth)
