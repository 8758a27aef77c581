"""Wait for what another thread, process or page does, as long as the busiest machine may need.

In comes a condition, a process or a number of bytes; out goes what came. Nothing here is a speed:
the one bound is against hanging, and at least ten times what anything takes on a quiet machine.
"""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, AnyStr, TypeVar

T = TypeVar("T")
WITHIN = 300.0  # seconds


def wait_for(condition: Callable[[], Any], seconds: float = WITHIN) -> Any:
    """Return what a condition is, once it is true."""
    until, pause = time.monotonic() + seconds, 0.02
    while not (found := condition()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(pause)
        pause = min(1.5 * pause, 0.2)  # to look may be work: all processes of a machine
    return found


def line_of(stream: IO[AnyStr] | None) -> AnyStr:
    """Return the next line that a process says; the empty one, if it ended without a word."""
    assert stream is not None
    lines: list[AnyStr] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(WITHIN)
    assert lines, "the process said nothing"
    return lines[0]


def ended(process: "subprocess.Popen[Any]") -> int:
    """Return the exit code of a process that ends by itself."""
    return process.wait(WITHIN)


def returned(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, in a thread and an event loop of its own.

    The test's own thread may have a loop that runs: Playwright's, of a browser that other tests
    use too.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
