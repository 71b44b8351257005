"""The ledger: what accrued between the parties, under the terms in force when it happened (C10).

What a deal or an entry earns is a pure function of all that is known of it: the facts, the claims,
the terms of their day. Whenever something more is known, that function is asked again, and the
difference to what was posted before is a new line. So a late fact, a refund, a chargeback won back
and a settled claim are all one thing, and the sum of lines does not depend on the order in which
facts arrived. A line belongs to the month of the fact that earned it, however late it came.

Rows hold sums only. The lines themselves are passed to a replay that asks for them (`post`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain.agreement import CommercialTermsAgreed
from domain.arithmetic import exact
from domain.attribution import AttributionPolicy
from domain.calendar import bounds, month_of, quarter_of
from domain.deadlines import DeadlineKind, DeadlinePassed, PeriodClosed
from domain.deal import (
    AttributionSettled,
    ChargebackReversed,
    DealWon,
    PaymentReceived,
    ReferralAttributed,
    ReferralSubmitted,
    RefundIssued,
)
from domain.dispute import DisputeOpened, DisputeOutcome, DisputeResolved
from domain.entry import EntryReversed, JointRevenueReceived, PenaltyConceded, SharedCostIncurred
from domain.execution import IncentiveIntroduced
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.kernel import Event
from domain.recorded import Recorded
from domain.renewal import ExitNoticeGiven
from domain.scaling import JointInvestmentAgreed
from domain.settlement import (
    Accrued,
    Balance,
    FinalSettlementIssued,
    Ledger,
    PayoutRecorded,
    RateCaptured,
    StatementIssued,
    rounded,
)
from domain.terms import EACH, RevenueShare
from domain.terms_by_day import TermsByDay
from domain.values import instant, plain
from projections import kpis
from projections.accruals import (
    Due,
    dues_of_deal,
    dues_of_entry,
    dues_of_window,
    fees_of_month,
    item_of,
    metrics_of,
    owes_fees,
    terms_by_day,
)
from projections.fold import NOTHING, Change, Projection, Row, Rows

AGREED, TOTALS, WINDOWED = "agreed", "totals", "windows"
"""The keys of the shared rows. Each deal, entry and statement also has its own row."""

_DEALS = (
    ReferralSubmitted,
    ReferralAttributed,
    AttributionSettled,
    DealWon,
    PaymentReceived,
    RefundIssued,
    ChargebackReversed,
)
_ENTRIES = (JointRevenueReceived, SharedCostIncurred, PenaltyConceded, EntryReversed)
_DISPUTES = (DisputeOpened, DisputeResolved)
_ABOUT: frozenset[type[Event]] = frozenset({*_DEALS, *_ENTRIES, *_DISPUTES})
"""The facts about one deal or entry."""

_ISSUED = (StatementIssued, FinalSettlementIssued, PayoutRecorded)


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the rows that an event touches."""
    event = recorded.event
    if isinstance(event, _DEALS):
        return (AGREED, TOTALS, WINDOWED, f"deal/{event.deal}")
    if isinstance(event, _ENTRIES):
        return (AGREED, TOTALS, f"entry/{event.entry}")
    if isinstance(event, _DISPUTES):
        subject = _disputed(event)
        return (AGREED, TOTALS, subject) if subject else ()
    if isinstance(event, StatementIssued):
        return (AGREED, TOTALS, f"statement/{event.statement}")
    if isinstance(event, FinalSettlementIssued):
        return (AGREED, TOTALS, *(f"statement/{name}" for name, _ in event.by_name()))
    if isinstance(event, PayoutRecorded):
        return (f"statement/{event.statement}",)
    return (AGREED, TOTALS, WINDOWED)


