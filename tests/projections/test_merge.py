"""Duplicates are merged by both, and then count nowhere, in any order of arrival (C18)."""

from decimal import Decimal

import pytest

from domain.kernel import AwaitedKind, Command
from domain.merge import AgreeMerge, DealsMerged, ProposeMerge
from domain.payment import PaymentReceived, ReceivePayment
from domain.referral import SubmitReferral
from domain.settlement import IssueStatement, StatementIssued
from domain.terms import Incentive, Item, Minimum, ReferralFee, Tier, Trigger
from infra.answers import explain_money, statement
from infra.answers.explain_money import DealExplained
from infra.answers.statement import Postings
from projections.funnel import report
from tests.life import OURS, THEIRS, usd
from tests.projections.folds import alerts, figures
from tests.projections.money import (
    attribute,
    lines,
    pay,
    refer,
    sell,
    share,
    under,
    win,
)
from tests.stories import Story

FEE = ReferralFee(to=THEIRS, fee=usd("100.00"), trigger=Trigger.SALE)


def merge(story: Story, deal: str, into: str, *, happened: str | None = None) -> None:
    """Both agree that a deal is the same client as another."""
    name = f"{deal}-is-{into}"
    proposal = ProposeMerge(deal=deal, proposal=name, into=into, reason="One client.")
    story.when(THEIRS, proposal, happened=happened)
    story.when(OURS, AgreeMerge(deal=deal, proposal=name), happened=happened)


def sold(*items: Item) -> Story:
    """Two deals of one client, each won and paid with 1,000.00."""
    story = under(*(items or (share(), FEE)))
    sell(story, "D-1", usd("1000.00"))
    sell(story, "D-2", usd("1000.00"))
    return story


def earned(story: Story, about: str | None = None) -> Decimal:
    """What the partner earned less what we did, in all or of one subject."""
    return sum(
        (
            Decimal(each["amount"]) * (1 if each["to"] == THEIRS else -1)
            for each in lines(story.history)
            if about in {None, each["about"]}
        ),
        Decimal(0),
    )


def counts(story: Story) -> list[Decimal | None]:
    """How many deals took each step of the funnel."""
    return [each.count for each in report(figures(story)).steps]


def explain(story: Story, deal: str) -> DealExplained:
    postings = Postings(None)
    posted = [statement.line_of(row) for each in story.history for row in postings.take(each)]
    return explain_money.deal_explained(postings, posted, deal)


# --- what a duplicate counts -------------------------------------------------------------------


def test_what_a_duplicate_earned_is_taken_back_as_lines_of_a_correction() -> None:
    story = sold()
    assert earned(story) == 500
    merge(story, "D-2", "D-1")

    assert earned(story, "deal/D-2") == 0
    assert earned(story, "deal/D-1") == 250
    back = [each for each in lines(story.history) if each.get("merged_into")]
    assert {(each["item"], each["amount"], each["day"]) for each in back} == {
        ("revenue-share-1", "-150.00", "2026-01-07"),
        ("referral-fee-1", "-100.00", "2026-01-07"),
    }


