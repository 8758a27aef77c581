"""Draw the pictures that every export is asked about, and those that it was trained on.

In comes nothing, or a label's number; out goes a Pillow picture. All of it is arithmetic of whole
numbers, so that every machine draws the same bytes. This room needs numpy and Pillow only: it
also runs beside the oldest fastai.
"""

import numpy as np
from PIL import Image

# name: width, height, how bright each of red, green and blue is, the seed of its texture
FIXED = {
    "landscape": (300, 200, (9, 6, 3), 1),
    "portrait": (150, 260, (3, 9, 6), 2),
    "square": (224, 224, (6, 3, 9), 3),
    "tiny": (40, 30, (9, 9, 2), 4),
    "panorama": (640, 120, (2, 7, 9), 5),
    "grey": (280, 210, (7, 7, 7), 6),
}
TRAINING_SIZE = 72, 56
TINTS = (9, 3, 3), (3, 9, 3), (3, 3, 9)


def fixed_pictures() -> dict[str, Image.Image]:
    """Return the pictures by name, all of them RGB; `grey` was drawn in one channel."""
    pictures = {name: draw(*how) for name, how in FIXED.items()}
    pictures["grey"] = pictures["grey"].convert("L").convert("RGB")
    return pictures


def training_picture(label: int, number: int) -> Image.Image:
    """Return one small picture; those of a label have its colour in common."""
    return draw(*TRAINING_SIZE, TINTS[label % len(TINTS)], 100 * label + number)


def draw(width: int, height: int, tint: tuple[int, int, int], seed: int) -> Image.Image:
    """Draw a slope, a disc, stripes and a fine texture: what tells one resizing from another."""
    y, x = np.mgrid[:height, :width]
    middle, radius = (width * (1 + seed % 3) // 4, height // 2), min(width, height) // 3
    disc = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 < radius**2
    slope = 140 * x // width + 60 * y // height
    stripes = 50 * ((x + 2 * y) // (3 + seed % 5) % 2)
    texture = np.random.RandomState(seed).randint(0, 40, (height, width))
    grey = np.where(disc, 230 - slope, slope) + stripes // 2 + texture
    channels = [np.clip(grey * share // 9 + 10, 0, 255) for share in tint]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))
