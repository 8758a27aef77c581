"""Install PyTorch without CUDA where there is no NVIDIA card: 4 GB less, and the same answers.

In comes a lock file, by which the versions of torch and torchvision are known; out go the two
wheels, both of one index, in the environment of the Python that runs this. Where there is
an NVIDIA card, or PyTorch's own index can't be had, one line says so, and pip takes PyPI's later.
It needs the standard library alone.

    python install/torch_wheels.py requirements.txt

The variable TORCH decides: `cpu` or `pypi`. Without it, this looks at the machine.
"""

import contextlib
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

INDEX = "https://download.pytorch.org/whl/cpu"
PACKAGES = ("torch", "torchvision")
WITHIN = 5.0  # seconds in which the index has to have answered
# What an NVIDIA driver has there, and where WSL keeps its tools
DRIVER = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))
WSL = "/usr/lib/wsl/lib"


def main(lock: str) -> int:
    """Decide, say what and why, and install; 1 where TORCH=cpu can't be done."""
    asked = os.environ.get("TORCH", "")
    if asked not in ("", "cpu", "pypi"):
        return _failed(f"TORCH is {asked!r}: it may be cpu or pypi.")
    if sys.platform != "linux":
        return 0  # PyPI's wheels for other systems have no CUDA
    pins = pins_of(Path(lock).read_text("utf-8"))
    if hindrance := hindrance_to_cpu(asked, pins):
        if asked == "cpu":
            return _failed(f"There is no PyTorch without CUDA: {hindrance}.")
        return _say(f"PyTorch comes from PyPI: {hindrance}.")
    _say(f"PyTorch comes without CUDA, from {INDEX}: {'TORCH=cpu' if asked else 'no NVIDIA card'}.")
    if not installed(pins):
        if asked == "cpu":
            return _failed(f"pip could not install PyTorch from {INDEX}.")
        _say("PyTorch comes from PyPI after all: pip could not install the other.")
    return 0


def pins_of(lock: str) -> list[str]:
    """Return the lines of a lock file that pin torch and torchvision, without markers."""
    found = re.findall(rf"^(?:{'|'.join(PACKAGES)})==[^\s;]+", lock, re.MULTILINE)
    return sorted(set(found))


def hindrance_to_cpu(asked: str, pins: list[str]) -> str | None:
    """Say why the wheels without CUDA are not to be taken, or None."""
    if asked == "pypi":
        return "TORCH=pypi"
    if not asked and has_nvidia():
        return "there is an NVIDIA card"
    if len(pins) != len(PACKAGES):
        return "the lock file does not name one version of each of torch and torchvision"
    return lacks(pins)


def has_nvidia() -> bool:
    """Say whether this machine has an NVIDIA driver with a card that it drives."""
    if any(path.exists() for path in DRIVER):
        return True
    tool = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=WSL)
    if tool is None:
        return False
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run([tool, "-L"], capture_output=True, timeout=WITHIN, check=False)
        return asked.returncode == 0 and b"GPU" in asked.stdout
    return False


def lacks(pins: list[str], index: str = INDEX, within: float = WITHIN) -> str | None:
    """Say what the index lacks for this Python, or that it can't be reached; or None.

    Both pages are asked for at once, in threads: neither a name that is looked up for ever nor a
    server that never answers keeps anybody waiting.
    """
    pages: dict[str, str | Exception] = {}
    threads = [
        threading.Thread(target=_read, args=[pin, index, within, pages], daemon=True)
        for pin in pins
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return next(_lacking(pins, index, dict(pages)), None)


def _lacking(pins: list[str], index: str, pages: dict[str, str | Exception]) -> Iterator[str]:
    for pin in pins:
        page = pages.get(pin, TimeoutError("no answer in time"))
        if isinstance(page, Exception):
            yield f"{index} can't be reached ({_reason(page)})"
        elif not has_wheel(page, pin):
            yield f"{index} has no {pin} for this Python on this machine"


def _read(pin: str, index: str, within: float, pages: dict[str, str | Exception]) -> None:
    try:
        with _opener().open(f"{index}/{pin.partition('==')[0]}/", timeout=within) as answer:
            pages[pin] = answer.read().decode("utf-8", "replace")
    except Exception as error:  # noqa: BLE001  # whatever it is, PyPI's wheels do
        pages[pin] = error


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses with pip's proxy and certificates, where pip has been told."""
    certificates = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=certificates or None)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if proxy := os.environ.get("PIP_PROXY"):
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    return urllib.request.build_opener(*handlers)


def _reason(error: Exception) -> str:
    told = str(error).removeprefix("<urlopen error ").removesuffix(">")
    return re.sub(r"\s+", " ", told)[:100] or type(error).__name__


def has_wheel(page: str, pin: str) -> bool:
    """Say whether an index's page names a CPU wheel of this version, for this Python."""
    name, _, version = pin.partition("==")
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    abi = python + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")
    wheel = re.escape(f"{name}-{version}+cpu-{python}-{abi}-")
    found = rf"{wheel}[\w.]*linux[\w.]*_{re.escape(platform.machine())}\.whl"
    return re.search(found, urllib.parse.unquote(page)) is not None


def installed(pins: list[str]) -> bool:
    """Have pip install both wheels from the one index; say whether it did.

    Without what they need, which the lock file has, so that nothing else is asked of this index.
    """
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    command += ["--retries", "1", "--no-deps", "--index-url", INDEX]
    return subprocess.run([*command, *map(_cpu, pins)], check=False).returncode == 0


def _cpu(pin: str) -> str:
    return f"{pin}+cpu"


def _say(line: str) -> int:
    print(line, flush=True)
    return 0


def _failed(line: str) -> int:
    print(line, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
