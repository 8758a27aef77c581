"""A good export whose plain values are no plain values: labels, sizes, thresholds, settings.

Values end up on a page, in a terminal and in JSON, and are compared, sorted and counted before.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import OP, Made, Name, New, Opcodes, call, name, number, plain, text
from tests.attacks.nesting import laughs
from tests.attacks.pipeline import in_loss, in_resize
from tests.attacks.state import SYSTEM
from tests.attacks.workshop import Workshop, add, attack


def with_labels(shop: Workshop, labels: Any) -> bytes:
    """The good export with another vocab."""

    def change(learn: Any) -> None:
        categorize = learn.dls.tls[1].tfms.fs[-1]
        categorize.__dict__["vocab"] = labels

    return shop.planted(change)


def collection(items: Any) -> Any:
    """fastcore's L of the items, whatever they are."""
    return New(Name("fastcore.foundation", "L"), state={"items": items})


def dtype(code: Any, order: Any = "<") -> Made:
    state = (3, order, None, None, None, -1, -1, 0)
    return Made(Name("numpy", "dtype"), code, False, True, state=state)


def array(kind: Any, data: Any, shape: Any = (2,), state: Any = None) -> Made:
    given = (1, shape, kind, False, data) if state is None else state
    made = Name("numpy.core.multiarray", "_reconstruct")
    return Made(made, Name("numpy", "ndarray"), (0,), b"b", state=given)


def scalar(kind: Any, data: Any) -> list[Any]:
    return ["even", Made(Name("numpy.core.multiarray", "scalar"), kind, data)]


ENCODE = Name("_codecs", "encode")
LABELS: list[tuple[str, str, Any]] = [
    ("none", "nothing", None),
    ("empty", "no labels", []),
    ("one", "one label for two numbers", ["even"]),
    ("three", "three labels for two numbers", ["even", "odd", "none"]),
    ("twice", "the same label twice", ["even", "even"]),
    ("twice_as_number", "two labels that read alike", [1, "1"]),
    ("records", "labels that are objects", [SYSTEM, Made(SYSTEM, "id")]),
    ("bytes", "labels that are bytes", [b"even", b"odd"]),
    ("lists", "labels that are lists", [["even"], ["odd"]]),
    ("of_none", "labels that are nothing", [None, None]),
    ("dict", "a dict of labels", {"even": 0, "odd": 1}),
    ("text", "one text", "eo"),
    ("laughs", "x = (x, x), sixty times", laughs()),
    ("itself", "a list that holds itself", Opcodes(OP.EMPTY_LIST + OP.DUP + OP.APPEND)),
    ("halves", "half a character", ["even", "\ud800"]),
    ("long", "a label of a megabyte", ["even", "o" * 1_000_000]),
    ("huge_number", "a number of 1,000 digits", ["even", Opcodes(number(10**999))]),
    ("huge_float", "a number beyond all", ["even", float("inf")]),
    ("not_a_number", "no number", ["even", float("nan")]),
    (
        "set_of_lists",
        "a set that holds a list",
        Opcodes(OP.EMPTY_SET + OP.MARK + call(name("fastcore.foundation", "L")) + OP.ADDITEMS),
    ),
    (
        "set_of_records",
        "a set of what becomes a dict",
        [Made(Name("builtins", "set"), [collection(["a"])])],
    ),
    ("key_of_lists", "a dict whose keys become lists", OrderedDict({(collection(["a"]),): 1})),
    ("encode_nothing", "_codecs.encode of nothing", [Made(ENCODE), "odd"]),
    ("encode_number", "_codecs.encode of a number", [Made(ENCODE, 7), "odd"]),
    (
        "encode_far",
        "_codecs.encode of what latin-1 has not",
        [Made(ENCODE, "\u1234", "latin1"), "odd"],
    ),
    ("numpy_object", "numpy's array of objects", array(dtype("O8", "|"), [SYSTEM, SYSTEM])),
    ("numpy_huge", "numpy's array, of texts of 10^9", array(dtype("U1000000000"), b"")),
    ("numpy_width", "numpy's texts of a width of ²", array(dtype("U²"), b"1234")),
    ("numpy_state", "numpy's array with one part", array(None, None, state=(1,))),
    ("numpy_no_state", "numpy's array with a number for a state", array(None, None, state=5)),
    ("numpy_shape", "numpy's array of a negative shape", array(dtype("i8"), b"1" * 16, (-2,))),
    ("numpy_short", "numpy's array with fewer bytes", array(dtype("i8"), b"1")),
    ("numpy_text", "numpy's texts that are none", array(dtype("U1"), b"\xff\xff\xff\xff" * 2)),
    (
        "numpy_order",
        "numpy's dtype with no order",
        array(Made(Name("numpy", "dtype"), "i8", state=(3,)), b"1" * 16),
    ),
    ("numpy_scalar", "numpy's number that unpickles", scalar(dtype("O8", "|"), b"cos\nsystem\n.")),
    ("numpy_scalar_empty", "numpy's number of no bytes", scalar(dtype("i8"), b"")),
]
WORDS = {"huge_number", "huge_float", "not_a_number"}  # odd words, and no more
for label, what, labels in LABELS:

    def build(shop: Workshop, labels: Any = labels) -> bytes:
        return with_labels(shop, labels)

    add("values", f"labels_{label}", f"labels: {what}", build, opens=label in WORDS)


