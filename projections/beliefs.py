"""What figures say of the rates behind them: posterior means and credible intervals (C20, C21).

They are computed when figures are read, not as events come, because they cost a thousand times
what a sum does. The prior is the one in force when the period began; where none was agreed, every
rate is as likely as any other, and the answer says so.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from domain.calendar import bounds
from domain.metric_catalogue import CATALOGUE, Metric
from domain.priors import uniform
from domain.proportions import Beta, Interval, in_percent, rounded
from domain.reported_figure import OTHER_CHANNELS
from domain.values import plain
from projections.fold import Row, Rows
from projections.kpis import AGREED

CREDIBILITY = Decimal(95)
"""The share, in percent, of what is believed that a shown interval holds."""

_NO_TRIALS = "not so many of so many: insufficient evidence"
"""Said where the deals of a month are those of leads before it, so that there are more of them."""


class Belief(NamedTuple):
    """What is believed of a rate after a period's trials, and the prior that it began with."""

    posterior: Beta
    prior: Row


def prior_for(metric: str, period: str, agreed: Row) -> Row:
    """Give the prior in force when a period began, or that every rate was as likely (C21).

    `agreed` is the row of what was agreed. One that was agreed has its ``version`` and ``index``.
    """
    start = bounds(period)[0].isoformat()
    holding = [
        each
        for each in agreed.get("priors", [])
        if each["metric"] == metric and each["from"] <= start
    ]
    return holding[-1] if holding else uniform(metric).model_dump(mode="json")


def belief(
    metric: Metric,
    period: str,
    numerator: Decimal | None,
    denominator: Decimal | None,
    agreed: Row,
) -> Belief | None:
    """Give what a figure says of its rate.

    Nothing where it is not so many successes of so many trials: without a denominator, or where
    the deals of a month are those of leads before it, the evidence is insufficient.
    """
    if not metric.of_trials or not numerator_fits(numerator, denominator):
        return None
    prior = prior_for(metric.name, period, agreed)
    known = Beta(prior["successes"], prior["failures"])
    return Belief(known.after(int(numerator or 0), int(denominator or 0)), prior)


def numerator_fits(numerator: Decimal | None, denominator: Decimal | None) -> bool:
    """Whether there are trials, and these are successes of them: whole, and no more than all."""
    return (
        numerator is not None
        and denominator is not None
        and numerator == int(numerator)
        and denominator == int(denominator)
        and 0 <= numerator <= denominator > 0
    )


def probability(value: Decimal) -> str:
    """Give a probability, from 0 to 1, as rows hold it."""
    return plain(rounded(value))


def percent(rate: Decimal) -> str:
    """Give a rate in percent, as rows hold it."""
    return plain(in_percent(rate))


def bounds_in_percent(interval: Interval) -> Row:
    """Give an interval's bounds in percent, as rows hold them."""
    return {"low": percent(interval.low), "high": percent(interval.high)}


def posterior(known: Belief) -> Row:
    """Give what is believed of a rate: its mean and interval in percent, and the prior used."""
    prior = known.prior
    return {
        "mean": percent(known.posterior.mean),
        **bounds_in_percent(known.posterior.interval(CREDIBILITY / 100)),
        "credibility": plain(CREDIBILITY),
        "prior": {
            name: prior[name]
            for name in ("successes", "failures", "source", "version")
            if name in prior
        },
    }


def with_posteriors(rows: Rows, lines: Iterable[Row]) -> list[Row]:
    """Give a report's lines (see `figures.report`), each proportion with what it says of its rate.

    Beside other channels stands how likely the partner's rate is the higher one, where both have
    denominators (C19).
    """
    agreed = rows.get(AGREED, {})
    lines = list(lines)
    known = [_of(line, agreed) for line in lines]
    others = {
        (line["metric"], line["period"]): each.posterior
        for line, each in zip(lines, known, strict=True)
        if each and line.get("segment") == OTHER_CHANNELS
    }
    return [
        _with(line, each, others.get((line["metric"], line["period"])))
        for line, each in zip(lines, known, strict=True)
    ]


def _of(line: Row, agreed: Row) -> Belief | None:
    numerator, denominator = (
        Decimal(line[part]) if part in line else None for part in ("numerator", "denominator")
    )
    return belief(CATALOGUE[line["metric"]], line["period"], numerator, denominator, agreed)


def _with(line: Row, known: Belief | None, other: Beta | None) -> Row:
    if known is None:
        if CATALOGUE[line["metric"]].of_trials and line["value"] is not None:
            return {"note": _NO_TRIALS, **line}
        return line
    more: Row = {"posterior": posterior(known)}
    if other and "segment" not in line:
        above = known.posterior.probability_above(other)
        more["above_other_channels"] = probability(above)
    return {**line, **more}
