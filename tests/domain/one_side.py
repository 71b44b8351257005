"""What each command that one side sends changes of what both agreed, by deciding it.

The examples are tried by either party along four lives: as they are, with the parties changed over,
as a change of what is on record, and under new names. Now and then another stage is tried, too: a
copy of the story goes there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from domain import aggregates
from domain.aggregates import State
from domain.bilateral import AcceptBilateral, BilateralAgreements, ProposeBilateral
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import Dispute
from domain.examples import ELSEWHERE, HELD
from domain.execution import ProposeCancellation, given_up
from domain.exit import GiveExitNotice
from domain.experiment import Experiment
from domain.kernel import Act, Command, Event, Refused, Stage
from domain.partnership import Partnership
from domain.possible import Situation, possible
from domain.renewal import HoldRenewalReview
from domain.scaling import ProposeScope
from tests.life import ADOPTED, LIFE, LOST, OURS, THEIRS, changed, example
from tests.stories import Story, moment

ALL_EVERY, AWAY_EVERY = 15, 45
"""How often all commands are tried, and other stages: every so many steps of the life."""

NOT_AGREED: Final = frozenset(
    {
        DeadlineKind.ANSWER,
        DeadlineKind.CONFIRMATION,
        DeadlineKind.FIGURE,
        DeadlineKind.LAPSE,
        DeadlineKind.PERIOD,
        DeadlineKind.REMINDER,
        DeadlineKind.SIGNATURE,
        DeadlineKind.SILENCE,
        DeadlineKind.STATEMENT,
    }
)
"""The days that follow from what one side said, from the calendar, or from money."""


# --- what both agreed --------------------------------------------------------------------------


def binds(state: State) -> Mapping[str, object]:
    """Return what both agreed of a partnership, a dispute or an experiment, part by part."""
    match state:
        case Partnership(context=context):
            return {
                "stage": context.stage,
                "parties": context.parties,
                "terms": context.terms,
                "contract": state.formation.in_force.version,
                **_agreements(context.agreements),
                **{
                    f"day:{each.kind.value}:{each.ref}": (each.due, each.waits)
                    for each in state.deadlines.values()
                    if each.kind not in NOT_AGREED
                },
            }
        case Dispute(agreements=agreements):
            return _agreements(agreements)
        case Experiment():
            return {
                name: getattr(state, field_)
                for name, field_ in {
                    "PilotStarted": "started_at",
                    "PilotConcluded": "concluded",
                    "VariantPromoted": "promoted",
                }.items()
                if getattr(state, field_) is not None
            }
        case _:
            return {}


def _agreements(agreements: BilateralAgreements) -> dict[str, object]:
    return {
        f"agreed:{wire}:{place}": each
        for wire, versions in agreements.agreed.items()
        for place, each in enumerate(versions)
        if each not in agreements.over
    }


def _difference(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """Yield what changed, in words."""
    for part in before.keys() | after.keys():
        old, new = before.get(part), after.get(part)
        if old is not new and old != new:
            what, _, kind = part.partition(":")
            kind = kind.partition(":")[0]
            verb = "begins" if old is None else "ends" if new is None else "moves"
            match what:
                case "agreed":
                    yield f"{verb} `{kind}`"
                case "day":
                    yield f"{verb} a day ({kind})"
                case _ if kind or what[0].isupper():
                    yield f"{verb} `{what}`"
                case _:
                    yield f"{verb} the {what}"


# --- what is tried -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tried(Situation):
    """A situation that notes what is decided in it."""

    decided: list[tuple[Command, list[Event]]] = field(default_factory=list)

    def decide(self, party: str, command: Command) -> list[Event]:
        events = Situation.decide(self, party, command)
        if events:
            self.decided.append((command, events))
        return events


def _variants(command: Command) -> Iterator[Command]:
    """Yield a command, its mirror image, a change of what it says, and the same of another name."""
    yield command
    text = command.model_dump_json()
    mirrored = text.replace(OURS, "@").replace(THEIRS, OURS).replace("@", THEIRS)
    yield type(command).model_validate_json(mirrored)
    for name in ("change_reason", "reason"):
        if getattr(command, name, "") is None:
            yield changed(command, **{name: "It was seen anew."})
    if isinstance(command, ProposeBilateral):
        kind = command.agreement
        for each in (command, type(command).model_validate_json(mirrored)):
            with suppress(Refused, ValueError):
                yield changed(each, **dict.fromkeys((kind.called, *kind.identity), "anew"))


def _commands() -> Iterator[Command]:
    for step in (*LIFE, *ADOPTED, *ELSEWHERE, *LOST, *HELD):
        yield from _variants(step.command)
        for word, kind in given_up().items():
            made: Any = getattr(kind, "proposes", None) or kind.asks  # type: ignore[union-attr]
            if isinstance(step.command, made):
                ref = getattr(step.command, *kind.identity)
                yield example(ProposeCancellation, proposal="no-more", kind=word, ref=ref)


@cache
def commands() -> tuple[Command, ...]:
    """Return the commands that are tried, each once."""
    return tuple({repr(each): each for each in _commands()}.values())


# --- the lives ---------------------------------------------------------------------------------

Effects = dict[str, set[str]]
"""What each command changes, by its name."""


class OneSide:
    """What was decided by one side along the lives."""

    def __init__(self) -> None:
        self.effects: Effects = defaultdict(set)
        self.decided: dict[str, set[Stage | None]] = defaultdict(set)
        """The stages in which each command was decided, by its name."""

    def look(self, story: Story, tried: Iterable[Command]) -> None:
        """Try commands by either party, and all that is possible if `tried` is empty."""
        others = {name: each for name, each in story.states.items() if name != story.id}
        before: dict[str, Mapping[str, object]] = {}
        for party in story.partnership.parties:
            situation = _Tried(story.id, story.partnership, story.now, others)
            if not tried:
                possible(party, situation)
            stage = story.partnership.stage
            for each in tried or (each for each in commands() if stage in each.stages):
                with suppress(Refused):
                    situation.decide(party, each)
            for command, events in situation.decided:
                self._note(story, party, command, events, before)

    def _note(
        self,
        story: Story,
        party: str,
        command: Command,
        events: list[Event],
        before: dict[str, Mapping[str, object]],
    ) -> None:
        name = type(command).__name__
        self.decided[name].add(story.partnership.stage)
        if isinstance(command, AcceptBilateral):
            return
        stream = aggregates.stream_of(story.id, command)
        state = story.states.get(stream, aggregates.initial(stream))
        if stream not in before:
            before[stream] = binds(state)
        act = Act(party, party, story.now, story.now)
        for event in events:
            state = aggregates.evolve(state, event, act)
        self.effects[name].update(_difference(before[stream], binds(state)))


def _away(story: Story) -> Iterator[Story]:
    """Yield the story in each other stage that it can go to now."""
    moves: tuple[Callable[[Story], object], ...] = (
        lambda each: each.when(OURS, example(HoldRenewalReview)),
        lambda each: each.when(OURS, example(GiveExitNotice)),
        lambda each: each.agree(OURS, example(ProposeScope)),
    )
    for move in moves:
        there = story.copy()
        with suppress(Refused):
            move(there)
            yield there


@cache
def one_side() -> OneSide:
    """Return what one side decided along the lives."""
    found = OneSide()
    for life in (LIFE, ADOPTED, LOST, HELD):
        story = Story(now=moment(min(LIFE[0].at, life[0].at)))
        if life in (LOST, HELD):
            story.given(step for step in LIFE if moment(step.at) < moment(life[0].at))
        for index, step in enumerate(life):
            story.on(step.at)
            is_all = life is not LIFE or index % ALL_EVERY == 0
            found.look(story, () if is_all else tuple(_variants(step.command)))
            if life is LIFE and index % AWAY_EVERY == 0:
                for there in _away(story):
                    found.look(there, ())
            story.given([step])
        found.look(story, ())
    return found
