"""Read a pickle as data: nothing that it names is imported, called or built.

In comes a stream of bytes; out goes a tree of plain values and records. A class or function is a
`Global`, a name and no more; what calling one would have made is an `Instance`, which holds the
arguments and all that was to be put into it. What the records mean is for other rooms to say.

Records, and not an unpickler with a list of allowed names: such a one calls what it allows, and
`getattr(cloudpickle.subimport("os"), "system")` is made of names that clean exports have.
"""

import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from voilearn.export.records import (
    CHECK_EVERY,
    SCALARS,
    DamagedPickle,
    Global,
    Instance,
    PersistentId,
    Pickle,
    RefusedPickle,
    TooMuch,
    check_time,
)

MAX_STEPS = 1_500_000  # a resnet18's export takes 18,000, a densenet121's 77,000
MAX_GLOBALS = 10_000  # an export has 100
MAX_BYTES = 64_000_000  # of text and bytes objects together
MAX_INT_BYTES = 1024
MAX_STATES = 8  # put into one object, one after the other
MAX_NAME, MAX_LINE = 300, 4096

Resolve = Callable[[PersistentId], Any]


def read_pickle(
    stream: IO[bytes], size: int, resolve: Resolve = lambda reference: reference
) -> Pickle:
    """Read one pickle of protocol 0 to 5 from where `stream` stands to its STOP.

    `size` is how many bytes there are in the whole stream: no object may claim more than is left.
    `resolve` returns what is to stand in the place of a reference to something outside the pickle.
    Raises DamagedPickle.
    """
    return _Machine(stream, size, resolve).run()


class _Mark:
    """Stands on the stack where a MARK was."""


class _Machine:
    """Pickle's stack machine, on records (the opcodes: the source of Python's pickletools)."""

    def __init__(self, stream: IO[bytes], size: int, resolve: Resolve) -> None:
        self.stream, self.size, self.resolve = stream, size, resolve
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.references: list[PersistentId] = []
        self.instances: list[Instance] = []
        self.read_bytes = 0

    def run(self) -> Pickle:
        read = self.stream.read
        for step in range(MAX_STEPS):
            if step % CHECK_EVERY == 0:
                check_time()
            code = read(1)
            if code == b".":
                names = list(self.globals.values())
                return Pickle(self.pop(), names, self.instances, self.references)
            try:
                act = STEPS[code]
            except KeyError:
                what = "is cut short" if not code else f"has an opcode {code!r} that is not read"
                raise DamagedPickle(f"The pickle {what}.") from None
            try:
                act(self)
            except DamagedPickle:
                raise
            except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
                raise DamagedPickle("The pickle's steps make no sense.") from error
        raise TooMuch(f"It holds more than {MAX_STEPS:,} steps of pickle")

    # What an opcode's argument is read with

    def take(self, length: int) -> bytes:
        if not 0 <= length <= self.size:
            raise DamagedPickle("The pickle is cut short, or lies about a length.")
        self.read_bytes += length
        if self.read_bytes > MAX_BYTES:
            raise TooMuch(f"It holds more than {MAX_BYTES / 1e6:.0f} MB of text")
        data = self.stream.read(length)
        if len(data) < length:
            raise DamagedPickle("The pickle is cut short.")
        return data

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self, encoding: str = "utf-8") -> str:
        data = self.stream.readline(MAX_LINE)
        if not data.endswith(b"\n"):
            raise DamagedPickle("The pickle is cut short, or has an endless line.")
        return data[:-1].decode(encoding)

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _Mark:
            raise DamagedPickle("The pickle's steps make no sense.")
        return value

    def pop_to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _Mark:
            at -= 1
            if at < 0:
                raise DamagedPickle("The pickle's steps make no sense.")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def top(self) -> Any:
        value = self.stack[-1]
        if value is _Mark:
            raise DamagedPickle("The pickle's steps make no sense.")
        return value

    # What the opcodes do

    def find(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise DamagedPickle("The pickle names a class by what is no text.")
        if not (module + name).isprintable() or len(module) + len(name) > MAX_NAME:
            raise DamagedPickle("The pickle names a class by what is no name.")
        if len(self.globals) > MAX_GLOBALS:
            raise TooMuch(f"It names more than {MAX_GLOBALS:,} classes")
        self.push(self.globals.setdefault((module, name), Global(module, name)))

    def call(self, of: Any, args: Any, kwargs: Any = None) -> None:
        if not isinstance(args, tuple) or not isinstance(kwargs or {}, dict):
            raise DamagedPickle("The pickle calls something with what are no arguments.")
        self.instances.append(Instance(of, args, kwargs or None))
        self.push(self.instances[-1])

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Instance):
            target.items = _longer(target.items, values)
        elif isinstance(target, set):
            target.update(self.keys(values))
        else:
            raise DamagedPickle("The pickle puts items into what holds none.")

    def set_items(self, values: list[Any]) -> None:
        target, pairs = self.top(), list(zip(values[::2], values[1::2], strict=True))
        if isinstance(target, Instance):
            target.pairs = _longer(target.pairs, pairs)
        elif isinstance(target, dict):
            for key, (_, value) in zip(self.keys(values[::2]), pairs, strict=True):
                target[key] = value
        else:
            raise DamagedPickle("The pickle puts items into what holds none.")

    def keys(self, keys: list[Any]) -> Iterator[Any]:
        """Yield keys whose hash is quick: that of nested tuples can take for ever.

        Keys that collide cost the square of their number: so time is checked as they are used.
        """
        for at, key in enumerate(keys):
            if at % CHECK_EVERY == 0:
                check_time()
            parts = key if isinstance(key, tuple) and len(key) <= 16 else (key,)
            if not all(isinstance(part, (*SCALARS, Global, Instance)) for part in parts):
                raise RefusedPickle("It has a dict with a key of a kind that is not read")
            yield key

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, Instance) or len(target.states) >= MAX_STATES:
            raise DamagedPickle("The pickle changes what is no object of its own, or too often.")
        target.states = (*target.states, state)

    def refer(self, value: Any) -> None:
        self.references.append(PersistentId(value))
        self.push(self.resolve(self.references[-1]))

    def refuse(self) -> None:
        raise DamagedPickle("The pickle needs data from outside it.")


