"""Priors: what both agree to believe of a rate before there are numbers of their own (C21).

A prior comes from benchmarks, and benchmarks tell of those who are still there; so it names its
source, it needs both parties, and it binds from its recording on. Without one nothing is believed
beforehand: every rate is as likely as any other.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never

from pydantic import Field

from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.kernel import UNTIL_EXIT, Act, Command, Event, Value
from domain.metric_catalogue import proportion
from domain.proportions import UNIFORM, Beta
from domain.values import Count, Ref, Slug, Text

MOST_SEEN = 10**6
"""The most that a prior can weigh: what outweighs a million trials is no help with few (C21)."""

Seen = Annotated[int, Field(ge=1, le=MOST_SEEN)]


class Prior(Value):
    """What is believed of a rate: as if so many successes and failures had been seen (C21)."""

    metric: Slug
    successes: Seen
    failures: Seen
    source: Text
    """The benchmark that it comes from, and whom that leaves out."""

    @property
    def belief(self) -> Beta:
        """Give it as a distribution."""
        return Beta(self.successes, self.failures)


def uniform(metric: str) -> Prior:
    """Give the prior of a rate of which nothing was agreed."""
    return Prior(metric=metric, **UNIFORM._asdict(), source="none agreed: every rate is as likely")


class ProposePrior(Command):
    """Put a prior forward, before the numbers come (C21)."""

    stages = UNTIL_EXIT
    proposal: Ref
    prior: Prior


class PriorProposed(Event):
    """A party put a prior forward (C21)."""

    proposal: Ref
    prior: Prior


class AgreePrior(Command):
    """Accept a prior that the other party put forward (C21)."""

    stages = UNTIL_EXIT
    proposal: Ref


class PriorAgreed(Event):
    """Both agreed a prior; it holds for what begins from now on and never backwards (C21)."""

    proposal: Ref
    prior: Prior
    prior_version: Count


PriorCommand = ProposePrior | AgreePrior


@dataclass(frozen=True, slots=True)
class Priors:
    """What is proposed and agreed."""

    proposals: Proposals = field(default_factory=dict)
    agreed: tuple[PriorAgreed, ...] = ()

    def of(self, metric: str) -> Prior:
        """Give what is agreed now for a metric, or that nothing is."""
        agreed = [each.prior for each in self.agreed if each.prior.metric == metric]
        return agreed[-1] if agreed else uniform(metric)


def decide(command: PriorCommand, state: Priors, act: Act) -> list[Event]:
    """Decide a command on priors. Raises `Refused`."""
    match command:
        case ProposePrior():
            proportion(command.prior.metric)
            return propose(command.proposal, PriorProposed.of(command), state.proposals, act)
        case AgreePrior():
            return agree(command, state, act)
        case _:
            assert_never(command)


def agree(command: AgreePrior, state: Priors, act: Act) -> list[Event]:
    """Bind both to a prior, from now on (C21)."""
    proposal = acceptable(command.proposal, state.proposals, act)
    if proposal is None or not isinstance(proposal.proposed, PriorProposed):
        return []
    prior = proposal.proposed.prior
    version = 1 + sum(each.prior.metric == prior.metric for each in state.agreed)
    return [PriorAgreed(proposal=command.proposal, prior=prior, prior_version=version)]


def evolve(state: Priors, event: Event, act: Act) -> Priors:
    """Take a fact into what is agreed."""
    match event:
        case PriorProposed():
            proposals = with_proposal(event.proposal, event, state.proposals, act)
            return replace(state, proposals=proposals)
        case PriorAgreed():
            proposals = with_acceptance(event.proposal, state.proposals)
            return Priors(proposals, (*state.agreed, event))
        case _:
            return state
