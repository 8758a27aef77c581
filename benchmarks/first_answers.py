"""How long a user waits for a first answer, in an environment that has just been installed.

In come an environment and a model; out go the seconds of a process from its start to its answer,
each the median of several, after one that warmed the disk's cache.
"""

import json
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.fresh import Fresh
from benchmarks.processes import free_port

WITHIN = 300  # seconds
GRADIO = Path(__file__).with_name("peers") / "gradio_page.py"
Ask = Callable[[str, bytes], None]


def in_shell(fresh: Fresh, model: Path, photo: Path, times: int = 3) -> float:
    """Return the seconds of `voilearn classify` for one photo; raise RuntimeError if it fails."""

    def once() -> None:
        command = ("voilearn", "classify", "--model", model, photo)
        done = fresh.run(*command, folder=model.parent)
        if done.returncode:
            raise RuntimeError(done.stderr)

    return middle(once, times)


def on_page(fresh: Fresh, command: Sequence[str | Path], ask: Ask, photo: Path) -> float:
    """Return the seconds from the start of a page's server to its first answer.

    The word PORT in the command is where its port stands.
    """
    picture = photo.read_bytes()

    def once() -> None:
        port = str(free_port())
        name, *arguments = (port if word == "PORT" else str(word) for word in command)
        server = subprocess.Popen(
            [str(fresh.command(name)), *arguments],
            cwd=photo.parent,
            env=fresh.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until_answered(lambda: ask(f"http://127.0.0.1:{port}", picture), server)
        finally:
            server.kill()
            server.wait()

    return middle(once, 3)


def middle(once: Callable[[], None], times: int) -> float:
    """Return the median seconds of so many runs, after one that is not counted."""
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def until_answered(ask: Callable[[], None], server: "subprocess.Popen[bytes]") -> None:
    """Ask again and again; raise RuntimeError if the server ends, or there is never an answer."""
    until = time.monotonic() + WITHIN
    while server.poll() is None and time.monotonic() < until:
        try:
            return ask()
        except (OSError, urllib.error.URLError):
            time.sleep(0.02)
    raise RuntimeError("A page did not answer.")


def ask_voilearn(url: str, photo: bytes) -> None:
    """Ask a page of ours, as it asks its service."""
    _post(f"{url}/v1/classify", photo)


def ask_gradio(url: str, photo: bytes) -> None:
    """Ask a page of Gradio as its own script does: upload, call, and wait for the answer."""
    name = json.loads(_get(f"{url}/config"))["dependencies"][0]["api_name"]
    edge = "b0undary"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="photo.jpg"\r\n'
    form = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + f"\r\n--{edge}--".encode()
    kind = f"multipart/form-data; boundary={edge}"
    (path,) = json.loads(_post(f"{url}/gradio_api/upload", form, kind))
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = f"{url}/gradio_api/call/{name}"
    asked = json.loads(_post(call, json.dumps({"data": [file]}).encode(), "application/json"))
    events = _get(f"{call}/{asked['event_id']}")
    if b"event: complete" not in events:
        raise RuntimeError(events.decode())


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=WITHIN) as answer:
        return bytes(answer.read())


def _post(url: str, body: bytes, kind: str = "image/jpeg") -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:
        return bytes(answer.read())
