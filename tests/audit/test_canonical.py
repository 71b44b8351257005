"""The published cases of RFC 8785, and its number generator's hashes."""

import struct
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from math import isfinite
from pathlib import Path

import orjson
import pytest
import rfc8785

from infra.tlog.codec import OutsideProfile, canonical, check

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "jcs"
NAMES = ("arrays", "french", "structures", "unicode", "values", "weird")

FIRST = Path(__file__).with_name("numbers.txt").read_text("ascii").split()
"""The bits of the numbers with which the generator begins."""

IN_A_ROW = range(0x0010000000000000, 0x0010000000000000 + 2000)

LINES = {
    1_000: "be18b62b6f69cdab33a7e0dae0d9cfa869fda80ddc712221570f9f40a5878687",
    10_000: "b9f7a8e75ef22a835685a52ccba7f7d6bdc99e34b010992cbc5864cd12be6892",
    100_000: "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7",
    1_000_000: "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16",
}
"""The SHA-256 of so many lines, as it was published with the generator."""


@pytest.mark.skipif(not VECTORS.is_dir(), reason=f"the published cases are not at {VECTORS}")
@pytest.mark.parametrize("name", NAMES)
def test_the_published_cases_have_their_published_form(name: str) -> None:
    value = orjson.loads((VECTORS / "input" / f"{name}.json").read_bytes())
    published = bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text())
    assert rfc8785.dumps(value) == published
    try:
        check(value)
    except OutsideProfile:
        return  # Fractions, and keys beyond ASCII, are no part of what is recorded.
    assert canonical(value) == published


def numbers() -> Iterator[int]:
    """Yield the bits of the generator's numbers: edge cases, a row, then what hashing yields."""
    yield from (int(each, 16) for each in FIRST)
    yield from IN_A_ROW
    block = bytes(32)
    while True:
        block = sha256(block).digest()
        for bits in struct.unpack("<4Q", block):
            (value,) = struct.unpack("<d", struct.pack("<Q", bits))
            if value and isfinite(value):
                yield bits


def test_a_million_numbers_are_written_as_was_published() -> None:
    digest, generated = sha256(), numbers()
    written = 0
    for lines, published in LINES.items():
        for bits in islice(generated, lines - written):
            (value,) = struct.unpack("<d", struct.pack("<Q", bits))
            digest.update(b"%x,%b\n" % (bits, rfc8785.dumps(value)))
        written = lines
        assert digest.hexdigest() == published
