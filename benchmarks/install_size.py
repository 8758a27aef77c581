"""Print what `pip install voilearn` takes on a Raspberry Pi, beside the learner's runtime.

In comes pyproject.toml; out goes a table for people: for each wheel what is downloaded and what it
takes on disk. uv resolves for the Pi, whatever machine this is; the wheels are then
fetched and looked into. Those of `learner` are up to gigabytes: of them the package index tells
the sizes of the downloads, and what they take on disk is not measured, or with --learner where
they bring no CUDA libraries.

    python benchmarks/install_size.py
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent

# Raspberry Pi OS in 64 bits: 12 has Python 3.11, 13 has 3.13; both are newer than glibc 2.28.
PYTHONS = ("3.11", "3.13")
PLATFORM = "aarch64-manylinux_2_28"
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in range(28, 16, -1)]
PLATFORMS += ["manylinux2014_aarch64"]
# Since 2.11 PyPI's torch for aarch64 asks for CUDA libraries, of which a Pi has no use. An older
# one does not, and PyTorch's own index has every version without.
OLDER = "torch<2.11"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


class Wheel(NamedTuple):
    """A wheel, with its sizes in bytes; `installed` is None where it was not looked into."""

    name: str
    version: str
    download: int
    installed: int | None


def requirements(project: Mapping[str, Any], *extras: str) -> list[str]:
    """Return what the project in a pyproject.toml requires with some extras."""
    more = [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *more]


def told(lock: Mapping[str, Any]) -> list[Wheel]:
    """Return the wheels of a pylock.toml, with the sizes that the package index tells.

    Where it names several for one package, the largest is the one made for the platform.
    """
    return [
        Wheel(package["name"], package["version"], max(w["size"] for w in package["wheels"]), None)
        for package in lock["packages"]
    ]


def look_into(path: Path) -> Wheel:
    """Return a wheel with its sizes: the file's own, and that of all it holds."""
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path) as wheel:
        installed = sum(member.file_size for member in wheel.infolist())
    return Wheel(name.replace("_", "-").lower(), version, path.stat().st_size, installed)


def resolve(required: Iterable[str], python: str, *options: str) -> list[Wheel]:
    """Return the wheels that a Pi would take, without fetching any."""
    with tempfile.TemporaryDirectory() as folder:
        asked, lock = Path(folder) / "asked.in", Path(folder) / "pylock.toml"
        asked.write_text("\n".join(required))
        command = [sys.executable, "-m", "uv", "pip", "compile", "--no-config", "--quiet"]
        command += ["--python-platform", PLATFORM, "--python-version", python]
        command += [
            str(asked),
            "--format",
            "pylock.toml",
            "-o",
            str(lock),
            "--only-binary",
            ":all:",
            *options,
        ]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return told(tomllib.loads(lock.read_text()))


def fetch(wheels: Iterable[Wheel], python: str) -> list[Wheel]:
    """Fetch the wheels as a Pi would, and return them with what they take on disk."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "-d", folder]
        command += [f"--platform={platform}" for platform in PLATFORMS]
        command += [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:"]
        command += ["--no-cache-dir"]
        command += [f"{wheel.name}=={wheel.version}" for wheel in wheels]
        subprocess.run(command, check=True)
        return [look_into(path) for path in sorted(Path(folder).glob("*.whl"))]


def own_wheel() -> Wheel:
    """Build the project's own wheel, and return it with its sizes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "-o", folder]
        subprocess.run([*command, str(ROOT)], check=True)
        return look_into(next(Path(folder).glob("*.whl")))


def megabytes(size: int | None) -> str:
    """Return a size in words."""
    return "not measured" if size is None else f"{size / 1e6:.1f}"


def total(name: str, wheels: Sequence[Wheel]) -> Wheel:
    """Return the sum of wheels as if it were one; its version is how many they are."""
    known = [wheel.installed for wheel in wheels if wheel.installed is not None]
    installed = sum(known) if len(known) == len(wheels) else None
    return Wheel(name, f"{len(wheels)} wheels", sum(w.download for w in wheels), installed)


def learner_totals(required: Sequence[str], python: str, whole: bool) -> list[Wheel]:
    """Return the sums of the learner's runtime, in each way of having it."""
    older = resolve([*required, OLDER], python)
    sums = [
        total("learner, newest torch", resolve(required, python)),
        total(f"learner, {OLDER}", fetch(older, python) if whole else older),
    ]
    if (cpu := cpu_wheels(required, python)) is not None:
        sums.append(total("learner, PyTorch's index of CPU wheels", cpu))
    return sums


def table(columns: Mapping[str, Sequence[Wheel]]) -> Iterator[str]:
    """Return the lines of a table: a row for each name, three columns for each Python."""
    heads = [f"CPython {python} | download MB | installed MB" for python in columns]
    yield "| | " + " | ".join(heads) + " |"
    yield "|---" * (3 * len(columns) + 1) + "|"
    names = {wheel.name: None for wheels in columns.values() for wheel in wheels}
    for name in names:
        cells = [name]
        for wheels in columns.values():
            wheel = next((wheel for wheel in wheels if wheel.name == name), None)
            cells += (
                ["", "", ""]
                if wheel is None
                else [
                    wheel.version,
                    megabytes(wheel.download),
                    megabytes(wheel.installed),
                ]
            )
        yield "| " + " | ".join(cells) + " |"


def cpu_wheels(required: Iterable[str], python: str) -> list[Wheel] | None:
    """Return the learner's wheels with PyTorch's own index, or None if it can't be reached."""
    options = ["--extra-index-url", CPU_INDEX, "--index-strategy", "unsafe-best-match"]
    try:
        return resolve(required, python, *options)
    except subprocess.CalledProcessError:
        return None


def main() -> None:
    """Resolve, fetch, look into, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--learner", action="store_true", help="fetch the learner's wheels too: 320 MB a Python"
    )
    whole = parser.parse_args().learner
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    light, heavy = requirements(project), requirements(project, "learner")
    own = own_wheel()
    columns = {}
    for python in PYTHONS:
        wheels = [own, *fetch(resolve(light, python), python)]
        sums = [total("total", wheels), *learner_totals(heavy, python, whole)]
        columns[python] = [*wheels, *sums]
    print(f"Raspberry Pi in 64 bits ({PLATFORM}); it needs {', '.join(light)}; ", end="")
    print(f"with the learner {', '.join(heavy)}\n")
    print("\n".join(table(columns)))
    if not any("CPU wheels" in wheel.name for wheel in columns[PYTHONS[-1]]):
        print(f"\nPyTorch's index of CPU wheels, {CPU_INDEX}, could not be reached.")


if __name__ == "__main__":
    main()
