"""The page's scripts as one, for hosts that hand out one file, or take a script as one text.

In: the modules of `page/` and of a host's room, of which each imports only from those before it;
out: one script. `PAGE` draws the page, and `PHOTO_WORKER` reads photos in a worker of its own.
"""

import re
from collections.abc import Sequence
from pathlib import Path

ROOMS = Path(__file__).parents[1]
PAGE = (
    "page/words.js",
    "page/translate.js",
    "page/problem.js",
    "page/reader.js",
    "page/choosing.js",
    "page/answer.js",
    "page/saving.js",
    "page/visit.js",
    "page/page.js",
)
PHOTO_WORKER = (
    "page/limits.js",
    "page/pixels.js",
    "page/header.js",
    "page/upright.js",
    "page/whole.js",
    "page/strips.js",
    "page/reduce.js",
    "page/photo.js",
    "page/photo_worker.js",
)
# Comments that have lines of their own, or end one (without a quote, which may be of a text),
# imports, the word "export", empty lines and indentation.
_LEFT_OUT = re.compile(
    r"^ *(?://.*|/\*\*(?s:.*?)\*/)\n|^import [^;]*;\n|^export (?!default)|^ +|^\n"
    r"|(?<=[;,{})\]]) // [^\"'`\n]*$",
    re.MULTILINE,
)

_LEFT_OUT_OF_STYLES = re.compile(r"^ *(?:/\*(?s:.*?)\*/\n)?", re.MULTILINE)


def one_script(modules: Sequence[str]) -> str:
    """Return modules in one, in which what one exports is simply there for the next."""
    return _LEFT_OUT.sub("", "\n".join((ROOMS / name).read_text("utf-8") for name in modules))


def one_style(name: str) -> str:
    """Return a style sheet without its comments and its indentation."""
    return _LEFT_OUT_OF_STYLES.sub("", (ROOMS / name).read_text("utf-8"))
