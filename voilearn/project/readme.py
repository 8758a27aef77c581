"""Write README.md: what the app is, for whoever finds it, and how it is put on the web.

In come the app's words, the facts of its model and its repository; out goes Markdown, whatever
stands in a class's name.
"""

import re
from pathlib import Path

from voilearn.errors import printable
from voilearn.page.document import fill
from voilearn.project.facts import Facts
from voilearn.project.repository import Repository

README = Path(__file__).with_name("template") / "README.md.in"
MOST_LISTED = 24  # classes
GITHUB_TAKES = 100_000_000  # bytes; git itself is refused a little above
ONE_OF = "Whatever is on a photo, it names one of them, and says how sure it is."
EACH_OF = "It names each of them that it sees on a photo, and says how sure it is."
SHARE = """\
1. On GitHub, make a new, empty, public repository{named}.
2. In this folder, type:

   ```sh
{commands}
   ```
{large}
3. Press the button at the top of this page. The first time, Binder builds the app for some minutes.
"""
FILL_IN = """\
`OWNER` stands for your user name on GitHub, and `REPO` for the name of this app's repository. \
Write both in their place, here and in the button's link at the top.

"""
LARGE = """
   `{model}` has {size}, and GitHub takes files over 100 MB by [Git LFS](https://git-lfs.com): \
install that first. Binder downloads the file each time that it builds the app, and GitHub counts \
that against your monthly allowance; once it is used up, the build stops and says so. A smaller \
model needs none of this: of a smaller network, or compiled with `voilearn compile --int8`.
"""


def readme_text(title: str, introduction: str, facts: Facts, repository: Repository) -> str:
    """Return the text of the README."""
    return fill(
        README,
        title=title,
        introduction=introduction,
        binder=repository.binder,
        classes=_classes(facts),
        network=facts.network,
        model=facts.name,
        size=megabytes(facts.bytes),
        share=_share(facts, repository),
    )


def megabytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1e6:.1f} MB"


def _classes(facts: Facts) -> str:
    names = [_code(label) for label in facts.classes[:MOST_LISTED]]
    more = len(facts.classes) - len(names)
    listed = f"{', '.join(names)}{f' and {more:,} more' if more else ''}"
    count = f"{len(facts.classes):,} class{'es' if len(facts.classes) > 1 else ''}"
    return f"{count}: {listed}. {EACH_OF if facts.task == 'multi-label' else ONE_OF}"


def _code(label: str) -> str:
    """Return a class's name as code, in which nothing means anything to Markdown."""
    name = printable(" ".join(label.split()), 60) or " "
    longest = max((len(run) for run in re.findall("`+", name)), default=0)
    fence, gap = "`" * (longest + 1), " " * bool(longest)
    return f"{fence}{gap}{name}{gap}{fence}"


def _share(facts: Facts, repository: Repository) -> str:
    large = is_large(facts)
    track = ["git lfs install", f"git lfs track {facts.name}"] if large else []
    commands = [
        *("git init -b main", *track, "git add -A", 'git commit -m "My app"'),
        *(f"git remote add origin {repository.url}", "git push -u origin main"),
    ]
    steps = SHARE.format(
        named=f" with the name `{repository.name}`" if repository.known else "",
        commands="\n".join(f"   {command}" for command in commands),
        large=LARGE.format(model=facts.name, size=megabytes(facts.bytes)) if large else "",
    )
    return steps if repository.known else FILL_IN + steps


def is_large(facts: Facts) -> bool:
    """Say whether GitHub takes the model by Git LFS only."""
    return facts.bytes > GITHUB_TAKES
