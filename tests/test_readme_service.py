"""The README's lines about the service, run against the service that it starts."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import ROOT, draw
from tests.serving import ask
from tests.test_docs import README, commands, here
from tests.waiting import ended, line_of, wait_for

ADDRESS = "http://127.0.0.1:8000"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is: a compiled model, and a photo."""
    folder = tmp_path_factory.mktemp("reader")
    onnx_files.write(folder, onnx_files.model())
    draw().save(folder / "photo.jpg")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Run the README's command for a compiled model, at a port that is free."""
    (command,) = [c for c in commands() if " serve --model" in c]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [*here(command), "--port", "0"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = line_of(process.stdout).split()[0]
        wait_for(lambda: ask(url, "GET", "/readyz")[0] == 200)
        yield url
        process.terminate()
        assert ended(process) == 0
    finally:
        process.kill()
        process.wait()


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on this machine")
@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("curl ")])
def test_what_is_told_of_curl_works(command: str, address: str, folder: Path) -> None:
    assert ADDRESS in command
    told = json.loads(run(shlex.split(command.replace(ADDRESS, address)), folder))
    assert (told.get("model") or told)["classes"] == list(onnx_files.CLASSES)


@pytest.mark.parametrize("photo", ["photo.jpg", "export.json"], ids=["a photo", "no photo"])
def test_what_is_told_of_python_works(photo: str, address: str, folder: Path) -> None:
    (script,) = [s for s in snippets("python") if "urlopen" in s]
    script = script.replace(ADDRESS, address).replace("photo.jpg", photo)
    check(run([sys.executable, "-W", "ignore", "-c", script], folder), photo)


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not on this machine")
@pytest.mark.parametrize("photo", ["photo.jpg", "export.json"], ids=["a photo", "no photo"])
def test_what_is_told_of_javascript_works(photo: str, address: str, folder: Path) -> None:
    (script,) = snippets("js")
    (folder / "ask.mjs").write_text(script.replace(ADDRESS, address).replace("photo.jpg", photo))
    check(run(["node", "ask.mjs"], folder), photo)


def check(said: str, photo: str) -> None:
    if photo == "photo.jpg":
        label, probability = said.split()
        assert label in onnx_files.CLASSES
        assert 1 / 3 < float(probability) <= 1
    else:
        assert "not a picture" in said


@pytest.mark.model
def test_without_more_it_serves_the_export_that_is_there() -> None:
    command = ".venv/bin/python -m voilearn serve"
    assert command in commands()
    process = subprocess.Popen(
        [*here(command), "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr
    for line in process.stderr:
        if json.loads(line)["event"] == "the model is loaded":
            break
    if sys.platform == "linux":  # torch's compiler for GPUs is not loaded
        assert "libtriton" not in Path(f"/proc/{process.pid}/maps").read_text()
    process.terminate()
    assert ended(process) == 0


@pytest.mark.parametrize("language", ["swift", "kotlin"])
def test_what_is_told_to_phones_names_what_the_service_has(language: str) -> None:
    (script,) = snippets(language)
    for name in ("/v1/classify", "Bearer", "label", "probability", "detail"):
        assert name in script


def test_the_line_that_runs_the_learner_in_the_notebook_takes_the_place_of_one() -> None:
    (line,) = [s for s in snippets("python") if "load_classify" in s]
    cells = json.loads((ROOT / "app.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    (source,) = [s for s in sources if "from voilearn.client import connect" in s]
    scope: dict[str, object] = {}
    exec(source.replace("from voilearn.client import connect", line.strip()), scope)
    assert scope["connect"].__module__ == "voilearn.model"
