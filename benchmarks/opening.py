"""Measure what opening an export.pkl costs, beside fastai's own way, in one run.

In comes nothing; out goes a table for people. The export is a resnet18 as the book makes it
(47 MB), written here. Each figure is the median of fresh processes, the ways taken in turn.

    make bench
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

MAKE = """
import sys, fastai.vision.all as f
from PIL import Image
folder = f.Path(sys.argv[1])
for i in range(8):
    Image.effect_noise((64, 64), 40 + 20 * i).convert("RGB").save(folder / f"{i % 2}_{i}.png")
loaders = f.ImageDataLoaders.from_name_re(
    folder, f.get_image_files(folder), r"^(.)_", item_tfms=f.Resize(224), bs=4, num_workers=0)
f.vision_learner(loaders, f.resnet18, pretrained=False, path=folder).export()
"""

# Each way is what comes before the clock is started, and what is timed.
CLOCK = """
import sys, time
path = sys.argv[1]
{before}
began = time.perf_counter()
{timed}
seconds = time.perf_counter() - began
import json, pathlib
peak = [l.split()[1] for l in pathlib.Path("/proc/self/status").open() if l.startswith("VmHWM")]
told = dict(seconds=seconds, peak=int(peak[0]) / 1024, torch="torch" in sys.modules)
print(json.dumps(told))
"""
FASTAI = "import fastai.vision.all"
INSPECT = "from voilearn.export.file import read_export_file; read_export_file(path)"
OURS = "from voilearn.learner.load import load_learner; load_learner(path)"
THEIRS = "from fastai.vision.all import load_learner; load_learner(path)"
WAYS = {
    "Python alone": ("", ""),
    "voilearn inspect": ("", INSPECT),
    "import fastai.vision.all": ("", FASTAI),
    "fastai's load_learner, fastai imported": (FASTAI, THEIRS),
    "voilearn's load_learner, fastai imported": (FASTAI, OURS),
    "fastai's load_learner, from nothing": ("", THEIRS),
    "voilearn's load_learner, from nothing": ("", OURS),
}


def run(before: str, timed: str, path: Path) -> dict[str, float]:
    """Run one way in a process of its own; return its seconds, peak memory and whether torch."""
    script = CLOCK.format(before=before, timed=timed)
    command = [sys.executable, "-W", "ignore", "-c", script, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Write the export, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-W", "ignore", "-c", MAKE, folder], check=True)
        export = Path(folder) / "export.pkl"
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds + 1):
            for way, (before, timed) in WAYS.items():
                found[way].append(run(before, timed, export))
        print(f"export.pkl: resnet18, {export.stat().st_size / 1e6:.1f} MB; {rounds} rounds\n")
    print("| | seconds, median (lowest to highest) | peak MB | torch in the process |")
    print("|---|---|---|---|")
    for way, runs in found.items():
        seconds = [told["seconds"] for told in runs[1:]]  # the first warms the disk's cache
        peak = statistics.median(told["peak"] for told in runs[1:])
        torch = "yes" if runs[0]["torch"] else "no"
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"| {way} | {statistics.median(seconds):.2f} ({spread}) | {peak:.0f} | {torch} |")


if __name__ == "__main__":
    main()
