"""The ledger: what is owed between the parties, as a fold (C10, C27, docs/settlement.md).

An event becomes a fact of the subject that it is about, or changes what was agreed. What that can
touch is computed again, and the differences are lines (see `projections.ledger.book`). The lines
themselves are passed to a replay that asks for them (`post`); rows hold facts and sums.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import payouts
from domain.adoption import PartnershipAdopted
from domain.agreement import CommercialTermsAgreed
from domain.arithmetic import exact
from domain.attribution import AttributionPolicy
from domain.calendar import month_of
from domain.deadlines.deadline import (
    DAY,
    DeadlineKind,
    DeadlinePassed,
    Deadlines,
    PeriodClosed,
    ReminderGiven,
    Silence,
)
from domain.deadlines.fold import reminder_of_silence, silence, statement
from domain.execution import IncentiveIntroduced
from domain.exit import ExitAgreed, ExitNoticeGiven, ExitWithdrawn
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.kernel import Event
from domain.merge import DealsMerged
from domain.payouts import Payout
from domain.recorded import Recorded
from domain.referral import AttributionSettled
from domain.renewal import PartnershipRenewed
from domain.scaling import JointInvestmentAgreed
from domain.settlement import (
    Accrued,
    AdjustmentAgreed,
    Balance,
    FinalSettlementIssued,
    Ledger,
    Merges,
    RateAgreed,
    RateObjected,
    RatePublished,
    StatementIssued,
)
from domain.terms_by_day import Exit, Renewal
from domain.values import plain
from projections.fold import NOTHING, Change, Projection, Rows
from projections.ledger import claims, facts
from projections.ledger.book import Book, LineKey, kinds_of, terms_of
from projections.ledger.claims import Point
from projections.ledger.counting import Known
from projections.ledger.periods import end_of
from projections.ledger.rows import (
    AGREED,
    EARNED,
    MONTHS,
    TOTALS,
    AgreedRow,
    Investment,
    Offer,
    Rate,
    Stated,
    StatementRow,
    SubjectRow,
    Sum,
    TotalsRow,
    comes_back_late,
    part_of,
    replace,
    row_type,
)

AGREEMENTS: frozenset[type[Event]] = frozenset(
    {
        ExplorationBegun,
        PartnershipAdopted,
        PartnerChosen,
        CommercialTermsAgreed,
        PartnershipRenewed,
        ExitNoticeGiven,
        ExitAgreed,
        ExitWithdrawn,
        JointInvestmentAgreed,
        IncentiveIntroduced,
        RateAgreed,
        RatePublished,
        RateObjected,
    }
)
_STATEMENTS: frozenset[type[Event]] = frozenset({StatementIssued, FinalSettlementIssued})
_TIME: frozenset[type[Event]] = frozenset({PeriodClosed, DeadlinePassed, ReminderGiven})
_FACTS: frozenset[type[Event]] = (
    facts.ON_DEALS | facts.ON_ENTRIES | facts.FIGURES | facts.REPLIES | {AdjustmentAgreed}
)


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the rows that an event is known to touch; others are read as they are needed."""
    event = recorded.event
    kind = type(event)
    if kind in _FACTS:
        row = facts.row_of(event)
        if row is None:
            return (AGREED, TOTALS)
        # The day of a fact in the agreement's zone is nearly always in the month of its UTC day.
        days = facts.days_of(row, event, recorded.act, datetime.date)
        parts = (part_of(month_of(day), row) for day in days)
        years = dict.fromkeys(f"{EARNED}{month_of(day)[:4]}" for day in days)
        return (AGREED, TOTALS, MONTHS, row, *parts, *years)
    return (AGREED, TOTALS, MONTHS)


