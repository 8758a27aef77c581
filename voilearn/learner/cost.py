"""Find out what a network would compute for one photo, without computing it.

In come a network and a photo's size; out goes a `Cost`, or RefusedPickle if it is more than any
classifier needs. A file of a few kilobytes can ask for a terabyte: the network is run on torch's
meta device first, where tensors have sizes and no numbers.
"""

import time
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from voilearn.export.records import RefusedPickle, check_time

# convnext_xlarge at 384 pixels takes 415 billion, with what it touches
MAX_OPERATIONS = 500e9
MAX_BYTES = 700e6  # that are needed at one time, beside the weights
TOUCH = 50  # operations that are done in the time that reading and writing a number takes
ANY_SIZE = (320, 320)  # of the photo a network is tried on that takes photos of any size
MAX_STEPS = 20_000  # hrnet_w64 takes 1,471
MAX_ALIVE = 2_000
GROWTH = 20e6  # bytes, after which the dead are counted out


@dataclass(slots=True)
class Cost:
    """Floating-point operations, numbers touched, the most bytes at one time, and steps."""

    operations: float = 0
    touched: int = 0
    bytes: int = 0
    steps: int = 0

    def check(self) -> None:
        """Raise RefusedPickle if this is too much."""
        work = self.operations + TOUCH * self.touched
        if work > MAX_OPERATIONS or self.bytes > MAX_BYTES or self.steps > MAX_STEPS:
            raise RefusedPickle(
                "The network needs more for one photo than any classifier: over "
                f"{MAX_OPERATIONS / 1e9:.0f} billion operations, {MAX_BYTES / 1e6:.0f} MB or "
                f"{MAX_STEPS:,} steps"
            )


class Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Ends what torch does inside, with RefusedPickle, after so many seconds of this thread's time.

    What kinds of layers take for a number differs by tens: no count of them tells the time.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.end = time.thread_time() + seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if time.thread_time() > self.end:
            raise RefusedPickle("The network takes too long for one photo")
        return func(*args, **(kwargs or {}))


class _Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what each step of torch's would take."""

    def __init__(self, weights: Iterable[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cost = Cost()
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
        self.cost.check()
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

    Also raised where the network does not run at all, unless the size of its photos is not known.
    """
    weights = [*network.parameters(), *network.buffers()]
    # A copy, in which each weight is one without numbers: no number is copied, nothing is touched.
    bare: dict[int, Any] = {id(weight): weight.to("meta") for weight in weights}
    copy = deepcopy(network, bare)
    meter = _Meter([bare[id(weight)] for weight in weights])
    height, width = size or ANY_SIZE
    photo = torch.empty(1, channels, height, width, device="meta")
    try:
        with torch.no_grad(), meter:
            copy(photo)
    except RefusedPickle:
        raise
    except Exception as error:  # a layer may raise anything
        if size is None:
            return meter.cost
        raise RefusedPickle(
            f"The network does not run on a picture of {width} x {height} pixels: {_reason(error)}"
        ) from error
    return meter.cost
