"""Money beside referrals: joint revenue, shared costs, conceded penalties (C10, C26).

Each entry is a small aggregate: what came in or was spent, by whom, and what of it was reversed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import assert_never

from domain.agreement import Agreed
from domain.kernel import AFTER_KICKOFF, Act, Command, Event, Refused, once, recorded_once
from domain.terms import CostShare, Penalty, RevenueSplit, check_parties
from domain.values import Money, Ref, Slug, Text, plain


class EntryCommand(Command):
    """What is asked of one entry of a partnership."""

    stages = AFTER_KICKOFF
    entry: Ref

    def substream(self) -> str:
        """Give the name of its stream below the partnership's."""
        return f"entry/{self.entry}"


class RecordJointRevenue(EntryCommand):
    """Record revenue that both share, by the agreed split (C10)."""

    amount: Money
    collected_by: Slug | None = None
    """The party that got the money; the one that says so, if it is left out."""
    under: Ref | None = None
    """The joint investment whose reward it is (C26); else the terms' revenue split holds."""


class JointRevenueReceived(Event):
    """Revenue came in that both share (C10, C26)."""

    entry: Ref
    amount: Money
    collected_by: Slug
    under: Ref | None = None


class RecordSharedCost(EntryCommand):
    """Record a cost that both bear, by the agreed shares (C10)."""

    cost: Text
    """What it was for, in the words of the terms' cost share."""
    amount: Money
    paid_by: Slug | None = None
    """The party that paid; the one that says so, if it is left out."""
    under: Ref | None = None
    """The joint investment that it is part of (C26); else the terms' cost share holds."""


class SharedCostIncurred(Event):
    """A cost was paid that both bear (C10, C26)."""

    entry: Ref
    cost: Text
    amount: Money
    paid_by: Slug
    under: Ref | None = None


class ConcedePenalty(EntryCommand):
    """Concede that one's own side owes a penalty of the terms (C10)."""

    condition: Text
    """The condition that was met, in the words of the terms."""


class PenaltyConceded(Event):
    """A party conceded that it owes a penalty (C10)."""

    entry: Ref
    condition: Text
    amount: Money
    on: Slug


class ReverseEntry(EntryCommand):
    """Take an entry back, in full or in part."""

    reversal: Ref
    amount: Money
    reason: Text


class EntryReversed(Event):
    """An entry was taken back, in full or in part."""

    entry: Ref
    reversal: Ref
    amount: Money
    reason: Text


Recording = JointRevenueReceived | SharedCostIncurred | PenaltyConceded


@dataclass(frozen=True, slots=True)
class Entry:
    """What was recorded, and what of it was reversed."""

    recorded: Recording | None = None
    reversals: Mapping[str, EntryReversed] = field(default_factory=dict)


def decide(command: EntryCommand, state: Entry, act: Act, agreed: Agreed) -> list[Event]:
    """Decide a command on an entry. Raises `Refused`."""
    if isinstance(command, ReverseEntry):
        return reverse(command, state)
    if agreed.ends_at is not None and act.occurred_at >= agreed.ends_at:
        raise Refused(
            "after-exit",
            f"The partnership ended on {agreed.ends_at:%Y-%m-%d}.",
            "Only what happened before the effective date counts.",
        )
    return once(
        _recording(command, act, agreed),
        state.recorded,
        "already-recorded",
        f"Entry {command.entry} was recorded with other content.",
        "History is not edited: reverse it, and record the new one under its own identifier.",
    )


def _recording(command: EntryCommand, act: Act, agreed: Agreed) -> Recording:
    match command:
        case RecordJointRevenue():
            party = command.collected_by or act.party
            items = agreed.items(RevenueSplit)
            _check(command.amount, party, command.under, shared=bool(items), agreed=agreed)
            return JointRevenueReceived(
                entry=command.entry,
                amount=command.amount,
                collected_by=party,
                under=command.under,
            )
        case RecordSharedCost():
            party = command.paid_by or act.party
            shared = any(each.cost == command.cost for each in agreed.items(CostShare))
            _check(command.amount, party, command.under, shared=shared, agreed=agreed)
            return SharedCostIncurred(
                entry=command.entry,
                cost=command.cost,
                amount=command.amount,
                paid_by=party,
                under=command.under,
            )
        case ConcedePenalty():
            return concede(command, act, agreed)
        case _:
            assert_never(command)  # type: ignore[arg-type] # EntryCommand is closed by this module


def concede(command: ConcedePenalty, act: Act, agreed: Agreed) -> PenaltyConceded:
    """Concede a penalty that the terms put on one's own side (C10)."""
    for each in agreed.items(Penalty):
        if (each.on, each.condition) == (act.party, command.condition):
            return PenaltyConceded(
                entry=command.entry, condition=command.condition, amount=each.fee, on=act.party
            )
    raise _nothing_agreed(f"puts a penalty on {act.party} for this", agreed)


def _check(
    amount: Money,
    party: str,
    under: str | None,
    *,
    shared: bool,
    agreed: Agreed,
) -> None:
    check_parties([party], agreed.parties)
    if amount.amount <= 0:
        raise Refused(
            "amount-not-positive",
            f"{amount} is no amount to share.",
            "Give an amount above zero; what is taken back is a reversal (ReverseEntry).",
        )
    if under is not None and under not in agreed.investments:
        raise Refused(
            "nothing-agreed",
            f"Joint investment {under} is not agreed.",
            f"Name one that both agreed: {', '.join(sorted(agreed.investments)) or 'none is'}.",
        )
    if under is None and not shared:
        raise _nothing_agreed("says how this is shared", agreed)


def _nothing_agreed(what: str, agreed: Agreed) -> Refused:
    return Refused(
        "nothing-agreed",
        f"No item of the terms in force (version {agreed.version or 'none'}) {what}.",
        "Use the words of the terms, or agree on it first (ProposeTerms, AcceptTerms).",
    )


def reverse(command: ReverseEntry, state: Entry) -> list[Event]:
    """Take back at most what is left of an entry, each reversal once."""
    if state.recorded is None:
        raise Refused(
            "no-such-entry",
            f"There is no entry {command.entry}.",
            "Name the entry that is taken back.",
        )
    event = EntryReversed.of(command)
    existing = state.reversals.get(command.reversal)
    if existing is None:
        _check_left(command, state.recorded.amount, state)
    return recorded_once(event, existing, f"Reversal {command.reversal}")


def _check_left(command: ReverseEntry, recorded: Money, state: Entry) -> None:
    reversed_ = sum((each.amount.amount for each in state.reversals.values()), Decimal(0))
    left = recorded.amount - reversed_
    same = command.amount.currency == recorded.currency
    if not same or not 0 < command.amount.amount <= left:
        raise Refused(
            "reversal-exceeds-entry",
            f"{command.amount} cannot be taken back: {plain(left)} {recorded.currency} is left "
            f"of entry {command.entry}.",
            "Reverse an amount above zero, at most what is left, in the entry's currency.",
        )


def evolve(state: Entry, event: Event) -> Entry:
    """Take a fact into an entry's state."""
    match event:
        case JointRevenueReceived() | SharedCostIncurred() | PenaltyConceded():
            return replace(state, recorded=event)
        case EntryReversed():
            return replace(state, reversals={**state.reversals, event.reversal: event})
        case _:
            return state
