"""Events as facts of the subjects that they are about.

A fact is stored under a key that tells it apart inside its subject. Facts that can happen again
under one id (a chargeback is lost, won back, lost again) have their time in the key.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from domain.calendar import bounds
from domain.claims import ClaimConfirmed, ClaimKind, ClaimObjected
from domain.content import digest
from domain.dispute import DisputeOpened, DisputeOutcome, DisputeResolved
from domain.entry import EntryReversed, JointRevenueReceived, PenaltyConceded, SharedCostIncurred
from domain.kernel import Act, Event
from domain.merge import DealsMerged
from domain.payment import (
    PaymentCorrected,
    PaymentReceived,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
)
from domain.payouts import PayoutCorrected, PayoutRecorded, PayoutReturned
from domain.recorded import Recorded
from domain.referral import (
    AttributionSettled,
    DemoHeld,
    LeadQualified,
    OpportunityCreated,
    ReferralAttributed,
    ReferralSubmitted,
)
from domain.reported_figure import MetricCorrected, MetricReported
from domain.sale import DealCancelled, DealLost, DealReopened, DealWon, WinCorrected
from domain.settlement import AdjustmentAgreed
from domain.values import instant
from projections.ledger.counting import DEMO, LOST, OPPORTUNITY, QUALIFIED, REOPENED
from projections.ledger.entries import ADJUSTMENT, COST, PENALTY, REVENUE
from projections.ledger.measures import WHOLE
from projections.ledger.rows import (
    Correction,
    Dispute,
    Fact,
    FactsRow,
    Reply,
    SettledCredit,
    SubjectRow,
    replace,
)

R = TypeVar("R", bound=FactsRow)

ON_DEALS: frozenset[type[Event]] = frozenset(
    {
        ReferralSubmitted,
        ReferralAttributed,
        AttributionSettled,
        LeadQualified,
        OpportunityCreated,
        DemoHeld,
        DealWon,
        DealLost,
        DealReopened,
        DealCancelled,
        PaymentReceived,
        RefundIssued,
        RefundReversed,
        WinCorrected,
        PaymentCorrected,
        RefundCorrected,
        DealsMerged,
    }
)
ON_ENTRIES: frozenset[type[Event]] = frozenset(
    {JointRevenueReceived, SharedCostIncurred, PenaltyConceded, EntryReversed}
)
FIGURES: frozenset[type[Event]] = frozenset({MetricReported, MetricCorrected})
PAYOUTS: frozenset[type[Event]] = frozenset({PayoutRecorded, PayoutCorrected, PayoutReturned})
REPLIES: frozenset[type[Event]] = frozenset({ClaimConfirmed, ClaimObjected})
DISPUTES: frozenset[type[Event]] = frozenset({DisputeOpened, DisputeResolved})


def row_of(event: Any) -> str | None:  # noqa: ANN401 - an event of the sets above
    """Return the key of the row that a fact belongs to; None if it is of no money."""
    kind = type(event)
    if kind in ON_DEALS:
        return f"deal/{event.deal}"
    if kind in ON_ENTRIES:
        return f"entry/{event.entry}"
    if kind in FIGURES:
        return f"figure/{event.metric}/{event.period}"
    if kind is AdjustmentAgreed:
        return f"adjustment/{event.proposal}"
    if kind in REPLIES:
        return _replied_to(event)
    if kind in PAYOUTS:
        return f"payout/{event.payout}"
    return None


def _replied_to(event: Any) -> str:  # noqa: ANN401 - a reply
    if event.deal is not None:
        return f"deal/{event.deal}"
    if event.entry is not None:
        return f"entry/{event.entry}"
    if event.payout is not None:
        return f"payout/{event.payout}"
    return f"figure/{event.figure.metric}/{event.figure.period}"


class Stated(NamedTuple):
    """A fact with its key in the row of its subject."""

    key: str
    fact: Fact


def with_credit(row: SubjectRow, event: AttributionSettled, act: Act) -> SubjectRow:
    """Return the row of a deal with who is credited with it, as both settled it last."""
    if row.merged_into:
        return row
    settled = SettledCredit(act.occurred_at, event.proposal, dict(event.shares))
    if row.credit is not None and row.credit[:2] >= settled[:2]:
        return row
    return replace(row, credit=settled)


def with_fact(row: R, event: Event, act: Act) -> R:
    """Return the row of a subject with what an event says.

    Nothing that is said of a duplicate counts, whether it was recorded before its merge or after.
    """
    if row.merged_into:
        return row
    kind = type(event)
    if isinstance(event, DealsMerged):
        return _merged(row, event)
    if kind in REPLIES:
        return _with_reply(row, event, act)
    if correct := _CORRECTIONS.get(kind):
        found: Correction = correct(event, act)
        return _with_correction(row, found._replace(content=digest(event)))
    state = _FACTS.get(kind)
    if state is None:
        return row
    key, fact = state(event, act)
    if key not in row.facts:
        return row.with_facts({**row.facts, key: fact})
    return _stated_again(row, key, fact)


def _merged(row: R, event: DealsMerged) -> R:
    nothing: dict[str, Any] = {"facts": {}, "corrections": {}, "replies": {}, "others": {}}
    if isinstance(row, SubjectRow):
        nothing["credit"] = None
    return replace(row, **nothing, merged_into=event.into)


def with_duplicate(row: SubjectRow, event: DealsMerged) -> SubjectRow:
    """Return the row of the deal that another was merged into."""
    return replace(row, duplicates=tuple(sorted({*row.duplicates, event.deal})))


def _stated_again(row: R, key: str, fact: Fact) -> R:
    """Return the row with a statement of a fact that it has: one of each party is kept."""
    stated = {each.by: each for each in (row.facts[key], row.others.get(key)) if each}
    known = stated.get(fact.by)
    # Of two statements of one party the first counts.
    if known is not None and known.at <= fact.at:
        return row
    found = sorted({**stated, fact.by: fact}.values(), key=lambda each: (each.at, each.by))
    row = row.with_facts({**row.facts, key: found[0]})
    return row if len(found) == 1 else replace(row, others={**row.others, key: found[1]})


def _with_correction(row: R, correction: Correction) -> R:
    name = _moment(f"{correction.of}@{instant(correction.at)}@{correction.by}", correction.fact_at)
    known = row.corrections.get(name)
    # Of two that a party made at one time, the greater counts, in any order of arrival.
    if known is not None and _content(known) >= _content(correction):
        return row
    return replace(row, corrections={**row.corrections, name: correction})


def _content(correction: Correction) -> list[str]:
    return [str(each) for each in correction._replace(told=correction.at)]


def _moment(name: str, fact_at: datetime | None) -> str:
    """Return a name with the time of the fact that it means, if that is given."""
    return name if fact_at is None else f"{name}@{instant(fact_at)}"


def days_of(
    row: str,
    event: Any,  # noqa: ANN401 - a fact, a correction or a reply
    act: Act,
    day_of: Callable[[datetime], date],
) -> tuple[date, ...]:
    """Return the days whose terms price a fact of a row: its own, or the ends of a period."""
    if row.startswith("figure/"):
        return _ends(row.rpartition("/")[2])
    return (day_of(happened_at(event, act)),)


@lru_cache(maxsize=4096)
def _ends(period: str) -> tuple[date, date]:
    # Items of its first day price it; the currency and the rate are those of its last day.
    first, end = bounds(period)
    return first.date(), end.date() - timedelta(days=1)


def happened_at(event: Any, act: Act) -> datetime:  # noqa: ANN401 - a fact or a correction
    """Return when a fact happened, or the right time of a corrected one."""
    corrected: datetime | None = event.happened_at if type(event) in _ANOTHER_TIME else None
    return corrected or act.occurred_at


# --- facts of deals ----------------------------------------------------------------------------


def _again(kind: str) -> Callable[[Any, Act], Stated]:
    def state(_: Any, act: Act) -> Stated:  # noqa: ANN401 - an event that can come again
        return Stated(f"{kind}@{instant(act.occurred_at)}", _fact(kind, act))

    return state


def _step(kind: str) -> Callable[[Any, Act], Stated]:
    def state(_: Any, act: Act) -> Stated:  # noqa: ANN401 - an event without content
        # Of each party, because a step that one states counts for the other alone.
        return Stated(f"{kind}@{act.party}", _fact(kind, act))

    return state


def _referral(event: ReferralSubmitted, act: Act) -> Stated:
    fact = _fact(ClaimKind.REFERRAL, act)._replace(note=event.campaign or "")
    return Stated(ClaimKind.REFERRAL, fact)


def _touch(event: ReferralAttributed, act: Act) -> Stated:
    fact = _fact(ClaimKind.TOUCH, act)._replace(
        about=event.to, since=event.touched_at.isoformat(), note=event.method.value
    )
    return Stated(f"touch/{event.touch}", fact)


def _win(event: DealWon, act: Act) -> Stated:
    value = event.annual_contract_value
    fact = _fact(ClaimKind.WIN, act)._replace(amount=value.amount, unit=value.currency)
    return Stated(win_key(act.occurred_at), fact)


def win_key(at: datetime) -> str:
    """Return the key of a win; a deal is won again after a cancellation."""
    return f"win@{instant(at)}"


def _cancellation(_: DealCancelled, act: Act) -> Stated:
    fact = _fact(ClaimKind.CANCELLATION, act)
    return Stated(f"cancellation@{instant(act.occurred_at)}", fact)


def _payment(event: PaymentReceived, act: Act) -> Stated:
    fact = _fact(ClaimKind.PAYMENT, act)._replace(
        amount=event.amount.amount,
        unit=event.amount.currency,
        holder=event.collected_by,
        since=event.covers_from.isoformat() if event.covers_from else "",
    )
    return Stated(f"payment/{event.payment}", fact)


def _refund(event: RefundIssued, act: Act) -> Stated:
    fact = _fact(ClaimKind.REFUND, act)._replace(
        amount=event.amount.amount,
        unit=event.amount.currency,
        about=f"payment/{event.payment}",
        note=event.refund,
    )
    return Stated(f"refund/{event.refund}@{instant(act.occurred_at)}", fact)


def _reversal(event: RefundReversed, act: Act) -> Stated:
    fact = _fact(ClaimKind.REVERSAL, act)._replace(
        about=f"payment/{event.payment}", note=event.refund
    )
    return Stated(f"reversal/{event.refund}@{instant(act.occurred_at)}", fact)


def _fact(kind: str, act: Act) -> Fact:
    return Fact(str(kind), act.occurred_at, act.party, act.recorded_at)


# --- facts of entries and figures --------------------------------------------------------------


def _revenue(event: JointRevenueReceived, act: Act) -> Stated:
    return _entry(event, act, f"{REVENUE}||{event.under or ''}", event.collected_by)


def _cost(event: SharedCostIncurred, act: Act) -> Stated:
    return _entry(event, act, f"{COST}|{event.cost}|{event.under or ''}", event.paid_by)


def _entry(event: Any, act: Act, note: str, holder: str) -> Stated:  # noqa: ANN401 - an entry
    fact = _fact(ClaimKind.ENTRY, act)._replace(
        amount=event.amount.amount, unit=event.amount.currency, holder=holder, note=note
    )
    return Stated("entry", fact)


def _penalty(event: PenaltyConceded, act: Act) -> Stated:
    # Its amount is the fee of the terms, so the fact has none.
    note = f"{PENALTY}|{event.condition}"
    return Stated("entry", _fact(ClaimKind.ENTRY, act)._replace(holder=event.on, note=note))


def _entry_reversal(event: EntryReversed, act: Act) -> Stated:
    fact = _fact(ClaimKind.ENTRY_REVERSAL, act)._replace(
        amount=event.amount.amount, unit=event.amount.currency, about="entry"
    )
    return Stated(f"reversal/{event.reversal}", fact)


def _adjustment(event: AdjustmentAgreed, act: Act) -> Stated:
    fact = _fact(ADJUSTMENT, act)._replace(
        amount=event.amount.amount, unit=event.amount.currency, holder=event.to
    )
    return Stated(ADJUSTMENT, fact)


def figure_key(tool: str, segment: str | None) -> str:
    """Return the key of a figure among those of its metric and period."""
    return f"{tool}/{segment or WHOLE}"


def _figure(event: MetricReported, act: Act) -> Stated:
    amount, divisor = _parts(event)
    fact = _fact(ClaimKind.FIGURE, act)._replace(
        amount=amount, unit=event.figure.unit, divisor=divisor
    )
    return Stated(figure_key(event.tool, event.segment), fact)


def _parts(event: MetricReported | MetricCorrected) -> tuple[Decimal, Decimal | None]:
    figure = event.figure
    if figure.value is not None:
        return figure.value, None
    return figure.ratio or (Decimal(0), None)


_FACTS: Mapping[type[Event], Callable[[Any, Act], Stated]] = {
    ReferralSubmitted: _referral,
    LeadQualified: _step(QUALIFIED),
    OpportunityCreated: _step(OPPORTUNITY),
    DemoHeld: _step(DEMO),
    DealLost: _again(LOST),
    DealReopened: _again(REOPENED),
    ReferralAttributed: _touch,
    DealWon: _win,
    DealCancelled: _cancellation,
    PaymentReceived: _payment,
    RefundIssued: _refund,
    RefundReversed: _reversal,
    JointRevenueReceived: _revenue,
    SharedCostIncurred: _cost,
    PenaltyConceded: _penalty,
    EntryReversed: _entry_reversal,
    AdjustmentAgreed: _adjustment,
    MetricReported: _figure,
}


# --- corrections, replies, disputes ------------------------------------------------------------


def _correction(of: str, event: Any, act: Act, amount: Any = None, **more: Any) -> Correction:  # noqa: ANN401
    return Correction(
        of=of,
        at=act.occurred_at,
        by=act.party,
        told=act.recorded_at,
        void=event.void,
        amount=None if amount is None else amount.amount,
        unit=None if amount is None else amount.currency,
        happened_at=event.happened_at,
        **more,
    )


def _of_win(event: WinCorrected, act: Act) -> Correction:
    return _correction("win", event, act, event.annual_contract_value, fact_at=event.fact_at)


def _of_payment(event: PaymentCorrected, act: Act) -> Correction:
    since = event.covers_from.isoformat() if event.covers_from else None
    of, holder = f"payment/{event.payment}", event.collected_by
    return _correction(of, event, act, event.amount, since=since, holder=holder)


def _of_refund(event: RefundCorrected, act: Act) -> Correction:
    of = f"refund/{event.refund}"
    return _correction(of, event, act, event.amount, fact_at=event.fact_at)


def _of_figure(event: MetricCorrected, act: Act) -> Correction:
    amount, divisor = _parts(event)
    key = figure_key(event.tool, event.segment)
    return Correction(
        of=key,
        at=act.occurred_at,
        by=act.party,
        told=act.recorded_at,
        amount=amount,
        unit=event.figure.unit,
        divisor=divisor,
    )


_CORRECTIONS: Mapping[type[Event], Callable[[Any, Act], Correction]] = {
    WinCorrected: _of_win,
    PaymentCorrected: _of_payment,
    RefundCorrected: _of_refund,
    MetricCorrected: _of_figure,
}


_ANOTHER_TIME: frozenset[type[Event]] = frozenset(_CORRECTIONS) - {MetricCorrected}
"""The corrections that can give another time; a figure has its period."""


def _with_reply(row: R, event: Any, act: Act) -> R:  # noqa: ANN401 - a reply
    claim: str = event.fact
    if event.figure is not None:
        own = figure_key(event.figure.tool, event.figure.segment)
        claim = claim.replace("figure", own)
    confirms = isinstance(event, ClaimConfirmed)
    reply = Reply(
        claim,
        act.occurred_at,
        act.party,
        act.recorded_at,
        confirms,
        event.fact_at,
        content=event.content,
    )
    if isinstance(event, ClaimObjected) and event.is_of_a_lead:
        reply = reply._replace(reason=event.reason)
    said = f"{claim}@{act.party}@{instant(act.occurred_at)}@{'yes' if confirms else 'no'}"
    name = _moment(said, event.fact_at) + (f"@{event.content}" if event.content else "")
    if known := row.replies.get(name):
        # Said again for another reason, it is in time if it was the first time.
        reply = reply._replace(told=known.told)
    return replace(row, replies={**row.replies, name: reply})


def with_dispute(row: SubjectRow, event: Event, recorded: Recorded) -> SubjectRow:
    """Return the row of a subject with a dispute opened or decided."""
    act = recorded.act
    match event:
        case DisputeOpened():
            if event.subject is None or event.amount is None:
                return row
            opened = Dispute(
                event.subject,
                act.party,
                act.occurred_at,
                event.amount.amount,
                event.amount.currency,
                recorded.index,
                (event.line.fact, event.line.item) if event.line else None,
            )
            return replace(row, disputes={**row.disputes, event.dispute: opened})
        case DisputeResolved():
            known = row.disputes.get(event.dispute)
            if known is None or known.decided_at is not None:
                return row
            over = known._replace(decided_at=act.occurred_at, removed=_removed(event, known))
            return replace(row, disputes={**row.disputes, event.dispute: over})
        case _:
            return row


def _removed(event: DisputeResolved, dispute: Dispute) -> Decimal:
    match event.outcome:
        case DisputeOutcome.UPHELD:
            return dispute.amount
        case DisputeOutcome.SETTLED:
            return event.award.amount if event.award else dispute.amount
        case _:
            return Decimal(0)
