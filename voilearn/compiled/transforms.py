"""Write the transforms that a learner predicts with as nodes of an ONNX graph.

In come a learner and a value of the graph, a photo's pixels; out goes the value that its network
takes. The nodes do what Pillow and fastai do, so that any runtime gives the learner's answers: a
browser and a phone each resize in their own way, so that too is in the graph, from uint8 of any
size.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
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

from voilearn.compiled.nodes import DOUBLE, FLOAT, INT32, INT64, UINT8, Nodes, Pixels
from voilearn.compiled.resize import resample
from voilearn.errors import UnusableModel

LUMA = np.array([19595, 38470, 7471], np.int32)  # of 65,536: Pillow's convert("L")
SPREAD = 16  # columns that a resampling is looked at for, at one time


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


def _resize(nodes: Nodes, pixels: Pixels, resize: Resize) -> Pixels:
    width, height = resize.size  # fastai keeps it so in transforms of items
    sides = nodes.constant([height, width])
    if resize.method != "squish":
        pixels = _cut_to_shape(nodes, pixels, sides, resize.method, resize.pad_mode)
    return replace(resample(nodes, pixels, sides, resize.mode), size=(height, width))


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
    pixels = resample(nodes, pixels, nodes.constant([height, width]), crop.mode)
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
    return replace(resample(nodes, pixels, sides, resize.resamples[0]), size=None)


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
