"""Keep the compiled form of each export.pkl, so that nobody waits for fastai twice.

In comes an export.pkl; out goes the export.onnx that was made of this very file before, or the
reason why there is none. Where there is neither, the learner answers, and `begin` has the form made
by a process of low priority, which outlives whoever began it:

    python -m voilearn.compiled.kept export.pkl

The forms lie in the user's cache folder, each in a folder named by its file's SHA-256 and this
release, and are looked through like any export.onnx. Who could write there could put another
model in their place, so nothing is taken from a folder that others may write; and as caches are
shared, restored and mounted, each form is sealed with a key that lies elsewhere, which this user
alone can read. A form is kept only if it is as good as the learner (`CLOSE`), which is more than is
asked of one that somebody compiles for a device; a file that has none is remembered, with the
reason.
"""

import contextlib
import errno
import hashlib
import hmac
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voilearn import __version__
from voilearn.compiled.description import Compiled, read_compiled
from voilearn.compiled.onnx_file import check_onnx_file
from voilearn.errors import UnusableModel, VoilearnError, shown
from voilearn.machine import free_memory
from voilearn.model_file import file_sha256
from voilearn.users_folders import cache_folder, data_folder

if TYPE_CHECKING:
    from filelock import FileLock

CLOSE = 0.005  # the most that a probability may differ from the learner's
FORM = 2  # of what is kept: one that gives what a scope is told by
TRIES = 3  # that end without a word, as for want of memory, before no more are made
MAKERS = ("onnxruntime", "onnx", "onnxscript", "fastai")  # the packages that a form is made with
MEMORY, EACH_BYTE = 1_000_000_000, 8  # bytes: to compile, and more for each of the file
LOCK_SECONDS = 900.0  # while another model is compiled
MADE, TOLD, SEAL = "export.onnx", "export.json", "seal"
REFUSED, TRIED, MAKING = "refused.json", ".tries", ".making-"
KEY_BYTES = 32
UNUSED_SECONDS = 90 * 24 * 3600  # after which a form goes, when another comes


@dataclass(frozen=True, slots=True)
class Kept:
    """The compiled form of an export.pkl: its export.onnx, and what the export.json says."""

    file: Path
    compiled: Compiled

    def to_dict(self) -> dict[str, Any]:
        """Return what `voilearn inspect --json` prints of it."""
        return {"agreement": asdict(self.compiled.agreement), "hindrance": None}

    def __str__(self) -> str:
        """Write it as `voilearn inspect` does."""
        return f"kept here, and answers: {self.compiled.agreement}"


@dataclass(frozen=True, slots=True)
class NotKept:
    """Why an export.pkl has no compiled form, as a sentence."""

    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `voilearn inspect --json` prints of it."""
        return {"agreement": None, "hindrance": self.reason}

    def __str__(self) -> str:
        """Write it as `voilearn inspect` does."""
        return f"none, the learner answers: {self.reason}"


def look(sha256: str) -> Kept | NotKept | None:
    """Return what is kept of the export.pkl of that hash; None if nothing is, or nothing good."""
    folder = _folder(sha256)
    if folder is None or not all(map(_is_own, (folder.parents[1], folder.parent, folder))):
        return None
    try:
        if (reason := _refusal(folder)) is not None:
            return NotKept(reason)
        file = folder / MADE
        if not _is_sealed(folder):
            return None
        check_onnx_file(file)
        compiled = read_compiled(file)  # whose hashes of both files are under the seal
    except (UnusableModel, OSError):
        return None
    if compiled.model.sha256 != sha256 or not _is_close(compiled):
        return None
    with contextlib.suppress(OSError):  # on a disk that is read only
        os.utime(folder)
    return Kept(file, compiled)


def is_there(sha256: str) -> bool:
    """Say whether `look` may find something: one look at the disk, for who waits for it."""
    folder = _folder(sha256)
    return folder is not None and folder.is_dir()


def begin(path: Path) -> bool:
    """Begin to make the form of an export.pkl, in another process; say whether that was begun.

    It is not where the compiler is not installed, where it would leave too little memory, where
    nothing can be written, or where it is known that the file has none.
    """
    try:
        sha256, size = file_sha256(path), path.stat().st_size
    except OSError:
        return False
    if not all(find_spec(name) for name in MAKERS) or look(sha256) is not None:
        return False
    needed, free = MEMORY + EACH_BYTE * size, free_memory()
    if free is not None and free < needed:
        return False
    try:
        root = _own_root()
        if root is None or shutil.disk_usage(root).free < 4 * size:
            return False
        _start(path.absolute(), root)
    except OSError:
        return False
    return True


def make(path: Path) -> Kept | NotKept:
    """Make the form of an export.pkl, if nobody else has; return it, or why there is none.

    Raises UnusableModel if the file can't be used at all, or nothing can be written, and nothing is
    remembered then.
    """
    try:
        root = _own_root()
        if root is None:
            raise UnusableModel("This user has no cache folder that nobody else may write.")
        sha256 = file_sha256(path)
        with _lock(root):
            for left in root.glob(f"{MAKING}*"):  # by one that was killed
                shutil.rmtree(left, ignore_errors=True)
            return look(sha256) or _made(path, sha256, root)
    except OSError as error:
        raise UnusableModel(f"{shown(path)} can't be compiled: {error.strerror}.") from error


def _made(path: Path, sha256: str, root: Path) -> Kept | NotKept:
    tried = root / f"{_name(sha256)}{TRIED}"
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=root) as room:
        form = Path(room) / "form"
        form.mkdir(mode=0o700)
        reason: str | None
        if _tries(tried) >= TRIES:
            reason = f"Compiling it was begun {TRIES} times and never ended: is there memory?"
        else:
            tried.write_text(str(_tries(tried) + 1))
            reason = _compile(path, sha256, form)
        if reason is None:
            (form / SEAL).write_text(_seal(form, _own_key()))
        else:
            (form / REFUSED).write_text(json.dumps({"reason": reason}))
        place = root / _name(sha256)
        if place.exists() or place.is_symlink():  # no good, or it would have been found
            place.rename(Path(room) / "old")
        form.rename(place)
    tried.unlink(missing_ok=True)
    for other in root.iterdir():
        if other.is_dir() and time.time() - other.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return look(sha256) or NotKept("What was compiled can't be read again.")


def _compile(path: Path, sha256: str, form: Path) -> str | None:
    """Compile into a folder; return why what came out is not good enough, if so."""
    from voilearn.compiled.compile import compile_learner

    try:
        compiled = compile_learner(path, form, kept=True)
    except UnusableModel as error:
        if isinstance(error.__cause__, OSError):  # of the disk, and not of the model
            raise
        return str(error)
    if compiled.model.sha256 != sha256:
        raise UnusableModel(f"{shown(path)} changed while it was compiled.")
    if _is_close(compiled):
        return None
    for file in form.iterdir():
        file.unlink()
    return f"The compiled model is not as good as the learner: {compiled.agreement}."


def _is_close(compiled: Compiled) -> bool:
    found = compiled.agreement
    return found.labels == found.pictures and found.max_difference <= CLOSE


def _seal(form: Path, key: bytes) -> str:
    return hmac.new(key, (form / TOLD).read_bytes(), hashlib.sha256).hexdigest()


def _is_sealed(form: Path) -> bool:
    """Say whether a form was made by this user. Raises OSError if it has no seal."""
    key = _key()
    return key is not None and hmac.compare_digest(_seal(form, key), (form / SEAL).read_text())


def _key() -> bytes | None:
    """Return the key of this user's seals; None if there is none, or not of this user alone."""
    folder = data_folder()
    if folder is None or not _is_own(folder):
        return None
    if not _is_own(folder / "key", stat.S_ISREG, others=0o077):
        return None
    key = (folder / "key").read_bytes()
    return key if len(key) == KEY_BYTES else None


