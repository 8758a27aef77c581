"""Why a learner can't be built here, if so: what in its export is not fastai's or torch's own.

In come the records that `learner.py` has found; out come sentences, without the file's name in
front, the first of which is shown.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from voilearn.errors import printable
from voilearn.export import other_files
from voilearn.export.classes import LOADER, LOADERS, METHODS, changed_in, changes_answers
from voilearn.export.loss import CantTell
from voilearn.export.network import LIBRARIES, WRAPPERS, Network, library_of
from voilearn.export.parts import opening_of, picture_mode, transforms_in
from voilearn.export.plain import class_name, items_of, name_of, state_of
from voilearn.export.transforms import UnknownTransform, is_own_method, read_transform
from voilearn.missing import is_missing, needs

# What fastai's DataLoader takes functions for (fastai/data/load.py, `_funcs_kwargs`)
LOADER_CODE = (
    *("get_idxs", "sample", "shuffle_fn", "do_batch", "create_item", "create_batch", "retain"),
    *("before_iter", "after_iter", "create_batches", "wif"),
)
KNOWN = "torch, torchvision, timm or fastai"
QUANTIZED = (
    "They compute in whole numbers of 8 bits: export the network as it was before that. "
    "voilearn compile --int8 makes such numbers of it."
)
# Layers of libraries that are not read, by how their names begin
WHY = {
    "torch.fx.": (
        "What they compute is Python code in the file (torch.fx), and no code of a file is run: "
        "export the network that they were traced from, with these weights."
    ),
    "torch.jit.": "They are compiled by TorchScript: export the network as it was before that.",
    "torch.ao.": QUANTIZED,
    "torch.distributed.": (
        "They hold parts of the weights, for several processes: export the whole network."
    ),
    "peft.": "Merge them: learn.model = learn.model.merge_and_unload(), and export it again.",
}


def hindrances(
    network: Network,
    photos: dict[str, Any],
    transforms: Sequence[Any],
    learner: dict[str, Any],
    loader: Any,
    activation: Any,
) -> Iterator[str]:
    """Yield each thing that stands in the way of building the learner, the gravest first.

    `photos` is the state of what opens a photo, `transforms` are the records of all that it goes
    through, `learner` is the learner's state, `loader` the record of the loader that predicts,
    `activation` what `activation_of` says.
    """
    yield from _unknown_layers(network)
    yield from _unknown_pictures(photos)
    yield from _unknown_transforms(transforms)
    yield from _unknown_loader(loader, learner.get("dls"))
    yield from _changing_callbacks(learner)
    if own := sorted(learner.keys() & METHODS):
        yield (
            f"has code of its author's own in the place of the learner's {_listed(own)}. If no "
            f"answer needs it, del learn.{own[0]} where it was trained, and learn.export() again. "
            + other_files.IF_YOU_TRUST.replace("If you", "If one does, and you", 1)
        )
    if isinstance(activation, CantTell):
        yield activation.why
    yield from _missing_packages(network)  # last: that is of no file, but of this machine


def _unknown_layers(network: Network) -> Iterator[str]:
    unread: dict[str, list[str]] = {}
    for name, place in network.unknown.items():
        unread.setdefault(_why(name), []).append(f"{name} at {place}")
    for why, layers in unread.items():
        yield (f"has layers that are not read: {_listed(layers)}. {why} {other_files.IF_YOU_TRUST}")
    if network.hooked:
        hooked = [f"{name} at {place}" for name, place in network.hooked.items()]
        yield (
            f"has layers with hooks, code that runs whenever they do: {_listed(hooked)}. If no "
            f"answer needs that code, empty the _forward_hooks, _forward_pre_hooks, "
            f"_backward_hooks and _backward_pre_hooks of each layer in learn.model.modules(), and "
            f"export it again. {other_files.IF_YOU_TRUST}"
        )
    if network.replaced:
        replaced = [f"{name} at {place}" for name, place in network.replaced.items()]
        yield (
            f"has layers with code in the place of their own forward(): {_listed(replaced)}. "
            f"If Accelerate put it there: learn.model = accelerator.unwrap_model(learn.model, "
            f"keep_fp32_wrapper=False), and export it again. {other_files.IF_YOU_TRUST}"
        )


def _missing_packages(network: Network) -> Iterator[str]:
    libraries = {library_of(name) or "" for name in network.layers} - {""} | {"fastai"}
    if absent := sorted(filter(is_missing, libraries)):
        yield needs(absent)


def _why(name: str) -> str:
    """Say what is not read about a layer's class, and what to do about it."""
    if name in WRAPPERS:
        return "Something of the author's own is put into them: export the network that they hold."
    package = name.partition(".")[0]
    if package in LIBRARIES:
        told = f"They are {package}'s, but not of its layers that are made without running code."
        return next((why for start, why in WHY.items() if name.startswith(start)), told)
    whose = "the author's own" if package == "__main__" else f"of the package {package}"
    return WHY.get(f"{package}.", f"They are {whose}: train with layers of {KNOWN} instead.")


