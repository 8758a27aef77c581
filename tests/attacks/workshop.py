"""Where attacks are built: the register of them, and what each is given to work with.

In comes a small good export; out goes, for each attack, a file. An attack is a function whose
docstring is the reason it exists, and that returns the file's bytes, or a path it made itself.

    smuggle  the good export, with opcodes run (and thrown away) before it
    instead  a pickle of nothing but the opcodes, with fastai's name in it
    planted  the good learner, changed by hand, and saved the usual way
"""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.assemble import OP, WRITING, name, parts_of, start, torch_zip

FASTAI = name("fastai.learner", "Learner")


@dataclass(frozen=True)
class Workshop:
    """What an attack works with.

    `marker` is the file that its payload writes, `command` and `code` write it in the shell and
    in Python. `good` is an export that opens, `folder` where the attack may write.
    """

    good: bytes
    folder: Path
    marker: Path

    @property
    def command(self) -> str:
        return f"touch {self.marker}"

    @property
    def code(self) -> str:
        return f"open({str(self.marker)!r}, 'w').close()"

    @property
    def pickled(self) -> bytes:
        return parts_of(self.good)[0]

    @property
    def storages(self) -> dict[str, bytes]:
        return parts_of(self.good)[1]

    def smuggle(self, opcodes: bytes, protocol: int = 2) -> bytes:
        return self.zipped(start(protocol) + opcodes + OP.POP + self.pickled[2:])

    def instead(self, opcodes: bytes, protocol: int = 2) -> bytes:
        return torch_zip(start(protocol) + FASTAI + OP.POP + opcodes + OP.STOP)

    def zipped(self, pickled: bytes, storages: Mapping[str, bytes] | None = None) -> bytes:
        return torch_zip(pickled, self.storages if storages is None else storages)

    def planted(self, change: Callable[[Any], object], zipped: bool = True) -> bytes:
        return save(self.changed(change), zipped)

    def changed(self, change: Callable[[Any], object]) -> Any:
        learn = load(self.good)
        change(learn)
        return learn

    def rewritten(self, change: Callable[[bytes], bytes]) -> bytes:
        """The good export with its pickle changed as bytes; it must have changed."""
        changed = change(self.pickled)
        assert changed != self.pickled
        return self.zipped(changed)


Build = Callable[[Workshop], bytes | Path]


@dataclass(frozen=True)
class Attack:
    """`fires`: opened the usual way, its payload runs. `opens`: ours may open it, harmlessly."""

    name: str
    theme: str
    reason: str
    build: Build = field(repr=False)
    fires: bool = False
    opens: bool = False
    large: bool = False


ATTACKS: dict[str, Attack] = {}


def add(theme: str, label: str, reason: str, build: Build, **kind: bool) -> None:
    assert label not in ATTACKS, f"two attacks are called {label}"
    ATTACKS[label] = Attack(label, theme, reason, build, **kind)


def attack(**kind: bool) -> Callable[[Build], Build]:
    """Register a function as an attack of its module's theme."""

    def register(build: Build) -> Build:
        reason = (build.__doc__ or "").strip()
        assert reason and "\n" not in reason, "an attack says in one line why it is there"
        add(build.__module__.rpartition(".")[2], build.__name__, reason, build, **kind)
        return build

    return register


def load(export: bytes) -> Any:
    """Open an export of our own making, the usual way."""
    import torch

    return torch.load(io.BytesIO(export), weights_only=False)


def save(learn: Any, zipped: bool = True) -> bytes:
    import torch

    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(
            learn,
            file,
            pickle_module=WRITING,
            pickle_protocol=2,
            _use_new_zipfile_serialization=zipped,
        )
    return file.getvalue()


def make_good_export(folder: Path) -> bytes:
    """A learner of eight pictures and a network of two layers, exported as a student would."""
    import fastai.callback.progress  # whose callback is in every learner from then on
    import torch
    from fastai.data.block import CategoryBlock, DataBlock
    from fastai.data.transforms import Normalize, RandomSplitter, get_image_files, parent_label
    from fastai.learner import Learner
    from fastai.losses import CrossEntropyLossFlat
    from fastai.vision.augment import Resize
    from fastai.vision.data import ImageBlock
    from torch import nn

    from tests.conftest import draw

    assert fastai.callback.progress
    for label in ("even", "odd"):
        (folder / label).mkdir(parents=True)
        for i in range(4):  # of which two at most are kept back: both labels are known
            draw((40, 30 + i)).save(folder / label / f"{i}.png")
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_items=get_image_files,
        splitter=RandomSplitter(0.25, seed=0),
        get_y=parent_label,
        item_tfms=Resize(16),
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False),
    )
    torch.manual_seed(0)
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *pool, nn.Linear(4, 2))
    loaders = block.dataloaders(folder, bs=2, num_workers=0)
    learn = Learner(loaders, net, loss_func=CrossEntropyLossFlat(), path=folder)
    learn.export("good.pkl", pickle_module=WRITING)
    return (folder / "good.pkl").read_bytes()
