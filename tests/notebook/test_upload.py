"""Photos in pieces, on the browser's own messages, without a browser."""

from typing import Any

import pytest

from voilearn.errors import VoilearnError
from voilearn.limits import Limits
from voilearn.notebook.upload import Photo, Upload


class Visitor:
    """Plays the browser's part, and keeps what comes of it."""

    def __init__(self, limit: int = 10**6) -> None:
        self.told: list[Any] = []
        self.confirmed: list[int] = []
        self.upload = Upload(
            self.told.append, self._refuse, self.confirmed.append, Limits(bytes=limit)
        )

    def _refuse(self, number: int, error: VoilearnError) -> None:
        self.told.append((number, error.type))

    def begin(self, number: int, size: int, *pieces: bytes, **more: Any) -> None:
        self.take({"kind": "photo", "number": number, "size": size, **more}, *pieces)

    def send(self, number: int, *pieces: bytes) -> None:
        self.take({"kind": "piece", "number": number}, *pieces)

    def take(self, message: Any, *pieces: bytes) -> bool:
        return self.upload.receive(message, [memoryview(piece) for piece in pieces])


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def test_a_small_photo_is_one_message(visitor: Visitor) -> None:
    visitor.begin(1, 3, b"abc")
    assert visitor.told == [Photo(1, b"abc")]
    assert visitor.confirmed == [1]


def test_a_photo_in_pieces_arrives_whole_and_each_is_confirmed(visitor: Visitor) -> None:
    visitor.begin(1, 5, b"ab")
    for piece in (b"cd", b"e"):
        visitor.send(1, piece)
    assert visitor.told == [Photo(1, b"abcde")]
    assert visitor.confirmed == [1, 1, 1]


def test_a_browser_that_can_not_show_a_photo_says_so(visitor: Visitor) -> None:
    visitor.begin(1, 1, b"a", preview=True)
    visitor.begin(2, 1, b"b", preview="yes")
    assert visitor.told == [Photo(1, b"a", preview=True), Photo(2, b"b")]


def test_a_new_photo_ends_the_old_one(visitor: Visitor) -> None:
    visitor.begin(1, 4, b"ab")
    visitor.begin(2, 2, b"x")
    visitor.send(1, b"cd")
    visitor.send(2, b"y")
    assert visitor.told == [Photo(2, b"xy")]
    assert visitor.confirmed == [1, 2, 2]


def test_a_photo_given_up_is_none(visitor: Visitor) -> None:
    visitor.begin(1, 4, b"ab")
    visitor.take({"kind": "cancel", "number": 7})
    visitor.take({"kind": "cancel", "number": 1})
    visitor.send(1, b"cd")
    assert visitor.told == []
    assert not visitor.upload._received


def test_a_file_too_large_is_an_error_and_its_pieces_are_no_photo() -> None:
    visitor = Visitor(limit=3)
    visitor.begin(1, 4, b"abcd")
    visitor.send(1, b"abcd")
    visitor.begin(2, 3, b"abc")
    assert visitor.told == [(1, "PhotoTooLarge"), Photo(2, b"abc")]
    assert visitor.confirmed == [2]


def test_an_empty_file_is_an_error_at_once(visitor: Visitor) -> None:
    visitor.begin(1, 0, b"")
    assert visitor.told == [(1, "EmptyPhoto")]


def test_more_bytes_than_promised_are_not_kept(visitor: Visitor) -> None:
    visitor.begin(1, 2, b"abcdef")
    visitor.send(1, b"more")
    assert visitor.told == [Photo(1, b"ab")]
    assert not visitor.upload._received


@pytest.mark.parametrize(
    "message",
    [
        {},
        [],
        "photo",
        {"kind": 3},
        {"kind": "piece"},
        {"kind": "piece", "number": None},
        {"kind": "photo"},
        {"kind": "photo", "number": 1, "size": -5},
        {"kind": "photo", "number": 1, "size": "9" * 6000},
        {"kind": "photo", "number": 1, "size": 10**400},
        {"kind": "photo", "number": [], "size": 3},
        {"kind": "cancel"},
    ],
)
def test_a_message_that_makes_no_sense_is_no_photo_and_no_error(
    visitor: Visitor, message: Any
) -> None:
    assert visitor.take(message, b"abc") is False
    assert visitor.told == []
    assert not visitor.upload._received


def test_a_piece_of_no_photo_is_dropped(visitor: Visitor) -> None:
    visitor.send(1, b"abc")
    assert visitor.told == visitor.confirmed == []
    assert not visitor.upload._received
