"""The page of a service: what a visitor gets of it, and what it says when the service is gone.

In: `voilearn serve` with a stub for its model, alone, behind proxies and in other sites' frames;
out: what stands on the page. What every host's page has in common, test_photos.py and others test.
"""

import contextlib
import http.server
import json
import re
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser import stub
from tests.browser.test_access import OVERFLOW, check
from tests.browser.visitor import Visitor, wait_in
from tests.documents import blocks, commands
from tests.ports import free_port
from tests.serving import Serving, serving, wait_for

LOST = "The connection to this page is lost. Your photos are kept."
TOKEN = "a-token/with?signs&in=it%20"
ANSWER = "A grizzly bear, 97 % sure"
ONE_WORKER = "from voilearn.service import serve\nserve.granted_cores = lambda: 1\n"
COLD = 80_000, 10  # bytes and requests of a first visit

# The model is there only once nobody holds it.
SLOW_TO_LOAD = f"""
class Late(Loaded):
    def __init__(self, *arguments):
        while Path({stub.HELD!r}).exists():
            time.sleep(0.02)
        super().__init__(*arguments)

live_model.load_classify = Late
"""

# All that a site may keep in a browser.
STORED = """async () => ({
  local: {...localStorage}, session: {...sessionStorage}, cookies: document.cookie,
  caches: window.caches ? await caches.keys() : [],
  databases: (await indexedDB.databases()).map(each => each.name),
})"""
NOTHING: dict[str, Any] = {"local": {}, "session": {}, "cookies": "", "caches": [], "databases": []}


@dataclass
class At:
    """Where a page is, as `Visitor` asks for it."""

    url: str
    way: str = "service"

    @property
    def page(self) -> str:
        return self.url


@pytest.fixture
def folder(app: Path, tmp_path: Path) -> Path:
    return stub.lay_out(app, tmp_path / "app")


Serve = Callable[..., Serving]


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Return what runs the service of a folder, with more options, or more Python before."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, before: str = "", **more: Any) -> Serving:
            running = serving(
                folder / "sha256.txt", *options, before=f"{stub.MODEL}\n{before}", **more
            )
            return stack.enter_context(running)

        yield start


