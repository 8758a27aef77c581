"""Make a `Classify` of a model that takes pictures: what stands before each in this process.

In comes a photo's bytes; out goes what the model predicts of the picture that they are. Whoever
wants to know how long decoding and predicting took holds a `stopwatch`; otherwise nothing is kept.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from PIL import Image

from voilearn.errors import PhotoTooLarge
from voilearn.image import decode_photo
from voilearn.prediction import ModelInfo, Prediction
from voilearn.scope import Scope

Predict = Callable[[Image.Image], Prediction]

# How much larger than the model's own size a JPEG stays, at least, when it is decoded at a reduced
# scale. With 2, answers moved ten times as far from those to the whole photo, for 6 ms less of 12
# megapixels. page/reduce.js keeps as much on the visitor's device.
ENOUGH = 3
LONGEST = 7_000  # pixels: a model that pads makes a square of it, of LIMITS.pixels at most


@dataclass(frozen=True, slots=True)
class Classifier:
    """A `Classify` that runs in this process, and says which model it is.

    `size` is the longest side, in pixels, that the model resizes photos to, or None if it does not.
    `runtime` and `agreement` are those of its Predictions, which `scope` has had a say in.
    """

    predict: Predict
    size: int | None
    info: ModelInfo
    runtime: str
    agreement: float | None = None
    scope: Scope | None = None

    def __call__(self, photo: bytes) -> Prediction:
        """Return the model's Prediction of a photo's bytes; raises those of `decode_photo`.

        A JPEG is decoded at a reduced scale, with both sides at least `ENOUGH` times `size`.
        """
        with stage("decode"):
            picture = decode_photo(photo, at_least=ENOUGH * self.size if self.size else None)
            if self.size:
                picture = _shortened(picture, 2 * self.size)
        with stage("predict"):
            prediction = self.predict(picture)
        return replace(prediction, runtime=self.runtime, agreement=self.agreement)


def _shortened(picture: Image.Image, at_least: int) -> Image.Image:
    """Reduce a picture of more than LONGEST pixels, both sides to `at_least` those many."""
    longest, shortest = max(picture.size), min(picture.size)
    if longest <= LONGEST:
        return picture
    factor = min(-(-longest // LONGEST), shortest // at_least)
    if factor * LONGEST < longest:
        raise PhotoTooLarge(
            f"This picture is {longest:,} pixels long and {shortest:,} wide, too long a strip for "
            f"this model: up to {LONGEST:,} pixels will do. Please send a part of it."
        )
    return picture.reduce(factor)


_asked: ContextVar[dict[str, float] | None] = ContextVar("voilearn_stages", default=None)


@contextmanager
def stopwatch() -> Iterator[dict[str, float]]:
    """Collect the seconds of each stage that passes inside, in this thread or task."""
    seconds: dict[str, float] = {}
    token = _asked.set(seconds)
    try:
        yield seconds
    finally:
        _asked.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time what is inside as a stage of that name."""
    seconds = _asked.get()
    if seconds is None:
        yield
        return
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
