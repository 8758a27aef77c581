"""Photos drawn by code, so that no test needs a file from elsewhere.

In: a seed or a size; out: the bytes a visitor would upload.
"""

import io
import random

from PIL import Image, ImageDraw

EXIF_ORIENTATION = 0x0112
SIDEWAYS = 6  # the camera was turned a quarter, as most phones' photos are


def scene(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Draw coloured discs on a plain ground; another seed gives another picture."""
    dice = random.Random(seed)
    picture = Image.new("RGB", size, _colour(dice))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        radius = dice.randrange(20, 90)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(dice))
    return picture


def png(seed: int) -> bytes:
    """Draw a photo without loss."""
    return _saved(scene(seed), "PNG")


def sideways_jpeg(seed: int) -> bytes:
    """Draw a photo whose EXIF says it lies on its side."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = SIDEWAYS
    return _saved(scene(seed), "JPEG", exif=exif.tobytes(), quality=90)


def bmp_above(megabytes: int) -> bytes:
    """Draw a photo that stays above so many megabytes, whatever compresses it on the way."""
    width = 2000
    height = megabytes * 1_000_000 // (3 * width) + 100
    noise = random.Random(megabytes).randbytes(3 * width * height)
    return _saved(Image.frombytes("RGB", (width, height), noise), "BMP")


def _colour(dice: random.Random) -> tuple[int, int, int]:
    return dice.randrange(256), dice.randrange(256), dice.randrange(256)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
