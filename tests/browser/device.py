"""The on-device page as a visitor meets it: a tiny model, a host that can fail, what is shown.

In: a folder that `voilearn device` wrote; out: a `Host` that serves it, a `Device` that reads it.
"""

import contextlib
import hashlib
import json
import mimetypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Request, expect

ROOT = Path(__file__).parents[2]
NO_REGISTRY = "The runtime can't be downloaded"
CORNERS = ("top left", "top right", "bottom left", "bottom right")
WITHIN = 300_000  # milliseconds, a bound against hanging
OF_BARS = "bars => bars.map(bar => [bar.dataset.label, Number(bar.dataset.probability)])"

# What comes in place of a file: other bytes, a status, or None, a connection that breaks off.
Fault = Callable[[bytes], bytes | int | None]


def write_model(folder: Path, classes: tuple[str, ...] = CORNERS, **facts: Any) -> Path:
    """Write a compiled model that tells which corner of a photo is the reddest.

    It keeps to the contract of `voilearn compile`; classes after the first four get nothing.
    `facts` replace `task`, `thresholds` or `size`.
    """
    pytest.importorskip("onnx", reason="onnx, which writes the tests' tiny model, is not installed")
    task = facts.get("task", "single-label")
    network = _corners(len(classes), "Softmax" if task == "single-label" else "Sigmoid")
    described = {
        "model": {"name": "tiny", "sha256": "0" * 64, "task": task, "classes": list(classes)},
        "thresholds": facts.get("thresholds"),
        "onnx": {"sha256": hashlib.sha256(network).hexdigest(), "bytes": len(network)},
        "preprocessing": {"size": facts.get("size", 64), "transforms": []},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "export.onnx").write_bytes(network)
    (folder / "export.json").write_text(json.dumps(described))
    return folder


