"""A scope is read strictly, and makes the same answer of the same numbers, in Python and in JS."""

import base64
import json
import math
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from voilearn import scope as module
from voilearn.errors import UnusableModel
from voilearn.model_file import model_sha256, scope_beside
from voilearn.prediction import ModelInfo
from voilearn.scope import Outputs, Scope, Term, rows_of, scope_from, scope_of

CLASSES = ("a", "b", "c")
MODEL = ModelInfo("export", "5" * 64, "single-label", CLASSES)
ENERGY = Term("energy", 1.0)


def made(seed: int = 0, features: int = 16) -> Scope:
    """A scope with a term of each kind."""
    chance = np.random.default_rng(seed)
    means = Term("means", 0.1, rows_of(chance.normal(size=(3, features))))
    outside = Term("outside", -0.5, rows_of(chance.normal(size=(1, features))), 0.25)
    return Scope(MODEL, 0.67, "softmax", (ENERGY, means, outside), {"photos": 3})


def outputs(seed: int, features: int = 16) -> Outputs:
    chance = np.random.default_rng(seed)
    logits = chance.normal(scale=3, size=3)
    grown = np.exp(logits)
    return Outputs((grown / grown.sum()).tolist(), logits, chance.normal(size=features))


def write(folder: Path, told: Any) -> Path:
    model = folder / "export.pkl"
    model.touch()
    scope_beside(model).write_text(told if isinstance(told, str) else json.dumps(told))
    return model


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    scope = made()
    model = write(tmp_path, scope.to_json())
    assert scope_of(model, MODEL.sha256) == scope
    assert len(scope.to_json()) < module.MOST_BYTES


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    assert scope_of(tmp_path / "export.pkl", MODEL.sha256) is None


def test_a_scope_of_another_model_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = write(tmp_path, made().to_json())
    assert scope_of(model, "6" * 64) is None
    assert "is of another model" in caplog.text


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(made().to_json())
    change(told)
    return told


INT8 = base64.b64encode(bytes(16)).decode()
WRONG: list[Any] = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    '{"model": 1}',
    changed(lambda told: told.pop("model")),
    changed(lambda told: told.pop("terms")),
    changed(lambda told: told.update(temperature="warm")),
    changed(lambda told: told.update(temperature=True)),
    changed(lambda told: told.update(temperature=0)),
    changed(lambda told: told.update(temperature=-1)),
    changed(lambda told: told.update(temperature=1e9)),
    changed(lambda told: told.update(temperature=math.nan)),
    changed(lambda told: told.update(activation="relu")),
    changed(lambda told: told.update(terms={})),
    changed(lambda told: told.update(terms=[1])),
    changed(lambda told: told.update(terms=told["terms"] * 9)),
    changed(lambda told: told.update(chosen=1)),
    changed(lambda told: told["terms"][0].update(kind="os.system")),
    changed(lambda told: told["terms"][0].update(threshold=None)),
    changed(lambda told: told["terms"][0].update(threshold=math.inf)),
    changed(lambda told: told["terms"][1].pop("rows")),
    changed(lambda told: told["terms"][1]["rows"].update(columns=0)),
    changed(lambda told: told["terms"][1]["rows"].update(columns=10**9)),
    changed(lambda told: told["terms"][1]["rows"].update(scales=[])),
    changed(lambda told: told["terms"][1]["rows"].update(scales=[1, 2])),
    changed(lambda told: told["terms"][1]["rows"].update(scales=["1", "2", "3"])),
    changed(lambda told: told["terms"][1]["rows"].update(int8="%%%")),
    changed(lambda told: told["terms"][1]["rows"].update(int8=INT8)),
    changed(lambda told: told["terms"][2]["rows"].update(scales=[1, 1], columns=8)),
    changed(lambda told: told["terms"][2].pop("bias")),
    changed(lambda told: told["model"].update(classes="abc")),
    changed(lambda told: told["model"].update(task="detection")),
]


@pytest.mark.parametrize("told", WRONG)
def test_a_damaged_scope_is_told_with_what_to_do(told: Any, tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match=r"export\.scope\.json is damaged.*voilearn evaluate"):
        scope_of(write(tmp_path, told), MODEL.sha256)