@pytest.fixture
def come(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Return what brings a visitor to an address, in a browser of their own."""
    visitors: list[Visitor] = []
    with contextlib.ExitStack() as stack:

        def arrive(url: str, **settings: Any) -> Visitor:
            context = browser.new_context(**settings)
            stack.callback(context.close)
            visitors.append(Visitor(context.new_page(), At(url)))  # type: ignore[arg-type]
            return visitors[-1].arrive()

        yield arrive
        assert [error for visitor in visitors for error in visitor.errors] == []
        refused = [said for visitor in visitors for said in visitor.console if "Policy" in said]
        assert refused == []


Come = Callable[..., Visitor]


def freeze(service: Serving) -> None:
    service.process.send_signal(signal.SIGSTOP)


def thaw(service: Serving) -> None:
    service.process.send_signal(signal.SIGCONT)


def test_photos_get_their_answers_and_nothing_is_kept_or_asked_elsewhere(
    serve: Serve, come: Come, screenshots: Path
) -> None:
    service = serve()
    visitor = come(service.url)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text(stub.TITLE)
    expect(visitor.page.locator("header p")).to_have_text(stub.INTRODUCTION)
    visitor.choose(stub.photo(400, 300), stub.photo(300, 400), stub.photo(3000, 2000))
    expect(visitor.page.locator(".voilearn-is-answer")).to_have_count(3)
    expect(visitor.status).to_have_text(ANSWER)
    expect(visitor.page.locator(".voilearn-description")).to_contain_text("hump")
    assert visitor.foreign_requests() == []
    assert visitor.page.evaluate(STORED) == NOTHING
    assert visitor.page.context.cookies() == []
    visitor.show(screenshots, "service-page")


def test_a_page_without_words_of_an_author_has_its_title_in_the_visitors_language(
    serve: Serve, come: Come, folder: Path
) -> None:
    for name in ("app.toml", "app.ipynb"):
        (folder / name).unlink()
    visitor = come(serve().url, locale="de")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Was zeigt dieses Foto?")
    assert visitor.page.title() == "Was zeigt dieses Foto?"
    expect(visitor.page.locator(".voilearn-late")).to_have_count(0)


def test_a_first_visit_is_few_requests_and_bytes(serve: Serve, come: Come) -> None:
    visitor = come(serve().url)
    visitor.page.locator(".voilearn-gallery .voilearn-thumb").first.wait_for()
    found = [request for request in visitor.requests if request.url.startswith("http")]
    assert len(found) <= COLD[1]
    ended = [request for request in found if "/v1/events" not in request.url]
    sizes = [request.sizes() for request in ended]
    told = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert 10_000 < told <= COLD[0]


def test_an_example_is_shown_and_answered(serve: Serve, come: Come) -> None:
    visitor = come(serve().url)
    visitor.page.locator(".voilearn-gallery .voilearn-thumb").first.click()
    assert visitor.answer()
    expect(visitor.preview).to_have_js_property("complete", True)
    assert visitor.preview.evaluate("img => img.naturalWidth") > 192  # not the thumbnail


def test_a_photo_that_the_browser_cant_show_is_shown_with_its_answer(
    serve: Serve, come: Come
) -> None:
    visitor = come(serve().url)
    visitor.choose(stub.photo(400, 300, "TIFF"), name="photo.tif")
    expect(visitor.status).to_have_text(ANSWER)
    expect(visitor.preview).to_be_visible()
    with visitor.page.expect_download() as download:
        visitor.choose(stub.photo(300, 400))
        visitor.page.get_by_role("button", name="Download JSON").click()
    told = json.loads(Path(download.value.path()).read_text())
    assert "preview" not in json.dumps(told)


def test_a_service_that_falls_silent_is_told_and_comes_back_by_itself(
    serve: Serve, come: Come, screenshots: Path
) -> None:
    service = serve()
    visitor = come(service.url)
    visitor.ask(stub.photo(400, 300))
    freeze(service)
    try:
        expect(visitor.banner).to_contain_text(LOST)
        check(visitor.page)
        visitor.show(screenshots, "service-page-lost")
        visitor.choose(stub.photo(300, 400))
        expect(visitor.banner).to_contain_text("The server does not answer yet.")
    finally:
        thaw(service)
    expect(visitor.banner).to_have_count(0)
    expect(visitor.page.locator(".voilearn-is-answer")).to_have_count(2)
    assert next(iter(visitor.answer())) == "black"


def test_a_photo_on_its_way_when_the_service_is_killed_is_answered_by_the_next_one(
    serve: Serve, come: Come, folder: Path
) -> None:
    port = str(free_port())
    service = serve("--port", port)
    visitor = come(service.url)
    visitor.ask(stub.photo(300, 400))
    with stub.held(folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.status).to_contain_text("Looking at the photo…")
        service.process.kill()
        service.process.wait()
        expect(visitor.banner).to_contain_text(LOST)
        expect(visitor.status).to_have_text("Your photo waits until the page is ready…")
    serve("--port", port)
    expect(visitor.banner).to_have_count(0)
    assert next(iter(visitor.answer())) == "grizzly"
    expect(visitor.thumbnails).to_have_count(2)


def test_a_photo_given_to_a_lost_page_is_asked_about_when_the_service_is_back(
    serve: Serve, come: Come
) -> None:
    port = str(free_port())
    service = serve("--port", port)
    visitor = come(service.url)
    service.end()
    expect(visitor.banner).to_contain_text(LOST)
    visitor.choose(stub.photo(400, 300))
    serve("--port", port)
    expect(visitor.status).to_have_text(ANSWER)
    expect(visitor.banner).to_have_count(0)


def test_a_hidden_page_listens_no_more_and_again_when_it_is_seen(serve: Serve, come: Come) -> None:
    service = serve()
    visitor = come(service.url)
    listening = "voilearn_pages_open "
    wait_in(visitor.page, lambda: service.metric(listening) == 1)
    hide = """hidden => {
      Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true})
      document.dispatchEvent(new Event('visibilitychange'))
    }"""
    visitor.page.evaluate(hide, True)
    wait_in(visitor.page, lambda: service.metric(listening) == 0)
    expect(visitor.banner).to_have_count(0)
    visitor.page.evaluate(hide, False)
    wait_in(visitor.page, lambda: service.metric(listening) == 1)
    assert visitor.ask(stub.photo(400, 300))


def test_a_page_that_is_left_listens_no_more(serve: Serve, come: Come) -> None:
    service = serve()
    visitor = come(service.url)
    wait_in(visitor.page, lambda: service.metric("voilearn_pages_open ") == 1)
    visitor.leave()
    wait_for(lambda: service.metric("voilearn_pages_open ") == 0)


def test_a_service_that_is_full_is_asked_again_after_a_countdown(serve: Serve, come: Come) -> None:
    visitor = come(serve().url)
    visitor.choose(stub.photo(stub.BUSY, 200))
    expect(visitor.status).to_contain_text(re.compile(r"Trying again in \d"))
    expect(visitor.status).to_have_text(ANSWER)


def wait_for_line(visitor: Visitor, service: Serving, waiting: int) -> None:
    wait_in(visitor.page, lambda: service.metric("voilearn_queue_depth ") == waiting)


def test_the_place_in_line_is_told(serve: Serve, come: Come, folder: Path) -> None:
    service = serve(before=ONE_WORKER)
    visitors = [come(service.url) for _ in range(3)]
    with stub.held(folder):
        for visitor, waiting in zip(visitors, (0, 1, 2), strict=True):
            visitor.choose(stub.photo(stub.SLOW, 200))
            wait_in(visitor.page, lambda: service.metric("voilearn_workers_busy ") == 1)
            wait_for_line(visitor, service, waiting)
        expect(visitors[1].status).to_contain_text(re.compile(r"\b(1|one)\b", re.IGNORECASE))
        expect(visitors[2].status).to_contain_text("2 ")
    for visitor in visitors:
        expect(visitor.status).to_have_text(ANSWER)


def test_an_upgraded_model_is_told_and_can_be_asked(serve: Serve, come: Come, folder: Path) -> None:
    visitor = come(serve().url)
    visitor.ask(stub.photo(400, 300))
    (folder / "sha256.txt").write_text("1" * 64)
    expect(visitor.banner).to_contain_text("upgraded")
    visitor.banner.get_by_role("button", name="Ask again").click()
    assert visitor.answer()
    expect(visitor.banner).to_have_count(0)


def test_a_page_that_comes_before_the_model_says_so_and_keeps_the_photo(
    serve: Serve, come: Come, folder: Path
) -> None:
    with stub.held(folder):
        visitor = come(serve(before=SLOW_TO_LOAD, ready=False).url)
        visitor.choose(stub.photo(400, 300))
        expect(visitor.page.get_by_text("Starting the model…")).to_be_visible()
        expect(visitor.status).to_have_text("Your photo waits until the page is ready…")
        expect(visitor.banner).to_have_count(0)
    expect(visitor.status).to_have_text(ANSWER)


def form(visitor: Visitor) -> Any:
    return visitor.page.locator(".voilearn-token")


def with_token(serve: Serve) -> Serving:
    return serve(environment={"VOILEARN_TOKEN": TOKEN})


def type_token(visitor: Visitor, token: str) -> None:
    form(visitor).get_by_label("Token").fill(token)
    form(visitor).get_by_role("button").click()


def test_a_token_is_asked_for_once_in_a_tab_and_a_wrong_one_is_told(
    serve: Serve, come: Come, screenshots: Path
) -> None:
    visitor = come(with_token(serve).url)
    expect(form(visitor)).to_contain_text("This page is for those who have its token.")
    visitor.choose(stub.photo(400, 300))
    expect(visitor.status).to_have_text("Your photo waits until the page is ready…")
    expect(visitor.banner).to_have_count(0)
    type_token(visitor, "another")
    expect(visitor.page.get_by_role("alert").filter(has_text="not the right one")).to_be_visible()
    check(visitor.page)
    visitor.show(screenshots, "service-page-token")
    assert visitor.page.evaluate(STORED) == NOTHING
    type_token(visitor, f" {TOKEN} ")
    expect(visitor.status).to_have_text(ANSWER)
    expect(form(visitor)).to_have_count(0)
    stored = visitor.page.evaluate(STORED)
    assert stored == {**NOTHING, "session": {"voilearn-token /": TOKEN}}
    visitor.page.reload()
    visitor.choose(stub.photo(400, 300))
    expect(visitor.status).to_have_text(ANSWER)
    expect(form(visitor)).to_have_count(0)


def test_a_link_brings_the_token_which_is_then_nowhere_to_be_seen(serve: Serve, come: Come) -> None:
    service = with_token(serve)
    visitor = come(f"{service.url}/#token={quote(TOKEN, safe='')}")
    visitor.ask(stub.photo(400, 300))
    expect(form(visitor)).to_have_count(0)
    assert visitor.page.url == f"{service.url}/"
    assert TOKEN not in json.dumps(service.lines)
    assert not any("token" in request.url for request in visitor.requests)


def test_a_wrong_token_in_a_link_is_told(serve: Serve, come: Come) -> None:
    visitor = come(f"{with_token(serve).url}/#token=wrong")
    expect(form(visitor)).to_contain_text("This token is not the right one.")


@pytest.mark.parametrize("locale", ["de", "fr", "es", "zh-CN"])
def test_the_token_is_asked_for_in_the_visitors_language_and_fits_a_phone(
    serve: Serve, come: Come, locale: str
) -> None:
    size = {"width": 320, "height": 640}
    visitor = come(with_token(serve).url, locale=locale, viewport=size)
    expect(form(visitor)).to_be_visible()
    expect(form(visitor)).not_to_contain_text("This page")
    assert visitor.page.evaluate(OVERFLOW) == 0


def test_a_token_that_is_changed_while_a_page_is_open_is_asked_for_and_the_photo_kept(
    serve: Serve, come: Come
) -> None:
    port = str(free_port())
    service = serve("--port", port)
    visitor = come(service.url)
    visitor.ask(stub.photo(300, 400))
    service.end()
    expect(visitor.banner).to_contain_text(LOST)
    visitor.choose(stub.photo(400, 300))
    serve("--port", port, environment={"VOILEARN_TOKEN": TOKEN})
    expect(form(visitor)).to_be_visible()
    type_token(visitor, TOKEN)
    expect(visitor.status).to_have_text(ANSWER)
    expect(visitor.thumbnails).to_have_count(2)


class Proxy:
    """A proxy that has a service at /bears/; one that `swallows` lets no stream through."""

    def __init__(self, port: int, swallows: bool = False) -> None:
        self.to, self.swallows = port, swallows
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/bears/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._join, args=[client], daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            service = socket.create_connection(("127.0.0.1", self.to))
            swallowed = threading.Event()
            back = [service, client, lambda data: b"" if swallowed.is_set() else data]
            threading.Thread(target=self._pass, args=back, daemon=True).start()

            def strip(data: bytes) -> bytes:
                if self.swallows and b" /bears/v1/events " in data:
                    swallowed.set()
                return data.replace(b" /bears/", b" /", 1)

            self._pass(client, service, strip)

    @staticmethod
    def _pass(
        source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(change(data))
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("swallows", [False, True], ids=["streams", "swallows streams"])
def test_the_page_works_below_a_prefix_and_where_a_proxy_swallows_streams(
    serve: Serve, come: Come, folder: Path, swallows: bool
) -> None:
    service = serve()
    proxy = Proxy(service.port, swallows)
    visitor = come(proxy.url)
    assert next(iter(visitor.ask(stub.photo(3000, 2000)))) == "grizzly"
    visitor.page.locator(".voilearn-gallery .voilearn-thumb").first.click()
    assert visitor.answer()
    own = [request.url for request in visitor.requests if request.url.startswith("http")]
    assert all(url.startswith(proxy.url) for url in own)
    (folder / "sha256.txt").write_text("1" * 64)
    expect(visitor.banner).to_contain_text("upgraded")
    freeze(service)
    try:
        expect(visitor.banner).to_contain_text(LOST)
    finally:
        thaw(service)
    expect(visitor.banner).not_to_contain_text(LOST)
    assert visitor.ask(stub.photo(400, 300))
    proxy.close()


ADDRESS, SITE = "http://127.0.0.1:8000", "https://my-site.example"  # as the document has them
TWO_LINES, FRAME = (block.text for block in blocks("embedding"))
(ALLOWING,) = (shlex.split(command)[-2:] for command in commands("site"))
ELSEWHERE = """<!doctype html><html lang="en"><title>A site of mine</title>
<h1>A site of mine</h1>
{}
<p>Below.</p></html>"""


@pytest.fixture
def site() -> Iterator[Callable[[str], str]]:
    """Return what puts a page on another origin, and gives its address."""
    with contextlib.ExitStack() as stack:

        def put(text: str) -> str:
            class Site(http.server.BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(text.encode())

                def log_message(self, *_: Any) -> None:
                    pass

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
            stack.enter_context(server)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://localhost:{server.server_port}/"

        yield put


Put = Callable[[str], str]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 800, "height": 700})
    yield context.new_page()
    context.close()


HEIGHT = "() => document.querySelector('iframe').getBoundingClientRect().height"
INNER = "body => [innerHeight, Math.ceil(body.getBoundingClientRect().height)]"


def give_photo(page: Page) -> FrameLocator:
    """Give a photo to the page in a page's frame, and wait for the answer."""
    frame = page.frame_locator("iframe")
    photo: Any = {"name": "a.png", "mimeType": "image/png", "buffer": stub.photo(400, 300)}
    frame.locator('.voilearn-upload input[type="file"]').set_input_files(photo)
    expect(frame.locator(".voilearn-status")).to_have_text(ANSWER)
    return frame


