"""Find out what a network would compute for one photo, without computing it.

In come a network and a photo's size; out goes a `Cost`, or RefusedPickle if it is more than is
allowed. A file of a few kilobytes can ask for a terabyte: the network is run on torch's meta device
first, where tensors have sizes and no numbers. So what a photo may cost grows with the weights that
a file brings, up to what the machine has.
"""

import math
import os
import time
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torchvision.transforms import Normalize

from voilearn.errors import UnusableModel
from voilearn.export.network import Network
from voilearn.export.records import RefusedPickle, check_time
from voilearn.machine import free_memory

RAISE = "VOILEARN_COST"  # of the environment: so many times what is allowed is allowed
# For any network, and for each of its weights: squeezenet1_1 takes 174,000 operations a weight at
# 2,000 pixels, vgg16 50 times its weights in memory at 1,024, mobilenet_v2 93 times at 2,000
OPERATIONS, OPERATIONS_A_WEIGHT = 500e9, 150e3
BYTES, BYTES_A_WEIGHT = 700e6, 400
PATIENCE = 10e12  # operations, whatever the weights: some minutes on one core
# Of one thread, with the first photo, where no more than OPERATIONS is allowed
OPENING_SECONDS = 9.5
TOUCH = 50  # operations that are done in the time that reading and writing a number takes
ANY_SIZE = (320, 320)  # of the photo a network is tried on that takes photos of any size
STEPS = 20_000  # nfnet_f6 takes 4,031
HOPELESS = 1000  # times what is allowed: then it is not looked how much more it is
FREE = free_memory()  # in bytes, now: a file that is opened later has nothing read but itself
MAX_ALIVE = 2_000
GROWTH = 20e6  # bytes, after which the dead are counted out
A_STEP = 10  # of torch's on the meta device are about one step of a recurrent layer


@dataclass(slots=True)
class Cost:
    """Floating-point operations, numbers touched, the most bytes at one time, and steps."""

    operations: float = 0
    touched: int = 0
    bytes: int = 0
    steps: int = 0

    @property
    def work(self) -> float:
        """Operations, and what reading and writing takes, counted in operations."""
        return self.operations + TOUCH * self.touched


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one photo may cost: operations, bytes beside the weights, and steps of torch's."""

    operations: float
    bytes: float
    steps: float

    @property
    def seconds(self) -> float:
        """How long opening may take, with the first photo, in seconds of one thread."""
        return OPENING_SECONDS * self.operations / OPERATIONS

    def times(self, cost: Cost) -> float:
        """Return how many times what is allowed a cost is."""
        # Where no memory is left, none is enough.
        return max(
            cost.work / self.operations, cost.bytes / max(self.bytes, 1), cost.steps / self.steps
        )

    def check(self, cost: Cost) -> None:
        """Raise RefusedPickle, with what it takes and what is allowed, if a cost is too much."""
        if (times := self.times(cost)) <= 1:
            return
        over = "over " if times > HOPELESS else ""
        raise RefusedPickle(
            f"The network takes {over}{_told(cost.work, cost.bytes, cost.steps)} for one photo; "
            f"allowed are {_told(self.operations, self.bytes, self.steps)}",
            _to_raise(times),
        )


def allowance(weights: int) -> Allowance:
    """Return what a photo may cost on this machine, for a network of so many weights.

    Raises UnusableModel if VOILEARN_COST is no number.
    """
    raised = _raised()
    memory = max(BYTES, BYTES_A_WEIGHT * weights)
    operations = min(max(OPERATIONS, OPERATIONS_A_WEIGHT * weights), PATIENCE)
    memory = memory if FREE is None else min(memory, FREE)
    return Allowance(raised * operations, raised * memory, raised * STEPS)


def check_weights(network: Network) -> None:
    """Raise RefusedPickle if a network's weights take more memory than the machine has left."""
    if FREE is not None and network.memory > FREE * _raised():
        raise RefusedPickle(
            f"The network's weights take {_size(network.memory)} of memory; "
            f"{_size(FREE)} are free on this machine",
            "Open it on one with more memory.",
        )


def _raised() -> float:
    given = os.environ.get(RAISE) or "1"
    try:
        if 1 <= float(given) < math.inf:
            return float(given)
    except ValueError:
        pass
    raise UnusableModel(f"{RAISE} is {given[:40]!a}: give a number, 1 or more.")


def _to_raise(times: float) -> str:
    """Return what to do about a cost of so many times what is allowed."""
    if times > HOPELESS:
        return "No classifier needs as much: train with photos or a network of a smaller size."
    return (
        f"Train with photos of a smaller size; or, if this machine can do it, set the environment "
        f"variable {RAISE}={math.ceil(times * _raised())}, which allows so many times as much."
    )


def _told(operations: float, size: float, steps: float) -> str:
    billions = f"{min(operations, 1e18) / 1e9:,.0f} billion operations"
    return f"{billions}, {_size(size)} of memory and {steps:,.0f} steps"


def _size(size: float) -> str:
    return f"{min(size, 1e15) / 1e6:,.0f} MB"


class Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Ends what torch does inside, with RefusedPickle, after so many seconds of this thread's time.

    What kinds of layers take for a number differs by tens: no count of them tells the time.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds, self.end = seconds, time.thread_time() + seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if time.thread_time() > self.end:
            raise RefusedPickle(
                "The network takes too long: its first photo more than "
                f"{self.seconds:,.1f} seconds of one core",
                _to_raise(2),
            )
        return func(*args, **(kwargs or {}))


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what each step of torch's would take."""

    def __init__(self, weights: Iterable[torch.Tensor], allowed: Allowance) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cost, self.allowed = Cost(), allowed
        self.weights = {StorageWeakRef(w.untyped_storage()) for w in weights}  # type: ignore[no-untyped-call]
        self.alive: dict[Any, int] = {}  # outcomes that somebody may still hold, and their bytes
        self.held, self.counted = 0, 0  # those bytes, now and when the dead were last left out

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        check_time()
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.hold(tensor.untyped_storage())
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.cost.operations += count(*args, **(kwargs or {}), out_val=out)
        self.cost.touched += _touched(func, args, out)
        self.cost.steps += 1
        self.cost.bytes = max(self.cost.bytes, self.held + _workspace(func, args, out))
        if self.allowed.times(self.cost) > HOPELESS or self.cost.steps > self.allowed.steps:
            self.allowed.check(self.cost)
        return out

    def hold(self, storage: Any) -> None:
        ref = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        if ref in self.weights:  # a view of one takes nothing
            return
        self.held += 0 if ref in self.alive else storage.nbytes()
        self.alive[ref] = storage.nbytes()
        if self.held > self.counted + GROWTH or len(self.alive) > MAX_ALIVE:
            self.alive = {ref: size for ref, size in self.alive.items() if not ref.expired()}
            self.held = self.counted = sum(self.alive.values())
            if len(self.alive) > MAX_ALIVE:
                raise RefusedPickle(f"The network holds more than {MAX_ALIVE:,} tensors at a time")


class _Recurrent(TorchFunctionMode):
    """Has a recurrent layer do its first step alone, and counts the others as often."""

    def __init__(self, meter: _Meter) -> None:
        super().__init__()
        self.meter = meter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = getattr(func, "__name__", "")
        if kind not in ("lstm", "gru", "rnn_tanh", "rnn_relu") or len(args) != 9:
            return func(*args, **(kwargs or {}))
        along = 1 if args[8] else 0  # whether the photos of a batch come first
        length = max(args[0].shape[along], 1)
        before = replace(self.meter.cost)
        numbers, *states = func(args[0].narrow(along, 0, 1), *args[1:])
        cost = self.meter.cost
        cost.operations += (length - 1) * (cost.operations - before.operations)
        cost.touched += (length - 1) * (cost.touched - before.touched)
        cost.steps += length * (cost.steps - before.steps) // A_STEP
        sides = list(numbers.shape)
        sides[along] = length
        return (numbers.new_empty(sides), *states)


def _touched(func: Any, args: Any, out: Any) -> int:
    """Return how many numbers a step reads or writes, again for each place that it looks from."""
    window = 1
    if "pool" in func.overloadpacket.__name__ and len(args) > 1 and isinstance(args[1], list):
        window = prod(args[1]) if "adaptive" not in func.overloadpacket.__name__ else 1
    outcomes = out if isinstance(out, tuple | list) else (out,)
    tensors = [t for t in (*args[:2], *outcomes) if isinstance(t, torch.Tensor)]
    return window * max((t.numel() for t in tensors), default=0)


def _workspace(func: Any, args: Any, out: Any) -> int:
    """Return the bytes of the columns that a convolution may unfold its input into."""
    if func.overloadpacket is not torch.ops.aten.convolution:
        return 0
    _, inner, *kernel = args[1].shape
    return 4 * int(inner * prod(kernel) * prod(out.shape[2:])) if prod(kernel) > 1 else 0


def _reason(error: Exception) -> str:
    """Return the first line of what a library says, without what can't be printed."""
    said = "".join(c for c in str(error).partition("\n")[0] if c.isprintable())
    return f"{type(error).__name__}: {said[:120]}"


def check_cost(network: nn.Module, channels: int, size: tuple[int, int] | None) -> Cost:
    """Return what one photo of `size` (height, width) costs; raise RefusedPickle if too much.

    How much that is, `allowance` says.

    Also raised where the network does not run at all, unless the size of its photos is not known.
    """
    weights = [*network.parameters(), *network.buffers()]
    # A copy, in which each weight is one without numbers: no number is copied, nothing is touched.
    bare: dict[int, Any] = {id(weight): weight.to("meta") for weight in weights}
    copy = deepcopy(network, bare)
    for layer in copy.modules():
        if isinstance(layer, Normalize):  # it looks at its numbers, which are none here
            layer.forward = torch.clone
    allowed = allowance(sum(weight.numel() for weight in weights))
    meter = _Meter([bare[id(weight)] for weight in weights], allowed)
    height, width = size or ANY_SIZE
    photo = torch.empty(1, channels, height, width, device="meta")
    try:
        with torch.no_grad(), meter, _Recurrent(meter):
            copy(photo)
    except RefusedPickle:
        raise
    except Exception as error:  # a layer may raise anything
        allowed.check(meter.cost)
        if size is None:
            return meter.cost
        raise RefusedPickle(
            f"The network does not run on a picture of {width} x {height} pixels: {_reason(error)}",
            "Check that learn.predict works in its notebook, and export it again.",
        ) from error
    allowed.check(meter.cost)
    return meter.cost
