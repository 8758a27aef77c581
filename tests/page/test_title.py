"""The title and the introduction that stand in a notebook's first cell."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from voilearn.errors import UnusableSettings
from voilearn.page.title import read_title, words_of
from voilearn.settings import Settings


def notebook(folder: Path, source: str, kind: str = "markdown") -> Path:
    path = folder / "app.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": kind, "source": [source]}]}), "utf-8")
    return path


def test_our_own_notebook_has_both() -> None:
    title, introduction = read_title(ROOT / "app.ipynb")
    assert title == "Bear classifier"
    assert introduction.startswith("Is it a grizzly, a black bear or a teddy?")


def test_the_introduction_is_the_first_paragraph_on_one_line(tmp_path: Path) -> None:
    path = notebook(tmp_path, "#  Birds of <Bern> \n\n\nWhich\nbird  is it?\n\nMade by me.")
    assert read_title(path) == ("Birds of <Bern>", "Which bird is it?")


def test_a_title_alone_will_do(tmp_path: Path) -> None:
    assert read_title(notebook(tmp_path, "# Birds")) == ("Birds", "")


def test_a_button_that_no_page_has_is_not_named(tmp_path: Path) -> None:
    path = notebook(tmp_path, "# Birds\nWhich is it? Choose one, and press Classify. Good luck!")
    assert read_title(path) == ("Birds", "Which is it? Good luck!")


@pytest.mark.parametrize(
    ("source", "kind"), [("Birds", "markdown"), ("## Birds", "markdown"), ("# Birds", "code")]
)
def test_another_first_cell_is_a_sentence(tmp_path: Path, source: str, kind: str) -> None:
    with pytest.raises(UnusableSettings, match=r"first cell of app\.ipynb .* # My title"):
        read_title(notebook(tmp_path, source, kind))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[[", "{}", '{"cells": []}', '{"cells": [7]}', '{"cells": [{}]}']
)
def test_what_is_no_notebook_is_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "app.ipynb"
    path.write_text(content)
    with pytest.raises(UnusableSettings, match=r"app\.ipynb can't be read"):
        read_title(path)


@pytest.mark.parametrize("source", [7, None, {}, [7]])
def test_a_source_that_is_no_text_is_a_sentence(tmp_path: Path, source: Any) -> None:
    path = tmp_path / "app.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": source}]}))
    with pytest.raises(UnusableSettings, match=r"app\.ipynb"):
        read_title(path)


def test_a_notebook_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match="can't be read"):
        read_title(tmp_path / "app.ipynb")


def test_the_words_of_app_toml_stand_in_place_of_the_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path, "# Birds\nWhich is it?")
    assert words_of(Settings(), path) == ("Birds", "Which is it?")
    assert words_of(Settings(introduction="Mine."), path) == ("Birds", "Mine.")
    assert words_of(Settings(title="Mine"), path) == ("Mine", "")
    assert words_of(Settings(title="Mine"), tmp_path / "none.ipynb") == ("Mine", "")
