"""An author's transform that changes photos in training alone is left out, any other is named."""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import EXPORTS

torch = pytest.importorskip("torch")

import cloudpickle  # noqa: E402
import numpy as np  # noqa: E402
from fastai.data.all import CategoryBlock, store_attr  # noqa: E402
from fastai.losses import CrossEntropyLossFlat  # noqa: E402
from fastai.vision.augment import FlipItem, RandTransform, Resize  # noqa: E402
from fastai.vision.core import PILImage, TensorImage  # noqa: E402
from fasttransform.transform import (  # noqa: E402
    DisplayedTransform,
    ItemTransform,
    Transform,
)

from tests.learner.test_load import agrees_with_load_learner, make_export, parity  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.learner.load import load_learner  # noqa: E402

pytestmark = pytest.mark.model
# mypy: ignore-errors


def negative(pixels):
    return 255 - pixels


def turned(img: PILImage):
    return PILImage.create(negative(np.array(img)))


class Tutorial(DisplayedTransform):
    """As in fastai's tutorial on Albumentations: its split_idx is the class's."""

    split_idx, order = 0, 2

    def __init__(self, train_aug):
        store_attr()

    def encodes(self, img: PILImage):
        return PILImage.create(self.train_aug(np.array(img)))


class OfTutorial(Tutorial):
    """One more class in between."""


class Both(RandTransform):
    """The tutorial's other one: it runs in training and after."""

    split_idx, order = None, 2

    def __init__(self, train_aug, valid_aug):
        store_attr()

    def before_call(self, b, split_idx):
        self.idx = split_idx

    def encodes(self, img: PILImage):
        return PILImage.create((self.train_aug, self.valid_aug)[self.idx or 0](np.array(img)))


class Always(Transform):
    def encodes(self, img: PILImage):
        return turned(img)


class AfterTraining(Always):
    split_idx = 1


class InTraining(Always):
    split_idx = 0

    def __init__(self, **how):
        super().__init__(**how)


class OfABatch(Transform):
    split_idx = 0

    def encodes(self, images: TensorImage):
        return 1 - images


class Random(RandTransform):
    def encodes(self, img: PILImage):
        return turned(img)


class RandomBefore(Random):
    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        self.strength = 3


class RandomSetting(Random):
    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        self.split_idx = 0


class RandomSettingByName(Random):
    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        setattr(self, "split" + "_idx", 0)


class OfAPair(ItemTransform):
    split_idx = 0

    def encodes(self, pair):
        return pair


class Flip(FlipItem):
    """An author's own of fastai's that only trains."""


class Own(Resize):
    """An author's own of fastai's that always runs."""


class Called(Transform):
    """It does not heed its split_idx."""

    split_idx = 0

    def __call__(self, x, split_idx=None, **how):
        return turned(x) if isinstance(x, PILImage) else x

    def encodes(self, img: PILImage):
        return turned(img)


class Behind(Transform):
    """Its split_idx is not what its object says."""

    @property
    def split_idx(self):
        return None

    @split_idx.setter
    def split_idx(self, value):
        self.__dict__["split_idx"] = 0

    def encodes(self, img: PILImage):
        return turned(img)


class Of(Transform):
    """Made of two."""


class OfTwo(Of, Always):
    split_idx = 0

    def __init__(self):
        self.nothing = 0


def with_split(transform, split):
    transform.split_idx = split
    return transform


