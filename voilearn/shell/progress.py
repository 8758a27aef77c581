"""Show on a terminal how far a long work is: a bar below the lines, and none in a pipe.

In come lines; out they go to standard output, and the bar to standard error. It is taken away
before a line where both are the same terminal, and at the end.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from voilearn.shell.terminal import put

EVERY = 0.1  # seconds between two looks of the bar, where no line takes it away
BAR = 30  # characters, of the bar alone


@contextmanager
def progress(things: Iterable[object] | None) -> Iterator[Callable[[str], None]]:
    """Lend the function that prints the line of one thing, above a bar if somebody sees it.

    `things` are counted meanwhile; until they are, nothing is said of how many there are. None is
    for those that never end, and no bar.
    """
    if things is None or not _is_seen(sys.stderr):
        yield put
        return
    bar = Bar(sys.stderr, things, shared=_is_seen(sys.stdout))
    try:
        yield bar.put
    finally:
        bar.hide()


@contextmanager
def counted(things: Sequence[object]) -> Iterator[Callable[[str], None]]:
    """Lend the function that counts one thing as done, of which nothing is printed but the bar."""
    if not _is_seen(sys.stderr):
        yield lambda name: None
        return
    bar = Bar(sys.stderr, things, shared=False)
    try:
        yield lambda name: bar.step()
    finally:
        bar.hide()


def _is_seen(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


class Bar:
    """How far a work is, in the last line of a terminal; `shared` if lines are printed there."""

    def __init__(self, terminal: TextIO, things: Iterable[object], shared: bool) -> None:
        self._terminal, self._shared = terminal, shared
        self._done, self._all = 0, 0
        self._began, self._drawn, self._width = time.monotonic(), 0.0, 0
        threading.Thread(target=self._count, args=[things], daemon=True).start()

    def put(self, line: str) -> None:
        """Print a line, and have the bar go on by one."""
        if self._shared:
            self.hide()
        put(line)
        self.step()

    def step(self) -> None:
        """Have the bar go on by one."""
        self._done += 1
        now = time.monotonic()
        if self._all != 1 and (self._shared or now > self._drawn + EVERY):
            self._draw(self.told(now - self._began)[: _columns(self._terminal) - 1])
            self._drawn = now

    def told(self, seconds: float) -> str:
        """Return the bar after so many seconds."""
        speed = self._done / max(seconds, 1e-3)
        if not self._all:
            return f"{self._done:,}, {speed:.1f} a second"
        left = max(self._all - self._done, 0)
        full = BAR * (self._all - left) // self._all
        minutes, rest = divmod(round(left / speed), 60)
        bar = f"[{'#' * full}{'.' * (BAR - full)}] {self._done:,} of {self._all:,}"
        return f"{bar}, {speed:.1f} a second, {minutes}:{rest:02} left"

    def hide(self) -> None:
        """Take the bar away."""
        self._draw("")

    def _draw(self, text: str) -> None:
        blank = " " * (self._width - len(text))  # no escapes, for Windows has terminals without
        back = "" if text else "\r"
        with suppress(OSError):  # a terminal that was closed
            if text or self._width:
                print(f"\r{text}{blank}{back}", end="", file=self._terminal, flush=True)
        self._width = len(text)

    def _count(self, things: Iterable[object]) -> None:
        self._all = sum(1 for _ in things)


def _columns(terminal: TextIO) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
