"""Compare all partnerships: the sheet, which are on track, load, dependency, matches (C28)."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from domain.charter import ObjectiveStatus
from domain.metric_catalogue import metric_words
from domain.terms import Payment, item_words
from domain.terms_by_day import TermsByDay
from domain.values import name_order, plain
from infra.answers.escalated import named
from infra.answers.logs import NOW, AsOf, moment_of, seen_until
from infra.answers.members import names_seen, of_members
from infra.answers.question import Answer, Panel, PeriodName, Question
from infra.answers.text import Block, Line, Remark, Table, amount, asked_at, number
from infra.bootstrap import Accord
from projections.alerts import Alert
from projections.contribution import Hours, Sourced
from projections.matching import Match
from projections.portfolio import (
    Dependency,
    Load,
    Member,
    Portfolio,
    line,
    portfolio,
)
from projections.portfolio import PartnershipLine as SheetLine
from projections.results import Money, Result, Span
from projections.traits import Limits


class Portfolios(Answer):
    """The portfolio of each party that began partnerships; a party is shown its own alone."""

    moment: datetime | None
    """The moment that deadlines are compared with: the end of what is asked about, or the time of
    the latest record, so that the answer is the same until something changes. Null if there is
    neither. A party's line of a partnership is compared with the latest record of that one."""
    span: Span | None
    """The month and the period whose results are shown; null unless a period is asked for."""
    portfolios: tuple[Portfolio, ...]
    """The portfolio of each party."""


def ask(accord: Accord, period: PeriodName = None, when: AsOf = NOW) -> Portfolios:
    """Compare the partnerships of each party; of a period, also what each of them brought.

    A party is shown one portfolio: all the partnerships that it is a party of.
    """
    moment = moment_of_all(accord, when)
    span = Span.of(period, moment) if period and moment else None
    return Portfolios(
        simulated=accord.simulated,
        as_of=when.asked,
        moment=moment,
        span=span,
        portfolios=portfolios(_parts(accord, when, moment, span)) if moment else (),
    )


class Part(NamedTuple):
    """What a partnership or a program adds to the portfolio of its party."""

    party: str
    name: str
    """The name of the party."""
    line: SheetLine | None = None
    limits: Limits | None = None
    """The limits that a program sets."""
    terms: TermsByDay = TermsByDay()
    day: date | None = None
    """The day that the line is of, in the agreement's time zone; None of a program."""

    def is_of(self, moment: datetime) -> bool:
        """Return whether it is the part at a moment, too: a line is the same for a whole day."""
        return self.day in {None, self.terms.day(moment)}


def part(
    member: Member,
    moment: datetime,
    span: Span | None = None,
    breaches: Iterable[Alert] | None = None,
) -> Part:
    """Return what a partnership or a program adds, as of a moment."""
    if own := member.traits.limits:
        return Part(own.party, own.party, limits=own)
    name = member.overview.names.get(member.party, member.party)
    terms = member.traits.terms
    return Part(
        member.party, name, line(member, moment, span, breaches), terms=terms, day=terms.day(moment)
    )


def _parts(accord: Accord, when: AsOf, moment: datetime, span: Span | None) -> Iterator[Part]:
    of_own = when.is_now and not when.viewer.of_all

    def found(member: Member) -> Part:
        # Who does not see all sees each as of its own latest record, as in every other answer.
        asked = moment_of(accord, member.id, when) if of_own else moment
        breaches = named(accord.history, member.id, member.breaches(asked))
        return part(member, asked, span, breaches)

    def still(kept: Part) -> bool:
        return of_own or kept.is_of(moment)

    return of_members(accord, when, ("portfolio", span), found, still)


