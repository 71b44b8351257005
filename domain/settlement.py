"""Settlement: statements of what accrued, the final settlement, and payouts (C27).

The ledger computes what accrued from the facts and the terms of their days. A statement is decided
from the ledger at the moment of its issue, and never changes. What arrives later is in the next
statement, as lines of its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple, Protocol

from domain import payouts
from domain.arithmetic import exact
from domain.bilateral import BilateralAgreement
from domain.calendar import (
    PERIOD_PATTERN,
    Period,
    RatePeriod,
    bounds,
    following,
    quarter_of,
)
from domain.content import ContentDigest, digest
from domain.context import PartnershipContext
from domain.declarations import Declaration, Declarations
from domain.kernel import (
    AFTER_KICKOFF,
    CLOCK_PARTY,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    NotNow,
    Refused,
    Stage,
    Value,
)
from domain.payouts import Owed, PayoutCommand, Payouts
from domain.terms import check_parties
from domain.terms_by_day import TermsByDay
from domain.values import (
    MINOR_UNITS,
    Count,
    Currency,
    Day,
    Exact,
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
    "a time, to the largest fractions, then in alphabetical order of the parties"
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

    The parts always add up to the rounded amount. Each is rounded down to whole minor units, and
    the units that are left go to the largest remainders, then in alphabetical order of the
    parties: recorded events are canonical JSON, which does not keep the order of names.
    """
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    amount = rounded(amount, currency)
    exact = {party: amount * share / 100 for party, share in shares.items()}
    parts = {party: part // unit * unit for party, part in exact.items()}
    left = int((amount - sum(parts.values())) / unit)
    step = unit if left >= 0 else -unit
    in_turn = sorted(exact, key=lambda party: (-abs(exact[party] - parts[party]), party))
    for party in in_turn[: abs(left)]:
        parts[party] += step
    return parts


# --- rates -------------------------------------------------------------------------------------


class _Rate(Value):
    base: Currency
    """The currency that is converted."""
    quote: Currency
    """The currency that it is converted to."""
    period: RatePeriod
    """The month or the day, as in 2026-03 or 2026-03-14."""


class RatePublished(
    _Rate,
    Declaration,
    command="PublishRate",
    stages=AFTER_KICKOFF,
    identity=("base", "quote", "period", "source"),
    corrected_by="Agree the right rate with the other party (ProposeRate), or object to this one "
    "(ObjectToRate).",
):
    """A source published the exchange rate of a month or a day.

    It counts where the terms name the source and neither party objects to it.
    """

    rate: PositiveNumber
    """The price of one unit of `base` in `quote`."""
    source: Text
    """Who published the rate."""


PublishRate = RatePublished.asks


class RateObjected(
    _Rate,
    Declaration,
    command="ObjectToRate",
    stages=AFTER_KICKOFF,
    identity=("base", "quote", "period", "source"),
    by_party=True,
    corrected_by="The objection stays. Agree the rate with the other party (ProposeRate).",
):
    """A party objected to a published exchange rate, which then does not count."""

    source: Text
    """Who published the rate."""
    reason: Text
    """The reason, in words."""

    def check_preceding(self, known: Declarations) -> None:
        """Raise `Refused` if the rate is not published yet."""
        identity = [str(getattr(self, name)) for name in RatePublished.identity]
        if "/".join([RatePublished.wire, *identity]) in known.stated:
            return
        what = f"the rate from {self.base} to {self.quote} of {self.source} for {self.period}"
        awaits = Awaited(AwaitedKind.RATE, "/".join(identity), what)
        if not known.of(RatePublished):
            raise NotNow(
                "no-such-rate",
                "Only a published rate can be objected to. No rate is published.",
                "Send this after the rate is published (PublishRate).",
                awaits=awaits,
            )
        raise Refused(
            "no-such-rate",
            f"Only a published rate can be objected to. {what[0].upper()}{what[1:]} is not on "
            "record.",
            "Send this after the rate is published (PublishRate), or name another rate.",
            awaits=awaits,
        )


ObjectToRate = RateObjected.asks


class RateAgreed(
    _Rate,
    BilateralAgreement,
    name="Rate",
    subject="the exchange rate of a month or a day",
    stages=AFTER_KICKOFF,
    identity=("base", "quote", "period"),
    counted=None,
    replaces=True,
):
    """Both parties agreed an exchange rate. It counts before a published rate.

    A later agreement for the same currencies and period replaces it.
    """

    proposal: Ref
    """The identifier of the proposal."""
    rate: PositiveNumber
    """The price of one unit of `base` in `quote`."""


ProposeRate = RateAgreed.proposes
RateProposed = RateAgreed.proposed
AgreeRate = RateAgreed.accepts


# --- adjustments -------------------------------------------------------------------------------


class AdjustmentAgreed(
    BilateralAgreement,
    name="Adjustment",
    subject="an amount that one party owes the other without a fact",
    stages=AFTER_KICKOFF,
    counted=None,
):
    """Both parties agreed an amount without a fact. It is a ledger line of its own."""

    proposal: Ref
    """The identifier of the proposal."""
    by: Slug
    """The party that owes the amount."""
    to: Slug
    """The party that it is owed to."""
    amount: PositiveMoney
    """The amount of money."""
    reason: Text
    """The reason, in words."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless one party owes the amount to the other."""
        check_parties([proposed.by, proposed.to], context.parties)
        if proposed.by == proposed.to:
            raise Refused(
                "adjustment-of-two",
                f"One party owes an adjustment to the other. This one names {proposed.by} as both.",
                f"Use {' and '.join(context.parties)}.",
                field="to",
            )


ProposeAdjustment = AdjustmentAgreed.proposes
AdjustmentProposed = AdjustmentAgreed.proposed
AgreeAdjustment = AdjustmentAgreed.accepts


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
    """The rate to the statement's currency, where that is another currency."""
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
    without_rate: list[Part] = []
    """What cannot be converted yet. It is not part of the amount."""

    def owed(self, due_on: date) -> Owed | None:
        """Return what is to be paid until a day; None if the balance is zero."""
        if self.payer is None or self.payee is None:
            return None
        return Owed(self.payer, self.payee, self.amount, self.currency, due_on)


class Issuing(Value):
    """The field of a command that issues statements."""

    contents: dict[Currency, ContentDigest] | None = None
    """The digest of each balance that it issues, by currency. A signed event must have it."""


class IssueStatement(Command, Issuing):
    """Issue statements of what accrued up to the end of a period that is over.

    The operator or the side that pays issues a statement; either party one by which nobody pays.
    """

    stages = AFTER_KICKOFF
    by_operator = True
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
    due_on: Day
    """The last day on which it is paid in time: the day of issue and the agreed days."""
    balance: Balance
    """What one party owes the other by the statement."""


class IssueFinalSettlement(Command, Issuing):
    """Issue the final settlement of everything open, once the exit has taken effect (C11, C27).

    The operator or a side that pays one of its balances issues it; either party if nobody pays.
    """

    stages = LEAVING
    by_operator = True
    settlement: Ref
    """The identifier of the final settlement."""


class FinalSettlementIssued(Event):
    """The final settlement was issued. Open disputes survive it (C27)."""

    settlement: Ref
    """The identifier of the final settlement."""
    due_on: Day
    """The last day on which it is paid in time: the day of issue and the agreed days."""
    balances: list[Balance]
    """The balance in each currency."""

    def by_name(self) -> Iterator[tuple[str, Balance]]:
        """Yield each balance under the name by which payouts and answers call it."""
        for balance in self.balances:
            yield f"{self.settlement}:{balance.currency}", balance


SettlementCommand = IssueStatement | IssueFinalSettlement | PayoutCommand


# --- the ledger --------------------------------------------------------------------------------


class Accrued(NamedTuple):
    """A month's accruals in one currency that are in no statement yet."""

    month: str
    currency: str
    settles_in: str
    """The currency of the statement that takes them."""
    rate: Decimal | None
    """The rate to that currency; None while it is missing."""
    earned: Mapping[str, Decimal]
    """By party, in `currency`."""
    converted: Mapping[str, Decimal]
    """The same in `settles_in`. Each line is converted and rounded by itself."""
    lines: int


class Earnings(Protocol):
    """Tells what was earned for a subject of the ledger."""

    def __call__(
        self, subject: str, party: str, day: date, line: tuple[str, str] | None, /
    ) -> Mapping[str, Decimal]:
        """Return what a subject (`deal/D-1`) earned for a party from facts up to a day.

        It is by currency. With a `line`, a fact and an item, it is what that line earned.
        """


def _nothing_earned(*_: object) -> Mapping[str, Decimal]:
    return {}


class Merges(NamedTuple):
    """The part of a deal in the merges that both parties agreed."""

    into: str | None = None
    """The deal that it was merged into."""
    duplicates: tuple[str, ...] = ()
    """The deals that were merged into it."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What accrued and is not stated yet."""

    accrued: tuple[Accrued, ...] = ()
    held: tuple[Accrued, ...] = ()
    earnings: Earnings = _nothing_earned
    merges: Callable[[str], Merges] = lambda _: Merges()
    """Takes a deal. Returns its part in the merges of duplicates."""

    def up_to(self, period: str) -> list[Accrued]:
        """Return what accrued up to the end of a period."""
        end = bounds(period)[1]
        return [each for each in self.accrued if bounds(each.month)[1] <= end]


@dataclass(frozen=True, slots=True)
class Settlement:
    """The statements, the final settlement, and what was paid on them."""

    statements: Mapping[str, StatementIssued] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    """The names under which a balance was stated."""
    payouts: Payouts = field(default_factory=Payouts)
    """What each statement asks for, and the payouts on it."""
    final: FinalSettlementIssued | None = None


# --- decisions ---------------------------------------------------------------------------------


def decide(
    command: SettlementCommand,
    state: Settlement,
    ledger: Callable[[], Ledger],
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a settlement command; `ledger` gives what accrued so far. Raises `Refused`."""
    match command:
        case IssueStatement():
            return issue(command, state, ledger(), context, act)
        case IssueFinalSettlement():
            return issue_final(command, state, ledger(), context, act)
        case _:
            return payouts.decide(command, state.payouts, context.terms, act)


def issue(
    command: IssueStatement,
    state: Settlement,
    ledger: Ledger,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Issue the statements of a period that is over: one in each currency that the party pays.

    The operator issues all of them. What cannot be converted yet waits for its rate. Raises
    `Refused` if there is nothing to state, or if the other party pays all of it.
    """
    end, today = bounds(command.period)[1].date(), context.terms.day(act.recorded_at)
    if today < end:
        raise Refused(
            "period-not-over",
            "A statement can be issued only for a period that is over. "
            f"{command.period} ends on {end}; today is {today}.",
            f"Issue the statement on {end} or later.",
        )
    open_ = ledger.up_to(command.period)
    events: list[Event] = []
    balances: list[Balance] = []
    known = False
    others: list[Balance] = []
    for currency in _currencies(open_, state):
        if command.currency not in (None, currency):
            continue
        name = f"{command.period}:{currency}"
        if name in state.statements:
            known = True
            continue
        if name in state.names:
            raise Refused(
                "name-taken",
                "A statement cannot have the name of a balance of the final settlement. "
                f"{name} is one.",
                "State this with a later period (IssueStatement).",
                named=name,
            )
        of_currency = balance(currency, open_, ledger, context.parties)
        if not _states_something(of_currency):
            continue
        if not _issues(act.party, [of_currency]):
            others.append(of_currency)
            continue
        _check_order(command.period, currency, state)
        balances.append(of_currency)
        events.append(
            StatementIssued(
                statement=name,
                period=command.period,
                due_on=due_on(context.terms, act),
                balance=of_currency,
            )
        )
    if not events and not known:
        raise _not_the_payer(others, act) if others else _nothing_to_state(command, open_)
    if events:
        _check_contents(command, balances)
    return events


def contents_of(balances: Iterable[Balance]) -> dict[str, str]:
    """Return the digest of each balance by its currency, as a signed command has them."""
    return {each.currency: digest(each) for each in balances}


def _check_contents(command: Issuing, balances: Iterable[Balance]) -> None:
    """Raise `Refused` if a command names other balances than those that it would issue."""
    found = contents_of(balances)
    if command.contents is None or command.contents == found:
        return
    listed = ", ".join(f"{currency} {content}" for currency, content in found.items())
    raise Refused(
        "other-content",
        "A signed statement is issued as it was read. The balances are now those with the digests "
        f"{listed}.",
        "Read the statement again. If it is right, send the event with these digests.",
        field="contents",
        contents=found,
    )


def due_on(terms: TermsByDay, act: Act) -> date:
    """Return the day on which a statement is due that is issued now, by the frame of today.

    Raises `LookupError` if no terms are agreed.
    """
    today = terms.day(act.recorded_at)
    return today + timedelta(days=terms.frame(today).due_days)


def _states_something(balance: Balance) -> bool:
    """Whether a party earned anything: lines that add up to nothing stay for a later statement."""
    return any(amount for part in balance.parts for amount in part.earned.values())


def _issues(party: str, balances: Iterable[Balance]) -> bool:
    """Whether a party can issue what has these balances: the operator or a side that pays."""
    payers = {each.payer for each in balances if each.payer is not None}
    return party == CLOCK_PARTY or party in payers or not payers


def _not_the_payer(balances: Sequence[Balance], act: Act) -> NotNow:
    first = balances[0]
    return NotNow(
        "not-the-payer",
        "The side that pays issues a statement, or the operator. "
        f"{first.payer} would pay {plain(first.amount)} {first.currency}, not {act.party}.",
        f"Ask {first.payer} or the operator to issue it.",
        payer=first.payer,
        amount=plain(first.amount),
        currency=first.currency,
    )


def _nothing_to_state(command: IssueStatement, open_: list[Accrued]) -> Refused:
    for each in open_:
        if each.rate is None and command.currency in (None, each.settles_in):
            return Refused(
                "no-exchange-rate",
                "An amount can be converted only at a published or agreed rate. There is no rate "
                f"from {each.currency} to {each.settles_in} for {each.month}.",
                f"Publish the rate of {each.month} (PublishRate) or agree it (ProposeRate), then "
                "issue the statement.",
                base=each.currency,
                quote=each.settles_in,
                month=each.month,
            )
    return Refused(
        "nothing-to-state",
        "A statement needs something to state. What accrued up to the end of "
        f"{command.period} is stated already, is on hold, or adds up to nothing.",
        "Issue a statement for a later period in which something accrued.",
    )


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
    """Return the balance of the open accruals that are stated in one currency.

    An amount without a rate waits for it, and is in none of the sums.
    """
    mine = [each for each in open_ if each.settles_in == currency]
    parts = [_part(each) for each in mine if each.rate is not None]
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
        held=[_part(each) for each in ledger.held if each.settles_in == currency],
        without_rate=[_part(each) for each in mine if each.rate is None],
    )


def _part(accrued: Accrued) -> Part:
    part = Part(
        month=accrued.month,
        currency=accrued.currency,
        earned=dict(accrued.earned),
        lines=accrued.lines,
    )
    if accrued.currency == accrued.settles_in or accrued.rate is None:
        return part
    return part.model_copy(update={"rate": accrued.rate, "converted": dict(accrued.converted)})


def issuers(balances: Sequence[Balance], parties: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parties that can issue what has these balances: those that pay, or both.

    The operator can issue it, too.
    """
    return tuple(each for each in parties if _issues(each, balances))


class Unstated(NamedTuple):
    """The next statement of a currency, as it would be issued now."""

    period: str
    balance: Balance


def next_statements(
    ledger: Ledger, stated: Mapping[str, str], parties: tuple[str, ...]
) -> Iterator[Unstated]:
    """Yield the next statement of each currency in which there is something to state.

    It is of the first period that has some of it, also if that is not over yet. `stated` is the
    last period that was stated, by currency: the next one is after it and as long. Before the first
    statement it is a month.
    """
    for currency in sorted({each.settles_in for each in ledger.accrued}):
        last = stated.get(currency)
        for period in dict.fromkeys(_next_period(each, last) for each in _months(ledger, currency)):
            found = balance(currency, ledger.up_to(period), ledger, parties)
            if _states_something(found):
                yield Unstated(period, found)
                break


def _months(ledger: Ledger, currency: str) -> list[str]:
    """Return the months in which something accrued that can be stated in a currency."""
    mine = (each for each in ledger.accrued if each.settles_in == currency and each.rate)
    return sorted({each.month for each in mine if any(each.earned.values())})


def _next_period(month: str, last: str | None) -> str:
    """Return the period with which a month can be stated after the last one: it is as long."""
    if last is None:
        return month
    of_length = quarter_of(month) if "Q" in last else month if "-" in last else month[:4]
    return max(of_length, following(last), key=bounds)


def final_balances(ledger: Ledger, parties: tuple[str, ...]) -> list[Balance]:
    """Return the balances of a final settlement that is issued now, by currency."""
    open_ = list(ledger.accrued)
    currencies = {each.settles_in for each in (*open_, *ledger.held)}
    found = (balance(each, open_, ledger, parties) for each in sorted(currencies))
    return [each for each in found if _states_something(each) or each.held]


def issue_final(
    command: IssueFinalSettlement,
    state: Settlement,
    ledger: Ledger,
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
    effective_on = context.terms.exit
    if effective_on is not None and context.terms.day(act.recorded_at) < effective_on:
        raise NotNow(
            "effective-date",
            "The final settlement cannot be issued before the exit takes effect. It takes effect "
            f"on {effective_on}.",
            "Issue the final settlement on that day or later.",
        )
    taken = [name for name in state.statements if name.startswith(f"{command.settlement}:")]
    if taken or re.fullmatch(PERIOD_PATTERN, command.settlement):
        raise Refused(
            "name-taken",
            "A final settlement cannot have the name of statements. "
            f"{command.settlement} is the name of the statements of a period.",
            "Use another identifier for the final settlement.",
            named=command.settlement,
        )
    balances = final_balances(ledger, context.parties)
    if not _issues(act.party, balances):
        raise _not_the_payer([each for each in balances if each.payer], act)
    _check_contents(command, balances)
    return [
        FinalSettlementIssued(
            settlement=command.settlement, due_on=due_on(context.terms, act), balances=balances
        )
    ]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Settlement, event: Event, act: Act, terms: TermsByDay) -> Settlement:
    """Fold an event into the state; `terms` are those after it."""
    match event:
        case StatementIssued(statement=name):
            state = replace(state, statements={**state.statements, name: event})
        case FinalSettlementIssued():
            state = replace(state, final=event)
        case _:
            pass
    for name, owed in stated_by(event):
        made = state.payouts
        if owed is not None:
            made = made.with_statement(name, owed, act)
        state = replace(state, names=state.names | {name}, payouts=made)
    changed = payouts.evolve(state.payouts, event, act, terms)
    return state if changed is state.payouts else replace(state, payouts=changed)


def stated_by(event: Event) -> Iterator[tuple[str, Owed | None]]:
    """Yield what each statement asks for that an event issues, by its name; None for nothing."""
    match event:
        case StatementIssued(statement=name, balance=balance, due_on=day):
            yield name, balance.owed(day)
        case FinalSettlementIssued(due_on=day):
            for name, balance in event.by_name():
                yield name, balance.owed(day)
        case _:
            pass
