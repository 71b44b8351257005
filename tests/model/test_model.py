"""Laws of the model itself, over random lives."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.days import add_months
from tests.model.facts import (
    AdjustmentAgreed,
    AttributionSettled,
    Confirmed,
    Corrected,
    DealWon,
    DisputeOpened,
    DisputeResolved,
    Fact,
    Frame,
    FrozenLine,
    Item,
    Part,
    PaymentReceived,
    PaymentReturned,
    RateAgreed,
    RenewalAgreed,
    RevenueShare,
    StatementIssued,
    TermsAgreed,
    Tier,
    TimePassed,
)
from tests.model.known import known_of
from tests.model.lives import CURRENCIES, PARTIES, life, lives, permuted, seeded
from tests.model.numbers import minor, part_of, rounded
from tests.model.owed import Line, earned, on_hold, owed
from tests.model.sales import marginal
from tests.model.statements import Key, differences
from tests.model.telling import money, paid, sold, terms
from tests.model.terms import in_order, terms_of

SEEDS = st.integers(0, 2**32)
BY_BOTH = (
    TermsAgreed,
    RenewalAgreed,
    AttributionSettled,
    AdjustmentAgreed,
    RateAgreed,
    DisputeResolved,
    StatementIssued,
    TimePassed,
)
SOME = settings(max_examples=15)


def net(lines: Sequence[Line]) -> dict[tuple[object, ...], Decimal]:
    """What is left for each priced fact."""
    found: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for each in lines:
        found[each.subject, each.base_fact, each.item, each.to, each.currency] += each.amount
    return {key: each for key, each in found.items() if each}


@SOME
@given(lives(), SEEDS)
def test_the_order_of_arrival_does_not_matter(facts: list[Fact], seed: int) -> None:
    whole = owed(facts, PARTIES)
    for each in permuted(facts, seeded(seed)):
        assert {fact.id for fact in each} == {fact.id for fact in facts}
        assert owed(each, PARTIES) == whole


@SOME
@given(lives(), SEEDS)
def test_a_permuted_arrival_is_one_that_could_have_been(facts: list[Fact], seed: int) -> None:
    for each in permuted(facts, seeded(seed), orders=1):
        times = [fact.recorded_at for fact in each]
        assert times == sorted(times)
        assert all(fact.recorded_at >= fact.occurred_at for fact in each)
        assert isinstance(each[-1], TimePassed)


@SOME
@given(lives(), SEEDS)
def test_the_order_of_the_input_does_not_matter(facts: list[Fact], seed: int) -> None:
    shuffled = seeded(seed).sample(facts, len(facts))
    assert owed(shuffled, PARTIES) == owed([*facts, *facts[:3]], PARTIES)


@SOME
@given(lives())
def test_nothing_is_below_zero_at_any_time(facts: list[Fact]) -> None:
    sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for line in owed(facts, PARTIES):
        key = (line.subject, line.base_fact, line.item, line.to, line.currency)
        sums[key] += line.amount
        assert sums[key] >= 0, line
        assert line.amount
        assert line.amount == round(line.amount, minor(line.currency))
        assert line.by != line.to


@SOME
@given(lives())
def test_a_refund_of_everything_gives_nothing_in_both_currencies(facts: list[Fact]) -> None:
    end = facts[-1].recorded_at
    refunds: list[Fact] = []
    for each in facts:
        if isinstance(each, PaymentReceived):
            # As much as any currency's payment can be, in each currency a correction may name.
            for currency in CURRENCIES:
                id_ = f"all {each.id} {currency}"
                amount = money(f"99999 {currency}")
                fact = PaymentReturned(id_, end, end, each.stated_by, each.id, id_, amount)
                other = PARTIES[each.stated_by == PARTIES[0]]
                refunds += [fact, Confirmed(f"yes {id_}", end, end, other, id_)]
    ids = {each.id for each in facts if isinstance(each, PaymentReceived)}
    found = [line for line in owed([*facts, *refunds], PARTIES) if line.base_fact in ids]
    assert net(found) == {}
    settled: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for line in found:
        if line.settled is not None:
            settled[line.base_fact, line.item, line.to, line.settles_in] += line.settled
    assert not any(settled.values())


@SOME
@given(lives(), SEEDS)
def test_an_amendment_that_repeats_what_was_agreed_changes_nothing(
    facts: list[Fact], seed: int
) -> None:
    random = seeded(seed)
    agreed = [each for each in in_order(facts) if isinstance(each, TermsAgreed) and not each.until]
    at = random.choice(agreed).occurred_at
    frame = Frame()
    items: tuple[Item, ...] | None = None
    for each in agreed:
        if each.occurred_at > at:
            break
        spoken = {name.name: getattr(each.frame, name.name, None) for name in fields(Frame)}
        frame = replace(frame, **{name: value for name, value in spoken.items() if value})
        items = each.items or items
    first_day = at.date() + timedelta(days=random.randrange(300))
    repeat = TermsAgreed("zz", at, at, "acme", first_day, frame, items)
    assert owed([*facts, repeat], PARTIES) == owed(facts, PARTIES)


@SOME
@given(lives())
def test_a_correction_to_the_same_content_changes_nothing(facts: list[Fact]) -> None:
    known = known_of(frozenset(facts), PARTIES, None)
    end = facts[-1].recorded_at
    corrected = {each.corrects for each in known.of(Corrected)}
    same = [
        Corrected(f"same {each.id}", end, end, each.stated_by, each.id, each)
        for each in facts
        if isinstance(each, (PaymentReceived, DealWon, PaymentReturned))
        and each.id not in corrected
    ]
    assert owed([*facts, *same], PARTIES) == owed(facts, PARTIES)


@SOME
@given(lives(), st.sampled_from(PARTIES))
def test_a_party_alone_earns_nothing_by_what_it_states(facts: list[Fact], party: str) -> None:
    strict: list[Fact] = [
        replace(each, frame=replace(each.frame, on_word=(), confirm_within=0))
        if isinstance(each, TermsAgreed) and each.frame
        else each
        for each in facts
    ]
    alone = [each for each in strict if each.stated_by == party or isinstance(each, BY_BOTH)]
    found = [line for line in owed(alone, PARTIES) if line.to == party]
    # Agreed by both: fees of dates, adjustments, what the other side failed to bring. Only an
    # incentive counts on the word of the party that submits.
    kinds = {line.subject.kind for line in found}
    assert kinds <= {"due", "window", "adjustment", "referral"}
    assert not [each for each in found if (each.item, each.subject.kind) == ("hybrid", "window")]


@SOME
@given(lives())
def test_nothing_accrues_after_the_end_and_its_tail(facts: list[Fact]) -> None:
    agreed = terms_of(facts)
    if agreed.end.year == 9999:
        return
    tail = agreed.frame(agreed.end - timedelta(days=1)).tail or 0
    last = add_months(agreed.end, tail)
    for track in earned(known_of(frozenset(facts), PARTIES, None)):
        adjusted = track.subject.kind in {"adjustment", "report"}
        payment = track.subject.kind == "deal"
        assert adjusted or track.day < (last if payment else agreed.end), track


@SOME
@given(lives())
def test_a_line_in_its_statements_currency_is_its_amount(facts: list[Fact]) -> None:
    for line in owed(facts, PARTIES):
        assert line.settles_in != line.currency or line.settled == line.amount
        assert line.steps[-1].name == "exchange rate"
        assert (line.settled is None) == (line.steps[-1].value == "missing")


@SOME
@given(lives())
def test_a_statement_of_all_leaves_no_difference(facts: list[Fact]) -> None:
    clock = facts[-1]
    after = clock.recorded_at + timedelta(days=1)
    end = after.date() + timedelta(days=100)
    found = differences(facts, PARTIES, end)
    frozen = tuple(
        FrozenLine(key.subject, key.base_fact, key.item, key.to, amount, key.currency)
        for key, amount in found.items()
    )
    statement = StatementIssued("all", after, after, "acme", "all", "", frozen)
    # The statement moves no credit and no hold, so nothing is left to state.
    assert _moving(facts, differences([*facts, statement], PARTIES, end)) == {}


def _moving(facts: list[Fact], found: dict[Key, Decimal]) -> dict[Key, Decimal]:
    """Differences, but of what open disputes hold: that is stated once it is decided."""
    held = {(each.subject, each.item, each.to) for each in on_hold(facts, PARTIES)}
    return {k: each for k, each in found.items() if (k.subject, k.item, k.to) not in held}


@SOME
@given(lives())
def test_a_rejected_dispute_leaves_what_there_was(facts: list[Fact]) -> None:
    end = facts[-1].recorded_at
    none = [each for each in facts if not isinstance(each, (DisputeOpened, DisputeResolved))]
    rejected: list[Fact] = [
        DisputeResolved(f"no {each.id}", end, end, "acme", each.id, "rejected")
        for each in facts
        if isinstance(each, DisputeOpened)
    ]
    undecided = [each for each in facts if not isinstance(each, DisputeResolved)]
    assert owed([*undecided, *rejected], PARTIES) == owed(none, PARTIES)
    for held in on_hold(undecided, PARTIES):
        assert held.amount > 0


@given(
    st.integers(0, 10**9),
    st.sampled_from(CURRENCIES),
    st.lists(st.integers(0, 10**11), min_size=1, max_size=6),
    st.integers(0, 9),
)
def test_parts_add_up_to_the_rounded_whole(
    amount: int, currency: str, weights: list[int], places: int
) -> None:
    percents = [Decimal(each).scaleb(-9) / len(weights) for each in weights]
    percents = [round(min(each, Decimal(100) / len(weights)), 9) for each in percents]
    parts = [Part(str(place), each) for place, each in enumerate(percents)]
    parts.append(Part("rest", 100 - sum(percents, Decimal(0))))
    whole = Fraction(amount, 10**places)
    found = [part_of(whole, parts, each.party, currency) for each in parts]
    assert sum(found) == rounded(whole, currency)
    assert all(each >= 0 for each in found)


@SOME
@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
    st.sampled_from(CURRENCIES),
    st.integers(0, 10**9),
    st.sampled_from((None, 0, 77, 1234)),
)
def test_lines_of_a_window_add_up_to_the_rounded_whole(
    amounts: list[int], currency: str, percent: int, cap: int | None
) -> None:
    item = RevenueShare(
        to="north",
        share=Decimal(percent).scaleb(-8),
        tiers=(Tier(Decimal(1000), Decimal(5)), Tier(Decimal(4000), Decimal("33.333333333"))),
        cap=None if cap is None else Decimal(cap),
        window="year",
    )
    digits = minor(currency)
    units = [Decimal(each).scaleb(-digits) for each in amounts]
    payments = [paid(f"P{n}", "2026-03-02", f"{each} {currency}") for n, each in enumerate(units)]
    found = owed([terms(item), *sold(), *payments], PARTIES)
    whole = marginal(item, Fraction(0), Fraction(sum(units)))
    if cap is not None:
        whole = min(whole, Fraction(cap))
    assert sum(each.amount for each in found) == rounded(whole, currency)


@pytest.mark.parametrize("seed", range(3))
def test_a_life_is_made_again_from_its_seed(seed: int) -> None:
    assert life(seed) == life(seed)


def test_lives_know_every_kind_of_fact_and_of_item() -> None:
    seen: set[str] = set()
    for seed in range(60):
        facts = life(seed, 6, contested=True, doubled=True)
        seen |= {type(each).__name__ for each in facts}
        seen |= {
            item.kind
            for each in facts
            if isinstance(each, TermsAgreed)
            for item in each.items or ()
        }
    missing = {each.__name__ for each in Fact.__subclasses__()} - seen
    assert missing <= {"PayoutReturned"}
    assert len([each for each in seen if each.islower()]) == 11
