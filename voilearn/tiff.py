"""Know the many kinds of TIFF: which are read, and which would come out as another picture.

In come a file's bytes, or the picture that Pillow opened of them; out goes a picture whose pixels
are what they say, or UnsupportedPhoto that names the kind: such a file is whole, but not for here.
"""

import io
from collections.abc import Mapping
from typing import Any, cast

from PIL import Image, ImagePalette
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COLORMAP,
    COMPRESSION,
    COMPRESSION_INFO,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    PREFIXES,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPOFFSETS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    ImageFileDirectory_v2,
    TiffImageFile,
)

from voilearn.errors import UnsupportedPhoto

Tags = Mapping[int, Any]

BIG_TIFF, BIG_ENDIAN_BIG_TIFF = 43, b"MM\0+"
RAW = (1, 2, 7)  # TIFF's types that Pillow keeps as they are: bytes, text, undefined
MAX_TAG = 1_000_000  # bytes: a tag that says where 50,000 rows of a picture lie has 200,000

NEW_SUBFILE_TYPE, REDUCED = 254, 1
EXTRA = 338  # channels beside the colours: alpha, or 0 for what nobody says
DNG_VERSION = 50706
UNCOMPRESSED, WEBP, BY_LIBTIFF = 1, 50001, 32771
WHITE_IS_ZERO, BLACK_IS_ZERO, YCBCR = 0, 1, 6
GREY = (WHITE_IS_ZERO, BLACK_IS_ZERO)
APART = 2  # the planar configuration: one colour after the other
SIGNED, FLOAT = 2, 3
PLACES = (STRIPOFFSETS, TILEOFFSETS, 513)  # of the pixels; the last is an old JPEG's

COLOURS = {
    WHITE_IS_ZERO: "grey with white as 0",
    BLACK_IS_ZERO: "grey",
    2: "RGB",
    3: "a palette",
    4: "a mask",
    5: "CMYK",
    YCBCR: "YCbCr",
    **dict.fromkeys((8, 9, 10), "Lab colours"),
    **dict.fromkeys((32803, 34892), "a camera's raw data"),
    **dict.fromkeys((32844, 32845), "logarithmic colours"),
}
NUMBERS = {
    SIGNED: "signed numbers",
    4: "undefined numbers",
    FLOAT: "floating-point numbers",
    **dict.fromkeys((5, 6), "complex numbers"),
}
COMPRESSIONS = {
    **dict.fromkeys((6, 7, 34892), "JPEG"),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    34887: "LERC",
    WEBP: "WebP",
    BY_LIBTIFF: "a fax's codes in words of 16 bits",
    **dict.fromkeys((50002, 52546), "JPEG XL"),
}
NATIVE = {"F;32BF": "F;32NF", "I;32BS": "I;32NS"}
SAVE_AS = "Please save it as a JPEG or PNG and send that."
CAMERA_RAW = f"This is a camera's raw file, which is not read here. {SAVE_AS}"


def is_tiff(data: bytes) -> bool:
    """Say whether a file's first bytes are a TIFF's, as Pillow knows them."""
    return data.startswith(tuple(PREFIXES))


def read_tags(data: bytes) -> ImageFileDirectory_v2:
    """Return the tags of a TIFF's first picture.

    Raises ValueError where one holds millions of numbers, for Pillow makes an object of each.
    """
    if data[8:10] == b"CR":  # Canon's
        raise UnsupportedPhoto(CAMERA_RAW)
    if data.startswith(BIG_ENDIAN_BIG_TIFF):  # Pillow takes it for a small one
        raise UnsupportedPhoto(f"This is a big-endian BigTIFF, which is not read here. {SAVE_AS}")
    file = io.BytesIO(data)
    tags = ImageFileDirectory_v2(file.read(16 if data[2] == BIG_TIFF else 8))
    file.seek(tags.next)
    tags.load(file)
    if any(
        len(raw) > MAX_TAG for tag, raw in tags._tagdata.items() if tags.tagtype[tag] not in RAW
    ):
        raise ValueError("a TIFF tag of millions of numbers")
    return tags


def check_kind(tags: Tags) -> None:
    """Raise UnsupportedPhoto for a kind that Pillow opens, and takes for another."""
    if DNG_VERSION in tags:
        raise UnsupportedPhoto(CAMERA_RAW)
    if _first(tags, NEW_SUBFILE_TYPE, 0) & REDUCED:
        raise UnsupportedPhoto(
            "This TIFF begins with a small preview of its picture, as a camera's raw file does; "
            f"the rest is not read here. {SAVE_AS}"
        )
    signed = SIGNED in _all(tags, SAMPLEFORMAT) and max(_all(tags, BITSPERSAMPLE, 1)) < 32
    grey = _first(tags, PHOTOMETRIC_INTERPRETATION, WHITE_IS_ZERO) in GREY
    several = _first(tags, SAMPLESPERPIXEL, 1) > 2 or (_is_apart(tags) and any(_all(tags, EXTRA)))
    # WebP: the libtiff in Pillow's wheels has none; a fax in words of 16 bits it reads as noise
    method = _first(tags, COMPRESSION, UNCOMPRESSED)
    if signed or (grey and several) or method in (WEBP, BY_LIBTIFF):
        raise unsupported(tags)


