"""Payouts: what was paid on a statement, and whose word counts (docs/settlement.md).

The payee loses by a payout, because less is due to it: what it states of one counts at once. What
the payer states counts until the payee objects, and is confirmed once the payee confirms it. That
a payout came back counts at once if the payer states it; stated by the payee it is a claim.

What a payout comes to is computed from everything that was said of it, so it is the same in any
order of arrival.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, assert_never

from domain import claims, objections
from domain.arithmetic import exact
from domain.claims import (
    Answered,
    ClaimCommand,
    ClaimConfirmed,
    ClaimKind,
    ClaimObjected,
    ConfirmClaim,
    ObjectToClaim,
)
from domain.content import digest
from domain.facts import Facts, Stated, already_recorded, is_meant
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    Refused,
    Unknown,
    Value,
)
from domain.terms_by_day import TermsByDay
from domain.values import Money, PositiveMoney, Ref, Slug, Text, plain

# --- commands and events -----------------------------------------------------------------------


class RecordPayout(Command):
    """Record a payment on a statement's balance, in full or in part."""

    stages = AFTER_KICKOFF
    payout: Ref
    """The identifier of the payout."""
    statement: Ref
    """The statement, or the final settlement and currency as `SETTLEMENT:EUR`."""
    amount: PositiveMoney
    """The amount of money."""


class PayoutRecorded(Event):
    """A payment on a statement's balance was recorded."""

    payout: Ref
    """The identifier of the payout."""
    statement: Ref
    """The statement, or the final settlement and currency as `SETTLEMENT:EUR`."""
    amount: Money
    """The amount of money."""
    payer: Slug
    """The party that paid."""
    payee: Slug
    """The party that was paid."""


class _PayoutCorrection(Value):
    payout: Ref
    """The identifier of the payout."""
    amount: PositiveMoney | None = None
    """The right amount of money. Default: as first recorded."""
    void: bool = False
    """Whether it never happened."""
    reason: Text
    """The reason, in words."""


class CorrectPayout(_PayoutCorrection, Command):
    """Correct a payout: its amount, or that it never happened.

    A correction of a payout that the other party recorded is a claim. A correction that happened
    later replaces an earlier one.
    """

    stages = AFTER_KICKOFF


class PayoutCorrected(_PayoutCorrection, Event):
    """A party corrected a payout."""


class ReturnPayout(Command):
    """Record that the bank returned a payout, so that its amount is due again."""

    stages = AFTER_KICKOFF
    payout: Ref
    """The identifier of the payout."""
    reason: Text
    """The reason, in words."""


class PayoutReturned(Event):
    """A party recorded that the bank returned a payout."""

    payout: Ref
    """The identifier of the payout."""
    reason: Text
    """The reason, in words."""


PayoutCommand = RecordPayout | CorrectPayout | ReturnPayout | ConfirmClaim | ObjectToClaim


# --- what was said of a payout -----------------------------------------------------------------

PAYOUT, CORRECTION, RETURN = "payout", "correction/payout", "return"
"""The names of facts that a claim gives (`claims`)."""


class Said(NamedTuple):
    """The party that stated a fact about a payout, when it happened, and when it was recorded."""

    party: str
    at: datetime
    told: datetime
    cause: int | None = None
    """The index of the event; None where a command is decided."""


@dataclass(frozen=True)
class Payout:
    """All that was said of one payout."""

    recorded: tuple[PayoutRecorded, Said] | None = None
    """Its first record. The same record by the other party is a confirmation."""
    corrections: tuple[tuple[PayoutCorrected, Said], ...] = ()
    """In the order in which they happened."""
    returns: tuple[tuple[PayoutReturned, Said], ...] = ()
    """At most one by each party."""
    answers: tuple[tuple[ClaimConfirmed | ClaimObjected, Said], ...] = ()

    def facts(self) -> Facts:
        """Return what a party can confirm or object to."""
        return {
            PAYOUT: tuple(_stated([self.recorded] if self.recorded else [])),
            CORRECTION: tuple(_stated(self.corrections)),
            RETURN: tuple(_stated(self.returns)),
        }


