"""The code blocks of README.md and docs/, and which test each of them is for.

In come the documents; out go blocks by kind, and commands by form. Tests take theirs from here, so
a block of no kind, or a command of no form, is one that no test covers.
"""

import re
import sys
from dataclasses import dataclass

from tests.conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = (README, *DOCS)

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
    "make page TORCH=pypi": 'TORCH="pypi" .*/python install/torch_wheels.py requirements.txt',
    "make lab": "jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb",
    "make test": "python -m pytest",
    "make web": "-m voilearn device .*-o web/dist",
    "make web-serve": "-m http.server .*web/dist",
}
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PYTHON = r"(?:\.venv/bin/python|\.venv\\Scripts\\python|python3|py)"
FORMS = {
    "server": "|".join(map(re.escape, SERVERS)),
    "made": "|".join(map(re.escape, MADE)),
    "serve": rf"{PYTHON} -m voilearn serve(?: --model export\.onnx)?",
    "site": rf"{PYTHON} -m voilearn serve --allow-origin https://my-site\.example",
    "ask": r"curl .*",
    "page": "voilearn page .*",
    "watch": rf"(?:{PYTHON} -m |\.venv/bin/)voilearn classify .*--watch .*",
    "camera": r"while rpicam-still .* && mv .*; do sleep 2; done",
    "service": rf"{PYTHON} -m voilearn classify .*--service \S+ .*",
    "voilearn": rf"{PYTHON} -m voilearn (?!serve).*|(?:\.venv/bin/)?voilearn .*",
    "extra": rf'(?:(?:{PYTHON} -m )?pip|pipx|uv tool) install "?(?:\.|voilearn)(?:\[\w+\])?"?'
    rf"(?: --extra-index-url {CPU_INDEX})?",
    "wheels": rf"{PYTHON} -m pip wheel .*|pip install --no-index .*",
    "environment": rf"{PYTHON} (?:-m venv \.venv|-m pip install -r .*|install/.*)",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a document."""

    document: str
    language: str
    text: str


def all_blocks() -> list[Block]:
    return [
        Block(document.name, language, text)
        for document in DOCUMENTS
        for language, text in FENCED.findall(document.read_text("utf-8"))
    ]


def blocks(kind: str) -> list[Block]:
    """The blocks of one kind. There has to be one, or a test would test nothing."""
    found = [block for block in all_blocks() if kind_of(block) == kind]
    assert found, kind
    return found


def kind_of(block: Block) -> str | None:
    """Say which test a block is for, or None if for none."""
    match block.language:
        case "sh" | "bat":
            return "shell" if all(map(form_of, block.text.splitlines())) else None
        case "python" | "js" if "v1/classify" in block.text:
            return "request"
        case "python" if block.document == "page.md":
            return "change" if "load_classify" in block.text else "cell"
        case "toml" if block.document == "page.md":
            return "app.toml"
        case "json" if block.document == "service.md":
            return "answer"
        case "html" if block.document == "embed.md":
            return "embedding"
        case "text" if "mybinder.org" in block.text:
            return "link"
        case "text" if "frame-ancestors" in block.text:
            return "frame"
        case "nginx":
            return "proxy"
        case language if language in NOT_RUN:
            return "not run"
    return None


def commands(form: str) -> list[str]:
    """The commands of one form, each once. There has to be one, or a test would test nothing."""
    lines = [line for block in blocks("shell") for line in block.text.splitlines()]
    found = [line for line in dict.fromkeys(lines) if form_of(line) == form]
    assert found, form
    return found


def form_of(command: str) -> str | None:
    return next((form for form, like in FORMS.items() if re.fullmatch(like, command)), None)


def here(command: str) -> str:
    """Turn a command of a document into one for this environment, whatever system it is for."""
    command = re.sub(r"^(?:\.venv/bin/)?voilearn", f"{sys.executable} -m voilearn", command)
    return re.sub(rf"^{PYTHON} ", lambda _: f"{sys.executable} ", command)
