"""What plain reading tells of an export, and that it imports and runs nothing."""

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import with_fastai
from voilearn.errors import UnusableModel
from voilearn.export_file import read_export_file

EXPORTS = Path(__file__).parent / "exports"


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
    assert told.learner.picture_size == (288, 288)
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
        "import sys; from voilearn.export_file import read_export_file\n"
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
    from voilearn.learner import load_learner

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
    assert "pip install timm" in (read_export_file(export).hindrance or "")


def test_a_file_is_read_from_the_one_it_was_when_opened(export: Path, tmp_path: Path) -> None:
    """What replaces it at its path meanwhile is another file."""
    from voilearn.export_file import open_export_file

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
