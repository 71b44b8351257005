"""The inbox: what awaits each party, by day, with the event that does it (C22)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.agreement import ProposeTerms
from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.calendar import add
from domain.content import digest
from domain.dispute import AcceptResolution, OpenDispute, ProposeResolution, WithdrawDispute
from domain.entry import RecordJointRevenue, ReverseEntry
from domain.execution import (
    AgreeImprovementPlan,
    AgreeMilestone,
    HoldReview,
    IssueCause,
    ProposeAction,
    ProposeCancellation,
    ProposeCommunicationPolicy,
    ProposeMilestone,
    ProposeReduction,
    ProposeReview,
    RaiseIssue,
)
from domain.exit import (
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCure,
    ProposeDisposition,
    ProposeExit,
)
from domain.experiment import RegisterHypothesis
from domain.formation import DraftAgreement, SignAgreement
from domain.governance import ProposeGovernance
from domain.health import (
    IdentifyRisk,
    MitigateRisk,
    ProposeTarget,
    RecordAudit,
    RecordHealthCheck,
)
from domain.kernel import Command, NotNow, Refused, Stage, Unknown
from domain.markets import ProposeMetricOwner
from domain.payment import CorrectPayment
from domain.payouts import ReturnPayout
from domain.referral import AttributionProposed, ProposeAttribution
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.reported_figure import CorrectMetric
from domain.settlement import IssueFinalSettlement, IssueStatement
from domain.standing_alerts import STATEMENT_OVERDUE
from domain.terms import Cadence
from infra.answers import inbox as answer
from infra.answers.inbox import Awaiting, EventToSend, InboxItem
from infra.answers.logs import AsOf
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.bootstrap import Accord
from projections.visibility import Viewer
from tests.feeds import played, simulated
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
from tests.projections.folds import alerts, count, states
from tests.projections.money import amend, pay, share, under
from tests.projections.test_awaited import JOINT, both_claim, clicks, sold, theirs_paid
from tests.projections.test_figures_differ import by_months_and_by_quarter, ruled, said
from tests.stories import Story

CONSULTING = "growthos-consulting"


def inbox(story: Story, party: str | None = None) -> list[InboxItem]:
    """Return what awaits a party, or either."""
    found = [
        answer.offered(each, story.now)
        for rows in answer.of_events(story.id, story.history)
        for each in answer.items(rows)
    ]
    return [each for each in found if party in {None, each.party}]


def awaiting(story: Story, party: str) -> list[tuple[str, str]]:
    return [(each.awaiting.value, each.ref) for each in inbox(story, party)]


FILLED: dict[str, Any] = {
    "reason": "It is as good as done.",
    "minutes": "All is on its way.",
    "how": "It is off the page.",
    "resolution": "It is done.",
    "outcome": "rejected",
}
"""What a manager adds to an event of the inbox."""


def types(item: InboxItem) -> list[str]:
    """Return the commands that an item offers."""
    return [each.type.removeprefix("accord.") for each in item.events]


def do(story: Story, item: InboxItem, place: int = 0) -> str:
    """Send the event with which an item is done, just as the inbox gives it.

    Return the name that it gives to a new proposal.
    """
    event = item.events[place]
    kind = command_types()[event.type.removeprefix("accord.")]
    new = f"asked-{len(story.history)}"
    data = event.data | {name: FILLED.get(name, new) for name in event.missing}
    story.when(event.party, kind.model_validate_json(orjson.dumps(data)))
    return new


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
    hold = HoldReview(review="r-1", minutes="All is well.")
    assert story.refuses(OURS, hold).rule == "before-its-day"

    story.on("2026-03-30T00:00")
    (item,) = (each for each in inbox(story, OURS) if each.ref == "r-1")
    assert types(item) == ["HoldReview", "ProposeReview"]
    do(story, item)
    assert [each for each in inbox(story) if each.ref == "r-1"] == []


def test_a_review_that_is_overdue_is_not_asked_for_twice() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-03-06")

    asked = [each for each in inbox(story, OURS) if each.ref == "operational"]

    assert [(each.awaiting, each.day) for each in asked] == [(Awaiting.OVERDUE, date(2026, 2, 6))]


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


def claimed() -> Story:
    story = sold()
    theirs_paid(story)
    return story


@pytest.mark.parametrize(
    ("told", "party"),
    [(claimed, OURS), (lambda: clicks(THEIRS), OURS), (corrected, THEIRS)],
    ids=["a payment", "clicks", "a correction"],
)
def test_a_claim_of_money_awaits_the_other_party_with_its_confirmation(
    told: Callable[[], Story], party: str
) -> None:
    story = told()

    (item,) = (each for each in inbox(story) if each.awaiting is Awaiting.CLAIM)

    assert item.party == party
    confirm, object_ = item.events
    assert (confirm.type, object_.type) == ("accord.ConfirmClaim", "accord.ObjectToClaim")
    do(story, item)
    assert [each for each in inbox(story) if each.awaiting is Awaiting.CLAIM] == []


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
    assert offered == {OURS: ["ProposeTerms", "ReverseEntry"], THEIRS: ["ProposeTerms"]}
    (reverse,) = (x for each in items for x in each.events if x.type == "accord.ReverseEntry")
    assert reverse.missing == ("reversal", "amount", "reason")

    filled: Any = {"reversal": "V-1", "amount": usd("100.00"), "reason": "A mistake."}
    story.when(OURS, ReverseEntry(**reverse.data, **filled))

    assert not [each for each in inbox(story) if each.ref == "entry/E-1"]


def test_an_entry_that_no_terms_price_asks_for_no_second_proposal_of_terms() -> None:
    story = unpriced()
    (theirs,) = (each for each in inbox(story, THEIRS) if each.ref == "entry/E-1")
    (event,) = theirs.events
    assert event.missing == ("frame", "items", "proposal")
    split = JOINT.model_dump(mode="json")

    story.when(THEIRS, ProposeTerms(**event.data, proposal="split", items=[split]))

    left = {each.party: types(each) for each in inbox(story) if each.ref == "entry/E-1"}
    assert left == {OURS: ["ReverseEntry"]}


# --- random lives ------------------------------------------------------------------------------


@dataclass
class Task:
    """Something that was planned, raised or taken on."""

    kind: str
    owner: str
    """Who does it; empty for both."""
    due: date
    """The last day in time; of an issue, the day on which it was raised."""
    since: datetime
    """When it was agreed or raised."""


@dataclass
class Asked:
    """A proposal: its author, and what becomes of which task if the other accepts."""

    author: str
    agreement: str
    made: date
    """The day on which it was made."""
    name: str = ""
    """The task that it is about; empty if it is about none."""
    task: Task | None = None
    """The task as it is then; None if it is done with."""
    within: str | None = None
    """The dispute or the experiment that it belongs to."""

    @property
    def subject(self) -> tuple[str, str]:
        """What it is about: the kind of the task or of the agreement, and the task."""
        return (self.task.kind if self.task else self.agreement, self.name)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass
class Model:
    """What two managers asked of each other, written down by hand."""

    asked: dict[str, Asked] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)
    """The open disputes, each with the party that opened it."""
    risks: set[str] = field(default_factory=set)
    """The risks that nobody mitigated."""
    reductions: dict[str, str] = field(default_factory=dict)
    """The reductions that still apply, each with the party that reduced what it invests."""
    audits: list[tuple[datetime, str, bool]] = field(default_factory=list)
    """The audits of one subject: when, under which name, and whether it was passed."""
    rated: dict[str, datetime] = field(default_factory=dict)
    """When each party filled in its scorecard, or failed to; empty without a cadence."""
    unrated: set[str] = field(default_factory=set)
    """The parties that did not fill in their scorecard in time."""

    def until(self, now: datetime) -> None:
        """Let time pass: a quarter without a scorecard of a party is missed."""
        for party, since in self.rated.items():
            over = midnight(add(since.date(), "P3M") + timedelta(days=1))
            if over <= now:
                self.unrated.add(party)
                self.rated[party] = over - timedelta(days=1)

    def _scorecards(self, now: datetime) -> set[str]:
        """Return the parties that are reminded of their next scorecard."""
        return {
            party
            for party, since in self.rated.items()
            if midnight(add(since.date(), "P3M")) - timedelta(days=1) <= now
        }

    def awaits(self, party: str, now: datetime) -> set[str]:
        """Return all that awaits a party."""
        closing = {each.name for each in self.asked.values() if each.agreement in CLOSES.values()}
        consents = {name for name, each in self.asked.items() if each.author != party}
        tasks = {
            name
            for name, task in self.tasks.items()
            if task.owner in {"", party} and name not in closing
        }
        rates = party in self.unrated | self._scorecards(now)
        proposed = {each.name for each in self.asked.values() if each.agreement == "Resolution"}
        consents |= self.disputes.keys() - proposed
        return consents | tasks | ({f"health_check/{party}"} if rates else set())

    def accept(self, proposal: str) -> None:
        """Let what was proposed happen."""
        before = [*self.asked][: [*self.asked].index(proposal)]
        asked = self.asked.pop(proposal)
        if asked.agreement == "Resolution":
            self.end_dispute(asked.name)
        elif asked.agreement in {"Cancellation", *CLOSES.values()}:
            self.end(asked.name)
        elif asked.agreement != "Hypothesis":
            if asked.task is not None:
                self.tasks[asked.name] = asked.task
            # What was proposed before it of the same thing has lapsed.
            for each in before:
                if self.asked[each].subject == asked.subject:
                    del self.asked[each]

    def end(self, name: str) -> None:
        """Let a task be done or given up; all that was proposed of it lapses."""
        del self.tasks[name]
        self.asked = {each: of for each, of in self.asked.items() if of.name != name}

    def end_dispute(self, name: str) -> None:
        """Let a dispute end; the other proposals in it lapse."""
        del self.disputes[name]
        self.asked = {each: of for each, of in self.asked.items() if of.name != name}

    def _of_answers(self, now: datetime) -> set[str]:
        found = set()
        for name, each in self.asked.items():
            ref = "/".join(filter(None, [each.agreement, name, each.within]))
            over = midnight(each.made) + timedelta(days=15)
            if over <= now:
                found.add(f"answer-overdue {ref}")
            elif over - timedelta(hours=48) <= now:
                found.add(f"due-soon answer/{ref}")
        return found

    def alerts(self, now: datetime) -> set[str]:
        """Return the alerts that are open: of what is late, and of what is near."""
        found = self._of_answers(now)
        found |= {f"dispute-opened {name}" for name in self.disputes}
        found |= {f"risk-open {name}" for name in self.risks}
        found |= {f"investment-reduced {name}" for name in self.reductions}
        found |= {"audit-failed ethics"} if self.audits and not max(self.audits)[2] else set()
        found |= {f"cadence-missed health_check/{party}" for party in self.unrated}
        found |= {f"due-soon cadence/health_check/{party}" for party in self._scorecards(now)}
        found |= {f"breach-notice {name}" for name, each in self.tasks.items()
                  if each.kind == "Breach"}  # fmt: skip
        for name, task in self.tasks.items():
            day = midnight(task.due)
            late = day + timedelta(days=1) <= now
            match task.kind:
                case "Breach" if late:
                    found.add(f"breach-not-cured {name}")
                case "Breach" if day - timedelta(days=1) <= now:
                    found.add(f"due-soon cure/{name}")
                case "Milestone" if late:
                    found.add(f"milestone-missed {name}")
                case "Action" if late:
                    found.add(f"action-overdue {name}")
                case "Review" if late:
                    found.add(f"review-missed {name}")
                case "Review" if day + timedelta(hours=12) - timedelta(hours=48) <= now:
                    found.add(f"due-soon review/{name}")
                case "Milestone" | "Action" if day - timedelta(days=1) <= now:
                    found.add(f"due-soon {task.kind.lower()}/{name}")
                case "Issue" if task.since + timedelta(hours=48) <= now:
                    found.add(f"issue-escalated {name}")
                case _:
                    pass
        return found


BINDING: dict[str, type[Command]] = {
    "Governance": ProposeGovernance,
    "CommunicationPolicy": ProposeCommunicationPolicy,
    "MetricOwner": ProposeMetricOwner,
    "Target": ProposeTarget,
}
PLANNED: dict[str, type[Command]] = {
    "Action": ProposeAction,
    "Milestone": ProposeMilestone,
    "Review": ProposeReview,
}
WAYS = ["propose", "move", "cancel", "accept", "decline", "withdraw", "do", "wait"]
ALONE = ["Issue", "Dispute", "Hypothesis", "Risk", "Reduction", "Audit", "Scorecard", "Breach"]
"""What one party begins: it raises, opens, registers, names or records it."""
CLOSES = {"Issue": "IssueResolution", "Breach": "Cure"}
"""The agreement that closes what one party began."""


OF_FIGURES = ("figure-overdue ", "due-soon figure/")
"""Figures fall due each month whatever the parties do here. `test_figures_due` tells of them."""


def asked_of(story: Story, party: str | None = None) -> list[InboxItem]:
    """Return the inbox of a party, or of both, without the figures that are to be reported."""
    return [each for each in inbox(story, party) if not each.text.startswith("Report ")]


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[str, str, str, str, int]]:
    """Return moves of a few kinds, so that proposals about the same thing meet."""
    kinds = draw(st.lists(st.sampled_from([*BINDING, *PLANNED, *ALONE]), min_size=1, max_size=3))
    party = st.sampled_from([OURS, THEIRS])
    way = st.sampled_from([*WAYS, "move", "move", "accept"])
    move = st.tuples(way, st.sampled_from(kinds), party, party, st.integers(0, 9))
    begin = [("propose", kind, OURS, THEIRS, 5) for kind in kinds] + [("accept", "", "", "", 0)]
    return begin + draw(st.lists(move, min_size=5, max_size=25))


def refusal(story: Story, party: str, command: Command) -> Refused | None:
    """Return why a command is refused; None if it is accepted."""
    try:
        story.when(party, command)
    except Refused as refused:
        return refused
    return None


def of_filled(refused: Refused, filled: Mapping[str, Any]) -> bool:
    """Whether a command is refused for what a manager filled in."""
    if isinstance(refused, Unknown) and refused.named in filled.values():
        return True
    field = str(refused.facts.get("field", "")).partition("/")[0]
    return not isinstance(refused, NotNow) and field in filled


class Life:
    """A story, and the model of what is open in it."""

    def __init__(self, *, cadence: bool) -> None:
        self.story = at(Stage.EXECUTION)
        self.model = Model()
        self.count = 0
        if cadence:
            day = self.story.now.date()
            quarterly = Cadence(health_check="quarterly")
            amend(self.story, share(), since=day, cadence=quarterly)
            self.model.rated = dict.fromkeys((OURS, THEIRS), self.story.now)

    def move(self, way: str, kind: str, party: str, owner: str, place: int) -> None:
        match way:
            case "propose":
                self.ask(kind, party, owner, place)
            case "move" | "cancel" if kind in {"Reduction", "Breach"}:
                self.give_up(kind, place)
            case "move" | "cancel" if kind == "Dispute":
                self.settle(way, party, place)
            case "cancel" if kind == "Risk":
                self.mitigate(party, place)
            case "move" | "cancel":
                self.change(way, party, owner, place)
            case "wait":
                self.story.wait(days=place)
            case "do":
                self.do(party, place)
            case _:
                self.answer(way, place)

    def named(self) -> str:
        self.count += 1
        return f"n-{self.count}"

    def ask(self, kind: str, party: str, owner: str, place: int) -> None:
        """Let a party ask something of the other, of itself or of both."""
        name = self.named()
        if kind in ALONE:
            self.begin(kind, party, name)
        elif kind in PLANNED:
            self.plan(kind, name, name, party, owner, place)
        else:
            self.story.when(party, example(BINDING[kind], proposal=name))
            self.model.asked[name] = Asked(party, kind, self.story.now.date())

    def begin(self, kind: str, party: str, name: str) -> None:
        """Let a party raise an issue, open a dispute, register a hypothesis or name a risk."""
        today = self.story.now.date()
        match kind:
            case "Issue":
                self.story.when(party, example(RaiseIssue, issue=name))
                self.model.tasks[name] = Task(kind, "", today, self.story.now)
            case "Dispute":
                opened = OpenDispute(
                    dispute=name, cause=IssueCause.COMMUNICATION, description="Nobody answers."
                )
                self.story.when(party, opened)
                self.model.disputes[name] = party
            case "Hypothesis":
                self.story.when(party, example(RegisterHypothesis, experiment=name))
                within = f"experiment/{name}"
                self.model.asked[name] = Asked(party, kind, today, name, within=within)
            case "Risk":
                self.story.when(party, example(IdentifyRisk, risk=name, owner=None))
                self.model.risks.add(name)
            case "Reduction":
                reduced = example(ProposeReduction, proposal=name, reduction=name)
                self.story.when(party, reduced)
                self.model.reductions[name] = party
            case "Audit":
                passed = self.count % 2 == 0
                self.story.when(party, example(RecordAudit, audit=name, passed=passed))
                self.model.audits.append((self.story.now, name, passed))
            case "Scorecard":
                self.rate(party)
            case _:
                self.story.when(party, example(GiveBreachNotice, breach=name))
                other = THEIRS if party == OURS else OURS
                cure_by = today + timedelta(days=30)
                self.model.tasks[name] = Task(kind, other, cure_by, self.story.now)

    def rate(self, party: str) -> None:
        """Let a party fill in a scorecard, of a quarter that it has not rated yet."""
        self.count += 1
        year, quarter = divmod(self.count, 4)
        good = dict.fromkeys(("trust", "communication", "value_delivery"), 4)
        period = f"{2000 + year}-Q{quarter + 1}"
        self.story.when(party, RecordHealthCheck.model_validate({"period": period, **good}))
        if self.model.rated:
            self.model.rated[party] = self.story.now
            self.model.unrated.discard(party)

    def give_up(self, kind: str, place: int) -> None:
        """Let a party end its own reduction, or say that a breach which it noticed is cured."""
        breaches = {name: each.owner for name, each in self.model.tasks.items()
                    if each.kind == "Breach"}  # fmt: skip
        found = self.model.reductions if kind == "Reduction" else breaches
        if not found:
            return
        name = [*found][place % len(found)]
        if kind == "Reduction":
            over = example(ProposeCancellation, proposal=self.named(), kind="reduction", ref=name)
            self.story.when(self.model.reductions.pop(name), over)
            return
        noticed_by = THEIRS if breaches[name] == OURS else OURS
        cured = ProposeCure(proposal=self.named(), breach=name, how="The page is gone.")
        self.story.when(noticed_by, cured)
        self.model.end(name)

    def settle(self, way: str, party: str, place: int) -> None:
        """Let a party propose how a dispute ends, or withdraw a dispute of its own."""
        if not self.model.disputes:
            return
        name = [*self.model.disputes][place % len(self.model.disputes)]
        if way == "cancel":
            opener = self.model.disputes[name]
            self.story.when(opener, WithdrawDispute(dispute=name, reason="It was answered."))
            self.model.end_dispute(name)
            return
        proposal = self.named()
        self.story.when(party, example(ProposeResolution, dispute=name, proposal=proposal))
        self.model.asked[proposal] = Asked(
            party, "Resolution", self.story.now.date(), name, within=f"dispute/{name}"
        )

    def mitigate(self, party: str, place: int) -> None:
        """Let a party mitigate a risk, or let both give it up."""
        if self.model.risks:
            name = sorted(self.model.risks)[place % len(self.model.risks)]
            if place % 2:
                self.story.when(party, example(MitigateRisk, risk=name))
            else:
                up = example(ProposeCancellation, proposal=self.named(), kind="risk", ref=name)
                self.story.agree(party, up)
            self.model.risks.remove(name)

    def plan(self, kind: str, proposal: str, name: str, party: str, owner: str, place: int) -> None:
        """Let a party propose a task, or another day or another owner for it."""
        due = (self.story.now + timedelta(days=3 + place)).date()
        fields: dict[str, Any] = {"owner": owner, "due": due}
        if kind == "Review":
            owner = ""
            fields = {"at": datetime(due.year, due.month, due.day, 12, tzinfo=UTC)}
        fields |= {kind.lower(): name, "proposal": proposal, "reason": "The days are too short."}
        self.story.when(party, example(PLANNED[kind], **fields))
        task = Task(kind, owner, due, self.story.now)
        self.model.asked[proposal] = Asked(party, kind, self.story.now.date(), name, task)
        if kind == "Action" and owner == party and name == proposal:
            # Who lays something new on itself asks nobody.
            self.model.accept(proposal)

    def change(self, way: str, party: str, owner: str, place: int) -> None:
        """Let a party propose to move a task, to give it to another, or to give it up."""
        names = [name for name, each in self.model.tasks.items() if each.kind in PLANNED]
        if not names:
            return
        name, proposal = names[place % len(names)], self.named()
        kind = self.model.tasks[name].kind
        if way == "move":
            self.plan(kind, proposal, name, party, owner, place)
            return
        given_up = example(ProposeCancellation, proposal=proposal, kind=kind.lower(), ref=name)
        self.story.when(party, given_up)
        self.model.asked[proposal] = Asked(party, "Cancellation", self.story.now.date(), name)

    def answer(self, way: str, place: int) -> None:
        """Let an open proposal be accepted or declined by the other, or be withdrawn."""
        if not self.model.asked:
            return
        name = [*self.model.asked][place % len(self.model.asked)]
        asked = self.model.asked[name]
        other = THEIRS if asked.author == OURS else OURS
        if way == "accept":
            (item,) = (each for each in inbox(self.story, other) if each.ref == name)
            do(self.story, item)
            self.model.accept(name)
            return
        del self.model.asked[name]
        party, kind = (
            (asked.author, WithdrawProposal) if way == "withdraw" else (other, DeclineProposal)
        )
        self.story.when(party, kind(proposal=name, within=asked.within, reason="No."))

    def do(self, party: str, place: int) -> None:
        """Let a party do one of the things that it is asked for."""
        mine = [
            each for each in asked_of(self.story, party) if each.awaiting is not Awaiting.CONSENT
        ]
        if mine:
            self.obey(mine[place % len(mine)])

    def obey(self, item: InboxItem) -> None:
        """Let a party do what an item of its inbox asks for."""
        if item.ref.startswith("health_check/"):
            self.rate(item.party)
            return
        if item.text.startswith("Hold review "):
            self.await_day(item.day)
            item = next(each for each in inbox(self.story, item.party) if each.ref == item.ref)
        name = do(self.story, item)
        if item.awaiting is Awaiting.CONSENT:
            self.model.accept(item.ref)
        elif item.awaiting is Awaiting.DISPUTE:
            day, within = self.story.now.date(), f"dispute/{item.ref}"
            self.model.asked[name] = Asked(item.party, "Resolution", day, item.ref, within=within)
        elif agreement := CLOSES.get(self.model.tasks[item.ref].kind):
            self.model.asked[name] = Asked(item.party, agreement, self.story.now.date(), item.ref)
        else:
            self.model.end(item.ref)

    def check_offers(self) -> None:
        """Try each event that the inboxes offer: only what is filled in can be refused."""
        self.story.wait()
        for item in inbox(self.story):
            for event in item.events:
                self.offer(item, event)

    def offer(self, item: InboxItem, event: EventToSend) -> None:
        """Try an event with the fields of its example where the inbox leaves them open."""
        kind = command_types()[event.type.removeprefix("accord.")]
        given = example(kind).model_dump(mode="json")
        new = {name: self.named() for name in event.missing if name in ("proposal", "exit")}
        filled = {name: given[name] for name in event.missing} | new
        command = kind.model_validate_json(orjson.dumps(event.data | filled))
        refused = refusal(self.story.copy(), event.party, command)
        assert refused is None or of_filled(refused, filled), f"{item.text} {event}: {refused}"

    def await_day(self, day: date) -> None:
        """Wait for the day that both agreed for a review, if it is ahead."""
        ahead = (day - self.story.now.date()).days
        if ahead > 0:
            self.story.wait(days=ahead)

    def check(self) -> None:
        """Compare the inboxes and the alerts with the model."""
        self.story.wait()
        self.model.until(self.story.now)
        for party in (OURS, THEIRS):
            awaits = self.model.awaits(party, self.story.now)
            assert {each.ref for each in asked_of(self.story, party)} == awaits
        open_ = {
            name
            for name, state in states(self.story).items()
            if state == "open" and not name.startswith(OF_FIGURES)
        }
        assert open_ == self.model.alerts(self.story.now)


@settings(max_examples=40, deadline=None)
@given(moves(), st.booleans())
def test_the_inboxes_are_what_both_still_owe_and_empty_once_both_did_it(
    moves: list[tuple[str, str, str, str, int]],
    cadence: bool,  # noqa: FBT001 - drawn
) -> None:
    life = Life(cadence=cadence)
    for move in moves:
        life.move(*move)
        life.check()
    life.check_offers()

    for _ in range(100):
        open_items = asked_of(life.story)
        now = life.story.now
        assert bool(open_items) == bool(
            life.model.awaits(OURS, now) | life.model.awaits(THEIRS, now)
        )
        if not open_items:
            break
        life.obey(open_items[0])
    assert asked_of(life.story) == []
    life.check()


def test_a_proposal_says_what_is_proposed_and_names_no_person(demo: Accord) -> None:
    found = answer.ask(demo, when=AsOf(at=datetime(2026, 9, 21, 23, 59, tzinfo=UTC))).items
    consents = {each.ref: each.text for each in found if each.awaiting is Awaiting.CONSENT}

    assert consents["plan-second-kit"] == (
        "harbourlight proposed milestone second-kit for 2026-11-20: The kit for schools "
        "(proposal plan-second-kit)."
    )
    assert consents["owner-leads"] == (
        "harbourlight proposed a person (analyst) as the owner of leads (proposal owner-leads)."
    )


def test_an_adoption_that_waits_is_said_in_full_and_without_commitments_to_names(
    tmp_path: Path,
) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle([message("adopt", ADOPTION, party=OURS, at="2025-08-28")])
        accord.runner.catch_up()
        (found,) = answer.ask(accord).items

    assert ADOPTION.purpose in found.text
    assert "person:" not in found.text
    whole, part, _ = found.events
    assert (whole.type, part.type) == ("accord.AgreeAdoption", "accord.AgreeAdoptionPart")
    assert part.missing == ("part",)


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