def _longer(held: Sequence[Any], more: list[Any]) -> list[Any]:
    if not isinstance(held, list):
        return more
    held.extend(more)
    return held


Step = Callable[[_Machine], Any]


def _int_line(m: _Machine) -> int | bool:
    text = m.line()
    return text == "01" if text in ("00", "01") else int(text)  # protocol 1 has no opcode for bools


def _long(m: _Machine, length: int) -> int:
    if length > MAX_INT_BYTES:
        raise RefusedPickle("It has a number of absurd length")
    return int.from_bytes(m.take(length), "little", signed=True)


def _text(m: _Machine, form: str) -> str:
    return m.take(m.number(form)).decode("utf-8", "surrogatepass")


def _protocol(m: _Machine) -> None:
    if (protocol := m.number("<B")) > pickle.HIGHEST_PROTOCOL:
        raise DamagedPickle(f"The pickle is of protocol {protocol}, which nobody knows.")


def _latin(m: _Machine, form: str) -> str:
    return m.take(m.number(form)).decode("latin-1")  # a str of Python 2


def _quoted(m: _Machine) -> str:
    return m.line().strip("'\"")


def _frozen(m: _Machine) -> Any:
    return frozenset(m.keys(m.pop_to_mark()))


def _tuple(m: _Machine, length: int) -> tuple[Any, ...]:
    values = [m.pop() for _ in range(length)]
    return tuple(reversed(values))


def _remember(m: _Machine, index: int) -> None:
    m.memo[index] = m.top()


def _object(m: _Machine) -> None:
    of, *args = m.pop_to_mark()
    m.call(of, tuple(args))


def _named_object(m: _Machine) -> None:
    m.find(m.line(), m.line())
    of = m.pop()
    m.call(of, tuple(m.pop_to_mark()))


def _new_object(m: _Machine) -> None:
    args, of = m.pop(), m.pop()
    m.call(of, args)


def _new_object_by_name(m: _Machine) -> None:
    kwargs, args, of = m.pop(), m.pop(), m.pop()
    m.call(of, args, kwargs)


def _stack_global(m: _Machine) -> None:
    name, module = m.pop(), m.pop()
    m.find(module, name)


def _dict(m: _Machine) -> None:
    values = m.pop_to_mark()
    m.push({})
    m.set_items(values)


def _one_pair(m: _Machine) -> None:
    value, key = m.pop(), m.pop()
    m.set_items([key, value])


def _one_item(m: _Machine) -> None:
    value = m.pop()
    m.append([value])


def _pushing(make: Callable[[_Machine], Any]) -> Step:
    return lambda m: m.push(make(m))


