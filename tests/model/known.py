"""Who may state what, and corrections (sections 5 and 6): the content of facts that counts."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.model.days import local_day
from tests.model.facts import (
    AttributionSettled,
    Confirmed,
    Corrected,
    DealCancelled,
    DealsMerged,
    DealWon,
    EntryReversed,
    Fact,
    IncentiveOffered,
    JointEntry,
    MetricReported,
    Objected,
    OpportunityCreated,
    Party,
    PaymentReceived,
    PaymentReturned,
    PayoutMade,
    PayoutReturned,
    PenaltyRaised,
    ReferralSubmitted,
    ReturnReversed,
    StatedAlso,
    StatementIssued,
    TouchClaimed,
)
from tests.model.terms import Terms, in_order, terms_of

F = TypeVar("F", bound=Fact)

# The kinds of fact that terms can let count on the word of the side that gains.
KINDS: dict[type[Fact], str] = {
    ReferralSubmitted: "referral",
    TouchClaimed: "touch",
    DealWon: "win",
    PaymentReceived: "payment",
    JointEntry: "entry",
    MetricReported: "metric",
    PaymentReturned: "return",
    ReturnReversed: "reversal",
    DealCancelled: "cancellation",
    EntryReversed: "entry-reversal",
    IncentiveOffered: "incentive",
    PayoutMade: "payout",
    PayoutReturned: "payout-return",
}


P = ParamSpec("P")
R = TypeVar("R")


def remembered(
    function: Callable[Concatenate["Known", P], R],
) -> Callable[Concatenate["Known", P], R]:
    """Compute an answer about the same known facts once."""

    @wraps(function)
    def answer(known: "Known", /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (function.__qualname__, args, *sorted(kwargs.items()))
        if key not in known.cache:
            known.cache[key] = function(known, *args, **kwargs)
        return known.cache[key]  # type: ignore[return-value]

    return answer


@dataclass(frozen=True)
class Known:
    """The known facts of one partnership, in the order in which they happened."""

    facts: tuple[Fact, ...]
    parties: tuple[Party, Party]
    now: datetime
    terms: Terms
    cache: dict[object, object] = field(default_factory=dict, compare=False)

    def of(self, kind: type[F]) -> list[F]:
        """All facts of a kind as first stated, in the order in which they happened."""
        return [each for each in self._by_kind.get(kind, ()) if isinstance(each, kind)]

    @cached_property
    def _by_kind(self) -> dict[type[Fact], list[Fact]]:
        found: dict[type[Fact], list[Fact]] = defaultdict(list)
        for each in self.facts:
            found[type(each)].append(each)
        return found

    @cached_property
    def _corrections(self) -> dict[str, list[Corrected]]:
        found: dict[str, list[Corrected]] = defaultdict(list)
        for each in self.of(Corrected):
            found[each.corrects].append(each)
        return found

    @cached_property
    def _also(self) -> dict[str, StatedAlso]:
        return {each.states: each for each in self.of(StatedAlso)}

    @cached_property
    def _confirmations(self) -> dict[str, list[Confirmed]]:
        found: dict[str, list[Confirmed]] = defaultdict(list)
        for each in self.of(Confirmed):
            found[each.claim].append(each)
        return found

    @property
    def today(self) -> date:
        return self.terms.day(self.now)

    def other(self, party: Party) -> Party:
        return self.parties[1] if party == self.parties[0] else self.parties[0]

    def confirmed_by_hand(self, fact: Fact) -> bool:
        """The other side confirmed this statement of the fact."""
        return any(each.stated_by != fact.stated_by for each in self._confirmations[fact.id])

    def objected_by_hand(self, fact: Fact) -> bool:
        """The other side objected to the fact itself."""
        return any(
            each.claim == fact.id and each.stated_by != fact.stated_by for each in self.of(Objected)
        )

    def corrections_of(self, fact: Fact) -> list[Corrected]:
        """The corrections of a fact, in the order in which they happened."""
        return self._corrections[fact.id]

    def confirmations(self, fact: Fact) -> list[Confirmed]:
        """What either side confirmed of the fact."""
        return self._confirmations[fact.id]

    def confirmed(self, fact: Fact) -> bool:
        """Confirmed, or not objected to within the agreed days (silence reads `recorded_at`)."""
        return self.confirmed_by_hand(fact) or self.by_silence(fact)

    def statements(self, fact: F) -> dict[Party, F]:
        """What each side states of a fact, under the id of the fact."""
        also = self._also.get(fact.id)
        first = next((each for each in self.of(type(fact)) if each.id == fact.id), fact)
        found = {first.stated_by: first}
        if also:
            found[also.stated_by] = _as_stated(also)
        return found

    def by_both(self, fact: Fact) -> bool:
        """Both sides stated the fact."""
        return fact.id in self._also

    def statement(self, fact: F, gains: Party, records: Party | None) -> F:
        """The statement of a fact that is asked for, where a party gains by the fact.

        What the side that owes states counts at once, so of two it is that one; the other is a
        claim for what differs. A claim that was agreed to binds both sides.
        """
        if not self.by_both(fact):
            return fact
        found = self.statements(fact)
        mine = found[gains]
        agreed = self.confirmed(mine) or self.on_word(mine)
        return mine if agreed or records == gains else found[self.other(gains)]

    def by_silence(self, fact: Fact) -> bool:
        zone = self.terms.zone(fact.recorded_at)
        told = local_day(fact.recorded_at, zone)
        days = self.terms.frame(told).confirm_within
        if not days or isinstance(fact, PenaltyRaised):
            return False
        deadline = told + timedelta(days=days)
        said = [each for each in self.of(Objected) if each.claim == fact.id]
        # Who states the fact itself is not silent.
        spoken = [*said, *(self.statements(fact).values() if self.by_both(fact) else ())]
        objected = any(
            each.stated_by != fact.stated_by and local_day(each.recorded_at, zone) < deadline
            for each in spoken
        )
        return not objected and local_day(self.now, zone) >= deadline

    def on_word(self, fact: Fact) -> bool:
        """The terms of the fact's day let its kind count on the word of the side that gains."""
        words = self.terms.frame(self.terms.day(fact.occurred_at)).on_word or ()
        return KINDS.get(type(fact)) in words

    def earning(self, fact: F, gains: Party) -> F | None:
        """What counts of a fact by which a party earns. The side that owes keeps its records."""
        return self.content(fact, gains, self.other(gains))

    def taking(self, fact: F, reduced: Fact, loses: Party) -> F | None:
        """What counts of a return, cancellation or reversal that takes from a party.

        The side that owes states the returns of what it stated itself; else they are claims.
        """
        owes = self.other(loses)
        return self.content(fact, owes, owes if reduced.stated_by == owes else None)

    @remembered
    def content(self, fact: F, gains: Party, records: Party | None) -> F | None:
        """What counts of a fact by which a party gains, or None where nothing counts yet.

        The other side's statement counts at once; the gaining side's is a claim. A side corrects
        its own fact at once, unless it gains by the change; `records` names the side that keeps
        the records such facts come from: what it states and corrects of its own counts at once.
        A correction of the other side's fact is a proposal. So is what a side corrects of its own
        statement, where that of the other side is asked for.
        """
        fact = self.statement(fact, gains, records)
        at_once = fact.stated_by in {self.other(gains), records}
        counts = fact if at_once or self.confirmed(fact) or self.on_word(fact) else None
        for each in self._corrections[fact.id]:
            if self._correction_counts(each, fact, counts, gains, records):
                counts = self._corrected(fact, each)
        return counts

    def _correction_counts(
        self,
        correction: Corrected,
        first: Fact,
        counts: Fact | None,
        gains: Party,
        records: Party | None,
    ) -> bool:
        if self.confirmed(correction):
            return True
        if correction.stated_by != first.stated_by:
            return False
        if correction.stated_by == records:
            return True
        falls = counts is not None and lowers(counts, correction.replacement)
        return falls if correction.stated_by == gains else not falls

    def agreed(self, fact: F) -> F | None:
        """What counts of a fact that only both can correct (a rate)."""
        counts: F | None = fact
        for each in self._corrections[fact.id]:
            if self.confirmed_by_hand(each):
                counts = self._corrected(fact, each)
        return counts

    @staticmethod
    def _corrected(fact: F, correction: Corrected) -> F | None:
        """The right content. A corrected fact keeps its id and the party that stated it."""
        new = correction.replacement
        if not isinstance(new, type(fact)):
            return None
        return replace(new, id=fact.id, stated_by=fact.stated_by)

    @remembered
    def payments(self, deal: str, gains: Party) -> list[PaymentReceived]:
        """The payments of a deal that count for the party that gains by them."""
        found = [
            counted
            for each in self.of(PaymentReceived)
            if (counted := self.earning(each, gains)) and counted.deal == deal
        ]
        return sorted(found, key=lambda each: (each.occurred_at, each.id))

    def wins(self, deal: str, gains: Party) -> list[DealWon]:
        """The wins of a deal that count for the party that gains by them."""
        found = [
            counted
            for each in self.of(DealWon)
            if (counted := self.earning(each, gains)) and counted.deal == deal
        ]
        return sorted(found, key=lambda each: (each.occurred_at, each.id))


