"""How values are written on a page: days, times, money, figures, states.

A state has a mark, a word and a colour, and the mark and the word suffice: nothing is told by
colour alone.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from re import fullmatch, sub
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from domain.aggregates import command_types
from domain.calendar import PERIOD_PATTERN, last_day_of, period_in_words
from domain.charter import ObjectiveStatus
from domain.dispute import DisputeOutcome
from domain.kernel import CLOCK_PARTY
from domain.response import Severity
from domain.standing_alerts import BY_RULE, DISPUTE_OPENED, OF_ONE_PARTY, AlertKind
from domain.values import MINOR_UNITS, counted, full_stop, instant, type_words
from infra.answers import text
from infra.answers.history import StoredEvent
from infra.answers.inbox import Awaiting
from infra.answers.line_disputes import LineDispute
from infra.answers.next import Met
from infra.answers.statement_state import State
from infra.answers.text import without_codes
from infra.tlog import cloudevents
from projections.alerts import Alert, AlertState
from projections.breaches import RuleFacts, Shortfall
from projections.figures import Figure

_TENTH: Final = Decimal("0.1")
_MINUS: Final = "\N{MINUS SIGN}"
_NARROW: Final = "\N{NO-BREAK SPACE}"


@pass_context
def day(context: Context, value: date | datetime, zone: str = "") -> Markup:
    """Return a day: ``21 Sep 2026``.

    That of a moment is in a time zone, by default that of the page, with the day in UTC beside
    where it differs.
    """
    if not isinstance(value, datetime):
        return _time(value.isoformat(), _day(value))
    zoned = ZoneInfo(zone) if zone else _zone(context)
    here, utc = value.astimezone(zoned).date(), value.astimezone(UTC).date()
    beside = "" if here == utc else f" ({_day(utc)} UTC)"
    return _time(instant(value.astimezone(UTC)), f"{_day(here)}{beside}")


def day_after(period: str) -> date:
    """Return the day after a period."""
    return last_day_of(period) + timedelta(days=1)


def day_before(value: date) -> date:
    """Return the last day before one on which something ends: 30 Jun for what ends on 1 Jul."""
    return value - timedelta(days=1)


@pass_context
def moment(context: Context, value: datetime) -> Markup:
    """Return a moment to the minute: ``21 Sep 2026, 14:00``.

    It is in the time zone of the page, with UTC beside: ``21 Sep 2026, 10:00 EDT (14:00 UTC)``.
    """
    utc, here = value.astimezone(UTC), value.astimezone(_zone(context))
    people = f"{_day(here.date())}, {here:%H:%M}"
    if here.utcoffset():
        beside = "" if here.date() == utc.date() else f"{_day(utc.date())}, "
        people = f"{people} {here:%Z} ({beside}{utc:%H:%M} UTC)"
    return _time(instant(utc), people)


def in_days(value: date, today: date | None) -> str:
    """Return how far ahead a day is: ``tomorrow``, ``in 10 days``; empty for one that is over."""
    ahead = -1 if today is None else (value - today).days
    if ahead < 0:
        return ""
    return {0: "today", 1: "tomorrow"}.get(ahead, f"in {ahead} days")


def later(event: StoredEvent) -> str:
    """Return how much later than it happened an event was recorded: ``4 days 17 hours``."""
    late = event.recorded_at - event.occurred_at
    hours = late.seconds // 3600
    return counted(late.days, "day") + (f" {counted(hours, 'hour')}" if hours else "")


def _zone(context: Context) -> tzinfo:
    """Return the time zone of a page: UTC unless it is about one agreement."""
    found: tzinfo = context.get("zone") or UTC
    return found


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def is_end_of_day(value: datetime) -> bool:
    """Return whether a moment is what a day means in a question: its end (UTC)."""
    return value == datetime.combine(value.astimezone(UTC).date(), time.max, UTC)


def asked(value: datetime) -> str:
    """Return a moment as a link asks about it: a day for the end of a day, else to the digit."""
    return f"{value.astimezone(UTC).date()}" if is_end_of_day(value) else instant(value)


def typed(value: datetime) -> str:
    """Return a moment as a browser's field for a day and a time has it, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def unfilled(meaning: str) -> str:
    """Return the meaning of a rule with dots for what only its sender reads (``<name>``)."""
    return sub(r"<[^<>]+>", "\N{HORIZONTAL ELLIPSIS}", meaning)


