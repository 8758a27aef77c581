"""Times by stage: kept for whoever asked, in the thread that asked."""

import threading
import time

import pytest

from voilearn.stages import stage, stopwatch


def test_each_stage_is_timed_and_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 5.0, 7.0, 8.0, 8.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with stopwatch() as seconds:
        for _ in range(2):
            with stage("a"):
                pass
        with stage("b"):
            pass
    assert seconds == {"a": 3.0, "b": 0.5}


def test_a_stage_that_fails_is_timed_too() -> None:
    with stopwatch() as seconds, pytest.raises(ValueError, match="x"), stage("a"):
        raise ValueError("x")
    assert "a" in seconds


def test_where_nobody_asks_nothing_is_kept() -> None:
    with stage("a"):
        pass
    with stopwatch() as seconds:
        pass
    with stage("b"):
        pass
    assert seconds == {}


def test_threads_do_not_hear_of_each_other() -> None:
    found: dict[str, dict[str, float]] = {}

    def work(name: str) -> None:
        with stopwatch() as seconds, stage(name):
            time.sleep(0.01)
        found[name] = seconds

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: list(seconds) for name, seconds in found.items()} == {n: [n] for n in "abcd"}