@exact
def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take an event into the ledger."""
    book = post(rows, recorded)
    return Change(book.changed, []) if book.changed else NOTHING


@exact
def post(rows: Rows, recorded: Recorded, policy: AttributionPolicy | None = None) -> Book:
    """Return the rows that an event changes, and the lines that it posts.

    `policy` replays another attribution policy in the place of those agreed.
    """
    book = Book(rows, recorded, policy)
    touched = dict.fromkeys(_silent(book))
    for each in [each for each in touched if each.startswith("payout/")]:
        _count_payout(book, each.removeprefix("payout/"))
        del touched[each]
    touched |= dict.fromkeys(_take(book, recorded))
    if touched:
        book.compute(touched)
    _remind(book, touched)
    _wake(book)
    return book


def _silent(book: Book) -> list[str]:
    """Return the subjects with claims that silence has confirmed by now."""
    awaited = book.agreed.awaited
    if not awaited:
        return []
    today = book.terms.day(book.recorded.act.now)
    return [key for key, silences in awaited.items() if silences[0].day <= today]


def _remind(book: Book, touched: Iterable[str]) -> None:
    """Remind of claims that await an answer alone: others move no money."""
    before: AgreedRow = book.rows.get(AGREED, AgreedRow())
    awaited = book.agreed.awaited
    changed = (key for key, each in awaited.items() if each != before.awaited.get(key))
    for key in {*touched, *changed}:
        kind, _, name = key.partition("/")
        silences = awaited.get(key, ())
        if kind != "payout" and any(each.party for each in silences):
            known = book.known(book.row(key, SubjectRow))
            awaiting = {
                (each.answer_by, party)
                for each in points_of(kind, name, known, book.agreed)
                for party in each.acting
            }
            book.await_silence(
                key,
                (
                    each if (each.day - DAY, each.party) in awaiting else each._replace(party="")
                    for each in silences
                ),
            )


def _wake(book: Book) -> None:
    agreed = book.agreed
    if agreed.awaited or agreed.due or agreed.wake:
        due = [each.due for each in silences({AGREED: agreed}).values()]
        days = [min(agreed.due.values())] if agreed.due else []
        moments = [*agreed.remind.values(), *due, *map(book.terms.midnight, days)]
        wake = min(moments, default=None)
        if wake != agreed.wake:
            book.put(AGREED, replace(agreed, wake=wake))


def _take(book: Book, recorded: Recorded) -> list[str]:
    """Take what an event says into the rows; return the subjects to compute again."""
    event = recorded.event
    kind = type(event)
    if payout := payouts.payout_of(event):
        _pay_out(book, recorded, payout)
        return []
    if kind in _FACTS:
        return _fact(book, recorded)
    if kind in facts.DISPUTES:
        return _dispute(book, recorded)
    if kind in AGREEMENTS:
        return _agree(book, recorded)
    if kind in _TIME:
        return _pass(book, event)
    if kind in _STATEMENTS:
        _state(book, recorded)
    return []


def _fact(book: Book, recorded: Recorded) -> list[str]:
    key = facts.row_of(recorded.event)
    if key is None:
        return []
    before = book.row(key, SubjectRow)
    if isinstance(recorded.event, AttributionSettled):
        after = facts.with_credit(before, recorded.event, recorded.act)
    else:
        after = facts.with_fact(before, recorded.event, recorded.act)
    if after is before:
        return []
    book.put(key, after)
    if isinstance(recorded.event, DealsMerged):
        into = f"deal/{recorded.event.into}"
        book.put(into, facts.with_duplicate(book.row(into, SubjectRow), recorded.event))
        return [key]
    book.index(key, facts.days_of(key, recorded.event, recorded.act, book.terms.day))
    return [key]


def _dispute(book: Book, recorded: Recorded) -> list[str]:
    event: Any = recorded.event
    if event.subject is None:
        return []  # It is about no money (C24).
    key = book.row_of_subject(event.subject)
    before = book.row(key, SubjectRow)
    after = facts.with_dispute(before, event, recorded)
    if after is before:
        return []
    book.put(key, after)
    return [key]


# --- what is agreed ----------------------------------------------------------------------------


def _agree(book: Book, recorded: Recorded) -> list[str]:
    before, terms = book.agreed, book.terms
    after = agreed_with(before, recorded)
    if after == before:
        return []
    book.put(AGREED, after)
    event: Any = recorded.event
    match event:
        case (
            CommercialTermsAgreed()
            | PartnershipRenewed()
            | ExitNoticeGiven()
            | ExitAgreed()
            | ExitWithdrawn()
        ):
            _count_payouts(book)
            day = terms_of(after).first_difference(terms)
            return [] if day is None else book.since(day, terms.start)
        case JointInvestmentAgreed() | PartnerChosen():
            return book.since(date.min)
        case IncentiveIntroduced(from_day=day):
            return book.since(day)
        case RateAgreed(period=period) | RatePublished(period=period) | RateObjected(period=period):
            return book.within(period[:7])
        case _:
            return []


def agreed_with(row: AgreedRow, recorded: Recorded) -> AgreedRow:
    """Return the row of what was agreed, with an event."""
    event, act = recorded.event, recorded.act
    match event:
        case ExplorationBegun():
            return replace(row, parties=(act.party,))
        case PartnershipAdopted(books=books):
            parties = tuple(each.party for each in event.parties)
            # What fell due before this month is computed when the terms come, right after this.
            today = act.occurred_at.date().replace(day=1)
            return replace(row, parties=parties, settles_from=books.settles_from, today=today)
        case PartnerChosen(candidate=partner):
            return replace(row, parties=(*row.parties[:1], partner))
        case CommercialTermsAgreed():
            return replace(row, terms=(*row.terms, event.model_dump_json()))
        case PartnershipRenewed():
            renewal = Renewal(event.agreed_at, event.proposal, event.duration)
            return replace(row, renewals=(*row.renewals, renewal))
        case ExitNoticeGiven() | ExitAgreed():
            exits = sorted((*row.exits, Exit(event.effective_on, event.exit)))
            return replace(row, exits=tuple(exits))
        case ExitWithdrawn():
            return replace(row, withdrawn=tuple(sorted({*row.withdrawn, event.exit})))
        case JointInvestmentAgreed(proposal=name):
            parts = Investment(dict(event.investment_shares), dict(event.reward_shares))
            return replace(row, investments={**row.investments, name: parts})
        case IncentiveIntroduced(per_referral=amount) if amount is not None:
            offer = Offer(act.party, amount.amount, amount.currency, event.from_day, event.until)
            return replace(row, offers={**row.offers, event.incentive: offer})
        case RateAgreed() | RatePublished():
            return _with_rate(row, event, recorded)
        case RateObjected(base=base, quote=quote, period=period, source=source):
            name = f"{base}|{quote}|{period}|{source}"
            return replace(row, objected=tuple(sorted({*row.objected, name})))
        case _:
            return row


def _with_rate(row: AgreedRow, event: RateAgreed | RatePublished, recorded: Recorded) -> AgreedRow:
    at = recorded.act.occurred_at
    rate = (
        Rate(at, event.rate, source=event.source)
        if isinstance(event, RatePublished)
        else Rate(at, event.rate, proposal=event.proposal)
    )
    name = f"{event.base}|{event.quote}|{event.period}"
    return replace(row, rates={**row.rates, name: (*row.rates.get(name, ()), rate)})


# --- time --------------------------------------------------------------------------------------


def _pass(book: Book, event: Any) -> list[str]:  # noqa: ANN401 - an event of the clock
    match event:
        case PeriodClosed(period=period):
            return _close(book, end_of(period))
        case DeadlinePassed(kind=DeadlineKind.EXIT, ref=ref):
            return _close(book, date.fromisoformat(ref))
        case ReminderGiven(kind=DeadlineKind.SILENCE, ref=ref):
            book.put(AGREED, replace(book.agreed, reminded=(*book.agreed.reminded, ref)))
            return []
        case DeadlinePassed(kind=DeadlineKind.SILENCE, ref=ref):
            left = (each for each in book.agreed.reminded if not each.startswith(f"{ref}/"))
            book.put(AGREED, replace(book.agreed, reminded=tuple(left)))
            return []
        case ReminderGiven(kind=DeadlineKind.STATEMENT, ref=name):
            remind = {each: at for each, at in book.agreed.remind.items() if each != name}
            book.put(AGREED, replace(book.agreed, remind=remind))
            return []
        case DeadlinePassed(kind=DeadlineKind.STATEMENT, ref=name):
            row: StatementRow | None = book.get(f"statement/{name}")
            if row is not None:
                _put_statement(book, replace(row, overdue=True))
            return []
        case _:
            return []


def _close(book: Book, today: date) -> list[str]:
    """Let it be a day; return the dues and windows of the time since the last one."""
    agreed = book.agreed
    if agreed.today is not None and agreed.today >= today:
        return []
    book.put(AGREED, replace(agreed, today=today))
    return [*book.periods(agreed.today or date.min)]


# --- statements --------------------------------------------------------------------------------


def _state(book: Book, recorded: Recorded) -> None:
    event: Any = recorded.event
    if isinstance(event, StatementIssued):
        due_on, until = event.due_on, end_of(event.period)
        _issue(book, event.statement, event.period, event.balance, due_on, until)
        return
    for name, balance in event.by_name():
        _issue(book, name, "", balance, event.due_on, date.max)


def _issue(  # noqa: PLR0913, PLR0917 - what a statement says
    book: Book, name: str, period: str, balance: Balance, due_on: date, until: date
) -> None:
    """Take the parts of a statement out of what is open."""
    totals = book.row(TOTALS, TotalsRow)
    act = book.recorded.act
    stated = Stated(name, balance.currency, until, act.recorded_at)
    parts = {
        _sum_key(part.month, part.currency, balance.currency, part.rate) for part in balance.parts
    }
    left = {key: each for key, each in totals.open.items() if key not in parts}
    book.put(TOTALS, replace(totals, open=left, statements=(*totals.statements, stated)))
    _put_statement(
        book,
        StatementRow(
            name,
            period,
            book.recorded.index,
            act.recorded_at,
            due_on,
            balance.model_dump(mode="json", exclude_none=True),
        ),
    )


def _put_statement(book: Book, row: StatementRow) -> None:
    """Change a statement's row, and note when it is reminded of and overdue if something is due.

    What comes back after the due day is overdue at once. The clock is still asked to record it.
    """
    name = row.statement
    before: StatementRow | None = book.get(f"statement/{name}")
    today = book.terms.day(book.recorded.act.now)
    came_back = before is not None and comes_back_late(before.left, row.left, row.due_on, today)
    row = replace(row, overdue=row.left > 0 and (row.overdue or came_back))
    book.put(f"statement/{name}", row)
    due, remind = {**book.agreed.due}, {**book.agreed.remind}
    if row.left <= 0 or (row.overdue and not came_back):
        due.pop(name, None)
        remind.pop(name, None)
    elif name not in due:
        due[name] = row.due_on + timedelta(days=1)
        payer = Balance.model_validate(row.balance).payer or ""
        remind_at = statement(name, payer, row.due_on, book.recorded.act, book.terms).remind_at
        if remind_at is not None:
            remind[name] = remind_at
    if due != book.agreed.due:
        book.put(AGREED, replace(book.agreed, due=due, remind=remind))


def _sum_key(month: str, currency: str, settles_in: str, rate: Decimal | None) -> str:
    return "|".join((month, currency, settles_in, plain(rate or Decimal(1))))


def _pay_out(book: Book, recorded: Recorded, name: str) -> None:
    """Take what is said of a payout."""
    row: Payout = book.get(f"payout/{name}") or Payout()
    book.put(
        f"payout/{name}", payouts.with_event(row, recorded.event, recorded.act, recorded.index)
    )
    _count_payout(book, name)


def _count_payouts(book: Book) -> None:
    """Count all payouts again: the rules for claims may have changed."""
    for stated in book.row(TOTALS, TotalsRow).statements:
        statement: StatementRow | None = book.get(f"statement/{stated.name}")
        for name in statement.payouts if statement is not None else ():
            _count_payout(book, name)


def _count_payout(book: Book, name: str) -> None:
    """Count a payout on its statement, as of the day of the event."""
    key = f"payout/{name}"
    row: Payout = book.get(key) or Payout()
    known = payouts.Known(row, book.terms, book.terms.day(book.recorded.act.now))
    awaiting = {(each.until, each.by) for each in known.awaiting()}
    book.await_silence(
        key,
        (
            Silence(day, known.other(by.party) if is_far and (day, by.party) in awaiting else "")
            for day, by in known.silences()
            for is_far in [book.terms.reminds_of_silence_at(day) > by.told]
        ),
    )
    if row.recorded is None:
        return
    name_of_statement = f"statement/{row.recorded[0].statement}"
    statement: StatementRow | None = book.get(name_of_statement)
    if statement is not None:
        counted = {**statement.payouts, name: known.standing()}
        _put_statement(book, replace(statement, payouts=counted))


def points_of(kind: str, name: str, known: Known, agreed: AgreedRow) -> Iterator[Point]:
    """Return what of a deal, a figure or an entry awaits a party."""
    match kind:
        case "deal":
            kinds = {party: kinds_of(agreed.terms, party) for party in agreed.parties}
            return claims.of_deal(name, known, kinds)
        case "figure":
            metric, period = name.split("/")
            return claims.of_figure(metric, period, known)
        case _:
            since = agreed.settles_from
            return claims.of_entry(name, replace(known, settles_from=since), agreed.investments)


# --- what a decision asks ----------------------------------------------------------------------


def ledger(rows: Rows) -> Ledger:
    """Return what has accrued and is not stated yet, from the rows of a whole history."""
    totals: TotalsRow = rows.get(TOTALS, TotalsRow())
    return Ledger(
        tuple(_accrued(totals.open)),
        tuple(each for each in _accrued(totals.held) if any(each.earned.values())),
        lambda *asked: earned(rows, *asked),
        lambda deal: merges(rows, deal),
    )


def stated_periods(rows: Rows) -> dict[str, str]:
    """Return the last period that was stated, by currency, from the same rows."""
    totals: TotalsRow = rows.get(TOTALS, TotalsRow())
    periodic = (each for each in totals.statements if each.until != date.max)
    return {each.currency: each.name.removesuffix(f":{each.currency}") for each in periodic}


def silences(rows: Rows) -> Deadlines:
    """Return when silence confirms the claims that await an answer, from the same rows.

    Also when the party is reminded that answers them.
    """
    agreed: AgreedRow = rows.get(AGREED, AgreedRow())
    terms = terms_of(agreed)
    awaited = {each for of in agreed.awaited.values() for each in of}
    found = [silence(day, terms) for day in {each.day for each in awaited}]
    found += (
        reminder_of_silence(each, terms)
        for each in awaited
        if each.party and each.ref not in agreed.reminded
    )
    return {each.id: each for each in found}


def _accrued(sums: Mapping[str, Sum]) -> Iterator[Accrued]:
    for key in sorted(sums):
        month, currency, settles_in, rate = key.split("|")
        each = sums[key]
        found = Decimal(rate) if rate else None
        yield Accrued(month, currency, settles_in, found, each.own, each.settled, each.lines)


def merges(rows: Rows, deal: str) -> Merges:
    """Return the part of a deal in merges, from the same rows."""
    row: SubjectRow = rows.get(f"deal/{deal}", SubjectRow())
    return Merges(row.merged_into or None, row.duplicates)


def earned(
    rows: Rows, subject: str, party: str, day: date, line: tuple[str, str] | None = None
) -> dict[str, Decimal]:
    """Return what a party earned for a subject from facts up to the end of a day, by currency.

    With a `line`, a fact and an item, it is what that item pays for that fact.
    """
    book = Book(rows, None)  # type: ignore[arg-type] # reads only
    row = book.row(book.row_of_subject(subject), SubjectRow)
    found: dict[str, Decimal] = {}
    for text, amount in row.lines.items():
        key = LineKey.of(text)
        if (key.subject, key.to) != (subject, party) or line not in {None, (key.fact, key.item)}:
            continue
        if date.fromisoformat(key.day) <= day:
            found[key.currency] = found.get(key.currency, Decimal(0)) + amount.own
    return found


SETTLEMENT = Projection(
    "settlement",
    keys,
    apply,
    _FACTS | facts.DISPUTES | AGREEMENTS | _TIME | facts.PAYOUTS | _STATEMENTS,
    version=29,
    row_type=row_type,
)
