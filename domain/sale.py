"""Sales: a deal is won, lost, reopened or cancelled, and a win is corrected (C18)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from domain.deal_record import ITS_REASON_STAYS, Deal, DealCommand, DealCorrection
from domain.facts import Stated, before, is_repeated, meant, own, times, until
from domain.kernel import Act, Awaited, AwaitedKind, Event, Refused
from domain.referral import Step
from domain.terms_by_day import Agreed
from domain.values import Count, Instant, Money, Ref, Text

WIN: Final = "win"
CANCELLATION: Final = "cancellation"
LOSS: Final = "loss"
REOPENING: Final = "reopening"
"""The names of facts that a deal has without an identifier; a claim names them (`claims`)."""


class WinDeal(DealCommand):
    """Record that a deal was won, with its annual contract value (C18)."""

    annual_contract_value: Money
    """What the customer pays in a year by the contract."""


class DealWon(Event):
    """A deal was won (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    annual_contract_value: Money
    """What the customer pays in a year by the contract."""
    days_to_close: Count
    """Whole days from the referral to the win."""


class CancelDeal(DealCommand):
    """Record that a sale came to nothing after the win (C18)."""

    reason: Text
    """The reason, in words."""


class DealCancelled(Event):
    """The sale of a won deal came to nothing (C18). The deal can be won again."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    reason: Text
    """The reason, in words."""


class LoseDeal(DealCommand):
    """Record that a deal was lost, with the reason (C18)."""

    reason: Text
    """The reason, in words."""


class DealLost(Event):
    """A deal was lost (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    reason: Text
    """The reason, in words."""


class ReopenDeal(DealCommand):
    """Record that a lost deal is open again, so that it can be won (C18)."""

    reason: Text
    """The reason, in words."""


class DealReopened(Event):
    """A lost deal is open again (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    reason: Text
    """The reason, in words."""


class _WinCorrection(DealCorrection):
    annual_contract_value: Money | None = None
    """The right annual contract value. Default: as first stated."""
    happened_at: Instant | None = None
    """When the deal was won. Default: as first stated."""
    fact_at: Instant | None = None
    """Which win is corrected, by its time as first stated. Default: the last one until now."""


class CorrectWin(_WinCorrection, DealCommand):
    """Correct a win: its value, its time, or that it never happened (C18)."""


class WinCorrected(_WinCorrection, Event):
    """A win was corrected (C18). A correction by the other party is a proposal."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


# --- decisions -----------------------------------------------------------------------------------


def win(
    command: WinDeal, state: Deal, act: Act, agreed: Agreed, referred_at: datetime
) -> list[Event]:
    """Record the win of an opportunity that is not lost at that time.

    A party states another win after a cancellation, or after a win that never happened.
    """
    if Step.OPPORTUNITY not in state.facts:
        raise Refused(
            "no-opportunity",
            f"Only an opportunity can be won. Deal {command.deal} is not an opportunity yet.",
            "Record the opportunity (CreateOpportunity).",
            awaits=Awaited(
                AwaitedKind.OPPORTUNITY, command.deal, f"the opportunity of deal {command.deal}"
            ),
        )
    days = max(0, (act.occurred_at - referred_at).days)
    event = DealWon.of(command, days_to_close=days)
    if is_repeated(
        state.facts.get(WIN, ()),
        event,
        act,
        f"The win of deal {command.deal}",
        "Correct it (CorrectWin).",
    ):
        return []
    _check_not_lost(command.deal, state.facts.get(LOSS, ()), state, act, agreed)
    _check_not_won(command.deal, own(state.facts.get(WIN, ()), act.party), state, act, agreed)
    return [event]


def cancel(command: CancelDeal, state: Deal, act: Act) -> list[Event]:
    """Record that the sale of a deal came to nothing, once by each party for each win."""
    event = DealCancelled.of(command)
    what = f"The cancellation of deal {command.deal}"
    if is_repeated(state.facts.get(CANCELLATION, ()), event, act, what, ITS_REASON_STAYS):
        return []
    wins = times(until(state.facts, WIN, act.occurred_at))
    mine = own(before(state.facts, CANCELLATION, act.occurred_at), act.party)
    if wins <= len(mine):
        raise Refused(
            "deal-not-won",
            f"Only a won deal can be cancelled. Deal {command.deal} is not won at that time.",
            "Record the win (WinDeal), or correct the time of this event.",
            awaits=awaited_win(command.deal),
        )
    return [event]


def lose(command: LoseDeal, state: Deal, act: Act, agreed: Agreed) -> list[Event]:
    """Record the loss of a deal that is not won at that time, once by each party."""
    event = DealLost.of(command)
    what = f"The loss of deal {command.deal}"
    if is_repeated(state.facts.get(LOSS, ()), event, act, what, "Reopen the deal (ReopenDeal)."):
        return []
    _check_not_lost(command.deal, own(state.facts.get(LOSS, ()), act.party), state, act, agreed)
    _check_not_won(command.deal, state.facts.get(WIN, ()), state, act, agreed)
    return [event]


def reopen(command: ReopenDeal, state: Deal, act: Act) -> list[Event]:
    """Record that a lost deal is open again, once by each party for each loss."""
    event = DealReopened.of(command)
    what = f"The reopening of deal {command.deal}"
    if is_repeated(state.facts.get(REOPENING, ()), event, act, what, ITS_REASON_STAYS):
        return []
    losses = times(until(state.facts, LOSS, act.occurred_at))
    mine = own(before(state.facts, REOPENING, act.occurred_at), act.party)
    if losses <= len(mine):
        raise Refused(
            "deal-not-lost",
            f"Only a lost deal can be reopened. Deal {command.deal} is not lost at that time.",
            "Record the loss (LoseDeal), or correct the time of this event.",
            awaits=Awaited(AwaitedKind.LOSS, command.deal, f"the loss of deal {command.deal}"),
        )
    return [event]


def _not_undone(
    found: Sequence[Stated], undone_by: Sequence[Stated], moment: datetime
) -> Stated | None:
    """Return the last of some facts before a moment, unless something undid it by then."""
    last = next((each for each in reversed(found) if each.at < moment), None)
    if last is None or any(last.at <= each.at <= moment for each in undone_by):
        return None
    return last


def _check_not_lost(
    deal: str, losses: Sequence[Stated], state: Deal, act: Act, agreed: Agreed
) -> None:
    lost = _not_undone(losses, state.facts.get(REOPENING, ()), act.occurred_at)
    if lost is not None:
        raise Refused(
            "deal-lost",
            f"A lost deal is closed. Deal {deal} was lost on {agreed.day(lost.at)}.",
            "Reopen the deal first (ReopenDeal).",
            awaits=Awaited(AwaitedKind.REOPENING, deal, f"the reopening of deal {deal}"),
        )


def _check_not_won(
    deal: str, wins: Sequence[Stated], state: Deal, act: Act, agreed: Agreed
) -> None:
    never = {each.at for each in _never_happened(state, act.occurred_at)}
    happened = [each for each in wins if each.at not in never]
    won = _not_undone(happened, state.facts.get(CANCELLATION, ()), act.occurred_at)
    if won is not None:
        raise Refused(
            "deal-won",
            f"A deal that is won cannot be won again or lost. Deal {deal} was won on "
            f"{agreed.day(won.at)}.",
            "Correct the win if it was mistyped (CorrectWin). If the sale came to nothing, record "
            "that (CancelDeal).",
            awaits=Awaited(
                AwaitedKind.CANCELLATION, deal, f"the cancellation of the win of deal {deal}"
            ),
        )


def _never_happened(state: Deal, moment: datetime) -> Iterator[Stated]:
    """Yield the wins before a moment of which a party said that they never happened.

    Whether the correction counts does not matter. It does not mean a win of that moment or later:
    the order in which that win and this decision arrive must not matter.
    """
    wins = before(state.facts, WIN, moment)
    for each in state.facts.get(f"correction/{WIN}", ()):
        if isinstance(each.event, WinCorrected) and each.event.void:
            fact = meant(wins, each.event.fact_at, each.at)
            if fact is not None:
                yield fact


def awaited_win(deal: str) -> Awaited:
    """Return what a fact waits for that needs the win of a deal."""
    return Awaited(AwaitedKind.WIN, deal, f"the win of deal {deal}")
