"""Health: contributions, health checks, agreements on data and targets, cadence (C13, C14, C22 to
C25)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from domain.charter import ObjectiveStatus
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.execution import (
    ActionCompleted,
    AgreeAction,
    AgreeImprovementPlanOutcome,
    CompleteAction,
    ProposeAction,
    ProposeReview,
    ProposeReviewHeld,
    ReviewHeld,
)
from domain.formation import ProposeCharter
from domain.health import (
    AgreeTarget,
    ContributionRecorded,
    HealthCheckRecorded,
    IdentifyRisk,
    ProposeRiskMitigated,
    ProposeTarget,
    RecordContribution,
    RecordHealthCheck,
    RiskIdentified,
)
from domain.kernel import Command, Event, Stage
from domain.renewal import ProposeAnnualReview
from domain.reported_figure import ReportedFigure
from domain.sharing import AgreeDataSharing, DataSharingAgreed, ProposeDataSharing
from domain.terms import Cadence
from projections.deadlines import DEADLINES, OVERDUE
from projections.fold import replay
from projections.objectives import objectives
from projections.timeline import words
from tests.life import CHARTER, OURS, STRANGER, THEIRS, adopted, after, at, before, changed, example
from tests.projections import folds
from tests.projections.folds import states
from tests.projections.money import amend, share
from tests.stories import Story

# --- facts of each side ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [RecordContribution, IdentifyRisk])
def test_contributions_and_risks_can_be_recorded_from_formation_on(
    command: type[RecordContribution],
) -> None:
    story = at(Stage.FORMATION)
    given = example(command)
    if isinstance(given, RecordContribution):
        given = changed(given, period="2025-11")

    assert story.when(OURS, given)
    assert story.partnership.stage is Stage.FORMATION


def test_a_risk_of_formation_can_be_mitigated_before_the_kickoff() -> None:
    story = at(Stage.FORMATION)
    story.when(OURS, example(IdentifyRisk))

    assert story.agree(THEIRS, example(ProposeRiskMitigated))


def test_each_side_records_what_it_gives() -> None:
    story = after(RecordContribution)
    ours = changed(example(RecordContribution), contribution="C-9", what="Two engineers")

    story.when(OURS, ours)

    given = story.partnership.context.declarations
    assert [each.what for each in given.of(ContributionRecorded, THEIRS)] == [
        "Training of our sales"
    ]
    assert [each.what for each in given.of(ContributionRecorded, OURS)] == ["Two engineers"]


def test_each_side_rates_a_quarter_once() -> None:
    story = after(RecordHealthCheck)
    check = example(RecordHealthCheck)

    assert story.when(OURS, check) == []
    assert story.when(THEIRS, changed(check, trust=2))
    assert story.refuses(OURS, changed(check, trust=2)).rule == "already-recorded"
    assert len(story.facts(HealthCheckRecorded)) == 2


@pytest.mark.parametrize("command", [ProposeRiskMitigated, CompleteAction])
def test_what_never_began_does_not_end(command: type) -> None:
    story = at(Stage.EXECUTION)

    assert story.refuses(OURS, example(command)).rule == "nothing-planned"


@pytest.mark.parametrize("command", [IdentifyRisk, ProposeAction])
def test_a_stranger_owns_nothing(command: type) -> None:
    story = before(command)

    assert story.refuses(OURS, changed(example(command), owner=STRANGER)).rule == "unknown-party"


# --- pacts -------------------------------------------------------------------------------------


def test_a_protocol_binds_once_the_other_agrees_and_a_new_one_takes_its_place() -> None:
    story = after(ProposeDataSharing)
    assert story.refuses(OURS, example(AgreeDataSharing)).rule == "own-proposal"
    assert story.partnership.context.agreements.of(DataSharingAgreed) == []
    story.when(THEIRS, example(AgreeDataSharing))

    story.when(OURS, changed(example(ProposeDataSharing), proposal="sharing-2", lines=[]))
    story.when(THEIRS, AgreeDataSharing(proposal="sharing-2"))

    (protocol,) = story.partnership.context.agreements.of(DataSharingAgreed)
    assert (protocol.lines, protocol.agreed_version) == ([], 2)


def test_a_protocol_names_metrics_that_exist() -> None:
    story = before(ProposeDataSharing)
    line = example(ProposeDataSharing).lines[0]
    command = changed(example(ProposeDataSharing), lines=[changed(line, metrics=["smiles"])])

    assert story.refuses(OURS, command).rule == "unknown-metric"


def test_an_adjusted_target_is_what_the_objective_is_measured_by() -> None:
    story = before(ProposeTarget)
    folds.report(story, "new_users", "2026-03", ReportedFigure(unit="count", value=Decimal(8000)))

    def rated() -> tuple[Decimal | int, ObjectiveStatus]:
        found = objectives(folds.figures(story), story.now.date())
        (line,) = [each for each in found if each.objective.objective == "new-users"]
        return line.objective.target, line.status

    assert rated() == (10_000, ObjectiveStatus.ON_TRACK)
    story.when(OURS, example(ProposeTarget))
    assert rated() == (10_000, ObjectiveStatus.ON_TRACK)
    story.when(THEIRS, AgreeTarget(proposal="target-1"))

    assert rated() == (8000, ObjectiveStatus.MET)


def test_only_an_objective_of_the_charter_has_a_target_to_adjust() -> None:
    story = before(ProposeTarget)

    refused = story.refuses(OURS, example(ProposeTarget, objective="new-planets"))

    assert refused.rule == "no-such-objective"
    assert refused.facts["known"] == [each.objective for each in CHARTER.objectives]
    assert "new-planets" in refused.detail
    assert "new-users" in refused.hint


def test_an_adjusted_target_is_no_worse_than_the_baseline_and_its_day_is_still_to_come() -> None:
    story = before(ProposeTarget)
    worse, past = Decimal(-1), story.now.date() - timedelta(days=1)

    assert (
        story.refuses(OURS, example(ProposeTarget, target=worse)).rule == "target-behind-baseline"
    )
    assert story.refuses(OURS, example(ProposeTarget, deadline=past)).rule == "deadline-has-passed"


def test_a_target_is_not_agreed_once_its_day_is_over() -> None:
    story = before(ProposeTarget)
    today = story.now.date()
    story.when(OURS, example(ProposeTarget, deadline=today))
    story.on(f"{today + timedelta(days=1)}")

    assert story.refuses(THEIRS, AgreeTarget(proposal="target-1")).rule == "proposal-lapsed"


def test_a_target_of_a_charter_that_was_replaced_is_not_agreed() -> None:
    story = before(ProposeTarget)
    story.when(OURS, example(ProposeTarget))
    story.agree(OURS, changed(example(ProposeCharter), proposal="charter-2"))

    assert story.refuses(THEIRS, AgreeTarget(proposal="target-1")).rule == "proposal-lapsed"


# --- reviews in time ---------------------------------------------------------------------------


def with_cadence(**cadence: str) -> Story:
    story = at(Stage.EXECUTION)
    agreed = Cadence.model_validate(cadence)
    amend(story, share(), since=date(2026, 1, 6), until=None, cadence=agreed)
    return story


def passed(events: list[Event], kind: DeadlineKind) -> list[str]:
    return [each.ref for each in events if isinstance(each, DeadlinePassed) and each.kind is kind]


def reminded(events: list[Event]) -> list[str]:
    return [each.ref for each in events if isinstance(each, ReminderGiven)]


def hold(story: Story, name: str, kind: str = "operational") -> None:
    fields = {"proposal": name, "review": name, "kind": kind, "at": story.now}
    story.agree(OURS, changed(example(ProposeReview), **fields))
    held = ProposeReviewHeld(proposal=f"{name}-held", review=name, minutes="As it should be.")
    story.agree(OURS, held)


def test_without_an_agreed_cadence_no_review_is_missed() -> None:
    assert passed(at(Stage.EXECUTION).on("2026-12-31"), DeadlineKind.CADENCE) == []


def test_a_week_without_an_operational_review_passes_its_deadline() -> None:
    story = with_cadence(operational="weekly")

    assert passed(story.on("2026-01-13T23:59"), DeadlineKind.CADENCE) == []
    events = story.on("2026-01-14T00:00")
    assert passed(events, DeadlineKind.CADENCE) == ["operational"]
    assert states(story)["cadence-missed operational"] == "open"
    story.on("2026-01-14")
    hold(story, "late")

    assert states(story)["cadence-missed operational"] == "resolved"
    assert passed(story.on("2026-01-21T23:59"), DeadlineKind.CADENCE) == []
    assert passed(story.on("2026-01-22T00:00"), DeadlineKind.CADENCE) == ["operational"]


def test_a_business_review_counts_as_a_strategic_one() -> None:
    story = with_cadence(strategic="quarterly")
    story.on("2026-03-31")

    hold(story, "qbr", "quarterly-business-review")

    assert passed(story.on("2026-06-30"), DeadlineKind.CADENCE) == []
    assert passed(story.on("2026-07-01"), DeadlineKind.CADENCE) == ["strategic"]


def test_an_amendment_that_ends_a_cadence_expects_no_more_reviews() -> None:
    story = with_cadence(operational="weekly")
    amend(story, share(), since=date(2026, 1, 8), cadence=Cadence(operational="none"))
    amend(story, share("9"), since=date(2026, 1, 9))

    assert passed(story.on("2026-03-01"), DeadlineKind.CADENCE) == []


@pytest.mark.parametrize(
    "later",
    [
        Cadence(operational="weekly", health_check="quarterly"),
        Cadence(strategic="quarterly"),
    ],
)
def test_terms_that_repeat_a_cadence_or_change_another_do_not_make_up_for_what_was_missed(
    later: Cadence,
) -> None:
    story = with_cadence(operational="weekly", health_check="quarterly")
    story.on("2026-04-20")
    missed = {name for name, state in states(story).items() if state == "open"}
    assert "cadence-missed operational" in missed
    assert f"cadence-missed health_check/{OURS}" in missed
    due = replay(DEADLINES, story.history).rows[OVERDUE]

    amend(story, since=date(2026, 4, 21), cadence=later)

    still = {name for name, state in states(story).items() if state == "open"}
    assert still == missed
    assert replay(DEADLINES, story.history).rows[OVERDUE] == due


def test_another_cadence_closes_the_alert_on_the_reviews_that_it_is_of() -> None:
    story = with_cadence(operational="weekly", strategic="monthly")
    story.on("2026-03-20")
    assert states(story)["cadence-missed operational"] == "open"
    assert states(story)["cadence-missed strategic"] == "open"

    amend(story, since=date(2026, 3, 21), cadence=Cadence(operational="monthly"))

    assert states(story)["cadence-missed operational"] == "resolved"
    assert states(story)["cadence-missed strategic"] == "open"
    passed_ = replay(DEADLINES, story.history).rows[OVERDUE].passed
    assert [each.ref for each in passed_ if each.kind is DeadlineKind.CADENCE] == ["strategic"]


def test_both_are_reminded_of_a_review_48_hours_before_it() -> None:
    story = at(Stage.EXECUTION)
    at_ten = datetime(2026, 1, 30, 10, tzinfo=UTC)
    story.agree(OURS, changed(example(ProposeReview), at=at_ten))

    assert reminded(story.on("2026-01-28T09:59")) == []
    assert reminded(story.on("2026-01-28T10:00")) == ["operations-1"]
    assert states(story) == {"due-soon review/operations-1": "open"}
    story.on("2026-01-30T12:00")
    story.agree(OURS, example(ProposeReviewHeld, recorded_with_consent=True))

    assert states(story) == {"due-soon review/operations-1": "resolved"}
    assert story.facts(ReviewHeld)[0].recorded_with_consent


def test_an_action_that_is_not_done_by_its_day_is_overdue_until_it_is() -> None:
    story = after(AgreeAction)

    assert passed(story.on("2026-02-10T23:59"), DeadlineKind.ACTION) == []
    assert passed(story.on("2026-02-11T00:00"), DeadlineKind.ACTION) == ["A-1"]
    assert states(story)["action-overdue A-1"] == "open"
    story.when(THEIRS, example(CompleteAction))

    assert states(story)["action-overdue A-1"] == "resolved"
    assert len(story.facts(ActionCompleted)) == 1


def test_an_improvement_plan_is_looked_at_once_its_time_is_over() -> None:
    story = before(AgreeImprovementPlanOutcome)
    story.on("2026-04-01")
    assert states(story)["improvement-due plan-1"] == "open"

    story.when(THEIRS, example(AgreeImprovementPlanOutcome))

    assert states(story)["improvement-due plan-1"] == "resolved"


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        (RecordHealthCheck, {"period": "2027-Q1"}),
        (ProposeAnnualReview, {"year": 2027}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_nothing_is_stated_of_a_period_that_has_not_begun(
    command: type[Command], changes: dict[str, object]
) -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-12-30")

    refusal = story.refuses(OURS, example(command, **changes))
    story.on("2027-01-01")
    ahead = story.refuses(OURS, example(command, **changes), happened="2026-12-31T10:00")

    assert refusal.rule == ahead.rule == "period-not-begun"
    assert "begins on 2027-01-01; this is of 2026-12-30" in refusal.detail
    assert story.when(OURS, example(command, **changes))


@pytest.mark.parametrize(
    ("command", "field", "early", "first", "ended"),
    [
        (RecordHealthCheck, "period", "2025-Q3", "2025-Q4", "2025-09-30"),
        (ProposeAnnualReview, "year", 2024, 2025, "2024-12-31"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_no_period_that_ended_before_the_agreement_began_is_rated_or_reviewed(
    command: type[Command], field: str, early: str | int, first: str | int, ended: str
) -> None:
    story = at(Stage.EXECUTION)

    refusal = story.refuses(OURS, example(command, **{field: early}))

    assert (refusal.rule, refusal.facts["field"]) == ("period-before-agreement", field)
    assert f"ended on {ended}; the agreement began on 2025-11-14" in refusal.detail
    assert refusal.hint == "Name the period of 2025-11-14, or a later one."
    assert story.when(OURS, example(command, **{field: first}))


def test_an_adopted_partnership_is_reviewed_for_every_year_in_which_it_ran() -> None:
    story = adopted()
    began = story.partnership.context.terms.began
    assert began is not None

    def of_year(year: int) -> ProposeAnnualReview:
        return example(ProposeAnnualReview, proposal=f"of-{year}", year=year)

    assert story.refuses(OURS, of_year(began.year - 1)).rule == "period-before-agreement"
    assert story.when(OURS, of_year(began.year))


def test_a_mistyped_quarter_leaves_the_alert_on_a_low_rating_open() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(RecordHealthCheck, trust=1, communication=1, value_delivery=1))

    story.refuses(OURS, example(RecordHealthCheck, period="2062-Q1"))

    assert "open" in [state for each, state in states(story).items() if "health-low" in each]


def test_a_risk_has_a_kind_and_only_its_author_changes_it() -> None:
    """What kind of risk it is says who can do something about it (C25)."""
    story = at(Stage.EXECUTION)
    risk = changed(example(IdentifyRisk), risk="one-source", kind="dependency", owner=None)
    story.when(OURS, risk)

    other = changed(risk, kind="financial", change_reason="It is the money.")
    assert story.refuses(THEIRS, other).rule == "risk-described-by-another"
    story.when(OURS, other)

    said = [words(each) for each in story.facts(RiskIdentified)]
    assert said[0].startswith("identified risk one-source (dependency): ")
    assert said[1].startswith("identified risk one-source (financial): ")


def test_a_review_says_whose_sponsors_took_part() -> None:
    story = at(Stage.EXECUTION)
    held = ProposeReviewHeld(
        proposal="held-9", review="q1", kind="strategic", minutes="All is well.", sponsors=[THEIRS]
    )
    stranger = changed(held, sponsors=["stranger"])
    assert story.refuses(OURS, stranger).rule == "unknown-party"

    story.agree(OURS, held)

    (said,) = (words(each) for each in story.facts(ReviewHeld))
    assert said.endswith(f"held review q1: All is well. The sponsor of {THEIRS} took part.")
