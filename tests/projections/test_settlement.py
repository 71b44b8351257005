"""What accrues, under the terms in force when it happened; what is held, stated and paid (C10)."""

from datetime import date
from decimal import Decimal

import pytest

from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.calendar import occurrences
from domain.claims import ConfirmClaim
from domain.entry import ConcedePenalty, RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.execution import IntroduceIncentive
from domain.exit import ExitReason, GiveExitNotice
from domain.kernel import CLOCK_PARTY
from domain.payment import ReceivePayment, RefundIssued, ReverseRefund
from domain.payouts import RecordPayout
from domain.referral import (
    AgreeAttribution,
    AttributeReferral,
    CreateOpportunity,
    ProposeAttribution,
    SubmitReferral,
)
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.settlement import (
    FinalSettlementIssued,
    IssueFinalSettlement,
    IssueStatement,
    PublishRate,
    StatementIssued,
    contents_of,
)
from domain.terms import (
    CostShare,
    Hybrid,
    LicenceFee,
    Minimum,
    Penalty,
    RateRule,
    ReferralFee,
    Retainer,
    RevenueSplit,
    Tier,
    Trigger,
)
from tests.life import OURS, STRANGER, THEIRS, after, before, changed, split, usd
from tests.projections.folds import count
from tests.projections.money import (
    USD_1000,
    amend,
    amounts,
    attribute,
    lines,
    money,
    pay,
    refer,
    refund,
    sell,
    share,
    state,
    total,
    under,
    win,
)
from tests.stories import Story

# --- shares ------------------------------------------------------------------------------------


def test_a_referred_client_earns_its_partner_15_percent_of_the_first_year() -> None:
    story = under(share(basis="first-year"))

    sell(story, "D-1", usd("10000.00"))

    (line,) = lines(story.history)
    assert (line["to"], line["amount"], line["share"]) == (THEIRS, "1500.00", "15")
    assert (line["basis"], line["total"], line["fact"]) == ("10000.00", "1500.00", "payment/D-1-P")


def test_the_second_year_earns_nothing_under_a_share_of_the_first() -> None:
    story = under(share(basis="first-year"))
    sell(story, "D-1", usd("10000.00"))
    story.on("2027-01-20")

    pay(story, "D-1", "P-2", usd("10000.00"))

    assert total(story.history) == 1500


def test_a_renewal_paid_early_still_covers_the_second_year() -> None:
    story = under(share(basis="first-year"))
    sell(story, "D-1", usd("10000.00"))
    story.on("2026-12-20")
    early = ReceivePayment(
        deal="D-1", payment="P-2", amount=usd("10000.00"), covers_from=date(2027, 1, 7)
    )

    story.when(OURS, early)

    assert total(story.history) == 1500


def test_a_late_sale_earns_the_share_in_force_when_it_was_made() -> None:
    story = under(share("15"))
    amend(story, share("10"), since=date(2026, 7, 1))
    story.on("2026-06-30")
    refer(story, "D-1")

    story.on("2026-07-05")
    win(story, "D-1", usd("12500.00"), happened="2026-06-30T15:00")
    pay(story, "D-1", "P-1", usd("12500.00"), happened="2026-06-30T16:00")
    sell(story, "D-2", usd("12500.00"))

    late, ordinary = lines(story.history)
    assert (late["amount"], late["share"], late["month"], late["late_days"]) == (
        "1875.00",
        "15",
        "2026-06",
        4,
    )
    assert (ordinary["amount"], ordinary["share"]) == ("1250.00", "10")


def test_a_lower_share_for_a_time_gives_way_to_the_one_before() -> None:
    story = under(share("15"))
    amend(story, share("10"), since=date(2026, 4, 1), until=date(2026, 7, 1))

    for deal, day in [("D-1", "2026-03-31"), ("D-2", "2026-04-01"), ("D-3", "2026-07-01")]:
        story.on(day)
        sell(story, deal, USD_1000)

    assert [each["share"] for each in lines(story.history)] == ["15", "10", "15"]


def test_tiers_have_no_gap_at_their_boundary() -> None:
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    story = under(share("10", tiers=tiers))

    sell(story, "D-1", usd("1000.00"))
    sell(story, "D-2", usd("0.10"))
    sell(story, "D-3", usd("999.90"))

    assert [each["amount"] for each in lines(story.history)] == ["100.00", "0.02", "199.98"]


