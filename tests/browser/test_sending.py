"""What upload.js sends when, with a stub in place of the kernel's model; no server, no kernel.

In: a file chosen in the browser, and the stub's answers; out: the messages, in their order.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

UPLOAD = Path(__file__).parents[2] / "voilearn" / "upload.js"
PATIENCE = 0.5  # seconds

STAND_UP = """async ([source, state]) => {
  const heard = {}
  window.sent = []
  const model = {
    get: name => state[name],
    on: (name, hear) => (heard[name] ??= new Set()).add(hear),
    off: (name, hear) => heard[name]?.delete(hear),
    send: message => message.kind !== 'here' && window.sent.push(message),
  }
  window.say = message => [...heard['msg:custom']].forEach(hear => hear(message))
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})))
  const widget = module.default()
  widget.initialize({model})
  widget.render({model, el: document.body.appendChild(document.createElement('div'))})
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Show the upload widget alone."""
    page = browser.new_page()
    state = {"label": "Choose", "max_bytes": 10**7, "heartbeat": 60, "patience": PATIENCE}
    page.evaluate(STAND_UP, [UPLOAD.read_text(), state])
    yield page
    page.close()


def choose(page: Page, size: int) -> None:
    page.locator("input").set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": bytes(size)}
    )


def wait_for(page: Page, *kinds: str) -> list[int]:
    """Wait until exactly these were sent; return whose they are, counted from 1."""
    page.wait_for_function(
        f"JSON.stringify(window.sent.map(message => message.kind)) === "
        f"JSON.stringify({json.dumps(kinds)})",
        timeout=5000,
    )
    numbers = [message["number"] for message in page.evaluate("window.sent")]
    return [sorted(set(numbers)).index(number) + 1 for number in numbers]


def test_no_piece_is_sent_before_the_kernel_has_put_the_old_photo_away(page: Page) -> None:
    """JupyterLab sends the first messages and later ones by two ways, which may change places."""
    choose(page, 2_500_000)
    page.wait_for_timeout(300)
    wait_for(page, "chosen")
    page.evaluate("say({kind: 'cleared', number: sent[0].number})")
    for pieces in (1, 2, 3):
        wait_for(page, "chosen", *["piece"] * pieces)
        page.wait_for_timeout(100)
        wait_for(page, "chosen", *["piece"] * pieces)
        page.evaluate("say({kind: 'received'})")
    page.wait_for_timeout(100)
    wait_for(page, "chosen", "piece", "piece", "piece")


def test_a_newer_choice_is_announced_after_the_older_one(page: Page) -> None:
    choose(page, 10)
    choose(page, 20)
    page.wait_for_timeout(200)
    wait_for(page, "chosen")
    page.evaluate("say({kind: 'cleared', number: sent[0].number})")
    assert wait_for(page, "chosen", "chosen") == [1, 2]
    page.evaluate("say({kind: 'cleared', number: sent[1].number})")
    assert wait_for(page, "chosen", "chosen", "piece") == [1, 2, 2]


def test_an_answer_that_was_lost_does_not_hold_up_the_next_photo(page: Page) -> None:
    choose(page, 10)
    wait_for(page, "chosen")
    choose(page, 20)
    page.wait_for_timeout(1000 * PATIENCE)
    assert wait_for(page, "chosen", "chosen") == [1, 2]
    page.evaluate("say({kind: 'cleared', number: sent[1].number})")
    assert wait_for(page, "chosen", "chosen", "piece") == [1, 2, 2]
