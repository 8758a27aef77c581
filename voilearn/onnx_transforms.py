"""Write the transforms that a learner predicts with as nodes of an ONNX graph.

In come a learner and a value of the graph, a photo's pixels; out goes the value that its network
takes. The nodes do what Pillow and fastai do, so that any runtime gives the learner's answers.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from fastai.data.transforms import IntToFloatTensor, Normalize, ToTensor
from fastai.learner import Learner
from fastai.vision.augment import (
    AffineCoordTfm,
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    RandomResizedCropGPU,
    RatioResize,
    Resize,
)
from fastai.vision.core import TensorImage
from onnx_ir.tape import Tape

from voilearn.errors import UnusableModel

INT64, DOUBLE, UINT8, INT32, FLOAT = (
    int(getattr(ir.DataType, name)) for name in ("INT64", "DOUBLE", "UINT8", "INT32", "FLOAT")
)
# Pillow's filters by their numbers; it has four more, which ONNX has no equal of.
FILTERS: dict[int, dict[str, Any]] = {
    0: {},
    2: {"mode": "linear", "antialias": 1, "exclude_outside": 1},
    3: {"mode": "cubic", "antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5},
}
NEAREST, BICUBIC = 0, 3
LARGE = 2_000_000  # pixels
LUMA = np.array([19595, 38470, 7471], np.int32)  # of 65,536: Pillow's convert("L")
SPREAD = 16  # columns that a resampling is looked at for, at one time


@dataclass(frozen=True, slots=True)
class Pixels:
    """A value of the graph: a photo as whole numbers [1, height, width, channels], later NCHW.

    `size` is its height and width in pixels where all photos have the same, or None.
    """

    value: ir.Value
    channels: int
    size: tuple[int, int] | None = None


class Nodes(Tape):
    """The nodes written so far, in their order, and the constants they take."""

    def __init__(self, outer: "Nodes | None" = None) -> None:
        super().__init__()
        # For names: no two values may have the same, also not in a branch.
        self.numbers: Iterator[int] = outer.numbers if outer else itertools.count()

    def op(self, kind: str, inputs: Sequence[Any], attributes: Any = None) -> ir.Value:  # type: ignore[override]
        """Add a node, and return what comes out of it."""
        return super().op(kind, inputs, attributes, output=ir.Value(name=self._name()))

    def constant(self, numbers: Any, dtype: Any = np.int64) -> ir.Value:
        """Return numbers, as a value of the graph."""
        return self.initializer(ir.tensor(np.asarray(numbers, dtype)), name=self._name())

    def graph(self, outcome: ir.Value) -> ir.Graph:
        """Return the nodes as a branch of an If."""
        return ir.Graph(
            [], [outcome], nodes=self.nodes, initializers=self.initializers, name=self._name()
        )

    def sides(self, photo: ir.Value) -> ir.Value:
        """Return a photo's height and width, as int64 [2]."""
        return self.op("Shape", [photo], {"start": 1, "end": 3})

    def cast(self, value: ir.Value, to: int) -> ir.Value:
        """Return a value with numbers of another type."""
        return self.op("Cast", [value], {"to": to})

    def _name(self) -> str:
        return f"photo_{next(self.numbers)}"


def write_transforms(nodes: Nodes, learn: Learner, photo: ir.Value, mode: str) -> Pixels:
    """Write all that happens to a photo between its pixels and the network; return what comes out.

    `photo` is uint8 [height, width, 3], `mode` Pillow's name of the pictures the learner takes: RGB
    or L. Raises UnusableModel, with its name, for a transform that can't be written.
    """
    pixels = Pixels(nodes.op("Unsqueeze", [photo, nodes.constant([0])]), 3)
    if mode == "L":
        pixels = _grey(nodes, pixels)
    opened = learn.dls.tls[0].tfms.fs[1:]
    for transform in [*opened, *learn.dls.after_item.fs]:
        pixels = _written(nodes, pixels, transform, ITEM)
    value = nodes.op("Transpose", [pixels.value], {"perm": [0, 3, 1, 2]})
    pixels = replace(pixels, value=nodes.cast(value, FLOAT))
    for transform in learn.dls.after_batch.fs:
        pixels = _written(nodes, pixels, transform, BATCH)
    return pixels


