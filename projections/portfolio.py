"""Many partnerships compared: the tracking sheet, which are off track, load, dependency (C28).

Each partnership is read into a `PartnershipLine`; the lines of one party make its portfolio. So
memory holds one line for each partnership, however long their histories are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, Self, assert_never

from domain.arithmetic import exact
from domain.charter import ObjectiveStatus
from domain.described import described
from domain.exploration import IdealPartnerProfileDefined
from domain.kernel import IN_FORCE, Stage
from domain.metric_catalogue import CATALOGUE
from domain.standing_alerts import FIGURE_OVERDUE, AlertKind
from domain.terms import ItemKind, Payment, payment
from domain.values import MINOR_UNITS, Exact, name_order, plain
from projections import figures
from projections.alert_subjects import Subject, subject
from projections.alerts import ALERTS, START, STATE, Alert, AlertsState, acts, answered
from projections.contribution import Contribution, Hours, Sourced, contributions, hours, sourced
from projections.fold import Rows
from projections.kpis import KPIS, agreed_row
from projections.matching import Match, Matched, matches
from projections.objectives import ObjectiveProgress
from projections.objectives import objectives as each_objective
from projections.overview import OVERVIEW, OVERVIEW_ROW, Overview
from projections.results import REVENUE, Money, Result, Span, amount, money, results, total
from projections.settlement import SETTLEMENT
from projections.traits import (
    CANDIDATE,
    MARKET,
    TRAITS,
    TRAITS_ROW,
    CandidateTraits,
    Limits,
    MarketTraits,
    Traits,
)
from projections.visibility import OPERATOR, Sight

FEWEST_ACTIVE, MOST_ACTIVE = 5, 10
"""How many active partnerships a small team can manage (C28), unless a program sets limits."""

LEAST_ATTENTION, MOST_ATTENTION = Decimal(10), Decimal(20)
"""Percent of one person's time that each significant partnership takes (C12)."""

HALF = Decimal(50)
"""In percent; above this, one partner contributes more than all others together."""

_PERSON = Decimal(100)
_CENT = Decimal("0.01")
READ = (OVERVIEW, TRAITS, KPIS, ALERTS, SETTLEMENT)
"""The projections that a member is read from."""

FEES: Final = "fees_earned"
"""What a party earned from its partner by the terms, without the splits of joint revenue."""

SIGHT = Sight(OPERATOR)
"""The sight of the operator."""


# --- what is read ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Member:
    """One partnership as a viewer sees it: overview, traits, figures and open alerts."""

    id: str
    overview: Overview
    traits: Traits
    candidates: Mapping[str, CandidateTraits]
    markets: Mapping[str, MarketTraits]
    kpis: Rows
    alerts: tuple[Alert, ...] = ()
    raised: AlertsState = START
    """The state that says who is in office."""
    sight: Sight = SIGHT
    settlement: Rows = field(default_factory=dict)
    """The sums of the ledger, and the statements; other rows of it may be left out."""

    @classmethod
    def of(cls, id: str, rows: Mapping[str, Rows], sight: Sight = SIGHT) -> Self:
        """Read a partnership from its rows of each projection in `READ`, by its name."""
        traits, alerts = rows[TRAITS.name], rows[ALERTS.name]
        raised: AlertsState = alerts.get(STATE, START)
        opened = raised.open
        return cls(
            id,
            rows[OVERVIEW.name].get(OVERVIEW_ROW, Overview()),
            traits.get(TRAITS_ROW, Traits()),
            _of_kind(traits, CANDIDATE),
            _of_kind(traits, MARKET),
            figures.Read(rows[KPIS.name]),
            tuple(opened[name] for name in sorted(opened)),
            raised,
            sight,
            rows[SETTLEMENT.name],
        )

    @property
    def is_known(self) -> bool:
        """Whether it is a partnership that has begun, or a program."""
        return bool(self.overview.parties) or self.traits.limits is not None

    @property
    def party(self) -> str:
        """The party whose portfolio it belongs to: the viewer's, or else the initiator's."""
        return self.sight.viewer.party or next(iter(self.overview.parties), "")

    def breaches(self, moment: datetime) -> list[Alert]:
        """Return the open alerts on what was agreed and not done, with who acts at a moment."""
        rows = {STATE: self.raised}
        return [answered(rows, each, moment) for each in self.alerts if _is_breach(each)]

    @property
    def partner(self) -> str | None:
        """The other party, once there is one."""
        return next((each for each in self.overview.parties if each != self.party), None)

    @property
    def chosen(self) -> str | None:
        """The candidate that the initiator chose."""
        return next(iter(self.overview.parties[1:]), None)

    @property
    def candidate(self) -> CandidateTraits:
        """What was recorded of the chosen partner while it was a candidate."""
        return self.shown(self.candidates.get(self.chosen or "", CandidateTraits()))

    def shown(self, known: CandidateTraits) -> CandidateTraits:
        """Return what the viewer is shown of a candidate: no overlap of a few customers (C14)."""
        initiator = next(iter(self.overview.parties), "")
        if known.overlap and self.sight.withholds_overlap(initiator, known.overlap):
            return replace(known, overlap=None)
        return known

    def value(self, metric: str, unit: str, period: str | None = None) -> Decimal | None:
        """Return a metric's figure of a period, or of all time; None if the viewer knows none.

        Of payments it is what is left after refunds.
        """
        return amount(self.kpis, metric, unit, period)


