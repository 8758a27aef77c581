"""Tell from a learner's loss what makes probabilities of the network's numbers.

In come the record of a loss and what the network ends in; out goes the name of what is applied, or
why it can't be told. It is decided here alone: by what fastai's predict applies, which is the
loss's `activation`. Where the loss has none, predict gives the network's numbers as they are. If
they are probabilities, so they stay; if they are scores, the loss's definition says of what kind.
"""

from dataclasses import dataclass, replace
from typing import Any

from voilearn.export import other_files
from voilearn.export.ending import Ending
from voilearn.export.network import named
from voilearn.export.plain import name_of, plain, state_of
from voilearn.export.records import DamagedPickle, Instance, Pickle
from voilearn.export.tensors import tensor_of
from voilearn.export.torch_file import TorchFile
from voilearn.prediction import Task

# The losses whose activation fastai's predict applies (fastai/losses.py)
ACTIVATIONS = {
    "fastai.losses.CrossEntropyLossFlat": "softmax",
    "fastai.losses.LabelSmoothingCrossEntropyFlat": "softmax",
    "fastai.losses.LabelSmoothingCrossEntropy": "softmax",
    "fastai.losses.FocalLossFlat": "softmax",
    "fastai.losses.DiceLoss": "softmax",
    "fastai.losses.BCEWithLogitsLossFlat": "sigmoid",
}
# Those without one that take scores, by their definition, and what they make of them
OF_SCORES = {
    **ACTIVATIONS,  # within a partial
    "fastai.losses.FocalLoss": "softmax",
    "torch.nn.modules.loss.CrossEntropyLoss": "softmax",
    "torch.nn.functional.cross_entropy": "softmax",
    "torch.nn.modules.loss.BCEWithLogitsLoss": "sigmoid",
    "torch.nn.modules.loss.MultiLabelSoftMarginLoss": "sigmoid",
    "torch.nn.functional.binary_cross_entropy_with_logits": "sigmoid",
    "torch.nn.functional.multilabel_soft_margin_loss": "sigmoid",
    "torchvision.ops.focal_loss.sigmoid_focal_loss": "sigmoid",
    "timm.loss.cross_entropy.LabelSmoothingCrossEntropy": "softmax",
    "timm.loss.cross_entropy.SoftTargetCrossEntropy": "softmax",
    "timm.loss.jsd.JsdCrossEntropy": "softmax",
    "timm.loss.asymmetric_loss.AsymmetricLossSingleLabel": "softmax",
    "timm.loss.asymmetric_loss.AsymmetricLossMultiLabel": "sigmoid",
    "timm.loss.binary_cross_entropy.BinaryCrossEntropy": "sigmoid",
}
# All others of these take probabilities, their logarithms, or numbers of another kind.
KNOWN = ("torch.nn.modules.loss.", "torch.nn.functional.", "fastai.losses.")
BASE = "fastai.losses.BaseLoss"
CLASS_AXIS = (-1, 1)
MAX_EXTENDED = 20  # classes of the author's, each of which extends the next; losses in losses

Filled = dict[int, set[Any]]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a learner's loss says of the network's numbers.

    `activation` is what fastai's predict applies, or None if the loss has none. `of_scores` is
    what makes probabilities of scores by the loss's definition, None if it takes no scores or if
    it is not known, which `known` says. `own` is what of it is the author's and would change an
    answer, `axis` the one it works along.
    """

    name: str
    activation: str | None = None
    of_scores: str | None = None
    known: bool = False
    own: str | None = None
    axis: int = -1


@dataclass(frozen=True, slots=True)
class CantTell:
    """Why it can't be told what makes probabilities; without the file's name in front."""

    why: str


def read_loss(record: Any, pickled: Pickle) -> Loss:
    """Read what a loss's record tells; `pickled` is what it is from."""
    filled = _filled(pickled)
    names = set(state_of(record)) | {name for name, _ in named(record, "_modules")}
    names.update(*(filled.get(id(each), ()) for each in (record, *_classes(record))))
    axis = plain(state_of(record).get("axis", -1))
    inner = _innermost(record, filled)
    return replace(
        loss_named(_definition(inner, filled)),
        name=_name(inner),
        activation=ACTIVATIONS.get(name_of(_classes(record)[-1])),
        own=next((key for key in ("activation", "decodes") if key in names), None),
        axis=axis if isinstance(axis, int) else 0,
    )


def loss_named(name: str) -> Loss:
    """Return what is known by its name of a loss that has no activation."""
    of_scores = OF_SCORES.get(name)
    return Loss(name, of_scores=of_scores, known=bool(of_scores) or name.startswith(KNOWN))


