"""Unpack a body that a client packed, and no further than a limit.

In come a request's headers and its body; out go the bytes that were packed.
"""

import zlib
from collections.abc import Sequence

from voilearn.errors import BadRequest, PhotoTooLarge

NONE = "identity"
EITHER = 32 + zlib.MAX_WBITS  # zlib finds out itself whether it is gzip or deflate


def coding_of(headers: Sequence[str]) -> str:
    """Return what headers Content-Encoding say, in lower case, and NONE if that is nothing."""
    codings = [each.strip() for each in ",".join(headers).lower().split(",")]
    return ", ".join(each for each in codings if each not in ("", NONE)) or NONE


def unpack(body: bytes, coding: str, limit: int) -> bytes:
    """Return what a body of the Content-Encoding `coding` is made of, of `limit` bytes at most.

    Raises BadRequest if it is packed in another way than gzip or deflate, or damaged, and
    PhotoTooLarge if it is more than `limit`.
    """
    if coding == NONE:
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BadRequest(
            "The body's Content-Encoding is not known here. Send the body as it is, for photos "
            "are packed already, or in gzip or deflate."
        )
    unpacker = zlib.decompressobj(EITHER)
    try:
        found = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadRequest(_damaged(coding)) from error
    if len(found) > limit:
        raise PhotoTooLarge(
            f"The body unpacks to more than {limit / 1e6:,.0f} MB, which is the limit. Send "
            "smaller photos, or fewer."
        )
    if not unpacker.eof or unpacker.unused_data:
        raise BadRequest(_damaged(coding))
    return found


def _damaged(coding: str) -> str:
    return f"The body is not in {coding}, as its Content-Encoding says, or damaged. Send it again."
