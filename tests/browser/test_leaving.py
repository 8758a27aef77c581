"""Whoever leaves the page ends its kernel, in every engine and way; who comes back has one.

In: a page whose model is a stub, and the ways in which a visitor leaves it; out: the kernels by the
machine's own list of processes, which nothing else ends: these servers cull none.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import engines, stub, ways
from tests.browser.device import Host, hosting
from tests.browser.engines import Engine, Window
from tests.browser.test_engines import ask
from tests.browser.ways import Place, Server
from tests.services import wait_for

HERE = "() => Boolean(document.querySelector('.voilearn-gallery:not([hidden])'))"
GO = "(url) => { setTimeout(() => { location.href = url }) }"
BACK = "() => { setTimeout(() => history.back()) }"
HIDE = """() => {
  Object.defineProperty(document, 'hidden', {value: true, configurable: true})
  document.dispatchEvent(new Event('visibilitychange'))
}"""
BANNER = "() => document.querySelector('.voilearn-banner')?.textContent ?? ''"


@pytest.fixture(scope="module", params=["voila", "binder"])
def keeping(
    request: pytest.FixtureRequest, app: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run a page that ends no kernel by itself: alone, and with a token below /user/someone/."""
    scratch = tmp_path_factory.mktemp("keeping")
    place = Place(stub.lay_out(app, scratch / "app"), scratch)
    with ways.running(request.param, place, cull_idle_timeout=0) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Another site."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html><title>Elsewhere</title>")
    with hosting(folder) as host:
        yield host


@pytest.fixture
def visit(engine: Engine, keeping: Server, elsewhere: Host) -> Iterator[Window]:
    """Come to the page from another site; it has its kernel, beside one that is kept warm."""
    left = partial(_kernels, keeping, 0)
    wait_for(left)
    with engine.window() as window:
        window.open(elsewhere.url)
        window.open(keeping.page)
        window.wait(HERE)
        wait_for(partial(_kernels, keeping, 1))
        yield window
    wait_for(left)


def _kernels(server: Server, visitors: int) -> bool:
    return len(server.kernels()) == server.spare + visitors


def _arrived(window: Window) -> None:
    """Wait for the page, of which nobody says whether its browser loads it anew."""

    def there() -> Any:
        with contextlib.suppress(Exception):  # between two pages nothing can be asked
            return window.run(HERE)

    wait_for(there)


def _reload(window: Window, _: str) -> None:
    window.run("() => { window.before = true }")
    window.reload()
    window.wait("() => !window.before")


WAYS: dict[str, Callable[[Window, str], None]] = {
    "a link": lambda window, url: window.run(GO, url),
    "an address": lambda window, url: window.open(url),
    "back": lambda window, _: window.run(BACK),
    "close": lambda window, _: window.close(),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_visitor_who_leaves_ends_the_kernel(
    visit: Window, engine: Engine, keeping: Server, elsewhere: Host, way: str
) -> None:
    if way == "close" and engine.name == "firefox":
        pytest.skip("Firefox does not always send it as a tab is closed: see the last test here")
    (mine,) = _mine(visit)
    WAYS[way](visit, elsewhere.url)
    wait_for(lambda: mine not in _ids(keeping))


def test_a_page_loaded_anew_ends_the_old_kernel_and_keeps_its_own(
    visit: Window, keeping: Server, tmp_path: Path
) -> None:
    (old,) = _mine(visit)
    _reload(visit, "")
    visit.wait(HERE)
    (new,) = _mine(visit)
    assert new != old
    wait_for(lambda: old not in _ids(keeping))
    photo = tmp_path / "photo.png"
    photo.write_bytes(stub.photo())
    assert ask(visit, photo) == "A grizzly bear, 97 % sure"
    assert new in _ids(keeping)


def test_who_comes_back_has_a_kernel_at_once(
    visit: Window, keeping: Server, elsewhere: Host, tmp_path: Path
) -> None:
    """Also where the browser kept the page as it was: its kernel ended meanwhile."""
    (old,) = _mine(visit)
    visit.run(GO, elsewhere.url)
    wait_for(lambda: old not in _ids(keeping))
    visit.run(BACK)
    _arrived(visit)
    photo = tmp_path / "photo.png"
    photo.write_bytes(stub.photo())
    assert ask(visit, photo) == "A grizzly bear, 97 % sure"
    assert "lost" not in visit.run(BANNER)
    wait_for(partial(_kernels, keeping, 1))


def test_a_page_that_is_only_hidden_keeps_its_kernel(visit: Window, keeping: Server) -> None:
    """As a phone's, while its visitor looks at another app."""
    (mine,) = _mine(visit)
    visit.run(HIDE)
    visit.run("() => new Promise((resolve) => setTimeout(resolve, 4000))")
    assert mine in _ids(keeping)


def test_of_two_pages_of_one_visitor_the_other_stays(
    visit: Window, keeping: Server, elsewhere: Host
) -> None:
    second = "() => { document.body.append(Object.assign(document.createElement('iframe'), "
    visit.run(second + "{src: location.href})) }")
    wait_for(partial(_kernels, keeping, 2))
    (mine,) = _mine(visit)
    visit.wait("() => frames[0].document.querySelector('.voilearn-gallery:not([hidden])') && true")
    visit.run("() => document.querySelector('iframe').remove()")
    wait_for(partial(_kernels, keeping, 1))
    assert mine in _ids(keeping)


@pytest.mark.parametrize("name", ["firefox", "webkit"])
def test_a_browser_that_is_quit_ends_the_kernel(keeping: Server, name: str) -> None:
    if lack := engines.lacking(name):
        pytest.skip(lack)
    if (name, keeping.way) == ("firefox", "voila"):
        pytest.skip("Firefox does not always say it, and Voilà alone then waits 10 minutes")
    wait_for(partial(_kernels, keeping, 0))
    with engines.firefox() if name == "firefox" else engines.webkit() as engine:
        window = engine.new_window(1000, 800)
        window.open(keeping.page)
        window.wait(HERE)
        wait_for(partial(_kernels, keeping, 1))
        _quit(engine, window)
        wait_for(partial(_kernels, keeping, 0))


def _quit(engine: Engine, window: Window) -> None:
    if engine.name == "firefox":
        engine.ask("browser.close")  # type: ignore[attr-defined]  # of Firefox alone
    else:
        window.close()  # the last one


def _mine(window: Window) -> list[str]:
    told = "() => JSON.parse(document.querySelector('.voilearn-kernel').textContent).kernel"
    return [str(window.run(told))]


def _ids(server: Server) -> str:
    """Return what the commands of all kernels say, in which each has its id."""
    return " ".join(part for kernel in server.kernels() for part in ways.command_of(kernel))


@pytest.mark.parametrize("way", ["make", "binder"])
def test_a_page_that_says_no_goodbye_ends_its_kernel_all_the_same(
    app: Path, tmp_path: Path, browser: Browser, way: str
) -> None:
    """As of a machine that was switched off, or where the browser does not send it."""
    place = Place(stub.lay_out(app, tmp_path / "app"), tmp_path)
    with ways.running(way, place, cull_idle_timeout=0, gone_after=1) as server:
        with engines.ByPlaywright(browser).window() as window:
            window.open(server.page)
            window.wait(HERE)
            wait_for(partial(_kernels, server, 1))
            (mine,) = _mine(window)
            window.run("() => { navigator.sendBeacon = () => true }")
            window.close()
        wait_for(lambda: mine not in _ids(server))
