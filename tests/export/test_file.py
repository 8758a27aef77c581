"""What plain reading tells of an export, and that it imports and runs nothing."""

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import EXPORTS, with_fastai
from voilearn.errors import UnusableModel
from voilearn.export.file import read_brought, read_export_file
from voilearn.export.leftovers import other_python
from voilearn.export.records import Global, Instance, Pickle


def old(name: str) -> Path:
    """Return one of the exports of tests/exports."""
    return next(iter(EXPORTS.glob(f"*-{name}.pkl")))


@with_fastai
def test_our_export_is_told_by_plain_reading(export: Path) -> None:
    told = read_export_file(export)
    assert (told.format, told.learner.fastai) == ("zip", "2.8 or newer")
    assert told.learner.task == "single-label"
    assert told.learner.network.architecture == "tf_efficientnet_lite0"
    assert told.learner.classes == ("black", "grizzly", "teddy")
    assert told.learner.picture_size == (352, 352)
    assert told.learner.network.parameters == 3_374_851
    assert told.size == export.stat().st_size
    assert told.unknown_references == told.learner.own_code == ()
    assert told.hindrance is None
    json.dumps(told.to_dict())


def test_the_parts_of_a_file_add_up_to_its_size(export: Path) -> None:
    told = read_export_file(export)
    parts = told.to_dict()["bytes"]
    assert sum(parts.values()) == told.size
    assert parts["weights"] > 0.95 * told.size
    assert parts["other"] > 0


def test_reading_an_export_imports_no_torch(export: Path) -> None:
    script = (
        "import sys; from voilearn.export.file import read_export_file\n"
        "read_export_file(sys.argv[1]); print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(export)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "fastai", "numpy", "PIL"} & set(loaded)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, (f"open({str(self.mark)!r}, 'w').close()",))


def with_trap(export: Path, trap: Path, mark: Path) -> Path:
    """Put a trap in front of what is in a good export, where unpickling springs it."""
    with zipfile.ZipFile(export) as source, zipfile.ZipFile(trap, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member.endswith("data.pkl"):
                data = pickle.dumps(Trap(mark), 2)[:-1] + b"0" + data[2:]
            target.writestr(member, data)
    return trap


def test_a_trap_is_not_sprung_but_named(export: Path, tmp_path: Path) -> None:
    trap = with_trap(export, tmp_path / "trap.pkl", tmp_path / "ran")
    told = read_export_file(trap)
    assert told.unknown_references == ("__builtin__.eval",)
    assert not (tmp_path / "ran").exists()


@pytest.mark.model
def test_the_same_trap_is_sprung_by_fastai_and_not_by_us(export: Path, tmp_path: Path) -> None:
    from voilearn.learner.load import load_learner

    trap = with_trap(export, tmp_path / "trap.pkl", tmp_path / "ran")
    load_learner(trap)
    assert not (tmp_path / "ran").exists()
    load_learner(trap, trust=True)
    assert (tmp_path / "ran").exists()


def test_an_author_s_layer_is_a_hindrance_by_its_name() -> None:
    told = read_export_file(old("author_network"))
    assert "__main__.MyNet" in (told.hindrance or "")
    assert "--trust" in (told.hindrance or "")
    assert "__main__.MyNet" in told.to_dict()["layers"]


@with_fastai
def test_an_author_s_label_function_is_own_code_and_no_hindrance() -> None:
    told = read_export_file(old("author_get_y"))
    assert any("__main__" in name for name in told.learner.own_code)
    assert any("__main__" in name for name in told.unknown_references)
    assert told.hindrance is None


def test_a_lambda_that_came_by_value_is_own_code() -> None:
    code = read_export_file(EXPORTS / "2.8.12-lambda_get_y.pkl").learner.own_code
    assert "<lambda> (train.py)" in code


# What each Python makes of `lambda path: path.parent.name`; code has 16 arguments in 3.10, then 18.
ROOM = "00" * 18
LAMBDAS = {
    "3.10 or older": "7c006a006a015300",
    "3.11": "97007c006a0000000000000000006a0100000000000000005300",
    "3.12": f"97007c006a00{ROOM}6a02{ROOM}5300",
    "3.13": f"950055005200{ROOM}5202{ROOM}2400",
    "3.14": f"800056005000{ROOM}5002{ROOM}2300",
}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def with_function(bytecode: bytes | Instance, arguments: int = 18) -> Pickle:
    """A pickle that makes a function of these bytes, as cloudpickle has it."""
    given = (1, 0, 0, 1, 1, 0, bytecode, *[()] * arguments)[:arguments]
    code = Instance(Instance(None, ("CodeType",)), given)
    return Pickle(None, [], [code], [])


@pytest.mark.parametrize("python", LAMBDAS)
def test_which_other_python_wrote_a_function_is_told(python: str) -> None:
    bytecode = bytes.fromhex(LAMBDAS[python])
    told = other_python(with_function(bytecode, 16 if python == "3.10 or older" else 18))
    either = "3.11 or 3.12" if HERE not in ("3.11", "3.12") else python
    names = {"3.11": either, "3.12": either, "3.14": "3.14 or newer"}
    assert told == (None if python == HERE else names.get(python, python))


def test_a_function_of_this_python_is_taken_for_one() -> None:
    bytecode = with_function.__code__.co_code
    assert other_python(with_function(bytecode)) is None
    as_text = Instance(Global("_codecs", "encode"), (bytecode.decode("latin-1"), "latin1"))
    assert other_python(with_function(as_text)) is None
    assert other_python(with_function(b"")) == f"other than {HERE}"


def test_the_python_of_an_export_is_told() -> None:
    assert read_brought(EXPORTS / "2.1.10-author_network.pkl").other_python is None
    told = read_brought(EXPORTS / "2.8.12-author_network.pkl").other_python
    assert told == {"3.11": None, "3.12": "3.11"}.get(HERE, "3.11 or 3.12")


def test_a_multi_label_export_tells_its_thresholds() -> None:
    told = read_export_file(EXPORTS / "2.7.19-multi_label.pkl")
    assert told.learner.task == "multi-label"
    assert told.learner.thresholds == (0.3, 0.3)


@with_fastai
def test_the_legacy_format_is_read() -> None:
    told = read_export_file(old("legacy_container"))
    assert told.format == "legacy"
    assert told.hindrance is None


def test_a_missing_library_is_a_hindrance_with_the_command(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "timm" else name)
    monkeypatch.setattr("voilearn.missing.CHECKOUT", Path("elsewhere"))
    told = read_export_file(export).hindrance or ""
    assert "needs the Python package timm, which is not" in told
    assert told.endswith('pip install "voilearn[timm]"')


def test_a_file_is_read_from_the_one_it_was_when_opened(export: Path, tmp_path: Path) -> None:
    """What replaces it at its path meanwhile is another file."""
    from voilearn.export.file import open_export_file

    copy = tmp_path / "export.pkl"
    copy.write_bytes(export.read_bytes())
    with open_export_file(copy) as (told, file):
        copy.unlink()
        copy.write_bytes(b"another")
        tensor = next(iter(file.storages.members))  # type: ignore[union-attr]
        assert tensor
        assert told.size == export.stat().st_size


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    import os

    pipe = tmp_path / "export.pkl"
    os.mkfifo(pipe)
    with pytest.raises(UnusableModel):
        read_export_file(pipe)
