"""A good export whose first weight is described otherwise: a view of what is not there.

The usual way trusts sizes, strides and counts as far as torch checks them, and torch has let some
through (CVE-2026-24747; pytorch issue 184652). Read wrongly, they show or overwrite other memory.
"""

from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import (
    OP,
    Made,
    Name,
    Opcodes,
    call,
    listed,
    mapped,
    name,
    number,
    raw,
    several,
    text,
)
from tests.attacks.workshop import Workshop, add, attack

REBUILD = name("torch._utils", "_rebuild_tensor_v2")
FLOATS = name("torch", "FloatStorage")
ORDERED = call(name("collections", "OrderedDict"))
SIZE, STRIDE, NUMEL = (4, 3, 3, 3), (27, 9, 3, 1), 108


def numbers(values: tuple[Any, ...]) -> bytes:
    return several(*(v if isinstance(v, bytes) else number(v) for v in values))


def key_of(shop: Workshop) -> str:
    """The storage of the first weight: the only one of that many numbers."""
    (key,) = (key for key, data in shop.storages.items() if len(data) == 4 * NUMEL)
    return key


def storage(key: bytes, kind: bytes = FLOATS, numel: bytes | int = NUMEL, **parts: bytes) -> bytes:
    count = numel if isinstance(numel, bytes) else number(numel)
    word, device = parts.get("word", text("storage")), parts.get("device", text("cpu"))
    return bytes(several(word, kind, key, device, count) + OP.BINPERSID)


def tensor(
    stored: bytes,
    offset: int = 0,
    size: tuple[Any, ...] = SIZE,
    stride: tuple[Any, ...] = STRIDE,
    rebuild: bytes = REBUILD,
) -> bytes:
    parts = (number(offset), numbers(size), numbers(stride), OP.NEWFALSE, ORDERED)
    return call(rebuild, stored, *parts)


def with_weight(shop: Workshop, opcodes: bytes) -> bytes:
    """The good export with these opcodes in the place of the first weight.

    Its own weight stays in the file, so that its numbers can be pointed at.
    """

    def change(learn: Any) -> None:
        kept = learn.model[0]._parameters["weight"]
        learn.__dict__ = {"kept": kept, **learn.__dict__}
        weight = Made(Name("torch._utils", "_rebuild_parameter"), Opcodes(opcodes), False, {})
        learn.model[0]._parameters["weight"] = weight

    return shop.planted(change)


def described(**changed: Any) -> Callable[[Workshop], bytes]:
    """The first weight with its storage, size, stride or offset changed."""
    in_storage = {k: changed.pop(k) for k in ("kind", "numel", "word", "device") if k in changed}

    def build(shop: Workshop) -> bytes:
        key = changed.get("key", text(key_of(shop)))
        rest = {k: v for k, v in changed.items() if k != "key"}
        return with_weight(shop, tensor(storage(key, **in_storage), **rest))

    return build


def kind(of: str) -> bytes:
    return name("torch", of)


EVIL = name("os", "system")
ROWS: list[tuple[str, str, Callable[[Workshop], bytes]]] = [
    ("offset_beyond", "begins behind its numbers", described(offset=1)),
    ("offset_huge", "begins at 2^62", described(offset=2**62)),
    ("offset_negative", "begins before its numbers", described(offset=-1)),
    ("size_larger", "is larger than its numbers", described(size=(8, 3, 3, 3))),
    ("size_negative", "has a side of less than nothing", described(size=(-4, 3, 3, 3))),
    ("size_overflows", "has 2^64 numbers, which C counts as none", described(size=(2**32, 2**32))),
    ("size_overflows_shape", "the same in four sides", described(size=(2**16,) * 4)),
    ("size_of_bools", "has sides that are true", described(size=(OP.NEWTRUE,) * 4)),
    ("size_of_floats", "has sides of text", described(size=(text("4"),) * 4)),
    ("size_without_stride", "has more sides than steps", described(size=(4, 3, 3, 3, 1))),
    ("size_of_many", "has 100 sides", described(size=(1,) * 100, stride=(1,) * 100)),
    ("size_nothing", "has a side of nothing, and one of 2^62", described(size=(0, 2**62, 3, 3))),
    ("stride_larger", "steps over its numbers' end", described(stride=(27, 9, 3, 2))),
    ("stride_huge", "steps by 2^62", described(stride=(2**62, 9, 3, 1))),
    ("stride_negative", "steps back before its numbers", described(stride=(-27, 9, 3, 1))),
    ("stride_overflows", "steps by 2^63, twice is nothing", described(stride=(2**63, 2**63, 3, 1))),
    (
        "stride_nothing",
        "shows one number 10^12 times",
        described(size=(10**6, 10**6), stride=(0, 0)),
    ),
    ("numel_larger", "says it has more numbers than there are", described(numel=10**6)),
    ("numel_huge", "says it has 2^61 numbers", described(numel=2**61)),
    ("numel_negative", "says it has less than none", described(numel=-NUMEL)),
    ("numel_text", "says it has a text of numbers", described(numel=text("108"))),
    ("numel_smaller", "says it has fewer than it shows", described(numel=4)),
    ("key_absent", "numbers that are not in the file", described(key=text("999999"))),
    ("key_up", "numbers by a path up", described(key=text("../../../../etc/passwd"))),
    ("key_absolute", "numbers by a path", described(key=text("/etc/passwd"))),
    ("key_number", "numbers by a number", described(key=number(0))),
    ("key_empty", "numbers by no name", described(key=text(""))),
    ("key_pickle", "the pickle itself as numbers", described(key=text("../data.pkl"))),
    ("kind_other", "as numbers of half the width", described(kind=kind("HalfStorage"))),
    ("kind_double", "as numbers of twice the width", described(kind=kind("DoubleStorage"))),
    ("kind_complex", "of a kind that is not read", described(kind=kind("ComplexFloatStorage"))),
    ("kind_quantized", "of packed numbers", described(kind=kind("QInt8Storage"))),
    ("kind_untyped", "of no kind", described(kind=name("torch.storage", "UntypedStorage"))),
    ("kind_function", "of a kind that is a function", described(kind=EVIL)),
    ("kind_text", "of a kind that is a text", described(kind=text("FloatStorage"))),
    ("word_other", "an id that is no storage", described(word=text("module"))),
    ("word_module", "an id of a class of old torch, with source", described(word=EVIL)),
]
for label, what, build in ROWS:
    add("tensors", label, f"a weight that {what}", build)


