"""Measure the page that answers on the visitor's device, beside transformers.js, in one run.

In come the folder of our built page and the export.pkl it was made from; out goes a table for
people. Both pages get the same network, the same photo and the same server, in turn; every figure
is the median of fresh browser profiles. Of Chromium, and, where it is on this machine, of Firefox.

    python benchmarks/browser.py --page web/dist --model export.pkl
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Error, Page, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.peer import RUNTIMES, TRANSFORMERS, make_peer  # noqa: E402
from benchmarks.processes import given_path  # noqa: E402
from benchmarks.resnet18 import PHOTOS  # noqa: E402
from benchmarks.served import Answer, Host, split  # noqa: E402
from tests.browser import engines  # noqa: E402
from tests.browser.chromium import BROWSERS, QUIET  # noqa: E402

LONGEST = 120  # seconds for an answer
UPLOAD = '.voilearn-upload input[type="file"]'
STAY = 3.0  # seconds a visitor stays after the server was last asked for something

# Notes the milliseconds since the navigation began when there is first an answer's text.
WATCH = """
new MutationObserver((_, observer) => {
  if (document.querySelector(ANSWER)?.textContent.trim()) {
    document.documentElement.dataset.answeredAfter = performance.now();
    observer.disconnect();
  }
}).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
"""
# The milliseconds since the navigation began when there was first something to see.
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass
class Site:
    """A page to measure: where it is served, its file field and its answer, and what was found."""

    name: str
    host: Host
    upload: str
    answer: str
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    cut: list[float | None] = field(default_factory=list)
    painted: list[float | None] = field(default_factory=list)  # then
    first: list[list[Answer]] = field(default_factory=list)
    whole: list[list[Answer]] = field(default_factory=list)
    firefox_cold: list[float] = field(default_factory=list)
    firefox_warm: list[float] = field(default_factory=list)


@dataclass
class Agreement:
    """How far a page's probabilities are from Python's."""

    photos: int = 0
    labels: int = 0
    largest: float = 0.0

    def add(self, page: dict[str, float], python: dict[str, float]) -> None:
        """Compare one photo."""
        self.photos += 1
        self.labels += max(page, key=page.__getitem__) == max(python, key=python.__getitem__)
        apart = (abs(page[name] - probability) for name, probability in python.items())
        self.largest = max(self.largest, *apart)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.largest:.4f}; {self.labels} of {self.photos} labels equal"


def chromium(playwright: Playwright) -> str:
    """Return the path of the machine's Chromium, or of playwright's own."""
    found = (shutil.which(name) for name in BROWSERS)
    return next((path for path in found if path), playwright.chromium.executable_path)


def new_profile() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for a browser's profile; the browser may write in it to its last moment."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


@contextmanager
def browser(playwright: Playwright, profile: str) -> Iterator[BrowserContext]:
    """Start a browser process on a profile."""
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium(playwright), args=list(QUIET)
    )
    context.set_default_timeout(LONGEST * 1000)
    yield context
    context.close()


def visit(context: BrowserContext, site: Site, photo: Path) -> tuple[Page, float]:
    """Open the page, hand over the photo at once, return the seconds to the answer's text.

    At once is when the page's script has run: before, a page can't know of a photo.
    """
    page = context.new_page()
    page.add_init_script(WATCH.replace("ANSWER", json.dumps(site.answer)))
    page.goto(site.host.url, wait_until="domcontentloaded")
    page.set_input_files(site.upload, photo)
    root = page.wait_for_selector("html[data-answered-after]")
    assert root is not None
    return page, float(root.get_attribute("data-answered-after") or "nan") / 1000


def measure(playwright: Playwright, site: Site, photo: Path) -> None:
    """Visit a page three times on one new profile: cold, warm, and with the network cut."""
    host = site.host
    with new_profile() as profile:
        host.answers.clear()
        with browser(playwright, profile) as context:
            site.cold.append(visit(context, site, photo)[1])
            site.first.append(list(host.answers))
            stay(host)
        site.whole.append(list(host.answers))
        with browser(playwright, profile) as context:
            site.warm.append(visit(context, site, photo)[1])
            stay(host)
        host.cut()
        try:
            with browser(playwright, profile) as context:
                context.set_default_timeout(15000)
                page, answered = visit(context, site, photo)
                painted = page.evaluate(PAINTED) / 1000
        except Error:
            painted = answered = None
        finally:
            host.back()
        site.cut.append(answered)
        site.painted.append(painted)


def measure_firefox(site: Site, photo: Path) -> None:
    """Visit a page twice in a Firefox of its own: cold and warm."""
    with engines.firefox() as engine, engine.window() as window:
        for found in (site.firefox_cold, site.firefox_warm):
            window.open(site.host.url)
            window.run(f"() => {{ {WATCH.replace('ANSWER', json.dumps(site.answer))} }}")
            window.give(site.upload, photo)
            answered = window.wait("() => document.documentElement.dataset.answeredAfter")
            found.append(float(answered) / 1000)
            stay(site.host)
            window.open("about:blank")


def stay(host: Host) -> None:
    """Stay on the page as a visitor does, so that it can put by what it puts by."""
    time.sleep(STAY)
    host.settle(STAY)


def agree(
    playwright: Playwright, site: Site, photos: Sequence[Path], python: dict[Path, dict[str, float]]
) -> Agreement:
    """Hand a page every photo, and compare its probabilities with Python's."""
    found = Agreement()
    with new_profile() as profile, browser(playwright, profile) as context:
        page, _ = visit(context, site, photos[0])
        for photo in photos:
            found.add(classify(page, site.upload, photo), python[photo])
    return found


