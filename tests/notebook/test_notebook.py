"""app.ipynb: short, clean, and it runs."""

import copy
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.conftest import ROOT
from tests.waiting import WITHIN

NOTEBOOKS = sorted(p for p in (*ROOT.glob("*.ipynb"), *ROOT.glob("training/*.ipynb")))


@pytest.fixture(scope="module")
def app() -> Any:
    return nbformat.read(ROOT / "app.ipynb", as_version=4)


def test_the_app_is_a_heading_and_a_few_short_cells(app: Any) -> None:
    kinds = [cell.cell_type for cell in app.cells]
    assert kinds.count("markdown") == 1
    assert 1 <= kinds.count("code") <= 5
    assert app.cells[0].source.startswith("# ")
    assert all(len(cell.source.splitlines()) <= 10 for cell in app.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_carry_no_outputs_and_no_counts(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.model
def test_a_model_that_cannot_be_opened_is_a_sentence_in_place_of_the_page(
    app: Any, tmp_path: Path
) -> None:
    """A Git LFS pointer is what most people have by mistake."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    (tmp_path / "export.pkl").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "voilearn").symlink_to(ROOT / "voilearn")
    notebook = copy.deepcopy(app)
    client = NotebookClient(
        notebook, timeout=int(WITHIN), resources={"metadata": {"path": str(tmp_path)}}
    )
    with pytest.raises(CellExecutionError):
        client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("git lfs pull" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert not [o for cell in notebook.cells for o in cell.get("outputs", []) if "ename" in o]


@pytest.mark.model
def test_the_app_runs_from_top_to_bottom_and_ends_in_the_page(app: Any) -> None:
    from nbclient import NotebookClient

    client = NotebookClient(app, timeout=int(WITHIN), resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    outputs = [output for cell in app.cells for output in cell.get("outputs", [])]
    assert len(outputs) == 1, "a page, and nothing printed on the way"
    assert "application/vnd.jupyter.widget-view+json" in outputs[0].data


def test_the_app_runs_with_a_compiled_model_and_no_torch(app: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from nbclient import NotebookClient

    from tests import onnx_files

    onnx_files.write(tmp_path, onnx_files.model())
    (tmp_path / "voilearn").symlink_to(ROOT / "voilearn")
    notebook = copy.deepcopy(app)
    for cell in notebook.cells:
        cell.source = cell.source.replace("export.pkl", "export.onnx")
    torch = "import sys; print('torch' in sys.modules, 'fastai' in sys.modules)"
    notebook.cells.append(nbformat.v4.new_code_cell(torch))
    client = NotebookClient(
        notebook, timeout=int(WITHIN), resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    page, loaded = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert "application/vnd.jupyter.widget-view+json" in page.data
    assert loaded.text == "False False\n"
