"""Whoever sends something else than a photo's bytes is told what it was, and what to send."""

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from tests.conftest import draw, encode
from voilearn.errors import DamagedPhoto, EmptyPhoto, PhotoError, UnsupportedPhoto
from voilearn.service.sent_instead import check_unstripped, told, what_is
from voilearn.wire import CHOSEN

PHOTO = encode(draw((300, 200)), "JPEG")
BASE64 = base64.b64encode(PHOTO).decode()
LINES = base64.encodebytes(PHOTO).decode()
HEX = PHOTO.hex()
JSON = json.dumps({"image": BASE64})
ERROR = UnsupportedPhoto("This file is not a picture we can read.")
SEEN = {
    "JSON": [
        JSON,
        f"  {JSON}",
        f"\ufeff{JSON}",
        json.dumps({"instances": [{"b64": BASE64}]}),
        json.dumps({"url": "https://example.org/p.jpg"}),
        json.dumps({"query": "{ classify }"}),
        json.dumps([1, 2]),
        json.dumps([[True]]),
        json.dumps(BASE64),
        json.dumps({"type": "Buffer", "data": list(PHOTO)}),
        "{}",
        "{\n  }",
    ],
    "a data URI": [f"data:image/jpeg;base64,{BASE64}", "data:,x"],
    "base64": [
        BASE64,
        LINES,
        BASE64.replace("+", "-").replace("/", "_"),
        LINES.replace("\n", "\r\n"),
    ],
    "an address, from which nothing is fetched": [
        "https://example.org/photo.jpg",
        "s3://bucket/photo.jpg",
        "file:///home/me/photo.jpg",
        "blob:https://example.org/0c1f",
        "content://media/external/images/1",
    ],
    "the name of a file": [
        *(
            "photo.jpg",
            "@photo.jpg",
            "/home/me/my photo.jpeg",
            r"C:\Users\me\photo.png",
            "./a/b.webp",
        ),
    ],
    "the bytes of a file written as numbers": [",".join(map(str, PHOTO)), str([*PHOTO])[1:-1]],
    "the hexadecimal digits of a file": [
        HEX,
        HEX.upper(),
        PHOTO.hex(" "),
        "\n".join(HEX[at : at + 60] for at in range(0, len(HEX), 60)),
        f"00000000: {PHOTO[:16].hex(' ', 2)}  ......JFIF",
        f"00000000  {PHOTO[:16].hex(' ')}  |......JFIF|",
        ", ".join(f"0x{byte:02x}" for byte in PHOTO),
    ],
    "a form of texts (application/x-www-form-urlencoded)": [
        f"photo={quote(PHOTO)}",
        "photo=photo.jpg",
        f"image={quote(BASE64, safe='')}&top=3",
        "photo%5B%5D=x&a=1",
    ],
    "a JavaScript object written as text": [
        *("[object Object]", "[object File]", "[object Blob]", "[object FormData]"),
    ],
    "a Python object written as text": [
        str(PHOTO),
        str({"photo": PHOTO}),
        "<_io.BufferedReader name='photo.jpg'>",
        "<PIL.Image.Image image mode=RGB size=3x2 at 0x7F>",
        "<PIL.JpegImagePlugin.JpegImageFile image mode=RGB size=3x2>",
    ],
    "XML or HTML": [
        "<?xml version='1.0'?><photo/>",
        "<html>",
        "<!doctype html>",
        "<soap:Envelope/>",
    ],
    "a form whose Content-Type is not multipart/form-data with its boundary": [
        '--abc\r\nContent-Disposition: form-data; name="photo"\r\n\r\nx\r\n--abc--',
    ],
    "text": ["hello", "no picture, and no more than that", "undefined", "Ein Bär läuft"],
}
BINARY = {
    "a file that was read as text, which spoils its bytes": PHOTO.decode("latin-1").encode(),
    "packed in gzip": gzip.compress(PHOTO),
    "packed in zstd": b"\x28\xb5\x2f\xfd" + PHOTO,
    "a numpy array": b"\x93NUMPY\x01\x00",
    "a pickle of Python": b"\x80\x04\x95\x01",
}
CASES = [(text, seen) for seen, texts in SEEN.items() for text in texts]


