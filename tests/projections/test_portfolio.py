"""The portfolio: many partnerships side by side, read from what each of them recorded (C28)."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agreement import AcceptTerms, ProposeTerms
from domain.charter import ObjectiveStatus
from domain.execution import HoldKickoff, ProposeAction, ProposeReview
from domain.exit import ProposeExit
from domain.exploration import BeginExploration
from domain.health import RotateManager
from domain.kernel import Stage
from domain.payment import IssueRefund, ReceivePayment
from domain.referral import SubmitReferral
from domain.reported_figure import ReportedFigure
from domain.scaling import AgreeJointInvestment
from domain.sharing import AgreeDataSharing, Form, ProposeDataSharing
from domain.terms import ItemKind, Payment, payment_of
from projections.objectives import ObjectiveProgress
from projections.portfolio import (
    Level,
    PartnershipLine,
    PortfolioProgress,
    ReasonCode,
    Revenue,
    StatusReason,
    dependency,
    herfindahl,
    line,
    load,
    portfolio,
    shares,
)
from projections.traits import Limits
from projections.visibility import Viewer
from tests.domain.test_terms import SENTENCES
from tests.life import OURS, THEIRS, after, at, changed, example, usd
from tests.projections.folds import attribute, count, member, refer_many, report, sell
from tests.stories import Story, moment

LIMITS = Limits("growthos", moment("2026-01-01"), 1, 2, Decimal(40), Decimal("0.2"))


def line_of(story: Story, name: str = "p-1", on: datetime | None = None) -> PartnershipLine:
    return line(member(story, name), on or story.now)


def sold(story: Story, name: str, paid: str) -> None:
    """Take a referral through to a payment."""
    sell(story, name, "1000.00")
    payment = ReceivePayment(deal=name, payment=f"{name}-1", amount=usd(paid))
    story.when(OURS, payment)


def brings(amount: str, name: str, currency: str = "USD") -> PartnershipLine:
    """Return a line of a partnership that brought an amount."""
    revenue = (Revenue("payments", Decimal(amount), currency),)
    return replace(EXAMPLE, id=name, partner=name, revenue=revenue)


EXAMPLE = line_of(at(Stage.EXECUTION))

ITEMS = {item.kind: item for item, _ in SENTENCES}
"""An item of each kind."""


# --- the sheet ---------------------------------------------------------------------------------


def test_the_sheet_has_what_people_write_down_today() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    refer_many(story, range(2, 4))

    row = line_of(story)

    assert (row.name, row.joined) == ("Brightpath", date(2026, 1, 5))
    assert [row.leads, row.conversions] == [3, 1]
    assert row.revenue == (Revenue("payments", Decimal("500.00"), "USD"),)


def test_refunds_are_taken_off_payments_and_reported_revenue_stands_by_itself() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    story.when(OURS, IssueRefund(deal="D-1", refund="R-1", payment="D-1-1", amount=usd("200.00")))
    report(
        story, "co_branded_revenue", "2026-01", ReportedFigure(unit="USD", value=Decimal("900.00"))
    )

    assert line_of(story).revenue == (
        Revenue("payments", Decimal("300.00"), "USD"),
        Revenue("co_branded_revenue", Decimal("900.00"), "USD"),
    )


def test_figures_of_several_years_are_added_up() -> None:
    story = at(Stage.EXECUTION)
    refer_many(story, range(2))
    story.on("2027-02-01")
    refer_many(story, range(2, 5))

    assert line_of(story).leads == 5


def test_before_the_kickoff_nobody_has_joined() -> None:
    row = line_of(at(Stage.FORMATION))

    assert (row.joined, row.active, row.status) == (None, False, None)
    assert (row.leads, row.conversions) == (None, None)


def test_a_partner_that_brought_no_lead_brought_zero() -> None:
    row = line_of(at(Stage.EXECUTION))

    assert row.leads == 0
    assert row.conversions == 0


def test_a_figure_that_is_overdue_leaves_too_little_evidence_and_puts_nothing_off_track() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-02")

    row = line_of(story)

    assert row.status is ObjectiveStatus.INSUFFICIENT_EVIDENCE
    late = "The figure for new users in 2026-01 was not reported in time."
    (reason,) = (each for each in row.reasons if late in each.text)
    assert reason.text.startswith(f"insufficient evidence: {late} Acts: ")
    assert reason == StatusReason(
        ReasonCode.FIGURE_OVERDUE,
        reason.text,
        metric="new_users",
        alert="figure-overdue@1/growthos-brightpath/new_users/-/2026-01",
        rule="figure-overdue",
    )


def test_a_partnership_that_is_off_track_says_why() -> None:
    story = at(Stage.EXECUTION)
    begun = line_of(story)
    refer_many(story, range(8))
    report(story, "new_users", "2026-01", count(100))
    story.on("2026-04-01")
    report(story, "new_users", "2026-03", count(100))
    row = line_of(story)
    said = [each.text for each in row.reasons]
    late = {each for each in said if "was not reported in time." in each}

    assert {each.partition(" Acts: ")[0] for each in late} == {
        f"insufficient evidence: The figure for {metric} in {month} was not reported in time."
        for metric in ("co-branded revenue", "new subscribers", "new users")
        for month in ("2026-01", "2026-02")
        if (metric, month) != ("new users", "2026-01")
    }
    assert (begun.status, begun.reasons) == (ObjectiveStatus.OPEN, ())
    assert row.status is ObjectiveStatus.OFF_TRACK
    assert tuple(each for each in said if each not in late) == (
        (
            "off track, new users: 200 of 10000 by 2026-12-31, 2.00 % of the target in 23.89 % "
            "of the time."
        ),
        (
            f"breach: {THEIRS} brought 8 of 10 referrals in 2026-Q1. Acts: {THEIRS} (Boris, "
            "partnership manager)."
        ),
        (
            "insufficient evidence, co-branded revenue: no figure; the target is 120000 USD by "
            "2026-12-31."
        ),
        "insufficient evidence, new subscribers: no figure; the target is 10000 by 2026-12-31.",
    )


def test_a_reason_has_a_code_beside_its_words_and_names_its_subject() -> None:
    story = at(Stage.EXECUTION)
    refer_many(story, range(8))
    report(story, "new_users", "2026-01", count(100))
    story.on("2026-04-01")
    report(story, "new_users", "2026-03", count(100))

    found = [
        (each.code, each.objective, each.metric, each.rule)
        for each in line_of(story).reasons
        if each.code is not ReasonCode.FIGURE_OVERDUE
    ]

    unknown = ReasonCode.OBJECTIVE_WITHOUT_EVIDENCE
    assert found == [
        (ReasonCode.OBJECTIVE_OFF_TRACK, "new-users", "new_users", None),
        (ReasonCode.BREACH, None, "leads", "referral-minimum"),
        (unknown, "co-branded-revenue", "co_branded_revenue", None),
        (unknown, "subscribers", "new_subscribers", None),
    ]


@pytest.mark.parametrize("status", ObjectiveStatus)
def test_each_status_of_an_objective_that_worries_people_has_a_code(
    status: ObjectiveStatus,
) -> None:
    (progress, *_) = line_of(at(Stage.EXECUTION)).objectives
    reason = StatusReason.of_objective(replace(progress, status=status))
    codes = [each for each in ReasonCode if each.value == f"objective-{status}"]

    assert ([reason.code] if reason else []) == codes


def measured(on: str = "2026-02-01") -> Story:
    """Return a partnership in execution with figures of January that are ahead of time."""
    story = at(Stage.EXECUTION)
    report(story, "new_users", "2026-01", count(1_000))
    report(story, "new_subscribers", "2026-01", count(10_000))
    report(story, "co_branded_revenue", "2026-01", dollars(60_000))
    story.on(on)
    return story


def dollars(amount: int) -> ReportedFigure:
    return ReportedFigure(unit="USD", value=Decimal(amount))


def test_a_partnership_has_the_worst_status_of_its_objectives() -> None:
    story = measured()

    def status(on: str) -> ObjectiveStatus | None:
        return line_of(story, on=moment(on)).status

    assert status("2026-02-01") is ObjectiveStatus.ON_TRACK
    assert status("2026-04-01") is ObjectiveStatus.INSUFFICIENT_EVIDENCE
    assert status("2027-01-01") is ObjectiveStatus.INSUFFICIENT_EVIDENCE


def test_a_reminder_of_a_meeting_puts_no_partnership_off_track() -> None:
    story = measured("2026-02-01")
    story.agree(OURS, example(ProposeReview, review="R-9", at=moment("2026-02-10")))
    story.on("2026-02-09")
    row = line_of(story)

    assert row.notes == ("Review R-9 is on 2026-02-10.",)
    assert (row.status, row.reasons) == (ObjectiveStatus.ON_TRACK, ())


def test_a_breach_is_a_reason_and_is_not_noted_again() -> None:
    story = measured("2026-02-01")
    action = example(ProposeAction, action="page", owner=OURS, due=date(2026, 2, 5))
    story.when(OURS, action)
    story.on("2026-02-09")
    row = line_of(story)

    (reason,) = row.reasons
    assert reason == StatusReason(
        ReasonCode.BREACH,
        f"breach: Action page was not done by its day. Acts: {OURS} (Ada, partnership manager).",
        alert="action-overdue@1/growthos-brightpath/page",
        rule="action-overdue",
    )
    assert row.notes == ()


def test_a_breach_names_who_is_in_office_on_the_day_that_is_asked_about() -> None:
    story = measured("2026-02-01")
    action = example(ProposeAction, action="page", owner=OURS, due=date(2026, 2, 5))
    story.when(OURS, action)
    story.when(OURS, RotateManager(effective_on=date(2026, 2, 20), former="Ada", successor="Cleo"))
    story.on("2026-02-09")
    (reason,) = line_of(story, on=moment("2026-02-21")).reasons

    assert reason.text.endswith(f"Acts: {OURS} (Cleo, partnership manager).")


def test_leads_of_a_month_that_wait_without_a_last_day_are_counted_in_one_note() -> None:
    story = measured("2026-02-01")
    for deal in ("D-7", "D-8", "D-9"):
        story.when(THEIRS, example(SubmitReferral, deal=deal))
    row = line_of(story)

    assert row.notes == (
        (
            f"3 leads of 2026-02 await the answer of {OURS}, the oldest of deal D-7, D-8, D-9. It "
            "accepts a lead (ConfirmClaim) or rejects it (ObjectToClaim). No days are agreed for "
            "the answer, so silence accepts nothing."
        ),
    )


def test_an_ended_partnership_has_no_status_and_its_objectives_are_given_up() -> None:
    row = line_of(at(Stage.ENDED))

    assert (row.status, row.reasons) == (None, ())
    assert {each.status for each in row.objectives} == {ObjectiveStatus.GIVEN_UP}


def test_a_partnership_whose_exit_took_effect_runs_no_more_and_is_not_off_track() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-02")
    report(story, "new_users", "2026-01", count(1))
    exit_ = ProposeExit(exit="x-9", explanation="We part.", effective_on=date(2026, 3, 5))
    story.agree(OURS, exit_)
    before = line_of(story)
    assert (before.active, before.status) == (True, ObjectiveStatus.OFF_TRACK)

    story.on("2026-03-05")

    row = line_of(story)
    assert (row.active, row.status, row.reasons) == (False, None, ())
    assert portfolio(OURS, "Ours", [row]).progress == PortfolioProgress(0, 0, ())


def test_the_economics_are_those_in_force_on_the_day() -> None:
    story = at(Stage.EXECUTION)
    before = line_of(story, on=moment("2025-12-31"))

    assert line_of(story).pays is Payment.BY_RESULT
    assert (before.economics, before.pays) == ((), Payment.NEITHER)


@pytest.mark.parametrize("kind", ItemKind)
def test_every_kind_of_economics_alone_is_agreed_economics(kind: ItemKind) -> None:
    story = at(Stage.EXECUTION)
    proposal = ProposeTerms(proposal="T-9", items=[ITEMS[kind]], effective_from=story.now.date())
    story.when(OURS, proposal)
    story.when(THEIRS, AcceptTerms(proposal="T-9"))

    row = line_of(story)

    assert row.economics == (kind,)
    assert row.pays is payment_of(kind)


def test_a_partnership_without_figures_is_not_on_track() -> None:
    good, silent = measured(), at(Stage.EXECUTION)
    lines = [line_of(good, "spain"), line_of(silent, "france"), line_of(silent, "germany")]

    progress = portfolio(OURS, "GrowthOS", lines).progress

    assert (progress.active, progress.on_track) == (3, 1)
    assert [(each.id, each.status) for each in progress.others] == [
        ("france", ObjectiveStatus.OPEN),
        ("germany", ObjectiveStatus.OPEN),
    ]


def test_an_exploration_without_a_partner_is_searching_and_on_no_sheet() -> None:
    whole = portfolio(OURS, "GrowthOS", [line_of(after(BeginExploration), "search")])

    assert (whole.partners, whole.searching) == ((), ("search",))


def test_partners_are_in_the_order_of_their_names_in_small_and_capital_letters() -> None:
    line = line_of(after(HoldKickoff), "one")
    named = [replace(line, id=name, name=name) for name in ("Zeta", "Acme", "beta", "acme")]

    found = portfolio(OURS, "GrowthOS", named)

    assert [each.name for each in found.partners] == ["Acme", "acme", "beta", "Zeta"]


# --- load --------------------------------------------------------------------------------------


def test_ten_partnerships_take_one_to_two_full_time_people() -> None:
    row = load([Decimal(10)] * 5 + [Decimal(20)] * 5)

    assert [row.people_usual_from, row.people_usual_to] == [1, 2]
    assert row.people_committed == Decimal("1.50")
    assert row.level is Level.WITHIN


@pytest.mark.parametrize(
    ("active", "level"),
    [(4, Level.BELOW), (5, Level.WITHIN), (10, Level.WITHIN), (11, Level.ABOVE)],
)
def test_five_to_ten_active_partnerships_are_manageable(active: int, level: Level) -> None:
    assert load([None] * active).level is level


def test_a_program_sets_limits_of_its_own() -> None:
    row = load([Decimal(15), None], LIMITS)

    assert (row.most, row.level, row.without_commitment) == (2, Level.WITHIN, 1)
    assert not row.over_capacity
    assert load([Decimal(15)] * 2, LIMITS).over_capacity


# --- dependency --------------------------------------------------------------------------------

AMOUNTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.decimals(Decimal("0.01"), Decimal("1e12"), places=2),
    min_size=1,
    max_size=12,
)


@given(AMOUNTS)
def test_shares_add_up_to_a_hundred_and_each_is_off_by_less_than_its_last_digit(
    amounts: dict[str, Decimal],
) -> None:
    parts = shares(amounts)

    assert sum(parts.values()) == 100
    total = Fraction(sum(amounts.values()))
    for name, part in parts.items():
        assert abs(Fraction(part) - Fraction(amounts[name]) * 100 / total) < Fraction(1, 100)


def test_what_rounding_leaves_goes_to_the_first_of_equal_ones() -> None:
    parts = shares(dict.fromkeys("cab", Decimal(1)))

    assert parts == {"a": Decimal("33.34"), "b": Decimal("33.33"), "c": Decimal("33.33")}


@given(AMOUNTS)
def test_the_herfindahl_index_lies_between_one_nth_and_one(amounts: dict[str, Decimal]) -> None:
    index = herfindahl(amounts.values())

    assert Fraction(1, len(amounts)) <= index <= 1
    assert herfindahl([Decimal(7)] * len(amounts)) == Fraction(1, len(amounts))


def test_dependency_on_one_partner_is_summarised() -> None:
    (row,) = dependency([brings("600.00", "a"), brings("300.00", "b"), brings("100.00", "c")])

    assert row.herfindahl == Decimal("0.4600")
    assert {each.partner: each.percent for each in row.shares} == {"a": 60, "b": 30, "c": 10}
    assert [each.partner for each in row.shares] == ["a", "b", "c"]
    assert row.summary == (
        "It is as concentrated as 2.2 partners of equal size; the largest, a, brings 60.00 %, "
        "more than all others together."
    )


def test_partnerships_with_one_partner_have_one_share() -> None:
    """In one of them it may be the initiator, in the other the partner."""
    lines = [
        brings("300.00", "a"),
        replace(brings("400.00", "more-of-a"), partner="a"),
        brings("350.00", "b"),
        replace(brings("-50.00", "less-of-b"), partner="b"),
    ]

    (row,) = dependency(lines)

    assert [(each.partner, each.amount, each.partnerships) for each in row.shares] == [
        ("a", Decimal("700.00"), ("more-of-a", "a")),
        ("b", Decimal("300.00"), ("b", "less-of-b")),
    ]
    assert [each.percent for each in row.shares] == [70, 30]
    (alone,) = dependency(lines[:2])
    assert alone.summary == "All of it comes from one partner, a."


def test_a_programs_limit_is_named_where_one_partner_passes_it() -> None:
    (row,) = dependency([brings("45.00", "a"), brings("55.00", "b")], LIMITS)
    (even,) = dependency([brings("40.00", name) for name in "abc"], LIMITS)

    assert row.summary.endswith("brings 55.00 %, more than the 40 % that the program allows.")
    assert even.summary.endswith("the largest, a, brings 33.34 %.")


def test_currencies_are_not_added_and_a_partnership_without_revenue_has_no_share() -> None:
    lines = [brings("10.00", "a"), brings("-5.00", "b"), brings("10.00", "c", "EUR")]

    kinds = list(dependency(lines))

    assert [(each.currency, [part.partner for part in each.shares]) for each in kinds] == [
        ("EUR", ["c"]),
        ("USD", ["a"]),
    ]
    assert list(dependency([EXAMPLE])) == []


# --- what a line has for matches, and whose it is ----------------------------------------------


def test_a_match_rests_on_the_profile_the_partner_was_scored_under_and_what_it_brings() -> None:
    row = line_of(after(AgreeJointInvestment))

    assert row.segments == ("technology", "professional services")
    assert row.markets == ("spain",)
    assert row.brings == "Advisers in Madrid"


def test_a_line_has_how_a_partnership_is_paid_how_often_it_sells_and_at_what_price() -> None:
    story = at(Stage.EXECUTION)
    sold(story, "D-1", "500.00")
    attribute(story, "D-1")

    row = line_of(story)

    assert row.pays is Payment.BY_RESULT
    assert row.conversions == 1
    assert row.average_contract_value[0].amount == 1000


def test_the_portfolio_is_the_initiators_and_a_viewers_own_if_a_party_asks() -> None:
    story = at(Stage.EXECUTION)
    operators, partners = member(story), member(story, viewer=Viewer(THEIRS))

    assert (operators.party, operators.partner) == (OURS, THEIRS)
    assert (partners.party, partners.partner) == (THEIRS, OURS)


# --- what a party is not shown -----------------------------------------------------------------


def shared(story: Story, form: Form, *metrics: str) -> None:
    """Let both agree which figures they show each other."""
    given = example(ProposeDataSharing).lines
    lines = [changed(each, metrics=[*metrics], form=form) for each in given]
    story.when(OURS, example(ProposeDataSharing, proposal="S-9", lines=lines))
    story.when(THEIRS, AgreeDataSharing(proposal="S-9"))


def test_a_small_count_that_the_other_party_reported_is_withheld_with_its_pace() -> None:
    story = at(Stage.EXECUTION)
    shared(story, Form.AGGREGATED, "new_users")
    report(story, "new_users", "2026-01", count(3))
    story.on("2026-02-01")

    def objective(viewer: Viewer) -> ObjectiveProgress:
        row = line(member(story, viewer=viewer), story.now)
        return next(each for each in row.objectives if each.objective.metric == "new_users")

    ours, theirs = objective(Viewer(OURS)), objective(Viewer(THEIRS))

    assert ours.value == 3
    assert ours.status is ObjectiveStatus.OFF_TRACK
    assert ours.reached_percent == Decimal("0.03")
    assert (theirs.value, theirs.reached_percent) == (None, None)
    assert theirs.status is ObjectiveStatus.INSUFFICIENT_EVIDENCE
