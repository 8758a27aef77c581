"""Many things on several threads: in their order, a few at a time, and all told that is done."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import pytest

from tests.waiting import WITHIN, wait_for
from voilearn.shell.many import AHEAD, in_order


def test_all_are_told_in_their_order_whichever_is_done_first() -> None:
    last = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert last.wait(WITHIN)
        if number == 5:
            last.set()
        return 10 * number

    assert list(in_order(work, range(100), 2)) == [10 * number for number in range(100)]
    assert list(in_order(work, [], 2)) == []


def test_as_many_are_worked_on_at_once_as_there_are_threads() -> None:
    meeting = threading.Barrier(3)
    assert list(in_order(lambda _: meeting.wait(WITHIN) >= 0, range(6), 3)) == [True] * 6


def test_only_a_few_are_begun_ahead_of_the_one_that_is_next() -> None:
    asked: list[int] = []

    def things() -> Iterator[int]:
        for number in itertools.count():
            asked.append(number)
            yield number

    with closing(in_order(lambda number: number, things(), 2)) as told:
        for number in range(50):
            assert next(told) == number
            assert len(asked) <= number + 2 * AHEAD + 3
    wait_for(lambda: not _threads())


def _threads() -> list[threading.Thread]:
    """Those of a line that has not ended."""
    return [each for each in threading.enumerate() if "_Line." in repr(each._target)]  # type: ignore[attr-defined]


def test_what_is_done_is_told_though_the_next_thing_is_not_there_yet() -> None:
    more = threading.Event()

    def things() -> Iterator[str]:
        yield "first"
        assert more.wait(WITHIN)
        yield "second"

    told = in_order(str.upper, things(), 2)
    assert next(told) == "FIRST"
    more.set()
    assert list(told) == ["SECOND"]


def test_an_error_is_raised_in_its_place() -> None:
    def work(number: int) -> float:
        return 1 / number

    told = in_order(work, [2, 1, 0, 4], 2)
    assert [next(told), next(told)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(told)


def test_an_error_in_finding_the_things_is_raised_after_those_found() -> None:
    def things() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    told = in_order(lambda number: number, things(), 2)
    assert next(told) == 1
    with pytest.raises(LookupError):
        next(told)


def test_one_that_is_closed_waits_for_what_is_being_worked_on_and_begins_nothing_more() -> None:
    begun, done, waiting = threading.Semaphore(0), list[int](), threading.Event()

    def work(number: int) -> int:
        if number:
            begun.release()
            assert waiting.wait(WITHIN)
        done.append(number)
        return number

    told = in_order(work, itertools.count(), 2)
    assert next(told) == 0
    assert begun.acquire(timeout=WITHIN) and begun.acquire(timeout=WITHIN)
    threading.Timer(0.05, waiting.set).start()
    told.close()
    assert sorted(done) == [0, 1, 2]
    wait_for(lambda: not _threads())


@pytest.mark.parametrize("told_all", [True, False])
def test_an_interrupt_comes_after_what_is_done_and_waits_for_nothing(
    told_all: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, done = threading.Event(), threading.Semaphore(0)

    def work(number: int) -> int:
        if number == 1:
            assert stuck.wait(WITHIN)
        return number

    def result_set(self: Any, result: object) -> None:
        set_result(self, result)
        done.release()

    set_result = Future.set_result
    monkeypatch.setattr(Future, "set_result", result_set)
    told: Any = in_order(work, range(5), 2)
    assert next(told) == 0
    for _ in range(4):  # 0, and all after the one that is stuck
        assert done.acquire(timeout=WITHIN)

    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("voilearn.shell.many._Line._taken", interrupted)
    assert next(told) == 2
    if told_all:
        assert [next(told), next(told)] == [3, 4]
    with pytest.raises(KeyboardInterrupt):
        next(told) if told_all else told.close()
    stuck.set()
