"""Random lives of one partnership, and other orders in which their facts can arrive.

A life is made from a seed and a size, so that each failure is one line of a test. It holds only
facts that a product accepts; each refers to facts that were recorded before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Literal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.model.days import add_months
from tests.model.facts import (
    AdjustmentAgreed,
    Attribution,
    AttributionSettled,
    Confirmed,
    Corrected,
    CostShare,
    DealCancelled,
    DealLost,
    DealReopened,
    DealsMerged,
    DealWon,
    DisputeOpened,
    DisputeResolved,
    Duration,
    EntryReversed,
    ExitSet,
    ExitWithdrawn,
    Fact,
    Frame,
    FrozenLine,
    Hybrid,
    Incentive,
    IncentiveOffered,
    Item,
    JointEntry,
    JointInvestment,
    Length,
    MetricReported,
    Minimum,
    Money,
    Objected,
    OpportunityCreated,
    Part,
    Party,
    PaymentReceived,
    PaymentReturned,
    PayoutMade,
    PayoutReturned,
    Penalty,
    PenaltyRaised,
    PeriodicFee,
    Policy,
    RateAgreed,
    RatePublished,
    ReferralFee,
    ReferralSubmitted,
    RenewalAgreed,
    ReturnReversed,
    RevenueShare,
    RevenueSplit,
    StatedAlso,
    StatementIssued,
    TermsAgreed,
    Tier,
    TimePassed,
    TouchClaimed,
)
from tests.model.numbers import minor
from tests.model.owed import owed
from tests.model.statements import differences

PARTIES: tuple[Party, Party] = ("acme", "north")
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
ZONES = ("UTC", "America/New_York")
DAYS = 540
"""How long a life is: a year's window ends in it, and another begins."""

# Hours on both sides of midnight in both zones, and one of the working day.
HOURS = ((0, 0), (3, 59), (4, 0), (4, 30), (9, 0), (15, 0), (23, 59))


@dataclass
class Life:
    """The facts of a life so far, in the order in which they are written."""

    random: Random
    start: date
    zone: str
    facts: list[Fact] = field(default_factory=list)
    currencies: tuple[str, ...] = ("USD",)
    count: int = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def time(self, first: date, days: int = 1) -> datetime:
        hour, minute = self.random.choice(HOURS)
        day = first + timedelta(days=self.random.randrange(max(days, 1)))
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)

    def later(self, than: datetime, days: int = 60) -> datetime:
        """At the same instant, on the same day, or some days later."""
        found = self.random.choice((than, than, self.time(than.date(), days)))
        return max(than, found)

    def add(self, fact: Fact) -> None:
        self.facts.append(fact)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def money(self, most: int = 3000) -> Money:
        currency = self.random.choice(self.currencies)
        return money(self.random, currency, most)

    def day(self) -> date:
        return self.start + timedelta(days=self.random.randrange(DAYS))


