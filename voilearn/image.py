"""Open whatever a visitor sends as one picture: upright, RGB, no larger than it has to be.

In come a file's bytes, whatever its name claims; out goes a PIL image, or a PhotoError. Pillow
walks a file's blocks and chunks in Python and asks for each, so a file that says no after a while
ends any of these loops, in any thread: that is the deadline.
"""

import contextlib
import functools
import importlib
import io
import math
import time
import warnings
import zlib
from typing import cast

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from voilearn import tiff
from voilearn.errors import PhotoTooLarge, UnsupportedPhoto
from voilearn.kinds import is_padded, refusal
from voilearn.limits import LIMITS, Limits, check_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Avif")  # Pillow's modules for these

PADDABLE = ("JPEG", "MPO", "WEBP", "AVIF", "HEIF")  # what decodes though its end is all zeros

PNG = b"\x89PNG\r\n\x1a\n"
PNG_EXTRAS = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")  # that are heeded, of those that may be

ORIENTATION, SHORT = 0x0112, 3
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns of every oddity in a file. A visitor gets a picture or one of our sentences; a
# filter set once is safe with threads, where warnings.catch_warnings is not.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode_photo(data: bytes, at_least: int | None = None, limits: Limits = LIMITS) -> Image.Image:
    """Decode a photo's bytes into an upright RGB picture, transparency laid over white.

    `at_least` is the number of pixels that both sides should keep: a JPEG more than twice that
    size is decoded at 1/2, 1/4 or 1/8 scale, which is several times faster. Only the first frame
    of an animation is read. Raises PhotoTooLarge, EmptyPhoto, UnsupportedPhoto or DamagedPhoto.
    """
    check_size(len(data), limits)
    try:
        picture = _open(data, limits)
        _check_pixels(picture.size, limits)
        _check_pixels(tiff.tile_size(picture), limits)
        if at_least:
            picture.draft(None, (at_least, at_least))
        picture.load()
        picture = _to_rgb(_turn_upright(picture))
        picture.info = {}  # EXIF, with the place a photo was taken at, goes no further than this
        return picture
    except (PhotoTooLarge, UnsupportedPhoto):
        raise
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge(_too_many_pixels("more than 178", limits)) from error
    except Exception as error:  # a decoder may raise anything on bytes made to break it
        raise refusal(data, readable_formats(), error) from error


class _Deadline(io.BytesIO):
    """A file in memory that stops being read after so many seconds of this thread's own time.

    Pillow walks a file's blocks, chunks and directories in Python, and asks for each of them: a
    file made of a million tiny ones, or of a ring of them, ends here rather than never.
    """

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self._until = time.thread_time() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        if time.thread_time() > self._until:
            raise TimeoutError("took too long to read")
        return super().read(size)


def _open(data: bytes, limits: Limits) -> Image.Image:
    """Read the header and nothing more; the pixels stay undecoded."""
    tags = tiff.read_tags(data) if tiff.is_tiff(data) else None
    try:
        bare = _bare_png(data) if data.startswith(PNG) else data
        picture = Image.open(_Deadline(bare, limits.seconds), formats=readable_formats())
    except UnidentifiedImageError:
        if tags is None:
            raise
        raise tiff.unsupported(tags) from None
    if isinstance(picture, TiffImageFile):
        tiff.check_kind(picture.tag_v2)
        tiff.set_right(picture)
    if picture.format == "PNG":
        _scale_transparency(picture, bits=data[24])
    if picture.format in PADDABLE and is_padded(data, picture.width * picture.height):
        raise EOFError("zeros in the place of a picture's end")
    # A JPEG's every scan goes over the whole picture, and thousands fit into the 64 kB that
    # Pillow decodes at a time: in smaller bites the deadline comes in between.
    picture.decodermaxblock = 4096
    return picture


