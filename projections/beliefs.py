"""What figures say of the rates behind them: posterior means and credible intervals (C20, C21).

They are computed when figures are read and not when events are folded, because one costs about a
thousand times as much as a sum. The prior is the one in force when the period began. Where none
was agreed the prior is uniform, and the answer says so.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from domain.calendar import bounds
from domain.described import described
from domain.metric_catalogue import Metric
from domain.priors import Prior, uniform
from domain.proportions import UNIFORM, Beta, in_percent
from domain.reported_figure import Respondents
from domain.values import Exact
from projections.kpis import AgreedPrior, AgreedRow

CREDIBILITY = Decimal(95)
"""The probability, in percent, that a credible interval contains the rate."""


class Belief(NamedTuple):
    """A rate's distribution after a period's trials, and the prior that it started from."""

    posterior: Beta
    prior: Prior
    agreed: AgreedPrior | None
    """The prior as it was agreed; None for the uniform one."""
    successes: int
    trials: int


@described
@dataclass(frozen=True, slots=True)
class Posterior:
    """The mean and the credible interval of a rate, in percent, and the prior (C21)."""

    mean: Exact
    """The mean of the posterior, in percent."""
    low: Exact
    """The lower bound of the credible interval."""
    high: Exact
    """The upper bound of the credible interval."""
    credibility: Exact
    """The probability, in percent, that the rate lies from `low` to `high`."""
    prior: Prior
    """The prior that the belief began with."""
    prior_version: int | None = None
    """The version of the agreed prior; null for the uniform prior, which nobody agreed."""


@described
@dataclass(frozen=True, slots=True)
class ScoreBounds:
    """The bounds of a net promoter score, given who answered (C21)."""

    low: Exact
    """The lower bound of the score, from -100 to 100."""
    high: Exact
    """The upper bound of the score, from -100 to 100."""
    credibility: Exact
    """The probability, in percent, at least, that the score lies from `low` to `high`."""


def score_bounds(of: Respondents) -> ScoreBounds:
    """Return the bounds of the score of all customers, given those who answered.

    The shares of promoters and of detractors each have an interval that errs half as often. So both
    hold together at least as often as is said (Boole's inequality).
    """
    each = (100 + CREDIBILITY) / 200
    promoters = UNIFORM.interval_after(of.promoters, of.total, each)
    detractors = UNIFORM.interval_after(of.detractors, of.total, each)
    return ScoreBounds(
        in_percent(promoters.low - detractors.high),
        in_percent(promoters.high - detractors.low),
        CREDIBILITY,
    )


def prior_for(metric: str, period: str, agreed: AgreedRow) -> AgreedPrior | None:
    """Return the prior in force when a period began, if one was agreed (C21)."""
    start = bounds(period)[0]
    in_force = [
        each for each in agreed.priors if each.prior.metric == metric and each.binds_from <= start
    ]
    return in_force[-1] if in_force else None


def belief(
    metric: Metric,
    period: str,
    numerator: Decimal | None,
    denominator: Decimal | None,
    agreed: AgreedRow,
) -> Belief | None:
    """Return the belief about a rate after its figure.

    None where the evidence is insufficient: without a denominator, or where successes exceed
    trials because the deals of a month are those of leads before it.
    """
    if not metric.of_trials or not numerator_fits(numerator, denominator):
        return None
    found = prior_for(metric.name, period, agreed)
    prior = found.prior if found else uniform(metric.name)
    successes, trials = int(numerator or 0), int(denominator or 0)
    return Belief(prior.belief.after(successes, trials), prior, found, successes, trials)


def numerator_fits(numerator: Decimal | None, denominator: Decimal | None) -> bool:
    """Whether these can be successes and trials: whole, and no more successes than trials."""
    return (
        numerator is not None
        and denominator is not None
        and numerator == int(numerator)
        and denominator == int(denominator)
        and 0 <= numerator <= denominator > 0
    )


def posterior(known: Belief) -> Posterior:
    """Return the mean and the credible interval of a rate, and the prior that was used."""
    seen = (known.successes, known.trials)
    interval = known.prior.belief.interval_after(*seen, CREDIBILITY / 100)
    return Posterior(
        in_percent(known.posterior.mean),
        in_percent(interval.low),
        in_percent(interval.high),
        CREDIBILITY,
        known.prior,
        known.agreed.version if known.agreed else None,
    )
