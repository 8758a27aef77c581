"""Make harder versions of a photo: small and distant things, night, thumbnails, blur.

In: an upright RGB picture and a source of chance. Out: another picture, of any size.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Picture = Image.Image
Hardening = Callable[[Picture, Random], Picture]

CANVASES = [(400, 300), (400, 267), (400, 225), (300, 400), (350, 350)]


def crop_in(photo: Picture, rng: Random, least: float = 0.3, most: float = 0.9) -> Picture:
    """Cut out a part that covers `least` to `most` of the photo's area."""
    area, aspect = rng.uniform(least, most), rng.uniform(0.75, 1.33)
    width = min(photo.width, round(photo.width * (area * aspect) ** 0.5))
    height = min(photo.height, round(photo.height * (area / aspect) ** 0.5))
    left, top = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
    return photo.crop((left, top, left + width, top + height))


def step_back(
    photo: Picture, rng: Random, backgrounds: Sequence[Path] = (), scale: float | None = None
) -> Picture:
    """Shrink the photo and lay it, soft at its edges, on a larger scene.

    `scale` is the photo's share of the scene's side, by default 0.22 to 0.75. The scene is
    one of `backgrounds`, or now and then the photo itself, out of focus.
    """
    size = rng.choice(CANVASES)
    if backgrounds and rng.random() < 0.65:
        scene = _scene(rng.choice(backgrounds), size, rng)
    else:
        scene = photo.resize(size).filter(ImageFilter.GaussianBlur(rng.uniform(8, 30)))
    scale = scale or rng.uniform(0.22, 0.75)
    small = photo.copy()
    small.thumbnail((round(size[0] * scale), round(size[1] * scale)))
    left, top = rng.randint(0, size[0] - small.width), rng.randint(0, size[1] - small.height)
    scene.paste(small, (left, top), _soft_mask(small.size, rng))
    return scene


def _scene(path: Path, size: tuple[int, int], rng: Random) -> Picture:
    scene = crop_in(Image.open(path).convert("RGB"), rng).resize(size)
    blurred = rng.random() < 0.5
    return scene.filter(ImageFilter.GaussianBlur(rng.uniform(1, 8))) if blurred else scene


def _soft_mask(size: tuple[int, int], rng: Random) -> Picture:
    """Return an oval or a rectangle that fades out, so that no hard frame marks the bear."""
    width, height = size
    margin = rng.uniform(0, 0.15)
    box = (width * margin, height * margin, width * (1 - margin) - 1, height * (1 - margin) - 1)
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    (draw.ellipse if rng.random() < 0.5 else draw.rectangle)(box, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.08) * min(size)))


def infrared(photo: Picture, rng: Random) -> Picture:
    """Imitate a camera trap at night: grey, dark away from the flash, grainy."""
    grey = _floats(photo.convert("L"))
    rows, columns = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
    across = columns / grey.shape[1] - rng.uniform(0.2, 0.8)
    down = rows / grey.shape[0] - rng.uniform(0.2, 0.8)
    flash = (1.1 - rng.uniform(0, 1.3) * np.hypot(across, down)).clip(0.05)
    grey = grey ** rng.uniform(0.7, 1.5) * flash * rng.uniform(0.35, 1) + rng.uniform(0, 0.1)
    return _picture(_grainy(grey, rng)).convert("RGB")


def dusk(photo: Picture, rng: Random) -> Picture:
    """Take most of the light away, not the same share of each colour."""
    return _picture(_grainy(_floats(photo) * _colour(rng, 0.2, 0.6), rng))


def fog(photo: Picture, rng: Random) -> Picture:
    """Mix the photo with a pale colour."""
    share = rng.uniform(0.1, 0.5)
    return _picture(_floats(photo) * (1 - share) + share * _colour(rng, 0.6, 0.9))


def light(photo: Picture, rng: Random) -> Picture:
    """Change contrast, brightness and the colour of the light, a little."""
    pixels = _floats(photo)
    mean = pixels.mean()
    pixels = (pixels - mean) * rng.uniform(0.6, 1.3) + mean
    return _picture(pixels * rng.uniform(0.7, 1.25) * _colour(rng, 0.85, 1.15))


def grey(photo: Picture, rng: Random) -> Picture:
    """Take all colour away."""
    return ImageOps.grayscale(photo).convert("RGB")


