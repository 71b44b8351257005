"""What accrued between the parties up to the end of a period: the statements, line by line (C10).

The ledger's rows hold sums and no lines, so the lines are found again by replay of the log.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any

from domain import settlement
from domain.attribution import AttributionPolicy, PolicyKind
from domain.calendar import PERIOD_PATTERN, bounds
from domain.content import digest
from domain.dispute import DisputeOpened, DisputeOutcome, DisputeResolved
from domain.recorded import Recorded
from domain.settlement import (
    ROUNDING,
    Balance,
    FinalSettlementIssued,
    Part,
    StatementIssued,
)
from domain.terms_by_day import TermsByDay
from domain.values import Exact, Money, plain
from infra.answers import text as words
from infra.answers.line_disputes import LineDispute, MoneyDisputes
from infra.answers.line_rules import LineRule, LineRules
from infra.answers.logs import NOW, AsOf, NotFound, Row, log, moment_of
from infra.answers.parameters import Name
from infra.answers.question import Answer, Item, Panel, Parameter, PartnershipId, Question
from infra.answers.statement_state import State, StatementPayout, owed, payouts_of, state_of
from infra.answers.text import Block, Line, Table
from infra.bootstrap import Accord
from infra.store.history import History
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED, AgreedRow, StatementRow, SubjectRow, in_words
from projections.settlement import earned, ledger, post


class Weighing(StrEnum):
    """The attribution policies that competing touches can be weighed by without more terms."""

    FIRST_TOUCH = PolicyKind.FIRST_TOUCH.value
    LAST_TOUCH = PolicyKind.LAST_TOUCH.value
    CODE_WINS = PolicyKind.CODE_WINS.value


class LedgerLine(Item):
    """One line of the ledger: what one event changed in what a party earned."""

    line: str
    """The name of the line: the index of the event that posted it, and its number there."""
    index: int
    """The index of the event that posted the line."""
    because_of: str
    """The type of that event."""
    occurred_at: datetime
    """When it happened, as its sender says."""
    late_days: int
    """How many whole days after it happened the event was recorded; 0 within the first day."""
    about: str
    """The subject: `deal/D-1`, `entry/E-1`, `due/retainer-1@2026-03-01`, `window/minimum-1@…`."""
    item: str
    """The name of the item of the terms; `hold` and `release` where a dispute moves money."""
    fact: str
    """The fact that is priced: `payment/P-1`, `win@2026-03-01T09:00:00Z`."""
    cause: str
    """The fact that changed what it earns: itself, a refund, the decision of a dispute."""
    day: date
    """The day of that fact in the agreement's time zone."""
    month: str
    """The month that the line belongs to."""
    to: str
    """The party that earned the amount, or lost it if the amount is negative."""
    currency: str
    """The currency, as a code of ISO 4217."""
    amount: Exact
    """The amount, as a decimal string."""
    settles_in: str
    """The currency of the statement that takes the line."""
    settled: Exact | None
    """The amount in that currency; null while the rate is missing."""
    rate: Exact | None
    """The rate to that currency; null while it is missing."""
    counts: Exact | None = None
    """What the line adds to the total of its statement, in that currency: `settled`, negative where
    it goes to the payer. Null while the rate is missing, and outside a statement."""
    rule: LineRule | None = None
    """What was agreed or decided that the line follows from; null if no terms price its day."""
    terms_version: int | None = None
    """The version of the terms that prices the fact; null where something else does."""
    total: Exact | None = None
    """What the fact earns by the item in all, with this line."""
    total_before: Exact | None = None
    """What it had earned by the lines before. The amount is the difference."""
    basis: Exact | str | None = None
    """The basis of the share or the fee, in the line's currency."""
    share: Exact | None = None
    """The share of the basis, in percent."""
    credited: Exact | None = None
    """How much of the referral is credited to the party, in percent."""
    figure: Exact | str | None = None
    """The metric's figure that the line rests on."""
    threshold: Exact | None = None
    """The figure that `figure` is compared with."""
    counted_before: Exact | str | None = None
    """With tiers or a cap: what stood in the window before the fact."""
    earned_before: Exact | str | None = None
    """With tiers or a cap: what the window had earned before the fact, before rounding."""
    earned: Exact | str | None = None
    """With tiers or a cap: what the window has earned with the fact, before rounding."""
    disputed: Exact | None = None
    """What a decision takes away."""
    dispute: str | None = None
    """The dispute that puts the amount on hold or releases it; null for every other line."""
    disputes: tuple[LineDispute, ...] = ()
    """The disputes about the line, in the order in which they were opened."""
    disputable: Exact | None = None
    """How much of the amount the other party can dispute by now; null where it can dispute none."""
    replaced: str | None = None
    """Why another line takes its place, if only the currency or the rate of its statement is
    another; null for every other line."""
    merged_into: str | None = None
    """The deal that a duplicate was merged into, if the line takes back what the duplicate earned;
    null for every other line."""
    text: str
    """What the line is for, in words."""


