"""Write app.toml, with a place for the words of each class.

In come a title, an introduction and the model's classes; out goes TOML that `settings.py` reads,
whatever stands in a class's name, and that says how it is filled in.
"""

import json
import re
import unicodedata
from collections.abc import Sequence

from voilearn.project.words import spoken
from voilearn.settings import UNSHOWN

ROOM = 40_000  # bytes of classes: less than half of what an app.toml may have
LONGEST = 100  # characters of a name that `settings.py` takes
COLOURS = (
    *("#b0713c", "#7d8a97", "#c2607f", "#3f7fbf"),
    *("#5b8c4a", "#8a63b0", "#b8892b", "#3b9a94"),
)
HEAD = """\
# The words of your page. Change what stands between the quotes, save this file, and start the page
# anew: voilearn page. A line that begins with # is a note, and says nothing.

title = {title}
introduction = {introduction}
# language = "en"

# Each class has a place below. The name in brackets is the model's own: leave it as it is.
#
#   name         how an answer says it, as "A grizzly bear, 97 % sure"
#   description  a sentence below the answer, as "Brown, with a hump of muscle."
#   colour       of its bar, as "#b0713c"
#
# All of it may be left out. What else there is: https://pypi.org/project/voilearn/
"""
MORE = """
# {more} no place here yet. Give one to those that you have words for, as above:
# voilearn inspect --json {model} names them all.
"""


def app_toml(title: str, introduction: str, classes: Sequence[str], model: str) -> str:
    """Return the text of an app.toml; `model` is the name of the model's file beside it."""
    text = HEAD.format(title=_quoted(title), introduction=_quoted(introduction))
    written = dict.fromkeys(label for label in classes if _can_be_written(label))
    left, told = ROOM, 0
    for number, label in enumerate(written):
        block = _block(label, COLOURS[number] if len(classes) <= len(COLOURS) else "")
        left -= len(block.encode())
        if left < 0:
            break
        text += f"\n{block}"
        told += 1
    missing = len(classes) - told
    more = "One more class has" if missing == 1 else f"{missing:,} more classes have"
    return text + (MORE.format(more=more, model=model) if missing else "")


def _block(label: str, colour: str) -> str:
    lines = [f"[classes.{_key(label)}]", _name(spoken(label)), 'description = ""']
    return "\n".join([*lines, *([f"colour = {_quoted(colour)}"] if colour else []), ""])


def _name(name: str) -> str:
    usable = 0 < len(name) <= LONGEST and not any(map(_is_unshown, name))
    return f"name = {_quoted(name)}" if usable else '# name = ""'


def _key(label: str) -> str:
    return label if re.fullmatch(r"[A-Za-z0-9_-]+", label) else _quoted(label)


def _quoted(text: str) -> str:
    """Return a text as a string of TOML, which is one of JSON, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _can_be_written(label: str) -> bool:
    """Say whether a text can stand in a file in UTF-8 at all."""
    return not any(unicodedata.category(sign) == "Cs" for sign in label)


def _is_unshown(sign: str) -> bool:
    return unicodedata.category(sign) in UNSHOWN
