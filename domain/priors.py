"""Priors: what both agree to believe of a rate before there are numbers of their own (C21).

A prior comes from benchmarks, and benchmarks tell of those who are still there; so it names its
source, it needs both parties, and it binds from its recording on. Without one nothing is believed
beforehand: every rate is as likely as any other.
"""

from typing import Annotated, Any

from pydantic import Field

from domain.bilateral import BilateralAgreement, BilateralAgreements
from domain.kernel import UNTIL_EXIT, Value
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


class PriorAgreed(
    BilateralAgreement,
    name="Prior",
    subject="the prior of a rate (C21)",
    stages=UNTIL_EXIT,
    counted="prior_version",
):
    """Both parties agreed a prior. It applies to what begins from now on, not before (C21)."""

    proposal: Ref
    prior: Prior
    prior_version: Count

    def same_as(self, other: BilateralAgreement) -> bool:
        """Whether another agreed prior is of the same metric, and so a version of this one."""
        return isinstance(other, PriorAgreed) and other.prior.metric == self.prior.metric

    @classmethod
    def check(cls, proposed: Any, within: object) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `Refused` where the metric is not a proportion."""
        proportion(proposed.prior.metric)


ProposePrior = PriorAgreed.proposes
PriorProposed = PriorAgreed.proposed
AgreePrior = PriorAgreed.accepts


def agreed_prior(metric: str, agreements: BilateralAgreements) -> Prior:
    """Give the prior agreed for a metric, or the uniform one if none is agreed."""
    agreed = [each.prior for each in agreements.versions(PriorAgreed)]
    return next((each for each in reversed(agreed) if each.metric == metric), uniform(metric))
