"""problem+json: an error goes out, and comes back as the same."""

import json

import pytest

from voilearn import errors
from voilearn.errors import VoilearnError
from voilearn.wire import error_in, problem_of, problem_of_status, proof

TREE = {n: kind for n, kind in errors._tree().items() if kind.__module__ == errors.__name__}


def test_the_tree_is_whole() -> None:
    assert len(TREE) >= 18


@pytest.mark.parametrize("kind", TREE)
def test_every_error_comes_back_as_itself(kind: str) -> None:
    told = problem_of(TREE[kind]("A sentence, with é."))
    error = error_in(json.dumps(told).encode())
    assert (type(error), str(error)) == (TREE[kind], "A sentence, with é.")
    assert told["status"] == TREE[kind].status


def test_a_problem_is_that_of_the_rfc() -> None:
    assert problem_of(errors.PhotoTooLarge("It is.")) == {
        "type": "urn:voilearn:PhotoTooLarge",
        "title": "Photo too large",
        "status": 413,
        "detail": "It is.",
    }
    told = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Nothing here."}
    assert problem_of_status(404, "Nothing here.") == told


def test_an_error_of_a_later_release_is_an_error_all_the_same() -> None:
    error = error_in(b'{"type": "urn:voilearn:NotYetKnown", "detail": "A sentence."}')
    assert (type(error), str(error)) == (VoilearnError, "A sentence.")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"type": "about:blank", "detail": "A sentence."}',
        b'{"type": "urn:voilearn:DamagedPhoto", "detail": 5}',
        b'{"type": 5, "detail": "A sentence."}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_problem_of_ours_is_none(body: bytes) -> None:
    assert error_in(body) is None


def test_only_the_token_and_the_challenge_together_give_the_proof() -> None:
    given = proof("token", "challenge")
    assert len(given) == 64
    assert given == proof("token", "challenge")
    assert given not in {proof("other", "challenge"), proof("token", "other")}
    assert "token" not in given


def test_any_text_can_be_a_challenge() -> None:
    """A header has any Latin-1."""
    assert len({proof("token", text) for text in ("", "é", "x" * 100_000, "\0")}) == 4
