"""A log decided again: what its signed commands, agreed rules and clock record must be what it has.

A verifier checks that an event can follow from what its party signed. Here the command is decided
on the states that the events before it give, so all that the decision adds is checked, too. Agreed
rules are judged again (C20): each breach, and each review or reduction that a breach asks for. So
is each deadline: it passes when it is due, and not before or unnoticed. So is what an adoption
states for each party, and which proposals lapse elsewhere. `NEVER` names what is not decided again.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from domain import aggregates, yields
from domain.adoption import AdoptionProposed
from domain.aggregates import State
from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.deadlines.deadline import (
    Deadline,
    DeadlineKind,
    DeadlinePassed,
    Deadlines,
    ReminderGiven,
)
from domain.deadlines.fold import NEVER_DUE, wake
from domain.deal_record import Deal
from domain.dispute import Dispute
from domain.entry import Entry
from domain.execution import InvestmentReduced, ReviewScheduled
from domain.exploration import ExplorationBegun
from domain.formation import DecisionRuleAgreed
from domain.kernel import CLOCK_PARTY, Act, Command, Event, Refused
from domain.keyring import (
    KeyRecoveryProposed,
    KeyRegistered,
    KeyRotated,
    KeySentByOperator,
    key_id,
    public_of,
)
from domain.partnership import Partnership
from domain.people import (
    COMMITMENT,
    Person,
    PersonErased,
    as_read,
    check_name,
    erase,
    is_reserved,
)
from domain.program import PortfolioDefined
from domain.recorded import Recorded
from domain.second_person import ActCommand
from domain.settlement import (
    FinalSettlementIssued,
    IssueFinalSettlement,
    IssueStatement,
    Ledger,
    StatementIssued,
)
from domain.signing import FACTS, Effect, effect_of
from domain.values import instant
from domain.viewing import BundleExported
from infra.deciding import intake, pseudonyms
from infra.deciding.consequences import Consequences
from infra.deciding.decision import CLOCK_SOURCE, ENROLMENT_SOURCE, OPERATORS, VIEW_SOURCE
from infra.deciding.intake import Envelope
from infra.deciding.recording import ADOPTION_ACTOR, ADOPTION_SOURCE, RULES_SOURCE
from infra.tlog import codec, dsse
from projections import DEADLINES, PROPOSALS, SETTLEMENT, proposals
from projections.breaches import Counting, Judged, concerns, judge
from projections.deadlines import OPEN, OpenDeadlines, of_other_streams
from projections.fold import Dispatch, Folded, Projection, Rows, fold_all
from projections.proposals import OpenProposals
from projections.settlement import ledger, silences
from projections.visibility import OPERATOR, PERHAPS_HIDDEN, SharedSight, Sight, Viewer


class Outcome(StrEnum):
    """What deciding a command again gives."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Decided:
    """A signed command, or an event of a rule or the clock, and what deciding it again gives."""

    index: int
    """The index of its first event."""
    command: str
    """The command, or the type of the event."""
    outcome: Outcome
    why: str | None = None
    """What the rules give instead, why it was not decided, or what of it was not compared."""

    binds: bool = False
    """Whether it is an act that binds its party."""


NEVER: Final = (
    "acts that nobody signed; facts that nobody signed have their form, place and order checked",
    (
        "what the operator records of itself: why it exports, witnesses, keys that it made, and "
        "who sent a party's first key"
    ),
    "deadlines and silence that passed after the last input: no later event shows that they did",
    "alerts: they are no events",
)
"""What a replay does not decide again, wherever it stands."""


class UnknownPerson(LookupError):
    """A name in a command that is not told."""


class Export(NamedTuple):
    """The export of a bundle, which is the last event that the bundle shows."""

    party: str | None
    """The party for which the bundle was made."""
    at: int
    """The index of the export, which is known even if the export cannot be read."""
    private: int
    """How many events before the export the bundle withholds as private."""


class Hidden(NamedTuple):
    """The first withheld events of a bundle: of those not asked for, and of private ones."""

    not_asked: int | None = None
    private: int | None = None
    export: Export | None = None
    """The export of the bundle, if the events come from one."""


NOTHING_HIDDEN: Final = Hidden()

