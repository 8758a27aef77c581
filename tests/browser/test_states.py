"""Nobody is left wondering: what the page says when something is gone, and what brings it back.

In: a page whose kernel, service, server, connection or model goes; out: its sentences, and its
photos.
"""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Route, WebSocketRoute, expect

from tests.browser import stub, ways
from tests.browser.visitor import ANSWER_WITHIN, Visitor, wait_in
from tests.browser.ways import OF_A_KERNEL, Place, Server, command_of
from tests.services import wait_for

Come = Callable[..., Visitor]
HEARD_TWICE = 5_000  # milliseconds in which a page hears of an upgrade twice
LOOKING = "Looking at the photo…"
FOLLOWING = 4  # Node.DOCUMENT_POSITION_FOLLOWING
LOST = "The connection to this page is lost. Your photos are kept."

# Whether a bar is ever seen, at each frame the browser draws.
WATCH_FOR_BARS = """() => {
  window.barsSeen = false
  const look = () => {
    const bar = document.querySelector('.voilearn-bar')
    window.barsSeen ||= Boolean(bar && bar.offsetParent)
    requestAnimationFrame(look)
  }
  look()
}"""

# What the line of news has said, one after the other.
SAID = """() => {
  window.said = []
  const line = document.querySelector('.voilearn-status')
  const note = () => window.said.at(-1) === line.textContent || window.said.push(line.textContent)
  new MutationObserver(note).observe(line, {childList: true, characterData: true, subtree: true})
}"""

# Ends a kernel as the server's culler does.
CULL = """async ([address, cookie]) => {
  document.cookie = cookie
  const form = new FormData()
  form.append('_xsrf', cookie.split('=')[1].split(';')[0])
  return (await fetch(address, {method: 'POST', body: form})).status
}"""

NO_MODEL = """
from voilearn.errors import UnusableModel
from voilearn.notebook.widget import show_errors
show_errors()
raise UnusableModel("The model is <b>gone</b>.")
"""


def kernel_of(visitor: Visitor) -> psutil.Process:
    identifier = visitor.page.locator("script.voilearn-kernel").text_content() or ""
    (found,) = [
        kernel
        for kernel in visitor.server.kernels()
        if any(part.split("kernel-")[-1][:36] in identifier for part in command_of(kernel)[-1:])
    ]
    return found


@OF_A_KERNEL
def test_a_kernel_given_up_for_another_takes_no_photo_with_it(come: Come) -> None:
    """The old one answers again while the new one is on its way."""
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    old = visitor.kernel_id()
    routes: list[Route] = []
    visitor.page.route(visitor.page.url, lambda route: routes.append(route))
    server = _server_process(visitor.server)
    server.send_signal(signal.SIGSTOP)
    try:
        expect(visitor.banner).to_contain_text(LOST)
        visitor.banner.get_by_role("button", name="Reconnect").click()
    finally:
        server.send_signal(signal.SIGCONT)
    expect(visitor.banner).to_have_count(0, timeout=ANSWER_WITHIN)
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.status).to_have_text(LOOKING)
        routes.pop().continue_()
        wait_in(visitor.page, lambda: any(old not in url for url in visitor.frames))
    assert visitor.answer()
    kernels = visitor.server.kernels
    wait_for(lambda: not any(old in " ".join(command_of(each)) for each in kernels()))


@OF_A_KERNEL
def test_a_photo_given_to_a_page_whose_kernel_never_opens_is_told(come: Come) -> None:
    visitor = come()
    visitor.page.add_init_script(
        "window.WebSocket = class { static OPEN = 1; readyState = 0; close() {} }"
    )
    visitor.page.reload(wait_until="commit")
    expect(visitor.banner).to_contain_text(LOST)


@OF_A_KERNEL
def test_a_killed_kernel_is_told_and_one_button_brings_the_page_back(
    come: Come, screenshots: Path
) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    expect(visitor.banner).to_have_count(0)
    kernel_of(visitor).kill()
    expect(visitor.banner).to_have_count(1)
    expect(visitor.page.get_by_role("alert")).to_contain_text(LOST)
    visitor.show(screenshots, f"{visitor.server.way}-page-lost")
    expect(visitor.preview).to_be_visible()
    visitor.banner.get_by_role("button", name="Reconnect").click()
    expect(visitor.banner).to_have_count(0, timeout=ANSWER_WITHIN)
    expect(visitor.status).to_have_text("A grizzly bear, 97 % sure")  # the old photo's own
    assert next(iter(visitor.ask(stub.photo(300, 400)))) == "black"
    expect(visitor.thumbnails).to_have_count(2)


