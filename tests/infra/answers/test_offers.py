"""What the inbox and `next` offer is what is accepted: over random lives, every event is tried.

An event is filled with its example's fields where the offer leaves them open. It is accepted, or
refused for what was filled in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.dispute import Dispute
from domain.examples import Step
from domain.experiment import Experiment
from domain.gates import GateClosed
from domain.kernel import AlreadyRecorded, Command, Event, NotNow, Refused, Unknown
from domain.possible import FEW, Situation, possible
from infra.answers import inbox
from infra.answers.inbox import EventToSend, InboxItem
from tests.domain.test_possible import LIVES
from tests.life import EXAMPLES, LIFE, example
from tests.stories import Story

NEW: Final = ("exit", "payout", "proposal", "review", "settlement")
"""The fields that name something new."""

OF_CONTENT: Final = {
    "key-used-before": "the key",
    "not-ones-own-key": "the party of the key",
    "no-such-rate": "the rate",
    "nothing-earned": "the subject of the dispute",
    "nothing-to-state": "the period",
    "payout-exceeds-balance": "the amount",
    "period-not-over": "the period",
    "proposal-lapses": "the days",
    "stop-rule-not-met": "the ending of the pilot",
    "target-behind-baseline": "the target",
    "unknown-metric": "the metric",
    "unknown-party": "a party",
}
"""The rules that refuse what is filled in without naming its field, and what that is."""


def of_filled(refused: Refused, filled: Mapping[str, Any]) -> bool:
    """Whether a command is refused for what was filled in."""
    if isinstance(refused, Unknown) and refused.named in filled.values():
        return True
    if isinstance(refused, GateClosed) and refused.fitting.keys() & filled.keys():
        return True
    name = str(refused.facts.get("field", "")).partition("/")[0]
    return not isinstance(refused, NotNow) and (name in filled or refused.rule in OF_CONTENT)


def filled(kind: type[Command], event: EventToSend) -> dict[str, Any]:
    """Return the fields that an offer leaves open, as the example has them."""
    given_ = example(kind).model_dump(mode="json")
    return {
        name: f"offered-{name}" if name in NEW else given_[name] or given_.get("items")
        for name in event.missing
    }


def offers(story: Story) -> Iterator[tuple[InboxItem, EventToSend]]:
    """Yield each event that the inboxes offer."""
    for rows in inbox.of_events(story.id, story.history):
        for each in inbox.items(rows):
            item = inbox.offered(each, story.now)
            yield from ((item, event) for event in item.events)


def check_inbox(story: Story) -> None:
    """Assert that each event that the inboxes offer is accepted but for what is filled in."""
    for item, event in offers(story):
        kind = command_types()[event.type.removeprefix("accord.")]
        more = filled(kind, event)
        command = kind.model_validate_json(orjson.dumps(event.data | more))
        try:
            story.copy().when(event.party, command)
        except Refused as refused:
            assert of_filled(refused, more), f"{item.text} {event}: {refused}"  # noqa: PT017


@dataclass(frozen=True, slots=True)
class Tried(Situation):
    """A situation that notes how each command was decided."""

    outcomes: dict[type[Command], list[Refused | None]] = field(default_factory=dict)

    def decide(self, party: str, command: Command) -> list[Event]:
        outcomes = self.outcomes.setdefault(type(command), [])
        try:
            events = Situation.decide(self, party, command)
        except Refused as refused:
            outcomes.append(refused)
            raise
        outcomes.append(None)
        return events


def is_of_many(kind: type[Command]) -> bool:
    """Whether only the stage is checked: of deals, entries and figures there are many."""
    place = EXAMPLES[kind].command.substream().partition("/")[0]
    return place not in {"", *FEW}


def check_next(story: Story) -> None:
    """Assert that each type that `next` lists is accepted, or refused for its content alone."""
    few = {
        name: state
        for name, state in story.states.items()
        if isinstance(state, Dispute | Experiment)
    }
    for party in story.partnership.parties:
        situation = Tried(story.id, story.partnership, story.now, few)
        for kind in possible(party, situation).commands:
            outcomes = situation.outcomes[kind]
            assert is_of_many(kind) or any(
                each is None
                # Under another identifier it is something new.
                or isinstance(each, AlreadyRecorded)
                or of_filled(each, kind.model_fields)
                for each in outcomes
            ), f"{kind.__name__} of {party}: {outcomes}"


@st.composite
def lives(draw: st.DrawFn) -> tuple[tuple[Step, ...], frozenset[int], int]:
    """Return a life, the steps of it that do not happen, and for how long nobody acts after it."""
    life = draw(st.sampled_from([LIFE, *LIVES.values()]))
    end = draw(st.integers(1, len(life)))
    left_out = draw(st.frozensets(st.integers(1, end), max_size=3))
    return life[:end], left_out, draw(st.sampled_from([0, 0, 1, 7, 40, 200]))


def lived(life: tuple[Step, ...], left_out: frozenset[int], days: int) -> Story:
    """Return the story of a life without some steps, and without what these made possible."""
    story = Story()
    for place, step in enumerate(life):
        story.on(step.at)
        if place not in left_out:
            try:
                story.when(step.party, step.command)
            except Refused:
                continue
    story.wait(days=days)
    return story


@settings(max_examples=60, deadline=None)
@given(lives())
def test_what_the_inboxes_offer_is_accepted(
    life: tuple[tuple[Step, ...], frozenset[int], int],
) -> None:
    check_inbox(lived(*life))


@settings(max_examples=60, deadline=None)
@given(lives())
def test_what_next_lists_is_accepted(life: tuple[tuple[Step, ...], frozenset[int], int]) -> None:
    check_next(lived(*life))
