"""The page: choose a photo, press Classify, read the answer.

In comes a `Classify`, whichever provider it is of; out goes a widget for Voilà or a notebook to
show. Photos stay in memory, and only the last one.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets
from IPython import get_ipython
from IPython.display import display
from PIL import Image

from voilearn.allocator import trim
from voilearn.errors import OUR_FAULT, VoilearnError
from voilearn.image import decode_photo
from voilearn.prediction import Classify, Prediction
from voilearn.upload import PhotoUpload

PREVIEW = 640  # pixels on the longest side: sharp on a phone, 60 kB


class Answer(anywidget.AnyWidget):
    """One sentence, read aloud by a screen reader as it changes, and a bar for every class.

    `kind` is what the sentence is: "", "busy", "error" or "answer". A bar is
    `[label, probability, percent]`, the probability from 0 to 1 and the percent in words.
    """

    _esm = Path(__file__).with_name("page.js")
    _css = Path(__file__).with_name("page.css")

    sentence = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)
    bars: traitlets.List[list[object]] = traitlets.List([]).tag(sync=True)

    def say(self, kind: str, sentence: str, bars: list[list[object]] | None = None) -> None:
        """Show a sentence of one kind in the place of whatever stood there."""
        with self.hold_sync():
            self.kind, self.sentence, self.bars = kind, sentence, bars or []


class Page(widgets.VBox):
    """The whole page, as one widget: `Page(classify)` at the end of a cell shows it."""

    def __init__(self, classify: Classify) -> None:
        self._classify, self._photo = classify, b""
        self.upload = PhotoUpload(self._clear, self._take, self._refuse)
        self.button = widgets.Button(description="Classify", button_style="primary", disabled=True)
        self.button.on_click(lambda _button: self._answer())
        self.answer = Answer()
        super().__init__([self.upload, self.button, self.answer])
        self.add_class("voilearn-page")

    def _clear(self) -> None:
        """Put away the old photo and its answer, the moment a new one is chosen."""
        self._photo, self.upload.preview, self.button.disabled = b"", b"", True
        self.answer.say("busy", "Sending the photo…")

    def _take(self, photo: bytes) -> None:
        with self._errors_shown():
            self.upload.preview = _preview(photo)
            self._photo, self.button.disabled = photo, False
            self.answer.say("", "")

    def _refuse(self, error: VoilearnError) -> None:
        self.answer.say("error", str(error))

    def _answer(self) -> None:
        if not self._photo:
            return
        self.button.disabled = True
        self.answer.say("busy", "Looking at the photo…")
        with self._errors_shown():
            prediction = self._classify(self._photo)
            self.answer.say("answer", sentence_of(prediction), bars_of(prediction))
        self.button.disabled = False

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
        """Show one of our errors as its sentence; any other is a bug: log it, show a fixed one."""
        try:
            yield
        except VoilearnError as error:
            self._refuse(error)
        except Exception:
            self.log.exception("A bug ended the answer.")  # in the server's log, not on the page
            self.answer.say("error", OUR_FAULT)
        trim()


def show_errors() -> None:
    """Let a cell that ends in one of our errors show its sentence, in place of a traceback.

    For a page that can't be, because its model can't be opened: its author reads why on the page.
    """

    def show(_shell: object, _type: object, error: VoilearnError, *_: object, **__: object) -> None:
        sentence = Answer()
        sentence.log.error("%s", error)
        sentence.say("error", str(error))
        display(sentence)

    if shell := get_ipython():
        shell.set_custom_exc((VoilearnError,), show)


def sentence_of(prediction: Prediction) -> str:
    """Say a prediction in words: "grizzly, 97 % sure"."""
    if prediction.model.task == "multi-label":
        count = len(prediction.model.classes)
        return ", ".join(prediction.labels) or f"none of the {count} things this model knows"
    sure = f"{percent(prediction.probability)} sure"
    if prediction.probability < 0.5:
        return f"perhaps {prediction.label}, but only {sure}"
    return f"{prediction.label}, {sure}"


def bars_of(prediction: Prediction) -> list[list[object]]:
    """Return `[label, probability, percent]` for every class, highest first."""
    return [[name, p, percent(p)] for name, p in prediction.probabilities.items()]


def percent(probability: float) -> str:
    """Write a probability in whole percent, and never as a certainty."""
    rounded = round(probability * 100)
    return "under 1 %" if rounded < 1 else "over 99 %" if rounded > 99 else f"{rounded} %"


def _preview(photo: bytes) -> bytes:
    """Return the photo as a visitor's browser can show it: a small upright JPEG, without EXIF."""
    picture = decode_photo(photo, at_least=PREVIEW)
    picture.thumbnail((PREVIEW, PREVIEW), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