def _corners(classes: int, activation: str) -> bytes:
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper

    weights = np.zeros((12, classes), np.float32)
    for corner in range(4):
        weights[3 * corner, corner] = 1 / 16  # the red of that corner
    constants: dict[str, np.ndarray[Any, Any]] = {
        "first": np.array([0], np.int64),
        "size": np.array([1, 2, 2, 3], np.int64),
        "flat": np.array([1, 12], np.int64),
        "weights": weights,
        "shift": np.full((1, classes), -8, np.float32),
    }
    resized: dict[str, Any] = {
        "mode": "linear",
        "antialias": 1,
        "coordinate_transformation_mode": "half_pixel",
    }
    nodes = [
        helper.make_node("Unsqueeze", ["photo", "first"], ["batch"]),
        helper.make_node("Cast", ["batch"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Resize", ["numbers", "", "", "size"], ["corners"], **resized),
        helper.make_node("Reshape", ["corners", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "weights", "shift"], ["logits"]),
        helper.make_node(activation, ["logits"], ["activated"]),
        helper.make_node("Squeeze", ["activated", "first"], ["probabilities"]),
    ]
    photo = helper.make_tensor_value_info("photo", TensorProto.UINT8, ["height", "width", 3])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [classes])
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "corners", [photo], [answer], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def write_notebook(
    folder: Path, title: str, sentence: str = "Which corner is the reddest?"
) -> Path:
    """Write a notebook of which only the first cell matters here, and what lies beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    cell = {"cell_type": "markdown", "source": [f"# {title}\n", "\n", sentence]}
    path = folder / "app.ipynb"
    path.write_text(json.dumps({"cells": [cell]}))
    return path


def run_build(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the build as `make web` does; skip if the runtime is neither here nor to be had."""
    command = [sys.executable, "-m", "voilearn", "device", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def build(model: Path, out: Path, notebook: Path | None = None) -> Path:
    """Build the page, which has to work; skip where npm can't be reached."""
    done = run_build(model, "-o", out, "--notebook", notebook or ROOT / "app.ipynb")
    if NO_REGISTRY in done.stderr and not _on_ci():
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return out


def _on_ci() -> bool:
    return bool(os.environ.get("CI"))


@dataclass
class Host:
    """A static host that adds nothing: no compression, no caching; and fails where told to.

    Below `src/` it has the scripts that the page is made of, for tests that call one.
    """

    folder: Path
    base: str = "/"
    faults: dict[str, Fault] = field(default_factory=dict)  # by how a file's name ends
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Return where the page is."""
        assert self.server
        return f"http://127.0.0.1:{self.server.server_port}{self.base}"

    def stop(self) -> None:
        """Be gone, as a host is without a network."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def answer(self, path: str) -> tuple[int, bytes | None]:
        """Return status and body of a path; no body breaks the connection off."""
        self.asked.append(path)
        name = path.removeprefix(self.base).split("?")[0] or "index.html"
        source = name.removeprefix("src/")
        file = ROOT / "voilearn" / source if source != name else self.folder / name
        if not path.startswith(self.base) or not file.is_file():
            return 404, b"not here"
        fault = next((f for end, f in self.faults.items() if name.endswith(end)), None)
        body = file.read_bytes()
        instead = fault(body) if fault else body
        return (instead, b"") if isinstance(instead, int) else (200, instead)


@contextlib.contextmanager
def hosting(folder: Path, base: str = "/") -> Iterator[Host]:
    """Serve a folder on a free port."""
    host = Host(folder, base)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = host.answer(self.path)
            if body is None:
                self.close_connection = True
                return
            self.send_response(status)
            kind = mimetypes.guess_type(self.path.rstrip("/") or "index.html")[0]
            page = self.path.endswith(("/", ".html"))
            self.send_header("Content-Type", "text/html" if page else kind or "application/data")
            self.send_header("Content-Length", str(len(body)))
            for end, extra in host.headers.items():
                for name, value in extra.items() if self.path.endswith(end) else ():
                    self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the visitor has left
                self.wfile.write(body)
                host.sent += len(body)

        def log_message(self, *_: object) -> None:
            pass

    host.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=host.server.serve_forever, daemon=True).start()
    yield host
    host.stop()


@dataclass
class Device:
    """A visitor's device with the page open."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.context.set_default_timeout(WITHIN)
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("console", lambda said: self.console.append(said.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))

    def open(self) -> "Device":
        """Open the page, and wait for nothing."""
        self.page.goto(self.url, wait_until="commit")
        return self

    def open_ready(self) -> "Device":
        """Open the page and wait until a photo would be answered."""
        self.open()
        expect(self.page.locator(".voilearn-late")).to_have_count(0)  # its script runs
        expect(self.preparing).to_be_hidden(timeout=WITHIN)
        expect(self.banner).to_have_count(0)
        return self

    def open_kept(self) -> "Device":
        """Open the page and wait until it would open without a network."""
        self.open()
        expect(self.offline).to_be_visible(timeout=WITHIN)
        return self

    @property
    def status(self) -> Locator:
        """The line that says what goes on with the photo, the answer or what is wrong."""
        return self.page.locator(".voilearn-status")

    @property
    def preparing(self) -> Locator:
        """The line that says what goes on before the model can be asked."""
        return self.page.locator(".voilearn-preparing p")

    @property
    def banner(self) -> Locator:
        """What is wrong with the page, and the button that puts it right."""
        return self.page.locator(".voilearn-banner")

    @property
    def offline(self) -> Locator:
        """The words that the page now works without a network."""
        return self.page.locator(".voilearn-offline")

    @property
    def field(self) -> Locator:
        """The file field."""
        return self.page.locator('.voilearn-upload input[type="file"]')

    @property
    def preview(self) -> Locator:
        """The picture the visitor gave."""
        return self.page.locator(".voilearn-preview img")

    @property
    def thumbnails(self) -> Locator:
        """The photos of this visit."""
        return self.page.locator(".voilearn-history .voilearn-thumb")

    @property
    def bars(self) -> Locator:
        """One bar for every class."""
        return self.page.locator(".voilearn-bar")

    @property
    def again(self) -> Locator:
        """The button that tries once more."""
        return self.page.get_by_role("button", name="Try again")

    def choose(self, *photos: bytes, name: str = "photo.jpg") -> None:
        """Give files to the file field."""
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        files = [FilePayload(name=name, mimeType=kind, buffer=photo) for photo in photos]
        self.field.set_input_files(files)

    def ask(self, photo: bytes | Path) -> dict[str, float]:
        """Choose a photo and return the answer, highest first."""
        if isinstance(photo, Path):
            self.field.set_input_files(photo)
        else:
            self.choose(photo)
        return self.answer()

    def answer(self) -> dict[str, float]:
        """Wait for the bars and read them."""
        self.bars.first.wait_for(timeout=WITHIN)
        return dict(self.bars.evaluate_all(OF_BARS))

    def foreign_requests(self) -> list[str]:
        """Return what was asked of any other host."""
        own = self.url.split("/")[2]
        addresses = [request.url for request in self.requests]
        return [url for url in addresses if url.startswith("http") and url.split("/")[2] != own]

    def show(self, folder: Path, name: str) -> None:
        """Keep a screenshot of the whole page."""
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)
