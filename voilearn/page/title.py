"""The title and the introduction of a page: those of app.toml, or of the notebook's first cell.

In: what app.toml says, and the notebook's file; out: plain text, or an error that says what the
cell has to be.
"""

import json
import re
from pathlib import Path

from voilearn.errors import UnusableSettings, shown
from voilearn.settings import Settings

UNTITLED = "What does this photo show?"  # in words.js, too


def words_of(settings: Settings, notebook: Path) -> tuple[str, str]:
    """Return title and introduction. A title of app.toml stands in place of the whole cell.

    Raises UnusableSettings if neither has a title.
    """
    if settings.title:
        return settings.title, settings.introduction
    title, introduction = read_title(notebook)
    return title, settings.introduction or introduction


def read_title(notebook: Path) -> tuple[str, str]:
    """Return the heading of the first cell and the paragraph below it, as plain text.

    Sentences that name a Classify button are left out: a notebook of before may have one, and no
    page has that button now. Raises UnusableSettings.
    """
    try:
        cell = json.loads(notebook.read_text("utf-8"))["cells"][0]
        text = "".join(cell["source"]).strip()
        kind = cell.get("cell_type")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableSettings(
            f"The notebook {shown(notebook)} can't be read, or has no cells. "
            "Open it in Jupyter, and save it again."
        ) from error
    heading, _, below = text.partition("\n")
    if kind != "markdown" or not heading.startswith("# "):
        raise UnusableSettings(
            f"The first cell of {shown(notebook)} should be Markdown that begins with a title: "
            "# My title"
        )
    paragraph = " ".join(below.strip().partition("\n\n")[0].split())
    sentences = re.split(r"(?<=[.!?]) +", paragraph)
    return heading[2:].strip(), " ".join(s for s in sentences if "Classify" not in s)
