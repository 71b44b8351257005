"""The feed of one partnership as its parties sign it: from the choice of the partner on, each line.

Before that there is no second party; then both register a key, which nothing can be signed by
earlier. What time causes nobody signs: in a long feed, one event in some hundreds.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from domain.bilateral import BilateralCommand, BilateralProposed
from domain.claims import ClaimCommand
from domain.content import Consent, digest
from domain.experiment import HypothesisRegistered, StartPilot
from domain.formation import AgreementDrafted, SignAgreement
from domain.kernel import Command, Event
from domain.keyring import key_id
from domain.recorded import Recorded
from domain.settlement import (
    Balance,
    FinalSettlementIssued,
    IssueFinalSettlement,
    IssueStatement,
    Issuing,
    StatementIssued,
    contents_of,
)
from domain.values import instant
from infra.answers import claimed
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


def covered(
    command: Command,
    recorded: Sequence[Recorded],
    by: tuple[str, datetime],
    keys: Mapping[str, list[str]] | None = None,
) -> Command:
    """Return a command as a party signs it at a moment: with the digest of what it accepts.

    `recorded` are the events of its partnership. Raises `IndexError` if they lack what it accepts.
    """
    if isinstance(command, Issuing):
        contents = contents_of(_issued(command, recorded, by[0]))
        return command.model_copy(update={"contents": contents})
    if not isinstance(command, ClaimCommand):
        return covering(command, (each.event for each in recorded), keys)
    stated = claimed.fact(command, recorded, *by)
    if stated is None:
        raise IndexError(command)
    return command.model_copy(update={"content": digest(stated.event), "fact_at": stated.at})


def _issued(command: Issuing, recorded: Iterable[Recorded], party: str) -> Iterator[Balance]:
    """Yield the balances that a command of a party issued."""
    for each in recorded:
        match command, each.event:
            case IssueStatement(period=period, currency=currency), StatementIssued() as event:
                same = currency in {None, event.balance.currency}
                if same and (event.period, each.act.party) == (period, party):
                    yield event.balance
            case IssueFinalSettlement(settlement=name), FinalSettlementIssued(settlement=of) as end:
                yield from end.balances if of == name else ()
            case _:
                pass


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


def recorded(lines: Iterable[bytes], partnership: str) -> list[Recorded]:
    """Return the events of a partnership that its feed comes to, unsigned."""
    with TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/unsigned.db")
        init(settings, simulated=True)
        with bootstrap(settings) as accord:
            accord.service.handle([*lines])
            return [*accord.history.of(partnership)]


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
    line: bytes, by: Signer, events: Sequence[Recorded], keys: Mapping[str, list[str]]
) -> bytes:
    read = intake.read(line)
    if not isinstance(read, Input):
        raise TypeError(f"the feed should be readable: {read}")
    # As `accord sign` does: what is signed is what will be recorded, with all its defaults.
    envelope = read.envelope
    command = covered(envelope.data, events, (envelope.party, envelope.time), keys)
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
