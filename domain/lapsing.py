"""Open proposals that lapse: what they are about was settled otherwise, or no stage takes them.

Nobody can accept what has lapsed, so an old proposal never undoes what both agreed after it.
"""

from collections.abc import Mapping
from typing import Any, Final

from domain.bilateral import BilateralAgreement, BilateralAgreements, ProposalLapsed
from domain.consent import Proposal
from domain.execution import (
    ActionCompleted,
    CampaignClosed,
    CommitmentCancelled,
    ImprovementPlanCompleted,
    IssueResolved,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepCompleted,
    ReviewHeld,
    ReviewScheduled,
    given_up_words,
)
from domain.exit import BreachCured, ExitAgreed, ExitNoticeGiven, ExitWithdrawn
from domain.formation import CharterAgreed
from domain.gates import WaiverGranted, stages_of
from domain.health import ContributionRecorded, RiskIdentified, RiskMitigated, TargetAdjusted
from domain.kernel import Event, Stage

Subject = tuple[str, ...]
"""What a proposal is about: ("milestone", "M-1")."""

SETTLED: Final[Mapping[type[Event], tuple[str, str]]] = {
    MilestoneReached: ("milestone", "was reached"),
    ActionCompleted: ("action", "was done"),
    CampaignClosed: ("campaign", "was closed"),
    OnboardingStepCompleted: ("step", "was completed"),
    ContributionRecorded: ("contribution", "was given"),
    ReviewHeld: ("review", "was held"),
    IssueResolved: ("issue", "was resolved"),
    ImprovementPlanCompleted: ("plan", "was closed"),
    BreachCured: ("breach", "was cured"),
    RiskMitigated: ("risk", "was mitigated"),
}
"""What an event settles, by the field that names it, and how it is said."""

_ANEW: Final[Mapping[type[Event], tuple[type[Event], str]]] = {
    MilestoneReached: (MilestonePlanned, "was planned anew"),
    ReviewHeld: (ReviewScheduled, "was scheduled anew"),
    RiskMitigated: (RiskIdentified, "was rated anew"),
}
"""By what says that something is done: the event that begins it anew, and how that is said."""

_LEAVING: Final[Mapping[type[Event], str]] = {
    ExitAgreed: "Both parties agreed to end the partnership.",
    ExitWithdrawn: "Both parties withdrew the exit.",
}
"""The agreements that settle whether and when the partnership ends."""

_EXIT: Final[Subject] = ("exit",)

THE_END: Final = "The partnership has ended."


def lapsed(
    agreements: BilateralAgreements, before: Stage | None, after: Stage | None, decided: list[Event]
) -> list[Event]:
    """Return an event for each open proposal that lapses by what was decided.

    `agreements` are those before it, `before` and `after` the stages around it.
    """
    accepted = {
        (each.name, each.proposal_ref) for each in decided if isinstance(each, BilateralAgreement)
    }
    still_open = [
        (kind, name, each)
        for kind, name, each in agreements.every_proposal()
        if each.is_open and (kind.name, name) not in accepted
    ]
    return [
        ProposalLapsed(agreement=kind.name, proposal=name, reason=reason)
        for kind, name, each in still_open
        if (reason := _reason(kind, name, each, decided, agreements))
        or (reason := _of_stage(_stages(kind, each.proposed), before, after))
    ]


def at_the_exit(agreements: BilateralAgreements, day: str) -> list[Event]:
    """Return an event for each open proposal that lapses when an exit takes effect on a day."""
    return [
        ProposalLapsed(agreement=kind.name, proposal=name, reason=f"The exit took effect on {day}.")
        for kind, name, each in agreements.every_proposal()
        if each.is_open and ends_with_exit(kind, each.proposed)
    ]


def ends_with_exit(kind: type[BilateralAgreement], proposed: Any) -> bool:  # noqa: ANN401 - made
    """Whether nobody can accept a proposal any more once an exit took effect."""
    if kind is CommitmentCancelled:
        return proposed.kind in _ENDED_BY_AN_EXIT
    ends: bool = kind.accepts.ends_with_exit
    return ends


