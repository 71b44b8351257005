"""The other party is told when a party lowers what it commits alone (C12)."""

from decimal import Decimal

from domain.execution import ProposeReviewHeld
from domain.governance import CommitResources
from tests.life import OURS, THEIRS, adopted, example, usd
from tests.projections.folds import alerts, running, states
from tests.stories import Story

ALERT = f"commitment-lowered {OURS}"


def committed(story: Story, attention: int, *costs: str) -> Story:
    command = CommitResources(attention=Decimal(attention), costs=[usd(each) for each in costs])
    story.when(OURS, command)
    return story


def lowered() -> Story:
    story = committed(running("2026-02-10"), 20, "9000.00")
    story.on("2026-02-11")
    return committed(story, 10, "200.00")


def test_a_commitment_that_is_lowered_is_told_to_the_other_party_with_both_amounts() -> None:
    alert = alerts(lowered())[ALERT]

    assert (alert.state, alert.severity) == ("open", "info")
    assert alert.text == (
        f"{OURS} lowered what it commits from 20 % of one person's time and 9000.00 USD "
        "to 10 % of one person's time and 200.00 USD."
    )
    assert [each.party for each in alert.who_acts] == [THEIRS]


def test_a_commitment_that_grows_is_no_alert() -> None:
    story = committed(running("2026-02-10"), 20, "9000.00")
    story.on("2026-02-11")

    committed(story, 25, "9000.00")

    assert ALERT not in states(story)


def test_a_commitment_that_is_lowered_again_says_what_it_was_first() -> None:
    story = lowered()
    story.on("2026-02-12")

    committed(story, 5, "9000.00")

    text = alerts(story)[ALERT].text
    assert "from 20 %" in text
    assert "to 5 % of one person's time and 9000.00 USD." in text


def test_the_alert_ends_once_the_party_commits_as_much_again() -> None:
    story = lowered()
    story.on("2026-02-12")

    committed(story, 20, "9000.00")

    assert (alerts(story)[ALERT].state, alerts(story)[ALERT].ended) == (
        "resolved",
        "It commits as much again.",
    )


def test_the_alert_ends_with_a_review_that_both_hold() -> None:
    story = lowered()
    story.on("2026-02-20")

    story.agree(OURS, example(ProposeReviewHeld, review="talk", kind="operational"))

    assert states(story)[ALERT] == "resolved"


def test_the_alert_ends_at_the_end_of_the_next_month() -> None:
    story = lowered()
    story.on("2026-03-31")
    assert states(story)[ALERT] == "open"

    story.on("2026-04-02")

    assert states(story)[ALERT] == "resolved"


def test_what_an_adopted_party_committed_is_what_it_lowers() -> None:
    story = adopted()
    story.wait(days=1)

    committed(story, 1)

    assert alerts(story)[ALERT].text.startswith(f"{OURS} lowered what it commits from 15 %")
