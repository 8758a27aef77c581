"""Read and write export.json, which says what the export.onnx beside it is and how far it agrees.

In comes a path, or what `compile` found; out goes a `Compiled`, or UnusableModel for a file that is
damaged or of another model.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voilearn.errors import UnusableModel, shown
from voilearn.model_file import check_is_a_file, file_sha256, is_onnx
from voilearn.prediction import ModelInfo
from voilearn.scope import Scope, scope_from

MAX_JSON = 10_000_000  # bytes: 10,000 classes of 1,000 characters
MAX_SIZE = 10_000  # pixels that photos are resized to
WIDE = 32  # bits of a weight, as a network is trained
NONSENSE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
AGAIN = "Compile the export.pkl again: python -m voilearn compile export.pkl."


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a compiled model gives the answers of the learner it was made of.

    `pictures` were tried, photos or `made` by code; of these `labels` had the same labels, and no
    probability differed by more than `max_difference`. `accuracy` is the share of photos, in
    folders named by class, whose label is right, of the learner and of the compiled model; None
    where there are none.
    """

    pictures: int
    made: bool
    labels: int
    max_difference: float
    accuracy: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Write it as the command line does."""
        kind = "pictures made by code" if self.made else "photos"
        right = ""
        if self.accuracy is not None:
            learner, compiled = self.accuracy
            right = f"; right in {learner:.2%} before and {compiled:.2%} compiled"
        return (
            f"{self.pictures:,} {kind}: the same labels in {self.labels:,}, probabilities differ "
            f"by {self.max_difference:.2g} at most{right}"
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled model.

    `thresholds` are of a multi-label model, one for each class. `size` is the longest side, in
    pixels, that photos are resized to inside the graph, or None. `transforms` is what the graph
    does to a photo, for people. `sha256` and `bytes` are of the export.onnx; `model.sha256` is of
    the export.pkl. `scope` is that of the export.pkl, where it had one. `weights` is how many bits
    the file holds most weights in.
    """

    model: ModelInfo
    thresholds: tuple[float, ...]
    size: int | None
    transforms: tuple[str, ...]
    sha256: str
    bytes: int
    opset: int
    precision: str
    agreement: Agreement
    scope: Scope | None = None
    weights: int = WIDE

    @property
    def narrow(self) -> bool:
        """Return whether weights are to be widened once, when the file is opened."""
        return self.weights < WIDE

    @property
    def numbers(self) -> str:
        """Return what the network computes with, and keeps its weights in, for people."""
        return (
            f"{self.precision}, weights of {self.weights} bits" if self.narrow else self.precision
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of export.json."""
        return {
            "model": self.model.to_dict(),
            "thresholds": list(self.thresholds),
            "input": {"name": "photo", "type": "uint8", "shape": ["height", "width", 3]},
            "output": {
                "name": "probabilities",
                "type": "float32",
                "shape": [len(self.model.classes)],
            },
            "preprocessing": {"size": self.size, "transforms": list(self.transforms)},
            "onnx": {
                "sha256": self.sha256,
                "bytes": self.bytes,
                "opset": self.opset,
                "precision": self.precision,
                "weights": self.weights,
            },
            "agreement": asdict(self.agreement),
            **({"scope": self.scope.to_dict()} if self.scope else {}),
        }

    def write(self, path: Path) -> None:
        """Write an export.json."""
        path.write_text(json.dumps(self.to_dict(), indent=1) + "\n")


def read_compiled(path: Path) -> Compiled:
    """Return what the export.json beside an export.onnx says of it; `path` is of the latter.

    Raises UnusableModel if there is none, if it is damaged, or if it is of another model.
    """
    beside = path.with_suffix(".json")
    compiled = _read(beside, shown(path))
    try:
        same = file_sha256(path) == compiled.sha256
    except OSError as error:
        raise UnusableModel(f"{shown(path)} can't be read: {error.strerror}.") from error
    if not same:
        raise UnusableModel(
            f"{shown(beside)} is not of this {shown(path)}: they were not written together. "
            f"Copy both from the same place. {AGAIN}"
        )
    return compiled


def check_not_compiled(path: Path) -> None:
    """Raise UnusableModel if a file to be compiled is an ONNX model already, whatever its name."""
    check_is_a_file(path)
    try:
        with path.open("rb") as file:
            if not is_onnx(file.read(1024)):
                return
    except OSError:  # whoever reads all of it says why
        return
    try:
        read_compiled(path)
    except UnusableModel as error:
        raise UnusableModel(
            f"{shown(path)} is an ONNX model, so there is nothing to compile. If `voilearn "
            "compile` wrote it, put its export.json beside it; otherwise compile the export.pkl "
            "that it was made of."
        ) from error
    use = "Use it" if path.suffix.lower() == ".onnx" else "Name it export.onnx, and use it"
    raise UnusableModel(f"{shown(path)} is compiled already. {use} with --model.")


def _read(path: Path, onnx: str) -> Compiled:
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "it is no file")
        with path.open("rb") as file:
            said = json.loads(file.read(MAX_JSON).decode())
        return _compiled(said)
    except FileNotFoundError as error:
        raise UnusableModel(
            f"{onnx} has no {shown(path)} beside it, which says what its answers mean. "
            "`voilearn compile` writes both: copy both."
        ) from error
    except OSError as error:
        raise UnusableModel(f"{shown(path)} can't be read: {error.strerror}.") from error
    except (*NONSENSE, RecursionError) as error:
        raise UnusableModel(
            f"{shown(path)} is damaged, or was not written by voilearn compile. {AGAIN}"
        ) from error


def _compiled(said: dict[str, Any]) -> Compiled:
    model, onnx, agreement = said["model"], said["onnx"], said["agreement"]
    if model["task"] not in ("single-label", "multi-label"):
        raise ValueError(model["task"])
    size, accuracy = said["preprocessing"]["size"], agreement["accuracy"]
    classes = tuple(str(name) for name in _list(model["classes"]))
    thresholds = tuple(float(each) for each in _list(said["thresholds"]))
    multi = model["task"] == "multi-label"
    if not classes or len(set(classes)) != len(classes):
        raise ValueError("classes")
    if len(thresholds) != len(classes) * multi or any(math.isnan(each) for each in thresholds):
        raise ValueError("thresholds")
    if size is not None and not (type(size) is int and 0 < size <= MAX_SIZE):
        raise ValueError("size")
    if not 0 <= float(agreement["max_difference"]) <= 1:
        raise ValueError("max_difference")
    if accuracy is not None and len(_list(accuracy)) != 2:
        raise ValueError("accuracy")
    if (weights := onnx.get("weights", WIDE)) not in (8, 16, WIDE):
        raise ValueError("weights")
    scope = scope_from(said["scope"]) if said.get("scope") is not None else None
    if scope and scope.model.sha256 != model["sha256"]:
        raise ValueError("scope")
    return Compiled(
        ModelInfo(str(model["name"]), str(model["sha256"]), model["task"], classes),
        thresholds,
        size,
        tuple(str(transform) for transform in said["preprocessing"]["transforms"]),
        str(onnx["sha256"]),
        int(onnx["bytes"]),
        int(onnx["opset"]),
        str(onnx["precision"]),
        Agreement(
            int(agreement["pictures"]),
            bool(agreement["made"]),
            int(agreement["labels"]),
            float(agreement["max_difference"]),
            None if accuracy is None else (float(accuracy[0]), float(accuracy[1])),
        ),
        scope,
        weights,
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value
