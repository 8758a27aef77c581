"""The page's scripts as one, for a notebook, which takes a widget's script as one text.

In: this folder's modules, of which each imports only from those before it; out: one ES module.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
MODULES = (
    "words",
    "scaling",
    "asking",
    "choosing",
    "answer",
    "takeaway",
    "visit",
    "page",
)
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def one_module() -> str:
    """Return the page's modules in one, in which what one exports is simply there for the next."""
    texts = ((HERE / f"{name}.js").read_text("utf-8") for name in MODULES)
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
