"""One input decided: when it counts as recorded, who signed it, what the domain decides."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain import aggregates, keyring, signing, yields
from domain.adoption import AdoptionProposed, ProposeAdoption
from domain.bilateral import ProposeBilateral, is_answer_to
from domain.claims import ClaimConfirmed, ClaimObjected
from domain.corrections import correcting
from domain.deadlines.deadline import Deadline, DeadlineKind
from domain.exploration import BeginExploration, CandidateIdentified, PartnerChosen
from domain.kernel import CLOCK_PARTY, FARTHEST, Act, Awaited, Command, Event, Refused, Stage
from domain.keyring import Keyring
from domain.lookalikes import lookalikes
from domain.partnership import Partnership, PassTime, admit, may_act
from domain.people import ErasePerson, PersonErased, check_actor
from domain.program import DefinePortfolio, Program
from domain.values import instant
from infra.deciding import admission, intake, pseudonyms
from infra.deciding.batch import QUARANTINED
from infra.deciding.intake import Input, Unreadable
from infra.deciding.pseudonyms import Pseudonymizer
from infra.deciding.recording import EventCause, Recorder
from infra.deciding.waiting import key_revoked, waited_too_long
from infra.store.errors import Conflict
from infra.store.history import InputId, Refusal, Waiting
from infra.store.views import UnreadableRow
from infra.tlog.codec import UnreadableEvent
from projections.fold import FoldFailed, ReadFailed

log = logging.getLogger(__name__)

NAME_TAKEN = "name-taken"
"""The rule of the beginning of a partnership whose name another party uses."""

NOT_YOUR_PARTNERSHIP = "not-your-partnership"
"""The rule of an event for a partnership that its sender is no party of, if there is one."""

CLOCK_SOURCE = "accord:clock"
"""The source of events that time itself causes."""

MadeFor = Callable[[str, Mapping[str, bytes]], Event]
"""Makes an event of the operator, given the commitment of who acts and the names that are new."""

VIEW_SOURCE = "accord:view"
"""The source of the operator's own actions: viewing everything (C14), erasing a name."""

ENROLMENT_SOURCE = "accord:enrolment"
"""The source of the event that the operator sent a party's key."""

RUNS_BACKWARDS = "recordedtime-runs-backwards"
"""The rule of an input of a simulated feed that is not in the order of its recording."""