def _of_kind(rows: Rows, kind: str) -> dict[str, Any]:
    return {key.removeprefix(kind): row for key, row in rows.items() if key.startswith(kind)}


# --- one partnership ---------------------------------------------------------------------------


@described
@dataclass(frozen=True, slots=True)
class Revenue:
    """An amount of money by a metric; refunds are already taken off payments."""

    metric: str
    """The name of a metric of the catalogue, or `fees_earned`: what the terms earned the party."""
    amount: Exact
    """The amount, as a decimal string."""
    currency: str
    """The currency, as a code of ISO 4217."""


class ReasonCode(StrEnum):
    """Why an active partnership is not on track."""

    OBJECTIVE_MISSED = "objective-missed"
    """The deadline of an objective has passed, and its target was not reached."""
    OBJECTIVE_OFF_TRACK = "objective-off-track"
    """The figure of an objective is far from where it should be by now."""
    BREACH = "breach"
    """An alert is open on what was agreed and not done."""
    OBJECTIVE_WITHOUT_EVIDENCE = "objective-insufficient-evidence"
    """The figure of an objective is missing, late or disputed."""
    FIGURE_OVERDUE = "figure-overdue"
    """An alert is open on a figure that was not reported in time."""
    OBJECTIVE_AT_RISK = "objective-at-risk"
    """The figure of an objective is a little short of where it should be by now."""

    @property
    def status(self) -> ObjectiveStatus:
        """The status in which it puts a partnership; `missed` counts as off track."""
        match self:
            case ReasonCode.OBJECTIVE_MISSED:
                return ObjectiveStatus.MISSED
            case ReasonCode.OBJECTIVE_OFF_TRACK | ReasonCode.BREACH:
                return ObjectiveStatus.OFF_TRACK
            case ReasonCode.OBJECTIVE_WITHOUT_EVIDENCE | ReasonCode.FIGURE_OVERDUE:
                return ObjectiveStatus.INSUFFICIENT_EVIDENCE
            case ReasonCode.OBJECTIVE_AT_RISK:
                return ObjectiveStatus.AT_RISK
            case _:
                assert_never(self)

    @property
    def words(self) -> str:
        """What stands before the text of the objective or of the alert."""
        match self:
            case ReasonCode.BREACH:
                return "breach: "
            case ReasonCode.FIGURE_OVERDUE:
                return f"{self.status.words}: "
            case (
                ReasonCode.OBJECTIVE_MISSED
                | ReasonCode.OBJECTIVE_OFF_TRACK
                | ReasonCode.OBJECTIVE_WITHOUT_EVIDENCE
                | ReasonCode.OBJECTIVE_AT_RISK
            ):
                return f"{self.status.words}, "
            case _:
                assert_never(self)


