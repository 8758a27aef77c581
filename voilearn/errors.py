"""Everything that can go wrong on a photo's way to its answer, as one tree.

In comes the reason; out goes a class with an HTTP status and a sentence a visitor can act on.

    bytes ──────▶ picture ──────▶ prediction ──────▶ outlet
      │              │                 │               │
      PhotoTooLarge  UnsupportedPhoto  UnusableModel   ServiceError, and those below it
      EmptyPhoto     DamagedPhoto
      PhotoNotFound  PhotoTooLarge

What a sentence quotes of a stranger's, a file name or a class, goes through `printable` or `shown`.
An outlet catches `VoilearnError`, shows `str(error)` and nothing else. Whatever is not in this
tree is a bug: log its traceback, show `OUR_FAULT`, never the exception's own text.
"""

from pathlib import Path
from typing import ClassVar

OUR_FAULT = "Something went wrong on our side. Please try again, or try another photo."


class VoilearnError(Exception):
    """The root: `str(error)` is one or two sentences, fit to be shown to a visitor.

    `status` is the HTTP status a service answers with; `type`, the class's own name, is what
    a program tells the errors apart by. `retry_after` is the number of seconds after which the
    same may succeed, or None if it will not.
    """

    status: ClassVar[int] = 500
    retry_after: int | None = None

    @property
    def type(self) -> str:
        """The name of the error's class, as it stands in JSON."""
        return self.__class__.__name__


class PhotoError(VoilearnError):
    """The photo is at fault, not us: another photo will do."""

    status = 400


class PhotoNotFound(PhotoError):
    """There is no file to read at the path given."""

    status = 404


class EmptyPhoto(PhotoError):
    """The file has no bytes in it."""

    status = 422


class PhotoTooLarge(PhotoError):
    """Too many bytes or too many pixels; the sentence gives the limit and what came."""

    status = 413


class UnsupportedPhoto(PhotoError):
    """Not a picture, or a kind of picture that is not read here."""

    status = 415


class DamagedPhoto(PhotoError):
    """A kind of picture we read, but cut short, corrupt or endless to decode."""

    status = 422


class UnusableModel(VoilearnError):
    """The model file is missing, is not what its name says, or can't be run here."""

    status = 503


class UnusableSettings(VoilearnError):
    """The author's app.toml or notebook says what it can't; the sentence says what it may be."""

    status = 500


class CannotBuild(VoilearnError):
    """A page or an app can't be put together; the sentence says what is missing, and what to do."""


class ServiceError(VoilearnError):
    """The service is at fault, or the way to it, and not the photo."""

    status = 503


class BadRequest(ServiceError):
    """The request is not one that the service's interface knows; the sentence says what it is."""

    status = 400


class TokenRefused(ServiceError):
    """The token is missing or not the service's."""

    status = 401


class RequestTimeout(ServiceError):
    """The request came too slowly."""

    status = 408


class TooManyRequests(ServiceError):
    """One client has more photos waiting than its share."""

    status = 429
    retry_after = 1


class ServiceBusy(ServiceError):
    """As many photos are waiting as the service lets wait."""

    retry_after = 1


class ServiceNotReady(ServiceError):
    """The service is loading its model, or about to end."""

    retry_after = 1


class DeadlinePassed(ServiceError):
    """The photo waited too long for its turn."""

    status = 504
    retry_after = 1


class ServiceUnreachable(ServiceError):
    """There is no service at that address, or it does not answer as one."""

    status = 502


class UnusableFolder(ServiceError):
    """The folder where this machine's services are found can't be used."""

    status = 500


def error_of(type: str, sentence: str) -> VoilearnError:
    """Return the error whose `type` and sentence these are, as it came over a wire.

    One of a name that is not in this tree is a VoilearnError.
    """
    return _tree().get(type, VoilearnError)(sentence)


def _tree() -> dict[str, type[VoilearnError]]:
    found: dict[str, type[VoilearnError]] = {}
    waiting: list[type[VoilearnError]] = [VoilearnError]
    while waiting:
        each = waiting.pop()
        found[each.__name__] = each
        waiting += each.__subclasses__()
    return found


def printable(text: str, most: int = 300) -> str:
    """Return what a stranger wrote as it can be shown: what a terminal would obey is a "?"."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:most])
    return shown + "…" * (len(text) > most)


def shown(path: Path) -> str:
    """Return a file's name as it can be shown, whatever is in it."""
    return printable(path.name or str(path), 80)
