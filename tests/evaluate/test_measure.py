"""Shares, intervals and calibration are those of the textbooks."""

import numpy as np
import pytest

from voilearn.evaluate.measure import Share, measure, reliability

CLASSES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # R's binom.confint(method = "wilson"), to four digits
        (95, 100, 0.8882, 0.9785),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 2, 0.0945, 0.9055),
    ],
)
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=1e-4)


def test_a_share_of_nothing_is_told_as_that() -> None:
    assert str(Share(0, 0)) == "none"
    assert Share(0, 0).to_dict()["share"] is None
    assert str(Share(3, 4)) == "75.0% (3 of 4; 30.1% to 95.4%)"


def test_numbers_that_come_true_as_often_as_they_say_are_not_off() -> None:
    sure = np.repeat([0.25, 0.75], 400)
    true = np.arange(800) % 4 < np.repeat([1, 3], 400)
    assert reliability(sure, true).error == pytest.approx(0)
    assert reliability(sure, np.ones(800, bool)).error == pytest.approx(0.5)
    assert reliability(np.array([1.0, 0.0]), np.array([True, False])).error == 0


def test_one_answer_a_photo() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    truth = np.eye(3, dtype=bool)[[0, 1, 1, 2]]
    found = measure(CLASSES, probabilities, truth, None)
    assert (found.accuracy.count, found.accuracy.of) == (3, 4)
    assert found.confusion is not None
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    told = [(each.label, each.found.count, each.found.of, each.right.of) for each in found.classes]
    assert told == [("a", 1, 1, 2), ("b", 1, 2, 1), ("c", 1, 1, 1)]
    assert found.of_truth.argmin() == 1
    assert found.to_dict()["confusion"] == found.confusion.tolist()


def test_many_labels_a_photo() -> None:
    probabilities = np.array([[0.9, 0.9, 0.1], [0.9, 0.4, 0.1], [0.1, 0.2, 0.3]])
    truth = np.array([[True, True, False], [True, True, False], [False, False, False]])
    found = measure(CLASSES, probabilities, truth, [0.5, 0.5, 0.2])
    assert found.right.tolist() == [True, False, False]
    assert found.confusion is None
    assert [(each.found.count, each.found.of) for each in found.classes] == [(2, 2), (1, 2), (0, 0)]
    assert found.of_truth.tolist() == pytest.approx([0.9, 0.4, 0.7])