def test_a_cap_is_the_most_that_a_year_earns_and_a_refund_makes_room_below_it() -> None:
    story = under(share("15", cap=Decimal(200)))
    sell(story, "D-1", USD_1000)
    sell(story, "D-2", USD_1000)

    refund(story, "D-1", "D-1-P", usd("900.00"))
    story.on("2027-01-01")
    sell(story, "D-3", USD_1000)

    assert [each["amount"] for each in lines(story.history)] == [
        "150.00",
        "50.00",
        "-135.00",
        "100.00",
        "150.00",
    ]


def joint(ours: str, theirs: str) -> RevenueSplit:
    """Return a split of what either party collects for both."""
    item = split(ours, theirs)
    return changed(item, trigger=Trigger.JOINT_REVENUE)


@pytest.mark.parametrize(("shares", "part"), [(("70", "30"), "30.00"), (("60", "40"), "40.00")])
def test_joint_revenue_is_split_and_who_collected_owes_the_rest(
    shares: tuple[str, str], part: str
) -> None:
    story = under(joint(*shares))

    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))

    (line,) = lines(story.history)
    assert (line["to"], line["amount"]) == (THEIRS, part)


def test_the_party_that_paid_a_cost_is_owed_the_others_part_once_the_other_confirms_it() -> None:
    story = under(CostShare(cost="Travel", shares={OURS: Decimal(25), THEIRS: Decimal(75)}))

    story.when(OURS, RecordSharedCost(entry="E-1", cost="Travel", amount=usd("100.01")))
    assert lines(story.history) == []
    story.when(THEIRS, ConfirmClaim(entry="E-1", fact="entry"))

    (line,) = lines(story.history)
    assert (line["to"], line["amount"]) == (OURS, "75.01")


def test_a_joint_investment_has_splits_of_its_own() -> None:
    story = before(ReverseEntry)
    story.when(THEIRS, ConfirmClaim(entry="E-1", fact="entry"))

    # Our cost of 3,000.00 is shared 60 to 40, their part of our reward of 1,000.00 is 30 %.
    assert [(each["to"], each["amount"]) for each in lines(story.history)[-2:]] == [
        (THEIRS, "300.00"),
        (OURS, "1200.00"),
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("1001", "JPY", "150"), ("10.001", "BHD", "1.500"), ("10.01", "USD", "1.50")],
)
def test_amounts_are_rounded_to_the_digits_of_their_currency(
    amount: str, currency: str, expected: str
) -> None:
    story = under(share("15"))

    sell(story, "D-1", money(amount, currency))

    assert [each["amount"] for each in lines(story.history)] == [expected]


# --- attribution -------------------------------------------------------------------------------


def test_nothing_accrues_without_attribution_and_what_waited_accrues_with_it() -> None:
    story = under(share("15"))
    refer(story, "D-1", attributed=False)
    win(story, "D-1", USD_1000)
    pay(story, "D-1", "P-1", USD_1000)
    assert lines(story.history) == []

    attribute(story, "D-1")

    assert amounts(lines(story.history)) == [("revenue-share", "150.00")]


def claimed_by_both(story: Story) -> Story:
    """Our tag touches the lead on 7 January, their code a day later, and the deal is won."""
    refer(story, "D-1", attributed=False)
    attribute(story, "D-1", OURS)
    story.wait(days=1)
    their_code = AttributeReferral(
        deal="D-1", method=Method.REFERRAL_CODE, evidence="B15", to=THEIRS, touched_at=story.now
    )
    story.when(OURS, their_code)
    win(story, "D-1", USD_1000)
    pay(story, "D-1", "P-1", USD_1000)
    return story


def test_competing_claims_without_a_policy_are_a_conflict_until_both_settle_it() -> None:
    story = claimed_by_both(under(share("15")))
    assert total(story.history) == 0

    shares = {OURS: Decimal(40), THEIRS: Decimal(60)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="S-1", shares=shares))
    assert total(story.history) == 0
    story.when(THEIRS, AgreeAttribution(deal="D-1", proposal="S-1"))

    assert total(story.history) == 90


