"""An experiment: a hypothesis first, then a pilot of variants, a conclusion, and what wins (C5).

The same machinery tries offers and channels before a partnership, and messages, bonuses and
workflows within it (C26). What binds both needs both: one party registers the hypothesis with its
variants and its stop rule, the other starts the pilot. Before a partner is chosen the initiator
does both. From then on the data decide: a pilot is concluded when the stop rule that was agreed
ahead is met, or given up in so many words, and only the winner is promoted.

An experiment lives in a stream of its own, which the gate to scaling does not see. What it needs
is put on record there by `AttachEvidence` with the reference ``experiment:`` and the experiment's
name, and that is refused unless the experiment has found a winner that still stands. So the gate
keeps asking for evidence on record, of whatever kind, and nobody can cite an experiment of ours
for what it did not show. Results from elsewhere are cited under their own references as before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Annotated, assert_never

from pydantic import Field

from domain.comparison import Comparison, StopRule, Tally
from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.context import PartnershipContext
from domain.formation import EvidenceAttached
from domain.kernel import UNTIL_EXIT, Act, Command, Event, Refused, Stage, Value, once
from domain.metric_catalogue import proportion
from domain.priors import Prior, agreed_prior
from domain.proportions import in_percent, rounded
from domain.values import Count, Day, Number, Ref, Slug, Text

EVIDENCE = "experiment:"
"""What the reference of evidence begins with that is an experiment kept here."""

MOST_VARIANTS = 10
"""Variants that are set side by side at most; with more, few trials tell nothing apart."""


class Variant(Value):
    """One of the ways that are tried side by side."""

    variant: Slug
    description: Text
    control: bool = False
    """Whether it is what the others are held against: things as they are."""


class ExperimentCommand(Command):
    """What is asked of one experiment of a partnership.

    A pilot that runs when renewal is reviewed runs on; with notice given nothing more is tried.
    """

    stages = UNTIL_EXIT | {Stage.EXPLORATION}
    experiment: Ref

    def substream(self) -> str:
        """Give the name of its stream below the partnership's."""
        return f"experiment/{self.experiment}"


class _Hypothesis(Value):
    hypothesis: Text
    metric: Slug
    """The proportion that tells which variant is better."""
    variants: Annotated[list[Variant], Field(min_length=2, max_length=MOST_VARIANTS)]
    assignment: Text
    """Who or what gets which variant, and how that is decided."""
    stop: StopRule
    """When there are data enough, and what wins then; agreed before there are any."""


class RegisterHypothesis(_Hypothesis, ExperimentCommand):
    """Register what is to be tried, and what will be taken for a result (C5)."""


class HypothesisRegistered(_Hypothesis, Event):
    """A party registered what is to be tried, before there were data (C5)."""

    experiment: Ref
    prior: Prior
    """What was believed of the metric's rate beforehand, as agreed then (C21)."""

    @property
    def control(self) -> str:
        """The variant that the others are held against."""
        named = (each.variant for each in self.variants if each.control)
        return next(named, self.variants[0].variant)

    def comparison(self, tallies: Mapping[str, Tally]) -> Comparison:
        """Give the variants side by side, with what each came to."""
        each_of = {each.variant: tallies.get(each.variant, Tally()) for each in self.variants}
        return Comparison(self.metric, each_of, self.prior.belief, self.stop)


class StartPilot(ExperimentCommand):
    """Start the pilot of the hypothesis that the other party registered (C5)."""


class PilotStarted(Event):
    """The pilot began; data count from this day on (C5)."""

    experiment: Ref


class _Outcome(Value):
    observation: Ref
    trials: Annotated[int, Field(ge=1, le=10**9)]
    successes: Count


class _Observation(_Outcome):
    variant: Slug
    day: Day
    """The day of the trials, or the last one where they took several."""


class ObserveVariant(_Observation, ExperimentCommand):
    """Report so many successes of so many trials of one variant (C5)."""


class VariantObserved(_Observation, Event):
    """So many trials of a variant brought so many successes (C5)."""

    experiment: Ref


