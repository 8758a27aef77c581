"""What the image runs: the script that starts the server, and the one that says it is alive."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.ports import free_port
from tests.services import response, standing_in

START, HEALTHY = ROOT / "deploy" / "start.sh", ROOT / "deploy" / "healthy.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a model, in which a `voilearn` only says how it was called."""
    folder = tmp_path / "model"
    folder.mkdir()
    tool = tmp_path / "bin" / "voilearn"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    return folder


def started(model: Path, *arguments: str, **environment: str) -> list[str]:
    path = f"{model.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", str(START), *arguments],
        cwd=model,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(sys.platform == "win32", reason="the image is Linux's")
def test_the_service_is_what_runs_at_the_port_that_the_host_says(model: Path) -> None:
    (model / "export.onnx").touch()
    (model / "export.pkl").touch()
    told = " ".join(started(model))
    assert told.startswith("serve --model export.onnx --host 0.0.0.0 --port 8000 --public")
    assert told.endswith("--drain 10")
    assert "--port 7860" in " ".join(started(model, PORT="7860"))
    told = " ".join(started(model, "serve", "--allow-origin", "*", VOILEARN_DRAIN="0"))
    assert told.endswith("--drain 0 --allow-origin *")


@pytest.mark.skipif(sys.platform == "win32", reason="the image is Linux's")
def test_a_learner_is_served_where_there_is_no_compiled_model(model: Path) -> None:
    (model / "export.pkl").touch()
    assert started(model)[:3] == ["serve", "--model", "export.pkl"]
    (model / "export.pkl").unlink()
    assert started(model)[:3] == ["serve", "--model", "export.pkl"]  # which says what is missing


@pytest.mark.skipif(sys.platform == "win32", reason="the image is Linux's")
def test_another_command_runs_as_it_is(model: Path) -> None:
    assert started(model, "voilearn", "inspect", "export.onnx") == ["inspect", "export.onnx"]


def healthy(port: int) -> int:
    environment = {**os.environ, "PORT": str(port)}
    return subprocess.run([sys.executable, str(HEALTHY)], env=environment, check=False).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (404, 0), (500, 1), (503, 1)])
def test_what_answers_is_alive_and_what_fails_is_not(status: int, code: int) -> None:
    with standing_in(response(status)) as there:
        assert healthy(there.port) == code


def test_where_nobody_listens_nothing_is_alive() -> None:
    assert healthy(free_port()) == 1
