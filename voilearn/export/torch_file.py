"""Read what `torch.save` writes, without torch: the pickle as records, the numbers as bytes.

In comes an open file; out goes a `TorchFile`, which holds the records and reads a tensor's numbers
when asked. Both of torch's containers are read, the zip of today and the legacy one (the formats:
torch/serialization.py, `_legacy_save` and `_save`).
"""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from operator import mul
from typing import Any, BinaryIO

from voilearn.export.pickle_machine import read_pickle
from voilearn.export.records import DamagedPickle, PersistentId, Pickle, RefusedPickle, TooMuch
from voilearn.export.tensors import DTYPES, ITEM_SIZES, Tensor, is_storage

FORMATS = {"float32": "f", "float64": "d", "float16": "e"}  # of struct
MAX_NUMBERS = 100_000  # of a tensor that is read here
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
DIRECTORY_BYTES = 4_000_000  # of a zip: a densenet121 has 68,129


@dataclass(slots=True)
class TorchFile:
    """What is in the file: the pickle's records, and `storages`, where the numbers are.

    `format` is `zip` or `legacy`. Numbers can be read as long as the file is open.
    """

    format: str
    pickle: Pickle
    pickle_bytes: int
    storages: "_ZipStorages | _LegacyStorages"

    def read_storage(self, tensor: Tensor) -> bytes:
        """Return the bytes of the storage that a tensor is a view of. Raises DamagedPickle."""
        length = tensor.storage_numel * tensor.item_size
        data = self.storages.read(tensor.key, length)
        if len(data) != length:
            raise DamagedPickle(f"Storage {tensor.key} has not the size that the file says.")
        return data

    def read_numbers(self, tensor: Tensor) -> list[float]:
        """Return the numbers of a small tensor in its order, the last dimension first to change.

        Raises DamagedPickle for one that is large, or holds no floats.
        """
        if tensor.dtype not in FORMATS or tensor.numel > MAX_NUMBERS or len(tensor.size) > 4:
            raise DamagedPickle("A tensor of settings is large, or holds no numbers.")
        stored = self.read_storage(tensor)
        numbers = struct.unpack(f"<{tensor.storage_numel}{FORMATS[tensor.dtype]}", stored)
        places = product(*map(range, tensor.size))
        steps = [sum(map(mul, place, tensor.stride)) for place in places]
        return [float(numbers[tensor.offset + step]) for step in steps]


class NotFromTorch(DamagedPickle):
    """A good zip or a good pickle, but of another program.

    `names` are those of the zip's members or of the pickle's classes, `root` the pickle's value.
    """

    def __init__(self, what: str, names: tuple[str, ...], root: Any = None) -> None:
        super().__init__(what)
        self.names, self.root = names, root


def read_torch_file(file: BinaryIO) -> TorchFile:
    """Read the records of an open file of torch's zip or legacy format.

    Raises NotFromTorch, and DamagedPickle where it is cut short or built to do harm.
    """
    size = file.seek(0, 2)
    file.seek(0)
    is_zip = file.read(2) == b"PK"
    file.seek(0)
    return _read_zip(file, size) if is_zip else _read_legacy(file, size)


# The zip of today: <any folder>/data.pkl, and <any folder>/data/<key> for each storage


def _read_zip(file: BinaryIO, size: int) -> TorchFile:
    archive = _open_zip(file, size)
    members = _members(archive, size)
    at = next((n for n in members if n.count("/") == 1 and n.endswith("/data.pkl")), None)
    if at is None or at.replace("data.pkl", "constants.pkl") in members:
        raise NotFromTorch("This zip was not written by torch.save.", tuple(members))
    folder = at.removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order and _read_member(archive, order, 6) != b"little":
        raise RefusedPickle("Its numbers are in the byte order of another kind of machine")
    with _zip_errors(at), archive.open(members[at]) as stream:
        pickled = read_pickle(stream, members[at].file_size)
    return TorchFile(
        "zip", pickled, members[at].file_size, _ZipStorages(archive, members, f"{folder}data/")
    )


@dataclass(slots=True)
class _ZipStorages:
    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]
    folder: str

    def read(self, key: str, length: int) -> bytes:
        if (member := self.members.get(self.folder + key)) is None:
            raise DamagedPickle(f"The numbers of storage {key} are missing.")
        return _read_member(self.archive, member, length)


