"""Receive requests for the model: who may ask, whether it is ready, and whose turn it is.

In come requests and the work that each asks for; out goes what the work gives, or one of our
errors. The routes share it.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect

from voilearn.classifier import stopwatch
from voilearn.errors import DeadlinePassed, ServiceNotReady, TokenRefused
from voilearn.service.live_model import LiveModel
from voilearn.service.page import ServicePage
from voilearn.service.request_body import Memory
from voilearn.service.request_log import exchange_of
from voilearn.service.shadow import Shadow
from voilearn.service.work_queue import WorkQueue
from voilearn.wire import PAGE

DEADLINE = 30.0  # seconds in which a photo that came is answered, or refused
PLACES = 16  # photos in line for each worker
SHARE = 8  # of these, for one client: the last one waits no more than so many turns
PAGE_NAME = re.compile(r"[A-Za-z0-9-]{16,64}")  # long enough that no other page guesses it
BODIES = 256_000_000  # bytes that all photos on their way may take, and those of one client
BODIES_SHARE = 160_000_000

UNTRUSTED = (
    "a request names in %s whom it comes from, and is not believed. If a proxy stands in front, "
    "all who come through it share one client's places: set FORWARDED_ALLOW_IPS to the proxy's "
    "address or network, and have it send X-Forwarded-For."
)

log = logging.getLogger(__name__)
Found = TypeVar("Found")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


@dataclass
class Service:
    """What the routes share. `token` is None where everybody may ask, `page` where none is shown.

    `proves` says whether the service answers challenges, which is for the machine's own alone: a
    token that somebody made up could be guessed from the answers.
    """

    model: LiveModel
    queue: WorkQueue
    token: str | None = None
    origins: Sequence[str] = ()
    draining: bool = False
    proves: bool = False
    warned: bool = False
    last_asked: float = field(default_factory=time.monotonic)
    page: ServicePage | None = None
    shadow: Shadow | None = None
    memory: Memory = field(default_factory=lambda: Memory(BODIES, BODIES_SHARE))

    @property
    def hindrance(self) -> str | None:
        """Why no photo can be answered now: "loading" or "draining", or None."""
        if self.draining:
            return "draining"
        return None if self.model.served else "loading"

    async def check_token(self, given: Bearer) -> None:
        """Raise TokenRefused unless the right token was given, in a time that tells nothing."""
        if self.token is None:
            return
        if not hmac.compare_digest(
            _digest(given.credentials if given else ""), _digest(self.token)
        ):
            raise TokenRefused(
                "This service needs its token: send the header Authorization: Bearer TOKEN."
            )

    def check_ready(self) -> None:
        """Raise ServiceNotReady until there is a model."""
        if not self.model.served:
            raise ServiceNotReady("The model is still loading. Please try again in a few seconds.")

    def check_place(self, request: Request) -> None:
        """Raise what the line does if it has no place for the client's photo."""
        self._look_for_a_proxy(request)
        self.queue.check(client_of(request))

    def _look_for_a_proxy(self, request: Request) -> None:
        """Warn, once, of a proxy whose clients all count as one; nobody's address is logged."""
        if self.warned or not request.client:
            return
        names = [name for name in ("X-Forwarded-For", "Forwarded") if name in request.headers]
        told = ",".join(request.headers.getlist("x-forwarded-for"))  # uvicorn reads it alone
        if names and request.client.host not in told:
            self.warned = True
            log.warning(UNTRUSTED, names[0])

    async def done(
        self, request: Request, work: Callable[[], Found], until: float | None = None
    ) -> Found:
        """Return what `work` does in its turn, or let it be when nobody waits any longer.

        `until` is a time of `time.monotonic`, by default DEADLINE seconds from now.
        Raises ServiceBusy, TooManyRequests, DeadlinePassed, ClientDisconnect, and what `work` does.
        """
        exchange = exchange_of(request.scope)
        self.last_asked = time.monotonic()
        came = time.perf_counter()

        def timed() -> Found:
            exchange.add({"wait": time.perf_counter() - came})
            with stopwatch() as seconds:
                try:
                    return work()
                finally:
                    exchange.add(seconds)

        until = deadline() if until is None else until
        future = asyncio.wrap_future(
            self.queue.submit(timed, client_of(request), until, page_of(request))
        )
        gone = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait(
                (future, gone),
                timeout=max(0.0, until - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if future.done():
                found: Found = future.result()
                return found
            if gone.done():
                raise ClientDisconnect
            raise DeadlinePassed("The photo waited too long. Please try again.")
        finally:
            gone.cancel()
            future.cancel()


async def _left(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def deadline() -> float:
    """Return until when a request that has come is answered, as `time.monotonic` tells it."""
    return time.monotonic() + DEADLINE


def client_of(request: Request) -> str:
    """Return whose request it is: an address, of IPv6 the half that is one household's."""
    host = request.client.host if request.client else ""
    try:
        return str(ipaddress.IPv6Network(f"{host.partition('%')[0]}/64", strict=False))
    except ValueError:
        return host


def page_of(request: Request) -> str:
    """Return what the page that asks calls itself, or the empty string for one that does not."""
    name = request.headers.get(PAGE, "")
    return name if PAGE_NAME.fullmatch(name) else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
