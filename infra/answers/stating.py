"""Statements: what accrued in a period, line by line, found again by replay of the log alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from domain import settlement
from domain.attribution import AttributionPolicy
from domain.calendar import bounds
from domain.kernel import Refused
from domain.recorded import Recorded
from domain.settlement import ROUNDING, Balance, FinalSettlementIssued, StatementIssued
from domain.values import instant
from infra.answers.logs import NOW, AsOf, NotFound, Row, log, size_of, view_rows
from infra.answers.text import late
from infra.bootstrap import Accord
from infra.deciding.service import Outcome, wall_clock
from projections import OVERVIEW, SETTLEMENT
from projections.overview import OVERVIEW_ROW
from projections.settlement import AGREED, ledger, post

SOURCE = "accord:settle"
"""The source of statements that `accord settle` asks for."""


def statements(accord: Accord, partnership: str) -> Iterator[Row]:
    """Give the statements that were issued, as the view has them, in the order of issue.

    Each has its balance, its parts by month and currency, and what was paid.
    """
    found = [
        row
        for key, row in accord.views.select(SETTLEMENT.name, partnership)
        if key.startswith("statement/") and "index" in row
    ]
    yield from sorted(found, key=lambda row: (row["index"], row["statement"]))


def statement(
    accord: Accord,
    partnership: str,
    period: str,
    when: AsOf = NOW,
    policy: AttributionPolicy | None = None,
) -> Row:
    """Give what accrued up to the end of a period, issued or not yet, with every line (C10).

    `period` may also be the name of a final settlement. `policy` weighs competing claims by
    another policy than those agreed, and then nothing counts as issued. Raises `NotFound`.
    """
    known = posted(log(accord.history, partnership, when), policy)
    found = [
        known.as_paid(each)
        for each in known.issued
        if period in (each["period"], each["settlement"], each["statement"])
    ]
    if not found and not _is_period(period):
        names = ", ".join(f"{each['statement']}" for each in known.issued) or "none was issued"
        raise NotFound(f"There is no statement {period}.", f"Statements: {names}.")
    open_ = [] if not _is_period(period) else list(known.drafts(period))
    answer: Row = {
        "id": partnership,
        "period": period,
        "as_of": when.as_json(),
        "rounding": ROUNDING,
        "statements": [_in_words(each) for each in (*found, *open_)],
    }
    if policy is not None:
        answer["policy"] = policy.model_dump(mode="json", exclude_none=True)
    return answer


def posted(events: Iterable[Recorded], policy: AttributionPolicy | None = None) -> "Posted":
    """Give the lines of a log, and the statements that took them up."""
    found = Posted(policy)
    for recorded in events:
        found.take(recorded)
    return found


def _in_words(issued: Row) -> Row:
    shown = {name: value for name, value in issued.items() if name != "balance"}
    return shown | {"lines": [line | {"text": words(line)} for line in shown["lines"]]}


def _is_period(text: str) -> bool:
    try:
        bounds(text)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Posted:
    """The lines of a log as it goes by, and the statements that took them up."""

    policy: AttributionPolicy | None
    rows: dict[str, Row] = field(default_factory=dict)
    open: list[Row] = field(default_factory=list)
    issued: list[Row] = field(default_factory=list)

    def take(self, recorded: Recorded) -> None:
        """Post an event; a statement takes up the lines that it says."""
        event = recorded.event
        if self.policy is not None and isinstance(event, StatementIssued | FinalSettlementIssued):
            return
        posting = post(self.rows, recorded, self.policy)
        self.rows |= posting.changed
        self.open += posting.lines
        match event:
            case StatementIssued(statement=name, period=period, balance=balance):
                self._issue(recorded, name, period, "", balance)
            case FinalSettlementIssued(settlement=final):
                for balance in event.balances:
                    self._issue(recorded, f"{final}:{balance.currency}", "", final, balance)
            case _:
                pass

    def _issue(
        self, recorded: Recorded, name: str, period: str, final: str, balance: Balance
    ) -> None:
        parts = {(part.month, part.currency) for part in balance.parts}
        taken: list[Row] = []
        left: list[Row] = []
        for line in self.open:
            (taken if (line["month"], line["currency"]) in parts else left).append(line)
        self.open = left
        self.issued.append(
            {
                "statement": name,
                "period": period,
                "settlement": final,
                "state": "issued",
                "issued_at": instant(recorded.act.recorded_at),
                "index": recorded.index,
                **_balance(balance),
                "balance": _balance(balance),
                "lines": taken,
            }
        )

    def as_paid(self, issued: Row) -> Row:
        """Give a statement with what was paid on it since."""
        row = self.rows[f"statement/{issued['statement']}"]
        settled = Decimal(row["paid"]) == Decimal(row["amount"])
        return issued | {"paid": row["paid"], "state": "settled" if settled else "issued"}

    def drafts(self, period: str) -> Iterator[Row]:
        """Give what accrued up to the end of a period and is not stated yet, by currency."""
        end = bounds(period)[1]
        known = ledger(self.rows)
        parties = tuple(self.rows.get(AGREED, {}).get("parties", ()))
        waiting = [each for each in known.accrued if bounds(each.month)[1] <= end]
        if not waiting or len(parties) != 2:  # noqa: PLR2004 - a partnership is of two
            return
        for currency in [known.settles_in] if known.settles_in else _currencies(waiting):
            lines = [
                line
                for line in self.open
                if bounds(line["month"])[1] <= end
                and (known.settles_in or line["currency"] == currency)
            ]
            draft: Row = {"statement": None, "period": period, "state": "open", "lines": lines}
            try:
                balance = settlement.balance(currency, waiting, known, parties)
            except Refused as refused:
                yield draft | {"currency": currency, "refused": refused.detail, "parts": []}
            else:
                yield draft | _balance(balance)


def _currencies(accrued: Iterable[settlement.Accrued]) -> list[str]:
    return sorted({each.currency for each in accrued})


def _balance(balance: Balance) -> Row:
    return balance.model_dump(mode="json", exclude_none=True)


_MOVES = {
    "hold": "held, because it is disputed",
    "release": "no longer held",
    "dispute": "taken back by the outcome of a dispute",
}


def words(line: Row) -> str:
    """Give what a line is for, in words: of what, which share, under which terms, since when."""
    kind = line["item"].lstrip("0123456789-")
    about = line["about"].replace("/", " ")
    if kind in _MOVES:
        return f"{about}: {_MOVES[kind]}"
    parts = [kind if line["fact"] in kind else f"{kind} of {line['fact']}"]
    if line["about"].startswith(("deal/", "entry/")):
        parts[0] += f", {about}"
    if "share" in line:
        parts.append(f"{line['share']} % of {line['basis']}")
    elif "figure" in line and "threshold" in line:
        parts.append(f"{line['figure']} against {line['threshold']}")
    elif "figure" in line:
        parts.append(f"{line['figure']} at {line['basis']}")
    if line.get("credited", "100") != "100":
        parts.append(f"credited with {line['credited']} %")
    if "window" in line:
        window = line["window"]
        parts.append(f"{window['total']} in {window['name']} earn {window['earned']}")
    if line["terms_version"]:
        parts.append(f"terms version {line['terms_version']}")
    if days := line["late_days"]:
        parts.append(late(days))
    return "; ".join(parts)


# --- asking for statements ---------------------------------------------------------------------


def settle(accord: Accord, partnership: str, period: str, party: str | None = None) -> Outcome:
    """Issue the statements of a period that is over, as one of the parties asks for it.

    The initiator asks unless a `party` is named. Asked again it gives what came of it first; what
    was refused may be asked again once it is mended. Raises `NotFound`.
    """
    size_of(accord.history, partnership)
    accord.catch_up()
    overview = view_rows(accord, OVERVIEW, partnership)[OVERVIEW_ROW]
    last = accord.history.heads([partnership])[partnership].recorded_at
    moment = instant(last if accord.simulated else wall_clock())
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{partnership}/{period}/{moment}",
        "source": SOURCE,
        "type": "accord.IssueStatement",
        "subject": partnership,
        "time": moment,
        "party": party or overview.parties[0],
        "actor": "accord settle",
        "data": {"period": period},
    }
    outcome = accord.service.ask(orjson.dumps(event))
    accord.catch_up()
    return outcome
