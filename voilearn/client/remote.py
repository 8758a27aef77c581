"""Ask a service at an address for the answers, over HTTP.

In comes a photo's bytes; out goes the Prediction of the service. Its errors are raised as if the
model were here.
"""

import base64
import contextlib
import http.client
import json
import random
import re
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from voilearn.errors import (
    PhotoTooLarge,
    ServiceError,
    ServiceNotReady,
    ServiceUnreachable,
    TokenRefused,
    TooManyRequests,
    printable,
)
from voilearn.prediction import ModelInfo, Prediction, model_info_from, prediction_from
from voilearn.wire import CHALLENGE, CHOSEN, PROOF, error_in, proof

CONNECT_SECONDS = 5.0
PROOF_SECONDS = 30.0  # while Python loads torch from a slow disk, the service says nothing
ANSWER_SECONDS = 60.0
LOAD_SECONDS = 180.0  # until its model has answered once
LOOK = 0.1  # seconds between two looks whether a model is loaded
AGAIN = (
    0.5  # seconds, and up to half as many more, until a photo lost on its way is sent once more,
)
MOST_AGAIN = 10.0  # or as many as whoever lost it says, if they are no more than these
GATEWAY = (502, 503, 504, *range(520, 531))  # of proxies; the latter are Cloudflare's
MOST = 50_000_000  # bytes of an answer
BROKEN = (OSError, http.client.HTTPException)
_T = TypeVar("_T")


class Gone(ServiceUnreachable):
    """There is no service, or it ended."""


class Lost(Gone):
    """The connection ended before the answer: the service had the photo, or some of it."""


class Behind(ServiceUnreachable):
    """What stands in front of the service does not reach it just now."""