def test_a_duplicate_is_no_lead_and_takes_no_step_of_the_funnel() -> None:
    story = sold()
    before = counts(story)
    merge(story, "D-2", "D-1")

    assert [each and each // 2 for each in before] == counts(story)


def test_a_minimum_does_not_count_a_duplicate() -> None:
    least = Minimum(
        on=THEIRS, metric="leads", window="month", at_least=2, fee=usd("50.00"), per="missing"
    )
    story = under(least)
    story.on("2026-02-02")  # The first whole month of the terms.
    for deal in ("D-1", "D-2"):
        sell(story, deal, usd("1000.00"))
    story.on("2026-03-02")
    assert earned(story) == 0
    merge(story, "D-2", "D-1")

    assert earned(story) == -50


def test_a_duplicate_earns_no_incentive() -> None:
    story = sold(Incentive(by=OURS, amount=usd("100.00")))
    assert earned(story) == 200
    merge(story, "D-2", "D-1")

    assert earned(story) == 100
    assert earned(story, "referral/D-2") == 0


def test_what_a_tier_counts_is_computed_again_without_the_duplicate() -> None:
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    story = under(share("10", tiers=tiers, window="year"))
    sell(story, "D-1", usd("1000.00"))
    story.wait(hours=1)
    sell(story, "D-2", usd("1000.00"))
    assert earned(story) == 300
    merge(story, "D-1", "D-2")

    assert earned(story, "deal/D-2") == 100
    assert earned(story) == 100


def test_a_payment_of_a_duplicate_is_stated_again_on_the_deal_that_counts() -> None:
    story = sold()
    merge(story, "D-2", "D-1")
    story.wait(days=1)

    late = ReceivePayment(deal="D-2", payment="P-9", amount=usd("10.00"))
    refusal = story.refuses(OURS, late)
    assert (refusal.rule, refusal.hint) == ("deal-merged", "State it on deal D-1.")
    pay(story, "D-1", "D-2-P", usd("1000.00"))
    assert earned(story) == 400


def test_what_a_statement_had_of_a_duplicate_is_taken_back_in_the_next_one() -> None:
    story = sold(share())
    story.on("2026-02-02")
    story.when(OURS, IssueStatement(period="2026-01"))
    merge(story, "D-2", "D-1")
    story.on("2026-03-02")
    story.when(THEIRS, IssueStatement(period="2026-02"))

    amounts = [each.balance.amount for each in story.facts(StatementIssued)]
    assert amounts == [Decimal(300), Decimal(150)]


# --- in any order ------------------------------------------------------------------------------


def test_a_late_fact_of_a_duplicate_counts_nothing_and_is_recorded() -> None:
    story = under(share())
    refer(story, "D-1")
    refer(story, "D-2")
    win(story, "D-2", usd("1000.00"), happened="2026-01-07T09:00")
    story.on("2026-01-20")
    merge(story, "D-2", "D-1")
    story.on("2026-01-25")
    pay(story, "D-2", "P-1", usd("1000.00"), happened="2026-01-19")

    assert [each.payment for each in story.facts(PaymentReceived)] == ["P-1"]
    assert earned(story) == 0
    assert counts(story)[0] == 1


# --- what is refused ---------------------------------------------------------------------------


def deals(*names: str) -> Story:
    story = under(share())
    for each in names:
        story.when(THEIRS, SubmitReferral(deal=each, lead=each))
    return story


def proposal(deal: str, into: str, name: str = "M-9") -> Command:
    found: Command = ProposeMerge(deal=deal, proposal=name, into=into, reason="One client.")
    return found


def test_a_deal_is_not_merged_into_itself() -> None:
    assert deals("D-1").refuses(OURS, proposal("D-1", "D-1")).rule == "merged-into-itself"


def test_a_merge_into_an_unknown_deal_waits_for_its_referral() -> None:
    refusal = deals("D-1").refuses(OURS, proposal("D-1", "D-2"))

    assert refusal.rule == "no-such-deal-to-merge-into"
    assert refusal.awaits is not None
    assert refusal.awaits[:2] == (AwaitedKind.REFERRAL, "D-2")
    assert refusal.awaits.stream == "deal/D-2"


def test_a_merge_into_a_duplicate_is_refused_and_names_the_deal_that_counts() -> None:
    story = deals("D-1", "D-2", "D-3")
    merge(story, "D-2", "D-1")

    refusal = story.refuses(OURS, proposal("D-3", "D-2"))
    assert (refusal.rule, refusal.hint) == ("merged-into-a-duplicate", "Merge deal D-3 into D-1.")


def test_a_deal_that_others_were_merged_into_is_not_merged_itself() -> None:
    story = deals("D-1", "D-2", "D-3")
    merge(story, "D-2", "D-1")

    assert story.refuses(OURS, proposal("D-1", "D-3")).rule == "merge-of-a-merged"


def test_a_duplicate_is_not_merged_again() -> None:
    story = deals("D-1", "D-2", "D-3")
    merge(story, "D-2", "D-1")

    assert story.refuses(OURS, proposal("D-2", "D-3")).rule == "deal-merged"


@pytest.mark.parametrize("later", [("D-2", "D-3"), ("D-1", "D-3"), ("D-3", "D-2")])
def test_a_proposal_is_checked_again_when_it_is_accepted(later: tuple[str, str]) -> None:
    story = deals("D-1", "D-2", "D-3")
    story.when(THEIRS, proposal(*later))
    merge(story, "D-2", "D-1")

    refusal = story.refuses(OURS, AgreeMerge(deal=later[0], proposal="M-9"))
    ended = {"deal-merged", "merge-of-a-merged", "merged-into-a-duplicate", "proposal-lapsed"}
    assert refusal.rule in ended
    assert len(story.facts(DealsMerged)) == 1


def test_who_proposes_a_merge_cannot_accept_it() -> None:
    story = deals("D-1", "D-2")
    story.when(THEIRS, proposal("D-2", "D-1"))

    assert story.refuses(THEIRS, AgreeMerge(deal="D-2", proposal="M-9")).rule == "own-proposal"


def test_the_same_merge_again_decides_nothing() -> None:
    story = deals("D-1", "D-2")
    story.when(THEIRS, proposal("D-2", "D-1"))
    story.when(OURS, AgreeMerge(deal="D-2", proposal="M-9"))
    story.wait(days=1)

    assert story.when(THEIRS, proposal("D-2", "D-1")) == []
    assert story.when(OURS, AgreeMerge(deal="D-2", proposal="M-9")) == []


# --- what is shown -----------------------------------------------------------------------------


def test_explain_says_what_a_duplicate_was_merged_into_and_which_lines_took_back() -> None:
    story = sold()
    merge(story, "D-2", "D-1")

    duplicate, counts_ = explain(story, "D-2"), explain(story, "D-1")
    assert (duplicate.merged_into, duplicate.priced) == ("D-1", ())
    assert sum(each.amount for each in duplicate.lines) == 0
    assert any("taken back: the deal is merged into D-1" in each.text for each in duplicate.lines)
    assert (counts_.merged_into, counts_.duplicates) == (None, ("D-2",))


def test_a_merge_resolves_what_awaited_a_party_of_the_duplicate() -> None:
    story = deals("D-1", "D-2")
    attribute(story, "D-2", OURS)
    attribute(story, "D-2", THEIRS)
    window = "D-2"
    [before] = [each for each in alerts(story).values() if each.window == window]
    merge(story, "D-2", "D-1")

    [after] = [each for each in alerts(story).values() if each.window == window]
    assert (before.state, after.state) == ("open", "resolved")
