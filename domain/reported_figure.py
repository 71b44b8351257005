"""Reported figures: what one tool reports for one metric and period, and corrections (C19)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, assert_never

from pydantic import Field

from domain import claims
from domain.calendar import Period
from domain.claims import Answered, ClaimCommand, ClaimConfirmed, ClaimObjected, ObjectToClaim
from domain.facts import Facts, Stated, check_begun, is_stated, own, with_fact
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    Refused,
    Stage,
    Value,
)
from domain.metric_catalogue import (
    CATALOGUE,
    NO_METRICS,
    Adds,
    Catalogue,
    Metric,
    Unit,
    known,
    with_unit,
)
from domain.terms import Item, ReferralFee, pays_by
from domain.terms_by_day import TermsByDay, all_items
from domain.values import MINOR_UNITS, Count, Number, Quantity, Slug, Text, plain

OTHER_CHANNELS = "other-channels"
"""The segment of customers from other channels. It is compared with the partner's, not added."""


class Respondents(Value):
    """Who answered how likely they are to recommend, from 0 to 10 (C19)."""

    promoters: Count
    """How many answered 9 or 10."""
    passives: Count
    """How many answered 7 or 8."""
    detractors: Count
    """How many answered 6 or less."""

    @property
    def total(self) -> int:
        """How many answered."""
        return self.promoters + self.passives + self.detractors

    def plus(self, other: "Respondents") -> "Respondents":
        """Return the respondents of two surveys together."""
        return Respondents(
            promoters=self.promoters + other.promoters,
            passives=self.passives + other.passives,
            detractors=self.detractors + other.detractors,
        )


class ReportedFigure(Value):
    """A figure: a value, or what it is made of, in a unit.

    A ratio is made of a numerator and its denominator, a net promoter score of respondents. A rate
    without its denominator is a value: it can be shown, but it cannot be added to other periods and
    has no interval (C21).
    """

    unit: Text
    """The metric's unit, as the catalogue names it; for money, the ISO 4217 currency."""
    value: Number | None = None
    """The value, as a decimal string."""
    numerator: Number | None = None
    """The numerator of a ratio, such as the number of successes."""
    denominator: Quantity | None = None
    """The denominator of a ratio, such as the number of trials."""
    respondents: Respondents | None = None
    """The respondents of a survey, of whom a net promoter score is made."""

    @property
    def ratio(self) -> tuple[Decimal, Decimal] | None:
        """The numerator and the denominator, as reported or of the respondents; None of a value."""
        if (of := self.respondents) is not None:
            return Decimal(100 * (of.promoters - of.detractors)), Decimal(of.total)
        if self.numerator is None or self.denominator is None:
            return None
        return self.numerator, self.denominator

    def has_fewer_than(self, smallest: int) -> bool:
        """Whether it is, or includes, a count above zero and below `smallest` (C14)."""
        counts: list[Decimal | int | None] = [self.numerator, self.denominator]
        if (of := self.respondents) is not None:
            counts += [of.promoters, of.passives, of.detractors]
        if self.unit == Unit.COUNT:
            counts.append(self.value)
        return any(each is not None and 0 < each < smallest for each in counts)

    def __str__(self) -> str:
        """Write the figure: ``12 of 150``, ``62 / 24 score``, ``180000 USD / 18``, ``300``."""
        if (of := self.respondents) is not None:
            return f"{of.promoters} promoters, {of.passives} passives, {of.detractors} detractors"
        if self.numerator is None or self.denominator is None:
            return with_unit(plain(self.value) if self.value is not None else "?", self.unit)
        above, below = plain(self.numerator), plain(self.denominator)
        if self.unit == Unit.PERCENT:
            return f"{above} of {below}"
        if self.unit in MINOR_UNITS:
            return f"{above} {self.unit} / {below}"
        return f"{above} / {below} {self.unit}"


class MetricCommand(Command):
    """A command on the figure of one metric, segment, period and tool."""

    stages = AFTER_KICKOFF | {Stage.EXPLORATION, Stage.FORMATION}
    metric: Annotated[Slug, Field(json_schema_extra={"examples": [*CATALOGUE]})]
    """The name of a metric of the catalogue (`accord metrics`), or of one that both agreed."""
    period: Period
    """The period: a month, a quarter or a year."""
    tool: Slug
    """The system that the figure comes from."""
    segment: Slug | None = None
    """A part of the whole: a candidate, a market, an offer, a campaign."""
    figure: ReportedFigure
    """The figure: a value, or a numerator and a denominator, with its unit."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"metric/{self.metric}/{self.segment or '-'}/{self.period}/{self.tool}"


class ReportMetric(MetricCommand):
    """Report the figure of a period for a metric of the catalogue (C19)."""


class CorrectMetric(MetricCommand):
    """Correct a figure that was reported, with the reason (C19).

    A correction by the other party than the one that reported it is a proposal.
    """

    reason: Text
    """The reason, in words."""


class _Reported(Value):
    metric: Slug
    """The name of a metric of the catalogue."""
    period: Period
    """The period: a month, a quarter or a year."""
    tool: Slug
    """The system that the figure comes from."""
    segment: Slug | None = None
    """A part of the whole: a candidate, a market, an offer, a campaign."""
    figure: ReportedFigure
    """The figure: a value, or a numerator and a denominator, with its unit."""


class MetricReported(_Reported, Event):
    """A tool's figure for a period was reported (C19)."""


