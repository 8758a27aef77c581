"""The upload widget on its own messages, without a browser."""

from typing import Any

import pytest

from voilearn.upload import PhotoUpload


class Visitor:
    """Plays the browser's part, and keeps what the page is told."""

    def __init__(self, **traits: Any) -> None:
        self.told: list[Any] = []
        self.upload = PhotoUpload(
            on_choose=lambda: self.told.append("chosen"),
            on_photo=self.told.append,
            on_error=lambda error: self.told.append(error.type),
            **traits,
        )

    def choose(self, number: int, size: int) -> None:
        self._send({"kind": "chosen", "number": number, "size": size}, [])

    def send(self, number: int, *pieces: bytes) -> None:
        self._send({"kind": "piece", "number": number}, [memoryview(piece) for piece in pieces])

    def _send(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        self.upload._handle_custom_msg(content, buffers)


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture
def sent(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes back to the browser."""
    messages: list[Any] = []
    monkeypatch.setattr(visitor.upload, "send", messages.append)
    return messages


def test_a_photo_in_pieces_arrives_whole_and_each_is_confirmed(
    visitor: Visitor, sent: list[Any]
) -> None:
    visitor.choose(1, 5)
    for piece in (b"ab", b"cd", b"e"):
        visitor.send(1, piece)
    assert visitor.told == ["chosen", b"abcde"]
    assert sent == [{"kind": "cleared", "number": 1}, *[{"kind": "received"}] * 3]


def test_a_new_choice_ends_the_old_photo(visitor: Visitor) -> None:
    visitor.choose(1, 4)
    visitor.send(1, b"ab")
    visitor.choose(2, 2)
    visitor.send(1, b"cd")
    visitor.send(2, b"xy")
    assert visitor.told == ["chosen", "chosen", b"xy"]


def test_a_file_too_large_is_an_error_and_its_pieces_are_no_photo() -> None:
    visitor = Visitor(max_bytes=3)
    visitor.choose(1, 4)
    visitor.send(1, b"abcd")
    visitor.choose(2, 3)
    visitor.send(2, b"abc")
    assert visitor.told == ["chosen", "PhotoTooLarge", "chosen", b"abc"]


def test_an_empty_file_is_an_error_at_once(visitor: Visitor) -> None:
    visitor.choose(1, 0)
    assert visitor.told == ["chosen", "EmptyPhoto"]


def test_more_bytes_than_promised_are_not_kept(visitor: Visitor) -> None:
    visitor.choose(1, 2)
    visitor.send(1, b"abcdef")
    visitor.send(1, b"more")
    assert visitor.told == ["chosen", b"ab"]


def test_a_visitor_who_says_to_be_here_is_answered(visitor: Visitor, sent: list[Any]) -> None:
    visitor.upload._handle_custom_msg({"kind": "here"}, [])
    assert sent == [{"kind": "here"}]
    assert visitor.told == []


@pytest.mark.parametrize(
    "message",
    [
        {},
        [],
        "chosen",
        {"kind": 3},
        {"kind": "piece"},
        {"kind": "piece", "number": None},
        {"kind": "chosen"},
        {"kind": "chosen", "number": 1, "size": -5},
        {"kind": "chosen", "number": 1, "size": "9" * 6000},
        {"kind": "chosen", "number": [], "size": 3},
        {"kind": "unreadable", "number": 1},
    ],
)
def test_a_message_that_makes_no_sense_is_no_photo_and_no_error(
    visitor: Visitor, message: Any
) -> None:
    visitor.upload._receive(visitor.upload, message, [memoryview(b"abc")])
    assert visitor.told == []
    assert not visitor.upload._received


def test_the_browser_cannot_raise_the_limit() -> None:
    visitor = Visitor(max_bytes=3)
    visitor.upload.set_state({"max_bytes": 10**12})
    visitor.choose(1, 10**11)
    for number in (0, 1):
        visitor.send(number, b"abcd")
    visitor.upload._receive(visitor.upload, {"kind": "piece", "number": None}, [memoryview(b"a")])
    assert visitor.told == ["chosen", "PhotoTooLarge"]
    assert not visitor.upload._received


def test_a_file_the_browser_cannot_read_is_an_error(visitor: Visitor) -> None:
    visitor.choose(4, 10)
    visitor.upload._receive(visitor.upload, {"kind": "unreadable", "number": 4}, [])
    assert visitor.told == ["chosen", "PhotoNotFound"]


def test_the_browser_is_told_when_the_old_photo_is_put_away(
    visitor: Visitor, sent: list[Any]
) -> None:
    visitor.choose(7, 10)
    assert sent == [{"kind": "cleared", "number": 7}]