class CorrectObservation(_Outcome, ExperimentCommand):
    """Restate an observation, with the reason."""

    reason: Text


class ObservationCorrected(_Outcome, Event):
    """An observation was restated."""

    experiment: Ref
    reason: Text


class Ending(StrEnum):
    """What ends a pilot."""

    STOP_RULE = "stop-rule"
    INCONCLUSIVE = "inconclusive"
    ABANDONED = "abandoned"


class _Conclusion(Value):
    ending: Ending = Ending.STOP_RULE
    conclusion: Text
    """What is learned from it, in words."""


class ConcludePilot(_Conclusion, ExperimentCommand):
    """Conclude a pilot by its stop rule, or give it up (C5)."""


class VariantResult(Value):
    """What a variant came to when the pilot was concluded; rates in percent."""

    variant: Slug
    trials: Count
    successes: Count
    mean: Number
    """The rate that is expected, given the prior and the trials."""
    low: Number
    high: Number
    """The bounds by which the variant was judged."""
    best: Number
    """How likely, at least, it is the best of all, from 0 to 1."""


class PilotConcluded(_Conclusion, Event):
    """A pilot ended, with what each variant came to and which one won, if one did (C5)."""

    experiment: Ref
    results: list[VariantResult]
    winner: Slug | None = None


class _Promotion(Value):
    variant: Slug
    into: Text
    """Where it is used from now on."""


class PromoteVariant(_Promotion, ExperimentCommand):
    """Make the variant that won the way things are done (C5, C26)."""


class VariantPromoted(_Promotion, Event):
    """The variant that won became the way things are done (C5, C26)."""

    experiment: Ref


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Experiment:
    """Where one experiment stands."""

    hypotheses: Proposals = field(default_factory=dict)
    """The hypothesis, under the experiment's name, once it is registered."""
    started_on: date | None = None
    observations: Mapping[str, VariantObserved] = field(default_factory=dict)
    """What was observed, as it stands after corrections."""
    concluded: PilotConcluded | None = None
    promoted: VariantPromoted | None = None

    def hypothesis(self) -> HypothesisRegistered | None:
        """Give the hypothesis, if it is registered."""
        proposed = [each.proposed for each in self.hypotheses.values()]
        return next((each for each in proposed if isinstance(each, HypothesisRegistered)), None)

    def comparison(self, hypothesis: HypothesisRegistered) -> Comparison:
        """Give its variants side by side, as they stand."""
        tallies: dict[str, Tally] = {}
        for each in self.observations.values():
            trials, successes = tallies.get(each.variant, Tally())
            tallies[each.variant] = Tally(trials + each.trials, successes + each.successes)
        return hypothesis.comparison(tallies)

    def winner(self) -> str | None:
        """Give what won, where that stands after all corrections."""
        hypothesis, concluded = self.hypothesis(), self.concluded
        if hypothesis is None or concluded is None or concluded.winner is None:
            return None
        wins = self.comparison(hypothesis).winner()
        return wins if wins == concluded.winner else None


# --- decisions ---------------------------------------------------------------------------------


