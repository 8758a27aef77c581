"""The bar is on a terminal's standard error, moves, goes away, and is in no pipe."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from tests.waiting import wait_for
from voilearn.shell.progress import BAR, Bar, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> list[str]:
    """What a terminal shows after that was written: each line as it is seen at last."""
    lines = []
    for line in written.split("\n"):
        seen: list[str] = []
        for part in line.split("\r"):
            seen[: len(part)] = part
        lines.append("".join(seen).rstrip())
    return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


@contextmanager
def outputs(out: TextIO, errors: TextIO | None) -> Iterator[None]:
    """Have standard output and standard error be these; a fixture comes before pytest's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", errors)
        yield


def test_the_bar_stands_below_the_lines_and_is_gone_at_the_end(terminal: Terminal) -> None:
    with outputs(terminal, terminal):
        with progress(range(40)) as put:
            wait_for(lambda: put.__self__._all == 40)  # type: ignore[attr-defined]
            for number in range(10):
                put(f"line {number}")
            *lines, bar = screen(terminal.getvalue())
            assert lines == [f"line {number}" for number in range(10)]
            assert bar.startswith(f"[{'#' * 7}{'.' * (BAR - 7)}] 10 of 40, ")
            assert bar.endswith(" left")
        assert screen(terminal.getvalue()) == [*lines, ""]


def test_the_bar_is_gone_after_an_error_too(terminal: Terminal) -> None:
    with (
        outputs(terminal, terminal),
        pytest.raises(KeyboardInterrupt),
        progress(range(40)) as put,
    ):
        put("line")
        assert len(screen(terminal.getvalue())[1]) > 0
        raise KeyboardInterrupt
    assert screen(terminal.getvalue()) == ["line", ""]


def test_one_photo_has_no_bar(terminal: Terminal) -> None:
    with outputs(terminal, terminal), progress(range(1)) as put:
        wait_for(lambda: put.__self__._all == 1)  # type: ignore[attr-defined]
        put("line")
    assert terminal.getvalue() == "line\n"


@pytest.mark.parametrize("why", ["a pipe", "dumb", "no end", "none"])
def test_there_is_no_bar_that_nobody_would_see(
    why: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = io.StringIO()
    errors = {"a pipe": pipe, "none": None}.get(why, terminal)
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    with outputs(terminal, errors), progress(None if why == "no end" else range(40)) as put:
        put("line")
        put("another")
    assert terminal.getvalue() == "line\nanother\n"
    assert pipe.getvalue() == ""


def test_lines_that_go_to_a_file_have_nothing_of_the_bar(terminal: Terminal) -> None:
    file = io.StringIO()
    with outputs(file, terminal), progress(range(40)) as put:
        put("line")
        (bar,) = screen(terminal.getvalue())
    assert file.getvalue() == "line\n"
    assert "1 of 40" in bar or bar.startswith("1, ")
    assert screen(terminal.getvalue()) == [""]


def test_a_bar_is_no_wider_than_its_terminal(terminal: Terminal) -> None:
    with pytest.MonkeyPatch.context() as patch, outputs(terminal, terminal):
        patch.setattr("voilearn.shell.progress._columns", lambda _: 20)
        with progress(range(40)) as put:
            put("line")
            assert 0 < len(screen(terminal.getvalue())[1]) < 20


def test_what_is_left_is_told_by_the_speed_so_far() -> None:
    bar = Bar(Terminal(), range(1200), shared=False)
    wait_for(lambda: bar._all == 1200)
    bar._done = 200
    assert bar.told(10.0).endswith("] 200 of 1,200, 20.0 a second, 0:50 left")
    bar._done = 1300  # of what came meanwhile
    assert bar.told(10.0).endswith(" 0:00 left")
    bar._all = 0
    assert bar.told(10.0) == "1,300, 130.0 a second"


def test_a_terminal_that_is_closed_stops_nothing(terminal: Terminal) -> None:
    class Closed(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, os.strerror(5))

    file = io.StringIO()
    with outputs(file, Closed()), progress(range(3)) as put:
        put("line")
    assert file.getvalue() == "line\n"
