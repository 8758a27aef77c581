"""Files that are nearly exports end in an opened model or in one of our errors, every one.

`FUZZ_CASES` and `FUZZ_SEED` choose which: a case that fails is named with its seed, and kept.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.conftest import Ask, Report
from tests.attacks.fuzz import Sample, fuzzed
from tests.conftest import EXPORTS

pytestmark = pytest.mark.model
SEED = int(os.environ.get("FUZZ_SEED", "1"))
KEPT = Path(os.environ.get("FUZZ_KEPT", EXPORTS.parent / "screenshots" / "fuzz"))
BATCH, MAX_SECONDS, MAX_BYTES, MAX_SAMPLE = 25, 60, 1_000_000_000, 200_000


@pytest.fixture(scope="module")
def samples(good: bytes) -> list[Sample]:
    """The good export in both formats, and all small ones that there are of earlier fastai."""
    from tests.attacks.workshop import load, save

    made = [good, save(load(good), zipped=False)]
    there = [path.read_bytes() for path in sorted(EXPORTS.glob("*.pkl"))]
    return [Sample(data) for data in [*made, *there] if len(data) < MAX_SAMPLE]


def test_some_changed_exports_end_well(samples: list[Sample], watch: Ask, tmp_path: Path) -> None:
    check_all(samples[::4], range(SEED, SEED + 300), watch, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_thousand_changed_exports_end_well(
    samples: list[Sample], watch: Ask, tmp_path: Path
) -> None:
    cases = int(os.environ.get("FUZZ_CASES", "10000"))
    check_all(samples, range(SEED, SEED + cases), watch, tmp_path)


def test_a_seed_gives_the_same_file_again(samples: list[Sample]) -> None:
    assert fuzzed(samples, 7) == fuzzed(samples, 7) != fuzzed(samples, 8)


def check_all(samples: list[Sample], seeds: range, watch: Ask, folder: Path) -> None:
    wrong = []
    for start in range(seeds.start, seeds.stop, BATCH):
        batch = range(start, min(start + BATCH, seeds.stop))
        wrong += [f"seed {seed}: {why}" for seed, why in failures(samples, batch, watch, folder)]
    assert not wrong, f"{len(wrong)} of {len(seeds)} (kept in {KEPT}):\n" + "\n".join(wrong)


def failures(
    samples: list[Sample], seeds: range, watch: Ask, folder: Path
) -> Iterator[tuple[int, str]]:
    """Yield the seeds of a batch whose files did not end well, and why."""
    paths = {str(folder / f"{seed}.pkl"): seed for seed in seeds}
    for path, seed in paths.items():
        Path(path).write_bytes(fuzzed(samples, seed))
    waiting = list(paths)
    while waiting:
        report, waiting = ask(waiting, watch, folder / "at")
        for path, one in report.items():
            if why := wrong_with(one):
                keep(Path(path))
                yield paths[path], why
    for path in paths:
        Path(path).unlink()


def ask(paths: list[str], watch: Ask, at: Path) -> tuple[dict[str, Report], list[str]]:
    """Return the reports of files, and the files that are left, if one ended the process."""
    report = watch({"paths": paths, "way": "fuzzed", "at": str(at), "most": 600})
    if set(paths) <= set(report):
        last = dict(report[paths[-1]])
        if report["bytes"] > MAX_BYTES:
            last["crashed"] = f"these {len(paths)} files took {report['bytes'] / 1e9:.1f} GB"
        return {path: report[path] for path in paths} | {paths[-1]: last}, []
    culprit = at.read_text()
    return {culprit: report}, paths[paths.index(culprit) + 1 :]


def wrong_with(report: Report) -> str | None:
    if "crashed" in report:
        return str(report["crashed"])
    if report["seconds"] > MAX_SECONDS:
        return f"took {report['seconds']:.0f} s"
    told = "".join(report.get(step, {}).get("refused", "") for step in ("read", "open"))
    return None if told.isprintable() else f"says what can't be printed: {told!a}"


def keep(path: Path) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / path.name).write_bytes(path.read_bytes())