class MonthTotal(Item):
    """What the lines of a month add to a statement, or those by which disputes move money."""

    month: str | None
    """The month; null for the lines that disputes put on hold or release."""
    total: Exact | None
    """What they add to the total of the statement, in its currency; null while a rate is
    missing."""
    lines: tuple[str, ...]
    """The lines, by their names."""


class Statement(Item):
    """A statement that was issued, or a draft of the next one."""

    statement: str | None
    """The statement's name; null for a draft."""
    period: str
    """Empty for a final settlement."""
    settlement: str | None
    """The final settlement that it is part of."""
    state: State
    """Whether it is issued, and whether it is settled."""
    issued_at: datetime | None
    """When it was issued."""
    due_on: date | None
    """The last day on which it is paid in time; null for a draft."""
    index: int | None
    """The index of the event that issued it."""
    currency: str
    """The currency, as a code of ISO 4217."""
    balance: Balance
    """Who pays how much, by month and currency."""
    content: str
    """The digest of the balance, which a signed event that issues it has in `contents`."""
    paid: Exact
    """What was paid on it so far."""
    payouts: tuple[StatementPayout, ...]
    """The payouts on it, in the order of their identifiers."""
    lines: tuple[LedgerLine, ...]
    """The lines, one for each amount."""
    months: tuple[MonthTotal, ...]
    """The subtotals of the lines, by month; those that disputes move come last."""


class StatementDispute(Item):
    """An open dispute about lines of an issued statement."""

    dispute: str
    """The identifier of the dispute."""
    index: int
    """The index of the event that opened it."""
    amount: Money
    """How much of the lines it is about, in the currency of the statement."""


class PeriodStatements(Answer):
    """The statements of a period, with every line."""

    id: str
    """The partnership."""
    period: str
    """The period: a month, a quarter or a year."""
    policy: PolicyKind | None
    """The policy that competing touches are weighed by, instead of the agreed ones."""
    terms_version: int | None
    """The version of the terms in force; null without terms."""
    outside: str | None
    """That the period is ahead, or over before the terms begin, in words; null for every other
    period."""
    rounding: str
    """How every amount is rounded."""
    zone: str
    """The time zone of the days."""
    statements: tuple[Statement, ...]
    """The statements, by currency."""


def ask(
    accord: Accord,
    id: PartnershipId,
    period: Annotated[
        Name,
        Parameter(
            "Up to the end of this month, quarter or year; or a statement's name.",
            "PERIOD",
            positional=False,
        ),
    ],
    policy: Annotated[
        Weighing | None,
        Parameter("As if competing touches were weighed by this policy, not the agreed one."),
    ] = None,
    when: AsOf = NOW,
) -> PeriodStatements:
    """Return what accrued up to the end of a period, issued or not, with every line (C10).

    Nothing accrued in a period that has not begun. `period` may also be the name of a statement or
    of a final settlement. With a `policy` nothing counts as issued. Raises `NotFound`.
    """
    kind = PolicyKind(policy) if policy else None
    postings = replay(log(accord.history, id, when), AttributionPolicy(kind=kind) if kind else None)
    found = [
        postings.statement(each)
        for each in postings.issued
        if period in (each.period, each.settlement, each.statement)
    ]
    now = moment_of(accord, id, when)
    terms = terms_of(postings.rows.get(AGREED, AgreedRow()))
    if not _is_period(period) and not found:
        names = ", ".join(each.statement for each in postings.issued) or "none was issued yet"
        raise NotFound(
            f"{period} is neither a period nor the name of a statement.",
            f"Write 2026-03, 2026-Q1 or 2026, or the name of a statement ({names}).",
        )
    if _is_period(period) and not _is_ahead(terms, period, now):
        found += postings.drafts(period)
    return PeriodStatements(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        period=period,
        policy=kind,
        terms_version=terms.version(terms.day(now)) or None,
        outside=_outside(terms, period, now),
        rounding=ROUNDING,
        zone=terms.zone(now),
        statements=tuple(found),
    )


