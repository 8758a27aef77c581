"""Draw pictures that are no photos: pages of text, screens, charts, noise and plain colours.

Nothing comes in; out go pictures, the same each time. Every classifier is shown such sooner or
later, so whatever it knows, these are something else.
"""

import random
from collections.abc import Callable
from functools import partial

from PIL import Image, ImageDraw

from voilearn.compiled.agreement import made_pictures

SIZE = (480, 360)
EACH = 8  # of each kind

Draw = Callable[[Image.Image, ImageDraw.ImageDraw, random.Random], None]


def pictures_of_nothing() -> list[Callable[[], Image.Image]]:
    """Return functions that draw a picture each."""
    blots = [example.picture for example in made_pictures()]
    return blots + [partial(_drawn, draw, seed) for draw in KINDS for seed in range(EACH)]


def _drawn(draw: Draw, seed: int) -> Image.Image:
    dice = random.Random(seed)  # noqa: S311  # not for secrets
    picture = Image.new("RGB", SIZE, _pale(dice))
    draw(picture, ImageDraw.Draw(picture), dice)
    return picture


def _page(picture: Image.Image, pen: ImageDraw.ImageDraw, dice: random.Random) -> None:
    """Lines of words, as a page has them."""
    for top in range(20, SIZE[1] - 20, dice.randrange(10, 22)):
        left = 24
        while left < SIZE[0] - 60:
            width = dice.randrange(8, 60)
            pen.rectangle((left, top, left + width, top + 5), fill=(40, 40, 45))
            left += width + dice.randrange(5, 12)


def _screen(picture: Image.Image, pen: ImageDraw.ImageDraw, dice: random.Random) -> None:
    """Windows with bars, over each other."""
    for _ in range(dice.randrange(2, 6)):
        left, top = dice.randrange(SIZE[0] - 120), dice.randrange(SIZE[1] - 90)
        right, bottom = left + dice.randrange(110, 330), top + dice.randrange(80, 260)
        pen.rectangle((left, top, right, bottom), fill=_pale(dice), outline=(90, 90, 90))
        pen.rectangle((left, top, right, top + 16), fill=_any(dice))
        for line in range(top + 26, min(bottom, SIZE[1]) - 8, 14):
            pen.line((left + 8, line, left + dice.randrange(40, 105), line), fill=(60, 60, 60))


def _chart(picture: Image.Image, pen: ImageDraw.ImageDraw, dice: random.Random) -> None:
    """Bars or a curve over two axes."""
    pen.line((40, 20, 40, 330, 460, 330), fill=(20, 20, 20), width=2)
    colour = _any(dice)
    if dice.random() < 0.5:
        for left in range(55, 450, 40):
            pen.rectangle((left, dice.randrange(40, 320), left + 24, 329), fill=colour)
        return
    points = [(left, dice.randrange(40, 320)) for left in range(45, 460, 25)]
    pen.line(points, fill=colour, width=3)


def _noise(picture: Image.Image, pen: ImageDraw.ImageDraw, dice: random.Random) -> None:
    """What a camera sees in the dark."""
    grain = Image.frombytes("RGB", SIZE, dice.randbytes(SIZE[0] * SIZE[1] * 3))
    picture.paste(Image.blend(picture, grain, dice.uniform(0.05, 1)))


def _plain(picture: Image.Image, pen: ImageDraw.ImageDraw, dice: random.Random) -> None:
    """One colour that fades into another, as a wall or the sky does."""
    fade = Image.linear_gradient("L").rotate(dice.choice((0, 90, 180))).resize(SIZE)
    picture.paste(Image.composite(picture, Image.new("RGB", SIZE, _any(dice)), fade))


KINDS = (_page, _screen, _chart, _noise, _plain)


def _pale(dice: random.Random) -> tuple[int, int, int]:
    return dice.randrange(190, 256), dice.randrange(190, 256), dice.randrange(190, 256)


def _any(dice: random.Random) -> tuple[int, int, int]:
    return dice.randrange(256), dice.randrange(256), dice.randrange(256)
