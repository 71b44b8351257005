"""Facts of one aggregate by name: who stated each, and when it happened.

Facts arrive in any order, so a decision compares the times at which they happened, never the order
of arrival. Several facts can have one name, told apart by their time: a payment that was charged
back, won back and charged back again.

Both parties can state a fact, each from its own records. Each statement is recorded, so the order
in which they arrive decides nothing. What a party states is limited only by what it stated itself;
what it builds on (the win of a payment) may be stated by either party (docs/decisions/0029).
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from domain.calendar import bounds, last_day_of
from domain.kernel import Act, AlreadyRecorded, Event, Refused
from domain.values import instant


class Stated(NamedTuple):
    """A fact: its event, the party that stated it, when it happened, and when it was recorded."""

    event: Event
    party: str
    at: datetime
    told: datetime


Facts = Mapping[str, tuple[Stated, ...]]
"""The facts of an aggregate by name (`payment/P-1`), each in the order in which it happened."""


def with_fact(facts: Facts, name: str, event: Event, act: Act) -> Facts:
    """Return the facts and one more."""
    found = [*facts.get(name, ())]
    stated = Stated(event, act.party, act.occurred_at, act.recorded_at)
    insort(found, stated, key=lambda each: (each.at, each.party))
    return {**facts, name: tuple(found)}


def first(facts: Facts, name: str) -> Stated | None:
    """Return the earliest fact of a name, None if there is none."""
    found = facts.get(name)
    return found[0] if found else None


def own(found: Sequence[Stated], party: str) -> tuple[Stated, ...]:
    """Return those of some facts that a party stated."""
    return tuple(each for each in found if each.party == party)


def others(found: Sequence[Stated], party: str) -> tuple[Stated, ...]:
    """Return those of some facts that the other party stated."""
    return tuple(each for each in found if each.party != party)


def is_stated(found: Sequence[Stated], event: Event, act: Act) -> bool:
    """Return whether the acting party already stated the same fact for the same time."""
    return any(
        (each.event, each.party, each.at) == (event, act.party, act.occurred_at) for each in found
    )


def times(found: Sequence[Stated]) -> int:
    """Return at how many times facts happened. Two statements of one time are of one fact."""
    return len({each.at for each in found})


def until(facts: Facts, name: str, moment: datetime) -> tuple[Stated, ...]:
    """Return the facts of a name that happened at a moment or before it."""
    return tuple(each for each in facts.get(name, ()) if each.at <= moment)


def before(facts: Facts, name: str, moment: datetime) -> tuple[Stated, ...]:
    """Return the facts of a name that happened before a moment."""
    return tuple(each for each in facts.get(name, ()) if each.at < moment)


class _Timed(Protocol):
    @property
    def at(self) -> datetime: ...


T = TypeVar("T", bound=_Timed)


def meant(found: Sequence[T], fact_at: datetime | None, said_at: datetime) -> T | None:
    """Return the fact that a message means, of several with one name; None if there is none.

    It is the one that happened at `fact_at`. Without that time it is the last one that had happened
    when the message was sent (`said_at`).
    """
    if fact_at is not None:
        return next((each for each in found if each.at == fact_at), None)
    return next((each for each in reversed(found) if each.at <= said_at), None)


def is_meant(
    one: _Timed, found: Sequence[_Timed], fact_at: datetime | None, said_at: datetime
) -> bool:
    """Return whether a message means one of several facts, as `meant`; or another of its time."""
    chosen = meant(found, fact_at, said_at)
    return chosen is not None and chosen.at == one.at


def is_repeated(found: Sequence[Stated], event: Event, act: Act, what: str, correct: str) -> bool:
    """Return whether the acting party stated a fact already: same name, time and content.

    Raises `AlreadyRecorded` if its content differs; `correct` says how to correct it.
    """
    mine = own(found, act.party)
    existing = next((each for each in mine if each.at == act.occurred_at), None)
    if existing is None:
        return False
    if existing.event == event:
        return True
    raise already_recorded(existing.event, what, correct)


def check_begun(period: str, day: date, field: str = "period") -> None:
    """Raise `Refused` if a period had not begun on the day on which something of it is stated."""
    begins = bounds(period)[0].date()
    if begins > day:
        raise Refused(
            "period-not-begun",
            f"Nothing is stated of a period that has not begun. {period} begins on {begins}; this "
            f"is of {day}.",
            "Check the period, or state it once the period has begun.",
            field=field,
        )


def check_not_before(began: date | None, period: str, day: date, field: str) -> None:
    """Raise `Refused` if a look at a period is not of a time in which the agreement ran.

    The period had not begun on the day on which it is stated, or it ended before `began`.
    """
    check_begun(period, day, field)
    last = last_day_of(period)
    if began is not None and last < began:
        raise Refused(
            "period-before-agreement",
            f"A partnership is reviewed and rated for a period in which it was agreed. {period} "
            f"ended on {last}; the agreement began on {began}.",
            f"Name the period of {began}, or a later one.",
            field=field,
        )


def check_stated_last(what: str, since: datetime | None, act: Act) -> None:
    """Raise `Refused` if what an act replaces was stated after the act; `since` is when.

    What was stated last counts, in whatever order it arrives.
    """
    if since is not None and since > act.occurred_at:
        raise Refused(
            "stated-since",
            "Nothing replaces what was stated after it. "
            f"{what} was stated at {instant(since)}, and this at {instant(act.occurred_at)}.",
            "What was stated last counts. If this is newer, send it with the time at which it "
            "was stated.",
        )


def check_agreed_last(what: str, since: datetime | None, act: Act) -> None:
    """Raise `Refused` if what an act replaces was agreed after the act; `since` is when.

    What was agreed last counts, in whatever order it arrives.
    """
    if since is not None and since > act.occurred_at:
        raise Refused(
            "agreed-since",
            "Nothing replaces what was agreed after it. "
            f"{what} was agreed at {instant(since)}, and this at {instant(act.occurred_at)}.",
            "What was agreed last counts. If this is newer, send it with the time at which it "
            "was agreed.",
        )


def already_recorded(
    existing: Event,
    what: str,
    correct: str,
    **facts: Any,  # noqa: ANN401 - as `Refused`
) -> AlreadyRecorded:
    """Return the refusal of a fact that is recorded with other content."""
    return AlreadyRecorded(
        "already-recorded",
        f"What is recorded cannot be changed. {what} is already recorded with other content.",
        correct,
        existing=existing.model_dump(mode="json"),
        **facts,
    )