@exact
def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take an event into the ledger."""
    kind = type(recorded.event)
    if kind in kpis.MEASURED and kind not in _ABOUT and not rows.get(AGREED, {}).get("needed"):
        return NOTHING  # Most terms depend on no metric, and most facts measure one.
    posting = post(rows, recorded)
    return Change(posting.changed, []) if posting.changed else NOTHING


@exact
def post(rows: Rows, recorded: Recorded, policy: AttributionPolicy | None = None) -> "Posting":
    """Return the rows that an event changes, and the lines that it posts.

    `policy` replays another attribution policy in the place of those agreed.
    """
    posting = Posting(rows, recorded, policy)
    _take(posting, recorded)
    return posting


def _take(posting: "Posting", recorded: Recorded) -> None:
    event = recorded.event
    kind = type(event)
    if kind in _ABOUT:
        subject = _disputed(event) if isinstance(event, _DISPUTES) else keys(recorded)[-1]
        if subject:
            posting.about(subject, event)
    if kind in kpis.MEASURED:
        posting.count()
    if kind in _ABOUT or kind in kpis.MEASURED:
        return
    match event:
        case PeriodClosed(period=period):
            posting.close(period)
        case DeadlinePassed(kind=DeadlineKind.EXIT, ref=ref):
            posting.fall_due(month_of(date.fromisoformat(ref)))
        case StatementIssued(statement=name, period=period, balance=balance):
            posting.state(name, period, balance)
        case FinalSettlementIssued():
            for name, balance in event.by_name():
                posting.state(name, "", balance)
        case PayoutRecorded():
            posting.pay_out(event)
        case _:
            posting.agree(event)


def _disputed(event: DisputeOpened | DisputeResolved) -> str | None:
    if event.deal is not None:
        return f"deal/{event.deal}"
    return f"entry/{event.entry}" if event.entry is not None else None


# --- posting -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Posting:
    """One event's posting: the rows as they become, and the lines."""

    rows: Rows
    recorded: Recorded
    policy: AttributionPolicy | None = None
    changed: dict[str, Row] = field(default_factory=dict)
    lines: list[Row] = field(default_factory=list)

    def row(self, key: str) -> Row:
        """Return a row with the changes so far."""
        return self.changed.get(key) or self.rows.get(key, {})

    def put(self, key: str, **more: Any) -> Row:  # noqa: ANN401 - JSON
        """Change fields of a row, and return it."""
        self.changed[key] = {**self.row(key), **more}
        return self.changed[key]

    # What was agreed.

    def agree(self, event: Event) -> None:
        """Apply the parties, terms, investments, incentives, rates or the exit."""
        agreed, act = self.row(AGREED), self.recorded.act
        match event:
            case ExplorationBegun():
                self.put(AGREED, parties=[act.party])
            case PartnerChosen():
                self.put(AGREED, parties=[*agreed.get("parties", ())[:1], event.candidate])
            case CommercialTermsAgreed():
                versions = [*agreed.get("versions", ()), event.model_dump_json()]
                needed = {*agreed.get("needed", ()), *metrics_of(event)}
                fees = agreed.get("fees", False) or owes_fees(event)
                self.put(AGREED, versions=versions, needed=sorted(needed), fees=fees)
            case JointInvestmentAgreed():
                shares = {
                    "cost": _amounts_of(event.investment_shares),
                    "reward": _amounts_of(event.reward_shares),
                }
                known = agreed.get("investments", {})
                self.put(AGREED, investments={**known, event.proposal: shares})
            case IncentiveIntroduced(per_referral=per_referral) if per_referral is not None:
                offered = {
                    "name": event.incentive,
                    "by": act.party,
                    # An incentive applies from its recording, never retroactively.
                    "since": act.recorded_at.isoformat(),
                    "amount": plain(per_referral.amount),
                    "currency": per_referral.currency,
                }
                self.put(AGREED, incentives=[*agreed.get("incentives", ()), offered])
            case RateCaptured():
                rate = {f"{event.base}|{event.quote}|{event.month}": plain(event.rate)}
                self.put(AGREED, rates={**agreed.get("rates", {}), **rate})
            case ExitNoticeGiven():
                self.put(AGREED, ends=event.effective_on.isoformat())
            case _:
                return

    # The earnings of deals and entries.

    def about(self, subject: str, event: Event) -> None:
        """Take a fact about a deal or an entry, and post what it changes."""
        self.changed[subject] = _with_fact(self.row(subject), event, self.recorded)
        row, agreed = self.row(subject), self.row(AGREED)
        dues = dues_of_deal if subject.startswith("deal/") else dues_of_entry
        self._post_dues(subject, dues(row, agreed, self.policy))
        self._post_disputes(subject)

    def _post_dues(self, subject: str, dues: Iterable[Due]) -> None:
        before: dict[str, str] = self.row(subject).get("due", {})
        after = {due.key: due for due in dues}
        if not before and not after:
            return
        for key in dict.fromkeys([*before, *after]):
            due = after.get(key) or _gone(key)
            change = due.amount - Decimal(before.get(key, 0))
            if due.window:
                change = self._add_up(due, change)
            self._post(subject, due, change)
        self.put(subject, due={key: plain(due.amount) for key, due in after.items() if due.amount})

    def _add_up(self, due: Due, change: Decimal) -> Decimal:
        """Add a change to a window's total; return the change in its earnings."""
        item = item_of(self.row(AGREED), due.version, due.item)
        if not change or not isinstance(item, RevenueShare):
            return Decimal(0)
        windows = self.row(TOTALS).get("windows", {})
        name = f"{due.version}.{due.item}|{due.window}|{due.currency}"
        total, earned = (Decimal(each) for each in windows.get(name, ("0", "0")))
        total += change
        now = rounded(item.earned(total), due.currency)
        self.put(TOTALS, windows={**windows, name: [plain(total), plain(now)]})
        due.details["window"] = {"name": due.window, "total": plain(total), "earned": plain(now)}
        return now - earned

    def _post_disputes(self, subject: str) -> None:
        """Take back what disputes awarded, and hold what is still disputed."""
        row = self.row(subject)
        earned = {key: Decimal(each) for key, each in row.get("earned", {}).items()}
        disputes: dict[str, Row] = row.get("disputes", {})
        if not (disputes or row.get("held") or row.get("awarded")):
            return
        taken = _share_out(earned, [each for each in disputes.values() if each["state"] == "over"])
        self._move(subject, "awarded", {key: -each for key, each in taken.items()})
        left = {key: each - taken.get(key, 0) for key, each in earned.items()}
        held = _share_out(left, [each for each in disputes.values() if each["state"] == "open"])
        self._move(subject, "held", held)

    def _move(self, subject: str, what: str, wanted: Mapping[str, Decimal]) -> None:
        """Post the difference between what disputes moved before and what they move now."""
        before: dict[str, str] = self.row(subject).get(what, {})
        for key in dict.fromkeys([*before, *wanted]):
            currency, month, to = key.split("|")
            change = wanted.get(key, Decimal(0)) - Decimal(before.get(key, 0))
            if not change:
                continue
            if what == "held":
                kind = "hold" if change > 0 else "release"
                self._add("held", currency, month, to, change)
                self._line(subject, kind, currency, month, to, -change)
            else:
                self._line(subject, "dispute", currency, month, to, change)
        self.put(subject, **{what: {key: plain(each) for key, each in wanted.items() if each}})

    def _post(self, subject: str, due: Due, change: Decimal) -> None:
        if not change:
            return
        if subject != WINDOWED:  # Only a deal's or an entry's money can be disputed.
            self._earn(subject, due, change)
        more = {**due.details, "fact": due.fact, "terms_version": due.version}
        self._line(subject, due.item, due.currency, due.month, due.to, change, more)

    def _earn(self, subject: str, due: Due, change: Decimal) -> None:
        key = f"{due.currency}|{due.month}|{due.to}"
        earned = self.row(subject).get("earned", {})
        self.put(subject, earned={**earned, key: plain(Decimal(earned.get(key, 0)) + change)})

    def _line(  # noqa: PLR0913, PLR0917 - what a line is
        self,
        subject: str,
        item: str,
        currency: str,
        month: str,
        to: str,
        amount: Decimal,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        recorded = self.recorded
        self._add("open", currency, month, to, amount)
        self.lines.append(
            {
                "index": recorded.index,
                "because_of": recorded.event.wire,
                "occurred_at": instant(recorded.act.occurred_at),
                "late_days": recorded.late_days,
                "about": subject,
                "item": item,
                "month": month,
                "to": to,
                "currency": currency,
                "amount": plain(amount),
                **(more or {}),
            }
        )

    # Sums.

    def _add(self, what: str, currency: str, month: str, party: str, amount: Decimal) -> None:
        sums = self.row(TOTALS).get(what, {})
        key = f"{month}|{currency}"
        known = sums.get(key, {"earned": {}, "lines": 0})
        earned = known["earned"]
        now = {**earned, party: plain(Decimal(earned.get(party, 0)) + amount)}
        lines = known["lines"] + 1
        self.put(TOTALS, **{what: {**sums, key: {"earned": now, "lines": lines}}})

    # What falls due with time.

    def close(self, period: str) -> None:
        """Post the fees of a month that is over, and judge the windows that end with it."""
        agreed = self.row(AGREED)
        if agreed.get("fees") and "Q" not in period:
            self.fall_due(period)
        if not agreed.get("needed"):
            return
        windowed = self.row(WINDOWED)
        ended = [period, *([period[:4]] if period.endswith("Q4") else [])]
        closed = dict.fromkeys([*windowed.get("closed", ()), *ended])
        self.put(WINDOWED, closed=[*closed])
        self._judge(ended)

    def fall_due(self, month: str) -> None:
        """Post the fees that fell due in a month: retainers, licences, the base of a hybrid."""
        agreed = self.row(AGREED)
        # The day of the exit and the end of its month both look at that month.
        posted = self.row(WINDOWED).get("fees", {}).get(month, [])
        dues = [due for due in fees_of_month(agreed, month) if due.key not in posted]
        for due in dues:
            self._post(WINDOWED, due, due.amount)
        if dues:
            self.put(WINDOWED, fees={month: [*posted, *(due.key for due in dues)]})

    def count(self) -> None:
        """Apply a measured fact that terms depend on, and judge the windows it changes again."""
        needed = self.row(AGREED).get("needed", ())
        if not needed or not any(each in needed for each in kpis.measures(self.recorded)):
            return
        period = kpis.period_of(self.recorded)
        windowed = self.row(WINDOWED)
        periods = windowed.get("periods", {})
        row = kpis.stored_with(periods.get(period, {}), self.recorded)
        self.put(WINDOWED, periods={**periods, period: row})
        wholes = (period, quarter_of(period), period[:4]) if "-" in period else (period,)
        self._judge([each for each in dict.fromkeys(wholes) if each in windowed.get("closed", ())])

    def _judge(self, windows: Iterable[str]) -> None:
        agreed, windowed = self.row(AGREED), self.row(WINDOWED)
        for window in windows:
            before = {
                key: amount
                for key, amount in windowed.get("due", {}).items()
                if key.startswith(f"{window}|")
            }
            after = {due.key: due for due in dues_of_window(agreed, windowed, window)}
            for key in dict.fromkeys([*before, *after]):
                due = after.get(key) or _gone(key)
                self._post(WINDOWED, due, due.amount - Decimal(before.get(key, 0)))
            kept = {
                key: amount
                for key, amount in self.row(WINDOWED).get("due", {}).items()
                if key not in before
            }
            posted = {key: plain(each.amount) for key, each in after.items()}
            windowed = self.put(WINDOWED, due=kept | posted)

    # Statements.

    def state(self, name: str, period: str, balance: Balance) -> None:
        """Subtract a statement's sums from the open ones."""
        totals = self.row(TOTALS)
        open_, stated = dict(totals.get("open", {})), dict(totals.get("stated", {}))
        for part in balance.parts:
            key = f"{part.month}|{part.currency}"
            open_.pop(key, None)
            known = stated.get(key, {"earned": {}, "converted": {}})
            stated[key] = {
                "earned": _added(known["earned"], part.earned),
                "converted": _added(known["converted"], part.converted or {}),
            }
        self.put(TOTALS, open=open_, stated=stated)
        self.put(
            f"statement/{name}",
            statement=name,
            period=period,
            index=self.recorded.index,
            issued_at=instant(self.recorded.act.recorded_at),
            **balance.model_dump(mode="json", exclude_none=True),
            paid="0",
        )

    def pay_out(self, event: PayoutRecorded) -> None:
        """Apply a payment of a statement."""
        key = f"statement/{event.statement}"
        paid = Decimal(self.row(key).get("paid", "0")) + event.amount.amount
        self.put(key, paid=plain(paid))


def _amounts_of(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {party: plain(amount) for party, amount in amounts.items()}


def _added(sums: Mapping[str, str], more: Mapping[str, Decimal]) -> dict[str, str]:
    return {
        **sums,
        **{party: plain(Decimal(sums.get(party, 0)) + each) for party, each in more.items()},
    }


def _share_out(earned: Mapping[str, Decimal], disputes: Iterable[Row]) -> dict[str, Decimal]:
    """Return the disputed amount of each dispute, in the order of the keys."""
    taken: dict[str, Decimal] = {}
    for dispute in disputes:
        left = None if dispute["amount"] is None else Decimal(dispute["amount"])
        for key in sorted(earned):
            of = max(Decimal(0), earned[key] - taken.get(key, Decimal(0)))
            if left is not None:
                of = min(of, left) if key.startswith(f"{dispute['currency']}|") else Decimal(0)
                left -= of
            if of:
                taken[key] = taken.get(key, Decimal(0)) + of
    return taken


def _gone(key: str) -> Due:
    """Return a due of zero for the key of one that no longer exists."""
    fact, place, to, currency, month, window = key.split("|")
    version, _, item = place.partition(".")
    return Due(fact, to, Decimal(0), currency, month, int(version), item, {}, window)


# --- the state of a deal or an entry -----------------------------------------------------------


def _with_fact(row: Row, event: Event, recorded: Recorded) -> Row:
    act = recorded.act
    day = act.occurred_at.date().isoformat()
    match event:
        case ReferralSubmitted():
            return {**row, "by": act.party, "at": act.occurred_at.isoformat()}
        case ReferralAttributed():
            claim = [event.to, event.method.value, event.touched_at.isoformat()]
            return {**row, "claims": {**row.get("claims", {}), event.to: claim}}
        case AttributionSettled():
            return {**row, "settled": _amounts_of(event.shares)}
        case DealWon(annual_contract_value=value):
            won = [day, plain(value.amount), value.currency, act.party]
            return {**row, "won": won}
        case PaymentReceived():
            paid = {
                "day": day,
                "amount": plain(event.amount.amount),
                "currency": event.amount.currency,
                "by": event.collected_by,
                "covers": event.covers_from.isoformat(),
            }
            return {**row, "payments": {**row.get("payments", {}), event.payment: paid}}
        case RefundIssued():
            given = [event.payment, plain(event.amount.amount)]
            return {**row, "back": {**row.get("back", {}), event.refund: given}}
        case ChargebackReversed():
            return {
                **row,
                "back": {key: x for key, x in row.get("back", {}).items() if key != event.refund},
            }
        case JointRevenueReceived() | SharedCostIncurred() | PenaltyConceded():
            return {**row, "day": day, **_entry(event)}
        case EntryReversed():
            taken = plain(event.amount.amount)
            return {**row, "back": {**row.get("back", {}), event.reversal: taken}}
        case DisputeOpened():
            return _with_dispute(row, event.dispute, "open", event.amount)
        case DisputeResolved():
            return _resolved(row, event)
        case _:
            return row


def _entry(event: JointRevenueReceived | SharedCostIncurred | PenaltyConceded) -> Row:
    row: Row = {"amount": plain(event.amount.amount), "currency": event.amount.currency}
    match event:
        case JointRevenueReceived():
            return row | {"kind": "revenue", "by": event.collected_by, "under": event.under}
        case SharedCostIncurred():
            more = {"kind": "cost", "by": event.paid_by, "under": event.under, "cost": event.cost}
            return row | more
        case PenaltyConceded():
            return row | {"kind": "penalty", "by": event.on}


def _with_dispute(row: Row, name: str, state: str, amount: Any) -> Row:  # noqa: ANN401 - Money
    dispute = {
        "state": state,
        "amount": plain(amount.amount) if amount else None,
        "currency": amount.currency if amount else None,
    }
    return {**row, "disputes": {**row.get("disputes", {}), name: dispute}}


def _resolved(row: Row, event: DisputeResolved) -> Row:
    match event.outcome:
        case DisputeOutcome.UPHELD:
            return _with_dispute(row, event.dispute, "over", event.amount)
        case DisputeOutcome.SETTLED:
            return _with_dispute(row, event.dispute, "over", event.award)
        case _:
            rest = {key: x for key, x in row.get("disputes", {}).items() if key != event.dispute}
            return {**row, "disputes": rest}


# --- what a decision asks ----------------------------------------------------------------------


def ledger(rows: Rows) -> Ledger:
    """Return what has accrued and is not stated yet, from the rows of a whole history."""
    totals, agreed = rows.get(TOTALS, {}), rows.get(AGREED, {})
    terms = terms_by_day(agreed)
    rates = {
        (base, quote, month): Decimal(rate)
        for key, rate in agreed.get("rates", {}).items()
        for base, quote, month in [key.split("|")]
    }
    stated = totals.get("stated", {})
    return Ledger(
        tuple(
            _accrued(key, each, stated.get(key), terms) for key, each in _in_order(totals, "open")
        ),
        tuple(
            _accrued(key, each, None, terms)
            for key, each in _in_order(totals, "held")
            if _any(each)
        ),
        rates,
    )


def _in_order(totals: Row, what: str) -> list[tuple[str, Row]]:
    return sorted(totals.get(what, {}).items())


def _any(each: Row) -> bool:
    return any(Decimal(amount) for amount in each["earned"].values())


def _accrued(key: str, each: Row, stated: Row | None, terms: TermsByDay) -> Accrued:
    month, currency = key.split("|")
    last_day = bounds(month)[1].date() - timedelta(days=1)
    settles_in = terms.frame(last_day).settles_in if terms.is_agreed else EACH
    known = stated or {"earned": {}, "converted": {}}
    return Accrued(
        month,
        currency,
        _amounts(each["earned"]),
        each["lines"],
        _amounts(known["earned"]),
        _amounts(known["converted"]),
        currency if settles_in == EACH else settles_in,
    )


def _amounts(sums: Mapping[str, str]) -> dict[str, Decimal]:
    return {party: Decimal(amount) for party, amount in sums.items()}


SETTLEMENT = Projection(
    "settlement",
    keys,
    apply,
    frozenset(
        {
            *_DEALS,
            *_ENTRIES,
            *_DISPUTES,
            *_ISSUED,
            *kpis.MEASURED,
            ExplorationBegun,
            PartnerChosen,
            CommercialTermsAgreed,
            JointInvestmentAgreed,
            IncentiveIntroduced,
            RateCaptured,
            ExitNoticeGiven,
            PeriodClosed,
            DeadlinePassed,
        }
    ),
    version=3,
)
