"""Settlement: what accrued is stated for a period, then paid; what is issued stays as it is (C27).

What accrued is not decided here: it follows from the facts and the terms, by a fold of the whole
history (`projections.settlement`). A statement is decided on what that ledger knows when it is
asked for, and carries what it says; what comes later is an adjustment in the next one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, NamedTuple, assert_never

from pydantic import Field, StringConstraints

from domain.calendar import Period, bounds, midnight
from domain.context import PartnershipContext
from domain.declarations import Declaration
from domain.kernel import AFTER_KICKOFF, Act, Command, Event, Refused, Stage, Value, recorded_once
from domain.values import MINOR_UNITS, Count, Currency, Money, Number, Ref, Slug, Text, plain

LEAVING = frozenset({Stage.EXIT})

ROUNDING = (
    "half to even, to the currency's minor unit; of a split, what rounding leaves goes, a unit at "
    "a time, to the largest fractions, then to the party named first"
)
"""How every amount is rounded, as statements say it."""


# --- rounding ----------------------------------------------------------------------------------


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Give an exact amount in whole minor units of its currency, half to even."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), ROUND_HALF_EVEN)


def split(amount: Decimal, shares: Mapping[str, Decimal], currency: str) -> dict[str, Decimal]:
    """Give each party's part of an amount, by shares that add up to 100.

    The parts add up to the amount, always: each is cut to whole minor units, and the units that
    are left go to the largest remainders, then to the party named first.
    """
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    exact = {party: amount * share / 100 for party, share in shares.items()}
    parts = {party: part // unit * unit for party, part in exact.items()}
    left = int((amount - sum(parts.values())) / unit)
    step = unit if left >= 0 else -unit
    in_turn = sorted(exact, key=lambda party: abs(exact[party] - parts[party]), reverse=True)
    for party in in_turn[: abs(left)]:
        parts[party] += step
    return parts


# --- rates -------------------------------------------------------------------------------------


class RateCaptured(
    Declaration, command="CaptureRate", stages=AFTER_KICKOFF, identity=("base", "quote", "month")
):
    """The rate of a month was captured: one unit of `base` is so many of `quote`."""

    base: Currency
    quote: Currency
    month: Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]
    rate: Annotated[Number, Field(gt=0)]
    source: Text
    """Who published it."""


CaptureRate = RateCaptured.asks


# --- what is stated ----------------------------------------------------------------------------


class Part(Value):
    """What a statement says of one month's accruals in one currency."""

    month: Period
    currency: Currency
    earned: dict[Slug, Number]
    """What each party earned from the other since the last statement; less than 0 is taken back."""
    lines: Count
    rate: Number | None = None
    """The captured rate to the statement's currency, where that is another."""
    converted: dict[Slug, Number] | None = None


class Balance(Value):
    """What comes of all parts in one currency: who pays how much."""

    currency: Currency
    parts: list[Part]
    payer: Slug | None = None
    """The party that pays; nobody where nothing is owed."""
    payee: Slug | None = None
    amount: Number
    held: list[Part] = []
    """What is disputed, and not in the amount."""


class IssueStatement(Command):
    """State what accrued up to the end of a period that is over, in every currency or in one."""

    stages = AFTER_KICKOFF
    period: Period
    currency: Currency | None = None


class StatementIssued(Event):
    """What accrued was stated. It is immutable; what comes later is in the next one."""

    statement: Ref
    period: Period
    balance: Balance


class IssueFinalSettlement(Command):
    """State all that is open once the exit has taken effect (C11, C27)."""

    stages = LEAVING
    settlement: Ref


class FinalSettlementIssued(Event):
    """The final settlement was issued; disputes that are open survive it (C27)."""

    settlement: Ref
    balances: list[Balance]


class RecordPayout(Command):
    """Record a payment on a statement's balance, in full or in part."""

    stages = AFTER_KICKOFF
    payout: Ref
    statement: Ref
    amount: Money


class PayoutRecorded(Event):
    """Something was paid on a statement's balance."""

    payout: Ref
    statement: Ref
    amount: Money
    payer: Slug


SettlementCommand = IssueStatement | IssueFinalSettlement | RecordPayout


# --- what the ledger knows ---------------------------------------------------------------------


