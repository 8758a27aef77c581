"""`voilearn page --lab`: which notebook JupyterLab opens, and what is said where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from voilearn.page.title import UNTITLED
from voilearn.project.lab import notebook_of, open_lab
from voilearn.settings import read_settings


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what is temporary."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def cells_of(notebook: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(notebook.read_text("utf-8"))["cells"]]


def test_the_notebook_beside_the_model_is_opened(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "app.ipynb").write_text("{}")
    said: list[str] = []
    assert notebook_of(tmp_path / "export.pkl", said.append) == tmp_path / "app.ipynb"
    assert said == [f"The notebook is {tmp_path / 'app.ipynb'}"]
    assert not list(temporary.iterdir())


def test_a_model_alone_gets_a_notebook_beside_nothing_of_the_users(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / 'my "best" märz' / "other.pkl"
    model.parent.mkdir()
    monkeypatch.chdir(model.parent)
    said: list[str] = []
    notebook = notebook_of(Path("other.pkl"), said.append)
    assert notebook.parent.parent == temporary
    title, *_, opens, shows = cells_of(notebook)
    assert title == f"# {UNTITLED}\n\n"
    called: list[str] = []
    exec(opens, {"connect": called.append})
    assert called == [str(model)]
    assert shows == "Page(classify)"
    assert said == [f"The notebook is new, for there is no app.ipynb beside the model: {notebook}"]
    assert list(model.parent.iterdir()) == []


def test_the_authors_words_and_examples_are_there(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "app.toml").write_text('title = "<Bears>"\nintroduction = "a\\n\\nb"\n')
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "1.jpg").write_bytes(b"photo")
    notebook = notebook_of(tmp_path / "export.pkl", lambda _: None)
    assert cells_of(notebook)[0] == "# <Bears>\n\na\n\nb"
    assert read_settings(notebook.with_name("app.toml")).title == "<Bears>"
    assert (notebook.parent / "examples" / "1.jpg").read_bytes() == b"photo"


def test_a_machine_without_jupyterlab_is_told_by_name(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    with pytest.raises(ImportError) as error:
        open_lab(tmp_path / "export.pkl", 0, False, lambda _: None)
    assert (error.value.name or "").partition(".")[0] == "jupyterlab"
    assert not list(temporary.iterdir())


def test_the_model_is_looked_at_first(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "voilearn", "page", str(tmp_path / "export.pkl"), "--lab"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no file export.pkl" in done.stderr
