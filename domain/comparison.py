"""Comparing variants: which is better, with which probability, and when to stop (C5, C26).

The stop rule is agreed before there is data. Either each variant gets a fixed sample and is judged
once, or the variants may be judged at any time, with wider bounds. Judging a fixed sample early
finds a winner too often.

Both rules keep the stated level: where the best variants are equal, one of them wins with a
probability of at most 100 % less the level. The error is divided among the variants, because each
of them could win by chance.

A metric that counts successes of trials is compared by its share of successes. A count, such as
leads, is compared by its events per unit of exposure. A trial is one unit of exposure then.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from domain.counts import Observed, Range
from domain.kernel import Value
from domain.metric_catalogue import CATALOGUE, Direction
from domain.proportions import Beta, confidence_sequence, in_percent, rounded
from domain.values import Count, Sureness


class FixedSample(Value):
    """Stop once each variant has this many trials. The variant that is surely the best wins."""

    kind: Literal["fixed-sample"] = "fixed-sample"
    """The kind of the stop rule: a number of trials."""
    trials: Annotated[int, Field(ge=1, le=10**8)]
    """The number of trials of each variant: of a count, of units of exposure."""
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
    """The trials of one variant so far, and how many of them succeeded.

    Of a count, the units of exposure, and the events that were counted in them.
    """

    trials: int = 0
    successes: int = 0


@dataclass(frozen=True, slots=True)
class Comparison(ABC):
    """The variants of an experiment, compared. What a rate is, each subclass says."""

    metric: str
    """The name of a metric of the catalogue."""
    tallies: Mapping[str, Tally]
    """The tally of every variant, also of those without trials."""
    stop: FixedSample | Anytime
    """When the pilot stops."""

    @abstractmethod
    def mean(self, variant: str) -> Decimal | None:
        """Return the expected rate of a variant, None if nothing is expected."""

    @abstractmethod
    def bounds(self, variant: str) -> Range:
        """Return the bounds of a variant's rate by which it is judged."""

    @abstractmethod
    def shown(self, rate: Decimal) -> Decimal:
        """Return a rate, or a difference of rates, as it is shown, to four digits."""

    def shown_mean(self, variant: str) -> Decimal | None:
        """Return the expected rate of a variant as it is shown."""
        mean = self.mean(variant)
        return None if mean is None else self.shown(mean)

    def shown_bounds(self, variant: str) -> Range:
        """Return the bounds of a variant's rate as they are shown."""
        low, high = self.bounds(variant)
        return Range(self.shown(low), None if high is None else self.shown(high))

    @abstractmethod
    def _above(self, one: str, two: str) -> Decimal:
        """Return the probability, from 0 to 1, that one variant's rate is the higher."""

    @abstractmethod
    def _certainly_above(self, one: str, two: str) -> Decimal:
        """Return that probability with the doubt against the one, for samples of any size."""

    def rate(self, variant: str) -> Decimal | None:
        """Return the rate that was observed, None without trials."""
        trials, successes = self.tallies[variant]
        return Decimal(successes) / trials if trials else None

    def better(self, variant: str, other: str) -> Decimal:
        """Return the probability, from 0 to 1, that a variant's rate is better than another's.

        The metric's direction decides what is better: a lower churn rate is.
        """
        return self._above(*self._higher(variant, other))

    def _higher(self, variant: str, other: str) -> tuple[str, str]:
        """Return both variants: first the one that is the higher if `variant` is better."""
        down = CATALOGUE[self.metric].direction is Direction.DOWN
        return (other, variant) if down else (variant, other)

    def best(self, variant: str) -> Decimal:
        """Return the probability, at least, that a variant is the best; of two, it is exact.

        The probability that any other variant is better is at most the sum of the probabilities for
        each pair (Boole's inequality).
        """
        doubts = (self.better(each, variant) for each in self.tallies if each != variant)
        return max(Decimal(0), 1 - sum(doubts, Decimal(0)))

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
        doubt = sum((1 - self._certainly_above(*pair) for pair in pairs), Decimal(0))
        return doubt <= self._error_of_each

    def _is_separate(self, variant: str) -> bool:
        others = [each for each in self.tallies if each != variant]
        return all(self._parts(*self._higher(variant, each)) for each in others)

    def _parts(self, higher: str, lower: str) -> bool:
        """Whether the bounds of one variant lie above those of another."""
        limit = self.bounds(lower).high
        return limit is not None and self.bounds(higher).low > limit

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


@dataclass(frozen=True, slots=True)
class Shares(Comparison):
    """Variants that are compared by their share of successes. Rates are shown in percent."""

    prior: Beta
    """The belief about a rate before any data, as successes and failures."""

    def mean(self, variant: str) -> Decimal:
        """Return the expected rate of a variant, given the prior and the trials."""
        return self._belief(variant).mean

    def bounds(self, variant: str) -> Range:
        """Return the bounds of a variant's rate by which it is judged."""
        trials, successes = self.tallies[variant]
        if isinstance(self.stop, FixedSample):
            credibility = self.stop.credibility / 100
            return Range(*self.prior.interval_after(successes, trials, credibility))
        level = 1 - self._error_of_each
        return Range(*confidence_sequence(successes, trials, level, self.prior))

    def shown(self, rate: Decimal) -> Decimal:
        """Return a rate in percent, to four digits."""
        return in_percent(rate)

    def _above(self, one: str, two: str) -> Decimal:
        return self._belief(one).probability_above(self._belief(two))

    def _certainly_above(self, one: str, two: str) -> Decimal:
        return self._belief(one).certainly_above(self._belief(two))

    def _belief(self, variant: str) -> Beta:
        trials, successes = self.tallies[variant]
        return self.prior.after(successes, trials)


@dataclass(frozen=True, slots=True)
class Counts(Comparison):
    """Variants that are compared by their events per unit of exposure (C21)."""

    def mean(self, variant: str) -> Decimal | None:
        """Return the rate that was observed: a count needs no prior. None without exposure."""
        return self.rate(variant)

    def bounds(self, variant: str) -> Range:
        """Return the bounds of a variant's rate by which it is judged."""
        observed = self._observed(variant)
        if isinstance(self.stop, FixedSample):
            return observed.interval(self.stop.credibility / 100)
        return observed.confidence_sequence(1 - self._error_of_each)

    def shown(self, rate: Decimal) -> Decimal:
        """Return events per unit of exposure, to four digits."""
        return rounded(rate)

    def _above(self, one: str, two: str) -> Decimal:
        return self._observed(one).probability_above(self._observed(two))

    def _certainly_above(self, one: str, two: str) -> Decimal:
        return self._observed(one).certainly_above(self._observed(two))

    def _observed(self, variant: str) -> Observed:
        trials, events = self.tallies[variant]
        return Observed(events, trials)
