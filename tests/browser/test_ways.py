"""Every way of running gives the visitor fastai's own answer, and takes what is large.

In: one visitor on the page of each way; out: the answers on the page.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import drawn
from tests.browser.visitor import ANSWER_WITHIN, Visitor, message
from tests.browser.ways import Server

LARGE = 11_000_000  # bytes; tornado's own limit for a message is 10 MiB
AGREES = 1e-4
SCALED_AGREES = 0.05
ROUNDS = 2

Predict = Callable[[bytes], dict[str, float]]


@pytest.mark.model
def test_a_photo_gets_the_answer_of_learner_predict(
    visitor: Visitor, predict: Predict, screenshots: Path
) -> None:
    for number, photo in enumerate((drawn.png(1), drawn.sideways_jpeg(2))):
        found = visitor.ask(photo, "photo.png" if number == 0 else "photo.jpg")
        visitor.show(screenshots, f"{visitor.server.way}-answer-{number}")
        expected = predict(photo)
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=AGREES)


@pytest.mark.model
def test_a_real_photo_gets_the_answer_of_learner_predict(
    visitor: Visitor, predict: Predict, photos: Path
) -> None:
    photo = min((photos / "bears" / "grizzly").iterdir()).read_bytes()
    assert visitor.ask(photo, "photo.jpg") == pytest.approx(predict(photo), abs=AGREES)


@pytest.mark.model
def test_a_photo_over_ten_megabytes_works(visitor: Visitor, predict: Predict) -> None:
    photo = drawn.bmp_above(11)
    # of noise, which is all that a browser's scaling and a JPEG can change
    assert visitor.ask(photo, "photo.bmp") == pytest.approx(predict(photo), abs=SCALED_AGREES)


def test_a_bad_file_is_a_sentence_and_the_next_photo_just_works(visitor: Visitor) -> None:
    visitor.choose(b"This is a letter, not a picture.")
    expect(visitor.status).to_contain_text("not a picture", timeout=ANSWER_WITHIN)
    assert visitor.ask(drawn.png(3))


@pytest.mark.model
def test_two_visitors_at_once_do_not_mix(
    visitor: Visitor, server: Server, browser: Browser, predict: Predict
) -> None:
    """In JupyterLab two pages of one notebook are one person's: they share its kernel."""
    if server.way in ("lab", "notebook"):
        pytest.skip("one notebook of JupyterLab has one kernel, and one visitor")
    context = browser.new_context()
    other = Visitor(context.new_page(), server).arrive()
    for turn in range(ROUNDS):
        mine, theirs = drawn.png(100 + turn), drawn.png(200 + turn)
        visitor.upload(mine)
        other.upload(theirs)
        visitor.again_button.click()
        other.again_button.click()
        answers = other.answer(), visitor.answer()
        assert answers[0] == pytest.approx(predict(theirs), abs=AGREES)
        assert answers[1] == pytest.approx(predict(mine), abs=AGREES)
    context.close()


def test_a_message_over_ten_megabytes_reaches_the_kernel(visitor: Visitor) -> None:
    large = message("comm_open", comm_id="large", target_name="nobody", data={"filler": LARGE})
    # the kernel itself closes a comm to a target it does not know: so it read the whole message
    assert visitor.send([large], "comm_close")["end"] == "answered"


def test_the_page_asks_no_other_host_for_anything(visitor: Visitor) -> None:
    if visitor.server.way in ("lab", "notebook"):
        pytest.skip("JupyterLab's own pages are not ours")
    assert visitor.foreign_requests() == []
