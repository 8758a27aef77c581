"""Bytes to a picture: every kind that visitors send, and everything that is none."""

import base64
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw, encode
from voilearn import image
from voilearn.errors import (
    DamagedPhoto,
    EmptyPhoto,
    PhotoError,
    PhotoTooLarge,
    UnsupportedPhoto,
    VoilearnError,
)
from voilearn.image import decode_photo
from voilearn.limits import Limits

LOSSY = 12.0  # grey levels of 255, on average, that a lossy format may move a drawn picture by


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(kind: int, bits: int, rows: list[list[int]], chunks: bytes = b"") -> bytes:
    """A PNG of these numbers, `bits` each, as PNG numbers its kinds of colour."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    header = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), bits, kind, 0, 0, 0)
    whole = ("".join(f"{number:0{bits}b}" for number in row) for row in rows)
    raw = b"".join(b"\0" + int(row, 2).to_bytes(len(row) // 8) for row in whole)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + chunks
        + png_chunk(b"IDAT", zlib.compress(raw))
        + png_chunk(b"IEND", b"")
    )


def distance(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures in grey levels; infinite where their sizes differ."""
    if one.size != other.size:
        return float("inf")
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize(
    ("format", "tolerance"),
    [
        ("JPEG", LOSSY),
        ("PNG", 0),
        ("WEBP", LOSSY),
        ("GIF", LOSSY),
        ("BMP", 0),
        ("TIFF", 0),
        ("PPM", 0),
        ("AVIF", LOSSY),
    ],
)
def test_decode_reads_every_kind_of_picture_a_visitor_sends(format: str, tolerance: float) -> None:
    picture = decode_photo(encode(draw(), format))
    assert picture.mode == "RGB"
    assert distance(picture, draw()) <= tolerance


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_decode_takes_the_first_frame_of_an_animation(format: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    assert distance(decode_photo(data), frames[0]) <= 2


def test_decode_of_a_long_animation_costs_no_more_than_its_first_frame() -> None:
    frames = [Image.effect_noise((300, 200), 80) for _ in range(100)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    reads: list[int] = []

    class Counting(image._Deadline):
        def read(self, size: int | None = -1, /) -> bytes:
            chunk = super().read(size)
            reads.append(len(chunk))
            return chunk

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "_Deadline", Counting)
        decode_photo(data)
    assert sum(reads) < len(data) / 20


def test_decode_reads_heic_where_the_reader_is_installed(photos: Path) -> None:
    pytest.importorskip("pi_heif", reason="the optional HEIC reader is not installed")
    found = sorted((photos / "odd" / "formats").glob("*.heif"))
    assert found
    for photo in found:
        picture = decode_photo(photo.read_bytes())
        width, height = map(int, photo.stem.split("__")[1].split("x"))
        assert (picture.mode, picture.size) == ("RGB", (width, height))
        assert np.asarray(picture).std() > 20, "a picture, not one flat colour"


def test_decode_of_heic_without_the_reader_says_what_to_install() -> None:
    heic = b"\0\0\0\x24ftypheic" + bytes(100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pi_heif", None)
        image.readable_formats.cache_clear()
        patch.delitem(Image.OPEN, "HEIF", raising=False)
        with pytest.raises(UnsupportedPhoto, match=r"HEIC.*pip install pi-heif"):
            decode_photo(heic)
    image.readable_formats.cache_clear()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_turns_a_sideways_photo_upright(orientation: int) -> None:
    turned = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = draw()
    for turn in turned.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        data = encode(stored, format, exif=exif)
        assert distance(decode_photo(data), draw()) <= LOSSY, format


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'


def exif_of(*tags: tuple[int, int, int, int], order: str = "<", second: int | None = None) -> bytes:
    """EXIF of these tags: (number, type, count, value); in `second`, a thumbnail's orientation."""
    shapes = {3: "HHIHxx", 4: "HHII"}
    rows = b"".join(struct.pack(order + shapes[tag[1]], *tag) for tag in tags)
    next_at = 0 if second is None else 14 + len(rows)
    head = b"II*\0" if order == "<" else b"MM\0*"
    body = head + struct.pack(f"{order}IH", 8, len(tags)) + rows + struct.pack(f"{order}I", next_at)
    if second is not None:
        body += struct.pack(f"{order}HHHIHxxI", 1, 0x0112, 3, 1, second, 0)
    return b"Exif\0\0" + body


def turns(data: bytes) -> bool:
    """Whether a file of `draw()` comes out on its side."""
    return decode_photo(data).size == (80, 120)


def with_segments(*bodies: bytes) -> bytes:
    """A JPEG with these in front of its picture, each in a segment that EXIF and XMP stand in."""
    segments = (b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return b"\xff\xd8" + b"".join(segments) + encode(draw(), "JPEG")[2:]


def with_chunk(name: bytes, body: bytes, last: bool = False) -> bytes:
    """A PNG with one more chunk, after its header or after its picture."""
    png = encode(draw(), "PNG")
    at = png.index(b"IEND") - 4 if last else 33
    return png[:at] + png_chunk(name, body) + png[at:]


# A HEIC of 64 by 32 pixels, blue in a corner: its boxes say to turn it, and its EXIF says so too.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAA"
    "AAAAAAAAAAADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAAC0AAgAAAAACGQABAAAAAAAAACQAAAA4aWluZgAA"
    "AAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcn"
    "AAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroC"
    "QGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm"
    "5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AA"
    "AAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAA"
    "AOY2RzYwACAAEAAQAAAFltZGF0AAAAKSgBrwQY/Ia42Y/2rP3KGUeVfjq2j8NctWQ6w9YMgz7WU66L7V4lUesgAAAA"
    "BkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)

SIX = exif_of((0x0112, 3, 1, 6))
ONE = exif_of((0x0112, 3, 1, 1))
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0" + XMP
XMP_TEXT = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
OLD_EXIF = b"Raw profile type exif\0\nexif\n%8d\n" % len(SIX) + SIX.hex().encode()


BY_EXIF = {
    "jpeg": with_segments(SIX),
    "big-endian": with_segments(exif_of((0x0112, 3, 1, 6), order=">")),
    "broken after it": with_segments(exif_of((0x0112, 3, 1, 6), (0x8769, 4, 1, 99_999))),
    "late": with_segments(XMP_SEGMENT, b"Adobe\0" + bytes(300), SIX),
    "twice": with_segments(SIX, ONE),
    "against xmp": with_segments(SIX, XMP_SEGMENT.replace(b"6", b"1")),
    "png": with_chunk(b"eXIf", SIX[6:]),
    "late in png": with_chunk(b"eXIf", SIX[6:], last=True),
    "webp": encode(draw(), "WEBP", exif=SIX),
    "webp without its name": encode(draw(), "WEBP", exif=SIX[6:]),
    "lossless webp": encode(draw(), "WEBP", exif=SIX, lossless=True),
    "mpo": encode(draw(), "MPO", save_all=True, append_images=[draw()], exif=SIX),
    "avif": encode(draw(), "AVIF", exif=SIX),
}
NOT_BY = {
    "xmp": with_segments(XMP_SEGMENT),
    "xmp beside exif of other things": with_segments(XMP_SEGMENT, exif_of((0x010E, 4, 1, 7))),
    "xmp against exif": with_segments(XMP_SEGMENT, ONE),
    "a second exif": with_segments(ONE, SIX),
    "xmp in png": with_chunk(b"iTXt", XMP_TEXT),
    "xmp late in png": with_chunk(b"iTXt", XMP_TEXT, last=True),
    "old exif in png": with_chunk(b"tEXt", OLD_EXIF),
    "xmp in webp": encode(draw(), "WEBP", xmp=XMP),
    "xmp in avif": encode(draw(), "AVIF", xmp=XMP),
    "xmp in tiff": encode(draw(), "TIFF", tiffinfo={700: XMP}),
    "xmp in compressed tiff": encode(draw(), "TIFF", tiffinfo={700: XMP}, compression="tiff_lzw"),
    "xmp in gif": encode(draw(), "GIF", comment=XMP),
    "a long number": with_segments(exif_of((0x0112, 4, 1, 6))),
    "two numbers": with_segments(exif_of((0x0112, 3, 2, 6))),
    "0": with_segments(exif_of((0x0112, 3, 1, 0))),
    "9": with_segments(exif_of((0x0112, 3, 1, 9))),
    "a thumbnail's": with_segments(exif_of(second=6)),
    "exif cut short": with_segments(SIX[:10]),
    "empty exif": with_segments(b"Exif\0\0"),
}


@pytest.mark.parametrize("data", BY_EXIF.values(), ids=BY_EXIF)
def test_decode_turns_every_format_by_its_exif(data: bytes) -> None:
    assert turns(data)


@pytest.mark.parametrize("data", NOT_BY.values(), ids=NOT_BY)
def test_decode_turns_nothing_by_what_no_browser_reads(data: bytes) -> None:
    assert not turns(data)


def test_decode_does_not_turn_a_heic_again_that_its_decoder_has_turned() -> None:
    """Its EXIF says what its own boxes say: both are in a phone's photo."""
    pytest.importorskip("pi_heif", reason="the optional HEIC reader is not installed")
    turned, stored = decode_photo(HEIC), decode_photo(HEIC.replace(b"irot", b"free"))
    assert (turned.size, stored.size) == ((32, 64), (64, 32))
    red, green, blue = cast("tuple[int, int, int]", turned.getpixel((31, 0)))
    assert blue > 150 > red + green


def test_decode_agrees_over_all_orientations_of_real_photos(photos: Path) -> None:
    for kind in ("Landscape", "Portrait"):
        folder = photos / "odd" / "exif_orientation"
        shots = [decode_photo((folder / f"{kind}_{n}.jpg").read_bytes()) for n in range(1, 9)]
        small = [shot.resize((60, 60), Image.Resampling.BOX) for shot in shots]
        assert len({shot.size for shot in shots}) == 1
        assert max(distance(small[0], other) for other in small) < 10


def test_decode_lays_transparency_over_white() -> None:
    clear = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    half = Image.new("RGBA", (20, 20), (255, 0, 0, 128))
    assert decode_photo(encode(clear, "PNG")).getpixel((5, 5)) == (255, 255, 255)
    assert decode_photo(encode(half, "PNG")).getpixel((5, 5)) == (255, 127, 127)
    grey = Image.new("LA", (20, 20), (0, 0))
    assert decode_photo(encode(grey, "PNG")).getpixel((5, 5)) == (255, 255, 255)
    palette = draw(mode="P")
    corner = palette.getpixel((0, 0))
    for format in ("PNG", "GIF"):
        seen = decode_photo(encode(palette, format, transparency=corner, optimize=False))
        assert seen.getpixel((0, 0)) == (255, 255, 255), format
        assert seen.getpixel((0, 79)) != (255, 255, 255), format


@pytest.mark.parametrize(("bits", "clear", "shade"), [(2, 1, 2), (4, 3, 10), (16, 0x1234, 0xABCD)])
def test_decode_knows_the_transparent_grey_of_a_png_of_any_depth(
    bits: int, clear: int, shade: int
) -> None:
    """The first half of each row is transparent, so white; the other is not."""
    half = [clear] * 48 + [shade] * 48
    data = png(0, bits, [half], png_chunk(b"tRNS", struct.pack(">H", clear)))
    row = np.asarray(decode_photo(data))[0, :, 0]
    assert row.tolist() == [255] * 48 + [round(shade / (2**bits - 1) * 255)] * 48


def test_decode_knows_the_transparent_colour_of_a_png_of_16_bits() -> None:
    clear, shown = [0x1234, 0x5678, 0x9ABC], [0xFFFF, 0x1000, 0]
    data = png(2, 16, [clear + shown], png_chunk(b"tRNS", struct.pack(">HHH", *clear)))
    assert np.asarray(decode_photo(data)).tolist() == [[[255, 255, 255], [255, 16, 0]]]


@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_decode_reads_every_png_of_16_bits(kind: int) -> None:
    shade, alpha = [0x8000], [0x8000]
    pixel = {0: shade, 2: shade * 3, 4: shade + alpha, 6: shade * 3 + alpha}[kind]
    expected = 128 if kind < 4 else 191
    seen = np.asarray(decode_photo(png(kind, 16, [pixel]))).astype(int)
    assert np.abs(seen - expected).max() <= 1


BROKEN_CRC = png_chunk(b"tEXt", b"a\0b")[:-1] + b"?"
EXTRAS = {
    "a text with a wrong sum": BROKEN_CRC,
    "a profile with a wrong sum": png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"y"))[:-1] + b"?",
    "an orientation with a wrong sum": png_chunk(b"eXIf", SIX[6:])[:-1] + b"?",
    "a large text": png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"{}" * 1_000_000)),
    "a large profile": png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(2_000_000))),
    **{
        f"a short {name.decode()}": png_chunk(name, body)
        for name, body in [(b"pHYs", b"ab"), (b"gAMA", b"ab"), (b"cHRM", b"ab"), (b"sRGB", b"")]
    },
}


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=EXTRAS)
@pytest.mark.parametrize("last", [False, True])
def test_decode_minds_no_damage_beside_the_pixels_of_a_png(extra: bytes, last: bool) -> None:
    whole = encode(draw(), "PNG")
    at = whole.index(b"IEND") - 4 if last else 33
    assert distance(decode_photo(whole[:at] + extra + whole[at:]), draw()) == 0


