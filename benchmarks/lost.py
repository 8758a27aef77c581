"""Measure how soon a page says that it is lost: its server was killed, or the kernel behind it.

In come running servers; out go the seconds until there are words of trouble on the page, though
nobody touched it, and for a page that says nothing, until it does once a photo is chosen. All
pages wait at the same time; the servers are gone afterwards.
"""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Error

from benchmarks.page_visits import Known, Visit, visiting
from benchmarks.processes import Server, command

KERNEL = re.compile(r"/api/kernels/([0-9a-f-]{36})/")
LOST_WITHIN = 15  # seconds that nobody touches the page
CLICKED_WITHIN = 5
CONNECTS_WITHIN = 60  # seconds in which a page has found its kernel
PAGES = 3  # of ours, opened one after the other: they ask their kernel at different moments


@dataclass(frozen=True)
class Noticed:
    """After how many seconds a page said so, unprompted and after the next photo, and its words."""

    unprompted: float | None
    clicked: float | None = None
    words: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        if self.unprompted is not None:
            return f"{self.unprompted:.1f} s"
        if self.clicked is not None:
            return f"not in {LOST_WITHIN} s; with the next photo, after {self.clicked:.1f} s"
        return f"not in {LOST_WITHIN} s, nor {CLICKED_WITHIN} s after the next photo"


@dataclass(frozen=True)
class Tool:
    """A server, what its pages are known by, and how many of them to open."""

    server: Server
    known: Known
    pages: int = 1


def kernels_of(visit: Visit) -> set[str]:
    """Return the ids of the kernels that a page has talked to."""
    return {found[1] for url in visit.requests if (found := KERNEL.search(url))}


def kernels_behind(server: Server, visit: Visit) -> list[psutil.Process]:
    """Return the kernels behind a page, which on a busy machine finds its own late."""
    until = time.monotonic() + CONNECTS_WITHIN
    while time.monotonic() < until:
        ids = kernels_of(visit)
        behind = [it for it in server.kernels() if any(id in " ".join(command(it)) for id in ids)]
        if behind:
            return behind
        visit.page.wait_for_timeout(200)
    raise RuntimeError(f"No kernel is behind the page at {visit.page.url}.")


def kill_server(server: Server) -> None:
    """Kill a server, and then what it started."""
    family = server.family()
    server.process.kill()
    for left in family:
        with contextlib.suppress(psutil.Error):
            left.kill()


def kernels_lost(browser: Browser, tools: Mapping[str, Tool], photo: Path) -> dict[str, Noticed]:
    """Kill the kernels behind open pages; return when each tool's pages said so."""
    with pages(browser, tools) as visits:
        behind = [
            process
            for name, tool in tools.items()
            for visit in visits[name]
            for process in kernels_behind(tool.server, visit)
        ]
        killed = time.time()
        for process in behind:  # as a machine without memory does
            process.kill()
        return noticed(visits, killed, photo)


def servers_lost(browser: Browser, tools: Mapping[str, Tool], photo: Path) -> dict[str, Noticed]:
    """Kill the servers of open pages; return when each tool's pages said so."""
    with pages(browser, tools) as visits:
        killed = time.time()
        for tool in tools.values():
            kill_server(tool.server)
        return noticed(visits, killed, photo)


@contextlib.contextmanager
def pages(browser: Browser, tools: Mapping[str, Tool]) -> Iterator[dict[str, list[Visit]]]:
    """Open each tool's pages, and look for words of trouble on them."""
    with contextlib.ExitStack() as stack:
        visits: dict[str, list[Visit]] = {name: [] for name in tools}
        for name, tool in tools.items():
            for _ in range(tool.pages):
                tool.server.settle(0.5)
                visit = stack.enter_context(visiting(browser, tool.known, tool.server.url))
                visit.settle()
                visits[name].append(visit)
        for each in visits.values():
            for visit in each:
                visit.watch_words()
        yield visits


def noticed(visits: Mapping[str, list[Visit]], killed: float, photo: Path) -> dict[str, Noticed]:
    """Wait, then choose a photo where nothing was said; return the slowest page of each tool."""
    everyone = [visit for each in visits.values() for visit in each]
    wait_for_words(everyone, killed + LOST_WITHIN)
    silent = [visit for visit in everyone if not visit.trouble()]
    chosen = {visit.page: given(visit, photo) for visit in silent}
    wait_for_words(silent, time.time() + CLICKED_WITHIN)
    return {
        name: slowest([of_page(visit, killed, chosen.get(visit.page)) for visit in each])
        for name, each in visits.items()
    }


def given(visit: Visit, photo: Path) -> float:
    """Choose a photo, if a page that is dead lets one; return the time at which that began."""
    began = time.time()
    visit.page.set_default_timeout(1000 * CLICKED_WITHIN)
    with contextlib.suppress(Error):
        visit.known.give(visit.page, photo)
    return began


def of_page(visit: Visit, killed: float, chosen: float | None) -> Noticed:
    """Return when one page said so."""
    found = visit.trouble()
    if chosen is None:
        return Noticed(found[0] - killed, words=found[1]) if found else Noticed(None)
    return Noticed(None, found[0] - chosen, found[1]) if found else Noticed(None)


def wait_for_words(visits: list[Visit], end: float) -> None:
    """Wait until all the pages have said that they are lost, or a time by the clock."""
    while visits and time.time() < end and not all(visit.trouble() for visit in visits):
        visits[0].page.wait_for_timeout(200)


def slowest(found: list[Noticed]) -> Noticed:
    """Return the page that said so last, or not at all."""
    never = [one for one in found if one.unprompted is None]
    return (never or sorted(found, key=lambda one: one.unprompted or 0.0))[-1]
