"""What notebook/asker.js sends when, with a stub in place of the kernel; no server, no kernel.

In: a photo, and the stub's answers; out: the messages, in their order.
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.visitor import ANSWER_WITHIN
from voilearn.page.bundle import PAGE, one_script

STAND_UP = """async source => {
  const heard = {}
  window.sent = []
  window.told = []
  window.model = {
    get: () => ({}),
    on: (name, hear) => (heard[name] ??= []).push(hear),
    send: message => window.sent.push(message),
  }
  window.number = () => window.sent.findLast(message => 'number' in message).number
  window.say = message => heard['msg:custom'].forEach(hear => hear(message))
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})))
  window.asker = new module.KernelAsker(window.model)
  for (const kind of ['here', 'lost', 'back', 'changed'])
    window.asker.addEventListener(kind, () => window.told.push(kind))
  window.ask = size => {
    const giveUp = new AbortController()
    const blob = new Blob([new Uint8Array(size)])
    const answer = window.asker.ask({blob}, {signal: giveUp.signal})
    window.answer = answer.then(JSON.stringify, error => `${error.type ?? error.constructor.name}`)
    window.giveUp = () => giveUp.abort()
  }
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Have a KernelAsker alone, as `asker`."""
    page = browser.new_page()
    page.set_default_timeout(ANSWER_WITHIN)
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # what takes its time, does so when a test has it pass
    page.evaluate(STAND_UP, one_script((*PAGE, "notebook/asker.js")) + "\nexport { KernelAsker };")
    yield page
    page.close()


def wait_for(page: Page, *kinds: str) -> None:
    """Wait until exactly these were sent, but for the words that say the page is there."""
    page.wait_for_function(
        "JSON.stringify(sent.map(message => message.kind).filter(kind => kind !== 'here')) === "
        f"{json.dumps(json.dumps(kinds, separators=(',', ':')))}"
    )


def test_no_piece_is_sent_before_the_one_before_is_confirmed(page: Page) -> None:
    """JupyterLab sends the first messages and later ones by two ways, which may change places."""
    page.evaluate("ask(700_000)")
    for pieces in range(3):
        wait_for(page, "photo", *["piece"] * pieces)
        page.clock.run_for(2500)  # less than until the kernel counts as lost
        wait_for(page, "photo", *["piece"] * pieces)
        page.evaluate("say({kind: 'received', number: number()})")
    page.evaluate("say({kind: 'answer', number: number(), prediction: 'it'})")
    assert "it" in page.evaluate("answer")


def test_a_scaled_photo_is_one_message(page: Page) -> None:
    page.evaluate("ask(300_000)")
    wait_for(page, "photo")
    assert page.evaluate("sent.find(one => one.kind === 'photo').size") == 300_000


def test_an_answer_to_another_photo_is_not_taken_for_this_ones(page: Page) -> None:
    page.evaluate("ask(10)")
    wait_for(page, "photo")
    page.evaluate("say({kind: 'answer', number: number() + 1, prediction: 'other'})")
    page.evaluate("say({kind: 'received', number: number()})")
    page.evaluate("say({kind: 'answer', number: number(), prediction: 'this'})")
    assert "this" in page.evaluate("answer")


def test_a_photo_refused_at_once_is_not_sent_on(page: Page) -> None:
    page.evaluate("ask(700_000)")
    wait_for(page, "photo")
    page.evaluate("say({kind: 'error', number: number(), error: {type: 'PhotoTooLarge'}})")
    assert "PhotoTooLarge" in page.evaluate("answer")
    wait_for(page, "photo")


def test_a_photo_given_up_is_told_to_the_kernel(page: Page) -> None:
    page.evaluate("ask(700_000)")
    wait_for(page, "photo")
    page.evaluate("giveUp()")
    assert page.evaluate("answer") == "DOMException"
    wait_for(page, "photo", "cancel")


def test_silence_is_a_lost_kernel_within_five_seconds(page: Page) -> None:
    page.evaluate("say({kind: 'here'})")
    page.clock.run_for(2000)
    assert page.evaluate("told.at(-1)") == "here"
    page.clock.run_for(3000)
    assert page.evaluate("told.at(-1)") == "lost"
    page.evaluate("say({kind: 'here'})")
    assert page.evaluate("told.at(-1)") == "back"


def test_one_that_is_ended_says_no_more_and_nobody_waits_for_it(page: Page) -> None:
    """A notebook's cell that is run again leaves the page it drew before."""
    page.evaluate("ask(10)")
    wait_for(page, "photo")
    page.evaluate("asker.end()")
    assert page.evaluate("answer") == "Lost"
    said = page.evaluate("sent.length")
    page.clock.run_for(60_000)
    assert page.evaluate("sent.length") == said
