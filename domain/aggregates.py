"""The domain's one entrance: which aggregate a command is for, what it decides, what facts come to.

The partnership's own stream stays short and its gates strongly consistent; measured facts, which
are many, live in small aggregates of their own. Each stream's name begins with its partnership.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import assert_never

from domain import (
    deadlines,
    deal,
    dispute,
    entry,
    experiment,
    partnership,
    program,
    reported_figure,
)
from domain.agreement import Agreed
from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.deal import Deal, DealCommand
from domain.dispute import Dispute, DisputeCommand
from domain.entry import Entry, EntryCommand
from domain.experiment import Experiment, ExperimentCommand
from domain.kernel import CLOCK_PARTY, Act, Command, Event, Refused
from domain.keyring import BINDING
from domain.partnership import Partnership
from domain.program import DefinePortfolio, Program
from domain.recorded import Recorded
from domain.reported_figure import MetricCommand, Reported
from domain.settlement import FinalSettlementIssued, Ledger, StatementIssued

State = Partnership | Deal | Entry | Dispute | Experiment | Reported | Program

RESTING_ON_THE_LOG: frozenset[type[Event]] = BINDING | {
    StatementIssued,
    FinalSettlementIssued,
    RuleBreached,
    RuleBreachWithdrawn,
}
"""Facts that are true of the whole log before them, so nothing may come between: what binds rests
on which keys there are, in whatever stream it stands."""

CLOCK_SKEW_SECONDS = 300
"""How far ahead of the operator's clock a sender's may run: five minutes."""


def command_types() -> dict[str, type[Command]]:
    """Give every command that can be sent, by its name."""
    return {cls.__name__: cls for cls in _leaves(Command)}


def _leaves(cls: type[Command]) -> Iterable[type[Command]]:
    below = cls.__subclasses__()
    if not below:
        yield cls
    for each in below:
        yield from _leaves(each)


def event_types() -> Mapping[str, type[Event]]:
    """Give every event that can be recorded, by its wire name."""
    return Event.registry


def stream_of(partnership_id: str, command: Command) -> str:
    """Give the name of the stream that a command writes to."""
    name = command.substream()
    return f"{partnership_id}/{name}" if name else partnership_id


def rests_on(partnership_id: str, command: Command) -> str | None:
    """Give the other stream that a command is decided by too, if there is one.

    What is asked of that stream, once it is so, is on record there for good.
    """
    cited = experiment.cited_by(command)
    return None if cited is None else f"{partnership_id}/experiment/{cited}"


def initial(stream: str) -> State:
    """Give the state of a stream without events."""
    kind = stream.partition("/")[2].partition("/")[0]
    match kind:
        case "deal":
            return Deal()
        case "entry":
            return Entry()
        case "dispute":
            return Dispute()
        case "experiment":
            return Experiment()
        case "metric":
            return Reported()
        case program.STREAM:
            return Program()
        case _:
            return Partnership()


def decide(  # noqa: PLR0913, PLR0917 - a command, its state, and all that it may look at besides
    command: Command,
    state: State,
    act: Act,
    within: Partnership,
    ledger: Callable[[], Ledger],
    beside: State | None = None,
) -> list[Event]:
    """Decide a command on its own state, `within` its partnership. Raises `Refused`.

    `ledger` gives what accrued up to the partnership's last event (see `RESTING_ON_THE_LOG`), and
    `beside` is the state of the other stream that it rests on (see `rests_on`).
    """
    check_time(act)
    match state:
        case Partnership() if partnership.decides(command):
            events = partnership.decide(command, state, act, ledger)
            if events and isinstance(beside, Experiment):
                experiment.check_cited(experiment.cited_by(command) or "", beside)
            return events
        case Deal() if isinstance(command, DealCommand):
            partnership.admit(command, within, act)
            return deal.decide(command, state, act, _agreed(within, act))
        case Entry() if isinstance(command, EntryCommand):
            partnership.admit(command, within, act)
            return entry.decide(command, state, act, _agreed(within, act))
        case Dispute() if isinstance(command, DisputeCommand):
            partnership.admit(command, within, act)
            return dispute.decide(command, state, act)
        case Experiment() if isinstance(command, ExperimentCommand):
            partnership.admit(command, within, act)
            return experiment.decide(command, state, within.context, act)
        case Reported() if isinstance(command, MetricCommand):
            partnership.admit(command, within, act)
            return reported_figure.decide(command, state, act)
        case Program() if isinstance(command, DefinePortfolio):
            return program.decide(command, state, within.stage, act)
        case Partnership() | Deal() | Entry() | Dispute() | Experiment() | Reported() | Program():
            msg = f"{type(command).__name__} was routed to {type(state).__name__}"
            raise TypeError(msg)
        case _:
            assert_never(state)


def _agreed(within: Partnership, act: Act) -> Agreed:
    return within.agreed_on(act.occurred_at.date())


def check_time(act: Act) -> None:
    """Raise `Refused` where something is said to have happened after it was recorded."""
    ahead = (act.occurred_at - act.recorded_at).total_seconds()
    if ahead > CLOCK_SKEW_SECONDS:
        raise Refused(
            "not-yet-happened",
            f"It is said to happen at {act.occurred_at.isoformat()}, "
            f"and it is {act.recorded_at.isoformat()}.",
            "Send facts once they have happened; check the sender's clock.",
        )


def evolve(state: State, event: Event, act: Act) -> State:
    """Take a fact into a state. It believes every fact."""
    match state:
        case Partnership():
            return partnership.evolve(state, event, act)
        case Deal():
            return deal.evolve(state, event, act)
        case Entry():
            return entry.evolve(state, event)
        case Dispute():
            return dispute.evolve(state, event, act)
        case Experiment():
            return experiment.evolve(state, event, act)
        case Reported():
            return reported_figure.evolve(state, event)
        case Program():
            return program.evolve(state, event, act)
        case _:
            assert_never(state)


def fold(history: Iterable[Recorded], state: Partnership | None = None) -> Partnership:
    """Give what a partnership's history comes to; other streams' facts are passed over."""
    state = state or Partnership()
    for each in history:
        if each.stream == each.partnership:
            state = partnership.evolve(state, each.event, each.act)
    return state


def clock_act(due: datetime, recorded_at: datetime) -> Act:
    """Give the act of the clock, which states what no party does."""
    return Act(CLOCK_PARTY, "clock", due, recorded_at)


def rules_act(cause: Act) -> Act:
    """Give the act by which agreed rules speak: of a closed period, then; of late figures, now."""
    by_clock = cause.party == CLOCK_PARTY
    moment = cause.occurred_at if by_clock else cause.recorded_at
    return Act(CLOCK_PARTY, "rules", moment, cause.recorded_at)


carry_out = partnership.carry_out
next_due = deadlines.due
passed = deadlines.passed
