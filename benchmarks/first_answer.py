"""Measure how long somebody waits for the first answer of a process that has just begun.

In comes an export.pkl (the bears' own, if none is named); out goes a table for people: the same
command by the learner, as it is the first time, by the compiled form that was kept meanwhile, and
beside both fastai's own way. Each figure is the median of fresh processes, the ways taken in turn.

    make bench
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent

FASTAI = """
import sys
from fastai.vision.all import load_learner, PILImage
learn = load_learner(sys.argv[1])
with learn.no_bar():
    print(learn.predict(PILImage.create(sys.argv[2]))[0])
"""
# What a page's kernel does: the machine's own service is started, and answers.
PAGE = """
import sys
from pathlib import Path
from voilearn import connect
print(connect(sys.argv[1])(Path(sys.argv[2]).read_bytes()).label)
"""
CLASSIFY = ["-m", "voilearn", "classify", "--model"]
LEARNER, FORM = "the learner", "its compiled form"
WAYS = {
    ("fastai's load_learner and predict", ""): ["-W", "ignore", "-c", FASTAI],
    ("voilearn classify", LEARNER): CLASSIFY,
    ("voilearn classify", FORM): CLASSIFY,
    ("connect, as the page does, with its service", LEARNER): ["-c", PAGE],
    ("connect, as the page does, with its service", FORM): ["-c", PAGE],
}


def photo() -> bytes:
    """Return a photo of 12 megapixels, as a phone takes them."""
    file = io.BytesIO()
    small = Image.effect_noise((400, 300), 60).convert("RGB")
    small.resize((4000, 3000)).save(file, "JPEG", quality=85)
    return file.getvalue()


def run(way: list[str], answers: str, export: Path, picture: Path, cache: Path) -> float:
    """Run one way in a process of its own, with no service from before; return its seconds."""
    with tempfile.TemporaryDirectory() as services:
        own = {**os.environ, "XDG_RUNTIME_DIR": services, "XDG_CACHE_HOME": str(cache)}
        own["VOILEARN_RUNTIME"] = "auto" if answers == FORM else "learner"
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *way, str(export), str(picture)],
            cwd=ROOT, env=own, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        for entry in Path(services).glob("voilearn/*.json"):
            entry.unlink()
        end(services)
    if done.returncode:
        sys.exit(f"{way}: {done.stderr.strip()[-500:]}")
    return seconds


def end(services: str) -> None:
    """End the service that was started in a folder."""
    subprocess.run(["pkill", "-f", f"voilearn.service.this_machine .*{services}"], check=False)


def main() -> None:
    """Keep the form, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", type=Path, default=ROOT / "export.pkl")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    export = chosen.export.resolve()
    with tempfile.TemporaryDirectory() as folder:
        picture, cache = Path(folder) / "photo.jpg", Path(folder) / "cache"
        picture.write_bytes(photo())
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "voilearn.compiled.kept", str(export)],
            cwd=ROOT, env={**os.environ, "XDG_CACHE_HOME": str(cache)}, check=True,
        )  # fmt: skip
        print(f"which took {time.perf_counter() - began:.0f} s, in the background\n")
        found: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
        for _ in range(chosen.rounds + 1):
            for way, command in WAYS.items():
                found[way].append(run(command, way[1], export, picture, cache))
    first = statistics.median(found["fastai's load_learner and predict", ""][1:])
    print("| from nothing to the first answer | answers | seconds, median (range) | of fastai's |")
    print("|---|---|---|---|")
    for (name, answers), seconds in found.items():
        kept = seconds[1:]  # the first warms the disk's cache
        middle, spread = statistics.median(kept), f"{min(kept):.2f} to {max(kept):.2f}"
        print(f"| {name} | {answers or LEARNER} | {middle:.2f} ({spread}) | {middle / first:.2f} |")


if __name__ == "__main__":
    main()
