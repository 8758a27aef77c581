"""A service that is full or gone for a moment is asked again, and one that stays gone is not."""

import itertools
from collections.abc import Iterator

import pytest

from tests.services import PREDICTION
from voilearn.errors import (
    DamagedPhoto,
    DeadlinePassed,
    ServiceBusy,
    ServiceUnreachable,
    TokenRefused,
    TooManyRequests,
    VoilearnError,
)
from voilearn.prediction import Prediction
from voilearn.shell import patience
from voilearn.shell.patience import Patient


class Clock:
    """A time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    return clock


def answering(outcomes: Iterator[VoilearnError | None]) -> Patient:
    def classify(photo: bytes) -> Prediction:
        if error := next(outcomes):
            raise error
        return PREDICTION

    return Patient(classify)


@pytest.mark.parametrize("kind", [ServiceBusy, TooManyRequests, DeadlinePassed])
def test_one_that_is_full_is_asked_when_it_says(kind: type[VoilearnError], clock: Clock) -> None:
    full = kind("Full.")
    full.retry_after = 7
    assert answering(iter([full, full, None]))(b"") == PREDICTION
    assert [7 <= pause <= 11 for pause in clock.slept] == [True, True]


def test_one_that_is_full_for_ever_is_given_up(clock: Clock) -> None:
    with pytest.raises(ServiceBusy):
        answering(itertools.repeat(ServiceBusy("Full.")))(b"")
    assert clock.now > 60


def test_one_that_is_gone_for_a_moment_is_waited_for(clock: Clock) -> None:
    gone = ServiceUnreachable("Gone.")
    assert answering(iter([gone] * 5 + [None]))(b"") == PREDICTION


def test_one_that_stays_gone_costs_no_photo_after_the_first_its_time(clock: Clock) -> None:
    gone = ServiceUnreachable("Gone.")
    ask = answering(iter([gone] * 100))
    for _ in range(3):
        with pytest.raises(ServiceUnreachable):
            ask(b"")
    waited = clock.now
    assert 10 < waited < 60
    with pytest.raises(ServiceUnreachable):
        ask(b"")
    assert clock.now == waited


def test_one_that_is_back_is_waited_for_again(clock: Clock) -> None:
    gone = ServiceUnreachable("Gone.")
    outcomes: list[VoilearnError | None] = [gone] * 100
    ask = answering(iter(lambda: outcomes.pop(), object()))
    with pytest.raises(ServiceUnreachable):
        ask(b"")
    outcomes[:] = [None, gone, None]
    assert [ask(b""), ask(b"")] == [PREDICTION] * 2
    assert outcomes == []


@pytest.mark.parametrize("error", [DamagedPhoto("Bad."), TokenRefused("No.")])
def test_any_other_error_is_told_at_once(error: VoilearnError, clock: Clock) -> None:
    with pytest.raises(type(error)):
        answering(iter([error]))(b"")
    assert clock.slept == []
