"""What is told of two models' agreement is what they answered."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import draw, encode
from voilearn.compiled.agreement import Example, agreement, answers, made_pictures, photos_in
from voilearn.errors import PhotoNotFound
from voilearn.prediction import ModelInfo, Prediction, predict_from

MODEL = ModelInfo("m", "0" * 64, "single-label", ("a", "b"))


def says(*firsts: float) -> list[Prediction]:
    return [predict_from((first, 1 - first), MODEL) for first in firsts]


def examples(*labels: str | None) -> list[Example]:
    return [Example(draw, label) for label in labels]


def test_the_largest_difference_and_the_labels_are_counted() -> None:
    found = agreement(says(0.9, 0.51, 0.2), says(0.88, 0.49, 0.2), examples(None, None, None))
    assert (found.pictures, found.labels, found.accuracy) == (3, 2, None)
    assert found.max_difference == pytest.approx(0.02)
    assert not found.made


def test_accuracy_is_of_the_photos_that_have_a_label() -> None:
    found = agreement(says(0.9, 0.9, 0.9), says(0.9, 0.1, 0.1), examples("a", "a", None))
    assert found.accuracy == (1.0, 0.5)


def test_each_picture_is_asked_about_and_it_is_said_how_far_this_is() -> None:
    said: list[str] = []
    found = answers(lambda picture: says(picture.width / 1000)[0], examples("a") * 250, said.append)
    assert [prediction.probabilities["a"] for prediction in found] == [0.12] * 250
    assert said == ["100 of 250 pictures", "200 of 250 pictures"]


def test_made_pictures_are_the_same_each_time_and_differ() -> None:
    first, second = ([np.asarray(e.picture()) for e in made_pictures()] for _ in range(2))
    assert all((one == other).all() for one, other in zip(first, second, strict=True))
    assert len({picture.tobytes() for picture in first}) == len(first)
    assert len({picture.shape for picture in first}) > 10
    assert all(example.made for example in made_pictures())


def test_photos_are_found_with_the_label_of_their_folder(tmp_path: Path) -> None:
    for name in ("a", "b", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.png").write_bytes(encode(draw(), "PNG"))
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "a" / "notes.txt").write_text("no photo")
    (tmp_path / "a" / "empty.jpg").write_bytes(b"")
    found = photos_in(tmp_path, ("a", "b"))
    assert [example.label for example in found] == ["a", "b", None]
    assert found[0].picture().size == draw().size


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhotoNotFound, match=r"There are no photos in .* best with a folder in it"):
        photos_in(tmp_path, ("a",))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("https://example.org/photos", "is a web address"),
        ("bears/*", "is a pattern that no file matches"),
        ("a" * 300, "is a name longer than a file's can be"),
    ],
)
def test_what_is_no_folder_is_named(name: str, told: str) -> None:
    with pytest.raises(PhotoNotFound, match=told):
        photos_in(Path(name), ("a",))
