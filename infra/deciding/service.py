"""The one place where commands are decided: load, decide, append, however they came in.

Many inputs share one transaction. What each comes to is written with it: the events, a result
(so that the same input again returns its first outcome), the refusal if it was refused. Writers
race; the one that comes second finds a conflict and decides afresh.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Literal, NamedTuple

import orjson

from domain import aggregates
from domain.aggregates import State
from domain.deadlines import Deadline
from domain.kernel import CLOCK_PARTY, Act, Event, Refused
from domain.partnership import Partnership, PassTime
from domain.people import PersonErased
from domain.recorded import Recorded
from domain.values import instant
from infra.deciding import admission, intake, pseudonyms
from infra.deciding.intake import Input, Unreadable
from infra.deciding.pseudonyms import Pseudonymizer, Pseudonyms, SaltSource
from infra.running.cache import evict
from infra.settings import OPERATOR
from infra.store.records import (
    NOTHING,
    CommandResult,
    Conflict,
    Head,
    History,
    Kept,
    Refusal,
    placed_at,
)
from infra.tlog import codec
from infra.tlog.merkle import Tree, leaf_hash
from projections.breaches import Judged, judge, take
from projections.fold import Rows, replay
from projections.settlement import SETTLEMENT, ledger

log = logging.getLogger(__name__)

CLOCK_SOURCE = "accord:clock"
"""The source of events that time itself causes."""

VIEW_SOURCE = "accord:view"
"""The source of what the operator itself does: it looked at everything (C14), erased a name."""

RULES_SOURCE = "accord:rules"
"""The source of events that agreed rules cause, each with the fact that made it so as its cause."""

OPERATORS = "accord:"
"""What the sources of the operator's own events begin with; nobody else may speak under them, and
what the operator states needs no party's signature."""

RootAt = Callable[[str, int], bytes | None]
"""Gives the root of a partnership's log at a size, if it is at hand."""

ATTEMPTS = 8
"""How often a batch is decided afresh after losing a race, before its inputs are tried alone."""


@dataclass(slots=True)
class Outcome:
    """What came of one input. `first` is the index of its first event, if it caused any."""

    status: Literal["accepted", "duplicate", "refused"]
    source: str
    id: str
    partnership: str = ""
    first: int | None = None
    count: int = 0
    rule: str | None = None
    detail: str | None = None
    hint: str | None = None
    pointer: str | None = None

    def refusal(self) -> dict[str, str | None]:
        """Give which input was refused, by which rule, why, where, and what mends it."""
        return {
            "source": self.source,
            "id": self.id,
            "rule": self.rule,
            "detail": self.detail,
            "hint": self.hint,
            "pointer": self.pointer,
        }

    @property
    def retryable(self) -> bool:
        """Whether the very same input may be sent again, because it was never decided."""
        return self.rule == "conflict"


