"""`make page` tells its address and what goes wrong, and nothing of its libraries' workings."""

import contextlib
import http.client
import json
import logging
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import urlsplit

import psutil
import pytest

from tests.conftest import ROOT

pytest.importorskip("voila", reason="Voilà, which shows the page, is not installed")
from tests.services import free_port

START = [sys.executable, "-m", "voilearn.notebook.start_voila"]
QUIET = "'The page is here.'"
LONG = 240.0  # seconds: so long only what never comes takes
COLD = "--VoilaConfiguration.preheat_kernel=False"


@dataclass(frozen=True)
class Started:
    """A page that was started, and the file that has all it has told so far."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def told(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition: Callable[[str], Any]) -> str:
        until = time.monotonic() + LONG
        while not condition(self.told) and self.process.poll() is None:
            assert time.monotonic() < until, self.told
            time.sleep(0.05)
        return self.told

    def address(self) -> str:
        """Return the address that it says."""
        told = self.wait_for(lambda told: re.search(r"The page is at .*\n", told))
        found = re.search(r"The page is at (\S+)", told)
        assert found, told
        return found.group(1)

    def visit(self) -> str:
        """Open the page to its last byte, by when the notebook has run; return what was told."""
        with urllib.request.urlopen(self.address(), timeout=LONG) as answer:
            answer.read()
        return self.told


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Started]]:
    """Start the page of a notebook with one cell, by a command, in a folder with our settings."""
    shutil.copy(ROOT / "voila.json", tmp_path)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "voilearn", tmp_path / "voilearn")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    for name in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS"):  # of the make that runs these tests
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as ends:

        def start(cell: str, *options: str, command: list[str] | None = None) -> Started:
            (tmp_path / "app.ipynb").write_text(json.dumps(_notebook(cell)))
            command = command or [*START, "app.ipynb", "--no-browser", *options]
            with (tmp_path / "log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            ends.callback(_end, process)
            return Started(process, tmp_path / "log")

        yield start


def _notebook(cell: str) -> dict[str, Any]:
    code = {"cell_type": "code", "id": "cell", "source": cell, "metadata": {}, "outputs": []}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [code | {"execution_count": None}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    process.wait(LONG)
    for kernel in psutil.wait_procs(below, 10)[1]:
        kernel.kill()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_page_tells_its_address_and_nothing_else(
    start: Callable[..., Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, port = shutil.which("make") or "", free_port()
    monkeypatch.setenv("PATH", "/nonexistent")  # where no browser is found either
    monkeypatch.delenv("BROWSER", raising=False)
    # -o: what is installed is there, whatever the dates of its files say
    command = [make, "page", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/page", f"PORT={port}"]
    page = start(QUIET, command=command)
    assert page.visit() == f"The page is at http://localhost:{port}/\n"


def test_no_port_at_all_is_an_error(start: Callable[..., Started]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"--port={taken.getsockname()[1]}"
        page = start(QUIET, port, "--Voila.ip=127.0.0.1", "--Voila.port_retries=0")
        assert page.process.wait(LONG) == 1
    assert "no available port could be found" in page.told
    assert "The page is at" not in page.told


def test_a_taken_port_and_what_goes_wrong_in_the_notebook_are_told(
    start: Callable[..., Started],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cell = "import sys; print('from the kernel', file=sys.__stderr__); 1 / 0"
        page = start(cell, f"--port={port}", "--Voila.ip=127.0.0.1", COLD)
        told = page.visit()
    line = told.partition("\n")[0]
    assert f"(port {port} is taken)" in line
    assert f"127.0.0.1:{port}/" not in line
    assert "from the kernel" in told
    assert "ZeroDivisionError" in page.wait_for(lambda told: "ZeroDivisionError" in told)


def test_a_kernel_that_ends_is_told_and_the_rest_to_who_asks_for_it(
    start: Callable[..., Started],
) -> None:
    cell = "import os; os._exit(3)"
    page = start(cell, f"--port={free_port()}", COLD, "--Voila.log_level=INFO")
    address = urlsplit(page.address())
    assert "Serving static files" in page.told
    with socket.create_connection((address.hostname, address.port)) as visitor:
        # no answer is waited for: a kernel that is restarted in time never gives one
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert page.wait_for(lambda told: re.search("Kernel died|restarting kernel", told))
    assert page.process.poll() is None


def test_a_proxy_that_changes_the_host_is_named_as_the_cause(
    start: Callable[..., Started],
) -> None:
    """Its page opens, and then has no connection: Jupyter takes it for another site's."""
    page = start(QUIET, f"--port={free_port()}", COLD)
    address = page.address()
    with urllib.request.urlopen(address, timeout=LONG) as answer:
        (kernel,) = re.findall(r'"kernelId": "([^"]+)"', answer.read().decode())
    headers = {
        "Origin": "https://bears.example.org",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    visitor = http.client.HTTPConnection(urlsplit(address).netloc, timeout=LONG)
    visitor.request("GET", f"/api/kernels/{kernel}/channels", headers=headers)
    assert visitor.getresponse().status == 403
    visitor.close()
    told = page.wait_for(lambda told: "Blocking Cross Origin WebSocket Attempt" in told)
    assert "a proxy between them changes the Host header" in told
    assert "proxy_set_header Host $http_host" in told


def test_a_jupyter_server_names_that_cause_too(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("ServerApp")
    monkeypatch.setattr(log, "filters", [])
    monkeypatch.setenv("JUPYTER_PATH", "")
    config = ROOT / ".jupyter" / "jupyter_server_config.py"
    code = compile(config.read_text("utf-8"), config, "exec")
    exec(code, {"c": MagicMock(), "__file__": str(config)})
    told = "Blocking Cross Origin WebSocket Attempt.  Origin: %s, Host: %s"
    record = logging.LogRecord("ServerApp", logging.WARNING, "", 1, told, ("a", "b"), None)
    assert log.filter(record)
    assert "Origin: a, Host: b. If both" in record.getMessage()


@pytest.mark.parametrize("told", ["Kernel started: %s", "Cross Origin"])
def test_what_is_clear_is_told_as_it_is(told: str) -> None:
    from voilearn.notebook.server_log import name_cause

    record = logging.LogRecord("ServerApp", logging.WARNING, "", 1, told, (), None)
    assert name_cause(record)
    assert record.msg == told


def test_kernels_of_a_jupyter_server_have_nothing_to_warn_of_either() -> None:
    for settings in ("voila.json", ".jupyter/jupyter_server_config.json"):
        told = json.loads((ROOT / settings).read_text())
        assert told["KernelManager"] == {"transport_encryption": "auto"}
