"""The folder where services are found: whose it is, and what may lie in it."""

import json
import os
import stat
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from voilearn import runtime_folder
from voilearn.errors import ServiceNotReady, UnusableFolder
from voilearn.runtime_folder import Entry, RuntimeFolder

ENTRY = Entry("http://127.0.0.1:1234", "token", "/models/export.pkl", "0" * 64)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> RuntimeFolder:
    return RuntimeFolder(tmp_path / "voilearn")


def test_an_entry_is_read_as_it_was_written_by_its_user_alone(folder: RuntimeFolder) -> None:
    failed = replace(ENTRY, file_sha256="1" * 64, error=("UnusableModel", "It is no good."))
    odd = replace(ENTRY, file_sha256="2" * 64, model="/m\udce4dels/é\n.pkl")
    for entry in (ENTRY, failed, odd):
        folder.write(entry)
    assert sorted(folder.entries(), key=lambda e: e.file_sha256) == [ENTRY, failed, odd]
    assert mode(folder.path) == 0o700
    assert [mode(folder.path / entry.name) for entry in folder.entries()] == [0o600] * 3


def test_an_entry_takes_the_place_of_the_one_before(folder: RuntimeFolder) -> None:
    folder.write(ENTRY)
    newer = replace(ENTRY, token="newer")
    folder.write(newer)
    folder.remove(ENTRY)  # another service's now
    assert folder.entries() == [newer]
    folder.remove(newer)
    folder.remove(newer)
    assert list(folder.path.iterdir()) == []


def test_another_release_has_entries_of_its_own(
    folder: RuntimeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(ENTRY, version="0.0.1")
    folder.write(other)
    assert folder.entries() == []
    folder.write(ENTRY)
    assert folder.entries() == [ENTRY]
    monkeypatch.setattr(runtime_folder, "__version__", "0.0.1")
    assert folder.entries() == [other]


GOOD = asdict(ENTRY)
GARBAGE = {
    "empty": b"",
    "cut": json.dumps(GOOD).encode()[:80],
    "a list": b"[]",
    "null": b"null",
    "a text": b'"voilearn"',
    "no Unicode": b"\xff\xfe\x00",
    "a part missing": json.dumps({"url": ENTRY.url, "token": "token"}).encode(),
    "a part too many": json.dumps({**GOOD, "pid": 1}).encode(),
    "a number for its address": json.dumps({**GOOD, "url": 80}).encode(),
    "another machine": json.dumps({**GOOD, "url": "http://10.0.0.5:80"}).encode(),
    "another scheme": json.dumps({**GOOD, "url": "ftp://127.0.0.1:80"}).encode(),
    "no token": json.dumps({**GOOD, "token": None}).encode(),
    "half an error": json.dumps({**GOOD, "error": ["UnusableModel"]}).encode(),
    "numbers for an error": json.dumps({**GOOD, "error": [1, 2]}).encode(),
    "an error that is a number": json.dumps({**GOOD, "error": 5}).encode(),
    "deep": b"[" * 90_000,
    "large": b" " * 200_000 + json.dumps(GOOD).encode(),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_entry_and_gives_way_to_one(folder: RuntimeFolder, data: bytes) -> None:
    (folder.path / ENTRY.name).write_bytes(data)
    assert folder.entries() == []
    folder.write(ENTRY)
    assert folder.entries() == [ENTRY]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no links and pipes here")
def test_what_is_no_regular_file_is_no_entry(folder: RuntimeFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps(GOOD))
    (folder.path / "link.json").symlink_to(elsewhere)
    (folder.path / "loop.json").symlink_to(folder.path / "loop.json")
    (folder.path / "folder.json").mkdir()
    os.mkfifo(folder.path / "pipe.json")  # who reads one waits, usually
    assert folder.entries() == []
    (folder.path / ENTRY.name).symlink_to(elsewhere)
    folder.write(replace(ENTRY, token="newer"))
    assert elsewhere.read_text() == json.dumps(GOOD), "the link is replaced, not what it names"
    assert [entry.token for entry in folder.entries()] == ["newer"]


def test_a_write_that_fails_leaves_nothing_and_the_next_one_works(
    folder: RuntimeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(ENTRY)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", full)
        with pytest.raises(UnusableFolder, match=r"No space left on device\. Make room"):
            folder.write(replace(ENTRY, token="newer"))
    assert [path.name for path in folder.path.iterdir()] == [ENTRY.name]
    assert folder.entries() == [ENTRY]
    (folder.path / f"{ENTRY.name}.{os.getpid()}.part").write_text("of one that was killed")
    folder.write(replace(ENTRY, token="newer"))
    assert [entry.token for entry in folder.entries()] == ["newer"]
    assert len(list(folder.path.iterdir())) == 1


def test_the_usual_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert RuntimeFolder().path == tmp_path / "voilearn"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    assert RuntimeFolder().path.is_absolute()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for none in ("", str(tmp_path / "none")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", none)
        assert RuntimeFolder().path.parent == tmp_path
        assert RuntimeFolder().path.name.startswith("voilearn-")


def test_a_folder_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "voilearn").mkdir(mode=0o755)
    (tmp_path / "voilearn").chmod(0o777)
    RuntimeFolder(tmp_path / "voilearn")
    assert mode(tmp_path / "voilearn") == 0o700


def test_what_is_no_folder_of_ones_own_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")  # of somebody who made it first
    for path in (tmp_path / "file", tmp_path / "link", tmp_path / "file" / "below"):
        with pytest.raises(UnusableFolder, match="in XDG_RUNTIME_DIR") as caught:
            RuntimeFolder(path)
        assert str(path) in str(caught.value)


def test_no_temporary_folder_at_all_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(UnusableFolder, match="in XDG_RUNTIME_DIR"):
        RuntimeFolder()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_a_folder_that_another_user_made_first_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trap = tmp_path / "voilearn-0"
    trap.mkdir(mode=0o777)
    os.chown(trap, 65534, 65534)
    with pytest.raises(UnusableFolder, match=r"not a folder of this user's own\. Remove it"):
        RuntimeFolder()
    assert list(trap.iterdir()) == []


def test_one_at_a_time_has_the_lock_and_who_waits_too_long_is_told(
    folder: RuntimeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_folder, "LOCK_SECONDS", 0.05)
    with folder.lock():
        with pytest.raises(ServiceNotReady, match="Please try again"), folder.lock():
            pass
        assert mode(folder.path / "lock") == 0o600
    with folder.lock():
        pass


def test_the_log_is_the_users_own_and_begun_anew_when_it_is_long(folder: RuntimeFolder) -> None:
    path = folder.path / "services.log"
    for expected in (3, 6, runtime_folder.LOG_BYTES + 10, 3):
        with folder.log() as log:
            log.write(b"abc" if expected < 10 else b"x" * (expected - 6))
        assert path.stat().st_size == expected
    with folder.log() as first, folder.log() as second:
        first.write(b"of one service")
        first.flush()
        second.write(b"of another")
    assert path.read_bytes() == b"abcof one serviceof another"
    assert mode(path) == 0o600