def wall_clock() -> datetime:
    """Give the time, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Known:
    """The head of a partnership, as this process knows it."""

    size: int = 0
    recorded_at: datetime | None = None


class Service:
    """Decides inputs on a history. Safe in several threads only behind one `GroupCommit`.

    `operator` is who keeps it: the origin of a partnership's log is that name, a slash and the
    partnership. `root_at` gives the root over the first leaves of a partnership's log, where a tree
    of it is at hand; else it is made of all these leaves.
    """

    def __init__(  # noqa: PLR0913 - what is told to it from outside
        self,
        history: History,
        clock: Callable[[], datetime],
        *,
        simulated: bool,
        salts: SaltSource,
        operator: str = OPERATOR,
        root_at: RootAt | None = None,
    ) -> None:
        self._history = history
        self._clock = clock
        self._simulated = simulated
        self._salts = salts
        self._operator = operator
        self._root_at = root_at
        self._known: dict[str, _Known] = {}
        # The states of streams, each with its version; they hold as long as what is known of their
        # partnership is still the same object.
        self._states: dict[str, tuple[_Known, tuple[int, State]]] = {}
        self._judged: dict[str, tuple[_Known, Judged]] = {}
        self._people: dict[str, tuple[_Known, Pseudonyms]] = {}

    def handle(self, raws: Sequence[bytes]) -> list[Outcome]:
        """Decide messages, each a CloudEvent in structured JSON; give their outcomes in order."""
        return self._commit([intake.read(raw) for raw in raws])

    def ask(self, raw: bytes) -> Outcome:
        """Decide a message of the operator's own, whose source only it may use."""
        (outcome,) = self._commit([intake.read(raw)], own=True)
        return outcome

    def pass_time(self, partnerships: Iterable[str]) -> int:
        """Record every deadline of these partnerships that has passed; give how many events."""
        return sum(self._pass_time(each) for each in partnerships)

    def record_own(self, partnership: str, actor: str, event: Event) -> None:
        """Record what the operator itself does with a partnership's record, before it does (C14).

        Raises `Conflict` only if others write to the same partnership again and again meanwhile.
        """

        def record(batch: _Batch) -> None:
            self._meet(batch, [partnership])
            batch.note(partnership, actor, event)

        if not self._of_ones_own(partnership, record):
            raise Conflict(f"others write to {partnership} again and again")

    def forget(self) -> None:
        """Forget the names of all whose erasure is recorded, should a run have been interrupted."""
        pseudonyms.forget(self._history)

    def retry(self, number: int) -> Outcome | None:
        """Decide a refused input again; nothing if there is none of that number."""
        refusal = self._history.refusal(number)
        if refusal is None or refusal.state == "erased":
            return None
        (outcome,) = self._commit([intake.read(refusal.raw)], again=True)
        if outcome.status != "refused":
            self._history.mark_retried(number)
        return outcome

    def _pass_time(self, partnership: str) -> int:
        return self._of_ones_own(
            partnership, lambda batch: batch.pass_time(partnership, self._clock())
        )

    def _of_ones_own(self, partnership: str, record: Callable[["_Batch"], None]) -> int:
        """Record what no input asks for; give how many events, none where others were faster."""
        for _ in range(ATTEMPTS):
            batch = self._batch([partnership], [])
            record(batch)
            if self._append(batch):
                return len(batch.events)
        return 0

    def _commit(
        self, inputs: Sequence[Input | Unreadable], *, again: bool = False, own: bool = False
    ) -> list[Outcome]:
        for _ in range(ATTEMPTS):
            batch = self._decided(inputs, again=again, own=own)
            if self._append(batch):
                return batch.placed()
        if len(inputs) > 1:
            return [outcome for each in inputs for outcome in self._commit([each], again=again)]
        return [_unsettled(each) for each in inputs]

    def _decided(self, inputs: Sequence[Input | Unreadable], *, again: bool, own: bool) -> "_Batch":
        readable = [each for each in inputs if isinstance(each, Input)]
        subjects = dict.fromkeys(each.envelope.subject for each in readable)
        others = (
            aggregates.rests_on(each.envelope.subject, each.envelope.data) for each in readable
        )
        batch = self._batch(subjects, [*(each.stream for each in readable), *filter(None, others)])
        self._meet(batch, subjects)
        results = self._history.results(map(_identity, inputs))
        # To try again is to set aside that it was refused; what was accepted stands.
        batch.results = {key: each for key, each in results.items() if not (again and each.refused)}
        batch.own, batch.operator, batch.root_at = own, self._operator, self._root_at
        for name in dict.fromkeys(each.envelope.subject for each in readable if each.signed):
            batch.nonces |= self._history.kept(admission.NONCE, name, _nonces(readable)).keys()
        for each in inputs:
            batch.take(each, keep=not again)
        return batch

    def _batch(self, partnerships: Iterable[str], streams: Iterable[str]) -> "_Batch":
        partnerships = list(partnerships)
        heads = self._history.heads(partnerships)
        for name in partnerships:
            head = heads.get(name)
            known = self._known.pop(name, None)
            if known is None or known.size != (head.size if head else 0):
                # Somebody else wrote to it, so nothing that is at hand can be relied on.
                known = _fresh(head)
            self._known[name] = known
        batch = _Batch(
            self._loaded(dict.fromkeys([*partnerships, *streams])),
            {name: self._known[name] for name in partnerships},
            self._clock(),
            self._history,
            simulated=self._simulated,
        )
        for name in partnerships:
            held = self._judged.get(name)
            if held and held[0] is self._known[name]:
                batch.judged[name] = held[1]
        return batch

    def _meet(self, batch: "_Batch", partnerships: Iterable[str]) -> None:
        """Have a batch know the people of these, read from the history where not at hand."""
        for name in partnerships:
            known, held = self._known[name], self._people.get(name)
            if held and held[0] is known:
                batch.people[name] = held[1]
            elif known.size:
                batch.people[name] = Pseudonyms.of(
                    self._history, name, self._salts, batch.erased(name)
                )
            else:
                batch.people[name] = Pseudonyms(name, self._salts)

    def _loaded(self, streams: Iterable[str]) -> dict[str, tuple[int, State]]:
        """Give the states of these streams, read from the history where they are not at hand."""
        states: dict[str, tuple[int, State]] = {}
        missing = []
        for stream in streams:
            held = self._states.get(stream)
            if held and held[0] is self._known[_partnership(stream)]:
                states[stream] = held[1]
            else:
                missing.append(stream)
        # A partnership without events has no streams to read.
        stored = [each for each in missing if self._known[_partnership(each)].size]
        found = self._history.streams(stored) if stored else {}
        for stream in missing:
            version, state = 0, aggregates.initial(stream)
            for recorded in found.get(stream, ()):
                state = aggregates.evolve(state, recorded.event, recorded.act)
                version = recorded.version
            states[stream] = (version, state)
        return states

    def _append(self, batch: "_Batch") -> bool:
        if batch.anything():
            try:
                batch.events = self._history.append(
                    batch.events, batch.written, batch.refusals, batch.kept
                )
            except Conflict:
                for name in batch.recorded_at:
                    self._known.pop(name, None)
                return False
        self._remember(batch)
        if any(each.kind == pseudonyms.ERASING for each in batch.kept):
            self.forget()
        return True

    def _remember(self, batch: "_Batch") -> None:
        """Keep the states at hand that are now those of the store."""
        for event in batch.events:
            known = self._known[event.partnership]
            known.size, known.recorded_at = event.index + 1, event.act.recorded_at
        for stream, state in batch.states.items():
            # What was used last stands last, so what is let go is what was not used for longest.
            self._states.pop(stream, None)
            self._states[stream] = (self._known[_partnership(stream)], state)
        for name, judged in batch.judged.items():
            self._judged.pop(name, None)
            self._judged[name] = (self._known[name], judged)
        for name, met in batch.people.items():
            self._people.pop(name, None)
            self._people[name] = (self._known[name], met)
        evict(self._states)
        evict(self._judged)
        evict(self._people)
        evict(self._known)


