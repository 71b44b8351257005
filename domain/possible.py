"""What a party can do now, found by deciding an example of each command on the state as it is.

No table says what is possible: the rules that decide commands say it. Each example gets new
identifiers and, where the refusal says that something is missing, the names of what is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache

from pydantic import ValidationError

from domain import aggregates
from domain.adoption import AdoptionPart, AgreeAdoptionPart
from domain.aggregates import State
from domain.bilateral import BilateralAgreements, DeclineProposal, ProposalAnswer
from domain.content import digest
from domain.declarations import DeclarationCommand
from domain.dispute import Dispute
from domain.examples import EXAMPLES
from domain.experiment import Experiment, StartPilot
from domain.gates import GateClosed, Requirement
from domain.kernel import Act, AlreadyRecorded, Command, Event, NotNow, Refused, Unknown
from domain.partnership import Partnership, admit
from domain.second_person import ActCommand, HeldAct, open_acts
from domain.settlement import Ledger

FEW = ("dispute", "experiment")
"""The kinds of streams of which a partnership has few, so that all of them are looked at."""

LATEST = 50
"""How many of the names that are there are tried; the latest come last."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A partnership at a moment: its own state, and those of its disputes and experiments."""

    id: str
    partnership: Partnership
    now: datetime
    streams: Mapping[str, State] = field(default_factory=dict)
    """The states of disputes and experiments, by the name of the stream."""

    @property
    def today(self) -> date:
        """The day, in the parties' time zone."""
        return self.partnership.context.terms.day(self.now)

    def names(self, kind: str) -> list[str]:
        """Return the names of the disputes or experiments."""
        prefix = f"{self.id}/{kind}/"
        return [each.removeprefix(prefix) for each in self.streams if each.startswith(prefix)]

    def decide(self, party: str, command: Command) -> list[Event]:
        """Decide a command as if the party sent it now. Raises `Refused`.

        What accrued and what was measured is not looked at.
        """
        act = Act(party, party, self.now, self.now)
        cited = aggregates.rests_on(self.id, command)
        return aggregates.decide(
            command,
            self._state(aggregates.stream_of(self.id, command)),
            act,
            self.partnership,
            Ledger,
            self._state(cited) if cited else None,
        )

    def _state(self, stream: str) -> State:
        if stream == self.id:
            return self.partnership
        return self.streams.get(stream) or aggregates.initial(stream)


@dataclass(frozen=True, slots=True)
class Closed:
    """A gate that is closed: the command that passes it, and all that it requires."""

    gate: str
    command: Command
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Answerable:
    """A proposal of the other party that waits for an answer, and the commands that answer it."""

    proposal: str
    party: str
    """The party that proposed."""
    commands: tuple[type[Command], ...]
    content: str
    """The digest of what is proposed, which a signed acceptance repeats."""
    substream: str = ""
    """The dispute or the experiment that it belongs to, if any."""


@dataclass(frozen=True, slots=True)
class Possible:
    """What a party can do now."""

    answers: tuple[Answerable, ...]
    commands: tuple[type[Command], ...]
    """Every command that can be accepted now, in the order of a partnership's life."""
    closed: tuple[Closed, ...]


def possible(party: str, situation: Situation) -> Possible:
    """Return what a party can do now.

    A command is possible unless the stage, the turn, a gate or a missing thing that it names
    refuses it whatever else it says. Deals, entries and figures are many, so commands on them are
    judged by the stage alone.
    """
    attempts = _Attempts(party, situation)
    commands = tuple(each for each in EXAMPLES if attempts.kind(each))
    answers = tuple(
        replace(each, commands=can)
        for each in _answerable(party, situation)
        if (can := tuple(answer for answer in each.commands if answer in commands))
    )
    return Possible(answers, commands, tuple(attempts.closed))