def _time(machine: str, people: str) -> Markup:
    words = people.replace(" ", _NARROW)
    return Markup('<time datetime="{}">{}</time>').format(machine, words)


def period(name: str) -> str:
    """Return a period in words: ``July 2026``, ``Q3 2026``; any other name as it is."""
    return period_in_words(name) if fullmatch(PERIOD_PATTERN, name) and "-" in name else name


def money(value: Decimal, currency: str) -> str:
    """Return an amount with at least the digits of its currency: ``12,500.00 USD``."""
    return f"{_digits(value, currency)}{_NARROW}{currency}"


def _digits(value: Decimal, currency: str) -> str:
    whole, _, rest = f"{value.normalize():,f}".partition(".")
    digits = rest.ljust(MINOR_UNITS.get(currency, 0), "0")
    return _signed(f"{whole}.{digits}" if digits else whole)


def money_change(value: Decimal, currency: str) -> str:
    """Return by how much an amount changed: ``+1,875.00 USD``."""
    return f"{'+' if value > 0 else ''}{money(value, currency)}"


def figure(value: Decimal | None, unit: str) -> str:
    """Return a figure with its unit: ``30``, ``15 %``, ``12,500.00 USD``; a dash without one."""
    if value is None:
        return "\N{EN DASH}"
    if unit in MINOR_UNITS:
        return money(value, unit)
    number = _signed(f"{Decimal(text.number(value)):,f}")
    return number if unit == "count" else f"{number}{_NARROW}{'%' if unit == 'percent' else unit}"


def observed(value: Decimal | None, unit: str) -> str:
    """Return a figure that was counted or reported, to a tenth: ``62.5 %``, ``2.6 score``.

    Money has all its digits. So have the figures beside a page, and what was agreed.
    """
    if value is None or unit in MINOR_UNITS:
        return figure(value, unit)
    return figure(value.quantize(_TENTH, ROUND_HALF_EVEN), unit)


FEW_CASES: Final = 10
"""With fewer cases the count is written before the rate, because the rate says little."""


def few(known: Figure) -> Decimal | None:
    """Return how few cases a rate is of; None for one of many, and for what is no rate."""
    is_rate = known.unit == "percent" and known.value is not None and known.numerator is not None
    cases = known.denominator if is_rate else None
    return None if cases is None or cases >= FEW_CASES else cases


def counted_rate(known: Figure) -> str:
    """Return a figure; of few cases the count first: ``5 of 8 (62.5 %)``."""
    value, cases = observed(known.value, known.unit), few(known)
    if cases is None:
        return value
    return f"{figure(known.numerator, 'count')} of {figure(cases, 'count')} ({value})"


def tenth(percent: Decimal) -> str:
    """Return a percentage to a tenth: ``62.5 %``. The figures beside a page have all digits."""
    return _signed(text.tenth(percent).replace(" ", _NARROW))


def _signed(number: str) -> str:
    return number.replace("-", _MINUS)


def words(name: str) -> str:
    """Return the name of a metric, an office or a step as words: ``co-branded revenue``."""
    return name.replace("co_", "co+").replace("_", " ").replace("-", " ").replace("+", "-")


def phrase(name: str) -> str:
    """Return the name of a metric or a state at the beginning of a cell: ``Co-branded revenue``."""
    return sentence(words(name))


def sentence(text: str) -> str:
    """Return a text with a capital letter at its beginning, and who did what both did."""
    text = by_both(text)
    return text[:1].upper() + text[1:]


def by_both(text: str) -> str:
    """Return what an event says with its subject, if both parties did it."""
    return re.sub("^and its partner ", "both parties ", text)


_OF_PROGRAMS: Final = re.compile(r" ?\(`[^`]*`\)|; null[^.]*(?=\.)|`")
"""What a description says to programs alone: a command, the mark of code."""


def unsourced(text: str) -> str:
    """Return a description without its source, and without what it says to programs alone."""
    return _OF_PROGRAMS.sub("", without_codes(" ".join(text.split())))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def clauses(text: str) -> tuple[str, ...]:
    """Return a long sentence as its parts, the first of which says what was done."""
    return tuple(text.split("; "))


