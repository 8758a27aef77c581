"""A temperature makes probabilities come true as often as they say, and few photos change few."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy, which comes with fastai, is not installed")

from voilearn.evaluate.measure import reliability
from voilearn.evaluate.temperature import (
    LEAST,
    SPOILT,
    activated,
    activation_of,
    find_temperature,
    fitted,
)


def drawn(temperature: float, photos: int, activation: Any) -> tuple[Any, Any]:
    """Logits of which what is in the photos is drawn at a temperature."""
    chance = np.random.default_rng(1)
    logits = chance.normal(scale=3, size=(photos, 4))
    shares = activated(logits / temperature, activation)
    if activation == "sigmoid":
        return logits, chance.random(shares.shape) < shares
    rows = [chance.choice(4, p=row) for row in shares]
    return logits, np.eye(4, dtype=bool)[rows]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_is_found(temperature: float, activation: Any) -> None:
    logits, truth = drawn(temperature, 4000, activation)
    assert fitted(logits, truth, activation) == pytest.approx(temperature, rel=0.1)
    if activation == "softmax":
        cooled = activated(logits / temperature, activation)
        right = truth[np.arange(len(truth)), cooled.argmax(1)]
        assert reliability(cooled.max(1), right).error < 0.03


def test_photos_without_a_mistake_do_not_make_it_sure_of_everything() -> None:
    logits = np.eye(3)[np.arange(60) % 3] * 2.0
    found = find_temperature(logits, logits, logits > 0, "softmax")
    assert found.value is not None
    assert LEAST < found.value < 1


def test_copies_that_are_too_hard_do_not_spoil_what_is_said_of_the_photos() -> None:
    logits, truth = drawn(1.0, 400, "softmax")
    easy = find_temperature(logits, logits * 0.95, truth, "softmax")
    assert easy.why == "fitted on harder copies of 400 photos"
    told = set()
    for share in (0.0, 0.1, 0.3, 1.0):
        hopeless = np.random.default_rng(2).normal(scale=4, size=logits.shape)
        harder = np.where(np.arange(400)[:, None] < 400 * share, hopeless, logits)
        found = find_temperature(logits, harder, truth, "softmax")
        told.add(found.why.partition(" ")[0])
        cooled = activated(logits / (found.value or 1), "softmax")
        right = truth[np.arange(len(truth)), cooled.argmax(1)]
        before = activated(logits, "softmax")
        most = reliability(before.max(1), right).error + SPOILT
        assert reliability(cooled.max(1), right).error <= most
    assert told == {"fitted", "what"}


def test_too_few_photos_and_unknown_numbers_leave_probabilities_as_they_are() -> None:
    logits, truth = drawn(2.0, 49, "softmax")
    assert find_temperature(logits, logits, truth, "softmax").value is None
    assert "49 photos are too few" in find_temperature(logits, logits, truth, "softmax").why
    assert "no logits" in find_temperature(logits, logits, truth, None).why


def test_what_makes_the_probabilities_is_seen_of_the_numbers() -> None:
    logits, _ = drawn(1.0, 20, "softmax")
    for activation in ("softmax", "sigmoid"):
        assert activation_of(activated(logits, activation), logits) == activation
    assert activation_of(activated(logits / 2, "softmax"), logits) is None
