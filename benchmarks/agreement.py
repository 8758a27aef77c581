"""Print how far rebuilt learners agree with their own releases, and fastai's own way beside it.

In come the recorded exports of tests/exports; out goes a table: a row for each, with the largest
difference of a probability over its pictures.

    make bench
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.exports.compare import largest_difference  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402


def outcome(export: Path, recorded: dict[str, Any]) -> str:
    """Return that difference in words, or that the file is refused as it should be."""
    try:
        return f"{largest_difference(export, recorded):.0e}"
    except UnusableModel:
        return "refused, named" if recorded["expect"] == "refused" else "REFUSED"


def main() -> None:
    """Print the table of one folder of recorded exports."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests" / "exports"
    print("| release | what | network | task | difference | load_learner of fastai 2.8.12 |")
    print("|---|---|---|---|---|---|")
    for facts in sorted(folder.glob("*.json")):
        recorded = json.loads(facts.read_text())
        release, _, what = facts.stem.partition("-")
        network = recorded["architecture"].removeprefix("torchvision.models.")
        print(
            f"| {release} | {what.replace('_', ' ')} | {network} | "
            f"{recorded.get('task') or recorded['kind']} | "
            f"{outcome(facts.with_suffix('.pkl'), recorded)} | "
            f"{recorded.get('plain_load', 'not asked').partition(':')[0]} |"
        )


if __name__ == "__main__":
    main()
