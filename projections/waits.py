"""The leads that await an answer without a last day: one alert of each month for who answers.

A lead is in the row of its day, and the row of its month says how many of each day wait. So no row
grows with the number of leads, and the oldest are found in the rows of the first days.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from domain.claims import ClaimKind
from domain.standing_alerts import LEAD_UNANSWERED
from domain.values import counted, instant
from projections.counted import FACTS
from projections.ledger.claims import NO_DAYS, Point
from projections.ledger.rows import SubjectRow, WaitsRow

NAMED: Final = 3
"""How many of the oldest leads an alert names."""

_OF_DEAL: Final = f"{FACTS}deal/"

Get = Callable[[str], WaitsRow]
"""Reads the row of a day or a month by its key; an empty one if there is none."""


class Waiting(NamedTuple):
    """A lead that awaits an answer, the oldest first."""

    since: datetime
    deal: str


def waits_key(period: str) -> str:
    """Return the key of the row of a day or of a month."""
    return f"{FACTS}waits/{period}"


def leads_of(get: Get, month: str, party: str) -> Iterator[Waiting]:
    """Yield the leads of a month that await the answer of a party, the oldest first."""
    for each in sorted(get(waits_key(month)).waits):
        name, _, day = each.partition("|")
        if name == party:
            waits = get(waits_key(day)).waits.items()
            said = ((deal, *text.split("|")) for deal, text in waits)
            yield from sorted(
                Waiting(datetime.fromisoformat(since).astimezone(UTC), deal)
                for deal, acts, since in said
                if acts == party
            )


class Waits:
    """The rows of leads that wait, as an event changes them."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self.changed: dict[str, Any] = {}
        """The rows that are changed, by key."""

    def settled(
        self, before: Mapping[str, SubjectRow], points: Mapping[str, tuple[Point, ...]]
    ) -> list[Point]:
        """Return what the alert of each month says whose leads changed.

        `points` are those of some subjects, `before` are their rows before the event.
        """
        months: dict[str, str] = {}
        for key, found in points.items():
            if key.startswith(_OF_DEAL):
                ended = next((x.text for x in found if x.rule == LEAD_UNANSWERED and x.ends), "")
                deal = key.removeprefix(_OF_DEAL)
                waits = next((x for x in found if x.rule == LEAD_UNANSWERED and not x.ends), None)
                lead = before[key].facts.get(ClaimKind.REFERRAL) if key in before else None
                gone = self._remove(deal, _day(lead.at)) if lead else None
                come = self._add(deal, waits) if waits else None
                months |= {each: ended for each in (gone, come) if each}
        return [self._of_month(each, ended) for each, ended in months.items()]

    def _remove(self, deal: str, day: str) -> str | None:
        """Remove a lead; return its month and who was to answer, if it waited."""
        waits = self._row(day)
        if deal not in waits:
            return None
        party = waits[deal].partition("|")[0]
        self._keep(day, {name: each for name, each in waits.items() if name != deal})
        return self._count(day, party, -1)

    def _add(self, deal: str, point: Point) -> str | None:
        (party,), since = point.acting, point.since
        if since is None:
            return None
        day = _day(since)
        self._keep(day, {**self._row(day), deal: f"{party}|{instant(since)}"})
        return self._count(day, party, 1)

    def _count(self, day: str, party: str, more: int) -> str:
        month, of = day[:7], f"{party}|{day}"
        counts = self._row(month)
        now = int(counts.get(of, "0")) + more
        others = {name: each for name, each in counts.items() if name != of}
        self._keep(month, {**others, of: f"{now}"} if now else others)
        return f"{month}/{party}"

    def _of_month(self, about: str, ended: str) -> Point:
        """Return what the alert of a month says, or what ended it."""
        month, _, party = about.partition("/")
        counts = self._row(month).items()
        total = sum(int(each) for of, each in counts if of.startswith(f"{party}|"))
        if not total:
            return Point(LEAD_UNANSWERED, about, ended, ends=True)
        first = list(islice(leads_of(self._now, month, party), NAMED))
        names = ", ".join(each.deal for each in first)
        verb = "awaits" if total == 1 else "await"
        text = (
            f"{counted(total, 'lead')} of {month} {verb} the answer of {party}, the oldest of deal "
            f"{names}. It accepts a lead (ConfirmClaim) or rejects it (ObjectToClaim). {NO_DAYS}"
        )
        return Point(LEAD_UNANSWERED, about, text, (party,), since=first[0].since)

    def _now(self, key: str) -> WaitsRow:
        found: WaitsRow | None = self.changed.get(key)
        return self._get(key) if found is None else found

    def _row(self, period: str) -> Mapping[str, str]:
        return self._now(waits_key(period)).waits

    def _keep(self, period: str, waits: Mapping[str, str]) -> None:
        self.changed[waits_key(period)] = WaitsRow(dict(sorted(waits.items())))


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).date()}"
