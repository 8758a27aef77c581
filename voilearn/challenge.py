"""Let a client make sure who it talks to, before it sends a photo.

In come the token that both know and a challenge that the client made up; out goes the proof that
only somebody with the token can give. A port of this machine may be taken by another user's
program once its service has ended.
"""

import hmac

CHALLENGE = "x-voilearn-challenge"
PROOF = "x-voilearn-proof"


def proof(token: str, challenge: str) -> str:
    """Return the answer to a challenge, 64 hex digits."""
    return hmac.new(token.encode(), challenge.encode(), "sha256").hexdigest()
