"""The page's behaviour on its traits, without a browser; `classify` is a stub."""

from typing import Any

import pytest

from tests.conftest import draw, encode
from voilearn.errors import OUR_FAULT, UnusableModel
from voilearn.image import decode_photo
from voilearn.page import Page, percent, sentence_of
from voilearn.prediction import ModelInfo, Prediction, Task, predict_from

PHOTO = encode(draw((900, 600)), "JPEG")


def prediction(*numbers: float, task: Task = "single-label") -> Prediction:
    return predict_from(numbers, ModelInfo("export", "0" * 64, task, ("black", "grizzly", "teddy")))


def choose(page: Page, photo: bytes) -> None:
    content = {"kind": "chosen", "number": 1, "size": len(photo)}
    page.upload._handle_custom_msg(content, [])
    page.upload._handle_custom_msg({"kind": "piece", "number": 1}, [memoryview(photo)])


def told(page: Page) -> tuple[str, str]:
    return page.answer.kind, page.answer.sentence


def test_a_chosen_photo_is_shown_upright_and_can_be_classified() -> None:
    page = Page(lambda photo: prediction(0.1, 0.8, 0.1))
    assert page.button.disabled
    choose(page, PHOTO)
    assert decode_photo(page.upload.preview).size == (640, 427)
    assert not page.button.disabled
    assert told(page) == ("", "")


def test_the_answer_is_a_sentence_and_a_bar_for_every_class_sorted() -> None:
    seen: list[bytes] = []

    def classify(photo: bytes) -> Prediction:
        seen.append(photo)
        return prediction(0.0262, 0.9731, 0.0007)

    page = Page(classify)
    choose(page, PHOTO)
    page.button.click()
    assert seen == [PHOTO]
    assert told(page) == ("answer", "grizzly, 97 % sure")
    assert page.answer.bars == [
        ["grizzly", 0.9731, "97 %"],
        ["black", 0.0262, "3 %"],
        ["teddy", 0.0007, "under 1 %"],
    ]


def test_the_page_is_busy_while_the_model_looks() -> None:
    states: list[Any] = []

    def classify(photo: bytes) -> Prediction:
        states.append((page.button.disabled, *told(page)))
        return prediction(1, 0, 0)

    page = Page(classify)
    choose(page, PHOTO)
    page.button.click()
    assert states == [(True, "busy", "Looking at the photo…")]
    assert not page.button.disabled


def test_a_new_photo_clears_the_old_answer_at_once() -> None:
    page = Page(lambda photo: prediction(1, 0, 0))
    choose(page, PHOTO)
    page.button.click()
    page.upload._handle_custom_msg({"kind": "chosen", "number": 2, "size": 9}, [])
    assert told(page) == ("busy", "Sending the photo…")
    assert (page.answer.bars, page.upload.preview, page.button.disabled) == ([], b"", True)


def test_a_bad_file_is_a_sentence_and_the_next_photo_just_works() -> None:
    page = Page(lambda photo: prediction(1, 0, 0))
    choose(page, b"%PDF-1.7")
    assert page.answer.kind == "error"
    assert "not a picture" in page.answer.sentence
    assert page.button.disabled
    choose(page, PHOTO)
    page.button.click()
    assert page.answer.kind == "answer"


def test_an_error_of_the_model_is_its_sentence_and_the_photo_stays() -> None:
    def classify(photo: bytes) -> Prediction:
        raise UnusableModel("The model is gone.")

    page = Page(classify)
    choose(page, PHOTO)
    page.button.click()
    assert told(page) == ("error", "The model is gone.")
    assert page.upload.preview
    assert not page.button.disabled


def test_a_bug_is_logged_and_its_text_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def classify(photo: bytes) -> Prediction:
        raise ZeroDivisionError("a secret of ours")

    page = Page(classify)
    choose(page, PHOTO)
    page.button.click()
    assert told(page) == ("error", OUR_FAULT)
    assert "a secret of ours" in caplog.text


def test_two_pages_share_nothing() -> None:
    one, other = Page(lambda photo: prediction(1, 0, 0)), Page(lambda photo: prediction(0, 0, 1))
    choose(one, PHOTO)
    assert other.button.disabled
    assert not other.upload.preview


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.0, "under 1 %"), (0.0049, "under 1 %"), (0.006, "1 %"), (0.5, "50 %"), (0.994, "99 %")],
)
def test_percent_is_never_a_false_certainty(probability: float, words: str) -> None:
    assert percent(probability) == words
    assert percent(0.9999) == percent(1.0) == "over 99 %"


def test_a_weak_answer_says_perhaps() -> None:
    assert sentence_of(prediction(0.4, 0.35, 0.25)) == "perhaps black, but only 40 % sure"


def test_a_multi_label_answer_is_a_list_or_none() -> None:
    assert sentence_of(prediction(0.6, 0.9, 0.1, task="multi-label")) == "grizzly, black"
    nothing = sentence_of(prediction(0.1, 0.1, 0.1, task="multi-label"))
    assert nothing == "none of the 3 things this model knows"
