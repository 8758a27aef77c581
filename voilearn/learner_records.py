"""Find a learner's parts among a pickle's records: classes, transforms, network, loss.

In comes the pickle of an export; out goes a `LearnerRecord`, which is all that a prediction needs,
and why it could not be made, if so. A learner of another kind is UnusableModel, named as such.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from voilearn import wrong_file
from voilearn.architecture import Network, library_of, read_network
from voilearn.errors import UnusableModel
from voilearn.leftovers import own_code, unused
from voilearn.pickle_records import DamagedPickle
from voilearn.plain_values import items_of, name_of, plain, state_of
from voilearn.prediction import Task
from voilearn.renamed import today
from voilearn.tensor_records import Tensor, tensor_of
from voilearn.torch_file import TorchFile
from voilearn.transforms import Transform, UnknownTransform, is_own_method, read_transform

LEARNER = "fastai.learner.Learner"
MAX_CLASSES, MAX_LABEL = 10_000, 1000  # labels, and characters in one
MAX_TRANSFORMS = 30
# What fastai's DataLoader takes functions for (fastai/data/load.py, `_funcs_kwargs`)
LOADER_CODE = (
    *("get_idxs", "sample", "shuffle_fn", "do_batch", "create_item", "create_batch", "retain"),
    *("before_iter", "after_iter", "create_batches", "wif"),
)
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
    takes. `photo_transforms`, `item_transforms` and `batch_transforms` are what a photo goes
    through when it is predicted, in this order. `dropped` says what is not used, `own_code` what
    code the file brings along. `hindrance` says why it can't be built, without the file's name in
    front, or is None.
    """

    fastai: str
    task: Task
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    activation: str
    loss: str
    picture: str
    photo_transforms: tuple[Transform, ...]
    item_transforms: tuple[Transform, ...]
    batch_transforms: tuple[Transform, ...]
    network: Network
    dropped: tuple[str, ...]
    own_code: tuple[str, ...]
    hindrance: str | None

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """All that a photo goes through, in the order it does."""
        return (*self.photo_transforms, *self.item_transforms, *self.batch_transforms)

    @property
    def assumed(self) -> bool:
        """Whether the loss is not fastai's, so that the activation is what belongs to the task."""
        return self.loss not in ACTIVATIONS

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """The height and width that photos are resized to, in pixels; None if they are not.

        Of RatioResize, which sets the longer side alone, it is a square of that side.
        """
        for transform in reversed(self.transforms):
            if (size := transform.arguments.get("size")) is not None:
                return int(size[0]), int(size[1])
            if (side := transform.arguments.get("max_sz")) is not None:
                return int(side), int(side)
        return None


