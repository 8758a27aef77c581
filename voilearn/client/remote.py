"""Ask a service at an address for the answers, over HTTP.

In comes a photo's bytes; out goes the Prediction of the service. Its errors are raised as if the
model were here.
"""

import contextlib
import http.client
import json
import random
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from voilearn.errors import (
    ServiceNotReady,
    ServiceUnreachable,
    TokenRefused,
)
from voilearn.prediction import Prediction, prediction_from
from voilearn.wire import CHALLENGE, PROOF, error_in, proof

CONNECT_SECONDS = 5.0
PROOF_SECONDS = 30.0  # while Python loads torch from a slow disk, the service says nothing
ANSWER_SECONDS = 60.0
LOAD_SECONDS = 180.0  # until its model has answered once
LOOK = 0.1  # seconds between two looks whether a model is loaded
MOST = 50_000_000  # bytes of an answer
BROKEN = (OSError, http.client.HTTPException)
_T = TypeVar("_T")


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
        """Return the service's Prediction; wait for it while it loads.

        One that is full is not waited for: ServiceBusy and TooManyRequests say when to ask again.
        """
        began = time.monotonic()
        while True:
            try:
                return self._ask(photo).prediction(self._at)
            except ServiceNotReady as error:
                pause = LOOK if self._prove else float(error.retry_after or 1)
                if time.monotonic() + pause > began + LOAD_SECONDS:
                    raise
                time.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # not all at once

    def current(self) -> str:
        """Return the SHA-256 of the export.pkl that the model in service comes from."""
        return self._ask(None, "GET", "/v1/model").sha256(self._at)

    def alive(self) -> bool:
        """Say whether the service is there, and is the one that knows the token."""
        try:
            self._idle.append(self._connection())
        except ServiceUnreachable:
            return False
        return True

    def _ask(
        self, photo: bytes | None, method: str = "POST", path: str = "/v1/classify"
    ) -> "_Answer":
        """Ask once; over a connection that was left from before, or if that ended, a new one."""
        with contextlib.suppress(IndexError):  # there is none
            kept = self._idle.pop()
            try:
                return self._answer(kept, method, path, photo)
            except Gone as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise  # it had its time
        return self._answer(self._connection(), method, path, photo)

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, photo: bytes | None
    ) -> "_Answer":
        answer = self._exchange(connection, method, path, photo, self._headers)
        if connection.sock is not None:  # the service keeps it open
            self._idle.append(connection)
        return answer

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
        return self._read(at, prediction_from)

    def sha256(self, at: SplitResult) -> str:
        """Return the hash of the model that it tells of, or raise the error."""
        return self._read(at, lambda told: str(told["sha256"]))

    def _read(self, at: SplitResult, read: Callable[[Any], _T]) -> _T:
        try:
            if self.status == HTTPStatus.OK:
                return read(json.loads(self.body))
        except (ValueError, LookupError, TypeError, RecursionError):
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