def test_one_that_is_too_large_or_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="larger than the 100 kB"):
        scope_of(write(tmp_path, " " * 100_001), MODEL.sha256)
    scope_beside(tmp_path / "export.pkl").unlink()
    scope_beside(tmp_path / "export.pkl").mkdir()
    with pytest.raises(UnusableModel, match="can't be read"):
        scope_of(tmp_path / "export.pkl", MODEL.sha256)


def test_a_model_is_another_one_with_another_scope(tmp_path: Path) -> None:
    model = tmp_path / "export.pkl"
    model.write_bytes(b"model")
    alone = model_sha256(model)
    scope_beside(model).write_text(made(0).to_json())
    one = model_sha256(model)
    scope_beside(model).write_text(made(1).to_json())
    assert len({alone, one, model_sha256(model)}) == 3


def test_a_temperature_changes_how_sure_an_answer_is_and_not_which() -> None:
    given = outputs(1)
    plain = replace(made(), temperature=None).answer(given, MODEL)
    for temperature in (0.25, 1.0, 4.0):
        found = replace(made(), temperature=temperature).answer(given, MODEL)
        assert list(found.probabilities) == list(plain.probabilities)
        assert sum(found.probabilities.values()) == pytest.approx(1)
        less = found.probability - plain.probability
        assert (less > 0) == (temperature < 1) or abs(less) < 1e-9


def test_a_photo_is_out_of_scope_if_one_term_says_so() -> None:
    given = outputs(2)
    value = ENERGY.value(given)
    assert value == pytest.approx(math.log(np.exp(np.asarray(given.logits)).sum()))
    for near, known in ((value - 1e-6, True), (value, True), (value + 1e-6, False)):
        scope = replace(made(), terms=(replace(ENERGY, threshold=near),))
        assert scope.answer(given, MODEL).in_scope is known
    both = (replace(ENERGY, threshold=value - 1), replace(made().terms[1], threshold=1.1))
    assert replace(made(), terms=both).answer(given, MODEL).in_scope is False
    assert replace(made(), terms=()).answer(given, MODEL).in_scope is None


def test_a_scope_that_does_not_fit_the_network_is_told() -> None:
    with pytest.raises(UnusableModel, match="does not fit it: this network has other features"):
        made().answer(outputs(1, features=15), MODEL)
    with pytest.raises(UnusableModel, match="no logits"):
        made().answer(replace(outputs(1), logits=None), MODEL)


def test_odd_numbers_of_a_network_are_no_crash() -> None:
    zeros = replace(outputs(1), logits=np.zeros(3), features=np.zeros(16))
    assert made().answer(zeros, MODEL).in_scope is not None
    large = replace(outputs(1), logits=np.array([1e4, -1e4, 0.0]))
    assert made().answer(large, MODEL).probability == 1


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_browser_makes_the_same_of_the_same_numbers(activation: Any, tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("there is no Node here")
    dice = random.Random(5)
    cases, expected = [], []
    for seed in range(40):
        scope = replace(
            made(seed),
            activation=activation,
            temperature=dice.choice([None, 0.2, 0.67, 3.0]),
            terms=tuple(
                replace(term, threshold=dice.uniform(-1, 1))
                for term in dice.sample(made(seed).terms, dice.randrange(4))
            ),
        )
        given = outputs(seed + 100)
        told = scope_from(json.loads(scope.to_json()))
        found = told.answer(given, replace(MODEL, task="multi-label"))
        cases.append({"scope": told.to_dict(), "outputs": {**vars(given)}})
        expected.append((found.in_scope, [found.probabilities[label] for label in CLASSES]))
    (tmp_path / "cases.json").write_text(json.dumps(cases, default=lambda array: array.tolist()))
    script = (
        "import { readFileSync } from 'node:fs';"
        f"import {{ calibrated, isKnown }} from '{ROOT.as_uri()}/voilearn/device/scope.js';"
        "const cases = JSON.parse(readFileSync('cases.json'));"
        "console.log(JSON.stringify(cases.map(({ scope, outputs }) =>"
        " [isKnown(outputs, scope), calibrated(outputs, scope)])));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found_there = json.loads(done.stdout)
    assert [known for known, _ in found_there] == [known for known, _ in expected]
    assert {known for known, _ in expected} == {True, False, None}
    for (_, one), (_, other) in zip(found_there, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-12)
