"""How an answer reads, what a visitor takes away of it, and the author's own words.

In: a page whose model is a stub; out: sentences, bars, files.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import stub
from tests.browser.visitor import ANSWER_WITHIN, Visitor

Come = Callable[..., Visitor]

# The sentence, in each language, for a sure answer and one that is not.
SENTENCES = {
    "en-GB": ("A grizzly bear, 97 % sure", "Hard to say. Perhaps: Black, only about 41 % sure"),
    "de-AT": ("A grizzly bear, zu 97 % sicher", "nur zu etwa 41 % sicher"),
    "fr": ("A grizzly bear, sûr à 97 %", "sûr à 41 % environ seulement"),
    "es-MX": ("A grizzly bear, con un 97 % de seguridad", "con solo cerca de un 41 % de seguridad"),
    "zh-CN": ("A grizzly bear，把握 97%", "把握只有约 41%"),
    "fi": ("A grizzly bear, 97 % sure", "only about 41 % sure"),
}
CHOOSE = {
    "en-GB": "Choose a photo",
    "de-AT": "Foto auswählen",
    "fr": "Choisir une photo",
    "es-MX": "Elegir una foto",
    "zh-CN": "选择照片",
    "fi": "Choose a photo",
}


@pytest.mark.parametrize("locale", SENTENCES)
def test_an_answer_is_in_words_of_the_browsers_language(come: Come, locale: str) -> None:
    visitor = come(locale=locale)
    expect(visitor.upload_field).to_have_accessible_name(CHOOSE[locale])
    visitor.choose(stub.photo(400, 300), stub.photo(stub.UNSURE, 300))
    expect(visitor.status).to_have_text(SENTENCES[locale][0], timeout=ANSWER_WITHIN)
    visitor.thumbnails.last.click()
    expect(visitor.status).to_contain_text(SENTENCES[locale][1], timeout=ANSWER_WITHIN)
    language = "en" if locale == "fi" else locale.split("-")[0]
    expect(visitor.page.locator("html")).to_have_attribute("lang", language)


@pytest.mark.parametrize("locale", ["de", "fr", "es", "zh"])
def test_an_error_is_in_words_of_the_browsers_language(come: Come, locale: str) -> None:
    visitor = come(locale=locale)
    visitor.choose(b"no picture")
    expect(visitor.status).to_have_class(re.compile("voilearn-error"), timeout=ANSWER_WITHIN)
    expect(visitor.status).not_to_contain_text("picture")


def test_the_authors_words_and_colours_are_used(come: Come, screenshots: Path) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    visitor.show(screenshots, f"{visitor.server.way}-page-words")
    expect(visitor.page.locator(".voilearn-description")).to_have_text(
        "Brown, with a hump between its shoulders."
    )
    track = visitor.bars.first.locator(".voilearn-bar-track")
    colour = "bar => getComputedStyle(bar, '::before').backgroundColor"
    assert track.evaluate(colour) == "rgb(168, 89, 31)"
    expect(visitor.bars.nth(1)).to_contain_text("teddy")  # which the author says nothing of


def test_of_many_classes_the_first_five_are_shown_and_the_rest_on_request(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(stub.MANY, 300))
    shown = visitor.page.locator(".voilearn-bar:visible")
    expect(shown).to_have_count(5)
    visitor.page.get_by_role("button", name="Show all 40").click()
    expect(shown).to_have_count(40)
    expect(visitor.bars.nth(5)).to_be_focused()


def test_several_labels_are_a_list(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(stub.MULTI, 300))
    expect(visitor.status).to_have_text("A grizzly bear, Black")
    expect(visitor.page.locator(".voilearn-found")).to_have_count(2)


def test_a_bug_is_a_fixed_sentence(come: Come) -> None:
    visitor = come()
    visitor.choose(stub.photo(stub.BUG, 300))
    told = re.compile("went wrong on (our side|this page)")
    expect(visitor.status).to_have_text(told, timeout=ANSWER_WITHIN)
    assert "a secret of ours" not in visitor.page.content()
    assert visitor.ask(stub.photo())


def test_text_is_never_html(come: Come) -> None:
    visitor = come()
    visitor.choose(
        stub.photo(stub.TEXT, 300), stub.photo(), name="<img src=x onerror=alert(1)>.png"
    )
    expect(visitor.status).to_contain_text(stub.HOSTILE[1:20], timeout=ANSWER_WITHIN)
    expect(visitor.page.locator("main img[src=x]")).to_have_count(0)
    assert "broken in" not in visitor.page.title()


def test_photos_of_this_visit_are_a_click_away(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    expect(visitor.thumbnails.first).to_be_hidden()  # one photo is no history
    visitor.ask(stub.photo(300, 400))
    expect(visitor.thumbnails).to_have_count(2)
    expect(visitor.thumbnails.last).to_have_attribute("aria-current", "true")
    visitor.thumbnails.first.click()
    expect(visitor.status).to_have_text("A grizzly bear, 97 % sure")
    expect(visitor.thumbnails.first).to_have_attribute("aria-current", "true")
    stored = "async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length"
    stored += ", (await indexedDB.databases()).length]"
    assert visitor.page.evaluate(stored) == [0, 0, 0, 0]


def test_an_answer_can_be_copied(come: Come) -> None:
    visitor = come(permissions=["clipboard-read", "clipboard-write"])
    visitor.ask(stub.photo(400, 300))
    copy = visitor.page.get_by_role("button", name="Copy answer")
    copy.click()
    expect(visitor.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = visitor.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.splitlines() == [
        "photo.png: A grizzly bear, 97 % sure",
        "grizzly: 97 %",
        "teddy: 3 %",
        "black: under 1 %",
    ]
    expect(copy).to_be_visible()


def test_an_answer_can_be_copied_without_a_clipboard(come: Come) -> None:
    """As on plain http, where there is none."""
    visitor = come(permissions=["clipboard-read"])
    visitor.ask(stub.photo(400, 300))
    visitor.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    visitor.page.get_by_role("button", name="Copy answer").click()
    expect(visitor.page.get_by_role("button", name="Copied")).to_be_visible()
    assert "97 % sure" in visitor.page.evaluate("() => navigator.clipboard.readText()")


def download(visitor: Visitor, name: str) -> str:
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_role("button", name=name).click()
    return saved.value.path().read_text("utf-8-sig")


def test_several_answers_can_be_downloaded(come: Come) -> None:
    visitor = come()
    visitor.choose(
        stub.photo(400, 300), stub.photo(300, 400), b"no picture", name="=1+1; a bear.png"
    )
    expect(visitor.page.locator(".voilearn-is-answer")).to_have_count(2, timeout=ANSWER_WITHIN)
    expect(visitor.page.locator(".voilearn-is-error")).to_have_count(1, timeout=ANSWER_WITHIN)
    told = json.loads(download(visitor, "Download JSON"))
    assert [one["photo"] for one in told] == ["=1+1; a bear.png"] * 3
    assert [one.get("label") for one in told] == ["grizzly", "black", None]
    assert told[0]["probabilities"]["grizzly"] == pytest.approx(0.9731)
    assert told[0]["model"]["sha256"] == "0" * 64
    assert told[2]["error"]["type"] == "UnsupportedPhoto"
    text = download(visitor, "Download CSV")
    assert text.count('"\'=1+1; a bear.png",') == 3  # no formula, and no end of a cell
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["label"] for row in table] == ["grizzly", "black", ""]
    assert float(table[0]["grizzly"]) == pytest.approx(0.9731)
    assert "not a picture" in table[2]["error"]


def test_the_authors_examples_are_a_gallery(come: Come, screenshots: Path) -> None:
    visitor = come()
    gallery = visitor.page.locator(".voilearn-gallery")
    expect(gallery.get_by_role("button")).to_have_count(2)
    expect(gallery.get_by_role("img").first).to_have_attribute("alt", "bear 1")
    visitor.show(screenshots, f"{visitor.server.way}-page-examples")
    gallery.get_by_role("button").last.click()
    assert next(iter(visitor.answer())) == "grizzly"
    wide = "img => img.naturalWidth"
    assert visitor.preview.evaluate(wide) == 400  # the photo itself, no longer its thumbnail
    visitor.again_button.click()
    assert visitor.answer()