Writer = Callable[[Nodes, Pixels, Any], Pixels]


def _written(nodes: Nodes, pixels: Pixels, transform: Any, writers: dict[type, Writer]) -> Pixels:
    if isinstance(transform, ToTensor):
        return pixels
    kind = next((kind for kind in writers if isinstance(transform, kind)), None)
    if kind is not None:
        return writers[kind](nodes, pixels, transform)
    if getattr(transform, "split_idx", None) == 0:  # it changes photos in training only
        return pixels
    raise UnusableModel(
        f"The transform {type(transform).__name__} can't be written as ONNX. "
        "Export the learner with fastai's Resize and Normalize alone, and compile that."
    )


def _grey(nodes: Nodes, pixels: Pixels) -> Pixels:
    weighed = nodes.op("Mul", [nodes.cast(pixels.value, INT32), nodes.constant(LUMA, np.int32)])
    total = nodes.op("ReduceSum", [weighed, nodes.constant([3])], {"keepdims": 1})
    half = nodes.op("Add", [total, nodes.constant(1 << 15, np.int32)])
    grey = nodes.op("Div", [half, nodes.constant(1 << 16, np.int32)])
    return replace(pixels, value=nodes.cast(grey, UINT8), channels=1)


def _resample(nodes: Nodes, pixels: Pixels, sides: ir.Value, filter: int) -> Pixels:
    """Resize to `sides`, int64 [2], as Pillow does: rows, then columns, or the reverse.

    Pillow rounds to whole numbers after each, a half always up. ONNX Runtime computes the weights
    in float32, and what should be a half comes out just below: a thousandth more puts it right
    (a quarter of the pixels that were off by one stay so).
    """
    if filter not in FILTERS:
        raise UnusableModel(
            f"The learner resizes with Pillow's filter {filter}, which ONNX has no equal of. "
            "Export it with resamples=(2, 0), which is bilinear, or (3, 0), bicubic."
        )
    if filter == NEAREST:
        return replace(pixels, value=_nearest(nodes, pixels, sides))
    between = _sides_between(nodes, pixels, sides)
    passed = replace(pixels, value=_first_pass(nodes, pixels, between, filter))
    resized = _resize_to(nodes, passed, sides, filter)
    return replace(pixels, value=_rounded(nodes, resized, filter))


def _nearest(nodes: Nodes, pixels: Pixels, sides: ir.Value) -> ir.Value:
    """Pick pixels as Pillow does: places added up in float64, one step after the other."""
    value, now = pixels.value, nodes.cast(nodes.sides(pixels.value), DOUBLE)
    steps = nodes.op("Div", [now, nodes.cast(sides, DOUBLE)])
    half = nodes.constant([0.5], np.float64)
    for axis in (0, 1):
        at = nodes.constant([axis])
        step, side = nodes.op("Gather", [steps, at]), nodes.op("Gather", [sides, at])
        others = nodes.op("Expand", [step, nodes.op("Sub", [side, nodes.constant([1])])])
        each = nodes.op("Concat", [nodes.op("Mul", [step, half]), others], {"axis": 0})
        places = nodes.cast(nodes.op("CumSum", [each, nodes.constant(0)]), INT64)
        value = nodes.op("Gather", [value, places], {"axis": axis + 1})
    return value


def _sides_between(nodes: Nodes, pixels: Pixels, sides: ir.Value) -> ir.Value:
    """Return the sides after the first of Pillow's two passes.

    Pillow 13 resizes columns first if that takes away more than twice as many rows as resizing
    rows takes away columns (found by trying; `test_onnx_transforms` holds it).
    """
    now, first, second = nodes.sides(pixels.value), nodes.constant([0]), nodes.constant([1])
    less = nodes.op("Sub", [now, sides])
    fewer_rows, fewer_columns = (nodes.op("Gather", [less, at]) for at in (first, second))
    shrinks = nodes.op("Greater", [fewer_rows, first])
    twice = nodes.op("Add", [fewer_columns, fewer_columns])
    columns_first = nodes.op("And", [shrinks, nodes.op("Less", [twice, fewer_rows])])
    both = nodes.op("Concat", [sides, now], {"axis": 0})  # height, width, height now, width now
    either = nodes.constant([0, 3]), nodes.constant([2, 1])
    return nodes.op("Gather", [both, nodes.op("Where", [columns_first, *either])])


