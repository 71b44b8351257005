"""Laws of money, for whatever both agreed and whatever happened, in whatever order it was told."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import Method
from domain.entry import RecordJointRevenue, ReverseEntry
from domain.kernel import Command, Refused
from domain.payment import IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import AttributeReferral, CreateOpportunity, SubmitReferral
from domain.sale import WinDeal
from domain.settlement import FinalSettlementIssued, StatementIssued, rounded, split
from domain.terms import Item, PaidOn, ReferralFee, RevenueShare, RevenueSplit, Tier, Trigger
from domain.values import MINOR_UNITS, Money
from infra.answers import statement
from infra.answers.text import Line, Table
from projections.fold import Row, replay
from projections.ledger.rows import StatementRow
from projections.settlement import SETTLEMENT
from tests.life import OURS, THEIRS
from tests.projections.money import amend, lines, state, under
from tests.stories import Story
from tests.sweeps import sweep

CURRENCIES = ("USD", "JPY", "BHD")


def sums(found: Iterable[Row]) -> dict[tuple[str, str, str], Decimal]:
    """What lines come to for each party, month and currency; what comes to nothing is left out."""
    summed: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in found:
        summed[each["to"], each["month"], each["currency"]] += Decimal(each["amount"])
    return {key: amount for key, amount in summed.items() if amount}


# --- splits ------------------------------------------------------------------------------------

shares = st.lists(st.integers(0, 1000), min_size=2, max_size=5).filter(any)


@given(
    st.decimals("-99999", "99999", places=3, allow_nan=False),
    shares,
    st.sampled_from(CURRENCIES),
)
def test_the_parts_of_a_split_add_up_to_it_always(
    amount: Decimal, weights: list[int], currency: str
) -> None:
    whole = rounded(amount, currency)
    unit = Decimal(1).scaleb(-MINOR_UNITS[currency])
    each = [Decimal(100 * weight) / sum(weights) for weight in weights[:-1]]
    percents = {
        f"p{place}": share for place, share in enumerate([*each, 100 - sum(each, Decimal(0))])
    }

    parts = split(whole, percents, currency)

    assert sum(parts.values()) == whole
    # The order of the names decides nothing: recorded events do not keep it.
    assert parts == split(whole, dict(reversed(percents.items())), currency)
    assert all(part == rounded(part, currency) for part in parts.values())
    assert all(abs(part - whole * percents[party] / 100) <= unit for party, part in parts.items())


# --- a random business -------------------------------------------------------------------------


@dataclass(frozen=True)
class Declaration:
    """Something that happened on a day, and may be told later."""

    day: int
    command: Command
    after: tuple[int, ...] = ()
    """The places of the facts that must be told before."""


BEGIN = datetime(2026, 1, 8, 9, tzinfo=UTC)
AMENDED = date(2026, 4, 1)
DAYS = 170
KNOWN = 200
"""Days after which all facts are told."""


def cents(amount: int, currency: str) -> Money:
    return Money(amount=Decimal(amount).scaleb(-MINOR_UNITS[currency]), currency=currency)


amounts = st.integers(2, 2_000_000)
"""In minor units; two refunds of half a payment never exceed it."""


@st.composite
def a_deal(draw: st.DrawFn, place: int, first: int) -> list[Declaration]:
    """A referral with its sale, payments, refunds and chargebacks won back."""
    name, currency = f"D-{place}", draw(st.sampled_from(CURRENCIES))
    day = draw(st.integers(0, DAYS))
    facts = [Declaration(day, SubmitReferral(deal=name, lead=name))]

    def add(command: Command, *after: int, since: int = day) -> int:
        facts.append(Declaration(min(DAYS, since + draw(st.integers(0, 60))), command, after))
        return first + len(facts) - 1

    tag = AttributeReferral(deal=name, method=Method.UTM, evidence="a tag")
    if draw(st.booleans()):
        add(tag, first)
    opened = add(CreateOpportunity(deal=name), first)
    price = cents(draw(amounts), currency)
    won = add(WinDeal(deal=name, annual_contract_value=price), opened)
    for number in range(draw(st.integers(0, 3))):
        amount = draw(amounts)
        payment = f"P-{number}"
        paid = add(ReceivePayment(deal=name, payment=payment, amount=cents(amount, currency)), won)
        for part in range(draw(st.integers(0, 2))):
            back = draw(st.integers(1, amount // 2))
            refund = f"R-{number}-{part}"
            lost = add(
                IssueRefund(
                    deal=name,
                    refund=refund,
                    payment=payment,
                    amount=cents(back, currency),
                    kind="chargeback",
                ),
                paid,
            )
            if draw(st.booleans()):
                reversal = ReverseRefund(deal=name, refund=refund)
                add(reversal, lost, since=facts[lost - first].day)
    return facts


@st.composite
def an_entry(draw: st.DrawFn, place: int, first: int) -> list[Declaration]:
    """Joint revenue, some of it taken back."""
    name, currency = f"E-{place}", draw(st.sampled_from(CURRENCIES))
    amount, day = draw(amounts), draw(st.integers(0, DAYS))
    collected = draw(st.sampled_from([OURS, THEIRS]))
    revenue = RecordJointRevenue(entry=name, amount=cents(amount, currency), collected_by=collected)
    facts = [Declaration(day, revenue)]
    if draw(st.booleans()):
        back = cents(draw(st.integers(1, amount)), currency)
        reversal = ReverseEntry(entry=name, reversal="V", amount=back, reason="Counted twice.")
        facts.append(Declaration(min(DAYS, day + 20), reversal, (first,)))
    return facts


@st.composite
def a_business(draw: st.DrawFn) -> list[Declaration]:
    facts: list[Declaration] = []
    for place in range(draw(st.integers(1, 4))):
        make: Callable[..., Any] = draw(st.sampled_from([a_deal, an_entry]))
        facts += draw(make(place, len(facts)))
    return facts


percents = st.decimals("0", "100", places=2, allow_nan=False)


@st.composite
def agreements(draw: st.DrawFn) -> list[Item]:
    """Terms with splits, a fee and a share, which has tiers and a cap or not."""
    first = draw(percents)
    joint = [
        RevenueSplit(shares={OURS: first, THEIRS: 100 - first}, trigger=trigger)
        for trigger in (Trigger.PAYMENT, Trigger.JOINT_REVENUE)
    ]
    triggers: list[PaidOn] = [Trigger.SALE, Trigger.PAYMENT]
    trigger = draw(st.sampled_from(triggers))
    share = RevenueShare(
        to=draw(st.sampled_from([OURS, THEIRS])),
        share=draw(percents),
        basis=draw(st.sampled_from(["first-year", "all-payments"])),
        trigger=trigger,
    )
    if draw(st.booleans()):
        tiers = [Tier(above=Decimal(1000), share=draw(percents))]
        cap = draw(st.sampled_from([None, Decimal(500)]))
        share = share.model_copy(update={"tiers": tiers, "cap": cap})
    fee = ReferralFee(to=THEIRS, fee=cents(draw(amounts), "USD"), trigger=trigger)
    return [*joint, share, fee]


def told(
    economics: tuple[list[Item], list[Item]],
    facts: list[Declaration],
    delays: list[int],
    *,
    stating: bool = True,
) -> Story:
    """A partnership that hears of each fact some days after it happened, and states each month."""
    before, later = economics
    story = under(*before)
    amend(story, *later, since=AMENDED)
    when: dict[int, int] = {}
    for place, fact in enumerate(facts):
        due = fact.day + delays[place % len(delays)]
        when[place] = max([due, *(when[each] for each in fact.after)])
    stated: set[str] = set()
    for place in sorted(when, key=lambda each: (when[each], each)):
        story.on(f"{BEGIN + timedelta(days=when[place]):%Y-%m-%dT%H:%M}")
        if stating:
            _state_what_is_over(story, stated)
        story.when(
            OURS if not isinstance(facts[place].command, SubmitReferral) else THEIRS,
            facts[place].command,
            happened=f"{BEGIN + timedelta(days=facts[place].day):%Y-%m-%dT%H:%M}",
        )
    story.on(f"{BEGIN + timedelta(days=2 * KNOWN):%Y-%m-%dT%H:%M}")
    if stating:
        _state_what_is_over(story, stated)
    return story


def _state_what_is_over(story: Story, stated: set[str]) -> None:
    for number in range(1, story.now.month if story.now.year == 2026 else 13):
        period = f"2026-{number:02}"
        if period in stated:
            continue
        stated.add(period)
        try:
            state(story, period)
        except Refused as refused:
            if refused.rule != "nothing-to-state":
                raise


delays = st.lists(st.sampled_from([0, 0, 1, 9, 40, 90]), min_size=1, max_size=12)
any_terms = st.tuples(agreements(), agreements())


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays)
def test_the_lines_add_up_to_the_statements_to_the_last_unit(
    terms: tuple[list[Item], list[Item]], facts: list[Declaration], late: list[int]
) -> None:
    story = told(terms, facts, late)
    posted = lines(story.history)
    stated: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in story.facts(StatementIssued):
        net: dict[str, Decimal] = defaultdict(Decimal)
        for part in each.balance.parts:
            for party, amount in part.earned.items():
                stated[party, part.month, part.currency] += amount
                net[party] += amount
        sign = 1 if each.balance.payee == OURS else -1
        assert net[OURS] - net[THEIRS] == sign * each.balance.amount

    assert {key: amount for key, amount in stated.items() if amount} == sums(posted)
    for line in posted:
        assert Decimal(line["amount"]) == rounded(Decimal(line["amount"]), line["currency"])


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays)
def test_the_printed_amounts_of_a_statement_add_up_to_its_printed_total(
    terms: tuple[list[Item], list[Item]], facts: list[Declaration], late: list[int]
) -> None:
    """Refunds, amounts to either party and lines without an amount: a clerk adds up one column."""
    postings = statement.replay(told(terms, facts, late).history)
    found = [*map(postings.statement, postings.issued), *postings.drafts("2027")]

    for each in found:
        title, _, table, *_ = statement.statement_text(each, "UTC")
        assert isinstance(title, Line)
        assert isinstance(table, Table)
        printed = Decimal((re.search(r"([0-9.]+) [A-Z]{3}$", title.text) or ["", "0"])[1])
        place = table.columns.index(f">IN {each.currency}")
        assert sum(Decimal(f"{row[place]}") for row in table.rows) == printed
        assert printed == each.balance.amount


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays)
def test_a_line_of_a_share_can_be_computed_again(
    terms: tuple[list[Item], list[Item]], facts: list[Declaration], late: list[int]
) -> None:
    """A refund's line says what the fact earns now and what it had earned: 15 % of 80, minus 15."""
    postings = statement.replay(told(terms, facts, late).history)
    found = [each for of in postings.issued for each in postings.statement(of).lines]

    for line in found:
        if "% of" not in line.text or line.share is None or line.earned is not None:
            continue
        credit = Decimal(100) if line.credited is None else line.credited
        earns = Decimal(line.basis or 0) * line.share * credit / 10_000
        assert line.total is not None
        assert line.total_before is not None
        assert line.amount == rounded(earns, line.currency) - line.total_before
        assert (f"minus {line.total_before} {line.currency}" in line.text) == bool(
            line.total_before
        )


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays, delays)
def test_earnings_do_not_depend_on_the_order_of_recording(
    terms: tuple[list[Item], list[Item]],
    facts: list[Declaration],
    one: list[int],
    other: list[int],
) -> None:
    first, second = (
        lines(told(terms, facts, late, stating=False).history) for late in (one, other)
    )

    assert sums(first) == sums(second)


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays)
def test_what_was_issued_never_changes(
    terms: tuple[list[Item], list[Item]], facts: list[Declaration], late: list[int]
) -> None:
    story = told(terms, facts, late)
    kinds = (StatementIssued, FinalSettlementIssued)
    issued = [place for place, each in enumerate(story.history) if isinstance(each.event, kinds)]
    after = replay(SETTLEMENT, story.history).rows

    for place in issued:
        row = replay(SETTLEMENT, story.history[: place + 1]).rows
        (name,) = [
            key
            for key, each in row.items()
            if isinstance(each, StatementRow) and each.index == place
        ]
        # Time alone makes it overdue.
        assert replace(after[name], overdue=False) == replace(row[name], overdue=False)


@settings(max_examples=sweep(60, 20))
@given(any_terms, a_business(), delays)
def test_no_row_holds_a_float(
    terms: tuple[list[Item], list[Item]], facts: list[Declaration], late: list[int]
) -> None:
    def floats(value: object) -> bool:
        if is_dataclass(value):
            return any(floats(getattr(value, each.name)) for each in fields(value))
        if isinstance(value, Mapping):
            return any(map(floats, (*value, *value.values())))
        if isinstance(value, list | tuple):
            return any(map(floats, value))
        return isinstance(value, float)

    rows = replay(SETTLEMENT, told(terms, facts, late).history).rows

    assert rows
    assert not any(map(floats, rows.values()))
