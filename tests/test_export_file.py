"""What plain reading tells of a file, and that it runs nothing."""

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from voilearn.errors import UnusableModel
from voilearn.export_file import read_export_file


def test_our_export_is_told_by_plain_reading(export: Path) -> None:
    told = read_export_file(export)
    assert (told.format, told.task) == ("zip", "single-label")
    assert told.architecture == "timm.models.efficientnet.EfficientNet"
    assert told.size == export.stat().st_size
    assert told.unknown_references == ()
    assert not [name for name in told.references if "__main__" in name]
    json.dumps(told.to_dict())


def test_reading_an_export_imports_no_torch(export: Path) -> None:
    script = (
        "import sys; from voilearn.export_file import read_export_file\n"
        "read_export_file(sys.argv[1]); print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(export)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "fastai", "numpy"} & set(loaded)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, (f"open({str(self.mark)!r}, 'w').close()",))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_reading_runs_nothing_and_names_what_would_run(tmp_path: Path, protocol: int) -> None:
    mark, trap = tmp_path / "ran", tmp_path / "export.pkl"
    # that it names fastai is what makes it an export to the reader
    body = pickle.dumps({"learner": Trap(mark), "n": "fastai.learner"}, protocol)
    body = body[:-1] + b"0cfastai.learner\nLearner\n."
    trap.write_bytes(body)
    told = read_export_file(trap)
    assert "builtins.eval" in {r.replace("__builtin__", "builtins") for r in told.references}
    assert not mark.exists()


def test_a_name_hidden_from_plain_reading_is_told_as_such(tmp_path: Path) -> None:
    """The names last pushed are popped again: what is imported is os.system."""
    hidden = b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x0ffastai.learner0\x8c\x07Learner0\x93."
    export = tmp_path / "export.pkl"
    export.write_bytes(b"\x80\x02cfastai.learner\nLearner\n." + hidden)
    assert "?" in read_export_file(export).unknown_references


def test_running_code_is_never_a_known_name(tmp_path: Path) -> None:
    export = tmp_path / "export.pkl"
    export.write_bytes(b"\x80\x02(cfastai.learner\nLearner\ncbuiltins\neval\nt.")
    assert read_export_file(export).unknown_references == ("builtins.eval",)


def test_a_name_of_the_authors_own_is_told_as_unknown(tmp_path: Path) -> None:
    export = tmp_path / "export.pkl"
    export.write_bytes(b"\x80\x02(cfastai.learner\nLearner\nc__main__\nget_y\nt.")
    assert read_export_file(export).unknown_references == ("__main__.get_y",)


def test_a_zip_of_something_else_is_told(tmp_path: Path) -> None:
    other = tmp_path / "export.pkl"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("photo.txt", "no model")
    with pytest.raises(UnusableModel, match="zip file of something else"):
        read_export_file(other)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="is a folder"):
        read_export_file(tmp_path)


def test_an_export_cut_short_anywhere_is_told(export: Path, tmp_path: Path) -> None:
    data, cut = export.read_bytes(), tmp_path / "cut.pkl"
    for share in range(20):
        cut.write_bytes(data[: len(data) * share // 20])
        with pytest.raises(UnusableModel, match=r"cut short|0 bytes"):
            read_export_file(cut)