@pytest.mark.parametrize(
    ("policy", "earned"),
    [
        (AttributionPolicy(kind=PolicyKind.CODE_WINS), 150),
        (
            AttributionPolicy(
                kind=PolicyKind.SPLIT, weights={OURS: Decimal(30), THEIRS: Decimal(70)}
            ),
            105,
        ),
        (AttributionPolicy(kind=PolicyKind.FIRST_TOUCH), 0),
        (AttributionPolicy(kind=PolicyKind.LAST_TOUCH), 150),
        (AttributionPolicy(kind=PolicyKind.LINEAR), 75),
    ],
)
def test_the_agreed_policy_weighs_competing_claims(policy: AttributionPolicy, earned: int) -> None:
    story = claimed_by_both(under(share("15"), attribution=policy))

    assert total(story.history) == earned


def test_another_policy_can_be_replayed() -> None:
    in_force = AttributionPolicy(kind=PolicyKind.FIRST_TOUCH)
    story = claimed_by_both(under(share("15"), attribution=in_force))

    other = lines(story.history, AttributionPolicy(kind=PolicyKind.CODE_WINS))

    assert total(story.history) == 0
    assert amounts(other) == [("revenue-share", "150.00")]


# --- fees --------------------------------------------------------------------------------------


def test_a_referral_fee_is_due_once_and_to_the_party_that_referred() -> None:
    fee = ReferralFee(to=OURS, fee=usd("500.00"), trigger=Trigger.SALE)
    story = under(fee)
    sell(story, "D-1", USD_1000)
    refer(story, "D-2", by=OURS)
    win(story, "D-2", USD_1000)
    assert total(story.history, OURS) == 0  # We gain by the win that we state.

    story.when(THEIRS, ConfirmClaim(deal="D-2", fact="win"))

    assert total(story.history, THEIRS) == 0
    assert total(story.history, OURS) == 500


def test_a_fee_on_payment_is_due_on_the_first_payment_not_refunded() -> None:
    story = under(ReferralFee(to=THEIRS, fee=usd("500.00"), trigger=Trigger.PAYMENT))
    sell(story, "D-1", USD_1000)
    pay(story, "D-1", "P-2", USD_1000)
    assert total(story.history) == 500

    refund(story, "D-1", "D-1-P", USD_1000)
    assert total(story.history) == 500
    refund(story, "D-1", "P-2", USD_1000)

    assert total(story.history) == 0


def test_clicks_are_paid_by_the_month_and_a_correction_pays_the_difference() -> None:
    story = under(ReferralFee(to=THEIRS, fee=usd("0.05"), trigger=Trigger.CLICK))
    story.on("2026-03-01")

    report = ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1201))
    story.when(OURS, report)
    correction = CorrectMetric(
        metric="clicks", period="2026-02", tool="ads", figure=count(1200), reason="A robot."
    )
    story.when(OURS, correction)

    assert amounts(lines(story.history)) == [("referral-fee", "60.05"), ("referral-fee", "-0.05")]


def test_retainers_and_licences_fall_due_on_their_days() -> None:
    story = under(
        Retainer(to=THEIRS, fee=usd("100.00"), every="P1M"),
        LicenceFee(to=OURS, fee=usd("700.00"), every="P3M"),
    )

    story.on("2026-05-01")

    # Each first of a month from the day of these terms on, today's too; the quarter of April.
    assert total(story.history, THEIRS) == 400
    assert total(story.history, OURS) == 700
    first = lines(story.history)[0]
    assert (first["about"], first["day"]) == ("due/retainer-1@2026-02-01", "2026-02-01")


def test_a_fee_of_every_31st_comes_back_after_a_shorter_month() -> None:
    days = list(occurrences(date(2026, 1, 31), "P1M", date(2026, 2, 1), date(2026, 4, 1)))

    assert days == [date(2026, 2, 28), date(2026, 3, 31)]