def classify(page: Page, upload: str, photo: Path) -> dict[str, float]:
    """Hand a page that is warm a photo; return the probability of every class."""
    page.evaluate("document.querySelectorAll('li').forEach((bar) => (bar.dataset.old = 'yes'))")
    page.set_input_files(upload, [])  # else the photo of the visit is no other one
    page.set_input_files(upload, photo)
    page.wait_for_selector("li[data-probability]:not([data-old])", state="attached")
    told = page.eval_on_selector_all(
        "li[data-probability]", "bars => bars.map(({ dataset }) => ({ ...dataset }))"
    )
    return {bar["label"]: float(bar["probability"]) for bar in told}


def spread(folder: Path, count: int) -> list[Path]:
    """Return so many photos, spread evenly over the classes and, in each, over the sources."""
    classes = [sorted(path.iterdir()) for path in sorted((folder / "bears").iterdir())]
    turns = [take_turns(by_source(photos)) for photos in classes]
    return take_turns(turns)[:count]


def by_source(photos: Iterable[Path]) -> list[list[Path]]:
    """Return the photos of each source together; the source is the name up to its number."""
    sources: dict[str, list[Path]] = {}
    for photo in photos:
        sources.setdefault(photo.stem.rpartition("__")[0], []).append(photo)
    return list(sources.values())


def take_turns(rows: Sequence[Sequence[Path]]) -> list[Path]:
    """Return the first of each row, then the second of each that has one, and so on."""
    longest = max(map(len, rows), default=0)
    return [row[i] for i in range(longest) for row in rows if i < len(row)]


def draw(path: Path) -> Path:
    """Write a picture made by code, of the size of a photo from the web."""
    noise = [Image.effect_noise((400, 300), 40 + 30 * i) for i in range(3)]
    Image.merge("RGB", noise).save(path, quality=85)
    return path


def megabytes(answers: Iterable[Answer]) -> str:
    """Return the bytes in words: all of them, and of each part."""
    parts = split(answers)
    each = " + ".join(f"{size / 1e6:.2f}" for size in parts.values())
    return f"{sum(parts.values()) / 1e6:.2f} = {each}"


def seconds(found: Sequence[float]) -> str:
    """Return the median in words, with the lowest and the highest."""
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def cut_off(found: Sequence[float | None], there: str) -> str:
    """Return in words how often something was there without a network, and how soon."""
    came = [value for value in found if value is not None]
    if not came:
        return f"no {there}"
    return f"{len(came)} of {len(found)}: {seconds(came)}"