_OF_OBJECTIVE: Final = {
    each.status: each
    for each in (
        ReasonCode.OBJECTIVE_MISSED,
        ReasonCode.OBJECTIVE_OFF_TRACK,
        ReasonCode.OBJECTIVE_WITHOUT_EVIDENCE,
        ReasonCode.OBJECTIVE_AT_RISK,
    )
}
"""The statuses of objectives that people have to look at."""


@described
@dataclass(frozen=True, slots=True)
class StatusReason:
    """Why an active partnership is not on track: an objective, or an open alert."""

    code: ReasonCode
    """The kind of the reason, for programs."""
    text: str
    """The reason in words, for people."""
    objective: str | None = None
    """The identifier of the objective; null for an alert about none."""
    metric: str | None = None
    """The metric of the objective, or of the figure that the alert is about; null without one."""
    segment: str | None = None
    """The part of the whole, such as a market; null for the whole, or without a metric."""
    alert: str | None = None
    """The identifier of the alert; null for an objective."""
    rule: str | None = None
    """The name of the alert's rule; null for an objective."""

    @classmethod
    def of_objective(cls, progress: ObjectiveProgress) -> "StatusReason | None":
        """Return the reason that an objective is; None if its status worries nobody."""
        code = _OF_OBJECTIVE.get(progress.status)
        if code is None:
            return None
        of = progress.objective
        return cls(code, code.words + progress.text, of.objective, of.metric, of.segment)

    @classmethod
    def of_breach(cls, alert: Alert, about: Subject) -> "StatusReason":
        """Return the reason that an open breach is, with who acts."""
        is_overdue = alert.rule == FIGURE_OVERDUE
        code = ReasonCode.FIGURE_OVERDUE if is_overdue else ReasonCode.BREACH
        text = f"{alert.text} {acts(alert)}" if alert.who_acts else alert.text
        of = (about.objective, about.metric, about.segment)
        return cls(code, code.words + text, *of, alert.id, alert.rule)


@described
@dataclass(frozen=True, slots=True)
class PartnershipLine:
    """One partnership as a line of the sheet."""

    id: str
    """The partnership."""
    partner: str | None
    """The other party."""
    name: str | None
    """The partner's name."""
    stage: Stage | None
    """The stage."""
    since: date | None
    """The day on which that stage began."""
    active: bool
    """Whether it needs attention: from execution until it ends or an exit takes effect."""
    joined: date | None
    """The day of the kickoff."""
    leads: Exact | None
    """The leads so far; null until the partner joined."""
    conversions: Exact | None
    """The deals won so far; null until the partner joined."""
    revenue: tuple[Revenue, ...]
    """The revenue so far."""
    average_contract_value: tuple[Revenue, ...]
    """The average annual contract value of the deals that were won."""
    margin: Exact | None
    """The profit margin, in percent."""
    objectives: tuple[ObjectiveProgress, ...]
    """The objectives, each with its figure so far and its status."""
    status: ObjectiveStatus | None
    """The worst status of its objectives, its breaches and its figures; null unless active."""
    reasons: tuple[StatusReason, ...]
    """Why an active partnership is not on track."""
    attention: Exact | None
    """The percent of a person's time that the party of the portfolio committed."""
    economics: tuple[ItemKind, ...]
    """The kinds of economics in force."""
    pays: Payment
    """Whether they pay a fixed amount or by result."""
    segments: tuple[str, ...]
    """The client segments for which the partner was sought."""
    markets: tuple[str, ...]
    """The markets that the partnership targets."""
    competes: bool
    """Whether the partner was sought among those with a competing product."""
    brings: str | None
    """What the partner contributes, if a joint investment recorded it."""
    results: tuple[Result, ...]
    """What it brought in the period that is asked about; empty unless one is."""
    money: tuple[Money, ...]
    """What is owed between its parties, by currency."""
    contributions: tuple[Contribution, ...]
    """What it brings each party in money, and what is left, by currency: in the period that is
    asked about, or in all."""
    hours: tuple[Hours, ...]
    """The working hours that each party contributed in that time."""
    sourced: tuple[Sourced, ...]
    """The deals won in that time which each party sourced, and those that it influenced."""
    open_alerts: tuple[str, ...]
    """The identifiers of its open alerts."""
    notes: tuple[str, ...]
    """The texts of its open alerts that are not among the reasons, and the last lesson."""


