"""Experiments: the hypothesis before the data, a stop rule agreed ahead, only the winner (C5, C26).

The documents' three webinars are the experiment of a search for a partner [001]; the page with
figures is one of the life in `life.py`.
"""

from datetime import date
from decimal import Decimal
from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bilateral import DeclineProposal, ProposalDeclined, WithdrawProposal
from domain.comparison import Anytime, Comparison, FixedSample, Shares, Tally
from domain.experiment import (
    ConcludePilot,
    CorrectObservation,
    Ending,
    HypothesisRegistered,
    ObservationCorrected,
    ObserveVariant,
    PilotConcluded,
    PilotStarted,
    PromoteVariant,
    RegisterHypothesis,
    StartPilot,
    Variant,
    VariantObserved,
    VariantPromoted,
)
from domain.exploration import ChoosePartner
from domain.formation import AttachEvidence, EvidenceKind
from domain.kernel import Stage
from domain.priors import AgreePrior, ProposePrior, uniform
from domain.proportions import UNIFORM, Beta
from domain.scaling import ExpandScope, ProposeScope
from projections import EXPERIMENTS
from projections.experiments import PilotState, report
from projections.fold import replay
from tests.life import (
    BENCHMARK,
    OFFER_TRIAL,
    OURS,
    STRANGER,
    THEIRS,
    after,
    at,
    before,
    changed,
    example,
)
from tests.stories import Story

PLAIN, FIGURES = "plain", "figures"
GO = StartPilot(experiment="offer-trial")
END = example(ConcludePilot)


def observed(
    variant: str, successes: int, trials: int, *, day: date = date(2026, 3, 1), name: str = ""
) -> ObserveVariant:
    """Return an observation of the life's experiment."""
    return ObserveVariant(
        experiment="offer-trial",
        observation=name or f"O-{variant}",
        variant=variant,
        day=day,
        trials=trials,
        successes=successes,
    )


def running(**hypothesis: object) -> Story:
    """Return a story whose pilot has started on 10 February 2026 and has no data."""
    story = before(RegisterHypothesis)
    story.when(OURS, example(RegisterHypothesis, **hypothesis))
    story.on("2026-02-10")
    story.when(THEIRS, GO)
    story.on("2026-03-02")
    return story


def with_data(plain: tuple[int, int], figures: tuple[int, int], **hypothesis: object) -> Story:
    """Return a story whose pilot has these successes of these trials."""
    story = running(**hypothesis)
    story.when(OURS, observed(PLAIN, *plain))
    story.when(THEIRS, observed(FIGURES, *figures))
    return story


# --- the search --------------------------------------------------------------------------------


def searching() -> Story:
    """Return a story whose initiator runs a pilot before it chooses its partner."""
    story = before(ChoosePartner)
    story.when(OURS, OFFER_TRIAL)
    story.when(OURS, GO)
    return story


def test_the_initiator_runs_a_pilot_alone_in_its_search() -> None:
    story = searching()
    first = observed(PLAIN, 3, 20, day=story.now.date())

    assert isinstance(story.when(OURS, first)[0], VariantObserved)


@pytest.mark.parametrize("party", [OURS, THEIRS])
def test_what_was_tried_in_the_search_ends_with_the_choice_of_a_partner(party: str) -> None:
    story = searching()
    first = observed(PLAIN, 3, 20, day=story.now.date())
    story.when(OURS, example(ChoosePartner))

    of_it = story.refuses(party, first)
    of_nothing = story.refuses(party, changed(first, experiment="no-trial"))

    assert of_it.rule == "hypothesis-first"
    assert f"{of_it}" == f"{of_nothing}".replace("no-trial", "offer-trial")


