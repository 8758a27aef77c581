"""What of its process a test could change for all tests that come after it.

In comes nothing; out goes how the process stands, to be compared after the test. A process that a
test has left at the lowest priority, say, makes each test after it several times as slow, and what
a busy machine fails then names some other test.
"""

import locale
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import resource

    LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]
SIGNALS = [signal.SIGINT, signal.SIGTERM]
OUR_OWN = {"PYTEST_CURRENT_TEST"}  # which pytest itself writes


def process_state() -> dict[str, Any]:
    """Return what a test has to leave as it was, by its name."""
    state: dict[str, Any] = {
        "current directory": Path.cwd(),
        "signal handlers": [signal.getsignal(each) for each in SIGNALS],
        "recursion limit": sys.getrecursionlimit(),
        "sys.path": list(sys.path),
        "socket's default timeout": socket.getdefaulttimeout(),
        "locale": locale.setlocale(locale.LC_ALL),
    }
    for name, value in os.environ.items():
        if name not in OUR_OWN:
            state[f"variable {name}"] = value
    if sys.platform != "win32":
        state["niceness"] = os.getpriority(os.PRIO_PROCESS, 0)
        for name in LIMITS:
            state[name] = resource.getrlimit(getattr(resource, name))
    with suppress(OSError):  # Linux alone
        state["oom_score_adj"] = Path("/proc/self/oom_score_adj").read_text()
        told = Path("/proc/self/status").read_text()
        state["umask"] = told.partition("Umask:")[2].partition("\n")[0]
    return state


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return a line for each that is not as it was.

    A library may set variables of its own when it is imported; one of ours is of a test's doing.
    """
    names = before.keys() | {name for name in after if name.startswith("variable VOILEARN")}
    return [
        f"{name}: {before.get(name)!r} before, {after.get(name)!r} now"
        for name in sorted(names)
        if before.get(name) != after.get(name)
    ]