def _stated(facts: Iterable[tuple[Event, Said]]) -> Iterator[Stated]:
    for event, said in facts:
        yield Stated(event, said.party, said.at, said.told)


def with_event(payout: Payout, event: Event, act: Act, cause: int | None = None) -> Payout:
    """Return a payout with one more event, in whatever order they come."""
    said = Said(act.party, act.occurred_at, act.recorded_at, cause)
    match event:
        case PayoutRecorded():
            return replace(payout, recorded=(event, said))
        case PayoutCorrected():
            found = (*payout.corrections, (event, said))
            return replace(payout, corrections=tuple(sorted(found, key=_in_time)))
        case PayoutReturned():
            found_ = (*payout.returns, (event, said))
            return replace(payout, returns=tuple(sorted(found_, key=_in_time)))
        case ClaimConfirmed() | ClaimObjected():
            return replace(payout, answers=(*payout.answers, (event, said)))
        case _:
            return payout


def _in_time(keyed: tuple[Event, Said]) -> tuple[datetime, str, str]:
    # Of two at one time the order is that of their words, in any order of arrival.
    event, said = keyed
    return said.at, said.party, event.model_dump_json()


def payout_of(event: Event) -> str | None:
    """Return the identifier of the payout that an event is about; None if it is about none."""
    match event:
        case PayoutRecorded(payout=name) | PayoutCorrected(payout=name):
            return name
        case PayoutReturned(payout=name):
            return name
        case ClaimConfirmed(payout=about) | ClaimObjected(payout=about):
            return about
        case _:
            return None


# --- what it comes to --------------------------------------------------------------------------


class PayoutState(StrEnum):
    """What became of a payout."""

    CONFIRMED = "confirmed"
    """The payee recorded it, confirmed it, or did not object within the agreed days."""
    NOT_CONFIRMED = "not confirmed"
    """It counts as paid, and the payee has not confirmed all of it."""
    OBJECTED = "objected"
    """The payee objected, so it does not count as paid."""
    RETURNED = "returned"
    """It came back."""
    VOID = "void"
    """It never happened."""


class Standing(NamedTuple):
    """What counts of a payout, in the currency of its statement."""

    state: PayoutState
    paid: Decimal
    """What counts as paid."""
    confirmed: Decimal
    """How much of that the payee acknowledges."""
    recorded: Decimal
    """The amount as it was recorded first."""


class Awaiting(NamedTuple):
    """Something said of a payout that awaits an answer of the other party."""

    fact: str
    """The name of the fact."""
    by: str
    """The party that stated it."""
    counts: bool
    """Whether it counts until the other party objects."""
    until: date | None
    """The day on which silence confirms it; None if it does not."""


