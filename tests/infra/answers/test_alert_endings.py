"""What ends an open alert, in words, and the events that do it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.standing_alerts import BY_RULE, OF_ONE_PARTY
from infra.answers import alerts
from infra.answers.alert_endings import ending
from infra.bootstrap import Accord
from tests.feeds import played


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


def test_each_alert_says_in_words_of_its_own_what_ends_it(accord: Accord) -> None:
    some = alerts.ask(accord).items[0]

    said = {
        rule: ending(replace(some, rule=rule, facts=None, window="strategic", kind=row.kind)).text
        for rule, row in (BY_RULE | OF_ONE_PARTY).items()
        if rule != "referral-minimum"
    }

    assert [rule for rule, text in said.items() if "one of these events" in text] == []
    assert said["cadence-missed"] == (
        "It ends when the next strategic review is recorded, or another cadence is agreed."
    )
    assert said["lead-unanswered"] == "It ends when each of its leads is accepted or rejected."
    assert said["lead-rejected"] == (
        "It ends when the lead is accepted after all, or its deal is lost or merged."
    )


def test_an_exit_that_is_not_completed_and_a_late_answer_name_the_events_that_end_them(
    accord: Accord,
) -> None:
    some = alerts.ask(accord).items[0]
    incomplete = replace(some, rule="exit-incomplete", facts=None, window="2026-04-01")
    late = replace(some, rule="answer-overdue", facts=None, window="Pause/p-1")
    soon = replace(some, rule="due-soon", facts=None, window="answer/Pause/p-1")

    assert ending(incomplete).events == ("PartnershipExited",)
    for each in (late, soon):
        events = ending(each).events
        assert "ActivityPaused" in events
        assert "ProposalDeclined" in events
        assert "GovernanceEstablished" not in events
        assert "ReviewHeld" not in events
