"""Comparing variants: which is better, with which probability, and when to stop (C5, C26).

The stop rule is agreed before there is data. Either each variant gets a fixed sample and is judged
once, or the variants may be judged at any time, with wider bounds. Judging a fixed sample early
finds a winner too often.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from domain.kernel import Value
from domain.metric_catalogue import CATALOGUE, Direction
from domain.proportions import Beta, Interval, confidence_sequence
from domain.values import Count, Sureness


class FixedSample(Value):
    """Stop once each variant has this many trials. The variant that is probably the best wins."""

    kind: Literal["fixed-sample"] = "fixed-sample"
    """The kind of the stop rule: a number of trials."""
    trials: Annotated[int, Field(ge=1, le=10**8)]
    """The number of trials of each variant."""
    credibility: Sureness = Decimal(95)
    """The probability, in percent, with which the winner must be the best."""


class Anytime(Value):
    """Stop as soon as the bounds of one variant lie beyond those of all others."""

    kind: Literal["anytime"] = "anytime"
    """The kind of the stop rule: bounds that hold at any time."""
    level: Sureness = Decimal(95)
    """The probability, in percent, with which all bounds contain the rates at all times."""


StopRule = Annotated[FixedSample | Anytime, Field(discriminator="kind")]


class Tally(NamedTuple):
    """The trials of one variant so far, and how many of them succeeded."""

    trials: int = 0
    successes: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The variants of an experiment, compared."""

    metric: str
    """The name of a metric of the catalogue."""
    tallies: Mapping[str, Tally]
    """The tally of every variant, also of those without trials."""
    prior: Beta
    """The belief about a rate before any data, as successes and failures."""
    stop: FixedSample | Anytime
    """When the pilot stops."""

    def belief(self, variant: str) -> Beta:
        """Return the posterior of a variant's rate."""
        trials, successes = self.tallies[variant]
        return self.prior.after(successes, trials)

    def better(self, variant: str, other: str) -> Decimal:
        """Return the probability, from 0 to 1, that a variant's rate is better than another's.

        The metric's direction decides what is better: a lower churn rate is.
        """
        one, two = self.belief(variant), self.belief(other)
        if CATALOGUE[self.metric].direction is Direction.DOWN:
            one, two = two, one
        return one.probability_above(two)

    def best(self, variant: str) -> Decimal:
        """Return the probability, at least, that a variant is the best; of two, it is exact.

        The probability that any other variant is better is at most the sum of the probabilities for
        each pair (Boole's inequality).
        """
        doubts = (self.better(each, variant) for each in self.tallies if each != variant)
        return max(Decimal(0), 1 - sum(doubts, Decimal(0)))

    def bounds(self, variant: str) -> Interval:
        """Return the bounds of a variant's rate by which it is judged."""
        if isinstance(self.stop, FixedSample):
            return self.belief(variant).interval(self.stop.credibility / 100)
        error = (100 - self.stop.level) / 100 / len(self.tallies)
        trials, successes = self.tallies[variant]
        return confidence_sequence(successes, trials, 1 - error, self.prior)

    def winner(self) -> str | None:
        """Return the variant that wins by the stop rule, None if none does yet."""
        if isinstance(self.stop, FixedSample):
            enough = self.stop.credibility / 100
            sure = (each for each in self.tallies if self.best(each) >= enough)
            return next(sure, None) if not self.lacking() else None
        separate = (each for each in self.tallies if self._is_separate(each))
        return next(separate, None)

    def _is_separate(self, variant: str) -> bool:
        mine = self.bounds(variant)
        others = [self.bounds(each) for each in self.tallies if each != variant]
        if CATALOGUE[self.metric].direction is Direction.DOWN:
            return all(mine.high < each.low for each in others)
        return all(mine.low > each.high for each in others)

    def lacking(self) -> Mapping[str, Count]:
        """Return how many trials are missing for the fixed sample, by variant that lacks some."""
        if isinstance(self.stop, Anytime):
            return {}
        return {
            variant: self.stop.trials - each.trials
            for variant, each in self.tallies.items()
            if each.trials < self.stop.trials
        }

    def is_met(self) -> bool:
        """Whether the stop rule is met."""
        return not self.lacking() if isinstance(self.stop, FixedSample) else bool(self.winner())
