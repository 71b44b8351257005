"""A second person: above an amount that both parties agreed, two people of a party bind it.

The terms give the amounts (`Frame.second_person_above`). What one person does above them is
recorded with all its data (`SecondPersonAsked`), and nothing of it counts yet. When another person
of the same party confirms it (`ConfirmAct`), the command is decided as of then. Without that it
lapses after the agreed days for an answer. Any person of the party can take it back
(`WithdrawAct`).

Two people are told apart by the actor of their events, whose names are compared as they are read
(`as_read`), and by their keys if both signed.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import StringConstraints

from domain import content as contents
from domain.content import Consent
from domain.kernel import (
    ALWAYS,
    CLOCK_SKEW,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    NotNow,
    Refused,
    Unknown,
    Value,
)
from domain.keyring import KeyId
from domain.terms_by_day import TermsByDay
from domain.values import Day, Text, instant
from domain.wording import Worded

ActId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{16}$"),
    Worded(
        "is not the identifier of an act: 16 hexadecimal digits", "Copy it from the party's inbox."
    ),
]
"""The identifier of an act: the first 16 hexadecimal digits of the SHA-256 of its party, its
command and its data."""

HeldIn = Annotated[
    str,
    StringConstraints(pattern=r"^(dispute|entry)/[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"),
    Worded("names no dispute and no entry", "Write dispute/Q-1 or entry/E-1."),
]
"""The dispute or the entry that an act is on."""


class _OfAct(Value):
    within: HeldIn | None = None
    """The dispute or the entry that the act is on, as `dispute/Q-1`; null for all others."""
    act: ActId
    """The identifier of the act, as the inbox has it."""


class SecondPersonAsked(_OfAct, Event):
    """A person did what exceeds the agreed amount. A second person of the party must confirm it."""

    command: Text
    """The command of the act."""
    data: dict[str, Any]
    """The data of the act."""
    confirm_by: Day
    """The last day on which it can be confirmed."""
    signed_with: KeyId | None = None
    """The key with which the first person signed it; null if it was not signed."""


class ActCommand(_OfAct, Command):
    """A command on an act that awaits a second person."""

    stages = ALWAYS

    def substream(self) -> str:
        """Return the name of the stream that has the act, below the partnership's."""
        return self.within or ""


class ConfirmAct(ActCommand, Consent):
    """Confirm, as a second person of the party, an act above the agreed amount."""


class ActConfirmed(_OfAct, Event):
    """A second person of the party confirmed an act. What it does follows."""


class WithdrawAct(ActCommand):
    """Take back an act of one's own party that was not confirmed."""

    reason: Text
    """The reason, in words."""