class Accrued(NamedTuple):
    """A month's accruals in one currency that no statement has said yet."""

    month: str
    currency: str
    earned: Mapping[str, Decimal]
    lines: int
    stated: Mapping[str, Decimal]
    """What statements have said of this month before, in this currency."""
    converted: Mapping[str, Decimal]
    """The same in the currency of the statements."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What accrued and is not stated, as far as the history goes."""

    accrued: tuple[Accrued, ...] = ()
    held: tuple[Accrued, ...] = ()
    settles_in: str | None = None
    rates: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    """Rates to the statements' currency, by currency and month."""


@dataclass(frozen=True, slots=True)
class Owing:
    """A balance that was stated, and what was paid on it."""

    balance: Balance
    paid: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        """What is still to be paid."""
        return self.balance.amount - self.paid


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was stated and paid so far."""

    statements: Mapping[str, StatementIssued] = field(default_factory=dict)
    owing: Mapping[str, Owing] = field(default_factory=dict)
    """Each stated balance by what it is paid under."""
    payouts: Mapping[str, PayoutRecorded] = field(default_factory=dict)
    final: FinalSettlementIssued | None = None


# --- decisions ---------------------------------------------------------------------------------


def decide(  # noqa: PLR0913, PLR0917 - what stands, what accrued, and when it may be stated
    command: SettlementCommand,
    state: Settlement,
    ledger: Ledger,
    effective_on: date | None,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command on what accrued; `effective_on` is the day of the exit. Raises `Refused`."""
    match command:
        case IssueStatement():
            return issue(command, state, ledger, context, act)
        case IssueFinalSettlement():
            return issue_final(command, state, ledger, effective_on, context, act)
        case RecordPayout():
            return pay_out(command, state)
        case _:
            assert_never(command)


