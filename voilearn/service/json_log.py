"""Write a log as lines of JSON, one object each, which any collector reads, or of text for people.

In come log records; out go lines on stderr. A thread writes them, and where nobody reads them they
are dropped: a log never stops a request.
"""

import contextlib
import faulthandler
import json
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import cast

from voilearn.errors import printable

USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"}

MOST = 100_000  # characters of a line for people
KEPT = 10_000  # lines that wait to be written
END_SECONDS = 1.0  # in which the last ones are


class JsonLines(logging.Formatter):
    """One line for a record: when, how grave, what, and whatever `extra` was told with it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in USUAL},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """One line for a record, as a command tells what is wrong; of a bug the traceback, too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        reason = getattr(record, "reason", "")
        told = printable(f"{record.getMessage()}{': ' * bool(reason)}{reason}", MOST)
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"voilearn: {told}{trace}"


class _Lines(logging.handlers.QueueHandler):
    """Hands lines to the thread that writes them, and drops those that nobody reads.

    A pipe whose reader has stopped would stop whoever writes to it.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Drop the line; logging itself would tell of it on stderr."""

    def flush(self) -> None:
        """Wait until the last lines are written; logging asks for it at the end."""
        _wait_written(cast("queue.Queue[logging.LogRecord]", self.queue))


def _write(lines: "queue.Queue[logging.LogRecord]", descriptor: int) -> None:
    while True:
        line = lines.get().getMessage() + "\n"
        with contextlib.suppress(OSError):  # nobody is left to read
            os.write(descriptor, line.encode(errors="backslashreplace"))
        lines.task_done()


def _wait_written(lines: "queue.Queue[logging.LogRecord]") -> None:
    until = time.monotonic() + END_SECONDS
    while lines.unfinished_tasks and time.monotonic() < until:
        time.sleep(0.01)


def log_as_json(level: int = logging.INFO) -> None:
    """Send what the service and its server tell to stderr, from `level` on, and nothing else."""
    _log(JsonLines(), level)


def log_as_text() -> None:
    """Send what goes wrong in the service and its server to stderr, and nothing else."""
    _log(TextLines(), logging.WARNING)


def _log(lines_of: logging.Formatter, level: int) -> None:
    """Send lines to stderr, and what libraries say of a photo that they find odd nowhere.

    Some of that stands in the photo, and libtiff, in C, writes to the descriptor itself.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    faulthandler.enable(sys.stderr)
    lines: queue.Queue[logging.LogRecord] = queue.Queue(KEPT)
    handler = _Lines(lines)
    handler.setFormatter(lines_of)
    threading.Thread(target=_write, args=[lines, sys.stderr.fileno()], daemon=True).start()
    logging.getLogger().handlers = [logging.NullHandler()]
    logging.captureWarnings(True)
    for name in ("voilearn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name == "voilearn" else max(level, logging.WARNING))
