"""The image of deploy/Dockerfile, built and run: `make containers`."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import ROOT
from tests.deploy import containers
from tests.deploy.containers import BARE, BASE, RED, described, ready, running, size_of
from tests.serving import ask
from tests.waiting import wait_for

pytestmark = pytest.mark.containers

ABOVE_THE_BASE = 200e6  # bytes
PAGE_ABOVE_THE_BASE = 374e6
MEMORY = 200e6
HALF_A_CORE = ("--memory=200m", "--cpus=0.5")


def test_it_is_light_and_says_what_it_is(image: str) -> None:
    assert size_of(image) - size_of(BASE) <= ABOVE_THE_BASE
    told, health = described(image)
    assert told["User"] == "1000:0"
    assert told["Labels"]["org.opencontainers.image.version"] == "1.2"
    assert health["Test"] == ["CMD", "python", "/opt/healthy.py"]


def test_it_needs_no_right_and_no_writable_folder_and_drains(image: str) -> None:
    with running(image, *BARE, *HALF_A_CORE) as there:
        wait_for(lambda: ready(there.url))
        status, body = ask(there.url, "POST", "/v1/classify", RED)
        assert (status, json.loads(body)["label"]) == (200, "red")
        status, page = ask(there.url, "GET", "/")
        assert (status, b"<main" in page) == (200, True)
        with ThreadPoolExecutor(6) as clients:
            told = clients.map(lambda _: ask(there.url, "POST", "/v1/classify", RED), range(120))
            assert {status for status, _ in told} == {200}
        assert there.memory() < MEMORY
        inside = ["podman", "exec", there.name]
        assert subprocess.run([*inside, "python", "/opt/healthy.py"], check=False).returncode == 0
        kept = subprocess.run([*inside, "sh", "-c", "echo x > /model/x"], check=False)
        assert kept.returncode != 0
        assert there.stop() == 0


ASK = """
import sys, time, urllib.request
url = "http://127.0.0.1:8000/v1/classify"
for _ in range(600):
    try:
        print(urllib.request.urlopen(url, sys.stdin.buffer.read(), timeout=30).read().decode())
        break
    except OSError:
        time.sleep(0.1)
        sys.stdin.buffer.seek(0)
"""


def test_it_answers_where_there_is_no_network_at_all(image: str, tmp_path: Path) -> None:
    photo = tmp_path / "red.jpg"
    photo.write_bytes(RED)
    with running(image, *BARE, "--network=none", "--env=PORT=8000") as there:

        def answered() -> bytes:
            command = ["podman", "exec", "--interactive", there.name, "python", "-c", ASK]
            with photo.open("rb") as file:
                return subprocess.run(command, stdin=file, capture_output=True, check=False).stdout

        assert json.loads(wait_for(answered))["label"] == "red"


def test_what_is_in_it_is_listed(image: str) -> None:
    with running(image, *BARE) as there:
        wait_for(lambda: ready(there.url))
        bill = json.loads(containers.run("podman", "exec", there.name, "cat", "/opt/bill.cdx.json"))
    names = {part["name"].lower() for part in bill["components"]}
    assert {"voilearn", "onnxruntime", "pillow", "numpy", "uvicorn"} <= names
    assert not {"torch", "fastai", "pip"} & names


def test_with_a_token_only_who_shows_it_may_ask(image: str) -> None:
    with running(image, *BARE, "--env", "VOILEARN_TOKEN=secret") as there:
        wait_for(lambda: ready(there.url))
        assert ask(there.url, "POST", "/v1/classify", RED)[0] == 401
        answer = ask(there.url, "POST", "/v1/classify", RED, Authorization="Bearer secret")
        assert answer[0] == 200


def test_a_model_in_a_mounted_folder_is_replaced_and_a_mounted_file_is_warned_of(
    image: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    onnx_files.write(folder, onnx_files.model())
    with running(image, *BARE, "--volume", f"{folder}:/model:ro") as there:
        wait_for(lambda: ready(there.url))
        other = tmp_path / "other"
        other.mkdir()
        info = json.loads((folder / "export.json").read_text())["model"]
        onnx_files.write(other, onnx_files.model(), model={**info, "sha256": "7" * 64})
        for name in ("export.json", "export.onnx"):
            shutil.move(other / name, folder / name)
        wait_for(lambda: b"7" * 64 in ask(there.url, "GET", "/v1/model")[1])
        log = containers.run("podman", "logs", there.name)
        assert "mounted by itself" not in log
    files = [folder / name for name in ("export.onnx", "export.json")]
    mounts = [f"--volume={file}:/model/{file.name}:ro" for file in files]
    with running(image, *BARE, *mounts) as there:
        wait_for(lambda: ready(there.url))
        command = ["podman", "logs", there.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "is mounted by itself" in done.stdout + done.stderr


def test_the_notebooks_page_is_an_image_too(image: str, tmp_path: Path) -> None:
    context = containers.copy_of_the_checkout(tmp_path / "context")
    onnx_files.write(context, onnx_files.model())
    options = ("--file", "deploy/Dockerfile", "--build-arg", "MODEL=onnx", "--target", "page")
    containers.build(context, f"{image}-page", *options)
    assert size_of(f"{image}-page") - size_of(BASE) <= PAGE_ABOVE_THE_BASE
    with running(f"{image}-page", *BARE, "--tmpfs=/tmp") as there:

        def page() -> bytes:
            try:
                status, body = ask(there.url, "GET", "/")
            except OSError:
                return b""
            return body if status == 200 else b""

        told = wait_for(page)
        title = json.loads((ROOT / "app.ipynb").read_text())["cells"][0]["source"][0]
        assert title.strip("# \n").encode() in told
        assert there.stop() == 0


def test_an_image_without_a_model_says_so(image: str, tmp_path: Path) -> None:
    with running(image, *BARE, "--volume", f"{tmp_path}:/model:ro") as there:
        assert there.process.wait(300) == 1


def test_the_dockerfile_is_as_hadolint_would_have_it() -> None:
    place = str(Path(sys.executable).parent)
    if not (hadolint := shutil.which("hadolint", path=place) or shutil.which("hadolint")):
        pytest.skip("hadolint is not here; `make containers` installs it")
    containers.run(hadolint, str(ROOT / "deploy" / "Dockerfile"))
