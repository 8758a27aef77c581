"""What is carried to a machine without internet: wheels, and the image. `make containers`."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import ROOT
from tests.deploy import containers
from tests.deploy.containers import BARE, RED, ready, running
from tests.serving import ask
from tests.waiting import wait_for

pytestmark = pytest.mark.containers

WHEELS = "voilearn[heic]"  # as docs/deploy/server.md has it; here it comes from this checkout
SERVE = """
voilearn serve --model "$1" --port 8000 & service=$!
python - "$2" <<'END'
import sys, time, urllib.request
for _ in range(3000):
    try:
        photo = open(sys.argv[1], "rb").read()
        url = "http://127.0.0.1:8000/v1/classify"
        print(urllib.request.urlopen(url, photo, timeout=30).read().decode())
        break
    except OSError:
        time.sleep(0.1)
END
kill $service
"""


def told() -> tuple[str, str]:
    """Return the two commands of the document: what makes the wheels, and what installs them."""
    text = (ROOT / "docs" / "deploy" / "server.md").read_text()
    (made,) = re.findall(r"^    (python -m pip wheel .*)$", text, re.MULTILINE)
    (installed,) = re.findall(r"^    \S+/(pip install --no-index .*)$", text, re.MULTILINE)
    return made, installed


def alone(*command: str, folder: Path) -> str:
    """Run a command where there is no network but the machine itself."""
    own = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *command]
    return containers.run(*own, folder=folder)


def test_wheels_that_were_carried_over_are_installed_and_answer(tmp_path: Path) -> None:
    if not all(shutil.which(tool) for tool in ("unshare", "ip")):
        pytest.skip("unshare and ip, which take the network away, are not here")
    containers.root_needed()
    checkout = containers.copy_of_the_checkout(tmp_path / "checkout")
    made, installed = told()
    assert WHEELS in made and WHEELS in installed
    build = shlex.split(made.replace(WHEELS, ".[heic]"))[1:]
    containers.run(sys.executable, *build, folder=checkout)
    there = tmp_path / "there"
    there.mkdir()
    (checkout / "wheels").rename(there / "wheels")
    alone(sys.executable, "-m", "venv", "environment", folder=there)
    python = there / "environment" / "bin" / "python"
    alone(str(python), "-m", *shlex.split(installed), folder=there)
    model = onnx_files.write(there, onnx_files.model())
    (there / "red.jpg").write_bytes(RED)
    (there / "serve.sh").write_text(f'PATH="{python.parent}:$PATH"\n{SERVE}')
    answer = alone("sh", "serve.sh", str(model), "red.jpg", folder=there)
    assert json.loads(answer.splitlines()[-1])["label"] == "red"


def test_the_image_is_carried_as_a_file(image: str, tmp_path: Path) -> None:
    containers.run("podman", "tag", image, f"{image}-carried")
    containers.run("podman", "save", "--output", str(tmp_path / "bears.tar"), f"{image}-carried")
    containers.run("podman", "rmi", f"{image}-carried")
    containers.run("podman", "load", "--input", str(tmp_path / "bears.tar"))
    with running(f"{image}-carried", *BARE) as there:
        wait_for(lambda: ready(there.url))
        status, body = ask(there.url, "POST", "/v1/classify", RED)
        assert (status, json.loads(body)["label"]) == (200, "red")


def test_the_log_of_a_start_without_a_network_names_nobody_to_be_asked(image: str) -> None:
    with running(image, *BARE, "--network=none", "--env=PORT=8000") as there:
        log = wait_for(lambda: loaded(there.name))
    assert not re.search(r"https?://(?!0\.0\.0\.0|127\.0\.0\.1)", log)


def loaded(name: str) -> str:
    done = subprocess.run(["podman", "logs", name], capture_output=True, text=True, check=False)
    log = done.stdout + done.stderr
    return log if "the model is loaded" in log else ""
