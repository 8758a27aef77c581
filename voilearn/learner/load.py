"""Run a trained fastai Learner in this process: the reference that every other runtime is held to.

In comes the path of an export.pkl; out goes a `Classify`, which is `learn.predict` on a photo's
bytes. The learner is built anew from what the file holds, with today's fastai, and runs none of the
file's own code. Importing this room takes 5 s and 500 MB, for fastai and torch.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from voilearn.learner.quiet import quiet_libraries

quiet_libraries()

import fastai  # noqa: E402
import torch  # noqa: E402
from fastai.callback.progress import ProgressCallback  # noqa: E402, F401  # gives learners no_bar
from fastai.data.transforms import (  # noqa: E402
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
)
from fastai.learner import Learner  # noqa: E402
from fastai.vision.augment import RandomResizedCrop, RatioResize, Resize  # noqa: E402
from fastai.vision.core import PILBase  # noqa: E402
from PIL import Image  # noqa: E402

from voilearn.classifier import Classifier, Predict  # noqa: E402
from voilearn.errors import UnusableModel, VoilearnError, shown  # noqa: E402
from voilearn.export.file import open_export_file  # noqa: E402
from voilearn.export.labels import wrong_with  # noqa: E402
from voilearn.export.records import HinderedLearner, RefusedPickle  # noqa: E402
from voilearn.learner.activation import Make, probabilities_of  # noqa: E402
from voilearn.learner.build import build_learner  # noqa: E402
from voilearn.learner.cost import Clock, allowance  # noqa: E402
from voilearn.learner.head import Head  # noqa: E402
from voilearn.learner.lanes import Lanes  # noqa: E402
from voilearn.learner.trusted import load_trusted  # noqa: E402
from voilearn.model_file import file_sha256  # noqa: E402
from voilearn.prediction import ModelInfo, Prediction, predict_from  # noqa: E402
from voilearn.scope import Outputs, Scope, scope_of  # noqa: E402

RESIZES = (Resize, RandomResizedCrop, RatioResize)


def load_classify(
    path: Path | str = "export.pkl", trust: bool = False, scope: bool = True
) -> Classifier:
    """Load an export.pkl and return the function from a photo's bytes to its Prediction.

    With `scope`, its probabilities are calibrated and it says what is out of scope, if there is an
    export.scope.json beside it.

    The function may be called from several threads; as many photos as there are cores are answered
    at once, where that is safe (`lanes.py`), and one after the other where it is not. It raises the
    PhotoErrors of `decode_photo`. Raises UnusableModel if the file can't be opened; `trust` is as
    in `load_learner`.
    """
    began = time.thread_time()
    learn, sha256 = open_learner(Path(path), trust)
    info, size = model_info(learn, Path(path), sha256), picture_size(learn)
    known = scope_of(Path(path), sha256) if scope else None
    predict = predict_with(learn, Path(path), info, not trust and in_one_size(learn), known)
    granted = allowance(sum(weight.numel() for weight in learn.model.parameters())).seconds
    left = granted - (time.thread_time() - began)
    with nullcontext() if trust else Clock(left):
        try_out(predict, Path(path), size is not None)
    if size is None:
        predict = _of_any_size(predict, Path(path))
    runtime = f"fastai {fastai.__version__}, torch {torch.__version__}"
    return Classifier(predict, size, info, runtime, scope=known)


def predict_with(
    learn: Learner,
    path: Path,
    model: ModelInfo,
    shared: bool = False,
    scope: Scope | None = None,
) -> Predict:
    """Return the function from a picture to its Prediction, which is `learn.predict`.

    `path` is of the learner's export.pkl, `shared` is as in `Lanes`; of a `scope` are `in_scope`
    and what is made of the numbers. Raises UnusableModel if the learner takes no pictures.
    """
    limits = thresholds(learn, len(model.classes))
    outputs = outputs_with(learn, path, model, shared, heard=scope is not None)

    def predict(picture: Image.Image) -> Prediction:
        found = outputs(picture)
        if scope:
            return scope.answer(found, model, limits)
        return predict_from(found.probabilities, model, limits)

    return predict


def outputs_with(
    learn: Learner, path: Path, model: ModelInfo, shared: bool = False, heard: bool = True
) -> Callable[[Image.Image], Outputs]:
    """Return the function from a picture to what `learn.predict` computes of it.

    That is logits and features, too, where `heard`. Raises as `predict_with`.
    """
    kind = picture_kind(learn, path)
    made: list[Make] = []  # once the first picture has shown it
    lanes = Lanes(learn, shared)
    head = Head(learn.model, len(model.classes)) if heard else None

    def outputs(picture: Image.Image) -> Outputs:
        item = kind.create(picture.convert(kind._open_args["mode"]))
        with lanes.one() as ask:
            numbers = ask(item)
            logits, features = (head.logits(), head.features()) if head else (None, None)
            _check_is_a_row(numbers, path)
            if not made:
                with _named(path):
                    made.append(probabilities_of(learn, item, model))
        return Outputs(
            made[0](numbers).tolist(),
            None if logits is None else logits.numpy(),
            None if features is None else features.numpy(),
        )

    return outputs


def _check_is_a_row(numbers: torch.Tensor, path: Path) -> None:
    if numbers.ndim != 1:
        raise UnusableModel(
            f"{shown(path)} answers a photo with {' x '.join(map(str, numbers.shape))} numbers, "
            "and not with a row of one for each class. Put nn.AdaptiveAvgPool2d(1) and "
            "nn.Flatten() at the end of its network, and export it again."
        )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of which file it is that a learner's answers can't be told."""
    try:
        yield
    except HinderedLearner as error:
        raise UnusableModel(f"{shown(path)} {error}") from error


