"""Stories told in memory: given what was done, when a party asks for something, then these facts.

A `Story` does what a service does, without a store: it records the deadlines that went by, then
decides the command and folds its events. `life.py` begins a story in the life of the examples.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self, TypeVar

import pytest

from domain import aggregates
from domain.aggregates import State, initial, stream_of
from domain.bilateral import ProposeBilateral
from domain.deadlines.deadline import DeadlineKind, Deadlines
from domain.deal_record import Deal
from domain.examples import Step
from domain.experiment import Experiment
from domain.kernel import CLOCK_PARTY, Act, Command, Event, Refused
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.second_person import ConfirmAct
from domain.settlement import Ledger
from infra.answers.problems import catalogue
from projections.breaches import Counting, Judged, judge
from projections.deadlines import DEADLINES, of_other_streams
from projections.fold import Folded, fold, replay
from projections.proposals import (
    OPEN,
    PROPOSALS,
    OpenProposals,
    ends_elsewhere,
    lapsed_elsewhere,
)
from projections.settlement import SETTLEMENT, ledger, silences

E = TypeVar("E", bound=Event)


def moment(text: str) -> datetime:
    """Return the moment that `text` names in UTC: `2026-01-05T09:30`, or nine o'clock of a day."""
    return datetime.fromisoformat(text if "T" in text else f"{text}T09:00").replace(tzinfo=UTC)


BEGINNING = moment("2025-09-01")


