"""Who may import whom, in Python and in JavaScript, and what opening each room may load.

In come the package's files; out goes whether each arrow is one that ARCHITECTURE.md draws.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import voilearn

PACKAGE = Path(voilearn.__file__).parent

# Each file of the ground floor may import those above it, never one below: towards the bytes.
GROUND_FLOOR = [
    {"__init__"},
    {"errors", "machine", "users_folders"},
    {"missing", "no_file"},
    {"limits", "model_file", "settings", "prediction", "wire", "runtime_folder"},
    {"tiff", "scope"},
    {"kinds"},
    {"image"},
    {"classifier"},
]
GROUND = set().union(*GROUND_FLOOR)

# The rooms, and the files between them and the doors: what each may import beside the ground floor
# and itself. Whom it may import only inside a function stands in ONLY_INSIDE.
MAY_IMPORT: dict[str, set[str]] = {
    "export": set(),
    "learner": {"export"},
    "compiled": {"learner", "export"},
    "model": {"compiled", "learner", "export"},
    "describe": {"compiled", "export"},
    "page": set(),
    "notebook": {"page"},
    "device": {"page", "compiled"},
    "service": {"page", "model", "compiled", "export"},
    "client": set(),
    "project": {"page", "model", "compiled", "export"},
    "shell": set(),
    "evaluate": {"learner", "compiled", "export", "model", "shell"},
    "ray": {"service"},
    "cli": {
        *("export", "learner", "compiled", "model", "describe"),
        *("device", "service", "client", "project", "shell", "evaluate"),
    },
    "__main__": {"cli"},
}
ONLY_INSIDE = {
    "compiled": {"learner"},
    "model": {"compiled", "learner", "export"},
    "device": {"compiled"},
    "project": {"compiled"},
    "evaluate": {"learner", "export"},
    "cli": MAY_IMPORT["cli"] - {"shell"},
}
# The public face, loaded lazily; what stands under TYPE_CHECKING imports nothing. `missing` says
# what to install where it can't be loaded.
FACE = {"client", "missing", "model", "notebook", "prediction"}

SCRIPTS_MAY_IMPORT = {"page": set(), "notebook": {"page"}, "service": {"page"}, "device": {"page"}}

# The third-party packages that opening each file of a room may load; a file that is not named may
# load what its room may. Everything else of this list stays dark.
HEAVY = {
    "torch", "fastai", "timm", "numpy", "matplotlib", "onnx", "onnxruntime", "ipywidgets",
    "anywidget", "IPython", "PIL", "fastapi", "uvicorn", "prometheus_client", "filelock",
}  # fmt: skip
JUPYTER = {"IPython", "prometheus_client"}
WIDGETS = {"anywidget", "ipywidgets", "IPython"}
LEARNER = {"torch", "fastai", "timm", "numpy", "matplotlib", "IPython", "PIL", "prometheus_client"}
MAY_LOAD: dict[str, set[str]] = {
    "": set(),  # the ground floor, doors and all that stands between
    **{name: {"PIL"} for name in ("tiff", "kinds", "image")},
    "classifier": {"PIL"},
    "export": set(),
    "learner": LEARNER | {"filelock"},
    "learner/quiet": set(),
    "notebook/start_voila": JUPYTER,
    "notebook/page_kernels": JUPYTER,
    "compiled": set(),
    "compiled/agreement": {"PIL"},
    "compiled/load": {"PIL", "numpy", "onnxruntime"},
    **dict.fromkeys(
        (
            f"compiled/{name}"
            for name in (
                *("compile", "graph", "int8", "joined", "nodes", "resize", "transforms", "weights"),
            )
        ),
        HEAVY - {"ipywidgets", "anywidget", "fastapi", "uvicorn"},
    ),
    "page": set(),
    "notebook": set(),
    "notebook/widget": WIDGETS,
    "device": set(),
    "service": set(),
    "service/live_model": {"PIL"},
    "service/this_machine": {"PIL"},
    "service/json_log": {"PIL"},
    "service/shadow": {"PIL"},
    "service/metrics": {"PIL", "prometheus_client"},
    "service/service": {"PIL", "fastapi"},
    "service/request_body": {"fastapi"},
    "service/openapi": {"fastapi"},
    "service/open_pages": {"PIL"},
    "service/page": {"PIL"},
    "service/page_routes": {"PIL", "fastapi"},
    "service/origins": {"fastapi"},
    "service/problems": {"fastapi"},
    "service/connections": {"uvicorn"},
    "service/v2_routes": {"PIL", "fastapi"},
    "service/app": {"PIL", "fastapi", "prometheus_client"},
    "service/serve": {"PIL", "fastapi", "prometheus_client", "uvicorn"},
    "service/in_browser": {"PIL", "fastapi", "prometheus_client", "uvicorn"},
    "ray": {"PIL", "fastapi", "prometheus_client"},
    "client": set(),
    "project": set(),
    "evaluate": {"PIL", "numpy"},
    "evaluate/photos": set(),
    "shell": set(),
    "shell/photos": {"PIL"},
    "shell/answers": {"PIL"},
}
FILES = sorted(path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
NAMES = [file.as_posix() for file in FILES]
SCRIPTS = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.js"))


def room_of(file: str) -> str:
    """The room that a file or module is in; of one that is in none, its own name."""
    return file.partition("/")[0]


def imported(file: str) -> Iterator[tuple[str, bool]]:
    """Each file of ours that a file imports, and whether only inside a function, or for types."""
    tree = ast.parse((PACKAGE / f"{file}.py").read_text("utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(function, ast.If) and ast.unparse(function.test) == "TYPE_CHECKING")
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for name in names_in(node):
            yield name, id(node) in inside


def names_in(node: ast.AST) -> Iterator[str]:
    """The files that one statement imports, as paths without their ending."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        deeper = [f"{node.module}.{alias.name}" for alias in node.names]
        modules = [name if is_ours(name) else node.module for name in deeper]
    else:
        return
    for name in modules:
        if name == "voilearn":
            yield "__init__"
        elif name.startswith("voilearn."):
            yield path_of(name)


