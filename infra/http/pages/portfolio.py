"""The portfolio: which partnership needs me?

One table of all partnerships, the one in most need of attention first, with the reason in the row.
A long one is shown a page at a time; the figures above it are those of all partnerships.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from domain.charter import ObjectiveStatus
from domain.deadlines.deadline import Deadline, DeadlineKind
from domain.deadlines.reviews import cadence_words
from domain.standing_alerts import DEPENDENCY_HIGH, DISPUTE_OPENED, EXIT_AHEAD
from domain.values import Slug, name_order
from infra.access.roles import Need
from infra.answers.inbox import INBOX, Awaiting, InboxItem, days_ahead
from infra.answers.logs import moments_of
from infra.answers.parameters import Name
from infra.answers.portfolio import PORTFOLIO, Portfolios
from infra.answers.zones import zones_of
from infra.http.access import needs
from infra.http.pages.alerts import NONE_OPEN, OpenAlerts, open_alerts, program
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.inbox import by_thing
from infra.http.pages.site import (
    PageRoute,
    Visit,
    Visited,
    blank_as_none,
    names_of_each,
    page,
)
from projections.alerts import Alert
from projections.portfolio import PartnershipLine, Portfolio

router = APIRouter(route_class=PageRoute, include_in_schema=False)

A = TypeVar("A", Alert, InboxItem)

SHOWN: Final = 100
"""Partnerships of a page."""

_BEHIND: Final = frozenset(ObjectiveStatus) - {
    ObjectiveStatus.OPEN,
    ObjectiveStatus.ON_TRACK,
    ObjectiveStatus.MET,
    ObjectiveStatus.GIVEN_UP,
}
"""The statuses of a partnership that is not on track."""

_RANKS: Final = {status: rank for rank, status in enumerate(ObjectiveStatus)}


@dataclass(frozen=True, slots=True)
class Row:
    """A partnership in the table."""

    line: PartnershipLine
    party: str
    """The party whose portfolio it is in."""
    initiator: str
    """The name of that party."""
    to_act_on: tuple[Alert, ...]
    reminders: tuple[Alert, ...]
    next: InboxItem | None
    """What is due next of either party; without a deadline ahead, what waits longest."""
    overdue: tuple[InboxItem, ...]
    """What was due of either party, the longest first."""
    leaves: Alert | None
    """The alert that the partnership will end: a party gave notice, or both agreed an exit."""

    @property
    def name(self) -> str:
        """The two parties, as people name a partnership."""
        partner = self.line.name or self.line.partner
        return f"{self.initiator} × {partner}" if partner else self.initiator

    @property
    def parties(self) -> tuple[str, ...]:
        """The names of its parties."""
        return (self.initiator, self.line.name or self.line.partner or "")

    @property
    def soonest(self) -> tuple[date, tuple[str, str]]:
        """Where it comes by the day on which somebody acts next, or should have acted."""
        days = [each.day for each in (*self.overdue[:1], self.next) if each and each.is_last]
        return (min(days, default=date.max), name_order(self.name))

    @property
    def rank(self) -> tuple[int, int, tuple[str, str]]:
        """Where it comes by need: overdue and broken first, ended last."""
        status = _RANKS[self.line.status] if self.line.status else len(_RANKS)
        return (status, -len(self.to_act_on), name_order(self.name))


@dataclass(frozen=True, slots=True)
class Line:
    """A partnership as a row of a table, with a column for each currency and metric of money."""

    id: str
    party: str
    """The party whose portfolio it is in."""
    partner: str | None
    name: str | None
    stage: str | None
    since: date | None
    """The day on which that stage began."""
    active: bool
    joined: date | None
    status: str | None
    reasons: tuple[str, ...]
    reason_codes: tuple[str, ...]
    """The code of each reason with its subject: an objective, or an alert."""
    open_alerts: int
    leads: Decimal | None
    conversions: Decimal | None
    margin: Decimal | None
    attention: Decimal | None
    objectives: tuple[str, ...]
    """The status of each objective."""
    economics: tuple[str, ...]
    pays: str
    segments: tuple[str, ...]
    markets: tuple[str, ...]
    notes: tuple[str, ...]
    revenue: Mapping[str, Decimal]
    """The revenue so far, by metric and currency."""
    average_contract_value: Mapping[str, Decimal]
    money: Mapping[str, Decimal]
    """What is owed, by side and currency."""

    @classmethod
    def of(cls, party: str, line: PartnershipLine) -> "Line":
        """Return the row of a partnership in the portfolio of a party."""
        sides = ("owe", "owe_overdue", "owe_unstated", "owed", "owed_overdue", "owed_unstated")
        return cls(
            line.id,
            party,
            line.partner,
            line.name,
            line.stage,
            line.since,
            line.active,
            line.joined,
            line.status,
            tuple(each.text for each in line.reasons),
            tuple(f"{each.code} {each.objective or each.alert}" for each in line.reasons),
            len(line.open_alerts),
            line.leads,
            line.conversions,
            line.margin,
            line.attention,
            tuple(f"{each.objective.objective} {each.status}" for each in line.objectives),
            line.economics,
            line.pays,
            line.segments,
            line.markets,
            line.notes,
            {f"{each.metric}.{each.currency}": each.amount for each in line.revenue},
            {each.currency: each.amount for each in line.average_contract_value},
            {
                f"{side}.{each.currency}": getattr(each, side)
                for each in line.money
                for side in (*sides, "disputed")
            },
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures above the table."""

    partnerships: int
    active: int
    leaving: int
    """How many of them will end: a party gave notice, or both agreed an exit."""
    on_track: int
    behind: int
    """How many active ones are not on track. One that has only begun is neither."""
    to_act_on: int
    reminders: int
    disputed: tuple[tuple[str, Decimal], ...]
    """What open disputes are about, by currency, on issued statements too."""
    held: tuple[tuple[str, Decimal], ...]
    """The part of that on no statement yet: it is on hold."""
    next: InboxItem | None
    """The deadline that comes next."""
    overdue: int
    """How many things were due."""

    @property
    def only_begun(self) -> int:
        """How many active ones have only begun: they are neither on track nor behind."""
        return self.active - self.on_track - self.behind


