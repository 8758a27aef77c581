"""What is installed: all of the package is in its wheel, and `make quick` leaves torch out."""

import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import voilearn
from tests.conftest import ROOT, built_wheel

PACKAGE = Path(voilearn.__file__).parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel that is built of this checkout."""
    with zipfile.ZipFile(built_wheel(tmp_path_factory.mktemp("wheel"))) as file:
        return file.namelist()


def test_every_file_of_the_package_is_in_the_wheel(wheel: list[str]) -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(PACKAGE.parent).as_posix() for path in files} <= set(wheel)


def test_the_wheel_says_that_it_has_types(wheel: list[str]) -> None:
    assert "voilearn/py.typed" in wheel


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_quick_installs_no_torch_and_nothing_that_is_not_pinned() -> None:
    # -B: as on a fresh machine, where nothing is installed yet
    dry = subprocess.run(
        ["make", "-n", "-B", "quick"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    install = dry.replace("\\\n", "").partition("uv pip install ")[2].partition("\n")[0]
    words = shlex.split(install)
    locks = [words[at + 1] for at, word in enumerate(words) if word == "-c"]
    pinned = {line.partition("==")[0] for lock in locks for line in lines(lock)}
    extras = set(re.findall(r"[a-z]+", words[words.index("-e") + 1]))
    named = words[words.index("-e") + 2 :]
    assert extras == {"notebook", "heic"}
    assert set(named) <= pinned
    assert not {"torch", "fastai", "timm", "onnxscript"} & set(named)


def lines(lock: str) -> list[str]:
    return [line for line in (ROOT / lock).read_text().splitlines() if "==" in line]
