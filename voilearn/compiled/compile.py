"""Compile a learner: export.pkl to export.onnx, and export.json which says what that is.

In come the path of an export.pkl and a folder; out go two files in it, both or neither, and a
`Compiled`. Raises UnusableModel, with the name of what is in the way, if it can't be compiled.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from fastai.learner import Learner
from PIL import Image

from voilearn.compiled.agreement import MADE, Example, agreement, answers, made_pictures, photos_in
from voilearn.compiled.description import WIDE, Agreement, Compiled
from voilearn.compiled.graph import OPSET, graph_of, keep_heavy_weights_in_order
from voilearn.compiled.load import open_session, run
from voilearn.compiled.onnx_file import check_onnx_file
from voilearn.compiled.weights import mean_inputs, narrow_weights
from voilearn.errors import UnusableModel, shown
from voilearn.export.file import read_export_file
from voilearn.model_file import file_sha256
from voilearn.prediction import ModelInfo, Prediction, predict_from
from voilearn.scope import scope_of

# What is further off is no rounding, but another answer: of a probability, and of the labels.
# (The exports of tests/exports have networks that a change of a pixel by one level moves by 0.06.)
FAR_OFF, MOST_LABELS = 0.25, 0.9
UNRESIZED = 0.01  # of a learner that takes photos as they are: there is nothing to round
FEWEST = 100  # photos, half of which int8 is judged on
SAME_LABELS, LOST_ACCURACY = 0.99, 0.005  # what int8 may cost, as shares of the photos
# What weights in fewer bits may cost: of the labels, and of a probability.
NARROW_LABELS, NARROW_OFF = 0.995, 0.02
# From which share of all weights on a layer's are in eight bits; if that is not good enough, the
# next. The layers below the first have a twentieth of the weights of most networks.
EIGHT_BITS = (0.01, 0.03, 0.1)

FILES = ("export.onnx", "export.json")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is compiled: the learner, who it is, and its answers to the examples."""

    learn: Learner
    model: ModelInfo
    thresholds: tuple[float, ...]
    mode: str
    heard: int  # as `graph_of` takes it
    size: int | None
    examples: Sequence[Example]
    before: Sequence[Prediction]

    def without(self, every: int) -> "_Subject":
        """Return the same without each so many-th example, if any are left then."""
        left = [at for at in range(len(self.examples)) if at % every] or [0]
        return replace(
            self,
            examples=[self.examples[at] for at in left],
            before=[self.before[at] for at in left],
        )

    def agreement(self, file: Path, say: Say, narrow: bool = False) -> Agreement:
        """Return how far a compiled file, with `narrow` weights or not, agrees with the learner."""
        session = open_session(file, narrow=narrow)

        def predict(picture: Image.Image) -> Prediction:
            try:
                outputs = run(session, picture)
            except Exception as error:  # ONNX Runtime's errors have no class in common
                raise UnusableModel(
                    f"The compiled model gives no answer to a picture of {picture.width} x "
                    f"{picture.height} pixels, so it was not kept. Export the learner with "
                    "item_tfms=Resize(…), and compile that."
                ) from error
            return predict_from(outputs.probabilities, self.model, self.thresholds)

        return agreement(self.before, answers(predict, self.examples, say), self.examples)


def compile_learner(
    path: Path,
    folder: Path,
    photos: Path | None = None,
    int8: bool = False,
    say: Say = lambda line: None,
    kept: bool = False,
    weights: int = 32,
) -> Compiled:
    """Write export.onnx and export.json for an export.pkl into a folder; return what they say.

    The answers are compared on `photos`, a folder, or on pictures made by code. With `int8` the
    network computes in whole numbers, calibrated on some of the photos, if on the others 99 % of
    the labels are the same and no more than 0.5 points of accuracy are lost; otherwise in float32
    as always. With `weights` of 8 or 16 bits the file is smaller, if 99.5 % of the labels are the
    same and no probability is further off than 0.02; otherwise they are wider. The scope that the
    export.pkl has is in export.json; a form that is `kept` here can answer by any, and has none of
    its own. `say` is told how far it is. Raises UnusableModel, and PhotoNotFound if there are no
    photos.
    """
    if int8 and photos is None:
        raise UnusableModel(
            "An int8 model is calibrated on photos, and kept only if it does well on them. "
            "Name a folder of some hundred with --photos."
        )
    from voilearn.learner import load

    say(f"opening {shown(path)}")
    learn, sha256 = load.open_learner(path)
    model = load.model_info(learn, path, sha256)
    limits = tuple(load.thresholds(learn, len(model.classes)))
    size = load.picture_size(learn)
    mode = load.picture_kind(learn, path)._open_args["mode"]
    scope = None if kept else scope_of(path, sha256)
    heard = len(model.classes) if kept or scope else 0
    examples = photos_in(photos, model.classes) if photos else made_pictures()
    with _room_in(folder) as room:
        say("writing the graph")
        graph = graph_of(learn, mode, heard)
        plain = ir.from_proto(ir.to_proto(graph)) if weights < WIDE else graph
        file = _write(graph, room / "export.onnx")
        say(f"asking the learner about {len(examples):,} pictures")
        before = answers(load.predict_with(learn, path, model), examples, say)
        subject = _Subject(learn, model, limits, mode, heard, size, examples, before)
        found, precision, bits = _checked(subject, file, say), "float32", WIDE
        if int8 and (better := _int8(subject, file, say)):
            found, precision = better, "int8"
        if weights < WIDE:
            found, bits = _narrow(subject, plain, file, weights, found, say)
        compiled = Compiled(
            model,
            limits if model.task == "multi-label" else (),
            size,
            tuple(str(step) for step in read_export_file(path).learner.transforms),
            file_sha256(file),
            file.stat().st_size,
            OPSET,
            precision,
            found,
            scope,
            bits,
        )
        compiled.write(room / "export.json")
        for name in FILES:
            (room / name).replace(folder / name)
    return compiled


