"""What figures say of their rates, and rules that ask how sure that is (C15, C20, C21)."""

from decimal import Decimal
from fractions import Fraction
from math import comb

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.kernel import Stage
from domain.priors import AgreePrior, Prior, PriorAgreed, ProposePrior
from domain.proportions import UNIFORM, Beta
from domain.referral import HoldDemo
from domain.reported_figure import OTHER_CHANNELS, ReportedFigure, Respondents
from domain.rules import DecisionRule
from projections.alerts import Alert
from projections.beliefs import Posterior, score_bounds
from projections.caveats import CaveatCode
from projections.figures import FigureLine, with_posteriors
from projections.figures import report as report_of
from tests.life import BENCHMARK, CONVERSION_FLOOR, OURS, THEIRS, at, changed
from tests.projections.folds import (
    agree,
    alerts,
    bare_percent,
    codes,
    correct,
    emitted,
    figures,
    percent,
    refer,
    report,
    rule_facts,
    running,
    win,
)
from tests.stories import Story


def believed(story: Story, metric: str, period: str, segment: str | None = None) -> FigureLine:
    """Return a metric's line with its posterior."""
    rows = figures(story)
    (found,) = [
        line
        for line in with_posteriors(rows, report_of(rows, period, {metric}))
        if line.segment == segment
    ]
    return found


def posterior_of(story: Story, metric: str, period: str, segment: str | None = None) -> Posterior:
    """Return the posterior of a metric's line."""
    found = believed(story, metric, period, segment).posterior
    assert found is not None
    return found


def agree_prior(story: Story, successes: int, failures: int, proposal: str = "prior-2") -> None:
    prior = changed(BENCHMARK, successes=successes, failures=failures)
    story.when(OURS, ProposePrior(proposal=proposal, prior=prior))
    story.when(THEIRS, AgreePrior(proposal=proposal))


# --- figures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "mean", "low", "high"),
    [
        (12, 150, "8.5526", "4.6639", "13.4703"),
        (3, 80, "4.8780", "1.3617", "10.4444"),
        (0, 40, "2.3810", "0.0000", "8.6044"),
    ],
)
def test_a_webinar_says_as_much_of_its_rate_as_its_trials_do(
    successes: int, trials: int, mean: str, low: str, high: str
) -> None:
    story = at(Stage.FORMATION)
    story.on("2025-11-03")
    report(story, "demo_request_rate", "2025-10", percent(successes, trials), "firm-a")

    posterior = posterior_of(story, "demo_request_rate", "2025-10", "firm-a")

    uniform = Prior(
        metric="demo_request_rate",
        successes=1,
        failures=1,
        source="none agreed: every rate is equally likely",
    )
    assert posterior == Posterior(Decimal(mean), Decimal(low), Decimal(high), Decimal(95), uniform)


def test_an_agreed_prior_is_used_and_named() -> None:
    story = running("2026-03-31")
    report(story, "lead_to_opportunity", "2026-Q1", percent(1, 20))

    posterior = posterior_of(story, "lead_to_opportunity", "2026-Q1")

    assert posterior.mean == Decimal("7.5")  # Beta(2 + 1, 18 + 19): 3 of 40.
    assert posterior.prior_version == 1
    assert posterior.prior == BENCHMARK


def test_a_prior_never_holds_for_a_period_that_had_begun() -> None:
    story = running("2026-04-01T00:01")
    agree_prior(story, 50, 50)
    story.on("2026-09-30")
    for quarter in ("2026-Q1", "2026-Q2", "2026-Q3"):
        report(story, "lead_to_opportunity", quarter, percent(1, 20))

    versions = [
        posterior_of(story, "lead_to_opportunity", quarter).prior_version
        for quarter in ("2026-Q1", "2026-Q2", "2026-Q3")
    ]
    assert versions == [1, 1, 2]


@pytest.mark.parametrize("metric", ["click_rate", "net_promoter_score", "return_on_investment"])
def test_a_figure_that_is_not_a_proportion_gives_no_posterior(metric: str) -> None:
    story = running("2026-03-31")
    figure = bare_percent("11")
    if metric == "net_promoter_score":
        people = Respondents(promoters=60, passives=20, detractors=20)
        figure = ReportedFigure(unit="score", respondents=people)
    if metric == "return_on_investment":
        figure = percent(3, 10)
    report(story, metric, "2026-Q1", figure)

    line = believed(story, metric, "2026-Q1")

    assert line.posterior is None
    if metric == "click_rate":
        assert line.note == "no denominator: insufficient evidence"
        assert codes(line) == [CaveatCode.NO_DENOMINATOR]


# --- a net promoter score ----------------------------------------------------------------------


def survey(promoters: int, passives: int, detractors: int) -> ReportedFigure:
    people = Respondents(promoters=promoters, passives=passives, detractors=detractors)
    return ReportedFigure(unit="score", respondents=people)


