"""Find a learner's parts among a pickle's records: classes, transforms, network, loss.

In comes the pickle of an export; out goes a `LearnerRecord`, which is all that a prediction needs,
and why it could not be made, if so. A learner of another kind is UnusableModel, named as such.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from voilearn import wrong_file
from voilearn.architecture import Network, library_of, read_network
from voilearn.errors import UnusableModel
from voilearn.leftovers import own_code, unused
from voilearn.pickle_records import DamagedPickle, Pickle
from voilearn.plain_values import items_of, name_of, plain, state_of
from voilearn.prediction import Task
from voilearn.renamed import today
from voilearn.transforms import Transform, UnknownTransform, read_transform

LEARNER = "fastai.learner.Learner"
MAX_CLASSES, MAX_LABEL = 10_000, 1000  # labels, and characters in one
MAX_TRANSFORMS = 30
CATEGORIZES: dict[str, Task] = {
    "fastai.data.transforms.Categorize": "single-label",
    "fastai.data.transforms.MultiCategorize": "multi-label",
    "fastai.data.transforms.EncodedMultiCategorize": "multi-label",
}
# The losses whose activation fastai's predict applies (fastai/losses.py)
ACTIVATIONS = {
    "fastai.losses.CrossEntropyLossFlat": "softmax",
    "fastai.losses.LabelSmoothingCrossEntropyFlat": "softmax",
    "fastai.losses.LabelSmoothingCrossEntropy": "softmax",
    "fastai.losses.FocalLossFlat": "softmax",
    "fastai.losses.BCEWithLogitsLossFlat": "sigmoid",
}
PIL = "fastai.vision.core.PIL"
PICTURES = {"fastai.vision.core.PILImage": "RGB", "fastai.vision.core.PILImageBW": "L"}


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """A learner, as far as a prediction needs it.

    `fastai` is the releases that write such a file. `classes` are in the order of the network's
    answers; `thresholds`, one for each class, are of a multi-label learner; `activation` makes
    probabilities of the answers: softmax, sigmoid or none. `picture` is PIL's mode of the photos it
    takes. `item_transforms` and `batch_transforms` are those that a photo goes through when it is
    predicted. `dropped` says what is not used, `own_code` what code the file brings along.
    `hindrance` says why it can't be built, without the file's name in front, or is None.
    """

    fastai: str
    task: Task
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    activation: str
    picture: str
    item_transforms: tuple[Transform, ...]
    batch_transforms: tuple[Transform, ...]
    network: Network
    dropped: tuple[str, ...]
    own_code: tuple[str, ...]
    hindrance: str | None

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """The height and width that photos are resized to, in pixels; None if they are not.

        Of RatioResize, which sets the longer side alone, it is a square of that side.
        """
        for transform in reversed((*self.item_transforms, *self.batch_transforms)):
            if (size := transform.arguments.get("size")) is not None:
                return int(size[0]), int(size[1])
            if (side := transform.arguments.get("max_sz")) is not None:
                return int(side), int(side)
        return None


def read_learner(name: str, pickled: Pickle) -> LearnerRecord:
    """Read the learner in a pickle; `name` is the file's, for the sentences.

    Raises UnusableModel for what is no image classifier, and DamagedPickle for parts that make no
    sense.
    """
    names = tuple(today(g.path) for g in pickled.globals)
    _check_is_a_learner(name, pickled.root, names)
    learner = state_of(pickled.root)
    loader = _loader(learner)
    lists = [state_of(part) for part in items_of(state_of(loader.get("dataset")).get("tls"))]
    category = next((c for part in lists[1:] for c in _transforms(part) if _is_category(c)), None)
    if category is None or len(lists) != 2 or not any(PIL in name for name in names):
        raise wrong_file.of_learner(name, names)
    items, batches = (_transforms(state_of(loader.get(k))) for k in ("after_item", "after_batch"))
    network = read_network(learner.get("model"), learner.get("arch"))
    classes = _classes(category)
    loss, thresholds = _loss(learner, len(classes))
    task = CATEGORIZES[name_of(category)]
    used = {id(record) for record in (category, *items, *batches) if _is_used(record)}
    hindrances = [*_unknown_layers(network), *_unknown_transforms(lists[0], items, batches)]
    return LearnerRecord(
        fastai=_era([g.path for g in pickled.globals], learner),
        task=task,
        classes=classes,
        thresholds=thresholds,
        activation=_activation(loss, network, task),
        picture=_picture(lists[0]) or "RGB",
        item_transforms=_known(items),
        batch_transforms=_known(batches),
        network=network,
        dropped=tuple(unused(learner, [_transforms(p) for p in lists], [*items, *batches], used)),
        own_code=own_code(pickled),
        hindrance=next(iter(hindrances), None),
    )


def _check_is_a_learner(name: str, root: Any, names: Sequence[str]) -> None:
    if any(n.startswith(FASTAI_1) for n in names):
        raise UnusableModel(f"{name} {wrong_file.FASTAI_1}")
    if name_of(root) == LEARNER:
        return
    if name_of(root).startswith("fastai.") and "dls" in state_of(root):
        raise wrong_file.of_learner(name, names)
    if "dls" in state_of(root):
        raise UnusableModel(
            f"{name} is a learner of the author's own class, {name_of(root)}. "
            f"{wrong_file.IF_YOU_TRUST}"
        )
    if "_modules" in state_of(root):
        raise UnusableModel(f"{name} {wrong_file.WHOLE_MODULE}")
    if isinstance(root, dict) or name_of(root) in ("collections.OrderedDict", "torch.Tensor"):
        raise UnusableModel(f"{name} {wrong_file.WEIGHTS_ONLY}")
    raise wrong_file.of_pickle(name, names, root)


# Modules that fastai 1 had and fastai 2 has not (the package fastai 1.0.61)
FASTAI_1 = (
    "fastai.basic_train.",
    "fastai.basic_data.",
    "fastai.data_block.",
    "fastai.vision.data.ImageDataBunch",
    "fastai.vision.image.",
    "fastai.vision.transform.",
    "fastai.callbacks.",
    "fastai.train.",
)


def _loader(learner: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the loader that fastai's predict takes its transforms from."""
    loaders = items_of(state_of(learner.get("dls")).get("loaders"))
    return state_of(loaders[1 if len(loaders) > 1 else 0]) if loaders else {}


