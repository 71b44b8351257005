"""The partnership: its stages, the moves between them, and who may act in each [002].

The stages are exploration → formation → execution → scaling → renewal, which leads back to the
running partnership or to exit. Each stage has its own file; this module composes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeGuard, get_args

from domain import adoption as adopting
from domain import (
    checklist,
    execution,
    exploration,
    formation,
    keyring,
    lapsing,
    markets,  # noqa: F401 - importing it registers its commands and events
    people,  # noqa: F401 - as markets
    priors,  # noqa: F401 - as markets
    renewal,
    second_person,
    settlement,
    viewing,  # noqa: F401 - as markets
)
from domain import exit as leaving
from domain.adoption import (
    AdoptionCommands,
    AdoptionProposed,
    PartnershipAdopted,
    ProposeAdoption,
)
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    BilateralProposed,
    DeclineProposal,
    ProposalAnswer,
    ProposalEnded,
    WithdrawProposal,
)
from domain.breach_actions import Breaches, RuleBreached, RuleBreachWithdrawn, next_action
from domain.calendar import bounds
from domain.claims import ClaimCommand
from domain.context import PartnershipContext
from domain.deadlines import fold as time
from domain.deadlines.deadline import (
    Deadline,
    DeadlineKind,
    DeadlinePassed,
    Deadlines,
    PeriodClosed,
)
from domain.declarations import Declaration, DeclarationCommand, Declarations
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    CampaignAgreed,
    CampaignClosed,
    CommitmentCancelled,
    Execution,
    ExecutionCommand,
    HoldKickoff,
    KickoffHeld,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepAgreed,
    OnboardingStepCompleted,
    ReviewHeld,
    ReviewScheduled,
    check_given_up_last,
    given_up,
)
from domain.exit import (
    ENDINGS,
    Exit,
    ExitAgreed,
    ExitCommand,
    ExitCommands,
    ExitNoticeGiven,
    ExitWithdrawn,
    terms_after,
)
from domain.exploration import (
    BeginExploration,
    Exploration,
    ExplorationBegun,
    ExplorationCommand,
    PartnerChosen,
)
from domain.facts import Stated, check_not_before
from domain.formation import (
    DRAFT,
    DecisionRuleAgreed,
    Formation,
    FormationCommand,
    FormationCommands,
)
from domain.gates import WaiverGranted
from domain.health import RiskIdentified, RiskMitigated
from domain.kernel import (
    ADOPTING,
    CLOCK_PARTY,
    NOT_ENDED,
    Act,
    Command,
    Event,
    NotNow,
    Stage,
)
from domain.keyring import (
    AgreeKeyRecovery,
    KeyCommand,
    KeyRecovered,
    KeyRecoveryProposed,
    KeyRegistered,
    KeyRevoked,
    Keyring,
    KeyRotated,
    KeySentByOperator,
    ProposeKeyRecovery,
    SignaturesRequired,
)
from domain.renewal import HoldRenewalReview, PartnershipRenewed, Renewal, RenewalReviewHeld
from domain.reported_figure import MetricCommand
from domain.scaling import ScopeExpanded
from domain.second_person import OF_ACTS, HeldActs
from domain.settlement import Ledger, Settlement, SettlementCommand
from domain.sharing import DataSharingAgreed
from domain.terms import pays_by
from domain.terms_by_day import Agreed, TermsByDay


class PassTime(Command):
    """Let time pass in a simulated store: the deadlines that passed by then are recorded first."""

    stages = NOT_ENDED | ADOPTING


PartnershipCommand = (
    ExplorationCommand
    | FormationCommand
    | ExecutionCommand
    | HoldRenewalReview
    | ExitCommand
    | SettlementCommand
    | DeclarationCommand
    | BilateralCommand
    | ProposalAnswer
    | KeyCommand
    | PassTime
)
"""Every command that the partnership's own stream decides."""


