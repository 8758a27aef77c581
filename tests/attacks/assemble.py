"""Put pickles together opcode by opcode, and torch's two containers round them.

In come values and raw opcodes; out go bytes that `pickle` and `torch.load` read. Nothing here
imports or calls what it names: a hostile file is written by spelling it.
"""

import copyreg
import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from pickletools import opcodes
from types import CellType, CodeType, FunctionType, SimpleNamespace
from typing import Any

import cloudpickle

OP = SimpleNamespace(**{opcode.name: opcode.code.encode("latin-1") for opcode in opcodes})
BUILT_IN_TYPES = {CodeType: "CodeType", CellType: "CellType", FunctionType: "FunctionType"}
MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001


def start(protocol: int) -> bytes:
    return bytes(OP.PROTO + bytes([protocol]))


def name(module: str, attribute: str) -> bytes:
    """GLOBAL: push what `module` has under the name `attribute`."""
    return bytes(OP.GLOBAL + f"{module}\n{attribute}\n".encode())


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return bytes(OP.BINUNICODE + struct.pack("<I", len(data)) + data)


def raw(value: bytes) -> bytes:
    return bytes(OP.BINBYTES + struct.pack("<I", len(value)) + value)


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return bytes(OP.BININT + struct.pack("<i", value))
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return bytes(OP.LONG4 + struct.pack("<i", len(data)) + data)


def several(*values: bytes) -> bytes:
    """A tuple of the values."""
    return bytes(OP.MARK + b"".join(values) + OP.TUPLE)


def listed(*values: bytes) -> bytes:
    return bytes(OP.EMPTY_LIST + OP.MARK + b"".join(values) + OP.APPENDS)


def mapped(**values: bytes) -> bytes:
    pairs = b"".join(text(key) + value for key, value in values.items())
    return bytes(OP.EMPTY_DICT + OP.MARK + pairs + OP.SETITEMS)


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE: push what calling the function gives."""
    return bytes(function + several(*arguments) + OP.REDUCE)


def method(of: bytes, attribute: str) -> bytes:
    """A bound method, or any other attribute, by way of getattr."""
    return call(name("builtins", "getattr"), of, text(attribute))


class Opcodes:
    """In what a `Writer` writes: these opcodes, as they are."""

    def __init__(self, opcodes: bytes) -> None:
        self.opcodes = opcodes


class Name(Opcodes):
    """In what a `Writer` writes: a GLOBAL of these two texts, whether it is there or not."""

    def __init__(self, module: str, attribute: str) -> None:
        super().__init__(name(module, attribute))


class Made:
    """In what a `Writer` writes: what calling `of` gives, with `state` put into it."""

    opcode = OP.REDUCE

    def __init__(self, of: Any, *arguments: Any, state: Any = None) -> None:
        self.of, self.arguments, self.state = of, arguments, state


class New(Made):
    """The same by `of.__new__`, as pickle makes most objects."""

    opcode = OP.NEWOBJ


class Writer(pickle._Pickler):
    """Python's own pickler, with the four above, and functions by value as cloudpickle does."""

    memo: Any
    _function_reduce = cloudpickle.Pickler._function_reduce
    _dynamic_function_reduce = cloudpickle.Pickler._dynamic_function_reduce
    _function_getnewargs = cloudpickle.Pickler._function_getnewargs

    def __init__(self, file: Any, protocol: int | None = 2) -> None:
        super().__init__(file, protocol)
        self.globals_ref: dict[Any, Any] = {}
        its_own = cloudpickle.Pickler.dispatch_table
        own: dict[type, Any] = {kind: its_own[kind] for kind in (CodeType, CellType)}
        self.dispatch_table = {**copyreg.dispatch_table, **own}

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Opcodes):
            self.write(value.opcodes)  # type: ignore[attr-defined]
        elif isinstance(value, Made) and id(value) not in self.memo:
            self.save_made(value)
        else:
            super().save(value, save_persistent_id)  # type: ignore[misc]

    def save_made(self, value: Made) -> None:
        self.save(value.of)
        self.save(value.arguments)
        self.write(value.opcode)  # type: ignore[attr-defined]
        self.memoize(value)  # type: ignore[attr-defined]
        if value.state is not None:
            self.save(value.state)
            self.write(OP.BUILD)  # type: ignore[attr-defined]

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, FunctionType) and "<" in value.__qualname__:  # a lambda, or inner
            return self._function_reduce(value)
        if isinstance(value, type) and value in BUILT_IN_TYPES:
            return cloudpickle.cloudpickle._builtin_type, (BUILT_IN_TYPES[value],)
        return NotImplemented


def plain(value: Any) -> bytes:
    """The opcodes of a value of Python's own, with no memo that could meet another's."""
    file = io.BytesIO()
    writer = Writer(file, 2)
    writer.fast = True
    writer.dump(value)
    return file.getvalue()[2:-1]


# What torch.save and learn.export take as their pickle_module.
WRITING = SimpleNamespace(Pickler=Writer, dump=pickle.dump, __name__="assemble")


def torch_zip(
    pickled: bytes,
    storages: Mapping[str, bytes] | None = None,
    change: Callable[[zipfile.ZipFile], object] | None = None,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """The container of torch.save since 1.6; `change` adds what it likes before it is closed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("export/data.pkl", pickled)
        archive.writestr("export/byteorder", "little")
        for key, data in (storages or {}).items():
            archive.writestr(f"export/data/{key}", data)
        archive.writestr("export/version", "3\n")
        if change:
            change(archive)
    return file.getvalue()


def torch_legacy(
    pickled: bytes,
    storages: Mapping[str, tuple[int, bytes]] | None = None,
    keys: list[Any] | None = None,
) -> bytes:
    """The container of torch.save before 1.6: five pickles, then each storage's count and bytes."""
    storages = storages or {}
    system = {"protocol_version": LEGACY_VERSION, "little_endian": True, "type_sizes": {}}
    head = [pickle.dumps(value, 2) for value in (MAGIC, LEGACY_VERSION, system)]
    tail = [pickle.dumps(list(storages) if keys is None else keys, 2)]
    tail += [struct.pack("<q", count) + data for count, data in storages.values()]
    return b"".join([*head, pickled, *tail])


def parts_of(container: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the storages of a zipped export."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        root = archive.namelist()[0].partition("/")[0]
        members = {member: archive.read(member) for member in archive.namelist()}
    storages = {
        member.rpartition("/")[2]: data
        for member, data in members.items()
        if member.startswith(f"{root}/data/")
    }
    return members[f"{root}/data.pkl"], storages
