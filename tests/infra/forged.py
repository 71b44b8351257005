"""Messages that nobody of Accord sent: what a topic may hold beside what a relay sends."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import orjson

Headers = list[tuple[str, bytes]]

INDEXES = (
    "0",
    "-1",
    "1000000",
    "2147483648",
    "9" * 400,
    "1e3",
    "0x7f",
    "",
    " 7",
    "seven",
    "\u0667",
)
"""What a forged header may say in place of an index."""


class Forged(NamedTuple):
    """A message that is sent as it is."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def forgeries(partnership: str, body: bytes, size: int, chance: Random) -> Iterator[Forged]:
    """Yield forged messages about a partnership, of which `body` is a recorded event.

    `size` is how many events it has: the next index, which is not recorded yet.
    """
    key = partnership.encode()
    for index in (str(size), str(size + 1), *INDEXES):
        yield Forged(key, altered(body, chance), place(index))
    good = place(str(size))
    yield Forged(key, body, [*good, *place("1000000")])
    yield Forged(key, body, [(name, b"\xff\x00") for name, _ in good])
    yield Forged(key, body, [])
    yield Forged(key, None, good)
    yield Forged(key, b"no event of " + key, good)
    yield Forged(key, b"[" * 5000, good)
    yield Forged(b"never-begun", altered(body, chance, partnership="never-begun"), place("0"))
    yield Forged(b"never-begun", None, good)
    yield Forged(b"other", body, good)
    yield Forged(None, body, good)
    yield Forged(b"", body, good)
    yield Forged(b"\xff\x00", body, good)
    yield Forged(key + b"\0", body, good)
    yield Forged(b"k" * 2**20, body, good)
    yield Forged(key, b" " * 2**20, good)


def altered(body: bytes, chance: Random, **changes: object) -> bytes:
    """Return the body of an event that says something else."""
    event = orjson.loads(body)
    number = chance.randrange(10**9)
    return orjson.dumps(
        event
        | {"event_id": f"forged-{number}", "actor": "mallory", "source": "//mallory"}
        | changes
    )


def place(index: str) -> Headers:
    return [("ce_id", b"forged"), ("ce_index", index.encode()), ("ce_position", index.encode())]