def test_the_partner_starts_no_pilot_of_the_search_and_may_use_its_name() -> None:
    story = before(ChoosePartner)
    story.when(OURS, OFFER_TRIAL)
    story.when(OURS, example(ChoosePartner))

    assert story.refuses(THEIRS, GO).rule == "no-such-proposal"
    [registered] = story.when(THEIRS, changed(OFFER_TRIAL, hypothesis="The plain page is best"))
    story.when(OURS, GO)

    assert isinstance(registered, HypothesisRegistered)
    assert [each.in_search for each in story.facts(HypothesisRegistered)] == [True, False]
    before_it, after_it = report(replay(EXPERIMENTS, story.history).rows)
    assert (before_it.experiment, before_it.started) == ("offer-trial", None)
    assert (after_it.experiment, after_it.state) == ("offer-trial", PilotState.RUNNING)


# --- the hypothesis ----------------------------------------------------------------------------


def test_a_hypothesis_is_registered_with_what_was_believed_beforehand() -> None:
    story = before(RegisterHypothesis)

    [registered] = story.when(OURS, example(RegisterHypothesis))

    assert isinstance(registered, HypothesisRegistered)
    assert registered.prior == uniform("demo_request_rate")
    assert registered.control == PLAIN


def test_an_agreed_prior_is_that_of_the_experiment_and_stays_it() -> None:
    story = before(RegisterHypothesis)
    story.when(OURS, ProposePrior(proposal="p", prior=changed(BENCHMARK, metric="click_rate")))
    story.when(THEIRS, AgreePrior(proposal="p"))
    command = example(RegisterHypothesis, metric="click_rate")

    [registered] = story.when(OURS, command)

    assert isinstance(registered, HypothesisRegistered)
    assert registered.prior == changed(BENCHMARK, metric="click_rate")
    other = changed(BENCHMARK, metric="click_rate", failures=98)
    story.when(OURS, ProposePrior(proposal="q", prior=other))
    story.when(THEIRS, AgreePrior(proposal="q"))
    assert story.when(OURS, command) == []


def test_another_hypothesis_needs_its_own_name() -> None:
    story = after(RegisterHypothesis)

    other = example(RegisterHypothesis, hypothesis="The plain page does better")

    assert story.refuses(OURS, other).rule == "proposal-exists"


@pytest.mark.parametrize("controls", [(False, False), (True, True)])
def test_exactly_one_variant_is_the_control(controls: tuple[bool, bool]) -> None:
    variants = [
        Variant(variant=name, description=name, control=control)
        for name, control in zip((PLAIN, FIGURES), controls, strict=True)
    ]

    refusal = before(RegisterHypothesis).refuses(
        OURS, example(RegisterHypothesis, variants=variants)
    )

    assert refusal.rule == "one-control"


def test_no_two_variants_share_a_name() -> None:
    twice = [
        Variant(variant=PLAIN, description="One", control=True),
        Variant(variant=PLAIN, description="Two"),
    ]

    refusal = before(RegisterHypothesis).refuses(OURS, example(RegisterHypothesis, variants=twice))

    assert refusal.rule == "one-control"


@pytest.mark.parametrize("metric", ["won_value", "followers", "time_to_close"])
def test_an_experiment_is_decided_by_a_share_or_a_count(metric: str) -> None:
    refusal = before(RegisterHypothesis).refuses(OURS, example(RegisterHypothesis, metric=metric))

    assert refusal.rule == "no-proportion"


@pytest.mark.parametrize(
    ("metric", "exposure"), [("leads", None), ("demo_request_rate", "One visitor")]
)
def test_a_count_is_compared_per_unit_of_exposure_and_a_share_is_not(
    metric: str, exposure: str | None
) -> None:
    command = example(RegisterHypothesis, metric=metric, exposure=exposure)

    refusal = before(RegisterHypothesis).refuses(OURS, command)

    assert refusal.rule == "exposure-of-a-count"
    assert refusal.facts["field"] == "exposure"


# --- the pilot ---------------------------------------------------------------------------------


def test_the_party_that_registered_a_hypothesis_cannot_start_its_pilot_alone() -> None:
    story = after(RegisterHypothesis)
    assert story.refuses(OURS, GO).rule == "own-proposal"

    assert story.when(THEIRS, GO) == [PilotStarted(experiment="offer-trial")]
    assert story.when(THEIRS, GO) == []


