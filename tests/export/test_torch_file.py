"""Both of torch's containers give the numbers that torch gives; a file built to harm gives none."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from voilearn.export.records import DamagedPickle
from voilearn.export.tensors import tensor_of
from voilearn.export.torch_file import NotFromTorch, read_torch_file

torch = pytest.importorskip("torch")

TENSORS = [
    torch.arange(6.0).reshape(2, 3),
    torch.arange(6.0).reshape(2, 3).T,
    torch.arange(10.0)[3:7:2],
    torch.tensor([1.5, -2.5], dtype=torch.float16),
    torch.tensor([0.1], dtype=torch.float64),
]


def saved(value: Any, zipped: bool = True) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=zipped)
    return file


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: f"{t.dtype}, {tuple(t.stride())}")
def test_the_numbers_of_a_tensor_are_those_that_torch_saved(tensor: Any, zipped: bool) -> None:
    contents = read_torch_file(saved({"a": tensor}, zipped))
    assert contents.format == ("zip" if zipped else "legacy")
    found = tensor_of(contents.pickle.root["a"])
    assert found
    assert found.size == tuple(tensor.shape)
    assert contents.read_numbers(found) == tensor.flatten().tolist()


def changed(change: str, file: io.BytesIO) -> io.BytesIO:
    """Write a zip anew, with something in it that torch never does."""
    out = io.BytesIO()
    packing = zipfile.ZIP_DEFLATED if change == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(out, "w", packing) as target:
        for name in source.namelist():
            if not (change == "missing" and name.endswith("data/0")):
                data = source.read(name)
                target.writestr(name, data[:-1] if change == "short" and "data/" in name else data)
        if change == "twice":
            target.writestr(source.namelist()[0], b"\x80\x02N.")
        if change == "outside":
            target.writestr("archive/../../x", b"")
        if change == "big end":
            target.writestr("archive/byteorder", b"big")
    return out


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "change", ["compressed", "twice", "outside", "missing", "short", "big end"]
)
def test_a_zip_as_torch_never_writes_it_is_refused(change: str) -> None:
    with pytest.raises(DamagedPickle):
        contents = read_torch_file(changed(change, saved([torch.ones(100)])))
        tensor = tensor_of(contents.pickle.root[0])
        assert tensor
        contents.read_storage(tensor)


def test_numbers_that_were_damaged_are_told() -> None:
    data = bytearray(saved([torch.ones(1000)]).getvalue())
    at = data.index(b"\x00\x00\x80\x3f" * 100)
    data[at + 7] ^= 1
    contents = read_torch_file(io.BytesIO(data))
    tensor = tensor_of(contents.pickle.root[0])
    assert tensor
    with pytest.raises(DamagedPickle, match="damaged"):
        contents.read_storage(tensor)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x80\x02N.", b"PK\x05\x06" + bytes(18)])
def test_what_torch_did_not_write_is_told(data: bytes) -> None:
    with pytest.raises(DamagedPickle):
        read_torch_file(io.BytesIO(data))


def test_the_names_in_a_foreign_zip_are_kept_for_the_sentence(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", b"")
    with pytest.raises(NotFromTorch) as error:
        read_torch_file(file)
    assert error.value.names == ("photo.jpg",)


def test_a_zip_of_a_million_files_is_refused_before_they_are_listed() -> None:
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 200_000
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff"
    end += len(directory).to_bytes(4, "little") + bytes(4) + bytes(2)
    with pytest.raises(DamagedPickle, match="directory"):
        read_torch_file(io.BytesIO(directory.replace(b"PK\x01\x02", b"PK\x01\x02", 1) + end))
