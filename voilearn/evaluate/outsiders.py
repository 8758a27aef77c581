"""Find what tells a photo of something else from one that the model knows.

In come what the network gave for photos of its classes, for harder copies of them, and for pictures
of other things; out go the terms of a scope, each with its threshold, and how well they do.

Several ways are tried, and the one that lets the fewest others pass is taken. Each is judged on
what it has not seen: photos in blocks of their names, for those of one source resemble each other;
each half of a folder of others by the other half; and each class in turn, as if the model did not
know it. The thresholds refuse the same part of photos and harder copies, whatever the way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voilearn.evaluate.measure import Share
from voilearn.scope import Kind, Term, rows_of

Array = np.ndarray[Any, np.dtype[Any]]

# How many may be refused at most: of the photos as they are, and of them and their harder copies
# together. The second is taken where nothing is told by the first, as where a few photos of a class
# are of something else, or a learner had too few to learn from.
STRICTNESS = ((0.015, 0.09), (0.05, 0.2))
BLOCKS = 5
FEWEST, FEWEST_OTHERS = 50, 20  # photos from which on anything can be told
MOST_LEFT_OUT = 20  # classes
MOST_NUMBERS = 60_000  # of class means: what fits into a scope's file
TOO_MANY = 0.5  # of others that pass: what lets more pass tells nothing
MADE, LEFT_OUT = "pictures made by code", "a class left out"


@dataclass(frozen=True, slots=True)
class Told:
    """What a network gave for photos: logits [n, classes], features [n, features] of length 1.

    `features` are None where the network has none.
    """

    logits: Array
    features: Array | None

    def __len__(self) -> int:
        return len(self.logits)

    def at(self, chosen: Array) -> "Told":
        """Return some of them."""
        features = None if self.features is None else self.features[chosen]
        return Told(self.logits[chosen], features)


def together(parts: Sequence[Told]) -> Told:
    """Return several as one."""
    features = [part.features for part in parts if part.features is not None]
    return Told(
        np.concatenate([part.logits for part in parts]),
        np.concatenate(features) if len(features) == len(parts) else None,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """Photos of the classes and a harder copy of each, in the order of the photos' names.

    `truth` is bool [n, classes].
    """

    photos: Told
    harder: Told
    truth: Array

    def at(self, chosen: Array) -> "Known":
        """Return some of them."""
        return Known(self.photos.at(chosen), self.harder.at(chosen), self.truth[chosen])

    def without(self, label: int) -> "Known":
        """Return them as if there were no such class."""
        kept = self.at(~self.truth[:, label])
        return Known(
            kept.photos, kept.harder, kept.truth & (np.arange(self.truth.shape[1]) != label)
        )


@dataclass(frozen=True, slots=True)
class Others:
    """Photos of something else, and a harder copy of each."""

    photos: Told
    harder: Told

    def at(self, chosen: Array) -> "Others":
        """Return some of them."""
        return Others(self.photos.at(chosen), self.harder.at(chosen))


@dataclass(frozen=True, slots=True)
class Way:
    """A way of telling, by one term or two, and what it lets pass of each kind of others."""

    kinds: tuple[Kind, ...]
    thresholds: tuple[float, ...]
    refused: Share  # of the photos
    refused_harder: Share
    passing: dict[str, Array]  # bool [n] of each kind of others

    @property
    def passed(self) -> dict[str, Share]:
        """How many of each kind of others pass."""
        return {name: Share(int(each.sum()), len(each)) for name, each in self.passing.items()}

    @property
    def all_passed(self) -> float:
        """The share of others that pass: those by code, real ones and left out classes alike."""
        shares = [share.value for name, share in self.passed.items() if name in (MADE, LEFT_OUT)]
        return float(np.mean(shares if self.real is None else [*shares, self.real.value]))

    @property
    def real(self) -> Share | None:
        """The share of real photos of something else that pass, if there were any."""
        real = [share for name, share in self.passed.items() if name not in (MADE, LEFT_OUT)]
        if not real:
            return None
        return Share(sum(each.count for each in real), sum(each.of for each in real))

    def summary(self) -> dict[str, Any]:
        """Return it in short, as a scope has it."""
        return {
            "refused": self.refused.to_dict(),
            "refused_harder": self.refused_harder.to_dict(),
            "passed": round(self.all_passed, 4),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "terms": list(self.kinds),
            "refused": self.refused.to_dict(),
            "refused_harder": self.refused_harder.to_dict(),
            "passed": {name: share.to_dict() for name, share in self.passed.items()},
        }


@dataclass(frozen=True, slots=True)
class Outsiders:
    """The terms of a scope, or none and why; `ways` are all that were tried, the best first."""

    terms: tuple[Term, ...]
    ways: tuple[Way, ...]
    why: str


# The simplest first, which is taken where others do no better.
WAYS: tuple[tuple[Kind, ...], ...] = (
    ("energy",),
    ("means",),
    ("energy", "means"),
    ("outside",),
    ("energy", "outside"),
    ("means", "outside"),
)
KINDS: tuple[Kind, ...] = ("energy", "means", "outside")
STRENGTH = 1.0  # of the fit of `outside`: sklearn's C, for features of length 1

Values = Callable[[Told], Array]


def find_outsiders(known: Known, made: Told, others: Mapping[str, Others]) -> Outsiders:
    """Find the terms that tell best. `others` are real photos of something else, by folder."""
    count = len(known.photos)
    if count < FEWEST:
        return Outsiders((), (), f"{count} photos are too few to tell: {FEWEST} are needed")
    others = {name: told for name, told in others.items() if len(told.photos)}
    real = sum(len(told.photos) for told in others.values())
    taught = _together(others.values()) if real >= FEWEST_OTHERS else None
    kinds = [kind for kind in KINDS if _is_possible(kind, known, taught)]
    found = _Found(kinds, known, made, taught, others)
    for strictness in STRICTNESS:
        ways = [found.judged(way, strictness) for way in WAYS if set(way) <= set(kinds)]
        # what is better by less than a hundredth is no better
        best = min(ways, key=lambda way: (round(way.all_passed, 2), ways.index(way)))
        ways.sort(key=lambda way: way is not best)
        by_code, of_real = best.passed[MADE].value, (best.real or best.passed[MADE]).value
        if min(by_code, of_real) <= TOO_MANY:
            break
    else:
        why = f"no way was found that tells: the best lets {of_real:.0%} of others pass"
        return Outsiders((), tuple(ways), why)
    terms = tuple(
        _term(kind, threshold, known, taught)
        for kind, threshold in zip(best.kinds, best.thresholds, strict=True)
    )
    told = f"{count:,} photos, a harder copy of each"
    told += f", {real:,} photos of something else" if real else ""
    told = f"chosen on {told} and {len(made):,} pictures by code"
    if of_real > TOO_MANY:
        told += "; most of the photos of something else look like the classes, and pass"
    return Outsiders(terms, tuple(ways), told)


def _is_possible(kind: Kind, known: Known, taught: Told | None) -> bool:
    if kind == "energy":
        return True
    if known.photos.features is None or (kind == "outside" and taught is None):
        return False
    return kind == "outside" or known.photos.features.shape[1] * known.truth.shape[1] < MOST_NUMBERS


class _Found:
    """The values of all kinds of terms, float [n, kinds], for what each has not seen."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        known: Known,
        made: Told,
        taught: Told | None,
        others: Mapping[str, Others],
    ) -> None:
        self.kinds = list(kinds)
        shape = (len(known.photos), len(kinds))
        self.photos, self.harder = np.zeros(shape), np.zeros(shape)
        for block in _blocks(known):
            values = _values(kinds, known.at(~block), taught)
            self.photos[block] = values(known.photos.at(block))
            self.harder[block] = values(known.harder.at(block))
        self.others = {MADE: _values(kinds, known, taught)(made)}
        for name, told in others.items():
            rest = [each for other, each in others.items() if other != name]
            self.others[name] = _of_folder(kinds, known, told, rest)
        if known.truth.shape[1] > 2 and (left := _left_out(kinds, known, taught)) is not None:
            self.others[LEFT_OUT] = left

    def judged(self, way: tuple[Kind, ...], strictness: tuple[float, float]) -> Way:
        """Set the thresholds of a way, and count what passes."""
        columns = [self.kinds.index(kind) for kind in way]
        photos, harder = self.photos[:, columns], self.harder[:, columns]
        thresholds = _thresholds(photos, harder, strictness)

        def passing(values: Array) -> Array:
            return np.asarray((values >= thresholds).all(1))

        refused, refused_harder = ~passing(photos), ~passing(harder)
        return Way(
            way,
            tuple(float(f"{each:.6g}") for each in thresholds),
            Share(int(refused.sum()), len(refused)),
            Share(int(refused_harder.sum()), len(refused_harder)),
            {name: passing(values[:, columns]) for name, values in self.others.items()},
        )


