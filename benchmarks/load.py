"""Measure the service under load, beside other tools with the same model, in one run.

In come a resnet18, trained here for an epoch, and the photos; out go tables for people: requests
a second and how long they take with 1, 8, 32 and 64 clients at once, memory, and what one request
costs over the same answer in process. Each figure is the median of rounds, the servers taken in
turn, all with the same photos; memory is that of a server alone, for PSS shares out what two have
in common.

    python benchmarks/load.py --peers .venv-peers/bin/python
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.clients import DEADLINE, Plan, middle, told  # noqa: E402
from benchmarks.compiled import spread  # noqa: E402
from benchmarks.processes import Server, free_port, given_path, peak, pss, running  # noqa: E402
from benchmarks.resnet18 import PHOTOS, make, photos_needed, python  # noqa: E402

PEERS = ROOT / "benchmarks" / "peers"
LEVELS = (1, 8, 32, 64)
OURS, PKL = "Voilearn, export.onnx", "Voilearn, export.pkl"
LITSERVE, FASTAPI = "LitServe, export.onnx", "FastAPI, learn.predict"

Found = dict[tuple[int, str], dict[str, float]]

# What learn.predict says of each photo.
LABELS = """
import json, sys
from fastai.vision.all import PILImage, load_learner
export, *files = sys.argv[1:]
learn = load_learner(export)
with learn.no_bar(), learn.no_logging():
    print(json.dumps([learn.predict(PILImage.create(file))[0] for file in files]))
"""

# Each photo in turn as a request to the idle service and in this process; milliseconds, medians.
OVERHEAD = """
import http.client, json, statistics, sys, time
from pathlib import Path
from voilearn import load_classify
model, port, rounds, *files = sys.argv[1:]
photos = [Path(file).read_bytes() for file in files]
classify = load_classify(model)
connection = http.client.HTTPConnection("127.0.0.1", int(port))

