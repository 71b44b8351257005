"""The clock records that the due day of a statement passed, if something is left to be paid."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.payouts import RecordPayout
from domain.settlement import IssueStatement
from domain.standing_alerts import STATEMENT_OVERDUE
from domain.values import instant
from infra.bootstrap import Accord
from infra.deciding.clock import RecordingClock
from infra.deciding.group_commit import GroupCommit
from infra.deciding.scheduler import Scheduler
from infra.settings import Settings
from tests.infra.test_silence import NAME, claimed
from tests.infra.told import Told
from tests.life import OURS, THEIRS, usd

PASSED = DeadlinePassed(kind=DeadlineKind.STATEMENT, ref="2026-01:USD", party=OURS)
REMINDED = ReminderGiven(
    kind=DeadlineKind.STATEMENT, ref="2026-01:USD", due=date(2026, 3, 11), party=OURS
)
DUE_DAY_ENDS = datetime(2026, 3, 12, tzinfo=UTC)
"""The life's terms give thirty days, and the statement is of 9 February."""


def passed(accord: Accord) -> list[datetime]:
    return [each.act.occurred_at for each in accord.history.of(NAME) if each.event == PASSED]


def overdue(accord: Accord) -> list[Any]:
    accord.catch_up()
    found = accord.views.select("alerts", NAME, f"{STATEMENT_OVERDUE}@1/")
    return [row["state"] for _, row in found]


@pytest.mark.parametrize("amount", ["100.00", "150.00"])
def test_the_scheduler_records_the_due_day_of_what_is_not_paid_in_full(
    accord: Accord, clock: Told, settings: Settings, amount: str
) -> None:
    send = claimed(accord, clock)
    issued = datetime(2026, 2, 9, 9, tzinfo=UTC)
    send(issued, OURS, IssueStatement(period="2026-01"))
    payout = RecordPayout(payout="X-1", statement="2026-01:USD", amount=usd(amount))
    send(datetime(2026, 2, 10, 9, tzinfo=UTC), THEIRS, payout)
    writer = GroupCommit(accord.service)
    writer.start()
    recording = RecordingClock(clock, accord.history, settings.clock)
    scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording)
    for moment in (datetime(2026, 3, 10, 6, tzinfo=UTC), datetime(2026, 3, 11, 23, 59, tzinfo=UTC)):
        clock.now = moment
        accord.catch_up()
        scheduler.check()
    assert passed(accord) == []
    accord.catch_up()
    assert NAME not in accord.views.due("settlement", instant(clock.now))

    clock.now = datetime(2026, 3, 12, 6, tzinfo=UTC)
    accord.catch_up()
    scheduler.check()
    writer.stop()

    paid = amount == "150.00"
    assert passed(accord) == ([] if paid else [DUE_DAY_ENDS])
    assert [each.event for each in accord.history.of(NAME)].count(REMINDED) == (not paid)
    assert overdue(accord) == ([] if paid else ["open"])
