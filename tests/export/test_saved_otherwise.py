"""What was saved by another call than learn.export() is told by what it is."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import cloudpickle  # noqa: E402
import numpy as np  # noqa: E402
from fastai.data.all import CategoryBlock  # noqa: E402
from fastai.losses import CrossEntropyLossFlat  # noqa: E402

from tests.learner.test_load import make_export, parity  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export import pickle_machine  # noqa: E402
from voilearn.export.file import read_brought, read_export_file  # noqa: E402

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def learn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from fastai.learner import load_learner

    folder = tmp_path_factory.mktemp("learner")
    return load_learner(make_export(folder, CategoryBlock, CrossEntropyLossFlat(), parity))


def torch_save(value: Any, path: Path, **how: Any) -> None:
    torch.save(value, path, pickle_module=cloudpickle, **how)


def by_cloudpickle(value: Any, path: Path) -> None:
    path.write_bytes(cloudpickle.dumps(value))


def by_pickle(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def by_joblib(value: Any, path: Path, **how: Any) -> None:
    """A learner with an array in it: joblib writes its numbers into the midst of the pickle."""
    pytest.importorskip("joblib").dump([value, np.arange(1000.0)], path, **how)


SAVED: dict[str, tuple[Callable[[Any], Any], Callable[..., None], str]] = {
    "cloudpickle": (lambda learn: learn, by_cloudpickle, "learner that pickle, cloudpickle, dill"),
    "the loaders": (lambda learn: learn.dls, torch_save, r"data loaders \(dls\) alone"),
    "the loaders by cloudpickle": (lambda learn: learn.dls, by_cloudpickle, r"\(dls\) alone"),
    "a loader": (lambda learn: learn.dls.valid, torch_save, "a data loader alone"),
    "the data sets": (lambda learn: learn.dls.train_ds, torch_save, "data sets alone"),
    "the vocab": (lambda learn: learn.dls.vocab, by_pickle, "vocab alone"),
    "an optimizer": (
        lambda learn: torch.optim.SGD(learn.model.parameters(), 0.1), torch_save, "optimizer alone"
    ),
    "the network": (lambda learn: learn.model, torch_save, "whole network"),
    "the network by pickle": (lambda learn: learn.model, by_pickle, "whole network"),
    "weights": (lambda learn: learn.model.state_dict(), torch_save, r"learn\.load\(\) these"),
    "weights by pickle": (lambda learn: learn.model.state_dict(), by_pickle, "weights alone"),
    "weights in a dict": (
        lambda learn: dict(learn.model.state_dict()), torch_save, r"learn\.load\(\) these weights,"
    ),
    "a tensor": (lambda learn: torch.ones(2), torch_save, "weights alone"),
    "what learn.save writes": (
        lambda learn: {"model": learn.model.state_dict(), "opt": {}}, torch_save, r"learn\.load\(\)"
    ),
    "a checkpoint": (
        lambda learn: {"epoch": 1, "model_state_dict": learn.model.state_dict()}, torch_save,
        r"is a checkpoint: .*load_state_dict\(torch\.load\(…\)\['model_state_dict'\]\)",
    ),
    "a checkpoint of Lightning": (
        lambda learn: {"pytorch-lightning_version": "2", "state_dict": {}}, torch_save,
        r"checkpoint of Lightning: .*\['state_dict'\]",
    ),
    "a dict with a network": (
        lambda learn: {"net": learn.model, "vocab": ["a"]}, torch_save, "network in it, 'net'"
    ),
    "a dict with a learner": (
        lambda learn: {"best": learn}, torch_save, "dict with a learner in it, 'best'"
    ),
    "a list": (lambda learn: [learn.model], torch_save, r"is a pickle \(list\)"),
    "joblib": (lambda learn: learn.model, by_joblib, r"joblib\.dump.*joblib\.load"),
}  # fmt: skip


@pytest.mark.parametrize(("part", "save", "told"), SAVED.values(), ids=SAVED)
def test_what_was_saved_is_told_with_what_to_run_instead(
    learn: Any, tmp_path: Path, part: Any, save: Any, told: str
) -> None:
    path = tmp_path / "export.pkl"
    save(part(learn), path)
    with pytest.raises(UnusableModel, match=told) as error:
        read_export_file(path)
    assert "learn.export()" in str(error.value)
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize("compress", [3, ("zlib", 9), ("lzma", 3)])
def test_what_joblib_compressed_is_told(learn: Any, tmp_path: Path, compress: Any) -> None:
    by_joblib(learn.model, tmp_path / "export.pkl", compress=compress)
    with pytest.raises(UnusableModel, match=r"compressed, as joblib.*joblib\.load"):
        read_export_file(tmp_path / "export.pkl")


def test_a_scikit_learn_model_is_told_however_it_was_saved(tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    joblib = pytest.importorskip("joblib")
    fitted = linear.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    path = tmp_path / "export.pkl"
    for save in (joblib.dump, by_pickle):
        save(fitted, path)
        with pytest.raises(UnusableModel, match="scikit-learn model"):
            read_export_file(path)


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_a_learner_that_torch_saved_is_an_export(learn: Any, tmp_path: Path, new: bool) -> None:
    path = tmp_path / "export.pkl"
    torch_save(learn, path, _use_new_zipfile_serialization=new)
    assert read_export_file(path).hindrance is None


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_STEPS"])
def test_a_learner_that_is_more_than_is_read_is_not_called_damaged(
    learn: Any, tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pickled, its weights are text; with its data, a path is many steps."""
    monkeypatch.setattr(pickle_machine, limit, 2000)
    path = tmp_path / "export.pkl"
    by_cloudpickle(learn, path)
    with pytest.raises(UnusableModel, match="learner that pickle, cloudpickle"):
        read_export_file(path)
    by_pickle(learn.model, path)
    with pytest.raises(UnusableModel, match=r"whole network|more than 2,000 steps"):
        read_export_file(path)
    torch_save(learn, path)
    with pytest.raises(UnusableModel, match=r"holds more than .* holds no data: export it again"):
        read_export_file(path)
    assert read_brought(path).references == ()  # with --trust it may still open


def test_a_learner_that_was_read_whole_is_not_called_damaged(learn: Any, tmp_path: Path) -> None:
    from fastai.vision.augment import Resize

    changed = Resize(5000)
    path = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity, item_tfms=[changed])
    with pytest.raises(UnusableModel, match=r"can't be opened: .* side is not .* --trust"):
        read_export_file(path)


UNREAD = {
    "complex numbers": (torch.ones(1, dtype=torch.complex64), r"a tensor is of .*ComplexFloatSto"),
    "a dict whose keys are sets": ({frozenset({1}): 2}, "a dict (with a key of a kind|or set)"),
    "a number of thousands of digits": (10**5000, "a number of absurd length"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(("kept", "told"), UNREAD.values(), ids=UNREAD)
def test_what_is_not_read_is_named_and_trust_goes_on(
    tmp_path: Path, kept: Any, told: str, protocol: int
) -> None:
    from fastai.learner import load_learner as fastai_load_learner

    from voilearn.learner.load import load_learner

    path = make_export(tmp_path, CategoryBlock, CrossEntropyLossFlat(), parity)
    learn = fastai_load_learner(path)
    learn.model[1].kept = kept
    learn.path = tmp_path
    learn.export(path.name, pickle_protocol=protocol)
    with pytest.raises(UnusableModel, match=f"can't be opened: .*{told}.* --trust"):
        load_learner(path)
    assert load_learner(path, trust=True).dls.vocab
