"""Kill services behind a proxy while many clients ask, and count what is lost.

In come a compiled model and the proxies' files of `deploy/proxies`; out goes a table for people:
how many photos were asked about, and how many got no answer, of clients that ask once and of
`voilearn.client`, which asks once more. Three services, eight clients in a closed loop, photos of
4 kB to 1 MB; every few seconds one service is killed, or told to end, and started again. `--how
swap` replaces the model's file instead, all services reading the same one.

    python benchmarks/replicas.py
"""

import argparse
import contextlib
import http.client
import io
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from benchmarks.processes import given_path  # noqa: E402
from benchmarks.proxies import PROXIES, free_port, program_of, proxied  # noqa: E402
from benchmarks.resnet18 import compiled  # noqa: E402
from voilearn.client.remote import Remote  # noqa: E402
from voilearn.errors import VoilearnError  # noqa: E402

SERVICES = 3
CLIENTS = 8
SIZES = (4_000, 20_000, 60_000, 200_000, 400_000, 1_000_000)  # bytes of the photos
ENDS_WITHIN = 60.0  # seconds
WAYS = {"kill": signal.SIGKILL, "end": signal.SIGTERM}


def photos() -> list[bytes]:
    """Draw photos of about SIZES bytes."""
    found = []
    for number, size in enumerate(SIZES):
        side = int((size / 1.1) ** 0.5) + 8
        noise = Image.effect_noise((side, side), 60 + number)
        file = io.BytesIO()
        noise.convert("RGB").save(file, "JPEG", quality=92)
        found.append(file.getvalue())
    return found


class Replica:
    """A service at a port, which is started again there."""

    def __init__(self, model: Path, drain: float) -> None:
        self.port, self._model, self._drain = free_port(), model, drain
        self.start()

    @property
    def pid(self) -> int:
        """The process that it is now."""
        return self._process.pid

    def start(self) -> None:
        """Start it; it is ready when it says so at its address."""
        arguments = ["--port", str(self.port), "--public", "--drain", str(self._drain)]
        command = ["-m", "voilearn", "serve", "--model", str(self._model), *arguments]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if not k.startswith("VOILEARN")},
        )

    def wait_ready(self, sha256: str | None = None) -> None:
        """Return once it is ready, and has this model."""
        until = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/v1/model")
                answer = connection.getresponse()
                told = json.loads(answer.read())
                if answer.status == 200 and sha256 in (None, told["sha256"]):
                    return
            time.sleep(0.1)
        sys.exit(f"The service at port {self.port} is not ready.")

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, and wait until it has."""
        self._process.send_signal(how)
        self._process.wait(ENDS_WITHIN)


@contextlib.contextmanager
def replicas(model: Path, drain: float) -> Iterator[list[Replica]]:
    """Run SERVICES services of one model."""
    running = [Replica(model, drain) for _ in range(SERVICES)]
    try:
        for each in running:
            each.wait_ready()
        yield running
    finally:
        for each in running:
            each.end()


@dataclass
class Count:
    """How many photos were asked about, why some got no answer, and the models that answered."""

    asked: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)


def ask_once(port: int, photo: bytes) -> str:
    """Ask over a connection of its own, as the plainest client does; return the model's hash."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/classify", photo)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return str(json.loads(body)["model"]["sha256"])


def ours(port: int) -> Callable[[int, bytes], str]:
    """Return what asks as `voilearn.client` does."""
    classify = Remote(f"http://127.0.0.1:{port}")
    return lambda _port, photo: classify(photo).model.sha256


def crowd(port: int, wanted: int, kind: str, disturb: Callable[[threading.Event], None]) -> Count:
    """Have CLIENTS clients ask until `wanted` photos were asked about, and disturb them."""
    count, turn, over = Count(), threading.Lock(), threading.Event()
    numbers = itertools.count()
    made = photos()

    def client() -> None:
        ask = ours(port) if kind == "ours" else ask_once
        while (number := next(numbers)) < wanted:
            began, lost, model = time.perf_counter(), "", ""
            try:
                model = ask(port, made[number % len(made)])
            except (OSError, http.client.HTTPException, VoilearnError, ValueError) as error:
                lost = f"{type(error).__name__}: {error}"
            with turn:
                count.asked += 1
                count.seconds.append(time.perf_counter() - began)
                count.models |= {model} - {""}
                if lost:
                    count.lost.append(lost)

    failed: list[BaseException] = []

    def disturbing() -> None:
        try:
            disturb(over)
        except BaseException as error:  # noqa: BLE001  # raised below: else less would be lost
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    disturber = threading.Thread(target=disturbing)
    for thread in [*threads, disturber]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    disturber.join()
    if failed:
        raise failed[0]
    return count


