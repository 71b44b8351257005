"""Cases that calendars and clocks make hard; those of money are in `test_settlement.py`."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.agreement import CommercialTermsAgreed
from domain.calendar import midnight
from domain.execution import IssueEscalated, RaiseIssue
from domain.exit import ExitNoticeGiven, GiveExitNotice
from domain.kernel import Stage
from domain.terms_by_day import TermsByDay
from tests.life import FRAME, ITEMS, OURS, THEIRS, at, changed, example
from tests.projections.money import amend, share

MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("starts_on", "duration", "notice", "ends_on", "last_day"),
    [
        (date(2028, 2, 29), "P1Y", "P1M", date(2029, 2, 28), date(2029, 1, 28)),
        (date(2027, 3, 29), "P1Y", "P1M", date(2028, 3, 29), date(2028, 2, 29)),
        (date(2026, 3, 29), "P1Y", "P1M", date(2027, 3, 29), date(2027, 2, 28)),
        (date(2024, 2, 29), "P4Y", "P0D", date(2028, 2, 29), date(2028, 2, 29)),
        (date(2026, 1, 1), "P3Y", "P60D", date(2029, 1, 1), date(2028, 11, 2)),
    ],
)
def test_a_term_and_its_notice_know_leap_days(
    starts_on: date, duration: str, notice: str, ends_on: date, last_day: date
) -> None:
    frame = changed(FRAME, starts_on=starts_on, duration=duration, notice=notice)
    agreed = CommercialTermsAgreed(
        proposal="terms-1",
        effective_from=starts_on,
        frame=frame,
        items=ITEMS,
        terms_version=1,
        agreed_at=midnight(starts_on),
    )
    terms = TermsByDay.of([agreed])

    assert (terms.end, terms.last_notice_day) == (ends_on, last_day)


def test_notice_on_a_leap_day_is_still_in_time() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), duration="P4Y", notice="P1M")
    leave = example(GiveExitNotice)
    story.on("2028-02-29T23:59")

    late = story.refuses(THEIRS, changed(leave, effective_on=date(2028, 3, 28)))
    story.when(THEIRS, changed(leave, effective_on=date(2028, 3, 29)))

    assert late.rule == "notice-period"
    assert len(story.facts(ExitNoticeGiven)) == 1


def test_48_hours_are_48_hours_when_the_clocks_change() -> None:
    """In Spain the night of 29 March 2026 has an hour less: the clock on the wall shows 49."""
    story = at(Stage.EXECUTION)
    raised = datetime(2026, 3, 28, 12, tzinfo=MADRID)
    story.on(f"{raised.astimezone(UTC):%Y-%m-%dT%H:%M}")

    story.when(OURS, example(RaiseIssue))
    early = story.wait(hours=47, minutes=59)
    due = story.wait(minutes=1)

    assert not [each for each in early if isinstance(each, IssueEscalated)]
    assert [each for each in due if isinstance(each, IssueEscalated)]
    assert f"{story.now.astimezone(MADRID):%d %H:%M}" == "30 13:00"
