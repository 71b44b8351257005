"""What a partnership brought in a period, and what its parties owe each other (C28)."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import months_of
from domain.dispute import OpenDispute
from domain.entry import RecordJointRevenue
from domain.execution import IssueCause
from domain.exit import ProposeExit
from domain.formation import AgreeCharter, ProposeCharter
from domain.kernel import Stage
from domain.payment import IssueRefund, ReceivePayment
from domain.payouts import RecordPayout
from domain.settlement import IssueStatement
from projections.portfolio import line
from projections.results import Money, Result, Span, money, total
from tests.life import CHARTER, OURS, THEIRS, at, changed, usd
from tests.projections.folds import count, member, refer_many, report, sell
from tests.stories import Story, moment
from tests.sweeps import sweep


def brought(story: Story, period: str) -> dict[str, Result]:
    """Return the results of a period, by metric."""
    span = Span.of(period, story.now)
    return {each.metric: each for each in line(member(story), story.now, span).results}


def test_no_target_falls_to_the_days_after_an_exit() -> None:
    story = at(Stage.EXECUTION)
    assert brought(story, "2026-Q2")["new_users"].target is not None
    whole = brought(story, "2026-Q1")["new_users"].target
    story.agree(OURS, ProposeExit(exit="x-9", explanation="a", effective_on=date(2026, 3, 5)))

    story.on("2026-04-02")

    assert "new_users" not in brought(story, "2026-Q2")
    until_the_exit = brought(story, "2026-Q1")["new_users"].target
    assert whole is not None
    assert until_the_exit is not None
    # 59 of the 86 days of the quarter from the kickoff on.
    assert until_the_exit == round(whole * 59 / 86, 2)


def owed(story: Story, us: str = OURS) -> Money:
    """Return what is owed as a party sees it."""
    (found,) = money(story.id, member(story).settlement, us)
    return found


# --- periods -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "on", "expected"),
    [
        (
            "2026-Q3",
            "2026-08-15",
            Span(
                "2026-Q3",
                "2026-08",
                "2026-Q3",
                "2026-Q2",
                "2026-07",
                is_over=False,
                month_is_over=False,
            ),
        ),
        (
            "2026-Q3",
            "2026-10-01",
            Span(
                "2026-Q3",
                "2026-09",
                "2026-Q3",
                "2026-Q2",
                "2026-08",
                is_over=True,
                month_is_over=True,
            ),
        ),
        (
            "2026-Q3",
            "2026-06-30",
            Span(
                "2026-Q3",
                "2026-07",
                "2026-Q3",
                "2026-Q2",
                "2026-06",
                is_over=False,
                month_is_over=False,
                has_begun=False,
            ),
        ),
        (
            "2026-07",
            "2026-08-15",
            Span(
                "2026-07",
                "2026-07",
                "2026-Q3",
                "2026-Q2",
                "2026-06",
                is_over=False,
                month_is_over=True,
            ),
        ),
        (
            "2026",
            "2026-08-15",
            Span("2026", "2026-08", "2026", "2025", "2026-07", is_over=False, month_is_over=False),
        ),
    ],
)
def test_a_period_is_shown_with_its_last_month_that_has_begun(
    asked: str, on: str, expected: Span
) -> None:
    assert Span.of(asked, moment(on)) == expected


# --- what was brought --------------------------------------------------------------------------


def test_leads_of_a_month_and_a_quarter_stand_beside_the_minimum_and_the_quarter_before() -> None:
    story = at(Stage.EXECUTION)
    refer_many(story, range(8))
    story.on("2026-04-10")
    refer_many(story, range(8, 11))
    story.on("2026-05-10")
    refer_many(story, range(11, 13))

    leads = brought(story, "2026-Q2")["leads"]

    assert [leads.in_month, leads.in_period, leads.before] == [2, 5, 8]
    assert [leads.target, leads.reached_percent] == [10, 50]
    # The minimum is agreed for a quarter, so a month has no part of it.
    assert [leads.month_before, leads.month_target] == [3, None]


def test_no_lead_is_zero_leads_from_the_day_on_which_a_period_begins() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-10")

    now, next_ = brought(story, "2026-Q2")["leads"], brought(story, "2026-Q3")["leads"]

    assert [now.in_month, now.in_period, now.target, now.reached_percent] == [0, 0, 10, 0]
    assert [next_.in_month, next_.in_period, next_.reached_percent] == [None, None, None]


def test_a_figure_that_nobody_reported_is_unknown_and_not_zero() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-10")

    users = brought(story, "2026-Q2")["new_users"]

    assert [users.in_period, users.reached_percent] == [None, None]
    assert users.target


def test_the_target_of_a_period_is_the_share_of_an_objective_that_falls_to_its_days() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-05-01")
    report(story, "new_users", "2026-04", count(1000))

    users = brought(story, "2026-Q2")["new_users"]

    # 10,000 users in the 361 days from the kickoff on 5 January; the quarter has 91 of them.
    assert users.target == Decimal("2520.78")
    assert users.reached_percent == Decimal("39.67")
    # May has begun and has 31 days; the figure is that of April.
    assert [users.in_month, users.month_before] == [None, 1000]
    assert users.month_target == Decimal("858.73")
    assert brought(story, "2025-Q4") == {}


def test_an_objective_of_a_market_has_a_result_of_its_own() -> None:
    story = at(Stage.EXECUTION)
    spain = changed(
        CHARTER.objectives[1], objective="users-spain", segment="spain", target=Decimal(361)
    )
    charter = changed(CHARTER, objectives=[CHARTER.objectives[1], spain])
    story.when(OURS, ProposeCharter(proposal="charter-2", charter=charter))
    story.when(THEIRS, AgreeCharter(proposal="charter-2"))
    story.on("2026-05-01")
    report(story, "new_users", "2026-04", count(40), "spain")
    report(story, "new_users", "2026-04", count(60), "france")

    span = Span.of("2026-Q2", story.now)
    found = {
        each.segment: each
        for each in line(member(story), story.now, span).results
        if each.metric == "new_users"
    }

    assert {segment: each.in_period for segment, each in found.items()} == {None: 100, "spain": 40}
    assert found["spain"].target == 91


def test_payments_are_what_is_left_after_refunds_and_joint_revenue_stands_by_itself() -> None:
    story = at(Stage.EXECUTION)
    sell(story, "D-1", "1000.00")
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("500.00")))
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("80.00")))
    story.on("2026-02-02")
    refund = IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("200.00"))
    story.when(OURS, refund)

    found = brought(story, "2026-Q1")

    assert [found["payments"].in_month, found["payments"].in_period] == [-200, 300]
    assert found["payments"].less_refunds
    assert [found["joint_revenue"].in_month, found["joint_revenue"].in_period] == [0, 80]


def test_an_objective_on_payments_has_the_figure_that_its_status_judges() -> None:
    """The row was less refunds, and the status of the same page was not."""
    story = at(Stage.EXECUTION)
    paid = changed(
        CHARTER.objectives[1],
        objective="paid",
        metric="payments",
        unit="USD",
        target=Decimal(361),
        tool="billing",
    )
    story.agree(
        OURS,
        ProposeCharter(proposal="charter-2", charter=changed(CHARTER, objectives=[paid])),
    )
    sell(story, "D-1", "1000.00")
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("500.00")))
    refund = IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("200.00"))
    story.when(OURS, refund)

    result = brought(story, "2026-Q1")["payments"]

    assert result.in_period == 500
    assert not result.less_refunds


@settings(max_examples=sweep(25, 12), deadline=None)
@given(
    months=st.dictionaries(st.sampled_from([*months_of("2026")]), st.integers(0, 9000), min_size=1)
)
def test_the_quarters_of_a_year_and_their_targets_add_up_to_the_year(
    months: dict[str, int],
) -> None:
    story = at(Stage.EXECUTION)
    story.on("2027-01-01")
    for month, users in months.items():
        report(story, "new_users", month, count(users))
    year = brought(story, "2026")["new_users"]
    quarters = [brought(story, f"2026-Q{each}")["new_users"] for each in range(1, 5)]

    assert sum(each.in_period or 0 for each in quarters) == year.in_period
    assert year.target == 10_000
    targets = [each.target for each in quarters if each.target is not None]
    assert abs(sum(targets, Decimal(-10_000))) <= Decimal("0.02")


# --- what is owed ------------------------------------------------------------------------------


def earned() -> Story:
    """Return one in which the partner earned a share of a payment in January."""
    story = at(Stage.EXECUTION)
    sell(story, "D-1", "1000.00")
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00")))
    return story


def test_what_is_owed_goes_from_not_stated_to_stated_overdue_and_paid() -> None:
    story = earned()
    share = owed(story).owe_unstated
    assert share > 0
    assert owed(story) == Money(story.id, "USD", owe_unstated=share, unstated_since="2026-01")

    story.on("2026-02-01")
    story.when(OURS, IssueStatement(period="2026-01"))
    assert owed(story) == Money(story.id, "USD", owe=share)

    story.on("2026-04-01")
    assert owed(story) == Money(story.id, "USD", owe=share, owe_overdue=share)

    payout = RecordPayout(statement="2026-01:USD", payout="pay-1", amount=usd(f"{share}"))
    story.when(OURS, payout)
    assert line(member(story), story.now).money == ()


def test_what_one_party_owes_the_other_is_owed() -> None:
    story = earned()
    story.on("2026-02-01")
    story.when(OURS, IssueStatement(period="2026-01"))

    assert owed(story, THEIRS) == Money(story.id, "USD", owed=owed(story).owe)


def test_what_is_disputed_is_on_hold_and_no_longer_counts_as_owed() -> None:
    story = earned()
    before = owed(story).owe_unstated
    dispute = OpenDispute(
        dispute="X-1",
        subject="deal/D-1",
        amount=usd("10.00"),
        description="Known before.",
        cause=IssueCause.MONEY,
    )
    story.when(OURS, dispute)

    assert [owed(story).disputed, owed(story).owe_unstated] == [10, before - 10]


def test_sums_over_all_partners_are_by_currency() -> None:
    parts = [
        Money("a", "USD", owe=Decimal(10), disputed=Decimal(1)),
        Money("b", "USD", owe=Decimal(5), owed=Decimal(7)),
        Money("b", "EUR", owed=Decimal(3)),
    ]

    assert total(parts) == [
        Money(None, "EUR", owed=Decimal(3)),
        Money(None, "USD", owe=Decimal(15), owed=Decimal(7), disputed=Decimal(1)),
    ]
