"""What the tests share: the real export, the real photos, and pictures made by code."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from filelock import FileLock
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from tests.services import Machine

ROOT = Path(__file__).parents[1]
EXPORTS = ROOT / "tests" / "exports"  # learners of real old releases, and what is none
PHOTOS = Path(os.environ.get("VOILEARN_PHOTOS", ROOT.parent / "shared" / "photos"))


with_fastai = pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "fastai", "timm")),
    reason="fastai, with torch and timm, is not installed",
)


# What a shell begins in its background, as `make test &`, hears no Ctrl+C, nor does what it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real photos; they are not in the repository, for their rights are unknown."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos (../shared/photos beside the checkout) are not here")
    return PHOTOS


@pytest.fixture(scope="session", autouse=True)
def _own_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the model services that tests start apart from the user's, and end them."""
    folder = tmp_path_factory.mktemp("services")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    # The learner is what most tests ask; those of the forms that are kept have caches of their own.
    os.environ["VOILEARN_RUNTIME"] = "learner"
    yield
    for process in services(folder):
        with contextlib.suppress(psutil.Error):  # it has ended by itself
            process.kill()


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Fail a test that changes its process for all tests after it."""
    from tests.process_state import changed, process_state

    before = process_state()
    yield
    assert not changed(before, process_state())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests together as `parallel` says, when several processes run them."""
    from tests.parallel import Scheduling

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, when several processes share the tests."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from tests.parallel import longest_first

        longest_first(items)


def services(folder: Path) -> list[psutil.Process]:
    """The model services that are found in a folder or below."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if "voilearn.service.this_machine" in command and str(folder) in "".join(command[-2:]):
                found.append(process)
    return found


@pytest.fixture(scope="session")
def export() -> Path:
    return ROOT / "export.pkl"


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the repository's compiled model, made once, whichever test comes first.

    VOILEARN_COMPILED names one that is there already.
    """
    if there := os.environ.get("VOILEARN_COMPILED"):
        return Path(there)
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "compiled"
    with FileLock(f"{folder}.lock"):
        if not (folder / "export.json").exists():
            command = [sys.executable, "-m", "voilearn", "compile", "export.pkl", "-o", str(folder)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"export.pkl can't be compiled here: {done.stderr[-200:]}")
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Machine]":
    """A place for services of the test's own, which have all ended after it."""
    from tests.services import Machine

    machine = Machine(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(machine.path.parent))
    for name in ("VOILEARN_URL", "VOILEARN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield machine
    machine.end()


def built_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built in a folder."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def draw(size: tuple[int, int] = (120, 80), mode: str = "RGB") -> Image.Image:
    """A picture that looks different in each of the eight orientations."""
    picture = Image.new("RGB", size, (30, 60, 90))
    pen = ImageDraw.Draw(picture)
    width, height = size
    pen.rectangle((0, 0, width // 3, height // 4), fill=(250, 200, 40))
    pen.ellipse((width // 2, height // 2, width - 1, height - 1), fill=(200, 30, 30))
    return picture.convert(mode)


def encode(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