def run_for(serve: Serve, site: Put, text: str, **more: Any) -> str:
    """Run a service for another site's page, as the document tells; return that one's address."""
    port = str(free_port())
    address = site(ELSEWHERE.format(text.replace(ADDRESS, f"http://127.0.0.1:{port}")))
    allowing = [each.replace(SITE, address.rstrip("/")) for each in ALLOWING]
    assert allowing != ALLOWING
    serve("--port", port, *allowing, **more)
    return address


def test_two_lines_put_the_page_into_a_site_that_may(
    serve: Serve, site: Put, page: Page, screenshots: Path
) -> None:
    assert len(TWO_LINES.splitlines()) == 2
    page.goto(run_for(serve, site, TWO_LINES))
    expect(page.frame_locator("iframe").locator(".voilearn-gallery .voilearn-thumb")).to_have_count(
        2
    )
    before = page.evaluate(HEIGHT)
    body = give_photo(page).locator("body")
    wait_in(page, lambda: page.evaluate(HEIGHT) > before and len({*body.evaluate(INNER)}) == 1)
    assert body.evaluate("() => document.documentElement.scrollHeight <= innerHeight")
    expect(page.locator("iframe")).to_have_attribute("title", stub.TITLE)
    expect(page.locator("iframe")).to_have_attribute("allow", "camera; clipboard-write")
    page.screenshot(path=screenshots / "service-page-embedded.png", full_page=True)


