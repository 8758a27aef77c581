"""The photo in a form is found whatever wrote the form, or what is missing is told."""

import base64
import re

import pytest

from tests.conftest import draw, encode
from tests.waiting import returned
from voilearn.errors import BadRequest
from voilearn.service.form import MOST, PIECE, photo_in

PHOTO = encode(draw((300, 200)), "JPEG")
KIND = "multipart/form-data; boundary=x"
NAMED = 'form-data; name="photo"'


def part(disposition: str, content: bytes = PHOTO, *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    return "".join(f"{line}\r\n" for line in ["--x", *lines, ""]).encode() + content + b"\r\n"


def read(body: bytes, kind: str = KIND) -> bytes:
    return returned(photo_in(body, kind))


END = b"--x--\r\n"
WHOLE = part(f'{NAMED}; filename="p.jpg"', PHOTO, "Content-Type: image/jpeg") + END
TAKEN = {
    "as browsers write it": WHOLE,
    "no file's name": part(NAMED) + END,
    "no file's name, with a type": part(NAMED, PHOTO, "Content-Type: image/jpeg") + END,
    "only filename*": part(f"{NAMED}; filename*=UTF-8''b%C3%A4r.jpg") + END,
    "both names": part(f"{NAMED}; filename=\"b.jpg\"; filename*=UTF-8''b%C3%A4r.jpg") + END,
    "an empty name": part(f'{NAMED}; filename=""') + END,
    "a name in Latin-1": part(f'{NAMED}; filename="b').replace(b'="b\r', b'="b\xe4r.jpg"\r') + END,
    "no quotes": part("form-data; name=photo; filename=p.jpg") + END,
    "other capitals": WHOLE.replace(b"Content-Disposition", b"CONTENT-DISPOSITION"),
    "other fields": part('form-data; name="a"', b"1")
    + part('form-data; name="f"; filename="f"')
    + WHOLE,
    "_charset_": part('form-data; name="_charset_"', b"iso-8859-1") + WHOLE,
    "a preamble and an epilogue": b"This is MIME.\r\n" + WHOLE + b"the end",
    "no last line end": WHOLE[:-2],
    "base64": part(NAMED, base64.encodebytes(PHOTO), "Content-Transfer-Encoding: BASE64") + END,
    "binary": part(NAMED, PHOTO, "Content-Transfer-Encoding: binary") + END,
}


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_a_photo_in_a_form_is_taken(body: bytes) -> None:
    assert read(body) == PHOTO


@pytest.mark.parametrize(
    "kind", ['multipart/form-data; boundary="x"', "Multipart/Form-Data; charset=utf-8; Boundary=x"]
)
def test_the_boundary_may_be_in_quotes_and_anywhere(kind: str) -> None:
    assert read(WHOLE, kind) == PHOTO


@pytest.mark.parametrize("around", [PIECE - 60, PIECE, PIECE + 1, 3 * PIECE])
def test_a_form_in_several_pieces_is_the_same(around: int) -> None:
    photo = PHOTO + bytes(around - len(PHOTO)) + b"\r\n--"
    assert read(part(NAMED, photo) + END) == photo


def test_the_boundary_inside_the_photo_is_no_end() -> None:
    photo = PHOTO + b"\r\n-x\r\n--y--x" + PHOTO
    assert read(part(NAMED, photo) + END) == photo


OTHER = part('form-data; name="file"; filename="secret.jpg"') + part('form-data; name="images[]"')
REFUSED = {
    "another name": (OTHER + END, 'no field named photo: it has "file", "images[]". With curl: -F'),
    "capitals": (part('form-data; name="Photo"') + END, 'it has "Photo"'),
    "no names": (part("form-data") + END, "no fields that have a name"),
    "no parts": (END, "no fields that have a name"),
    "two photos": (part(NAMED) + part(NAMED) + END, "has 2 photos. Send a request for each"),
    "cut off": (WHOLE[:-30], "ends before its last boundary"),
    "cut off in a head": (WHOLE[:30], "ends before its last boundary"),
    "line feeds alone": (WHOLE.replace(b"\r\n", b"\n"), "can't be read"),
    "no form": (PHOTO, "boundary of this form is nowhere in the body"),
    "no base64": (part(NAMED, b"a", "Content-Transfer-Encoding: base64") + END, "can't be read"),
    "many fields": (part('form-data; name="a"', b"") * (MOST + 1) + END, f"over {MOST} fields"),
    "a bad head": (b"--x\r\nno head\r\n\r\n" + END, "can't be read"),
    "nested": (
        part("form-data", b"--y\r\n\r\n--y--", "Content-Type: multipart/mixed; boundary=y") + END,
        "no fields that have a name",
    ),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_a_form_is_told(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(said)) as caught:
        read(body)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_content_type_that_was_set_by_hand_is_told(kind: str) -> None:
    with pytest.raises(BadRequest, match=r"no boundary\. Do not set the header Content-Type"):
        read(WHOLE, kind)


def test_a_boundary_that_is_too_long_is_told() -> None:
    with pytest.raises(BadRequest, match="can't be read"):
        read(b"--" + b"x" * 300, f"multipart/form-data; boundary={'x' * 300}")


def test_names_are_told_shortened_and_fit_to_be_shown() -> None:
    parts = b"".join(part(f'form-data; name="{n}\x1b{"n" * 100}"', b"") for n in range(9))
    with pytest.raises(BadRequest) as caught:
        read(parts + END)
    said = str(caught.value)
    assert said.isprintable()
    assert "…, …" not in said
    assert ", …. With curl" in said
    assert len(said) < 500
