"""What the machine grants this process, and gets back from it.

In come the kernel's limits; out goes how many processor cores may be used. A container sees all the
host's cores and is granted a few of them, so asking for the machine's gives threads that wait for
each other. And memory goes back that Python has let go of: a photo's pixels come and go in large
blocks between small ones that stay, so without `trim` a process that has looked at a photo keeps
megabytes for ever, and a page's kernel does so for each visitor.
"""

import ctypes
import functools
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OURS = Path("/proc/self/cgroup")


def granted_cores(cgroups: Path = CGROUPS, ours: Path = OURS) -> int:
    """Return how many cores this process may keep busy at once, at least 1.

    The least of the machine's, those that its affinity names, and the CPU quotas of its control
    group (versions 1 and 2) and of each above it; part of a core counts as one. Source: the Linux
    kernel's cgroup-v2 and sched-bwc documentation.
    """
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        usable = os.cpu_count() or 1
    quotas = [quota for folder in _folders(cgroups, ours) if (quota := _quota(folder))]
    return max(1, min([usable, *(math.ceil(quota) for quota in quotas)]))


def _folders(cgroups: Path, ours: Path) -> list[Path]:
    """Return the folders of this process's control groups, and of all above them."""
    found = [cgroups, cgroups / "cpu"]
    try:
        lines = ours.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        root = cgroups / "cpu" if "cpu" in controllers.split(",") else cgroups
        inside = PurePosixPath(path)
        found += [root / each.relative_to("/") for each in (inside, *inside.parents)]
    return found


def _quota(folder: Path) -> float | None:
    """Return the cores that one control group is granted, or None if it has no limit."""
    try:
        if (folder / "cpu.max").exists():  # version 2: "quota period", or "max period"
            quota, period = (folder / "cpu.max").read_text().split()
        else:  # version 1: -1 is no limit
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ArithmeticError):
        return None


def trim() -> None:
    """Give back what is free, where the C library can (glibc's `malloc_trim`); some 1 ms."""
    _trimmer()()


@functools.cache
def _trimmer() -> Callable[[], object]:
    if sys.platform == "linux":
        try:
            malloc_trim = ctypes.CDLL(None).malloc_trim
        except (OSError, AttributeError):  # musl has none
            pass
        else:
            return functools.partial(malloc_trim, 0)
    return lambda: None
