"""What must hold in every engine: a photo gets its answer, on a wide window and on a phone's.

In: the pages of a notebook and a service whose model is a stub, and the page for devices round a
tiny model; out: what a visitor reads there, in Chromium, in Firefox and in WebKit.
"""

from pathlib import Path

from tests.browser.drawn import scene
from tests.browser.engines import Window
from tests.conftest import encode

ANSWERED = """() => {
  const status = document.querySelector('.voilearn-answer, .voilearn-error')
  return status?.getClientRects().length ? status.textContent : ''
}"""
LISTENS = """() => {
  const said = document.querySelector('.voilearn-status')?.textContent
  return said !== undefined && !said.startsWith('Opening')
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"


def ask(window: Window, photo: Path) -> str:
    """Give a photo to an open page; return the sentence that comes."""
    window.wait(LISTENS)
    window.give("input[type=file]", photo)
    return str(window.wait(ANSWERED))


def is_answer(sentence: str) -> bool:
    """Whether a sentence is an answer: what code draws is of no class, or is taken for one."""
    return "sure" in sentence or sentence == "This doesn't look like any of the things I know"


def test_a_photo_is_answered(window: Window, page: str, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(scene(1), "JPEG"))
    window.open(page)
    assert is_answer(ask(window, photo))
    assert window.run("() => document.querySelectorAll('.voilearn-bar').length") > 2
    assert not window.run(TOO_WIDE)