def _transforms(state: dict[str, Any]) -> list[Any]:
    """Return the records in a Pipeline: the state is its own, or of what holds it as `tfms`."""
    return items_of(state.get("fs", state_of(state.get("tfms")).get("fs")))


def _is_category(record: Any) -> bool:
    return name_of(record) in CATEGORIZES


def _classes(category: Any) -> tuple[str, ...]:
    vocab = state_of(category).get("vocab")
    labels = plain(state_of(vocab).get("items", vocab))
    if not isinstance(labels, list | tuple) or not 1 <= len(labels) <= MAX_CLASSES:
        raise DamagedPickle(f"There are not between 1 and {MAX_CLASSES:,} classes.")
    if not all(isinstance(label, str | int | float) for label in labels):
        raise DamagedPickle("The name of a class is no text.")
    names = tuple(map(str, labels))
    if len(set(names)) < len(names) or not all(_is_label(name) for name in names):
        raise DamagedPickle("Two classes have one name, or a name is no text.")
    return names


def _is_label(name: str) -> bool:
    try:
        return len(name.encode()) <= MAX_LABEL
    except UnicodeEncodeError:  # half a character
        return False


def _loss(learner: dict[str, Any], classes: int) -> tuple[str, tuple[float, ...]]:
    """Return the loss's name, and the threshold of each class."""
    given = plain(state_of(learner.get("loss_func")).get("thresh", 0.5))
    thresholds = list(given) if isinstance(given, list | tuple) else [given] * classes
    if len(thresholds) != classes or not all(isinstance(t, int | float) for t in thresholds):
        raise DamagedPickle("The thresholds are no numbers, or not one for each class.")
    return name_of(learner.get("loss_func")), tuple(map(float, thresholds))


def _activation(loss: str, network: Network, task: Task) -> str:
    """Return what makes probabilities of the network's numbers: softmax, sigmoid or nothing.

    For fastai's losses it is what their predict applies. Others have none there, and predict gives
    plain scores: then it is what belongs to the task, unless the network ends in it.
    """
    if loss in ACTIVATIONS:
        return ACTIVATIONS[loss]
    if network.last in ("torch.nn.modules.activation.Softmax",):
        return "none"
    if network.last == "torch.nn.modules.activation.Sigmoid":
        return "none"
    return "softmax" if task == "single-label" else "sigmoid"


def _picture(photos: dict[str, Any]) -> str | None:
    """Return PIL's mode of the pictures that a learner takes; None if it takes none."""
    kinds = [PICTURES.get(name_of(kind)) for kind in items_of(photos.get("types"))]
    return next((kind for kind in reversed(kinds) if kind), None)


def _known(records: Sequence[Any]) -> tuple[Transform, ...]:
    if len(records) > MAX_TRANSFORMS:
        raise DamagedPickle(f"A photo goes through more than {MAX_TRANSFORMS} transforms.")
    found = []
    for record in records:
        try:
            found.append(read_transform(record))
        except UnknownTransform:
            continue  # told by `hindrance`
    return tuple(transform for transform in found if transform)


def _is_used(record: Any) -> bool:
    return _is_category(record) or bool(_known([record]))


def _unknown_layers(network: Network) -> Iterator[str]:
    if network.unknown:
        yield (
            f"has layers that are not torch's, torchvision's, timm's or fastai's: "
            f"{_listed(network.unknown)}. {wrong_file.IF_YOU_TRUST}"
        )
    for library in sorted({library_of(name) or "" for name in network.layers} - {""}):
        if importlib.util.find_spec(library) is None:
            yield (
                f"needs the Python package {library}, which is not installed here: "
                f"python -m pip install {library}"
            )


def _unknown_transforms(photos: dict[str, Any], *pipelines: Sequence[Any]) -> Iterator[str]:
    names = [str(state_of(record).get("_name")) for record in _transforms(photos)]
    opened = next((at for at, name in enumerate(names) if name.endswith(".create")), None)
    if _picture(photos) is None or opened is None:
        yield f"takes pictures of a kind that is not fastai's own. {wrong_file.IF_YOU_TRUST}"
    elif names[opened + 1 :]:
        yield (
            "changes each photo, once it is opened, by what is not fastai's own: "
            f"{_listed(names[opened + 1 :])}. {wrong_file.IF_YOU_TRUST}"
        )
    for record in (record for pipeline in pipelines for record in pipeline):
        try:
            read_transform(record)
        except UnknownTransform as error:
            yield (
                f"changes each photo by a transform that is not fastai's own: {error.name}. "
                f"{wrong_file.IF_YOU_TRUST}"
            )


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _era(names: Sequence[str], learner: dict[str, Any]) -> str:
    """Return the releases of fastai that write such files, as those of tests/exports tell."""
    if any(name.startswith("fastai2.") for name in names):
        return "fastai2 (before 2.0)"
    if any(name.startswith(("fasttransform.", "plum.")) for name in names):
        return "2.8 or newer"
    if "init_args" in learner:
        return "2.0"
    if "loss_grad" not in learner:
        return "2.1"
    return "2.6 or 2.7" if "default_cbs" in learner else "2.2 to 2.5"
