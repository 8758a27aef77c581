"""Whether an export opens here is told as it then happens: `inspect` and `classify` agree."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from fastai.data.all import CategoryBlock  # noqa: E402
from fastai.layers import Lambda  # noqa: E402
from fastai.losses import CrossEntropyLossFlat  # noqa: E402
from fastai.vision.augment import Resize  # noqa: E402
from torch import nn  # noqa: E402

from tests.conftest import EXPORTS, draw, encode  # noqa: E402
from tests.learner.test_load import make_export, network, parity  # noqa: E402
from voilearn.describe import describe  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.model import inspect_export, load_classify  # noqa: E402

pytestmark = pytest.mark.model


def agrees(path: Path) -> str | None:
    """Hold what is told of a file to what then happens; return why it does not open, if so."""
    try:
        told = inspect_export(path)
    except UnusableModel as error:
        with pytest.raises(UnusableModel) as refused:
            load_classify(path)
        assert str(refused.value) == str(error)
        return str(error)
    opens = told.to_dict()["opens"]
    assert opens is told.opened is (told.hindrance is None)
    if opens:
        assert load_classify(path).info.classes == told.learner.classes
        assert "yes, it was opened" in describe(told)
        return None
    with pytest.raises(UnusableModel) as refused:
        load_classify(path)
    assert str(refused.value) == told.hindrance
    return told.hindrance


@pytest.mark.parametrize("path", sorted(EXPORTS.glob("*.pkl")), ids=lambda path: path.stem)
def test_what_is_told_of_an_export_is_what_happens(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))["expect"]
    assert (agrees(path) is None) == (expected == "opens")


class OfTheAuthor(nn.Module):
    """A layer whose class is in no library."""

    def forward(self, numbers: Any) -> Any:
        return numbers


def on(device: str) -> Any:
    return nn.Sequential(*network(2), nn.Linear(2, 2, device=device))


def with_attribute(value: Any) -> Any:
    net = network(2)
    net[1].kept = value
    return net


def with_complex_weights() -> Any:
    net = network(2)
    net[2].weight = nn.Parameter(net[2].weight.to(torch.complex64))
    return net


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a function in fastai's own layer": (lambda: Lambda(lambda x: x), "func is a function of the"),
    "a function beside a layer's own": (lambda: with_attribute(lambda x: x), "kept"),
    "an object beside a layer's own": (lambda: with_attribute(OfTheAuthor), "kept"),
    "a tensor without numbers": (lambda: on("meta"), "no tensor"),
    "numbers of an odd kind": (with_complex_weights, "ComplexFloatStorage"),
    "a sparse tensor": (lambda: with_attribute(torch.eye(3).to_sparse()), "sparse"),
    "a quantised tensor": (
        lambda: with_attribute(torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8)),
        "_rebuild_qtensor",
    ),
    "a layer of the author's": (OfTheAuthor, "OfTheAuthor"),
    "layers that do not fit": (lambda: nn.Linear(7, 2), "does not run on a picture"),
    "more answers than classes": (lambda: nn.Linear(2, 3), "3 numbers for its 2 classes"),
    "numbers that are none": (lambda: Scaled(float("nan")), "not a set of probabilities"),
}


class Scaled(nn.Sequential):
    """Stands for layers of which one has weights that are no numbers."""

    def __new__(cls, by: float) -> Any:
        layer = nn.Linear(2, 2)
        nn.init.constant_(layer.weight, by)
        return layer


@pytest.mark.parametrize(("last", "told"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_open_is_told_not_to(
    tmp_path: Path, last: Callable[[], Any], told: str
) -> None:
    net = nn.Sequential(network(2), last())
    path = make_export(
        tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity, net=net, item_tfms=Resize(32)
    )
    assert told in (agrees(path) or "")


def test_a_learner_that_fits_no_photo_but_its_own_opens_and_says_so_of_each(
    tmp_path: Path,
) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 40 * 30, 2))
    path = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity, net=net)
    assert agrees(path) is None
    classify = load_classify(path)
    assert classify((tmp_path / "0.png").read_bytes()).label
    with pytest.raises(UnusableModel, match=r"picture of 64 x 48 pixels .*item_tfms=Resize"):
        classify(encode(draw((64, 48)), "PNG"))


@pytest.mark.parametrize("package", ["torch", "fastai", "timm"])
def test_a_library_that_is_missing_is_told_without_loading_any(
    export: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda n: None if n == package else find(n))
    monkeypatch.setitem(sys.modules, "voilearn.learner.load", None)  # importing it would fail
    told = inspect_export(export)
    assert f"needs the Python package {package}, which is not" in (told.hindrance or "")


def test_a_library_that_fails_to_load_is_told(
    export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: Path) -> None:
        raise ImportError("no module", name="torchvision")

    monkeypatch.setattr("voilearn.model.load_classify", load)
    assert "package torchvision" in (inspect_export(export).hindrance or "")
    assert read_export_file(export).hindrance is None