def _open_zip(file: BinaryIO, size: int) -> zipfile.ZipFile:
    guard = _Guard(file, size)
    with _zip_errors("The directory of the zip"):
        archive = zipfile.ZipFile(guard)
    guard.most = size
    return archive


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return a zip's members by name; torch only ever stores them, each once, side by side."""
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    for member in listed:
        if member.flag_bits & 1 or member.compress_type != zipfile.ZIP_STORED:
            raise NotFromTorch("This zip is compressed or encrypted.", tuple(members))
        if member.filename.startswith(("/", "\\")) or ".." in member.filename:
            raise DamagedPickle("The zip names files outside itself.")
    if len(members) < len(listed) or sum(member.file_size for member in listed) > size:
        raise DamagedPickle("The zip holds the same bytes twice.")
    return members


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, length: int) -> bytes:
    with _zip_errors(member.filename), archive.open(member) as stream:
        return stream.read() if member.file_size == length else b""


@contextmanager
def _zip_errors(what: str) -> Iterator[None]:
    try:
        yield
    except DamagedPickle:
        raise
    except (zipfile.BadZipFile, struct.error, ValueError, OSError, EOFError) as error:
        raise DamagedPickle(f"{what} is damaged or cut short.") from error
    except (NotImplementedError, OverflowError, RuntimeError, KeyError) as error:
        raise DamagedPickle(f"{what} is damaged or of a kind that is not read.") from error


class _Guard:
    """A file for zipfile, which would read a directory of any length into memory, at once.

    `most` is what one read may ask for; closing it leaves the real file open.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size, self.most = file, size, DIRECTORY_BYTES
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, length: int = -1) -> bytes:
        length = self.size - self.file.tell() if length < 0 else length
        if length > self.most:
            raise TooMuch(f"Its directory takes more than {DIRECTORY_BYTES / 1e6:.0f} MB")
        return self.file.read(length)

    def close(self) -> None:
        """Leave the file to whoever opened it."""


# The legacy format: five pickles, then the numbers of each storage after their count


def _read_legacy(file: BinaryIO, size: int) -> TorchFile:
    first = read_pickle(file, size)
    if first.root != LEGACY_MAGIC:
        raise NotFromTorch("This pickle is not torch's.", _names(first), first.root)
    for _ in ("protocol", "system"):
        read_pickle(file, size)
    start = file.tell()
    pickled = read_pickle(file, size, _class_of_a_layer)
    end = file.tell()
    keys = read_pickle(file, size).root
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DamagedPickle("The list of storages makes no sense.")
    places = dict(_places(file, size, keys, _dtypes(pickled)))
    return TorchFile("legacy", pickled, end - start, _LegacyStorages(file, places))


def _class_of_a_layer(reference: PersistentId) -> Any:
    """Return the class of a layer by its name; the legacy format put its source code beside it."""
    parts = reference.value
    if isinstance(parts, tuple) and len(parts) == 4 and parts[0] == "module":
        return parts[1]
    return reference


@dataclass(slots=True)
class _LegacyStorages:
    file: BinaryIO
    places: dict[str, tuple[int, int]]  # where, and how many bytes

    def read(self, key: str, length: int) -> bytes:
        at, there = self.places.get(key, (0, -1))
        if there < 0:
            raise DamagedPickle(f"The numbers of storage {key} are missing.")
        self.file.seek(at)
        return self.file.read(length) if there == length else b""


def _dtypes(pickled: Pickle) -> dict[str, str]:
    return {
        reference.value[2]: DTYPES.get(reference.value[1].name, ("", 0))[0]
        for reference in pickled.references
        if is_storage(reference)
    }


def _places(
    file: BinaryIO, size: int, keys: list[str], dtypes: dict[str, str]
) -> Iterator[tuple[str, tuple[int, int]]]:
    for key in keys:
        if key not in dtypes or dtypes[key] not in ITEM_SIZES:
            raise RefusedPickle(f"Storage {key} is of a kind that is not read")
        count = file.read(8)
        length = int.from_bytes(count, "little", signed=True) * ITEM_SIZES[dtypes[key]]
        at = file.tell()
        if len(count) < 8 or not 0 <= length <= size - at:
            raise DamagedPickle("The file is cut short: numbers of the network are missing.")
        yield key, (at, length)
        file.seek(at + length)


def _names(pickled: Pickle) -> tuple[str, ...]:
    return tuple(name.path for name in pickled.globals)
