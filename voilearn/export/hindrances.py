"""Why a learner can't be built here, if so: what in its export is not fastai's or torch's own.

In come the records that `learner.py` has found; out come sentences, without the file's name in
front, the first of which is shown.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

from voilearn.export import other_files
from voilearn.export.loss import CantTell
from voilearn.export.network import Network, library_of
from voilearn.export.parts import opening_of, picture_mode, transforms_in
from voilearn.export.plain import name_of, state_of
from voilearn.export.transforms import UnknownTransform, is_own_method, read_transform

# What fastai's DataLoader takes functions for (fastai/data/load.py, `_funcs_kwargs`)
LOADER_CODE = (
    *("get_idxs", "sample", "shuffle_fn", "do_batch", "create_item", "create_batch", "retain"),
    *("before_iter", "after_iter", "create_batches", "wif"),
)


def hindrances(
    network: Network,
    photos: dict[str, Any],
    transforms: Sequence[Any],
    loader: Any,
    activation: Any,
) -> Iterator[str]:
    """Yield each thing that stands in the way of building the learner, the gravest first.

    `photos` is the state of what opens a photo, `transforms` are the records of all that it goes
    through, `loader` that of the learner's loader, `activation` what `activation_of` says.
    """
    yield from _unknown_layers(network)
    yield from _unknown_pictures(photos)
    yield from _unknown_transforms(transforms)
    yield from _unknown_loader(loader)
    if isinstance(activation, CantTell):
        yield activation.why


def _unknown_layers(network: Network) -> Iterator[str]:
    if network.unknown:
        yield (
            f"has layers that are not torch's, torchvision's, timm's or fastai's: "
            f"{_listed(network.unknown)}. {other_files.IF_YOU_TRUST}"
        )
    if network.hooked:
        yield (
            f"has layers with hooks, code that runs whenever they do (weight_norm and "
            f"spectral_norm are such): {_listed(network.hooked)}. {other_files.IF_YOU_TRUST}"
        )
    for library in sorted({library_of(name) or "" for name in network.layers} - {""}):
        if importlib.util.find_spec(library) is None:
            yield (
                f"needs the Python package {library}, which is not installed here: "
                f"python -m pip install {library}"
            )


def _unknown_pictures(photos: dict[str, Any]) -> Iterator[str]:
    if picture_mode(photos) is None or opening_of(photos) is None:
        yield f"takes pictures of a kind that is not fastai's own. {other_files.IF_YOU_TRUST}"


def _unknown_transforms(records: Sequence[Any]) -> Iterator[str]:
    for record in records:
        try:
            read_transform(record)
        except UnknownTransform as error:
            yield (
                f"changes each photo by a transform that is not fastai's own: {error.name}. "
                f"{other_files.IF_YOU_TRUST}"
            )


def _unknown_loader(loader: Any) -> Iterator[str]:
    """Yield what an author put in the place of a loader's own ways to make a batch."""
    state = state_of(loader)
    own = [key for key in LOADER_CODE if not is_own_method(state.get(key), loader, key)]
    if transforms_in(state_of(state.get("before_batch"))):
        own.append("before_batch")
    if not name_of(loader).startswith("fastai."):
        own.append(name_of(loader))
    if own:
        yield (
            f"makes its batches by code of the author's own: {_listed(own)}. "
            f"{other_files.IF_YOU_TRUST}"
        )


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
