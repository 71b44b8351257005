"""Comparing variants: which is better, with which probability, and when to stop (C5, C26).

The stop rule is agreed before there is data. Either each variant gets a fixed sample and is judged
once, or the variants may be judged at any time, with wider bounds. Judging a fixed sample early
finds a winner too often.

Both rules keep the stated level: where the best variants are equal, one of them wins with a
probability of at most 100 % less the level. The error is divided among the variants, because each
of them could win by chance.
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
    """Stop once each variant has this many trials. The variant that is surely the best wins."""

    kind: Literal["fixed-sample"] = "fixed-sample"
    """The kind of the stop rule: a number of trials."""
    trials: Annotated[int, Field(ge=1, le=10**8)]
    """The number of trials of each variant."""
    credibility: Sureness = Decimal(95)
    """The level, in percent: where the best variants are equal, none of them wins with at least
    this probability."""


class Anytime(Value):
    """Stop as soon as the bounds of one variant lie beyond those of all others."""

    kind: Literal["anytime"] = "anytime"
    """The kind of the stop rule: bounds that hold at any time."""
    level: Sureness = Decimal(95)
    """The level, in percent: the probability with which all bounds contain the rates at all
    times, so that none of several equal variants wins."""


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
        one, two = self._higher(variant, other)
        return one.probability_above(two)

    def _higher(self, variant: str, other: str) -> tuple[Beta, Beta]:
        """Return both posteriors: first the one that is the higher if `variant` is better."""
        one, two = self.belief(variant), self.belief(other)
        return (two, one) if CATALOGUE[self.metric].direction is Direction.DOWN else (one, two)

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
            trials, successes = self.tallies[variant]
            return self.prior.interval_after(successes, trials, self.stop.credibility / 100)
        trials, successes = self.tallies[variant]
        return confidence_sequence(successes, trials, 1 - self._error_of_each, self.prior)

    @property
    def error(self) -> Decimal:
        """The probability, in percent, at most, with which one of several equal variants wins."""
        level = self.stop.credibility if isinstance(self.stop, FixedSample) else self.stop.level
        return 100 - level

    @property
    def _error_of_each(self) -> Decimal:
        """The part of the error, from 0 to 1, for each variant."""
        return self.error / 100 / len(self.tallies)

    def winner(self) -> str | None:
        """Return the variant that wins by the stop rule, None if none does yet."""
        if isinstance(self.stop, FixedSample):
            sure = (each for each in self.tallies if self._is_surely_best(each))
            return next(sure, None) if not self.lacking() else None
        separate = (each for each in self.tallies if self._is_separate(each))
        return next(separate, None)

    def _is_surely_best(self, variant: str) -> bool:
        others = [each for each in self.tallies if each != variant]
        pairs = [self._higher(variant, each) for each in others]
        doubt = sum((1 - one.certainly_above(two) for one, two in pairs), Decimal(0))
        return doubt <= self._error_of_each

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
