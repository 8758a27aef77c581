"""A packed body is unpacked to what it was, or refused before it takes more memory than it may."""

import gzip
import tracemalloc
import zlib

import pytest

from voilearn.errors import BadRequest, PhotoTooLarge
from voilearn.service.content_coding import NONE, coding_of, unpack

DATA = b"photo" * 1000


@pytest.mark.parametrize(
    ("headers", "coding"),
    [
        ([], "identity"),
        ([""], "identity"),
        ([" Identity "], "identity"),
        (["identity, ,IDENTITY"], "identity"),
        (["identity", "identity"], "identity"),
        (["GZIP"], "gzip"),
        (["identity, x-gzip"], "x-gzip"),
        (["gzip", "br"], "gzip, br"),
    ],
)
def test_a_coding_is_what_is_left_of_its_headers(headers: list[str], coding: str) -> None:
    assert coding_of(headers) == coding


def test_a_body_that_is_not_packed_is_what_it_is() -> None:
    assert unpack(DATA, NONE, 10) is DATA


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_packed_body_is_unpacked_up_to_the_limit(coding: str) -> None:
    pack = zlib.compress if coding == "deflate" else gzip.compress
    assert unpack(pack(DATA), coding, len(DATA)) == DATA
    with pytest.raises(PhotoTooLarge, match=r"more than 0 MB, which is the limit\. Send smaller"):
        unpack(pack(DATA), coding, len(DATA) - 1)


PACKED = gzip.compress(DATA, mtime=0)


@pytest.mark.parametrize("body", [b"", b"x", PACKED[:-1], PACKED + b"x"])
def test_a_damaged_body_is_told(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"not in gzip, .* or damaged\. Send it again"):
        unpack(body, "gzip", 10_000)


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "zstd"])
def test_another_coding_is_told(coding: str) -> None:
    with pytest.raises(BadRequest, match=r"Content-Encoding is not known here\. Send .* as it is"):
        unpack(DATA, coding, 10_000)


def test_a_body_that_unpacks_to_gigabytes_takes_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(PhotoTooLarge):
        unpack(bomb, "gzip", 1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