class Order(StrEnum):
    """How the partnerships are ordered."""

    NEED = "need"
    NAME = "name"
    DEADLINE = "deadline"


_ORDERS: Final = {
    Order.NEED: ("most in need of attention first", lambda each: each.rank),
    Order.NAME: ("by name", lambda each: name_order(each.name)),
    Order.DEADLINE: ("the soonest deadline first", lambda each: each.soonest),
}
"""Each order in words, and what a row is ordered by."""

Company = Annotated[
    Name | None, BeforeValidator(blank_as_none), Query(description="Only those of this company.")
]


Chosen = Annotated[Order | None, Query(description="Which partnership comes first.")]


@router.get("/portfolio.json")
@needs(Need.FACTS)
def portfolio_json(visit: Visited, company: Company = None, order: Chosen = None) -> Response:
    """Return the portfolio as JSON, each party's in the order of the page if it is asked for."""
    answer, rows = _limited(visit, company, order)
    places = {each.line.id: place for place, each in enumerate(rows)}

    def of(portfolio: Portfolio) -> Portfolio:
        partners = (each for each in portfolio.partners if each.id in places)
        return replace(
            portfolio, partners=tuple(sorted(partners, key=lambda each: places[each.id]))
        )

    return as_json(answer.model_copy(update={"portfolios": tuple(map(of, answer.portfolios))}))


@router.get("/portfolio.csv")
@needs(Need.FACTS)
def portfolio_csv(visit: Visited, company: Company = None, order: Chosen = None) -> Response:
    """Return the partnerships as a table, in the order of the page if it is asked for."""
    _, rows = _limited(visit, company, order)
    return as_csv("portfolio", Line, (Line.of(each.party, each.line) for each in rows))


def _limited(
    visit: Visit, company: str | None, order: Order | None
) -> tuple[Portfolios, list[Row]]:
    """Return the answer, and the rows of a company; in no order, nothing else is asked for."""
    answer = PORTFOLIO.reply(visit.accord, when=visit.when())
    found = (NONE_OPEN, Waiting((), (), ())) if order is None else _asked(visit, answer.moment)
    return answer, _in_order(_rows(answer.portfolios, *found), company, order)


