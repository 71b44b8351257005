"""Breach actions: an agreed action follows a breach once, with the breach as its cause (C20)."""

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.breach_actions import REVIEW_WITHIN, RuleBreached, RuleBreachWithdrawn, next_action
from domain.budgets import budgets
from domain.execution import (
    AgreeCancellation,
    AgreeReduction,
    IntroduceIncentive,
    InvestmentReduced,
    ProposeCampaign,
    ProposeCancellation,
    ProposeReduction,
    ReviewScheduled,
)
from domain.exit import GiveExitNotice
from domain.formation import AgreeDecisionRule, ProposeDecisionRule
from domain.kernel import CLOCK_PARTY, Stage
from domain.recorded import Recorded
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.scaling import AgreeJointInvestment, ProposeJointInvestment
from tests.life import OURS, THEIRS, at, example, usd
from tests.projections.folds import correct, count, percent, report
from tests.stories import Story

LINE = DecisionRule(
    rule="line",
    metric="leads",
    window=Window.MONTH,
    comparison=RuleComparison.BELOW,
    threshold=Decimal(100),
    measured="report",
    each_campaign=True,
    action=Action.REDUCE_INVESTMENT,
)


def agreed(story: Story, **more: object) -> Story:
    """Both agree a rule on leads of a month, or one that differs from it."""
    rule = LINE.model_copy(update=more)
    story.when(OURS, ProposeDecisionRule(proposal="line", rule=rule))
    story.when(THEIRS, AgreeDecisionRule(proposal="line"))
    return story


def last(story: Story, kind: type) -> Recorded:
    return next(each for each in reversed(story.history) if isinstance(each.event, kind))


def test_a_campaign_below_its_line_has_its_investment_halved_by_the_rule() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.on("2026-02-27")
    report(story, "leads", "2026-02", count(80), "spring")

    story.on("2026-03-01")

    (breach,) = story.facts(RuleBreached)
    (reduced,) = story.facts(InvestmentReduced)
    assert (breach.window, breach.finding) == (
        "2026-02/spring",
        "Leads in spring came to 80 in February 2026. Both agreed: not below 100.",
    )
    assert (reduced.campaign, reduced.by) == ("spring", Decimal(50))
    assert breach.finding in reduced.reason
    assert last(story, InvestmentReduced).act.party == CLOCK_PARTY


def test_a_rule_reduces_nothing_of_a_campaign_that_both_gave_up() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.agree(OURS, example(ProposeCampaign, proposal="run-9", campaign="spring"))
    story.on("2026-02-27")
    report(story, "leads", "2026-02", count(80), "spring")
    over = ProposeCancellation(proposal="c-9", kind="campaign", ref="spring", reason="No leads.")
    story.agree(OURS, over)

    story.on("2026-03-01")

    assert story.facts(RuleBreached)
    assert story.facts(InvestmentReduced) == []


def invested(story: Story) -> Story:
    """Both agree to invest 6000 USD together."""
    story.when(OURS, example(ProposeJointInvestment))
    story.when(THEIRS, example(AgreeJointInvestment))
    return story


def test_a_breach_reduces_the_budget_that_the_rule_names_by_what_it_says() -> None:
    story = invested(at(Stage.EXECUTION))
    agreed(story, budget="investment-1", reduce_by=Decimal(30))
    story.on("2026-03-02")
    report(story, "leads", "2026-02", count(80), "spring")
    report(story, "leads", "2026-02", count(10), "podcast")

    (budget,) = budgets(story.partnership.context.agreements)

    assert [(each.campaign, each.by) for each in budget.reductions] == [
        ("spring", Decimal(30)),
        ("podcast", Decimal(30)),
    ]
    # 30 % of the whole, then 30 % of what is left.
    whole = budget.agreed.amount
    assert budget.left.amount == whole * Decimal("0.49")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 100), max_size=6), st.integers(1, 10**7))
def test_what_is_left_of_a_budget_is_never_more_and_never_below_zero(
    reductions: list[int], cents: int
) -> None:
    story = at(Stage.EXECUTION)
    whole = usd(str(Decimal(cents).scaleb(-2)))
    story.when(OURS, example(ProposeJointInvestment, investment=whole))
    story.when(THEIRS, example(AgreeJointInvestment))
    expected = whole.amount
    for number, by in enumerate(reductions):
        cut = example(
            ProposeReduction,
            proposal=f"cut-{number}",
            reduction=f"cut-{number}",
            budget="investment-1",
            by=Decimal(by),
        )
        story.agree(OURS, cut)
        expected = (expected * (100 - by) / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)

    (budget,) = budgets(story.partnership.context.agreements)

    assert budget.left.amount == expected
    assert 0 <= budget.left.amount <= whole.amount


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"budget": "unheard-of"}, "no-such-budget"),
        ({"budget": "investment-1", "action": Action.NOTIFY}, "budget-without-reduction"),
    ],
)
def test_a_budget_is_an_agreed_joint_investment_of_a_rule_that_reduces_one(
    more: dict[str, object], rule: str
) -> None:
    story = invested(at(Stage.EXECUTION))
    line = LINE.model_copy(update=more)

    assert story.refuses(OURS, ProposeDecisionRule(proposal="line", rule=line)).rule == rule
    cut = example(ProposeReduction, budget="unheard-of")
    assert story.refuses(OURS, cut).rule == "no-such-budget"