def ending(
    running: Sequence[Replica], how: signal.Signals, every: float, ended: list[str]
) -> Callable[[threading.Event], None]:
    """Return what ends one service after another, and starts it again."""

    def disturb(over: threading.Event) -> None:
        for each in itertools.cycle(running):
            if over.wait(every):
                return
            each.end(how)
            ended.append(str(each.port))
            each.start()
            each.wait_ready()

    return disturb


def swapping(
    running: Sequence[Replica], model: Path, every: float, swapped: list[str]
) -> Callable[[threading.Event], None]:
    """Return what moves another model to the place of the one that all services read."""

    def disturb(over: threading.Event) -> None:
        described = model.with_suffix(".json")
        for number in itertools.count(1):
            if over.wait(every):
                return
            told = json.loads(described.read_text())
            told["model"]["sha256"] = sha256 = f"{number:064x}"
            draft = described.with_name("draft.json")
            draft.write_text(json.dumps(told))
            draft.rename(described)
            for each in running:
                each.wait_ready(sha256)
            swapped.append(sha256)

    return disturb


def measure(arguments: argparse.Namespace, model: Path) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| proxy | clients | asked | lost | of 1,000 | ended or swapped | median s | longest s |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in arguments.proxies:
        if program_of(name) is None:
            yield f"| {name} | not here: {PROXIES[name].install} | | | | | | |"
            continue
        for kind in ("ask once", "ours"):
            with tempfile.TemporaryDirectory() as scratch:
                own = Path(scratch) / model.name
                shutil.copy(model, own)
                shutil.copy(model.with_suffix(".json"), own.with_suffix(".json"))
                done: list[str] = []
                with (
                    replicas(own, arguments.drain) as running,
                    proxied(name, [each.port for each in running]) as (port, _),
                ):
                    how = WAYS.get(arguments.how)
                    disturb = (
                        ending(running, how, arguments.every, done)
                        if how
                        else swapping(running, own, arguments.every, done)
                    )
                    count = crowd(port, arguments.requests, kind, disturb)
            lost = len(count.lost)
            yield (
                f"| {name} | {kind} | {count.asked:,} | {lost} | {1000 * lost / count.asked:.1f} | "
                f"{len(done)} | {statistics.median(count.seconds):.2f} | {max(count.seconds):.1f} |"
            )
            say_why(f"{name}, {kind}", count)


def say_why(name: str, count: Count) -> None:
    """Say, beside the table, what those got who got no answer."""
    for why in sorted(set(count.lost)):
        print(f"  {name}: {count.lost.count(why)} × {why}", file=sys.stderr)


def of_a_model(told: str) -> argparse.ArgumentParser:
    """Return a parser of what each such script takes; `told` is the script's docstring."""
    parser = argparse.ArgumentParser(description=told.split("\n", 1)[0])
    parser.add_argument("--model", type=given_path, default=ROOT / "export.pkl")
    parser.add_argument("--onnx", type=given_path, help="what it compiles to (default: made here)")
    return parser


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = of_a_model(__doc__)
    parser.add_argument("--proxies", nargs="+", choices=PROXIES, default=list(PROXIES))
    parser.add_argument("--requests", type=int, default=2000, help="for each proxy and client")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two ends")
    parser.add_argument("--how", choices=(*WAYS, "swap"), default="kill")
    parser.add_argument("--drain", type=float, default=3.0, help="as of `voilearn serve`")
    return parser.parse_args()


def main() -> None:
    """Measure, and print the table line by line."""
    arguments = options()
    with tempfile.TemporaryDirectory() as scratch:
        onnx = arguments.onnx or compiled(arguments.model, Path(scratch))
        for line in measure(arguments, onnx):
            print(line, flush=True)


if __name__ == "__main__":
    main()
