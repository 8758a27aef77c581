"""Keep each connection within bounds that uvicorn leaves open: its head's size and time.

In come a connection's bytes; out go the requests in them. A client that sends its headers a byte a
minute, or without an end, or a body that was refused already, is let go of.
"""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from voilearn.errors import BadRequest, RequestTimeout
from voilearn.service.request_log import PUSH
from voilearn.wire import MEDIA_TYPE, problem_of, problem_of_status

HEAD_SECONDS = 10.0  # from a request's first byte, or a connection's beginning, to its last header
HEAD_BYTES = 65_536
LINGER_SECONDS = 30.0  # in which what is left of a refused body is read, and thrown away,
LINGER_PAUSE = 2.0  # if it comes without pauses as long as this
NO_HTTP = (
    "This is no request of HTTP/1.1 that can be read. The service speaks that alone: https:// and "
    "HTTP/2 are for a proxy in front of it."
)
UPGRADE = {b"upgrade", b"connection", b"http2-settings"}
READ_SECONDS = 30.0  # in which a client reads some of an answer that waits for it


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection, with a clock for its heads and for what was refused."""

    most = 1_000  # connections at once; the descriptors that a process may have are the limit

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._in_head, self._heads, self._head_bytes, self.url = True, 0, 0, b""
        self._clock: asyncio.TimerHandle | None = None
        self._lingers_until = 0.0
        self._deaf = False  # after bytes that are no HTTP
        self._piece: bytes | None = None  # what came last, if none of it is read again
        self._around = 0  # bytes since the last of a body: of chunks' sizes, or of trailers
        self._unread: asyncio.TimerHandle | None = None
        self._running: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless there are too many."""
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._give(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; tell the request that is worked on, which need not be the newest."""
        self._stop_clock()
        self.resume_writing()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; let go of a head that has too many."""
        waiting = self.cycle is None or self.cycle.response_complete
        if self._in_head and self._clock is None and waiting:
            self._give(HEAD_SECONDS)
        elif self._lingers_until > self.loop.time():
            self._give(LINGER_PAUSE)
        if self._deaf:
            return
        self._piece = data
        before = self._heads if self._in_head else None
        self._around += 0 if self._in_head else len(data)
        super().data_received(data)
        if not self._in_head and self._around > HEAD_BYTES:
            self.transport.abort()
            return
        if self._in_head and before == self._heads:  # nothing but a part of one head
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and no trailer: nobody reads those, and nothing bounds them."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._around = 0
        super().on_body(body)

    def send_400_response(self, _msg: str) -> None:
        """Say once what is wrong with a head, and hear no more."""
        if self._in_head and len(self.url) > HEAD_BYTES // 2:
            told = problem_of_status(414, "The address is too long. A photo goes into the body.")
        elif self._head_bytes > HEAD_BYTES:
            told = problem_of_status(431, f"The headers have over {HEAD_BYTES // 1024} KB.")
        else:
            told = problem_of(BadRequest(NO_HTTP))
        self._end_with(told)

    def _end_with(self, told: dict[str, Any]) -> None:
        """Answer what became no request by a problem, and let go of the connection."""
        if self._deaf:
            return
        self._deaf = True
        status, body = told["status"], json.dumps(told).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Go from the head to the body."""
        if self.parser.should_upgrade():
            return  # it is read again
        self._around = 0
        self._in_head, self._head_bytes = False, 0
        self._heads += 1
        self._stop_clock()
        if self.parser.get_method() == b"GET":
            self.scope["extensions"] = {PUSH: {"push": self.push}}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go from the body to the next head."""
        if self.parser.should_upgrade():
            return
        self._in_head, self._lingers_until = True, 0.0
        self._stop_clock()
        super().on_message_complete()
        if self.transport.is_closing():  # what was refused has come to its end
            self.transport.close()
        elif self.cycle.response_complete:
            self._give(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """After an answer that did not wait for the body's end, wait no longer than a while."""
        super().on_response_complete()
        if not self._in_head and self.cycle.response_complete:
            self.linger()

    def push(self, piece: bytes) -> None:
        """Add to an answer that has begun, without its task, which costs more; no bytes end it."""
        if self._running.disconnected or self._running.response_complete:
            return
        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if not piece:
            self.transport.close()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, and not for ever."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on with a client that reads."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request again, as HTTP/1.1, whose client would rather speak another protocol.

        Java's does so with each request. The parser takes such a request's body for the other
        protocol, so a new one gets the head without the wish, and the rest of the bytes.
        """
        wish, piece = sys.exception(), self._piece
        self._piece = None
        if not isinstance(wish, HttpParserUpgrade) or piece is None:
            self.send_400_response("")  # another one, or CONNECT, behind the first
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % each for each in self.headers if each[0] not in UPGRADE]
        self.parser = HttpRequestParser(self)
        super().data_received(b"\r\n".join([*lines, b"", piece[wish.args[0] :]]))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def is_sending(self) -> bool:
        """Whether the client is in the middle of a body."""
        return not self._in_head

    def linger(self) -> None:
        """Read what is left of the body for a while, so that its sender reads the answer."""
        self.flow.resume_reading()
        self._lingers_until = self.loop.time() + LINGER_SECONDS
        self._give(LINGER_PAUSE)

    def _give(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self._time_is_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _time_is_up(self) -> None:
        self._clock = None
        if self.transport is None:
            return
        if (
            self._in_head
            and self._head_bytes
            and (self.cycle is None or self.cycle.response_complete)
        ):
            self._end_with(problem_of(RequestTimeout("The request's headers came too slowly.")))
        else:
            self.transport.abort()


class _Transport:
    """A connection's transport, which closes only when its client sends no more.

    Closed with bytes on the way, a socket is reset, and its client may lose the answer.
    """

    def __init__(self, transport: asyncio.Transport, connection: BoundedConnection) -> None:
        self._transport, self._connection = transport, connection
        self._closing = False

    def close(self) -> None:
        """Close at once, or after the rest of the body, or some seconds."""
        first, self._closing = not self._closing, True
        if not self._connection.is_sending:
            self._transport.close()
        elif first:
            self._connection.linger()

    def is_closing(self) -> bool:
        """Say whether nothing more is to be sent."""
        return self._closing or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