@dataclass(frozen=True, slots=True)
class Partnership:
    """The state of one partnership, folded from the events of its stream."""

    context: PartnershipContext = field(default_factory=PartnershipContext)
    exploration: Exploration = field(default_factory=Exploration)
    adoption: adopting.Adoption = field(default_factory=adopting.Adoption)
    formation: Formation = field(default_factory=Formation)
    execution: Execution = field(default_factory=Execution)
    renewal: Renewal = field(default_factory=Renewal)
    exit: Exit = field(default_factory=Exit)
    settlement: Settlement = field(default_factory=Settlement)
    breaches: Breaches = field(default_factory=Breaches)
    keyring: Keyring = field(default_factory=Keyring)
    held: HeldActs = field(default_factory=dict)
    """What a second person confirms."""
    deadlines: Deadlines = field(default_factory=dict)

    @property
    def stage(self) -> Stage | None:
        """The stage; None before the partnership began."""
        return self.context.stage

    @property
    def parties(self) -> tuple[str, ...]:
        """The initiator, and its partner once chosen."""
        return self.context.parties

    @property
    def ended_in(self) -> Stage | None:
        """The stage before the kickoff in which it ended; None if it runs, or ended by its exit."""
        has_begun = self.execution.kickoff or self.context.agreements.of(PartnershipAdopted)
        if self.stage is not Stage.ENDED or has_begun:
            return None
        return Stage.EXPLORATION if len(self.parties) == 1 else Stage.FORMATION

    @property
    def rules(self) -> tuple[DecisionRuleAgreed, ...]:
        """The decision rules that both parties agreed, in every version."""
        return self.context.agreements.versions(DecisionRuleAgreed)

    @property
    def agreed(self) -> Agreed:
        """The parties and terms that money events are decided on."""
        return Agreed(self.parties, self.context.terms, self.context.given_up)


def admit(command: Command, state: Partnership, act: Act) -> None:
    """Raise `Refused` unless the party may act and the command is allowed in this stage."""
    if isinstance(command, BeginExploration):
        return
    if state.stage is None:
        if isinstance(command, ProposeAdoption):
            return
        raise NotNow(
            "no-such-partnership",
            "A partnership begins with BeginExploration. This one has not begun.",
            "Begin the partnership (BeginExploration), adopt one that runs already "
            "(ProposeAdoption), or check the subject.",
        )
    if not may_act(command, state, act.party):
        raise NotNow(
            "unknown-party",
            f"Only a party of the partnership can act in it. {act.party} is not one.",
            # Not who the parties are: an outsider may not learn it.
            "Check the party and the subject. The list of partnerships has the parties of each.",
        )
    if state.stage not in command.stages:
        stages = [stage.value for stage in Stage if stage in command.stages]
        raise NotNow(
            "wrong-stage",
            f"{type(command).__name__} is not allowed in the stage {state.stage}.",
            f"It is allowed in {', '.join(stages)}."
            if stages
            else "It is allowed only where no partnership has begun.",
            stage=state.stage.value,
            stages=stages,
        )
    if command.ends_with_exit and leaving.took_effect(state.context.terms, act.occurred_at):
        raise NotNow(
            "exit-took-effect",
            f"{type(command).__name__} needs a partnership that runs. This one ended on "
            f"{state.context.terms.exit}, when its exit took effect.",
            "Settle what is left, and complete the exit (ProposeDisposition, "
            "IssueFinalSettlement, ProposeCompletion).",
        )
    if state.ended_in is not None and state.ended_in not in command.stages:
        raise NotNow(
            "wrong-stage",
            f"{type(command).__name__} needs a partner, and the exploration ended without one."
            if state.ended_in is Stage.EXPLORATION
            else f"{type(command).__name__} needs a kickoff, and the negotiation ended without "
            "one.",
            "Begin another partnership (BeginExploration), or check the subject.",
            stage=state.stage.value,
        )


def may_act(command: Command, state: Partnership, party: str) -> bool:
    """Return whether it is a party, or the operator or the third party with what each may ask."""
    if party in state.parties or (command.by_operator and party == CLOCK_PARTY):
        return True
    # The neutral third party reports the aggregates that the protocol lets it give (C14).
    protocol = state.context.agreements.latest(DataSharingAgreed)
    third = protocol.third_party if protocol else None
    if protocol is None or third is None or third.party != party:
        return False
    return isinstance(command, MetricCommand) and protocol.gives(party, command.metric)