def decline(name: str = "offer-trial") -> DeclineProposal:
    return DeclineProposal(
        proposal=name, within="experiment/offer-trial", reason="The groups are too small."
    )


def test_the_other_party_can_decline_a_hypothesis_and_its_pilot_does_not_start() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, OFFER_TRIAL)
    assert story.refuses(OURS, decline()).rule == "own-proposal"

    [declined] = story.when(THEIRS, decline())

    assert isinstance(declined, ProposalDeclined)
    assert declined.agreement == "Hypothesis"
    assert story.when(THEIRS, decline()) == []
    assert story.refuses(THEIRS, GO).rule == "proposal-declined"


def test_its_author_withdraws_a_hypothesis_until_its_pilot_has_started() -> None:
    story = at(Stage.EXECUTION)
    withdraw = WithdrawProposal(
        proposal="offer-trial", within="experiment/offer-trial", reason="Another month is better."
    )
    story.when(OURS, OFFER_TRIAL)
    started = story.copy()
    started.when(THEIRS, GO)

    assert started.refuses(OURS, withdraw).rule == "proposal-answered"
    assert story.refuses(THEIRS, withdraw).rule == "not-your-proposal"
    story.when(OURS, withdraw)
    assert story.refuses(THEIRS, GO).rule == "proposal-withdrawn"


def test_a_hypothesis_that_was_never_registered_is_not_declined() -> None:
    assert at(Stage.EXECUTION).refuses(THEIRS, decline()).rule == "no-such-proposal"


def test_only_what_was_registered_can_start() -> None:
    assert before(RegisterHypothesis).refuses(THEIRS, GO).rule == "no-such-proposal"
    assert at(Stage.EXPLORATION).refuses(OURS, GO).rule == "no-such-proposal"


def test_in_exploration_the_initiator_tries_alone() -> None:
    story = at(Stage.EXPLORATION)
    story.when(OURS, example(RegisterHypothesis))

    assert story.refuses(STRANGER, GO).rule == "unknown-party"
    assert story.when(OURS, GO) == [PilotStarted(experiment="offer-trial")]


def test_the_hypothesis_comes_before_the_data() -> None:
    data = observed(PLAIN, 8, 200)
    story = before(RegisterHypothesis)
    assert story.refuses(OURS, data).rule == "hypothesis-first"
    story.when(OURS, example(RegisterHypothesis))
    assert story.refuses(OURS, data).rule == "hypothesis-first"
    assert story.refuses(OURS, END).rule == "hypothesis-first"


def test_data_of_a_day_before_the_pilot_started_bear_nothing_out() -> None:
    story = running()

    early = observed(PLAIN, 8, 200, day=date(2026, 2, 9))

    assert story.refuses(OURS, early).rule == "hypothesis-first"
    assert story.when(OURS, changed(early, day=date(2026, 2, 10)))


def test_a_pilot_starts_when_that_is_recorded_and_not_when_somebody_says_it_did() -> None:
    story = before(RegisterHypothesis)
    story.when(OURS, example(RegisterHypothesis), happened="2026-01-09")
    story.on("2026-02-10")
    story.when(THEIRS, GO, happened="2026-01-10")

    early = observed(PLAIN, 8, 200, day=date(2026, 2, 1))

    assert story.refuses(OURS, early).rule == "hypothesis-first"


def test_data_are_of_a_day_that_has_begun_and_of_a_variant_that_was_registered() -> None:
    story = running()

    tomorrow = observed(PLAIN, 8, 200, day=date(2026, 3, 3))
    assert story.refuses(OURS, tomorrow).rule == "period-not-begun"
    assert story.refuses(OURS, observed("other", 8, 200)).rule == "unknown-variant"


