"""Deals and payments for which one party pays in two partnerships (money.md, section 6).

Such a party may pay twice for one sale. A party that is credited in both is paid twice, and pays
for nothing. No partnership sees this by itself, so its deals are
compared with those of the party's other partnerships, by the identifiers that the party gave them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from domain.arithmetic import exact
from domain.claims import ClaimKind
from domain.described import described
from domain.values import Exact
from projections.ledger.book import LineKey, terms_of
from projections.ledger.counting import Known
from projections.ledger.deals import DealView, losses
from projections.ledger.rows import AgreedRow, SubjectRow

DEAL, PAYMENT = "deal/", f"{ClaimKind.PAYMENT}/"
"""What the names of deals and of payments begin with."""


class Place(NamedTuple):
    """A deal of a partnership."""

    partnership: str
    deal: str


@described
@dataclass(frozen=True, slots=True)
class Earned:
    """What a party has earned."""

    to: str
    """The party."""
    amount: Exact
    """The amount, as a decimal string."""
    currency: str
    """The currency, as a code of ISO 4217."""


@described
@dataclass(frozen=True, slots=True)
class Credited:
    """The credit for a deal or a payment in one partnership."""

    partnership: str
    """The partnership."""
    deal: str
    """The deal; the one that the payment belongs to."""
    percent: Mapping[str, Exact]
    """The credit of each party that has any, in percent."""
    earned: tuple[Earned, ...]
    """What it has earned so far, by party and currency."""
    is_won: bool
    """Whether the deal is won."""

    def is_paid_by(self, party: str) -> bool:
        """Whether the other party is credited or has earned, so that `party` pays."""
        return any(each != party for each in (*self.percent, *(of.to for of in self.earned)))


@described
@dataclass(frozen=True, slots=True)
class DuplicateCredit:
    """A deal or a payment for which one party pays in several of its partnerships."""

    party: str
    """The party that has these partnerships, and that pays in them."""
    subject: str
    """The deal or the payment: `deal/D-1`, `payment/P-1`."""
    credits: tuple[Credited, ...]
    """The credit in each of them, by partnership and deal."""


def names_of_deal(deal: str, facts: Iterable[str]) -> Iterator[str]:
    """Yield the name of a deal, and those of its payments among the keys of its facts."""
    yield f"{DEAL}{deal}"
    yield from (key for key in facts if key.startswith(PAYMENT))


def shared(names: Iterable[tuple[Place, Iterable[str]]]) -> dict[str, list[Place]]:
    """Return the places of each name that deals of several partnerships have."""
    first: dict[str, Place] = {}
    found: dict[str, list[Place]] = {}
    for place, each in names:
        for name in each:
            before = first.setdefault(name, place)
            if before is not place:
                found.setdefault(name, [before]).append(place)
    return {name: of for name, of in found.items() if len({each.partnership for each in of}) > 1}


@dataclass(frozen=True)
class Deal:
    """A deal as it is credited in its partnership."""

    place: Place
    row: SubjectRow
    agreed: AgreedRow
    today: date
    """The last day on which an event was recorded. Silence has confirmed what it had by then."""

    @property
    def parties(self) -> tuple[str, str]:
        """The parties of the partnership."""
        return self.agreed.parties[0], self.agreed.parties[1]

    @cached_property
    def _known(self) -> Known:
        return Known(self.row, terms_of(self.agreed), self.parties, self.today)

    @cached_property
    def _views(self) -> list[DealView]:
        """The deal as it counts for each party that is credited."""
        views = [DealView(self.place.deal, self._known, party) for party in self.parties]
        return [view for view in views if view.credit[0]]

    def credited(self, name: str) -> Credited | None:
        """Return the credit for the deal, or for a payment of it; None if nobody is credited."""
        counts = self._counts if name.startswith(PAYMENT) else self._is_sold
        percent = {
            view.party: Decimal(100 * view.credit[0]) / view.credit[1]
            for view in self._views
            if counts(view, name)
        }
        if not percent:
            return None
        is_won = any(view.sales for view in self._views)
        return Credited(*self.place, percent, tuple(self._earned(name)), is_won)

    def _is_sold(self, view: DealView, _: str) -> bool:
        """Whether the deal is open or won: one that was lost or cancelled pays nobody."""
        return not losses(self._known) and not (view.sales and view.sales[-1].cancelled)

    @staticmethod
    def _counts(view: DealView, payment: str) -> bool:
        """Whether a payment counts, and not all of it was returned."""
        return payment in dict(view.payments) and bool(view.remains(payment)[-1].amount)

    def _earned(self, name: str) -> Iterator[Earned]:
        sums: dict[tuple[str, str], Decimal] = {}
        for text, amount in self.row.lines.items():
            key = LineKey.of(text)
            if name in {key.fact, f"{DEAL}{self.place.deal}"}:
                of = (key.to, key.currency)
                sums[of] = sums.get(of, Decimal(0)) + amount.own
        for (to, currency), earned in sorted(sums.items()):
            if earned:
                yield Earned(to, earned, currency)


@exact
def duplicates(
    names: Mapping[str, Iterable[Place]], deals: Mapping[Place, Deal]
) -> tuple[DuplicateCredit, ...]:
    """Return what one party pays for in several partnerships: deals first, then payments.

    `names` are those that several partnerships have (`shared`). Payments of deals that are
    themselves credited in the same partnerships are left out.
    """
    return tuple(_duplicates(names, deals))


def _duplicates(
    names: Mapping[str, Iterable[Place]], deals: Mapping[Place, Deal]
) -> Iterator[DuplicateCredit]:
    listed: dict[str, list[set[Place]]] = {}
    for name in sorted(names):
        by_party: dict[str, dict[Place, Credited]] = {}
        for place in names[name]:
            deal = deals[place]
            if credited := deal.credited(name):
                for party in filter(credited.is_paid_by, deal.parties):
                    by_party.setdefault(party, {})[place] = credited
        for party, found in sorted(by_party.items()):
            places, before = set(found), listed.setdefault(party, [])
            if len({each.partnership for each in places}) > 1 and not any(
                name.startswith(PAYMENT) and places <= each for each in before
            ):
                before.append(places)
                yield DuplicateCredit(party, name, tuple(found[each] for each in sorted(found)))
