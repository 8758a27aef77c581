"""Each kind of file that people have in the place of an export is told by its own sentence."""

import collections
import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import EXPORTS
from voilearn.errors import UnusableModel
from voilearn.export.file import read_export_file

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 46970000\n"


def zip_of(**members: bytes) -> bytes:
    named = {n.replace("__", "/").replace("_pkl", ".pkl"): data for n, data in members.items()}
    return zip_with(named)


def zip_with(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def of_class(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return b"\x80\x02c" + f"{module}\n{last}\n".encode() + b")\x81}b."


def of_torch(pickled: bytes) -> bytes:
    return zip_of(archive__data_pkl=pickled, archive__version=b"3")


WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    "a Git LFS pointer": (lambda: LFS, "git lfs pull"),
    "a web page": (lambda: b"\n<!DOCTYPE html><html>", r"web page.*Download \(or Raw\) button"),
    "a web page with a comment": (lambda: b"<!-- hi -->\n<html lang=de>", "web page"),
    "an empty file": (lambda: b"", "0 bytes"),
    "a safetensors file": (safetensors, "safetensors.*weights alone"),
    "an ONNX model": (lambda: b"\x08\x08\x12\x07pytorch\x1a\x032.0", "ONNX"),
    "a TorchScript model": (
        lambda: zip_of(m__constants_pkl=b"", m__code__main=b"", m__data_pkl=b"\x80\x02N."),
        "TorchScript",
    ),
    "a zip of something else": (lambda: zip_of(readme=b"hello"), "zip file of something else"),
    "a zip with an export in it": (lambda: zip_of(export_pkl=b"\x80"), r"Unpack it.*name that"),
    "an archive": (lambda: gzip.compress(b"x"), "compressed archive"),
    "a scikit-learn model": (lambda: of_class("sklearn.svm._classes.SVC"), "scikit-learn"),
    "a numpy pickle": (lambda: of_class("numpy.core.multiarray._reconstruct"), "numpy arrays"),
    "a pickle of a dict": (lambda: pickle.dumps({"a": 1}), r"pickle \(dict\).*learn\.export\(\)"),
    "a state_dict": (
        lambda: of_torch(pickle.dumps(collections.OrderedDict(a=1), 2)),
        r"weights alone.*learn\.load",
    ),
    "what learn.save writes": (
        lambda: of_torch(pickle.dumps({"model": {}, "opt": {}}, 2)),
        r"weights alone.*learn\.load",
    ),
    "a whole network": (
        lambda: of_torch(
            b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81}X\x08\x00\x00\x00_modules}sb."
        ),
        "whole network",
    ),
    "a fastai v1 learner": (
        lambda: of_torch(b"\x80\x02}X\x03\x00\x00\x00clscfastai.basic_train\nLearner\ns."),
        "fastai v1",
    ),
    "a text file": (lambda: b"hello, I am no model", "text file"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n", "picture"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_told_with_what_to_do(tmp_path: Path, kind: str) -> None:
    make, told = WRONG[kind]
    wrong = tmp_path / "export.pkl"
    wrong.write_bytes(make())
    with pytest.raises(UnusableModel, match=told) as error:
        read_export_file(wrong)
    assert str(error.value).startswith("export.pkl ")
    assert len(str(error.value)) < 400


def test_each_wrong_file_has_a_sentence_of_its_own(tmp_path: Path) -> None:
    said = set()
    for make, _ in WRONG.values():
        wrong = tmp_path / "export.pkl"
        wrong.write_bytes(make())
        with pytest.raises(UnusableModel) as error:
            read_export_file(wrong)
        said.add(str(error.value))
    same = {"a web page with a comment", "what learn.save writes"}  # as the one before
    assert len(said) == len(WRONG) - len(same)


def refused() -> list[Path]:
    """The learners of tests/exports that sort no pictures."""
    told = [(path, json.loads(path.read_text())) for path in sorted(EXPORTS.glob("*.json"))]
    return [path for path, facts in told if facts["kind"] != "image classifier"]


KINDS = {"fastai 1": "fastai v1", "points": "finds points"}


@pytest.mark.parametrize("facts", refused(), ids=lambda path: path.stem)
def test_another_kind_of_learner_is_named_as_such(facts: Path) -> None:
    kind = json.loads(facts.read_text())["kind"]
    with pytest.raises(UnusableModel) as error:
        read_export_file(facts.with_suffix(".pkl"))
    assert KINDS.get(kind, kind) in str(error.value)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="is a folder"):
        read_export_file(tmp_path)


def test_an_export_packed_again_is_told(export: Path, tmp_path: Path) -> None:
    again = tmp_path / "export.pkl"
    packed = zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(export) as source, packed as target:
        for member in source.namelist():
            target.writestr(member, source.read(member))
    with pytest.raises(UnusableModel, match="packed again"):
        read_export_file(again)


