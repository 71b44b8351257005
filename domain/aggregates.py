"""The domain's one entrance: which aggregate a command is for, what it decides, what facts come to.

The partnership's own stream stays short and its gates strongly consistent; measured facts, which
are many, live in small aggregates of their own. Each stream's name begins with its partnership.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from domain import deadlines, deal, metric, partnership, program
from domain.deal import Deal, DealCommand
from domain.kernel import CLOCK_PARTY, Act, Command, Event, Refused
from domain.metric import MetricCommand, Reported
from domain.partnership import Partnership
from domain.program import DefinePortfolio, Program
from domain.recorded import Recorded

State = Partnership | Deal | Reported | Program

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


def stream_of(partnership_id: str, command: Command) -> str:
    """Give the name of the stream that a command writes to."""
    if isinstance(command, DealCommand):
        return f"{partnership_id}/deal/{command.deal}"
    if isinstance(command, MetricCommand):
        where = f"{command.metric}/{command.segment or '-'}/{command.period}/{command.tool}"
        return f"{partnership_id}/metric/{where}"
    if isinstance(command, DefinePortfolio):
        return f"{partnership_id}/{program.STREAM}"
    return partnership_id


def initial(stream: str) -> State:
    """Give the state of a stream without events."""
    kind = stream.partition("/")[2].partition("/")[0]
    match kind:
        case "deal":
            return Deal()
        case "metric":
            return Reported()
        case program.STREAM:
            return Program()
        case _:
            return Partnership()


def decide(command: Command, state: State, act: Act, within: Partnership) -> list[Event]:
    """Decide a command on its own state, `within` its partnership. Raises `Refused`."""
    check_time(act)
    match state:
        case Partnership() if partnership.decides(command):
            return partnership.decide(command, state, act)
        case Deal() if isinstance(command, DealCommand):
            partnership.admit(command, within, act)
            return deal.decide(command, state, act, within.ends_at())
        case Reported() if isinstance(command, MetricCommand):
            partnership.admit(command, within, act)
            return metric.decide(command, state, act)
        case Program() if isinstance(command, DefinePortfolio):
            return program.decide(command, state, within.stage, act)
        case Partnership() | Deal() | Reported() | Program():
            msg = f"{type(command).__name__} was routed to {type(state).__name__}"
            raise TypeError(msg)
        case _:
            assert_never(state)


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
        case Reported():
            return metric.evolve(state, event)
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


next_due = deadlines.due
passed = deadlines.passed