def portfolios(found: Iterable[Part]) -> tuple[Portfolio, ...]:
    """Return the portfolio of each party that began some of these partnerships, by its name."""
    lines: dict[str, list[SheetLine]] = {}
    names: dict[str, str] = {}
    limits: dict[str, Limits] = {}
    for each in found:
        if own := each.limits:
            before = limits.get(own.party)
            # A party may have several programs; the latest limits count.
            if before is None or before.recorded_at <= own.recorded_at:
                limits[own.party] = own
        if each.line:
            lines.setdefault(each.party, []).append(each.line)
            names[each.party] = each.name
    return tuple(
        portfolio(party, names[party], lines[party], limits.get(party))
        for party in sorted(lines, key=lambda each: name_order(names[each]))
    )


def moment_of_all(accord: Accord, when: AsOf) -> datetime | None:
    """Return the moment that is asked about; now is the latest record that the viewer sees."""
    if asked := when.at or when.known:
        return asked
    if when.viewer.of_all:
        return accord.history.last_recorded_at()
    seen = names_seen(accord, when.viewer)
    return max((seen_until(accord.history, each, when) for each in seen), default=None)


# --- text --------------------------------------------------------------------------------------


def text(answer: Portfolios) -> Iterator[Block]:
    """Yield each portfolio: the sheet, then what it says as a whole."""
    if not answer.portfolios:
        yield Remark("There are no partnerships.")
    moment = asked_at(answer.moment)
    for each in answer.portfolios:
        yield Line(f"{each.name} ({each.party}), {moment}", "bold")
        yield _sheet(each.partners)
        yield from _notes(each.partners)
        yield from _progress(each)
        if answer.span:
            yield from _results(each.partners, answer.span)
        yield _money(each)
        period = f" in {answer.span.asked}" if answer.span else ""
        yield _contributions(each, period)
        yield _sourced([(line.id, of) for line in each.partners for of in line.sourced], period)
        yield _hours([(line.id, of) for line in each.partners for of in line.hours], period)
        yield from _load(each.load, each.limits)
        yield from _dependency(each.dependency)
        yield _mix([line for line in each.partners if line.active])
        yield _matches(each.matches)
        if each.searching:
            yield Line(f"without a partner: {', '.join(each.searching)}", indent=2)
        if each.ended_searches:
            ended = ", ".join(each.ended_searches)
            yield Line(f"search ended without a partner: {ended}", indent=2)
        yield Line()


def _sheet(lines: Iterable[SheetLine]) -> Table:
    return Table(
        [
            "ID",
            "PARTNER",
            "JOINED",
            "STAGE",
            ">LEADS",
            ">CONVERSIONS",
            "REVENUE",
            "STATUS",
        ],
        [
            (
                each.id,
                each.name or each.partner,
                each.joined or "",
                each.stage.value if each.stage else "",
                number(each.leads),
                number(each.conversions),
                ", ".join(
                    f"{amount(of.amount, of.currency)} {_revenue(of.metric)}" for of in each.revenue
                ),
                each.status.words if each.status else _objectives(each),
            )
            for each in lines
        ],
        indent=2,
    )


def _notes(lines: Iterable[SheetLine]) -> Iterator[Block]:
    found = [f"{each.id}: {note}" for each in lines for note in each.notes]
    if found:
        yield Line("notes", "bold", 2)
    yield from (Line(each, indent=4) for each in found)


def _objectives(line: SheetLine) -> str:
    found = [each.status for each in line.objectives]
    counts = [f"{found.count(each)} {each.words}" for each in ObjectiveStatus if each in found]
    return ", ".join(counts) or "none agreed"


def _progress(whole: Portfolio) -> Iterator[Block]:
    progress, lines = whole.progress, {each.id: each for each in whole.partners}
    if progress.active:
        yield Line(f"{progress.on_track} of {progress.active} active on track", "bold", 2)
    for each in progress.others:
        yield Line(f"{each.id}: {each.status.words} ({_objectives(lines[each.id])})", indent=4)
        for reason in each.reasons:
            yield Line(reason.text, indent=6)


