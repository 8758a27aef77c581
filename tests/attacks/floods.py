"""Files of up to 100 MB that ask for far more than that: of one thing, again and again.

Those that take seconds to write and to refuse are `large`, and run with the slow tests.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from tests.attacks.assemble import (
    LEGACY_VERSION,
    MAGIC,
    OP,
    Opcodes,
    listed,
    name,
    number,
    several,
    text,
    torch_zip,
)
from tests.attacks.containers import CENTRAL, END
from tests.attacks.machine import eight
from tests.attacks.misread import get, put
from tests.attacks.workshop import Workshop, add, attack

MUCH = 100_000_000
SAME_HASH = 2**61 - 1  # all its multiples have the hash 0, and are found one behind the other
SMALL_SET = OP.EMPTY_SET + OP.MEMOIZE


def repeated(opcodes: bytes, before: bytes = b"") -> bytes:
    return before + opcodes * (MUCH // len(opcodes))


def colliding(keys: int, after: bytes = b"") -> bytes:
    return b"".join(number(i * SAME_HASH) + after for i in range(1, keys + 1))


def numbered(form: bytes, count: int) -> bytes:
    return b"".join(form % i for i in range(count))


KEYS = 100_000
FLOODS: list[tuple[str, str, Callable[[], bytes]]] = [
    ("lists", "empty lists", lambda: repeated(OP.EMPTY_LIST)),
    ("dicts", "empty dicts", lambda: repeated(OP.EMPTY_DICT)),
    ("sets", "empty sets, each remembered", lambda: repeated(SMALL_SET)),
    ("marks", "marks", lambda: repeated(OP.MARK)),
    ("nones", "nothing, pushed", lambda: repeated(OP.NONE)),
    ("nones_popped", "nothing, pushed and thrown away", lambda: repeated(OP.NONE + OP.POP)),
    ("memoized", "one value, remembered again and again", lambda: repeated(OP.MEMOIZE, OP.NONE)),
    ("doubled_values", "one value, doubled again and again", lambda: repeated(OP.DUP, OP.NONE)),
    ("fetched", "one value, fetched again and again", lambda: repeated(get(0), OP.NONE + put(0))),
    ("texts", "texts of one letter", lambda: repeated(OP.SHORT_BINUNICODE + b"\x01a")),
    ("lines", "lines of 4,000 letters", lambda: repeated(OP.UNICODE + b"a" * 4000 + b"\n")),
    ("text_of_one", "one text", lambda: OP.BINUNICODE8 + eight(MUCH) + b"a" * MUCH),
    ("bytes_of_one", "one bytes object", lambda: OP.BINBYTES8 + eight(MUCH) + bytes(MUCH)),
    ("numbers", "numbers of 255 bytes", lambda: repeated(OP.LONG1 + b"\xff" + b"\x7f" * 255)),
    ("fractions", "numbers of 8 bytes", lambda: repeated(OP.BINFLOAT + bytes(8))),
    ("tuples", "tuples in tuples", lambda: repeated(OP.TUPLE1, OP.NONE)),
    ("frames", "frames of nothing", lambda: repeated(OP.FRAME + eight(0))),
    ("protocols", "protocols", lambda: repeated(OP.PROTO + b"\x02")),
    ("objects", "objects, made by INST", lambda: repeated(OP.MARK + OP.INST + b"a\nb\n")),
    (
        "calls",
        "objects, made by NEWOBJ",
        lambda: repeated(name("a", "b") + OP.EMPTY_TUPLE + OP.NEWOBJ),
    ),
    (
        "states",
        "states for one object",
        lambda: repeated(OP.NONE + OP.BUILD, name("a", "b") + b")\x81"),
    ),
    ("ids", "persistent ids", lambda: repeated(OP.PERSID + b"a\n")),
    ("names", "names, each another", lambda: numbered(b"ca\n%x\n", 8_000_000)),
    (
        "items",
        "items, for one list that is its own item",
        lambda: repeated(OP.DUP + OP.APPEND, OP.EMPTY_LIST),
    ),
    (
        "keys",
        "keys, each another",
        lambda: OP.EMPTY_DICT + OP.MARK + numbered(b"V%x\nN", 8_000_000) + OP.SETITEMS,
    ),
    (
        "same_hash",
        "keys of one hash, for a dict",
        lambda: OP.EMPTY_DICT + OP.MARK + colliding(KEYS, OP.NONE) + OP.SETITEMS,
    ),
    ("same_hash_dict", "the same, in DICT", lambda: OP.MARK + colliding(KEYS, OP.NONE) + OP.DICT),
    (
        "same_hash_set",
        "the same, for a set",
        lambda: OP.EMPTY_SET + OP.MARK + colliding(KEYS) + OP.ADDITEMS,
    ),
    (
        "same_hash_frozen",
        "the same, for a frozenset",
        lambda: OP.MARK + colliding(KEYS) + OP.FROZENSET,
    ),
    (
        "same_hash_one",
        "the same, one by one",
        lambda: OP.EMPTY_DICT + colliding(KEYS, OP.NONE + OP.SETITEM),
    ),
]
for label, what, make in FLOODS:

    def build(shop: Workshop, make: Callable[[], bytes] = make) -> bytes:
        return shop.smuggle(make() + OP.EMPTY_TUPLE, protocol=4)

    opens = label == "lines"  # texts that nobody needs
    add("floods", f"flood_of_{label}", f"100 MB of {what}", build, large=True, opens=opens)


@attack(large=True)
def directory_of_a_million(shop: Workshop) -> bytes:
    """A million members of nothing: a zip's directory is read whole before anything is known."""

    def fill(archive: zipfile.ZipFile) -> None:
        for i in range(200_000):
            archive.writestr(f"export/{i}", b"")

    return torch_zip(shop.pickled, shop.storages, fill)


