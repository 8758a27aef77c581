"""Say what a file is that stands in the place of an export.pkl, and what to do.

In come the names found in a zip, a pickle or a learner; out comes UnusableModel with the sentence.
What a file's first bytes tell already, `model_file.py` has said before.
"""

import re
from collections.abc import Iterable
from typing import Any

from voilearn.errors import UnusableModel
from voilearn.export.plain import name_of, state_of
from voilearn.export.tensors import tensor_of
from voilearn.model_file import EXPORT

BUILD_LEARNER = "Build the learner as you did for training, then {}, and learn.export() it."


def of_zip(name: str, members: Iterable[str]) -> UnusableModel:
    """Say what a zip is whose members are not those of torch.save."""
    names = [n for n in members if not n.startswith("__MACOSX/")]
    if not names:
        return UnusableModel(f"{name} is an empty zip file. {EXPORT}")
    for end, kind in ZIPS:
        if any(end in f"/{n}/" for n in names):
            return UnusableModel(f"{name} is {kind}, not a fastai export. {EXPORT}")
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


# By a part of a member's path, between slashes
ZIPS = (
    ("/archive_format/", "a network that torch.export wrote (.pt2)"),
    ("/model.weights.h5/", "a Keras model"),
    ("/saved_model.pb/", "a TensorFlow model (SavedModel)"),
    (".mlpackage/", "a Core ML model"),
    (".npy/", "numpy arrays (.npz)"),
    ("/pytorch_model.bin/", "a model of Hugging Face's transformers"),
)


def of_pickle(name: str, names: Iterable[str], root: Any) -> UnusableModel:
    """Say what a pickle is that torch.save did not write; `names` are the classes in it."""
    return (
        of_part(name, root)
        or _of_packages(name, [name_of(root)])
        or _of_packages(name, names if isinstance(root, dict | list | tuple) else ())
        or UnusableModel(f"{name} is a pickle ({name_of(root)}), not a fastai export. {EXPORT}")
    )


def _of_packages(name: str, names: Iterable[str]) -> UnusableModel | None:
    packages = {n.split(".")[0] for n in names}
    kind = next((kind for package, kind in PICKLES.items() if package in packages), None)
    if kind is None:
        return None
    return UnusableModel(f"{name} is a pickle of {kind}, not a fastai export. {EXPORT}")


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


def of_part(name: str, root: Any) -> UnusableModel | None:
    """Say which part of a learner's work a file holds in place of the learner, if it is one."""
    state = state_of(root)
    if "dls" in state and "model" in state:
        return UnusableModel(f"{name} {PICKLED}")
    if "_modules" in state:
        return UnusableModel(f"{name} {WHOLE_MODULE}")
    for keys, what in PARTS:
        if keys <= state.keys():
            return UnusableModel(
                f"{name} holds {what} alone, without the learner's network. Export the whole "
                "learner, learn.export(), and use the export.pkl that it writes."
            )
    if name_of(root) in ("collections.OrderedDict", "torch.Tensor") or tensor_of(root):
        return UnusableModel(f"{name} {WEIGHTS_ONLY}")
    return _of_dict(name, root) if isinstance(root, dict) and root else None


# What each has in its state that others have not
PARTS = (
    ({"loaders"}, "a learner's data loaders (dls)"),
    ({"after_item", "after_batch"}, "a data loader"),
    ({"tls"}, "a learner's data sets"),
    ({"items", "o2i"}, "a learner's vocab"),
    ({"param_groups"}, "an optimizer"),
)


def _of_dict(name: str, root: dict[Any, Any]) -> UnusableModel | None:
    """Say what a dict is that somebody saved: a checkpoint, in one of many ways."""
    keys = {key for key in root if isinstance(key, str)}
    if root.keys() <= {"model", "opt"}:  # as learn.save writes it
        return UnusableModel(f"{name} {WEIGHTS_ONLY}")
    for key, value in root.items():
        if "dls" in state_of(value):
            return UnusableModel(
                f"{name} is a dict with a learner in it, {key!a:.40}. Take that out where it was "
                "trained, learn.export() it, and use the export.pkl that this writes."
            )
        if "_modules" in state_of(value):
            return UnusableModel(
                f"{name} is a dict with a network in it, {key!a:.40}: it {NETWORK}"
            )
    if weights := next((key for key in WEIGHTS if key in keys), None):
        by = "a checkpoint of Lightning" if "pytorch-lightning_version" in keys else "a checkpoint"
        load = f"learn.model.load_state_dict(torch.load(…)[{weights!r}])"
        return UnusableModel(f"{name} is {by}: {NO_LEARNER}. {BUILD_LEARNER.format(load)}")
    if all(tensor_of(value) for value in root.values()):
        return UnusableModel(f"{name} {WEIGHTS_ONLY}")
    return None


