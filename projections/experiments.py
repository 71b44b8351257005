"""Experiments: the results of each variant, which one is better and how surely (C5, C26).

An experiment has a row of totals, and each observation a small row, so that a correction finds
what it restates. Probabilities and bounds are computed when the rows are read (see `report`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from domain.comparison import Comparison, Tally
from domain.described import described
from domain.experiment import (
    HypothesisRegistered,
    ObservationCorrected,
    PilotConcluded,
    PilotStarted,
    VariantObserved,
    VariantPromoted,
)
from domain.kernel import Event
from domain.proportions import rounded
from domain.recorded import Recorded
from domain.values import Exact
from projections.fold import NOTHING, Change, Projection, Rows

E = TypeVar("E", bound=Event)

_OBSERVED = (VariantObserved, ObservationCorrected)
_STATED = (HypothesisRegistered, PilotStarted, PilotConcluded, VariantPromoted)


# --- rows --------------------------------------------------------------------------------------


@described
@dataclass(frozen=True, slots=True)
class Stated(Generic[E]):
    """An event of an experiment, and who stated it when."""

    event: E
    """The event."""
    party: str
    """The party that stated it."""
    at: datetime
    """When it happened."""
    index: int
    """The index of the event in the log of its partnership, from 0."""


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """The recorded facts about one experiment.

    An answer as of a moment may lack the beginning, so any part of it may be missing.
    """

    registered: Stated[HypothesisRegistered] | None = None
    started: Stated[PilotStarted] | None = None
    concluded: Stated[PilotConcluded] | None = None
    promoted: Stated[VariantPromoted] | None = None
    totals: Mapping[str, Tally] = field(default_factory=dict)
    """The trials and successes of each variant."""


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """One observation, as it was corrected last."""

    variant: str
    tally: Tally


_EMPTY = ExperimentRow()

OF_SEARCH: Final = "~"
"""The end of the key of an experiment whose name was used again after the search."""


# --- fold --------------------------------------------------------------------------------------


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the rows that an event changes: the experiment's, and that of an observation."""
    event = recorded.event
    if isinstance(event, _OBSERVED):
        return event.experiment, _observation(event)
    if isinstance(event, HypothesisRegistered):
        return event.experiment, _searched(event)
    return (event.experiment,) if isinstance(event, _STATED) else ()


def _searched(event: HypothesisRegistered) -> str:
    """Return the row of an experiment of the search whose name was used again after it."""
    return f"{event.experiment}{OF_SEARCH}"


def _observation(event: VariantObserved | ObservationCorrected) -> str:
    return f"{event.experiment}/{event.observation}"


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add an event to the rows of its experiment."""
    event = recorded.event
    if isinstance(event, _OBSERVED):
        return _observed(rows, event)
    if not isinstance(event, _STATED):
        return NOTHING
    row: ExperimentRow = rows.get(event.experiment, _EMPTY)
    if isinstance(event, HypothesisRegistered) and row.registered:
        anew = _with_stated(_EMPTY, event, recorded)
        return Change({_searched(event): row, event.experiment: anew}, [])
    return Change({event.experiment: _with_stated(row, event, recorded)}, [])


def _observed(rows: Rows, event: VariantObserved | ObservationCorrected) -> Change:
    key, now = _observation(event), Tally(event.trials, event.successes)
    if isinstance(event, VariantObserved):
        observed, before = ObservationRow(event.variant, now), Tally()
    else:
        existing: ObservationRow | None = rows.get(key)
        if existing is None:  # A replay as of a moment may have the correction alone.
            return NOTHING
        observed, before = ObservationRow(existing.variant, now), existing.tally
    row: ExperimentRow = rows.get(event.experiment, _EMPTY)
    total = row.totals.get(observed.variant, Tally())
    after = Tally(
        total.trials + now.trials - before.trials,
        total.successes + now.successes - before.successes,
    )
    totals = {**row.totals, observed.variant: after}
    return Change({event.experiment: replace(row, totals=totals), key: observed}, [])


def _with_stated(
    row: ExperimentRow,
    event: HypothesisRegistered | PilotStarted | PilotConcluded | VariantPromoted,
    recorded: Recorded,
) -> ExperimentRow:
    act, index = recorded.act, recorded.index
    by = (act.party, act.occurred_at, index)
    match event:
        case HypothesisRegistered():
            return replace(row, registered=Stated(event, *by))
        case PilotStarted():
            return replace(row, started=Stated(event, *by))
        case PilotConcluded():
            return replace(row, concluded=Stated(event, *by))
        case VariantPromoted():
            return replace(row, promoted=Stated(event, *by))


EXPERIMENTS = Projection(
    "experiments",
    keys,
    apply,
    frozenset({*_OBSERVED, *_STATED}),
    version=3,
    row_type=lambda key: ObservationRow if "/" in key else ExperimentRow,
)


# --- read --------------------------------------------------------------------------------------


class PilotState(StrEnum):
    """How far an experiment is."""

    REGISTERED = "registered"
    RUNNING = "running"
    CONCLUDED = "concluded"


@described
@dataclass(frozen=True, slots=True)
class VariantResults:
    """One variant's results. Probabilities are from 0 to 1.

    Rates are in percent; of a count, they are events per unit of exposure.
    """

    variant: str
    """The identifier of the variant."""
    description: str
    """The variant, in words."""
    trials: int
    """How many cases were observed; of a count, how many units of exposure."""
    successes: int
    """How many of the trials succeeded; of a count, how many events were counted."""
    rate: Exact | None
    """The rate that was observed; null without trials."""
    mean: Exact | None
    """The expected rate, given the prior and the trials; null for a count without exposure."""
    low: Exact
    """The lower of the bounds by which the variant is judged: see the stop rule."""
    high: Exact | None
    """The upper one; null for a count without exposure."""
    best: Exact
    """The probability, at least, that it is the best variant."""
    better_than_control: Exact | None = None
    """The probability that its rate is better than the control's; null for the control."""
    difference: Exact | None = None
    """Its rate less the control's: in points, or events per unit of exposure."""
    factor: Exact | None = None
    """Its rate over the control's."""


