"""Play two hours of visitors against an autoscaler: how many copies run, who waits, what it costs.

In come the seconds that this machine takes for a photo, measured here with the compiled model, and
a price; out goes a table for people. Nothing of it is a cluster: photos come at random, each copy
has one core and a line, an autoscaler looks at the photos that wait or are worked on for each core,
as `voilearn_load` tells them, and starts a copy that needs a while until it is ready.
`--check` plays one copy's line at this machine's own size, then does the same to a real service,
and prints both.

    python benchmarks/growth.py
"""

import argparse
import heapq
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.replicas import Replica, ask_once, of_a_model, photos  # noqa: E402
from benchmarks.resnet18 import compiled  # noqa: E402
from voilearn.service.service import DEADLINE, PLACES  # noqa: E402

PHOTOS_A_VISIT = 3
FEWEST, MOST = 1, 200
HOURS = 2  # that are played
BURST = (3600.0, 600.0, 10)  # when it begins and how long it is, in seconds; how many times as many
MONTH = 730  # hours


@dataclass(frozen=True)
class Engine:
    """How what runs the copies decides how many there are, by the photos of each core."""

    name: str
    looks: float  # seconds between two looks
    target: float  # photos for each core, that it aims at
    shrinks_after: float  # seconds for which fewer would have done
    slower: float = 1.0  # how many times as long a photo takes


ENGINES = (  # of docs/deploy, as its files set them
    Engine("Kubernetes", 15.0, 1.0, 300.0),
    Engine("Ray Serve", 10.0, 2.0, 300.0, 1.8),  # as many times as long as on_ray.py measures
)


@dataclass(frozen=True)
class Machine:
    """What one copy is like: the seconds of photos, and until a new one is ready."""

    seconds: tuple[float, ...]
    start: float


@dataclass
class Played:
    """What happened: copies over time, seconds from a photo to its answer, and who was refused."""

    copies: list[int]
    waited: list[float]
    refused: int


def arrivals(visitors_an_hour: float, burst: bool, chance: random.Random) -> Iterator[float]:
    """Yield when photos come, in seconds: visitors at random, each with some photos."""
    now, pending = 0.0, list[float]()
    while now < HOURS * 3600:
        began, lasts, times = BURST
        many = times if burst and began <= now < began + lasts else 1
        now += chance.expovariate(visitors_an_hour * many / 3600)
        for number in range(PHOTOS_A_VISIT):
            heapq.heappush(pending, now + 8 * number)  # seconds in which a visitor reads an answer
        while pending and pending[0] <= now:
            yield heapq.heappop(pending)


def play(machine: Machine, engine: Engine, visitors: float, burst: bool, seed: int = 1) -> Played:
    """Let photos come to copies with a core each, of which an autoscaler decides how many."""
    chance = random.Random(seed)  # a play
    free = [0.0] * FEWEST  # when each copy has done all that it has taken
    starting: list[float] = []  # when those are ready that were ordered
    waiting: list[float] = []  # when each photo on its way will be done
    fewer_since, look = 0.0, engine.looks
    played = Played([], [], 0)
    for now in arrivals(visitors, burst, chance):
        while look <= now:
            while waiting and waiting[0] <= look:
                heapq.heappop(waiting)
            while starting and starting[0] <= look:
                free.append(heapq.heappop(starting))
            wanted = max(FEWEST, min(MOST, math.ceil(len(waiting) / engine.target)))
            running = len(free) + len(starting)
            if wanted > running:
                for _ in range(min(wanted, 2 * running) - running):
                    heapq.heappush(starting, look + machine.start)
            if wanted >= running:
                fewer_since = look
            elif look - fewer_since >= engine.shrinks_after and len(free) > FEWEST:
                free.sort()
                free.pop(0)
            played.copies.append(len(free))
            look += engine.looks
        at = min(range(len(free)), key=free.__getitem__)
        begins = max(now, free[at])
        if begins - now > min(DEADLINE, PLACES * max(machine.seconds)):
            played.refused += 1
            continue
        free[at] = begins + engine.slower * chance.choice(machine.seconds)
        heapq.heappush(waiting, free[at])
        played.waited.append(free[at] - now)
    return played


