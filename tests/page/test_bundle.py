"""The page's scripts in one text, as each host takes it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from voilearn.device.build import SCRIPTS as DEVICE
from voilearn.page.bundle import PAGE, PHOTO_WORKER, ROOMS, one_script, one_style
from voilearn.service.page import SCRIPTS as SERVICE

IMPORT = re.compile(r'^import \{([^}]*)\} from "([./\w]+)";$', re.MULTILINE)
TOP = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) \[?(\w+)", re.MULTILINE)

NOTEBOOK = (*PAGE, "notebook/asker.js", "notebook/widget.js")
SCRIPTS = {"notebook": NOTEBOOK, "service": SERVICE, **DEVICE}
MODULES = [(script, name) for script, names in SCRIPTS.items() for name in names]


def text(name: str) -> str:
    return (ROOMS / name).read_text("utf-8")


def test_nothing_is_left_to_import_and_one_thing_is_exported() -> None:
    whole = {name: one_script(modules) for name, modules in SCRIPTS.items()}
    beginning = r"(?m:^|(?<=[;}]))"  # of a statement
    assert not any(re.search(rf"{beginning}import ", text) for text in whole.values())
    exported = {name: re.findall(rf"{beginning}export .*?{{", text) for name, text in whole.items()}
    first, *others = exported
    decode = ["export default async function decode(bytes, heic, check) {"]
    assert exported[first] == ["export default () => {"]
    assert {name: exported[name] for name in others if exported[name]} == {"heic.js": decode}
    assert DEVICE["photo_worker.js"] == PHOTO_WORKER  # the same for every host


ENDING = re.compile(
    r" // .*|/\*\* @type .*?\*/ ?"
)  # a comment at the end of a line, or a type in it


def test_comments_are_left_out_and_nothing_else_is() -> None:
    written = "".join(text(name) for name in NOTEBOOK)
    lines = [line.strip() for line in one_script(NOTEBOOK).splitlines()]
    assert not [line for line in lines if line.startswith(("//", "/**", "* @"))]
    code = [line.strip().removeprefix("export ") for line in written.splitlines()]
    kept = [line for line in code if not line.startswith(("//", "/**", "*", "import "))]
    left = [line.removeprefix("export ") for line in lines]
    assert "".join(ENDING.sub("", line) for line in left) == "".join(
        ENDING.sub("", line) for line in kept
    )
    assert "" not in left


def test_the_end_of_a_line_is_left_out_only_where_no_semicolon_could_be_meant(
    tmp_path: Path,
) -> None:
    script = "f(() => {\n  g(\n    [1,\n     2],\n  )\n})\nconst a = b\n(c)\nx = y\n}\n"
    (tmp_path / "a.js").write_text(script)
    assert one_script([str(tmp_path / "a.js")]) == (
        "f(() => {g([1,2],)})\nconst a = b\n(c)\nx = y\n}\n"
    )


def test_a_comment_at_the_end_of_a_line_is_left_out_and_no_text(tmp_path: Path) -> None:
    script = (
        "const a = 1; // one\nconst b = 'x; // y';\nconst c = f(2), // it's\n  d = [3]; // three\n"
    )
    (tmp_path / "a.js").write_text(script)
    assert one_script([str(tmp_path / "a.js")]) == (
        "const a = 1;const b = 'x; // y';\nconst c = f(2), // it's\nd = [3];\n"
    )


@pytest.mark.parametrize(("script", "name"), MODULES)
def test_a_module_imports_only_what_stands_before_it(script: str, name: str) -> None:
    modules = SCRIPTS[script]
    for names, path in IMPORT.findall(text(name)):
        source = (ROOMS / name).parent.joinpath(path).resolve().relative_to(ROOMS).as_posix()
        assert modules.index(source) < modules.index(name)
        for each in names.replace(" ", "").rstrip(",").split(","):
            assert re.search(rf"^export .*\b{each}\b", text(source), re.MULTILINE), each
    assert len(IMPORT.findall(text(name))) == text(name).count("\nimport ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_name_is_taken_twice(script: str) -> None:
    names = [name for module in SCRIPTS[script] for name in TOP.findall(text(module))]
    assert len(names) > 20 or len(SCRIPTS[script]) == 1
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_browser_can_parse_it(script: str) -> None:
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    command = ["node", "--input-type=module", "--check"]
    run = subprocess.run(command, input=one_script(SCRIPTS[script]), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_voilas_template_names_the_same_modules() -> None:
    template = text("notebook/voila/templates/voilearn/index.html.j2")
    named = {
        name: tuple(re.findall(r"[\w/.]+", modules))
        for name, modules in re.findall(r"set (\w+) = \[(.*?)\]", template)
    }
    assert named["photo_worker"] == PHOTO_WORKER
    assert set(named["modules"]) == {*PAGE, "notebook/asker.js", "notebook/kernel.js"}


def test_the_template_takes_the_scripts_as_they_are() -> None:
    """Jinja reads them to name them by their content: signs of its own would be taken for code."""
    for path in (*ROOMS.glob("page/*.[!p]*"), *ROOMS.glob("notebook/*.js")):
        assert not re.search(r"\{\{|\{%|\{#", path.read_text("utf-8")), path.name


def test_a_style_sheet_is_the_same_without_its_comments() -> None:
    def rules(style: str) -> list[str]:
        return re.findall(r"[^\s{};,]+|[{};,]", re.sub(r"(?s)/\*.*?\*/", "", style))

    whole, short = text("page/page.css"), one_style("page/page.css")
    assert rules(short) == rules(whole)
    assert len(short) < len(whole)
