"""What the page says while the model looks at a photo, and once nobody answers any more.

In: the page with a slow stub in place of the model; out: its sentences.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import drawn, ways
from tests.browser.visitor import ANSWER_WITHIN, Visitor
from tests.browser.ways import Place, Server

LOOKS_FOR = 4  # seconds
SLOW_PAGE = f"""
import time
from voilearn.page import Page
from voilearn.prediction import ModelInfo, predict_from

def classify(photo):
    time.sleep({LOOKS_FOR})
    model = ModelInfo("stub", "0" * 64, "single-label", ("black", "grizzly", "teddy"))
    return predict_from([0.1, 0.2, 0.7], model)

page = Page(classify)
page.upload.heartbeat, page.upload.patience = 1, {2 * LOOKS_FOR}
page
"""


# Whether a bar is ever seen, at each frame the browser draws.
WATCH_FOR_BARS = """() => {
  window.barsSeen = false
  const look = () => {
    const bar = document.querySelector('.voilearn-bar')
    window.barsSeen ||= Boolean(bar && bar.offsetParent)
    requestAnimationFrame(look)
  }
  look()
}"""


@pytest.fixture(scope="module")
def slow(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the page with a stub that takes its time."""
    folder = tmp_path_factory.mktemp("slow")
    shutil.copytree(app / "voilearn", folder / "voilearn")
    shutil.copy2(app / "voila.json", folder)
    notebook = json.loads((app / "app.ipynb").read_text())
    heading, code = notebook["cells"][0], notebook["cells"][-1]
    notebook["cells"] = [heading, code | {"source": SLOW_PAGE}]
    (folder / "app.ipynb").write_text(json.dumps(notebook))
    with ways.running("voila", Place(folder, tmp_path_factory.mktemp("slow-server"))) as running:
        yield running


@pytest.fixture
def visitor(slow: Server, browser: Browser) -> Iterator[Visitor]:
    """Bring one visitor to that page."""
    context = browser.new_context()
    yield Visitor(context.new_page(), slow).arrive()
    context.close()


@pytest.mark.parametrize(("name", "width", "height"), [("wide", 1280, 900), ("phone", 390, 844)])
def test_the_page_is_busy_while_the_model_looks(
    visitor: Visitor, screenshots: Path, name: str, width: int, height: int
) -> None:
    visitor.page.set_viewport_size({"width": width, "height": height})
    visitor.upload(drawn.teddy(), "teddy.jpg")
    visitor.classify_button.click()
    expect(visitor.status).to_have_text("Looking at the photo…")
    expect(visitor.classify_button).to_be_disabled()
    visitor.show(screenshots, f"page-busy-{name}")
    assert visitor.answer()
    expect(visitor.classify_button).to_be_enabled()


def test_a_photo_chosen_while_the_model_looks_is_not_given_the_old_answer(
    visitor: Visitor,
) -> None:
    visitor.upload(drawn.png(1))
    visitor.classify_button.click()
    expect(visitor.status).to_have_text("Looking at the photo…")
    visitor.page.evaluate(WATCH_FOR_BARS)
    visitor.choose(drawn.png(2))
    expect(visitor.preview).to_be_visible(timeout=ANSWER_WITHIN)
    assert visitor.page.evaluate("() => window.barsSeen") is False
    expect(visitor.classify_button).to_be_enabled()


def test_a_visitor_whose_kernel_is_gone_is_told_in_words(
    visitor: Visitor, slow: Server, screenshots: Path
) -> None:
    told = visitor.page.get_by_role("alert")
    expect(told).to_have_count(0)
    for kernel in slow.kernels():
        kernel.kill()
    expect(told).to_have_text(
        "The connection to this page is lost. Please reload it.", timeout=60_000
    )
    visitor.show(screenshots, "page-lost-wide")
