"""Read a request's body: counted as it comes, against a clock, and within what memory there is.

In comes a request; out go its bytes, or the photo in its form, or one of our errors. Nothing is
written to disk.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from starlette.requests import ClientDisconnect, Request

from voilearn.errors import (
    BadRequest,
    EmptyPhoto,
    PhotoTooLarge,
    RequestTimeout,
    ServiceBusy,
    TooManyRequests,
    printable,
)
from voilearn.limits import LIMITS, check_size
from voilearn.service.content_coding import coding_of
from voilearn.service.form import photo_in
from voilearn.service.sent_instead import check_unstripped, told

PIECE_SECONDS = 10.0  # without a byte, after which a sender counts as gone
GRACE = 10.0  # seconds before a sender's rate counts
RATE = 10_000  # bytes a second; a phone on the slowest of networks sends 25,000
FORM_EXTRA = 100_000  # bytes that a form may have around its photo


class Held(Protocol):
    """What a body holds of the memory there is for all."""

    def take(self, size: int) -> None:
        """Hold so many bytes more; raise ServiceBusy if they are not there."""


class Memory:
    """The bytes that all bodies together may have in memory, and one client's among them."""

    def __init__(self, limit: int, share: int) -> None:
        self.limit, self.share, self.held = limit, share, 0
        self.clients: Counter[str] = Counter()

    @contextmanager
    def hold(self, client: str) -> Iterator[Held]:
        """Hold memory for one request; it is given back at the end."""
        held = _Held(self, client)
        try:
            yield held
        finally:
            self.held -= held.size
            self.clients[client] -= held.size
            if not self.clients[client]:
                del self.clients[client]


class _Held:
    def __init__(self, memory: Memory, client: str) -> None:
        self._memory, self._client, self.size = memory, client, 0

    def take(self, size: int) -> None:
        memory = self._memory
        if memory.held + size > memory.limit:
            raise ServiceBusy("Too many photos are on their way here. Please try again in a while.")
        if memory.clients[self._client] + size > memory.share:
            raise TooManyRequests(
                "Too many of your photos are on their way here. Please wait for the answers to "
                "them before you send more."
            )
        memory.held += size
        memory.clients[self._client] += size
        self.size += size


async def read_photo(request: Request, held: Held) -> bytes:
    """Return the photo in a request: its body, or the field `photo` of a form.

    Raises EmptyPhoto, DamagedPhoto, PhotoTooLarge, BadRequest, RequestTimeout, ServiceBusy, or
    Starlette's ClientDisconnect.
    """
    if (coding := coding_of(request.headers.getlist("content-encoding"))) != "identity":
        raise BadRequest(
            f"The body is packed, as its Content-Encoding says: {printable(coding, 40)}. Send the "
            "photo's bytes as they are, for photos are packed already."
        )
    kind = request.headers.get("content-type", "").strip()
    if kind.lower().startswith("multipart/"):
        body = await read_body(request, LIMITS.bytes + FORM_EXTRA, held)
        held.take(2 * len(body))  # the photo's field, as it is put together and as it is given on
        photo = await photo_in(body, kind)
    else:
        photo = await read_body(request, LIMITS.bytes, held)
        check_unstripped(photo)
    try:
        check_size(len(photo))
    except EmptyPhoto as error:
        raise told(error, photo, kind) from error
    return photo


async def read_body(request: Request, limit: int, held: Held) -> bytes:
    """Return a request's body of at most `limit` bytes; raises what `read_photo` does."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit():
        _check(int(declared), limit)
    body, loop = bytearray(), asyncio.get_running_loop()
    slowest = loop.time() + GRACE
    try:
        async with asyncio.timeout(PIECE_SECONDS) as clock:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece = message.get("body", b"")
                _check(len(body) + len(piece), limit)
                held.take(len(piece))
                if not body and not message.get("more_body"):
                    return bytes(piece)
                body += piece
                if not message.get("more_body"):
                    return bytes(body)
                # what came fast buys no time for what comes after it
                slowest = min(slowest + len(piece) / RATE, loop.time() + GRACE)
                clock.reschedule(min(loop.time() + PIECE_SECONDS, slowest))
    except TimeoutError:
        raise RequestTimeout(
            "The photo came too slowly. Please send it again, or a smaller version of it."
        ) from None


def _check(size: int, limit: int) -> None:
    if size > limit:
        check_size(size)  # says it for photos
        raise PhotoTooLarge(f"This request has over {limit / 1e6:,.0f} MB, which is the limit.")
