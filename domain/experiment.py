"""Experiments: a hypothesis, a pilot of its variants, and the promotion of the winner (C5).

Experiments try offers and channels before a partnership, and messages, bonuses and workflows within
it (C26). One party registers the hypothesis with its variants and its stop rule, and the other
starts the pilot or declines it. Before a partner is chosen, the initiator does both; what it tried
then ends with its search, and only it sees that. A pilot is concluded when its stop rule is met, or
it is abandoned. Only the winner can be promoted.

A metric that counts successes of trials is compared by its share. A count, such as leads, is
compared per unit of exposure, which the hypothesis names (C21): one partner manager in one week.

Each experiment has its own stream. It is cited as evidence by `AttachEvidence` with the
reference ``experiment:`` and the experiment's identifier. That is refused unless the experiment has
a winner that its corrections have not changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, assert_never

from pydantic import Field

from domain import content as contents
from domain.bilateral import ProposalAnswer, ProposalEnded, end, with_end
from domain.comparison import Comparison, Counts, FixedSample, Shares, StopRule, Tally
from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.content import Consent
from domain.context import PartnershipContext
from domain.facts import check_stated_last
from domain.formation import EvidenceAttached
from domain.kernel import (
    SIGNED_OR_SIGNING,
    UNTIL_NOTICE,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    NotNow,
    Refused,
    Stage,
    Unknown,
    Value,
    once,
)
from domain.metric_catalogue import is_count, known, proportion
from domain.priors import Prior, agreed_prior
from domain.proportions import rounded
from domain.terms_by_day import TermsByDay
from domain.values import Count, Day, Number, Ref, Slug, Text

EVIDENCE = "experiment:"
"""The prefix of a reference to an experiment of this partnership."""

HYPOTHESIS = "Hypothesis"
"""The name of a hypothesis among what is proposed: its pilot starts once the other party agrees."""

MOST_VARIANTS = 10
"""The largest number of variants; with more, small samples cannot tell them apart."""


class Variant(Value):
    """One of the variants that are compared."""

    variant: Slug
    """The identifier of the variant."""
    description: Text
    """The variant, in words."""
    control: bool = False
    """Whether it is the control, which the others are compared with: no change."""


class ExperimentCommand(Command):
    """A command on one experiment of a partnership.

    Once notice is given no hypothesis is registered; what was registered before goes on.
    """

    stages = SIGNED_OR_SIGNING | {Stage.EXPLORATION}
    experiment: Ref
    """The identifier of the experiment."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"experiment/{self.experiment}"


class _Hypothesis(Value):
    hypothesis: Text
    """What is tried and what it should change, in words."""
    metric: Slug
    """The metric that decides which variant is better: a share of trials, or a count."""
    exposure: Text | None = None
    """The unit of exposure of a count, in words, such as "one partner manager in one week": one
    trial of this experiment. None for a share of trials."""
    variants: Annotated[list[Variant], Field(min_length=2, max_length=MOST_VARIANTS)]
    """The variants that are compared, exactly one of them as the control."""
    assignment: Text
    """Who gets which variant, and how that is decided."""
    stop: StopRule
    """When there is enough data, and which variant wins then."""


class RegisterHypothesis(_Hypothesis, ExperimentCommand):
    """Register a hypothesis: what is tried, and what counts as a result (C5)."""

    stages = UNTIL_NOTICE | {Stage.EXPLORATION}


class HypothesisRegistered(_Hypothesis, Event):
    """A hypothesis was registered, before there was data (C5)."""

    experiment: Ref
    """The identifier of the experiment."""
    prior: Prior | None = None
    """The agreed prior of the metric's rate (C21). None for a count, which needs none."""
    in_search: bool = False
    """Whether the initiator had no partner yet: the experiment ends with its search."""

    @property
    def control(self) -> str:
        """The variant that the others are compared with."""
        named = (each.variant for each in self.variants if each.control)
        return next(named, self.variants[0].variant)

    def comparison(self, tallies: Mapping[str, Tally]) -> Comparison:
        """Return the comparison of the variants with these tallies."""
        each_of = {each.variant: tallies.get(each.variant, Tally()) for each in self.variants}
        if self.prior is None:
            return Counts(self.metric, each_of, self.stop)
        return Shares(self.metric, each_of, self.stop, self.prior.belief)


class StartPilot(ExperimentCommand, Consent):
    """Start the pilot of a hypothesis that the other party registered (C5)."""

    ends_with_exit = True


class PilotStarted(Event):
    """The pilot started. Data count from this day on (C5)."""

    experiment: Ref
    """The identifier of the experiment."""