OPERATORS = "accord:"
"""The prefix of the operator's own sources. Others may not use it, and the operator's events
needs no party's signature."""


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The circumstances in which the inputs of one batch are decided."""

    now: datetime
    operator: str
    simulated: bool
    own: bool = False
    """Whether the operator sent the inputs, so that they may use its reserved sources."""
    nonces: Collection[str] = ()
    """The nonces that were used before (see `admission.nonce_key`)."""


class Decider:
    """Decides inputs one after another, each on the states that the ones before it left.

    An input that waits is decided again after each event of the stream that it waits for, in the
    same batch.
    """

    def __init__(self, context: DecisionContext, recorder: Recorder) -> None:
        self._context = context
        self.recorder = recorder
        self._states = recorder.states
        self._batch = recorder.batch
        self._nonces = set(context.nonces)
        self._taken: InputId | None = None
        """The identity of the input that is being decided because it was sent."""

    def take(self, message: Input | Unreadable) -> None:
        """Decide an input, unless it was accepted before, and then what waited for it."""
        self._batch.open(message)
        before = self._batch.result_of(message)
        if before is None:
            self._taken = message.identity
            start = len(self._batch.events)
            if isinstance(message, Unreadable):
                self._refuse(message, message.refused)
                return
            stage = self._stage(message.subject)
            self._decide(message)
            self.settle(start)
            if self._stage(message.subject) is not stage:
                self._end_misplaced(message.subject)
        elif before.fingerprint == message.fingerprint:
            self._batch.repeat(before)
        else:
            self._refuse(message, _id_conflict(message))

    def _stage(self, name: str) -> Stage | None:
        if name in self._states.unreadable:
            return None
        return self._states.partnership(name).stage

    def _decide(self, message: Input | Unreadable) -> None:
        try:
            self._accept(message)
        except Refused as refused:
            if refused.awaits is not None and isinstance(message, Input):
                self._wait(message, refused, refused.awaits)
            else:
                self._refuse(message, refused)
        except Conflict:
            raise
        except (FoldFailed, UnreadableEvent) as failed:
            self._refuse(message, _not_foldable(failed, message))
        except ReadFailed as failed:
            if not isinstance(failed.error, UnreadableRow):
                raise failed.error from failed
            self._refuse(message, _not_foldable(failed.error, message))
        except Exception:
            # A bug must neither stop the other inputs nor lose this one.
            log.exception("deciding %s failed", message.identity)
            self._refuse(message, _internal_error())

    def _accept(self, message: Input | Unreadable) -> None:
        if isinstance(message, Unreadable):
            raise message.refused
        envelope = message.envelope
        if not self._context.own:
            check_actor(envelope.actor)
            if envelope.source.startswith(OPERATORS):
                raise _reserved_source(envelope.source)
        name = envelope.subject
        self._check_outsider(message)
        now = self._recording_time(message)
        self.pass_time(name, now)
        partnership = self._states.partnership(name)
        names = Pseudonymizer(self.recorder.people[name], envelope.party)
        actor, command = names(envelope.actor), pseudonyms.pseudonymized(envelope.data, names)
        at = self._states.not_before(name, now)
        key = message.signed.keyid if message.signed else ""
        act = Act(envelope.party, actor, envelope.time, at, key)
        self._check_signature(message, act)
        cited = aggregates.rests_on(name, envelope.data)
        decided = aggregates.decide(
            command,
            self._states.state(message.stream),
            act._replace(spellings=names.spellings(envelope.actor)),
            partnership,
            lambda: self.recorder.ledger(name),
            self._states.state(cited) if cited else None,
        )
        asked = envelope.data
        listed = asked.commands if isinstance(asked, ErasePerson) else None
        decided = self._with_commands(name, decided, envelope.party, listed)
        self._check_decided(message, decided)
        start = len(self._batch.events)
        keys = partnership.keyring
        self.recorder.record(message.stream, decided, act, _cause_of(message), names)
        if decided:
            self._note_enrolment(message, keys, act)
        if message.signed and decided:
            self._batch.kept += admission.kept(message.signed)
            self._nonces.add(admission.nonce_key(message.signed.payload))
        self._batch.accept(message, start, len(decided), _close_names(decided, partnership, act))

    def _refuse(self, message: Input | Unreadable, refused: Refused) -> None:
        waited = self._batch.waiting.get(message.identity)
        received_at = waited.since if waited else self._received_at(message)
        self._batch.refuse(_refusal(message, refused, received_at))

    # --- waiting ---

    def _wait(self, message: Input, refused: Refused, awaits: Awaited) -> None:
        """Let an input wait for what it names, or refuse it if too many wait."""
        waiting, now = self._batch.waiting, self._received_at(message)
        waited = waiting.get(message.identity)
        since = waited.since if waited and waited.until >= now else now
        stream = f"{message.subject}/{awaits.stream}" if awaits.stream else message.stream
        try:
            waiting.add(
                Waiting(
                    *message.identity,
                    message.subject,
                    stream,
                    self._states.version(stream),
                    message.type,
                    awaits.kind.value,
                    awaits.id,
                    awaits.words,
                    since,
                    waiting.until(since),
                    message.raw,
                ),
                refused,
            )
        except Refused as too_many:
            self._refuse(message, too_many)
        else:
            self._batch.wait(message, awaits, refused.detail)

    def settle(self, start: int = 0) -> None:
        """Decide what waits for events of the streams that have events behind this place."""
        while start < len(self._batch.events):
            streams = dict.fromkeys(each.stream for each in self._batch.events[start:])
            start = len(self._batch.events)
            for stream in streams:
                self._settle(stream)

    def _settle(self, stream: str) -> None:
        """Decide what waits for events of a stream, in order, until nothing more is recorded."""
        recorded = -1
        while recorded < len(self._batch.events):
            recorded = len(self._batch.events)
            for each in self._batch.waiting.of_stream(stream):
                if self._batch.waiting.get(each.input) is None:
                    continue  # It was decided with the proposal that it answers.
                message = self._decide_again(each)
                if message is not None:
                    self._answer(message)
                    if message.stream != stream:
                        self._settle(message.stream)

    def _decide_again(self, waited: Waiting) -> Input | None:
        """Decide an input that waited; return it if it recorded something."""
        self._taken = None
        message, before = intake.read(waited.raw), len(self._batch.events)
        self._decide(message)
        moved = len(self._batch.events) > before
        return message if moved and isinstance(message, Input) else None

    def _answer(self, message: Input) -> None:
        """Decide the answers that wait for a proposal, once that is recorded.

        The first one that came is final, although it came before the proposal and others after it.
        """
        proposed = message.envelope.data
        if not isinstance(proposed, ProposeBilateral):
            return
        for each in self._batch.waiting.of_stream(message.stream):
            answer = intake.read(each.raw)
            if isinstance(answer, Input) and is_answer_to(answer.envelope.data, proposed):
                self._decide_again(each)

    def _end_misplaced(self, name: str) -> None:
        """Refuse the waiting inputs of a partnership that its stage no longer allows."""
        partnership = self._states.partnership(name)
        for each in self._batch.waiting.of_partnership(name):
            message = intake.read(each.raw)
            if not isinstance(message, Input):
                continue
            envelope = message.envelope
            act = Act(envelope.party, envelope.actor, envelope.time, self._context.now)
            try:
                admit(envelope.data, partnership, act)
            except Refused as refused:
                self._refuse(message, refused)

    def refuse_waiting(self, name: str, party: str) -> None:
        """Refuse what waits of a party in a partnership, because a key of it was revoked."""
        for each in self._batch.waiting.of_partnership(name):
            if each.party == party:
                self._batch.refuse(key_revoked(each))

    def _end_waiting(self, name: str, now: datetime) -> None:
        """Refuse the waiting inputs of a partnership whose days are over by `now`."""
        for each in self._batch.waiting.overdue(name, now):
            # One that is sent again just now is decided, not refused.
            if each.input != self._taken:
                self._batch.refuse(waited_too_long(each))

    # --- who sends ---

    def _check_outsider(self, message: Input) -> None:
        """Raise `Refused` for a party that acts in no partnership of this name.

        It is refused in the same words whether there is one or not. The operator's own services
        may know.
        """
        name, command, party = message.subject, message.envelope.data, message.party
        if not message.sender:
            return
        parties, is_damaged = self._states.parties(name), name in self._states.unreadable
        if isinstance(command, BeginExploration | ProposeAdoption | DefinePortfolio):
            if party not in parties and (parties or is_damaged):
                raise _name_taken(name)
            program = self._states.state(message.stream)
            if isinstance(program, Program) and program.party not in {None, party}:
                raise _name_taken(name)
        elif not (party in parties if is_damaged else self._may_act(command, name, party)):
            raise _not_your_partnership(name, party)

    def _may_act(self, command: Command, name: str, party: str) -> bool:
        partnership = self._states.partnership(name)
        return partnership.stage is not None and may_act(command, partnership, party)

    # --- signatures ---

    def _check_signature(self, message: Input, act: Act) -> None:
        admission.check_key(message.envelope)
        if message.signed is None:
            return
        name = message.subject
        place = admission.Place(
            f"{self._context.operator}/{name}",
            self._states.partnership(name).keyring,
            act.recorded_at,
            self._states.version(message.stream),
            self._states.ends[name].size,
            lambda size: self.recorder.root(name, size),
            self._nonces,
        )
        admission.admit(message.signed, message.envelope, place)
        signing.check_covers(message.envelope.data)

    def _check_decided(self, message: Input, decided: list[Event]) -> None:
        """Check that the decided events match the signed command, or need no signature.

        The operator issues a party's statements, because the ledger alone gives what is in them.
        """
        keys = self._states.partnership(message.subject).keyring
        if message.signed is not None:
            own = keys.of(message.envelope.party)
            signing.check_delegated(decided, own.get(message.signed.keyid))
            keyring.check_signer(decided, message.signed.keyid, keys)
            admission.check_same(message.signed, message.envelope, decided)
            yields.check(message.envelope.data, decided)
        elif not (self._context.own and signing.are_statements(decided)):
            party, state = message.envelope.party, self._states.state(message.stream)
            signing.check_signed(decided, party, keys)
            signing.check_answers(
                each
                for each in decided
                if isinstance(each, ClaimConfirmed | ClaimObjected)
                and keys.of(party)
                and aggregates.has_answered(state, each, party)
            )

    def _with_commands(
        self, name: str, decided: list[Event], party: str, listed: Sequence[str] | None = None
    ) -> list[Event]:
        """Return what was decided; an erasure with the signed commands that are deleted."""
        return [
            self.recorder.erasing(name, each, party, listed)
            if isinstance(each, PersonErased)
            else each
            for each in decided
        ]

    def _note_enrolment(self, message: Input, before: Keyring, act: Act) -> None:
        """Record that the operator sent a party's key. A feed of a simulated store has none.

        `before` are the keys before this one.
        """
        keyid = keyring.added_by(message.envelope.data)
        if keyid is None or self._context.simulated:
            return
        events = keyring.enrolment(
            keyid,
            before,
            party=message.party,
            sender=message.sender if message.is_own else "",
            signer=message.signed.keyid if message.signed else None,
        )
        cause = EventCause(ENROLMENT_SOURCE, f"{message.subject}/{keyid}")
        by_operator = act._replace(party=CLOCK_PARTY, actor="operator")
        self.recorder.record(message.subject, events, by_operator, cause)

    # --- time ---

    def _recording_time(self, message: Input) -> datetime:
        """Return when an input counts as recorded: the clock's time, or a simulated feed's."""
        if not self._context.simulated:
            _check_ordinary(message)
            return self._context.now
        fed = message.envelope.recordedtime
        last = self._states.ends[message.subject].recorded_at
        sent = fed or message.envelope.time
        if last is None:
            return sent
        if sent < last and fed is not None and not self._was_in_order(message):
            raise Refused(
                RUNS_BACKWARDS,
                f"{message.subject} has an event recorded at {instant(last)}.",
                "Sort the lines of the feed by recordedtime.",
                pointer="/recordedtime",
            )
        if sent - last > FARTHEST:
            self._check_leap(message, sent)
        return max(sent, last)

    def _check_leap(self, message: Input, now: datetime) -> None:
        """Raise `Refused` if more than ten years of deadlines would pass before an input."""
        first = aggregates.next_due(
            {
                **self._states.partnership(message.subject).deadlines,
                **self.recorder.deadlines_of_other_streams(message.subject, now),
            },
            now,
        )
        if first is not None and now - first.due > FARTHEST:
            raise Refused(
                "time-leaps",
                "One input of a feed lets at most ten years of deadlines pass. The first of "
                f"{message.subject} passes at {instant(first.due)}, and the input is recorded at "
                f"{instant(now)}.",
                "Correct the time. If it is right, let the time pass in steps (PassTime).",
                pointer="/time" if message.envelope.recordedtime is None else "/recordedtime",
            )

    def _was_in_order(self, message: Input) -> bool:
        """Return whether an input came at its place in the feed before, and waited or was refused.

        Then it can be sent again later, unchanged or corrected.
        """
        rule = self._batch.refused_by(message)
        waited = self._batch.waiting.get(message.identity)
        return waited is not None or rule not in {None, RUNS_BACKWARDS}

    def _received_at(self, message: Input | Unreadable) -> datetime:
        """Return when a refused input arrived: by the clock, or by the time of its feed."""
        if not self._context.simulated:
            return self._context.now
        if isinstance(message, Input):
            fed: datetime | None = message.envelope.recordedtime or message.envelope.time
        else:
            fed = message.time
        end = self._states.ends.get(message.subject)
        known = [each for each in (fed, end.recorded_at if end else None) if each is not None]
        return max(known, default=None) or self.recorder.last_time() or self._context.now

    def pass_time(self, name: str, now: datetime | None = None) -> None:
        """Record each of a partnership's deadlines that has passed by `now`, in order (C20).

        Inputs that have waited for too long by then are refused.
        """
        now = now or self._context.now
        self._end_waiting(name, now)
        others = self.recorder.deadlines_of_other_streams(name, now)
        while deadline := aggregates.next_due(
            {**self._states.partnership(name).deadlines, **others}, now
        ):
            self._pass(name, deadline, deadline.due if self._context.simulated else now)
            others = aggregates.after_passing(others, deadline)
            if deadline.kind in _OPENING_OTHERS:
                others = {**others, **self.recorder.deadlines_of_other_streams(name, now)}

    def _pass(self, name: str, deadline: Deadline, recorded_at: datetime) -> None:
        act = aggregates.clock_act(deadline.due, self._states.not_before(name, recorded_at))
        cause = EventCause(CLOCK_SOURCE, f"{name}/{deadline.id}@{instant(deadline.due)}")
        events = aggregates.passed(deadline, self._states.partnership(name))
        self.recorder.record(name, events, act, cause)

    # --- the operator itself ---

    def record_own(self, name: str, actor: str, event: Event | MadeFor) -> None:
        """Record an action of the operator on a partnership's record. Raises `Refused`."""
        names = Pseudonymizer(self.recorder.people[name], CLOCK_PARTY)
        by = names(actor)
        if not isinstance(event, Event):
            event = event(by, {each.key: each.body for each in names.fresh.values()})
        signing.check_own(event, self._states.partnership(name).keyring)
        last = self._states.ends[name].recorded_at
        moment = last if self._context.simulated and last else self._context.now
        at = self._states.not_before(name, moment)
        (event,) = self._with_commands(name, [event], CLOCK_PARTY)
        act = Act(CLOCK_PARTY, by, at, at)
        cause = EventCause(VIEW_SOURCE, f"{name}/{self._states.ends[name].size}")
        self.recorder.record(name, [event], act, cause, names)


