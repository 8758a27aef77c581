"""Run a compiled learner in this process: its answers without torch, fastai or numpy's friends.

In comes the path of an export.onnx with its export.json beside it; out goes a `Classify`. Nothing
but ONNX Runtime, numpy and Pillow is needed (`benchmarks/compiled.py` has time and memory).
"""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# ONNX Runtime's own wheels tell Microsoft of each session, and leave an identifier in the home
# folder, unless this is set before it is imported. Source: its pull request 27379.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from PIL import Image

from voilearn.classifier import Classifier
from voilearn.compiled.description import Compiled, read_compiled
from voilearn.compiled.onnx_file import check_onnx_file
from voilearn.errors import UnusableModel, shown
from voilearn.prediction import Prediction, predict_from
from voilearn.scope import Outputs, Scope

OPENING_SECONDS = 60.0  # a Raspberry Pi Zero takes some; a graph made to hang takes for ever
SILENT = 4  # of ONNX Runtime's levels: what it tells on stderr, it raises as well
GRACE = 5.0  # seconds for an operation to end, after which a graph is stopped


def load_classify(
    path: Path | str = "export.onnx",
    fold: bool = False,
    name: str | None = None,
    scope: Scope | bool | None = True,
) -> Classifier:
    """Load an export.onnx and return the function from a photo's bytes to its Prediction.

    With `fold`, it is opened as `open_session` says. `name` is what the model is called, if not
    as in export.json. `scope` is the one to answer by; True is that of export.json, if it has one.

    Photos are decoded as for the learner, and the answers are the learner's to within what
    export.json says. The function may be called from several threads at once; each call takes one.
    It raises the PhotoErrors of `decode_photo`. Raises UnusableModel, with what to do, if the file
    can't be used.
    """
    path = Path(path)
    check_onnx_file(path)
    compiled = read_compiled(path)
    if name is not None:
        compiled = replace(compiled, model=replace(compiled.model, name=name))
    trial = onnxruntime.RunOptions()
    known = (compiled.scope if scope else None) if isinstance(scope, bool) else scope
    predict = _within(
        OPENING_SECONDS, lambda: _opened(path, compiled, known, trial, fold), path, trial
    )
    runtime = f"onnxruntime {onnxruntime.__version__}"
    agreement = compiled.agreement.max_difference
    return Classifier(predict, compiled.size, compiled.model, runtime, agreement, known)


def open_session(
    model: Path | bytes, fold: bool = False, narrow: bool = False
) -> onnxruntime.InferenceSession:
    """Open a model with one thread a call, which is what one photo gains from.

    Constants are left as they are: the graph has been folded when it was made, and what is left is
    there to save memory (`graph.py`). With `fold` they are folded: a large network takes a tenth
    less time, and its weights twice the memory. So are the weights of a file that holds them in
    fewer bits (`narrow`), or they would be widened for each photo. Raises what ONNX Runtime does.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    # What a photo took is given back after it: an arena keeps the most that any photo ever took,
    # and planned memory the most of all steps at once. It costs no time that could be measured.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.add_session_config_entry("session.load_model_format", "ONNX")  # whatever its name
    if narrow:  # ONNX Runtime keeps what is quantized as it is, to compute in whole numbers
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    elif not fold:
        kept = "optimization.disable_specified_optimizers"
        options.add_session_config_entry(kept, "ConstantFolding")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(
    session: onnxruntime.InferenceSession,
    picture: Image.Image,
    options: onnxruntime.RunOptions | None = None,
    heard: bool = False,
) -> Outputs:
    """Return what the model gives for an RGB picture of any size, in the order of classes.

    That is logits and features, too, where they are `heard` and the file has them. Raises what ONNX
    Runtime does.
    """
    names = [output.name for output in session.get_outputs()] if heard else ["probabilities"]
    found = session.run(names, {"photo": np.asarray(picture)}, options)
    told = {name: np.asarray(numbers) for name, numbers in zip(names, found, strict=True)}
    probabilities: list[float] = told["probabilities"].tolist()
    return Outputs(probabilities, told.get("logits"), told.get("features"))


def _opened(
    path: Path,
    compiled: Compiled,
    scope: Scope | None,
    trial: onnxruntime.RunOptions,
    fold: bool,
) -> Callable[[Image.Image], Prediction]:
    """Return the function from a picture to its Prediction, tried out on a plain one."""
    try:
        session = open_session(path, fold, compiled.narrow)
    except Exception as error:  # ONNX Runtime's errors have no class in common
        raise UnusableModel(
            f"{shown(path)} can't be opened: ONNX Runtime {onnxruntime.__version__} finds it "
            "damaged, or too new. Copy it again, or update onnxruntime."
        ) from error
    _check_sides(session, path, len(compiled.model.classes))

    def predict(picture: Image.Image, options: onnxruntime.RunOptions | None = None) -> Prediction:
        try:
            outputs = run(session, picture, options, scope is not None)
        except Exception as error:
            raise UnusableModel(
                f"{shown(path)} gives no answer to a picture of {picture.width} x "
                f"{picture.height} pixels. Compile it again from its export.pkl."
            ) from error
        if scope:
            return scope.answer(outputs, compiled.model, compiled.thresholds)
        return predict_from(outputs.probabilities, compiled.model, compiled.thresholds)

    predict(Image.new("RGB", (64, 64), "grey"), trial)
    return predict


def _check_sides(session: onnxruntime.InferenceSession, path: Path, classes: int) -> None:
    """Raise UnusableModel unless the model goes from a photo to so many probabilities."""
    takes = [(side.name, side.type, len(side.shape)) for side in session.get_inputs()]
    gives = {side.name: (side.type, side.shape) for side in session.get_outputs()}
    numbers = ("tensor(float)", [classes])
    right = gives.get("probabilities") == numbers and gives.get("logits", numbers) == numbers
    others = gives.keys() - {"probabilities", "logits", "features"}
    if takes != [("photo", "tensor(uint8)", 3)] or not right or others:
        raise UnusableModel(
            f"{shown(path)} is an ONNX model, but not one that `voilearn compile` wrote: it does "
            f"not go from a photo's pixels to {classes:,} probabilities. Compile its export.pkl."
        )


def _within(
    seconds: float, work: Callable[[], Any], path: Path, trial: onnxruntime.RunOptions
) -> Any:
    """Return what `work` does; raise UnusableModel if it takes longer.

    ONNX Runtime looks between two operations whether it is to stop. In a thread, which is left
    behind if one of them does not end.
    """
    outcome: list[Any] = []

    def try_it() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  # raised below, in the thread that asked
            outcome.append(error)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        trial.terminate = True
        thread.join(GRACE)
        raise UnusableModel(
            f"{shown(path)} gave no answer to a small grey picture in {seconds:.0f} seconds. "
            "Compile it again from its export.pkl."
        )
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
