"""Every kind of alert opens in a small life, and ends in each way that its row allows.

`STANDING` opens each kind. Here are its endings: one for each event that the table of alerts names
and, where facts decide, one for each fact that does. In a partnership that was formed
here the ending happens at once, in an adopted one after a time, and the alert is resolved. What
happened before the alert opened, or corrects what opened it, withdraws it. A kind or an event
without an ending fails.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple

import pytest

from domain.agreement import CounterTerms, ProposeTerms
from domain.bilateral import BilateralAgreement, DeclineProposal, WithdrawProposal
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.dispute import AcceptResolution, ProposeResolution, WithdrawDispute
from domain.entry import ReverseEntry
from domain.examples import PAYOUT
from domain.execution import (
    CloseCampaign,
    CompleteAction,
    CompleteOnboardingStep,
    ProposeAction,
    ProposeCampaign,
    ProposeCancellation,
    ProposeImprovementPlan,
    ProposeImprovementPlanOutcome,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeOnboardingStep,
    ProposePause,
    ProposeReduction,
    ProposeReview,
    ProposeReviewHeld,
    ReachMilestone,
)
from domain.exit import (
    ExitNoticeGiven,
    GiveExitNotice,
    PartnershipExited,
    ProposeCure,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.experiment import RegisterHypothesis, StartPilot
from domain.formation import DRAFT, DraftAgreement, SignAgreement
from domain.governance import CommitResources
from domain.health import (
    IdentifyRisk,
    ProposeContribution,
    ProposeRiskMitigated,
    ProposeTarget,
    RecordAudit,
    RecordContribution,
    RecordHealthCheck,
)
from domain.kernel import Command, Refused, Stage
from domain.payouts import RecordPayout
from domain.referral import AgreeAttribution, CreateOpportunity, ProposeAttribution
from domain.renewal import HoldRenewalReview, ProposeAnnualReview, ProposeRenewal
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.second_person import SecondPersonAsked, WithdrawAct
from domain.standing_alerts import BY_RULE, DUE_SOON
from domain.terms import Cadence, RevenueSplit, Trigger
from domain.values import Money
from domain.viewing import CosignatureResumed
from projections.alerts import AlertState
from tests.infra.answers.test_every_alert import ON_RUNNING, STANDING
from tests.life import OURS, SECTIONS, THEIRS, adopted, after, at, changed, example, usd
from tests.projections import test_figures_differ as differ
from tests.projections.folds import alerts, refer_many
from tests.projections.money import amend, share
from tests.stories import Story

ACCEPTED: Final = "its acceptance"
RESOLVED, WITHDRAWN = AlertState.RESOLVED, AlertState.WITHDRAWN


JOINT: Final = RevenueSplit(
    shares={OURS: Decimal(60), THEIRS: Decimal(40)}, trigger=Trigger.JOINT_REVENUE
)
"""What prices an entry of joint revenue."""


class Ending(NamedTuple):
    """What ends an alert."""

    does: Callable[[Story, str | None], object]
    """Lets it happen in a story; the second argument is when it happened, if that is not now."""
    state: AlertState = RESOLVED
    """What it makes of the alert, if it happened after the alert opened."""
    can_be_late: bool = False
    """Whether it may have happened before the alert opened, and be recorded only now."""
    waits: int = 60
    """The most hours that it waits."""


def by(party: str, command: Command, *, late: bool = False, waits: int = 60) -> Ending:
    """Return the ending by a command of one party."""
    return Ending(
        lambda story, at: story.when(party, command, happened=at), can_be_late=late, waits=waits
    )


def both(proposal: Callable[[Story], Command], *, late: bool = False) -> Ending:
    """Return the ending by an agreement."""
    return Ending(
        lambda story, at: story.agree(OURS, proposal(story), happened=at), can_be_late=late
    )


def corrected(party: str, command: Command) -> Ending:
    """Return the ending by a correction of what opened the alert."""
    return Ending(lambda story, _: story.when(party, command), WITHDRAWN)


DAYS: Final = ("due", "at", "deadline", "last_day")
"""The fields that hold the day of what is planned."""


def again(kind: type[Command], **fields: object) -> Ending:
    """Return the ending by another day, a month from now, for what was planned."""

    def moved(story: Story) -> Command:
        named = next(each for each in DAYS if each in kind.model_fields)
        then = story.now + timedelta(days=30)
        when = then if named == "at" else then.date()
        return example(kind, proposal="again", reason="It takes longer.", **{named: when}, **fields)

    return both(moved)


def given_up(kind: str, ref: str) -> Ending:
    return both(
        lambda _: ProposeCancellation(proposal="stop", kind=kind, ref=ref, reason="Not needed.")
    )


def leaves(story: Story, _: str | None = None) -> None:
    """Both agree to end it in ten days."""
    day = (story.now + timedelta(days=10)).date()
    story.agree(OURS, ProposeExit(exit="end", explanation="Other plans.", effective_on=day))


def left(story: Story, _: str | None) -> None:
    """Both agree to end it, and that takes effect."""
    leaves(story)
    story.wait(days=11)


def notice(story: Story, _: str | None = None) -> None:
    """One of them gives notice, in a year."""
    day = (story.now + timedelta(days=365)).date()
    story.when(OURS, example(GiveExitNotice, exit="leave", effective_on=day))


def renews(story: Story, _: str | None = None) -> None:
    story.when(OURS, example(HoldRenewalReview, review="before-it"))
    story.agree(OURS, example(ProposeRenewal, proposal="on"))


def extends(story: Story, _: str | None) -> None:
    amend(story, since=story.now.date(), duration="P9Y")


EXIT: Final = Ending(left)
CURED: Final = both(lambda _: example(ProposeCure, proposal="mended"), late=True)
RENEWED, NOTICE, LEAVING = Ending(renews), Ending(notice), Ending(leaves)


def check(party: str, **ratings: int) -> Ending:
    """Return the ending by the next health check of a party, once its quarter has begun."""
    next_ = RecordHealthCheck(period="2026-Q2", trust=4, communication=4, value_delivery=4)

    def rated(story: Story, at: str | None) -> None:
        story.on("2026-04-02")
        story.when(party, changed(next_, **ratings), happened=at)

    return Ending(rated)


def recount(**ratings: int) -> Ending:
    """Return the ending by a correction of the health check that opened the alert."""
    wrong = RecordHealthCheck(period="2026-Q1", trust=4, communication=4, value_delivery=4)
    return corrected(OURS, changed(wrong, **ratings, change_reason="A typing error."))


def paid(story: Story, at: str | None) -> None:
    (name,) = story.partnership.settlement.payouts.overdue
    owed = story.partnership.settlement.payouts.owed[name]
    left_ = Money(amount=story.left(name), currency=owed.currency)
    story.when(owed.payer, RecordPayout(payout="rest", statement=name, amount=left_), happened=at)


def reported(story: Story, at: str | None) -> None:
    for metric, unit in (("new_users", "count"), ("new_subscribers", "count")):
        figure = ReportedFigure(unit=unit, value=Decimal(10))
        for month in ("2026-01", "2026-02"):
            command = ReportMetric(metric=metric, period=month, tool="crm", figure=figure)
            with suppress(Refused):
                story.when(OURS, command, happened=at)


def held_next_day(story: Story, _: str | None) -> None:
    story.on("2026-02-01T12:00")
    story.agree(OURS, example(ProposeReviewHeld), happened="2026-01-30T12:00")


def decided(story: Story, _: str | None) -> None:
    story.when(THEIRS, example(ProposeResolution))
    story.when(OURS, example(AcceptResolution))


def halves(story: Story, _: str | None) -> None:
    shares = {OURS: Decimal(50), THEIRS: Decimal(50)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="half", shares=shares))
    story.when(THEIRS, AgreeAttribution(deal="D-1", proposal="half"))


def both_check(story: Story, _: str | None) -> None:
    for party in (OURS, THEIRS):
        story.when(party, example(RecordHealthCheck, period="2026-Q2"))


def waited(story: Story, days: int) -> Story:
    """Return a story some days later."""
    story.wait(days=days)
    return story


def cadence(**kinds: str) -> Story:
    """Return a story in which something that is done in a cadence is overdue."""
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 1, 6), cadence=Cadence.model_validate(kinds))
    return waited(story, 370)


OPENED: Final[dict[tuple[str, str], Callable[[], Story]]] = {
    ("cadence-missed", "AnnualReviewHeld"): lambda: cadence(annual_review="yearly"),
    ("cadence-missed", "ComplianceAudited"): lambda: cadence(audit="yearly"),
    ("cadence-missed", "HealthCheckRecorded"): lambda: cadence(health_check="quarterly"),
    ("answer-overdue", "TermsCountered"): lambda: waited(after(ProposeTerms), 15),
    ("answer-overdue", "PilotStarted"): lambda: waited(after(RegisterHypothesis), 15),
    **{
        ("investment-reduced", way): lambda: after(ProposeReduction)
        for way in ("its campaign", "CampaignClosed")
    },
}
"""The openings of the endings that need another life than that of their kind of alert."""


def ten_leads(story: Story, _: str | None) -> None:
    """A quarter with enough of them follows."""
    refer_many(story, range(10))
    story.on("2026-07-01")


def leads_in_time(number: int) -> Ending:
    """Return the ending by leads of January that are recorded only now."""
    return Ending(
        lambda story, _: refer_many(story, range(100, 100 + number), happened="2026-01-20"),
        WITHDRAWN,
    )


ENDINGS: Final[dict[str, dict[str, Ending]]] = {
    "milestone-missed": {
        "MilestoneReached": by(OURS, example(ReachMilestone), late=True),
        "MilestonePlanned": again(ProposeMilestone),
        "CommitmentCancelled": given_up("milestone", "creative-final"),
        "DeadlinePassed": EXIT,
    },
    "action-overdue": {
        "ActionCompleted": by(THEIRS, example(CompleteAction), late=True),
        "ActionAgreed": again(ProposeAction),
        "CommitmentCancelled": given_up("action", "A-1"),
    },
    "onboarding-overdue": {
        "OnboardingStepCompleted": by(THEIRS, example(CompleteOnboardingStep), late=True),
        "OnboardingStepAgreed": again(ProposeOnboardingStep),
        "CommitmentCancelled": given_up("step", "access"),
        "DeadlinePassed": EXIT,
    },
    "contribution-overdue": {
        "ContributionRecorded": by(THEIRS, example(RecordContribution), late=True),
        "ContributionPromised": both(
            lambda _: example(
                ProposeContribution, proposal="again", period="2026", reason="It takes longer."
            )
        ),
        "CommitmentCancelled": given_up("contribution", "C-1"),
        "DeadlinePassed": EXIT,
    },
    "campaign-over": {
        "CampaignClosed": by(THEIRS, example(CloseCampaign), late=True),
        "CampaignAgreed": again(ProposeCampaign),
        "CommitmentCancelled": given_up("campaign", "launch"),
        "DeadlinePassed": EXIT,
    },
    "issue-escalated": {
        "IssueResolved": both(lambda _: example(ProposeIssueResolution), late=True),
    },
    "improvement-due": {
        "ImprovementPlanCompleted": both(lambda _: example(ProposeImprovementPlanOutcome)),
        "ImprovementPlanAgreed": again(ProposeImprovementPlan),
        "DeadlinePassed": EXIT,
    },
    "pause-over": {
        "ActivityPaused": both(
            lambda _: example(ProposePause, proposal="again", last_day=date(2028, 1, 1))
        ),
        "CommitmentCancelled": given_up("pause", "Z-1"),
        "DeadlinePassed": EXIT,
    },
    "review-missed": {
        "ReviewHeld": both(lambda _: example(ProposeReviewHeld), late=True),
        "ReviewScheduled": again(ProposeReview),
        "CommitmentCancelled": given_up("review", "operations-1"),
    },
    "due-soon": {
        "ReviewHeld": Ending(held_next_day),
        "ReviewScheduled": again(ProposeReview),
        "CommitmentCancelled": given_up("review", "operations-1"),
        "ReviewMissed": Ending(lambda story, _: story.wait(days=3)),
    },
    "breach-notice": {"BreachCured": CURED, "DeadlinePassed": EXIT},
    "breach-not-cured": {"BreachCured": CURED, "DeadlinePassed": EXIT},
    "notice-due": {
        "CommercialTermsAgreed": Ending(extends),
        "PartnershipRenewed": RENEWED,
        "ExitNoticeGiven": NOTICE,
        "ExitAgreed": LEAVING,
        "DeadlinePassed": Ending(lambda story, _: story.wait(days=31)),
    },
    "renewal-declined": {
        "PartnershipRenewed": Ending(
            lambda story, _: story.agree(OURS, example(ProposeRenewal, proposal="on"))
        ),
        "ExitNoticeGiven": NOTICE,
        "ExitAgreed": LEAVING,
    },
    "renewal-open": {
        "PartnershipRenewed": Ending(
            lambda story, _: story.agree(OURS, example(ProposeRenewal, proposal="on"))
        ),
        "ExitNoticeGiven": NOTICE,
        "ExitAgreed": LEAVING,
    },
    "exit-ahead": {
        "ExitWithdrawn": both(
            lambda story: example(
                ProposeExitWithdrawal,
                proposal="stay",
                exit=story.facts(ExitNoticeGiven)[-1].exit,
            )
        ),
        "DeadlinePassed": EXIT,
    },
    "dispute-opened": {
        "DisputeResolved": Ending(decided),
        "by withdrawal": by(OURS, example(WithdrawDispute, dispute="Q-1")),
    },
    "risk-highest": {
        "RiskMitigated": both(lambda _: example(ProposeRiskMitigated)),
        "CommitmentCancelled": given_up("risk", "R-1"),
        "RiskIdentified": by(
            OURS, example(IdentifyRisk, likelihood=1, change_reason="It is unlikely.")
        ),
    },
    "risk-open": {
        "RiskMitigated": both(lambda _: example(ProposeRiskMitigated)),
        "CommitmentCancelled": given_up("risk", "R-1"),
    },
    "witness-refuses": {
        "CosignatureResumed": Ending(
            lambda story, _: story.recorded(CosignatureResumed(witness="w", size=12))
        ),
    },
    "term-ended": {
        "CommercialTermsAgreed": Ending(extends),
        "PartnershipRenewed": RENEWED,
        "ExitNoticeGiven": NOTICE,
        "ExitAgreed": LEAVING,
    },
    "exit-incomplete": {},
    "cadence-missed": {
        "ReviewHeld": both(
            lambda _: example(ProposeReviewHeld, review="weekly-1", kind="operational")
        ),
        "AnnualReviewHeld": both(lambda _: example(ProposeAnnualReview)),
        "ComplianceAudited": by(OURS, example(RecordAudit)),
        "HealthCheckRecorded": Ending(both_check),
        "DeadlinePassed": EXIT,
        "another cadence": Ending(
            lambda story, _: amend(
                story,
                since=story.now.date(),
                cadence=Cadence(operational="none"),
            )
        ),
    },
    "answer-overdue": {
        ACCEPTED: both(lambda _: example(ProposeTarget))._replace(waits=12),
        "ProposalDeclined": by(
            THEIRS, DeclineProposal(proposal="target-1", reason="Too few."), waits=12
        ),
        "ProposalWithdrawn": by(
            OURS, WithdrawProposal(proposal="target-1", reason="Too few."), waits=12
        ),
        "ProposalLapsed": Ending(lambda story, _: story.wait(days=2), waits=12),
        "TermsCountered": by(THEIRS, example(CounterTerms)),
        "PilotStarted": by(THEIRS, example(StartPilot)),
    },
    "signature-overdue": {
        "AgreementSigned": by(THEIRS, SignAgreement(agreement_version=2)),
        "AgreementDrafted": by(
            OURS, DraftAgreement(sections=changed(SECTIONS, roles="With two deputies."))
        ),
        "ProposalDeclined": by(
            THEIRS, DeclineProposal(proposal="2", agreement=DRAFT, reason="No deputy.")
        ),
        "ProposalWithdrawn": by(
            OURS, WithdrawProposal(proposal="2", agreement=DRAFT, reason="No deputy.")
        ),
        "ProposalLapsed": EXIT,
    },
    "confirmation-missed": {
        "ActWithdrawn": Ending(
            lambda story, _: story.when(
                OURS,
                WithdrawAct(act=story.facts(SecondPersonAsked)[-1].act, reason="It is paid later."),
            )
        ),
        "SecondPersonAsked": by(OURS, PAYOUT),
    },
    "investment-reduced": {
        "CommitmentCancelled": by(
            OURS,
            ProposeCancellation(
                proposal="stop", kind="reduction", ref="cut-1", reason="It is spent again."
            ),
        ),
        "its campaign": given_up("campaign", "launch"),
        "CampaignClosed": by(THEIRS, example(CloseCampaign)),
        "DeadlinePassed": EXIT,
    },
    "commitment-lowered": {
        "ResourcesCommitted": by(OURS, example(CommitResources)),
        "ReviewHeld": both(lambda _: example(ProposeReviewHeld, review="r", kind="operational")),
        "the next month": Ending(lambda story, _: story.wait(days=62)),
    },
    "referral-minimum": {"a better quarter": Ending(ten_leads), "leads": leads_in_time(12)},
    "figure-overdue": {"MetricReported": Ending(reported)},
    "figures-differ": {
        "MetricCorrected": by(OURS, differ.corrected(5000)),
        "ClaimConfirmed": by(OURS, ConfirmClaim(figure=differ.named(), fact="figure")),
    },
    "objective-missed": {
        "TargetAdjusted": both(
            lambda story: example(
                ProposeTarget,
                objective="referrals",
                target=Decimal(9),
                deadline=(story.now + timedelta(days=60)).date(),
            )
        ),
        "leads": leads_in_time(5),
    },
    "audit-failed": {
        "a passed audit": by(OURS, example(RecordAudit, audit="U-2", passed=True)),
        "a correction": corrected(
            OURS, example(RecordAudit, passed=True, change_reason="A typing error.")
        ),
    },
    "health-low": {"the next check": check(OURS), "a correction": recount(trust=3)},
    "health-diverges": {
        "the next check": check(OURS),
        "a correction": recount(communication=3),
    },
    "attribution-contested": {
        "AttributionSettled": Ending(halves),
    },
    "lead-awaits-answer": {
        "OpportunityCreated": by(OURS, CreateOpportunity(deal="D-1")),
        "ClaimConfirmed": by(OURS, ConfirmClaim(deal="D-1", fact="referral")),
        "ClaimObjected": by(OURS, ObjectToClaim(deal="D-1", fact="referral", reason="Ours.")),
        "silence": Ending(lambda story, _: story.wait(days=11)),
    },
    "lead-unanswered": {
        "OpportunityCreated": by(OURS, CreateOpportunity(deal="D-1")),
        "ClaimConfirmed": by(OURS, ConfirmClaim(deal="D-1", fact="referral")),
        "ClaimObjected": by(OURS, ObjectToClaim(deal="D-1", fact="referral", reason="Ours.")),
    },
    "lead-rejected": {"ClaimConfirmed": by(OURS, ConfirmClaim(deal="D-1", fact="referral"))},
    "claim-awaits-confirmation": {
        "ClaimConfirmed": by(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1")),
        "ClaimObjected": by(OURS, ObjectToClaim(deal="D-1", fact="payment/P-1", reason="Less.")),
    },
    "correction-takes-money": {
        "ClaimConfirmed": by(THEIRS, ConfirmClaim(deal="D-1", fact="correction/payment/P-1")),
        "ClaimObjected": by(
            THEIRS, ObjectToClaim(deal="D-1", fact="correction/payment/P-1", reason="No.")
        ),
    },
    "entry-without-terms": {
        "CommercialTermsAgreed": Ending(
            lambda story, _: amend(story, share(), JOINT, since=story.now.date()), waits=0
        ),
        "EntryReversed": by(
            OURS,
            ReverseEntry(
                entry="E-1", reversal="R-1", amount=usd("100.00"), reason="It was no joint revenue."
            ),
        ),
    },
    "statement-overdue": {"PayoutRecorded": Ending(paid)},
}
"""What ends each kind of alert, by the event that does or, where facts decide, in words."""


ACCEPTANCES: Final = {each.wire for each in BilateralAgreement.__subclasses__()}
"""The events that accept a proposal. One stands for all, which `test_agreements` plays."""

NEVER: Final = {
    "exit-incomplete": {
        "ExitNoticeGiven": "An exit that took effect is not moved",
        "ExitAgreed": "An exit that took effect is not moved",
        "ExitWithdrawn": "An exit that took effect is not withdrawn",
    },
    "confirmation-missed": {"ActConfirmed": "The act has lapsed"},
}
"""The events that close a deadline only before its alert opens, with the reason."""

LASTING: Final = {"dispute-opened", "statement-overdue"}
"""The alerts that the end of the partnership leaves open."""

TERM_ENDS: Final = {"notice-due": "2026-07-03", "term-ended": "2026-10-01"}
"""The day on which the term of an adopted partnership opens an alert."""


def ways(rule: str) -> set[str]:
    """Return the events of the table that end an alert."""
    found = {each.event.wire for each in BY_RULE[rule].closed_by} - NEVER.get(rule, {}).keys()
    if rule == "answer-overdue":
        return found - ACCEPTANCES | {ACCEPTED}
    # A reminder of a review stands for all: the endings of the others are those of their alerts.
    return found & ENDINGS[rule].keys() if rule == DUE_SOON else found


def test_every_kind_of_alert_and_every_event_that_ends_one_is_played() -> None:
    assert ENDINGS.keys() == BY_RULE.keys()
    for rule, endings in ENDINGS.items():
        assert ways(rule) <= endings.keys(), rule
        assert endings or rule in NEVER, rule


@cache
def opened(rule: str, way: str = "") -> Story:
    return OPENED.get((rule, way), STANDING[rule])()


@cache
def adopted_and_opened(rule: str, way: str) -> Story:
    """Return a partnership that was adopted, in which an alert is open.

    One that was formed here, where the alert is about deals, figures or another life.
    """
    if rule in TERM_ENDS:
        return adopted(TERM_ENDS[rule], charter=None)
    if rule not in ON_RUNNING or (rule, way) in OPENED:
        return opened(rule, way)
    return ON_RUNNING[rule](adopted("2026-01-05"))


def named(rule: str, story: Story) -> str:
    """Return the name of the first open alert of a rule."""
    return next(
        name
        for name, each in alerts(story).items()
        if each.rule == rule and each.state is AlertState.OPEN
    )


@pytest.mark.parametrize(
    ("rule", "way"), [(rule, way) for rule, endings in ENDINGS.items() for way in endings]
)
def test_an_alert_ends_as_its_row_says(rule: str, way: str) -> None:
    ending = ENDINGS[rule][way]
    at_once, late = opened(rule, way).copy(), adopted_and_opened(rule, way).copy()
    played(rule, ending, at_once, hours=0)
    played(rule, ending, late, hours=ending.waits, late=ending.can_be_late)


def played(rule: str, ending: Ending, story: Story, *, hours: int, late: bool = False) -> None:
    """Let the ending happen so long after the alert opened, and look at the alert."""
    name = named(rule, story)
    story.wait(hours=hours)
    before = alerts(story)[name].since - timedelta(hours=1)

    ending.does(story, f"{before:%Y-%m-%dT%H:%M}" if late else None)

    found = alerts(story)[name]
    assert found.state is (WITHDRAWN if late else ending.state)
    assert found.ended


@pytest.mark.parametrize("rule", ENDINGS)
def test_the_end_of_the_partnership_ends_every_alert_but_those_on_money(rule: str) -> None:
    story = opened(rule).copy()
    name = named(rule, story)

    story.recorded(PartnershipExited(proposal="the-end"))

    assert alerts(story)[name].state is (AlertState.OPEN if rule in LASTING else RESOLVED)
