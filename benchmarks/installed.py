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


def installed(name: str, wanted: Sequence[str], desk: Path) -> Installed:
    """Install on this machine what is wanted, ask it for its first answers, and remove it.

    `desk` is a folder with the bears' model in both kinds, and a photo.
    """
    with tempfile.TemporaryDirectory() as folder:
        fresh = Fresh.made(Path(folder) / "fresh")
        began = time.perf_counter()
        fresh.install_by_pip(*wanted)
        seconds, megabytes = time.perf_counter() - began, fresh.megabytes()
        model, photo = desk / "export.pkl", desk / "photo.jpg"
        if name.startswith("gradio"):
            page = on_page(fresh, ("python", GRADIO, model, "PORT"), ask_gradio, photo)
            return Installed(name, seconds, megabytes, None, page)
        if name == "voilearn":
            model = desk / "export.onnx"
        shown = ("voilearn", "page", model, "--no-browser", "--port", "PORT")
        page = on_page(fresh, shown, ask_voilearn, photo)
        return Installed(name, seconds, megabytes, in_shell(fresh, model, photo), page)


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
            way = installed(name, wanted, desk)
            shell = "–" if way.in_shell is None else f"{way.in_shell:.1f}"
            sizes = f"{way.seconds:.0f} | {way.megabytes:,.0f}"
            yield f"| {name} | {sizes} | {shell} | {way.on_page:.1f} |"


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
