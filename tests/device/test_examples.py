"""The author's examples as they are deployed: the same pictures, with nothing told of them."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from tests.browser.drawn import EXIF_ORIENTATION, SIDEWAYS, scene
from tests.conftest import encode
from voilearn.device.examples import path_of, read_examples
from voilearn.image import decode_photo

SECRET = "taken at home"


def facts(orientation: int = 1) -> Any:
    exif = Image.Exif()
    exif[0x010E], exif[EXIF_ORIENTATION] = SECRET, orientation
    return exif.tobytes()


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 90).convert("RGB")


# Photos of each kind, and whether they are deployed as they are coded.
PHOTOS = {
    "a.jpg": (encode(scene(1), "JPEG", exif=facts()), True),
    "b.jpg": (encode(scene(2), "JPEG", exif=facts(SIDEWAYS)), False),
    "c.png": (encode(scene(3), "PNG", exif=facts()), False),
    "d.tif": (encode(scene(4), "TIFF"), False),
    "e.webp": (encode(scene(5), "WEBP", exif=facts(SIDEWAYS)), False),
    "f.gif": (encode(scene(6), "GIF"), False),
    "g.jpg": (encode(scene(7).convert("CMYK"), "JPEG"), True),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_is_the_same_picture_and_nothing_is_told_of_it(tmp_path: Path, name: str) -> None:
    data, as_coded = PHOTOS[name]
    (tmp_path / name).write_bytes(data)
    (example,) = read_examples(tmp_path, 224)
    assert example.name == name[0]
    assert decode_photo(example.photo).tobytes() == decode_photo(data).tobytes()
    assert SECRET.encode() not in example.photo + example.thumb
    assert path_of(example.photo).endswith(".jpg" if as_coded else ".webp")
    assert max(decode_photo(example.thumb).size) == 192
    assert set(example.files) == {example.to_dict()["thumb"], example.to_dict()["photo"]}


def test_a_large_photo_is_made_as_small_as_the_page_would_make_it(tmp_path: Path) -> None:
    large = noise((1000, 1500))
    (tmp_path / "large.png").write_bytes(encode(large, "PNG"))
    (example,) = read_examples(tmp_path, 100)
    found = decode_photo(example.photo)
    assert found.size == (334, 500)
    assert not ImageChops.difference(found, large.reduce(3)).getbbox()
    (whole,) = read_examples(tmp_path, None)  # for a model that takes photos as they are
    assert decode_photo(whole.photo).size == large.size


def test_a_large_jpeg_is_written_smaller_where_that_saves_something(tmp_path: Path) -> None:
    photo = encode(noise((2400, 1800)), "JPEG", quality=95)
    (tmp_path / "large.jpg").write_bytes(photo)
    (example,) = read_examples(tmp_path, 50)
    assert len(example.photo) < len(photo) / 2
    assert decode_photo(example.photo).size == (200, 150)


def test_what_is_no_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.jpg").write_bytes(PHOTOS["a.jpg"][0])
    assert [example.name for example in read_examples(tmp_path, 224)] == ["b"]
    assert read_examples(tmp_path / "none", 224) == []
