"""What the tests of the inbox share: what awaits each party of a story, and to do it."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import orjson

from domain.aggregates import command_types
from domain.bilateral import ProposalLapsed
from domain.deadlines.deadline import DAY, DeadlineKind
from domain.recorded import Recorded
from domain.standing_alerts import DUE_SOON
from infra.answers import inbox as answer
from infra.answers.inbox import InboxItem
from projections import ALERTS
from projections.alerts import Alert, AlertState
from projections.fold import Folded, fold
from tests.stories import Story


def inbox(story: Story, party: str | None = None) -> list[InboxItem]:
    """Return what awaits a party, or either."""
    found = of_rows(story, answer.of_events(story.id, story.history))
    return [each for each in found if party in {None, each.party}]


class LiveInbox:
    """The inboxes and the alerts of a story, from rows that are kept live."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.folded = {each: Folded() for each in answer.FOLDS}
        self._folded_to = 0

    def inbox(self, party: str | None = None) -> list[InboxItem]:
        """Return what awaits a party, or either."""
        self.fold()
        found = of_rows(self.story, answer.of_folded(self.story.id, self.folded.items()))
        return [each for each in found if party in {None, each.party}]

    def open_alerts(self) -> list[Alert]:
        """Return the open alerts."""
        self.fold()
        rows = self.folded[ALERTS].rows.values()
        found = (each for each in rows if isinstance(each, Alert))
        return [each for each in found if each.state is AlertState.OPEN]

    def fold(self) -> None:
        """Fold what was recorded since."""
        rest = self.story.history[self._folded_to :]
        for each, of in self.folded.items():
            fold(each, of, rest)
        self._folded_to += len(rest)


def of_rows(story: Story, rows: Iterable[answer.Rows]) -> list[InboxItem]:
    found = (item for each in rows for item in answer.items(each))
    return [answer.offered(item, story.now) for item in found if answer.is_open(item, story.now)]


def other_days(alerts: Iterable[Alert], items: list[InboxItem]) -> list[str]:
    """Return the open reminders whose day is not in the inbox of a party that acts."""
    return [
        f"{each.text} {party}"
        for each in alerts
        if (each.rule, each.state) == (DUE_SOON, AlertState.OPEN)
        if each.window.partition("/")[0] not in _ONLY_SAID
        for party in (who.party for who in each.who_acts)
        if not _has_day(each, [item for item in items if item.party == party])
    ]


def given_too_many_days(event: Recorded, items: list[InboxItem]) -> list[str]:
    """Return the answers for which the inbox had a later day than that before the proposal lapsed.

    `items` are those of the inbox before the event.
    """
    lapsed = event.event
    if not isinstance(lapsed, ProposalLapsed) or event.act.actor != "clock":
        return []
    last = lapsed.last_day or date.fromisoformat(_DAY.findall(lapsed.reason)[-1]) - DAY
    return [each.text for each in items if each.ref == lapsed.proposal and each.day > last]


_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def _has_day(reminder: Alert, items: list[InboxItem]) -> bool:
    """Whether an inbox has the day of a reminder, or an earlier one for the same answer."""
    day = date.fromisoformat(_DAY.findall(reminder.text)[-1])
    kind, *names = reminder.window.split("/")
    answered = names[1] if kind == DeadlineKind.ANSWER else None
    return any(each.day == day or (each.ref == answered and each.day < day) for each in items)


_ONLY_SAID: Final = {DeadlineKind.CAMPAIGN_START, DeadlineKind.OBJECTIVE, DeadlineKind.EXIT}
"""What nobody has to do anything about on its day."""


FILLED: dict[str, Any] = {
    "reason": "It is as good as done.",
    "minutes": "All is on its way.",
    "how": "It is off the page.",
    "resolution": "It is done.",
    "outcome": "rejected",
    "plan_day": 30,
    "met": True,
    "passed": True,
    "duration": "P1Y",
    "recommendation": "renew",
    "disposition": "retain",
    "to": "growthos",
}
"""What a manager adds to an event of the inbox."""


def types(item: InboxItem) -> list[str]:
    """Return the commands that an item offers."""
    return [each.type.removeprefix("accord.") for each in item.events]


def do(story: Story, item: InboxItem, place: int = 0) -> str:
    """Send the event with which an item is done, just as the inbox gives it.

    Return the name that it gives to a new proposal.
    """
    event = item.events[place]
    kind = command_types()[event.type.removeprefix("accord.")]
    new = f"asked-{len(story.history)}"
    unit = "USD" if event.data.get("metric") == "co_branded_revenue" else "count"
    filled = FILLED | {"figure": {"unit": unit, "value": "7"}}
    data = event.data | {name: filled.get(name, new) for name in event.missing}
    story.when(event.party, kind.model_validate_json(orjson.dumps(data)))
    return new