def other_hues(photo: Picture, rng: Random) -> Picture:
    """Turn all hues a little, and make them stronger or weaker."""
    hue, saturation, value = photo.convert("HSV").split()
    turn, strength = rng.randrange(-25, 26), rng.uniform(0.2, 1.3)
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    saturation = saturation.point([min(255, int(level * strength)) for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def darker(photo: Picture, rng: Random) -> Picture:
    """Darken what is not bright, as a dark coat is."""
    gamma = rng.uniform(1.3, 2.4)
    return photo.point([round(255 * (level / 255) ** gamma) for level in range(256)] * 3)


def brown_coat(photo: Picture, rng: Random) -> Picture:
    """Make what is dark brown, cinnamon to chocolate, as many a black bear is; leave the rest."""
    pixels = _floats(photo)
    level = pixels.mean(axis=2, keepdims=True)
    dark = ((rng.uniform(0.4, 0.55) - level) / 0.2).clip(0, 1)
    coat = np.array([1.25, rng.uniform(0.8, 0.95), rng.uniform(0.45, 0.7)], dtype=np.float32)
    return _picture(pixels * (1 - dark) + level ** rng.uniform(0.5, 0.8) * coat * dark)


def black_coat(photo: Picture, rng: Random) -> Picture:
    """Make what is brown nearly black, as many a grizzly is; leave the rest."""
    pixels = _floats(photo)
    red, green, blue = (pixels[:, :, at : at + 1] for at in range(3))
    brown = ((red - blue) / 0.12).clip(0, 1) * ((red - green + 0.02) / 0.05).clip(0, 1)
    level = pixels.mean(axis=2, keepdims=True)
    coat = level ** rng.uniform(1.2, 1.8) * rng.uniform(0.35, 0.7)
    return _picture(pixels * (1 - brown) + (coat * 0.8 + pixels * 0.1) * brown)


def discoloured(photo: Picture, rng: Random) -> Picture:
    """Return the photo with another coat, grey, of other hues or darker: colour tells less then."""
    chance = rng.random()
    if chance < 0.2:
        return brown_coat(photo, rng)
    if chance < 0.4:
        return black_coat(photo, rng)
    if chance < 0.7:
        photo = grey(photo, rng)
    elif chance < 0.9:
        photo = other_hues(photo, rng)
    return darker(photo, rng) if rng.random() < 0.35 else photo


def blur(photo: Picture, rng: Random) -> Picture:
    """Put the photo out of focus, or shake the camera."""
    if rng.random() < 0.5:
        return photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5)))
    start, step = rng.choice([(10, 1), (2, 5), (0, 6)])  # along, down, aslant in a 5 x 5 kernel
    weights = [0] * 25
    weights[start : start + 4 * step + 1 : step] = [1] * 5
    shake = ImageFilter.Kernel((5, 5), weights, scale=5)
    return photo.filter(shake).filter(shake)


def thumbnail(photo: Picture, rng: Random, width: int | None = None) -> Picture:
    """Shrink the photo to `width` pixels (default 80 to 240) and save it as a poor JPEG."""
    width = width or rng.randint(80, 240)
    small = photo.resize(
        (width, max(1, round(photo.height * width / photo.width))),
        rng.choice([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC]),
    )
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=rng.randint(30, 90))
    return Image.open(jpeg).convert("RGB")


def hide(photo: Picture, rng: Random) -> Picture:
    """Put a plain box before part of the bear."""
    box = (
        round(photo.width * rng.uniform(0.15, 0.45)),
        round(photo.height * rng.uniform(0.15, 0.45)),
    )
    left, top = rng.randint(0, photo.width - box[0]), rng.randint(0, photo.height - box[1])
    colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    hidden = photo.copy()
    hidden.paste(colour, (left, top, left + box[0], top + box[1]))
    return hidden


def harder(photo: Picture, rng: Random, backgrounds: Sequence[Path] = ()) -> Picture:
    """Return the photo as training shows it: a new mix of all of the above at every call."""
    if rng.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.15:
        photo = hide(photo, rng)
    frame = rng.random()
    if frame < 0.3:
        photo = crop_in(photo, rng)
    elif frame < 0.65:
        photo = step_back(photo, rng, backgrounds)
    weather = rng.choices([infrared, dusk, fog, light, None], [12, 10, 6, 32, 40])[0]
    if weather:
        photo = weather(photo, rng)
    if rng.random() < 0.12:
        photo = blur(photo, rng)
    return thumbnail(photo, rng) if rng.random() < 0.35 else photo


def measured_conditions(backgrounds: Sequence[Path]) -> dict[str, Hardening]:
    """Return what accuracy is measured under, by name, on scenes that training never saw."""

    def shrunk(scale: float) -> Hardening:
        return lambda photo, rng: step_back(photo, rng, backgrounds, scale)

    def wide(width: int) -> Hardening:
        return lambda photo, rng: thumbnail(photo, rng, width)

    return {
        "as it is": lambda photo, rng: photo,
        "224 px wide": wide(224),
        "150 px wide": wide(150),
        "100 px wide": wide(100),
        "bear at 1/2": shrunk(1 / 2),
        "bear at 1/3": shrunk(1 / 3),
        "bear at 1/4": shrunk(1 / 4),
        "night, infrared": infrared,
        "dusk": dusk,
        "fog": fog,
        "shaken or out of focus": blur,
        "grey": grey,
        "grey and dark": lambda photo, rng: darker(grey(photo, rng), rng),
        "other hues": other_hues,
        "brown coat": brown_coat,
        "black coat": black_coat,
        "part of the bear": lambda photo, rng: crop_in(photo, rng, 0.2, 0.4),
    }


def in_condition(path: Path, name: str, harden: Hardening) -> Picture:
    """Return the photo in one condition; the same file and name give the same picture."""
    photo = Image.open(path).convert("RGB")
    chance = Random(crc32(f"{path.name} {name}".encode()))  # noqa: S311  # not for secrets
    return harden(photo, chance)


def _floats(photo: Picture) -> np.ndarray:
    pixels: np.ndarray = np.asarray(photo, dtype=np.float32) / 255
    return pixels


def _picture(pixels: np.ndarray) -> Picture:
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def _colour(rng: Random, least: float, most: float) -> np.ndarray:
    return np.array([rng.uniform(least, most) for _ in "rgb"], dtype=np.float32)


def _grainy(pixels: np.ndarray, rng: Random) -> np.ndarray:
    grain = np.random.default_rng(rng.getrandbits(32)).standard_normal(pixels.shape)
    noisy: np.ndarray = pixels + grain.astype(np.float32) * rng.uniform(0, 0.07)
    return noisy