def _partnership(stream: str) -> str:
    return stream.partition("/")[0]


def _fresh(head: Head | None) -> _Known:
    return _Known(head.size, head.recorded_at) if head else _Known()


def _nonces(inputs: Iterable[Input]) -> list[str]:
    return [admission.nonce_key(each.signed.payload) for each in inputs if each.signed]


def _identity(each: Input | Unreadable) -> tuple[str, str]:
    if isinstance(each, Input):
        return each.envelope.source, each.envelope.id
    return each.source, each.source_id


def _unsettled(each: Input | Unreadable) -> Outcome:
    source, source_id = _identity(each)
    return Outcome(
        "refused",
        source,
        source_id,
        rule="conflict",
        detail="Others wrote to the same partnership again and again meanwhile.",
        hint="Send the same again; it was not decided and nothing was recorded.",
    )


class _Cause(NamedTuple):
    """What an event is recorded because of: its source and id there, the event that led to it."""

    source: str
    source_id: str
    causation_id: str | None = None
    correlation_id: str | None = None
    signed: str | None = None


def _cause_of(each: Input) -> _Cause:
    envelope = each.envelope
    signed = each.signed.digest if each.signed else None
    return _Cause(
        envelope.source, envelope.id, envelope.causationid, envelope.correlationid, signed
    )


