"""Posting: what an event changes is computed again, and each difference becomes a line.

An event adds a fact to a subject, or changes what was agreed. Every subject that this can touch is
computed again from its facts (see `deals`, `entries`, `periods`), compared with what was posted for
it, and the differences are posted. So the sum of lines does not depend on the order of arrival.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy
from domain.calendar import add_months, following, month_of, months_of, quarter_of
from domain.claims import ClaimKind
from domain.deadlines.deadline import Silence
from domain.recorded import Recorded
from domain.settlement import rounded
from domain.terms import Hybrid, Item, LicenceFee, Minimum, ReferralFee, Retainer, RevenueShare
from domain.terms_by_day import Exit, Renewal, TermsByDay, all_items
from domain.values import RECORDED, instant, plain
from projections.fold import Row, Rows, rows_under
from projections.ledger import windows
from projections.ledger.counting import Known
from projections.ledger.deals import ALL_KINDS, BEFORE_A_WIN, DealView, kinds_for
from projections.ledger.disputes import Hold, decided
from projections.ledger.entries import tracks_of_adjustment, tracks_of_entry
from projections.ledger.measures import (
    CLICKS,
    Measures,
    counted_metrics,
    counts_of,
    reported_metrics,
)
from projections.ledger.periods import (
    dues_of_month,
    end_of,
    first_day,
    judged,
    reported_fees,
)
from projections.ledger.rows import (
    AGREED,
    EARNED,
    TOTALS,
    AgreedRow,
    Amount,
    Base,
    CountsRow,
    EarnedRow,
    Entry,
    MonthRow,
    Offer,
    SubjectRow,
    Sum,
    Total,
    TotalsRow,
    WindowRow,
    in_months,
    months_since,
    parts_of,
    replace,
)
from projections.ledger.tracks import Track
from projections.standing import periods_within

R = TypeVar("R")

PAID_TO = (RevenueShare, ReferralFee, Retainer, LicenceFee, Hybrid)
"""The items by which one party gains alone: the one that they pay."""

PAR = Decimal(1)
"""The rate of a currency to itself."""


class LineKey(NamedTuple):
    """What tells the lines of a subject apart."""

    subject: str
    fact: str
    """The fact that was priced."""
    cause: str
    """The fact that changed what it earned: itself, a refund, a decision."""
    item: str
    to: str
    currency: str
    day: str
    settles_in: str
    rate: str
    """The rate to the currency of the statement; empty if there is none yet."""

    def text(self) -> str:
        """Return the key as it is stored."""
        return "|".join(self)

    @classmethod
    def of(cls, text: str) -> "LineKey":
        """Return a stored key."""
        return cls(*text.split("|"))

    @property
    def sum(self) -> str:
        """The key of the sum that the line is part of."""
        return "|".join((self.day[:7], self.currency, self.settles_in, self.rate))

    @property
    def priced(self) -> tuple[str, ...]:
        """The key without what the line comes to in its statement."""
        return self[:7]

    @property
    def track(self) -> tuple[str, ...]:
        """The key of the track that the line belongs to."""
        return (self.subject, self.fact, self.item, self.to, self.currency)


class Wanted(NamedTuple):
    """A line as it should be, and the track and the total that it follows from."""

    amount: Amount
    track: Track
    total: Total


class Views(NamedTuple):
    """What is known of a deal, and how it counts for each party that can earn by it."""

    known: Known
    views: list[DealView]


@lru_cache(maxsize=4096)
def _parsed(version: str) -> CommercialTermsAgreed:
    return CommercialTermsAgreed.model_validate_json(version, context=RECORDED)


@lru_cache(maxsize=1024)
def agreed_versions(terms: tuple[str, ...]) -> tuple[CommercialTermsAgreed, ...]:
    """Return the versions of the terms from the row of what was agreed."""
    return tuple(map(_parsed, terms))


def terms_of(agreed: AgreedRow) -> TermsByDay:
    """Return the terms by day from the row of what was agreed."""
    return _terms(agreed.terms, agreed.renewals, agreed.exits, agreed.withdrawn)


@lru_cache(maxsize=1024)
def _terms(
    terms: tuple[str, ...],
    renewals: tuple[Renewal, ...],
    exits: tuple[Exit, ...],
    withdrawn: tuple[str, ...],
) -> TermsByDay:
    return TermsByDay.of(agreed_versions(terms), renewals, exits, withdrawn)


@lru_cache(maxsize=1024)
def silence_confirms(terms: tuple[str, ...]) -> bool:
    """Return whether silence confirms claims in any version of the terms."""
    rules = [each.frame.claims for each in agreed_versions(terms) if each.frame]
    return any(each.confirm_within_days for each in rules if each is not None)


def gaining(agreed: AgreedRow) -> Container[str]:
    """Return the parties that can gain by facts, by what was agreed for any day.

    By a minimum, a split, a shared cost or an incentive both can.
    """
    if agreed.offers or agreed.investments:
        return agreed.parties
    return _gaining(agreed.terms, agreed.parties)


@lru_cache(maxsize=1024)
def _gaining(terms: tuple[str, ...], parties: tuple[str, ...]) -> frozenset[str]:
    items = all_items(agreed_versions(terms))
    return frozenset(
        party for item in items for party in ((item.to,) if isinstance(item, PAID_TO) else parties)
    )


@lru_cache(maxsize=1024)
def moving(terms: tuple[str, ...]) -> frozenset[str]:
    """Return the metrics whose reported figures move money under any version of the terms."""
    return reported_metrics(all_items(agreed_versions(terms)))


@lru_cache(maxsize=1024)
def kinds_of(terms: tuple[str, ...], party: str) -> frozenset[type[Item]]:
    """Return the kinds of items by which a party can earn on deals in any version of the terms."""
    return kinds_for(party, all_items(agreed_versions(terms)))


class Asked(NamedTuple):
    """What the terms of any day ask of the facts. What none of them asks for is not computed."""

    counted: frozenset[str]
    """The metrics that are counted from deals."""
    reported: frozenset[str]
    """The metrics whose reported figures move money."""
    dues: bool
    """Whether a fee falls due on dates."""
    windows: bool
    """Whether a window is judged."""
    silence: bool
    """Whether silence confirms a claim."""


@lru_cache(maxsize=1024)
def _asked(terms: tuple[str, ...]) -> Asked:
    versions = agreed_versions(terms)
    items = all_items(versions)
    return Asked(
        counted_metrics(versions),
        moving(terms),
        any(isinstance(each, Retainer | LicenceFee | Hybrid) for each in items),
        any(isinstance(each, Minimum | Hybrid) for each in items),
        silence_confirms(terms),
    )


@dataclass(slots=True)
class Book:
    """One event's posting: the rows as they become, and the lines."""

    rows: Rows
    recorded: Recorded
    policy: AttributionPolicy | None = None
    changed: dict[str, Any] = field(default_factory=dict)
    lines: list[Row] = field(default_factory=list)
    agreed: AgreedRow = field(init=False)
    """The row of what was agreed, with the changes so far."""
    terms: TermsByDay = field(init=False)
    """The terms by day."""
    asked: Asked = field(init=False)
    """What the terms of any day ask for."""

    def __post_init__(self) -> None:
        """Read what was agreed, which all else depends on."""
        self._read_agreed(self.rows.get(AGREED, AgreedRow()))

    # --- rows ---

    def row(self, key: str, kind: type[R]) -> R:
        """Return a row with the changes so far; an empty one if nothing is known under the key."""
        found: R | None = self.changed.get(key)
        if found is None:
            found = self.rows.get(key)
        return kind() if found is None else found

    def put(self, key: str, row: object) -> None:
        """Change a row."""
        self.changed[key] = row
        if isinstance(row, AgreedRow):
            self._read_agreed(row)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as `Mapping.get`
        """Return a row with the changes so far, as a mapping does."""
        found = self.changed.get(key)
        return self.rows.get(key, default) if found is None else found

    def _read_agreed(self, row: AgreedRow) -> None:
        self.agreed, self.terms, self.asked = row, terms_of(row), _asked(row.terms)

    def known(self, row: SubjectRow) -> Known:
        """Return what is known of a subject now."""
        first, second = self.agreed.parties
        terms = self.terms
        today = terms.day(self.recorded.act.now)
        return Known(row, terms, (first, second), today, self.agreed.settles_from)

    # --- facts ---

    def index(self, key: str, days: Iterable[date]) -> None:
        """Name a subject in the index of the months of its facts."""
        for name, row in in_months(self.row, key, map(month_of, days)).items():
            self.put(name, row)

    def since(self, day: date, start: date | None = None) -> list[str]:
        """Return the subjects with a fact on a day or later, and all that fell due since.

        `start` is where the term began before, if that has changed.
        """
        found = dict.fromkeys(self.subjects_of(months_since(self.row, day)))
        found |= dict.fromkeys(self.periods(day, start))
        return [*found]

    def within(self, month: str) -> list[str]:
        """Return the subjects with a fact in a month, and what fell due in it."""
        return [*self.subjects_of([month]), f"dues/{month}", *self.windows_of([month])]

    def subjects_of(self, months: Iterable[str]) -> list[str]:
        """Return the subjects with a fact in these months, and read their rows together."""
        parts = [part for month in months for part in parts_of(month)]
        rows_under(self.rows, parts)
        found = dict.fromkeys(
            subject for part in parts for subject in self.row(part, MonthRow).subjects
        )
        rows_under(self.rows, found)
        return [*found]

    def figures_beside(self, key: str) -> list[str]:
        """Return the figures of the same year that can count in the place of a figure."""
        _, metric, period = key.split("/")
        if metric not in CLICKS.values():
            return []
        year = [f"figure/{metric}/{each}" for each in periods_within(months_of(period[:4]))]
        rows_under(self.rows, year)
        return [each for each in year if self.row(each, SubjectRow).facts]

    def row_of_subject(self, subject: str) -> str:
        """Return the key of the row that has the lines of a subject (`deal/D`, `due/NAME@DAY`)."""
        kind, _, name = subject.partition("/")
        item, _, when = name.partition("@")
        match kind:
            case "referral":
                return f"deal/{name}"
            case "due":
                return f"dues/{when[:7]}"
            case "window":
                return f"window/{self._window(item, date.fromisoformat(when))}"
            case "report":
                return f"figure/{self._metric(item, when)}/{when}"
            case _:
                return subject

    def _window(self, name: str, day: date) -> str:
        month = month_of(day)
        lengths = {"month": month, "quarter": quarter_of(month), "year": month[:4]}
        for item in self.terms.items(day):
            if item.name == name and isinstance(item, Minimum | Hybrid):
                return lengths[item.window]
        return month

    def _metric(self, name: str, period: str) -> str:
        for item in self.terms.items(first_day(period)):
            if item.name == name and isinstance(item, ReferralFee):
                return CLICKS.get(item.trigger, "")
        return ""

    def periods(self, since: date, start: date | None = None) -> Iterator[str]:
        """Yield the rows of dues and windows that end after a day, up to today."""
        if not (self.asked.dues or self.asked.windows):
            return
        starts = [each for each in (self.terms.start, start) if each is not None]
        today = self.agreed.today
        if not starts or today is None:
            return
        day = max(min(starts), since).replace(day=1)
        month = month_of(day)
        while self.asked.dues and month <= month_of(today):
            yield f"dues/{month}"
            month = following(month)
        yield from self.windows_of(self._months(day, today))

    def _months(self, start: date, end: date) -> Iterator[str]:
        while start < end:
            yield month_of(start)
            start = add_months(start, 1)

    def windows_of(self, months: Iterable[str]) -> dict[str, None]:
        """Return the rows of the windows that months lie in, if any window is judged."""
        if not self.asked.windows:
            return {}
        return {
            f"window/{window}": None
            for month in months
            for window in (month, quarter_of(month), month[:4])
        }

    # --- computing again ---

    def compute(self, keys: Iterable[str]) -> None:
        """Compute subjects again, and all that rests on them."""
        agreed = self.agreed
        if not self.terms.is_agreed or not agreed.is_between_two:
            return  # The first terms, and the choice of the partner, compute all that is known.
        keys = dict.fromkeys(keys)
        for key in [each for each in keys if each.startswith("figure/")]:
            keys |= dict.fromkeys(self.figures_beside(key))
        if self.row(TOTALS, TotalsRow).statements:
            self._state_all(keys)
        months = self._compute_deals([key for key in keys if key.startswith("deal/")])
        for key in keys:
            kind, _, name = key.partition("/")
            if kind == "entry":
                known = self.known(self.row(key, SubjectRow))
                self._post(key, known, tracks_of_entry(name, known, self.agreed.investments))
            elif kind == "adjustment":
                known = self.known(self.row(key, SubjectRow))
                self._post(key, known, tracks_of_adjustment(name, known))
            elif kind == "figure":
                months |= self._compute_figure(key)
        self._fall_due({**keys, **self.windows_of(months)} if months else keys)

    def _state_all(self, keys: Iterable[str]) -> None:
        for key in keys:
            row = self.row(key, SubjectRow)
            if (stated := self._as_stated(row)) is not row:
                self.put(key, stated)

    def _compute_deals(self, deals: list[str]) -> dict[str, None]:
        """Compute deals again; return the months whose counts have changed."""
        views = {key: self._views(key) for key in deals}
        months: dict[str, None] = {}
        for key in self._count(views, months):
            known, mine = views[key] if key in views else self._views(key)
            self._post(key, known, self._deal_tracks(key, mine))
        return months

    def _compute_figure(self, key: str) -> dict[str, None]:
        _, metric, period = key.split("/")
        if metric not in self.asked.reported:
            return {}
        known = self.known(self.row(key, SubjectRow))
        clicks = metric in CLICKS.values()
        # A figure that earns nothing by itself is posted as well: silence can confirm it.
        self._post(
            key, known, reported_fees(metric, period, known, self.measures) if clicks else ()
        )
        return dict.fromkeys(months_of(period))

    @property
    def measures(self) -> Measures:
        """The figures, with the changes so far."""
        return Measures(self, self.known(SubjectRow()))  # type: ignore[arg-type] # reads rows only

    def _fall_due(self, keys: Iterable[str]) -> None:
        terms, today = self.terms, self.agreed.today
        if today is None:
            return
        for key in keys:
            kind, _, period = key.partition("/")
            if kind == "dues":
                known = self.known(self.row(key, SubjectRow))
                self._post(key, known, dues_of_month(period, terms, today))
            elif kind == "window" and end_of(period) <= today:
                known = self.known(self.row(key, SubjectRow))
                self._post(key, known, judged(period, self.measures, today))

    def _views(self, key: str) -> Views:
        known = self.known(self.row(key, SubjectRow))
        name = key.partition("/")[2]
        agreed = self.agreed
        counted = self.asked.counted
        could = ALL_KINDS if known.of(ClaimKind.WIN) else BEFORE_A_WIN
        views = [
            DealView(name, known, party, kinds, self.policy)
            for party in known.parties
            if (kinds := kinds_of(agreed.terms, party) & could) or counted or agreed.offers
        ]
        return Views(known, views)

    def _count(self, deals: Mapping[str, Views], months: dict[str, None]) -> dict[str, None]:
        """Count deals in windows and counts; return all deals whose lines may change."""
        counted = self.asked.counted
        by_window: dict[str, dict[str, dict[str, Base]]] = {}
        for key, (_, views) in deals.items():
            row = self.row(key, SubjectRow)
            mine: dict[str, dict[str, Base]] = {}
            for view in views:
                for window, base in view.bases():
                    mine.setdefault(window, {})[windows.key_of(base)] = base
            for window in {**row.windows, **mine}:
                by_window.setdefault(window, {})[key] = mine.get(window, {})
            if counted or row.counted:
                months |= self._count_deal(key, views, counted)
        touched = dict.fromkeys(deals)
        for window, bases in by_window.items():
            touched |= dict.fromkeys(self._count_window(window, bases))
        return touched

    def _count_window(self, window: str, bases: Mapping[str, Mapping[str, Base]]) -> list[str]:
        """Count these bases in a window; return the subjects of which it counts something else."""
        before = self.row(window, WindowRow)
        known = {key: self._entries(key, window) for key in bases}
        counted = windows.Window(window, before, self.terms)
        after, changed = counted.counting(bases, known, lambda: self._all_entries(window))
        if after != before:
            self.put(window, after)
        for key, entries in changed.items():
            row = self.row(key, SubjectRow)
            kept = {name: each for name, each in row.windows.items() if name != window}
            self.put(key, replace(row, windows={**kept, window: entries} if entries else kept))
            # Whoever counts the window again must find the subject.
            self.index(key, [each.base.day for each in entries.values()])
        return [*changed]

    def _entries(self, key: str, window: str) -> Mapping[str, Entry]:
        return self.row(key, SubjectRow).windows.get(window, {})

    def _all_entries(self, window: str) -> dict[str, Mapping[str, Entry]]:
        _, _, _, length, start, _ = window.split("/")
        months = windows.window_months(length, date.fromisoformat(start))
        found = {key: self._entries(key, window) for key in self.subjects_of(months)}
        return {key: entries for key, entries in found.items() if entries}

    def _count_deal(
        self, key: str, views: list[DealView], counted: frozenset[str]
    ) -> dict[str, None]:
        """Add what a deal changes to the counts of months; return these months."""
        row = self.row(key, SubjectRow)
        now: dict[str, Fraction] = {}
        for view in views:
            for each in counts_of(view):
                if each.metric in counted:
                    name = f"{each.month}|{each.metric}|{view.party}|{each.unit}"
                    now[name] = now.get(name, Fraction(0)) + each.amount
        before = {name: Fraction(amount) for name, amount in row.counted.items()}
        months: dict[str, None] = {}
        for name in {**before, **now}:
            change = now.get(name, Fraction(0)) - before.get(name, Fraction(0))
            if change:
                month, _, count = name.partition("|")
                months[month] = None
                counts = self.row(f"counts/{month}", CountsRow).counts
                total = Fraction(counts.get(count, "0")) + change
                self.put(f"counts/{month}", CountsRow({**counts, count: str(total)}))
        if months:
            stored = {name: str(amount) for name, amount in now.items() if amount}
            self.put(key, replace(self.row(key, SubjectRow), counted=stored))
        return months

    def _deal_tracks(self, key: str, views: list[DealView]) -> Iterator[Track]:
        offers: Mapping[str, Offer] = self.agreed.offers
        for view in views:
            yield from view.tracks()
            yield from view.incentives(offers)
        row = self.row(key, SubjectRow)
        for window in sorted(row.windows):
            _, item, party, _, _, currency = window.split("/")
            for _, (base, totals) in sorted(row.windows[window].items()):
                yield Track(key, base.fact, item, party, currency, base.at, base.day, totals)

    # --- posting ---

    def _post(self, key: str, known: Known, tracks: Iterable[Track]) -> None:
        """Post the differences between what a subject earns and what was posted for it."""
        before = self.row(key, SubjectRow)
        row = self._as_stated(before)
        # Both parties agreed an adjustment for these books, whatever its day.
        adjusts = key.startswith("adjustment/")

        def elsewhere(total: Total) -> bool:
            return known.settled_elsewhere(total.day) and not adjusts

        here = [each for each in tracks if not all(map(elsewhere, each.totals))]
        found, holds = decided(here, row.disputes, known)
        wanted: dict[str, Wanted] = {}
        for track in found:
            self._want(track, wanted, elsewhere)
        for text, new in wanted.items():
            old = row.lines.get(text)
            if old != new.amount:
                self._difference(text, old, new)
        replacing = {LineKey.of(text).priced: text for text in wanted}
        for text, old in row.lines.items():
            if text not in wanted:
                by = replacing.get(LineKey.of(text).priced)
                why = self._why_replaced(text, by, wanted[by]) if by else {}
                if row.merged_into:
                    why = {"merged_into": row.merged_into}
                self._difference(text, old, None, why)
        held = self._held(found, holds, wanted, row) if holds else {}
        for text in {**row.held, **held}:
            old_holds, new_holds = row.held.get(text, {}), held.get(text, {})
            for dispute in {**old_holds, **new_holds}:
                self._hold(text, dispute, old_holds.get(dispute), new_holds.get(dispute))
        lines = {text: each.amount for text, each in wanted.items()}
        if row is not before or lines != row.lines or held != row.held:
            self.put(key, replace(row, lines=lines, held=held))
        self._await(key, known)

    def _await(self, key: str, known: Known) -> None:
        if self.agreed.awaited or self.asked.silence:
            gain = gaining(self.agreed)
            self.await_silence(key, known.silences(gain) if known.row.facts else ())

    def await_silence(self, key: str, silences: Iterable[Silence]) -> None:
        """Note the days on which silence confirms claims of a subject, if there are any."""
        agreed = self.agreed
        awaited, found = agreed.awaited, tuple(sorted({*silences}))
        if awaited.get(key, ()) == found:
            return
        kept = {name: each for name, each in {**awaited, key: found}.items() if each}
        self.put(AGREED, replace(agreed, awaited=kept))

    def _want(
        self, track: Track, wanted: dict[str, Wanted], elsewhere: Callable[[Total], bool]
    ) -> None:
        """Add the lines of a track, but for those of days that are settled elsewhere."""
        currency, rate = self.exchange(track)
        priced = f"{track.subject}|{track.fact}"
        earns = f"{track.item}|{track.to}|{track.currency}"
        settles = f"{currency}|{'' if rate is None else plain(rate)}"
        before = Decimal(0)
        for total in track.totals:
            own = total.amount - before
            settled: Decimal | None = own
            if rate is None:
                settled = None
            elif rate is not PAR:
                settled = _at(total.amount, rate, currency) - _at(before, rate, currency)
            before = total.amount
            if elsewhere(total):
                continue
            key = f"{priced}|{total.cause}|{earns}|{total.day}|{settles}"
            known = wanted.get(key)
            if known:
                own += known.amount.own
                settled = None if settled is None else settled + (known.amount.settled or 0)
            wanted[key] = Wanted(Amount(own, settled), track, total)

    def exchange(self, track: Track) -> tuple[str, Decimal | None]:
        """Return the currency of a track's statement, and the rate of the day of its fact."""
        frame = self.terms.frame(track.day)
        if frame.settles_in in {"each", track.currency}:
            return track.currency, PAR
        name = f"{track.currency}|{frame.settles_in}|{self._rate_period(track.day)}"
        return frame.settles_in, self._rate(name, frame.rates.source)

    def _rate_period(self, day: date) -> str:
        """Return the day or the month whose rate converts a fact of a day."""
        by_day = self.terms.frame(day).rates.by == "day"
        return day.isoformat() if by_day else month_of(day)

    def _rate(self, name: str, source: str | None) -> Decimal | None:
        """Return the rate that both agreed last, else that of the source if nobody objected."""
        agreed = self.agreed
        known = agreed.rates.get(name, ())
        by_both = [each for each in known if not each.source]
        published = [
            each
            for each in known
            if each.source == source and source and f"{name}|{source}" not in agreed.objected
        ]
        found = by_both or published
        return max(found, key=lambda each: (each.at, each.proposal)).rate if found else None

    def _why_replaced(self, text: str, by: str, new: Wanted) -> Mapping[str, str]:
        """Return in words why a line is replaced by one in another currency or at another rate."""
        old, now = LineKey.of(text), LineKey.of(by)
        if old.settles_in != now.settles_in:
            return {"replaced": f"its statement is in {now.settles_in}"}
        period = self._rate_period(new.track.day)
        match bool(old.rate), bool(now.rate):
            case False, True:
                return {"replaced": f"the rate of {period} arrived"}
            case True, False:
                return {"replaced": f"no rate of {period} counts any longer"}
            case _:
                return {"replaced": f"another rate of {period} counts"}

    def _difference(
        self,
        text: str,
        old: Amount | None,
        new: Wanted | None,
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        own = (new.amount.own if new else Decimal(0)) - (old.own if old else Decimal(0))
        settled = _less(new.amount.settled if new else None, old.settled if old else None)
        if not own and not settled:
            return
        key = LineKey.of(text)
        self._add("open", key, Amount(own, settled))
        self._earn(key, own)
        if new:
            total = new.total.amount
            details = {**new.total.details, "total": total, "total_before": total - own}
        self._line(key, key.item, Amount(own, settled), details)

    def _held(
        self, tracks: list[Track], holds: list[Hold], wanted: Mapping[str, Wanted], row: SubjectRow
    ) -> dict[str, dict[str, Amount]]:
        """Return what is on hold. What was stated is not claimed back before the decision."""
        held: dict[str, dict[str, Amount]] = {}
        taken: dict[int, Decimal] = {}
        for dispute, place, amount in holds:
            track = tracks[place]
            before = taken.get(place, Decimal(0))
            taken[place] = before + amount
            mine = [key for key in map(LineKey.of, wanted) if key.track == _track_key(track)]
            left = Amount(Decimal(0), Decimal(0))
            for key in mine:
                left = _plus(left, wanted[key.text()].amount)
            for text, stated in row.stated.items():
                if LineKey.of(text).track == _track_key(track):
                    left = _plus(left, _negative(stated))
            for other in held.get(mine[0].text(), {}).values():
                left = _plus(left, _negative(other))
            currency, rate = self.exchange(track)
            of_settled = Decimal(0)
            if rate is not None:
                whole = _at(track.amount - before, rate, currency)
                of_settled = whole - _at(track.amount - taken[place], rate, currency)
            own = max(Decimal(0), min(amount, left.own))
            settled = max(Decimal(0), min(of_settled, left.settled or Decimal(0)))
            if own or settled:
                held.setdefault(mine[0].text(), {})[dispute] = Amount(own, settled)
        return held

    def _hold(self, text: str, dispute: str, old: Amount | None, new: Amount | None) -> None:
        own = (new.own if new else Decimal(0)) - (old.own if old else Decimal(0))
        settled = (new.settled or Decimal(0) if new else Decimal(0)) - (
            old.settled or Decimal(0) if old else Decimal(0)
        )
        if not own and not settled:
            return
        key = LineKey.of(text)
        self._add("held", key, Amount(own, settled))
        self._add("open", key, Amount(-own, -settled))
        item = "hold" if own > 0 else "release"
        self._line(key, item, Amount(-own, -settled), {"dispute": dispute})

    def _line(self, key: LineKey, item: str, amount: Amount, details: Mapping[str, Any]) -> None:
        recorded = self.recorded
        self.lines.append(
            {
                "line": f"{recorded.index}.{len(self.lines) + 1}",
                "index": recorded.index,
                "because_of": recorded.event.wire,
                "occurred_at": instant(recorded.act.occurred_at),
                "late_days": recorded.late_days,
                "about": key.subject,
                "item": item,
                "fact": key.fact,
                "cause": key.cause,
                "day": key.day,
                "month": key.day[:7],
                "to": key.to,
                "currency": key.currency,
                "amount": plain(amount.own),
                "settles_in": key.settles_in,
                "settled": None if amount.settled is None else plain(amount.settled),
                "rate": key.rate or None,
                **{name: _shown(value) for name, value in details.items()},
            }
        )

    def _add(self, what: str, key: LineKey, amount: Amount) -> None:
        totals = self.row(TOTALS, TotalsRow)
        sums: Mapping[str, Sum] = getattr(totals, what)
        known = sums.get(key.sum, Sum({}, {}))
        own = {**known.own, key.to: known.own.get(key.to, Decimal(0)) + amount.own}
        settled = known.settled.get(key.to, Decimal(0)) + (amount.settled or Decimal(0))
        now = Sum(own, {**known.settled, key.to: settled}, known.lines + 1)
        after = {**sums, key.sum: now}
        held = what == "held"
        self.put(TOTALS, replace(totals, held=after) if held else replace(totals, open=after))

    def _earn(self, key: LineKey, amount: Decimal) -> None:
        """Add a line to what the lines of its year come to."""
        year, month = key.day[:4], key.day[:7]
        row = self.row(f"{EARNED}{year}", EarnedRow)
        name = f"{month}|{key.item}|{self._what(key.subject)}|{key.currency}|{key.to}"
        total = row.amounts.get(name, Decimal(0)) + amount
        others = {of: each for of, each in row.amounts.items() if of != name}
        amounts = {**others, name: total} if total else others
        self.put(f"{EARNED}{year}", EarnedRow(amounts))
        totals = self.row(TOTALS, TotalsRow)
        years = {*totals.years, year} if amounts else {*totals.years} - {year}
        if len(years) != len(totals.years):
            self.put(TOTALS, replace(totals, years=tuple(sorted(years))))

    def _what(self, subject: str) -> str:
        """Return what an entry is (revenue, cost, penalty); empty for other subjects."""
        if not subject.startswith("entry/"):
            return ""
        facts = self.row(subject, SubjectRow).facts
        return next((each.note.partition("|")[0] for each in facts.values() if each.note), "")

    def _as_stated(self, row: SubjectRow) -> SubjectRow:
        """Return a subject's row with what statements took since it was computed last."""
        statements = self.row(TOTALS, TotalsRow).statements
        if len(statements) == row.statements:
            return row
        stated, stated_at = dict(row.stated), row.stated_at
        for statement in statements[row.statements :]:
            for text, amount in row.lines.items():
                key = LineKey.of(text)
                over = add_months(date.fromisoformat(f"{key.day[:7]}-01"), 1)
                taken = key.settles_in == statement.currency and key.rate
                if taken and over <= statement.until:
                    taken_of = amount
                    for held in row.held.get(text, {}).values():
                        taken_of = _plus(taken_of, _negative(held))
                    stated[text] = taken_of
                    stated_at = stated_at or (statement.at if taken_of.own else None)
        return replace(row, stated=stated, stated_at=stated_at, statements=len(statements))


def _track_key(track: Track) -> tuple[str, ...]:
    return (track.subject, track.fact, track.item, track.to, track.currency)


def _at(amount: Decimal, rate: Decimal, currency: str) -> Decimal:
    return rounded(amount * rate, currency)


def _less(new: Decimal | None, old: Decimal | None) -> Decimal | None:
    if new is None and old is None:
        return None
    return (new or Decimal(0)) - (old or Decimal(0))


def _plus(one: Amount, other: Amount) -> Amount:
    settled = (one.settled or Decimal(0)) + (other.settled or Decimal(0))
    return Amount(one.own + other.own, settled)


def _negative(amount: Amount) -> Amount:
    return Amount(-amount.own, -(amount.settled or Decimal(0)))


def _shown(value: object) -> object:
    return plain(value) if isinstance(value, Decimal) else value