_ENDED_BY_AN_EXIT: Final = {"campaign", "contribution", "milestone", "pause", "step"}
"""What an exit gives up when it takes effect, by the word for it in a cancellation."""


def _reason(
    kind: type[BilateralAgreement],
    name: str,
    proposal: Proposal,
    decided: list[Event],
    agreements: BilateralAgreements,
) -> str | None:
    """Return why a proposal lapses by what was decided; None if it does not."""
    subject = _about(kind, proposal.proposed)
    for event in decided:
        settled = _settled(event)
        if settled is not None and settled[0] == subject:
            return settled[1]
        if isinstance(event, CharterAgreed) and kind is TargetAdjusted:
            return "A later charter was agreed."
        if anew := _begun_anew(kind, event, subject):
            return anew
        if isinstance(event, ExitNoticeGiven) and _is_no_sooner(kind, proposal.proposed, event):
            return f"Notice was given to leave on {event.effective_on}."
        if not (isinstance(event, kind) and kind.replaces):
            continue
        if subject == _about(kind, event) and _is_older(name, event, agreements):
            return f"A later proposal, {event.proposal_ref}, was agreed."
    return None


def _begun_anew(kind: type[BilateralAgreement], event: Event, subject: Subject) -> str | None:
    """Return why a proposal that something is done lapses: it was planned or recorded anew."""
    if kind not in _ANEW or type(event) is not _ANEW[kind][0]:
        return None
    what, name = subject
    return f"The {what} {name} {_ANEW[kind][1]}." if getattr(event, what) == name else None


def _is_no_sooner(
    kind: type[BilateralAgreement],
    proposed: Any,  # noqa: ANN401 - made
    notice: ExitNoticeGiven,
) -> bool:
    """Whether a proposed exit cannot be agreed after a notice: it is no sooner, or has its name."""
    if kind is not ExitAgreed:
        return False
    found: bool = proposed.exit == notice.exit or proposed.effective_on >= notice.effective_on
    return found


def _about(kind: type[BilateralAgreement], proposed: Any) -> Subject:  # noqa: ANN401 - made
    """Return what a proposal or an agreement is about."""
    if kind in _LEAVING:
        return _EXIT
    if kind is CommitmentCancelled:
        return proposed.kind, proposed.ref
    return kind.about(proposed)


def _settled(event: Any) -> tuple[Subject, str] | None:  # noqa: ANN401 - any event
    """Return what an event settles for good, and the sentence that says so."""
    kind = type(event)
    if kind in _LEAVING:
        return _EXIT, _LEAVING[kind]
    if kind is CommitmentCancelled:
        what = given_up_words(event.kind)
        return (event.kind, event.ref), f"The {what} {event.ref} was given up."
    if kind in SETTLED:
        field, done = SETTLED[kind]
        name = getattr(event, field)
        return (field, name), f"The {field} {name} {done}."
    return None


def _is_older(name: str, agreed: BilateralAgreement, agreements: BilateralAgreements) -> bool:
    """Whether a proposal was made before the one that is agreed."""
    made = agreements.proposals_of(type(agreed))
    return next((each for each in made if each in {name, agreed.proposal_ref}), None) == name


def _stages(kind: type[BilateralAgreement], proposed: Any) -> frozenset[Stage]:  # noqa: ANN401 - made
    """Return the stages in which a proposal can be accepted: a waiver only before its gate."""
    if kind is WaiverGranted:
        return stages_of(proposed.rule)
    stages: frozenset[Stage] = kind.accepts.stages
    return stages


def _of_stage(stages: frozenset[Stage], before: Stage | None, after: Stage | None) -> str | None:
    """Return why a proposal lapses in a new stage; None if it can be accepted there."""
    if before == after or after is None or after in stages:
        return None
    if after is Stage.ENDED:
        return THE_END
    return f"It cannot be accepted in the stage {after.value}."
