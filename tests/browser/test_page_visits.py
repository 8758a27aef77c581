"""What the benchmark of the page notes in a browser, on pages of a few lines.

In: pages served from a folder; out: when things happened on them.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks.page_visits import OURS, STOCK, opened, settled, visiting
from benchmarks.served import Host
from benchmarks.slow_line import Line, Speed
from tests.browser import drawn

PAGE = """<!doctype html><p>A page</p><script>
const add = (html) => document.body.insertAdjacentHTML("beforeend", html);
setTimeout(() => {SCRIPT}, 100);
</script>"""
UPLOAD = """add('<div class="voilearn-upload"><input type="file"></div>');
const input = document.querySelector("input");"""
ANSWER = (
    """add('<p class="voilearn-status voilearn-answer">teddy</p><p class="voilearn-bar">1</p>')"""
)
BY_ITSELF = UPLOAD + f"input.onchange = () => setTimeout(() => {{ {ANSWER} }}, 50);"
BY_BUTTON = (
    UPLOAD
    + "input.onchange = () => add('<button disabled>Classify</button>');"
    + "setInterval(() => { const one = document.querySelector('button'); if (one)"
    + f"{{ one.disabled = false; one.onclick ??= () => {{ {ANSWER} }} }} }}, 50);"
)
# as ipywidgets' FileUpload: its input is in no document, and a press that is too early is lost
DETACHED = """add('<button class="widget-upload">Upload (0)</button>');
add('<button id="go">Classify</button>');
add('<p class="widget-label"></p>');
const upload = document.querySelector(".widget-upload");
const input = Object.assign(document.createElement("input"), { type: "file" });
upload.onclick = () => input.click();
input.onchange = () => { upload.textContent = "Upload (1)" };
document.getElementById("go").onclick = () => {
  document.querySelector(".widget-label").textContent = "Prediction: teddy";
};"""
SENDING = "input.addEventListener('change', () => fetch('/?' + 'y'.repeat(5000)));"
LOST = "globalThis.lose = () => add('<p role=alert>Gone.</p>');" + UPLOAD

Serve = Callable[[str], Host]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    hosts: list[Host] = []

    def start(script: str) -> Host:
        (tmp_path / "index.html").write_text(PAGE.replace("SCRIPT", script))
        hosts.append(Host(tmp_path))
        return hosts[-1]

    yield start
    for host in hosts:
        host.cut()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(drawn.png(1))
    return path


@pytest.mark.parametrize("script", [BY_ITSELF, BY_BUTTON])
def test_a_visit_notes_when_what_was_there(
    script: str, browser: Browser, serve: Serve, photo: Path
) -> None:
    found = opened(browser, OURS, serve(script).url, photo)
    assert found.pop("answer") == "teddy"
    assert found["painted"] > 0
    assert 0.1 <= found["usable"] < found["opened"]


def test_a_photo_is_given_to_an_input_that_is_in_no_document(
    browser: Browser, serve: Serve, photo: Path
) -> None:
    found = settled(browser, STOCK, serve(DETACHED).url, photo)
    assert found["answer"] == "Prediction: teddy"
    assert found["chosen"] > 0
    assert (found["requests"], found["other hosts"]) == (1, 0)


def test_bytes_of_a_visit_are_counted_on_its_line(
    browser: Browser, serve: Serve, photo: Path
) -> None:
    host = serve(BY_ITSELF + SENDING)
    with Line(host.port, Speed(mbit=100, round_trip=0.01)) as line:
        found = settled(browser, OURS, host.url, photo, line)
    assert host.answers[0].size < found["page bytes"] < 5000
    assert 5000 < found["photo bytes"] < 10_000


def test_words_of_trouble_are_noticed(browser: Browser, serve: Serve) -> None:
    with visiting(browser, OURS, serve(LOST).url) as visit:
        visit.watch_words()
        assert visit.trouble() is None
        visit.page.evaluate("lose()")
        visit.page.wait_for_function("() => troubleSeen")
        assert (visit.trouble() or (0, ""))[1] == "Gone."
