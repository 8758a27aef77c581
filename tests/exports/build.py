# mypy: ignore-errors
"""Train, export and ask the learners of one release of fastai; `make.py` starts this beside it.

In come the release, what to name the files and the names of recipes; out go, for each, an
export.pkl and what the release itself answers to the fixed pictures, as JSON.
"""

import argparse
import importlib.metadata
import json
import random
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pictures  # noqa: E402
import release  # noqa: E402
import rewrite  # noqa: E402
import torch  # noqa: E402

PACKAGES = {
    "fastcore": "fastcore",
    "fasttransform": "fasttransform",
    "plum-dispatch": "plum",
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "numpy": "numpy",
    "pillow": "PIL",
    "cloudpickle": "cloudpickle",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("release")
    parser.add_argument("stem", help="what the files' names begin with")
    parser.add_argument("recipes", nargs="+")
    told = parser.parse_args()
    names = notebook(tuple(int(part) for part in told.release.split(".")))
    draw_training_pictures(names["LABELS"], names["EACH"])
    failed = [name for name in told.recipes if not build(told, names, name)]
    sys.exit(f"failed: {failed}" if failed else 0)


def notebook(of_release):
    """Run the recipes as `__main__`, where a student's functions are, and return its names."""
    release.prepare(of_release)
    import fastai.vision.all  # noqa: F401

    release.after_import(of_release)
    names = sys.modules["__main__"].__dict__
    del names["__file__"]  # a notebook has none, and cloudpickle would write it down
    names["RELEASE"] = of_release
    for source in ("recipes.py", "kinds.py", "big.py"):
        exec(compile((HERE / source).read_text("utf-8"), "train.py", "exec"), names)
    return names


def draw_training_pictures(labels, each):
    for label, name in enumerate(labels):
        folder = Path("pictures", name)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pictures.training_picture(label, number).save(folder / f"{name}_{number}.png")


def build(told, names, name):
    """Write one export and its JSON; return whether that went well."""
    recipe = names["RECIPES"][name]
    path = Path(f"{told.stem}-{name}.pkl")
    try:
        learn = make(recipe)
        export(learn, recipe, path)
        facts = describe(recipe, told.release)
        if recipe.kind == "image classifier":
            again = names["load_learner"](path)
            facts.update(answers(again, recipe, names))
        rewrite.without_folders(path, [folder for folder in sys.path if folder])
        rewrite.apply(changes(recipe, names["RELEASE"]), path)
    except Exception:
        traceback.print_exc()
        path.unlink(missing_ok=True)
        return False
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")
    return True


def changes(recipe, of_release):
    """What the file gets done to it; only protocol 2 writes numpy's names as text."""
    old = of_release < (2, 7, 19) and "pickle_protocol" not in recipe.export
    return ("numpy_1", *recipe.after) if old else recipe.after


def make(recipe):
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    learn = recipe.make()
    learn.path = Path()
    return learn


def export(learn, recipe, path):
    """Let the release itself export, into the current folder, and put the file where it belongs."""
    learn.export(path.name, **recipe.export)
    Path(path.name).replace(path)


def describe(recipe, of_release):
    return {
        "made_by": {"fastai": of_release, **versions()},
        "era": ".".join(of_release.split(".")[:2]),
        "about": recipe.about,
        "architecture": recipe.architecture,
        "kind": recipe.kind,
        "expect": recipe.expect,
        "names": recipe.names,
    }


def versions():
    """The versions of what was loaded, not of what is installed besides."""
    used = {package: name for package, name in PACKAGES.items() if name in sys.modules}
    found = {package: importlib.metadata.version(package) for package in used}
    return {"python": sys.version.split()[0], **found}


def answers(learn, recipe, names):
    """Ask the learner about each fixed picture, as `learn.predict` does it."""
    categories = [t for part in learn.dls.tls for t in part.tfms.fs if hasattr(t, "vocab")]
    multi = "Multi" in type(categories[0]).__name__
    grey = any(kind is names["PILImageBW"] for kind in learn.dls.tls[0].types)
    found = {
        "task": "multi-label" if multi else "single-label",
        "vocab": [str(label) for label in categories[0].vocab],
        "raw_scores": recipe.raw_scores,
        "pictures": {},
    }
    for name, picture in pictures.fixed_pictures().items():
        kind = names["PILImageBW"] if grey else names["PILImage"]
        item = kind.create(np.array(picture.convert("L") if grey else picture))
        with learn.no_bar(), learn.no_logging():
            label, _, scores = learn.predict(item)
        label = [str(one) for one in label] if multi else str(label)
        found["pictures"][name] = {"label": label, "probabilities": scores.tolist()}
    check_that_answers_differ(found["pictures"], recipe.spread)
    return found


def check_that_answers_differ(found, spread):
    scores = np.array([answer["probabilities"] for answer in found.values()])
    assert np.ptp(scores, axis=0).max() > spread, f"too much the same for every picture: {scores}"


if __name__ == "__main__":
    main()
