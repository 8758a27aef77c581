"""Good contents in a bad zip: one that lies of its members, holds one twice, or far too much.

torch reads a zip by its own reader, Python by zipfile, and scanners by theirs; where two of them
disagree, one is shown another file than the other opens.
"""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from tests.attacks.assemble import OP, call, name, start, text, torch_zip
from tests.attacks.workshop import Workshop, add, attack

CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def evil(shop: Workshop) -> bytes:
    return bytes(start(2) + call(name("os", "system"), text(shop.command)) + OP.STOP)


def with_more(change: Callable[[zipfile.ZipFile, Workshop], object]) -> Callable[[Workshop], bytes]:
    """The good export with members added."""

    def build(shop: Workshop) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that is there twice
            return torch_zip(shop.pickled, shop.storages, lambda archive: change(archive, shop))

    return build


def patched(signature: bytes, at: int, form: str, value: int) -> Callable[[Workshop], bytes]:
    """The good export with one field of each header of a kind changed."""

    def build(shop: Workshop) -> bytes:
        data = bytearray(shop.zipped(shop.pickled))
        place = data.find(signature)
        while place >= 0:
            struct.pack_into(form, data, place + at, value)
            place = data.find(signature, place + 4)
        return bytes(data)

    return build


def compressed(pickled: bytes, shop: Workshop) -> bytes:
    return torch_zip(pickled, shop.storages, compression=zipfile.ZIP_DEFLATED)


ADDED: list[tuple[str, str, Callable[[zipfile.ZipFile, Workshop], object], bool]] = [
    (
        "pickle_twice",
        "a second data.pkl of the same name; one reader takes the first, another the last",
        lambda archive, shop: archive.writestr("export/data.pkl", evil(shop)),
        False,
    ),
    (
        "pickle_of_another_folder",
        "a second folder with a data.pkl",
        lambda archive, shop: archive.writestr("evil/data.pkl", evil(shop)),
        True,
    ),
    (
        "storage_twice",
        "a storage that is there twice",
        lambda archive, shop: archive.writestr("export/data/0", b"\0" * 400),
        False,
    ),
    (
        "member_up",
        "a member whose name leads up",
        lambda archive, shop: archive.writestr("../../evil", b""),
        False,
    ),
    (
        "member_absolute",
        "a member whose name is a path",
        lambda archive, shop: archive.writestr(unchecked("/etc/evil"), b""),
        False,
    ),
    (
        "member_of_windows",
        "a member whose name is a path of Windows",
        lambda archive, shop: archive.writestr("C:\\evil", b""),
        True,
    ),
    (
        "member_nul",
        "a name with an end in it: C reads data.pkl",
        lambda archive, shop: archive.writestr(unchecked("export/data.pkl\0.txt"), evil(shop)),
        False,
    ),
    (
        "script_code",
        "constants.pkl, which sends torch.load to TorchScript",
        lambda archive, shop: archive.writestr("export/constants.pkl", evil(shop)),
        True,
    ),
    (
        "other_byte_order",
        "a second byte order",
        lambda archive, shop: archive.writestr("export/byteorder", "big"),
        False,
    ),
    (
        "other_version",
        "a second version",
        lambda archive, shop: archive.writestr("export/version", "999"),
        False,
    ),
]
for label, what, change, opens in ADDED:
    add("containers", label, f"a zip with {what}", with_more(change), opens=opens)


def unchecked(filename: str) -> zipfile.ZipInfo:
    """A member of any name; zipfile would shorten it."""
    member = zipfile.ZipInfo("x")
    member.filename = filename
    return member


