"""A partnership's life: its stages, the moves between them, and who may act in each [002].

exploration → formation → execution → scaling → renewal, which leads back into the running
partnership or to exit. Each stage tells its own story in a file of its own; here they are one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeGuard, get_args

from domain import deadlines as time
from domain import (
    execution,
    exploration,
    formation,
    markets,  # noqa: F401 - what it defines is known once it is imported, and needs no more
    renewal,
    scaling,
)
from domain.calendar import midnight
from domain.deadlines import Deadlines
from domain.execution import Execution, ExecutionCommand, HoldKickoff, KickoffHeld
from domain.exploration import (
    BeginExploration,
    Exploration,
    ExplorationBegun,
    ExplorationClosed,
    ExplorationCommand,
    PartnerChosen,
)
from domain.facts import Fact, FactCommand
from domain.formation import Formation, FormationCommand
from domain.gates import GrantWaiver, WaiverGranted, grant
from domain.kernel import Act, Command, Event, Refused, Stage
from domain.renewal import (
    ExitNoticeGiven,
    PartnershipExited,
    PartnershipRenewed,
    Renewal,
    RenewalCommand,
    RenewalReviewHeld,
)
from domain.scaling import Scaling, ScalingCommand, ScopeExpanded
from domain.standing import Standing, Waiver


class PassTime(Command):
    """Let time pass in a simulated store: whatever was due by then is recorded first."""


PartnershipCommand = (
    ExplorationCommand
    | FormationCommand
    | ExecutionCommand
    | ScalingCommand
    | RenewalCommand
    | FactCommand
    | GrantWaiver
    | PassTime
)
"""Every command on the partnership itself."""


@dataclass(frozen=True, slots=True)
class Partnership:
    """What the history of one partnership comes to."""

    standing: Standing = field(default_factory=Standing)
    exploration: Exploration = field(default_factory=Exploration)
    formation: Formation = field(default_factory=Formation)
    execution: Execution = field(default_factory=Execution)
    scaling: Scaling = field(default_factory=Scaling)
    renewal: Renewal = field(default_factory=Renewal)
    deadlines: Deadlines = field(default_factory=dict)

    @property
    def stage(self) -> Stage | None:
        """Where it stands in its life; nothing before it began."""
        return self.standing.stage

    @property
    def parties(self) -> tuple[str, ...]:
        """The initiator, and its partner once chosen."""
        return self.standing.parties

    def ends_at(self) -> datetime | None:
        """Give the moment from which nothing more happens in it, once notice was given (C27)."""
        notice = self.renewal.notice
        return midnight(notice.effective_on) if notice else None


def admit(command: Command, state: Partnership, act: Act) -> None:
    """Raise `Refused` unless the party may act, and the command has its place in this stage."""
    if isinstance(command, BeginExploration):
        return
    if state.stage is None:
        raise Refused(
            "no-such-partnership",
            "This partnership has not begun.",
            "Begin it (BeginExploration), or check the subject.",
        )
    if act.party not in state.parties:
        raise Refused(
            "unknown-party",
            f"{act.party} is no party of this partnership.",
            f"Act as {' or '.join(state.parties)}.",
            parties=list(state.parties),
        )
    if state.stage not in command.stages:
        stages = [stage.value for stage in Stage if stage in command.stages]
        raise Refused(
            "wrong-stage",
            f"{type(command).__name__} has no place in {state.stage}.",
            f"It belongs to {', '.join(stages)}.",
            stage=state.stage.value,
            stages=stages,
        )


def decide(command: PartnershipCommand, state: Partnership, act: Act) -> list[Event]:
    """Decide a command: the facts that come of it, or nothing if they stand. Raises `Refused`."""
    admit(command, state, act)
    return _decision(command)(command, state, act)


def decides(command: Command) -> TypeGuard[PartnershipCommand]:
    """Whether a command is one on the partnership itself."""
    return isinstance(command, FactCommand) or type(command) in _DECISIONS


def _decision(command: Command) -> Callable[[Any, Partnership, Act], list[Event]]:
    return _keep if isinstance(command, FactCommand) else _DECISIONS[type(command)]


def _keep(command: FactCommand, state: Partnership, act: Act) -> list[Event]:
    return state.standing.facts.decide(command, state.parties, act)


def _explore(command: ExplorationCommand, state: Partnership, act: Act) -> list[Event]:
    return exploration.decide(command, state.exploration, state.standing, act)


def _form(command: FormationCommand, state: Partnership, act: Act) -> list[Event]:
    return formation.decide(command, state.formation, state.standing, act)


def _execute(command: ExecutionCommand, state: Partnership, act: Act) -> list[Event]:
    kickoff = isinstance(command, HoldKickoff)
    gate = formation.requirements(state.formation, state.standing) if kickoff else []
    return execution.decide(command, state.execution, gate, state.standing, act)


def _scale(command: ScalingCommand, state: Partnership, act: Act) -> list[Event]:
    return scaling.decide(command, state.scaling, state.formation, state.standing, act)


def _renew(command: RenewalCommand, state: Partnership, act: Act) -> list[Event]:
    return renewal.decide(
        command, state.renewal, state.formation, state.execution, state.standing, act
    )


def _waive(command: GrantWaiver, state: Partnership, act: Act) -> list[Event]:
    return grant(command, state.standing, act)


def _pass_time(_: PassTime, state: Partnership, act: Act) -> list[Event]:  # noqa: ARG001
    return []


# A command finds its stage by its type at once: asking a union of sixty takes longer than deciding.
_DECISIONS: dict[type[Command], Callable[[Any, Partnership, Act], list[Event]]] = {
    **dict.fromkeys(get_args(ExplorationCommand), _explore),
    **dict.fromkeys(get_args(FormationCommand), _form),
    **dict.fromkeys(get_args(ExecutionCommand), _execute),
    **dict.fromkeys(get_args(ScalingCommand), _scale),
    **dict.fromkeys(get_args(RenewalCommand), _renew),
    GrantWaiver: _waive,
    PassTime: _pass_time,
}


def evolve(state: Partnership, event: Event, act: Act) -> Partnership:
    """Take a fact into the partnership's state. It believes every fact."""
    deadlines = time.evolve(state.deadlines, event, act)
    if isinstance(event, Fact):
        facts = state.standing.facts.with_fact(event, act)
        standing = replace(state.standing, facts=facts)
        return replace(state, standing=standing, deadlines=deadlines)
    if isinstance(event, time.PeriodClosed | time.DeadlinePassed):
        # What time says for itself, month by month, moves nothing else.
        return replace(state, deadlines=deadlines)
    return Partnership(
        _standing(state, event, act),
        exploration.evolve(state.exploration, event),
        formation.evolve(state.formation, event, act),
        execution.evolve(state.execution, event, act),
        scaling.evolve(state.scaling, event, act),
        renewal.evolve(state.renewal, event, act),
        deadlines,
    )


