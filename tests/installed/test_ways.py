"""The wheel installed by each tool, on each Python that is here, and without a network."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fresh import Fresh
from tests.conftest import ROOT
from tests.documents import commands

pytestmark = [pytest.mark.installed, pytest.mark.model]

MOST = 260  # MB
PYTHONS = ("3.12", "3.13", "3.14")
TOO_OLD = "3.10"


def python_of(version: str) -> str:
    """Return a Python of a version; skip where there is none that runs."""
    find = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version]
    found = subprocess.run(find, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    pytest.skip(f"Python {version} is not here")


@pytest.mark.parametrize("version", PYTHONS)
def test_it_is_as_light_and_answers_on_every_python(
    version: str, wheel: Path, desk: Path, tmp_path: Path
) -> None:
    fresh = Fresh.made(tmp_path / "fresh", python_of(version))
    fresh.install(str(wheel))
    assert fresh.megabytes() < MOST
    classify = ("voilearn", "classify", "--model", "export.onnx", "photo.jpg")
    done = fresh.run(*classify, folder=desk)
    assert done.returncode == 0, done.stderr


def test_a_python_that_is_too_old_is_refused_by_pip(wheel: Path, tmp_path: Path) -> None:
    fresh = Fresh.made(tmp_path / "old", python_of(TOO_OLD))
    done = fresh.run("pip", "install", "--no-deps", str(wheel), folder=tmp_path)
    assert done.returncode == 1
    assert "requires a different Python" in done.stderr


def tool(name: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run uv or pipx, with a home of its own below a folder."""
    own = {
        "PIPX_HOME": "pipx",
        "PIPX_BIN_DIR": "bin",
        "UV_TOOL_DIR": "tools",
        "UV_TOOL_BIN_DIR": "bin",
    }
    homes = {variable: str(folder / below) for variable, below in own.items()}
    return subprocess.run(
        [sys.executable, "-m", name, *arguments],
        env=os.environ | homes,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


TOOLS = {
    "uv tool run": ("uv", ["tool", "run", "--from"], 'uv tool run --from "{}" voilearn …'),
    "uv tool install": ("uv", ["tool", "install"], 'uv tool install "{}"'),
    "pipx run": ("pipx", ["run", "--spec"], 'pipx run --spec "{}" voilearn …'),
    "pipx install": ("pipx", ["install"], 'pipx install --force "{}"'),
}


@pytest.mark.parametrize("way", TOOLS)
def test_a_tool_runs_it_and_is_what_is_named_to_install_more(
    way: str, wheel: Path, desk: Path, tmp_path: Path
) -> None:
    name, words, line = TOOLS[way]
    pytest.importorskip(name, reason=f"{name} is not installed; `make installed` does")
    export = str(desk / "export.pkl")
    run = ["voilearn"] if "run" in words else []
    command = [*words, str(wheel), *run]
    if run:
        done = tool(name, tmp_path, *command, "inspect", export)
    else:
        assert tool(name, tmp_path, *command).returncode == 0
        inspect = [str(tmp_path / "bin" / "voilearn"), "inspect", export]
        done = subprocess.run(inspect, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(r"3 classes +black, grizzly, teddy", done.stdout), done.stderr
    assert f" {line.format('voilearn[learner,timm]')}\n" in done.stdout


def test_it_is_installed_without_a_network_as_the_documents_tell(tmp_path: Path) -> None:
    build, install = commands("wheels")
    assert " wheel " in build and "--no-index" in install
    shutil.copytree(ROOT / "voilearn", tmp_path / "voilearn")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    here = Fresh.made(tmp_path / "here")
    there = Fresh.made(tmp_path / "there")
    done = here.run("python", *shlex.split(build)[1:], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = re.findall(r"writes (\d+) wheels", (ROOT / "docs" / "install.md").read_text())
    assert told == [str(len(list((tmp_path / "wheels").iterdir())))]
    done = there.run(*shlex.split(install), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert there.run("voilearn", "--version", folder=tmp_path).returncode == 0
