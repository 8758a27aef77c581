"""Make a `Classify` of a model that takes pictures: what stands before each in this process.

In comes a photo's bytes; out goes what the model predicts of the picture that they are.
"""

from collections.abc import Callable

from PIL import Image

from voilearn.image import decode_photo
from voilearn.prediction import Classify, Prediction

Predict = Callable[[Image.Image], Prediction]


def classifier(predict: Predict, size: int | None) -> Classify:
    """Return the function from a photo's bytes to the model's Prediction.

    `size` is the longest side, in pixels, that the model resizes photos to, or None if it does not.
    A JPEG is decoded at a reduced scale, with both sides at least twice that. The function raises
    the PhotoErrors of `decode_photo`.
    """

    def classify(photo: bytes) -> Prediction:
        return predict(decode_photo(photo, at_least=2 * size if size else None))

    return classify
