"""How many cores a container really grants, for each way a kernel says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voilearn.machine import free_memory, granted_cores, is_mounted_alone

MACHINE = 8


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(MACHINE), raising=False)


def granted(tmp_path: Path, ours: str, files: dict[str, str]) -> int:
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    (tmp_path / "ours").write_text(ours + "\n")
    return granted_cores(tmp_path / "cgroup", tmp_path / "ours")


@pytest.mark.parametrize(
    ("ours", "files", "cores"),
    [
        ("0::/", {"cpu.max": "max 100000"}, MACHINE),
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "3200000 100000"}, MACHINE),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b", {"a/b/cpu.max": "200000 100000", "a/cpu.max": "300000 100000"}, 2),
        ("3:cpu,cpuacct:/", {"cpu/cpu.cfs_quota_us": "-1"}, MACHINE),
        (
            "3:cpu,cpuacct:/",
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"},
            2,
        ),
        (
            "3:cpu,cpuacct:/docker/x\n4:memory:/y",
            {
                "cpu/docker/x/cpu.cfs_quota_us": "100000",
                "cpu/docker/x/cpu.cfs_period_us": "100000",
            },
            1,
        ),
        ("0::/pods/x:cri:abc", {"pods/x:cri:abc/cpu.max": "200000 100000"}, 2),
        ("0::/", {}, MACHINE),
        ("0::/", {"cpu.max": "nonsense"}, MACHINE),
        ("0::/", {"cpu.max": "100000 0"}, MACHINE),
        ("nonsense", {"cpu.max": "200000 100000"}, 2),
    ],
)
def test_the_least_of_all_limits_counts(
    tmp_path: Path, ours: str, files: dict[str, str], cores: int
) -> None:
    assert granted(tmp_path, ours, files) == cores


def test_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert granted(tmp_path, "0::/", {"cpu.max": "max 100000"}) == 2


def test_without_either_the_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert granted_cores(tmp_path / "none", tmp_path / "nothing") == 6


def test_this_very_machine_grants_some() -> None:
    assert 1 <= granted_cores() <= MACHINE


SCRIPT = """
from voilearn.machine import trim
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


MEMINFO = "MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable: 8000 kB\nHugePages_Total: 0"


@pytest.mark.parametrize(
    ("ours", "files", "left"),
    [
        ("0::/", {}, 8000 * 1024),
        ("0::/", {"memory.max": "max", "memory.current": "100"}, 8000 * 1024),
        ("0::/", {"memory.max": "5000", "memory.current": "1000"}, 4000),
        ("0::/", {"memory.max": "5000", "memory.current": "6000"}, 0),
        (
            "0::/",
            {"memory.max": "5000", "memory.current": "3000", "memory.stat": "inactive_file 1500"},
            3500,
        ),
        (
            "0::/a/b",
            {
                **{"a/b/memory.max": "max", "a/b/memory.current": "10"},
                **{"a/memory.max": "700", "a/memory.current": "100"},
            },
            600,
        ),
        (
            "4:memory:/x\n0::/",
            {
                "memory/x/memory.limit_in_bytes": "900",
                "memory/x/memory.usage_in_bytes": "400",
                "memory/x/memory.stat": "cache 9\ntotal_inactive_file 100",
            },
            600,
        ),
        ("0::/", {"memory.max": "nonsense", "memory.current": "1"}, 8000 * 1024),
    ],
)
def test_the_least_memory_that_is_left_counts(
    tmp_path: Path, ours: str, files: dict[str, str], left: int
) -> None:
    granted(tmp_path, ours, files)
    (tmp_path / "meminfo").write_text(MEMINFO)
    found = free_memory(tmp_path / "cgroup", tmp_path / "ours", tmp_path / "meminfo")
    assert found == left


def test_this_machine_has_some_memory_left() -> None:
    found = free_memory()
    assert found is None or found > 1e6


MOUNTS = """\
36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw
40 36 98:0 /srv/models /models rw - ext4 /dev/root rw
41 36 98:0 /srv/a\\040model.pkl {folder}/a\\040model.pkl ro - ext4 /dev/root rw
"""


def test_a_file_that_is_mounted_by_itself_is_known(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder=tmp_path))
    for name in ("a model.pkl", "other.pkl"):
        (tmp_path / name).touch()
    assert is_mounted_alone(tmp_path / "a model.pkl", mounts)
    assert not is_mounted_alone(tmp_path / "other.pkl", mounts)  # it is in a folder
    assert not is_mounted_alone(Path("/models/export.pkl"), mounts)
    assert not is_mounted_alone(tmp_path / "a model.pkl", tmp_path / "nothing")
    mounts.write_bytes(b"41 36 98:0 / /media/M\xe4rz rw - vfat /dev/sdb rw\n")
    assert not is_mounted_alone(tmp_path / "a model.pkl", mounts)
    mounts.write_text("nonsense\n")
    assert not is_mounted_alone(tmp_path / "a model.pkl", mounts)