def _together(others: Iterable[Others]) -> Told:
    return together([told for each in others for told in (each.photos, each.harder)])


def _of_folder(kinds: Sequence[Kind], known: Known, told: Others, rest: Sequence[Others]) -> Array:
    """Return the values of a folder of others: of each half where the other half was taught."""
    values = np.zeros((len(told.photos), len(kinds)))
    half = np.arange(len(values)) * 2 < len(values)
    for here in (half, ~half):
        if here.any():
            taught = _together([told.at(~here), *rest])
            values[here] = _values(kinds, known, taught)(told.photos.at(here))
    return values


def _left_out(kinds: Sequence[Kind], known: Known, taught: Told | None) -> Array | None:
    """Return the values of each class's photos, as if the model did not know it."""
    found = []
    for label in range(known.truth.shape[1])[:MOST_LEFT_OUT]:
        alone = known.truth[:, label] & (known.truth.sum(1) == 1)
        rest = known.without(label)
        if alone.any() and len(rest.photos):
            found.append(_values(kinds, rest, taught, label)(known.photos.at(alone)))
    return np.concatenate(found) if found else None


def _blocks(known: Known) -> Iterator[Array]:
    """Yield which photos to leave out, each once: a run of names of each class."""
    places = np.zeros(len(known.photos), int)
    for row in np.unique(known.truth, axis=0):
        here = np.flatnonzero((known.truth == row).all(1))
        places[here] = np.arange(len(here)) * BLOCKS // len(here)
    for block in np.unique(places):
        yield places == block


