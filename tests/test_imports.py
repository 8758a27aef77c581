"""The direction of imports, and what opening each room may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import voilearn

PACKAGE = Path(voilearn.__file__).parent

# Each module may import those above it, never one below: towards the bytes.
ORDER = [
    {"__init__"},
    {
        "allocator",
        "challenge",
        "cores",
        "digest",
        "errors",
        "esm",
        "quiet",
        "stages",
        "start_voila",
    },
    {"limits"},
    {"content_coding", "image", "prediction", "problem", "runtime_folder", "settings"},
    {"gallery", "upload", "work_queue"},
    {"classifier", "inference_protocol"},
    {"pickle_records", "renamed"},
    {"plain_values", "tensor_records"},
    {"torch_file"},
    {"architecture", "leftovers", "transforms", "wrong_file"},
    {"learner_records"},
    {"export_file", "compiled", "onnx_file"},
    {"added", "cost", "describe", "functions", "trusted"},
    {"network"},
    {"rebuild"},
    {"agreement", "learner", "onnx_model", "page"},
    {"model", "onnx_int8", "onnx_transforms", "remote"},
    {"client"},
    {"onnx_graph"},
    {"live_model", "onnx_export"},
    {"json_log", "metrics"},
    {"connections", "exchange", "openapi", "request_body"},
    {"reception"},
    {"inference_routes"},
    {"service"},
    {"serve"},
    {"local_service"},
    {"cli"},
    {"__main__"},
]
PROVIDERS = {"client", "remote", "learner", "model", "onnx_model", "rebuild", "trusted"}

HEAVY = {
    "torch",
    "fastai",
    "timm",
    "numpy",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "ipywidgets",
    "anywidget",
    "IPython",
    "PIL",
    "fastapi",
    "uvicorn",
    "prometheus_client",
    "filelock",
}
SERVER = {"PIL", "fastapi", "uvicorn", "prometheus_client"}
PIL = {"PIL"}
WIDGETS = {"anywidget", "ipywidgets", "IPython"}
MAY_LOAD = {
    "__init__": set(),
    "errors": set(),
    "digest": set(),
    "compiled": set(),
    "onnx_file": set(),
    "model": set(),
    "prediction": set(),
    "content_coding": set(),
    "inference_protocol": set(),
    "pickle_records": set(),
    "renamed": set(),
    "plain_values": set(),
    "torch_file": set(),
    "tensor_records": set(),
    "leftovers": set(),
    "learner_records": set(),
    "architecture": set(),
    "transforms": set(),
    "wrong_file": set(),
    "export_file": set(),
    "describe": set(),
    "cli": set(),
    "allocator": set(),
    "challenge": set(),
    "cores": set(),
    "stages": set(),
    "problem": set(),
    "runtime_folder": set(),
    "work_queue": set(),
    "client": set(),
    "remote": set(),
    "exchange": set(),
    "live_model": PIL,
    "local_service": PIL,
    "json_log": PIL,
    "metrics": SERVER - {"fastapi", "uvicorn"},
    "reception": SERVER - {"uvicorn", "prometheus_client"},
    "inference_routes": SERVER - {"uvicorn", "prometheus_client"},
    "service": SERVER - {"uvicorn"},
    "serve": SERVER,
    "image": PIL,
    "classifier": PIL,
    "agreement": PIL,
    "onnx_model": PIL | {"numpy", "onnxruntime"},
    "esm": set(),
    "gallery": set(),
    "limits": set(),
    "settings": set(),
    "upload": set(),
    "page": WIDGETS,
    "learner": HEAVY - {"ipywidgets", "anywidget", "onnx", "onnxruntime"} - {"fastapi", "uvicorn"},
}


def imported(module: Path) -> set[str]:
    """The modules of ours that a module names, those inside its functions too."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    ours = {name.split(".")[1] for name in names if name.startswith("voilearn.")}
    return ours | ({"__init__"} if "voilearn" in names else set())


def test_every_module_has_its_place() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == set().union(*ORDER)


def test_imports_point_one_way_towards_the_bytes() -> None:
    level = {name: at for at, row in enumerate(ORDER) for name in row}
    for path in PACKAGE.glob("*.py"):
        for name in imported(path):
            assert level[name] < level[path.stem], f"{path.stem} imports {name}"


def test_the_page_knows_no_provider() -> None:
    assert not imported(PACKAGE / "page.py") & PROVIDERS


@pytest.mark.parametrize("module", [m for m in MAY_LOAD if m != "learner"])
def test_opening_a_room_lights_no_other(module: str) -> None:
    name = "voilearn" if module == "__init__" else f"voilearn.{module}"
    script = f"import sys, {name}; print(*{{m.split('.')[0] for m in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & HEAVY <= MAY_LOAD[module]


@pytest.mark.model
def test_the_learner_needs_no_widgets() -> None:
    pytest.importorskip("fastai", reason="fastai is not installed")
    script = "import sys, voilearn.learner; print(*{m.split('.')[0] for m in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & HEAVY <= MAY_LOAD["learner"]
    assert run.stderr == ""


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
