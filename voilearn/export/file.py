"""Tell what is inside a file that is meant to be an export.pkl, running none of it.

In comes a path; out goes an `ExportFile`: what the learner is made of, as records, and whether
Voilearn can open it. A file that is something else is UnusableModel, with what to do instead.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from voilearn.errors import UnusableModel, printable, shown
from voilearn.export import other_files
from voilearn.export.learner import LearnerRecord, read_learner
from voilearn.export.leftovers import other_python, trusting, unknown_references
from voilearn.export.records import DamagedPickle, RefusedPickle, TooMuch, time_limit
from voilearn.export.torch_file import NotFromTorch, TorchFile, read_torch_file
from voilearn.model_file import check_head, check_is_a_file, check_was_begun, sha256_of

# Of this thread's own time, to read the records; and for so many bytes one second more
MAX_SECONDS, BYTES_A_SECOND = 8.0, 100e6
BEGUN_BYTES = 4_000_000  # that are looked through for what else a file may be
# Not waiting for whoever might write into a pipe; O_BINARY is Windows' own.
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What plain reading tells of an export.pkl.

    `format` is torch's container, `zip` or `legacy`; `references` are the `module.name`s that
    opening it the usual way would import, sorted, `other_python` the Python that wrote its
    functions, if it was not this one. `hindrance` says why it can't be opened without
    trusting it, as a sentence, and is None if nothing that was read stands in the way; `opened`
    says that it was opened since, and did.
    """

    path: Path
    size: int
    sha256: str
    format: str
    pickle_bytes: int
    references: tuple[str, ...]
    other_python: str | None
    learner: LearnerRecord
    hindrance: str | None
    opened: bool = False

    @property
    def unknown_references(self) -> tuple[str, ...]:
        """The names that an export is not normally made of: other libraries, and running code."""
        return unknown_references(self.references)

    @property
    def other_bytes(self) -> int:
        """What is neither weights nor the pickle: padding, names, the zip's directory."""
        return self.size - self.learner.network.weight_bytes - self.pickle_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return what `voilearn inspect --json` prints."""
        learner, network = self.learner, self.learner.network
        return {
            "path": str(self.path),
            "size": self.size,
            "sha256": self.sha256,
            "format": self.format,
            "fastai": learner.fastai,
            "task": learner.task,
            "architecture": network.architecture,
            "parameters": network.parameters,
            "layers": dict(network.layers),
            "classes": list(learner.classes),
            "thresholds": list(learner.thresholds),
            "picture_size": learner.picture_size,
            "picture_mode": learner.picture,
            "activation": learner.activation,
            "activation_assumed": learner.assumed,
            "photo_transforms": [str(transform) for transform in learner.photo_transforms],
            "item_transforms": [str(transform) for transform in learner.item_transforms],
            "batch_transforms": [str(transform) for transform in learner.batch_transforms],
            "bytes": {
                "weights": network.weight_bytes,
                "pickle": self.pickle_bytes,
                "other": self.other_bytes,
            },
            "dropped": list(learner.dropped),
            "references": list(self.references),
            "unknown_references": list(self.unknown_references),
            "own_code": list(learner.own_code),
            "other_python": self.other_python,
            "opens": self.hindrance is None,
            "hindrance": self.hindrance,
        }


class Brought(NamedTuple):
    """What unpickling a file would import, as `module.name`s, and which Python wrote its functions.

    `other_python` is None if it was this one, or if there are none.
    """

    references: tuple[str, ...]
    other_python: str | None


def check_first_bytes(path: Path | str) -> None:
    """Raise UnusableModel for what a look at its first kilobyte shows to be no export.pkl.

    It takes no time, so it comes before torch is loaded, which takes seconds.
    """
    with _opened(Path(path)):
        pass


def read_export_file(path: Path | str) -> ExportFile:
    """Read what an export.pkl is made of, without unpickling it.

    Raises UnusableModel, with what to do, for a file that is no export of an image classifier.
    """
    with open_export_file(path) as (export, _):
        return export


@contextmanager
def open_export_file(path: Path | str) -> Iterator[tuple[ExportFile, TorchFile]]:
    """Read an export.pkl and keep it open, so that the network's numbers can be read from it."""
    path = Path(path)
    with _opened(path) as file, _said_of(path, file), _granted_time(file) as size:
        with _sense_made():
            contents = read_torch_file(file)
        with _whole(), _sense_made():
            learner = read_learner(shown(path), contents)
            names = _references(contents)
        sha256 = sha256_of(file)
        note = trusting(contents.pickle)
        export = ExportFile(
            path=path,
            size=size,
            sha256=sha256,
            format=contents.format,
            pickle_bytes=contents.pickle_bytes,
            references=names,
            other_python=other_python(contents.pickle),
            learner=learner,
            hindrance=_advised(shown(path), learner.hindrance, note),
        )
        try:
            yield export, contents
        except RefusedPickle as error:
            raise _refused(shown(path), error, note) from error


