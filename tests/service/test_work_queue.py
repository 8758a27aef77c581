"""The line before the workers: places, shares, deadlines, and work nobody waits for."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.waiting import WITHIN, wait_for
from voilearn.errors import DeadlinePassed, ServiceBusy, TooManyRequests
from voilearn.service.work_queue import WorkQueue

LATER = 2 * WITHIN


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def until() -> float:
    return time.monotonic() + LATER


def settled(queue: WorkQueue, busy: int, depth: int) -> bool:
    return bool(wait_for(lambda: (queue.busy, queue.depth) == (busy, depth)))


def test_work_is_done_and_its_error_raised_where_it_is_asked_for() -> None:
    queue = WorkQueue(2, 8, 8)
    assert queue.submit(lambda: 7, "a", until()).result(WITHIN) == 7
    with pytest.raises(ZeroDivisionError):
        queue.submit(lambda: 1 / 0, "a", until()).result(WITHIN)
    assert queue.submit(lambda: 8, "a", until()).result(WITHIN) == 8  # the worker lives on
    assert settled(queue, 0, 0)
    queue.close()


def test_no_more_is_worked_on_at_once_than_there_are_workers(gate: threading.Event) -> None:
    queue = WorkQueue(3, 100, 100)
    waiting = [queue.submit(lambda: gate.wait(WITHIN), "a", until()) for _ in range(20)]
    assert settled(queue, 3, 17)
    gate.set()
    assert all(each.result(WITHIN) for each in waiting)
    assert settled(queue, 0, 0)
    queue.close()


def test_the_first_that_came_is_the_first_that_is_done() -> None:
    queue, done = WorkQueue(1, 100, 100), []
    for each in [queue.submit(lambda n=n: done.append(n), "a", until()) for n in range(50)]:  # type: ignore[misc]
        each.result(WITHIN)
    assert done == list(range(50))
    queue.close()


def test_a_full_line_takes_no_more_until_a_place_is_free(gate: threading.Event) -> None:
    queue = WorkQueue(1, 4, 4)
    waiting = [queue.submit(lambda: gate.wait(WITHIN), name, until()) for name in "abcd"]
    for ask in (lambda: queue.check("e"), lambda: queue.submit(lambda: 0, "e", until())):
        with pytest.raises(ServiceBusy) as raised:
            ask()
        assert raised.value.retry_after == 1
    gate.set()
    for each in waiting:
        each.result(WITHIN)
    assert settled(queue, 0, 0)
    assert queue.submit(lambda: 1, "e", until()).result(WITHIN) == 1
    queue.close()


def test_one_client_has_its_share_and_others_their_places(gate: threading.Event) -> None:
    queue = WorkQueue(1, 10, 3)
    for _ in range(3):
        queue.submit(lambda: gate.wait(WITHIN), "greedy", until())
    with pytest.raises(TooManyRequests) as raised:
        queue.submit(lambda: 0, "greedy", until())
    assert raised.value.retry_after == 1
    other = queue.submit(lambda: "other", "modest", until())
    gate.set()
    assert other.result(WITHIN) == "other"
    assert settled(queue, 0, 0)
    assert queue.submit(lambda: 1, "greedy", until()).result(WITHIN) == 1
    queue.close()


def test_what_nobody_waits_for_is_not_done_and_frees_its_place(gate: threading.Event) -> None:
    queue, done = WorkQueue(1, 4, 4), []
    queue.submit(lambda: gate.wait(WITHIN), "a", until())
    assert settled(queue, 1, 0)
    left = [queue.submit(lambda: done.append(1), "a", until()) for _ in range(3)]
    assert all(each.cancel() for each in left)
    assert queue.depth == 0
    last = queue.submit(lambda: "done", "a", until())
    gate.set()
    assert last.result(WITHIN) == "done"
    assert not done
    queue.close()


def test_what_waited_past_its_deadline_is_not_done(gate: threading.Event) -> None:
    queue, done = WorkQueue(1, 4, 4), []
    queue.submit(lambda: gate.wait(WITHIN), "a", until())
    late = queue.submit(lambda: done.append(1), "a", time.monotonic() + 0.05)
    time.sleep(0.1)
    gate.set()
    with pytest.raises(DeadlinePassed):
        late.result(WITHIN)
    assert not done
    queue.close()


def test_a_closed_one_ends_its_threads_after_what_was_in_line() -> None:
    before = set(threading.enumerate())
    queue = WorkQueue(4, 8, 8)
    last = queue.submit(lambda: "done", "a", until())
    queue.close()
    assert last.result(WITHIN) == "done"
    wait_for(lambda: not set(threading.enumerate()) - before)


def test_a_thousand_clients_leave_no_count_behind() -> None:
    queue = WorkQueue(4, 5_000, 5_000)
    asked = [queue.submit(lambda: 0, str(n), until()) for n in range(1000)]
    for n, each in enumerate(asked):
        each.cancel() if n % 3 == 0 else each.result(WITHIN)
    assert settled(queue, 0, 0)
    wait_for(lambda: not queue._held)
    queue.close()
