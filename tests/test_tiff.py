"""The kinds of TIFF: each comes out as the picture that it is, or is refused by what it is."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import draw, encode
from tests.tiff_files import DEFLATE, tiff
from voilearn.errors import DamagedPhoto, EmptyPhoto, UnsupportedPhoto
from voilearn.image import decode_photo

GREY, RGB, WHITE_IS_ZERO, PALETTE, CMYK, YCBCR, LAB, RAW = 1, 2, 0, 3, 5, 6, 8, 32803
UINT, SIGNED, FLOAT = 1, 2, 3

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
COMPRESSIONS = pytest.mark.parametrize("compression", [1, DEFLATE])

COLOURS = np.asarray(draw(), float) / 255  # [height, width, 3], from 0 to 1
SHADES = np.tile(np.linspace(0, 1, 120), (80, 1))[..., None]


def numbers(picture: NDArray[Any], top: float, dtype: str) -> NDArray[Any]:
    return np.round(picture * top).astype(dtype)


def off(data: bytes, picture: NDArray[Any]) -> float:
    """How far a file's picture is from what it should be, in grey levels at its worst."""
    seen = np.asarray(decode_photo(data), float)
    assert seen.shape[:2] == picture.shape[:2]
    return float(np.abs(seen - 255 * picture).max())


