"""The product beside the model: the facts of a life as recorded events, fed to the ledger.

What the model knows and the product does not have is left out of a life, for both:

- a penalty that the other side raised before it is conceded: the party that owes concedes it;
- a win that another party collected: who won the deal collected it.

Some words differ. A joint investment is an agreement of its own (`JointInvestmentAgreed`), so in a
life that has one, all terms have the first of them as an item. The product counts `leads` and
`payments` where the model counts referrals and revenue, so the model's reported `leads` are the
product's `registrations`. A window that is the whole agreement is a year. A fee below the minor
unit is ten times as high. Statements end with a month, so a life's statements are made again up to
the end of the last month, and payouts with them.

`told` returns a life as both know it. Its facts have the keys that the ledger gives them, so ties
in time are broken alike.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import singledispatch
from random import Random
from typing import Any, NamedTuple

from domain import entry as entries
from domain import exit as leaving
from domain import merge, payment, payouts, referral, sale, settlement
from domain import terms as product_terms
from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.calendar import add_months, following, month_of, preceding, quarter_of
from domain.claims import ClaimConfirmed, ClaimKind, ClaimObjected, FigureRef
from domain.context import PartnershipContext
from domain.deadlines import fold
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, PeriodClosed
from domain.dispute import DisputedLine, DisputeOutcome
from domain.dispute import DisputeOpened as ProductDispute
from domain.dispute import DisputeResolved as ProductDecision
from domain.execution import IncentiveIntroduced, IssueCause
from domain.exit import ExitNoticeGiven, ExitReason
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.kernel import CLOCK_PARTY, Act, Event
from domain.recorded import Recorded
from domain.renewal import PartnershipRenewed
from domain.reported_figure import MetricCorrected, ReportedFigure
from domain.reported_figure import MetricReported as ProductFigure
from domain.scaling import JointInvestmentAgreed
from domain.values import MINOR_UNITS, instant
from domain.values import Money as ProductMoney
from projections.ledger.book import LineKey, terms_of
from projections.ledger.rows import AGREED, AgreedRow, StatementRow, SubjectRow
from projections.settlement import ledger, post, silences
from tests.model.days import local_day
from tests.model.facts import (
    AdjustmentAgreed,
    AttributionSettled,
    Confirmed,
    Corrected,
    CostShare,
    DealCancelled,
    DealLost,
    DealReopened,
    DealsMerged,
    DealWon,
    DisputeOpened,
    DisputeResolved,
    Duration,
    EntryReversed,
    ExitSet,
    ExitWithdrawn,
    Fact,
    Frame,
    FrozenLine,
    Hybrid,
    Incentive,
    IncentiveOffered,
    Item,
    JointEntry,
    JointInvestment,
    MetricReported,
    Minimum,
    Money,
    Objected,
    OpportunityCreated,
    Part,
    PaymentReceived,
    PaymentReturned,
    PayoutMade,
    PayoutReturned,
    Penalty,
    PenaltyRaised,
    PeriodicFee,
    RateAgreed,
    RatePublished,
    ReferralFee,
    ReferralSubmitted,
    RenewalAgreed,
    ReturnReversed,
    RevenueShare,
    RevenueSplit,
    StatedAlso,
    StatementIssued,
    Subject,
    TermsAgreed,
    TimePassed,
    TouchClaimed,
)
from tests.model.lives import AT_ONE_TIME, PARTIES, ZONES, seeded
from tests.model.owed import Held, Line, on_hold, owed
from tests.model.statements import accounts

PARTNERSHIP = "acme-north"

Answer = Confirmed | Objected


# --- a life as both know it --------------------------------------------------------------------


def told(facts: Sequence[Fact]) -> list[Fact]:
    """Return a life with what the product has, its words and its keys, in the same order."""
    joint = _joint_investment(facts)
    known = [_worded(each, joint) for each in _kept(facts)]
    return _keyed(_at_times_of_their_own(known))


def _kept(facts: Sequence[Fact]) -> Iterator[Fact]:
    rates: set[tuple[str, ...]] = set()
    gone: set[str] = set()
    for each in sorted(facts, key=lambda each: (each.occurred_at, each.id)):
        match each:
            case RatePublished():
                # A source publishes one rate for a period.
                identity = (each.base, each.quote, each.period, each.source)
                if identity in rates:
                    gone.add(each.id)
                rates.add(identity)
            case _:
                pass
    raised = {each.id for each in facts if isinstance(each, PenaltyRaised)}
    gone |= {
        each.id for each in facts if isinstance(each, DisputeOpened) and each.subject.id in gone
    }
    gone |= {each.id for each in facts if isinstance(each, EntryReversed) and each.entry in gone}
    for each in facts:
        about = {each.id}
        match each:
            case Confirmed(claim=claim) | Objected(claim=claim):
                about |= {claim}
                if claim in raised:
                    continue
            case EntryReversed(entry=named) | DisputeResolved(dispute=named):
                about |= {named}
            case StatementIssued() | PayoutMade() | PayoutReturned():
                continue
            case _:
                pass
        if not about & gone:
            yield each


METRICS = {"referrals": "leads", "revenue": "payments", "leads": "registrations"}
"""The product's name of a metric, by the model's."""


JOINT = "joint"
"""The proposal of the joint investment of a life, which its item is named by."""


def _joint_investment(facts: Iterable[Fact]) -> tuple[JointInvestment, ...]:
    """Return the first joint investment of the terms, if there is one."""
    found = [
        replace(item, name=f"investment-{JOINT}")
        for each in facts
        if isinstance(each, TermsAgreed)
        for item in each.items or ()
        if isinstance(item, JointInvestment)
    ]
    return tuple(found[:1])


def _worded(  # noqa: PLR0911 - one case for each kind of fact
    fact: Fact, joint: tuple[JointInvestment, ...]
) -> Fact:
    """Return a fact with the content that both can have."""
    match fact:
        case TermsAgreed(items=items) if items is not None:
            return replace(fact, items=(*_worded_items(items), *joint))
        case DealWon():
            return replace(fact, collected_by=None)
        case MetricReported():
            return replace(fact, source=_slug(fact.source))
        case Corrected(replacement=new) if new is not None:
            return replace(fact, replacement=_worded(new, joint))
        case StatedAlso(content=content):
            return replace(fact, content=_worded(content, joint))
        case TimePassed():
            return _at_the_end_of_a_month(fact)
        case DisputeResolved(amount=Money(amount=amount)) if not amount:
            # An award is above zero: who settles for nothing rejects.
            return replace(fact, outcome="rejected", amount=None)
        case _:
            return fact


def _worded_items(items: Iterable[Item]) -> Iterator[Item]:
    kept = [each for each in items if not isinstance(each, JointInvestment)]
    for item in kept or [Penalty("acme", "north", Money(Decimal(1), "USD"), "no-other-item")]:
        match item:
            case RevenueShare(window=None):
                yield replace(item, window="year")
            case ReferralFee(fee=Money(amount=amount, currency=currency)):
                digits = MINOR_UNITS[currency]
                above = amount if round(amount, digits) == amount else round(amount * 10, digits)
                source = None if item.source is None else _slug(item.source)
                yield replace(item, fee=Money(above, currency), source=source)
            case Hybrid() | Minimum():
                yield replace(item, source=None if item.source is None else _slug(item.source))
            case _:
                yield item


def _slug(source: str) -> str:
    return source.replace(" ", "-")


def _at_the_end_of_a_month(fact: TimePassed) -> TimePassed:
    """Return a time of the clock on the first day of the next month: all months are closed."""
    first = add_months(fact.occurred_at.date().replace(day=1), 1)
    at = datetime(first.year, first.month, first.day, 12, tzinfo=UTC)
    return replace(fact, occurred_at=at, recorded_at=at)


def _name(  # noqa: C901, PLR0911, PLR0912 - one case for each kind of fact
    fact: Fact, by_id: Mapping[str, Fact]
) -> str:
    """Return the key under which the ledger has a fact, in its partnership."""
    at = instant(fact.occurred_at)
    match fact:
        case ReferralSubmitted(deal=deal):
            return f"deal/{deal}/referral"
        case OpportunityCreated(deal=deal, stated_by=party):
            return f"deal/{deal}/opportunity@{party}"
        case TouchClaimed(deal=deal):
            return f"deal/{deal}/touch/{fact.id}"
        case DealWon(deal=deal):
            return f"deal/{deal}/win@{at}"
        case DealCancelled(deal=deal):
            return f"deal/{deal}/cancellation@{at}"
        case PaymentReceived(deal=deal):
            return f"deal/{deal}/payment/{fact.id}"
        case PaymentReturned(payment=payment, provider_id=refund):
            return f"deal/{_deal(by_id[payment])}/refund/{refund}@{at}"
        case ReturnReversed(payment=payment, provider_id=refund):
            return f"deal/{_deal(by_id[payment])}/reversal/{refund}@{at}"
        case JointEntry() | PenaltyRaised():
            return f"entry/{fact.id}/entry"
        case EntryReversed(entry=entry):
            return f"entry/{entry}/reversal/{fact.id}"
        case AdjustmentAgreed():
            return f"adjustment/{fact.id}/adjustment"
        case MetricReported(metric=metric, period=period):
            metric = METRICS.get(metric, metric)
            return f"figure/{metric}/{period}/{fact.source}/{fact.segment or '-'}"
        case DisputeResolved(dispute=dispute):
            return f"dispute/{dispute}"
        case Corrected(corrects=first):
            return f"correction of {_name(by_id[first], by_id)} at {at}"
        case _:
            return fact.id


def _deal(payment: Fact) -> str:
    assert isinstance(payment, PaymentReceived)
    return payment.deal


def _at_times_of_their_own(facts: Sequence[Fact]) -> list[Fact]:
    """Return facts of one name at different times: of one time they would be one fact."""
    by_id = {each.id: each for each in facts}
    names: set[str] = set()
    found = []
    for fact in facts:
        each = fact
        while (name := _name(each, by_id)) in names:
            at = each.occurred_at + timedelta(microseconds=1)
            each = replace(each, occurred_at=at, recorded_at=max(at, each.recorded_at))
        names.add(name)
        found.append(each)
    return found


_REFERENCES = ("payment", "claim", "corrects", "entry", "states", "exit")
"""The fields by which a fact names another by its identifier."""


def _keyed(facts: Sequence[Fact]) -> list[Fact]:
    by_id = {each.id: each for each in facts}
    names = {each.id: _name(each, by_id) for each in facts}

    def renamed(fact: Fact) -> Fact:
        changes: dict[str, Any] = {
            name: names[getattr(fact, name)] for name in _REFERENCES if hasattr(fact, name)
        }
        if isinstance(fact, DisputeOpened) and fact.subject.kind in {"entry", "penalty"}:
            changes["subject"] = fact.subject._replace(id=names[fact.subject.id])
        if isinstance(fact, DisputeOpened) and fact.subject.kind == "adjustment":
            changes["subject"] = fact.subject._replace(id=names[fact.subject.id])
        if isinstance(fact, Corrected) and fact.replacement is not None:
            changes["replacement"] = renamed(fact.replacement)
        if isinstance(fact, StatedAlso):
            changes["content"] = renamed(fact.content)
            # Its time tells such a fact from others of its name.
            if isinstance(fact.content, AT_ONE_TIME):
                changes["occurred_at"] = by_id[fact.states].occurred_at
        return replace(fact, id=names.get(fact.id, fact.id), **changes)

    return [renamed(each) for each in facts]


# --- statements --------------------------------------------------------------------------------


def with_statements(facts: Sequence[Fact], at: datetime | None) -> list[Fact]:
    """Return facts with the statements of all that is known at a time, in each currency.

    A statement takes what is payable up to the end of the last month.
    """
    if at is None:
        return [*facts]
    known = [each for each in facts if each.recorded_at <= at]
    end = last_month(at)[1]
    lines: dict[str, list[FrozenLine]] = defaultdict(list)
    earned: dict[str, dict[tuple[str, str, str], Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    held = _holds(on_hold(known, PARTIES, at))
    for line in owed(known, PARTIES, at):
        if line.settled is None or line.day >= end:
            continue
        track = (line.subject, line.base_fact, line.item, line.to, line.currency)
        back = min(line.settled, held[track])
        held[track] -= max(Decimal(0), back)
        amount = line.settled - max(Decimal(0), back)
        if amount:
            earned[line.settles_in][line.month, line.currency, line.to] += amount
            lines[line.settles_in].append(
                FrozenLine(
                    line.subject, line.base_fact, line.item, line.to, amount, line.settles_in
                )
            )
    period = last_month(at)[0]
    found = [
        StatementIssued(f"{period}:{currency}", at, at, "acme", period, currency, tuple(each))
        for currency, each in sorted(lines.items())
        if any(earned[currency].values())
    ]
    place = len(known)
    end = max((each.recorded_at for each in facts[place:]), default=at)
    said = [*facts[place:], *_payouts(found, end)]
    return [*known, *found, *sorted(said, key=lambda each: each.recorded_at)]


def _payouts(statements: Sequence[StatementIssued], end: datetime) -> Iterator[Fact]:
    """Yield payouts of each statement that somebody pays, and what both say of them by a time."""
    for place, statement in enumerate(statements):
        owed_to = {to: stated_to(statement, to) for to in PARTIES}
        to = max(PARTIES, key=lambda party: owed_to[party])
        net = owed_to[to] - min(owed_to.values())
        if net:
            random = seeded(int(net * 1000) + len(statement.lines))
            for number in range(3):
                at = statement.occurred_at + timedelta(milliseconds=1 + 10 * (3 * place + number))
                key = f"payout/P{number}-{statement.currency}"
                amount = Money(net, statement.currency)
                first = PayoutMade(
                    f"{key}/payout", at, at, random.choice(PARTIES), statement.id, to, amount
                )
                yield first
                yield from _said(key, first, random, end)


def _said(key: str, first: PayoutMade, random: Random, end: datetime) -> Iterator[Fact]:
    """Yield up to seven things that either party says of a payout.

    Some are said twelve days later, if the life is so long: after the days of silence.
    """
    said: list[Fact] = [first]
    at = first.occurred_at
    for number in range(random.randrange(8)):
        at += timedelta(milliseconds=1)
        late = at + timedelta(days=12)
        told = late if late < end and not random.randrange(4) else at
        fact = _saying(key, said, random, told, number)
        if fact is not None:
            said.append(fact)
            yield fact


def _saying(
    key: str, said: Sequence[Fact], random: Random, at: datetime, number: int
) -> Fact | None:
    first = said[0]
    assert isinstance(first, PayoutMade)
    by = random.choice(PARTIES)
    match random.randrange(5):
        case 0:
            digits = MINOR_UNITS[first.amount.currency]
            part = random.choice((Decimal("0.5"), Decimal("0.9"), Decimal("1.5")))
            amount = Money(round(first.amount.amount * part, digits), first.amount.currency)
            right = replace(first, amount=amount) if amount.amount else None
            return Corrected(f"{key}-{number}", at, at, by, first.id, right)
        case 1 if not any(
            isinstance(each, PayoutReturned) and each.stated_by == by for each in said
        ):
            return PayoutReturned(f"{key}/return@{by}", at, at, by, first.id)
        case 2:
            return Corrected(f"{key}-{number}", at, at, by, first.id, None)
        case _:
            # A party answers what the other party said before.
            claims = [
                each
                for each in said
                if each.stated_by != by
                and not isinstance(each, Confirmed | Objected)
                and each.occurred_at <= at
            ]
            if not claims:
                return None
            kind = random.choice((Confirmed, Objected))
            return kind(f"{key}-{number}", at, at, by, random.choice(claims).id)


def stated_to(statement: StatementIssued, party: str) -> Decimal:
    """Return what a statement has for a party."""
    return sum((each.amount for each in statement.lines if each.to == party), Decimal(0))


def _holds(held: Iterable[Held]) -> dict[tuple[object, ...], Decimal]:
    found: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for each in held:
        track = (each.subject, each.base_fact, each.item, each.to, each.currency)
        found[track] += each.settled or Decimal(0)
    return found


def last_month(at: datetime) -> tuple[str, date]:
    """Return the last month that is over in every zone of the lives, and the day after it."""
    end = min(local_day(at, zone) for zone in ZONES).replace(day=1)
    return preceding(f"{end:%Y-%m}"), end


# --- events ------------------------------------------------------------------------------------


@singledispatch
def events(fact: Fact, by_id: Mapping[str, Fact]) -> list[Event]:  # noqa: ARG001 - see below
    """Return what the product records of a fact."""
    msg = f"{type(fact).__name__} has no event"
    raise TypeError(msg)


@events.register
def _(fact: TimePassed, _: object) -> list[Event]:  # noqa: ARG001 - dispatched by its type
    return []


@events.register
def _(fact: TermsAgreed, by_id: Mapping[str, Fact]) -> list[Event]:
    first = min(
        (each for each in by_id.values() if isinstance(each, TermsAgreed) and not each.until),
        key=lambda each: (each.occurred_at, each.id),
    )
    change = None
    if fact.frame:
        change = _frame_of(fact.frame, first.frame or Frame(), is_first=fact is first)
    return [
        CommercialTermsAgreed(
            proposal=fact.id,
            effective_from=fact.effective_from,
            until=fact.until,
            frame=change,
            items=None if fact.items is None else [*_items(fact.items)],
            terms_version=1,
            agreed_at=fact.occurred_at,
        )
    ]


def _frame_of(frame: Frame, first: Frame, *, is_first: bool) -> product_terms.FrameChange:
    """Return what terms say of the frame. Only the first say all; some fields never change."""
    given: dict[str, object] = {
        "starts_on": frame.start,
        "time_zone": frame.zone,
        "settles_in": frame.settles_in if frame.settles_in != "" else "each",
        "tail_months": frame.tail,
        "due_days": frame.due_days,
    }
    if frame.duration or is_first:
        given["duration"] = _duration(frame.duration)
    if frame.attribution:
        given["attribution"] = AttributionPolicy(
            kind=PolicyKind(frame.attribution.policy),
            window_days=frame.attribution.window,
            weights=_shares(frame.attribution.weights) or None,
        )
    if is_first:
        given["notice"], given["assets_at_exit"] = "P0D", product_terms.Assets.RETAIN
    if is_first or frame.confirm_within is not None:
        given["claims"] = product_terms.ClaimRules(
            confirm_within_days=frame.confirm_within or 0,
            on_word=[ClaimKind(_KINDS.get(each, each)) for each in first.on_word or ()],
        )
    if is_first or frame.rates_by is not None:
        given["rates"] = product_terms.RateRule(
            source=first.rate_source, by=frame.rates_by or "month"
        )
    return product_terms.FrameChange(**given)


_KINDS = {"metric": "figure", "return": "refund", "payout-return": "return"}
"""The product's name of a kind of claim, by the model's."""


def _duration(span: Duration | None) -> str:
    # Without an end, far beyond all facts.
    return f"P{span.months}M{span.days}D" if span else "P99Y"


_SPANS = {"month": "P1M", "quarter": "P3M", "year": "P1Y"}


def _money(money: Money) -> ProductMoney:
    return ProductMoney(amount=money.amount, currency=money.currency)


def _shares(parts: Iterable[Part]) -> dict[str, Decimal]:
    return {each.party: each.percent for each in parts}


def _trigger(name: str) -> Any:  # noqa: ANN401 - each item takes some of them
    return product_terms.Trigger(name)


def _items(items: Iterable[Item]) -> Iterator[Any]:
    for each in items:
        if not isinstance(each, JointInvestment):
            yield _item(each)


def _item(item: Item) -> Any:  # noqa: ANN401, C901, PLR0911 - one line for each kind of item
    name = item.name or None
    match item:
        case RevenueShare():
            basis = "all-payments" if item.basis == "all" else item.basis
            return product_terms.RevenueShare(
                name=name,
                to=item.to,
                share=item.share,
                basis=basis,
                months=item.months if basis == "months" else 0,
                trigger=_trigger(item.trigger),
                tiers=[product_terms.Tier(above=a, share=s) for a, s in item.tiers],
                cap=item.cap,
                window=item.window or "year",
            )
        case RevenueSplit():
            trigger = _trigger(item.trigger)
            return product_terms.RevenueSplit(
                name=name, shares=_shares(item.parts), trigger=trigger
            )
        case ReferralFee():
            trigger = _trigger(item.trigger.removeprefix("first-"))
            return product_terms.ReferralFee(
                name=name, to=item.to, fee=_money(item.fee), trigger=trigger, source=item.source
            )
        case PeriodicFee(kind=kind):
            made = product_terms.Retainer if kind == "retainer" else product_terms.LicenceFee
            return made(name=name, to=item.to, fee=_money(item.fee), every=_SPANS[item.every])
        case Hybrid():
            return product_terms.Hybrid(
                name=name,
                to=item.to,
                base=_money(item.base),
                every=_SPANS[item.every],
                bonus=_money(item.bonus),
                window=item.window,
                bonus_metric=METRICS.get(item.metric, item.metric),
                bonus_threshold=int(item.threshold),
                currency=item.currency,
                source=item.source,
                measured=item.measured,
            )
        case Minimum():
            return product_terms.Minimum(
                name=name,
                on=item.by,
                metric=METRICS.get(item.metric, item.metric),
                window=item.window,
                at_least=int(item.at_least),
                currency=item.currency,
                source=item.source,
                measured=item.measured,
                fee=_money(item.fee),
                per="missing" if item.each_missing else "window",
            )
        case CostShare():
            return product_terms.CostShare(
                name=name, cost=item.name or "costs", shares=_shares(item.parts)
            )
        case Penalty():
            return product_terms.Penalty(
                name=name, on=item.by, condition=item.name, fee=_money(item.fee)
            )
        case Incentive():
            return product_terms.Incentive(name=name, by=item.by, amount=_money(item.amount))
        case JointInvestment():
            msg = "a joint investment is no item of the product"
            raise TypeError(msg)


@events.register
def _(fact: RenewalAgreed, _: object) -> list[Event]:
    return [
        PartnershipRenewed(
            proposal=fact.id,
            duration=_duration(fact.duration),
            ends_on=date.max,
            notice="P0D",
            agreed_at=fact.occurred_at,
        )
    ]


@events.register
def _(fact: ExitSet, _: object) -> list[Event]:
    return [
        ExitNoticeGiven(
            exit=fact.id,
            reason=ExitReason.NO_LONGER_RELEVANT,
            explanation="a life ends",
            effective_on=fact.effective_on,
        )
    ]


@events.register
def _(fact: ExitWithdrawn, _: object) -> list[Event]:
    return [
        leaving.ExitWithdrawn(
            proposal=fact.id,
            exit=fact.exit,
            explanation="a life goes on",
            still_ends_on=None,
            agreed_at=fact.occurred_at,
        )
    ]


@events.register
def _(fact: ReferralSubmitted, _: object) -> list[Event]:
    return [referral.ReferralSubmitted(deal=fact.deal, lead="a lead")]


@events.register
def _(fact: TouchClaimed, _: object) -> list[Event]:
    return [
        referral.ReferralAttributed(
            deal=fact.deal,
            touch=fact.id.rpartition("/")[2],
            method=Method.PROMO_CODE if fact.by_code else Method.UTM,
            evidence="a tag",
            to=fact.to,
            touched_at=fact.touched_at,
        )
    ]


@events.register
def _(fact: OpportunityCreated, _: object) -> list[Event]:
    return [referral.OpportunityCreated(deal=fact.deal)]


@events.register
def _(fact: AttributionSettled, _: object) -> list[Event]:
    return [
        referral.AttributionSettled(deal=fact.deal, proposal=fact.id, shares=_shares(fact.credit))
    ]


@events.register
def _(fact: DealsMerged, _: object) -> list[Event]:
    return [
        merge.DealsMerged(deal=fact.deal, proposal=fact.id, into=fact.into, reason="one client")
    ]


@events.register
def _(fact: DealWon, _: object) -> list[Event]:
    return [sale.DealWon(deal=fact.deal, annual_contract_value=_money(fact.value), days_to_close=0)]


@events.register
def _(fact: DealCancelled, _: object) -> list[Event]:
    return [sale.DealCancelled(deal=fact.deal, reason="cancelled")]


@events.register
def _(fact: DealLost, _: object) -> list[Event]:
    return [sale.DealLost(deal=fact.deal, reason="lost")]


@events.register
def _(fact: DealReopened, _: object) -> list[Event]:
    return [sale.DealReopened(deal=fact.deal, reason="open again")]


@events.register
def _(fact: PaymentReceived, _: object) -> list[Event]:
    return [
        payment.PaymentReceived(
            deal=fact.deal,
            payment=_last(fact.id),
            amount=_money(fact.amount),
            collected_by=fact.collected_by or fact.stated_by,
        )
    ]


def _last(key: str) -> str:
    """Return the last part of a key: the identifier of a payment, an entry, a proposal."""
    return key.rpartition("/")[2]


@events.register
def _(fact: PaymentReturned, _: object) -> list[Event]:
    return [
        payment.RefundIssued(
            deal=fact.payment.split("/")[1],
            refund=fact.provider_id,
            payment=_last(fact.payment),
            amount=_money(fact.amount),
            kind=fact.kind,
        )
    ]


@events.register
def _(fact: ReturnReversed, _: object) -> list[Event]:
    return [
        payment.RefundReversed(
            deal=fact.payment.split("/")[1],
            refund=fact.provider_id,
            payment=_last(fact.payment),
        )
    ]


@events.register
def _(fact: JointEntry, _: object) -> list[Event]:
    under = JOINT if fact.kind in {"investment", "reward"} else None
    named: dict[str, Any] = {"entry": fact.id.split("/")[1], "under": under}
    amount = _money(fact.amount)
    if fact.kind in {"joint-revenue", "reward"}:
        return [entries.JointRevenueReceived(amount=amount, collected_by=fact.holder, **named)]
    return [entries.SharedCostIncurred(cost="costs", amount=amount, paid_by=fact.holder, **named)]


@events.register
def _(fact: EntryReversed, by_id: Mapping[str, Fact]) -> list[Event]:
    entry = by_id[fact.entry]
    amount = fact.amount or (entry.amount if isinstance(entry, JointEntry) else None)
    assert amount, "a reversal of a penalty names its amount"
    return [
        entries.EntryReversed(
            entry=fact.entry.split("/")[1],
            reversal=_last(fact.id),
            amount=_money(amount),
            reason="reversed",
        )
    ]


@events.register
def _(fact: PenaltyRaised, _: object) -> list[Event]:
    entry = fact.id.split("/")[1]
    return [entries.PenaltyConceded(entry=entry, condition=fact.item, on=fact.stated_by)]


@events.register
def _(fact: IncentiveOffered, _: object) -> list[Event]:
    return [
        IncentiveIntroduced(
            incentive=fact.name,
            description="a gift",
            per_referral=_money(fact.amount),
            from_day=fact.from_day,
            until=fact.until,
        )
    ]


@events.register
def _(fact: MetricReported, _: object) -> list[Event]:
    return [ProductFigure(**_figure(fact))]


def _figure(fact: MetricReported) -> dict[str, Any]:
    return {
        "metric": METRICS.get(fact.metric, fact.metric),
        "period": fact.period,
        "tool": fact.source,
        "segment": fact.segment,
        "figure": ReportedFigure(unit=fact.currency or "count", value=fact.value),
    }


@events.register
def _(fact: RateAgreed, _: object) -> list[Event]:
    return [
        settlement.RateAgreed(
            proposal=fact.id, base=fact.base, quote=fact.quote, period=fact.period, rate=fact.value
        )
    ]


@events.register
def _(fact: RatePublished, _: object) -> list[Event]:
    return [
        settlement.RatePublished(
            base=fact.base,
            quote=fact.quote,
            period=fact.period,
            rate=fact.value,
            source=fact.source,
        )
    ]


@events.register
def _(fact: AdjustmentAgreed, _: object) -> list[Event]:
    return [
        settlement.AdjustmentAgreed(
            proposal=fact.id.split("/")[1],
            by=fact.by,
            to=fact.to,
            amount=_money(fact.amount),
            reason="agreed",
        )
    ]


@events.register
def _(fact: Corrected, by_id: Mapping[str, Fact]) -> list[Event]:
    first, new = by_id[fact.corrects], fact.replacement
    more: dict[str, Any] = {"reason": fact.reason}
    if not isinstance(first, MetricReported):
        more["void"] = new is None
    stated_at = _own(first, fact.stated_by, by_id).occurred_at
    moved = new.occurred_at if new and new.occurred_at != stated_at else None
    match first, new:
        case DealWon(), (DealWon() | None):
            return [
                sale.WinCorrected(
                    deal=first.deal,
                    annual_contract_value=_money(new.value) if new else None,
                    happened_at=moved,
                    fact_at=first.occurred_at,
                    **more,
                )
            ]
        case PaymentReceived(), (PaymentReceived() | None):
            return [
                payment.PaymentCorrected(
                    deal=first.deal,
                    payment=_last(first.id),
                    amount=_money(new.amount) if new else None,
                    happened_at=moved,
                    collected_by=(new.collected_by or new.stated_by) if new else None,
                    **more,
                )
            ]
        case PaymentReturned(), (PaymentReturned() | None):
            return [
                payment.RefundCorrected(
                    deal=first.payment.split("/")[1],
                    refund=first.provider_id,
                    amount=_money(new.amount) if new else None,
                    happened_at=moved,
                    fact_at=first.occurred_at,
                    **more,
                )
            ]
        case MetricReported(), MetricReported():
            return [MetricCorrected(**_figure(new), **more)]
        case PayoutMade(), (PayoutMade() | None):
            return [
                payouts.PayoutCorrected(
                    payout=_payout_id(first), amount=_money(new.amount) if new else None, **more
                )
            ]
        case _:
            msg = f"the product corrects no {type(first).__name__}"
            raise TypeError(msg)


@events.register
def _(fact: StatedAlso, by_id: Mapping[str, Fact]) -> list[Event]:
    return events(replace(fact.content, id=fact.states, stated_by=fact.stated_by), by_id)


def _own(first: Fact, by: str, by_id: Mapping[str, Fact]) -> Fact:
    """Return a party's own statement of a fact; the other's if it made none."""
    also = (
        each
        for each in by_id.values()
        if isinstance(each, StatedAlso) and each.states == first.id and each.stated_by == by
    )
    return next(also, first)


@events.register
def _(fact: Confirmed, by_id: Mapping[str, Fact]) -> list[Event]:
    return [ClaimConfirmed(**_claim(by_id[fact.claim], by_id))]


@events.register
def _(fact: Objected, by_id: Mapping[str, Fact]) -> list[Event]:
    claim = by_id[fact.claim]
    if isinstance(claim, RatePublished):
        return [
            settlement.RateObjected(
                base=claim.base,
                quote=claim.quote,
                period=claim.period,
                source=claim.source,
                reason="wrong",
            )
        ]
    return [ClaimObjected(**_claim(claim, by_id), reason="wrong")]


def _claim(claim: Fact, by_id: Mapping[str, Fact]) -> dict[str, Any]:
    """Return how an answer names a fact, with its time: several can have one name."""
    if isinstance(claim, Corrected):
        first = by_id[claim.corrects]
        named = _claim(first, by_id)
        return {
            **named,
            "fact": f"correction/{named['fact']}",
            "fact_at": claim.occurred_at,
        }
    if isinstance(claim, MetricReported):
        figure = {name: each for name, each in _figure(claim).items() if name != "figure"}
        return {"figure": FigureRef(**figure), "fact": "figure"}
    kind, name, fact = claim.id.split("/", 2)
    fact, _, at = fact.partition("@")
    return {kind: name, "fact": fact, **({"fact_at": claim.occurred_at} if at else {})}


@events.register
def _(fact: PayoutMade, _: object) -> list[Event]:
    return [
        payouts.PayoutRecorded(
            payout=_payout_id(fact),
            statement=fact.statement,
            amount=_money(fact.amount),
            payer=PARTIES[fact.to == PARTIES[0]],
            payee=fact.to,
        )
    ]


@events.register
def _(fact: PayoutReturned, _: object) -> list[Event]:
    return [payouts.PayoutReturned(payout=_payout_id(fact), reason="returned")]


def _payout_id(fact: PayoutMade | PayoutReturned) -> str:
    return fact.id.split("/")[1]


@events.register
def _(fact: DisputeOpened, _: object) -> list[Event]:
    return [
        ProductDispute(
            dispute=fact.id,
            cause=IssueCause.MONEY,
            description="disputed",
            subject=named(fact.subject),
            amount=_money(fact.amount),
            line=_disputed_line(fact),
        )
    ]


def _disputed_line(opened: DisputeOpened) -> DisputedLine | None:
    if opened.line is None:
        return None
    fact, item = opened.line
    return DisputedLine(fact=fact.removeprefix(_row_of(opened.subject, fact)), item=item)


@events.register
def _(fact: DisputeResolved, by_id: Mapping[str, Fact]) -> list[Event]:
    opened = by_id[fact.dispute]
    assert isinstance(opened, DisputeOpened)
    return [
        ProductDecision(
            dispute=fact.dispute,
            subject=named(opened.subject),
            line=_disputed_line(opened),
            outcome=DisputeOutcome(fact.outcome),
            amount=_money(opened.amount),
            award=fact.amount and _money(fact.amount),
            resolution="decided",
        )
    ]


def named(subject: Subject) -> str:
    """Return the product's name of a subject."""
    match subject.kind:
        case "entry" | "penalty":
            return subject.id.removesuffix("/entry")
        case "adjustment":
            return subject.id.removesuffix("/adjustment")
        case _:
            return f"{subject.kind}/{subject.id}"