OnStatement = Callable[[Recorded, Callable[[], Rows]], None]
"""Takes an event that issues statements, and a function that gives the ledger's rows before it.

The next event changes these rows.
"""


def _ignored(_: Recorded, rows: Callable[[], Rows]) -> None:
    """Compare no statement."""


def decided_again(
    events: Sequence[Recorded],
    commands: Mapping[str, bytes],
    people: Mapping[str, Person],
    hidden: Hidden = NOTHING_HIDDEN,
    on_statement: OnStatement = _ignored,
) -> Iterator[Decided]:
    """Yield each signed command and each event of an agreed rule or the clock, decided again.

    `commands` are the signed commands by digest, and `people` the people by commitment. A
    command behind an event that was not asked for is not decided, and nor is a deadline. Of one
    behind a private event, a difference says so; a party's own bundle settles it. By which figures
    a rule is broken, by when figures are due, and what an adoption states is judged on the whole
    log alone. `on_statement` is called for each issued statement, so that one ledger serves both.
    """
    again = _Again(events, people)
    rules = _Rules(again, figures=hidden.private is None) if hidden.not_asked is None else None
    identity = _Identity(asked=hidden.not_asked is None)
    entailed = (
        Consequences(again.open_proposals, people, adoptions=hidden.private is None)
        if hidden.not_asked is None
        else None
    )
    clock = _Clock(again, figures=hidden.private is None) if hidden.not_asked is None else None
    exports = _Exports(hidden)
    for digest, group in groupby(events, lambda each: each.signed):
        found = list(group)
        first = found[0].index
        if digest and hidden.not_asked is not None and hidden.not_asked < first:
            why = "Events before it were not asked for."
            wire, binds = found[0].event.wire, _bind(found)
            yield Decided(first, wire, Outcome.NOT_DECIDED, why, binds=binds)
        elif digest:
            private = hidden.private is not None and hidden.private < first
            yield again.decide(found, commands.get(digest), private=private)
        for each in found:
            private = hidden.private is not None and hidden.private < each.index
            asked = hidden.not_asked is None or each.index < hidden.not_asked
            for wrong in (
                identity.wrong(each),
                _other_source(each),
                _of_no_party(again.partnership(each.partnership), each),
                again.wrong_fact(each, private=private) if asked else None,
                again.wrong_sender(each, commands),
                again.wrong_own(each, hidden=hidden[:2] != NOTHING_HIDDEN[:2]),
                exports.wrong(each),
                entailed and entailed.wrong(each),
            ):
                if wrong:
                    yield Decided(each.index, each.event.wire, Outcome.DIFFERS, wrong)
            if clock and (passed := clock.judge(each)):
                yield passed
            if rules and (judged := rules.judge(each)):
                yield judged
            if isinstance(each.event, StatementIssued | FinalSettlementIssued):
                on_statement(each, again.settled)
            again.move(each)


def _bind(events: Sequence[Recorded]) -> bool:
    """Whether one of these events binds its party."""
    return any(effect_of(type(each.event)) is Effect.BINDS for each in events)


_BY_CLOCK: Final = frozenset({CLOCK_SOURCE})
_BY_RULES: Final = frozenset({RULES_SOURCE})
_BY_HAND: Final = frozenset({VIEW_SOURCE})
_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    "DeadlinePassed": _BY_CLOCK,
    "IssueEscalated": _BY_CLOCK,
    "MilestoneMissed": _BY_CLOCK,
    "PeriodClosed": _BY_CLOCK,
    "ReminderGiven": _BY_CLOCK,
    "ReviewMissed": _BY_CLOCK,
    "InvestmentReduced": _BY_RULES,
    "RuleBreachWithdrawn": _BY_RULES,
    "RuleBreached": _BY_RULES,
    "ProposalLapsed": _BY_CLOCK | _BY_RULES,
    "ReviewScheduled": _BY_RULES,
    "BundleExported": _BY_HAND,
    "CosignatureRefused": _BY_HAND,
    "CosignatureResumed": _BY_HAND,
    "FullViewTaken": _BY_HAND,
    "PartyKeyMade": _BY_HAND,
    "PersonErased": _BY_HAND,
}
"""The sources of what the operator records of its own. It is judged only if it has one of them."""