@OF_A_KERNEL
def test_a_photo_on_its_way_when_the_kernel_ends_is_answered_after_all(come: Come) -> None:
    visitor = come()
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.status).to_have_text(LOOKING)
        kernel_of(visitor).kill()
        expect(visitor.banner).to_have_count(1)
    expect(visitor.status).to_have_text("Your photo waits until the page is ready…")
    visitor.banner.get_by_role("button").click()
    assert next(iter(visitor.answer())) == "grizzly"


@OF_A_KERNEL
def test_a_photo_given_to_a_lost_page_brings_it_back_by_itself(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    kernel_of(visitor).kill()
    expect(visitor.banner).to_have_count(1)
    assert next(iter(visitor.ask(stub.photo(300, 400)))) == "black"
    expect(visitor.banner).to_have_count(0)


@OF_A_KERNEL
def test_a_culled_kernel_is_told(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    found = visitor.page.evaluate("() => document.documentElement.dataset.base")
    kernel = kernel_of(visitor)
    identifier = command_of(kernel)[-1].split("kernel-")[-1][:36]
    token = next((c["value"] for c in visitor.page.context.cookies() if c["name"] == "_xsrf"), "1")
    address = f"{found}voila/api/shutdown/{identifier}"
    assert visitor.page.evaluate(CULL, [address, f"_xsrf={token};path={found}"]) == 204
    expect(visitor.banner).to_contain_text(LOST)
    visitor.banner.get_by_role("button").click()
    assert visitor.ask(stub.photo(300, 400))


def test_a_connection_that_falls_silent_is_told_and_comes_back_by_itself(
    come: Come, stubbed: Server
) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    server = _server_process(stubbed)
    server.send_signal(signal.SIGSTOP)
    try:
        expect(visitor.banner).to_contain_text(LOST)
    finally:
        server.send_signal(signal.SIGCONT)
    expect(visitor.banner).to_have_count(0, timeout=ANSWER_WITHIN)
    assert visitor.ask(stub.photo(300, 400))


@OF_A_KERNEL
def test_a_connection_that_breaks_for_a_moment_is_not_spoken_of(come: Come) -> None:
    visitor = come()
    routes: list[WebSocketRoute] = []

    def pass_on(route: WebSocketRoute) -> None:
        routes.append(route)
        if len(routes) == 1:  # the kernel can't be reached yet
            route.close()
        else:
            route.connect_to_server()

    visitor.page.route_web_socket("**/channels*", pass_on)
    visitor.page.reload(wait_until="commit")
    visitor.upload_field.wait_for(state="attached")
    visitor.choose(stub.photo(400, 300))
    expect(visitor.preview).to_be_visible()
    assert next(iter(visitor.answer())) == "grizzly"
    assert len(routes) == 2
    expect(visitor.banner).to_have_count(0)


def test_a_service_that_is_full_is_asked_again_after_a_countdown(
    come: Come, screenshots: Path
) -> None:
    visitor = come()
    visitor.page.evaluate(SAID)
    visitor.choose(stub.photo(stub.BUSY, 200))
    visitor.page.wait_for_function("() => said.some(line => line.includes('Trying again'))")
    visitor.show(screenshots, f"{visitor.server.way}-page-busy")
    assert next(iter(visitor.answer())) == "grizzly"
    said = [line for line in visitor.page.evaluate("() => said") if "Trying" in line]
    assert said == [
        f"Many photos are waiting at the moment. Trying again in {seconds}\N{NO-BREAK SPACE}s."
        for seconds in range(stub.RETRY_AFTER, 0, -1)
    ]


def test_a_model_that_is_being_loaded_is_spoken_of(come: Come) -> None:
    visitor = come()
    visitor.page.evaluate(SAID)
    visitor.page.evaluate(WATCH_FOR_BARS)
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.status).to_contain_text("model is being loaded")
        assert LOOKING in visitor.page.evaluate("() => said")
        assert visitor.page.evaluate("() => window.barsSeen") is False
    assert visitor.answer()


def test_an_upgraded_model_is_told_and_can_be_asked(come: Come, stubbed: Server) -> None:
    hash_file = stubbed.folder / "sha256.txt"
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    try:
        hash_file.write_text("1" * 64)
        expect(visitor.banner).to_contain_text("upgraded")
        visitor.banner.get_by_role("button", name="Ask again").click()
        assert visitor.answer()
        expect(visitor.banner).to_have_count(0)
        visitor.page.wait_for_timeout(HEARD_TWICE)
        expect(visitor.banner).to_have_count(0)
    finally:
        hash_file.write_text("0" * 64)


@pytest.mark.parametrize("way", ["voila", "binder", "service"])
def test_a_restarted_server_answers_the_photo_that_was_kept(
    way: str, app: Path, tmp_path: Path, browser: Browser, screenshots: Path
) -> None:
    place, port = Place(stub.lay_out(app, tmp_path / "app"), tmp_path), ways.free_port()
    page = browser.new_page()
    with ways.running(way, place, port) as server:
        visitor = Visitor(page, server).arrive()
        visitor.ask(stub.photo(400, 300))
    expect(visitor.banner).to_contain_text(LOST)
    visitor.choose(stub.photo(300, 400))
    expect(visitor.banner).to_contain_text("The server does not answer yet.")
    visitor.show(screenshots, f"{way}-page-restart")
    with ways.running(way, place, port):
        visitor.reconnect()
        assert next(iter(visitor.answer())) == "black"
        expect(visitor.thumbnails).to_have_count(2)
        page.close()


@pytest.fixture(scope="module", params=["voila", "binder"])
def without_model(
    request: pytest.FixtureRequest, app: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    scratch = tmp_path_factory.mktemp("without")
    place = Place(stub.lay_out(app, scratch / "app", NO_MODEL), scratch)
    with ways.running(request.param, place) as running:
        yield running


def test_a_page_without_a_model_says_why(
    without_model: Server, browser: Browser, screenshots: Path
) -> None:
    visitor = Visitor(browser.new_page(), without_model).arrive()
    expect(visitor.page.locator(".voilearn-cell")).to_have_text("The model is <b>gone</b>.")
    expect(visitor.banner).to_contain_text("This page can't answer at the moment.")
    visitor.show(screenshots, f"{without_model.way}-page-broken")
    notebook = without_model.folder / "app.ipynb"
    before = notebook.read_text()
    try:
        notebook.write_text(before.replace(json.dumps(NO_MODEL), json.dumps(stub.CELL)))
        visitor.choose(stub.photo())
        expect(visitor.preview).to_be_visible()
        again = visitor.banner.get_by_role("button", name="Reconnect")
        expect(visitor.bars.or_(again).first).to_be_visible(timeout=ANSWER_WITHIN)
        if again.is_visible():  # a kernel that was kept warm has run the notebook as it was
            again.click()
        assert visitor.answer()
        expect(visitor.banner).to_have_count(0)
    finally:
        notebook.write_text(before)
    visitor.leave()
    wait_for(lambda: len(without_model.kernels()) <= without_model.spare)


def test_a_notebook_that_fails_says_so_first(
    app: Path, tmp_path: Path, browser: Browser, screenshots: Path
) -> None:
    """Also where an import fails, before anything of ours could say why."""
    folder = stub.lay_out(app, tmp_path / "app", "import nothing_of_that_name")
    page = browser.new_context(locale="de").new_page()
    with ways.running("voila", Place(folder, tmp_path)) as server:
        visitor = Visitor(page, server).arrive()
        reason = page.get_by_text("Das Notebook dieser Seite lief nicht bis zum Ende.")
        expect(reason).to_be_visible()
        expect(visitor.banner).to_contain_text("Diese Seite kann gerade nicht antworten.")
        above = "reason => reason.compareDocumentPosition(document.querySelector('.voilearn-page'))"
        assert reason.evaluate(above) == FOLLOWING
        assert "nothing_of_that_name" not in page.content()
        visitor.show(screenshots, "voila-page-failed")
        assert "nothing_of_that_name" in server.log_tail()
        page.close()


@OF_A_KERNEL
def test_where_there_is_no_page_it_is_told_in_every_language_and_in_our_looks(
    browser: Browser, stubbed: Server, screenshots: Path
) -> None:
    if stubbed.is_voila:
        pytest.skip("Voilà alone has one page, and for all other addresses its own short words")
    page = browser.new_page()
    for name, status in (("nothing.ipynb", 404), ("folder/nothing.ipynb", 404)):
        answer = page.goto(f"{stubbed.url}voila/render/{name}?token={ways.TOKEN}")
        assert answer
        assert answer.status == status
        expect(page.locator("main p[lang]")).to_have_count(5)
        expect(page.locator("p[lang=fr]")).to_contain_text("Il n’y a pas de page")
        assert page.evaluate("() => getComputedStyle(document.querySelector('main')).maxWidth")
    page.screenshot(path=screenshots / f"{stubbed.way}-no-page.png")
    page.close()


def _server_process(server: Server) -> psutil.Process:
    return psutil.Process(server.process.pid)
