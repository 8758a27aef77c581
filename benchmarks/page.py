"""Measure the page beside Gradio and the book's notebook in Voilà, in one run: a visitor's seconds.

In come the checkout's export.pkl, the same for all, and a photo of 12 megapixels, drawn by code;
out go a table with medians, and whether ours is where it should be. The tools take turns, each
visit is that of a new browser profile, and the servers are warm: ours has a kernel ready, Gradio
has answered before. A request to another host is refused at once, in favour of who makes one.

    python benchmarks/page.py --peers .venv-peers/bin/python

"Usable" is when a photo can be chosen: for the others, when their scripts have made the input; for
ours, when it is laid out. Ours is in the first HTML, so a photo chosen that early has to wait for
the scripts, and "opened to answer", with the photo chosen at that moment, is the fairer figure.
Gradio answers without a click too (`live`), which is the fastest it has. The slow line is one of
our own (slow_line.py), the same for all tools, and there the bytes are counted.
"""

import argparse
import contextlib
import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import lost, page_visits, visitors  # noqa: E402
from benchmarks.browser import chromium  # noqa: E402
from benchmarks.lost import Noticed  # noqa: E402
from benchmarks.page_visits import Known, opened, settled  # noqa: E402
from benchmarks.processes import Server, given_path  # noqa: E402
from benchmarks.slow_line import Line, Speed  # noqa: E402
from tests.browser.chromium import QUIET  # noqa: E402

PEERS = ROOT / "benchmarks" / "peers"
SLOW = Speed(mbit=5, round_trip=0.1)
OURS, GRADIO, STOCK = "Voilearn", "Gradio", "the book's notebook"
NO_OTHER_HOSTS = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
LOST_IN_TIME = 5.0  # seconds


@dataclass(frozen=True)
class Row:
    """A row of the table: what was measured, and what ours is to reach.

    `limit` is the most in the row's own unit, `share` the most of what Gradio has.
    """

    title: str
    key: str
    limit: float | None = None
    share: float | None = None
    unit: float = 1.0
    digits: int = 2

    def target(self) -> str:
        """Return the target in words."""
        if self.limit is not None:
            return f"at most {self.limit:g}"
        if self.share is not None:
            return "under Gradio's" if self.share == 1 else f"under {self.share:g} of Gradio's"
        return ""

    def reached(self, ours: float, gradio: float | None) -> str:
        """Return yes, NO, or nothing where there is no telling."""
        if self.limit is not None:
            return yes(ours <= self.limit)
        if self.share is not None and gradio is not None:
            return yes(ours < self.share * gradio)
        return ""


ROWS = (
    Row("first contentful paint, s", "painted", limit=0.3),
    Row("page usable: a photo can be chosen, s", "usable", share=1),
    Row("page opened to answer, photo chosen as soon as it can be, s", "opened", share=1),
    Row("photo of 12 megapixels chosen to answer, s", "chosen", share=0.5),
    Row(f"{SLOW}: first contentful paint, s", "slow painted"),
    Row(f"{SLOW}: page usable, s", "slow usable", share=1),
    Row(f"{SLOW}: page opened to answer, s", "slow opened", share=1),
    Row(f"{SLOW}: photo chosen to answer, s", "slow chosen", share=0.5),
    Row("MB over the wire, cold", "slow page bytes", limit=0.6, unit=1e6),
    Row("requests, cold", "requests", limit=40, digits=0),
    Row("requests to other hosts", "other hosts", limit=0, digits=0),
    Row("MB sent for the photo", "slow photo bytes", limit=0.3, unit=1e6),
)


@dataclass
class Measured:
    """What was found of one tool: figures by their keys, its answers, and when it was lost."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    server_lost: Noticed | None = None
    kernel_lost: Noticed | None = None

    def add(self, found: Mapping[str, Any], prefix: str = "") -> None:
        """Take in what one visit found."""
        for key, value in found.items():
            if key == "answer":
                self.answers.add(" ".join(value.split()))
            elif value is not None:
                self.figures.setdefault(prefix + key, []).append(value)

    def median(self, row: Row) -> float | None:
        """Return the median of a row in its unit, None where nothing was measured."""
        values = self.figures.get(row.key)
        return statistics.median(values) / row.unit if values else None


def yes(reached: bool) -> str:
    """Return a verdict that can't be overlooked."""
    return "yes" if reached else "NO"


def table(found: Mapping[str, Measured]) -> Iterator[str]:
    """Return the lines of the table: one column a tool, then ours over Gradio's, and the target."""
    yield f"| | {' | '.join(found)} | ours over Gradio's | target | reached |"
    yield "|---" * (len(found) + 4) + "|"
    for row in ROWS:
        medians = {name: tool.median(row) for name, tool in found.items()}
        ours, gradio = medians[OURS], medians.get(GRADIO)
        cells = ["" if m is None else f"{m:.{row.digits}f}" for m in medians.values()]
        cells.append(f"{ours / gradio:.2f}" if ours is not None and gradio else "")
        cells += [row.target(), "" if ours is None else row.reached(ours, gradio)]
        yield f"| {row.title} | {' | '.join(cells)} |"
    for title, which in (("server", "server_lost"), ("kernel", "kernel_lost")):
        all_lost = [getattr(tool, which) for tool in found.values()]
        cells = [str(noticed or "") for noticed in all_lost]
        if ours_lost := getattr(found[OURS], which):
            cells += ["", f"at most {LOST_IN_TIME:g}", in_time(ours_lost)]
            yield f"| {title} killed: the page says so, unprompted | {' | '.join(cells)} |"


def in_time(noticed: Noticed) -> str:
    """Return whether a page said early enough that it is lost."""
    return yes(noticed.unprompted is not None and noticed.unprompted <= LOST_IN_TIME)


def notes(found: Mapping[str, Measured]) -> Iterator[str]:
    """Return what each tool answered, and what it said when it was lost."""
    for name, tool in found.items():
        yield f"- {name} answered: {'; '.join(sorted(tool.answers))}"
        for what, noticed in (("server", tool.server_lost), ("kernel", tool.kernel_lost)):
            if noticed and noticed.words:
                yield f"- {name}, its {what} killed: “{noticed.words}”"


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
    """Let the tools take turns, after one visit that warms ours and Gradio; then lose them."""
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
    """Kill the kernels behind our pages, then all servers: Gradio has no kernels."""
    pages = {
        name: lost.Tool(tool.server, tool.known, lost.PAGES if name == OURS else 1)
        for name, tool in tools.items()
    }
    ours = {OURS: pages[OURS]}  # that the book's page is silent shows when its server is killed
    for name, noticed in lost.kernels_lost(browser, ours, photo).items():
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
    gradio = [peers, PEERS / "gradio_page.py", ROOT / "export.pkl"]
    found: dict[str, Any] = {
        OURS: (visitors.voila(ours, "app.ipynb", visitors.arrive_ours), page_visits.OURS, rounds),
        GRADIO: (
            visitors.Site(lambda port: [*gradio, port], book, arrive=visitors.arrive_gradio),
            page_visits.GRADIO,
            rounds,
        ),
    }
    if stock:
        there = visitors.voila(book, "stock.ipynb", visitors.arrive_stock)
        found[STOCK] = (there, page_visits.STOCK, stock)
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
    print("\n".join([*table(found), "", *notes(found), "", told]))


if __name__ == "__main__":
    main()
