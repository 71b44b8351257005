"""A metric that both parties define is used like one of the catalogue (C8, C19)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.charter import Objective, ObjectiveStatus
from domain.formation import (
    AgreeCharter,
    AgreeDecisionRule,
    ProposeCharter,
    ProposeDecisionRule,
)
from domain.kernel import Stage
from domain.metric_catalogue import Direction, Unit
from domain.own_metric import AgreeMetric, MetricAgreed, ProposeMetric
from domain.priors import AgreePrior, Prior, ProposePrior
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sharing import Form
from projections.figures import with_posteriors
from projections.objectives import objectives
from tests.life import CHARTER, OURS, THEIRS, at, changed
from tests.projections.folds import alerts, line
from tests.projections.folds import figures as kpis
from tests.projections.test_visibility import agree_sharing, lines, shared_line
from tests.stories import Story

HOURS_SAVED = ProposeMetric(
    proposal="own-1",
    metric="hours_saved",
    description="Hours that consultants save with the tool",
    unit=Unit.HOURS,
    better=Direction.UP,
    frequency="monthly",
    owner=THEIRS,
    source="The consultants' time sheets",
)
ON_TIME = changed(
    HOURS_SAVED,
    proposal="own-2",
    metric="on_time_share",
    unit=Unit.PERCENT,
    numerator="set-ups on time",
    denominator="set-ups",
    of_trials=True,
)


def defined(
    definition: Any = HOURS_SAVED,  # noqa: ANN401 - made
    *,
    stage: Stage = Stage.EXECUTION,
) -> Story:
    """A partnership whose parties agreed a metric of their own."""
    story = at(stage)
    story.when(OURS, definition)
    story.when(THEIRS, AgreeMetric(proposal=definition.proposal))
    return story


def own(story: Story) -> list[MetricAgreed]:
    """The definitions of the story's own metric."""
    return [each for each in story.facts(MetricAgreed) if each.metric == "hours_saved"]


def hours(value: int) -> ReportedFigure:
    return ReportedFigure(unit="hours", value=Decimal(value))


def reported(
    story: Story, period: str, figure: ReportedFigure, metric: str = "hours_saved"
) -> None:
    story.when(THEIRS, ReportMetric(metric=metric, period=period, tool="sheets", figure=figure))


def test_only_what_both_agreed_can_be_reported() -> None:
    story = at(Stage.EXECUTION)
    report = ReportMetric(metric="hours_saved", period="2025-12", tool="sheets", figure=hours(4))

    story.when(OURS, HOURS_SAVED)
    refusal = story.refuses(THEIRS, report)
    assert refusal.rule == "unknown-metric"
    assert "ProposeMetric" in refusal.hint

    story.when(THEIRS, AgreeMetric(proposal="own-1"))
    story.when(THEIRS, report)
    assert line(story, "hours_saved", "2025-12").value == 4


def test_neither_party_defines_a_metric_alone() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, HOURS_SAVED)

    assert story.refuses(OURS, AgreeMetric(proposal="own-1")).rule == "own-proposal"
    assert own(story) == []


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"metric": "leads"}, "metric-of-the-catalogue"),
        ({"owner": "stranger"}, "unknown-party"),
        ({"numerator": "set-ups on time"}, "metric-parts"),
        ({"of_trials": True}, "metric-parts"),
    ],
)
def test_a_definition_has_a_name_of_its_own_an_owner_and_whole_parts(
    wrong: dict[str, object], rule: str
) -> None:
    assert at(Stage.EXECUTION).refuses(OURS, changed(HOURS_SAVED, **wrong)).rule == rule


def test_a_definition_can_be_agreed_again_and_keeps_its_meaning() -> None:
    story = defined()
    again = changed(HOURS_SAVED, proposal="own-3", owner=OURS, frequency="quarterly")

    refusal = story.refuses(OURS, changed(again, better=Direction.DOWN))
    story.when(OURS, again)
    story.when(THEIRS, AgreeMetric(proposal="own-3"))

    assert refusal.rule == "metric-changes-meaning"
    assert [each.agreed_version for each in own(story)] == [1, 2]