@attack()
def labels_by_the_thousand(shop: Workshop) -> bytes:
    """A hundred thousand labels, for a network that tells two things apart."""
    return with_labels(shop, Opcodes(plain([f"{i}" for i in range(100_000)])))


@attack(opens=True)
def labels_that_are_markup(shop: Workshop) -> bytes:
    """Labels that a page or a terminal would obey; they must come out as they are, in JSON."""
    return with_labels(shop, ["<script>alert(1)</script>", "\x1b]0;pwned\x07\x00\u202e"])


THRESHOLDS: list[tuple[str, Any]] = [
    ("text", "0.5"),
    ("function", SYSTEM),
    ("laughs", laughs()),
    ("list", [0.5] * 50),
    ("complex", Made(Name("builtins", "complex"), 1.0, 1.0)),
    ("digits", Opcodes(number(10**999))),
]
for label, threshold in THRESHOLDS:

    def judged(shop: Workshop, threshold: Any = threshold) -> bytes:
        return in_loss(shop, thresh=threshold)

    add("values", f"threshold_{label}", "a threshold that is no number of its kind", judged)


def statistics(**changed: Any) -> Callable[[Workshop], bytes]:
    """The good export with other statistics of Normalize."""

    def change(learn: Any) -> None:
        for loader in learn.dls.loaders:
            normalize = next(t for t in loader.after_batch.fs if type(t).__name__ == "Normalize")
            normalize.__dict__.update({key: make() for key, make in changed.items()})

    return lambda shop: shop.planted(change)


def filled(*size: int, value: float = 0.5) -> Callable[[], Any]:
    def make() -> Any:
        import torch

        return torch.full(size, value)

    return make


STATISTICS: list[tuple[str, str, Callable[[Workshop], bytes]]] = [
    ("zero", "a deviation of nothing", statistics(std=filled(1, 3, 1, 1, value=0.0))),
    ("nan", "a mean that is no number", statistics(mean=filled(1, 3, 1, 1, value=float("nan")))),
    ("wide", "a mean that makes a thousand photos of one", statistics(mean=filled(1000, 3, 1, 1))),
    ("turned", "a mean that makes three photos of one", statistics(mean=filled(3, 1, 1, 1))),
    ("large", "a mean larger than the photo", statistics(mean=filled(1, 3, 2000, 1))),
    ("flat", "a mean of one side", statistics(mean=filled(3))),
    ("text", "a mean that is a text", statistics(mean=lambda: "0.5")),
    ("function", "a mean that is a function", statistics(mean=lambda: SYSTEM)),
]
for label, what, normalized in STATISTICS:
    add("values", f"statistics_{label}", f"Normalize with {what}", normalized)


@attack()
def size_of_records(shop: Workshop) -> bytes:
    """Resize to an object that says it is a number."""
    return in_resize(shop, size=Made(Name("builtins", "int"), Opcodes(text("9" * 5000))))


@attack()
def divided_by_nothing(shop: Workshop) -> bytes:
    """A photo's numbers divided by 0 before the network sees them."""

    def change(learn: Any) -> None:
        for loader in learn.dls.loaders:
            floats = next(t for t in loader.after_batch.fs if "ToFloat" in type(t).__name__)
            floats.__dict__["div"] = 0

    return shop.planted(change)
