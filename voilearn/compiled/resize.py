"""Write how Pillow resizes a photo, to the rounding between its two passes.

In come a photo in the graph, the sides that it shall have, and the number of Pillow's filter; out
goes the value with those sides. ONNX Runtime's own resize of uint8 comes out one level lower where
a weight in float32 falls just short; with Resize alone, labels differ from the learner's.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir

from voilearn.compiled.nodes import DOUBLE, FLOAT, INT64, Nodes, Pixels
from voilearn.errors import UnusableModel

# Pillow's filters by their numbers; it has four more, which ONNX has no equal of.
FILTERS: dict[int, dict[str, Any]] = {
    0: {},
    2: {"mode": "linear", "antialias": 1, "exclude_outside": 1},
    3: {"mode": "cubic", "antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5},
}
NEAREST, BICUBIC = 0, 3
LARGE = 2_000_000  # pixels


def resample(nodes: Nodes, pixels: Pixels, sides: ir.Value, filter: int) -> Pixels:
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