def test_successes_never_exceed_trials() -> None:
    story = running()
    assert story.refuses(OURS, observed(PLAIN, 201, 200)).rule == "successes-exceed-trials"
    story.when(OURS, observed(PLAIN, 200, 200))

    correction = example(CorrectObservation, observation="O-plain", successes=201)

    assert story.refuses(OURS, correction).rule == "successes-exceed-trials"


def test_an_observation_counts_once() -> None:
    story = running()
    [first] = story.when(OURS, observed(PLAIN, 8, 200))

    assert isinstance(first, VariantObserved)
    assert story.when(OURS, observed(PLAIN, 8, 200)) == []
    assert story.refuses(OURS, observed(PLAIN, 9, 200)).rule == "already-recorded"


def test_an_observation_is_restated_with_a_reason_and_both_stay_on_record() -> None:
    story = with_data((8, 200), (25, 200))

    corrected = story.when(OURS, example(CorrectObservation))

    assert corrected == [ObservationCorrected.of(example(CorrectObservation))]
    assert story.when(OURS, example(CorrectObservation)) == []
    missing = example(CorrectObservation, observation="O-none")
    assert story.refuses(OURS, missing).rule == "nothing-to-correct"
    hypothesis = story.experiment("offer-trial").hypothesis()
    assert hypothesis is not None
    tallies = story.experiment("offer-trial").comparison(hypothesis).tallies
    assert tallies == {PLAIN: Tally(200, 8), FIGURES: Tally(200, 24)}


# --- the conclusion ----------------------------------------------------------------------------


def test_a_pilot_is_concluded_once_the_fixed_sample_is_reached() -> None:
    story = with_data((8, 200), (25, 199))

    refusal = story.refuses(OURS, END)
    assert refusal.rule == "stop-rule-not-met"
    assert "figures 1" in refusal.detail
    story.when(OURS, observed(FIGURES, 0, 1, name="O-last"))
    [concluded] = story.when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == FIGURES
    assert [each.model_dump(mode="json") for each in concluded.results] == [
        {
            "variant": PLAIN,
            "trials": 200,
            "successes": 8,
            "mean": "4.4554",
            "low": "2.0676",
            "high": "7.6915",
            "best": "0.0010",
        },
        {
            "variant": FIGURES,
            "trials": 200,
            "successes": 25,
            "mean": "12.8713",
            "low": "8.6268",
            "high": "17.8111",
            "best": "0.9990",
        },
    ]
    assert story.when(OURS, END) == []


def test_a_complete_sample_is_judged_as_it_is_and_gets_no_more_trials() -> None:
    story = with_data((8, 200), (25, 200))
    more = observed(PLAIN, 1, 40, name="O-more")

    assert story.refuses(OURS, more).rule == "sample-complete"
    assert with_data((8, 200), (25, 200), stop=Anytime()).when(OURS, more)


def test_a_sample_that_shows_no_difference_is_concluded_without_a_winner() -> None:
    [concluded] = with_data((10, 200), (12, 200)).when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.ending is Ending.STOP_RULE
    assert concluded.winner is None


def test_the_best_of_a_metric_of_which_less_is_better_is_the_lowest() -> None:
    [concluded] = with_data((8, 200), (25, 200), metric="bounce_rate").when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == PLAIN


def test_an_anytime_rule_stops_when_the_bounds_separate() -> None:
    story = with_data((8, 200), (25, 200), stop=Anytime())

    assert story.refuses(OURS, END).rule == "stop-rule-not-met"
    story.when(OURS, observed(FIGURES, 75, 600, name="O-2"))
    story.when(OURS, observed(PLAIN, 24, 600, name="O-1"))
    [concluded] = story.when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == FIGURES
    plain, figures = concluded.results
    assert plain.high is not None
    assert plain.high < figures.low


@pytest.mark.parametrize("ending", [Ending.INCONCLUSIVE, Ending.ABANDONED])
def test_a_pilot_can_be_given_up_before_its_stop_rule_is_met(ending: Ending) -> None:
    [concluded] = with_data((1, 20), (2, 20)).when(OURS, changed(END, ending=ending))

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner is None


def test_a_pilot_that_found_a_winner_is_not_inconclusive() -> None:
    story = with_data((8, 200), (25, 200))

    refusal = story.refuses(OURS, changed(END, ending=Ending.INCONCLUSIVE))

    assert refusal.rule == "winner-found"
    assert story.when(OURS, changed(END, ending=Ending.ABANDONED))


def test_nothing_more_is_observed_once_a_pilot_is_concluded() -> None:
    story = after(ConcludePilot)

    assert story.refuses(OURS, observed(PLAIN, 1, 2, name="O-3")).rule == "pilot-concluded"
    other = changed(END, ending=Ending.ABANDONED)
    assert story.refuses(OURS, other).rule == "pilot-concluded"
    assert story.when(OURS, example(CorrectObservation, successes=23))


# --- counts ------------------------------------------------------------------------------------

BONUS = {
    "hypothesis": "Twice the bonus brings more referrals",
    "metric": "leads",
    "exposure": "one partner manager in one week",
    "variants": [
        Variant(variant=PLAIN, description="100 USD for a referral", control=True),
        Variant(variant=FIGURES, description="200 USD for a referral"),
    ],
    "stop": FixedSample(trials=40),
}
"""The bonus amounts of the documents against their referrals [001]."""


def test_bonus_amounts_are_tried_on_the_referrals_that_each_brings_in_a_week() -> None:
    [concluded] = with_data((40, 40), (67, 40), **BONUS).when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == FIGURES
    assert [each.model_dump(mode="json") for each in concluded.results] == [
        {
            "variant": PLAIN,
            "trials": 40,
            "successes": 40,
            "mean": "1.0000",
            "low": "0.7144",
            "high": "1.3617",
            "best": "0.0045",
        },
        {
            "variant": FIGURES,
            "trials": 40,
            "successes": 67,
            "mean": "1.6750",
            "low": "1.2981",
            "high": "2.1272",
            "best": "0.9955",
        },
    ]


def test_a_few_referrals_more_show_nothing() -> None:
    [concluded] = with_data((3, 40), (9, 40), **BONUS).when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner is None


def test_a_count_has_no_prior_and_its_other_party_agrees_to_the_pilot_as_to_any() -> None:
    story = before(RegisterHypothesis)
    [registered] = story.when(OURS, example(RegisterHypothesis, **BONUS))

    assert isinstance(registered, HypothesisRegistered)
    assert registered.prior is None
    assert story.refuses(OURS, GO).rule == "own-proposal"
    assert story.when(THEIRS, GO) == [PilotStarted(experiment="offer-trial")]


def test_a_count_that_is_observed_at_any_time_stops_when_its_bounds_separate() -> None:
    story = with_data((40, 40), (67, 40), **{**BONUS, "stop": Anytime()})
    assert story.refuses(OURS, END).rule == "stop-rule-not-met"

    story.when(OURS, observed(PLAIN, 200, 200, name="O-1"))
    story.when(OURS, observed(FIGURES, 335, 200, name="O-2"))
    [concluded] = story.when(OURS, END)

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == FIGURES


def test_a_count_without_exposure_has_no_rate_and_no_upper_bound() -> None:
    story = running(**BONUS)
    story.when(OURS, observed(FIGURES, 5, 2))
    [concluded] = story.when(OURS, changed(END, ending=Ending.ABANDONED))

    assert isinstance(concluded, PilotConcluded)
    plain, figures = concluded.results
    assert plain.mean is plain.high is None
    assert plain.low == 0
    assert plain.best == Decimal("0.5")
    assert figures.mean == Decimal("2.5")


def test_a_count_of_which_less_is_better_is_won_by_the_lowest() -> None:
    [concluded] = with_data((40, 40), (67, 40), **{**BONUS, "metric": "support_tickets"}).when(
        OURS, END
    )

    assert isinstance(concluded, PilotConcluded)
    assert concluded.winner == PLAIN


