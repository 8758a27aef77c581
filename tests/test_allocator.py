"""What was freed is given back."""

import subprocess
import sys

import pytest

SCRIPT = """
from voilearn.allocator import trim
def rss():
    return int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6
kept, dropped = [], []
for _ in range(5_000):
    dropped.append(bytes(20_000)); kept.append(bytes(600))
dropped.clear()
before = rss(); trim(); print(before - rss())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries give back by themselves")
def test_free_memory_between_what_is_kept_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 40  # of 100 MB
