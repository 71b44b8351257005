"""The rows of KPIs: what deals show and tools report in each period, and what was agreed (C19).

A row has one period of one partnership. What deals add counts in a month (see `counted`), in the
time zone that was agreed first; a report belongs to the period that it names. For quarters, years,
ratios and comparisons, see `figures`.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

from domain.adoption import PartnershipAdopted, adopted_streams
from domain.agreement import CommercialTermsAgreed
from domain.arithmetic import exact
from domain.calendar import bounds, month_of
from domain.charter import Objective
from domain.claims import ClaimConfirmed, ClaimObjected
from domain.deadlines.deadline import DeadlinePassed, exit_of
from domain.declarations import Declarations
from domain.execution import KickoffHeld
from domain.exit import ENDINGS
from domain.exploration import PartnerChosen
from domain.formation import CharterAgreed, DecisionRuleAgreed
from domain.health import ContributionRecorded, TargetAdjusted
from domain.kernel import Act, Event
from domain.metric_catalogue import CATALOGUE, Catalogue, Metric, Unit
from domain.own_metric import MetricAgreed
from domain.priors import Prior, PriorAgreed
from domain.recorded import Recorded
from domain.reported_figure import CORRECTION, MetricCorrected, MetricReported
from domain.reported_figure import ReportedFigure as Content
from domain.sharing import DataSharingAgreed
from domain.terms import UTC
from projections import counted
from projections.counted import FACTS, NO_FACTS, NO_SUM, DealChange, Sum
from projections.fold import NOTHING, Change, Projection, Rows
from projections.ledger.rows import FactsRow

AGREED: Final = "agreed"
"""The key of the row of objectives, minimums and priors. Those of deals and of contributions begin
with `FACTS`; all others are periods."""

GIVEN: Final = f"{FACTS}given/"
"""How the keys of the rows of contributions begin."""

REPORTS: Final = (MetricReported, MetricCorrected)
"""The events that report a figure from outside."""

_REPLIES: Final = (ClaimConfirmed, ClaimObjected)


# --- rows --------------------------------------------------------------------------------------


def _parts(key: object) -> object:
    return tuple(key.split("|")) if isinstance(key, str) else key


_STORED_AS_TEXT = (BeforeValidator(_parts), PlainSerializer("|".join, return_type=str))

Series = Annotated[tuple[str, str, str], *_STORED_AS_TEXT]
"""The key of a count: metric, segment ("" for the whole) and unit; stored as one string."""

Reported = Annotated[tuple[str, str], *_STORED_AS_TEXT]
"""The key of a report: metric and segment. Its unit can be corrected, so it is no part of this."""


@dataclass(frozen=True, slots=True)
class Said:
    """A report of a figure, or a correction of it."""

    figure: Content
    at: datetime
    by: str
    index: int
    """The index of its event."""


class Reply(NamedTuple):
    """A party confirmed what the other said of a figure, or objected to it."""

    at: datetime
    by: str
    confirms: bool
    correction: bool
    """Whether it is about a correction."""
    fact_at: datetime | None = None
    """When the correction was made; None for the last one until the reply."""


@dataclass(frozen=True, slots=True)
class ToolReport:
    """The figure of one tool: its reports, corrections, and what the other party said of them.

    A report that the other party objects to does not count until that party confirms it. Nor does
    a correction by the other party until it is confirmed. Of corrections that count, the one that
    was made last does. If both parties report one figure and differ, neither report counts until
    one corrects its own, unless the other had confirmed it: no party replaces the other's alone.
    """

    reports: tuple[Said, ...] = ()
    """The report of each party, in the order in which they were made."""
    corrections: tuple[Said, ...] = ()
    """In the order in which they were made."""
    replies: tuple[Reply, ...] = ()

    @property
    def standing(self) -> Said | None:
        """The report or the correction that counts; None if none does."""
        said = self._said()
        return None if self.contested else next((each for _, each in said), None)

    @property
    def contested(self) -> tuple[Said, ...]:
        """What each party says, if they differ or one objects to what the other says, or nothing.

        An objection alone says nothing else, so it is not among them.
        """
        said = self._said()
        differ = len({str(each.figure) for _, each in said}) > 1
        alone = len(said) == 1 and self._is_opposed(*said[0])
        return tuple(each for _, each in said) if differ or alone else ()

    @property
    def authors(self) -> frozenset[str]:
        """The parties that say what counts: who stated it, and who confirmed it."""
        return frozenset(by for report, said in self._said() for by in self._authors(report, said))

    @property
    def objectors(self) -> frozenset[str]:
        """The parties that object to a report and have not confirmed it."""
        opposed = [each for each, said in self._said() if self._is_opposed(each, said)]
        return frozenset(r.by for each in opposed for r in self._replies_to(each))

    def _said(self) -> list[tuple[Said, Said]]:
        """Return each report with what it comes to; one that the other confirmed stands alone."""
        found = [(each, self._corrected(each)) for each in self.reports]
        confirmed = [each for each in found if self._is_confirmed(each[0])]
        return confirmed if len(confirmed) == 1 else found

    def _authors(self, report: Said, said: Said) -> set[str]:
        if said is report:
            return {said.by, *(r.by for r in self._replies_to(report) if r.confirms)}
        return {said.by, *(r.by for r in self._confirming(said))}

    def _is_confirmed(self, report: Said) -> bool:
        return any(each.confirms for each in self._replies_to(report))

    def _is_opposed(self, report: Said, said: Said) -> bool:
        """Whether a report that was not corrected has only objections."""
        replies = [each.confirms for each in self._replies_to(report)]
        return said is report and bool(replies) and not any(replies)

    def _replies_to(self, report: Said) -> list[Reply]:
        return [each for each in self.replies if not each.correction and each.by != report.by]

    def _corrected(self, report: Said) -> Said:
        found = report
        for each in self.corrections:
            if each.by == report.by or self._confirming(each):
                found = each
        return found

    def _confirming(self, correction: Said) -> list[Reply]:
        return [
            each
            for each in self.replies
            if each.confirms
            and each.correction
            and each.by != correction.by
            and self._means(each, correction)
        ]

    def _means(self, reply: Reply, said: Said) -> bool:
        if reply.fact_at is not None:
            return reply.fact_at == said.at
        theirs = [each for each in self.corrections if each.by == said.by and each.at <= reply.at]
        return bool(theirs) and theirs[-1].at == said.at


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """The figures of one period, by source."""

    sums: Mapping[Series, Sum] = field(default_factory=dict)
    """What deals add."""
    reports: Mapping[Reported, Mapping[str, ToolReport]] = field(default_factory=dict)
    """What tools reported, by tool."""


class Given(NamedTuple):
    """What a contribution adds to a figure of its period."""

    metric: str
    unit: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A contribution of a party, as it was stated last."""

    period: str = ""
    given: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class AgreedMinimum:
    """The minimum of referrals a quarter that one version of the terms gives (C10)."""

    agreed_at: datetime
    proposal: str
    effective_from: date
    terms_version: int
    index: int
    by_party: Mapping[str, int] = field(default_factory=dict)
    """How many each party brings at least."""