def read_brought(path: Path) -> Brought:
    """Return what unpickling a file would import and run; nothing of one that is not read.

    Raises UnusableModel for a file that is no pickle of torch's.
    """
    with _opened(path) as file, _said_of(path, file), _granted_time(file), _sense_made():
        try:
            contents = read_torch_file(file)
            return Brought(_references(contents), other_python(contents.pickle))
        except (TooMuch, RefusedPickle):
            return Brought((), None)


def _references(contents: TorchFile) -> tuple[str, ...]:
    """Return the names in a pickle, and the modules that cloudpickle would import for its code."""
    names = {name.path for name in contents.pickle.globals}
    imports = [made for made in contents.pickle.instances if made.path.endswith(".subimport")]
    modules = {made.args[0] for made in imports if made.args and isinstance(made.args[0], str)}
    return tuple(sorted(names | {printable(module, 80) for module in modules}))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file once: whatever stands at its path later, this one is read to the end.

    What is there in its place, and what its first kilobyte tells of, is refused here.
    """
    check_is_a_file(path)
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is no path"
        raise UnusableModel(f"{shown(path)} can't be read: {reason}.") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableModel(f"{shown(path)} is no file. Name the export.pkl itself.")
        check_head(shown(path), file.read(1024))
        yield file


@contextmanager
def _granted_time(file: BinaryIO) -> Iterator[int]:
    """Limit the time that a file may take to read, by its size in bytes, which it yields."""
    size = os.fstat(file.fileno()).st_size
    with time_limit(MAX_SECONDS + size / BYTES_A_SECOND):
        yield size


@contextmanager
def _said_of(path: Path, file: BinaryIO) -> Iterator[None]:
    """Say of which file it is that something is wrong, and what to do about it."""
    name = shown(path)
    try:
        yield
    except UnusableModel:
        raise
    except NotFromTorch as error:
        if error.root is None and "zip" in str(error):
            raise other_files.of_zip(name, error.names) from error
        raise other_files.of_pickle(name, error.names, error.root) from error
    except RefusedPickle as error:
        raise _refused(name, error) from error
    except DamagedPickle as error:
        file.seek(0)
        begun = file.read(BEGUN_BYTES)
        check_was_begun(name, begun)
        raise other_files.of_unreadable(name, begun) or _unreadable(name, error) from error
    except RecursionError as error:
        raise UnusableModel(f"{name} holds values in values without end.") from error


def _advised(name: str, hindrance: str | None, note: str) -> str | None:
    """Put the file's name before a hindrance, and behind it what stands in trust's way too."""
    if hindrance is None:
        return None
    return f"{name} {hindrance} {note if '--trust' in hindrance else ''}".rstrip()


def _refused(name: str, error: RefusedPickle, note: str = "") -> UnusableModel:
    refused = f"can't be opened: {_bare(str(error))}. {error.advice or other_files.OR_TRUST}"
    return UnusableModel(str(_advised(name, refused, note)))


def _unreadable(name: str, error: DamagedPickle) -> UnusableModel:
    if isinstance(error, TooMuch):
        return UnusableModel(f"{name} can't be read: {_bare(str(error))}. {other_files.TOO_MUCH}")
    return UnusableModel(
        f"{name} is damaged, cut short, or no export.pkl at all ({_bare(str(error))}). "
        "Download or export it again, and compare the sizes."
    )


@contextmanager
def _whole() -> Iterator[None]:
    """Call what is wrong in a file that was read to its end refused, and not damaged."""
    try:
        yield
    except (RefusedPickle, TooMuch):
        raise
    except DamagedPickle as error:
        raise RefusedPickle(str(error)) from error


@contextmanager
def _sense_made() -> Iterator[None]:
    """Turn what records of another shape than expected lead to into what they are: damaged."""
    try:
        yield
    except DamagedPickle:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise DamagedPickle("Its parts make no sense") from error


def _bare(sentence: str) -> str:
    return printable(sentence[:1].lower() + sentence[1:].rstrip("."))
