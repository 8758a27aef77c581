"""Say what is not installed here, and the one line that installs it.

In come the names of Python packages; out go sentences with a line to paste, for the way in which
Voilearn itself was installed: by pip, pipx or uv, or not at all, in a checkout.
"""

import importlib.util
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from voilearn.errors import printable

WINDOWS = os.name == "nt"
CHECKOUT = Path(__file__).parents[1]
# The extra that brings a package along. What else is missing comes with the learner.
LIGHT = (
    *("fastapi", "fastapi_offline", "filelock", "httptools", "numpy", "onnxruntime", "PIL"),
    *("platformdirs", "prometheus_client", "python_multipart", "starlette", "uvicorn"),
)
NOTEBOOK = ("IPython", "anywidget", "ipywidgets", "jupyterlab", "notebook", "voila")
EXTRAS = {
    **dict.fromkeys(LIGHT, ""),
    **dict.fromkeys(NOTEBOOK, "notebook"),
    "pi_heif": "heic",
    "timm": "timm",
}
NOT_INSTALLED = "not installed here"
KEPT_BY_UV = re.compile(r"(?:archive|environments)-v\d+")  # folders of its cache, for one run


def is_missing(package: str) -> bool:
    """Say whether a package is not installed here, without opening it."""
    return importlib.util.find_spec(package) is None


def missing(error: ImportError) -> str:
    """Return the sentences for what could not be imported: what it is, and what to do."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f"The Python package {error.name} is {NOT_INSTALLED}. Install what this needs: "
            f"{install_line(with_extras([error.name]))}"
        )
    which = f"The Python package {error.name}" if error.name else "A Python package"
    return (
        f"{which} is installed here, but can't be loaded: {printable(str(error))}. "
        "Install Voilearn in a new environment."
    )


def needs(packages: Sequence[str]) -> str:
    """Return what a model needs and has not here, and how to install it, as the end of a sentence.

    A name or more of packages come in.
    """
    *most, last = packages
    several, are = ("s", "are") if most else ("", "is")
    named = f"{', '.join(most)} and {last}" if most else last
    return (
        f"needs the Python package{several} {named}, which {are} {NOT_INSTALLED}: "
        f"{install_line(with_extras(packages))}"
    )


def with_extras(packages: Iterable[str]) -> str:
    """Return what pip is to be asked for, for these packages to be there."""
    extras = {EXTRAS.get(package.partition(".")[0], "learner") for package in packages} - {""}
    return f"voilearn[{','.join(sorted(extras))}]" if extras else "voilearn"


def install_line(wanted: str) -> str:
    """Return the line that installs what is wanted beside what is here, for any shell.

    A checkout has all it needs in its requirements.txt, its own extras among it.
    """
    ours, quoted = wanted.startswith("voilearn"), f'"{wanted}"' if "[" in wanted else wanted
    if _is_checkout() and ours:
        return f"{_installer()} -r {_quoted(_from_here(CHECKOUT / 'requirements.txt'))}"
    if ours and (tool := _tool()):
        return tool.format(quoted)
    return f"{_installer()} {quoted}"


def _is_checkout() -> bool:
    return all((CHECKOUT / name).is_file() for name in ("pyproject.toml", "requirements.txt"))


def _tool() -> str | None:
    """Return the line of a tool that keeps an environment for us alone, or None."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        once = ".cache" in prefix.parts
        return "pipx run --spec {} voilearn …" if once else "pipx install --force {}"
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool install {}"
    if any(map(KEPT_BY_UV.fullmatch, prefix.parts)):
        return "uv tool run --from {} voilearn …"
    return None


def _installer() -> str:
    """Return how something is installed for this very Python."""
    if _is_the_systems():
        new = _quoted(str(Path(".venv", "Scripts" if WINDOWS else "bin", "python")))
        return f"{_python()} -m venv .venv && {new} -m pip install"
    if is_missing("pip"):
        which = _quoted(sys.executable)
        uv = shutil.which("uv")
        return f"uv pip install --python {which}" if uv else f"pip --python {which} install"
    return f"{_python()} -m pip install"


def _is_the_systems() -> bool:
    """Say whether this Python is one that its system alone installs into (PEP 668)."""
    kept = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
    return kept and sys.prefix == sys.base_prefix


def _python() -> str:
    """Return the shortest name by which a shell starts this Python."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and Path(found).absolute() == Path(sys.executable).absolute():
            return name
    return _quoted(sys.executable)


def _from_here(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except (OSError, ValueError):  # the folder may be gone, or elsewhere
        return str(path)


def _quoted(text: str) -> str:
    if WINDOWS:
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)
