"""What the machine grants this process, and gets back from it.

In come the kernel's limits; out goes how many processor cores may be used, and how much memory. A
container sees all the host's cores and is granted a few of them, so asking for the machine's gives
threads that wait for each other. And memory goes back that Python has let go of: a photo's pixels
come and go in large blocks between small ones that stay, so without `trim` a process that has
looked at a photo keeps megabytes for ever, and a page's kernel does so for each visitor.
"""

import ctypes
import functools
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OURS = Path("/proc/self/cgroup")
MEMORY = Path("/proc/meminfo")
MOUNTS = Path("/proc/self/mountinfo")


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


def free_memory(cgroups: Path = CGROUPS, ours: Path = OURS, machine: Path = MEMORY) -> int | None:
    """Return how many bytes of memory this process may still take; None where it can't be told.

    The least of what is free on the machine and what the limit of its control group (versions 1
    and 2), or of one above it, leaves; files that the kernel keeps there count as free. Source: the
    Linux kernel's cgroup-v2, cgroup-v1/memory and proc documentation.
    """
    left = [left for folder in _folders(cgroups, ours) if (left := _left(folder)) is not None]
    if (free := _numbers(machine, ":").get("MemAvailable")) is not None:
        left.append(1024 * free)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS
        left.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(left)) if left else None


def _left(folder: Path) -> int | None:
    """Return the bytes that one control group has left, or None if it has no limit."""
    for limit, used, kept in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((folder / limit).read_text())  # version 2 says "max" for none
            taken = int((folder / used).read_text())
        except (OSError, ValueError):
            continue
        return most - taken + _numbers(folder / "memory.stat", " ").get(kept, 0)
    return None


def _numbers(file: Path, after: str) -> dict[str, int]:
    """Return what a file of the kernel's says, a name and a number a line."""
    try:
        lines = [line.partition(after) for line in file.read_text().splitlines()]
        return {name: int(value.split()[0]) for name, _, value in lines}
    except (OSError, ValueError, IndexError):
        return {}


def _folders(cgroups: Path, ours: Path) -> list[Path]:
    """Return the folders of this process's control groups, and of all above them."""
    found = [cgroups, cgroups / "cpu", cgroups / "memory"]
    try:
        lines = ours.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        each_own = [kind for kind in ("cpu", "memory") if kind in controllers.split(",")]
        root = cgroups / each_own[0] if each_own else cgroups
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


def is_mounted_alone(file: Path, mounts: Path = MOUNTS) -> bool:
    """Say whether a file is a mount of its own, as `-v model:/model` with a file's name makes it.

    Then another file that is moved to its place, where it came from, is never seen here.
    Source: the Linux kernel's proc documentation; the fifth field is a mount's place.
    """
    try:
        told = mounts.read_text("utf-8", "surrogateescape")  # a name there may be no UTF-8
        places = [line.split(" ")[4] for line in told.splitlines()]
    except (OSError, IndexError):
        return False  # it can't be told
    return re.sub(r"[\t\n\\ ]", _octal, str(file.resolve())) in places


def _octal(sign: "re.Match[str]") -> str:
    return f"\\{ord(sign[0]):03o}"


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
