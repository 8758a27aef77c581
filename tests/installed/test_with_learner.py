"""What works in the same environment once `voilearn[learner,timm]` is installed into it."""

import json
from pathlib import Path

import pytest

from benchmarks.fresh import Fresh
from voilearn import load_classify

pytestmark = [pytest.mark.installed, pytest.mark.model]


def probabilities(fresh: Fresh, model: str, folder: Path) -> dict[str, float]:
    done = fresh.run("voilearn", "classify", "--model", model, "--json", "photo.jpg", folder=folder)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["probabilities"])


def test_an_export_answers_and_compiles_to_the_same(with_learner: Fresh, desk: Path) -> None:
    expected = load_classify(desk / "export.pkl", runtime="learner")(
        (desk / "photo.jpg").read_bytes()
    )
    answered = probabilities(with_learner, "export.pkl", desk)
    assert answered == pytest.approx(expected.probabilities, abs=1e-3)
    done = with_learner.run("voilearn", "compile", "export.pkl", "-o", "again", folder=desk)
    assert done.returncode == 0, done.stderr
    compiled = probabilities(with_learner, "again/export.onnx", desk)
    assert compiled == pytest.approx(answered, abs=0.005)


def test_an_export_is_said_to_open(with_learner: Fresh, desk: Path) -> None:
    done = with_learner.run("voilearn", "inspect", "--json", "export.pkl", folder=desk)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["opens"]
