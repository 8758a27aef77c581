"""Good contents in other wrappings than a zip: the legacy format, two formats at once, or none.

Which of its two formats a file is, torch tells by its first bytes, and zipfile by its last; in the
legacy one, counts stand before the numbers.
"""

import io
import pickle
import struct
from collections.abc import Callable
from pickletools import genops

from tests.attacks.assemble import OP, torch_legacy, torch_zip
from tests.attacks.containers import evil
from tests.attacks.workshop import Workshop, add, attack


@attack(opens=True)
def starts_with_another_sign(shop: Workshop) -> bytes:
    """saferpickle 46: a zip that begins as a part of several; zipfile looks at the end only."""
    return b"PK\x07\x08" + shop.zipped(shop.pickled)


@attack()
def starts_as_a_pickle(shop: Workshop) -> bytes:
    """A legacy pickle with a zip at its end: torch reads the one, is_zipfile sees the other."""
    return torch_legacy(evil(shop)) + shop.zipped(shop.pickled)


@attack(fires=True)
def ends_as_a_zip(shop: Workshop) -> bytes:
    """The same, with a payload in the legacy half and a good zip for whoever looks at the end."""
    return torch_legacy(evil(shop)[:-1] + OP.POP + shop.pickled[2:]) + shop.zipped(shop.pickled)


@attack()
def packed_by_7zip(shop: Workshop) -> bytes:
    """nullifAI: an archive of another kind round the export."""
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24) + shop.zipped(shop.pickled)


@attack()
def zip_in_a_zip(shop: Workshop) -> bytes:
    """The export as a member of another zip."""
    return torch_zip(shop.zipped(shop.pickled))


# The legacy format

COUNTS: list[tuple[str, str, int]] = [
    ("negative", "a storage of less than nothing", -1),
    ("huge", "a storage of 2^62 numbers", 2**62),
    ("billions", "a storage of 2^33 numbers", 2**33),
    ("none", "a storage of no numbers", 0),
]


def legacy_parts(shop: Workshop) -> tuple[bytes, list[object], bytes]:
    """The good export as torch writes it in this format: four pickles, the keys, the numbers."""
    whole = shop.planted(lambda learn: None, zipped=False)
    stream = io.BytesIO(whole)
    for _ in range(4):
        list(genops(stream))
    head = whole[: stream.tell()]
    keys = pickle.load(stream)
    return head, keys, whole[stream.tell() :]


def legacy(shop: Workshop, tail: Callable[[bytes], bytes]) -> bytes:
    head, keys, numbers = legacy_parts(shop)
    return head + pickle.dumps(keys, 2) + tail(numbers)


def legacy_listing(shop: Workshop, change: Callable[[list[object]], list[object]]) -> bytes:
    head, keys, numbers = legacy_parts(shop)
    return head + pickle.dumps(change(keys), 2) + numbers


for label, what, count in COUNTS:

    def counted(shop: Workshop, count: int = count) -> bytes:
        return legacy(shop, lambda numbers: struct.pack("<q", count) + numbers[8:])

    add("wrappings", f"legacy_{label}", f"the legacy format with {what}", counted)


@attack()
def legacy_cut(shop: Workshop) -> bytes:
    """The legacy format without its last numbers."""
    return legacy(shop, lambda numbers: numbers[:-20])


@attack()
def legacy_without_numbers(shop: Workshop) -> bytes:
    """The legacy format that lists no storages."""
    return legacy_listing(shop, lambda keys: [])


@attack()
def legacy_key_twice(shop: Workshop) -> bytes:
    """The legacy format that lists one storage twice."""
    return legacy_listing(shop, lambda keys: [*keys, keys[0]])


@attack()
def legacy_key_unknown(shop: Workshop) -> bytes:
    """The legacy format that lists a storage which nothing uses."""
    return legacy_listing(shop, lambda keys: ["unknown", *keys])


@attack()
def legacy_keys_of_all_kinds(shop: Workshop) -> bytes:
    """The legacy format whose list of storages holds a list, a number and nothing."""
    return legacy_listing(shop, lambda keys: [[], 1, None])


@attack()
def legacy_magic_only(shop: Workshop) -> bytes:
    """The first of the five pickles, and no more."""
    return torch_legacy(b"")[:20]


@attack()
def legacy_other_magic(shop: Workshop) -> bytes:
    """picklescan's pytorch_magic_bypass: a magic number that is another's."""
    return torch_legacy(shop.pickled).replace(b"\x8a\x0a", b"\x8a\x0b\x01", 1)


@attack()
def comments_without_end(shop: Workshop) -> bytes:
    """A page of nothing but comments: a pattern that looks for a page can try 2^140 ways."""
    return b"<!---->" * 140 + b"no page"


@attack()
def spaces_without_end(shop: Workshop) -> bytes:
    """White space, which a pattern may skip in as many ways."""
    return b" \n" * 500_000 + b"no page"
