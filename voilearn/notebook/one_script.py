"""The page's scripts as one, for a notebook, which takes a widget's script as one text.

In: the modules of `page/` and of this room, of which each imports only from those before it; out:
one ES module, whose default export is the widget's.
"""

import re
from pathlib import Path

ROOMS = Path(__file__).parents[1]
MODULES = (
    "page/words.js",
    "page/translate.js",
    "page/problem.js",
    "page/limits.js",
    "page/pixels.js",
    "page/upright.js",
    "page/whole.js",
    "page/scaling.js",
    "page/choosing.js",
    "page/answer.js",
    "page/saving.js",
    "page/visit.js",
    "page/page.js",
    "notebook/asker.js",
    "notebook/widget.js",
)
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def one_module() -> str:
    """Return the page's modules in one, in which what one exports is simply there for the next."""
    texts = ((ROOMS / name).read_text("utf-8") for name in MODULES)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
