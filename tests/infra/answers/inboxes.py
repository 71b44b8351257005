"""What the tests of the inbox share: what awaits each party of a story, and to do it."""

from collections.abc import Iterable
from typing import Any

import orjson

from domain.aggregates import command_types
from infra.answers import inbox as answer
from infra.answers.inbox import InboxItem
from tests.stories import Story


def inbox(story: Story, party: str | None = None) -> list[InboxItem]:
    """Return what awaits a party, or either."""
    found = of_rows(story, answer.of_events(story.id, story.history))
    return [each for each in found if party in {None, each.party}]


def of_rows(story: Story, rows: Iterable[answer.Rows]) -> list[InboxItem]:
    return [answer.offered(item, story.now) for each in rows for item in answer.items(each)]


FILLED: dict[str, Any] = {
    "reason": "It is as good as done.",
    "minutes": "All is on its way.",
    "how": "It is off the page.",
    "resolution": "It is done.",
    "outcome": "rejected",
    "plan_day": 30,
    "met": True,
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
