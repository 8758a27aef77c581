"""A loss without an activation: what the network ends in decides, here as in the compiled file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw, encode

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("cloudpickle")

from fastai.vision.core import PILImage  # noqa: E402
from torch import nn  # noqa: E402

from tests.learner import many  # noqa: E402
from voilearn.describe import describe  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.learner.load import load_classify  # noqa: E402
from voilearn.model import load_classify as load_any  # noqa: E402

pytestmark = pytest.mark.model

PHOTO = draw((48, 48))  # as large as it is resized to, so that no rounding is in the way
ROW = many.Row(
    "nothing", "CrossEntropyLoss", "three", "flat", "cropped", "nothing", "nothing", "colour"
)
SIGMOIDS = "several, in an order of their own"


def exported(folder: Path, model: Any = None, **changed: str) -> tuple[Path, Any]:
    """Export a learner that differs from ROW; return the file, and what its own predict says."""
    row = replace(ROW, **changed)
    many.draw_photos(folder)
    learn = many.make(row, folder)
    learn.model = model or learn.model
    file = many.export(row, learn, folder)
    with learn.no_bar():
        said = learn.get_preds(dl=learn.dls.test_dl([PILImage.create(PHOTO)], num_workers=0))
    return file, said[0][0]


def numbers_of(classify: Any) -> list[float]:
    prediction = classify(encode(PHOTO, "PNG"))
    return [prediction.probabilities[name] for name in prediction.model.classes]


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("changed", "made"),
    [
        ({"head": "y_range of 0 to 1", "loss": "BCELoss", "labels": SIGMOIDS}, torch.clone),
        ({"head": "softmax, flatten", "loss": "CrossEntropyLoss"}, torch.clone),
        ({"head": "log softmax", "loss": "NLLLoss"}, torch.exp),
        ({"head": "softmax", "loss": "CrossEntropyLossFlat"}, torch.clone),
        ({"loss": "CrossEntropyLoss"}, lambda said: said.softmax(0)),
        ({"loss": "F.cross_entropy in part"}, lambda said: said.softmax(0)),
        ({"loss": "BCEWithLogitsLoss", "labels": SIGMOIDS}, torch.sigmoid),
        ({"loss": "an author's class", "labels": SIGMOIDS}, torch.sigmoid),
        ({"loss": "none"}, lambda said: said.softmax(0)),
    ],
)
def test_probabilities_are_made_once(
    tmp_path: Path, changed: dict[str, str], made: Any, trust: bool
) -> None:
    file, said = exported(tmp_path, **changed)
    assert numbers_of(load_classify(file, trust)) == pytest.approx(made(said).tolist(), abs=1e-6)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"loss": "MSELoss"}, "MSELoss"),
        ({"loss": "BCELossFlat", "labels": SIGMOIDS}, "BCELoss"),
        ({"head": "tanh", "loss": "an author's function"}, "ends in Tanh"),
        ({"head": "y_range of -1 to 2", "loss": "MSELossFlat"}, "ends in SigmoidRange"),
    ],
)
def test_what_can_t_be_told_is_refused_by_name(
    tmp_path: Path, changed: dict[str, str], named: str, trust: bool
) -> None:
    file, _ = exported(tmp_path, **changed)
    with pytest.raises(UnusableModel, match=named) as refused:
        load_classify(file, trust)
    assert "not known to be probabilities" in str(refused.value)


def test_an_author_s_activation_is_used_by_whoever_trusts_it(tmp_path: Path) -> None:
    file, said = exported(tmp_path, loss="an author's activation")
    assert numbers_of(load_classify(file, trust=True)) == pytest.approx(said.tolist(), abs=1e-6)


@pytest.mark.parametrize(("outputs", "said"), [(1, "one number"), (10, "10 numbers")])
def test_a_network_of_another_number_of_outputs_is_told(
    tmp_path: Path, outputs: int, said: str
) -> None:
    net = many.flat(3, lambda features: nn.Sequential(nn.Linear(features, outputs), nn.Sigmoid()))
    file, _ = exported(tmp_path, net, loss="BCELoss")
    told = f"gives {said} for its 3 classes"
    assert told in str(read_export_file(file).hindrance)
    with pytest.raises(UnusableModel, match=told):
        load_classify(file)


@pytest.mark.parametrize(
    ("changed", "activation", "assumed", "told"),
    [
        ({}, "softmax", True, "by softmax, assumed: the loss torch.nn.modules.loss.CrossEntropy"),
        ({"loss": "CrossEntropyLossFlat"}, "softmax", False, "by softmax\n"),
        (
            {"head": "softmax", "loss": "CrossEntropyLossFlat"},
            *(
                "softmax",
                False,
                "by softmax, as learn.predict does, after the network's own Softmax",
            ),
        ),
        ({"head": "sigmoid"}, "none", False, "the network's own: it ends in Sigmoid"),
        ({"head": "log softmax"}, "exp", False, "by exp: it ends in LogSoftmax"),
        (
            {"head": "sigmoid", "loss": "an author's class"},
            *(
                "none",
                True,
                "own: it ends in Sigmoid, assumed: the loss tests.learner.many.Authors",
            ),
        ),
        ({"head": "a sigmoid behind a skip"}, None, False, "as a run shows, for the loss torch"),
        ({"loss": "MSELoss"}, None, False, "not known"),
    ],
)
def test_inspect_tells_what_makes_probabilities(
    tmp_path: Path, changed: dict[str, str], activation: str | None, assumed: bool, told: str
) -> None:
    export = read_export_file(exported(tmp_path, **changed)[0])
    found = export.to_dict()
    assert (found["activation"], found["activation_assumed"]) == (activation, assumed)
    assert told in " ".join(describe(export).split()).replace(" size by part", "\n")


@pytest.mark.parametrize(
    ("changed", "made"),
    [
        ({"head": "y_range of 0 to 1", "loss": "BCELoss", "labels": SIGMOIDS}, torch.clone),
        ({"head": "log softmax", "loss": "NLLLoss", "net": "plain"}, torch.exp),
        ({"head": "softmax", "loss": "FocalLossFlat"}, torch.clone),
        ({"loss": "FocalLoss", "batches": "normalized"}, lambda said: said.softmax(0)),
    ],
)
def test_the_compiled_file_makes_them_once_too(
    tmp_path: Path, changed: dict[str, str], made: Any
) -> None:
    from voilearn.compiled.compile import compile_learner

    file, said = exported(tmp_path, **changed)
    compile_learner(file, tmp_path)
    numbers = numbers_of(load_any(tmp_path / "export.onnx"))
    assert numbers == pytest.approx(made(said).tolist(), abs=1e-5)
