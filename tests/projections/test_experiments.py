"""Experiments side by side: what the view says is what the decisions rest on (C5, C26)."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.comparison import Anytime
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
from projections.experiments import report
from projections.fold import Row, replay
from tests.life import OURS, THEIRS, after, before, example
from tests.stories import Story


def tried(story: Story) -> Row:
    """Give the story's only experiment."""
    (found,) = report(replay(EXPERIMENTS, story.history).rows)
    return found


def variant(story: Story, name: str) -> Row:
    """Give one variant of the story's only experiment."""
    found: dict[str, Row] = {each["variant"]: each for each in tried(story)["variants"]}
    return found[name]


def test_a_hypothesis_without_data_says_what_it_waits_for() -> None:
    found = tried(after(RegisterHypothesis))

    assert found["state"] == "registered"
    assert found["registered"]["party"] == OURS
    assert found["stop"] == {
        "kind": "fixed-sample",
        "trials": 200,
        "credibility": "95",
        "met": False,
        "lacking": {"plain": 200, "figures": 200},
    }
    assert "rate" not in found["variants"][0]
    assert tried(after(StartPilot))["state"] == "running"


def test_the_variants_stand_side_by_side_after_corrections() -> None:
    story = before(ConcludePilot)

    assert variant(story, "figures") == {
        "variant": "figures",
        "description": "The page with a client's figures",
        "trials": 200,
        "successes": 24,
        "rate": "12.0000",
        "mean": "12.3762",
        "judged_by": "credible interval, 95 %",
        "low": "8.2133",
        "high": "17.2437",
        "best": "0.9984",
        "better_than_control": "0.9984",
        "difference": "8.0000",
        "factor": "3.0000",
    }
    assert "better_than_control" not in variant(story, "plain")
    assert tried(story)["stop"]["winner"] == "figures"


def test_what_was_concluded_and_promoted_stands_when_corrections_undo_it() -> None:
    story = after(PromoteVariant)
    story.when(OURS, example(CorrectObservation, successes=11))

    found = tried(story)

    assert found["state"] == "concluded"
    assert found["concluded"]["winner"] == "figures"
    assert found["promoted"]["variant"] == "figures"
    assert found["stop"]["met"]
    assert "winner" not in found["stop"]


def test_a_replay_that_knows_a_correction_alone_passes_it_over() -> None:
    story = before(ConcludePilot)
    part = [each for each in story.history if not isinstance(each.event, VariantObserved)]

    (found,) = report(replay(EXPERIMENTS, part).rows)

    assert {each["trials"] for each in found["variants"]} == {0}


def test_bounds_for_looking_at_any_time_are_wider() -> None:
    story = before(RegisterHypothesis)
    story.when(OURS, example(RegisterHypothesis, stop=Anytime()))
    story.when(THEIRS, example(StartPilot))
    story.on("2026-03-02")
    story.when(OURS, example(ObserveVariant))
    story.when(OURS, example(ObserveVariant, observation="O-2", variant="figures", successes=24))

    figures = variant(story, "figures")

    assert Decimal(figures["low"]) < Decimal("8.2133")
    assert Decimal(figures["high"]) > Decimal("17.2437")
    assert figures["judged_by"].startswith("confidence sequence, 95 %")


OUTCOMES = st.tuples(
    st.sampled_from(["plain", "figures"]),
    st.integers(1, 4),
    st.integers(0, 300),
    st.integers(1, 300),
    st.booleans(),
)


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
    assert {
        each["variant"]: (each["trials"], each["successes"]) for each in found["variants"]
    } == comparison.tallies
    assert found["stop"].get("winner") == comparison.winner()
