"""Where on GitHub an app will be, and its address on Binder.

In comes what somebody typed, OWNER/REPO or an address; out goes a `Repository`.
"""

import re
from dataclasses import dataclass

from voilearn.errors import printable

ADDRESS = r"(?:(?:https?|ssh|git)://)?(?:[^/@\s]+@)?(?:www\.)?github\.com[:/]"
NAMES = r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100}?)(?:\.git)?"
WRITTEN = re.compile(rf"{ADDRESS}{NAMES}(?:[/?#]\S*)?|{NAMES.replace('?P<', '?P<plain_')}/?")
BINDER = "https://mybinder.org/v2/gh/{}/{}/HEAD?urlpath=voila%2Frender%2Fapp.ipynb"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub, or the place to fill its names in."""

    owner: str = "OWNER"
    name: str = "REPO"

    @property
    def known(self) -> bool:
        """Whether its names are there, and not to be filled in."""
        return self != Repository()

    @property
    def url(self) -> str:
        """Where it is on GitHub."""
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def binder(self) -> str:
        """The address at which Binder shows the page."""
        return BINDER.format(self.owner, self.name)


def repository_of(written: str) -> Repository:
    """Return the repository that somebody means; raise ValueError where none can be meant."""
    found = WRITTEN.fullmatch(written.strip())
    names = [part for part in found.groups() if part] if found else []
    if not names or set(names[1]) <= {"."}:
        raise ValueError(
            f'--repo has "{printable(written, 80)}": it is OWNER/REPO, your user name on GitHub '
            "and the name of a repository there, or the address of it"
        )
    return Repository(*names)
