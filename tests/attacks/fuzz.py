"""Good exports, changed by chance: the same seed gives the same file.

In come exports; out go files that are nearly exports. Most changes are to the pickle, opcode by
opcode or byte by byte, with the container made anew round it; the others are to the container.
"""

import pickletools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from random import Random

from tests.attacks.assemble import OP, number, parts_of, text, torch_zip

NUMBERS = [0, 1, -1, 2, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32, 2**62, 2**63, 10**30]
FRACTIONS = [0.0, -1.0, 1e-300, 1e300, float("inf"), float("nan")]
TEXTS = ["", "a", "forward", "__class__", "../x", "\ud800", "\x1b[2J", "x" * 5000, "weight", "0"]
NUMBER_OPCODES = {"BININT", "BININT1", "BININT2", "LONG1"}
TEXT_OPCODES = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}
FETCH_OPCODES = {"BINGET", "LONG_BINGET"}
CONSTANTS = {"NONE", "NEWTRUE", "NEWFALSE"}
MAX_SLICE = 400


@dataclass(frozen=True)
class Sample:
    """An export, and what it is made of; one of the legacy format is one part."""

    data: bytes

    @property
    def zipped(self) -> bool:
        return self.data.startswith(b"PK")

    @cached_property
    def parts(self) -> tuple[bytes, dict[str, bytes]]:
        return parts_of(self.data) if self.zipped else (self.data, {})

    @cached_property
    def steps(self) -> list[tuple[str, int]]:
        """The name of each opcode, and where it stands; of a legacy file, those of the object."""
        pickled, steps = self.parts[0], []
        for name, at in _opcodes(pickled):
            steps.append((name, at))
        return steps

    def rebuilt(self, pickled: bytes) -> bytes:
        return torch_zip(pickled, self.parts[1]) if self.zipped else pickled


def _opcodes(pickled: bytes) -> list[tuple[str, int]]:
    """The opcodes of the largest pickle there is, one behind the other."""
    found: list[tuple[str, int]] = []
    at = 0
    while at < len(pickled) and pickled[at : at + 1] == OP.PROTO:
        steps = [(opcode.name, at + (i or 0)) for opcode, _, i in pickletools.genops(pickled[at:])]
        found = max(found, steps, key=len)
        at = steps[-1][1] + 1
    return found


def fuzzed(samples: Sequence[Sample], seed: int) -> bytes:
    """One of the samples with a few changes."""
    chance = Random(seed)
    sample = chance.choice(samples)
    if chance.random() < 0.15:
        return _several(CONTAINER, sample.data, chance)
    if chance.random() < 0.1:
        return _storages(sample, chance)
    if chance.random() < 0.2:
        return sample.rebuilt(_several(BYTES, sample.parts[0], chance))
    change = _splice if chance.random() < 0.25 else _exchange
    return sample.rebuilt(change(sample, chance.choice(samples), chance))


def _several(
    changes: Sequence[Callable[[bytes, Random], bytes]], data: bytes, chance: Random
) -> bytes:
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(changes)(data, chance)
    return data


# Bytes


def _flip(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    return (
        data[:at]
        + bytes(b ^ (1 << chance.randrange(8)) for b in data[at : at + 1])
        + data[at + 1 :]
    )


def _set(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    return data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at + 1 :]


def _delete(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    return data[:at] + data[at + chance.randint(1, MAX_SLICE) :]


def _double(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    piece = data[at : at + chance.randint(1, MAX_SLICE)]
    to = chance.randrange(len(data) or 1)
    return data[:to] + piece * chance.randint(1, 3) + data[to:]


def _cut(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data) or 1)]


def _field(data: bytes, chance: Random) -> bytes:
    """Write a telling number where a header may have a length."""
    form = chance.choice(["<H", "<I", "<Q"])
    value = chance.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
    at = chance.choice(_headers(data)) + chance.randrange(46)
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def _headers(data: bytes) -> list[int]:
    """Where a zip's headers begin; of another file, a place near its end."""
    found, at = [], data.find(b"PK")
    while at >= 0:
        found.append(at)
        at = data.find(b"PK", at + 2)
    return found or [max(0, len(data) - 46)]


BYTES = [_flip, _set, _delete, _double, _cut]
CONTAINER = [_flip, _set, _delete, _double, _cut, _field, _field, _field]


# Opcodes


def _splice(sample: Sample, other: Sample, chance: Random) -> bytes:
    """Put opcodes of one export into another, in the place of some or none."""
    pickled, steps = sample.parts[0], sample.steps
    at = chance.randrange(len(steps) - 1)
    end = min(len(steps) - 1, at + chance.choice([0, 1, 2, 5, 20]))
    piece = _piece(other, chance) if chance.random() < 0.8 else b""
    return pickled[: steps[at][1]] + piece + pickled[steps[end][1] :]


def _exchange(sample: Sample, other: Sample, chance: Random) -> bytes:
    """Change some values for others of their kind: the pickle stays one."""
    pickled, steps = sample.parts[0], sample.steps
    for at in sorted(
        (chance.randrange(len(steps) - 1) for _ in range(chance.choice([1, 2, 4]))), reverse=True
    ):
        if piece := _instead(steps[at][0], other, chance):
            pickled = pickled[: steps[at][1]] + piece + pickled[steps[at + 1][1] :]
    return pickled


def _instead(opcode: str, other: Sample, chance: Random) -> bytes | None:
    if opcode in NUMBER_OPCODES:
        return number(chance.choice(NUMBERS))
    if opcode in TEXT_OPCODES:
        return text(chance.choice(TEXTS))
    if opcode in FETCH_OPCODES:
        return bytes(chance.choice([OP.NONE, OP.EMPTY_TUPLE, OP.EMPTY_LIST, OP.EMPTY_DICT]))
    if opcode in CONSTANTS:
        return bytes(getattr(OP, chance.choice(sorted(CONSTANTS))))
    if opcode == "BINFLOAT":
        return bytes(OP.BINFLOAT + struct.pack(">d", chance.choice(FRACTIONS)))
    return chance.choice(names_of(other)) if opcode == "GLOBAL" else None


def _piece(sample: Sample, chance: Random) -> bytes:
    """Some opcodes in a row."""
    at = chance.randrange(len(sample.steps) - 1)
    end = min(len(sample.steps) - 1, at + chance.choice([1, 2, 5, 20]))
    return sample.parts[0][sample.steps[at][1] : sample.steps[end][1]]


def names_of(sample: Sample) -> list[bytes]:
    """The GLOBALs of an export, as they are written."""
    pickled, steps = sample.parts[0], sample.steps
    pairs = pairwise(steps)
    found = [pickled[at:end] for (name, at), (_, end) in pairs if name == "GLOBAL"]
    return found or [b"cos\nsystem\n"]


# Storages


def _storages(sample: Sample, chance: Random) -> bytes:
    pickled, storages = sample.parts
    if not storages:
        return _several(BYTES, sample.data[-2000:], chance) + sample.data
    changed, key = dict(storages), chance.choice(list(storages))
    other = chance.choice(list(storages.values()))
    changed[key] = chance.choice([_cut(changed[key], chance), other, changed[key] * 2, b""])
    if chance.random() < 0.3:
        del changed[key]
    return torch_zip(pickled, changed)
