"""Find photos and what is in them: in folders named by class, or in a table.

In come a folder, or a CSV file, and the model's classes; out go `Labelled` photos, and what was
left out. Raises PhotoNotFound, with what to do, where there are none.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voilearn.errors import PhotoNotFound, printable, shown
from voilearn.limits import LIMITS
from voilearn.no_file import A_FOLDER, no_file
from voilearn.prediction import ModelInfo

ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".ppm", ".pgm"),
)
FILE_COLUMNS = ("file", "fname", "filename", "file_name", "path", "name", "image", "photo", "id")
LABEL_COLUMNS = ("label", "labels", "class", "classes", "tags", "category", "target", "y")
SEPARATORS = (";", "|", ",", " ")  # of several labels in one cell
SEEN = 6  # names that an error lists
MOST_TABLE = 100_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Labelled:
    """A photo's file, and the classes that it shows: one, but for a multi-label model."""

    file: Path
    labels: frozenset[str]

    def read(self) -> bytes:
        """Return its bytes; of one over the limit only so many as show that it is."""
        with self.file.open("rb") as opened:
            return opened.read(LIMITS.bytes + 1)


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos in order of their names; `left_out` counts others by the label that is no class."""

    labelled: tuple[Labelled, ...]
    left_out: Counter[str] = field(default_factory=Counter)


def labelled_photos(where: Path, model: ModelInfo) -> Photos:
    """Return the labelled photos of a folder or a CSV file."""
    if where.suffix.lower() in (".csv", ".tsv"):
        return _in_table(where, model)
    check_is_folder(where, "Name a folder with one in it for each class, or a CSV file.")
    return _in_folders(where, model)


def check_is_folder(where: Path, instead: str) -> None:
    """Raise PhotoNotFound unless there is a folder."""
    there = no_file(str(where), "")
    if there and there[0] == A_FOLDER:
        return
    name = printable(str(where), 80)
    if there:
        raise PhotoNotFound(f"{name} is {there[0]}. {there[1] or instead}")
    if where.exists():
        raise PhotoNotFound(f"{name} is a file. {instead}")
    raise PhotoNotFound(f"There is no folder {name} here. {instead}")


def files_in(folder: Path) -> Iterator[Path]:
    """Yield what is named as a photo in a folder and below, sorted, but what is hidden."""
    for file in sorted(folder.rglob("*")):
        below = file.relative_to(folder).parts
        if file.suffix.lower() in ENDINGS and not any(part.startswith(".") for part in below):
            yield file


def _in_folders(top: Path, model: ModelInfo) -> Photos:
    """Take a photo's class from the nearest folder that is named for one."""
    classes = _by_name(model.classes)
    found, left_out = [], Counter[str]()
    for file in files_in(top):
        folders = file.relative_to(top).parts[:-1]
        named = (_class(folder, classes) for folder in reversed(folders))
        label = next((label for label in named if label is not None), None)
        if label is None:
            left_out["/".join(folders[:1]) or "the folder itself"] += 1
        else:
            found.append(Labelled(file, frozenset([label])))
    if not found:
        there = sorted(each.name for each in top.iterdir() if each.is_dir())
        seen = f"its folders are {_listed(there)}" if there else "it has no folders in it"
        raise PhotoNotFound(
            f"{printable(str(top), 80)} has no photos of the classes {_listed(model.classes)}: "
            f"{seen}. Put the photos of each class into a folder of its name."
        )
    return Photos(tuple(found), left_out)


