"""Learners of many shapes each answer as their own `learn.predict`, or are refused truly, as told.

Out of tables of ingredients come 200 rows, of which each brings pairs that were not seen before.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw, encode

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("cloudpickle")

from fastai.vision.core import PILImage, PILImageBW  # noqa: E402
from PIL import Image  # noqa: E402

from tests.learner import many  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402
from voilearn.export.file import read_export_file  # noqa: E402
from voilearn.learner.load import load_classify  # noqa: E402
from voilearn.model import load_classify as open_any  # noqa: E402

pytestmark = pytest.mark.model

COUNT = 200
ROWS = list(many.rows(COUNT))
# Without Resize, a network may run for a photo of one size alone, and is refused by its name.
COMPILED = [row for row in ROWS[::5] if row.items != "as they are"]
EXACT = draw((many.SIDE, many.SIDE))  # as large as most of them resize it to
PICTURES = (draw((64, 48)), Image.linear_gradient("L").resize((48, 80)).convert("RGB"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    many.draw_photos(folder)
    return folder


def said(learn: Any, row: many.Row, picture: Image.Image) -> Any:
    """Return the numbers that predict gives, also where it can't make labels of them."""
    kind = PILImage if row.pictures == "colour" else PILImageBW
    item = kind.create(picture.convert(kind._open_args["mode"]))
    with learn.no_bar():
        return learn.get_preds(dl=learn.dls.test_dl([item], num_workers=0))[0][0]


@pytest.mark.parametrize("row", ROWS, ids=map(str, range(COUNT)))
def test_a_learner_answers_as_its_own_predict(row: many.Row, folder: Path) -> None:
    learn = many.make(row, folder)
    file = many.export(row, learn, folder)
    answers = [many.expected(row, said(learn, row, picture)) for picture in PICTURES]
    wanted = [numbers for numbers in answers if numbers is not None]
    told = read_export_file(file)
    if not wanted:
        with pytest.raises(UnusableModel) as refused:
            load_classify(file)
        shown_by_a_run = told.learner.activation is None and not told.hindrance
        assert shown_by_a_run or str(refused.value) == told.hindrance, row
        return
    assert told.hindrance is None, row
    classify = load_classify(file)
    for picture, numbers in zip(PICTURES, wanted, strict=True):
        prediction = classify(encode(picture, "PNG"))
        found = [prediction.probabilities[name] for name in prediction.model.classes]
        assert found == pytest.approx(numbers.tolist(), abs=1e-5), row
        assert list(prediction.model.classes) == [str(name) for name in learn.dls.vocab]


@pytest.mark.slow
@pytest.mark.parametrize("row", COMPILED, ids=map(str, range(len(COMPILED))))
def test_its_compiled_file_answers_as_its_own_predict(
    row: many.Row, folder: Path, tmp_path: Path
) -> None:
    from voilearn.compiled.compile import compile_learner

    learn = many.make(row, folder)
    file = many.export(row, learn, folder)
    numbers = many.expected(row, said(learn, row, EXACT))
    if numbers is None:
        with pytest.raises(UnusableModel):
            compile_learner(file, tmp_path)
        return
    compile_learner(file, tmp_path)
    prediction = open_any(tmp_path / "export.onnx")(encode(EXACT, "PNG"))
    found = [prediction.probabilities[name] for name in prediction.model.classes]
    assert found == pytest.approx(numbers.tolist(), abs=0.02), row