@pytest.mark.parametrize(("text", "seen"), CASES, ids=[text[:20] for text, _ in CASES])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_is_told_for_what_it_is(text: str, seen: str, coding: str) -> None:
    if len(text) > 9 or coding == "utf-8":
        assert what_is(text.encode(coding)) == seen


@pytest.mark.parametrize(("seen", "body"), BINARY.items(), ids=BINARY)
def test_bytes_that_are_known_are_told(seen: str, body: bytes) -> None:
    assert what_is(body) == seen


@pytest.mark.parametrize(
    "body",
    [
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"P3 2 2 255\n1 2 3\n",
        *[PHOTO, PHOTO[:50], b"%PDF-1.7\x00", bytes(100), bytes(range(256)), b"<svg></svg>"],
    ],
)
def test_what_is_not_known_keeps_the_photos_own_sentence(body: bytes) -> None:
    assert what_is(body) is None
    assert told(ERROR, body, "") is ERROR


@pytest.mark.parametrize("kind", ["", "image/jpeg", "application/json", "text/plain"])
def test_the_sentence_tells_what_came_and_the_line_to_send(kind: str) -> None:
    said = str(told(ERROR, JSON.encode(), kind))
    assert said.startswith("The body is JSON, not a picture. ")
    assert "curl --data-binary @photo.jpg" in said
    assert "curl -F photo=@photo.jpg" in said
    assert "/v2/" not in said
    assert "/v2/" in str(told(ERROR, b'{"inputs": []}', kind))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("lost", [True, False])
def test_a_photo_that_a_program_read_as_text_is_told(format: str, lost: bool) -> None:
    photo = encode(draw((300, 200)), format)
    body = photo.decode(*(("utf-8", "replace") if lost else ("latin-1",))).encode()
    assert str(told(ERROR, body, "")).startswith("The body is a file that was read as text")


def test_the_type_of_a_form_is_not_told_as_that_of_its_text() -> None:
    said = str(told(ERROR, b"undefined", "multipart/form-data; boundary=x"))
    assert said.startswith("The field photo is text, not a picture. ")


def test_a_forms_field_is_told_as_one_and_no_name_of_a_file_is_repeated() -> None:
    said = str(told(ERROR, b"holiday.jpg", "multipart/form-data; boundary=x"))
    assert said.startswith("The field photo is the name of a file, not a picture. ")
    assert "holiday" not in said


def test_the_kind_of_a_text_is_told_fit_to_be_shown() -> None:
    said = str(told(ERROR, b"hello", "text/plain\x1b[31m" + "x" * 500))
    assert "text (text/plain?[31mx" in said
    assert len(said) < 400


def test_the_kind_of_the_error_stays() -> None:
    for kind in (UnsupportedPhoto, DamagedPhoto):
        assert type(told(kind("A sentence."), b"hello", "")) is kind
    empty = told(EmptyPhoto("This file is empty."), b"", "")
    assert (type(empty), str(empty)[:19]) == (EmptyPhoto, "The body is empty. ")


@pytest.mark.parametrize("body", [b"", JSON.encode(), b"hello"])
def test_what_a_person_chose_is_told_to_a_person(body: bytes) -> None:
    error: PhotoError = ERROR if body else EmptyPhoto("This file is empty.")
    assert told(error, body, CHOSEN) is error


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("size", [(1, 1), (300, 200)])
def test_a_photo_without_its_line_ends_is_told_and_a_whole_one_never(
    format: str, size: tuple[int, int]
) -> None:
    photo = encode(Image.new("RGB", size, (9, 99, 199)), format)
    check_unstripped(photo)
    stripped = photo.translate(None, b"\0\r\n")
    if format != "TIFF":  # of which the first bytes are gone, too
        with pytest.raises(DamagedPhoto, match=r"curl --data-binary @photo\.jpg"):
            check_unstripped(stripped)


def test_the_looking_takes_no_longer_for_what_is_large_or_odd() -> None:
    for piece in ("a=", "../", "0x", "ff ", "{[", "b'", "--", "a" * 40 + " ", "/" * 9):
        assert what_is((piece * 3_000_000)[:3_000_000].encode())


def test_the_real_photos_are_none_of_these(photos: Path) -> None:
    for path in sorted(photos.rglob("*.jpg"))[:200]:
        photo = path.read_bytes()
        check_unstripped(photo)
        assert what_is(photo) is None