class _Outcome(Value):
    observation: Ref
    """The identifier of the observation."""
    trials: Annotated[int, Field(ge=1, le=10**9)]
    """How many cases were observed; of a count, how many units of exposure."""
    successes: Count
    """How many of the trials succeeded; of a count, how many events were counted."""


class _Observation(_Outcome):
    variant: Slug
    """The identifier of the variant."""
    day: Day
    """The day of the trials, or the last day of several."""


class ObserveVariant(_Observation, ExperimentCommand):
    """Report trials of one variant, and how many of them succeeded (C5)."""


class VariantObserved(_Observation, Event):
    """Trials of one variant were reported, with their successes (C5)."""

    experiment: Ref
    """The identifier of the experiment."""


class CorrectObservation(_Outcome, ExperimentCommand):
    """Correct an observation, with the reason."""

    reason: Text
    """The reason, in words."""


class ObservationCorrected(_Outcome, Event):
    """An observation was corrected."""

    experiment: Ref
    """The identifier of the experiment."""
    reason: Text
    """The reason, in words."""


class Ending(StrEnum):
    """The ways in which a pilot ends."""

    STOP_RULE = "stop-rule"
    INCONCLUSIVE = "inconclusive"
    ABANDONED = "abandoned"


class _Conclusion(Value):
    ending: Ending = Ending.STOP_RULE
    """How the pilot ended."""
    conclusion: Text
    """What was learned."""


class ConcludePilot(_Conclusion, ExperimentCommand):
    """Conclude a pilot by its stop rule, or without a result (C5)."""


class VariantResult(Value):
    """The result of one variant when the pilot was concluded.

    Rates are in percent; of a count, they are events per unit of exposure.
    """

    variant: Slug
    """The identifier of the variant."""
    trials: Count
    """How many cases were observed; of a count, how many units of exposure."""
    successes: Count
    """How many of the trials succeeded; of a count, how many events were counted."""
    mean: Number | None = None
    """The expected rate, given the prior and the trials; null for a count without exposure."""
    low: Number
    """The lower bound of the rate."""
    high: Number | None = None
    """The upper bound of the rate; null for a count without exposure."""
    best: Number
    """The probability, at least, that the variant is the best of all, from 0 to 1."""


class PilotConcluded(_Conclusion, Event):
    """A pilot was concluded, with the result of each variant and the winner, if any (C5)."""

    experiment: Ref
    """The identifier of the experiment."""
    results: list[VariantResult]
    """The result of each variant."""
    winner: Slug | None = None
    """The variant that won; None if none did."""


class _Promotion(Value):
    variant: Slug
    """The identifier of the variant."""
    into: Text
    """Where the variant is used from now on."""


class PromoteVariant(_Promotion, ExperimentCommand):
    """Promote the variant that won: use it from now on (C5, C26)."""

    stages = UNTIL_NOTICE | {Stage.EXPLORATION}


class VariantPromoted(_Promotion, Event):
    """The variant that won is used from now on (C5, C26)."""

    experiment: Ref
    """The identifier of the experiment."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Experiment:
    """The state of one experiment."""

    hypotheses: Proposals = field(default_factory=dict)
    """The hypothesis, under the experiment's identifier, once it is registered."""
    started_at: datetime | None = None
    """When the start of the pilot was recorded."""
    observations: Mapping[str, VariantObserved] = field(default_factory=dict)
    """The observations after corrections, by identifier."""
    corrections: Mapping[str, ObservationCorrected] = field(default_factory=dict)
    """The latest correction of each observation, by its identifier."""
    corrected_at: Mapping[str, datetime] = field(default_factory=dict)
    """When each of these was stated."""
    concluded: PilotConcluded | None = None
    """The conclusion of the pilot; null while it is open."""
    promoted: VariantPromoted | None = None
    """The variant that was promoted; null if none was."""

    def hypothesis(self) -> HypothesisRegistered | None:
        """Return the hypothesis, None if it is not registered."""
        proposed = [each.proposed for each in self.hypotheses.values()]
        return next((each for each in proposed if isinstance(each, HypothesisRegistered)), None)

    def after_search(self, parties: tuple[str, ...]) -> "Experiment":
        """Return the experiment as these parties have it.

        What was tried in the search ends when a partner is chosen. The partner sees none of it, so
        its name is free again: a refusal would tell that there was one.
        """
        hypothesis = self.hypothesis()
        ended = hypothesis is not None and hypothesis.in_search and len(parties) > 1
        return Experiment() if ended else self

    def comparison(self, hypothesis: HypothesisRegistered) -> Comparison:
        """Return the comparison of the variants with all observations so far."""
        tallies: dict[str, Tally] = {}
        for each in self.observations.values():
            trials, successes = tallies.get(each.variant, Tally())
            tallies[each.variant] = Tally(trials + each.trials, successes + each.successes)
        return hypothesis.comparison(tallies)

    def winner(self) -> str | None:
        """Return the winner, None if corrections have changed the result since."""
        hypothesis, concluded = self.hypothesis(), self.concluded
        if hypothesis is None or concluded is None or concluded.winner is None:
            return None
        wins = self.comparison(hypothesis).winner()
        return wins if wins == concluded.winner else None