def read_learner(name: str, file: TorchFile) -> LearnerRecord:
    """Read the learner in a file; `name` is the file's, for the sentences.

    Raises UnusableModel for what is no image classifier, and DamagedPickle for parts that make no
    sense.
    """
    pickled = file.pickle
    names = tuple(today(g.path) for g in pickled.globals)
    _check_is_a_learner(name, pickled.root, names)
    learner = state_of(pickled.root)
    loader_record = _loader(learner)
    loader = state_of(loader_record)
    lists = [state_of(part) for part in items_of(state_of(loader.get("dataset")).get("tls"))]
    category = next((c for part in lists[1:] for c in _transforms(part) if _is_category(c)), None)
    if category is None or len(lists) != 2 or not any(PIL in name for name in names):
        raise wrong_file.of_learner(name, names)
    items, batches = (_transforms(state_of(loader.get(k))) for k in ("after_item", "after_batch"))
    network = read_network(learner.get("model"), learner.get("arch"))
    classes = _classes(category)
    loss, thresholds = _loss(learner, len(classes), file)
    task = CATEGORIZES[name_of(category)]
    photos = _after_opening(lists[0])
    used = {id(r) for r in (category, *photos, *items, *batches) if _is_used(r, file)}
    hindrances = [
        *_unknown_layers(network),
        *_unknown_pictures(lists[0]),
        *_unknown_transforms([*photos, *items, *batches]),
        *_unknown_loader(loader_record),
        *_unknown_activation(learner.get("loss_func")),
    ]
    return LearnerRecord(
        fastai=_era([g.path for g in pickled.globals], learner),
        task=task,
        classes=classes,
        thresholds=thresholds,
        activation=_activation(loss, network, task),
        loss=loss,
        picture=_picture(lists[0]) or "RGB",
        photo_transforms=_known(photos, file),
        item_transforms=_known(items, file),
        batch_transforms=_known(batches, file),
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


def _loader(learner: dict[str, Any]) -> Any:
    """Return the record of the loader that fastai's predict takes its transforms from."""
    loaders = items_of(state_of(learner.get("dls")).get("loaders"))
    return loaders[1 if len(loaders) > 1 else 0] if loaders else None


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


def _loss(learner: dict[str, Any], classes: int, file: TorchFile) -> tuple[str, tuple[float, ...]]:
    """Return the loss's name, and the threshold of each class: one for all, or a tensor of them."""
    given = state_of(learner.get("loss_func")).get("thresh", 0.5)
    tensor = tensor_of(given)
    each = file.read_numbers(tensor) if tensor else plain(given)
    thresholds = list(each) if isinstance(each, list | tuple) else [each]
    thresholds = thresholds * classes if len(thresholds) == 1 else thresholds
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


def _opening(photos: dict[str, Any]) -> int | None:
    """Return which of a photo's transforms opens it: what is before finds the file."""
    names = [str(state_of(record).get("_name")) for record in _transforms(photos)]
    return next((at for at, name in enumerate(names) if name.endswith(".create")), None)


def _after_opening(photos: dict[str, Any]) -> list[Any]:
    at = _opening(photos)
    return [] if at is None else _transforms(photos)[at + 1 :]


def _known(records: Sequence[Any], file: TorchFile) -> tuple[Transform, ...]:
    """Return the transforms that are known, and what is a tensor in them as numbers."""
    if len(records) > MAX_TRANSFORMS:
        raise DamagedPickle(f"A photo goes through more than {MAX_TRANSFORMS} transforms.")
    found = []
    for record in records:
        try:
            found.append(read_transform(record))
        except UnknownTransform:
            continue  # told by `hindrance`
    return tuple(_with_numbers(transform, file) for transform in found if transform)


def _with_numbers(transform: Transform, file: TorchFile) -> Transform:
    arguments = {
        name: file.read_numbers(value) if isinstance(value, Tensor) else value
        for name, value in transform.arguments.items()
    }
    return replace(transform, arguments=arguments)


def _is_used(record: Any, file: TorchFile) -> bool:
    return _is_category(record) or bool(_known([record], file))


def _unknown_layers(network: Network) -> Iterator[str]:
    if network.unknown:
        yield (
            f"has layers that are not torch's, torchvision's, timm's or fastai's: "
            f"{_listed(network.unknown)}. {wrong_file.IF_YOU_TRUST}"
        )
    if network.hooked:
        yield (
            f"has layers with hooks, code that runs whenever they do (weight_norm and "
            f"spectral_norm are such): {_listed(network.hooked)}. {wrong_file.IF_YOU_TRUST}"
        )
    for library in sorted({library_of(name) or "" for name in network.layers} - {""}):
        if importlib.util.find_spec(library) is None:
            yield (
                f"needs the Python package {library}, which is not installed here: "
                f"python -m pip install {library}"
            )


def _unknown_pictures(photos: dict[str, Any]) -> Iterator[str]:
    if _picture(photos) is None or _opening(photos) is None:
        yield f"takes pictures of a kind that is not fastai's own. {wrong_file.IF_YOU_TRUST}"


def _unknown_transforms(records: Sequence[Any]) -> Iterator[str]:
    for record in records:
        try:
            read_transform(record)
        except UnknownTransform as error:
            yield (
                f"changes each photo by a transform that is not fastai's own: {error.name}. "
                f"{wrong_file.IF_YOU_TRUST}"
            )


def _unknown_loader(loader: Any) -> Iterator[str]:
    """Yield what an author put in the place of a loader's own ways to make a batch."""
    state = state_of(loader)
    own = [key for key in LOADER_CODE if not is_own_method(state.get(key), loader, key)]
    if _transforms(state_of(state.get("before_batch"))):
        own.append("before_batch")
    if not name_of(loader).startswith("fastai."):
        own.append(name_of(loader))
    if own:
        yield (
            f"makes its batches by code of the author's own: {_listed(own)}. "
            f"{wrong_file.IF_YOU_TRUST}"
        )


def _unknown_activation(loss: Any) -> Iterator[str]:
    own = [key for key in ("activation", "decodes") if key in state_of(loss)]
    if own:
        yield f"has a loss with an {own[0]} of the author's own. {wrong_file.IF_YOU_TRUST}"


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
