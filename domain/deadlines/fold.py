"""Which deadlines are open, and which have passed, after each event."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from domain.agreement import CommercialTermsAgreed
from domain.bilateral import BilateralProposed, ProposalEnded
from domain.calendar import bounds, following
from domain.deadlines.answers import (
    act_words,
    answer_ref,
    draft_of,
    outlives,
    proposal_of,
    proposal_words,
)
from domain.deadlines.deadline import (
    ALL,
    DAY,
    Deadline,
    DeadlineKind,
    Deadlines,
    ReminderGiven,
    Silence,
    end_of_day,
    of_party,
    on,
    other_of,
)
from domain.deadlines.figures import figure_words
from domain.deadlines.reviews import cadence_words, has_other_cadence
from domain.deadlines.rule import (
    EXIT_TAKES_EFFECT,
    Around,
    Opening,
    speaks_of,
)
from domain.deadlines.table import RULES
from domain.exit import ENDINGS, took_effect
from domain.kernel import Act, Event
from domain.payouts import Payouts
from domain.terms_by_day import TermsByDay

NEVER_DUE: Final = datetime.max.replace(tzinfo=UTC)
"""The moment of what does not pass."""

_Closer = tuple[DeadlineKind, Callable[[Any], str | None], bool]


def _by_event() -> tuple[dict[type[Event], list[Opening]], dict[type[Event], list[_Closer]]]:
    """Return what each event opens and closes, so that folding looks at no other rule."""
    opens: dict[type[Event], list[Opening]] = {}
    closes: dict[type[Event], list[_Closer]] = {}
    for rule in RULES:
        for opening in rule.opened_by:
            opens.setdefault(opening.event, []).append(opening)
        closes.setdefault(rule.passing.event, []).append((rule.kind, rule.passing.ref, False))
        for closing in rule.closed_by:
            closer = (rule.kind, closing.ref, closing.by_author)
            closes.setdefault(closing.event, []).append(closer)
    return opens, closes


_OPENS, _CLOSES = _by_event()
_RULES = {rule.kind: rule for rule in RULES}
_PASSING = {rule.kind: rule.passing for rule in RULES}
OF_THE_PLAN = {rule.kind for rule in RULES if EXIT_TAKES_EFFECT in rule.closed_by}
"""The kinds that only a partnership that runs still owes."""


_TO_DO = {rule.kind for rule in RULES if rule.alert}
"""The kinds of which something is still to be done once they passed."""


SAYS: Final = {rule.both.proposed: rule for rule in RULES if rule.both}
"""The rule of what takes the word of both, by the event with which one says that it is done."""


CONCERNED: frozenset[type[Event]] = frozenset({*_OPENS, *_CLOSES, *ENDINGS, *SAYS, ReminderGiven})
"""The events that open or close a deadline, hand it to a party, or remind of it."""


def done_by_both(event: BilateralProposed) -> str:
    """Return the id of the deadline that a proposal says is met; empty if it says so of none.

    `issue/I-1` for the proposal of a resolution of issue I-1.
    """
    rule = SAYS.get(type(event))
    return f"{rule.kind.value}/{rule.said_of(event)}" if rule else ""


def with_words(deadlines: Deadlines, event: Event, act: Act, parties: tuple[str, ...]) -> Deadlines:
    """Return deadlines after a party said that one is met, or after such a word ended.

    From the first word on the other party alone acts. If it says no, its owner acts again, or both.
    """
    if isinstance(event, BilateralProposed):
        known = deadlines.get(done_by_both(event))
        other = other_of(parties, act.party)
        if known is None:
            return deadlines
        return {**deadlines, known.id: known.with_word(proposal_of(event), other)}
    if isinstance(event, ProposalEnded):
        ended = answer_ref(event.agreement, event.proposal, event.within)
        said = [each for each in deadlines.values() if ended in dict(each.said)]
        return {**deadlines, **{each.id: each.without_word(ended) for each in said}}
    return deadlines


def due(deadlines: Deadlines, now: datetime) -> Deadline | None:
    """Return the first open deadline that has passed at `now`, if there is one.

    A reminder is a deadline of its own kind, with the id of what it is of as its `ref`.
    """
    first = min(map(_next, _running(deadlines.values())), default=None, key=_place)
    return first if first is not None and first.due <= now else None


def wake(deadlines: Iterable[Deadline]) -> datetime:
    """Return when the first of some deadlines passes, or its reminder is due."""
    return min((_next(each).due for each in _running(deadlines)), default=NEVER_DUE)


def _running(deadlines: Iterable[Deadline]) -> Iterator[Deadline]:
    return (each for each in expected(deadlines) if not each.waits)


def _place(deadline: Deadline) -> tuple[datetime, bool, bool, Deadline]:
    # What is due by the end of the day before an exit is still due, so it passes first.
    # What lapses, by its day or by an exit, awaits no answer any more.
    due, kind = deadline.due, deadline.kind
    return due, kind in _ANSWERS, kind is DeadlineKind.EXIT, deadline


_ANSWERS: Final = {DeadlineKind.ANSWER, DeadlineKind.SIGNATURE}


def expected(deadlines: Iterable[Deadline]) -> list[Deadline]:
    """Return open deadlines without those that an exit gives up before they are due."""
    known = [*deadlines]
    ends = next((each.due for each in known if each.kind is DeadlineKind.EXIT), None)
    if ends is None:
        return known
    return [each for each in known if each.kind not in OF_THE_PLAN or each.due <= ends]


def _next(deadline: Deadline) -> Deadline:
    at = deadline.remind_at
    if at is None or at >= deadline.due:
        return deadline
    return deadline._replace(
        due=at,
        kind=DeadlineKind.REMINDER,
        ref=deadline.id,
        remind_at=None,
        day=deadline.last_day + DAY,
    )


def silence(day: date, terms: TermsByDay) -> Deadline:
    """Return a deadline at the beginning of a day, when silence confirms claims."""
    return on(day, DeadlineKind.SILENCE, day.isoformat(), terms)


def reminder_of_silence(silence: Silence, terms: TermsByDay) -> Deadline:
    """Return when a party is reminded of the claims that silence confirms on a day."""
    due = terms.reminds_of_silence_at(silence.day)
    ref = f"{DeadlineKind.SILENCE.value}/{silence.ref}"
    return Deadline(due, DeadlineKind.REMINDER, ref, due, day=silence.day, party=silence.party)


def figure(ref: str, party: str, period: str, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a figure of a period is reported by a party, or by either if it is empty.

    That is within the agreed days or, if none are agreed, before the period after it ends.
    """
    ended = bounds(period)[1].date()
    days = terms.day_rules(ended).figure_days
    after = bounds(following(period))[1].date() if days is None else ended + timedelta(days=days)
    last = after - DAY
    deadline = end_of_day(DeadlineKind.FIGURE, ref, last, terms)._replace(party=party)
    return _with_reminder(deadline._replace(since=terms.midnight(ended)), act, terms)


