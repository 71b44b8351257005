"""Once an exit took effect, only its settlement, its assets and its completion are left (C27)."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from domain.bilateral import ProposalLapsed
from domain.dispute import OpenDispute, ProposeResolution
from domain.execution import (
    AgreeCampaign,
    AgreeMilestone,
    AgreeOnboardingStep,
    DiagnoseRootCause,
    MilestoneMissed,
    ProposeAction,
    ProposeCampaign,
    ProposeCancellation,
    ProposeImprovementPlan,
    ProposeImprovementPlanOutcome,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposeOnboardingStep,
    ProposeReview,
    ReachMilestone,
)
from domain.exit import (
    AgreeCompletion,
    ExitReason,
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCompletion,
    ProposeCure,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.formation import ProposeCharter
from domain.health import RecordHealthCheck
from domain.kernel import Command, Stage
from domain.partnership import PassTime
from domain.reported_figure import ReportMetric
from domain.settlement import ProposeAdjustment
from domain.terms import Cadence
from infra.answers import show
from infra.answers.inbox import Awaiting
from infra.answers.show import open_deadlines
from tests.infra.answers.inboxes import do, inbox
from tests.infra.answers.test_every_alert import recorded
from tests.infra.messages import message
from tests.life import CHARTER, OURS, THEIRS, at, before, changed, example
from tests.projections.folds import alerts, count
from tests.projections.money import amend
from tests.projections.test_figures_due import NEW_USERS
from tests.stories import Story, moment

EXIT_DAY = "2026-03-05"
CADENCE = Cadence(operational="monthly", strategic="quarterly", health_check="quarterly")


def leaving() -> Story:
    """Return one with every duty of a running partnership, which ends on 5 March by both."""
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 1, 6), cadence=CADENCE)
    ahead = date(2026, 4, 20)
    objective = changed(NEW_USERS, frequency="monthly", deadline=ahead)
    charter = changed(CHARTER, objectives=[objective])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    story.agree(OURS, example(ProposeMilestone, milestone="launch", proposal="m-9", due=ahead))
    story.agree(OURS, example(ProposeOnboardingStep, step="s-9", proposal="s-9", due=ahead))
    story.agree(OURS, example(ProposeAction, action="handover", proposal="a-9", due=ahead))
    story.when(OURS, example(DiagnoseRootCause))
    story.agree(OURS, example(ProposeImprovementPlan, plan="better", deadline=ahead))
    story.on("2026-03-02")
    for period in ("2026-01", "2026-02"):
        figure = ReportMetric(metric="new_users", period=period, tool="crm", figure=count(9))
        story.when(OURS, figure)
    exit_ = ProposeExit(exit="x-9", explanation="We part.", effective_on=date(2026, 3, 5))
    story.agree(OURS, exit_)
    return story


def since(story: Story, day: str) -> set[str]:
    """Return the alerts that opened on a day or later."""
    at_ = moment(f"{day}T00:00")
    return {f"{each.rule} {each.window}" for each in alerts(story).values() if each.since >= at_}


def asked(story: Story) -> set[str]:
    return {each.ref for each in inbox(story) if each.awaiting is not Awaiting.CLAIM}


def test_after_the_exit_no_review_figure_plan_or_rule_of_the_partnership_falls_due() -> None:
    story = leaving()

    story.on("2026-07-10")

    assert since(story, EXIT_DAY) == {
        f"exit-incomplete {EXIT_DAY}",
        "due-soon action/handover",
        "action-overdue handover",
    }
    assert asked(story) == {EXIT_DAY, "handover"}


def test_what_the_running_partnership_owed_is_given_up_on_the_day_of_the_exit() -> None:
    story = leaving()
    missed = alerts(story)["cadence-missed operational"]
    assert (missed.state, missed.until) == ("open", None)

    story.on(EXIT_DAY)

    missed = alerts(story)["cadence-missed operational"]
    assert (missed.state, missed.ended) == ("resolved", "The exit took effect on 2026-03-05.")
    assert asked(story) == {EXIT_DAY, "handover"}


def test_what_an_exit_that_is_ahead_gives_up_is_neither_next_nor_in_an_inbox() -> None:
    story = leaving()

    named = {each.ref for each in open_deadlines(story.partnership)}
    assert named == {"handover", EXIT_DAY, "2026-03"}
    assert asked(story) == {"handover", "operational"}

    withdrawal = ProposeExitWithdrawal(proposal="w-9", exit="x-9", explanation="We go on.")
    story.agree(OURS, withdrawal)

    again = {each.ref for each in open_deadlines(story.partnership)}
    assert again > {"handover", "launch", "s-9", "better", NEW_USERS.objective}
    assert asked(story) > {"launch", "s-9", "better"}


def test_nobody_is_reminded_of_a_day_that_comes_after_the_exit() -> None:
    story = at(Stage.EXECUTION)
    for name, day in (("last", date(2026, 3, 4)), ("late", date(2026, 3, 5))):
        story.agree(OURS, example(ProposeMilestone, milestone=name, proposal=name, due=day))
    story.agree(OURS, ProposeExit(exit="x-9", explanation="a", effective_on=date(2026, 3, 5)))

    story.on("2026-03-04T23:00")

    reminded = {name for name in alerts(story) if name.startswith("due-soon milestone")}
    assert reminded == {"due-soon milestone/last"}


def test_a_milestone_whose_last_day_is_that_of_the_partnership_is_missed_with_it() -> None:
    story = at(Stage.EXECUTION)
    due = date(2026, 3, 4)
    story.agree(OURS, example(ProposeMilestone, milestone="last", proposal="last", due=due))
    story.agree(OURS, ProposeExit(exit="x-9", explanation="a", effective_on=date(2026, 3, 5)))

    story.on("2026-03-05")

    assert [each.milestone for each in story.facts(MilestoneMissed)] == ["last"]
    assert alerts(story)["milestone-missed last"].state == "resolved"


def test_a_figure_of_a_month_that_was_over_before_the_exit_stays_due() -> None:
    story = at(Stage.EXECUTION)
    objective = changed(NEW_USERS, frequency="monthly")
    charter = changed(CHARTER, objectives=[objective])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    story.on("2026-03-02")
    story.agree(OURS, ProposeExit(exit="x-9", explanation="a", effective_on=date(2026, 3, 5)))

    story.on("2026-06-01")

    figures = {name for name in since(story, "2026-02-01") if name.startswith("figure-overdue")}
    assert figures == {
        "figure-overdue new_users/-/2026-01",
        "figure-overdue new_users/-/2026-02",
    }


def test_a_breach_is_not_cured_after_the_exit_that_it_led_to() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(GiveBreachNotice, breach="late"))
    story.on("2026-02-10")
    leave = example(GiveExitNotice, reason=ExitReason.BREACH, breach="late")
    story.when(OURS, changed(leave, effective_on=date(2026, 3, 5)))
    story.when(THEIRS, example(GiveBreachNotice, breach="ahead"))
    story.when(OURS, example(ProposeCure, proposal="done", breach="ahead"))

    story.on(EXIT_DAY)

    of_breaches = {
        f"{each.rule} {each.window}": each.ended
        for each in alerts(story).values()
        if each.rule.startswith("breach")
    }
    took_effect = f"The exit took effect on {EXIT_DAY}."
    assert of_breaches == dict.fromkeys(
        ("breach-notice late", "breach-not-cured late", "breach-notice ahead"), took_effect
    )
    assert asked(story).isdisjoint({"late", "ahead", "done"})
    assert not [each for each in story.partnership.deadlines.values() if each.kind == "cure"]
    [lapsed] = story.facts(ProposalLapsed)
    assert (lapsed.proposal, lapsed.reason) == ("done", took_effect)


def test_the_exit_ends_the_proposals_on_what_it_gives_up_and_leaves_the_others_open() -> None:
    story = leaving()
    of_both = example(ProposeMilestone, milestone="launch", owner=None, proposal="m-10")
    story.agree(OURS, changed(of_both, due=date(2026, 4, 20), reason="Both own it."))
    story.on("2026-03-04")
    story.when(OURS, example(ProposeImprovementPlanOutcome, plan="better", proposal="closed"))
    story.when(OURS, ProposeMilestoneReached(proposal="reached", milestone="launch"))
    for kind, ref in (("step", "s-9"), ("action", "handover")):
        given_up = ProposeCancellation(proposal=f"no-{kind}", kind=kind, ref=ref, reason="We part.")
        story.when(OURS, given_up)

    story.on(EXIT_DAY)

    lapsed = {each.proposal: each.reason for each in story.facts(ProposalLapsed)}
    took_effect = f"The exit took effect on {EXIT_DAY}."
    assert lapsed == dict.fromkeys(("closed", "reached", "no-step"), took_effect)
    assert asked(story) == {EXIT_DAY, "handover", "no-action"}


def test_at_the_end_what_nobody_can_accept_any_more_lapses_and_the_rest_awaits_its_answer(
    tmp_path: Path,
) -> None:
    story = before(AgreeCompletion)
    dispute = example(OpenDispute, dispute="Q-9", subject=None, amount=None)
    story.when(OURS, example(ProposeReview, proposal="r-9", review="last"))
    story.when(OURS, example(ProposeAdjustment, proposal="sum-9"))
    story.when(OURS, dispute)
    story.when(OURS, example(ProposeResolution, dispute="Q-9", proposal="word-9"))
    story.when(OURS, ProposeCompletion(proposal="end-9"))
    still_open = {"sum-9", "word-9"}

    story.when(THEIRS, AgreeCompletion(proposal="end-1"))

    ended = [each for each in story.facts(ProposalLapsed) if "ended" in each.reason]
    assert {each.proposal for each in ended} == {"r-9", "end-9"}
    with recorded(tmp_path, story) as accord:
        shown = show.ask(accord, story.id).proposals
    assert {each.proposal for each in shown if each.state == "open"} == still_open
    story.wait(days=15)
    overdue = {each.window for each in alerts(story).values() if each.state == "open"}
    assert overdue >= {"Adjustment/sum-9", "Resolution/word-9/dispute/Q-9"}
    awaiting = [each for each in inbox(story, THEIRS) if each.awaiting is Awaiting.CONSENT]
    assert {each.ref for each in awaiting} == still_open
    for each in awaiting:
        do(story, each)
    assert not [each for each in inbox(story) if each.ref in {*still_open, "Q-9"}]


def test_a_scorecard_after_the_exit_asks_for_no_next_one() -> None:
    story = leaving()
    story.on("2026-03-10")
    story.when(OURS, example(RecordHealthCheck, period="2026-Q1"))

    story.on("2026-09-30")

    assert not [name for name in since(story, EXIT_DAY) if name.startswith("cadence-missed")]


def test_until_the_exit_takes_effect_everything_is_still_owed() -> None:
    story = leaving()
    story.on("2026-03-04")

    assert alerts(story)["cadence-missed operational"].state == "open"
    assert "operational" in asked(story)


def test_what_was_done_before_the_exit_and_is_recorded_after_it_withdraws_its_alert() -> None:
    story = at(Stage.EXECUTION)
    due = date(2026, 2, 1)
    story.agree(OURS, example(ProposeMilestone, milestone="launch", proposal="m-9", due=due))
    story.on("2026-03-02")
    story.agree(OURS, ProposeExit(exit="x-9", explanation="a", effective_on=date(2026, 3, 5)))
    story.on("2026-03-10")
    assert alerts(story)["milestone-missed launch"].state == "resolved"

    story.when(OURS, example(ReachMilestone, milestone="launch"), happened="2026-01-30")

    assert alerts(story)["milestone-missed launch"].state == "withdrawn"


IN_TIME, AFTER = date(2026, 3, 4), date(2026, 3, 10)
TOLD_LATE = [
    (proposal, accepts)
    for due in (IN_TIME, AFTER)
    for proposal, accepts in (
        (example(ProposeMilestone, milestone="late", proposal="p-1", due=due), AgreeMilestone),
        (example(ProposeOnboardingStep, step="late", proposal="p-1", due=due), AgreeOnboardingStep),
        (
            example(
                ProposeCampaign,
                campaign="late",
                proposal="p-1",
                first_day=date(2026, 3, 1),
                last_day=due,
            ),
            AgreeCampaign,
        ),
    )
]


@pytest.mark.parametrize(("proposal", "accepts"), TOLD_LATE)
def test_what_both_planned_before_the_exit_opens_no_alert_if_it_is_recorded_after_it(
    proposal: Command, accepts: Callable[..., Command]
) -> None:
    story = leaving()
    story.on("2026-03-06")
    story.when(OURS, proposal, happened="2026-03-01")
    story.when(THEIRS, accepts(proposal="p-1"), happened="2026-03-02")
    story.on("2026-04-01")

    late = {name: each.state for name, each in alerts(story).items() if "late" in name}
    assert late == {}
    assert "late" not in {each.ref for each in inbox(story)}


def test_a_proposal_that_is_recorded_after_the_exit_has_the_agreed_days_for_its_answer() -> None:
    story = leaving()
    story.on("2026-03-06")
    proposal, accepts = TOLD_LATE[0]
    story.when(OURS, proposal, happened="2026-03-01")

    (item,) = (each for each in inbox(story) if each.ref == "p-1")
    assert item.day == date(2026, 3, 20)
    assert story.when(THEIRS, accepts(proposal="p-1"), happened="2026-03-02")


def test_a_breach_of_which_notice_is_recorded_after_the_exit_opens_no_alert() -> None:
    story = leaving()
    story.on("2026-03-06")
    story.when(OURS, example(GiveBreachNotice, breach="b-9"), happened="2026-03-02")
    story.on("2026-06-01")

    assert not any("b-9" in name for name in alerts(story))


def test_an_exit_leaves_no_duty_overdue_in_a_store_whose_time_its_feed_gives(
    tmp_path: Path,
) -> None:
    told = leaving()
    told.when(OURS, example(GiveBreachNotice, breach="b-9"))
    with recorded(tmp_path, told) as accord:
        for at_ in ("2026-03-04", "2026-03-05", "2026-06-01"):
            (outcome,) = accord.service.handle([message(at_, PassTime(), at=at_)])
            assert outcome.status == "accepted"
        accord.catch_up()
        found = [row for _, row in accord.views.select("alerts", told.id, "")]

    kinds = {"milestone", "onboarding", "improvement", "breach", "cadence", "figure"}
    open_ = [each["rule"] for each in found if each.get("state") == "open"]
    assert "exit-incomplete" in open_
    assert not [each for each in open_ if each.partition("-")[0] in kinds]


def test_a_review_that_is_missed_again_is_overdue_since_the_first_day() -> None:
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))

    story.on("2026-05-20")

    (item,) = {each.day: each for each in inbox(story) if each.ref == "operational"}.values()
    alert = alerts(story)["cadence-missed operational"]
    assert (item.awaiting, item.day) == (Awaiting.OVERDUE, date(2026, 2, 6))
    assert alert.since == moment("2026-02-07T00:00")


def test_no_quarter_that_the_exit_cut_short_is_judged_by_the_referral_minimum() -> None:
    story = leaving()
    story.on("2026-07-10")
    assert not [name for name in since(story, "2026-01-01") if name.startswith("referral-minimum")]