def test_a_site_may_give_the_token_itself(serve: Serve, site: Put, page: Page) -> None:
    text = TWO_LINES.replace("<voilearn-page>", f'<voilearn-page token="{TOKEN}">')
    page.goto(run_for(serve, site, text, environment={"VOILEARN_TOKEN": TOKEN}))
    expect(give_photo(page).locator(".voilearn-token")).to_have_count(0)


def test_a_plain_frame_works_where_its_site_may(serve: Serve, site: Put, page: Page) -> None:
    page.goto(run_for(serve, site, FRAME))
    give_photo(page)
    assert page.evaluate(HEIGHT) > 900


def test_a_site_that_may_not_says_what_to_do(serve: Serve, site: Put, page: Page) -> None:
    service = serve("--allow-origin", SITE)
    address = site(ELSEWHERE.format(TWO_LINES.replace(ADDRESS, service.url)))
    page.goto(address)
    told = page.locator("voilearn-page")
    expect(told).to_contain_text(f"voilearn serve --allow-origin {address.rstrip('/')}")
    expect(told.get_by_role("link")).to_have_attribute("href", f"{service.url}/")


def test_another_window_than_the_frame_cannot_change_its_height(
    serve: Serve, site: Put, page: Page
) -> None:
    service = serve("--allow-origin", "*")
    page.goto(site(ELSEWHERE.format(TWO_LINES.replace(ADDRESS, service.url))))
    frame = page.frame_locator("voilearn-page iframe")
    expect(frame.locator(".voilearn-gallery .voilearn-thumb")).to_have_count(2)
    expect(page.locator("iframe")).to_have_attribute("title", stub.TITLE)
    before = page.evaluate(HEIGHT)
    page.evaluate(
        "() => new Promise(done => { addEventListener('message', done, {once: true});"
        "postMessage({voilearn: 'height', height: 7777, title: 'x'}, '*') })"
    )
    assert page.evaluate(HEIGHT) == before