def rebuilt(module: str, function: str, *arguments: bytes) -> Callable[[Workshop], bytes]:
    def build(shop: Workshop) -> bytes:
        stored = storage(text(key_of(shop)))
        given = [stored if a == b"storage" else a for a in arguments]
        return with_weight(shop, call(name(module, function), *given))

    return build


VIEW = (b"storage", number(0), numbers(SIZE), numbers(STRIDE))
OTHERS: list[tuple[str, str, Callable[[Workshop], bytes]]] = [
    (
        "quantized",
        "packed, whose strides torch did not check",
        rebuilt("torch._utils", "_rebuild_qtensor", *VIEW, several(), OP.NEWFALSE, ORDERED),
    ),
    (
        "sparse",
        "sparse, with places outside itself",
        rebuilt("torch._utils", "_rebuild_sparse_tensor", text("sparse_coo"), several()),
    ),
    (
        "nested",
        "nested, with offsets of its own",
        rebuilt("torch._utils", "_rebuild_nested_tensor", *VIEW),
    ),
    (
        "without_storage",
        "of sizes without numbers",
        rebuilt("torch._utils", "_rebuild_meta_tensor_no_storage", text("float32"), *VIEW[2:]),
    ),
    (
        "wrapper",
        "of a class of its own",
        rebuilt("torch._utils", "_rebuild_wrapper_subclass", EVIL, *VIEW),
    ),
    (
        "from_numpy",
        "made of numpy's array",
        rebuilt("torch._utils", "_rebuild_device_tensor_from_numpy", raw(b"1"), text("cpu")),
    ),
    (
        "from_bytes",
        "in a file of torch's of its own",
        rebuilt("torch.storage", "_load_from_bytes", raw(b"PK")),
    ),
    (
        "of_a_type",
        "made by a function of its choice",
        rebuilt("torch._tensor", "_rebuild_from_type_v2", EVIL, EVIL, several(), mapped()),
    ),
    (
        "of_a_type_short",
        "made of too few parts",
        rebuilt("torch._tensor", "_rebuild_from_type_v2", EVIL),
    ),
    ("of_too_few", "of too few parts", rebuilt("torch._utils", "_rebuild_tensor_v2", b"storage")),
    (
        "with_hooks",
        "with hooks for training",
        rebuilt("torch._utils", "_rebuild_tensor_v2", *VIEW, OP.NEWFALSE, listed(EVIL)),
    ),
    (
        "of_numpy",
        "an array of numpy's",
        rebuilt("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), several()),
    ),
]
for label, what, build in OTHERS:
    add("tensors", f"tensor_{label}", f"a weight that is {what}", build)


@attack()
def numbers_that_are_none(shop: Workshop) -> bytes:
    """Weights of NaN: an answer would be no number, and no JSON."""
    return shop.planted(lambda learn: learn.model[-1].weight.data.fill_(float("nan")))


@attack()
def numbers_without_end(shop: Workshop) -> bytes:
    """Weights beyond all: infinity less infinity is no number."""
    return shop.planted(lambda learn: learn.model[-1].weight.data.fill_(float("inf")))


@attack()
def storage_of_two_kinds(shop: Workshop) -> bytes:
    """One storage as numbers of two widths: the second view reaches twice as far."""
    key = text(key_of(shop))
    double = storage(key, kind=kind("DoubleStorage"))
    return with_weight(shop, tensor(storage(key))[:-1] + OP.REDUCE + OP.POP + tensor(double))


@attack()
def storage_cut(shop: Workshop) -> bytes:
    """A storage with fewer bytes than the pickle says."""
    cut = {key: data[: len(data) // 2] for key, data in shop.storages.items()}
    return shop.zipped(shop.pickled, cut)


@attack()
def storage_longer(shop: Workshop) -> bytes:
    """A storage with more bytes than the pickle says: something may be hidden in it."""
    return shop.zipped(shop.pickled, {k: data + b"more" for k, data in shop.storages.items()})