_WRITTEN: Final = re.compile(
    r"(?<![\w:./@-])(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>[0-9]{2}:[0-9]{2})(?::[0-9:.]+)?(?:Z| UTC))?(?![\w/@-]|:\w)"
    r"|(?<![\w:./-])(?P<period>[0-9]{4}-(?:[0-9]{2}|Q[1-4]))(?![\w/-]|:\w)"
    r"|(?<![\w.])(?P<type>(?:[A-Z][a-z]+){2,})(?!\w)"
    r"|(?<![\w.,/-])(?P<amount>-?[0-9]+(?:\.[0-9]+)?) (?P<currency>[A-Z]{3})(?!\w| is \d)"
    r"|(?:(?<=came to )|(?<=and )|(?<=brings ))(?P<rate>[0-9]+\.[0-9]{2,})(?= % (?:in|of) | %[,.])"
    r"|(?<![\w.,/-])(?P<part>[0-9]+\.[0-9]{2,})(?= % of the (?:target|time))"
    r"|(?<![\w.,/-])(?P<number>[0-9]{4,}(?:\.[0-9]+)?)(?= of \d| to \d)"
    r"|(?:(?<=not below )|(?<=at least )|(?<=at most )|(?<= above ))"
    r"(?P<limit>[0-9]{4,}(?:\.[0-9]+)?)(?![\w-]|\.\d)"
    r"|(?:(?<=came to )|(?<=and ))(?P<count>[0-9]{4,}(?:\.[0-9]+)?)"
    r"(?= in (?:Q[1-4] |[A-Z][a-z]+ )?[0-9])"
    r"|(?:(?<=was )|(?<=[0-9] to ))(?P<target>[0-9]{4,}(?:\.[0-9]+)?)(?= by )"
    r"|(?<=[0-9%] of )(?P<whole>[0-9]{4,}(?:\.[0-9]+)?)(?![\w,/-]|\.\d)(?= by |, |\.$|\)|;|$)"
)
"""A day, a moment, a period, a type, an amount, a rate or a count in a text of a program."""


def readable(text: str) -> str:
    """Return a text with days, periods, types of events and amounts as people write them.

    ``2026-01-01`` is 1 Jan 2026, ``2026-Q3`` Q3 2026, ``AcceptTerms`` Accept terms,
    ``12500.00 USD`` 12,500.00 USD and ``1850 of 8000`` 1,850 of 8,000. A rate is rounded to a tenth
    where it ``came to`` it, as in a table. Identifiers stay as they are.
    """
    return _WRITTEN.sub(_in_words, text)