def test_its_figures_have_its_unit_and_add_up_as_it_says() -> None:
    story = defined()
    dollars = ReportedFigure(unit="USD", value=Decimal(4))
    report = ReportMetric(metric="hours_saved", period="2025-10", tool="sheets", figure=dollars)
    assert story.refuses(THEIRS, report).rule == "wrong-unit"

    for period, value in (("2025-10", 30), ("2025-11", 12)):
        reported(story, period, hours(value))

    quarter = line(story, "hours_saved", "2025-Q4")
    assert quarter.value == 42
    assert (quarter.unit, quarter.direction) == ("hours", Direction.UP)
    change = line(story, "hours_saved", "2025-11").change
    assert change is not None
    assert change.difference == -18


def test_a_level_of_their_own_is_the_last_one() -> None:
    story = defined(changed(HOURS_SAVED, several="last"))
    for period, value in (("2025-10", 30), ("2025-11", 12)):
        reported(story, period, hours(value))

    assert line(story, "hours_saved", "2025-Q4").value == 12


def test_an_objective_is_measured_by_it() -> None:
    story = defined(stage=Stage.FORMATION)
    objective = Objective(
        objective="save-hours",
        metric="hours_saved",
        baseline=Decimal(0),
        unit="hours",
        target=Decimal(120),
        deadline=date(2026, 12, 31),
        method="Summed over consultants",
        frequency="monthly",
        tool="sheets",
    )
    charter = changed(CHARTER, objectives=[objective])
    story.when(OURS, ProposeCharter(proposal="own-charter", charter=charter))
    story.when(THEIRS, AgreeCharter(proposal="own-charter"))
    reported(story, "2025-11", hours(130))

    (progress,) = objectives(kpis(story), date(2025, 12, 1))

    assert progress.value == 130
    assert progress.status is ObjectiveStatus.MET
    assert progress.text == "hours saved: 130 of 120 hours by 2026-12-31."


def test_a_rule_is_judged_by_it() -> None:
    story = defined()
    rule = DecisionRule(
        rule="hours-floor",
        metric="hours_saved",
        window=Window.MONTH,
        comparison=RuleComparison.BELOW,
        threshold=Decimal(10),
        action=Action.NOTIFY,
    )
    story.when(OURS, ProposeDecisionRule(proposal="own-rule", rule=rule))
    story.when(THEIRS, AgreeDecisionRule(proposal="own-rule"))
    story.on("2026-03-01")
    reported(story, "2026-02", hours(4))
    story.on("2026-04-15")

    (alert,) = (each for each in alerts(story).values() if each.rule == "hours-floor")
    assert alert.text == (
        "Hours saved came to 4 hours in February 2026. Both agreed: not below 10 hours."
    )


def test_a_share_of_their_own_has_a_prior_and_a_credible_interval() -> None:
    story = defined(ON_TIME)
    prior = Prior(metric="on_time_share", successes=8, failures=2, source="Last year's set-ups")
    story.when(OURS, ProposePrior(proposal="own-prior", prior=prior))
    story.when(THEIRS, AgreePrior(proposal="own-prior"))
    ratio = ReportedFigure(unit="percent", numerator=Decimal(45), denominator=Decimal(50))
    story.on("2026-04-01")
    reported(story, "2026-03", ratio, "on_time_share")

    rows = kpis(story)
    (found,) = with_posteriors(rows, [line(story, "on_time_share", "2026-03")])

    assert found.value == 90
    assert found.posterior is not None


def test_it_is_shared_line_by_line_and_small_figures_are_withheld() -> None:
    story = defined(changed(HOURS_SAVED, unit=Unit.COUNT, metric="set_ups"))
    agree_sharing(story, shared_line(THEIRS, OURS, ["set_ups"], Form.AGGREGATED))
    few = ReportedFigure(unit="count", value=Decimal(3))
    reported(story, "2025-12", few, "set_ups")

    seen = lines(story, OURS)["set_ups"]

    assert (seen.value, seen.note) == (None, "fewer than 10: not shown")
