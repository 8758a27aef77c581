"""Ask about the same photos by four ways, and tell how far the answers are from each other.

In come the checkout's export.pkl, the folder that `make web` built of it, and photos: twelve of 12
megapixels made by code, as many real ones enlarged to that, and the largest of the real ones; where
those are not on this machine, all are made by code. Out goes a table for people: of each way, the
largest and the median difference of a probability from what the command line answers with the same
export.pkl, the largest for each kind of photo. The service and the device have what it compiles to;
what that alone makes of it is in the row of the command line with export.onnx.

    python benchmarks/one_answer.py --page web/dist
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import resnet18, visitors  # noqa: E402
from benchmarks.browser import UPLOAD, chromium, spread  # noqa: E402
from benchmarks.page_visits import draw  # noqa: E402
from benchmarks.processes import given_path  # noqa: E402
from benchmarks.resnet18 import PHOTOS  # noqa: E402
from benchmarks.served import Host  # noqa: E402
from tests.browser.chromium import QUIET  # noqa: E402
from voilearn.limits import LIMITS  # noqa: E402

LONGEST = 300_000  # milliseconds for an answer
DRAWN = 12  # photos of 12 megapixels, of each kind
SIZE = (4000, 3000)
SIDES = (
    SIZE,
    (3024, 4032),
    (4097, 3071),
)  # the last is just more than is wanted of four pixels each
ALIKE = 0.005  # a difference of a probability that nobody sees
COMMAND_LINE = "command line, export.pkl"
DONE = """() => document.querySelector(".voilearn-status.voilearn-error")
  || document.querySelector(".voilearn-bar")"""
BARS = "bars => bars.map(({ dataset }) => [dataset.label, Number(dataset.probability)])"

Answer = dict[str, float]
Answers = Mapping[str, Answer | None]  # by the photo's path; None where there is no answer


@dataclass(frozen=True)
class Photos:
    """The photos to ask about, by what they are."""

    kinds: Mapping[str, Sequence[Path]]

    @property
    def all(self) -> list[Path]:
        """All of them."""
        return [photo for photos in self.kinds.values() for photo in photos]


@dataclass
class Apart:
    """How far one way's answers are from the command line's."""

    differences: dict[str, float] = field(default_factory=dict)
    unanswered: int = 0

    @classmethod
    def of(cls, answers: Answers, reference: Answers) -> "Apart":
        """Compare the answers to all photos that the command line answers."""
        found = cls()
        for name, expected in reference.items():
            answer = answers.get(name)
            if expected is None:
                continue
            if answer is None:
                found.unanswered += 1
                continue
            found.differences[name] = max(abs(answer[kind] - p) for kind, p in expected.items())
        return found

    def largest(self, photos: Sequence[Path]) -> str:
        """Return the largest difference of some of the photos in words, and which it is of."""
        told = {
            photo.name: self.differences[str(photo)]
            for photo in photos
            if str(photo) in self.differences
        }
        if not told:
            return ""
        worst = max(told, key=told.__getitem__)
        return f"{told[worst]:.4f} ({worst})"


def photos_in(folder: Path, count: int) -> Photos:
    """Return the photos to ask about, and write those made by code into the folder."""
    real = largest(PHOTOS) if PHOTOS.is_dir() else []
    bears = spread(PHOTOS, min(DRAWN, count)) if real else []
    drawn = [
        draw(folder / f"drawn-{number}.jpg", SIDES[number % len(SIDES)], seed=number)
        for number in range(min(DRAWN, count) if real else count)
    ]
    enlarged = [
        enlarge(photo, folder / f"enlarged-{number}.jpg") for number, photo in enumerate(bears)
    ]
    left = max(0, count - len(drawn) - len(enlarged))
    return Photos({"as they are": real[:left], "enlarged": enlarged, "drawn": drawn})


def largest(folder: Path) -> list[Path]:
    """Return the photos of a folder that are within our limits, the largest first."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError, Image.DecompressionBombError), Image.open(path) as found:
            if found.width * found.height <= LIMITS.pixels:
                sizes[path] = (found.width * found.height, path.stat().st_size)
    return sorted(sizes, key=sizes.__getitem__, reverse=True)


