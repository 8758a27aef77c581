"""The author's example photos: which are shown, in what order, and what a bad one costs."""

from pathlib import Path

import pytest

from tests.conftest import draw, encode
from voilearn.errors import PhotoNotFound, PhotoTooLarge
from voilearn.image import decode_photo
from voilearn.limits import Limits
from voilearn.page.gallery import MOST, Gallery

PHOTO = encode(draw((900, 600)), "JPEG")


def lay_out(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(PHOTO)
    return folder


def names(folder: Path) -> list[str]:
    return [name for name, _ in Gallery(folder).thumbnails()]


def test_without_a_folder_there_is_none(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "examples")
    assert gallery.thumbnails() == []
    with pytest.raises(PhotoNotFound):
        gallery.photo(0)


def test_a_photo_is_shown_small_with_its_name(tmp_path: Path) -> None:
    ((name, picture),) = Gallery(lay_out(tmp_path, "brown-bear_in snow.JPG")).thumbnails()
    assert name == "brown bear in snow"
    assert decode_photo(picture).size == (192, 128)
    assert len(picture) < 20_000


def test_two_comes_before_ten(tmp_path: Path) -> None:
    assert names(lay_out(tmp_path, "10.jpg", "2.jpg", "a.jpg", "1.jpg")) == ["1", "2", "10", "a"]


def test_what_is_no_picture_of_the_folder_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    lay_out(folder, "bear.png", ".hidden.jpg", "notes.txt")
    (folder / "folder.jpg").mkdir()
    lay_out(tmp_path, "private.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "private.jpg")
    assert names(folder) == ["bear"]


def test_there_are_no_more_than_fit(tmp_path: Path) -> None:
    lay_out(tmp_path, *(f"{number}.jpg" for number in range(MOST + 5)))
    assert names(tmp_path) == [str(number) for number in range(MOST)]


def test_a_bad_one_is_left_out_and_its_author_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(tmp_path, "1.jpg", "3.jpg")
    (tmp_path / "2.jpg").write_bytes(PHOTO[:1000])
    gallery = Gallery(tmp_path)
    assert [name for name, _ in gallery.thumbnails()] == ["1", "3"]
    assert "2.jpg" in caplog.text and "damaged" in caplog.text
    assert gallery.photo(1) == (tmp_path / "3.jpg").read_bytes()


def test_a_photo_is_there_for_who_has_its_thumbnail_from_before(tmp_path: Path) -> None:
    gallery = Gallery(lay_out(tmp_path, "1.jpg"))
    assert gallery.photo(0) == PHOTO


@pytest.mark.parametrize("index", [-1, 1, 10**9])
def test_another_index_is_no_photo(tmp_path: Path, index: int) -> None:
    with pytest.raises(PhotoNotFound):
        Gallery(lay_out(tmp_path, "1.jpg")).photo(index)


def test_a_photo_that_went_meanwhile_is_told(tmp_path: Path) -> None:
    gallery = Gallery(lay_out(tmp_path, "1.jpg"))
    gallery.thumbnails()
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(PhotoNotFound, match="reload"):
        gallery.photo(0)


def test_a_photo_that_grew_meanwhile_is_refused(tmp_path: Path) -> None:
    gallery = Gallery(lay_out(tmp_path, "1.jpg"), Limits(bytes=len(PHOTO)))
    gallery.thumbnails()
    (tmp_path / "1.jpg").write_bytes(PHOTO + b"more")
    with pytest.raises(PhotoTooLarge):
        gallery.photo(0)