def test_a_hybrid_pays_its_base_and_a_bonus_for_what_was_reached() -> None:
    story = under(
        Hybrid(
            to=THEIRS,
            base=usd("300.00"),
            every="P3M",
            bonus=usd("150.00"),
            window="month",
            bonus_metric="new_users",
            bonus_threshold=14,
        )
    )
    story.on("2026-06-30")
    figures = {"metric": "new_users", "period": "2026-05", "tool": "crm"}
    story.when(OURS, ReportMetric(**figures, figure=count(13)))
    story.on("2026-07-01")
    # The base of the second quarter, and that of the third, which falls due today.
    assert amounts(lines(story.history)) == [("hybrid", "300.00")] * 2

    story.when(OURS, CorrectMetric(**figures, figure=count(14), reason="One more."))
    assert amounts(lines(story.history))[2:] == [("hybrid", "150.00")]
    story.wait(hours=1)
    story.when(OURS, CorrectMetric(**figures, figure=count(12), reason="Two were tests."))

    assert amounts(lines(story.history))[3:] == [("hybrid", "-150.00")]


def test_a_shortfall_costs_what_was_agreed_and_late_confirmed_referrals_lessen_it() -> None:
    minimum = Minimum(
        on=THEIRS,
        metric="leads",
        window="quarter",
        at_least=10,
        fee=usd("50.00"),
        per="missing",
    )
    story = under(minimum)
    story.on("2026-05-01")
    for number in range(8):
        refer(story, f"D-{number}")
        story.when(OURS, CreateOpportunity(deal=f"D-{number}"))
    story.on("2026-07-01")
    assert total(story.history, OURS) == 100

    late = SubmitReferral(deal="late", lead="A late lead")
    story.when(THEIRS, late, happened="2026-06-30")
    assert total(story.history, OURS) == 100  # They gain by the referral that they state.
    story.when(OURS, ConfirmClaim(deal="late", fact="referral"))

    assert total(story.history, OURS) == 50


def test_fourteen_referrals_at_a_gift_card_of_100_dollars_are_1400() -> None:
    story = under(share("15"))
    refer(story, "before")
    story.on("2026-02-01")
    card = IntroduceIncentive(
        incentive="card", description="A card a referral", per_referral=usd("100.00")
    )
    story.when(OURS, card)
    story.wait(hours=1)

    for number in range(14):
        refer(story, f"D-{number}")

    assert total(story.history) == 1400


def test_a_penalty_is_owed_once_it_is_conceded() -> None:
    penalty = Penalty(on=THEIRS, condition="A report is missing.", fee=usd("250.00"))
    story = under(penalty)
    assert lines(story.history) == []

    # The condition of a penalty on the other party, and a day without terms, earn nothing.
    story.when(OURS, ConcedePenalty(entry="E-1", condition=penalty.condition))
    early = ConcedePenalty(entry="E-2", condition=penalty.condition)
    story.when(THEIRS, early, happened="2020-01-01")
    assert lines(story.history) == []

    story.when(THEIRS, ConcedePenalty(entry="E-3", condition=penalty.condition))

    assert total(story.history, OURS) == 250


def test_a_penalty_is_reversed_up_to_its_fee() -> None:
    penalty = Penalty(on=THEIRS, condition="A report is missing.", fee=usd("250.00"))
    story = under(penalty)
    story.when(THEIRS, ConcedePenalty(entry="E-1", condition=penalty.condition))
    part = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("100.00"), reason="It was half.")
    story.when(OURS, part)

    more = ReverseEntry(entry="E-1", reversal="V-2", amount=usd("150.01"), reason="All of it.")
    other = ReverseEntry(
        entry="E-1", reversal="V-2", amount=money("1.00", "EUR"), reason="All of it."
    )

    assert total(story.history, OURS) == 150
    assert story.refuses(OURS, more).rule == "reversal-exceeds-entry"
    assert story.refuses(OURS, other).rule == "reversal-exceeds-entry"


# --- taking back -------------------------------------------------------------------------------


def test_a_partial_refund_after_the_payout_is_an_adjustment_in_the_next_statement() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    story.on("2026-02-01")
    (january,) = state(story, "2026-01")
    paid = RecordPayout(payout="O-1", statement=january.statement, amount=usd("150.00"))
    story.when(OURS, paid)
    story.on("2026-02-10")
    refund(story, "D-1", "D-1-P", usd("333.33"))
    story.on("2026-03-01")

    (february,) = state(story, "2026-02")

    assert january.balance.amount == 150
    assert (february.balance.payer, february.balance.amount) == (THEIRS, Decimal("50.00"))
    # A line of a refund is of the day of the refund.
    assert [part.month for part in february.balance.parts] == ["2026-02"]


