"""Small files that ask for more than a machine has: to compute, to hold, or to draw.

All weights are honest, all classes are allowed. What is too much is a number, or how often a layer
is used.
"""

from collections.abc import Callable
from typing import Any

from tests.attacks.pipeline import in_resize
from tests.attacks.workshop import Workshop, add, attack


def layers(*made: Callable[[Any], Any]) -> Callable[[Workshop], bytes]:
    """Layers put in the place of the third, in a row; each is made by a function of torch.nn."""

    def build(shop: Workshop) -> bytes:
        from torch import nn

        row = nn.Sequential(*(make(nn) for make in made))
        return shop.planted(lambda learn: learn.model._modules.update({"2": row}))

    return build


def numbered(make: Callable[[Any], Any], **numbers: Any) -> Callable[[Workshop], bytes]:
    """A layer whose numbers are changed after it was made, for it would not be made with them."""

    def change(nn: Any) -> Any:
        layer = make(nn)
        layer.__dict__.update(numbers)
        return layer

    return layers(change)


def huge_convolution(nn: Any) -> Any:
    return nn.Conv2d(4, 4, 1, padding=100_000)


def many_channels(nn: Any) -> Any:
    wide = (nn.Conv2d(4, 1_000, 1), nn.Conv2d(1_000, 4, 1))
    return nn.Sequential(nn.Upsample(size=(1_000, 1_000)), *wide)


BIG, HUGE = 10**5, 2**62
ROWS: list[tuple[str, str, Callable[[Workshop], bytes]]] = [
    ("upsample", "pixels made of nothing", layers(lambda nn: nn.Upsample(scale_factor=BIG))),
    ("upsample_to", "a size of its own", layers(lambda nn: nn.Upsample(size=(BIG, BIG)))),
    (
        "upsample_often",
        "no step is large, their product is",
        layers(*[lambda nn: nn.Upsample(scale_factor=2)] * 40),
    ),
    ("zero_pad", "a border without end", layers(lambda nn: nn.ZeroPad2d(BIG))),
    ("constant_pad", "a border of 2^62", layers(lambda nn: nn.ConstantPad2d(HUGE, 1.0))),
    ("pad_negative", "a border that takes away", layers(lambda nn: nn.ZeroPad2d(-HUGE))),
    ("pool_to", "pooling that makes larger", layers(lambda nn: nn.AdaptiveAvgPool2d(BIG))),
    ("pool_to_max", "the same, of another kind", layers(lambda nn: nn.AdaptiveMaxPool2d(HUGE))),
    ("pool_nothing", "a window of no size", numbered(lambda nn: nn.MaxPool2d(2), kernel_size=0)),
    ("pool_no_stride", "steps of no length", numbered(lambda nn: nn.MaxPool2d(2), stride=0)),
    ("pool_dilated", "holes of 2^62", numbered(lambda nn: nn.MaxPool2d(2), dilation=HUGE)),
    ("shuffle", "pixels of channels", numbered(lambda nn: nn.PixelShuffle(2), upscale_factor=0)),
    (
        "shuffle_huge",
        "the same, huge",
        numbered(lambda nn: nn.PixelShuffle(2), upscale_factor=HUGE),
    ),
    ("unfold", "each pixel many times", layers(lambda nn: nn.Unfold(3, padding=BIG))),
    ("padded_convolution", "a convolution's border", layers(huge_convolution)),
    ("many_channels", "honest weights, and 4 GB to hold", layers(many_channels)),
    ("no_groups", "a division by nothing", numbered(lambda nn: nn.Conv2d(4, 4, 1), groups=0)),
    ("no_stride", "steps of no length", numbered(lambda nn: nn.Conv2d(4, 4, 1), stride=(0, 0))),
    ("dilated", "holes of 2^62", numbered(lambda nn: nn.Conv2d(4, 4, 3), dilation=(HUGE, HUGE))),
    (
        "transposed",
        "a convolution that makes larger",
        numbered(lambda nn: nn.ConvTranspose2d(4, 4, 1), stride=(BIG, BIG)),
    ),
    ("group_norm", "a division by nothing", numbered(lambda nn: nn.GroupNorm(2, 4), num_groups=0)),
    ("flatten_axes", "axes that are not there", layers(lambda nn: nn.Flatten(HUGE - 2, HUGE))),
    ("unflatten", "sizes of its own", layers(lambda nn: nn.Unflatten(1, (1,) * 500 + (4,)))),
    ("local_norm", "a neighbourhood of 2^62", layers(lambda nn: nn.LocalResponseNorm(HUGE))),
    ("text_for_number", "a text", numbered(lambda nn: nn.Conv2d(4, 4, 1), stride=("1", "1"))),
    ("float_for_number", "a fraction", numbered(lambda nn: nn.Conv2d(4, 4, 1), padding=(0.5, 0.5))),
    (
        "long_number",
        "a number of 1,000 digits",
        numbered(lambda nn: nn.MaxPool2d(2), padding=10**999),
    ),
    ("recurrent", "a layer of another kind", layers(lambda nn: nn.LSTM(4, 4, num_layers=100))),
]

