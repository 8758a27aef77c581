"""Tell what an author's own class changes, where cloudpickle wrote it into the file whole.

In come the records of a pickle; out goes, of an object, what the classes of its author define, by
name, and the library's class that they are made from. Their code is not read, only its names.
"""

from typing import Any, NamedTuple

from voilearn.export.old_names import today
from voilearn.export.plain import MAX_ATTRIBUTES, state_of
from voilearn.export.records import Global, Instance, Pickle

MAX_CLASSES = 8  # each made from the next
METACLASSES = ("builtins.type", "fasttransform.transform._TfmMeta", "fastcore.transform._TfmMeta")
NAMES = 8  # the place of the names that it uses among what a code object is made of


LEARNER, CALLBACK = "fastai.learner.Learner", "fastai.callback.core.Callback"
LOADER, LOADERS = "fastai.data.core.TfmdDL", "fastai.data.core.DataLoaders"
# fmt: off
# What each of fastai's classes has that its predict uses, or may (fastai/learner.py, data/load.py
# and data/core.py, of 2.8.12): whatever else a class made from it defines is for training.
PREDICTING = {
    LEARNER: frozenset((
        "predict", "get_preds", "validation_context", "no_bar", "no_logging", "no_mbar", "x", "y",
        "all_batches", "one_batch", "loss_not_reduced", "metrics", "to_detach", "add_cb", "add_cbs",
        "added_cbs", "remove_cb", "remove_cbs", "removed_cbs", "ordered_cbs", "model", "dls", "dl",
        "loss_func", "loss", "loss_grad", "cbs", "default_cbs", "xb", "yb", "pred", "training",
        "epoch", "n_epoch", "iter", "n_iter", "train_iter", "pct_train", "final_record", "lock",
        "create_mbar", "logger", "recorder", "progress", "cast_to_tensor", "train_eval", "lr",
        "moms", "wd", "wd_bn_bias", "train_bn", "opt", "opt_func", "path", "model_dir", "splitter",
        "to_fp32", "to_contiguous", "to_non_native_fp32", "_do_one_batch", "_do_epoch_validate",
        "_split", "_with_events", "_set_device", "_call_one", "_component_attr_filter", "_default",
        "_dir", "_metrics", "_end_cleanup", "_grab_cbs", "_xtra",
    )),
    LOADER: frozenset((
        "after_batch", "after_item", "after_iter", "before_batch", "before_iter", "chunkify",
        "create_batch", "create_batches", "create_item", "dataset", "decode", "decode_batch",
        "device", "do_batch", "do_item", "get_idxs", "n_inp", "new", "o", "one_batch", "prebatched",
        "randomize", "retain", "sample", "shuffle_fn", "to", "wif", "bs", "drop_last", "fake_l",
        "indexed", "n", "num_workers", "offs", "pin_memory", "rng", "shuffle", "timeout", "it",
        "_component_attr_filter", "_decode_batch", "_default", "_device", "_dir", "_methods",
        "_n_inp", "_noop_methods", "_one_pass", "_retain_dl", "_types", "_xtra",
    )),
    LOADERS: frozenset((
        "test_dl", "valid", "valid_ds", "train", "train_ds", "loaders", "device", "to", "cpu",
        "cuda", "path", "new_empty", "n_inp", "decode_batch", "_component_attr_filter", "_default",
        "_device", "_dir", "_set", "_xtra",
    )),
}
# fmt: on
# Those of a learner's that are methods: in an object's own state, an author put another there
METHODS = {"predict", "get_preds", "validation_context", "_do_epoch_validate", "_do_one_batch"}
# When a callback is called as a photo is predicted, and what of the learner's changes an answer
EVENTS = ("before_validate", "before_batch", "after_pred", "after_loss", "after_batch")
SET, HEEDED = {"pred", "xb", "model"}, {"training", "run_valid"}
# What Python and cloudpickle put into any class
NOTES = frozenset(
    f"__{name}__"
    for name in (
        *("module", "doc", "qualname", "annotations", "firstlineno", "static_attributes"),
        *("slotnames", "signature", "parameters", "orig_bases", "type_params", "annotate_func"),
    )
)


class Lineage(NamedTuple):
    """What an object's class has of its author's: `defined` there, and the library's `base`.

    `base` is a name, of the author's own class where that is in no file of his, and so unknown.
    """

    defined: dict[str, Any]
    base: str


def put_definitions(pickled: Pickle) -> None:
    """Put what cloudpickle defines in each class to its record, as its state."""
    for made in pickled.instances:
        if made.path.endswith("._class_setstate") and len(made.args) == 2:
            cls, state = made.args
            if isinstance(cls, Instance) and len(cls.states) < MAX_CLASSES:
                cls.states = (*cls.states, state)


def lineage_of(record: Any) -> Lineage | None:
    """Return what a record's class defines, and its base; None if that can't be told."""
    of, defined = getattr(record, "of", None), dict[str, Any]()
    for _ in range(MAX_CLASSES):
        if isinstance(of, Global):
            return Lineage(defined, today(of.path))
        if not isinstance(of, Instance) or not of.path.endswith("._make_skeleton_class"):
            return None
        maker, _, bases, given = (*of.args, None, None, None, None)[:4]
        if not isinstance(maker, Global) or today(maker.path) not in METACLASSES:
            return None
        if not isinstance(bases, tuple) or len(bases) != 1 or len(of.states) != 1:
            return None
        if not isinstance(given, dict) or len(given) > MAX_ATTRIBUTES:
            return None
        defined = {**given, **state_of(of), **defined}
        (of,) = bases
    return None


def changed_in(record: Any, base: str) -> list[str] | None:
    """Return what an object's class changes of what its `base` does to predict, by name.

    None if that can't be told: it is of another base, or its class is not in the file.
    """
    lineage = lineage_of(record)
    if lineage is None or lineage.base != base:
        return None
    own = lineage.defined.keys() - NOTES - ({"__init__"} if base == LEARNER else set())
    return sorted(name for name in own if name in PREDICTING[base] or name.startswith("__"))


def changes_answers(callback: Any) -> list[str]:
    """Return when an author's callback may change an answer, as far as the file has its code.

    It does by `self.learn.pred = …`; one that asks whether it is training is taken to heed that.
    """
    defined, base = lineage_of(callback) or Lineage({}, "")
    if base != CALLBACK or defined.get("run_valid", True) is False:
        return []
    found = {event: _names_used(event, defined) for event in EVENTS if event in defined}
    return [e for e, used in found.items() if "learn" in used and used & SET and not used & HEEDED]


def _names_used(method: str, defined: dict[str, Any]) -> set[str]:
    """Return the names that a method's code uses, and those methods of its class that it names."""
    used, waiting = set[str](), [method]
    while waiting:
        new = (names_in_code(defined[waiting.pop()]) or set()) - used
        used |= new
        waiting.extend(new & defined.keys())
    return used


def names_in_code(function: Any) -> set[str] | None:
    """Return the names of attributes and globals that a function's code uses; None if unknown."""
    code = function.args[0] if isinstance(function, Instance) and function.args else None
    names = code.args[NAMES] if isinstance(code, Instance) and len(code.args) > NAMES else None
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        return None
    return set(names)
