"""`voilearn page`: the page of a model from any folder, in this machine's browser."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("fastapi")

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from tests.ports import free_port
from tests.waiting import ended, line_of, wait_for

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its browser is a script of sh")
Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model, an author's words, and nothing else."""
    (tmp_path / "models").mkdir()
    onnx_files.write(tmp_path / "models", onnx_files.model())
    (tmp_path / "models" / "app.toml").write_text('title = "My colours"\n')
    return tmp_path / "models"


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """A browser: a script that writes down which address it opens."""
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >>"{tmp_path}/opened"\n')
    script.chmod(0o755)
    return tmp_path / "opened"


@pytest.fixture
def start(folder: Path, opened: Path) -> Iterator[Started]:
    """Return what runs `voilearn page` in the model's folder."""
    started: list[subprocess.Popen[str]] = []
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}

    def run(*arguments: object, browser: bool = True, **variables: str) -> "subprocess.Popen[str]":
        variables |= {"PYTHONPATH": str(ROOT), "BROWSER": ""}
        if browser:
            variables["BROWSER"] = f"{opened.with_name('browser')} %s"
        process = subprocess.Popen(
            [sys.executable, "-m", "voilearn", "page", *map(str, arguments)],
            cwd=folder,
            env=kept | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(OSError):
            process.kill()
        process.communicate()


def address_of(process: "subprocess.Popen[str]") -> str:
    """Return the address that it says, in its one line."""
    line = line_of(process.stdout)
    told = re.fullmatch(r"The page is at (http://127\.0\.0\.1:\d+) \(Ctrl\+C ends it\)\n", line)
    assert told, line + str(process.stderr and process.stderr.read())
    return told[1]


def read(url: str, data: bytes | None = None) -> str:
    with urllib.request.urlopen(url, data) as answer:
        return str(answer.read().decode())


def interrupt(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl+C; return what it said since."""
    process.send_signal(signal.SIGINT)
    assert ended(process) == 0
    return process.communicate()


def test_the_page_opens_in_the_browser_and_ends_with_ctrl_c(start: Started, opened: Path) -> None:
    process = start()  # export.onnx, for there is no export.pkl
    url = address_of(process)
    wait_for(opened.exists)
    assert wait_for(opened.read_text) == f"{url}\n"
    page = read(url)
    assert "<h1>My colours</h1>" in page
    photo = encode(draw(), "JPEG")
    wait_for(lambda: _is_ready(url))
    assert '"label":' in read(f"{url}/v1/classify", photo)
    assert interrupt(process) == ("", "")


def _is_ready(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(read(f"{url}/readyz"))
    return False


NO_WINDOWS = pytest.mark.skipif(sys.platform == "darwin", reason="a Mac always has windows")


@pytest.mark.parametrize("there", [True, pytest.param(False, marks=NO_WINDOWS)])
def test_no_browser_is_opened_where_none_is_wanted_or_there(
    there: bool, start: Started, opened: Path
) -> None:
    asked = ["--no-browser"] if there else []
    process = start("export.onnx", *asked, browser=there)
    assert "<h1>" in read(address_of(process))
    assert interrupt(process) == ("", "")
    assert not opened.exists()


def test_two_at_once_are_two_pages_and_a_port_is_one_ones(start: Started) -> None:
    port = free_port()
    chosen, free = address_of(start("--port", port)), address_of(start())
    assert chosen == f"http://127.0.0.1:{port}" != free
    late = start("--port", port)
    assert ended(late) == 1
    out, err = late.communicate()
    assert out == ""
    assert err.startswith(f"voilearn: The service can't listen at 127.0.0.1, port {port}: Address")


def test_what_is_wrong_with_a_new_model_is_told_in_a_line_and_the_old_one_goes_on(
    start: Started, folder: Path
) -> None:
    process = start(browser=False)
    url = address_of(process)
    wait_for(lambda: _is_ready(url))
    (folder / "new").write_bytes(b"no model")
    (folder / "new").replace(folder / "export.onnx")
    told = line_of(process.stderr)
    assert told.startswith("voilearn: a new model was refused, the old one goes on: export.onnx")
    assert '"label":' in read(f"{url}/v1/classify", encode(draw(), "JPEG"))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("export.pkl", "There is no file export.pkl here."),
        ("app.toml", "app.toml is a text file that begins with 'title = "),
        (".", ". is a folder. Name the model's file in it."),
    ],
)
def test_what_is_no_model_is_a_sentence_and_no_page(
    model: str, reason: str, start: Started, opened: Path
) -> None:
    process = start(model)
    assert ended(process) == 1
    out, err = process.communicate()
    assert (out, err[: 10 + len(reason)]) == ("", f"voilearn: {reason}")
    assert not opened.exists()


def test_an_export_comes_before_what_was_compiled_of_it(start: Started, folder: Path) -> None:
    shutil.copy(folder / "app.toml", folder / "export.pkl")  # no model, so that no torch is loaded
    process = start()
    assert ended(process) == 1
    assert "export.pkl is a text file" in process.communicate()[1]
