"""A JPEG with nothing but its pixels: where and when it was taken stays with its author.

In: a JPEG's bytes; out: the same pixels, coded as they were, without EXIF, XMP, comment, profile or
preview, and without what some cameras write behind the end.
"""

import re

COMMENT, END, SCAN = 0xFE, 0xD9, 0xDA
JFIF, ADOBE = 0xE0, 0xEE  # what tells a decoder which colours these are
WITHOUT_THUMBNAIL = 16  # bytes of JFIF's
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # that ends a scan


def bare_jpeg(data: bytes) -> bytes:
    """Copy what a decoder needs. Raises ValueError if these are no JPEG's bytes, or not all."""
    if not data.startswith(b"\xff\xd8\xff"):
        raise ValueError("no JPEG")
    kept, at = bytearray(data[:2]), 2
    while (marker := _byte(data, at + 1)) != END:
        if _byte(data, at) != 0xFF:
            raise ValueError("no marker where one should be")
        if marker == 0xFF:  # padding
            at += 1
            continue
        size = int.from_bytes(data[at + 2 : at + 4])
        end = _end_of_scan(data, at + 2 + size) if marker == SCAN else at + 2 + size
        if _is_needed(marker, size):
            kept += data[at:end]
        at = end
    return bytes(kept) + bytes((0xFF, END))


def _is_needed(marker: int, size: int) -> bool:
    if marker == JFIF:
        return size == WITHOUT_THUMBNAIL
    return marker == ADOBE or not (0xE1 <= marker <= 0xEF or marker == COMMENT)


def _end_of_scan(data: bytes, at: int) -> int:
    if not (found := MARKER.search(data, at)):
        raise ValueError("a scan without end")
    return found.start()


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise ValueError("cut off")
    return data[at]
