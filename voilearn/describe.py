"""Write what is inside a model for people to read, and to paste into a bug report.

In comes an `ExportFile`, or a `Compiled` and what its export.onnx is made of; out goes text, a line
or a few for each thing there is to know.
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from voilearn.compiled.description import Compiled
from voilearn.compiled.kept import Kept, NotKept
from voilearn.compiled.onnx_file import OnnxFile
from voilearn.errors import UnusableModel, printable
from voilearn.export.file import ExportFile
from voilearn.export.learner import LearnerRecord
from voilearn.missing import NOT_INSTALLED
from voilearn.scope import scope_of

WIDTH, MARGIN = 100, 17
NO_SCOPE = "none: `voilearn evaluate` makes one of labelled photos"
MOST, MOST_TEXT = 12, 4000  # items of a list, and characters of it


def describe(export: ExportFile, form: Kept | NotKept | None = None) -> str:
    """Return the whole description, in lines of at most 100 characters, but for one to paste.

    `form` is what is kept of the export, compiled.
    """
    rows = [_row(name, value) for name, value in _rows(export, form, _scope(export))]
    if line := _to_install(export)[1]:
        rows.append(f"{'install it by':<{MARGIN}}{printable(line, MOST_TEXT)}")
    return "\n".join(rows)


def describe_compiled(path: Path, compiled: Compiled, file: OnnxFile) -> str:
    """Return the whole description of an export.onnx, in lines of at most 100 characters."""
    return "\n".join(_row(name, value) for name, value in _compiled_rows(path, compiled, file))


def _compiled_rows(path: Path, compiled: Compiled, file: OnnxFile) -> Iterator[tuple[str, str]]:
    model = compiled.model
    yield "file", f"{path} ({_megabytes(compiled.bytes)})"
    yield "sha256", compiled.sha256
    yield "compiled from", f"{model.name}.pkl, whose sha256 is {model.sha256}"
    yield "format", f"ONNX, opset {file.opset}, {compiled.numbers}"
    yield "parameters", f"{file.numbers:,} in {file.operators.total():,} operations"
    yield "operations", _listed([f"{n} {name}" for name, n in file.operators.most_common()])
    yield "task", model.task
    yield f"{len(model.classes):,} classes", _listed(list(model.classes))
    if compiled.thresholds:
        yield "thresholds", _listed([f"{t:g}" for t in compiled.thresholds])
    yield "takes", "colour pictures of any size, as uint8 [height, width, 3]"
    yield "transforms", ", ".join(compiled.transforms) or "none"
    yield "agreement", str(compiled.agreement)
    yield "scope", str(compiled.scope or NO_SCOPE)


def _scope(export: ExportFile) -> str:
    try:
        return str(scope_of(Path(export.path), export.sha256) or NO_SCOPE)
    except UnusableModel as error:
        return str(error)


def _rows(export: ExportFile, form: Kept | NotKept | None, scope: str) -> Iterator[tuple[str, str]]:
    learner, network = export.learner, export.learner.network
    yield "file", f"{export.path} ({_megabytes(export.size)})"
    yield "sha256", export.sha256
    yield "saved by", f"fastai {learner.fastai}, in torch's {export.format} format"
    yield "architecture", network.architecture
    yield "parameters", f"{network.parameters:,} in {sum(network.layers.values()):,} layers"
    yield "layers", _listed([f"{n} {_last(name)}" for name, n in network.layers.most_common()])
    yield "task", learner.task
    yield f"{len(learner.classes):,} classes", _listed(list(learner.classes))
    if learner.task == "multi-label":
        yield "thresholds", _listed([f"{t:g}" for t in learner.thresholds])
    yield "takes", _takes(learner)
    transforms = [str(transform) for transform in learner.transforms]
    yield "transforms", ", ".join(transforms) or "none"
    yield "probabilities", _probabilities(learner)
    yield (
        "size by part",
        f"weights {_megabytes(network.weight_bytes)}, objects {_megabytes(export.pickle_bytes)}, "
        f"the rest {_megabytes(export.other_bytes)}",
    )
    yield "not taken over", "; ".join(learner.dropped) or "nothing"
    yield "own code", _listed(list(learner.own_code)) or "none"
    yield (
        "load_learner",
        f"would import {len(export.references)} names; of no known library: "
        f"{_listed(list(export.unknown_references)) or 'none'}"
        + (f"; runs the bytecode of Python {other}" if (other := export.other_python) else ""),
    )
    if form or not export.hindrance:
        yield "compiled form", str(form or "none is kept here yet: the learner answers")
    told = "it was opened" if export.opened else "as far as reading tells"
    yield "scope", scope
    yield "opens here", "no" if export.hindrance else f"yes, {told}, and nothing in it is run"
    if export.hindrance:
        yield "why not", _to_install(export)[0]


def _to_install(export: ExportFile) -> tuple[str, str]:
    """Return why an export does not open, and the line that installs what it needs, if that is it.

    That line stands alone and is not broken, so that it can be pasted.
    """
    why, absent, line = (export.hindrance or "").partition(f"{NOT_INSTALLED}: ")
    return f"{why}{absent.removesuffix(': ')}", line


def _probabilities(learner: LearnerRecord) -> str:
    loss, ending, by = learner.loss, learner.ending, f"by {learner.activation}"
    if learner.activation is None:
        shown = f"as a run shows, for the loss {loss.name} has no activation"
        return "not known" if learner.hindrance else shown
    if learner.activation in ("none", "exp"):
        by = by if learner.activation == "exp" else "the network's own"
        by += f": it ends in {ending.layer}"
    elif loss.activation and ending.range and ending.range.probabilities:
        by += f", as learn.predict does, after the network's own {ending.layer}"
    return by + (f", assumed: the loss {loss.name} is not fastai's" if learner.assumed else "")


def _takes(learner: LearnerRecord) -> str:
    kind = "colour" if learner.picture == "RGB" else "grey"
    if learner.picture_size is None:
        return f"{kind} pictures of any size"
    height, width = learner.picture_size
    return f"{kind} pictures, {width} x {height} pixels once resized"


def _row(name: str, value: str) -> str:
    lines = textwrap.wrap(printable(value, MOST_TEXT), WIDTH - MARGIN, break_on_hyphens=False) or [
        ""
    ]
    return f"{name:<{MARGIN}}" + ("\n" + " " * MARGIN).join(lines)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size / 1e3:.1f} kB"