def _asked(visit: Visit, moment: datetime | None) -> tuple[OpenAlerts, "Waiting"]:
    """Return the open alerts and what awaits the parties."""
    items = by_thing(INBOX.whole(visit.accord, when=visit.when()).items)
    return open_alerts(visit), Waiting.of((each.item for each in items), moment)


def _in_order(rows: Iterable[Row], company: str | None, order: Order | None) -> list[Row]:
    of_company = [each for each in rows if company is None or company in each.parties]
    return of_company if order is None else sorted(of_company, key=_ORDERS[order][1])


@dataclass(frozen=True, slots=True)
class Ahead:
    """A day ahead on which nobody has to act yet."""

    text: str
    day: date
    is_last: bool
    """Whether the day is the last one in time."""

    @classmethod
    def of(cls, deadline: Deadline) -> "Ahead":
        """Return a deadline in words."""
        match deadline.kind:
            case DeadlineKind.NOTICE:
                return cls("Last day for notice", deadline.last_day, is_last=True)
            case DeadlineKind.CADENCE:
                text = f"The next {cadence_words(deadline.ref.partition('/')[0])}"
                return cls(text, deadline.last_day, is_last=True)
            case kind:
                text = "The exit takes effect" if kind is DeadlineKind.EXIT else "The term is over"
                return cls(text, deadline.day or deadline.last_day, is_last=False)


def _ahead(visit: Visit, rows: Iterable[Row], moment: datetime | None) -> dict[str, Ahead]:
    """Return the next day ahead of each row on which nobody has to act yet."""
    asked = [each.line.id for each in rows if each.next is None and each.leaves is None]
    if moment is None or not asked:
        return {}
    found = days_ahead(visit.accord, asked, visit.when()).items()
    days = {name: [each for each in of if each.due > moment] for name, of in found}
    return {name: Ahead.of(min(of)) for name, of in days.items() if of}


