"""Photos drawn by code, so that no test needs a file from elsewhere.

In: a seed or a size; out: the bytes a visitor would upload.
"""

import base64
import io
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

EXIF_ORIENTATION = 0x0112
BROWN, LIGHT, BLACK = (170, 112, 62), (222, 182, 134), (25, 18, 14)
# A teddy's discs in a square of 300, the lowest first: x, y, half the width and height, colour.
DISCS = (
    (150, 205, 62, 66, BROWN),
    (150, 212, 38, 44, LIGHT),
    (86, 190, 24, 40, BROWN),
    (214, 190, 24, 40, BROWN),
    (104, 262, 34, 28, BROWN),
    (196, 262, 34, 28, BROWN),
    (100, 264, 19, 17, LIGHT),
    (200, 264, 19, 17, LIGHT),
    (92, 58, 28, 28, BROWN),
    (208, 58, 28, 28, BROWN),
    (92, 58, 16, 16, LIGHT),
    (208, 58, 16, 16, LIGHT),
    (150, 98, 68, 60, BROWN),
    (150, 120, 32, 26, LIGHT),
    (124, 88, 7, 7, BLACK),
    (176, 88, 7, 7, BLACK),
    (150, 109, 11, 8, BLACK),
)
# 300 x 200 pixels, red in the top left quarter, stored on its side as iPhones do (irot). Written by
# pillow-heif 1.8.1 with quality 30; nothing else here can write HEIC.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaFtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAABxQABAAAAAAAAAIgAAgAAAAACTQABAAAAAAAAACQAAAA4aWluZgAAAAAA"
    "AgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA4GlwcnAAAADA"
    "aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAPPAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAPLoCQGEAAQAr"
    "QgEBA3AAAAMAkAAAAwAAAwA8oBkgEx95bqSSmubgIaDAgAAADIAAAAMAhGIAAQAHRAHBcrBiQAAAABNjb2xybmNseAAB"
    "AA0ABoAAAAAUaXNwZQAAAAAAAADIAAABLAAAABBwaXhpAAAAAAMICAgAAAAJaXJvdAMAAAAYaXBtYQAAAAAAAAABAAEF"
    "gQIDBIUAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAALRtZGF0AAAAhCgBrxkpzAmKIvd8hTf/+MJRHR17+tBXis/y"
    "xso86gAADcimtzqAeoVoAAso1bB4Pcf1Q0YYjWB5D3mFDcv8v+ijGm5azFkRc4yHJoEeTDv/ck1/1LJndkgrxQt+WJxX"
    "Qi7A39Sqmrp0wzaoY36IJEAA/5iCHyGiFGAEVJMA3B7T0MMJeAAAAAZFeGlmAABNTQAqAAAACAABARIAAwAAAAEABgAA"
    "AAAAAA=="
)
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


def teddy(size: int = 900) -> bytes:
    """Draw a teddy that the real learner takes for one, as a JPEG."""
    picture = Image.new("RGB", (size, size), (214, 226, 232))
    pen = ImageDraw.Draw(picture)
    unit = size / 300
    pen.rectangle((0, 230 * unit, size, size), fill=(188, 160, 128))
    for x, y, width, height, colour in DISCS:
        box = (x - width, y - height, x + width, y + height)
        pen.ellipse(tuple(unit * side for side in box), fill=colour)
    for side in (118, 182):
        bow = ((150, 160), (side, 146), (side, 176))
        pen.polygon([(x * unit, y * unit) for x, y in bow], fill=(190, 40, 46))
    fur = Image.effect_noise(picture.size, 40).filter(ImageFilter.GaussianBlur(1)).convert("RGB")
    return _saved(Image.blend(picture, ImageChops.overlay(picture, fur), 0.7), "JPEG", quality=90)


def _colour(dice: random.Random) -> tuple[int, int, int]:
    return dice.randrange(256), dice.randrange(256), dice.randrange(256)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
