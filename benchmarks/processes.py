"""Start servers on this machine, and tell what memory they take with all that they started.

In come commands; out go running servers, ended afterwards, and the memory of processes as the
kernel counts it: resident (RSS), private (USS), and with each shared page shared out (PSS).
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

STARTS_WITHIN = 120
STOPS_WITHIN = 15
SERVICE = "voilearn.service.this_machine"
NOT_OURS = ("JUPYTER", "VOILA", "VOILEARN")  # what a tester's own settings begin with


def given_path(text: str) -> Path:
    """Return a path of the command line as an absolute one, for servers run in other folders.

    Links are left as they are: the Python of an environment is one, and what it points to knows
    nothing of the environment.
    """
    path = Path(text).absolute()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {text} here; `make bench` makes it")
    return path


class Memory(NamedTuple):
    """What one process takes, in bytes."""

    pid: int
    command: str
    rss: int
    uss: int
    pss: int


@dataclass(frozen=True)
class Server:
    """A running server: all that it started, and at which port it is."""

    port: int
    process: psutil.Popen
    scratch: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    def family(self) -> list[psutil.Process]:
        """Return the server, what it started, and the services its pages started beside it."""
        found: list[psutil.Process] = [self.process]
        with contextlib.suppress(psutil.NoSuchProcess):
            found += self.process.children(recursive=True)
        known = {process.pid for process in found}
        return [*found, *(other for other in services(self.scratch) if other.pid not in known)]

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of what it said."""
        said = (self.scratch / "log").read_text(errors="replace").splitlines()
        return "\n".join(said[-lines:])

    def memory(self) -> list[Memory]:
        """Return what each of the family takes."""
        return [taken for process in self.family() if (taken := memory(process))]

    def kernels(self) -> list[psutil.Process]:
        """Return the kernels behind its pages."""
        return [process for process in self.family() if "ipykernel_launcher" in command(process)]

    def settle(self, seconds: float = 1.0, longest: float = 60) -> None:
        """Wait until the family has been idle for so many seconds."""
        end = time.monotonic() + longest
        busy = self._busy()
        while time.monotonic() < end:
            time.sleep(seconds)
            before, busy = busy, self._busy()
            if busy.keys() == before.keys() and sum(busy.values()) - sum(before.values()) < (
                0.05 * seconds
            ):
                return

    def stop(self) -> None:
        """End the family."""
        family = self.family()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.terminate()
        psutil.wait_procs(family[:1], timeout=STOPS_WITHIN)
        for left in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOPS_WITHIN)
        for left in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()

    def _busy(self) -> dict[int, float]:
        found = {}
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
        return found


@contextlib.contextmanager
def running(
    start: Sequence[str],
    ready: str,
    folder: Path,
    scratch: Path,
    port: int,
    home: Path | None = None,
) -> Iterator[Server]:
    """Run a server in a folder; wait until the path `ready` answers with 200 at its port.

    It gets a home and a temporary folder of its own, so that it joins nothing that runs already.
    """
    for name in ("home", "tmp", "run"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    with (scratch / "log").open("wb") as out:
        process = psutil.Popen(
            start,
            cwd=folder,
            env=environment(scratch, home or scratch / "home"),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(port, process, scratch)
    try:
        wait_until_ready(server, ready)
        yield server
    finally:
        server.stop()


def environment(scratch: Path, home: Path) -> dict[str, str]:
    """Return the environment, with nothing of the tester's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    return kept | {
        "HOME": str(home),
        "TMPDIR": str(scratch / "tmp"),
        "XDG_RUNTIME_DIR": str(scratch / "run"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONWARNINGS": "ignore",
        "VOILEARN_RUNTIME": os.environ.get("VOILEARN_RUNTIME", "auto"),
    }


def wait_until_ready(server: Server, ready: str) -> None:
    """Wait until a path answers with 200; raise RuntimeError if it never does."""
    end = time.monotonic() + STARTS_WITHIN
    while not answers(server.url + ready):
        if server.process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"A server did not start:\n{server.log_tail()}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Say whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def services(scratch: Path) -> list[psutil.Process]:
    """Return the model services that the pages of a server started, though they are detached.

    They are known by their command line, and by the temporary folder they have from the server.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if SERVICE in process.cmdline():
                ours = process.environ().get("TMPDIR") == str(scratch / "tmp")
                found += [process] if ours else []
    return found


def command(process: psutil.Process) -> list[str]:
    """Return a process's command line, empty if it is no more."""
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


def short(words: Sequence[str]) -> str:
    """Return a command line as people read it: no folders, and no more than they need."""
    parts = [word.rpartition("/")[2] if "/" in word else word for word in words]
    while parts[1:2] and (parts[1].startswith("-W") or parts[1] == "ignore" or parts[1] == "-B"):
        del parts[1]
    told = " ".join(part.split("\n")[0] for part in parts)
    return told if len(told) <= 60 else told[:59] + "…"


def parse_rollup(text: str) -> dict[str, int]:
    """Return the sizes in the text of a smaps_rollup, in bytes."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB":
            found[name] = int(words[0]) * 1024
    return found


def memory(process: psutil.Process) -> Memory | None:
    """Return what a process takes, or None if it is no more."""
    try:
        sizes = parse_rollup(Path(f"/proc/{process.pid}/smaps_rollup").read_text())
        words = process.cmdline()
    except (OSError, psutil.Error):
        return None
    if not sizes:
        return None
    uss = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return Memory(process.pid, short(words), sizes["Rss"], uss, sizes["Pss"])


def pss(taken: Iterable[Memory]) -> int:
    """Return what processes take together."""
    return sum(process.pss for process in taken)


@contextlib.contextmanager
def peak(measured: Callable[[], int], every: float = 0.25) -> Iterator[list[int]]:
    """Measure again and again in the background; the list yielded holds the most so far."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(every):
            most[0] = max(most[0], measured())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()
