"""A real service tells real clients what to send: curl, a raw socket, Python's own libraries."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from tests.serving import Serving, serving
from tests.waiting import WITHIN, wait_for

PHOTO = encode(draw((300, 200)), "JPEG")
SEND = "curl --data-binary @photo.jpg"
curl_only = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on this machine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    onnx_files.write(folder, onnx_files.model())
    (folder / "photo.jpg").write_bytes(PHOTO)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Serving]:
    short = "import voilearn.service.connections as c\nc.HEAD_SECONDS = 2.0"
    options = ("--allow-origin", "https://Example.org:443/")
    with serving(folder / "export.onnx", *options, before=short) as service:
        yield service


def curl(service: Serving, folder: Path, *arguments: str) -> Any:
    """What curl is told by the service, at /v1/classify if no address is given."""
    if not any(each.startswith("/") for each in arguments):
        arguments += ("/v1/classify",)
    told = [service.url + each if each.startswith("/") else each for each in arguments]
    done = subprocess.run(
        ["curl", "-s", "-m", str(WITHIN), *told], cwd=folder, capture_output=True, check=True
    )
    return json.loads(done.stdout)


@curl_only
@pytest.mark.parametrize(
    "arguments",
    [
        ["--data-binary", "@photo.jpg"],
        ["-F", "photo=@photo.jpg"],
        ["-F", "photo=<photo.jpg"],
        ["-F", "photo=@photo.jpg;filename="],
        ["-F", "photo=@photo.jpg;encoder=base64"],
        ["--data-binary", "@photo.jpg", "/v1/classify/"],
        ["--data-binary", "@photo.jpg", "-H", "Transfer-Encoding: chunked"],
        ["--data-binary", "@photo.jpg", "-H", "Expect: 100-continue"],
        ["--data-binary", "@photo.jpg", "-H", "Content-Encoding: Identity"],
        ["--data-binary", "@photo.jpg", "-H", "Content-Encoding;"],
        ["--data-binary", "@photo.jpg", "-H", "Accept: text/html"],
        ["--data-binary", "@photo.jpg", "--http1.0"],
        ["--data-binary", "@photo.jpg", "-H", "Host:"],
    ],
    ids=" ".join,
)
def test_curl_gets_an_answer(service: Serving, folder: Path, arguments: list[str]) -> None:
    assert curl(service, folder, *arguments)["label"] in onnx_files.CLASSES


@curl_only
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["-d", "@photo.jpg"], 422, "--data-binary"),
        (["-d", "@photo.jpg", "-H", "Content-Type: image/jpeg"], 422, "--data-binary"),
        (["-d", "photo.jpg"], 415, "name of a file"),
        (["--data-urlencode", "photo@photo.jpg"], 415, "form of texts"),
        (["-F", "photo=photo.jpg"], 415, "field photo is the name of a file"),
        (["-F", "file=@photo.jpg"], 400, 'it has "file"'),
        (["-T", "photo.jpg"], 405, "by POST"),
        ([], 405, "by POST"),
        (["-X", "POST"], 422, "is empty"),
        (["-X", "POST", "/v1/classify?url=https://example.org/p.jpg"], 422, "is empty"),
        (["--json", '{"image": "/9j/4AAQ"}'], 415, "JSON"),
        (["/predict"], 404, "POST to /v1/classify"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_curl_is_told_what_to_send(
    service: Serving, folder: Path, arguments: list[str], status: int, said: str
) -> None:
    told = curl(service, folder, *arguments)
    assert told["status"] == status
    assert said in told["detail"]
    assert {"type", "title", "status", "detail", "request_id"} <= set(told)


def raw(service: Serving, *pieces: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """What a connection of its own is answered: status, headers and body."""
    address = ("127.0.0.1", service.port)
    with socket.create_connection(address, timeout=WITHIN) as sock:
        with contextlib.suppress(OSError):  # it may be refused before all is sent
            for piece in pieces:
                sock.sendall(piece)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                told += piece
    head, _, body = told.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"
REFUSED = {
    "no HTTP": ([b"hello\r\n\r\n"], 400, "HTTP/1.1"),
    "TLS": ([b"\x16\x03\x01\x02\x00\x01\x00"], 400, "https://"),
    "HTTP/2": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400, "HTTP/2"),
    "a bad header": ([b"GET / HTTP/1.1\r\nno header\r\n\r\n"], 400, "HTTP/1.1"),
    "large headers": (
        [b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000] + [b"x" * 40_000] * 9,
        431,
        "64 KB",
    ),
    "a long address": ([b"GET /?" + b"x" * 40_000] + [b"x" * 40_000] * 9, 414, "into the body"),
    "a slow head": ([b"GET / HTTP/1.1\r\nHost: "], 408, "too slowly"),
    "no such method": ([b"PROPFIND / HTTP/1.1\r\n" + CLOSE], 405, "takes GET"),
    "nothing there": ([b"GET /nope HTTP/1.1\r\n" + CLOSE], 404, "POST to /v1/classify"),
}


@pytest.mark.parametrize(("pieces", "status", "said"), REFUSED.values(), ids=REFUSED)
def test_whatever_is_refused_is_a_problem(
    service: Serving, pieces: list[bytes], status: int, said: str
) -> None:
    code, headers, body = raw(service, *pieces)
    told = json.loads(body)
    assert (code, told["status"]) == (status, status)
    assert headers[b"content-type"] == b"application/problem+json"
    assert said in told["detail"]
    assert told["type"]
    assert told["title"]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /healthz HTTP/1.1\r\n",
        b"GET http://elsewhere/healthz HTTP/1.1\r\n",
        b"GET //healthz/ HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    ],
)
def test_odd_requests_are_answered_all_the_same(service: Serving, request_line: bytes) -> None:
    status, _, body = raw(service, request_line + CLOSE)
    assert (status, body) == (200, b'{"status":"alive"}')


WISH = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
POST = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\n" + WISH
COUNTED = POST + b"Content-Length: %d\r\n\r\n" % len(PHOTO)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(PHOTO)
LAST = b"GET /healthz HTTP/1.1\r\n" + CLOSE


@pytest.mark.parametrize(
    "pieces",
    [
        [COUNTED + PHOTO, LAST],
        [COUNTED, PHOTO, LAST],
        [COUNTED + PHOTO + LAST],
        [COUNTED[:50], COUNTED[50:] + PHOTO[:9], PHOTO[9:], LAST],
        [CHUNKED + PHOTO + b"\r\n0\r\n\r\n", LAST],
    ],
    ids=["at once", "head and body", "pipelined", "in pieces", "chunked"],
)
def test_a_client_that_would_rather_speak_http_2_gets_its_answer(
    service: Serving, pieces: list[bytes]
) -> None:
    """Java's own client asks so each time."""
    status, _, body = raw(service, *pieces)
    assert status == 200
    assert b'"label": ' in body
    assert body.endswith(b'{"status":"alive"}')


