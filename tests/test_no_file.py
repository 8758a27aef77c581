"""What stands at a name where a file was meant: each is named, with what to do instead."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from voilearn.no_file import all_in, no_file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: a photo, and all that is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photo.jpg").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("/nowhere")
    (tmp_path / "whole").symlink_to("my photo.jpg")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "what", "instead"),
    [
        ("", "an empty name", "Type the path"),
        ("folder", "a folder", "Inside."),
        ("folder/", "a folder", "Inside."),
        (".", "a folder", "Inside."),
        ("-", "standard input", "Save what comes from there as a file"),
        ("/dev/fd/0", "standard input", "Save what comes"),
        ("pipe", "a pipe", "Save what comes"),
        ("socket", "a socket", "Save what comes"),
        ("/dev/null", "a device", "Save what comes"),
        ("broken", "a link to a file that is not there", "Check the link."),
        ("https://example.org/a.jpg", "a web address", "Download the file"),
        ("HTTP://example.org/a.jpg?x=*", "a web address", "Download the file"),
        ("https:/example.org/a.jpg", "a web address", "Download the file"),
        ("https://example.org/" + "a" * 5000, "a web address", "Download the file"),
        ("s3://photos/a.jpg", "a web address", "Download the file"),
        ("file:///home/my%20photo.jpg", "a file's address", "Type its path: /home/my photo.jpg"),
        ("data:image/png;base64,iVBORw0KGgo=", "a data URL", "Save them as a file"),
        ("data:image/png;base64," + "A" * 100_000, "a data URL", "Save them as a file"),
        ("*.png", "a pattern that no file matches", "Check it"),
        ("nowhere/*", "a pattern that no file matches", "Check it"),
        ("*.jpg", "a pattern, which your shell left as it is", "Type it without quotes"),
        ("my?photo.jpg", "a pattern, which your shell left as it is", "one by one"),
        ("~/a.jpg", "a path whose ~ your shell left as it is", "Type it without quotes"),
        ('"my photo.jpg"', "the name of no file", "There is one named my photo.jpg: type that."),
        ("'my photo.jpg'", "the name of no file", "There is one named my photo.jpg: type that."),
        ("“my photo.jpg”", "the name of no file", "There is one named my photo.jpg: type that."),
        ("my photo.jpg\r", "the name of no file", "There is one named my photo.jpg: type that."),
        (" my photo.jpg", "the name of no file", "There is one named my photo.jpg: type that."),
        (r"my\ photo.jpg", "the name of no file", "There is one named my photo.jpg: type that."),
        ("a" * 300, "a name longer than a file's can be", "Check it."),
        ("a\0b", "no name that a file can have", "Check it."),
    ],
)  # fmt: skip
def test_what_is_no_file_is_named(here: Path, name: str, what: str, instead: str) -> None:
    found = no_file(name, "Inside.")
    assert found is not None
    assert found[0].startswith(what)
    assert instead in found[1]
    assert all(words.isprintable() for words in found)


@pytest.mark.parametrize(
    "name",
    [
        "my photo.jpg", "whole", "missing.jpg", "my photo.jpg/inside.jpg", "a:b.jpg", "C:/a.jpg",
        "photo[1].jpg", "a\nb.jpg", "x\udcff.jpg", '"missing.jpg"', "''", "https", "mailto:me",
    ],
)  # fmt: skip
def test_a_file_and_a_name_that_says_nothing_are_left_to_whoever_opens_them(
    here: Path, name: str
) -> None:
    assert no_file(name, "Inside.") is None


def test_a_file_is_a_file_whatever_its_name(here: Path) -> None:
    for name in ("-", "*.png", "~", "a?b", "data:x", '"quoted"', "photo[1].jpg"):
        Path(name).touch()
        assert no_file(name, "Inside.") is None


@pytest.mark.parametrize(
    ("folder", "typed"),
    [
        ("bears", "bears/*"),
        ("bears/", "bears/*"),
        ("my bears", "'my bears'/*"),
        ("it's", "'it'\"'\"'s'/*"),
        ("/", "/*"),
        (".", "./*"),
        ("a\nb", "'a?b'/*"),
    ],
)
def test_what_to_type_for_a_folder_is_for_a_shell(folder: str, typed: str) -> None:
    assert all_in(folder) == typed