def _outside(terms: TermsByDay, period: str, now: datetime) -> str | None:
    if not _is_period(period):
        return None
    begins, ends = bounds(period)
    start = terms.start if terms.is_agreed else None
    if _is_ahead(terms, period, now):
        return f"{period} begins on {begins.date()}. It had not begun on {terms.day(now)}."
    if start is None:
        return "No terms are agreed yet."
    if ends.date() <= start:
        return f"{period} is over before the terms begin, on {start}."
    return None


def _is_ahead(terms: TermsByDay, period: str, now: datetime) -> bool:
    return bounds(period)[0].date() > terms.day(now)


def _is_period(text: str) -> bool:
    return re.fullmatch(PERIOD_PATTERN, text) is not None


# --- the lines of a log ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Issued:
    """A statement that was issued, with the ledger's lines that it states."""

    statement: str
    period: str
    settlement: str
    issued_at: datetime
    index: int
    balance: Balance
    lines: list[Row]


def replay(events: Iterable[Recorded], policy: AttributionPolicy | None = None) -> "Postings":
    """Return the lines of a log, and the statements that state them."""
    postings = Postings(policy)
    for recorded in events:
        postings.take(recorded)
    return postings


def lines_by(
    history: History, id: str, when: AsOf, events: Container[int]
) -> Mapping[int, tuple[LedgerLine, ...]]:
    """Return the ledger's lines that these events made, by the event's index. Raises `NotFound`."""
    postings, found = Postings(None), {}
    for recorded in log(history, id, when):
        lines = postings.take(recorded)
        if lines and recorded.index in events:
            found[recorded.index] = tuple(map(line_of, lines))
    return found


def disputes_of(
    history: History, id: str, when: AsOf, rows: Mapping[str, Any]
) -> Mapping[str, tuple[StatementDispute, ...]]:
    """Return the open disputes about lines of issued statements, by statement.

    `rows` are those of the settlement. The log is read only if they have an open dispute, because
    the rows do not say which statement has a line.
    """
    if not any(isinstance(row, SubjectRow) and _is_disputed(row) for row in rows.values()):
        return {}
    return replay(log(history, id, when)).disputes_of_issued()


def _is_disputed(row: SubjectRow) -> bool:
    return any(each.decided_at is None for each in row.disputes.values())


def disputes_of_lines(statement: Statement) -> Iterator[StatementDispute]:
    """Yield the open disputes about lines of an issued statement, by their identifiers.

    A dispute is counted once, and for no more than the lines that it is about. What a draft has in
    dispute is on hold, so it has lines of its own.
    """
    about: defaultdict[str, Decimal] = defaultdict(Decimal)
    found: dict[str, LineDispute] = {}
    for line in statement.lines if statement.statement else ():
        for each in line.disputes:
            if each.outcome is None and line.dispute is None and line.settled is not None:
                about[each.dispute] += line.settled
                found[each.dispute] = each
    for name, each in sorted(found.items()):
        # A dispute is for no more than its amount, where it is in the currency of the statement.
        is_own = each.amount.currency == statement.currency
        most = min(about[name], each.amount.amount) if is_own else about[name]
        amount = Money(amount=most, currency=statement.currency)
        yield StatementDispute(dispute=name, index=each.index, amount=amount)


def in_dispute(disputes: Iterable[StatementDispute]) -> Iterator[str]:
    """Yield each dispute about lines of a statement: ``60.00 USD (line-2, #14)``."""
    for each in disputes:
        yield f"{each.amount} ({each.dispute}, #{each.index})"


