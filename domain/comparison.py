"""Variants set side by side: who is better how surely, and whether that is enough (C5, C26).

When to stop, and what wins then, is agreed before there are data. Either each variant gets the
same fixed sample, and is looked at once; or everybody may look at any time, and pays for it with
wider bounds. Whoever looks early at a fixed sample finds a winner too often.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from domain.kernel import Value
from domain.metric_catalogue import CATALOGUE, Direction
from domain.proportions import Beta, Interval, confidence_sequence
from domain.values import Count, Percent

Sureness = Annotated[Percent, Field(ge=50, lt=100)]
"""How sure a winner must be, in percent: more likely than not, and never certain."""


class FixedSample(Value):
    """Stop once each variant has so many trials; the likely best one wins."""

    kind: Literal["fixed-sample"] = "fixed-sample"
    trials: Annotated[int, Field(ge=1, le=10**8)]
    """Trials of each variant."""
    credibility: Sureness = Decimal(95)
    """How likely the winner must be the best, given the prior and the trials."""


class Anytime(Value):
    """Stop as soon as one variant's bounds lie beyond those of all others, whenever one looks."""

    kind: Literal["anytime"] = "anytime"
    level: Sureness = Decimal(95)
    """How surely all bounds of all variants hold the rates at all times at once."""


StopRule = Annotated[FixedSample | Anytime, Field(discriminator="kind")]


class Tally(NamedTuple):
    """What one variant came to so far."""

    trials: int = 0
    successes: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The variants of an experiment as they stand."""

    metric: str
    tallies: Mapping[str, Tally]
    """What each variant came to; all are in it, also those without trials."""
    prior: Beta
    stop: FixedSample | Anytime

    def belief(self, variant: str) -> Beta:
        """Give what is believed of a variant's rate."""
        trials, successes = self.tallies[variant]
        return self.prior.after(successes, trials)

    def better(self, variant: str, other: str) -> Decimal:
        """Give how likely a variant's rate is better than another's, from 0 to 1.

        Better is what the metric's direction says: of those who leave, fewer are.
        """
        one, two = self.belief(variant), self.belief(other)
        if CATALOGUE[self.metric].direction is Direction.DOWN:
            one, two = two, one
        return one.probability_above(two)

    def best(self, variant: str) -> Decimal:
        """Give how likely, at least, a variant is the best of all; of two it is that exactly.

        It is the best unless some other is better, and that is no likelier than the sum of the
        pairs says (Boole's inequality).
        """
        doubts = (self.better(each, variant) for each in self.tallies if each != variant)
        return max(Decimal(0), 1 - sum(doubts, Decimal(0)))

    def bounds(self, variant: str) -> Interval:
        """Give the bounds by which a variant is judged; those of all variants hold at once."""
        if isinstance(self.stop, FixedSample):
            return self.belief(variant).interval(self.stop.credibility / 100)
        error = (100 - self.stop.level) / 100 / len(self.tallies)
        trials, successes = self.tallies[variant]
        return confidence_sequence(successes, trials, 1 - error, self.prior)

    def winner(self) -> str | None:
        """Give the variant that the stop rule finds the best, if there is one by now."""
        if isinstance(self.stop, FixedSample):
            enough = self.stop.credibility / 100
            sure = (each for each in self.tallies if self.best(each) >= enough)
            return next(sure, None) if not self.lacking() else None
        parted = (each for each in self.tallies if self._parts_from_all(each))
        return next(parted, None)

    def _parts_from_all(self, variant: str) -> bool:
        mine = self.bounds(variant)
        others = [self.bounds(each) for each in self.tallies if each != variant]
        if CATALOGUE[self.metric].direction is Direction.DOWN:
            return all(mine.high < each.low for each in others)
        return all(mine.low > each.high for each in others)

    def lacking(self) -> Mapping[str, Count]:
        """Give how many trials a fixed sample still lacks, by variant; those that have it not."""
        if isinstance(self.stop, Anytime):
            return {}
        return {
            variant: self.stop.trials - each.trials
            for variant, each in self.tallies.items()
            if each.trials < self.stop.trials
        }

    def is_met(self) -> bool:
        """Whether the stop rule says that it is enough."""
        return not self.lacking() if isinstance(self.stop, FixedSample) else bool(self.winner())
