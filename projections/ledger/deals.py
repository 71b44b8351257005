"""What a deal earns a party: its sales, what remains of its payments, and its credit.

A `DealView` is one deal as it counts for one party. The rules are in docs/settlement.md, Taking
back and Who may state what (C18).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, TypeVar

from domain.attribution import CODES, AttributionPolicy, PolicyKind
from domain.calendar import add_months
from domain.claims import ClaimKind
from domain.settlement import split
from domain.terms import Incentive, Item, ReferralFee, RevenueShare, RevenueSplit, Trigger
from projections.ledger.counting import LOST, REOPENED, Facts, Known
from projections.ledger.rows import Base, Fact, Offer, Remains, Total
from projections.ledger.tracks import (
    ALL,
    NO_CREDIT,
    Credit,
    Track,
    changing,
    ordered,
    part_of,
    running,
    single,
)
from projections.ledger.windows import window_start

E = TypeVar("E")

YEAR = 12
"""Months of a first year, and the divisor of amounts that are counted by months."""


ALL_KINDS: frozenset[type[Item]] = frozenset({RevenueShare, ReferralFee, RevenueSplit, Incentive})
"""The kinds of items that deals earn by."""

BEFORE_A_WIN: frozenset[type[Item]] = frozenset({Incentive})
"""Those of them by which a deal earns before it is won."""


def kinds_for(party: str, items: Iterable[Item]) -> frozenset[type[Item]]:
    """Return the kinds of items by which a party can earn on deals."""
    found: set[type[Item]] = set()
    for item in items:
        match item:
            case RevenueShare(to=to) | ReferralFee(to=to) if to != party:
                pass
            case Incentive(by=by) if by == party:
                pass
            case RevenueShare() | ReferralFee() | RevenueSplit() | Incentive():
                found.add(type(item))
            case _:
                pass
    return frozenset(found)


def losses(known: Facts) -> list[tuple[str, Fact]]:
    """Return the last loss of a deal that was not reopened since; none if there is no such loss."""
    # A party that states the loss of a lost deal states the same loss at a time of its own.
    reopened = max((fact.at for _, fact in known.of(REOPENED)), default=None)
    return [each for each in known.of(LOST) if reopened is None or each[1].at > reopened][:1]


class Uncounted(StrEnum):
    """Why a touch does not count for credit."""

    UNCONFIRMED = "unconfirmed"
    """The party that it credits stated it, and the other has not confirmed it or acted on it."""
    LATE = "late"
    """It is later than the conversion."""
    EARLY = "early"
    """It is before the attribution window."""
    STATED = "stated"
    """Credit was stated before it was recorded, and the other party has not confirmed it."""


class Sale(NamedTuple):
    """A win, and when it was cancelled."""

    key: str
    win: Fact
    cancelled: tuple[str, Fact] | None


class Weighed(NamedTuple):
    """A base that a window of tiers or a cap counts, with its window."""

    window: str
    base: Base


@dataclass
class DealView:
    """One deal as it counts for one party."""

    name: str
    known: Known
    party: str
    kinds: frozenset[type[Item]] = ALL_KINDS
    """The kinds of items that pay the party in the terms of any day."""
    policy: AttributionPolicy | None = None
    """A policy that is tried instead of the agreed ones."""
    on_word: bool = False
    """Whether touches up to the conversion count on the word of the party, if they credit it."""

    @property
    def subject(self) -> str:
        """The name of the deal as a subject of lines."""
        return f"deal/{self.name}"

    def _day(self, fact: Fact) -> date:
        return self.known.day(fact)

    # --- sales and payments ---

    @cached_property
    def sales(self) -> list[Sale]:
        """The sales: a second win counts only after the first was cancelled."""
        found: list[Sale] = []
        for key, win in self.known.earning(ClaimKind.WIN, self.party):
            before = found[-1].cancelled if found else None
            if found and (not before or before[1].at > win.at):
                continue
            found.append(Sale(key, win, self._cancelled(win)))
        return found

    def _cancelled(self, win: Fact) -> tuple[str, Fact] | None:
        for key, fact in self.known.of(ClaimKind.CANCELLATION):
            counted = self.known.taking(key, fact, win, self.party)
            if counted and counted.at >= win.at:
                return key, counted
        return None

    @property
    def won(self) -> Fact | None:
        """The win that counts as the conversion: that of the last sale."""
        return self.sales[-1].win if self.sales else None

    @cached_property
    def payments(self) -> list[tuple[str, Fact]]:
        """The payments, in the order of time."""
        return self.known.earning(ClaimKind.PAYMENT, self.party)

    def sale_of(self, payment: Fact) -> Sale:
        """Return the sale that a payment is for: the last one won by then, else the first."""
        won = [sale for sale in self.sales if sale.win.at <= payment.at]
        return won[-1] if won else self.sales[0]

    def paid_for(self, sale: Sale) -> list[tuple[str, Fact]]:
        """Return the payments for a sale, in the order of time."""
        return [each for each in self.payments if self.sale_of(each[1]) == sale]

    def remains(self, key: str) -> tuple[Remains, ...]:
        """Return what remained of a payment after each return and each reversal of one."""
        return self._remains[key]

    @cached_property
    def _remains(self) -> dict[str, tuple[Remains, ...]]:
        changes: dict[str, list[tuple[Remains, str]]] = {key: [] for key, _ in self.payments}
        payments = dict(self.payments)
        for kind in (ClaimKind.REFUND, ClaimKind.REVERSAL):
            for key, fact in self.known.of(kind):
                refund = fact.note
                payment = payments.get(fact.about)
                counted = payment and self._returned(kind, key, fact, payment)
                # A reversal has no currency: it says that its refund gave back nothing.
                if counted and counted.unit in {"", payment.unit}:  # type: ignore[union-attr]
                    amount = -counted.amount if kind is ClaimKind.REFUND else Decimal(0)
                    left = Remains(key, counted.at, self._day(counted), amount)
                    changes[fact.about].append((left, refund))
        return {
            key: running(Remains(key, fact.at, self._day(fact), fact.amount), changes[key])
            for key, fact in self.payments
        }

    def _returned(self, kind: ClaimKind, key: str, fact: Fact, payment: Fact) -> Fact | None:
        if kind is ClaimKind.REFUND:
            return self.known.taking(key, fact, payment, self.party)
        return self.known.content(key, fact, self.party, self.known.other(self.party))

    def _sale_remains(self, sale: Sale, item: RevenueShare | None) -> tuple[Remains, ...]:
        """Return what remained of a sale, in twelfths of its annual value (see `YEAR`).

        Returns of its payments reduce it, if they cover days inside what the sale paid for: its
        first year, or the agreed months.
        """
        by_months = item is not None and item.basis == "months"
        months = item.months if item and by_months else YEAR
        until = add_months(self._day(sale.win), months)
        changes = []
        for key, payment in self.paid_for(sale):
            if self._covers(payment) < until and payment.unit == sale.win.unit:
                changes += [
                    (each._replace(amount=(each.amount - payment.amount) * YEAR), key)
                    for each in self.remains(key)[1:]
                ]
        whole = sale.win.amount * months
        start = Remains(sale.key, sale.win.at, self._day(sale.win), whole)
        return self._until_cancelled(running(start, changes), sale)

    def _fee_remains(self, fee: Decimal, key: str, start: Fact, sale: Sale) -> tuple[Remains, ...]:
        """Return a flat fee until its sale came to nothing.

        That is when the sale is cancelled, or when all its payments are fully returned.
        """
        found = [Remains(key, start.at, self._day(start), fee)]
        left: dict[str, Decimal] = {}
        events = [
            (order, each.cause, name, each)
            for name, _ in self.paid_for(sale)
            for order, each in ordered(self.remains(name))
        ]
        for _, _, name, event in sorted(events):
            left[name] = event.amount
            amount = fee if any(left.values()) else Decimal(0)
            if amount != found[-1].amount:
                found.append(event._replace(amount=amount))
        return self._until_cancelled(found, sale)

    def _until_cancelled(self, remains: Sequence[Remains], sale: Sale) -> tuple[Remains, ...]:
        if sale.cancelled is None:
            return tuple(remains)
        key, fact = sale.cancelled
        before = [
            each
            for place, each in enumerate(remains)
            if not place or (each.at, each.cause) < (fact.at, key)
        ]
        return (*before, Remains(key, fact.at, self._day(fact), Decimal(0)))

    # --- credit ---

    @cached_property
    def credit(self) -> Credit:
        """The credit of the party for the deal."""
        if self.known.row.credit:
            share = self.known.row.credit.shares.get(self.party, Decimal(0))
            return _ratio(Fraction(share) / 100)
        return weigh(self.touches, self.party, self.policy_in_force)

    @cached_property
    def on_its_word(self) -> "DealView":
        """The deal as it counts if the other side needs not agree to what touches credit it."""
        return replace(self, on_word=True)

    @cached_property
    def touches(self) -> list[tuple[str, Fact]]:
        """The touches that count, in the order of time.

        A touch counts up to the moment of the conversion, and inside the attribution window.
        """
        found = [
            (key, fact)
            for key, first in self.known.of(ClaimKind.TOUCH)
            for fact in [self.known.stated(key, first, first.about, None)]
            if self.uncounted(key, fact) is None
        ]
        return sorted(found, key=lambda each: (each[1].since, each[0]))

    def uncounted(self, key: str, touch: Fact) -> Uncounted | None:
        """Return why a touch does not count for credit; None if it counts."""
        if untimely := self._untimely(touch):
            return untimely
        stated_at = self.known.row.stated_at
        if stated_at and touch.told > stated_at:
            both = key in self.known.row.others
            by_hand = both or self.known.confirmed_by_hand(key, touch.by)
            return None if by_hand else Uncounted.STATED
        counts = self.is_agreed(key, touch) or (self.on_word and self._is_own_word(touch))
        return None if counts else Uncounted.UNCONFIRMED

    def is_agreed(self, key: str, touch: Fact) -> bool:
        """Whether a touch is more than a claim: the side that it does not credit agrees to it.

        That side stated it, confirmed it or acted on it, or the terms ask for no more than a word.
        """
        known = self.known
        return known.content(key, touch, touch.about, None) is not None or known.acted_on(touch)

    def awaits_agreement(self, key: str, touch: Fact) -> bool:
        """Whether a touch would count, but the other side has neither agreed to it nor objected."""
        return (
            self._untimely(touch) is None
            and not self.is_agreed(key, touch)
            and self.known.awaits_reply(key, touch)
        )

    def _is_own_word(self, touch: Fact) -> bool:
        late = self.won is not None and touch.at > self.won.at
        return touch.by == touch.about == self.party and not late

    def _untimely(self, touch: Fact) -> Uncounted | None:
        touched_at = datetime.fromisoformat(touch.since)
        if touched_at > touch.at or (self.won is not None and touched_at > self.won.at):
            return Uncounted.LATE
        if self.won is None:
            return None
        window = self.policy_in_force.window_days
        last = self.known.terms.day(touched_at) + timedelta(days=window)
        return Uncounted.EARLY if window and self._day(self.won) >= last else None

    @cached_property
    def policy_in_force(self) -> AttributionPolicy:
        """The policy of the day of the conversion; of the referral, where nothing is won."""
        if self.policy is not None:
            return self.policy
        at = self.won or next((fact for _, fact in self.known.of(ClaimKind.REFERRAL)), None)
        day = self._day(at) if at else self.known.today
        return self.known.terms.frame(day).attribution

    @property
    def contested(self) -> bool:
        """Whether both parties touched the deal, and nothing decides between them."""
        claimants = {touch.about for _, touch in self.touches}
        return (
            self.known.row.credit is None
            and len(claimants) > 1
            and not any(weigh(self.touches, each, self.policy_in_force)[0] for each in claimants)
        )

    # --- what items earn ---

    def tracks(self) -> Iterator[Track]:
        """Yield what each item earns on the deal, but for shares with tiers or a cap."""
        if self.sales:
            if self.credit[0]:
                yield from self._shares()
                if ReferralFee in self.kinds:
                    yield from self._fees()
            if RevenueSplit in self.kinds and self._credited:
                yield from self._splits()

    @property
    def _credited(self) -> bool:
        """Whether the deal credits anybody."""
        other = replace(self, party=self.known.other(self.party))
        return bool(self.credit[0] or other.credit[0])

    def _shares(self) -> Iterator[Track]:
        for item, key, fact, remains, divisor in self._priced:
            if windowed(item):
                continue
            totals = [
                self._total(
                    each,
                    item.share,
                    part_of(each.amount, item.share, self.credit, divisor, fact.unit),
                    divisor,
                )
                for each in remains
            ]
            yield self._track(key, fact, item.name or "", fact.unit, totals)

    def _total(self, each: Remains, share: Decimal, amount: Decimal, divisor: int) -> Total:
        details = {
            "basis": each.amount / divisor,
            "share": share,
            "credited": _percent(self.credit),
        }
        return Total(each.cause, each.at, each.day, amount, details)

    def bases(self) -> Iterator[Weighed]:
        """Yield what shares with tiers or a cap count of the deal, with the window of each."""
        if RevenueShare not in self.kinds or not (self.sales and self.credit[0]):
            return
        for item, key, fact, remains, divisor in self._priced:
            if windowed(item):
                day = self._day(fact)
                start = window_start(item.window, day)
                window = f"share/{item.name}/{self.party}/{item.window}/{start}/{fact.unit}"
                version = self.known.terms.version(day)
                base = Base(self.subject, key, fact.at, day, version, self.credit, remains, divisor)
                yield Weighed(window, base)

    @cached_property
    def _priced(self) -> list[tuple[RevenueShare, str, Fact, tuple[Remains, ...], int]]:
        """Each sale and payment that a share of the party prices, with what remained of it."""
        return [*self._pricing()]

    def _pricing(self) -> Iterator[tuple[RevenueShare, str, Fact, tuple[Remains, ...], int]]:
        terms = self.known.terms
        for sale in self.sales:
            day = self._day(sale.win)
            if terms.accrues(day):
                for item in self._items(day, RevenueShare):
                    if item.trigger is Trigger.SALE:
                        yield item, sale.key, sale.win, self._sale_remains(sale, item), YEAR
        for key, payment in self.payments:
            day = self._day(payment)
            if not self.accrues(payment):
                continue
            for item in self._items(day, RevenueShare):
                if item.trigger is Trigger.PAYMENT and self.inside(item, payment):
                    yield item, key, payment, self.remains(key), 1

    def _items(self, day: date, kind: type[E]) -> Iterator[E]:
        for item in self.known.terms.items(day):
            if isinstance(item, kind) and getattr(item, "to", self.party) == self.party:
                yield item

    def accrues(self, payment: Fact) -> bool:
        """Whether a payment is in the term, or in the tail of a client who was won before it."""
        won = self._day(self.sale_of(payment).win)
        return self.known.terms.accrues_for_client(self._day(payment), won)

    def inside(self, item: RevenueShare, payment: Fact) -> bool:
        """Whether a payment is inside what a share counts: all, a first year, some months."""
        if item.basis == "all-payments":
            return True
        won = self._day(self.sale_of(payment).win)
        months = item.months if item.basis == "months" else YEAR
        return self._covers(payment) < add_months(won, months)

    def _covers(self, payment: Fact) -> date:
        return date.fromisoformat(payment.since) if payment.since else self._day(payment)

    def _fees(self) -> Iterator[Track]:
        terms = self.known.terms
        for sale in self.sales:
            day = self._day(sale.win)
            if terms.accrues(day):
                yield from self._flat(sale, sale.key, sale.win, Trigger.SALE)
            for key, first in self.paid_for(sale)[:1]:
                if self.accrues(first):
                    yield from self._flat(sale, key, first, Trigger.PAYMENT)

    def _flat(self, sale: Sale, key: str, fact: Fact, trigger: Trigger) -> Iterator[Track]:
        for item in self._items(self._day(fact), ReferralFee):
            if item.trigger is trigger:
                fee, currency = item.fee.amount, item.fee.currency
                totals = [
                    Total(
                        each.cause,
                        each.at,
                        each.day,
                        part_of(each.amount, Decimal(100), self.credit, 1, currency),
                        {"basis": fee, "credited": _percent(self.credit)},
                    )
                    for each in self._fee_remains(fee, key, fact, sale)
                ]
                yield self._track(key, fact, item.name or "", currency, totals)

    def _splits(self) -> Iterator[Track]:
        """Yield the party's part of what the other collected."""
        terms = self.known.terms
        for sale in self.sales:
            day = self._day(sale.win)
            if terms.accrues(day) and self.collector(sale.key, sale.win) != self.party:
                remains = [
                    each._replace(amount=each.amount / YEAR)
                    for each in self._sale_remains(sale, None)
                ]
                yield from self._split(sale.key, sale.win, Trigger.SALE, remains)
        for key, payment in self.payments:
            if self.accrues(payment) and payment.holder != self.party:
                yield from self._split(key, payment, Trigger.PAYMENT, self.remains(key))

    def collector(self, key: str, fact: Fact) -> str:
        """Return the party that received the money of a payment or a sale.

        It is the one that states the sale. If both do, it is the one that did not refer the client.
        """
        if fact.holder or key not in self.known.row.others:
            return fact.holder or fact.by
        referral = next((each for _, each in self.known.of(ClaimKind.REFERRAL)), fact)
        return self.known.other(referral.by)

    def _split(
        self, key: str, fact: Fact, trigger: Trigger, remains: Sequence[Remains]
    ) -> Iterator[Track]:
        for item in self.known.terms.items(self._day(fact)):
            if isinstance(item, RevenueSplit) and item.trigger is trigger:
                share = item.shares.get(self.party, Decimal(0))
                totals = [
                    Total(
                        each.cause,
                        each.at,
                        each.day,
                        split(each.amount, item.shares, fact.unit).get(self.party, Decimal(0)),
                        {"basis": each.amount, "share": share},
                    )
                    for each in remains
                ]
                yield self._track(key, fact, item.name or "", fact.unit, totals)

    def _track(self, key: str, fact: Fact, item: str, currency: str, totals: list[Total]) -> Track:
        return Track(
            self.subject,
            key,
            item,
            self.party,
            currency,
            fact.at,
            self._day(fact),
            changing(totals),
        )

    def incentives(self, offers: Mapping[str, Offer]) -> Iterator[Track]:
        """Yield the incentives for the party's referral, if any credit of it is its own (C23).

        An incentive counts on the word of the party that refers, and so do its touches for it.
        """
        if Incentive not in self.kinds and not offers:
            return
        mine = [
            (key, fact) for key, fact in self.known.of(ClaimKind.REFERRAL) if fact.by == self.party
        ]
        for key, fact in mine[:1]:
            day = self._day(fact)
            if not self.known.terms.accrues(day) or not self.on_its_word.credit[0]:
                continue
            for item in self.known.terms.items(day):
                if isinstance(item, Incentive) and item.by != self.party:
                    yield self._incentive(
                        key, fact, item.name or "", item.amount.amount, item.amount.currency
                    )
            for name, offer in offers.items():
                if (
                    offer.by != self.party
                    and offer.from_day <= day
                    and (not offer.until or day < offer.until)
                ):
                    yield self._incentive(key, fact, name, offer.amount, offer.currency)

    def _incentive(self, key: str, fact: Fact, item: str, amount: Decimal, currency: str) -> Track:
        start = Remains(key, fact.at, self._day(fact), amount)
        return single(f"referral/{self.name}", key, item, self.party, currency, start, basis=amount)


