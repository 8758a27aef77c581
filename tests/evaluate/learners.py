"""Small learners of subjects made by code, trained in seconds, and photos of those subjects."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (96, 72)
KINDS = ("circle", "cross", "stripes")
OTHERS = ("grain", "bricks")


def draw(kind: str, dice: Random) -> Image.Image:
    """A picture of one kind: its own colours, place and size, a little out of focus."""
    ground = tuple(dice.randrange(150, 256) for _ in range(3))
    picture = Image.new("RGB", SIZE, ground)
    pen = ImageDraw.Draw(picture)
    colour = tuple(dice.randrange(110) for _ in range(3))
    side = dice.randrange(26, 50)
    left, top = dice.randrange(SIZE[0] - side), dice.randrange(SIZE[1] - side)
    box = (left, top, left + side, top + side)
    SHAPES[kind](pen, box, colour)
    return picture.filter(ImageFilter.GaussianBlur(dice.uniform(0, 1)))


Box = tuple[int, int, int, int]
Shape = Callable[[ImageDraw.ImageDraw, Box, tuple[int, ...]], None]


def _circle(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, ...]) -> None:
    pen.ellipse(box, fill=colour)


def _cross(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    pen.line((left, top, right, bottom), fill=colour, width=7)
    pen.line((left, bottom, right, top), fill=colour, width=7)


def _stripes(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    for line in range(top, bottom, 8):
        pen.rectangle((left, line, right, line + 3), fill=colour)


def _grain(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, ...]) -> None:
    for x in range(0, SIZE[0], 3):
        for y in range(x % 2, SIZE[1], 3):
            pen.point((x, y), fill=colour)


def _bricks(pen: ImageDraw.ImageDraw, box: Box, colour: tuple[int, ...]) -> None:
    for row, y in enumerate(range(-box[1] % 12, SIZE[1], 12)):
        for x in range(-12 * (row % 2), SIZE[0], 24):
            pen.rectangle((x, y, x + 21, y + 9), fill=colour)


SHAPES: dict[str, Shape] = {
    **{"circle": _circle, "cross": _cross, "stripes": _stripes},
    **{"grain": _grain, "bricks": _bricks},
}


def draw_all(folder: Path, kinds: tuple[str, ...], each: int, seed: int) -> Path:
    """Write pictures of each kind into a folder of its name."""
    dice = Random(seed)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for number in range(each):
            draw(kind, dice).save(folder / kind / f"{number:03}.png")
    return folder


def train(photos: Path, export: Path, epochs: int = 12) -> Path:
    """Train a learner on folders of pictures, and export it."""
    from fastai.callback import schedule  # noqa: F401  # gives Learner its fit_one_cycle
    from fastai.learner import Learner
    from fastai.torch_core import set_seed
    from fastai.vision.augment import Resize
    from fastai.vision.data import ImageDataLoaders
    from torch import nn

    set_seed(1, reproducible=True)
    loaders = ImageDataLoaders.from_folder(
        photos, valid_pct=0.2, seed=1, item_tfms=Resize(64), bs=32, num_workers=0
    )
    layers: list[nn.Module] = []
    for inner, outer in ((3, 16), (16, 32), (32, 64)):
        convolution = nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(outer), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, loaders.c)]
    learn = Learner(loaders, nn.Sequential(*layers))
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, 0.02)
    learn.export(export.resolve())
    return export