@dataclass(frozen=True)
class Known:
    """What is known of a payout on a day, under the terms."""

    payout: Payout
    terms: TermsByDay
    today: date

    @exact
    def standing(self) -> Standing:
        """Return what counts of the payout. A payout that is not on record pays nothing."""
        if self.payout.recorded is None:
            return Standing(PayoutState.VOID, Decimal(0), Decimal(0), Decimal(0))
        event, said = self.payout.recorded
        recorded = event.amount.amount
        if self._is_returned:
            return Standing(PayoutState.RETURNED, Decimal(0), Decimal(0), recorded)
        amounts = self._at_first(recorded, said)
        for correction, by in self.payout.corrections:
            amounts = self._corrected(amounts, correction, by)
        paid, confirmed, objected = amounts
        return Standing(_state(paid, confirmed, objected=objected), paid, confirmed, recorded)

    def awaiting(self) -> Iterator[Awaiting]:
        """Yield what awaits an answer, in the order in which it was said.

        Nothing awaits one of a payout that came back: no answer changes what is paid.
        """
        if self.payout.recorded is None or self._is_returned:
            return
        event, said = self.payout.recorded
        is_claimed = said.party == event.payer and self._awaits(PAYOUT, said)
        if is_claimed and self.standing().paid:
            yield self._awaiting(PAYOUT, said, counts=True)
        yield from self._corrections_awaiting(self._at_first(event.amount.amount, said))
        for _, each in self.payout.returns:
            if self._awaits(RETURN, each):
                yield self._awaiting(RETURN, each, counts=False)

    def _awaiting(self, fact: str, by: Said, *, counts: bool) -> Awaiting:
        return Awaiting(fact, by.party, counts, self._silence_confirms_on(fact, by))

    def _corrections_awaiting(self, amounts: "_Amounts") -> Iterator[Awaiting]:
        """Yield the last correction of each party, unless an agreed one replaced it."""
        found: dict[str, Awaiting] = {}
        for correction, by in self.payout.corrections:
            before, amounts = amounts, self._corrected(amounts, correction, by)
            found.pop(by.party, None)
            if self._agreed(CORRECTION, by):
                found = {}
                continue
            counts = amounts.paid > max(before.paid, amounts.confirmed)
            is_claim = amounts == before and self._amount(correction) != before.paid
            if (counts or is_claim) and not self._objected(CORRECTION, by):
                found[by.party] = self._awaiting(CORRECTION, by, counts=counts)
        yield from found.values()

    def can_object(self, fact: str, by: str) -> bool:
        """Return whether an objection to what a party stated can change what counts."""
        match fact:
            case "payout":
                return by == self._payer
            case "return":
                return by == self._payee
            case _:
                return any((each.fact, each.by) == (fact, by) for each in self.awaiting())

    def silences(self) -> Iterator[tuple[date, Said]]:
        """Yield the days on which silence confirms something, and who said it."""
        for fact, by in () if self._is_returned else self._claims():
            day = self._silence_confirms_on(fact, by)
            if day is not None and day > self.today and not self._confirmed(fact, by):
                yield day, by

    def next_deadline(self) -> date | None:
        """Return the next day on which silence confirms something; None if there is none."""
        return min((day for day, _ in self.silences()), default=None)

    def other(self, party: str) -> str:
        """Return the other party of the payout."""
        return self._payee if party == self._payer else self._payer

    def _claims(self) -> Iterator[tuple[str, Said]]:
        """Yield what the other party can confirm, and by whom it was stated."""
        if self.payout.recorded and self.payout.recorded[1].party == self._payer:
            yield PAYOUT, self.payout.recorded[1]
        for _, by in self.payout.corrections:
            yield CORRECTION, by
        for _, by in self.payout.returns:
            if by.party == self._payee:
                yield RETURN, by

    # What counts of each fact.

    def _at_first(self, amount: Decimal, said: Said) -> "_Amounts":
        if self._is_acknowledged(said):
            return _Amounts(amount, amount, objected=False)
        if self._objected(PAYOUT, said):
            return _Amounts(Decimal(0), Decimal(0), objected=True)
        return _Amounts(amount, Decimal(0), objected=False)

    def _is_acknowledged(self, said: Said) -> bool:
        return said.party == self._payee or self._agreed(PAYOUT, said)

    def _corrected(self, before: "_Amounts", event: PayoutCorrected, by: Said) -> "_Amounts":
        """Return the amounts after a correction.

        The side that loses by a correction of its own record lets it count at once. What the payer
        gains by one counts until the payee objects; what the payee gains is a claim.
        """
        new = self._amount(event)
        if self._agreed(CORRECTION, by):
            return _Amounts(new, new, objected=False)
        if by.party not in self._authors:
            return before
        if by.party == self._payee:
            return before._replace(paid=max(before.paid, new), confirmed=max(before.confirmed, new))
        if new <= before.paid:
            return before._replace(paid=new, confirmed=min(before.confirmed, new))
        if before.objected or self._objected(CORRECTION, by):
            return before
        return before._replace(paid=new)

    def _amount(self, event: PayoutCorrected) -> Decimal:
        if event.void:
            return Decimal(0)
        assert self.payout.recorded is not None  # noqa: S101 - as in `standing`
        return (event.amount or self.payout.recorded[0].amount).amount

    @property
    def _is_returned(self) -> bool:
        return any(self._counts_as_returned(each) for _, each in self.payout.returns)

    def _counts_as_returned(self, by: Said) -> bool:
        return by.party == self._payer or self._agreed(RETURN, by)

    @property
    def _payer(self) -> str:
        return self.payout.recorded[0].payer if self.payout.recorded else ""

    @property
    def _payee(self) -> str:
        return self.payout.recorded[0].payee if self.payout.recorded else ""

    @property
    def _authors(self) -> frozenset[str]:
        """The parties whose record it is: who recorded it, and who confirmed it by hand."""
        if self.payout.recorded is None:
            return frozenset()
        said = self.payout.recorded[1]
        confirmed = {
            by.party
            for event, by in self._answers(PAYOUT, said)
            if isinstance(event, ClaimConfirmed)
        }
        return frozenset({said.party, *confirmed})

    # What the other party said of each fact.

    def _answers(self, fact: str, by: Said) -> list[tuple[ClaimConfirmed | ClaimObjected, Said]]:
        """Return what the other party said of a fact before silence confirmed it."""
        found = [
            (event, said)
            for event, said in self.payout.answers
            if event.fact == fact and said.party != by.party and self._means(event, said, by)
        ]
        objections = [said.told for event, said in found if isinstance(event, ClaimObjected)]
        day = self.terms.silence_confirms_on(by.told, objections)
        return [each for each in found if day is None or self.terms.day(each[1].told) < day]

    def _means(self, event: ClaimConfirmed | ClaimObjected, said: Said, by: Said) -> bool:
        """Whether an answer means a correction: that of its time, else the newest by then.

        One that names its content means no other content.
        """
        if event.fact != CORRECTION:
            return True
        own = [
            each
            for correction, each in self.payout.corrections
            if each.party == by.party and event.content in {None, digest(correction)}
        ]
        return by in own and is_meant(by, own, event.fact_at, said.at)

    def _agreed(self, fact: str, by: Said) -> bool:
        return self._confirmed(fact, by) or self._silent(fact, by) or self._on_word(fact, by)

    def _confirmed(self, fact: str, by: Said) -> bool:
        return any(isinstance(each, ClaimConfirmed) for each, _ in self._answers(fact, by))

    def _objected(self, fact: str, by: Said) -> bool:
        return any(isinstance(each, ClaimObjected) for each, _ in self._answers(fact, by))

    def _awaits(self, fact: str, by: Said) -> bool:
        return not self._agreed(fact, by) and not self._objected(fact, by)

    def _silent(self, fact: str, by: Said) -> bool:
        day = self._silence_confirms_on(fact, by)
        return day is not None and day <= self.today

    def _silence_confirms_on(self, fact: str, by: Said) -> date | None:
        objections = [
            said.told for event, said in self._answers(fact, by) if isinstance(event, ClaimObjected)
        ]
        return self.terms.silence_confirms_on(by.told, objections)

    def _on_word(self, fact: str, by: Said) -> bool:
        if not self.terms.is_agreed:
            return False
        words = self.terms.frame(self.terms.day(by.at)).claims.on_word
        return (fact == PAYOUT and ClaimKind.PAYOUT in words) or (
            fact == RETURN and ClaimKind.RETURN in words
        )