def asked(photo):
    connection.request("POST", "/v1/classify", photo, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return json.loads(answer.read())["label"]

def timed(work, photo):
    began = time.perf_counter()
    work(photo)
    return 1e3 * (time.perf_counter() - began)

found = {"service": [], "process": []}
for turn in range(int(rounds) + 1):
    for photo in photos:
        ways = [("service", asked), ("process", classify)]
        for name, work in ways if turn % 2 else ways[::-1]:
            milliseconds = timed(work, photo)
            if turn:
                found[name].append(milliseconds)
print(json.dumps({name: statistics.median(all) for name, all in found.items()}))
"""


@dataclass(frozen=True)
class Tool:
    """A server to measure: how it is started, and where it takes photos."""

    start: Callable[[int], Sequence[object]]
    path: str
    field: str
    ready: str


def tools(model: Path, peers: Path) -> dict[str, Tool]:
    """Return the servers to measure, under their names."""
    onnx, export = model / "export.onnx", model / "export.pkl"

    def ours(file: Path) -> Tool:
        serve = [sys.executable, "-m", "voilearn", "serve", "--model", file, "--port"]
        return Tool(lambda port: [*serve, port], "/v1/classify", "", "readyz")

    def theirs(script: str, file: Path, field: str) -> Tool:
        return Tool(lambda port: [peers, PEERS / script, file, port], "/predict", field, "health")

    return {
        OURS: ours(onnx),
        LITSERVE: theirs("litserve_app.py", onnx, ""),
        FASTAPI: theirs("fastapi_app.py", export, "photo"),
        PKL: ours(export),
    }


@contextlib.contextmanager
def serving(tool: Tool) -> Iterator[Server]:
    """Run a server, and forget its folders afterwards."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        command = list(map(str, tool.start(port)))
        with running(command, tool.ready, ROOT, Path(scratch), port) as server:
            yield server


@dataclass(frozen=True)
class Sample:
    """The photos that are sent, and what learn.predict calls them."""

    files: list[Path]
    labels: list[str]

    def send(self, tool: Tool, port: int, clients: int, seconds: float) -> dict[str, float]:
        """Let so many clients send them for so many seconds, and return what happened."""
        files = list(map(str, self.files))
        plan = Plan(port, tool.path, tool.field, files, self.labels, clients, seconds)
        command = [sys.executable, str(ROOT / "benchmarks" / "clients.py")]
        done = subprocess.run(
            command, input=json.dumps(told(plan)), stdout=subprocess.PIPE, text=True, check=True
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found


def loaded(
    chosen: Mapping[str, Tool], sample: Sample, rounds: int, seconds: float
) -> tuple[Found, dict[str, float]]:
    """Run all the servers; return what each did with each number of clients, and our overhead."""
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    overhead: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(serving(tool)).port for name, tool in chosen.items()}
        for name, tool in chosen.items():
            sample.send(tool, ports[name], 2, 1.0)  # warms it
        for _ in range(rounds):
            for clients in LEVELS:
                for name, tool in chosen.items():
                    happened = sample.send(tool, ports[name], clients, seconds)
                    found.setdefault((clients, name), []).append(happened)
        if OURS in chosen:
            overhead = over(chosen[OURS], ports[OURS], rounds, sample)
    return {key: middle(all_rounds) for key, all_rounds in found.items()}, overhead


def over(tool: Tool, port: int, rounds: int, sample: Sample) -> dict[str, float]:
    """Return the milliseconds of a photo at our idle service, and in process."""
    model = tool.start(port)[5]
    found: dict[str, float] = json.loads(python(OVERHEAD, model, port, rounds, *sample.files))
    return found


def peak_memory(tool: Tool, sample: Sample, seconds: float) -> float:
    """Run a server alone; return the most megabytes that it took with 64 clients."""
    with serving(tool) as server:
        sample.send(tool, server.port, 2, 1.0)
        with peak(lambda: pss(server.memory())) as most:
            sample.send(tool, server.port, LEVELS[-1], seconds)
        return most[0] / 1e6


def load_table(found: Found, names: Sequence[str]) -> Iterator[str]:
    """Return the lines of the table of what happened."""
    counted = ("refusals", "errors", "other labels")
    heads = ("clients", "server", "requests/s", "p50 ms", "p99 ms", *counted, "longest s")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for clients in LEVELS:
        for name in names:
            now = found[clients, name]
            counts = " | ".join(f"{now[it]:.0f}" for it in counted)
            yield (
                f"| {clients} | {name} | {now['requests/s']:.1f} | {now['p50']:.1f} | "
                f"{now['p99']:.1f} | {counts} | {now['longest']:.1f} |"
            )


def ratios(found: Found, names: Sequence[str]) -> Iterator[str]:
    """Return the lines of the table of ours over theirs."""
    pairs = [
        (ours, theirs)
        for ours, theirs in ((OURS, LITSERVE), (OURS, FASTAPI), (PKL, FASTAPI), (PKL, LITSERVE))
        if {ours, theirs} <= set(names)
    ]
    if not pairs:
        return
    yield "| ours over theirs | " + " | ".join(f"{n} clients" for n in LEVELS) + " |"
    yield "|---" * (len(LEVELS) + 1) + "|"
    for what in ("requests/s", "p50", "p99"):
        for ours, theirs in pairs:
            each = [(found[n, ours][what], found[n, theirs][what]) for n in LEVELS]
            cells = " | ".join(f"{a / b:.2f}" if b else "no answers" for a, b in each)
            yield f"| {what}: {ours} / {theirs} | {cells} |"
    yield ""


def memory_table(memory: Mapping[str, float]) -> Iterator[str]:
    """Return the lines of the table of memory."""
    yield "| peak memory with 64 clients | PSS MB | of LitServe's | of FastAPI's |"
    yield "|---|---|---|---|"
    for name, taken in memory.items():
        cells = [f"{taken / memory[it]:.2f}" if it in memory else "" for it in (LITSERVE, FASTAPI)]
        yield f"| {name} | {taken:.0f} | {' | '.join(cells)} |"


def learner_table(found: Found, memory: Mapping[str, float]) -> Iterator[str]:
    """Return the lines of the table of our service with an export.pkl, as parts of the others'."""
    theirs = [name for name in (FASTAPI, LITSERVE) if name in memory]
    if PKL not in memory or not theirs:
        return
    yield f"| {PKL}, over | requests/s, 8 clients | p50, one client | peak memory |"
    yield "|---|---|---|---|"
    for name in theirs:
        cells = (
            found[8, PKL]["requests/s"] / found[8, name]["requests/s"],
            found[1, PKL]["p50"] / found[1, name]["p50"],
            memory[PKL] / memory[name],
        )
        yield f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |"
    yield ""


def sentences(found: Found, names: Sequence[str], overhead: dict[str, float]) -> Iterator[str]:
    """Return what is told of our service alone."""
    for name in (OURS, PKL):
        if name in names:
            full = found[64, name]
            kept = "yes" if full["longest"] <= DEADLINE and not full["errors"] else "NO"
            yield (
                f"{name}, 64 clients on a full queue: {full['refusals']:.0f} refused; every "
                f"request answered or refused within {DEADLINE:.0f} s: {kept} (longest "
                f"{full['longest']:.1f} s); p99 of the answered over p50 with 8 clients: "
                f"{full['p99'] / found[8, name]['p50']:.2f}"
            )
    if overhead:
        service, process = overhead["service"], overhead["process"]
        yield (
            f"One photo at the idle service {service:.1f} ms, classify(bytes) in process "
            f"{process:.1f} ms: {service - process:.1f} ms for the request"
        )


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=given_path, help="the Python that the other tools are in")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--resnet18", type=given_path, help="the folder of one made before")
    parser.add_argument("--only", nargs="+", help="servers with one of these words in their name")
    return parser.parse_args()


def main() -> None:
    """Make the model, measure, print."""
    chosen = options()
    photos_needed()
    with tempfile.TemporaryDirectory() as name:
        model = make(Path(name), chosen.resnet18)
        files = spread(sorted((PHOTOS / "bears").rglob("*.jpg")), chosen.photos)
        labels = json.loads(python(LABELS, model / "export.pkl", *files))
        sample = Sample(files, labels)
        measured = {
            name: tool
            for name, tool in tools(model, chosen.peers or Path(sys.executable)).items()
            if not chosen.only or any(word in name for word in chosen.only)
        }
        found, overhead = loaded(measured, sample, chosen.rounds, chosen.seconds)
        memory = {
            name: peak_memory(tool, sample, chosen.seconds) for name, tool in measured.items()
        }
    names = list(measured)
    print(f"resnet18; {chosen.rounds} rounds of {chosen.seconds:g} s, {len(files)} photos\n")
    tables = [*ratios(found, names), *learner_table(found, memory), *memory_table(memory)]
    print("\n".join([*load_table(found, names), "", *tables]))
    print("\n" + "\n\n".join(sentences(found, names, overhead)))


if __name__ == "__main__":
    main()
