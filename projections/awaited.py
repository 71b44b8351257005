"""What the alerts keep of deals, entries, figures, payouts and agreements: what awaits a party.

Most deals are plain, and nothing of them can await anybody. The others are watched: they are looked
at again when something is agreed, and on the day on which silence confirms something. Other terms
can also accept a lead that is not watched, so all leads of their days are looked at again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar

from domain import payouts
from domain.calendar import month_of
from domain.claims import ClaimKind
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.kernel import Event
from domain.merge import DealsMerged
from domain.payouts import Payout, payout_of
from domain.recorded import Recorded
from domain.referral import AttributionSettled, OpportunityCreated
from domain.sale import DealWon
from domain.settlement import FinalSettlementIssued, StatementIssued, stated_by
from domain.standing_alerts import LEAD_UNANSWERED
from domain.terms_by_day import TermsByDay
from projections.counted import FACTS, DealChange
from projections.fold import Rows, rows_under
from projections.ledger import claims, facts
from projections.ledger.book import gaining, moving, silence_confirms, terms_of
from projections.ledger.claims import Point
from projections.ledger.counting import Known
from projections.ledger.measures import CLICKS, accepted_leads
from projections.ledger.rows import (
    AgreedRow,
    CountsRow,
    Debt,
    SubjectRow,
    WaitsRow,
    in_months,
    months_since,
    parts_of,
    replace,
)
from projections.settlement import AGREEMENTS, agreed_with, points_of
from projections.waits import Waits

AGREED: Final = f"{FACTS}agreed"
"""The key of the row of what was agreed."""

R = TypeVar("R")

ON_SUBJECTS: Final[frozenset[type[Event]]] = (
    facts.ON_DEALS | facts.ON_ENTRIES | facts.FIGURES | facts.REPLIES | facts.PAYOUTS
)
"""The events that are facts of deals, entries, figures and payouts, or replies to them."""

CONCERNED: Final[frozenset[type[Event]]] = (
    ON_SUBJECTS | AGREEMENTS | {StatementIssued, FinalSettlementIssued, DeadlinePassed}
)
"""The events that change what awaits a party."""

_ON_LEADS: Final = (OpportunityCreated, DealWon, DealsMerged)
"""The events that end what is asked of a lead, and leave its deal plain."""

_NOTHING: Final = SubjectRow()
_NO_CHANGE: Final = DealChange(_NOTHING, _NOTHING)
NOTHING_AGREED: Final = AgreedRow()


class Taken(NamedTuple):
    """An event, taken into the rows."""

    rows: Mapping[str, Any] | None
    """The rows that it changes; None for a fact that was known."""
    change: DealChange
    """The facts of its deal or entry before it and after it."""
    points: Mapping[str, tuple[Point, ...]]
    """All that awaits a party of each subject that was looked at again."""
    watched: Mapping[str, str]
    """The subjects that can have something that awaits a party (see `AlertsState`)."""
    paid: tuple[str, ...] = ()
    """The statements on which nothing is due any more."""
    accepted: tuple[str, ...] = ()
    """The months of which more or fewer leads are accepted."""
    leads: tuple[Point, ...] = ()
    """What the alerts say of the months of which more or fewer leads await an answer."""


def key_of(event: Event) -> str | None:
    """Return the key of the row that an event is a fact of; None for another event."""
    if type(event) not in ON_SUBJECTS:
        return None
    row = facts.row_of(event)
    return None if row is None else f"{FACTS}{row}"


def take(rows: Rows, recorded: Recorded, watched: Mapping[str, str]) -> Taken:
    """Take an event into the rows, and look again at each subject that it concerns."""
    subjects, change = _Subjects(rows, {}), _NO_CHANGE
    agreed = _agree(subjects, recorded)
    look = [*watched, *_leads_since(subjects, agreed)] if subjects.changed else []
    look += _state(subjects, recorded)
    key = key_of(recorded.event)
    if key is not None:
        found = _add(subjects, key, recorded)
        if found is None:
            return Taken(None, change, {}, watched)
        change = found
        look += [key] if key in subjects.changed else []
        _index_lead(subjects, key)
    look += _silent(watched, agreed, recorded)
    months = tuple(_count_leads(subjects, dict.fromkeys(look), agreed, recorded))
    # A figure is plain again once its corrector reports it, too: what awaited a party ends.
    alone = key is not None and look == [key] and key not in watched
    if not look or (alone and _is_plain(subjects, look[0], agreed, recorded.event)):
        return Taken(subjects.changed, change, {}, watched, accepted=months)
    points, still = _look(subjects, look, agreed, recorded, watched)
    waits = Waits(lambda each: subjects.get(each, WaitsRow))
    leads = waits.settled(rows_under(rows, points), points)
    changed = {**subjects.changed, **waits.changed}
    return Taken(changed, change, points, still, tuple(_paid(subjects)), months, tuple(leads))


def _paid(subjects: "_Subjects") -> Iterator[str]:
    """Yield the statements whose last open part is paid by an event."""
    begin = f"{FACTS}statement/"
    for key, after in subjects.changed.items():
        before: Debt | None = subjects.rows.get(key) if key.startswith(begin) else None
        if before is not None and before.left > 0 >= after.left:
            yield key.removeprefix(begin)


def _agree(subjects: "_Subjects", recorded: Recorded) -> AgreedRow:
    """Take what both parties agreed into its row; return the row."""
    before: AgreedRow = subjects.rows.get(AGREED, NOTHING_AGREED)
    if type(recorded.event) not in AGREEMENTS:
        return before
    after = agreed_with(before, recorded)
    if after != before:
        subjects.changed[AGREED] = after
    return after


def _state(subjects: "_Subjects", recorded: Recorded) -> Iterator[str]:
    """Take statements that are issued or overdue into their rows; yield the overdue one."""
    event = recorded.event
    for name, owed in stated_by(event):
        if owed is not None:
            subjects.changed[_debt(name)] = Debt(owed)
    if isinstance(event, DeadlinePassed) and event.kind is DeadlineKind.STATEMENT:
        key = _debt(event.ref)
        debt = subjects.debt(key)
        if debt is not None:
            subjects.changed[key] = replace(debt, overdue=True)
            yield key


def _add(subjects: "_Subjects", key: str, recorded: Recorded) -> DealChange | None:
    """Take a fact or a reply into the row of its subject; return what it changes of a deal.

    None means that the fact was known.
    """
    event = recorded.event
    if payout_of(event) is not None:
        payout = subjects.rows.get(key) or Payout()
        subjects.changed[key] = payouts.with_event(payout, event, recorded.act)
        return _NO_CHANGE
    before = subjects.row(key)
    row = _with(before, recorded)
    if row is not before:
        subjects.changed[key] = row
    if key.startswith(f"{FACTS}figure/"):
        # Rules judge a figure that is reported again; a fact of a deal counts once.
        return _NO_CHANGE
    return None if row is before else DealChange(before, row)


def _look(
    subjects: "_Subjects",
    look: Iterable[str],
    agreed: AgreedRow,
    recorded: Recorded,
    watched: Mapping[str, str],
) -> tuple[Mapping[str, tuple[Point, ...]], Mapping[str, str]]:
    """Return what awaits a party of each subject, and the subjects that are watched now."""
    found = dict(_looked_at(subjects, dict.fromkeys(look), agreed, recorded))
    points = {each: of.points if of else () for each, of in found.items() if of or each in watched}
    still = {each: day for each, day in watched.items() if each not in found}
    still |= {each: of.until for each, of in found.items() if of and of.stays}
    return points, dict(sorted(still.items()))


def _index_lead(subjects: "_Subjects", key: str) -> None:
    """Name a deal with a lead among those of the month of its lead."""
    row = subjects.row(key) if key.startswith(f"{FACTS}deal/") else _NOTHING
    lead = row.facts.get(ClaimKind.REFERRAL)
    month = month_of(lead.at) if lead is not None else ""
    if month:
        subjects.changed.update(in_months(subjects.get, key, [month], FACTS))


def _leads_since(subjects: "_Subjects", agreed: AgreedRow) -> list[str]:
    """Return the deals with a lead of a day from which on other terms apply, as in the ledger."""
    before: AgreedRow = subjects.rows.get(AGREED, NOTHING_AGREED)
    if before.parties != agreed.parties:
        day: date | None = date.min
    else:
        day = terms_of(agreed).first_difference(terms_of(before))
    if day is None:
        return []
    months = months_since(subjects.get, day, FACTS)
    parts = [f"{FACTS}{part}" for month in months for part in parts_of(month)]
    return [key for row in rows_under(subjects.rows, parts).values() for key in row.subjects]


def counts_key(month: str) -> str:
    """Return the key of the row that counts the accepted leads of a month, by party."""
    return f"{FACTS}counts/{month}"


def _count_leads(
    subjects: "_Subjects", look: Iterable[str], agreed: AgreedRow, recorded: Recorded
) -> Iterator[str]:
    """Count the leads of deals that are accepted, as the ledger does; yield the months."""
    deals = [each for each in look if each.startswith(f"{FACTS}deal/")]
    terms = terms_of(agreed)
    if not deals or not terms.is_agreed or len(agreed.parties) != 2:  # noqa: PLR2004 - of two
        return
    parties, today = (agreed.parties[0], agreed.parties[1]), terms.day(recorded.act.now)
    for key in deals:
        row = subjects.row(key)
        known = Known(row, terms, parties, today)
        now = Counter(f"{month_of(known.day(each))}|{each.by}" for each in accepted_leads(known))
        before = Counter({name: int(each) for name, each in row.counted.items()})
        if now == before:
            continue
        subjects.changed[key] = replace(row, counted={name: f"{now[name]}" for name in now})
        for name in sorted({*now, *before}):
            month, _, party = name.partition("|")
            counts = subjects.counts(month)
            total = int(counts.get(party, "0")) + now[name] - before[name]
            subjects.changed[counts_key(month)] = CountsRow({**counts, party: f"{total}"})
            yield month


def _is_plain(subjects: "_Subjects", key: str, agreed: AgreedRow, event: Event) -> bool:
    """Return whether nothing of a subject can await a party, and the event answers no lead."""
    kind, _, name = key.removeprefix(FACTS).partition("/")
    match kind:
        case "deal":
            row = subjects.row(key)
            acts = isinstance(event, _ON_LEADS)
            return not (acts or claims.is_watched(row) or claims.has_lead(row))
        case "figure":
            metric = name.partition("/")[0]
            if claims.has_proposal(subjects.row(key)):
                return False
            # Clicks and posts can be reported before the terms that pay for them arrive.
            return metric not in CLICKS.values() and metric not in moving(agreed.terms)
        case _:
            return False


def _silent(watched: Mapping[str, str], agreed: AgreedRow, recorded: Recorded) -> list[str]:
    """Return the subjects of which silence has confirmed something by now."""
    waiting = {each: day for each, day in watched.items() if day} if watched else {}
    if not waiting:
        return []
    today = f"{terms_of(agreed).day(recorded.act.now)}"
    return [each for each, day in waiting.items() if day <= today]


def _with(row: SubjectRow, recorded: Recorded) -> SubjectRow:
    if isinstance(recorded.event, AttributionSettled):
        return facts.with_credit(row, recorded.event, recorded.act)
    return facts.with_fact(row, recorded.event, recorded.act)


class _Looked(NamedTuple):
    """What of a subject awaits a party, and the next day on which silence ends some of it."""

    points: tuple[Point, ...]
    until: str
    """Empty if there is no such day."""
    stays: bool = True
    """Whether it is looked at again before another of its facts arrives."""


class _Subjects(NamedTuple):
    rows: Rows
    changed: dict[str, Any]

    def get(self, key: str, kind: type[R]) -> R:
        found: R | None = self.changed.get(key) or self.rows.get(key)
        return found or kind()

    def row(self, key: str) -> SubjectRow:
        return self.get(key, SubjectRow)

    def counts(self, month: str) -> Mapping[str, str]:
        key = counts_key(month)
        found: CountsRow = self.changed.get(key) or self.rows.get(key, CountsRow())
        return found.counts

    def payout(self, key: str) -> Payout:
        found: Payout = self.changed.get(key) or self.rows[key]
        return found

    def debt(self, key: str) -> Debt | None:
        found: Debt | None = self.changed.get(key) or self.rows.get(key)
        return found


def _looked_at(
    subjects: _Subjects, keys: Iterable[str], agreed: AgreedRow, recorded: Recorded
) -> Iterator[tuple[str, _Looked | None]]:
    """Yield each subject with what of it awaits a party; None if nothing ever can."""
    rows_under(subjects.rows, keys)
    for key in keys:
        kind, _, name = key.removeprefix(FACTS).partition("/")
        match kind:
            case "payout":
                yield from _payout(name, subjects, terms_of(agreed), recorded)
            case "statement":
                yield key, _of_debt(name, subjects.debt(key))
            case _ if _is_plain(subjects, key, agreed, recorded.event):
                yield key, None
            case _:
                yield key, _of_subject(kind, name, subjects.row(key), agreed, recorded)


def _of_subject(
    kind: str, name: str, row: SubjectRow, agreed: AgreedRow, recorded: Recorded
) -> _Looked:
    terms = terms_of(agreed)
    # An answer as of a moment may lack what was agreed; a figure can come before any terms.
    has_terms = terms.is_agreed or kind == "figure"
    if not has_terms or len(agreed.parties) != 2:  # noqa: PLR2004 - of two parties
        return _Looked((), "")
    today = terms.day(recorded.act.now)
    known = Known(row, terms, (agreed.parties[0], agreed.parties[1]), today)
    silences = known.silences(gaining(agreed)) if silence_confirms(agreed.terms) else ()
    until = min((each.day for each in silences), default=None)
    points = tuple(points_of(kind, name, known, agreed))
    # Of a lead that was answered, or that has no last day, only another fact changes something.
    waits = any(not each.ends and each.rule != LEAD_UNANSWERED for each in points)
    stays = kind != "deal" or claims.is_watched(row) or waits
    return _Looked(points, f"{until}" if until else "", stays)


def _debt(statement: str) -> str:
    return f"{FACTS}statement/{statement}"


def _of_debt(name: str, debt: Debt | None) -> _Looked | None:
    points = tuple(claims.of_debt(name, debt))
    return _Looked(points, "") if points else None


def _payout(
    name: str, subjects: _Subjects, terms: TermsByDay, recorded: Recorded
) -> Iterator[tuple[str, _Looked | None]]:
    """Yield what of a payout awaits a party, and what of its statement."""
    key = f"{FACTS}payout/{name}"
    payout = subjects.payout(key)
    known = payouts.Known(payout, terms, terms.day(recorded.act.now))
    until = known.next_deadline()
    points = tuple(claims.of_payout(name, known))
    yield key, _Looked(points, f"{until}" if until else "") if points or until else None
    if payout.recorded is None:
        return
    statement = payout.recorded[0].statement
    debt = subjects.debt(_debt(statement))
    if debt is not None:
        today = terms.day(recorded.act.now)
        after = debt.with_payout(name, known.standing().paid, today)
        subjects.changed[_debt(statement)] = after
        yield _debt(statement), _of_debt(statement, after)