def _other_source(each: Recorded) -> str | None:
    """Return what is wrong with the source of an event that the operator records of its own."""
    sources = _SOURCES.get(each.event.wire)
    if each.act.party != CLOCK_PARTY or sources is None or each.source in sources:
        return None
    return f"The operator records it under the source {' or '.join(sorted(sources))}."


_OF_FACT: Final[Mapping[str, type[Command]]] = {
    wire: command
    for command in aggregates.command_types().values()
    if not issubclass(command, ActCommand)
    for wire, added in yields.of(command).items()
    if wire in FACTS and added is not None
} | {"FinalSettlementIssued": IssueFinalSettlement, "StatementIssued": IssueStatement}
"""The command that records each fact that moves money, or issues a statement.

The command has the same fields as the event. A statement is what the ledger gives, so nobody
needs to sign it.
"""


def _of_no_party(partnership: Partnership, each: Recorded) -> str | None:
    """Return what is wrong with an event that nobody signed, if it is of no party."""
    beginning = isinstance(each.event, ExplorationBegun | AdoptionProposed | PortfolioDefined)
    own = {CLOCK_PARTY, *partnership.parties}
    if each.signed or each.event.wire in FACTS or beginning or each.act.party in own:
        return None
    return f"{each.act.party} is no party of the partnership (unknown-party)."


def _reserved(each: Recorded) -> str | None:
    """Return what is wrong with an unsigned event of a party in the operator's name."""
    settled = isinstance(each.event, StatementIssued | FinalSettlementIssued | PersonErased)
    if each.signed or settled:
        return None
    if each.source.startswith(OPERATORS):
        return f"{each.source} is the operator's own source (reserved-source)."
    if not COMMITMENT.fullmatch(each.act.actor) and is_reserved(each.act.actor):
        return f"Only Accord acts in the name of {each.act.actor} (reserved-actor)."
    return None


def _key_in(each: Recorded) -> tuple[str, str] | None:
    """Return the party of an event that adds or proposes a key, and the identifier of the key."""
    if isinstance(each.event, KeyRegistered | KeyRotated | KeyRecoveryProposed):
        return each.act.party, key_id(public_of(each.event))
    return None


class _Identity:
    """The identifiers and the versions that events must have at their places.

    Events of one cause follow each other, so each that is withheld between takes a place. A party
    keeps nothing of a deal, an entry or a dispute to itself, so none of it is withheld where all
    events were `asked` for.
    """

    def __init__(self, *, asked: bool) -> None:
        self._asked = asked
        self._cause: tuple[str, str, str] | None = None
        self._place, self._at = 0, -1
        self._hidden = 0
        self._streams: dict[str, tuple[int, int]] = {}

    def wrong(self, each: Recorded) -> str | None:
        """Return what is wrong with the identifier or the version of the next event."""
        gap = each.index - self._at - 1
        self._hidden += gap
        cause = each.act.party, each.source, each.source_id
        places = [self._place + gap + 1] if cause == self._cause else range(gap + 1)
        found = [place for place in places if codec.event_id(*cause, place) == each.event_id]
        self._cause, self._place, self._at = cause, sum(found), each.index
        last, hidden = self._streams.get(each.stream, (0, 0))
        self._streams[each.stream] = each.version, self._hidden
        if not found:
            return "Its identifier does not follow from its source, its id there and its place."
        shown = self._asked and isinstance(aggregates.initial(each.stream), Deal | Entry | Dispute)
        if shown and each.version - last > 1:
            return (
                f"An event before it in {each.stream} is withheld, which no party keeps to itself."
            )
        if not 0 < each.version - last <= 1 + self._hidden - hidden:
            return f"The event before it in {each.stream} has the version {last}."
        return None