# --- decisions ---------------------------------------------------------------------------------


def decide(
    command: ExperimentCommand | ProposalAnswer,
    state: Experiment,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command on an experiment. Raises `Refused`."""
    state = state.after_search(context.parties)
    match command:
        case ProposalAnswer():
            return end(command, HYPOTHESIS, state.hypotheses, act)
        case RegisterHypothesis():
            return register(command, state, context, act)
        case StartPilot():
            return start(command, state, context.parties, act)
        case ObserveVariant():
            return observe(command, state, context.terms, act)
        case CorrectObservation():
            return correct(command, state, act)
        case ConcludePilot():
            return conclude(command, state)
        case PromoteVariant():
            return promote(command, state)
        case _:
            assert_never(command)  # type: ignore[arg-type] # ExperimentCommand is closed by this module


def register(
    command: RegisterHypothesis, state: Experiment, context: PartnershipContext, act: Act
) -> list[Event]:
    """Register once a hypothesis on a share or a count, with exactly one control (C5, C21)."""
    _check_exposure(command)
    names = [each.variant for each in command.variants]
    controls = [each.variant for each in command.variants if each.control]
    if len(controls) != 1 or len(set(names)) != len(names):
        raise Refused(
            "one-control",
            "Exactly one variant must be the control, and each must be listed once. The variants "
            f"are {', '.join(names)}; the control is {', '.join(controls) or 'missing'}.",
            "List each variant once, and mark one of them as the control.",
            field="variants",
        )
    existing = state.hypothesis()
    prior = existing.prior if existing else _prior(command, context)
    event = HypothesisRegistered.of(command, prior=prior, in_search=len(context.parties) == 1)
    return propose(command.experiment, event, state.hypotheses, act)


def _check_exposure(command: RegisterHypothesis) -> None:
    """Raise `Refused` unless a count has a unit of exposure, and a share of trials none (C21)."""
    counts = is_count(known(command.metric, "metric"))
    if not counts:
        proportion(command.metric)
    if counts is not (command.exposure is not None):
        raise Refused(
            "exposure-of-a-count",
            "Only a count is compared per unit of exposure, and it needs one. "
            f"{command.metric} was given {'one' if command.exposure else 'none'}.",
            'Name the unit, such as "one partner manager in one week".'
            if counts
            else "Leave the exposure out.",
            field="exposure",
        )


def _prior(command: RegisterHypothesis, context: PartnershipContext) -> Prior | None:
    return None if command.exposure else agreed_prior(command.metric, context.agreements)


def start(
    command: StartPilot, state: Experiment, parties: tuple[str, ...], act: Act
) -> list[Event]:
    """Start a pilot. The party that did not register it does; an initiator alone may (C5)."""
    if state.started_at is not None:
        return []
    hypothesis = state.hypotheses.get(command.experiment)
    alone = len(parties) == 1 and hypothesis is not None and hypothesis.is_open
    if not alone:
        acceptable(command.experiment, state.hypotheses, act)
    if hypothesis is not None:
        contents.check(command, hypothesis.proposed)
    return [PilotStarted(experiment=command.experiment)]


def observe(command: ObserveVariant, state: Experiment, terms: TermsByDay, act: Act) -> list[Event]:
    """Record data of a running pilot, each observation once (C5)."""
    hypothesis, started_at = _running(command, state)
    event = VariantObserved.of(command)
    existing = state.observations.get(command.observation)
    if existing is not None:
        return once(
            event,
            existing,
            "already-recorded",
            "What is recorded cannot be changed. "
            f"Observation {command.observation} is already recorded with other content.",
            "Correct the observation, with a reason (CorrectObservation).",
        )
    _still_open(state)
    _known(command.variant, hypothesis)
    _sample_open(state.comparison(hypothesis))
    since, today = terms.day(started_at), terms.day(act.occurred_at)
    if command.day < since:
        raise Refused(
            "hypothesis-first",
            "Data counts only from the start of the pilot. The pilot started on "
            f"{since}; the data is dated {command.day}.",
            "Report what was observed on that day or later.",
            field="day",
        )
    if command.day > today:
        raise Refused(
            "period-not-begun",
            f"Data of a future day cannot be reported. {command.day} is after {today}.",
            "Report the data after that day.",
            field="day",
        )
    _check(command, hypothesis)
    return [event]


def correct(command: CorrectObservation, state: Experiment, act: Act) -> list[Event]:
    """Correct an observation. That is allowed after the conclusion, too (C19)."""
    existing, hypothesis = state.observations.get(command.observation), state.hypothesis()
    if existing is None or hypothesis is None:
        raise Unknown(
            "nothing-to-correct",
            "Only a recorded observation can be corrected. "
            f"There is no observation {command.observation}.",
            "Report the observation (ObserveVariant).",
            named=command.observation,
            known=list(state.observations),
            awaits=Awaited(
                AwaitedKind.OBSERVATION,
                command.observation,
                f"observation {command.observation} of experiment {command.experiment}",
            ),
        )
    _check(command, hypothesis)
    event = ObservationCorrected.of(command)
    if state.corrections.get(command.observation) == event:
        return []
    since = state.corrected_at.get(command.observation)
    check_stated_last(f"The correction of {command.observation}", since, act)
    return [event]


def conclude(command: ConcludePilot, state: Experiment) -> list[Event]:
    """Conclude a pilot by its stop rule, or without a result (C5)."""
    hypothesis, _ = _running(command, state)
    if state.concluded is not None:
        existing = (state.concluded.ending, state.concluded.conclusion)
        if existing == (command.ending, command.conclusion):
            return []
        _still_open(state)
    comparison = state.comparison(hypothesis)
    winner = comparison.winner()
    _check_ending(command.ending, comparison, winner)
    won = winner if command.ending is Ending.STOP_RULE else None
    return [PilotConcluded.of(command, results=_results(comparison), winner=won)]


def _check_ending(ending: Ending, comparison: Comparison, winner: str | None) -> None:
    if ending is Ending.STOP_RULE and not comparison.is_met():
        lacking = ", ".join(f"{name} {count}" for name, count in comparison.lacking().items())
        raise Refused(
            "stop-rule-not-met",
            "A pilot can be concluded by its stop rule only once that is met. "
            + (
                f"These trials are missing: {lacking}."
                if lacking
                else "No variant's bounds lie beyond those of all others yet."
            ),
            "Continue until the stop rule is met, or conclude the pilot as inconclusive or "
            "abandoned.",
        )
    if ending is Ending.INCONCLUSIVE and winner is not None:
        raise Refused(
            "winner-found",
            f"A pilot with a winner is not inconclusive. By the stop rule, {winner} wins.",
            "Conclude the pilot by its stop rule, or as abandoned if the data cannot be trusted.",
        )


def _results(comparison: Comparison) -> list[VariantResult]:
    return [
        VariantResult(
            variant=name,
            trials=tally.trials,
            successes=tally.successes,
            mean=comparison.shown_mean(name),
            low=comparison.shown_bounds(name).low,
            high=comparison.shown_bounds(name).high,
            best=rounded(comparison.best(name)),
        )
        for name, tally in comparison.tallies.items()
    ]


def promote(command: PromoteVariant, state: Experiment) -> list[Event]:
    """Promote the winner, unless corrections have changed the result since (C5, C26)."""
    concluded = state.concluded
    if concluded is None or concluded.winner != command.variant:
        won = (
            f"The winner is {concluded.winner}."
            if concluded and concluded.winner
            else "No variant won."
            if concluded
            else "The pilot is not concluded."
        )
        raise Unknown(
            "not-the-winner",
            f"Only the winner can be promoted, not {command.variant}. {won}",
            "Conclude the pilot (ConcludePilot), then promote its winner.",
            field="variant",
            named=command.variant,
            known=[concluded.winner] if concluded and concluded.winner else [],
        )
    if state.promoted is None and state.winner() is None:
        raise Refused(
            "no-longer-wins",
            "Only the winner can be promoted. After the corrections since the conclusion, "
            f"{command.variant} no longer wins.",
            "Register a new experiment (RegisterHypothesis).",
        )
    return once(
        VariantPromoted.of(command),
        state.promoted,
        "already-recorded",
        "What is recorded cannot be changed. "
        f"{command.variant} was already promoted, with another use.",
        "Record the other use elsewhere, such as in the agreement.",
    )


def _running(
    command: ExperimentCommand, state: Experiment
) -> tuple[HypothesisRegistered, datetime]:
    hypothesis, since = state.hypothesis(), state.started_at
    if hypothesis is None or since is None:
        raise NotNow(
            "hypothesis-first",
            f"This needs a running pilot. No pilot of {command.experiment} has started.",
            "Register the hypothesis and start its pilot (RegisterHypothesis, StartPilot).",
        )
    return hypothesis, since


def _still_open(state: Experiment) -> None:
    if state.concluded is not None:
        raise NotNow(
            "pilot-concluded",
            "A concluded pilot takes no new data and no other conclusion. The pilot of "
            f"{state.concluded.experiment} was concluded as {state.concluded.ending}.",
            "Register another experiment (RegisterHypothesis), or correct an observation "
            "(CorrectObservation).",
        )


def _sample_open(comparison: Comparison) -> None:
    """Raise `Refused` once a fixed sample is complete: more trials would be a second look."""
    if isinstance(comparison.stop, FixedSample) and not comparison.lacking():
        raise NotNow(
            "sample-complete",
            "A fixed sample is judged once. Each variant has the agreed "
            f"{comparison.stop.trials} trials.",
            "Conclude the pilot (ConcludePilot). To judge at any time, register a hypothesis with "
            "the stop rule anytime.",
        )


def _known(variant: str, hypothesis: HypothesisRegistered) -> None:
    names = [each.variant for each in hypothesis.variants]
    if variant not in names:
        raise Unknown(
            "unknown-variant",
            f"{hypothesis.experiment} has no variant {variant}.",
            f"Name one that was registered: {', '.join(names)}.",
            field="variant",
            named=variant,
            known=names,
        )


def _check(outcome: _Outcome, hypothesis: HypothesisRegistered) -> None:
    """Raise `Refused` for more successes than trials. A count may exceed its exposure."""
    if hypothesis.exposure is None and outcome.successes > outcome.trials:
        raise Refused(
            "successes-exceed-trials",
            f"{outcome.successes} of {outcome.trials} cannot succeed.",
            "Check which is which; a part is never more than its whole.",
        )


# --- evidence ----------------------------------------------------------------------------------


def cited_by(command: Command) -> str | None:
    """Return the experiment that a command puts on record as evidence, if it does."""
    if type(command) is not EvidenceAttached.asks:
        return None
    reference: str = command.reference  # type: ignore[attr-defined] # it has the fact's fields
    return reference.removeprefix(EVIDENCE) if reference.startswith(EVIDENCE) else None


def check_cited(name: str, state: Experiment) -> None:
    """Raise `Refused` unless an experiment shows that something wins, and still does (C26)."""
    if state.winner() is None:
        raise Refused(
            "experiment-shows-nothing",
            "An experiment can be cited only if it has a winner. Experiment "
            f"{name} has none, or corrections have changed its result.",
            "Conclude its pilot by the stop rule first (ConcludePilot), or cite other evidence.",
            field="reference",
        )


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Experiment, event: Event, act: Act) -> Experiment:
    """Fold an event into an experiment's state."""
    match event:
        case HypothesisRegistered():
            # One that was registered in the search ended with it.
            return Experiment(with_proposal(event.experiment, event, {}, act))
        case ProposalEnded():
            return replace(state, hypotheses=with_end(event, state.hypotheses))
        case PilotStarted():
            hypotheses = with_acceptance(event.experiment, state.hypotheses)
            # The day of recording: a hypothesis cannot be registered after its data.
            return replace(state, hypotheses=hypotheses, started_at=act.recorded_at)
        case VariantObserved():
            observations = {**state.observations, event.observation: event}
            return replace(state, observations=observations)
        case ObservationCorrected():
            return _corrected(state, event, act)
        case PilotConcluded():
            return replace(state, concluded=event)
        case VariantPromoted():
            return replace(state, promoted=event)
        case _:
            return state


def _corrected(state: Experiment, event: ObservationCorrected, act: Act) -> Experiment:
    state = replace(
        state,
        corrections={**state.corrections, event.observation: event},
        corrected_at={**state.corrected_at, event.observation: act.occurred_at},
    )
    existing = state.observations.get(event.observation)
    if existing is None:  # A replay as of a moment may have the correction alone.
        return state
    restated = existing.model_copy(update={"trials": event.trials, "successes": event.successes})
    return replace(state, observations={**state.observations, event.observation: restated})
