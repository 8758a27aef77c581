"""A learner becomes one graph with its transforms and activation in it; what can't be is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx_ir")

import onnx_ir as ir
import torch
from fastai.vision.core import PILImage
from PIL import Image
from timm.models.hiera import Hiera
from timm.models.nest import Nest
from torch import nn

from tests.conftest import EXPORTS
from tests.exports.pictures import fixed_pictures
from voilearn.compiled.graph import graph_of, keep_heavy_weights_in_order
from voilearn.compiled.load import open_session, run
from voilearn.errors import UnusableModel
from voilearn.learner.load import load_learner, model_info, open_learner, picture_kind, predict_with

pytestmark = pytest.mark.model
# What is in each that no other here has. All of tests/exports: `make matrix`.
KINDS = {
    "2.8.12-from_folder": "the default: a crop",
    "2.8.12-pad_reflection": "a pad that reflects",
    "2.0.19-crop_pad": "no resize at all, but a cut",
    "2.8.12-presizing": "a batch that is resized",
    "2.8.12-grey_pictures": "grey photos",
    "2.8.12-multi_label": "a sigmoid",
    "2.8.12-random_resized_crop": "a squish, and a cut",
}
# Networks of a few numbers, trained on a few pictures: one pixel that is another by one level
# moves them far. With pixels from fastai in the place of the graph's they agree to 1e-6.
TOUCHY = {"timm_efficientnet": 0.06, "author_arch": 0.01}
ALL = sorted(path.stem for path in EXPORTS.glob("*.pkl"))


def largest_difference(name: str, folder: Path) -> float:
    """How far a learner and its graph are from each other, at most, over all pictures."""
    path = EXPORTS / f"{name}.pkl"
    learn, sha256 = open_learner(path)
    predict = predict_with(learn, path, model_info(learn, path, sha256))
    model = graph_of(learn, picture_kind(learn, path)._open_args["mode"])
    keep_heavy_weights_in_order(model.graph)
    ir.save(model, folder / "export.onnx")
    session, worst = open_session(folder / "export.onnx"), 0.0
    for picture in fixed_pictures().values():
        prediction = predict(picture)
        found = dict(
            zip(prediction.model.classes, run(session, picture).probabilities, strict=True)
        )
        worst = max(worst, *(abs(p - found[c]) for c, p in prediction.probabilities.items()))
    return worst


@pytest.mark.parametrize("name", KINDS)
def test_a_graph_gives_the_learners_answers(name: str, tmp_path: Path) -> None:
    assert largest_difference(name, tmp_path) < 0.005


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_export_that_opens_compiles(name: str, tmp_path: Path) -> None:
    try:
        open_learner(EXPORTS / f"{name}.pkl")
    except UnusableModel:
        pytest.skip("it does not open, so there is nothing to compile")
    limit = next((limit for part, limit in TOUCHY.items() if part in name), 0.005)
    assert largest_difference(name, tmp_path) < limit


def small_learner(layers: list[nn.Module]) -> Any:
    """A learner of tests/exports with another network in it."""
    learn = load_learner(EXPORTS / "2.8.12-from_folder.pkl")
    learn.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return learn


def test_a_layer_that_onnx_does_not_have_is_named() -> None:
    learn = small_learner([nn.Conv2d(3, 4, 3), nn.RReLU()])
    with pytest.raises(UnusableModel, match=r"ONNX has nothing for RReLU at network\.1 \(aten\."):
        graph_of(learn, "RGB")


@pytest.mark.parametrize("name", ["hiera", "nest"])
def test_attention_of_any_dimensions_compiles(name: str) -> None:
    torch.manual_seed(0)
    learn = load_learner(EXPORTS / "2.8.12-from_folder.pkl")
    learn.model = nn.Sequential(nn.Upsample(size=(64, 64)), attentive(name)).eval()
    picture = Image.new("RGB", (80, 60), "teal")
    picture.paste("orange", (10, 5, 50, 40))
    with learn.no_bar():
        expected = learn.predict(PILImage.create(picture))[2]
    session = open_session(ir.to_proto(graph_of(learn, "RGB")).SerializeToString())
    assert np.allclose(run(session, picture).probabilities, expected, atol=0.005)
    assert any(getattr(layer, "fused_attn", False) for layer in learn.model.modules())


def attentive(name: str) -> Any:
    """A small network of a family that does attention in five dimensions."""
    if name == "hiera":
        return Hiera(embed_dim=16, stages=(1, 1, 1, 1), img_size=(64, 64), num_classes=3)
    sizes: dict[str, Any] = {"embed_dims": (16, 32, 64), "num_heads": (1, 2, 4)}
    return Nest(img_size=64, patch_size=4, depths=(1, 1, 1), num_classes=3, **sizes)


def test_weights_that_no_onnx_file_holds_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    learn = small_learner([nn.Conv2d(3, 4, 3)])
    monkeypatch.setattr("voilearn.compiled.graph.MAX_BYTES", 500)
    with pytest.raises(UnusableModel, match=r"its weights take 0\.0 GB"):
        graph_of(learn, "RGB")


def test_a_network_that_looks_at_its_numbers_is_told() -> None:
    class Moody(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    learn = small_learner([nn.Conv2d(3, 4, 3), Moody()])
    with pytest.raises(UnusableModel, match=r"This network can't be compiled: .*depends on"):
        graph_of(learn, "RGB")


def test_a_learner_without_a_resize_takes_photos_of_any_size() -> None:
    learn = small_learner([nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()])
    learn.dls.after_item.fs.clear()
    session = open_session(ir.to_proto(graph_of(learn, "RGB")).SerializeToString())
    for size in ((64, 48), (301, 200)):
        found = run(session, Image.new("RGB", size, "teal")).probabilities
        assert np.isclose(sum(found), 1, atol=1e-5)


def test_heavy_weights_stay_in_the_order_they_came_in() -> None:
    learn = small_learner([nn.Conv2d(3, 256, 3), nn.Conv2d(256, 300, 3), nn.Conv2d(300, 4, 1)])
    model = graph_of(learn, "RGB")
    keep_heavy_weights_in_order(model.graph)
    convolutions = [node for node in model.graph if node.op_type == "Conv"]
    weights = [node.inputs[1] for node in convolutions]
    sources = [value.producer() for value in weights if value is not None]
    assert [source and source.op_type for source in sources] == [None, "Reshape", None]


def test_the_same_learner_makes_the_same_file() -> None:
    files = [
        ir.to_proto(
            graph_of(load_learner(EXPORTS / "2.8.12-from_folder.pkl"), "RGB")
        ).SerializeToString(deterministic=True)
        for _ in range(2)
    ]
    assert files[0] == files[1]
