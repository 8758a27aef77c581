"""What tells photos of something else is found where there is such a thing, and told where not."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn, which comes with fastai, is not installed")

from voilearn.evaluate.outsiders import (
    LEFT_OUT,
    MADE,
    STRICTNESS,
    Known,
    Others,
    Told,
    energy,
    find_outsiders,
)
from voilearn.scope import Outputs, Term

FEATURES, CLASSES = 24, 3
REFUSED_PHOTOS, REFUSED = STRICTNESS[0]


def told(rows: Any, logits: Any) -> Told:
    return Told(logits, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def around(chance: Any, centre: Any, count: int, spread: float) -> Any:
    return centre + chance.normal(scale=spread, size=(count, FEATURES))


def photos(each: int = 40, spread: float = 0.4, sure: float = 6.0) -> Known:
    """Photos whose features lie around a centre for each class, and copies a little further off."""
    chance = np.random.default_rng(3)
    centres = np.eye(CLASSES, FEATURES) * 4
    truth = np.repeat(np.eye(CLASSES, dtype=bool), each, axis=0)
    plain, harder = (
        np.concatenate([around(chance, centre, each, width) for centre in centres])
        for width in (spread, 1.5 * spread)
    )
    logits = [truth * sure + chance.normal(size=truth.shape) for _ in range(2)]
    return Known(told(plain, logits[0]), told(harder, logits[1] * 0.9), truth)


def others(count: int, low: float, seed: int = 4) -> Told:
    """Photos of something else: features anywhere, and logits around `low`."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(count, FEATURES))
    return told(rows, chance.normal(size=(count, CLASSES)) + low)


def kinds(way: Any) -> set[str]:
    return set(way.kinds)


def test_low_logits_are_enough_where_they_tell() -> None:
    found = find_outsiders(photos(), others(60, -4), {})
    assert [term.kind for term in found.terms] == ["energy"]
    best = found.ways[0]
    assert best.passed[MADE].value < 0.05
    assert best.refused.value <= REFUSED_PHOTOS
    assert best.refused.count + best.refused_harder.count <= REFUSED * 2 * best.refused.of


def test_features_tell_where_logits_do_not() -> None:
    found = find_outsiders(photos(), others(60, 4), {})
    assert "means" in {term.kind for term in found.terms}
    assert found.ways[0].passed[MADE].value < 0.05
    assert LEFT_OUT in found.ways[0].passed


def test_photos_of_something_else_that_look_alike_are_learned() -> None:
    chance = np.random.default_rng(5)
    near = np.eye(1, FEATURES) * 4 + np.eye(FEATURES)[9] * 1.5
    logits = np.repeat(np.array([[6.0, 0, 0]]), 80, axis=0)
    alike = told(around(chance, near, 80, 0.3), logits + chance.normal(scale=0.3, size=(80, 3)))
    found = find_outsiders(photos(), others(60, -4), {"cubs": Others(alike, alike)})
    assert "outside" in {term.kind for term in found.terms}
    assert found.ways[0].passed["cubs"].value < 0.2
    assert "80 photos of something else" in found.why


def test_without_features_logits_are_all_there_is() -> None:
    known = photos()
    bare = Known(Told(known.photos.logits, None), Told(known.harder.logits, None), known.truth)
    found = find_outsiders(bare, Told(others(60, -4).logits, None), {})
    assert {kind for way in found.ways for kind in way.kinds} == {"energy"}


def test_a_few_photos_that_are_of_no_class_do_not_hide_what_tells() -> None:
    """As labels are: one or two in a hundred are wrong."""
    known = photos()
    stray = np.arange(len(known.photos)) % 30 == 7  # 4 of 120, of something else
    far = others(len(stray), -4)

    def mixed(plain: Told) -> Told:
        assert plain.features is not None
        assert far.features is not None
        return Told(
            np.where(stray[:, None], far.logits, plain.logits),
            np.where(stray[:, None], far.features, plain.features),
        )

    found = find_outsiders(
        Known(mixed(known.photos), mixed(known.harder), known.truth), others(60, -4), {}
    )
    best = found.ways[0]
    assert found.terms
    assert best.passed[MADE].value < 0.1
    assert REFUSED_PHOTOS < best.refused.value <= STRICTNESS[1][0]


def test_where_nothing_tells_it_says_so() -> None:
    known = photos()
    chance = np.random.default_rng(6)
    same = told(
        around(chance, np.eye(1, FEATURES) * 4, 60, 0.4),
        np.array([[6.0, 0, 0]]) + chance.normal(size=(60, 3)),
    )
    for given in ({}, {"same": Others(same, same)}):
        found = find_outsiders(known, same, given)
        assert found.terms == ()
        assert "no way was found that tells" in found.why
        assert found.ways


def test_too_few_photos_are_told() -> None:
    found = find_outsiders(photos(each=16), others(60, -4), {})
    assert (found.terms, found.ways) == ((), ())
    assert "48 photos are too few to tell" in found.why


def test_a_few_photos_of_something_else_are_judged_and_not_learned() -> None:
    few = others(5, -4, seed=7)
    found = find_outsiders(photos(), others(60, -4), {"few": Others(few, few)})
    assert all("outside" not in kinds(way) for way in found.ways)
    assert found.ways[0].passed["few"].of == 5


def test_a_folder_with_one_photo_is_no_crash() -> None:
    one, many = others(1, -4, seed=8), others(30, -4, seed=9)
    found = find_outsiders(
        photos(), others(60, -4), {"one": Others(one, one), "many": Others(many, many)}
    )
    assert found.ways[0].passed["one"].of == 1


def test_many_labels_and_photos_without_any() -> None:
    known = photos()
    truth = known.truth.copy()
    truth[::10, 1] = True
    truth[::15] = False
    found = find_outsiders(Known(known.photos, known.harder, truth), others(60, -4), {})
    assert found.terms


def test_the_terms_say_what_was_judged() -> None:
    known = photos()
    found = find_outsiders(known, others(60, 4), {})
    assert found.terms
    passing = np.ones(len(known.photos), bool)
    for term in found.terms:
        assert isinstance(term, Term)
        values = [
            term.value(Outputs([], logits, features))
            for logits, features in zip(known.photos.logits, known.photos.features, strict=True)  # type: ignore[arg-type]
        ]
        passing &= np.array(values) >= term.threshold
    assert passing.mean() >= 1 - 2 * REFUSED_PHOTOS


def test_energy_is_the_logarithm_of_a_sum() -> None:
    assert energy(np.array([[0.0, 0.0], [1000.0, 0.0]])) == pytest.approx([np.log(2), 1000])
