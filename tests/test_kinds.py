"""What a file is that could not be opened: its error says what is true of it, and what to send."""

import struct
from typing import Any

import pytest
from PIL import Image

from tests.conftest import draw, encode
from voilearn.errors import DamagedPhoto, UnsupportedPhoto
from voilearn.image import decode_photo
from voilearn.kinds import PADDING, is_padded

OPTIONS: dict[str, dict[str, Any]] = {"AVIF": {"speed": 10}, "JPEG": {"optimize": True}}


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def jpeg(marker: int, bits: int = 8, channels: int = 3) -> bytes:
    """A JPEG that another coder has made: its frame says so."""
    data = encode(draw(mode={1: "L", 3: "RGB"}.get(channels, "CMYK")), "JPEG")
    at = data.index(b"\xff\xc0")
    frame = bytes([0xFF, marker]) + data[at + 2 : at + 4] + bytes([bits])
    frame += data[at + 5 : at + 9] + bytes([channels])
    return data[:at] + frame + data[at + 10 :]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (jpeg(0xC1, bits=12), "a JPEG of 12 bits"),
        (jpeg(0xC3, bits=16), "a JPEG of 16 bits"),
        (jpeg(0xC0, channels=2), "a JPEG of 2 channels"),
        (jpeg(0xC5), "a hierarchical JPEG"),
        (jpeg(0xF7), "a JPEG-LS"),
    ],
)
def test_a_jpeg_that_no_decoder_of_photos_reads_is_named(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedPhoto, match=f"^This is {name}, which is not read here"):
        decode_photo(data)


@pytest.mark.parametrize("bits", [0, 8])
def test_a_jpeg_whose_frame_is_the_usual_one_is_damaged_and_not_of_another_kind(bits: int) -> None:
    data = jpeg(0xC0)
    for end in (100, len(data) // 2):
        with pytest.raises(DamagedPhoto):
            decode_photo(data[:end] + bytes(bits))


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
        (b"\xff\x0a\x00", "a JPEG XL"),
        (b"II\xbc\x01", "a JPEG XR"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"v/1\x01", "an OpenEXR file"),
        (b"PF\n8 8\n-1.0\n", "a PFM in colour"),
        (b"P7\nWIDTH 8\n", "a PAM"),
        (b"PK\x03\x04" + bytes(26) + b"export/data.pkl", "a model"),
        (b"\x80\x02}q", "a model"),
        (b"\x08\x0a\x12\x08voilearn", "a model"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"\0\0\1\0\1\0", "an icon"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"<!doctype html>", "a web page"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"<html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "only a Git LFS pointer to the picture"),
        (b"\0\0\0\x18ftypcrx ", "a camera's raw file"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
        (b"IIRO\x08\0\0\0", "a camera's raw file"),
        (b"IIU\0\x18\0\0\0", "a camera's raw file"),
        (b"\0\0\0\x14ftypqt  ", "a video"),
        (b"\0\0\0\x18ftypmp42", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
    ],
)
def test_what_people_send_and_is_no_photo_is_named(head: bytes, name: str) -> None:
    with pytest.raises(UnsupportedPhoto, match=f"^This file is {name}, not a picture.*JPEG, PNG"):
        decode_photo(head + bytes(300))


def test_a_heif_of_another_coder_is_not_called_damaged() -> None:
    pytest.importorskip("pi_heif", reason="the optional HEIC reader is not installed")
    av1 = encode(draw(), "AVIF").replace(b"ftypavif", b"ftypheic", 1)
    with pytest.raises(UnsupportedPhoto, match="a HEIF of a kind that is not read"):
        decode_photo(av1)


def bmp(bits: int, coding: int, header: int = 40) -> bytes:
    """A BMP of 8 by 8 black pixels."""
    body, masks = bytes(8 * 8 * 4), struct.pack("<III", 0xF00, 0xF0, 0xF)
    told = struct.pack("<IiiHHIIiiII", header, 8, 8, 1, bits, coding, len(body), 0, 0, 0, 0) + masks
    return (
        b"BM" + struct.pack("<IHHI", 14 + len(told) + len(body), 0, 0, 14 + len(told)) + told + body
    )


@pytest.mark.parametrize(
    "data",
    [bmp(16, coding=3), bmp(24, coding=4), bmp(24, coding=5), bmp(2, coding=0), bmp(64, coding=0)],
    ids=["4 bits a colour", "jpeg", "png", "2 bits", "64 bits"],
)
def test_a_bmp_of_an_uncommon_kind_is_not_called_damaged(data: bytes) -> None:
    with pytest.raises(UnsupportedPhoto, match="a BMP of a kind that is not read"):
        decode_photo(data)
    with pytest.raises(DamagedPhoto):
        decode_photo(bmp(24, coding=0)[:100])


def test_a_netpbm_picture_that_is_cut_off_is_damaged_and_a_text_is_none() -> None:
    for mode in ("1", "L", "RGB"):
        data = encode(draw(mode=mode), "PPM")
        with pytest.raises(DamagedPhoto):
            decode_photo(data[: len(data) // 2])
    with pytest.raises(UnsupportedPhoto, match="not a picture"):
        decode_photo(b"P1 is the first of our problems")


def test_an_avif_cut_off_is_damaged_whichever_it_is() -> None:
    data = encode(draw(), "AVIF")
    for brand in (b"avif", b"avis"):
        with pytest.raises(DamagedPhoto):
            decode_photo(data.replace(b"ftypavif", b"ftyp" + brand, 1)[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "padded"),
    [
        (box(b"ftyp", b"heic") + box(b"mdat", b"x" * 99 + bytes(PADDING)), True),
        (box(b"ftyp", b"heic") + b"\0\0\0\0mdat" + b"x" * 99 + bytes(PADDING), True),
        (box(b"ftyp", b"heic") + box(b"mdat", b"x" * 99 + bytes(PADDING - 1)), False),
        (box(b"ftyp", b"heic") + box(b"mdat", b"x" * 99) + bytes(PADDING), False),
        (box(b"ftyp", b"heic") + b"\0\0\0\1mdat" + struct.pack(">Q", 20) + b"xxxx", False),
        (b"RIFF" + struct.pack("<I", PADDING + 50) + b"WEBP".ljust(PADDING + 50, b"\0"), True),
        (b"RIFF" + struct.pack("<I", 50) + b"WEBP".ljust(PADDING + 50, b"x"), False),
        (encode(draw(), "JPEG")[:-2] + bytes(100), True),
        (encode(draw(), "JPEG")[:-2] + b"x" * 100, False),
        (encode(draw(), "JPEG") + bytes(PADDING), False),
        (encode(draw(), "JPEG", exif=b"Exif\0\0\xff\xd9")[:-2] + bytes(100), True),
    ],
)
def test_zeros_in_the_place_of_a_pictures_end_are_seen(data: bytes, padded: bool) -> None:
    assert is_padded(data, 100) == padded


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "JPEG"])
def test_a_large_picture_of_one_colour_is_not_taken_for_padded(format: str) -> None:
    data = encode(Image.new("RGB", (8000, 6000), "white"), format, **OPTIONS.get(format, {}))
    assert not is_padded(data, 48_000_000)
