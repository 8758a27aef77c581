"""Tell the open pages what changes: which model answers, and where in line their photos are.

In come pages that listen, each over a connection that stays open; out go events, as
text/event-stream has them. One timer says to all of them that the service is still there, so that
between photos a page costs its connection and a few bytes.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from voilearn.errors import ServiceBusy
from voilearn.service.live_model import LiveModel
from voilearn.service.work_queue import WorkQueue

BEAT = 2.0  # seconds between two signs of life; a page that misses one asks whether we are there
LOOKS = 0.2  # seconds after a change of the line, most of which are over by then
MOST = 4_000  # pages, of some 40 kB each; those above it ask now and then
ALIVE = b":\n\n"  # a comment

Push = Callable[[bytes], None]  # writes to a page at once; no bytes are the end


@dataclass(slots=True, eq=False)
class OpenPage:
    """A page that listens. `place` is what it was told last of its photo in the line."""

    name: str
    push: Push
    place: int = 0


class OpenPages:
    """The pages that listen to one service. All but the changes' news is done by its event loop."""

    def __init__(self, model: LiveModel, queue: WorkQueue, most: int = MOST) -> None:
        self._model, self._queue, self._most = model, queue, most
        self._pages: set[OpenPage] = set()
        self._named: dict[str, OpenPage] = {}
        self._waiting: set[OpenPage] = set()  # for their photo's turn
        self._looks = False  # for a change of the line
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        model.on_swap(lambda _served: self._soon(self._tell_model))
        queue.on_change(self._look_soon)

    def __len__(self) -> int:
        return len(self._pages)

    def greeting(self) -> bytes:
        """Return what a page is told first: the model that answers, or that it is being loaded."""
        served = self._model.served
        return _event("model", {"sha256": served and served.classify.info.sha256})

    def check(self) -> None:
        """Raise ServiceBusy if no page more may listen."""
        if len(self._pages) >= self._most:
            raise ServiceBusy("As many pages are open as may listen. Ask now and then instead.")

    @contextmanager
    def listening(self, name: str, push: Push) -> Iterator[None]:
        """Tell a page of changes, as long as this is entered; `name` is what it calls itself."""
        self._loop = asyncio.get_running_loop()
        page = OpenPage(name, push)
        self._pages.add(page)
        self._named[name] = page
        self._timer = self._timer or self._loop.call_later(BEAT, self._beat)
        self._look_soon()
        try:
            yield
        finally:
            self._pages.discard(page)
            self._waiting.discard(page)
            if self._named.get(name) is page:
                del self._named[name]

    def close(self) -> None:
        """Let go of all pages, which come back to whoever answers then."""
        for page in list(self._pages):
            page.push(b"")

    def _beat(self) -> None:
        self._timer = None
        if self._pages and self._loop:
            self._timer = self._loop.call_later(BEAT, self._beat)
        for page in self._pages:
            page.push(ALIVE)

    def _tell_model(self) -> None:
        told = self.greeting()
        for page in self._pages:
            page.push(told)

    def _look_soon(self) -> None:
        """Look at the line, once for all changes until then; any thread may say so."""
        if self._named and not self._looks:
            self._looks = True
            self._soon(self._look_later)

    def _look_later(self) -> None:
        if self._loop:
            self._loop.call_later(LOOKS, self._look)

    def _look(self) -> None:
        self._looks = False
        places = self._queue.places_of_pages()
        waiting = {
            self._named[name]: place for name, place in places.items() if name in self._named
        }
        for page in self._waiting | set(waiting):
            place = waiting.get(page, 0)
            if place != page.place:
                page.place = place
                page.push(_event("place", {"place": place}))
        self._waiting = set(waiting)

    def _soon(self, do: Callable[[], None]) -> None:
        if self._loop:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(do)


def _event(name: str, told: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(told)}\n\n".encode()
