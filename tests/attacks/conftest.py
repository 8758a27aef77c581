"""What the attacks share: a good export, and the process that opens files apart."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Report = dict[str, Any]
Ask = Callable[[Report], Report]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small export that opens, and whose labels are even and odd."""
    pytest.importorskip("torch")
    from tests.attacks.workshop import make_good_export

    return make_good_export(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="session")
def watch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ask]:
    """Ask for a file to be opened in a process of its own, and get the report of it."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("what a process takes at most is told by Linux only")
    folder = tmp_path_factory.mktemp("watch")
    command = [sys.executable, "-m", "tests.attacks.watch", str(folder / "good.pkl")]
    quiet = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    with (
        (folder / "printed").open("w") as printed,
        subprocess.Popen(
            command, cwd=ROOT, env=quiet, stdin=PIPE, stdout=PIPE, stderr=printed, text=True
        ) as process,
    ):
        (folder / "good.pkl").write_bytes(request.getfixturevalue("good"))

        def ask(question: Report) -> Report:
            assert process.stdin and process.stdout
            print(json.dumps(question), file=process.stdin, flush=True)
            line = process.stdout.readline()
            assert line, (folder / "printed").read_text()[-3000:]
            return dict(json.loads(line))

        yield ask
        assert process.stdin
        process.stdin.close()
