"""`voilearn new` writes an app that is ready to push, whole or not at all, and over nothing."""

import errno
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import EXPORTS, ROOT, with_fastai
from voilearn import __version__
from voilearn.errors import CannotBuild, UnusableModel
from voilearn.model_file import file_sha256
from voilearn.prediction import ModelInfo
from voilearn.project import new
from voilearn.project.facts import read_facts
from voilearn.project.new import AS_THEY_ARE, post_build, write_app
from voilearn.project.notebook import notebook_text
from voilearn.project.readme import readme_text
from voilearn.project.repository import Repository
from voilearn.project.requirements import TESTED, TIMM
from voilearn.scope import Scope
from voilearn.settings import read_settings

SMALL = EXPORTS / "2.8.12-legacy_container.pkl"  # which opens
MINE = Repository("ann", "colours")
FILES = {
    *("app.ipynb", "app.toml", "README.md", "requirements.txt", ".gitignore"),
    *("binder/postBuild", "binder/start", "binder/requirements.txt", "binder/runtime.txt"),
    *(".jupyter/jupyter_server_config.json", ".jupyter/jupyter_server_config.py"),
}
COMPILED = {"export.onnx", "export.json"}


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small compiled model."""
    folder = tmp_path_factory.mktemp("colours")
    onnx_files.write(folder, onnx_files.model())
    return folder / "export.onnx"


@pytest.fixture(scope="module")
def app(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("apps") / "my_first-app"
    write_app(folder, colours, MINE)
    return folder


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run(*arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "voilearn", "new", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


def test_the_notebook_is_the_projects_own() -> None:
    words = "Is it a grizzly, a black bear or a teddy? Choose a photo, and read the answer."
    assert notebook_text("Bear classifier", words, "export.pkl") == (ROOT / "app.ipynb").read_text()


def test_what_binder_needs_is_the_projects_own(app: Path) -> None:
    for name in AS_THEY_ARE:
        if name != ".gitignore":
            assert (app / name).read_bytes() == (ROOT / name).read_bytes(), name
    assert post_build("export.pkl", "") == (ROOT / "binder" / "postBuild").read_text()


def test_what_an_app_was_tested_with_stands_in_the_lock() -> None:
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    assert {*TESTED, TIMM} <= set(lock)


def test_an_app_has_all_that_it_needs_and_nothing_else(app: Path) -> None:
    assert files_in(app) == FILES | COMPILED
    assert [path.name for path in app.parent.iterdir()] == [app.name]


@pytest.mark.skipif(os.name != "posix", reason="only Unix has such permissions")
def test_binders_scripts_may_be_run_and_the_folder_read(app: Path) -> None:
    programs = {path.name for path in (app / "binder").iterdir() if os.access(path, os.X_OK)}
    assert programs == {"start", "postBuild"}
    assert app.stat().st_mode & 0o777 == 0o777 & ~umask()  # not a temporary folder's, of one user


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def test_a_compiled_model_needs_no_torch(app: Path) -> None:
    assert f"voilearn[notebook,heic]=={__version__}" in (app / "requirements.txt").read_text()
    for name in ("requirements.txt", "binder/requirements.txt"):
        assert "torch" not in (app / name).read_text()
    cells = json.loads((app / "app.ipynb").read_text())["cells"]
    assert cells[2]["source"] == ['classify = connect("export.onnx")']


def test_the_words_are_there_to_be_changed(app: Path) -> None:
    settings = read_settings(app / "app.toml")
    assert settings.title == "My first app"
    assert settings.introduction == "Choose a photo, and see what it shows: blue, green or red."
    names = {label: said.name for label, said in settings.classes.items()}
    assert names == {name: name for name in onnx_files.CLASSES}
    assert len({said.colour for said in settings.classes.values()}) == len(names)


def test_the_readme_leads_to_the_app(app: Path) -> None:
    readme = (app / "README.md").read_text()
    link = "https://mybinder.org/v2/gh/ann/colours/HEAD?urlpath=voila%2Frender%2Fapp.ipynb"
    assert readme.startswith("# My first app\n\nChoose a photo,")
    assert f"](https://mybinder.org/badge_logo.svg)]({link})" in readme
    assert "git remote add origin https://github.com/ann/colours\n" in readme
    assert "OWNER" not in readme
    assert "git lfs" not in readme
    for name in re.findall(r"^\| `([\w.]+)` \|", readme, re.MULTILINE):
        assert (app / name).is_file(), name


def test_a_readme_without_a_repository_says_what_to_fill_in(colours: Path) -> None:
    readme = readme_text("Title", "Words.", read_facts(colours), Repository())
    assert "`OWNER` stands for your user name" in readme
    assert "https://github.com/OWNER/REPO\n" in readme


def test_a_model_that_is_too_large_for_github_comes_with_advice(colours: Path) -> None:
    large = replace(read_facts(colours), bytes=170_900_000)
    readme = readme_text("Title", "Words.", large, MINE)
    assert "`export.onnx` has 170.9 MB" in readme
    commands = re.findall(r"^ {3}(git .*)$", readme, re.MULTILINE)
    assert commands[1:4] == ["git lfs install", "git lfs track export.onnx", "git add -A"]
    told = "\n".join(new._told(Path("app"), large, "Title", MINE))
    assert "GitHub takes files over 100 MB by Git LFS" in told


def test_an_app_without_torch_here_is_made_of_what_the_file_says(
    tmp_path: Path, without_torch: None
) -> None:
    told = write_app(tmp_path / "app", SMALL, MINE)
    app = tmp_path / "app"
    assert (app / "export.pkl").read_bytes() == SMALL.read_bytes()
    lines = (app / "requirements.txt").read_text().splitlines()
    assert lines[2:] == [f"voilearn[learner,notebook,heic]=={__version__}", *TESTED]
    assert "https://download.pytorch.org/whl/cpu" in (app / "binder/requirements.txt").read_text()
    assert "3 classes" in told[0]


def test_a_network_of_timm_brings_timm_along(tmp_path: Path, without_torch: None) -> None:
    write_app(tmp_path / "app", EXPORTS / "2.8.12-timm_vit.pkl", MINE)
    assert TIMM in (tmp_path / "app" / "requirements.txt").read_text().splitlines()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 46970277\n"
ONNX = onnx_files.model().SerializeToString()
# What may stand in a model's place, written at a path, and what is said of it.
NO_MODELS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a pointer": ("export.pkl", lambda path: path.write_text(POINTER), "only a Git LFS pointer"),
    "a web page": ("export.pkl", lambda path: path.write_text("<!DOCTYPE html>"), "a web page"),
    "an empty file": ("export.pkl", lambda path: path.touch(), "is empty"),
    "nothing": ("export.pkl", lambda path: None, "There is no file export.pkl"),
    "a link": ("export.pkl", lambda path: path.symlink_to("gone"), "a link to a file that is not"),
    "a folder": ("export.pkl", lambda path: path.mkdir(), "is a folder"),
    "half of it": (
        "export.pkl",
        lambda path: path.write_bytes(SMALL.read_bytes()[:-1000]),
        "damaged, cut short",
    ),
    "its author's code": (
        "export.pkl",
        lambda path: shutil.copy(EXPORTS / "2.8.12-author_layer.pkl", path),
        "layers that are not read",
    ),
    "its author's transform": (  # told before what is missing on this machine
        "export.pkl",
        lambda path: shutil.copy(EXPORTS / "2.8.12-author_item_transform.pkl", path),
        "transform",
    ),
    "a graph alone": ("export.onnx", lambda path: path.write_bytes(ONNX), "has no export.json"),
}


@pytest.mark.parametrize("what", NO_MODELS)
def test_a_model_that_does_not_open_is_refused_and_nothing_is_written(
    what: str, tmp_path: Path, without_torch: None
) -> None:
    name, write, reason = NO_MODELS[what]
    (tmp_path / "models").mkdir()
    write(tmp_path / "models" / name)
    with pytest.raises(UnusableModel, match=reason):
        write_app(tmp_path / "app", tmp_path / "models" / name, MINE)
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_link_to_a_model_of_any_name_becomes_the_file_itself(
    colours: Path, tmp_path: Path
) -> None:
    shutil.copy(colours, tmp_path / "my colours.onnx")
    shutil.copy(colours.with_suffix(".json"), tmp_path / "best.json")
    (tmp_path / "best.onnx").symlink_to("my colours.onnx")
    write_app(tmp_path / "app", tmp_path / "best.onnx", MINE)
    copied = tmp_path / "app" / "export.onnx"
    assert not copied.is_symlink()
    assert copied.read_bytes() == colours.read_bytes()


@pytest.mark.model
@with_fastai
def test_the_scope_of_a_model_goes_along(tmp_path: Path) -> None:
    export = tmp_path / "mine.pkl"
    shutil.copy(EXPORTS / "2.8.12-from_folder.pkl", export)
    info = ModelInfo("mine", file_sha256(export), "single-label", ("ant", "bee", "cat"))
    scope = Scope(info, 0.5, "softmax", (), {}).to_json()
    (tmp_path / "mine.scope.json").write_text(scope)
    write_app(tmp_path / "app", export, MINE)
    assert (tmp_path / "app" / "export.scope.json").read_text() == scope
    (tmp_path / "mine.scope.json").write_text(scope.replace(info.sha256, "0" * 64))
    write_app(tmp_path / "other", export, MINE)
    assert not (tmp_path / "other" / "export.scope.json").exists()


def test_an_empty_folder_is_taken_as_it_is(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Café-bears"
    folder.mkdir()
    before = folder.stat().st_ino
    monkeypatch.chdir(folder)
    write_app(Path(), colours, MINE)
    assert files_in(folder) == FILES | COMPILED
    assert Path.cwd().stat().st_ino == before
    assert read_settings(folder / "app.toml").title == "Café bears"


def test_folders_above_are_made(colours: Path, tmp_path: Path) -> None:
    write_app(tmp_path / "a" / "b" / "app", colours, MINE)
    assert files_in(tmp_path) == {f"a/b/app/{name}" for name in FILES | COMPILED}


def test_a_path_that_goes_up_again_is_the_one_that_is_meant(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_app(Path("not", "..", "there", "app"), colours, MINE)
    assert files_in(tmp_path) == {f"there/app/{name}" for name in FILES | COMPILED}
    assert read_settings(Path("there", "app", "app.toml")).title == "App"


@pytest.mark.skipif(os.name != "posix", reason="the limit of a name is another elsewhere")
def test_a_name_that_no_folder_can_have_leaves_nothing_behind(
    colours: Path, tmp_path: Path
) -> None:
    with pytest.raises(CannotBuild, match="File name too long"):
        write_app(tmp_path / "a" / ("b" * 300), colours, MINE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        (".", "has notes.txt, thesis in it already. Name a folder that is not there yet"),
        ("thesis", "has 1.txt, 2.txt and 7 more in it already"),
        ("notes.txt", "notes.txt is no folder. Name a folder that is not there yet"),
        ("notes.txt/app", "notes.txt is no folder"),
        ("thesis/1.txt/a/b", "1.txt is no folder"),
    ],
)
def test_what_is_there_already_is_left_alone(
    folder: str, sentence: str, colours: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "thesis").mkdir()
    for number in range(1, 10):
        (tmp_path / "thesis" / f"{number}.txt").touch()
    before = files_in(tmp_path)
    with pytest.raises(CannotBuild, match=re.escape(sentence)):
        write_app(tmp_path / folder, colours, MINE)
    assert files_in(tmp_path) == before


def test_the_folder_of_the_model_is_not_taken(colours: Path) -> None:
    before = files_in(colours.parent)
    with pytest.raises(CannotBuild, match=r"has export\.json, export\.onnx in it already"):
        write_app(colours.parent, colours, MINE)
    assert files_in(colours.parent) == before


def test_a_link_that_leads_nowhere_is_left_alone(colours: Path, tmp_path: Path) -> None:
    (tmp_path / "app").symlink_to("gone")
    with pytest.raises(CannotBuild, match="is no folder"):
        write_app(tmp_path / "app", colours, MINE)
    assert (tmp_path / "app").is_symlink()


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("fails", "error"), [(no_space, CannotBuild), (interrupted, KeyboardInterrupt)]
)
def test_nothing_half_written_stays(
    fails: Callable[..., None],
    error: type[BaseException],
    there: bool,
    colours: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "apps" / "app"
    if there:
        folder.mkdir(parents=True)
    monkeypatch.setattr(shutil, "copyfile", fails)
    with pytest.raises(error, match="No space left" if error is CannotBuild else None):
        write_app(folder, colours, MINE)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["apps", "apps/app"] if there else [])


def test_files_that_came_meanwhile_are_left_alone(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path, copyfile: Any = shutil.copyfile) -> None:
        copyfile(source, target)
        (tmp_path / "app.toml").write_text("somebody else's")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(CannotBuild, match=r"app\.toml came into it meanwhile"):
        write_app(tmp_path, colours, MINE)
    assert files_in(tmp_path) == {"app.toml"}
    assert (tmp_path / "app.toml").read_text() == "somebody else's"


def test_a_model_that_changes_while_it_is_copied_is_not_taken(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "copyfile", lambda _, target: Path(target).write_bytes(b"other"))
    with pytest.raises(CannotBuild, match="changed while it was copied"):
        write_app(tmp_path / "app", colours, MINE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_is_a_sentence(colours: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(CannotBuild, match="Permission denied"):
        write_app(tmp_path / "app", colours, MINE)
    tmp_path.chmod(0o755)


def test_what_was_made_and_what_is_next_is_told(colours: Path, tmp_path: Path) -> None:
    done = run("my app", "--model", colours, "--repo", "github.com/ann/colours.git", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "'my app': the app \"My app\" for export.onnx (0.0 MB, 3 classes)",
        "Look at it:  voilearn page 'my app'/export.onnx",
        "Fill in 'my app'/app.toml: the page's title, and words for each class.",
        "Push it: 'my app'/README.md tells how. It will open at https://mybinder.org/v2/gh/ann/"
        "colours/HEAD?urlpath=voila%2Frender%2Fapp.ipynb",
    ]
    done = run("my app", "--model", colours, cwd=tmp_path)
    assert done.returncode == 1
    assert "voilearn: my app has .gitignore, .jupyter and 7 more in it already." in done.stderr


def test_a_repository_that_is_none_is_wrong_usage(colours: Path, tmp_path: Path) -> None:
    done = run("app", "--model", colours, "--repo", "my repo", cwd=tmp_path)
    assert done.returncode == 2
    assert '--repo has "my repo": it is OWNER/REPO' in done.stderr
    assert not (tmp_path / "app").exists()


def test_a_space_has_an_image_and_a_head_and_large_files_in_lfs(
    colours: Path, tmp_path: Path
) -> None:
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml, which reads YAML, is not here")
    title = 'black: "bear" & Co'
    told = write_app(tmp_path / title, colours, MINE, space=True)
    folder = tmp_path / title
    head, _, rest = (folder / "README.md").read_text().removeprefix("---\n").partition("---\n")
    said = yaml.YAML(typ="safe").load(head)
    assert (said["sdk"], said["app_port"]) == ("docker", 7860)
    assert said["title"] == read_settings(folder / "app.toml").title
    assert rest.lstrip().startswith("# ")
    assert "*.onnx filter=lfs" in (folder / ".gitattributes").read_text()
    image = (folder / "Dockerfile").read_text()
    assert "COPY export.onnx export.json ./" in image
    assert f"voilearn[heic]=={__version__}" in image
    assert "torch" not in image
    assert "{{" not in image
    assert "huggingface.co/new-space" in told[-1]
    assert (folder / "binder" / "postBuild").exists()


def test_a_space_compiles_a_learner_in_a_stage_that_is_left_behind(tmp_path: Path) -> None:
    write_app(tmp_path / "app", SMALL, MINE, space=True)
    build, _, last = (tmp_path / "app" / "Dockerfile").read_text().rpartition("\nFROM ")
    assert "voilearn compile export.pkl" in build
    assert TESTED[1] in build
    assert "torch" not in last
    assert "COPY --from=compiler /app/export.onnx /app/export.json ./" in last
