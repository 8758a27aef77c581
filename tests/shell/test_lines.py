"""A photo's answer in a line: in words, JSON and CSV, which a spreadsheet does not run."""

import csv
import json
from dataclasses import replace

from voilearn.errors import DamagedPhoto
from voilearn.prediction import ModelInfo, Prediction
from voilearn.shell.lines import as_csv, as_json, csv_heading, in_words

CLASSES = ("=1+1", 'a "b"; c', "ü")
MODEL = ModelInfo("export", "0" * 64, "multi-label", CLASSES)
ANSWER = Prediction("=1+1", {"=1+1": 0.75, 'a "b"; c': 0.5, "ü": 1e-7}, ("=1+1", 'a "b"; c'), MODEL)
NONE = Prediction(None, dict.fromkeys(CLASSES, 0.25), (), MODEL)
ERROR = DamagedPhoto("This picture, is damaged.")


def test_words_are_labels_and_shares() -> None:
    assert in_words("a.jpg", ANSWER) == (
        'a.jpg: =1+1, a "b"; c (=1+1 75.0%, a "b"; c 50.0%, ü 0.0%)'
    )
    assert in_words("a\n.jpg", NONE).startswith("a?.jpg: none (=1+1 25.0%")
    assert in_words("", ERROR) == "'': This picture, is damaged."


def test_a_label_of_blanks_alone_is_seen() -> None:
    model = ModelInfo("export", "0" * 64, "single-label", ("", "b"))
    line = in_words("a.jpg", Prediction("", {"": 0.75, "b": 0.25}, ("",), model))
    assert line == "a.jpg: '' ('' 75.0%, b 25.0%)"


def test_json_is_of_the_contract() -> None:
    assert json.loads(as_json("a\n", ANSWER)) == {"photo": "a\n", **ANSWER.to_dict()}
    error = {"type": "DamagedPhoto", "message": "This picture, is damaged."}
    assert json.loads(as_json("a", ERROR)) == {"photo": "a", "error": error}


def table(*rows: str) -> list[list[str]]:
    """What a reader of CSV makes of it."""
    return list(csv.reader("\n".join(rows).splitlines(keepends=True)))


def test_csv_has_a_column_for_each_class_and_a_row_for_each_photo() -> None:
    row = as_csv(CLASSES)
    found = table(csv_heading(CLASSES), row("a,\nb.jpg", ANSWER), row("n", NONE), row("x", ERROR))
    assert found == [
        ["photo", "label", "labels", "probability", "error", "'=1+1", 'a "b"; c', "ü", "in_scope"],
        ["a,\nb.jpg", "'=1+1", '\'=1+1; a "b"; c', "0.75", "", "0.75", "0.5", "1e-07", ""],
        ["n", "", "", "0.25", "", "0.25", "0.25", "0.25", ""],
        ["x", "", "", "", "This picture, is damaged.", "", "", "", ""],
    ]
    (strange,) = table(row("a", replace(ANSWER, in_scope=False)))
    assert strange[-1] == "false"


def test_a_photo_of_something_else_is_said_to_be_that() -> None:
    told = in_words("cup.jpg", replace(ANSWER, in_scope=False))
    assert told.startswith(
        "cup.jpg: This doesn't look like any of the things I know; the nearest is =1+1 ("
    )
    assert in_words("b.jpg", replace(ANSWER, in_scope=True)) == in_words("b.jpg", ANSWER)


def test_a_spreadsheet_runs_nothing_of_it() -> None:
    for name in ("=1+1", "+1", "-1", "@a", "\t=1", "\r=1"):
        ((photo, *_),) = table(as_csv(())(name, ERROR))
        assert photo == f"'{name}"


def test_a_model_that_was_changed_meanwhile_leaves_cells_empty() -> None:
    assert table(as_csv(("ü", "new"))("a", NONE))[0][-3:-1] == ["0.25", ""]
