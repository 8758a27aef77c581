"""Record what a process does that opening a model must not: Python's own audit events, judged.

In comes each event of `sys.addaudithook`; out goes a list of findings. The rule:

* never: exec or compile, a process, a socket, a file opened to be written, moved or removed, code
  or functions made from parts, marshal, pickle's find_class, ctypes, changes of the environment;
* never: a file opened to be read, but for the model and Python's own modules;
* exec and compile are let pass for one: plum, by which fastai's transforms choose their code, asks
  beartype whether a value is of a type, and that compiles a check of each type hint of a library
  when it is first needed;
* an import, only of the libraries a model is built of. What importing one of those does in turn
  (import others, run and compile their source, make functions) is its own affair, and is let
  pass: an event is Python's importing if a frame of importlib stands between it and our code.

Importing is rare here, for the libraries are imported and one model opened before the hook is set.
"""

import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

from voilearn.model_file import scope_beside

LIBRARIES = {
    "torch",
    "torchvision",
    "timm",
    "fastai",
    "fastcore",
    "fasttransform",
    "plum",
    "numpy",
    "PIL",
    "voilearn",
}
NEVER = {
    "exec",
    "compile",
    "builtins.breakpoint",
    "builtins.input",
    "code.__new__",
    "function.__new__",
    "pickle.find_class",
    "signal.pthread_kill",
    "sys.addaudithook",
    "sys.setprofile",
    "sys.settrace",
    "sys.unraisablehook",
    "webbrowser.open",
    "mmap.__new__",
}
NEVER_OF = (
    "cpython.run_",
    "ctypes.",
    "ftplib.",
    "http.",
    "imaplib.",
    "marshal.",
    "nntplib.",
    "poplib.",
    "pty.",
    "resource.",
    "shutil.",
    "smtplib.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "syslog.",
    "telnetlib.",
    "tempfile.",
    "urllib.",
)
# What of `os.` only looks.
LOOKS = {"os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PYTHONS_OWN = tuple({str(Path(path).resolve()) for path in sysconfig.get_paths().values()})
MAX_OF_A_KIND = 3  # of what is found again and again


class Audit:
    """The findings, and how often the model was opened, while `active` is set."""

    def __init__(self, model: Path) -> None:
        self.model = os.fspath(model)
        self.scope = os.fspath(scope_beside(model))  # which is of its answers
        self.findings: list[str] = []
        self.opened = 0
        self.active = False
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        self.active = False  # what judging an event does is no event
        try:
            if finding := self.judge(event, args):
                self.note(event, finding)
        finally:
            self.active = True

    def note(self, event: str, finding: str) -> None:
        if sum(known.startswith(event) for known in self.findings) < MAX_OF_A_KIND:
            self.findings.append(finding)

    def judge(self, event: str, args: tuple[Any, ...]) -> str | None:
        if event == "open":
            return self.judge_open(*args)
        if event == "import":
            return judge_import(str(args[0]))
        forbidden = event in NEVER or event.startswith(NEVER_OF)
        if event.startswith("os.") and event not in LOOKS:
            forbidden = True
        if not forbidden or in_import() or is_type_check(event, args):
            return None
        return f"{event} {describe(args)}"

    def judge_open(self, path: Any, mode: Any, flags: Any) -> str | None:
        if isinstance(path, int):
            return None  # a descriptor, which was opened before
        where = os.fsdecode(path)
        if isinstance(flags, int) and flags & WRITES:
            return f"open {describe((where, mode))} to write"
        if where == self.model:
            self.opened += 1
            return None
        if where == self.scope:
            return None
        if where.startswith(PYTHONS_OWN) or str(Path(where).resolve()).startswith(PYTHONS_OWN):
            return None
        return f"open {describe((where,))} to read"


def judge_import(module: str) -> str | None:
    if module.partition(".")[0] in LIBRARIES or in_import():
        return None
    return f"import {module[:80]}"


def is_type_check(event: str, args: tuple[Any, ...]) -> bool:
    """Whether this is the source, or the code, of a check of a type that beartype made."""
    where = args[1] if event == "compile" else getattr(args[0], "co_filename", None)
    known = event in ("compile", "exec") and isinstance(where, str)
    return known and str(where).startswith("<@beartype(__beartype_checker_")


def in_import() -> bool:
    """Whether the event comes from within the source of a module being imported."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "exec_module" and "importlib" in code.co_filename:
            return True
        frame = frame.f_back
    return False


def describe(args: tuple[Any, ...]) -> str:
    """What an event was about, short; a repr of what a file brought could run its code."""
    known = (str, bytes, int, float, type(None))
    parts = [a[:80] if isinstance(a, str | bytes) else a for a in args if isinstance(a, known)]
    return " ".join(ascii(part) for part in parts)