class _Batch:
    """Inputs decided together, on states that run ahead of the store until it is written.

    `states` are those of all streams that they touch, each with its version, and `recorded_at`
    says of each partnership when its last event was recorded. `history` and the `sizes` of the
    partnerships' logs in it serve the few decisions that rest on a whole log.
    """

    def __init__(
        self,
        states: dict[str, tuple[int, State]],
        known: dict[str, _Known],
        now: datetime,
        history: History,
        *,
        simulated: bool,
    ) -> None:
        self.states = states
        self.recorded_at = {name: each.recorded_at for name, each in known.items()}
        self._now = now
        self._history = history
        self._stored = {name: each.size for name, each in known.items()}
        self._sizes = dict(self._stored)
        self.judged: dict[str, Judged] = {}
        self.people: dict[str, Pseudonyms] = {}
        self._simulated = simulated
        self._outcomes: list[tuple[Outcome, int]] = []
        self._starts: dict[tuple[str, str], int] = {}
        self.results: dict[tuple[str, str], CommandResult] = {}
        self.own = False
        self.operator = OPERATOR
        self.root_at: RootAt | None = None
        self.nonces: set[str] = set()
        self.events: list[Recorded] = []
        self.written: list[CommandResult] = []
        self.refusals: list[Refusal] = []
        self.kept: list[Kept] = []

    # --- what is to be written ---

    def anything(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.events or self.written or self.refusals)

    def placed(self) -> list[Outcome]:
        """Give the outcomes, with the indexes that the store gave to their events."""
        for outcome, start in self._outcomes:
            if outcome.count and start >= 0:
                outcome.first = self.events[start].index
        return [outcome for outcome, _ in self._outcomes]

    # --- one input ---

    def take(self, each: Input | Unreadable, *, keep: bool) -> None:
        """Decide an input, unless it was decided before; `keep` its refusal for later."""
        before = self.results.get(_identity(each))
        if before is not None and before.fingerprint == _told_apart(each, before):
            self._outcomes.append((_again(before), self._starts.get(_identity(each), -1)))
            return
        try:
            self._accept(each, before)
        except Refused as refused:
            # What was accepted under this identity stands, so its result does too.
            self._refuse(
                each, refused, keep=keep, stands=before if before and not before.refused else None
            )
        except Exception:
            # A fault of ours must neither stop the others nor lose this one: it is kept.
            log.exception("deciding %s failed", _identity(each))
            fault = Refused(
                "internal-error",
                "Deciding this failed by a fault of the program.",
                "It is kept; retry it once the fault is mended (accord rejected).",
            )
            self._refuse(each, fault, keep=keep, stands=None)

    def _accept(self, each: Input | Unreadable, before: CommandResult | None) -> None:
        if before is not None and before.refused is None:
            raise _another_content(before)
        if isinstance(each, Unreadable):
            raise each.refused
        envelope = each.envelope
        if envelope.source.startswith(OPERATORS) and not self.own:
            raise _reserved_source(envelope.source)
        name = envelope.subject
        now = self._told(each)
        self.pass_time(name, now)
        within = self._partnership(name)
        door = Pseudonymizer(self.people[name])
        actor, command = door(envelope.actor), pseudonyms.renamed(envelope.data, door)
        act = Act(envelope.party, actor, envelope.time, self._not_before(name, now))
        self._check_signature(each, act)
        _, state = self.states[each.stream]
        other = aggregates.rests_on(name, envelope.data)
        beside = self.states[other][1] if other else None
        decided = aggregates.decide(
            command, state, act, within, lambda: ledger(self._folded(name)), beside
        )
        self._check_signed(each, decided)
        start = len(self.events)
        self._record(each.stream, decided, act, _cause_of(each), door)
        if each.signed and decided:
            self.kept += admission.kept(each.signed)
            self.nonces.add(admission.nonce_key(each.signed.payload))
        result = CommandResult(
            envelope.source, envelope.id, each.fingerprint, None, name, None, len(decided)
        )
        self._answer(
            result,
            Outcome("accepted", envelope.source, envelope.id, name, None, len(decided)),
            start,
        )

    # --- signatures ---

    def _check_signature(self, each: Input, act: Act) -> None:
        admission.check_key(each.envelope)
        if each.signed is None:
            return
        name = each.envelope.subject
        place = admission.Place(
            f"{self.operator}/{name}",
            self._partnership(name).keyring,
            act.recorded_at,
            self.states[each.stream][0],
            self._sizes[name],
            lambda size: self._root(name, size),
            self.nonces,
        )
        admission.admit(each.signed, each.envelope, place)

    def _check_signed(self, each: Input, decided: list[Event]) -> None:
        """Look at what was decided: whether it needs a signature, or is what was signed."""
        if each.signed is None:
            if not self.own:
                keyring = self._partnership(each.envelope.subject).keyring
                keyring.check_signed(decided, each.envelope.party)
            return
        admission.check_same(each.signed, each.envelope, decided)

    def _root(self, name: str, size: int) -> bytes:
        """Give the root over the first leaves of a log, as it would be if this were written now."""
        known = self.root_at(name, size) if self.root_at and size <= self._stored[name] else None
        if known:
            return known
        stored = self._history.leaves(name, 0, self._stored[name])
        mine = (leaf_hash(codec.encode(each)) for each in self.events if each.partnership == name)
        tree = Tree()
        for leaf in islice(chain(stored, mine), size):
            tree.add(leaf)
        return tree.root()

    # --- what came of it ---

    def _answer(self, result: CommandResult, outcome: Outcome, start: int) -> None:
        self.written.append(result)
        self.results[result.source, result.source_id] = result
        self._starts[result.source, result.source_id] = start
        self._outcomes.append((outcome, start))

    def _refuse(
        self,
        each: Input | Unreadable,
        refused: Refused,
        *,
        keep: bool,
        stands: CommandResult | None,
    ) -> None:
        source, source_id = _identity(each)
        subject, wire = _about(each)
        # The domain names a field of its command, which is the event's data.
        field = refused.facts.get("field")
        pointer = f"/data/{field}" if field else refused.facts.get("pointer")
        outcome = Outcome(
            "refused",
            source,
            source_id,
            subject,
            rule=refused.rule,
            detail=refused.detail,
            hint=refused.hint,
            pointer=pointer,
        )
        refusal = Refusal(
            source,
            source_id,
            subject,
            wire,
            refused.rule,
            refused.detail,
            refused.hint,
            pointer,
            self._received_at(each, subject),
            each.raw,
        )
        if keep:
            self.refusals.append(refusal)
        if stands is not None:
            self._outcomes.append((outcome, -1))
            return
        result = CommandResult(source, source_id, each.attempt, refusal.words, subject)
        self._answer(result, outcome, -1)

    def _received_at(self, each: Input | Unreadable, partnership: str) -> datetime:
        """Return when a refused input arrived: in a simulated store, by the time of its feed."""
        if not self._simulated:
            return self._now
        if isinstance(each, Input):
            said: datetime | None = each.envelope.recordedtime or each.envelope.time
        else:
            said = each.time
        known = [said, self.recorded_at.get(partnership)]
        moments = [moment for moment in known if moment is not None]
        return max(moments, default=None) or self._last_recorded() or self._now

    def _last_recorded(self) -> datetime | None:
        """Return when the last event of the whole store was recorded, this batch included."""
        if self.events:
            return self.events[-1].act.recorded_at
        last = self._history.after(self._history.size() - 2, 1)
        return last[0].act.recorded_at if last else None

    def note(self, name: str, actor: str, event: Event) -> None:
        """Take what the operator itself does, by one of its own people."""
        last = self.recorded_at[name]
        now = self._not_before(name, last if self._simulated and last else self._now)
        cause = _Cause(VIEW_SOURCE, f"{name}/{self._sizes[name]}")
        door = Pseudonymizer(self.people[name])
        self._record(name, [event], Act(CLOCK_PARTY, door(actor), now, now), cause, door)

    # --- time ---

    def _told(self, each: Input) -> datetime:
        """Give the moment at which an input is recorded: the clock's, or a simulated feed's."""
        told = each.envelope.recordedtime
        if not self._simulated:
            if told is not None:
                raise Refused(
                    "recordedtime-is-the-operators",
                    "A client cannot say when an event was recorded.",
                    "Leave recordedtime out, or feed a store made with accord init --simulated.",
                    pointer="/recordedtime",
                )
            if isinstance(each.envelope.data, PassTime):
                raise Refused(
                    "time-passes-by-itself",
                    "In an ordinary store nobody lets time pass.",
                    "Send PassTime to simulated stores alone.",
                    pointer="/type",
                )
            return self._now
        last = self.recorded_at[each.envelope.subject]
        if told is None:
            return max(each.envelope.time, last) if last else each.envelope.time
        if last is not None and told < last:
            raise Refused(
                "recordedtime-runs-backwards",
                f"{each.envelope.subject} has an event recorded at {instant(last)}.",
                "Give the lines of a feed in the order in which they were recorded.",
                pointer="/recordedtime",
            )
        return told

    def _not_before(self, partnership: str, moment: datetime) -> datetime:
        # Clocks of several machines differ; the record never runs backwards within a partnership.
        last = self.recorded_at[partnership]
        return moment if last is None or last < moment else last

    def pass_time(self, partnership: str, now: datetime) -> None:
        """Record each of a partnership's deadlines that has passed by `now`, in order (C20)."""
        while deadline := aggregates.next_due(self._partnership(partnership).deadlines, now):
            self._pass(partnership, deadline, deadline.due if self._simulated else now)

    def _pass(self, partnership: str, deadline: Deadline, recorded_at: datetime) -> None:
        act = aggregates.clock_act(deadline.due, self._not_before(partnership, recorded_at))
        cause = _Cause(CLOCK_SOURCE, f"{partnership}/{deadline.id}@{instant(deadline.due)}")
        self._record(partnership, aggregates.passed(deadline), act, cause)

    # --- people ---

    def erased(self, name: str) -> list[str]:
        """Give the commitments of those whose erasure a partnership has on record."""
        facts = self._partnership(name).context.declarations
        return [each.person for each in facts.of(PersonErased)]

    def _let_in(self, name: str, door: Pseudonymizer, decided: Iterable[Event]) -> None:
        """Keep the names that are new, and those of the erased until they are forgotten."""
        met = door.people()
        self.kept += door.fresh.values()
        for event in decided:
            if isinstance(event, PersonErased):
                met = met.without(event.person)
                self.kept.append(pseudonyms.to_forget(name, event.person))
        self.people[name] = met

    # --- states ---

    def _partnership(self, name: str) -> Partnership:
        _, state = self.states[name]
        if not isinstance(state, Partnership):
            raise TypeError(name)
        return state

    def _log(self, name: str) -> Iterator[Recorded]:
        """Give a partnership's log as it would be if this batch were written now."""
        stored = self._stored[name]
        if stored:
            yield from self._history.of(name, 0, stored)
        mine = (each for each in self.events if each.partnership == name)
        for index, each in enumerate(mine, stored):
            yield placed_at(each, index, NOTHING)

    def _folded(self, name: str) -> Rows:
        return replay(SETTLEMENT, self._log(name)).rows

    def _record(
        self,
        stream: str,
        decided: list[Event],
        act: Act,
        cause: _Cause,
        door: Pseudonymizer | None = None,
    ) -> None:
        if not decided:
            return
        version, state = self.states[stream]
        name = _partnership(stream)
        recorded = []
        for ordinal, event in enumerate(decided):
            version += 1
            state = aggregates.evolve(state, event, act)
            recorded.append(
                Recorded(
                    name,
                    stream,
                    version,
                    codec.event_id(cause.source, cause.source_id, ordinal),
                    act,
                    cause.source,
                    cause.source_id,
                    event,
                    cause.causation_id,
                    cause.correlation_id,
                    cause.signed,
                )
            )
        named = door is not None and bool(door.fresh)
        resting = any(type(event) in aggregates.RESTING_ON_THE_LOG for event in decided)
        if named or cause.signed or resting:
            # The store takes them at this place alone: they are true of what is before, of the
            # keys that were active then, and no other writer has met the same person meanwhile.
            for index, each in enumerate(recorded, self._sizes[name]):
                each.index = index
        # All of them or, should one fail, none.
        first = self._sizes[name]
        self.events += recorded
        self.states[stream] = (version, state)
        self.recorded_at[name] = act.recorded_at
        self._sizes[name] += len(recorded)
        if door is not None:
            self._let_in(name, door, decided)
        if name in self.judged or self._partnership(name).rules:
            self._judge(name, recorded, first)

    def _judge(self, name: str, recorded: list[Recorded], first: int) -> None:
        """Let the agreed rules look at new facts, and do what they ask for (C20)."""
        judged = self.judged.get(name)
        if judged is None:
            judged = Judged()
            for each in islice(self._log(name), first):
                judged, _ = take(judged, each)
        for index, each in enumerate(recorded, first):
            on_record = self._partnership(name).breaches.open
            judged, breaches = judge(judged, placed_at(each, index, NOTHING), on_record)
            self.judged[name] = judged
            if breaches:
                act = aggregates.rules_act(each.act)
                cause = _Cause(RULES_SOURCE, each.event_id, each.event_id)
                self._record(name, breaches, act, cause)
                self._carry_out(name, act, self.events[-1].event_id)
                judged = self.judged[name]

    def _carry_out(self, name: str, act: Act, because: str) -> None:
        number = 0
        while actions := aggregates.carry_out(self._partnership(name), act):
            number += 1
            cause = _Cause(RULES_SOURCE, f"{because}/{number}", because)
            self._record(name, actions, act, cause)


def _told_apart(each: Input | Unreadable, before: CommandResult) -> bytes:
    """Give the fingerprint to compare: what is taken is the event, what is refused an attempt."""
    return each.attempt if before.refused else each.fingerprint


def _about(each: Input | Unreadable) -> tuple[str, str]:
    if isinstance(each, Input):
        return each.envelope.subject, each.envelope.type
    return each.subject, each.type


def _again(before: CommandResult) -> Outcome:
    """Give the first outcome again (the same input, sent once more)."""
    if before.refused is None:
        return Outcome(
            "duplicate",
            before.source,
            before.source_id,
            before.partnership,
            before.first,
            before.count,
        )
    return Outcome(
        "refused",
        before.source,
        before.source_id,
        before.partnership,
        **orjson.loads(before.refused),
    )


def _another_content(before: CommandResult) -> Refused:
    return Refused(
        "id-conflict",
        f"{before.source} sent {before.source_id} before, with other content.",
        "Give each event an id of its own; the first one stands.",
        pointer="/id",
    )


def _reserved_source(source: str) -> Refused:
    return Refused(
        "reserved-source",
        f"{source} is the source of events that time, agreed rules and the operator cause.",
        "Name the service that sends the event as its source.",
        pointer="/source",
    )
