"""What each party of a partnership can do now, and what keeps gates closed."""

import re
from collections.abc import Collection, Container, Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from domain import aggregates
from domain.aggregates import State
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.gates import ProposeWaiver, Requirement, WaiverGranted
from domain.kernel import Command, Stage
from domain.merge import AgreeMerge
from domain.referral import AgreeAttribution
from infra.answers import inbox
from infra.answers.logs import NOW, AsOf, not_begun, own_stream, sight_of, size_of
from infra.answers.partnership_state import OpenDeadline
from infra.answers.question import Answer, Item, PartnershipId, Question
from infra.answers.show import open_deadlines
from infra.answers.text import Block, Line, Remark, Table, minute, without_codes
from infra.bootstrap import Accord
from infra.tlog import cloudevents
from projections.visibility import PRIVATE, Sight

if TYPE_CHECKING:
    from domain.possible import Closed, Possible

SOONEST = 3
"""How many of the deadlines are printed."""


class PossibleEvent(Item):
    """A type of event that a party can send now."""

    type: str
    """The event's `type`."""
    summary: str
    """What the command asks for."""


class Waiting(Item):
    """A proposal of the other party that waits for an answer."""

    proposal: str
    """The identifier of the proposal, which the answer repeats."""
    party: str
    """The party that proposed."""
    belongs_to: str | None
    """The dispute or the experiment that it belongs to, such as `dispute/D-1`."""
    content: str
    """The digest of what is proposed. A signed acceptance repeats it."""
    answers: tuple[str, ...]
    """The types of events that answer it."""


class PartyNext(Item):
    """What one party can do now."""

    party: str
    """The party."""
    waiting: tuple[Waiting, ...]
    """The proposals of the other party that wait for an answer of this one."""
    events: tuple[PossibleEvent, ...]
    """The types of events that can be accepted now, in the order of a partnership's life."""


class Met(StrEnum):
    """Whether a condition of a gate is met."""

    YES = "yes"
    NO = "no"
    WAIVED = "waived"


class Condition(Item):
    """A condition of a gate."""

    rule: str
    """The rule that refuses while the condition is not met; a waiver names it."""
    met: Met
    """Whether it is met, or was waived."""
    waivable: bool
    """Whether it can be waived (ProposeWaiver)."""
    detail: str | None
    """What is missing; null if the condition is met."""
    hint: str | None
    """What to do about it; null if the condition is met."""
    meets: tuple[str, ...]
    """The types of events that meet it."""


class Gate(Item):
    """A gate that is closed, and all of its conditions."""

    gate: str
    """The stage or the step that the gate leads to."""
    passes: str
    """The type of the event that passes the gate once it is open."""
    about: str | None
    """The candidate, where each candidate has a gate of its own."""
    conditions: tuple[Condition, ...]
    """What the gate requires."""


