"""Proposals: what binds both parties is proposed by one and accepted by the other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.kernel import (
    CLOCK_SKEW,
    Act,
    Awaited,
    AwaitedKind,
    Event,
    NotNow,
    Refused,
    Unknown,
)
from domain.values import full_stop, instant


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal of one party, and the other party's answer if it gave one."""

    proposed: Event
    party: str
    """The party that proposed."""
    made_at: datetime
    """When it was made, as its party claims."""
    known_at: datetime
    """When it was recorded: its answer is due from then on."""
    accepted: bool = False
    declined: Event | None = None
    """The event that declined it, or that answered it with another proposal."""
    withdrawn: Event | None = None
    """The event with which its party took it back."""
    lapsed: Event | None = None
    """The event that ended it because what it is about was settled otherwise."""

    @property
    def is_open(self) -> bool:
        """Whether it was neither answered nor taken back, and has not lapsed."""
        return not self.accepted and not (self.declined or self.withdrawn or self.lapsed)

    def open_to(self, party: str) -> bool:
        """Whether the party can accept it or decline it."""
        return self.is_open and self.party != party


Proposals = Mapping[str, Proposal]
"""The proposals of one kind, by the identifier that their author gave."""


def propose(proposal: str, event: Event, proposals: Proposals, act: Act) -> list[Event]:
    """Decide a proposal. Proposed again with the same content, it decides nothing.

    Raises `Refused` if the identifier belongs to another proposal, or if the proposal was declined
    or withdrawn, or has lapsed.
    """
    existing = proposals.get(proposal)
    if existing is None:
        return [event]
    if existing.proposed == event and existing.party == act.party:
        _check_not_ended(proposal, existing)
        return []
    raise Refused(
        "proposal-exists",
        f"{existing.party} already made a proposal {proposal} with other content.",
        "Make the proposal under a new identifier.",
        proposal=proposal,
    )


def acceptable(
    proposal: str, proposals: Proposals, act: Act, waits_in: str | None = None
) -> Proposal | None:
    """Return the proposal that `act.party` may accept, None if it was accepted already.

    Raises `Refused` if there is no such proposal, if the accepting party made it, if it is not open
    any more, or if it was made after it is said to be accepted. With `waits_in`, such as "deal
    D-1", an acceptance waits for its proposal there.
    """
    existing = proposals.get(proposal)
    if existing is None:
        known = [name for name, each in proposals.items() if each.open_to(act.party)]
        raise Unknown(
            "no-such-proposal",
            f"There is no proposal {proposal}.",
            f"Name one of these proposals: {', '.join(known)}."
            if known
            else "Ask the other party to propose it first.",
            proposal=proposal,
            awaits=awaited(proposal, waits_in),
            named=proposal,
            known=known,
        )
    if existing.party == act.party:
        raise NotNow(
            "own-proposal",
            f"{act.party} made the proposal {proposal} and cannot answer it.",
            "The other party answers it. Its author can take it back (WithdrawProposal).",
            proposal=proposal,
            party=act.party,
        )
    if existing.accepted:
        return None
    _check_not_ended(proposal, existing)
    if existing.made_at > act.occurred_at + CLOCK_SKEW:
        # The proposal came later, so its author could have seen what was accepted in advance.
        raise Refused(
            "accepted-before-proposed",
            f"Only what was proposed before can be accepted. The proposal {proposal} is of "
            f"{instant(existing.made_at)}, its acceptance of {instant(act.occurred_at)}.",
            "Read the proposal, then accept it with another event.",
            proposal=proposal,
        )
    return existing


def decline(
    proposal: str, event: Event, proposals: Proposals, act: Act, waits_in: str | None = None
) -> list[Event]:
    """Decide that a proposal is declined, once; `waits_in` is as in `acceptable`.

    Raises `Refused`.
    """
    existing = proposals.get(proposal)
    if existing is not None and existing.declined == event and existing.party != act.party:
        return []
    if acceptable(proposal, proposals, act, waits_in) is None:
        raise _answered(proposal)
    return [event]


def withdraw(proposal: str, event: Event, existing: Proposal, act: Act) -> list[Event]:
    """Decide that a party takes back a proposal of its own, once. Raises `Refused`."""
    if existing.party != act.party:
        raise NotNow(
            "not-your-proposal",
            f"Only {existing.party}, which made the proposal {proposal}, can withdraw it.",
            "Decline the proposal instead.",
            proposal=proposal,
        )
    if existing.withdrawn == event:
        return []
    if not existing.is_open:
        raise _answered(proposal)
    return [event]


def _answered(proposal: str) -> NotNow:
    return NotNow(
        "proposal-answered",
        f"The proposal {proposal} is not open any more: it was answered or withdrawn.",
        "Propose a change of what was agreed.",
        proposal=proposal,
    )


def _check_not_ended(proposal: str, existing: Proposal) -> None:
    """Raise `Refused` for a proposal that was declined, countered, withdrawn, or that lapsed."""
    again = "Make another proposal, under a new identifier."
    counter: Any = existing.declined  # a `BilateralCountered`, if it names what it answers
    if existing.declined is not None and hasattr(counter, "counters"):
        raise NotNow(
            "proposal-countered",
            f"The proposal {proposal} was answered with another one, {counter.proposal}.",
            f"Answer {counter.proposal}, or make another proposal under a new identifier.",
            proposal=proposal,
        )
    if existing.declined is not None:
        raise NotNow(
            "proposal-declined",
            f"The proposal {proposal} was declined.",
            again,
            proposal=proposal,
        )
    if existing.withdrawn is not None:
        raise NotNow(
            "proposal-withdrawn",
            f"{existing.party} withdrew the proposal {proposal}.",
            again,
            proposal=proposal,
        )
    if existing.lapsed is not None:
        event: Any = existing.lapsed  # a `ProposalLapsed`
        raise NotNow(
            "proposal-lapsed",
            f"The proposal {proposal} has lapsed: {full_stop(event.reason)}",
            again,
            proposal=proposal,
        )


def awaited(proposal: str, waits_in: str | None) -> Awaited | None:
    """Return what an answer waits for whose proposal is not on record; None if it does not wait."""
    words = f"proposal {proposal} of {waits_in}"
    return Awaited(AwaitedKind.PROPOSAL, proposal, words) if waits_in else None


def with_proposal(proposal: str, event: Event, proposals: Proposals, act: Act) -> Proposals:
    """Return the proposals with one more."""
    return {**proposals, proposal: Proposal(event, act.party, act.occurred_at, act.recorded_at)}


def with_acceptance(proposal: str, proposals: Proposals) -> Proposals:
    """Return the proposals with one of them accepted."""
    return _with(proposal, proposals, accepted=True)


def with_decline(proposal: str, event: Event, proposals: Proposals) -> Proposals:
    """Return the proposals with one of them declined by `event`."""
    return _with(proposal, proposals, declined=event)


def with_lapse(proposal: str, event: Event, proposals: Proposals) -> Proposals:
    """Return the proposals with one of them lapsed by `event`."""
    return _with(proposal, proposals, lapsed=event)


def with_withdrawal(proposal: str, event: Event, proposals: Proposals) -> Proposals:
    """Return the proposals with one of them withdrawn by `event`."""
    return _with(proposal, proposals, withdrawn=event)


def _with(proposal: str, proposals: Proposals, **changed: Any) -> Proposals:  # noqa: ANN401 - fields
    existing = proposals.get(proposal)
    # A replay as of a moment may have the answer without the proposal.
    return {**proposals, proposal: replace(existing, **changed)} if existing else proposals
