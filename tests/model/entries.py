"""Items that entries, penalties, referrals and adjustments earn (section 3)."""

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from tests.model.credit import credit
from tests.model.facts import (
    AdjustmentAgreed,
    CostShare,
    EntryReversed,
    Incentive,
    IncentiveOffered,
    Item,
    JointEntry,
    JointInvestment,
    Money,
    Part,
    Party,
    Penalty,
    PenaltyRaised,
    ReferralSubmitted,
    RevenueSplit,
    Subject,
)
from tests.model.known import Known
from tests.model.numbers import part_of, rounded
from tests.model.periods import single
from tests.model.tracks import Remains, Step, Total, Track, deduplicated, running


class Owed(NamedTuple):
    """Whose part of an entry is owed, and to whom."""

    parts: tuple[Part, ...]
    part_of: Party
    to: Party


def earned_on_entries(known: Known) -> Iterator[Track]:
    """Parts of joint revenue, shared costs and joint investments."""
    for first in known.of(JointEntry):
        for to in known.parties:
            entry = known.earning(first, to)
            day = known.terms.day(entry.occurred_at) if entry else known.terms.start
            if not entry or not known.terms.accrues(day):
                continue
            for item in known.terms.items(day):
                owed = _owed(known, entry, item)
                if owed and owed.to == to and entry.item in {None, item.name}:
                    remains = _remains(known, entry, entry.amount, to)
                    yield _parts(known, entry, item, owed, day, remains)


def _owed(known: Known, entry: JointEntry, item: Item) -> Owed | None:
    """Who collected shares it out; who paid gets the other's part."""
    holder, other = entry.holder, known.other(entry.holder)
    match entry.kind, item:
        case "joint-revenue", RevenueSplit(trigger="joint-revenue", parts=parts):
            return Owed(parts, part_of=other, to=other)
        case "reward", JointInvestment(reward=parts):
            return Owed(parts, part_of=other, to=other)
        case "shared-cost", CostShare(parts=parts):
            return Owed(parts, part_of=other, to=holder)
        case "investment", JointInvestment(investment=parts):
            return Owed(parts, part_of=other, to=holder)
        case _:
            return None


def _remains(
    known: Known, entry: JointEntry | PenaltyRaised, whole: Money, to: Party
) -> tuple[Remains, ...]:
    """What is left of the amount of an entry, or of the fee of a penalty, after its reversals."""
    day = known.terms.day
    changes = []
    for each in known.of(EntryReversed):
        counted = each.entry == entry.id and known.taking(each, entry, to)
        if not counted:
            continue
        amount = counted.amount or whole
        if amount.currency == whole.currency:
            at = counted.occurred_at
            changes.append((Remains(each.id, at, day(at), -Fraction(amount.amount)), each.id))
    at = entry.occurred_at
    return running(Remains(entry.id, at, day(at), Fraction(whole.amount)), changes)


def _parts(
    known: Known, entry: JointEntry, item: Item, owed: Owed, day: date, remains: Sequence[Remains]
) -> Track:
    currency = entry.amount.currency
    return Track(
        subject=Subject("entry", entry.id),
        fact=entry.id,
        item=item.name,
        to=owed.to,
        by=known.other(owed.to),
        currency=currency,
        at=entry.occurred_at,
        day=day,
        totals=deduplicated(
            [
                Total(
                    each.fact,
                    each.at,
                    each.day,
                    part_of(each.amount, owed.parts, owed.part_of, currency),
                    (Step("remaining base", each.amount), Step("parts", str(owed.parts))),
                )
                for each in remains
            ]
        ),
    )


def earned_by_penalties(known: Known) -> Iterator[Track]:
    """A penalty's fee, once the party that owes it raised or accepted it, less its reversals."""
    for raised in known.of(PenaltyRaised):
        day = known.terms.day(raised.occurred_at)
        for item in known.terms.items(day) if known.terms.accrues(day) else ():
            if (
                isinstance(item, Penalty)
                and item.name == raised.item
                and known.earning(raised, item.to)
            ):
                yield _fee(known, raised, item, day)


def _fee(known: Known, raised: PenaltyRaised, item: Penalty, day: date) -> Track:
    currency = item.fee.currency
    totals = [
        Total(
            each.fact,
            each.at,
            each.day,
            rounded(each.amount, currency),
            (Step("fee", item.fee.amount),),
        )
        for each in _remains(known, raised, item.fee, item.to)
    ]
    return Track(
        subject=Subject("penalty", raised.id),
        fact=raised.id,
        item=item.name,
        to=item.to,
        by=known.other(item.to),
        currency=currency,
        at=raised.occurred_at,
        day=day,
        totals=deduplicated(totals),
    )


def earned_by_referrals(known: Known) -> Iterator[Track]:
    """An incentive for each referral, to its submitter if it is credited with more than 0 %.

    Incentives count on the word of the party that submits.
    """
    seen: set[tuple[str, Party]] = set()
    for referral in known.of(ReferralSubmitted):
        to, day = referral.stated_by, known.terms.day(referral.occurred_at)
        if (referral.deal, to) in seen or not known.terms.accrues(day):
            continue
        seen.add((referral.deal, to))
        if not credit(known, referral.deal, to, on_word=True):
            continue
        for name, amount in _incentives(known, to, day):
            yield single(
                known,
                Subject("referral", referral.deal),
                referral.id,
                (name, to),
                (Fraction(amount.amount), amount.currency),
                referral.occurred_at,
                day,
                Step("amount", amount.amount),
            )


def _incentives(known: Known, to: Party, day: date) -> Iterator[tuple[str, Money]]:
    for item in known.terms.items(day):
        if isinstance(item, Incentive) and item.by != to:
            yield item.name, item.amount
    for first in known.of(IncentiveOffered):
        offer = known.earning(first, to)
        if (
            offer
            and offer.stated_by != to
            and offer.from_day <= day
            and (not offer.until or day < offer.until)
        ):
            yield offer.name, offer.amount


def adjusted(known: Known) -> Iterator[Track]:
    """What both agreed without a fact, also after the end."""
    for each in known.of(AdjustmentAgreed):
        yield single(
            known,
            Subject("adjustment", each.id),
            each.id,
            ("adjustment", each.to),
            (Fraction(each.amount.amount), each.amount.currency),
            each.occurred_at,
            known.terms.day(each.occurred_at),
        )
