"""Settlement: statements of what accrued, the final settlement, and payouts (C27).

What accrued is computed from the events and the terms, by a fold of the whole history
(`projections.settlement`). A statement is decided from that ledger as it is when the statement is
issued, and never changes. What arrives later is an adjustment in the next statement.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple, assert_never

from domain.arithmetic import exact
from domain.calendar import Month, Period, bounds, midnight
from domain.context import PartnershipContext
from domain.declarations import Declaration
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Command,
    Event,
    NotNow,
    Refused,
    Stage,
    Unknown,
    Value,
    recorded_once,
)
from domain.values import (
    MINOR_UNITS,
    Count,
    Currency,
    Exact,
    Money,
    PositiveMoney,
    PositiveNumber,
    Ref,
    Slug,
    Text,
    plain,
)

LEAVING = frozenset({Stage.EXIT})

ROUNDING = (
    "half to even, to the currency's minor unit; of a split, what rounding leaves goes, a unit at "
    "a time, to the largest fractions, then to the party named first"
)
"""How every amount is rounded, in the words of a statement."""


# --- rounding ----------------------------------------------------------------------------------


@exact
def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round an exact amount to the minor unit of its currency, half to even."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), ROUND_HALF_EVEN)


@exact
def split(amount: Decimal, shares: Mapping[str, Decimal], currency: str) -> dict[str, Decimal]:
    """Return each party's part of an amount, by shares that add up to 100.

    The parts always add up to the amount. Each is rounded down to whole minor units, and the units
    that are left go to the largest remainders, then to the party named first.
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
    """The exchange rate of a month was captured."""

    base: Currency
    """The currency that is converted."""
    quote: Currency
    """The currency that it is converted to."""
    month: Month
    """The month, as in 2026-03."""
    rate: PositiveNumber
    """The price of one unit of `base` in `quote`."""
    source: Text
    """Who published the rate."""


CaptureRate = RateCaptured.asks


# --- statements --------------------------------------------------------------------------------


class Part(Value):
    """The part of a statement for one month's accruals in one currency."""

    month: Period
    """The month in which the amounts accrued."""
    currency: Currency
    """The currency of the amounts."""
    earned: dict[Slug, Exact]
    """What each party earned from the other since the last statement, by party. A negative amount
    is taken back."""
    lines: Count
    """The number of ledger lines in it."""
    rate: PositiveNumber | None = None
    """The captured rate to the statement's currency, where that is another currency."""
    converted: dict[Slug, Exact] | None = None
    """`earned` in the statement's currency, where that is another currency."""


class Balance(Value):
    """The sum of all parts in one currency: who pays how much."""

    currency: Currency
    """The currency of the balance."""
    parts: list[Part]
    """The months that the balance is made of."""
    payer: Slug | None = None
    """The party that pays; None if the balance is zero."""
    payee: Slug | None = None
    """The party that is paid; None if the balance is zero."""
    amount: Exact
    """What the payer owes, in the currency of the statement."""
    held: list[Part] = []
    """What is on hold because it is disputed. It is not part of the amount."""


class IssueStatement(Command):
    """Issue statements of what accrued up to the end of a period that is over."""

    stages = AFTER_KICKOFF
    period: Period
    """The period: a month, a quarter or a year."""
    currency: Currency | None = None
    """The only currency to state. Default: a statement in each currency."""


class StatementIssued(Event):
    """A statement was issued. It never changes; what arrives later is in the next one."""

    statement: Ref
    """The identifier of the statement: `2026-03:USD`."""
    period: Period
    """The period up to whose end everything is stated."""
    balance: Balance
    """What one party owes the other by the statement."""


class IssueFinalSettlement(Command):
    """Issue the final settlement of everything open, once the exit has taken effect (C11, C27)."""

    stages = LEAVING
    settlement: Ref
    """The identifier of the final settlement."""


