"""The alerts that every partnership has without agreeing a rule: one table of them.

An alert is about one thing, its `ref`: a milestone, a review, a day. Events open and close it.
An alert about a deadline is an entry of that deadline's row in `domain.deadlines.table`; the rows
written here are those of alerts that no deadline opens. Nothing else lists the alerts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from domain.bilateral import BilateralAgreement, BilateralProposed, ProposalDeclined
from domain.claims import ClaimConfirmed, ClaimObjected
from domain.deadlines.deadline import ALL, DeadlineKind, DeadlinePassed, ReminderGiven, of_party
from domain.deadlines.fold import reminder_text
from domain.deadlines.rule import EXIT_TAKES_EFFECT, Closing, DeadlineAlert, DeadlineRule
from domain.deadlines.table import RULES
from domain.dispute import DisputeOpened, DisputeResolved
from domain.entry import (
    EntryReversed,
    JointRevenueReceived,
    PenaltyConceded,
    SharedCostIncurred,
)
from domain.execution import (
    CampaignAgreed,
    CampaignClosed,
    CommitmentCancelled,
    InvestmentReduced,
    ReviewHeld,
    given_up_words,
)
from domain.exit import (
    BreachCured,
    BreachNoticeGiven,
    ExitAgreed,
    ExitNoticeGiven,
    ExitWithdrawn,
    PartnershipExited,
)
from domain.formation import CharterAgreed
from domain.governance import ResourcesCommitted
from domain.health import (
    ComplianceAudited,
    HealthCheckRecorded,
    RiskIdentified,
    RiskMitigated,
    TargetAdjusted,
)
from domain.kernel import Event
from domain.payment import (
    PaymentCorrected,
    PaymentReceived,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
)
from domain.payouts import PayoutCorrected, PayoutRecorded, PayoutReturned
from domain.referral import (
    AttributionProposed,
    AttributionSettled,
    OpportunityCreated,
    ReferralAttributed,
    ReferralSubmitted,
)
from domain.renewal import PartnershipRenewed, RenewalReviewHeld
from domain.reported_figure import MetricCorrected, MetricReported
from domain.response import AGREED_RULE, Office, Response, Severity
from domain.sale import DealCancelled, DealLost, DealReopened, DealWon, WinCorrected
from domain.settlement import FinalSettlementIssued, StatementIssued
from domain.values import Money, counted, full_stop, name_words
from domain.viewing import CosignatureRefused, CosignatureResumed


class AlertKind(StrEnum):
    """What an open alert says of the partnership."""

    BREACH = "breach"
    """Something that was agreed was not done."""
    REMINDER = "reminder"
    """Something is to be done or decided; it counts against nobody."""
    OPERATOR = "operator"
    """Accord itself needs its operator; it counts against nobody."""


Parties = tuple[str, ...]
"""Parties of a partnership, by identifier."""


def both(_: Event, __: str, parties: Parties) -> Parties:
    """Return both parties."""
    return parties


def asked(event: Any, _: str, parties: Parties) -> Parties:  # noqa: ANN401 - of any deadline
    """Return the party that a deadline is for, or the one that did not ask for an answer."""
    party, asked_by = (getattr(event, each, None) for each in ("party", "asked_by"))
    return (party,) if party else tuple(each for each in parties if each != asked_by)


def owner(event: RiskIdentified, _: str, parties: Parties) -> Parties:
    """Return the owner of a risk, or both parties if nobody owns it."""
    return (event.owner,) if event.owner else parties


def author(_: Event, by: str, parties: Parties, /) -> Parties:
    """Return the party that stated the event; both for what an agreed rule did."""
    return (by,) if by in parties else parties


def other(_: Event, by: str, parties: Parties) -> Parties:
    """Return the party that did not state the event."""
    return tuple(each for each in parties if each != by)


@dataclass(frozen=True, slots=True)
class On:
    """A type of event that concerns an alert."""

    event: type[Event]
    ref: Callable[[Any], str | None]
    """Takes the event and gives what it is about; None if it does not concern the rule. It can end
    with `ALL`: every `ref` that begins so. It can begin with it: every `ref` that ends so."""
    text: Callable[[Any], str] = lambda _: ""
    """Takes the event and gives the words with which the alert opens or closes."""
    acts: Callable[[Any, str, Parties], Parties] = both
    """Takes the event, the party that stated it and both parties, and gives those that act."""
    at_stake: Callable[[Any], Money | None] = lambda _: None
    """Takes the event and gives the money that hangs on the alert."""
    to: Callable[[Any], Office | None] = lambda _: None
    """Takes the event and gives the office that acts, where it is another than that of the rule."""
    by_author: bool = False
    """Whether each party has an alert of its own: its `ref` ends with the party."""
    when: str = ""
    """The sentence about its `{party}` and its `{day}`, for an alert that is open since before it.
    """

    def of(self, event: Event, party: str) -> str | None:
        """Return what an event that a party stated is about; None if it does not concern it."""
        ref = self.ref(event)
        return of_party(ref, party) if ref is not None and self.by_author else ref


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """One row of the table."""

    rule: str
    """The name of the rule; no agreed rule can have it."""
    kind: AlertKind
    sentence: str
    """What the rule expects, with its source."""
    response: Response
    """How severe it is, and which office acts."""
    opened_by: tuple[On, ...] = ()
    closed_by: tuple[On, ...] = ()
    """An alert that is closed by what happened before it opened is withdrawn, else resolved."""
    about: tuple[On, ...] = ()
    """Other events that explain it, such as what was planned or agreed."""
    once: bool = False
    """Whether its `ref` names one thing, which is done once. What was done in time and is recorded
    late then withdraws the alert, even after something else resolved it."""
    recurs: bool = False
    """Whether its `ref` names what falls due again and again, such as the next review of a kind."""
    settled_by: tuple[On, ...] = ()
    """The agreements that can end it, for an alert without `closed_by`."""

    @property
    def ends_with_exit(self) -> bool:
        """Whether an exit that takes effect closes it, so that nothing opens it after that."""
        return _AT_THE_EXIT in self.closed_by


def _of_deadline(rule: DeadlineRule, alert: DeadlineAlert) -> StandingAlert:
    def named(event: Event) -> str:
        return str(getattr(event, alert.about)) if alert.about else ALL

    return StandingAlert(
        alert.rule,
        AlertKind.REMINDER if alert.reminder else AlertKind.BREACH,
        alert.sentence,
        alert.response,
        (On(rule.passing.event, rule.passing.ref, alert.text, asked, to=alert.to),),
        tuple(
            On(each.event, each.ref, each.text, by_author=each.by_author) for each in rule.closed_by
        ),
        tuple(
            On(each.event, named)
            for each in rule.opened_by
            if each.event not in {rule.passing.event, *(other.event for other in rule.closed_by)}
        ),
        once=bool(alert.about),
        recurs=alert.recurs,
    )


def _due_soon() -> StandingAlert:
    """Return the alert that reminds of every kind of deadline (C22)."""
    ends: list[On] = []
    about: list[On] = []
    for rule in RULES:
        if rule.reminds_of:
            about += _planned(rule)
            passed = Closing(rule.passing.event, rule.passing.ref, lambda _: "The day has passed.")
            ends += [_of_kind(rule.kind, each) for each in (passed, *rule.closed_by)]
    return StandingAlert(
        DUE_SOON,
        AlertKind.REMINDER,
        "those who act are reminded 24 to 48 hours before a day (C22)",
        Response(Severity.INFO, "It is still in time."),
        (On(ReminderGiven, lambda e: f"{e.kind}/{e.ref}", reminder_text, asked),),
        (
            *ends,
            # The answer to this proposal has its own deadline.
            On(
                ReviewHeld.proposed,
                lambda e: f"{DeadlineKind.REVIEW}/{e.review}",
                lambda e: f"A party says that review {e.review} was held.",
            ),
        ),
        (
            *about,
            *(On(*_of_statement(event, name)) for event, name in _STATEMENTS),
            On(CharterAgreed, lambda _: f"{DeadlineKind.OBJECTIVE}"),
            On(TargetAdjusted, lambda e: f"{DeadlineKind.OBJECTIVE}/{e.objective}"),
            On(CampaignAgreed, lambda e: f"{DeadlineKind.CAMPAIGN_START}/{e.campaign}"),
        ),
    )


_STATEMENTS: Final = ((StatementIssued, "statement"), (FinalSettlementIssued, "settlement"))
"""The events that issue a statement, and the field that names it."""


def _of_statement(
    event: type[Event], name: str
) -> tuple[type[Event], Callable[[Event], str | None]]:
    return event, lambda e: f"{DeadlineKind.STATEMENT}/{getattr(e, name)}"


def _planned(rule: DeadlineRule) -> list[On]:
    """Return the events that plan what a deadline is for, if they name it."""
    name = rule.alert.about if rule.alert else ""
    return [
        On(each.event, lambda e: f"{rule.kind}/{getattr(e, name)}")
        for each in rule.opened_by
        if name
    ]


def _of_kind(kind: DeadlineKind, closing: Closing) -> On:
    def ref(event: Event) -> str | None:
        name = closing.ref(event)
        return None if name is None else f"{kind}/{name}"

    return On(closing.event, ref, closing.text, by_author=closing.by_author)


HIGHEST_RISK: Final = 20
"""A risk is at its highest if likelihood times impact, each from 1 to 5, is this or more (C25)."""


def is_highest(risk: RiskIdentified) -> bool:
    """Whether a risk is at its highest."""
    return risk.score >= HIGHEST_RISK


DUE_SOON: Final = "due-soon"
CADENCE_MISSED: Final = "cadence-missed"
"""Its row is that of the deadline. Another cadence ends it as well (`projections.alerts`)."""

ANSWER_OVERDUE: Final = "answer-overdue"
FIGURE_OVERDUE: Final = "figure-overdue"
"""Its row is that of the deadline. A report ends it (`domain.figures_due`)."""
FIGURES_DIFFER: Final = "figures-differ"
DISPUTE_OPENED: Final = "dispute-opened"
BREACH_NOTICE: Final = "breach-notice"
EXIT_AHEAD: Final = "exit-ahead"


def campaign_closed(event: CampaignClosed) -> str:
    """Return a sentence that says that a campaign was closed, and with what outcome."""
    return f"Campaign {event.campaign} was closed: {full_stop(event.outcome)}"


def _given_up(kind: str, about: Callable[[str], str] = str) -> On:
    """Return the closing of an alert by the end of what it is about."""
    return On(
        CommitmentCancelled,
        lambda e: about(e.ref) if e.kind == kind else None,
        lambda e: f"The {given_up_words(e.kind)} {e.ref} was given up: {full_stop(e.reason)}",
    )


_AT_THE_EXIT: Final = On(EXIT_TAKES_EFFECT.event, EXIT_TAKES_EFFECT.ref, EXIT_TAKES_EFFECT.text)
"""The closing of an alert by an exit that takes effect."""

_AGREED_ON: Final = "Both agreed that on {day}."


REFERRAL_MINIMUM: Final = "referral-minimum"
"""Judged from figures when a quarter closes, so its row names no events (`projections.alerts`)."""

RISK_OPEN: Final = "risk-open"
"""Of the same risk as `risk-highest`, and open as long as that."""

INVESTMENT_REDUCED: Final = "investment-reduced"
COMMITMENT_LOWERED: Final = "commitment-lowered"
"""Computed from what each party commits (`projections.commitments`)."""
RENEWAL_OPEN: Final = "renewal-open"
WITNESS_REFUSES: Final = "witness-refuses"

ATTRIBUTION_CONTESTED: Final = "attribution-contested"
LEAD_AWAITS: Final = "lead-awaits-answer"
LEAD_UNANSWERED: Final = "lead-unanswered"
LEAD_REJECTED: Final = "lead-rejected"
CLAIM_AWAITS: Final = "claim-awaits-confirmation"
CORRECTION_TAKES: Final = "correction-takes-money"
ENTRY_WITHOUT_TERMS: Final = "entry-without-terms"
STATEMENT_OVERDUE: Final = "statement-overdue"
"""Computed from the facts of deals, entries, figures, payouts and statements, so their rows name no
events that open or close them (`projections.ledger.claims`)."""

AUDIT_FAILED: Final = "audit-failed"
"""Computed from the newest audit of each subject (`projections.audits`)."""

HEALTH_LOW: Final = "health-low"
HEALTH_DIVERGES: Final = "health-diverges"
"""Computed from the newest scorecard of each party (`projections.scorecards`)."""

OBJECTIVE_MISSED: Final = "objective-missed"
"""Judged from figures once the deadline of an objective has passed (`projections.alerts`)."""

COMPUTED: Final = (
    ATTRIBUTION_CONTESTED,
    LEAD_AWAITS,
    LEAD_UNANSWERED,
    LEAD_REJECTED,
    CLAIM_AWAITS,
    CORRECTION_TAKES,
    ENTRY_WITHOUT_TERMS,
    STATEMENT_OVERDUE,
)

_FACTS: Final = (
    *(
        On(event, lambda e: f"deal/{e.deal}")
        for event in (
            ReferralAttributed,
            DealWon,
            WinCorrected,
            DealCancelled,
            PaymentReceived,
            PaymentCorrected,
            RefundIssued,
            RefundReversed,
            RefundCorrected,
        )
    ),
    *(
        On(event, lambda e: f"entry/{e.entry}")
        for event in (JointRevenueReceived, SharedCostIncurred)
    ),
    On(MetricReported, lambda e: f"figure/{e.metric}/{e.period}"),
    *(
        On(event, lambda e: f"payout/{e.payout}")
        for event in (PayoutRecorded, PayoutCorrected, PayoutReturned)
    ),
)
"""The facts that can be claims, by the deal, entry, figure or payout that they belong to."""

_OF_FIGURES: Final = (
    *(
        On(event, lambda e: f"{e.metric}/{e.segment or '-'}/{e.period}")
        for event in (MetricReported, MetricCorrected)
    ),
    *(
        On(
            event,
            lambda e: (
                f"{e.figure.metric}/{e.figure.segment or '-'}/{e.figure.period}"
                if e.figure
                else None
            ),
        )
        for event in (ClaimConfirmed, ClaimObjected)
    ),
)
"""The events by which a figure is reported, corrected, confirmed or contested."""

_OF_LEADS: Final = (
    *(
        On(event, lambda e: f"deal/{e.deal}")
        for event in (ReferralSubmitted, OpportunityCreated, DealWon, DealLost, DealReopened)
    ),
    *(
        On(event, lambda e: f"deal/{e.deal}" if e.is_of_a_lead else None)
        for event in (ClaimConfirmed, ClaimObjected)
    ),
)
"""The events by which a lead is submitted, accepted, rejected or given up."""

STANDING_ALERTS: Final = (
    StandingAlert(
        REFERRAL_MINIMUM,
        AlertKind.BREACH,
        "each quarter brings as many referrals as the terms ask for (C10)",
        Response(Severity.WARNING, "A party brings less than it promised."),
    ),
    *(_of_deadline(rule, rule.alert) for rule in RULES if rule.alert),
    _due_soon(),
    StandingAlert(
        DISPUTE_OPENED,
        AlertKind.REMINDER,
        "both parties are told at once of a dispute, until it is resolved (C24)",
        Response(
            Severity.CRITICAL,
            "What no statement has yet of the disputed money is on hold.",
            Office.SPONSOR,
        ),
        (
            On(
                DisputeOpened,
                lambda e: e.dispute,
                lambda e: (
                    f"Dispute {e.dispute} on {e.cause} was opened: {full_stop(e.description)}"
                ),
                at_stake=lambda e: e.amount,
            ),
        ),
        (
            On(
                DisputeResolved,
                lambda e: e.dispute,
                lambda e: f"Dispute {e.dispute} ended: {e.outcome}.",
            ),
        ),
    ),
    StandingAlert(
        OBJECTIVE_MISSED,
        AlertKind.BREACH,
        "an objective of the charter is reached by its deadline (C8)",
        Response(Severity.WARNING, "What both wanted to reach is not reached.", Office.SPONSOR),
        about=(
            On(CharterAgreed, lambda _: ALL),
            On(TargetAdjusted, lambda e: e.objective),
            On(DeadlinePassed, lambda e: e.ref if e.kind is DeadlineKind.OBJECTIVE else None),
        ),
        settled_by=(On(CharterAgreed, lambda _: ALL), On(TargetAdjusted, lambda e: e.objective)),
    ),
    StandingAlert(
        FIGURES_DIFFER,
        AlertKind.REMINDER,
        "both parties are told at once that they dispute a figure of an objective or a rule (C19)",
        Response(
            Severity.WARNING,
            "No figure counts until one party corrects its own, or confirms the other.",
            Office.METRIC_OWNER,
        ),
        about=_OF_FIGURES,
    ),
    StandingAlert(
        AUDIT_FAILED,
        AlertKind.BREACH,
        "an audit that failed is followed by one of the same party that is passed (C25)",
        Response(Severity.CRITICAL, "What the agreement forbids or asks for is not kept."),
        about=(On(ComplianceAudited, lambda e: e.subject.value),),
    ),
    StandingAlert(
        HEALTH_LOW,
        AlertKind.REMINDER,
        "both parties are told at once that a party rates the partnership 2 or less of 5 (C25)",
        Response(Severity.WARNING, "A partner that is not content is a partner that may leave."),
        about=(On(HealthCheckRecorded, lambda _: ALL),),
    ),
    StandingAlert(
        HEALTH_DIVERGES,
        AlertKind.REMINDER,
        "both parties are told at once that their ratings of a quarter differ by 2 or more (C25)",
        Response(Severity.WARNING, "One party does not see what the other sees."),
        about=(On(HealthCheckRecorded, lambda _: ALL),),
    ),
    StandingAlert(
        "risk-highest",
        AlertKind.REMINDER,
        f"both parties are told at once of a risk whose likelihood times impact is {HIGHEST_RISK} "
        "or more of 25 (C25)",
        Response(
            Severity.CRITICAL,
            "It is likely, and it would do great harm.",
            Office.SPONSOR,
        ),
        (
            On(
                RiskIdentified,
                lambda e: e.risk if is_highest(e) else None,
                lambda e: (
                    f"Risk {e.risk} has likelihood {e.likelihood} and impact {e.impact}: "
                    f"{full_stop(e.description)}"
                ),
                owner,
            ),
        ),
        (
            On(
                RiskMitigated,
                lambda e: e.risk,
                lambda e: f"Risk {e.risk} was mitigated: {full_stop(e.how)}",
            ),
            _given_up("risk"),
            On(
                RiskIdentified,
                lambda e: None if is_highest(e) else e.risk,
                lambda e: f"Risk {e.risk} was rated lower.",
            ),
        ),
    ),
    StandingAlert(
        EXIT_AHEAD,
        AlertKind.REMINDER,
        "both parties are told at once that the partnership ends (C27)",
        Response(Severity.CRITICAL, "The partnership ends.", Office.SPONSOR),
        # A sooner exit, or what is left after a withdrawal, is what the alert says from then on.
        opened_by=(
            On(
                ExitNoticeGiven,
                lambda _: "exit",
                lambda e: f"Notice was given to leave on {e.effective_on}: {name_words(e.reason)}.",
                when="{party} gave it on {day}.",
            ),
            On(
                ExitAgreed,
                lambda _: "exit",
                lambda e: f"The partnership ends on {e.effective_on}.",
                when=_AGREED_ON,
            ),
            On(
                ExitWithdrawn,
                lambda e: "exit" if e.still_ends_on else None,
                lambda e: (
                    f"Exit {e.exit} was withdrawn, and the partnership still ends on "
                    f"{e.still_ends_on}."
                ),
                when=_AGREED_ON,
            ),
        ),
        closed_by=(
            On(
                ExitWithdrawn,
                lambda e: None if e.still_ends_on else "exit",
                lambda _: "Both parties withdrew it.",
            ),
            _AT_THE_EXIT,
        ),
        recurs=True,
    ),
    StandingAlert(
        "renewal-declined",
        AlertKind.REMINDER,
        "both parties are told at once that a renewal was declined (C27)",
        Response(
            Severity.CRITICAL,
            "The partnership ends with its term unless both agree otherwise.",
            Office.SPONSOR,
        ),
        opened_by=(
            On(
                ProposalDeclined,
                lambda e: e.proposal if e.agreement == PartnershipRenewed.name else None,
                lambda e: f"Renewal {e.proposal} was declined: {full_stop(e.reason)}",
            ),
        ),
        closed_by=(
            On(PartnershipRenewed, lambda _: ALL, lambda _: "The partnership was renewed."),
            On(ExitNoticeGiven, lambda _: ALL, lambda _: "Notice was given."),
            On(ExitAgreed, lambda _: ALL, lambda _: "Both parties agreed to end it."),
        ),
    ),
    StandingAlert(
        BREACH_NOTICE,
        AlertKind.REMINDER,
        "a party is told at once of a breach, and by when it can cure it (C27)",
        Response(Severity.CRITICAL, "The other party can leave unless it is cured.", Office.LEGAL),
        opened_by=(
            On(
                BreachNoticeGiven,
                lambda e: e.breach,
                lambda e: (
                    f"Notice was given of a breach of {name_words(e.section)}, to be cured "
                    f"by {e.cure_by}: {full_stop(e.description)}"
                ),
                other,
            ),
        ),
        closed_by=(
            On(BreachCured, lambda e: e.breach, lambda e: f"Breach {e.breach} was cured."),
            _AT_THE_EXIT,
        ),
    ),
    StandingAlert(
        RISK_OPEN,
        AlertKind.REMINDER,
        "a risk of the joint register is watched until it is mitigated or given up (C25)",
        Response(Severity.INFO, "Nothing has happened yet."),
        (
            On(
                RiskIdentified,
                lambda e: e.risk,
                lambda e: (
                    f"Risk {e.risk}, {e.score} of 25, "
                    f"{f'owned by {e.owner}' if e.owner else 'without an owner'}: "
                    f"{full_stop(e.description)}"
                ),
                owner,
            ),
        ),
        (
            On(
                RiskMitigated,
                lambda e: e.risk,
                lambda e: f"Risk {e.risk} was mitigated: {full_stop(e.how)}",
            ),
            _given_up("risk"),
        ),
    ),
    StandingAlert(
        INVESTMENT_REDUCED,
        AlertKind.REMINDER,
        "a party that reduces its investment in a campaign says so until that ends (C20)",
        Response(Severity.INFO, "Less is spent than was planned.", Office.MARKETING),
        (
            On(
                InvestmentReduced,
                # What both took from a joint investment is news to neither.
                lambda e: None if e.budget and e.proposal else f"{e.campaign}/{e.reduction}",
                lambda e: (
                    f"Investment in {e.campaign} is reduced by {e.by} %. {full_stop(e.reason)}"
                ),
                author,
            ),
        ),
        (
            _given_up("reduction", lambda ref: f"{ALL}/{ref}"),
            _given_up("campaign", lambda ref: f"{ref}/{ALL}"),
            On(
                CampaignClosed,
                lambda e: f"{e.campaign}/{ALL}",
                campaign_closed,
            ),
            _AT_THE_EXIT,
        ),
    ),
    StandingAlert(
        COMMITMENT_LOWERED,
        AlertKind.REMINDER,
        "the other party is told at once that a party lowers what it commits alone (C12)",
        Response(Severity.INFO, "Less time or money is put in than was said."),
        about=(On(ResourcesCommitted, lambda _: ALL),),
    ),
    StandingAlert(
        RENEWAL_OPEN,
        AlertKind.REMINDER,
        "after a renewal review both parties renew, or one gives notice (C27)",
        Response(Severity.WARNING, "The term ends without a decision."),
        (
            On(
                RenewalReviewHeld,
                lambda _: "renewal",
                lambda e: f"Review {e.review} recommends: {e.recommendation}.",
            ),
        ),
        (
            On(PartnershipRenewed, lambda _: "renewal", lambda _: "The partnership was renewed."),
            On(ExitNoticeGiven, lambda _: "renewal", lambda _: "Notice was given."),
            On(ExitAgreed, lambda _: "renewal", lambda _: "Both parties agreed to end it."),
        ),
    ),
    StandingAlert(
        ATTRIBUTION_CONTESTED,
        AlertKind.REMINDER,
        "a lead that both parties claim is credited by policy, or by both (C18)",
        Response(Severity.WARNING, "The deal earns nobody anything until both decide."),
        about=(
            On(ReferralSubmitted, lambda e: e.deal),
            On(ReferralAttributed, lambda e: e.deal),
            On(AttributionProposed, lambda e: e.deal),
            On(AttributionSettled, lambda e: e.deal),
        ),
        settled_by=(On(AttributionSettled, lambda e: e.deal),),
    ),
    StandingAlert(
        LEAD_AWAITS,
        AlertKind.REMINDER,
        "a lead is accepted or rejected within the agreed days (C18)",
        Response(Severity.WARNING, "After the agreed days silence accepts it."),
        about=_OF_LEADS,
    ),
    StandingAlert(
        LEAD_UNANSWERED,
        AlertKind.REMINDER,
        "the leads of a month are accepted or rejected, also where no days are agreed for it (C18)",
        Response(Severity.INFO, "Without agreed days, silence accepts nothing."),
    ),
    StandingAlert(
        LEAD_REJECTED,
        AlertKind.REMINDER,
        "the party that submitted a lead is told at once that it was rejected (C18)",
        Response(Severity.INFO, "A rejected lead is no lead in the figures."),
        about=_OF_LEADS,
    ),
    StandingAlert(
        CLAIM_AWAITS,
        AlertKind.REMINDER,
        "what a party states to its own gain is confirmed or contested by the other (C18)",
        Response(
            Severity.WARNING, "It counts once it is confirmed, or after the agreed days of silence."
        ),
        about=_FACTS,
    ),
    StandingAlert(
        CORRECTION_TAKES,
        AlertKind.REMINDER,
        "a correction that takes money from a party is answered by it (C18)",
        Response(Severity.WARNING, "Money that was counted is taken back."),
        about=_FACTS,
    ),
    StandingAlert(
        ENTRY_WITHOUT_TERMS,
        AlertKind.REMINDER,
        "the terms of its day price an entry (C10)",
        Response(Severity.WARNING, "The entry earns nothing until terms price it."),
        about=tuple(
            On(event, lambda e: f"entry/{e.entry}")
            for event in (JointRevenueReceived, SharedCostIncurred, PenaltyConceded, EntryReversed)
        ),
    ),
    StandingAlert(
        STATEMENT_OVERDUE,
        AlertKind.BREACH,
        "a statement is paid by the end of its due day (C10)",
        Response(Severity.CRITICAL, "Money that is owed is not paid.", Office.FINANCE),
        about=(
            On(StatementIssued, lambda e: e.statement),
            On(FinalSettlementIssued, lambda e: e.settlement),
            On(PayoutRecorded, lambda e: e.statement),
        ),
    ),
    StandingAlert(
        WITNESS_REFUSES,
        AlertKind.OPERATOR,
        "each witness cosigns each checkpoint of the record (docs/auditor.md)",
        Response(
            Severity.CRITICAL,
            "The record was forked, or restored from an old copy.",
            Office.LEGAL,
        ),
        opened_by=(
            On(
                CosignatureRefused,
                lambda e: e.witness,
                lambda e: (
                    f"The witness {e.witness} refused to cosign the record of "
                    f"{counted(e.size, 'event')}: {full_stop(e.reason)}"
                ),
            ),
        ),
        closed_by=(
            On(
                CosignatureResumed,
                lambda e: e.witness,
                lambda e: f"It cosigned the record of {counted(e.size, 'event')}.",
            ),
        ),
    ),
)
"""Every alert that a partnership can have without agreeing a rule."""

BY_RULE: Final = {each.rule: each for each in STANDING_ALERTS}


def _by_agreement() -> dict[type[BilateralAgreement], list[tuple[str, On]]]:
    """Return which alerts each kind of agreement can end, by the kind.

    The alerts on the answer to a proposal name who gives it anyway.
    """
    # The end of the partnership ends every alert; this one asks for it.
    ends = [("exit-incomplete", On(PartnershipExited, lambda _: ALL))]
    for standing in STANDING_ALERTS:
        if standing.rule not in {ANSWER_OVERDUE, DUE_SOON}:
            ends += ((standing.rule, each) for each in (*standing.closed_by, *standing.settled_by))
    for rule in RULES:
        if rule.kind not in {DeadlineKind.ANSWER, DeadlineKind.LAPSE}:
            ends += ((DUE_SOON, _of_kind(rule.kind, each)) for each in rule.closed_by)
    found: dict[type[BilateralAgreement], list[tuple[str, On]]] = {}
    for rule_name, on in ends:
        if issubclass(on.event, BilateralAgreement):
            found.setdefault(on.event, []).append((rule_name, on))
    return found


_BY_AGREEMENT: Final = _by_agreement()

CAN_END_ALERTS: Final[frozenset[type[Event]]] = frozenset(
    each
    for kind in _BY_AGREEMENT
    for each in (kind, kind.proposed, kind.countered)
    if each is not None
)
"""The agreements that can end an alert, and their proposals."""


def ends_if_agreed(proposed: BilateralProposed) -> tuple[tuple[str, str], ...]:
    """Return the alerts that the acceptance of a proposal ends: the rule, and what each is about.

    What each is about can end with `ALL` (`On.ref`).
    """
    kind = proposed.agreement
    agreed = kind.model_construct(**dict(proposed))
    found = ((rule, on.ref(agreed)) for rule, on in _BY_AGREEMENT.get(kind, ()))
    return tuple((rule, ref) for rule, ref in found if ref is not None)


WHILE_UNPAID: Final = frozenset(
    {
        BREACH_NOTICE,
        "breach-not-cured",
        EXIT_AHEAD,
        "exit-incomplete",
        "renewal-declined",
        "term-ended",
    }
)
"""The alerts on an end of the partnership, or on a breach that can end it. What is open on the
statements is at stake: it is then collected without the partnership."""

CREDITED_TWICE: Final = "credited-twice"
"""The rule of the alert that a party gets of what it may pay for twice, in two partnerships. No
partnership has it alone, so it is no row of the table."""

DEPENDENCY_HIGH: Final = "dependency-high"
"""The rule of the alert that a party gets of revenue that comes from one partner beyond the limit
of its own program (C28). No partnership has it, so it is no row of the table."""

OF_ONE_PARTY: Final = {
    CREDITED_TWICE: StandingAlert(
        CREDITED_TWICE,
        AlertKind.REMINDER,
        "a sale is credited in one partnership of a party (C18)",
        Response(Severity.WARNING, "The party may pay for it twice."),
    ),
    DEPENDENCY_HIGH: StandingAlert(
        DEPENDENCY_HIGH,
        AlertKind.REMINDER,
        "no partner brings a larger share of the revenue than the program of a party allows (C28)",
        Response(Severity.WARNING, "A partner that leaves takes that share along.", Office.SPONSOR),
    ),
}
"""The alerts that one party alone gets."""

ASKS_NOBODY: Final = {
    REFERRAL_MINIMUM: "the quarter is over; a better one ends it, and its fee is on the statement",
    OBJECTIVE_MISSED: "its outcome is judged; both can agree another target (`ProposeTarget`)",
    **dict.fromkeys(
        (HEALTH_LOW, HEALTH_DIVERGES), "the next scorecards end it, which their cadence asks for"
    ),
    EXIT_AHEAD: "the exit takes effect on its day by itself",
    INVESTMENT_REDUCED: "its author said so itself; the end of the campaign ends it",
    WITNESS_REFUSES: "no party can end it; the operator looks into it",
}
"""The alerts for which nobody has anything to do in the inbox, with the reason."""

RESERVED: Final = frozenset({*BY_RULE, *OF_ONE_PARTY})
"""The names that no agreed rule can have."""


def kind_of(rule: str) -> AlertKind:
    """Return whether an alert is a breach or a reminder; an agreed rule's is a breach."""
    standing = BY_RULE.get(rule)
    return standing.kind if standing else AlertKind.BREACH


