"""The charter: the purpose, the SMART objectives, and what the parties expect (C8)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.kernel import Refused, Unknown, Value
from domain.metric_catalogue import (
    NO_METRICS,
    Adds,
    Catalogue,
    Direction,
    MeasuredBy,
    check_segment,
    known,
    metric_words,
)
from domain.terms import check_parties
from domain.values import Day, Number, Slug, Text, counted, name_words, plain

FIRST_KPIS = range(3, 6)
"""Three to five objectives are advised; another number gives a warning, not a refusal (C8)."""


class ObjectiveStatus(StrEnum):
    """What the figures say of an objective, the worst first (C8)."""

    MISSED = "missed"
    """The deadline has passed, and the target was not reached."""
    OFF_TRACK = "off-track"
    """The figure is far from where it should be by now."""
    INSUFFICIENT_EVIDENCE = "insufficient-evidence"
    """The figure is missing or late, so nobody can say."""
    AT_RISK = "at-risk"
    """The figure is a little short of where it should be by now."""
    OPEN = "open"
    """It is too early to say: no figure is due."""
    ON_TRACK = "on-track"
    """The figure is where it should be by now, and the target can still be missed."""
    MET = "met"
    """The target is reached."""
    GIVEN_UP = "given-up"
    """The partnership ended before the deadline, so nothing more is expected."""

    @property
    def words(self) -> str:
        """The status as people write it: ``off track``."""
        return name_words(self.value)


class Objective(Value):
    """A SMART objective (C8)."""

    objective: Slug
    """The identifier of the objective."""
    metric: Slug
    """The metric that measures the objective."""
    baseline: Number
    """The value at the beginning."""
    unit: Text
    """The metric's unit, as the catalogue names it; for money, the ISO 4217 currency."""
    target: Number
    """The value to reach."""
    deadline: Day
    """The day by which the target is to be reached."""
    method: Text
    """How the metric is measured."""
    frequency: Literal["weekly", "monthly", "quarterly"]
    """How often the metric is reported."""
    tool: Slug
    """The tool that reports the figures, as each report names it. Its figures alone decide."""
    measured: MeasuredBy = "count"
    """What decides a metric that deals show: the count of deals, or the reported figure."""
    segment: Slug | None = None
    """The part of the whole that it is about, such as a market or a product; null for the whole."""

    @property
    def words(self) -> str:
        """The subject in words: ``new users in spain``."""
        return metric_words(self.metric, self.segment)


class Expectations(Value):
    """What the parties expect of speed, investment and patience (C8)."""

    speed: Text
    """How soon results are expected."""
    investment: Text
    """What each party is ready to invest."""
    patience: Text
    """How long the parties wait before they judge."""


class Charter(Value):
    """The charter of a partnership (C8)."""

    purpose: Text
    """What the partnership is for, in words."""
    goals: dict[Slug, Text]
    """Each party's own goals, by party."""
    expectations: Expectations
    """What the parties expect of speed, investment and patience."""
    objectives: Annotated[list[Objective], Field(min_length=1)]
    """The objectives: each has a metric, a target and a deadline."""

    def warnings(self) -> list[str]:
        """Return what is allowed but not advised (C8)."""
        count = len(self.objectives)
        return (
            []
            if count in FIRST_KPIS
            else [f"{counted(count, 'objective')}; 3 to 5 are advised (C8)"]
        )


def check(charter: Charter, parties: tuple[str, ...], own: Catalogue = NO_METRICS) -> None:
    """Raise `Refused` if a charter names others than the parties, or an unknown metric (C8).

    Also if an objective has another unit than its metric, or a target that is worse than its
    baseline. `own` are the metrics that both parties agreed beyond the catalogue.
    """
    check_parties(list(charter.goals), parties)
    for objective in charter.objectives:
        check_target(objective, objective.target, own)
        unit = known(objective.metric, own=own).unit
        if not unit.takes(objective.unit):
            raise Refused(
                "wrong-unit",
                "An objective must have the unit of its metric. "
                f"{objective.metric} is measured in {unit}, not in {objective.unit}.",
                f"Give baseline and target in the unit {unit.example}.",
            )
        check_segment(objective.metric, objective.segment, objective.measured, own)


def named(name: str, objectives: Iterable[Objective]) -> Objective:
    """Return the objective with this name. Raises `Refused` if there is none (C8)."""
    found = {each.objective: each for each in objectives}
    if name not in found:
        raise Unknown(
            "no-such-objective",
            f"Only the target of an objective of the charter can be adjusted. There is no {name}.",
            f"Name one of these: {', '.join(found)}."
            if found
            else "Agree a charter first (ProposeCharter).",
            field="objective",
            named=name,
            known=[*found],
        )
    return found[name]


def check_target(objective: Objective, target: Decimal, own: Catalogue = NO_METRICS) -> None:
    """Raise `Refused` if a target is on the wrong side of the baseline of its objective (C8).

    A metric that adds up and should be small, such as a cost, has a target that is the most that
    may come together. Its baseline says nothing of it.
    """
    metric = known(objective.metric, own=own)
    grows = metric.direction is Direction.UP
    if metric.adds is Adds.SUM and not grows:
        return
    baseline = objective.baseline
    if target < baseline if grows else target > baseline:
        better = "grow" if grows else "fall"
        raise Refused(
            "target-behind-baseline",
            "A target cannot be worse than its baseline. The target of "
            f"{objective.objective} is {plain(target)}, its baseline {plain(baseline)}, and "
            f"{objective.metric} should {better}.",
            "Give a target that is at least as good as the baseline.",
        )


def check_deadline(objective: str, deadline: date, today: date) -> None:
    """Raise `Refused` if the deadline of an objective has passed when it is proposed (C8)."""
    if deadline < today:
        raise Refused(
            "deadline-has-passed",
            f"An objective must have a deadline that is still to come. That of {objective} is "
            f"{deadline}; today is {today}.",
            "Give a deadline of today or later.",
        )