_BY_NAME: dict[str, Step] = {
    # numbers and constants
    "NONE": _pushing(lambda m: None),
    "NEWTRUE": _pushing(lambda m: True),
    "NEWFALSE": _pushing(lambda m: False),
    "INT": _pushing(_int_line),
    "LONG": _pushing(lambda m: int(m.line().rstrip("L"))),
    "BININT": _pushing(lambda m: m.number("<i")),
    "BININT1": _pushing(lambda m: m.number("<B")),
    "BININT2": _pushing(lambda m: m.number("<H")),
    "LONG1": _pushing(lambda m: _long(m, m.number("<B"))),
    "LONG4": _pushing(lambda m: _long(m, m.number("<i"))),
    "FLOAT": _pushing(lambda m: float(m.line())),
    "BINFLOAT": _pushing(lambda m: struct.unpack(">d", m.take(8))[0]),
    # text and bytes
    "STRING": _pushing(_quoted),
    "BINSTRING": _pushing(lambda m: _latin(m, "<i")),
    "SHORT_BINSTRING": _pushing(lambda m: _latin(m, "<B")),
    "UNICODE": _pushing(lambda m: m.line("raw-unicode-escape")),
    "SHORT_BINUNICODE": _pushing(lambda m: _text(m, "<B")),
    "BINUNICODE": _pushing(lambda m: _text(m, "<I")),
    "BINUNICODE8": _pushing(lambda m: _text(m, "<Q")),
    "SHORT_BINBYTES": _pushing(lambda m: m.take(m.number("<B"))),
    "BINBYTES": _pushing(lambda m: m.take(m.number("<I"))),
    "BINBYTES8": _pushing(lambda m: m.take(m.number("<Q"))),
    "BYTEARRAY8": _pushing(lambda m: m.take(m.number("<Q"))),
    # containers
    "EMPTY_LIST": _pushing(lambda m: []),
    "EMPTY_TUPLE": _pushing(lambda m: ()),
    "EMPTY_DICT": _pushing(lambda m: {}),
    "EMPTY_SET": _pushing(lambda m: set()),
    "LIST": _pushing(lambda m: m.pop_to_mark()),
    "TUPLE": _pushing(lambda m: tuple(m.pop_to_mark())),
    "TUPLE1": _pushing(lambda m: _tuple(m, 1)),
    "TUPLE2": _pushing(lambda m: _tuple(m, 2)),
    "TUPLE3": _pushing(lambda m: _tuple(m, 3)),
    "DICT": _dict,
    "FROZENSET": _pushing(_frozen),
    "APPEND": _one_item,
    "APPENDS": lambda m: m.append(m.pop_to_mark()),
    "ADDITEMS": lambda m: m.append(m.pop_to_mark()),
    "SETITEM": _one_pair,
    "SETITEMS": lambda m: m.set_items(m.pop_to_mark()),
    # stack and memo
    "MARK": lambda m: m.push(_Mark),
    "POP": lambda m: m.stack.pop(),
    "POP_MARK": lambda m: m.pop_to_mark(),
    "DUP": lambda m: m.push(m.top()),
    "PUT": lambda m: _remember(m, int(m.line())),
    "BINPUT": lambda m: _remember(m, m.number("<B")),
    "LONG_BINPUT": lambda m: _remember(m, m.number("<I")),
    "MEMOIZE": lambda m: _remember(m, len(m.memo)),
    "GET": lambda m: m.push(m.memo[int(m.line())]),
    "BINGET": lambda m: m.push(m.memo[m.number("<B")]),
    "LONG_BINGET": lambda m: m.push(m.memo[m.number("<I")]),
    # names, calls and states
    "GLOBAL": lambda m: m.find(m.line(), m.line()),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _new_object,
    "NEWOBJ": _new_object,
    "NEWOBJ_EX": _new_object_by_name,
    "INST": _named_object,
    "OBJ": _object,
    "BUILD": lambda m: m.build(),
    "PERSID": lambda m: m.refer(m.line()),
    "BINPERSID": lambda m: m.refer(m.pop()),
    # protocol
    "PROTO": _protocol,
    "FRAME": lambda m: m.take(8),
    "EXT1": lambda m: m.refuse(),
    "EXT2": lambda m: m.refuse(),
    "EXT4": lambda m: m.refuse(),
    "NEXT_BUFFER": lambda m: m.refuse(),
    "READONLY_BUFFER": lambda m: m.refuse(),
}
STEPS: dict[bytes, Step] = {getattr(pickle, name): step for name, step in _BY_NAME.items()}