@dataclass(slots=True)
class Postings:
    """The ledger's lines of a log, and the statements that state them."""

    policy: AttributionPolicy | None
    rows: dict[str, Any] = field(default_factory=dict)
    open: list[Row] = field(default_factory=list)
    """Lines that no statement states yet."""
    disputes: MoneyDisputes = field(default_factory=MoneyDisputes)
    rules: LineRules = field(default_factory=LineRules)
    issued: list[Issued] = field(default_factory=list)
    last: Recorded | None = None
    """The last event."""

    def take(self, recorded: Recorded) -> list[Row]:
        """Post an event; return its lines. A statement takes the open lines of its parts."""
        event = recorded.event
        self.last = recorded
        if self.policy is not None and isinstance(event, StatementIssued | FinalSettlementIssued):
            return []
        posting = post(self.rows, recorded, self.policy)
        self.rows |= posting.changed
        self.rules.take(recorded)
        for line in posting.lines:
            line.update(self.rules.of(line, self.rows.get(AGREED, AgreedRow())))
        match event:
            case DisputeOpened() | DisputeResolved():
                self.disputes.take(recorded, terms_of(self.rows.get(AGREED, AgreedRow())))
            case StatementIssued(statement=name, period=period, balance=balance):
                self._issue(recorded, name, period, "", balance)
            case FinalSettlementIssued(settlement=final):
                for name, balance in event.by_name():
                    self._issue(recorded, name, "", final, balance)
            case _:
                pass
        self.open += posting.lines
        return posting.lines

    def _issue(
        self, recorded: Recorded, name: str, period: str, final: str, balance: Balance
    ) -> None:
        parts = {(part.month, part.currency, part.rate or 1) for part in balance.parts}
        stated: list[Row] = []
        left: list[Row] = []
        for line in self.open:
            rate = line["rate"] and Decimal(line["rate"])
            taken = line["settles_in"] == balance.currency
            taken = taken and (line["month"], line["currency"], rate) in parts
            (stated if taken else left).append(line)
        self.open = left
        issued_at = recorded.act.recorded_at
        self.issued.append(Issued(name, period, final, issued_at, recorded.index, balance, stated))

    def statement(self, issued: Issued) -> Statement:
        """Return an issued statement with what was paid on it since."""
        row: StatementRow = self.rows[f"statement/{issued.statement}"]
        lines = counting(map(self.line, issued.lines), issued.balance)
        return Statement(
            statement=issued.statement,
            period=issued.period,
            settlement=issued.settlement or None,
            state=state_of(issued.balance, row),
            issued_at=issued.issued_at,
            due_on=row.due_on,
            index=issued.index,
            currency=issued.balance.currency,
            balance=issued.balance,
            content=digest(issued.balance),
            paid=row.paid,
            payouts=payouts_of(row, self.rows),
            lines=lines,
            months=tuple(_by_month(lines)),
        )

    def disputes_of_issued(self) -> dict[str, tuple[StatementDispute, ...]]:
        """Return the open disputes about lines of issued statements, by statement."""
        found = map(self.statement, self.issued)
        return {each.statement or "": tuple(disputes_of_lines(each)) for each in found}

    def line(self, row: Row) -> LedgerLine:
        """Return a line of the ledger with the disputes about it."""
        line = line_of(row)
        disputes = self.disputes.of(row)
        known = {"disputes": disputes, "disputable": self._disputable(line, disputes)}
        return line.model_copy(update=known)

    def _disputable(self, line: LedgerLine, disputes: tuple[LineDispute, ...]) -> Decimal | None:
        if line.dispute or any(x.outcome is not DisputeOutcome.WITHDRAWN for x in disputes):
            return None
        priced = (line.fact, line.item)
        now = earned(self.rows, line.about, line.to, date.max, priced).get(line.currency)
        most = min(line.amount, now or Decimal(0))
        return most if most > 0 else None

    def drafts(self, period: str) -> Iterator[Statement]:
        """Yield what accrued up to the end of a period and is not stated yet, by currency."""
        end = bounds(period)[1]
        known = ledger(self.rows)
        agreed: AgreedRow = self.rows.get(AGREED, AgreedRow())
        waiting = known.up_to(period)
        if not waiting or len(agreed.parties) != 2:  # noqa: PLR2004 - a partnership is of two
            return
        due = [each for each in _without_replaced(self.open) if bounds(each["month"])[1] <= end]
        for currency in sorted({each["settles_in"] for each in due}):
            balance = settlement.balance(currency, waiting, known, agreed.parties)
            of_currency = (self.line(each) for each in due if each["settles_in"] == currency)
            lines = counting(of_currency, balance)
            yield Statement(
                statement=None,
                period=period,
                settlement=None,
                state=State.OPEN,
                issued_at=None,
                due_on=None,
                index=None,
                currency=currency,
                balance=balance,
                content=digest(balance),
                paid=Decimal(0),
                payouts=(),
                lines=lines,
                months=tuple(_by_month(lines)),
            )