@pytest.fixture
def by_value() -> Iterator[None]:
    """Let cloudpickle write this module's classes whole, as it does a notebook's."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def export_of(folder: Path, transform, batch=False) -> Path:
    item = [Resize(32, method="squish"), *([] if batch else [transform])]
    return make_export(
        folder,
        CategoryBlock,
        CrossEntropyLossFlat(),
        parity,
        item_tfms=item,
        batch_tfms=[transform] if batch else None,
    )


LEFT_OUT = {
    "the tutorial's": lambda: Tutorial(negative),
    "a class made of it": lambda: OfTutorial(negative),
    "an object's own": lambda: Always(split_idx=0),
    "an object's own, put there": lambda: with_split(Always(), 0),
    "a class's, put into its object": InTraining,
    "a class's, in spite of None": lambda: InTraining(split_idx=None),
    "a split that there is none of": lambda: Always(split_idx=2),
    "at random": lambda: Random(p=0.5),
    "at random, with something before": lambda: RandomBefore(p=0.5),
    "of pairs": OfAPair,
    "an author's flip": lambda: Flip(p=0.5),
    "a function": lambda: Transform(turned, split_idx=0),
    "a lambda": lambda: Transform(lambda img: img, split_idx=0),
    "a partial": lambda: Transform(partial(turned), split_idx=0),
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("make", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_only_trains_is_left_out_and_told(tmp_path: Path, make) -> None:
    transform = make()
    path = export_of(tmp_path, transform)
    agrees_with_load_learner(path)
    told = "; ".join(read_export_file(path).learner.dropped)
    name = getattr(transform, "_name", type(transform).__qualname__)
    assert "in training only: " in told
    assert name in told


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("make", [OfABatch, lambda: Transform(lambda x: x, split_idx=0)])
def test_what_only_trains_on_batches_is_left_out(tmp_path: Path, make) -> None:
    path = export_of(tmp_path, make(), batch=True)
    agrees_with_load_learner(path)
    assert any("in training only" in told for told in read_export_file(path).learner.dropped)


CHANGES = {
    "the tutorial's other": lambda: Both(negative, negative),
    "always": Always,
    "after training": AfterTraining,
    "in training, until it was changed": lambda: with_split(Tutorial(negative), None),
    "an author's resize": lambda: Own(32),
    "a function": lambda: turned,
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("make", CHANGES.values(), ids=CHANGES)
def test_what_changes_a_photo_that_is_predicted_is_named(tmp_path: Path, make) -> None:
    path = export_of(tmp_path, make())
    with pytest.raises(UnusableModel, match="changes each photo by a transform that is not fastai"):
        load_learner(path)


UNSAID = {
    "one with a call of its own": Called,
    "one with a property": Behind,
    "one that sets its split": RandomSetting,
    "one that sets it by name": RandomSettingByName,
    "one of two classes": OfTwo,
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("make", UNSAID.values(), ids=UNSAID)
def test_what_the_file_does_not_tell_is_not_guessed(tmp_path: Path, make) -> None:
    path = export_of(tmp_path, make())
    with pytest.raises(
        UnusableModel, match=r"does not tell whether .* learn\.dls\.valid\.after_it"
    ):
        load_learner(path)


def test_of_a_class_by_name_only_what_its_object_says_is_taken(tmp_path: Path) -> None:
    """As every export before fastai 2.8 has it: the class is not in the file."""
    agrees_with_load_learner(export_of(tmp_path, InTraining()))
    agrees_with_load_learner(export_of(tmp_path, with_split(Tutorial(negative), 0)))
    for unsaid in (Tutorial(negative), Random(p=0.5)):
        with pytest.raises(UnusableModel, match="does not tell whether"):
            load_learner(export_of(tmp_path, unsaid))
    with pytest.raises(UnusableModel, match=r"changes each photo by .*\.Always"):
        load_learner(export_of(tmp_path, Always()))


def test_taking_it_out_makes_it_open_as_the_refusal_says(tmp_path: Path) -> None:
    path = export_of(tmp_path, Tutorial(negative))
    learn = load_learner(path, trust=True)
    learn.dls.valid.after_item.fs = learn.dls.valid.after_item.fs.filter(
        lambda transform: not isinstance(transform, Tutorial)
    )
    learn.path = tmp_path
    learn.export(path.name)
    agrees_with_load_learner(path)


def test_an_old_export_s_own_transform_is_still_named() -> None:
    told = read_export_file(EXPORTS / "2.8.12-author_item_transform.pkl").hindrance
    assert "changes each photo by a transform" in (told or "")