_OPENING_OTHERS: Final = {DeadlineKind.PERIOD, DeadlineKind.SILENCE}
"""The deadlines that open others as they pass: figures are due after their period, and a deal has
a next day on which silence confirms."""


def _cause_of(message: Input) -> EventCause:
    envelope = message.envelope
    signed = message.signed.digest if message.signed else None
    return EventCause(
        envelope.source,
        envelope.id,
        envelope.causationid,
        envelope.correlationid,
        signed,
        envelope.trace,
    )


# --- refusals ----------------------------------------------------------------------------------


def _refusal(message: Input | Unreadable, refused: Refused, received_at: datetime) -> Refusal:
    # The domain names a field of its command, which is the event's data.
    field = refused.facts.get("field")
    return Refusal(
        *message.identity,
        message.subject,
        message.type,
        refused.rule,
        refused.detail,
        refused.hint,
        f"/data/{field}" if field else refused.facts.get("pointer"),
        received_at,
        message.raw,
    )


def _check_ordinary(message: Input) -> None:
    """Raise `Refused` for input that only a simulated store accepts."""
    if message.envelope.recordedtime is not None:
        raise Refused(
            "recordedtime-is-the-operators",
            "A client cannot set the time of recording.",
            "Remove recordedtime; only a simulated store accepts it.",
            pointer="/recordedtime",
        )
    if isinstance(message.envelope.data, PassTime):
        raise Refused(
            "time-passes-by-itself",
            "An ordinary store uses the clock.",
            "Send PassTime only to a simulated store.",
            pointer="/type",
        )


