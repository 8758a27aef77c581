"""Write an ONNX graph, node after node: what `transforms` and `resize` write with.

In come operators and their inputs; out go values of the graph, each with a name of its own.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

INT64, DOUBLE, UINT8, INT32, FLOAT = (
    int(getattr(ir.DataType, name)) for name in ("INT64", "DOUBLE", "UINT8", "INT32", "FLOAT")
)


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