def _standing(state: Partnership, event: Event, act: Act) -> Standing:
    standing = state.standing
    stage = stage_after(event, standing.stage, scaled=_scaled(state))
    match event:
        case ExplorationBegun():
            return Standing(stage, (act.party,))
        case PartnerChosen():
            parties = (*standing.parties[:1], event.candidate)
            return replace(standing, stage=stage, parties=parties)
        case WaiverGranted():
            waiver = Waiver(event.rule, act.party, act.actor, event.reason)
            return replace(standing, waivers={**standing.waivers, event.rule: waiver})
        case _:
            return standing if stage is standing.stage else replace(standing, stage=stage)


def _scaled(state: Partnership) -> bool:
    return any(each.accepted for each in state.scaling.scopes.values())


_ARROWS: dict[type[Event], Stage] = {
    ExplorationBegun: Stage.EXPLORATION,
    PartnerChosen: Stage.FORMATION,
    KickoffHeld: Stage.EXECUTION,
    ScopeExpanded: Stage.SCALING,
    RenewalReviewHeld: Stage.RENEWAL,
    ExitNoticeGiven: Stage.EXIT,
    PartnershipExited: Stage.ENDED,
    ExplorationClosed: Stage.ENDED,
}


def stage_after(event: Event, stage: Stage | None, *, scaled: bool) -> Stage | None:
    """Give the stage that a fact leads to: the arrows of the life cycle."""
    if isinstance(event, PartnershipRenewed):
        return Stage.SCALING if scaled else Stage.EXECUTION
    return _ARROWS.get(type(event), stage)