def _first_pass(nodes: Nodes, pixels: Pixels, sides: ir.Value, filter: int) -> ir.Value:
    """Return the photo after the first pass, as whole numbers in float32.

    A large photo is not made float32 before, for the memory: with the many pixels that go into one
    of its outcome's, halves are rare.
    """
    large, small = Nodes(nodes), Nodes(nodes)
    as_it_is = large.cast(_resize_to(large, pixels, sides, filter), FLOAT)
    as_float = replace(pixels, value=small.cast(pixels.value, FLOAT))
    rounded = _rounded(small, _resize_to(small, as_float, sides, filter), filter)
    count = nodes.op("ReduceProd", [nodes.sides(pixels.value)], {"keepdims": 0})
    is_large = nodes.op("Greater", [count, nodes.constant(LARGE)])
    ways = {"then_branch": large.graph(as_it_is), "else_branch": small.graph(rounded)}
    return nodes.op("If", [is_large], {name: ir.AttrGraph(name, ways[name]) for name in ways})


def _rounded(nodes: Nodes, value: ir.Value, filter: int) -> ir.Value:
    """Return whole numbers from 0 to 255, in float32."""
    up = nodes.op("Floor", [nodes.op("Add", [value, nodes.constant(0.501, np.float32)])])
    if filter != BICUBIC:
        return up
    limits = nodes.constant(0, np.float32), nodes.constant(255, np.float32)
    return nodes.op("Clip", [up, *limits])  # bicubic alone overshoots


def _resize_to(nodes: Nodes, pixels: Pixels, sides: ir.Value, filter: int) -> ir.Value:
    ends = nodes.constant([1]), nodes.constant([pixels.channels])
    whole = nodes.op("Concat", [ends[0], sides, ends[1]], {"axis": 0})
    how = {"coordinate_transformation_mode": "half_pixel", **FILTERS[filter]}
    return nodes.op("Resize", [pixels.value, None, None, whole], how)


def _resize(nodes: Nodes, pixels: Pixels, resize: Resize) -> Pixels:
    width, height = resize.size  # fastai keeps it so in transforms of items
    sides = nodes.constant([height, width])
    if resize.method != "squish":
        pixels = _cut_to_shape(nodes, pixels, sides, resize.method, resize.pad_mode)
    return replace(_resample(nodes, pixels, sides, resize.mode), size=(height, width))


def _cut_to_shape(
    nodes: Nodes, pixels: Pixels, sides: ir.Value, method: str, pad_mode: str
) -> Pixels:
    """Crop or pad the photo to the proportions of `sides`, around its middle.

    In float64 and cut to whole numbers as fastai's `Resize.encodes` has it, to the pixel.
    """
    now = nodes.cast(nodes.sides(pixels.value), DOUBLE)
    wanted = nodes.cast(sides, DOUBLE)
    choose = "ReduceMax" if method == "pad" else "ReduceMin"
    scale = nodes.op(choose, [nodes.op("Div", [now, wanted])], {"keepdims": 1})
    cut = nodes.cast(nodes.op("Mul", [scale, wanted]), INT64)
    cut = nodes.op("Max", [cut, nodes.constant([1, 1])])  # of a photo of one pixel's width
    left = nodes.op("Sub", [now, nodes.cast(cut, DOUBLE)])
    start = nodes.cast(nodes.op("Mul", [left, nodes.constant([0.5], np.float64)]), INT64)
    return _crop_pad(nodes, pixels, cut, start, pad_mode if method == "pad" else None)