def _results(lines: Iterable[SheetLine], span: Span) -> Iterator[Table]:
    """Yield what was brought in the month, then in the longer period."""
    results = [of for each in lines for of in each.results]
    yield _brought(
        span.month if span.month_is_over else f"{span.month} to date",
        span.month,
        span.month_before,
        [
            (
                of,
                _figure(of.in_month, of.unit, of.month_sample),
                (of.month_target, of.month_reached_percent),
                _figure(of.month_before, of.unit, of.month_before_sample),
            )
            for of in results
        ],
    )
    yield _brought(
        span.period if span.is_over else f"{span.period} to date",
        span.period,
        span.before,
        [
            (
                of,
                _figure(of.in_period, of.unit, of.period_sample),
                (of.target, of.reached_percent),
                _figure(of.before, of.unit, of.before_sample),
            )
            for of in results
        ],
    )


def _brought(
    title: str,
    period: str,
    before: str,
    rows: list[tuple[Result, str, tuple[Decimal | None, Decimal | None], str]],
) -> Table:
    """Return what was brought in a period, beside its target and the period before."""
    return Table(
        ["ID", "METRIC", f">{period}", ">TARGET", ">OF TARGET", f">{before}"],
        [
            (
                of.id,
                _measured(of),
                figure,
                of.direction.limit + _figure(target, of.unit) if target is not None else "",
                "" if reached is None else f"{reached} %",
                figure_before,
            )
            for of, figure, (target, reached), figure_before in rows
            if figure or target is not None or figure_before
        ],
        title=f"brought in {title}",
        indent=2,
    )


def _measured(of: Result) -> str:
    what = metric_words(of.metric, of.segment) + (" less refunds" if of.less_refunds else "")
    return f"{what}{', adopted' if of.adopted else ''}"


def _revenue(metric: str) -> str:
    """Return a metric of revenue in words: refunds are taken off payments."""
    return metric_words(metric) + (" less refunds" if metric == "payments" else "")


def _figure(value: Decimal | None, unit: str, sample: Decimal | None = None) -> str:
    """Return a figure, and of a ratio what it divides by: ``100 % (of 1)``."""
    if value is None:
        return ""
    return amount(value, unit) + (f" (of {number(sample)})" if sample is not None else "")


def _money(whole: Portfolio) -> Table:
    of_each = [of for line in whole.partners for of in line.money]
    of_all = whole.money if len(of_each) > 1 else ()
    return money_table(whole.party, (*of_each, *of_all))


def money_table(party: str, rows: Iterable[Money]) -> Table:
    """Return what a party owes and is owed, with a row for each partnership and currency."""
    return Table(
        [
            "ID",
            "CURRENCY",
            ">OWES",
            ">OVERDUE",
            ">NOT STATED",
            ">IS OWED",
            ">OVERDUE",
            ">NOT STATED",
            ">ON HOLD",
        ],
        [
            (
                each.id or "all",
                each.currency,
                *map(
                    _sum,
                    (
                        each.owe,
                        each.owe_overdue,
                        each.owe_unstated,
                        each.owed,
                        each.owed_overdue,
                        each.owed_unstated,
                        each.disputed,
                    ),
                ),
            )
            for each in rows
        ],
        title=f"what {party} owes and is owed",
        indent=2,
    )


def _contributions(whole: Portfolio, period: str) -> Table:
    found = [of for line in whole.partners for of in line.contributions]
    theirs = {(of.id, of.currency): of.net for of in found if of.party != whole.party}
    return Table(
        [
            "ID",
            "IN",
            ">REVENUE",
            ">EARNED",
            ">OWED",
            ">COSTS",
            ">NET",
            ">ROI",
            ">PARTNER",
        ],
        [
            (
                of.id,
                of.currency,
                *map(_sum, (of.revenue, of.earned, of.owed, of.costs + of.given)),
                plain(of.net),
                "" if of.roi_percent is None else f"{plain(of.roi_percent)} %",
                plain(theirs.get((of.id, of.currency), Decimal(0))),
            )
            for of in found
            if of.party == whole.party
        ],
        title=f"net contribution{period} to {whole.party}, and to the partner",
        indent=2,
    )