def windowed(item: RevenueShare) -> bool:
    """Return whether an item counts payments over a window: it has tiers or a cap."""
    return bool(item.tiers) or item.cap is not None


def weigh(touches: Sequence[tuple[str, Fact]], party: str, policy: AttributionPolicy) -> Credit:
    """Return a party's credit by the touches that count, in the order of time (C18).

    Touches of both parties contest a deal; where the policy does not decide, nobody is credited.
    """
    parties = {touch.about for _, touch in touches}
    if party not in parties:
        return NO_CREDIT
    if len(parties) == 1:
        return ALL
    match policy.kind:
        case PolicyKind.FIRST_TOUCH:
            credited = touches[0][1].about == party
        case PolicyKind.LAST_TOUCH:
            credited = touches[-1][1].about == party
        case PolicyKind.LINEAR:
            mine = sum(touch.about == party for _, touch in touches)
            return _ratio(Fraction(mine, len(touches)))
        case PolicyKind.CODE_WINS:
            by_code = {touch.about for _, touch in touches if touch.note in CODES}
            credited = by_code == {party}
        case PolicyKind.SPLIT:
            return _ratio(Fraction((policy.weights or {}).get(party, Decimal(0))) / 100)
        case _:
            credited = False
    return ALL if credited else NO_CREDIT


def _ratio(fraction: Fraction) -> Credit:
    return fraction.numerator, fraction.denominator


def _percent(credit: Credit) -> Decimal:
    return Decimal(100 * credit[0]) / credit[1]