def _by_month(lines: Iterable[LedgerLine]) -> Iterator[MonthTotal]:
    def month_of(line: LedgerLine) -> str:
        return "" if line.dispute else line.month

    for month, found in groupby(sorted(lines, key=lambda each: month_of(each) or "~"), month_of):
        of_month = tuple(found)
        known = [each.counts for each in of_month if each.counts is not None]
        total = sum(known, Decimal(0)) if len(known) == len(of_month) else None
        yield MonthTotal(
            month=month or None, total=total, lines=tuple(each.line for each in of_month)
        )


def _without_replaced(lines: Sequence[Row]) -> list[Row]:
    """Return lines without those that waited for a rate until it arrived.

    Such a line and the one that takes it back come to nothing, and no statement states them.
    """
    left: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for each in lines:
        left[_awaits_rate(each)] += Decimal(each["amount"])
    return [each for each in lines if each["rate"] or left[_awaits_rate(each)]]


def _awaits_rate(line: Row) -> tuple[str, ...]:
    """Return what lines without a rate have in common that take each other back."""
    what = line.get("dispute") or line["item"]
    same = ("rate", "about", "fact", "cause", "to", "currency", "day", "settles_in")
    return (what, *(line[each] or "" for each in same))


def counting(lines: Iterable[LedgerLine], balance: Balance) -> tuple[LedgerLine, ...]:
    """Return the lines of a statement, each with what it adds to the total of its balance.

    If nobody owes anything, the first line is positive.
    """
    found = tuple(lines)
    payee = balance.payee or next((each.to for each in found), None)
    return tuple(
        each
        if each.settled is None
        else each.model_copy(update={"counts": each.settled if each.to == payee else -each.settled})
        for each in found
    )


_MOVES = {
    "hold": "on hold by dispute {}",
    "release": "no longer on hold by dispute {}",
}
"""The items of lines by which disputes hold money, in words."""


def line_of(row: Row) -> LedgerLine:
    """Return a line of the ledger with its text: of what, which share, under which terms."""
    line = LedgerLine.model_validate({**row, "text": ""})
    return line.model_copy(update={"text": "; ".join(_parts(line))})


def _what(line: LedgerLine, about: str) -> str:
    """Return the item of a line and what earned it, with the item's name once."""
    kind, _, _ = line.about.partition("/")
    if line.item == kind:
        return about
    return f"{line.item}, {about.replace(f'due {line.item} of ', 'due on ')}"


def _parts(line: LedgerLine) -> Iterator[str]:
    about = in_words(line.about)
    if line.item in _MOVES:
        yield f"{about}: {_MOVES[line.item].format(line.dispute)}"
        return
    fact = in_words(line.fact)
    yield _what(line, about) if fact in about else f"{line.item} of {fact}, {about}"
    if line.cause != line.fact:
        yield f"after {in_words(line.cause)}"
    if line.replaced:
        yield f"replaced: {line.replaced}"
    if line.merged_into:
        yield f"taken back: the deal is merged into {line.merged_into}"
    yield from _priced(line)
    if line.total_before and not _is_plain_share(line):
        yield f"{_own(line, line.total)} in all, minus {_before(line)}"
    if converted := exchanged(line):
        yield converted
    if line.rule:
        yield line.rule.text
    if line.late_days:
        yield words.late(line.late_days)


def _priced(line: LedgerLine) -> Iterator[str]:
    if line.earned is not None:
        # The shares of the tiers are the item's; no single one prices the fact.
        yield f"{_plain(line.basis)} after {_plain(line.counted_before)} in the window"
        before, after = _plain(line.earned_before), _plain(line.earned)
        yield f"the window earned {before} before it, {after} with it"
    elif line.share is not None:
        yield _share_of(line)
    elif line.threshold is not None:
        yield f"{_plain(line.figure)} against {plain(line.threshold)}"
    elif line.figure is not None:
        yield f"{_plain(line.figure)} at {_plain(line.basis)}"
    if line.credited not in {None, Decimal(100)}:
        yield f"credited with {_plain(line.credited)} %"


