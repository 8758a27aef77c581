"""Exports of real old releases open, and answer as their own release did; see tests/exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exports.pictures import fixed_pictures
from voilearn.errors import UnusableModel

torch = pytest.importorskip("torch")

from fastai.losses import CrossEntropyLossFlat  # noqa: E402

from voilearn.learner import load_classify, load_learner, picture_kind  # noqa: E402

pytestmark = pytest.mark.model
EXPORTS = Path(__file__).parent / "exports"
AGREES = 1e-4


def facts(expect: str) -> list[Any]:
    """The recorded exports of image classifiers that are to open, or to be refused."""
    told = [(path, json.loads(path.read_text())) for path in sorted(EXPORTS.glob("*.json"))]
    return [
        pytest.param(path.with_suffix(".pkl"), fact, id=path.stem)
        for path, fact in told
        if fact["expect"] == expect and fact["kind"] == "image classifier"
    ]


@pytest.mark.parametrize(("export", "recorded"), facts("opens"))
def test_an_export_answers_as_its_own_release_did(export: Path, recorded: dict[str, Any]) -> None:
    learn = load_learner(export)
    assert [str(name) for name in learn.dls.vocab] == [str(name) for name in recorded["vocab"]]
    kind = picture_kind(learn, export)
    for name, picture in fixed_pictures().items():
        item = kind.create(picture.convert(kind._open_args["mode"]))
        with learn.no_bar():
            label, _, probabilities = learn.predict(item)
        expected = recorded["pictures"][name]["probabilities"]
        if recorded.get("raw_scores"):  # of a loss that is not fastai's: predict gives no more
            expected = torch.tensor(expected).softmax(0).tolist()
        else:
            assert str(label) == str(recorded["pictures"][name]["label"])
        assert probabilities.tolist() == pytest.approx(expected, abs=AGREES)


@pytest.mark.parametrize(("export", "recorded"), facts("refused"))
def test_an_author_s_own_part_is_refused_by_name(export: Path, recorded: dict[str, Any]) -> None:
    with pytest.raises(UnusableModel) as error:
        load_learner(export)
    assert recorded["names"]
    assert all(name in str(error.value) for name in recorded["names"])
    assert "--trust" in str(error.value)


def test_every_release_and_kind_of_export_is_there() -> None:
    """The issue's list: a file that is gone would make these tests pass without it."""
    told = [json.loads(path.read_text()) for path in EXPORTS.glob("*.json")]
    releases = {fact["made_by"]["fastai"] for fact in told}
    assert {"2.3.1", "2.5.6", "2.7.13", "2.7.19", "2.8.12"} <= releases
    assert {release.rsplit(".", 1)[0] for release in releases} >= {"2.0", "2.1", "2.2"}
    assert len(told) >= 70


def test_the_exports_are_small_enough_for_git() -> None:
    sizes = [path.stat().st_size for path in EXPORTS.rglob("*.pkl")]
    assert sum(sizes) < 20_000_000
    assert max(sizes) < 1_500_000


def test_a_rebuilt_learner_keeps_nothing_of_the_training() -> None:
    learn = load_learner(EXPORTS / "2.8.12-mixup_fp16.pkl")
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)
    assert len(learn.dls.train_ds) == 0
    names = {type(callback).__name__ for callback in learn.cbs}
    assert not names & {"MixUp", "MixedPrecision", "SaveModelCallback"}


def test_per_class_thresholds_decide_the_labels() -> None:
    from tests.conftest import draw, encode

    classify = load_classify(EXPORTS / "2.7.19-multi_label.pkl")
    prediction = classify(encode(draw(), "PNG"))
    above = [name for name, p in prediction.probabilities.items() if p >= 0.3]
    assert list(prediction.labels) == above
