"""Ask a service for the answers: a `Classify` that needs neither torch nor fastai.

In comes a photo's bytes; out goes the Prediction of a service somewhere else, or of this machine's
own, which is joined or started. Its errors are raised as if the model were here.
"""

import contextlib
import http.client
import json
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from voilearn.challenge import CHALLENGE, PROOF, proof
from voilearn.digest import model_sha256
from voilearn.errors import (
    ServiceBusy,
    ServiceNotReady,
    ServiceUnreachable,
    TokenRefused,
    TooManyRequests,
    UnusableModel,
    VoilearnError,
    error_of,
)
from voilearn.prediction import Classify, Prediction, prediction_from
from voilearn.problem import error_in
from voilearn.runtime_folder import LISTENING, Entry, RuntimeFolder
from voilearn.wrong_file import check_is_a_file, shown

IDLE = 600.0  # seconds without a photo, after which the machine's own service ends
CONNECT_SECONDS = 5.0
PROOF_SECONDS = 30.0  # while Python loads torch from a slow disk, the service says nothing
ANSWER_SECONDS = 60.0
START_SECONDS = 60.0  # until a service that was started listens
END_SECONDS = 5.0  # until one that could not has ended
LOAD_SECONDS = 180.0  # until its model has answered once
BUSY_SECONDS = 30.0  # of trying again where too many photos are waiting
LOOK = 0.1  # seconds between two looks whether a model is loaded
MOST = 50_000_000  # bytes of an answer
MOST_JOINED = 5  # services that one photo is brought to, all of them ending under its hands
BROKEN = (OSError, http.client.HTTPException)
_Stamp = tuple[tuple[int, int, int], ...]


def connect(model: Path | str = "export.pkl") -> Classify:
    """Return the function from a photo's bytes to a Prediction by a service.

    The service is the one at `VOILEARN_URL`, with the token `VOILEARN_TOKEN`; without that, this
    machine's own for the file `model`, which is started if there is none, and again if it ended.
    The function may be called from several threads, and raises what the model would, and
    ServiceErrors. Raises ServiceUnreachable for an address that is none, UnusableModel for a file
    that is no model, UnusableFolder if the machine's services can't be looked for.
    """
    if url := os.environ.get("VOILEARN_URL"):
        return Remote(url, os.environ.get("VOILEARN_TOKEN"))
    return LocalModel(Path(model))


class Gone(ServiceUnreachable):
    """There is no service, or it ended."""


class Lost(Gone):
    """The connection ended before the answer: the service had the photo, or some of it."""


