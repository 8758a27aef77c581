"""Write TIFFs of every kind by code, as cameras, microscopes and maps do and Pillow does not.

In come numbers of [height, width, channels] and what the tags say of them; out go a file's bytes.
"""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DEFLATE = 8
TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I"}

Tag = tuple[int, int, Sequence[int]]


def tiff(
    numbers: NDArray[np.generic],
    photometric: int,
    *,
    order: str = "<",
    bits: int | None = None,
    format: int = 1,
    extra: Sequence[int] = (),
    apart: bool = False,
    compression: int = 1,
    tags: Sequence[Tag] = (),
) -> bytes:
    """A TIFF of one strip, or with the channels `apart` of one strip each."""
    height, width, channels = numbers.shape
    planes = [numbers[..., [i]] for i in range(channels)] if apart else [numbers]
    strips = [_packed(plane, bits) if bits else _bytes(plane, order) for plane in planes]
    if compression == DEFLATE:
        strips = [zlib.compress(strip) for strip in strips]
    size = bits or 8 * numbers.dtype.itemsize
    said: dict[int, Tag] = {
        256: (256, 4, [width]),
        257: (257, 4, [height]),
        258: (258, 3, [size] * channels),
        259: (259, 3, [compression]),
        262: (262, 3, [photometric]),
        277: (277, 3, [channels]),
        278: (278, 4, [height]),
        279: (279, 4, [len(strip) for strip in strips]),
        284: (284, 3, [1 + apart]),
        339: (339, 3, [format] * channels),
    }
    said |= {338: (338, 3, extra)} if extra else {}
    said |= {tag[0]: tag for tag in tags}
    said[273] = (273, 4, [0] * len(strips))
    beginning = len(_file(list(said.values()), b"", order))
    said[273] = (273, 4, np.cumsum([beginning, *map(len, strips[:-1])]).tolist())
    return _file(list(said.values()), b"".join(strips), order)


def _bytes(numbers: NDArray[np.generic], order: str) -> bytes:
    return numbers.astype(numbers.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()


def _packed(numbers: NDArray[np.generic], bits: int) -> bytes:
    """Numbers of so many bits each, every row from a new byte on."""
    rows = numbers.astype(np.uint32).reshape(len(numbers), -1, 1)
    digits = rows >> np.arange(bits - 1, -1, -1, dtype=np.uint32) & 1
    return np.packbits(digits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def _file(tags: list[Tag], strips: bytes, order: str) -> bytes:
    at = 8 + 2 + 12 * len(tags) + 4
    rows, far = b"", b""
    for number, kind, values in sorted(tags):
        raw = struct.pack(f"{order}{len(values)}{TYPES[kind]}", *values)
        place = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", at + len(far))
        rows += struct.pack(f"{order}HHI", number, kind, len(values) // (1 + (kind == 5))) + place
        far += raw if len(raw) > 4 else b""
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(f"{order}IH", 8, len(tags)) + rows + bytes(4) + far + strips
