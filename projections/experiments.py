"""Experiments: what each variant came to, how sure it is which is better, what was concluded (C5).

An experiment has a row of totals, and each of its observations a small one, so that a correction
finds what it restates. What the totals say is computed when they are read (see `report`).
"""

from collections.abc import Iterator
from decimal import Decimal

from domain.comparison import Anytime, Comparison, Tally
from domain.experiment import (
    HypothesisRegistered,
    ObservationCorrected,
    PilotConcluded,
    PilotStarted,
    VariantObserved,
    VariantPromoted,
)
from domain.kernel import Event
from domain.recorded import Recorded
from domain.values import instant, plain
from projections.beliefs import bounds_in_percent, percent, probability
from projections.fold import Change, Projection, Row, Rows

REGISTERED, RUNNING, CONCLUDED = "registered", "running", "concluded"

_OBSERVED = (VariantObserved, ObservationCorrected)
_EVENTS = (HypothesisRegistered, PilotStarted, *_OBSERVED, PilotConcluded, VariantPromoted)


# --- fold --------------------------------------------------------------------------------------


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Give the rows that an event touches: the experiment's, and that of an observation."""
    event = recorded.event
    if isinstance(event, _OBSERVED):
        return event.experiment, _observation(event)
    return (event.experiment,) if isinstance(event, _EVENTS) else ()


def _observation(event: VariantObserved | ObservationCorrected) -> str:
    return f"{event.experiment}/{event.observation}"


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take an event into the rows of its experiment."""
    match recorded.event:
        case VariantObserved() as event:
            observed = {"variant": event.variant, **_outcome(event)}
            more = _observed(rows, event, observed, Tally(event.trials, event.successes))
        case ObservationCorrected() as event:
            existing = rows.get(_observation(event))
            if existing is None:  # A replay as of a moment may know the correction alone.
                return Change({}, [])
            observed = {**existing, **_outcome(event)}
            difference = Tally(
                event.trials - existing["trials"], event.successes - existing["successes"]
            )
            more = _observed(rows, event, observed, difference)
        case event if isinstance(event, _EVENTS):
            row = rows.get(event.experiment, {})
            more = {event.experiment: {**row, **_said(event, recorded)}}
        case _:
            more = {}
    return Change(more, [])


def _outcome(event: VariantObserved | ObservationCorrected) -> Row:
    return {"trials": event.trials, "successes": event.successes}


def _observed(
    rows: Rows, event: VariantObserved | ObservationCorrected, observed: Row, more: Tally
) -> dict[str, Row]:
    row = rows.get(event.experiment, {})
    totals = row.get("totals", {})
    before = totals.get(observed["variant"], {"trials": 0, "successes": 0})
    after = {
        "trials": before["trials"] + more.trials,
        "successes": before["successes"] + more.successes,
    }
    totals = {**totals, observed["variant"]: after}
    return {event.experiment: {**row, "totals": totals}, _observation(event): observed}


def _said(event: Event, recorded: Recorded) -> Row:
    """Give what an event says of the experiment, with who said it when."""
    act = recorded.act
    said = {
        **event.model_dump(mode="json", exclude={"experiment"}, exclude_none=True),
        "party": act.party,
        "at": instant(act.occurred_at),
        "index": recorded.index,
    }
    match event:
        case HypothesisRegistered():
            return {"hypothesis": said}
        case PilotStarted():
            return {"started": said}
        case PilotConcluded():
            return {"concluded": said}
        case _:
            return {"promoted": said}


EXPERIMENTS = Projection("experiments", keys, apply, frozenset(_EVENTS))


# --- read --------------------------------------------------------------------------------------


def report(rows: Rows) -> list[Row]:
    """Give each experiment as it stands, in the order in which they were registered (C5, C26)."""
    found = [(name, row) for name, row in rows.items() if "hypothesis" in row]
    found.sort(key=lambda each: int(each[1]["hypothesis"]["index"]))
    return [_experiment(name, row) for name, row in found]


def _experiment(name: str, row: Row) -> Row:
    said = {key: row["hypothesis"][key] for key in HypothesisRegistered.model_fields
            if key != "experiment"}  # fmt: skip
    hypothesis = HypothesisRegistered(experiment=name, **said)
    totals = row.get("totals", {})
    comparison = hypothesis.comparison({each: Tally(**tally) for each, tally in totals.items()})
    return {
        "experiment": name,
        "state": _state(row),
        **{part: said[part] for part in ("hypothesis", "metric", "assignment", "prior")},
        "registered": {part: row["hypothesis"][part] for part in ("party", "at", "index")},
        "control": hypothesis.control,
        "variants": [
            {
                "variant": each.variant,
                "description": each.description,
                **dict(_variant(each.variant, hypothesis.control, comparison)),
            }
            for each in hypothesis.variants
        ],
        "stop": _stop(said["stop"], comparison),
        **{part: row[part] for part in ("started", "concluded", "promoted") if part in row},
    }


def _state(row: Row) -> str:
    if "concluded" in row:
        return CONCLUDED
    return RUNNING if "started" in row else REGISTERED


def _stop(agreed: Row, comparison: Comparison) -> Row:
    """Give the stop rule, whether it is met, and what wins by it as things stand."""
    winner = comparison.winner()
    return {
        **agreed,
        "met": comparison.is_met(),
        **({"lacking": dict(lacking)} if (lacking := comparison.lacking()) else {}),
        **({"winner": winner} if winner else {}),
    }


def _variant(name: str, control: str, comparison: Comparison) -> Iterator[tuple[str, object]]:
    tally, belief = comparison.tallies[name], comparison.belief(name)
    yield "trials", tally.trials
    yield "successes", tally.successes
    if tally.trials:
        yield "rate", percent(_rate(tally))
    yield "mean", percent(belief.mean)
    yield "judged_by", _judged_by(comparison)
    yield from bounds_in_percent(comparison.bounds(name)).items()
    yield "best", probability(comparison.best(name))
    if name == control:
        return
    yield "better_than_control", probability(comparison.better(name, control))
    held_against = comparison.tallies[control]
    if tally.trials and held_against.trials:
        rate, usual = _rate(tally), _rate(held_against)
        yield "difference", percent(rate - usual)
        if usual:
            yield "factor", probability(rate / usual)


def _rate(tally: Tally) -> Decimal:
    return Decimal(tally.successes) / tally.trials


def _judged_by(comparison: Comparison) -> str:
    stop = comparison.stop
    if isinstance(stop, Anytime):
        return f"confidence sequence, {plain(stop.level)} % for all variants at all times"
    return f"credible interval, {plain(stop.credibility)} %"
