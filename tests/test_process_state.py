"""What no test may leave behind is found."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process_state import changed, process_state

WAYS: dict[str, Callable[[pytest.MonkeyPatch, Path], object]] = {
    "current directory": lambda monkeypatch, folder: monkeypatch.chdir(folder),
    "recursion limit": lambda *_: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
    "variable HOME": lambda monkeypatch, folder: monkeypatch.setenv("HOME", str(folder)),
    "variable VOILEARN_X": lambda monkeypatch, _: monkeypatch.setenv("VOILEARN_X", "1"),
    "variable PATH": lambda monkeypatch, _: monkeypatch.delenv("PATH"),
    "sys.path": lambda monkeypatch, folder: monkeypatch.syspath_prepend(folder),
}


@pytest.mark.parametrize("what", WAYS)
def test_a_change_to_the_process_is_told(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, limit = process_state(), sys.getrecursionlimit()
    try:
        WAYS[what](monkeypatch, tmp_path)
        assert [line.partition(":")[0] for line in changed(before, process_state())] == [what]
    finally:
        sys.setrecursionlimit(limit)


def test_what_a_library_sets_as_it_is_imported_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process_state()
    assert "NOBODYS_OWN" not in os.environ
    monkeypatch.setenv("NOBODYS_OWN", "1")
    assert not changed(before, process_state())
