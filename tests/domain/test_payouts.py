"""Payouts, rates and adjustments: who states and corrects them (`money.md`, sections 5 and 7)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.claims import ClaimConfirmed, ClaimKind, ConfirmClaim, ObjectToClaim
from domain.execution import IncentiveIntroduced, IntroduceIncentive
from domain.kernel import Awaited, AwaitedKind, Command, Refused
from domain.payouts import (
    CorrectPayout,
    Known,
    PayoutCorrected,
    PayoutReturned,
    RecordPayout,
    ReturnPayout,
)
from domain.settlement import (
    AdjustmentAgreed,
    AgreeAdjustment,
    AgreeRate,
    IssueFinalSettlement,
    ObjectToRate,
    ProposeAdjustment,
    ProposeRate,
    PublishRate,
    RateAgreed,
)
from domain.terms import ClaimRules
from tests.life import OURS, THEIRS, after, before, example, usd
from tests.projections.money import amend
from tests.stories import Story

STATEMENT = example(RecordPayout).statement


def left(story: Story) -> Decimal:
    return story.left(STATEMENT)


# --- payouts -----------------------------------------------------------------------------------


PAYER, PAYEE = OURS, THEIRS
OUT_1 = example(RecordPayout)
"""A payout of 1000.00 on a statement of more."""


def confirm(fact: str = "payout") -> ConfirmClaim:
    return ConfirmClaim(payout="out-1", fact=fact)


def object_to(fact: str = "payout") -> ObjectToClaim:
    return ObjectToClaim(payout="out-1", fact=fact, reason="Nothing arrived.")


def corrected(amount: str) -> CorrectPayout:
    return CorrectPayout(payout="out-1", amount=usd(amount), reason="A digit.")


RETURNED = ReturnPayout(payout="out-1", reason="The account was closed.")
VOIDED = CorrectPayout(payout="out-1", void=True, reason="Typed twice.")


def issued() -> Story:
    """Return a story with a statement that we pay and nobody has paid."""
    return before(RecordPayout)


def standing(story: Story) -> tuple[str, int, int]:
    """Return the state of the payout, what of it counts, and what the payee acknowledges."""
    context = story.partnership.context
    payout = story.partnership.settlement.payouts.made["out-1"]
    found = Known(payout, context.terms, context.terms.day(story.now)).standing()
    return found.state.value, int(found.paid), int(found.confirmed)


Words = tuple[str, Command]


def after_words(*words: Words) -> Story:
    """Return what parties said of the payout, an hour apart."""
    story = issued()
    for party, command in words:
        story.wait(hours=1)
        story.when(party, command)
    return story


@pytest.mark.parametrize(
    ("words", "comes_to"),
    [
        pytest.param([(PAYER, OUT_1)], ("not confirmed", 1000, 0), id="the payer alone"),
        pytest.param([(PAYEE, OUT_1)], ("confirmed", 1000, 1000), id="the payee alone"),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, confirm())], ("confirmed", 1000, 1000), id="confirmed"
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, OUT_1)], ("confirmed", 1000, 1000), id="recorded by both"
        ),
        pytest.param([(PAYER, OUT_1), (PAYEE, object_to())], ("objected", 0, 0), id="objected"),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, object_to()), (PAYEE, confirm())],
            ("confirmed", 1000, 1000),
            id="confirmed after all",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYER, corrected("100.00"))],
            ("not confirmed", 100, 0),
            id="lowered by the payer",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, confirm()), (PAYER, corrected("1100.00"))],
            ("not confirmed", 1100, 1000),
            id="raised by the payer once confirmed",
        ),
        pytest.param(
            [
                (PAYER, OUT_1),
                (PAYEE, confirm()),
                (PAYER, corrected("1100.00")),
                (PAYEE, object_to("correction/payout")),
            ],
            ("confirmed", 1000, 1000),
            id="the payee objects to the increase",
        ),
        pytest.param(
            [
                (PAYER, OUT_1),
                (PAYEE, confirm()),
                (PAYER, corrected("1100.00")),
                (PAYEE, confirm("correction/payout")),
            ],
            ("confirmed", 1100, 1100),
            id="the payee confirms the increase",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, object_to()), (PAYER, corrected("900.00"))],
            ("objected", 0, 0),
            id="an objected payout is not raised again",
        ),
        pytest.param(
            [(PAYEE, OUT_1), (PAYEE, corrected("1100.00"))],
            ("confirmed", 1100, 1100),
            id="raised by the payee",
        ),
        pytest.param(
            [(PAYEE, OUT_1), (PAYEE, corrected("100.00"))],
            ("confirmed", 1000, 1000),
            id="the payee alone does not lower",
        ),
        pytest.param(
            [
                (PAYEE, OUT_1),
                (PAYEE, corrected("100.00")),
                (PAYER, confirm("correction/payout")),
            ],
            ("confirmed", 100, 100),
            id="lowered by the payee, and the payer confirms",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, corrected("1100.00"))],
            ("not confirmed", 1000, 0),
            id="the record of the payer, corrected by the payee",
        ),
        pytest.param(
            [(PAYEE, OUT_1), (PAYER, corrected("1100.00"))],
            ("confirmed", 1000, 1000),
            id="the record of the payee, corrected by the payer",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYER, VOIDED)],
            ("void", 0, 0),
            id="it never happened, says the payer",
        ),
        pytest.param(
            [(PAYEE, OUT_1), (PAYEE, VOIDED)],
            ("confirmed", 1000, 1000),
            id="it never happened, says the payee",
        ),
        pytest.param(
            [(PAYEE, OUT_1), (PAYER, RETURNED)], ("returned", 0, 0), id="returned, says the payer"
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, RETURNED)],
            ("not confirmed", 1000, 0),
            id="returned, says the payee",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, RETURNED), (PAYER, object_to("return"))],
            ("not confirmed", 1000, 0),
            id="returned, says the payee, and the payer objects",
        ),
        pytest.param(
            [(PAYER, OUT_1), (PAYEE, RETURNED), (PAYER, confirm("return"))],
            ("returned", 0, 0),
            id="returned, says the payee, and the payer confirms",
        ),
    ],
)
def test_what_a_payout_comes_to(words: Sequence[Words], comes_to: tuple[str, int, int]) -> None:
    assert standing(after_words(*words)) == comes_to


def test_the_same_payout_by_one_party_decides_nothing_and_another_names_its_correction() -> None:
    story = after(RecordPayout)

    assert story.when(OURS, OUT_1) == []
    refusal = story.refuses(OURS, example(RecordPayout, amount=usd("2.00")))
    assert refusal.rule == "already-recorded"
    assert "CorrectPayout" in refusal.hint


def test_the_payee_that_records_the_same_payout_confirms_it_once() -> None:
    story = after(RecordPayout)

    (confirmed,) = story.when(THEIRS, OUT_1)

    assert isinstance(confirmed, ClaimConfirmed)
    assert story.when(THEIRS, OUT_1) == []


def test_no_party_answers_what_it_stated_of_a_payout() -> None:
    story = after_words((PAYER, OUT_1))

    assert story.refuses(PAYER, confirm()).rule == "own-claim"
    assert story.refuses(PAYEE, confirm("return")).rule == "no-such-claim"


def test_silence_confirms_a_return_on_its_day() -> None:
    story = issued()
    agree_silence(story, days=10)
    story.when(PAYER, OUT_1)
    story.when(PAYEE, RETURNED)
    story.wait(days=9)
    assert standing(story)[0] == "not confirmed"

    story.wait(days=1)

    assert standing(story)[0] == "returned"


def test_an_objection_after_the_agreed_days_comes_too_late() -> None:
    story = issued()
    agree_silence(story, days=10)
    story.when(PAYER, OUT_1)
    story.wait(days=10)

    assert story.refuses(PAYEE, object_to()).rule == "objection-too-late"
    assert standing(story) == ("confirmed", 1000, 1000)


def test_terms_let_a_return_count_on_the_word_of_the_payee() -> None:
    story = issued()
    agree_silence(story, days=0, on_word=[ClaimKind.RETURN])
    story.when(PAYER, OUT_1)

    story.when(PAYEE, RETURNED)

    assert standing(story)[0] == "returned"


def agree_silence(story: Story, days: int, on_word: Sequence[ClaimKind] = ()) -> None:
    rules = ClaimRules(confirm_within_days=days, on_word=list(on_word))
    amend(story, since=story.now.date(), claims=rules)


def test_a_payout_that_the_payee_objects_to_is_paid_by_another() -> None:
    story = issued()
    whole = left(story)
    all_of_it = example(RecordPayout, amount=usd(f"{whole}"))
    story.when(PAYER, all_of_it)
    again = example(RecordPayout, payout="out-9", amount=usd(f"{whole}"))
    refusal = story.refuses(PAYER, again)
    assert refusal.rule == "payout-exceeds-balance"
    assert refusal.awaits

    story.when(PAYEE, object_to())
    assert left(story) == whole
    story.when(PAYER, again)
    assert left(story) == 0
    # The first had arrived after all, so the payee has twice the amount.
    story.when(PAYEE, confirm())

    assert left(story) == -whole


def test_a_payout_that_never_happened_and_one_that_came_back_pay_nothing() -> None:
    story = after(RecordPayout)
    whole = left(story) + 1000
    story.when(OURS, VOIDED)
    assert left(story) == whole
    story.when(OURS, example(RecordPayout, payout="out-3", amount=usd("5.00")))
    came_back = ReturnPayout(payout="out-3", reason="The account was closed.")

    story.when(OURS, came_back)

    assert left(story) == whole
    assert story.when(OURS, came_back) == []
    other = ReturnPayout(payout="out-3", reason="Another reason.")
    assert story.refuses(OURS, other).rule == "already-recorded"
    assert len(story.facts(PayoutReturned)) == 1


def test_a_corrected_payout_is_at_most_what_is_left() -> None:
    story = after(RecordPayout)
    most = usd(f"{left(story) + 1000}")

    more = example(CorrectPayout, payout="out-1", amount=usd(f"{most.amount + 1}"))
    assert story.refuses(OURS, more).rule == "payout-exceeds-balance"
    assert story.when(OURS, example(CorrectPayout, payout="out-1", amount=most))
    assert len(story.facts(PayoutCorrected)) == 1


# --- in any order ------------------------------------------------------------------------------

SAYINGS: list[Command] = [
    OUT_1,
    confirm(),
    object_to(),
    corrected("900.00"),
    corrected("1100.00"),
    VOIDED,
    confirm("correction/payout"),
    object_to("correction/payout"),
    RETURNED,
    confirm("return"),
    object_to("return"),
]


WORDS = st.tuples(st.sampled_from([OURS, THEIRS]), st.sampled_from(range(len(SAYINGS))))


@given(
    said=st.lists(WORDS, max_size=6, unique=True),
    first=st.sampled_from([OURS, THEIRS]),
    data=st.data(),
)
@settings(deadline=None, max_examples=150, phases=[*Phase][:-1])
def test_a_payout_comes_to_the_same_in_any_order_of_arrival(
    said: list[tuple[str, int]], first: str, data: st.DataObject
) -> None:
    recorded = (first, 0)
    words = [recorded, *(each for each in said if each != recorded)]
    # Each is said at its own time; only the order in which it is recorded differs.
    messages = [
        (f"2026-04-03T{10 + place}:00", party, SAYINGS[what])
        for place, (party, what) in enumerate(words)
    ]
    order = data.draw(st.permutations(messages))

    assert standing(_arrived(messages)) == standing(_arrived(order))


def _arrived(messages: Sequence[tuple[str, str, Command]]) -> Story:
    """Return a story of messages; one that waits for another is decided after it."""
    story = issued()
    story.on("2026-04-05")
    waiting: list[tuple[str, str, Command]] = []
    for message in messages:
        waiting.append(message)
        for _ in waiting:
            waiting = [each for each in waiting if not _is_taken(story, *each)]
    return story


def _is_taken(story: Story, happened: str, party: str, command: Command) -> bool:
    try:
        story.when(party, command, happened=happened)
    except Refused as refused:
        return refused.awaits is None
    return True


@pytest.mark.parametrize("command", [example(CorrectPayout), example(ReturnPayout)])
def test_what_is_said_of_a_payout_waits_for_it(command: CorrectPayout | ReturnPayout) -> None:
    refusal = before(CorrectPayout, without=RecordPayout).refuses(OURS, command)

    assert refusal.rule == "no-such-payout"
    assert refusal.awaits == Awaited(AwaitedKind.PAYOUT, "out-2", "payout out-2")


def test_a_correction_of_a_payout_gives_an_amount_or_says_that_it_never_happened() -> None:
    story = after(RecordPayout)

    neither = CorrectPayout(payout="out-1", reason="Wrong.")
    both = CorrectPayout(payout="out-1", void=True, amount=usd("1.00"), reason="Wrong.")

    assert story.refuses(OURS, neither).rule == "correction-content"
    assert story.refuses(OURS, both).rule == "correction-content"


def test_of_two_corrections_the_later_one_counts_however_they_arrive() -> None:
    story = after(RecordPayout)
    whole = left(story) + 1000
    story.wait(days=3)
    for amount, day in (("20.00", "2026-04-05"), ("10.00", "2026-04-04")):
        command = example(CorrectPayout, payout="out-1", amount=usd(amount))
        story.when(OURS, command, happened=day)

    assert left(story) == whole - 20


@pytest.mark.parametrize("name", ["2026-Q1", "2026-12", "2026"])
def test_a_final_settlement_never_has_the_name_of_a_statement(name: str) -> None:
    story = before(IssueFinalSettlement)

    refusal = story.refuses(OURS, IssueFinalSettlement(settlement=name))

    assert refusal.rule == "name-taken"


# --- rates -------------------------------------------------------------------------------------


def test_a_published_rate_is_not_changed_by_one_party() -> None:
    story = after(PublishRate)

    assert story.when(THEIRS, example(PublishRate)) == []
    refusal = story.refuses(OURS, example(PublishRate, rate=Decimal(2)))
    assert refusal.rule == "already-recorded"
    assert "ProposeRate" in refusal.hint
    assert story.when(OURS, example(PublishRate, source="Another bank"))


def test_either_party_objects_to_a_published_rate_once() -> None:
    story = after(ObjectToRate)

    assert story.when(THEIRS, example(ObjectToRate)) == []
    assert story.when(OURS, example(ObjectToRate))


def test_an_objection_waits_for_its_rate() -> None:
    refusal = before(ObjectToRate, without=PublishRate).refuses(OURS, example(ObjectToRate))

    assert refusal.rule == "no-such-rate"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.RATE


def test_a_rate_is_agreed_by_both_and_a_later_agreement_replaces_it() -> None:
    story = after(ProposeRate)
    assert story.refuses(THEIRS, example(AgreeRate)).rule == "own-proposal"

    story.when(OURS, example(AgreeRate))
    story.when(OURS, example(ProposeRate, proposal="rate-2", rate=Decimal("1.1")))
    story.when(THEIRS, AgreeRate(proposal="rate-2"))

    (latest,) = story.partnership.context.agreements.of(RateAgreed)
    assert latest.rate == Decimal("1.1")


@pytest.mark.parametrize("period", ["2026-Q1", "2026", "2026-02-30", "2026-1", "2026-03-"])
def test_a_rate_is_of_a_month_or_a_day(period: str) -> None:
    with pytest.raises(ValidationError):
        example(PublishRate, period=period)
    assert example(PublishRate, period="2026-03-14").period == "2026-03-14"


# --- adjustments -------------------------------------------------------------------------------


def test_an_adjustment_needs_both_also_if_the_side_that_owes_proposes_it() -> None:
    story = before(ProposeAdjustment)
    by_ower = example(ProposeAdjustment, proposal="A-2")
    story.when(OURS, by_ower)

    assert story.refuses(OURS, AgreeAdjustment(proposal="A-2")).rule == "own-proposal"
    assert story.facts(AdjustmentAgreed) == []
    story.when(THEIRS, AgreeAdjustment(proposal="A-2"))

    (agreed,) = story.facts(AdjustmentAgreed)
    assert (agreed.by, agreed.to, agreed.amount) == (OURS, THEIRS, usd("25.00"))


def test_an_adjustment_is_owed_by_one_party_to_the_other() -> None:
    story = before(ProposeAdjustment)

    refusal = story.refuses(OURS, example(ProposeAdjustment, to=OURS))

    assert refusal.rule == "adjustment-of-two"


# --- incentives --------------------------------------------------------------------------------


def test_an_incentive_begins_on_the_day_of_its_recording_unless_it_says_later() -> None:
    story = before(IntroduceIncentive)

    story.when(OURS, example(IntroduceIncentive), happened="2026-01-20")
    later = example(IntroduceIncentive, incentive="later", from_day=date(2026, 3, 1))
    story.when(OURS, later)

    days = [each.from_day for each in story.facts(IncentiveIntroduced)]
    assert days == [date(2026, 2, 2), date(2026, 3, 1)]


def test_the_same_incentive_on_a_later_day_decides_nothing() -> None:
    story = after(IntroduceIncentive)
    story.wait(days=5)

    assert story.when(OURS, example(IntroduceIncentive)) == []
    explicit = example(IntroduceIncentive, from_day=date(2026, 2, 2))
    assert story.when(OURS, explicit) == []
    other = example(IntroduceIncentive, from_day=date(2026, 2, 3))
    assert story.refuses(OURS, other).rule == "already-recorded"


def test_an_incentive_never_begins_before_it_is_recorded() -> None:
    story = before(IntroduceIncentive)

    early = example(IntroduceIncentive, from_day=date(2026, 2, 1))

    assert story.refuses(OURS, early).rule == "incentive-never-backwards"


def test_an_incentive_ends_after_it_begins() -> None:
    story = before(IntroduceIncentive)

    backwards = example(IntroduceIncentive, from_day=date(2026, 3, 1), until=date(2026, 3, 1))

    assert story.refuses(OURS, backwards).rule == "incentive-ends-first"
