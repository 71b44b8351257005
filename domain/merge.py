"""Merges: both parties agree that a deal is a duplicate, the same client as another deal (C18).

From then on the duplicate counts nowhere, for all its past. What belongs to the client is stated on
the other deal. A merge is final, and there are no chains: a deal that others were merged into is
not merged itself.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from domain.bilateral import BilateralAgreement, BilateralCommand
from domain.claims import ClaimCommand
from domain.deal_record import Deal, DealCommand
from domain.facts import Stated, first
from domain.kernel import Act, Awaited, AwaitedKind, Command, NotNow, Refused
from domain.referral import REFERRAL
from domain.settlement import Ledger
from domain.values import Ref, Text, instant

MERGE: Final = "merge"
"""The name of the merge among the facts of a deal."""


class DealsMerged(
    BilateralAgreement,
    name="Merge",
    subject="that a deal is a duplicate, the same client as another deal (C18)",
    base=DealCommand,
    counted=None,
):
    """Both parties agreed that a deal is a duplicate of another. It counts nowhere (C18)."""

    deal: Ref
    """The identifier of the duplicate."""
    proposal: Ref
    """The identifier of the proposal."""
    into: Ref
    """The deal that counts for the client."""
    reason: Text
    """How both know that it is the same client."""

    @classmethod
    def check(cls, proposed: Any, context: "MergeContext") -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless both deals are on record and neither has a part in a merge."""
        if proposed.into == proposed.deal:
            raise Refused(
                "merged-into-itself",
                f"A deal is merged into another one. The proposal merges deal {proposed.deal} into "
                "itself.",
                "Name the deal that counts for the client.",
                field="into",
            )
        if context.into is None or first(context.into.facts, REFERRAL) is None:
            raise _unknown(proposed.into)
        _check_no_chain(proposed, context)

    @classmethod
    def complete(cls, proposed: Any, context: "MergeContext", act: Act) -> dict[str, object]:  # noqa: ANN401, ARG003
        """Return no further fields. Raises `Refused` if another merge was agreed meanwhile."""
        _check_no_chain(proposed, context)
        return {}


ProposeMerge = DealsMerged.proposes

MergeProposed = DealsMerged.proposed

AgreeMerge = DealsMerged.accepts


class MergeContext(NamedTuple):
    """What a merge depends on."""

    deal: Deal
    into: Deal | None
    """The deal that counts; None at an acceptance, because the proposal has checked it."""
    ledger: Callable[[], Ledger]


def merged_into(command: Command) -> str | None:
    """Return the deal that a proposal of a merge names, None for another command."""
    return command.into if isinstance(command, ProposeMerge) else None


def check_counts(command: DealCommand | ClaimCommand, state: Deal, act: Act) -> None:
    """Raise `Refused` for what happened to a duplicate after it was merged.

    What happened before is recorded, whenever it arrives, and counts nowhere.
    """
    merge = first(state.facts, MERGE)
    if merge is None or act.occurred_at <= merge.at or _is_merge(command):
        return
    assert isinstance(merge.event, DealsMerged)  # noqa: S101 - the facts of this name
    raise _merged(merge.event.deal, merge.event.into, merge)


def _is_merge(command: Command) -> bool:
    return isinstance(command, BilateralCommand) and command.agreement is DealsMerged


def _check_no_chain(proposed: Any, context: MergeContext) -> None:  # noqa: ANN401 - made
    merge = first(context.deal.facts, MERGE)
    if merge is not None:
        assert isinstance(merge.event, DealsMerged)  # noqa: S101 - the facts of this name
        raise _merged(proposed.deal, merge.event.into, merge)
    merges = context.ledger().merges
    into = merges(proposed.into).into
    if into is not None:
        raise NotNow(
            "merged-into-a-duplicate",
            f"A deal is merged into one that counts. Deal {proposed.into} is merged into {into}.",
            "Leave it: the two count as one already."
            if into == proposed.deal
            else f"Merge deal {proposed.deal} into {into}.",
            field="into",
        )
    duplicates = merges(proposed.deal).duplicates
    if duplicates:
        raise NotNow(
            "merge-of-a-merged",
            f"Others are merged into deal {proposed.deal} ({', '.join(duplicates)}), so it is not "
            "merged itself.",
            f"Merge deal {proposed.into} into {proposed.deal}.",
            field="deal",
        )


def _merged(deal: str, into: str, merge: Stated) -> Refused:
    return Refused(
        "deal-merged",
        f"Nothing is added to a duplicate. Deal {deal} is merged into {into} since "
        f"{instant(merge.at)}.",
        f"State it on deal {into}.",
        field="deal",
    )


def _unknown(deal: str) -> Refused:
    return Refused(
        "no-such-deal-to-merge-into",
        f"A deal is merged into one that is on record. No referral {deal} was submitted.",
        "Submit its referral (SubmitReferral), or name another deal.",
        awaits=Awaited(AwaitedKind.REFERRAL, deal, f"the referral of deal {deal}", f"deal/{deal}"),
        field="into",
    )