def test_a_chargeback_takes_all_back_and_winning_it_restores_all() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("333.33"))
    refund(story, "D-1", "D-1-P", usd("333.33"), chargeback=True)
    assert total(story.history) == 0

    (lost,) = story.facts(RefundIssued)
    story.when(OURS, ReverseRefund(deal="D-1", refund=lost.refund))

    assert [each["amount"] for each in lines(story.history)] == ["50.00", "-50.00", "50.00"]


def test_an_entry_is_taken_back_at_most_once_in_full() -> None:
    story = under(joint("70", "30"))
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))
    part = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("60.00"), reason="Counted twice.")
    story.when(OURS, part)

    again = ReverseEntry(entry="E-1", reversal="V-2", amount=usd("40.01"), reason="Again.")
    nowhere = ReverseEntry(entry="E-9", reversal="V-2", amount=usd("1.00"), reason="Again.")

    assert total(story.history) == 12
    assert story.refuses(OURS, again).rule == "reversal-exceeds-entry"
    assert story.refuses(OURS, nowhere).rule == "no-such-entry"


def test_an_entry_that_nothing_agreed_covers_is_recorded_and_earns_nothing() -> None:
    story = under(share("15"))

    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))
    story.when(OURS, RecordSharedCost(entry="E-2", cost="Travel", amount=usd("1.00")))
    rent = RecordSharedCost(entry="E-3", cost="Rent", amount=usd("1.00"), under="none")
    story.when(OURS, rent)

    assert lines(story.history) == []


def test_a_refund_that_failed_later_restores_what_it_took() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    refund(story, "D-1", "D-1-P", usd("400.00"))
    assert total(story.history) == 90
    (failed,) = story.facts(RefundIssued)

    story.when(OURS, ReverseRefund(deal="D-1", refund=failed.refund, reason="No such account."))

    assert total(story.history) == 150


# --- statements --------------------------------------------------------------------------------


def test_a_statement_waits_for_its_period_to_be_over() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    story.on("2026-01-31T23:59")

    assert story.refuses(OURS, IssueStatement(period="2026-01")).rule == "period-not-over"


def test_a_statement_is_immutable_and_what_comes_later_is_in_the_next_one() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    refer(story, "D-2")
    story.on("2026-02-01")
    (january,) = state(story, "2026-01")
    story.on("2026-02-03")
    win(story, "D-2", USD_1000, happened="2026-01-31")
    pay(story, "D-2", "P-2", USD_1000, happened="2026-01-31")

    assert state(story, "2026-01") == []
    assert story.facts(type(january)) == [january]
    story.on("2026-03-01")
    (february,) = state(story, "2026-02")
    assert [(each.month, each.earned) for each in february.balance.parts] == [
        ("2026-01", {THEIRS: Decimal("150.00")})
    ]


def test_nothing_is_stated_where_nothing_accrued_and_no_period_twice() -> None:
    story = under(share("15"))
    story.on("2026-02-01")
    assert story.refuses(OURS, IssueStatement(period="2026-01")).rule == "nothing-to-state"

    sell(story, "D-1", USD_1000)
    refer(story, "D-2")
    story.on("2026-04-01")
    state(story, "2026-Q1")

    refusal = story.refuses(OURS, IssueStatement(period="2026-03"))
    assert refusal.rule in {"nothing-to-state", "statement-out-of-order"}
    story.on("2026-04-05")
    win(story, "D-2", USD_1000, happened="2026-03-31")
    pay(story, "D-2", "P-2", USD_1000, happened="2026-03-31")
    assert story.refuses(OURS, IssueStatement(period="2026-03")).rule == "statement-out-of-order"


def owing_each_other() -> Story:
    """We owe them 150.00 USD, they owe us 100.00 EUR."""
    penalty = Penalty(on=THEIRS, condition="A report is late.", fee=money("100.00", "EUR"))
    story = under(share("15"), penalty)
    sell(story, "D-1", USD_1000)
    story.when(THEIRS, ConcedePenalty(entry="E-1", condition=penalty.condition))
    story.on("2026-02-01")
    return story


