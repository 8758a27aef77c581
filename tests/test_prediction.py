"""The Prediction and its JSON, which people build on."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from voilearn.errors import UnusableModel
from voilearn.prediction import ModelInfo, Task, predict_from, prediction_from

BEARS = ("black", "grizzly", "teddy")


def model(task: Task = "single-label") -> ModelInfo:
    return ModelInfo(name="export", sha256="ab" * 32, task=task, classes=BEARS)


def test_prediction_json_is_the_contract() -> None:
    prediction = predict_from([0.0262, 0.9731, 0.0007], model())
    assert json.loads(json.dumps(prediction.to_dict())) == {
        "label": "grizzly",
        "probability": 0.9731,
        "probabilities": {"grizzly": 0.9731, "black": 0.0262, "teddy": 0.0007},
        "labels": ["grizzly"],
        "in_scope": None,
        "model": {
            "name": "export",
            "sha256": "ab" * 32,
            "task": "single-label",
            "classes": ["black", "grizzly", "teddy"],
        },
    }


def test_what_gave_an_answer_is_told_and_arrives() -> None:
    learner = replace(predict_from([0.1, 0.2, 0.7], model()), runtime="fastai 2.8.12")
    compiled = replace(learner, runtime="onnxruntime 1.32.0", agreement=0.0007)
    assert learner.to_dict()["agreement"] is None
    for prediction in (learner, compiled):
        assert prediction_from(json.loads(json.dumps(prediction.to_dict()))) == prediction
    for wrong in ({"runtime": 7}, {"agreement": "near"}, {"agreement": math.nan}):
        with pytest.raises(ValueError, match=r"Prediction|could not convert"):
            prediction_from({**compiled.to_dict(), **wrong})


def test_probabilities_are_sorted_highest_first() -> None:
    assert list(predict_from([0.2, 0.3, 0.5], model()).to_dict()["probabilities"]) == [
        "teddy",
        "grizzly",
        "black",
    ]


def test_multi_label_holds_every_class_at_or_above_its_threshold() -> None:
    prediction = predict_from([0.5, 0.9, 0.4], model("multi-label"))
    assert (prediction.label, prediction.labels) == ("grizzly", ("grizzly", "black"))
    prediction = predict_from([0.5, 0.9, 0.4], model("multi-label"), [0.6, 0.95, 0.4])
    assert (prediction.label, prediction.labels) == ("teddy", ("teddy",))
    assert prediction.probability == 0.4


def test_multi_label_with_nothing_above_has_no_label() -> None:
    told = predict_from([0.1, 0.2, 0.3], model("multi-label")).to_dict()
    assert (told["label"], told["labels"], told["probability"]) == (None, [], 0.3)


@pytest.mark.parametrize("numbers", [[0.5, 0.5], [0.1, float("nan"), 0.2], [3.0, -1.0, 0.0]])
def test_numbers_that_are_no_probabilities_are_the_models_fault(numbers: list[float]) -> None:
    with pytest.raises(UnusableModel, match="xport the learner again"):
        predict_from(numbers, model())


def test_a_prediction_comes_back_from_json_as_it_went() -> None:
    for prediction in (
        predict_from([0.0262, 0.9731, 0.0007], model()),
        predict_from([0.5, 0.9, 0.4], model("multi-label")),
        predict_from([0.1, 0.2, 0.3], model("multi-label")),
    ):
        back = prediction_from(json.loads(json.dumps(prediction.to_dict())))
        assert back == prediction
        assert back.probability == prediction.probability
        assert list(back.probabilities) == list(prediction.probabilities)


WRONG: dict[str, Any] = {
    "probabilities": [None, [], {}, {"black": 1}, {"black": "much", "grizzly": 0, "teddy": 0}],
    "labels": [None, "grizzly", [["grizzly"]], ["panda"], [5], []],
    "label": ["panda", 5, ["grizzly"], None],
    "in_scope": ["yes", 1],
    "model": [None, {}, []],
}
WRONG_MODEL: dict[str, Any] = {
    "name": [None, 5, ["export"]],
    "sha256": [None],
    "task": ["regression", None, ["single-label"]],
    "classes": [None, "black", [], [["black"]], ["black", "grizzly"]],
}


def test_what_is_no_prediction_is_refused() -> None:
    told = predict_from([0.0262, 0.9731, 0.0007], model()).to_dict()
    wrong: list[Any] = [None, 5, "text", [], [told], {}]
    wrong += [{**told, key: value} for key in WRONG for value in WRONG[key]]
    wrong += [
        {**told, "model": {**told["model"], key: value}}
        for key in WRONG_MODEL
        for value in WRONG_MODEL[key]
    ]
    wrong += [{k: v for k, v in told.items() if k != key} for key in WRONG]
    numbers = told["probabilities"]
    wrong += [{**told, "probabilities": {**numbers, "teddy": n}} for n in (10**400, float("nan"))]
    for each in wrong:
        with pytest.raises(ValueError):
            print(prediction_from(each), each)
    assert len(wrong) == 45