def _bare_png(data: bytes) -> bytes:
    """Return a PNG without the chunks that say nothing of its pixels.

    Pillow gives up a picture for a damaged one of them, or for a text of over 1 MB.
    """
    kept, at, name = bytearray(data[: len(PNG)]), len(PNG), b""
    while at < len(data) and name != b"IEND":
        name, last = data[at + 4 : at + 8], at + 8 + int.from_bytes(data[at : at + 4])
        sum = int.from_bytes(data[last : last + 4])
        heeded = name in PNG_EXTRAS and zlib.crc32(data[at + 4 : last]) == sum
        if heeded or not (name.isalpha() and name[:1].islower()):
            kept += data[at : last + 4]
        at = last + 4
    return bytes(kept)


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats read here; HEIF only with the optional `pi-heif`."""
    with contextlib.suppress(ImportError):
        from pi_heif import register_heif_opener

        register_heif_opener()
    for plugin in PLUGINS:  # Image.init() imports all 45, for 1 MB and 30 ms
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    pixels = size[0] * size[1]
    if pixels > limits.pixels:
        raise PhotoTooLarge(_too_many_pixels(f"{pixels / 1e6:,.0f}", limits))


def _too_many_pixels(came: str, limits: Limits) -> str:
    return (
        f"This picture has {came} megapixels; the limit is {limits.pixels / 1e6:,.0f}. "
        "Please send a smaller one."
    )


def _turn_upright(picture: Image.Image) -> Image.Image:
    """Turn a decoded picture as its EXIF says; one whose EXIF is broken counts as upright.

    XMP says nothing here, as in every browser. What HEIC and TIFF say is done by their decoders.
    """
    if picture.format in ("HEIF", "TIFF"):
        return picture
    try:
        turn = UPRIGHT.get(_orientation(picture.info.get("exif", b"")))
    except Exception:  # noqa: BLE001  # broken EXIF takes nothing away from the picture
        return picture
    return picture if turn is None else picture.transpose(turn)


def _orientation(exif: bytes) -> int:
    """Return what EXIF says, as browsers read it: one short number; 0 for anything else."""
    if not exif or len(exif) > tiff.MAX_TAG:
        return 0
    tags = tiff.read_tags(exif.removeprefix(b"Exif\0\0"))
    if tags.tagtype.get(ORIENTATION) != SHORT or len(tags._tagdata[ORIENTATION]) != 2:
        return 0
    return int(tags[ORIENTATION])


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        picture = _scale_to_8_bits(picture)
    if picture.mode == "La":  # grey, multiplied by its alpha
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        no_alpha = picture.format == "BMP"  # where it is 0 everywhere: nobody has filled it in
        picture = picture.convert("RGBA")
        if no_alpha and picture.getchannel("A").getextrema() == (0, 0):
            return picture.convert("RGB")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB")  # a plain copy, also of RGB: the file's own holds its EXIF


def _scale_to_8_bits(picture: Image.Image) -> Image.Image:
    """Map a grey picture of more than 8 bits, or of floats, to 0..255, where Pillow only clips."""
    tags = getattr(picture, "tag_v2", {})
    whole = picture.mode.startswith("I;") or (picture.mode, picture.format) == ("I", "PPM")
    values = picture.convert("F") if whole else tiff.values(picture)
    white = tiff.white(tags) if whole else _white_of(values, picture.mode)
    grey = values.point(lambda value: value * (255.0 / white) + 0.5).convert("L")
    if tiff.white_is_zero(tags):
        grey = ImageOps.invert(grey)
    clear = picture.info.get("transparency")  # of a PNG of 16 bits
    if isinstance(clear, int):
        opaque = [255] * 65536
        opaque[clear] = 0
        grey.putalpha(picture.convert("I").point(opaque, "L"))
    return grey


def _white_of(values: Image.Image, mode: str) -> float:
    """Return the brightest that numbers of no known range are meant to reach."""
    low, high = cast("tuple[float, float]", values.getextrema())
    middle = values.resize((1, 1), Image.Resampling.BOX)
    mean = cast("float", middle.getpixel((0, 0)))  # no number if one is none
    known = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    # 4095 is the white of 12 bits, and 1.02 what scaling makes of 1: no black of 65535 or 255
    near = (top for top in known if high <= top and (top == known[0] or high > top / 4))
    white = next(near, high)
    if low < 0 or not math.isfinite(mean) or (white not in known and mean < white / 100):
        raise UnsupportedPhoto(
            "This picture is made of numbers below zero, of none at all in places, or of a few far "
            "above all others, so what is black and white in it can't be told. "
            f"{tiff.SAVE_AS}"
        )
    return white


def _scale_transparency(picture: Image.Image, bits: int) -> None:
    """Tell a PNG's transparent colour, which is of the file's bits, in the picture's 8."""
    clear = picture.info.get("transparency")
    if isinstance(clear, int) and picture.mode == "L":
        picture.info["transparency"] = clear * 255 // (2**bits - 1)
    elif isinstance(clear, tuple) and bits == 16:
        picture.info["transparency"] = tuple(value >> 8 for value in clear)
