"""Find a learner's parts among a pickle's records: classes, transforms, network, loss.

In comes the pickle of an export; out goes a `LearnerRecord`, which is all that a prediction needs,
and why it could not be made, if so. A learner of another kind is UnusableModel, named as such.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from voilearn.errors import UnusableModel, printable
from voilearn.export import other_files
from voilearn.export.classes import LEARNER, changed_in, lineage_of, put_definitions
from voilearn.export.ending import Ending, read_ending
from voilearn.export.hindrances import hindrances
from voilearn.export.labels import read_classes
from voilearn.export.leftovers import own_code, unused
from voilearn.export.loss import Loss, activation_of, read_loss, read_thresholds
from voilearn.export.network import Network, read_network
from voilearn.export.old_names import today
from voilearn.export.parts import (
    CATEGORIZES,
    PIL,
    after_opening,
    is_category,
    loader_of,
    picture_mode,
    transforms_in,
)
from voilearn.export.plain import items_of, name_of, state_of
from voilearn.export.records import DamagedPickle
from voilearn.export.tensors import Tensor
from voilearn.export.torch_file import TorchFile
from voilearn.export.transforms import Transform, UnknownTransform, read_transform
from voilearn.prediction import Task

MAX_TRANSFORMS = 30


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """A learner, as far as a prediction needs it.

    `fastai` is the releases that write such a file. `classes` are in the order of the network's
    answers; `thresholds`, one for each class, are of a multi-label learner; `activation` makes
    probabilities of the answers, as `loss.py` says, and is None where only a run can show which.
    `picture` is PIL's mode of the photos it takes. `photo_transforms`, `item_transforms` and
    `batch_transforms` are what a photo goes through when it is predicted, in this order. `dropped`
    says what is not used, `own_code` what code the file brings along. `hindrance` says why it can't
    be built, without the file's name in front, or is None.
    """

    fastai: str
    task: Task
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    activation: str | None
    loss: Loss
    ending: Ending
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
        """Whether fastai's predict does not apply the activation, or is not known not to."""
        applied = self.activation in ("softmax", "sigmoid") or not self.loss.known
        return self.loss.activation is None and self.activation is not None and applied

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
    put_definitions(pickled)
    names = tuple(today(g.path) for g in pickled.globals)
    _check_is_a_learner(name, pickled.root, names)
    learner = state_of(pickled.root)
    loader_record = loader_of(learner)
    loader = state_of(loader_record)
    lists = [state_of(part) for part in items_of(state_of(loader.get("dataset")).get("tls"))]
    category = next((c for part in lists[1:] for c in transforms_in(part) if is_category(c)), None)
    if category is None or len(lists) != 2 or not any(PIL in name for name in names):
        raise _sorting_of_its_own(name, lists) or other_files.of_learner(name, names)
    items, batches = (transforms_in(state_of(loader.get(k))) for k in ("after_item", "after_batch"))
    network = read_network(learner.get("model"), learner.get("arch"))
    classes, unnamed = read_classes(category)
    loss, ending = read_loss(learner.get("loss_func"), pickled), read_ending(network.record)
    task = CATEGORIZES[name_of(category)]
    activation = activation_of(loss, ending, task, len(classes))
    photos = after_opening(lists[0])
    used = {id(r) for r in (category, *photos, *items, *batches) if _is_used(r, file)}
    trained = [record for record in (*items, *batches) if _only_trains(record)]
    everything = [*photos, *items, *batches]
    in_the_way = hindrances(network, lists[0], everything, learner, loader_record, activation)
    return LearnerRecord(
        fastai=_era([g.path for g in pickled.globals], learner),
        task=task,
        classes=classes,
        thresholds=read_thresholds(learner.get("loss_func"), len(classes), file),
        activation=activation if isinstance(activation, str) else None,
        loss=loss,
        ending=ending,
        picture=picture_mode(lists[0]) or "RGB",
        photo_transforms=_known(photos, file),
        item_transforms=_known(items, file),
        batch_transforms=_known(batches, file),
        network=network,
        dropped=tuple(unused(learner, [transforms_in(p) for p in lists], trained, used)),
        own_code=own_code(pickled),
        hindrance=unnamed or next(in_the_way, None),
    )


def _check_is_a_learner(name: str, root: Any, names: Sequence[str]) -> None:
    if any(n.startswith(FASTAI_1) for n in names):
        raise UnusableModel(f"{name} {other_files.FASTAI_1}")
    if name_of(root) == LEARNER:
        return
    if name_of(root).startswith("fastai.") and "dls" in state_of(root):
        raise other_files.of_learner(name, names)
    if "dls" in state_of(root):
        _check_is_as_fastai_s(name, root, names)
        return
    raise (
        other_files.of_kind(name, names)
        or other_files.of_part(name, root)
        or other_files.of_pickle(name, names, root)
    )


def _sorting_of_its_own(name: str, lists: Sequence[dict[str, Any]]) -> UnusableModel | None:
    """Say it of a learner that names classes by its author's own transform, if it is one."""
    labels = [t for part in lists[1:] for t in transforms_in(part) if "vocab" in state_of(t)]
    for own in (name_of(t) for t in labels if not name_of(t).startswith("fastai.")):
        return UnusableModel(
            f"{name} makes classes of labels by a transform of its author's own, "
            f"{printable(own, 80)}. Train with a CategoryBlock or MultiCategoryBlock instead. "
            f"{other_files.IF_YOU_TRUST}"
        )
    return None


def _check_is_as_fastai_s(name: str, root: Any, names: Sequence[str]) -> None:
    """Refuse a learner of the author's own class, unless it predicts as fastai's own does."""
    lineage = lineage_of(root)
    if lineage and lineage.base != LEARNER and lineage.base.startswith("fastai."):
        raise other_files.of_learner(name, names)
    changed = changed_in(root, LEARNER)
    if changed == []:
        return
    how = (
        f"changes how it predicts ({', '.join(changed[:4])})"
        if changed
        else ("is not in the file, so it may change how it predicts")
    )
    raise UnusableModel(
        f"{name} is a learner of its author's own class, {printable(name_of(root), 80)}, which "
        f"{how}. If fastai's own answers alike, set learn.__class__ = Learner where it was "
        "trained, and learn.export() it again. "
        + other_files.IF_YOU_TRUST.replace("If you", "If not, and you", 1)
    )


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


def _known(records: Sequence[Any], file: TorchFile) -> tuple[Transform, ...]:
    """Return the transforms that are known, and what is a tensor in them as numbers."""
    if len(records) > MAX_TRANSFORMS:
        raise DamagedPickle(f"A photo goes through more than {MAX_TRANSFORMS} transforms.")
    found = []
    for record in records:
        try:
            found.append(read_transform(record))
        except UnknownTransform:
            continue  # told by `hindrances`
    return tuple(_with_numbers(transform, file) for transform in found if transform)


def _with_numbers(transform: Transform, file: TorchFile) -> Transform:
    arguments = {
        name: file.read_numbers(value) if isinstance(value, Tensor) else value
        for name, value in transform.arguments.items()
    }
    return replace(transform, arguments=arguments)


def _is_used(record: Any, file: TorchFile) -> bool:
    return is_category(record) or bool(_known([record], file))


def _only_trains(record: Any) -> bool:
    with suppress(UnknownTransform):
        return read_transform(record) is None
    return False


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
