"""Put the page of the visitor's own device together: a folder that any static host can serve.

In: a model, compiled or to be compiled; the author's app.toml, or else notebook, and examples/
beside it; files of this room and of `page/`. Out: the folder. Its small files lie in one named by
what is in them, so that a browser keeps them as long as they are the same.
"""

import gzip
import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voilearn.device.examples import Example, read_examples
from voilearn.device.icon import draw_icon
from voilearn.device.large import Large, Say, pack
from voilearn.device.lean import lean
from voilearn.device.npm import DECODER, RUNTIME, Brought, get_package
from voilearn.errors import CannotBuild, UnusableModel, printable, shown
from voilearn.page.bundle import PAGE, PHOTO_WORKER, ROOMS, one_script, one_style
from voilearn.page.document import as_data, document, fill
from voilearn.page.title import UNTITLED, words_of
from voilearn.scope import NONSENSE, scope_from
from voilearn.settings import Settings, read_settings

DEVICE = ROOMS / "device"
SCRIPTS = {
    "page.js": (
        *PAGE,
        "device/errors.js",
        "device/scope.js",
        "device/prediction.js",
        "device/asker.js",
        "device/page.js",
    ),
    "photo_worker.js": PHOTO_WORKER,
    "heic.js": ("device/errors.js", "device/download.js", "device/heic.js"),
    "worker.js": ("device/errors.js", "device/download.js", "device/worker.js"),
}
ICON_SIZES = (192, 512)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Author:
    """What the page has of its author: words, and example photos."""

    title: str
    introduction: str
    language: str  # of the words; "" where it is not said
    classes: dict[str, dict[str, str]]
    examples: Sequence[Example]


def build(
    model: Path,
    notebook: Path,
    out: Path,
    runtime: Path | None = None,
    say: Say = lambda line: None,
    weights: int = 8,
    decoder: Path | None = None,
) -> str:
    """Write the page into `out`, in the place of an older one; return what was written.

    `model` is an export.pkl, which is compiled for this, or an export.onnx, or a folder that has
    one. `weights` is how many bits those of an export.pkl are to have, if its answers stay the
    same. `runtime` and `decoder` are packages as files, where they are not to come from npm. `say`
    is told what takes long. Raises CannotBuild, and what makes a model or an app.toml unusable.
    """
    _check_out(out)
    brought = get_package(RUNTIME, runtime, say)
    heic = _get_decoder(decoder, say)
    with _compiled(model, weights, say) as compiled:
        network, facts = read_model(compiled)
        runtimes = _runtimes(brought, compiled if facts["joined"] else None)
    author = read_author(notebook, facts["classes"], facts["size"])
    parts, later = read_parts(brought.script), read_heic(heic)
    folder = f"page-{_digest(b''.join([*parts.values(), *later.values()]))}"
    files = {f"{folder}/{name}": content for name, content in parts.items()}
    for example in author.examples:
        files |= example.files
    facts |= {
        "files": {"network": network.to_dict()}
        | {name: runtime.to_dict() for name, runtime in runtimes.items()},
        **(
            {"heic": {"module": f"{folder}/heic.js", "file": heic.binary.to_dict()}} if heic else {}
        ),
        "settings": {"classes": author.classes},
        "examples": [example.to_dict() for example in author.examples],
    }
    files |= _fill_pages(author, folder, facts)
    large = [network, *runtimes.values(), *([heic.binary] if heic else [])]
    deployed = {
        "build": _digest(b"".join(files.values())),
        "small": ["./", *(name for name in files if name != "index.html")],
        "large": [each.name for each in large],
        "later": [f"{folder}/{name}" for name in later],
    }
    worker = one_script(["device/sw.js"])
    files["sw.js"] = worker.replace("= DEPLOYED;", f"= {as_data(deployed)};").encode()
    visit = sum(len(gzip.compress(content)) for content in files.values())  # most hosts pack these
    files |= {f"{folder}/{name}": content for name, content in later.items()}
    files |= {f"{each.name}.gz": each.packed for each in large}
    files[".nojekyll"] = b""  # GitHub Pages would look for a site to generate
    _write(out, files)
    visit += len(network.packed) + len(runtimes["runtime"].packed)
    return (
        f"{printable(str(out))}: {author.title}, {len(facts['classes'])} classes, "
        f"{len(author.examples)} examples; a first visit downloads {visit / 1e6:.1f} MB."
    )


@contextmanager
def _compiled(model: Path, weights: int, say: Say) -> Iterator[Path]:
    """Yield the export.onnx of a model; of an export.pkl, one that is there for now."""
    if model.is_dir():
        yield model / "export.onnx"
    elif model.suffix.lower() == ".onnx":
        yield model
    else:
        from voilearn.compiled.compile import compile_learner

        with tempfile.TemporaryDirectory() as folder:
            compile_learner(model, Path(folder), say=say, weights=weights)
            yield Path(folder, "export.onnx")


def read_author(notebook: Path, classes: Sequence[str], size: int | None) -> Author:
    """Return what stands in app.toml, or else in the notebook, and the photos of examples/."""
    settings = read_settings(notebook.with_name("app.toml"))
    title, introduction = _words(settings, notebook)
    for label in settings.unknown_classes(classes):
        log.warning("app.toml says something of %r, which is no class of this model.", label)
    known = set(classes)
    words = {label: said.to_dict() for label, said in settings.classes.items() if label in known}
    examples = read_examples(notebook.with_name("examples"), size)
    return Author(title, introduction, settings.language, words, examples)


