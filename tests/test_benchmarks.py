"""The benchmarks run and print their tables; what they print is for people to read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXPORTS = ROOT / "tests" / "exports"


def run(script: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-W", "ignore", f"benchmarks/{script}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.model
def test_agreement_prints_a_row_for_each_export(tmp_path: Path) -> None:
    names = ("1.0.61-image_classifier", "2.3.1-presizing", "2.8.12-author_network")
    for name in names:
        for kind in (".pkl", ".json"):
            shutil.copy(EXPORTS / f"{name}{kind}", tmp_path)
    rows = run("agreement", tmp_path)[2:]
    found = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [f"{row[0]}-{row[1].replace(' ', '_')}" for row in found] == list(names)
    assert found[0][4] == found[2][4] == "refused, named"
    assert float(found[1][4]) <= 1e-4


@pytest.mark.slow
@pytest.mark.model
def test_opening_prints_a_row_for_each_way() -> None:
    rows = run("opening", "--rounds", 1)
    assert any(row.startswith("| voilearn inspect |") and row.endswith("| no |") for row in rows)
