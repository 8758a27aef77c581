"""Abandoned kernels end, in every way of running; one whose visitor is there does not.

In: pages whose browser is killed, which says no goodbye; out: the machine's own list of
processes. The page here has no model: twenty kernels with torch take 11 GB, and what a kernel
holds is nothing to the culler.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Error, Page

from tests.browser import ways
from tests.browser.visitor import ANSWER_WITHIN, Visitor
from tests.browser.ways import Place, Server
from tests.waiting import WITHIN

PAGES = 20
IDLE = 10  # seconds, where the default is ten minutes
SHORT = {"cull_idle_timeout": IDLE, "cull_interval": 1}
PINGS = {"ws_ping_interval": 1_000, "ws_ping_timeout": 4_000}  # milliseconds

PAGE_WITHOUT_MODEL = """
from voilearn.notebook.widget import Page
Page(lambda photo: None)
"""
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "one",
            "metadata": {},
            "outputs": [],
            "source": PAGE_WITHOUT_MODEL,
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def small(app: Path, tmp_path: Path) -> Place:
    """Lay out the settings of the checkout round a small notebook, once for every page."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("voila.json", "Makefile", "requirements.txt"):
        shutil.copy2(app / name, folder)
    for name in (".jupyter", "voilearn"):
        shutil.copytree(app / name, folder / name)
    for name in ("app", *(f"app-{number}" for number in range(PAGES))):
        (folder / f"{name}.ipynb").write_text(json.dumps(NOTEBOOK))
    return Place(folder, tmp_path)


# `make page` runs just `voila`; on Binder, culling is a Jupyter Server's, as in the other three
@pytest.mark.parametrize(
    "way", ways.every_way(but="voila", slow=("make", "binder", "lab", "notebook", "hub"))
)
def test_kernels_of_pages_closed_without_goodbye_end(
    way: str, small: Place, launch: Callable[[], Browser], browser: Browser
) -> None:
    with ways.running(way, small, **SHORT) as server, _page_of(browser, server) as stays:
        _open(stays, server, "app")
        with _doomed(launch) as (crowd, root):
            visitors = crowd.new_context()
            if way == "hub":
                Visitor(visitors.new_page(), server).log_in()
            seen = {kernel.pid for kernel in server.kernels()}
            for number in range(PAGES):
                _open(visitors.new_page(), server, f"app-{number}")
                seen |= {kernel.pid for kernel in server.kernels()}
            assert len(seen) == PAGES + 1 + server.spare
            _kill(root)
        _wait_for(lambda: len(server.kernels()) == 1 + server.spare, server)
        stays.wait_for_timeout(1000 * IDLE)
        assert len(server.kernels()) == 1 + server.spare
        stays.goto("about:blank")
        _wait_for(lambda: len(server.kernels()) == server.spare, server)


def test_a_kernel_ends_though_its_visitors_connection_only_seems_open(
    small: Place, launch: Callable[[], Browser]
) -> None:
    running = ways.running("voila", small, **SHORT, **PINGS)
    with running as server, _doomed(launch) as (crowd, root):
        _open(crowd.new_page(), server, "app")
        _wait_for(lambda: len(server.kernels()) == 1 + server.spare, server)
        for process in (root, *root.children(recursive=True)):
            process.suspend()  # like a laptop that was closed: nothing ends, nothing answers
        _wait_for(lambda: len(server.kernels()) == server.spare, server)


def test_ten_minutes_is_what_is_set(app: Path) -> None:
    for name in ("voila.json", ways.CONFIG):
        culler = json.loads((app / name).read_text())["MappingKernelManager"]
        assert culler["cull_idle_timeout"] == 10 * 60
        assert 0 < culler["cull_interval"] <= culler["cull_idle_timeout"] / 5


def _open(page: Page, server: Server, name: str) -> None:
    """Open a page of its own kernel and wait until it is connected to it."""
    visitor = Visitor(page, server)
    page.goto(_address(server, name), timeout=ANSWER_WITHIN, wait_until="commit")
    visitor.wait_until_connected()


def _address(server: Server, name: str) -> str:
    if server.is_voila:
        return server.page  # every visit has a kernel of its own
    apart = server.page.replace("lab/tree/", f"lab/workspaces/{name}/tree/")
    return apart.replace("app.ipynb", f"{name}.ipynb")


@contextlib.contextmanager
def _page_of(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    if server.way == "hub":
        Visitor(page, server).log_in()
    yield page
    context.close()


@contextlib.contextmanager
def _doomed(launch: Callable[[], Browser]) -> Iterator[tuple[Browser, psutil.Process]]:
    """Start a browser that will be killed; return it with the process that is all others' root."""
    before = set(psutil.Process().children(recursive=True))
    crowd = launch()
    new = set(psutil.Process().children(recursive=True)) - before
    root = next(process for process in new if _is_browser(process))
    try:
        yield crowd, root
    finally:
        _kill(root)
        with contextlib.suppress(Error):
            crowd.close()


def _is_browser(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return "chrom" in process.name() and not any("--type=" in part for part in command)
    return False


def _kill(root: psutil.Process) -> None:
    """End a browser so that no page of it can say goodbye."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _wait_for(true: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, f"{len(server.kernels())} left:\n{server.log_tail()}"
        time.sleep(0.5)
