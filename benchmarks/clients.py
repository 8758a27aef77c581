"""Send photos to a server from many clients at once, each with one request under way at a time.

In comes a plan as JSON on standard input; out goes what happened, as JSON on standard output. It
is a process of its own, and a light one, for it shares the machine with the server.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DEADLINE = 30.0  # seconds within which every request is to be answered or refused
PATIENCE = 2 * DEADLINE  # after which a client hangs up
REFUSED = (429, 503)
BOUNDARY = "a-photo-ends-here"


@dataclass
class Plan:
    """What to do: `field` is the photo's in a multipart form; without one its bytes are the body.

    `labels` are those that learn.predict gives the photos.
    """

    port: int
    path: str
    field: str
    photos: list[str]
    labels: list[str]
    clients: int
    seconds: float


@dataclass
class Found:
    """What happened: seconds of every answer, how many came in the time given, and the rest.

    `longest` is the most that any request waited for an answer, a refusal or an error.
    """

    answers: list[float] = field(default_factory=list)
    in_time: int = 0
    refusals: int = 0
    errors: int = 0
    other_labels: int = 0
    longest: float = 0.0

    def told(self, seconds: float) -> dict[str, float]:
        """Return it as figures: requests a second, and milliseconds of the answers."""
        return {
            "requests/s": self.in_time / seconds,
            "p50": 1e3 * percentile(self.answers, 50),
            "p99": 1e3 * percentile(self.answers, 99),
            "refusals": self.refusals,
            "errors": self.errors,
            "other labels": self.other_labels,
            "longest": self.longest,
        }


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many percent of the values do not exceed, or nan of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def middle(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return one for several rounds: medians, the sum of what is counted, and the longest."""
    merge: dict[str, Callable[[list[float]], float]]
    merge = {"refusals": sum, "errors": sum, "other labels": sum, "longest": max}
    return {
        name: merge.get(name, statistics.median)([told[name] for told in rounds])
        for name in rounds[0]
    }


def request(plan: Plan, photo: bytes) -> bytes:
    """Return a request as it goes over the wire."""
    kind, body = "application/octet-stream", photo
    if plan.field:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        name = f'Content-Disposition: form-data; name="{plan.field}"; filename="photo.jpg"'
        head = f"--{BOUNDARY}\r\n{name}\r\nContent-Type: image/jpeg\r\n\r\n"
        body = head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    lines = [
        f"POST {plan.path} HTTP/1.1",
        f"Host: 127.0.0.1:{plan.port}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status of an answer, and its headers under their names in lower case."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


class Connection:
    """A connection that is kept, and opened anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, unless it is."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        return self.streams

    def close(self) -> None:
        """Hang up."""
        if self.streams is not None:
            self.streams[1].close()
        self.streams = None

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request; return the answer's status, headers and body."""
        reader, writer = await self.open()
        writer.write(data)
        status, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body


async def client(
    connection: Connection, work: Iterator[tuple[bytes, str]], until: float, found: Found
) -> None:
    """Send one request after the other until the time is over, and note what came."""
    while (began := time.perf_counter()) < until:
        data, label = next(work)
        wait = 0.0
        try:
            async with asyncio.timeout(PATIENCE):
                status, headers, body = await connection.ask(data)
        except (OSError, EOFError, TimeoutError, KeyError, ValueError):
            connection.close()
            found.errors += 1
            wait = 0.1
        else:
            wait = note(found, status, headers, body, label)
        ended = time.perf_counter()
        found.longest = max(found.longest, ended - began)
        if not wait:
            found.answers.append(ended - began)
            found.in_time += ended <= until
        await asyncio.sleep(min(wait, max(0.0, until - ended)))


def note(found: Found, status: int, headers: dict[str, str], body: bytes, label: str) -> float:
    """Note a refusal, an error or another label; return the seconds to wait, 0 after an answer."""
    if status in REFUSED:
        found.refusals += 1
        return max(0.1, float(headers.get("retry-after", 1)))
    if status != 200:
        found.errors += 1
        return 0.1
    found.other_labels += json.loads(body)["label"] != label
    return 0.0


async def load(plan: Plan) -> Found:
    """Let all the clients of a plan connect, and then begin together."""
    photos = [request(plan, Path(photo).read_bytes()) for photo in plan.photos]
    pairs = list(zip(photos, plan.labels, strict=True))
    work = (pairs[at % len(pairs)] for at in range(sys.maxsize))
    connections = [Connection(plan.port) for _ in range(plan.clients)]
    found = Found()
    with contextlib.suppress(OSError):
        await asyncio.gather(*(connection.open() for connection in connections))
    until = time.perf_counter() + plan.seconds
    await asyncio.gather(*(client(one, work, until, found) for one in connections))
    for connection in connections:
        connection.close()
    return found


def told(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON has it."""
    return asdict(plan)


if __name__ == "__main__":
    plan = Plan(**json.load(sys.stdin))
    print(json.dumps(asyncio.run(load(plan)).told(plan.seconds)))
