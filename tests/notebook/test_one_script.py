"""The page's scripts in one text, for a notebook."""

import re
import shutil
import subprocess

import pytest

from voilearn.notebook.one_script import MODULES, ROOMS, one_module

IMPORT = re.compile(r'^import \{([^}]*)\} from "([./\w]+)";$', re.MULTILINE)
TOP = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) \[?(\w+)", re.MULTILINE)

PAGE = ROOMS / "page"


def text(name: str) -> str:
    return (ROOMS / name).read_text("utf-8")


def test_nothing_is_left_to_import_and_one_thing_is_exported() -> None:
    module = one_module()
    assert not re.search(r"^import ", module, re.MULTILINE)
    assert re.findall(r"^export .*", module, re.MULTILINE) == ["export default () => {"]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_stands_before_it(name: str) -> None:
    for names, path in IMPORT.findall(text(name)):
        source = (ROOMS / name).parent.joinpath(path).resolve().relative_to(ROOMS).as_posix()
        assert MODULES.index(source) < MODULES.index(name)
        for each in names.replace(" ", "").rstrip(",").split(","):
            assert re.search(rf"^export .*\b{each}\b", text(source), re.MULTILINE), each
    assert len(IMPORT.findall(text(name))) == text(name).count("\nimport ")


def test_no_name_is_taken_twice() -> None:
    names = [name for module in MODULES for name in TOP.findall(text(module))]
    assert len(names) > 40
    assert sorted(names) == sorted(set(names))


def test_a_notebooks_browser_can_parse_it(tmp_path: object) -> None:
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    command = ["node", "--input-type=module", "--check"]
    run = subprocess.run(command, input=one_module(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_template_takes_the_scripts_as_they_are() -> None:
    """Jinja reads them to name them by their content: signs of its own would be taken for code."""
    for path in (*PAGE.glob("*.*"), *ROOMS.glob("notebook/*.js")):
        assert not re.search(r"\{\{|\{%|\{#", path.read_text("utf-8")), path.name
