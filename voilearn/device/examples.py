"""The author's example photos, as files that the page fetches from its own folder.

In: the folder of examples, and the size that the model resizes photos to; out: for each its name, a
small picture to choose it by, and the photo itself.

Nothing but its pixels is deployed, and they get the answer that the author's file would: a JPEG is
coded as it was; any other is written without loss, upright, and no larger than the model needs, as
is a JPEG that becomes smaller by it. So every browser can open them all.
"""

import hashlib
import io
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from voilearn.device.bare_jpeg import bare_jpeg
from voilearn.errors import VoilearnError
from voilearn.page.gallery import Gallery


class Example(NamedTuple):
    """One photo: its name, a small JPEG, and all of it as a JPEG or WebP."""

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
    suffix = "jpg" if picture.startswith(b"\xff\xd8") else "webp"
    return f"examples/{hashlib.sha256(picture).hexdigest()[:16]}.{suffix}"


def _photo(data: bytes, size: int | None) -> bytes:
    from voilearn.image import decode_photo

    picture = decode_photo(data)
    by = max(1, min(picture.size) // (3 * size)) if size else 1  # as page/reduce.js would
    file = io.BytesIO()
    picture.reduce(by).save(file, "WEBP", lossless=True)
    lossless = file.getvalue()
    with suppress(ValueError, VoilearnError):
        bare = bare_jpeg(data)
        # the same picture: it was upright without its EXIF, and its colours need no more to be told
        if len(bare) < len(lossless) and decode_photo(bare).tobytes() == picture.tobytes():
            return bare
    return lossless