def _in_words(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "type":
            return command(found[0]) if found[0] in command_types() else found[0]
        case "period":
            return period(found[0])
        case "currency":
            known = found["currency"] in MINOR_UNITS
            return money(Decimal(found["amount"]), found["currency"]) if known else found[0]
        case "rate" | "part":
            return _rate_in_words(found[0], found.string)
        case "day" | "time":
            return _day_in_words(found)
        case _:
            return _count_in_words(found)


def _count_in_words(found: re.Match[str]) -> str:
    """Return a number; of 267,000.00 of 600,000.00 USD, both are money."""
    unit = re.match(r" of [0-9.]+ ([A-Z]{3})(?!\w)", found.string[found.end() :])
    if unit and unit[1] in MINOR_UNITS:
        return _digits(Decimal(found[0]), unit[1])
    return f"{Decimal(found[0]):,f}"


def _rate_in_words(rate: str, text_of: str) -> str:
    """Return a rate to a tenth, unless that hides on which side of its limit it is."""
    short = text.number(Decimal(rate).quantize(_TENTH, ROUND_HALF_EVEN))
    return rate if re.search(rf"not (?:below|above) {re.escape(short)} %", text_of) else short


def _day_in_words(found: re.Match[str]) -> str:
    try:
        day = _day(date.fromisoformat(found["day"]))
    except ValueError:
        return found[0]
    return f"{day}, {found['time']} UTC" if found["time"] else day


_TYPE: Final = re.compile(r"(?<![\w.])(?:[A-Z][a-z]+){2,}(?!\w)")
"""What may be a type of event in a text."""


def as_typed(text: str) -> str:
    """Return what is said of something typed: with the types of events in words alone.

    Days, periods, amounts and identifiers stay as a field takes them.
    """
    types = command_types()
    return _TYPE.sub(lambda found: command(found[0]) if found[0] in types else found[0], text)


_WORD: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")
"""A word that may be the identifier of a party."""


def named(text: str, names: Mapping[str, str]) -> str:
    """Return a text as people read it: with the names of parties, and days in words."""
    return _WORD.sub(lambda found: names.get(found[0], found[0]), readable(text))


_IDENTIFIER: Final = re.compile(
    r"(?<![\w-])(?=[\w-]{1,24}(?![\w-]))(?=[\w-]*[0-9])\w+(?:-\w+)+(?:\.[0-9]+(?!\w))?"
)
"""An identifier with a hyphen that fits one line of a phone, such as ``line-266.1``."""


def party(name: str, names: Mapping[str, str]) -> str:
    """Return a party as people call it; the operator is the party of what it does itself."""
    return "Operator" if name == CLOCK_PARTY else names.get(name, name)


def whole(text: str) -> Markup:
    """Return a text in which a browser breaks no identifier such as ``ref-0017`` at its hyphen."""
    kept = _IDENTIFIER.sub(r'<span class="nowrap">\g<0></span>', str(escape(text)))
    return Markup(kept)  # noqa: S704 - escaped above


def command(type: str) -> str:
    """Return the type of an event as words: ``Accept terms`` for ``accord.AcceptTerms``."""
    name = type.removeprefix(cloudevents.PREFIX)
    return sentence(type_words(name))


# --- states ------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """How a state is shown: its mark, its word, and its tone, the name of a colour."""

    mark: str
    word: str
    tone: str


_OPEN, _DONE, _WITHDRAWN, _BEHIND, _HOLD, _NOT_YET, _UNKNOWN = "●✓↩▼‖○?"

_STATUS: Final = {
    ObjectiveStatus.MISSED: Shape(_BEHIND, "Missed", "bad"),
    ObjectiveStatus.OFF_TRACK: Shape(_BEHIND, "Off track", "bad"),
    ObjectiveStatus.INSUFFICIENT_EVIDENCE: Shape(_UNKNOWN, "Insufficient evidence", "warn"),
    ObjectiveStatus.AT_RISK: Shape(_BEHIND, "At risk", "warn"),
    ObjectiveStatus.OPEN: Shape(_NOT_YET, "Open", "quiet"),
    ObjectiveStatus.ON_TRACK: Shape(_DONE, "On track", "good"),
    ObjectiveStatus.MET: Shape(_DONE, "Met", "good"),
    ObjectiveStatus.GIVEN_UP: Shape(_WITHDRAWN, "Given up", "quiet"),
}

_ENDED: Final = {
    AlertState.RESOLVED: Shape(_DONE, "Resolved", "good"),
    AlertState.WITHDRAWN: Shape(_WITHDRAWN, "Withdrawn", "quiet"),
}

_SEVERITY: Final = {
    Severity.INFO: "quiet",
    Severity.WARNING: "warn",
    Severity.CRITICAL: "bad",
}

_AWAITING: Final = {
    Awaiting.CONSENT: Shape(_OPEN, "Consent", "warn"),
    Awaiting.SECOND_PERSON: Shape(_OPEN, "Second person", "warn"),
    Awaiting.DUE: Shape(_NOT_YET, "Due", "quiet"),
    Awaiting.OVERDUE: Shape(_OPEN, "Overdue", "bad"),
    Awaiting.CLAIM: Shape(_OPEN, "Claim", "warn"),
    Awaiting.DISPUTE: Shape(_HOLD, "Dispute", "warn"),
}


def status(value: ObjectiveStatus) -> Shape:
    """Return how the status of an objective or a partnership is shown."""
    return _STATUS[value]


def is_reminder(alert: Alert) -> bool:
    """Return whether an alert only says that a day is near. A dispute about money never does."""
    disputes_money = alert.rule == DISPUTE_OPENED and bool(alert.at_stake)
    return alert.kind is AlertKind.REMINDER and not disputes_money


def alert_state(alert: Alert) -> Shape:
    """Return how an alert's state is shown; an open one says how severe it is, or a reminder."""
    if ended := _ENDED.get(alert.state):
        return ended
    if is_reminder(alert):
        return Shape(_NOT_YET, "Reminder", "quiet")
    return Shape(_OPEN, f"Open, {alert.severity}", _SEVERITY[alert.severity])


def expected(alert: Alert) -> str:
    """Return what the rule of an alert expects, and what was found."""
    standing = BY_RULE.get(alert.rule) or OF_ONE_PARTY.get(alert.rule)
    said = full_stop(unsourced(standing.sentence)) if standing else "Both parties agreed this rule."
    match alert.facts:
        case RuleFacts(values=values, threshold=limit):
            found = ", ".join(_found(each, limit) for each in values)
            return f"{said} Found: {found}. The limit is {_number(limit)}."
        case Shortfall(value=value, threshold=limit, shortfall=missing):
            return (
                f"{said} Found: {_number(value)}. The minimum is {_number(limit)}, so "
                f"{_number(missing)} are missing."
            )
        case None:
            return said


def _found(value: Decimal | None, limit: Decimal) -> str:
    """Return a figure to a tenth, unless that hides on which side of its limit it is."""
    if value is None:
        return _number(value)
    short = observed(value, "count")
    return _number(value) if value != limit and short == _number(limit) else short


def _number(value: Decimal | None) -> str:
    return "no figure" if value is None else figure(value, "count")


def awaiting(value: Awaiting) -> Shape:
    """Return how an item of the inbox is marked."""
    return _AWAITING[value]


_STATEMENT: Final = {
    State.OPEN: Shape(_NOT_YET, "Not issued", "quiet"),
    State.ISSUED: Shape(_OPEN, "Issued", "warn"),
    State.OVERDUE: Shape(_OPEN, "Overdue", "bad"),
    State.PAYMENT_STATED: Shape(_OPEN, "Payment stated", "warn"),
    State.SETTLED: Shape(_DONE, "Paid", "good"),
}


def statement_state(value: State) -> Shape:
    """Return how the state of a statement is shown."""
    return _STATEMENT[value]


_DISPUTE: Final = {
    DisputeOutcome.UPHELD: Shape(_DONE, "Dispute upheld", "quiet"),
    DisputeOutcome.REJECTED: Shape(_DONE, "Dispute rejected", "quiet"),
    DisputeOutcome.SETTLED: Shape(_DONE, "Dispute settled", "quiet"),
    DisputeOutcome.WITHDRAWN: Shape(_WITHDRAWN, "Dispute withdrawn", "quiet"),
}


def dispute_state(value: LineDispute) -> Shape:
    """Return how a dispute about a line is shown."""
    return _DISPUTE[value.outcome] if value.outcome else Shape(_HOLD, "In dispute", "warn")


_MET: Final = {
    Met.YES: Shape(_DONE, "Met", "good"),
    Met.NO: Shape(_OPEN, "Not met", "warn"),
    Met.WAIVED: Shape(_DONE, "Waived", "quiet"),
}


def met(value: Met) -> Shape:
    """Return how a condition of a gate is shown."""
    return _MET[value]


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "alert_state": alert_state,
    "as_typed": as_typed,
    "asked": asked,
    "awaiting": awaiting,
    "clauses": clauses,
    "command": command,
    "counted_rate": counted_rate,
    "day": day,
    "day_after": day_after,
    "day_before": day_before,
    "last_day": last_day_of,
    "dispute_state": dispute_state,
    "by_both": by_both,
    "expected": expected,
    "figure": figure,
    "in_days": in_days,
    "is_end_of_day": is_end_of_day,
    "later": later,
    "met": met,
    "moment": moment,
    "money": money,
    "money_change": money_change,
    "named": named,
    "observed": observed,
    "party": party,
    "period": period,
    "phrase": phrase,
    "readable": readable,
    "sentence": sentence,
    "sentences": sentences,
    "statement_state": statement_state,
    "status": status,
    "tenth": tenth,
    "typed": typed,
    "unsourced": unsourced,
    "unfilled": unfilled,
    "whole": whole,
    "words": words,
}
"""The filters of the templates, by name."""