class _Exports:
    """How many events each export withheld as private, counted again.

    So a party's bundle shows what an operator withheld from the other party, or showed to it.
    """

    def __init__(self, hidden: Hidden) -> None:
        self._hidden = hidden
        self._sight = Sight(OPERATOR)
        self._perhaps: list[Recorded] = []
        """The events that a party may keep to itself."""

    def wrong(self, each: Recorded) -> str | None:
        """Return what is wrong with the number of events that an export withheld."""
        self._sight = self._sight.after(each)
        if each.event.wire in PERHAPS_HIDDEN:
            self._perhaps.append(each)
        if not isinstance(each.event, BundleExported):
            return None
        stated, own = each.event.withheld, self._hidden.export
        if own and each.index == own.at:
            found: int | None = own.private
        else:
            found = None if stated is None else self._private(each.event.party)
        if found is None or found == stated:
            return None
        return f"It states that {stated or 'no'} events before it are private, and {found} are."

    def _private(self, party: str | None) -> int | None:
        """Return how many events so far a party does not see; None if that is not known here."""
        hidden, sight = self._hidden, self._sight
        viewers = sight.parties if party is None else (party,)
        of_both = {*viewers} <= {*sight.parties} and len(sight.parties) > 1
        # What a bundle withholds from one party is the other's, and that one sees it.
        own = hidden.export.party if hidden.export else None
        seen = own and party and own != party and not sight.third_party
        if hidden.not_asked is not None or not of_both or not (hidden.private is None or seen):
            return None
        both = SharedSight(tuple(replace(sight, viewer=Viewer(each)) for each in viewers))
        return sum(not both.shows(of) or both.fewer_than(of) is not None for of in self._perhaps)


class _Rules:
    """The agreed rules, judged again on one event after the other.

    If some figures are private, a breach must be of an agreed rule, and what it asks for follows.
    """

    def __init__(self, again: "_Again", *, figures: bool) -> None:
        self._again = again
        self._figures = figures
        """Whether all figures are shown, so that it is known by which of them a rule is broken."""
        self._acts = False
        """Whether a breach was recorded, and what it asks for comes next."""
        self._judged = Judged()
        self._waiting: deque[tuple[Recorded, State]] = deque()
        """The events that are not judged yet, each with the state of its stream before it.

        All that are recorded together come before.
        """
        self._due: list[Event] = []
        """The events that the rules ask for, and that come next."""

    def judge(self, recorded: Recorded) -> Decided | None:
        """Return what the rules give for an event of theirs, or instead of another that comes."""
        event, rules = recorded.event, recorded.act.party == CLOCK_PARTY
        found = due = None
        if isinstance(event, RuleBreached | RuleBreachWithdrawn):
            self._acts = True
            found = self._found(recorded, event)
        elif rules and isinstance(event, ReviewScheduled | InvestmentReduced):
            found = self._decided(recorded, self._asked(recorded))
        elif self._acts and not self._belongs(recorded):
            self._acts, due = False, self._asked(recorded)
        if not found and not due and self._figures and not self._belongs(recorded):
            due = self._next(recorded)
            self._due.clear()
        if due:
            why = f"The rules give {_text([due])} before."
            found = Decided(recorded.index, due.wire, Outcome.DIFFERS, why)
        self._waiting.append((recorded, self._again.state(recorded.stream)))
        return found

    def _asked(self, recorded: Recorded) -> Event | None:
        """Return what a breach asks for and is not recorded yet."""
        return next(iter(aggregates.carry_out(self._again.partnership(recorded.partnership))), None)

    def _found(
        self, recorded: Recorded, event: RuleBreached | RuleBreachWithdrawn
    ) -> Decided | None:
        if self._figures:
            return self._decided(recorded, self._next(recorded))
        state, why = self._again.partnership(recorded.partnership), None
        if isinstance(event, RuleBreached):
            agreed = state.context.agreements.versions(DecisionRuleAgreed)
            named = {(each.rule.rule, each.rule_version, each.rule.action) for each in agreed}
            if (event.rule, event.rule_version, event.action) not in named:
                why = "No such rule was agreed."
        elif event.breach not in state.breaches.open:
            why = "No such breach is on record."
        return Decided(recorded.index, event.wire, Outcome.DIFFERS, why) if why else None

    def _belongs(self, recorded: Recorded) -> bool:
        """Whether an event is recorded together with the one before it."""
        last = self._waiting[-1][0] if self._waiting else None
        same = last is not None and (last.source, last.source_id) == (
            recorded.source,
            recorded.source_id,
        )
        return same or recorded.source in {ADOPTION_SOURCE, RULES_SOURCE}

    def _next(self, recorded: Recorded) -> Event | None:
        while self._waiting and not self._due:
            each, before = self._waiting.popleft()
            if concerns(self._judged, each.event):
                on_record = self._again.partnership(recorded.partnership).breaches.open
                change = Counting(before).change(each)
                self._judged, self._due = judge(self._judged, each, on_record, change)
        return self._due.pop(0) if self._due else None

    @staticmethod
    def _decided(recorded: Recorded, due: Event | None) -> Decided:
        wire = recorded.event.wire
        if due == recorded.event:
            return Decided(recorded.index, wire, Outcome.SAME)
        given = _text([due] if due else [])
        return Decided(recorded.index, wire, Outcome.DIFFERS, f"The rules give {given}.")