@dataclass(frozen=True, slots=True)
class AgreedPrior:
    """A prior that both parties agreed, and when it was recorded (C21)."""

    prior: Prior
    version: int
    index: int
    binds_from: datetime


class RuledTool(NamedTuple):
    """The tool that a decision rule names for its metric and segment."""

    rule: str
    metric: str
    segment: str
    """Empty for the whole."""
    tool: str


@dataclass(frozen=True, slots=True)
class AgreedRow:
    """The agreed values that figures are compared to."""

    since: date | None = None
    """The day of the charter, from which its objectives run."""
    charter_known_from: date | None = None
    """The day on which the charter came on record: by an adoption later than its own day."""
    adopted_charter: date | None = None
    """The day of a charter that an adoption states, until the charter itself follows."""
    kickoff: date | None = None
    """The day on which the partnership began to run."""
    settles_from: date | None = None
    """The day on which the books of an adopted partnership begin."""
    ended_on: date | None = None
    """The day on which an exit took effect, or on which the negotiation ended."""
    objectives: tuple[Objective, ...] = ()
    minimums: tuple[AgreedMinimum, ...] = ()
    priors: tuple[AgreedPrior, ...] = ()
    time_zone: str | None = None
    """The time zone that was agreed first. A later one changes no month: none would be whole."""
    metrics: tuple[Metric, ...] = ()
    """The metrics that both parties defined beyond the catalogue."""
    adopted: tuple[str, ...] = ()
    """The streams of the figures that came in by the adoption."""
    shared_since: int = -1
    """The index of the last event that says who sees which figures; -1 if there is none."""
    cells: Mapping[str, int] = field(default_factory=dict)
    """The smallest count of each metric that all may see, where the data-sharing protocol has one
    (C14)."""
    ruled: tuple[RuledTool, ...] = ()
    """The tools that decision rules in force name."""
    givers: Mapping[str, str] = field(default_factory=dict)
    """The party whose figures of a metric count: the owner of one that both defined, or the
    neutral third party that a line of data sharing names."""

    def tool_of_objective(self, metric: str, segment: str = "") -> str | None:
        """Return the tool that the charter agrees for a metric; None if there is none.

        An objective on the same segment comes before one on another.
        """
        found = [each for each in self.objectives if each.metric == metric]
        own = [each for each in found if (each.segment or "") == segment]
        return next((each.tool for each in own or found), None)

    def tool_for(self, metric: str, segment: str = "") -> str | None:
        """Return the tool that both agreed for a metric: the charter's, or else a rule's."""
        rules = (each.tool for each in self.ruled if each[1:3] == (metric, segment))
        return self.tool_of_objective(metric, segment) or next(rules, None)

    @property
    def zone(self) -> str:
        """The time zone of months."""
        return self.time_zone or UTC

    @property
    def catalogue(self) -> Catalogue:
        """Every metric of the partnership by name, its own ones last."""
        if not self.metrics:
            return CATALOGUE
        return {**CATALOGUE, **{each.name: each for each in self.metrics}}


