"""Find the photos that somebody named in a shell.

In come names: of files, of folders, patterns that the shell left as they are, and "-" for standard
input; out go `Photo`s in their order, found only as they are asked for. Of a folder all names are
kept while it is gone through, for they are sorted; nothing else is.
"""

import errno
import glob
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voilearn.errors import PhotoNotFound, PhotoTooLarge
from voilearn.kinds import HEAD, is_picture
from voilearn.limits import LIMITS, check_size
from voilearn.no_file import STDIN, all_in, no_file

# A file of such a name in a folder is meant as a photo: one that is none is told of.
ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm"),
)
LOOK_SECONDS = 0.5  # at least, between two looks; a file is read once two of them saw the same

_Stamp = tuple[int, int]  # of a file: its size, and when it was changed


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that was named; `error` is why there is none."""

    name: str
    error: PhotoNotFound | None = None

    def read(self) -> bytes:
        """Return its bytes; of one over the limit only so many as show that it is.

        Raises PhotoNotFound, EmptyPhoto or PhotoTooLarge.
        """
        if self.error:
            raise self.error
        return _standard_input() if self.name in STDIN else _file(self.name)


def named(names: Iterable[str]) -> Iterator[Photo]:
    """Yield all photos that are named: of a folder those in it and below, of a pattern all.

    A folder with no photo, and one that can't be read, is a Photo with an error.
    """
    for typed in names:
        for name in _matching(typed):
            if name not in STDIN and os.path.isdir(name):  # noqa: PTH112  # no name is an error
                yield from _in_folder(name)
            else:
                yield Photo(name)


def _matching(typed: str) -> list[str]:
    """Return what a pattern stands for, sorted; anything else as it is."""
    if not {"*", "?"} & set(typed) or os.path.lexists(typed):
        return [typed]
    exact = typed.replace("[", "[[]")  # as Windows has it: a folder may be named so
    found = glob.glob(typed) or glob.glob(exact)  # noqa: PTH207  # Path's takes no absolute one
    return sorted(found) or [typed]


def _in_folder(top: str) -> Iterator[Photo]:
    empty, waiting = True, [top]
    while waiting:
        folder = waiting.pop()
        try:
            folders, files = _names_in(folder)
        except OSError as error:
            reason = f"This folder can't be read: {error.strerror}. Check that you may read it."
            empty = False
            yield Photo(folder, PhotoNotFound(reason))
            continue
        waiting += reversed(folders)
        for file in files:
            if _is_photo(file):
                empty = False
                yield Photo(file)
    if empty:
        yield Photo(top, PhotoNotFound("There is no photo in this folder. Name one that has some."))


def _names_in(folder: str) -> tuple[list[str], list[str]]:
    """Return the paths of the folders in a folder, and of all else, but what is hidden.

    A link to a folder is neither: it may lead back here.
    """
    folders, files = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                files.append(entry.path)
            elif not entry.is_symlink() and not getattr(entry, "is_junction", bool)():
                folders.append(entry.path)
    return sorted(folders), sorted(files)


def _is_photo(path: str) -> bool:
    """Say whether a file in a folder is meant as a photo, by its name or else by its beginning."""
    meant = path.lower().endswith(ENDINGS)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return False
    except OSError:  # a link to nowhere
        return meant
    return meant or is_picture(_head(path))


def _head(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _file(name: str) -> bytes:
    if found := no_file(name, f"Name the photos in it: {all_in(name)}"):
        what, instead = found
        raise PhotoNotFound(f"This is {what}. {instead}")
    path = Path(name)
    try:
        check_size(path.stat().st_size)
        with path.open("rb") as file:
            return file.read(LIMITS.bytes + 1)
    except OSError as error:
        reason = "there is no such file" if error.errno == errno.ENOENT else error.strerror
        raise PhotoNotFound(
            f"This photo can't be read: {reason}. Check its path, and that you may read it."
        ) from error


def _standard_input() -> bytes:
    """Read standard input to its end, past Python's own buffer, whose lock outlives a Ctrl-C."""
    if sys.stdin is None or sys.stdin.isatty():
        raise PhotoNotFound(
            "Nothing comes on standard input. Send a photo there: voilearn classify - < photo.jpg"
        )
    try:
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as file:
            data = bytearray()
            while len(data) <= LIMITS.bytes and (piece := file.read(1 << 20)):
                data += piece
    except OSError as error:
        reason = f"Standard input can't be read: {error.strerror}. Save the photo as a file."
        raise PhotoNotFound(reason) from error
    if len(data) > LIMITS.bytes:
        raise PhotoTooLarge(
            f"More than {LIMITS.bytes / 1e6:,.0f} MB came on standard input, which is the limit. "
            "Please send a smaller version of the photo."
        )
    return bytes(data)


def watched(names: Iterable[str]) -> Iterator[Photo]:
    """Yield each photo that comes into folders or is changed there from now on, for ever.

    One is read when two looks saw the same size and time of change: then it is all there. Raises
    PhotoNotFound for a name that is no folder's.
    """
    folders = list(names)
    for name in folders:
        if not Path(name or "?").is_dir():
            raise PhotoNotFound("Only a folder is watched: name one that photos will come into.")
    return _watched(folders)


def _watched(folders: list[str]) -> Iterator[Photo]:
    before = _stamps(folders)
    answered, pause = dict(before), LOOK_SECONDS
    while True:
        time.sleep(pause)
        began = time.monotonic()
        now = _stamps(folders)
        pause = max(LOOK_SECONDS, 9 * (time.monotonic() - began))  # a tenth of the time, at most
        answered = {name: stamp for name, stamp in answered.items() if name in now}
        for name, stamp in now.items():
            if stamp == before.get(name) and stamp != answered.get(name):
                answered[name] = stamp
                yield Photo(name)
        before = now


def _stamps(folders: list[str]) -> dict[str, _Stamp]:
    """Return what tells one state from another of each photo in folders."""
    found = {}
    for folder in folders:
        for photo in _in_folder(folder):
            with suppress(OSError):  # it has gone since it was seen
                if not photo.error:
                    file = Path(photo.name).stat()
                    found[photo.name] = file.st_size, file.st_mtime_ns
    return found