def test_a_late_figure_breaks_the_rule_when_it_comes() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.on("2026-03-02")

    events = report(story, "leads", "2026-02", count(80), "spring")

    assert [each.wire for each in events] == [
        "MetricReported",
        "RuleBreached",
        "InvestmentReduced",
    ]
    assert last(story, RuleBreached).act.occurred_at == story.now


def test_what_was_done_about_a_breach_is_not_done_again() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.on("2026-03-02")
    report(story, "leads", "2026-02", count(80), "spring")

    correct(story, "leads", "2026-02", count(100), "spring")
    correct(story, "leads", "2026-02", count(99), "spring")

    assert len(story.facts(RuleBreached)) == 2
    assert len(story.facts(RuleBreachWithdrawn)) == 1
    assert len(story.facts(InvestmentReduced)) == 1


def test_two_quarters_below_the_floor_lead_to_a_review_within_two_weeks() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-06-30")
    for quarter in ("2026-Q1", "2026-Q2"):
        report(story, "lead_to_opportunity", quarter, percent(49, 1000))

    story.on("2026-07-01")

    breach = last(story, RuleBreached)
    review = story.facts(ReviewScheduled)[-1]
    assert review.kind == "quarterly-business-review"
    assert review.at == breach.act.occurred_at + REVIEW_WITHIN
    assert review.review == "conversion-floor:1:2026-Q2"


def test_a_rule_that_only_notifies_asks_for_nothing() -> None:
    story = agreed(at(Stage.EXECUTION), action=Action.NOTIFY)
    story.on("2026-03-02")

    events = report(story, "leads", "2026-02", count(80), "spring")

    assert [each.wire for each in events] == ["MetricReported", "RuleBreached"]


def test_nothing_is_asked_of_a_partnership_that_is_leaving() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.when(OURS, example(GiveExitNotice))
    story.on("2026-03-02")

    report(story, "leads", "2026-02", count(80), "spring")

    state = story.partnership
    assert len(story.facts(RuleBreached)) == 1
    assert story.facts(InvestmentReduced) == []
    assert next_action(state.breaches, state.context) is None


def test_a_rule_never_acts_on_what_was_before_it() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-10")
    agreed(story)
    story.wait(hours=timedelta(days=20) / timedelta(hours=1))

    report(story, "leads", "2026-02", count(80), "spring")

    assert story.facts(RuleBreached) == []
    assert story.when(OURS, example(IntroduceIncentive))


def test_a_reduction_that_both_gave_up_is_not_made_again() -> None:
    story = agreed(at(Stage.EXECUTION))
    story.on("2026-03-02")
    report(story, "leads", "2026-02", count(80), "spring")
    (first,) = story.facts(InvestmentReduced)

    give_up = example(ProposeCancellation, proposal="again", kind="reduction", ref=first.reduction)
    story.agree(OURS, give_up)
    story.on("2026-04-02")
    report(story, "leads", "2026-03", count(80), "spring")

    assert [each.reduction for each in story.facts(InvestmentReduced)].count(first.reduction) == 1
    assert len(story.facts(InvestmentReduced)) == 2


# --- a reduction of one, and of both -----------------------------------------------------------


def cut(name: str, **more: object) -> ProposeReduction:
    return example(ProposeReduction, proposal=name, reduction=name, **more)


def left(story: Story) -> Decimal:
    (budget,) = budgets(story.partnership.context.agreements)
    return budget.left.amount


def test_one_side_alone_takes_nothing_from_a_joint_budget() -> None:
    story = invested(at(Stage.EXECUTION))
    whole = left(story)

    story.when(OURS, cut("less", budget="investment-1"))

    assert left(story) == whole
    assert story.refuses(OURS, AgreeReduction(proposal="less")).rule == "own-proposal"
    story.when(THEIRS, AgreeReduction(proposal="less"))
    assert left(story) == whole / 2


def test_a_party_reduces_its_own_investment_alone_and_changes_that_alone() -> None:
    story = at(Stage.EXECUTION)

    story.when(OURS, cut("less"))
    story.when(OURS, cut("less-again", by=Decimal(20)).model_copy(update={"reduction": "less"}))

    [found] = story.partnership.context.agreements.of(InvestmentReduced)
    assert (found.by, found.agreed_version) == (Decimal(20), 2)


def test_nobody_changes_the_reduction_of_the_other_alone() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, cut("less"))
    change = cut("more", by=Decimal(90)).model_copy(update={"reduction": "less"})

    story.when(THEIRS, change)

    [found] = story.partnership.context.agreements.of(InvestmentReduced)
    assert found.by == Decimal(50)


def test_both_end_a_reduction_of_a_joint_budget_and_the_budget_is_whole_again() -> None:
    story = invested(at(Stage.EXECUTION))
    whole = left(story)
    story.agree(OURS, cut("less", budget="investment-1"))
    end = example(ProposeCancellation, proposal="over", kind="reduction", ref="less")

    story.when(OURS, end)
    assert left(story) == whole / 2
    story.when(THEIRS, AgreeCancellation(proposal="over"))

    assert left(story) == whole