def middle(runs: Sequence[list[Answer]]) -> list[Answer]:
    """Return the run with the median of bytes."""
    return sorted(runs, key=lambda run: sum(answer.size for answer in run))[len(runs) // 2]


ROWS: dict[str, Callable[[Site], str]] = {
    "MB over the wire to the first answer, cold = page and script + runtime + model": (
        lambda site: megabytes(middle(site.first))
    ),
    "MB over the wire at the first visit in all": lambda site: megabytes(middle(site.whole)),
    "seconds from opening to the first answer, cold": lambda site: seconds(site.cold),
    "seconds from opening to the first answer, second visit": lambda site: seconds(site.warm),
    "seconds to the first paint, with the network cut": (
        lambda site: cut_off(site.painted, "page")
    ),
    "seconds to the first answer, with the network cut": lambda site: cut_off(site.cut, "answer"),
}
OF_FIREFOX: dict[str, Callable[[Site], str]] = {
    "seconds to the first answer in Firefox, cold": lambda site: seconds(site.firefox_cold),
    "second visit": lambda site: seconds(site.firefox_warm),
}


def table(sites: Sequence[Site], agreements: Sequence[str]) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| | " + " | ".join(site.name for site in sites) + " |"
    yield "|---" * (len(sites) + 1) + "|"
    of_firefox = OF_FIREFOX if all(site.firefox_cold for site in sites) else {}
    for name, cell in (ROWS | of_firefox).items():
        yield f"| {name} | " + " | ".join(cell(site) for site in sites) + " |"
    yield "| largest difference of a probability from Python's | " + " | ".join(agreements) + " |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=given_path, help="the folder of our built page")
    parser.add_argument("--model", type=given_path, default=ROOT / "export.pkl")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photos", type=int, default=100, help="for the agreement; 0 for none")
    parser.add_argument("--mbit", type=float, help="let the network have so many Mbit/s")
    return parser.parse_args()


def python_answers(model: Path, photos: Iterable[Path]) -> dict[Path, dict[str, float]]:
    """Return what learn.predict says of every photo."""
    from voilearn.learner.load import load_classify

    ask = load_classify(model)
    return {photo: dict(ask(photo.read_bytes()).probabilities) for photo in photos}


def main() -> None:
    """Make the peers, measure in turn, print."""
    chosen = options()
    photos = spread(PHOTOS, chosen.photos) if (PHOTOS / "bears").is_dir() else []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        sites = (
            [Site("ours", Host(chosen.page, chosen.mbit), UPLOAD, ".voilearn-answer")]
            if chosen.page
            else []
        )
        for runtime in RUNTIMES:
            make_peer(chosen.model, folder / runtime, runtime)
            title = f"transformers.js {TRANSFORMERS.rpartition('@')[2]}, {runtime} runtime"
            sites.append(Site(title, Host(folder / runtime, chosen.mbit), "#photo", "#answer"))
        agreements = ["not measured"] * len(sites)
        if photos:
            python = python_answers(chosen.model, photos)
            agreements = [str(agree(playwright, site, photos, python)) for site in sites]
        photo = photos[0] if photos else draw(folder / "photo.jpg")
        for _ in range(chosen.rounds):
            for site in sites:
                measure(playwright, site, photo)
                if not engines.lacking("firefox"):
                    measure_firefox(site, photo)
    wire = f"{chosen.mbit:g} Mbit/s" if chosen.mbit else "this machine's own, with no delay"
    print(f"{chosen.model.name}: {chosen.model.stat().st_size / 1e6:.1f} MB; ", end="")
    print(f"{chosen.rounds} rounds; network: {wire}\n")
    print("\n".join(table(sites, agreements)))
    if chosen.photos and not photos:
        print(
            "\nAgreement is measured on real photos, and VOILEARN_PHOTOS names no folder of them."
        )


if __name__ == "__main__":
    main()
