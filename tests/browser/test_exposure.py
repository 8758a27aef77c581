"""What the server gives to somebody who only has its address.

In: requests as no browser would send them; out: never a file from below the root, never a
command run in a kernel.
"""

import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import voila
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor, message
from tests.browser.ways import Server
from tests.waiting import WITHIN

SECRET = b"nobody-may-read-this"
BAIT = (
    "secret.txt",
    "README-picture.svg",
    "training/plot.png",
    "training/plot.gif",
    ".jupyter/secret.png",
    ".hidden.jpg",
)
OWN = (
    "app.ipynb",
    "export.pkl",
    "export.scope.json",
    "requirements.txt",
    "voila.json",
    "voilearn/notebook/widget.py",
)
# where Voilà, Jupyter Server, JupyterLab or Notebook give files to those who may have them
ROUTES = (
    "",
    "files/",
    "view/",
    "tree/",
    "edit/",
    "notebooks/",
    "static/",
    "nbconvert/html/",
    "api/contents/",
    "lab/tree/",
    "lab/api/",
    "voila/files/",
    "voila/files/./",
    "voila/files/training/../",
    "voila/files/training/..%2f",
    "voila/files//",
    "voila/tree/",
    "voila/static/",
    "voila/templates/lab/static/",
    "voila/labextensions/",
    "voila/api/contents/",
    "voila/api/themes/",
)


@pytest.fixture(scope="module")
def baited(server: Server) -> Iterator[Server]:
    """Lay out files that look just like those Voilà serves."""
    for name in BAIT:
        path = server.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(SECRET)
    yield server
    for name in BAIT:
        (server.folder / name).unlink()


def test_nothing_below_the_root_is_served_without_a_token(baited: Server) -> None:
    served = [
        path
        for name in (*BAIT, *OWN)
        for path in _addresses(baited, name)
        if _gives_away(baited, path, name)
    ]
    assert served == []


def test_a_stranger_reaches_no_kernel_and_no_list_of_them(server: Server) -> None:
    if server.is_voila:
        paths = ["api/kernels", "api/sessions", "api/terminals", "api/kernelspecs", "metrics"]
    else:
        paths = ["api/kernels", "api/sessions", "voila/render/app.ipynb", "lab", "metrics"]
    before = len(server.kernels())
    for path in paths:
        status, body = _get(server, _prefix(server) + path)
        assert status != http.client.OK, path
        assert b'"id"' not in body
    assert len(server.kernels()) == before


def test_a_stranger_cannot_open_a_kernels_websocket(visitor: Visitor, browser: Browser) -> None:
    if visitor.server.is_voila:
        pytest.skip("Voilà itself is open to all; only the page's own visitor knows the kernel id")
    address = visitor.address(f"api/kernels/{visitor.kernel_id()}/channels").replace("http", "ws")
    stranger = browser.new_context().new_page()
    stranger.goto(visitor.address("voila/static/none.css"))
    opened = stranger.evaluate(
        "address => new Promise(resolve => { const socket = new WebSocket(address);"
        "socket.onopen = () => resolve(true); socket.onerror = () => resolve(false) })",
        address,
    )
    stranger.context.close()
    assert not opened


def test_a_visitor_of_voila_cannot_run_code(visitor: Visitor, tmp_path: Path) -> None:
    if not visitor.server.is_voila:
        pytest.skip("here the visitor is the one who started the server, and may")
    mark = tmp_path / "was-here"
    code = f"open({str(mark)!r}, 'w').close()"
    for kind in ("execute_request", "inspect_request", "complete_request", "history_request"):
        asked = message(kind, code=code, silent=False, cursor_pos=1, user_expressions={"x": code})
        reply = kind.replace("request", "reply")
        last = message("comm_open", comm_id=f"after-{kind}", target_name="nobody")
        found = visitor.send([asked, last], "comm_close")  # in this order
        assert found["end"] == "answered"
        assert reply not in found["heard"]
    assert not mark.exists()


def test_the_page_cannot_be_dressed_in_another_template(server: Server) -> None:
    if server.way != "voila":
        pytest.skip("asked of Voilà itself, once; elsewhere it takes a token")
    _, body = _get(server, "/?template=reveal&theme=dark")
    assert b"reveal.js" not in body


def _prefix(server: Server) -> str:
    base = urlsplit(server.url).path
    return base + "user/someone/" if server.way == "hub" else base


def _addresses(server: Server, name: str) -> Iterator[str]:
    for route in ROUTES:
        yield _prefix(server) + route + name
        yield _prefix(server) + route + quote(name, safe="").replace(".", "%2e")
        yield _prefix(server) + route + "../" * 3 + name
    from_static = os.path.relpath(server.folder / name, Path(voila.__file__).parent / "static")
    for route in ("voila/static/", "voila/templates/lab/static/", "voila/labextensions/"):
        yield _prefix(server) + route + from_static
        yield _prefix(server) + route + quote(from_static, safe="")
        yield _prefix(server) + route + quote(str(server.folder / name), safe="")


def _gives_away(server: Server, path: str, name: str) -> bool:
    if path == _prefix(server):
        return False
    status, body = _get(server, path)
    original = (server.folder / name).read_bytes()
    return status == http.client.OK or SECRET in body or original[:200] in body


def _get(server: Server, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=WITHIN)
    connection.request("GET", path)  # http.client sends the path as it is, dots and all
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body