def _thresholds(photos: Array, harder: Array, strictness: tuple[float, float]) -> Array:
    """Return a threshold for each term, at the same quantile, that refuse no more than is said."""
    of_photos, of_all = strictness
    inside = np.concatenate([photos, harder])

    def refused(values: Array, thresholds: Array) -> float:
        return 1 - float((values >= thresholds).all(1).mean())

    low, high = 0.0, of_all
    for _ in range(30):
        middle = (low + high) / 2
        here = np.quantile(inside, middle, axis=0)
        fine = refused(inside, here) <= of_all and refused(photos, here) <= of_photos
        low, high = (middle, high) if fine else (low, middle)
    found: Array = np.quantile(inside, low, axis=0)
    return found


def _values(
    kinds: Sequence[Kind], known: Known, taught: Told | None, label: int | None = None
) -> Values:
    """Return the function to float [n, kinds]; `label` is a class that the logits leave out."""
    fitted = [_fitted(kind, known, taught, label) for kind in kinds]
    return lambda told: np.stack([values(told) for values in fitted], axis=1)


def _fitted(kind: Kind, known: Known, taught: Told | None, label: int | None) -> Values:
    if kind == "energy":
        left = [] if label is None else [label]
        return lambda told: energy(np.delete(told.logits, left, 1))
    if kind == "means":
        means = _means(known)
        return lambda told: np.asarray((_features(told) @ means.T).max(1))
    if taught is None:
        return lambda told: np.zeros(len(told))
    weights, bias = _line(known, taught)
    return lambda told: np.asarray(bias - _features(told) @ weights)


def energy(logits: Array) -> Array:
    """Return the logarithm of the sum of exponentials, float [n]."""
    logits = logits.astype(np.float64)
    top: Array = logits.max(1)
    found: Array = top + np.log(np.exp(logits - top[:, None]).sum(1))
    return found


def _features(told: Told) -> Array:
    assert told.features is not None  # noqa: S101  # or the way is not tried
    return told.features


def _means(known: Known) -> Array:
    """Return the mean features of each class, of length 1: float [classes, features]."""
    features = _features(known.photos)
    means = np.stack([features[row].mean(0) for row in known.truth.T if row.any()])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    found: Array = means / np.where(lengths > 0, lengths, 1)
    return found


def _line(known: Known, others: Told) -> tuple[Array, float]:
    """Return weights and bias of a linear layer that finds others, by logistic regression."""
    from sklearn.linear_model import LogisticRegression

    inside = np.concatenate([_features(known.photos), _features(known.harder)])
    every = np.concatenate([inside, _features(others)])
    is_other = np.arange(len(every)) >= len(inside)
    layer = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=500)
    layer.fit(every, is_other)
    return layer.coef_[0], -float(layer.intercept_[0])


def _term(kind: Kind, threshold: float, known: Known, taught: Told | None) -> Term:
    """Return a term of a scope, fitted on all there is."""
    if kind == "energy":
        return Term(kind, threshold)
    if kind == "means":
        return Term(kind, threshold, rows_of(_means(known)))
    assert taught is not None  # noqa: S101  # or the way is not tried
    weights, bias = _line(known, taught)
    return Term(kind, threshold, rows_of(weights[None]), float(f"{bias:.6g}"))
