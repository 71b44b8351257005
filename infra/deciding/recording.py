"""Recording decided events in a batch, with what agreed rules do because of them (C20)."""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, TypeVar

from domain import aggregates
from domain.aggregates import State
from domain.agreement import CommercialTermsAgreed
from domain.deadlines.answers import ASKED_ELSEWHERE
from domain.deadlines.deadline import Deadlines, PeriodClosed
from domain.deadlines.fold import wake
from domain.figures_due import promises
from domain.kernel import Act, Event, Refused
from domain.people import PersonErased, check_reason, erase
from domain.recorded import Recorded
from domain.settlement import Ledger
from infra.deciding import pseudonyms
from infra.deciding.batch import Batch
from infra.deciding.logs import GrowingRows, Logs, PendingLog
from infra.deciding.pseudonyms import COMMAND, Pseudonymizer, Pseudonyms
from infra.deciding.states import Mark, States, partnership_of
from infra.store.history import NOTHING, TRACE, Kept, placed_at, trace_key
from infra.tlog import codec
from infra.tlog.cloudevents import Trace
from infra.tlog.codec import UnreadableEvent
from projections import PROPOSALS, proposals
from projections.alerts import ALERTS, STATE, AlertsState
from projections.breaches import CONCERNED, Counting, Judged, judge
from projections.deadlines import DEADLINES, OPEN, TERMS, of_other_streams
from projections.fold import FoldFailed, Projection, Rows
from projections.ledger.rows import AGREED, TOTALS
from projections.settlement import SETTLEMENT, ledger, silences

_DEPENDENT_OR_JUDGED = aggregates.RESTING_ON_THE_LOG | CONCERNED

RULES_SOURCE = "accord:rules"
"""The source of events that agreed rules cause; each names the event that made the rule act."""


ADOPTION_SOURCE = "accord:adoption"
"""The source of what an adoption states for each party; each names the adoption as its cause."""

ADOPTION_ACTOR = "adoption"
"""The actor of these events: nobody acted but those who agreed the adoption."""

_ASKING = ASKED_ELSEWHERE | {CommercialTermsAgreed, PeriodClosed}
"""The events that open the answer to a proposal on another stream, or by which figures are due, and
those that can move such a day."""

_AT_ONCE = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")

EventSalts = Callable[[str], str]
"""Returns the salt of a new event, given its identifier: 32 hex digits."""


def salt_by_chance(_: str) -> str:
    """Return a random salt."""
    return secrets.token_hex(16)


def derived_salt(event_id: str) -> str:
    """Return the salt of an event in every simulated store. It protects nothing."""
    return sha256(f"accord/simulated-event-salt@v1\n{event_id}".encode()).hexdigest()[:32]


class EventCause(NamedTuple):
    """Why an event is recorded: the source and its id, the event that led to it, the signature.

    `trace` is kept with the event, and is no part of it.
    """

    source: str
    source_id: str
    causation_id: str | None = None
    correlation_id: str | None = None
    signed: str | None = None
    trace: Trace | None = None


class Cached(NamedTuple):
    """What is cached of partnerships."""

    people: Mapping[str, Pseudonyms]
    """The people known in each."""
    judged: Mapping[str, Judged]
    """What the rules of each are judged by."""
    quiet: Mapping[str, datetime]
    """The moment before which silence confirms no claim of each."""
    unasked: Mapping[str, datetime]
    """The moment before which no answer on another stream of each, and no figure, is due."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a `Recorder` has before something is recorded in a stream, to go back to it."""

    stream: str
    state: Mark
    counts: tuple[int, int]
    people: Pseudonyms | None
    judged: Judged | None

    def restore(self, recorder: "Recorder") -> None:
        """Take back all that was recorded since."""
        name, (events, kept) = partnership_of(self.stream), self.counts
        del recorder.batch.events[events:], recorder.batch.kept[kept:]
        recorder.states.restore(self.stream, self.state)
        _put_back(recorder.people, name, self.people)
        _put_back(recorder.judged, name, self.judged)
        recorder.quiet[name] = recorder.unasked[name] = _AT_ONCE
        recorder.forget_rows(name)


