"""Everything that can go wrong on a photo's way to its answer, as one tree.

In comes the reason; out goes a class with an HTTP status and a sentence a visitor can act on.

    bytes ──────▶ picture ──────▶ prediction ──────▶ outlet
      │              │                 │
      PhotoTooLarge  UnsupportedPhoto  UnusableModel
      EmptyPhoto     DamagedPhoto
      PhotoNotFound  PhotoTooLarge

An outlet catches `VoilearnError`, shows `str(error)` and nothing else. Whatever is not in this
tree is a bug: log its traceback, show `OUR_FAULT`, never the exception's own text.
"""

from typing import ClassVar

OUR_FAULT = "Something went wrong on our side. Please try again, or try another photo."


class VoilearnError(Exception):
    """The root: `str(error)` is one or two sentences, fit to be shown to a visitor.

    `status` is the HTTP status a service answers with; `type`, the class's own name, is what
    a program tells the errors apart by.
    """

    status: ClassVar[int] = 500

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
