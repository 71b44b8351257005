"""The keys with which each party signs, and what it recorded without a signature."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import orjson

from domain import keyring
from domain.kernel import CLOCK_PARTY, Event
from domain.keyring import (
    Facts,
    KeyRecovered,
    KeyRevoked,
    Keyring,
    PartyKey,
    SignedKind,
    public_of,
)
from domain.recorded import Recorded
from domain.signing import FACTS, MUST_BE_SIGNED, Effect, effect_of
from domain.values import Exact, Money, counted
from infra.answers.logs import NOW, AsOf, log
from infra.answers.question import Answer, Item, Panel, PartnershipId, Question
from infra.answers.text import Block, Line, Table, minute
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import COMMAND
from infra.tlog import dsse

_OWN_SOURCES = "accord:"
"""The prefix of the sources of the operator, whose events follow from others."""

_SHOWN = 6
"""How many events of a kind are named in the text."""


class KeySender(StrEnum):
    """Who sent the registration of a key."""

    PARTY = "party"
    """The party: with a credential that it made itself, or signed with another key of its own."""
    OPERATOR = "operator"
    """The operator, for the party or with an API key that the operator made for it."""


class SigningKey(Item):
    """A key of a party."""

    party: str
    """The party."""
    key: str
    """The fingerprint: the first 16 hexadecimal digits of the key's SHA-256."""
    public: str
    """The public key in base64, as a file of pins names it."""
    signs: tuple[Facts, ...]
    """The kinds of facts that a key of a service signs; empty if the key signs everything."""
    sent_by: KeySender
    """Who sent its registration. In a simulated store the feed is the party's word."""
    since: datetime
    """When it was recorded."""
    index: int
    """The index of the event that added it."""
    ended: int | None
    """The index of the event that replaced or revoked it; null while it is active."""


class Requirement(Item):
    """What a party requires to be signed, beside what the rules demand."""

    party: str
    """The party."""
    kinds: tuple[SignedKind, ...]
    """The kinds of events of which each must be signed."""


class UnsignedAmount(Item):
    """The sum of the amounts in events of one kind."""

    currency: str
    """The currency, as a code of ISO 4217."""
    amount: Exact
    """The sum."""


class UnsignedKind(Item):
    """The events of one kind that a party recorded without a signature."""

    party: str
    """The party."""
    effect: Effect
    """What the events do to the party."""
    kind: str
    """The kind of facts, or the type of the events that bind or erase."""
    count: int
    """The number of events."""
    amounts: tuple[UnsignedAmount, ...]
    """The sum of their amounts, by currency. An amount that is corrected is counted again."""
    events: tuple[int, ...]
    """The indexes of events that bind or erase; empty for facts."""


class LostKey(Item):
    """A key that its party lost, and what was signed in its party's name since then."""

    party: str
    """The party that lost it."""
    keys: tuple[str, ...]
    """The fingerprints of the keys that ended for it."""
    lost_since: datetime
    """Since when somebody else may have had it, as its party says."""
    ended: int
    """The index of the event that ended it: its revocation, or the recovery."""
    signed: tuple[int, ...]
    """The indexes of the events that were signed with it between the two. An event whose command
    was erased is among them, because its key is not known."""


class SignedConsent(Item):
    """What a party accepted with its signature."""

    party: str
    """The party."""
    type: str
    """The type of the event that records the acceptance."""
    index: int
    """The index of that event."""
    key: str
    """The fingerprint of the key that signed."""
    content: str
    """The digest of the accepted content, as the inbox gives it: SHA-256 in hexadecimal."""


class Signatures(Answer):
    """The keys of a partnership, what each party accepted with them, and what was not signed."""

    id: str
    """The partnership."""
    keys: tuple[SigningKey, ...]
    """The keys in the order in which they were added, ended ones included."""
    required: tuple[Requirement, ...]
    """What each party requires to be signed, beside what binds it and what erases a person."""
    signed: int
    """How many events of parties were signed."""
    accepted: tuple[SignedConsent, ...]
    """What was accepted with a signature, in order, without commands that were erased."""
    unsigned: tuple[UnsignedKind, ...]
    """What was not signed and binds, erases or moves money, by party."""
    lost: tuple[LostKey, ...]
    """The keys that were lost, in the order in which they ended."""


