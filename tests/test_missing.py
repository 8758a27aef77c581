"""The line that installs what is missing, for every way in which Voilearn may be installed."""

import importlib
import importlib.util
import os
import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import voilearn
from tests.conftest import ROOT
from voilearn import missing
from voilearn.missing import EXTRAS, LIGHT, install_line, needs, with_extras

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LEARNER = "voilearn[learner]"
# packages whose distribution has another name, or which come with another
OF = {"PIL": "pillow", "starlette": "fastapi", "numpy": "onnxruntime", "jupyterlab": "notebook"}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the package is installed, and not in a checkout, in an environment of pip's."""
    monkeypatch.setattr(missing, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: sys.executable if name == "python" else None)


@pytest.mark.parametrize("package", [name for name in EXTRAS if name != "IPython"])
def test_each_package_comes_with_the_extra_that_is_named(package: str) -> None:
    extra = EXTRAS[package]
    listed = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    names = {Requirement(line).name.replace("-", "_") for line in listed}
    assert OF.get(package, package).replace("-", "_") in names


def test_what_several_packages_need_is_one_line() -> None:
    assert with_extras(["timm", "fastai", "torch"]) == "voilearn[learner,timm]"
    assert with_extras(LIGHT) == "voilearn"
    assert with_extras(["onnx_ir.passes"]) == LEARNER
    assert needs(["fastai", "timm", "torch"]) == (
        "needs the Python packages fastai, timm and torch, which are not installed here: "
        'python -m pip install "voilearn[learner,timm]"'
    )
    assert needs(["timm"]).startswith("needs the Python package timm, which is not")


def test_a_line_is_for_the_python_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_line(LEARNER) == f'python -m pip install "{LEARNER}"'
    assert install_line("peft") == "python -m pip install peft"
    monkeypatch.setattr("shutil.which", lambda name: f"/elsewhere/{name}")
    monkeypatch.setattr(sys, "executable", "/home/a b/bin/python")
    assert shlex.split(install_line(LEARNER))[:2] == ["/home/a b/bin/python", "-m"]


def test_a_line_for_windows_is_quoted_as_its_shells_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missing, "WINDOWS", True)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "executable", r"C:\My Files\env\Scripts\python.exe")
    python = r'"C:\My Files\env\Scripts\python.exe"'
    assert install_line(LEARNER) == f'{python} -m pip install "{LEARNER}"'


@pytest.mark.parametrize(
    ("file", "folder", "line"),
    [
        ("pipx_metadata.json", "pipx/venvs/voilearn", f'pipx install --force "{LEARNER}"'),
        ("pipx_metadata.json", "pipx/.cache/24a8", f'pipx run --spec "{LEARNER}" voilearn …'),
        ("uv-receipt.toml", "uv/tools/voilearn", f'uv tool install "{LEARNER}"'),
        ("CACHEDIR.TAG", "archive-v0/JWRb", f'uv tool run --from "{LEARNER}" voilearn …'),
    ],
)
def test_a_tool_that_keeps_the_environment_is_asked_itself(
    file: str, folder: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / folder
    prefix.mkdir(parents=True)
    (prefix / file).touch()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    assert install_line(LEARNER) == line


@pytest.mark.parametrize(("uv", "line"), [("/uv", "uv pip install --python"), (None, "pip ")])
def test_an_environment_without_pip_is_installed_into_from_outside(
    uv: str | None, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == "pip" else find(n))
    monkeypatch.setattr("shutil.which", lambda name: uv if name == "uv" else None)
    told = install_line(LEARNER)
    assert told.startswith(line)
    assert sys.executable in shlex.split(told)


def test_a_python_that_its_system_keeps_gets_an_environment_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert install_line(LEARNER) == f'python -m pip install "{LEARNER}"'  # it is one already
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    made = f'python -m venv .venv && .venv/bin/python -m pip install "{LEARNER}"'
    assert install_line(LEARNER) == made


def test_a_checkout_is_installed_from_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "CHECKOUT", ROOT)
    monkeypatch.chdir(ROOT)
    assert install_line(LEARNER) == "python -m pip install -r requirements.txt"
    assert install_line("peft") == "python -m pip install peft"
    monkeypatch.chdir(tmp_path)
    assert install_line(LEARNER).endswith(f"-r {shlex.quote(str(ROOT / 'requirements.txt'))}")


def test_a_folder_that_is_gone_hinders_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "CHECKOUT", ROOT)
    monkeypatch.chdir(tmp_path)
    os.rmdir(tmp_path)  # noqa: PTH106
    assert str(ROOT) in install_line(LEARNER)


def test_what_is_there_and_fails_to_load_is_not_called_missing() -> None:
    told = missing.missing(ImportError("libcudart.so.13: cannot open", name="torch"))
    assert told.startswith("The Python package torch is installed here, but can't be loaded: libcu")
    assert "pip install" not in told
    assert "can't be loaded" in missing.missing(ImportError("\x1b[31mbad"))
    assert "\x1b" not in missing.missing(ImportError("\x1b[31mbad"))


def test_a_name_of_the_public_face_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")

    monkeypatch.setattr(voilearn, "import_module", absent)
    with pytest.raises(ImportError, match=r'pip install "voilearn\[notebook\]"') as raised:
        voilearn.Page  # noqa: B018
    assert raised.value.name == "anywidget"
