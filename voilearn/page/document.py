"""A host's document with the page in it: the one markup, and the author's words.

In: a host's template, of which each {{name}} is a place for a value; out: its text, filled in.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from voilearn.page.title import UNTITLED

PAGE = Path(__file__).parent
PARTS = ("markup", "noscript")  # of the HTML, with every host of the page


def document(template: Path, title: str, introduction: str, language: str, **values: str) -> str:
    """Return a host's HTML; `language` is that of the author's words, or empty."""
    parts = {name: (PAGE / f"{name}.html").read_text("utf-8").strip() for name in PARTS}
    words = {
        "title": html.escape(title),
        "named": "" if title != UNTITLED else ' data-say="untitled"',
        "introduction": paragraphs(introduction),
        "language": f' lang="{language}"' if language else "",
    }
    return re.sub(r"^ +", "", fill(template, **parts, **words, **values), flags=re.MULTILINE)


def fill(template: Path, **values: str) -> str:
    """Return a file's text with `{{name}}` replaced by each value."""
    text = template.read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], text)


def as_data(told: Any) -> str:
    """Return JSON for an element of the document, which no word in it can end."""
    return json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")


def paragraphs(introduction: str) -> str:
    """Return an introduction as HTML; an empty line begins a new paragraph."""
    found = (words.strip() for words in re.split(r"\n\s*\n", introduction))
    return "\n".join(f"<p>{html.escape(words)}</p>" for words in found if words)