@exact
def line(
    member: Member,
    moment: datetime,
    span: Span | None = None,
    breaches: Iterable[Alert] | None = None,
) -> PartnershipLine:
    """Return a partnership as a line of the sheet, as of a moment, with its results of a span.

    `breaches` are those of the member, with people by name.
    """
    breaches = member.breaches(moment) if breaches is None else breaches
    stage = member.overview.stage
    active = stage in IN_FORCE and agreed_row(member.kpis).ended_on is None
    joined = _joined(member)
    today = member.traits.terms.day(moment)
    objectives = tuple(map(member.sight.progress, each_objective(member.kpis, today)))
    broken = [StatusReason.of_breach(each, subject(member.raised, each)) for each in breaches]
    status, reasons = _status(objectives, broken) if active else (None, ())
    traits = member.traits
    profile = _profile(member)
    economics = tuple(sorted({each.kind for each in traits.terms.items(today)}))
    margin = _value(member, "profit_margin")
    parties, period = member.overview.parties, span.asked if span else None
    mine = [each for each in _contributions(member) if each.party == member.party]
    return PartnershipLine(
        id=member.id,
        partner=member.partner,
        name=member.overview.names.get(member.partner or ""),
        stage=stage,
        since=_since(member),
        active=active,
        joined=joined,
        leads=_counted(member, "leads", joined),
        conversions=_counted(member, "deals_won", joined),
        revenue=(*revenue(member), *_fees(mine)),
        average_contract_value=_money(member, "average_contract_value"),
        margin=_value(member, "margin") if margin is None else margin,
        objectives=objectives,
        status=status,
        reasons=reasons,
        attention=traits.attention.get(member.party),
        economics=economics,
        pays=payment(economics),
        segments=tuple(profile.client_segments) if profile else (),
        markets=tuple(sorted(member.markets)),
        competes=profile.competing_product if profile else False,
        brings=traits.capabilities.get(member.partner or ""),
        results=tuple(results(member.id, member.kpis, span)) if span else (),
        money=tuple(money(member.id, member.settlement, member.party)),
        contributions=tuple(_contributions(member, period)),
        hours=tuple(hours(member.kpis, parties, period)),
        sourced=tuple(sourced(member.kpis, parties, period)),
        open_alerts=tuple(each.id for each in member.alerts),
        notes=(
            *(each.text for each in member.alerts if not (active and _is_breach(each))),
            *((traits.lesson,) if traits.lesson is not None else ()),
        ),
    )


def _since(member: Member) -> date | None:
    """Return the day on which the stage began: as an adoption says, if it began with that."""
    overview = member.overview
    last = overview.stages[-1].since if overview.stages else None
    if last is not None and last == overview.adopted:
        return overview.ran_since
    return None if last is None else member.traits.terms.day(last)


def _joined(member: Member) -> date | None:
    """Return the day on which the partner joined: that of the kickoff, or as an adoption says."""
    overview = member.overview
    if overview.adopted:
        return overview.ran_since
    since = [each.since for each in overview.stages if each.stage is Stage.EXECUTION]
    return member.traits.terms.day(since[0]) if since else None


def _value(member: Member, metric: str) -> Decimal | None:
    return member.value(metric, CATALOGUE[metric].unit.value)


def _counted(member: Member, metric: str, joined: date | None) -> Decimal | None:
    """Return what deals show of a metric: none is zero, once the partner joined."""
    found = _value(member, metric)
    return Decimal(0) if found is None and joined else found


def _money(member: Member, metric: str) -> tuple[Revenue, ...]:
    found = ((unit, member.value(metric, unit)) for unit in figures.units(member.kpis, metric))
    return tuple(Revenue(metric, value, unit) for unit, value in found if value is not None)


