"""Put the page of the visitor's own device together: a folder that any static host can serve.

In: a compiled model (export.onnx and export.json), app.ipynb for the title and the sentence below
it, and files of this room and of `page/`; out: the folder. The runtime comes from npm, once, and is
checked. Large files are packed here and not by the host, of which many compress nothing, and named
by their content, so that a browser keeps them as long as they are the same. Only the standard
library is needed.
"""

import argparse
import base64
import gzip
import hashlib
import html
import json
import os
import re
import struct
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOMS = Path(__file__).resolve().parents[1]
DEVICE = ROOMS / "device"
CHECKOUT = ROOMS.parent
WEB = CHECKOUT / "web"  # what is built and downloaded, in a checkout
PACKAGE = "onnxruntime-web"
SCRIPT = "ort.wasm.bundle.min.mjs"  # runs on the CPU alone, with the loader of the binary in it
BINARY = "ort-wasm-simd-threaded.wasm"
OWN = (
    "device/app.js",
    "device/download.js",
    "device/errors.js",
    "device/header.js",
    "device/photo.js",
    "device/prediction.js",
    "device/reduce.js",
    "device/worker.js",
)
SHARED = (
    "page/answer.js",
    "page/choosing.js",
    "page/limits.js",
    "page/page.css",
    "page/pixels.js",
    "page/translate.js",
    "page/upright.js",
    "page/whole.js",
    "page/words.js",
)
LOADED_AT_ONCE = (  # by app.js
    "page/answer.js",
    "page/choosing.js",
    "device/errors.js",
    "device/prediction.js",
    "page/translate.js",
    "page/words.js",
)
ICON_SIZES = (192, 512)
BLUE, WHITE = b"\x1d\x5f\xbf", b"\xff\xff\xff"
BARS = ((0.36, 0.74), (0.51, 0.60), (0.66, 0.36))  # each bar's top, and where it ends


class CannotBuild(Exception):
    """What is missing or wrong, and what to do, in a sentence."""


@dataclass(frozen=True)
class Large:
    """A file of megabytes: what it is, its packed bytes, and what it is once unpacked."""

    what: str
    name: str
    sha256: str
    size: int
    packed: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return what the page has to know to get and check it."""
        return {
            "what": self.what,
            "name": self.name,
            "sha256": self.sha256,
            "bytes": self.size,
            "packed": len(self.packed),
        }


def main(arguments: list[str] | None = None) -> int:
    """Build, or say in a sentence why not; return the exit code."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        type=Path,
        default=CHECKOUT,
        help="the folder with export.onnx and export.json (default: the project's own)",
    )
    parser.add_argument("--out", type=Path, default=WEB / "dist", help="(default: web/dist)")
    parser.add_argument(
        "--notebook",
        type=Path,
        default=CHECKOUT / "app.ipynb",
        help="whose first cell has the title and the sentence (default: app.ipynb)",
    )
    chosen = parser.parse_args(arguments)
    try:
        print(build(chosen.model, chosen.notebook, chosen.out))
    except CannotBuild as problem:
        print(f"The page can't be built. {problem}", file=sys.stderr)
        return 1
    return 0


def build(model: Path, notebook: Path, out: Path) -> str:
    """Write the page into `out`, in the place of an older one; return what was written."""
    title, sentence = read_title(notebook)
    network, facts = read_model(model)
    script, runtime = get_runtime(WEB / ".cache")
    facts["files"] = {"network": network.to_dict(), "runtime": runtime.to_dict()}
    parts = read_parts(script)
    folder = f"page-{_digest(b''.join(parts.values()))}"
    files = {f"{folder}/{name}": content for name, content in parts.items()}
    files |= _fill_pages(title, sentence, folder, facts)
    deployed = {
        "build": _digest(b"".join(files.values())),
        "small": ["./", *(name for name in files if name != "index.html")],
        "large": [network.name, runtime.name],
    }
    worker = (DEVICE / "sw.js").read_text("utf-8")
    files["sw.js"] = worker.replace("= DEPLOYED;", f"= {json.dumps(deployed)};").encode()
    files |= {f"{large.name}.gz": large.packed for large in (network, runtime)}
    files[".nojekyll"] = b""  # GitHub Pages would look for a site to generate
    _write(out, files)
    megabytes = sum(map(len, files.values())) / 1e6
    return f"{out}: {title}, {len(facts['classes'])} classes, {megabytes:.1f} MB."


