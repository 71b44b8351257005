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
    standing = proposals.get(proposal)
    if standing is None:
        return [event]
    if standing.proposed == event and standing.party == act.party:
        return []
    raise Refused(
        "proposal-exists",
        f"Proposal {proposal} by {standing.party} already stands with other content.",
        "Put the new content forward under a new identifier.",
        proposal=proposal,
    )


def acceptable(proposal: str, proposals: Proposals, act: Act) -> Proposal | None:
    """Give the proposal that may be accepted, or nothing if it was accepted already.

    Raises `Refused` if there is none, or if the accepting party made it.
    """
    standing = proposals.get(proposal)
    if standing is None:
        raise Refused(
            "no-such-proposal",
            f"There is no proposal {proposal} to accept.",
            "Name a proposal that was put forward: " + (", ".join(proposals) or "there is none."),
            proposal=proposal,
        )
    if standing.party == act.party:
        raise Refused(
            "own-proposal",
            f"{act.party} put proposal {proposal} forward and cannot accept it alone.",
            "The other party accepts it.",
            proposal=proposal,
            party=act.party,
        )
    return None if standing.accepted else standing


def with_proposal(proposal: str, event: Event, proposals: Proposals, act: Act) -> Proposals:
    """Give the proposals and one more."""
    return {**proposals, proposal: Proposal(event, act.party)}


def with_acceptance(proposal: str, proposals: Proposals) -> Proposals:
    """Give the proposals, one of them accepted."""
    standing = proposals.get(proposal)
    if standing is None:  # A replay as of a moment may know the acceptance alone.
        return proposals
    return {**proposals, proposal: Proposal(standing.proposed, standing.party, accepted=True)}