# --- what the ledger makes of it ---------------------------------------------------------------


class Amounts(NamedTuple):
    """What lines of one key add up to, in both currencies, and the rate between them."""

    own: Decimal
    settles_in: str
    settled: Decimal | None
    rate: Fraction | None


Lines = dict[tuple[str, ...], Amounts]
"""By subject, priced fact, causing fact, item, payee, currency and day."""


@dataclass
class Product:
    """A product that learns facts one by one."""

    rows: dict[str, Any] = field(default_factory=dict)
    posted: list[dict[str, Any]] = field(default_factory=list)
    statements: list[settlement.StatementIssued] = field(default_factory=list)
    closed: str = ""
    """The last month that was closed."""
    count: int = 0
    versions: int = 0

    def begin(self, at: datetime) -> None:
        """Record who the parties are."""
        acme, north = PARTIES
        began = ExplorationBegun(party_name="Acme", purpose="sales")
        self.record(began, Act(acme, "someone", at, at))
        self.record(
            PartnerChosen.model_construct(candidate=north, name="North"),
            Act(acme, "someone", at, at),
        )

    def record(self, event: Event, act: Act) -> None:
        """Fold one event."""
        if isinstance(event, CommercialTermsAgreed):
            self.versions += 1
            event = event.model_copy(update={"terms_version": self.versions})
        recorded = Recorded(
            partnership=PARTNERSHIP,
            stream=PARTNERSHIP,
            version=self.count + 1,
            event_id=f"event-{self.count}",
            act=act,
            source="life",
            source_id=f"event-{self.count}",
            event=event,
            index=self.count,
            position=self.count,
        )
        self.count += 1
        book = post(self.rows, recorded)
        self.rows.update(book.changed)
        self.posted += book.lines

    def pass_time(self, at: datetime) -> None:
        """Record what ended by a time: the silence that confirms claims, and months."""
        for each in sorted(silences(self.rows).values()):
            if each.due <= at:
                (passed,) = fold.passed(each)
                self.record(passed, Act(CLOCK_PARTY, "clock", each.due, at))
        last, _ = last_month(at)
        while self.closed < last:
            self.closed = following(self.closed)
            self.close(self.closed, at)

    def close(self, month: str, at: datetime) -> None:
        """Record that a month is over, and its quarter with it."""
        quarter = quarter_of(month)
        ends_quarter = month[-2:] in {"03", "06", "09", "12"}
        for period in [month, quarter] if ends_quarter else [month]:
            self.record(PeriodClosed(period=period), Act(CLOCK_PARTY, "clock", at, at))

    def agree_investment(self, items: Iterable[JointInvestment], at: datetime) -> None:
        """Record that both agreed a joint investment."""
        for item in items:
            self.record(_joint_agreed(item), Act("north", "someone", at, at))

    def leave(self, facts: Iterable[Fact], at: datetime) -> None:
        """Record that the days of all exits have come."""
        for each in facts:
            if isinstance(each, ExitSet):
                ref = each.effective_on.isoformat()
                passed = DeadlinePassed(kind=DeadlineKind.EXIT, ref=ref)
                self.record(passed, Act(CLOCK_PARTY, "clock", at, at))

    def state(self, at: datetime) -> None:
        """Issue the statements of the last month."""
        period, _ = last_month(at)
        act = Act(CLOCK_PARTY, "someone", at, at)
        command = settlement.IssueStatement(period=period)
        agreed = self.rows.get(AGREED, AgreedRow())
        context = PartnershipContext(parties=PARTIES, terms=terms_of(agreed))
        issued = settlement.issue(command, settlement.Settlement(), ledger(self.rows), context, act)
        for each in issued:
            assert isinstance(each, settlement.StatementIssued)
            self.statements.append(each)
            self.record(each, act)


