"""Look through an .onnx file before a runtime opens it, and refuse what could do harm.

In comes a path; out goes an `OnnxFile`, or UnusableModel. ONNX Runtime reads any file that a model
names, runs operators of anybody's, and loops for as long as a graph says; a compiled learner needs
none of it. (What stays possible is a model that takes much memory or time, or ends the process: its
operators are ONNX's own, but the numbers in it are its author's.)

The file is protocol buffers (onnx.proto of ONNX 1.23), of which only the fields that tell are read;
no number of a tensor is.
"""

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

from voilearn.errors import UnusableModel, printable, shown
from voilearn.model_file import check_head, check_is_a_file

MAX_BYTES = 1_000_000_000
MAX_NODES, MAX_DEPTH = 20_000, 3
MAX_NUMBERS = 1_000_000_000  # in all tensors
MAX_FIELDS, MAX_SIDES = 1_000_000, 16
MAX_KEY, MAX_KEY_BYTES = (1 << 32) - 1, 5
LOOPS = {"Loop", "Scan", "SequenceMap", "LSTM", "GRU", "RNN"}
NO_NUMBERS = ("String", "Regex", "Sequence", "Optional", "SplitToSequence", "ConcatFromSequence")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
STRING = 8


class _Damaged(Exception):
    """What stands in the file is no protocol buffer, or is cut short."""


@dataclass(slots=True)
class OnnxFile:
    """What a model is made of: its operators, and how many numbers its tensors hold."""

    opset: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    limit: int = MAX_NUMBERS


def check_onnx_file(path: Path) -> OnnxFile:
    """Return what is in an .onnx file; raise UnusableModel, with what to do, if it is no good."""
    check_is_a_file(path)
    try:
        return _looked_through(path, path.stat().st_size)
    except OSError as error:
        raise UnusableModel(f"{shown(path)} can't be read: {error.strerror}.") from error


def _looked_through(path: Path, size: int) -> OnnxFile:
    if size > MAX_BYTES:
        raise UnusableModel(
            f"{shown(path)} has {size / 1e6:,.0f} MB; the limit is {MAX_BYTES / 1e6:,.0f} MB."
        )
    with path.open("rb") as file:
        head = file.read(1024)
        if not head.startswith(b"\x08"):
            _refuse_head(shown(path), head)
        file.seek(0)
        found = OnnxFile(limit=min(MAX_NUMBERS, 8 * size))  # a number takes a bit, at the least
        try:
            _read_model(_Message(file, size), found)
        except _Damaged as error:
            raise UnusableModel(
                f"{shown(path)} is damaged or cut short. Copy or download it again, and compare "
                "the sizes."
            ) from error
        except _Refused as error:
            raise UnusableModel(
                f"{shown(path)} {error}. Voilearn runs what `voilearn compile` wrote; compile the "
                "export.pkl of this model."
            ) from error
    return found


class _Refused(Exception):
    """What is in the model, and why it is not run."""


def _refuse_head(name: str, head: bytes) -> None:
    check_head(name, head)
    if head.startswith((b"PK", b"\x80")):
        raise UnusableModel(f"{name} is no ONNX model. If it is an export.pkl, name it so.")
    raise UnusableModel(f"{name} is no ONNX model, or is damaged. Copy or download it again.")