class _Attempts:
    """Decides commands of a party, and notes the closed gates that refuse them."""

    def __init__(self, party: str, situation: Situation) -> None:
        self._party, self._situation = party, situation
        self.closed: list[Closed] = []

    def kind(self, kind: type[Command]) -> bool:
        """Whether any command of a kind would record something, as far as the rules can say."""
        command, _ = _new(kind)
        try:
            admit(command, self._situation.partnership, self._act())
        except NotNow:
            return False
        stream = command.substream().partition("/")[0]
        names = self._situation.names(stream) if stream in FEW else []
        tried = [self._records(command)]
        tried += [self._records(_with(command, {stream: name})) for name in names[-LATEST:]]
        if isinstance(command, ProposalAnswer | ActCommand):
            kinds = FEW if isinstance(command, ProposalAnswer) else ("dispute",)
            places = [f"{kind}/{name}" for kind in kinds for name in self._situation.names(kind)]
            within = [_with(command, {"within": each}) for each in places[-LATEST:]]
            tried += [self._records(each) for each in within]
        if isinstance(command, AgreeAdoptionPart):
            tried += [self._records(_with(command, {"part": each})) for each in AdoptionPart]
        return any(tried)

    def _act(self) -> Act:
        return Act(self._party, self._party, self._situation.now, self._situation.now)

    def _records(self, command: Command, *, names_what_is_there: bool = False) -> bool:
        try:
            _, is_new = _new(type(command))
            # The same for another period may record something.
            return bool(self._situation.decide(self._party, command)) or not is_new
        except Unknown as missing:
            filled = [_naming(command, missing.named, name) for name in missing.known[-LATEST:]]
            tried = [self._records(each, names_what_is_there=True) for each in filled if each]
            return any(tried)
        except GateClosed as closed:
            fitting = _with(command, closed.fitting)
            if fitting != command:
                return self._records(fitting, names_what_is_there=names_what_is_there)
            self.closed.append(Closed(closed.gate, command, closed.requirements))
            return False
        except NotNow:
            return False
        except AlreadyRecorded:
            return not names_what_is_there and not _is_recorded_once(command)
        except Refused:
            # Another content could be accepted.
            return True


def _is_recorded_once(command: Command) -> bool:
    return isinstance(command, DeclarationCommand) and not command.declaration.identity


def _with(command: Command, fields: Mapping[str, object]) -> Command:
    return command.model_copy(update=dict(fields)) if fields else command


def _naming(command: Command, named: object, name: object) -> Command | None:
    """Return the command with `name` in place of what it named; None if it did not name it."""
    fields = [field for field, value in command if value == named]
    return _with(command, dict.fromkeys(fields, name)) if fields and name != named else None


@cache
def _new(kind: type[Command]) -> tuple[Command, bool]:
    """Return the example of a kind with texts that nobody used before, and whether all are new."""
    command, is_new = EXAMPLES[kind].command, True
    for name, value in command:
        if type(value) is str:
            try:
                command = type(command)(**{**dict(command), name: f"next-{name.replace('_', '-')}"})
            except ValidationError:
                is_new = False  # A period, a currency, a name from a list: it stays as it is.
    return command, is_new


# --- proposals ---------------------------------------------------------------------------------


def _answerable(party: str, situation: Situation) -> Iterator[Answerable]:
    """Return the open proposals of the other party, whatever the stage."""
    own, today = situation.partnership, situation.today
    waiting = [*open_acts(own.held, today)]
    yield from _proposed(party, own.context.agreements, "", waiting)
    for stream, state in situation.streams.items():
        substream = stream.removeprefix(f"{situation.id}/")
        match state:
            case Dispute():
                waiting = [*open_acts(state.held, today)]
                yield from _proposed(party, state.agreements, substream, waiting)
            case Experiment() if state.started_at is None:
                shown = state.after_search(own.parties)
                for name, each in shown.hypotheses.items():
                    if each.open_to(party):
                        answers = (StartPilot, DeclineProposal)
                        content = digest(each.proposed)
                        yield Answerable(name, each.party, answers, content, substream)
            case _:
                pass


def _proposed(
    party: str, agreements: BilateralAgreements, substream: str, waiting: Sequence[HeldAct]
) -> Iterator[Answerable]:
    """Yield proposals but for those that the party answered, if a second person is to confirm."""
    for kind, name, each in agreements.every_proposal():
        if each.open_to(party) and not any(
            act.party == party
            and act.asked.command == kind.accepts.__name__
            and act.asked.data.get(kind.called) == name
            for act in waiting
        ):
            yield Answerable(name, each.party, kind.answers(), digest(each.proposed), substream)
