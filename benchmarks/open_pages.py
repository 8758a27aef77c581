"""Measure what it costs the service that pages are open which ask nothing, by their number.

In comes how many; out goes a table for people: memory above that of the service alone, and the
share of a core, over some time between photos. The model is a tiny one, for a page that asks
nothing does not touch it. Each page is a connection that reads, as a browser's does.

    python benchmarks/open_pages.py
"""

import argparse
import contextlib
import resource
import selectors
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.processes import Server, free_port, memory, running  # noqa: E402
from tests import onnx_files  # noqa: E402

LISTEN = (
    "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Voilearn-Page: page-{number:016}\r\n"
    "Accept: */*\r\nAccept-Language: en-GB,en;q=0.9\r\nSec-Fetch-Mode: cors\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0\r\n\r\n"
)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run the service on a tiny model."""
    port = free_port()
    model = onnx_files.write(folder, onnx_files.model())
    start = [sys.executable, "-m", "voilearn", "serve", "--model", str(model), "--port", str(port)]
    with running(start, "readyz", ROOT, folder / "scratch", port) as server:
        yield server


@contextlib.contextmanager
def pages(port: int, count: int) -> Iterator[None]:
    """Have so many pages open, all of which have heard the first word."""
    chosen, over, heard = selectors.DefaultSelector(), threading.Event(), set[int]()

    def read() -> None:
        while not over.is_set():
            for key, _ in chosen.select(0.2):
                if key.fileobj.recv(4096):  # type: ignore[union-attr]
                    heard.add(key.fd)
                else:
                    chosen.unregister(key.fileobj)

    reader = threading.Thread(target=read)
    with contextlib.ExitStack() as stack:
        for number in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.sendall(LISTEN.format(port=port, number=number).encode())
            chosen.register(one, selectors.EVENT_READ)
        reader.start()
        try:
            until = time.monotonic() + 60
            while len(heard) < count:
                if time.monotonic() > until:
                    raise RuntimeError(f"Only {len(heard)} of {count} pages heard of the service.")
                time.sleep(0.1)
            yield
        finally:
            over.set()
            reader.join()


def allow_files(count: int) -> None:
    """Let this process, and a service that it starts from now on, have so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * count + 200)), hard))


def cost(server: Server, seconds: float) -> tuple[float, float]:
    """Return the service's private memory in MB, and the share of a core that it takes."""
    before, began = sum(server.process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    share = (sum(server.process.cpu_times()[:2]) - before) / (time.monotonic() - began)
    taken = memory(server.process)
    if taken is None:
        raise RuntimeError(f"The service has ended:\n{server.log_tail()}")
    return taken.uss / 1e6, share


def main() -> None:
    """Open the pages, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000, help="that are open at once")
    parser.add_argument("--seconds", type=float, default=30, help="for each figure")
    chosen = parser.parse_args()
    allow_files(chosen.pages)
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        server.settle()
        alone = cost(server, chosen.seconds)
        with pages(server.port, chosen.pages):
            server.settle(3.0, longest=15)
            among = cost(server, chosen.seconds)
    print("| open pages | MB, private | % of a core |")
    print("|---|---|---|")
    print(f"| 0 | {alone[0]:.1f} | {100 * alone[1]:.2f} |")
    print(f"| {chosen.pages} | {among[0]:.1f} | {100 * among[1]:.2f} |")
    print(
        f"\n{chosen.pages} pages cost {among[0] - alone[0]:.1f} MB, "
        f"{1000 * (among[0] - alone[0]) / chosen.pages:.1f} kB each, and "
        f"{100 * (among[1] - alone[1]):.2f} % of a core"
    )


if __name__ == "__main__":
    main()
