"""Keep a model file in service: notice that it was replaced, and swap the model without a pause.

In comes the path of a model file; out goes a `Classify` of what is there. The service looks, and
not its clients: so an upgrade is one load for all pages. A new file is loaded beside the model that
answers, and tried; one that is no good is told of, and the old one goes on.
"""

import gc
import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from voilearn.classifier import Classifier
from voilearn.compiled import kept
from voilearn.errors import UnusableModel, VoilearnError
from voilearn.machine import is_mounted_alone, trim
from voilearn.model import Runtime, keep_form, kept_form, load_classify
from voilearn.model_file import model_files, model_sha256
from voilearn.prediction import Prediction

LOOK_SECONDS = 1.0  # between two looks at the file; it is read once two of them saw the same
MOUNTED_ALONE = (
    "%s is mounted by itself, so a new model that is moved to its place is not seen: mount the "
    "folder that it is in"
)

log = logging.getLogger(__name__)

# What tells one state of a file from another, without reading it: inode, size, time of change.
Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """A model that answers, and since when; `file_sha256` is the `model_sha256` of its file."""

    classify: Classifier
    file_sha256: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A model file that was not taken into service, and why."""

    reason: VoilearnError
    at: datetime


class LiveModel:
    """The model in a file, whichever is there. It is itself a `Classify`, once loaded."""

    def __init__(
        self,
        path: Path,
        trust: bool = False,
        fold: bool = False,
        runtime: Runtime | None = None,
        scope: bool = True,
    ) -> None:
        self.path = path
        self.served: Served | None = None
        self.refused: Refused | None = None
        self.swaps = self.refusals = 0
        self._trust, self._fold, self._runtime, self._scope = trust, fold, runtime, scope
        self._awaited = ""  # the hash of the model whose compiled form is being made
        self._settled: Stamp = ()  # what was loaded, or refused
        self._seen: Stamp = ()
        self._stop = threading.Event()
        self._swapped: list[Callable[[Served], None]] = []
        self._answered: list[Callable[[bytes, Prediction], None]] = []

    def __call__(self, photo: bytes) -> Prediction:
        """Return the Prediction of the model that is in service now."""
        served = self.served
        if served is None:
            raise UnusableModel("The model is not loaded yet.")
        prediction = served.classify(photo)
        for told in self._answered:
            told(photo, prediction)
        return prediction

    def on_swap(self, told: Callable[[Served], None]) -> None:
        """Have a function called after each model that is taken into service, the first too."""
        self._swapped.append(told)

    def on_answer(self, told: Callable[[bytes, Prediction], None]) -> None:
        """Have a function called after each photo that was answered; it must not wait."""
        self._answered.append(told)

    def load(self) -> None:
        """Load the model for the first time; it has given an answer then.

        Raises UnusableModel, with what to do, if the file can't be used.
        """
        self._settled = self._seen = self._stamp()
        self._take(*self._read())

    def watch(self, seconds: float = LOOK_SECONDS) -> None:
        """Look at the file from now on, in a thread of its own, until `close`."""

        def watching() -> None:
            while not self._stop.wait(seconds):
                self.look()

        if any(is_mounted_alone(file) for file in self._files()):
            log.warning(MOUNTED_ALONE, self.path.name)
        threading.Thread(target=watching, name="watcher", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()

    def look(self) -> None:
        """Look once: take into service a new model that has not changed since the last look."""
        stamp = self._stamp()
        still, self._seen = stamp == self._seen, stamp
        if self._awaited and kept.is_there(self._awaited):
            self._take_form()
        if not still or stamp == self._settled or None in stamp:
            return
        try:
            if self.served and model_sha256(self.path) == self.served.file_sha256:
                self._settled, self.refused = stamp, None  # the same model, copied anew
                return
            classify, sha256 = self._read()
            if self._stamp() != stamp:
                return  # it changed under the reading: another look will tell
            self._settled = stamp
            self._take(classify, sha256)
        except Exception as error:  # noqa: BLE001  # whatever it is, the old model goes on
            if self._stamp() == stamp:
                self._settled = stamp
                self._refuse(error)

    def _read(self) -> tuple[Classifier, str]:
        """Load the file, have it answer a photo, and return it with its hash."""
        sha256 = model_sha256(self.path) if self.path.is_file() else ""
        classify = load_classify(self.path, self._trust, self._fold, self._runtime, self._scope)
        _warm(classify)
        return classify, sha256

    def _take(self, classify: Classifier, sha256: str) -> None:
        first = self.served is None
        self.served = Served(classify, sha256, datetime.now(UTC))
        self.refused = None
        self.swaps += not first
        info = classify.info
        log.info(
            "the model is loaded" if first else "the model was replaced",
            extra={"model": info.name, "sha256": info.sha256, "runtime": classify.runtime},
        )
        for told in self._swapped:
            told(self.served)
        begun = not self._trust and keep_form(self.path, classify, self._runtime)
        self._awaited = info.sha256 if begun else ""
        del classify
        gc.collect()  # a learner holds on to itself
        trim()

    def _take_form(self) -> None:
        """Have the model in service answer by its compiled form, which was made meanwhile."""
        served, self._awaited = self.served, ""
        try:
            form = kept_form(self.path, self._fold, self._scope)
            if form is None or served is None or form.info != served.classify.info:
                return  # it was not good enough, or the file is another one now
            _warm(form)
        except VoilearnError:
            return
        self.served = replace(served, classify=form)
        log.info("the compiled form answers from now on", extra={"runtime": form.runtime})
        del served
        gc.collect()
        trim()

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, VoilearnError):
            log.exception("a bug ended the loading of a new model")
            error = UnusableModel(f"{self.path.name} can't be loaded: {type(error).__name__}.")
        self.refused = Refused(error, datetime.now(UTC))
        self.refusals += 1
        log.error("a new model was refused, the old one goes on", extra={"reason": str(error)})

    def _files(self) -> list[Path]:
        return model_files(self.path)

    def _stamp(self) -> Stamp:
        return tuple(_stamp(file) for file in self._files())


def _warm(classify: Classifier) -> None:
    if classify.size:  # else it may know photos of one size only
        classify(_photo())


def _photo() -> bytes:
    """Return a small grey JPEG."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(file, "JPEG")
    return file.getvalue()


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def utc(moment: datetime) -> str:
    """Write a moment as RFC 3339 does, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