@pytest.mark.parametrize(
    ("party", "names"),
    [
        (OURS, ["2026-01:USD"]),
        (THEIRS, ["2026-01:EUR"]),
        (CLOCK_PARTY, ["2026-01:EUR", "2026-01:USD"]),
    ],
)
def test_the_side_that_pays_issues_a_statement_and_the_operator_all(
    party: str, names: list[str]
) -> None:
    story = owing_each_other()

    story.when(party, IssueStatement(period="2026-01"))

    assert [each.statement for each in story.facts(StatementIssued)] == names


def test_the_side_that_is_paid_cannot_issue_the_statement() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    story.on("2026-02-01")

    refusal = story.refuses(THEIRS, IssueStatement(period="2026-01"))

    assert refusal.rule == "not-the-payer"
    assert refusal.facts == {"payer": OURS, "amount": "150.00", "currency": "USD"}
    assert OURS in refusal.hint
    only = IssueStatement(period="2026-01", currency="USD")
    assert story.refuses(THEIRS, only).rule == "not-the-payer"
    assert story.refuses(STRANGER, only).rule == "unknown-party"


def test_either_party_issues_a_statement_by_which_nobody_pays() -> None:
    penalty = Penalty(on=THEIRS, condition="A report is late.", fee=usd("150.00"))
    story = under(share("15"), penalty)
    sell(story, "D-1", USD_1000)
    story.when(THEIRS, ConcedePenalty(entry="E-1", condition=penalty.condition))
    story.on("2026-02-01")

    (issued,) = story.when(THEIRS, IssueStatement(period="2026-01"))

    assert isinstance(issued, StatementIssued)
    assert issued.balance.payer is None
    assert issued.balance.amount == 0


def test_a_statement_is_issued_as_it_was_read_or_not_at_all() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    story.on("2026-02-01")
    other = IssueStatement(period="2026-01", contents={"USD": "0" * 64})

    refusal = story.refuses(OURS, other)

    assert (refusal.rule, refusal.facts["field"]) == ("other-content", "contents")
    read = IssueStatement(period="2026-01", contents=refusal.facts["contents"])
    (issued,) = story.when(OURS, read)
    assert isinstance(issued, StatementIssued)
    assert read.contents == contents_of([issued.balance])
    assert story.when(OURS, other) == []


def test_lines_that_add_up_to_nothing_are_no_statement_and_take_no_name() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    refund(story, "D-1", "D-1-P", USD_1000)
    refer(story, "D-2")
    story.on("2026-02-01")

    refusal = story.refuses(CLOCK_PARTY, IssueStatement(period="2026-01"))
    assert refusal.rule == "nothing-to-state"
    assert "adds up to nothing" in refusal.detail

    # What arrives later is stated under the name.
    win(story, "D-2", USD_1000, happened="2026-01-31")
    pay(story, "D-2", "P-2", USD_1000, happened="2026-01-31")
    (issued,) = state(story, "2026-01")
    assert issued.statement == "2026-01:USD"
    assert issued.balance.amount == 150
    assert issued.balance.parts[0].lines == 3


def test_a_side_that_pays_issues_the_final_settlement() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    leaving(story, date(2026, 3, 15))
    story.on("2026-03-15")
    command = IssueFinalSettlement(settlement="final")

    assert story.refuses(THEIRS, command).rule == "not-the-payer"
    assert story.copy().when(CLOCK_PARTY, command)
    assert story.when(OURS, command)


def test_either_party_issues_a_final_settlement_of_nothing() -> None:
    story = under(share("15"))
    leaving(story, date(2026, 3, 15))
    story.on("2026-03-15")

    story.when(THEIRS, IssueFinalSettlement(settlement="final"))

    assert owed(story) == []


def test_each_currency_has_a_statement_of_its_own() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    sell(story, "D-2", money("1000.00", "EUR"))
    story.on("2026-02-01")

    assert [each.statement for each in state(story, "2026-01")] == ["2026-01:EUR", "2026-01:USD"]


def test_a_missing_rate_blocks_only_the_lines_that_need_it() -> None:
    rule = RateRule(source="Central bank")
    story = under(share("15"), settles_in="USD", rates=rule)
    sell(story, "D-1", USD_1000)
    sell(story, "D-2", money("1000.00", "EUR"))
    story.on("2026-02-01")

    (january,) = state(story, "2026-01")
    assert january.balance.amount == 150
    rate = PublishRate(
        base="EUR", quote="USD", period="2026-01", rate=Decimal("1.0834"), source="Central bank"
    )
    story.when(OURS, rate)
    story.on("2026-03-01")
    (february,) = state(story, "2026-02")

    (euros,) = february.balance.parts
    assert (euros.month, euros.rate) == ("2026-01", Decimal("1.0834"))
    assert (euros.earned, euros.converted) == (
        {THEIRS: Decimal("150.00")},
        {THEIRS: Decimal("162.51")},
    )


