# mypy: ignore-errors
"""Learners of many shapes, each made of one kind of every ingredient, and what they ought to say.

In comes a row of `rows`; out goes a fastai Learner, not trained. The ingredients' kinds are paired
so that few rows bring most pairs together.
"""

import functools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cloudpickle
import timm
import torch
from fastai.callback import fp16  # noqa: F401  # gives learners to_fp16
from fastai.callback.mixup import MixUp
from fastai.data.all import CategoryBlock, DataBlock, IndexSplitter, MultiCategoryBlock, Normalize
from fastai.layers import Flatten as FastaiFlatten
from fastai.layers import (
    Lambda,
    LinBnDrop,
    MergeLayer,
    PartialLambda,
    PoolFlatten,
    ResBlock,
    SequentialEx,
    SigmoidRange,
    View,
)
from fastai.learner import Learner
from fastai.losses import (
    BaseLoss,
    BCELossFlat,
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLoss,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)
from fastai.metrics import accuracy
from fastai.vision.augment import (
    CropPad,
    FlipItem,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    RandomResizedCropGPU,
    RatioResize,
    Resize,
    ResizeMethod,
    aug_transforms,
)
from fastai.vision.core import PILImageBW, imagenet_stats
from fastai.vision.data import ImageBlock
from fastai.vision.learner import create_body, create_head
from fastai.vision.models.xresnet import XResNet
from timm.loss import AsymmetricLossMultiLabel
from timm.loss import LabelSmoothingCrossEntropy as LabelSmoothing
from torch import nn
from torch.nn import functional

from tests.conftest import draw
from tests.exports import networks

SIDE, SMALL = 48, 32


@dataclass(frozen=True)
class Head:
    """What stands behind a network's linear layer, and what it makes of scores.

    `gives` is probabilities, logs (of them), scores, or what is none of these and known or unknown.
    """

    layers: Callable[[int], list[nn.Module]]
    gives: str = "scores"


def of(*layers: Callable[[], nn.Module], gives: str = "probabilities") -> Head:
    return Head(lambda n: [layer() for layer in layers], gives)


def behind_a_skip(n: int) -> list[nn.Module]:
    return [SequentialEx(nn.Linear(n, n), nn.Sigmoid(), MergeLayer())]


SIGMOID, SOFTMAX = nn.Sigmoid, functools.partial(nn.Softmax, dim=1)
HEADS = {
    "nothing": of(gives="scores"),
    "dropout": of(nn.Dropout, gives="scores"),
    "a norm": Head(lambda n: [nn.BatchNorm1d(n)]),
    "a gate that ends in a linear layer": Head(lambda n: [nn.Sigmoid(), nn.Linear(n, n)]),
    "softmax": of(SOFTMAX),
    "softmax, flatten": of(SOFTMAX, nn.Flatten),
    "softmax, identity": of(SOFTMAX, nn.Identity),
    "softmax, reshaped": Head(
        lambda n: [nn.Softmax(1), nn.Unflatten(1, (n, 1)), nn.Flatten()], "probabilities"
    ),
    "softmax, viewed": Head(lambda n: [nn.Softmax(1), View(1, n)], "probabilities"),
    "softmax without a dimension": of(lambda: nn.Softmax(dim=-1), FastaiFlatten),
    "softmin": of(lambda: nn.Softmin(1)),
    "softmax of softmax": of(SOFTMAX, SOFTMAX),
    "sigmoid": of(SIGMOID),
    "sigmoid, dropout": of(SIGMOID, nn.Dropout),
    "sigmoid far inside": of(lambda: nn.Sequential(nn.Sequential(nn.Sigmoid(), nn.Sequential()))),
    "sigmoid twice": of(SIGMOID, SIGMOID),
    "hardsigmoid": of(nn.Hardsigmoid),
    "hardtanh from 0 to 1": of(lambda: nn.Hardtanh(0, 1)),
    "y_range of 0 to 1": of(lambda: SigmoidRange(0, 1)),
    "y_range of 0.0 to 1.0, dropout": of(lambda: SigmoidRange(0.0, 1.0), nn.Dropout),
    "y_range of 0.1 to 0.9": of(lambda: SigmoidRange(0.1, 0.9)),
    "y_range of -1 to 2": of(lambda: SigmoidRange(-1, 2), gives="other"),
    "y_range of 0 to 5.5": of(lambda: SigmoidRange(0, 5.5), gives="other"),
    "torch.sigmoid": of(lambda: Lambda(torch.sigmoid)),
    "F.softmax": of(lambda: PartialLambda(functional.softmax, dim=1)),
    "F.log_softmax": of(
        lambda: Lambda(functools.partial(functional.log_softmax, dim=1)), gives="logs"
    ),
    "log softmax": of(lambda: nn.LogSoftmax(1), gives="logs"),
    "log softmax, identity": of(lambda: nn.LogSoftmax(1), nn.Identity, gives="logs"),
    "log sigmoid": of(nn.LogSigmoid, gives="logs"),
    "relu": of(nn.ReLU, gives="other"),
    "relu6": of(nn.ReLU6, gives="other"),
    "tanh": of(nn.Tanh, gives="other"),
    "softplus": of(nn.Softplus, gives="other"),
    "gelu": of(nn.GELU, gives="other"),
    "leaky relu": of(nn.LeakyReLU, gives="scores"),
    "a sigmoid behind a skip": Head(behind_a_skip, "scores"),
}


