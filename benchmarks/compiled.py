"""Measure compiled models beside the learners they are made of and plain ONNX Runtime, in one run.

In come the bears' export.pkl and a resnet18, trained here for an epoch; out goes a table for
people: agreement on all the photos, start, memory, speed of one photo, and of two threads. Each
figure of time is a median, the ways taken in turn.

    python benchmarks/compiled.py
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.processes import given_path  # noqa: E402
from benchmarks.resnet18 import PHOTOS, photos_needed, python, train  # noqa: E402

# Linux counts to a process's peak what the one was that started it: this one is small.
START = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
seconds = time.perf_counter() - began
assert status == 0, status
print(json.dumps([seconds, used.ru_maxrss]))
"""

# One photo after the other in one process, by one way; the seconds of each round of all photos.
SPEED = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np, onnxruntime
from voilearn.compiled.description import read_compiled
from voilearn.image import decode_photo
from voilearn.compiled.load import load_classify
path, rounds, *files = sys.argv[1:]
photos = [Path(file).read_bytes() for file in files]
ours, size = load_classify(path), read_compiled(Path(path)).size
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options)

def raw(photo):
    picture = decode_photo(photo, at_least=2 * size)
    session.run(None, {"photo": np.asarray(picture)})

def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

found = {"ours": [], "raw": [], "one": [], "two": []}
with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
    for _ in range(int(rounds) + 1):
        found["ours"].append(timed(lambda: [ours(photo) for photo in photos]))
        found["raw"].append(timed(lambda: [raw(photo) for photo in photos]))
        found["one"].append(timed(lambda: list(one.map(ours, photos))))
        found["two"].append(timed(lambda: list(two.map(ours, photos))))
print(json.dumps({way: [s / len(photos) for s in all[1:]] for way, all in found.items()}))
"""


def first_answer(model: Path, photo: Path) -> tuple[float, float]:
    """Start `voilearn classify` for one photo; return its seconds and its peak memory in MB."""
    command = [sys.executable, "-W", "ignore", "-m", "voilearn", "classify", "--model"]
    seconds, kilobytes = json.loads(python(START, *command, model, photo))
    return seconds, kilobytes / 1024


def interleaved(
    ways: dict[str, Callable[[], tuple[float, float]]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return each way's median seconds and MB, the ways taken in turn; a first round warms up."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            found[way].append(run())
    middle = statistics.median
    return {
        way: (middle(s for s, _ in runs[1:]), middle(mb for _, mb in runs[1:]))
        for way, runs in found.items()
    }


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """Return so many of the files, from all over."""
    count = min(count, len(files))
    return [files[at * len(files) // count] for at in range(count)]


def photos_for_agreement(folder: Path) -> Path:
    """Return a folder with all 1,689 photos, without the awkward files of `odd`."""
    for name in ("bears", "out_of_scope"):
        shutil.copytree(PHOTOS / name, folder / "photos" / name)
    return folder / "photos"


def measure(export: Path, folder: Path, rounds: int) -> dict[str, str]:
    """Compile an export and return the rows of its column."""
    from voilearn.compiled.compile import compile_learner

    files = sorted((PHOTOS / "bears").rglob("*.jpg"))
    photos = photos_for_agreement(folder)
    found = compile_learner(export, folder, photos, say=lambda line: None).agreement
    onnx = folder / "export.onnx"
    starts = interleaved(
        {
            "learner": lambda: first_answer(export, files[0]),
            "compiled": lambda: first_answer(onnx, files[0]),
        },
        rounds,
    )
    (was, was_mb), (now, now_mb) = starts["learner"], starts["compiled"]
    told: dict[str, list[float]] = json.loads(python(SPEED, onnx, rounds, *spread(files, 60)))
    ours, raw, one, two = (statistics.median(told[way]) for way in ("ours", "raw", "one", "two"))
    return {
        "export.onnx, MB": f"{onnx.stat().st_size / 1e6:.1f}",
        "photos": f"{found.pictures:,}",
        "largest difference from learn.predict (to reach 0.005)": f"{found.max_difference:.4f}",
        "the same labels (to reach all)": f"{found.labels:,}",
        "start to first answer, s (to reach 1.0)": f"{now:.2f}",
        "the learner's": f"{was:.2f}",
        "of the learner's (to reach 0.2)": f"{now / was:.2f}",
        "peak memory, MB (to reach 150)": f"{now_mb:.0f}",
        "the learner's, MB": f"{was_mb:.0f}",
        "of the learner's memory (to reach 0.2)": f"{now_mb / was_mb:.2f}",
        "one photo, ms": f"{ours * 1e3:.1f}",
        "over decode + onnxruntime's run (to reach 1.15)": f"{ours / raw:.2f}",
        "two threads over one (to reach 1.8)": f"{one / two:.2f}",
    }


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resnet18", type=given_path, help="an export.pkl, instead of training")
    return parser.parse_args()


def main() -> None:
    """Train, compile, measure, print."""
    chosen = options()
    photos_needed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        resnet18 = chosen.resnet18 or train(folder)
        columns = {
            "resnet18": measure(resnet18, folder / "resnet18", chosen.rounds),
            "the bears": measure(ROOT / "export.pkl", folder / "bears", chosen.rounds),
        }
    print(f"| | {' | '.join(columns)} |")
    print("|---|" + "---|" * len(columns))
    for row in columns["resnet18"]:
        print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")


if __name__ == "__main__":
    main()
