"""The one place where commands are decided: load, decide, append, however they arrived.

Many inputs share one transaction. It writes the events, a result for each accepted input (so that
the same input again returns its first outcome), the refusals, and the inputs that wait. Writers
race: the second one finds a conflict and decides again.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from domain import aggregates
from domain.kernel import Event
from infra.deciding import admission, intake, pseudonyms
from infra.deciding.batch import Batch, Outcome, unsettled
from infra.deciding.decision import (
    NAME_TAKEN,
    NOT_YOUR_PARTNERSHIP,
    Decider,
    DecisionContext,
    MadeFor,
)
from infra.deciding.intake import Input, Sent, Unreadable
from infra.deciding.loading import Loader
from infra.deciding.logs import Logs, RootAt
from infra.deciding.pseudonyms import SaltSource
from infra.deciding.recording import Recorder, derived_salt, salt_by_chance
from infra.deciding.refusals import RefusalQuota
from infra.deciding.states import States
from infra.deciding.waiting import DEFAULT_LIMITS, WaitingInputs, WaitingLimits
from infra.settings import OPERATOR, RefusalLimits
from infra.store.errors import Conflict
from infra.store.history import History, InputId, Refusal, Waiting
from infra.store.views import Views

ATTEMPTS = 8
"""How often a batch that lost a race is decided again, before its inputs are tried one by one."""

WAITING_PAGE = 1000
"""How many waiting inputs are read at once."""


class Service:
    """Decides inputs on a history. Threads share it only through one `GroupCommit`.

    `operator` signs the logs: the origin of a partnership's log is that name, a slash and the
    partnership. `root_at` returns the root over the first leaves of a partnership's log where a
    tree of it is saved; without it, the root is computed from the leaves. `views` are the saved
    rows from which decisions start; without them, they start from the first event. `dry_clock` is
    the clock of what is decided and not recorded; it may be in doubt.
    """

    def __init__(  # noqa: PLR0913 - the parts that it is made of
        self,
        history: History,
        clock: Callable[[], datetime],
        *,
        dry_clock: Callable[[], datetime] | None = None,
        simulated: bool,
        salts: SaltSource,
        operator: str = OPERATOR,
        root_at: RootAt | None = None,
        views: Views | None = None,
        limits: WaitingLimits = DEFAULT_LIMITS,
        refused: RefusalLimits = RefusalLimits(),  # noqa: B008 - frozen
    ) -> None:
        self._history = history
        self._clock = clock
        self._simulated = simulated
        self._operator = operator
        self._limits = limits
        self._refused = refused
        self._loader = Loader(history, salts)
        self._logs = Logs(history, views, root_at)
        self._anew: Callable[[], Service] = partial(
            Service,
            history,
            dry_clock or clock,
            simulated=simulated,
            salts=salts,
            operator=operator,
            root_at=root_at,
            views=views,
            limits=limits,
            refused=refused,
        )

    def handle(self, messages: Sequence[bytes | Sent]) -> list[Outcome]:
        """Decide messages, each a CloudEvent in structured JSON; return their outcomes in order."""
        return self._commit(list(map(intake.read, messages)))

    def validate(self, messages: Sequence[bytes | Sent]) -> list[Outcome]:
        """Return the outcomes that these messages would have, in order, and record nothing.

        Each is decided on what the ones before it would have recorded. Any thread may call this.
        """
        inputs = list(map(intake.read, messages))
        for _ in range(ATTEMPTS):
            # What is decided here never happened, so nothing of it may stay in the caches.
            recorder = self._anew()._decided(inputs)  # noqa: SLF001 - of the same class
            if recorder is not None:
                return recorder.batch.outcomes(recorder.batch.events)
        return [unsettled(each) for each in inputs]

    def ask(self, raw: bytes) -> Outcome:
        """Decide a message of the operator's own, which may use the operator's sources."""
        (outcome,) = self._commit([intake.read(raw)], own=True)
        return outcome

    def pass_time(self, partnership: str) -> int:
        """Record every deadline of a partnership that has passed; return how many events.

        Inputs that have waited for too long are refused.
        """
        return self._append_own(partnership, lambda decider: decider.pass_time(partnership))

    def record_own(self, partnership: str, actor: str, event: Event | MadeFor) -> None:
        """Record an action of the operator on a partnership's record, before it happens (C14).

        A function gives the event anew whenever another writer was first.
        Raises `Conflict` only if others keep writing to the same partnership, and `Refused` if only
        a party may record it.
        """
        if not self._append_own(
            partnership, lambda decider: decider.record_own(partnership, actor, event)
        ):
            raise Conflict(f"other writers kept writing to {partnership}")

    def refuse_waiting(self, party: str, partnerships: Collection[str] = ()) -> int:
        """Refuse what waits of a party, a key of which was revoked; return how many inputs.

        Nobody knows with which key an input was sent. `partnerships` are those of the key, if it
        was limited. What is refused is kept, and can be retried.
        """
        names, count, after = dict[str, None](), 0, 0
        while page := self._history.all_waiting(after, WAITING_PAGE):
            after = page[-1].number
            for each in page:
                if each.party == party and (not partnerships or each.partnership in partnerships):
                    names[each.partnership] = None
                    count += 1
        for name in names:
            self._append_own(name, partial(Decider.refuse_waiting, name=name, party=party))
        return count

    def forget(self) -> None:
        """Delete the names of people whose erasure is recorded, in case a run was interrupted."""
        pseudonyms.forget(self._history)

    def expire(self, now: datetime) -> int:
        """Delete what refused inputs said whose days are over; return how many inputs."""
        days = self._refused.days
        return self._history.expire(
            now - timedelta(days=days),
            f"It arrived more than {days} days ago, so its content was deleted.",
            "Its sender can send it again.",
        )

    def retry(self, refusals: Sequence[Refusal]) -> list[Outcome]:
        """Decide refused inputs again; return their outcomes in order."""
        return self._commit(list(map(_read_again, refusals)))

    # --- load, decide, append ---

    def _commit(self, inputs: Sequence[Input | Unreadable], *, own: bool = False) -> list[Outcome]:
        for _ in range(ATTEMPTS):
            outcomes = self._try(inputs, own=own)
            if outcomes is not None:
                return outcomes
        if len(inputs) > 1:
            return [outcome for each in inputs for outcome in self._commit([each], own=own)]
        return [unsettled(each) for each in inputs]

    def _try(self, inputs: Sequence[Input | Unreadable], *, own: bool) -> list[Outcome] | None:
        """Decide and append these inputs and what waited for them; None if another was first."""
        recorder = self._decided(inputs, own=own)
        return None if recorder is None else self._append(recorder)

    def _decided(
        self, inputs: Sequence[Input | Unreadable], *, own: bool = False
    ) -> Recorder | None:
        """Decide these inputs and what waited for them; None if another writer was first."""
        sent = [each for each in inputs if isinstance(each, Input)]
        waiting = self._history.waiting(dict.fromkeys(each.subject for each in sent))
        readable = [*sent, *_decided_with(sent, waiting)]
        cited = (aggregates.rests_on(each.subject, each.envelope.data) for each in readable)
        states = self._loader.states(
            dict.fromkeys(each.subject for each in readable),
            [*(each.stream for each in readable), *filter(None, cited)],
        )
        decider = self._decider(
            states,
            waiting,
            inputs,
            own=own,
            nonces=self._nonces(readable),
        )
        try:
            for each in inputs:
                decider.take(each)
        except Conflict:
            self._loader.forget(states.ends)
            return None
        return decider.recorder

    def _append_own(self, name: str, record: Callable[[Decider], None]) -> int:
        """Append events that no input caused; return how many, 0 if another writer always won."""
        for _ in range(ATTEMPTS):
            waiting = self._history.waiting([name])
            decider = self._decider(self._loader.states([name], []), waiting)
            try:
                record(decider)
                decider.settle()
            except Conflict:
                self._loader.forget([name])
                continue
            if self._append(decider.recorder) is not None:
                return len(decider.recorder.batch.events)
        return 0

    def _decider(
        self,
        states: States,
        waiting: Sequence[Waiting],
        inputs: Sequence[Input | Unreadable] = (),
        *,
        own: bool = False,
        nonces: frozenset[str] = frozenset(),
    ) -> Decider:
        keys = [each.identity for each in inputs]
        batch = Batch(
            self._history.results(keys),
            WaitingInputs(waiting, self._history.waiting_of, self._limits),
            RefusalQuota(self._history.refused_of, self._refused),
            lambda: self._history.refused(keys),
        )
        recorder = Recorder(
            self._logs,
            batch,
            states,
            self._loader.cached(states),
            derived_salt if self._simulated else salt_by_chance,
        )
        context = DecisionContext(self._clock(), self._operator, self._simulated, own, nonces)
        return Decider(context, recorder)

    def _nonces(self, inputs: Sequence[Input]) -> frozenset[str]:
        used: set[str] = set()
        signed = [each for each in inputs if each.signed]
        keys = [admission.nonce_key(each.signed.payload) for each in signed if each.signed]
        for name in dict.fromkeys(each.subject for each in signed):
            used |= self._history.kept(admission.NONCE, name, keys).keys()
        return frozenset(used)

    def _append(self, recorder: Recorder) -> list[Outcome] | None:
        batch, states = recorder.batch, recorder.states
        placed, writes = batch.events, batch.writes()
        if placed or not writes.empty:
            try:
                placed = self._history.append(batch.events, writes)
            except Conflict:
                self._loader.forget(states.ends)
                return None
        self._loader.remember(recorder, placed)
        if any(each.kind == pseudonyms.ERASING for each in batch.kept):
            self.forget()
        return batch.outcomes(placed)


def _read_again(refusal: Refusal) -> Input | Unreadable:
    """Read a refused input, which stays that of its party; who retries it is not its sender.

    A party that was no party of the partnership is told no more than before.
    """
    found = intake.read(refusal.raw)
    if isinstance(found, Unreadable):
        return replace(found, party=refusal.party)
    is_told = refusal.rule in {NOT_YOUR_PARTNERSHIP, NAME_TAKEN}
    return found._replace(sender=refusal.party) if is_told else found


def _decided_with(sent: Sequence[Input], waiting: Sequence[Waiting]) -> list[Input]:
    """Return the waiting inputs that the sent ones may let be decided."""
    streams, found = {each.stream for each in sent}, dict[InputId, Input]()
    known = -1
    while known < len(found):
        known = len(found)
        read = (intake.read(each.raw) for each in waiting if each.stream in streams)
        found = {each.identity: each for each in read if isinstance(each, Input)}
        # One that waits for another stream is decided in its own, where others wait for it.
        streams |= {each.stream for each in found.values()}
    return [*found.values()]