for label, reason, build in ROWS:
    add("bombs", label, f"too much to compute: {reason}", build)

SIDES: list[tuple[str, Any]] = [
    ("side_huge", (10**6, 10**6)),
    ("side_of_a_gigabyte", (20_000, 20_000)),
    ("side_negative", (-1, -1)),
    ("side_nothing", (0, 0)),
    ("side_fraction", (16.5, 16.5)),
    ("side_text", ("16", "16")),
    ("side_endless", float("inf")),
    ("side_many", (16,) * 50),
    ("side_true", True),
]
for label, side in SIDES:

    def resized(shop: Workshop, side: Any = side) -> bytes:
        return in_resize(shop, size=side)

    add(
        "bombs",
        label,
        f"photos would be resized to {side}"[:80],
        resized,
        opens=label == "side_true",
    )


@attack()
def many_halves(shop: Workshop) -> bytes:
    """5,000 weights of a million numbers, all views of one: 10 GB as soon as they are copied."""

    def change(learn: Any) -> None:
        import torch

        one = torch.zeros(1, dtype=torch.float16)
        for i in range(5_000):
            weight = torch.nn.Parameter(one.expand(1000, 1000), requires_grad=False)
            learn.model[2]._parameters[f"p{i}"] = weight

    return shop.planted(change)


@attack()
def kept(shop: Workshop) -> bytes:
    """Blocks in blocks, of which each keeps its picture for later: none is large, 40 are 17 GB."""

    def change(learn: Any) -> None:
        from torch import nn
        from torchvision.models.resnet import BasicBlock

        inner: Any = nn.Sigmoid()
        for _ in range(40):
            block = BasicBlock(4, 4)
            parts = {"conv1": nn.Sigmoid(), "conv2": inner}
            block._modules.update({**parts, "bn1": nn.Identity(), "bn2": nn.Identity()})
            inner = block
        grow = (nn.Conv2d(4, 60, 1), nn.Upsample(size=(1350, 1350)))
        learn.model._modules["2"] = nn.Sequential(*grow, inner, nn.Conv2d(60, 4, 1))

    return shop.planted(change)


@attack()
def workspace(shop: Workshop) -> bytes:
    """A convolution that unfolds 500 MB of picture to 4 GB, and gives back little."""
    grow = (lambda nn: nn.Conv2d(4, 60, 1), lambda nn: nn.Upsample(size=(1400, 1400)))
    last = (lambda nn: nn.Conv2d(60, 1, 3), lambda nn: nn.Conv2d(1, 4, 1))
    return layers(*grow, *last)(shop)


def resized_by(make: Callable[[Any], list[Any]]) -> Callable[[Workshop], bytes]:
    """The good export with other item transforms in the place of Resize."""

    def change(learn: Any) -> None:
        from fastai.vision import augment

        for loader in learn.dls.loaders:
            rest = [t for t in loader.after_item.fs if type(t).__name__ != "Resize"]
            loader.after_item.fs = type(loader.after_item.fs)([*make(augment), *rest])

    return lambda shop: shop.planted(change)


add(
    "bombs",
    "resized_by_ratio",
    "RatioResize makes a photo larger than the size at which the network was tried",
    resized_by(lambda augment: [augment.RatioResize(4096)]),
)
add(
    "bombs",
    "resized_twice",
    "a photo made large first and small then, so that the last size tells little",
    resized_by(lambda augment: [augment.Resize(4096), augment.Resize(16)]),
    opens=True,
)
add(
    "bombs",
    "resized_often",
    "two thousand times between large and small",
    resized_by(lambda augment: [augment.Resize(4096), augment.Resize(16)] * 1000),
)


@attack(opens=True)
def turned_large(shop: Workshop) -> bytes:
    """A batch made large by one transform and small by the next."""

    def change(learn: Any) -> None:
        from fastai.vision.augment import AffineCoordTfm, RandomResizedCropGPU

        for loader in learn.dls.loaders:
            loader.after_batch.fs += [AffineCoordTfm(size=4096), RandomResizedCropGPU(16)]

    return shop.planted(change)