@contextmanager
def _room_in(folder: Path) -> Iterator[Path]:
    """Make a folder for what is half done, where the files go, and take it away in the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if (folder / name).is_dir():
                raise IsADirectoryError(0, f"{name} is a folder there")
        with tempfile.TemporaryDirectory(prefix=".compile-", dir=folder) as room:
            yield Path(room)
    except OSError as error:
        raise UnusableModel(
            f"Nothing can be written to {shown(folder)}: {error.strerror}. "
            "Name another folder with -o."
        ) from error


def _write(graph: ir.Model, file: Path, heavy_in_order: bool = True) -> Path:
    """Save a graph as one file, checked by ONNX's own checker and by ours."""
    if heavy_in_order:
        keep_heavy_weights_in_order(graph.graph)
    ir.save(graph, file)
    onnx.checker.check_model(ir.to_proto(graph), full_check=True)
    check_onnx_file(file)
    return file


def _checked(subject: _Subject, file: Path, say: Say) -> Agreement:
    say("asking the compiled model")
    found = subject.agreement(file, say)
    far_off = FAR_OFF if subject.size else UNRESIZED
    if found.max_difference > far_off or found.labels < MOST_LABELS * found.pictures:
        raise UnusableModel(
            f"The compiled model does not give the learner's answers ({found}), so it was not "
            "kept. Use the export.pkl, and please report this network."
        )
    return found


def _int8(subject: _Subject, file: Path, say: Say) -> Agreement | None:
    """Put an int8 model in the file's place and return how far it agrees, if that is far enough."""
    # only now: it imports ONNX Runtime, which `load.py` has to silence first
    from voilearn.compiled.int8 import CALIBRATED_ON, quantize

    say("calibrating int8")
    plain = _write(
        graph_of(subject.learn, subject.mode, subject.heard), file.with_name("plain.onnx"), False
    )
    small = file.with_name("int8.onnx")
    if len(subject.examples) < FEWEST:
        raise UnusableModel(
            f"{len(subject.examples)} photos can't show how good an int8 model is. Name a folder "
            f"of {FEWEST} or more with --photos; some hundred are better."
        )
    every = max(2, len(subject.examples) // CALIBRATED_ON)
    quantize(plain, small, [example.picture for example in subject.examples[::every]])
    check_onnx_file(small)
    found = subject.without(every).agreement(small, say)
    lost = found.accuracy[0] - found.accuracy[1] if found.accuracy else 0.0
    if found.labels < SAME_LABELS * found.pictures or lost > LOST_ACCURACY:
        say(f"int8 is not good enough for this network, so float32 is kept: {found}")
        return None
    small.replace(file)
    return found


def _narrow(
    subject: _Subject, graph: ir.Model, file: Path, bits: int, wide: Agreement, say: Say
) -> tuple[Agreement, int]:
    """Put a model with its weights in fewer bits in the file's place, if one is good enough.

    `wide` is how far the file agrees as it is. Returns the same of what is in its place then, and
    how many bits the weights have.
    """
    small = file.with_name("narrow.onnx")
    every = max(1, len(subject.examples) // MADE)
    means = mean_inputs(graph, [np.asarray(each.picture()) for each in subject.examples[::every]])
    for least in (*EIGHT_BITS, math.inf) if bits == 8 else (math.inf,):
        tried = 16 if least > 1 else 8
        say(f"trying weights of {tried} bits")
        _write(narrow_weights(graph, least, means), small, heavy_in_order=False)
        found = subject.agreement(small, say, narrow=True)
        near = found.max_difference <= max(NARROW_OFF, wide.max_difference)
        if near and found.labels >= min(NARROW_LABELS * found.pictures, wide.labels):
            small.replace(file)
            return found, tried
    say("weights of fewer bits are not good enough for this network, so all 32 are kept")
    return wide, WIDE
