"""What a network ends in shows in a run, however its layers are put together."""

from functools import partial
from math import inf
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from fastai.layers import Lambda, MergeLayer, SequentialEx, SigmoidRange  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from voilearn.export.ranges import ANY, Range  # noqa: E402
from voilearn.learner.ending import ending_of  # noqa: E402

pytestmark = pytest.mark.model
UNIT, LOGS = Range(0, 1), Range(-inf, 0, logs=True)


class Own(nn.Module):
    """Does in a function what is no layer of its own."""

    def __init__(self, does: Any) -> None:
        super().__init__()
        self.linear, self.does = nn.Linear(3, 4), does

    def forward(self, batch: Any) -> Any:
        return self.does(self.linear(batch))


def within(scores: Any) -> Any:
    scores.view(4, 1).sigmoid_()
    return scores


def mixed(scores: Any) -> Any:
    share = torch.sigmoid(scores[:, :1])
    return share * scores.softmax(1) + (1 - share) * scores.sigmoid()


FUNCTIONS: dict[str, tuple[Any, Range | None]] = {
    "sigmoid": (torch.sigmoid, UNIT),
    "sigmoid in place": (lambda x: x.sigmoid_(), UNIT),
    "sigmoid in a view": (within, None),
    "softmax": (partial(torch.softmax, dim=1), UNIT),
    "log softmax": (partial(functional.log_softmax, dim=1), LOGS),
    "log of softmax": (lambda x: x.softmax(1).log(), LOGS),
    "exp of log softmax": (lambda x: x.log_softmax(1).exp(), UNIT),
    "log sigmoid": (functional.logsigmoid, LOGS),
    "one less sigmoid": (lambda x: 1 - x.sigmoid(), UNIT),
    "the mean of two": (lambda x: (x.softmax(1) + x.sigmoid()) / 2, Range(0, 1, loose=True)),
    "a mixture": (mixed, Range(0, 2, loose=True)),
    "softmax by hand": (lambda x: x.exp() / x.exp().sum(1, keepdim=True), None),
    "squeezed": (lambda x: x.sigmoid().unsqueeze(0).squeeze(0).clone(), UNIT),
    "joined": (lambda x: torch.cat([x.sigmoid()[:, :2], x.softmax(1)[:, 2:]], 1), UNIT),
    "stacked and averaged": (lambda x: torch.stack([x.sigmoid(), x.softmax(1)]).mean(0), UNIT),
    "clamped": (lambda x: x.clamp(0, 1), UNIT),
    "clamped below": (lambda x: x.clamp(min=0), Range(0, inf)),
    "scaled by a number": (lambda x: 3 * x.tanh() - 1, Range(-4, 2)),
    "celu": (functional.celu, Range(-2, inf)),
    "selu": (functional.selu, Range(-2, inf)),
    "hardtanh": (functional.hardtanh, Range(-1, 1)),
    "a temperature": (lambda x: x / 2.5, ANY),
    "a gate": (lambda x: x * x.sigmoid(), ANY),
    "a cube": (lambda x: x**3, None),
    "rounded": (lambda x: x.sigmoid().round(), None),
}


@pytest.mark.parametrize(("does", "range_"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_function_s_range_is_found(does: Any, range_: Range | None) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Own(does))
    found = ending_of(net.eval(), 3, (8, 8))
    assert found is not None
    assert (found.range, found.count) == (range_, 4)


LAYERS: dict[str, tuple[Any, Range | None]] = {
    "y_range": (lambda: [SigmoidRange(-0.5, 1.5)], Range(-0.5, 1.5)),
    "in a layer of a layer": (lambda: [nn.Sequential(nn.Sequential(nn.Hardsigmoid()))], UNIT),
    "then a shape": (lambda: [nn.Softmax(1), nn.Unflatten(1, (4, 1)), nn.Flatten()], UNIT),
    "then dropout": (lambda: [nn.Sigmoid(), nn.Dropout(), nn.AlphaDropout()], UNIT),
    "a function": (lambda: [Lambda(torch.sigmoid)], UNIT),
    "a skip": (lambda: [SequentialEx(nn.Linear(4, 4), nn.Sigmoid(), MergeLayer())], ANY),
    "a norm after": (lambda: [nn.Sigmoid(), nn.BatchNorm1d(4)], ANY),
    "in parallel": (lambda: [nn.DataParallel(nn.Softmax(1))], UNIT),
}


@pytest.mark.parametrize(("layers", "range_"), LAYERS.values(), ids=LAYERS)
def test_layers_are_what_they_do(layers: Any, range_: Range | None) -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), *layers())
    found = ending_of(net.eval(), 3, None)
    assert found is not None
    assert found.range == range_


def test_a_network_of_convolutions_alone_ends_in_their_mean() -> None:
    pooled = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sigmoid(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = ending_of(pooled.eval(), 3, (8, 8))
    assert found is not None
    assert (found.range, found.count) == (UNIT, 4)


def test_a_network_that_runs_for_no_such_photo_ends_in_nothing() -> None:
    assert ending_of(nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).eval(), 3, None) is None


def test_finding_it_leaves_the_network_as_it_was() -> None:
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    ending_of(net.eval(), 3, (8, 8))
    assert all(not weight.is_meta for weight in net.parameters())
    assert net(torch.zeros(1, 3, 8, 8)).shape == (1, 4)