# The places of fields: APPNOTE.TXT 4.3.7 (local), 4.3.12 (central), 4.3.16 (end)
PATCHED: list[tuple[str, str, Callable[[Workshop], bytes], bool]] = [
    ("encrypted", "members said to be encrypted", patched(CENTRAL, 8, "<H", 1), False),
    ("encrypted_local", "the same in the local headers only", patched(LOCAL, 6, "<H", 1), True),
    (
        "flag_patched",
        "GHSA-w8jq-xcqf-f792: a flag that zipfile",
        patched(CENTRAL, 8, "<H", 32),
        False,
    ),
    ("flag_strong", "the flag of strong encryption", patched(CENTRAL, 8, "<H", 64), False),
    ("method_unknown", "a way of packing that is not", patched(CENTRAL, 10, "<H", 99), False),
    ("method_local", "another way in the local headers", patched(LOCAL, 8, "<H", 8), True),
    ("checksum", "GHSA-jgw4-cr84-mqxg: sums that do not fit", patched(CENTRAL, 16, "<I", 1), False),
    ("size_declared", "members of 4 GB, said", patched(CENTRAL, 24, "<I", 2**32 - 2), False),
    ("size_packed", "members of 4 GB, packed", patched(CENTRAL, 20, "<I", 2**32 - 2), False),
    ("size_zip64", "sizes that are told elsewhere", patched(CENTRAL, 24, "<I", 2**32 - 1), False),
    ("name_longer", "names that reach into the next", patched(CENTRAL, 28, "<H", 65535), False),
    ("name_local", "GHSA-7q5r-7gvp-wc82: other local names", patched(LOCAL, 26, "<H", 3), False),
    ("all_at_one", "all members at one place", patched(CENTRAL, 42, "<I", 0), False),
    ("beyond", "members behind the end", patched(CENTRAL, 42, "<I", 2**32 - 2), False),
    ("directory_at", "a directory behind the end", patched(END, 16, "<I", 2**32 - 2), False),
    ("directory_size", "a directory of 4 GB", patched(END, 12, "<I", 2**32 - 2), False),
    ("directory_none", "a directory of nothing", patched(END, 12, "<I", 0), False),
    ("comment", "a comment longer than the file", patched(END, 20, "<H", 65535), True),
    ("disks", "parts on other disks", patched(END, 4, "<H", 7), True),
]
for label, what, build, opens in PATCHED:
    add("containers", f"zip_{label}", f"a zip with {what}", build, opens=opens)


@attack()
def byte_order_of_others(shop: Workshop) -> bytes:
    """Numbers said to be written the other way round."""
    return shop.zipped(shop.pickled).replace(b"little", b"bigend")


@attack()
def byte_order_big(shop: Workshop) -> bytes:
    """The same, in torch's own word for it, with sums that fit."""
    return remade(shop, "export/byteorder", b"big")


@attack(opens=True)
def version_of_the_future(shop: Workshop) -> bytes:
    """A version that no torch has written yet."""
    return remade(shop, "export/version", b"999\n")


def remade(shop: Workshop, member: str, data: bytes) -> bytes:
    """The good export with one member's contents changed."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(shop.zipped(shop.pickled))) as old,
        zipfile.ZipFile(made, "w") as new,
    ):
        for each in old.namelist():
            new.writestr(each, data if each == member else old.read(each))
    return made.getvalue()


@attack()
def pickle_bomb(shop: Workshop) -> bytes:
    """100 MB of nothing, packed to 100 kB, where the pickle should be."""
    return compressed(shop.pickled[:-1] + bytes(OP.NONE + OP.POP) * 50_000_000, shop)


@attack()
def storage_bomb(shop: Workshop) -> bytes:
    """A storage of 100 MB, packed to a few kilobytes."""
    storages = {
        key: bytes(100_000_000 if key == "0" else len(d)) for key, d in shop.storages.items()
    }
    return torch_zip(shop.pickled, storages, compression=zipfile.ZIP_DEFLATED)


@attack()
def overlapping(shop: Workshop) -> bytes:
    """Fifield's bomb: a thousand members, all of them the same bytes of the file."""
    file = io.BytesIO(shop.zipped(shop.pickled))
    with zipfile.ZipFile(file, "a") as archive:
        largest = max(archive.filelist, key=lambda member: member.file_size)
        for i in range(1000):
            again = unchecked(f"export/data/{1000 + i}")
            for field in ("header_offset", "CRC", "file_size", "compress_size"):
                setattr(again, field, getattr(largest, field))
            archive.filelist.append(again)
        archive.comment = b" "  # so that the directory is written anew
    return file.getvalue()
