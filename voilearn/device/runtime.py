"""The runtime that runs the model in a browser: ONNX Runtime Web, from npm, once, and checked.

In: package.json, which names the one version, and its package as a file, if there is no network;
out: its script, and its binary, packed. Both are kept in the user's cache folder.
"""

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import urllib.request
import zlib
from pathlib import Path
from typing import NamedTuple

from voilearn.device.large import Large, Say
from voilearn.errors import CannotBuild, shown
from voilearn.users_folders import cache_folder

PINNED = Path(__file__).with_name("package.json")
PACKAGE = "onnxruntime-web"
SCRIPT = "ort.wasm.bundle.min.mjs"  # runs on the CPU alone, with the loader of the binary in it
BINARY = "ort-wasm-simd-threaded.wasm"
KEPT = (SCRIPT, f"{BINARY}.gz")


class Parts(NamedTuple):
    """What of the package is needed; `packed` is the binary, compressed."""

    script: bytes
    binary: bytes
    packed: bytes


def get_runtime(file: Path | None, say: Say) -> tuple[bytes, Large]:
    """Return the runtime's script and its binary, packed.

    The package is `file`, or else it is kept from before, or comes from npm. Raises CannotBuild.
    """
    pinned = json.loads(PINNED.read_text("utf-8"))
    version, integrity = pinned["dependencies"][PACKAGE], pinned["integrity"][PACKAGE]
    name = f"{PACKAGE}-{version}-{hashlib.sha256(integrity.encode()).hexdigest()[:16]}"
    caches = cache_folder()
    kept = caches and caches / name
    found = None if file or not kept else _kept(kept)
    if found is None:
        package = _given(file, version, integrity) if file else _download(version, integrity, say)
        found = _unpack(package)
        with contextlib.suppress(OSError):  # in a read-only home, say, it is got again next time
            if kept:
                _keep(kept, found)
    script, binary, packed = found
    sha256 = hashlib.sha256(binary).hexdigest()
    return script, Large("runtime", f"ort-{sha256[:16]}.wasm", sha256, len(binary), packed)


def _kept(kept: Path) -> Parts | None:
    try:
        script, packed = ((kept / name).read_bytes() for name in KEPT)
        return Parts(script, gzip.decompress(packed), packed)
    except (OSError, EOFError, zlib.error):  # it is not there, or damaged
        return None


def _given(file: Path, version: str, integrity: str) -> bytes:
    """Return the package that the user has as a file, which has to be the very one."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CannotBuild(f"{shown(file)} can't be read: {error.strerror}.") from error
    if _integrity(data) != integrity:
        raise CannotBuild(
            f"{shown(file)} is not the package of the runtime: its hash is {_integrity(data)}. "
            f"What is needed is {_address(version)}"
        )
    return data


def _download(version: str, integrity: str, say: Say) -> bytes:
    url = _address(version)
    say(f"downloading the runtime, 33 MB, once: {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310  # npm's registry
            data: bytes = response.read()
    except (OSError, ValueError) as error:
        raise CannotBuild(
            f"The runtime can't be downloaded from {url}: {error}. Check the connection, or set "
            "npm_config_registry to a mirror of npm. Where there is no network, download that "
            "file elsewhere, and name it with --runtime."
        ) from error
    if _integrity(data) != integrity:
        raise CannotBuild(
            f"What came from {url} is not the package that package.json names: its hash is "
            f"{_integrity(data)}. Try again, or another registry (npm_config_registry)."
        )
    return data


def _address(version: str) -> str:
    registry = _setting("registry") or "https://registry.npmjs.org/"
    return f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE}-{version}.tgz"


def _setting(name: str) -> str | None:
    """Return a setting of npm from the environment, where npm takes either case."""
    wanted = f"npm_config_{name}"
    return next((value for key, value in os.environ.items() if key.lower() == wanted), None)


def _integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _unpack(package: bytes) -> Parts:
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        script, binary = (_read(tar, f"package/dist/{name}") for name in (SCRIPT, BINARY))
    return Parts(script, binary, gzip.compress(binary, mtime=0))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise CannotBuild(f"{PACKAGE} has no file {name} in this version.")
    return file.read()


def _keep(kept: Path, parts: Parts) -> None:
    """Keep both files, or none; another build may do so at the same time."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        whole = Path(scratch, "whole")
        whole.mkdir()
        for name, content in zip(KEPT, (parts.script, parts.packed), strict=True):
            (whole / name).write_bytes(content)
        if kept.is_dir():  # it is damaged
            kept.rename(Path(scratch, "old"))
        whole.rename(kept)
