"""A folder that is written whole, or not at all, and over nothing.

In comes a path; out goes a folder to write into, which is at that path once all is written.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voilearn.errors import CannotBuild, printable

ANOTHER = "Name a folder that is not there yet, or an empty one: nothing is overwritten."


def check_place(folder: Path) -> None:
    """Raise CannotBuild unless there is nothing at a path yet, or an empty folder."""
    with _said(folder):
        if folder.is_dir():
            if names := sorted(path.name for path in folder.iterdir()):
                raise CannotBuild(f"{_shown(folder)} has {_listed(names)} in it already. {ANOTHER}")
        elif os.path.lexists(folder):
            raise CannotBuild(f"{_shown(folder)} is no folder. {ANOTHER}")
        elif not _nearest(folder).is_dir():
            raise CannotBuild(f"{_shown(_nearest(folder))} is no folder. {ANOTHER}")


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a folder for what is half done, whose files are in `folder` in the end.

    Raises CannotBuild, and leaves nothing behind, if that can't be.
    """
    check_place(folder)
    with _said(folder):
        there = folder.is_dir()  # and it stays the same folder, for a user may be in it
        beside = folder if there else _nearest(folder)
        with tempfile.TemporaryDirectory(prefix=".voilearn-new-", dir=beside) as scratch:
            inside = Path("app") if there else _whole(folder).relative_to(beside)
            draft = Path(scratch) / inside
            draft.mkdir(parents=True)
            yield draft
            if there:
                _move_into(folder, draft)
            else:  # with the folders above that are missing, too
                Path(scratch, inside.parts[0]).rename(beside / inside.parts[0])


def _move_into(folder: Path, draft: Path) -> None:
    moved: list[Path] = []
    try:
        for path in sorted(draft.iterdir()):
            if os.path.lexists(folder / path.name):
                raise FileExistsError(0, f"{path.name} came into it meanwhile")
            moved.append(path.rename(folder / path.name))
    except OSError:
        for path in moved:
            path.rename(draft / path.name)
        raise


def _nearest(folder: Path) -> Path:
    """Return the nearest of the folders above that is there."""
    return next(path for path in _whole(folder).parents if os.path.lexists(path))


def _whole(folder: Path) -> Path:
    return Path(os.path.abspath(folder))  # noqa: PTH100  # Path's own keeps what goes up again


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotBuild(
            f"Nothing can be written to {_shown(folder)}: {error.strerror}. Name another folder."
        ) from error


def _shown(folder: Path) -> str:
    return printable(str(folder), 200)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 2:,} more" if len(names) > 2 else ""
    return printable(", ".join(names[:2]), 100) + more
