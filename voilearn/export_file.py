"""Tell what is inside a file that is meant to be an export.pkl, running none of it.

In comes a path; out goes an `ExportFile`, or UnusableModel with what to do instead. The pickle
is read as a list of opcodes (`pickletools.genops`), which builds no object and imports nothing.
"""

import hashlib
import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voilearn.errors import UnusableModel
from voilearn.prediction import Task

# What a pickle of an export may be at most; its weights lie beside it. Reading stops there.
MAX_PICKLE_BYTES = 200_000_000
LEGACY_PICKLES = 5

UNTOLD = "?"
TASKS: dict[str, Task] = {
    "MultiCategorize": "multi-label",
    "EncodedMultiCategorize": "multi-label",
    "Categorize": "single-label",
}

# Where the usual networks come from; the first package a network of which is inside is its own.
ARCHITECTURES = ("timm.models", "torchvision.models", "fastai.vision.models")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What plain reading can tell of an export.pkl.

    `format` is torch's container (`zip` or `legacy`), `references` the `module.name`s that
    opening the file the usual way would import, sorted; a name that only running the pickle could
    tell is UNTOLD. `architecture` and `task` are read off these names, and None where they don't
    tell.
    """

    path: Path
    size: int
    sha256: str
    format: str
    task: Task | None
    architecture: str | None
    references: tuple[str, ...]

    @property
    def unknown_references(self) -> tuple[str, ...]:
        """The names that an export is not normally made of: other libraries, and running code."""
        return tuple(name for name in self.references if not _is_known(name))

    def to_dict(self) -> dict[str, Any]:
        """Return what `voilearn inspect --json` prints."""
        return {
            "path": str(self.path),
            "size": self.size,
            "sha256": self.sha256,
            "format": self.format,
            "task": self.task,
            "architecture": self.architecture,
            "references": list(self.references),
            "unknown_references": list(self.unknown_references),
        }


# fmt: off
KNOWN_PACKAGES = frozenset((
    "torch", "torchvision", "timm", "fastai", "fastcore", "fasttransform", "plum", "fastprogress",
    "numpy", "pandas", "PIL", "cloudpickle", "pathlib", "collections", "builtins", "__builtin__",
    "functools", "operator", "_operator", "copyreg", "_codecs", "typing", "datetime", "random",
    "re", "inspect",
))
# fmt: on
RUNS_CODE = {"eval", "exec", "compile", "open", "__import__"}


def read_export_file(path: Path | str) -> ExportFile:
    """Read what an export.pkl is made of, without unpickling it.

    Raises UnusableModel, with what to do, for a file that can't be a fastai export.
    """
    path = Path(path)
    _check_is_a_file(path)
    head = _read_head(path)
    _check_head(path, head)
    zipped = zipfile.is_zipfile(path)
    references = tuple(sorted(_references(path, zipped)))
    names = [reference.rpartition(".")[2] for reference in references]
    if not any(name.startswith("fastai.") for name in references):
        raise UnusableModel(
            f"{path.name} was not saved by fastai's learn.export(): no part of fastai is in it. "
            "Run learn.export() where the model was trained, and use the file that it writes."
        )
    return ExportFile(
        path=path,
        size=path.stat().st_size,
        sha256=file_sha256(path),
        format="zip" if zipped else "legacy",
        task=next((task for name, task in TASKS.items() if name in names), None),
        architecture=_architecture(references),
        references=references,
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_known(name: str) -> bool:
    package, _, last = name.partition(".")
    return package in KNOWN_PACKAGES and not ("builtin" in package and last in RUNS_CODE)


def _check_is_a_file(path: Path) -> None:
    if path.is_dir():
        raise UnusableModel(f"{path.name} is a folder. Name the export.pkl file inside it.")
    if not path.is_file():
        raise UnusableModel(
            f"There is no file {path.name} here. Put the export.pkl that learn.export() wrote "
            "beside app.ipynb, or name it with --model."
        )


def _read_head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise UnusableModel(f"{path.name} can't be read: {error.strerror}.") from error


def _check_head(path: Path, head: bytes) -> None:
    """Refuse what people most often have in the place of an export."""
    if not head:
        raise UnusableModel(f"{path.name} is empty: it has 0 bytes. Export or download it again.")
    if head.startswith(b"version https://git-lfs"):
        raise UnusableModel(
            f"{path.name} is only a Git LFS pointer: the model itself was not downloaded. "
            "Run `git lfs install` and then `git lfs pull` in this folder."
        )
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise UnusableModel(
            f"{path.name} is cut short: it has {path.stat().st_size / 1e6:,.1f} MB, and its end is "
            "missing. Download or copy it again."
        )
    if re.match(rb"\s*<(!doctype|html|head)", head, re.IGNORECASE):
        raise UnusableModel(
            f"{path.name} is a web page, saved in the place of the model. On the page you "
            "downloaded it from, use the Download (or Raw) button."
        )


def _references(path: Path, zipped: bool) -> set[str]:
    try:
        pickled = _pickle_in_zip(path) if zipped else _read_capped(path)
        return set(_globals(pickled))
    except UnusableModel:
        raise
    except Exception as error:  # damaged or hostile bytes: whatever pickletools or zipfile raise
        raise UnusableModel(
            f"{path.name} is damaged, cut short, or not an export.pkl at all. "
            "Download or export it again and compare the sizes."
        ) from error


def _read_capped(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_PICKLE_BYTES)


def _pickle_in_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        member = next((m for m in archive.infolist() if m.filename.endswith("/data.pkl")), None)
        if member is None:
            raise UnusableModel(f"{path.name} is a zip file of something else, not an export.pkl.")
        if member.file_size > MAX_PICKLE_BYTES:
            raise UnusableModel(f"{path.name} holds {member.file_size / 1e6:,.0f} MB of objects.")
        with archive.open(member) as file:
            return file.read(MAX_PICKLE_BYTES)


def _globals(pickled: bytes) -> Iterator[str]:
    """Yield each `module.name` that a pickle, or the five of torch's legacy format, imports."""
    at = 0
    for _ in range(LEGACY_PICKLES):
        if pickled[at : at + 1] != b"\x80":
            return
        stream = io.BytesIO(pickled[at:])
        yield from _globals_of_one(stream)
        at += stream.tell()


def _globals_of_one(stream: io.BytesIO) -> Iterator[str]:
    """Yield what one pickle imports, or UNTOLD where its name is not two plain strings in a row."""
    strings: list[str] = []  # pushed just now, one after the other
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        kind = opcode.name
        if kind in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif kind == "STACK_GLOBAL":
            yield ".".join(strings[-2:]) if len(strings) >= 2 else UNTOLD
        if kind == "MEMOIZE" or kind.endswith("PUT"):
            index = len(memo) if argument is None else int(str(argument))
            memo[index] = strings[-1] if strings else UNTOLD
        elif kind.endswith("GET"):
            strings.append(memo.get(int(str(argument)), UNTOLD))
        elif "UNICODE" in kind or "STRING" in kind:
            strings.append(str(argument))
        elif kind != "FRAME":
            strings.clear()


def _architecture(references: tuple[str, ...]) -> str | None:
    """Return the network's class; a module with a leading underscore holds its building blocks."""
    found = [r for home in ARCHITECTURES for r in references if r.startswith(home)]
    return next((r for r in found if "._" not in r), None)
