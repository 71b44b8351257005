"""Priors: what both parties agree to assume about a rate before they have data of their own (C21).

A prior comes from a benchmark, and benchmarks have survivorship bias, so it names its source. It
applies from its recording on. Without an agreed prior, every rate is equally likely beforehand.
"""

from typing import Annotated, Any

from pydantic import Field

from domain.bilateral import BilateralAgreement, BilateralAgreements
from domain.context import PartnershipContext
from domain.kernel import SIGNED_OR_SIGNING, Value
from domain.metric_catalogue import proportion
from domain.own_metric import own_metrics
from domain.proportions import UNIFORM, Beta
from domain.values import Count, Ref, Slug, Text

MOST_SEEN = 10**6
"""The largest weight of a prior: one that outweighs a million trials cannot be updated (C21)."""

Seen = Annotated[int, Field(ge=1, le=MOST_SEEN)]


class Prior(Value):
    """The prior of a rate, as numbers of successes and failures seen before (C21)."""

    metric: Slug
    """The name of a metric of the catalogue."""
    successes: Seen
    """The successes that the prior counts."""
    failures: Seen
    """The failures that the prior counts."""
    source: Text
    """The benchmark that it comes from, and what that leaves out."""

    @property
    def belief(self) -> Beta:
        """The prior as a distribution."""
        return Beta(self.successes, self.failures)


def uniform(metric: str) -> Prior:
    """Return the prior of a rate for which none is agreed."""
    return Prior(
        metric=metric,
        **UNIFORM._asdict(),
        source="none agreed: every rate is equally likely",
    )


class PriorAgreed(
    BilateralAgreement,
    name="Prior",
    subject="the prior of a rate (C21)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    counted="prior_version",
    replaces=True,
):
    """Both parties agreed a prior. It applies to what begins from now on, not before (C21)."""

    proposal: Ref
    """The identifier of the proposal."""
    prior: Prior
    """The belief about a rate before any data, as successes and failures."""
    prior_version: Count
    """The version of the prior, counted from 1."""

    @classmethod
    def about(cls, proposed: Any) -> tuple[str, ...]:  # noqa: ANN401 - made
        """Return the metric of the prior that is proposed or agreed."""
        return "prior", proposed.prior.metric

    def same_as(self, other: BilateralAgreement) -> bool:
        """Whether another agreed prior is of the same metric, and so a version of this one."""
        return isinstance(other, PriorAgreed) and other.prior.metric == self.prior.metric

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the metric is not a proportion."""
        proportion(proposed.prior.metric, own_metrics(context.agreements))


ProposePrior = PriorAgreed.proposes
PriorProposed = PriorAgreed.proposed
AgreePrior = PriorAgreed.accepts


def agreed_prior(metric: str, agreements: BilateralAgreements) -> Prior:
    """Return the prior agreed for a metric, or the uniform one if none is agreed."""
    agreed = [each.prior for each in agreements.versions(PriorAgreed)]
    return next((each for each in reversed(agreed) if each.metric == metric), uniform(metric))
