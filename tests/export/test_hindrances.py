"""A layer that is not read is named with its place, what is not read about it, and what to do."""

import io
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from voilearn.export.hindrances import hindrances  # noqa: E402
from voilearn.export.network import read_network  # noqa: E402
from voilearn.export.records import Global, Instance  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402

pytestmark = pytest.mark.model
OF_A_LAYER: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}}


def told(network: Any) -> str:
    """What stands in the way of a network, first."""
    file = io.BytesIO()
    torch.save(network, file)
    return told_of(read_torch_file(file).pickle.root)


def told_of(record: Any) -> str:
    return next(hindrances(read_network(record), {}, [], {}, None, None))


def named(path: str) -> Any:
    """The record of a layer of some class, third in a network."""
    module, _, name = path.rpartition(".")
    layer = Instance(Global(module, name), states=(OF_A_LAYER,))
    inner = {"_modules": {"0": Instance(Global("torch.nn.modules.activation", "ReLU")), "1": layer}}
    return Instance(Global("torch.nn.modules.container", "Sequential"), states=(inner,))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("__main__.Swish", "the author's own: train with layers of torch"),
        ("nets.mine.Block", "of the package nets: train with layers of torch"),
        ("efficientnet_pytorch.model.EfficientNet", "of the package efficientnet_pytorch"),
        ("torch.fx.graph_module.reduce_graph_module", "is Python code in the file"),
        ("torch.jit._script.RecursiveScriptModule", "compiled by TorchScript"),
        ("torch.ao.nn.quantized.modules.conv.Conv2d", "whole numbers of 8 bits"),
        ("torch.nn.quantized.modules.conv.Conv2d", "whole numbers of 8 bits"),
        ("torch.nn.qat.modules.conv.Conv2d", "whole numbers of 8 bits"),
        (
            "torch.distributed.fsdp.fully_sharded_data_parallel.FullyShardedDataParallel",
            "export the whole network",
        ),
        ("torch.nn.utils.parametrize.ParametrizedConv2d", "They are torch's, but not of its"),
        ("torchvision.transforms.transforms.RandomErasing", "They are torchvision's, but not of"),
        ("fastai.layers.Debugger", "They are fastai's, but not of"),
        ("peft.peft_model.PeftModel", "merge_and_unload"),
    ],
)
def test_a_class_is_named_with_its_place_and_the_reason(path: str, why: str) -> None:
    sentence = told_of(named(path))
    assert "has layers that are not read: " in sentence
    assert " at model.1. " in sentence
    assert path.rpartition(".")[2] in sentence
    assert why in sentence
    assert "--trust" in sentence


def hooked(network: Any) -> Any:
    network[1].register_forward_hook(print)
    return network


def replaced(network: Any, forward: Any) -> Any:
    network[1].__dict__["forward"] = forward
    return network


HOLDS: dict[str, tuple[Callable[[], Any], str]] = {
    "a hook": (
        lambda: hooked(nn.Sequential(nn.ReLU(), nn.Sigmoid())),
        "hooks, code that runs whenever they do: torch.nn.modules.activation.Sigmoid at model.1.",
    ),
    "a hook of a wrapper": (
        lambda: hooked(nn.Sequential(nn.ReLU(), nn.DataParallel(nn.ReLU()))),
        "DataParallel at model.1. Something of the author's own is put into them",
    ),
    "another forward": (
        lambda: replaced(nn.Sequential(nn.ReLU(), nn.Sigmoid()), torch.tanh),
        "in the place of their own forward(): torch.nn.modules.activation.Sigmoid at model.1.",
    ),
    "another layer's forward": (
        lambda: replaced(nn.Sequential(nn.ReLU(), nn.Sigmoid()), nn.ReLU().forward),
        "unwrap_model",
    ),
    "a traced part": (
        lambda: nn.Sequential(nn.ReLU(), torch.fx.symbolic_trace(nn.Sequential(nn.ReLU()))),
        "reduce_graph_module at model.1. What they compute is Python code",
    ),
    "a quantized part": (
        lambda: nn.Sequential(
            nn.ReLU(), torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 2)))
        ),
        "Linear at model.1.0",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("make", "expected"), HOLDS.values(), ids=HOLDS)
def test_what_is_really_exported_is_told_as_well(make: Callable[[], Any], expected: str) -> None:
    assert expected in told(make())


def test_a_place_is_shown_as_far_as_it_can_be() -> None:
    record = named("__main__.Swish")
    inner = record.states[0]["_modules"]
    inner["\x1b[31m" + "x" * 100_000] = inner.pop("1")
    sentence = told_of(record)
    assert sentence.isprintable()
    assert len(sentence) < 600