def _put_back(values: dict[str, T], name: str, before: T | None) -> None:
    values.pop(name, None)
    if before is not None:
        values[name] = before


class Recorder:
    """Adds decided events to a batch, with the events that agreed rules cause.

    What is cached of partnerships moves on with what is recorded.
    """

    def __init__(
        self,
        logs: Logs,
        batch: Batch,
        states: States,
        cached: Cached,
        salt_of: EventSalts,
    ) -> None:
        self._logs = logs
        self._salt_of = salt_of
        self.batch = batch
        self.states = states
        self.people = dict(cached.people)
        self.judged = dict(cached.judged)
        self.quiet = dict(cached.quiet)
        self.unasked = dict(cached.unasked)
        self._rows: dict[tuple[str, str], GrowingRows] = {}

    def record(
        self,
        stream: str,
        decided: list[Event],
        act: Act,
        cause: EventCause,
        names: Pseudonymizer | None = None,
    ) -> None:
        """Add what was decided for a stream; all of it or, if an event cannot be folded, nothing.

        `names` are the people that the command named. Raises `FoldFailed` or `UnreadableEvent` if
        agreed rules cannot be judged on the events.
        """
        if not decided:
            return
        before = self._before(stream)
        try:
            self._record(stream, decided, act, cause, names)
        except (FoldFailed, UnreadableEvent):
            before.restore(self)
            raise

    def _before(self, stream: str) -> "_Before":
        name, batch = partnership_of(stream), self.batch
        return _Before(
            stream,
            self.states.mark(stream),
            (len(batch.events), len(batch.kept)),
            self.people.get(name),
            self.judged.get(name),
        )

    def _record(
        self,
        stream: str,
        decided: list[Event],
        act: Act,
        cause: EventCause,
        names: Pseudonymizer | None,
    ) -> None:
        name = partnership_of(stream)
        first = self.states.ends[name].size
        before = self.states.state(stream)
        version = self.states.version(stream)
        after = self.states.evolved(stream, decided, act)
        at_index = self._depends_on_log(name, decided, act.party, cause, names)
        ids = (
            codec.event_id(act.party, cause.source, cause.source_id, place)
            for place in range(len(decided))
        )
        recorded = [
            Recorded(
                name,
                stream,
                version + place + 1,
                event_id,
                act,
                cause.source,
                cause.source_id,
                event,
                cause.causation_id,
                cause.correlation_id,
                cause.signed,
                self._salt_of(event_id),
                first + place if at_index else NOTHING,
            )
            for place, (event_id, event) in enumerate(zip(ids, decided, strict=True))
        ]
        self.batch.events += recorded
        self.states.move(stream, after, name, len(recorded), act)
        if cause.trace:
            trace = codec.canonical(cause.trace)
            self.batch.kept += [Kept(TRACE, name, trace_key(each), trace) for each in recorded]
        if names is not None:
            self._remember(name, names, decided, act.recorded_at)
        if any(isinstance(each, CommercialTermsAgreed) for each in decided):
            self.quiet[name] = _AT_ONCE  # Other days of silence, or another time zone.
        if any(type(each) in _ASKING for each in decided):
            self.unasked[name] = _AT_ONCE
        if name in self.judged or self.states.partnership(name).rules:
            self._judge(name, recorded, first, before, cause.trace)
        for each in recorded:
            self._follow(each, cause.trace)
            self._lapse(each, cause.trace)

    def _follow(self, recorded: Recorded, trace: Trace | None) -> None:
        """Record what follows from an event for each party, in streams that have no events yet."""
        name, because = recorded.partnership, recorded.event_id
        for number, (substream, party, events) in enumerate(
            aggregates.follows(recorded.event, recorded.act), 1
        ):
            stream = f"{name}/{substream}" if substream else name
            self.states.open(stream)
            act = recorded.act._replace(party=party, actor=ADOPTION_ACTOR)
            cause = EventCause(ADOPTION_SOURCE, f"{because}/{number}", because, trace=trace)
            names = Pseudonymizer(self.people[name], party)
            own = [pseudonyms.renamed(each, self._own(name, names)) for each in events]
            self.record(stream, own, act, cause, names)

    def _own(self, name: str, names: Pseudonymizer) -> Callable[[str], str]:
        """Return a function from another party's commitment of a name to that of one party.

        The commitment of an erased name stays.
        """
        said = {key: each.name for each, key in self.people[name].known.items()}
        return lambda commitment: names(said[commitment]) if commitment in said else commitment

    def _lapse(self, recorded: Recorded, trace: Trace | None) -> None:
        """Record that proposals on other deals and experiments lapse by an event."""
        if not proposals.ends_elsewhere(recorded.event):
            return
        name, because = recorded.partnership, recorded.event_id
        row = self._rows_of(PROPOSALS, name, [proposals.OPEN]).get(proposals.OPEN)
        if row is not None and (lapsed := proposals.lapsed_elsewhere(row, recorded.event)):
            cause = EventCause(RULES_SOURCE, f"{because}/lapsed", because, trace=trace)
            self.record(name, [*lapsed], aggregates.rules_act(recorded.act), cause)

    def _depends_on_log(
        self,
        name: str,
        decided: list[Event],
        party: str,
        cause: EventCause,
        names: Pseudonymizer | None,
    ) -> bool:
        """Return whether these events must be stored at the index they were decided for.

        They depend on all events before them, on the keys active then, on the people known, or are
        judged by agreed rules together with all events before them. A party that has a key may
        require by then that they are signed.
        """
        partnership = self.states.partnership(name)
        if cause.signed or (names is not None and names.fresh) or partnership.keyring.of(party):
            return True
        judged = bool(partnership.rules)
        types = _DEPENDENT_OR_JUDGED if judged else aggregates.RESTING_ON_THE_LOG
        return any(type(event) in types for event in decided)

    def _remember(
        self, name: str, names: Pseudonymizer, decided: list[Event], recorded_at: datetime
    ) -> None:
        """Keep the new names, and mark the names of erased people to be deleted."""
        people = names.people()
        self.batch.kept += names.fresh.values()
        for event in decided:
            if isinstance(event, PersonErased):
                people = people.without(event.person)
                self.batch.kept.append(pseudonyms.to_forget(name, event, recorded_at))
        self.people[name] = people

    # --- deadlines of other streams ---

    def deadlines_of_other_streams(self, name: str, now: datetime) -> Deadlines:
        """Return the deadlines by `now` that the partnership's own stream does not open.

        The caller records that they passed. They are read only where one can have passed since the
        last reading.
        """
        return {**self._silences(name, now), **self.asked(name, now)}

    def asked(self, name: str, now: datetime) -> Deadlines:
        """Return by when figures are reported, and proposals on deals and the like are answered."""
        has_others = self.states.ends[name].size > self.states.version(name)
        agreements = self.states.partnership(name).context.agreements
        if not (has_others or promises(agreements)) or now < self.unasked.get(name, now):
            return {}
        found = of_other_streams(self._rows_of(DEADLINES, name, [OPEN, TERMS]))
        self.unasked[name] = wake(found.values())
        return found

    def _silences(self, name: str, now: datetime) -> Deadlines:
        """Return the deadlines by which silence has confirmed claims of a partnership by `now`."""
        terms = self.states.partnership(name).context.terms
        if terms.silence is None or now < self.quiet.get(name, now):
            return {}
        found = silences(self._rows_of(SETTLEMENT, name, [AGREED]))
        due = {key: each for key, each in found.items() if each.due <= now}
        if not due:
            # A claim that is recorded later is confirmed later than this, and reminded of as well.
            first = terms.reminds_of_silence_at(terms.day(now) + terms.silence)
            self.quiet[name] = min([first, *(each.due for each in found.values())])
        # Only the next day of a deal is known, so the days are read again once one has passed.
        return due

    # --- agreed rules ---

    def _judge(
        self, name: str, recorded: list[Recorded], first: int, before: State, trace: Trace | None
    ) -> None:
        """Judge the agreed rules on new events, and record the breaches that they find.

        `before` is the state of the events' stream before them.
        """
        counting = Counting(before)
        for index, each in enumerate(recorded, first):
            if type(each.event) not in CONCERNED:
                continue
            judged = self.judged.get(name) or self._judged_before(name, index)
            on_record = self.states.partnership(name).breaches.open
            placed = placed_at(each, index, NOTHING)
            try:
                change = counting.change(placed)
                judged, breaches = judge(judged, placed, on_record, change)
            except Exception as error:
                raise FoldFailed(ALERTS, placed, error) from error
            self.judged[name] = judged
            if breaches:
                act = aggregates.rules_act(each.act)
                cause = EventCause(RULES_SOURCE, each.event_id, each.event_id, trace=trace)
                self.record(name, breaches, act, cause)
                self._carry_out(name, act, self.batch.events[-1].event_id, trace)

    def _judged_before(self, name: str, index: int) -> Judged:
        log = self._log(name, index)
        state: AlertsState | None = self._logs.rows(ALERTS, log, [STATE]).get(STATE)
        return state.judged if state else Judged()

    def _carry_out(self, name: str, act: Act, because: str, trace: Trace | None) -> None:
        number = 0
        while actions := aggregates.carry_out(self.states.partnership(name)):
            number += 1
            cause = EventCause(RULES_SOURCE, f"{because}/{number}", because, trace=trace)
            self.record(name, actions, act, cause)

    # --- erasures ---

    def erasing(
        self, name: str, event: PersonErased, party: str, listed: Sequence[str] | None
    ) -> PersonErased:
        """Return an erasure with the signed commands that are deleted. Raises `Refused`."""
        known = {key: each for each, key in self.people[name].known.items()}
        bodies = self._logs.bodies(self._log(name))
        named = list(pseudonyms.naming_events(bodies, event.person))
        if not named:
            raise Refused(
                "unknown-person",
                f"{name} has no person {event.person}.",
                "Give a commitment from the partnership's history.",
                field="person",
            )
        pending = {each.key: each.body for each in self.batch.kept if each.kind == COMMAND}
        commands = {**self._logs.kept(COMMAND, name), **pending}
        person = known.get(event.person)
        gone = pseudonyms.gone_with(person, named, commands)
        erased = erase(event, party, pseudonyms.party_of(named), gone, listed)
        # Only whose person it is learns whether a name is the person's.
        if person:
            check_reason(event.reason, person.name)
        return erased

    # --- the log as it will be ---

    def _log(self, name: str, size: int | None = None) -> PendingLog:
        """Return a partnership's log with this batch appended, or its first events."""
        stored = self.states.ends[name].stored
        mine = (each for each in self.batch.events if each.partnership == name)
        pending = [placed_at(each, index, NOTHING) for index, each in enumerate(mine, stored)]
        return PendingLog(name, stored, pending if size is None else pending[: size - stored])

    def _rows_of(self, projection: Projection, name: str, wanted: Collection[str]) -> Rows:
        rows = self._rows.setdefault((name, projection.name), GrowingRows(self._logs, projection))
        return rows.after(self._log(name), wanted)

    def forget_rows(self, name: str) -> None:
        """Read the rows of a partnership anew, because events of the batch were taken back."""
        self._rows = {key: rows for key, rows in self._rows.items() if key[0] != name}

    def ledger(self, name: str) -> Ledger:
        """Return what has accrued in a partnership and is not stated yet."""
        return ledger(self._rows_of(SETTLEMENT, name, [TOTALS, AGREED]))

    def root(self, name: str, size: int) -> bytes:
        """Return the root over the first `size` leaves of a partnership's log."""
        return self._logs.root(self._log(name), size)

    def last_time(self) -> datetime | None:
        """Return when the last event of the whole store was recorded, this batch included."""
        last = self.batch.events[-1] if self.batch.events else self._logs.last()
        return last.act.recorded_at if last else None