def test_a_net_promoter_score_is_made_of_its_respondents_over_months_too() -> None:
    story = running("2026-04-01")
    report(story, "net_promoter_score", "2026-01", survey(6, 3, 1))
    report(story, "net_promoter_score", "2026-02", survey(10, 10, 20))

    line = believed(story, "net_promoter_score", "2026-Q1")

    # 16 promoters less 21 detractors of 50, and not the mean of 50 and -25.
    assert line.value == -10
    assert line.respondents == Respondents(promoters=16, passives=13, detractors=21)
    february = believed(story, "net_promoter_score", "2026-02")
    assert february.change is not None
    assert (february.change.difference, february.change.percent) == (Decimal(-75), None)


def test_a_few_respondents_leave_the_score_open() -> None:
    story = running("2026-04-01")
    report(story, "net_promoter_score", "2026-01", survey(3, 1, 1))
    report(story, "net_promoter_score", "2026-02", survey(300, 100, 100))

    few, many = (believed(story, "net_promoter_score", f"2026-0{each}") for each in (1, 2))

    assert few.value == many.value == 40
    assert few.note == "insufficient evidence: promoters may be as many as detractors"
    assert codes(few) == [CaveatCode.SCORE_UNCLEAR]
    assert many.note is None
    assert few.score is not None
    assert many.score is not None
    assert few.score.low < 0 < many.score.low
    assert many.score.high < few.score.high


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 15), st.integers(0, 15), st.integers(0, 15))
def test_the_bounds_of_a_score_are_those_of_both_shares(
    promoters: int, passives: int, detractors: int
) -> None:
    people = Respondents(promoters=promoters, passives=passives, detractors=detractors)
    assume(people.total)
    score = score_bounds(people)

    def limit(of: int, share: Fraction) -> Fraction:
        """Return the share below which the true one lies with a probability, by bisection."""
        trials, low, high = people.total + 1, Fraction(0), Fraction(1)
        for _ in range(40):
            middle = (low + high) / 2
            # Of a uniform prior: at least of + 1 of n + 1 trials succeed at this rate.
            below = sum(
                comb(trials, k) * middle**k * (1 - middle) ** (trials - k)
                for k in range(of + 1, trials + 1)
            )
            low, high = (middle, high) if below < share else (low, middle)
        return low

    def low(of: int) -> Fraction:
        return limit(of, Fraction(1, 80)) if of else Fraction(0)

    def high(of: int) -> Fraction:
        return limit(of, Fraction(79, 80)) if of < people.total else Fraction(1)

    assert abs(Fraction(score.low) - 100 * (low(promoters) - high(detractors))) < Fraction(1, 1000)
    assert abs(Fraction(score.high) - 100 * (high(promoters) - low(detractors))) < Fraction(1, 1000)


def test_no_trials_give_no_belief() -> None:
    story = running("2026-03-31")
    report(story, "click_rate", "2026-Q1", percent(0, 0))

    assert believed(story, "click_rate", "2026-Q1").posterior is None


def test_a_month_with_more_wins_than_demos_gives_no_belief() -> None:
    story = running()
    for name in ("D-10", "D-11"):
        refer(story, name)
        win(story, name)
    story.when(OURS, HoldDemo(deal="D-10"))

    line = believed(story, "demo_to_won", "2026-01")

    assert line.value == 200
    assert line.posterior is None
    assert line.note == "successes exceed trials: insufficient evidence"
    assert codes(line) == [CaveatCode.TRIALS_EXCEEDED]


def test_a_share_of_a_fraction_of_a_success_says_that_it_is_not_whole() -> None:
    story = running("2026-03-31")
    churned = ReportedFigure(unit="percent", numerator=Decimal("21.5"), denominator=Decimal(300))
    report(story, "churn_rate", "2026-Q1", churned)

    line = believed(story, "churn_rate", "2026-Q1")

    assert line.posterior is None
    assert line.note == "trials are whole numbers: insufficient evidence"
    assert codes(line) == [CaveatCode.TRIALS_NOT_WHOLE]


def test_the_partners_rate_is_compared_to_that_of_other_channels() -> None:
    story = running("2026-03-31")
    report(story, "demo_request_rate", "2026-Q1", percent(12, 150))
    assert believed(story, "demo_request_rate", "2026-Q1").above_other_channels is None
    report(story, "demo_request_rate", "2026-Q1", percent(3, 80), OTHER_CHANNELS)

    line = believed(story, "demo_request_rate", "2026-Q1")

    assert line.above_other_channels == Decimal("0.8735")


# --- rules -------------------------------------------------------------------------------------

RULE = changed(CONVERSION_FLOOR, rule="sure-floor", consecutive=1)
FEW = changed(RULE, minimum_sample=30)
SURE = changed(RULE, credibility="95")


def quarter(rule: DecisionRule, successes: int, trials: int, *, prior: Beta = UNIFORM) -> Story:
    """Return a story with a rule and a prior, whose second quarter brings so many of so many."""
    story = running()
    agree(story, rule)
    agree_prior(story, *prior)
    story.on("2026-06-30")
    report(story, "lead_to_opportunity", "2026-Q2", percent(successes, trials))
    story.on("2026-07-01")
    return story


