"""Make a `Classify` of a model that takes pictures: what stands before each in this process.

In comes a photo's bytes; out goes what the model predicts of the picture that they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from voilearn.errors import PhotoTooLarge
from voilearn.image import decode_photo
from voilearn.prediction import ModelInfo, Prediction
from voilearn.stages import stage

Predict = Callable[[Image.Image], Prediction]

LONGEST = 7_000  # pixels: a model that pads makes a square of it, of LIMITS.pixels at most


@dataclass(frozen=True, slots=True)
class Classifier:
    """A `Classify` that runs in this process, and says which model it is.

    `size` is the longest side, in pixels, that the model resizes photos to, or None if it does not.
    `runtime` names the libraries that run it, with their versions.
    """

    predict: Predict
    size: int | None
    info: ModelInfo
    runtime: str

    def __call__(self, photo: bytes) -> Prediction:
        """Return the model's Prediction of a photo's bytes; raises those of `decode_photo`.

        A JPEG is decoded at a reduced scale, with both sides at least twice `size`.
        """
        with stage("decode"):
            picture = decode_photo(photo, at_least=2 * self.size if self.size else None)
            if self.size:
                picture = _shortened(picture, 2 * self.size)
        with stage("predict"):
            return self.predict(picture)


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