def shows(
    command: MetricCommand | ClaimCommand, state: Partnership, to: str
) -> Callable[[Stated], bool]:
    """Return whether a statement of the figure that a command names is shown to a party (C7, C14).

    A party that could correct or confirm a figure that it does not see would learn that there is
    one. What a party pays by is shown to it: its claims and statements tell of that anyway.
    """
    named = command if isinstance(command, MetricCommand) else command.figure
    assert named is not None  # noqa: S101 - the command is about a figure
    of_another = named.segment in state.exploration.candidates.keys() - {to}
    protocol = state.context.agreements.latest(DataSharingAgreed)
    terms = state.context.terms

    def shown(stated: Stated) -> bool:
        if stated.party == to:
            return True
        if of_another:
            return False
        by, on = stated.party, stated.at.date()
        days = (bounds(named.period)[0].date(), on)
        if any(pays_by(item, named.metric) for day in days for item in terms.items(day)):
            return True
        return protocol is None or protocol.shares(to, by, named.metric, on)

    return shown


def decide(
    command: PartnershipCommand, state: Partnership, act: Act, ledger: Callable[[], Ledger]
) -> list[Event]:
    """Decide a command: the events to record, none if they are recorded already.

    `ledger` gives what accrued up to the last event; only a few commands call it. Raises `Refused`.
    """
    admit(command, state, act)
    if _settles(command):
        return settlement.decide(command, state.settlement, ledger, state.context, act)
    decided = _decision(command)(command, state, act)
    return [*decided, *_lapsed(state, decided, act)]


def _lapsed(state: Partnership, decided: list[Event], act: Act) -> list[Event]:
    """Return an event for each open proposal and draft that lapses by what was decided."""
    drafts: list[Event] = []
    if any(isinstance(event, ENDINGS) for event in decided):
        drafts = formation.lapsed(state.formation, lapsing.THE_END)
    agreements = state.context.agreements
    if not decided or not any(each.is_open for _, _, each in agreements.every_proposal()):
        return drafts
    after = state.context
    for event in decided:
        after = _context_after(after, event, act)
    return lapsing.lapsed(agreements, state.stage, after.stage, decided) + drafts


def passed(deadline: Deadline, state: Partnership) -> list[Event]:
    """Return the events that record the passing of a deadline.

    When an exit takes effect, what needs a partnership that runs can be accepted no more.
    """
    events = time.passed(deadline)
    if deadline.kind is DeadlineKind.EXIT:
        events += lapsing.at_the_exit(state.context.agreements, deadline.ref)
        events += formation.lapsed(state.formation, f"The exit took effect on {deadline.ref}.")
    return events


def carry_out(state: Partnership) -> list[Event]:
    """Decide the next action that a breached rule asks for; none if all are done (C20)."""
    event = next_action(state.breaches, state.context)
    return [event] if event is not None else []


def decides(command: Command) -> TypeGuard[PartnershipCommand]:
    """Whether the partnership's own stream decides a command."""
    return (
        type(command) in _DECISIONS
        or _settles(command)
        or isinstance(command, DeclarationCommand | BilateralCommand)
    )


def _settles(command: Command) -> TypeGuard[SettlementCommand]:
    return type(command) in _SETTLING


def _decision(command: Command) -> Callable[[Any, Partnership, Act], list[Event]]:
    return _DECISIONS.get(type(command), _by_mechanism)


def _by_mechanism(
    command: DeclarationCommand | BilateralCommand, state: Partnership, act: Act
) -> list[Event]:
    context = state.context
    if isinstance(command, DeclarationCommand):
        if covers := command.declaration.covers:
            period, terms = str(getattr(command, covers)), context.terms
            check_not_before(terms.began, period, terms.day(act.occurred_at), covers)
        today = context.terms.day(act.recorded_at)
        agreements = context.agreements
        return context.declarations.decide(command, context.parties, agreements, act, today)
    decided = context.agreements.decide(command, context, act)
    check_given_up_last(decided, context, act)
    return decided