@dataclass(slots=True)
class _Unsigned:
    events: list[int] = field(default_factory=list)
    amounts: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


class _Loss(NamedTuple):
    party: str
    keys: tuple[str, ...]
    since: datetime
    ended: int


@dataclass(slots=True)
class _Keys:
    """The keys as the events before make them, and the event that added each."""

    ring: Keyring = field(default_factory=Keyring)
    added: dict[str, Recorded] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    lost: list[_Loss] = field(default_factory=list)

    def take(self, recorded: Recorded) -> None:
        """Fold an event."""
        event = recorded.event
        before = self.ring
        self.ring = keyring.evolve(self.ring, event, recorded.act)
        self.added |= {name: recorded for name in self.ring.keys if name not in before.keys}
        ended = [
            name
            for name, each in before.keys.items()
            if each.active and not self.ring.keys[name].active
        ]
        self.ended |= dict.fromkeys(ended, recorded.index)
        if isinstance(event, KeyRevoked | KeyRecovered) and event.lost_since and ended:
            party = before.keys[ended[0]].party
            self.lost.append(_Loss(party, tuple(ended), event.lost_since, recorded.index))


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Signatures:
    """Return the keys of both parties, and what each recorded unsigned. Raises `NotFound`.

    Events that follow from others, such as statements that the operator issues, are not listed.
    """
    keys = _Keys()
    signed: list[Recorded] = []
    found: defaultdict[tuple[str, Effect, str], _Unsigned] = defaultdict(_Unsigned)
    for recorded in log(accord.history, id, when):
        keys.take(recorded)
        if recorded.signed is not None:
            signed.append(recorded)
        elif recorded.act.party != CLOCK_PARTY and not recorded.source.startswith(_OWN_SOURCES):
            _count(found, recorded)
    return Signatures(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        keys=tuple(_key(name, each, keys) for name, each in keys.ring.keys.items()),
        required=tuple(
            Requirement(party=party, kinds=tuple(sorted(kinds)))
            for party, kinds in sorted(keys.ring.required.items())
            if kinds
        ),
        signed=len(signed),
        accepted=tuple(_accepted(accord, id, signed)),
        unsigned=tuple(_kind(*of, each) for of, each in sorted(found.items())),
        lost=tuple(_lost(accord, id, keys.lost, signed)),
    )


def _accepted(accord: Accord, id: str, signed: Sequence[Recorded]) -> Iterator[SignedConsent]:
    """Yield what was accepted: of each command that says so, with its first event."""
    binding = [each for each in signed if effect_of(type(each.event)) is Effect.BINDS]
    first = {each.signed: each for each in reversed(binding) if each.signed}
    kept = accord.history.kept(COMMAND, id, first) if first else {}
    for name, recorded in reversed(first.items()):
        command = dsse.read(orjson.loads(kept[name])) if name in kept else None
        content = command.payload.event["data"].get("content") if command else None
        if command is not None and content is not None:
            yield SignedConsent(
                party=recorded.act.party,
                type=recorded.event.wire,
                index=recorded.index,
                key=command.keyid,
                content=content,
            )


def _lost(
    accord: Accord, id: str, losses: Sequence[_Loss], signed: Sequence[Recorded]
) -> Iterator[LostKey]:
    """Yield each loss of keys, with what was signed with them since."""
    if not losses:
        return
    commands = accord.history.kept(COMMAND, id)
    keys = {digest: dsse.read(orjson.loads(raw)).keyid for digest, raw in commands.items()}
    for loss in losses:
        yield LostKey(
            party=loss.party,
            keys=loss.keys,
            lost_since=loss.since,
            ended=loss.ended,
            signed=tuple(
                each.index
                for each in signed
                if each.act.party == loss.party
                and each.act.recorded_at >= loss.since
                and each.index < loss.ended
                and keys.get(each.signed or "", loss.keys[0]) in loss.keys
            ),
        )


