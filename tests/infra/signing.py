"""Parties who sign: each has a key, registers it, and puts what it asks for into an envelope."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson

from domain.kernel import Command
from domain.keyring import RegisterKey, RotateKey, key_id
from infra.settings import OPERATOR
from infra.tlog import dsse, keys
from infra.tlog.keys import Signer
from tests.infra.messages import attributes

NAME = "growthos-brightpath"
LATE = datetime(2030, 1, 1, tzinfo=UTC)
"""When nothing of a test is over yet."""

_numbers = count(1)


@dataclass
class Signatory:
    """A party with a key."""

    party: str
    signer: Signer
    at: str = "2026-01-12"
    nonces: "count[int]" = field(default_factory=count)

    @property
    def keyid(self) -> str:
        return key_id(self.signer.public)

    def event(self, command: Command, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """An event of the party's, under an id of its own."""
        given = {"party": self.party, "at": self.at, **more}
        return attributes(given.pop("id", f"signed-{next(_numbers)}"), command, **given)

    def unsigned(self, command: Command, **more: Any) -> bytes:  # noqa: ANN401
        return orjson.dumps(self.event(command, **more))

    def payload(self, event: dict[str, Any], **changes: Any) -> dsse.Payload:  # noqa: ANN401
        """What the party signs for an event, with changes."""
        payload = dsse.asked(event, OPERATOR, LATE)
        nonce = f"{self.keyid}-{next(self.nonces)}"
        return payload.model_copy(update={"nonce": nonce, **changes})

    def signs(self, command: Command, **more: Any) -> bytes:  # noqa: ANN401
        """The signed command that asks for something."""
        return dsse.sign(self.signer, self.payload(self.event(command, **more)))

    def register(self, subject: str = NAME) -> RegisterKey:
        return RegisterKey.model_validate(self.shown(subject))

    def rotate(self, replaces: str, subject: str = NAME) -> RotateKey:
        return RotateKey(**self.shown(subject), replaces=replaces)

    def shown(self, subject: str) -> dict[str, str]:
        proof = self.signer.sign(keys.possession(subject, self.party, self.signer.public))
        return {
            "key": b64encode(self.signer.public).decode(),
            "proof": b64encode(proof).decode(),
        }


def signatory(party: str, seed: int) -> Signatory:
    """Return a party with the key of a seed, the same on every run."""
    return Signatory(party, Signer(bytes([seed]) * 32))
