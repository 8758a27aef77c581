"""The commands in README.md and docs/ run, their links lead somewhere, and every option is told."""

import contextlib
import dataclasses
import functools
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from install import torch_wheels
from tests.conftest import EXPORTS, ROOT, draw, encode
from tests.documents import (
    CPU_INDEX,
    DOCS,
    DOCUMENTS,
    FENCED,
    MADE,
    README,
    SERVERS,
    Block,
    all_blocks,
    blocks,
    commands,
    here,
    kind_of,
)
from voilearn.cli import _page, _parser
from voilearn.settings import ClassWords, Settings, read_settings

PAGE = ROOT / "docs" / "page.md"
NAMES = [path.name for path in DOCUMENTS]
NO_REGISTRY = "The runtime can't be downloaded"
PLACES = sorted((ROOT / "docs" / "deploy").glob("*.md"))
FOLDERS = sorted(path for path in ROOT.glob("*/*.md") if path.parts[-2][0] != ".") + PLACES


def test_the_readme_is_one_screen() -> None:
    assert len(README.read_text().splitlines()) <= 110


def test_the_readme_leads_to_every_document() -> None:
    for document in DOCS:
        assert re.search(rf"\]\(docs/{document.name}[)#]", README.read_text()), document.name


def test_the_table_of_places_leads_to_each_of_them() -> None:
    index = ROOT / "docs" / "deploy" / "README.md"
    for document in PLACES:
        assert document == index or f"]({document.name}" in index.read_text(), document.name


def test_every_block_is_run_or_compared_by_a_test() -> None:
    assert [block for block in all_blocks() if kind_of(block) is None] == []


@pytest.mark.parametrize(
    "block",
    [
        Block("shell.md", "sh", "make test\npaint a picture\n"),
        Block("page.md", "bat", "make clean\n"),
        Block("shell.md", "python", "import voilearn\n"),
        Block("service.md", "", "no language\n"),
        Block("service.md", "go", "package main\n"),
    ],
)
def test_a_block_that_no_test_covers_is_seen(block: Block) -> None:
    assert kind_of(block) is None