NO_FIGURES = PeriodRow()
NOTHING_GIVEN: Final = GivenRow()
NOTHING_AGREED = AgreedRow()


def period_row(rows: Rows, period: str) -> PeriodRow:
    """Return the row of a period; an empty one if nothing is known of it."""
    row: PeriodRow = rows.get(period, NO_FIGURES)
    return row


def agreed_row(rows: Rows) -> AgreedRow:
    """Return the row of agreed values; an empty one if there is none."""
    row: AgreedRow = rows.get(AGREED, NOTHING_AGREED)
    return row


def catalogue(rows: Rows) -> Catalogue:
    """Return every metric of the partnership by name, its own ones last."""
    return agreed_row(rows).catalogue


def is_period(key: str) -> bool:
    """Return whether a row has the figures of a period."""
    return key != AGREED and not key.startswith(FACTS)


# --- what events measure -----------------------------------------------------------------------


MEASURED: frozenset[type[Event]] = counted.COUNTED | {*REPORTS, *_REPLIES, ContributionRecorded}
"""The events that change a figure."""


_CONTRIBUTED = frozenset({"contributed_value", "contributed_hours"})


def measures(event: Event) -> frozenset[str]:
    """Return the metrics whose figures an event can change; none if it measures nothing."""
    of: Any = event
    kind = type(event)
    if kind is ContributionRecorded:
        return _CONTRIBUTED
    # Looked up by type: a match on the class of a model costs as much as all the rest.
    if kind in _REPLIES:
        of = of.figure
        if of is None:
            return frozenset() if counted.key_of(event) is None else counted.METRICS_OF[kind]
    elif kind not in REPORTS:
        return counted.METRICS_OF.get(kind, frozenset())
    return frozenset((of.metric,))


def reported_in(event: Event) -> str | None:
    """Return the period of the report that an event makes, corrects or answers; None for others."""
    of: Any = event
    kind = type(event)
    if kind in _REPLIES:
        of = of.figure
    elif kind not in REPORTS:
        return None
    return None if of is None else of.period


# --- fold --------------------------------------------------------------------------------------


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the rows that an event changes: its deal's, a period's, or that of what was agreed."""
    event = recorded.event
    if (deal := counted.key_of(event)) is not None:
        return AGREED, deal, month_of(recorded.act.occurred_at)
    if (period := reported_in(event)) is not None:
        return (period,)
    if isinstance(event, ContributionRecorded):
        return (given_key(event, recorded.act.party), event.period)
    return (AGREED,) if _agrees(event) else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add an event to the rows that it changes."""
    event = recorded.event
    if (deal := counted.key_of(event)) is not None:
        change = DealChange.by(rows.get(deal, NO_FACTS), recorded)
        if change.after is change.before:
            return NOTHING
        return Change(
            {deal: change.after, **periods_with(rows, change.added(event, agreed_row(rows).zone))},
            [],
        )
    if (period := reported_in(event)) is not None:
        return Change({period: with_report(period_row(rows, period), recorded)}, [])
    if (given := given_change(rows, recorded)) is not None:
        return Change({given.key: given.after, **periods_with(rows, given.added())}, [])
    if _agrees(event):
        return Change({AGREED: agreed_with(agreed_row(rows), recorded)}, [])
    return NOTHING


def _agrees(event: Event) -> bool:
    """Return whether an event changes what figures are compared to."""
    if isinstance(event, DeadlinePassed):
        return exit_of(event) is not None
    return type(event) in _AGREEMENTS


