"""What an adopted partnership owes: its books begin on a day; nothing is settled twice (C28)."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.adoption import AgreeAdoption, OpeningBalance
from domain.charter import ObjectiveStatus
from domain.dispute import AcceptResolution, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import IssueCause
from domain.exit import ExitNoticeGiven, GiveExitNotice
from domain.health import ProposeTarget
from domain.kernel import Stage
from domain.payment import IssueRefund
from domain.referral import SubmitReferral
from domain.reported_figure import MetricReported, ReportedFigure
from domain.terms import Item, Retainer, Tier
from projections.fold import replay
from projections.kpis import KPIS, agreed_row
from projections.objectives import ObjectiveProgress, objectives
from projections.overview import OVERVIEW
from projections.portfolio import line
from tests.life import (
    ADOPTION,
    CHARTER,
    CO_BRANDED_REVENUE,
    OURS,
    THEIRS,
    at,
    changed,
    example,
    usd,
)
from tests.life import adopted as adopt
from tests.projections.arrivals import (
    Fact,
    arrive,
    ours,
    owed,
    paid,
    referred,
    returned,
    won,
)
from tests.projections.folds import figures, member, states
from tests.projections.money import BEGINS, adopted, lines, share, state, under
from tests.stories import Story, moment

DEAL = [*referred("2026-01-07"), won("2026-01-10", usd("1000.00"))]


def test_a_past_fact_is_stated_later_and_earns_from_the_day_on_which_the_books_begin() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))

    arrive(
        story,
        [*DEAL, paid("2026-02-10", "P-1", usd("100.00")), paid("2026-03-10", "P-2", usd("100.00"))],
    )

    assert owed(story) == {("2026-03-10", THEIRS, "USD"): "15.00"}


@pytest.mark.parametrize("ordinary", [True, False])
def test_a_fact_from_before_the_partnership_earns_nothing_and_decides_what_later_ones_earn(
    ordinary: bool,  # noqa: FBT001 - whether it began here
) -> None:
    story = under(share("15")) if ordinary else adopted(share("15"), settles_from=date(2025, 1, 1))
    story.on("2026-04-01")
    early = [*referred("2025-06-01"), won("2025-06-10", usd("1000.00"))]
    payments_ = [(day, f"P-{day}") for day in ("2025-07-10", "2026-02-10")]

    arrive(story, [*early, *(paid(day, name, usd("100.00")) for day, name in payments_)])

    assert owed(story) == {("2026-02-10", THEIRS, "USD"): "15.00"}


@pytest.mark.parametrize("ordinary", [True, False])
def test_a_notice_that_is_dated_before_the_partnership_counts_from_its_recording(
    ordinary: bool,  # noqa: FBT001 - whether it began here
) -> None:
    story = at(Stage.EXECUTION) if ordinary else adopt()
    early, today = "2023-01-25", story.now.date()
    notice = example(GiveExitNotice, exit="early", effective_on=today + timedelta(days=1))

    assert story.refuses(THEIRS, notice, happened=early).rule == "notice-period"
    later = changed(notice, effective_on=today + timedelta(days=200))
    story.when(THEIRS, later, happened=early)

    assert story.partnership.context.terms.exit == later.effective_on
    (given_,) = (each for each in story.history if isinstance(each.event, ExitNoticeGiven))
    assert given_.late_days > 900  # The history shows it.


def test_a_refund_of_a_payment_that_was_settled_elsewhere_takes_back_its_share() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))

    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("100.00")),
            returned("2026-03-20", "P-1", usd("40.00")),
        ],
    )

    assert owed(story) == {("2026-03-20", THEIRS, "USD"): "-6.00"}


def test_a_tier_counts_what_was_settled_elsewhere() -> None:
    tiered = share("10", tiers=[Tier(above=Decimal(1000), share=Decimal(20))])
    story = adopted(tiered, settles_from=date(2026, 3, 1))

    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("1000.00")),
            paid("2026-03-10", "P-2", usd("100.00")),
        ],
    )

    assert owed(story) == {("2026-03-10", THEIRS, "USD"): "20.00"}


def test_a_fee_falls_due_here_from_the_day_on_which_the_books_begin() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("500.00"), every="P1M")
    story = adopted(retainer, settles_from=date(2026, 3, 1))

    assert owed(story) == {
        ("2026-03-01", THEIRS, "USD"): "500.00",
        ("2026-04-01", THEIRS, "USD"): "500.00",
    }


def test_an_opening_balance_is_in_the_first_statement() -> None:
    balance = OpeningBalance(by=OURS, to=THEIRS, amount=usd("840.00"), reason="Invoice 2026-02")
    story = adopted(share("15"), settles_from=date(2026, 5, 1), balances=[balance])
    story.on("2026-05-02")

    (statement,) = state(story, "2026-04")

    assert (statement.balance.payer, statement.balance.amount) == (OURS, Decimal("840.00"))


def test_a_dispute_takes_only_what_was_earned_here() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))
    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("100.00")),
            paid("2026-03-10", "P-2", usd("100.00")),
        ],
    )
    dispute = OpenDispute(
        dispute="Q-1",
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject="deal/D-1",
        amount=usd("30.00"),
    )
    refusal = story.refuses(OURS, dispute)
    story.when(OURS, changed(dispute, amount=usd("15.00")))
    resolution = ProposeResolution(
        dispute="Q-1", proposal="r-1", outcome=DisputeOutcome.UPHELD, resolution="It was."
    )
    held = sum(Decimal(each["amount"]) for each in lines(story.history))
    story.when(OURS, resolution)
    story.when(THEIRS, AcceptResolution(dispute="Q-1", proposal="r-1"))

    assert refusal.rule == "dispute-exceeds-earnings"
    assert held == 0
    assert sum(Decimal(each["amount"]) for each in lines(story.history)) == 0


def test_the_objectives_of_an_adopted_charter_run_and_the_partner_joined_when_it_began() -> None:
    story = Story(now=moment("2025-08-28"))
    story.when(OURS, ADOPTION)
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))

    agreed = agreed_row(replay(KPIS, story.history).rows)
    (overview,) = replay(OVERVIEW, story.history).rows.values()

    assert len(agreed.objectives) == len(CHARTER.objectives)
    assert agreed.kickoff == ADOPTION.since
    assert overview.ran_since == ADOPTION.since
    assert overview.adopted == moment("2025-08-28")


def test_an_objective_of_an_adopted_charter_runs_from_the_day_of_the_charter() -> None:
    wanted = {"metric": "leads", "unit": "count", "baseline": Decimal(0), "target": Decimal(10)}
    objective = changed(CO_BRANDED_REVENUE, **wanted, deadline=date(2025, 12, 31))
    charter = changed(CHARTER, objectives=[objective])
    story = adopt(charter=charter, charter_agreed_on=date(2025, 1, 1))
    for month in range(1, 8):
        lead = SubmitReferral(deal=f"D-{month}", lead="A hotel")
        story.when(THEIRS, lead, happened=f"2025-0{month}-10T09:00")

    found = progress(story)

    assert (found.value, found.status) == (Decimal(7), ObjectiveStatus.ON_TRACK)
    assert found.elapsed_percent == Decimal("66.21")


def test_an_objective_of_an_adopted_charter_without_a_day_runs_from_the_adoption() -> None:
    story = adopted_with(date(2025, 12, 31), metric="leads")
    story.when(THEIRS, SubmitReferral(deal="D-1", lead="A hotel"), happened="2025-01-10T09:00")

    assert progress(story).value == 0


# --- what was over by then -----------------------------------------------------------------------


def adopted_with(deadline: date, frequency: str = "monthly", **of: object) -> Story:
    """Return a partnership that was adopted on 30 August 2025 with one objective."""
    wanted = {"metric": "new_users", "unit": "count", "baseline": Decimal(0), **of}
    agreed = {"deadline": deadline, "frequency": frequency, "target": Decimal(40), **wanted}
    objective = changed(CO_BRANDED_REVENUE, **agreed)
    return adopt(charter=changed(CHARTER, objectives=[objective]))


def progress(story: Story) -> ObjectiveProgress:
    (found,) = objectives(figures(story), story.now.date())
    return found


@pytest.mark.parametrize("deadline", [date(2025, 3, 31), date(2025, 8, 10), date(2025, 8, 29)])
@pytest.mark.parametrize(
    ("metric", "unit"), [("leads", "count"), ("new_users", "count"), ("shared_costs", "USD")]
)
def test_an_objective_that_was_over_when_it_was_adopted_is_neither_met_nor_missed(
    metric: str, unit: str, deadline: date
) -> None:
    story = adopted_with(deadline, metric=metric, unit=unit)

    found = progress(story)

    assert found.status is ObjectiveStatus.INSUFFICIENT_EVIDENCE
    assert "its deadline had passed when it was agreed; the target is " in found.text
    row = line(member(story), story.now)
    assert row.status is ObjectiveStatus.INSUFFICIENT_EVIDENCE
    assert [each.text for each in row.reasons] == [f"insufficient evidence, {found.text}"]
    story.on("2025-11-20")
    assert states(story) == {}


@pytest.mark.parametrize("agreed_on", [date(2025, 1, 1), None])
def test_an_objective_that_was_over_when_it_was_adopted_shows_the_figures_that_came_in(
    agreed_on: date | None,
) -> None:
    wanted = {"metric": "leads", "unit": "count", "baseline": Decimal(0), "target": Decimal(10)}
    objective = changed(CO_BRANDED_REVENUE, **wanted, deadline=date(2025, 6, 30))
    charter = changed(CHARTER, objectives=[objective])
    story = adopt(charter=charter, charter_agreed_on=agreed_on)
    for month in range(2, 8):
        lead = SubmitReferral(deal=f"D-{month}", lead="A hotel")
        story.when(THEIRS, lead, happened=f"2025-0{month}-10T09:00")

    found = progress(story)

    assert (found.value, found.status) == (Decimal(5), ObjectiveStatus.INSUFFICIENT_EVIDENCE)
    assert found.text.endswith("5 of 10 by 2025-06-30; its deadline had passed when it was agreed.")


def test_an_objective_that_was_adopted_on_its_last_day_is_still_to_be_judged() -> None:
    story = adopted_with(date(2025, 8, 30), metric="leads")
    story.on("2025-08-31")

    assert states(story)[f"objective-missed {CO_BRANDED_REVENUE.objective}"] == "open"


@pytest.mark.parametrize("frequency", ["monthly", "quarterly"])
def test_no_figure_is_due_of_an_objective_that_was_over_when_it_was_adopted_until_it_is_moved(
    frequency: str,
) -> None:
    story = adopted_with(date(2025, 8, 10), frequency)
    story.on("2025-11-20")
    assert states(story) == {}

    story.agree(
        OURS,
        ProposeTarget(
            proposal="later",
            objective=CO_BRANDED_REVENUE.objective,
            target=Decimal(50),
            deadline=date(2026, 12, 31),
            reason="It goes on.",
        ),
    )

    story.on("2026-04-01")
    due = "2025-Q4" if frequency == "quarterly" else "2026-01"
    assert states(story)[f"figure-overdue new_users/-/{due}"] == "open"


def test_a_notice_whose_last_day_was_over_by_the_adoption_is_asked_of_nobody() -> None:
    first = ADOPTION.terms[0]
    frame = changed(first.frame, starts_on=date(2022, 10, 1), duration="P3Y", notice="P60D")
    story = adopt(since=date(2022, 10, 1), terms=[changed(first, frame=frame)], charter=None)

    passed = [each.act.occurred_at for each in story.history if each.event.wire == "DeadlinePassed"]
    assert (passed, states(story)) == ([], {})
    story.on("2025-10-01")
    assert states(story)["term-ended 2025-10-01"] == "open"


# --- laws --------------------------------------------------------------------------------------


@st.composite
def payments(draw: st.DrawFn) -> list[Fact]:
    """Payments of one deal in the first quarter, and refunds of some of them."""
    days = st.integers(11, 89)
    facts: list[Fact] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"P-{number}"
        day = draw(days)
        amount = usd(f"{draw(st.integers(1, 2000))}.{draw(st.integers(0, 99)):02}")
        facts.append(paid(str(date(2026, 1, 1) + timedelta(day)), name, amount))
        if draw(st.booleans()):
            later = str(date(2026, 1, 1) + timedelta(draw(st.integers(day, 89))))
            facts.append(ours(later, _refund(name, amount.amount)))
    return facts


def _refund(payment: str, amount: Decimal) -> IssueRefund:
    half = (amount / 2).quantize(Decimal("0.01")) or amount
    return IssueRefund(deal="D-1", refund=f"R-{payment}", payment=payment, amount=usd(str(half)))


ITEMS = st.sampled_from(
    [
        (share("15"),),
        (share("10", tiers=[Tier(above=Decimal(1000), share=Decimal(20))]),),
        (share("12.5", cap=Decimal(200)), Retainer(to=THEIRS, fee=usd("50.00"), every="P1M")),
    ]
)


@settings(max_examples=25, deadline=None)
@given(ITEMS, payments(), st.dates(BEGINS, date(2026, 4, 1)), st.randoms(use_true_random=False))
def test_the_books_have_what_an_ordinary_partnership_owes_from_their_first_day_on(
    items: tuple[Item, ...], facts: list[Fact], settles_from: date, random: Random
) -> None:
    ordinary = under(*items)
    ordinary.on("2026-04-01")
    arrive(ordinary, [*DEAL, *facts])
    story = adopted(*items, settles_from=settles_from)
    random.shuffle(facts)
    arrive(story, [*DEAL, *facts])

    expected = {
        key: amount for key, amount in owed(ordinary).items() if key[0] >= settles_from.isoformat()
    }
    assert owed(story) == expected


FIGURES = [
    MetricReported(
        metric="co_branded_revenue",
        period=f"2025-{month:02}",
        tool=tool,
        figure=ReportedFigure(unit="USD", value=Decimal(1000 * month)),
    )
    for month in (1, 2, 3)
    for tool in ("billing", "crm")
]


@settings(max_examples=10, deadline=None)
@given(st.permutations(FIGURES))
def test_past_figures_give_the_same_rows_in_any_order(figures: list[MetricReported]) -> None:
    assert kpi_rows(figures) == kpi_rows(FIGURES)


def kpi_rows(figures: Sequence[MetricReported]) -> Any:  # noqa: ANN401 - JSON
    story = Story(now=moment("2025-08-28"))
    story.when(OURS, changed(ADOPTION, figures=list(figures)))
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))
    rows = replay(KPIS, story.history).rows
    return without_index({key: KPIS.dump(key, row) for key, row in rows.items()})


def without_index(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document without the places of events in the log, which follow the file's order."""
    match value:
        case dict():
            return {key: without_index(each) for key, each in value.items() if key != "index"}
        case list():
            return [without_index(each) for each in value]
        case _:
            return value