def line(visitors: float, burst: bool, machine: Machine, engine: Engine, price: float) -> str:
    """Return a line of the table."""
    played = play(machine, engine, visitors, burst)
    waited = sorted(played.waited)
    p50, p99 = (waited[int(share * (len(waited) - 1))] for share in (0.5, 0.99))
    mean, most = statistics.mean(played.copies), max(played.copies)
    asked = len(waited) + played.refused
    refused = 1000 * played.refused / asked
    who = f"{visitors:,.0f}{' and a burst' if burst else ''} | {engine.name}"
    return (
        f"| {who} | {asked:,} | {mean:.1f} | {most} | "
        f"{p50:.2f} | {p99:.2f} | {refused:.1f} | {mean * price * MONTH:,.0f} |"
    )


def measured(model: Path, count: int) -> Machine:
    """Return the seconds of one photo after the other on one core, and of a start."""
    began = time.perf_counter()
    replica = Replica(model, 0)
    try:
        replica.wait_ready()
        start = time.perf_counter() - began
        made, seconds = photos(), []
        for number in range(count):
            began = time.perf_counter()
            ask_once(replica.port, made[number % len(made)])
            seconds.append(time.perf_counter() - began)
    finally:
        replica.end()
    return Machine(tuple(seconds), start)


def check(model: Path, machine: Machine, seconds: float) -> Iterator[str]:
    """Send photos at random to a real copy with one core, and play the same; return both."""
    rate = 0.7 / statistics.mean(machine.seconds)
    chance, made = random.Random(2), photos()  # a play
    when, now = [], 0.0
    while (now := now + chance.expovariate(rate)) < seconds:
        when.append(now)
    free, played = 0.0, []
    for each in when:
        free = max(each, free) + chance.choice(machine.seconds)
        played.append(free - each)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(allowed)])  # of what is started now, which has one worker then
    replica, real = Replica(model, 0), list[float]()
    os.sched_setaffinity(0, allowed)
    try:
        replica.wait_ready()
        began, threads = time.perf_counter(), list[threading.Thread]()

        def ask(number: int) -> None:
            asked = time.perf_counter()
            try:
                ask_once(replica.port, made[number % len(made)])
            except OSError:  # it had no place
                return
            real.append(time.perf_counter() - asked)

        for number, each in enumerate(when):
            time.sleep(max(0.0, began + each - time.perf_counter()))
            threads.append(threading.Thread(target=ask, args=[number]))
            threads[-1].start()
        for thread in threads:
            thread.join()
    finally:
        replica.end()
    refused = len(when) - len(real)
    yield f"{len(when)} photos at random, {rate:.1f} a second, to one core; {refused} refused:"
    for name, waited in (("played", sorted(played)), ("real", sorted(real))):
        p50, p95 = (waited[int(share * (len(waited) - 1))] for share in (0.5, 0.95))
        yield f"{name}: half of them within {p50:.3f} s, 95 of 100 within {p95:.3f} s"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = of_a_model(__doc__)
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    parser.add_argument("--start", type=float, default=20.0, help="seconds until a copy is ready")
    parser.add_argument("--check", type=float, default=0, metavar="SECONDS", help="on a real one")
    return parser.parse_args()


def main() -> None:
    """Measure, play, and print."""
    arguments = options()
    with tempfile.TemporaryDirectory() as scratch:
        onnx = arguments.onnx or compiled(arguments.model, Path(scratch))
        machine = measured(onnx, 120)
        mean = 1000 * statistics.mean(machine.seconds)
        print(
            f"A photo takes {mean:.0f} ms, and a process {machine.start:.1f} s to start. Assumed: "
            f"{PHOTOS_A_VISIT} photos a visit, visitors at random, a copy with one core ready "
            f"{arguments.start:.0f} s after it is ordered, {arguments.price} for a core and hour.\n"
        )
        if arguments.check:
            for told in check(onnx, machine, arguments.check):
                print(told)
            print()
        print(
            "| visitors an hour | on | photos | copies | most | half within s | 99 of 100 | "
            "refused of 1,000 | a month |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        placed = Machine(machine.seconds, arguments.start)
        for visitors, burst in (
            (10, False),
            (1000, False),
            (1000, True),
            (100_000, False),
            (100_000, True),
        ):
            for engine in ENGINES:
                print(line(visitors, burst, placed, engine, arguments.price), flush=True)


if __name__ == "__main__":
    main()
