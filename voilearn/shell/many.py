"""Do the same with many things on several threads, and tell it in their order.

In come things, one after another; out goes what was made of each, as soon as it is done and those
before it are told. Only a few are begun ahead of the one that is next, so a million cost no more
memory than ten. Threads and not processes: ONNX Runtime, Pillow and a socket let go of Python's
lock, and one model is enough for all.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

AHEAD = 4  # things for each thread that are begun, or done and wait for one before them
LOOK = 0.2  # seconds after which a wait begins anew: on Windows, Ctrl-C ends none

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], things: Iterable[T], threads: int) -> Generator[R]:
    """Yield what `work` returns of each thing, in their order, or raise what it raised.

    `things` is gone through in a thread of its own, so what is done is told while the next one is
    not there yet. A KeyboardInterrupt is raised after what is done by then, and leaves the threads
    at their work: whoever interrupts does not wait.
    """
    line = _Line(work, things, threads)
    try:
        while turn := line.next():
            yield turn.result()
    except KeyboardInterrupt as interrupt:
        try:
            yield from line.done()
        finally:  # also where they can't be told, as in a pipe whose reader was interrupted too
            raise interrupt
    except BaseException:  # as the GeneratorExit of one that is closed
        line.end()
        raise
    line.end()


class _Line(Generic[T, R]):
    """Things in their order, each with a Future of what is made of it."""

    def __init__(self, work: Callable[[T], R], things: Iterable[T], threads: int) -> None:
        self._turns: SimpleQueue[Future[R] | None] = SimpleQueue()
        self._todo: SimpleQueue[tuple[Future[R], T] | None] = SimpleQueue()
        self._places = threading.Semaphore(AHEAD * threads)
        self._first: Future[R] | None = None  # taken out of the line, and not told yet
        self._over = False
        self._workers = [_started(self._work, work) for _ in range(threads)]
        _started(self._feed, things)

    def next(self) -> "Future[R] | None":
        """Return the first in line once it is done, or None at the end."""
        self._first = None
        self._first = turn = self._taken()
        if turn is None:
            return None
        while not turn.done():
            with suppress(TimeoutError):
                turn.exception(LOOK)
        self._places.release()
        return turn

    def done(self) -> Iterator[R]:
        """Yield what is done of the things in line."""
        turns = [self._first]
        with suppress(Empty):
            while True:
                turns.append(self._turns.get_nowait())
        yield from (turn.result() for turn in turns if turn and turn.done())

    def end(self) -> None:
        """Let nothing more be begun, and wait for what is being worked on."""
        self._over = True
        self._places.release()
        for _ in self._workers:
            self._todo.put(None)
        for worker in self._workers:
            worker.join()

    def _taken(self) -> "Future[R] | None":
        while True:
            with suppress(Empty):
                return self._turns.get(timeout=LOOK)

    def _feed(self, things: Iterable[T]) -> None:
        try:
            for thing in things:
                self._places.acquire()
                if self._over:
                    return
                turn: Future[R] = Future()
                self._turns.put(turn)
                self._todo.put((turn, thing))
        except BaseException as error:  # noqa: BLE001  # raised to whoever is told
            failed: Future[R] = Future()
            failed.set_exception(error)
            self._turns.put(failed)
        finally:
            self._turns.put(None)

    def _work(self, work: Callable[[T], R]) -> None:
        while (given := self._todo.get()) and not self._over:
            turn, thing = given
            try:
                turn.set_result(work(thing))
            except BaseException as error:  # noqa: BLE001  # raised to whoever is told
                turn.set_exception(error)


def _started(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread
