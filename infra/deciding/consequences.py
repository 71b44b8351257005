"""What an event entails in other streams, computed again.

An adoption states contacts, figures and claims for each party, and a merge or an exit lets open
proposals elsewhere lapse. Nobody signs these events: they follow at once from the one that entails
them, in a fixed order (`infra.deciding.recording`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from domain import aggregates
from domain.bilateral import ProposalLapsed
from domain.kernel import Act, Event
from domain.people import Person
from domain.recorded import Recorded
from infra.deciding import pseudonyms
from infra.deciding.recording import ADOPTION_ACTOR, ADOPTION_SOURCE, RULES_SOURCE
from projections.proposals import OpenProposals, ends_elsewhere, lapsed_elsewhere


@dataclass(frozen=True, slots=True)
class _Entailed:
    """An event that must come next."""

    stream: str
    act: Act
    source: str
    source_id: str
    event: Event
    renames: bool = False
    """Whether its party has commitments of its own for the names that the other party sent."""

    def is_(self, each: Recorded, people: Mapping[str, Person]) -> bool:
        """Whether an event is this one. A name that is erased or withheld is not compared."""
        event = self.event
        if self.renames:
            event = pseudonyms.renamed(event, _named_alike(self.act.party, each.event, people))
        found = _Entailed(each.stream, each.act, each.source, each.source_id, each.event)
        return replace(self, event=event, renames=False) == found


def _named_alike(party: str, recorded: Event, people: Mapping[str, Person]) -> Callable[[str], str]:
    """Return a function that gives for a commitment the one that a party's event has instead."""
    there: list[str] = []

    def note(commitment: str) -> str:
        there.append(commitment)
        return commitment

    pseudonyms.renamed(recorded, note)
    left = iter(there)

    def alike(commitment: str) -> str:
        own = next(left, commitment)
        meant, found = people.get(commitment), people.get(own)
        fits = meant is None or found in {None, meant._replace(party=party)}
        return own if fits else commitment

    return alike


Step = Callable[[], list[_Entailed]]
"""Computes what comes next once all before it is there."""

NOTHING_GIVES: Final = "Nothing before it gives the event."


class Consequences:
    """Judges the events of one log in order: those that others entail, and where these lack."""

    def __init__(
        self,
        open_proposals: Callable[[], OpenProposals | None],
        people: Mapping[str, Person],
        *,
        adoptions: bool = True,
    ) -> None:
        """Judge by the open proposals that the events before the present one leave.

        `people` are those whose names are known, by commitment. What adoptions state is judged
        only if none of it is withheld (`adoptions`).
        """
        self._open = open_proposals
        self._people = people
        self._judged = {RULES_SOURCE, ADOPTION_SOURCE} if adoptions else {RULES_SOURCE}
        """The sources of the events that are judged."""
        self._group: list[Recorded] = []
        """The last events of one cause: what they entail comes behind all of them."""
        self._steps: deque[Step] = deque()
        self._due: list[_Entailed] = []
        """The events of the present step that are still to come."""

    def wrong(self, each: Recorded) -> str | None:
        """Return what is wrong with the next event, or with what lacks before it."""
        entailed = each.source == ADOPTION_SOURCE or (
            each.source == RULES_SOURCE and isinstance(each.event, ProposalLapsed)
        )
        if not self._of_group(each):
            self._close()
        if each.source == RULES_SOURCE and not entailed:
            # An agreed rule is judged before anything is entailed.
            self._group.append(each)
            return None
        if not self._of_group(each) or not self._group:
            self._next()
        self._group.append(each)
        due = self._due.pop(0) if self._due else None
        if due is None:
            return NOTHING_GIVES if entailed and each.source in self._judged else None
        if due.is_(each, self._people):
            return None
        self._due.clear()
        self._steps.clear()
        if due.source not in self._judged:
            return None
        given = f"{due.event.wire} {due.event.model_dump_json(exclude_none=True)}"
        return f"In {due.stream} comes {given}."

    def _of_group(self, each: Recorded) -> bool:
        last = self._group[-1] if self._group else None
        return last is not None and (
            (last.act.party, last.source, last.source_id)
            == (each.act.party, each.source, each.source_id)
        )

    def _close(self) -> None:
        """Go on with what the last events entail, before what was to come."""
        self._steps.extendleft(reversed([step for each in self._group for step in self._of(each)]))
        self._group = []

    def _next(self) -> None:
        while not self._due and self._steps:
            self._due = self._steps.popleft()()

    def _of(self, cause: Recorded) -> Iterator[Step]:
        for number, (substream, party, events) in enumerate(
            aggregates.follows(cause.event, cause.act), 1
        ):
            stream = f"{cause.partnership}/{substream}" if substream else cause.partnership
            act = cause.act._replace(party=party, actor=ADOPTION_ACTOR)
            source_id = f"{cause.event_id}/{number}"
            renames = party == cause.act.party  # The other party sent the names.
            stated = [
                _Entailed(stream, act, ADOPTION_SOURCE, source_id, each, renames) for each in events
            ]
            yield partial(list, stated)
        if ends_elsewhere(cause.event):
            yield partial(self._lapsed, cause)

    def _lapsed(self, cause: Recorded) -> list[_Entailed]:
        row, act = self._open(), aggregates.rules_act(cause.act)
        named = RULES_SOURCE, f"{cause.event_id}/lapsed"
        events = lapsed_elsewhere(row, cause.event) if row else []
        return [_Entailed(cause.partnership, act, *named, each) for each in events]
