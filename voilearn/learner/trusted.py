"""Open an export.pkl the usual way, with fastai's own `load_learner`: it runs the file's code.

In comes a path that its reader trusts; out goes the learner as it was pickled. Only for learners
with layers or transforms of their author's own; every other opens without (`rebuild.py`).
"""

import os
import pathlib
import re
import sys
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fastai
import torch
from fastai.learner import Learner
from fastai.learner import load_learner as fastai_load_learner

from voilearn.errors import UnusableModel, printable, shown
from voilearn.export.file import Brought, read_brought
from voilearn.export.leftovers import MOVED_IN_FASTAI_2_8
from voilearn.missing import install_line, is_missing

# Names of Python 2 that pickle maps to today's, and the notebook the learner was trained in.
PICKLES_OWN = {"__main__", *IMPORT_MAPPING, *(module for module, _ in NAME_MAPPING)}


def load_trusted(path: Path) -> Learner:
    """Return what fastai's `load_learner` makes of a file, on the CPU.

    It runs whatever code the file brings along. Raises UnusableModel, with what to do, if that
    fails.
    """
    _check_can_open(path, read_brought(path))
    with _reasons_told(path), _paths_of_any_system(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle's dangers and of what old networks still use
        learn: Learner = fastai_load_learner(path)
    return learn


def _check_can_open(path: Path, brought: Brought) -> None:
    """Refuse what plain reading shows won't open; fastai loses the name of a missing package."""
    references = brought.references
    if any(name.startswith(MOVED_IN_FASTAI_2_8) for name in references):
        raise UnusableModel(
            f"{shown(path)} was exported by a fastai before 2.8, which today's fastai can't open "
            "by itself. Without --trust it opens unless it has parts of its author's own; "
            "then open it where it was made, and export it again with fastai 2.8 or newer."
        )
    if brought.other_python:
        raise UnusableModel(
            f"{shown(path)} holds functions as the bytecode of Python {brought.other_python}, and "
            f"that runs in no other; this is Python {sys.version_info.major}."
            f"{sys.version_info.minor}. Open it with that Python, or export the learner again with "
            "this one. Without --trust it opens in any, unless it has parts of its author's own."
        )
    notebook = sys.modules["__main__"]
    own = [n.partition(".")[2] for n in references if n.startswith("__main__.")]
    if missing := [name for name in own if not hasattr(notebook, name)]:
        raise UnusableModel(
            f"{shown(path)} needs what its author's notebook defined: {', '.join(missing)}. Define "
            "it in app.ipynb, as it was, in a cell before load_classify(…, trust=True)."
        )
    packages = {name.split(".")[0] for name in references} - PICKLES_OWN
    for package in sorted(packages):
        if package not in sys.modules and is_missing(package):
            raise UnusableModel(
                f"{shown(path)} needs the Python package {package}, which is not installed here. "
                f"Install it ({install_line(package)}), or put the author's file of that "
                "name here, and try again."
            )


@contextmanager
def _paths_of_any_system() -> Iterator[None]:
    """Let an export made on Windows open elsewhere, and the reverse: it holds the trainer's paths.

    Python refuses to make a path of the other system; nothing in an export uses them to predict.
    """
    foreign = "PosixPath" if os.name == "nt" else "WindowsPath"
    added = sys.modules.setdefault("pathlib._local", pathlib)  # where Python 3.13 has its paths
    homes = {sys.modules[name] for name in ("pathlib", "pathlib._local")}
    kept = {home: getattr(home, foreign) for home in homes}
    for home in homes:
        setattr(home, foreign, type(Path()))
    try:
        yield
    finally:
        for home in homes:
            setattr(home, foreign, kept[home])
        if added is pathlib:
            del sys.modules["pathlib._local"]


@contextmanager
def _reasons_told(path: Path) -> Iterator[None]:
    """Turn what fastai raises on a file it can't open into a sentence with what to do."""
    try:
        yield
    except Exception as error:  # unpickling may raise anything
        if missing := MISSING.search(str(error)):
            name, module = map(printable, missing.groups())
            raise UnusableModel(
                f"{shown(path)} needs a function or class of its author's own, {module}.{name}, "
                "which is not here. Define it there before loading, or export the learner again "
                "without it."
            ) from error
        raise UnusableModel(
            f"{shown(path)} can't be opened by its own code ({type(error).__name__}). It may need "
            f"other versions than those here: Python {sys.version_info.major}."
            f"{sys.version_info.minor}, torch {torch.__version__}, fastai {fastai.__version__}. "
            "Open it where it was made, and export it again with these."
        ) from error


# What pickle says of a name that its module has not
MISSING = re.compile(r"Can't get attribute '([^']+)' on <module '([^']+)'")