_AT_ONCE: Final = frozenset({VIEW_SOURCE, RULES_SOURCE, ADOPTION_SOURCE, ENROLMENT_SOURCE})
"""The sources of what the operator records without a look at the deadlines."""


class _Clock:
    """The deadlines, which must pass in the order of their days, and before what comes later.

    Silence confirms claims by their day (C20), and the ledger counts them whether that is recorded
    or not. It must be recorded all the same, so an input that comes behind such a day shows that
    its event was left out.
    """

    def __init__(self, again: "_Again", *, figures: bool) -> None:
        self._again = again
        self._figures = figures
        """Whether all figures are shown, so that it is known which of them are missing."""
        self._due: list[Event] = []
        """The events of the deadline that passes, which come next."""
        self._cause = ""
        self._silences: Deadlines = {}
        """The days on which silence confirms, as they were when the first deadline passed."""
        self._passes = False
        """Whether the last event was of the clock."""
        self._last: datetime | None = None
        self._open: Deadlines = {}
        self._wake = NEVER_DUE
        """When the first of the open deadlines passes, or its reminder is due."""
        self._left_out: set[str] = set()
        """The causes of what the log lacks, each of which is reported once."""

    def judge(self, recorded: Recorded) -> Decided | None:
        """Return what the clock gives for an event of its own, or instead of another that comes."""
        moment = recorded.act.recorded_at
        last, self._last = self._last, moment
        name = recorded.partnership
        if recorded.source == CLOCK_SOURCE:
            return self._passed(recorded)
        # What the clock should have recorded with the events before, and has not.
        behind = {key: each for key, each in self._silences.items() if last and each.due <= last}
        self._passes, self._silences = False, {}
        # Nothing passes for an event that is recorded at the same time as the one before.
        if recorded.source not in _AT_ONCE and moment != last and not self._due:
            self._next(name, moment, {**behind, **self._again.silences(name)})
        if not self._due:
            return None
        why = f"The clock gives {_text(self._due)} before."
        self._due.clear()
        self._left_out.add(self._cause)
        return Decided(recorded.index, recorded.event.wire, Outcome.DIFFERS, why)

    def _passed(self, recorded: Recorded) -> Decided | None:
        event, moment = recorded.event, recorded.act.recorded_at
        name = recorded.partnership
        if not self._passes:
            self._passes, self._silences = True, self._again.silences(name)
        kind = event.kind if isinstance(event, DeadlinePassed | ReminderGiven) else None
        if kind is DeadlineKind.FIGURE and not self._figures:
            return None
        if not self._due:
            self._next(name, moment, {**self._silences, **self._again.silences(name)})
        due = self._due.pop(0) if self._due else None
        by_clock = (recorded.source_id, recorded.act.party) == (self._cause, CLOCK_PARTY)
        if due == event and by_clock:
            return Decided(recorded.index, event.wire, Outcome.SAME)
        self._due.clear()
        why = f"At {instant(moment)} the clock gives {_text([due] if due else [])}."
        return Decided(recorded.index, event.wire, Outcome.DIFFERS, why)

    def _next(self, name: str, now: datetime, silences: Deadlines) -> None:
        """Find the next deadline that has passed by a moment, and what it records."""
        deadlines = self._again.deadlines(name, figures=self._figures)
        if deadlines is not self._open:
            self._open = deadlines
            self._wake = wake(deadlines.values())
        # Between most events no deadline passes.
        if not silences and now < self._wake:
            return
        found = {
            key: each
            for key, each in {**deadlines, **silences}.items()
            if not self._left_out or _cause(name, each) not in self._left_out
        }
        if deadline := aggregates.next_due(found, now):
            self._silences = aggregates.after_passing(self._silences, deadline)
            self._due = aggregates.passed(deadline, self._again.partnership(name))
            self._cause = _cause(name, deadline)


