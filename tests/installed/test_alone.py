"""Every command that works with nothing but the wheel, and what the others say."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

import voilearn
from benchmarks.fresh import Fresh
from tests.conftest import EXPORTS
from tests.waiting import ended, line_of, wait_for
from voilearn import load_classify

pytestmark = [pytest.mark.installed, pytest.mark.model]

MOST = 260  # MB on disk, with pip itself
LEARNER = r'-m pip install "voilearn\[learner,timm\]"$'


def test_it_is_light_and_brings_neither_torch_nor_notebook(fresh: Fresh, desk: Path) -> None:
    assert fresh.megabytes() < MOST
    listed = fresh.run("pip", "list", "--format=freeze", folder=desk).stdout
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert {"voilearn", "onnxruntime", "fastapi", "pillow", "pip"} <= names
    assert not names & {"torch", "fastai", "timm", "onnx", "notebook", "ipywidgets", "voila"}


def test_the_package_is_the_installed_one(fresh: Fresh, desk: Path) -> None:
    where = fresh.run("python", "-c", "import voilearn; print(voilearn.__file__)", folder=desk)
    assert Path(where.stdout.strip()).is_relative_to(fresh.folder)
    version = fresh.run("voilearn", "--version", folder=desk)
    assert version.stdout == f"voilearn {voilearn.__version__}\n"


def test_it_tells_of_each_command(fresh: Fresh, desk: Path) -> None:
    told = fresh.run("voilearn", "--help", folder=desk).stdout
    commands = re.findall(r"^ {4}(\w+) ", told, re.MULTILINE)
    assert {"classify", "inspect", "compile", "serve", "page", "new", "device"} <= set(commands)
    for command in commands:
        assert fresh.run("voilearn", command, "--help", folder=desk).returncode == 0


def test_a_compiled_model_answers(fresh: Fresh, desk: Path) -> None:
    """With the numbers that this environment has for it."""
    classify = ("voilearn", "classify", "--model", "export.onnx", "--json", "photo.jpg")
    done = fresh.run(*classify, folder=desk)
    assert (done.returncode, done.stderr) == (0, "")
    expected = load_classify(desk / "export.onnx")((desk / "photo.jpg").read_bytes())
    assert json.loads(done.stdout)["probabilities"] == pytest.approx(
        expected.probabilities, abs=1e-5
    )


def test_an_export_is_read_as_data_and_what_it_needs_is_told(fresh: Fresh, desk: Path) -> None:
    done = fresh.run("voilearn", "inspect", "--json", "export.pkl", folder=desk)
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert told["classes"] == ["black", "grizzly", "teddy"]
    assert re.search(
        rf"needs the Python packages fastai, timm and torch, .*{LEARNER}", told["hindrance"]
    )
    shutil.copy(EXPORTS / "2.8.12-legacy_container.pkl", desk / "other.pkl")
    other = fresh.run("voilearn", "inspect", "other.pkl", folder=desk).stdout
    assert "timm" not in other.partition("why not")[2]
    assert fresh.run("voilearn", "inspect", "export.onnx", folder=desk).returncode == 0


@contextlib.contextmanager
def running(fresh: Fresh, folder: Path, *command: str) -> Iterator[str]:
    """Run a command that serves; give its address, and interrupt it as Ctrl+C does."""
    process = subprocess.Popen(
        [fresh.command("voilearn"), *command],
        cwd=folder,
        env=fresh.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = line_of(process.stdout)
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", said)[:1]
        yield address
        process.send_signal(signal.SIGINT)
        assert ended(process) in (0, 130)
    finally:
        process.kill()
        process.communicate()


def is_ready(address: str) -> bool:
    with contextlib.suppress(urllib.error.HTTPError):  # 503 while the model is loaded
        return bool(get(f"{address}/readyz"))
    return False


def get(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=300) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize(
    "command",
    [
        ("page", "export.onnx", "--no-browser"),
        ("serve", "--model", "export.onnx", "--port", "0"),
    ],
)
def test_the_page_is_whole_and_a_photo_is_answered(
    command: tuple[str, ...], fresh: Fresh, desk: Path
) -> None:
    with running(fresh, desk, *command) as address:
        page = get(f"{address}/").decode()
        files = re.findall(r'(?:src|href)="((?!data:|#)[^"]+)"', page)
        assert files
        assert all(get(urljoin(f"{address}/", file)) for file in files)
        wait_for(lambda: is_ready(address))
        answer = json.loads(get(f"{address}/v1/classify", (desk / "photo.jpg").read_bytes()))
        assert answer["label"] in ("black", "grizzly", "teddy")
        assert b"swagger" in get(f"{address}/docs")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("classify", "photo.jpg"), LEARNER),
        (("compile", "export.pkl"), LEARNER),
        (("serve", "--port", "0"), LEARNER),
        (("page", "export.pkl", "--no-browser"), LEARNER),
        (("device", "export.pkl", "-o", "device"), LEARNER),
        (("page", "export.onnx", "--lab"), r'-m pip install "voilearn\[notebook\]"$'),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_needs_more_says_the_line_to_install_it(
    command: tuple[str, ...], says: str, fresh: Fresh, desk: Path
) -> None:
    done = fresh.run("voilearn", *command, folder=desk)
    assert done.returncode == 1
    *before, last = done.stderr.splitlines()
    assert re.search(says, last), done.stderr
    assert f"'{fresh.python}' -m pip" in last  # quoted, for its space
    assert "Traceback" not in done.stderr
    assert all(line.startswith("{") for line in before), "only the service's log stands before it"


def test_a_notebook_is_told_the_line_to_install_it(fresh: Fresh, desk: Path) -> None:
    done = fresh.run("python", "-c", "from voilearn import Page", folder=desk)
    assert re.search(r'pip install "voilearn\[notebook\]"$', done.stderr.strip())
    connected = "from voilearn import connect; connect('export.pkl')"
    assert re.search(LEARNER, fresh.run("python", "-c", connected, folder=desk).stderr.strip())


@pytest.mark.parametrize("model", ["export.pkl", "export.onnx"])
def test_a_new_app_is_made(model: str, fresh: Fresh, desk: Path) -> None:
    app = f"app-of-{model[-3:]}"
    done = fresh.run("voilearn", "new", app, "--model", model, folder=desk)
    assert done.returncode == 0, done.stderr
    for name in ("app.ipynb", "app.toml", "README.md", "requirements.txt", ".gitignore", model):
        assert (desk / app / name).is_file(), name
    assert {path.name for path in (desk / app / "binder").iterdir()} >= {"postBuild", "start"}


def test_the_page_for_a_device_is_made(fresh: Fresh, desk: Path) -> None:
    done = fresh.run("voilearn", "device", "export.onnx", "-o", "page", folder=desk)
    if "can't be downloaded" in done.stderr:
        pytest.skip("npm's registry, which has the runtime, can't be reached")
    assert done.returncode == 0, done.stderr
    assert (desk / "page" / "index.html").is_file()
    assert list((desk / "page").rglob("*.wasm*"))
