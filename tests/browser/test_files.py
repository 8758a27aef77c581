"""What both pages make of files that browsers treat each in a way of their own.

In: files cut off, lying on their side, too large, and a browser that hides pixels; out: the same
answer, or the same sentence, in Chromium, in Firefox and in WebKit.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser import engines
from tests.browser.drawn import EXIF_ORIENTATION, SIDEWAYS, scene
from tests.browser.engines import Engine, Window
from tests.browser.test_engines import ask, is_answer
from tests.conftest import encode
from voilearn.errors import VoilearnError
from voilearn.image import decode_photo

SIZE = (400, 200)
MEGAPIXELS = (9520, 6336)  # of a camera of 60
# The preview, once it is there: its sides, and a colour of its upper left quarter.
PREVIEW = """() => {
  const shown = document.querySelector('.voilearn-preview img, .voilearn-preview canvas')
  const [width, height] = [shown.naturalWidth ?? shown.width, shown.naturalHeight ?? shown.height]
  if (!width) return undefined
  const pen = new OffscreenCanvas(1, 1).getContext('2d')
  pen.drawImage(shown, width / 4, height / 4, 1, 1, 0, 0, 1, 1)
  return [width, height, ...pen.getImageData(0, 0, 1, 1).data]
}"""
NO_PREVIEW = "() => !document.querySelector('.voilearn-preview')?.checkVisibility()"


@pytest.fixture
def wide(engine: Engine) -> Iterator[Window]:
    """A window in each engine."""
    with engine.window() as opened:
        yield opened


@pytest.fixture(scope="module")
def hiding() -> Iterator[Engine]:
    """A Firefox that resists fingerprinting."""
    if lack := engines.lacking("firefox"):
        pytest.skip(lack)
    with engines.firefox(**{"privacy.resistFingerprinting": True}) as running:
        yield running


def kept(folder: Path, data: bytes) -> Path:
    """Return a file with these bytes, of a name that tells nothing."""
    path = folder / "photo.jpg"
    path.write_bytes(data)
    return path


def told_by_python(data: bytes) -> str:
    """Return Python's sentence; a page's visitor chooses what an app sends."""
    with pytest.raises(VoilearnError) as refused:
        decode_photo(data)
    return str(refused.value).replace("Please send", "Please choose")


def sides(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw a picture that is red above and blue below."""
    picture = Image.new("RGB", size, (20, 40, 200))
    picture.paste((220, 30, 30), (0, 0, size[0], size[1] // 2))
    return picture


def exif(orientation: int = SIDEWAYS) -> bytes:
    told = Image.Exif()
    told[EXIF_ORIENTATION] = orientation
    return told.tobytes()


def noisy(kind: str, size: tuple[int, int], **options: Any) -> bytes:
    """Draw one that is too large to be sent as it is: red above, and noise below on the right."""
    picture = sides(size)
    noise = Image.effect_noise((size[0] // 2, size[1] // 2), 90).convert("RGB")
    picture.paste(noise, (size[0] // 2, size[1] // 2))
    return encode(picture, kind, **options)


def cut(kind: str) -> bytes:
    whole = encode(scene(2, (800, 600)), kind)
    return whole[: 9 * len(whole) // 10]


def broken() -> bytes:
    """A PNG with a bit of its middle turned round: WebKit shows the rest of it."""
    png = bytearray(encode(scene(2, (800, 600)), "PNG"))
    png[len(png) // 2] ^= 8
    return bytes(png)


DAMAGED = {"jpeg": cut("JPEG"), "png": cut("PNG"), "webp": cut("WEBP"), "png-broken": broken()}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_photo_is_refused(wide: Window, page: str, kind: str, tmp_path: Path) -> None:
    wide.open(page)
    said = ask(wide, kept(tmp_path, DAMAGED[kind])).replace("Please send", "Please choose")
    assert said == told_by_python(DAMAGED[kind])
    assert wide.run(NO_PREVIEW)


def late(orientation: int = SIDEWAYS) -> bytes:
    """A PNG whose EXIF comes after its pixels."""
    png, told = encode(sides(), "PNG"), b"eXIf" + exif(orientation)[6:]
    end = png.rindex(b"IEND") - 4
    chunk = struct.pack(">I", len(told) - 4) + told + struct.pack(">I", zlib.crc32(told))
    return png[:end] + chunk + png[end:]


TURNED = {
    "png": encode(sides(), "PNG", exif=exif()),
    "png-late": late(),
    "webp": encode(sides(), "WEBP", exif=exif()),
    "webp-large": noisy("WEBP", (1600, 800), exif=exif(), quality=100),
}


@pytest.mark.parametrize("kind", TURNED)
def test_a_photo_on_its_side_is_seen_upright(
    wide: Window, page: str, kind: str, tmp_path: Path
) -> None:
    wide.open(page)
    assert is_answer(ask(wide, kept(tmp_path, TURNED[kind])))
    width, height, red, _, blue, _ = wide.wait(PREVIEW)
    assert height == 2 * width
    assert (red < 100, blue > 100) == (True, True)  # what lay below is on the left
    first = "document.querySelector('.voilearn-bar').dataset.label"
    assert wide.run(f"() => {first}") in ("black", "top right", "bottom right")


def test_a_picture_above_the_limit_is_refused_in_one_sentence(
    wide: Window, page: str, tmp_path: Path
) -> None:
    large = encode(Image.new("L", MEGAPIXELS, 90), "JPEG", quality=20)
    wide.open(page)
    assert ask(wide, kept(tmp_path, large)) == told_by_python(large)


def test_where_a_browser_hides_pixels_the_server_sees_the_file(
    hiding: Engine, notebook_page: str, tmp_path: Path
) -> None:
    with hiding.window() as window:
        window.open(notebook_page)
        assert is_answer(ask(window, kept(tmp_path, noisy("WEBP", (1600, 800), quality=100))))
        window.wait(PREVIEW)  # which the server made: there is nothing to tell of the photo's size
        assert window.text(".voilearn-preview figcaption") == ""


def test_where_a_browser_hides_pixels_the_device_says_so(
    hiding: Engine, device_page: str, tmp_path: Path
) -> None:
    with hiding.window() as window:
        window.open(device_page)
        said = ask(window, kept(tmp_path, encode(scene(1), "JPEG")))
    assert re.match("This browser hides pictures from pages.* use another browser", said)