class FinalSettlementIssued(Event):
    """The final settlement was issued. Open disputes survive it (C27)."""

    settlement: Ref
    """The identifier of the final settlement."""
    balances: list[Balance]
    """The balance in each currency."""

    def by_name(self) -> Iterator[tuple[str, Balance]]:
        """Yield each balance under the name by which payouts and answers call it."""
        for balance in self.balances:
            yield f"{self.settlement}:{balance.currency}", balance


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


SettlementCommand = IssueStatement | IssueFinalSettlement | RecordPayout


# --- the ledger --------------------------------------------------------------------------------


class Accrued(NamedTuple):
    """A month's accruals in one currency that are in no statement yet."""

    month: str
    currency: str
    earned: Mapping[str, Decimal]
    lines: int
    stated: Mapping[str, Decimal]
    """What earlier statements have for this month and currency, by party."""
    converted: Mapping[str, Decimal]
    """The same, in the currency of the statements."""
    settles_in: str
    """The currency of the statement, by the frame of the month's last day."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What accrued and is not stated yet."""

    accrued: tuple[Accrued, ...] = ()
    held: tuple[Accrued, ...] = ()
    rates: Mapping[tuple[str, str, str], Decimal] = field(default_factory=dict)
    """The captured rates, by the currency converted from, the one converted to, and month."""

    def up_to(self, period: str) -> list[Accrued]:
        """Return what accrued up to the end of a period."""
        end = bounds(period)[1]
        return [each for each in self.accrued if bounds(each.month)[1] <= end]


@dataclass(frozen=True, slots=True)
class Owing:
    """A stated balance, and what was paid on it."""

    balance: Balance
    paid: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        """The amount that is still to be paid."""
        return self.balance.amount - self.paid


@dataclass(frozen=True, slots=True)
class Settlement:
    """The statements, the final settlement, and what was paid on them."""

    statements: Mapping[str, StatementIssued] = field(default_factory=dict)
    owing: Mapping[str, Owing] = field(default_factory=dict)
    """Each stated balance, by the statement that payouts name."""
    payouts: Mapping[str, PayoutRecorded] = field(default_factory=dict)
    final: FinalSettlementIssued | None = None


# --- decisions ---------------------------------------------------------------------------------


