"""A transform written as ONNX does to a photo what Pillow and fastai do."""

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx_ir")

import onnx_ir as ir
from fastai.data.transforms import IntToFloatTensor, Normalize, ToTensor
from fastai.vision.augment import PadMode, RandomErasing, Resize, ResizeMethod
from fastai.vision.core import PILImage, PILImageBW, TensorImage, imagenet_stats
from PIL import Image

from tests.conftest import draw
from tests.export.test_transforms import BATCH, ITEM
from voilearn.compiled.load import open_session
from voilearn.compiled.nodes import Nodes
from voilearn.compiled.transforms import write_transforms
from voilearn.errors import UnusableModel

pytestmark = pytest.mark.model
SIZES = [(120, 80), (60, 90), (20, 200), (333, 500)]


def learner(items: list[Any], batches: list[Any]) -> Any:
    """As much of a learner as its transforms are."""
    opened = SimpleNamespace(tfms=SimpleNamespace(fs=[None]))
    after_item, after_batch = SimpleNamespace(fs=items), SimpleNamespace(fs=batches)
    dls = SimpleNamespace(tls=[opened], after_item=after_item, after_batch=after_batch)
    return SimpleNamespace(dls=dls)


def written(items: list[Any], batches: list[Any], mode: str = "RGB") -> Any:
    """A session from a photo to what the network would take."""
    nodes = Nodes()
    photo = ir.val("photo", ir.DataType.UINT8, ["height", "width", 3])
    outcome = write_transforms(nodes, learner(items, batches), photo, mode).value
    outcome.name, outcome.type = "pixels", ir.TensorType(ir.DataType.FLOAT)
    graph = ir.Graph(
        [photo],
        [outcome],
        nodes=nodes.nodes,
        initializers=nodes.initializers,
        opset_imports={"": 20},
        name="transforms",
    )
    return open_session(ir.to_proto(ir.Model(graph, ir_version=10)).SerializeToString())


