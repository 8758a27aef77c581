"""Measure how far a compiled model gives the answers of the learner it was made of.

In come both, as functions from a picture to a Prediction, and pictures; out goes an `Agreement`.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw

from voilearn.classifier import Predict
from voilearn.compiled.description import Agreement
from voilearn.errors import PhotoError, PhotoNotFound, printable, shown
from voilearn.image import decode_photo
from voilearn.limits import LIMITS
from voilearn.no_file import A_FOLDER, no_file
from voilearn.prediction import Prediction

MADE = 32
SIDES = (90, 224, 289, 400, 640)  # pixels, of pictures made by code
EVERY = 100  # photos, after which it is said how far this is


@dataclass(frozen=True, slots=True)
class Example:
    """A picture to compare answers on, `made` by code or a photo.

    `label` is the class whose name the photo's folder has, if it has one.
    """

    picture: Callable[[], Image.Image]
    label: str | None = None
    made: bool = False


def photos_in(folder: Path, classes: Sequence[str]) -> list[Example]:
    """Return the photos in a folder and its folders, those that can be read, in order of name.

    Raises PhotoNotFound if there are none.
    """
    there = no_file(str(folder), "")
    if there and there[0] != A_FOLDER:
        raise PhotoNotFound(f"{printable(str(folder), 80)} is {there[0]}. {there[1]}")
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if there else []
    found = [
        Example(partial(_decoded, file), file.parent.name if file.parent.name in classes else None)
        for file in files
        if _opens(file)
    ]
    if not found:
        raise PhotoNotFound(
            f"There are no photos in {shown(folder)}. Name a folder of photos with --photos, best "
            "with a folder in it for each class."
        )
    return found


def made_pictures() -> list[Example]:
    """Return pictures made by code, the same each time: edges, colours and noise of many sizes."""
    return [Example(partial(_made, seed), made=True) for seed in range(MADE)]


def answers(
    predict: Predict, examples: Sequence[Example], say: Callable[[str], None]
) -> list[Prediction]:
    """Return the Predictions of all pictures, each decoded at its full scale."""
    found = []
    for count, example in enumerate(examples, 1):
        found.append(predict(example.picture()))
        if count % EVERY == 0:
            say(f"{count:,} of {len(examples):,} pictures")
    return found


def agreement(
    before: Sequence[Prediction], after: Sequence[Prediction], examples: Sequence[Example]
) -> Agreement:
    """Return how far the learner's answers and those of the compiled model agree."""
    pairs = list(zip(before, after, strict=True))
    differences = (
        abs(probability - other.probabilities[name])
        for one, other in pairs
        for name, probability in one.probabilities.items()
    )
    return Agreement(
        pictures=len(pairs),
        made=all(example.made for example in examples),
        labels=sum(one.labels == other.labels for one, other in pairs),
        max_difference=max(differences),
        accuracy=_accuracy(before, after, [example.label for example in examples]),
    )


def _accuracy(
    before: Sequence[Prediction], after: Sequence[Prediction], labels: Sequence[str | None]
) -> tuple[float, float] | None:
    known = [at for at, label in enumerate(labels) if label is not None]
    if not known:
        return None
    one, other = (sum(each[at].label == labels[at] for at in known) for each in (before, after))
    return one / len(known), other / len(known)


def _opens(file: Path) -> bool:
    try:
        _decoded(file)
    except (PhotoError, OSError):
        return False
    return True


def _decoded(file: Path) -> Image.Image:
    with file.open("rb") as opened:
        return decode_photo(opened.read(LIMITS.bytes + 1))


def _made(seed: int) -> Image.Image:
    """Draw a picture of noise, a gradient and shapes; a third of them come out dull."""
    dice = random.Random(seed)  # noqa: S311  # not for secrets
    size = dice.choice(SIDES), dice.choice(SIDES)
    picture = Image.merge("RGB", [_noise(size, dice) for _ in range(3)])
    pen = ImageDraw.Draw(picture)
    for _ in range(dice.randrange(9)):
        left, top = (dice.randrange(side) for side in size)
        box = (left, top, left + dice.randrange(1, 200), top + dice.randrange(1, 200))
        draw = dice.choice((pen.ellipse, pen.rectangle))
        draw(box, fill=tuple(dice.randrange(256) for _ in range(3)))
    return picture


def _noise(size: tuple[int, int], dice: random.Random) -> Image.Image:
    """Return grey blots of a size by chance, blended with a gradient."""
    coarse = max(2, size[0] // dice.choice((1, 4, 16))), max(2, size[1] // dice.choice((1, 4, 16)))
    blots = Image.frombytes("L", coarse, dice.randbytes(coarse[0] * coarse[1]))
    gradient = Image.linear_gradient("L").rotate(dice.choice((0, 90, 180, 270))).resize(size)
    return Image.blend(blots.resize(size, Image.Resampling.BICUBIC), gradient, dice.random())