def test_a_corrected_count_decides_anew() -> None:
    story = with_data((40, 40), (67, 40), **BONUS)
    story.when(OURS, END)

    story.when(OURS, example(CorrectObservation, trials=40, successes=47))

    assert story.refuses(OURS, example(PromoteVariant)).rule == "no-longer-wins"


# --- what wins ---------------------------------------------------------------------------------


def test_only_the_winner_is_promoted_and_only_after_the_conclusion() -> None:
    story = before(ConcludePilot)
    assert story.refuses(OURS, example(PromoteVariant)).rule == "not-the-winner"
    story.when(THEIRS, END)
    assert story.refuses(OURS, example(PromoteVariant, variant=PLAIN)).rule == "not-the-winner"

    promoted = story.when(OURS, example(PromoteVariant))

    assert promoted == [VariantPromoted.of(example(PromoteVariant))]
    assert story.when(OURS, example(PromoteVariant)) == []
    elsewhere = example(PromoteVariant, into="Every page")
    assert story.refuses(OURS, elsewhere).rule == "already-recorded"


def test_what_a_correction_took_the_victory_from_is_not_promoted() -> None:
    story = after(ConcludePilot)
    story.when(OURS, example(CorrectObservation, successes=11))

    assert story.refuses(OURS, example(PromoteVariant)).rule == "no-longer-wins"


def test_a_later_correction_does_not_undo_a_promotion() -> None:
    story = after(PromoteVariant)
    story.when(OURS, example(CorrectObservation, successes=11))

    assert story.when(OURS, example(PromoteVariant)) == []


# --- the gate to scaling -----------------------------------------------------------------------

CITED = AttachEvidence(
    evidence="trial",
    kind=EvidenceKind.EXPERIMENT,
    title="The page with figures",
    reference="experiment:offer-trial",
)


def test_an_experiment_of_ours_is_evidence_once_it_has_found_a_winner() -> None:
    story = before(ConcludePilot)
    assert story.refuses(OURS, CITED).rule == "experiment-shows-nothing"
    story.when(THEIRS, END)

    assert story.when(OURS, CITED)
    story.when(OURS, example(CorrectObservation, successes=11))
    assert story.when(OURS, CITED) == []


@pytest.mark.parametrize("reference", ["experiment:none-such", "experiment:"])
def test_an_experiment_that_there_is_not_shows_nothing(reference: str) -> None:
    story = after(ConcludePilot)

    refusal = story.refuses(OURS, changed(CITED, reference=reference))

    assert refusal.rule == "experiment-shows-nothing"


def test_a_result_from_elsewhere_is_cited_under_its_own_reference() -> None:
    assert at(Stage.EXECUTION).when(OURS, changed(CITED, reference="platform/pilot-7"))


def test_what_an_experiment_showed_to_win_opens_the_gate_to_scaling() -> None:
    story = before(ProposeScope)
    story.when(THEIRS, example(ProposeScope, evidence=["offer-trial"]))

    story.when(OURS, example(ExpandScope))

    assert story.partnership.stage is Stage.SCALING


# --- side by side ------------------------------------------------------------------------------

