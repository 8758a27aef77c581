"""Measure `voilearn classify` on a folder of photos, beside fastai's own ways, in one run.

In come a model's export.pkl, and photos: a folder of them, or some made here. Out goes a table for
people: photos a second on one core and on two, and peak memory, of the command with the compiled
model and with the learner, of a loop over `learn.predict`, and of `learn.get_preds` on all photos
at once; and the most memory that the command has while it answers each tenth of the photos. Seconds
are of a whole process less those that it takes for one photo, so that what starting costs is left
out. Each figure is a median of rounds, the ways taken in turn.

    python benchmarks/folder.py
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.compiled import spread  # noqa: E402
from benchmarks.processes import given_path  # noqa: E402
from benchmarks.resnet18 import compiled, python  # noqa: E402

MADE = (3000, 2000)  # pixels of a photo made here: what a phone's page or a small camera has
KINDS = 20  # of photos made here, each many times
COLUMNS = ("one core", "two cores")

# Linux counts to a process's peak what the one was that started it: this one is small.
RUN = """
import json, os, subprocess, sys, time
os.sched_setaffinity(0, json.loads(sys.argv[1]))
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
seconds = time.perf_counter() - began
assert status == 0, status
print(json.dumps([seconds, used.ru_maxrss / 1024]))
"""

PREDICT = """
import sys
from fastai.vision.all import PILImage, get_image_files, load_learner
learn = load_learner(sys.argv[1])
with learn.no_bar(), learn.no_logging():
    for file in sorted(get_image_files(sys.argv[2])):
        print(file, learn.predict(PILImage.create(file))[0])
"""
GET_PREDS = """
import sys
from fastai.vision.all import get_image_files, load_learner
learn = load_learner(sys.argv[1])
files = sorted(get_image_files(sys.argv[2]))
with learn.no_bar(), learn.no_logging():
    shares = learn.get_preds(dl=learn.dls.test_dl(files, num_workers=0))[0]
for file, share in zip(files, shares):
    print(file, learn.dls.vocab[int(share.argmax())])
"""


class Found(NamedTuple):
    """What a run took: seconds, and its peak memory in MB."""

    seconds: float
    peak: float


def ways(export: Path, onnx: Path) -> dict[str, list[str]]:
    """Return the command of each way, to which a folder is added."""
    classify = [sys.executable, "-W", "ignore", "-m", "voilearn", "classify", "--model"]
    fastai = [sys.executable, "-W", "ignore", "-c"]
    return {
        "voilearn classify, export.onnx": [*classify, str(onnx)],
        "voilearn classify, the learner": [*classify, str(export), "--runtime", "learner"],
        "a loop over learn.predict": [*fastai, PREDICT, str(export)],
        "learn.get_preds": [*fastai, GET_PREDS, str(export)],
    }


def make(folder: Path, count: int) -> None:
    """Draw photos of several megapixels, with as much in them as a camera sees."""
    kinds = []
    for number in range(KINDS):
        small = Image.effect_noise((MADE[0] // 8, MADE[1] // 8), 40 + 2 * number)
        file = io.BytesIO()
        small.resize(MADE, Image.Resampling.BICUBIC).convert("RGB").save(file, "JPEG", quality=88)
        kinds.append(file.getvalue())
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(kinds[number % KINDS])


def fill(folder: Path, photos: Path | None, count: int) -> None:
    """Put so many photos into a folder: those of another one, as often as it takes, or made."""
    folder.mkdir()
    if photos is None:
        make(folder, count)
        return
    files = spread(sorted(path for path in photos.rglob("*.jpg") if path.is_file()), count)
    for number in range(count):
        (folder / f"{number:06}.jpg").symlink_to(files[number % len(files)])


def run(command: list[str], cores: int) -> Found:
    """Run a command on so many cores."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    return Found(*json.loads(python(RUN, json.dumps(allowed), *command)))


def peak_of_tenths(command: list[str], count: int) -> list[float]:
    """Run a command that prints a line a photo; return the peak of each tenth of them in MB."""
    peaks = [0.0] * 10
    with psutil.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line, _ in enumerate(process.stdout):
            tenth = min(10 * line // count, 9)
            with contextlib.suppress(psutil.Error):  # it has just ended
                peaks[tenth] = max(peaks[tenth], process.memory_info().rss / 1e6)
    return peaks


class Measured(NamedTuple):
    """A way's photos a second on one core and on two, and its peak memory in MB on two."""

    speeds: tuple[float, float]
    peak: float


def measure(
    ways: dict[str, list[str]], folders: dict[int, Path], rounds: int
) -> dict[str, Measured]:
    """Run each way on one photo and on all of them, with one core and with two."""
    count = max(folders)
    found: dict[tuple[str, int, int], list[Found]] = {}
    for _ in range(rounds):
        for way, command in ways.items():
            for cores in (1, 2):
                for photos in (1, count):
                    one = run([*command, str(folders[photos])], cores)
                    found.setdefault((way, cores, photos), []).append(one)
    return {way: told(way, count, found) for way in ways}


def told(way: str, count: int, found: dict[tuple[str, int, int], list[Found]]) -> Measured:
    """Return the medians of one way."""

    def seconds(cores: int, photos: int) -> float:
        return statistics.median(each.seconds for each in found[way, cores, photos])

    one, two = ((count - 1) / (seconds(c, count) - seconds(c, 1)) for c in (1, 2))
    return Measured((one, two), statistics.median(each.peak for each in found[way, 2, count]))


def table(measured: dict[str, Measured]) -> Iterator[str]:
    """Return the lines of a table; the first way is what the others are compared with."""
    yield "| | photos/s, one core | two cores | two over one | of learn.predict's | peak MB |"
    yield "|---|---|---|---|---|---|"
    theirs = measured["a loop over learn.predict"].speeds[1]
    for way, (speeds, peak) in measured.items():
        one, two = speeds
        ratios = f"{two / one:.2f} | {two / theirs:.2f}"
        yield f"| {way} | {one:.1f} | {two:.1f} | {ratios} | {peak:.0f} |"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=given_path, default=ROOT / "export.pkl")
    parser.add_argument("--onnx", type=given_path, help="what it compiles to (default: made here)")
    parser.add_argument("--photos", type=given_path, help="a folder of them (default: made here)")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    """Make the photos, measure, print."""
    chosen = options()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        onnx = chosen.onnx or compiled(chosen.model, place)
        folders = {count: place / f"{count}" for count in (1, chosen.count)}
        for count, folder in folders.items():
            fill(folder, chosen.photos, count)
        all_ways = ways(chosen.model, onnx)
        measured = measure(all_ways, folders, chosen.rounds)
        first, command = next(iter(all_ways.items()))
        peaks = peak_of_tenths([*command, str(folders[chosen.count])], chosen.count)
    print(f"{chosen.count:,} photos, {chosen.rounds} rounds\n")
    print("\n".join(table(measured)))
    print(f"\n{first}, peak MB in each tenth of them: {', '.join(f'{mb:.0f}' for mb in peaks)}")


if __name__ == "__main__":
    main()
