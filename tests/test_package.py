"""The wheel: everything of the package is in it, and type checkers are told that it has types."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import voilearn
from tests.conftest import ROOT

PACKAGE = Path(voilearn.__file__).parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel that is built of this checkout."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as file:
        return file.namelist()


def test_every_file_of_the_package_is_in_the_wheel(wheel: list[str]) -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(PACKAGE.parent).as_posix() for path in files} <= set(wheel)


def test_the_wheel_says_that_it_has_types(wheel: list[str]) -> None:
    assert "voilearn/py.typed" in wheel
