"""Have a service give the answers: a `Classify` that needs neither torch nor fastai.

In comes a model's path; out goes the function from a photo's bytes to the Prediction of a service
somewhere else, or of this machine's own, which is joined or started.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from voilearn.client.remote import Gone, Lost, Remote
from voilearn.errors import (
    ServiceNotReady,
    ServiceUnreachable,
    UnusableModel,
    VoilearnError,
    error_of,
    shown,
)
from voilearn.model_file import check_is_a_file, model_sha256
from voilearn.prediction import Classify, Prediction
from voilearn.runtime_folder import LISTENING, Entry, RuntimeFolder

IDLE = 600.0  # seconds without a photo, after which the machine's own service ends
START_SECONDS = 60.0  # until a service that was started listens
END_SECONDS = 5.0  # until one that could not has ended
MOST_JOINED = 5  # services that one photo is brought to, all of them ending under its hands
_Stamp = tuple[tuple[int, int, int], ...]


def connect(model: Path | str = "export.pkl") -> Classify:
    """Return the function from a photo's bytes to a Prediction by a service.

    The service is the one at `VOILEARN_URL`, with the token `VOILEARN_TOKEN`; without that, this
    machine's own for the file `model`, which is started if there is none, and again if it ended.
    The function may be called from several threads, and raises what the model would, and
    ServiceErrors. Raises ServiceUnreachable for an address that is none, UnusableModel for a file
    that is no model, UnusableFolder if the machine's services can't be looked for.
    """
    if url := os.environ.get("VOILEARN_URL"):
        return Remote(url, os.environ.get("VOILEARN_TOKEN"))
    return LocalModel(Path(model))


class LocalModel:
    """The machine's own service for a model file, as a `Classify`."""

    def __init__(self, model: Path, idle: float = IDLE) -> None:
        check_is_a_file(model)
        self._model, self._idle = model.absolute(), idle  # a link may come to point elsewhere
        self._folder = RuntimeFolder()
        self._turn = threading.Lock()
        self._joined: tuple[Entry, Remote] | None = None
        self._stamp: _Stamp = ()
        self._join()

    def __call__(self, photo: bytes) -> Prediction:
        """Return the service's Prediction; if it has ended, start it again and ask once more."""
        self._check_still_ours()
        asked, joined = 0, 0
        while True:
            entry, remote = self._join()
            joined += 1
            try:
                return remote(photo)
            except Gone as error:
                self._forget(entry)
                asked += isinstance(error, Lost)  # the photo itself may have ended it
                if asked == 2 or joined == MOST_JOINED:
                    raise

    def current(self) -> str | None:
        """Return the SHA-256 of the export.pkl in service, or None if none is running."""
        joined = self._joined
        return joined[1].current() if joined else None

    def _join(self) -> tuple[Entry, Remote]:
        """Return this machine's service for the file, started if there was none."""
        with self._turn:
            if self._joined is None:
                self._stamp = _stamp(self._model)
                self._joined = self._found()
            if self._joined is None:
                with self._folder.lock():
                    self._joined = self._found() or self._started()
            return self._joined

    def _found(self) -> tuple[Entry, Remote] | None:
        """Return a living service that watches this very file, or has one that is the same."""
        entries = [entry for entry in self._folder.entries() if entry.error is None]
        own = [entry for entry in entries if entry.model == str(self._model)]
        others = [entry for entry in entries if entry not in own]
        if (found := self._living(own)) or not others:
            return found
        sha256 = _sha256(self._model)
        return self._living([entry for entry in others if entry.file_sha256 == sha256])

    def _living(self, entries: list[Entry]) -> tuple[Entry, Remote] | None:
        """Return the first of some services that is alive, and forget those that are not."""
        for entry in entries:
            remote = Remote(entry.url, entry.token, prove=True)
            if remote.alive():
                return entry, remote
            self._folder.remove(entry)
        return None

    def _started(self) -> tuple[Entry, Remote]:
        """Start the service, in a process that outlives this one; the folder is locked."""
        command = ["-m", "voilearn.service.this_machine", str(self._model), str(self._folder.path)]
        try:
            with self._folder.log() as log:
                process = subprocess.Popen(  # noqa: S603  # this Python, this package
                    [sys.executable, *command, str(self._idle)],
                    cwd=self._folder.path,  # where no file of a notebook is taken for a module
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise ServiceUnreachable(
                f"The model's service can't be started: {error.strerror}. Close other programs on "
                "this machine, and try again."
            ) from error
        try:
            line = _first_line(process)
            if line != LISTENING:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)
                raise _failure(line)
        except BaseException:
            process.kill()
            process.wait()
            raise
        # Waited for, so that it is no zombie when it has ended.
        threading.Thread(target=process.wait, name="waits for the service", daemon=True).start()
        if (found := self._found()) is None:
            raise ServiceUnreachable("The model's service ended at once. Please try again.")
        return found

    def _forget(self, entry: Entry) -> None:
        """Let go of a service that is gone; raise why, if it told that its model is no good."""
        with self._turn:
            if self._joined and self._joined[0].token == entry.token:
                self._joined = None
        for each in self._folder.entries():
            if each.token == entry.token and each.error:
                raise error_of(*each.error)

    def _check_still_ours(self) -> None:
        """Leave a service of another file that was the same, once one of them is another.

        The service of this very file watches it by itself.
        """
        joined = self._joined
        if joined is None or joined[0].model == str(self._model):
            return
        if joined[0] not in self._folder.entries() or _stamp(self._model) != self._stamp:
            with self._turn:
                self._joined = None


def _first_line(process: "subprocess.Popen[bytes]") -> str:
    """Return the line by which a service tells how it began; "" if it ended without a word.

    Whatever is raised, it comes before the pipe is closed: that would wait for the line.
    """
    lines: list[bytes] = []
    stdout = process.stdout
    assert stdout is not None  # noqa: S101  # it was asked for

    def read() -> None:
        with stdout:
            lines.append(stdout.readline())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(START_SECONDS)
    if reader.is_alive():
        raise ServiceNotReady("The model's service does not begin. Please try again.")
    return lines[0].decode(errors="replace").strip() if lines else ""


def _failure(line: str) -> VoilearnError:
    try:
        return error_of(*json.loads(line))
    except (ValueError, TypeError):
        return ServiceUnreachable(
            "The model's service could not be started. Start it in a shell to see why: "
            "python -m voilearn serve."
        )


def _environment() -> dict[str, str]:
    """Return the environment of the service: this package is found, and no other service."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {k: v for k, v in os.environ.items() if k not in ("VOILEARN_URL", "VOILEARN_TOKEN")}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}


def _sha256(file: Path) -> str:
    check_is_a_file(file)
    try:
        return model_sha256(file)
    except OSError as error:
        raise UnusableModel(f"{shown(file)} can't be read: {error.strerror}.") from error


def _stamp(model: Path) -> _Stamp:
    """Tell one state of a model's files from another, without reading them."""
    found = []
    for file in (model, model.with_suffix(".json")):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