@ORDERS
@COMPRESSIONS
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("top", [255, 65535])
@pytest.mark.parametrize(
    ("photometric", "channels", "extra"), [(RGB, 3, []), (RGB, 4, [2]), (CMYK, 4, [])]
)
def test_colours_are_read_together_or_apart_in_either_order(
    order: str,
    compression: int,
    apart: bool,
    top: int,
    photometric: int,
    channels: int,
    extra: list[int],
) -> None:
    fourth = np.full_like(SHADES, 1 if extra else 0)[..., : channels - 3]
    picture = 1 - COLOURS if photometric == CMYK else COLOURS
    data = tiff(
        numbers(np.concatenate([picture, fourth], -1), top, f"u{1 + top // 256 // 255}"),
        photometric,
        order=order,
        extra=extra,
        apart=apart,
        compression=compression,
    )
    assert off(data, COLOURS) <= 2


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("compression", [1, DEFLATE])
def test_a_tiff_that_is_cut_off_is_damaged(apart: bool, compression: int) -> None:
    noise = np.random.default_rng(0).integers(0, 65536, (80, 120, 3)).astype("u2")
    data = tiff(noise, RGB, apart=apart, compression=compression)
    for share in range(20):
        with pytest.raises((DamagedPhoto, EmptyPhoto)):
            decode_photo(data[: len(data) * share // 20])
    for last in (10, 100, 200, 240):  # within the tags: the numbers that they point at are gone
        with pytest.raises((DamagedPhoto, UnsupportedPhoto)) as refused:
            decode_photo(data[:last])
        assert "1-bit" not in str(refused.value)


@COMPRESSIONS
def test_grey_of_12_bits_is_as_bright_as_of_8(compression: int) -> None:
    data = tiff(numbers(SHADES, 4095, "u2"), GREY, bits=12, compression=compression)
    assert off(data, SHADES) <= 1


@COMPRESSIONS
@pytest.mark.parametrize("top", [255, 65535, 100_000, 2**31, 2**32 - 1])
def test_unsigned_32_bits_are_read_over_their_whole_range(top: int, compression: int) -> None:
    data = tiff(numbers(SHADES, top, "u4"), GREY, compression=compression)
    assert off(data, SHADES) <= 1


@ORDERS
@COMPRESSIONS
@pytest.mark.parametrize("photometric", [GREY, WHITE_IS_ZERO])
def test_floats_are_read_in_either_order(order: str, compression: int, photometric: int) -> None:
    data = tiff(
        SHADES.astype("f4"), photometric, order=order, format=FLOAT, compression=compression
    )
    assert off(data, SHADES if photometric == GREY else 1 - SHADES) <= 1


@pytest.mark.parametrize(
    ("top", "dtype"),
    [
        *((top, "f4") for top in (1.02, 1.5, 16)),
        *((top, "u4") for top in (1000, 1023, 4095, 16383)),
    ],
)
def test_a_range_between_the_known_ones_is_not_almost_black(top: float, dtype: str) -> None:
    for kind in {dtype, "f4"}:
        data = tiff((SHADES * top).astype(kind), GREY, format=FLOAT if kind == "f4" else 1)
        assert off(data, SHADES) <= 1


@ORDERS
@COMPRESSIONS
def test_signed_32_bits_are_read_in_either_order(order: str, compression: int) -> None:
    shades = numbers(SHADES, 65535, "i4")
    data = tiff(shades, GREY, order=order, format=SIGNED, compression=compression)
    assert off(data, SHADES) <= 1


@ORDERS
def test_ycbcr_is_read_though_it_is_not_compressed(order: str) -> None:
    colours = np.asarray(draw().convert("YCbCr"))
    levels = (532, 5, [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1])
    for apart in (False, True):
        data = tiff(colours, YCBCR, order=order, apart=apart, tags=[(530, 3, [1, 1]), levels])
        assert off(data, COLOURS) <= 4


def test_a_palette_of_8_bit_colours_is_not_taken_for_black() -> None:
    shades = numbers(SHADES, 255, "u1")
    for top in (255, 65535):
        colours = (320, 3, np.linspace(0, top, 256).round().astype(int).tolist() * 3)
        assert off(tiff(shades, PALETTE, tags=[colours]), SHADES) <= 1


@pytest.mark.parametrize("alpha", [1, 2])
def test_grey_with_alpha_is_laid_over_white(alpha: int) -> None:
    half = np.concatenate([SHADES * (0.5 if alpha == 1 else 1), np.full_like(SHADES, 0.5)], -1)
    data = tiff(numbers(half, 255, "u1"), GREY, extra=[alpha])
    assert off(data, (SHADES + 1) / 2) <= 3


def test_min_and_max_are_statistics_and_change_nothing() -> None:
    shades = numbers(SHADES, 65535, "u2")
    assert off(tiff(shades, GREY, tags=[(280, 3, [1000]), (281, 3, [4095])]), SHADES) <= 1


@ORDERS
def test_a_tiff_is_turned_by_its_own_orientation_and_not_by_xmp(order: str) -> None:
    xmp = (700, 1, list(b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'))
    colours = numbers(COLOURS, 65535, "u2")
    for apart in (False, True):
        assert off(tiff(colours, RGB, order=order, apart=apart, tags=[xmp]), COLOURS) <= 1
        both = [xmp, (274, 3, [3])]
        upside_down = COLOURS[::-1, ::-1]
        assert off(tiff(colours, RGB, order=order, apart=apart, tags=both), upside_down) <= 1


def of(channels: int, dtype: str = "u1") -> NDArray[Any]:
    return np.full((40, 60, channels), 100, dtype)


def with_one_far_above(top: float) -> NDArray[Any]:
    """What maps put where they know nothing, and what a broken pixel says."""
    numbers = of(1, "f4")
    numbers[0, 0] = top
    return numbers


NOT_READ = {
    "5 bands": (tiff(of(5), GREY, extra=[0] * 4), "grey, 5 channels of 8-bit numbers"),
    "3 grey bands": (tiff(of(3), GREY, extra=[0, 0], apart=True, compression=DEFLATE), "3 channel"),
    "7 bands": (tiff(of(7), RGB, extra=[0] * 4), "RGB, 7 channels"),
    "5 bands of 16 bits": (tiff(of(5, "u2"), RGB, extra=[0, 0]), "RGB, 5 channels of 16-bit"),
    "bands apart": (tiff(of(4), RGB, extra=[0], apart=True), "8-bit numbers, one after the other"),
    "alpha apart": (tiff(of(2), GREY, extra=[2], apart=True, compression=DEFLATE), "2 channels"),
    "grey of 16 bits and alpha": (tiff(of(2, "u2"), GREY, extra=[2]), "grey, 2 channels of 16-bit"),
    "12 bits from the other end": (tiff(of(1), GREY, bits=12, order=">"), "1 channel of 12-bit"),
    "12 bits of colours": (tiff(of(3), RGB, bits=12), "RGB, 3 channels of 12-bit numbers"),
    "white as 0": (
        tiff(of(1), WHITE_IS_ZERO, bits=12),
        "grey with white as 0, 1 channel of 12-bit",
    ),
    "white as 0, big-endian": (tiff(of(1, "u2"), WHITE_IS_ZERO, order=">"), "with white as 0"),
    **{f"{n} bits": (tiff(of(1), GREY, bits=n), f"1 channel of {n}-bit") for n in (3, 6, 10, 14)},
    "24 bits": (tiff(of(1, "u4"), GREY, bits=24), "1 channel of 24-bit numbers"),
    "32 bits big-endian": (tiff(of(1, "u4"), GREY, order=">"), "1 channel of 32-bit numbers"),
    "32 bits of colours": (tiff(of(3, "u4"), RGB), "RGB, 3 channels of 32-bit numbers"),
    "64 bits": (tiff(of(1, "u8"), GREY), "64-bit numbers"),
    "signed 8": (tiff(of(1, "i1"), GREY, format=SIGNED), "8-bit signed numbers"),
    "signed 16": (tiff(of(1, "i2"), GREY, format=SIGNED), "16-bit signed numbers"),
    **{
        f"floats of {8 * n}": (tiff(of(1, f"f{n}"), GREY, format=FLOAT), f"{8 * n}-bit floating")
        for n in (2, 8)
    },
    "colours of floats": (tiff(of(3, "f4"), RGB, format=FLOAT), "32-bit floating-point numbers"),
    "complex": (tiff(of(1, "u8"), GREY, format=6), "complex numbers"),
    "Lab of 16 bits": (tiff(of(3, "u2"), LAB), "Lab colours, 3 channels of 16-bit"),
    "ICC Lab": (tiff(of(3), 9), "Lab colours"),
    "palette of 16 bits": (tiff(of(1, "u2"), PALETTE, tags=[(320, 3, [0] * 30)]), "a palette"),
    "a mask": (tiff(of(1), 4), "a mask"),
    "a mosaic": (tiff(of(1, "u2"), RAW), "a camera's raw data"),
    "JPEG 2000": (tiff(of(3), RGB, compression=34712), "compressed by JPEG 2000"),
    "LERC": (tiff(of(1), GREY, compression=34887), "compressed by LERC"),
    "a fax in words": (
        encode(draw(mode="1"), "TIFF", compression="tiff_raw_16"),
        "compressed by a fax's codes",
    ),
    "WebP": (tiff(of(3), RGB, compression=50001), "compressed by WebP"),
    "PackBits of somebody's": (tiff(of(3), RGB, compression=47000), "compressed by method 47000"),
    "DNG": (tiff(of(3), RGB, tags=[(50706, 1, [1, 4, 0, 0])]), "a camera's raw file"),
    "NEF": (tiff(of(3), RGB, tags=[(254, 4, [1])]), "begins with a small preview"),
    "below zero": (tiff(of(1, "f4") - 101, GREY, format=FLOAT), "numbers below zero"),
    "below zero, whole": (tiff(of(1, "i4") - 101, GREY, format=SIGNED), "numbers below zero"),
    **{
        f"one of {top}": (tiff(with_one_far_above(top), GREY, format=FLOAT), "far above all others")
        for top in (1e6, 3.4e38)
    },
    "no number": (tiff(of(1, "f4") * np.nan, GREY, format=FLOAT), "none at all in places"),
    "endless": (tiff(of(1, "f4") * np.inf, GREY, format=FLOAT), "none at all in places"),
}


@pytest.mark.parametrize(("data", "kind"), NOT_READ.values(), ids=NOT_READ)
def test_what_is_not_read_is_named_and_never_called_damaged(data: bytes, kind: str) -> None:
    with pytest.raises(UnsupportedPhoto, match=r"Please save it as a JPEG or PNG") as refused:
        decode_photo(data)
    assert kind in str(refused.value)
    assert "1 channels" not in str(refused.value)


def test_a_number_that_is_none_in_one_place_is_seen() -> None:
    for at in (0, 50):
        shades = SHADES.astype("f4")
        shades[3, at] = np.nan
        with pytest.raises(UnsupportedPhoto, match="can't be told"):
            decode_photo(tiff(shades, GREY, format=FLOAT))


def test_raw_files_of_cameras_are_not_taken_for_their_previews() -> None:
    preview = tiff(of(3), RGB)
    canon = b"II*\0\x10\0\0\0CR\x02\0" + bytes(100)
    for data in (canon, tiff(of(3), RGB, tags=[(254, 4, [1])])):
        with pytest.raises(UnsupportedPhoto, match="raw file"):
            decode_photo(data)
    assert decode_photo(preview).size == (60, 40)


def test_of_several_pages_the_first_is_shown_whatever_the_next_are() -> None:
    file = io.BytesIO()
    draw().save(file, "TIFF", save_all=True, append_images=[draw((30, 20))])
    assert off(file.getvalue(), COLOURS) == 0
    assert off(encode(draw(), "TIFF", big_tiff=True), COLOURS) == 0


def test_a_big_tiff_of_the_other_order_is_named() -> None:
    with pytest.raises(UnsupportedPhoto, match="big-endian BigTIFF"):
        decode_photo(b"MM\0+\0\x08\0\0" + struct.pack(">Q", 16) + bytes(100))


@pytest.mark.parametrize("method", ["tiff_lzw", "packbits", "tiff_deflate", "lzma", "zstd"])
def test_usual_compressions_are_read(method: str) -> None:
    assert off(encode(draw(), "TIFF", compression=method), COLOURS) == 0


@pytest.mark.parametrize("method", ["group3", "group4"])
def test_faxes_are_black_on_white(method: str) -> None:
    page = draw(mode="1")
    expected = np.asarray(page.convert("RGB"), float) / 255
    assert off(encode(page, "TIFF", compression=method), expected) == 0


@pytest.mark.parametrize("mode", ["RGB", "YCbCr", "L", "CMYK"])
def test_jpeg_within_tiff_keeps_its_colours(mode: str) -> None:
    picture = draw(mode=mode)
    data = encode(picture, "TIFF", compression="jpeg", quality=95)
    seen = np.asarray(decode_photo(data), float)
    assert np.abs(seen - np.asarray(picture.convert("RGB"), float)).mean() < 3


@pytest.mark.parametrize("number", [258, 259, 262, 277, 284, 338, 339, 254])
def test_a_tag_of_another_type_is_damage_and_its_text_is_not_shown(number: int) -> None:
    data = tiff(of(5), GREY, tags=[(number, 2, list(b"<b>")), (254, 4, [0])])
    with pytest.raises((DamagedPhoto, UnsupportedPhoto)) as refused:
        decode_photo(data)
    assert "<b>" not in str(refused.value)


def test_a_header_whose_order_is_mixed_up_is_looked_through_all_the_same() -> None:
    """Pillow opens such a file, so its tags are checked as any other's."""
    data = tiff(of(1), GREY, tags=[(50000, 4, [7] * 300_000)])
    for header in (b"II*\0", b"II\0*"):
        with pytest.raises(DamagedPhoto):
            decode_photo(header + data[4:])
    assert Image.open(io.BytesIO(b"II\0*" + tiff(of(1), GREY)[4:])).size == (60, 40)