def _explore(command: ExplorationCommand, state: Partnership, act: Act) -> list[Event]:
    return exploration.decide(command, state.exploration, state.context, act)


def _adopt(command: BilateralCommand, state: Partnership, act: Act) -> list[Event]:
    return adopting.decide(command, state.adoption, state.context, act)


def _form(command: FormationCommand, state: Partnership, act: Act) -> list[Event]:
    return formation.decide(command, state.formation, state.context, state.keyring, act)


def _execute(command: ExecutionCommand, state: Partnership, act: Act) -> list[Event]:
    gate = (
        [
            *formation.requirements(state.formation, state.context),
            *checklist.requirements(state.exploration, state.context),
        ]
        if isinstance(command, HoldKickoff)
        else []
    )
    return execution.decide(command, state.execution, gate, state.context, act)


def _renew(command: HoldRenewalReview, state: Partnership, act: Act) -> list[Event]:
    agreements = state.context.agreements
    renewed = [each.agreed_at for each in agreements.versions(PartnershipRenewed)]
    withdrawn = [each.agreed_at for each in agreements.versions(ExitWithdrawn)]
    since = max((*renewed, *withdrawn), default=None)
    return renewal.decide(command, state.renewal, since, act)


def _leave(command: ExitCommand, state: Partnership, act: Act) -> list[Event]:
    return leaving.decide(command, state.exit, state.context, act)


def _change_keys(command: KeyCommand, state: Partnership, act: Act) -> list[Event]:
    return keyring.decide(command, state.keyring, act)


def _recover_key(command: BilateralCommand, state: Partnership, act: Act) -> list[Event]:
    if isinstance(command, ProposeKeyRecovery):
        keyring.check_recoverable(act.party, state.keyring, act)
    decided = _by_mechanism(command, state, act)
    for event in decided:
        if isinstance(event, KeyRecovered | KeyRecoveryProposed):
            keyring.check_recovered(event, state.keyring, act)
    return decided


def _answer(command: ProposalAnswer, state: Partnership, act: Act) -> list[Event]:
    if command.agreement == DRAFT:
        return formation.end_draft(command, state.formation, act)
    return state.context.agreements.answer(command, act)


def _pass_time(_: PassTime, state: Partnership, act: Act) -> list[Event]:  # noqa: ARG001
    return []


# Commands are dispatched by their type; testing each union takes longer than deciding.
_DECISIONS: dict[type[Command], Callable[[Any, Partnership, Act], list[Event]]] = {
    **dict.fromkeys(get_args(ExplorationCommand), _explore),
    **dict.fromkeys(AdoptionCommands, _adopt),
    **dict.fromkeys(FormationCommands, _form),
    **dict.fromkeys(get_args(ExecutionCommand), _execute),
    HoldRenewalReview: _renew,
    **dict.fromkeys(ExitCommands, _leave),
    **dict.fromkeys(get_args(KeyCommand), _change_keys),
    **dict.fromkeys((ProposeKeyRecovery, AgreeKeyRecovery), _recover_key),
    **dict.fromkeys((DeclineProposal, WithdrawProposal), _answer),
    PassTime: _pass_time,
}


# Events are dispatched by their type as well, so that folding a long history is fast.
_SETTLING = frozenset(get_args(SettlementCommand))
_OF_RULES: frozenset[type[Event]] = frozenset({RuleBreached, RuleBreachWithdrawn})
_OF_KEYS: frozenset[type[Event]] = frozenset(
    {KeyRegistered, KeyRotated, KeyRevoked, KeySentByOperator, SignaturesRequired}
)
_OF_TIME: frozenset[type[Event]] = frozenset({PeriodClosed, DeadlinePassed})


