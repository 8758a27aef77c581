"""Ask a service for the answers: a `Classify` that needs neither torch nor fastai.

In comes a photo's bytes; out goes the Prediction of a service somewhere else, or of this machine's
own, which is joined or started. Its errors are raised as if the model were here.
"""

import contextlib
import http.client
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from voilearn.challenge import CHALLENGE, PROOF, proof
from voilearn.digest import file_sha256
from voilearn.errors import (
    ServiceBusy,
    ServiceNotReady,
    ServiceUnreachable,
    TooManyRequests,
    VoilearnError,
    error_of,
)
from voilearn.prediction import Classify, Prediction, prediction_from
from voilearn.problem import error_in
from voilearn.runtime_folder import LISTENING, Entry, RuntimeFolder
from voilearn.wrong_file import check_is_a_file

IDLE = 600.0  # seconds without a photo, after which the machine's own service ends
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
START_SECONDS = 60.0  # until a service that was started listens
LOAD_SECONDS = 180.0  # until its model has answered once
BUSY_SECONDS = 30.0  # of trying again where too many photos are waiting
LOOK = 0.1  # seconds between two looks whether a model is loaded
MOST = 50_000_000  # bytes of an answer
BROKEN = (OSError, http.client.HTTPException)


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
    """The connection ended before the answer, or there was none."""


class Remote:
    """The service at an address, as a `Classify`.

    With `prove`, a service has to show that it knows the token before it gets a photo.
    """

    def __init__(self, url: str, token: str | None = None, prove: bool = False) -> None:
        self._at = _parsed(url)
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
                loading = isinstance(error, ServiceNotReady)
                if time.monotonic() - began > (LOAD_SECONDS if loading else BUSY_SECONDS):
                    raise
                pause = LOOK if self._prove else float(error.retry_after or 1)
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
        while True:
            kept = self._idle.pop() if self._idle else None
            connection = kept or self._connection()
            try:
                answer = self._exchange(connection, "POST", "/v1/classify", photo, self._headers)
            except Gone:
                if kept is None:
                    raise
                continue
            if answer.headers.get("Connection", "").lower() == "close":
                connection.close()
            else:
                self._idle.append(connection)
            return answer.prediction(self._at)

    def _connection(self) -> http.client.HTTPConnection:
        """Return a new connection, at the other end of which is the service."""
        at = self._at
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        connection = kind(at.hostname or "", at.port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except BROKEN as error:
            connection.close()
            raise Gone(f"There is no service at {_shown(at)}: {_reason(error)}.") from error
        connection.auto_open = 0  # a new one would not have been challenged
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._prove:
            self._challenge(connection)
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection

    def _challenge(self, connection: http.client.HTTPConnection) -> None:
        challenge, token = secrets.token_hex(16), self._token or ""
        answer = self._exchange(connection, "GET", "/readyz", None, {CHALLENGE: challenge})
        if not secrets.compare_digest(answer.headers.get(PROOF, ""), proof(token, challenge)):
            connection.close()
            raise Gone("Another program has taken the place of the model's service.")

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> "_Answer":
        try:
            connection.request(method, self._at.path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            return _Answer(response.status, response.headers, response.read(MOST))
        except BROKEN as error:
            connection.close()
            raise Gone(
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
        error.retry_after = int(retry_after) if retry_after.isdigit() else None
        raise error


class LocalModel:
    """The machine's own service for a model file, as a `Classify`."""

    def __init__(self, model: Path, idle: float = IDLE) -> None:
        check_is_a_file(model)
        self._model, self._idle = model.resolve(), idle
        self._folder = RuntimeFolder()
        self._turn = threading.Lock()
        self._joined: tuple[Entry, Remote] | None = None
        self._stamp: tuple[int, int] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._join()

    def __call__(self, photo: bytes) -> Prediction:
        """Return the service's Prediction; if it has ended, start it again and ask once more."""
        self._check_still_ours()
        for last in (False, True):
            entry, remote = self._join()
            try:
                return remote(photo)
            except Gone:
                self._forget(entry)
                if last:
                    raise
        raise AssertionError  # one of the two returns or raises

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
        if len(own) < len(entries):
            sha256 = file_sha256(self._model)
            own += [e for e in entries if e not in own and e.file_sha256 == sha256]
        for entry in own:
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
        self._process = process  # kept, so that it is waited for when it has ended
        try:
            line = _first_line(process)
        except BaseException:
            process.kill()
            raise
        if line != LISTENING:
            raise _failure(line)
        if (found := self._found()) is None:
            raise ServiceUnreachable("The model's service ended at once. Please try again.")
        return found

    def _forget(self, entry: Entry) -> None:
        """Let go of a service that is gone; raise why, if it told that its model is no good."""
        with self._turn:
            if self._joined and self._joined[0].token == entry.token:
                self._joined = None
        if self._process is not None:
            self._process.poll()
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
    """Return the line by which a service tells how it began; "" if it ended without a word."""
    lines: list[bytes] = []
    assert process.stdout is not None  # noqa: S101  # it was asked for
    with process.stdout as stdout:
        reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_SECONDS)
        if reader.is_alive():
            raise ServiceNotReady("The model's service does not begin. Please try again.")
    return lines[0].decode().strip() if lines else ""


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


def _stamp(file: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = file.stat()
        return found.st_size, found.st_mtime_ns
    return None


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
    return f"{at.scheme}://{at.hostname}" + (f":{at.port}" if at.port else "")


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
