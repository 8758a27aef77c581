"""Small files that take hours: what they hold at a time is little, what they do with it is not.

A layer may be used again and again, and its kind decides how long a number takes: no count of
multiplications tells.
"""

from collections.abc import Callable
from typing import Any

from tests.attacks.bombs import layers
from tests.attacks.workshop import Workshop, add, attack


def again(make: Callable[[Any], Any], times: int, shop: Workshop) -> bytes:
    """One layer, many times, for 100 MB of numbers."""

    def change(learn: Any) -> None:
        from torch import nn

        grow = (nn.Conv2d(4, 25, 1), nn.Upsample(size=(1000, 1000)))
        row = nn.Sequential(*grow, *[make(nn)] * times, nn.Conv2d(25, 4, 1))
        learn.model._modules["2"] = row

    return shop.planted(change)


@attack()
def wide_pool(shop: Workshop) -> bytes:
    """Pooling that looks at a million pixels for each of thirty million: no memory, but days."""
    grow = (lambda nn: nn.Conv2d(4, 30, 1), lambda nn: nn.Upsample(size=(1000, 1000)))
    return layers(*grow, lambda nn: nn.MaxPool2d(999, 1, 499), lambda nn: nn.Conv2d(30, 4, 1))(shop)


@attack()
def wide_average(shop: Workshop) -> bytes:
    """The same by averages, which need not even be of a size."""
    grow = (lambda nn: nn.Conv2d(4, 30, 1), lambda nn: nn.Upsample(size=(1000, 1000)))
    return layers(*grow, lambda nn: nn.AvgPool2d(999, 1, 499), lambda nn: nn.Conv2d(30, 4, 1))(shop)


@attack()
def often(shop: Workshop) -> bytes:
    """A layer that does next to nothing, ten thousand times: a quarter of an hour."""
    return again(lambda nn: nn.Sequential(*[nn.Sigmoid()] * 100), 100, shop)


def backwards(nn: Any) -> Any:
    return nn.ConvTranspose2d(25, 25, 3, padding=1, groups=25)


LONG: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("averages", "pooling to the same size", lambda nn: nn.AdaptiveAvgPool2d(1000)),
    ("curves", "drawing a photo anew", lambda nn: nn.Upsample(size=(1000, 1000), mode="bicubic")),
    ("logarithms", "functions that take long", lambda nn: nn.LogSigmoid()),
    ("channels", "a convolution of each channel", backwards),
]


for label, what, make in LONG:

    def build(shop: Workshop, make: Callable[[Any], Any] = make) -> bytes:
        return again(make, 200, shop)

    add("hours", f"{label}_again", f"two hundred times {what}", build, large=True)
