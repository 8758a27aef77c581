"""The answer is in sight when it comes, however its photo was given; and the file field is true.

In: the page of a notebook with twelve examples, on a wide window and on a phone's, in each engine;
out: where the answer stands, and what the field of files says that it holds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import drawn, stub, ways
from tests.browser.engines import Window
from tests.browser.ways import Place

GALLERY = ".voilearn-gallery button"
READY = f"() => document.querySelectorAll('{GALLERY}').length === 12"
TOLD = "() => Boolean(document.querySelector('.voilearn-answer, .voilearn-error'))"
IN_SIGHT = """() => {
  const {top, bottom} = document.querySelector('.voilearn-status').getBoundingClientRect()
  return top >= 0 && bottom <= innerHeight
}"""
HELD = """() => {
  const field = document.querySelector('.voilearn-upload input')
  return [field.labels[0].textContent, field.title, ...Array.from(field.files, file => file.name)]
}"""
DROP = """() => {
  const given = new DataTransfer()
  given.items.add(new File(['no picture'], 'dropped.jpg'))
  document.dispatchEvent(new DragEvent('drop', {dataTransfer: given, bubbles: true}))
}"""
PRESS = """(at) => {
  scrollTo(0, 0)
  document.querySelector(at).click()
}"""


@pytest.fixture(scope="module")
def crowded(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a page with as many examples as are shown."""
    scratch = tmp_path_factory.mktemp("crowded")
    folder = stub.lay_out(app, scratch / "app")
    for number in range(3, 13):
        (folder / "examples" / f"bear_{number}.png").write_bytes(drawn.png(number))
    with ways.running("voila", Place(folder, scratch)) as server:
        yield server.page


def test_the_answer_is_in_sight_and_the_field_true(
    window: Window, crowded: str, tmp_path: Path
) -> None:
    photo = tmp_path / "chosen.png"
    photo.write_bytes(stub.photo(900, 700))
    named = ["Choose a photo", "Choose a photo"]
    window.open(crowded)
    window.wait(READY)
    assert window.run(HELD) == named

    window.give(".voilearn-upload input", photo)
    _told(window)
    assert window.run(HELD) == [*named, "chosen.png"]

    window.run(PRESS, GALLERY)
    _told(window)
    assert window.run(HELD) == named  # the example is no file of the visitor's

    window.run(DROP)
    _told(window)
    assert window.run(HELD) == [*named, "dropped.jpg"]

    window.run(PRESS, ".voilearn-history button")
    _told(window)


def test_a_page_loaded_anew_takes_no_photo_of_before(
    window: Window, crowded: str, tmp_path: Path
) -> None:
    """Firefox would fill the field as it was."""
    photo = tmp_path / "chosen.png"
    photo.write_bytes(stub.photo())
    window.open(crowded)
    window.wait(READY)
    window.give(".voilearn-upload input", photo)
    _told(window)
    window.run("() => { window.before = true }")
    window.reload()
    window.wait("() => !window.before && document.querySelectorAll('.voilearn-gallery li').length")
    assert window.run(HELD) == ["Choose a photo", "Choose a photo"]
    assert window.text(".voilearn-status") == ""


def _told(window: Window) -> None:
    window.wait(TOLD)
    window.wait(IN_SIGHT)
