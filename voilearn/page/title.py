"""The title of the page, and the sentence below it, as its author's notebook has them.

In comes a notebook; out goes plain text, or an error that says what stands in the way.
"""

import json
import re
from pathlib import Path


class NoTitle(ValueError):
    """Why the notebook gives no title, in a sentence."""


def read_title(notebook: Path) -> tuple[str, str]:
    """Return the heading of the notebook's first cell and the text below it.

    Sentences that name the Classify button are left out: here an answer comes without one.
    Raises NoTitle.
    """
    try:
        cell = json.loads(notebook.read_text("utf-8"))["cells"][0]
        text = "".join(cell["source"]).strip()
        is_markdown = cell.get("cell_type") == "markdown"
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NoTitle(f"The notebook {notebook} can't be read: {error}.") from error
    heading, _, below = text.partition("\n")
    if not is_markdown or not heading.startswith("# "):
        raise NoTitle(
            f"The first cell of {notebook} should be Markdown that begins with a title: # My title"
        )
    paragraph = " ".join(below.strip().partition("\n\n")[0].split())
    sentences = re.split(r"(?<=[.!?]) +", paragraph)
    return heading[2:].strip(), " ".join(s for s in sentences if "Classify" not in s)
