"""A JPEG keeps its pixels and loses all that is told of it."""

import io

import pytest
from PIL import Image

from tests.browser.drawn import EXIF_ORIENTATION, scene
from tests.conftest import encode
from voilearn.device.bare_jpeg import bare_jpeg

SECRET = b"taken at home"


def decoded(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.tobytes()


def told_of(**options: object) -> bytes:
    """A JPEG with all that a camera and an editor write of it."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()  # its description
    picture = scene(3)
    facts = {"exif": exif.tobytes(), "comment": SECRET, "icc_profile": SECRET, "xmp": SECRET}
    return encode(picture, "JPEG", **(facts | options))


CODED = {
    "baseline": told_of(),
    "progressive": told_of(progressive=True),
    "grey": encode(scene(3).convert("L"), "JPEG", comment=SECRET),
    "four colours": encode(scene(3).convert("CMYK"), "JPEG", comment=SECRET),
    "restarts": told_of(restart_marker_blocks=3),
    "all its colours": told_of(subsampling=0, quality=100),
}


@pytest.mark.parametrize("kind", CODED)
def test_its_pixels_stay_and_nothing_else_does(kind: str) -> None:
    bare = bare_jpeg(CODED[kind])
    assert SECRET in CODED[kind]
    assert SECRET not in bare
    assert b"Exif" not in bare
    assert decoded(bare) == decoded(CODED[kind])
    assert len(bare) < len(CODED[kind])


def test_what_stands_behind_its_end_is_left_out() -> None:
    film = CODED["baseline"] + b"\0\0\0\x18ftypmp42" + SECRET  # as some phones do
    assert bare_jpeg(film) == bare_jpeg(CODED["baseline"])


def test_padding_before_a_marker_is_passed_over() -> None:
    bare = bare_jpeg(CODED["baseline"])
    assert bare_jpeg(bare[:2] + b"\xff\xff" + bare[2:]) == bare


def test_a_preview_in_the_jfif_header_is_left_out() -> None:
    bare = bare_jpeg(CODED["baseline"])
    header = b"JFIF\0\1\1\0\0\1\0\1\1\1" + b"rgb"
    with_preview = b"\xff\xd8\xff\xe0" + (2 + len(header)).to_bytes(2) + header + bare[20:]
    assert header not in bare_jpeg(with_preview)
    assert decoded(bare_jpeg(with_preview)) == decoded(bare)


def test_an_orientation_is_lost_too() -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    lying = encode(scene(3), "JPEG", exif=exif.tobytes())
    with Image.open(io.BytesIO(bare_jpeg(lying))) as picture:
        assert EXIF_ORIENTATION not in picture.getexif()


def test_what_is_no_whole_jpeg_is_refused() -> None:
    whole = CODED["progressive"]
    for length in (*range(40), *range(40, len(whole) - 2, 997)):
        with pytest.raises(ValueError):  # whatever of it is missing
            bare_jpeg(whole[:length])
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10" + bytes(99)):
        with pytest.raises(ValueError):
            bare_jpeg(data)
