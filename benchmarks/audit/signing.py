"""The feed of one partnership as its parties sign it: from the choice of the partner on, each line.

Before that there is no second party; then both register a key, which nothing can be signed by
earlier. What time causes nobody signs: in a long feed, one event in some hundreds.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from domain.bilateral import BilateralCommand, BilateralProposed
from domain.content import Consent, digest
from domain.experiment import HypothesisRegistered, StartPilot
from domain.formation import AgreementDrafted, SignAgreement
from domain.kernel import Command, Event
from domain.keyring import key_id
from domain.values import instant
from infra.bootstrap import bootstrap, init
from infra.deciding import intake
from infra.deciding.intake import Input
from infra.settings import OPERATOR, Settings
from infra.tlog import dsse, keys
from infra.tlog.keys import Signer

CHOSEN = "accord.ChoosePartner"
"""The line with which there are two parties."""

VALID = timedelta(days=1)
"""How long a signed command may be taken, from its time on."""


def covering(
    command: Command, events: Iterable[Event], keys: Mapping[str, list[str]] | None = None
) -> Command:
    """Return a command as it is signed: with the digest of what it accepts, if it accepts."""
    if not isinstance(command, Consent):
        return command
    accepted = [each for each in events if _accepts(command, each)]
    more = {"signing_keys": keys} if isinstance(command, SignAgreement) else {}
    return command.model_copy(update={"content": digest(accepted[-1]), **more})


def _accepts(command: Command, event: Event) -> bool:
    if isinstance(command, BilateralCommand) and isinstance(event, BilateralProposed):
        kind = command.agreement
        named = [each for each in (kind.called, kind.where) if each]
        return event.agreement is kind and all(
            getattr(event, each) == getattr(command, each) for each in named
        )
    match command, event:
        case SignAgreement(agreement_version=version), AgreementDrafted():
            return event.agreement_version == version
        case StartPilot(experiment=experiment), HypothesisRegistered():
            return event.experiment == experiment
        case _:
            return False


def recorded(lines: Iterable[bytes], partnership: str) -> list[Event]:
    """Return the events of a partnership that its feed comes to, unsigned."""
    with TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/unsigned.db")
        init(settings, simulated=True)
        with bootstrap(settings) as accord:
            accord.service.handle([*lines])
            return [each.event for each in accord.history.of(partnership)]


def signer(party: str) -> Signer:
    """Return a party's key, the same in each run."""
    return Signer(sha256(party.encode()).digest())


def signed(lines: Iterable[bytes], parties: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines of one partnership's feed, with keys, and signed from there on."""
    lines = [*lines]
    events = recorded(lines, orjson.loads(lines[0])["subject"])
    signers: dict[str, Signer] = {}
    for line in lines:
        event = orjson.loads(line)
        if signers:
            keys = {party: [key_id(each.public)] for party, each in sorted(signers.items())}
            yield _envelope(line, signers[event["party"]], events, keys)
        else:
            yield line
        if event["type"] == CHOSEN:
            signers = {party: signer(party) for party in parties}
            for party, each in signers.items():
                yield orjson.dumps(_registration(event, party, each))


def _envelope(
    line: bytes, by: Signer, events: Sequence[Event], keys: Mapping[str, list[str]]
) -> bytes:
    read = intake.read(line)
    if not isinstance(read, Input):
        raise TypeError(f"the feed should be readable: {read}")
    # As `accord sign` does: what is signed is what will be recorded, with all its defaults.
    command = covering(read.envelope.data, events, keys)
    data = command.model_dump(mode="json", exclude_none=True)
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
