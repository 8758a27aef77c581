"""Say what stands at a name where there is no file to read.

In comes what somebody typed; out go what it is, and what to do. Nothing is opened.
"""

import errno
import glob
import re
import shlex
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voilearn.errors import printable

A_FOLDER = "a folder"
STDIN = {"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}
KEEP = "Save what comes from there as a file, and name that."
STANDARD_INPUT = ("standard input, which is not read", KEEP)
AROUND = " \t\r\n\"'`\u2018\u2019\u201c\u201d"  # what gets around a name that is copied or quoted
NOT_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def no_file(name: str, inside: str) -> tuple[str, str] | None:
    """Return what a name stands for, as "a folder", and a sentence of what to do instead.

    `inside` is that sentence for a folder. None means that there is a file, or nothing to be said.
    """
    if not name:
        return "an empty name", "Type the path of a file."
    try:
        mode = Path(name).stat().st_mode
    except FileNotFoundError:
        return _nothing_there(name)
    except ValueError:
        return "no name that a file can have", "Check it."
    except OSError as error:
        too_long = ("a name longer than a file's can be", "Check it.")
        return _address(name) or (too_long if error.errno == errno.ENAMETOOLONG else None)
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return A_FOLDER, inside
    if name in STDIN:
        return STANDARD_INPUT
    return next(((what, KEEP) for is_one, what in NOT_FILES if is_one(mode)), None)


def all_in(folder: str) -> str:
    """Return what to type in a shell for all files in a folder."""
    name = folder.rstrip("/")
    return printable(f"{shlex.quote(name) if name else ''}/*")


def _nothing_there(name: str) -> tuple[str, str] | None:
    path = Path(name)
    if name in STDIN:
        return STANDARD_INPUT
    if address := _address(name):
        return address
    if path.is_symlink():
        return "a link to a file that is not there", "Check the link."
    for meant in (name.strip(AROUND), re.sub(r"\\(.)", r"\1", name.strip(AROUND))):
        if meant and Path(meant).is_file():
            return "the name of no file", f"There is one named {printable(meant)}: type that."
    if name.startswith("~"):
        return "a path whose ~ your shell left as it is", "Type it without quotes."
    return _pattern(name)


def _address(name: str) -> tuple[str, str] | None:
    scheme, colon, rest = name.partition(":")
    scheme = scheme.lower()
    if scheme == "data" and colon:
        return "a data URL, which is a file's contents", "Save them as a file, and name that."
    if not re.fullmatch("[a-z][a-z0-9+.-]+", scheme) or not rest.startswith(("/", "\\")):
        return None
    if scheme == "file":
        return "a file's address", f"Type its path: {printable(unquote(urlsplit(name).path))}"
    return "a web address, which is not opened", "Download the file, and name it."


def _pattern(name: str) -> tuple[str, str] | None:
    if not {"*", "?"} & set(name):
        return None
    if next(glob.iglob(name), None) is None:  # noqa: PTH207  # Path's takes no absolute pattern
        return "a pattern that no file matches", "Check it, and the folder that you are in."
    return (
        "a pattern, which your shell left as it is",
        "Type it without quotes, or name the files one by one.",
    )
