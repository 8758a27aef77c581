"""Say what a file is that stands in the place of an export.pkl, and what to do.

In come a file's first bytes, or the names found in it; out comes UnusableModel with the sentence.
What people have most often is in the first lines: of 126 files named export.pkl on GitHub, 88 were
Git LFS pointers.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from voilearn.errors import UnusableModel
from voilearn.plain_values import name_of, printable, state_of

EXPORT = "Run learn.export() where the model was trained, and use the export.pkl that it writes."
BUILD_LEARNER = (
    "Build the learner as you did for training, then learn.load() these weights and learn.export()."
)


def shown(path: Path) -> str:
    """Return a file's name as it can be shown, whatever is in it."""
    return printable(path.name, 80)


def check_is_a_file(path: Path) -> None:
    """Raise UnusableModel unless `path` is a regular file that is not empty."""
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError):  # a name that is no name
        is_folder, is_file = False, False
    if is_folder:
        inside = "Name the export.pkl file inside it."
        raise UnusableModel(f"{shown(path)} is a folder. {inside}")
    if not is_file:
        raise UnusableModel(
            f"There is no file {shown(path)} here. Put the export.pkl that learn.export() wrote "
            "beside app.ipynb, or name it with --model."
        )
    if not path.stat().st_size:
        raise UnusableModel(f"{shown(path)} is empty: it has 0 bytes. Export or download it again.")


def check_head(name: str, head: bytes) -> None:
    """Raise UnusableModel where a file's first kilobyte tells that it is something else."""
    head = _without_mark(head)
    for pattern, sentence in HEADS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            raise UnusableModel(f"{name} is {sentence}")
    text = head[:60].decode("utf-8", "replace").strip()
    if len(text) > 8 and text.isprintable() and not text.startswith("("):
        raise UnusableModel(f"{name} is a text file that begins with {text!r}. {EXPORT}")