class ActWithdrawn(_OfAct, Event):
    """A party took back an act that was not confirmed."""

    reason: Text
    """The reason, in words."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeldAct:
    """An act that a first person did, and what ended the wait for the second one."""

    asked: SecondPersonAsked
    party: str
    actor: str
    asked_at: datetime
    """When the first person did it, as its party claims."""
    ended: ActConfirmed | ActWithdrawn | None = None


HeldActs = Mapping[str, HeldAct]
"""The acts of one stream that a second person confirms, by identifier."""


def open_acts(held: HeldActs, today: date) -> Iterator[HeldAct]:
    """Yield the acts that can still be confirmed on a day."""
    return (each for each in held.values() if each.ended is None and today <= each.asked.confirm_by)


def act_id(party: str, command: Command) -> str:
    """Return the identifier of an act."""
    return contents.digest_of([party, type(command).__name__, data_of(command)])[:16]


def data_of(command: Command) -> dict[str, Any]:
    """Return the data of a command as it is recorded."""
    return command.model_dump(mode="json", exclude_none=True)


# --- decisions ---------------------------------------------------------------------------------


def ask(command: Command, held: HeldActs, act: Act, terms: TermsByDay) -> list[Event]:
    """Decide that an act awaits a second person: nothing if the same person did it before."""
    today = terms.day(act.recorded_at)
    name = act_id(act.party, command)
    known = next((each for each in open_acts(held, today) if each.asked.act == name), None)
    if known is None:
        asked = SecondPersonAsked(
            within=command.substream() or None,
            act=name,
            command=type(command).__name__,
            data=data_of(command),
            confirm_by=terms.answer_until(today),
            signed_with=act.key or None,
        )
        return [asked]
    if act.is_by(known.actor):
        return []
    raise NotNow(
        "act-awaits-confirmation",
        "A second person confirms an act instead of repeating it. Another person of the party did "
        f"the act {name}, and it can be confirmed until {known.asked.confirm_by}.",
        f"Confirm it: ConfirmAct with the act {name}.",
        act=name,
    )


def confirm(
    command: ConfirmAct, held: HeldActs, act: Act, today: date, erased: Collection[str]
) -> SecondPersonAsked | None:
    """Return the act that a second person confirms; None if it was confirmed before.

    `erased` are the people whose names were erased. Raises `Refused`.
    """
    found = _named(command, held, act)
    if isinstance(found.ended, ActConfirmed):
        return None
    _check_open(found, today)
    contents.check(command, found.asked)
    _check_second(found, act, erased)
    if found.asked_at > act.occurred_at + CLOCK_SKEW:
        raise Refused(
            "confirmed-before-done",
            "An act can be confirmed only after it was done. It was done at "
            f"{instant(found.asked_at)}; the confirmation is of {instant(act.occurred_at)}.",
            "Read the act, then confirm it with another event.",
            act=command.act,
        )
    return found.asked


def withdraw(command: WithdrawAct, held: HeldActs, act: Act) -> list[Event]:
    """Decide that a party takes back an act that was not confirmed, once. Raises `Refused`.

    An act that lapsed can be taken back too, which ends the alert of it.
    """
    found, event = _named(command, held, act), ActWithdrawn.of(command)
    if found.ended == event:
        return []
    if found.ended is not None:
        raise _ended(found)
    return [event]


def _named(command: ActCommand, held: HeldActs, act: Act) -> HeldAct:
    """Return the act of the party that a command names. Raises `Refused`."""
    found = held.get(command.act)
    if found is None:
        known = [
            name for name, each in held.items() if (each.party, each.ended) == (act.party, None)
        ]
        raise Unknown(
            "no-such-act",
            f"No act {command.act} awaits a second person.",
            "Copy the act, and the dispute or the entry that it is on, from the inbox.",
            named=command.act,
            known=known,
            awaits=Awaited(AwaitedKind.ACT, command.act, f"the act {command.act}"),
        )
    if found.party != act.party:
        raise NotNow(
            "act-of-the-other-party",
            "Only a person of the same party confirms an act or takes it back. The act "
            f"{command.act} is of {found.party}.",
            "Wait until that party has confirmed it.",
            act=command.act,
        )
    return found


def _check_open(found: HeldAct, today: date) -> None:
    if found.ended is not None:
        raise _ended(found)
    if today > found.asked.confirm_by:
        raise NotNow(
            "act-lapsed",
            f"An act lapses without a second person. The act {found.asked.act} could be confirmed "
            f"until {found.asked.confirm_by}.",
            f"Send it again: {found.asked.command} with the same data.",
            act=found.asked.act,
        )


def _ended(found: HeldAct) -> NotNow:
    how = "confirmed" if isinstance(found.ended, ActConfirmed) else "taken back"
    return NotNow(
        "act-ended",
        f"The act {found.asked.act} awaits nobody any more: it was {how}.",
        "Correct what was confirmed, or send the command again.",
        act=found.asked.act,
    )


def _check_second(found: HeldAct, act: Act, erased: Collection[str]) -> None:
    """Raise `Refused` if the first person confirms its own act, or if nobody can tell."""
    if found.actor in erased:
        # For the record, who sends an erased name again is a new person.
        raise Refused(
            "same-person",
            "The person who did an act cannot confirm it. The name of who did the act "
            f"{found.asked.act} was erased, so nobody can tell whether another person confirms it.",
            "Take the act back (WithdrawAct), do it again, and let another person confirm that.",
            act=found.asked.act,
        )
    same_key = bool(act.key) and act.key == found.asked.signed_with
    if act.is_by(found.actor) or same_key:
        raise Refused(
            "same-person",
            "The person who did an act cannot confirm it. "
            + (
                f"Both were signed with the key {act.key}."
                if same_key
                else f"The same person did the act {found.asked.act}."
            ),
            "Let another person of the party confirm it"
            + (", with a key of its own." if same_key else "."),
            act=found.asked.act,
        )


# --- fold --------------------------------------------------------------------------------------


def evolve(held: HeldActs, event: Event, act: Act) -> HeldActs:
    """Fold an event about an act into the acts of its stream."""
    match event:
        case SecondPersonAsked():
            return {**held, event.act: HeldAct(event, act.party, act.actor, act.occurred_at)}
        case ActConfirmed() | ActWithdrawn() if event.act in held:
            return {**held, event.act: replace(held[event.act], ended=event)}
        case _:
            return held


OF_ACTS = (SecondPersonAsked, ActConfirmed, ActWithdrawn)
"""The events about acts that a second person confirms."""
