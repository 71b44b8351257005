"""Campaigns: both agree who runs one and when; it is moved, closed or given up (C17, C20)."""

from datetime import date
from decimal import Decimal

import pytest

from domain.execution import (
    AgreeCampaign,
    AgreeCancellation,
    CampaignAgreed,
    CloseCampaign,
    ProposeCampaign,
    ProposeCancellation,
    ProposeReduction,
)
from domain.exit import ProposeExit
from domain.kernel import Stage
from domain.scaling import AgreeJointInvestment, ExpandScope, JointInvestmentAgreed, ScopeExpanded
from projections.alerts import AlertState
from tests.life import OURS, THEIRS, after, at, example
from tests.projections.folds import alerts, states
from tests.stories import Story


def agreed(**fields: object) -> Story:
    """Return a story in which both agreed the campaign of the examples."""
    story = at(Stage.EXECUTION)
    story.agree(THEIRS, example(ProposeCampaign, **fields))
    return story


def campaigns(story: Story) -> list[CampaignAgreed]:
    return story.partnership.context.agreements.of(CampaignAgreed)


@pytest.mark.parametrize("closed_first", [True, False])
def test_a_reduction_ends_with_its_campaign_also_if_it_arrives_after_the_closing(
    closed_first: bool,  # noqa: FBT001 - a parameter
) -> None:
    story = after(AgreeCampaign)
    acts = [example(CloseCampaign), example(ProposeReduction, reduction="cut-9")]
    for each in acts if closed_first else reversed(acts):
        story.when(THEIRS, each)

    alert = alerts(story)["investment-reduced launch/cut-9"]
    assert (alert.state, alert.ended) == (
        AlertState.RESOLVED,
        f"Campaign launch was closed: {example(CloseCampaign).outcome}",
    )
    story.agree(OURS, example(ProposeCampaign, proposal="again", reason="One more week."))
    story.when(OURS, example(ProposeReduction, proposal="cut-10", reduction="cut-10"))
    assert states(story)["investment-reduced launch/cut-10"] == "open"


def test_a_campaign_is_agreed_by_both() -> None:
    story = at(Stage.EXECUTION)
    story.when(THEIRS, example(ProposeCampaign))
    assert campaigns(story) == []
    assert story.refuses(THEIRS, AgreeCampaign(proposal="run-1")).rule == "own-proposal"

    story.when(OURS, AgreeCampaign(proposal="run-1"))

    (found,) = campaigns(story)
    assert (found.campaign, found.owner, found.last_day) == ("launch", THEIRS, date(2026, 2, 27))


def test_the_party_that_runs_it_is_reminded_of_its_last_day_and_asked_what_it_brought() -> None:
    story = agreed()
    story.on("2026-02-26")
    assert states(story)["due-soon campaign/launch"] == "open"

    story.on("2026-02-28")

    assert states(story)["campaign-over launch"] == "open"
    refused = story.refuses(OURS, example(CloseCampaign))
    assert (refused.rule, refused.facts["owner"]) == ("not-the-owner", THEIRS)
    story.when(THEIRS, example(CloseCampaign))
    assert states(story)["campaign-over launch"] == "resolved"


def test_a_campaign_that_both_moved_is_over_on_its_new_day_and_closed_again() -> None:
    story = agreed()
    story.when(THEIRS, example(CloseCampaign))
    later = example(
        ProposeCampaign, proposal="run-2", last_day=date(2026, 3, 31), reason="It goes well."
    )
    story.agree(OURS, later)
    story.on("2026-03-01")
    assert "campaign-over launch" not in states(story)

    story.on("2026-04-01")

    assert states(story)["campaign-over launch"] == "open"


def test_a_campaign_is_changed_with_a_reason() -> None:
    refused = agreed().refuses(OURS, example(ProposeCampaign, proposal="run-2"))

    assert (refused.rule, refused.facts["field"]) == ("change-needs-reason", "reason")


def test_a_campaign_that_both_gave_up_is_never_over() -> None:
    story = agreed()
    up = ProposeCancellation(proposal="no", kind="campaign", ref="launch", reason="No speaker.")
    story.agree(OURS, up)

    story.on("2026-03-01")

    assert campaigns(story) == []
    assert "campaign-over launch" not in states(story)


def test_an_exit_that_takes_effect_gives_up_a_campaign() -> None:
    story = agreed()
    story.agree(OURS, example(ProposeExit, effective_on=date(2026, 2, 1)))

    story.on("2026-03-01")

    assert "campaign-over launch" not in states(story)


def test_a_campaign_does_not_end_before_it_begins() -> None:
    early = example(ProposeCampaign, last_day=date(2026, 1, 11))

    refused = at(Stage.EXECUTION).refuses(OURS, early)

    assert (refused.rule, refused.facts["field"]) == ("campaign-ends-first", "last_day")


def test_a_campaign_names_a_budget_that_both_agreed() -> None:
    refused = at(Stage.EXECUTION).refuses(OURS, example(ProposeCampaign, budget="none"))
    assert refused.rule == "no-such-budget"

    story = after(AgreeJointInvestment)
    story.agree(OURS, example(ProposeCampaign, proposal="madrid", campaign="madrid",
                              budget="investment-1"))  # fmt: skip

    assert campaigns(story)[-1].budget == "investment-1"


def test_only_a_campaign_that_was_agreed_is_closed() -> None:
    refused = at(Stage.EXECUTION).refuses(THEIRS, example(CloseCampaign))

    assert refused.rule == "nothing-planned"


@pytest.mark.parametrize(
    ("kind", "ref", "agreed_kind", "command"),
    [
        ("investment", "investment-1", JointInvestmentAgreed, AgreeJointInvestment),
        ("scope", "scope-1", ScopeExpanded, ExpandScope),
    ],
)
def test_both_give_up_a_mistyped_investment_or_scope_and_agree_another(
    kind: str, ref: str, agreed_kind: type, command: type
) -> None:
    story = after(command)
    up = ProposeCancellation(proposal="no", kind=kind, ref=ref, reason="A zero too many.")
    story.when(OURS, up)
    assert story.refuses(OURS, AgreeCancellation(proposal="no")).rule == "own-proposal"
    assert story.partnership.context.agreements.of(agreed_kind)

    story.when(THEIRS, AgreeCancellation(proposal="no"))

    assert story.partnership.context.agreements.of(agreed_kind) == []


def test_an_investment_that_both_gave_up_is_reduced_no_more() -> None:
    story = after(AgreeJointInvestment)
    story.agree(
        OURS,
        ProposeCancellation(
            proposal="no", kind="investment", ref="investment-1", reason="A zero too many."
        ),
    )

    cut = example(
        ProposeReduction, proposal="cut-9", reduction="cut-9", budget="investment-1", by=Decimal(10)
    )

    assert story.refuses(OURS, cut).rule == "given-up"