def _id_conflict(message: Input | Unreadable) -> Refused:
    _, source, source_id = message.identity
    return Refused(
        "id-conflict",
        f"{source} sent {source_id} before, with other content. The first event stays recorded.",
        f"Give each event its own id. {_how_to_correct(message)}",
        pointer="/id",
    )


def _how_to_correct(message: Input | Unreadable) -> str:
    if not isinstance(message, Input):
        return "A correction is an event with an id of its own, too."
    sent = type(message.envelope.data)
    corrects = correcting(sent)
    if corrects is None:
        return f"No command corrects a recorded {sent.__name__}."
    return f"To correct what was recorded, send {corrects.__name__} with another id."


def _name_taken(name: str) -> Refused:
    return Refused(
        NAME_TAKEN,
        f"The name {name} cannot be used.",
        "Choose another name, such as one with the names of both parties.",
        pointer="/subject",
    )


def _not_your_partnership(name: str, party: str) -> Refused:
    return Refused(
        NOT_YOUR_PARTNERSHIP,
        f"There is no partnership {name} in which {party} can act.",
        "Check the subject and the party. A partnership begins with BeginExploration, or with "
        "ProposeAdoption if it runs already.",
        pointer="/subject",
    )


def _reserved_source(source: str) -> Refused:
    return Refused(
        "reserved-source",
        f"{source} is reserved for events from deadlines, agreed rules and the operator.",
        "Name the service that sends the event as its source.",
        pointer="/source",
    )


