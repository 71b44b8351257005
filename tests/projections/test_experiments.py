"""Experiments side by side: what the view says is what the decisions rest on (C5, C26)."""

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.comparison import Anytime, FixedSample
from domain.experiment import (
    ConcludePilot,
    CorrectObservation,
    ObserveVariant,
    PromoteVariant,
    RegisterHypothesis,
    StartPilot,
    VariantObserved,
)
from domain.kernel import Refused
from projections import EXPERIMENTS
from projections.experiments import ExperimentFigures, PilotState, Stop, VariantResults, report
from projections.fold import replay
from tests.life import OURS, THEIRS, after, before, example
from tests.stories import Story
from tests.sweeps import sweep


def tried(story: Story) -> ExperimentFigures:
    """Return the story's only experiment."""
    (found,) = report(replay(EXPERIMENTS, story.history).rows)
    return found


def variant(story: Story, name: str) -> VariantResults:
    """Return one variant of the story's only experiment."""
    return {each.variant: each for each in tried(story).variants}[name]


def test_a_hypothesis_without_data_says_what_it_waits_for() -> None:
    found = tried(after(RegisterHypothesis))

    assert found.state is PilotState.REGISTERED
    assert found.registered.party == OURS
    assert found.registered.event.stop == FixedSample(trials=200)
    assert found.stop == Stop(
        met=False, lacking={"plain": 200, "figures": 200}, winner=None, error=Decimal(5)
    )
    assert found.variants[0].rate is None
    assert tried(after(StartPilot)).state is PilotState.RUNNING


def test_the_variants_stand_side_by_side_after_corrections() -> None:
    story = before(ConcludePilot)

    assert variant(story, "figures") == VariantResults(
        variant="figures",
        description="The page with a client's figures",
        trials=200,
        successes=24,
        rate=Decimal(12),
        mean=Decimal("12.3762"),
        low=Decimal("8.2133"),
        high=Decimal("17.2437"),
        best=Decimal("0.9984"),
        better_than_control=Decimal("0.9984"),
        difference=Decimal(8),
        factor=Decimal(3),
    )
    assert variant(story, "plain").better_than_control is None
    assert tried(story).stop.winner == "figures"


def test_a_conclusion_and_promotion_remain_after_contradicting_corrections() -> None:
    story = after(PromoteVariant)
    story.when(OURS, example(CorrectObservation, successes=11))

    found = tried(story)

    assert found.state is PilotState.CONCLUDED
    assert found.concluded is not None
    assert found.concluded.event.winner == "figures"
    assert found.promoted is not None
    assert found.promoted.event.variant == "figures"
    assert found.stop == Stop(met=True, lacking={}, winner=None, error=Decimal(5))


def test_a_replay_that_knows_a_correction_alone_passes_it_over() -> None:
    story = before(ConcludePilot)
    part = [each for each in story.history if not isinstance(each.event, VariantObserved)]

    (found,) = report(replay(EXPERIMENTS, part).rows)

    assert {each.trials for each in found.variants} == {0}


def test_bounds_for_looking_at_any_time_are_wider() -> None:
    story = before(RegisterHypothesis)
    story.when(OURS, example(RegisterHypothesis, stop=Anytime()))
    story.when(THEIRS, example(StartPilot))
    story.on("2026-03-02")
    story.when(OURS, example(ObserveVariant))
    story.when(OURS, example(ObserveVariant, observation="O-2", variant="figures", successes=24))

    figures = variant(story, "figures")

    assert figures.low < Decimal("8.2133")
    assert figures.high is not None
    assert figures.high > Decimal("17.2437")


OUTCOMES = st.tuples(
    st.sampled_from(["plain", "figures"]),
    st.integers(1, 4),
    st.integers(0, 300),
    st.integers(1, 300),
    st.booleans(),
)


@settings(max_examples=sweep(60, 20))
@given(st.lists(OUTCOMES, max_size=12))
def test_the_view_adds_up_what_the_decisions_do(
    outcomes: list[tuple[str, int, int, int, bool]],
) -> None:
    story = after(StartPilot)
    story.on("2026-03-02")
    for name, number, successes, trials, corrects in outcomes:
        command = (
            example(
                CorrectObservation, observation=f"O-{number}", trials=trials, successes=successes
            )
            if corrects
            else example(
                ObserveVariant,
                observation=f"O-{number}",
                variant=name,
                trials=trials,
                successes=successes,
                day=date(2026, 3, 1),
            )
        )
        try:
            story.when(OURS, command)
        except Refused:
            continue

    state = story.experiment("offer-trial")
    hypothesis = state.hypothesis()
    assert hypothesis is not None
    comparison = state.comparison(hypothesis)
    found = tried(story)
    tallies = {each.variant: (each.trials, each.successes) for each in found.variants}
    assert tallies == comparison.tallies
    assert found.stop.winner == comparison.winner()
