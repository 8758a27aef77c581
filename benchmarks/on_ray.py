"""Kill replicas of the service on Ray Serve while many clients ask, and count what is lost.

In comes a compiled model; out goes a table for people: how many photos were asked about and lost,
of clients that ask once and of `voilearn.client`, which asks once more; photos a second and the
memory of all that runs, beside the plain service on the same cores. Every few seconds a
replica's process is killed. It needs the extra `ray`.

    python benchmarks/on_ray.py
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to Ray's makers
os.environ["PYTHONPATH"] = str(ROOT)  # of its workers

import psutil  # noqa: E402

from benchmarks.proxies import free_port  # noqa: E402
from benchmarks.replicas import Count, Replica, crowd, of_a_model, say_why  # noqa: E402
from benchmarks.resnet18 import compiled  # noqa: E402

REPLICAS = 3
NAMED = "ServeReplica"  # as Ray's processes call themselves


def replicas() -> list[psutil.Process]:
    """Return the processes of this machine that are replicas of ours."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if NAMED in " ".join(each.cmdline()):
                found.append(each)
    return found


def megabytes(processes: list[psutil.Process]) -> float:
    """Return what processes have together, each shared page counted once (PSS)."""
    found = 0
    for each in processes:
        with contextlib.suppress(psutil.Error):  # it has just ended
            found += each.memory_full_info().pss
    return found / 1e6


def ray_serves(model: Path, port: int) -> None:
    """Have Ray Serve run the service at a port of this machine."""
    import ray
    from ray import serve

    from voilearn.ray import build

    ray.init(num_cpus=REPLICAS + 1, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build({"model": str(model), "least": str(REPLICAS)}), route_prefix="/")


def disturbed(port: int, wanted: int, kind: str, every: float) -> tuple[Count, int, float]:
    """Ask, and kill; return the count, how many were killed, and the seconds that it took."""
    killed: list[int] = []

    def disturb(over: threading.Event) -> None:
        while every and not over.wait(every):
            found = replicas()
            if len(found) > 1:
                found[0].send_signal(signal.SIGKILL)
                killed.append(found[0].pid)

    began = time.perf_counter()
    count = crowd(port, wanted, kind, disturb)
    return count, len(killed), time.perf_counter() - began


def measure(arguments: argparse.Namespace, model: Path) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| | clients | asked | lost | killed | photos/s | memory, MB |"
    yield "|---|---|---|---|---|---|---|"
    plain = Replica(model, 1)
    plain.wait_ready()
    count, _, seconds = disturbed(plain.port, arguments.requests, "ask once", 0)
    memory = megabytes([psutil.Process(plain.pid)])
    plain.end()
    speed = f"{count.asked / seconds:.0f} | {memory:.0f}"
    yield f"| the plain service | ask once | {count.asked:,} | {len(count.lost)} | 0 | {speed} |"
    port = free_port()
    ray_serves(model, port)
    for kind, every in (("ask once", 0), ("ask once", arguments.every), ("ours", arguments.every)):
        count, killed, seconds = disturbed(port, arguments.requests, kind, every)
        memory = megabytes(psutil.Process().children(recursive=True))
        speed = f"{count.asked / seconds:.0f} | {memory:.0f}"
        lost = len(count.lost)
        yield f"| on Ray Serve | {kind} | {count.asked:,} | {lost} | {killed} | {speed} |"
        say_why(kind, count)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = of_a_model(__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="for each line")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    return parser.parse_args()


def main() -> None:
    """Measure, and print the table line by line."""
    arguments = options()
    with tempfile.TemporaryDirectory() as scratch:
        onnx = arguments.onnx or compiled(arguments.model, Path(scratch))
        model = Path(scratch) / "served" / onnx.name
        model.parent.mkdir()
        shutil.copy(onnx, model)
        shutil.copy(onnx.with_suffix(".json"), model.with_suffix(".json"))
        for line in measure(arguments, model):
            print(line, flush=True)


if __name__ == "__main__":
    main()
