"""Entries: joint revenue, shared costs and conceded penalties (C10, C26).

Each entry is a separate aggregate: one amount, and its reversals.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, assert_never

from domain import objections, second_person
from domain.claims import (
    Answered,
    ClaimCommand,
    ClaimConfirmed,
    ClaimObjected,
    ObjectToClaim,
    claimed,
    counts_at_once,
)
from domain.facts import Facts, Stated, already_recorded, own, with_fact
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    Refused,
)
from domain.second_person import ActConfirmed, ActWithdrawn, HeldActs, SecondPersonAsked
from domain.terms import Penalty, check_parties
from domain.terms_by_day import Agreed
from domain.values import Money, PositiveMoney, Ref, Slug, Text, plain


class EntryCommand(Command):
    """A command on one entry of a partnership."""

    stages = AFTER_KICKOFF
    entry: Ref
    """The identifier of the entry."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"entry/{self.entry}"


class RecordJointRevenue(EntryCommand):
    """Record revenue that both parties share, by the agreed split (C10)."""

    amount: PositiveMoney
    """The amount of money."""
    collected_by: Slug | None = None
    """The party that received the money. Default: the party that sends this."""
    under: Ref | None = None
    """The joint investment whose reward it is (C26). Default: the revenue split of the terms."""


class JointRevenueReceived(Event):
    """Revenue that both parties share was received (C10, C26)."""

    entry: Ref
    """The identifier of the entry."""
    amount: PositiveMoney
    """The amount of money."""
    collected_by: Slug
    """The party that received the money."""
    under: Ref | None = None
    """The joint investment whose reward it is; None for the revenue split of the terms."""


class RecordSharedCost(EntryCommand):
    """Record a cost that both parties bear, by the agreed shares (C10)."""

    cost: Text
    """What the cost was for, in the words of the terms' cost share."""
    amount: PositiveMoney
    """The amount of money."""
    paid_by: Slug | None = None
    """The party that paid. Default: the party that sends this."""
    under: Ref | None = None
    """The joint investment that it belongs to (C26). Default: the cost share of the terms."""


class SharedCostIncurred(Event):
    """A cost that both parties bear was paid (C10, C26)."""

    entry: Ref
    """The identifier of the entry."""
    cost: Text
    """What the cost was for."""
    amount: PositiveMoney
    """The amount of money."""
    paid_by: Slug
    """The party that paid."""
    under: Ref | None = None
    """The joint investment that it belongs to; None for the cost share of the terms."""


class ConcedePenalty(EntryCommand):
    """Concede that the party that sends this owes a penalty of the terms (C10)."""

    condition: Text
    """The condition of the penalty, in the words of the terms."""


class PenaltyConceded(Event):
    """A party conceded that it owes a penalty (C10)."""

    entry: Ref
    """The identifier of the entry."""
    condition: Text
    """The condition that was met, in the words of the terms. They say the fee."""
    on: Slug
    """The party that pays."""


class ReverseEntry(EntryCommand):
    """Reverse an entry, in full or in part."""

    reversal: Ref
    """The identifier of the reversal."""
    amount: PositiveMoney
    """The amount of money."""
    reason: Text
    """The reason, in words."""


class EntryReversed(Event):
    """An entry was reversed, in full or in part."""

    entry: Ref
    """The identifier of the entry."""
    reversal: Ref
    """The identifier of the reversal."""
    amount: PositiveMoney
    """The amount of money."""
    reason: Text
    """The reason, in words."""


