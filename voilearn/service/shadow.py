"""Ask a second model about a share of the photos, and count how often it says something else.

In come photos that the model in service has answered, with its answers; out go counts. Nobody waits
for it: it has a thread of its own, which gives way to all others, and one photo at a time; what
comes meanwhile is left out. Its answers are shown to nobody, and no photo is kept.
"""

import contextlib
import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Full, Queue

from voilearn.classifier import Classifier
from voilearn.model import load_classify
from voilearn.prediction import Prediction

OUTCOMES = ("same", "different", "failed", "skipped")
BOUNDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the probabilities that are counted
NICE = 5  # not more: it may hold Python's lock, and all wait for that

log = logging.getLogger(__name__)


class Shadow:
    """A model beside the one in service. `share` of the photos are shown to it, from 0 to 1.

    `outcomes` counts photos: `same` where both models gave the same labels, `different` where they
    did not, `failed` where this one gave no answer, and `skipped` where it was busy with another.
    `distances` counts the answers by the largest difference of a class's probability, each under
    the lowest of BOUNDS that holds it; `distance` is the sum of these differences.
    """

    def __init__(self, path: Path, share: float) -> None:
        self.path, self.share = path, share
        self.classify: Classifier | None = None
        self.reason: Exception | None = None  # why there is none
        self.outcomes: Counter[str] = Counter()
        self.distances: Counter[float] = Counter()
        self.distance = 0.0
        self._next: Queue[tuple[bytes, Prediction]] = Queue(1)
        self._stop = threading.Event()

    def start(self) -> None:
        """Load the model in a thread of its own, and look at photos from then on."""
        threading.Thread(target=self._work, name="shadow", daemon=True).start()

    def close(self) -> None:
        """Look at no more photos."""
        self._stop.set()

    def see(self, photo: bytes, prediction: Prediction) -> None:
        """Look at a photo and its answer, perhaps, and later; this does not wait."""
        if self.classify is None or random.random() >= self.share:  # noqa: S311  # a sample
            return
        try:
            self._next.put_nowait((photo, prediction))
        except Full:
            self.outcomes["skipped"] += 1

    def _work(self) -> None:
        _give_way()
        try:
            self.classify = classify = load_classify(self.path, fold=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, the service goes on
            self.reason = error
            log.error("there is no shadow: its model can't be loaded", extra={"reason": str(error)})
            return
        told = {"model": classify.info.name, "sha256": classify.info.sha256, "share": self.share}
        log.info("the shadow's model is loaded", extra=told)
        while not self._stop.is_set():
            try:
                photo, prediction = self._next.get(timeout=1.0)
            except Empty:
                continue
            self._compare(classify, photo, prediction)
            del photo

    def _compare(self, classify: Classifier, photo: bytes, prediction: Prediction) -> None:
        try:
            other = classify(photo)
        except Exception as error:  # noqa: BLE001  # whatever it is, the service goes on
            self.outcomes["failed"] += 1
            log.warning("the shadow has no answer", extra={"reason": type(error).__name__})
            return
        apart = distance(prediction.probabilities, other.probabilities)
        self.distance += apart
        self.distances[next((bound for bound in BOUNDS if apart <= bound), BOUNDS[-1])] += 1
        same = set(prediction.labels) == set(other.labels)
        self.outcomes["same" if same else "different"] += 1


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the largest difference of a class's probability; a class that one lacks is 0."""
    return max(abs(one.get(label, 0.0) - other.get(label, 0.0)) for label in {*one, *other})


def _give_way() -> None:
    """Have this thread run when the others have nothing to do; only Linux knows this of threads."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with contextlib.suppress(OSError):  # a system may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