def unsupported(tags: Tags) -> UnsupportedPhoto:
    """Return the error for a TIFF whose kind is not read; raise ValueError if it is none."""
    sizes = _all(tags, BITSPERSAMPLE, 1)
    channels = _first(tags, SAMPLESPERPIXEL, len(sizes))
    needed = {IMAGEWIDTH, IMAGELENGTH} | ({BITSPERSAMPLE} if channels > 1 else set())
    if not needed <= tags.keys() or tags.keys().isdisjoint(PLACES):
        raise ValueError("a TIFF whose tags are not all there")
    bits = "/".join(str(size) for size in sorted(set(sizes))[:4])
    colours = COLOURS.get(_first(tags, PHOTOMETRIC_INTERPRETATION, WHITE_IS_ZERO), "other colours")
    numbers = NUMBERS.get(_first(tags, SAMPLEFORMAT, 1), "numbers")
    method = _first(tags, COMPRESSION, UNCOMPRESSED)
    by = COMPRESSIONS.get(method, "" if method in COMPRESSION_INFO else f"method {method}")
    return UnsupportedPhoto(
        f"This is a TIFF of a kind that is not read here: {colours}, {channels} "
        f"channel{'s' * (channels != 1)} of {bits}-bit {numbers}"
        f"{', one after the other' * _is_apart(tags)}{by and f', compressed by {by}'}. {SAVE_AS}"
    )


def _is_apart(tags: Tags) -> bool:
    return _first(tags, PLANAR_CONFIGURATION, 1) == APART


def _first(tags: Tags, tag: int, default: int) -> int:
    return _all(tags, tag, default)[0]


def _all(tags: Tags, tag: int, *default: int) -> tuple[int, ...]:
    """Return a tag's whole numbers; raise ValueError where it holds anything else."""
    found = tags.get(tag, default)
    numbers = found if isinstance(found, tuple) else (found,)
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError(f"no whole numbers in tag {tag}")
    return numbers


def set_right(picture: TiffImageFile) -> None:
    """Have an opened TIFF decoded as its tags say, where Pillow would not."""
    picture.info.pop("xmp", None)  # by whose orientation Pillow would turn it, as no browser does
    tags = picture.tag_v2
    if _first(tags, COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED and (
        _is_apart(tags) or _first(tags, PHOTOMETRIC_INTERPRETATION, WHITE_IS_ZERO) == YCBCR
    ):
        # Pillow's own reader takes each colour of 16 bits for one of 8, and knows no subsampling.
        # Compressed files it leaves to libtiff, which reads the tags in the file, not these.
        tags[COMPRESSION] = BY_LIBTIFF
        picture._setup()
    if picture.use_load_libtiff:
        # libtiff has put the bytes in this machine's order, whatever the file's
        tile = picture.tile[0]
        rawmode, *rest = cast("tuple[str, bool, int]", tile.args)
        picture.tile = [tile._replace(args=(NATIVE.get(rawmode, rawmode), *rest))]
    if picture.palette and max(tags[COLORMAP]) < 256:  # colours of 8 bits, against the standard
        picture.palette = ImagePalette.raw("RGB;L", bytes(tags[COLORMAP]))


def tile_size(picture: Image.Image) -> tuple[int, int]:
    """Return the size of a TIFF's tiles: each is decoded whole, however small the picture."""
    tags = getattr(picture, "tag_v2", {})
    return int(tags.get(TILEWIDTH, 0)), int(tags.get(TILELENGTH, 0))


def values(picture: Image.Image) -> Image.Image:
    """Return a grey picture of 32 bits as floats; Pillow takes a TIFF's unsigned for signed."""
    wide = picture.convert("F")
    if picture.mode == "F" or SIGNED in _all(getattr(picture, "tag_v2", {}), SAMPLEFORMAT):
        return wide
    below_zero = wide.point(lambda value: value * -255.0).convert("L")
    wide.paste(wide.point(lambda value: value * 1.0 + 2.0**32), mask=below_zero)
    return wide


def white(tags: Tags) -> float:
    """Return the brightest value of a grey picture of 12 or 16 bits."""
    return 2.0 ** _first(tags, BITSPERSAMPLE, 16) - 1


def white_is_zero(tags: Tags) -> bool:
    """Say whether a TIFF's grey values grow from white to black; Pillow heeds it up to 8 bits."""
    return _first(tags, PHOTOMETRIC_INTERPRETATION, BLACK_IS_ZERO) == WHITE_IS_ZERO
