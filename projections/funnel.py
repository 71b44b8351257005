"""The funnel from a lead to a paying customer: how many go on at each step, and where most stop.

It counts what happened in a period, so its steps are taken by different deals unless the whole
history is looked at; a step that more deals take than the one before has no share. Beside each
share stands its interval, with nothing believed beforehand (C19, C21).
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from domain.metric_catalogue import CATALOGUE
from domain.proportions import UNIFORM
from domain.reported_figure import OTHER_CHANNELS
from domain.values import plain
from projections import figures
from projections.beliefs import (
    CREDIBILITY,
    belief,
    bounds_in_percent,
    numerator_fits,
    percent,
    probability,
)
from projections.fold import Row, Rows
from projections.kpis import AGREED

STEPS = {
    "leads": "leads",
    "qualified": "qualified_leads",
    "opportunity": "opportunities",
    "demo": "demos",
    "won": "deals_won",
    "paid": "deals_paid",
}
"""The steps in order, each with the metric that counts it (C18)."""


def report(rows: Rows, period: str | None = None) -> Row:
    """Give the funnel of a period, or of the whole history (C19).

    Each step has its ``count`` and, of the last step before it that anybody records, the share
    that ``goes_on`` and the ``drop_off`` in percent, with the bounds of the first. ``worst`` names
    the step that the smallest share reaches. ``cohorts`` set the partner beside other channels.
    """
    periods = [period] if period else _years(rows)
    steps = list(_steps(rows, periods))
    shares = {each["step"]: Decimal(each["goes_on"]) for each in steps if "goes_on" in each}
    return {
        "period": period or "all",
        "credibility": plain(CREDIBILITY),
        "steps": steps,
        "worst": min(shares, key=lambda step: shares[step], default=None),
        "cohorts": list(_cohorts(rows, periods)),
    }


def _years(rows: Rows) -> list[str]:
    return list(dict.fromkeys(each[:4] for each in figures.periods(rows)))


def _steps(rows: Rows, periods: list[str]) -> Iterator[Row]:
    counts = {step: _count(rows, metric, periods) for step, metric in STEPS.items()}
    reached = max((at for at, count in enumerate(counts.values()) if count), default=0)
    before: Decimal | None = None
    for at, (step, count) in enumerate(counts.items()):
        line = {"step": step, "count": plain(count)}
        if not count and 0 < at < reached:
            # Deals went on past it: that nobody records it is no sign that they stopped there.
            yield {**line, "note": "not recorded"}
            continue
        yield {**line, **_share(count, before)}
        before = count


def _count(rows: Rows, metric: str, periods: Iterable[str]) -> Decimal:
    found = (figures.figure(rows, metric, each) for each in periods)
    return sum((each.value for each in found if each and each.value is not None), Decimal(0))


def _share(count: Decimal, before: Decimal | None) -> Row:
    """Give what share of the deals before goes on, and its interval, where there is one."""
    if not numerator_fits(count, before) or not before:
        return {}
    known = UNIFORM.after(int(count), int(before))
    goes_on = count / before
    return {
        "goes_on": percent(goes_on),
        **bounds_in_percent(known.interval(CREDIBILITY / 100)),
        "drop_off": percent(1 - goes_on),
    }


# --- beside other channels ---------------------------------------------------------------------


def _cohorts(rows: Rows, periods: list[str]) -> Iterator[Row]:
    """Give each proportion that is known of the partner's customers and of those of others."""
    agreed = rows.get(AGREED, {})
    for metric in CATALOGUE.values():
        if not metric.of_trials:
            continue
        ours, theirs = (_trials(rows, metric.name, periods, of) for of in ("", OTHER_CHANNELS))
        if ours is None or theirs is None:
            continue
        beliefs = [belief(metric, periods[0], *each, agreed) for each in (ours, theirs)]
        partner, others = (each.posterior if each else None for each in beliefs)
        if partner and others:
            yield {
                "metric": metric.name,
                "partner": _cohort(*ours),
                "other_channels": _cohort(*theirs),
                "partner_higher": probability(partner.probability_above(others)),
            }


def _trials(
    rows: Rows, metric: str, periods: Iterable[str], segment: str
) -> tuple[Decimal, Decimal] | None:
    """Give successes and trials of all periods together, unless any comes without them."""
    found = [figures.figure(rows, metric, each, segment) for each in periods]
    parts = [each for each in found if each]
    successes = [each.numerator for each in parts if each.numerator is not None]
    trials = [each.denominator for each in parts if each.denominator is not None]
    if not parts or len(trials) < len(parts):
        return None
    return sum(successes, Decimal(0)), sum(trials, Decimal(0))


def _cohort(successes: Decimal, trials: Decimal) -> Row:
    return {
        "successes": plain(successes),
        "trials": plain(trials),
        "rate": percent(successes / trials),
    }