def issue(
    command: IssueStatement,
    state: Settlement,
    ledger: Ledger,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """State each currency once for a period that is over; refuse what has no rate."""
    end = bounds(command.period)[1]
    if act.recorded_at < end:
        raise Refused(
            "period-not-over",
            f"{command.period} ends on {end:%Y-%m-%d}, and it is {act.recorded_at:%Y-%m-%d}.",
            "State it once it is over; accord statement shows what has accrued so far.",
        )
    open_ = [each for each in ledger.accrued if bounds(each.month)[1] <= end]
    events: list[Event] = []
    known = False
    for currency in _currencies(open_, ledger, state):
        if command.currency not in (None, currency):
            continue
        name = f"{command.period}:{currency}"
        if name in state.statements:
            known = True
            continue
        _check_order(command.period, currency, state)
        of_currency = balance(currency, open_, ledger, context.parties)
        if of_currency.parts:
            events.append(
                StatementIssued(statement=name, period=command.period, balance=of_currency)
            )
    if not events and not known:
        raise Refused(
            "nothing-to-state",
            f"Nothing accrued up to the end of {command.period} that is not stated yet.",
            "Issue a statement for a period in which something accrued.",
        )
    return events


def _currencies(open_: list[Accrued], ledger: Ledger, state: Settlement) -> list[str]:
    stated = {each.balance.currency for each in state.statements.values()}
    if ledger.settles_in:
        return [ledger.settles_in]
    return sorted({each.currency for each in open_} | stated)


def _check_order(period: str, currency: str, state: Settlement) -> None:
    for each in state.statements.values():
        if each.balance.currency == currency and bounds(each.period)[1] >= bounds(period)[1]:
            raise Refused(
                "statement-out-of-order",
                f"{each.statement} reaches to the end of {each.period} already.",
                "It is immutable: what came later is in the statement of the next period.",
                statement=each.statement,
            )


def balance(
    currency: str, open_: Iterable[Accrued], ledger: Ledger, parties: tuple[str, ...]
) -> Balance:
    """Give what comes of open accruals in one currency: who pays how much.

    Raises `Refused` where something is to be converted and its month has no rate.
    """
    parts = [
        _part(each, currency, ledger)
        for each in open_
        if ledger.settles_in or each.currency == currency
    ]
    totals = dict.fromkeys(parties, Decimal(0))
    for part in parts:
        for party, amount in (part.converted or part.earned).items():
            totals[party] += amount
    first, other = parties
    net = totals[first] - totals[other]
    payee = None if net == 0 else first if net > 0 else other
    return Balance(
        currency=currency,
        parts=parts,
        payer=None if payee is None else other if payee == first else first,
        payee=payee,
        amount=rounded(abs(net), currency),
        held=[
            Part(month=each.month, currency=each.currency, earned=dict(each.earned), lines=0)
            for each in ledger.held
            if ledger.settles_in or each.currency == currency
        ],
    )


def _part(accrued: Accrued, currency: str, ledger: Ledger) -> Part:
    month, of = accrued.month, accrued.currency
    part = Part(month=month, currency=of, earned=dict(accrued.earned), lines=accrued.lines)
    if of == currency:
        return part
    rate = ledger.rates.get((of, month))
    if rate is None:
        raise Refused(
            "no-exchange-rate",
            f"What accrued in {of} in {month} has no rate to {currency}.",
            f"Capture the rate of {month} (CaptureRate), then issue the statement.",
            base=of,
            quote=currency,
            month=month,
        )
    # What was converted before counts in, so that a month's sum is rounded as one amount however
    # many statements it came in.
    converted = {
        party: rounded((accrued.stated.get(party, Decimal(0)) + amount) * rate, currency)
        - accrued.converted.get(party, Decimal(0))
        for party, amount in accrued.earned.items()
    }
    return part.model_copy(update={"rate": rate, "converted": converted})


def issue_final(  # noqa: PLR0913, PLR0917 - as `decide`
    command: IssueFinalSettlement,
    state: Settlement,
    ledger: Ledger,
    effective_on: date | None,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """State all that is open, once, after the exit took effect (C27)."""
    if state.final is not None:
        if state.final.settlement == command.settlement:
            return []
        raise Refused(
            "settlement-issued",
            f"Settlement {state.final.settlement} was issued and is immutable.",
            "What came later is in a statement of the period in which it came (IssueStatement).",
        )
    if effective_on is not None and act.recorded_at < midnight(effective_on):
        raise Refused(
            "effective-date",
            f"The notice takes effect on {effective_on}; until then something may accrue.",
            "Issue the final settlement on that day or later.",
        )
    open_ = list(ledger.accrued)
    found = [
        balance(currency, open_, ledger, context.parties)
        for currency in _currencies(open_, ledger, state)
    ]
    return [
        FinalSettlementIssued.of(
            command, balances=[each for each in found if each.parts or each.held]
        )
    ]


def pay_out(command: RecordPayout, state: Settlement) -> list[Event]:
    """Pay at most what a statement leaves to be paid, each payment once."""
    owing = state.owing.get(command.statement)
    if owing is None or owing.balance.payer is None:
        raise Refused(
            "nothing-owed",
            f"No balance is to be paid under {command.statement}.",
            f"Name one that is: {', '.join(_unpaid(state)) or 'there is none'}.",
        )
    event = PayoutRecorded.of(command, payer=owing.balance.payer)
    existing = state.payouts.get(command.payout)
    money = command.amount
    if existing is None and (
        money.currency != owing.balance.currency or not 0 < money.amount <= owing.left
    ):
        raise Refused(
            "payout-exceeds-balance",
            f"{money} cannot be paid: {plain(owing.left)} {owing.balance.currency} is left of "
            f"{command.statement}.",
            "Pay an amount above zero, at most what is left, in the statement's currency.",
        )
    return recorded_once(event, existing, f"Payout {command.payout}")


def _unpaid(state: Settlement) -> list[str]:
    return [name for name, each in state.owing.items() if each.left > 0]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Settlement, event: Event) -> Settlement:
    """Take a fact about what was stated or paid into the state."""
    match event:
        case StatementIssued(statement=name):
            statements = {**state.statements, name: event}
            owing = {**state.owing, name: Owing(event.balance)}
            return replace(state, statements=statements, owing=owing)
        case FinalSettlementIssued():
            return replace(state, final=event, owing={**state.owing, **dict(_owing_of(event))})
        case PayoutRecorded():
            payouts = {**state.payouts, event.payout: event}
            owing = dict(state.owing)
            if existing := owing.get(event.statement):
                paid = existing.paid + event.amount.amount
                owing[event.statement] = replace(existing, paid=paid)
            return replace(state, payouts=payouts, owing=owing)
        case _:
            return state


def _owing_of(event: FinalSettlementIssued) -> Iterator[tuple[str, Owing]]:
    for balance in event.balances:
        yield f"{event.settlement}:{balance.currency}", Owing(balance)