def enlarge(photo: Path, path: Path) -> Path:
    """Write a photo as a camera of 12 megapixels would have it, a sensor's noise included."""
    with Image.open(photo) as opened:
        large = opened.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(len(path.name)).normal(0, 4, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(large, np.float32) + noise.astype(np.float32), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(path, "JPEG", quality=90)
    return path


def by_command_line(model: Path, photos: Sequence[Path]) -> Answers:
    """Ask `voilearn classify` about all photos."""
    command = [sys.executable, "-W", "ignore", "-m", "voilearn", "classify", "--json"]
    done = subprocess.run(
        [*command, "--model", model, *photos], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    told = map(json.loads, done.stdout.splitlines())
    return {line["photo"]: line.get("probabilities") for line in told}


def by_page(browser: Browser, url: str, photos: Sequence[Path]) -> Answers:
    """Give a page of ours one photo after the other, as a visitor does."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, locale="en")
    context.set_default_timeout(LONGEST)
    page = context.new_page()
    try:
        page.goto(url, wait_until="domcontentloaded")
        page.locator(UPLOAD).wait_for(state="attached")
        return {str(photo): asked(page, photo) for photo in photos}
    finally:
        context.close()


def asked(page: Page, photo: Path) -> Answer | None:
    """Choose a photo; return what the bars say, or None where there are none but an error.

    What stood there of the photo before is gone as soon as this one is chosen.
    """
    page.set_input_files(UPLOAD, photo)
    page.wait_for_function(DONE)
    return dict(page.eval_on_selector_all(".voilearn-bar", BARS)) or None


def by_site(browser: Browser, site: visitors.Site, photos: Sequence[Path]) -> Answers:
    """Ask a page whose server is started for it."""
    with site.serving() as server:
        return by_page(browser, server.url + site.path, photos)


def by_device(browser: Browser, dist: Path, photos: Sequence[Path]) -> Answers:
    """Ask the page that answers in the browser."""
    host = Host(dist)
    try:
        return by_page(browser, host.url, photos)
    finally:
        host.cut()


def all_ways(folder: Path, dist: Path, photos: Sequence[Path]) -> dict[str, Answers]:
    """Ask by every way, the command line first."""
    onnx = resnet18.compiled(ROOT / "export.pkl", folder)
    notebook = visitors.our_page(ROOT, folder / "notebook", "export.pkl")
    found = {
        COMMAND_LINE: by_command_line(ROOT / "export.pkl", photos),
        "command line, export.onnx": by_command_line(onnx, photos),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=list(QUIET))
        found["page, notebook"] = by_site(browser, visitors.voila(notebook, "app.ipynb"), photos)
        found["page, service"] = by_site(
            browser, visitors.service(folder, folder / "service"), photos
        )
        found["page, device"] = by_device(browser, dist, photos)
        browser.close()
    return found


def table(found: Mapping[str, Answers], photos: Photos) -> Iterator[str]:
    """Return the lines of the table: each way beside the command line."""
    kinds = [f"largest: photos {kind}" for kind in photos.kinds]
    columns = ["photos", *kinds, "median", f"over {ALIKE}", "not answered"]
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for way, answers in found.items():
        if way == COMMAND_LINE:
            continue
        apart = Apart.of(answers, found[COMMAND_LINE])
        told = list(apart.differences.values())
        cells = [way, f"{len(told)}", *map(apart.largest, photos.kinds.values())]
        cells += [f"{statistics.median(told):.4f}" if told else ""]
        cells += [f"{sum(each > ALIKE for each in told)}", f"{apart.unanswered}"]
        yield f"| {' | '.join(cells)} |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=given_path, required=True, help="the folder of `make web`")
    parser.add_argument("--photos", type=int, default=100, help="to ask about")
    return parser.parse_args()


def main() -> None:
    """Choose the photos, ask, print."""
    chosen = options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        photos = photos_in(folder / "made", chosen.photos)
        found = all_ways(folder, chosen.page, photos.all)
    refused = sum(answer is None for answer in found[COMMAND_LINE].values())
    print(f"{len(photos.all)} photos, of which the command line refuses {refused}\n")
    print("\n".join(table(found, photos)))


if __name__ == "__main__":
    main()
