"""What the device's page has of its author, and what becomes of photos when its model has trouble.

In: a page round a tiny model, with an app.toml and examples; out: what a visitor sees of them, also
without a network, and by keyboard or ear.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.device import (
    CORNERS,
    WITHIN,
    Device,
    Host,
    build,
    hosting,
    write_model,
    write_notebook,
)
from tests.browser.test_access import check
from tests.browser.test_web import MODEL, jpeg, red
from tests.conftest import encode

APP = """
title = "Corners"
introduction = '''
Which corner is the reddest?

Made for tests.'''
language = "fr"

[classes."top left"]
name = "Above, on the left"
description = "Where one begins to read."
colour = "#a8591f"
"""
# Asks the page's worker about three photos at once, of which the second is given up.
GIVEN_UP = """async (base) => {
  const own = document.querySelector('script[type=module]').src
  const worker = new Worker(new URL('worker.js', own), {type: 'module'})
  const {files, joined} = JSON.parse(document.querySelector('#model').textContent)
  const pixels = {data: new Uint8Array(12), width: 2, height: 2}
  worker.postMessage({kind: 'start', files, joined, base, reload: false})
  for (const number of [1, 2, 3]) worker.postMessage({kind: 'photo', number, pixels})
  worker.postMessage({kind: 'cancel', number: 2})
  const answered = []
  await new Promise((resolve, reject) => {
    worker.onmessage = ({data: {kind, number}}) => {
      if (['failed', 'lacking', 'unanswered'].includes(kind)) reject(new Error(kind))
      if (kind === 'answer') answered.push(number)
      if (number === 3) resolve()
    }
  })
  return answered
}"""

# In the place of each worker, one that downloads and is never done.
SLOW = """window.Worker = class {
  postMessage() {
    const data = {kind: 'downloading', loaded: 4e6, total: 1.6e7}
    setTimeout(() => this.onmessage({data}))
  }
  terminate() {}
}"""


@pytest.fixture(scope="module")
def authored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a page with an author's words and examples."""
    folder = tmp_path_factory.mktemp("authored")
    notebook = write_notebook(folder, "Not this")
    (folder / "app.toml").write_text(APP)
    (folder / "examples").mkdir()
    for at, corner in enumerate(CORNERS):
        kind = ("PNG", "JPEG", "TIFF", "WEBP")[at]
        name = f"{at}_{corner.replace(' ', '-')}.{kind.lower().replace('tiff', 'tif')}"
        (folder / "examples" / name).write_bytes(encode(red(corner), kind))
    return build(write_model(folder / "model"), folder / "dist", notebook)


@pytest.fixture
def host(authored: Path) -> Iterator[Host]:
    with hosting(authored) as running:
        yield running


def test_the_page_is_in_its_authors_words(device: Device) -> None:
    device.open_ready()
    expect(device.page.get_by_role("heading", level=1)).to_have_text("Corners")
    expect(device.page.locator("header")).to_have_attribute("lang", "fr")
    told = ["Which corner is the reddest?", "Made for tests."]
    expect(device.page.locator("header p")).to_have_text(told)
    device.ask(jpeg("top left"))
    expect(device.status).to_have_text("Above, on the left, over 99 % sure")
    described = device.page.locator(".voilearn-description")
    expect(described).to_have_text("Where one begins to read.")
    track = device.bars.first.locator(".voilearn-bar-track")
    colour = "bar => getComputedStyle(bar, '::before').backgroundColor"
    assert track.evaluate(colour) == "rgb(168, 89, 31)"


def test_each_example_is_answered_also_without_a_network(
    device: Device, context: BrowserContext
) -> None:
    device.open_kept()
    gallery = device.page.locator(".voilearn-gallery")
    expect(gallery.get_by_role("button")).to_have_count(len(CORNERS))
    context.set_offline(True)
    device.open_ready()
    expect(gallery.get_by_role("button")).to_have_count(len(CORNERS))
    for at, corner in enumerate(CORNERS):
        gallery.get_by_role("button").nth(at).click()
        assert next(iter(device.answer())) == corner
        size = device.preview.evaluate("img => [img.naturalWidth, img.naturalHeight]")
        assert size == [300, 200]  # the photo itself, no longer its thumbnail
    expect(device.thumbnails).to_have_count(len(CORNERS))
    assert device.foreign_requests() == []


def test_an_example_that_is_gone_is_told_and_the_next_one_answered(
    device: Device, host: Host
) -> None:
    page = (host.folder / "index.html").read_text("utf-8")
    told = json.loads(page.partition('id="model">')[2].partition("</script>")[0])
    host.faults[told["examples"][0]["photo"]] = lambda _: 404
    device.open_ready()
    gallery = device.page.locator(".voilearn-gallery").get_by_role("button")
    gallery.first.click()
    missing = "This example is missing on the server, which answers 404."
    expect(device.status).to_contain_text(missing)
    gallery.nth(1).click()
    assert next(iter(device.answer())) == "top right"
    host.faults.clear()
    device.thumbnails.first.click()
    device.page.get_by_role("button", name="Ask again").click()
    assert next(iter(device.answer())) == "top left"


def test_a_photo_can_be_asked_about_again(device: Device) -> None:
    first = device.open_ready().ask(jpeg("bottom left"))
    device.page.get_by_role("button", name="Ask again").click()
    expect(device.status).to_have_text("Bottom left, over 99 % sure")
    assert device.answer() == first


def test_a_worker_that_crashes_loses_no_photo(device: Device) -> None:
    device.open_ready().ask(jpeg("top right"))
    (worker,) = (each for each in device.page.workers if each.url.endswith("/worker.js"))
    worker.evaluate("() => void setTimeout(() => { throw new Error('crash') })")
    expect(device.banner).to_contain_text("A part of this page is missing or could not run.")
    expect(device.status).to_contain_text("Top right")
    device.again.click()
    assert next(iter(device.ask(jpeg("bottom right")))) == "bottom right"
    expect(device.thumbnails).to_have_count(2)


def test_a_photo_that_is_given_up_before_its_turn_is_not_looked_at(device: Device) -> None:
    device.open_ready()
    assert device.page.evaluate(GIVEN_UP, device.url) == [1, 3]


def test_without_the_part_that_reads_photos_the_page_says_so(device: Device, host: Host) -> None:
    host.faults["/photo_worker.js"] = lambda _: 404
    device.open_ready().choose(jpeg("top left"))
    expect(device.status).to_contain_text("A part of this page is missing or could not run.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_the_model_comes_or_when_it_does_not(
    host: Host, browser: Browser, scheme: str
) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    host.faults[MODEL] = lambda data: data[:-1]
    device = Device(context.new_page(), host.url).open()
    expect(device.again).to_be_visible(timeout=WITHIN)
    check(device.page)
    device = Device(context.new_page(), host.url)
    device.page.add_init_script(SLOW)
    device.open()
    expect(device.preparing).to_have_text("Downloading the model: 4.0 of 16.0 MB.")
    check(device.page)
    context.close()
