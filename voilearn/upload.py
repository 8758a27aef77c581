"""A widget to choose one photo with, and to show it.

In come pieces of a file from the visitor's browser; out go whole photos, as bytes in memory.
ipywidgets' own FileUpload sends a file as one message and dies, for good and in silence, on one
above the server's limit (10 MiB unless raised); this one sends pieces of 1 MB and checks the size
in the browser before it sends any.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from voilearn.errors import PhotoNotFound, VoilearnError
from voilearn.image import LIMITS, Limits, check_size

UNREADABLE = "The browser can't read this file. Please choose it again, or another photo."


class PhotoUpload(anywidget.AnyWidget):
    """Choose a photo: a labelled file input, with a preview that the page sets.

    `max_bytes` is the largest file sent; `preview` the bytes of a JPEG to show, or empty. While
    the page is looked at, the browser says every `heartbeat` seconds that it is here, and tells
    the visitor that the connection is lost after `patience` seconds without an answer.

    The callbacks are `on_choose()` at the moment a file is chosen, `on_photo(bytes)` when all of
    it is here, and `on_error(VoilearnError)` when its size rules it out. A file's name is never
    sent.
    """

    _esm = Path(__file__).with_name("upload.js")

    label = traitlets.Unicode("Choose a photo").tag(sync=True)
    preview = traitlets.Bytes(b"").tag(sync=True)
    max_bytes = traitlets.Int(LIMITS.bytes).tag(sync=True)
    heartbeat = traitlets.Float(60.0).tag(sync=True)
    patience = traitlets.Float(20.0).tag(sync=True)

    def __init__(
        self,
        on_choose: Callable[[], None],
        on_photo: Callable[[bytes], None],
        on_error: Callable[[VoilearnError], None],
        **traits: Any,
    ) -> None:
        super().__init__(**traits)
        self._on_choose, self._on_photo, self._on_error = on_choose, on_photo, on_error
        self._limits = Limits(bytes=self.max_bytes)  # ours: a browser can set the trait
        self._number: int | None = None  # of the photo that is coming
        self._size, self._received = 0, bytearray()
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, message: Any, pieces: list[memoryview]) -> None:
        """Take one message of the browser: a browser may send anything, and no error goes back."""
        match message:
            case {"kind": "here"}:
                self.send({"kind": "here"})
            case {"kind": "chosen", "number": int(number), "size": int(size)} if size >= 0:
                self._begin(number, size)
                self.send({"kind": "cleared", "number": number})
            case {"kind": "piece", "number": int(number)}:
                self.send({"kind": "received"})
                if number == self._number:
                    self._continue(pieces)
            case {"kind": "unreadable", "number": int(number)} if number == self._number:
                self._number = None
                self._on_error(PhotoNotFound(UNREADABLE))

    def _begin(self, number: int, size: int) -> None:
        self._number, self._size, self._received = number, size, bytearray()
        self._on_choose()
        try:
            check_size(size, self._limits)
        except VoilearnError as error:
            self._number = None  # pieces of it that come all the same belong to no photo
            self._on_error(error)

    def _continue(self, pieces: list[memoryview]) -> None:
        for piece in pieces:
            self._received += piece
        if len(self._received) >= self._size:
            photo = bytes(self._received[: self._size])
            self._received, self._number = bytearray(), None
            self._on_photo(photo)
