"""The path from each line of a statement to the events that made it, and who signed each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum

import orjson

from domain.agreement import CommercialTermsAgreed, TermsAccepted
from domain.kernel import CLOCK_PARTY, Event, Refused
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from infra.answers.question import Item
from infra.answers.statement import LedgerLine
from infra.deciding.pseudonyms import COMMAND
from infra.store.history import History
from infra.tlog import dsse
from projections import timeline


class Signing(StrEnum):
    """Whether a party signed an event."""

    SIGNED = "signed"
    NOT_SIGNED = "not signed"
    FOLLOWS = "follows"
    """Nobody states it: the clock or an agreed rule recorded it, and the rules can be checked."""


class PathEvent(Item):
    """An event that a line of a statement rests on."""

    index: int
    """Its index in the log."""
    type: str
    """Its type."""
    party: str
    """The party that stated it."""
    occurred_at: datetime
    """When it happened, as its party says."""
    day: date
    """The day of that in the agreement's time zone."""
    text: str
    """What the party did, in words."""
    signing: Signing
    """Whether that party signed it."""
    key: str | None
    """The fingerprint of the key; null if it is not signed, or its command was erased."""


class Paths:
    """The events of a log by what lines name: subjects, disputes and versions of the terms."""

    def __init__(
        self, history: History, partnership: str, events: Sequence[Recorded], terms: TermsByDay
    ) -> None:
        self._terms_by_day = terms
        self._partnership = partnership
        self._events = {each.index: each for each in events}
        self._streams: dict[str, list[int]] = {}
        for each in events:
            self._streams.setdefault(each.stream, []).append(each.index)
        self._commands = history.kept(COMMAND, partnership)

    def of(self, line: LedgerLine) -> list[int]:
        """Return the indexes of the events that a line rests on, in the order of the log.

        They are the event that posted it, those of its deal or entry and of the dispute that
        changed it up to then, and those that agreed its rule.
        """
        found = {line.index, *self._terms(line.terms_version)}
        if line.rule:
            found.add(line.rule.index)
        for name in (line.about, line.fact, line.cause, f"deal/{line.merged_into}"):
            kind, _, rest = name.partition("/")
            own = f"{'deal' if kind == 'referral' else kind}/{rest.partition('@')[0]}"
            found.update(self._streams.get(f"{self._partnership}/{own}", ()))
        return sorted(each for each in found if each <= line.index and each in self._events)

    def _terms(self, version: int | None) -> Iterator[int]:
        """Yield the events that proposed, accepted and agreed a version of the terms."""
        proposals = {
            each.event.proposal
            for each in self._events.values()
            if isinstance(each.event, CommercialTermsAgreed) and each.event.terms_version == version
        }
        for each in self._events.values():
            if isinstance(each.event, _AGREEING) and each.event.proposal in proposals:  # type: ignore[attr-defined] # each has one
                yield each.index

    def events(self, indexes: Iterable[int]) -> Iterator[PathEvent]:
        """Yield these events."""
        for index in sorted(set(indexes)):
            recorded = self._events[index]
            yield PathEvent(
                index=index,
                type=recorded.event.wire,
                party=recorded.act.party,
                occurred_at=recorded.act.occurred_at,
                day=self._terms_by_day.day(recorded.act.occurred_at),
                text=timeline.words(recorded.event),
                signing=_signing(recorded),
                key=self._key(recorded),
            )

    def _key(self, recorded: Recorded) -> str | None:
        body = self._commands.get(recorded.signed or "")
        if body is not None:
            with suppress(Refused, ValueError):
                return dsse.read(orjson.loads(body)).keyid
        return None


_AGREEING: tuple[type[Event], ...] = (
    CommercialTermsAgreed,
    CommercialTermsAgreed.proposed,
    CommercialTermsAgreed.countered,
    TermsAccepted,
)


def _signing(recorded: Recorded) -> Signing:
    if recorded.signed is not None:
        return Signing.SIGNED
    return Signing.FOLLOWS if recorded.act.party == CLOCK_PARTY else Signing.NOT_SIGNED
