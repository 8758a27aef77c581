"""Say what a file is that stands in the place of an export.pkl, and what to do.

In come the names found in a zip, a pickle or a learner; out comes UnusableModel with the sentence.
What a file's first bytes tell already, `model_file.py` has said before.
"""

from collections.abc import Iterable
from typing import Any

from voilearn.errors import UnusableModel
from voilearn.export.plain import name_of, state_of
from voilearn.model_file import EXPORT

BUILD_LEARNER = (
    "Build the learner as you did for training, then learn.load() these weights and learn.export()."
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