def load_learner(path: Path | str, trust: bool = False) -> Learner:
    """Open an export.pkl of any fastai 2, on the CPU and one thread, running none of its code.

    The learner is today's, built from the file's weights, classes and transforms; its `predict`
    gives what the exported one gave. With `trust`, fastai's own `load_learner` opens it, which runs
    whatever code the file brings along: for layers and transforms of the author's own.

    One photo gains nothing from more threads; left alone, torch starts one for each of the host's
    cores, even in a container that is granted one. Raises UnusableModel, with what to do, if the
    file can't be opened.
    """
    return open_learner(Path(path), trust)[0]


def open_learner(path: Path, trust: bool = False) -> tuple[Learner, str]:
    """Return what `load_learner` does, and the SHA-256 of the file that it is of."""
    torch.set_num_threads(1)
    if trust:
        return load_trusted(path), file_sha256(path)
    with open_export_file(path) as (export, file):
        if export.hindrance:
            raise UnusableModel(export.hindrance)
        with _named(path):
            return build_learner(export.learner, file), export.sha256


def model_info(learn: Learner, path: Path, sha256: str) -> ModelInfo:
    """Return who answers: the file's name and hash, the task and the classes of the learner.

    Raises UnusableModel if the learner is not an image classifier, or can't name its classes.
    """
    transforms = [t for part in getattr(learn.dls, "tls", ()) for t in part.tfms.fs]
    categories = [t for t in transforms if isinstance(t, Categorize)]
    if len(categories) != 1:
        raise _no_image_classifier(path)
    multi = isinstance(categories[0], MultiCategorize | EncodedMultiCategorize)
    labels = list(categories[0].vocab)
    classes = tuple(map(str, labels))
    if wrong := wrong_with(classes, [type(label).__name__ for label in labels]):
        raise UnusableModel(f"{shown(path)} {wrong}")
    return ModelInfo(
        name=path.stem,
        sha256=sha256,
        task="multi-label" if multi else "single-label",
        classes=classes,
    )


def picture_kind(learn: Learner, path: Path) -> Any:
    """Return fastai's class of the pictures the learner takes: PILImage, or PILImageBW.

    Raises UnusableModel if it takes no pictures.
    """
    kinds = [t for t in learn.dls.tls[0].types if isinstance(t, type) and issubclass(t, PILBase)]
    if not kinds:
        raise _no_image_classifier(path)
    return kinds[-1]


def picture_size(learn: Learner) -> int | None:
    """Return the longest side, in pixels, that the learner's transforms resize a photo to.

    None if they don't: what they cut out by the pixel, as CropPad does, is another part of a
    photo that was decoded at a reduced scale.
    """
    transforms = [*learn.dls.after_item.fs, *learn.dls.after_batch.fs]
    if not isinstance(next((t for t in transforms if _changes_size(t)), None), RESIZES):
        return None
    sizes = [
        size
        for t in transforms
        for size in (*_sides(getattr(t, "size", None)), *_sides(getattr(t, "max_sz", None)))
    ]
    return max(sizes, default=None)


def in_one_size(learn: Learner) -> bool:
    """Tell whether all pictures come to the network in one size, whatever the photo's is."""
    transforms = [*learn.dls.after_item.fs, *learn.dls.after_batch.fs]
    first = next((t for t in transforms if _changes_size(t)), None)
    return isinstance(first, RESIZES) and not isinstance(first, RatioResize)


def try_out(predict: Callable[[Image.Image], object], path: Path, sized: bool) -> None:
    """Let the learner answer once, for a plain picture: it is warm then, or known not to work.

    One that does not resize its photos may work with those of the right size only.
    """
    try:
        predict(Image.new("RGB", (64, 64), "grey"))
    except UnusableModel:
        raise
    except RefusedPickle as error:
        reason = f"{shown(path)} can't be used: {str(error)[:1].lower()}{str(error)[1:]}."
        raise UnusableModel(f"{reason} {error.advice}".strip()) from error
    except Exception as error:
        if not sized:
            return
        raise UnusableModel(
            f"{shown(path)} opens, but gives no answer to a picture: {type(error).__name__}. "
            "Check that learn.predict works in the notebook it was trained in, and export it again."
        ) from error


def _of_any_size(predict: Predict, path: Path) -> Predict:
    """Say it of the picture, if a learner that does not resize photos gives no answer to it."""

    def of_any_size(picture: Image.Image) -> Prediction:
        try:
            return predict(picture)
        except VoilearnError:
            raise
        except Exception as error:
            width, height = picture.size
            raise UnusableModel(
                f"{shown(path)} gives no answer to a picture of {width} x {height} pixels "
                f"({type(error).__name__}): it does not resize photos, and its network may take "
                "those of one size alone. Export it again with item_tfms=Resize(…)."
            ) from error

    return of_any_size


def _no_image_classifier(path: Path) -> UnusableModel:
    return UnusableModel(
        f"{shown(path)} is a fastai learner, but not one that sorts pictures into classes. "
        "Voilearn runs image classifiers: a learner with an ImageBlock and a CategoryBlock."
    )


def _sides(size: Any) -> list[int]:
    sides = size if isinstance(size, tuple | list) else (size,)
    return [int(side) for side in sides if isinstance(side, int) and side > 0]


def _changes_size(transform: Any) -> bool:
    return hasattr(transform, "size") or hasattr(transform, "max_sz")


def thresholds(learn: Learner, classes: int) -> list[float]:
    """Return the probability from which on each class counts, of a multi-label learner."""
    given = getattr(learn.loss_func, "thresh", 0.5)
    each = given.tolist() if isinstance(given, torch.Tensor) and given.ndim else [given] * classes
    return [float(threshold) for threshold in each]
