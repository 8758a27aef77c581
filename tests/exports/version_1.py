# mypy: ignore-errors
"""Train and export an image classifier with fastai 1, which saved another kind of file.

Takes what build.py takes: the release, what to name the file, and the name of the one recipe.
"""

import json
import sys
import types
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import build  # noqa: E402
import numpy as np  # noqa: E402
import release  # noqa: E402
import rewrite  # noqa: E402
import torch  # noqa: E402

LABELS, EACH = ["ant", "bee", "cat"], 12


def main():
    of_release, stem, name = sys.argv[1:]
    release.prepare((2, 0, 0))
    del torch.Tensor.__dir__
    setuptools = types.ModuleType("pkg_resources")  # gone from Python; it is asked one thing
    setuptools.require = lambda *_: None
    sys.modules["pkg_resources"] = setuptools
    build.draw_training_pictures(LABELS, EACH)
    torch.manual_seed(0)
    np.random.seed(0)
    path = Path(f"{stem}-{name}.pkl")
    export(path)
    rewrite.apply(("numpy_1",), path)
    text = json.dumps(facts(of_release), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(text + "\n", "utf-8")


def export(path):
    from fastai.vision import ImageDataBunch, Learner, get_transforms, imagenet_stats, simple_cnn

    settings = {"valid_pct": 0.25, "seed": 1, "size": 32, "bs": 8, "num_workers": 0}
    data = ImageDataBunch.from_folder(Path("pictures"), ds_tfms=get_transforms(), **settings)
    learn = Learner(data.normalize(imagenet_stats), simple_cnn((3, 8, 3), bn=True))
    learn.fit(1)
    learn.path = Path()
    learn.export(path.name)
    Path(path.name).replace(path)


def facts(of_release):
    return {
        "made_by": {"fastai": of_release, **build.versions()},
        "era": "1.0",
        "about": "an image classifier of fastai 1: its export is a dict, not a Learner",
        "architecture": "torch.nn.Sequential",
        "kind": "fastai 1",
        "expect": "refused",
        "names": [],
    }


if __name__ == "__main__":
    main()