class _Message:
    """A message in the file: its fields, one after the other, up to where it ends."""

    def __init__(self, file: BinaryIO, stop: int, count: Iterator[int] | None = None) -> None:
        self.file, self.stop = file, stop
        self.count = count or itertools.count()  # of the fields in all of the file

    def fields(self) -> Iterator[tuple[int, "int | _Message"]]:
        """Yield each field's number, with its value or, for bytes, what they are as a message."""
        while (at := self.file.tell()) < self.stop:
            key = self._varint()
            if key > MAX_KEY or self.file.tell() - at > MAX_KEY_BYTES:
                raise _Damaged(at)  # protobuf cuts it to 32 bits: another field than it seems
            if next(self.count) > MAX_FIELDS:
                raise _Refused(f"has more than {MAX_FIELDS:,} parts")
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                yield number, self._varint()
            elif kind == BYTES:
                stop = self._varint() + self.file.tell()
                self._check(stop)
                yield number, _Message(self.file, stop, self.count)
                self.file.seek(stop)
            elif kind in (FIXED32, FIXED64):
                stop = self.file.tell() + (4 if kind == FIXED32 else 8)
                self._check(stop)
                self.file.seek(stop)
            else:
                raise _Damaged(at)

    def text(self) -> str:
        at = self.file.tell()
        raw = self.file.read(min(self.stop - at, 1000))
        return printable(raw.decode("utf-8", "replace"), 80)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of a packed field."""
        while self.file.tell() < self.stop:
            yield self._varint()

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.file.read(1)
            if not byte:
                raise _Damaged(self.file.tell())
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                self._check(self.file.tell())
                return value
        raise _Damaged(self.file.tell())

    def _check(self, stop: int) -> None:
        if stop > self.stop:
            raise _Damaged(stop)


def _messages(message: _Message) -> Iterator[tuple[int, _Message]]:
    return ((number, value) for number, value in message.fields() if isinstance(value, _Message))


def _read_model(model: _Message, found: OnnxFile) -> None:
    graphs = 0
    for number, value in _messages(model):
        if number == 7:
            graphs += 1
            _read_graph(value, found, 0)
        elif number == 8:
            _read_opset(value, found)
        elif number == 25:
            raise _Refused("has functions of its own")
    if graphs != 1 or not found.operators:
        raise _Damaged("no graph")


def _read_opset(opset: _Message, found: OnnxFile) -> None:
    domain, version = "", 0
    for number, value in opset.fields():
        if number == 1 and isinstance(value, _Message):
            domain = value.text()
        elif number == 2 and isinstance(value, int):
            version = value
    if domain in ("", "ai.onnx"):
        found.opset = version


def _read_graph(graph: _Message, found: OnnxFile, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Refused("has graphs in graphs in graphs")
    for number, value in _messages(graph):
        if number == 1:
            _read_node(value, found, depth)
        elif number == 5:
            _read_tensor(value, found)
        elif number == 15:
            raise _Refused("has sparse tensors, which become large when they are opened")


def _read_node(node: _Message, found: OnnxFile, depth: int) -> None:
    name = domain = ""
    for number, value in _messages(node):
        if number == 4:
            name = value.text()
        elif number == 7:
            domain = value.text()
        elif number == 5:
            _read_attribute(value, found, depth)
    if domain not in ("", "ai.onnx"):
        raise _Refused(f"has a custom operator, {domain}.{name}, which can be anybody's code")
    if name.startswith(NO_NUMBERS):
        raise _Refused(f"has an operator for other things than numbers ({name})")
    if name in LOOPS:
        raise _Refused(f"has a loop ({name}), which may never end")
    found.operators[name] += 1
    if found.operators.total() > MAX_NODES:
        raise _Refused(f"has more than {MAX_NODES:,} operations")


def _read_attribute(attribute: _Message, found: OnnxFile, depth: int) -> None:
    once: set[int] = set()
    for number, value in _messages(attribute):
        if number in (5, 6):
            if number in once:
                raise _Damaged("twice the same")  # protobuf makes one of both
            once.add(number)
        if number in (5, 10):
            _read_tensor(value, found)
        elif number in (6, 11):
            _read_graph(value, found, depth + 1)
        elif number in (22, 23):
            raise _Refused("has sparse tensors, which become large when they are opened")


def _read_tensor(tensor: _Message, found: OnnxFile) -> None:
    sides: list[int] = []
    for number, value in tensor.fields():
        if number == 1:
            more = iter([value]) if isinstance(value, int) else value.numbers()
            sides.extend(itertools.islice(more, MAX_SIDES + 1))
        elif number == 2 and value == STRING:
            raise _Refused("has tensors of texts")
        elif number == 13 or (number == 14 and value != 0):
            raise _Refused("keeps numbers in another file (external data), which could be any file")
        if len(sides) > MAX_SIDES:
            raise _Damaged("too many sides")
    found.numbers += prod(sides)
    if found.numbers > found.limit:
        raise _Refused(f"has tensors of more numbers than it holds, or over {MAX_NUMBERS:,}")
