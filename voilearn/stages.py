"""Time the stages of a photo's way to its answer, for whoever wants to know.

In come the stages as they pass; out go their seconds. Where nobody asks, nothing is kept.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_asked: ContextVar[dict[str, float] | None] = ContextVar("voilearn_stages", default=None)


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Collect the seconds of each stage that passes inside, in this thread or task."""
    seconds: dict[str, float] = {}
    token = _asked.set(seconds)
    try:
        yield seconds
    finally:
        _asked.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time what is inside as a stage of that name."""
    seconds = _asked.get()
    if seconds is None:
        yield
        return
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
