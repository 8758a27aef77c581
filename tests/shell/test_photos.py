"""Which photos are named in a shell: files, folders, patterns, standard input, what is new."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import draw, encode
from tests.waiting import WITHIN
from voilearn.errors import EmptyPhoto, PhotoNotFound, PhotoTooLarge
from voilearn.kinds import HEAD, PICTURES
from voilearn.limits import LIMITS
from voilearn.shell.photos import Photo, named, watched

JPEG = encode(draw(), "JPEG")
ODD = ("a\nb", "x\udcff", "=1+1", "-", " ", "ü")  # names without an ending


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, data: bytes = JPEG) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data)


def names(*typed: str) -> list[str]:
    return [photo.name for photo in named(typed) if not photo.error]


def errors(*typed: str) -> dict[str, str]:
    return {photo.name: str(photo.error) for photo in named(typed) if photo.error}


def test_files_are_named_in_their_order_and_as_often() -> None:
    for typed in (["b.jpg", "a.jpg", "b.jpg"], ["gone.jpg", ""], ["https://example.org/a*.jpg"]):
        assert names(*typed) == typed


def test_a_folder_is_all_photos_in_it_and_below_sorted() -> None:
    for name in ("b.jpg", "a.jpg", "B/b.jpg", "B/a.jpg", "A/deep/er/c.jpg", "z.txt", "A/deep/d"):
        put(f"top/{name}", b"text" if name.endswith("txt") else JPEG)
    below = ["a.jpg", "b.jpg", "A/deep/d", "A/deep/er/c.jpg", "B/a.jpg", "B/b.jpg"]
    assert names("top") == [f"top/{name}" for name in below]
    assert names("top/", "top/b.jpg")[-2:] == ["top/B/b.jpg", "top/b.jpg"]
    os.chdir("top")
    assert names(".") == [f"./{name}" for name in below]
    assert errors(".") == {}


def test_what_is_hidden_and_what_is_no_file_is_passed_over() -> None:
    put("top/a.jpg")
    for name in (".a.jpg", "._a.jpg", ".hidden/a.jpg"):
        put(f"top/{name}")
    os.mkfifo("top/pipe.jpg")
    Path("top/null.jpg").symlink_to("/dev/null")
    assert names("top") == ["top/a.jpg"]
    assert errors("top") == {}
    assert names("top/.hidden") == ["top/.hidden/a.jpg"]


def test_a_file_in_a_folder_is_meant_as_a_photo_by_its_name_or_its_beginning() -> None:
    photos = {
        "empty.jpg": b"",
        "pointer.PNG": b"version https://git-lfs.github.com/spec/v1\n",
        **{f"odd/{name}": JPEG for name in ODD},
        **{f"kinds/{kind}": encode(draw(), kind) for kind in ("PNG", "GIF", "BMP", "TIFF", "WEBP")},
        **{f"raw/{at}": bytes(place) + magic for at, (place, magic, _) in enumerate(PICTURES)},
    }
    others = {
        "words": b"BMI and more\n",
        "note.txt": b"text",
        "export.pkl": b"\x80\x02}q\0.",
        "page.html": b"<html>",
        "a.mp4": b"\0\0\0\x18ftypisom",
        "none": b"",
        "a.pdf": b"%PDF-1.4",
    }
    for name, data in (photos | others).items():
        put(f"top/{name}", data)
    Path("top/fetched.jpg").symlink_to("nowhere")
    Path("top/nothing").symlink_to("nowhere")
    assert set(names("top")) == {f"top/{name}" for name in photos} | {"top/fetched.jpg"}
    assert max(place + len(magic) for place, magic, _ in PICTURES) <= HEAD


def test_a_folder_that_is_linked_to_itself_is_gone_through_once() -> None:
    put("top/below/a.jpg")
    Path("top/below/up").symlink_to("..", target_is_directory=True)
    Path("link").symlink_to("top", target_is_directory=True)
    assert names("top") == ["top/below/a.jpg"]
    assert names("link") == ["link/below/a.jpg"]  # a link that is named is meant


def test_a_folder_with_no_photo_is_said() -> None:
    put("top/a.txt", b"text")
    Path("empty").mkdir()
    assert set(errors("top", "empty")) == {"top", "empty"}
    assert "no photo in this folder" in errors("empty")["empty"]
    put("top/below/a.jpg")
    assert errors("top") == {}


def test_a_folder_that_can_not_be_read_is_said_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("a/1.jpg", "locked/2.jpg", "z/3.jpg"):
        put(f"top/{name}")
    scandir = os.scandir

    def refusing(path: str) -> "os._ScandirIterator[str]":  # root may read all
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert names("top") == ["top/a/1.jpg", "top/z/3.jpg"]
    assert "can't be read: Permission denied" in errors("top")["top/locked"]
    assert set(errors("top/locked")) == {"top/locked"}


def test_a_very_deep_folder_is_gone_through() -> None:
    deepest = "/".join(["top", *["d"] * 1100])
    subprocess.run(["mkdir", "-p", deepest], check=True)  # Python's own way calls itself
    try:
        Path(deepest, "a.jpg").write_bytes(JPEG)
        assert names("top") == [f"{deepest}/a.jpg"]
    finally:
        subprocess.run(["rm", "-r", "top"], check=True)


def test_a_pattern_that_the_shell_left_as_it_is_stands_for_all_that_match() -> None:
    for name in ("b.jpg", "a.jpg", "c.png", ".d.jpg", "x[1]/e.jpg", "f/g.jpg", "f/h.txt"):
        put(name, b"text" if name.endswith("txt") else JPEG)
    assert names("*.jpg") == ["a.jpg", "b.jpg"]
    assert names("?.jpg", "c.png") == ["a.jpg", "b.jpg", "c.png"]
    assert names("[ab]*.jpg") == ["a.jpg", "b.jpg"]
    assert names("x[1]/*.jpg") == ["x[1]/e.jpg"]
    assert names("*/*.jpg") == ["f/g.jpg", "x[1]/e.jpg"]
    assert names("[f]") == ["[f]"], "without * and ? it is a name"
    assert names("f*") == ["f/g.jpg"], "a folder that matches"
    assert names("*.gif") == ["*.gif"]
    put("*.gif")
    put("x.gif")
    assert names("*.gif") == ["*.gif"], "a file is a file"


def test_a_photo_is_read_when_it_is_asked_for() -> None:
    put("a.jpg")
    (photo,) = named(["a.jpg"])
    assert photo.read() == JPEG
    Path("a.jpg").unlink()
    with pytest.raises(PhotoNotFound, match="there is no such file"):
        photo.read()
    put("a.jpg", b"")
    with pytest.raises(EmptyPhoto):
        photo.read()
    with Path("a.jpg").open("wb") as file:
        file.truncate(LIMITS.bytes + 1_000_000)
    with pytest.raises(PhotoTooLarge, match="51"):
        photo.read()
    Path("a.jpg").unlink()
    os.mkfifo("a.jpg")
    with pytest.raises(PhotoNotFound, match="a pipe"):
        photo.read()


class Input:
    def __init__(self, descriptor: int, terminal: bool = False) -> None:
        self._descriptor, self._terminal = descriptor, terminal

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_is_one_photo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put("-", b"a file of that name, which is ./-")
    read, write = os.pipe()
    os.write(write, JPEG)
    os.close(write)
    monkeypatch.setattr(sys, "stdin", Input(read))
    (photo,) = named([name])
    assert photo.read() == JPEG
    assert photo.read() == b""
    os.close(read)
    with pytest.raises(PhotoNotFound, match="can't be read"):
        photo.read()


def test_standard_input_is_read_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open("rb") as endless:
        monkeypatch.setattr(sys, "stdin", Input(endless.fileno()))
        with pytest.raises(PhotoTooLarge, match="More than 50 MB came on standard input"):
            Photo("-").read()


@pytest.mark.parametrize("stdin", [None, Input(0, terminal=True)])
def test_nothing_is_waited_for_that_nobody_sends(
    stdin: Input | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(PhotoNotFound, match="Nothing comes on standard input"):
        Photo("-").read()


def test_what_comes_into_a_folder_or_is_changed_there_is_found_once_it_is_all_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("in/before.jpg", "in/below/before", "other/before.jpg"):
        put(name)
    looks: queue.Queue[list[str]] = queue.Queue()
    found: list[str] = []
    over = threading.Event()

    def look(_: float) -> None:
        """What happens between two looks."""
        looks.put(found.copy())
        found.clear()
        if not changes:
            over.set()
            raise LookupError
        changes.pop(0)()

    def grow() -> None:
        with Path("in/new.jpg").open("ab") as file:
            file.write(JPEG)

    def two() -> None:
        put("other/a")
        put("in/below/before", JPEG + b"\0")

    changes: list[Callable[[], None]] = [
        lambda: put("in/new.jpg"),
        grow,
        grow,
        lambda: None,
        lambda: put("in/note.txt", b"text"),
        two,
        lambda: None,
        lambda: Path("in/new.jpg").unlink(),
        lambda: put("in/new.jpg", JPEG * 3),
        lambda: None,
        lambda: None,
    ]
    monkeypatch.setattr(time, "sleep", look)
    with pytest.raises(LookupError):
        for photo in watched(["in", "other"]):
            found.append(photo.name)
    assert over.wait(WITHIN)
    told = [looks.get() for _ in range(looks.qsize())]
    assert told == [
        [], [], [], [], ["in/new.jpg"], [], [], ["in/below/before", "other/a"], [], [],
        ["in/new.jpg"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gone", "a.jpg", "", "-"])
def test_what_is_no_folder_is_not_watched(name: str) -> None:
    put("a.jpg")
    with pytest.raises(PhotoNotFound, match="Only a folder is watched"):
        watched([name])


def test_names_are_found_as_they_are_asked_for() -> None:
    Path("top").mkdir()
    put("top/a.jpg")
    photos = named(["top", "later"])
    assert next(photos) == Photo("top/a.jpg")
    put("later/b.jpg")
    assert next(photos) == Photo("later/b.jpg")
