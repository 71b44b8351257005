"""Scaling: what the evidence showed to win is widened, under amended terms (C26)."""

from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never

from pydantic import Field

from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.context import PartnershipContext
from domain.formation import EvidenceAttached, EvidenceKind, Formation
from domain.gates import Requirement, passing
from domain.kernel import Act, Command, Event, Stage, Value
from domain.terms import check_shares
from domain.values import Count, Money, Percent, Ref, Slug, Text

SCALABLE = frozenset({Stage.EXECUTION, Stage.SCALING})
_SHOWS_A_RESULT = {EvidenceKind.EXPERIMENT, EvidenceKind.OUTCOME}


class _Scope(Value):
    proposal: Ref
    scope: Text
    """What is added: a product, a geography, joint research, a series that becomes a channel."""
    evidence: Annotated[list[Ref], Field(min_length=1)]
    """The evidence that it wins, as attached."""
    terms_version: Count
    """The version of the terms that covers it."""


class ProposeScope(_Scope, Command):
    """Put a wider scope forward, with the evidence and the terms for it (C26)."""

    stages = SCALABLE


class ScopeProposed(_Scope, Event):
    """A party put a wider scope forward (C26)."""


class ExpandScope(Command):
    """Agree to the other party's wider scope: the gate to scaling (C26)."""

    stages = SCALABLE
    proposal: Ref


class ScopeExpanded(Event):
    """Both agreed a wider scope, and scaling began (C26)."""

    proposal: Ref
    scope: Text
    waived: list[str] = []
    """The rules passed by waiver."""


class _JointInvestment(Value):
    proposal: Ref
    purpose: Text
    capabilities: dict[Slug, Text]
    """What each party brings that the other has not."""
    success_metric: Slug
    investment: Money
    investment_shares: dict[Slug, Percent]
    reward_shares: dict[Slug, Percent]


class ProposeJointInvestment(_JointInvestment, Command):
    """Put a joint investment forward, with the splits of cost and reward (C26)."""

    stages = SCALABLE


class JointInvestmentProposed(_JointInvestment, Event):
    """A party put a joint investment forward (C26)."""


class AgreeJointInvestment(Command):
    """Agree to the other party's joint investment (C26)."""

    stages = SCALABLE
    proposal: Ref


class JointInvestmentAgreed(Event):
    """Both agreed a joint investment (C26)."""

    proposal: Ref


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is proposed and agreed."""

    scopes: Proposals = field(default_factory=dict)
    investments: Proposals = field(default_factory=dict)


ScalingCommand = ProposeScope | ExpandScope | ProposeJointInvestment | AgreeJointInvestment


def decide(
    command: ScalingCommand,
    state: Scaling,
    formation: Formation,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case ProposeScope():
            return propose(command.proposal, ScopeProposed.of(command), state.scopes, act)
        case ExpandScope():
            return expand(command, state, formation, context, act)
        case ProposeJointInvestment():
            check_shares(command.investment_shares, context.parties)
            check_shares(command.reward_shares, context.parties)
            event = JointInvestmentProposed.of(command)
            return propose(command.proposal, event, state.investments, act)
        case AgreeJointInvestment():
            proposal = acceptable(command.proposal, state.investments, act)
            return [JointInvestmentAgreed.of(command)] if proposal else []
        case _:
            assert_never(command)


def expand(
    command: ExpandScope,
    state: Scaling,
    formation: Formation,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Open the gate to scaling: evidence first, and terms that cover it (C26)."""
    proposal = acceptable(command.proposal, state.scopes, act)
    if proposal is None or not isinstance(proposal.proposed, ScopeProposed):
        return []
    proposed = proposal.proposed
    waived = passing("scaling", requirements(proposed, formation, context), context)
    return [ScopeExpanded(proposal=command.proposal, scope=proposed.scope, waived=waived)]


def requirements(
    proposed: ScopeProposed, formation: Formation, context: PartnershipContext
) -> list[Requirement]:
    """Give what the gate to scaling asks of a proposed scope (C26)."""
    attached = {each.evidence: each.kind for each in context.declarations.of(EvidenceAttached)}
    latest = formation.latest_terms()
    return [
        Requirement(
            "evidence-first",
            any(attached.get(each) in _SHOWS_A_RESULT for each in proposed.evidence),
            f"None of {', '.join(proposed.evidence)} is the outcome of something tried.",
            "Attach the experiment or the outcome that shows it to win (AttachEvidence).",
        ),
        Requirement(
            "amended-terms-first",
            latest is not None and latest.terms_version == proposed.terms_version > 1,
            f"Version {proposed.terms_version} is not the latest amendment that both agreed.",
            "Agree amended terms that cover the new scope (ProposeTerms, AcceptTerms).",
        ),
    ]


def evolve(state: Scaling, event: Event, act: Act) -> Scaling:
    """Take a fact of this stage into its state."""
    match event:
        case ScopeProposed():
            return replace(state, scopes=with_proposal(event.proposal, event, state.scopes, act))
        case ScopeExpanded():
            return replace(state, scopes=with_acceptance(event.proposal, state.scopes))
        case JointInvestmentProposed():
            proposals = with_proposal(event.proposal, event, state.investments, act)
            return replace(state, investments=proposals)
        case JointInvestmentAgreed():
            proposals = with_acceptance(event.proposal, state.investments)
            return replace(state, investments=proposals)
        case _:
            return state
