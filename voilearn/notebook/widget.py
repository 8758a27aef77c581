"""The page as a widget: give photos, read the answers.

In comes a `Classify`, whichever provider it is of; out goes a widget for Voilà or a notebook to
show. The page itself runs in the browser (`page/`, drawn by `widget.js`); here its photos are asked
about, one after the other, each forgotten with its answer.
"""

import html
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython
from IPython.display import HTML, display
from traitlets.log import get_logger

from voilearn.errors import OUR_FAULT, ServiceBusy, VoilearnError
from voilearn.limits import LIMITS, Limits
from voilearn.machine import trim
from voilearn.notebook.upload import Photo, Upload
from voilearn.page.bundle import PAGE, PHOTO_WORKER, ROOMS, one_script
from voilearn.page.gallery import Gallery
from voilearn.page.pictures import preview_of
from voilearn.prediction import Classify, Prediction
from voilearn.settings import Settings, read_settings

MOST_WAITING = 4  # photos and wishes of one browser, which asks for one at a time
MIME = "application/vnd.voilearn.page+json"  # by which Voilà's template knows the page
LOOK_EVERY = 3.0  # seconds between two looks whether the model was upgraded


class Page(anywidget.AnyWidget):
    """The whole page, as one widget: `Page(classify)` at the end of a cell shows it.

    `settings` are the author's words (of `app.toml`, where none are given), and `examples` the
    folder of their example photos. Raises UnusableSettings if app.toml says what it can't.
    """

    _esm = one_script((*PAGE, "notebook/asker.js", "notebook/widget.js"))
    _css = ROOMS / "page" / "page.css"
    _html = traitlets.Unicode((ROOMS / "page" / "markup.html").read_text("utf-8")).tag(sync=True)
    _photo_worker = traitlets.Unicode(one_script(PHOTO_WORKER)).tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        classify: Classify,
        settings: Settings | None = None,
        examples: Path | str = "examples",
        limits: Limits = LIMITS,
    ) -> None:
        self._told = read_settings() if settings is None else settings
        super().__init__(settings=self._told.to_dict())
        self._classify, self._gallery = classify, Gallery(Path(examples))
        self._upload = Upload(self._take, self._refuse, self._confirm, limits)
        # the kernel's own thread stays free, to say that the page is still there
        self._worker = ThreadPoolExecutor(1, "voilearn-page")
        self._waiting: dict[int, Callable[[], None]] = {}  # by the number that the answer is for
        self._model: str | None = None  # the hash of the one that answered last
        self._looked, self._looking = 0.0, threading.Lock()
        self.on_msg(self._receive)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Tell Voilà's template all that it needs to show the page without a widget manager."""
        told = super()._repr_mimebundle_(**options)
        if told is not None:
            told[0][MIME] = {"comm": self.model_id, "settings": self.settings}
        return told

    def _receive(self, _widget: Any, message: Any, pieces: Sequence[memoryview]) -> None:
        """Take one message of the browser: a browser may send anything, and no error goes back."""
        if self._upload.receive(message, pieces):
            return
        match message:
            case {"kind": "here"}:
                self.send({"kind": "here"})
                self._look_for_upgrade()
            case {"kind": "cancel", "number": int(number)}:
                self._waiting.pop(number, None)
            case {"kind": "examples", "number": int(number)}:
                self._later(number, lambda: self._show_examples(number))
            case {"kind": "example", "number": int(number), "index": int(index)}:
                self._later(number, lambda: self._answer_example(number, index))

    def _confirm(self, number: int) -> None:
        self.send({"kind": "received", "number": number})

    def _refuse(self, number: int, error: VoilearnError) -> None:
        told = {"type": error.type, "message": str(error), "retry_after": error.retry_after}
        self.send({"kind": "error", "number": number, "error": told})

    def _take(self, photo: Photo) -> None:
        self._later(photo.number, lambda: self._answer(photo))

    def _later(self, number: int, work: Callable[[], None]) -> None:
        """Have the worker do this in its turn; whatever goes wrong is told as the answer."""
        if len(self._waiting) >= MOST_WAITING:
            return self._refuse(number, ServiceBusy("This page has photos waiting already."))
        self._waiting[number] = work
        self._worker.submit(self._do, number)
        return None

    def _do(self, number: int) -> None:
        work = self._waiting.get(number)
        if work is None:  # it was given up
            return
        try:
            work()
        except VoilearnError as error:
            self._refuse(number, error)
        except Exception:
            self.log.exception("A bug ended the answer.")  # in the server's log, not here
            self._refuse(number, VoilearnError(OUR_FAULT))
        finally:
            del work
            self._waiting.pop(number, None)
            trim()

    def _answer(self, photo: Photo) -> None:
        preview = [preview_of(photo.data)] if photo.preview else []
        prediction = self._classify(photo.data)
        self._warn_of_unknown(prediction)
        self._model = prediction.model.sha256
        told = {"kind": "answer", "number": photo.number, "prediction": prediction.to_dict()}
        self.send(told, preview)

    def _show_examples(self, number: int) -> None:
        found = self._gallery.thumbnails()
        names, pictures = [name for name, _ in found], [picture for _, picture in found]
        self.send({"kind": "examples", "number": number, "names": names}, pictures)

    def _answer_example(self, number: int, index: int) -> None:
        self._answer(Photo(number, self._gallery.photo(index), preview=True))

    def _warn_of_unknown(self, prediction: Prediction) -> None:
        """Tell the author, once, of words in app.toml that no class will ever have."""
        if self._model is None:
            for label in self._told.unknown_classes(prediction.model.classes):
                self.log.warning("app.toml describes a class that the model has not: %r", label)

    def _look_for_upgrade(self) -> None:
        """Tell the browser if another model is in service than the one that answered last."""
        now = time.monotonic()
        current = getattr(self._classify, "current", None)
        if current is None or self._model is None or now < self._looked + LOOK_EVERY:
            return
        self._looked = now

        def look() -> None:
            if not self._looking.acquire(blocking=False):  # a look before has no answer yet
                return
            try:
                with suppress(VoilearnError):
                    if (found := current()) not in (None, self._model):
                        self.send({"kind": "upgraded", "sha256": found})
            finally:
                self._looking.release()

        threading.Thread(target=look, name="voilearn-look", daemon=True).start()


def show_errors() -> None:
    """Let a cell that ends in one of our errors show its sentence, in place of a traceback.

    For a page that can't be, because its model can't be opened: its author reads why on the page.
    """

    def show(_shell: object, _type: object, error: VoilearnError, *_: object, **__: object) -> None:
        get_logger().error("%s", error)
        sentence = html.escape(str(error))
        display(HTML(f'<p class="voilearn-error" role="alert">{sentence}</p>'))

    if shell := get_ipython():
        shell.set_custom_exc((VoilearnError,), show)