class _Amounts(NamedTuple):
    paid: Decimal
    confirmed: Decimal
    objected: bool


def _state(paid: Decimal, confirmed: Decimal, *, objected: bool) -> PayoutState:
    if objected:
        return PayoutState.OBJECTED
    if not paid:
        return PayoutState.VOID
    return PayoutState.CONFIRMED if confirmed == paid else PayoutState.NOT_CONFIRMED


# --- the payouts of a partnership --------------------------------------------------------------


class Owed(NamedTuple):
    """What a statement asks for."""

    payer: str
    payee: str
    amount: Decimal
    currency: str
    due_on: date
    """The last day on which it is paid in time."""


@dataclass(frozen=True, slots=True)
class Payouts:
    """What each statement asks for, and the payouts on it."""

    owed: Mapping[str, Owed] = field(default_factory=dict)
    """By the statement that payouts name."""
    made: Mapping[str, Payout] = field(default_factory=dict)
    """By the identifier of the payout."""
    unpaid: Mapping[str, datetime] = field(default_factory=dict)
    """The statements on which something is due, and since when."""
    overdue: frozenset[str] = frozenset()
    """Those of them of which the clock recorded that the due day passed."""

    def with_statement(self, name: str, owed: Owed, act: Act) -> "Payouts":
        """Return the payouts with one more statement."""
        unpaid = {**self.unpaid, name: act.occurred_at}
        return replace(self, owed={**self.owed, name: owed}, unpaid=unpaid)

    def past_due(self, name: str) -> "Payouts":
        """Return the payouts once the due day of a statement passed."""
        return replace(self, overdue=self.overdue | {name})

    def counted(self, names: Iterable[str], terms: TermsByDay, act: Act) -> "Payouts":
        """Return the payouts with the statements among these names on which something is due now.

        A statement that was paid and is due again is overdue again once the clock has recorded it.
        """
        unpaid, overdue = dict(self.unpaid), self.overdue
        today = terms.day(act.now)
        for name in names:
            if name not in self.owed:
                continue
            if self.left(name, terms, today) > 0:
                unpaid.setdefault(name, act.occurred_at)
            else:
                unpaid.pop(name, None)
                overdue -= {name}
        if unpaid == self.unpaid:
            return self
        return replace(self, unpaid=unpaid, overdue=overdue)

    @exact
    def left(self, statement: str, terms: TermsByDay, today: date) -> Decimal:
        """Return what is due of a statement on a day; negative if more was paid."""
        paid = (
            Known(each, terms, today).standing().paid
            for each in self.made.values()
            if each.recorded and each.recorded[0].statement == statement
        )
        return self.owed[statement].amount - sum(paid, Decimal(0))


