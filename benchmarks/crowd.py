"""Bring a crowd to the service's page, without a browser for each, and let it stay.

In come the port of a service and photos; out goes a crowd, for as long as it is wanted. Each
visitor has what the page in a browser has of the service: its files, the stream on which it hears
that the service is there (open_pages.py), and a connection on which each photo got its answer.
"""

import contextlib
import http.client
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.open_pages import pages

FILE = re.compile(r'(?:href|src)="(page/[^"]+)"')
WORKER = re.compile(r'"worker": "([^"]+)"')
LONGEST = 60  # seconds for an answer


@contextlib.contextmanager
def crowd(port: int, photos: Sequence[Path], count: int) -> Iterator[None]:
    """Have so many visitors with a page open and their answers; each has two connections."""
    bodies = [photo.read_bytes() for photo in photos]
    with contextlib.ExitStack() as stack:
        stack.enter_context(pages(port, count))
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
            stack.callback(connection.close)
            get_page(connection)
            for body in bodies:
                asked(connection, "POST", "/v1/classify", body)
        yield


def warm(port: int, photos: Sequence[Path], count: int) -> None:
    """Have one visitor ask as much as so many, and leave: that much memory is taken but once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    with contextlib.closing(connection):
        get_page(connection)
        for body in [photo.read_bytes() for photo in photos] * count:
            asked(connection, "POST", "/v1/classify", body)


def get_page(connection: http.client.HTTPConnection) -> None:
    """Get the page and its files, as a browser without a cache does."""
    html = asked(connection, "GET", "/").decode()
    for name in [*FILE.findall(html), *(f"page/{name}" for name in WORKER.findall(html))]:
        asked(connection, "GET", f"/{name}")


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> bytes:
    """Return what the service answers; raise RuntimeError if that is an error."""
    connection.request(method, path, body, {"Content-Type": "image/*"} if body else {})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 200:
        raise RuntimeError(
            f"{method} {path}: {answer.status} {told[:200].decode(errors='replace')}"
        )
    return told
