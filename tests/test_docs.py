"""The README's commands run, what it links to exists, and every option is told."""

import dataclasses
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, draw
from voilearn.settings import ClassWords, Settings, read_settings

README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent

# Commands that start a server: the browser tests run these very ways, so here they are only told.
SERVERS = {
    "make page": "make",
    ".venv/bin/voila app.ipynb": "voila",
    r".venv\Scripts\voila app.ipynb": "voila",
    "jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb": "lab",
}
# What make would run for these is compared, for they install or serve.
MADE = {
    "make page REQUIREMENTS=binder/requirements.txt": "pip .*install -r binder/requirements.txt",
    "make lab": "jupyter lab --config=.jupyter/jupyter_server_config.json app.ipynb",
    "make test": "python -m pytest",
    "make web": "-m voilearn compile .*device/build.py",
    "make web-serve": "-m http.server .*web/dist",
}


# These need a service, which `test_readme_service.py` runs.
SERVICE = (".venv/bin/python -m voilearn serve", "curl ")


def commands() -> list[str]:
    blocks = re.findall(r"^```(?:sh|bat)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def here(command: str) -> list[str]:
    """Turn a command of the README into one for this environment, whatever system it is for."""
    command = re.sub(r"\.venv(/bin/|\\Scripts\\)", f"{BIN}/", command)
    return shlex.split(re.sub(r"^(python3|python|py) ", f"{sys.executable} ", command))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a newcomer has, with a photo made by code."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("export.pkl", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "voilearn", folder / "voilearn")
    draw().save(folder / "photo.jpg")
    (folder / "examples").mkdir()
    return folder


@pytest.mark.model
@pytest.mark.parametrize(
    "command",
    [c for c in commands() if c not in {*SERVERS, *MADE} and not c.startswith(SERVICE)],
)
def test_every_command_of_the_readme_runs(command: str, checkout: Path) -> None:
    arguments = here(command)
    if "install" in arguments:
        arguments.append("--dry-run")  # this environment was made by that very command
    done = subprocess.run(arguments, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would install" not in done.stdout


@pytest.mark.parametrize(("command", "runs"), MADE.items())
def test_make_runs_what_the_readme_says(command: str, runs: str) -> None:
    # -B: as on a fresh machine, where nothing is installed yet
    dry = subprocess.run(
        [*shlex.split(command), "-n", "-B"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.search(runs, dry.stdout, re.DOTALL), dry.stdout


def test_the_readme_and_these_tests_name_the_same_commands() -> None:
    assert {*SERVERS, *MADE} <= set(commands())
    assert "make page" in SERVERS
    assert "make test" in MADE


def test_the_servers_of_the_readme_are_run_in_a_real_browser() -> None:
    pytest.importorskip("playwright", reason="the browser tests' driver is not installed")
    from tests.browser.ways import WAYS

    assert set(SERVERS.values()) <= set(WAYS)


def test_bare_make_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in phony[0].split():
        assert f"make {target}" in listed


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("command", ["classify", "compile", "inspect", "serve"])
def test_every_option_of_the_command_line_is_in_the_readme(command: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "voilearn", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in set(re.findall(r"--[a-z0-9]+", shown)) - {"--help"}:
        assert option in README, option


def test_the_architecture_tells_of_every_module() -> None:
    told = (ROOT / "ARCHITECTURE.md").read_text()
    for kind in ("[!_]*.py", "*.js", "*.css", "*.html"):
        for module in (ROOT / "voilearn").glob(kind):
            assert f"`{module.name}`" in told, module.name


def test_the_app_toml_of_the_readme_is_one_and_its_table_has_every_key(tmp_path: Path) -> None:
    section = README.partition("## Words, colours and examples")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```toml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (tmp_path / "app.toml").write_text(example)
    settings = read_settings(tmp_path / "app.toml")
    assert settings.title and settings.introduction and settings.classes["grizzly"].colour
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert keys == {*vars_of(Settings), *vars_of(ClassWords)}


def vars_of(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]
