"""Scaling: what the evidence shows to work is extended, under terms that cover it (C26)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.formation import EvidenceAttached, EvidenceKind
from domain.gates import Requirement, passing
from domain.kernel import RUNNING, UNTIL_NOTICE, Act
from domain.terms import check_shares
from domain.values import Count, Money, Percent, Ref, Slug, Text

_SHOWS_A_RESULT = {EvidenceKind.EXPERIMENT, EvidenceKind.OUTCOME}


class ScopeExpanded(
    BilateralAgreement,
    name="Scope",
    subject="a wider scope, with the evidence and the terms for it (C26)",
    accepts="ExpandScope",
    stages=RUNNING,
    added=("waived",),
    identity=("proposal",),
    counted=None,
):
    """Both parties agreed a wider scope, and scaling began (C26).

    In the stage renewal it begins once both have renewed.
    """

    proposal: Ref
    """The identifier of the proposal."""
    scope: Text
    """What is added: a product, a geography, joint research, a series that becomes a channel."""
    evidence: Annotated[list[Ref], Field(min_length=1)]
    """The attached evidence that shows that it works."""
    terms_version: Count | None = None
    """The amended terms that cover it; null if the terms in force cover it as they are."""
    waived: list[str] = []
    """The rules that were waived."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if nothing that it names shows a result, so that nobody could accept it.

        The terms that cover it may still be agreed while the proposal is open (C26).
        """
        passing("scaling", [_evidence_first(proposed, context)], context)

    @classmethod
    def complete(cls, proposed: Any, context: PartnershipContext, act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Pass the gate to scaling: evidence first, and amended terms where they change (C26)."""
        return {"waived": passing("scaling", requirements(proposed, context), context)}


ProposeScope = ScopeExpanded.proposes
ScopeProposed = ScopeExpanded.proposed
ExpandScope = ScopeExpanded.accepts


class JointInvestmentAgreed(
    BilateralAgreement,
    name="JointInvestment",
    subject="a joint investment, with the splits of cost and reward (C26)",
    stages=UNTIL_NOTICE,
    identity=("proposal",),
    counted=None,
):
    """Both parties agreed a joint investment (C26)."""

    proposal: Ref
    """The identifier of the proposal."""
    purpose: Text
    """What the investment is for."""
    capabilities: dict[Slug, Text]
    """What each party brings that the other lacks, by party."""
    success_metric: Slug
    """The metric by which the investment is judged."""
    investment: Money
    """The whole investment of both parties."""
    investment_shares: dict[Slug, Percent]
    """The part of the investment that each party pays; they add up to 100."""
    reward_shares: dict[Slug, Percent]
    """The part of the reward that each party gets; they add up to 100."""

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless both splits name the parties and add up to 100 (C26)."""
        check_shares(proposed.investment_shares, context.parties)
        check_shares(proposed.reward_shares, context.parties)


ProposeJointInvestment = JointInvestmentAgreed.proposes
JointInvestmentProposed = JointInvestmentAgreed.proposed
AgreeJointInvestment = JointInvestmentAgreed.accepts


def requirements(proposed: Any, context: PartnershipContext) -> list[Requirement]:  # noqa: ANN401 - made
    """Return what the gate to scaling requires of a proposed scope (C26)."""
    amended = [each.terms_version for each in context.terms.agreed if each.until is None][1:]
    return [
        _evidence_first(proposed, context),
        Requirement(
            "amended-terms-first",
            proposed.terms_version is None or proposed.terms_version in amended[-1:],
            f"Version {proposed.terms_version} is not the latest agreed amendment.",
            "Agree amended terms that cover the new scope (ProposeTerms, AcceptTerms), or name no "
            "version if the terms do not change.",
            fitting={"terms_version": amended[-1] if amended else None},
        ),
    ]


def _evidence_first(proposed: Any, context: PartnershipContext) -> Requirement:  # noqa: ANN401 - made
    attached = {each.evidence: each.kind for each in context.declarations.of(EvidenceAttached)}
    shows = [each for each, kind in attached.items() if kind in _SHOWS_A_RESULT]
    return Requirement(
        "evidence-first",
        any(each in shows for each in proposed.evidence),
        f"No experiment and no outcome is among what it names: {', '.join(proposed.evidence)}."
        if shows
        else "No experiment and no outcome is attached.",
        "Attach the experiment or the outcome that shows that it works (AttachEvidence).",
        fitting={"evidence": shows} if shows else {},
    )
