"""Run a trained fastai Learner in this process: the reference that every other runtime is held to.

In comes the path of an export.pkl; out goes a `Classify`, which is `learn.predict` on a photo's
bytes. Importing this room takes 5 s and 500 MB, for fastai and torch.
"""

import importlib.util
import logging
import os
import pathlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Said on stderr while these libraries are imported, and nothing to a visitor: that matplotlib
# builds a font cache on its first run, and that timm uses a part of torch that will go.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=r".*torch\.jit\.", category=FutureWarning)

import torch  # noqa: E402
from fastai.data.transforms import (  # noqa: E402
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
)
from fastai.learner import Learner  # noqa: E402
from fastai.learner import load_learner as fastai_load_learner  # noqa: E402
from fastai.vision.augment import RandomResizedCrop, Resize  # noqa: E402
from fastai.vision.core import PILBase  # noqa: E402
from PIL import Image  # noqa: E402

from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export_file import UNTOLD, ExportFile, file_sha256, read_export_file  # noqa: E402
from voilearn.image import decode_photo  # noqa: E402
from voilearn.prediction import Classify, ModelInfo, Prediction, predict_from  # noqa: E402

# Older exports name these; they became the package fasttransform (fastai.learner.load_learner).
MOVED_IN_FASTAI_2_8 = ("fastcore.transform.", "fastcore.dispatch.")
RESIZES = (Resize, RandomResizedCrop)
# Names of Python 2 that pickle maps to today's, and the notebook the learner was trained in.
PICKLES_OWN = {"__builtin__", "copy_reg", "__main__"}


def load_classify(path: Path | str = "export.pkl") -> Classify:
    """Load an export.pkl and return the function from a photo's bytes to its Prediction.

    A JPEG is decoded at a reduced scale, with both sides at least twice the size the learner
    resizes to. The function may be called from several threads; they take turns. It raises the
    PhotoErrors of `decode_photo`. Raises UnusableModel if the file can't be opened.
    """
    learn = load_learner(path)
    model = model_info(learn, Path(path))
    thresholds = [float(getattr(learn.loss_func, "thresh", 0.5))] * len(model.classes)
    kind, size = picture_kind(learn, Path(path)), picture_size(learn)
    turn = threading.Lock()

    def predict(picture: Image.Image) -> Prediction:
        item = kind.create(picture.convert(kind._open_args["mode"]))
        with turn, learn.no_bar():
            probabilities = learn.predict(item)[2]
        return predict_from(probabilities.tolist(), model, thresholds)

    def classify(photo: bytes) -> Prediction:
        return predict(decode_photo(photo, at_least=2 * size if size else None))

    _try_out(predict, Path(path))
    return classify


def load_learner(path: Path | str) -> Learner:
    """Open an export.pkl with fastai's own `load_learner`, on the CPU and one thread.

    One photo gains nothing from more threads; left alone, torch starts one for each of the host's
    cores, even in a container that is granted one. Opening runs whatever code the file brings
    along: open only files you trust. Raises UnusableModel, with what to do, if it can't be opened.
    """
    path = Path(path)
    _check_can_open(read_export_file(path))
    torch.set_num_threads(1)
    with _reasons_told(path), _paths_of_any_system(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle's dangers and of what old networks still use
        learn: Learner = fastai_load_learner(path)
    return learn


def model_info(learn: Learner, path: Path) -> ModelInfo:
    """Return who answers: the file's name and hash, the task and the classes of the learner.

    Raises UnusableModel if the learner is not an image classifier.
    """
    transforms = [t for part in getattr(learn.dls, "tls", ()) for t in part.tfms.fs]
    categories = [t for t in transforms if isinstance(t, Categorize)]
    if len(categories) != 1:
        raise _no_image_classifier(path)
    multi = isinstance(categories[0], MultiCategorize | EncodedMultiCategorize)
    return ModelInfo(
        name=path.stem,
        sha256=file_sha256(path),
        task="multi-label" if multi else "single-label",
        classes=tuple(str(name) for name in categories[0].vocab),
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
    if not isinstance(next((t for t in transforms if hasattr(t, "size")), None), RESIZES):
        return None
    sizes = [size for t in transforms for size in _sides(getattr(t, "size", None))]
    return max(sizes, default=None)


def _try_out(predict: Callable[[Image.Image], Prediction], path: Path) -> None:
    """Let the learner answer once, for a plain picture: it is warm then, or known not to work."""
    try:
        predict(Image.new("RGB", (64, 64), "grey"))
    except UnusableModel:
        raise
    except Exception as error:
        raise UnusableModel(
            f"{path.name} opens, but gives no answer to a picture: {type(error).__name__}. "
            "Check that learn.predict works in the notebook it was trained in, and export it again."
        ) from error


def _no_image_classifier(path: Path) -> UnusableModel:
    return UnusableModel(
        f"{path.name} is a fastai learner, but not one that sorts pictures into classes. "
        "Voilearn runs image classifiers: a learner with an ImageBlock and a CategoryBlock."
    )


def _sides(size: Any) -> list[int]:
    sides = size if isinstance(size, tuple | list) else (size,)
    return [int(side) for side in sides if isinstance(side, int) and side > 0]


@contextmanager
def _paths_of_any_system() -> Iterator[None]:
    """Let an export made on Windows open elsewhere, and the reverse: it holds the trainer's paths.

    Python refuses to make a path of the other system; nothing in an export uses them to predict.
    """
    foreign = "PosixPath" if os.name == "nt" else "WindowsPath"
    kept = getattr(pathlib, foreign)
    setattr(pathlib, foreign, type(Path()))
    added = sys.modules.setdefault("pathlib._local", pathlib)  # where Python 3.13 has its paths
    try:
        yield
    finally:
        setattr(pathlib, foreign, kept)
        if added is pathlib:
            del sys.modules["pathlib._local"]


def _check_can_open(export: ExportFile) -> None:
    """Refuse what plain reading shows won't open; fastai loses the name of a missing package."""
    if any(name.startswith(MOVED_IN_FASTAI_2_8) for name in export.references):
        raise UnusableModel(
            f"{export.path.name} was exported by a fastai before 2.8, which today's fastai does "
            "not open. Export it again with fastai 2.8 or newer (learn.load the weights, then "
            "learn.export)."
        )
    packages = {name.split(".")[0] for name in export.references} - PICKLES_OWN - {UNTOLD}
    for package in sorted(packages):
        if package not in sys.modules and importlib.util.find_spec(package) is None:
            raise UnusableModel(
                f"{export.path.name} needs the Python package {package}, which is not installed "
                f"here. Install it (pip install {package}) and try again."
            )


@contextmanager
def _reasons_told(path: Path) -> Iterator[None]:
    """Turn what fastai raises on a file it can't open into a sentence with what to do."""
    try:
        yield
    except AttributeError as error:
        raise UnusableModel(
            f"{path.name} was exported with a function or class of its own notebook, which is not "
            f"here: {str(error).strip().splitlines()[-1].strip()}. "
            "Export the learner again without it, or define it before loading."
        ) from error
    except Exception as error:  # unpickling may raise anything
        raise UnusableModel(
            f"{path.name} can't be opened: it is damaged, or was saved by versions of Python, "
            "torch and fastai too far from those installed here. Export or download it again."
        ) from error