@dataclass(frozen=True)
class LossKind:
    """A loss; what fastai's predict applies of it, or else what it makes of scores, if it does.

    What an author's is can be seen only if it is `whole` in the file.
    """

    make: Callable[[int], Any]
    applied: str | None = None
    of_scores: str | None = None
    whole: bool = False


class AuthorsLoss(nn.Module):
    """A loss of an author's own, without an activation."""

    def forward(self, numbers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(numbers, labels)


class AuthorsFlat(CrossEntropyLossFlat):
    """A loss of an author's own that is fastai's otherwise."""


class AuthorsEntropy(nn.CrossEntropyLoss):
    """A loss of an author's own that is torch's otherwise."""


class AuthorsActivation(CrossEntropyLossFlat):
    """A loss with an activation that only its code tells."""

    def activation(self, numbers: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(numbers)


def authors_function(numbers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(numbers, labels)


def with_activation(numbers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(numbers, labels)


with_activation.activation = torch.sigmoid


def plain(make: Callable[[], Any], of_scores: str | None = None) -> LossKind:
    return LossKind(lambda _: make(), of_scores=of_scores)


def authors(make: Callable[[], Any], applied: str | None, of_scores: str | None = None) -> LossKind:
    return LossKind(lambda _: make(), applied, of_scores, whole=True)


def fastais(make: Callable[[], Any], applied: str) -> LossKind:
    return LossKind(lambda _: make(), applied)


LOSSES = {
    "CrossEntropyLossFlat": fastais(CrossEntropyLossFlat, "softmax"),
    "CrossEntropyLossFlat of axis 1": fastais(lambda: CrossEntropyLossFlat(axis=1), "softmax"),
    "CrossEntropyLossFlat, weighted": LossKind(
        lambda n: CrossEntropyLossFlat(weight=torch.ones(n)), "softmax"
    ),
    "CrossEntropyLossFlat of axis 0": fastais(lambda: CrossEntropyLossFlat(axis=0), "refused"),
    "LabelSmoothingCrossEntropyFlat": fastais(LabelSmoothingCrossEntropyFlat, "softmax"),
    "LabelSmoothingCrossEntropy": fastais(LabelSmoothingCrossEntropy, "softmax"),
    "FocalLossFlat": fastais(lambda: FocalLossFlat(gamma=1.0), "softmax"),
    "DiceLoss": fastais(DiceLoss, "softmax"),
    "BCEWithLogitsLossFlat": fastais(BCEWithLogitsLossFlat, "sigmoid"),
    "BCEWithLogitsLossFlat, thresh": fastais(lambda: BCEWithLogitsLossFlat(thresh=0.3), "sigmoid"),
    "BCELossFlat": plain(BCELossFlat),
    "MSELossFlat": plain(MSELossFlat),
    "L1LossFlat": plain(L1LossFlat),
    "FocalLoss": plain(FocalLoss, "softmax"),
    "BaseLoss of CrossEntropyLoss": plain(lambda: BaseLoss(nn.CrossEntropyLoss), "softmax"),
    "CrossEntropyLoss": plain(nn.CrossEntropyLoss, "softmax"),
    "CrossEntropyLoss, smoothed": plain(
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1), "softmax"
    ),
    "BCEWithLogitsLoss": plain(nn.BCEWithLogitsLoss, "sigmoid"),
    "MultiLabelSoftMarginLoss": plain(nn.MultiLabelSoftMarginLoss, "sigmoid"),
    "BCELoss": plain(nn.BCELoss),
    "NLLLoss": plain(nn.NLLLoss),
    "MSELoss": plain(nn.MSELoss),
    "MultiMarginLoss": plain(nn.MultiMarginLoss),
    "F.cross_entropy": plain(lambda: functional.cross_entropy, "softmax"),
    "F.nll_loss": plain(lambda: functional.nll_loss),
    "F.binary_cross_entropy": plain(lambda: functional.binary_cross_entropy),
    "F.mse_loss": plain(lambda: functional.mse_loss),
    "F.cross_entropy in part": plain(
        lambda: functools.partial(functional.cross_entropy, label_smoothing=0.1), "softmax"
    ),
    "CrossEntropyLossFlat in part": plain(
        lambda: functools.partial(CrossEntropyLossFlat(), reduction="mean"), "softmax"
    ),
    "timm's": plain(lambda: LabelSmoothing(0.1), "softmax"),
    "timm's for several labels": plain(AsymmetricLossMultiLabel, "sigmoid"),
    "an author's function": plain(lambda: authors_function, "task"),
    "an author's class": plain(AuthorsLoss, "task"),
    "an author's class, whole": authors(AuthorsLoss, None, "task"),
    "an author's CrossEntropyLossFlat": authors(AuthorsFlat, "softmax"),
    "an author's CrossEntropyLoss": authors(AuthorsEntropy, None, "softmax"),
    "an author's activation": authors(AuthorsActivation, "refused"),
    "a function with an activation": authors(lambda: with_activation, "refused"),
    "a method of MixUp": plain(lambda: MixUp().lf, "task"),
    "none": plain(lambda: None, "task"),
}


def expected(row: "Row", said: torch.Tensor) -> torch.Tensor | None:
    """Return the probabilities that belong to what `learn.predict` said; None if none do."""
    head, loss = HEADS[row.head], LOSSES[row.loss]
    if loss.applied:
        return None if loss.applied == "refused" else said
    if head.gives in ("probabilities", "logs"):
        return said.exp() if head.gives == "logs" else said
    of_scores = loss.of_scores
    if of_scores == "task":
        by_task = "sigmoid" if row.labels.startswith("several") else "softmax"
        of_scores = by_task if head.gives == "scores" else None
    made = {"softmax": lambda: said.softmax(0), "sigmoid": said.sigmoid, None: lambda: None}
    return made[of_scores]()


# Labels: of the photo of each number


def single(*names: Any, **block: Any) -> tuple[Any, Any]:
    return (lambda: CategoryBlock(**block)), [names[n % len(names)] for n in range(PHOTOS)]


def several(*names: Any, **block: Any) -> tuple[Any, Any]:
    sets = [[names[n % len(names)], names[0]] for n in range(PHOTOS)]
    return (lambda: MultiCategoryBlock(**block)), sets


PHOTOS = 12
CODED = [[n % 2, 1, (n + 1) % 2] for n in range(PHOTOS)]
LABELS = {
    "two": single("ant", "bee"),
    "three": single("ant", "bee", "cat"),
    "twelve": single(*"abcdefghijkl"),
    "whole numbers": single(3, 1, 2),
    "numbers as text": single("10", "9", "1"),
    "odd names": single("Ä ö", "<b>ß</b>", "naïve, 熊", "a\tb"),
    "an order of their own": single("ant", "bee", "cat", vocab=["cat", "ant", "bee"]),
    "unsorted": single("cat", "ant", "bee", sort=False),
    "one more for none": single("ant", "bee", "cat", add_na=True),
    "more than are used": single("ant", "bee", vocab=["ant", "bee", "cow", "dog"]),
    "several": several("ant", "bee", "cat"),
    "several, one more for none": several("ant", "bee", "cat", add_na=True),
    "several, in an order of their own": several("ant", "bee", vocab=["bee", "ant", "cow"]),
    "several, encoded": ((lambda: MultiCategoryBlock(encoded=True, vocab=list("abc"))), CODED),
}
PICTURES = {"colour": lambda: ImageBlock, "grey": lambda: ImageBlock(PILImageBW)}
# Tall and wide ones too; all of one size at last, or no batch could be made.
ITEMS = {
    "cropped": lambda: Resize(SIDE),
    "squished": lambda: Resize(SIDE, method="squish"),
    "padded": lambda: Resize(SIDE, ResizeMethod.Pad, pad_mode="zeros"),
    "padded with its border": lambda: Resize(SIDE, method="pad", pad_mode="border"),
    "not square": lambda: Resize((48, 64)),
    "cropped at random": lambda: RandomResizedCrop(SIDE, min_scale=0.5),
    "padded, then the longer side": lambda: [CropPad(64), RatioResize(SIDE)],
    "cut out": lambda: [Resize(64), RandomCrop(SIDE)],
    "cut out by the pixel": lambda: CropPad(SIDE),
    "flipped in training": lambda: [Resize(SIDE), FlipItem(0.5)],
    "as they are": lambda: None,
}
BATCHES = {
    "nothing": lambda: None,
    "augmented": aug_transforms,
    "augmented and normalized": lambda: [*aug_transforms(), normalized()],
    "made smaller": lambda: aug_transforms(size=SMALL),
    "cropped on the batch": lambda: RandomResizedCropGPU(SMALL),
    "erased in training": lambda: [RandomErasing()],
    "normalized": lambda: normalized(),
    "normalized by what was measured": lambda: Normalize(),
}
EXTRAS = {
    "nothing": {},
    "a metric": {"metrics": accuracy},
    "mixup": {"cbs": MixUp},
    "half precision": {"fp16": True},
    "n_inp": {"n_inp": 1},
    "pickled as before 2.8": {"pickle": True},
    "pickle protocol 4": {"protocol": 4},
    "its functions in the file": {"by_value": True},
}


def normalized() -> Normalize:
    return Normalize.from_stats(*imagenet_stats, cuda=False)


# Networks: of the number of channels, and with the layers at their end


def plain_net(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    net = networks.plain(3, channels)
    net[-1] = end(64)
    return net


def flat(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return nn.Sequential(pooled, end(16 * channels))


def grouped(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    convs = [nn.Conv2d(channels, 8, 3, stride=4), nn.GroupNorm(2, 8), nn.SiLU()]
    deep = [nn.Conv2d(8, 8, 3, groups=8), nn.InstanceNorm2d(8, affine=True), nn.PReLU()]
    return nn.Sequential(*convs, *deep, PoolFlatten(), nn.LayerNorm(8), end(8))


def torchvisions(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    net = networks.narrow_resnet()
    net.conv1 = nn.Conv2d(channels, 4, 7, stride=2, padding=3, bias=False)
    net.fc = end(32)
    return net


def vision_learners(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    body = create_body(torchvisions(channels, nn.Identity), cut=-2)
    head = create_head(32, 5, lin_ftrs=[8])
    head[-1] = end(8)
    return nn.Sequential(body, head)


def xresnet(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    net = XResNet(ResBlock, 1, [1, 1, 1, 1], c_in=channels, stem_szs=(8, 8, 64), widen=0.125)
    net[-1] = end(net[-1].in_features)
    return net


def timms(name: str, **settings: Any) -> Callable[[int, Callable[[int], nn.Module]], nn.Module]:
    def net(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
        made = timm.create_model(name, in_chans=channels, num_classes=5, **settings)
        at, _, last = made.default_cfg["classifier"].rpartition(".")
        holder = made.get_submodule(at)
        setattr(holder, last, end(getattr(holder, last).in_features))
        return made

    return net


def with_a_skip(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    block = SequentialEx(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), MergeLayer(dense=True))
    return nn.Sequential(nn.Conv2d(channels, 8, 3, 2), block, PoolFlatten(), end(16))


def fully_connected(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    return nn.Sequential(PoolFlatten(), LinBnDrop(channels, 16, act=nn.ReLU()), end(16))


def shared(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    twice = nn.Conv2d(channels, channels, 3, padding=1)
    return nn.Sequential(twice, nn.Hardswish(), twice, flat(channels, end))


def in_parallel(channels: int, end: Callable[[int], nn.Module]) -> nn.Module:
    return nn.DataParallel(flat(channels, end))


NETS: dict[str, Any] = {
    "plain": plain_net,
    "flat": flat,
    "grouped": grouped,
    "torchvision's resnet": torchvisions,
    "vision_learner's": vision_learners,
    "xresnet": xresnet,
    "timm's resnet": timms("test_resnet"),
    "timm's vit": timms("test_vit", img_size=SIDE, dynamic_img_size=True),
    "timm's convnext": timms("test_convnext"),
    "timm's efficientnet": timms("test_efficientnet"),
    "with a skip": with_a_skip,
    "fully connected": fully_connected,
    "a layer twice": shared,
    "in parallel": in_parallel,
}


@dataclass(frozen=True)
class Row:
    """One kind of each ingredient."""

    head: str
    loss: str
    labels: str
    net: str
    items: str
    batches: str
    extra: str
    pictures: str

    def __str__(self) -> str:
        return "; ".join(vars(self).values())


TABLES = (HEADS, LOSSES, LABELS, NETS, ITEMS, BATCHES, EXTRAS, PICTURES)


def rows(count: int, tries: int = 40) -> Iterator[Row]:
    """Yield rows, each of some by chance the one that brings most new pairs together."""
    dice = random.Random(15)  # not for secrets
    seen: set[Any] = set()
    for _ in range(count):
        chances = [tuple(dice.choice(list(table)) for table in TABLES) for _ in range(tries)]
        best = max(chances, key=lambda chance: len(_pairs(chance) - seen))
        seen |= _pairs(best)
        yield Row(*best)


def _pairs(chosen: tuple[str, ...]) -> set[Any]:
    return set(combinations(enumerate(chosen), 2))


def make(row: Row, folder: Path) -> Learner:
    """Make a row's learner of the photos in a folder, which are named by their numbers."""
    block, labels = LABELS[row.labels]
    extra = EXTRAS[row.extra]
    data = DataBlock(
        (PICTURES[row.pictures](), block()),
        get_items=lambda path: sorted(path.glob("*.png")),
        get_y=lambda path: labels[int(path.stem)],
        splitter=IndexSplitter(range(2)),
        item_tfms=ITEMS[row.items](),
        batch_tfms=BATCHES[row.batches](),
        n_inp=extra.get("n_inp"),
    )
    dls = data.dataloaders(folder, bs=2, num_workers=0)
    channels, classes = dls.one_batch()[0].shape[1], len(dls.vocab)
    torch.manual_seed(len(str(row)))

    def end(features: int) -> nn.Module:
        return nn.Sequential(nn.Linear(features, classes), *HEADS[row.head].layers(classes))

    loss = LOSSES[row.loss].make(classes)
    cbs = extra["cbs"]() if "cbs" in extra else None
    learn = Learner(
        dls, distinct(NETS[row.net](channels, end)), loss_func=authors_function, path=folder,
        cbs=cbs, metrics=extra.get("metrics"),
    )  # fmt: skip
    learn.loss_func = loss
    return learn.to_fp16() if "fp16" in extra else learn


def distinct(net: nn.Module) -> nn.Module:
    """Let a network that was not trained tell photos apart."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2 * module.in_features**-0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.3)
    return net


def draw_photos(folder: Path) -> None:
    for number in range(PHOTOS):
        draw((48, 64)).rotate(30 * number).save(folder / f"{number:02}.png")


def export(row: Row, learn: Learner, folder: Path) -> Path:
    """Export a learner as its row says, and return the file's path."""
    extra, here = EXTRAS[row.extra], sys.modules[__name__]
    whole = "by_value" in extra or LOSSES[row.loss].whole
    options = {} if "pickle" in extra and not whole else {"pickle_module": cloudpickle}
    if whole:
        cloudpickle.register_pickle_by_value(here)
    try:
        learn.export("many.pkl", **options, pickle_protocol=extra.get("protocol", 2))
    finally:
        if whole:
            cloudpickle.unregister_pickle_by_value(here)
    return folder / "many.pkl"