class Remote:
    """The service at an address, as a `Classify`.

    With `prove`, a service has to show that it knows the token before it gets a photo.
    """

    def __init__(self, url: str, token: str | None = None, prove: bool = False) -> None:
        self._at = _parsed(url)
        token = (token or "").strip()  # a token in a file often ends in a new line
        if not (token.isascii() and token.isprintable()):
            raise TokenRefused("VOILEARN_TOKEN is no token: it has other signs than ASCII's.")
        self._token, self._prove = token, prove and bool(token)
        self._headers = {"Content-Type": "application/octet-stream"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._idle: list[http.client.HTTPConnection] = []

    def __call__(self, photo: bytes) -> Prediction:
        """Return the service's Prediction; wait for it while it loads or is full."""
        began = time.monotonic()
        while True:
            try:
                return self._ask(photo)
            except (ServiceBusy, TooManyRequests, ServiceNotReady) as error:
                most = LOAD_SECONDS if isinstance(error, ServiceNotReady) else BUSY_SECONDS
                pause = LOOK if self._prove else float(error.retry_after or 1)
                if time.monotonic() + pause > began + most:
                    raise
                time.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # not all at once

    def alive(self) -> bool:
        """Say whether the service is there, and is the one that knows the token."""
        try:
            self._idle.append(self._connection())
        except ServiceUnreachable:
            return False
        return True

    def _ask(self, photo: bytes) -> Prediction:
        """Ask once; over a connection that was left from before, or if that ended, a new one."""
        with contextlib.suppress(IndexError):  # there is none
            kept = self._idle.pop()
            try:
                return self._answer(kept, photo)
            except Gone as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise  # it had its time
        return self._answer(self._connection(), photo)

    def _answer(self, connection: http.client.HTTPConnection, photo: bytes) -> Prediction:
        answer = self._exchange(connection, "POST", "/v1/classify", photo, self._headers)
        if connection.sock is not None:  # the service keeps it open
            self._idle.append(connection)
        return answer.prediction(self._at)

    def _connection(self) -> http.client.HTTPConnection:
        """Return a new connection, at the other end of which is the service."""
        at = self._at
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        connection = kind(at.hostname or "", at.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except (*BROKEN, UnicodeError) as error:  # the latter of a host that can't be one
            connection.close()
            raise Gone(f"There is no service at {_shown(at)}: {_reason(error)}.") from error
        connection.auto_open = 0  # a new one would not have been challenged
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._prove:
            self._challenge(connection)
        return connection

    def _challenge(self, connection: http.client.HTTPConnection) -> None:
        challenge, token = secrets.token_hex(16), self._token or ""
        headers = {CHALLENGE: challenge}
        try:
            answer = self._exchange(connection, "GET", "/readyz", None, headers, PROOF_SECONDS)
        except Lost as error:
            raise Gone(str(error)) from error
        given = answer.headers.get(PROOF, "").encode(errors="replace")
        if not secrets.compare_digest(given, proof(token, challenge).encode()):
            connection.close()
            raise Gone("Another program has taken the place of the model's service.")
        if connection.sock is None:
            raise Gone("The model's service is about to end.")

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        seconds: float | None = None,
    ) -> "_Answer":
        seconds = ANSWER_SECONDS if seconds is None else seconds
        path = quote(self._at.path.rstrip("/"), safe="/%:@!$&'()*+,;=~") + path
        try:
            if connection.sock is None:
                raise http.client.NotConnected("it was closed")
            connection.sock.settimeout(seconds)
            connection.request(method, path, body, headers)
            with _time_limit(connection.sock, seconds):
                response = connection.getresponse()
                answer = _Answer(response.status, response.headers, response.read(MOST))
            if response.length and len(answer.body) < MOST:  # `read` does not tell
                raise http.client.IncompleteRead(answer.body, response.length)
            return answer
        except BROKEN as error:
            connection.close()
            raise Lost(
                f"The connection to the service at {_shown(self._at)} ended before its answer: "
                f"{_reason(error)}. Please try again."
            ) from error


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Message
    body: bytes

    def prediction(self, at: SplitResult) -> Prediction:
        """Return the Prediction in it, or raise the error."""
        try:
            if self.status == HTTPStatus.OK:
                return prediction_from(json.loads(self.body))
        except (ValueError, RecursionError):
            pass
        error = error_in(self.body)
        if error is None:
            raise ServiceUnreachable(
                f"What answers at {_shown(at)} is not Voilearn's service (status {self.status}). "
                "Check VOILEARN_URL: it is the service's address, without /v1."
            )
        retry_after = self.headers.get("Retry-After", "")
        seconds = re.fullmatch("[0-9]{1,9}", retry_after)
        error.retry_after = int(retry_after) if seconds else None
        raise error


@contextlib.contextmanager
def _time_limit(sock: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection after so many seconds, whatever comes in drops; raise TimeoutError."""
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except BROKEN as error:
        if late.is_set():
            raise TimeoutError("it took too long") from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError("it took too long")


class LocalModel:
    """The machine's own service for a model file, as a `Classify`."""

    def __init__(self, model: Path, idle: float = IDLE) -> None:
        check_is_a_file(model)
        self._model, self._idle = model.absolute(), idle  # a link may come to point elsewhere
        self._folder = RuntimeFolder()
        self._turn = threading.Lock()
        self._joined: tuple[Entry, Remote] | None = None
        self._stamp: _Stamp = ()
        self._join()

    def __call__(self, photo: bytes) -> Prediction:
        """Return the service's Prediction; if it has ended, start it again and ask once more."""
        self._check_still_ours()
        asked, joined = 0, 0
        while True:
            entry, remote = self._join()
            joined += 1
            try:
                return remote(photo)
            except Gone as error:
                self._forget(entry)
                asked += isinstance(error, Lost)  # the photo itself may have ended it
                if asked == 2 or joined == MOST_JOINED:
                    raise

    def _join(self) -> tuple[Entry, Remote]:
        """Return this machine's service for the file, started if there was none."""
        with self._turn:
            if self._joined is None:
                self._stamp = _stamp(self._model)
                self._joined = self._found()
            if self._joined is None:
                with self._folder.lock():
                    self._joined = self._found() or self._started()
            return self._joined

    def _found(self) -> tuple[Entry, Remote] | None:
        """Return a living service that watches this very file, or has one that is the same."""
        entries = [entry for entry in self._folder.entries() if entry.error is None]
        own = [entry for entry in entries if entry.model == str(self._model)]
        others = [entry for entry in entries if entry not in own]
        if (found := self._living(own)) or not others:
            return found
        sha256 = _sha256(self._model)
        return self._living([entry for entry in others if entry.file_sha256 == sha256])

    def _living(self, entries: list[Entry]) -> tuple[Entry, Remote] | None:
        """Return the first of some services that is alive, and forget those that are not."""
        for entry in entries:
            remote = Remote(entry.url, entry.token, prove=True)
            if remote.alive():
                return entry, remote
            self._folder.remove(entry)
        return None

    def _started(self) -> tuple[Entry, Remote]:
        """Start the service, in a process that outlives this one; the folder is locked."""
        command = ["-m", "voilearn.local_service", str(self._model), str(self._folder.path)]
        with self._folder.log() as log:
            process = subprocess.Popen(  # noqa: S603  # this Python, this package
                [sys.executable, *command, str(self._idle)],
                cwd=self._folder.path,  # where no file of a notebook is taken for a module
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        try:
            line = _first_line(process)
            if line != LISTENING:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)
                raise _failure(line)
        except BaseException:
            process.kill()
            process.wait()
            raise
        # Waited for, so that it is no zombie when it has ended.
        threading.Thread(target=process.wait, name="waits for the service", daemon=True).start()
        if (found := self._found()) is None:
            raise ServiceUnreachable("The model's service ended at once. Please try again.")
        return found

    def _forget(self, entry: Entry) -> None:
        """Let go of a service that is gone; raise why, if it told that its model is no good."""
        with self._turn:
            if self._joined and self._joined[0].token == entry.token:
                self._joined = None
        for each in self._folder.entries():
            if each.token == entry.token and each.error:
                raise error_of(*each.error)

    def _check_still_ours(self) -> None:
        """Leave a service of another file that was the same, once one of them is another.

        The service of this very file watches it by itself.
        """
        joined = self._joined
        if joined is None or joined[0].model == str(self._model):
            return
        if joined[0] not in self._folder.entries() or _stamp(self._model) != self._stamp:
            with self._turn:
                self._joined = None


def _first_line(process: "subprocess.Popen[bytes]") -> str:
    """Return the line by which a service tells how it began; "" if it ended without a word.

    Whatever is raised, it comes before the pipe is closed: that would wait for the line.
    """
    lines: list[bytes] = []
    stdout = process.stdout
    assert stdout is not None  # noqa: S101  # it was asked for

    def read() -> None:
        with stdout:
            lines.append(stdout.readline())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(START_SECONDS)
    if reader.is_alive():
        raise ServiceNotReady("The model's service does not begin. Please try again.")
    return lines[0].decode(errors="replace").strip() if lines else ""


def _failure(line: str) -> VoilearnError:
    try:
        return error_of(*json.loads(line))
    except (ValueError, TypeError):
        return ServiceUnreachable(
            "The model's service could not be started. Start it in a shell to see why: "
            "python -m voilearn serve."
        )


def _environment() -> dict[str, str]:
    """Return the environment of the service: this package is found, and no other service."""
    package = str(Path(__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {k: v for k, v in os.environ.items() if k not in ("VOILEARN_URL", "VOILEARN_TOKEN")}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _sha256(file: Path) -> str:
    check_is_a_file(file)
    try:
        return model_sha256(file)
    except OSError as error:
        raise UnusableModel(f"{shown(file)} can't be read: {error.strerror}.") from error


def _stamp(model: Path) -> _Stamp:
    """Tell one state of a model's files from another, without reading them."""
    found = []
    for file in (model, model.with_suffix(".json")):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _parsed(url: str) -> SplitResult:
    try:
        at = urlsplit(url.strip())
        port, known = at.port, at.scheme in ("http", "https")
    except ValueError:
        port, known = None, False
    if not known or not at.hostname or port == 0:
        raise ServiceUnreachable(
            "VOILEARN_URL is not the address of a service. It looks like https://example.org, or "
            "http://10.0.0.5:8000."
        )
    return at


def _shown(at: SplitResult) -> str:
    """Return an address without what may be secret in it."""
    host = f"[{at.hostname}]" if ":" in (at.hostname or "") else at.hostname
    return f"{at.scheme}://{host}" + (f":{at.port}" if at.port else "")


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