def evolve(payouts: Payouts, event: Event, act: Act, terms: TermsByDay) -> Payouts:
    """Fold an event into the payouts; `terms` are those after it."""
    name = payout_of(event)
    if name is None:
        return payouts
    changed = with_event(payouts.made.get(name, Payout()), event, act)
    payouts = replace(payouts, made={**payouts.made, name: changed})
    statements = [changed.recorded[0].statement] if changed.recorded else []
    return payouts.counted(statements, terms, act)


# --- decisions ---------------------------------------------------------------------------------


def decide(command: PayoutCommand, payouts: Payouts, terms: TermsByDay, act: Act) -> list[Event]:
    """Decide a command on a payout. Raises `Refused`."""
    match command:
        case RecordPayout():
            return record(command, payouts, terms, act)
        case CorrectPayout():
            return correct(command, payouts, terms, act)
        case ReturnPayout():
            return return_(command, payouts, act)
        case ConfirmClaim() | ObjectToClaim():
            return answer(command, payouts.made.get(command.payout or "", Payout()), terms, act)
        case _:
            assert_never(command)


def record(command: RecordPayout, payouts: Payouts, terms: TermsByDay, act: Act) -> list[Event]:
    """Record a payment on a statement's balance, at most what is left of it."""
    owed, today = payouts.owed.get(command.statement), terms.day(act.recorded_at)
    if owed is None:
        unpaid = [name for name in payouts.owed if name in payouts.unpaid]
        raise Unknown(
            "nothing-owed",
            "A payout needs a statement with an amount to pay. "
            f"There is none under {command.statement}.",
            f"Use one of these: {', '.join(unpaid)}."
            if unpaid
            else "Issue the statement first (IssueStatement).",
            named=command.statement,
            known=unpaid,
        )
    existing = payouts.made.get(command.payout, Payout())
    event = PayoutRecorded.of(command, payer=owed.payer, payee=owed.payee)
    if existing.recorded is None:
        left = payouts.left(command.statement, terms, today)
        _check_left(command.amount, command.statement, left, owed)
        return [event]
    if existing.recorded[0] == event:
        # Recorded alike by the other party, it is confirmed.
        answered = _answered(existing)
        return claims.restated(PAYOUT, existing.facts(), answered, act, payout=command.payout)
    raise already_recorded(
        existing.recorded[0],
        f"Payout {command.payout}",
        "Correct it (CorrectPayout), or give another payout an identifier of its own.",
    )


