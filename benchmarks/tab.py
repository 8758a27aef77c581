"""Measure what one photo of 12 megapixels takes on the page for devices: memory and time.

In comes the folder of a built page; out goes a table for people. Each photo is given to a tab that
has answered another one, in a Chromium of its own, in turn; figures are medians. The time is from
the choice of the file to the answer, on the page's own clock. The memory is the most that the tab's
process takes until two seconds after that, its share of what it has in common with others included
(PSS), and what it takes more than before the photo. A HEIC photo is written by pillow-heif of the
peers' environment; the first one downloads the decoder, too. A JPEG is given in turn to the page
that does the least, too: it decodes the photo and asks ONNX Runtime Web, with nothing around that.

    python benchmarks/tab.py --page web/dist --model export.pkl --peers .venv-peers/bin/python
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
from PIL import Image, ImageOps
from playwright.sync_api import Page, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.browser import UPLOAD, Site, browser, new_profile, visit  # noqa: E402
from benchmarks.browser import draw as draw_small  # noqa: E402
from benchmarks.page_visits import draw  # noqa: E402
from benchmarks.peer import make_least  # noqa: E402
from benchmarks.processes import given_path, memory, peak  # noqa: E402
from benchmarks.served import Host  # noqa: E402

TO_HEIC = """
import sys
from PIL import Image
from pillow_heif import register_heif_opener
register_heif_opener()
Image.open(sys.argv[1]).save(sys.argv[2], 'HEIF', quality=60)
"""

# Seconds from the choice of a file to its answer.
TOOK = """() => {
  for (const bar of document.querySelectorAll('li')) bar.dataset.old = 'yes'
  window.took = new Promise((resolve) => {
    let began
    const note = ({ target }) => { if (target.files?.length) began ??= performance.now() }
    document.addEventListener('change', note, true)
    const watch = (_, observer) => {
      if (!document.querySelector('li[data-probability]:not([data-old])')) return
      observer.disconnect()
      document.removeEventListener('change', note, true)
      resolve((performance.now() - began) / 1000)
    }
    new MutationObserver(watch).observe(document.body, { subtree: true, childList: true })
  })
}"""
LEAST = "12 MP, JPEG, decoded and asked of ONNX Runtime Web with nothing around it"
SETTLES = 2.0  # seconds, in which the browser still compiles what the photo needed


class Found(NamedTuple):
    """What one photo took: seconds, and bytes of memory at the most and more than before."""

    seconds: float
    most: int
    more: int


def photos(folder: Path, peers: Path | None) -> dict[str, Path]:
    """Write the photos to give, by what they are."""
    jpeg = draw(folder / "photo.jpg")
    found = {"12 MP, JPEG": jpeg}
    if peers:
        upright, heic = folder / "upright.png", folder / "photo.heic"
        ImageOps.exif_transpose(Image.open(jpeg)).save(upright)
        command = [str(each) for each in (peers, "-c", TO_HEIC, upright, heic)]
        subprocess.run(command, check=True)
        found["12 MP, HEIC, the first"] = found["12 MP, HEIC, the next"] = heic
    return found


def tab_of() -> psutil.Process:
    """Return the process of the one tab that is open: the largest renderer of the browser."""
    renderers = [
        process
        for process in psutil.Process().children(recursive=True)
        if "--type=renderer" in " ".join(process.cmdline())
    ]
    return max(renderers, key=lambda process: process.memory_info().rss)


def measure(playwright: Playwright, site: Site, small: Path, photo: Path, again: bool) -> Found:
    """Give a photo to a tab that has answered a small one, and with `again` this one, too."""
    with new_profile() as profile, browser(playwright, profile) as context:
        page, _ = visit(context, site, small)
        site.host.settle(1.0)
        if again:
            answered(page, site, photo)
        tab = tab_of()
        before = _pss(tab)
        with peak(lambda: _pss(tab), 0.02) as most:
            seconds = answered(page, site, photo)
            time.sleep(SETTLES)
        return Found(seconds, most[0], most[0] - before)


def answered(page: Page, site: Site, photo: Path) -> float:
    """Give a photo to a page; return the seconds until its answer is there."""
    page.evaluate(TOOK)
    page.set_input_files(site.upload, [])  # else the photo of the visit is no other one
    page.set_input_files(site.upload, photo)
    seconds: float = page.evaluate("took")
    return seconds


def _pss(process: psutil.Process) -> int:
    taken = memory(process)
    return taken.pss if taken else 0


def table(found: Mapping[str, list[Found]]) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| photo | seconds to the answer | MB at the most | more than before |"
    yield "|---|---|---|---|"
    for name, runs in found.items():
        seconds, most, more = (statistics.median(each) for each in zip(*runs, strict=True))
        yield f"| {name} | {seconds:.2f} | {most / 1e6:.0f} | {more / 1e6:.0f} |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=given_path, default=ROOT / "web" / "dist")
    parser.add_argument("--model", type=given_path, default=ROOT / "export.pkl")
    parser.add_argument("--peers", type=given_path, help="a Python that has pillow-heif")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    """Measure in turn, print."""
    chosen = options()
    ours = Site("ours", Host(chosen.page, None), UPLOAD, ".voilearn-answer")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        small, given = draw_small(folder / "small.jpg"), photos(folder, chosen.peers)
        make_least(chosen.model, folder / "least")
        least = Site("least", Host(folder / "least", None), "#photo", "#answer")
        turns = [(each, ours, photo) for each, photo in given.items()]
        turns.insert(1, (LEAST, least, next(iter(given.values()))))
        found: dict[str, list[Found]] = {each: [] for each, _, _ in turns}
        for _ in range(chosen.rounds):
            for each, site, photo in turns:
                found[each].append(measure(playwright, site, small, photo, "next" in each))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
