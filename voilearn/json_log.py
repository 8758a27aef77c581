"""Write a log as lines of JSON: one object each, which any collector reads.

In come log records; out go lines on stderr.
"""

import faulthandler
import json
import logging
import os
import sys
from datetime import UTC, datetime

USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"}


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


def log_as_json(level: int = logging.INFO) -> None:
    """Send what the service and its server tell to stderr, from `level` on, and nothing else.

    What libraries say of a photo that they find odd goes nowhere: some of it stands in the photo,
    and libtiff, in C, writes to the descriptor itself.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    faulthandler.enable(sys.stderr)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.getLogger().handlers = [logging.NullHandler()]
    logging.captureWarnings(True)
    for name in ("voilearn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name == "voilearn" else max(level, logging.WARNING))
