"""The timeline: who did what and when, in words that both partners would use.

An item is a pure function of one recorded event, so it is computed when it is shown and never
stored.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from domain import (
    adoption,
    agreement,
    bilateral,
    breach_actions,
    claims,
    dispute,
    entry,
    execution,
    experiment,
    exploration,
    formation,
    gates,
    governance,
    health,
    keyring,
    markets,
    merge,
    own_metric,
    payment,
    payouts,
    people,
    priors,
    program,
    referral,
    renewal,
    reported_figure,
    sale,
    scaling,
    second_person,
    settlement,
    sharing,
    viewing,
)
from domain import exit as leaving
from domain.calendar import in_words, until_in_words
from domain.deadlines.answers import proposal_words
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, PeriodClosed, ReminderGiven
from domain.deadlines.figures import figure_words
from domain.deadlines.fold import reminder_text
from domain.deadlines.reviews import cadence_words
from domain.declarations import Changeable
from domain.described import described
from domain.kernel import Event
from domain.metric_catalogue import in_unit, metric_words
from domain.recorded import Recorded
from domain.sharing import Form
from domain.terms import Assets
from domain.values import Money, counted, full_stop, in_a_row, moment_words, name_words, unended

Words = Callable[[Any], str]
"""Returns the rest of a sentence whose subject is the party."""


def _checklist(event: exploration.DecisionChecklistCompleted) -> str:
    no = [name_words(name) for name in exploration.QUESTIONS if not getattr(event, name)]
    return f"answered the decision checklist for {event.candidate}" + (
        f", with no to {', '.join(no)}" if no else ", with yes to all eight"
    )


def _disposed(event: Any) -> str:  # noqa: ANN401 - a disposition, or its proposal
    transfers = event.disposition is Assets.TRANSFER
    return f"{event.asset} goes to {event.to}" if transfers else f"{event.to} retains {event.asset}"


def agreement_words(agreement: str) -> str:
    """Return the name of an agreement as words: `data sharing` for `DataSharing`."""
    return "".join(f" {each.lower()}" if each.isupper() else each for each in agreement).strip()


def named_proposal(agreement: str, proposal: str) -> str:
    """Return a proposal with what it proposes: ``proposal rm-1 (risk mitigated)``."""
    return f"proposal {proposal} ({agreement_words(agreement)})"


def _listed(texts: Iterable[str], before: str = ": ") -> str:
    found = in_a_row(texts)
    return f"{before}{found}" if found else ""


def _annual_review(event: Any) -> str:  # noqa: ANN401 - made
    return (
        f"the annual review of {event.year}, which recommends to {event.recommendation}. Outcomes: "
        f"{full_stop(event.outcomes)} Relevance: {full_stop(event.relevance)} "
        f"Untapped: {event.potential}"
    )


def _audited(event: health.ComplianceAudited) -> str:
    result = "passed" if event.passed else "not passed"
    return (
        f"audited {name_words(event.subject)} by {event.auditor}: {result}{_listed(event.findings)}"
    )


def _profile(event: exploration.IdealPartnerProfileDefined) -> str:
    buyer = "the same buyer" if event.same_buyer else "another buyer"
    competes = "may compete" if event.competing_product else "no competing product"
    return (
        f"described the ideal partner (profile {event.profile_version}): {event.practice}; "
        f"{event.staff_from} to {event.staff_to} staff; clients in "
        f"{', '.join(event.client_segments)}; {buyer}; {competes}"
    )


def _waived(event: Any) -> str:  # noqa: ANN401 - any event that names the waivers it rests on
    return f" (waived: {', '.join(event.waived)})" if event.waived else ""


def _shares(shares: dict[str, Any]) -> str:
    return ", ".join(f"{share} % to {party}" for party, share in shares.items())


def _passed(kind: DeadlineKind, ref: str) -> str:
    match kind:
        case DeadlineKind.SILENCE:
            return f"each lead or claim that was not answered before {ref} counts as accepted"
        case DeadlineKind.STATEMENT:
            return f"the due day of statement {ref} passed"
        case DeadlineKind.FIGURE:
            return f"the last day for the {figure_words(ref)} passed"
        case DeadlineKind.CADENCE:
            return f"the last day for the next {cadence_words(ref)} passed"
        case DeadlineKind.ANSWER | DeadlineKind.LAPSE:
            return f"the last day to answer {proposal_words(ref)} passed"
        case DeadlineKind.CAMPAIGN_START:
            return f"the first day of campaign {ref} passed"
        case DeadlineKind.EXIT:
            return f"the exit took effect on {ref}"
        case DeadlineKind.NOTICE_WARNING:
            return f"{ref} is the last day for notice"
        case DeadlineKind.SIGNATURE:
            version, _, party = ref.partition("/")
            return f"the last day on which {party} was to sign version {version} passed"
        case _:
            return f"the last day {_LAST_DAY.get(kind, f'of {kind}')} {ref} passed"


_LAST_DAY: Final = {
    DeadlineKind.ACTION: "of action",
    DeadlineKind.ONBOARDING: "of onboarding step",
    DeadlineKind.CONTRIBUTION: "of contribution",
    DeadlineKind.CAMPAIGN: "of campaign",
    DeadlineKind.IMPROVEMENT: "of improvement plan",
    DeadlineKind.PAUSE: "of pause",
    DeadlineKind.OBJECTIVE: "of objective",
    DeadlineKind.CURE: "to cure breach",
    DeadlineKind.NOTICE: "for notice,",
    DeadlineKind.TERM_END: "of the term before",
    DeadlineKind.CONFIRMATION: "for a second person to confirm act",
}


def _tail(event: Any) -> str:  # noqa: ANN401 - the end, or its proposal
    return _listed(event.tail_obligations, "; what remains: ")


def _parts(event: Any) -> str:  # noqa: ANN401 - a proposed or an agreed adoption
    return ", ".join(adoption.parts_of(event))


def _balance(balance: settlement.Balance) -> str:
    if balance.payer is None:
        return f"nobody owes anything in {balance.currency}"
    return f"{balance.payer} owes {balance.payee} {balance.amount} {balance.currency}"


def _corrected(event: Any) -> str:  # noqa: ANN401 - any correction
    """Return what a correction says, in words."""
    if event.void:
        return "it never happened"
    names = ("annual_contract_value", "amount", "happened_at", "covers_from", "collected_by")
    given = ((name, getattr(event, name, None)) for name in names)
    return ", ".join(f"{name_words(name)} {_moment_or(value)}" for name, value in given if value)


def _moment_or(value: object) -> str:
    return moment_words(value) if isinstance(value, datetime) else str(value)


def _channels(event: Any) -> str:  # noqa: ANN401 - the policy, or its proposal
    often = event.frequencies or {}
    each = [
        f"{kind} by {channel}" + (f" ({often[kind]})" if kind in often else "")
        for kind, channel in event.channels.items()
    ]
    return "; ".join((", ".join(each), *how_both_write(event)))


def how_both_write(event: Any) -> list[str]:  # noqa: ANN401 - the policy, or its proposal
    """Return the tone and who leads the communication, in words; empty if nothing is agreed."""
    led = [
        f"led by the {function.replace('-', ' ')} contact of {party}"
        for party, function in (event.leads or {}).items()
    ]
    return [*([f"tone: {event.tone}"] if event.tone else []), *led]


def _act(event: second_person.SecondPersonAsked) -> str:
    """Return an act with all its data, as the second person has to read it."""
    data = [f"{name} {_datum(each)}" for name, each in event.data.items() if name != "content"]
    return f"act {event.act}, {event.command} ({', '.join(data)}),"


def _datum(value: object) -> str:
    match value:
        case str() | int():
            return str(value)
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _new_key(event: Any) -> str:  # noqa: ANN401 - a recovery, or its proposal
    return f"the key {keyring.key_id(keyring.public_of(event))} of {event.party}"


def _shared(event: Any) -> str:  # noqa: ANN401 - a protocol, or a proposal of one
    """Return what a protocol shares, line by line: ``leads by acme to north (full, monthly)``."""
    third = event.third_party
    lines = [
        f"{', '.join(map(metric_words, each.metrics))} by {each.by} to {each.to} ("
        f"{each.form}, {each.frequency}, through {each.tool}"
        + (f", from {each.smallest_cell} on" if each.form is Form.AGGREGATED else "")
        + _until(each)
        + ")"
        for each in event.lines
    ] or ["nothing: each party sees what it reports itself"]
    return "; ".join(lines) + (
        f"; {third.name} ({third.party}) is the third party" if third else ""
    )


def _to_last_day(event: Any) -> str:  # noqa: ANN401 - a pause, or its proposal
    return f" until {event.last_day}" if event.last_day else ""


def _until(event: Any) -> str:  # noqa: ANN401 - anything that applies until a day, or for good
    return f", {until_in_words(event.until)}" if event.until else ""


def _sum(amount: Money | None, before: str = ", ") -> str:
    return f"{before}{amount}" if amount else ""


def _under(event: Any) -> str:  # noqa: ANN401 - a scope, or its proposal
    return f" under version {event.terms_version} of the terms" if event.terms_version else ""


def _document(event: Any) -> str:  # noqa: ANN401 - a step of the onboarding, or its proposal
    return f" ({event.document})" if event.document else ""


def sponsors_words(event: Any) -> str:  # noqa: ANN401 - a review that was held, or its proposal
    """Return whose executive sponsors took part, as a sentence; empty if nobody says."""
    if event.sponsors is None:
        return ""
    if not event.sponsors:
        return " No sponsor took part."
    each = " and ".join(f"the sponsor of {party}" for party in event.sponsors)
    return f" {each[0].upper()}{each[1:]} took part."


def _contribution(event: Any) -> str:  # noqa: ANN401 - a promise, or its proposal
    hours = counted(event.hours, "hour") if event.hours is not None else ""
    parts = ", ".join(str(each) for each in (hours, event.value) if each)
    worth = f" ({parts})" if parts else ""
    name = event.contribution
    return (
        f"{event.owner} contributes {event.kind} in {event.period} as {name}: {event.what}{worth}"
    )


def _campaign(event: Any) -> str:  # noqa: ANN401 - the proposal and the agreement
    paid = f", paid by {event.budget}" if event.budget else ""
    days = f"from {event.first_day} to {event.last_day}"
    return f"{event.campaign} of {event.owner}{_where(event)} {days}{paid}: {event.title}"


def _ended(event: bilateral.ProposalEnded) -> str:
    return f"{named_proposal(event.agreement, event.proposal)}: {event.reason}"


def _governance(event: Any) -> str:  # noqa: ANN401 - the proposal and the agreement
    path = ", then ".join(event.dispute_path)
    return f"disputes go to {path}; decisions: {event.decision_rights}"


def _where(event: Any) -> str:  # noqa: ANN401 - any event of one market, or of all
    return f" in {event.market}" if event.market else ""


def _defined(event: Any) -> str:  # noqa: ANN401 - the proposal and the agreement
    better = "more is better" if event.better == "up" else "less is better"
    return (
        f"{metric_words(event.metric)} ({event.unit}, {better}): {event.description}, "
        f"reported {event.frequency} by {event.owner} from {event.source}"
    )


WORDS: dict[type[Event], Words] = {
    people.PersonErased: lambda e: f"erased the name of {e.person}: {e.reason}",
    viewing.FullViewTaken: lambda e: (
        f"viewed the private statements of both parties ({e.question}): {e.reason}"
    ),
    viewing.BundleExported: lambda e: (
        f"exported an evidence bundle{f' for {e.party}' if e.party else ''}: {e.reason}"
    ),
    viewing.CosignatureRefused: lambda e: (
        f"was refused by the witness {e.witness} at {counted(e.size, 'event')}: {e.reason}"
    ),
    viewing.CosignatureResumed: lambda e: (
        f"was cosigned again by the witness {e.witness} at {counted(e.size, 'event')}"
    ),
    viewing.PartyKeyMade: lambda e: (
        f"made the {'invitation' if e.invites else 'API key'} {e.credential} of {e.party}"
    ),
    keyring.KeyRegistered: lambda e: (
        f"registered the key {e.name}"
        + (f", which signs only {', '.join(e.delegated)}" if e.delegated else "")
    ),
    keyring.KeySentByOperator: lambda e: (
        f"sent the key {e.keyid} of {e.party}, or made the API key that sent it"
    ),
    keyring.KeyRotated: lambda e: f"replaced the key {e.replaces} with {e.name}",
    keyring.KeyRecovered.proposed: lambda e: (
        f"proposed {_new_key(e)}, since it lost its keys at {moment_words(e.lost_since)}"
    ),
    keyring.KeyRecovered: lambda e: (
        f"and its partner agreed {_new_key(e)}, whose other keys ended; "
        f"they were lost at {moment_words(e.lost_since)}"
    ),
    keyring.KeyRevoked: lambda e: f"revoked the key {e.keyid}: {e.reason}",
    keyring.SignaturesRequired: lambda e: (
        f"required its signature on {', '.join(e.kinds)} too"
        if e.kinds
        else "required its signature on nothing more than the rules demand"
    ),
    second_person.SecondPersonAsked: lambda e: (
        f"asked a second person to confirm {_act(e)} until {e.confirm_by}"
    ),
    second_person.ActConfirmed: lambda e: f"confirmed act {e.act} as a second person",
    second_person.ActWithdrawn: lambda e: f"took back act {e.act}: {e.reason}",
    sharing.DataSharingAgreed.proposed: lambda e: f"proposed to share {_shared(e)}",
    sharing.DataSharingAgreed: lambda e: f"and its partner agreed to share {_shared(e)}",
    health.ContributionPromised.proposed: lambda e: f"proposed that {_contribution(e)}",
    health.ContributionPromised: lambda e: f"and its partner agreed that {_contribution(e)}",
    health.ContributionRecorded: lambda e: f"contributed {e.kind} in {e.period}: {e.what}",
    health.HealthCheckRecorded: lambda e: (
        f"rated {e.period}: trust {e.trust}, communication {e.communication}, value "
        f"{e.value_delivery}"
    ),
    health.RiskIdentified: lambda e: (
        f"identified risk {e.risk}{f' ({e.kind})' if e.kind else ''}: {e.description}"
    ),
    health.RiskMitigated.proposed: lambda e: f"proposed that risk {e.risk} was mitigated: {e.how}",
    health.RiskMitigated: lambda e: f"and its partner mitigated risk {e.risk}: {e.how}",
    health.ComplianceAudited: _audited,
    health.ManagerRotated: lambda e: (
        f"handed the partnership over from {e.former} to {e.successor} on {e.effective_on}"
    ),
    health.WinCelebrated: lambda e: f"celebrated: {e.text}",
    health.TargetAdjusted.proposed: lambda e: (
        f"proposed a target of {e.target} for objective {e.objective} by {e.deadline}: {e.reason}"
    ),
    health.TargetAdjusted: lambda e: (
        f"and its partner set the target of objective {e.objective} to {e.target} by {e.deadline}: "
        f"{e.reason}"
    ),
    execution.ActionAgreed.proposed: lambda e: (
        f"proposed an action of {e.owner} by {e.due}: {e.text}"
    ),
    execution.ActionAgreed: lambda e: f"agreed an action of {e.owner} by {e.due}: {e.text}",
    execution.ActionCompleted: lambda e: f"completed action {e.action}",
    execution.ImprovementPlanCompleted.proposed: lambda e: (
        f"proposed to close improvement plan {e.plan} ({'met' if e.met else 'missed'}): {e.outcome}"
    ),
    execution.ImprovementPlanCompleted: lambda e: (
        f"and its partner closed improvement plan {e.plan} ({'met' if e.met else 'missed'}): "
        f"{e.outcome}"
    ),
    dispute.DisputeOpened: lambda e: (
        f"opened dispute {e.dispute} ({e.cause}{_sum(e.amount)}): {e.description}"
    ),
    dispute.EvidenceSubmitted: lambda e: (
        f"submitted evidence {e.evidence} in dispute {e.dispute}: {e.title} ({e.reference})"
    ),
    dispute.MediationStarted: lambda e: f"started mediation by {e.mediator} in dispute {e.dispute}",
    dispute.ResolutionProposed: lambda e: (
        f"proposed to end dispute {e.dispute} ({e.outcome}{_sum(e.award)}): {e.resolution}"
    ),
    dispute.DisputeResolved: lambda e: (
        f"ended dispute {e.dispute}{_sum(e.amount, ' about ')} ({e.outcome}{_sum(e.award)}): "
        f"{e.resolution}"
    ),
    adoption.AdoptionProposed: lambda e: (
        f"proposed to adopt the partnership, which runs since {e.since}, in the stage {e.stage}, "
        f"with its {_parts(e)}"
    ),
    adoption.AdoptionPartAgreed: lambda e: f"accepted the {e.part} of adoption {e.proposal}",
    adoption.PartnershipAdopted: lambda e: (
        f"and its partner adopted the partnership, which runs since {e.since}, in the stage "
        f"{e.stage}, with its {_parts(e)}"
    ),
    formation.AgreementAdopted: lambda e: (
        f"and its partner confirmed the contract {e.reference} of {e.signed_on}"
    ),
    exploration.ExplorationBegun: lambda e: f"began to look for a partner: {e.purpose}",
    exploration.IdealPartnerProfileDefined: _profile,
    exploration.CandidateIdentified: lambda e: (
        f"put {e.name}{f' ({e.staff} staff)' if e.staff else ''} on the list ({e.found_through})"
    ),
    exploration.CandidateScored: lambda e: (
        f"scored {e.candidate} under profile {e.profile_version}: reach "
        f"{e.market_reach}, brand {e.brand_alignment}, technology "
        f"{e.technical_compatibility}"
    ),
    exploration.AudienceOverlapMeasured: lambda e: (
        f"measured an account overlap of {e.shared_customers} of {e.own_customers} customers with "
        f"{e.candidate}"
    ),
    exploration.CandidateApproached: lambda e: f"approached {e.candidate}",
    exploration.CandidateDeclined: lambda e: f"declined {e.candidate}: {e.reason}",
    exploration.IntegrationSpendCommitted: lambda e: (
        f"committed {e.amount} to integrating {e.candidate}: {e.purpose}"
    ),
    exploration.AlignmentAssessed: lambda e: (
        f"rated {e.candidate}: fit {e.strategic_fit}, capacity {e.operational_capacity},"
        f" culture {e.cultural_compatibility}, vision {e.shared_vision}"
    ),
    exploration.BridgingPlanAgreed: lambda e: (
        f"agreed how to bridge {name_words(e.dimension)} with {e.candidate}: {e.plan}"
    ),
    exploration.JointBridgingPlanAgreed.proposed: lambda e: (
        f"proposed how to bridge {name_words(e.dimension)}: {e.plan}"
    ),
    exploration.JointBridgingPlanAgreed: lambda e: (
        f"and its partner agreed how to bridge {name_words(e.dimension)}: {e.plan}"
    ),
    exploration.DecisionChecklistCompleted: _checklist,
    exploration.PartnerChosen: lambda e: (
        f"chose {e.name} as the partner; formation began" + _waived(e)
    ),
    exploration.ExplorationClosed: lambda e: f"ended the exploration: {e.reason}",
    formation.NegotiationEndProposed: lambda e: f"asked to end the negotiation: {e.reason}",
    formation.NegotiationEnded: lambda e: f"ended the negotiation: {e.reason}",
    markets.MarketTargeted: lambda e: f"targeted the market {e.market}",
    markets.LocalFeedbackRecorded: lambda e: (
        f"recorded feedback from {e.market}: {e.score} of 5, by {e.given_by}: {e.text}"
    ),
    markets.MarketRanked: lambda e: (
        f"ranked {e.market}: viability {e.viability}, cultural fit {e.cultural_fit}"
        + _listed(e.reasons)
    ),
    markets.RoleAssigned: lambda e: f"named {e.name} as {name_words(e.role)}{_where(e)}",
    own_metric.MetricAgreed.proposed: lambda e: f"proposed a metric of their own, {_defined(e)}",
    own_metric.MetricAgreed: lambda e: (
        f"and its partner agreed a metric of their own, {_defined(e)}"
    ),
    markets.MetricOwnerAssigned.proposed: lambda e: (
        f"proposed {e.owner} ({name_words(e.role)}) as the owner of {metric_words(e.metric)}"
        + _where(e)
    ),
    markets.MetricOwnerAssigned: lambda e: (
        f"named {e.owner} ({name_words(e.role)}) as the owner of {metric_words(e.metric)}"
        + _where(e)
    ),
    program.PortfolioDefined: lambda e: (
        f"set the limits of its portfolio: {e.fewest_active} to {e.most_active} active, at most "
        f"{e.largest_share} % from one partner, {counted(e.capacity, 'person', 'people')}"
    ),
    gates.WaiverProposed: lambda e: f"proposed to waive {e.rule}: {e.reason}",
    gates.WaiverGranted: lambda e: f"agreed to waive {e.rule}: {e.reason}",
    formation.NonNegotiableDeclared: lambda e: (
        f"stated a {'tradeable position' if e.flexible else 'must-have'} on {e.term}: {e.statement}"
    ),
    formation.BestAlternativeDeclared: lambda _: (
        "stated its best alternative to an agreement (BATNA)"
    ),
    formation.EvidenceAttached: lambda e: (
        f"attached evidence {e.evidence} ({e.kind}): {e.title} ({e.reference})"
    ),
    governance.ContactAssigned: lambda e: f"named {e.name} for {name_words(e.function)}",
    governance.SponsorAssigned: lambda e: f"named {e.name}, {e.title}, as executive sponsor",
    governance.ResourcesCommitted: lambda e: (
        f"committed {e.attention} % of a person's time" + "".join(f", {each}" for each in e.costs)
    ),
    governance.GovernanceEstablished.proposed: lambda e: (
        f"proposed governance {e.proposal}; {_governance(e)}"
    ),
    governance.GovernanceEstablished: lambda e: (
        f"and its partner agreed governance, version {e.agreed_version}; {_governance(e)}"
    ),
    bilateral.ProposalDeclined: lambda e: f"declined {_ended(e)}",
    bilateral.ProposalWithdrawn: lambda e: f"withdrew {_ended(e)}",
    bilateral.ProposalLapsed: lambda e: (
        f"{named_proposal(e.agreement, e.proposal)} has lapsed: {e.reason}"
    ),
    agreement.TermsProposed: lambda e: f"proposed terms {e.proposal}",
    agreement.TermsCountered: lambda e: f"proposed terms {e.proposal} in answer to {e.counters}",
    agreement.TermsAccepted: lambda e: f"accepted terms {e.proposal}",
    agreement.CommercialTermsAgreed: lambda e: (
        f"and its partner agreed terms, version {e.terms_version}, from {e.effective_from}"
        + (f" {until_in_words(e.until)}" if e.until else "")
    ),
    formation.CharterProposed: lambda e: f"proposed charter {e.proposal}",
    formation.CharterAgreed: lambda e: f"and its partner signed charter {e.proposal}",
    formation.ObjectiveAgreed: lambda e: (
        f"and its partner agreed the objective {e.objective.words}, "
        f"from {in_unit(e.objective.baseline, e.objective.unit)} "
        f"to {in_unit(e.objective.target, e.objective.unit)} by {e.objective.deadline}, "
        f"measured by {e.objective.tool}: {e.objective.method}"
    ),
    formation.DecisionRuleProposed: lambda e: f"proposed decision rule {e.rule.rule}",
    formation.DecisionRuleAgreed: lambda e: (
        f"and its partner agreed decision rule {e.rule.rule}, version {e.rule_version}"
    ),
    priors.PriorProposed: lambda e: (
        f"proposed a prior for {metric_words(e.prior.metric)}: {e.prior.successes} successes and "
        f"{e.prior.failures} failures ({e.prior.source})"
    ),
    priors.PriorAgreed: lambda e: (
        f"and its partner agreed the prior for {metric_words(e.prior.metric)}, "
        f"version {e.prior_version} ({e.prior.source})"
    ),
    formation.AgreementDrafted: lambda e: f"drafted the agreement, version {e.agreement_version}",
    formation.AgreementSigned: lambda e: f"signed the agreement, version {e.agreement_version}",
    formation.AgreementAmended: lambda e: f"completed the amendment, version {e.agreement_version}",
    execution.KickoffHeld: lambda e: (
        f"held the kickoff with {', '.join(e.attendees)}; execution began" + _waived(e)
    ),
    execution.OnboardingStepAgreed.proposed: lambda e: (
        f"proposed the onboarding step {e.step} of {e.owner} by {e.due}: {e.text}" + _document(e)
    ),
    execution.OnboardingStepAgreed: lambda e: (
        f"agreed the onboarding step {e.step} of {e.owner} by {e.due}: {e.text}" + _document(e)
    ),
    execution.OnboardingStepCompleted: lambda e: (
        f"completed onboarding step {e.step} (day {e.plan_day} plan)"
    ),
    execution.CampaignAgreed.proposed: lambda e: f"proposed the campaign {_campaign(e)}",
    execution.CampaignAgreed: lambda e: f"and its partner agreed the campaign {_campaign(e)}",
    execution.CampaignClosed: lambda e: f"closed the campaign {e.campaign}: {e.outcome}",
    execution.TrainingCompleted: lambda e: (
        f"trained {counted(e.attendees, 'person', 'people')} of {e.department}"
    ),
    execution.CommunicationPolicyAgreed.proposed: lambda e: (
        f"proposed channels for messages: {_channels(e)}"
    ),
    execution.CommunicationPolicyAgreed: lambda e: (
        f"and its partner agreed the channels for messages: {_channels(e)}"
    ),
    execution.LessonRecorded: lambda e: f"recorded a lesson: {e.text}",
    execution.IncentiveIntroduced: lambda e: (
        f"introduced an incentive from {e.from_day}{_until(e)}"
        + (f", {e.per_referral} for each referral" if e.per_referral else "")
        + f": {e.description}"
    ),
    execution.ReductionProposed: lambda e: (
        f"proposed to reduce the investment in {e.campaign} by {e.by} %: {e.reason}"
    ),
    execution.InvestmentReduced: lambda e: (
        f"reduced the investment in {e.campaign} by {e.by} %"
        + (f", from the budget {e.budget}" if e.budget else "")
        + f": {e.reason}"
    ),
    execution.RootCauseDiagnosed: lambda e: f"diagnosed {e.cause} as the root cause: {e.finding}",
    execution.MilestonePlanned.proposed: lambda e: (
        f"proposed milestone {e.milestone} for {e.due}: {e.title}"
    ),
    execution.MilestonePlanned: lambda e: f"and its partner planned {e.title} for {e.due}",
    execution.CommitmentCancelled.proposed: lambda e: (
        f"proposed to give up {execution.given_up_words(e.kind)} {e.ref}: {e.reason}"
    ),
    execution.CommitmentCancelled: lambda e: (
        f"and its partner gave up {execution.given_up_words(e.kind)} {e.ref}: {e.reason}"
    ),
    execution.MilestoneReached.proposed: lambda e: (
        f"proposed that milestone {e.milestone} of both was reached"
    ),
    execution.MilestoneReached: lambda e: (
        f"reached milestone {e.milestone}"
        if e.proposal is None
        else f"and its partner reached milestone {e.milestone}"
    ),
    execution.MilestoneMissed: lambda e: f"milestone {e.milestone}, due {e.due}, was missed",
    execution.ReviewScheduled.proposed: lambda e: (
        f"proposed {cadence_words(e.kind)} {e.review} for {moment_words(e.at)}"
    ),
    execution.ReviewScheduled: lambda e: (
        f"scheduled {cadence_words(e.kind)} {e.review} for {moment_words(e.at)}"
    ),
    execution.ActivityPaused.proposed: lambda e: (
        f"proposed to pause {e.activity}{_to_last_day(e)}: {e.reason}"
    ),
    execution.ActivityPaused: lambda e: (
        f"and its partner paused {e.activity}{_to_last_day(e)}: {e.reason}"
    ),
    execution.ReviewHeld.proposed: lambda e: (
        f"proposed that review {e.review} was held: {e.minutes}{sponsors_words(e)}"
    ),
    execution.ReviewHeld: lambda e: (
        f"and its partner held review {e.review}: {e.minutes}{sponsors_words(e)}"
    ),
    execution.ReviewMissed: lambda e: f"review {e.review} of {moment_words(e.at)} was missed",
    execution.IssueRaised: lambda e: f"raised issue {e.issue} ({e.cause}): {e.description}",
    execution.IssueResolved.proposed: lambda e: (
        f"proposed to resolve issue {e.issue}: {e.resolution}"
    ),
    execution.IssueResolved: lambda e: f"and its partner resolved issue {e.issue}: {e.resolution}",
    execution.IssueEscalated: lambda e: (
        f"issue {e.issue} was not resolved in time and was escalated to {e.goes_to}"
    ),
    execution.ImprovementPlanProposed: lambda e: (
        f"proposed improvement plan {e.plan} until {e.deadline}" + _listed(e.actions)
    ),
    execution.ImprovementPlanAgreed: lambda e: (
        f"and its partner agreed improvement plan {e.plan} until {e.deadline}" + _listed(e.actions)
    ),
    scaling.ScopeProposed: lambda e: f"proposed a wider scope {e.proposal}{_under(e)}: {e.scope}",
    scaling.ScopeExpanded: lambda e: (
        f"and its partner widened the scope{_under(e)}, and scaling began{_waived(e)}: {e.scope}"
    ),
    scaling.JointInvestmentProposed: lambda e: (
        f"proposed to invest {e.investment} jointly: {e.purpose}"
    ),
    scaling.JointInvestmentAgreed: lambda e: (
        f"and its partner agreed joint investment {e.proposal}"
    ),
    renewal.AnnualReviewHeld.proposed: lambda e: f"proposed {_annual_review(e)}",
    renewal.AnnualReviewHeld: lambda e: f"and its partner held {_annual_review(e)}",
    renewal.RenewalReviewHeld: lambda e: (
        f"held renewal review {e.review}, which recommends to {e.recommendation}. Outcomes: "
        f"{full_stop(e.outcomes)} Relevance: {e.relevance}"
    ),
    renewal.RenewalProposed: lambda e: f"proposed to renew for {in_words(e.duration)}",
    renewal.PartnershipRenewed: lambda e: f"and its partner renewed until {e.ends_on}",
    leaving.BreachNoticeGiven: lambda e: (
        f"gave notice of breach {e.breach} of {name_words(e.section)}, to be cured by "
        f"{e.cure_by}: {e.description}"
    ),
    leaving.CureProposed: lambda e: f"proposed that breach {e.breach} is cured: {e.how}",
    leaving.BreachCured: lambda e: (
        f"and its partner agreed that breach {e.breach} is cured: {e.how}"
    ),
    leaving.ExitNoticeGiven: lambda e: (
        f"gave notice {e.exit} ({name_words(e.reason)}), effective {e.effective_on}{_waived(e)}: "
        f"{e.explanation}"
    ),
    leaving.ExitProposed: lambda e: (
        f"proposed to end the partnership on {e.effective_on}: {e.explanation}"
    ),
    leaving.ExitAgreed: lambda e: (
        f"and its partner agreed to end the partnership on {e.effective_on}: {e.explanation}"
    ),
    leaving.ExitWithdrawalProposed: lambda e: (
        f"proposed to take back exit {e.exit}, so that the partnership goes on: {e.explanation}"
    ),
    leaving.ExitWithdrawn: lambda e: f"and its partner took back exit {e.exit}: {e.explanation}",
    breach_actions.RuleBreached: lambda e: (
        f"rule {e.rule}, version {e.rule_version}, was breached in {e.window}: {e.finding}"
    ),
    breach_actions.RuleBreachWithdrawn: lambda e: (
        f"rule {e.rule}, version {e.rule_version}, was not breached in {e.window}: {e.finding}"
    ),
    settlement.RatePublished: lambda e: (
        f"published the rate of {e.period}: 1 {e.base} is {e.rate} {e.quote} ({e.source})"
    ),
    settlement.RateObjected: lambda e: (
        f"objected to the rate from {e.base} to {e.quote} of {e.source} for {e.period}: {e.reason}"
    ),
    settlement.RateProposed: lambda e: (
        f"proposed the rate of {e.period}: 1 {e.base} is {e.rate} {e.quote}"
    ),
    settlement.RateAgreed: lambda e: (
        f"and its partner agreed the rate of {e.period}: 1 {e.base} is {e.rate} {e.quote}"
    ),
    settlement.AdjustmentProposed: lambda e: (
        f"proposed that {e.by} owes {e.to} {e.amount}: {e.reason}"
    ),
    settlement.AdjustmentAgreed: lambda e: (
        f"and its partner agreed that {e.by} owes {e.to} {e.amount}: {e.reason}"
    ),
    settlement.StatementIssued: lambda e: f"issued statement {e.statement}: {_balance(e.balance)}",
    payouts.PayoutRecorded: lambda e: (
        f"recorded that {e.payer} paid {e.amount} on statement {e.statement}"
    ),
    payouts.PayoutCorrected: lambda e: f"corrected payout {e.payout}: {_corrected(e)}: {e.reason}",
    payouts.PayoutReturned: lambda e: f"recorded that payout {e.payout} came back: {e.reason}",
    settlement.FinalSettlementIssued: lambda e: (
        f"issued final settlement {e.settlement}: "
        + ("; ".join(map(_balance, e.balances)) or "nothing is open")
    ),
    leaving.DispositionProposed: lambda e: f"proposed that {_disposed(e)}",
    leaving.AssetsDispositioned: lambda e: f"and its partner agreed that {_disposed(e)}",
    leaving.CompletionProposed: lambda e: "proposed that the exit is complete" + _tail(e),
    leaving.PartnershipExited: lambda e: (
        "and its partner completed the exit; the partnership ended" + _waived(e) + _tail(e)
    ),
    PeriodClosed: lambda e: f"{e.period} closed",
    ReminderGiven: lambda e: f"reminded {e.party or 'both parties'}: {reminder_text(e)}",
    DeadlinePassed: lambda e: _passed(e.kind, e.ref),
    referral.ReferralSubmitted: lambda e: (
        f"submitted referral {e.deal}: {e.lead}" + (f" ({e.campaign})" if e.campaign else "")
    ),
    referral.ReferralAttributed: lambda e: (
        f"attributed referral {e.deal} to {e.to} ({name_words(e.method)} "
        f"at {moment_words(e.touched_at)}): {e.evidence}"
    ),
    referral.AttributionProposed: lambda e: (
        f"proposed to share the credit for deal {e.deal}: {_shares(e.shares)}"
    ),
    referral.AttributionSettled: lambda e: (
        f"and its partner settled the credit for deal {e.deal}: {_shares(e.shares)}"
    ),
    merge.MergeProposed: lambda e: (
        f"proposed to merge deal {e.deal} into deal {e.into}: {e.reason}"
    ),
    merge.DealsMerged: lambda e: (
        f"and its partner merged deal {e.deal} into deal {e.into}, so {e.deal} counts nowhere: "
        f"{e.reason}"
    ),
    referral.LeadQualified: lambda e: f"qualified lead {e.deal}",
    referral.OpportunityCreated: lambda e: f"opened an opportunity on {e.deal}",
    referral.DemoHeld: lambda e: f"held a demo for {e.deal}",
    sale.DealWon: lambda e: f"won deal {e.deal}: {e.annual_contract_value} a year",
    sale.DealCancelled: lambda e: f"cancelled the sale of deal {e.deal}: {e.reason}",
    sale.DealLost: lambda e: f"lost deal {e.deal}: {e.reason}",
    sale.DealReopened: lambda e: f"reopened deal {e.deal}: {e.reason}",
    sale.WinCorrected: lambda e: f"corrected the win of deal {e.deal}: {_corrected(e)}: {e.reason}",
    payment.PaymentReceived: lambda e: f"received {e.amount} on deal {e.deal}",
    payment.RefundIssued: lambda e: (
        f"refunded {e.amount} on deal {e.deal}"
        if e.kind == "refund"
        else f"recorded a chargeback of {e.amount} on deal {e.deal}"
    ),
    payment.RefundReversed: lambda e: (
        f"recorded that refund {e.refund} on deal {e.deal} was reversed"
    ),
    payment.PaymentCorrected: lambda e: (
        f"corrected payment {e.payment} of deal {e.deal}: {_corrected(e)}: {e.reason}"
    ),
    payment.RefundCorrected: lambda e: (
        f"corrected refund {e.refund} of deal {e.deal}: {_corrected(e)}: {e.reason}"
    ),
    claims.ClaimConfirmed: lambda e: (
        f"accepted lead {e.deal}" if e.is_of_a_lead else f"confirmed {e.named}"
    ),
    claims.ClaimObjected: lambda e: (
        f"rejected lead {e.deal}: {e.reason}"
        if e.is_of_a_lead
        else f"objected to {e.named}: {e.reason}"
    ),
    experiment.HypothesisRegistered: lambda e: (
        f"registered experiment {e.experiment} on {metric_words(e.metric)}: {e.hypothesis}"
    ),
    experiment.PilotStarted: lambda e: f"started the pilot of experiment {e.experiment}",
    experiment.VariantObserved: lambda e: (
        f"observed {e.successes} in {counted(e.trials, 'trial')} of {e.variant} "
        f"in {e.experiment} on {e.day}"
    ),
    experiment.ObservationCorrected: lambda e: (
        f"corrected observation {e.observation} in {e.experiment} to {e.successes} in "
        f"{e.trials} trials: {e.reason}"
    ),
    experiment.PilotConcluded: lambda e: (
        f"concluded experiment {e.experiment} ({name_words(e.ending)}), "
        f"{e.winner or 'no variant'} wins: "
        f"{e.conclusion}"
    ),
    experiment.VariantPromoted: lambda e: (
        f"promoted variant {e.variant} of experiment {e.experiment}: {e.into}"
    ),
    entry.JointRevenueReceived: lambda e: (
        f"recorded joint revenue {e.entry} of {e.amount}, collected by {e.collected_by}"
    ),
    entry.SharedCostIncurred: lambda e: (
        f"recorded a shared cost {e.entry} of {e.amount} for {e.cost}, paid by {e.paid_by}"
    ),
    entry.PenaltyConceded: lambda e: f"conceded a penalty: {e.condition}",
    entry.EntryReversed: lambda e: f"reversed {e.amount} of entry {e.entry}: {e.reason}",
    reported_figure.MetricReported: lambda e: (
        f"reported {metric_words(e.metric)} for {e.period}: {e.figure}"
    ),
    reported_figure.MetricCorrected: lambda e: (
        f"corrected {metric_words(e.metric)} for {e.period} to {e.figure}: {e.reason}"
    ),
}
"""The words of each event type; a test checks that no type lacks them."""


@described
@dataclass(frozen=True, slots=True)
class TimelineItem:
    """One event as the timeline shows it."""

    index: int
    """The index of the event in the log of its partnership, from 0."""
    occurred_at: datetime
    """When it happened, as its sender says."""
    recorded_at: datetime
    """When it was recorded."""
    party: str
    """The party that acted; `accord` for the clock and for agreed rules."""
    actor: str
    """The person or the service that acted for the party."""
    type: str
    """The wire name of the event."""
    text: str
    """What the party did: a sentence without its subject."""
    late_days: int
    """How many whole days after it happened the event was recorded."""


def item(recorded: Recorded) -> TimelineItem:
    """Return the timeline item of an event."""
    act = recorded.act
    return TimelineItem(
        recorded.index,
        act.occurred_at,
        act.recorded_at,
        act.party,
        act.actor,
        recorded.event.wire,
        words(recorded.event),
        recorded.late_days,
    )


def words(event: Event) -> str:
    """Return an event in words, without the subject of the sentence."""
    found = WORDS[type(event)](event)
    if isinstance(event, Changeable) and event.change_reason is not None:
        return f"{unended(found)}; changed, because: {event.change_reason}"
    if _has_optional_reason(type(event)) and event.reason is not None:  # type: ignore[attr-defined]
        return f"{unended(found)}; because: {event.reason}"  # type: ignore[attr-defined]
    return found


@cache
def _has_optional_reason(kind: type[Event]) -> bool:
    """Return whether a reason is given only of a change, or of what is not regular."""
    field = kind.model_fields.get("reason")
    return field is not None and not field.is_required()
