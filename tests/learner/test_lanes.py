"""Several photos at once through one network: which learners allow it, and the same numbers."""

import gc
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw

torch = pytest.importorskip("torch")

from fastai.callback.core import Callback  # noqa: E402
from fastai.data.block import CategoryBlock  # noqa: E402
from fastai.layers import Lambda  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.vision.augment import CropPad, RandomCrop, RatioResize, Resize  # noqa: E402
from fastai.vision.core import PILImage  # noqa: E402
from torch import nn  # noqa: E402

from tests.exports.pictures import fixed_pictures  # noqa: E402
from tests.learner.test_build import facts  # noqa: E402
from tests.learner.test_load import LOSS, make_export, parity  # noqa: E402
from voilearn.learner import lanes as lanes_file  # noqa: E402
from voilearn.learner.lanes import Lanes, using  # noqa: E402
from voilearn.learner.load import in_one_size, load_learner, picture_kind  # noqa: E402

pytestmark = pytest.mark.model
PATIENCE = 60.0  # seconds, after which something that should come has not


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever the machine has; and every thread of torch's is one again afterwards."""
    monkeypatch.setattr(lanes_file, "CORES", 2)
    monkeypatch.setattr(lanes_file, "ALLOWED", 2)
    yield
    assert torch.get_num_threads() == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    return make_export(folder, CategoryBlock, LOSS(), parity, item_tfms=Resize(32))


@pytest.fixture
def learn(made: Path) -> Learner:
    return load_learner(made)


def item(size: tuple[int, int] = (60, 40)) -> Any:
    return PILImage.create(draw(size))


def ask(lanes: Lanes, picture: Any) -> Any:
    with lanes.one() as answer:
        return answer(picture)


def opened(learn: Learner, shared: bool = True) -> Lanes:
    """The lanes of a learner that has answered two pictures, and so shown what may be done."""
    lanes = Lanes(learn, shared)
    for _ in range(2):
        ask(lanes, item())
    return lanes


def at_once(lanes: Lanes) -> int:
    """How many pictures a learner takes at one time, of three that come together."""
    with ExitStack() as stack:
        inside = 0
        while lanes._free:
            stack.enter_context(lanes.one())
            inside += 1
    return inside


def predicted(learn: Learner, picture: Any) -> Any:
    with using(1), learn.no_bar():
        return learn.predict(picture)[2]


def with_layer(learn: Learner, layer: Any) -> Learner:
    learn.model = nn.Sequential(*learn.model, layer).eval()
    return learn


def all_or(every: int) -> list[Any]:
    """The exports that open, of which `make test` looks at one in so many."""
    told = enumerate(facts("opens"))
    marks = [pytest.mark.slow]
    return [pytest.param(*p.values, id=p.id, marks=marks if n % every else []) for n, p in told]


@pytest.mark.parametrize(("export", "recorded"), all_or(8))
def test_the_numbers_of_each_release_s_export_are_learn_predict_s_to_the_bit(
    export: Path, recorded: dict[str, Any]
) -> None:
    learn = load_learner(export)
    kind, shared = picture_kind(learn, export), in_one_size(learn)
    modes = kind._open_args["mode"]
    pictures = [kind.create(picture.convert(modes)) for picture in fixed_pictures().values()]
    expected = [predicted(learn, picture) for picture in pictures]
    lanes = Lanes(learn, shared)
    for at in (0, 1, *range(len(pictures))):  # the first two are learn.predict's own
        picture, numbers = pictures[at], expected[at]
        found = ask(lanes, picture)
        assert torch.equal(found, numbers)
        assert type(found) is type(numbers)
    assert at_once(lanes) == (2 if shared else 1), recorded["about"]


def test_two_pictures_are_in_the_network_at_once(learn: Learner) -> None:
    both = threading.Barrier(2)
    armed = threading.Event()

    def meet(numbers: Any) -> Any:
        if armed.is_set():
            both.wait(PATIENCE)
        return numbers

    lanes = opened(with_layer(learn, Lambda(meet)))
    alone = [predicted(learn, picture) for picture in (item(), item((40, 60)))]
    armed.set()
    found = in_threads([lambda: ask(lanes, item()), lambda: ask(lanes, item((40, 60)))])
    assert [torch.equal(one, two) for one, two in zip(found, alone, strict=True)] == [True, True]


