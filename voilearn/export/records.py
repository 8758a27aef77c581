"""What a pickle says, as data: names, and notes of what was to be called and built.

In comes nothing: these are the shapes that `pickle_machine` fills and all of this room reads, the
three errors that it ends in, and the time that reading may take.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any

CHECK_EVERY = 64
SCALARS = (str, int, float, bytes, bool, type(None))


class DamagedPickle(ValueError):
    """These bytes are no pickle, are cut short, or would take too long; says which."""


class RefusedPickle(DamagedPickle):
    """A good pickle that asks for what is not done here: to run code, or for unknown layers.

    `advice` is what to do about it, as a sentence, where that is not to trust the file.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


class TooMuch(DamagedPickle):
    """This may be a good pickle, but holds more than is read of any; says what."""


class HinderedLearner(RefusedPickle):
    """A learner whose answers can't be told; says why and what to do, without the file's name."""


@dataclass(eq=False, slots=True)
class Global:
    """The name of a class or function: `module.name`."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """The whole name, with dots."""
        return f"{self.module}.{self.name}"


NOTHING: Sequence[
    Any
] = ()  # what most objects hold: one for all, for there may be a million of them


@dataclass(eq=False, slots=True)
class Instance:
    """What calling `of` would have made, and the states, items and pairs then put into it."""

    of: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[Any, Any] | None = None
    states: Sequence[Any] = NOTHING
    items: Sequence[Any] = NOTHING
    pairs: Sequence[tuple[Any, Any]] = NOTHING

    @property
    def path(self) -> str:
        """The whole name of what was to be called, or "" where it is no plain name."""
        return self.of.path if isinstance(self.of, Global) else ""


@dataclass(eq=False, slots=True)
class PersistentId:
    """A reference to something outside the pickle; torch keeps a tensor's numbers there."""

    value: Any


@dataclass(slots=True)
class Pickle:
    """One pickle: its value, and all the names, objects and references that are in it.

    Among the objects are those that the pickle makes and throws away.
    """

    root: Any
    globals: list[Global]
    instances: list[Instance]
    references: list[PersistentId]


_end: ContextVar[float] = ContextVar("end", default=inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let what reads records in here take so much of this thread's own time, then TooMuch.

    Whatever is bounded by itself can be asked for again and again: a dict of keys that collide
    costs the square, and ten thousand layers may share one huge value.
    """
    token = _end.set(min(_end.get(), time.thread_time() + seconds))
    try:
        yield
    finally:
        _end.reset(token)


def check_time() -> None:
    """Raise TooMuch once the time that `time_limit` granted is used up."""
    if time.thread_time() > _end.get():
        raise TooMuch("Reading it takes too long")
