"""The experiments of a partnership: variants, stop rules and conclusions (C5, C26)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import assert_never

import projections
from domain.comparison import Anytime, FixedSample, StopRule
from domain.metric_catalogue import metric_words
from domain.values import name_words
from infra.answers.logs import NOW, AsOf, rows_of
from infra.answers.question import Answer, PartnershipId, Question
from infra.answers.text import (
    Block,
    Line,
    Remark,
    Table,
    interval,
    minute,
    number,
    signed,
    tenth,
)
from infra.bootstrap import Accord
from projections import experiments
from projections.experiments import ExperimentFigures, Stop, VariantResults


class Experiments(Answer):
    """The experiments of a partnership, in the order in which they were registered."""

    id: str
    """The partnership."""
    experiments: tuple[ExperimentFigures, ...]
    """The experiments."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Experiments:
    """Return each experiment: its variants, its stop rule, its conclusion. Raises `NotFound`."""
    found = experiments.report(rows_of(projections.EXPERIMENTS, accord, id, when))
    return Experiments(
        simulated=accord.simulated, as_of=when.asked, id=id, experiments=tuple(found)
    )


# --- text --------------------------------------------------------------------------------------


def text(found: Experiments) -> Iterator[Block]:
    """Yield each experiment with a table of its variants."""
    if not found.experiments:
        yield Remark("There are no experiments.")
    for each in found.experiments:
        yield from _experiment(each)
        yield Line()


def _experiment(each: ExperimentFigures) -> Iterator[Block]:
    registered = each.registered.event
    counts = registered.exposure is not None
    yield Line(f"{each.experiment}: {each.state}", "bold")
    yield Line(registered.hypothesis, indent=2)
    measured = metric_words(registered.metric)
    measured += f" per {registered.exposure}" if counts else ""
    yield Line(f"{measured}; {registered.assignment}", indent=2)
    for variant in registered.variants:
        yield Line(f"{variant.variant}: {variant.description}", indent=4)
    if prior := registered.prior:
        belief = f"Beta({prior.successes}, {prior.failures})"
        yield Line(f"prior: {belief}, {prior.source}", indent=2)
    # Of more than two variants, the probability of being the best is a lower bound.
    at_least = "≥ " if len(each.variants) > 2 else ""  # noqa: PLR2004 - of two it is exact
    yield Table(
        [
            "VARIANT",
            ">COUNT" if counts else ">TRIALS",
            ">RATE",
            "BOUNDS",
            ">BEST",
            "AGAINST THE CONTROL",
        ],
        [
            (
                f"{variant.variant} (control)"
                if variant.variant == each.control
                else variant.variant,
                f"{variant.successes} in {variant.trials}"
                if counts
                else f"{variant.successes}/{variant.trials}",
                "none" if variant.rate is None else _rate(variant.rate, counts=counts),
                _interval(variant, counts=counts),
                f"{at_least}{tenth(variant.best * 100)}",
                _against(variant, counts=counts),
            )
            for variant in each.variants
        ],
        indent=2,
    )
    yield Line(f"bounds: {_bounds(registered.stop, counts=counts)}", indent=2)
    yield Line(_stop(registered.stop, each.stop, counts=counts), indent=2)
    error = (
        f"error: of equal variants one wins in at most {number(each.stop.error)} % of experiments"
    )
    yield Line(error, indent=2)
    if each.concluded:
        concluded, at = each.concluded.event, minute(each.concluded.at)
        won = concluded.winner or "nothing"
        undone = concluded.winner is not None and concluded.winner != each.stop.winner
        ending = f"concluded {at} ({name_words(concluded.ending)}), {won} wins"
        yield Line(ending + ("; a correction has undone that" if undone else ""), indent=2)
        yield Line(concluded.conclusion, indent=4)
    if each.promoted:
        promoted = each.promoted.event
        yield Line(f"{promoted.variant} was promoted into: {promoted.into}", indent=2)


def _rate(rate: Decimal, *, counts: bool) -> str:
    return number(rate) if counts else tenth(rate)


def _interval(variant: VariantResults, *, counts: bool) -> str:
    if variant.high is None:
        return f"{number(variant.low)} or more"
    if counts:
        return f"{number(variant.low)}–{number(variant.high)}"
    return interval(variant.low, variant.high)


def _against(variant: VariantResults, *, counts: bool) -> str:
    if variant.better_than_control is None:
        return ""
    parts = []
    if variant.difference is not None:
        parts.append(_difference(variant.difference, counts=counts))
    if variant.factor is not None:
        parts.append(f"×{number(variant.factor)}")
    parts.append(f"{tenth(variant.better_than_control * 100)} likely better")
    return ", ".join(parts)


def _difference(difference: Decimal, *, counts: bool) -> str:
    if counts:
        return signed(difference)
    sign = "" if difference < 0 else "+"
    return f"{sign}{tenth(difference).removesuffix(' %')} points"


def _bounds(rule: StopRule, *, counts: bool) -> str:
    match rule:
        case FixedSample(credibility=credibility):
            kind = "exact interval of a Poisson rate" if counts else "credible interval"
            return f"{kind}, {number(credibility)} %"
        case Anytime(level=level):
            return f"confidence sequence, {number(level)} % for all variants at all times"
        case _:
            assert_never(rule)


def _stop(rule: StopRule, stop: Stop, *, counts: bool) -> str:
    match rule:
        case FixedSample(trials=trials, credibility=credibility):
            sample = "units of exposure" if counts else "trials"
            agreed = f"{trials} {sample} of each variant, level {number(credibility)} %"
        case Anytime(level=level):
            agreed = f"at any time, once bounds of {number(level)} % part"
        case _:
            assert_never(rule)
    if stop.met:
        return f"stop: {agreed}; met, {stop.winner or 'nothing'} wins"
    lacking = ", ".join(f"{name} lacks {count}" for name, count in stop.lacking.items())
    return f"stop: {agreed}; not met yet" + (f" ({lacking})" if lacking else "")


EXPERIMENTS = Question(
    "experiments",
    ask,
    text,
    path="/v1/partnerships/{id}/experiments",
    help="Compare the variants of each experiment, with the probability that each is better.",
)
