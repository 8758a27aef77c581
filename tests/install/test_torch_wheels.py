"""Which PyTorch is installed, and why: by the machine, by its index, and by who installs."""

import platform
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from install import torch_wheels
from tests.conftest import ROOT

PINS = ["torch==2.14.1", "torchvision==0.29.1"]
LOCK = "timm==1.0\ntorch==2.14.1\ntorchao==1.0\ntorchvision==0.29.1 ; python_version > '3'\n"
ABI = f"cp{sys.version_info.major}{sys.version_info.minor}"
BUILD = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""


def wheel(pin: str, python: str = ABI, machine: str = platform.machine()) -> str:
    """A line of an index's page, as PyTorch writes it."""
    name, _, version = pin.partition("==")
    file = f"{name}-{version}%2Bcpu-{python}-{python}{BUILD}-manylinux_2_28_{machine}.whl"
    return f'<a href="/whl/cpu/{file}#sha256=00">{file.replace("%2B", "+")}</a>\n'


@pytest.fixture
def index() -> Iterator[ThreadingHTTPServer]:
    """An index of packages on this machine; `pages` are what it has, `asked` what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            name = self.path.rstrip("/").rpartition("/")[2]
            body = pages.get(name, "").encode()
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None: ...

    pages = {pin.partition("==")[0]: wheel(pin) for pin in PINS}
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages, server.asked = pages, asked  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/whl/cpu"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH", "PIP_PROXY", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_versions_are_those_of_the_lock_file() -> None:
    assert torch_wheels.pins_of(LOCK) == PINS
    assert len(torch_wheels.pins_of((ROOT / "requirements.txt").read_text())) == len(PINS)
    twice = "torch==1 ; python_version < '3'\ntorch==2\ntorchvision==1\n"
    assert "does not name one" in (
        torch_wheels.hindrance_to_cpu("cpu", torch_wheels.pins_of(twice)) or ""
    )


def test_an_index_that_has_both_wheels_is_taken(index: ThreadingHTTPServer) -> None:
    assert torch_wheels.lacks(PINS, url(index)) is None
    assert sorted(index.asked) == ["/whl/cpu/torch/", "/whl/cpu/torchvision/"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>Sign in to the network of the hotel</html>",
        wheel("torchvision==0.29.0"),
        wheel("torchvision==0.29.1", "cp39"),
        wheel("torchvision==0.29.1", machine="riscv64"),
        wheel("torchvision==0.29.1").replace("%2Bcpu", "").replace("+cpu", ""),
    ],
    ids=["none", "no index", "another version", "another Python", "another machine", "with CUDA"],
)
def test_an_index_that_lacks_one_of_them_is_not_taken(
    page: str, index: ThreadingHTTPServer
) -> None:
    """Of two indexes, both together would not load."""
    index.pages["torchvision"] = page  # type: ignore[attr-defined]
    said = torch_wheels.lacks(PINS, url(index))
    assert said is not None
    assert said.startswith(url(index))
    assert "torchvision==0.29.1" in said if page else "404" in said


@pytest.fixture(params=["silent", "dripping"])
def endless(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an index that takes a connection, and never has done with its answer."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        drop = b"HTTP/1.1 200 OK\r\n\r\n" if request.param == "dripping" else b""
        while not over.wait(0.02) and drop:
            connection.sendall(drop)
            drop = b"."
        over.wait()
        connection.close()

    def take() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()


def test_an_index_that_never_has_answered_is_given_up(endless: str) -> None:
    said = torch_wheels.lacks(PINS, endless, within=0.3) or ""
    assert said.startswith(f"{endless} can't be reached (")
    assert "time" in said


@pytest.mark.parametrize("address", ["http://index.invalid", "http://127.0.0.1:1", "no address"])
def test_an_index_that_is_nowhere_is_told_with_the_reason(address: str) -> None:
    said = torch_wheels.lacks(PINS, address) or ""
    assert said.startswith(f"{address} can't be reached (")
    assert "\n" not in said


@pytest.mark.parametrize("variable", ["PIP_PROXY", "http_proxy"])
def test_the_index_is_asked_through_the_proxy_that_pip_would_take(
    variable: str, index: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, url(index))
    assert torch_wheels.lacks(PINS, "http://pytorch.example/whl/cpu") is None
    assert "http://pytorch.example/whl/cpu/torch/" in index.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "says", "card"), [(0, "GPU 0: T4", True), (9, "failed", False)])
def test_a_card_is_one_that_the_driver_lists(
    code: int, says: str, card: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_wheels, "DRIVER", (tmp_path / "none",))
    monkeypatch.setattr(torch_wheels, "WSL", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if not torch_wheels.shutil.which("nvidia-smi"):  # type: ignore[attr-defined]
        assert not torch_wheels.has_nvidia()
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert torch_wheels.has_nvidia() == card


def test_a_driver_without_its_tools_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version").touch()
    monkeypatch.setattr(torch_wheels, "DRIVER", (tmp_path / "version",))
    assert torch_wheels.has_nvidia()


Run = Callable[..., tuple[int, str, str, list[list[str]]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the script where all is as said; return its code, what it says, and the pip it ran."""

    def run(
        asked: str = "", card: bool = False, lacks: str | None = None, pip: int = 0
    ) -> tuple[int, str, str, list[list[str]]]:
        ran: list[list[str]] = []

        def pip_runs(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
            ran.append(command)
            return subprocess.CompletedProcess(command, pip)

        (tmp_path / "lock file.txt").write_text(LOCK)
        monkeypatch.setenv("TORCH", asked)
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(torch_wheels, "has_nvidia", lambda: card)
        monkeypatch.setattr(torch_wheels, "lacks", lambda pins: lacks)
        monkeypatch.setattr(subprocess, "run", pip_runs)
        code = torch_wheels.main(str(tmp_path / "lock file.txt"))
        return code, *capsys.readouterr(), ran

    return run


def test_without_a_card_both_wheels_come_of_the_one_index(run: Run) -> None:
    code, out, err, (pip,) = run()
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert "without CUDA" in out and "no NVIDIA card" in out
    assert pip[pip.index("--index-url") + 1] == torch_wheels.INDEX
    assert "--no-deps" in pip
    assert pip[-2:] == [f"{pin}+cpu" for pin in PINS]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"card": True}, "there is an NVIDIA card"),
        ({"asked": "pypi"}, "TORCH=pypi"),
        ({"lacks": "the index can't be reached (timed out)"}, "can't be reached (timed out)"),
    ],
)
def test_else_pypis_are_left_to_pip_and_one_line_says_why(
    where: dict[str, object], why: str, run: Run
) -> None:
    code, out, err, ran = run(**where)
    assert (code, err, out.count("\n"), ran) == (0, "", 1, [])
    assert out.startswith("PyTorch comes from PyPI: ") and why in out