TALLIES = st.builds(
    lambda trials, share: Tally(trials, trials * share // 100),
    st.integers(0, 300),
    st.integers(0, 100),
)


def three(**tallies: Tally) -> Comparison:
    """Return three variants side by side."""
    return Shares("demo_request_rate", tallies, FixedSample(trials=40), UNIFORM)


def test_the_three_webinars_side_by_side() -> None:
    webinars = three(a=Tally(150, 12), b=Tally(80, 3), c=Tally(40, 0))

    assert Decimal("0.8734") < webinars.better("a", "b") < Decimal("0.8735")
    assert webinars.winner() is None
    pairs = webinars.better("a", "b") + webinars.better("a", "c") - 1
    assert abs(webinars.best("a") - pairs) < Decimal("1e-20")


@given(TALLIES, TALLIES)
def test_of_two_variants_one_is_the_best(one: Tally, other: Tally) -> None:
    pair = three(a=one, b=other)

    assert abs(pair.best("a") + pair.best("b") - 1) < Decimal("1e-20")


@given(TALLIES, TALLIES, TALLIES)
def test_at_most_one_variant_wins_and_it_has_the_highest_rate(
    one: Tally, two: Tally, third: Tally
) -> None:
    for stop in (FixedSample(trials=1), Anytime(level=Decimal(80))):
        all_of_them = Shares("demo_request_rate", {"a": one, "b": two, "c": third}, stop, UNIFORM)
        winner = all_of_them.winner()
        if winner is not None:
            means = {name: all_of_them.mean(name) for name in "abc"}
            assert means[winner] == max(means.values())
        assert sum((all_of_them.best(name) for name in "abc"), Decimal(0)) <= Decimal("1.0000001")


# --- equal variants ----------------------------------------------------------------------------

BELIEFS = [UNIFORM, Beta(2, 18), Beta(1, 40), Beta(9, 3)]


def compared(prior: Beta, trials: int, *successes: int) -> Comparison:
    """Return variants of which each had so many trials, and these successes."""
    tallies = {f"v-{at}": Tally(trials, each) for at, each in enumerate(successes)}
    return Shares("demo_request_rate", tallies, FixedSample(trials=trials), prior)


def most_that_lose(prior: Beta, trials: int) -> list[int]:
    """Return for each number of successes the most that another can have and lose; -1 for none."""
    found, most = [], -1
    for successes in range(trials + 1):
        while most < successes and compared(prior, trials, successes, most + 1).winner() == "v-0":
            most += 1
        found.append(most)
    return found


@pytest.mark.parametrize("prior", BELIEFS)
@pytest.mark.parametrize("trials", [1, 10, 50])
def test_of_two_equal_variants_one_wins_in_at_most_the_agreed_share_of_experiments(
    prior: Beta, trials: int
) -> None:
    """Every outcome is counted, with its probability."""
    most = most_that_lose(prior, trials)
    for percent in (1, 5, 10, 25, 50, 75, 99):
        rate = percent / 100
        each = [comb(trials, s) * rate**s * (1 - rate) ** (trials - s) for s in range(trials + 1)]
        wins = sum(likely * sum(each[: most[s] + 1]) for s, likely in enumerate(each))

        assert 2 * wins <= 0.05


@pytest.mark.parametrize(("variants", "winners"), [(2, 31), (3, 2)])
def test_a_thousand_experiments_without_a_difference_find_few_winners(
    variants: int, winners: int
) -> None:
    chance = Random(13)  # noqa: S311 - repeatable
    found = 0
    for _ in range(1000):
        drawn = [sum(chance.random() < 0.2 for _ in range(100)) for _ in range(variants)]
        found += compared(UNIFORM, 100, *drawn).winner() is not None

    assert found == winners <= 50


def test_what_is_certain_by_the_trials_is_the_p_value_of_fishers_exact_test() -> None:
    # Of 11 successes among 40 trials, 20 trials had 9 or more with probability 1 - certainty.
    exact = sum(comb(20, k) * comb(20, 11 - k) for k in range(9, 12)) / comb(40, 11)

    certain = UNIFORM.after(9, 20).certainly_above(UNIFORM.after(2, 20))

    assert abs(float(1 - certain) - exact) < 1e-12
    assert UNIFORM.after(0, 20).certainly_above(UNIFORM.after(0, 20)) == 0
    assert UNIFORM.after(20, 20).certainly_above(UNIFORM.after(20, 20)) == 0


def test_a_difference_that_chance_makes_in_one_of_ten_experiments_wins_nothing() -> None:
    # The second is the best with 96.3 %; that happens on either side.
    pair = compared(UNIFORM, 100, 10, 19)

    assert pair.best("v-1") > Decimal("0.95")
    assert pair.winner() is None
    assert pair.error == 5
