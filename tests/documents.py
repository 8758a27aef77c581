"""The code blocks of README.md and docs/, and which test each of them is for.

In come the documents; out go blocks by kind, and the commands for a shell. Tests take their blocks
from here, so a block that no kind holds is one that no test covers (`uncovered`).
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = (README, *DOCS)
BIN = Path(sys.executable).parent

FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$\n?", re.MULTILINE | re.DOTALL)

# No test runs these, for want of their compilers; that they name what the service has is tested.
NOT_RUN = ("swift", "kotlin")

# Commands that start a server: the browser tests run these very ways, so here they are only told.
SERVERS = {
    "make page": "make",
    ".venv/bin/voila app.ipynb": "voila",
    r".venv\Scripts\voila app.ipynb": "voila",
    "jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb": "lab",
}
# What make would run for these is compared, for they install or serve.
MADE = {
    "make page REQUIREMENTS=binder/requirements.txt": "pip .*install -r binder/requirements.txt",
    "make lab": "jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb",
    "make test": "python -m pytest",
    "make web": "-m voilearn compile .*web/build.py",
    "make web-serve": "-m http.server .*web/dist",
}
PYTHON = r"(?:\.venv/bin/python|\.venv\\Scripts\\python|python3|py)"
KINDS = {
    "server": "|".join(map(re.escape, SERVERS)),
    "made": "|".join(map(re.escape, MADE)),
    "service": rf"{PYTHON} -m voilearn serve.*|curl .*",
    "voilearn": rf"{PYTHON} -m voilearn (?!serve).*|\.venv/bin/voilearn .*",
    "example": rf"{PYTHON} examples/.*",
    "extra": rf"{PYTHON} -m pip install '\.\[\w+\]'",
    "environment": rf"{PYTHON} -m (?:venv \.venv|pip install -r .*)",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a document."""

    document: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """All blocks, or those in some languages."""
    found = [
        Block(document.name, language, text)
        for document in DOCUMENTS
        for language, text in FENCED.findall(document.read_text("utf-8"))
    ]
    return [block for block in found if not languages or block.language in languages]


def commands(kind: str) -> list[str]:
    """The commands of one kind for a shell, each once."""
    lines = [line for block in blocks("sh", "bat") for line in block.text.splitlines()]
    return [line for line in dict.fromkeys(lines) if kind_of(line) == kind]


def kind_of(command: str) -> str | None:
    return next((kind for kind, form in KINDS.items() if re.fullmatch(form, command)), None)


def app_tomls() -> list[Block]:
    return blocks("toml")


def answers() -> list[Block]:
    return blocks("json")


def links() -> list[Block]:
    return blocks("text")


def requests() -> list[Block]:
    """Programs that ask the service."""
    return [*[block for block in blocks("python") if "urlopen" in block.text], *blocks("js")]


def cells() -> list[Block]:
    """What app.ipynb has in it."""
    return [block for block in _of_the_page() if "load_classify" not in block.text]


def changed_cells() -> list[Block]:
    """What an author puts in the place of a line of app.ipynb."""
    return [block for block in _of_the_page() if "load_classify" in block.text]


def _of_the_page() -> list[Block]:
    return [block for block in blocks("python") if block.document == "page.md"]


def uncovered(asked: Iterable[Block]) -> list[Block]:
    """Those that no test runs or compares."""
    shell = [
        block
        for block in blocks("sh", "bat")
        if all(kind_of(line) for line in block.text.splitlines())
    ]
    kinds = [app_tomls(), answers(), links(), requests(), cells(), changed_cells()]
    covered = {*shell, *blocks(*NOT_RUN), *(block for kind in kinds for block in kind)}
    return [block for block in asked if block not in covered]


def here(command: str) -> str:
    """Turn a command of a document into one for this environment, whatever system it is for."""
    command = re.sub(r"^\.venv/bin/voilearn", f"{sys.executable} -m voilearn", command)
    return re.sub(rf"^{PYTHON} ", lambda _: f"{sys.executable} ", command)