def test_a_pip_that_fails_leaves_it_to_pypi(run: Run) -> None:
    code, out, _, ran = run(pip=1)
    assert (code, len(ran)) == (0, 1)
    assert out.splitlines()[-1].startswith("PyTorch comes from PyPI after all")


def test_what_was_asked_for_is_done_or_refused(run: Run) -> None:
    assert run(asked="cpu", card=True)[0] == 0
    code, out, err, ran = run(asked="cpu", lacks="it can't be reached")
    assert (code, out, ran) == (1, "", [])
    assert err == "There is no PyTorch without CUDA: it can't be reached.\n"
    assert run(asked="cpu", pip=1)[0] == 1
    assert "may be cpu or pypi" in run(asked="cuda")[2]


def test_other_systems_need_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert torch_wheels.main("no such file") == 0
    assert capsys.readouterr().out == ""


def test_it_is_a_program_of_the_standard_library_alone() -> None:
    """As it is run in an environment that has nothing yet."""
    script = str(ROOT / "install" / "torch_wheels.py")
    command = [sys.executable, "-I", "-S", script, "requirements.txt"]
    done = subprocess.run(
        command, env={"TORCH": "pypi"}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sys.platform != "linux" or done.stdout == "PyTorch comes from PyPI: TORCH=pypi.\n"
