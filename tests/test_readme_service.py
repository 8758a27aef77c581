"""What the documents tell of the service, run against the service that they start."""

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
from tests.documents import Block, blocks, commands, here
from tests.serving import ask
from tests.waiting import ended, line_of, wait_for
from voilearn import errors

ADDRESS = "http://127.0.0.1:8000"
SERVICE = ROOT / "docs" / "service.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is: a compiled model, and photos."""
    folder = tmp_path_factory.mktemp("reader")
    onnx_files.write(folder, onnx_files.model())
    draw().save(folder / "photo.jpg")
    (folder / "photos").mkdir()
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Run the command that is told for a compiled model, at a port that is free."""
    (command,) = [c for c in commands("serve") if "--model" in c]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [*shlex.split(here(command)), "--port", "0"],
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
@pytest.mark.parametrize("command", commands("ask"))
def test_what_is_told_of_curl_works(command: str, address: str, folder: Path) -> None:
    assert ADDRESS in command
    told = json.loads(run(shlex.split(command.replace(ADDRESS, address)), folder))
    assert (told.get("model") or told)["classes"] == list(onnx_files.CLASSES)


@pytest.mark.parametrize("photo", ["photo.jpg", "export.json"], ids=["a photo", "no photo"])
@pytest.mark.parametrize("block", blocks("request"), ids=lambda block: block.language)
def test_a_program_that_is_told_of_works(
    block: Block, photo: str, address: str, folder: Path
) -> None:
    if block.language == "js" and not shutil.which("node"):
        pytest.skip("Node.js is not on this machine")
    file = folder / {"python": "ask.py", "js": "ask.mjs"}[block.language]
    file.write_text(block.text.replace(ADDRESS, address).replace("photo.jpg", photo))
    program = {"python": [sys.executable, "-W", "ignore"], "js": ["node"]}[block.language]
    check(run([*program, file.name], folder), photo)


def check(said: str, photo: str) -> None:
    if photo == "photo.jpg":
        label, probability = said.split()
        assert label in onnx_files.CLASSES
        assert 1 / 3 < float(probability) <= 1
    else:
        assert "not a picture" in said


@pytest.mark.parametrize(
    "block", blocks("answer"), ids=lambda block: next(iter(json.loads(block.text)))
)
def test_the_json_that_is_told_is_of_the_services_form(
    block: Block, address: str, folder: Path
) -> None:
    told = json.loads(block.text)
    photo = "export.json" if "detail" in told else "photo.jpg"
    command = ["curl", "-s", "--data-binary", f"@{photo}", f"{address}/v1/classify"]
    given = json.loads(run(command, folder))
    assert list(told) == list(given)
    if "detail" in told:
        of_each = ("request_id", "detail")
        assert all(told[key] == given[key] for key in told if key not in of_each)
        assert given["detail"].startswith(told["detail"].removesuffix("…"))
    else:
        assert list(told["model"]) == list(given["model"])
        assert told["label"] == next(iter(told["probabilities"])) == told["labels"][0]
        assert set(told["probabilities"]) == set(told["model"]["classes"])


def test_the_errors_that_are_told_have_their_status() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", SERVICE.read_text(), re.MULTILINE)
    told = {name: int(status) for status, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert len(told) >= len({status for status, _ in rows}) > 1
    assert told == {name: getattr(errors, name).status for name in told}


@pytest.mark.parametrize("command", commands("service"))
def test_what_is_told_of_asking_from_a_shell_works(
    command: str, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "photo.jpg", folder / "photos")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert ADDRESS in command
    said = run(shlex.split(here(command).replace(ADDRESS, address)), folder)
    assert said.startswith("photos/photo.jpg")


@pytest.mark.model
def test_without_more_it_serves_the_export_that_is_there() -> None:
    (command,) = [c for c in commands("serve") if "--model" not in c]
    process = subprocess.Popen(
        [*shlex.split(here(command)), "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE,
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


@pytest.mark.parametrize("block", blocks("not run"), ids=lambda block: block.language)
def test_what_is_told_to_phones_names_what_the_service_has(block: Block) -> None:
    for name in ("/v1/classify", "Bearer", "label", "probability", "detail"):
        assert name in block.text