def _crop_pad(
    nodes: Nodes, pixels: Pixels, sides: ir.Value, start: ir.Value, pad_mode: str | None
) -> Pixels:
    """Cut out `sides` from `start` on, both int64 [2]; what is outside the photo is padded.

    `pad_mode` is fastai's, or None where nothing can be outside.
    """
    now, zero, axes = nodes.sides(pixels.value), nodes.constant([0, 0]), nodes.constant([1, 2])
    stop = nodes.op("Add", [start, sides])
    inside = nodes.op("Max", [start, zero]), nodes.op("Min", [stop, now])
    value = nodes.op("Slice", [pixels.value, *inside, axes])
    if pad_mode is not None:
        before = nodes.op("Max", [nodes.op("Neg", [start]), zero])
        after = nodes.op("Max", [nodes.op("Sub", [stop, now]), zero])
        value = PADS[pad_mode](nodes, value, before, after)
    return replace(pixels, value=value)


def _pad(mode: str) -> Callable[[Nodes, ir.Value, ir.Value, ir.Value], ir.Value]:
    def write(nodes: Nodes, value: ir.Value, before: ir.Value, after: ir.Value) -> ir.Value:
        pads = nodes.op("Concat", [before, after], {"axis": 0})
        return nodes.op("Pad", [value, pads, None, nodes.constant([1, 2])], {"mode": mode})

    return write


def _reflect(nodes: Nodes, value: ir.Value, before: ir.Value, after: ir.Value) -> ir.Value:
    """Pad with what is on the other side of the edge, there and back if the pad is wider than it.

    ONNX's own reflection goes no further than once across the photo.
    """
    for axis in (1, 2):
        at = nodes.constant(axis - 1)
        length = nodes.op("Shape", [value], {"start": axis, "end": axis + 1})
        length = nodes.op("Squeeze", [length])
        first = nodes.op("Neg", [nodes.op("Gather", [before, at])])
        last = nodes.op("Add", [length, nodes.op("Gather", [after, at])])
        places = nodes.op("Abs", [nodes.op("Range", [first, last, nodes.constant(1)])])
        once = nodes.op("Sub", [nodes.op("Add", [length, length]), nodes.constant(2)])
        once = nodes.op("Max", [once, nodes.constant(1)])  # there and back again
        there = nodes.op("Mod", [places, once])
        back = nodes.op("Sub", [once, there])
        value = nodes.op("Gather", [value, nodes.op("Min", [there, back])], {"axis": axis})
    return value


PADS = {"zeros": _pad("constant"), "border": _pad("edge"), "reflection": _reflect}


def _crop_pad_to(nodes: Nodes, pixels: Pixels, size: Sequence[int], pad_mode: str) -> Pixels:
    """Cut the middle out, of `size` (width, height) pixels; halves are rounded down."""
    width, height = size
    sides = nodes.constant([height, width])
    left = nodes.cast(nodes.op("Sub", [nodes.sides(pixels.value), sides]), DOUBLE)
    half = nodes.op("Mul", [left, nodes.constant([0.5], np.float64)])
    start = nodes.cast(nodes.op("Floor", [half]), INT64)
    return replace(_crop_pad(nodes, pixels, sides, start, pad_mode), size=(height, width))


def _cut_middle(nodes: Nodes, pixels: Pixels, crop: CropPad) -> Pixels:
    return _crop_pad_to(nodes, pixels, crop.size, crop.pad_mode)


def _random_crop(nodes: Nodes, pixels: Pixels, crop: RandomCrop) -> Pixels:
    return _crop_pad_to(nodes, pixels, crop.size, "zeros")


def _random_resized_crop(nodes: Nodes, pixels: Pixels, crop: RandomResizedCrop) -> Pixels:
    """Squish to somewhat more than the size, and cut the middle out of that."""
    extra = int(np.ceil(max(crop.size) * crop.val_xtra / 8) * 8)
    width, height = (side + extra for side in crop.size)
    pixels = _resample(nodes, pixels, nodes.constant([height, width]), crop.mode)
    pixels = replace(pixels, size=(height, width))
    return _crop_pad_to(nodes, pixels, crop.size, "zeros") if extra else pixels