def _sourced(found: Iterable[tuple[str, Sourced]], period: str) -> Table:
    """Return a table of the deals won that each party sourced and influenced."""
    return Table(
        ["ID", "PARTY", ">SOURCED", "REVENUE", ">INFLUENCED", "REVENUE"],
        [
            (
                partnership,
                each.party,
                number(each.sourced),
                ", ".join(amount(of.sourced, of.currency) for of in each.revenue if of.sourced),
                number(each.influenced),
                ", ".join(
                    amount(of.influenced, of.currency) for of in each.revenue if of.influenced
                ),
            )
            for partnership, each in found
        ],
        title=f"deals won{period}, by who sourced and who influenced them",
        indent=2,
    )


def _hours(found: Iterable[tuple[str, Hours]], period: str) -> Table:
    """Return a table of the hours that each party contributed."""
    return Table(
        ["ID", "PARTY", ">HOURS"],
        [(of, each.party, number(each.hours)) for of, each in found],
        title=f"hours contributed{period}",
        indent=2,
    )


def _sum(value: Decimal) -> str:
    return plain(value) if value else ""


def _load(load: Load, limits: Limits | None) -> Iterator[Block]:
    yield Line("load", "bold", 2)
    whose = "under the limits of its program" if limits else "for a small team"
    yield Line(
        f"{load.active} active, {load.level} the {load.fewest} to {load.most} manageable {whose}",
        indent=4,
    )
    if not load.active:
        return
    lacking = f" (none in {load.without_commitment} of them)" if load.without_commitment else ""
    yield Line(
        f"{number(load.people_committed)} FTE committed{lacking}; "
        f"{number(load.people_usual_from)} to {number(load.people_usual_to)} FTE are usual for so "
        "many",
        indent=4,
    )
    if load.capacity is not None:
        over = "more than" if load.over_capacity else "within"
        yield Line(f"{over} the capacity of {number(load.capacity)} FTE", indent=4)


def _dependency(kinds: Iterable[Dependency]) -> Iterator[Block]:
    for each in kinds:
        yield Table(
            ["PARTNER", f">{each.currency}", ">SHARE", "PARTNERSHIPS"],
            [
                (part.partner, part.amount, f"{part.percent} %", ", ".join(part.partnerships))
                for part in each.shares
            ],
            title=f"revenue concentration: {_revenue(each.metric)} in {each.currency}",
            indent=2,
        )
        yield Line(f"Herfindahl index {each.herfindahl}. {each.summary}", indent=4)


_PAYS = {
    Payment.BY_RESULT: "variable",
    Payment.FIXED: "fixed",
    Payment.BOTH: "variable and fixed",
    Payment.NEITHER: "neither earns",
}


def _mix(active: Iterable[SheetLine]) -> Table:
    return Table(
        ["ID", "PAID", "ECONOMICS", ">CONVERSIONS", ">AVERAGE CONTRACT", ">MARGIN"],
        [
            (
                each.id,
                _PAYS[each.pays] if each.economics else "nothing agreed",
                ", ".join(map(item_words, each.economics)),
                number(each.conversions),
                ", ".join(amount(of.amount, of.currency) for of in each.average_contract_value),
                "" if each.margin is None else amount(each.margin, "percent"),
            )
            for each in active
        ],
        title="risk and reward",
        indent=2,
    )


def _matches(matches: Iterable[Match]) -> Table:
    return Table(
        ["PARTNERS", "CLIENTS IN COMMON", "MARKETS IN COMMON", "WHAT THEY BRING"],
        [
            (
                " and ".join(each.of),
                ", ".join(each.shared_segments),
                ", ".join(each.shared_markets),
                "; ".join(f"{name}: {what}" for name, what in each.brings.items()),
            )
            for each in matches
        ],
        title="partners to bring together",
        indent=2,
    )


PORTFOLIO = Question(
    "portfolio",
    ask,
    text,
    path="/v1/portfolio",
    help="Compare all partnerships: which are on track, what they brought, what is owed.",
    panel=Panel.PARTNERSHIPS,
)