Recording = JointRevenueReceived | SharedCostIncurred | PenaltyConceded


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one entry: what was recorded, its reversals, and what the other party said."""

    facts: Facts = field(default_factory=dict)
    """The fact `entry`, and a fact `reversal/X` for each reversal, as each party stated them."""
    answers: tuple[Answered, ...] = ()
    """Confirmations and objections."""
    held: HeldActs = field(default_factory=dict)
    """What a second person confirms."""


ENTRY = "entry"
"""The name of the fact that an entry records; a claim names it (`claims`)."""


def decide(
    command: EntryCommand | ClaimCommand, state: Entry, act: Act, agreed: Agreed
) -> list[Event]:
    """Decide a command on an entry. Raises `Refused`."""
    if isinstance(command, ClaimCommand):
        events = objections.decide(command, state.facts, state.answers, act, agreed.terms)
        if events and isinstance(command, ObjectToClaim):
            _check_has_effect(command, state.facts, act)
        return events
    if isinstance(command, ReverseEntry):
        return reverse(command, state, act, agreed)
    if agreed.ends_at is not None and act.occurred_at >= agreed.ends_at:
        raise Refused(
            "after-exit",
            f"An entry after the exit does not count. The exit took effect on "
            f"{agreed.day(agreed.ends_at)}.",
            "Record only entries from before that day.",
        )
    event = _recording(command, act, agreed)
    found = state.facts.get(ENTRY, ())
    for each in found:
        if each.party == act.party and each.event == event:
            return []
        if each.party == act.party or not _is_of_one_kind(each.event, event):
            raise already_recorded(
                each.event,
                f"Entry {command.entry}",
                "Reverse the entry (ReverseEntry), and record another under a new identifier.",
            )
    if isinstance(command, RecordJointRevenue | RecordSharedCost):
        agreed.check_not_given_up("investment", command.under, "An entry", act)
    return [event]


def _check_has_effect(command: ObjectToClaim, facts: Facts, act: Act) -> None:
    """Raise `Refused` for an objection to a conceded penalty, which counts at once."""
    stated = claimed(command, facts, act.party, act.occurred_at)
    if stated and isinstance(stated.event, PenaltyConceded):
        raise counts_at_once(command, stated.party)


def _is_of_one_kind(one: Event, other: Event) -> bool:
    """Whether both parties can mean one entry. A penalty is conceded by one of them."""
    return type(one) is type(other) and not isinstance(one, PenaltyConceded)


def _recording(command: EntryCommand, act: Act, agreed: Agreed) -> Recording:
    """Return what a command records. Which item prices it is asked later, of its day."""
    match command:
        case RecordJointRevenue():
            party = command.collected_by or act.party
            check_parties([party], agreed.parties)
            return JointRevenueReceived(
                entry=command.entry,
                amount=command.amount,
                collected_by=party,
                under=command.under,
            )
        case RecordSharedCost():
            party = command.paid_by or act.party
            check_parties([party], agreed.parties)
            return SharedCostIncurred(
                entry=command.entry,
                cost=command.cost,
                amount=command.amount,
                paid_by=party,
                under=command.under,
            )
        case ConcedePenalty():
            return PenaltyConceded(entry=command.entry, condition=command.condition, on=act.party)
        case _:
            assert_never(command)  # type: ignore[arg-type] # EntryCommand is closed by this module


def reverse(command: ReverseEntry, state: Entry, act: Act, agreed: Agreed) -> list[Event]:
    """Reverse at most what is left of an entry, each reversal once by each party."""
    if ENTRY not in state.facts:
        raise Refused(
            "no-such-entry",
            f"Only a recorded entry can be reversed. There is no entry {command.entry}.",
            "Record the entry, or use the identifier of a recorded one.",
            awaits=Awaited(AwaitedKind.ENTRY, command.entry, f"entry {command.entry}"),
        )
    event = EntryReversed.of(command)
    found = state.facts.get(f"reversal/{command.reversal}", ())
    mine = own(found, act.party)
    if not mine:
        _check_left(command, state, agreed)
        return [event]
    if mine[0].event == event:
        return []
    raise already_recorded(
        mine[0].event,
        f"Reversal {command.reversal}",
        "Give another reversal an identifier of its own. To restore an amount, record another "
        "entry.",
    )


def _check_left(command: ReverseEntry, state: Entry, agreed: Agreed) -> None:
    """Raise `Refused` if a reversal exceeds what is left of its entry, by either's statement.

    It waits: the other party may still state a greater entry or a smaller reversal. A penalty whose
    fee is not agreed yet has no limit here; in the ledger nothing goes below zero.
    """
    currency = command.amount.currency
    amounts = [each for stated in state.facts[ENTRY] for each in _amounts(stated, agreed)]
    if not amounts:
        return
    most = max(_of(amounts, currency), default=Decimal(0))
    left = most - sum(_reversed(command.reversal, state, currency), Decimal(0))
    also = state.facts.get(f"reversal/{command.reversal}", ())
    if most and min([command.amount.amount, *_stated(also, currency)]) <= left:
        return
    raise Refused(
        "reversal-exceeds-entry",
        "A reversal cannot exceed what is left of its entry. The reversal is "
        f"{command.amount}; {plain(max(left, Decimal(0)))} {currency} is left of entry "
        f"{command.entry}.",
        "Reverse at most what is left, in the entry's currency.",
        awaits=Awaited(
            AwaitedKind.ENTRY,
            command.entry,
            f"another statement of entry {command.entry} by the other party",
        ),
    )


def _amounts(stated: Stated, agreed: Agreed) -> list[Money]:
    """Return the amount of an entry as stated; of a penalty, the fees agreed for its day."""
    event: Any = stated.event
    if not isinstance(event, PenaltyConceded):
        return [event.amount]
    items = agreed.items(Penalty, agreed.terms.day(stated.at))
    return [each.fee for each in items if (each.on, each.condition) == (event.on, event.condition)]


def _of(amounts: Iterable[Money], currency: str) -> Iterator[Decimal]:
    return (each.amount for each in amounts if each.currency == currency)


def _stated(reversals: Iterable[Stated], currency: str) -> Iterator[Decimal]:
    stated: Iterable[Any] = (each.event for each in reversals)
    return _of((each.amount for each in stated), currency)


def _reversed(apart_from: str, state: Entry, currency: str) -> Iterator[Decimal]:
    """Yield the least that was stated of each other reversal."""
    for name, found in state.facts.items():
        if name not in {ENTRY, f"reversal/{apart_from}"}:
            yield min(_stated(found, currency), default=Decimal(0))


def evolve(state: Entry, event: Event, act: Act) -> Entry:
    """Fold an event into an entry's state."""
    match event:
        case JointRevenueReceived() | SharedCostIncurred() | PenaltyConceded():
            return replace(state, facts=with_fact(state.facts, ENTRY, event, act))
        case EntryReversed():
            name = f"reversal/{event.reversal}"
            return replace(state, facts=with_fact(state.facts, name, event, act))
        case ClaimConfirmed() | ClaimObjected():
            answer = Answered(event, act.party, act.occurred_at)
            return replace(state, answers=(*state.answers, answer))
        case SecondPersonAsked() | ActConfirmed() | ActWithdrawn():
            return replace(state, held=second_person.evolve(state.held, event, act))
        case _:
            return state