def _words(settings: Settings, notebook: Path) -> tuple[str, str]:
    """Return title and introduction; without a notebook, a title that fits every model."""
    if settings.title or notebook.exists():
        return words_of(settings, notebook)
    return UNTITLED, settings.introduction


def read_model(file: Path) -> tuple[Large, dict[str, Any]]:
    """Return the network of an export.onnx, packed, and what the page has to know of it."""
    beside = file.with_suffix(".json")
    try:
        told = json.loads(beside.read_text("utf-8"))
        network = file.read_bytes()
    except FileNotFoundError as error:
        raise CannotBuild(
            f"There is no {printable(error.filename)}. `voilearn compile` writes an export.onnx "
            "and its export.json: name the folder of both, or the export.pkl itself."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CannotBuild(f"{shown(beside)} can't be read: {error}.") from error
    facts = _facts(told, beside)
    if hashlib.sha256(network).hexdigest() != told["onnx"]["sha256"]:
        raise CannotBuild(
            f"{shown(file)} is not the file that {shown(beside)} beside it tells of. "
            "Compile the model again, so that the two belong together."
        )
    joined = _joined(file, network)
    facts["joined"] = joined is not None
    return pack("model", "model", "onnx", joined or network), facts


def _runtimes(brought: Brought, model: Path | None) -> dict[str, Large]:
    """Return the runtime for a model, and where that is not all of it, the whole one, too.

    Without a model it is the whole one: what joins layers is left out of the other.
    """
    from voilearn.compiled.onnx_file import check_onnx_file

    binary = gzip.decompress(brought.binary.packed)
    made = lean(binary, check_onnx_file(model).operators) if model else None
    if made is None:
        return {"runtime": brought.binary}
    return {"runtime": pack(RUNTIME.what, RUNTIME.stem, "wasm", made), "whole": brought.binary}


def _joined(file: Path, network: bytes) -> bytes | None:
    """Return a graph as the page's runtime opens it soonest; None where it may not be opened here.

    That is so for a graph of somebody else's, and where ONNX and its runtime are not installed.
    """
    from voilearn.compiled.onnx_file import check_onnx_file

    try:
        check_onnx_file(file)
        from voilearn.compiled.joined import joined
    except (UnusableModel, ImportError):
        return None
    return joined(network)


def _facts(told: Any, beside: Path) -> dict[str, Any]:
    try:
        facts = {key: told["model"][key] for key in ("name", "sha256", "task", "classes")}
        facts["thresholds"] = told["thresholds"]
        facts["size"] = told["preprocessing"]["size"]
        facts["weights"] = told["onnx"].get("weights", 32)
        facts["agreement"] = told.get("agreement", {}).get("max_difference")
        if told.get("scope") is not None:
            scope = scope_from(told["scope"]).to_dict()
            facts["scope"] = {key: scope[key] for key in ("temperature", "activation", "terms")}
        right = (
            isinstance(told["onnx"]["sha256"], str)
            and facts["weights"] in (8, 16, 32)
            and facts["task"] in ("single-label", "multi-label")
            and all(isinstance(name, str) for name in facts["classes"])
            and len(facts["classes"]) > 0
            and len(facts["thresholds"] or facts["classes"]) == len(facts["classes"])
            and (facts["size"] is None or facts["size"] > 0)
        )
    except NONSENSE:
        right = False
    if not right:
        raise CannotBuild(
            f"{shown(beside)} does not describe a compiled model, or one compiled by "
            "another release. Compile the model again with this one."
        )
    return facts


def _get_decoder(file: Path | None, say: Say) -> Brought | None:
    """Return the decoder of HEIC photos, without which the page does, too, unless it is a file."""
    try:
        return get_package(DECODER, file, say)
    except CannotBuild as error:
        if file:
            raise
        log.warning("HEIC photos are opened only where the browser can: %s", error)
        return None


def read_heic(decoder: Brought | None) -> dict[str, bytes]:
    """Return the small files, by name, that the first HEIC photo of a visitor downloads."""
    if decoder is None:
        return {}
    script = one_script(SCRIPTS["heic.js"]).encode()
    library = decoder.script + b"\nexport default libheif;\n"
    return {"heic.js": script, "libheif.js": library, "libheif-licence.txt": decoder.licence}


def read_parts(runtime: bytes) -> dict[str, bytes]:
    """Return the page's small files by name; `runtime` is the script of it."""
    modules = ((name, each) for name, each in SCRIPTS.items() if name != "heic.js")
    parts = {name: one_script(each).encode() for name, each in modules}
    parts["page.css"] = one_style("page/page.css").encode()
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


def _check_out(out: Path) -> None:
    """Raise CannotBuild where there is something else in the page's place."""
    with _saying_why_not(out):
        if out.exists() and not (out / "sw.js").is_file() and any(out.iterdir()):
            raise CannotBuild(
                f"{printable(str(out))} has other files in it. Name an empty or a new folder "
                "with -o."
            )


def _write(out: Path, files: Mapping[str, bytes]) -> None:
    """Write beside the old folder first, so that a build that fails leaves that as it was."""
    with _saying_why_not(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".web-") as scratch:
            fresh = Path(scratch, "dist")
            for name, content in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(content)
            if out.exists():
                out.rename(Path(scratch, "old"))
            fresh.rename(out)


@contextmanager
def _saying_why_not(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotBuild(
            f"Nothing can be written to {printable(str(out))}: {error.strerror}. "
            "Name another folder with -o."
        ) from error