def test_wishes_that_follow_each_other_unasked_end_the_connection(service: Serving) -> None:
    wishes = (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + WISH + b"\r\n") * 5_000
    assert raw(service, wishes)[0] in (200, 400)
    assert raw(service, b"CONNECT a:443 HTTP/1.1\r\n" + CLOSE)[0] == 400
    assert service.get("/healthz")[0] == 200
    assert not [line for line in service.lines if "traceback" in line]


def test_head_has_no_body_and_the_length_of_one(service: Serving) -> None:
    status, headers, body = raw(service, b"HEAD /healthz HTTP/1.1\r\n" + CLOSE)
    assert (status, headers[b"content-length"], body) == (200, b"18", b"")


def test_an_origin_is_let_in_as_browsers_send_it(service: Serving) -> None:
    request = urllib.request.Request(
        f"{service.url}/v1/classify",
        method="OPTIONS",
        headers={
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


def test_nothing_of_what_came_is_in_the_log(service: Serving, folder: Path) -> None:
    secret = b"POST /secret/v1?secret=1 HTTP/1.1\r\nX: secret\r\nContent-Length: 6\r\n" + CLOSE
    raw(service, secret + b"secret")
    wait_for(lambda: any(line.get("route") == "none" for line in list(service.lines)))
    assert "secret" not in json.dumps(service.lines)
    assert "websocket" not in json.dumps(service.lines).lower()


def test_a_proxy_at_another_address_is_warned_of_until_it_is_believed(folder: Path) -> None:
    def ask(believed: str) -> list[dict[str, Any]]:
        environment = {"FORWARDED_ALLOW_IPS": believed}
        with serving(folder / "export.onnx", environment=environment) as service:
            for _ in range(2):
                assert service.post(PHOTO, X_Forwarded_For="192.0.2.77")[0] == 200
            service.end()
            return [line for line in service.lines if line["level"] == "warning"]

    (warning,) = ask("10.0.0.5")
    assert "FORWARDED_ALLOW_IPS" in warning["event"]
    assert "192.0.2.77" not in json.dumps(warning)
    assert ask("127.0.0.0/8, ::1") == ask(" * ") == []


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--allow-origin", "example.org"], {}, "looks like https://example.org"),
        (["--allow-origin", "https://*.example.org"], {}, "name each origin"),
        (["--host", ""], {}, "--host has"),
        (["--host", "http://0.0.0.0"], {}, "--host has"),
        (["--host", "127.0.0.1:8000"], {}, "--port"),
        (["--host", "0.0.0.0"], {}, "needs a token"),
        (["--token", ""], {}, "the token is empty"),
        (["--token", "  "], {}, "the token is empty"),
        (["--token", "two words"], {}, "without spaces"),
        ([], {"VOILEARN_TOKEN": "\n"}, "the token is empty"),
        ([], {"FORWARDED_ALLOW_IPS": "proxy"}, 'has "proxy"'),
        ([], {"FORWARDED_ALLOW_IPS": "10.0.0.5/8"}, 'has "10.0.0.5/8"'),
        ([], {"FORWARDED_ALLOW_IPS": "*,10.0.0.5"}, 'has "*"'),
        (["--port", "70000"], {}, "port 70000"),
        (["--port", "http"], {}, "invalid int value"),
    ],
)
def test_an_option_that_would_not_do_is_refused_at_the_start(
    folder: Path, options: list[str], environment: dict[str, str], said: str
) -> None:
    command = [sys.executable, "-m", "voilearn", "serve", "--model", "export.onnx", *options]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_of_a_file_and_a_host_in_brackets_are_understood(folder: Path) -> None:
    options = ("--token", "secret\n", "--host", "[::1]")
    with serving(folder / "export.onnx", *options) as service:
        assert service.url.startswith("http://[::1]:")
        assert service.post(PHOTO, Authorization="Bearer secret")[0] == 200
        assert service.post(PHOTO)[0] == 401