def money(random: Random, currency: str, most: int = 3000) -> Money:
    """A round amount, or one to the last digit of the minor unit."""
    digits = minor(currency)
    whole = random.choice((random.randrange(1, most), random.randrange(1, most) // 100 * 100 + 100))
    units = random.randrange(10**digits) if random.random() < 0.5 else 0
    return Money(Decimal(whole) + Decimal(units).scaleb(-digits), currency)


def seeded(seed: int) -> Random:
    """Chance that a seed repeats."""
    return Random(seed)  # noqa: S311 - a life is repeatable; nothing of it is a secret.


def life(
    seed: int,
    size: int = 6,
    *,
    harder: bool = False,
    fuller: bool = False,
    contested: bool = False,
    doubled: bool = False,
) -> list[Fact]:
    """A life with about this many deals and as many other stories, in its order of arrival.

    In a doubled one, both parties state some facts, alike or not, and each goes on from there. A
    harder one has rare stories too: sales won again, facts that never happened, ties in time,
    several exits and disputes. A fuller one has deals in all four currencies, amendments of the
    zone, of silence and of rates, and disputes of all that a subject earned. A contested one has
    every policy, touches that both parties state for themselves around what they do, and exits
    that both take back.
    """
    random = seeded(seed)
    start = random.choice((date(2026, 1, 1), date(2026, 1, 31), date(2026, 3, 15)))
    found = Life(random, start, random.choice(ZONES))
    found.currencies = tuple(random.sample(CURRENCIES, random.choice((1, 1, 2, 3))))
    _terms(found)
    for _ in range(size):
        _deal(found)
    stories = (
        _amendment,
        _amendment,
        _entry,
        _entry,
        _metric,
        _metric,
        _penalty,
        _offer,
        _rate,
        _adjustment,
        _deal,
        _correct,
        _correct,
    )
    for _ in range(size):
        random.choice(stories)(found)
    if found.chance(40):
        _rates(found)
    if found.chance(30):
        effective = found.start + timedelta(days=random.randrange(120, DAYS))
        at = found.time(effective - timedelta(days=30))
        found.add(ExitSet(found.new("exit"), at, at, random.choice(PARTIES), effective))
    if harder:
        _rare(found, size)
    if fuller:
        _more(found, size)
    if contested:
        _contest(found, size)
    if found.chance(60):
        _dispute(found)
    _merge(found, seeded(seed + 4))
    last = max(each.occurred_at for each in found.facts)
    horizon = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=DAYS)
    facts = recorded(found.facts, random)
    facts = stated_by_both(facts, seeded(seed + 1)) if doubled else facts
    facts = penalties_reversed(facts, seeded(seed + 2))
    facts = with_due_days(facts, seeded(seed + 3))
    if found.chance(40):
        facts = _state(found, facts)
    end = max(last, horizon, *(each.recorded_at for each in facts)) + timedelta(days=2)
    return [*facts, TimePassed("time", end, end, PARTIES[0])]


def lives(most: int = 6) -> st.SearchStrategy[list[Fact]]:
    """Random lives; hypothesis makes the size of a failing one small."""
    return st.builds(life, st.integers(0, 2**32), st.integers(1, most))


# Terms.


def _terms(found: Life) -> None:
    random = found.random
    at = found.time(found.start - timedelta(days=random.choice((0, 1, 40))))
    if at.astimezone(ZoneInfo(found.zone)).date() > found.start:
        at -= timedelta(days=1)
    frame = Frame(
        start=found.start,
        duration=random.choice((Duration(12), Duration(36), Duration(36), None)),
        zone=found.zone,
        settles_in=random.choice(("", "", *found.currencies, "EUR")),
        attribution=Attribution(
            random.choice(("none", "first-touch", "last-touch", "linear")),
            random.choice((0, 0, 30)),
        ),
        tail=random.choice((0, 0, 3)),
        confirm_within=random.choice((0, 0, 0, 14)),
        on_word=random.choice(
            ((), (), ("referral",), ("payment", "metric", "payout", "payout-return"))
        ),
        rate_source=random.choice((None, "ecb")),
        rates_by=random.choice(("month", "month", "day")),
    )
    always = replace(_share(found), to="north", trigger="payment", name="always")
    items = (always, *(_item(found) for _ in range(random.randrange(1, 6))))
    found.add(TermsAgreed(found.new("terms"), at, at, "north", found.start, frame, _named(items)))
    if frame.duration and found.chance(60):
        at = found.time(found.start + timedelta(days=200), 100)
        found.add(RenewalAgreed(found.new("renewal"), at, at, "north", Duration(12)))


def _named(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items of their own names, some left to be named by kind and place."""
    names: set[str] = set()
    found: list[Item] = []
    for item in items:
        if item.name in names:
            continue
        names.add(item.name)
        found.append(item)
    return tuple(found)


def _parts(found: Life) -> tuple[Part, ...]:
    part = Decimal(found.random.choice(("70", "60", "50", "33.333333333", "0")))
    parts = [Part("acme", part), Part("north", 100 - part)]
    found.random.shuffle(parts)
    return tuple(parts)


def _share(found: Life) -> RevenueShare:
    random = found.random
    tiers = tuple(
        Tier(Decimal(above), Decimal(random.choice(("5", "12.5", "20"))))
        for above in random.choice(((), (), (1000,), (500, 3000)))
    )
    cap = random.choice((None, None, Decimal(100), Decimal("333.335")))
    windowed = bool(tiers) or cap is not None
    return RevenueShare(
        to=random.choice(("north", "north", "acme")),
        share=Decimal(random.choice(("15", "10", "33.333333333", "7.25"))),
        basis=random.choice(("first-year", "months", "all")),
        months=random.choice((3, 6)),
        trigger=random.choice(("payment", "payment", "sale")),
        tiers=tiers,
        cap=cap,
        window=random.choice(("month", "quarter", "year", None)) if windowed else None,
        name=random.choice(("share", "share-2", "")),
    )


def _item(found: Life) -> Item:
    random = found.random
    to = random.choice(PARTIES)
    by = PARTIES[to == PARTIES[0]]
    length: Length = random.choice(("month", "quarter", "year"))
    window: Length = random.choice(("month", "quarter"))
    every: list[Item] = [
        _share(found),
        RevenueSplit(_parts(found), random.choice(("sale", "payment", "joint-revenue")), "split"),
        ReferralFee(
            to, found.money(200), random.choice(("sale", "first-payment")), name="referral-fee"
        ),
        ReferralFee(
            "north", Money(Decimal("0.005"), "USD"), random.choice(("click", "post")), name="clicks"
        ),
        PeriodicFee(to, found.money(500), length, "retainer"),
        PeriodicFee(to, found.money(500), length, "licence", "licence-fee"),
        Hybrid(
            to,
            found.money(300),
            found.money(300),
            random.choice(("deals_won", "leads")),
            Decimal(2),
            length,
            window,
            name="hybrid",
        ),
        Minimum(
            by,
            to,
            random.choice(("referrals", "deals_paid", "leads")),
            Decimal(3),
            found.money(90),
            random.choice((True, False)),
            window,
            name="minimum",
        ),
        Minimum(
            by,
            to,
            "revenue",
            Decimal(500),
            found.money(90),
            window=window,
            currency=found.currencies[0],
            name="revenue-minimum",
        ),
        CostShare(_parts(found), "costs"),
        Penalty(by, to, found.money(90), "penalty"),
        Incentive(by, found.money(90), "incentive"),
        JointInvestment(_parts(found), _parts(found), "joint"),
    ]
    return random.choice(every)


def _amendment(found: Life) -> None:
    """An amendment of the frame, of the items, or for a time; some on the day of a fact."""
    random = found.random
    terms = [each for each in found.facts if isinstance(each, TermsAgreed)]
    others = [each.occurred_at for each in found.facts if each.occurred_at.date() > found.start]
    at = random.choice([*others[:3], found.time(found.day())])
    # Terms are amended after they are agreed.
    at = max(at, found.facts[0].occurred_at + timedelta(minutes=1))
    day = at.astimezone(ZoneInfo(found.zone)).date()
    first_day = max(day + timedelta(days=random.choice((0, 0, 1, 30))), found.start)
    items = list(terms[-1].items or terms[0].items or ())
    identity, kind = found.new("terms"), random.randrange(3)
    if kind == 0:
        first = terms[0].frame or Frame()
        settles_in = random.choice((None, "EUR", "USD"))
        policy: Policy | None = random.choice((None, "first-touch", "last-touch", "linear"))
        window = first.attribution.window if first.attribution else 0
        frame = Frame(
            duration=first.duration,
            settles_in=settles_in,
            attribution=Attribution(policy, window) if policy else None,
            tail=random.choice((None, 2)),
        )
        found.add(TermsAgreed(identity, at, at, "acme", first_day, frame))
        return
    shares = [
        replace(each, share=Decimal(18)) if isinstance(each, RevenueShare) else each
        for each in items
    ]
    changed = random.choice((shares, shares, [*items[1:], _item(found)]))
    until = first_day + timedelta(days=random.choice((1, 45))) if kind == 1 else None
    found.add(TermsAgreed(identity, at, at, "acme", first_day, None, _named(changed), until))


# Deals.


def _deal(found: Life) -> None:
    random = found.random
    deal = found.new("D")
    by = random.choice(("north", "north", "acme"))
    seller = PARTIES[by == PARTIES[0]]
    at = found.time(found.day())
    found.add(ReferralSubmitted(found.new("referral"), at, at, by, deal))
    _touch(found, deal, by, by, at)
    if found.chance(30):
        _touch(found, deal, *random.choice(((seller, seller), (seller, by), (by, seller))), at)
    at = found.later(at, 20)
    found.add(OpportunityCreated(found.new("opportunity"), at, at, seller, deal))
    if found.chance(15):
        at = found.later(at, 20)
        found.add(DealLost(found.new("lost"), at, at, seller, deal))
        if found.chance(50):
            return
        at = found.later(at, 20)
        found.add(DealReopened(found.new("reopened"), at, at, seller, deal))
    if found.chance(10):
        return
    at = found.later(at, 40)
    if found.chance(20):
        _touch(found, deal, seller, seller, at)
    value = found.money(9000)
    collected = random.choice((None, None, None, *PARTIES))
    stater = seller if found.chance(85) else by
    win = DealWon(found.new("win"), at, at, stater, deal, value, collected)
    found.add(win)
    _claimed(found, win)
    if found.chance(10):
        _touch(found, deal, *random.choice(((seller, seller), (by, by))), found.later(at))
    if found.chance(15):
        late = found.later(at)
        credit = (Part(by, Decimal(60)), Part(seller, Decimal(40)))
        found.add(AttributionSettled(found.new("settled"), late, late, by, deal, credit))
    paid = at
    for _ in range(random.randrange(4)):
        paid = found.later(paid, 200)
        _payment(found, deal, stater if found.chance(90) else by, value.currency, paid)
    if found.chance(10):
        at = found.later(paid)
        found.add(DealCancelled(found.new("cancelled"), at, at, stater, deal))


def _merge(found: Life, random: Random) -> None:
    """Let both find that one or two deals are duplicates of others."""
    deals = [each.deal for each in found.facts if isinstance(each, ReferralSubmitted)]
    if len(deals) < 2 or random.randrange(100) >= 35:
        return
    random.shuffle(deals)
    duplicates = deals[: random.randrange(1, min(3, len(deals)))]
    for deal in duplicates:
        first = next(each for each in found.facts if getattr(each, "deal", None) == deal)
        at = first.occurred_at + timedelta(days=random.randrange(1, 250), seconds=1)
        into = random.choice(deals[len(duplicates) :])
        found.add(DealsMerged(found.new("merge"), at, at, random.choice(PARTIES), deal, into))


def _touch(found: Life, deal: str, by: Party, to: Party, at: datetime) -> None:
    """A touch, claimed when it happened or after; some are confirmed by the other side."""
    touched = at - timedelta(days=found.random.choice((0, 0, 1, 29, 30, 31)))
    touch = TouchClaimed(found.new("touch"), at, at, by, deal, to, touched)
    found.add(touch)
    if found.chance(20):
        _answer(found, touch, Confirmed)


def _payment(found: Life, deal: str, by: Party, currency: str, at: datetime) -> None:
    amount = money(found.random, currency) if found.chance(85) else found.money()
    collected = found.random.choice((None, None, None, *PARTIES))
    payment = PaymentReceived(found.new("P"), at, at, by, deal, amount, collected)
    found.add(payment)
    _claimed(found, payment)
    if not found.chance(35):
        return
    provider_id = found.new("dp")
    whole = amount.amount
    taken = whole if found.chance(50) else money(found.random, currency, 2).amount
    taken = min(whole, taken if amount.currency == currency else whole)
    returned = at
    for _ in range(found.random.choice((1, 1, 2))):
        returned = found.later(returned)
        kind: Literal["refund", "chargeback"] = found.random.choice(("refund", "chargeback"))
        fact = PaymentReturned(
            found.new("R"),
            returned,
            returned,
            by if found.chance(85) else PARTIES[by == PARTIES[0]],
            payment.id,
            provider_id,
            Money(taken, amount.currency),
            kind,
        )
        found.add(fact)
        _claimed(found, fact)
        if not found.chance(40):
            return
        returned = max(found.later(returned), returned + timedelta(minutes=1))
        found.add(
            ReturnReversed(found.new("reversed"), returned, returned, by, payment.id, provider_id)
        )
        returned += timedelta(minutes=1)


def _answer(found: Life, fact: Fact, kind: type[Confirmed] | type[Objected]) -> None:
    at = found.later(fact.occurred_at)
    other = PARTIES[fact.stated_by == PARTIES[0]]
    found.add(kind(found.new("answer"), at, at, other, fact.id))


def _claimed(found: Life, fact: Fact) -> None:
    """Let the other side answer, whether or not the fact is a claim."""
    if found.chance(25):
        _answer(found, fact, found.random.choice((Confirmed, Confirmed, Objected)))


# Everything else.


ENTRIES: dict[str, tuple[Literal["joint-revenue", "shared-cost", "investment", "reward"], ...]] = {
    "revenue-split": ("joint-revenue",),
    "cost-share": ("shared-cost",),
    "joint-investment": ("investment", "reward"),
}


def _kinds(found: Life) -> list[Item]:
    """The items that were agreed at any time."""
    terms = [each for each in found.facts if isinstance(each, TermsAgreed)]
    return [item for each in terms for item in each.items or ()]


def _entry(found: Life) -> None:
    """An entry of a kind that the terms know, stated by either."""
    random = found.random
    at = found.time(found.day())
    kinds = [kind for item in _kinds(found) for kind in ENTRIES.get(item.kind, ())]
    if not kinds:
        return
    entry = JointEntry(
        found.new("J"),
        at,
        at,
        random.choice(PARTIES),
        random.choice(kinds),
        found.money(),
        random.choice(PARTIES),
    )
    found.add(entry)
    if found.chance(50):
        _answer(found, entry, Confirmed)
    if found.chance(30):
        at = found.later(at)
        part = Money(entry.amount.amount / 2, entry.amount.currency)
        part = part if round(part.amount, minor(part.currency)) == part.amount else entry.amount
        amount = random.choice((None, part))
        reversal = EntryReversed(found.new("V"), at, at, entry.stated_by, entry.id, amount)
        found.add(reversal)


def _metric(found: Life) -> None:
    """Figures of some months or a quarter, whole or by segments, by one of the parties."""
    day = found.day()
    clicks = [
        f"{item.trigger}s"
        for item in _kinds(found)
        if isinstance(item, ReferralFee) and item.trigger in {"click", "post"}
    ]
    metric = found.random.choice((*clicks, *clicks, "leads"))
    by = found.random.choice(PARTIES)
    for month in range(found.random.choice((1, 3))):
        _figure(found, metric, by, add_months(day.replace(day=1), month))


def _figure(found: Life, metric: str, by: Party, day: date) -> None:
    random = found.random
    quarter = found.chance(30)
    period = f"{day.year}-Q{(day.month + 2) // 3}" if quarter else f"{day:%Y-%m}"
    taken = {
        (each.metric, each.period, each.source)
        for each in found.facts
        if isinstance(each, MetricReported)
    }
    if (metric, period, f"{by} site") in taken:
        return
    segments = random.choice((None, None, ("web", "app")))
    for segment in segments or (None,):
        at = found.time(day + timedelta(days=100))
        report = MetricReported(
            found.new("M"),
            at,
            at,
            by,
            metric,
            period,
            Decimal(random.randrange(5 if metric == "leads" else 3000)),
            f"{by} site",
            segment,
        )
        found.add(report)
        _claimed(found, report)


def _penalty(found: Life) -> None:
    """A penalty of the terms, raised by either."""
    if not any(isinstance(each, Penalty) for each in _kinds(found)):
        return
    at = found.time(found.day())
    raised = PenaltyRaised(found.new("penalty"), at, at, found.random.choice(PARTIES), "penalty")
    found.add(raised)
    if found.chance(50):
        _answer(found, raised, Confirmed)


def _offer(found: Life) -> None:
    day = found.day()
    until = found.random.choice((None, day + timedelta(days=90)))
    at = found.time(day)
    offer = IncentiveOffered(
        found.new("offer"), at, at, "acme", f"gift-card-{found.count}", found.money(90), day, until
    )
    found.add(offer)


def _rate(found: Life) -> None:
    random = found.random
    day = found.day()
    at = found.time(day)
    base, quote = random.sample(CURRENCIES, 2)
    value = Decimal(random.choice(("1.1", "0.9091", "151.25", "0.307000001")))
    period = random.choice((str(day), f"{day:%Y-%m}"))
    if found.chance(50):
        found.add(RateAgreed(found.new("rate"), at, at, "acme", base, quote, period, value))
        return
    rate = RatePublished(found.new("rate"), at, at, "acme", base, quote, period, value, "ecb")
    found.add(rate)
    if found.chance(20):
        _answer(found, rate, Objected)


def _rates(found: Life) -> None:
    """Rates for every month, so that most lines can be converted."""
    at = found.time(found.start)
    for month in range(20):
        year, index = divmod(found.start.month - 1 + month, 12)
        period = f"{found.start.year + year}-{index + 1:02}"
        for base in found.currencies:
            for quote in ("EUR", "USD"):
                if base != quote:
                    value = Decimal(found.random.choice(("1.1", "0.93", "0.0066", "3.2500001")))
                    found.add(
                        RateAgreed(found.new("rate"), at, at, "acme", base, quote, period, value)
                    )


def _adjustment(found: Life) -> None:
    at = found.time(found.day())
    by = found.random.choice(PARTIES)
    to = PARTIES[by == PARTIES[0]]
    found.add(AdjustmentAgreed(found.new("adjustment"), at, at, by, by, to, found.money(50)))


def _correct(found: Life) -> None:
    """Correct a payment, a win, a return or a figure, by the side that stated it or the other."""
    kinds = (PaymentReceived, DealWon, PaymentReturned, MetricReported)
    can = [each for each in found.facts if isinstance(each, kinds)]
    if not can:
        return
    first = found.random.choice(can)
    at = found.later(first.occurred_at)
    by = first.stated_by if found.chance(80) else PARTIES[first.stated_by == PARTIES[0]]
    new: Fact
    match first:
        case PaymentReceived() | PaymentReturned():
            new = replace(first, amount=_mistyped(found, first.amount))
            if isinstance(new, PaymentReceived) and found.chance(40):
                earlier = first.occurred_at - timedelta(days=found.random.choice((1, 31)))
                won = max(
                    each.occurred_at
                    for each in found.facts
                    if isinstance(each, DealWon) and each.deal == new.deal
                )
                new = replace(new, occurred_at=max(earlier, won))
        case DealWon():
            new = replace(first, value=_mistyped(found, first.value))
        case MetricReported():
            new = replace(first, value=Decimal(found.random.randrange(4000)))
        case _:
            raise AssertionError(first)
    correction = Corrected(found.new("correction"), at, at, by, first.id, new)
    found.add(correction)
    if found.chance(50):
        _answer(found, correction, Confirmed)


def _mistyped(found: Life, amount: Money) -> Money:
    """Half, to the minor unit."""
    half = round(amount.amount / found.random.choice((2, 4)), minor(amount.currency))
    return Money(max(half, Decimal(1).scaleb(-minor(amount.currency))), amount.currency)


def _dispute(found: Life) -> None:
    """One or two disputes of subjects that earned something, some of them decided."""
    random = found.random
    horizon = max(each.occurred_at for each in found.facts) + timedelta(days=1)
    clock = TimePassed("horizon", horizon, horizon, PARTIES[0])
    lines = [line for line in owed([*found.facts, clock], PARTIES) if line.amount > 0]
    for line in random.sample(lines, min(len(lines), 2)):
        at = max(found.later(line.at.astimezone(UTC)), line.at.astimezone(UTC))
        part = line.amount * random.choice((Decimal(1), Decimal("0.5")))
        amount = round(part, minor(line.currency))
        if not amount or at > horizon:
            continue
        disputed = Money(min(amount, line.amount), line.currency)
        one = (line.base_fact, line.item) if found.chance(50) else None
        opened = DisputeOpened(found.new("dispute"), at, at, line.by, line.subject, disputed, one)
        found.add(opened)
        outcome: Literal["upheld", "settled", "rejected"] = random.choice(
            ("upheld", "settled", "rejected")
        )
        if found.chance(70):
            at = found.later(at)
            half = Money(round(disputed.amount / 2, minor(line.currency)), line.currency)
            agreed = half if outcome == "settled" else None
            found.add(
                DisputeResolved(found.new("decision"), at, at, line.to, opened.id, outcome, agreed)
            )


# What is rare.


def _rare(found: Life, size: int) -> None:
    stories = (
        _won_again,
        _won_again,
        _never_happened,
        _never_happened,
        _another_day,
        _settled_twice,
        _rate_twice,
        _measured_terms,
        _measured_terms,
        _reversed_again,
        _correct,
        _exit,
        _dispute,
    )
    for _ in range(size):
        found.random.choice(stories)(found)


def _won_again(found: Life) -> None:
    """A sale comes to nothing, and the deal is won and paid again."""
    wins = [each for each in found.facts if isinstance(each, DealWon)]
    if not wins:
        return
    win = found.random.choice(wins)
    at = found.later(win.occurred_at)
    cancelled = DealCancelled(found.new("cancelled"), at, at, win.stated_by, win.deal)
    found.add(cancelled)
    _claimed(found, cancelled)
    at = max(found.later(at), at + timedelta(minutes=1))
    again = DealWon(found.new("win"), at, at, win.stated_by, win.deal, found.money(9000))
    found.add(again)
    _claimed(found, again)
    if found.chance(70):
        _payment(found, win.deal, win.stated_by, again.value.currency, found.later(at))


def _never_happened(found: Life) -> None:
    """A payment, a win or a return that was stated never happened."""
    kinds = (PaymentReceived, DealWon, PaymentReturned)
    can = [each for each in found.facts if isinstance(each, kinds)]
    if can:
        _corrected(found, found.random.choice(can), None)


def _another_day(found: Life) -> None:
    """A win, a payment or a return happened some days earlier, or another party collected it."""
    kinds = (PaymentReceived, DealWon, PaymentReturned)
    can = [each for each in found.facts if isinstance(each, kinds)]
    if not can:
        return
    first = found.random.choice(can)
    new: Fact = replace(
        first, occurred_at=first.occurred_at - timedelta(days=found.random.choice((0, 1, 32)))
    )
    if isinstance(new, PaymentReceived):
        new = replace(new, collected_by=found.random.choice(PARTIES))
    _corrected(found, first, new)


def _corrected(found: Life, first: Fact, new: Fact | None) -> None:
    at = found.later(first.occurred_at)
    by = first.stated_by if found.chance(70) else PARTIES[first.stated_by == PARTIES[0]]
    correction = Corrected(found.new("correction"), at, at, by, first.id, new)
    found.add(correction)
    _claimed(found, correction)


def _settled_twice(found: Life) -> None:
    """Both settle the credit of a deal twice at one time."""
    wins = [each for each in found.facts if isinstance(each, DealWon)]
    if not wins:
        return
    win = found.random.choice(wins)
    at = found.later(win.occurred_at)
    for percent in found.random.sample((0, 25, 100), 2):
        credit = (Part("acme", Decimal(percent)), Part("north", Decimal(100 - percent)))
        found.add(AttributionSettled(found.new("settled"), at, at, win.stated_by, win.deal, credit))


def _rate_twice(found: Life) -> None:
    """Both agree a rate twice at one time."""
    at = found.time(found.day())
    base = found.random.choice(found.currencies)
    for value in found.random.sample(("1.25", "0.8", "0.0071"), 2):
        for quote in ("EUR", "USD"):
            if base != quote:
                found.add(
                    RateAgreed(
                        found.new("rate"),
                        at,
                        at,
                        "acme",
                        base,
                        quote,
                        f"{at:%Y-%m}",
                        Decimal(value),
                    )
                )


def _measured_terms(found: Life) -> None:
    """Terms with a bonus and a minimum of money, of a source, or of what is reported."""
    # Terms are amended after they are agreed.
    at = max(found.time(found.day()), found.facts[0].occurred_at + timedelta(minutes=1))
    day = max(at.astimezone(ZoneInfo(found.zone)).date(), found.start)
    terms = [each for each in found.facts if isinstance(each, TermsAgreed) and each.items]
    items = [each for each in terms[-1].items or () if each.name not in {"money", "reported"}]
    measured: list[Item] = [
        Hybrid(
            found.random.choice(PARTIES),
            found.money(300),
            found.money(300),
            "revenue",
            Decimal(900),
            "month",
            found.random.choice(("month", "quarter", "year")),
            found.random.choice(found.currencies),
            name="money",
        ),
        Minimum(
            "north",
            "acme",
            found.random.choice(("referrals", "leads")),
            Decimal(2),
            found.money(90),
            found.random.choice((True, False)),
            found.random.choice(("month", "quarter")),
            source=found.random.choice((None, "acme site")),
            measured="report",
            name="reported",
        ),
    ]
    found.add(
        TermsAgreed(found.new("terms"), at, at, "acme", day, None, _named([*items, *measured]))
    )
    metric = found.random.choice(("referrals", "leads"))
    _figure(found, metric, found.random.choice(PARTIES), day.replace(day=1))


def _reversed_again(found: Life) -> None:
    """Another part of an entry is reversed, by either."""
    entries = [each for each in found.facts if isinstance(each, JointEntry)]
    if not entries:
        return
    entry = found.random.choice(entries)
    at = found.later(entry.occurred_at)
    amount = _mistyped(found, entry.amount)
    by = found.random.choice(PARTIES)
    reversal = EntryReversed(found.new("V"), at, at, by, entry.id, amount)
    found.add(reversal)
    _claimed(found, reversal)


def _exit(found: Life) -> None:
    day = found.start + timedelta(days=found.random.randrange(60, DAYS))
    at = found.time(day - timedelta(days=30))
    found.add(ExitSet(found.new("exit"), at, at, found.random.choice(PARTIES), day))


# What a fuller life has.


def _more(found: Life, size: int) -> None:
    found.currencies = CURRENCIES
    for _ in range(1 + size // 3):
        _deal(found)
    for _ in range(found.random.randrange(1, 4)):
        _frame_change(found)
    if found.chance(20):
        _rates(found)
    _dispute_of_all(found)


def _frame_change(found: Life) -> None:
    """An amendment of the zone, of the days of silence or of what rates are by."""
    # Terms are amended after they are agreed.
    at = max(found.time(found.day()), found.facts[0].occurred_at + timedelta(minutes=1))
    day = max(at.astimezone(ZoneInfo(found.zone)).date(), found.start)
    # Under another zone, the day of agreement can be the next one.
    day += timedelta(days=found.random.choice((1, 1, 30)))
    frame = found.random.choice(
        (
            Frame(zone=found.random.choice(ZONES)),
            Frame(confirm_within=found.random.choice((0, 7, 14))),
            Frame(rates_by=found.random.choice(("month", "day"))),
        )
    )
    found.add(TermsAgreed(found.new("terms"), at, at, "north", day, frame))


def _dispute_of_all(found: Life) -> None:
    """A dispute of all that a deal, a due or an entry earned, and its decision."""
    random = found.random
    horizon = max(each.occurred_at for each in found.facts) + timedelta(days=1)
    clock = TimePassed("horizon", horizon, horizon, PARTIES[0])
    lines = owed([*found.facts, clock], PARTIES)
    if not lines:
        return
    line = random.choice(lines)
    same = [
        each
        for each in lines
        if (each.subject, each.to, each.currency) == (line.subject, line.to, line.currency)
    ]
    amount = sum((each.amount for each in same), Decimal(0))
    at = max(each.at.astimezone(UTC) for each in same)
    if amount <= 0 or at > horizon:
        return
    disputed = Money(amount, line.currency)
    opened = DisputeOpened(found.new("dispute"), at, at, line.by, line.subject, disputed)
    found.add(opened)
    if found.chance(70):
        at = found.later(at)
        outcome: Literal["upheld", "settled"] = random.choice(("upheld", "settled"))
        third = Money(round(amount / 3, minor(line.currency)), line.currency)
        agreed = third if outcome == "settled" else None
        decision = DisputeResolved(
            found.new("decision"), at, at, line.to, opened.id, outcome, agreed
        )
        found.add(decision)


# What a contested life has.


def _contest(found: Life, size: int) -> None:
    _policy_of_all(found)
    for _ in range(1 + size // 3):
        _policy_change(found)
    for each in [each for each in found.facts if isinstance(each, ReferralSubmitted)]:
        if found.chance(70):
            _both_touch(found, each)
    _take_back_exits(found)


def _attribution(found: Life) -> Attribution:
    """Any policy; a split by parts that both agreed."""
    policies: tuple[Policy, ...] = (
        *("none", "first-touch", "last-touch", "linear"),
        *("code-wins", "code-wins", "split", "split"),
    )
    policy = found.random.choice(policies)
    north = Decimal(found.random.choice(("0", "33.333333333", "75")))
    weights = (Part("acme", 100 - north), Part("north", north)) if policy == "split" else ()
    return Attribution(policy, found.random.choice((0, 0, 2, 30)), weights)


def _policy_of_all(found: Life) -> None:
    """The first terms have any policy, and may let touches or wins count on their word."""
    place = next(n for n, each in enumerate(found.facts) if isinstance(each, TermsAgreed))
    terms = found.facts[place]
    assert isinstance(terms, TermsAgreed)
    assert terms.frame
    on_word = found.random.choice(((), (), ("touch",), ("win",), ("referral", "payment")))
    frame = replace(terms.frame, attribution=_attribution(found), on_word=on_word)
    found.facts[place] = replace(terms, frame=frame)


def _policy_change(found: Life) -> None:
    """An amendment of the policy or of its window alone, often on the day of a win."""
    wins = [each.occurred_at for each in found.facts if isinstance(each, DealWon)]
    at = found.time(found.day())
    if wins and found.chance(60):
        at = found.random.choice(wins) - timedelta(hours=found.random.choice((0, 1, 30)))
    at = max(at, found.facts[0].occurred_at + timedelta(minutes=1))
    day = max(at.astimezone(ZoneInfo(found.zone)).date(), found.start)
    # Under another zone, the day of agreement can be the next one.
    day += timedelta(days=found.random.choice((1, 1, 2)))
    attribution = _attribution(found)
    if found.chance(40):
        agreed = [
            each.frame.attribution
            for each in found.facts
            if isinstance(each, TermsAgreed) and each.frame and each.frame.attribution
        ]
        attribution = found.random.choice(agreed)._replace(window=attribution.window)
    frame = Frame(attribution=attribution)
    found.add(TermsAgreed(found.new("terms"), at, at, "north", day, frame))


def _both_touch(found: Life, referral: ReferralSubmitted) -> None:
    """Touches that each party states for itself, before and after what either does."""
    deal = referral.deal
    mine = (OpportunityCreated, DealWon)
    acts = [each for each in found.facts if isinstance(each, mine) and each.deal == deal]
    opened = {each.stated_by for each in acts if isinstance(each, OpportunityCreated)}
    if referral.stated_by not in opened and found.chance(30):
        at = found.later(referral.occurred_at)
        found.add(OpportunityCreated(found.new("opportunity"), at, at, referral.stated_by, deal))
    for _ in range(found.random.randrange(1, 4)):
        near = found.random.choice([referral, *acts]).occurred_at
        minutes = found.random.choice((-90_000, -1, 0, 0, 1, 90_000))
        at = max(referral.occurred_at, near + timedelta(minutes=minutes))
        party = found.random.choice(PARTIES)
        by = party if found.chance(85) else PARTIES[party == PARTIES[0]]
        touched = at - timedelta(days=found.random.choice((0, 0, 1, 2, 30)))
        by_code = found.chance(50)
        touch = TouchClaimed(found.new("touch"), at, at, by, deal, party, touched, by_code)
        found.add(touch)
        _claimed(found, touch)
    for each in acts:
        if isinstance(each, DealWon) and found.chance(20):
            _answer(found, each, Confirmed)


def _take_back_exits(found: Life) -> None:
    """Exits that both take back before their day; one that is only mentioned goes on."""
    for _ in range(found.random.randrange(3)):
        _exit(found)
    for each in [each for each in found.facts if isinstance(each, ExitSet)]:
        last = datetime(
            each.effective_on.year, each.effective_on.month, each.effective_on.day, tzinfo=UTC
        ) - timedelta(days=1)
        if each.occurred_at < last and found.chance(60):
            days = (last - each.occurred_at).days
            at = max(found.time(each.occurred_at.date(), days), each.occurred_at)
            found.add(ExitWithdrawn(found.new("withdrawn"), at, at, "north", each.id))


# Facts that both parties state.

AT_ONE_TIME = (DealWon, DealCancelled, PaymentReturned, ReturnReversed)
"""Facts that can happen again under one name, so that their time tells them apart."""

AT_ANY_TIME = (PaymentReceived, TouchClaimed, JointEntry, EntryReversed, MetricReported)


def stated_by_both(facts: Sequence[Fact], random: Random) -> list[Fact]:
    """The facts, some of them stated by the other party too, and what is said of these.

    The second statement is alike or not, and is recorded before the first or after it.
    """
    found: list[Fact] = []
    corrected = {each.corrects for each in facts if isinstance(each, Corrected)}
    for place, fact in enumerate(facts):
        can = isinstance(fact, (*AT_ONE_TIME, *AT_ANY_TIME)) and fact.id not in corrected
        if can and random.random() < 0.5:
            first = _collected(fact)
            found += [first, *_also(first, facts, random, place)]
        else:
            found.append(fact)
    return sorted(found, key=lambda each: (each.recorded_at, each.id))


def _collected(fact: Fact) -> Fact:
    """A payment that names who collected it, so that each statement of it keeps its own."""
    if isinstance(fact, PaymentReceived):
        return replace(fact, collected_by=fact.collected_by or fact.stated_by)
    return fact


def _also(fact: Fact, facts: Sequence[Fact], random: Random, place: int) -> list[Fact]:
    other = PARTIES[fact.stated_by == PARTIES[0]]
    moved = timedelta(hours=random.choice((0, 0, 1, 30)))
    at = fact.occurred_at if isinstance(fact, AT_ONE_TIME) else fact.occurred_at + moved
    content = replace(_otherwise(fact, facts, random), occurred_at=at, stated_by=other)
    if isinstance(content, PaymentReceived):
        content = replace(content, collected_by=random.choice(PARTIES))
    late = timedelta(days=random.choice((0, 0, 1, 20)), seconds=random.randrange(3600))
    told = max(at + late, facts[0].recorded_at + timedelta(seconds=1))
    found: list[Fact] = [StatedAlso(f"also{place}", at, told, other, fact.id, content)]
    last = max(at, fact.occurred_at)
    after = max(told, fact.recorded_at)
    for number in range(random.choice((0, 0, 1, 1, 2, 3))):
        last += timedelta(hours=random.choice((0, 1, 40)), minutes=1)
        after = max(last, after + timedelta(seconds=1))
        found.append(_said(fact, content, random, (f"said{place}-{number}", last, after)))
    return found


def _otherwise(  # noqa: PLR0911 - one line for each kind of fact
    fact: Fact, facts: Sequence[Fact], random: Random
) -> Fact:
    """The content that the other party states: the same, or another amount."""
    if random.random() < 0.5:
        return fact
    whole = {
        each.entry for each in facts if isinstance(each, EntryReversed) and each.amount is None
    }
    match fact:
        case PaymentReceived(amount=amount) | PaymentReturned(amount=amount):
            return replace(fact, amount=_half(amount))
        case EntryReversed(amount=Money() as amount):
            return replace(fact, amount=_half(amount))
        case JointEntry(amount=amount) if fact.id not in whole:
            return replace(fact, amount=_half(amount))
        case DealWon(value=value):
            return replace(fact, value=_half(value))
        case MetricReported(value=counted):
            return replace(fact, value=counted + random.choice((1, 100)))
        case TouchClaimed(touched_at=touched_at):
            return replace(fact, touched_at=touched_at - timedelta(days=random.choice((1, 29))))
        case _:
            return fact


def _half(amount: Money) -> Money:
    half = round(amount.amount / 2, minor(amount.currency))
    return Money(max(half, Decimal(1).scaleb(-minor(amount.currency))), amount.currency)


def _said(
    fact: Fact, content: Fact, random: Random, new: tuple[str, datetime, datetime]
) -> Corrected | Confirmed | Objected:
    """An answer by either, or a correction by either of its own statement."""
    by = random.choice(PARTIES)
    own = fact if fact.stated_by == by else content
    right: Fact | None = None
    match own:
        case PaymentReceived(amount=amount) | PaymentReturned(amount=amount):
            right = replace(own, amount=random.choice((_half(amount), amount)))
        case DealWon(value=value):
            right = replace(own, value=random.choice((_half(value), value)))
        case MetricReported():
            right = replace(own, value=Decimal(random.randrange(4000)))
        case _:
            pass
    if right is None or random.random() < 0.3:
        kind = random.choice((Confirmed, Objected))
        return kind(*new, by, fact.id)
    never = not isinstance(own, MetricReported) and random.random() < 0.25
    return Corrected(*new, by, fact.id, None if never else right)


# Reversals of penalties.


def penalties_reversed(facts: Sequence[Fact], random: Random) -> list[Fact]:
    """The facts, and reversals of some penalties: of the fee of any terms, or of a part of it."""
    items = [item for each in facts if isinstance(each, TermsAgreed) for item in each.items or ()]
    fees = [each.fee for each in items if isinstance(each, Penalty)]
    raised = [each for each in facts if isinstance(each, PenaltyRaised)]
    found = [*facts]
    for place, each in enumerate(raised):
        for number in range(random.choice((0, 0, 1, 2))):
            fee = random.choice(fees)
            amount = random.choice((fee, _half(fee)))
            at = each.occurred_at + timedelta(hours=random.choice((0, 1, 900)))
            told = max(at, each.recorded_at) + timedelta(seconds=1 + number)
            by = random.choice(PARTIES)
            found.append(EntryReversed(f"VP{place}-{number}", at, told, by, each.id, amount))
    return sorted(found, key=lambda each: (each.recorded_at, each.id))


# Due days.


def with_due_days(facts: Sequence[Fact], random: Random) -> list[Fact]:
    """The facts, with due days in the first terms and in some amendments."""
    first = min(
        (each for each in facts if isinstance(each, TermsAgreed)),
        key=lambda each: (each.occurred_at, each.id),
    )
    return [
        replace(each, frame=replace(each.frame or Frame(), due_days=random.choice((0, 14, 30, 45))))
        if isinstance(each, TermsAgreed)
        and not each.until
        and (each is first or random.random() < 0.6)
        else each
        for each in facts
    ]


# Arrival.


def recorded(facts: Sequence[Fact], random: Random) -> list[Fact]:
    """Record each fact when it happened or up to weeks later, after all that it rests on."""
    found: dict[str, Fact] = {}
    rests = needs(facts)
    for each in _happened(facts):
        late = timedelta(days=random.choice((0, 0, 0, 1, 40)), seconds=random.randrange(3600))
        first = max((found[need].recorded_at for need in rests[each.id]), default=each.occurred_at)
        at = max(each.occurred_at + late, first + timedelta(seconds=1))
        found[each.id] = replace(each, recorded_at=at)
    return sorted(found.values(), key=lambda each: (each.recorded_at, each.id))


def _happened(facts: Sequence[Fact]) -> list[Fact]:
    """The first terms, then in the order of time, and of equals causes before their effects."""
    ordered = sorted(facts, key=lambda each: each.occurred_at)
    first = next((each for each in ordered if isinstance(each, TermsAgreed)), None)
    return [first, *(each for each in ordered if each is not first)] if first else ordered


def needs(facts: Sequence[Fact]) -> dict[str, set[str]]:
    """The facts that must be recorded before each fact, by its id."""
    found: dict[str, set[str]] = {}
    ordered = _happened(facts)
    first = next((each.id for each in ordered if isinstance(each, TermsAgreed)), None)
    for place, fact in enumerate(ordered):
        before = ordered[:place]
        rests = {first} if first and fact.id != first and not _any_time(fact) else set()
        rests |= {each.id for each in before if _rests_on(fact, each)}
        found[fact.id] = {each for each in rests if each}
    return found


def _any_time(fact: Fact) -> bool:
    """Figures, rates and entries can be recorded before the terms."""
    entries = (JointEntry, PenaltyRaised, EntryReversed)
    return isinstance(fact, (MetricReported, RateAgreed, RatePublished, *entries))


def _rests_on(fact: Fact, on: Fact) -> bool:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of fact
    match fact, on:
        case (Confirmed() | Objected()) as answer, _ if answer.claim == on.id:
            return True
        case Corrected() as correction, _ if correction.corrects == on.id:
            return True
        case Corrected() as correction, Corrected() as earlier:
            return correction.corrects == earlier.corrects
        case (PaymentReturned() | ReturnReversed()) as returned, (
            PaymentReturned() | ReturnReversed()
        ) as earlier:
            return returned.provider_id == earlier.provider_id
        case (PaymentReturned() | ReturnReversed()) as returned, PaymentReceived():
            return returned.payment == on.id
        case EntryReversed() as reversal, JointEntry() | PenaltyRaised():
            return reversal.entry == on.id
        case DisputeResolved() as decision, DisputeOpened():
            return decision.dispute == on.id
        case DisputeOpened(), _:
            return not isinstance(on, (RateAgreed, RatePublished))
        case PayoutMade(), StatementIssued():
            return True
        case PayoutReturned() as returned, PayoutMade():
            return returned.payout == on.id
        case ExitWithdrawn() as withdrawn, ExitSet():
            return withdrawn.exit == on.id
        case (TouchClaimed() | OpportunityCreated()) as each, ReferralSubmitted() as referral:
            return each.deal == referral.deal
        case DealsMerged() as each, ReferralSubmitted() as referral:
            return referral.deal in {each.deal, each.into}
        case (DealWon() | DealLost() | DealReopened() | AttributionSettled()) as each, (
            ReferralSubmitted() | OpportunityCreated() | DealLost() | DealReopened()
        ) as earlier:
            return each.deal == earlier.deal
        case (PaymentReceived() | DealCancelled()) as each, DealWon() as win:
            return each.deal == win.deal
        case _:
            return False


def permuted(facts: Sequence[Fact], random: Random, orders: int = 3) -> list[list[Fact]]:
    """Other orders of arrival of the same facts, with the times of recording that they give.

    A fact stays after what it rests on. A statement stays where it is, because it froze what was
    known, and so does the clock at the end. Where silence confirms, facts stay on their day.
    """
    rests = needs(facts)
    silence = any(
        isinstance(each, TermsAgreed) and each.frame and each.frame.confirm_within for each in facts
    )
    return [_permuted(facts, rests, random, silence=silence) for _ in range(orders)]


def _permuted(
    facts: Sequence[Fact], rests: dict[str, set[str]], random: Random, *, silence: bool
) -> list[Fact]:
    found: list[Fact] = []
    segment: list[Fact] = []
    zones = [ZoneInfo(each) for each in ZONES]
    for fact in sorted(facts, key=lambda each: (each.recorded_at, each.id)):
        fixed = isinstance(fact, (StatementIssued, TimePassed))
        another_day = segment and any(
            segment[-1].recorded_at.astimezone(zone).date()
            != fact.recorded_at.astimezone(zone).date()
            for zone in zones
        )
        if fixed or (silence and another_day):
            found += _shuffled(segment, rests, random)
            segment = []
        if fixed:
            found.append(fact)
        else:
            segment.append(fact)
    return found + _shuffled(segment, rests, random)


def _shuffled(segment: list[Fact], rests: dict[str, set[str]], random: Random) -> list[Fact]:
    """Facts in another order, each after what it rests on, all recorded within one second."""
    if not segment:
        return []
    last = max(each.recorded_at for each in segment)
    waiting = {each.id: each for each in segment}
    found: list[Fact] = []
    while waiting:
        ready = [each for each in waiting.values() if not rests[each.id] & waiting.keys()]
        fact = waiting.pop(random.choice(ready).id)
        found.append(replace(fact, recorded_at=last + timedelta(microseconds=len(found))))
    return found


def _state(found: Life, facts: list[Fact]) -> list[Fact]:
    """Issue a statement of each currency over what is known halfway, and pay some of them."""
    random = found.random
    half = facts[len(facts) // 2].recorded_at
    at = half + timedelta(milliseconds=1)
    known = [each for each in facts if each.recorded_at <= half]
    later = [
        replace(each, recorded_at=each.recorded_at + timedelta(seconds=2))
        for each in facts
        if each.recorded_at > half
    ]
    open_lines = differences(known, PARTIES, at.date(), at)
    statements: list[Fact] = []
    for currency in sorted({key.currency for key in open_lines}):
        lines = tuple(
            FrozenLine(key.subject, key.base_fact, key.item, key.to, amount, currency)
            for key, amount in open_lines.items()
            if key.currency == currency
        )
        name = f"statement-{currency}"
        statements.append(StatementIssued(name, at, at, "acme", name, currency, lines))
        total = sum((line.amount for line in lines if line.to == "north"), Decimal(0))
        if total > 0 and random.random() < 0.5:
            paid = at + timedelta(milliseconds=1)
            payout = PayoutMade(
                f"payout-{currency}", paid, paid, "acme", name, "north", Money(total, currency)
            )
            statements.append(payout)
    return sorted([*known, *statements, *later], key=lambda each: (each.recorded_at, each.id))
