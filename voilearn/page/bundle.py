"""The page's scripts as one, for hosts that hand out one file, or take a script as one text.

In: the modules of `page/` and of a host's room, of which each imports only from those before it;
out: one script. `PAGE` draws the page, and `PHOTO_WORKER` reads photos in a worker of its own.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
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
    "page/decode.js",
    "page/strips.js",
    "page/reduce.js",
    "page/photo.js",
    "page/photo_worker.js",
)
# Comments that have lines of their own, or end one (without a quote, which may be of a text), types
# in a line, imports, the word "export", empty lines and indentation.
_LEFT_OUT = re.compile(
    r"^ *(?://.*|/\*\*(?s:.*?)\*/)\n|^import [^;]*;\n|^export (?!default)|^ +|^\n"
    r"|(?<=[;:,{})\]]) // [^\"'`\n]*$|/\*\* @type \{[^\n*]*\} \*/ ",
    re.MULTILINE,
)

_LEFT_OUT_OF_STYLES = re.compile(r"^ *(?:/\*(?s:.*?)\*/\n)?|(?<=[{};,])\n", re.MULTILINE)


def one_script(modules: Sequence[str]) -> str:
    """Return modules in one, in which what one exports is simply there for the next."""
    lines = _LEFT_OUT.sub("", "\n".join((ROOMS / name).read_text("utf-8") for name in modules))
    return "".join(
        line if _goes_on(line, after) else f"{line}\n"
        for line, after in pairwise([*lines.splitlines(), ""])
    )


def _goes_on(line: str, after: str) -> bool:
    """Tell whether the next line may stand in this one: where no semicolon could be meant."""
    if " //" in line or not after:  # a comment would take the next line with it
        return False
    return line[-1] in ";,{([" or (line[-1] in ")]}" and after[0] in ")]}")


def one_style(name: str) -> str:
    """Return a style sheet without its comments and its indentation."""
    return _LEFT_OUT_OF_STYLES.sub("", (ROOMS / name).read_text("utf-8"))
