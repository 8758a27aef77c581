"""Follow each request from its first byte to its answer: its id, its stages, how it ended.

In comes a request; out go the same request, two headers on its answer, a line in the log and a
count. Nothing of a photo is in any of them, nor the address it came from.
"""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PUSH = "voilearn.push"  # the extension by which an answer is added to, or ended, by no task
ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")  # what a client may name its request
LEFT = "left"  # the outcome of a request whose client went away
KEY = "voilearn.service.request_log"

log = logging.getLogger("voilearn.requests")


class Counts(Protocol):
    """Whoever counts requests."""

    def begin(self) -> None:
        """Count a request that came."""

    def end(self, route: str, outcome: str, stages: Mapping[str, float]) -> None:
        """Count one that ended."""


@dataclass(slots=True)
class Exchange:
    """One request on its way. `stages` are seconds; `size` is the body's, in bytes."""

    id: str
    began: float = field(default_factory=time.perf_counter)
    stages: dict[str, float] = field(default_factory=dict)
    size: int = 0
    outcome: str = ""
    status: int = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is inside, awaited or not."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - began})

    def add(self, stages: Mapping[str, float]) -> None:
        """Add the seconds of some stages; one may pass several times, for several photos."""
        for name, seconds in stages.items():
            self.stages[name] = self.stages.get(name, 0.0) + seconds


def exchange_of(scope: MutableMapping[str, Any]) -> Exchange:
    """Return the Exchange of an ASGI scope that came through `Exchanges`."""
    found: Exchange = scope[KEY]
    return found


class Exchanges:
    """The ASGI application around a service's own; `closing` says whether it is about to end."""

    def __init__(self, app: App, counts: Counts, closing: Callable[[], bool]) -> None:
        self._app, self._counts, self._closing = app, counts, closing

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request; whatever is no request goes through untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(_id_of(scope))
        scope[KEY] = exchange

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_headers(exchange)]
                if self._closing():  # so that the client's next request goes elsewhere
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        self._counts.begin()
        try:
            await self._app(scope, receive, sending)
        except BaseException:
            exchange.outcome = exchange.outcome or "bug"
            raise
        finally:
            self._end(scope, exchange)

    def _end(self, scope: Message, exchange: Exchange) -> None:
        exchange.stages["total"] = time.perf_counter() - exchange.began
        route = getattr(scope.get("route"), "path", "none")  # never what a client wrote
        outcome = exchange.outcome or ("answered" if exchange.status < 400 else "refused")
        stages = dict(exchange.stages)  # a worker may still add to them
        self._counts.end(route, outcome, stages if exchange.size else {})
        log.info(
            "request",
            extra={
                "id": exchange.id,
                "method": scope["method"] if scope["method"] in METHODS else "other",
                "route": route,
                "status": exchange.status,
                "outcome": outcome,
                "bytes": exchange.size,
                "ms": {name: round(s * 1000, 2) for name, s in stages.items()},
            },
        )


METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


def _id_of(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)


def _headers(exchange: Exchange) -> list[tuple[bytes, bytes]]:
    total = {**exchange.stages, "total": time.perf_counter() - exchange.began}
    timing = ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in total.items())
    return [(b"x-request-id", exchange.id.encode()), (b"server-timing", timing.encode())]
