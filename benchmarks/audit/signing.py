"""The feed of one partnership as its parties sign it: from the choice of the partner on, each line.

Before that there is no second party; then both register a key, which nothing can be signed by
earlier. What time causes nobody signs: in a long feed, one event in some hundreds.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson

from domain.values import instant
from infra.deciding import intake
from infra.deciding.intake import Input
from infra.settings import OPERATOR
from infra.tlog import dsse, keys
from infra.tlog.keys import Signer

CHOSEN = "accord.ChoosePartner"
"""The line with which there are two parties."""

VALID = timedelta(days=1)
"""How long a signed command may be taken, from its time on."""


def signer(party: str) -> Signer:
    """Return a party's key, the same in each run."""
    return Signer(sha256(party.encode()).digest())


def signed(lines: Iterable[bytes], parties: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines of one partnership's feed, with keys, and signed from there on."""
    signers: dict[str, Signer] = {}
    for line in lines:
        event = orjson.loads(line)
        yield _envelope(line, signers[event["party"]]) if signers else line
        if event["type"] == CHOSEN:
            signers = {party: signer(party) for party in parties}
            for party, each in signers.items():
                yield orjson.dumps(_registration(event, party, each))


def _envelope(line: bytes, by: Signer) -> bytes:
    read = intake.read(line)
    if not isinstance(read, Input):
        raise TypeError(f"the feed should be readable: {read}")
    # As `accord sign` does: what is signed is what will be recorded, with all its defaults.
    data = read.envelope.data.model_dump(mode="json", exclude_none=True)
    event = orjson.loads(line) | {"time": instant(read.envelope.time), "data": data}
    return dsse.sign(by, dsse.asked(event, OPERATOR, read.envelope.time + VALID))


def _registration(chosen: dict[str, Any], party: str, by: Signer) -> dict[str, Any]:
    proof = by.sign(keys.possession(chosen["subject"], party, by.public))
    return chosen | {
        "id": f"key-of-{party}",
        "type": "accord.RegisterKey",
        "party": party,
        "actor": f"admin@{party}",
        "data": {"key": b64encode(by.public).decode(), "proof": b64encode(proof).decode()},
    }