def test_a_statement_is_refused_where_every_line_needs_a_rate_that_is_missing() -> None:
    story = under(share("15"), settles_in="USD")
    sell(story, "D-1", money("1000.00", "EUR"))
    story.on("2026-02-01")

    refusal = story.refuses(OURS, IssueStatement(period="2026-01"))

    assert refusal.rule == "no-exchange-rate"
    assert (refusal.facts["base"], refusal.facts["month"]) == ("EUR", "2026-01")


def test_a_missing_rate_is_named_only_where_the_statement_that_is_asked_for_needs_it() -> None:
    story = under(share("15"), settles_in="USD")
    sell(story, "D-1", money("1000.00", "EUR"))
    sell(story, "D-2", USD_1000)
    refund(story, "D-2", "D-2-P", USD_1000)
    story.on("2026-02-01")

    # Nothing is stated in euros, so no rate helps.
    euros = IssueStatement(period="2026-01", currency="EUR")
    assert story.refuses(OURS, euros).rule == "nothing-to-state"
    # Dollars that add up to nothing need no rate; the euros do.
    for currency in (None, "USD"):
        refusal = story.refuses(OURS, IssueStatement(period="2026-01", currency=currency))
        assert (refusal.rule, refusal.facts["base"]) == ("no-exchange-rate", "EUR")


def test_at_most_the_balance_is_paid_out() -> None:
    story = under(share("15"))
    sell(story, "D-1", USD_1000)
    story.on("2026-02-01")
    state(story, "2026-01")

    def pays(amount: str, statement: str = "2026-01:USD") -> RecordPayout:
        return RecordPayout(payout=f"O-{amount}", statement=statement, amount=usd(amount))

    story.when(OURS, pays("100.00"))

    assert story.refuses(OURS, pays("50.01")).rule == "payout-exceeds-balance"
    assert story.refuses(OURS, pays("1.00", "2026-02:USD")).rule == "nothing-owed"
    assert story.when(OURS, pays("50.00"))
    assert story.left("2026-01:USD") == 0


# --- the exit ----------------------------------------------------------------------------------


def leaving(story: Story, effective_on: date) -> None:
    notice = GiveExitNotice(
        exit="exit-1",
        reason=ExitReason.NO_LONGER_RELEVANT,
        explanation="We part.",
        effective_on=effective_on,
    )
    story.when(THEIRS, notice)


def owed(story: Story) -> list[tuple[str | None, Decimal]]:
    (final,) = story.facts(FinalSettlementIssued)
    return [(each.payer, each.amount) for each in final.balances]


def test_nothing_accrues_from_the_effective_date_on() -> None:
    story = under(share("15"), Retainer(to=THEIRS, fee=usd("100.00"), every="P1M"))
    sell(story, "D-1", USD_1000)
    leaving(story, date(2026, 4, 1))
    story.on("2026-04-02")

    pay(story, "D-1", "P-2", USD_1000)
    pay(story, "D-1", "P-3", USD_1000, happened="2026-03-31")
    story.on("2026-06-01")

    assert total(story.history) == 150 + 150 + 2 * 100


def test_the_final_settlement_states_all_that_is_open() -> None:
    story = under(share("15"), Retainer(to=THEIRS, fee=usd("100.00"), every="P1M"))
    sell(story, "D-1", USD_1000)
    leaving(story, date(2026, 3, 15))
    story.on("2026-03-15")

    story.when(OURS, IssueFinalSettlement(settlement="final"))

    assert owed(story) == [(OURS, Decimal("350.00"))]


def test_a_life_ends_settled() -> None:
    story = after(IssueFinalSettlement)

    # 25.00 by an adjustment and 270.00 of the joint reward, less the penalty of 250.00 (their own
    # confirmation of our cost of 3,000.00 is missing).
    assert owed(story) == [(OURS, Decimal("45.00"))]