def revenue(member: Member) -> tuple[Revenue, ...]:
    """Return the revenue of a partnership, by metric and currency; payments less refunds."""
    return tuple(each for metric in REVENUE for each in _money(member, metric))


def _contributions(member: Member, period: str | None = None) -> list[Contribution]:
    of = (member.id, member.kpis, member.settlement, member.overview.parties)
    return contributions(*of, period)


def _fees(mine: Iterable[Contribution]) -> Iterator[Revenue]:
    """Yield what the party earned from its partner: retainers, commissions, incentives."""
    for each in mine:
        if each.earned:
            yield Revenue(FEES, each.earned, each.currency)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_EVEN)


def _status(
    objectives: Iterable[ObjectiveProgress], breaches: Iterable[StatusReason]
) -> tuple[ObjectiveStatus, tuple[StatusReason, ...]]:
    """Return the status of an active partnership, and the reasons if it is not on track.

    The status is the worst one of its objectives. A missed objective and a breach put it off track.
    A figure that is overdue leaves too little evidence: nobody knows whether it is on or off track.
    The reasons that set the status come first.
    """
    found = list(objectives)
    concerns = [*filter(None, map(StatusReason.of_objective, found)), *breaches]
    reasons = sorted(concerns, key=lambda each: _RANK[each.code.status])
    every = [*(each.status for each in found), *(each.code.status for each in reasons)]
    worst = min(every, key=_RANK.__getitem__, default=ObjectiveStatus.OPEN)
    match worst:
        case ObjectiveStatus.MISSED:
            return ObjectiveStatus.OFF_TRACK, tuple(reasons)
        case ObjectiveStatus.MET:
            return ObjectiveStatus.ON_TRACK, tuple(reasons)
        case _:
            return worst, tuple(reasons)


def _is_breach(alert: Alert) -> bool:
    return alert.kind is AlertKind.BREACH


_RANK: Final = {status: rank for rank, status in enumerate(ObjectiveStatus)}


def _profile(member: Member) -> IdealPartnerProfileDefined | None:
    """Return the profile that the partner was scored under, else the latest one."""
    score = member.candidate.score
    profiles = member.traits.profiles
    under = [each for each in profiles if score and each.profile_version == score.profile_version]
    return next(iter(under or profiles[-1:]), None)


# --- all of one party --------------------------------------------------------------------------


@described
@dataclass(frozen=True, slots=True)
class NotOnTrack:
    """An active partnership that is not on track, and why."""

    id: str
    """The partnership."""
    status: ObjectiveStatus
    """Its status."""
    reasons: tuple[StatusReason, ...]
    """The reasons, those that set the status first."""


@described
@dataclass(frozen=True, slots=True)
class PortfolioProgress:
    """How many active partnerships are on track, and which are not."""

    active: int
    """How many partnerships are running."""
    on_track: int
    """How many of them are on track."""
    others: tuple[NotOnTrack, ...]
    """The other ones: off track, at risk, without sufficient evidence, or open."""


class Level(StrEnum):
    """Whether the number of active partnerships is manageable."""

    BELOW = "below"
    WITHIN = "within"
    ABOVE = "above"


@described
@dataclass(frozen=True, slots=True)
class Load:
    """How many partnerships are active, and how many full-time people they need (C12, C28)."""

    active: int
    """How many partnerships are running."""
    fewest: int
    """The smallest number of running partnerships."""
    most: int
    """The manageable number of active partnerships is from `fewest` to `most`."""
    level: Level
    """Whether the load is below, within or above the limits."""
    people_committed: Exact
    """The people that the partnerships need, in full-time posts."""
    without_commitment: int
    """Active partnerships for which no time was committed."""
    people_usual_from: Exact
    """From how many people the load is usual."""
    people_usual_to: Exact
    """This many partnerships usually need `people_usual_from` to `people_usual_to` people."""
    capacity: Exact | None
    """The people that the program has; null without a program."""
    over_capacity: bool
    """Whether the partnerships need more people than there are."""