AMOUNTS: dict[type[Fact], str] = {
    PaymentReceived: "amount",
    PaymentReturned: "amount",
    JointEntry: "amount",
    EntryReversed: "amount",
    IncentiveOffered: "amount",
    DealWon: "value",
    MetricReported: "value",
}


def lowers(old: Fact, new: Fact | None) -> bool:
    """Whether a correction only lowers the amount, or says that nothing happened."""
    if new is None:
        return True
    amount = AMOUNTS.get(type(old))
    if type(old) is not type(new) or not amount:
        return False
    record = {amount, "id", "recorded_at", "stated_by"}
    same = all(
        getattr(old, each.name) == getattr(new, each.name)
        for each in fields(old)
        if each.name not in record
    )
    before, after = getattr(old, amount), getattr(new, amount)
    if isinstance(before, Decimal):
        return same and after <= before
    return bool(
        same
        and before
        and after
        and before.currency == after.currency
        and after.amount <= before.amount
    )


def _as_stated(also: StatedAlso) -> Any:  # noqa: ANN401 - a fact of the kind of its content
    """The fact as the other party states it."""
    return replace(
        also.content,
        id=also.states,
        stated_by=also.stated_by,
        occurred_at=also.occurred_at,
        recorded_at=also.recorded_at,
    )


