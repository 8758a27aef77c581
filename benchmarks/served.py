"""Serve a folder as a plain static host does, and count what goes over the wire.

In comes a folder; out go its files over HTTP/1.1 on this machine, gzipped once at the start, and
a list of the answers given with their bytes, headers included.
"""

import gzip
import hashlib
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

KINDS = {
    ".css": "text/css",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
PACKED = {".br", ".gz", ".jpg", ".png", ".webp", ".woff2"}
RUNTIME = (".wasm", ".wasm.gz")
PIECE = 16384


class Answer(NamedTuple):
    """One answer of the server: the path asked for, its status, and the bytes on the wire."""

    path: str
    status: int
    size: int


class File(NamedTuple):
    """A file as it is sent: its head, without the status line, and its body."""

    head: bytes
    body: bytes
    etag: str


def part_of(path: str) -> str:
    """Return whether a path is of the page's own, of the runtime, or of the model."""
    name = path.rpartition("/")[2]
    if ".onnx" in name or (name.endswith(".json") and "manifest" not in name):
        return "model"
    if name.endswith(RUNTIME) or (name.startswith("ort") and name.endswith("js")):
        return "runtime"
    return "page"


def split(answers: Iterable[Answer]) -> dict[str, int]:
    """Return the bytes of each part: page, runtime, model."""
    parts = {"page": 0, "runtime": 0, "model": 0}
    for answer in answers:
        parts[part_of(answer.path)] += answer.size
    return parts


def pack(path: Path) -> File:
    """Return a file as it is sent: gzipped, unless it is packed already.

    A page is asked for again at every visit; what it is made of stays in the cache for a day, as
    a host of versioned files has it.
    """
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    fresh = "no-cache" if path.suffix == ".html" else "max-age=86400"
    lines = [
        f"Content-Type: {KINDS.get(path.suffix, 'application/octet-stream')}",
        f"Cache-Control: {fresh}",
        f"ETag: {etag}",
        "Vary: Accept-Encoding",
    ]
    if path.suffix not in PACKED:
        body = gzip.compress(body, 9, mtime=0)
        lines.append("Content-Encoding: gzip")
    lines.append(f"Content-Length: {len(body)}")
    return File("\r\n".join(lines).encode() + b"\r\n\r\n", body, etag)


class Host:
    """A folder on a free port of this machine, which can be cut off and come back.

    With `mbit`, all its connections share a wire of so many Mbit/s.
    """

    def __init__(self, folder: Path, mbit: float | None = None) -> None:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.files = {f"/{path.relative_to(folder).as_posix()}": pack(path) for path in files}
        if "/index.html" in self.files:
            self.files["/"] = self.files["/index.html"]
        self.answers: list[Answer] = []
        self.last = time.monotonic()
        self.seconds_a_byte = 8 / (mbit * 1e6) if mbit else 0.0
        self.wire = threading.Lock()
        self.port = 0
        self.back()

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://localhost:{self.port}/"

    def back(self) -> None:
        """Serve (again), on the port it had."""
        handler = type("OfThisHost", (Handler,), {"host": self})
        self.server = Server(("127.0.0.1", self.port), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """Stop serving: every later request is refused."""
        self.server.shutdown()
        self.server.server_close()

    def send(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        """Write to a connection, at the speed of the wire."""
        if not self.seconds_a_byte:
            handler.wfile.write(data)
            return
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            with self.wire:
                time.sleep(len(piece) * self.seconds_a_byte)
            handler.wfile.write(piece)

    def settle(self, seconds: float, longest: float = 60) -> None:
        """Wait until nothing has been asked for so many seconds."""
        until = time.monotonic() + longest
        while time.monotonic() < min(until, self.last + seconds):
            time.sleep(0.05)


class Server(ThreadingHTTPServer):
    """A thread a connection; browsers that hang up are no error."""

    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from the host's files, and keeps the connection."""

    protocol_version = "HTTP/1.1"
    host: Host

    def do_GET(self) -> None:
        """Answer with the file, with 304 if the browser has it, or with 404."""
        host, path = self.host, self.path.partition("?")[0]
        host.last = time.monotonic()
        if (file := host.files.get(path)) is None:
            status, data = 404, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        elif self.headers.get("If-None-Match") == file.etag:
            status = 304
            data = f"HTTP/1.1 304 Not Modified\r\nETag: {file.etag}\r\n\r\n".encode()
        else:
            body = b"" if self.command == "HEAD" else file.body
            status, data = 200, b"HTTP/1.1 200 OK\r\n" + file.head + body
        host.send(self, data)
        host.answers.append(Answer(path, status, len(data)))
        host.last = time.monotonic()

    do_HEAD = do_GET  # noqa: N815  # the names are those of http.server

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
