"""The charter: SMART objectives that both parties sign, and what they expect of it all (C8)."""

from typing import Annotated, Literal

from pydantic import Field

from domain.kernel import Refused, Value
from domain.metric_catalogue import CATALOGUE
from domain.terms import check_parties
from domain.values import Day, Number, Slug, Text

FIRST_KPIS = range(3, 6)
"""Three to five KPIs to begin with; another number is a warning, not a refusal (C8)."""


class Objective(Value):
    """A SMART objective (C8)."""

    objective: Slug
    metric: Slug
    baseline: Number
    unit: Text
    target: Number
    deadline: Day
    method: Text
    """How it is measured."""
    frequency: Literal["weekly", "monthly", "quarterly"]
    tool: Text
    """Where the figures come from."""


class Expectations(Value):
    """What the parties expect of speed, investment and patience (C8)."""

    speed: Text
    investment: Text
    patience: Text


class Charter(Value):
    """What both want, measurably (C8)."""

    purpose: Text
    goals: dict[Slug, Text]
    """Each party's own goals."""
    expectations: Expectations
    objectives: Annotated[list[Objective], Field(min_length=1)]

    def warnings(self) -> list[str]:
        """Give what is unwise about it, though allowed (C8)."""
        count = len(self.objectives)
        return [] if count in FIRST_KPIS else [f"{count} objectives; 3 to 5 are advised (C8)"]


def check(charter: Charter, parties: tuple[str, ...]) -> None:
    """Raise `Refused` where a charter names strangers, or what cannot be measured (C8)."""
    check_parties(list(charter.goals), parties)
    for objective in charter.objectives:
        if objective.metric not in CATALOGUE:
            raise Refused(
                "unknown-metric",
                f"The objective {objective.objective} names {objective.metric}, "
                "which is not in the catalogue of metrics.",
                "Name a metric of the catalogue (accord schema --metrics lists them).",
            )
        unit = CATALOGUE[objective.metric].unit
        if not unit.takes(objective.unit):
            raise Refused(
                "wrong-unit",
                f"{objective.metric} is measured in {unit}, not in {objective.unit}.",
                f"Give baseline and target in {unit.example}.",
            )
