"""The keys with which each party signs, and what it recorded without a signature."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain import keyring
from domain.kernel import CLOCK_PARTY, Event
from domain.keyring import (
    Facts,
    FirstKeySentByOperator,
    KeyRegistered,
    KeyRevoked,
    Keyring,
    KeyRotated,
    PartyKey,
)
from domain.recorded import Recorded
from domain.signing import FACTS, MUST_BE_SIGNED, Effect, effect_of
from domain.values import Exact, Money
from infra.answers.logs import NOW, AsOf, log
from infra.answers.question import Answer, Item, Panel, PartnershipId, Question
from infra.answers.text import Block, Line, Table, minute
from infra.bootstrap import Accord

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


class Signatures(Answer):
    """The keys of a partnership, and what was not signed."""

    id: str
    """The partnership."""
    keys: tuple[SigningKey, ...]
    """The keys in the order in which they were added, ended ones included."""
    signed: int
    """How many events of parties were signed."""
    unsigned: tuple[UnsignedKind, ...]
    """What was not signed and binds, erases or moves money, by party."""


@dataclass(slots=True)
class _Unsigned:
    events: list[int] = field(default_factory=list)
    amounts: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


@dataclass(slots=True)
class _Keys:
    """The keys as the events before make them, and the event that added each."""

    ring: Keyring = field(default_factory=Keyring)
    added: dict[str, Recorded] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    by_operator: set[str] = field(default_factory=set)

    def take(self, recorded: Recorded) -> None:
        """Fold an event."""
        event = recorded.event
        if isinstance(event, FirstKeySentByOperator):
            self.by_operator.add(event.keyid)
        if not isinstance(event, KeyRegistered | KeyRotated | KeyRevoked):
            return
        self.ring = keyring.evolve(self.ring, event, recorded.act)
        if not isinstance(event, KeyRevoked):
            self.added[event.name] = recorded
        if not isinstance(event, KeyRegistered):
            ended = event.replaces if isinstance(event, KeyRotated) else event.keyid
            self.ended[ended] = recorded.index


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Signatures:
    """Return the keys of both parties, and what each recorded unsigned. Raises `NotFound`.

    Events that follow from others, such as statements that the operator issues, are not listed.
    """
    keys, signed = _Keys(), 0
    found: defaultdict[tuple[str, Effect, str], _Unsigned] = defaultdict(_Unsigned)
    for recorded in log(accord.history, id, when):
        keys.take(recorded)
        if recorded.signed is not None:
            signed += 1
        elif recorded.act.party != CLOCK_PARTY and not recorded.source.startswith(_OWN_SOURCES):
            _count(found, recorded)
    return Signatures(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        keys=tuple(_key(name, each, keys) for name, each in keys.ring.keys.items()),
        signed=signed,
        unsigned=tuple(_kind(*of, each) for of, each in sorted(found.items())),
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
        signs=tuple(sorted(key.delegated or ())),
        sent_by=KeySender.OPERATOR if name in keys.by_operator else KeySender.PARTY,
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
    """Yield the keys, then what was not signed."""
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
    yield Line()
    yield Line(f"{found.signed} events are signed. Not signed:")
    yield Table(
        ["PARTY", "EFFECT", "KIND", ">EVENTS", "AMOUNTS", "WHICH"],
        [
            (
                each.party,
                each.effect.value,
                each.kind,
                each.count,
                ", ".join(f"{one.amount} {one.currency}" for one in each.amounts),
                " ".join(f"#{index}" for index in each.events[:_SHOWN])
                + (" ..." if len(each.events) > _SHOWN else ""),
            )
            for each in found.unsigned
        ],
    )


SIGNATURES = Question(
    "signatures",
    ask,
    text,
    path="/v1/partnerships/{id}/signatures",
    help="Show the signing keys of both parties, and what was recorded without a signature.",
    panel=Panel.EVIDENCE,
)
