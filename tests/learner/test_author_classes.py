"""A learner or loader of its author's own class opens if that changes nothing of predicting."""

import sys
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from functools import partial
from pathlib import Path
from queue import Queue

import pytest

torch = pytest.importorskip("torch")

import cloudpickle  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.data.all import CategoryBlock, TfmdDL, TransformBlock  # noqa: E402
from fastai.data.core import DataLoaders  # noqa: E402
from fastai.data.transforms import Categorize  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.learner import load_learner as fastai_load_learner  # noqa: E402
from fastai.losses import CrossEntropyLossFlat  # noqa: E402
from fastai.vision.core import PILImage, PILMask  # noqa: E402
from fastai.vision.data import ImageBlock  # noqa: E402

from tests.learner.test_load import agrees_with_load_learner, make_export, parity  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.classes import LEARNER, LOADER, LOADERS, NOTES, PREDICTING  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.learner.load import load_learner  # noqa: E402

pytestmark = pytest.mark.model
# mypy: ignore-errors


class Plain(Learner):
    """Nothing of its own."""


class OfPlain(Plain):
    """One more class in between."""


class Trains(Learner):
    notes = ("a", "b")

    def __init__(self, *args, how=None, **options):
        super().__init__(*args, **options)
        self.how = how

    def fit_one_cycle(self, *args, **options):
        self._say()
        return super().fit_one_cycle(*args, **options)

    def _say(self):
        print(self.how)

    def train_it(self):
        self.fit(1)


class Predicts(Learner):
    def predict(self, *args, **options):
        return super().predict(*args, **options)


class HasAModel(Learner):
    @property
    def model(self):
        return self.__dict__["model"]

    @model.setter
    def model(self, model):
        self.__dict__["model"] = model


class Gets(Learner):
    def __getattribute__(self, name):
        return super().__getattribute__(name)


class OneBatch(Learner):
    def _do_one_batch(self):
        super()._do_one_batch()


class Loader(TfmdDL):
    def show_batch(self, *args, **options):
        return super().show_batch(*args, **options)

    def weights(self):
        return 1


class Sampling(TfmdDL):
    def get_idxs(self):
        return super().get_idxs()


class Made(TfmdDL):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)


class Loaders(DataLoaders):
    def counts(self):
        return 2


class Tests(DataLoaders):
    def test_dl(self, *args, **options):
        return super().test_dl(*args, **options)


class Titled(Categorize):
    def decodes(self, number):
        return self.vocab[number].title()


class Turned:
    """Opens photos in a way of its own, as one for a kind of file that PIL does not read does."""

    @classmethod
    def create(cls, path):
        return PILImage.create(PILImage.create(path).rotate(90))


class Warm(PILImage):
    """A kind of pictures of its author's own."""


class Counts(Callback):
    def after_epoch(self):
        self.learn.counted = 1


class Collects(Callback):
    """Names modules of Python's own that protocol 2 writes by what they were called in Python 2."""

    kinds = Callable, Queue, ConfigParser


class Sees(Callback):
    def after_pred(self):
        self.seen = self.pred.shape


class Mixes(Callback):
    run_valid = False

    def before_batch(self):
        self.learn.xb = (self.x * 0.5,)


class MixesInTraining(Callback):
    def before_batch(self):
        if self.training:
            self.learn.xb = (self.x * 0.5,)


class Dims(Callback):
    def before_batch(self):
        self.learn.xb = (self.x * 0.5,)


class Sharpens(Callback):
    def after_pred(self):
        self._sharpen()

    def _sharpen(self):
        self.learn.pred = self.pred * 3


class Averages(Callback):
    def before_validate(self):
        self.learn.model = self.learn.model.eval()


