"""Build a fastai Learner of today from what an export.pkl holds, running none of its code.

In come a `LearnerRecord` and the open file; out goes a `Learner` whose `predict` gives what the
learner that was exported would give. Optimizer, callbacks, metrics and data are not taken over.
"""

from typing import Any

import torch
from fastai.data import transforms as data_transforms
from fastai.data.core import DataLoaders, Datasets, TfmdDL, TfmdLists
from fastai.data.transforms import Categorize, MultiCategorize, OneHotEncode
from fastai.learner import Learner
from fastai.vision import augment
from fastai.vision.core import PILImage, PILImageBW
from PIL import Image
from torch import nn

from voilearn.export.learner import LearnerRecord
from voilearn.export.records import DamagedPickle, RefusedPickle
from voilearn.export.torch_file import TorchFile
from voilearn.export.transforms import Transform
from voilearn.learner.activation import loss_with, told
from voilearn.learner.cost import check_cost, check_weights
from voilearn.learner.ending import ending_of
from voilearn.learner.network import build_network


def build_learner(record: LearnerRecord, file: TorchFile) -> Learner:
    """Return a learner that predicts as the exported one did, on the CPU.

    Raises DamagedPickle or RefusedPickle, with the layer's name, for what can't be built, and
    HinderedLearner, with a sentence.
    """
    try:
        return _build(record, file)
    except DamagedPickle:
        raise
    except Exception as error:  # of values that no check foresaw, a library may raise anything
        raise RefusedPickle(
            f"It can't be built of today's classes ({type(error).__name__})"
        ) from error


def _build(record: LearnerRecord, file: TorchFile) -> Learner:
    check_weights(record.network)
    network = build_network(record.network, file)
    colours = [len(t.arguments["mean"]) for t in record.transforms if t.name == "Normalize"]
    channels = max(3 if record.picture == "RGB" else 1, *colours, 1)  # Normalize makes 3 of 1
    check_cost(network, channels, record.picture_size)
    activation = _activation(record, network, channels)
    loss = loss_with(activation, record.task, torch.tensor(record.thresholds))
    learn: Learner = Learner(_loaders(record), network, loss_func=loss, path=".")
    return learn


def _activation(record: LearnerRecord, network: nn.Module, channels: int) -> str:
    """Return what makes probabilities of the network's numbers, as the loss and a run tell."""
    if record.loss.activation:
        return record.loss.activation
    ending = ending_of(network, channels, record.picture_size) or record.ending
    return told(record.loss, ending, record.task, len(record.classes))


def _loaders(record: LearnerRecord) -> DataLoaders:
    kind = PILImage if record.picture == "RGB" else PILImageBW
    photo = kind.create(Image.new(record.picture, (32, 32)))
    category, label = _category(record)
    opened = [kind.create, *(_transform(transform) for transform in record.photo_transforms)]
    lists = [TfmdLists([photo], opened), TfmdLists([label], category)]
    loader = TfmdDL(
        Datasets(tls=lists),
        bs=1,
        num_workers=0,
        device=torch.device("cpu"),
        after_item=[_transform(transform) for transform in record.item_transforms],
        after_batch=[_transform(transform) for transform in record.batch_transforms],
    )
    return DataLoaders(loader, loader).new_empty()


def _category(record: LearnerRecord) -> tuple[list[Any], Any]:
    """Return the transforms of a label, and a label."""
    if record.task == "single-label":
        return [Categorize(vocab=list(record.classes), sort=False)], record.classes[0]
    categorize = MultiCategorize(vocab=list(record.classes))
    return [categorize, OneHotEncode(c=len(record.classes))], [record.classes[0]]


def _transform(transform: Transform) -> Any:
    if transform.name == "Normalize":
        made = data_transforms.Normalize.from_stats(**transform.arguments, cuda=False)
    else:
        home = augment if hasattr(augment, transform.name) else data_transforms
        made = getattr(home, transform.name)(**transform.arguments)
    if transform.order is not None:
        made.order = transform.order
    return made
