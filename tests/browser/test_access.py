"""The page for everyone: by keyboard, by ear, on any screen, in any direction.

In: a page whose model is a stub; out: what axe-core finds (nothing), and what it can't see.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FileChooser, Page, ViewportSize, expect

from tests.browser import stub
from tests.browser.visitor import ANSWER_WITHIN, Visitor, wait_in

Come = Callable[..., Visitor]
PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL: ViewportSize = {"width": 320, "height": 640}  # a desk's page at 400 %
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
TARGET = 44  # pixels

TARGETS = """() => [...document.querySelectorAll('button, .voilearn-choose, a')]
  .filter(e => e.checkVisibility() && !e.closest('dialog:not([open])'))
  .map(e => [e.className || e.textContent, e.offsetWidth, e.offsetHeight])"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


def states(visitor: Visitor) -> Any:
    """Bring the page into each of its states; yield their names."""
    yield "empty"
    photos = stub.photo(400, 300), stub.photo(stub.MANY, 300), stub.photo(stub.SLOW, 200)
    with stub.held(visitor.server.folder):
        visitor.choose(*photos[:2], b"no picture", photos[2])
        expect(visitor.page.locator(".voilearn-is-answer")).to_have_count(2, timeout=ANSWER_WITHIN)
        yield "answer"
        visitor.thumbnails.nth(1).click()
        yield "many"
        visitor.thumbnails.nth(2).click()
        expect(visitor.status).to_have_class(re.compile("voilearn-error"), timeout=ANSWER_WITHIN)
        yield "error"
        visitor.thumbnails.nth(3).click()
        yield "busy"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(come: Come, scheme: str) -> None:
    visitor = come(color_scheme=scheme)
    for _ in states(visitor):
        check(visitor.page)
    visitor.page.get_by_role("button", name="Take a photo", exact=True).click()
    check(visitor.page)


def test_there_is_one_heading_of_the_page_and_its_landmarks(come: Come) -> None:
    page = come().page
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.title()


def test_targets_are_large_enough_for_a_finger(come: Come) -> None:
    visitor = come(viewport=PHONE)
    for state in states(visitor):
        for name, width, height in visitor.page.evaluate(TARGETS):
            assert min(width, height) >= TARGET, f"{state}: {name} is {width} × {height}"


@pytest.mark.parametrize("size", [PHONE, SMALL], ids=["phone", "400 %"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_nothing_scrolls_sideways_in_either_direction(
    come: Come, size: ViewportSize, direction: str
) -> None:
    visitor = come(viewport=size, locale="de")
    visitor.page.evaluate("direction => { document.documentElement.dir = direction }", direction)
    for state in states(visitor):
        assert visitor.page.evaluate(OVERFLOW) == 0, state


def test_bars_grow_from_the_side_where_reading_begins(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    left = "e => e.getBoundingClientRect().left"
    label, percent = (
        visitor.bars.first.locator(f".voilearn-bar-{part}") for part in ("label", "percent")
    )
    assert label.evaluate(left) < percent.evaluate(left)
    visitor.page.evaluate("() => { document.documentElement.dir = 'rtl' }")
    assert label.evaluate(left) > percent.evaluate(left)


def test_long_words_do_not_break_the_page(come: Come) -> None:
    visitor = come(viewport=SMALL)
    for _ in states(visitor):
        visitor.page.evaluate(
            "() => document.querySelectorAll('button, h1, p, .voilearn-bar-label, label span')"
            ".forEach(e => e.children.length || (e.textContent = 'Donaudampfschifffahrts"
            "gesellschaftskapitänsmützenabzeichen'.repeat(2)))"
        )
        assert visitor.page.evaluate(OVERFLOW) == 0


def test_news_are_read_aloud(come: Come) -> None:
    visitor = come()
    expect(visitor.status).to_have_attribute("role", "status")
    expect(visitor.status).to_be_attached()  # before there is any: else the first is not read
    visitor.page.evaluate(
        "() => { window.read = []; const line = document.querySelector('.voilearn-status');"
        "new MutationObserver(() => read.push(line.textContent))"
        ".observe(line, {childList: true, characterData: true, subtree: true}) }"
    )
    visitor.ask(stub.photo(400, 300))
    read = visitor.page.evaluate("() => window.read")
    assert read[-1] == "A grizzly bear, 97 % sure"
    assert len(read) == len(set(read))  # nothing twice


def test_the_whole_way_goes_by_keyboard(come: Come) -> None:
    visitor = come()
    visitor.choose(stub.photo(400, 300), stub.photo(300, 400))
    expect(visitor.page.locator(".voilearn-is-answer")).to_have_count(2, timeout=ANSWER_WITHIN)
    expect(visitor.page.locator(".voilearn-gallery button")).to_have_count(2)  # they come last
    choosers: list[FileChooser] = []
    visitor.page.on("filechooser", lambda chooser: choosers.append(chooser))
    visitor.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0) }")
    reached = []
    for _ in range(30):
        visitor.page.keyboard.press("Tab")
        name = visitor.page.evaluate(
            "() => document.activeElement.type === 'file' ? 'file' : "
            "(document.activeElement.className || document.activeElement.tagName)"
        )
        if name == "BODY":
            break
        reached.append(name.split()[0])
        outline = "() => getComputedStyle(document.activeElement.closest('label') ?? "
        outline += "document.activeElement).outlineWidth"
        assert visitor.page.evaluate(outline) == "3px", name  # the focus is seen
    assert reached == [
        "file",
        "voilearn-camera",
        *["voilearn-thumb"] * 2,  # examples
        "voilearn-classify",
        "voilearn-copy",
        *["voilearn-thumb"] * 2,  # this visit
        "voilearn-json",
        "voilearn-csv",
    ]
    visitor.page.locator(".voilearn-upload input").focus()
    visitor.page.keyboard.press("Enter")
    wait_in(visitor.page, lambda: choosers)
    photo: Any = {"name": "a.png", "mimeType": "image/png", "buffer": stub.photo(300, 400)}
    choosers[0].set_files(photo)
    assert next(iter(visitor.answer())) == "black"


def test_a_touch_screen_is_told_nothing_of_dropping(come: Come) -> None:
    phone = come(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    expect(phone.page.locator(".voilearn-hint")).to_be_hidden()
    phone.ask(stub.photo(400, 300))
    expect(phone.page.locator(".voilearn-hint")).to_be_hidden()
    expect(come().page.locator(".voilearn-hint")).to_be_visible()


def test_nothing_moves_for_who_wants_it_so(come: Come) -> None:
    moving = "() => document.getAnimations().length + [...document.querySelectorAll('*')].filter("
    moving += "e => [null, '::before'].some(p => getComputedStyle(e, p).transitionDuration !== '0s'"
    moving += " || getComputedStyle(e, p).animationName !== 'none')).length"
    still, lively = come(reduced_motion="reduce"), come(reduced_motion="no-preference")
    for visitor in (still, lively):
        visitor.ask(stub.photo(400, 300))
    assert still.page.evaluate(moving) == 0
    assert lively.page.evaluate(moving) > 0
