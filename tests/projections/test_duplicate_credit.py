"""What is credited in two partnerships of one party (money.md, section 6)."""

from decimal import Decimal

from domain.attribution import AttributionPolicy, PolicyKind
from domain.sale import CancelDeal, LoseDeal
from projections.duplicate_credit import (
    DEAL,
    Deal,
    DuplicateCredit,
    Place,
    duplicates,
    names_of_deal,
    shared,
)
from projections.fold import replay
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED
from projections.settlement import SETTLEMENT
from tests.life import OURS, THEIRS, usd
from tests.projections.money import attribute, pay, refer, refund, sell, share, under, win
from tests.stories import Story


def found(by: str = OURS, **stories: Story) -> dict[str, DuplicateCredit]:
    """Return what these partnerships have in common, for one side, by subject."""
    deals: dict[Place, Deal] = {}
    for name, story in stories.items():
        rows = replay(SETTLEMENT, story.history).rows
        today = terms_of(rows[AGREED]).day(story.history[-1].act.recorded_at)
        for key, row in rows.items():
            if key.startswith(DEAL):
                place = Place(name, key.removeprefix(DEAL))
                deals[place] = Deal(place, row, rows[AGREED], today)
    names = [(each, names_of_deal(each.deal, of.row.facts)) for each, of in deals.items()]
    return {each.subject: each for each in duplicates(shared(names), deals) if each.party == by}


def paid(deal: str, payment: str) -> Story:
    """Return a partnership with one deal of the partner's, won and paid."""
    story = under(share())
    refer(story, deal)
    win(story, deal, usd("1000.00"))
    pay(story, deal, payment, usd("100.00"))
    return story


def test_a_deal_that_two_partners_are_credited_with_is_named_with_what_each_earned() -> None:
    duplicate = found(one=paid("D-1", "P-1"), other=paid("D-1", "P-2"))["deal/D-1"]

    assert [each.partnership for each in duplicate.credits] == ["one", "other"]
    for each in duplicate.credits:
        assert each.percent == {THEIRS: Decimal(100)}
        assert [(of.to, of.amount, of.currency) for of in each.earned] == [
            (THEIRS, Decimal("15.00"), "USD")
        ]


def test_a_party_that_is_credited_in_both_pays_for_nothing() -> None:
    assert found(by=THEIRS, one=paid("D-1", "P-1"), other=paid("D-1", "P-2")) == {}


def test_a_payment_of_two_deals_is_named_with_the_deal_of_each_partnership() -> None:
    duplicates_ = found(one=paid("D-1", "P-1"), other=paid("D-2", "P-1"))

    assert list(duplicates_) == ["payment/P-1"]
    assert [(each.partnership, each.deal) for each in duplicates_["payment/P-1"].credits] == [
        ("one", "D-1"),
        ("other", "D-2"),
    ]


def test_the_payments_of_a_deal_that_is_named_are_not_named_again() -> None:
    assert list(found(one=paid("D-1", "P-1"), other=paid("D-1", "P-1"))) == ["deal/D-1"]


def test_other_deals_and_payments_have_nothing_in_common() -> None:
    assert not found(one=paid("D-1", "P-1"), other=paid("D-2", "P-2"))


def test_a_payment_that_one_partnership_counts_in_two_deals_is_no_matter_of_two_partnerships() -> (
    None
):
    story = paid("D-1", "P-1")
    refer(story, "D-2")
    win(story, "D-2", usd("1000.00"))
    pay(story, "D-2", "P-1", usd("100.00"))

    assert not found(one=story, other=paid("D-3", "P-3"))


def test_a_deal_is_credited_before_it_is_won() -> None:
    referred = under(share())
    refer(referred, "D-1")

    assert list(found(one=referred, other=paid("D-1", "P-1"))) == ["deal/D-1"]


def test_a_deal_that_nobody_is_credited_with_is_not_credited_twice() -> None:
    plain = under(share())
    refer(plain, "D-1", attributed=False)

    assert not found(one=plain, other=paid("D-1", "P-1"))


def test_a_contested_deal_is_credited_once_a_policy_decides_between_the_parties() -> None:
    def contested(kind: PolicyKind) -> Story:
        story = under(share(), attribution=AttributionPolicy(kind=kind))
        refer(story, "D-1", attributed=False)
        attribute(story, "D-1", THEIRS)
        attribute(story, "D-1", OURS)
        return story

    sold = paid("D-1", "P-1")

    assert not found(one=contested(PolicyKind.NONE), other=sold)
    assert found(one=contested(PolicyKind.FIRST_TOUCH), other=sold)


def test_a_deal_that_is_lost_or_cancelled_in_one_partnership_is_credited_in_the_other_alone() -> (
    None
):
    lost = under(share())
    refer(lost, "D-1")
    lost.when(OURS, LoseDeal(deal="D-1", reason="No budget."))
    cancelled = under(share())
    refer(cancelled, "D-1")
    win(cancelled, "D-1", usd("1000.00"))
    cancelled.when(OURS, CancelDeal(deal="D-1", reason="They withdrew."))

    assert not found(one=lost, other=paid("D-1", "P-1"))
    assert not found(one=cancelled, other=paid("D-1", "P-1"))


def test_a_payment_that_was_returned_in_one_partnership_counts_in_the_other_alone() -> None:
    returned = paid("D-2", "P-1")
    refund(returned, "D-2", "P-1", usd("100.00"))

    assert not found(one=returned, other=paid("D-1", "P-1"))


def test_a_third_partnership_is_named_with_the_two() -> None:
    duplicate = found(one=paid("D-1", "A"), two=paid("D-1", "B"), three=paid("D-1", "C"))

    assert [each.partnership for each in duplicate["deal/D-1"].credits] == ["one", "three", "two"]


def test_the_order_in_which_partnerships_are_read_does_not_matter() -> None:
    one, other = paid("D-1", "P-1"), paid("D-2", "P-1")
    sell(one, "D-9", usd("500.00"))
    sell(other, "D-9", usd("500.00"))

    assert found(one=one, other=other) == found(other=other, one=one)