def recorded_life(
    facts: Sequence[Fact], *, clock: bool = True, after: Callable[[Product], None] | None = None
) -> Product:
    """Return the product once it has recorded facts in this order of arrival.

    The clock closes months as they pass; without `clock`, all at the end. `after` is called after
    each fact.
    """
    product = Product()
    first = facts[0].recorded_at
    product.begin(first)
    product.closed = preceding(month_of(min(each.occurred_at for each in facts).date()))
    by_id = {each.id: each for each in facts}
    stated: set[datetime] = set()
    halfway = _halfway(facts)
    for place, fact in enumerate(facts):
        if place == halfway:
            product.agree_investment(_joint_investment(facts), fact.recorded_at)
        if clock or isinstance(fact, (StatementIssued, TimePassed)):
            product.pass_time(fact.recorded_at)
        if isinstance(fact, StatementIssued):
            if fact.recorded_at not in stated:
                product.state(fact.recorded_at)
            stated.add(fact.recorded_at)
            continue
        if isinstance(fact, TimePassed):
            product.leave(facts, fact.recorded_at)
        act = Act(fact.stated_by, "someone", fact.occurred_at, fact.recorded_at)
        for event in events(fact, by_id):
            product.record(event, act)
        if after:
            after(product)
    return product


def _halfway(facts: Sequence[Fact]) -> int:
    """Return the place in the middle, or that of the first statement."""
    stated = (place for place, each in enumerate(facts) if isinstance(each, StatementIssued))
    return min(len(facts) // 2, next(stated, len(facts)))


def _joint_agreed(item: JointInvestment) -> JointInvestmentAgreed:
    return JointInvestmentAgreed(
        proposal=JOINT,
        purpose="a campaign",
        capabilities=dict.fromkeys(PARTIES, "people"),
        success_metric="leads",
        investment=ProductMoney(amount=Decimal(1), currency="USD"),
        investment_shares=_shares(item.investment),
        reward_shares=_shares(item.reward),
    )


_LINE = ("about", "fact", "cause", "item", "to", "currency", "day", "settles_in", "rate")


def posted(product: Product) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    """Return the sums of the posted lines, in both currencies, that are not zero."""
    found: dict[tuple[str, ...], tuple[Decimal, Decimal]] = {}
    for line in product.posted:
        if line["item"] in {"hold", "release"}:
            continue
        key = tuple(line.get(name) or "" for name in _LINE)
        own, settled = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = own + Decimal(line["amount"]), settled + Decimal(line["settled"] or 0)
    return {key: each for key, each in found.items() if any(each)}


def kept(product: Product) -> dict[tuple[str, ...], tuple[Decimal, Decimal]]:
    """Return the lines that the rows keep, in both currencies."""
    return {
        tuple(LineKey.of(text)): (amount.own, amount.settled or Decimal(0))
        for row in product.rows.values()
        if isinstance(row, SubjectRow)
        for text, amount in row.lines.items()
        if amount.own or amount.settled
    }


def accrued(product: Product) -> dict[tuple[str, str, str, str], Decimal]:
    """Return all that accrued: by currency, currency of statement, party and which of both."""
    found: dict[tuple[str, str, str, str], Decimal] = defaultdict(Decimal)
    for key, (own, settled) in kept(product).items():
        line = LineKey(*key)
        found[line.currency, line.settles_in, line.to, "own"] += own
        found[line.currency, line.settles_in, line.to, "settled"] += settled
    return {key: each for key, each in found.items() if each}


Accounts = dict[tuple[str, str], tuple[Decimal, ...]]
"""What was stated, what of it was paid and what of that was acknowledged, by payee and currency."""


def accounts_of_product(product: Product) -> Accounts:
    """Return what the statements have for each party, and what was paid to it."""
    found: Accounts = {}
    for row in product.rows.values():
        if isinstance(row, StatementRow):
            balance = settlement.Balance.model_validate(row.balance)
            for party in PARTIES:
                amounts = [_settled(part).get(party, Decimal(0)) for part in balance.parts]
                paid = (row.paid, row.confirmed) if party == balance.payee else (Decimal(0),) * 2
                found[party, balance.currency] = (sum(amounts, Decimal(0)), *paid)
    return {key: each for key, each in found.items() if any(each)}


def _settled(part: settlement.Part) -> Mapping[str, Decimal]:
    return part.converted or part.earned


def accounts_of_model(facts: Sequence[Fact]) -> Accounts:
    """Return what the model says was stated and paid."""
    found = accounts(facts, PARTIES)
    return {key: tuple(each) for key, each in found.items() if any(each)}


def due_of_product(product: Product) -> dict[str, date]:
    """Return the due day of each statement."""
    rows = (row for row in product.rows.values() if isinstance(row, StatementRow))
    return {row.statement: row.due_on for row in rows}


def lines_of_product(product: Product) -> Lines:
    """Return the final lines of the rows."""
    found: Lines = {}
    for row in product.rows.values():
        if not isinstance(row, SubjectRow):
            continue
        for text, amount in row.lines.items():
            key = LineKey.of(text)
            name = (key.subject, key.fact, key.cause, key.item, key.to, key.currency, key.day)
            rate = Fraction(key.rate) if key.rate else None
            assert name not in found, f"two lines of one key: {text}"
            settled = None if rate is None else amount.settled
            if amount.own or settled:
                found[name] = Amounts(amount.own, key.settles_in, settled, rate)
    return found


def lines_of_model(lines: Iterable[Line]) -> Lines:
    """Return the sums of the model's lines, under the product's keys."""
    found: Lines = {}
    for line in lines:
        subject = named(line.subject)
        row = _row_of(line.subject, line.base_fact)
        fact = line.base_fact.removeprefix(row)
        cause = line.fact.removeprefix(row)
        key = (subject, fact, cause, line.item, line.to, line.currency, line.day.isoformat())
        rate = line.steps[-1].value
        of_line = None if rate == "missing" else Fraction(rate)
        known = found.get(key)
        own, settled = line.amount, line.settled
        if known:
            own += known.own
            settled = None if settled is None else settled + (known.settled or 0)
        found[key] = Amounts(own, line.settles_in, settled, of_line)
    return {key: each for key, each in found.items() if each.own or each.settled}


def _row_of(subject: Subject, base_fact: str) -> str:
    """Return what the product leaves out of the name of a fact: its row."""
    match subject.kind:
        case "deal" | "referral":
            return f"deal/{subject.id}/"
        case "entry" | "penalty" | "adjustment":
            return f"{named(subject)}/"
        case "report":
            return "/".join(base_fact.split("/")[:3]) + "/"
        case _:
            return ""


def explained(seed: int, facts: Sequence[Fact], product: Lines, model: Lines) -> str:
    """Return a difference as a person reads it: the facts in order, and the lines of both."""
    shown = [f"seed {seed}", "", "facts in the order of arrival:"]
    shown += [_shown(each) for each in facts]
    shown += ["", "lines that differ (product, model):"]
    for key in sorted({*product, *model}):
        one, other = product.get(key), model.get(key)
        if one != other:
            shown += [
                " | ".join(key),
                f"    product {_amounts(one)}",
                f"    model   {_amounts(other)}",
            ]
    return "\n".join(shown)


def _amounts(each: Amounts | None) -> str:
    if each is None:
        return "nothing"
    return f"{each.own}, settles {each.settled} {each.settles_in} at {each.rate}"


def _shown(fact: Fact) -> str:
    content = ", ".join(
        f"{name}={value}"
        for name, value in vars(fact).items()
        if name not in {"id", "occurred_at", "recorded_at", "stated_by"} and value is not None
    )
    return (
        f"  {fact.recorded_at:%Y-%m-%d %H:%M:%S.%f} {type(fact).__name__} {fact.id} "
        f"by {fact.stated_by}"
        f" happened {fact.occurred_at:%Y-%m-%d %H:%M}: {content}"
    )
