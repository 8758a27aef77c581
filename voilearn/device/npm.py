"""What the page brings along from npm: downloaded once, checked, and kept in the user's cache.

In: a `Package`, whose version and hash package.json pins, and its file, if there is no network;
out: its script, its binary, packed, and its licence. They are the runtime that runs the model in a
browser, ONNX Runtime Web, and the decoder for HEIC photos where a browser has none, libheif.
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
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from voilearn.device.large import Large, Say
from voilearn.errors import CannotBuild, shown
from voilearn.users_folders import cache_folder

PINNED = Path(__file__).with_name("package.json")
KEPT = ("script.js", "binary.wasm.gz", "licence.txt")


@dataclass(frozen=True)
class Package:
    """A package of npm: what is needed of it, and what it is called here."""

    what: str
    name: str
    script: str
    binary: str
    licence: str
    stem: str  # of the binary's name in the page's folder
    size: str
    option: str  # of the command line, which names its file


RUNTIME = Package(
    "runtime",
    "onnxruntime-web",
    "dist/ort.wasm.bundle.min.mjs",  # runs on the CPU alone, with the loader of the binary in it
    "dist/ort-wasm-simd-threaded.wasm",
    "",  # it stands at the top of the script
    "ort",
    "33 MB",
    "--runtime",
)
DECODER = Package(
    "decoder",
    "libheif-js",
    "libheif-wasm/libheif.js",
    "libheif-wasm/libheif.wasm",
    "libheif-wasm/LICENSE",
    "libheif",
    "3 MB",
    "--decoder",
)


class Parts(NamedTuple):
    """What of a package is needed; `packed` is the binary, compressed."""

    script: bytes
    binary: bytes
    packed: bytes
    licence: bytes


class Brought(NamedTuple):
    """What the page brings along of a package."""

    script: bytes
    binary: Large
    licence: bytes


def get_package(package: Package, file: Path | None, say: Say) -> Brought:
    """Return a package's script, binary and licence.

    The package is `file`, or else it is kept from before, or comes from npm. Raises CannotBuild.
    """
    pinned = json.loads(PINNED.read_text("utf-8"))
    version, integrity = (pinned[key][package.name] for key in ("dependencies", "integrity"))
    name = f"{package.name}-{version}-{hashlib.sha256(integrity.encode()).hexdigest()[:16]}"
    caches = cache_folder()
    kept = caches and caches / name
    found = None if file or not kept else _kept(kept)
    if found is None:
        wanted = _Wanted(package, _address(package.name, version), integrity)
        found = _unpack(package, wanted.given(file) if file else wanted.download(say))
        with contextlib.suppress(OSError):  # in a read-only home, say, it is got again next time
            if kept:
                _keep(kept, found)
    sha256 = hashlib.sha256(found.binary).hexdigest()
    file_name = f"{package.stem}-{sha256[:16]}.wasm"
    binary = Large(RUNTIME.what, file_name, sha256, len(found.binary), found.packed)
    return Brought(found.script, binary, found.licence)


def _kept(kept: Path) -> Parts | None:
    try:
        script, packed, licence = ((kept / name).read_bytes() for name in KEPT)
        return Parts(script, gzip.decompress(packed), packed, licence)
    except (OSError, EOFError, zlib.error):  # it is not there, or damaged
        return None


@dataclass(frozen=True)
class _Wanted:
    """The very package that is needed, and where it is."""

    package: Package
    url: str
    integrity: str

    def given(self, file: Path) -> bytes:
        """Return the package that the user has as a file, which has to be the very one."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CannotBuild(f"{shown(file)} can't be read: {error.strerror}.") from error
        if _integrity(data) != self.integrity:
            raise CannotBuild(
                f"{shown(file)} is not the package of the {self.package.what}: its hash is "
                f"{_integrity(data)}. What is needed is {self.url}"
            )
        return data

    def download(self, say: Say) -> bytes:
        """Return the package from npm."""
        what, url = self.package.what, self.url
        say(f"downloading the {what}, {self.package.size}, once: {url}")
        try:
            with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310  # npm's registry
                data: bytes = response.read()
        except (OSError, ValueError) as error:
            raise CannotBuild(
                f"The {what} can't be downloaded from {url}: {error}. Check the connection, or "
                "set npm_config_registry to a mirror of npm. Where there is no network, download "
                f"that file elsewhere, and name it with {self.package.option}."
            ) from error
        if _integrity(data) != self.integrity:
            raise CannotBuild(
                f"What came from {url} is not the package that package.json names: its hash is "
                f"{_integrity(data)}. Try again, or another registry (npm_config_registry)."
            )
        return data


def _address(name: str, version: str) -> str:
    registry = _setting("registry") or "https://registry.npmjs.org/"
    return f"{registry.rstrip('/')}/{name}/-/{name}-{version}.tgz"


def _setting(name: str) -> str | None:
    """Return a setting of npm from the environment, where npm takes either case."""
    wanted = f"npm_config_{name}"
    return next((value for key, value in os.environ.items() if key.lower() == wanted), None)


def _integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _unpack(package: Package, data: bytes) -> Parts:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        script, binary, licence = (
            _read(tar, package, name) if name else b""
            for name in (package.script, package.binary, package.licence)
        )
    return Parts(script, binary, gzip.compress(binary, mtime=0), licence)


def _read(tar: tarfile.TarFile, package: Package, name: str) -> bytes:
    file = tar.extractfile(f"package/{name}")
    if file is None:
        raise CannotBuild(f"{package.name} has no file {name} in this version.")
    return file.read()


def _keep(kept: Path, parts: Parts) -> None:
    """Keep all files, or none; another build may do so at the same time."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        whole = Path(scratch, "whole")
        whole.mkdir()
        for name, content in zip(KEPT, (parts.script, parts.packed, parts.licence), strict=True):
            (whole / name).write_bytes(content)
        if kept.is_dir():  # it is damaged
            kept.rename(Path(scratch, "old"))
        whole.rename(kept)
