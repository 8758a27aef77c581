"""Open a model, whichever kind of file it is: an export.pkl, or an export.onnx compiled from one.

In comes a path; out goes a `Classify`. The room that runs it is opened only now: torch and fastai
for the one, ONNX Runtime for the other.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voilearn.classifier import Classifier


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
    from voilearn.learner import load as learner

    return learner.load_classify(path, trust)


def is_compiled(path: Path | str) -> bool:
    """Say whether a model's file is named as a compiled one."""
    return Path(path).suffix.lower() == ".onnx"