def _without_mark(head: bytes) -> bytes:
    """Return a text without its byte order mark, in UTF-8; anything else as it is."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


HEADS: tuple[tuple[bytes, str], ...] = (
    (
        rb"version https://git-lfs",
        "only a Git LFS pointer: the model itself was not downloaded. Run `git lfs install` and "
        "then `git lfs pull` in this folder.",
    ),
    (
        rb"\s*+<[a-z!?]",
        "a web page, saved in the place of the model. On the page you downloaded it from, use the "
        "Download (or Raw) button.",
    ),
    (
        rb".{8}\{\s*\"",
        "a safetensors file: weights alone, without the learner. Build the learner as you did for "
        "training, learn.model.load_state_dict(safetensors.torch.load_file(…)), learn.export().",
    ),
    (
        rb"\x08[\x01-\x0f].{0,64}(pytorch|onnx|tf2onnx)|\x08[\x01-\x0f]\x12",
        "an ONNX model. If `voilearn compile` wrote it, name it export.onnx, with its export.json "
        "beside it; otherwise use the export.pkl that it was made of.",
    ),
    (rb"\x89HDF", f"an HDF5 file, as Keras writes it, not a fastai export. {EXPORT}"),
    (rb"\x93NUMPY", f"a numpy array, not a fastai export. {EXPORT}"),
    (
        rb"\x80[\x02-\x05].{0,900}?(joblib|sklearn)",
        f"a scikit-learn model, not a fastai export. {EXPORT}",
    ),
    (
        rb"\x00\x05\x16\x07",
        "a side file of macOS (._export.pkl), not the model itself. Copy the file without the ._ "
        "in front of its name.",
    ),
    (rb"\x00{512}", "all zeros: a download that was not finished. Download it again."),
    (rb".{257}ustar", "a tar archive. Unpack it, and use the export.pkl inside."),
    (
        rb"\x1f\x8b|BZh|7z\xbc|Rar!|\xfd7zXZ",
        "a compressed archive. Unpack it, and use the export.pkl inside.",
    ),
    (
        rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP|.{4}ftyp(heic|avif|mif1)",
        "a picture. Name the model with --model, the photos after it.",
    ),
    (rb"\s*\{", f"a JSON or text file, not a fastai export. {EXPORT}"),
)


def of_zip(name: str, members: Iterable[str]) -> UnusableModel:
    """Say what a zip is whose members are not those of torch.save."""
    names = list(members)
    if any(n.endswith("/constants.pkl") or "/code/" in n for n in names):
        return UnusableModel(
            f"{name} is a TorchScript model: compiled code, without the learner's classes and "
            f"picture size. {EXPORT}"
        )
    inside = next((n for n in names if n.endswith((".pkl", ".pth", ".pt"))), None)
    if any(n.endswith("/data.pkl") for n in names):
        return UnusableModel(
            f"{name} was packed again by another program. Unpack it, and use the file as "
            f"learn.export() wrote it."
        )
    if inside:
        return UnusableModel(
            f"{name} is a zip with {inside!a:.80} in it. Unpack it, and name that file."
        )
    return UnusableModel(f"{name} is a zip file of something else, not an export.pkl. {EXPORT}")


def of_pickle(name: str, names: Iterable[str], root: Any) -> UnusableModel:
    """Say what a pickle is that torch.save did not write; `names` are the classes in it."""
    if "_modules" in state_of(root):
        return UnusableModel(f"{name} {WHOLE_MODULE}")
    packages = {n.split(".")[0] for n in names}
    for package, kind in PICKLES.items():
        if package in packages:
            return UnusableModel(f"{name} is a pickle of {kind}, not a fastai export. {EXPORT}")
    if "fastai" in packages:
        return UnusableModel(
            f"{name} was pickled by Python's pickle, not by learn.export(). {EXPORT}"
        )
    return UnusableModel(f"{name} is a pickle ({name_of(root)}), not a fastai export. {EXPORT}")


PICKLES = {
    "sklearn": "a scikit-learn model",
    "joblib": "joblib's, as scikit-learn models are saved",
    "xgboost": "an XGBoost model",
    "lightgbm": "a LightGBM model",
    "keras": "a Keras model",
    "tensorflow": "a TensorFlow model",
    "pandas": "a pandas table",
    "numpy": "numpy arrays",
}

# Learners of other work, by the names in them that no image classifier has
KINDS = (
    ("fastai.text.", "a text learner"),
    ("fastai.collab.", "a collaborative filtering learner"),
    ("fastai.tabular.", "a tabular learner"),
    ("fastai.vision.core.PILMask", "a segmentation learner"),
    ("fastai.vision.core.AddMaskCodes", "a segmentation learner"),
    ("fastai.vision.core.TensorBBox", "an object detection learner"),
    ("fastai.vision.core.BBoxLabeler", "an object detection learner"),
    ("fastai.vision.core.PointScaler", "a learner that finds points in pictures"),
    ("fastai.vision.gan.", "a learner that makes pictures (a GAN)"),
    ("fastai.data.transforms.RegressionSetup", "a regression learner: it answers with numbers"),
)


def of_learner(name: str, names: Iterable[str]) -> UnusableModel:
    """Say what kind of learner this is, which sorts no pictures into classes."""
    names = list(names)
    for start, kind in KINDS:
        if any(n.startswith(start) for n in names):
            return UnusableModel(f"{name} is {kind}. {ONLY_IMAGES}")
    return UnusableModel(
        f"{name} is a fastai learner, but not one that sorts pictures into classes. {ONLY_IMAGES}"
    )


ONLY_IMAGES = (
    "Voilearn runs image classifiers: a learner with an ImageBlock and a CategoryBlock or "
    "MultiCategoryBlock."
)
IF_YOU_TRUST = (
    "If you trust whoever made it, open it with --trust (trust=True): that runs the code in it, "
    "and needs that class where the file is opened."
)
OR_TRUST = (
    "Export it again from known layers; or, if you trust whoever made it, open it with --trust "
    "(trust=True), which runs the code in it."
)
WEIGHTS_ONLY = (
    "holds weights alone (a state_dict, or what learn.save writes), without the learner: no "
    f"classes, no picture size. {BUILD_LEARNER}"
)
WHOLE_MODULE = (
    "is a whole network (torch.save of the model), without the learner: no classes, no picture "
    "size. Put it into the learner that it was trained with, and learn.export() that."
)
FASTAI_1 = (
    "was exported by fastai v1, whose learners no fastai 2 reads. In an "
    "environment with fastai 1, save the weights; then load them in a learner of fastai 2 and "
    "learn.export()."
)