WEIGHTS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "net",
    "model",
    "weights",
    "state_dict_ema",
)


def of_unreadable(name: str, begun: bytes) -> UnusableModel | None:
    """Say what a pickle is that can't be read to its end, by the names in its first megabytes."""
    if not begun.startswith(b"\x80") or begun.startswith(LEGACY):
        return None
    for pattern, sentence in BEGUN:
        if re.search(pattern, begun):
            return UnusableModel(f"{name} {sentence}")
    return None


LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # what torch.save began with until 1.6


# Learners of other work, by the names in them that no image classifier has
KINDS = (
    ("fastai.text.", "a text learner"),
    ("fastai.collab.", "a collaborative filtering learner"),
    ("fastai.tabular.", "a tabular learner"),
    ("ultralytics.", "a YOLO model, which finds objects"),
    ("models.yolo.", "a YOLO model, which finds objects"),
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
    return of_kind(name, names) or UnusableModel(
        f"{name} is a fastai learner, but not one that sorts pictures into classes. {ONLY_IMAGES}"
    )


def of_kind(name: str, names: Iterable[str]) -> UnusableModel | None:
    """Say of what other work a learner or network is, by the names in it."""
    names = list(names)
    kind = next((k for start, k in KINDS if any(n.startswith(start) for n in names)), None)
    return UnusableModel(f"{name} is {kind}. {ONLY_IMAGES}") if kind else None


ONLY_IMAGES = (
    "Voilearn runs image classifiers: a learner with an ImageBlock and a CategoryBlock or "
    "MultiCategoryBlock."
)
IF_YOU_TRUST = (
    "If you trust whoever made it, open it with --trust (trust=True): that runs the code in it, "
    "and needs that class where the file is opened."
)
OR_TRUST = (
    "Export it again without that; or, if you trust whoever made it, open it with --trust "
    "(trust=True), which runs the code in it."
)
TOO_MUCH = (
    "An export holds no data: export it again with learn.export(), of functions that keep no table "
    "or pictures in them; or, if you trust whoever made it, open it with --trust (trust=True), "
    "which runs the code in it."
)
NO_LEARNER = "weights alone, without the learner: no classes, no picture size"
WEIGHTS_ONLY = (
    f"holds {NO_LEARNER} (a state_dict, or what learn.save writes). "
    f"{BUILD_LEARNER.format('learn.load() these weights')}"
)
NETWORK = (
    "is without the learner: no classes, no picture size. Put it into the learner that it was "
    "trained with, and learn.export() that."
)
WHOLE_MODULE = f"is a whole network (torch.save or pickle of the model), and {NETWORK}"
PICKLED = (
    "is a fastai learner that pickle, cloudpickle, dill or joblib wrote, not learn.export(). Load "
    "it there as it was saved, learn.export() it, and use the export.pkl that this writes."
)
FASTAI_1 = (
    "was exported by fastai v1, whose learners no fastai 2 reads. In an "
    "environment with fastai 1, save the weights; then load them in a learner of fastai 2 and "
    "learn.export()."
)
# Of a pickle that holds more than is read, or that another program's numbers stand in
BEGUN = (
    (
        rb"(?s)\A.{0,900}sklearn",
        f"is a pickle of a scikit-learn model, not a fastai export. {EXPORT}",
    ),
    (
        rb"joblib\.numpy_pickle",
        "was written by joblib.dump. If a learner is in it: learn = joblib.load(…), then "
        "learn.export(), and use the export.pkl that this writes.",
    ),
    (rb"fastai\.learner", PICKLED),
    (rb"torch\.storage.{1,8}_load_from_bytes", WHOLE_MODULE),
)
