"""Open deadlines in a row, whose `wake` is when a scheduler has to look at the partnership."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.deadlines.deadline import Deadline, DeadlineKind
from domain.execution import ProposeIssueResolution, RaiseIssue
from domain.kernel import Stage
from projections import DEADLINES
from projections.deadlines import OPEN, OpenDeadlines
from projections.fold import NOTHING, replay
from tests.life import LIFE, OURS, THEIRS, at, example, so_far
from tests.projections.folds import refer
from tests.stories import Story

WHOLE = so_far(len(LIFE))


def row(story: Story) -> OpenDeadlines | None:
    found: OpenDeadlines | None = replay(DEADLINES, story.history).rows.get(OPEN)
    return found


def open_ones(story: Story) -> list[Deadline]:
    found = row(story)
    return list(found.open) if found else []


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_before_anything_is_agreed_nothing_is_waited_for() -> None:
    assert row(at(Stage.FORMATION)) is None


def test_it_wakes_at_the_first_of_all_open_deadlines() -> None:
    story = at(Stage.EXECUTION)
    found = row(story)

    assert found is not None
    assert found.wake == day("2026-02-01")
    assert [each[:3] for each in found.open] == [
        (day("2026-02-01"), DeadlineKind.PERIOD, "2026-01"),
        *(
            (day("2027-01-01"), DeadlineKind.OBJECTIVE, name)
            for name in ("co-branded-revenue", "new-users", "subscribers")
        ),
        (day("2028-10-03"), DeadlineKind.NOTICE_WARNING, "2028-11-02"),
        (day("2028-11-03"), DeadlineKind.NOTICE, "2028-11-02"),
        (day("2029-01-01"), DeadlineKind.TERM_END, "2029-01-01"),
    ]


def test_it_is_stored_with_the_moment_to_wake_as_text() -> None:
    story = at(Stage.EXECUTION)
    stored = DEADLINES.dump(OPEN, row(story))

    assert stored["wake"] == "2026-02-01T00:00:00Z"
    assert stored["open"][0][:3] == ["2026-02-01T00:00:00Z", "period", "2026-01"]
    assert DEADLINES.load(OPEN, stored) == row(story)


def test_an_issue_is_waited_for_until_it_is_resolved() -> None:
    story = at(Stage.EXECUTION)
    before = row(story)
    story.when(THEIRS, example(RaiseIssue))
    found = row(story)
    assert found is not None
    assert found.wake == story.now + timedelta(hours=48)
    story.agree(OURS, example(ProposeIssueResolution))

    assert row(story) == before


def test_a_period_that_closes_opens_the_next() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")

    (period,) = (each for each in open_ones(story) if each.kind is DeadlineKind.PERIOD)
    assert period[:3] == (day("2026-05-01"), DeadlineKind.PERIOD, "2026-04")


def test_after_the_exit_nothing_is_waited_for() -> None:
    assert row(WHOLE) is None


def test_facts_of_other_streams_touch_no_row() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")

    assert not DEADLINES.concerns(story.history[-1])
    assert DEADLINES.apply({}, story.history[-1]) is NOTHING


@pytest.mark.parametrize("stage", Stage)
def test_the_view_holds_the_deadlines_that_the_aggregate_holds(stage: Stage) -> None:
    story = at(stage)
    # The rows of the ledger wake a scheduler for those of statements, and only a fold of all
    # streams knows those of figures.
    deadlines = story.partnership.deadlines.values()
    others = [each for each in deadlines if each.kind is not DeadlineKind.STATEMENT]

    found = [each for each in open_ones(story) if each.kind is not DeadlineKind.FIGURE]
    assert found == sorted(others)
