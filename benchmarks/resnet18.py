"""Train and compile the resnet18 that several benchmarks measure with, the book's usual network.

In comes a folder; out go an export.pkl, an export.onnx and its export.json in it. One epoch on
the bears: what is measured does not depend on how good it is.

    python benchmarks/resnet18.py FOLDER
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PHOTOS = Path(os.environ.get("VOILEARN_PHOTOS", ROOT.parent / "shared" / "photos")).absolute()

TRAIN = """
import sys, fastai.vision.all as f
folder, photos = map(f.Path, sys.argv[1:])
f.set_seed(1)
loaders = f.ImageDataLoaders.from_folder(
    photos, valid_pct=0.2, seed=1, item_tfms=f.Resize(224), bs=32, num_workers=0,
    batch_tfms=[*f.aug_transforms(), f.Normalize.from_stats(*f.imagenet_stats)])
learn = f.vision_learner(loaders, f.resnet18, pretrained=False, path=folder)
learn.unfreeze()
with learn.no_bar(), learn.no_logging():
    learn.fit_one_cycle(1, 1e-3)
learn.export()
"""

COMPILE = """
import sys
from pathlib import Path
from voilearn.compiled.compile import compile_learner
export, folder = map(Path, sys.argv[1:])
compile_learner(export, folder, say=lambda line: None)
"""


def python(script: str, *arguments: object) -> str:
    """Run a script in a process of its own, and return what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def photos_needed() -> None:
    """Stop, with what to do, if the photos are not on this machine."""
    if not PHOTOS.is_dir():
        sys.exit(f"The photos are not here ({PHOTOS.name}): set VOILEARN_PHOTOS to their folder.")


def train(folder: Path) -> Path:
    """Train a resnet18 for an epoch on the bears; return its export.pkl in the folder."""
    python(TRAIN, folder, PHOTOS / "bears")
    return folder / "export.pkl"


def compiled(export: Path, folder: Path) -> Path:
    """Write what an export.pkl compiles to into a folder; return its export.onnx."""
    python(COMPILE, export, folder)
    return folder / "export.onnx"


def make(folder: Path, made: Path | None = None) -> Path:
    """Return a folder with a resnet18 and what it compiles to: the one made, or a new one."""
    if made is not None:
        return made
    compiled(train(folder), folder)
    return folder


if __name__ == "__main__":
    photos_needed()
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(exist_ok=True)
    make(folder)
