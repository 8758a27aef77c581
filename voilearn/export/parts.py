"""Where a learner's parts lie among the records of its export: loader, transforms, pictures.

In comes the state of a record that `learner.py` has found; out go the records in it. Each of
fastai's releases keeps them in its own way, and this is the one file that knows.
"""

from typing import Any

from voilearn.export.plain import items_of, name_of, state_of
from voilearn.prediction import Task

CATEGORIZES: dict[str, Task] = {
    "fastai.data.transforms.Categorize": "single-label",
    "fastai.data.transforms.MultiCategorize": "multi-label",
    "fastai.data.transforms.EncodedMultiCategorize": "multi-label",
}
PIL = "fastai.vision.core.PIL"
OPENS = ("PILBase.create", "PILImage.create", "PILImageBW.create")
PICTURES = {"fastai.vision.core.PILImage": "RGB", "fastai.vision.core.PILImageBW": "L"}


def loader_of(learner: dict[str, Any]) -> Any:
    """Return the record of the loader that fastai's predict takes its transforms from."""
    loaders = items_of(state_of(learner.get("dls")).get("loaders"))
    return loaders[1 if len(loaders) > 1 else 0] if loaders else None


def transforms_in(state: dict[str, Any]) -> list[Any]:
    """Return the records in a Pipeline: the state is its own, or of what holds it as `tfms`."""
    return items_of(state.get("fs", state_of(state.get("tfms")).get("fs")))


def is_category(record: Any) -> bool:
    """Say whether a transform makes numbers of classes: it is the one that has the vocab."""
    return name_of(record) in CATEGORIZES


def picture_mode(photos: dict[str, Any]) -> str | None:
    """Return PIL's mode of the pictures that a learner takes; None if it takes none."""
    kinds = [PICTURES.get(name_of(kind)) for kind in items_of(photos.get("types"))]
    return next((kind for kind in reversed(kinds) if kind), None)


def opening_of(photos: dict[str, Any]) -> int | None:
    """Return which of a photo's transforms opens it: what is before finds the file."""
    names = [str(state_of(record).get("_name")) for record in transforms_in(photos)]
    return next((at for at, name in enumerate(names) if name in OPENS), None)


def after_opening(photos: dict[str, Any]) -> list[Any]:
    """Return what happens to a photo once it is opened, beside the loader's transforms."""
    at = opening_of(photos)
    return [] if at is None else transforms_in(photos)[at + 1 :]