def _unknown_pictures(photos: dict[str, Any]) -> Iterator[str]:
    if picture_mode(photos) is None:
        kind = class_name((items_of(photos.get("types")) or [None])[-1])
        yield (
            f"takes pictures of a kind that is not read, {printable(kind, 80)}: PILImage and "
            f"PILImageBW are. {other_files.IF_YOU_TRUST}"
        )
    elif opening_of(photos) is None:
        opens = [str(state_of(t).get("_name", name_of(t))) for t in transforms_in(photos)]
        opens = [name for name in opens if name != "noop"]
        yield (
            f"opens photos by code that is not fastai's own: {printable(_listed(opens), 200)}. "
            "With --trust (trust=True), which runs the code in it, PILImage.create opens them in "
            "its place: do so if that gives the same pictures, and you trust whoever made it."
        )


def _unknown_transforms(records: Sequence[Any]) -> Iterator[str]:
    for record in records:
        try:
            read_transform(record)
        except UnknownTransform as error:
            if error.unsaid:
                yield (
                    f"has a transform of its author's own, {error.name}, and does not tell whether "
                    "it changes photos in training alone. If so, take it out of "
                    "learn.dls.valid.after_item.fs (or after_batch.fs), and learn.export() again. "
                    + other_files.IF_YOU_TRUST.replace("If you", "If not, and you", 1)
                )
                continue
            yield (
                f"changes each photo by a transform that is not fastai's own: {error.name}. "
                f"{other_files.IF_YOU_TRUST}"
            )


def _unknown_loader(loader: Any, loaders: Any) -> Iterator[str]:
    """Yield what an author put in the place of a loader's own ways to make a batch."""
    state = state_of(loader)
    own = [key for key in LOADER_CODE if not is_own_method(state.get(key), loader, key)]
    if transforms_in(state_of(state.get("before_batch"))):
        own.append("before_batch")
    if not name_of(loader).startswith("fastai.") and changed_in(loader, LOADER) != []:
        own.append(name_of(loader))
    own += changed_in(loaders, LOADERS) or []
    if own:
        yield (
            f"makes its batches by code of the author's own: {_listed(own)}. "
            f"{other_files.IF_YOU_TRUST}"
        )


def _changing_callbacks(learner: dict[str, Any]) -> Iterator[str]:
    for callback in items_of(learner.get("_cbs", learner.get("cbs"))):
        if events := changes_answers(callback):
            name = printable(name_of(callback), 80)
            yield (
                f"has a callback of its author's own, {name}, that may change what it predicts "
                f"({_listed(events)}). If no answer needs it, learn.remove_cb("
                f"{name.rpartition('.')[2]}) where it was trained, and learn.export() again. "
                + other_files.IF_YOU_TRUST.replace("If you", "If one does, and you", 1)
            )


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
