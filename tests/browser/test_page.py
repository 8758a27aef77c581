"""What a visitor meets on the page, in a real browser; the same in every way of running.

In: one visitor on `voila app.ipynb`; out: what stands on the page.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FileChooser, Page, ViewportSize, expect

from tests.browser import drawn
from tests.browser.visitor import ANSWER_WITHIN, Visitor, wait_in

Predict = Callable[[bytes], dict[str, float]]

NOT_A_PICTURE = b"This is a letter, not a picture."
PHONE: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1280, "height": 900}
AGREES = 1e-4
NO_ANSWER_OF_OLD = 0

# What the page says when the bars are first gone; a newer answer has bars again.
CLEARED = """() => {
  window.cleared = null
  const page = document.querySelector('.voilearn-page') ?? document.body
  new MutationObserver(() => {
    if (!document.querySelector('.voilearn-bar')) {
      window.cleared ??= document.querySelector('.voilearn-status').textContent
    }
  }).observe(page, {childList: true, characterData: true, subtree: true})
}"""


def test_before_any_photo_there_is_nothing_to_ask_again(guest: Visitor, screenshots: Path) -> None:
    expect(guest.again_button).to_be_hidden()
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        guest.page.set_viewport_size(size)
        guest.show(screenshots, f"page-before-{name}")


@pytest.mark.model
def test_real_photos_get_the_answer_of_learner_predict(
    guest: Visitor, predict: Predict, photos: Path
) -> None:
    for label in ("black", "grizzly", "teddy"):
        photo = min((photos / "bears" / label).iterdir()).read_bytes()
        assert guest.ask(photo, "photo.jpg") == pytest.approx(predict(photo), abs=AGREES)


def test_the_answer_is_a_sentence_and_a_bar_for_every_class(
    guest: Visitor, screenshots: Path
) -> None:
    found = guest.ask(drawn.teddy(), "teddy.jpg")
    assert next(iter(found)) == "teddy"
    expect(guest.status).to_have_text(re.compile(r"eddy.*, (over )?\d+ % sure|any of the things"))
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert sum(found.values()) == pytest.approx(1, abs=AGREES)
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        guest.page.set_viewport_size(size)
        guest.show(screenshots, f"page-answer-{name}")


def test_a_bad_file_gets_its_sentence_and_the_next_photo_just_works(
    guest: Visitor, screenshots: Path
) -> None:
    good = drawn.png(4)
    for bad in (NOT_A_PICTURE, b"", good[: len(good) // 2]):
        guest.choose(bad)
        error = guest.page.locator(".voilearn-status.voilearn-error")
        expect(error).to_have_text(re.compile(r"\w+ .*\."), timeout=ANSWER_WITHIN)
        expect(guest.again_button).to_be_hidden()
        expect(guest.bars).to_have_count(NO_ANSWER_OF_OLD)
        guest.show(screenshots, "page-error-wide")
    assert guest.ask(good)
    expect(guest.page.locator(".voilearn-error")).to_have_count(0)


def test_a_new_photo_clears_the_old_answer_at_once(guest: Visitor, screenshots: Path) -> None:
    guest.ask(drawn.png(5))
    guest.page.evaluate(CLEARED)
    guest.choose(drawn.bmp_above(12), name="photo.bmp")
    guest.page.wait_for_function("() => cleared !== null")
    assert "sure" not in guest.page.evaluate("() => cleared")
    guest.show(screenshots, "page-sending-phone")
    expect(guest.again_button).to_be_visible(timeout=ANSWER_WITHIN)


def test_nothing_scrolls_sideways_on_a_phone(guest: Visitor) -> None:
    guest.page.set_viewport_size(PHONE)
    guest.ask(drawn.png(6))
    assert _overflow(guest.page) == 0
    for element in (guest.preview, guest.again_button, guest.status, guest.bars.first):
        box = element.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


def test_the_keyboard_alone_is_enough(guest: Visitor) -> None:
    # listened for well ahead: the browser hands its dialog over only once it was asked to
    choosers: list[FileChooser] = []
    guest.page.on("filechooser", lambda chooser: choosers.append(chooser))
    guest.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0) }")
    _tab_to(guest.page, "e => e.type === 'file'")
    guest.page.keyboard.press("Enter")
    wait_in(guest.page, lambda: choosers)
    choosers[0].set_files({"name": "a.png", "mimeType": "image/png", "buffer": drawn.png(7)})
    expect(guest.preview).to_be_visible(timeout=ANSWER_WITHIN)
    expect(guest.again_button).to_be_visible(timeout=ANSWER_WITHIN)
    _tab_to(guest.page, "e => e.matches('.voilearn-classify')")
    guest.page.keyboard.press("Enter")
    assert guest.answer()


def test_a_screen_reader_finds_names_and_news(guest: Visitor) -> None:
    guest.ask(drawn.png(8))
    expect(guest.upload_field).to_have_accessible_name("Choose a photo")
    expect(guest.preview).to_have_attribute("alt", re.compile(r"\w"))
    expect(guest.status).to_have_attribute("role", "status")


def _overflow(page: Page) -> int:
    """Return how many pixels the page is wider than its window."""
    wider: int = page.evaluate(
        "() => Math.max(0, ...[document.documentElement, document.body, "
        "...document.querySelectorAll('body *')].filter(e => "
        "['auto', 'scroll', 'visible'].includes(getComputedStyle(e).overflowX) "
        "&& e.matches('html, body, #rendered_cells, .jp-Notebook, .jp-Cell, .voilearn-page'))"
        ".map(e => e.scrollWidth - e.clientWidth))"
    )
    return wider


def _tab_to(page: Page, wanted: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"() => document.activeElement && ({wanted})(document.activeElement)"):
            return
    raise AssertionError(f"the Tab key never reaches {wanted}")
