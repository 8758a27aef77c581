"""The table of renamed classes leads to classes that are there."""

import importlib
import importlib.util

import pytest

from voilearn.export.old_names import ROWS, today

pytest.importorskip("fastai", reason="fastai is not installed")
pytest.importorskip("timm", reason="timm is not installed")


def is_there(path: str) -> bool:
    """Whether this is a module, or something in one."""
    home, _, last = path.rpartition(".")
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:
        return hasattr(importlib.import_module(home), last)


@pytest.mark.model
@pytest.mark.parametrize("old", ROWS)
def test_what_an_old_name_became_is_there_today(old: str) -> None:
    assert is_there(today(old)), today(old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("__builtin__.unicode", "builtins.str"),
        ("fastcore.dispatch.TypeDispatch", "plum._function.Function"),
        ("fastai2.vision.augment.Resize", "fastai.vision.augment.Resize"),
        ("fastai2.layers.CrossEntropyLossFlat", "fastai.losses.CrossEntropyLossFlat"),
        ("timm.models.layers.norm_act.BatchNormAct2d", "timm.layers.norm_act.BatchNormAct2d"),
        ("torchvision.models.mobilenet.X", "torchvision.models.mobilenetv2.X"),
        ("torch.nn.modules.linear.Linear", "torch.nn.modules.linear.Linear"),
        ("timm.models.layersome.X", "timm.models.layersome.X"),
    ],
)
def test_a_name_is_that_of_today(old: str, new: str) -> None:
    assert today(old) == new
