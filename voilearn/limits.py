"""How much one photo may cost.

In comes a file's size; out goes nothing, or why it is not taken. What a picture costs to decode is
known to `image.py` alone.
"""

from dataclasses import dataclass

from voilearn.errors import EmptyPhoto, PhotoTooLarge


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one photo may cost: bytes in the file, pixels in the picture, seconds of CPU.

    Frames need no limit of their own: of an animation only the first is ever decoded.
    """

    bytes: int = 50_000_000
    pixels: int = 50_000_000
    seconds: float = 10.0


LIMITS = Limits()


def check_size(size: int, limits: Limits = LIMITS) -> None:
    """Raise EmptyPhoto or PhotoTooLarge for a file whose size in bytes rules it out."""
    if size == 0:
        raise EmptyPhoto("This file is empty: it has 0 bytes. Please choose the photo again.")
    if size > limits.bytes:
        raise PhotoTooLarge(
            f"This file has {size / 1e6:,.1f} MB; the limit is {limits.bytes / 1e6:,.0f} MB. "
            "Please send a smaller version of the photo."
        )
