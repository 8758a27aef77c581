"""Make a new app of a model: a folder that is ready to push, and opens on Binder.

In come the folder's name, the model's file, and its repository on GitHub, if that is known; out go
the folder, and lines that say what is in it and what is next.
"""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from voilearn.errors import CannotBuild, printable, shown
from voilearn.model import is_compiled
from voilearn.model_file import model_sha256
from voilearn.page.document import fill
from voilearn.project.app_toml import app_toml
from voilearn.project.facts import Facts, read_facts
from voilearn.project.folder import check_place, written_whole
from voilearn.project.notebook import notebook_text
from voilearn.project.readme import is_large, megabytes, readme_text
from voilearn.project.repository import Repository
from voilearn.project.requirements import index_of, requirements_text
from voilearn.project.space import NEXT, space_head, space_texts
from voilearn.project.words import introduction_of, title_of

TEMPLATE = Path(__file__).with_name("template")
AS_THEY_ARE = (
    *("binder/start", "binder/runtime.txt", ".gitignore"),
    *(".jupyter/jupyter_server_config.json", ".jupyter/jupyter_server_config.py"),
)
PROGRAMS = ("binder/start", "binder/postBuild")
COPY = """\
# Voilà serves files of this folder alone, so those of the installed package are copied here.
mkdir -p voilearn
cp -R "$(python -P -c 'import os, voilearn; print(os.path.dirname(voilearn.__file__))')/." voilearn

"""
KEEP = """
# The model is compiled here, once, so that no visitor waits for PyTorch; without that, they do.
python -m voilearn compile export.pkl --keep ||
    echo "postBuild: the page works all the same; its first answer takes some seconds." >&2
"""
MADE = {
    "export.pkl": "Export your learner with learn.export('export.pkl')",
    "export.onnx": "Compile your learner with voilearn compile export.pkl",
}


def write_app(folder: Path, model: Path, repository: Repository, space: bool = False) -> list[str]:
    """Write an app of a model into a new or an empty folder; return what to tell.

    With `space` it is also ready for a Space on Hugging Face, or another host of containers.
    Raises UnusableModel for a model that does not open here, and CannotBuild where the folder can't
    be written, or has anything in it. Then nothing is written.
    """
    check_place(folder)
    facts = read_facts(model)
    title = title_of(folder.resolve().name)
    with written_whole(folder) as draft:
        for name, text in _texts(facts, title, repository, space).items():
            file = draft / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text.encode())
            if name in PROGRAMS:
                file.chmod(0o755)
        for name, source in facts.files.items():
            shutil.copyfile(source, draft / name)
        if model_sha256(draft / facts.name) != facts.sha256:
            raise CannotBuild(f"{shown(model)} changed while it was copied. Try again.")
    return list(_told(folder, facts, title, repository, space))


def _texts(facts: Facts, title: str, repository: Repository, space: bool) -> dict[str, str]:
    """Return all that is written, by its name in the app."""
    introduction = introduction_of(facts.task, facts.classes)
    readme = readme_text(title, introduction, facts, repository)
    return {
        "app.ipynb": notebook_text(title, introduction, facts.name),
        "app.toml": app_toml(title, introduction, facts.classes, facts.name),
        "README.md": f"{space_head(title) if space else ''}{readme}",
        "requirements.txt": requirements_text(facts),
        "binder/requirements.txt": _filled("binder/requirements.txt", index=index_of(facts)),
        "binder/postBuild": post_build(facts.name, COPY),
        **{name: _filled(name) for name in AS_THEY_ARE},
        **(space_texts(facts) if space else {}),
    }


def post_build(model: str, first: str) -> str:
    """Return what Binder runs at the end of its build; `first` is a step of an app's own."""
    keep = "" if is_compiled(model) else KEEP
    return _filled("binder/postBuild", model=model, made=MADE[model], first=first, keep=keep)


def _filled(name: str, **values: str) -> str:
    return fill(TEMPLATE / f"{name}.in", **values)


def _told(
    folder: Path, facts: Facts, title: str, repository: Repository, space: bool = False
) -> Iterator[str]:
    place = printable(shlex.quote(str(folder)), 200)
    size, number = megabytes(facts.bytes), len(facts.classes)
    count = f"{number:,} class{'es' if number > 1 else ''}"
    yield f'{place}: the app "{title}" for {facts.name} ({size}, {count})'
    yield f"Look at it:  voilearn page {place}/{facts.name}"
    yield f"Fill in {place}/app.toml: the page's title, and words for each class."
    if space:
        yield NEXT
        return
    if is_large(facts):
        yield (
            "GitHub takes files over 100 MB by Git LFS only: install that (https://git-lfs.com), "
            "and follow the README."
        )
    yield f"Push it: {place}/README.md tells how. {_binder(repository)}"


def _binder(repository: Repository) -> str:
    if repository.known:
        return f"It will open at {repository.binder}"
    return "Fill in OWNER and REPO there."
