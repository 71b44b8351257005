"""Execution: kickoff, onboarding, milestones, reviews, issues, improvement plans (C16 to C24)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cache, partial
from typing import Annotated, Any, Literal, assert_never

from pydantic import Field

from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    check_known,
    check_reason,
)
from domain.context import PartnershipContext
from domain.declarations import (
    Changeable,
    Declaration,
    Declarations,
    nothing_to_change,
)
from domain.escalation import Escalated, office_words
from domain.facts import check_agreed_last
from domain.gates import Requirement, passing
from domain.governance import Function
from domain.health import ContributionPromised, RiskIdentified
from domain.kernel import (
    IN_FORCE,
    NEGOTIATING,
    RUNNING,
    SIGNED_OR_SIGNING,
    Act,
    Command,
    Event,
    NotNow,
    Refused,
    Unknown,
    recorded_once,
)
from domain.response import Office
from domain.rules import check_agreed_budget
from domain.terms import check_parties
from domain.values import Count, Day, Instant, Money, Percent, PersonName, Ref, Slug, Text

# --- declarations ------------------------------------------------------------------------------


class OnboardingStepAgreed(
    BilateralAgreement,
    name="OnboardingStep",
    subject="a step of the onboarding plan with its day, or another day for one (C16)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("step",),
):
    """Both parties agreed a step of the onboarding plan with its day, or changed it (C16)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the step was agreed; more than 1 if it was changed."""

    step: Slug
    """The identifier of the step."""
    owner: Slug
    """The party that completes it."""
    text: Text
    """What is to be done."""
    document: Text | None = None
    """The document that it needs or gives: an SOP, brand guidelines, a specification, a script."""
    due: Day
    """The last day on which it is in time."""
    reason: Text | None = None
    """Why it is changed, if it was agreed before."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the owner is no party, if it is done, or if a change has no reason."""
        check_parties([proposed.owner], context.parties)
        agreed = [each.step for each in context.agreements.of(cls)]
        check_reason(proposed, agreed, proposed.step)
        done = context.declarations.of(OnboardingStepCompleted, proposed.owner)
        if proposed.step not in agreed and proposed.step in {each.step for each in done}:
            raise NotNow(
                "step-completed",
                "A step is planned before it is completed. "
                f"{proposed.owner} completed step {proposed.step}.",
                "Plan another step, under a new identifier.",
                step=proposed.step,
            )


ProposeOnboardingStep = OnboardingStepAgreed.proposes
AgreeOnboardingStep = OnboardingStepAgreed.accepts