def decide(  # noqa: PLR0913, PLR0917 - the state, the ledger, and when a statement may be issued
    command: SettlementCommand,
    state: Settlement,
    ledger: Ledger,
    effective_on: date | None,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a settlement command; `effective_on` is the day of the exit. Raises `Refused`."""
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
    """Issue one statement in each currency for a period that is over.

    Raises `Refused` where an amount is to be converted and its month has no rate.
    """
    end = bounds(command.period)[1]
    if act.recorded_at < end:
        raise Refused(
            "period-not-over",
            "A statement can be issued only for a period that is over. "
            f"{command.period} ends on {end:%Y-%m-%d}; today is {act.recorded_at:%Y-%m-%d}.",
            f"Issue the statement on {end:%Y-%m-%d} or later.",
        )
    open_ = ledger.up_to(command.period)
    events: list[Event] = []
    known = False
    for currency in _currencies(open_, state):
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
            "A statement needs something to state. Everything that accrued up to the end of "
            f"{command.period} is stated already, or nothing accrued.",
            "Issue a statement for a later period in which something accrued.",
        )
    return events


def _currencies(open_: list[Accrued], state: Settlement) -> list[str]:
    stated = {each.balance.currency for each in state.statements.values()}
    return sorted({each.settles_in for each in open_} | stated)


def _check_order(period: str, currency: str, state: Settlement) -> None:
    for each in state.statements.values():
        if each.balance.currency == currency and bounds(each.period)[1] >= bounds(period)[1]:
            raise Refused(
                "statement-out-of-order",
                "A statement cannot be issued for a period that a later statement covers. "
                f"{each.statement} covers everything up to the end of {each.period}.",
                "Issue a statement for the next period; what arrived later is in it.",
                statement=each.statement,
            )


@exact
def balance(
    currency: str, open_: Iterable[Accrued], ledger: Ledger, parties: tuple[str, ...]
) -> Balance:
    """Return the balance of open accruals in one currency.

    Raises `Refused` where an amount is to be converted and its month has no rate.
    """
    parts = [_part(each, currency, ledger) for each in open_ if each.settles_in == currency]
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
            if each.settles_in == currency
        ],
    )


def _part(accrued: Accrued, currency: str, ledger: Ledger) -> Part:
    month, of = accrued.month, accrued.currency
    part = Part(month=month, currency=of, earned=dict(accrued.earned), lines=accrued.lines)
    if of == currency:
        return part
    rate = ledger.rates.get((of, currency, month))
    if rate is None:
        raise Refused(
            "no-exchange-rate",
            f"An amount can be converted only at a captured rate. There is no rate from {of} to "
            f"{currency} for {month}.",
            f"Capture the rate of {month} (CaptureRate), then issue the statement.",
            base=of,
            quote=currency,
            month=month,
        )
    # Earlier statements are included, so that the sum of a month is rounded as one amount, even if
    # several statements state it.
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
    """Issue the final settlement of everything open, once, after the exit took effect (C27)."""
    if state.final is not None:
        if state.final.settlement == command.settlement:
            return []
        raise NotNow(
            "settlement-issued",
            "The final settlement is issued once and cannot change. "
            f"Settlement {state.final.settlement} was already issued.",
            "Issue a statement for what arrived later (IssueStatement).",
        )
    if effective_on is not None and act.recorded_at < midnight(effective_on):
        raise NotNow(
            "effective-date",
            "The final settlement cannot be issued before the exit takes effect. It takes effect "
            f"on {effective_on}.",
            "Issue the final settlement on that day or later.",
        )
    open_ = list(ledger.accrued)
    found = [
        balance(currency, open_, ledger, context.parties) for currency in _currencies(open_, state)
    ]
    return [
        FinalSettlementIssued.of(
            command, balances=[each for each in found if each.parts or each.held]
        )
    ]


def pay_out(command: RecordPayout, state: Settlement) -> list[Event]:
    """Record a payment of at most what is left of a statement, each payment once."""
    owing = state.owing.get(command.statement)
    if owing is None or owing.balance.payer is None:
        raise Unknown(
            "nothing-owed",
            "A payout needs a statement with an amount to pay. "
            f"There is none under {command.statement}.",
            f"Use one of these: {', '.join(unpaid)}."
            if (unpaid := _unpaid(state))
            else "Issue the statement first (IssueStatement).",
            named=command.statement,
            known=_unpaid(state),
        )
    event = PayoutRecorded.of(command, payer=owing.balance.payer)
    existing = state.payouts.get(command.payout)
    money = command.amount
    if existing is None and (money.currency != owing.balance.currency or money.amount > owing.left):
        raise Refused(
            "payout-exceeds-balance",
            f"A payout cannot exceed what is left of its statement. The payout is {money}; "
            f"{plain(owing.left)} {owing.balance.currency} is left of {command.statement}.",
            "Pay at most what is left, in the statement's currency.",
        )
    return recorded_once(event, existing, f"Payout {command.payout}")


def _unpaid(state: Settlement) -> list[str]:
    return [name for name, each in state.owing.items() if each.left > 0]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Settlement, event: Event) -> Settlement:
    """Fold an event into the state."""
    match event:
        case StatementIssued(statement=name):
            statements = {**state.statements, name: event}
            owing = {**state.owing, name: Owing(event.balance)}
            return replace(state, statements=statements, owing=owing)
        case FinalSettlementIssued():
            owing = {name: Owing(balance) for name, balance in event.by_name()}
            return replace(state, final=event, owing={**state.owing, **owing})
        case PayoutRecorded():
            payouts = {**state.payouts, event.payout: event}
            owing = dict(state.owing)
            if existing := owing.get(event.statement):
                paid = existing.paid + event.amount.amount
                owing[event.statement] = replace(existing, paid=paid)
            return replace(state, payouts=payouts, owing=owing)
        case _:
            return state
