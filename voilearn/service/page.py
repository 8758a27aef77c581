"""The page that the service shows: its files as they are sent, its examples, who has it open.

In come the folder of the model, with the author's app.toml, app.ipynb and examples if they are
there, and who may ask; out goes what the routes of the page need. It is all made once: a change of
the author's words is seen after the next start.
"""

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voilearn.errors import UnusableSettings
from voilearn.page.bundle import PAGE, PHOTO_WORKER, ROOMS, one_script
from voilearn.page.document import as_data, document
from voilearn.page.gallery import Gallery
from voilearn.page.pictures import preview_of
from voilearn.page.title import UNTITLED, words_of
from voilearn.service.open_pages import OpenPages
from voilearn.settings import Settings, read_settings

SCRIPTS = (
    *PAGE,
    "service/events.js",
    "service/token.js",
    "service/asker.js",
    "service/framed.js",
    "service/page.js",
)
STYLES = ("page/page.css", "service/token.css")
FOLDER = "page"  # of the files, in their addresses
FOR_EVER = "public, max-age=31536000, immutable"  # the address changes with what is there
ASK_FIRST = "no-cache"
A_WHILE = "public, max-age=300"
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class File:
    """What is sent for an address, packed beforehand if that pays, and how long it may be kept."""

    kind: str
    body: bytes
    packed: bytes | None
    etag: str
    kept: str


class PageFiles:
    """The page as it is sent: `index` at the service's own address, `files` below it, by name."""

    def __init__(self, folder: Path, origins: Sequence[str]) -> None:
        """Raise UnusableSettings if the folder has an app.toml that says what it can't."""
        settings = read_settings(folder / "app.toml")
        self.policy = policy(origins)
        self.files: dict[str, File] = {}
        style = self._add("page", "css", b"".join((ROOMS / name).read_bytes() for name in STYLES))
        script = self._add("page", "js", one_script(SCRIPTS).encode())
        worker = self._add("photo", "js", one_script(PHOTO_WORKER).encode())
        told = {"settings": settings.to_dict(), "worker": worker.removeprefix(f"{FOLDER}/")}
        title, introduction = _words(settings, folder / "app.ipynb")
        text = document(
            ROOMS / "service" / "index.html",
            title,
            introduction,
            settings.language,
            style=style,
            script=script,
            told=as_data(told),
        )
        self.index = _file("html", text.encode(), ASK_FIRST)
        self.embed = _file("js", one_script(["service/embed.js"]).encode(), A_WHILE)

    def _add(self, stem: str, suffix: str, body: bytes) -> str:
        """Add a file under a name that has its hash; return its address."""
        file = _file(suffix, body, FOR_EVER)
        name = f"{stem}-{file.etag}.{suffix}"
        self.files[name] = file
        return f"{FOLDER}/{name}"


class Examples:
    """The author's examples, whose pictures are made when they are first asked for, and kept."""

    def __init__(self, folder: Path) -> None:
        self._gallery, self._turn = Gallery(folder), threading.Lock()
        self._listed: bytes | None = None
        self._previews: dict[int, bytes] = {}

    def listed(self) -> bytes:
        """Return their names and thumbnails, as the JSON that is sent."""
        with self._turn:
            if self._listed is None:
                found = self._gallery.thumbnails()
                told = [{"name": name, "picture": data_uri(picture)} for name, picture in found]
                self._listed = json.dumps({"examples": told}).encode()
            return self._listed

    def photo(self, index: int) -> bytes:
        """Return an example's own bytes; raises PhotoNotFound."""
        with self._turn:
            return self._gallery.photo(index)

    def preview(self, index: int) -> bytes:
        """Return an example as a browser can show it; raises PhotoNotFound."""
        with self._turn:
            if index not in self._previews:
                self._previews[index] = preview_of(self._gallery.photo(index))
            return self._previews[index]


@dataclass(frozen=True, slots=True)
class ServicePage:
    """All of the page that the routes need."""

    files: PageFiles
    examples: Examples
    open: OpenPages


def policy(origins: Sequence[str]) -> str:
    """Return the page's Content-Security-Policy; pages of these origins may have it in a frame."""
    framed = "*" if "*" in origins else " ".join(["'self'", *(o for o in origins if o != "null")])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "worker-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {framed}"
    )


def data_uri(jpeg: bytes) -> str:
    """Return a picture as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _words(settings: Settings, notebook: Path) -> tuple[str, str]:
    """Return title and introduction: what app.toml has of them, or else the notebook."""
    try:
        return words_of(settings, notebook)
    except UnusableSettings:  # it is not there, or begins in another way
        return UNTITLED, settings.introduction


def _file(suffix: str, body: bytes, kept: str) -> File:
    packed = gzip.compress(body, mtime=0)
    etag = hashlib.sha256(body).hexdigest()[:16]
    return File(KINDS[suffix], body, packed if len(packed) < len(body) else None, etag, kept)