def _share_of(line: LedgerLine) -> str:
    of = f"{plain(line.share or Decimal(0))} % of {_own(line, line.basis)}"
    if line.total_before and _is_plain_share(line):
        return f"{of} = {_own(line, line.total)}, minus {_before(line)}"
    return of


def exchanged(line: LedgerLine) -> str:
    """Return what a line is in the currency of its statement, and the rate; "" if it is in it."""
    if line.rate in {None, Decimal(1)}:
        return ""
    return f"{_plain(line.settled)} {line.settles_in} at {_plain(line.rate)}"


def _is_plain_share(line: LedgerLine) -> bool:
    is_whole = line.credited in {None, Decimal(100)}
    return line.share is not None and line.earned is None and is_whole


def _before(line: LedgerLine) -> str:
    return f"{_own(line, line.total_before)} earned before"


def _own(line: LedgerLine, value: Decimal | str | None) -> str:
    return f"{_plain(value)} {line.currency}"


def _plain(value: Decimal | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else plain(value)


# --- text --------------------------------------------------------------------------------------


def text(found: PeriodStatements) -> Iterator[Block]:
    """Yield each statement with its parts and its lines."""
    yield Line(f"{found.id}, {found.period}", "bold")
    if found.policy:
        yield Line(f"as if touches were weighed by {found.policy.value}", indent=2)
    if found.outside:
        yield Line(found.outside, indent=2)
    elif not found.statements:
        yield Line("Nothing accrued up to its end that is not stated already.", indent=2)
    for each in found.statements:
        yield Line()
        yield from statement_text(each, found.zone)
    yield Line()
    yield Line(f"rounding: {found.rounding}", indent=2)


def statement_text(each: Statement, zone: str) -> Iterator[Block]:
    """Yield a statement: who owes what, by month and line by line, and what was paid."""
    title = f"{each.currency}, not issued yet"
    if each.statement and each.issued_at:
        due = "" if each.state is State.SETTLED else f", due on {each.due_on}"
        title = f"{each.statement}, {each.state.value} ({words.minute(each.issued_at)}){due}"
    yield Line(f"{title}: {owed(each.balance, each.payouts)}", "bold", 2)
    yield Table(
        ["MONTH", "EARNED BY", ">AMOUNT", ">RATE", f">IN {each.currency}"],
        list(_earned(each.balance)),
        indent=4,
    )
    yield Table(
        [">LINE", "MONTH", "TO", ">AMOUNT", f">IN {each.currency}", "WHAT FOR"],
        [
            (
                line.line,
                line.month,
                line.to,
                f"{plain(line.amount)} {line.currency}",
                "no rate yet" if line.counts is None else plain(line.counts),
                line.text,
            )
            for line in each.lines
        ],
        title="lines",
        indent=4,
    )
    yield Table(
        ["PAYOUT", "DAY", "EVENT", ">AMOUNT", ">PAID", "STATE"],
        [
            (
                one.payout,
                words.day(one.paid_at, zone),
                f"#{one.index}",
                plain(one.recorded),
                plain(one.paid),
                one.state.value,
            )
            for one in each.payouts
        ],
        title="payouts",
        indent=4,
    )
    if held := _listed(each.balance.held):
        yield Line(f"on hold, because it is disputed: {held}", indent=4)
    if waiting := _listed(each.balance.without_rate):
        yield Line(f"not converted yet, because there is no rate: {waiting}", indent=4)
    if each.state is State.OPEN:
        content = f'"contents":{{"{each.currency}":"{each.content}"}}'
        yield Line(f"issued by a signed event with {content}", indent=4)


def _listed(parts: Iterable[Part]) -> str:
    return "; ".join(
        f"{plain(amount)} {part.currency} to {party} ({part.month})"
        for part in parts
        for party, amount in part.earned.items()
        if amount
    )


def _earned(balance: Balance) -> Iterator[tuple[str, str, str, str, str]]:
    for part in balance.parts:
        for party, amount in part.earned.items():
            converted = (part.converted or {}).get(party, amount)
            rate = words.number(part.rate) if part.rate is not None else ""
            earned = f"{plain(amount)} {part.currency}"
            yield part.month, party, earned, rate, plain(converted)


STATEMENT = Question(
    "statement",
    ask,
    text,
    path="/v1/partnerships/{id}/statement",
    help="Show what accrued in a period, issued or not yet, line by line.",
    panel=Panel.MONEY,
)
