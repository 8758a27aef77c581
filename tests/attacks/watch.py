"""Open files one after the other, apart from each other and from us, and tell what came of it.

    python -m tests.attacks.watch GOOD.pkl      one request a line in, one report a line out

In comes `{"path": …, "way": …}`, the way being a function of `opening`; out goes what came of each
step, the audit's findings, the processor's seconds and the memory that it took at most. The
libraries are imported and GOOD is opened before; the files are then opened in forks. A fork is
ended when a file took too long or too much in it, after a way that runs the file's code, and after
some files in any case.
"""

import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_SECONDS = 300.0  # on the clock: several times what the test allows of the processor's
MAX_BYTES = 1_500_000_000
MAX_FILES = 20  # in one fork, which takes 40 ms to make
WAYS = ("ours", "usual", "fuzzed", "swapped", "printed")
PAGE = os.sysconf("SC_PAGE_SIZE")
Report = dict[str, Any]
Way = Callable[[Report, Report], None]


def main() -> None:
    ways = prepare(Path(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a file prints is no report
    fork: Fork | None = None
    for line in sys.stdin:
        fork = fork or Fork(ways)
        report = fork.ask(json.loads(line))
        print(json.dumps(report), file=answers)
        if fork.is_used_up:
            fork.end()
            fork = None
    if fork:
        fork.end()


def prepare(good: Path) -> dict[str, Way]:
    """Import all that opening a model may import, and open one, so that the rest is cached."""
    import timm
    import torch
    import torchvision.models
    from PIL import Image

    from tests.attacks import opening

    assert timm and torchvision.models
    torch.set_num_threads(1)
    Image.init()
    for codec in ("cp437", "utf-32-le", "raw-unicode-escape"):  # zipfile's, numpy's and pickle's
        "".encode(codec)
    warnings.simplefilter("ignore")
    select.select([sys.stdin], [], [])  # GOOD is there when the first request comes
    for open_way in (opening.usual, opening.ours):
        open_way({"path": str(good), "own": True}, {})
    gc.collect()
    gc.freeze()  # a fork's collections then leave the memory that it shares with us alone
    return {way: getattr(opening, way) for way in WAYS}


class Fork:
    """A copy of this process in which files are opened, and that may come to harm."""

    def __init__(self, ways: dict[str, Way]) -> None:
        requests, self.asking = os.pipe()
        self.listening, reports = os.pipe()
        self.asked = 0
        self.is_used_up = False
        if (child := os.fork()) == 0:
            os.close(self.asking)
            os.close(self.listening)
            serve(ways, requests, reports)
        self.child = child
        os.close(requests)
        os.close(reports)

    def ask(self, request: Report) -> Report:
        """Send a request and wait for its report; end the fork if it takes too long or too much."""
        self.asked += 1
        self.is_used_up = self.asked >= MAX_FILES or request["way"] != "ours"
        os.write(self.asking, json.dumps(request).encode() + b"\n")
        end, start, text = time.monotonic() + request.get("most", MAX_SECONDS), self.resident(), b""
        while not text.endswith(b"\n"):
            if select.select([self.listening], [], [], 0.01)[0]:
                if not (piece := os.read(self.listening, 65536)):
                    return self.lost("ended by itself")
                text += piece
            elif time.monotonic() > end:
                return self.lost("takes too long")
            elif self.resident() - start > MAX_BYTES:
                return self.lost(f"took more than {MAX_BYTES / 1e9} GB")
        return dict(json.loads(text))

    def lost(self, why: str) -> Report:
        self.is_used_up = True
        return {"crashed": why}

    def end(self) -> None:
        os.close(self.asking)
        os.close(self.listening)
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)

    def resident(self) -> int:
        return resident(self.child)


def serve(ways: dict[str, Way], requests: int, reports: int) -> None:
    """The fork's whole life."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    Path("/proc/self/oom_score_adj").write_text("1000")
    with os.fdopen(requests) as lines, os.fdopen(reports, "w") as out:
        for line in lines:
            request = json.loads(line)
            print(json.dumps(report_of(ways[request["way"]], request)), file=out, flush=True)
    os._exit(0)


def report_of(way: Way, request: Report) -> Report:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    memory, start, report = resident("self"), processor_seconds(), dict[str, Any]()
    try:
        way(request, report)
    except BaseException:
        report["crashed"] = traceback.format_exc(limit=-6)[-3000:]
    report["seconds"] = processor_seconds() - start
    report["bytes"] = peak() - memory
    return report


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident(process: int | str) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
