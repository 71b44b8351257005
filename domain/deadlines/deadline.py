"""What a deadline is, and the events that record that one passed or is near.

Days begin at 00:00 in the agreement's time zone.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from domain.calendar import Period
from domain.escalation import Escalated
from domain.kernel import Event
from domain.terms_by_day import TermsByDay
from domain.values import Day, Slug

ALL: Final = "*"
"""The `ref` of an event that concerns every deadline or alert of its kind."""


DAY = timedelta(days=1)


class DeadlineKind(StrEnum):
    """The kinds of deadlines."""

    PERIOD = "period"
    MILESTONE = "milestone"
    REVIEW = "review"
    ISSUE = "issue"
    NOTICE_WARNING = "notice-warning"
    NOTICE = "notice"
    TERM_END = "term-end"
    EXIT = "exit"
    CURE = "cure"
    IMPROVEMENT = "improvement"
    PAUSE = "pause"
    REMINDER = "reminder"
    CADENCE = "cadence"
    ACTION = "action"
    ONBOARDING = "onboarding"
    CONTRIBUTION = "contribution"
    CAMPAIGN_START = "campaign-start"
    CAMPAIGN = "campaign"
    SILENCE = "silence"
    STATEMENT = "statement"
    ANSWER = "answer"
    LAPSE = "lapse"
    SIGNATURE = "signature"
    CONFIRMATION = "confirmation"
    FIGURE = "figure"
    OBJECTIVE = "objective"


class Deadline(NamedTuple):
    """An open deadline. It has passed at the moment `due` and at every later one."""

    due: datetime
    kind: DeadlineKind
    ref: str
    """What the deadline is for: a review's identifier, a period, a date."""
    since: datetime
    """The moment that the deadline is counted from, or the last moment that was in time."""
    span: str = ""
    """The agreed duration that the deadline follows from: a notice, or the time between reviews."""
    day: date | None = None
    """The day at whose beginning it is due; None for a deadline that is due at a moment."""
    party: str = ""
    """The party that acts; empty if both do. An answer names who asked instead (`asked_by`)."""
    asked_by: str = ""
    """The party that asked for an answer, which the other gives; empty if nobody asked."""
    remind_at: datetime | None = None
    """When those who act are reminded; None if they were, or never are."""
    step: int = 0
    """Which step of the escalation of an issue is next, counted from 0."""
    to: Escalated | None = None
    """The office that an issue then goes to."""
    local_day: date | None = None
    """The day of a deadline that is due at a moment, in the time zone of the agreement."""
    on_its_day: bool = False
    """Whether it cannot be done before its last day."""
    said: tuple[tuple[str, str], ...] = ()
    """The open proposals that it is done, each with the party that answers it: of what both own, or
    of what the other party confirms."""
    owner: str = ""
    """The party that does what the other confirms; it acts again after a no. Empty for both."""
    without_exit: date | None = None
    """The last day without regard to an exit, of an answer that an exit ends; None for others."""

    @property
    def last_day(self) -> date:
        """The last day that is in time, or the day of a deadline that is due at a moment."""
        return self.day - DAY if self.day else self.local_day or self.due.date()

    @property
    def waits(self) -> bool:
        """Whether it does not pass yet: one party says that a review was held.

        A meeting is over before the other party can agree that it took place.
        """
        return self.kind is DeadlineKind.REVIEW and bool(self.said)

    def with_word(self, proposal: str, answers: str) -> "Deadline":
        """Return it after a party said that it is done: it then awaits the other."""
        return self._awaiting((*self.said, (proposal, answers)))

    def without_word(self, proposal: str) -> "Deadline":
        """Return it after the other party said no, or after the proposal ended otherwise."""
        return self._awaiting(tuple(each for each in self.said if each[0] != proposal))

    def _awaiting(self, said: tuple[tuple[str, str], ...]) -> "Deadline":
        party = awaited_of(answers for _, answers in said) or self.owner
        return self._replace(said=said, party=party)

    @property
    def id(self) -> str:
        """The identifier of the deadline, unique in its partnership."""
        return f"{self.kind.value}/{self.ref}"


def other_of(parties: Iterable[str], party: str) -> str:
    """Return the other of two parties; empty while there is none."""
    return next((each for each in parties if each != party), "")


def awaited_of(answers: Iterable[str]) -> str:
    """Return who acts on what both own; empty if both do.

    `answers` are the parties that answer the open proposals that it is done.
    """
    asked = {*answers}
    return asked.pop() if len(asked) == 1 else ""


class Silence(NamedTuple):
    """A day on which silence confirms a claim."""

    day: date
    party: str
    """The party that is reminded to answer before; empty if nobody is."""

    @property
    def ref(self) -> str:
        """The identifier of the reminder."""
        return f"{self.day}/{self.party}"


Deadlines = Mapping[str, Deadline]
"""Open deadlines by identifier."""


class PeriodClosed(Event):
    """A month or a quarter ended, and the agreed rules are judged on its figures (C20)."""

    period: Period
    """The period: `2026-03` or `2026-Q1`."""


class ReminderGiven(Event):
    """Those who act were reminded of a day that is near (C22)."""

    kind: DeadlineKind
    """What is due."""
    ref: str
    """The identifier of what is due."""
    due: Day
    """The last day that is in time."""
    party: Slug | None = None
    """The party that acts; null for both."""
    asked_by: Slug | None = None
    """The party that asked for an answer, which the other gives; null if nobody asked."""


class DeadlinePassed(Event):
    """A date passed that has no specific event (C11, C27), or silence confirmed claims."""

    kind: DeadlineKind
    """What was due."""
    ref: str
    """The date itself, or the identifier of what was due."""
    party: Slug | None = None
    """The party that acts; null for both."""
    asked_by: Slug | None = None
    """The party that asked for an answer, which the other gives; null if nobody asked."""


def of_party(ref: str, party: str) -> str:
    """Return the `ref` of what each party does by itself: `health_check/acme`."""
    return f"{ref}/{party}"


def exit_of(event: DeadlinePassed) -> str | None:
    """Return the day on which an exit took effect; None for another deadline."""
    return event.ref if event.kind is DeadlineKind.EXIT else None


def on(day: date, kind: DeadlineKind, ref: str, terms: TermsByDay) -> Deadline:
    """Return a deadline that is due when `day` begins."""
    due = terms.midnight(day)
    return Deadline(due, kind, ref, due, day=day)


def end_of_day(kind: DeadlineKind, ref: str, day: date, terms: TermsByDay) -> Deadline:
    """Return a deadline that is in time until the end of `day`."""
    return on(day + DAY, kind, ref, terms)._replace(since=terms.midnight(day))
