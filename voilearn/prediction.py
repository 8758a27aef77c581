"""What the model says of one photo, and the one seam every outlet is built on.

In come a model's probabilities, in the order of its classes; out goes a `Prediction`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from voilearn.errors import UnusableModel

Task = Literal["single-label", "multi-label"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model answered.

    `sha256` is of the export.pkl the model comes from, as 64 hex digits, whichever runtime
    runs it. `classes` stand in the order of the model's outputs.
    """

    name: str
    sha256: str
    task: Task
    classes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the `model` part of the Prediction JSON."""
        return {
            "name": self.name,
            "sha256": self.sha256,
            "task": self.task,
            "classes": list(self.classes),
        }


@dataclass(frozen=True, slots=True)
class Prediction:
    """One photo's answer.

    `probabilities` maps every class to a number from 0 to 1, highest first. `labels` holds the
    one label of a single-label model, or each class at or above its threshold; `label` is the
    likeliest of them, or None if there is none. `in_scope` is None for a model without a scope.
    `runtime` names the libraries that gave it, with their versions; `agreement` is how far a
    compiled model's probabilities were from the learner's, at most, on the pictures that it was
    tried with. It is None for the learner itself, and `runtime` for a service that doesn't tell.
    """

    label: str | None
    probabilities: Mapping[str, float]
    labels: tuple[str, ...]
    model: ModelInfo
    in_scope: bool | None = None
    runtime: str | None = None
    agreement: float | None = None

    @property
    def probability(self) -> float:
        """The probability of `label`; with no label, that of the likeliest class."""
        if self.label is None:
            return next(iter(self.probabilities.values()))
        return self.probabilities[self.label]

    def to_dict(self) -> dict[str, Any]:
        """Return the Prediction JSON of the contract, as plain Python."""
        gave = {"runtime": self.runtime, "agreement": self.agreement} if self.runtime else {}
        return {
            "label": self.label,
            "probability": self.probability,
            "probabilities": dict(self.probabilities),
            "labels": list(self.labels),
            "in_scope": self.in_scope,
            "model": self.model.to_dict(),
            **gave,
        }


Classify = Callable[[bytes], Prediction]


def prediction_from(told: Any) -> Prediction:
    """Return the Prediction whose `to_dict` was told. Raises ValueError if it is none."""
    try:
        model, in_scope = model_info_from(told["model"]), told["in_scope"]
        labels, label = _texts(told["labels"]), told["label"]
        probabilities = {name: float(p) for name, p in told["probabilities"].items()}
        runtime, agreement = told.get("runtime"), told.get("agreement")
        agreement = None if agreement is None else float(agreement)
    except (LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("this is no Prediction") from error
    if not (in_scope is None or isinstance(in_scope, bool)):
        raise ValueError("this is a Prediction of another kind")
    finite = all(map(math.isfinite, probabilities.values()))
    if set(probabilities) != set(model.classes) or not finite:
        raise ValueError("this Prediction has no probabilities")
    if not set(model.classes).issuperset(labels) or label != (labels[0] if labels else None):
        raise ValueError("this Prediction contradicts itself")
    if not isinstance(runtime, str | None) or not math.isfinite(agreement or 0):
        raise ValueError("this Prediction does not say what gave it")
    return Prediction(label, probabilities, labels, model, in_scope, runtime, agreement)


def model_info_from(told: Any) -> ModelInfo:
    """Return the ModelInfo whose `to_dict` was told. Raises ValueError if it is none."""
    try:
        name, sha256 = _texts([told["name"], told["sha256"]])
        task, classes = told["task"], _texts(told["classes"])
    except (LookupError, TypeError) as error:
        raise ValueError("this is no model") from error
    if task not in get_args(Task):
        raise ValueError("this is a model of another kind")
    return ModelInfo(name, sha256, task, classes)


def _texts(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise TypeError(told)
    return tuple(told)


def predict_from(
    probabilities: Sequence[float], model: ModelInfo, thresholds: Sequence[float] = ()
) -> Prediction:
    """Make a Prediction of one probability for each of `model.classes`, in their order.

    `thresholds`, one for each class, are those of a multi-label model (0.5 where none are given).
    Raises UnusableModel if the model's numbers are not probabilities.
    """
    _check_probabilities(probabilities, model)
    ranked = sorted(zip(model.classes, map(float, probabilities), strict=True), key=lambda p: -p[1])
    if model.task == "single-label":
        labels: tuple[str, ...] = (ranked[0][0],)
    else:
        floor = dict(zip(model.classes, thresholds or [0.5] * len(ranked), strict=True))
        labels = tuple(name for name, probability in ranked if probability >= floor[name])
    return Prediction(labels[0] if labels else None, dict(ranked), labels, model)


def _check_probabilities(probabilities: Sequence[float], model: ModelInfo) -> None:
    if len(probabilities) != len(model.classes):
        raise UnusableModel(
            f"The model gives {len(probabilities)} numbers for its {len(model.classes)} classes, "
            "so its answer can't be read. Export the learner again."
        )
    if not all(math.isfinite(p) and -1e-3 <= p <= 1 + 1e-3 for p in probabilities):
        raise UnusableModel(
            "The model's answer is not a set of probabilities. "
            "Its weights may be damaged: export the learner again."
        )
