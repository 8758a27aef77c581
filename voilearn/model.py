"""Open a model, whichever kind of file it is: an export.pkl, or an export.onnx compiled from one.

In comes a path; out goes a `Classify`, or what is in an export.pkl. The room that runs it is opened
only now: torch and fastai for the one, ONNX Runtime for the other.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from voilearn.errors import UnusableModel, shown
from voilearn.missing import is_missing, missing

if TYPE_CHECKING:
    from voilearn.classifier import Classifier
    from voilearn.export.file import ExportFile


def load_classify(
    path: Path | str = "export.pkl", trust: bool = False, fold: bool = False
) -> "Classifier":
    """Load a model and return the function from a photo's bytes to its Prediction.

    The function may be called from several threads, and raises the PhotoErrors of `decode_photo`.
    `trust` is as in `learner/load.py`; a compiled model has no code that it could let run.
    `fold` is as in `compiled/load.py`, and of no account for a learner. Raises
    UnusableModel, with what to do, if the file can't be used.
    """
    if is_compiled(path):
        from voilearn.compiled import load as compiled

        return compiled.load_classify(path, fold)
    from voilearn.export.file import check_first_bytes

    check_first_bytes(path)
    if not trust:
        check_libraries(path)
    from voilearn.learner import load as learner

    return learner.load_classify(path, trust)


def check_libraries(path: Path | str) -> None:
    """Raise UnusableModel, with all that this very model needs, where there is no fastai here."""
    from voilearn.export.file import read_export_file

    if is_missing("fastai") and (hindrance := read_export_file(path).hindrance):
        raise UnusableModel(hindrance)


def inspect_export(path: Path | str) -> "ExportFile":
    """Return what is in an export.pkl; whether it opens here is found out by opening it.

    That loads torch, unless reading already shows a hindrance, such as that torch is not installed.
    Raises UnusableModel for a file that is no export of an image classifier.
    """
    from voilearn.export.file import read_export_file

    export = read_export_file(path)
    if export.hindrance:
        return export
    try:
        load_classify(path)
    except UnusableModel as error:
        return replace(export, hindrance=str(error))
    except ImportError as error:
        return replace(export, hindrance=f"{shown(export.path)} can't be opened. {missing(error)}")
    return replace(export, opened=True)


def check_model(path: Path) -> None:
    """Raise UnusableModel for a file that is seen to be no good before any runtime is imported."""
    if is_compiled(path):
        from voilearn.compiled.description import read_compiled
        from voilearn.compiled.onnx_file import check_onnx_file

        check_onnx_file(path)
        read_compiled(path)
        return
    from voilearn.export.file import read_export_file

    if hindrance := read_export_file(path).hindrance:
        raise UnusableModel(hindrance)


def is_compiled(path: Path | str) -> bool:
    """Say whether a model's file is named as a compiled one."""
    return Path(path).suffix.lower() == ".onnx"
