"""Open a model, whichever kind of file it is: an export.pkl, or an export.onnx compiled from one.

In comes a path; out goes a `Classify`, or what is in an export.pkl. The room that runs it is opened
only now: torch and fastai for the one, ONNX Runtime for the other.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from voilearn.errors import UnusableModel, UnusableSettings, printable, shown
from voilearn.missing import is_missing, missing
from voilearn.model_file import file_sha256
from voilearn.scope import scope_of

if TYPE_CHECKING:
    from voilearn.classifier import Classifier
    from voilearn.export.file import ExportFile

Runtime = Literal["auto", "learner"]
RUNTIME = "VOILEARN_RUNTIME"  # the variable that says it where nobody else does


def load_classify(
    path: Path | str = "export.pkl",
    trust: bool = False,
    fold: bool = False,
    runtime: Runtime | None = None,
    scope: bool = True,
) -> "Classifier":
    """Load a model and return the function from a photo's bytes to its Prediction.

    The function may be called from several threads, and raises the PhotoErrors of `decode_photo`.
    An export.pkl is answered for by its compiled form, where one is kept (`compiled/kept.py`), and
    else by the learner; with `runtime` "learner" by the learner always, which is the reference.
    By default `runtime` is what VOILEARN_RUNTIME says, or "auto". `trust` is as in
    `learner/load.py`, and means the learner; a compiled model has no code that it could let run.
    `fold` is as in `compiled/load.py`, and of no account for a learner. Without `scope`, what
    `voilearn evaluate` found of the model is left out. Raises UnusableModel, with
    what to do, if the file can't be used, and UnusableSettings for another runtime.
    """
    wanted = runtime_of(runtime)
    if is_compiled(path):
        from voilearn.compiled import load as compiled

        return compiled.load_classify(path, fold, scope=scope)
    from voilearn.export.file import check_first_bytes

    check_first_bytes(path)
    if wanted == "auto" and not trust and (classify := kept_form(Path(path), fold, scope)):
        return classify
    if not trust:
        check_libraries(path)
    from voilearn.learner import load as learner

    return learner.load_classify(path, trust, scope)


def keep_form(path: Path, classify: "Classifier", runtime: Runtime | None = None) -> bool:
    """Have the compiled form of an export.pkl made in the background, if the learner answers now.

    `classify` is what `load_classify` returned, without `trust`, for the same `path` and `runtime`.
    Says whether that was begun.
    """
    if runtime_of(runtime) != "auto" or classify.agreement is not None:
        return False
    from voilearn.compiled import kept

    return kept.begin(path)


def runtime_of(runtime: str | None) -> Runtime:
    """Return which runtime is wanted; raises UnusableSettings if it is none that there is."""
    wanted = runtime or os.environ.get(RUNTIME) or "auto"
    for known in get_args(Runtime):
        if wanted == known:
            return known  # type: ignore[no-any-return]  # typing has it as Any
    raise UnusableSettings(
        f'The runtime "{printable(wanted, 60)}" is none that there is: name auto or learner.'
    )


def kept_form(path: Path, fold: bool = False, scope: bool = True) -> "Classifier | None":
    """Return the compiled form of an export.pkl, if a good one is kept and opens."""
    from voilearn.compiled import kept

    try:
        sha256 = file_sha256(path)
        found = kept.look(sha256)
        if not isinstance(found, kept.Kept):
            return None
        from voilearn.compiled import load as compiled

        known = scope_of(path, sha256) if scope else None
        return compiled.load_classify(found.file, fold, path.stem, known)
    except (UnusableModel, ImportError, OSError):  # the learner says what is wrong with its file
        return None


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
    if runtime_of(None) == "auto" and kept_form(Path(path)):
        return replace(export, hindrance=None, opened=True)
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
    from voilearn.compiled import kept
    from voilearn.export.file import read_export_file

    export = read_export_file(path)
    if export.hindrance and not (
        runtime_of(None) == "auto" and isinstance(kept.look(export.sha256), kept.Kept)
    ):
        raise UnusableModel(export.hindrance)


def is_compiled(path: Path | str) -> bool:
    """Say whether a model's file is named as a compiled one."""
    return Path(path).suffix.lower() == ".onnx"