class OnboardingStepCompleted(
    Changeable,
    Declaration,
    command="CompleteOnboardingStep",
    stages=SIGNED_OR_SIGNING,
    identity=("step",),
    by_party=True,
):
    """A step of the onboarding plan was completed (C16)."""

    step: Slug
    """The step, as the onboarding plan names it."""
    plan_day: Literal[30, 60, 90]
    """The part of the 30-60-90-day plan that the step belongs to."""

    def check_agreed(self, agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` if both gave the step up, or agreed that the other completes it."""
        check_not_given_up("step", self.step, agreements)
        owners = {each.step: each.owner for each in agreements.of(OnboardingStepAgreed)}
        _check_owner("an onboarding step", self.step, owners.get(self.step, act.party), act)


CompleteOnboardingStep = OnboardingStepCompleted.asks


class TrainingCompleted(
    Changeable,
    Declaration,
    command="CompleteTraining",
    stages=IN_FORCE,
    identity=("department",),
    by_party=True,
):
    """A department was trained (C16)."""

    department: Slug
    """The department whose people were trained."""
    attendees: Annotated[int, Field(ge=1, le=1_000_000)]
    """The number of people who were trained."""


CompleteTraining = TrainingCompleted.asks


class CommunicationPolicyAgreed(
    BilateralAgreement,
    name="CommunicationPolicy",
    subject="the channel for each kind of message, how often, in which tone and who leads (C16)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
):
    """Both parties agreed the channel for each kind of message (C16)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """The version of the policy, counted from 1."""
    channels: dict[Slug, Text]
    """The channel, by the kind of message."""
    frequencies: dict[Slug, Text] | None = None
    """How often, by the kind of message."""
    tone: Text | None = None
    """The tone of what both write to each other and to others."""
    leads: dict[Slug, Function] | None = None
    """Who leads the communication of each party: the function of its contact."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a frequency has no channel, or one who leads is of no party."""
        check_parties([*(proposed.leads or {})], context.parties)
        without = sorted((proposed.frequencies or {}).keys() - proposed.channels.keys())
        if without:
            raise Refused(
                "message-without-channel",
                f"What is sent has a channel. There is none for messages of the kind {without[0]}.",
                "Give its channel, or leave its frequency out.",
                field="frequencies",
            )


ProposeCommunicationPolicy = CommunicationPolicyAgreed.proposes
AgreeCommunicationPolicy = CommunicationPolicyAgreed.accepts


class LessonRecorded(
    Changeable, Declaration, command="RecordLesson", stages=IN_FORCE, identity=("lesson",)
):
    """A lesson was recorded (C17)."""

    lesson: Ref
    """The identifier of the lesson."""
    text: Text
    """What was learned."""


RecordLesson = LessonRecorded.asks


class IncentiveIntroduced(
    Changeable,
    Declaration,
    command="IntroduceIncentive",
    stages=RUNNING,
    identity=("incentive",),
    filled=("from_day",),
):
    """An incentive was introduced (C23)."""

    incentive: Ref
    """The identifier of the incentive."""
    description: Text
    """What the incentive gives, and for what."""
    per_referral: Money | None = None
    """The amount paid for each referral, where the incentive is paid that way."""
    from_day: Day
    """The first day of the incentive. Default: the day on which it is recorded."""
    until: Day | None = None
    """The first day on which the incentive no longer applies."""

    @classmethod
    def fill(cls, command: Any, today: date) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return the day of the recording as the first day."""
        return {"from_day": today}

    def check(self, parties: tuple[str, ...]) -> None:  # noqa: ARG002 - as declared
        """Raise `Refused` if the incentive ends before it begins."""
        if self.until is not None and self.until <= self.from_day:
            raise Refused(
                "incentive-ends-first",
                f"An incentive must end after it begins. This one begins on {self.from_day} and "
                f"ends on {self.until}.",
                "Give an end after the beginning.",
                field="until",
            )

    def check_new(self, today: date) -> None:
        """Raise `Refused` if the incentive begins before it is recorded."""
        if self.from_day < today:
            raise Refused(
                "incentive-never-backwards",
                "An incentive cannot begin before the day on which it is recorded. This one "
                f"begins on {self.from_day}; today is {today}.",
                "Give a first day of today or later.",
                field="from_day",
            )

    def check_change(
        self,
        known: Declaration | None,
        stated: Declarations,  # noqa: ARG002 - as declared
        act: Act,  # noqa: ARG002 - as declared
        today: date,
    ) -> None:
        """Raise `Refused` if a change takes back what the incentive promised.

        Its words can be corrected, and it can end on a later day than that of the recording.
        """
        if not isinstance(known, IncentiveIntroduced):
            return
        promised = (known.per_referral, known.from_day)
        ends_early = self.until is not None and self.until <= today
        if (self.per_referral, self.from_day) != promised or (
            ends_early and self.until != known.until
        ):
            raise Refused(
                "incentive-was-promised",
                f"Others rely on an incentive once it is introduced. {self.incentive} gives "
                f"{known.per_referral or known.description} from {known.from_day} on.",
                "Correct its description, or let it end after today (until) and introduce another.",
                field="until" if ends_early else "per_referral",
            )

    def check_again(self, known: Declarations, agreements: BilateralAgreements, act: Act) -> None:  # noqa: ARG002 - as declared
        """Raise `Refused` if the other party introduced it: an incentive binds its author."""
        author = known.author(type(self), self.incentive)
        if author != act.party:
            raise Refused(
                "incentive-exists",
                "Each incentive has an identifier of its own. "
                f"{author} introduced incentive {self.incentive}.",
                "Use a new identifier.",
                field="incentive",
            )


IntroduceIncentive = IncentiveIntroduced.asks


class InvestmentReduced(
    BilateralAgreement,
    name="Reduction",
    subject="a smaller investment in a campaign (C20)",
    stages=IN_FORCE,
    ends_with_exit=True,
    identity=("reduction",),
):
    """A party reduced what it invests in a campaign, or both or an agreed rule did (C20).

    What is taken from a joint investment takes both. A party reduces its own investment alone.
    """

    proposal: Ref | None = None
    """The identifier of the proposal; null where an agreed rule asked for it."""
    agreed_version: Count
    """How many times the reduction was agreed; more than 1 if it was changed."""

    reduction: Ref
    """The identifier of the reduction."""
    campaign: Slug
    """The campaign whose investment was reduced."""
    budget: Ref | None = None
    """The joint investment that it is taken from, if one is agreed for the campaign."""
    by: Percent
    """The reduction, in percent of what was left before it."""
    reason: Text
    """The reason, in words."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the campaign and the budget are still agreed."""
        cls._check_named(proposed, context)

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no further fields. Raises `Refused` if what it names was given up meanwhile."""
        cls._check_named(proposed, context)
        return {}

    @classmethod
    def _check_named(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        check_not_given_up("campaign", proposed.campaign, context.agreements)
        _check_budget(proposed.budget, context)

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: PartnershipContext, party: str) -> bool:  # noqa: ANN401 - made
        """Whether a party reduces its own investment, or changes such a reduction of its own."""
        existing = [
            each for each in context.agreements.of(cls) if each.reduction == proposed.reduction
        ]
        return proposed.budget is None and all(
            each.is_of(party, context.agreements) for each in existing
        )

    def is_of(self, party: str, agreements: BilateralAgreements) -> bool:
        """Whether it reduces what `party` alone invests."""
        proposals = agreements.proposals_of(type(self))
        proposed = proposals.get(self.proposal) if self.proposal else None
        return self.budget is None and proposed is not None and proposed.party == party


def _check_budget(budget: str | None, context: PartnershipContext) -> None:
    """Raise `Refused` unless a budget is an agreed joint investment."""
    # That stage imports modules that import this one.
    from domain.scaling import JointInvestmentAgreed  # noqa: PLC0415

    if budget is not None:
        check_not_given_up("investment", budget, context.agreements)
        agreed = context.agreements.of(JointInvestmentAgreed)
        check_agreed_budget(budget, [each.proposal for each in agreed])


ProposeReduction = InvestmentReduced.proposes
ReductionProposed = InvestmentReduced.proposed
AgreeReduction = InvestmentReduced.accepts


def reductions(agreements: BilateralAgreements) -> list[InvestmentReduced]:
    """Return the reductions that were not given up, each in its latest version."""
    return agreements.of(InvestmentReduced)


class Cause(StrEnum):
    """The causes of underperformance (C23)."""

    FIT = "fit"
    EXECUTION = "execution"
    EXTERNAL = "external"
    RESOURCES = "resources"
    PRIORITIES = "priorities"


class RootCauseDiagnosed(
    Changeable, Declaration, command="DiagnoseRootCause", stages=IN_FORCE, identity=("diagnosis",)
):
    """The cause of underperformance was diagnosed (C23)."""

    diagnosis: Ref
    """The identifier of the diagnosis."""
    cause: Cause
    """The cause of the underperformance."""
    temporary: bool
    """Whether the cause is temporary, which calls for adjusted terms, or structural (C27)."""
    finding: Text
    """What was found."""


DiagnoseRootCause = RootCauseDiagnosed.asks


# --- kickoff -----------------------------------------------------------------------------------


class HoldKickoff(Command):
    """Record the kickoff: the gate to execution (C9, C16)."""

    stages = NEGOTIATING
    attendees: Annotated[list[PersonName], Field(min_length=1)]
    """The names of those who took part."""


class KickoffHeld(Event):
    """The kickoff was held, and execution began (C16)."""

    attendees: list[PersonName]
    """Those who took part."""
    waived: list[str] = []
    """The rules that were waived."""


# --- milestones --------------------------------------------------------------------------------


class MilestonePlanned(
    BilateralAgreement,
    name="Milestone",
    subject="a milestone of a workstream, or another day for one (C17)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("milestone",),
):
    """Both parties planned a milestone, or gave it another day (C17)."""

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the milestone was planned; more than 1 if it was moved."""

    milestone: Ref
    """The identifier of the milestone."""
    workstream: Slug
    """The workstream that the milestone belongs to."""
    title: Text
    """The milestone, in words."""
    owner: Slug | None = None
    """The party that reaches it; null for both, which then say together that it is reached."""
    due: Day
    """The last day on which it is in time."""
    reason: Text | None = None
    """Why it is moved or changed, if it was planned before."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the owner is not a party, or if a change has no reason."""
        if proposed.owner is not None:
            check_parties([proposed.owner], context.parties)
        planned = context.agreements.of(cls)
        check_reason(proposed, [each.milestone for each in planned], proposed.milestone)


ProposeMilestone = MilestonePlanned.proposes
AgreeMilestone = MilestonePlanned.accepts


class ReachMilestone(Command):
    """Record that a milestone was reached by its owner, one of the parties (C17)."""

    stages = SIGNED_OR_SIGNING
    milestone: Ref
    """The identifier of the milestone."""


class MilestoneReached(
    BilateralAgreement,
    name="MilestoneReached",
    subject="that a milestone of both was reached (C17)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("milestone",),
    counted=None,
):
    """A milestone was reached: its owner says so, or both parties if both own it (C17)."""

    context_only = False
    proposal: Ref | None = None
    """The identifier of the proposal; null where one party owns the milestone."""
    milestone: Ref
    """The identifier of the milestone."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless both own the milestone, and it is still to be reached."""
        name: str = proposed.milestone
        planned = {each.milestone: each for each in context.agreements.of(MilestonePlanned)}
        check_not_given_up("milestone", name, context.agreements)
        check_known("milestone", name, [*planned], MilestonePlanned.proposes)
        owner = planned[name].owner
        if owner is not None:
            raise NotNow(
                "not-of-both",
                f"Both parties say together that something of both is done. {owner} alone owns "
                f"milestone {name}.",
                f"Let {owner} record it (ReachMilestone).",
                owner=owner,
            )
        if name in {each.milestone for each in context.agreements.of(cls)}:
            raise NotNow(
                "milestone-reached",
                f"A milestone is reached once. Milestone {name} was reached.",
                "Plan it again with another day (ProposeMilestone), or plan another milestone.",
                milestone=name,
            )


ProposeMilestoneReached = MilestoneReached.proposes
AgreeMilestoneReached = MilestoneReached.accepts


class MilestoneMissed(Event):
    """A milestone was not reached by its day (C17)."""

    milestone: Ref
    """The identifier of the milestone."""
    due: date
    """The last day on which it was in time."""
    party: Slug | None = None
    """The party that owns it; null for both."""


# --- campaigns ---------------------------------------------------------------------------------


class CampaignAgreed(
    BilateralAgreement,
    name="Campaign",
    subject="a campaign: who runs it, from which day to which, or another plan for one (C17, C20)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("campaign",),
):
    """Both parties agreed a campaign, or changed it (C17, C20)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the campaign was agreed; more than 1 if it was changed."""

    campaign: Slug
    """The identifier of the campaign, as leads, reductions and rules name it."""
    title: Text
    """The campaign, in words."""
    owner: Slug
    """The party that runs it."""
    market: Slug | None = None
    """The market in which it runs; null for all."""
    first_day: Day
    """The first day of the campaign."""
    last_day: Day
    """The last day of the campaign."""
    budget: Ref | None = None
    """The joint investment that pays for it, if one does."""
    reason: Text | None = None
    """Why it is changed, if it was agreed before."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if it ends before it begins, or names what is not agreed."""
        check_parties([proposed.owner], context.parties)
        agreed = context.agreements.of(cls)
        check_reason(proposed, [each.campaign for each in agreed], proposed.campaign)
        _check_budget(proposed.budget, context)
        if proposed.last_day < proposed.first_day:
            raise Refused(
                "campaign-ends-first",
                f"A campaign ends on its first day or later. {proposed.campaign} begins on "
                f"{proposed.first_day} and ends on {proposed.last_day}.",
                "Give a last day that is not before the first.",
                field="last_day",
            )

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return no further fields. Raises `Refused` if its budget was given up meanwhile."""
        _check_budget(proposed.budget, context)
        return {}


ProposeCampaign = CampaignAgreed.proposes
AgreeCampaign = CampaignAgreed.accepts


class CampaignClosed(
    Changeable,
    Declaration,
    command="CloseCampaign",
    stages=SIGNED_OR_SIGNING,
    identity=("campaign",),
):
    """The party that ran a campaign closed it, and said what it brought (C17, C20)."""

    campaign: Slug
    """The campaign."""
    outcome: Text
    """What it brought, in words. Its figures come from the leads that name it."""

    def check_agreed(self, agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` unless the campaign was agreed, and the party that runs it closes it."""
        check_not_given_up("campaign", self.campaign, agreements)
        owners = {each.campaign: each.owner for each in agreements.of(CampaignAgreed)}
        check_known("campaign", self.campaign, [*owners], CampaignAgreed.proposes)
        _check_owner("a campaign", self.campaign, owners[self.campaign], act)


CloseCampaign = CampaignClosed.asks


# --- reviews -----------------------------------------------------------------------------------


ReviewKind = Literal["operational", "strategic", "quarterly-business-review"]


class ReviewScheduled(
    BilateralAgreement,
    name="Review",
    subject="a review, or another time for one (C22)",
    stages=IN_FORCE,
    identity=("review",),
):
    """Both parties scheduled a review, or an agreed rule did (C20, C22)."""

    context_only = False
    proposal: Ref | None = None
    """The identifier of the proposal; null where an agreed rule asked for the review."""
    agreed_version: Count
    """How many times the review was scheduled; more than 1 if it was moved."""

    review: Ref
    """The identifier of the review."""
    kind: ReviewKind
    """The kind of the review."""
    at: Instant
    """When the review takes place."""
    reason: Text | None = None
    """Why the review is held, if it is not a regular one; or why it is moved."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if a change has no reason."""
        scheduled = context.agreements.of(cls)
        check_reason(proposed, [each.review for each in scheduled], proposed.review)


ProposeReview = ReviewScheduled.proposes
AgreeReview = ReviewScheduled.accepts


class ReviewHeld(
    BilateralAgreement,
    name="ReviewHeld",
    subject="that a review was held, scheduled or not, and what its minutes are (C13, C22)",
    stages=IN_FORCE,
    added=("held_at",),
    identity=("review",),
):
    """Both parties agreed that a review was held, and what its minutes are (C22).

    It counts for the agreed cadence of its kind, from the day on which it was held. Later both can
    agree other minutes.
    """

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times it was agreed; more than 1 if its minutes were changed."""

    review: Ref
    """The identifier of the review."""
    kind: ReviewKind | None = None
    """The kind of the review. Left out of a proposal, it is the kind under which the review was
    scheduled."""
    minutes: Text
    """What was discussed and decided."""
    recorded_with_consent: bool = False
    """Whether the review was recorded, with the consent of all who took part."""
    sponsors: list[Slug] | None = None
    """The parties whose executive sponsor took part (C13); null if nobody says."""
    held_at: Instant
    """When it was held: the time of the proposal that first said so."""
    reason: Text | None = None
    """Why its minutes are changed; null the first time."""

    @property
    def is_correction(self) -> bool:
        """Whether it only changes the minutes."""
        return self.reason is not None

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if both gave it up, a change has no reason, or the kind is another."""
        check_parties(proposed.sponsors or [], context.parties)
        name, held = proposed.review, _held(context.agreements)
        check_not_given_up("review", name, context.agreements)
        if proposed.reason is not None and name not in held:
            raise nothing_to_change(f"review {name} that was held")
        check_reason(proposed, held, name)
        _kind(proposed, context.agreements)

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` before the day that both agreed for it.

        One that an agreed rule asked for has a last day, and can be held sooner.
        """
        planned = _scheduled(context.agreements).get(proposed.review)
        if planned is None or planned.proposal is None or proposed.reason is not None:
            return
        day = context.terms.day(planned.at)
        if context.terms.day(act.occurred_at) < day:
            raise Refused(
                "before-its-day",
                "A review is held on the day that both agreed for it, or later. "
                f"{proposed.review} is agreed for {day}.",
                "Propose another day for it (ProposeReview), or record an earlier review under a "
                "new identifier, with its kind.",
                field="review",
                agreed_for=day.isoformat(),
            )

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return the kind of the review, and when it was held."""
        agreements = context.agreements
        changed = _held(agreements).get(proposed.review) if proposed.reason else None
        held_at = changed.held_at if changed else agreements.proposed_at(proposed)
        return {"kind": _kind(proposed, agreements), "held_at": held_at}


def _held(agreements: BilateralAgreements) -> dict[str, ReviewHeld]:
    return {each.review: each for each in agreements.of(ReviewHeld)}


def _scheduled(agreements: BilateralAgreements) -> dict[str, ReviewScheduled]:
    return {each.review: each for each in agreements.of(ReviewScheduled)}


def _kind(proposed: Any, agreements: BilateralAgreements) -> ReviewKind:  # noqa: ANN401 - made
    """Return the kind of a review that is held: that of its schedule, if it has one.

    Raises `Refused` if it has none and the proposal gives none, or if the two differ.
    """
    name: str = proposed.review
    scheduled, held = _scheduled(agreements), _held(agreements)
    planned = held.get(name) or scheduled.get(name)
    kind: ReviewKind | None = proposed.kind
    if planned is None or planned.kind is None:
        if kind is None:
            known = sorted(scheduled.keys() - held.keys())
            named = f"Use one of these: {', '.join(known)}. " if known else ""
            raise Unknown(
                "nothing-planned",
                "A review that was not scheduled is recorded with its kind. There is no scheduled "
                f"review {name}.",
                f"{named}Give the kind of a review that was not scheduled (kind).",
                named=name,
                known=known,
            )
        return kind
    if kind not in {None, planned.kind}:
        raise NotNow(
            "review-of-another-kind",
            f"A review has the kind under which it was scheduled. {name} is {planned.kind}, not "
            f"{kind}.",
            "Leave the kind out, or use a new identifier for another review.",
            field="kind",
        )
    return planned.kind


ProposeReviewHeld = ReviewHeld.proposes
AgreeReviewHeld = ReviewHeld.accepts


class ReviewMissed(Event):
    """A review was not held on its day (C22)."""

    review: Ref
    """The identifier of the review."""
    at: Instant
    """When the review takes place."""


class ActionAgreed(
    BilateralAgreement,
    name="Action",
    subject="an action: what a party does by a day (C22)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("action",),
):
    """A party took on an action: what it does by a day (C22)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the action was agreed; more than 1 if it was changed."""

    action: Ref
    """The identifier of the action."""
    review: Ref | None = None
    """The review that asked for it, if one did."""
    owner: Slug
    """The party that does it."""
    text: Text
    """What is to be done."""
    due: Day
    """The last day on which it is in time."""
    reason: Text | None = None
    """Why it is changed, if it was agreed before."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the owner is not a party, or if a change has no reason."""
        check_parties([proposed.owner], context.parties)
        if proposed.review is not None:
            check_not_given_up("review", proposed.review, context.agreements)
        agreed = context.agreements.of(cls)
        check_reason(proposed, [each.action for each in agreed], proposed.action)

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: PartnershipContext, party: str) -> bool:  # noqa: ANN401 - made
        """Whether a party lays a new action on itself."""
        is_new = proposed.action not in [each.action for each in context.agreements.versions(cls)]
        return is_new and bool(proposed.owner == party)


ProposeAction = ActionAgreed.proposes
AgreeAction = ActionAgreed.accepts


class ActionCompleted(
    Declaration, command="CompleteAction", stages=SIGNED_OR_SIGNING, identity=("action",)
):
    """An action was done by its owner (C22)."""

    action: Ref
    """The identifier of the action."""

    def check_agreed(self, agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` unless the action was agreed, and its owner says that it is done."""
        check_not_given_up("action", self.action, agreements)
        owners = {each.action: each.owner for each in agreements.of(ActionAgreed)}
        check_known("action", self.action, [*owners], ActionAgreed.proposes)
        _check_owner("an action", self.action, owners[self.action], act)

    def check_again(self, known: Declarations, agreements: BilateralAgreements, act: Act) -> None:  # noqa: ARG002 - as declared
        """Raise `Refused` unless the owner says it again."""
        self.check_agreed(agreements, act)


CompleteAction = ActionCompleted.asks


def _check_owner(what: str, name: str, owner: str, act: Act) -> None:
    """Raise `Refused` unless its owner completes something."""
    if owner != act.party:
        raise NotNow(
            "not-the-owner",
            f"Only its owner completes {what}. {owner} owns {name}.",
            f"Let {owner} complete it.",
            owner=owner,
        )


# --- issues ------------------------------------------------------------------------------------


class IssueCause(StrEnum):
    """The five causes of conflict (C24)."""

    EXPECTATIONS = "expectations"
    CONTRIBUTION = "contribution"
    COMMUNICATION = "communication"
    MONEY = "money"
    CULTURE = "culture"


class IssueRaised(
    Changeable, Declaration, command="RaiseIssue", stages=IN_FORCE, identity=("issue",)
):
    """An issue was raised. Unless it is resolved in the agreed hours it is escalated (C24)."""

    context_only = False
    issue: Ref
    """The identifier of the issue."""
    cause: IssueCause
    """The cause of the conflict (C24)."""
    description: Text
    """What the issue is, in words."""

    def check_again(self, known: Declarations, agreements: BilateralAgreements, act: Act) -> None:  # noqa: ARG002 - as declared
        """Raise `Refused` if the issue was resolved."""
        if self.issue in {each.issue for each in agreements.of(IssueResolved)}:
            raise NotNow(
                "issue-resolved",
                f"Each issue has an identifier of its own. Issue {self.issue} was resolved.",
                "Raise the new issue under a new identifier.",
                issue=self.issue,
            )


RaiseIssue = IssueRaised.asks


class IssueResolved(
    BilateralAgreement,
    name="IssueResolution",
    subject="how an issue is resolved (C24)",
    stages=IN_FORCE,
    identity=("issue",),
    counted=None,
):
    """Both parties resolved an issue (C24)."""

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    issue: Ref
    """The identifier of the issue."""
    resolution: Text
    """How the issue is resolved."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the issue was raised."""
        raised = [each.issue for each in context.declarations.of(IssueRaised)]
        check_known("issue", proposed.issue, raised, IssueRaised.asks)


ProposeIssueResolution = IssueResolved.proposes
AgreeIssueResolution = IssueResolved.accepts


class IssueEscalated(Event):
    """An issue was not resolved in the agreed hours and went to the next office (C24)."""

    issue: Ref
    """The identifier of the issue."""
    raised_at: Instant
    """When the issue was raised."""
    step: Count = 1
    """Which step of the agreed escalation it is, counted from 1."""
    to: Escalated = Office.SPONSOR
    """The office of each party that acts from then on."""

    @property
    def goes_to(self) -> str:
        """The office that it went to, in words."""
        return office_words(self.to)


# --- improvement plans -------------------------------------------------------------------------


class ImprovementPlanAgreed(
    BilateralAgreement,
    name="ImprovementPlan",
    subject="an improvement plan with a deadline, or another deadline for one (C23, C27)",
    stages=IN_FORCE,
    ends_with_exit=True,
    identity=("plan",),
):
    """Both parties agreed an improvement plan with a deadline, or changed it (C23, C27)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the plan was agreed; more than 1 if it was changed."""

    plan: Ref
    """The identifier of the improvement plan."""
    diagnosis: Ref
    """The diagnosis that the plan answers."""
    actions: Annotated[list[Text], Field(min_length=1)]
    """What is done to improve."""
    deadline: Day
    """The last day of the plan."""
    reason: Text | None = None
    """Why it is changed, if it was agreed before."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the plan answers a diagnosis (C23), and a change has a reason."""
        agreed = context.agreements.of(cls)
        check_reason(proposed, [each.plan for each in agreed], proposed.plan)
        diagnoses = [each.diagnosis for each in context.declarations.of(RootCauseDiagnosed)]
        if proposed.diagnosis not in diagnoses:
            raise Unknown(
                "diagnose-first",
                "An improvement plan must answer a diagnosis. There is no diagnosis "
                f"{proposed.diagnosis}.",
                "Diagnose the root cause first (DiagnoseRootCause).",
                diagnoses=diagnoses,
                named=proposed.diagnosis,
                known=diagnoses,
            )

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the deadline has passed (C23, C27)."""
        _check_ahead(proposed, context.terms.day(act.occurred_at))

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the deadline of the plan."""
        day: date = proposed.deadline
        return day

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Raise `Refused` if the deadline has passed by the acceptance (C23, C27)."""
        _check_ahead(proposed, context.terms.day(act.occurred_at))
        return {}


def _check_ahead(plan: Any, today: date) -> None:  # noqa: ANN401 - made
    if plan.deadline < today:
        raise Refused(
            "deadline-has-passed",
            "An improvement plan must leave time to improve. The last day of "
            f"{plan.plan} is {plan.deadline}; today is {today}.",
            "Propose it with a deadline that is still to come (ProposeImprovementPlan).",
            field="deadline",
        )


ProposeImprovementPlan = ImprovementPlanAgreed.proposes
ImprovementPlanProposed = ImprovementPlanAgreed.proposed
AgreeImprovementPlan = ImprovementPlanAgreed.accepts


def plan_deadline(agreements: BilateralAgreements) -> date | None:
    """Return the latest deadline of an agreed improvement plan, None if no plan is agreed."""
    plans = agreements.of(ImprovementPlanAgreed)
    return max((plan.deadline for plan in plans), default=None)


class ImprovementPlanCompleted(
    BilateralAgreement,
    name="ImprovementPlanOutcome",
    subject="that an improvement plan is closed, and with which outcome (C23)",
    stages=IN_FORCE,
    ends_with_exit=True,
    identity=("plan",),
    counted=None,
):
    """Both parties closed an improvement plan, with its outcome (C23)."""

    proposal: Ref
    """The identifier of the proposal."""
    plan: Ref
    """The identifier of the improvement plan."""
    met: bool
    """Whether the plan reached its goal."""
    outcome: Text
    """What the plan achieved."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the plan was agreed."""
        plans = [each.plan for each in context.agreements.of(ImprovementPlanAgreed)]
        check_known("improvement plan", proposed.plan, plans, ImprovementPlanAgreed.proposes)


ProposeImprovementPlanOutcome = ImprovementPlanCompleted.proposes
AgreeImprovementPlanOutcome = ImprovementPlanCompleted.accepts


# --- pauses --------------------------------------------------------------------------------------


class ActivityPaused(
    BilateralAgreement,
    name="Pause",
    subject="that an activity is paused, rather than the partnership ended (C23)",
    stages=IN_FORCE,
    ends_with_exit=True,
    identity=("pause",),
):
    """Both parties paused an activity, rather than end the partnership (C23)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """How many times the pause was agreed; more than 1 if it was changed."""

    pause: Ref
    """The identifier of the pause."""
    activity: Text
    """The activity that is paused."""
    last_day: Day | None = None
    """The last day of the pause. Each pause has one; only those agreed before days were recorded
    have none."""
    reason: Text
    """The reason, in words."""

    @classmethod
    def check_new(cls, proposed: Any, context: PartnershipContext, act: Act) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the pause has a last day that is still to come (C23)."""
        _check_ends(proposed, context.terms.day(act.occurred_at))

    @classmethod
    def acceptable_until(cls, proposed: Any, exit_on: date | None) -> date | None:  # noqa: ANN401, ARG003 - made
        """Return the last day of the pause."""
        day: date | None = proposed.last_day
        return day

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401 - made
        """Raise `Refused` if the last day has passed by the acceptance, or if there is none."""
        _check_ends(proposed, context.terms.day(act.occurred_at))
        return {}


def _check_ends(pause: Any, today: date) -> None:  # noqa: ANN401 - made
    if pause.last_day is None:
        raise Refused(
            "pause-without-end",
            f"A pause needs a last day; without one it is a silent exit. {pause.pause} has none.",
            "Propose it with its last day (ProposePause). Both can agree another day later.",
            field="last_day",
        )
    if pause.last_day < today:
        raise Refused(
            "pause-is-over",
            "A pause must have a last day of today or later. The last day of "
            f"{pause.pause} is {pause.last_day}; today is {today}.",
            "Propose it with a last day that is still to come (ProposePause).",
            field="last_day",
        )


ProposePause = ActivityPaused.proposes
AgreePause = ActivityPaused.accepts


# --- cancellations -----------------------------------------------------------------------------


class CommitmentCancelled(
    BilateralAgreement,
    name="Cancellation",
    subject="that something planned or agreed is given up, with the reason",
    stages=SIGNED_OR_SIGNING,
    identity=("kind", "ref"),
    counted=None,
):
    """Something planned or agreed was given up: `kind` says what.

    Both parties agree it. Who reduced its own investment ends that alone (C17, C20, C22, C23, C25).
    """

    context_only = False
    proposal: Ref
    """The identifier of the proposal."""
    kind: Literal[
        "milestone",
        "campaign",
        "review",
        "action",
        "step",
        "contribution",
        "pause",
        "risk",
        "reduction",
        "investment",
        "scope",
    ]
    """What is given up. What was booked under a joint investment keeps its shares, and nothing more
    comes under it; no lead comes from a campaign any more."""
    ref: Ref
    """The identifier of what is given up."""
    reason: Text
    """Why it is given up."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless it is on record."""
        kind = given_up()[proposed.kind]
        if issubclass(kind, Declaration):
            known: list[Event] = [*context.declarations.of(kind)]
            begins = kind.asks
        else:
            known, begins = [*context.agreements.of(kind)], kind.proposes
        names = [getattr(each, *kind.identity) for each in known]
        check_not_given_up(proposed.kind, proposed.ref, context.agreements)
        check_known(proposed.kind, proposed.ref, names, begins)

    @classmethod
    def binds_author_alone(cls, proposed: Any, context: PartnershipContext, party: str) -> bool:  # noqa: ANN401 - made
        """Whether a party ends the reduction of its own investment."""
        return proposed.kind == "reduction" and any(
            each.reduction == proposed.ref and each.is_of(party, context.agreements)
            for each in reductions(context.agreements)
        )


def check_given_up_last(events: Iterable[Event], context: PartnershipContext, act: Act) -> None:
    """Raise `Refused` if an act agrees what was given up after it, or gives up what was agreed."""
    for event in events:
        if isinstance(event, CommitmentCancelled):
            kind = given_up()[event.kind]
            if issubclass(kind, BilateralAgreement):
                since = context.agreements.made_at(kind, partial(_is_called, event.ref))
                what = f"The {given_up_words(event.kind)} {event.ref}"
                check_agreed_last(what, since, act)
        for name, kind in given_up().items():
            if isinstance(event, kind):
                ref = f"{name}/{getattr(event, *kind.identity)}"
                check_agreed_last("That it is given up", context.given_up.get(ref), act)


def _is_called(ref: str, agreed: BilateralAgreement) -> bool:
    return agreed.about(agreed)[-1] == ref


@cache
def given_up() -> Mapping[str, type[BilateralAgreement | Declaration]]:
    """Return what can be given up, by the word for it in a cancellation. One field names each."""
    # That stage imports modules that import this one.
    from domain.scaling import JointInvestmentAgreed, ScopeExpanded  # noqa: PLC0415

    return {
        "milestone": MilestonePlanned,
        "campaign": CampaignAgreed,
        "review": ReviewScheduled,
        "action": ActionAgreed,
        "step": OnboardingStepAgreed,
        "contribution": ContributionPromised,
        "pause": ActivityPaused,
        "risk": RiskIdentified,
        "reduction": InvestmentReduced,
        "investment": JointInvestmentAgreed,
        "scope": ScopeExpanded,
    }


def given_up_words(kind: str) -> str:
    """Return what is given up as the trade's noun, by the word for it in a cancellation."""
    match kind:
        case "step":
            return "onboarding step"
        case "investment":
            return "joint investment"
        case _:
            return kind


def check_not_given_up(kind: str, ref: str, agreements: BilateralAgreements) -> None:
    """Raise `Refused` if both gave something up, by its word, and did not agree it again."""
    if (kind, ref) in {(each.kind, each.ref) for each in agreements.of(CommitmentCancelled)}:
        again = given_up()[kind]
        begins = again.asks if issubclass(again, Declaration) else again.proposes
        what = given_up_words(kind)
        raise NotNow(
            "given-up",
            f"Nothing more is recorded of what both parties gave up. They gave up {what} {ref}.",
            f"Name another {what}, or begin it again ({begins.__name__}).",
            kind=kind,
            ref=ref,
        )


ProposeCancellation = CommitmentCancelled.proposes
AgreeCancellation = CommitmentCancelled.accepts


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """Something that begins with one event and ends with another: a milestone, review or issue."""

    planned: Event
    since: datetime
    done: Event | None = None


Tasks = Mapping[str, Task]


@dataclass(frozen=True, slots=True)
class Execution:
    """The kickoff, and the milestones, reviews and issues."""

    kickoff: datetime | None = None
    milestones: Tasks = field(default_factory=dict)
    reviews: Tasks = field(default_factory=dict)
    issues: Tasks = field(default_factory=dict)


# --- decisions ---------------------------------------------------------------------------------

ExecutionCommand = HoldKickoff | ReachMilestone


def decide(
    command: ExecutionCommand,
    state: Execution,
    gate: list[Requirement],
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command of this stage; `gate` is what execution requires. Raises `Refused`."""
    match command:
        case HoldKickoff():
            waived = passing("execution", gate, context)
            return [KickoffHeld.of(command, waived=waived)]
        case ReachMilestone():
            check_not_given_up("milestone", command.milestone, context.agreements)
            return reach(command, state.milestones, act)
        case _:
            assert_never(command)


def reach(command: ReachMilestone, milestones: Tasks, act: Act) -> list[Event]:
    """Record that a milestone was reached by its owner (C17)."""
    name = command.milestone
    existing = milestones.get(name)
    if existing is None:
        raise Unknown(
            "nothing-planned",
            f"Only something that was recorded before can be completed. There is no {name}.",
            f"Use one of these: {', '.join(sorted(milestones))}."
            if milestones
            else "Plan, schedule or raise it first.",
            named=name,
            known=[each for each, task in sorted(milestones.items()) if task.done is None],
        )
    owner = existing.planned.owner if isinstance(existing.planned, MilestonePlanned) else None
    if owner is None:
        raise NotNow(
            "milestone-of-both",
            f"What both parties own is done once both say so. Both own milestone {name}.",
            "Propose that it was reached (ProposeMilestoneReached), or agree the proposal of the "
            "other party (AgreeMilestoneReached).",
            milestone=name,
        )
    _check_owner("a milestone", name, owner, act)
    reached = MilestoneReached(milestone=name)
    return recorded_once(reached, existing.done, f"The completion of {name}")


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Execution, event: Event, act: Act) -> Execution:
    """Fold an event of this stage into its state."""
    match event:
        case KickoffHeld():
            return replace(state, kickoff=act.occurred_at)
        case MilestonePlanned(milestone=name):
            return replace(state, milestones=_begun(state.milestones, name, event, act))
        case CommitmentCancelled(kind="milestone", ref=name):
            return replace(state, milestones=_without(state.milestones, name))
        case CommitmentCancelled(kind="review", ref=name):
            return replace(state, reviews=_without(state.reviews, name))
        case MilestoneReached(milestone=name):
            return replace(state, milestones=_finished(state.milestones, name, event))
        case ReviewScheduled(review=name):
            return replace(state, reviews=_begun(state.reviews, name, event, act))
        case ReviewHeld(review=name):
            begun = state.reviews
            if name not in begun:
                begun = {**begun, name: Task(event, event.held_at)}
            return replace(state, reviews=_finished(begun, name, event))
        case IssueRaised(issue=name, change_reason=str()) if name in state.issues:
            task = replace(state.issues[name], planned=event)
            return replace(state, issues={**state.issues, name: task})
        case IssueRaised(issue=name):
            return replace(state, issues=_begun(state.issues, name, event, act))
        case IssueResolved(issue=name):
            return replace(state, issues=_finished(state.issues, name, event))
        case _:
            return state


def _begun(tasks: Tasks, name: str, event: Event, act: Act) -> Tasks:
    return {**tasks, name: Task(event, act.occurred_at)}


def _without(tasks: Tasks, name: str) -> Tasks:
    return {key: each for key, each in tasks.items() if key != name}


def _finished(tasks: Tasks, name: str, event: Event) -> Tasks:
    task = tasks.get(name)
    # A replay as of a moment may leave out the event that began it.
    return tasks if task is None else {**tasks, name: replace(task, done=event)}
