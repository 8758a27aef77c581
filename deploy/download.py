"""Download a model, and keep it only if it is the one that was meant.

python download.py https://example.org/export.pkl SHA256 export.pkl
"""

import hashlib
import sys
import urllib.request
from pathlib import Path

PIECE = 1 << 20
MOST = 2_000_000_000  # bytes


def main(url: str, sha256: str, target: str) -> str | None:
    """Return None, or what is wrong."""
    if len(sha256) != 64 or not url.startswith("https://"):
        return "Give MODEL_URL, which begins with https://, and MODEL_SHA256, of 64 signs."
    digest, size = hashlib.sha256(), 0
    partial = Path(f"{target}.part")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, partial.open("wb") as file:  # noqa: S310
            while piece := answer.read(PIECE):
                size += len(piece)
                if size > MOST:
                    return f"{url} has more than {MOST:,} bytes."
                digest.update(piece)
                file.write(piece)
    except OSError as error:
        return f"{url} can't be downloaded: {error}."
    if digest.hexdigest() != sha256.lower():
        return f"{url} is another file: its SHA-256 is {digest.hexdigest()}, and not {sha256}."
    partial.rename(target)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