def _ratio_resize(nodes: Nodes, pixels: Pixels, resize: RatioResize) -> Pixels:
    """Resize the longer side to `max_sz`, the other in proportion.

    The few rows or columns that are over then, fastai crops at one side or the other by chance;
    here it is the same at both.
    """
    now = nodes.cast(nodes.sides(pixels.value), DOUBLE)
    longest = nodes.op("ReduceMax", [now], {"keepdims": 1})
    scaled = nodes.op("Mul", [now, nodes.constant([resize.max_sz], np.float64)])
    sides = nodes.cast(nodes.op("Div", [scaled, longest]), INT64)
    pixels = _cut_to_shape(nodes, pixels, sides, "crop", "zeros")
    return replace(_resample(nodes, pixels, sides, resize.resamples[0]), size=None)


def _to_float(nodes: Nodes, pixels: Pixels, to_float: IntToFloatTensor) -> Pixels:
    scale = nodes.constant(1 / to_float.div, np.float32)
    return replace(pixels, value=nodes.op("Mul", [pixels.value, scale]))


def _normalize(nodes: Nodes, pixels: Pixels, normalize: Normalize) -> Pixels:
    mean, std = (numbers.cpu().double().numpy() for numbers in (normalize.mean, normalize.std))
    scaled = nodes.op("Mul", [pixels.value, nodes.constant(1 / std, np.float32)])
    value = nodes.op("Add", [scaled, nodes.constant(-mean / std, np.float32)])
    return replace(pixels, value=value, channels=max(pixels.channels, mean.shape[1]))


def _affine(nodes: Nodes, pixels: Pixels, transform: AffineCoordTfm) -> Pixels:
    """Resize a batch, if the transform does; it turns and bends photos in training only."""
    return pixels if transform.size is None else _resized_batch(nodes, pixels, transform)


def _resized_batch(nodes: Nodes, pixels: Pixels, transform: Any) -> Pixels:
    """Write how a transform resizes a batch of known size: one matrix for rows, one for columns."""
    if pixels.size is None:
        raise UnusableModel(
            f"The learner's {type(transform).__name__} resizes photos that are not of one size "
            "yet. Export it with item_tfms=Resize(…), and compile that."
        )
    size = transform.size
    height, width = (size, size) if isinstance(size, int) else size
    rows, columns = _matrices(transform, pixels.size, (height, width))
    value = nodes.op("MatMul", [pixels.value, nodes.constant(columns.T, np.float32)])
    value = nodes.op("MatMul", [nodes.constant(rows, np.float32), value])
    return replace(pixels, value=value, size=(height, width))


def _matrices(
    transform: Any, before: tuple[int, int], after: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return what a transform makes of rows, [after, before], and of columns, likewise.

    Found by giving it pictures that are black but for one row, or one column. Away from the edges a
    resampling's weights add up to one, so the middle of the outcome shows the other side's alone.
    """
    height, width = before
    rows = [
        transform(TensorImage(lit[None, :, :, None].expand(1, -1, height, width)), split_idx=1)
        for lit in torch.split(torch.eye(height), SPREAD)
    ]
    columns = [
        transform(TensorImage(lit[None, :, None, :].expand(1, -1, height, width)), split_idx=1)
        for lit in torch.split(torch.eye(width), SPREAD)
    ]
    across = torch.cat(rows, 1)[0, :, :, after[1] // 2]
    down = torch.cat(columns, 1)[0, :, after[0] // 2, :]
    return np.asarray(across).T, np.asarray(down).T


ITEM: dict[type, Writer] = {
    Resize: _resize,
    RandomResizedCrop: _random_resized_crop,
    CropPad: _cut_middle,
    RandomCrop: _random_crop,
    RatioResize: _ratio_resize,
}
BATCH: dict[type, Writer] = {
    IntToFloatTensor: _to_float,
    Normalize: _normalize,
    RandomResizedCropGPU: _resized_batch,
    AffineCoordTfm: _affine,
}
