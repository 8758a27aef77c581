"""Install on this machine what a user would, and ask it for its first answers.

In come the project and the bears' model; out goes a table: Voilearn alone, with the learner, and
Gradio with fastai in its place. `install_size.py --here` prints it.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from benchmarks.first_answers import GRADIO, ask_gradio, ask_voilearn, in_shell, on_page
from benchmarks.fresh import Fresh

ROOT = Path(__file__).parent.parent


class Installed(NamedTuple):
    """What a user has installed: the seconds of pip, MB on disk, seconds to a first answer."""

    name: str
    seconds: float
    megabytes: float
    in_shell: float | None
    on_page: float


def installed(name: str, wanted: Sequence[str], desk: Path) -> Iterator[Installed]:
    """Install on this machine what is wanted, ask it for its first answers, and remove it.

    `desk` is a folder with the bears' model in both kinds, and a photo. With the learner there are
    two: the learner's own answers, and those of the compiled form that is kept of its model.
    """
    with tempfile.TemporaryDirectory() as folder:
        fresh = Fresh.made(Path(folder) / "fresh")
        began = time.perf_counter()
        fresh.install_by_pip(*wanted)
        took = time.perf_counter() - began, fresh.megabytes()
        if name.startswith("gradio"):
            command = ("python", GRADIO, desk / "export.pkl", "PORT")
            page = on_page(fresh, command, ask_gradio, desk / "photo.jpg")
            yield Installed(name, *took, None, page)
        elif name == "voilearn":
            yield Installed(f"{name}, export.onnx", *took, *waits(fresh, desk / "export.onnx"))
        else:
            model = desk / "export.pkl"
            learner = replace(fresh, variables={"VOILEARN_RUNTIME": "learner"})
            yield Installed(f"{name}, the learner", *took, *waits(learner, model))
            fresh.run("voilearn", "compile", "--keep", model, folder=desk)
            yield Installed(f"{name}, kept compiled", *took, *waits(fresh, model))


def waits(fresh: Fresh, model: Path) -> tuple[float, float]:
    """Return how long a user waits for the first answer in a shell, and on a page."""
    photo = model.with_name("photo.jpg")
    page = ("voilearn", "page", model, "--no-browser", "--port", "PORT")
    return in_shell(fresh, model, photo), on_page(fresh, page, ask_voilearn, photo)


def here(desk: Path) -> Iterator[str]:
    """Yield the lines of a table of what is installed on this machine."""
    gradio = next(
        line
        for line in (ROOT / "benchmarks" / "requirements.txt").read_text().splitlines()
        if line.startswith("gradio==")
    )
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "-o", folder]
        subprocess.run([*build, str(ROOT)], check=True)
        wheel = str(next(Path(folder).glob("*.whl")))
        ways = {
            "voilearn": [wheel],
            "voilearn[learner,timm]": [f"{wheel}[learner,timm]"],
            "gradio, fastai, timm": [gradio, "fastai>=2.8.12,<2.9", "timm"],
        }
        yield "| | pip, s | on disk, MB | first answer in a shell, s | page's start to answer, s |"
        yield "|---|---|---|---|---|"
        for name, wanted in ways.items():
            for way in installed(name, wanted, desk):
                shell = "–" if way.in_shell is None else f"{way.in_shell:.1f}"
                sizes = f"{way.seconds:.0f} | {way.megabytes:,.0f}"
                yield f"| {way.name} | {sizes} | {shell} | {way.on_page:.1f} |"


def print_here() -> None:
    """Compile the bears' model, draw a photo, and print the table, a line as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder)
        shutil.copy(ROOT / "export.pkl", desk)
        compile = [sys.executable, "-W", "ignore", "-m", "voilearn", "compile"]
        compile += [str(ROOT / "export.pkl"), "-o", folder]
        subprocess.run(compile, cwd=ROOT, check=True, capture_output=True)
        Image.effect_noise((1024, 768), 60).convert("RGB").save(desk / "photo.jpg")
        for line in here(desk):
            print(line, flush=True)
