"""The page is light: few bytes, few requests, kept by the browser, none to another host.

In: a first and a second visit; out: what went over the wire.
"""

import html
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.browser import stub
from tests.browser.visitor import Visitor
from tests.browser.ways import OF_A_KERNEL, TOKEN, Server
from tests.waiting import WITHIN
from voilearn.page.bundle import PHOTO_WORKER, one_script

pytestmark = OF_A_KERNEL
Come = Callable[..., Visitor]
MOST_BYTES = 600_000
MOST_REQUESTS = 40
A_YEAR = 365 * 24 * 3600


def test_a_cold_visit_is_few_bytes_and_requests_and_all_to_us(
    stubbed: Server, browser: Browser
) -> None:
    page = browser.new_context().new_page()
    visitor = Visitor(page, stubbed)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    visitor.arrive()
    visitor.ask(stub.photo())
    assert 5 < len(answers) <= MOST_REQUESTS
    assert sum(len(answer.body()) for answer in answers if answer.ok) <= MOST_BYTES
    assert {urlsplit(request.url).netloc for request in visitor.requests} - {""} == {
        urlsplit(stubbed.url).netloc
    }
    assert visitor.foreign_requests() == []
    assert [said for said in visitor.console if said.startswith(("error", "warning"))] == []
    page.close()


def test_what_is_named_by_its_content_is_kept_for_years(come: Come) -> None:
    visitor = come()
    visitor.page.reload()
    visitor.upload_field.wait_for(state="attached")
    visitor.ask(stub.photo())
    parts = visitor.page.evaluate(
        "() => performance.getEntriesByType('resource').map(one => [one.name, one.transferSize])"
    )
    fetched = {name: size for name, size in parts if "/voilearn/" in name}
    assert len(fetched) > 5
    for name, size in fetched.items():
        assert size == 0, f"{name} was asked for again"
        assert re.search(r"\.(css|js)\?v=[0-9a-f]{16}$", name)
    style = visitor.page.locator("link[rel=stylesheet]").get_attribute("href")
    answer = visitor.page.request.get(urljoin(visitor.server.url, style or ""))
    assert int(answer.headers["cache-control"].split("max-age=")[1]) >= A_YEAR


def test_the_shell_with_its_file_field_comes_before_the_kernel(stubbed: Server) -> None:
    """Behind a Jupyter Server no kernel is kept warm: it starts while the shell is on its way."""
    if stubbed.way == "voila":
        pytest.skip("a kernel is kept warm here, and the page comes whole")
    with urllib.request.urlopen(stubbed.page, timeout=WITHIN) as answer:
        shell = answer.read1(100_000)
        while b"<dialog" not in shell:
            shell += answer.read1(100_000)
        rest = answer.read()
    assert b'<input type="file"' in shell
    assert b"<h1" in shell
    assert b"voilearn-kernel" not in shell
    assert b"voilearn-kernel" in rest


def test_an_authors_words_stand_in_the_shell_as_they_are(come: Come) -> None:
    """Whatever a template or HTML would make of them."""
    visitor = come()
    for words in (stub.TITLE, stub.INTRODUCTION):
        assert html.escape(words) in visitor.page.request.get(visitor.page.url).text()
    expect(visitor.page.locator("h1")).to_have_text(stub.TITLE)
    expect(visitor.page.locator("header p")).to_have_text(stub.INTRODUCTION)
    assert visitor.page.title() == stub.TITLE


def test_the_photo_worker_in_the_page_is_the_one_of_every_host(come: Come) -> None:
    script = come().page.locator(".voilearn-photo-worker").text_content() or ""
    assert "".join(script.splitlines()) == "".join(one_script(PHOTO_WORKER).splitlines())


def test_scripts_are_compressed_where_the_server_can(stubbed: Server) -> None:
    if stubbed.way == "voila":
        pytest.skip("Voilà alone compresses nothing: what it is told of that comes too late")
    address = f"{stubbed.url}voila/files/voilearn/page/page.js?v=1&token={TOKEN}"
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


def test_only_scripts_and_styles_of_the_page_are_served(stubbed: Server) -> None:
    for name in ("page.py", "markup.html", "voila/templates/voilearn/index.html.j2", "../app.toml"):
        address = f"{stubbed.url}voila/files/voilearn/{name}?token={TOKEN}"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address, timeout=WITHIN)
