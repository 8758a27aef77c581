"""Read the transforms that a learner gives a photo to when it predicts.

In comes a transform's record; out goes its name and arguments for today's fastai, or None where it
only changes photos in training. One that is not fastai's is named, and can't be opened.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from voilearn.errors import printable
from voilearn.export.classes import Lineage, lineage_of, names_in_code
from voilearn.export.plain import name_of, plain, state_of
from voilearn.export.records import DamagedPickle, Instance
from voilearn.export.tensors import Tensor, tensor_of

MAX_SIDE = 4096  # pixels that a photo is resized to
RESIZE_METHODS = ("squish", "crop", "pad")
PAD_MODES = ("zeros", "border", "reflection")
# What an author may put in the place of a transform's own code, when it is made.
CODE = ("encodes", "decodes", "before_call", "setups", "__call__")
# ... and in the place of what heeds split_idx, in an object and in a class; what may set it
CALLING = {"before_call", "_call", "_call1", "_do_call", "__class__"}
HEEDING = {"__call__", "_call", "_call1", "_do_call", "__getattribute__"}
SETTING = {"split_idx", "setattr", "__setattr__", "__dict__", "__class__", "store_attr", "vars"}


@dataclass(frozen=True, slots=True)
class Transform:
    """A transform of today's fastai: `name` in `fastai.vision.all`, and what to make it with.

    `order` is its place among the others, where the author changed it.
    """

    name: str
    arguments: Mapping[str, Any]
    order: int | None = None

    def __str__(self) -> str:
        """Write it as an author would: `Resize(size=(224, 224), method='squish')`."""
        given = ", ".join(f"{name}={_written(value)}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(f'{number:.4g}' for number in value)}]"
    return "…" if isinstance(value, Tensor) else repr(value)


class UnknownTransform(DamagedPickle):
    """An author's own transform, or one that is not read; `name` is its class or function.

    `unsaid` means that the file does not tell whether it changes photos in training alone.
    """

    def __init__(self, name: str, unsaid: bool = False) -> None:
        self.name, self.unsaid = printable(name, 80), unsaid
        super().__init__(f"The transform {self.name} is not one of fastai's.")


def read_transform(record: Any) -> Transform | None:
    """Return what a transform's record stands for; None if it does nothing to a prediction.

    Raises UnknownTransform, and DamagedPickle for arguments that make no sense.
    """
    name = name_of(record)
    state = state_of(record)
    if name not in READERS and name not in TRAINING_ONLY:
        if _only_trains(record, name):
            return None
        raise UnknownTransform(str(state.get("_name") or name))
    if any(key in state and not is_own_method(state[key], record, key) for key in CODE):
        raise UnknownTransform(name)
    split = state.get("split_idx")
    if name in TRAINING_ONLY:
        if split not in (None, 0) or ("split_idx" in state and split is None):
            raise UnknownTransform(f"{name}(split_idx={split!r})")  # it changes other photos too
        return None
    if split == 0 and READERS[name] is not _affine:  # those set it anew at every call
        return None
    order = state.get("order")
    return Transform(*READERS[name](state), order if type(order) is int else None)


def _only_trains(record: Any, name: str) -> bool:
    """Say whether an author's transform leaves a photo alone when it is predicted.

    fastai does that by `split_idx`: 0 is training, 1 all else, None is both
    (fasttransform/transform.py, `_call`). It is the object's own, or its class's; raises
    UnknownTransform if it is neither, or if the class has a way of its own to heed it.
    """
    state, (defined, base) = state_of(record), lineage_of(record) or Lineage({}, "")
    split = state.get("split_idx", defined.get("split_idx", SPLITS.get(base, "unsaid")))
    if (split is None or split == 1) and not defined.keys() & HEEDING:
        return False
    by_class = defined.get("split_idx")  # a property there goes before what the object has
    told = type(split) is int and (by_class is None or type(by_class) is int)
    if not told or state.keys() & CALLING or defined.keys() & HEEDING:
        raise UnknownTransform(name, unsaid=True)
    if base not in SPLITS and state.keys() & {"do", "p"}:  # of a RandTransform, which may set it
        raise UnknownTransform(name, unsaid=True)
    if "before_call" in defined:
        used = names_in_code(defined["before_call"])
        if used is None or used & SETTING:
            raise UnknownTransform(name, unsaid=True)
    return bool(split != 1)


def is_own_method(value: Any, record: Any, key: str) -> bool:
    """Say whether this is the object's own method, which fastai puts into it here and there.

    pickle writes it as `getattr(transform, "before_call")`, cloudpickle as a MethodType.
    """
    if not isinstance(value, Instance) or len(value.args) != 2:
        return value is None
    first, second = value.args
    if name_of(value) == "builtins.getattr":
        return first is record and second == key
    is_method = isinstance(value.of, Instance) and value.of.args == ("MethodType",)
    if second is not record or not is_method or name_of(first) != "builtins.getattr":
        return False
    owner, name = first.args
    return name_of(owner).startswith("fastai.") and bool(name == key)


Reader = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def _resize(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    method = _one_of(state.get("method"), RESIZE_METHODS)
    pad_mode = _one_of(state.get("pad_mode"), PAD_MODES)
    sides = {"size": _swapped(state), "method": method, "pad_mode": pad_mode}
    return "Resize", sides | _resamples(state)


def _random_resized_crop(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    extra = {"val_xtra": _number(state.get("val_xtra", 0.14), 0, 4)}
    return "RandomResizedCrop", {"size": _swapped(state)} | extra | _resamples(state)


def _crop_pad(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    pad_mode = _one_of(state.get("pad_mode"), PAD_MODES)
    return "CropPad", {"size": _swapped(state), "pad_mode": pad_mode}


def _random_crop(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "RandomCrop", {"size": _swapped(state)}


def _ratio_resize(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "RatioResize", {"max_sz": _side(plain(state.get("max_sz")))} | _resamples(state)


def _to_float(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "IntToFloatTensor", {"div": _number(state.get("div", 255.0), 1e-3, 1e6)}


def _normalize(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    statistics = {name: tensor_of(state.get(name)) for name in ("mean", "std")}
    for tensor in statistics.values():
        if tensor is None or tensor.size not in ((1, 1, 1, 1), (1, 3, 1, 1)):
            raise DamagedPickle("The statistics of Normalize are not one for each colour.")
        if tensor.dtype not in ("float32", "float64", "float16"):
            raise DamagedPickle("The statistics of Normalize are no numbers.")
    return "Normalize", statistics


def _affine(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    corners = state.get("align_corners")
    if corners not in (None, True, False):
        raise DamagedPickle("A transform's align_corners is neither true nor false.")
    how = {
        "size": None if state.get("size") is None else _sides(plain(state["size"])),
        "mode": _one_of(state.get("mode", "bilinear"), ("bilinear", "nearest", "bicubic")),
        "pad_mode": _one_of(state.get("pad_mode", "reflection"), PAD_MODES),
        "align_corners": corners,
    }
    return "AffineCoordTfm", how


def _crop_on_gpu(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ratio = plain(state.get("ratio", (3 / 4, 4 / 3)))
    if not isinstance(ratio, tuple | list) or len(ratio) != 2:
        raise DamagedPickle("A transform's ratio is no pair.")
    how = {
        "size": _sides(plain(state.get("size"))),
        "ratio": tuple(_number(value, 0.01, 100) for value in ratio),
        "mode": _one_of(state.get("mode", "bilinear"), ("bilinear", "nearest", "bicubic")),
        "valid_scale": _number(state.get("valid_scale", 1.0), 0.01, 1),
    }
    return "RandomResizedCropGPU", how


def _swapped(state: dict[str, Any]) -> tuple[int, int]:
    """Return a size as it was given, height first: item transforms keep it the other way round."""
    width, height = _sides(plain(state.get("size")))
    return height, width


def _sides(size: Any) -> tuple[int, int]:
    both = (size, size) if isinstance(size, int) else size
    if not isinstance(both, tuple | list) or len(both) != 2:
        raise DamagedPickle("A picture's size is no pair of numbers.")
    return _side(both[0]), _side(both[1])


def _side(side: Any) -> int:
    if type(side) is not int or not 1 <= side <= MAX_SIDE:
        raise DamagedPickle(f"A picture's side is not between 1 and {MAX_SIDE:,} pixels.")
    return side


def _resamples(state: dict[str, Any]) -> dict[str, Any]:
    given = (state.get("mode", 2), state.get("mode_mask", 0))
    modes = plain(state.get("resamples", given))
    if "mode" in state:  # what it was made with may have been changed since
        modes = plain(given)
    if not isinstance(modes, tuple | list) or len(modes) != 2:
        raise DamagedPickle("A transform's resamples are no pair.")
    return {"resamples": tuple(_one_of(mode, range(6)) for mode in modes)}


def _one_of(value: Any, known: Any) -> Any:
    found = plain(value)
    if not isinstance(found, str | int) or found not in known:
        raise DamagedPickle(f"A transform's argument is none of {', '.join(map(str, known))}.")
    return found


def _number(value: Any, low: float, high: float) -> float:
    number = plain(value)
    if not isinstance(number, int | float) or not low <= number <= high:
        raise DamagedPickle(f"A transform's number is not between {low} and {high}.")
    return float(number)


AUGMENT, DATA = "fastai.vision.augment.", "fastai.data.transforms."
AFFINE = (
    *("AffineCoordTfm", "Flip", "DeterministicFlip", "Dihedral", "DeterministicDihedral"),
    *("Rotate", "Zoom", "Warp"),
)
READERS: dict[str, Reader] = {
    f"{AUGMENT}Resize": _resize,
    f"{AUGMENT}RandomResizedCrop": _random_resized_crop,
    f"{AUGMENT}CropPad": _crop_pad,
    f"{AUGMENT}RandomCrop": _random_crop,
    f"{AUGMENT}RatioResize": _ratio_resize,
    f"{AUGMENT}RandomResizedCropGPU": _crop_on_gpu,
    f"{DATA}ToTensor": lambda _state: ("ToTensor", {}),
    "fastai.vision.core.ToTensor": lambda _state: ("ToTensor", {}),
    f"{DATA}IntToFloatTensor": _to_float,
    f"{DATA}Normalize": _normalize,
    **{f"{AUGMENT}{name}": _affine for name in AFFINE},
}
# Of class `RandTransform` with `split_idx = 0`: they leave a photo alone when it is predicted.
TRAINING_ONLY = {
    f"{AUGMENT}{name}"
    for name in (
        *("FlipItem", "DihedralItem", "RandomErasing", "Brightness", "Contrast", "Saturation"),
        *("Hue", "LightingTfm", "SpaceTfm", "HSVTfm"),
    )
}
# What each class that authors make their own from has as split_idx
SPLITS: dict[str, int | None] = {
    **dict.fromkeys(
        f"fasttransform.transform.{name}"
        for name in ("Transform", "DisplayedTransform", "ItemTransform", "InplaceTransform")
    ),
    f"{AUGMENT}RandTransform": 0,
    **dict.fromkeys(TRAINING_ONLY, 0),
}
