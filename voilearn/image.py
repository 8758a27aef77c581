"""Open whatever a visitor sends as one picture: upright, RGB, no larger than it has to be.

In come a file's bytes, whatever its name claims; out goes a PIL image, or a PhotoError. Pillow
walks a file's blocks and chunks in Python and asks for each, so a file that says no after a while
ends any of these loops, in any thread: that is the deadline.
"""

import contextlib
import functools
import importlib
import io
import time
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import (
    PHOTOMETRIC_INTERPRETATION,
    TILELENGTH,
    TILEWIDTH,
    ImageFileDirectory_v2,
)

from voilearn.errors import DamagedPhoto, PhotoTooLarge, UnsupportedPhoto
from voilearn.limits import LIMITS, Limits, check_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ppm", "Avif")  # Pillow's modules for these

# What a file of each kind begins with: (offset, bytes).
# Such a file that can't be opened is damaged; any other was never a picture to us.
SIGNATURES = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF8"),
    (8, b"WEBP"),
    (0, b"BM"),
)
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

TIFF_HEADERS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG_TIFF = 43
RAW = (1, 2, 7)  # TIFF's types that Pillow keeps as they are: bytes, text, undefined
MAX_TAG = 1_000_000  # bytes: a tag that says where 50,000 rows of a picture lie has 200,000

ORIENTATION = 0x0112
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
        _check_pixels(_tile_size(picture), limits)
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
        raise DamagedPhoto(
            "This picture is damaged or incomplete, so it can't be opened. "
            "Please send the original file again, or another photo."
        ) from error


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
    try:
        _check_tags(data)
        picture = Image.open(_Deadline(data, limits.seconds), formats=readable_formats())
        # A JPEG's every scan goes over the whole picture, and thousands fit into the 64 kB that
        # Pillow decodes at a time: in smaller bites the deadline comes in between.
        picture.decodermaxblock = 4096
        return picture
    except UnidentifiedImageError:
        if _looks_like_a_picture(data):
            raise
        raise UnsupportedPhoto(_unsupported(data)) from None


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats read here; HEIF only with the optional `pi-heif`."""
    with contextlib.suppress(ImportError):
        from pi_heif import register_heif_opener

        register_heif_opener()
    for plugin in PLUGINS:  # Image.init() imports all 45, for 1 MB and 30 ms
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _looks_like_a_picture(data: bytes) -> bool:
    known = data[:4] in TIFF_HEADERS or any(
        data[at : at + len(magic)] == magic for at, magic in SIGNATURES
    )
    return known or data[4:12] == b"ftypavif" or (_is_heic(data) and _reads_heic())


def _reads_heic() -> bool:
    return "HEIF" in readable_formats()


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS


def _unsupported(data: bytes) -> str:
    if _is_heic(data):
        return (
            "This is a HEIC photo, which can't be read here. Please send it as a JPEG (whoever "
            "runs this app can add HEIC with: pip install pi-heif)."
        )
    heic = ", HEIC" if _reads_heic() else ""
    return (
        "This file is not a picture we can read. "
        f"Please choose a photo: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF{heic}."
    )


def _check_tags(data: bytes) -> None:
    """Refuse a TIFF whose tags hold millions of numbers: Pillow makes an object of each."""
    if data[:4] not in TIFF_HEADERS:
        return
    file = io.BytesIO(data)
    tags = ImageFileDirectory_v2(file.read(16 if data[2] == BIG_TIFF or data[3] == BIG_TIFF else 8))
    file.seek(tags.next)
    tags.load(file)
    if any(
        len(raw) > MAX_TAG for tag, raw in tags._tagdata.items() if tags.tagtype[tag] not in RAW
    ):
        raise ValueError("a TIFF tag of millions of numbers")


def _tile_size(picture: Image.Image) -> tuple[int, int]:
    """Return the size of a TIFF's tiles: each is decoded whole, however small the picture."""
    tags = getattr(picture, "tag_v2", {})
    return int(tags.get(TILEWIDTH, 0)), int(tags.get(TILELENGTH, 0))


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
    """Turn a decoded picture as its EXIF says; one whose EXIF is broken counts as upright."""
    try:
        if len(picture.info.get("exif", b"")) > MAX_TAG:
            return picture
        turn = UPRIGHT.get(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # broken EXIF takes nothing away from the picture
        return picture
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        picture = _scale_to_8_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB")  # a plain copy, also of RGB: the file's own holds its EXIF


def _scale_to_8_bits(picture: Image.Image) -> Image.Image:
    """Map a grey picture of 16 or 32 bits, or of floats, to 0..255, where Pillow only clips."""
    white = 65535.0
    if not picture.mode.startswith("I;"):
        steps = (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0)
        highest = float(picture.getextrema()[1])  # type: ignore[arg-type]  # one band
        white = next((step for step in steps if highest <= step), highest)
    wide = picture.convert("F").point(lambda value: value * (255.0 / white) + 0.5)
    min_is_white = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == 0
    return ImageOps.invert(wide.convert("L")) if min_is_white else wide.convert("L")
