"""The entrance to the domain: which aggregate decides a command, and how states are folded.

The partnership's own stream is short, and its gates are strongly consistent. The many measured
facts (deals, figures, entries) have small aggregates of their own. The name of each stream begins
with its partnership.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import assert_never

from domain import (
    adoption,
    deal,
    dispute,
    entry,
    experiment,
    merge,
    program,
    reported_figure,
    second_person,
)
from domain import (
    partnership as partnerships,
)
from domain.amounts import exceeds
from domain.arithmetic import exact
from domain.bilateral import ProposalAnswer
from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.claims import ClaimCommand, ClaimConfirmed, ClaimObjected
from domain.deadlines import fold as time
from domain.deal_record import Deal, DealCommand
from domain.dispute import Dispute, DisputeCommand
from domain.entry import Entry, EntryCommand
from domain.experiment import Experiment, ExperimentCommand
from domain.kernel import CLOCK_PARTY, CLOCK_SKEW, FARTHEST, Act, Command, Event, Refused
from domain.own_metric import own_metrics
from domain.partnership import Partnership
from domain.people import PersonErased
from domain.program import DefinePortfolio, Program
from domain.recorded import Recorded
from domain.reported_figure import MetricCommand, Reported
from domain.second_person import ActConfirmed, ConfirmAct, WithdrawAct
from domain.settlement import Ledger
from domain.signing import BINDING
from domain.values import instant
from domain.viewing import BundleExported

State = Partnership | Deal | Entry | Dispute | Experiment | Reported | Program

_WITH_ACTS = Partnership | Dispute | Entry
"""The states in which an act can await a second person."""

RESTING_ON_THE_LOG: frozenset[type[Event]] = BINDING | {
    BundleExported,
    PersonErased,
    RuleBreached,
    RuleBreachWithdrawn,
}
"""Events that depend on the whole log so far. They are appended only at the index they were decided
for. Binding events are among them, because they depend on the keys registered before, and the
erasure of a person is, because it lists the signed commands before it. An export has the digest of
what it shows of all events before it."""


def command_types() -> dict[str, type[Command]]:
    """Return every command that can be sent, by name."""
    return {cls.__name__: cls for cls in _leaves(Command)}


def _leaves(cls: type[Command]) -> Iterable[type[Command]]:
    below = cls.__subclasses__()
    if not below:
        yield cls
    for each in below:
        yield from _leaves(each)


def event_types() -> Mapping[str, type[Event]]:
    """Return every event that can be recorded, by its wire name."""
    return Event.registry


def stream_of(partnership_id: str, command: Command) -> str:
    """Return the name of the stream that decides a command."""
    name = command.substream()
    return f"{partnership_id}/{name}" if name else partnership_id


def rests_on(partnership_id: str, command: Command) -> str | None:
    """Return the other stream that a command depends on, None if there is none.

    What a command needs of that stream is never undone there.
    """
    cited, into = experiment.cited_by(command), merge.merged_into(command)
    if into is not None:
        return f"{partnership_id}/deal/{into}"
    return None if cited is None else f"{partnership_id}/experiment/{cited}"


def initial(stream: str) -> State:
    """Return the state of an empty stream."""
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


@exact
def decide(  # noqa: PLR0913, PLR0917 - a command, its state, and all that it can depend on
    command: Command,
    state: State,
    act: Act,
    partnership: Partnership,
    ledger: Callable[[], Ledger],
    cited: State | None = None,
) -> list[Event]:
    """Decide a command on the state of its aggregate and of its partnership. Raises `Refused`.

    `ledger` gives what accrued up to the partnership's last event (see `RESTING_ON_THE_LOG`), and
    `cited` is the state of the other stream that it depends on (see `rests_on`).
    """
    check_time(act)
    if isinstance(command, ConfirmAct | WithdrawAct):
        return _on_act(command, state, act, partnership, ledger)
    decided = _decided(command, state, act, partnership, ledger, cited)
    if isinstance(state, _WITH_ACTS) and exceeds(decided, state, partnership, act):
        return second_person.ask(command, state.held, act, partnership.context.terms)
    return decided


def _on_act(
    command: ConfirmAct | WithdrawAct,
    state: State,
    act: Act,
    partnership: Partnership,
    ledger: Callable[[], Ledger],
) -> list[Event]:
    """Decide that an act is confirmed, with what it does, or that it is taken back."""
    partnerships.admit(command, partnership, act)
    if not isinstance(state, _WITH_ACTS):
        msg = f"{type(command).__name__} was routed to {type(state).__name__}"
        raise TypeError(msg)
    if isinstance(command, WithdrawAct):
        return second_person.withdraw(command, state.held, act)
    today = partnership.context.terms.day(act.recorded_at)
    erased = {each.person for each in partnership.context.declarations.of(PersonErased)}
    asked = second_person.confirm(command, state.held, act, today, erased)
    if asked is None:
        return []
    done = command_types()[asked.command].model_validate(asked.data)
    confirmed = ActConfirmed(within=asked.within, act=asked.act)
    return [confirmed, *_decided(done, state, act, partnership, ledger)]


def _decided(  # noqa: PLR0913, PLR0917 - as `decide`
    command: Command,
    state: State,
    act: Act,
    partnership: Partnership,
    ledger: Callable[[], Ledger],
    cited: State | None = None,
) -> list[Event]:
    """Return what a command does if nobody has to confirm it."""
    match state:
        case Partnership() if partnerships.decides(command):
            events = partnerships.decide(command, state, act, ledger)
            if events and isinstance(cited, Experiment):
                shown = cited.after_search(partnership.parties)
                experiment.check_cited(experiment.cited_by(command) or "", shown)
            return events
        case Deal() if isinstance(command, DealCommand | ClaimCommand | ProposalAnswer):
            partnerships.admit(command, partnership, act)
            into = cited if isinstance(cited, Deal) else None
            return deal.decide(command, state, act, partnership.agreed, ledger, into)
        case Entry() if isinstance(command, EntryCommand | ClaimCommand):
            partnerships.admit(command, partnership, act)
            return entry.decide(command, state, act, partnership.agreed)
        case Dispute() if isinstance(command, DisputeCommand | ProposalAnswer):
            partnerships.admit(command, partnership, act)
            return dispute.decide(command, state, partnership.context, ledger, act)
        case Experiment() if isinstance(command, ExperimentCommand | ProposalAnswer):
            partnerships.admit(command, partnership, act)
            return experiment.decide(command, state, partnership.context, act)
        case Reported() if isinstance(command, MetricCommand | ClaimCommand):
            partnerships.admit(command, partnership, act)
            context = partnership.context
            own = own_metrics(context.agreements)
            seen = reported_figure.seen(state, partnerships.shows(command, partnership, act.party))
            return reported_figure.decide(command, seen, act, context.terms, own)
        case Program() if isinstance(command, DefinePortfolio):
            return program.decide(command, state, partnership.stage, act)
        case Partnership() | Deal() | Entry() | Dispute() | Experiment() | Reported() | Program():
            msg = f"{type(command).__name__} was routed to {type(state).__name__}"
            raise TypeError(msg)
        case _:
            assert_never(state)


def check_time(act: Act) -> None:
    """Raise `Refused` if an event claims to happen later than it is recorded, or long before."""
    if act.occurred_at > act.recorded_at + CLOCK_SKEW:
        raise Refused(
            "not-yet-happened",
            "An event cannot happen in the future. It claims "
            f"{instant(act.occurred_at)}; the time is {instant(act.recorded_at)}.",
            "Send the event after it has happened, or correct the sender's clock.",
        )
    if act.recorded_at - act.occurred_at > FARTHEST:
        raise Refused(
            "too-long-ago",
            "An event is recorded within ten years after it happened. It claims "
            f"{instant(act.occurred_at)}; the time is {instant(act.recorded_at)}.",
            "Correct the time. If the partnership already ran, adopt it with its past "
            "(ProposeAdoption).",
        )


@exact
def evolve(state: State, event: Event, act: Act) -> State:
    """Fold an event into a state. It never refuses an event."""
    match state:
        case Partnership():
            return partnerships.evolve(state, event, act)
        case Deal():
            return deal.evolve(state, event, act)
        case Entry():
            return entry.evolve(state, event, act)
        case Dispute():
            return dispute.evolve(state, event, act)
        case Experiment():
            return experiment.evolve(state, event, act)
        case Reported():
            return reported_figure.evolve(state, event, act)
        case Program():
            return program.evolve(state, event, act)
        case _:
            assert_never(state)


def has_answered(state: State, event: ClaimConfirmed | ClaimObjected, party: str) -> bool:
    """Return whether a party confirmed the fact of this name before, or objected to it."""
    earlier: Iterable[tuple[str, str]] = ()
    match state:
        case Deal() | Entry() | Reported():
            earlier = ((each.party, each.event.fact) for each in state.answers)
        case Partnership() if payout := state.settlement.payouts.made.get(event.payout or ""):
            earlier = ((said.party, each.fact) for each, said in payout.answers)
        case _:
            pass
    return (party, event.fact) in earlier


def fold(history: Iterable[Recorded], state: Partnership | None = None) -> Partnership:
    """Fold a partnership's history; events of its other streams are skipped."""
    state = state or Partnership()
    for each in history:
        if each.stream == each.partnership:
            state = partnerships.evolve(state, each.event, each.act)
    return state


def clock_act(due: datetime, recorded_at: datetime) -> Act:
    """Return the act of a deadline that passed."""
    return Act(CLOCK_PARTY, "clock", due, recorded_at)


def rules_act(cause: Act) -> Act:
    """Return the act of an agreed rule: when a period closed, or a late figure was recorded."""
    by_clock = cause.party == CLOCK_PARTY
    moment = cause.occurred_at if by_clock else cause.recorded_at
    return Act(CLOCK_PARTY, "rules", moment, cause.recorded_at)


carry_out = partnerships.carry_out
follows = adoption.follows
next_due = time.due
after_passing = time.after_passing
passed = partnerships.passed
