"""The wheel as it is built of the sdist, and an environment with nothing but it."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmarks.fresh import Fresh
from tests.conftest import ROOT, draw


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of what is in the sdist, as a distribution does."""
    folder = tmp_path_factory.mktemp("built")
    _build(ROOT, "sdist", folder)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        sdist.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    _build(unpacked, "wheel", folder)
    (built,) = folder.glob("*.whl")
    return built


def _build(source: Path, target: str, folder: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)


@pytest.fixture(scope="session")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Return an environment with the wheel alone, in a folder that has a space in its name."""
    made = Fresh.made(tmp_path_factory.mktemp("environment") / "fresh one")
    made.install(str(wheel))
    return made


@pytest.fixture(scope="session")
def with_learner(wheel: Path, fresh: Fresh) -> Fresh:
    """Return the same environment, once the learner is installed into it, too."""
    fresh.install(f"{wheel}[learner,timm]")
    return fresh


@pytest.fixture(scope="session")
def desk(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a user's folder, outside the checkout: both kinds of model, and a photo."""
    folder = tmp_path_factory.mktemp("desk")
    os.link(ROOT / "export.pkl", folder / "export.pkl")
    for name in ("export.onnx", "export.json"):
        os.link(compiled / name, folder / name)
    draw((640, 480)).save(folder / "photo.jpg")
    return folder