def read_thresholds(record: Any, classes: int, file: TorchFile) -> tuple[float, ...]:
    """Return the threshold of each class: a loss has one for all, or a tensor of them."""
    given = state_of(record).get("thresh", 0.5)
    tensor = tensor_of(given)
    each = file.read_numbers(tensor) if tensor else plain(given)
    thresholds = list(each) if isinstance(each, list | tuple) else [each]
    thresholds = thresholds * classes if len(thresholds) == 1 else thresholds
    if len(thresholds) != classes or not all(isinstance(t, int | float) for t in thresholds):
        raise DamagedPickle("The thresholds are no numbers, or not one for each class.")
    return tuple(map(float, thresholds))


def activation_of(loss: Loss, ending: Ending, task: Task, classes: int) -> str | CantTell | None:
    """Return what makes probabilities: softmax, sigmoid, exp (of logarithms), or none.

    None where only a run can show what the network ends in, CantTell where nothing can.
    """
    if ending.count and classes and ending.count != classes:
        return CantTell(
            f"gives {_numbers(ending.count)} for its {classes:,} classes. Give its network an "
            "output for each class, train it, and export it again."
        )
    if loss.own:
        return CantTell(
            f"has a loss whose {loss.own} is the author's own. {other_files.IF_YOU_TRUST}"
        )
    if loss.activation:
        along = loss.activation == "sigmoid" or loss.axis in CLASS_AXIS
        return loss.activation if along else CantTell(
            f"has a loss that works along axis {loss.axis}, which is not that of the classes. "
            "Set learn.loss_func = CrossEntropyLossFlat() in the notebook, and export it again."
        )  # fmt: skip
    found = ending.range
    if found and found.probabilities:
        return "none"
    if not found or found.loose:
        return None
    if found.logs:
        return "exp"
    if loss.of_scores:
        return loss.of_scores
    if found.scores and not loss.known:
        return "softmax" if task == "single-label" else "sigmoid"
    return no_probabilities(loss, ending)


def _numbers(count: int) -> str:
    return "one number" if count == 1 else f"{count:,} numbers"


def no_probabilities(loss: Loss, ending: Ending) -> CantTell:
    """Say that the loss does not tell what the network's numbers are."""
    return CantTell(
        f"gives numbers that are not known to be probabilities: its network ends in {ending.layer},"
        f" and its loss, {loss.name}, does not say how to make probabilities of that. In the "
        "notebook, set learn.loss_func to CrossEntropyLossFlat(), or for several labels to "
        "BCEWithLogitsLossFlat(), if that fits, and export it again."
    )


def _innermost(record: Any, filled: Filled) -> Any:
    """Return the loss that a partial or fastai's BaseLoss passes on to, or the loss itself."""
    for _ in range(MAX_EXTENDED):
        if isinstance(record, Instance) and name_of(record) == "functools.partial" and record.args:
            record = record.args[0]
        elif _definition(record, filled) == BASE:
            record = state_of(record).get("func")
    return record


def _name(record: Any) -> str:
    name = name_of(record)
    if name.endswith("._make_function") or name == "an object":
        return "a function of the author's"
    return "None" if record is None else name


def _definition(record: Any, filled: Filled) -> str:
    """Return the name of the class that says what a loss is: an author's may only extend it."""
    classes = _classes(record)
    computes = any(filled.get(id(c), set()) & {"forward", "__call__"} for c in classes[:-1])
    return name_of(record if computes else classes[-1])


def _classes(record: Any) -> list[Any]:
    """Return an object's class and what it extends, up to the first that is not in the file."""
    found = [record.of if isinstance(record, Instance) else record]
    while _by_value(found[-1]) and len(found) < MAX_EXTENDED:
        bases = found[-1].args[2] if len(found[-1].args) > 2 else ()
        found.append(bases[0] if isinstance(bases, tuple) and bases else None)
    return found


def _by_value(cls: Any) -> bool:
    """Tell whether cloudpickle wrote a class whole."""
    return isinstance(cls, Instance) and cls.path.endswith("._make_skeleton_class")


def _filled(pickled: Pickle) -> Filled:
    """Return the names in each class and function that cloudpickle wrote whole: it fills them last.

    By the id of the record that is filled.
    """
    found: Filled = {}
    for call in pickled.instances:
        if call.path.endswith(("._class_setstate", "._function_setstate")) and len(call.args) == 2:
            made, state = call.args
            members = state[0] if isinstance(state, tuple) and state else None
            found[id(made)] = set(members) if isinstance(members, dict) else set()
    return found
