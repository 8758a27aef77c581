"""Kill replicas of the service on Ray Serve while many clients ask, and count what is lost.

In comes a compiled model; out goes a table for people: how many photos were asked about and lost,
of clients that ask once and of `voilearn.client`, which asks once more; photos a second and the
memory of all that runs, beside the plain service on the same cores. Every few seconds a replica's
process is killed, or a whole node of the cluster, which then comes back. It needs the extra `ray`.

    python benchmarks/on_ray.py
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
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
STARTS_WITHIN = 120.0  # seconds
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


class Node:
    """One more node of a cluster, on this machine, with room for one replica."""

    def __init__(self, address: str) -> None:
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", f"--address={address}"]
        self._process = psutil.Popen(
            [*start, "--num-cpus=1", "--block"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """Have all its processes gone at once, as a machine is that loses its power."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [self._process, *self._process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        self._process.wait()


class RayServe:
    """The service on a cluster whose nodes are all on this machine, a replica on each."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._address = ""

    def start(self, model: Path, port: int) -> None:
        """Return when the replicas are there. Raises TimeoutError where a node is not."""
        import ray
        from ray import serve

        from voilearn.ray import build

        # the first has what Ray itself needs, its proxy too, and no replica
        ray.init("local", num_cpus=0, include_dashboard=False, log_to_driver=False)
        self._address = ray.get_runtime_context().gcs_address
        for count in range(1, REPLICAS + 1):  # started at once, they take each other's ports
            self._nodes.append(Node(self._address))
            until = time.monotonic() + STARTS_WITHIN
            while ray.cluster_resources().get("CPU", 0) < count:
                if time.monotonic() > until:
                    raise TimeoutError("a node of Ray's does not start")
                time.sleep(0.2)
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        serve.run(build({"model": str(model), "least": str(REPLICAS)}), route_prefix="/")

    def kill_replica(self) -> bool:
        """Kill the process of one replica, if another is there; tell whether it was."""
        if is_ripe := len(found := replicas()) > 1:
            found[0].send_signal(signal.SIGKILL)
        return is_ripe

    def kill_node(self) -> bool:
        """Kill the node that has been there for longest, and start one; tell whether it was."""
        if is_ripe := len(replicas()) > 1:
            self._nodes.pop(0).kill()
            self._nodes.append(Node(self._address))
        return is_ripe

    def end(self) -> None:
        """End the nodes that are there; Ray ends the first with this process."""
        for each in self._nodes:
            each.kill()


def disturbed(
    port: int, wanted: int, kind: str, every: float, kill: Callable[[], bool] | None = None
) -> tuple[Count, int, float]:
    """Ask, and kill; return the count, how many were killed, and the seconds that it took."""
    killed = 0

    def disturb(over: threading.Event) -> None:
        nonlocal killed
        while kill and not over.wait(every):
            killed += kill()

    began = time.perf_counter()
    count = crowd(port, wanted, kind, disturb)
    return count, killed, time.perf_counter() - began


def measure(arguments: argparse.Namespace, model: Path) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| | clients | asked | lost | killed | photos/s | memory, MB |"
    yield "|---|---|---|---|---|---|---|"
    if not arguments.only:
        yield plain_line(model, arguments)
    yield from on_ray(model, arguments)


def plain_line(model: Path, arguments: argparse.Namespace) -> str:
    """Return the line of the plain service, which nobody kills."""
    plain = Replica(model, 1)
    plain.wait_ready()
    count, _, seconds = disturbed(plain.port, arguments.requests, "ask once", arguments.every)
    memory = megabytes([psutil.Process(plain.pid)])
    plain.end()
    speed = f"{count.asked / seconds:.0f} | {memory:.0f}"
    return f"| the plain service | ask once | {count.asked:,} | {len(count.lost)} | 0 | {speed} |"


def on_ray(model: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """Return the lines of Ray Serve."""
    port = free_port()
    there = RayServe()
    try:
        there.start(model, port)
        yield from deaths(there, port, arguments)
    finally:
        there.end()


def deaths(there: RayServe, port: int, arguments: argparse.Namespace) -> Iterator[str]:
    """Return the lines of what dies on Ray Serve."""
    ways = {"": None, "replicas": there.kill_replica, "nodes": there.kill_node}
    for what, kill in ways.items():
        if arguments.only not in (None, what):
            continue
        for kind in ("ask once", "ours") if kill else ("ask once",):
            asked = (port, arguments.requests, kind, arguments.every, kill)
            count, killed, seconds = disturbed(*asked)
            memory = megabytes(psutil.Process().children(recursive=True))
            lost, speed = len(count.lost), f"{count.asked / seconds:.0f} | {memory:.0f}"
            who = f"{killed} {what}".strip()
            yield f"| on Ray Serve | {kind} | {count.asked:,} | {lost} | {who} | {speed} |"
            say_why(kind, count)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = of_a_model(__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="for each line")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("--only", choices=["replicas", "nodes"], help="what is killed (both)")
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