def with_statements(
    deadlines: Deadlines, before: Deadlines, payouts: Payouts, act: Act, terms: TermsByDay
) -> Deadlines:
    """Return deadlines with those of the statements on which something is due.

    `before` are the deadlines before the event: a reminder that was given is not given again.
    """
    found = {
        key: each for key, each in deadlines.items() if each.kind is not DeadlineKind.STATEMENT
    }
    for name, since in payouts.unpaid.items():
        if name in payouts.overdue:
            continue
        owed = payouts.owed[name]
        deadline = statement(name, owed.payer, owed.due_on, act, terms)
        if deadline.due < since:
            # It was paid in time, and came back later.
            deadline = deadline._replace(due=since, day=None, local_day=terms.day(since))
        known = deadlines.get(deadline.id) or before.get(deadline.id)
        is_known = known is not None and known.due == deadline.due
        found[deadline.id] = known if known is not None and is_known else deadline
    return found


def statement(name: str, payer: str, due_on: date, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a statement is paid, with its reminder, as of the event that made it due."""
    deadline = end_of_day(DeadlineKind.STATEMENT, name, due_on, terms)
    return _with_reminder(deadline._replace(party=payer), act, terms)


def passed(deadline: Deadline) -> list[Event]:
    """Return the events that record the passing of a deadline."""
    if deadline.kind is DeadlineKind.REMINDER:
        kind, _, ref = deadline.ref.partition("/")
        return [
            ReminderGiven(
                kind=DeadlineKind(kind),
                ref=ref,
                due=deadline.last_day,
                party=deadline.party or None,
                asked_by=deadline.asked_by or None,
            )
        ]
    return _PASSING[deadline.kind].events(deadline)


def reminder_text(event: ReminderGiven) -> str:
    """Return what those who act are reminded of, as a sentence."""
    ref = event.ref
    if event.kind is DeadlineKind.CADENCE:
        ref = cadence_words(ref)
    elif event.kind is DeadlineKind.ANSWER:
        ref = proposal_words(ref)
    elif event.kind is DeadlineKind.SIGNATURE:
        ref = draft_of(ref)
    elif event.kind is DeadlineKind.SILENCE:
        ref = event.party or ""
    elif event.kind is DeadlineKind.CONFIRMATION:
        ref = act_words(ref)
    elif event.kind is DeadlineKind.FIGURE:
        ref = figure_words(ref)
    return (_RULES[event.kind].reminds_of or "{ref} is due on {day}.").format(
        ref=ref, day=event.due
    )


def is_of_another_stream(deadline: Deadline) -> bool:
    """Whether it is a figure, or of something on a deal, a dispute, an entry or an experiment.

    The partnership's own stream does not show whether it is open.
    """
    if deadline.kind is DeadlineKind.FIGURE:
        return True
    if deadline.kind is DeadlineKind.CONFIRMATION:
        return "/" in deadline.ref
    return deadline.kind is DeadlineKind.ANSWER and deadline.ref.count("/") > 1


def evolve(
    deadlines: Deadlines, event: Event, act: Act, terms: TermsByDay, parties: tuple[str, ...]
) -> Deadlines:
    """Open and close deadlines by one event; `terms` and `parties` are those after it."""
    if type(event) not in CONCERNED:
        return deadlines
    if isinstance(event, ENDINGS):
        return {key: each for key, each in deadlines.items() if outlives(key)}
    if isinstance(event, ReminderGiven):
        return _reminded(deadlines, f"{event.kind.value}/{event.ref}")
    deadlines = with_words(deadlines, event, act, parties)
    closed, around = set(_closed_by(event, act, deadlines)), Around(deadlines, parties)
    opened = {
        each.id: _with_reminder(each, act, terms)
        for opening in _OPENS.get(type(event), ())
        for each in opening.deadlines(event, act, terms, around)
        if not (each.kind in OF_THE_PLAN and took_effect(terms, act.now))
    }
    if isinstance(event, CommercialTermsAgreed) and speaks_of(event, ["time_zone"]):
        deadlines = {key: _in_zone(each, terms) for key, each in deadlines.items()}
    elif not closed and not opened:
        return deadlines
    return {key: each for key, each in deadlines.items() if key not in closed} | opened


def _with_reminder(deadline: Deadline, act: Act, terms: TermsByDay) -> Deadline:
    """Return a deadline with the moment of its reminder: at once if it is nearer than that."""
    rule = _RULES[deadline.kind]
    if not rule.reminds_of or deadline.remind_at is not None:
        return deadline
    moment = deadline.since if rule.at_its_moment else deadline.due
    before = timedelta(hours=terms.day_rules(terms.day(act.occurred_at)).remind_hours)
    if rule.if_far and moment - before <= act.occurred_at:
        return deadline
    at = max(moment - before, act.occurred_at)
    return deadline._replace(remind_at=at if at < moment else None)


def _reminded(deadlines: Deadlines, id: str) -> Deadlines:
    known = deadlines.get(id)
    return {**deadlines, id: known._replace(remind_at=None)} if known else deadlines


def after_passing(deadlines: Deadlines, passing: Deadline) -> Deadlines:
    """Return the deadlines after one of them passed, or after its reminder."""
    # A reminder of silence is a deadline by itself; any other is a part of its deadline.
    if passing.kind is DeadlineKind.REMINDER and passing.id not in deadlines:
        return _reminded(deadlines, passing.ref)
    return {key: each for key, each in deadlines.items() if key != passing.id}


def overdue(
    passed_before: Deadlines,
    open_before: Deadlines,
    event: Event,
    act: Act,
    parties: tuple[str, ...],
) -> Deadlines:
    """Return the passed deadlines of which what was due is still to be done, after an event.

    `passed_before` are those before it, and `open_before` the deadlines that it can let pass.
    """
    if isinstance(event, ENDINGS):
        return {key: each for key, each in passed_before.items() if outlives(key)}
    passed_before = with_words(passed_before, event, act, parties)
    done = set(_closed_by(event, act, passed_before))
    # What passes again, such as the next review of a kind, is overdue since the first time.
    still = {
        key: each
        for key, each in passed_before.items()
        if key not in done or _is_passing(event, each)
    }
    passing = {
        key: each
        for key, each in open_before.items()
        if each.kind in _TO_DO and _is_passing(event, each)
    }
    return {**passing, **still}


def _is_passing(event: Event, deadline: Deadline) -> bool:
    """Whether an event records that this deadline passed."""
    passing = _PASSING[deadline.kind]
    return type(event) is passing.event and passing.ref(event) == deadline.ref


def _in_zone(deadline: Deadline, terms: TermsByDay) -> Deadline:
    if deadline.day is None:
        return deadline
    due = terms.midnight(deadline.day)
    at = deadline.remind_at and deadline.remind_at + (due - deadline.due)
    return deadline._replace(due=due, remind_at=at)


def _closed_by(event: Event, act: Act, deadlines: Deadlines) -> Iterator[str]:
    if isinstance(event, CommercialTermsAgreed):
        yield from (key for key, each in deadlines.items() if has_other_cadence(event, each))
    for kind, ref, by_author in _CLOSES.get(type(event), ()):
        name = ref(event)
        if by_author and name is not None:
            name = of_party(name, act.party)
        if name == ALL:
            yield from (key for key, each in deadlines.items() if each.kind is kind)
        elif name is not None and (key := f"{kind.value}/{name}") in deadlines:
            yield key
