"""What stands before a model: decoding, and a limit for long thin strips."""

import threading
import time

import pytest
from PIL import Image

from tests.conftest import encode
from voilearn.classifier import LONGEST, Classifier, stage, stopwatch
from voilearn.errors import PhotoTooLarge
from voilearn.prediction import ModelInfo, Prediction

INFO = ModelInfo("m", "0" * 64, "single-label", ("a",))


def seen(size: tuple[int, int], resized_to: int | None) -> tuple[int, int]:
    """The size of the picture that a model gets of a PNG."""
    sizes = []

    def predict(picture: Image.Image) -> Prediction:
        sizes.append(picture.size)
        return Prediction("a", {"a": 1.0}, ("a",), INFO)

    Classifier(predict, resized_to, INFO, "none")(encode(Image.new("L", size), "PNG"))
    return sizes[0]


@pytest.mark.parametrize(
    ("size", "given"),
    [
        ((LONGEST, 2), (LONGEST, 2)),
        ((3000, 2000), (3000, 2000)),
        ((14_000, 1200), (7000, 600)),
        ((15_000, 1500), (5000, 500)),
        ((1500, 15_000), (500, 5000)),
    ],
)
def test_only_what_is_too_long_is_reduced(size: tuple[int, int], given: tuple[int, int]) -> None:
    assert seen(size, 224) == given


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (LONGEST + 1, 447), (15_000, 1000)])
def test_a_strip_that_would_be_padded_to_gigabytes_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PhotoTooLarge, match=f"up to {LONGEST:,}"):
        seen(size, 224)


def test_a_model_that_does_not_resize_gets_photos_as_they_are() -> None:
    assert seen((20_000, 1), None) == (20_000, 1)


def test_decoding_and_predicting_are_timed_each() -> None:
    with stopwatch() as seconds:
        seen((40, 30), 224)
    assert list(seconds) == ["decode", "predict"]


def test_each_stage_is_timed_and_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 5.0, 7.0, 8.0, 8.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with stopwatch() as seconds:
        for _ in range(2):
            with stage("a"):
                pass
        with stage("b"):
            pass
    assert seconds == {"a": 3.0, "b": 0.5}


def test_a_stage_that_fails_is_timed_too() -> None:
    with stopwatch() as seconds, pytest.raises(ValueError, match="x"), stage("a"):
        raise ValueError("x")
    assert "a" in seconds


def test_where_nobody_asks_nothing_is_kept() -> None:
    with stage("a"):
        pass
    with stopwatch() as seconds:
        pass
    with stage("b"):
        pass
    assert seconds == {}


def test_threads_do_not_hear_of_each_other() -> None:
    found: dict[str, dict[str, float]] = {}

    def work(name: str) -> None:
        with stopwatch() as seconds, stage(name):
            time.sleep(0.01)
        found[name] = seconds

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: list(seconds) for name, seconds in found.items()} == {n: [n] for n in "abcd"}
