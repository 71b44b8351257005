"""Nothing more comes under a joint investment or a campaign that both gave up (C17, C26)."""

from decimal import Decimal

import pytest

from domain.entry import RecordJointRevenue, RecordSharedCost
from domain.execution import (
    AgreeAction,
    AgreeCampaign,
    AgreeMilestone,
    AgreeOnboardingStep,
    AgreeReview,
    CampaignAgreed,
    CloseCampaign,
    CompleteAction,
    CompleteOnboardingStep,
    ProposeCampaign,
    ProposeCancellation,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposeReduction,
    ProposeReviewHeld,
    ReachMilestone,
    given_up_words,
)
from domain.formation import ProposeDecisionRule
from domain.health import IdentifyRisk, ProposeRiskMitigated
from domain.kernel import Command, Stage
from domain.referral import SubmitReferral
from domain.rules import Action
from domain.scaling import AgreeJointInvestment, JointInvestmentAgreed
from tests.life import CONVERSION_FLOOR, OURS, THEIRS, after, at, changed, example, usd
from tests.stories import Story

REVENUE = RecordJointRevenue(entry="E-9", amount=usd("100.00"), under="investment-1")
COST = RecordSharedCost(entry="E-9", cost="hosting", amount=usd("40.00"), under="investment-1")
LEAD = SubmitReferral(deal="D-9", lead="lead 9", campaign="launch")


def give_up(story: Story, kind: str, ref: str) -> None:
    """Both give up what they agreed, on the next day at noon."""
    story.on(f"{story.now.date()}T23:59")
    story.wait(hours=12.02)
    ends = ProposeCancellation(proposal="c-1", kind=kind, ref=ref, reason="It brought too little.")
    story.agree(OURS, ends)


def without_investment() -> Story:
    story = after(AgreeJointInvestment)
    give_up(story, "investment", "investment-1")
    return story


def without_campaign() -> Story:
    story = after(AgreeCampaign)
    give_up(story, "campaign", "launch")
    return story


@pytest.mark.parametrize("entry", [REVENUE, COST], ids=lambda each: type(each).__name__)
def test_an_entry_comes_under_an_investment_until_both_gave_it_up(entry: Command) -> None:
    story = without_investment()
    before = f"{story.now.date()}T09:00"
    story.wait(hours=1)

    assert story.refuses(OURS, entry).rule == "given-up"
    assert story.when(OURS, entry, happened=before)


def test_the_refusal_says_what_was_given_up_and_when() -> None:
    story = without_investment()

    refused = story.refuses(OURS, REVENUE)

    assert "They gave up investment investment-1 at" in refused.detail
    assert refused.hint == "Leave the investment out, or name one that was not given up."


def test_the_same_entry_again_decides_nothing_even_if_its_investment_was_given_up_since() -> None:
    story = after(AgreeJointInvestment)
    story.when(OURS, REVENUE)
    give_up(story, "investment", "investment-1")

    assert story.when(OURS, REVENUE) == []


def test_an_entry_without_an_investment_is_recorded_as_before() -> None:
    assert without_investment().when(OURS, changed(REVENUE, under=None))


def test_a_lead_comes_from_a_campaign_until_both_gave_it_up() -> None:
    story = without_campaign()
    before = f"{story.now.date()}T09:00"
    story.wait(hours=1)

    assert story.refuses(THEIRS, LEAD).rule == "given-up"
    assert story.when(THEIRS, LEAD, happened=before)


def test_a_campaign_that_both_agree_again_brings_leads_again() -> None:
    story = without_campaign()
    (agreed,) = story.facts(CampaignAgreed)
    again = agreed.model_dump(include={"campaign", "title", "owner", "first_day", "last_day"})
    story.agree(OURS, CampaignAgreed.proposes(proposal="run-9", **again))

    assert story.when(THEIRS, LEAD)


def test_what_one_party_proposed_to_give_up_still_takes_entries() -> None:
    story = after(AgreeJointInvestment)
    (investment,) = story.facts(JointInvestmentAgreed)
    ends = ProposeCancellation(
        proposal="c-1", kind="investment", ref=investment.proposal, reason="It brought too little."
    )
    story.when(OURS, ends)

    assert story.when(THEIRS, changed(REVENUE, under=investment.proposal))


def completes(kind: str, ref: str, story: Story, party: str, command: Command) -> None:
    """Nothing more is recorded of what both gave up, until they agree it again."""
    give_up(story, kind, ref)

    refused = story.refuses(party, command)

    assert refused.rule == "given-up"
    assert f"They gave up {given_up_words(kind)} {ref}." in refused.detail


@pytest.mark.parametrize(
    ("kind", "ref", "agreed", "party", "command"),
    [
        ("milestone", "creative-final", AgreeMilestone, OURS, ReachMilestone),
        ("action", "A-1", AgreeAction, THEIRS, CompleteAction),
        ("campaign", "launch", AgreeCampaign, THEIRS, CloseCampaign),
        ("campaign", "launch", AgreeCampaign, OURS, ProposeReduction),
        ("step", "access", AgreeOnboardingStep, THEIRS, CompleteOnboardingStep),
        ("review", "operations-1", AgreeReview, OURS, ProposeReviewHeld),
        ("risk", "R-1", IdentifyRisk, OURS, ProposeRiskMitigated),
        ("milestone", "creative-final", AgreeMilestone, OURS, ProposeCancellation),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_what_both_gave_up_is_neither_done_nor_reduced_nor_given_up_again(
    kind: str, ref: str, agreed: type[Command], party: str, command: type[Command]
) -> None:
    named = {"kind": kind, "ref": ref} if command is ProposeCancellation else {}
    again = {"proposal": "again"} if "proposal" in command.model_fields else {}

    completes(kind, ref, after(agreed), party, example(command, **named, **again))


def test_a_milestone_of_both_that_they_gave_up_is_not_reached() -> None:
    story = at(Stage.EXECUTION)
    plan = example(ProposeMilestone, proposal="m-9", milestone="m-9", owner=None, reason=None)
    story.agree(OURS, plan)

    reached = ProposeMilestoneReached(proposal="r-9", milestone="m-9")
    completes("milestone", "m-9", story, OURS, reached)


@pytest.mark.parametrize("kind", [ProposeCampaign, ProposeReduction])
def test_an_investment_that_both_gave_up_pays_for_nothing_more(
    kind: type[ProposeCampaign | ProposeReduction],
) -> None:
    story = after(AgreeJointInvestment)
    paid = example(kind, proposal="p-9", budget="investment-1", campaign="autumn")
    story.when(OURS, paid)
    give_up(story, "investment", "investment-1")

    accept = kind.agreement.accepts(proposal="p-9")
    assert story.refuses(THEIRS, accept).rule == "given-up"
    assert story.refuses(OURS, changed(paid, proposal="p-10")).rule == "given-up"


def test_no_rule_is_agreed_on_an_investment_that_was_given_up() -> None:
    rule = changed(
        CONVERSION_FLOOR,
        action=Action.REDUCE_INVESTMENT,
        budget="investment-1",
        reduce_by=Decimal(50),
    )

    refused = without_investment().refuses(OURS, ProposeDecisionRule(proposal="r-9", rule=rule))

    assert refused.rule == "given-up"
