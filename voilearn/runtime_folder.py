"""Keep the addresses of this machine's own services where only their user can read them.

In comes what a service has to be found by; out go the entries of a folder of the user's own: a
service's address, its token, and the model file that it watches.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from voilearn import __version__
from voilearn.errors import ServiceNotReady, UnusableFolder

LISTENING = "listening"  # what a service says when it has written its entry
LOG_BYTES = 1_000_000  # from which on it is begun anew
ENTRY_BYTES = 100_000
OF_THIS_MACHINE = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
# Neither through a link, nor waiting where nobody writes.
READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
LOCK_SECONDS = 60.0  # a service that starts is listening long before


@dataclass(frozen=True, slots=True)
class Entry:
    """One service. `model` is the path of its file; `error` says why it ended, if it failed."""

    url: str
    token: str
    model: str
    file_sha256: str
    version: str = __version__
    error: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The name of its file: what it answers with, and of which release it is."""
        told = f"{self.file_sha256} {self.version}"
        return hashlib.sha256(told.encode()).hexdigest()[:32] + ".json"


class RuntimeFolder:
    """The folder, made if need be: `XDG_RUNTIME_DIR/voilearn`, or one in the temporary folder.

    Raises UnusableFolder, with what to do, if it can't be made or written, or if others could read
    it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _usual()
        with self._clear_errors():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check(self.path.lstat())

    def entries(self) -> list[Entry]:
        """Return all entries of this release, also of services that have ended since."""
        with self._clear_errors():
            files = sorted(self.path.glob("*.json"))
        found = [entry for file in files if (entry := _read(file))]
        return [entry for entry in found if entry.version == __version__]

    def write(self, entry: Entry) -> None:
        """Write an entry in the place of an older one of that name, in one step."""
        part = self.path / f"{entry.name}.{os.getpid()}.part"
        with self._clear_errors():
            try:
                part.unlink(missing_ok=True)  # of a process of this number that was killed
                file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(file, "w") as writing:
                    json.dump(asdict(entry), writing)
                part.replace(self.path / entry.name)
            except OSError:
                part.unlink(missing_ok=True)
                raise

    def remove(self, entry: Entry) -> None:
        """Remove an entry, unless another service has taken its name."""
        file = self.path / entry.name
        with contextlib.suppress(OSError):
            if (there := _read(file)) and there.token == entry.token:
                file.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time look for a service and start one."""
        from filelock import FileLock, Timeout  # what asks a service elsewhere needs none

        with self._clear_errors():
            lock = FileLock(self.path / "lock", mode=0o600)
            try:
                lock.acquire(timeout=LOCK_SECONDS)
            except Timeout:
                raise ServiceNotReady(
                    "Another page has been starting the model for a minute. Please try again."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def log(self) -> BinaryIO:
        """Open the file for what the services tell; nothing of photos is in it."""
        file = self.path / "services.log"
        with self._clear_errors():
            full = file.exists() and file.stat().st_size > LOG_BYTES
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if full else 0)
            return os.fdopen(os.open(file, mode, 0o600), "ab")

    def _check(self, found: os.stat_result) -> None:
        if sys.platform == "win32":  # the temporary folder is the user's own
            return
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise UnusableFolder(
                f"{self.path} is not a folder of this user's own. Remove it, or name a folder of "
                "yours in XDG_RUNTIME_DIR."
            )
        if found.st_mode & 0o077:
            self.path.chmod(0o700)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnusableFolder(
                f"The folder {self.path}, where this machine's model services are found, can't be "
                f"used: {error.strerror}. Make room on the disk, or name another folder in "
                "XDG_RUNTIME_DIR."
            ) from error


def _usual() -> Path:
    if (given := os.environ.get("XDG_RUNTIME_DIR")) and Path(given).is_dir():
        return Path(given).absolute() / "voilearn"
    user = f"-{os.geteuid()}" if hasattr(os, "geteuid") else ""
    try:
        return Path(tempfile.gettempdir()) / f"voilearn{user}"
    except FileNotFoundError as error:
        raise UnusableFolder(
            "There is no temporary folder that can be written, where this machine's model services "
            "are found. Name a folder of yours in XDG_RUNTIME_DIR."
        ) from error


def _read(file: Path) -> Entry | None:
    """Return the entry in a file, or None if there is no good one."""
    try:
        with os.fdopen(os.open(file, READ)) as reading:
            told = json.loads(reading.read(ENTRY_BYTES))
        error = told.pop("error", None)
        entry = Entry(**told, error=tuple(error) if error else None)
        texts = [entry.url, entry.token, entry.model, entry.file_sha256, entry.version]
        texts += entry.error or ("", "")
        well = all(isinstance(text, str) for text in texts) and len(texts) == 7
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return entry if well and OF_THIS_MACHINE.fullmatch(entry.url) else None