class MetricCorrected(_Reported, Event):
    """A reported figure was corrected (C19)."""

    reason: Text
    """The reason, in words."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The figure as each party reported it, its corrections, and what was said of them."""

    facts: Facts = field(default_factory=dict)
    """The fact `figure`, and the facts `correction/figure`."""
    answers: tuple[Answered, ...] = ()
    """Confirmations and objections."""


FIGURE = "figure"
CORRECTION = f"correction/{FIGURE}"
"""The names of the facts; a claim names them (`claims`)."""


def decide(
    command: MetricCommand | ClaimCommand,
    state: Reported,
    act: Act,
    terms: TermsByDay,
    own: Catalogue = NO_METRICS,
) -> list[Event]:
    """Decide a report, a correction, or an answer to one. Raises `Refused`.

    `own` are the metrics that both parties agreed beyond the catalogue.
    """
    if isinstance(command, ClaimCommand):
        events = claims.decide(command, state.facts, state.answers, act)
        if events and isinstance(command, ObjectToClaim):
            _check_has_effect(command, state, act, terms)
        return events
    check(command.figure, known(command.metric, "metric", own))
    check_begun(command.period, terms.day(act.occurred_at))
    match command:
        case ReportMetric():
            return report(command, state, act)
        case CorrectMetric():
            return correct(command, state, act)
        case _:
            assert_never(command)  # type: ignore[arg-type] # MetricCommand is closed by this module


def _check_has_effect(command: ObjectToClaim, state: Reported, act: Act, terms: TermsByDay) -> None:
    """Raise `Refused` for an objection to a correction that a party makes against its interest.

    Figures count what a party corrects of its own report. Silence confirms only what moves money.
    """
    claim = claims.claimed(command, state.facts, act.party, act.occurred_at)
    if claim is None or not isinstance(claim.event, MetricCorrected):
        return
    reports = state.facts[FIGURE]
    if {each.party for each in reports} != {claim.party}:
        return
    pays = [item for item in all_items(terms.agreed) if pays_by(item, claim.event.metric)]
    if not any(_can_lose(item, act.party, claim, state.facts) for item in pays):
        awaits = claims.own_statement(command, FIGURE, act.party)
        raise claims.counts_at_once(command, claim.party, awaits)


def _can_lose(item: Item, party: str, claim: Stated, facts: Facts) -> bool:
    """Whether a party can lose by a correction of a figure that an item pays by."""
    if getattr(item, "to", party) != party or not isinstance(item, ReferralFee):
        return True
    stated = (*own(facts[FIGURE], claim.party), *own(facts[CORRECTION], claim.party))
    values = {_value(each.event) for each in stated if each.at <= claim.at}
    new = _value(claim.event)
    return new is None or any(each is not None and new < each for each in values)


def _value(event: Event) -> Decimal | None:
    return event.figure.value if isinstance(event, MetricReported | MetricCorrected) else None


def seen(state: Reported, shows: Callable[[Stated], bool]) -> Reported:
    """Return a figure as a party sees it: with those statements that are shown to it."""
    facts = {name: tuple(filter(shows, each)) for name, each in state.facts.items()}
    return replace(state, facts={name: each for name, each in facts.items() if each})


def report(command: ReportMetric, state: Reported, act: Act) -> list[Event]:
    """Record a figure once by each party; another figure by the same party is a correction."""
    event = MetricReported.of(command)
    mine = own(state.facts.get(FIGURE, ()), act.party)
    if not mine:
        return [event]
    if mine[0].event == event:
        return []
    known = mine[0].event
    raise Refused(
        "already-reported",
        "A party cannot report a figure again with another value. "
        f"{act.party} reported {getattr(known, 'figure', '')} of {command.metric} for "
        f"{command.period} by {command.tool}.",
        "Correct the figure, with a reason (CorrectMetric).",
    )


def correct(command: CorrectMetric, state: Reported, act: Act) -> list[Event]:
    """Correct a figure that was reported.

    The same figure at another moment is another correction, since one between may still arrive.
    """
    if FIGURE not in state.facts:
        raise Refused(
            "nothing-to-correct",
            "Only a reported figure can be corrected. "
            f"{command.tool} reported no {command.metric} for {command.period}.",
            "Report the figure (ReportMetric).",
            awaits=Awaited(
                AwaitedKind.FIGURE,
                command.substream().removeprefix("metric/"),
                f"the figure of {command.tool} for {command.metric} in {command.period}"
                + (f", segment {command.segment}" if command.segment else ""),
            ),
        )
    event = MetricCorrected.of(command)
    again = is_stated(state.facts.get(CORRECTION, ()), event, act)
    return [] if again else [event]


