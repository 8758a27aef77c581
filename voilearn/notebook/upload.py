"""Photos as they come from the visitor's browser: in pieces, of which each is confirmed.

In come messages with pieces of a file; out go whole photos, as bytes in memory. A websocket
message above the server's limit (10 MiB unless raised) closes the connection, so a large file is
many messages. A file's name is never sent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from voilearn.errors import VoilearnError
from voilearn.limits import LIMITS, Limits, check_size

MOST = 2**53  # bytes: no file of a browser's has a size above the whole numbers it knows


@dataclass(frozen=True, slots=True)
class Photo:
    """A whole photo, its number in the browser, and whether that needs a preview of it."""

    number: int
    data: bytes
    preview: bool = False


class Upload:
    """Joins the pieces of one photo at a time.

    The callbacks are `on_photo(Photo)` when all of it is here, `on_error(number, VoilearnError)`
    when its size rules it out, and `confirm(number)` for each piece that came.
    """

    def __init__(
        self,
        on_photo: Callable[[Photo], None],
        on_error: Callable[[int, VoilearnError], None],
        confirm: Callable[[int], None],
        limits: Limits = LIMITS,
    ) -> None:
        self._on_photo, self._on_error, self._confirm = on_photo, on_error, confirm
        self._limits = limits
        self._number: int | None = None  # of the photo that is coming
        self._size, self._preview, self._received = 0, False, bytearray()

    def receive(self, message: Any, pieces: Sequence[memoryview]) -> bool:
        """Take one message; return whether it was one of a photo. A browser may send anything."""
        match message:
            case {"kind": "photo", "number": int(number), "size": int(size)} if 0 <= size < MOST:
                if self._begin(number, size, message.get("preview") is True):
                    self._continue(pieces)
            case {"kind": "piece", "number": int(number)}:
                if number == self._number:
                    self._continue(pieces)
            case {"kind": "cancel", "number": int(number)} if number == self._number:
                self._end()
            case _:
                return False
        return True

    def _begin(self, number: int, size: int, preview: bool) -> bool:
        self._number, self._size, self._preview = number, size, preview
        self._received = bytearray()
        try:
            check_size(size, self._limits)
        except VoilearnError as error:
            self._end()  # pieces of it that come all the same belong to no photo
            self._on_error(number, error)
            return False
        return True

    def _continue(self, pieces: Sequence[memoryview]) -> None:
        number = self._number
        if number is None:
            return
        for piece in pieces:
            self._received += piece[: self._size - len(self._received)]
        self._confirm(number)
        if len(self._received) >= self._size:
            photo = Photo(number, bytes(self._received), self._preview)
            self._end()
            self._on_photo(photo)

    def _end(self) -> None:
        self._received, self._number = bytearray(), None