@described
@dataclass(frozen=True, slots=True)
class Share:
    """The revenue from one partner, and its share of the total."""

    partner: str
    """The partner."""
    partnerships: tuple[str, ...]
    """The partnerships with it that bring some of the revenue, or take some back; the one that
    brings most comes first."""
    amount: Exact
    """The amount, as a decimal string."""
    percent: Exact
    """The share, in percent."""


@described
@dataclass(frozen=True, slots=True)
class Dependency:
    """How far the revenue of a metric in a currency depends on single partners."""

    metric: str
    """The name of a metric of the catalogue, or `fees_earned`: what the terms earned the party."""
    currency: str
    """The currency, as a code of ISO 4217."""
    total: Exact
    """The revenue of all partnerships."""
    shares: tuple[Share, ...]
    """The largest first. They add up to exactly 100 %."""
    herfindahl: Exact
    """The Herfindahl index: 1/n for n equal shares, 1 if one partner has all."""
    equal_partners: Exact
    """How many partners of equal size would give this index."""
    summary: str
    """The finding, in words."""


@described
@dataclass(frozen=True, slots=True)
class Portfolio:
    """The partnerships of one party, compared."""

    party: str
    """The party."""
    name: str
    """The party's name."""
    limits: Limits | None
    """The limits that its program set."""
    partners: tuple[PartnershipLine, ...]
    """The partners, each with its figures."""
    searching: tuple[str, ...]
    """Partnerships that have no partner yet."""
    ended_searches: tuple[str, ...]
    """Partnerships whose search for a partner ended without one."""
    progress: PortfolioProgress
    """How many partnerships are on track, and which are not."""
    load: Load
    """How many partnerships run, and how many people they need."""
    money: tuple[Money, ...]
    """What the party owes, is owed and disputes over all partners, by currency."""
    dependency: tuple[Dependency, ...]
    """How the party's revenue depends on single partners."""
    matches: tuple[Match, ...]
    """The pairs of partners that could work together."""


@exact
def portfolio(
    party: str, name: str, lines: Iterable[PartnershipLine], limits: Limits | None = None
) -> Portfolio:
    """Return the portfolio of a party from its lines, with the limits that its program set.

    Partners are in the order of their names.
    """
    every = sorted(lines, key=lambda each: (name_order(each.name or each.partner or ""), each.id))
    joined = [each for each in every if each.partner is not None]
    alone = [each for each in every if each.partner is None]
    active = [each for each in joined if each.active]
    others = tuple(
        NotOnTrack(each.id, each.status, each.reasons)
        for each in active
        if each.status is not None and each.status is not ObjectiveStatus.ON_TRACK
    )
    return Portfolio(
        party=party,
        name=name,
        limits=limits,
        partners=tuple(joined),
        searching=tuple(each.id for each in alone if each.stage is not Stage.ENDED),
        ended_searches=tuple(each.id for each in alone if each.stage is Stage.ENDED),
        progress=PortfolioProgress(len(active), len(active) - len(others), others),
        load=load([each.attention for each in active], limits),
        money=tuple(total(of for each in joined for of in each.money)),
        dependency=tuple(dependency(joined, limits)),
        matches=matches(
            Matched(
                each.id,
                each.partner,
                frozenset(each.segments),
                frozenset(each.markets),
                each.brings,
            )
            for each in active
            if each.partner is not None and not each.competes
        ),
    )


def load(attention: Sequence[Decimal | None], limits: Limits | None = None) -> Load:
    """Return the load of active partnerships; `attention` has the percent committed to each."""
    count = len(attention)
    fewest = limits.fewest_active if limits else FEWEST_ACTIVE
    most = limits.most_active if limits else MOST_ACTIVE
    committed = [each for each in attention if each is not None]
    people = sum(committed, Decimal(0)) / _PERSON
    return Load(
        active=count,
        fewest=fewest,
        most=most,
        level=Level.BELOW if count < fewest else Level.ABOVE if count > most else Level.WITHIN,
        people_committed=_rounded(people),
        without_commitment=count - len(committed),
        people_usual_from=_rounded(count * LEAST_ATTENTION / _PERSON),
        people_usual_to=_rounded(count * MOST_ATTENTION / _PERSON),
        capacity=limits.capacity if limits else None,
        over_capacity=limits is not None and people > limits.capacity,
    )