def touches(known: Known, deal: str) -> Iterator[TouchClaimed]:
    """The touches of a deal that are possible: none is dated later than its message."""
    for first in known.of(TouchClaimed):
        each = known.statement(first, first.to, None)
        if each.deal == deal and each.touched_at <= each.occurred_at:
            yield each


def first_stated(known: Known, deal: str) -> datetime | None:
    """When a statement first showed a line of the deal, or the incentive for its referral."""
    times = [
        each.recorded_at
        for each in known.of(StatementIssued)
        if any(line.subject in {("deal", deal), ("referral", deal)} for line in each.lines)
    ]
    return min(times, default=None)


def acted_on(known: Known, deal: str, by: Party, since: datetime) -> bool:
    """A party opened an opportunity or won the deal, and so confirmed what was claimed before.

    Who confirms the other side's win has won the deal as well.
    """
    opened = [each for each in known.of(OpportunityCreated) if each.stated_by == by]
    stated = [
        win
        for win in known.of(DealWon)
        if by in known.statements(win)
        or any(each.stated_by == by for each in known.confirmations(win))
    ]
    # A win acts on the day on which it counts against the party that acted.
    won = [counted for win in stated if (counted := known.earning(win, known.other(by)))]
    acts: list[OpportunityCreated | DealWon] = [*opened, *won]
    return any(each.deal == deal and each.occurred_at >= since for each in acts)


def settlement(known: Known, deal: str) -> AttributionSettled | None:
    """The attribution that both settled last."""
    return next(
        (each for each in reversed(known.of(AttributionSettled)) if each.deal == deal), None
    )


def known_of(
    facts: frozenset[Fact], parties: tuple[Party, Party], known_at: datetime | None
) -> Known:
    """The facts that were known at a time; without one, all, as of the latest of them."""
    found = [each for each in facts if known_at is None or each.recorded_at <= known_at]
    ids = {each.id for each in found}
    # Of two statements the second may be known alone.
    found = [
        _as_stated(each) if isinstance(each, StatedAlso) and each.states not in ids else each
        for each in found
    ]
    now = known_at or max(
        (each.occurred_at for each in found), default=datetime(1, 1, 1, tzinfo=UTC)
    )
    # A duplicate counts nowhere: it is as if nothing had ever been stated of it.
    duplicates = {each.deal for each in found if isinstance(each, DealsMerged)}
    found = [each for each in found if getattr(each, "deal", None) not in duplicates]
    return Known(tuple(in_order(found)), parties, now, terms_of(found))