def _in_table(table: Path, model: ModelInfo) -> Photos:
    rows = _rows(table)
    file_at, label_at, begin = _columns(rows, table)
    classes, found, left_out = _by_name(model.classes), [], Counter[str]()
    absent = 0
    for row in rows[begin:]:
        if len(row) <= max(file_at, label_at):
            continue
        file, told = table.parent / row[file_at].strip(), row[label_at].strip()
        labels = _labels(told, classes, model.task == "multi-label")
        if labels is None:
            left_out[told] += 1
        elif not _is_file(table.parent, row[file_at]):
            absent += 1
        else:
            found.append(Labelled(file, labels))
    if absent:
        left_out["no such file"] += absent
    if not found:
        raise PhotoNotFound(
            f"{shown(table)} names no photo that is here and has a label of the model. Its first "
            f"column that is a file's is number {file_at + 1}, looked for in the folder of the "
            f"table, its labels are in number {label_at + 1}, and the classes are "
            f"{_listed(model.classes)}."
        )
    return Photos(tuple(sorted(found, key=lambda each: str(each.file))), left_out)


def _rows(table: Path) -> list[list[str]]:
    there = no_file(str(table), "Name the table in it.")
    if there:
        raise PhotoNotFound(f"{shown(table)} is {there[0]}. {there[1]}")
    try:
        with table.open("rb") as file:
            text = file.read(MOST_TABLE).decode("utf-8-sig")
        separator = "\t" if table.suffix.lower() == ".tsv" else _separator(text)
        return [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except FileNotFoundError as error:
        raise PhotoNotFound(
            f"There is no file {shown(table)} here. Name a folder of photos, or a table of them."
        ) from error
    except OSError as error:
        raise PhotoNotFound(f"{shown(table)} can't be read: {error.strerror}.") from error
    except (csv.Error, ValueError) as error:
        raise PhotoNotFound(
            f"{shown(table)} is no table in UTF-8 with commas. Save it as CSV (UTF-8)."
        ) from error


def _is_file(folder: Path, cell: str) -> bool:
    try:
        return (folder / cell.strip()).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _separator(text: str) -> str:
    """Return what stands between the cells of the first line: spreadsheets write either."""
    line = text.partition("\n")[0]
    return max(",;\t", key=line.count) if any(map(line.count, ",;\t")) else ","


def _columns(rows: Sequence[Sequence[str]], table: Path) -> tuple[int, int, int]:
    """Return where the files' names and the labels are, and which row is the first."""
    if not rows or max(map(len, rows)) < 2:
        raise PhotoNotFound(
            f"{shown(table)} has no two columns: one of files' names, one of their labels."
        )
    names = [cell.strip().lower() for cell in rows[0]]
    file_at = next((names.index(name) for name in FILE_COLUMNS if name in names), None)
    label_at = next((names.index(name) for name in LABEL_COLUMNS if name in names), None)
    if file_at is not None and label_at is not None:
        return file_at, label_at, 1
    for first in (0, len(rows) - 1):  # a heading names no file, unless there is none
        here = [_is_file(table.parent, cell) for cell in rows[first]]
        if True in here:
            file_at = here.index(True)
            return file_at, 0 if file_at else 1, 0 if first == 0 else 1
    return 0, 1, 0


def _labels(told: str, classes: dict[str, str], several: bool) -> frozenset[str] | None:
    """Return the classes that a cell names; None if it names something else."""
    if (label := _class(told, classes)) is not None:
        return frozenset([label])
    if not several:
        return None
    if not told:
        return frozenset()
    for separator in SEPARATORS:
        parts = [part.strip() for part in told.split(separator) if part.strip()]
        labels = [_class(part, classes) for part in parts]
        if None not in labels:
            return frozenset(label for label in labels if label is not None)
    return None


def _by_name(classes: Iterable[str]) -> dict[str, str]:
    """Return the classes by what folders and tables may write for them."""
    exact = {label: label for label in classes}
    keys = Counter(map(_key, exact))
    return {_key(label): label for label in exact if keys[_key(label)] == 1} | exact


def _class(name: str, classes: dict[str, str]) -> str | None:
    return classes.get(name) or classes.get(_key(name))


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split()) or name


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SEEN:,} more" if len(names) > SEEN else ""
    return ", ".join(printable(name, 40) for name in names[:SEEN]) + more