class Next(Answer):
    """What each party can do now, what keeps gates closed, and what is due."""

    id: str
    """The partnership."""
    stage: Stage
    """Its stage."""
    parties: tuple[PartyNext, ...]
    """What each party can do; of the viewer alone, if the viewer is a party."""
    gates: tuple[Gate, ...]
    """The gates that are closed."""
    due: tuple[OpenDeadline, ...]
    """The open deadlines, the soonest first."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Next:
    """Return what each party can do now, found by deciding an example of each command.

    An event is listed unless the stage, the turn, a gate or a missing thing that it names refuses
    it whatever else it says. For events on deals, entries and figures only the stage is checked;
    one that only answers what the other party stated is listed while it is awaited. Raises
    `NotFound`.
    """
    # Other commands do not wait for the examples to be made.
    from domain import possible  # noqa: PLC0415

    size_of(accord.history, id)
    sight = sight_of(accord.history, id, when, figures=False)
    own = own_stream(accord.history, id, when)
    if when.viewer.party is None:
        # Gates show who the candidates are. What each party can do is asked as that party.
        own = [each for each in own if sight.shows(each) or isinstance(each.event, PRIVATE)]
    state = aggregates.fold(own)
    if state.stage is None:
        raise not_begun(accord.history, id, when)
    now = when.at or when.known or (own[-1].act.recorded_at if accord.simulated else accord.clock())
    streams = _streams(accord, id, when, sight, possible.FEW)
    situation = possible.Situation(id, state, now, streams)
    asking = [when.viewer.party] if when.viewer.party else state.parties
    found = {party: possible.possible(party, situation) for party in asking}
    waived = [each.rule for each in state.context.agreements.of(WaiverGranted)]
    closed = [gate for each in found.values() for gate in each.closed]
    awaited = _awaited(accord, id, when)
    return Next(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        stage=state.stage,
        parties=tuple(_party(party, each, awaited) for party, each in found.items()),
        gates=tuple(_gates(closed, waived)),
        due=tuple(open_deadlines(state)),
    )


def _streams(
    accord: Accord, id: str, when: AsOf, sight: Sight, kinds: Iterable[str]
) -> dict[str, State]:
    states: dict[str, State] = {}
    for kind in kinds:
        for recorded in filter(sight.shows, when.of(accord.history.below(f"{id}/{kind}"))):
            state = states.get(recorded.stream) or aggregates.initial(recorded.stream)
            states[recorded.stream] = aggregates.evolve(state, recorded.event, recorded.act)
    return states


_ANSWERS: Final = frozenset({AgreeAttribution, AgreeMerge, ConfirmClaim, ObjectToClaim})
"""The commands on deals and claims that only answer what was asked; the inbox has what was."""


def _awaited(accord: Accord, id: str, when: AsOf) -> set[tuple[str, str]]:
    """Return the types of events that are awaited, each with its party."""
    items = inbox.INBOX.whole(accord, partnership=id, when=when).items
    return {(event.party, event.type) for each in items for event in each.events}


def _party(party: str, found: "Possible", awaited: Container[tuple[str, str]]) -> PartyNext:
    return PartyNext(
        party=party,
        waiting=tuple(
            Waiting(
                proposal=each.proposal,
                party=each.party,
                belongs_to=each.substream or None,
                content=each.content,
                answers=tuple(map(_type, each.commands)),
            )
            for each in found.answers
        ),
        events=tuple(
            PossibleEvent(type=_type(each), summary=summary(each))
            for each in found.commands
            if each not in _ANSWERS or (party, _type(each)) in awaited
        ),
    )


def _gates(closed: Iterable["Closed"], waived: Collection[str]) -> Iterator[Gate]:
    """Yield each closed gate once, although it is closed for both parties."""
    seen: set[tuple[str, str | None]] = set()
    for each in closed:
        about: str | None = getattr(each.command, "candidate", None)
        if (each.gate, about) not in seen:
            seen.add((each.gate, about))
            yield Gate(
                gate=each.gate,
                passes=_type(type(each.command)),
                about=about,
                conditions=tuple(_condition(one, waived) for one in each.requirements),
            )


def _condition(required: Requirement, waived: Collection[str]) -> Condition:
    is_waived = required.waivable and required.rule in waived
    met = Met.YES if required.met else Met.WAIVED if is_waived else Met.NO
    return Condition(
        rule=required.rule,
        met=met,
        waivable=required.waivable,
        detail=required.detail if met is Met.NO else None,
        hint=required.hint if met is Met.NO else None,
        meets=tuple(
            cloudevents.PREFIX + name
            for name in re.findall(r"\w+", required.hint)
            if name in aggregates.command_types() and name != ProposeWaiver.__name__
        ),
    )


def _type(command: type[Command]) -> str:
    return cloudevents.PREFIX + command.__name__


def summary(command: type[Command]) -> str:
    """Return what a command asks for, as a sentence."""
    return without_codes((command.__doc__ or "").partition("\n")[0])


# --- text --------------------------------------------------------------------------------------


def text(found: Next) -> Iterator[Block]:
    """Yield each party's events, proposals first; then the closed gates and the next deadlines."""
    yield Line(f"{found.id}: {found.stage}")
    for each in found.parties:
        yield Line()
        yield Line(f"{each.party} can send", "bold")
        yield from _waiting(each.waiting)
        yield Table(
            ["TYPE", "WHAT IT ASKS FOR"],
            [(x.type, x.summary) for x in each.events],
            indent=2,
        )
    for gate in found.gates:
        yield Line()
        about = f" for {gate.about}" if gate.about else ""
        yield Line(f"The gate to {gate.gate}{about} is closed ({gate.passes})", "bold")
        for condition in gate.conditions:
            yield from _lines(condition)
    if found.due:
        yield Line()
        yield Line("due next", "bold")
        for due in found.due[:SOONEST]:
            yield Line(f"{minute(due.due)}  {due.kind} {due.ref}", indent=2)
    yield Line()
    yield Remark("The fields of an event, and an example: accord schema TYPE.")


def _waiting(waiting: Iterable[Waiting]) -> Iterator[Block]:
    for each in waiting:
        where = f" of {each.belongs_to}" if each.belongs_to else ""
        answers = ", ".join(each.answers)
        yield Line(f"{each.party} proposed {each.proposal}{where}; answer with {answers}", indent=2)
        yield Line(f"content {each.content}", indent=4)


def _lines(condition: Condition) -> Iterator[Block]:
    yield Line(f"{condition.met:<6} {condition.rule}", indent=2)
    if condition.detail:
        yield Line(f"{condition.detail} {condition.hint}", indent=9)


NEXT = Question(
    "next",
    ask,
    text,
    path="/v1/partnerships/{id}/next",
    help="Show what each party can do now, what closed gates require, and what is due.",
)