@pytest.fixture
def by_value() -> Iterator[None]:
    """Let cloudpickle write this module's classes whole, as it does a notebook's."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def export_of(folder: Path, learner=Learner, loaders=DataLoaders, **changed) -> Path:
    path = make_export(folder, CategoryBlock, CrossEntropyLossFlat(), parity, **changed)
    learn = fastai_load_learner(path)
    learn.__class__, learn.dls.__class__, learn.path = learner, loaders, folder
    learn.export(path.name)
    return path


SAME = {
    "nothing": {"learner": Plain},
    "nothing, twice": {"learner": OfPlain},
    "how it trains": {"learner": Trains},
    "how a loader shows": {"dl_type": Loader},
    "what loaders count": {"loaders": Loaders},
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("changed", SAME.values(), ids=SAME)
def test_what_changes_nothing_of_predicting_opens(tmp_path: Path, changed) -> None:
    path = export_of(tmp_path, **changed)
    assert any(n.endswith("._make_skeleton_class") for n in read_export_file(path).references)
    agrees_with_load_learner(path)


OTHER = {
    "predict": ({"learner": Predicts}, r"changes how it predicts \(predict\).*__class__ = Learner"),
    "the model": ({"learner": HasAModel}, r"changes how it predicts \(model\)"),
    "every attribute": ({"learner": Gets}, r"\(__getattribute__\)"),
    "one batch": ({"learner": OneBatch}, r"\(_do_one_batch\)"),
    "a loader's order": ({"dl_type": Sampling}, r"makes its batches by code .*Sampling"),
    "how a loader is made": ({"dl_type": Made}, r"makes its batches by code .*Made"),
    "the test's loader": ({"loaders": Tests}, r"makes its batches by code .*test_dl"),
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize(("changed", "told"), OTHER.values(), ids=OTHER)
def test_what_may_change_an_answer_is_named(tmp_path: Path, changed, told: str) -> None:
    path = export_of(tmp_path, **changed)
    with pytest.raises(UnusableModel, match=told):
        load_learner(path)


def test_of_a_class_that_is_not_in_the_file_nothing_is_guessed(tmp_path: Path) -> None:
    path = export_of(tmp_path, Plain)
    with pytest.raises(UnusableModel, match=r"Plain, which is not in the file, .*__class__ = Lea"):
        load_learner(path)
    learn = load_learner(path, trust=True)
    learn.__class__, learn.path = Learner, tmp_path  # as the refusal says
    learn.export(path.name)
    agrees_with_load_learner(path)


PARTS = {
    "classes": (
        {"block": lambda: TransformBlock(type_tfms=Titled())},
        r"makes classes of labels by a transform of its author's own, .*Titled\. ",
    ),
    "how photos are opened": (
        {"images": lambda: ImageBlock(cls=Turned)},
        r"opens photos by code that is not fastai's own: Turned\.create\. .*if that gives the same",
    ),
    "pictures": (
        {"images": lambda: ImageBlock(cls=Warm)},
        r"pictures of a kind that is not read, .*Warm: PILImage and PILImageBW are",
    ),
    "masks": (
        {"images": lambda: ImageBlock(cls=PILMask)},
        r"pictures of a kind that is not read, fastai\.vision\.core\.PILMask: PILImage",
    ),
}


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize(("parts", "told"), PARTS.values(), ids=PARTS)
def test_a_part_of_the_author_s_is_named(tmp_path: Path, parts, told: str) -> None:
    block = parts.get("block", CategoryBlock)()
    images = {"images": parts["images"]()} if "images" in parts else {}
    path = make_export(tmp_path, block, CrossEntropyLossFlat(), parity, **images)
    with pytest.raises(UnusableModel, match=told):
        load_learner(path)
    load_learner(path, trust=True)


def test_a_method_put_into_the_learner_is_named(tmp_path: Path) -> None:
    path = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity)
    learn = fastai_load_learner(path)
    learn.path, learn.predict = tmp_path, partial(sorted)
    learn.export(path.name)
    with pytest.raises(UnusableModel, match=r"the learner's predict\. .*del learn\.predict "):
        load_learner(path)
    learn = load_learner(path, trust=True)
    del learn.predict  # as the refusal says
    learn.path = tmp_path
    learn.export(path.name)
    agrees_with_load_learner(path)


def export_with(folder: Path, callback: Callback) -> Path:
    path = make_export(folder, CategoryBlock, CrossEntropyLossFlat(), parity)
    learn = fastai_load_learner(path)
    learn.add_cb(callback)
    learn.path = folder
    learn.export(path.name)
    return path


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("callback", [Counts, Sees, Mixes, MixesInTraining])
def test_a_callback_that_changes_no_answer_is_told_as_not_used(tmp_path: Path, callback) -> None:
    path = export_with(tmp_path, callback())
    assert any(callback.__name__ in told for told in read_export_file(path).learner.dropped)
    agrees_with_load_learner(path)


@pytest.mark.usefixtures("by_value")
def test_what_python_2_called_its_own_modules_is_no_package_to_install(tmp_path: Path) -> None:
    path = export_with(tmp_path, Collects())
    told = read_export_file(path)
    assert {"_abcoll.Callable", "Queue.Queue", "ConfigParser.ConfigParser"} < set(told.references)
    assert not any("Callable" in name for name in told.unknown_references)
    assert load_learner(path, trust=True).collects.kinds == Collects.kinds


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize(
    ("callback", "when"),
    [(Dims, "before_batch"), (Sharpens, "after_pred"), (Averages, "before_validate")],
)
def test_a_callback_that_may_change_an_answer_is_named(tmp_path: Path, callback, when) -> None:
    path = export_with(tmp_path, callback())
    told = rf"{callback.__name__}, that may .* \({when}\).*remove_cb\({callback.__name__}\)"
    with pytest.raises(UnusableModel, match=told):
        load_learner(path)
    learn = load_learner(path, trust=True)
    learn.remove_cb(callback)  # as the refusal says
    learn.path = tmp_path
    learn.export(path.name)
    agrees_with_load_learner(path)


# What fastai's classes have for training and showing alone
TRAINING = {
    *("_backward", "_bn_bias_state", "_do_epoch", "_do_epoch_train", "_do_fit", "_do_grad_opt"),
    *("_step", "create_opt", "export", "fine_tune", "fit", "fit_flat_cos", "fit_one_cycle"),
    *("fit_sgdr", "freeze", "freeze_to", "load", "lr_find", "save", "show_results", "summary"),
    *("show_training_loop", "to_bf16", "to_channelslast", "to_fp16", "to_non_native_fp16", "tta"),
    *("unfreeze", "validate", "_pre_show_batch", "show_batch", "_add_tfms", "_docs", "add_tfms"),
    *("from_dblock", "from_dsets", "from_dsets", "show"),
}


def test_all_that_fastai_predicts_with_is_known(tmp_path: Path) -> None:
    """A release of fastai that has more is to be looked at, name by name."""
    path = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity)
    learn = fastai_load_learner(path)
    with learn.no_bar():
        learn.predict(tmp_path / "0.png")
    parts = {LEARNER: learn, LOADER: learn.dls.loaders[1], LOADERS: learn.dls}
    for base, made in parts.items():
        cls = {LEARNER: Learner, LOADER: TfmdDL, LOADERS: DataLoaders}[base]
        has = {*dir(cls), *vars(made)} - set(dir(object)) - NOTES
        has = {name for name in has if not name.startswith("__")}
        assert has <= PREDICTING[base] | TRAINING, (base, has - PREDICTING[base] - TRAINING)