class Remote:
    """The service at an address, as a `Classify`.

    With `prove`, a service has to show that it knows the token before it gets a photo. `setting` is
    where the address was written, for the sentences of errors.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        prove: bool = False,
        setting: str = "VOILEARN_URL",
    ) -> None:
        self._at = at = _parsed(url, setting)
        self._setting = setting
        token = (token or "").strip()  # a token in a file often ends in a new line
        if not (token.isascii() and token.isprintable()):
            raise TokenRefused("VOILEARN_TOKEN is no token: it has other signs than ASCII's.")
        self._token, self._prove = token, prove and bool(token)
        self._headers = {"Content-Type": CHOSEN}
        if token and at.username is not None:
            raise TokenRefused(
                f"{setting} has a login in it, and VOILEARN_TOKEN is set: both are sent in the "
                "same header. Leave one of them out; a proxy that checks the login can put in the "
                "token."
            )
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif at.username is not None:
            login = f"{unquote(at.username)}:{unquote(at.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        self._idle: list[http.client.HTTPConnection] = []

    def __call__(self, photo: bytes) -> Prediction:
        """Return the service's Prediction; wait for it while it loads.

        One that is full is not waited for: ServiceBusy and TooManyRequests say when to ask again.
        """
        return self._once_loaded(lambda: self._ask(photo).prediction())

    def model(self) -> ModelInfo:
        """Return the model in service; wait for it while it loads."""
        return self._once_loaded(lambda: self._ask(None, "GET", "/v1/model").model())

    def _once_loaded(self, ask: Callable[[], _T]) -> _T:
        began = time.monotonic()
        asked_again = False
        while True:
            try:
                return ask()
            except (Behind, Lost) as error:
                if self._prove:  # `this_machine` counts, and starts it again
                    raise error if isinstance(error, Lost) else Lost(str(error)) from error
                late = isinstance(error.__cause__, TimeoutError)  # it had its time
                pause = AGAIN if error.retry_after is None else error.retry_after
                if asked_again or late or pause > MOST_AGAIN:
                    raise
                asked_again = True  # once: a photo may be what ends a service, and the next one
                time.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # not all at once
            except ServiceNotReady as error:
                pause = LOOK if self._prove else float(error.retry_after or 1)
                if time.monotonic() + pause > began + LOAD_SECONDS:
                    raise
                time.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311  # not all at once

    def current(self) -> str:
        """Return the SHA-256 of the export.pkl that the model in service comes from."""
        return self._ask(None, "GET", "/v1/model").sha256()

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
        """Ask, over a connection that was left from before, or a new one."""
        try:
            return self._answer(self._kept() or self._connection(), method, path, photo)
        except Lost as error:
            self._forget_kept()  # the others may be as dead: the next try connects anew
            if photo is not None or isinstance(error.__cause__, TimeoutError):
                raise
        return self._answer(self._connection(), method, path, photo)

    def _forget_kept(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _kept(self) -> http.client.HTTPConnection | None:
        """Return a connection from before that the service has not ended, if there is one."""
        with contextlib.suppress(IndexError):  # there is none
            while kept := self._idle.pop():
                if kept.sock is not None and not _has_come(kept.sock):
                    return kept
                kept.close()
        return None

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
        path = quote(self._at.path, safe="/%:@!$&'()*+,;=~") + path
        try:
            if connection.sock is None:
                raise http.client.NotConnected("it was closed")
            connection.sock.settimeout(seconds)
            connection.request(method, path, body, headers)
            with _time_limit(connection.sock, seconds):
                response = connection.getresponse()
                answer = _Answer(
                    response.status,
                    response.headers,
                    response.read(MOST),
                    self._at,
                    self._setting,
                )
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
    """What a service answered; which one, and where its address was written."""

    status: int
    headers: Message
    body: bytes
    at: SplitResult
    setting: str

    def prediction(self) -> Prediction:
        """Return the Prediction in it, or raise the error."""
        return self._read(prediction_from)

    def model(self) -> ModelInfo:
        """Return the model that it tells of, or raise the error."""
        return self._read(model_info_from)

    def sha256(self) -> str:
        """Return the hash of the model that it tells of, or raise the error."""
        return self._read(lambda told: str(told["sha256"]))

    def _read(self, read: Callable[[Any], _T]) -> _T:
        try:
            if self.status == HTTPStatus.OK:
                return read(json.loads(self.body))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            if isinstance(error, json.JSONDecodeError) and self._was_cut():
                raise Behind(
                    f"The answer of the service at {_shown(self.at)} was cut short on its way. "
                    "Please try again."
                ) from error
        told = error_in(self.body) or self._of_another()
        retry_after = self.headers.get("Retry-After", "")
        seconds = re.fullmatch("[0-9]{1,9}", retry_after)
        told.retry_after = int(retry_after) if seconds else None
        raise told

    def _was_cut(self) -> bool:
        """Say whether the end of an answer is missing, which no length tells."""
        begun = self.body.startswith(b'{"label":')
        in_its_head = not self.body and "Content-Length" not in self.headers
        return begun or in_its_head

    def _of_another(self) -> ServiceError | PhotoTooLarge:
        """Return what an answer says that is not the service's own."""
        status, there = self.status, _shown(self.at)
        front = f"What stands in front of the service at {there}"
        if status in (401, 407):
            return ServiceUnreachable(
                f"{front} asks for a login (status {status}). {self._login()}"
            )
        if status == 403:
            return ServiceUnreachable(
                f"{front} lets nobody in from here, or not with this login (status 403). Ask "
                "whoever runs it."
            )
        if status == 413:
            return PhotoTooLarge(
                f"This photo is larger than {front[0].lower()}{front[1:]} lets through (status "
                "413). Please send a smaller version of the photo."
            )
        if status == 429:
            return TooManyRequests(f"{front} has too many requests. Please try again in a moment.")
        if status in GATEWAY:
            return Behind(
                f"{front} does not reach it just now (status {status}). Please try again in a "
                "moment."
            )
        if status == 500 and not self.body.lstrip().startswith(
            b"{"
        ):  # as Ray Serve's of a dead one
            return Behind(
                f"What answers at {there} failed (status 500), and not as Voilearn's service does. "
                f"Please try again in a moment. If it always does, check {self.setting}."
            )
        if 300 <= status < 400 and (to := self._moved_to()):
            return ServiceUnreachable(
                f"What answers at {there} sends on to {to} (status {status}). If that is the "
                f"service, put it into {self.setting}; if it is a login, nothing can log in there."
            )
        return ServiceUnreachable(
            f"What answers at {there} is not Voilearn's service (status {status}). Check "
            f"{self.setting}: it is the service's address, without /v1."
        )

    def _login(self) -> str:
        """Return what to do about a login."""
        named = self.headers.get_all("WWW-Authenticate") or self.headers.get_all(
            "Proxy-Authenticate"
        )
        kinds = [each.split(" ")[0].lower() for each in named or ()]
        if "bearer" in kinds:
            return "It wants a token: check VOILEARN_TOKEN."
        if "basic" not in kinds:
            kind = printable(", ".join(kinds), 40) or "not told"
            return f"Its kind is {kind}, which can't be given here. Ask whoever runs it."
        if self.at.username is not None:
            return f"It does not take the one that is in {self.setting}."
        return f"Put it into {self.setting}: https://NAME:PASSWORD@… and leave out VOILEARN_TOKEN."

    def _moved_to(self) -> str | None:
        """Return the address that a redirect names, without what may be secret in it."""
        location = self.headers.get("Location")
        with contextlib.suppress(ValueError):
            to = urlsplit(urljoin(self.at.geturl(), location))
            if location and to.hostname:
                return printable(_shown(to), 100)
        return None


def _has_come(sock: socket.socket) -> bool:
    """Say whether there is something to read, as the end, where nothing was asked."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):  # it is closed, or no descriptor is left to look with
        return True


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


def _parsed(url: str, setting: str) -> SplitResult:
    try:
        at = urlsplit(url.strip())
        port, known = at.port, at.scheme in ("http", "https")
    except ValueError:
        port, known = None, False
    if not known or not at.hostname or port == 0 or at.query or at.fragment:
        raise ServiceUnreachable(
            f"{setting} is not the address of a service. It looks like https://example.org, or "
            "http://10.0.0.5:8000."
        )
    return at._replace(path=re.sub(r"(/v1(/classify)?|/docs)?/*$", "", at.path))


def _shown(at: SplitResult) -> str:
    """Return an address without what may be secret in it."""
    host = f"[{at.hostname}]" if ":" in (at.hostname or "") else at.hostname
    return f"{at.scheme}://{host}" + (f":{at.port}" if at.port else "")


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
