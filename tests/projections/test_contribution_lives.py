"""What both give, pay and earn, in random lives (C19, C24).

Any order of arrival gives the same answers. A correction is the same as the right entry from the
start. Months add up to their quarter, and the quarters to the whole.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import Method
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.health import ContributionKind, RecordContribution
from domain.kernel import Command, Refused
from domain.referral import AttributeReferral, SubmitReferral
from domain.terms import CostShare, Hybrid, Incentive, Retainer, RevenueSplit, Trigger
from domain.values import Money
from projections import figures as reading
from projections.portfolio import Member, line
from projections.results import Span
from tests.life import OURS, THEIRS
from tests.projections.arrivals import Said
from tests.projections.folds import figures, member
from tests.projections.money import under
from tests.stories import Story

MONTHS = [f"2026-{month:02}" for month in range(1, 7)]
QUARTERS = ["2026-Q1", "2026-Q2"]
TERMS = (
    RevenueSplit(shares={OURS: Decimal(60), THEIRS: Decimal(40)}, trigger=Trigger.JOINT_REVENUE),
    CostShare(cost="hosting", shares={OURS: Decimal(25), THEIRS: Decimal(75)}),
    Retainer(to=THEIRS, fee=Money(amount=Decimal(50), currency="USD"), every="P1M"),
    Hybrid(
        to=OURS,
        base=Money(amount=Decimal(30), currency="EUR"),
        every="P1M",
        bonus=Money(amount=Decimal(5), currency="EUR"),
        bonus_metric="leads",
        bonus_threshold=2,
        window="month",
    ),
    Incentive(by=OURS, amount=Money(amount=Decimal(10), currency="USD")),
)


class Told(NamedTuple):
    """What a party tells of one thing: its messages in the order in which they happened."""

    said: tuple[Said, ...]
    right: tuple[Said, ...]
    """The same without a mistake: a single entry with what the last correction says."""


def day(number: int, minute: int) -> str:
    """Return a moment of the first months of the year; no two things happen at one moment."""
    return f"2026-0{2 + number // 28}-{1 + number % 28:02}T{8 + minute // 60:02}:{minute % 60:02}"


amounts = st.integers(1, 10**6).map(lambda each: Decimal(each).scaleb(-2))
currencies = st.sampled_from(["USD", "EUR"])
parties = st.sampled_from([OURS, THEIRS])
moneys = st.builds(lambda amount, unit: Money(amount=amount, currency=unit), amounts, currencies)
days = st.integers(0, 55)


@dataclass(frozen=True)
class Content:
    """What one version of a contribution says."""

    period: str
    value: Money | None
    hours: Decimal | None

    def command(self, name: str, reason: str | None) -> Command:
        made: Any = RecordContribution
        command: Command = made(
            contribution=name,
            kind=ContributionKind.TIME,
            what="Work",
            period=self.period,
            value=self.value,
            hours=self.hours,
            change_reason=reason,
        )
        return command


contents = st.builds(
    Content,
    st.sampled_from(["2026-01", "2026-02", "2026-Q1", "2026"]),
    st.none() | moneys,
    st.none() | st.integers(1, 400).map(lambda each: Decimal(each) / 4),
)


@st.composite
def gifts(draw: st.DrawFn, number: int) -> Told:
    """A contribution, corrected at most twice."""
    by, first = draw(parties), draw(days)
    found = [draw(contents)]
    for _ in range(draw(st.sampled_from([1, 2, 0]))):
        found.append(draw(contents.filter(lambda each: each != found[-1])))
    said = tuple(
        Said(
            day(first, number * 3 + place),
            by,
            each.command(f"G-{number}", "A typo." if place else None),
        )
        for place, each in enumerate(found)
    )
    return Told(said, (Said(said[0].happened, by, found[-1].command(f"G-{number}", None)),))


@st.composite
def entries(draw: st.DrawFn, number: int) -> Told:
    """Joint revenue or a shared cost, which counts at once, and a reversal of a part of it."""
    by, first, money = draw(parties), draw(days), draw(moneys)
    name, other = f"E-{number}", {OURS: THEIRS, THEIRS: OURS}[by]
    is_cost = draw(st.booleans())
    # Of a cost the party that bears a part states it, of revenue the party that shares it.
    owes = other if is_cost else by
    entry: Command = (
        RecordSharedCost(entry=name, cost="hosting", amount=money, paid_by=by)
        if is_cost
        else RecordJointRevenue(entry=name, amount=money, collected_by=by)
    )
    said = [Said(day(first, number * 3), owes, entry)]
    if draw(st.booleans()):
        cents = int(money.amount * 100)
        back = Money(
            amount=Decimal(draw(st.integers(1, cents))).scaleb(-2), currency=money.currency
        )
        command = ReverseEntry(entry=name, reversal="V-1", amount=back, reason="Too much.")
        # A reversal counts at once from the party that loses by it, and of its own entry.
        said.append(Said(day(first, number * 3 + 1), owes, command))
    return Told(tuple(said), tuple(said))


@st.composite
def referrals(draw: st.DrawFn, number: int) -> Told:
    """A lead that earns an incentive, once it is tied to its party."""
    first, name = draw(days), f"D-{number}"
    said = [Said(day(first, number * 3), THEIRS, SubmitReferral(deal=name, lead=name))]
    if draw(st.booleans()):
        touch = AttributeReferral(deal=name, method=Method.UTM, evidence="utm_source=b", to=THEIRS)
        said.append(Said(day(first, number * 3 + 1), OURS, touch))
    return Told(tuple(said), tuple(said))


@st.composite
def lives(draw: st.DrawFn) -> list[Told]:
    kinds: Sequence[Callable[[int], st.SearchStrategy[Told]]] = (gifts, gifts, entries, referrals)
    return [draw(draw(st.sampled_from(kinds))(each)) for each in range(draw(st.integers(3, 7)))]


def arrived(said: Iterable[Said]) -> Story:
    """Return a story in which messages arrive after all of it happened, in this order.

    A message that was sent before what it builds on is sent again.
    """
    story = _begun().copy()
    waiting = list(said)
    while waiting:
        left = []
        for each in waiting:
            try:
                story.when(each.party, each.command, happened=each.happened)
            except Refused as refusal:
                # What was stated last counts, so a correction from before it has no effect.
                if refusal.rule == "stated-since":
                    continue
                if not (refusal.awaits or refusal.rule == "nothing-to-change"):
                    raise
                left.append(each)
        assert len(left) < len(waiting)
        waiting = left
    story.on("2026-06-20")
    return story


@cache
def _begun() -> Story:
    story = under(*TERMS)
    story.on("2026-04-10")
    return story


def answers(story: Story) -> dict[str, object]:
    """Return what a portfolio and the figures say of each period, and of all."""
    seen = member(story)
    found: dict[str, object] = {}
    for period in (None, *MONTHS, *QUARTERS):
        shown = line(seen, story.now, Span.of(period, story.now) if period else None)
        found[period or "all"] = (shown.contributions, shown.hours, shown.sourced)
    rows = figures(story)
    for period in (*MONTHS, *QUARTERS, "2026"):
        found[f"figures of {period}"] = [
            (each.metric, each.segment, each.unit, each.value)
            for each in reading.report(rows, period)
        ]
    return found


def in_time(told: Iterable[Told]) -> list[Said]:
    said = [each for of in told for each in of.said]
    return sorted(said, key=lambda each: each.happened)


@settings(max_examples=12, deadline=None)
@given(lives(), st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_answers(told: list[Told], order: Random) -> None:
    said = in_time(told)
    shuffled = [*said]
    order.shuffle(shuffled)

    assert answers(arrived(shuffled)) == answers(arrived(said))


@settings(max_examples=12, deadline=None)
@given(lives())
def test_a_correction_is_the_right_entry_from_the_start(told: list[Told]) -> None:
    right = sorted((each for of in told for each in of.right), key=lambda each: each.happened)

    assert answers(arrived(in_time(told))) == answers(arrived(right))


@settings(max_examples=12, deadline=None)
@given(lives())
def test_months_add_up_to_quarters_and_quarters_to_the_whole(told: list[Told]) -> None:
    story = arrived(in_time(told))
    seen = member(story)
    found = {each: shown(seen, each, story.now) for each in (None, *MONTHS, *QUARTERS)}
    keys = {key for each in found.values() for key in each}

    for key in keys:
        if key[-1] == "given":
            continue  # What is given of a quarter or a year is of none of its months.
        parts = {each: found[each].get(key, Decimal(0)) for each in found}
        assert parts["2026-Q1"] == sum(parts[each] for each in MONTHS[:3])
        assert parts["2026-Q2"] == sum(parts[each] for each in MONTHS[3:])
        assert parts[None] == parts["2026-Q1"] + parts["2026-Q2"]


def shown(seen: Member, period: str | None, now: datetime) -> dict[tuple[str, ...], Decimal]:
    """Return each amount of what a partnership brings each party in a period."""
    brought = line(seen, now, Span.of(period, now) if period else None)
    found: dict[tuple[str, ...], Decimal] = {}
    for each in brought.contributions:
        about = (each.party, each.currency)
        found |= {
            (*about, "revenue"): each.revenue,
            (*about, "costs"): each.costs,
            (*about, "given"): each.given,
        }
        for fee in each.fees:
            found[*about, fee.kind, "earned"] = fee.earned
            found[*about, fee.kind, "owed"] = fee.owed
    return found


@settings(max_examples=12, deadline=None)
@given(lives())
def test_what_both_are_left_with_is_what_came_in_less_what_went_out(told: list[Told]) -> None:
    expected: dict[str, Decimal] = {}
    for each in (each for of in told for each in of.right):
        match each.command:
            case RecordJointRevenue(amount=money):
                sign = 1
            case RecordSharedCost(amount=money):
                sign = -1
            case ReverseEntry(amount=money, entry=name):
                of = next(
                    one.command
                    for all_ in told
                    for one in all_.right
                    if getattr(one.command, "entry", "") == name
                )
                sign = -1 if isinstance(of, RecordJointRevenue) else 1
            case RecordContribution(value=Money() as money):
                sign = -1
            case _:
                continue
        expected[money.currency] = expected.get(money.currency, Decimal(0)) + sign * money.amount

    nets: dict[str, Decimal] = {}
    for found in line(member(arrived(in_time(told))), Story().now).contributions:
        nets[found.currency] = nets.get(found.currency, Decimal(0)) + found.net

    assert {unit: each for unit, each in nets.items() if each} == {
        unit: each for unit, each in expected.items() if each
    }
