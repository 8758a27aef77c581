"""PyTorch without CUDA is taken by a real pip, and the lock file is content with it after that."""

import platform
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.fresh import Fresh
from install.torch_wheels import pins_of
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.installed,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI's wheels have no CUDA"),
]

PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
# The script, with an index of this machine in the place of PyTorch's
RUN = "import sys; from install import torch_wheels as t; t.INDEX = sys.argv[1]; "
RUN += "t.lacks.__defaults__ = (t.INDEX, t.WITHIN); sys.exit(t.main('lock.txt'))"


def write_wheel(folder: Path, pin: str) -> None:
    """Write a wheel with nothing in it but its name and version."""
    name, _, version = pin.partition("==")
    info, tag = f"{name}-{version}+cpu.dist-info", f"{PYTHON}-{PYTHON}-linux_{platform.machine()}"
    (folder / name).mkdir(parents=True)
    with zipfile.ZipFile(folder / name / f"{name}-{version}+cpu-{tag}.whl", "w") as wheel:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}+cpu\n"
        wheel.writestr(f"{info}/METADATA", metadata + "Requires-Dist: of-no-index\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index that has both wheels."""
    for pin in pins_of((ROOT / "requirements.txt").read_text()):
        write_wheel(tmp_path / "served", pin)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_both_wheels_come_of_the_index_and_satisfy_the_lock_file(
    index: str, tmp_path: Path
) -> None:
    fresh = Fresh.made(tmp_path / "fresh")
    pins = pins_of((ROOT / "requirements.txt").read_text())
    (tmp_path / "lock.txt").write_text("\n".join(pins))
    environment = fresh.environment() | {"TORCH": "cpu", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [str(fresh.python), "-c", RUN, index],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"PyTorch comes without CUDA, from {index}: TORCH=cpu.\n"
    listed = fresh.run("pip", "list", "--format=freeze", folder=tmp_path).stdout
    assert all(f"{pin}+cpu\n" in listed for pin in pins)
    content = ("pip", "install", "--no-deps", "--dry-run", "-r", "lock.txt")
    said = fresh.run(*content, folder=tmp_path).stdout
    assert "Would install" not in said
    assert said.count("Requirement already satisfied") == len(pins)
