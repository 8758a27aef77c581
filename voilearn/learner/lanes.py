"""Have a learner answer as many photos at once as there are cores, with one network.

In comes a learner; out come the numbers that `learn.predict` gives for a picture. fastai's
transforms and loops keep what they are doing in themselves, so each lane has transforms of its own;
the network, which is nearly all of the memory, is shared.

That is safe where the layers are known, for `build.py` made them, pictures come in one size, and a
run has shown that it writes nothing into the network: no layer that keeps what it saw last, no
running mean. A network that predicts is only read then, which torch lets any number of threads do.
All others take turns, by `learn.predict`: above all those of an author's own code, which `trust`
opens.

A lane leaves out what `learn.predict` does around the numbers (callbacks, a loop of one batch, what
the batch looked like), and a photo that is alone gets all cores. Both only where a run has shown
the same numbers to the last bit: for some networks, torch adds in another order on two cores.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import nn

from voilearn.machine import granted_cores

Ask = Callable[[Any], torch.Tensor]

ALLOWED = torch.get_num_threads()  # what whoever started this process leaves torch
CORES = granted_cores()  # asked here, so that opening a model looks at nothing but its file


class Lanes:
    """Ways through a learner, of which each takes one picture at a time.

    `shared` says that its layers are known and its pictures come in one size. The first picture
    goes the way of `learn.predict`, the second shows what may be done with those that follow.
    """

    def __init__(self, learn: Learner, shared: bool) -> None:
        self._learn, self._shared = learn, shared
        self._free: list[DataLoaders] = [learn.dls]
        self._count = 1
        self._threads = 0  # for a picture that is alone; 0 until it has been shown
        self._process = os.getpid()
        self._seen = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[Ask]:
        """Wait for a lane, and give what takes an item to the numbers of `learn.predict`."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            loaders = self._free.pop()
            # GNU's OpenMP never wakes, in a process that was forked, the threads of its parent.
            alone = len(self._free) + 1 == self._count and self._process == os.getpid()
        try:
            yield lambda item: self._numbers(loaders, item, alone)
        finally:
            with self._changed:
                self._free.append(loaders)
                self._changed.notify()

    def _numbers(self, loaders: DataLoaders, item: Any, alone: bool) -> torch.Tensor:
        if self._threads:
            with using(self._threads if alone else 1):
                return _straight(self._learn, loaders, item)
        with using(1), self._learn.no_bar():
            numbers: torch.Tensor = self._learn.predict(item)[2]
        self._seen += 1
        if self._shared and self._seen == 2:  # the first made ready what is made ready once
            with suppress(Exception):  # whatever it is, learn.predict has answered without it
                self._look(item, numbers)
        return numbers

    def _look(self, item: Any, expected: torch.Tensor) -> None:
        """Open all lanes, if the learner gives the same numbers there and its network stays."""
        before = _held(self._learn.model)
        threads = self._most_threads(item, expected)
        if not threads or not _same(before, _held(self._learn.model)):
            return
        more = [deepcopy(self._learn.dls) for _ in range(CORES - 1)]
        with self._changed:
            self._free += more
            self._count, self._threads = CORES, threads
            self._changed.notify_all()

    def _most_threads(self, item: Any, expected: torch.Tensor) -> int:
        """Return with how many threads the numbers are those expected, 0 if with none."""
        for threads in sorted({min(CORES, ALLOWED), 1}, reverse=True):
            with using(threads):
                found = _straight(self._learn, self._learn.dls, item)
            if torch.equal(found, _plain(expected)):
                return threads
        return 0


def _straight(learn: Learner, loaders: DataLoaders, item: Any) -> torch.Tensor:
    """Return the numbers of `learn.predict`, by its own transforms, network and loss alone."""
    loader = loaders.test_dl([item], num_workers=0)
    loader.before_iter()  # says to the transforms that this is no training
    batch = loader.after_batch(loader.do_batch([loader.do_item(0)]))
    with torch.no_grad():
        numbers = _plain(learn.model(*batch[: loaders.n_inp]))
        found: torch.Tensor = learn.loss_func.activation(numbers)[0]
    return found


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads in this one, and with as many as before afterwards."""
    # Asked first: a thread's first use of torch takes what was set last, in whichever thread.
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.as_subclass(torch.Tensor)


def _held(network: nn.Module) -> list[tuple[Any, int]]:
    """Return all that a network's layers hold, each with how often a tensor was written."""
    found: list[tuple[Any, int]] = []
    waiting: list[Any] = [vars(layer) for layer in network.modules()]
    while waiting:
        value = waiting.pop()
        found.append((value, value._version if isinstance(value, torch.Tensor) else 0))
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
    return found


def _same(before: list[tuple[Any, int]], after: list[tuple[Any, int]]) -> bool:
    """Tell whether they are the same objects, and none was written."""
    if len(before) != len(after):
        return False
    pairs = zip(before, after, strict=True)
    return all(one is two and times == again for (one, times), (two, again) in pairs)