def in_threads(work: list[Callable[[], Any]]) -> list[Any]:
    """What each piece of work returns, done together."""
    found: dict[int, Any] = {}

    def do(at: int) -> None:
        found[at] = work[at]()

    threads = [threading.Thread(target=do, args=(at,)) for at in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return [found[at] for at in range(len(work))]


def test_those_that_are_not_known_take_turns(learn: Learner) -> None:
    assert at_once(opened(learn, shared=False)) == 1


class KeepsWhatItSaw(nn.Module):
    last: Any = None

    def forward(self, numbers: Any) -> Any:
        self.last = numbers
        return numbers


class Counts(nn.Module):
    """As BatchNorm counts its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.times: Any
        self.register_buffer("times", torch.zeros(()))

    def forward(self, numbers: Any) -> Any:
        self.times.add_(1)
        return numbers


class NotesInAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, list[int]] = {"sizes": []}

    def forward(self, numbers: Any) -> Any:
        self.notes["sizes"].append(len(numbers))
        return numbers


class PutsAWeightAnew(nn.Module):
    """As fastai's SimpleSelfAttention makes its weight symmetric."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, numbers: Any) -> Any:
        self.weight = nn.Parameter(self.weight * 1, requires_grad=False)
        return numbers * self.weight


def kept_by_a_hook() -> Any:
    """As fastai's Hook keeps what a layer gave."""
    layer, holder = nn.Identity(), nn.Sequential()
    layer.register_forward_hook(lambda layer, given, found: setattr(holder, "stored", found))
    holder.append(layer)
    return holder


WRITES = {
    "what it saw last": KeepsWhatItSaw,
    "a count": Counts,
    "a list": NotesInAList,
    "a weight": PutsAWeightAnew,
    "a hook": kept_by_a_hook,
    "a mean that training left running": lambda: nn.Sequential(nn.Unflatten(1, (2, 1)), Trains()),
}


class Trains(nn.BatchNorm1d):
    """A BatchNorm that goes on training: its means run on."""

    def __init__(self) -> None:
        super().__init__(2)

    def train(self, mode: bool = True) -> "Trains":
        return super().train(True)

    def forward(self, numbers: Any) -> Any:
        return super().forward(numbers.expand(-1, -1, 3))[:, :, 0]


@pytest.mark.parametrize("layer", WRITES.values(), ids=WRITES)
def test_a_network_that_writes_while_it_runs_takes_turns(learn: Learner, layer: Any) -> None:
    lanes = opened(with_layer(learn, layer()))
    assert at_once(lanes) == 1
    assert lanes._threads == 0


class Doubles(Callback):  # type: ignore[misc, unused-ignore]
    def after_pred(self) -> None:
        self.learn.pred = 2 * self.pred


class Darkens(Callback):  # type: ignore[misc, unused-ignore]
    def before_batch(self) -> None:
        self.learn.xb = tuple(part / 2 for part in self.xb)


@pytest.mark.parametrize("callback", [Doubles, Darkens])
def test_a_callback_that_changes_the_numbers_has_its_way(learn: Learner, callback: Any) -> None:
    without = predicted(learn, item((30, 50)))
    learn.add_cb(callback())
    lanes = opened(learn)
    found = ask(lanes, item((30, 50)))
    assert torch.equal(found, predicted(learn, item((30, 50))))
    assert not torch.equal(found, without)
    assert at_once(lanes) == 1


def counted(numbers: Any, seen: list[int]) -> Any:
    seen.append(torch.get_num_threads())
    return numbers


def test_a_picture_that_is_alone_gets_all_cores_and_two_get_one_each(learn: Learner) -> None:
    seen: list[int] = []
    lanes = opened(with_layer(learn, Lambda(lambda numbers: counted(numbers, seen))))
    seen.clear()
    ask(lanes, item())
    with lanes.one():
        ask(lanes, item())
    ask(lanes, item())
    assert seen == [2, 1, 2]


def test_a_thread_that_is_new_to_torch_keeps_to_its_own_count(learn: Learner) -> None:
    """A thread takes over the count that was set last, by whichever thread."""
    seen: list[int] = []
    lanes = opened(with_layer(learn, Lambda(lambda numbers: counted(numbers, seen))))
    seen.clear()
    with lanes.one(), using(2):
        in_threads([lambda: ask(lanes, item())])
    assert seen == [1]


def test_a_network_that_adds_in_another_order_on_two_cores_gets_one(learn: Learner) -> None:
    layer = Lambda(lambda numbers: numbers + torch.get_num_threads() / 1000)
    lanes = opened(with_layer(learn, layer))
    assert torch.equal(ask(lanes, item()), predicted(learn, item()))
    assert at_once(lanes) == 2


def test_one_core_is_one_lane(learn: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_file, "CORES", 1)
    seen: list[int] = []
    lanes = opened(with_layer(learn, Lambda(lambda numbers: counted(numbers, seen))))
    assert torch.equal(ask(lanes, item((30, 50))), predicted(learn, item((30, 50))))
    assert at_once(lanes) == 1
    assert set(seen) == {1}


@pytest.mark.parametrize("allowed", [True, False])
def test_whoever_allows_torch_one_thread_is_obeyed(
    learn: Learner, monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr(lanes_file, "ALLOWED", 2 if allowed else 1)
    seen: list[int] = []
    lanes = opened(with_layer(learn, Lambda(lambda numbers: counted(numbers, seen))))
    ask(lanes, item())
    assert (max(seen), at_once(lanes)) == (2 if allowed else 1, 2)


def test_a_picture_that_fails_gives_its_lane_back(learn: Learner) -> None:
    lanes = opened(learn)
    for _ in range(3):
        with suppress(Exception):
            ask(lanes, "no picture")
    assert at_once(lanes) == 2
    assert torch.equal(ask(lanes, item()), predicted(learn, item()))


def test_a_first_picture_that_fails_opens_nothing_by_itself(learn: Learner) -> None:
    lanes = Lanes(learn, True)
    for _ in range(3):
        with suppress(Exception):
            ask(lanes, "no picture")
    assert lanes._threads == 0
    assert at_once(lanes) == 1
    for _ in range(2):
        ask(lanes, item())
    assert at_once(lanes) == 2


def test_the_lanes_share_the_weights(learn: Learner) -> None:
    def copies() -> int:
        gc.collect()
        kinds = (nn.Parameter, nn.Module)
        return sum(issubclass(type(found), kinds) for found in gc.get_objects())

    predicted(learn, item())
    before = copies()
    assert at_once(opened(learn)) == 2
    assert copies() == before


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_process_that_is_forked_answers(learn: Learner) -> None:
    """With two threads it would wait for ever for those that its parent had."""
    seen: list[int] = []
    lanes = opened(with_layer(learn, Lambda(lambda numbers: counted(numbers, seen))))
    told: Any = multiprocessing.get_context("fork").SimpleQueue()

    def child() -> None:
        seen.clear()
        told.put((ask(lanes, item()).tolist(), seen))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert told.get() == (predicted(learn, item()).tolist(), [1])


ONE_SIZE = {
    "Resize": ([Resize(32)], True),
    "Resize after CropPad": ([Resize(40), CropPad(32)], False),
    "RatioResize": ([RatioResize(40)], False),
    "CropPad": ([CropPad(32)], False),
    "RandomCrop": ([RandomCrop(32)], False),
    "nothing": ([], False),
}


@pytest.mark.parametrize(("item_tfms", "one"), ONE_SIZE.values(), ids=ONE_SIZE)
def test_photos_of_several_sizes_take_turns(tmp_path: Path, item_tfms: Any, one: bool) -> None:
    """For them, one picture does not show what a network does with the next."""
    export = make_export(tmp_path, CategoryBlock, LOSS(), parity, item_tfms=item_tfms)
    assert in_one_size(load_learner(export)) is one
