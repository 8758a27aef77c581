"""Let a few threads work for many clients: a line with so many places, and a deadline for each.

In comes a piece of work and whose it is; out goes a Future, or the error that says why not. Nobody
waits for a place: a full line says so at once, and work that nobody waits for any more is not done.

Threads and not processes: ONNX Runtime, torch and Pillow let go of Python's lock, so two threads do
the work of two processes with the memory of one. (A learner's photos take turns all the same where
its network is not known to allow more: `learner/lanes.py`.)
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from voilearn.errors import DeadlinePassed, ServiceBusy, TooManyRequests


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work in line. `until` is a time of `time.monotonic`; `page` waits for it, if any.

    `future` has the answer; cancelling it takes the work out of the line, if it has not begun.
    """

    work: Callable[[], Any] | None
    client: str
    until: float
    page: str = ""
    future: "Future[Any]" = field(default_factory=Future)


class WorkQueue:
    """`workers` threads, before them a line of `places`, of which a client has its `share`.

    The places and the share count what is being worked on, too.
    """

    def __init__(self, workers: int, places: int, share: int) -> None:
        self.workers, self.places, self.share = workers, places, share
        self._line: deque[Job] = deque()
        self._held: Counter[str] = Counter()  # places, by client
        self._busy = 0
        self._changed = threading.Condition()
        self._closed = False
        self._told: Callable[[], None] = lambda: None
        for number in range(workers):
            threading.Thread(target=self._work, name=f"worker {number}", daemon=True).start()

    @property
    def depth(self) -> int:
        """How many pieces of work are waiting."""
        return len(self._line)

    @property
    def busy(self) -> int:
        """How many are being worked on."""
        return self._busy

    def on_change(self, told: Callable[[], None]) -> None:
        """Have this called, in any thread, after each change of the line; it must not wait."""
        self._told = told

    def places_of_pages(self) -> dict[str, int]:
        """Return how many have to be done before a page's work is begun, by its name."""
        with self._changed:
            line = list(self._line)
        found: dict[str, int] = {}
        for place, job in enumerate(line, 1):
            if job.page:
                found.setdefault(job.page, place)
        return found

    def check(self, client: str) -> None:
        """Raise ServiceBusy or TooManyRequests if there is no place for a client's work now."""
        if self._busy + len(self._line) >= self.places:
            raise ServiceBusy(
                "Too many photos are waiting here already. Please try again in a moment."
            )
        if self._held[client] >= self.share:
            raise TooManyRequests(
                f"{self.share} of your photos are waiting here already, which is one client's "
                "share. Please wait for their answers before you send more."
            )

    def submit(
        self, work: Callable[[], Any], client: str, until: float, page: str = ""
    ) -> "Future[Any]":
        """Put work in line; raise what `check` does, or let the Future do: DeadlinePassed.

        `page` is the name of the page that waits for it, which is found in `places_of_pages`.
        """
        job = Job(work, client, until, page)
        with self._changed:
            self.check(client)
            self._held[client] += 1
            self._line.append(job)
            self._changed.notify()
        job.future.add_done_callback(lambda future: self._left(job, future))
        self._told()
        return job.future

    def close(self) -> None:
        """End the threads, once they have done what is in line."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _left(self, job: Job, future: "Future[Any]") -> None:
        """Give a place back, and let go of the work, with the photo in it."""
        job.work = None
        with self._changed:
            if future.cancelled() and job in self._line:
                self._line.remove(job)
            self._held[job.client] -= 1
            if not self._held[job.client]:
                del self._held[job.client]
        self._told()

    def _work(self) -> None:
        while job := self._next():
            try:
                _do(job)
            finally:
                del job
                with self._changed:
                    self._busy -= 1

    def _next(self) -> Job | None:
        with self._changed:
            while not self._line:
                if self._closed:
                    return None
                self._changed.wait()
            self._busy += 1
            job = self._line.popleft()
        self._told()
        return job


def _do(job: Job) -> None:
    if not job.future.set_running_or_notify_cancel():
        return
    if time.monotonic() > job.until:
        job.future.set_exception(DeadlinePassed("The photo waited too long. Please try again."))
        return
    try:
        answer = job.work() if job.work else None
    except BaseException as error:  # noqa: BLE001  # whoever waits for the answer gets it
        job.future.set_exception(error)
    else:
        job.future.set_result(answer)