@exact
def periods_with(rows: Rows, added: Mapping[counted.Series, Sum]) -> dict[str, PeriodRow]:
    """Return the rows of months with what a deal adds to them. A sum of nothing is left out."""
    found: dict[str, PeriodRow] = {}
    for to, change in added.items():
        row = found.get(to.month) or period_row(rows, to.month)
        series = (to.metric, to.segment, to.unit)
        total = row.sums.get(series, NO_SUM).plus(*change)
        sums = {name: each for name, each in row.sums.items() if name != series}
        found[to.month] = PeriodRow(
            sums | {series: total} if total.additions else sums, row.reports
        )
    return found


def given_key(event: ContributionRecorded, party: str) -> str:
    """Return the key of the row of a contribution."""
    return f"{GIVEN}{party}/{event.contribution}"


class GivenChange(NamedTuple):
    """A contribution as it was stated before an event, and after it."""

    key: str
    """The key of its row."""
    party: str
    before: GivenRow
    after: GivenRow

    def added(self, needed: Container[str] = CATALOGUE) -> dict[counted.Series, Sum]:
        """Return what the event adds to the needed metrics, less what was stated before."""
        added: dict[counted.Series, Sum] = {}
        for row, sign in ((self.before, -1), (self.after, 1)):
            for metric, unit, amount in row.given:
                if metric in needed:
                    to = counted.Series(row.period, metric, self.party, unit)
                    added[to] = added.get(to, NO_SUM).plus(amount * sign, sign)
        return added


def given_change(rows: Rows, recorded: Recorded) -> GivenChange | None:
    """Return what an event changes of a contribution; None for another event."""
    event, party = recorded.event, recorded.act.party
    if not isinstance(event, ContributionRecorded):
        return None
    key = given_key(event, party)
    return GivenChange(key, party, rows.get(key, NOTHING_GIVEN), _given_row(event))


def stated_change(declarations: Declarations, event: ContributionRecorded, act: Act) -> GivenChange:
    """Return what an event changes of a contribution, by what its author has declared before."""
    key = given_key(event, act.party)
    before = declarations.stated.get(event.key(act))
    row = _given_row(before) if isinstance(before, ContributionRecorded) else NOTHING_GIVEN
    return GivenChange(key, act.party, row, _given_row(event))


def _given_row(event: ContributionRecorded) -> GivenRow:
    return GivenRow(event.period, tuple(_given(event)))


def _given(event: ContributionRecorded) -> Iterator[Given]:
    if event.value is not None:
        yield Given("contributed_value", event.value.currency, event.value.amount)
    if event.hours is not None:
        yield Given("contributed_hours", Unit.HOURS.value, event.hours)


def with_report(row: PeriodRow, recorded: Recorded) -> PeriodRow:
    """Return a period's row with a report, a correction of it, or an answer to one."""
    of: Any = recorded.event
    if isinstance(of, _REPLIES):
        of = of.figure
    series = (of.metric, of.segment or "")
    by_tool = row.reports.get(series, {})
    report = _reported(by_tool.get(of.tool, ToolReport()), recorded)
    return PeriodRow(row.sums, {**row.reports, series: {**by_tool, of.tool: report}})


def _reported(report: ToolReport, recorded: Recorded) -> ToolReport:
    event, act = recorded.event, recorded.act
    match event:
        case MetricReported():
            said = Said(event.figure, act.occurred_at, act.party, recorded.index)
            others = [each for each in report.reports if each.by != said.by]
            return replace(report, reports=tuple(sorted((*others, said), key=_made)))
        case MetricCorrected():
            said = Said(event.figure, act.occurred_at, act.party, recorded.index)
            made = sorted((*report.corrections, said), key=_made)
            return replace(report, corrections=tuple(made))
        case ClaimConfirmed() | ClaimObjected():
            confirms = isinstance(event, ClaimConfirmed)
            about = event.fact == CORRECTION
            reply = Reply(act.occurred_at, act.party, confirms, about, event.fact_at)
            return replace(report, replies=tuple(sorted((*report.replies, reply), key=str)))
        case _:
            return report


def _made(said: Said) -> tuple[datetime, str, str]:
    # Of two that were made at one time, the greater counts, in any order of arrival.
    return said.at, said.by, str(said.figure)