def path_of(module: str) -> str:
    return module.removeprefix("voilearn.").replace(".", "/")


def is_ours(module: str) -> bool:
    return (PACKAGE / f"{path_of(module)}.py").is_file() or (PACKAGE / path_of(module)).is_dir()


@pytest.mark.parametrize("file", [file for file in NAMES if file != "__init__"])
def test_imports_point_one_way_towards_the_bytes(file: str) -> None:
    room = room_of(file)
    assert room in GROUND or room in MAY_IMPORT, "this file has no place in the plan"
    for name, inside in imported(file):
        other = room_of(name)
        if other in GROUND:
            assert room not in GROUND or level(other) < level(room), name
        else:
            assert room not in GROUND, f"the ground floor imports {name}"
            assert other == room or other in MAY_IMPORT[room], name
            assert inside or other not in ONLY_INSIDE.get(room, ()), f"{name}, outside a function"


def level(file: str) -> int:
    return next(at for at, row in enumerate(GROUND_FLOOR) if file in row)


def test_the_public_face_imports_nothing_until_it_is_used() -> None:
    assert {room_of(name) for name, _ in imported("__init__")} == FACE
    assert voilearn.__all__ == sorted(voilearn.__all__)
    assert set(voilearn.__all__) == set(voilearn._ROOMS) <= set(dir(voilearn))
    with pytest.raises(AttributeError, match="has no attribute 'Pages'"):
        voilearn.Pages  # noqa: B018


def test_the_table_names_no_file_that_is_gone() -> None:
    assert GROUND | {name for name in MAY_IMPORT if name in NAMES} <= set(NAMES)
    assert {name for name in MAY_LOAD if "/" in name} <= set(NAMES)
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == {name for name in MAY_IMPORT if name not in NAMES}


