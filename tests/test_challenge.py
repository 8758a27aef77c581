"""The challenge: who gives the right proof knows the token."""

from voilearn.challenge import proof


def test_only_the_token_and_the_challenge_together_give_the_proof() -> None:
    given = proof("token", "challenge")
    assert len(given) == 64
    assert given == proof("token", "challenge")
    assert given not in {proof("other", "challenge"), proof("token", "other")}
    assert "token" not in given


def test_any_text_can_be_a_challenge() -> None:
    """A header has any Latin-1."""
    assert len({proof("token", text) for text in ("", "é", "x" * 100_000, "\0")}) == 4