def _not_foldable(
    failed: FoldFailed | UnreadableEvent | UnreadableRow, message: Input | Unreadable
) -> Refused:
    # The partnership cannot be read, so the sender may be a stranger to it.
    is_of_operator = isinstance(message, Input) and not message.sender
    which = f" {failed.detail}" if is_of_operator else " The operator knows what it is."
    return Refused(
        QUARANTINED,
        f"The decision needs what cannot be read.{which}",
        "Send the same again when the operator has upgraded or restored Accord. "
        "Nothing was recorded.",
    )


def _internal_error() -> Refused:
    return Refused(
        "internal-error",
        "A bug in Accord prevented the decision.",
        "The input is stored. Retry it after an upgrade, or send it again.",
    )


def _close_names(decided: list[Event], before: Partnership, act: Act) -> tuple[str, ...]:
    """Return the names that people can take for one that an event brought into the partnership.

    Only those of its own parties and candidates are compared: others are no business of the sender.
    """
    for event in decided:
        match event:
            case CandidateIdentified(candidate=name) | PartnerChosen(candidate=name):
                return (*lookalikes(name, [act.party, *before.exploration.candidates]),)
            case AdoptionProposed(parties=[one, other]):
                return (*lookalikes(other.party, [one.party]),)
            case _:
                pass
    return ()
