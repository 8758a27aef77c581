"""What a model knows: when a photo is none of its classes, and how sure its answers really are.

In comes an export.scope.json, which `voilearn evaluate` writes beside an export.pkl, and what a
network gave for a photo; out goes a Prediction with calibrated probabilities and `in_scope`. All
runtimes hand what they computed to `Scope.answer`, so that they can't differ in what they make of
it; `device/scope.js` is the same for a browser.

A photo is in scope if each term finds at least its threshold. Sources: the temperature is that of
Guo et al., arXiv:1706.04599; `energy` that of Liu et al., arXiv:2010.03759; `means` is the cosine
to the nearest class mean of the features, as Tack et al., arXiv:2007.08176, take it.
"""

import base64
import binascii
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from voilearn.errors import UnusableModel, shown
from voilearn.model_file import scope_beside
from voilearn.prediction import ModelInfo, Prediction, model_info_from, predict_from

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]

Kind = Literal["energy", "means", "outside"]
Activation = Literal["softmax", "sigmoid"]

MOST_BYTES = 100_000  # of an export.scope.json
TEMPERATURES = (0.05, 20.0)
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
AGAIN = "Make it again with `voilearn evaluate`, or delete it: the model works without it."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """What a network gave for one photo, in the order of its classes.

    `logits` are the numbers that the probabilities were made of, `features` those that the last
    linear layer was given: float [classes] and float [features], or None where there are none.
    """

    probabilities: Sequence[float]
    logits: "Numbers | None" = None
    features: "Numbers | None" = None


