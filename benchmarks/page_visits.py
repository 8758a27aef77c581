"""Visit a page as a person with a photo does, and note when what happened.

In come a browser, an address and what a tool's page is known by; out go seconds since the page
was asked for. They are taken in the page itself, at every frame that it draws, in the same way
for every tool; all that goes on the page is told apart by `Known`.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.slow_line import Line

LONGEST = 120_000  # milliseconds for anything on a page
QUIET = 1.0  # seconds without any news, after which a page has settled
SCREEN = {"width": 1000, "height": 800}
TROUBLE = "lost|connection|disconnect|error|died|dead|restart|reload"
ORIENTATION, SIDEWAYS = 0x0112, 6  # EXIF: the camera was turned, as most phones' photos are

# Notes the milliseconds since the navigation began; and the longest of the page's tasks since a
# photo was chosen, of those that the browser calls long: of 50 ms or more. An input that a page
# keeps out of its document is met when it is clicked.
WATCH = """
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const laidOut = (it) => it instanceof Element && it.getClientRects().length > 0;
  const told = (element) => laidOut(element) && element.textContent.trim();
  const button = (name) => all("button").find((one) => one.textContent.trim() === name);
  const known = {
    usable: () => USABLE,
    answered: () => ANSWERED,
    press: () => PRESS,
  };
  const seen = (globalThis.seenByTheBenchmark = {});
  const note = (tasks) => {
    const ends = ({ startTime, duration }) => startTime + duration;
    const since = tasks.filter((task) => seen.chosen && ends(task) > seen.chosen);
    seen.blocked = Math.max(seen.blocked ?? 0, ...since.map((task) => task.duration));
  };
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  observer.observe({ type: "longtask" });
  globalThis.endOfTheBenchmark = () => (note(observer.takeRecords()), seen);
  const choose = ({ target }) => {
    if (target.type === "file") seen.chosen ??= performance.now();
  };
  document.addEventListener("change", choose, true);
  const click = HTMLInputElement.prototype.click;
  HTMLInputElement.prototype.click = function () {
    if (!this.isConnected) this.addEventListener("change", choose, true);
    return click.call(this);
  };
  let pressed = 0;
  const look = () => {
    const now = performance.now();
    if (!seen.usable && known.usable()) seen.usable = now;
    if (seen.chosen && !seen.answered) {
      const answer = known.answered();
      const one = !answer && now - pressed > PATIENCE && known.press();
      if (answer) [seen.answered, seen.answer] = [now, answer];
      if (laidOut(one) && !one.disabled && !one.inert) {
        pressed = now;
        one.click();
      }
    }
    if (!seen.answered) requestAnimationFrame(look);
  };
  look();
})();
"""
PATIENCE = 2000  # milliseconds until a button is pressed again
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"

# Notes the time when there is a word of trouble, or an alert, that was not there before.
WATCH_WORDS = """
(trouble) => {
  const told = (it) => it.getClientRects().length && it.textContent.trim();
  const count = () => [
    ...(document.body.innerText.match(new RegExp(trouble, "gi")) ?? []),
    ...[...document.querySelectorAll("[role=alert]")].filter(told),
  ].length;
  const before = new Set(document.body.innerText.split("\\n"));
  const [usual, look] = [count(), () => {
    if (count() <= usual) return void setTimeout(look, 50);
    const words = document.body.innerText.split("\\n").filter((line) => !before.has(line));
    globalThis.troubleSeen = [Date.now(), words.join(" ").trim()];
  }];
  globalThis.troubleSeen = null;
  look();
}
"""


@dataclass(frozen=True)
class Known:
    """What a tool's page is known by, each in the terms of `WATCH`.

    A photo can be chosen, there is an answer (its text), and the button to press for it, if any.
    `upload` is the file input, or a button that opens one that is not in the document.
    """

    usable: str
    answered: str
    upload: str
    press: str = "undefined"

    def script(self) -> str:
        """Return what is to run in the page before all else."""
        names = {"USABLE": self.usable, "ANSWERED": self.answered, "PRESS": self.press}
        script = WATCH.replace("PATIENCE", str(PATIENCE))
        for name, expression in names.items():
            script = script.replace(name, expression)
        return script

    def give(self, page: Page, photo: Path) -> None:
        """Choose a photo."""
        upload = page.locator(self.upload).first
        if upload.evaluate("element => element.type === 'file'"):
            upload.set_input_files(photo)
            return
        with page.expect_file_chooser() as chooser:
            upload.click()
        chooser.value.set_files(photo)


# A page of ours may answer by itself; one that has a button Classify is helped on, as a visitor
# would. Its input is in the first HTML, and counts when it or its label has a place on the screen.
OURS = Known(
    """all('.voilearn-upload input[type="file"]').some((it) => [it, ...it.labels].some(laidOut))""",
    "all('.voilearn-bar').some(laidOut) && "
    "all('.voilearn-status.voilearn-answer').map(told).find(Boolean)",
    '.voilearn-upload input[type="file"]',
    "!all('.voilearn-busy').some(laidOut) && button('Classify')",
)
GRADIO = Known(
    """all('input[type="file"]').length > 0""",
    """told(all('[data-testid="label-output-value"]')[0])""",
    'input[type="file"]',
)
# It does not say when it has the photo, and a press that comes too early is lost.
STOCK = Known(
    "all('.widget-upload').some(laidOut)",
    "all('.widget-label').map(told).find((text) => /^Prediction/.test(text))",
    ".widget-upload",
    "/[(]1[)]/.test(all('.widget-upload')[0].textContent) && button('Classify')",
)


@dataclass
class Visit:
    """One page that is open, and what was heard of it."""

    page: Page
    known: Known
    line: Line | None = None
    requests: list[str] = field(default_factory=list)
    heard: float = 0.0

    def listen(self) -> None:
        """Note every request, and every message of a websocket."""

        def asked(url: str) -> None:
            self.requests.append(url)
            self._news()

        self.page.on("request", lambda request: asked(request.url))
        self.page.on("requestfinished", self._news)
        self.page.on("websocket", lambda socket: asked(socket.url))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._news))

    def open(self, url: str) -> None:
        """Go there and wait until a photo can be chosen."""
        self.page.add_init_script(self.known.script())
        self.page.goto(url, wait_until="commit")
        self._wait("seenByTheBenchmark.usable")

    def settle(self) -> None:
        """Wait until there is no news any more."""
        while self._quiet_for() < QUIET:
            self.page.wait_for_timeout(100)

    def answer(self, photo: Path) -> None:
        """Choose a photo and wait for its answer."""
        self.known.give(self.page, photo)
        self._wait("seenByTheBenchmark.answered")

    def seen(self) -> dict[str, Any]:
        """Return what was noted, in seconds, and the answer."""
        found: dict[str, Any] = self.page.evaluate("endOfTheBenchmark()")
        found["painted"] = self.page.evaluate(PAINT)
        return {
            name: value / 1000 if isinstance(value, int | float) else value
            for name, value in found.items()
        }

    def watch_words(self) -> None:
        """Begin to look for words of trouble."""
        self.page.evaluate(WATCH_WORDS, TROUBLE)

    def trouble(self) -> tuple[float, str] | None:
        """Return when there were words of trouble, by the clock of time.time, and what they are."""
        found = self.page.evaluate("troubleSeen")
        return (found[0] / 1000, found[1]) if found else None

    def _news(self, *_: object) -> None:
        self.heard = time.monotonic()

    def _quiet_for(self) -> float:
        heard = time.monotonic() - self.heard
        return min(heard, self.line.idle()) if self.line else heard

    def _wait(self, expression: str) -> None:
        self.page.wait_for_function(f"() => {expression}", polling=20, timeout=LONGEST)


@contextlib.contextmanager
def visiting(browser: Browser, known: Known, url: str, line: Line | None = None) -> Iterator[Visit]:
    """Open a page that nobody has visited before; leave it as a visitor does."""
    context = browser.new_context(viewport=SCREEN, locale="en")  # type: ignore[arg-type]
    context.set_default_timeout(LONGEST)
    visit = Visit(context.new_page(), known, line)
    visit.listen()
    try:
        visit.open(line.url if line else url)
        yield visit
        visit.page.goto("about:blank")  # says goodbye, so that a kernel ends now
    finally:
        context.close()


def opened(
    browser: Browser, known: Known, url: str, photo: Path, line: Line | None = None
) -> dict[str, Any]:
    """Open a page and choose a photo as soon as it can be; return when what was there."""
    with visiting(browser, known, url, line) as visit:
        visit.answer(photo)
        seen = visit.seen()
    return {
        "painted": seen["painted"],
        "usable": seen["usable"],
        "opened": seen["answered"],
        "answer": seen["answer"],
    }


def settled(
    browser: Browser, known: Known, url: str, photo: Path, line: Line | None = None
) -> dict[str, Any]:
    """Open a page, wait until all of it is there, choose a photo; return what that took.

    Over a line, that is also its bytes: all of the page's, and those sent for the photo.
    """
    if line:
        line.reset()
    found: dict[str, Any] = {}
    with visiting(browser, known, url, line) as visit:
        visit.settle()
        found |= asked_for(visit.requests, urlsplit(line.url if line else url).netloc)
        if line:
            found["page bytes"] = line.up.bytes + line.down.bytes
            line.reset()
        visit.answer(photo)
        if line:
            found["photo bytes"] = line.up.bytes
        seen = visit.seen()
    found["chosen"] = seen["answered"] - seen["chosen"]
    return found | {"blocked": seen["blocked"], "answer": seen["answer"]}


def asked_for(urls: list[str], own: str) -> dict[str, int]:
    """Return how many requests there were, and how many of them to other hosts."""
    hosts = [urlsplit(url).netloc for url in urls if url.startswith(("http", "ws"))]
    return {"requests": len(hosts), "other hosts": sum(host != own for host in hosts)}


def draw(path: Path, size: tuple[int, int] = (4000, 3000), seed: int = 12) -> Path:
    """Write a picture made by code as a phone's camera would: as large, lying on its side.

    Blots of every size, as much of each as a natural photo has; always the same.
    """
    dice = np.random.default_rng(seed)
    light = np.full((size[1], size[0], 3), 128, np.float32)
    for cells, strength in ((6, 60), (24, 35), (96, 20), (384, 12)):
        blots = dice.normal(0, strength, (3, cells * 3 // 4, cells)).astype(np.float32)
        for channel, blot in enumerate(map(Image.fromarray, blots)):
            light[:, :, channel] += np.asarray(blot.resize(size, Image.Resampling.BICUBIC))
    light += dice.normal(0, 6, (size[1], size[0], 1)).astype(np.float32)  # a sensor's own noise
    exif = Image.Exif()
    exif[ORIENTATION] = SIDEWAYS
    picture = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
    picture.save(path, "JPEG", quality=90, exif=exif.tobytes())
    return path
