"""Find this user's own folders: for what can be got or made again, and for what can't.

Goes in nothing; out come paths, which may not be there yet; None for a user without a home.
"""

from pathlib import Path


def cache_folder() -> Path | None:
    """Return Voilearn's folder among the user's caches."""
    from platformdirs import user_cache_path  # knows it for each system

    return _with_a_home(user_cache_path("voilearn", appauthor=False))


def data_folder() -> Path | None:
    """Return Voilearn's folder among the user's data."""
    from platformdirs import user_data_path

    return _with_a_home(user_data_path("voilearn", appauthor=False))


def _with_a_home(folder: Path) -> Path | None:
    return folder if folder.is_absolute() else None
