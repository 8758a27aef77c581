"""What a service and its callers say to each other, beside photos and Predictions.

In comes an error of the tree; out goes application/problem+json (RFC 9457), and back. And in come a
token that both know and a challenge that a caller made up; out goes the proof that only somebody
with the token can give: a port of this machine may be taken by another user's program once its
service has ended, and what answers there gets no photo before it has shown that it is the service.
"""

import hmac
import json
import re
from http import HTTPStatus
from typing import Any

from voilearn.errors import VoilearnError, error_of

MEDIA_TYPE = "application/problem+json"
URN = "urn:voilearn:"
CHOSEN = "image/*"  # the Content-Type of a photo that a person chose, of whatever kind it is


def problem_of(error: VoilearnError) -> dict[str, Any]:
    """Return an error as the object that a response has."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", error.type).capitalize()
    return {
        "type": URN + error.type,
        "title": words,
        "status": error.status,
        "detail": str(error),
    }


def problem_of_status(status: int, detail: str) -> dict[str, Any]:
    """Return what an HTTP status says by itself, as for a route that there is not."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}


def error_in(body: bytes) -> VoilearnError | None:
    """Return the error that a response's body tells of, or None if it is of no such kind."""
    try:
        told = json.loads(body)
        kind, sentence = told["type"], told["detail"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not (isinstance(kind, str) and isinstance(sentence, str) and kind.startswith(URN)):
        return None
    return error_of(kind.removeprefix(URN), sentence)


PAGE = "x-voilearn-page"  # by which a page names itself, to hear of its photo's place in the line
CHALLENGE = "x-voilearn-challenge"
PROOF = "x-voilearn-proof"


def proof(token: str, challenge: str) -> str:
    """Return the answer to a challenge, 64 hex digits."""
    return hmac.new(token.encode(), challenge.encode(), "sha256").hexdigest()
