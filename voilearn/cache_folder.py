"""Find the folder where this user's programs keep what they can get, or make, again.

Goes in nothing; out comes a path, which may not be there yet.
"""

from pathlib import Path


def cache_folder() -> Path | None:
    """Return Voilearn's folder among the user's caches; None for a user without a home."""
    from platformdirs import user_cache_path  # knows it for each system

    folder = user_cache_path("voilearn", appauthor=False)
    return folder if folder.is_absolute() else None