def office_of(rule: str, ref: str) -> tuple[Office, str]:
    """Return the office that acts on an alert, and what the alert is about.

    A reminder is for the office that acts once its day has passed.
    """
    if rule != DUE_SOON:
        return response_of(rule).office, ref
    kind, _, about = ref.partition("/")
    return _OFFICES.get(DeadlineKind(kind), Office.MANAGER), about


_OFFICES: Final = {
    **{each.kind: each.alert.response.office for each in RULES if each.alert},
    DeadlineKind.STATEMENT: BY_RULE[STATEMENT_OVERDUE].response.office,
    DeadlineKind.OBJECTIVE: BY_RULE[OBJECTIVE_MISSED].response.office,
    DeadlineKind.CAMPAIGN_START: Office.MARKETING,
    # Those who have an issue can still resolve it before it goes up.
    DeadlineKind.ISSUE: Office.MANAGER,
}
"""The office that acts once a day of each kind has passed."""


def response_of(rule: str) -> Response:
    """Return how severe an alert is, and which office acts; an agreed rule has `AGREED_RULE`."""
    standing = BY_RULE.get(rule) or OF_ONE_PARTY.get(rule)
    return standing.response if standing else AGREED_RULE


def is_about(standing: StandingAlert, ref: str, event: Event) -> bool:
    """Whether an event explains the alert of this rule about this thing, or about a part of it.

    A part is a fact of a payout (`payout/X-1/return`) or a balance of the final settlement
    (`final:USD`).
    """
    return any(
        isinstance(event, each.event)
        and ((named := each.ref(event)) in {ref, ALL} or ref.startswith((f"{named}/", f"{named}:")))
        for each in (*standing.opened_by, *standing.closed_by, *standing.about)
    )
