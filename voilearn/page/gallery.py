"""The author's example photos: the pictures in a folder beside the notebook, if there is one.

In: the folder; out: small pictures to choose from, and the bytes of the one that was chosen.
"""

import logging
import re
from pathlib import Path

from voilearn.errors import PhotoNotFound, VoilearnError
from voilearn.limits import LIMITS, Limits, check_size
from voilearn.page.pictures import small_picture

MOST = 12  # photos
THUMBNAIL = 192  # pixels on the longest side
KINDS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"}

log = logging.getLogger(__name__)


class Gallery:
    """The first photos of a folder by name, where "2" comes before "10".

    Only files of the folder itself are read, by the suffix of a picture; hidden ones are not.
    """

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self._folder, self._limits = folder, limits
        self._shown: list[Path] = []

    def thumbnails(self) -> list[tuple[str, bytes]]:
        """Return a name and a small JPEG of each photo: upright, without EXIF.

        One that can't be opened is left out, and its author told why in the server's log.
        """
        shown: list[Path] = []
        pictures: list[tuple[str, bytes]] = []
        for path in self._photos():
            try:
                picture = small_picture(self._read(path), THUMBNAIL, 80, self._limits)
            except (OSError, VoilearnError) as error:
                log.warning("The example %s is left out: %s", path.name, error)
                continue
            shown.append(path)
            pictures.append((_name_of(path), picture))
        self._shown = shown
        return pictures

    def photo(self, index: int) -> bytes:
        """Return the bytes of a photo whose thumbnail was shown. Raises PhotoNotFound."""
        if not self._shown:  # asked by a page that got its thumbnails of an earlier kernel
            self.thumbnails()
        if not 0 <= index < len(self._shown):
            raise PhotoNotFound("This example is not there any more. Please reload the page.")
        return self._read(self._shown[index])

    def _photos(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        home = self._folder.resolve()
        found = (path for path in self._folder.iterdir() if path.suffix.lower() in KINDS)
        own = (path for path in found if path.is_file() and path.resolve().parent == home)
        return sorted((path for path in own if path.name[0] != "."), key=_order)[:MOST]

    def _read(self, path: Path) -> bytes:
        try:
            check_size(path.stat().st_size, self._limits)
            return path.read_bytes()
        except OSError as error:
            raise PhotoNotFound(
                "This example is not there any more. Please reload the page."
            ) from error


def _name_of(path: Path) -> str:
    return " ".join(re.split(r"[-_\s]+", path.stem)).strip()


def _order(path: Path) -> list[tuple[bool, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name.lower())
    return [(False, int(p), "") if p.isdecimal() else (True, 0, p) for p in parts]
