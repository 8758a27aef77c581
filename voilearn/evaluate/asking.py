"""Ask a model about photos, and keep what its network gave: `Told`, for each as it is and harder.

In come what answers, and photos; out go arrays, the names of those that can't be read, and small
pictures for a report. Photos are decoded as for every answer. As many are asked about at once as
there are cores.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
from PIL import Image

from voilearn.classifier import ENOUGH
from voilearn.errors import PhotoError, VoilearnError
from voilearn.evaluate.hard_photos import harder
from voilearn.evaluate.outsiders import Told
from voilearn.image import decode_photo
from voilearn.limits import LIMITS
from voilearn.scope import Outputs
from voilearn.shell.many import in_order

Array = np.ndarray[Any, np.dtype[Any]]
Ask = Callable[[Image.Image], Outputs]

THUMB = 160  # pixels, the longest side
SIDE = 400  # pixels of the photo that a harder copy is made of: what its grain and blur are for


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network gave for photos, in their order, of those at `read` in what was asked about.

    `probabilities` and `harder_probabilities` are float [n, classes]. `unread` has the names of the
    others, each with why.
    """

    read: tuple[int, ...]
    probabilities: Array
    told: Told
    harder_probabilities: Array
    harder: Told
    unread: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """What answers: `ask` of a picture, whose decoded size may be `size` times ENOUGH at least."""

    ask: Ask
    size: int | None
    at_once: int


def ask_about(files: Sequence[Path], model: Model, done: Callable[[str], None]) -> Answers:
    """Ask about each photo and a harder copy of it; `done` is told the name of each."""

    def one(file: Path) -> tuple[Outputs, Outputs] | str:
        try:
            picture = _decoded(file, model.size)
            copy = picture.copy()
            copy.thumbnail((SIDE, SIDE))
            chance = Random(crc32(file.name.encode()))  # noqa: S311  # not for secrets
            return model.ask(picture), model.ask(harder(copy, chance))
        except (PhotoError, OSError) as error:
            return str(error) if isinstance(error, VoilearnError) else error.strerror or "?"

    read, both, unread = [], [], []
    for at, found in enumerate(in_order(one, files, model.at_once)):
        done(files[at].name)
        if isinstance(found, str):
            unread.append((str(files[at]), found))
        else:
            read.append(at)
            both.append(found)
    plain, hard = [one for one, _ in both], [two for _, two in both]
    return Answers(
        tuple(read), probabilities(plain), told(plain), probabilities(hard), told(hard),
        tuple(unread),
    )  # fmt: skip


def probabilities(outputs: Sequence[Outputs]) -> Array:
    """Return float [n, classes]."""
    return np.array([each.probabilities for each in outputs], np.float64)


def told(outputs: Sequence[Outputs]) -> Told:
    """Return logits and features; of a network without logits, the logarithms of probabilities."""
    logits = [
        np.log(np.clip(each.probabilities, 1e-12, 1)) if each.logits is None else each.logits
        for each in outputs
    ]
    features = [each.features for each in outputs if each.features is not None]
    if not outputs or len(features) < len(outputs):
        return Told(np.array(logits, np.float64), None)
    rows = np.array(features, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return Told(np.array(logits, np.float64), rows / np.where(lengths > 0, lengths, 1))


def thumbnail(file: Path) -> bytes:
    """Return a photo as a small JPEG without anything else that the file had in it."""
    picture = _decoded(file, THUMB)
    picture.thumbnail((THUMB, THUMB))
    small = io.BytesIO()
    picture.save(small, "JPEG", quality=70)
    return small.getvalue()


def _decoded(file: Path, size: int | None) -> Image.Image:
    with file.open("rb") as opened:
        photo = opened.read(LIMITS.bytes + 1)
    return decode_photo(photo, at_least=ENOUGH * size if size else None)
