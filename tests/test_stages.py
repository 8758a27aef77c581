"""Times by stage: kept for whoever asked, in the thread that asked."""

import threading
import time

import pytest

from voilearn.stages import stage, stopwatch


def test_each_stage_is_timed_and_added_up() -> None:
    with stopwatch() as seconds:
        for _ in range(2):
            with stage("a"):
                time.sleep(0.02)
        with stage("b"):
            pass
    assert list(seconds) == ["a", "b"]
    assert seconds["a"] >= 0.04 > seconds["b"]


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
