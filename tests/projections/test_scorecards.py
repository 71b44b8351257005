"""Both are told at once of ratings that are low or far apart, until newer ones are better (C25)."""

from datetime import date

from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.health import RecordHealthCheck
from domain.kernel import Stage
from domain.terms import Cadence
from tests.life import OURS, THEIRS, at, changed
from tests.projections.folds import alerts, running, states
from tests.projections.money import amend, share
from tests.stories import Story

GOOD = RecordHealthCheck(period="2026-Q1", trust=4, communication=4, value_delivery=4)


def rated(story: Story, party: str, **ratings: object) -> Story:
    story.when(party, changed(GOOD, **ratings))
    return story


def test_a_low_rating_opens_an_alert_to_both_managers_at_once() -> None:
    story = rated(running(), THEIRS, trust=2, value_delivery=1)

    alert = alerts(story)[f"health-low {THEIRS}"]
    assert alert.text == f"{THEIRS} rates trust 2 and value delivery 1 of 5 in 2026-Q1."
    assert [each.person for each in alert.who_acts] == ["Ada", "Boris"]


def test_a_rating_of_three_is_not_low_and_one_party_alone_differs_from_nobody() -> None:
    assert states(rated(running(), THEIRS, trust=3)) == {}


def test_ratings_two_apart_open_an_alert_that_names_both() -> None:
    story = rated(rated(running(), OURS, communication=5), THEIRS, communication=3)

    assert alerts(story)["health-diverges ratings"].text == (
        f"The ratings of 5 for 2026-Q1 are far apart: communication 3 by {THEIRS} and 5 by {OURS}."
    )


def test_ratings_one_apart_or_of_different_quarters_open_none() -> None:
    story = rated(rated(running(), OURS, trust=5), THEIRS, trust=4)
    story.on("2026-04-02")
    rated(story, OURS, period="2026-Q2", trust=3)

    assert not [each for each in states(story) if each.startswith("health-")]


def test_a_better_scorecard_of_the_next_quarter_resolves_both() -> None:
    story = rated(rated(running(), OURS, trust=4), THEIRS, trust=2)
    assert states(story) == {
        f"health-low {THEIRS}": "open",
        "health-diverges ratings": "open",
    }
    story.on("2026-04-02")
    rated(story, THEIRS, period="2026-Q2", trust=4)

    assert states(story)[f"health-low {THEIRS}"] == "resolved"
    assert states(story)["health-diverges ratings"] == "resolved"


def test_a_scorecard_that_was_mistyped_and_is_corrected_withdraws_it() -> None:
    story = rated(rated(running(), OURS, trust=4), THEIRS, trust=1)
    rated(story, THEIRS, trust=4, change_reason="It was meant to be 4.")

    assert states(story) == {
        f"health-low {THEIRS}": "withdrawn",
        "health-diverges ratings": "withdrawn",
    }


def test_an_older_scorecard_that_arrives_late_changes_nothing() -> None:
    story = rated(running(), THEIRS, period="2026-Q1", trust=4)
    rated(story, THEIRS, period="2025-Q4", trust=1)

    assert states(story) == {}


def test_a_health_check_at_an_agreed_cadence_is_reminded_of_alerted_and_done() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(health_check="quarterly"))
    story.on("2026-04-05")
    assert states(story)[f"due-soon cadence/health_check/{THEIRS}"] == "open"
    story.on("2026-04-08")
    missed = alerts(story)[f"cadence-missed health_check/{THEIRS}"]
    assert missed.text == f"No health check of {THEIRS} was done in the agreed time."
    assert [each.party for each in missed.who_acts] == [THEIRS]

    rated(story, THEIRS)
    assert states(story)[f"cadence-missed health_check/{THEIRS}"] == "resolved"
    assert states(story)[f"due-soon cadence/health_check/{THEIRS}"] == "resolved"


def test_the_scorecard_of_one_party_is_not_that_of_the_other() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(health_check="quarterly"))
    for quarter, day in (("2026-Q1", "2026-03-20"), ("2026-Q2", "2026-06-15")):
        story.on(day)
        rated(story, OURS, period=quarter)
    story.on("2026-07-10")

    found = {each: state for each, state in states(story).items() if "cadence-missed" in each}
    assert found == {f"cadence-missed health_check/{THEIRS}": "open"}
    missed = [each.ref for each in story.facts(DeadlinePassed) if each.kind is DeadlineKind.CADENCE]
    assert missed == [f"health_check/{THEIRS}"] * 2

    # A correction of an earlier scorecard does not count as a new one.
    rated(story, OURS, period="2026-Q2", trust=3, change_reason="It was meant to be 3.")
    story.on("2026-09-16")
    opened = {each for each, state in states(story).items() if state == "open"}
    assert f"cadence-missed health_check/{OURS}" in opened
