"""The timeline: who did what, when, in words for every event, and marked where it came late."""

from importlib import import_module
from pkgutil import walk_packages

import pytest

import domain
from domain.exploration import ChoosePartner, CompleteDecisionChecklist
from domain.formation import DeclareBestAlternative
from domain.gates import GrantWaiver
from domain.kernel import Event, Stage
from projections import TIMELINE
from projections.fold import Row, replay
from projections.timeline import WORDS, words
from tests.infra.examples import example as example_of
from tests.life import LIFE, OURS, after, at, before, example
from tests.projections.folds import correct, count, refer, report
from tests.stories import Story

for module in walk_packages(domain.__path__, "domain."):
    import_module(module.name)
EVENTS = sorted(Event.registry.values(), key=lambda event: event.wire)


def entries(story: Story) -> list[Row]:
    return list(replay(TIMELINE, story.history).rows.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.wire)
def test_every_event_has_words(event: type[Event]) -> None:
    text = words(event.model_validate(example_of(event)))

    assert text == text.strip()
    assert not set("{}<>") & set(text)
    assert "None" not in text
    assert "domain." not in text


def test_there_are_words_for_nothing_else() -> None:
    assert set(WORDS) == set(EVENTS)


def test_a_whole_life_reads_in_the_order_in_which_it_was_recorded() -> None:
    story = Story().given(LIFE)
    read = entries(story)

    assert [each["index"] for each in read] == list(range(len(story.history)))
    assert read[0] == {
        "index": 0,
        "occurred_at": "2025-09-01T09:00:00Z",
        "recorded_at": "2025-09-01T09:00:00Z",
        "party": "growthos",
        "actor": "growthos-manager",
        "type": "ExplorationBegun",
        "text": "began to look for a partner: Consulting firms that refer clients",
    }
    assert (read[-1]["type"], read[-1]["text"]) == (
        "PartnershipExited",
        "completed the exit; the partnership ended",
    )


def test_keys_sort_as_the_indexes_do() -> None:
    keys = list(replay(TIMELINE, Story().given(LIFE).history).rows)

    assert keys == sorted(keys)
    assert len(keys) == len(Story().given(LIFE).history)


def test_what_time_itself_records_is_nobodys_act() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-01")

    closed = entries(story)[-1]
    assert (closed["party"], closed["text"]) == ("accord", "2026-01 closed")


def test_a_fact_of_an_earlier_month_is_marked_late() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-03")
    refer(story, "D-1", happened="2026-01-31T23:59")
    refer(story, "D-2", happened="2026-02-01T00:00")

    late, in_time = entries(story)[-2:]
    assert late["late"] is True
    assert late["occurred_at"] == "2026-01-31T23:59:00Z"
    assert late["recorded_at"] == "2026-02-03T09:00:00Z"
    assert "late" not in in_time


def test_a_correction_is_read_beside_what_it_corrects() -> None:
    story = at(Stage.EXECUTION)
    report(story, "impressions", "2026-01", count(142))
    correct(story, "impressions", "2026-01", count(150))

    assert [each["text"] for each in entries(story)[-2:]] == [
        "reported impressions for 2026-01: 142 count",
        "corrected impressions for 2026-01 to 150 count: Recount.",
    ]


def test_a_checklist_tells_which_questions_were_answered_with_no() -> None:
    story = before(CompleteDecisionChecklist)
    answers = example(CompleteDecisionChecklist, economics_fair=False, exit_clause=False)
    story.when(OURS, answers)

    assert entries(story)[-1]["text"] == (
        "answered the decision checklist for brightpath, with no to economics_fair, exit_clause"
    )


def test_what_was_passed_by_waiver_is_named_where_it_was_passed() -> None:
    story = before(ChoosePartner, without=CompleteDecisionChecklist)
    for rule in story.refuses(OURS, example(ChoosePartner)).facts["waivable"]:
        story.when(OURS, GrantWaiver(rule=rule, reason="The board wants it."))
    story.when(OURS, example(ChoosePartner))

    assert "(waived: checklist" in entries(story)[-1]["text"]


def test_a_partys_best_alternative_stays_its_own() -> None:
    story = after(DeclareBestAlternative)

    secret = example(DeclareBestAlternative).statement
    assert entries(story)[-1]["type"] == "BestAlternativeDeclared"
    assert secret not in str(entries(story))