def evolve(state: Reported, event: Event, act: Act) -> Reported:
    """Fold an event into the state."""
    match event:
        case MetricReported():
            return replace(state, facts=with_fact(state.facts, FIGURE, event, act))
        case MetricCorrected():
            return replace(state, facts=with_fact(state.facts, CORRECTION, event, act))
        case ClaimConfirmed() | ClaimObjected():
            answer = Answered(event, act.party, act.occurred_at)
            return replace(state, answers=(*state.answers, answer))
        case _:
            return state


def check(figure: ReportedFigure, metric: Metric) -> None:
    """Raise `Refused` if a figure does not have the unit or the shape of its metric (C19)."""
    if not metric.unit.takes(figure.unit):
        raise Refused(
            "wrong-unit",
            "A figure must have the unit of its metric. "
            f"{metric.name} is measured in {metric.unit}, not in {figure.unit}.",
            f"Give the figure in the unit {metric.unit.example}.",
            field="figure/unit",
        )
    parts = (figure.numerator is not None, figure.denominator is not None)
    whole = figure.value is not None
    if metric.of_respondents or figure.respondents is not None:
        _check_respondents(figure, metric)
        return
    if any(parts) == whole or any(parts) != all(parts):
        raise Refused(
            "figure-shape",
            "A figure must be a value, or a numerator with its denominator, not both.",
            "Give the value alone, or the numerator and the denominator.",
            field="figure",
        )
    if all(parts) and metric.adds is not Adds.RATIO:
        raise Refused(
            "figure-shape",
            f"Only a ratio has a numerator and a denominator. {metric.name} is not a ratio.",
            "Give the value alone.",
            field="figure",
        )
    lowest = min(figure.value or 0, figure.numerator or 0)
    if lowest < 0 and not metric.signed:
        raise Refused(
            "figure-negative",
            f"A figure cannot be below zero, unless its metric can. {metric.name} was given as "
            f"{lowest}.",
            "Correct the figure. To take back an earlier one, correct that (CorrectMetric).",
            field="figure",
        )
    if metric.unit is Unit.COUNT and figure.value is not None and figure.value % 1:
        raise Refused(
            "figure-not-whole",
            f"A count is a whole number. {metric.name} was given as {plain(figure.value)}.",
            "Give a whole number.",
            field="figure",
        )
    if figure.denominator is not None and figure.numerator is not None:
        _check_ratio(figure.numerator, figure.denominator, metric)


def _check_respondents(figure: ReportedFigure, metric: Metric) -> None:
    """Raise `Refused` unless a score is made of respondents, or is a value, and no other metric is.

    A bare value is shown, and is no evidence.
    """
    if not metric.of_respondents:
        raise Refused(
            "figure-shape",
            f"Only a net promoter score is made of respondents. {metric.name} is not.",
            "Give the value, or the numerator and the denominator.",
            field="figure",
        )
    given = [figure.value is not None, figure.respondents is not None]
    if sum(given) != 1 or figure.numerator is not None or figure.denominator is not None:
        raise Refused(
            "figure-shape",
            f"{metric.name} is reported as promoters, passives and detractors, or as a value "
            "without them.",
            "Give the respondents alone.",
            field="figure",
        )
    if figure.value is not None and abs(figure.value) > _HUNDRED:
        raise Refused(
            "score-beyond-100",
            f"A net promoter score lies from -100 to 100. It was given as {plain(figure.value)}.",
            "Correct the figure.",
            field="figure/value",
        )


_HUNDRED = Decimal(100)
LEAST_DENOMINATOR = Decimal("0.001")
"""The smallest denominator above zero, in its unit (docs/settlement.md, Arithmetic and faults)."""


def _check_ratio(numerator: Number, denominator: Number, metric: Metric) -> None:
    if 0 < denominator < LEAST_DENOMINATOR:
        raise Refused(
            "denominator-too-small",
            f"A denominator is zero or at least {LEAST_DENOMINATOR}. {metric.name} was given over "
            f"{plain(denominator)}.",
            "Give the numerator and the denominator in larger units, or correct them.",
            field="figure/denominator",
        )
    if metric.proportion and numerator > denominator:
        raise Refused(
            "successes-exceed-trials",
            "The numerator cannot exceed the denominator. "
            f"{metric.name} was given as {plain(numerator)} {metric.numerator} of "
            f"{plain(denominator)} {metric.denominator}.",
            "Check which number is the numerator.",
        )
