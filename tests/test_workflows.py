"""What GitHub runs: by its own schemas, with targets that exist, on every Python that we name."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from tests.conftest import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml, which reads YAML, is not here")
    return dict(yaml.YAML(typ="safe").load(path))


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{p.name}: {n}", job) for p in WORKFLOWS for n, job in read(p)["jobs"].items()]


def commands() -> str:
    """All that the workflows have a shell run."""
    return "\n".join(s["run"] for _, job in jobs() for s in job.get("steps", []) if "run" in s)


def versions(job: str) -> list[str]:
    """The versions of Python that a job of test.yml runs on."""
    return list(
        read(GITHUB / "workflows" / "test.yml")["jobs"][job]["strategy"]["matrix"]["python"]
    )


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [GITHUB / "ISSUE_TEMPLATE" / "config.yml"]),
    ],
)
def test_github_can_read_it(schema: str, files: list[Path]) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    assert files
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*check, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_targets_of_make_that_the_workflows_call_exist() -> None:
    called = set(re.findall(r"^make ([a-z-]+)", commands(), re.MULTILINE))
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"quick", "test"} <= called <= there


def test_the_files_that_the_workflows_install_exist() -> None:
    named = re.findall(r"-r (\S+)", commands())
    assert named
    assert all((ROOT / name).is_file() for name in named)


def test_every_python_that_we_name_is_tested_and_no_other() -> None:
    prefix = "Programming Language :: Python :: 3."
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if c.startswith(prefix)]
    assert named == versions("linux")
    assert set(versions("elsewhere")) <= set(named)
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [int(version.partition(".")[2]) for version in named]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert all(version in allowed for version in named)
    assert f"3.{minors[0] - 1}" not in allowed


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_no_more_than_read_unless_a_job_says_why(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    for line in path.read_text().splitlines():
        if ": write" in line:
            assert "#" in line, line


def test_actions_are_pinned_to_a_major_version() -> None:
    for name, job in jobs():
        used = [step["uses"] for step in job.get("steps", []) if "uses" in step]
        for action in used:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+)", action), (
                f"{name}: {action}"
            )


def test_a_release_waits_for_the_tests_and_takes_no_password() -> None:
    release = read(GITHUB / "workflows" / "release.yml")
    assert release["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"
    assert release["jobs"]["build"]["needs"] == "test"
    assert release["jobs"]["publish"]["needs"] == "build"
    assert release["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text()


def test_the_check_of_a_tag_is_of_the_packages_version() -> None:
    """The step is run as it stands, for this version's tag and for another."""
    steps = read(GITHUB / "workflows" / "release.yml")["jobs"]["build"]["steps"]
    (check,) = (step["run"] for step in steps if "GITHUB_REF_NAME" in step.get("run", ""))
    version = subprocess.run(
        [sys.executable, "-c", "import voilearn; print(voilearn.__version__)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    compare = check.partition("grep")[0]
    for tag, code in ((f"v{version}", 0), ("v999.0.0", 1)):
        done = subprocess.run(
            ["sh", "-ec", compare.replace("$(python ", f"$({sys.executable} ")],
            cwd=ROOT,
            env={"GITHUB_REF_NAME": tag},
            check=False,
        )
        assert done.returncode == code


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_who_reports_a_bug_is_asked_what_helps_and_for_no_photo(form: Path) -> None:
    fields = {field["id"]: field for field in read(form)["body"]}
    if form.stem == "idea":
        return
    for name in ("inspect", "version", "way", "happened"):
        assert fields[name]["validations"]["required"], name
    assert "voilearn inspect" in fields["inspect"]["attributes"]["description"]
    assert "no photo" in form.read_text().lower()