def test_an_export_cut_short_anywhere_is_told(export: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pkl"
    legacy = next(iter(EXPORTS.glob("*-legacy_container.pkl")))
    for whole in (export, legacy):
        data = whole.read_bytes()
        for share in range(20):
            cut.write_bytes(data[: len(data) * share // 20])
            with pytest.raises(UnusableModel, match=r"cut short|0 bytes"):
                read_export_file(cut)


OTHERS: dict[str, tuple[bytes, str]] = {
    "a git-annex pointer": (b"../.git/annex/objects/zz/SHA256E-s1--a.pkl", "git annex get"),
    "a git-annex pointer file": (b"/annex/objects/MD5E-s46970000--ab.pkl\n", "git annex get"),
    "a DVC pointer": (b"outs:\n- md5: abc\n  path: export.pkl\n", "dvc pull"),
    "a Xet pointer": (b"# xet version 0\nfilesize = 12\n", "git xet install"),
    "a Core ML model": (b"\x08\x04\x12\x1c\n\x05photo" + bytes(60), "Core ML model"),
    "an ONNX model without a producer": (b"\x08\n:\x10" + bytes(40), "ONNX model"),
    "a TensorFlow Lite model": (b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite"),
    "a language model": (b"GGUF\x03\0\0\0" + bytes(100), "language model"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
    "numpy's numbers": (b"\x93NUMPY\x01\0" + bytes(100), "numpy array"),
    "numpy's zip": (zip_with({"a.npy": b"x"}), r"numpy arrays \(\.npz\)"),
    "a Keras 3 model": (zip_of(**{"config.json": b"{}", "model.weights.h5": b"x"}), "Keras model"),
    "a SavedModel": (zip_with({"m/saved_model.pb": b"x"}), "TensorFlow model"),
    "a Core ML package": (zip_of(**{"m.mlpackage/Manifest.json": b"{}"}), "Core ML"),
    "a network of torch.export": (zip_with({"m/archive_format": b"pt2", "m/data/a.pt": b""}),
                                  r"torch\.export wrote"),
    "a model of transformers": (zip_with({"pytorch_model.bin": b"x"}), "transformers"),
    "an empty zip": (zip_of(), "empty zip"),
    "a zip of macOS": (zip_with({"__MACOSX/._a.pkl": b"x", "a.pkl": b"x"}), r"zip with 'a\.pkl'"),
    "a torch file of 2016": (b"sys_info" + bytes(249) + b"ustar" + bytes(99), "torch of 2016"),
    "zlib": (zlib.compress(b"x" * 99), "compressed, as joblib"),
    "Zstandard": (b"\x28\xb5\x2f\xfd" + bytes(99), "compressed archive"),
    "a TIFF": (b"II*\0" + bytes(99), "a picture"),
    "a BMP": (b"BM\x66\0\0\0\0\0\0\0" + bytes(99), "a picture"),
    "a video": (b"\0\0\0\x20ftypisom" + bytes(99), "a video"),
    "a sound": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(99), "a sound"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(99), "PDF"),
    "a table": (b"fname,label\na.jpg,cat\n", "begins with 'fname,label'"),
    "a few letters": (b"hi", "text file that begins with 'hi'"),
    "a line break": (b"\n", "text file"),
    "settings": (b"[page]\ntitle = 1\n", r"begins with '\[page\]'"),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(99), "begins with the bytes 7f 45 4c 46 02"),
    "a database": (b"SQLite format 3\0" + bytes(99), "begins with the bytes 53 51 4c"),
    "a pickle of YOLO's": (of_torch(of_class("ultralytics.nn.tasks.DetectionModel")), "finds obj"),
    "a pickle of a table": (of_class("pandas.core.frame.DataFrame"), "pandas table"),
    "a pickle of a function": (of_class("functools.partial"), r"pickle \(functools\.partial\)"),
}  # fmt: skip


@pytest.mark.parametrize(("written", "told"), OTHERS.values(), ids=OTHERS)
def test_a_whole_file_of_another_kind_is_named_and_not_called_damaged(
    tmp_path: Path, written: bytes, told: str
) -> None:
    wrong = tmp_path / "export.pkl"
    wrong.write_bytes(written)
    with pytest.raises(UnusableModel, match=told) as error:
        read_export_file(wrong)
    assert "damaged" not in str(error.value)
    assert str(error.value).isprintable()


TEXTS = [
    b"\xef\xbb\xbf<!DOCTYPE html>",
    "\ufeff<html>".encode("utf-16-le"),
    b"<meta charset=utf-8>",
    b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\r\n",
    b"404: Not Found",
    b"Quota exceeded for this bandwidth",
    b"\x00" * 4096,
    b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ",
    b"%PDF-1.7 some document",
    b"RIFF\x24\x00\x00\x00WEBPVP8 ",
    b"\x80\x04\x95\x10\x00\x8c\x13joblib.numpy_pickle\x94",
]


@pytest.mark.parametrize("written", TEXTS, ids=lambda data: repr(data[:16]))
def test_what_a_failed_download_leaves_is_not_called_damaged(
    tmp_path: Path, written: bytes
) -> None:
    wrong = tmp_path / "export.pkl"
    wrong.write_bytes(written)
    with pytest.raises(UnusableModel) as error:
        read_export_file(wrong)
    assert "damaged" not in str(error.value)
