"""Put the page of the visitor's own device together: a folder that any static host can serve.

In: a compiled model (export.onnx and export.json); the author's notebook, and app.toml and
examples/ beside it; files of this room and of `page/`. Out: the folder. Its small files lie in one
named by what is in them, so that a browser keeps them as long as they are the same.

    python -m voilearn.device.build --model compiled
"""

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voilearn.device.examples import Example, read_examples
from voilearn.device.icon import draw_icon
from voilearn.device.large import CannotBuild, Large, pack
from voilearn.device.runtime import get_runtime
from voilearn.errors import VoilearnError
from voilearn.page.bundle import PAGE, PHOTO_WORKER, ROOMS, one_script
from voilearn.page.document import as_data, document, fill
from voilearn.page.title import words_of
from voilearn.settings import read_settings

DEVICE = ROOMS / "device"
CHECKOUT = ROOMS.parent
WEB = CHECKOUT / "web"  # what is built and downloaded, in a checkout
SCRIPTS = {
    "page.js": (
        *PAGE,
        "device/errors.js",
        "device/prediction.js",
        "device/asker.js",
        "device/page.js",
    ),
    "photo_worker.js": PHOTO_WORKER,
    "worker.js": ("device/errors.js", "device/download.js", "device/worker.js"),
}
ICON_SIZES = (192, 512)


@dataclass(frozen=True)
class Author:
    """What the page has of its author: words, and example photos."""

    title: str
    introduction: str
    language: str  # of the words; "" where it is not said
    classes: dict[str, dict[str, str]]
    examples: Sequence[Example]


def main(arguments: list[str] | None = None) -> int:
    """Build, or say in a sentence why not; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m voilearn.device.build", description=__doc__.splitlines()[0]
    )
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
        help="whose first cell has the title and the introduction, if app.toml beside it has none; "
        "the photos of examples/ beside it are the gallery (default: app.ipynb)",
    )
    chosen = parser.parse_args(arguments)
    try:
        print(build(chosen.model, chosen.notebook, chosen.out))
    except (CannotBuild, VoilearnError) as problem:
        print(f"The page can't be built. {problem}", file=sys.stderr)
        return 1
    return 0


def build(model: Path, notebook: Path, out: Path) -> str:
    """Write the page into `out`, in the place of an older one; return what was written."""
    network, facts = read_model(model)
    author = read_author(notebook, facts["classes"], facts["size"])
    script, runtime = get_runtime(WEB / ".cache")
    parts = read_parts(script)
    folder = f"page-{_digest(b''.join(parts.values()))}"
    files = {f"{folder}/{name}": content for name, content in parts.items()}
    for example in author.examples:
        files |= example.files
    facts |= {
        "files": {"network": network.to_dict(), "runtime": runtime.to_dict()},
        "settings": {"classes": author.classes},
        "examples": [example.to_dict() for example in author.examples],
    }
    files |= _fill_pages(author, folder, facts)
    deployed = {
        "build": _digest(b"".join(files.values())),
        "small": ["./", *(name for name in files if name != "index.html")],
        "large": [network.name, runtime.name],
    }
    worker = (DEVICE / "sw.js").read_text("utf-8")
    files["sw.js"] = worker.replace("= DEPLOYED;", f"= {json.dumps(deployed)};").encode()
    visit = sum(len(gzip.compress(content)) for content in files.values())  # most hosts pack these
    files |= {f"{large.name}.gz": large.packed for large in (network, runtime)}
    files[".nojekyll"] = b""  # GitHub Pages would look for a site to generate
    _write(out, files)
    visit += len(network.packed) + len(runtime.packed)
    return (
        f"{out}: {author.title}, {len(facts['classes'])} classes, "
        f"{len(author.examples)} examples; a first visit downloads {visit / 1e6:.1f} MB."
    )


def read_author(notebook: Path, classes: Sequence[str], size: int | None) -> Author:
    """Return what stands in app.toml, or else in the notebook, and the photos of examples/."""
    settings = read_settings(notebook.with_name("app.toml"))
    title, introduction = words_of(settings, notebook)
    for label in settings.unknown_classes(classes):
        print(f"app.toml says something of {label!r}, which is no class of this model.")
    known = set(classes)
    words = {label: said.to_dict() for label, said in settings.classes.items() if label in known}
    examples = read_examples(notebook.with_name("examples"), size)
    return Author(title, introduction, settings.language, words, examples)


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
    return pack("model", "model", "onnx", network), facts


def _facts(told: Any, folder: Path) -> dict[str, Any]:
    try:
        facts = {key: told["model"][key] for key in ("name", "sha256", "task", "classes")}
        facts["thresholds"] = told["thresholds"]
        facts["size"] = told["preprocessing"]["size"]
        facts["agreement"] = told["agreement"]["max_difference"]
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


def read_parts(runtime: bytes) -> dict[str, bytes]:
    """Return the page's small files by name; `runtime` is the script of it."""
    parts = {name: one_script(modules).encode() for name, modules in SCRIPTS.items()}
    parts["page.css"] = (ROOMS / "page" / "page.css").read_bytes()
    parts["ort.js"] = runtime  # not every host knows what a .mjs is
    return parts | {f"icon-{size}.png": draw_icon(size) for size in ICON_SIZES}


def _fill_pages(author: Author, folder: str, facts: Mapping[str, Any]) -> dict[str, bytes]:
    index = document(
        DEVICE / "index.html",
        author.title,
        author.introduction,
        author.language,
        folder=folder,
        model=as_data(facts),
    )
    manifest = fill(
        DEVICE / "manifest.webmanifest",
        title=json.dumps(author.title),
        introduction=json.dumps(" ".join(author.introduction.split())),
        folder=folder,
    )
    return {"index.html": index.encode(), "manifest.webmanifest": manifest.encode()}


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