@router.get("/portfolio")
@needs(Need.FACTS)
def portfolio_page(
    visit: Visited,
    after: Annotated[Slug | None, Query(description="The last one of the page before.")] = None,
    company: Company = None,
    order: Annotated[Order, Query(description="Which partnership comes first.")] = Order.NEED,
) -> Response:
    """Show the partnerships that the viewer sees, the one in most need first unless asked."""
    answer = PORTFOLIO.reply(visit.accord, when=visit.when())
    opened, waiting = _asked(visit, answer.moment)
    rows = [*_rows(answer.portfolios, opened, waiting)]
    of_company = _in_order(rows, company, order)
    listed = _page(of_company, after)
    days = _days(visit, listed.rows)
    summary = _summary(answer.portfolios, rows, opened, waiting)
    due = [summary.next.partnership] if summary.next else []
    names = names_of_each(visit, [*(each.line.id for each in listed.rows), *due])
    return page(
        "portfolio.html",
        visit,
        section="portfolio",
        answer=answer,
        shown=listed,
        shown_day=None if days else answer.moment,
        days=days,
        zones=zones_of(visit.accord, days),
        summary=summary,
        listed=len(of_company),
        company=company,
        companies=sorted(
            {name for name in (company, *(one for each in rows for one in each.parties)) if name},
            key=name_order,
        ),
        order=order,
        orders={each: words for each, (words, _) in _ORDERS.items()},
        ahead=_ahead(visit, listed.rows, answer.moment),
        names=names,
        pairs={name: " × ".join(of.values()) for name, of in names.items()},
        partners={x.line.partner: x.line.name for x in rows if x.line.partner and x.line.name},
        searching=[(each, of.name) for of in answer.portfolios for each in of.searching],
        ended_searches=[(each, of.name) for of in answer.portfolios for each in of.ended_searches],
        elsewhere=_elsewhere(opened, rows),
        programs=_programs(opened, {of.party: of.name for of in answer.portfolios}),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What awaits the parties, by day: what was due, the deadlines ahead, and the rest."""

    overdue: tuple[InboxItem, ...]
    ahead: tuple[InboxItem, ...]
    others: tuple[InboxItem, ...]
    """What has no deadline, or one that is over."""

    @classmethod
    def of(cls, items: Iterable[InboxItem], moment: datetime | None) -> "Waiting":
        """Return items as of a moment."""
        kinds: defaultdict[str, list[InboxItem]] = defaultdict(list)
        for each in items:
            is_over = each.awaiting is not Awaiting.DUE and moment and each.day < moment.date()
            is_ahead = each.is_last and not is_over
            kind = "overdue" if each.awaiting is Awaiting.OVERDUE else "ahead" if is_ahead else ""
            kinds[kind].append(each)
        return cls(*(tuple(kinds[each]) for each in ("overdue", "ahead", "")))


def _days(visit: Visit, rows: Iterable[Row]) -> dict[str, datetime]:
    """Return the moment that each row is compared with, where they can differ."""
    when = visit.when()
    if visit.is_past or when.viewer.of_all:
        return {}
    return moments_of(visit.accord, [each.line.id for each in rows], when)


def _rows(portfolios: Iterable[Portfolio], opened: OpenAlerts, waiting: Waiting) -> Iterator[Row]:
    to_act_on, reminders = _by_partnership(opened.to_act_on), _by_partnership(opened.reminders)
    silenced, overdue = _by_partnership(opened.silenced), _by_partnership(waiting.overdue)
    first: dict[str, InboxItem] = {}
    for item in (*waiting.ahead, *waiting.others):
        first.setdefault(item.partnership, item)
    for of in portfolios:
        for line in of.partners:
            alerts = [*to_act_on[line.id], *reminders[line.id], *silenced[line.id]]
            yield Row(
                line,
                of.party,
                of.name,
                tuple(to_act_on[line.id]),
                tuple(reminders[line.id]),
                first.get(line.id),
                tuple(overdue[line.id]),
                next((each for each in alerts if each.rule == EXIT_AHEAD), None),
            )


def _by_partnership(items: Iterable[A]) -> defaultdict[str, list[A]]:
    found: defaultdict[str, list[A]] = defaultdict(list)
    for each in items:
        found[each.partnership].append(each)
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of a page, and where it is among all."""

    rows: tuple[Row, ...]
    before: int
    """How many rows come before it."""
    next: str | None
    """The partnership after which the next page begins."""


def _elsewhere(opened: OpenAlerts, rows: Iterable[Row]) -> dict[str, int]:
    """Return how many open alerts each partnership or program has that has no row."""
    listed = {each.line.id for each in rows}
    found = (each.partnership for each in (*opened.to_act_on, *opened.reminders))
    return dict(Counter(each for each in found if each not in listed))


def _programs(opened: OpenAlerts, names: Mapping[str, str]) -> dict[str, str]:
    """Return what each program is called that has an open alert."""
    alerts = (*opened.to_act_on, *opened.reminders)
    return {
        each.partnership: program(each, names) for each in alerts if each.rule == DEPENDENCY_HIGH
    }


def _page(rows: list[Row], after: str | None) -> Shown:
    """Return the rows that follow a partnership; the first ones if it is not among them."""
    start = next((place for place, each in enumerate(rows, 1) if each.line.id == after), 0)
    shown = tuple(rows[start : start + SHOWN])
    is_last = start + SHOWN >= len(rows)
    return Shown(shown, start, None if is_last else shown[-1].line.id)


def _summary(
    portfolios: Iterable[Portfolio],
    rows: list[Row],
    opened: OpenAlerts,
    waiting: Waiting,
) -> Summary:
    found = list(portfolios)
    disputes = [
        each for each in (*opened.to_act_on, *opened.silenced) if each.rule == DISPUTE_OPENED
    ]
    return Summary(
        partnerships=len(rows)
        + sum(len(each.searching) + len(each.ended_searches) for each in found),
        active=sum(each.progress.active for each in found),
        leaving=sum(each.leaves is not None for each in rows),
        on_track=sum(each.progress.on_track for each in found),
        behind=sum(each.line.active and each.line.status in _BEHIND for each in rows),
        to_act_on=len(opened.to_act_on),
        reminders=len(opened.reminders),
        disputed=_by_currency(of for each in disputes for of in each.at_stake.items()),
        held=_by_currency(
            (of.currency, of.disputed) for each in found for of in each.money if of.disputed
        ),
        next=next(iter(waiting.ahead), None),
        overdue=len(waiting.overdue),
    )


def _by_currency(amounts: Iterable[tuple[str, Decimal]]) -> tuple[tuple[str, Decimal], ...]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        sums[currency] += amount
    return tuple(sorted(sums.items()))