def bmp_of_32_bits(alpha: int) -> bytes:
    """A BMP of version 5 with a mask for its alpha."""
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 124, 2, 2, 1, 32, 3, 0, 0, 0, 0, 0) + masks + bytes(68)
    return b"BM" + struct.pack("<IHHI", 154, 0, 0, 138) + head + bytes([9, 99, 199, alpha]) * 4


def test_decode_takes_a_bmp_whose_alpha_nobody_filled_in_as_it_looks() -> None:
    for alpha in (0, 255):
        assert decode_photo(bmp_of_32_bits(alpha)).getpixel((0, 0)) == (199, 99, 9)


@pytest.mark.parametrize("kind", [b"P2", b"P3", b"P5", b"P6"])
@pytest.mark.parametrize("top", [1, 7, 100, 255, 256, 1000, 4095, 65535])
def test_decode_reads_a_netpbm_picture_of_any_highest_value(kind: bytes, top: int) -> None:
    ramp = np.linspace(0, top, 8).round().astype(int)
    numbers = ramp.repeat(3) if kind in (b"P3", b"P6") else ramp
    raw = numbers.astype(">u2" if top > 255 else "u1").tobytes()
    text = " ".join(map(str, numbers)).encode()
    data = kind + b" 8 1 %d\n" % top + (text if kind in (b"P2", b"P3") else raw)
    row = np.asarray(decode_photo(data))[0, :, 0].astype(int)
    assert np.abs(row - ramp / top * 255).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_decode_scales_16_bits_and_clips_nothing(format: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(8, 0)
    row = np.asarray(decode_photo(encode(Image.fromarray(ramp), format)))[0, :, 0]
    assert np.abs(row.astype(int) - np.arange(256)).max() <= 1


def test_decode_leaves_a_dark_netpbm_picture_of_16_bits_dark() -> None:
    for shade in (200, 5000):
        data = b"P5 2 2 65535\n" + shade.to_bytes(2) * 4
        assert decode_photo(data).getpixel((0, 0)) == (round(shade / 257),) * 3


def test_decode_knows_a_16_bit_tiff_whose_zero_is_white() -> None:
    grey = Image.fromarray(np.full((8, 8), 60000, np.uint16))
    data = encode(grey, "TIFF", tiffinfo={262: 0})
    assert decode_photo(data).getpixel((0, 0)) == (255 - 60000 // 257,) * 3


def test_decode_scales_floats_and_32_bits_to_what_they_hold() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(8, 0)
    for top in (1.0, 255.0, 65535.0, 1e6):
        row = np.asarray(decode_photo(encode(Image.fromarray(ramp * top), "TIFF")))[0, :, 0]
        assert np.abs(row.astype(int) - np.arange(256)).max() <= 1, top
    whole = Image.fromarray((ramp * 255).round().astype(np.int32))
    assert np.asarray(decode_photo(encode(whole, "TIFF")))[0, 200, 0] == 200


def test_decode_gets_cmyk_and_palette_colours_right() -> None:
    for mode, format in (("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("P", "BMP")):
        picture = draw(mode=mode)
        data = encode(picture, format)
        assert distance(decode_photo(data), picture.convert("RGB")) <= 3, (mode, format)
    for mode in ("1", "L"):
        assert decode_photo(encode(draw(mode=mode), "PNG")).mode == "RGB"


def test_decode_does_not_care_what_the_file_is_called(photos: Path) -> None:
    lying = sorted((photos / "odd" / "bears").glob("*_ext_*"))
    assert lying
    assert all(decode_photo(photo.read_bytes()).mode == "RGB" for photo in lying)


def test_decode_of_odd_bears_shows_the_same_bears_as_the_plain_files(photos: Path) -> None:
    """Each odd file was made from a photo that also lies in `bears/`, 400 px wide.

    There, what is transparent became black: files with transparency are left out.
    """
    compared = 0
    for odd in sorted((photos / "odd" / "bears").iterdir()):
        kind, number = odd.name.split("_")[0], odd.stem.rsplit("_", 1)[1]
        source = odd.stem.split("__")[-1].removesuffix(f"_{number}")
        plain = photos / "bears" / kind / f"{source}__{number}.jpg"
        if plain.is_file() and not {"modeP", "modeRGBA"} & set(odd.stem.split("__")):
            pair = [decode_photo(p.read_bytes()).resize((40, 40)) for p in (odd, plain)]
            assert distance(*pair) < 16, odd.name
            compared += 1
    assert compared >= 10


def test_decode_keeps_no_exif() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        picture = decode_photo(encode(draw(), format, exif=exif))
        assert type(picture) is Image.Image
        assert not picture.info
        assert not picture.getexif()


def test_draft_decodes_a_big_jpeg_at_a_scale_that_still_holds_what_is_asked_for() -> None:
    data = encode(draw((4000, 3000)), "JPEG")
    assert decode_photo(data).size == (4000, 3000)
    assert decode_photo(data, at_least=576).size == (1000, 750)
    assert decode_photo(data, at_least=3001).size == (4000, 3000)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_photo(encode(draw((4000, 3000)), "JPEG", exif=exif), 576).size == (750, 1000)


# ---------------------------------------------------------------- what is no good


def test_decode_of_an_empty_file_says_so() -> None:
    with pytest.raises(EmptyPhoto, match="0 bytes"):
        decode_photo(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n" + bytes(200),
        b"\0\0\0\x20ftypisom" + bytes(200),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><html></html>",
        b"PK\x03\x04" + bytes(100),
        b"hello",
        b"\0",
        bytes(range(256)) * 40,
        b"RIFF\x24\0\0\0WAVEfmt ",
    ],
)
def test_decode_of_no_picture_names_what_can_be_read(data: bytes) -> None:
    with pytest.raises(UnsupportedPhoto, match="JPEG, PNG"):
        decode_photo(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_decode_of_a_truncated_file_is_one_of_our_errors(format: str) -> None:
    noise = Image.effect_noise((160, 120), 90).convert("RGB")
    data = encode(noise, format)
    for share in range(1, 20):
        with pytest.raises(PhotoError):
            decode_photo(data[: len(data) * share // 20])


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_blocks": 2}),
        ("MPO", {}),
        ("PNG", {}),
        ("GIF", {}),
        ("GIF", {"interlace": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
    ids=str,
)
def test_decode_refuses_a_photo_whose_end_never_came(format: str, options: dict[str, Any]) -> None:
    """Cut off, or as long as it should be but of zeros from somewhere on, as after a download."""
    noise = Image.effect_noise((400, 300), 90).convert("RGB")
    data = encode(noise, format, **options)
    for share in (0.1, 0.5, 0.9, 0.99):
        begun = data[: int(len(data) * share)]
        for cut in (begun, begun.ljust(len(data), b"\0"))[: 1 if share > 0.9 else 2]:
            with pytest.raises(DamagedPhoto):
                decode_photo(cut)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_decode_does_not_mind_what_follows_a_picture(format: str) -> None:
    for more in (bytes(10_000), b"a film of the same moment" * 100):
        assert distance(decode_photo(encode(draw(), format) + more), draw()) <= LOSSY


def test_decode_takes_a_picture_that_lacks_nothing_but_its_closing_mark() -> None:
    for format, mark in (("PNG", 12), ("GIF", 1)):
        assert distance(decode_photo(encode(draw(), format)[:-mark]), draw()) <= LOSSY


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_decode_of_a_corrupt_file_is_a_picture_or_one_of_our_errors(format: str) -> None:
    data = bytearray(encode(draw((64, 48)), format))
    dice = np.random.default_rng(0)
    for _ in range(200):
        broken = data.copy()
        for at in dice.integers(0, len(data), 3):
            broken[at] = int(dice.integers(0, 256))
        try:
            assert decode_photo(bytes(broken)).mode == "RGB"
        except PhotoError as error:
            assert str(error).endswith(".")


def test_decode_refuses_too_many_bytes_and_gives_both_numbers() -> None:
    with pytest.raises(PhotoTooLarge, match=r"51\.0 MB; the limit is 50 MB"):
        decode_photo(bytes(51_000_000))


def test_decode_refuses_too_many_pixels_and_gives_both_numbers() -> None:
    with pytest.raises(PhotoTooLarge, match="64 megapixels; the limit is 50"):
        decode_photo(png_header_of(8000, 8000))
    with pytest.raises(PhotoTooLarge, match="more than 178 megapixels; the limit is 50"):
        decode_photo(png_header_of(60000, 60000))
    with pytest.raises(PhotoTooLarge, match="limit is 1"):
        decode_photo(encode(draw((2000, 1000)), "JPEG"), limits=Limits(pixels=1_000_000))


def png_header_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing: the whole of a decompression bomb."""

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


def test_decode_of_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """50 thousand million pixels in a few hundred bytes: the peak stays where it was before."""
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_header_of(250_000, 200_000))
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from voilearn.errors import PhotoTooLarge; from voilearn.image import decode_photo\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "decode_photo(Path(sys.argv[1]).read_bytes())\n"
        "before = peak()\n"
        "try: decode_photo(Path(sys.argv[2]).read_bytes())\n"
        "except PhotoTooLarge: print(peak() - before)\n"
    )
    small = tmp_path / "small.png"
    small.write_bytes(encode(draw(), "PNG"))
    command = [sys.executable, "-c", script, str(small), str(bomb)]
    grown = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert grown < 10_000  # kB


@pytest.mark.parametrize(
    "endless",
    [
        # a GIF of comments, a TIFF whose directory is its own next one, a PNG of empty chunks
        lambda: b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\1x\0" * 200_000,
        lambda: b"II*\0\x08\0\0\0" + b"\0\0\x08\0\0\0" * 10,
        lambda: (
            b"\x89PNG\r\n\x1a\n"
            + (b"\0\0\0\0teXt" + struct.pack(">I", zlib.crc32(b"teXt"))) * 99_999
        ),
    ],
    ids=["gif", "tiff", "png"],
)
def test_decode_stops_reading_at_its_deadline(endless: Callable[[], bytes]) -> None:
    started = time.thread_time()
    with pytest.raises(PhotoError):
        decode_photo(endless(), limits=Limits(seconds=0.05))
    assert time.thread_time() - started < 5  # a bound against hanging, not a speed


def test_decode_stops_at_its_deadline_between_the_scans_of_a_jpeg() -> None:
    """Each scan of a progressive JPEG goes over the whole picture; this one has 5,000 more."""
    data = encode(Image.new("L", (3000, 3000), 128), "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    started = time.thread_time()
    with pytest.raises(DamagedPhoto):
        decode_photo(data[:-2] + last_scan * 5000, limits=Limits(seconds=0.2))
    assert time.thread_time() - started < 30  # of the three minutes that all of them take


def tiff_of(tags: list[tuple[int, int, int, bytes]], rest: bytes) -> bytes:
    """A TIFF of 10 by 10 grey pixels with more tags: (number, type, count, value or offset)."""

    def short(value: int) -> bytes:
        return struct.pack("<HH", value, 0)

    usual = [(256, 3, 1, short(10)), (257, 3, 1, short(10)), (258, 3, 1, short(8))]
    usual += [(259, 3, 1, short(1)), (262, 3, 1, short(1)), (277, 3, 1, short(1))]
    usual += [(273, 3, 1, short(500)), (278, 3, 1, short(10)), (279, 3, 1, short(100))]
    rows = sorted({tag[0]: tag for tag in [*usual, *tags]}.values())
    body = b"".join(struct.pack("<HHI", *tag[:3]) + tag[3] for tag in rows)
    head = b"II*\0" + struct.pack("<IH", 8, len(rows)) + body + bytes(4)
    return head.ljust(1000, b"\0") + rest


def test_decode_makes_no_object_of_each_number_in_a_tag() -> None:
    """Six million fractions in a TIFF's tag took 1.7 GB and half a minute."""
    at = struct.pack("<I", 1000)
    assert decode_photo(tiff_of([(282, 5, 1, at)], struct.pack("<II", 72, 1))).size == (10, 10)
    with pytest.raises(DamagedPhoto):
        decode_photo(tiff_of([(282, 5, 200_000, at)], struct.pack("<II", 7, 9) * 200_000))


def test_decode_refuses_a_tile_far_larger_than_its_picture() -> None:
    """Such a tile is decoded whole: 1.6 GB for 10 by 10 pixels."""
    side = struct.pack("<I", 40_000)
    tags = [(322, 4, 1, side), (323, 4, 1, side), (259, 3, 1, struct.pack("<HH", 8, 0))]
    with pytest.raises(PhotoTooLarge, match="1,600 megapixels"):
        decode_photo(tiff_of(tags, zlib.compress(bytes(1000))))


def test_decode_reads_no_exif_of_megabytes() -> None:
    """Its numbers would become an object each; a camera's has 64 kB at most."""
    exif = Image.Exif()
    exif[0x0112] = 6
    real = exif.tobytes()
    assert decode_photo(encode(draw((90, 60)), "PNG", exif=real)).size == (60, 90)
    assert decode_photo(encode(draw((90, 60)), "PNG", exif=real + bytes(1_100_000))).size == (
        90,
        60,
    )


def test_all_odd_photos_give_a_picture_or_one_of_our_errors(photos: Path) -> None:
    errors = {}
    for photo in sorted((photos / "odd").rglob("*.*")):
        try:
            assert decode_photo(photo.read_bytes(), at_least=576).mode == "RGB"
        except VoilearnError as error:
            errors[photo.name] = error.type
    assert errors == {
        "broken.png": "DamagedPhoto",
        "broken_data_stream.png": "DamagedPhoto",
        "corrupted.heic": "DamagedPhoto",
        "decompression_bomb.gif": "PhotoTooLarge",
        "empty.heic": "EmptyPhoto",
        "jpg__User_Comment_Encoding.jpg": "DamagedPhoto",
        "jpg__beach.jpg": "DamagedPhoto",
    }


def test_decode_is_safe_from_several_threads_at_once() -> None:
    colours = ["red", "lime", "blue", "yellow"]
    data = [encode(Image.new("RGB", (300, 300), colour), "PNG") for colour in colours]
    mixed = []

    def work(mine: int) -> None:
        for _ in range(50):
            if distance(decode_photo(data[mine]), Image.new("RGB", (300, 300), colours[mine])):
                mixed.append(mine)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mixed