@described
@dataclass(frozen=True, slots=True)
class Stop:
    """What the stop rule says now."""

    met: bool
    """Whether the stop rule is met."""
    lacking: Mapping[str, int]
    """The trials that each variant still lacks."""
    winner: str | None
    """The variant that wins by the rule now; corrections may change it after a conclusion."""
    error: Exact
    """The probability, in percent, at most, with which the rule finds a winner among equal
    variants."""


@described
@dataclass(frozen=True, slots=True)
class ExperimentFigures:
    """One experiment with its variants (C5, C26)."""

    experiment: str
    """The identifier of the experiment."""
    state: PilotState
    """The state of the pilot."""
    control: str
    """The variant that the others are compared to."""
    variants: tuple[VariantResults, ...]
    """The result of each variant so far."""
    stop: Stop
    """Whether the stop rule is met."""
    registered: Stated[HypothesisRegistered]
    """The hypothesis as it was registered."""
    started: Stated[PilotStarted] | None
    """The start of the pilot; null before it."""
    concluded: Stated[PilotConcluded] | None
    """The conclusion of the pilot; null while it is open."""
    promoted: Stated[VariantPromoted] | None
    """The variant that was promoted; null if none was."""


def report(rows: Rows) -> list[ExperimentFigures]:
    """Return each experiment with its results, in the order in which they were registered (C26)."""
    found = [
        (name, row, row.registered)
        for name, row in rows.items()
        if isinstance(row, ExperimentRow) and row.registered
    ]
    found.sort(key=lambda each: each[2].index)
    return [_experiment(name.removesuffix(OF_SEARCH), row, of) for name, row, of in found]


def _experiment(
    name: str, row: ExperimentRow, registered: Stated[HypothesisRegistered]
) -> ExperimentFigures:
    hypothesis = registered.event
    comparison = hypothesis.comparison(row.totals)
    return ExperimentFigures(
        name,
        _state(row),
        hypothesis.control,
        tuple(
            _variant(each.variant, each.description, hypothesis.control, comparison)
            for each in hypothesis.variants
        ),
        Stop(comparison.is_met(), comparison.lacking(), comparison.winner(), comparison.error),
        registered,
        row.started,
        row.concluded,
        row.promoted,
    )


def _state(row: ExperimentRow) -> PilotState:
    if row.concluded:
        return PilotState.CONCLUDED
    return PilotState.RUNNING if row.started else PilotState.REGISTERED


def _variant(name: str, description: str, control: str, comparison: Comparison) -> VariantResults:
    tally, bounds = comparison.tallies[name], comparison.shown_bounds(name)
    rate, usual = comparison.rate(name), comparison.rate(control)
    results = VariantResults(
        name,
        description,
        tally.trials,
        tally.successes,
        None if rate is None else comparison.shown(rate),
        comparison.shown_mean(name),
        bounds.low,
        bounds.high,
        rounded(comparison.best(name)),
    )
    if name == control:
        return results
    better = rounded(comparison.better(name, control))
    if rate is None or usual is None:
        return replace(results, better_than_control=better)
    return replace(
        results,
        better_than_control=better,
        difference=comparison.shown(rate - usual),
        factor=rounded(rate / usual) if usual else None,
    )
