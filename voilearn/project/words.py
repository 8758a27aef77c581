"""A title and an introduction that an app begins with, until its author has better ones.

In come the name of the app's folder and the model's task and classes; out goes plain text, in which
nothing means anything to Markdown, HTML or TOML.
"""

import re
from collections.abc import Sequence

UNNAMED = "Photo classifier"
MOST_NAMED, MOST_LONG = 6, 30  # classes that an introduction names, and characters of a name
PLAIN = re.compile(r"[^\W_]+(?:[ '-][^\W_]+)*")


def title_of(folder: str) -> str:
    """Return a folder's name as a title: "bear-classifier" is "Bear classifier"."""
    words = " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", folder))[:80].strip()
    return words[:1].upper() + words[1:] or UNNAMED


def introduction_of(task: str, classes: Sequence[str]) -> str:
    """Return a sentence that says what to do, and what the model knows."""
    names = [spoken(label) for label in classes]
    short = len(names) <= MOST_NAMED and all(
        len(name) <= MOST_LONG and PLAIN.fullmatch(name) for name in names
    )
    if not short or len(names) == 1:
        what = "what it shows" if len(names) == 1 else f"which of {len(names):,} classes it shows"
    elif task == "multi-label":
        what = f"which of these it shows: {_listed(names, 'and')}"
    else:
        what = f"what it shows: {_listed(names, 'or')}"
    return f"Choose a photo, and see {what}."


def spoken(label: str) -> str:
    """Return a class as a person writes it: "polar_bear" is "polar bear"."""
    return " ".join(label.replace("_", " ").split())


def _listed(names: Sequence[str], last: str) -> str:
    *first, final = names
    return f"{', '.join(first)} {last} {final}"
