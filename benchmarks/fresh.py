"""A fresh environment, with nothing in it but pip and what it is told to install.

In come a folder and what pip would be asked for; out go the commands that are there then, what
they say in a folder where nothing else is, and what it all takes on disk.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import NOT_OURS

# Settings of a tester's own that would bring in more than is installed
NOT_HERE = (*NOT_OURS, "PYTHON", "VIRTUAL_ENV", "UV_", "PIPX_", "XDG_")


@dataclass(frozen=True)
class Fresh:
    """An environment in `folder`, and beside it a home of its own; `variables` are set in it."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, folder: Path, python: str = sys.executable) -> "Fresh":
        """Make one with a Python, as `python -m venv` does."""
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        folder.with_name(f"{folder.name}-home").mkdir()
        return cls(folder)

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.command("python")

    def command(self, name: str) -> Path:
        """Return the path of a command in it, on any system."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / name

    def install(self, *wanted: str) -> None:
        """Install as pip would, `.pyc` files and all, by uv, which is faster and links files."""
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode"]
        subprocess.run([*install, "--python", str(self.python), *wanted], check=True)

    def install_by_pip(self, *wanted: str) -> None:
        """Install by the environment's own pip."""
        install = [str(self.python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, *wanted], check=True)

    def run(self, *command: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run a command of it in another folder, and return what it says."""
        name, *arguments = command
        return subprocess.run(
            [self.command(str(name)), *arguments],
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables of a user who has nothing set, and a home of their own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_HERE)}
        home = str(self.folder.with_name(f"{self.folder.name}-home"))
        own = {"HOME": home, "XDG_RUNTIME_DIR": home, "GRADIO_ANALYTICS_ENABLED": "False"}
        return kept | own | dict(self.variables)

    def megabytes(self) -> float:
        """Return what it takes on disk, in millions of bytes, as `du` counts it."""
        sizes: dict[int, int] = {}
        for path in self.folder.rglob("*"):
            told = path.lstat()
            blocks = getattr(told, "st_blocks", None)  # Windows has none
            sizes[told.st_ino] = told.st_size if blocks is None else 512 * blocks
        return sum(sizes.values()) / 1e6
