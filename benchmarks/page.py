"""Measure our page, from a notebook and from the service, beside Gradio and the book's notebook.

In come the checkout's export.pkl, the same for all, and a photo of 12 megapixels, drawn by code;
out go a table of a visitor's seconds, with medians, and which targets are reached (page_table.py).
All is one run: the tools take turns, each visit is that of a new browser profile, and the servers
are warm: the notebook's has a kernel ready, the others have answered before. The service has what
`voilearn compile` makes of the export.pkl. A request to another host is refused at once, in favour
of who makes one.

    python benchmarks/page.py --peers .venv-peers/bin/python

"Usable" is when a photo can be chosen: for the others, when their scripts have made the input; for
ours, when it is laid out. Ours is in the first HTML, so a photo chosen that early has to wait for
the scripts, and "opened to answer", with the photo chosen at that moment, is the fairer figure.
Gradio answers without a click too (`live`), which is the fastest it has. How long a page's thread
is blocked is its longest task since the photo was chosen, of those that Chromium calls long.
The slow line is one of our own (slow_line.py), the same for all tools, and there the bytes are
counted.
"""

import argparse
import contextlib
import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import lost, page_visits, resnet18, visitors  # noqa: E402
from benchmarks.browser import chromium  # noqa: E402
from benchmarks.page_table import (  # noqa: E402
    GRADIO,
    NOTEBOOK,
    OURS,
    SERVICE,
    SLOW,
    STOCK,
    Measured,
    notes,
    table,
    verdicts,
)
from benchmarks.page_visits import Known, opened, settled  # noqa: E402
from benchmarks.processes import Server, given_path  # noqa: E402
from benchmarks.slow_line import Line  # noqa: E402
from tests.browser.chromium import QUIET  # noqa: E402

NO_OTHER_HOSTS = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


@dataclass(frozen=True)
class Tool:
    """A tool to measure: its running server, a slow line to it, and what its pages are known by."""

    server: Server
    line: Line
    known: Known
    rounds: int

    def visit(self, browser: Browser, photo: Path, found: Measured, slow: bool) -> None:
        """Come twice: with a photo at once, and with one when all of the page is there."""
        for way in (opened, settled):
            self.server.settle(0.5)  # no tool pays for what another is doing
            if slow:
                found.add(way(browser, self.known, self.server.url, photo, self.line), "slow ")
            else:
                found.add(way(browser, self.known, self.server.url, photo))


@contextlib.contextmanager
def serving(sites: Mapping[str, tuple[visitors.Site, Known, int]]) -> Iterator[dict[str, Tool]]:
    """Run all the servers, each with a slow line to it."""
    with contextlib.ExitStack() as stack:
        tools = {}
        for name, (site, known, rounds) in sites.items():
            server = stack.enter_context(site.serving())
            line = stack.enter_context(Line(server.port, SLOW))
            tools[name] = Tool(server, line, known, rounds)
        yield tools


def measure(
    browser: Browser, tools: Mapping[str, Tool], photo: Path, rounds: int, slow: int
) -> dict[str, Measured]:
    """Let the tools take turns, after one visit that warms all but the book's; then lose them."""
    found = {name: Measured() for name in tools}
    for name in tools.keys() - {STOCK}:
        tools[name].visit(browser, photo, Measured(), slow=False)
    for turn in range(rounds):
        for name, tool in tools.items():
            if turn < tool.rounds:
                tool.visit(browser, photo, found[name], slow=False)
    for turn in range(slow):
        for name, tool in tools.items():
            if turn < tool.rounds:
                tool.visit(browser, photo, found[name], slow=True)
    lose(browser, tools, photo, found)
    return found


def lose(
    browser: Browser, tools: Mapping[str, Tool], photo: Path, found: Mapping[str, Measured]
) -> None:
    """Kill the kernels behind our notebook's pages, then all servers: the others have no kernels.

    That the book's page is silent shows when its server is killed.
    """
    pages = {
        name: lost.Tool(tool.server, tool.known, lost.PAGES if name in OURS else 1)
        for name, tool in tools.items()
    }
    notebook = {NOTEBOOK: pages[NOTEBOOK]}
    for name, noticed in lost.kernels_lost(browser, notebook, photo).items():
        found[name].kernel_lost = noticed
    for name, noticed in lost.servers_lost(browser, pages, photo).items():
        found[name].server_lost = noticed


def versions(peers: Path, browser: Browser) -> str:
    """Return the versions of what was measured."""
    told = [f"{name} {importlib.metadata.version(name)}" for name in ("voila", "fastai", "torch")]
    ask = "import importlib.metadata as m; print(m.version('gradio'))"
    done = subprocess.run([peers, "-c", ask], capture_output=True, text=True)
    return ", ".join([f"Chromium {browser.version}", *told, f"gradio {done.stdout.strip()}"])


def sites(folder: Path, peers: Path, rounds: int, stock: int) -> dict[str, Any]:
    """Return the pages to visit, and in how many rounds; each has the checkout's export.pkl."""
    ours = visitors.our_page(ROOT, folder / "ours", "export.pkl")
    book = visitors.stock_page(ROOT, folder / "stock")
    resnet18.compiled(ROOT / "export.pkl", folder)
    found: dict[str, Any] = {
        NOTEBOOK: (visitors.voila(ours, "app.ipynb"), page_visits.OURS, rounds),
        SERVICE: (visitors.service(folder, folder / "served"), page_visits.OURS, rounds),
        GRADIO: (
            visitors.gradio(peers, "gradio_page.py", ROOT / "export.pkl", book),
            page_visits.GRADIO,
            rounds,
        ),
    }
    if stock:
        found[STOCK] = (visitors.voila(book, "stock.ipynb"), page_visits.STOCK, stock)
    return found


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=given_path, help="the Python that the other tools are in")
    parser.add_argument("--repeats", type=int, default=5, help="visits of each kind")
    parser.add_argument("--slow", type=int, default=2, help="visits of each over the slow line")
    parser.add_argument("--stock", type=int, default=1, help="the same of the book's notebook")
    parser.add_argument("--no-stock", action="store_const", const=0, dest="stock")
    return parser.parse_args()


def launch(playwright: Playwright) -> Browser:
    """Start the browser, which asks nobody but this machine."""
    arguments = [*QUIET, NO_OTHER_HOSTS]
    return playwright.chromium.launch(executable_path=chromium(playwright), args=arguments)


def main() -> None:
    """Start the servers, let the tools take turns, print."""
    chosen = options()
    peers = chosen.peers or Path(sys.executable)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        photo = page_visits.draw(folder / "photo.jpg")
        megabytes = photo.stat().st_size / 1e6
        browser = launch(playwright)
        with serving(sites(folder, peers, chosen.repeats, chosen.stock)) as tools:
            found = measure(browser, tools, photo, chosen.repeats, chosen.slow)
        told = versions(peers, browser)
        browser.close()
    counts = f"{chosen.repeats} visits of each kind, {chosen.slow} over the slow line"
    print(f"Medians of {counts}; of {STOCK}, {chosen.stock}. The photo has {megabytes:.1f} MB.\n")
    print("\n".join([*table(found), "", *verdicts(found), "", *notes(found), "", told]))


if __name__ == "__main__":
    main()
