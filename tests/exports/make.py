"""Build the exports of this folder with the releases of fastai that they are named for.

In comes an interpreter that has this project installed; out go, for each line of the table
below, an export.pkl and a JSON beside it. Each release is installed by pip into a folder of its
own, and runs on top of that interpreter's torch.

    python tests/exports/make.py --python python
    python tests/exports/make.py --only 2.3.1
    python tests/exports/make.py --big DIR
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.resolve()
BUILD, VERSION_1, PLAIN_LOAD = HERE / "build.py", HERE / "version_1.py", HERE / "plain_load.py"
MAX_BYTES = 1_500_000
# where this machine keeps its things: none of it is to be in a file
MACHINE = {str(Path.home()), tempfile.gettempdir(), str(HERE.parent.parent), sys.prefix}

# what pip installs for each release, as it was at the time; today's is in the interpreter
ENVIRONMENTS = {
    "1.0.61": ["fastai==1.0.61", "fastprogress==0.2.6"],
    "2.0.0": ["fastai==2.0.0", "fastcore==1.0.0", "fastprogress==1.0.0"],
    "2.0.19": ["fastai==2.0.19", "fastcore==1.3.2", "fastprogress==1.0.0"],
    "2.1.10": ["fastai==2.1.10", "fastcore==1.3.16", "fastprogress==1.0.0"],
    "2.2.7": ["fastai==2.2.7", "fastcore==1.3.19", "fastprogress==1.0.0"],
    "2.3.1": ["fastai==2.3.1", "fastcore==1.3.20", "fastprogress==1.0.0"],
    "2.5.6": ["fastai==2.5.6", "fastcore==1.4.1", "fastprogress==1.0.2", "fastdownload==0.0.5"],
    "2.7.13": ["fastai==2.7.13", "fastcore==1.5.29", "fastprogress==1.0.3", "fastdownload==0.0.7"],
    "2.7.19": ["fastai==2.7.19", "fastcore==1.7.29", "fastprogress==1.0.3", "fastdownload==0.0.7"],
    "2.8.12": [],
}
ENVIRONMENTS["2.7.13-timm0.6"] = [*ENVIRONMENTS["2.7.13"], "timm==0.6.13"]

# fmt: off
TABLE = {
    "1.0.61": [
        "image_classifier",
    ],
    "2.0.0": [
        "regex_labeller", "author_get_y", "presizing", "multi_label", "pad_zeros",
        "saved_on_windows", "number_labels", "tabular", "segmentation",
    ],
    "2.0.19": [
        "author_arch", "from_folder", "label_smoothing", "crop_pad", "legacy_container",
        "measured_normalize", "name_func",
    ],
    "2.1.10": [
        "presizing", "from_df", "mixup_fp16", "pad_border", "author_metric_optimizer", "name_func",
        "random_resized_crop_gpu", "multi_label", "author_network",
    ],
    "2.2.7": [
        "regex_labeller", "multi_encoded", "random_resized_crop", "vgg", "saved_on_gpu",
        "presizing", "batch_size_change", "author_item_transform", "focal_loss",
    ],
    "2.3.1": [
        "regex_labeller", "from_folder", "presizing", "multi_label", "name_func", "author_get_y",
        "collab", "points", "mixup_fp16", "pad_reflection", "cutmix_save_model", "grey_pictures",
        "author_arch", "author_item_transform", "saved_on_windows", "saved_on_gpu", "lambda_get_y",
    ],
    "2.5.6": [
        "presizing", "add_na", "from_df", "focal_loss", "augmentations", "batch_size_change",
        "random_crop", "legacy_container", "author_batch_transform", "protocol_4",
    ],
    "2.7.13": [
        "regex_labeller", "presizing", "not_square", "weighted_loss", "timm_efficientnet",
        "author_network", "number_labels", "saved_on_gpu", "author_loss", "torch_loss",
        "removed_callbacks",
    ],
    "2.7.13-timm0.6": [
        "timm_efficientnet", "timm_convnext",
    ],
    "2.7.19": [
        "multi_label", "text_classifier", "regression", "timm_resnet", "timm_convnext", "own_vocab",
        "augmentations", "random_resized_crop_gpu", "saved_by_python_3_13", "mobilenet_v3",
        "bottlenecks", "protocol_5", "label_smoothing",
    ],
    "2.8.12": [
        "regex_labeller", "presizing", "lambda_get_y", "name_func", "from_folder", "multi_label",
        "timm_vit", "convnext", "author_network", "author_item_transform",
        "author_metric_optimizer", "saved_by_python_3_13", "saved_on_windows", "pad_reflection",
        "author_layer", "mixup_fp16", "author_callback", "author_item_function", "focal_loss",
        "crop_pad", "multi_encoded", "torch_loss", "random_resized_crop", "measured_normalize",
        "grey_pictures", "add_na", "pad_border", "weighted_loss", "author_arch", "saved_on_gpu",
        "legacy_container", "tabular", "collab", "text_classifier", "segmentation", "points",
        "regression",
    ],
}
# of big.py, for --big
BIG = {
    "2.3.1": ["resnet18", "resnet34", "resnet50", "squeezenet1_1", "densenet121", "xresnet34"],
    "2.5.6": ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "vgg11_bn"],
    "2.7.13": ["resnet34", "convnext_tiny", "efficientnet_b0"],
    "2.7.13-timm0.6": [
        "resnet26d", "resnetv2_50", "efficientnet_lite0", "convnext_atto", "convnext_nano",
        "regnetx_002", "vit_tiny_patch16_224",
    ],
    "2.7.19": [
        "resnet26d", "resnetv2_50", "convnext_nano", "regnetx_002", "vit_tiny_patch16_224",
    ],
    "2.8.12": ["resnet18", "resnet50", "efficientnet_lite0", "convnext_atto", "mobilenet_v2"],
}
# fmt: on


def main() -> None:
    told = arguments()
    table = TABLE
    if told.big:
        told.out, told.go_on, table = told.big, True, big_table()
    work = told.work or Path(tempfile.mkdtemp(prefix="exports-"))
    told.out.mkdir(parents=True, exist_ok=True)
    try:
        built = [path for name in table for path in build(name, table[name], told, work)]
        complete(built, told)
    finally:
        if not told.work:
            shutil.rmtree(work)
    write_readme(told.out)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the exports of old releases of fastai.")
    parser.add_argument("--python", default=sys.executable, help="has this project installed")
    parser.add_argument("--work", type=Path, help="keep the releases' environments in this folder")
    parser.add_argument("--out", type=Path, default=HERE, help="write the exports to this folder")
    parser.add_argument("--big", type=Path, help="write networks of full size to this folder")
    parser.add_argument("--only", default="", help="a part of the names of the exports to build")
    parser.add_argument("--go-on", action="store_true", help="leave out what can't be built")
    return parser.parse_args()


def big_table() -> dict[str, list[str]]:
    return {name: [f"big_{network}" for network in BIG[name]] for name in BIG}


def build(environment: str, names: list[str], told: argparse.Namespace, work: Path) -> list[Path]:
    """Build what the table has for an environment, in one process; return the exports' paths."""
    release = environment.split("-")[0]
    recipes = [name for name in names if told.only in f"{environment}-{name}"]
    if not recipes:
        return []
    site = install(environment, told.python, work)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        stem = str(told.out.resolve() / environment)
        builder = VERSION_1 if release.startswith("1.") else BUILD
        command = [told.python, str(builder), release, stem, *recipes]
        settings = {**os.environ, "PYTHONPATH": str(site), "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run(command, cwd=folder, env=settings, check=not told.go_on)
    paths = [told.out / f"{environment}-{name}.pkl" for name in recipes]
    return [path for path in paths if path.exists()]


def install(environment: str, python: str, work: Path) -> Path:
    """Let pip put a release into a folder of its own, unless it is there from last time."""
    site = (work / environment).resolve()
    if not site.exists() and ENVIRONMENTS[environment]:
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
        subprocess.run([*pip, *ENVIRONMENTS[environment]], check=True)
    return site


def complete(exports: list[Path], told: argparse.Namespace) -> None:
    """Add to each JSON the file's hash and what today's load_learner says of it; check the file."""
    command = [told.python, str(PLAIN_LOAD), *(str(path) for path in exports)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for path, plain_load in zip(exports, json.loads(printed.splitlines()[-1]), strict=True):
        data = path.read_bytes()
        check(path, data, told.big is not None)
        described = path.with_suffix(".json")
        facts = json.loads(described.read_text("utf-8"))
        facts |= {"plain_load": plain_load, "sha256": hashlib.sha256(data).hexdigest()}
        described.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


def check(path: Path, data: bytes, big: bool) -> None:
    """Refuse a file that is too large for git, or that tells of the machine it was made on."""
    assert big or len(data) < MAX_BYTES, f"{path.name} has {len(data):,} bytes, over {MAX_BYTES:,}"
    for place in MACHINE:
        assert place.encode() not in data, f"{path.name} holds {place!r}"


def write_readme(folder: Path) -> None:
    """Put a line for each export between the two marks of the README."""
    readme = HERE / "README.md"
    if folder.resolve() != HERE or not readme.exists():
        return
    before, _, rest = readme.read_text("utf-8").partition("<!-- table -->\n")
    after = rest.partition("<!-- end -->\n")[2]
    lines = [line_of(path) for path in sorted(folder.glob("*.json"))]
    head = "| file | KB | what is special | expected | load_learner today |"
    table = f"{head}\n|---|---|---|---|---|\n"
    text = f"{before}<!-- table -->\n{table}{''.join(lines)}<!-- end -->\n{after}"
    readme.write_text(text, "utf-8")


def line_of(described: Path) -> str:
    facts = json.loads(described.read_text("utf-8"))
    stem = described.name.removesuffix(".json")
    size = described.with_name(stem + ".pkl").stat().st_size / 1000
    today = facts.get("plain_load", "?").split(":")[0]
    expected = facts["expect"] + (f": {', '.join(facts['names'])}" if facts["names"] else "")
    return f"| `{stem}` | {size:.0f} | {facts['about']} | {expected} | {today} |\n"


if __name__ == "__main__":
    main()
