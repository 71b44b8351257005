"""What binds both parties needs both: one proposes, the other accepts, nobody accepts alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.kernel import Act, Event, Refused


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one party put forward: its event, its author, and whether the other accepted it."""

    proposed: Event
    party: str
    accepted: bool = False


Proposals = Mapping[str, Proposal]
"""The proposals of one kind, by the identifier their author gave."""


def propose(proposal: str, event: Event, proposals: Proposals, act: Act) -> list[Event]:
    """Decide a proposal: nothing if it stands, a refusal if its identifier names another."""
    existing = proposals.get(proposal)
    if existing is None:
        return [event]
    if existing.proposed == event and existing.party == act.party:
        return []
    raise Refused(
        "proposal-exists",
        f"Proposal {proposal} by {existing.party} already stands with other content.",
        "Put the new content forward under a new identifier.",
        proposal=proposal,
    )


def acceptable(proposal: str, proposals: Proposals, act: Act) -> Proposal | None:
    """Give the proposal that may be accepted, or nothing if it was accepted already.

    Raises `Refused` if there is none, or if the accepting party made it.
    """
    existing = proposals.get(proposal)
    if existing is None:
        raise Refused(
            "no-such-proposal",
            f"There is no proposal {proposal} to accept.",
            "Name a proposal that was put forward: " + (", ".join(proposals) or "there is none."),
            proposal=proposal,
        )
    if existing.party == act.party:
        raise Refused(
            "own-proposal",
            f"{act.party} put proposal {proposal} forward and cannot accept it alone.",
            "The other party accepts it.",
            proposal=proposal,
            party=act.party,
        )
    return None if existing.accepted else existing


def with_proposal(proposal: str, event: Event, proposals: Proposals, act: Act) -> Proposals:
    """Give the proposals and one more."""
    return {**proposals, proposal: Proposal(event, act.party)}


def with_acceptance(proposal: str, proposals: Proposals) -> Proposals:
    """Give the proposals, one of them accepted."""
    existing = proposals.get(proposal)
    if existing is None:  # A replay as of a moment may know the acceptance alone.
        return proposals
    return {**proposals, proposal: Proposal(existing.proposed, existing.party, accepted=True)}