def evolve(state: Partnership, event: Event, act: Act) -> Partnership:
    """Fold an event into the partnership's state. It never refuses an event."""
    context = _context_after(state.context, event, act)
    deadlines = time.evolve(state.deadlines, event, act, context.terms, context.parties)
    if isinstance(event, AdoptionProposed):
        adoption = adopting.evolve(state.adoption, event, act)
        return replace(state, context=context, deadlines=deadlines, adoption=adoption)
    if isinstance(event, ProposalEnded) and event.agreement == DRAFT:
        form = formation.evolve(state.formation, event, act)
        return replace(state, deadlines=deadlines, formation=form)
    if isinstance(event, KeyRecovered):
        keys = keyring.evolve(state.keyring, event, act)
        return replace(state, context=context, keyring=keys, deadlines=deadlines)
    if event.context_only:
        return replace(state, context=context, deadlines=deadlines)
    if type(event) in _OF_RULES:
        breaches = state.breaches.evolve(event, act.occurred_at)
        return replace(state, breaches=breaches)
    if type(event) in _OF_KEYS:
        keys = keyring.evolve(state.keyring, event, act)
        return replace(state, keyring=keys, deadlines=deadlines)
    if isinstance(event, OF_ACTS):
        held = second_person.evolve(state.held, event, act)
        return replace(state, held=held, deadlines=deadlines)
    if type(event) in _OF_TIME:
        settled = _settled_by_time(state.settlement, event, context.terms, act)
        deadlines = _due(deadlines, state, settled, act, context.terms)
        # The events of the clock, a few every month, change nothing else.
        return replace(state, settlement=settled, deadlines=deadlines)
    settled = settlement.evolve(state.settlement, event, act, context.terms)
    return Partnership(
        context,
        exploration.evolve(state.exploration, event, act),
        adopting.evolve(state.adoption, event, act),
        formation.evolve(state.formation, event, act),
        execution.evolve(state.execution, event, act),
        renewal.evolve(state.renewal, event),
        leaving.evolve(state.exit, event, act),
        settled,
        state.breaches,
        state.keyring,
        state.held,
        _due(deadlines, state, settled, act, context.terms),
    )


def _settled_by_time(state: Settlement, event: Event, terms: TermsByDay, act: Act) -> Settlement:
    match event:
        case DeadlinePassed(kind=DeadlineKind.STATEMENT, ref=name):
            return replace(state, payouts=state.payouts.past_due(name))
        case DeadlinePassed(kind=DeadlineKind.SILENCE):
            # Silence can confirm that a payout came back.
            return replace(state, payouts=state.payouts.counted(state.payouts.owed, terms, act))
        case _:
            return state


def _due(
    deadlines: Deadlines, before: Partnership, after: Settlement, act: Act, terms: TermsByDay
) -> Deadlines:
    """Return the deadlines with those of unpaid statements, which an exit leaves open."""
    if after.payouts is before.settlement.payouts and deadlines:
        return deadlines
    return time.with_statements(deadlines, before.deadlines, after.payouts, act, terms)


def _context_after(context: PartnershipContext, event: Event, act: Act) -> PartnershipContext:
    agreements = context.agreements
    scaled = bool(agreements.versions(ScopeExpanded)) or any(
        each.stage is Stage.SCALING for each in agreements.versions(PartnershipAdopted)
    )
    stage = stage_after(event, context.stage, scaled=scaled)
    if stage is not context.stage:
        context = replace(context, stage=stage)
    match event:
        case Declaration():
            declarations = context.declarations.with_declaration(event, act)
            agreements = _without_given_up(agreements, event)
            return replace(context, declarations=declarations, agreements=agreements)
        case ProposalEnded(agreement=agreement, within=within) if agreement == DRAFT or within:
            return context
        case BilateralProposed() | BilateralAgreement() | ProposalEnded():
            agreements = _without_given_up(agreements.evolve(event, act), event)
            terms = terms_after(context.terms, event)
            parties = parties_after(event, act, context.parties)
            context = replace(context, agreements=agreements, terms=terms, parties=parties)
            given_up_at = _given_up_after(context.given_up, event, act)
            declarations = _declared(context.declarations, event)
            return replace(context, declarations=declarations, given_up=given_up_at)
        case ExitNoticeGiven():
            return replace(context, terms=terms_after(context.terms, event))
        case ExplorationBegun():
            return PartnershipContext(stage, parties_after(event, act, ()))
        case PartnerChosen():
            parties = parties_after(event, act, context.parties)
            # What the search waived ends with it, and the partner may use its identifiers (C6).
            agreements = agreements.without_kind(WaiverGranted)
            return replace(context, parties=parties, agreements=agreements)
        case _:
            return context


