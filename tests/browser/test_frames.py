"""The page in a frame of another site: refused, until its author names that site.

In: a page whose model is a stub, and a site at another address with a frame of it; out: whether the
frame shows it and answers, and that its kernel ends with the frame.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import stub, ways
from tests.browser.device import Host, hosting
from tests.browser.visitor import ANSWER_WITHIN, wait_in
from tests.browser.ways import CONFIG, Place, Server
from tests.documents import blocks
from tests.services import wait_for

SETTINGS = {"voila": ("voila.json", "Voila"), "binder": (CONFIG, "ServerApp")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    """Another site, whose address is another one than the page's."""
    with hosting(tmp_path / "site") as host:
        yield host


def _framed(site: Host, address: str) -> str:
    site.folder.mkdir(exist_ok=True)
    (site.folder / "index.html").write_text(f'<!doctype html><iframe src="{address}"></iframe>')
    return site.url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("way", SETTINGS)
@pytest.mark.parametrize("allowed", [True, False], ids=["named", "not named"])
def test_a_site_that_is_named_may_show_the_page(
    app: Path, tmp_path: Path, site: Host, browser: Browser, way: str, allowed: bool
) -> None:
    folder = stub.lay_out(app, tmp_path / "app")
    if allowed:
        _allow(folder, way, site.url.replace("127.0.0.1", "localhost").rstrip("/"))
    with ways.running(way, Place(folder, tmp_path), cull_idle_timeout=0) as server:
        page = browser.new_page()
        page.set_default_timeout(ANSWER_WITHIN)
        said: list[str] = []
        page.on("console", lambda told: said.append(told.text))
        page.goto(_framed(site, server.page))
        frame = page.frame_locator("iframe")
        if not allowed:
            wait_in(page, lambda: any("frame-ancestors" in told for told in said))
            page.close()
            return
        field = frame.locator(".voilearn-upload input")
        field.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": stub.photo()})
        told = frame.locator(".voilearn-status")
        expect(told).to_have_text("A grizzly bear, 97 % sure", timeout=ANSWER_WITHIN)
        page.goto("about:blank")
        wait_for(lambda: _left(server))
        page.close()


def _allow(folder: Path, way: str, site: str) -> None:
    """Do what docs/page.md says."""
    name, part = SETTINGS[way]
    settings = json.loads((folder / name).read_text())
    headers = settings[part]["tornado_settings"]["headers"]
    policy = headers["Content-Security-Policy"]
    (block,) = blocks("frame")
    named = block.text.strip().replace("https://www.notion.so", site)
    headers["Content-Security-Policy"] = policy.replace("frame-ancestors 'self'", named)
    (folder / name).write_text(json.dumps(settings))


def _left(server: Server) -> bool:
    return len(server.kernels()) == server.spare
