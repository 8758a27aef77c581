"""Every architecture of timm is built, by its sizes alone: its weights would be a terabyte."""

import io
from dataclasses import dataclass
from typing import Any

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from voilearn.export import network as reading  # noqa: E402
from voilearn.export.records import Instance  # noqa: E402
from voilearn.export.tensors import PARAMETERS, tensor_of  # noqa: E402
from voilearn.export.torch_file import read_torch_file  # noqa: E402
from voilearn.learner import cost  # noqa: E402
from voilearn.learner import network as building  # noqa: E402

pytestmark = [pytest.mark.model, pytest.mark.slow]
WITHOUT_NUMBERS = "torch._utils._rebuild_meta_tensor_no_storage"
# At 1,024 pixels they take a minute and more on one core
NEED_MORE = {"vit_giant_patch16_sapiens2", "vit_5b_patch16_sapiens2"}


@dataclass(frozen=True)
class Sizes:
    """A tensor of the meta device, as far as reading and building look at one."""

    of: Any
    size: tuple[int, ...]
    numel: int = 1
    key: str = ""
    storage_numel: int = 1
    item_size: int = 4


def sizes_of(record: Any) -> Any:
    inner = record.args[0] if getattr(record, "path", "") in PARAMETERS else record
    if isinstance(inner, Instance) and inner.path == WITHOUT_NUMBERS:
        return Sizes(inner.args[0], inner.args[1])
    return tensor_of(record)


def made(tensor: Sizes) -> Any:
    dtype = getattr(torch, tensor.of.path.rpartition(".")[2])
    single = torch.float32 if dtype.is_floating_point else dtype
    return torch.empty(tensor.size, dtype=single, device="meta")


@pytest.mark.parametrize("name", timm.list_models())
def test_an_architecture_is_built_and_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (reading, building):
        monkeypatch.setattr(room, "tensor_of", sizes_of)
    real = building._Builder.tensor
    monkeypatch.setattr(
        building._Builder,
        "tensor",
        lambda self, tensor: made(tensor) if isinstance(tensor, Sizes) else real(self, tensor),
    )
    monkeypatch.setattr(cost, "FREE", 10**11)
    if name in NEED_MORE:
        monkeypatch.setenv(cost.RAISE, "5")
    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False, num_classes=3).eval()
    file = io.BytesIO()
    torch.save(network, file)
    contents = read_torch_file(file)
    found = reading.read_network(contents.pickle.root)
    assert not found.unknown and not found.hooked and not found.replaced
    built = building.build_network(found, contents)
    assert repr(built) == repr(network)
    channels, *side = network.default_cfg["input_size"]
    cost.check_cost(built, channels, tuple(side))