@attack(large=True)
def directory_of_two_million(shop: Workshop) -> bytes:
    """100 MB of directory, written by hand: two million members at one place, of no length."""
    entry = CENTRAL + struct.pack(
        "<4B4HL2L5H2L", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    )
    directory = (entry + b"a") * 2_000_000
    end = struct.pack("<4H2LH", 0, 0, 65535, 65535, len(directory), 0, 0)
    good = torch_zip(shop.pickled, shop.storages)
    at = struct.pack("<L", len(good))
    return good + directory + END + end[:12] + at + end[16:]


@attack(large=True)
def keys_of_the_legacy_format(shop: Workshop) -> bytes:
    """A list of ten million storages in the legacy format."""
    first: tuple[Any, ...] = (MAGIC, LEGACY_VERSION, {})
    head = [pickle.dumps(value, 2) for value in first]
    keys = b"\x80\x02" + listed(text("0") * 10_000_000) + OP.STOP
    return b"".join((*head, shop.pickled, keys))


@attack(large=True)
def tensors_by_the_million(shop: Workshop) -> bytes:
    """A million views of one number, all in one layer."""
    stored = several(
        text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(4)
    )
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    view = OP.MARK + number(0) + OP.EMPTY_TUPLE + OP.EMPTY_TUPLE + OP.NEWFALSE + OP.EMPTY_DICT
    shared = put(2**20) + OP.POP + stored + OP.BINPERSID + put(2**20 + 1) + OP.POP + OP.EMPTY_DICT
    pairs = b"".join(
        b"V%x\n" % i + get(2**20) + OP.MARK + get(2**20 + 1) + view[1:] + OP.TUPLE + OP.REDUCE
        for i in range(1_000_000)
    )
    many = Opcodes(rebuild + shared + OP.MARK + pairs + OP.SETITEMS)
    return shop.planted(lambda learn: learn.model[2].__dict__.update(_buffers=many))


@attack(large=True, opens=True)
def weights_of_half_the_width(shop: Workshop) -> bytes:
    """90 MB of honest half precision, which are 180 MB when they are computed with."""

    def change(learn: Any) -> None:
        import torch

        learn.model[2]._buffers["table"] = torch.zeros(45_000_000, dtype=torch.float16)

    return shop.planted(change)


@attack(large=True)
def zip_with_a_long_tail(shop: Workshop) -> bytes:
    """A hundred megabytes of zeros behind a good zip."""
    return shop.zipped(shop.pickled) + bytes(MUCH)


@attack(large=True)
def zeros(shop: Workshop) -> bytes:
    """A hundred megabytes of nothing at all."""
    return bytes(MUCH)


@attack(large=True)
def numbers_to_be_read(shop: Workshop) -> bytes:
    """A pickle of two million honest steps, in a part that nobody needs."""
    made = io.BytesIO()
    pickle.dump(list(range(1_900_000)), made, 2)
    return shop.smuggle(made.getvalue()[2:-1])
