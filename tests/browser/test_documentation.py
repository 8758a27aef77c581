"""The service's documentation in a real browser, below a prefix that a proxy takes off."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.serving import serving


class Prefixed(http.server.BaseHTTPRequestHandler):
    """A proxy that has the service at /bears/, and nothing anywhere else."""

    port = 0

    def do_GET(self) -> None:
        if not self.path.startswith("/bears/"):
            self.send_error(404)
            return
        inner = http.client.HTTPConnection("127.0.0.1", self.port)
        inner.request("GET", self.path.removeprefix("/bears"))
        answer = inner.getresponse()
        body = answer.read()
        inner.close()
        self.send_response(answer.status)
        for name in ("content-type", "location"):
            if value := answer.headers.get(name):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model())
    with (
        serving(model) as service,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prefixed) as proxy,
    ):
        Prefixed.port = service.port
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}"
        proxy.shutdown()


@pytest.mark.parametrize("path", ["/bears/docs", "/bears/docs/"])
def test_the_documentation_is_there_and_asks_the_service_below_the_prefix(
    proxy: str, path: str, browser: Browser
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{proxy}{path}")
    model = page.locator("#operations-model-model_v1_model_get")
    model.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".request-url").first).to_contain_text(f"{proxy}/bears/v1/model")
    expect(model.locator(".live-responses-table .response").first).to_contain_text("200")
    assert {url for url in asked if not url.startswith((f"{proxy}/bears/", "data:"))} == set()
    page.close()
