"""Between what a function's numbers lie follows from between what its own are."""

from math import e, inf

import pytest

from voilearn.export.ranges import ANY, Range, after, either, scaled, together

UNIT = Range(0, 1)


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        ("sigmoid", ANY, UNIT),
        ("hardsigmoid", ANY, UNIT),
        ("hardsigmoid", Range(-3, 0), Range(0, 0.5)),
        ("softmax", None, UNIT),
        ("log_softmax", None, Range(-inf, 0, logs=True)),
        ("tanh", ANY, Range(-1, 1)),
        ("relu", ANY, Range(0, inf)),
        ("relu", UNIT, UNIT),
        ("softplus", ANY, Range(0, inf)),
        ("exp", Range(-inf, 0, logs=True), UNIT),
        ("exp", UNIT, Range(1, e)),
        ("log", UNIT, Range(-inf, 0, logs=True)),
        ("leaky_relu", ANY, ANY),
        ("silu", ANY, Range(-0.28, inf)),
        ("gelu", UNIT, UNIT),
        ("sigmoid", None, None),
        ("somersault", ANY, None),
    ],
)
def test_a_function_s_range(name: str, given: Range | None, found: Range | None) -> None:
    assert after(name, given) == found


def test_what_is_clamped_scaled_or_joined() -> None:
    assert after("clamp", ANY, 0, 6) == Range(0, 6)
    assert after("clamp", UNIT, -inf, inf) == UNIT
    assert scaled(UNIT, 5.5, 0) == Range(0, 5.5)
    assert scaled(UNIT, -1, 1) == UNIT
    assert scaled(ANY, 0.5, 3) == ANY
    assert scaled(UNIT, inf, 0) is None
    assert either(UNIT, Range(-2, 0)) == Range(-2, 1)
    assert either(UNIT, None) is None


def test_a_sum_of_probabilities_may_be_any_up_to_their_number_and_may_not() -> None:
    """Half of two is certain; of 0.3 of one and 0.7 of the other, the ends can't be told."""
    both = together(UNIT, UNIT, product=False)
    assert both == Range(0, 2, loose=True)
    assert scaled(both, 0.5, 0) == Range(0, 1, loose=True)
    assert together(UNIT, UNIT, product=True) == Range(0, 1, loose=True)
    assert together(UNIT, ANY, product=False) == ANY
    assert together(UNIT, None, product=True) is None


@pytest.mark.parametrize(
    ("range_", "probabilities", "scores"),
    [(UNIT, True, False), (ANY, False, True), (Range(0, inf), False, False)],
)
def test_a_range_tells_probabilities_from_scores(
    range_: Range, probabilities: bool, scores: bool
) -> None:
    assert (range_.probabilities, range_.scores) == (probabilities, scores)
