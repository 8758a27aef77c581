"""A transform read from its record does to a photo what the one that was saved does."""

import io
import random
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import cloudpickle  # noqa: E402
from fastai.data import transforms as data_transforms  # noqa: E402
from fastai.data.transforms import IntToFloatTensor, Normalize, ToTensor  # noqa: E402
from fastai.vision import augment  # noqa: E402
from fastai.vision.augment import (  # noqa: E402
    Brightness,
    CropPad,
    DihedralItem,
    Flip,
    FlipItem,
    PadMode,
    RandomCrop,
    RandomErasing,
    RandomResizedCrop,
    RandomResizedCropGPU,
    RatioResize,
    Resize,
    ResizeMethod,
    Rotate,
)
from fastai.vision.core import PILImage, TensorImage, imagenet_stats  # noqa: E402

from tests.conftest import draw  # noqa: E402
from voilearn.export.records import DamagedPickle, Global, Instance  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402
from voilearn.export.transforms import Transform, UnknownTransform, read_transform  # noqa: E402

pytestmark = pytest.mark.model


def record(transform: Any) -> Any:
    file = io.BytesIO()
    torch.save(transform, file, pickle_module=cloudpickle)
    return read_torch_file(file).pickle.root


def made(transform: Transform) -> Any:
    home = augment if hasattr(augment, transform.name) else data_transforms
    return getattr(home, transform.name)(**transform.arguments)


ITEM = [
    Resize(50),
    Resize((40, 60)),
    *(Resize(50, method) for method in (ResizeMethod.Squish, ResizeMethod.Pad)),
    *(Resize(50, ResizeMethod.Pad, mode) for mode in (PadMode.Zeros, PadMode.Border)),
    Resize(50, resamples=(3, 0)),
    RandomResizedCrop(48),
    RandomResizedCrop((48, 32), val_xtra=0.3),
    CropPad(70),
    CropPad((30, 300), PadMode.Reflection),
    RandomCrop(40),
    RatioResize(64),
]
BATCH = [
    IntToFloatTensor(),
    IntToFloatTensor(div=127.5),
    Flip(),
    Flip(size=24),
    Rotate(size=(24, 30), pad_mode=PadMode.Zeros, align_corners=True),
    RandomResizedCropGPU(24, min_scale=0.5),
    RandomResizedCropGPU((24, 40), valid_scale=0.7),
]


@pytest.mark.parametrize("transform", ITEM, ids=str)
@pytest.mark.parametrize("size", [(120, 80), (60, 90), (20, 200)])
def test_an_item_transform_does_what_the_saved_one_does(
    transform: Any, size: tuple[int, int]
) -> None:
    found = read_transform(record(transform))
    assert found
    photo = PILImage.create(draw(size))
    random.seed(0)  # RatioResize leaves a pixel to chance, in fastai too
    expected = transform(photo, split_idx=1)
    random.seed(0)
    image = made(found)(photo, split_idx=1)
    assert image.size == expected.size
    assert image.tobytes() == expected.tobytes()


@pytest.mark.parametrize("transform", BATCH, ids=str)
def test_a_batch_transform_does_what_the_saved_one_does(transform: Any) -> None:
    found = read_transform(record(transform))
    assert found
    batch = TensorImage(torch.rand(1, 3, 64, 48))
    expected = transform(batch.clone(), split_idx=1)
    assert torch.equal(made(found)(batch.clone(), split_idx=1), expected)


def test_the_statistics_of_normalize_are_those_that_were_saved() -> None:
    found = read_transform(record(Normalize.from_stats(*imagenet_stats, cuda=False)))
    assert found
    assert found.name == "Normalize"
    assert found.arguments["mean"].size == (1, 3, 1, 1)


@pytest.mark.parametrize(
    "transform", [FlipItem(), DihedralItem(), Brightness(), RandomErasing()], ids=str
)
def test_what_only_changes_photos_in_training_is_left_out(transform: Any) -> None:
    assert read_transform(record(transform)) is None


def test_a_transform_is_written_as_an_author_writes_it() -> None:
    assert str(read_transform(record(CropPad(70)))) == "CropPad(size=(70, 70), pad_mode='zeros')"
    assert str(read_transform(record(ToTensor()))) == "ToTensor()"


RESIZE = Global("fastai.vision.augment", "Resize")
GOOD = {"size": (50, 50), "method": "crop", "pad_mode": "zeros", "resamples": (2, 0)}


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0, 50)},
        {"size": (10**6, 50)},
        {"size": (-5, 50)},
        {"size": (5.5, 50)},
        {"size": (True, 50)},
        {"size": "50"},
        {"size": (50, 50, 50)},
        {"size": None},
        {"method": "stretch"},
        {"method": ["crop"]},
        {"pad_mode": None},
        {"resamples": (2, 99)},
        {"resamples": 2},
    ],
)
def test_arguments_that_make_no_sense_are_damage(change: dict[str, Any]) -> None:
    assert read_transform(Instance(RESIZE, states=(GOOD,)))
    with pytest.raises(DamagedPickle):
        read_transform(Instance(RESIZE, states=(GOOD | change,)))


@pytest.mark.parametrize("key", ["encodes", "before_call", "__call__"])
def test_a_transform_with_code_of_its_own_is_named(key: str) -> None:
    with pytest.raises(UnknownTransform, match=r"augment\.Resize"):
        read_transform(Instance(RESIZE, states=(GOOD | {key: Global("os", "system")},)))
    with pytest.raises(UnknownTransform, match=r"__main__\.Sharpen"):
        read_transform(Instance(Global("__main__", "Sharpen")))