def agreed_with(row: AgreedRow, recorded: Recorded) -> AgreedRow:
    """Return the row of agreed values after an event; unchanged if the event agrees none."""
    event, act, index = recorded.event, recorded.act, recorded.index
    match event:
        case CharterAgreed():
            objectives = tuple(event.charter.objectives)
            today = act.occurred_at.date()
            return replace(
                row,
                objectives=objectives,
                since=row.adopted_charter or today,
                charter_known_from=today,
                adopted_charter=None,
            )
        case KickoffHeld():
            return replace(row, kickoff=act.occurred_at.date())
        case PartnershipAdopted(since=since, books=books):
            streams = adopted_streams(event)
            return replace(
                row,
                kickoff=since,
                settles_from=books.settles_from,
                adopted=streams,
                adopted_charter=event.charter_agreed_on if event.charter else None,
            )
        case DeadlinePassed() if day := exit_of(event):
            return replace(row, ended_on=date.fromisoformat(day))
        case _ if isinstance(event, ENDINGS):
            return replace(row, ended_on=row.ended_on or act.occurred_at.date())
        case TargetAdjusted():
            return replace(row, objectives=event.adjusts(row.objectives))
        case CommercialTermsAgreed():
            given = event.frame.given() if event.frame is not None else {}
            if row.time_zone is None:
                row = replace(row, time_zone=given.get("time_zone", UTC))
            least = given.get("minimum_referrals_per_quarter")
            if least is None:
                return row
            since, version = event.effective_from, event.terms_version
            minimum = AgreedMinimum(event.agreed_at, event.proposal, since, version, index, least)
            return replace(row, minimums=tuple(sorted((*row.minimums, minimum), key=_agreed)))
        case MetricAgreed(metric=name):
            others = (each for each in row.metrics if each.name != name)
            metrics = (*others, event.definition)
            return replace(row, metrics=metrics, givers={**row.givers, name: event.owner})
        case DataSharingAgreed():
            cells = event.smallest_cells()
            return replace(row, givers=_givers(row, event), shared_since=index, cells=cells)
        case PartnerChosen():
            return replace(row, shared_since=index)
        case DecisionRuleAgreed(rule=rule):
            kept = tuple(each for each in row.ruled if each.rule != rule.rule)
            if rule.tool is not None:
                kept += (RuledTool(rule.rule, rule.metric, rule.segment or "", rule.tool),)
            return row if kept == row.ruled else replace(row, ruled=kept)
        case PriorAgreed():
            # It binds from its recording, not from its claimed time, so never retroactively (C21).
            prior = AgreedPrior(event.prior, event.prior_version, index, act.recorded_at)
            return replace(row, priors=(*row.priors, prior))
        case _:
            return row


def _givers(row: AgreedRow, event: DataSharingAgreed) -> dict[str, str]:
    """Return whose figures of a metric count: of its owner, or of the neutral third party."""
    own = {each.name for each in row.metrics}
    owned = {name: party for name, party in row.givers.items() if name in own}
    third = event.third_party.party if event.third_party else None
    given = {name for each in event.lines if each.by == third for name in each.metrics}
    return {**dict.fromkeys(sorted(given), third or ""), **owned}


def minimum_for(window: str, agreed: AgreedRow) -> AgreedMinimum | None:
    """Return the minimum of referrals in force when a quarter began, if one was agreed (C10).

    None for a quarter that the end of the partnership cuts short (C27), or the day from which an
    adopted one is settled here (C28).
    """
    start, end = (each.date() for each in bounds(window))
    if agreed.ended_on is not None and end > agreed.ended_on:
        return None
    if agreed.settles_from is not None and start < agreed.settles_from:
        return None
    changes = [each for each in _changes(agreed.minimums) if each.effective_from <= start]
    latest = max(changes, key=lambda each: (each.effective_from, *_agreed(each)), default=None)
    return latest if latest and any(latest.by_party.values()) else None


def _agreed(minimum: AgreedMinimum) -> tuple[datetime, str]:
    return minimum.agreed_at, minimum.proposal


def _changes(minimums: Iterable[AgreedMinimum]) -> Iterator[AgreedMinimum]:
    """Yield each minimum that differs from the one agreed before it (see `TermsByDay`)."""
    last: Mapping[str, int] = {}
    for each in minimums:
        if each.by_party != last:
            yield each
        last = each.by_party


_AGREEMENTS: frozenset[type[Event]] = frozenset(
    {
        CharterAgreed,
        CommercialTermsAgreed,
        DataSharingAgreed,
        DeadlinePassed,
        DecisionRuleAgreed,
        KickoffHeld,
        MetricAgreed,
        PartnerChosen,
        PartnershipAdopted,
        PriorAgreed,
        TargetAdjusted,
        *ENDINGS,
    }
)


def _row_type(key: str) -> type[AgreedRow | FactsRow | GivenRow | PeriodRow]:
    if key.startswith(GIVEN):
        return GivenRow
    if key.startswith(FACTS):
        return FactsRow
    return AgreedRow if key == AGREED else PeriodRow


KPIS = Projection(
    "kpis",
    keys,
    apply,
    MEASURED | _AGREEMENTS,
    version=24,
    row_type=_row_type,
    facts_from=FACTS,
)