def _own_key() -> bytes:
    """Return the key, made anew if there is none that is good. Raises OSError if it can't be."""
    if (key := _key()) is not None:
        return key
    folder, key = data_folder(), secrets.token_bytes(KEY_BYTES)
    if folder is None:
        raise FileNotFoundError(errno.ENOENT, "this user has no home")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "key"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
        writing.write(key)
    return key


def _refusal(folder: Path) -> str | None:
    try:
        told = json.loads((folder / REFUSED).read_text())
        return str(told["reason"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise UnusableModel(f"{shown(folder / REFUSED)} is damaged.") from error


def _tries(file: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text())
    return 0


def _name(sha256: str) -> str:
    return f"{sha256}-{__version__}-{FORM}"


def _folder(sha256: str) -> Path | None:
    """Return where the form of a file is or would be; None where no user has a folder."""
    root = _root()
    return root and root / _name(sha256)


def _root() -> Path | None:
    caches = cache_folder()
    return caches and caches / "compiled"


def _own_root() -> Path | None:
    """Return the folder for all forms, made if need be; emptied first, if others could write it."""
    root = _root()
    if root is None:
        return None
    root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_own(root.parent):  # of another user, as for root by sudo: nothing in it is ours
        return None
    if root.exists() and not _is_own(root):
        shutil.rmtree(root)
    root.mkdir(mode=0o700, exist_ok=True)
    return root


def _is_own(path: Path, is_kind: Callable[[int], bool] = stat.S_ISDIR, others: int = 0o022) -> bool:
    """Say whether a path is there, is no link, and is this user's; without the bits `others`."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if not is_kind(found.st_mode):
        return False
    if sys.platform == "win32":  # the folder is below the user's own
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & others


def _lock(root: Path) -> "FileLock":
    from filelock import FileLock

    return FileLock(root / "lock", mode=0o600, timeout=LOCK_SECONDS)


def _start(path: Path, root: Path) -> None:
    """Start the process that makes a form. Raises OSError if it can't be."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    lowest = 0
    if sys.platform == "win32":
        lowest = subprocess.IDLE_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
    subprocess.Popen(  # noqa: S603  # this Python, this package
        [sys.executable, "-m", "voilearn.compiled.kept", str(path)],
        cwd=root,  # where no file of a notebook is taken for a module
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=lowest,
    )


def _give_way() -> None:
    """Let every other process come first; and if memory runs out, let this one end."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(model: str) -> int:
    """Make the form of a file, and say how that went; return 0 if there is one."""
    _give_way()
    try:
        found = make(Path(model))
    except (VoilearnError, ImportError, TimeoutError) as error:
        print(f"{model} has no compiled form: {error}", file=sys.stderr)
        return 1
    if isinstance(found, NotKept):
        print(f"{model} has no compiled form: {found.reason}", file=sys.stderr)
        return 1
    print(f"{model} is compiled: {found.compiled.agreement}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