@dataclass(frozen=True)
class Rows:
    """A matrix of whole numbers from -127 to 127, each row with a scale of its own."""

    scales: tuple[float, ...]
    columns: int
    numbers: bytes  # int8 [rows, columns]

    @cached_property
    def matrix(self) -> "Numbers":
        """Return float64 [rows, columns]."""
        import numpy as np

        whole = np.frombuffer(self.numbers, np.int8).reshape(len(self.scales), self.columns)
        matrix: Numbers = whole * np.array(self.scales)[:, None]
        return matrix

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in the file."""
        return {
            "columns": self.columns,
            "scales": list(self.scales),
            "int8": base64.b64encode(self.numbers).decode(),
        }


def rows_of(matrix: "Numbers") -> Rows:
    """Return a matrix, float [rows, columns], rounded to `Rows`."""
    import numpy as np

    scales = np.abs(matrix).max(axis=1) / 127
    scales = np.array([float(f"{scale or 1.0:.6g}") for scale in scales])
    whole = np.clip(np.rint(matrix / scales[:, None]), -127, 127).astype(np.int8)
    return Rows(tuple(scales.tolist()), matrix.shape[1], whole.tobytes())


@dataclass(frozen=True)
class Term:
    """One way of telling that a photo is none of the classes: it is, below the threshold.

    `energy` is the logarithm of the sum of the logits' exponentials. `means` is the largest cosine
    between the features and one of `rows`. `outside` is `bias` less the features, of length 1,
    times the one row: a linear layer that was trained to find photos of something else.
    """

    kind: Kind
    threshold: float
    rows: Rows | None = None
    bias: float = 0.0

    def value(self, outputs: Outputs) -> float:
        """Return what the threshold is compared with; raises ValueError if it can't be told."""
        import numpy as np

        if self.kind == "energy":
            if outputs.logits is None:
                raise ValueError("this network has no logits")
            logits = np.asarray(outputs.logits, np.float64)
            top = logits.max()
            return float(top + np.log(np.exp(logits - top).sum()))
        assert self.rows is not None  # noqa: S101  # as it was read
        if outputs.features is None or len(outputs.features) != self.rows.columns:
            raise ValueError("this network has other features")
        features = np.asarray(outputs.features, np.float64)
        features = features / (np.linalg.norm(features) or 1.0)
        found = self._rows @ features
        return float(found.max()) if self.kind == "means" else self.bias - float(found[0])

    @cached_property
    def _rows(self) -> "Numbers":
        """Return the rows: of length 1 for a cosine."""
        import numpy as np

        assert self.rows is not None  # noqa: S101
        matrix = self.rows.matrix
        if self.kind != "means":
            return matrix
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        return matrix / np.where(lengths > 0, lengths, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return what stands in the file."""
        told: dict[str, Any] = {"kind": self.kind, "threshold": self.threshold}
        if self.rows is not None:
            told["rows"] = self.rows.to_dict()
        return told | ({"bias": self.bias} if self.kind == "outside" else {})


@dataclass(frozen=True)
class Scope:
    """What is known of one model's answers.

    `temperature` divides the logits before `activation` makes probabilities of them; None leaves
    them as the model gives them. Without `terms`, nothing is said of what is out of scope. `chosen`
    says how all this was found, on how many photos: plain JSON, for people.
    """

    model: ModelInfo
    temperature: float | None
    activation: Activation | None
    terms: tuple[Term, ...]
    chosen: dict[str, Any]

    def answer(
        self, outputs: Outputs, model: ModelInfo, thresholds: Sequence[float] = ()
    ) -> Prediction:
        """Make a Prediction of what a network gave. `thresholds` are as in `predict_from`.

        Raises UnusableModel if this is not the scope of such a network.
        """
        try:
            probabilities = self.calibrated(outputs)
            in_scope = self.knows(outputs)
        except ValueError as error:
            raise UnusableModel(
                f"The scope of {model.name} does not fit it: {error}. {AGAIN}"
            ) from error
        return replace(predict_from(probabilities, model, thresholds), in_scope=in_scope)

    def calibrated(self, outputs: Outputs) -> Sequence[float]:
        """Return the probabilities that the photo's logits give at the temperature."""
        import numpy as np

        if self.temperature is None:
            return outputs.probabilities
        if outputs.logits is None:
            raise ValueError("this network has no logits")
        logits = np.asarray(outputs.logits, np.float64) / self.temperature
        if self.activation == "sigmoid":
            return (0.5 + 0.5 * np.tanh(logits / 2)).tolist()  # type: ignore[no-any-return]
        grown = np.exp(logits - logits.max())
        return (grown / grown.sum()).tolist()  # type: ignore[no-any-return]

    def knows(self, outputs: Outputs) -> bool | None:
        """Say whether a photo is of one of the classes; None where that was not learned."""
        if not self.terms:
            return None
        return all(term.value(outputs) >= term.threshold for term in self.terms)

    def summary(self) -> dict[str, Any]:
        """Return what a service tells of it."""
        return {"temperature": self.temperature, "terms": [term.kind for term in self.terms]}

    def __str__(self) -> str:
        """Write it as `voilearn inspect` does."""
        told = ["probabilities as they are", f"temperature {self.temperature:g}"]
        told = [told[self.temperature is not None]] if self.temperature else told[:1]
        kinds = " and ".join(term.kind for term in self.terms)
        told.append(f"what is out of scope is told by {kinds}" if kinds else "no scope")
        return "; ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of an export.scope.json."""
        return {
            "model": self.model.to_dict(),
            "temperature": self.temperature,
            "activation": self.activation,
            "terms": [term.to_dict() for term in self.terms],
            "chosen": self.chosen,
        }

    def to_json(self) -> str:
        """Write an export.scope.json; raises ValueError if it would be too large."""
        text = json.dumps(self.to_dict(), indent=1) + "\n"
        if len(text) > MOST_BYTES:
            raise ValueError("too many classes")
        return text


def scope_of(path: Path, sha256: str) -> Scope | None:
    """Return the scope of a model's file, if there is one beside it and it is of that hash.

    One of another model is left out, and that is logged: an export.pkl is often replaced. Raises
    UnusableModel if the file is damaged.
    """
    beside = scope_beside(path)
    if not beside.exists():
        return None
    try:
        with beside.open("rb") as file:
            told = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableModel(f"{shown(beside)} can't be read: {error.strerror}. {AGAIN}") from error
    if len(told) > MOST_BYTES:
        raise UnusableModel(
            f"{shown(beside)} is larger than the {MOST_BYTES // 1000} kB of any scope. {AGAIN}"
        )
    try:
        scope = scope_from(json.loads(told.decode()))
    except (*NONSENSE, RecursionError) as error:
        raise UnusableModel(f"{shown(beside)} is damaged, or is no scope. {AGAIN}") from error
    if scope.model.sha256 != sha256:
        log.warning(
            "%s is of another model than %s, so it is not used: run voilearn evaluate.",
            shown(beside),
            shown(path),
        )
        return None
    return scope


def scope_from(told: Any) -> Scope:
    """Return the Scope whose `to_dict` was told. Raises one of NONSENSE if it is none."""
    temperature, activation = told["temperature"], told["activation"]
    if temperature is not None:
        low, high = TEMPERATURES
        if not low <= _finite(temperature) <= high or activation not in get_args(Activation):
            raise ValueError("temperature")
    terms, chosen = told["terms"], told["chosen"]
    if not isinstance(terms, list) or len(terms) > len(get_args(Kind)):
        raise ValueError("terms")
    if not isinstance(chosen, dict):
        raise TypeError("chosen")
    return Scope(
        model_info_from(told["model"]),
        None if temperature is None else float(temperature),
        activation,
        tuple(_term(each) for each in terms),
        chosen,
    )


def _term(told: Any) -> Term:
    kind, threshold = told["kind"], _finite(told["threshold"])
    if kind not in get_args(Kind):
        raise ValueError(kind)
    if kind == "energy":
        return Term(kind, threshold)
    rows = _rows(told["rows"])
    if kind == "outside" and len(rows.scales) != 1:
        raise ValueError("rows")
    return Term(kind, threshold, rows, _finite(told["bias"]) if kind == "outside" else 0.0)


def _rows(told: Any) -> Rows:
    scales, columns = told["scales"], told["columns"]
    if not isinstance(scales, list) or not scales or type(columns) is not int or columns < 1:
        raise ValueError("rows")
    try:
        numbers = base64.b64decode(told["int8"], validate=True)
    except binascii.Error as error:
        raise ValueError("int8") from error
    if len(numbers) != len(scales) * columns:
        raise ValueError("int8")
    return Rows(tuple(_finite(scale) for scale in scales), columns, numbers)


def _finite(number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(number)
    if not math.isfinite(number):
        raise ValueError(number)
    return float(number)