@pytest.mark.parametrize("room", [name for name in MAY_IMPORT if name not in NAMES])
def test_a_rooms_sign_names_all_its_files_and_holds_nothing_else(room: str) -> None:
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8"))
    assert len(tree.body) == 1
    sign = ast.get_docstring(tree) or ""
    for path in (PACKAGE / room).iterdir():
        if path.is_file() and path.name != "__init__.py":
            assert path.name in sign
    for name in re.findall(r"\b[\w]+\.(?:py|js|css|html|json|webmanifest)\b", sign):
        elsewhere = {"export.json", "prediction.py", "voila.json"}
        assert (PACKAGE / room / name).is_file() or name in elsewhere, name


FROM_NPM = ("device/ort.js", "device/libheif.js")  # which the build puts there
SCRIPT_IMPORT = re.compile(
    r"""(?:^import\s[^;]*?from|\bimport\()\s*["']([^"']+)["']""", re.MULTILINE
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_import_as_their_rooms_may(script: str) -> None:
    text = (PACKAGE / script).read_text("utf-8")
    if script == "page/photo.js":
        text = text.replace("import(wanted.heic.module)", "", 1)  # it is handed that, by its host
    for path in SCRIPT_IMPORT.findall(text):
        assert path.startswith("."), path
        found = (PACKAGE / script).parent.joinpath(path).resolve().relative_to(PACKAGE).as_posix()
        assert room_of(found) in {room_of(script), *SCRIPTS_MAY_IMPORT[room_of(script)]}, path
        assert found in {*SCRIPTS, *FROM_NPM}, path
    assert text.count("\nimport ") + text.count("import(") == len(SCRIPT_IMPORT.findall(text))


def test_the_visit_is_handed_its_asker() -> None:
    """All that a visitor sees is written once: what differs by host is the asker's."""
    assert SCRIPTS_MAY_IMPORT["page"] == set()
    visit = (PACKAGE / "page" / "visit.js").read_text("utf-8")
    assert "constructor(asker, reader)" in visit


def loads(file: str) -> set[str]:
    """The packages of HEAVY that opening a file may load; a room's sign loads nothing."""
    if file.endswith("__init__"):
        return set()
    return MAY_LOAD.get(file, MAY_LOAD.get(room_of(file), MAY_LOAD[""]))


def is_learners(file: str) -> bool:
    return {"torch", "onnx"} & loads(file) != set()


def opened(*files: str) -> set[str]:
    """The packages of HEAVY that are loaded once these files are."""
    names = [".".join(["voilearn", *Path(f).parts]).removesuffix(".__init__") for f in files]
    script = f"import sys, {', '.join(names)}; print(*{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split()) & HEAVY


def test_most_files_open_with_the_standard_library_alone() -> None:
    assert opened(*(file for file in NAMES if not loads(file))) == set()


@pytest.mark.parametrize("file", [f for f in NAMES if loads(f) and not is_learners(f)])
def test_opening_a_room_lights_no_other(file: str) -> None:
    assert opened(file) <= loads(file)


@pytest.mark.model
@pytest.mark.parametrize("file", ["learner/load", "compiled/compile"])
def test_the_learner_needs_no_widgets(file: str) -> None:
    pytest.importorskip("fastai", reason="fastai is not installed")
    assert opened(file) <= loads(file)


# What only Unix has is taken away, once libraries are in that ask for it where it is there.
NOT_UNIX = """
import asyncio, importlib, multiprocessing, os, sys, tempfile
import anywidget, fastapi_offline, filelock, onnxruntime, uvicorn, voila.app
unix = ("fcntl", "grp", "pwd", "resource", "termios")
for name in (*unix, "torch", "fastai"):
    sys.modules[name] = None
for name in ("fork", "geteuid", "getuid", "killpg", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
        print(module)
    except ModuleNotFoundError as error:  # of what needs torch, the imports before it are tried
        if error.name in unix:
            raise
"""


def test_modules_open_where_there_is_no_unix() -> None:
    for library in ("anywidget", "fastapi_offline", "onnxruntime", "voila"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    files = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("[!_]*.py")]
    modules = [".".join(path.with_suffix("").parts) for path in files]
    script = [sys.executable, "-c", NOT_UNIX, *modules]
    run = subprocess.run(script, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert {name for name in modules if "page" in name or "serve" in name} <= {*run.stdout.split()}