def decide(
    command: ExperimentCommand,
    state: Experiment,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command on an experiment. Raises `Refused`."""
    match command:
        case RegisterHypothesis():
            return register(command, state, context, act)
        case StartPilot():
            return start(command, state, context.parties, act)
        case ObserveVariant():
            return observe(command, state, act)
        case CorrectObservation():
            return correct(command, state)
        case ConcludePilot():
            return conclude(command, state)
        case PromoteVariant():
            return promote(command, state)
        case _:
            assert_never(command)  # type: ignore[arg-type] # ExperimentCommand is closed by this module


def register(
    command: RegisterHypothesis, state: Experiment, context: PartnershipContext, act: Act
) -> list[Event]:
    """Take a hypothesis with exactly one control, on a proportion, once (C5)."""
    proportion(command.metric)
    names = [each.variant for each in command.variants]
    controls = [each.variant for each in command.variants if each.control]
    if len(controls) != 1 or len(set(names)) != len(names):
        raise Refused(
            "one-control",
            f"Of the variants {', '.join(names)}, {', '.join(controls) or 'none'} is the control.",
            "Name each variant once, and exactly one of them the control: things as they are.",
            field="variants",
        )
    existing = state.hypothesis()
    prior = existing.prior if existing else agreed_prior(command.metric, context.agreements)
    event = HypothesisRegistered.of(command, prior=prior)
    return propose(command.experiment, event, state.hypotheses, act)


def start(
    command: StartPilot, state: Experiment, parties: tuple[str, ...], act: Act
) -> list[Event]:
    """Start a pilot: the party that did not register it does; alone one may (C5)."""
    if state.started_on is not None:
        return []
    alone = len(parties) == 1 and command.experiment in state.hypotheses
    if not alone:
        acceptable(command.experiment, state.hypotheses, act)
    return [PilotStarted.of(command)]


def observe(command: ObserveVariant, state: Experiment, act: Act) -> list[Event]:
    """Take data of a pilot that runs, each once (C5)."""
    hypothesis, since = _running(command, state)
    event = VariantObserved.of(command)
    existing = state.observations.get(command.observation)
    if existing is not None:
        return once(
            event,
            existing,
            "already-recorded",
            f"Observation {command.observation} is on record with other content.",
            "Restate it with a reason (CorrectObservation).",
        )
    _still_open(state)
    _known(command.variant, hypothesis)
    if command.day < since:
        raise Refused(
            "hypothesis-first",
            f"The pilot started on {since}; the data are of {command.day}.",
            "Only what is observed after the hypothesis was agreed can bear it out.",
            field="day",
        )
    if command.day > act.occurred_at.date():
        raise Refused(
            "period-not-begun",
            f"{command.day} had not begun on {act.occurred_at:%Y-%m-%d}.",
            "Report what has happened.",
            field="day",
        )
    _check(command.trials, command.successes)
    return [event]


def correct(command: CorrectObservation, state: Experiment) -> list[Event]:
    """Restate what was observed, also after the conclusion, which stays on record (C19)."""
    existing = state.observations.get(command.observation)
    if existing is None:
        raise Refused(
            "nothing-to-correct",
            f"There is no observation {command.observation}.",
            "Report it (ObserveVariant).",
        )
    _check(command.trials, command.successes)
    if (existing.trials, existing.successes) == (command.trials, command.successes):
        return []
    return [ObservationCorrected.of(command)]


def conclude(command: ConcludePilot, state: Experiment) -> list[Event]:
    """End a pilot as its stop rule says, or without a result (C5)."""
    hypothesis, _ = _running(command, state)
    if state.concluded is not None:
        said = (state.concluded.ending, state.concluded.conclusion)
        if said == (command.ending, command.conclusion):
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
            f"Trials are lacking: {lacking}."
            if lacking
            else "No variant's bounds lie beyond those of all others yet.",
            "Go on until the stop rule that was agreed ahead is met, or conclude it as "
            "inconclusive or abandoned.",
        )
    if ending is Ending.INCONCLUSIVE and winner is not None:
        raise Refused(
            "winner-found",
            f"The stop rule that was agreed ahead finds that {winner} wins.",
            "Conclude it by its stop rule; whoever does not trust the data abandons the pilot.",
        )


def _results(comparison: Comparison) -> list[VariantResult]:
    return [
        VariantResult(
            variant=name,
            trials=tally.trials,
            successes=tally.successes,
            mean=in_percent(comparison.belief(name).mean),
            low=in_percent(comparison.bounds(name).low),
            high=in_percent(comparison.bounds(name).high),
            best=rounded(comparison.best(name)),
        )
        for name, tally in comparison.tallies.items()
    ]


def promote(command: PromoteVariant, state: Experiment) -> list[Event]:
    """Promote what won, where corrections have not undone that since (C5, C26)."""
    concluded = state.concluded
    if concluded is None or concluded.winner != command.variant:
        won = (
            f"what won is {concluded.winner or 'nothing'}" if concluded else "nothing is concluded"
        )
        raise Refused(
            "not-the-winner",
            f"{command.variant} cannot be promoted: {won}.",
            "Conclude the pilot (ConcludePilot), and promote the variant that wins.",
            field="variant",
        )
    if state.promoted is None and state.winner() is None:
        raise Refused(
            "no-longer-wins",
            f"Under the corrections since, {command.variant} does not win.",
            "Register a new hypothesis, and try again (RegisterHypothesis).",
        )
    return once(
        VariantPromoted.of(command),
        state.promoted,
        "already-recorded",
        f"{command.variant} was promoted into something else.",
        "History is not edited: what it is used for besides can be said in an agreement.",
    )


def _running(command: ExperimentCommand, state: Experiment) -> tuple[HypothesisRegistered, date]:
    hypothesis, since = state.hypothesis(), state.started_on
    if hypothesis is None or since is None:
        raise Refused(
            "hypothesis-first",
            f"No pilot of {command.experiment} has started.",
            "Register the hypothesis and start its pilot (RegisterHypothesis, StartPilot).",
        )
    return hypothesis, since


def _still_open(state: Experiment) -> None:
    if state.concluded is not None:
        raise Refused(
            "pilot-concluded",
            f"The pilot of {state.concluded.experiment} was concluded ({state.concluded.ending}).",
            "Try again as an experiment of its own; what was observed can still be corrected.",
        )


def _known(variant: str, hypothesis: HypothesisRegistered) -> None:
    names = [each.variant for each in hypothesis.variants]
    if variant not in names:
        raise Refused(
            "unknown-variant",
            f"{hypothesis.experiment} has no variant {variant}.",
            f"Name one that was registered: {', '.join(names)}.",
            field="variant",
        )


def _check(trials: int, successes: int) -> None:
    if successes > trials:
        raise Refused(
            "successes-exceed-trials",
            f"{successes} of {trials} cannot succeed.",
            "Check which is which; a part is never more than its whole.",
        )


# --- evidence ----------------------------------------------------------------------------------


def cited_by(command: Command) -> str | None:
    """Give the experiment that a command puts on record as evidence, if it does."""
    if type(command) is not EvidenceAttached.asks:
        return None
    reference: str = command.reference  # type: ignore[attr-defined] # it has the fact's fields
    return reference.removeprefix(EVIDENCE) if reference.startswith(EVIDENCE) else None


def check_cited(name: str, state: Experiment) -> None:
    """Raise `Refused` unless an experiment shows that something wins, and still does (C26)."""
    if state.winner() is None:
        raise Refused(
            "experiment-shows-nothing",
            f"Experiment {name} has not found a winner that stands.",
            "Conclude its pilot by the stop rule first (ConcludePilot), or cite other evidence.",
            field="reference",
        )


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Experiment, event: Event, act: Act) -> Experiment:
    """Take a fact into an experiment's state."""
    match event:
        case HypothesisRegistered():
            hypotheses = with_proposal(event.experiment, event, state.hypotheses, act)
            return replace(state, hypotheses=hypotheses)
        case PilotStarted():
            hypotheses = with_acceptance(event.experiment, state.hypotheses)
            # Not from when its party says that it began: no hypothesis reaches back to its data.
            return replace(state, hypotheses=hypotheses, started_on=act.recorded_at.date())
        case VariantObserved():
            observations = {**state.observations, event.observation: event}
            return replace(state, observations=observations)
        case ObservationCorrected():
            return _corrected(state, event)
        case PilotConcluded():
            return replace(state, concluded=event)
        case VariantPromoted():
            return replace(state, promoted=event)
        case _:
            return state


def _corrected(state: Experiment, event: ObservationCorrected) -> Experiment:
    existing = state.observations.get(event.observation)
    if existing is None:  # A replay as of a moment may know the correction alone.
        return state
    restated = existing.model_copy(update={"trials": event.trials, "successes": event.successes})
    return replace(state, observations={**state.observations, event.observation: restated})
