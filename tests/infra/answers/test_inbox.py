"""The inbox: what awaits each party, by day, with the event that does it (C22)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.adoption import AgreeAdoptionPart, PartnershipAdopted, parts_of
from domain.aggregates import command_types
from domain.agreement import ProposeTerms
from domain.bilateral import DeclineProposal, ProposalLapsed, WithdrawProposal
from domain.claims import ConfirmClaim
from domain.content import digest
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import AcceptResolution, OpenDispute, ProposeResolution
from domain.entry import RecordJointRevenue, ReverseEntry
from domain.execution import (
    AgreeImprovementPlan,
    AgreeMilestone,
    ProposeAction,
    ProposeCancellation,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposePause,
    ProposeReview,
    ProposeReviewHeld,
)
from domain.exit import (
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCure,
    ProposeDisposition,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.formation import DraftAgreement, SignAgreement
from domain.governance import ProposeGovernance
from domain.health import ProposeContribution, RecordHealthCheck
from domain.kernel import Command, Stage
from domain.payment import CorrectPayment
from domain.payouts import ReturnPayout
from domain.referral import AttributionProposed, CreateOpportunity, ProposeAttribution
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import WinDeal
from domain.settlement import IssueFinalSettlement, IssueStatement
from domain.standing_alerts import DUE_SOON, STATEMENT_OVERDUE
from domain.terms import Cadence, Trigger
from domain.values import instant
from infra.answers import inbox as answer
from infra.answers.inbox import Awaiting, EventToSend, InboxItem
from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.answers.show import open_deadlines
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections import ALERTS
from projections.alerts import Alert
from projections.fold import Folded, fold
from projections.visibility import Viewer
from tests.feeds import played, simulated
from tests.infra.answers.inboxes import do, given_too_many_days, inbox, other_days, types
from tests.infra.messages import from_steps, message
from tests.life import (
    ADOPTION,
    EXAMPLES,
    LIFE,
    OURS,
    SECTIONS,
    THEIRS,
    after,
    at,
    before,
    changed,
    example,
    usd,
)
from tests.projections.folds import alerts, count, running, states
from tests.projections.money import amend, pay, refer, share, under
from tests.projections.test_awaited import JOINT, both_claim, clicks, sold, theirs_paid
from tests.projections.test_figures_differ import by_months_and_by_quarter, ruled, said
from tests.stories import Story

CONSULTING = "growthos-consulting"


def awaiting(story: Story, party: str) -> list[tuple[str, str]]:
    return [(each.awaiting.value, each.ref) for each in inbox(story, party)]


def test_what_both_own_is_in_the_inbox_of_both_until_one_says_that_it_is_done() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, example(ProposeMilestone, owner=None, milestone="launch"))
    mine, theirs = inbox(story)
    assert [each.party for each in (mine, theirs)] == [OURS, THEIRS]
    assert types(mine) == types(theirs) == ["ProposeMilestoneReached"]

    do(story, mine)

    (item,) = inbox(story)
    assert (item.party, types(item)) == (THEIRS, ["AgreeMilestoneReached", "DeclineProposal"])
    do(story, item, 1)
    mine, theirs = inbox(story)
    do(story, theirs)
    (item,) = inbox(story)
    assert item.party == OURS
    do(story, item)
    assert inbox(story) == []


# --- consent -----------------------------------------------------------------------------------


def test_a_proposal_awaits_the_other_party_until_it_is_answered() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeGovernance, proposal="g-2", decision_rights="Sponsors decide."))

    (item,) = inbox(story)

    assert (item.party, item.awaiting, item.day) == (THEIRS, Awaiting.CONSENT, date(2026, 1, 19))
    agree, decline = item.events
    assert (agree.type, agree.data, agree.missing) == (
        "accord.AgreeGovernance",
        {"proposal": "g-2", "content": digest(story.history[-1].event)},
        (),
    )
    assert (decline.type, decline.missing) == ("accord.DeclineProposal", ("reason",))
    do(story, item)
    assert inbox(story) == []


def test_a_proposal_and_a_draft_say_by_when_they_were_to_be_answered() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeGovernance, proposal="g-2", decision_rights="Sponsors decide."))
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="Each has two managers.")))
    story.on("2026-01-20")

    found = [each for each in inbox(story, THEIRS) if each.awaiting is Awaiting.CONSENT]

    assert [each.day for each in found] == [date(2026, 1, 19)] * 2
    assert all(each.text.endswith("The answer was due by 2026-01-19.") for each in found)


def test_a_proposal_that_lapses_sooner_is_answered_by_that_day() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeExit, effective_on=date(2026, 1, 10)))

    (item,) = inbox(story, THEIRS)

    assert item.day == date(2026, 1, 10)


def test_the_cure_of_a_breach_awaits_the_party_that_its_alerts_name() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(GiveBreachNotice))

    def acting() -> set[str]:
        """Return the parties that act on the breach, once its inbox and its alerts agree."""
        asked = {each.party for each in inbox(story)}
        named = [each for name, each in alerts(story).items() if name.endswith("breach-1")]
        opened = [each for each in named if each.state == "open"]
        assert opened
        for each in opened:
            assert {who.party for who in each.who_acts} == asked
        return asked

    assert acting() == {THEIRS}
    story.when(THEIRS, example(ProposeCure, proposal="cure-1", breach="breach-1"))
    assert acting() == {OURS}
    story.when(OURS, DeclineProposal(proposal="cure-1", reason="The page is still there."))
    assert acting() == {THEIRS}
    story.when(THEIRS, example(ProposeCure, proposal="cure-2", breach="breach-1"))
    story.on("2026-02-05")
    named = [each for each in alerts(story).values() if each.rule == "breach-not-cured"]
    assert [[who.party for who in each.who_acts] for each in named] == [[OURS]]


def test_a_proposal_that_was_declined_or_withdrawn_awaits_nobody() -> None:
    for party, command in ((THEIRS, DeclineProposal), (OURS, WithdrawProposal)):
        story = at(Stage.EXECUTION)
        story.when(OURS, example(ProposeGovernance, proposal="g-2"))
        story.when(party, command(proposal="g-2", reason="Not now."))
        assert inbox(story) == []


def test_a_draft_awaits_the_signature_of_each_party() -> None:
    story = at(Stage.EXECUTION)
    sections = changed(SECTIONS, roles="Each side has two managers.")
    story.when(OURS, DraftAgreement(sections=sections))
    assert awaiting(story, THEIRS) == [("consent", "agreement 2")]

    story.when(OURS, SignAgreement(agreement_version=2))

    assert awaiting(story, OURS) == []
    do(story, inbox(story)[0])
    assert inbox(story) == []


# --- what is due -------------------------------------------------------------------------------


def test_an_action_is_due_from_its_owner_then_overdue_then_done() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(ProposeAction, owner=OURS))
    assert [(each.party, each.awaiting, each.day) for each in inbox(story)] == [
        (OURS, Awaiting.DUE, date(2026, 2, 10))
    ]

    story.on("2026-02-11")

    (item,) = (each for each in inbox(story) if each.awaiting is Awaiting.OVERDUE)
    assert item.day == date(2026, 2, 10)
    do(story, item)
    assert {each.text.partition(" ")[0] for each in inbox(story)} == {"Report"}


def test_a_milestone_that_was_moved_is_due_on_its_new_day() -> None:
    story = after(AgreeMilestone)
    story.on("2026-01-21")
    moved = example(
        ProposeMilestone, proposal="moved", due=date(2026, 2, 2), reason="The printer is late."
    )
    assert awaiting(story, OURS) == [("overdue", "creative-final")]

    story.when(OURS, moved)
    story.when(THEIRS, AgreeMilestone(proposal="moved"))

    (item,) = inbox(story, OURS)
    assert (item.awaiting, item.day) == (Awaiting.DUE, date(2026, 2, 2))


def test_what_both_plan_is_listed_with_its_day_from_then_on() -> None:
    story = after(AgreeImprovementPlan)

    (plan,) = (each for each in inbox(story, OURS) if each.ref == "plan-1")

    assert (plan.awaiting, plan.day) == (Awaiting.DUE, date(2026, 3, 31))


def test_what_comes_round_by_itself_is_listed_from_its_reminder_on() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-02-04T23:00")
    assert [each for each in inbox(story) if each.ref == "operational"] == []

    story.on("2026-02-05T00:00")

    assert {each.day for each in inbox(story) if each.ref == "operational"} == {date(2026, 2, 6)}


def test_while_an_exit_is_ahead_the_inbox_offers_only_what_its_stage_takes() -> None:
    story = at(Stage.EXECUTION)
    cadence = Cadence(operational="monthly", health_check="quarterly")
    amend(story, share(), since=date(2026, 1, 6), until=None, cadence=cadence)
    story.when(OURS, example(GiveExitNotice))
    story.on("2026-08-01")
    stage = story.partnership.stage
    assert stage is Stage.EXIT

    offered = [event for each in inbox(story) for event in each.events]

    kinds = {command_types()[each.type.removeprefix("accord.")] for each in offered}
    assert RecordHealthCheck in kinds
    assert [each for each in kinds if stage not in each.stages] == []


def test_an_exit_that_took_effect_is_settled_and_completed_from_the_inbox() -> None:
    story = after(GiveExitNotice)
    ends_on = story.partnership.context.terms.exit
    story.on(f"{ends_on}")

    found = [each for each in inbox(story, OURS) if "exit" in each.text.lower()]

    assert [(each.awaiting, each.day) for each in found] == [(Awaiting.OVERDUE, ends_on)]
    assert types(found[0]) == ["IssueFinalSettlement", "ProposeDisposition"]

    story.when(OURS, example(IssueFinalSettlement))
    (item,) = (each for each in inbox(story, OURS) if each.ref == f"{ends_on}")
    assert types(item) == ["ProposeDisposition"]
    story.when(OURS, example(ProposeDisposition))
    assert [each for each in inbox(story) if each.ref == f"{ends_on}"] == []
    consents = [each for each in inbox(story, THEIRS) if each.awaiting is Awaiting.CONSENT]
    do(story, consents[-1])
    (item,) = (each for each in inbox(story, OURS) if each.ref == f"{ends_on}")
    assert types(item) == ["ProposeCompletion"]


def test_a_review_is_held_on_the_day_that_both_agreed_or_moved_to_another_before() -> None:
    story = at(Stage.EXECUTION)
    noon = datetime(2026, 3, 30, 12, tzinfo=UTC)
    story.agree(OURS, example(ProposeReview, review="r-1", kind="operational", at=noon))

    (item,) = (each for each in inbox(story, OURS) if each.ref == "r-1")

    assert item.text == "Hold review r-1, on 2026-03-30."
    assert types(item) == ["ProposeReview"]
    hold = example(ProposeReviewHeld, review="r-1")
    assert story.refuses(OURS, hold).rule == "before-its-day"

    story.on("2026-03-30T00:00")
    (item,) = (each for each in inbox(story, OURS) if each.ref == "r-1")
    assert types(item) == ["ProposeReviewHeld", "ProposeReview"]
    do(story, item)
    (consent,) = (each for each in inbox(story) if "r-1" in each.text)
    assert (consent.party, consent.awaiting) == (THEIRS, Awaiting.CONSENT)
    do(story, consent)
    assert [each for each in inbox(story) if "r-1" in f"{each.ref} {each.text}"] == []


def test_a_review_that_is_overdue_is_not_asked_for_twice() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-03-06")

    asked = [each for each in inbox(story, OURS) if each.ref == "operational"]

    assert [(each.awaiting, each.day) for each in asked] == [(Awaiting.OVERDUE, date(2026, 2, 6))]


def monthly() -> Story:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-02-05T00:00")
    return story


def refs(story: Story) -> set[tuple[str, str]]:
    """Return what awaits each party, but for the figures of the charter."""
    return {(each.party, each.ref) for each in inbox(story) if "/-/" not in each.ref}


def test_a_review_that_is_proposed_or_scheduled_in_time_is_not_asked_for_again() -> None:
    story = monthly()
    assert refs(story) == {(OURS, "operational"), (THEIRS, "operational")}

    noon = datetime(2026, 2, 6, 12, tzinfo=UTC)
    plan = example(ProposeReview, proposal="plan", review="r-1", kind="operational", at=noon)
    story.when(OURS, plan)
    assert refs(story) == {(THEIRS, "plan")}

    (item,) = (each for each in inbox(story, THEIRS) if each.ref == "plan")
    do(story, item)
    assert refs(story) == {(OURS, "r-1"), (THEIRS, "r-1")}

    story.on("2026-02-06T12:00")
    (item,) = (each for each in inbox(story, OURS) if each.ref == "r-1")
    name = do(story, item)
    assert refs(story) == {(THEIRS, name)}


def test_a_declined_review_is_asked_for_again_and_one_after_the_last_day_does_not_replace_it() -> (
    None
):
    story = monthly()
    late = datetime(2026, 2, 9, 12, tzinfo=UTC)
    plan = example(ProposeReview, proposal="plan", review="r-1", kind="operational", at=late)
    story.when(OURS, plan)
    story.when(THEIRS, DeclineProposal(proposal="plan", reason="It is too late."))
    assert refs(story) == {(OURS, "operational"), (THEIRS, "operational")}

    story.agree(OURS, plan.model_copy(update={"proposal": "plan-2"}))
    assert (OURS, "operational") in refs(story)

    story.on("2026-02-07T00:00")
    assert refs(story) == {(OURS, "r-1"), (THEIRS, "r-1")}


def test_minutes_without_a_kind_leave_the_audit_with_both() -> None:
    story = at(Stage.EXECUTION)
    cadence = Cadence(operational="monthly", audit="quarterly")
    amend(story, share(), since=date(2026, 1, 6), cadence=cadence)
    noon = datetime(2026, 4, 5, 12, tzinfo=UTC)
    story.agree(OURS, example(ProposeReview, review="r-1", kind="operational", at=noon))
    story.on("2026-04-05T12:00")
    asked = {each for each in refs(story) if each[1] == "audit"}
    assert asked == {(OURS, "audit"), (THEIRS, "audit")}

    story.when(OURS, example(ProposeReviewHeld, review="r-1", kind=None))

    assert {each for each in refs(story) if each[1] == "audit"} == asked


def test_a_scorecard_is_filled_in_and_an_audit_is_done() -> None:
    story = at(Stage.EXECUTION)
    cadence = Cadence(health_check="quarterly", audit="quarterly")
    amend(story, share(), since=date(2026, 1, 6), cadence=cadence)
    story.on("2026-04-05T12:00")

    texts = {each.text for each in inbox(story, OURS)}

    assert {"Fill in the next health check.", "Do the next audit."} <= texts


def test_a_day_offers_what_both_planned_for_it() -> None:
    story = at(Stage.EXECUTION)
    given = example(
        ProposeContribution,
        contribution="c-1",
        owner=THEIRS,
        period="2026-02",
        kind="time",
        what="Two days of a designer.",
    )
    story.agree(OURS, given)
    story.agree(OURS, example(ProposePause, pause="p-1", activity="Mailings."))
    noon = datetime(2026, 3, 30, 12, tzinfo=UTC)
    story.agree(OURS, example(ProposeReview, review="r-1", kind="strategic", at=noon))

    known = {
        event.type.removeprefix("accord."): event.data
        for each in inbox(story, THEIRS)
        for event in each.events
    }

    assert known["RecordContribution"] == {
        "contribution": "c-1",
        "period": "2026-02",
        "kind": "time",
        "what": "Two days of a designer.",
    }
    assert known["ProposePause"] == {"pause": "p-1", "activity": "Mailings."}
    assert known["ProposeReview"] == {"review": "r-1", "kind": "strategic"}


def test_the_decision_on_a_renewal_is_due_by_the_last_day_for_notice_and_never_overdue() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-10-02")
    assert "2028-11-02" not in [each.ref for each in inbox(story)]

    for day in ("2028-10-03", "2028-11-02"):
        story.on(day)
        found = [each for each in inbox(story) if each.ref == "2028-11-02"]
        assert [(each.party, each.awaiting, each.day) for each in found] == [
            (party, Awaiting.DUE, date(2028, 11, 2)) for party in (OURS, THEIRS)
        ]

    story.on("2028-11-03")
    assert "2028-11-02" not in [each.ref for each in inbox(story)]


def test_a_proposed_renewal_leaves_the_decision_with_the_other_party_until_it_is_agreed() -> None:
    story = at(Stage.RENEWAL)
    story.on("2028-10-03")
    story.when(OURS, example(ProposeRenewal, proposal="again"))

    due = [each for each in inbox(story) if each.ref == "2028-11-02"]
    assert [each.party for each in due] == [THEIRS]
    assert [event.type for event in due[0].events] == [
        "accord.ProposeRenewal",
        "accord.GiveExitNotice",
    ]

    (consent,) = (each for each in inbox(story) if each.ref == "again")
    do(story, consent)
    assert [each for each in inbox(story) if each.ref == "2028-11-02"] == []


def test_who_proposed_a_renewal_is_not_asked_for_it_again() -> None:
    story = before(HoldRenewalReview)
    story.when(OURS, example(HoldRenewalReview))
    story.when(THEIRS, example(ProposeRenewal, proposal="again"))

    assert [each.party for each in inbox(story) if each.ref == "renewal"] == [OURS]


def test_a_renewal_that_was_begun_and_declined_awaits_both_until_they_renew_or_leave() -> None:
    story = before(HoldRenewalReview)
    story.when(OURS, example(HoldRenewalReview))
    story.when(THEIRS, example(ProposeRenewal, proposal="no"))
    story.when(OURS, DeclineProposal(proposal="no", reason="Not in this form."))

    asked = [each for each in inbox(story) if each.ref == "renewal"]
    assert [(each.party, each.day) for each in asked] == [
        (OURS, story.now.date()),
        (THEIRS, story.now.date()),
    ]

    story.when(THEIRS, example(GiveExitNotice))
    assert [each for each in inbox(story) if each.ref == "renewal"] == []


def corrected() -> Story:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A typing error.")
    story.when(OURS, less)
    return story


def figure_corrected() -> Story:
    """Return a sale beside which the partner corrects a figure that no money depends on."""
    story = sold()
    figure = {"metric": "leads", "period": "2025-12", "tool": "ads"}
    story.when(OURS, ReportMetric(**figure, figure=count(40)))
    story.wait(hours=1)
    story.when(THEIRS, CorrectMetric(**figure, figure=count(30), reason="Ten came twice."))
    return story


def claimed() -> Story:
    story = sold()
    theirs_paid(story)
    return story


def test_who_proposed_to_move_what_is_due_waits_and_the_other_answers() -> None:
    story = running()
    planned = example(ProposeMilestone, owner=OURS)
    story.agree(OURS, planned)
    later = changed(planned, proposal="later", due="2026-02-20", reason="The files are late.")

    story.when(OURS, later)

    assert [each.ref for each in inbox(story, OURS)] == []
    assert "later" in {each.ref for each in inbox(story, THEIRS)}
    story.when(THEIRS, DeclineProposal(proposal="later", reason="No."))
    assert planned.milestone in {each.ref for each in inbox(story, OURS)}


@pytest.mark.parametrize(("ahead", "answer"), [(5, 5), (14, 14), (40, 14)])
def test_a_proposed_exit_has_one_last_day_for_its_answer_everywhere(
    ahead: int, answer: int
) -> None:
    story = at(Stage.EXECUTION)
    effective, last = (story.now.date() + timedelta(days=each) for each in (ahead, answer))
    story.when(OURS, example(ProposeExit, exit="x-9", effective_on=effective))
    story.on(f"{last}")

    (item,) = (each for each in inbox(story) if each.ref == "x-9")
    days = [each.last_day for each in open_deadlines(story.partnership) if "x-9" in each.ref]
    reminders = [each.text for name, each in alerts(story).items() if "Exit/x-9" in name]
    assert (item.day, days) == (last, [last])
    assert reminders == [f"The answer to proposal x-9 is due by {last}."]

    story.on(f"{last + timedelta(days=1)}")
    late = {name: each.state for name, each in alerts(story).items() if "Exit/x-9" in name}
    is_open = {"answer-overdue Exit/x-9": "open"} if answer < ahead else {}
    assert late == {"due-soon answer/Exit/x-9": "resolved"} | is_open


def last_days(story: Story, name: str) -> set[date]:
    """Return the last days of an answer, as the inbox and the list of open deadlines have them."""
    asked = {each.day for each in inbox(story) if each.ref == name}
    return asked | {
        each.last_day or each.due.date()
        for each in open_deadlines(story.partnership)
        if name in each.ref and each.kind is not DeadlineKind.CADENCE
    }


ENDED_BY_AN_EXIT = [
    example(ProposeAction, proposal="p-1", action="A-9"),
    ProposeCancellation(proposal="p-1", kind="milestone", ref="launch", reason="Not needed."),
    example(ProposeGovernance, proposal="p-1"),
]


@pytest.mark.parametrize(
    ("proposal", "is_first"),
    [
        *((each, is_first) for each in ENDED_BY_AN_EXIT for is_first in (True, False)),
        (example(ProposeExitWithdrawal, proposal="p-1", exit="soon"), False),
    ],
)
def test_an_exit_that_ends_a_proposal_gives_its_answer_the_day_before_everywhere(
    proposal: Command,
    is_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    story = with_launch()
    effective = story.now.date() + timedelta(days=5)
    if is_first:
        story.when(OURS, proposal)
        assert last_days(story, "p-1") == {story.now.date() + timedelta(days=14)}
    story.agree(OURS, example(ProposeExit, exit="soon", effective_on=effective))
    if not is_first:
        story.when(OURS, proposal)

    last = effective - timedelta(days=1)
    assert last_days(story, "p-1") == {last}
    story.on(f"{last}")
    reminders = [each.text for name, each in alerts(story).items() if "/p-1" in name]
    assert reminders == [f"The answer to proposal p-1 is due by {last}."]
    asked, begun = inbox(story), len(story.history)
    story.on(f"{effective}")
    assert [each.proposal for each in story.facts(ProposalLapsed)][-1:] == ["p-1"]
    assert not any(given_too_many_days(each, asked) for each in story.history[begun:])
    of_it = {name: each.state for name, each in alerts(story).items() if "/p-1" in name}
    assert {*of_it.values()} == {"resolved"}
    assert not any(name.startswith("answer-overdue") for name in of_it)


def test_an_exit_ends_a_draft_and_gives_its_signatures_the_day_before() -> None:
    story = with_launch()
    story.when(OURS, DraftAgreement(sections=changed(SECTIONS, roles="Each has two managers.")))
    effective = story.now.date() + timedelta(days=5)
    story.agree(OURS, example(ProposeExit, exit="soon", effective_on=effective))

    version = f"agreement {story.partnership.formation.agreement.version}"
    assert last_days(story, version) == {effective - timedelta(days=1)}


def test_an_answer_has_its_own_day_again_once_both_withdrew_the_exit() -> None:
    story = with_launch()
    own = story.now.date() + timedelta(days=14)
    story.when(OURS, example(ProposeAction, proposal="p-1", action="A-9"))
    effective = story.now.date() + timedelta(days=5)
    story.agree(OURS, example(ProposeExit, exit="soon", effective_on=effective))
    story.agree(OURS, example(ProposeExitWithdrawal, proposal="stay", exit="soon"))

    assert last_days(story, "p-1") == {own}


def test_an_exit_leaves_what_can_be_agreed_after_it_its_own_day() -> None:
    story = with_launch()
    story.agree(
        OURS, example(ProposeExit, exit="soon", effective_on=story.now.date() + timedelta(days=5))
    )
    story.when(OURS, example(ProposeReview, proposal="p-1", review="last", at=story.now))

    assert last_days(story, "p-1") == {story.now.date() + timedelta(days=14)}


def with_launch() -> Story:
    """Both plan a milestone named launch."""
    story = at(Stage.EXECUTION)
    due = story.now.date() + timedelta(days=60)
    story.agree(OURS, example(ProposeMilestone, owner=None, milestone="launch", due=due))
    return story


def test_who_agrees_that_a_milestone_was_reached_has_the_day_on_which_it_is_missed() -> None:
    story = at(Stage.EXECUTION)
    due = story.now.date() + timedelta(days=5)
    story.agree(OURS, example(ProposeMilestone, owner=None, milestone="launch", due=due))
    story.when(OURS, ProposeMilestoneReached(proposal="done", milestone="launch"))

    (item,) = inbox(story)
    assert (item.ref, item.party, item.day) == ("done", THEIRS, due)
    story.on(f"{due + timedelta(days=1)}")
    (item,) = inbox(story)
    assert item.day == due + timedelta(days=9)


def test_who_agrees_that_a_review_was_held_is_no_longer_reminded_of_its_day() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, example(ProposeReview, review="r-9", at=story.now + timedelta(days=5)))
    story.wait(days=5)
    story.when(OURS, example(ProposeReviewHeld, review="r-9", proposal="held"))

    reminder = alerts(story)["due-soon review/r-9"]
    assert (reminder.state, reminder.ended) == (
        "resolved",
        "A party says that review r-9 was held.",
    )
    (item,) = inbox(story)
    assert (item.ref, item.day) == ("held", story.now.date() + timedelta(days=14))


def test_each_reminder_of_the_demo_has_its_day_in_the_inbox_of_who_acts(demo: Accord) -> None:
    late = set()
    for name in partnerships(demo.history):
        folded = {each: Folded() for each in answer.FOLDS}
        for event in demo.history.of(name):
            if isinstance(event.event, ProposalLapsed):
                before = answer.of_folded(name, folded.items())
                late.update(
                    given_too_many_days(event, [x for of in before for x in answer.items(of)])
                )
            for each, of in folded.items():
                fold(each, of, [event])
            rows = [each for each in folded[ALERTS].rows.values() if isinstance(each, Alert)]
            if any(each.rule == DUE_SOON for each in rows):
                found = answer.of_folded(name, folded.items())
                late.update(other_days(rows, [x for of in found for x in answer.items(of)]))
    assert late == set()


def test_an_amendment_awaits_its_answer_by_its_first_day_and_is_not_accepted_after_it() -> None:
    story = at(Stage.EXECUTION)
    first = story.now.date() + timedelta(days=5)
    story.when(OURS, example(ProposeTerms, proposal="late", effective_from=first))

    def row() -> InboxItem:
        (found,) = (each for each in inbox(story, THEIRS) if each.ref == "late")
        return found

    assert (row().day, row().is_last) == (first, True)
    assert types(row()) == ["AcceptTerms", "CounterTerms", "DeclineProposal"]
    story.on(f"{first}T12:00")
    assert types(row())[0] == "AcceptTerms"
    story.on(f"{first + timedelta(days=1)}T12:00")

    assert row().day == first
    assert row().text.endswith(f"The answer was due by {first}.")
    assert types(row()) == ["CounterTerms", "DeclineProposal"]


def test_a_claim_awaits_its_answer_by_the_last_day_before_silence_confirms_it() -> None:
    story = sold(silence=10)
    theirs_paid(story)

    [item] = [each for each in inbox(story) if each.ref == "deal/D-1/payment/P-1"]

    assert (item.party, item.awaiting) == (OURS, Awaiting.CLAIM)
    assert item.day == story.now.date() + timedelta(days=9)
    assert f"by {item.day}." in item.text


@pytest.mark.parametrize(
    ("told", "party"),
    [
        (claimed, OURS),
        (lambda: clicks(THEIRS), OURS),
        (corrected, THEIRS),
        (figure_corrected, OURS),
    ],
    ids=["a payment", "clicks", "a correction", "a correction of a figure"],
)
def test_a_claim_awaits_the_other_party_with_its_confirmation(
    told: Callable[[], Story], party: str
) -> None:
    story = told()

    (item,) = (each for each in inbox(story) if each.awaiting is Awaiting.CLAIM)

    assert item.party == party
    confirm, object_ = item.events
    assert (confirm.type, object_.type) == ("accord.ConfirmClaim", "accord.ObjectToClaim")
    do(story, item)
    assert [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM] == []


def won_by_the_other() -> Story:
    story = under(share(basis="first-year", trigger=Trigger.SALE))
    refer(story, "D-1")
    story.when(THEIRS, CreateOpportunity(deal="D-1"))
    story.when(THEIRS, WinDeal(deal="D-1", annual_contract_value=usd("1200.00")))
    return story


def paid_out() -> Story:
    story = after(IssueStatement)
    (item,) = (each for each in inbox(story) if each.ref == "2026-Q1:USD")
    do(story, item)
    return story


@pytest.mark.parametrize(
    "told",
    [claimed, won_by_the_other, lambda: clicks(THEIRS), corrected, figure_corrected, paid_out],
    ids=["a payment", "a win", "clicks", "a correction", "a correction of a figure", "a payout"],
)
def test_an_answer_to_a_claim_names_the_content_and_the_time_of_the_fact(
    tmp_path: Path, told: Callable[[], Story]
) -> None:
    """A signed answer has both."""
    story = told()
    with simulated(tmp_path) as accord:
        accord.history.append(story.history)
        accord.runner.catch_up()
        item = next(
            each
            for each in answer.ask(accord, story.id, page=ALL).items
            if each.events and each.events[0].type == "accord.ConfirmClaim"
        )

    confirm, object_ = item.events
    assert confirm.data == object_.data
    stated = {digest(each.event): each.act for each in story.history}
    assert instant(stated[confirm.data["content"]].occurred_at) == confirm.data["fact_at"]
    assert stated[confirm.data["content"]].party != item.party
    do(story, item)


def test_a_disputed_figure_awaits_both_parties_until_one_corrects_its_own() -> None:
    story = ruled((OURS, said(50)), (THEIRS, said(5000)))
    items = {
        party: next(each for each in inbox(story, party) if each.ref == "web_visits/-/2026-02")
        for party in (OURS, THEIRS)
    }
    assert [types(each) for each in items.values()] == [["CorrectMetric"]] * 2
    (event,) = items[THEIRS].events
    assert event.missing == ("figure", "reason")

    story.when(THEIRS, CorrectMetric(**event.data, figure=count(50), reason="A digit."))

    assert not [each for each in inbox(story) if each.ref == "web_visits/-/2026-02"]


def test_a_contested_lead_awaits_both_parties_until_one_proposes_how_to_share_it() -> None:
    story = under(share())
    both_claim(story)
    story.when(OURS, ConfirmClaim(deal="D-1", fact="referral"))
    contested = [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM]
    assert [(each.party, each.events[0].type) for each in contested] == [
        (OURS, "accord.ProposeAttribution"),
        (THEIRS, "accord.ProposeAttribution"),
    ]

    halves = {OURS: Decimal(50), THEIRS: Decimal(50)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=halves))

    (consent,) = (each for each in inbox(story) if each.ref == "A-1")
    content = digest(story.facts(AttributionProposed)[-1])
    assert consent.events[0].data == {"deal": "D-1", "proposal": "A-1", "content": content}
    do(story, consent)
    assert [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM] == []


def test_a_contested_lead_awaits_both_again_once_how_to_share_it_is_declined() -> None:
    story = under(share())
    both_claim(story)
    story.when(OURS, ConfirmClaim(deal="D-1", fact="referral"))
    halves = {OURS: Decimal(50), THEIRS: Decimal(50)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=halves))
    assert [each.ref for each in inbox(story)] == ["A-1"]

    (consent,) = inbox(story)
    do(story, consent, consent.events.index(declining(consent)))

    assert [each.party for each in inbox(story)] == [OURS, THEIRS]
    again = ProposeAttribution(deal="D-1", proposal="A-2", shares={OURS: Decimal(100)})
    story.when(THEIRS, again)
    assert awaiting(story, OURS) == [("consent", "A-2")]
    story.when(THEIRS, WithdrawProposal(proposal="A-2", within="deal/D-1", reason="Too much."))
    assert {each.awaiting for each in inbox(story)} == {Awaiting.CLAIM}


def declining(item: InboxItem) -> EventToSend:
    """Return the event with which an item is declined."""
    return next(each for each in item.events if each.type == "accord.DeclineProposal")


def test_an_open_dispute_awaits_the_proposal_of_either_how_it_ends() -> None:
    story = after(OpenDispute)

    found = [each for each in inbox(story) if each.awaiting is Awaiting.DISPUTE]

    assert {each.party: types(each) for each in found} == {
        OURS: ["ProposeResolution"],
        THEIRS: ["ProposeResolution"],
    }
    do(story, found[0])
    assert not [each for each in inbox(story) if each.awaiting is Awaiting.DISPUTE]


def test_a_resolution_of_a_dispute_awaits_the_other_party_which_can_decline_it() -> None:
    story = after(OpenDispute)
    story.when(THEIRS, example(ProposeResolution))

    (item,) = (each for each in inbox(story) if each.ref == "end-1")

    assert (item.party, declining(item).data["within"]) == (OURS, "dispute/Q-1")
    do(story, item, item.events.index(declining(item)))
    assert [each for each in inbox(story) if each.ref == "end-1"] == []
    assert story.refuses(OURS, example(AcceptResolution)).rule == "proposal-declined"


def test_a_statement_is_due_from_its_payer_then_overdue_until_it_is_paid() -> None:
    story = after(IssueStatement)

    (item,) = (each for each in inbox(story) if each.ref == "2026-Q1:USD")
    assert item.awaiting is Awaiting.DUE
    story.on(f"{item.day + timedelta(days=1)}")
    (late,) = (each for each in inbox(story) if each.ref == "2026-Q1:USD")
    assert (late.awaiting, late.party, late.day) == (Awaiting.OVERDUE, item.party, item.day)
    do(story, late)

    assert [each for each in inbox(story) if each.ref == "2026-Q1:USD"] == []
    (claim,) = (each for each in inbox(story) if each.ref.startswith("payout/"))
    assert claim.party != item.party
    do(story, claim)
    assert [each for each in inbox(story) if each.ref.startswith("payout/")] == []


def test_a_payout_that_comes_back_after_the_due_day_is_overdue_at_once() -> None:
    story = after(IssueStatement)
    (item,) = (each for each in inbox(story) if each.ref == "2026-Q1:USD")
    paid = do(story, item)
    story.on(f"{item.day + timedelta(days=4)}T11:30")
    assert alert_states(story, STATEMENT_OVERDUE) == []

    story.when(item.party, ReturnPayout(payout=paid, reason="The account is closed."))

    (again,) = (each for each in inbox(story) if each.ref == "2026-Q1:USD")
    assert (again.awaiting, again.day) == (Awaiting.OVERDUE, item.day)
    assert alert_states(story, STATEMENT_OVERDUE) == ["open"]
    story.wait(days=1)
    assert alert_states(story, STATEMENT_OVERDUE) == ["open"]
    do(story, again)
    assert alert_states(story, STATEMENT_OVERDUE) == ["resolved"]


def alert_states(story: Story, rule: str) -> list[str]:
    return [state for name, state in states(story).items() if name.startswith(f"{rule} ")]


# --- the answer --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("inbox")) as accord:
        accord.runner.catch_up()
        yield accord


ALL = Paging(limit=LONGEST_PAGE)
MOMENT = datetime(2026, 1, 12, tzinfo=UTC)


def test_the_inbox_is_over_all_partnerships_and_sorted_by_day(demo: Accord) -> None:
    when = AsOf(at=MOMENT)

    found = answer.ask(demo, when=when, page=ALL).items

    assert len({each.partnership for each in found}) > 1
    assert [each.day for each in found] == sorted(each.day for each in found)


def test_a_party_is_shown_its_own_inbox_alone(demo: Accord) -> None:
    whole = answer.ask(demo, when=AsOf(at=MOMENT), page=ALL).items
    for party in {each.party for each in whole}:
        mine = answer.ask(demo, when=AsOf(at=MOMENT, viewer=Viewer(party)), page=ALL).items
        assert [*mine] == [each for each in whole if each.party == party]


@pytest.mark.parametrize(("day", "awaiting"), [(31, Awaiting.DUE), (32, Awaiting.OVERDUE)])
def test_what_was_due_is_overdue_from_the_next_day_also_before_the_clock_records_it(
    demo: Accord, day: int, awaiting: Awaiting
) -> None:
    """Nothing was recorded of this partnership after October, so its clock stands still."""
    when = AsOf(at=datetime(2026, 12, 1, 9, tzinfo=UTC) + timedelta(days=day - 1))

    items = answer.ask(demo, CONSULTING, when=when, page=ALL).items

    found = [each for each in items if each.is_last]
    assert {each.day for each in found} == {date(2026, 12, 31)}
    assert {each.awaiting for each in found} == {awaiting}


def test_who_does_not_see_all_judges_what_is_due_as_of_the_partnership_itself(
    demo: Accord,
) -> None:
    party, auditor = Viewer("northbridge"), Viewer(partnerships=frozenset({CONSULTING}))
    found = {
        name: answer.ask(demo, CONSULTING, when=AsOf(viewer=viewer), page=ALL).items
        for name, viewer in (("all", Viewer()), ("party", party), ("auditor", auditor))
    }
    of_a_day = {name: {x.awaiting for x in each if x.is_last} for name, each in found.items()}
    assert of_a_day == {
        "all": {Awaiting.OVERDUE},
        "party": {Awaiting.DUE},
        "auditor": {Awaiting.DUE},
    }


@pytest.mark.parametrize("steps", [30, 60, 90, 120, len(LIFE)])
def test_the_saved_rows_and_a_replay_give_the_same_inbox(tmp_path: Path, steps: int) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[:steps]))
        accord.runner.catch_up()
        saved = answer.ask(accord, page=ALL).items
        last = accord.history.last_recorded_at()
        assert last is not None
        assert saved == answer.ask(accord, when=AsOf(known=last), page=ALL).items


def test_what_is_planned_in_formation_stops_no_inbox(tmp_path: Path) -> None:
    """It is due, though nothing that does it is accepted yet."""
    formed = LIFE[: LIFE.index(EXAMPLES[DraftAgreement])]
    day = "2026-01-02"
    planned = changed(example(ProposeMilestone), due="2026-01-20", owner=None)
    agreed = changed(example(AgreeMilestone), proposal=planned.proposal)
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(formed))
        told = accord.service.handle(
            [
                message("planned", planned, party=OURS, at=day),
                message("agreed", agreed, party=THEIRS, at=day),
            ]
        )
        accord.runner.catch_up()

        found = answer.ask(accord, page=ALL).items

    assert [each.status for each in told] == ["accepted", "accepted"]
    assert {each.party for each in found if each.ref == planned.milestone} == {OURS, THEIRS}


def unpriced() -> Story:
    story = under(share())
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))
    return story


def test_an_entry_that_no_terms_price_asks_for_terms_or_its_author_reverses_it() -> None:
    story = unpriced()
    items = [each for each in inbox(story) if each.ref == "entry/E-1"]
    offered = {each.party: types(each) for each in items}
    assert offered == {
        OURS: ["ProposeTerms", "ReverseEntry", "ProposeAdjustment"],
        THEIRS: ["ProposeTerms", "ProposeAdjustment"],
    }
    (reverse,) = (x for each in items for x in each.events if x.type == "accord.ReverseEntry")
    assert reverse.missing == ("reversal", "amount", "reason")

    filled: Any = {"reversal": "V-1", "amount": usd("100.00"), "reason": "A mistake."}
    story.when(OURS, ReverseEntry(**reverse.data, **filled))

    assert not [each for each in inbox(story) if each.ref == "entry/E-1"]


def test_an_entry_that_no_terms_price_asks_for_no_second_proposal_of_terms() -> None:
    story = unpriced()
    (theirs,) = (each for each in inbox(story, THEIRS) if each.ref == "entry/E-1")
    event, _ = theirs.events
    assert event.missing == ("frame", "items", "proposal")
    split = JOINT.model_dump(mode="json")

    story.when(THEIRS, ProposeTerms(**event.data, proposal="split", items=[split]))

    left = {each.party: types(each) for each in inbox(story) if each.ref == "entry/E-1"}
    assert left == {OURS: ["ReverseEntry", "ProposeAdjustment"], THEIRS: ["ProposeAdjustment"]}


def test_terms_are_not_offered_for_an_entry_of_a_day_that_is_over() -> None:
    story = unpriced()
    (before,) = (each for each in inbox(story, THEIRS) if each.ref == "entry/E-1")
    story.wait(days=2)

    (item,) = (each for each in inbox(story, THEIRS) if each.ref == "entry/E-1")

    assert types(before) == ["ProposeTerms", "ProposeAdjustment"]
    assert types(item) == ["ProposeAdjustment"]
    assert "its author reverses it" in item.text
    split = [JOINT.model_dump(mode="json")]
    late = ProposeTerms(**before.events[0].data, proposal="split", items=split)
    assert story.refuses(THEIRS, late).rule == "terms-never-backwards"


# --- words -------------------------------------------------------------------------------------


def test_a_proposal_says_what_is_proposed_and_names_the_person(demo: Accord) -> None:
    found = answer.ask(demo, when=AsOf(at=datetime(2026, 9, 21, 23, 59, tzinfo=UTC))).items
    consents = {each.ref: each.text for each in found if each.awaiting is Awaiting.CONSENT}

    assert consents["plan-second-kit"] == (
        "harbourlight proposed milestone second-kit for 2026-11-20: The kit for schools "
        "(proposal plan-second-kit)."
    )
    assert consents["owner-leads"] == (
        "harbourlight proposed Femke Visser (analyst) as the owner of leads (proposal owner-leads)."
    )


def test_an_adoption_that_waits_is_said_in_full_and_without_commitments_to_names(
    tmp_path: Path,
) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle([message("adopt", ADOPTION, party=OURS, at="2025-08-28")])
        accord.runner.catch_up()
        (found,) = answer.ask(accord).items

    assert ADOPTION.purpose.rstrip(".") in found.text
    assert "person:" not in found.text
    whole, part, _ = found.events
    assert (whole.type, part.type) == ("accord.AgreeAdoption", "accord.AgreeAdoptionPart")
    assert part.missing == ("part",)


def test_an_adoption_that_is_half_accepted_names_only_the_parts_that_are_missing() -> None:
    story = Story(now=datetime(2025, 8, 28, 9, tzinfo=UTC))
    story.when(OURS, ADOPTION)
    first, *others, last = parts_of(ADOPTION)
    for part in (first, *others):
        story.when(THEIRS, AgreeAdoptionPart(proposal=ADOPTION.proposal, part=part))
    (rows,) = answer.of_events(story.id, story.history)

    (item,) = answer.items(rows)

    assert item.text == (
        f"{OURS} proposed to adopt the partnership; still to accept: its {last} "
        f"(proposal {ADOPTION.proposal})."
    )
    assert item.events[1].data["part"] == last
    story.when(item.party, AgreeAdoptionPart(**item.events[1].data))
    assert story.facts(PartnershipAdopted)


def test_a_party_whose_months_differ_from_the_others_quarter_corrects_one_of_its_months() -> None:
    story = by_months_and_by_quarter(50, 5000, "billing", later="months")
    (rows,) = answer.of_events(story.id, story.history)

    found = {
        each.party: each.events[0]
        for each in answer.items(rows)
        if each.ref == "web_visits/-/2026-Q1"
    }

    assert "period" in found[OURS].missing
    assert found[THEIRS].data["period"] == "2026-Q1"
