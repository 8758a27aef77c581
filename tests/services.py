"""The machine's own services as real processes, and servers that stand in a service's place.

In come a folder, or canned answers; out go the processes that run there, or what was asked.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT, draw, encode
from tests.ports import free_port as free_port
from tests.waiting import line_of
from tests.waiting import wait_for as wait_for
from voilearn.client.this_machine import LocalModel
from voilearn.prediction import ModelInfo, predict_from
from voilearn.runtime_folder import Entry, RuntimeFolder
from voilearn.wire import problem_of

PHOTO = encode(draw((300, 200)), "JPEG")
PREDICTION = predict_from([0.2, 0.8], ModelInfo("fake", "0" * 64, "single-label", ("a", "b")))
IDLE = 60.0  # seconds: so long a service stays at most that a test should lose

# A kernel's part: says that it is here, and at each line that comes, asks and tells the answer.
KERNEL = """
import sys
from pathlib import Path
from voilearn.client.this_machine import LocalModel
from voilearn.errors import VoilearnError
model, idle, photo = sys.argv[1:]
print("here", flush=True)
ask = None
for line in sys.stdin:
    try:
        ask = ask or LocalModel(Path(model), float(idle))
        print(ask(Path(photo).read_bytes()).model.name, flush=True)
    except VoilearnError as error:
        print(error.type, error, flush=True)
"""


class Machine:
    """A user's own machine: a folder of services, and the model files that it has."""

    def __init__(self, place: Path) -> None:
        self.place, self.path = place, place / "run" / "voilearn"
        (place / "run").mkdir(mode=0o700)
        self._before = psutil.Process().children()

    @property
    def folder(self) -> RuntimeFolder:
        return RuntimeFolder(self.path)

    @property
    def entries(self) -> list[Entry]:
        return self.folder.entries()

    def services(self) -> list[psutil.Process]:
        """The processes that are services of this folder, by their command line."""
        return [p for p in psutil.process_iter() if self._is_service(p)]

    def _is_service(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()  # a zombie has none
            return "voilearn.service.this_machine" in command and str(self.path) in command
        return False

    def service(self) -> psutil.Process:
        """The one service that there is."""
        (found,) = self.services()
        return found

    def model(self, path: Path, idle: float = IDLE) -> LocalModel:
        return LocalModel(path, idle)

    def kernel(self, path: Path, idle: float = IDLE) -> "subprocess.Popen[str]":
        """Start another process that asks; it is one more page's kernel."""
        photo = self.place / "photo.jpg"
        photo.write_bytes(PHOTO)
        return subprocess.Popen(
            [sys.executable, "-c", KERNEL, str(path), str(idle), str(photo)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def is_left(self) -> list[psutil.Process]:
        """What has not ended, or has ended and is waited for by nobody."""
        return self.services() + [p for p in self._children() if _is_zombie(p)]

    def _children(self) -> list[psutil.Process]:
        """The processes that this test began; a server that several tests share has its own."""
        mine = [p for p in psutil.Process().children() if p not in self._before]
        found = list(mine)
        for process in mine:
            with contextlib.suppress(psutil.Error):
                found += process.children(recursive=True)
        return found

    def end(self) -> None:
        """End every service, and check that nothing of them is left."""
        for process in self.services():
            with contextlib.suppress(psutil.Error):
                process.kill()
        wait_for(lambda: not self.is_left())


def _is_zombie(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):  # it has gone since it was seen
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def ask(kernel: "subprocess.Popen[str]") -> str:
    """Have another process ask, and return what it was told."""
    assert kernel.stdin is not None
    print("ask", file=kernel.stdin, flush=True)
    return line_of(kernel.stdout).strip()


def end(kernel: "subprocess.Popen[Any]") -> None:
    """End another process as a kernel is ended that nobody looks at."""
    kernel.kill()
    kernel.communicate()


def response(
    status: int = 200, body: bytes = b"", kind: str = "application/json", **headers: str
) -> bytes:
    """The bytes of an HTTP response; an underscore in a header's name stands for a dash."""
    told = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Fine", *lines, "", ""]).encode() + body


def problem(error: Any, **headers: str) -> bytes:
    """The response that tells of an error."""
    body = json.dumps(problem_of(error)).encode()
    return response(error.status, body, "application/problem+json", **headers)


GOOD = response(body=json.dumps(PREDICTION.to_dict()).encode())
Answer = bytes | Callable[[socket.socket], Any]


class StandIn:
    """Whatever answers at an address: keeps what it is asked, and gives one answer after another.

    The last answer is given to all that come after it. `connections` counts those that came.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked, self.connections = list(answers), list[bytes](), 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[one], daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError), one:
            while asked := read_request(one):
                self.asked.append(asked)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if not isinstance(answer, bytes):
                    answer(one)
                    return
                one.sendall(answer)


def read_request(one: socket.socket) -> bytes:
    """Read one request with its body; b"" at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := one.recv(65536)):
            return b""
        data += piece
    head = data.partition(b"\r\n\r\n")[0].lower()
    size = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    while len(data) < len(head) + 4 + size:
        if not (piece := one.recv(65536)):
            return b""
        data += piece
    return data


@contextlib.contextmanager
def standing_in(*answers: Answer) -> Iterator[StandIn]:
    server = StandIn(*answers)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def served(*arguments: str, script: str = "", **environment: str) -> Iterator[str]:
    """Run `voilearn serve`, or a script that does; yield the address that it prints."""
    command = ["-c", script, *arguments] if script else ["-m", "voilearn", "serve", *arguments]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield line_of(process.stdout).split(" ")[0].strip()
    finally:
        end(process)