# --- dependency --------------------------------------------------------------------------------


def shares(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return each one's share in percent, to two digits, so that they add up to exactly 100.

    Shares are rounded down. The rest goes to the largest remainders; among equal ones the first
    name comes first.
    There must be some amount, and none may be negative.
    """
    total = Fraction(sum(amounts.values()))
    exact = {name: Fraction(amount) * 10_000 / total for name, amount in amounts.items()}
    whole = {name: each.numerator // each.denominator for name, each in exact.items()}
    left = 10_000 - sum(whole.values())
    for name in sorted(exact, key=lambda name: (whole[name] - exact[name], name))[:left]:
        whole[name] += 1
    return {name: Decimal(each).scaleb(-2) for name, each in whole.items()}


def herfindahl(amounts: Iterable[Decimal]) -> Fraction:
    """Return the Herfindahl index: 1/n for n equal shares, 1 if one has all."""
    exact = [Fraction(each) for each in amounts]
    return sum((each * each for each in exact), Fraction()) / sum(exact) ** 2


def dependency(
    lines: Iterable[PartnershipLine], limits: Limits | None = None
) -> Iterator[Dependency]:
    """Yield each partner's share of the revenue, for each metric of revenue and currency.

    All partnerships with one partner count together (C28).
    """
    by_kind: dict[tuple[str, str], dict[str, dict[str, Decimal]]] = {}
    for each in lines:
        for of in each.revenue:
            by_partner = by_kind.setdefault((of.metric, of.currency), {})
            by_partner.setdefault(each.partner or "", {})[each.id] = of.amount
    for (metric, currency), by_partner in sorted(by_kind.items()):
        # A partner with more refunds than payments brings no revenue to depend on.
        brought = {name: of for name, of in by_partner.items() if sum(of.values()) > 0}
        if brought:
            yield _dependency(metric, currency, brought, limits)


def _dependency(
    metric: str,
    currency: str,
    by_partner: Mapping[str, Mapping[str, Decimal]],
    limits: Limits | None,
) -> Dependency:
    amounts = {name: sum(of.values(), Decimal(0)) for name, of in by_partner.items()}
    parts = shares(amounts)
    ranked = sorted(parts, key=lambda name: (-amounts[name], name))
    index = herfindahl(amounts.values())
    digits = Decimal(1).scaleb(-MINOR_UNITS[currency])
    return Dependency(
        metric=metric,
        currency=currency,
        total=sum(amounts.values(), Decimal(0)).quantize(digits),
        shares=tuple(
            Share(name, _largest_first(by_partner[name]), amounts[name], parts[name])
            for name in ranked
        ),
        herfindahl=_decimal(index, "0.0001"),
        equal_partners=_decimal(1 / index, "0.1"),
        summary=_summary(ranked[0], parts[ranked[0]], len(parts), 1 / index, limits),
    )


def _largest_first(amounts: Mapping[str, Decimal]) -> tuple[str, ...]:
    return tuple(sorted(amounts, key=lambda name: (-amounts[name], name)))


def _decimal(value: Fraction, digits: str) -> Decimal:
    exact = Decimal(value.numerator) / value.denominator
    return exact.quantize(Decimal(digits), ROUND_HALF_EVEN)


def _summary(
    largest: str, share: Decimal, count: int, equal: Fraction, limits: Limits | None
) -> str:
    if count == 1:
        return f"All of it comes from one partner, {largest}."
    spread = f"It is as concentrated as {plain(_decimal(equal, '0.1'))} partners of equal size"
    if limits and share > limits.largest_share:
        too_much = f", more than the {plain(limits.largest_share)} % that the program allows"
    else:
        too_much = ", more than all others together" if share > HALF else ""
    return f"{spread}; the largest, {largest}, brings {plain(share)} %{too_much}."
