"""Speak with a shell: read what was typed, and print lines that a terminal shows as they are.

In come arguments and lines; out go options, or the usage and exit code 2, and lines on the standard
output. A line that can't be written raises NotPrinted.
"""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from voilearn.errors import printable

MOST = 100_000  # characters of a line


class NotPrinted(Exception):
    """A line could not be written; why not, or None where the reader has had enough, as `head`."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason)
        self.reason = reason


def put(line: str) -> None:
    """Print a line at once."""
    try:
        print(line, flush=True)
    except BrokenPipeError as error:
        raise NotPrinted(None) from error
    except OSError as error:
        raise NotPrinted(error.strerror) from error


def leave(code: int) -> NoReturn:
    """End this process at once, whatever its threads are at.

    Python's own end would wait for some, and take away from the others what they work with. All
    lines are out, for `put` keeps none.
    """
    os._exit(code)


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """Have Ctrl-C end this process inside, rather than raise a KeyboardInterrupt.

    Libraries that it meets as they are imported make another error of it. Where it is ignored, as
    in the background of a script, it stays so.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: leave(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def silence(stream: TextIO) -> None:
    """Let nothing of what a stream still holds be written as Python ends: it can't be."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Parser(argparse.ArgumentParser):
    """A parser that repeats what it was given only as it can be shown."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit with 2."""
        super().error(printable(message, MOST))

    def _print_message(self, message: str, file: Any = None) -> None:
        if message and file in (None, sys.stdout):
            put(message.rstrip("\n"))
        else:
            super()._print_message(message, file)


class Once(argparse.Action):
    """An option of which there is one: two are a mistake, of which only the last would count."""

    def __call__(
        self, parser: argparse.ArgumentParser, options: argparse.Namespace, value: Any, *_: Any
    ) -> None:
        """Keep the value; raise ArgumentError where there is one already."""
        if getattr(options, f"_{self.dest}", False):
            raise argparse.ArgumentError(self, "one is enough: it was given twice")
        setattr(options, f"_{self.dest}", True)
        setattr(options, self.dest, value)


def as_path(name: str) -> Path:
    """Return a file's or folder's name as a path; raise ArgumentTypeError for an empty one."""
    if not name:
        raise argparse.ArgumentTypeError("the name is empty: type the path of a file or folder")
    return Path(name)


def as_folder(name: str) -> Path:
    """Return the name of a folder for a compiled model, and not that of its file, as a path."""
    if name.lower().endswith(".onnx"):
        raise argparse.ArgumentTypeError("name the folder that export.onnx goes into, not the file")
    return as_path(name)
