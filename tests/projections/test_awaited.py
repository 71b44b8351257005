"""Alerts on what awaits a party: contested leads, claims, corrections that take money."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.entry import (
    ConcedePenalty,
    EntryCommand,
    RecordJointRevenue,
    RecordSharedCost,
    ReverseEntry,
)
from domain.exit import GiveExitNotice, ProposeCompletion, ProposeDisposition
from domain.kernel import Stage
from domain.payment import (
    CorrectPayment,
    CorrectRefund,
    IssueRefund,
    PaymentCorrected,
    ReceivePayment,
)
from domain.payouts import CorrectPayout, RecordPayout, ReturnPayout
from domain.referral import (
    AgreeAttribution,
    AttributeReferral,
    CreateOpportunity,
    ProposeAttribution,
)
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import CancelDeal, CorrectWin, WinDeal
from domain.scaling import AgreeJointInvestment, ProposeJointInvestment
from domain.settlement import IssueFinalSettlement, IssueStatement, StatementIssued
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    CLAIM_AWAITS,
    COMPUTED,
    CORRECTION_TAKES,
    ENTRY_WITHOUT_TERMS,
    LEAD_AWAITS,
    LEAD_UNANSWERED,
    STATEMENT_OVERDUE,
)
from domain.terms import (
    ClaimRules,
    CostShare,
    Hybrid,
    Item,
    Minimum,
    Penalty,
    ReferralFee,
    RevenueSplit,
    Trigger,
)
from domain.values import instant
from projections.alerts import ALERTS, STATE, Alert, AlertState
from projections.fold import replay
from tests.life import OURS, THEIRS, at, changed, example, usd
from tests.projections.arrivals import (
    Fact,
    agreed,
    arrive,
    in_any_order,
    ours,
    owed,
    paid,
    referred,
    theirs,
    to_them,
    won,
)
from tests.projections.folds import alerts, count, states
from tests.projections.money import (
    adopted,
    amend,
    attribute,
    lines,
    pay,
    refer,
    share,
    total,
    under,
    win,
)
from tests.stories import Story, moment
from tests.sweeps import sweep

AWAITED = {*COMPUTED} - {LEAD_AWAITS, LEAD_UNANSWERED}


def open_of(story: Story) -> dict[str, str]:
    """The open alerts on what awaits a party, apart from the lead itself (`test_leads`)."""
    return {
        each.window: each.rule
        for each in alerts(story).values()
        if each.rule in {*COMPUTED} - {LEAD_AWAITS, LEAD_UNANSWERED}
        and each.state is AlertState.OPEN
    }


def alert_on(story: Story, window: str) -> Alert:
    (found,) = (each for each in alerts(story).values() if each.window == window)
    return found


def both_claim(story: Story) -> None:
    refer(story, "D-1", attributed=False)
    attribute(story, "D-1", THEIRS, Method.REFERRAL_CODE)
    attribute(story, "D-1", OURS)


def sold(silence: int = 0) -> Story:
    rules = ClaimRules(confirm_within_days=silence)
    story = under(share(), claims=rules) if silence else under(share())
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    return story


def theirs_paid(story: Story) -> None:
    claim = ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00"))
    story.when(THEIRS, claim)


PAYMENT = "deal/D-1/payment/P-1"
POLICY = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
PER_CLICK = ReferralFee(to=THEIRS, fee=usd("0.50"), trigger=Trigger.CLICK)
HALVES = {OURS: Decimal(50), THEIRS: Decimal(50)}

# --- contested leads ---------------------------------------------------------------------------


def test_a_lead_that_both_claim_is_contested_until_both_settle_it() -> None:
    story = under(share())
    both_claim(story)
    assert open_of(story) == {"D-1": ATTRIBUTION_CONTESTED}

    story.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=HALVES))
    story.when(THEIRS, AgreeAttribution(deal="D-1", proposal="A-1"))

    assert open_of(story) == {}


def test_a_policy_that_comes_settles_a_contested_lead_and_one_that_goes_contests_it_again() -> None:
    story = under(share())
    both_claim(story)
    last_touch = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
    none = AttributionPolicy(kind=PolicyKind.NONE)
    first = f"{story.now:%Y-%m-%d}"

    arrive(story, [agreed(first, since=date.fromisoformat(first), attribution=last_touch)])
    assert open_of(story) == {}

    arrive(story, [agreed(first + "T23:00", since=date.fromisoformat(first), attribution=none)])
    assert open_of(story) == {"D-1": ATTRIBUTION_CONTESTED}


def own_touch(story: Story, party: str, name: str) -> None:
    touch = AttributeReferral(
        deal="D-1", touch=name, method=Method.UTM, evidence="a tag", to=party, touched_at=story.now
    )
    story.when(party, touch)


def test_a_touch_that_the_payer_states_for_itself_awaits_the_party_that_would_lose() -> None:
    story = under(share(), attribution=POLICY)
    refer(story, "D-1")
    own_touch(story, OURS, "T-2")
    win(story, "D-1", usd("1200.00"))
    assert open_of(story) == {"deal/D-1/touch/T-2": CLAIM_AWAITS}
    assert f"counts once {THEIRS} confirms it" in alert_on(story, "deal/D-1/touch/T-2").text

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="touch/T-2"))

    assert open_of(story) == {}


def test_a_touch_that_both_sides_state_each_for_itself_contests_the_lead_once_both_agree() -> None:
    story = under(share())
    refer(story, "D-1", attributed=False)
    own_touch(story, THEIRS, "T-1")
    assert open_of(story) == {}
    own_touch(story, OURS, "T-2")
    awaits = {f"deal/D-1/touch/T-{place}": CLAIM_AWAITS for place in (1, 2)}
    assert open_of(story) == awaits

    # Our win confirms their touch, not ours.
    win(story, "D-1", usd("1200.00"))
    assert open_of(story) == {"deal/D-1/touch/T-2": CLAIM_AWAITS}
    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="touch/T-2"))

    assert open_of(story) == {"D-1": ATTRIBUTION_CONTESTED}


def test_a_touch_and_a_win_of_the_same_party_both_await_the_other() -> None:
    story = under(share(basis="first-year", trigger=Trigger.SALE))
    refer(story, "D-1", attributed=False)
    own_touch(story, THEIRS, "T-1")
    story.when(THEIRS, CreateOpportunity(deal="D-1"))
    story.when(THEIRS, WinDeal(deal="D-1", annual_contract_value=usd("1200.00")))
    assert {*open_of(story)} == {"deal/D-1/touch/T-1", f"deal/D-1/{won_at(story)}"}

    # Who confirms a win confirms the touches before it.
    story.when(OURS, ConfirmClaim(deal="D-1", fact="win"))

    assert open_of(story) == {}


def won_at(story: Story) -> str:
    return f"win@{instant(story.now)}"


def test_a_touch_awaits_nobody_if_it_is_outside_the_attribution_window_or_credit_is_settled() -> (
    None
):
    window = AttributionPolicy(kind=PolicyKind.LAST_TOUCH, window_days=5)
    story = under(share(), attribution=window)
    refer(story, "D-1")
    own_touch(story, OURS, "T-2")
    win(story, "D-1", usd("1200.00"))
    settled = story.copy()
    assert open_of(story) == {"deal/D-1/touch/T-2": CLAIM_AWAITS}

    settled.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=HALVES))
    settled.when(THEIRS, AgreeAttribution(deal="D-1", proposal="A-1"))
    assert open_of(settled) == {}

    late = under(share(), attribution=window)
    refer(late, "D-1")
    own_touch(late, OURS, "T-2")
    late.wait(days=9)
    win(late, "D-1", usd("1200.00"))
    assert open_of(late) == {}


# --- claims ------------------------------------------------------------------------------------


def test_a_payment_that_its_payee_states_awaits_the_other_party() -> None:
    story = sold()
    theirs_paid(story)

    assert open_of(story) == {PAYMENT: CLAIM_AWAITS}
    assert f"counts once {OURS} confirms it" in alert_on(story, PAYMENT).text


@pytest.mark.parametrize(
    "answer",
    [
        ConfirmClaim(deal="D-1", fact="payment/P-1"),
        ObjectToClaim(deal="D-1", fact="payment/P-1", reason="No such payment."),
    ],
    ids=["confirmed", "objected to"],
)
def test_an_answer_ends_the_wait(answer: ConfirmClaim) -> None:
    story = sold()
    theirs_paid(story)

    story.when(OURS, answer)

    assert open_of(story) == {}


def test_silence_ends_the_wait_where_the_terms_say_so() -> None:
    story = sold(silence=10)
    theirs_paid(story)
    assert open_of(story) == {PAYMENT: CLAIM_AWAITS}

    story.on("2026-03-02")

    assert open_of(story) == {}


def test_a_claim_says_by_when_it_is_answered_where_silence_confirms_it() -> None:
    story = sold(silence=10)
    theirs_paid(story)

    last = story.now.date() + timedelta(days=9)

    alert = alert_on(story, PAYMENT)
    assert alert.answer_by == last
    assert alert.text == (
        f"{THEIRS} states the payment P-1 of deal D-1. {OURS} confirms it (ConfirmClaim) or "
        f"objects to it (ObjectToClaim) by {last}. After that day it counts."
    )


def test_a_claim_that_was_answered_says_how_it_ended() -> None:
    confirmed, contested, silent = (sold(silence=10) for _ in range(3))
    for story in (confirmed, contested, silent):
        theirs_paid(story)
    last = silent.now.date() + timedelta(days=9)

    confirmed.when(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1"))
    contested.when(OURS, ObjectToClaim(deal="D-1", fact="payment/P-1", reason="No such payment."))
    silent.on("2026-03-02")

    assert [alert_on(each, PAYMENT).ended for each in (confirmed, contested, silent)] == [
        f"{OURS} confirmed the payment P-1 of deal D-1.",
        f"{OURS} objected to the payment P-1 of deal D-1: No such payment.",
        f"{OURS} did not object by {last}, so it counts.",
    ]


def test_the_end_of_an_alert_on_a_figure_names_no_figure() -> None:
    story = clicks(THEIRS)

    story.when(OURS, ObjectToClaim(figure=AD_CLICKS, fact="figure", reason="We count 700."))

    [alert] = [each for each in alerts(story).values() if each.rule == CLAIM_AWAITS]
    assert alert.ended == f"{OURS} objected to the figure of ads for clicks in 2026-02."


def test_only_the_subjects_that_silence_confirms_that_day_are_looked_at_again() -> None:
    story = sold(silence=10)
    theirs_paid(story)
    watched = replay(ALERTS, story.history).rows[STATE].watched
    assert [day for day in watched.values() if day] == [
        f"{story.now + timedelta(days=10):%Y-%m-%d}"
    ]

    story.on("2026-03-02")

    assert not any(replay(ALERTS, story.history).rows[STATE].watched.values())


def test_what_the_party_that_owes_states_awaits_nobody() -> None:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))

    assert open_of(story) == {}


def test_a_payment_awaits_an_answer_where_both_settled_the_credit_and_nobody_touched_the_lead() -> (
    None
):
    story = under(share())
    refer(story, "D-1", attributed=False)
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="A-1", shares=HALVES))
    story.when(THEIRS, AgreeAttribution(deal="D-1", proposal="A-1"))
    win(story, "D-1", usd("1200.00"))
    theirs_paid(story)

    assert open_of(story) == {PAYMENT: CLAIM_AWAITS}


def test_a_payment_awaits_an_answer_though_another_item_pays_nothing_for_it() -> None:
    """They hold the money that the split divides; only the share is theirs to claim."""
    parts = RevenueSplit(shares=HALVES, trigger=Trigger.PAYMENT)
    story = under(share(), parts)
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    theirs_paid(story)

    assert open_of(story)[PAYMENT] == CLAIM_AWAITS


def test_what_earns_its_author_nothing_awaits_nobody() -> None:
    story = under(share())
    refer(story, "D-1", attributed=False)
    attribute(story, "D-1", OURS)
    win(story, "D-1", usd("1200.00"))
    theirs_paid(story)

    assert open_of(story) == {}


def test_a_cost_awaits_the_party_that_owes_a_part_of_it() -> None:
    halves = CostShare(cost="booth", shares=HALVES)
    story = under(halves)
    story.when(THEIRS, RecordSharedCost(entry="E-1", cost="booth", amount=usd("80.00")))
    assert open_of(story) == {"entry/E-1/entry": CLAIM_AWAITS}

    story.when(OURS, ConfirmClaim(entry="E-1", fact="entry"))

    assert open_of(story) == {}


def test_a_reversal_of_an_entry_that_its_payee_stated_awaits_the_payee() -> None:
    story = under(CostShare(cost="booth", shares=HALVES))
    story.when(THEIRS, RecordSharedCost(entry="E-1", cost="booth", amount=usd("80.00")))
    story.when(OURS, ConfirmClaim(entry="E-1", fact="entry"))

    reversal = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("40.00"), reason="A digit.")
    story.when(OURS, reversal)
    assert open_of(story) == {"entry/E-1/reversal/V-1": CLAIM_AWAITS}
    assert total(story.history) == 40

    story.when(THEIRS, ConfirmClaim(entry="E-1", fact="reversal/V-1"))

    assert open_of(story) == {}
    assert total(story.history) == 20


def test_a_reversal_by_the_party_that_stated_the_entry_awaits_nobody() -> None:
    story = under(CostShare(cost="booth", shares=HALVES))
    cost = RecordSharedCost(entry="E-1", cost="booth", amount=usd("80.00"), paid_by=THEIRS)
    story.when(OURS, cost)

    reversal = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("40.00"), reason="A digit.")
    story.when(OURS, reversal)

    assert open_of(story) == {}
    assert total(story.history) == 20


def test_of_a_refund_that_both_state_the_larger_one_awaits_the_party_that_would_lose() -> None:
    story = sold()
    theirs_paid(story)
    story.when(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1"))
    smaller = IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("20.00"))
    story.when(THEIRS, smaller)
    assert open_of(story) == {}

    story.when(OURS, changed(smaller, amount=usd("40.00")))
    (awaited,) = open_of(story)
    assert awaited.startswith("deal/D-1/refund/R-1@")
    assert total(story.history) == 12

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="refund/R-1"))
    assert open_of(story) == {}
    assert total(story.history) == 9


def test_a_win_awaits_an_answer_though_another_win_of_the_deal_never_happened() -> None:
    story = under(share(basis="first-year", trigger=Trigger.SALE))
    refer(story, "D-1")
    story.when(THEIRS, CreateOpportunity(deal="D-1"))
    first = story.now
    claimed = WinDeal(deal="D-1", annual_contract_value=usd("1200.00"))
    story.when(THEIRS, claimed)
    assert open_of(story) == {f"deal/D-1/win@{instant(first)}": CLAIM_AWAITS}

    story.wait(days=1)
    story.when(THEIRS, CancelDeal(deal="D-1", reason="Withdrawn."))
    story.wait(days=1)
    second = story.now
    story.when(THEIRS, claimed)
    never = CorrectWin(deal="D-1", void=True, reason="Never.", fact_at=second)
    story.when(THEIRS, never)

    assert [*open_of(story)] == [f"deal/D-1/win@{instant(first)}"]


# --- entries that come before their terms ------------------------------------------------------

LATE = Penalty(on=OURS, condition="A report is late.", fee=usd("250.00"))
JOINT = RevenueSplit(shares=HALVES, trigger=Trigger.JOINT_REVENUE)
BOOTH = CostShare(cost="booth", shares=HALVES)
ENTRIES: dict[str, tuple[Item, EntryCommand]] = {
    "joint revenue": (JOINT, RecordJointRevenue(entry="E-1", amount=usd("80.00"))),
    "a shared cost": (
        BOOTH,
        RecordSharedCost(entry="E-1", cost="booth", amount=usd("80.00"), paid_by=THEIRS),
    ),
    "a penalty": (LATE, ConcedePenalty(entry="E-1", condition=LATE.condition)),
}
"""An entry of each kind, with the item that prices it."""
WITHOUT_TERMS = {"entry/E-1": ENTRY_WITHOUT_TERMS}


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_before_its_terms_is_recorded_and_priced_when_they_come(kind: str) -> None:
    item, command = ENTRIES[kind]
    entry, terms = ours("2026-02-10", command), agreed("2026-02-01", item, since=date(2026, 2, 2))
    story = under(share())
    story.on("2026-03-01")

    # In this order nothing is missing at any time.
    assert open_of(arrive(story.copy(), [terms, entry])) == {}
    arrive(story, [entry])
    assert open_of(story) == WITHOUT_TERMS
    assert "No terms of 2026-02-10 price entry E-1." in alert_on(story, "entry/E-1").text
    assert owed(story) == {}

    arrive(story, [terms])

    assert alert_on(story, "entry/E-1").state is not AlertState.OPEN
    earned = in_any_order(under(share()), [entry, terms])
    assert owed(story) == earned == to_them({"2026-02-10": "250.00" if item is LATE else "40.00"})


def test_an_entry_of_a_joint_investment_waits_for_nothing_but_is_priced_by_it() -> None:
    story = under(share())
    propose = example(ProposeJointInvestment, proposal="fund")
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("80.00"), under="fund"))
    assert open_of(story) == WITHOUT_TERMS

    story.when(OURS, propose)
    story.when(THEIRS, AgreeJointInvestment(proposal="fund"))

    assert open_of(story) == {}
    assert [each["item"] for each in lines(story.history)] == ["investment-fund"]


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_without_terms_that_is_reversed_needs_none(kind: str) -> None:
    _, command = ENTRIES[kind]
    story = under(share())
    story.when(OURS, command)
    assert open_of(story) == WITHOUT_TERMS

    reversal = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("80.00"), reason="A mistake.")
    story.when(OURS, reversal)

    assert open_of(story) == {}


def test_an_entry_that_was_settled_before_the_books_begin_needs_no_terms() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))
    joint = RecordJointRevenue(amount=usd("80.00"), entry="E-1")

    arrive(story, [ours("2026-02-10", joint)])
    assert open_of(story) == {}

    arrive(story, [ours("2026-03-10", changed(joint, entry="E-2"))])
    assert open_of(story) == {"entry/E-2": ENTRY_WITHOUT_TERMS}


def test_an_entry_outside_the_term_is_told_to_both() -> None:
    story = under(JOINT)
    early = RecordJointRevenue(entry="E-1", amount=usd("80.00"))
    story.when(OURS, early, happened="2020-01-01")

    assert open_of(story) == WITHOUT_TERMS


def clicks(by: str) -> Story:
    """Return a partnership that pays the partner for clicks, which a party reports."""
    story = under(PER_CLICK)
    story.on("2026-03-02")
    figure = ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1_000))
    story.when(by, figure)
    return story


def test_clicks_that_their_payee_reports_await_the_party_that_pays_for_them() -> None:
    story = clicks(THEIRS)
    about = "figure/clicks/2026-02/ads/-"
    assert open_of(story) == {about: CLAIM_AWAITS}
    assert alert_on(story, about).text == (
        f"{THEIRS} states the figure for clicks in 2026-02 by ads. It counts once {OURS} "
        f"confirms it (ConfirmClaim). {OURS} can object (ObjectToClaim)."
    )

    story.when(OURS, ConfirmClaim(figure=AD_CLICKS, fact="figure"))

    assert open_of(story) == {}


def test_clicks_that_the_party_reports_that_pays_for_them_await_nobody() -> None:
    assert open_of(clicks(OURS)) == {}


NEW_USERS = ReportMetric(metric="new_users", period="2026-02", tool="ads", figure=count(1_000))
BONUS = Hybrid(
    to=THEIRS,
    base=usd("0.00"),
    every="P1Y",
    bonus=usd("7.00"),
    window="quarter",
    bonus_metric="new_users",
    bonus_threshold=900,
)
LEAST = Minimum(
    on=OURS, metric="new_users", window="month", at_least=900, fee=usd("50.00"), per="window"
)


def reported(item: Item, by: str) -> Story:
    story = under(item)
    story.on("2026-03-02")
    story.when(by, NEW_USERS)
    return story


def put_right(story: Story, by: str, report: ReportMetric, number: int) -> None:
    named = report.model_dump(include={"metric", "period", "tool"})
    story.wait(hours=1)
    story.when(by, CorrectMetric(**named, figure=count(number), reason="Robots."))


SHARED = ReportMetric(metric="leads", period="2026-02", tool="ads", figure=count(1_000))


def test_a_correction_of_the_others_figure_awaits_it_also_where_no_money_depends_on_it() -> None:
    story = under(share())
    story.on("2026-03-02")
    story.when(OURS, SHARED)
    put_right(story, THEIRS, SHARED, 900)

    (window,) = open_of(story)
    assert open_of(story) == {window: CLAIM_AWAITS}
    assert alert_on(story, window).text == (
        f"{THEIRS} corrects the figure for leads in 2026-02 by ads. It counts once {OURS} "
        f"confirms it (ConfirmClaim). {OURS} can object (ObjectToClaim)."
    )
    for answer in (ConfirmClaim, lambda **of: ObjectToClaim(**of, reason="It was 1,000.")):
        answered = story.copy()
        answered.when(OURS, answer(figure=AD_LEADS, fact="correction/figure"))
        assert open_of(answered) == {}


def test_silence_does_not_answer_a_correction_of_a_figure_that_no_money_depends_on() -> None:
    story = under(share(), claims=ClaimRules(confirm_within_days=5))
    story.on("2026-03-02")
    story.when(OURS, SHARED)
    put_right(story, THEIRS, SHARED, 900)
    story.wait(days=9)

    (window,) = open_of(story)
    assert alert_on(story, window).answer_by is None


def test_a_correction_of_ones_own_figure_awaits_nobody() -> None:
    story = under(share())
    story.on("2026-03-02")
    story.when(OURS, SHARED)
    story.when(THEIRS, SHARED)
    put_right(story, THEIRS, SHARED, 900)

    assert open_of(story) == {}


def test_a_correction_before_ones_own_figure_awaits_nobody_once_it_arrives() -> None:
    story = under(share())
    story.on("2026-03-02")
    story.when(OURS, SHARED)
    put_right(story, THEIRS, SHARED, 900)
    story.when(THEIRS, SHARED)

    assert open_of(story) == {}


def test_a_correction_of_the_others_figure_awaits_it_before_terms_are_agreed() -> None:
    story = at(Stage.FORMATION)
    story.on("2026-03-02")
    story.when(OURS, SHARED)
    put_right(story, THEIRS, SHARED, 900)

    assert [*open_of(story).values()] == [CLAIM_AWAITS]


def test_clicks_that_the_party_that_pays_for_them_lowers_are_told_to_the_payee() -> None:
    story = clicks(OURS)
    report = ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1_000))
    put_right(story, OURS, report, 990)

    (window,) = open_of(story)
    assert open_of(story) == {window: CORRECTION_TAKES}
    text = alert_on(story, window).text
    assert text == (
        f"{OURS} corrected the figure for clicks in 2026-02 by ads. It counts. {THEIRS} can "
        "confirm it (ConfirmClaim) or object to it (ObjectToClaim)."
    )
    story.when(THEIRS, ConfirmClaim(figure=AD_CLICKS, fact="correction/figure"))

    assert open_of(story) == {}


def test_clicks_that_the_party_that_pays_for_them_raises_are_told_to_nobody() -> None:
    story = clicks(OURS)
    report = ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1_000))
    put_right(story, OURS, report, 1_010)

    assert open_of(story) == {}


@pytest.mark.parametrize(
    ("item", "less", "more"), [(BONUS, 800, 1_100), (LEAST, 1_100, 800)], ids=["bonus", "minimum"]
)
def test_a_figure_that_decides_a_bonus_or_a_minimum_is_watched(
    item: Item, less: int, more: int
) -> None:
    """A lower figure takes a bonus; a higher one takes the fee of a minimum."""
    taking, giving, claimed = (reported(item, by) for by in (OURS, OURS, THEIRS))
    put_right(taking, OURS, NEW_USERS, less)
    put_right(giving, OURS, NEW_USERS, more)

    assert [*open_of(taking).values()] == [CORRECTION_TAKES]
    assert open_of(giving) == {}
    assert [*open_of(claimed).values()] == [CLAIM_AWAITS]


def test_a_figure_that_moves_no_money_is_told_to_nobody() -> None:
    story = reported(share(), OURS)
    put_right(story, OURS, NEW_USERS, 800)

    assert open_of(story) == {}
    assert replay(ALERTS, story.history).rows[STATE].watched == {}


@pytest.mark.parametrize("item", [BONUS, LEAST, PER_CLICK], ids=["bonus", "minimum", "clicks"])
def test_no_alert_shows_a_figure_that_a_party_may_not_see(item: Item) -> None:
    """Both parties see alerts, and not every figure (C14)."""
    secret = count(987_654_321)
    seen = []
    for metric in ("new_users", "clicks"):
        for by in (OURS, THEIRS):
            story = reported(item, OURS)
            report = ReportMetric(metric=metric, period="2026-02", tool="app", figure=secret)
            story.when(by, report)
            put_right(story, by, report, 123_456_789)
            seen += [str(each) for each in alerts(story).values() if each.rule in COMPUTED]

    assert seen
    assert not any("987654321" in each or "123456789" in each for each in seen)


# --- payouts -----------------------------------------------------------------------------------


def owing() -> Story:
    """Return a story with a statement by which we owe them 180.00."""
    story = sold()
    pay(story, "D-1", "P-1", usd("1200.00"))
    story.on("2026-02-01")
    story.when(OURS, IssueStatement(period="2026-01"))
    return story


PAYOUT = RecordPayout(payout="X-1", statement="2026-01:USD", amount=usd("100.00"))
RETURN = ReturnPayout(payout="X-1", reason="The account is closed.")


def test_a_payout_that_the_payer_states_awaits_the_payee() -> None:
    story = owing()
    story.when(OURS, PAYOUT)

    assert open_of(story) == {"payout/X-1/payout": CLAIM_AWAITS}
    text = alert_on(story, "payout/X-1/payout").text
    assert f"counts unless {THEIRS} objects (ObjectToClaim). " in text
    assert text.endswith(f"{THEIRS} can confirm it (ConfirmClaim).")

    story.when(THEIRS, ConfirmClaim(payout="X-1", fact="payout"))

    assert open_of(story) == {}


def test_a_payout_that_the_payee_states_awaits_nobody() -> None:
    story = owing()

    story.when(THEIRS, PAYOUT)

    assert open_of(story) == {}


def test_a_return_that_the_payee_states_awaits_the_payer() -> None:
    story = owing()
    story.when(THEIRS, PAYOUT)
    story.when(THEIRS, RETURN)

    assert open_of(story) == {"payout/X-1/return": CLAIM_AWAITS}
    assert f"counts once {OURS} confirms it" in alert_on(story, "payout/X-1/return").text

    story.when(OURS, RETURN)

    assert open_of(story) == {}


def test_a_payout_that_came_back_awaits_nobody() -> None:
    story = owing()
    story.when(OURS, PAYOUT)
    story.when(OURS, CorrectPayout(payout="X-1", amount=usd("90.00"), reason="A digit."))
    assert "payout/X-1/payout" in open_of(story)

    story.when(OURS, RETURN)

    assert open_of(story) == {}


def test_a_payout_that_its_payer_says_never_happened_awaits_nobody() -> None:
    story = owing()
    story.when(OURS, PAYOUT)

    story.when(OURS, CorrectPayout(payout="X-1", void=True, reason="It was another statement."))

    assert open_of(story) == {}


def test_a_correction_of_the_others_payout_awaits_it_until_it_objects() -> None:
    story = owing()
    story.when(THEIRS, PAYOUT)
    story.when(OURS, CorrectPayout(payout="X-1", amount=usd("120.00"), reason="A digit."))

    assert open_of(story) == {f"payout/X-1/correction/{OURS}": CLAIM_AWAITS}

    story.when(THEIRS, ObjectToClaim(payout="X-1", fact="correction/payout", reason="100 it was."))

    assert open_of(story) == {}


def test_a_higher_amount_than_was_confirmed_awaits_the_payee() -> None:
    story = owing()
    story.when(THEIRS, PAYOUT)
    story.when(OURS, PAYOUT)

    story.when(OURS, CorrectPayout(payout="X-1", amount=usd("120.00"), reason="A digit."))

    (found,) = (each for each in alerts(story).values() if each.rule == CLAIM_AWAITS)
    assert found.window == f"payout/X-1/correction/{OURS}"
    assert f"counts unless {THEIRS} objects" in found.text


# --- due days ----------------------------------------------------------------------------------

OVERDUE = {"2026-01:USD": STATEMENT_OVERDUE}


def due_in(days: int) -> Story:
    """Return a story with a statement of 1 February by which we owe them 180.00."""
    story = under(share(), due_days=days)
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    pay(story, "D-1", "P-1", usd("1200.00"))
    story.on("2026-02-01")
    story.when(OURS, IssueStatement(period="2026-01"))
    return story


def payment(name: str, amount: str) -> RecordPayout:
    return RecordPayout(payout=name, statement="2026-01:USD", amount=usd(amount))


def overdue(story: Story) -> dict[str, str]:
    return {window: rule for window, rule in open_of(story).items() if rule == STATEMENT_OVERDUE}


def test_a_statement_is_due_the_agreed_days_after_its_issue_and_overdue_on_the_next() -> None:
    story = due_in(30)
    (issued,) = story.facts(StatementIssued)
    assert issued.due_on == date(2026, 3, 3)

    story.on("2026-03-03T23:59")
    assert overdue(story) == {}
    story.on("2026-03-04T00:00")

    assert overdue(story) == OVERDUE
    alert = alert_on(story, "2026-01:USD")
    assert f"{OURS} owes {THEIRS} 180.00 USD on 2026-01:USD, due on 2026-03-03" in alert.text
    assert alert.since == moment("2026-03-04T00:00")


SOON = "due-soon statement/2026-01:USD"


def reminders(story: Story) -> list[ReminderGiven]:
    return [each for each in story.facts(ReminderGiven) if each.kind is DeadlineKind.STATEMENT]


def test_the_payer_of_a_statement_is_reminded_before_its_due_day() -> None:
    story = due_in(30)
    story.on("2026-03-01T23:00")
    assert SOON not in states(story)

    story.on("2026-03-02")

    alert = alerts(story)[SOON]
    assert (alert.state, alert.text) == (
        "open",
        "Statement 2026-01:USD is to be paid by 2026-03-03.",
    )
    assert [each.party for each in alert.who_acts] == [OURS]
    story.on("2026-03-04")
    assert states(story)[SOON] == "resolved"
    assert len(reminders(story)) == 1


def test_the_reminder_of_a_statement_ends_when_it_is_paid_and_not_by_a_part_of_it() -> None:
    story = due_in(30)
    story.on("2026-03-02")
    story.when(THEIRS, payment("X-1", "100.00"))
    assert states(story)[SOON] == "open"

    story.when(THEIRS, payment("X-2", "80.00"))

    assert (alerts(story)[SOON].state, alerts(story)[SOON].ended) == ("resolved", "It was paid.")


def test_a_reminder_that_was_given_is_not_given_again_after_a_part_is_paid() -> None:
    story = due_in(30)
    story.on("2026-03-02")
    assert len(reminders(story)) == 1

    story.when(THEIRS, payment("X-1", "100.00"))
    story.on("2026-03-03T12:00")

    assert len(reminders(story)) == 1


def test_without_agreed_days_a_statement_is_due_on_the_day_of_its_issue() -> None:
    story = due_in(0)
    assert story.facts(StatementIssued)[0].due_on == date(2026, 2, 1)

    story.on("2026-02-02T00:00")

    assert overdue(story) == OVERDUE


def test_a_statement_takes_the_days_that_are_agreed_on_the_day_of_its_issue() -> None:
    story = under(share(), due_days=30)
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    pay(story, "D-1", "P-1", usd("1200.00"))
    amend(story, since=date(2026, 2, 1), due_days=10)
    amend(story, since=date(2026, 3, 1), due_days=60)
    story.on("2026-02-01")

    story.when(OURS, IssueStatement(period="2026-01"))

    assert story.facts(StatementIssued)[0].due_on == date(2026, 2, 11)


def test_a_statement_that_is_paid_in_time_is_never_overdue() -> None:
    story = due_in(30)
    story.when(THEIRS, payment("X-1", "180.00"))

    story.on("2026-04-10")

    assert overdue(story) == {}
    assert "statement-overdue" not in {each.rule for each in alerts(story).values()}
    assert DeadlineKind.STATEMENT not in {each.kind for each in story.facts(DeadlinePassed)}


def test_an_overdue_statement_stays_so_until_it_is_paid_in_full() -> None:
    story = due_in(30)
    story.when(THEIRS, payment("X-1", "100.00"))
    story.on("2026-03-10")
    assert "owes brightpath 80.00 USD" in alert_on(story, "2026-01:USD").text

    story.when(OURS, payment("X-2", "50.00"))
    assert overdue(story) == OVERDUE
    story.when(OURS, payment("X-3", "30.00"))
    assert overdue(story) == {}

    # The payee objects, so it is due again.
    story.when(THEIRS, ObjectToClaim(payout="X-3", fact="payout", reason="Nothing arrived."))
    story.wait(minutes=1)
    assert overdue(story) == OVERDUE


def test_a_payout_that_comes_back_after_the_due_day_opens_the_alert_again() -> None:
    story = due_in(30)
    story.when(OURS, payment("X-1", "180.00"))
    story.on("2026-04-10")
    assert overdue(story) == {}

    story.when(OURS, RETURN)
    story.wait(minutes=1)

    assert overdue(story) == OVERDUE
    assert alert_on(story, "2026-01:USD").since == moment("2026-04-10")


def test_a_payment_in_time_that_is_recorded_late_withdraws_the_alert() -> None:
    story = due_in(30)
    story.on("2026-03-10")

    story.when(THEIRS, payment("X-1", "180.00"), happened="2026-03-02")

    assert alert_on(story, "2026-01:USD").state is AlertState.WITHDRAWN


def test_a_return_that_silence_confirms_makes_the_statement_overdue() -> None:
    story = due_in(30)
    amend(story, since=date(2026, 2, 1), claims=ClaimRules(confirm_within_days=10))
    story.when(THEIRS, payment("X-1", "180.00"))
    story.on("2026-03-10")
    story.when(THEIRS, RETURN)
    story.on("2026-03-19")
    assert overdue(story) == {}

    story.on("2026-03-20T00:01")

    assert overdue(story) == OVERDUE


# --- corrections -------------------------------------------------------------------------------


def test_a_correction_that_takes_money_is_told_to_the_party_that_loses_it() -> None:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A typing error.")
    story.when(OURS, less)

    ((about, rule),) = open_of(story).items()
    assert rule == CORRECTION_TAKES
    assert "60.00 USD, not 100.00" in alert_on(story, about).text

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="correction/payment/P-1"))
    assert open_of(story) == {}


def test_a_correction_that_gives_money_takes_none() -> None:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    more = CorrectPayment(deal="D-1", payment="P-1", amount=usd("160.00"), reason="A typing error.")
    story.when(OURS, more)

    assert open_of(story) == {}


def corrected(*amounts: str) -> Story:
    """Return a sale whose payment of 100.00 our side corrects to each amount, a day apart."""
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    for each in amounts:
        story.on(f"{story.now + timedelta(days=1):%Y-%m-%d}")
        right = CorrectPayment(deal="D-1", payment="P-1", amount=usd(each), reason="A slip.")
        story.when(OURS, right)
    return story


def refund_corrected(stated: str, right: str) -> Story:
    """Return a sale whose payment was refunded, and the refund corrected by its author."""
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    story.when(OURS, IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd(stated)))
    story.when(OURS, CorrectRefund(deal="D-1", refund="R-1", amount=usd(right), reason="A slip."))
    return story


def test_a_larger_refund_takes_money_and_a_smaller_one_gives_it() -> None:
    larger = refund_corrected("40.00", "90.00")
    ((about, rule),) = open_of(larger).items()
    assert rule == CORRECTION_TAKES
    assert "90.00 USD, not 40.00 USD" in alert_on(larger, about).text

    assert open_of(refund_corrected("90.00", "40.00")) == {}


def moved(story: Story, right: CorrectPayment) -> str:
    """Let us correct a payment of 100.00; return the text of the alert, or nothing."""
    story.on("2026-02-20")
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    pay(story, "D-1", "P-1", usd("100.00"))
    story.on("2026-03-20")
    story.when(OURS, right)
    found = open_of(story)
    assert set(found.values()) <= {CORRECTION_TAKES}
    return "".join(alert_on(story, window).text for window in found)


SLIP = CorrectPayment(deal="D-1", payment="P-1", amount=usd("100.00"), reason="A slip.")
ANOTHER_DAY = ": on 2026-03-10, not 2026-02-20. It counts."


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ([share("10")], ANOTHER_DAY),
        ([PER_CLICK], ANOTHER_DAY),
        ([share("15", cap=Decimal(100), window="month")], ANOTHER_DAY),
        ([share("20")], ""),
        ([share("15")], ""),
    ],
)
def test_another_day_takes_money_where_the_terms_of_that_day_pay_less(
    later: list[Item], said: str
) -> None:
    story = under(share("15"))
    amend(story, *later, since=date(2026, 3, 1))

    text = moved(story, changed(SLIP, happened_at=moment("2026-03-10")))

    assert said in text
    assert bool(text) is bool(said)


def test_another_day_outside_the_first_year_takes_money() -> None:
    story = under(share("15", basis="first-year"))

    text = moved(story, changed(SLIP, covers_from=date(2027, 6, 1)))

    assert "payment P-1 of deal D-1: for the time from 2027-06-01, not its own day." in text


def test_another_collector_takes_money_where_the_revenue_is_split() -> None:
    split = RevenueSplit(shares=HALVES, trigger=Trigger.PAYMENT)
    right = changed(SLIP, collected_by=THEIRS)

    assert f": collected by {THEIRS}, not {OURS}. " in moved(under(split), right)
    assert not moved(under(share("15")), right)


def test_an_open_alert_says_what_has_become_of_its_facts() -> None:
    story = corrected("80.00", "50.00")
    (window,) = open_of(story)
    before = alert_on(story, window)
    assert "50.00 USD, not 100.00 USD" in before.text
    first = next(each for each in story.history if isinstance(each.event, PaymentCorrected))
    confirmation = ConfirmClaim(
        deal="D-1", fact="correction/payment/P-1", fact_at=first.act.occurred_at
    )

    story.wait(hours=1)
    story.when(THEIRS, confirmation)

    after = alert_on(story, window)
    assert "50.00 USD, not 80.00 USD" in after.text
    assert (after.state, after.since) == (AlertState.OPEN, before.since)
    assert story.history[-1].index in after.evidence


def test_what_the_end_of_the_partnership_resolved_stays_resolved() -> None:
    story = sold()
    theirs_paid(story)
    story.when(OURS, changed(example(GiveExitNotice), effective_on=date(2026, 12, 31)))
    story.on("2026-12-31")
    story.when(OURS, example(IssueFinalSettlement))
    story.agree(OURS, example(ProposeDisposition))
    story.agree(OURS, example(ProposeCompletion))
    assert open_of(story) == {}

    story.wait(hours=1)
    pay(story, "D-1", "P-2", usd("100.00"), happened="2026-02-01")
    assert open_of(story) == {}

    late = ReceivePayment(deal="D-1", payment="P-3", amount=usd("100.00"))
    story.when(THEIRS, late, happened="2026-02-01")
    assert open_of(story) == {"deal/D-1/payment/P-3": CLAIM_AWAITS}


def test_a_correction_that_a_later_one_undoes_takes_nothing() -> None:
    assert open_of(corrected("60.00", "100.00")) == {}


def test_two_corrections_that_take_money_are_one_alert_on_all_of_it() -> None:
    story = corrected("60.00", "80.00")

    ((about, rule),) = open_of(story).items()
    assert rule == CORRECTION_TAKES
    assert "80.00 USD, not 100.00 USD" in alert_on(story, about).text


def test_a_correction_of_what_the_other_stated_awaits_it() -> None:
    story = sold()
    pay(story, "D-1", "P-1", usd("100.00"))
    more = CorrectPayment(deal="D-1", payment="P-1", amount=usd("160.00"), reason="We saw 160.")
    story.when(THEIRS, more)

    assert [*open_of(story).values()] == [CLAIM_AWAITS]


# --- any order of arrival ----------------------------------------------------------------------

OWN_TOUCH = AttributeReferral(deal="D-1", method=Method.UTM, evidence="our page", to=OURS)
OTHER_TOUCH = AttributeReferral(
    deal="D-1", touch="T-2", method=Method.UTM, evidence="our page", to=OURS
)
OWN_CONFIRMED = ConfirmClaim(deal="D-1", fact=f"touch/{OURS}")
SALE: Sequence[Fact] = (*referred("2026-01-12"), won("2026-01-20", usd("1200.00")))
CLAIM = theirs("2026-01-22", ReceivePayment(deal="D-1", payment="P-2", amount=usd("50.00")))
AD_CLICKS = FigureRef(metric="clicks", period="2026-02", tool="ads")
AD_LEADS = FigureRef(metric="leads", period="2026-02", tool="ads")
CLICKS = theirs(
    "2026-03-02",
    ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1_000)),
)
ENTRY = ours("2026-02-10", ENTRIES["joint revenue"][1])
ENTRY_TERMS = agreed("2026-02-09", share(), PER_CLICK, JOINT, since=date(2026, 2, 9))
NO_ENTRY = ReverseEntry(entry="E-1", reversal="V-1", amount=usd("80.00"), reason="A mistake.")
OTHERS: Sequence[Sequence[Fact]] = (
    [ours("2026-01-13", OWN_TOUCH)],
    [ours("2026-01-13", OWN_TOUCH), theirs("2026-01-26", OWN_CONFIRMED)],
    [theirs("2026-01-14", OTHER_TOUCH)],
    [agreed("2026-01-10", since=date(2026, 1, 11), attribution=POLICY)],
    [
        paid("2026-01-21", "P-1", usd("100.00")),
        ours(
            "2026-01-24",
            CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A slip."),
        ),
    ],
    [CLAIM],
    [
        CLAIM,
        ours(
            "2026-01-23", IssueRefund(deal="D-1", refund="R-1", payment="P-2", amount=usd("50.00"))
        ),
    ],
    [CLAIM, ours("2026-01-25", ConfirmClaim(deal="D-1", fact="payment/P-2"))],
    [CLICKS],
    [ENTRY],
    [ENTRY, ENTRY_TERMS],
    [ENTRY, ours("2026-03-04", NO_ENTRY)],
    [CLICKS, ours("2026-03-03", ConfirmClaim(figure=AD_CLICKS, fact="figure"))],
)
"""Facts that come with a sale, each with what it rests on."""


@settings(max_examples=sweep(60, 25))
@given(st.lists(st.sampled_from(range(len(OTHERS))), unique=True, min_size=1), st.data())
def test_the_same_facts_leave_the_same_alerts_open_in_any_order(
    chosen: list[int], data: st.DataObject
) -> None:
    facts: list[Fact] = []
    for each in [*SALE, *(each for place in chosen for each in OTHERS[place])]:
        facts += [] if each in facts else [each]
    shuffled = data.draw(st.permutations(facts))
    story = under(share(), PER_CLICK)
    story.on("2026-02-01")

    assert open_of(arrive(story.copy(), shuffled)) == open_of(arrive(story.copy(), facts))