@dataclass(repr=False)
class Story:
    """One partnership's history as it grows."""

    id: str = "growthos-brightpath"
    now: datetime = BEGINNING
    history: list[Recorded] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    judged: Judged = field(default_factory=Judged)
    due: Folded = field(default_factory=Folded)
    """The deadlines, folded from the first `due_to` events."""
    due_to: int = 0

    def __repr__(self) -> str:
        """Return what a failing test needs to show: when it is, and what happened."""
        return f"Story({self.now:%Y-%m-%dT%H:%M}: {[each.event.wire for each in self.history]})"

    @property
    def partnership(self) -> Partnership:
        """What its own stream comes to."""
        state = self._state(self.id)
        assert isinstance(state, Partnership)
        return state

    def _state(self, stream: str) -> State:
        return self.states.get(stream) or initial(stream)

    def deal(self, name: str) -> Deal:
        """What one deal's stream comes to."""
        state = self.states[f"{self.id}/deal/{name}"]
        assert isinstance(state, Deal)
        return state

    def experiment(self, name: str) -> Experiment:
        """What one experiment's stream comes to."""
        state = self.states[f"{self.id}/experiment/{name}"]
        assert isinstance(state, Experiment)
        return state

    def ledger(self) -> Ledger:
        """What accrued between the parties so far."""
        return ledger(replay(SETTLEMENT, self.history).rows)

    def left(self, statement: str) -> Decimal:
        """What is due of a statement by now."""
        terms = self.partnership.context.terms
        return self.partnership.settlement.payouts.left(statement, terms, terms.day(self.now))

    def facts(self, kind: type[E]) -> list[E]:
        """Every event of a kind, in order."""
        return [each.event for each in self.history if isinstance(each.event, kind)]

    def copy(self) -> Self:
        """Return a story that goes on from here by itself."""
        due = Folded(rows={**self.due.rows})
        return replace(self, history=[*self.history], states={**self.states}, due=due)

    def given(self, steps: Iterable[Step]) -> Self:
        """Let the steps happen, each at its moment."""
        for step in steps:
            self.on(step.at)
            self.when(step.party, step.command)
        return self

    def on(self, at: str) -> list[Event]:
        """Let it be `at`, and give what the clock recorded by then."""
        return self._until(moment(at))

    def wait(self, **duration: float) -> list[Event]:
        """Let time pass (`hours=48`), and give what the clock recorded by then."""
        return self._until(self.now + timedelta(**duration))

    def when(
        self,
        party: str,
        command: Command,
        *,
        happened: str | None = None,
        by: str = "",
        key: str = "",
    ) -> list[Event]:
        """Return the events that the command decides, once they are recorded.

        The party's manager sends it, but its director confirms what the manager did.
        """
        self._until(self.now)
        occurred = moment(happened) if happened else self.now
        who = by or ("director" if isinstance(command, ConfirmAct) else "manager")
        act = Act(party, f"{party}-{who}", occurred, self.now, key)
        stream = stream_of(self.id, command)
        state = self._state(stream)
        other = aggregates.rests_on(self.id, command)
        beside = self._state(other) if other else None
        events = aggregates.decide(command, state, act, self.partnership, self.ledger, beside)
        return events + self._record(stream, events, act)

    def recorded(self, event: Event) -> list[Event]:
        """Let the operator record an event of its own."""
        self._until(self.now)
        return self._record(self.id, [event], Act(CLOCK_PARTY, "notary", self.now, self.now))

    def agree(self, party: str, proposal: Command, *, happened: str | None = None) -> list[Event]:
        """Let a party propose and the other accept; return the events of the acceptance."""
        self.when(party, proposal, happened=happened)
        assert isinstance(proposal, ProposeBilateral)
        kind = proposal.agreement
        accept = kind.accepts(**{kind.called: getattr(proposal, kind.called)})
        other = self.partnership.context.other(party)
        return self.when(other, accept, happened=happened)

    def refuses(
        self,
        party: str,
        command: Command,
        *,
        happened: str | None = None,
        by: str = "",
        key: str = "",
    ) -> Refused:
        """Return the refusal of a command that must be refused, and that leaves no trace."""
        self._until(self.now)
        before = len(self.history)
        with pytest.raises(Refused) as refusal:
            self.when(party, command, happened=happened, by=by, key=key)
        assert len(self.history) == before
        assert refusal.value.rule.partition(":")[0] in catalogue()
        assert refusal.value.detail
        assert refusal.value.hint
        return refusal.value

    def _until(self, now: datetime) -> list[Event]:
        assert now >= self.now, "a story does not run backwards"
        self.now = now
        recorded: list[Event] = []
        others = self._deadlines_of_other_streams()
        while due := aggregates.next_due({**self.partnership.deadlines, **others}, now):
            others = aggregates.after_passing(others, due)
            events = aggregates.passed(due, self.partnership)
            recorded += events
            recorded += self._record(self.id, events, aggregates.clock_act(due.due, now))
            if due.kind in {DeadlineKind.PERIOD, DeadlineKind.SILENCE}:
                others = {**others, **self._deadlines_of_other_streams()}
        return recorded

    def _deadlines_of_other_streams(self) -> Deadlines:
        if self.partnership.context.terms.silence is None:
            return self._asked()
        return {**silences(replay(SETTLEMENT, self.history).rows), **self._asked()}

    def _asked(self) -> Deadlines:
        fold(DEADLINES, self.due, self.history[self.due_to :])
        self.due_to = len(self.history)
        return of_other_streams(self.due.rows)

    def _record(self, stream: str, events: list[Event], act: Act) -> list[Event]:
        """Record events, and give what agreed rules had recorded because of them."""
        start = len(self.history)
        before = self.states.get(stream)
        counting = Counting(before)
        self._write(stream, events, act)
        said: list[Event] = []
        for event in events:
            for substream, party, following in aggregates.follows(event, act):
                beside = f"{self.id}/{substream}" if substream else self.id
                said += following
                said += self._record(beside, following, act._replace(party=party))
            if ends_elsewhere(event):
                row = replay(PROPOSALS, self.history).rows.get(OPEN) or OpenProposals()
                lapsed: list[Event] = [*lapsed_elsewhere(row, event)]
                said += lapsed + self._record(self.id, lapsed, aggregates.rules_act(act))
        for recorded in self.history[start : start + len(events)]:
            on_record = self.partnership.breaches.open
            change = counting.change(recorded)
            self.judged, breaches = judge(self.judged, recorded, on_record, change)
            if not breaches:
                continue
            by_rules = aggregates.rules_act(act)
            said += breaches + self._record(self.id, breaches, by_rules)
            while actions := aggregates.carry_out(self.partnership):
                said += actions + self._record(self.id, actions, by_rules)
        return said

    def _write(self, stream: str, events: list[Event], act: Act) -> None:
        cause = f"cause-{len(self.history)}"
        version = sum(each.stream == stream for each in self.history)
        for ordinal, event in enumerate(events):
            self.states[stream] = aggregates.evolve(self._state(stream), event, act)
            index = len(self.history)
            self.history.append(
                Recorded(
                    partnership=self.id,
                    stream=stream,
                    version=version + 1 + ordinal,
                    event_id=f"{cause}-{ordinal}",
                    act=act,
                    source="story",
                    source_id=cause,
                    event=event,
                    index=index,
                    position=index,
                )
            )
