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
    {"digest", "errors"},
    {"content_coding", "image", "prediction"},
    {"classifier", "inference_protocol"},
    {"pickle_records", "renamed"},
    {"plain_values", "tensor_records"},
    {"torch_file"},
    {"architecture", "leftovers", "transforms", "wrong_file"},
    {"learner_records"},
    {"export_file", "compiled", "onnx_file"},
    {"added", "cost", "describe", "functions", "trusted", "upload"},
    {"network"},
    {"rebuild"},
    {"agreement", "learner", "onnx_model", "page"},
    {"model", "onnx_int8", "onnx_transforms"},
    {"onnx_graph"},
    {"onnx_export"},
    {"cli"},
    {"__main__"},
]
OUTLETS = {"page", "cli"}
PROVIDERS = {"learner", "model", "onnx_model", "rebuild", "trusted"}

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
}
PIL = {"PIL"}
WIDGETS = {"PIL", "anywidget", "ipywidgets", "IPython"}
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
    "image": PIL,
    "classifier": PIL,
    "agreement": PIL,
    "onnx_model": PIL | {"numpy", "onnxruntime"},
    "upload": WIDGETS,
    "page": WIDGETS,
    "learner": HEAVY - {"ipywidgets", "anywidget", "onnx", "onnxruntime"},
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
    script = "import sys, voilearn.learner; print(*{m.split('.')[0] for m in sys.modules})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & HEAVY <= MAY_LOAD["learner"]
    assert run.stderr == ""