def test_nginx_takes_the_lines_for_it(tmp_path: Path) -> None:
    if not (nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")):
        pytest.skip("nginx is not here; on Debian: apt install nginx-light")
    (block,) = blocks("proxy")
    config = tmp_path / "nginx.conf"
    server = f"server {{ listen 127.0.0.1:8080; {block.text} }}"
    config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ {server} }}")
    subprocess.run([nginx, "-t", "-p", tmp_path, "-c", config, "-e", tmp_path / "log"], check=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_all_code_is_in_fenced_blocks(document: Path) -> None:
    rest = FENCED.sub("", document.read_text())
    assert not re.findall(r"^(?: {4,}|\t).*|^ *(?:```|~~~).*", rest, re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: a small learner, the same compiled, and photos made by code."""
    pytest.importorskip("onnx")
    from tests import onnx_files

    folder = tmp_path_factory.mktemp("reader")
    # without code in it, which only the Python that wrote it would run with --trust
    shutil.copy(EXPORTS / "2.8.12-legacy_container.pkl", folder / "export.pkl")
    shutil.copy(ROOT / "requirements.txt", folder)
    shutil.copytree(ROOT / "install", folder / "install")
    onnx_files.write(folder, onnx_files.model())
    draw().save(folder / "photo.jpg")
    (folder / "photos" / "ant").mkdir(parents=True)
    for number in range(100):  # so many as int8 needs
        draw((60 + number, 50)).save(folder / "photos" / "ant" / f"{number}.jpg")
    (folder / "others").mkdir()
    for number in range(3):
        draw((80, 60 + number), "L").save(folder / "others" / f"{number}.png")
    return folder


@pytest.mark.model
@pytest.mark.parametrize("command", commands("voilearn"))
def test_every_command_of_voilearn_runs(
    command: str,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `python -m voilearn` does, and in this process, so that torch is loaded once for all."""
    typed, _, redirected = here(command).partition(" < ")
    python, dash_m, *arguments = shlex.split(typed)
    assert (python, dash_m) == (sys.executable, "-m")
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(sys, "argv", arguments)
    with Path(redirected or os.devnull).open() as stdin, pytest.raises(SystemExit) as end:
        monkeypatch.setattr(sys, "stdin", stdin)
        runpy.run_module(arguments[0], run_name="__main__")
    told = capsys.readouterr()
    if NO_REGISTRY in told.err and not os.environ.get("CI"):
        pytest.skip(told.err)
    assert end.value.code == 0, told.err
    assert told.out.endswith("\n")


@pytest.mark.parametrize("command", commands("page"))
def test_a_page_that_is_told_of_is_one_of_the_model_that_is_named(command: str) -> None:
    """Compared, for it runs until Ctrl+C; `tests/service/test_in_browser.py` runs it."""
    chosen = _parser().parse_args(shlex.split(command)[1:])
    assert chosen.run is _page
    assert chosen.model.name == "export.pkl"


@pytest.mark.slow  # pip looks through all that is installed, once for each
@pytest.mark.model
@pytest.mark.parametrize("command", commands("environment"))
def test_every_command_that_makes_an_environment_runs(command: str, checkout: Path) -> None:
    done = _once(here(command), checkout)
    assert done.returncode == 0, done.stderr
    assert "Would install" not in done.stdout


@functools.cache
def _once(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command, once for all documents and systems that tell it."""
    arguments = shlex.split(command)
    if "install" in arguments:
        arguments.append("--dry-run")  # this environment was made by that very command
    alone = os.environ | {"TORCH": "pypi"}  # nothing of this environment is replaced
    return subprocess.run(
        arguments, cwd=folder, env=alone, capture_output=True, text=True, check=False
    )


def test_the_index_without_cuda_is_the_one_that_make_page_takes() -> None:
    assert CPU_INDEX == torch_wheels.INDEX


@pytest.mark.parametrize("command", commands("extra"))
def test_an_extra_that_is_told_of_is_one_and_fits_this_environment(command: str) -> None:
    """Compared, for pip fetches hatchling from the network to build the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"\[(\w+)\]", command)
    more = [line for extra in extras for line in project["optional-dependencies"][extra]]
    for line in (*project["dependencies"], *more):
        wanted = Requirement(line)
        with contextlib.suppress(PackageNotFoundError):  # `make quick` leaves the learner out
            assert wanted.specifier.contains(version(wanted.name))
    assert "voilearn" in project["scripts"]


@pytest.mark.parametrize(("command", "runs"), MADE.items())
def test_make_runs_what_is_told(command: str, runs: str) -> None:
    # -B: as on a fresh machine, where nothing is installed yet
    dry = subprocess.run(
        [*shlex.split(command), "-n", "-B"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.search(runs, dry.stdout, re.DOTALL), dry.stdout


def test_the_documents_and_these_tests_name_the_same_commands() -> None:
    assert set(commands("server")) == set(SERVERS)
    assert set(commands("made")) == set(MADE)
    for command in ("make page", "make test"):
        assert f"```sh\n{command}\n```" in README.read_text()


def test_the_servers_of_the_documents_are_run_in_a_real_browser() -> None:
    pytest.importorskip("playwright", reason="the browser tests' driver is not installed")
    from tests.browser.ways import WAYS

    assert set(SERVERS.values()) <= set(WAYS)


def test_bare_make_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in phony[0].split():
        assert f"make {target}" in listed


@pytest.mark.parametrize(
    "document", [*sorted(ROOT.glob("*.md")), *FOLDERS], ids=lambda path: f"{path.relative_to(ROOT)}"
)
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)", FENCED.sub("", document.read_text())):
        target, _, anchor = link.partition("#")
        if "://" not in link:
            path = document.parent / target if target else document
            assert path.exists(), link
            assert not anchor or anchor in anchors(path), link


def anchors(document: Path) -> list[str]:
    """Return the names that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("block", blocks("link"), ids=lambda block: block.document)
def test_a_link_that_is_told_is_the_badges_own(block: Block) -> None:
    assert f"({block.text.strip()})" in README.read_text()


@functools.cache
def _help(*command: str) -> str:
    arguments = [sys.executable, "-m", "voilearn", *command, "--help"]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_every_option_of_the_command_line_is_told_beside_its_command() -> None:
    names = re.findall(r"^ {4}(\w+) ", _help(), re.MULTILINE)
    assert {"classify", "serve"} <= set(names)
    for command in ([], *([name] for name in names)):
        called = " ".join(["voilearn", *command])
        beside = [d.read_text() for d in DOCS if re.search(rf"{called}\b", d.read_text())]
        for option in set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", _help(*command))):
            assert _holds("\n".join(beside), option), f"{called} {option}"


def _holds(text: str, option: str) -> bool:
    usual = option in ("-h", "--help")
    return usual or bool(re.search(rf"(?<![\w-]){option}(?![\w-])", text))


def test_the_architecture_tells_of_every_room_and_of_every_file_on_a_way() -> None:
    """What is in a room stands in its sign, which `test_imports.py` holds."""
    told, package = (ROOT / "ARCHITECTURE.md").read_text(), ROOT / "voilearn"
    for path in package.iterdir():
        if path.is_dir() and (path / "__init__.py").is_file():
            assert f"**`{path.name}/`**" in told, path.name
        elif path.suffix == ".py" and not path.name.startswith("__"):
            assert f"`{path.name}`" in told, path.name
    for name in re.findall(r"\b(?:\w+/)+\w+\.(?:py|js)\b", told):
        assert (package / name).is_file() or (ROOT / name).is_file(), name


@pytest.mark.parametrize("block", blocks("app.toml"), ids=lambda block: block.document)
def test_an_app_toml_that_is_told_of_is_one(block: Block, tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text(block.text)
    settings = read_settings(tmp_path / "app.toml")
    assert settings.title and settings.introduction and settings.classes["grizzly"].colour


def test_every_key_of_app_toml_is_told() -> None:
    section = PAGE.read_text().partition("## Words, colours and examples")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
    assert keys == {*vars_of(Settings), *vars_of(ClassWords)}


def test_app_toml_says_where_its_keys_are_told() -> None:
    assert "docs/page.md" in (ROOT / "app.toml").read_text().splitlines()[0]


def vars_of(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def code_of_the_notebook() -> list[str]:
    cells = json.loads((ROOT / "app.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_cells_that_are_told_of_are_the_notebooks() -> None:
    assert [block.text.strip() for block in blocks("cell")] == code_of_the_notebook()


@pytest.mark.model
@pytest.mark.parametrize("block", blocks("change"), ids=lambda block: block.text.splitlines()[-1])
def test_what_an_author_writes_in_place_of_a_line_gives_an_answer(
    block: Block, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gives another `connect`, below the notebook's imports, or `classify` itself."""
    monkeypatch.chdir(checkout)
    scope: dict[str, object] = {}
    for source in _with(block.text):
        exec(source, scope)
    classify = scope["classify"]
    assert callable(classify)
    assert type(classify).__name__ == "Classifier", "it answers in this process"
    assert classify(encode(draw(), "JPEG")).label in ("ant", "bee", "cat")


def _with(change: str) -> list[str]:
    """Return the notebook's cells up to `classify`, with a change of them."""
    if "classify =" in change:
        return [change]
    imports, opens, *_ = code_of_the_notebook()
    return [f"{imports}\n{change}", opens]
