"""The shape of a deadline's row: what opens it, what closes it, and what its passing means."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeVar

from domain.agreement import CommercialTermsAgreed
from domain.bilateral import BilateralAgreement, BilateralProposed
from domain.deadlines.deadline import (
    ALL,
    Deadline,
    DeadlineKind,
    DeadlinePassed,
    Deadlines,
    exit_of,
)
from domain.execution import CommitmentCancelled, given_up_words
from domain.kernel import Act, Event
from domain.response import Office, Response
from domain.terms_by_day import TermsByDay
from domain.values import full_stop

E = TypeVar("E", bound=Event)


class Around(NamedTuple):
    """What deadlines of several parties or of several events depend on."""

    open: Deadlines
    """The deadlines that were open before the event."""
    parties: tuple[str, ...]
    """The parties of the partnership."""


class Opening(NamedTuple):
    """An event that opens deadlines of a kind."""

    event: type[Event]
    deadlines: Callable[[Any, Act, TermsByDay, Around], Iterable[Deadline]]
    """Takes the event, its act, the terms after it, and what is around it."""


class Closing(NamedTuple):
    """An event that closes deadlines of a kind, and the alerts of those that had passed."""

    event: type[Event]
    ref: Callable[[Any], str | None]
    """Takes the event and gives the `ref` of the deadline it closes, if any; `ALL` closes all of
    the kind."""
    text: Callable[[Any], str]
    """Takes the event and says what happened: the text with which an alert ends."""
    by_author: bool = False
    """Whether each party has a deadline of its own, which only its own act closes: its `ref` ends
    with the party (`of_party`)."""


class Passing(NamedTuple):
    """The event that records that a deadline passed."""

    event: type[Event]
    ref: Callable[[Any], str | None]
    """Takes the event and gives the `ref` of the deadline, None for one of another kind."""
    events: Callable[[Deadline], list[Event]]
    """Takes the deadline and gives the events to record."""


class DeadlineAlert(NamedTuple):
    """The alert that opens when a deadline passes; what closes the deadline resolves the alert."""

    rule: str
    """The name of the alert's rule."""
    sentence: str
    """What the rule expects, as a sentence."""
    response: Response
    """How severe it is, and which office acts."""
    text: Callable[[Any], str]
    """Takes the event that records the passing and gives the text of the alert."""
    about: str = ""
    """The field by which events name what the alert is about; empty for a date of the agreement."""
    to: Callable[[Any], Office | None] = lambda _: None
    """Takes that event and gives the office that acts, where it is another than `response` says."""
    recurs: bool = False
    """Whether the same falls due again and again, so that each miss is kept beside the one before.
    """
    reminder: bool = False
    """Whether the alert only asks for something to be done or decided. A breach counts against a
    partnership, a reminder does not."""


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """One kind of deadline: what opens it, what closes it, and what its passing means."""

    kind: DeadlineKind
    opened_by: tuple[Opening, ...]
    passing: Passing
    closed_by: tuple[Closing, ...] = ()
    alert: DeadlineAlert | None = None
    reminds_of: str = ""
    """What those who act are reminded of: a sentence with its `{ref}` and its last `{day}`. Empty
    if nobody is reminded."""
    both: type[BilateralAgreement] | None = None
    """The agreement that closes it, where it takes the word of both parties. After one party's
    proposal the deadline awaits the other party alone, until the proposal is answered."""
    at_its_moment: bool = False
    """Whether a reminder is counted from `since`, the moment of a meeting, and not from `due`."""
    if_far: bool = False
    """Whether there is no reminder if the day is as near as the reminder when it is set."""

    def said_of(self, event: BilateralProposed) -> str:
        """Return the `ref` of what a proposal says is done (`both`)."""
        [closing] = [each for each in self.closed_by if each.event is self.both]
        return closing.ref(event) or ""


def opens(event: type[E], deadline: Callable[[E, Act, TermsByDay], Deadline]) -> Opening:
    """Return that an event opens one deadline."""
    return Opening(event, lambda fact, act, terms, _: (deadline(fact, act, terms),))


def opens_several(
    event: type[E], deadlines: Callable[[E, Act, TermsByDay, Around], Iterable[Deadline]]
) -> Opening:
    """Return that an event opens any number of deadlines."""
    return Opening(event, deadlines)


def closes(
    event: type[E],
    ref: Callable[[E], str | None],
    text: Callable[[E], str],
    *,
    by_author: bool = False,
) -> Closing:
    """Return that an event closes the deadline that `ref` names; its alert ends with `text`."""
    return Closing(event, ref, text, by_author)


def replaces(event: type[Event], text: str) -> Closing:
    """Return that an event closes every deadline of the kind."""
    return Closing(event, lambda _: ALL, lambda _: text)


EXIT_TAKES_EFFECT: Final = Closing(
    DeadlinePassed,
    lambda e: ALL if exit_of(e) else None,
    lambda e: f"The exit took effect on {e.ref}.",
)
"""The closing of what only a partnership that runs still owes (C27)."""


def cancels(kind: str) -> Closing:
    """Return the closing of what both parties gave up."""
    return Closing(
        CommitmentCancelled,
        lambda e: e.ref if e.kind == kind else None,
        lambda e: (
            f"Both parties gave up the {given_up_words(e.kind)} {e.ref}: {full_stop(e.reason)}"
        ),
    )


def amends(*fields: str) -> Closing:
    """Return the closing by terms that say something of one of these fields of the frame."""
    return Closing(
        CommercialTermsAgreed,
        lambda e: ALL if speaks_of(e, fields) else None,
        lambda _: "New terms were agreed.",
    )


def speaks_of(event: CommercialTermsAgreed, fields: Iterable[str]) -> bool:
    """Whether terms say something of one of these fields of the frame."""
    given = event.frame.given() if event.frame is not None else {}
    return any(each in given for each in fields)


def records(
    event: type[E], ref: Callable[[E], str], events: Callable[[Deadline], list[Event]]
) -> Passing:
    """Return that `event` records the passing; `events` gives all that is recorded then."""
    return Passing(event, ref, events)


def passes(kind: DeadlineKind) -> Passing:
    """Return that `DeadlinePassed` records the passing of a kind."""
    return Passing(
        DeadlinePassed,
        lambda event: event.ref if event.kind is kind else None,
        lambda each: [
            DeadlinePassed(
                kind=kind,
                ref=each.ref,
                party=each.party or None,
                asked_by=each.asked_by or None,
            )
        ],
    )


def until_exit(rule: DeadlineRule) -> DeadlineRule:
    """Return a rule of what ends with an exit.

    Both may have agreed an action for the time after it, such as a handover, so that one stays.
    """
    return replace(rule, closed_by=(*rule.closed_by, EXIT_TAKES_EFFECT))
