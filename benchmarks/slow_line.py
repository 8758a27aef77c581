"""A line between a browser and a server on this machine: it counts bytes, and can be a slow one.

In comes the port of a server; out goes the port to visit it at, and the bytes that went each way,
as they are on the socket: heads, bodies, and the frames of websockets. A slow line has one speed
for each way, which all its connections share, and a delay; a new connection costs one round trip
more, as TCP's handshake does, while TCP's slow start and TLS are left out.

The browser's own throttling is not used, for it is of half a line: Chromium 156 applies it to the
bytes of a websocket, but its latency only to the opening of one. Messages to and from a kernel
would travel for nothing, and the page of a notebook is made of them.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

PIECE = 4096  # bytes that one connection sends before it is another's turn
LARGE_PIECE = 1 << 16  # the same where nothing is slow
AHEAD = 1 << 18  # bytes that may be on their way in one connection
LATE = 0.005  # seconds that a clock may wake a piece too late, which the line makes up for


@dataclass(frozen=True)
class Speed:
    """How fast a line is: megabits a second each way, and the seconds of a round trip."""

    mbit: float
    round_trip: float

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.mbit:g} Mbit/s, {1e3 * self.round_trip:.0f} ms"


class Way:
    """One way of a line: tells when bytes have been sent and when they arrive, and counts them."""

    def __init__(self, speed: Speed | None) -> None:
        self.speed = speed
        self.bytes = 0
        self.last = 0.0  # when bytes went last, by the clock of time.monotonic
        self._free = 0.0  # when the line has sent what was given to it

    def send(self, size: int, now: float) -> tuple[float, float]:
        """Count bytes; return when the last of them has left and when it arrives."""
        self.bytes += size
        self.last = now
        if self.speed is None:
            return now, now
        self._free = max(self._free, now - LATE) + size * 8 / (1e6 * self.speed.mbit)
        return self._free, self._free + self.speed.round_trip / 2


class Line:
    """A line to a server's port, open until it is closed; `speed` None is this machine's own."""

    def __init__(self, server: int, speed: Speed | None = None) -> None:
        self.server, self.speed = server, speed
        self.up, self.down = Way(speed), Way(speed)
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Line":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def url(self) -> str:
        """The server's address by way of this line."""
        return f"http://127.0.0.1:{self.port}/"

    def reset(self) -> None:
        """Count from zero."""
        self.up.bytes = self.down.bytes = 0

    def idle(self) -> float:
        """Return for how many seconds nothing has gone over it."""
        return time.monotonic() - max(self.up.last, self.down.last)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        starting = asyncio.start_server(self._connect, "127.0.0.1", 0)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what comes both ways until either side has hung up, or the line is closed."""
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            if self.speed:
                await asyncio.sleep(self.speed.round_trip)
            there = await asyncio.open_connection("127.0.0.1", self.server)
            with contextlib.closing(there[1]):
                ways = carry(reader, there[1], self.up), carry(there[0], writer, self.down)
                await first_of(*ways)


async def first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Run both ways of a connection until one has ended, then end the other."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
    """Send what is read over one way, until it ends; nobody minds who hangs up.

    Pieces take their turn on the line, and each arrives later than it left; many are on their way
    at once.
    """
    if way.speed is None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(LARGE_PIECE):
                way.send(len(piece), time.monotonic())
                writer.write(piece)
                await writer.drain()
        return
    sent: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD // PIECE)

    async def arrive() -> None:
        with contextlib.suppress(OSError):
            while piece := await arrived(sent):
                writer.write(piece)
                await writer.drain()

    arriving = asyncio.ensure_future(arrive())
    try:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                left, there = way.send(len(piece), time.monotonic())
                await sent.put((there, piece))
                await until(left)
        await sent.put((time.monotonic() + way.speed.round_trip / 2, b""))
        await arriving
    finally:
        arriving.cancel()


async def arrived(sent: "asyncio.Queue[tuple[float, bytes]]") -> bytes:
    """Return the next piece, when it has arrived."""
    there, piece = await sent.get()
    await until(there)
    return piece


async def until(moment: float) -> None:
    """Wait for a moment of time.monotonic."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
