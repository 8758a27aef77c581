"""Open the notebook of a model's page in JupyterLab: `voilearn page --lab`.

In comes a model; out goes JupyterLab, at an address that only this machine reaches, with the
notebook beside the model, or a new one where there is none.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from voilearn.errors import UnusableSettings, printable
from voilearn.page.title import UNTITLED, words_of
from voilearn.project.notebook import notebook_text
from voilearn.settings import read_settings

Say = Callable[[str], None]


def open_lab(model: Path, port: int, browser: bool, say: Say) -> None:
    """Run JupyterLab until Ctrl+C; `port` 0 is any that is free.

    Raises ImportError where JupyterLab is not installed.
    """
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]  # it has no types

    notebook = notebook_of(model, say)
    options = [str(notebook), "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    options += [] if browser else ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as in a container, where there is no other
        options.append("--allow-root")
    LabApp.launch_instance([*options, "--log-level=WARN"])


def notebook_of(model: Path, say: Say) -> Path:
    """Return the notebook beside a model, or a new one in a folder of its own.

    That folder stays, for the notebook may be changed. What an author says of the page beside the
    model is there, too.
    """
    own = model.with_name("app.ipynb").absolute()
    if own.is_file():
        say(f"The notebook is {printable(str(own))}")
        return own
    settings = read_settings(model.with_name("app.toml"))
    folder = Path(tempfile.mkdtemp(prefix="voilearn-"))
    try:
        title, introduction = words_of(settings, own)
    except UnusableSettings:  # neither of the two says any
        title, introduction = UNTITLED, settings.introduction
    path = str(model.absolute())
    (folder / "app.ipynb").write_text(notebook_text(title, introduction, path), "utf-8")
    _take_along(model.absolute().parent, folder)
    say(f"The notebook is new, for there is no app.ipynb beside the model: {folder / 'app.ipynb'}")
    return folder / "app.ipynb"


def _take_along(beside: Path, folder: Path) -> None:
    if (beside / "app.toml").is_file():
        shutil.copyfile(beside / "app.toml", folder / "app.toml")
    if (beside / "examples").is_dir():
        with contextlib.suppress(OSError):  # Windows lets only some users make links
            (folder / "examples").symlink_to(beside / "examples", target_is_directory=True)
