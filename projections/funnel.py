"""The funnel from a lead to a paying customer: how many go on at each step (C19, C21).

A step counts what happened in the period, so the deals of one step need not be those of the step
before unless the whole history is asked for. A step that more deals take than the one before has
no share. The interval of a share starts from the uniform prior.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from domain.arithmetic import exact
from domain.described import described
from domain.proportions import UNIFORM, in_percent, rounded
from domain.reported_figure import OTHER_CHANNELS
from domain.values import Exact
from projections import figures
from projections.beliefs import CREDIBILITY, belief, numerator_fits
from projections.caveats import Caveat, CaveatCode
from projections.figures import Figure
from projections.fold import Rows
from projections.kpis import agreed_row

_ALL: Final = Decimal(100)
"""The share, in percent, of a step at which nobody drops off."""


_NOT_RECORDED: Final = Caveat(CaveatCode.NOT_RECORDED, "not recorded")


class FunnelStep(StrEnum):
    """The steps in order (C18)."""

    LEADS = "leads"
    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    DEMO = "demo"
    WON = "won"
    PAID = "paid"


STEPS = {
    FunnelStep.LEADS: "leads",
    FunnelStep.QUALIFIED: "qualified_leads",
    FunnelStep.OPPORTUNITY: "opportunities",
    FunnelStep.DEMO: "demos",
    FunnelStep.WON: "deals_won",
    FunnelStep.PAID: "deals_paid",
}
"""The metric that counts each step."""


@described
@dataclass(frozen=True, slots=True)
class Passed:
    """How many deals took a step, and their share of the previous recorded step."""

    step: FunnelStep
    """The step of the funnel."""
    count: Exact | None
    """Null where it is too small to be shown."""
    goes_on: Exact | None = None
    """The share that took this step, in percent, with its credible interval."""
    low: Exact | None = None
    """The lower bound of the credible interval of the rate."""
    high: Exact | None = None
    """The upper bound of the same interval."""
    drop_off: Exact | None = None
    """The share that did not, in percent."""
    caveat: Caveat | None = None
    """Why there is no count, or no share; null if there are both."""


@described
@dataclass(frozen=True, slots=True)
class Cohort:
    """The customers from one channel."""

    successes: Exact
    """How many succeeded."""
    trials: Exact
    """How many were observed."""
    rate: Exact
    """In percent."""


@described
@dataclass(frozen=True, slots=True)
class Cohorts:
    """One rate, of the partner's customers and of those from other channels."""

    metric: str
    """The name of a metric of the catalogue."""
    partner: Cohort
    """The figure of the partner's referrals."""
    other_channels: Cohort
    """The same figure of the party's other channels."""
    partner_higher: Exact
    """The probability, from 0 to 1, that the partner's rate is the higher one."""


@described
@dataclass(frozen=True, slots=True)
class Funnel:
    """The funnel of a period, or of the whole history."""

    period: str | None
    """Null for the whole history."""
    credibility: Exact
    """The probability, in percent, that a rate lies in its interval."""
    steps: tuple[Passed, ...]
    """The steps of the funnel."""
    worst: FunnelStep | None
    """The step that the smallest share takes; null if all deals take each step."""
    cohorts: tuple[Cohorts, ...]
    """The cohorts that are compared."""


Hidden = Callable[[str, Figure | None], Caveat | None]
"""Returns the caveat that replaces a metric's figure that the viewer may not see; else None."""


def _nothing_hidden(_: str, __: Figure | None) -> None:
    return None


@exact
def report(rows: Rows, period: str | None = None, hidden: Hidden = _nothing_hidden) -> Funnel:
    """Return the funnel of a period, or of the whole history (C19)."""
    return _Funnel(rows, [period] if period else _years(rows), hidden).report(period)


def _years(rows: Rows) -> list[str]:
    return list(dict.fromkeys(each[:4] for each in figures.periods(rows)))


@dataclass(frozen=True, slots=True)
class _Funnel:
    rows: Rows
    periods: list[str]
    hidden: Hidden

    def report(self, period: str | None) -> Funnel:
        steps = tuple(self._steps())
        shares = {
            each.step: each.goes_on
            for each in steps
            if each.goes_on is not None and each.goes_on < _ALL
        }
        worst = min(shares, key=lambda step: shares[step], default=None)
        return Funnel(period, CREDIBILITY, steps, worst, tuple(self._cohorts()))

    def _steps(self) -> Iterator[Passed]:
        counts = {step: self._count(metric) for step, metric in STEPS.items()}
        last = max((at for at, (count, _) in enumerate(counts.values()) if count), default=0)
        before: Decimal | None = None
        for at, (step, (count, caveat)) in enumerate(counts.items()):
            if caveat is None and not count and 0 < at < last:
                # Deals took later steps, so this step was not recorded; they did not stop here.
                yield Passed(step, count, caveat=_NOT_RECORDED)
                continue
            hidden = Passed(step, None, caveat=caveat)
            yield _share(step, count, before) if caveat is None else hidden
            before = count

    def _count(self, metric: str) -> tuple[Decimal | None, Caveat | None]:
        """Return a count, or the caveat that replaces it."""
        total = Decimal(0)
        for each in self.periods:
            found = figures.shown(self.rows, metric, each)
            if caveat := self.hidden(metric, found):
                return None, caveat
            total += (found.value if found else None) or Decimal(0)
        return total, None

    # --- other channels ---

    def _cohorts(self) -> Iterator[Cohorts]:
        """Yield each proportion that has figures for the partner's customers and for others."""
        agreed = agreed_row(self.rows)
        for metric in agreed.catalogue.values():
            if not metric.of_trials:
                continue
            ours, theirs = (self._trials(metric.name, of) for of in ("", OTHER_CHANNELS))
            if ours is None or theirs is None:
                continue
            beliefs = [belief(metric, self.periods[0], *each, agreed) for each in (ours, theirs)]
            partner, others = (each.posterior if each else None for each in beliefs)
            if partner and others:
                above = rounded(partner.probability_above(others))
                yield Cohorts(metric.name, _cohort(*ours), _cohort(*theirs), above)

    def _trials(self, metric: str, segment: str) -> tuple[Decimal, Decimal] | None:
        """Return the total successes and trials; None if any period's are missing or withheld."""
        found = [figures.shown(self.rows, metric, each, segment) for each in self.periods]
        parts = [each for each in found if each]
        successes = [each.numerator for each in parts if each.numerator is not None]
        trials = [each.denominator for each in parts if each.denominator is not None]
        hidden = any(self.hidden(metric, each) for each in parts)
        if hidden or not parts or len(trials) < len(parts):
            return None
        return sum(successes, Decimal(0)), sum(trials, Decimal(0))


def _share(step: FunnelStep, count: Decimal | None, before: Decimal | None) -> Passed:
    """Return how many deals go on; with the share and its interval, if they can be computed."""
    if not numerator_fits(count, before) or not before or count is None:
        return Passed(step, count)
    interval = UNIFORM.interval_after(int(count), int(before), CREDIBILITY / 100)
    goes_on = count / before
    return Passed(
        step,
        count,
        in_percent(goes_on),
        in_percent(interval.low),
        in_percent(interval.high),
        in_percent(1 - goes_on),
    )


def _cohort(successes: Decimal, trials: Decimal) -> Cohort:
    return Cohort(successes, trials, in_percent(successes / trials))
