"""Run `voilearn serve` as a real process, and ask it as many clients do at once.

In come a model's path and options; out go its address, its log, and how each request ended.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.conftest import ROOT
from tests.waiting import WITHIN, ended, line_of
from tests.waiting import wait_for as wait_for

PIECE = 65536


@dataclass
class Serving:
    """A service that runs. `lines` is its log so far; what in it is no JSON is `odd`."""

    process: "subprocess.Popen[str]"
    url: str
    lines: list[dict[str, Any]] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def port(self) -> int:
        found = urlsplit(self.url).port
        assert found
        return found

    def get(self, route: str, **headers: str) -> tuple[int, bytes]:
        return ask(self.url, "GET", route, None, **headers)

    def post(self, photo: bytes, route: str = "/v1/classify", **headers: str) -> tuple[int, bytes]:
        return ask(self.url, "POST", route, photo, **headers)

    def model(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/v1/model")[1]))

    def metric(self, name: str) -> float:
        """The sum of a metric's lines of `/metrics`; `name` may have labels in it."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in list(self.lines) if line["event"] == event]

    def wait_ready(self) -> None:
        wait_for(lambda: self.get("/readyz")[0] == 200)

    def memory(self) -> float:
        """What it has resident, in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    def descriptors(self) -> int:
        return int(psutil.Process(self.process.pid).num_fds())

    def end(self) -> int:
        """End it by SIGTERM; return its exit code."""
        self.process.terminate()
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended and its log is read; return its exit code."""
        code = ended(self.process)
        if self.reader:
            self.reader.join(WITHIN)
        return code


@contextlib.contextmanager
def serving(
    model: Path,
    *options: str,
    before: str = "",
    ready: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Serving]:
    """Run the service at a free port; `before` is Python that is run in its process first."""
    script = f"{before}\nimport sys\nfrom voilearn.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "serve", "--model", str(model), "--port", "0"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=model.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = line_of(process.stdout)
        assert line, process.stderr and process.stderr.read()
    except BaseException:
        process.kill()
        process.wait()
        raise
    service = Serving(process, line.split()[0].replace("0.0.0.0", "127.0.0.1"))
    service.reader = threading.Thread(target=_read_log, args=[service], daemon=True)
    service.reader.start()
    try:
        if ready:
            service.wait_ready()
        yield service
        assert not service.odd
    finally:
        process.kill()
        process.wait()


def _read_log(service: Serving) -> None:
    assert service.process.stderr
    for line in service.process.stderr:
        try:
            service.lines.append(json.loads(line))
        except ValueError:
            service.odd.append(line)


def ask(
    url: str, method: str, route: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """Ask over a connection of its own; return status and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url + route, body, named, method=method)
    if body is not None and "Content-Type" not in named:
        request.add_header("Content-Type", "image/jpeg")
    try:
        with urllib.request.urlopen(request, timeout=WITHIN) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else error from error


@dataclass
class Crowd:
    """Clients that ask for ever, one after another; `told` is each answer, `lost` each that failed.

    `asked` has how many answers had come when the question to each of `told` was begun. Half of
    them keep their connection. A connection that is refused was no request, and neither was one
    that a kept connection ended before it was sent. Once it is `over`, nobody connects anew.
    """

    url: str
    photo: bytes
    clients: int
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Crowd":
        for number in range(self.clients):
            thread = threading.Thread(target=self._ask, args=[number % 2 == 0], daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(WITHIN)

    def _ask(self, keep: bool) -> None:
        at, connection = urlsplit(self.url), None
        while not self._end.is_set():
            fresh, asked = connection is None, len(self.told)
            if fresh and self.over.is_set():
                return
            try:
                if connection is None:
                    host = at.hostname or ""
                    connection = http.client.HTTPConnection(host, at.port, timeout=WITHIN)
                    connection.connect()
            except ConnectionError:
                return  # it listens no more
            try:
                connection.request("POST", "/v1/classify", self.photo)
                answer = connection.getresponse()
                told = answer.status, json.loads(answer.read())
                with self._turn:
                    self.asked.append(asked)
                    self.told.append(told)
                if not keep or answer.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException, ValueError) as error:
                if fresh or not isinstance(error, ConnectionError):
                    self.lost.append(repr(error))
                connection = None