def read_model(folder: Path) -> tuple[Large, dict[str, Any]]:
    """Return the network, packed, and what the page has to know of it."""
    try:
        told = json.loads((folder / "export.json").read_text("utf-8"))
        network = (folder / "export.onnx").read_bytes()
    except FileNotFoundError as error:
        raise CannotBuild(
            f"There is no {error.filename}. Compile the model first: "
            f"python -m voilearn compile export.pkl -o {folder}"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CannotBuild(f"{folder / 'export.json'} can't be read: {error}.") from error
    facts = _facts(told, folder)
    if hashlib.sha256(network).hexdigest() != told["onnx"]["sha256"]:
        raise CannotBuild(
            f"{folder / 'export.onnx'} is not the file that export.json beside it tells of. "
            "Compile the model again, so that the two belong together."
        )
    return _pack("model", "model", "onnx", network), facts


def _facts(told: Any, folder: Path) -> dict[str, Any]:
    try:
        facts = {key: told["model"][key] for key in ("name", "sha256", "task", "classes")}
        facts["thresholds"] = told["thresholds"]
        facts["size"] = told["preprocessing"]["size"]
        facts["settings"] = {"classes": {}}  # the author's words for classes, by their names
        right = (
            isinstance(told["onnx"]["sha256"], str)
            and facts["task"] in ("single-label", "multi-label")
            and all(isinstance(name, str) for name in facts["classes"])
            and len(facts["classes"]) > 0
            and len(facts["thresholds"] or facts["classes"]) == len(facts["classes"])
            and (facts["size"] is None or facts["size"] > 0)
        )
    except (KeyError, TypeError):
        right = False
    if not right:
        raise CannotBuild(
            f"{folder / 'export.json'} does not describe a compiled model, or one compiled by "
            "another release. Compile the model again with this one."
        )
    return facts


def get_runtime(cache: Path) -> tuple[bytes, Large]:
    """Return the runtime's script and its binary, packed; from npm if the cache has them not."""
    pinned = json.loads((DEVICE / "package.json").read_text("utf-8"))
    version, integrity = pinned["dependencies"][PACKAGE], pinned["integrity"][PACKAGE]
    kept = cache / f"{PACKAGE}-{version}-{_digest(integrity.encode())}"
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


def read_parts(script: bytes) -> dict[str, bytes]:
    """Return the page's small files by name: of this room, of the page's, or made here."""
    parts = {name: (ROOMS / name).read_bytes() for name in (*OWN, *SHARED)}
    parts["device/ort.js"] = script  # not every host knows what a .mjs is
    return parts | {f"icon-{size}.png": draw_icon(size) for size in ICON_SIZES}


def draw_icon(size: int) -> bytes:
    """Draw three bars on blue, within the circle that any device leaves of an icon, as a PNG."""
    rows = []
    for y in range(size):
        ends = [end for top, end in BARS if top <= (y + 0.5) / size < top + 0.09]
        start, end = round(0.26 * size), round((ends[0] if ends else 0.26) * size)
        rows.append(b"\0" + BLUE * start + WHITE * (end - start) + BLUE * (size - end))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _fill_pages(
    title: str, sentence: str, folder: str, facts: Mapping[str, Any]
) -> dict[str, bytes]:
    preloads = (f'<link rel="modulepreload" href="{folder}/{name}">' for name in LOADED_AT_ONCE)
    return {
        "index.html": _fill(
            "index.html",
            title=html.escape(title),
            sentence=html.escape(sentence),
            folder=folder,
            preloads="\n    ".join(preloads),
            dialog=_dialog(),
            noscript=(ROOMS / "page" / "noscript.html").read_text("utf-8").strip(),
            model=json.dumps(facts).replace("<", "\\u003c"),  # or a class could end the element
        ),
        "manifest.webmanifest": _fill(
            "manifest.webmanifest",
            title=json.dumps(title),
            sentence=json.dumps(sentence),
            folder=folder,
        ),
    }


def _dialog() -> str:
    """Return the element of the notebook's page in which a camera is seen live."""
    markup = (ROOMS / "page" / "markup.html").read_text("utf-8")
    (found,) = re.findall("<dialog.*?</dialog>", markup, re.DOTALL)
    return str(found)


def _fill(name: str, **values: str) -> bytes:
    """Return a file of this room with `{{name}}` replaced by each value."""
    template = (DEVICE / name).read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], template).encode()


def _pack(what: str, stem: str, suffix: str, data: bytes) -> Large:
    sha256 = hashlib.sha256(data).hexdigest()
    packed = gzip.compress(data, mtime=0)
    return Large(what, f"{stem}-{sha256[:16]}.{suffix}", sha256, len(data), packed)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write beside the old folder first, so that a build that fails leaves that as it was."""
    if out.exists() and not (out / "sw.js").is_file() and _names(out):
        raise CannotBuild(f"{out} has other files in it. Give an empty or a new folder as --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".web-") as scratch:
        fresh = Path(scratch, "dist")
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)
        if out.exists():
            out.rename(Path(scratch, "old"))
        fresh.rename(out)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


if __name__ == "__main__":
    sys.exit(main())