def _without_given_up(agreements: BilateralAgreements, event: Event) -> BilateralAgreements:
    """Return the agreements after one that gives up another, or that agrees it again.

    A milestone that is planned again is to be reached again, a review that is scheduled again is to
    be held, and a risk that is rated anew is to be mitigated.
    """
    if isinstance(event, CommitmentCancelled):
        kind = given_up()[event.kind]
        if not issubclass(kind, BilateralAgreement):
            return agreements
        return agreements.without(kind, event.ref)
    match event:
        case MilestonePlanned():
            agreements = agreements.without(MilestoneReached, event.milestone)
        case ReviewScheduled():
            agreements = agreements.without(ReviewHeld, event.review)
        case RiskIdentified():
            agreements = agreements.without(RiskMitigated, event.risk)
        case _:
            pass
    for name, kind in given_up().items():
        if isinstance(event, kind):
            return agreements.without(CommitmentCancelled, name, getattr(event, *kind.identity))
    return agreements


def _given_up_after(
    before: Mapping[str, datetime], event: Event, act: Act
) -> Mapping[str, datetime]:
    """Return what both gave up, and when. What is agreed again is given up no more."""
    if isinstance(event, CommitmentCancelled):
        return {**before, f"{event.kind}/{event.ref}": act.occurred_at}
    if not before:
        return before
    again = {
        f"{name}/{getattr(event, *kind.identity)}"
        for name, kind in given_up().items()
        if isinstance(event, kind)
    }
    return {name: at for name, at in before.items() if name not in again}


def _declared(declarations: Declarations, event: Event) -> Declarations:
    """Return the declarations after an agreement.

    An action, a campaign or an onboarding step that is agreed again is to be done, and what was
    given up is declared no more.
    """
    if isinstance(event, ActionAgreed) and event.agreed_version > 1:
        return declarations.without(ActionCompleted, event.action)
    if isinstance(event, CampaignAgreed) and event.agreed_version > 1:
        return declarations.without(CampaignClosed, event.campaign)
    if isinstance(event, OnboardingStepAgreed) and event.agreed_version > 1:
        return declarations.without(OnboardingStepCompleted, event.step)
    if isinstance(event, CommitmentCancelled):
        kind = given_up()[event.kind]
        if issubclass(kind, Declaration):
            return declarations.without(kind, event.ref)
    return declarations


_ARROWS: dict[type[Event], Stage] = {
    ExplorationBegun: Stage.EXPLORATION,
    AdoptionProposed: Stage.ADOPTION,
    PartnerChosen: Stage.FORMATION,
    KickoffHeld: Stage.EXECUTION,
    ScopeExpanded: Stage.SCALING,
    RenewalReviewHeld: Stage.RENEWAL,
    ExitNoticeGiven: Stage.EXIT,
    ExitAgreed: Stage.EXIT,
    **dict.fromkeys(ENDINGS, Stage.ENDED),
}


def stage_after(event: Event, stage: Stage | None, *, scaled: bool) -> Stage | None:
    """Return the stage after an event. `scaled` is whether the partnership ever scaled."""
    goes_on = isinstance(event, ExitWithdrawn) and event.still_ends_on is None
    if isinstance(event, PartnershipRenewed) or goes_on:
        return Stage.SCALING if scaled else Stage.EXECUTION
    if isinstance(event, PartnershipAdopted):
        return event.stage
    if isinstance(event, ScopeExpanded) and stage is Stage.RENEWAL:
        return stage  # The talk about the renewal goes on; renewed, the partnership scales.
    return _ARROWS.get(type(event), stage)


def parties_after(event: Event, act: Act, parties: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parties after an event: the initiator, then its partner once chosen.

    An adoption names both of them, from its proposal on.
    """
    match event:
        case ExplorationBegun():
            return (act.party,)
        case PartnerChosen(candidate=partner):
            return (*parties[:1], partner)
        case AdoptionProposed() | PartnershipAdopted() if not parties:
            return tuple(each.party for each in event.parties)
        case _:
            return parties
