"""An alert says how severe it is, who acts and what money is at stake (C12, C24, C25)."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import OpenDispute, ProposeResolution
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.execution import (
    AgreeImprovementPlanOutcome,
    AgreeMilestone,
    AgreeMilestoneReached,
    CloseCampaign,
    InvestmentReduced,
    ProposeAction,
    ProposeCancellation,
    ProposeImprovementPlanOutcome,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeMilestoneReached,
    RaiseIssue,
)
from domain.exit import GiveBreachNotice, GiveExitNotice
from domain.governance import AssignContact, Function
from domain.health import IdentifyRisk, ProposeRiskMitigated, ProposeTarget, RotateManager
from domain.kernel import Command
from domain.payment import CorrectPayment, ReceivePayment
from domain.payouts import RecordPayout
from domain.referral import CreateOpportunity, ProposeAttribution, SubmitReferral
from domain.renewal import HoldRenewalReview, ProposeRenewal
from domain.response import Office, Severity
from domain.settlement import IssueStatement
from domain.standing_alerts import STANDING_ALERTS, WHILE_UNPAID, StandingAlert
from domain.terms import ClaimRules, CostShare, Item, Minimum
from projections import ALERTS, DEADLINES
from projections.alerts import STATE, answered
from projections.deadlines import OPEN, OVERDUE
from projections.fold import replay
from tests.life import OURS, THEIRS, after, before, changed, example, usd
from tests.projections.folds import alerts, running
from tests.projections.money import lines, pay, refer, share, total, under, win
from tests.projections.test_awaited import both_claim
from tests.stories import Story, moment
from tests.sweeps import sweep


def who(story: Story, alert: str, on: str | None = None) -> list[tuple[str, str, str | None]]:
    """Return who acts on an alert: the party, the office and the person; on a day if given."""
    found = alerts(story)[alert]
    if on is not None:
        found = answered(replay(ALERTS, story.history).rows, found, moment(on))
    return [(each.party, each.office.value, each.person) for each in found.who_acts]


def milestone(owner: str | None) -> Story:
    story = running()
    story.when(OURS, example(ProposeMilestone, owner=owner))
    story.when(THEIRS, example(AgreeMilestone))
    story.on("2026-01-21")
    return story


def test_both_managers_act_on_a_missed_milestone_without_an_owner() -> None:
    assert who(milestone(None), "milestone-missed creative-final") == [
        (OURS, "partnership-manager", "Ada"),
        (THEIRS, "partnership-manager", "Boris"),
    ]


def test_only_the_owner_acts_on_a_missed_milestone_that_it_owns() -> None:
    story = milestone(THEIRS)

    assert who(story, "milestone-missed creative-final") == [
        (THEIRS, "partnership-manager", "Boris")
    ]


LAUNCHED = ProposeMilestoneReached(proposal="final", milestone="creative-final")
NO = DeclineProposal(proposal="final", reason="The files are drafts.")
MISSED, REMINDER = "milestone-missed creative-final", "due-soon milestone/creative-final"


def parties(story: Story, alert: str) -> list[str]:
    return [each.party for each in alerts(story)[alert].who_acts]


def test_the_first_word_hands_a_milestone_of_both_to_the_other_party() -> None:
    story = running()
    story.agree(OURS, example(ProposeMilestone, owner=None))
    story.on("2026-01-18")
    assert parties(story, REMINDER) == [OURS, THEIRS]

    story.when(OURS, LAUNCHED)

    assert parties(story, REMINDER) == [THEIRS]
    story.on("2026-01-21")
    assert parties(story, MISSED) == [THEIRS]
    story.when(THEIRS, NO)
    assert parties(story, MISSED) == [OURS, THEIRS]
    story.when(THEIRS, changed(LAUNCHED, proposal="now"))
    assert parties(story, MISSED) == [OURS]
    story.when(OURS, AgreeMilestoneReached(proposal="now"))
    assert alerts(story)[MISSED].state == "resolved"


def test_whoever_said_that_an_improvement_plan_or_an_issue_is_done_awaits_the_other() -> None:
    story = before(AgreeImprovementPlanOutcome)
    story.on("2026-04-01")
    plan = example(ProposeImprovementPlanOutcome).plan
    assert parties(story, f"improvement-due {plan}") == [THEIRS]
    issue = running()
    issue.when(THEIRS, example(RaiseIssue))
    issue.when(THEIRS, example(ProposeIssueResolution))
    issue.wait(hours=48)
    (name,) = [each for each in alerts(issue) if each.startswith("issue-escalated")]
    assert parties(issue, name) == [OURS]


@settings(max_examples=sweep(60, 25))
@given(st.data())
def test_whatever_was_said_or_denied_what_both_own_awaits_whoever_has_not_said_it(
    data: st.DataObject,
) -> None:
    story = running()
    story.agree(OURS, example(ProposeMilestone, owner=None, due=date(2026, 1, 12)))
    asked: dict[str, str] = {}  # By proposal, the party that answers.
    for name in "abcdef":
        story.wait(hours=data.draw(st.integers(1, 48)))
        if asked and data.draw(st.sampled_from(["answer", "say"])) == "answer":
            proposal = data.draw(st.sampled_from([*asked]))
            party, command = data.draw(
                st.sampled_from(
                    [
                        (asked[proposal], DeclineProposal(proposal=proposal, reason="No.")),
                        (OTHER[asked[proposal]], WithdrawProposal(proposal=proposal, reason="No.")),
                    ]
                )
            )
            story.when(party, command)
            del asked[proposal]
        else:
            party = data.draw(st.sampled_from([OURS, THEIRS]))
            story.when(party, changed(LAUNCHED, proposal=name))
            asked[name] = OTHER[party]
        expected = [OURS, THEIRS] if len({*asked.values()}) != 1 else [*{*asked.values()}]
        row = replay(DEADLINES, story.history).rows
        deadlines = [*row[OPEN].open, *(row[OVERDUE].passed if OVERDUE in row else ())]
        (acts,) = [each.party for each in deadlines if each.kind is DeadlineKind.MILESTONE]
        assert [each for each in (OURS, THEIRS) if acts in {each, ""}] == expected
        named = [each for each in (MISSED, REMINDER) if each in alerts(story)]
        for alert in named:
            if alerts(story)[alert].state == "open":
                assert parties(story, alert) == expected


OTHER = {OURS: THEIRS, THEIRS: OURS}


def missed() -> Story:
    return milestone(OURS)


def disputed() -> Story:
    return after(OpenDispute)


def contested() -> Story:
    story = under(share())
    both_claim(story)
    return story


def reviewed() -> Story:
    return after(HoldRenewalReview)


def at_risk() -> Story:
    story = running()
    story.when(OURS, example(IdentifyRisk, likelihood=5, impact=5, owner=OURS))
    return story


def reduced() -> Story:
    """An agreed rule reduced what both spend on a campaign."""
    story = before(CloseCampaign)
    story.recorded(
        InvestmentReduced(
            agreed_version=1, reduction="cut-9", campaign=CAMPAIGN,
            by=Decimal(50), reason="Too few leads.",
        )
    )  # fmt: skip
    return story


MOVED = example(
    ProposeMilestone, proposal="later", owner=OURS, due="2026-02-20", reason="The files are late."
)
GIVEN_UP = example(ProposeCancellation, proposal="later", kind="milestone", ref=MOVED.milestone)
CAMPAIGN = example(CloseCampaign).campaign
SPENT_AGAIN = changed(GIVEN_UP, kind="reduction", ref="cut-9")
MITIGATED = example(ProposeRiskMitigated, proposal="later")
SHARED = ProposeAttribution(
    deal="D-1", proposal="later", shares={OURS: Decimal(50), THEIRS: Decimal(50)}
)
SETTLED = example(ProposeResolution, proposal="later")
RENEWED = example(ProposeRenewal, proposal="later")


@pytest.mark.parametrize("party", [OURS, THEIRS])
@pytest.mark.parametrize(
    ("told", "alert", "proposal", "within"),
    [
        (missed, MISSED, MOVED, None),
        (missed, MISSED, GIVEN_UP, None),
        (reduced, f"investment-reduced {CAMPAIGN}/cut-9", SPENT_AGAIN, None),
        (at_risk, "risk-open R-1", MITIGATED, None),
        (at_risk, "risk-highest R-1", MITIGATED, None),
        (disputed, "dispute-opened Q-1", SETTLED, "dispute/Q-1"),
        (contested, "attribution-contested D-1", SHARED, "deal/D-1"),
        (reviewed, "renewal-open renewal", RENEWED, None),
    ],
    ids=[
        "moved",
        "given up",
        "spent again",
        "mitigated",
        "highest",
        "settled",
        "shared",
        "renewed",
    ],
)
def test_while_a_proposal_can_end_an_alert_who_answers_it_acts(
    told: Callable[[], Story], alert: str, proposal: Command, within: str | None, party: str
) -> None:
    story = told()
    before_it = parties(story, alert)

    story.when(party, proposal)
    assert parties(story, alert) == [OTHER[party]]
    story.when(OTHER[party], DeclineProposal(within=within, proposal="later", reason="No."))

    assert parties(story, alert) == before_it


def test_both_act_on_what_an_agreed_rule_reduced() -> None:
    """It named accord, which is no party."""
    assert parties(reduced(), f"investment-reduced {CAMPAIGN}/cut-9") == [OURS, THEIRS]


def test_an_alert_that_two_proposals_can_end_awaits_both_answers() -> None:
    story = missed()
    story.when(OURS, MOVED)
    story.when(THEIRS, changed(GIVEN_UP, proposal="never"))
    assert parties(story, MISSED) == [OURS, THEIRS]

    story.when(OURS, DeclineProposal(proposal="never", reason="No."))

    assert parties(story, MISSED) == [THEIRS]


def test_an_alert_that_opens_while_a_proposal_waits_names_who_answers_it() -> None:
    story = running()
    story.agree(OURS, example(ProposeMilestone, owner=OURS))
    story.when(OURS, MOVED)

    story.on("2026-01-21")

    assert parties(story, MISSED) == [THEIRS]


def test_a_manager_who_handed_over_is_named_up_to_the_handover_and_the_successor_from_then() -> (
    None
):
    story = milestone(THEIRS)
    story.when(
        THEIRS,
        RotateManager(effective_on=date(2026, 3, 1), former="Boris", successor="Bella"),
    )

    assert who(story, "milestone-missed creative-final", "2026-02-28") == [
        (THEIRS, "partnership-manager", "Boris")
    ]
    assert who(story, "milestone-missed creative-final", "2026-03-01") == [
        (THEIRS, "partnership-manager", "Bella")
    ]


def test_an_issue_that_is_escalated_names_both_executive_sponsors() -> None:
    story = running()
    story.when(THEIRS, example(RaiseIssue))
    story.wait(hours=48)
    (name,) = [each for each in alerts(story) if each.startswith("issue-escalated")]

    assert who(story, name) == [
        (OURS, "executive-sponsor", "Ada senior"),
        (THEIRS, "executive-sponsor", "Boris senior"),
    ]
    assert alerts(story)[name].severity is Severity.CRITICAL


def overdue() -> Story:
    story = after(IssueStatement)
    story.on("2026-06-01")
    return story


def test_an_overdue_statement_names_its_payer_and_what_is_open() -> None:
    story = overdue()
    (name,) = [each for each in alerts(story) if each.startswith("statement-overdue")]
    alert = alerts(story)[name]
    payer, statement = alert.who_acts[0].party, alert.window
    open_ = story.left(statement)
    ((currency, at_stake),) = alert.at_stake.items()

    assert (alert.severity, at_stake) == (Severity.CRITICAL, open_)
    # Nobody is named for finance, so the manager acts.
    assert [each[0:2] for each in who(story, name)] == [(payer, "partnership-manager")]

    story.when(payer, AssignContact(function=Function.FINANCE, name="Fritz"))
    assert who(story, name, "2026-06-02") == [(payer, "finance", "Fritz")]
    paid = {"amount": "1.00", "currency": currency}
    story.when(
        payer,
        RecordPayout.model_validate({"payout": "X-1", "statement": statement, "amount": paid}),
    )
    assert alerts(story)[name].at_stake == {currency: open_ - Decimal("1.00")}
    assert ALERTS.dump(alert.id, alerts(story)[name])["at_stake"] == {
        currency: str(open_ - Decimal("1.00"))
    }


def test_a_dispute_goes_to_the_sponsors_with_the_disputed_money() -> None:
    story = after(OpenDispute)
    (name,) = [each for each in alerts(story) if each.startswith("dispute-opened")]
    command = example(OpenDispute)
    assert command.amount is not None

    alert = alerts(story)[name]
    assert {each.office for each in alert.who_acts} == {Office.SPONSOR}
    assert alert.at_stake == {command.amount.currency: command.amount.amount}


def test_an_overdue_action_names_its_owner_and_an_overdue_answer_the_party_that_was_asked() -> None:
    story = running()
    story.agree(OURS, example(ProposeAction, owner=THEIRS, due=date(2026, 2, 10)))
    story.on("2026-02-11")
    (action,) = [each for each in alerts(story) if each.startswith("action-overdue")]
    assert [each[0] for each in who(story, action)] == [THEIRS]

    story = after(ProposeTarget)
    asking = story.history[-1].act.party
    story.on("2026-12-31")
    (answer,) = [each for each in alerts(story) if each.startswith("answer-overdue")]
    assert [each[0] for each in who(story, answer)] == [THEIRS if asking == OURS else OURS]


def test_a_breach_goes_to_the_other_party_and_a_risk_to_its_owner() -> None:
    story = after(GiveBreachNotice)
    (name,) = [each for each in alerts(story) if each.startswith("breach-notice")]
    author = story.history[alerts(story)[name].cause].act.party
    assert [each[0] for each in who(story, name)] == [THEIRS if author == OURS else OURS]

    story = running()
    story.when(OURS, example(IdentifyRisk, likelihood=5, impact=4, owner=OURS))
    (name,) = [each for each in alerts(story) if each.startswith("risk-highest")]
    assert [each[0] for each in who(story, name)] == [OURS]


@pytest.mark.parametrize("standing", STANDING_ALERTS, ids=lambda each: each.rule)
def test_each_kind_says_why_it_is_as_severe_as_it_is(standing: StandingAlert) -> None:
    assert re.fullmatch(r"[A-Z][^.]+\.", standing.response.because)


def sold(*items: Item) -> Story:
    story = under(*items)
    refer(story, "D-1")
    win(story, "D-1", usd("1200.00"))
    return story


def at_stake(story: Story, alert: str) -> dict[str, str]:
    return {unit: f"{amount}" for unit, amount in alerts(story)[alert].at_stake.items()}


def test_a_claimed_payment_has_at_stake_what_it_would_earn() -> None:
    story = sold(share("15"))
    story.when(THEIRS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00")))
    alert = "claim-awaits-confirmation deal/D-1/payment/P-1"

    assert [each[0] for each in who(story, alert)] == [OURS]
    assert at_stake(story, alert) == {"USD": "15.00"}
    story.when(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1"))
    assert sum(Decimal(each["amount"]) for each in lines(story.history)) == Decimal("15.00")


def test_a_refund_of_the_partner_and_a_lower_payment_have_at_stake_what_they_take() -> None:
    story = sold(share("15"))
    pay(story, "D-1", "P-1", usd("100.00"))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("60.00"), reason="A typing error.")
    story.when(OURS, less)
    (alert,) = [each for each in alerts(story) if each.startswith("correction-takes-money")]

    assert [each[0] for each in who(story, alert)] == [THEIRS]
    assert at_stake(story, alert) == {"USD": "6.00"}


def test_a_claim_that_tiers_price_has_no_amount() -> None:
    story = sold(share("15", cap=Decimal("500.00"), window="year"))
    story.when(THEIRS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00")))

    assert at_stake(story, "claim-awaits-confirmation deal/D-1/payment/P-1") == {}


def test_a_claimed_cost_has_at_stake_the_part_of_the_other_party() -> None:
    parts = {OURS: Decimal(60), THEIRS: Decimal(40)}
    story = under(CostShare(cost="hosting", shares=parts))
    story.when(THEIRS, RecordSharedCost(entry="E-1", cost="hosting", amount=usd("50.00")))

    assert at_stake(story, "claim-awaits-confirmation entry/E-1/entry") == {"USD": "30.00"}


def minimum(
    per: Literal["window", "missing"],
    on: str = THEIRS,
    waiting: tuple[str, ...] = (),
    **frame: object,
) -> Story:
    """Terms with a fee for fewer than 12 leads a quarter; three came in a quarter that is over."""
    item = Minimum(on=on, metric="leads", window="quarter", at_least=12, fee=usd("50.00"), per=per)
    story = under(item, minimum_referrals_per_quarter={THEIRS: 10}, **frame)
    story.on("2026-04-01")
    for name in ("D-1", "D-2", "D-3"):
        refer(story, name)
        story.when(OURS, CreateOpportunity(deal=name))
    story.on("2026-06-29")
    for name in waiting:
        refer(story, name)
    story.on("2026-07-01")
    return story


@pytest.mark.parametrize(("per", "fee"), [("window", "50.00"), ("missing", "450.00")])
def test_a_missed_minimum_of_referrals_has_at_stake_its_fee(
    per: Literal["window", "missing"], fee: str
) -> None:
    story = minimum(per)

    assert at_stake(story, "referral-minimum 2026-Q2") == {"USD": fee}
    assert lines(story.history)[-1]["amount"] == fee


def of_the_ledger(story: Story) -> dict[str, str]:
    """Return the fee that the ledger has for the second quarter."""
    return {"USD": f"{total(story.history, to=OURS)}"}


def test_a_lead_that_is_recorded_late_lowers_the_fee_at_stake_once_it_is_accepted() -> None:
    story = minimum("missing")

    story.when(THEIRS, SubmitReferral(deal="D-4", lead="late"), happened="2026-06-30")
    assert at_stake(story, "referral-minimum 2026-Q2") == {"USD": "450.00"}
    story.when(OURS, ConfirmClaim(deal="D-4", fact="referral"))

    assert at_stake(story, "referral-minimum 2026-Q2") == {"USD": "400.00"}
    assert of_the_ledger(story) == {"USD": "400.00"}


def test_the_fee_at_stake_is_that_of_the_ledger_while_leads_await_an_answer() -> None:
    story = minimum("missing", claims=ClaimRules(confirm_within_days=20), waiting=("D-7", "D-8"))
    alert = "referral-minimum 2026-Q2"
    assert at_stake(story, alert) == of_the_ledger(story) == {"USD": "450.00"}

    story.when(OURS, ObjectToClaim(deal="D-7", fact="referral", reason="A client of ours."))
    assert at_stake(story, alert) == of_the_ledger(story) == {"USD": "450.00"}
    # Silence accepts the other one.
    story.on("2026-07-25")
    assert at_stake(story, alert) == of_the_ledger(story) == {"USD": "400.00"}


def test_a_missed_minimum_has_at_stake_the_fee_of_whichever_party_pays_one() -> None:
    story = minimum("window", on=OURS)

    assert at_stake(story, "referral-minimum 2026-Q2") == {"USD": "50.00"}
    assert total(story.history, to=THEIRS) == Decimal("50.00")


def test_an_entry_that_no_terms_price_has_at_stake_what_is_left_of_it() -> None:
    story = under(share())
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))
    assert at_stake(story, "entry-without-terms entry/E-1") == {"USD": "100.00"}

    part = ReverseEntry(entry="E-1", reversal="R-1", amount=usd("30.00"), reason="Mistyped.")
    story.when(OURS, part)

    assert at_stake(story, "entry-without-terms entry/E-1") == {"USD": "70.00"}


def test_an_end_of_the_partnership_has_at_stake_what_is_open_on_statements() -> None:
    story = after(IssueStatement)
    ((statement, (currency, open_)),) = replay(ALERTS, story.history).rows[STATE].unpaid.items()
    payer = story.partnership.settlement.payouts.owed[statement].payer
    story.when(OURS, example(GiveExitNotice))
    story.when(OURS, example(GiveBreachNotice))
    ending = [each for each in alerts(story) if each.split(" ")[0] in WHILE_UNPAID]
    assert len(ending) == 2
    assert [at_stake(story, each) for each in ending] == [{currency: f"{open_}"}] * 2

    part = {"payout": "X-1", "statement": statement, "amount": usd("1.00")}
    story.when(payer, RecordPayout.model_validate(part))
    assert [at_stake(story, each) for each in ending] == [{currency: f"{open_ - 1}"}] * 2

    rest = part | {"payout": "X-2", "amount": usd(f"{open_ - 1}")}
    story.when(payer, RecordPayout.model_validate(rest))
    assert [at_stake(story, each) for each in ending] == [{}] * 2
