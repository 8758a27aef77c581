"""The two files of megabytes, the model and the runtime, packed here and not by the host.

In: a file's bytes; out: what is deployed, and what the page has to know to get and check it.
"""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Say = Callable[[str], None]  # is told what goes on, where it takes long


@dataclass(frozen=True)
class Large:
    """A file of megabytes: what it is, its packed bytes, and what it is once unpacked."""

    what: str
    name: str
    sha256: str
    size: int
    packed: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return what the page has to know to get and check it."""
        return {
            "what": self.what,
            "name": self.name,
            "sha256": self.sha256,
            "bytes": self.size,
            "packed": len(self.packed),
        }


def pack(what: str, stem: str, suffix: str, data: bytes) -> Large:
    """Pack a file, and name it by what is in it, so that a browser keeps it while it is the same.

    Many hosts compress nothing, and none of them these kinds.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    packed = gzip.compress(data, mtime=0)
    return Large(what, f"{stem}-{sha256[:16]}.{suffix}", sha256, len(data), packed)
