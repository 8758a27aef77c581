"""The icon of the page where it is installed as an app: three bars on blue, drawn here.

In: a size; out: a PNG, within the circle that any device leaves of an icon.
"""

import struct
import zlib

BLUE, WHITE = b"\x1d\x5f\xbf", b"\xff\xff\xff"
BARS = ((0.36, 0.74), (0.51, 0.60), (0.66, 0.36))  # each bar's top, and where it ends


def draw_icon(size: int) -> bytes:
    """Draw the icon in so many pixels on each side."""
    rows = []
    for y in range(size):
        ends = [end for top, end in BARS if top <= (y + 0.5) / size < top + 0.09]
        start, end = round(0.26 * size), round((ends[0] if ends else 0.26) * size)
        rows.append(b"\0" + BLUE * start + WHITE * (end - start) + BLUE * (size - end))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum
