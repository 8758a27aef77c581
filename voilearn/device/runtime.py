"""The runtime that runs the model in a browser: ONNX Runtime Web, from npm, once, and checked.

In: a folder to keep it in, and package.json, which names the one version; out: its script, and its
binary, packed.
"""

import base64
import gzip
import hashlib
import json
import os
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from voilearn.device.large import CannotBuild, Large

PINNED = Path(__file__).with_name("package.json")
PACKAGE = "onnxruntime-web"
SCRIPT = "ort.wasm.bundle.min.mjs"  # runs on the CPU alone, with the loader of the binary in it
BINARY = "ort-wasm-simd-threaded.wasm"


def get_runtime(cache: Path) -> tuple[bytes, Large]:
    """Return the runtime's script and its binary, packed; from npm if the cache has them not."""
    pinned = json.loads(PINNED.read_text("utf-8"))
    version, integrity = pinned["dependencies"][PACKAGE], pinned["integrity"][PACKAGE]
    kept = cache / f"{PACKAGE}-{version}-{hashlib.sha256(integrity.encode()).hexdigest()[:16]}"
    if not kept.is_dir():
        _unpack(_download(version, integrity, cache), kept)
    script = (kept / SCRIPT).read_bytes()
    packed = (kept / f"{BINARY}.gz").read_bytes()
    binary = gzip.decompress(packed)
    sha256 = hashlib.sha256(binary).hexdigest()
    return script, Large("runtime", f"ort-{sha256[:16]}.wasm", sha256, len(binary), packed)


def _download(version: str, integrity: str, cache: Path) -> Path:
    """Have the tarball of the package in the cache; return where."""
    tarball = cache / f"{PACKAGE}-{version}.tgz"
    if tarball.is_file() and _integrity(tarball.read_bytes()) == integrity:
        return tarball
    registry = _setting("registry") or "https://registry.npmjs.org/"
    url = f"{registry.rstrip('/')}/{PACKAGE}/-/{PACKAGE}-{version}.tgz"
    print(f"Downloading the runtime, 33 MB, once: {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310  # npm's registry
            data: bytes = response.read()
    except (OSError, ValueError) as error:
        raise CannotBuild(
            f"The runtime can't be downloaded from {url}: {error}. Check the connection, set "
            f"npm_config_registry to a mirror of npm, or put the file there yourself: {tarball}"
        ) from error
    if _integrity(data) != integrity:
        raise CannotBuild(
            f"What came from {url} is not the package that package.json names: its hash is "
            f"{_integrity(data)}. Try again, or another registry (npm_config_registry)."
        )
    cache.mkdir(parents=True, exist_ok=True)
    tarball.write_bytes(data)
    return tarball


def _setting(name: str) -> str | None:
    """Return a setting of npm from the environment, where npm takes either case."""
    wanted = f"npm_config_{name}"
    return next((value for key, value in os.environ.items() if key.lower() == wanted), None)


def _integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _unpack(tarball: Path, kept: Path) -> None:
    """Take the two files of the runtime out of the package, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=tarball.parent) as scratch, tarfile.open(tarball) as tar:
        whole = Path(scratch, "whole")
        whole.mkdir()
        for name in (SCRIPT, BINARY):
            member = tar.extractfile(f"package/dist/{name}")
            if member is None:
                raise CannotBuild(f"{PACKAGE} has no dist/{name} in this version.")
            data = member.read()
            packed = name == BINARY
            content = gzip.compress(data, mtime=0) if packed else data
            (whole / (f"{name}.gz" if packed else name)).write_bytes(content)
        try:
            whole.rename(kept)
        except OSError:  # another build was first
            if not kept.is_dir():
                raise
