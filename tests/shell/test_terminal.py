"""What is typed is repeated as it can be shown; what can't be written ends in one error."""

import argparse
import io
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from voilearn.shell import terminal
from voilearn.shell.terminal import (
    NotPrinted,
    Once,
    Parser,
    as_folder,
    as_path,
    leaving_at_once,
    put,
    silence,
)


class Refusing(io.StringIO):
    """An output that nothing can be written to."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BrokenPipeError(32, "Broken pipe"), None), (OSError(28, "No space left"), "No space left")],
)
def test_a_line_that_can_not_be_written_is_one_error(
    error: OSError, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Refusing(error))
    with pytest.raises(NotPrinted) as stopped:
        put("a line")
    assert stopped.value.reason == reason
    with pytest.raises(NotPrinted):
        Parser().print_help()


def test_what_is_left_of_a_silenced_stream_goes_nowhere() -> None:
    read, write = os.pipe()
    stream = os.fdopen(write, "w")
    stream.write("left")
    silence(stream)
    stream.close()
    assert os.read(read, 10) == b""
    os.close(read)
    silence(io.StringIO())  # one that is no file


def test_an_option_of_which_there_is_one_is_not_given_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = Parser()
    parser.add_argument("--model", action=Once, type=as_path, default=as_path("export.pkl"))
    assert str(parser.parse_args([]).model) == "export.pkl"
    assert str(parser.parse_args(["--model", "export.pkl"]).model) == "export.pkl"
    with pytest.raises(SystemExit):
        parser.parse_args(["--model", "a", "--model", "a"])
    assert "it was given twice" in capsys.readouterr().err


def test_names_that_can_be_none_are_refused() -> None:
    for name in ("", "model.onnx", "Model.ONNX"):
        with pytest.raises(argparse.ArgumentTypeError):
            as_folder(name)
    assert str(as_folder("onnx")) == "onnx"


def test_ctrl_c_is_as_before_where_leaving_at_once_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(terminal, "leave", left.append)
    with leaving_at_once():
        signal.raise_signal(signal.SIGINT)
    assert left == [130]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_where_ctrl_c_is_ignored_or_it_is_another_thread_nothing_is_changed() -> None:
    inside: list[object] = []

    def look() -> None:
        with leaving_at_once():
            inside.append(signal.getsignal(signal.SIGINT))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(look).result()
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        look()
    finally:
        signal.signal(signal.SIGINT, usual)
    assert inside == [usual, signal.SIG_IGN]