def pixels(session: Any, picture: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(session.run(None, {"photo": np.asarray(picture.convert("RGB"))})[0])


def textured(size: tuple[int, int]) -> Image.Image:
    """A picture with an edge at almost every pixel, over shapes."""
    dice = random.Random(7)
    noise = Image.frombytes("RGB", size, dice.randbytes(3 * size[0] * size[1]))
    return Image.blend(draw(size), noise, 0.4)


@pytest.mark.parametrize("transform", ITEM, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_an_item_transform_is_as_fastai_has_it(
    transform: Any, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)  # RatioResize crops some pixel by chance
    picture = textured(size)
    expected = np.asarray(transform(PILImage.create(np.asarray(picture)), split_idx=1))
    found = pixels(written([transform], []), picture)[0].transpose(1, 2, 0)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    # 20 pixels to 50 is by 2.5 to the dot: every tenth outcome lies just between two levels
    assert difference.max() <= (2 if size[0] == 20 else 1)
    assert (difference > 0).mean() < (0.1 if size[0] == 20 else 0.03)


@pytest.mark.parametrize("transform", BATCH, ids=str)
@pytest.mark.parametrize("squished", [(48, 60), (60, 48), (20, 24)])
def test_a_batch_transform_is_as_fastai_has_it(transform: Any, squished: tuple[int, int]) -> None:
    resize = Resize(squished, ResizeMethod.Squish)
    picture = textured((90, 70))
    batch = ToTensor()(resize(PILImage.create(np.asarray(picture)), split_idx=1))[None].float()
    expected = transform(TensorImage(batch), split_idx=1)
    found = pixels(written([resize], [transform]), picture)
    assert found.shape == expected.shape
    level = 1 / getattr(transform, "div", 1)
    assert np.abs(found - expected.numpy()).max() < 1.01 * level
    assert np.abs(found - expected.numpy()).mean() < 0.02 * level


def test_the_whole_of_a_learners_transforms_agrees() -> None:
    items = [Resize(64, ResizeMethod.Pad, PadMode.Zeros), ToTensor()]
    batches = [IntToFloatTensor(), Normalize.from_stats(*imagenet_stats, cuda=False)]
    picture = textured((90, 140))
    tensor = ToTensor()(items[0](PILImage.create(np.asarray(picture)), split_idx=1))[None]
    expected = batches[1](batches[0](TensorImage(tensor)))
    found = pixels(written(items, batches), picture)
    assert np.abs(found - expected.numpy()).max() < 0.02


def test_a_grey_learner_gets_the_grey_that_pillow_makes() -> None:
    picture = textured((50, 40))
    expected = np.asarray(PILImageBW.create(picture.convert("L")))
    assert (pixels(written([], [], "L"), picture)[0, 0] == expected).all()


def test_a_large_photo_agrees_too_though_it_stays_of_whole_numbers() -> None:
    picture = textured((1800, 1300))
    resize = Resize(224, ResizeMethod.Squish)
    expected = np.asarray(resize(PILImage.create(np.asarray(picture)), split_idx=1))
    found = pixels(written([resize], []), picture)[0].transpose(1, 2, 0)
    assert np.abs(found - expected).max() <= 1
    assert (np.abs(found - expected) > 0).mean() < 0.03


@pytest.mark.parametrize("size", [(96, 96), (512, 553), (256, 256), (7, 300)])
def test_the_nearest_pixels_are_pillows(size: tuple[int, int]) -> None:
    picture = textured(size)
    for resize in (Resize(96, resamples=(0, 0)), Resize((224, 60), "squish", resamples=(0, 0))):
        expected = np.asarray(resize(PILImage.create(np.asarray(picture)), split_idx=1))
        found = pixels(written([resize], []), picture)[0].transpose(1, 2, 0)
        assert (found == expected).all()


def test_bicubic_stays_within_what_a_pixel_can_be() -> None:
    picture = Image.new("RGB", (60, 60), "black")
    picture.paste((255, 255, 255), (20, 20, 40, 40))
    resize = Resize(90, ResizeMethod.Squish, resamples=(3, 0))
    expected = np.asarray(resize(PILImage.create(np.asarray(picture)), split_idx=1))
    found = pixels(written([resize], []), picture)[0].transpose(1, 2, 0)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("method", ["crop", "pad", "squish"])
def test_a_photo_of_a_pixels_width_gets_through(size: tuple[int, int], method: str) -> None:
    assert pixels(written([Resize((64, 96), method)], []), draw(size)).shape == (1, 3, 64, 96)


def test_a_grey_learner_with_colour_statistics_gets_three_channels() -> None:
    normalize = Normalize.from_stats(*imagenet_stats, cuda=False)
    nodes = Nodes()
    photo = ir.val("photo", ir.DataType.UINT8, ["height", "width", 3])
    given = learner([Resize(20)], [IntToFloatTensor(), normalize])
    assert write_transforms(nodes, given, photo, "L").channels == 3
    session = written([Resize(20)], [IntToFloatTensor(), normalize], "L")
    assert pixels(session, draw()).shape == (1, 3, 20, 20)


def test_pillow_resizes_columns_first_where_the_graph_does() -> None:
    """What `_sides_between` relies on; another Pillow may go about it in another order."""
    dice = random.Random(1)
    for _ in range(60):
        width, height = dice.randint(5, 400), dice.randint(5, 400)
        wide, high = dice.choice([(224, 224), (64, 48), (48, 64)])
        picture = Image.frombytes("RGB", (width, height), dice.randbytes(3 * width * height))
        whole = np.asarray(picture.resize((wide, high), Image.Resampling.BILINEAR))
        columns_first = height > high and 2 * (width - wide) < height - high
        between = (width, high) if columns_first else (wide, height)
        passed = picture.resize(between, Image.Resampling.BILINEAR)
        two_steps = np.asarray(passed.resize((wide, high), Image.Resampling.BILINEAR))
        assert (whole == two_steps).all(), (width, height, wide, high)


def test_what_only_training_needs_is_left_out() -> None:
    erase = RandomErasing(p=1.0)
    picture = draw((40, 30))
    assert (pixels(written([], [erase]), picture) == pixels(written([], []), picture)).all()


def test_a_transform_that_cannot_be_written_is_named() -> None:
    class Sepia:
        split_idx = None

    with pytest.raises(UnusableModel, match=r"The transform Sepia can't be written as ONNX\. "):
        written([Sepia()], [])


def test_a_filter_that_onnx_does_not_have_is_named() -> None:
    with pytest.raises(UnusableModel, match="Pillow's filter 1, which ONNX has no equal of"):
        written([Resize(50, resamples=(1, 0))], [])


def test_a_batch_of_any_size_cannot_be_resized() -> None:
    flip = next(t for t in BATCH if getattr(t, "size", None))
    with pytest.raises(UnusableModel, match=r"Export it with item_tfms=Resize\(…\)"):
        written([], [flip])


def test_the_same_learner_is_written_with_the_same_names() -> None:
    names = []
    for _ in range(2):
        nodes = Nodes()
        photo = ir.val("photo", ir.DataType.UINT8, ["height", "width", 3])
        write_transforms(nodes, learner([Resize(20)], []), photo, "RGB")
        names.append([value.name for value in nodes.initializers])
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])