def opened(story: Story) -> dict[str, Alert]:
    """Return the alerts of the rule by window."""
    mine = (each for each in alerts(story).values() if each.rule == RULE.rule)
    return {each.window: each for each in mine}


@pytest.mark.parametrize(("trials", "breach"), [(29, False), (30, True)])
def test_too_small_a_sample_breaks_no_rule(trials: int, breach: bool) -> None:  # noqa: FBT001
    story = quarter(FEW, 0, trials)

    assert bool(opened(story)) is breach
    assert opened(quarter(RULE, 0, trials))


def test_an_alert_names_the_sample_that_it_rests_on() -> None:
    alert = opened(quarter(FEW, 1, 40))["2026-Q2"]

    assert rule_facts(alert).minimum_sample == 30
    assert rule_facts(alert).samples == (Decimal(40),)
    assert alert.text == (
        "Lead to opportunity came to 2.5 % in Q2 2026. "
        "Both agreed: not below 5 %, with a sample of 30 or more."
    )


@pytest.mark.parametrize(
    ("successes", "trials", "probability"),
    [(0, 40, None), (0, 57, None), (0, 58, "0.9515"), (30, 1000, "0.9988"), (45, 1000, None)],
)
def test_a_rule_that_asks_for_a_credibility_opens_only_when_it_is_that_sure(
    successes: int, trials: int, probability: str | None
) -> None:
    found = opened(quarter(SURE, successes, trials))

    if probability is None:
        assert found == {}
    else:
        facts = rule_facts(found["2026-Q2"])
        assert facts.credibility == 95
        assert facts.probabilities == (Decimal(probability),)


def test_a_prior_can_make_up_for_few_trials_and_is_named_as_evidence() -> None:
    story = quarter(SURE, 0, 10, prior=Beta(2, 98))

    alert = opened(story)["2026-Q2"]

    (prior,) = [
        each.index
        for each in story.history
        if isinstance(each.event, PriorAgreed) and each.event.prior_version == 2
    ]
    assert prior in alert.evidence
    assert opened(quarter(SURE, 0, 10)) == {}


def test_a_prior_alone_breaks_no_rule() -> None:
    assert opened(quarter(SURE, 5, 100, prior=Beta(1, 999))) == {}


def test_a_rate_without_its_denominator_is_insufficient_evidence() -> None:
    for rule in (FEW, SURE):
        story = running()
        agree(story, rule)
        story.on("2026-06-30")
        report(story, "lead_to_opportunity", "2026-Q2", bare_percent("1"))
        story.on("2026-07-01")

        assert opened(story) == {}


def test_each_of_the_windows_must_be_sure() -> None:
    story = running()
    agree(story, changed(SURE, consecutive=2))
    agree_prior(story, 1, 1)
    story.on("2026-12-31")
    for period, trials in (("2026-Q2", 1000), ("2026-Q3", 20), ("2026-Q4", 1000)):
        report(story, "lead_to_opportunity", period, percent(trials // 100, trials))
    story.on("2027-01-01")
    assert opened(story) == {}

    correct(story, "lead_to_opportunity", "2026-Q3", percent(10, 1000))

    assert sorted(opened(story)) == ["2026-Q3", "2026-Q4"]
    assert rule_facts(opened(story)["2026-Q4"]).probabilities == (Decimal(1), Decimal(1))


def test_a_correction_that_leaves_too_little_evidence_withdraws_the_breach() -> None:
    story = quarter(SURE, 30, 1000)
    correct(story, "lead_to_opportunity", "2026-Q2", percent(3, 100))

    assert opened(story)["2026-Q2"].state == "withdrawn"
    assert emitted(story)[-1].body.ended.endswith(
        "with 95 % credibility. The evidence is insufficient."
    )


def test_insufficient_evidence_is_no_sign_that_things_got_better() -> None:
    story = quarter(SURE, 30, 1000)
    story.on("2026-12-31")
    report(story, "lead_to_opportunity", "2026-Q3", percent(1, 40))
    story.on("2027-01-01")
    assert {name: each.state for name, each in opened(story).items()} == {"2026-Q2": "open"}

    correct(story, "lead_to_opportunity", "2026-Q3", percent(60, 1000))

    assert opened(story)["2026-Q2"].state == "resolved"


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0, 1, 30, 100]))
def test_to_ask_for_evidence_never_makes_a_breach(
    successes: int, failures: int, minimum: int
) -> None:
    story = running()
    for name, asked in (("plain", {}), ("sure", {"credibility": "90"})):
        more = {"minimum_sample": minimum} if name == "sure" and minimum else {}
        agree(story, changed(RULE, rule=name, **asked, **more), f"rule-{name}")
    story.on("2026-06-30")
    figure = percent(successes, successes + failures)
    report(story, "lead_to_opportunity", "2026-Q2", figure)
    story.on("2026-07-01")

    names = {each.rule for each in alerts(story).values()}
    assert "sure" not in names or "plain" in names
