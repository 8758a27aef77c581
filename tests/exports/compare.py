"""Compare a rebuilt learner with what its own release answered.

In come an export and its JSON; out goes the largest difference of a probability.
"""

from pathlib import Path
from typing import Any

import torch

from tests.exports.pictures import fixed_pictures
from voilearn.learner.load import load_learner, picture_kind


def largest_difference(export: Path, recorded: dict[str, Any]) -> float:
    """Return how far the probabilities are from the recorded ones, at most, over all pictures.

    Where the release gave raw scores, for a loss that is not fastai's, ours are their softmax.
    """
    learn, worst = load_learner(export), 0.0
    kind = picture_kind(learn, export)
    for name, picture in fixed_pictures().items():
        with learn.no_bar():
            found = learn.predict(kind.create(picture.convert(kind._open_args["mode"])))[2]
        expected = torch.tensor(recorded["pictures"][name]["probabilities"])
        if recorded["raw_scores"]:
            expected = expected.softmax(0)
        worst = max(worst, float((found - expected).abs().max()))
    return worst
