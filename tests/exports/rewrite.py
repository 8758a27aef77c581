# mypy: ignore-errors
"""Change an export.pkl into what another machine would have written, without opening it.

In comes the name of a change and the path; the file is replaced.
"""

import pickletools
import zipfile
from pathlib import Path
from unittest import mock


def apply(changes, path):
    for change in changes:
        CHANGES[change](path)


def without_folders(path, folders):
    """Shorten the paths of libraries: cloudpickle writes down where a function's source was."""

    def shorten(data):
        kept, done = [], 0
        for opcode, argument, at in pickletools.genops(data):
            folder = next((f for f in folders if str(argument).startswith(f + "/")), None)
            if opcode.name == "BINUNICODE" and folder:
                kept += [data[done:at], text(argument.removeprefix(folder + "/"))]
                done = at + len(text(argument))
        return b"".join([*kept, data[done:]])

    if zipfile.is_zipfile(str(path)):  # fastcore 1.0 gives a Path a read(), and it passes as a file
        _change_pickle(path, shorten)


def saved_on_gpu(path):
    """A storage's place is a string of the pickle: `cpu`, or the first graphics card."""
    _replace_in_pickle(path, text("cpu"), text("cuda:0"))


def saved_on_windows(path):
    _replace_in_pickle(path, b"cpathlib\nPosixPath\n", b"cpathlib\nWindowsPath\n")


def saved_by_python_3_13(path):
    _replace_in_pickle(path, b"cpathlib\nPosixPath\n", b"cpathlib._local\nPosixPath\n")


def numpy_1(path):
    """Before numpy 2, in 2024, its core had no underscore."""
    _replace_in_pickle(path, b"cnumpy._core.", b"cnumpy.core.", must=False)


def legacy_container(path):
    """Let torch write the same objects in its format before 1.6, source of the classes included."""
    import torch

    def source(kind, *_):
        lines, _, _ = original(kind)
        return lines, 0, kind.__module__.replace(".", "/") + ".py"  # not this machine's path

    original = torch.serialization.get_source_lines_and_file
    learn = torch.load(path, weights_only=False)
    with mock.patch("torch.serialization.get_source_lines_and_file", source):
        torch.save(learn, path, pickle_protocol=2, _use_new_zipfile_serialization=False)


CHANGES = {
    "numpy_1": numpy_1,
    "gpu": saved_on_gpu,
    "windows": saved_on_windows,
    "pathlib_local": saved_by_python_3_13,
    "legacy": legacy_container,
}


def text(string):
    """A string as protocol 2 writes it: BINUNICODE, four bytes of length, UTF-8."""
    encoded = string.encode("utf-8")
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def _replace_in_pickle(path: Path, old: bytes, new: bytes, must: bool = True):
    def replace(data):
        assert old in data or not must, f"nothing to replace: {old!r}"
        return data.replace(old, new)

    _change_pickle(path, replace)


def _change_pickle(path: Path, change):
    """Change data.pkl inside torch's zip; every other member keeps its bytes and its alignment."""
    with zipfile.ZipFile(path) as archive:
        members = [(m.filename, archive.read(m)) for m in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            if name.endswith("/data.pkl"):
                data = change(data)
                list(pickletools.genops(data))  # raises if the bytes are no pickle any more
            _write_aligned(archive, name, data)


def _write_aligned(archive: zipfile.ZipFile, name: str, data: bytes):
    """Start the data at a multiple of 64 bytes, as torch does, by a field that nobody reads."""
    info = zipfile.ZipInfo(name)
    start = archive.fp.tell() + 30 + len(name.encode()) + 4
    room = -start % 64
    info.extra = b"FB" + room.to_bytes(2, "little") + b"Z" * room
    archive.writestr(info, data)
