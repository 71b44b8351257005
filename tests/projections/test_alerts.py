"""Alerts: what opens and ends each; each change is emitted once and names its evidence."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.claims import ConfirmClaim, FigureRef
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, PeriodClosed
from domain.execution import (
    AgreeMilestone,
    AgreeReviewHeld,
    MilestonePlanned,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeReview,
    ProposeReviewHeld,
    RaiseIssue,
    ReachMilestone,
)
from domain.exit import (
    ExitReason,
    GiveExitNotice,
    ProposeCompletion,
    ProposeDisposition,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.formation import DecisionRuleAgreed
from domain.kernel import Event, Stage
from domain.referral import SubmitReferral
from domain.renewal import AcceptRenewal, HoldRenewalReview, ProposeRenewal
from domain.reported_figure import OTHER_CHANNELS, CorrectMetric, MetricCorrected, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sale import CancelDeal
from domain.settlement import IssueFinalSettlement
from domain.sharing import ProposeDataSharing, SharingLine
from domain.standing_alerts import AlertKind
from projections import ALERTS
from projections.alerts import Alert, AlertEnd
from projections.breaches import RuleFacts, Shortfall
from projections.fold import fold, replay
from tests.life import CONVERSION_FLOOR, OURS, THEIRS, at, changed, example
from tests.projections.folds import (
    agree,
    agree_minimum,
    alerts,
    correct,
    count,
    emitted,
    percent,
    refer,
    refer_many,
    report,
    rule_facts,
    running,
    sell,
    states,
)
from tests.projections.money import amend
from tests.stories import Story, moment

BREACHES = (RuleBreached, RuleBreachWithdrawn)

CAMPAIGN_LEADS = DecisionRule(
    rule="campaign-leads",
    metric="leads",
    window=Window.MONTH,
    comparison=RuleComparison.BELOW,
    threshold=Decimal(100),
    measured="report",
    each_campaign=True,
    action=Action.REDUCE_INVESTMENT,
)


def judged(story: Story) -> dict[str, str]:
    """Return the alerts of a story, without those on figures that nobody reported.

    Also without those that only follow from a rule's action, and those on leads.
    """
    others = ("investment-reduced ", "lead-", "figure-overdue ", "due-soon figure/")
    return {name: state for name, state in states(story).items() if not name.startswith(others)}


def index_of(story: Story, fact: Event) -> int:
    (index,) = [each.index for each in story.history if each.event == fact]
    return index


# --- the referral minimum (C10) ----------------------------------------------------------------


def test_eight_of_ten_referrals_open_an_alert_when_the_quarter_closes() -> None:
    story = running()
    refer_many(story, range(8))
    story.on("2026-03-31")
    assert judged(story) == {}
    story.on("2026-04-01T00:00")

    alert = alerts(story)["referral-minimum 2026-Q1"]
    assert alert.id == "referral-minimum@1/growthos-brightpath/2026-Q1"
    assert alert.state == "open"
    assert alert.since == moment("2026-04-01T00:00")
    assert alert.facts == Shortfall(THEIRS, Decimal(8), Decimal(10), Decimal(2))


def test_as_many_referrals_as_agreed_are_no_breach() -> None:
    story = running()
    refer_many(story, range(10))
    story.on("2026-04-01")

    assert judged(story) == {}


def test_leads_of_the_other_party_do_not_count_towards_the_minimum() -> None:
    story = running()
    refer_many(story, range(9))
    for name in ("O-1", "O-2"):
        story.when(OURS, SubmitReferral(deal=name, lead=name))
    story.on("2026-04-01")

    alert = alerts(story)["referral-minimum 2026-Q1"]
    assert alert.facts == Shortfall(THEIRS, Decimal(9), Decimal(10), Decimal(1))


def test_where_both_have_a_minimum_the_alert_is_about_the_one_that_falls_short_most() -> None:
    story = running()
    least = {OURS: 2, THEIRS: 3}
    amend(story, since=date(2026, 1, 6), minimum_referrals_per_quarter=least)
    refer_many(story, range(2))
    story.on("2026-07-01")

    alert = alerts(story)["referral-minimum 2026-Q2"]
    assert alert.facts == Shortfall(THEIRS, Decimal(0), Decimal(3), Decimal(3))
    assert alert.text == (f"{THEIRS} brought 0 of 3, {OURS} brought 0 of 2 referrals in 2026-Q2.")


def test_none_at_all_fall_short_of_a_minimum() -> None:
    story = running("2026-04-01")

    facts = alerts(story)["referral-minimum 2026-Q1"].facts
    assert facts == Shortfall(THEIRS, Decimal(0), Decimal(10), Decimal(10))


def test_a_better_quarter_resolves_the_alert_of_the_one_before() -> None:
    story = running()
    refer_many(story, range(8))
    story.on("2026-05-04")
    refer_many(story, range(8, 22))
    story.on("2026-07-01")

    alert = alerts(story)["referral-minimum 2026-Q1"]
    assert (alert.state, alert.until) == ("resolved", moment("2026-07-01T00:00"))
    assert "referral-minimum 2026-Q2" not in states(story)


def test_late_referrals_of_the_quarter_withdraw_it_with_the_one_that_reached_the_minimum() -> None:
    story = running()
    refer_many(story, range(8))
    story.on("2026-04-03")
    refer(story, "late-1", happened="2026-03-31T23:00")
    assert judged(story) == {"referral-minimum 2026-Q1": "open"}
    refer(story, "late-2", happened="2026-03-31T23:30")

    alert = alerts(story)["referral-minimum 2026-Q1"]
    assert alert.state == "withdrawn"
    assert alert.ended == f"No breach after all: {THEIRS} brought 10 of 10 referrals in 2026-Q1."
    assert alert.ended_code is AlertEnd.FIGURES_CHANGED
    assert isinstance(alert.facts_before, Shortfall)
    assert isinstance(alert.facts, Shortfall)
    assert (alert.facts_before.value, alert.facts.value) == (Decimal(9), Decimal(10))
    assert story.history[-1].index in alert.evidence


def test_a_late_referral_of_another_quarter_changes_nothing() -> None:
    story = running()
    refer_many(story, range(9))
    story.on("2026-04-03")
    refer(story, "next", happened="2026-04-01T00:00")

    assert judged(story) == {"referral-minimum 2026-Q1": "open"}


def test_a_new_minimum_binds_from_the_next_quarter_and_has_an_alert_of_its_own_version() -> None:
    story = running("2026-02-02")
    agree_minimum(story, 20, date(2026, 2, 10))
    refer_many(story, range(10))
    story.on("2026-04-02")
    refer_many(story, range(10, 25))
    story.on("2026-07-01")

    assert "referral-minimum 2026-Q1" not in states(story)
    alert = alerts(story)["referral-minimum 2026-Q2"]
    assert alert.state == "open"
    assert alert.version == 2
    assert alert.facts == Shortfall(THEIRS, Decimal(15), Decimal(20), Decimal(5))


# --- the conversion rule (C20): below 5 % in two consecutive quarters --------------------------


def conversion(story: Story, quarter: str, per_mille: int) -> None:
    report(story, "lead_to_opportunity", quarter, percent(per_mille, 1000))


def two_quarters(first: int, second: int) -> Story:
    story = running("2026-03-31")
    conversion(story, "2026-Q1", first)
    refer_many(story, range(10))
    story.on("2026-06-30")
    conversion(story, "2026-Q2", second)
    refer_many(story, range(10, 20))
    story.on("2026-07-01")
    return story


def conversion_states(story: Story) -> dict[str, str]:
    return {
        name.removeprefix("conversion-floor "): state
        for name, state in states(story).items()
        if name.startswith("conversion-floor")
    }


def test_twice_4_9_percent_is_a_breach_that_names_its_evidence() -> None:
    story = two_quarters(49, 49)

    assert conversion_states(story) == {"2026-Q2": "open"}
    alert = alerts(story)["conversion-floor 2026-Q2"]
    assert alert.facts == RuleFacts(
        (Decimal("4.9"), Decimal("4.9")), Decimal(5), Action.ESCALATE_TO_REVIEW
    )
    agreed = index_of(story, story.facts(DecisionRuleAgreed)[0])
    first, second = (index_of(story, PeriodClosed(period=f"2026-Q{each}")) for each in (1, 2))
    assert alert.evidence == (agreed, first, second)
    assert alert.cause == second


@pytest.mark.parametrize(
    ("first", "second"), [(49, 50), (50, 49), (50, 50), (49, 51)], ids=lambda each: f"{each / 10}"
)
def test_a_quarter_at_the_floor_or_above_is_no_breach(first: int, second: int) -> None:
    assert conversion_states(two_quarters(first, second)) == {}


def test_4_9_then_5_0_then_4_9_is_no_breach() -> None:
    story = two_quarters(49, 50)
    story.on("2026-09-30")
    conversion(story, "2026-Q3", 49)
    story.on("2026-10-01")

    assert conversion_states(story) == {}


def test_a_late_correction_to_the_floor_withdraws_the_breach_and_both_facts_stand() -> None:
    story = two_quarters(49, 49)
    before = emitted(story)
    story.on("2026-07-21")
    correct(story, "lead_to_opportunity", "2026-Q1", percent(50, 1000))

    assert conversion_states(story) == {"2026-Q2": "withdrawn"}
    alert = alerts(story)["conversion-floor 2026-Q2"]
    assert rule_facts(alert).values == (Decimal(5), Decimal("4.9"))
    assert isinstance(alert.facts_before, RuleFacts)
    assert alert.facts_before.values == (Decimal("4.9"), Decimal("4.9"))
    correction = max(
        each.index for each in story.history if isinstance(each.event, MetricCorrected)
    )
    assert correction in alert.evidence
    assert emitted(story)[: len(before)] == before
    assert [each.body.state for each in emitted(story) if each.body.rule == "conversion-floor"] == [
        "open",
        "withdrawn",
    ]


def test_a_breach_that_is_withdrawn_once_things_are_better_still_says_since_when_it_was() -> None:
    story = two_quarters(49, 49)
    story.on("2026-09-30")
    conversion(story, "2026-Q3", 56)
    story.on("2026-10-01")
    resolved = alerts(story)["conversion-floor 2026-Q2"]
    correct(story, "lead_to_opportunity", "2026-Q1", percent(50, 1000))

    alert = alerts(story)["conversion-floor 2026-Q2"]

    assert (resolved.state, alert.state) == ("resolved", "withdrawn")
    assert (alert.since, alert.text) == (resolved.since, resolved.text)
    assert set(resolved.evidence) < set(alert.evidence)


def test_a_correction_back_below_the_floor_opens_it_again() -> None:
    story = two_quarters(49, 49)
    story.on("2026-07-21")
    correct(story, "lead_to_opportunity", "2026-Q1", percent(50, 1000))
    story.wait(hours=1)
    correct(story, "lead_to_opportunity", "2026-Q1", percent(48, 1000))

    assert conversion_states(story) == {"2026-Q2": "open"}
    of_rule = [each.id for each in emitted(story) if each.body.rule == "conversion-floor"]
    assert len(set(of_rule)) == len(of_rule) == 3
    assert [type(each.event) for each in story.history if isinstance(each.event, BREACHES)] == [
        RuleBreached,
        RuleBreachWithdrawn,
        RuleBreached,
    ]


def test_no_leads_in_one_of_the_quarters_is_no_breach() -> None:
    story = running("2026-06-30")
    conversion(story, "2026-Q2", 49)
    story.on("2026-07-01")

    assert conversion_states(story) == {}


def test_a_quarter_without_leads_is_no_breach_even_where_it_is_reported() -> None:
    story = running("2026-06-30")
    report(story, "lead_to_opportunity", "2026-Q1", percent(0, 0))
    conversion(story, "2026-Q2", 49)
    story.on("2026-07-01")

    assert conversion_states(story) == {}


def counted_breach() -> Story:
    """Two quarters in which deals show that no lead became an opportunity."""
    story = running()
    agree(story, changed(CONVERSION_FLOOR, measured="count"))
    story.on("2026-04-10")
    refer_many(story, range(20))
    story.on("2026-07-10")
    refer_many(story, range(20, 40))
    story.on("2026-10-01")
    return story


def test_a_rate_counted_from_deals_breaks_the_rule_as_a_reported_one_does() -> None:
    assert conversion_states(counted_breach()) == {"2026-Q3": "open"}


def test_a_party_cannot_withdraw_its_breach_by_reporting_against_the_count() -> None:
    story = counted_breach()
    for quarter in ("2026-Q2", "2026-Q3"):
        command = ReportMetric(
            metric="lead_to_opportunity", period=quarter, tool="theirs", figure=percent(90, 100)
        )
        story.when(THEIRS, command)

    assert conversion_states(story) == {"2026-Q3": "open"}
    assert not story.facts(RuleBreachWithdrawn)


@pytest.mark.parametrize(
    ("metric", "tool"), [("web_visits", "crm"), ("new_users", None)], ids=["rule", "objective"]
)
def test_a_party_cannot_withdraw_its_breach_with_a_tool_that_nobody_agreed(
    metric: str, tool: str | None
) -> None:
    """The rule names the tool, or the objective on the same metric does."""
    story = running()
    rule = changed(
        CONVERSION_FLOOR,
        rule="floor",
        metric=metric,
        window="month",
        threshold=Decimal(100),
        consecutive=1,
        action=Action.NOTIFY,
        tool=tool,
    )
    agree(story, rule)
    story.on("2026-03-03")
    report(story, metric, "2026-02", count(50))
    story.on("2026-04-02")
    name = "floor 2026-02"
    assert states(story)[name] == "open"

    for month in ("2026-01", "2026-02", "2026-03"):
        story.when(
            THEIRS, ReportMetric(metric=metric, period=month, tool="aaa", figure=count(5000))
        )

    assert states(story)[name] == "open"
    assert not story.facts(RuleBreachWithdrawn)


def test_a_party_cannot_correct_what_the_other_reported_to_withdraw_its_breach() -> None:
    story = two_quarters(49, 49)
    story.on("2026-07-21")
    lines = [
        SharingLine(
            metrics=["lead_to_opportunity"], by=by, to=to, frequency="quarterly", tool="crm"
        )
        for by, to in ((OURS, THEIRS), (THEIRS, OURS))
    ]
    story.agree(OURS, ProposeDataSharing(proposal="sharing-2", lines=lines))
    wrong = CorrectMetric(
        metric="lead_to_opportunity",
        period="2026-Q1",
        tool="crm",
        figure=percent(500, 1000),
        reason="We count more.",
    )
    story.when(THEIRS, wrong)
    assert conversion_states(story) == {"2026-Q2": "open"}

    story.on("2026-07-22")
    figure = FigureRef(metric="lead_to_opportunity", period="2026-Q1", tool="crm")
    story.when(OURS, ConfirmClaim(figure=figure, fact="correction/figure"))

    assert conversion_states(story) == {"2026-Q2": "withdrawn"}


def test_a_cancelled_deal_opens_the_alert_that_its_win_had_kept_closed() -> None:
    story = running()
    rule = changed(CONVERSION_FLOOR, rule="wins", metric="deals_won", threshold=Decimal(2))
    agree(story, changed(rule, measured="count", consecutive=1))
    story.on("2026-04-10")
    sell(story, "D-1", "1000.00")
    sell(story, "D-2", "1000.00")
    story.on("2026-07-01")
    assert "wins 2026-Q2" not in states(story)

    story.on("2026-07-10")
    story.when(OURS, CancelDeal(deal="D-1", reason="The customer withdrew."))

    assert states(story)["wins 2026-Q2"] == "open"


def test_a_rule_on_money_judges_the_currency_that_it_names() -> None:
    story = running()
    rule = changed(CONVERSION_FLOOR, rule="value", metric="won_value", threshold=Decimal(5000))
    agree(story, changed(rule, measured="count", consecutive=1, currency="USD"))
    story.on("2026-04-10")
    sell(story, "D-1", "1.00", "EUR")
    sell(story, "D-2", "9000.00", "USD")
    story.on("2026-07-01")

    assert "value 2026-Q2" not in states(story)


def test_a_quarter_that_nobody_reported_is_no_sign_that_things_got_better() -> None:
    story = two_quarters(49, 49)
    story.on("2026-10-01")
    assert conversion_states(story) == {"2026-Q2": "open"}
    conversion(story, "2026-Q3", 56)

    assert conversion_states(story) == {"2026-Q2": "resolved"}


def test_three_quarters_below_the_floor_are_a_breach_in_each_second_one() -> None:
    story = two_quarters(49, 49)
    story.on("2026-09-30")
    conversion(story, "2026-Q3", 48)
    story.on("2026-10-01")

    assert conversion_states(story) == {"2026-Q2": "open", "2026-Q3": "open"}


def test_a_rule_never_looks_at_a_window_that_began_before_it_was_agreed() -> None:
    story = running("2026-04-01T00:01")
    agree(story, changed(CONVERSION_FLOOR, rule="later-floor"))
    story.on("2026-12-31")
    for quarter in ("2026-Q2", "2026-Q3", "2026-Q4"):
        conversion(story, quarter, 10)
    story.on("2027-01-01")

    later = {name: state for name, state in states(story).items() if "later-floor" in name}
    assert later == {"later-floor 2026-Q4": "open"}


def test_a_rule_agreed_at_the_moment_a_quarter_begins_binds_in_it() -> None:
    story = running("2026-04-01T00:00")
    agree(story, changed(CONVERSION_FLOOR, rule="later-floor", consecutive=1))
    story.on("2026-06-30")
    conversion(story, "2026-Q2", 10)
    story.on("2026-07-01")

    assert "later-floor 2026-Q2" in states(story)


def test_what_closed_under_one_version_of_a_rule_is_judged_by_that_version() -> None:
    story = running("2026-05-04")
    agree(story, changed(CONVERSION_FLOOR, threshold=Decimal(3)))
    story.on("2026-06-30")
    conversion(story, "2026-Q1", 49)
    conversion(story, "2026-Q2", 49)
    story.on("2026-07-01")

    # Both quarters began before version 2 was agreed, so the floor of 5 % bound in them.
    alert = alerts(story)["conversion-floor 2026-Q2"]
    assert (alert.version, rule_facts(alert).threshold) == (1, Decimal(5))

    story.on("2026-12-31")
    conversion(story, "2026-Q3", 49)
    conversion(story, "2026-Q4", 49)
    story.on("2027-01-01")
    assert conversion_states(story) == {"2026-Q2": "resolved"}


def test_a_correction_withdraws_a_breach_of_a_version_that_no_longer_binds() -> None:
    story = two_quarters(49, 49)
    agree(story, changed(CONVERSION_FLOOR, threshold=Decimal(3)))
    correct(story, "lead_to_opportunity", "2026-Q1", percent(50, 1000))

    assert conversion_states(story) == {"2026-Q2": "withdrawn"}


def test_a_breach_that_a_late_fact_shows_is_one_since_the_window_closed() -> None:
    story = two_quarters(49, 51)
    story.on("2026-07-03")
    correct(story, "lead_to_opportunity", "2026-Q2", percent(49, 1000), happened="2026-06-29T10:00")

    assert alerts(story)["conversion-floor 2026-Q2"].since == moment("2026-07-01T00:00")


# --- what deals and entries count: none of it is zero (C15) -------------------------------------


LEADS_FLOOR = changed(CAMPAIGN_LEADS, each_campaign=False, threshold=Decimal(3), measured="count")


@pytest.mark.parametrize("metric", ["leads", "joint_revenue"])
def test_a_month_without_any_fact_is_below_a_floor_on_what_is_counted(metric: str) -> None:
    story = running("2026-01-31")
    currency = "USD" if metric == "joint_revenue" else None
    agree(story, changed(LEADS_FLOOR, metric=metric, currency=currency))
    story.on("2026-02-28")
    assert judged(story) == {}

    story.on("2026-03-01")

    assert judged(story) == {"campaign-leads 2026-02": "open"}
    assert rule_facts(alerts(story)["campaign-leads 2026-02"]).values == (Decimal(0),)


def test_late_word_of_enough_leads_withdraws_that_a_month_had_none() -> None:
    story = running("2026-01-31")
    agree(story, LEADS_FLOOR)
    story.on("2026-03-01")
    story.given([])

    for lead in range(3):
        refer(story, f"late-{lead}", happened="2026-02-20T10:00")

    assert judged(story)["campaign-leads 2026-02"] == "withdrawn"


def test_a_month_without_any_fact_resolves_a_rule_that_asks_for_less() -> None:
    story = running("2026-01-31")
    agree(story, changed(LEADS_FLOOR, comparison=RuleComparison.ABOVE))
    story.on("2026-02-10")
    refer_many(story, range(4))
    story.on("2026-03-01")
    assert judged(story) == {"campaign-leads 2026-02": "open"}

    story.on("2026-04-01")

    assert judged(story)["campaign-leads 2026-02"] == "resolved"


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "new_users"},
        {"measured": "report"},
        {"metric": "contributed_hours"},
        {"metric": "lead_to_opportunity"},
        {"each_campaign": True},
    ],
    ids=lambda each: "-".join(map(str, each.values())),
)
def test_a_month_that_nobody_measured_is_not_zero(changes: dict[str, Any]) -> None:
    story = running("2026-01-31")
    agree(story, changed(LEADS_FLOOR, **changes))
    story.on("2026-03-01")

    assert judged(story) == {}


# --- campaigns below 100 leads a month (C20) ---------------------------------------------------


def campaigns(**leads: int) -> Story:
    story = running("2026-01-31")
    agree(story, CAMPAIGN_LEADS)
    story.on("2026-02-28")
    for campaign, number in leads.items():
        report(story, "leads", "2026-02", count(number), campaign)
    story.on("2026-03-01")
    return story


def test_each_campaign_below_100_leads_a_month_opens_an_alert_of_its_own() -> None:
    story = campaigns(webinars=80, podcast=99, fair=100, newsletter=250)

    assert judged(story) == {
        "campaign-leads 2026-02/podcast": "open",
        "campaign-leads 2026-02/webinars": "open",
    }
    alert = alerts(story)["campaign-leads 2026-02/webinars"]
    assert rule_facts(alert).action is Action.REDUCE_INVESTMENT
    assert rule_facts(alert).values == (Decimal(80),)


def test_a_rule_on_one_market_judges_that_market_alone() -> None:
    story = running("2026-01-31")
    floor = changed(CAMPAIGN_LEADS, each_campaign=False, segment="spain", metric="new_users")
    agree(story, floor)
    story.on("2026-02-28")
    for market, number in {"france": 5, "spain": 80}.items():
        report(story, "new_users", "2026-02", count(number), market)
    story.on("2026-03-01")

    assert judged(story) == {"campaign-leads 2026-02/spain": "open"}
    alert = alerts(story)["campaign-leads 2026-02/spain"]
    assert (
        alert.text == "New users in spain came to 80 in February 2026. Both agreed: not below 100."
    )


def test_referrals_tagged_with_a_campaign_count_for_it() -> None:
    story = running("2026-01-31")
    agree(story, changed(CAMPAIGN_LEADS, threshold=Decimal(3), measured="count"))
    story.on("2026-02-10")
    refer_many(story, range(2), campaign="webinars")
    refer_many(story, range(2, 5), campaign="podcast")
    story.on("2026-03-01")

    assert judged(story) == {"campaign-leads 2026-02/webinars": "open"}


def test_a_campaign_without_any_leads_that_month_is_no_breach() -> None:
    story = campaigns(webinars=120)
    story.on("2026-04-01")

    assert "campaign-leads 2026-03/webinars" not in states(story)


def test_other_channels_are_no_campaign() -> None:
    assert judged(campaigns(**{OTHER_CHANNELS: 10})) == {}


def test_a_good_month_of_one_campaign_resolves_only_its_own_alert() -> None:
    story = campaigns(webinars=80, podcast=90)
    story.on("2026-03-31")
    report(story, "leads", "2026-03", count(130), "webinars")
    report(story, "leads", "2026-03", count(60), "podcast")
    story.on("2026-04-01")

    assert {name: state for name, state in judged(story).items() if "campaign" in name} == {
        "campaign-leads 2026-02/podcast": "open",
        "campaign-leads 2026-02/webinars": "resolved",
        "campaign-leads 2026-03/podcast": "open",
    }


def test_a_correction_of_a_month_that_is_over_opens_what_it_shows() -> None:
    story = campaigns(webinars=120)
    correct(story, "leads", "2026-02", count(97), "webinars")

    assert judged(story) == {"campaign-leads 2026-02/webinars": "open"}


def test_a_breach_found_late_is_resolved_by_the_good_month_that_followed_it() -> None:
    story = campaigns(webinars=120)
    story.on("2026-03-31")
    report(story, "leads", "2026-03", count(130), "webinars")
    story.on("2026-04-02")
    correct(story, "leads", "2026-02", count(97), "webinars")

    assert states(story)["campaign-leads 2026-02/webinars"] == "resolved"


def test_what_a_wrong_figure_resolved_is_open_again_once_that_is_corrected() -> None:
    story = campaigns(webinars=80)
    february, march = (f"campaign-leads 2026-{month}/webinars" for month in ("02", "03"))
    story.on("2026-03-31")
    report(story, "leads", "2026-03", count(120), "webinars")
    story.on("2026-04-02")
    assert states(story)[february] == "resolved"
    correct(story, "leads", "2026-03", count(90), "webinars")

    assert [states(story)[each] for each in (february, march)] == ["open", "open"]
    again = alerts(story)[february]
    assert again.since == moment("2026-03-01T00:00")
    assert (again.ended, again.until, again.better_in) == (None, None, None)
    changes = [each.body.state for each in emitted(story) if each.body.id == again.id]
    assert changes == ["open", "resolved", "open"]


def test_what_a_later_month_resolves_too_stays_resolved_after_the_correction() -> None:
    story = campaigns(webinars=80)
    february, march = (f"campaign-leads 2026-{month}/webinars" for month in ("02", "03"))
    story.on("2026-03-31")
    report(story, "leads", "2026-03", count(120), "webinars")
    story.on("2026-04-30")
    report(story, "leads", "2026-04", count(130), "webinars")
    story.on("2026-05-02")
    correct(story, "leads", "2026-03", count(90), "webinars")

    assert [states(story)[each] for each in (february, march)] == ["resolved", "resolved"]
    assert alerts(story)[february].better_in == "2026-04"


# --- milestones and reviews (C17, C22) ---------------------------------------------------------


def with_milestone() -> Story:
    story = running()
    story.when(OURS, example(ProposeMilestone))
    story.when(THEIRS, example(AgreeMilestone))
    return story


def test_a_milestone_is_missed_when_its_day_is_over() -> None:
    story = with_milestone()
    story.on("2026-01-17T23:59")
    assert judged(story) == {}
    story.on("2026-01-19T23:59")
    assert judged(story) == {"due-soon milestone/creative-final": "open"}
    story.on("2026-01-20T00:00")

    alert = alerts(story)["milestone-missed creative-final"]
    assert (alert.state, alert.text) == ("open", "Milestone creative-final was due on 2026-01-19.")
    assert alert.since == moment("2026-01-20T00:00")


def test_a_milestone_reached_late_resolves_its_alert() -> None:
    story = with_milestone()
    story.on("2026-01-21")
    story.when(OURS, example(ReachMilestone), happened="2026-01-20T00:00")

    assert judged(story) == {
        "due-soon milestone/creative-final": "resolved",
        "milestone-missed creative-final": "resolved",
    }


def test_word_that_comes_late_of_a_milestone_reached_in_time_withdraws_its_alert() -> None:
    story = with_milestone()
    story.on("2026-01-21")
    story.when(OURS, example(ReachMilestone), happened="2026-01-19T23:59")

    alert = alerts(story)["milestone-missed creative-final"]
    assert alert.state == "withdrawn"
    assert (alert.ended or "").endswith("It was in time and was reported late.")
    assert len([each for each in emitted(story) if each.body.rule == alert.rule]) == 2


def test_a_withdrawn_alert_ends_when_that_became_known_and_not_before_it_opened() -> None:
    story = with_milestone()
    story.on("2026-01-21")
    story.when(OURS, example(ReachMilestone), happened="2026-01-12T10:00")

    alert = alerts(story)["milestone-missed creative-final"]
    assert (alert.since, alert.until) == (moment("2026-01-20T00:00"), story.now)


@pytest.mark.parametrize("told_late", [True, False])
def test_a_miss_that_was_real_stays_after_a_move_and_word_that_comes_late(
    told_late: bool,  # noqa: FBT001 - a case
) -> None:
    story = with_milestone()
    story.on("2026-01-21")
    moved = example(
        ProposeMilestone, proposal="moved", due=date(2026, 2, 2), reason="The printer is late."
    )
    story.agree(OURS, moved)
    missed = alerts(story)["milestone-missed creative-final"]
    story.on("2026-02-05")
    again = alerts(story)["milestone-missed creative-final"]
    assert (again.state, again.since) == ("open", moment("2026-02-03T00:00"))
    assert again.earlier is not None
    assert (again.earlier.since, again.earlier.ended) == (missed.since, missed.ended)

    happened = "2026-02-01" if told_late else None
    story.when(OURS, example(ReachMilestone), happened=happened)

    alert = alerts(story)["milestone-missed creative-final"]
    assert alert.state == "resolved"
    if told_late:
        # The second miss was none, and the first one was.
        assert (alert.since, alert.until, alert.text) == (missed.since, missed.until, missed.text)
        assert alert.earlier is None
    else:
        assert (alert.since, alert.earlier) == (again.since, again.earlier)


@pytest.mark.parametrize("moved_first", [True, False])
def test_a_milestone_that_was_moved_and_had_been_reached_in_time_was_never_missed(
    moved_first: bool,  # noqa: FBT001 - a case
) -> None:
    story = with_milestone()
    story.on("2026-01-21")
    late = {"due": date(2026, 2, 2), "reason": "The printer is late."}
    moved = example(ProposeMilestone, proposal="moved", **late)
    reach = example(ReachMilestone)

    if moved_first:
        story.agree(OURS, moved)
        assert states(story)["milestone-missed creative-final"] == "resolved"
        story.when(OURS, reach, happened="2026-01-18")
    else:
        story.when(OURS, reach, happened="2026-01-18")
        story.agree(OURS, moved)

    assert states(story)["milestone-missed creative-final"] == "withdrawn"


def test_a_milestone_that_was_moved_and_is_reached_on_its_new_day_was_missed_once() -> None:
    story = with_milestone()
    story.on("2026-01-21")
    late = {"due": date(2026, 2, 2), "reason": "The printer is late."}
    story.agree(OURS, example(ProposeMilestone, proposal="moved", **late))
    story.on("2026-02-01")

    story.when(OURS, example(ReachMilestone))

    assert states(story)["milestone-missed creative-final"] == "resolved"


def test_a_milestone_reached_in_time_says_nothing() -> None:
    story = with_milestone()
    story.on("2026-01-17")
    story.when(OURS, example(ReachMilestone))
    story.on("2026-02-01")

    assert len(story.facts(MilestonePlanned)) == 1
    assert emitted(story) == []


@pytest.mark.parametrize(
    ("happened", "state"),
    [("2026-01-30T10:00", "withdrawn"), ("2026-01-31T00:00", "resolved")],
)
def test_a_missed_review_ends_by_the_day_on_which_it_was_held(happened: str, state: str) -> None:
    story = running()
    story.agree(OURS, example(ProposeReview, at=datetime(2026, 1, 30, 10, tzinfo=UTC)))
    story.on("2026-02-02")
    assert states(story)["review-missed operations-1"] == "open"
    story.when(OURS, example(ProposeReviewHeld), happened=happened)
    story.wait(days=1)
    story.when(THEIRS, example(AgreeReviewHeld))

    assert states(story)["review-missed operations-1"] == state


# --- issues: 48 hours (C24) --------------------------------------------------------------------


def with_issue() -> Story:
    story = running()
    story.when(THEIRS, example(RaiseIssue))
    return story


def test_an_issue_open_for_47_59_is_not_escalated_and_at_48_00_it_is() -> None:
    story = with_issue()
    raised = story.now
    story.wait(hours=47, minutes=59)
    assert judged(story) == {}
    story.wait(minutes=1)

    alert = alerts(story)["issue-escalated I-1"]
    assert alert.state == "open"
    assert alert.since == raised + timedelta(hours=48)


@pytest.mark.parametrize(
    ("minutes", "state"), [(48 * 60 - 1, "withdrawn"), (48 * 60, "resolved")], ids=str
)
def test_a_late_resolution_ends_the_escalation_by_when_it_happened(
    minutes: int, state: str
) -> None:
    story = with_issue()
    happened = f"{story.now + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}"
    story.wait(hours=60)
    story.agree(OURS, example(ProposeIssueResolution), happened=happened)

    assert judged(story) == {"issue-escalated I-1": state}


# --- notice and term (C11) ---------------------------------------------------------------------


def notice(story: Story) -> str | None:
    return states(story).get("notice-due 2028-11-02")


def test_the_last_day_for_notice_of_three_years_from_2026_is_2_november_2028() -> None:
    story = running("2028-10-02T23:59")
    assert notice(story) is None
    story.on("2028-10-03T00:00")
    assert notice(story) == "open"
    assert alerts(story)["notice-due 2028-11-02"].kind is AlertKind.REMINDER
    story.on("2028-11-02T23:59")
    assert notice(story) == "open"
    story.on("2028-11-03T00:00")
    assert notice(story) == "resolved"


def test_notice_given_resolves_the_reminder() -> None:
    story = running("2028-10-10")
    story.when(
        THEIRS,
        GiveExitNotice(
            exit="exit-1",
            reason=ExitReason.NO_LONGER_RELEVANT,
            explanation="We leave the market.",
            effective_on=date(2029, 1, 1),
        ),
    )

    assert notice(story) == "resolved"
    assert alerts(story)["notice-due 2028-11-02"].ended == "Notice was given."


def test_a_renewal_resolves_the_reminder() -> None:
    story = running("2028-10-10")
    story.when(OURS, example(HoldRenewalReview))
    story.when(OURS, ProposeRenewal(proposal="renewal-1", duration="P1Y"))
    story.when(THEIRS, AcceptRenewal(proposal="renewal-1"))

    assert notice(story) == "resolved"


def test_new_terms_with_the_same_last_day_leave_the_reminder_standing() -> None:
    story = running("2028-10-10")
    agree_minimum(story, 12, date(2028, 10, 10))
    story.on("2028-10-11")

    assert notice(story) == "open"


def test_a_term_that_ends_without_renewal_or_notice_opens_an_alert() -> None:
    story = running("2028-12-31")
    assert "term-ended 2029-01-01" not in states(story)
    story.on("2029-01-01T00:00")

    assert states(story)["term-ended 2029-01-01"] == "open"
    ended = index_of(story, DeadlinePassed(kind=DeadlineKind.TERM_END, ref="2029-01-01"))
    assert alerts(story)["term-ended 2029-01-01"].evidence == (ended,)


def test_terms_agreed_after_the_end_of_the_term_end_the_alert() -> None:
    story = running("2029-01-02")
    agree_minimum(story, 9, date(2029, 1, 2))
    assert states(story)["term-ended 2029-01-01"] == "open"

    amend(story, since=date(2029, 1, 2), duration="P4Y")

    assert states(story)["term-ended 2029-01-01"] == "resolved"


def test_an_ended_partnership_leaves_nothing_open() -> None:
    story = two_quarters(49, 49)
    story.when(OURS, changed(example(GiveExitNotice), effective_on=date(2026, 12, 31)))
    story.on("2026-12-31")
    story.when(OURS, example(IssueFinalSettlement))
    story.agree(OURS, example(ProposeDisposition))
    assert conversion_states(story) == {"2026-Q2": "open"}
    story.agree(OURS, example(ProposeCompletion))

    assert "open" not in states(story).values()


# --- identity ----------------------------------------------------------------------------------


def eventful() -> Story:
    story = two_quarters(49, 49)
    story.on("2026-07-21")
    correct(story, "lead_to_opportunity", "2026-Q1", percent(50, 1000))
    story.on("2028-12-01")
    return story


def test_a_replay_says_the_very_same_and_nothing_twice() -> None:
    history = eventful().history
    once, again = replay(ALERTS, history), replay(ALERTS, history)

    assert once.outputs == again.outputs
    names = [output.id for output, _ in once.outputs]
    assert len(set(names)) == len(names) > 10


def test_an_output_is_named_by_alert_state_and_cause() -> None:
    for output, index in replay(ALERTS, eventful().history).outputs:
        alert = output.body
        assert output.id == f"{alert.id}/{alert.state}/{index}"
        assert alert.cause == index
        assert alert.id == f"{alert.rule}@{alert.version}/{alert.partnership}/{alert.window}"


def test_all_evidence_is_on_record_at_that_time() -> None:
    for output, index in replay(ALERTS, eventful().history).outputs:
        evidence = output.body.evidence
        assert evidence == tuple(sorted(set(evidence)))
        assert evidence[0] >= 0
        assert evidence[-1] == index


def test_the_row_of_an_alert_equals_its_latest_output() -> None:
    folded = replay(ALERTS, eventful().history)
    latest = {output.body.id: output.body for output, _ in folded.outputs}

    assert {key: row for key, row in folded.rows.items() if isinstance(row, Alert)} == latest


def test_folding_in_two_parts_says_what_folding_at_once_says() -> None:
    history = eventful().history
    whole = replay(ALERTS, history)
    for cut in range(0, len(history), 7):
        first = replay(ALERTS, history[:cut])
        both = fold(ALERTS, first, history[cut:])
        assert (both.rows, both.outputs) == (whole.rows, whole.outputs)


def leave(exit_: str, day: str) -> GiveExitNotice:
    return example(GiveExitNotice, exit=exit_, effective_on=date.fromisoformat(day))


NOTICE = "Notice was given to leave on 2026-12-01: no longer relevant."


def exit_ahead(story: Story) -> tuple[str, str]:
    """Return the state and the text of the alert on the exit that is ahead."""
    [found] = [each for each in alerts(story).values() if each.rule == "exit-ahead"]
    return found.state, found.ended or found.text


def test_a_sooner_notice_is_what_the_alert_on_the_exit_says_until_it_is_withdrawn() -> None:
    story = at(Stage.EXECUTION)
    first = story.now
    story.when(OURS, leave("later", "2027-06-01"))
    story.wait(days=30)
    story.when(THEIRS, leave("sooner", "2026-12-01"))
    assert exit_ahead(story) == (
        "open",
        f"{NOTICE} {THEIRS} gave it on {story.now:%Y-%m-%d}.",
    )
    assert alerts(story)["exit-ahead exit"].since == first

    story.wait(days=10)
    story.agree(OURS, ProposeExitWithdrawal(proposal="stay", exit="sooner", explanation="Sales."))
    still = "Exit sooner was withdrawn, and the partnership still ends on 2027-06-01."
    assert exit_ahead(story) == ("open", f"{still} Both agreed that on {story.now:%Y-%m-%d}.")

    story.agree(OURS, ProposeExitWithdrawal(proposal="on", exit="later", explanation="Sales."))
    assert exit_ahead(story) == ("resolved", "Both parties withdrew it.")


def test_an_agreed_exit_says_once_that_both_agreed_it() -> None:
    story = at(Stage.EXECUTION)
    story.agree(OURS, example(ProposeExit, effective_on=date(2026, 6, 1)))

    assert exit_ahead(story) == (
        "open",
        f"The partnership ends on 2026-06-01. Both agreed that on {story.now:%Y-%m-%d}.",
    )


def test_an_exit_is_ahead_until_it_takes_effect() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, leave("exit-1", "2026-12-01"))

    story.on("2026-12-01T00:00")

    assert exit_ahead(story) == ("resolved", "The exit took effect on 2026-12-01.")


def test_an_exit_that_is_agreed_on_its_own_day_was_ahead_and_took_effect() -> None:
    story = at(Stage.EXECUTION)
    day = story.now.date()
    story.agree(OURS, ProposeExit(exit="now", explanation="We part.", effective_on=day))

    story.wait(hours=1)

    assert exit_ahead(story) == ("resolved", f"The exit took effect on {day}.")


def test_an_exit_that_is_ahead_again_keeps_the_time_before() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, leave("first", "2026-12-01"))
    story.agree(OURS, ProposeExitWithdrawal(proposal="stay", exit="first", explanation="Sales."))

    story.when(OURS, leave("second", "2027-06-01"))

    [found] = [each for each in alerts(story).values() if each.rule == "exit-ahead"]
    assert found.earlier
    assert found.earlier.text == f"{NOTICE} {OURS} gave it on {story.now:%Y-%m-%d}."