def _answered(payout: Payout) -> tuple[Answered, ...]:
    return tuple(Answered(event, said.party, said.at) for event, said in payout.answers)


def _check_left(money: Money, statement: str, left: Decimal, owed: Owed) -> None:
    """Raise `Refused` if a payout exceeds what is left. A return or a correction may make room."""
    same = money.currency == owed.currency
    if not same or money.amount > left:
        raise Refused(
            "payout-exceeds-balance",
            f"A payout cannot exceed what is left of its statement. The payout is {money}; "
            f"{plain(left)} {owed.currency} is left of {statement}.",
            "Pay at most what is left, in the statement's currency. If an earlier payout came "
            "back, record that (ReturnPayout).",
            awaits=Awaited(
                AwaitedKind.PAYOUT, statement, f"a return or correction of a payout of {statement}"
            )
            if same
            else None,
        )


def correct(command: CorrectPayout, payouts: Payouts, terms: TermsByDay, act: Act) -> list[Event]:
    """Record a correction of a payout by either party."""
    payout, paid = _payout(command.payout, payouts)
    event = PayoutCorrected.of(command)
    if command.void is (command.amount is not None):
        raise Refused(
            "correction-content",
            "A correction gives what is right, or says that it never happened. This one gives "
            + ("both." if command.void else "neither."),
            "Give the right amount, or void alone.",
        )
    mine = [(each, by.at) for each, by in payout.corrections if by.party == act.party]
    if (event, act.occurred_at) in mine:
        return []
    if command.amount is not None:
        today = terms.day(act.recorded_at)
        left = payouts.left(paid.statement, terms, today)
        left += Known(payout, terms, today).standing().paid
        _check_left(command.amount, paid.statement, left, payouts.owed[paid.statement])
    return [event]


def return_(command: ReturnPayout, payouts: Payouts, act: Act) -> list[Event]:
    """Record that a payout came back, once by each party."""
    payout, _ = _payout(command.payout, payouts)
    event = PayoutReturned.of(command)
    existing = next((each for each, by in payout.returns if by.party == act.party), None)
    if existing is None:
        return [event]
    if existing == event:
        return []
    raise already_recorded(
        existing,
        f"The return of payout {command.payout}",
        "Record what is paid after it as another payout (RecordPayout).",
    )


def answer(command: ClaimCommand, payout: Payout, terms: TermsByDay, act: Act) -> list[Event]:
    """Record what a party says of what the other party stated of a payout."""
    events = objections.decide(command, payout.facts(), _answered(payout), act, terms)
    if events and isinstance(command, ObjectToClaim):
        known = Known(payout, terms, terms.day(act.recorded_at))
        by = known.other(act.party)
        if not known.can_object(command.fact, by):
            raise claims.counts_at_once(command, by)
    return events


def _payout(name: str, payouts: Payouts) -> tuple[Payout, PayoutRecorded]:
    found = payouts.made.get(name)
    if found is None or found.recorded is None:
        raise Unknown(
            "no-such-payout",
            f"Only a recorded payout can be corrected or returned. There is no payout {name}.",
            "Record the payout (RecordPayout), or use the identifier of a recorded one.",
            awaits=Awaited(AwaitedKind.PAYOUT, name, f"payout {name}"),
            named=name,
            known=list(payouts.made),
        )
    return found, found.recorded[0]
