"""Between what a layer's numbers lie, so that probabilities can be told from scores.

In come the name of a function and the range of what it is given; out goes the range of what it
gives, or None where that can't be told.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`.

    `logs` if they are the logarithms of probabilities; `loose` if they may not come as far as the
    ends, so that what is not known to be probabilities may be some.
    """

    low: float = -inf
    high: float = inf
    logs: bool = False
    loose: bool = False

    @property
    def probabilities(self) -> bool:
        """Whether all are from 0 to 1."""
        return self.low >= 0 and self.high <= 1

    @property
    def scores(self) -> bool:
        """Whether they may be any number, as those of a linear layer."""
        return self.low == -inf and self.high == inf


ANY = Range()


def after(name: str, given: Range | None, *arguments: float) -> Range | None:
    """Return the range of a function's numbers; None for one that is not known."""
    if name in ALWAYS:
        return ALWAYS[name]
    if given is None:
        return None
    if name == "clamp":
        low, high = arguments
        low, high = min(max(given.low, low), high), max(min(given.high, high), low)
        return Range(low, high, given.logs and (low, high) == (-inf, 0), given.loose)
    if name in GROWING:
        low, high = (GROWING[name](number) for number in (given.low, given.high))
        return Range(low, high, name == "log" and given.probabilities, given.loose)
    if name in BENT:
        return Range(0 if given.low >= 0 else BENT[name], max(given.high, 0), loose=given.loose)
    return None


def scaled(given: Range | None, by: float, plus: float) -> Range | None:
    """Return the range of numbers times `by`, and `plus` more."""
    if given is None or not math.isfinite(by) or not math.isfinite(plus):
        return None
    if (by, plus) == (1, 0):
        return given
    low, high = sorted(end * by + plus if by else plus for end in (given.low, given.high))
    return Range(low, high, loose=given.loose)


def together(one: Range | None, two: Range | None, product: bool) -> Range | None:
    """Return the range of the sums or products of numbers that each are from one of two."""
    if ANY in (one, two):
        return ANY  # a shortcut round a layer, or a gate
    if one is None or two is None or not (one.low >= 0 <= two.low):
        return None
    if product:
        return Range(one.low * two.low, one.high * two.high, loose=True)
    return Range(one.low + two.low, one.high + two.high, loose=True)


def either(*given: Range | None) -> Range | None:
    """Return the range of numbers some of which are from one, some from another."""
    known = [each for each in given if each is not None]
    if not known or len(known) < len(given):
        return None
    return Range(
        min(each.low for each in known),
        max(each.high for each in known),
        all(each.logs for each in known),
        any(each.loose for each in known),
    )


def _sigmoid(number: float) -> float:
    return 0.0 if number < -700 else 1 / (1 + math.exp(-number))


def _exp(number: float) -> float:
    return inf if number > 700 else math.exp(number)


def _softplus(number: float) -> float:
    return number if number > 700 else math.log1p(math.exp(number))


ALWAYS = {"softmax": Range(0, 1), "log_softmax": Range(-inf, 0, logs=True)}
ALWAYS["log_sigmoid"] = ALWAYS["log_softmax"]
# Functions that give more for more
GROWING: dict[str, Callable[[float], float]] = {
    "sigmoid": _sigmoid,
    "hardsigmoid": lambda number: min(max(number / 6 + 0.5, 0), 1),
    "tanh": math.tanh,
    "relu": lambda number: max(number, 0),
    "leaky_relu": lambda number: max(number, number / 100),
    "softplus": _softplus,
    "exp": _exp,
    "log": lambda number: math.log(number) if number > 0 else -inf,
    "sqrt": lambda number: math.sqrt(max(number, 0)),
}
# Those that come to nothing, or little below it, for less than nothing: what they give at least
BENT = {"silu": -0.28, "gelu": -0.17, "mish": -0.31, "hardswish": -0.375, "elu": -2.0}
