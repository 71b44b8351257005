"""Open proposals that lapse: what they are about was settled otherwise, or no stage takes them.

Nobody can accept what has lapsed, so an old proposal never undoes what both agreed after it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.bilateral import BilateralAgreement, BilateralAgreements, ProposalLapsed
from domain.consent import Proposal
from domain.execution import (
    ActionCompleted,
    CommitmentCancelled,
    ImprovementPlanCompleted,
    IssueResolved,
    MilestoneReached,
    ReviewHeld,
)
from domain.exit import ExitAgreed, ExitWithdrawn
from domain.kernel import Event, Stage

Subject = tuple[str, ...]
"""What a proposal is about: ("milestone", "M-1")."""

_SETTLED: Final[Mapping[type[Event], tuple[str, str]]] = {
    MilestoneReached: ("milestone", "was reached"),
    ActionCompleted: ("action", "was done"),
    ReviewHeld: ("review", "was held"),
    IssueResolved: ("issue", "was resolved"),
    ImprovementPlanCompleted: ("plan", "was closed"),
}
"""What an event settles, by the field that names it, and how it is said."""

_LEAVING: Final[Mapping[type[Event], str]] = {
    ExitAgreed: "Both parties agreed to end the partnership.",
    ExitWithdrawn: "Both parties withdrew the exit.",
}
"""The agreements that settle whether and when the partnership ends."""

_EXIT: Final[Subject] = ("exit",)


def lapsed(
    agreements: BilateralAgreements, before: Stage | None, after: Stage | None, decided: list[Event]
) -> list[Event]:
    """Return an event for each open proposal that lapses by what was decided.

    `agreements` are those before it, `before` and `after` the stages around it.
    """
    found: dict[tuple[str, str], str] = {}
    accepted = {
        (each.name, each.proposal_ref) for each in decided if isinstance(each, BilateralAgreement)
    }
    for kind, name, proposal in agreements.every_proposal():
        if not proposal.is_open or (kind.name, name) in accepted:
            continue
        reasons = [
            *(_reason(kind, name, proposal, event, agreements) for event in decided),
            _of_stage(kind, before, after),
        ]
        for reason in filter(None, reasons):
            found.setdefault((kind.name, name), reason)
    return [
        ProposalLapsed(agreement=kind, proposal=name, reason=reason)
        for (kind, name), reason in found.items()
    ]


def _reason(
    kind: type[BilateralAgreement],
    name: str,
    proposal: Proposal,
    event: Event,
    agreements: BilateralAgreements,
) -> str | None:
    """Return why a proposal lapses by an event; None if it does not."""
    if type(event) in _LEAVING:
        return _LEAVING[type(event)] if about(kind, proposal.proposed) == _EXIT else None
    settled = _settled(event)
    if settled is not None and about(kind, proposal.proposed) == settled[0]:
        return settled[1]
    if isinstance(event, kind) and kind.replaces_earlier() and _is_older(name, event, agreements):
        same = all(
            getattr(proposal.proposed, each) == getattr(event, each) for each in kind.identity
        )
        return f"A later proposal, {event.proposal_ref}, was agreed." if same else None
    return None


def about(kind: type[BilateralAgreement], proposed: Any) -> Subject:  # noqa: ANN401 - made
    """Return what a proposal is about."""
    if kind in _LEAVING:
        return _EXIT
    if kind is CommitmentCancelled:
        return proposed.kind, proposed.ref
    return (*kind.identity, *(str(getattr(proposed, each)) for each in kind.identity))


def _settled(event: Event) -> tuple[Subject, str] | None:
    """Return what an event settles for good, and the sentence that says so."""
    if isinstance(event, CommitmentCancelled):
        return (event.kind, event.ref), f"The {event.kind} {event.ref} was given up."
    for kind, (field, done) in _SETTLED.items():
        if isinstance(event, kind):
            name = getattr(event, field)
            return (field, name), f"The {field} {name} {done}."
    return None


def _is_older(name: str, agreed: BilateralAgreement, agreements: BilateralAgreements) -> bool:
    """Whether a proposal was made before the one that is agreed."""
    made: Iterator[str] = iter(agreements.proposals_of(type(agreed)))
    return next((each for each in made if each in {name, agreed.proposal_ref}), None) == name


def _of_stage(
    kind: type[BilateralAgreement], before: Stage | None, after: Stage | None
) -> str | None:
    """Return why a proposal lapses in a new stage; None if it can be accepted there."""
    if before == after or after is None or after is Stage.ENDED or after in kind.accepts.stages:
        return None
    return f"It cannot be accepted in the stage {after.value}."