def _cause(name: str, deadline: Deadline) -> str:
    return f"{name}/{deadline.id}@{instant(deadline.due)}"


class _Folding:
    """The rows of a projection, folded as far as somebody needs them."""

    def __init__(self, projection: Projection, events: Sequence[Recorded]) -> None:
        self._dispatch, self._folded = Dispatch([projection]), Folded()
        self._events, self._done = events, 0

    def until(self, place: int) -> Rows:
        """Return the rows that the events before a place give."""
        fold_all(self._dispatch, [self._folded], self._events[self._done : place])
        self._done = place
        return self._folded.rows


class _Listed(NamedTuple):
    erased_at: int
    """The index of the erasure."""
    party: str
    person: str
    """Whom it erases."""


class _Again:
    def __init__(self, events: Sequence[Recorded], people: Mapping[str, Person]) -> None:
        self._people = people
        self._commitments = {person: commitment for commitment, person in people.items()}
        self._alike = pseudonyms.by_reading(self._commitments)
        self._states: dict[str, State] = {}
        self._settled, self._open = _Folding(SETTLEMENT, events), _Folding(DEADLINES, events)
        self._proposed = _Folding(PROPOSALS, events)
        self._acts: dict[str, Act] = {}
        """Who acted and when, of each event so far, by its identifier."""
        self._events, self._seen = events, 0
        self._deadlines: tuple[Deadlines, OpenDeadlines | None, Deadlines] = {}, None, {}
        """The deadlines of the partnership and of the fold, and all that are open by them."""
        self._gone: dict[str, _Listed] = {}
        """The erasure of each erased command, by its digest."""
        for each in events:
            if isinstance(each.event, PersonErased):
                for digest in each.event.commands:
                    self._gone.setdefault(
                        digest, _Listed(each.index, each.act.party, each.event.person)
                    )

    def move(self, each: Recorded) -> None:
        """Go behind an event."""
        state = self.state(each.stream)
        self._states[each.stream] = aggregates.evolve(state, each.event, each.act)
        self._acts[each.event_id] = each.act
        self._seen += 1

    def decide(self, events: Sequence[Recorded], body: bytes | None, *, private: bool) -> Decided:
        """Decide the command of these events, which come next."""
        first = events[0]
        if body is None:
            return self._erased(events)
        keyid, event = dsse.opened(body)
        try:
            envelope = intake.envelope_of(event)
        except Refused as refused:
            return Decided(first.index, "unreadable", Outcome.DIFFERS, refused.detail)
        name, outcome, why = type(envelope.data).__name__, Outcome.DIFFERS, None
        if not all(self._is_by(envelope, each) for each in events):
            why = "It was signed by another actor, or with another time, source, id or cause."
            return Decided(first.index, name, outcome, why)
        stream = aggregates.stream_of(envelope.subject, envelope.data)
        try:
            if any(each.stream != stream for each in events):
                raise _elsewhere(stream)
            decided = [
                self._with_commands(each, first, private=private)
                for each in self._decided(envelope, keyid, first)
            ]
            if decided == [each.event for each in events]:
                outcome, why = Outcome.SAME, self._unnamed(first.act.actor)
            else:
                why = f"The rules give {_text(decided)}."
        except UnknownPerson as person:
            outcome, why = Outcome.NOT_DECIDED, f"It names {person}, whose name is not told."
        except Refused as refused:
            why = f"It is refused ({refused.rule}): {refused.detail}"
        if private and outcome is Outcome.DIFFERS:
            why = f"{why} Or it rests on a private event before it."
        return Decided(first.index, name, outcome, why, binds=_bind(events))

    def wrong_fact(self, each: Recorded, *, private: bool) -> str | None:
        """Return what is wrong with a fact or a statement that nobody signed: no rule gives it."""
        kind = _OF_FACT.get(each.event.wire)
        if each.signed or kind is None or each.source == ADOPTION_SOURCE:
            return None
        fields = kind.model_fields.keys() & type(each.event).model_fields.keys()
        said: dict[str, Any] = {name: getattr(each.event, name) for name in fields}
        if isinstance(each.event, StatementIssued):
            said["currency"] = each.event.balance.currency
        try:
            command = kind(**said)
            stream = aggregates.stream_of(each.partnership, command)
            if stream != each.stream:
                raise _elsewhere(stream)
            decided = self._on_states(command, each, each.act)
        except Refused as refused:
            why = f"It is refused ({refused.rule}): {refused.detail}"
        except ValidationError:
            why = "No command has its fields."
        else:
            if each.event in decided:
                return None
            why = f"The rules give {_text(decided)}."
        return f"{why} Or it rests on a private event before it." if private else why

    def wrong_sender(self, each: Recorded, commands: Mapping[str, bytes]) -> str | None:
        """Return what is wrong with an event that the operator sent a key: its party signed it."""
        if not isinstance(each.event, KeySentByOperator):
            return None
        party, keyid = each.event.party, each.event.keyid
        last = self._events[self._seen - 1] if self._seen else each
        cause = ENROLMENT_SOURCE, f"{each.partnership}/{keyid}"
        if (each.source, each.source_id) != cause or _key_in(last) != (party, keyid):
            return f"The event before it is none by which {party} sends the key {keyid}."
        body = commands.get(last.signed or "")
        signer = dsse.opened(body)[0] if body else None
        keys = self.partnership(each.partnership).keyring
        if signer != keyid and signer in keys.of(party) and signer not in keys.by_operator:
            return f"{party} signed the key with {signer}, which is its own."
        return None

    def wrong_own(self, each: Recorded, *, hidden: bool) -> str | None:
        """Return what is wrong with where, by whom, when or why the operator recorded of its own.

        Something may be `hidden` that an agreed rule or an adoption names as the cause.
        """
        name, because, moment = each.partnership, each.causation_id, each.act.recorded_at
        cause, stream, of = self._acts.get(because or ""), name, each.source_id
        by, why = Act(CLOCK_PARTY, each.act.actor, moment, moment), because is None
        match each.source:
            case source if source == CLOCK_SOURCE:
                by = aggregates.clock_act(each.act.occurred_at, moment)
                why &= of.startswith(f"{name}/") and of.endswith(f"@{instant(by.occurred_at)}")
            case source if source == RULES_SOURCE:
                by = aggregates.rules_act(cause or each.act._replace(party=CLOCK_PARTY))
                why = because is not None and of.split("/")[0] == because
            case source if source == ADOPTION_SOURCE:
                by = (cause or each.act)._replace(party=each.act.party, actor=ADOPTION_ACTOR)
                why, stream = because is not None and of.split("/")[0] == because, each.stream
            case source if source == VIEW_SOURCE:
                why &= of == f"{name}/{each.index}"
            case source if source == ENROLMENT_SOURCE:
                last = self._events[self._seen - 1] if self._seen else each
                by = last.act._replace(party=CLOCK_PARTY, actor="operator")
            case _:
                return _reserved(each)
        known = cause is not None or because is None or hidden
        right = (each.act, each.stream, each.correlation_id) == (by, stream, None)
        if right and why and known:
            return None
        return "The operator records it elsewhere, or with another actor, time, id or cause."

    def _is_by(self, envelope: Envelope, recorded: Recorded) -> bool:
        """Whether who acted, when and why is what was signed; a name is compared if it is told."""
        act = recorded.act
        sender = actor = Person(envelope.party, envelope.actor)
        if not COMMITMENT.fullmatch(act.actor):
            actor = Person(act.party, act.actor)
        elif act.actor in self._people:
            actor = self._people[act.actor]
        cause = act.party, recorded.source, recorded.source_id
        identity = envelope.party, envelope.source, envelope.id
        signed = envelope.time, identity, envelope.causationid, envelope.correlationid
        of = act.occurred_at, cause, recorded.causation_id, recorded.correlation_id
        return signed == of and actor == sender

    def _unnamed(self, actor: str) -> str | None:
        """Return that who acted was not compared, if the name is not told."""
        if not COMMITMENT.fullmatch(actor) or actor in self._people:
            return None
        return "Who acted was not compared: the name is not told."

    def _erased(self, events: Sequence[Recorded]) -> Decided:
        """Return that a command was erased with a person, or why it cannot have been."""
        first, why = events[0], None
        listed = self._gone.get(first.signed or "")
        named = set[str]().union(*(pseudonyms.people_in(_stored(each)) for each in events))
        if any(pseudonyms.is_of_key(each.event.wire) for each in events):
            why = "The signed command of a key is never erased, and it is not there."
        elif (
            listed is None
            or listed.erased_at <= events[-1].index
            or listed.party != first.act.party
            or listed.person not in named
        ):
            why = "The signed command is not there, and no erasure of a person in it lists it."
        if why:
            return Decided(first.index, first.event.wire, Outcome.DIFFERS, why)
        wire, why = first.event.wire, "The command was erased with a person."
        return Decided(first.index, wire, Outcome.NOT_DECIDED, why, binds=_bind(events))

    def _with_commands(self, event: Event, first: Recorded, *, private: bool) -> Event:
        """Return an erasure with the commands that the record lists, if they can be erased."""
        recorded = first.event
        if not isinstance(event, PersonErased) or not isinstance(recorded, PersonErased):
            return event
        bodies = map(codec.encode, self._events[: self._seen])
        named = list(pseudonyms.naming_events(bodies, event.person))
        # Whether an erased command said the name can be read nowhere any more.
        can = pseudonyms.erasable(named)
        if private:  # The command of a private event may be among them.
            can |= {*recorded.commands} - {each.signed for each in self._events}
        listed = [each for each in recorded.commands if each in can]
        return erase(event, first.act.party, pseudonyms.party_of(named), listed)

    def _decided(self, envelope: Envelope, keyid: str, first: Recorded) -> list[Event]:
        commitment = partial(self._commitment, envelope.party)
        command = pseudonyms.pseudonymized(envelope.data, commitment)
        # A second person must have another key and another name, however it is written.
        act = first.act._replace(
            key=keyid,
            spellings=self._alike.get(Person(envelope.party, as_read(envelope.actor)), frozenset()),
        )
        return self._on_states(command, first, act)

    def _on_states(self, command: Command, at: Recorded, act: Act) -> list[Event]:
        """Decide a command on the states before an event. Raises `Refused`."""
        cited = aggregates.rests_on(at.partnership, command)
        return aggregates.decide(
            command,
            self.state(at.stream),
            act,
            self.partnership(at.partnership),
            self._ledger,
            self.state(cited) if cited else None,
        )

    def _commitment(self, party: str, name: str) -> str:
        check_name(name)
        person = Person(party, name)
        if person not in self._commitments:
            raise UnknownPerson(name)
        return self._commitments[person]

    def state(self, stream: str) -> State:
        """Return the state of a stream."""
        return self._states.get(stream) or aggregates.initial(stream)

    def partnership(self, name: str) -> Partnership:
        """Return the state of a partnership's own stream."""
        state = self.state(name)
        if not isinstance(state, Partnership):
            raise TypeError(name)
        return state

    def _ledger(self) -> Ledger:
        return ledger(self.settled())

    def settled(self) -> Rows:
        """Return the rows of the ledger."""
        return self._settled.until(self._seen)

    def deadlines(self, name: str, *, figures: bool) -> Deadlines:
        """Return the open deadlines but for silence; those of figures only if all are shown."""
        rows = self._open.until(self._seen)
        own, row = self.partnership(name).deadlines, rows.get(OPEN)
        known_own, known_row, found = self._deadlines
        if own is not known_own or row is not known_row:
            found = {**own, **of_other_streams(rows)}
            if not figures:
                found = {
                    key: each for key, each in found.items() if each.kind is not DeadlineKind.FIGURE
                }
            self._deadlines = own, row, found
        return found

    def open_proposals(self) -> OpenProposals | None:
        """Return the proposals that are open behind the events so far."""
        return self._proposed.until(self._seen).get(proposals.OPEN)

    def silences(self, name: str) -> Deadlines:
        """Return the days on which silence confirms a claim; none if no terms say that it does."""
        agreed = self.partnership(name).context.terms.silence is not None
        return silences(self.settled()) if agreed else {}


def _elsewhere(stream: str) -> Refused:
    return Refused(
        "another-stream",
        f"The command belongs to the stream {stream}.",
        "Ask the operator why the event is in another one.",
    )


def _stored(recorded: Recorded) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(codec.encode(recorded))
    return found


def _text(events: Sequence[Event]) -> str:
    texts = (f"{each.wire} {each.model_dump_json(exclude_none=True)}" for each in events)
    return ", ".join(texts) or "no event"