def _count(found: defaultdict[tuple[str, Effect, str], _Unsigned], recorded: Recorded) -> None:
    event = recorded.event
    effect = effect_of(type(event))
    if effect in MUST_BE_SIGNED or effect is Effect.MOVES_MONEY:
        kind = FACTS[event.wire].value if event.wire in FACTS else event.wire
        row = found[recorded.act.party, effect, kind]
        row.events.append(recorded.index)
        for money in _amounts(event):
            row.amounts[money.currency] += money.amount


def _amounts(event: Event) -> Iterable[Money]:
    return (each for _, each in event if isinstance(each, Money))


def _key(name: str, key: PartyKey, keys: _Keys) -> SigningKey:
    added = keys.added[name]
    return SigningKey(
        party=key.party,
        key=name,
        public=b64encode(public_of(key.added)).decode(),
        signs=tuple(sorted(key.delegated or ())),
        sent_by=KeySender.OPERATOR if name in keys.ring.by_operator else KeySender.PARTY,
        since=added.act.recorded_at,
        index=added.index,
        ended=keys.ended.get(name),
    )


def _kind(party: str, effect: Effect, kind: str, of: _Unsigned) -> UnsignedKind:
    return UnsignedKind(
        party=party,
        effect=effect,
        kind=kind,
        count=len(of.events),
        amounts=tuple(
            UnsignedAmount(currency=currency, amount=amount)
            for currency, amount in sorted(of.amounts.items())
        ),
        events=tuple(of.events) if effect in MUST_BE_SIGNED else (),
    )


def text(found: Signatures) -> Iterator[Block]:
    """Yield the keys, then what was accepted with them and what was not signed."""
    if not found.keys:
        yield Line("No party has registered a key, so nothing must be signed.")
    yield Table(
        ["PARTY", "KEY", "SIGNS", "SENT BY", "SINCE", "ENDED"],
        [
            (
                each.party,
                each.key,
                ", ".join(each.signs) or "everything",
                each.sent_by.value,
                minute(each.since),
                f"#{each.ended}" if each.ended is not None else "",
            )
            for each in found.keys
        ],
    )
    for each in found.required:
        kinds = ", ".join(each.kinds)
        yield Line(f"{each.party} requires its signature on events of these kinds too: {kinds}.")
    yield Line()
    yield Line(f"{counted(found.signed, 'event')} signed.")
    if found.accepted:
        yield Line("Accepted with a signature, by the digest of the content:")
        yield Table(
            ["PARTY", "EVENT", "KEY", "CONTENT"],
            [
                (each.party, f"#{each.index} {each.type}", each.key, each.content)
                for each in found.accepted
            ],
        )
    yield Line("Not signed:")
    yield Table(
        ["PARTY", "EFFECT", "KIND", ">EVENTS", "AMOUNTS", "WHICH"],
        [
            (
                each.party,
                each.effect.value,
                each.kind,
                each.count,
                ", ".join(f"{one.amount} {one.currency}" for one in each.amounts),
                _indexes(each.events),
            )
            for each in found.unsigned
        ],
    )
    for lost in found.lost:
        yield Line(
            f"{lost.party} lost {' and '.join(lost.keys)} at {minute(lost.lost_since)}. "
            f"Signed with it until #{lost.ended}: {_indexes(lost.signed) or 'nothing'}"
        )


def _indexes(events: Sequence[int]) -> str:
    shown = " ".join(f"#{index}" for index in events[:_SHOWN])
    return shown + (" ..." if len(events) > _SHOWN else "")


SIGNATURES = Question(
    "signatures",
    ask,
    text,
    path="/v1/partnerships/{id}/signatures",
    help="Show the signing keys of both parties, what they accepted, and what is not signed.",
    panel=Panel.EVIDENCE,
)
