"""Leave out of the page's runtime what no model calls: more than half of what a visitor downloads.

In comes ONNX Runtime Web's binary (WebAssembly), and the operators of a model; out goes the same
binary in which each function that is not called is a single instruction, which ends it
(`unreachable`). Nothing else is touched: a function keeps its number. A model may call what none of
those did that were tried; the page then goes on with the whole runtime, which lies beside this one.

Which functions are called was found out by running 107 models in a browser with a binary that
counts (`benchmarks/called.py`, which writes called.json). 18 of them call some, up to 17, that no
other does; so about one in six other models may need the whole runtime.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CALLED = Path(__file__).with_name("called.json")
MAGIC = b"\0asm\1\0\0\0"
CODE = 10  # a section: the functions' bodies (WebAssembly Core Specification 2.0, 5.5)
ENDS = b"\0\0\x0b"  # no locals; unreachable; end


@dataclass(frozen=True)
class Called:
    """What models call of one runtime: its hash, their operators, the numbers of its functions."""

    sha256: str
    operators: frozenset[str]
    functions: frozenset[int]

    @classmethod
    def read(cls) -> "Called":
        """Return what was found out of the runtime that package.json pins."""
        told = json.loads(CALLED.read_text("utf-8"))
        bits = zlib.decompress(base64.b64decode(told["functions"]))
        functions = (
            8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1
        )
        return cls(told["sha256"], frozenset(told["operators"]), frozenset(functions))

    def write(self) -> None:
        """Write what was found out."""
        bits = bytearray(max(self.functions) // 8 + 1)
        for function in self.functions:
            bits[function // 8] |= 1 << function % 8
        packed = base64.b64encode(zlib.compress(bytes(bits), 9)).decode()
        told = {"sha256": self.sha256, "operators": sorted(self.operators), "functions": packed}
        CALLED.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def lean(binary: bytes, operators: Collection[str]) -> bytes | None:
    """Return a runtime with only what models call; None where this one has other operators."""
    called = Called.read()
    if called.sha256 != hashlib.sha256(binary).hexdigest() or not called.operators >= set(
        operators
    ):
        return None
    return with_bodies(
        binary,
        [body if at in called.functions else ENDS for at, body in enumerate(bodies(binary))],
    )


def bodies(binary: bytes) -> list[bytes]:
    """Return the body of each function that a binary has itself, its locals first."""
    (code,) = (content for kind, content in sections(binary) if kind == CODE)
    count, at = number(code, 0)
    found = []
    for _ in range(count):
        size, at = number(code, at)
        found.append(code[at : at + size])
        at += size
    return found


def with_bodies(binary: bytes, functions: Sequence[bytes]) -> bytes:
    """Return a binary with other bodies of its functions."""
    code = leb128(len(functions)) + b"".join(leb128(len(body)) + body for body in functions)
    return joined((kind, code if kind == CODE else content) for kind, content in sections(binary))


def sections(binary: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the sections of a binary: what kind each is, and its content."""
    at = len(MAGIC)
    while at < len(binary):
        size, start = number(binary, at + 1)
        yield binary[at], binary[start : start + size]
        at = start + size


def joined(parts: Iterator[tuple[int, bytes]]) -> bytes:
    """Return the binary of such sections."""
    return MAGIC + b"".join(
        bytes([kind]) + leb128(len(content)) + content for kind, content in parts
    )


def number(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that stands there (unsigned LEB128), and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def leb128(value: int) -> bytes:
    """Return a number as WebAssembly writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
