"""The author's example photos, as files that the page fetches from its own folder.

In: the folder of examples, and the size that the model resizes photos to; out: for each its name, a
small picture to choose it by, and the photo itself.

A photo is written anew, upright and with nothing but its pixels: where it was taken stays with its
author, every browser can open it, and the page makes it no smaller than it is here.
"""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

from voilearn.page.gallery import Gallery

QUALITY = 92  # of a JPEG, with all its colours


class Example(NamedTuple):
    """One photo: its name, and two JPEGs."""

    name: str
    thumb: bytes
    photo: bytes

    @property
    def files(self) -> dict[str, bytes]:
        """The two by the paths that they are deployed at."""
        return {path_of(self.thumb): self.thumb, path_of(self.photo): self.photo}

    def to_dict(self) -> dict[str, str]:
        """Return what the page has to know to show it and ask about it."""
        return {"name": self.name, "thumb": path_of(self.thumb), "photo": path_of(self.photo)}


def read_examples(folder: Path, size: int | None) -> list[Example]:
    """Return the photos of a folder, which may be absent, without those that can't be opened."""
    gallery = Gallery(folder)
    shown = enumerate(gallery.thumbnails())
    return [Example(name, thumb, _photo(gallery.photo(at), size)) for at, (name, thumb) in shown]


def path_of(picture: bytes) -> str:
    """Return where a picture is deployed: it is named by what is in it."""
    return f"examples/{hashlib.sha256(picture).hexdigest()[:16]}.jpg"


def _photo(data: bytes, size: int | None) -> bytes:
    from voilearn.image import decode_photo

    picture = decode_photo(data)
    if size:
        picture = picture.reduce(max(1, min(picture.size) // (3 * size)))  # as page/reduce.js does
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()
