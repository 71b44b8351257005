"""Random lives of one partnership, replayed: no finding if it is honest, and one if it is forged.

A life is that of the examples with steps left out, steps of any kind put in, and messages sent
twice. Much of it is refused or waits. Once both parties have a key, each signs what it sends.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace as replace_in
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest

from benchmarks.audit.signing import VALID, covered, signer
from domain.adoption import PartnershipAdopted
from domain.deadlines.deadline import DeadlineKind
from domain.examples import ADOPTED, EXAMPLES, HELD, LIFE, OURS, THEIRS, Step
from domain.exploration import PartnerChosen
from domain.kernel import CLOCK_PARTY, Event
from domain.keyring import key_id
from domain.recorded import Recorded
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.pseudonyms import COMMAND, PERSON
from infra.evidence import replay
from infra.evidence.bundle import BundleRequest, export
from infra.settings import OPERATOR, Settings
from infra.store.history import Kept
from infra.store.mapper import NewEvent
from infra.store.sqlite import Copied, SqliteStore
from infra.tlog import codec, dsse, keys
from tests.feeds import simulated
from tests.infra.messages import attributes
from tests.stories import moment

PARTIES = (OURS, THEIRS)
SUBJECT = "growthos-brightpath"
SIGNERS = {party: signer(party) for party in PARTIES}

LIVES = (1, 3, 8)
"""Seeds: with a second person, with an adoption, and with much that is refused."""


# --- lives -------------------------------------------------------------------------------------


def life(seed: int) -> list[Step]:
    """Return the steps of a random life, in the order in which they are sent."""
    random = Random(seed)  # noqa: S311 - a life, no secret
    steps = list(LIFE if seed % 3 else (*ADOPTED, *LIFE[LIFE.index(_KICKOFF) + 1 :]))
    steps = [each for number, each in enumerate(steps) if number < 20 or random.random() > 0.02]
    if seed % 2:
        # Later, what either pays needs a second person.
        place = next(n for n, each in enumerate(steps) if each.at >= HELD[0].at)
        steps[place:place] = HELD
    for _ in range(30):
        place = random.randrange(3, len(steps))
        other = random.choice(list(EXAMPLES.values()))
        steps.insert(place, other._replace(at=steps[place - 1].at))
    return steps


_KICKOFF = next(each for each in LIFE if type(each.command).__name__ == "HoldKickoff")


def lived(accord: Accord, seed: int) -> Counter[str]:
    """Send a life, and count how its messages end."""
    random, ends, keyed = Random(seed), Counter[str](), False  # noqa: S311 - as above
    sent: list[bytes] = []
    for number, step in enumerate(life(seed)):
        message = attributes(f"step-{number}", step.command, party=step.party, at=step.at)
        messages = [_signed(accord, message, step) if keyed else orjson.dumps(message)]
        if random.random() < 0.05 and sent:
            messages.append(random.choice(sent))
        sent += messages[:1]
        ends.update(each.status for each in accord.service.handle(messages))
        if not keyed and _both_act(accord):
            keyed = True
            accord.service.handle([_registration(message, party) for party in PARTIES])
    accord.catch_up()
    return ends


def _both_act(accord: Accord) -> bool:
    events = accord.history.of(SUBJECT)
    return any(isinstance(each.event, PartnerChosen | PartnershipAdopted) for each in events)


def _registration(message: dict[str, Any], party: str) -> bytes:
    public = SIGNERS[party].public
    proof = SIGNERS[party].sign(keys.possession(SUBJECT, party, public))
    data = {"key": b64encode(public).decode(), "proof": b64encode(proof).decode()}
    changed = {"id": f"key-{party}", "type": "accord.RegisterKey", "party": party, "data": data}
    return orjson.dumps(message | changed)


def _signed(accord: Accord, message: dict[str, Any], step: Step) -> bytes:
    command = step.command
    ids = {party: [key_id(each.public)] for party, each in sorted(SIGNERS.items())}
    with suppress(IndexError):  # There is nothing to accept, and the command is refused.
        recorded = [*accord.history.of(SUBJECT)]
        command = covered(command, recorded, (step.party, moment(step.at)), ids)
    event = message | {"data": command.model_dump(mode="json", exclude_none=True)}
    return dsse.sign(SIGNERS[step.party], dsse.asked(event, OPERATOR, moment(step.at) + VALID))


@pytest.fixture(scope="module", params=LIVES)
def accord(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Accord]:
    with simulated(tmp_path_factory.mktemp("lived")) as accord:
        ends = lived(accord, request.param)
        assert ends["accepted"] > 60
        assert ends["refused"]
        yield accord


def exported(accord: Accord, folder: Path, party: str | None = None) -> Path:
    path = folder / f"{party}.zip"
    export(accord, accord.signing(), SUBJECT, BundleRequest("sam", "A dispute.", party), path)
    return path


# --- the honest ones ---------------------------------------------------------------------------


@pytest.mark.parametrize("party", [None, *PARTIES])
def test_an_honest_life_is_replayed_without_a_finding(
    accord: Accord, tmp_path: Path, party: str | None
) -> None:
    found = replay.replay(exported(accord, tmp_path, party))

    assert found.record.verdict == "CONSISTENT, NOT PINNED", found.record
    assert not found.differs, [each for each in found.decided if each.outcome == "differs"]


# --- the forged ones ---------------------------------------------------------------------------


class Forged(NamedTuple):
    """A log that its operator changed at one place, with what it did."""

    lie: str
    place: int
    events: list[Recorded]


FORGERIES = 10
"""Forged logs of each life."""


def forged(events: Sequence[Recorded], commands: Container[str], random: Random) -> Forged:
    """Return a log with one change: of what a party signed, or of what the clock or a rule records.

    Unsigned inputs are not among them, nor is a signed one that is left out (a receipt shows that),
    nor when it was recorded (cosignatures show that): docs/auditor.md says so. A replay says itself
    that it does not decide by when figures are due in a bundle that withholds some, and which
    events lost their command with a person: `commands` are those that are left.
    """
    last = max(each.index for each in events if each.signed)
    ours = [
        each
        for each in events[:last]
        if (each.signed or "") in commands
        or (each.act.party == CLOCK_PARTY and not _is_of_figure(each.event))
    ]
    victim = random.choice(ours)
    lies = ["a value", "twice", "another party", "another source"]
    lie = random.choice(lies if victim.signed else [*lies, "left out"])
    place, found = victim.index, list(events)
    match lie:
        case "a value":
            found[place] = replace_in(victim, event=_other_value(victim, random))
        case "twice":
            act = victim.act._replace(recorded_at=events[-1].act.recorded_at)
            found.append(replace_in(victim, act=act))
        case "another party":
            other = next(party for party in PARTIES if party != victim.act.party)
            found[place] = replace_in(victim, act=victim.act._replace(party=other))
        case "another source":
            found[place] = replace_in(victim, source="//elsewhere.example")
        case _:
            del found[place]
    return Forged(lie, place, list(_placed(found)))


def _is_of_figure(event: Event) -> bool:
    return getattr(event, "kind", None) is DeadlineKind.FIGURE


def _placed(events: Sequence[Recorded]) -> Iterator[Recorded]:
    """Yield events with the versions and the identifiers that an operator gives them."""
    versions, causes = Counter[str](), Counter[tuple[str, str, str]]()
    for index, each in enumerate(events):
        versions[each.stream] += 1
        cause = each.act.party, each.source, each.source_id
        named = codec.event_id(*cause, causes[cause])
        causes[cause] += 1
        yield replace_in(each, index=index, version=versions[each.stream], event_id=named)


def _other_value(victim: Recorded, random: Random) -> Event:
    """Return the event with another value that it can have, of one of its fields."""
    fields = list(victim.event.model_dump(mode="json", exclude_none=True).items())
    random.shuffle(fields)
    for name, value in fields:
        for other in _others(value):
            with suppress(ValueError):
                stated = victim.event.model_dump(mode="json", exclude_none=True) | {name: other}
                event = type(victim.event).model_validate(stated)
                if event != victim.event:
                    return event
    return victim.event


def _others(value: object) -> Iterator[object]:
    """Yield values near to one in JSON."""
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case str():
            with suppress(ArithmeticError):
                yield str(Decimal(value) + 1)
            with suppress(ValueError):
                yield str(date.fromisoformat(value) + timedelta(days=1))
            yield f"{value}-x"
            if value[-1:].isdigit():
                yield f"{value[:-1]}{(int(value[-1]) + 1) % 10}"
        case {"amount": amount, **rest}:
            yield {**rest, "amount": str(Decimal(str(amount)) + 1)}
        case dict():
            for name, each in value.items():
                yield from ({**value, name: other} for other in _others(each))
        case list():
            for place, each in enumerate(value):
                yield from ([*value[:place], other, *value[place + 1 :]] for other in _others(each))
            yield value[:-1]
        case _:
            pass


def written(accord: Accord, events: Sequence[Recorded], folder: Path) -> Path:
    """Write a log into a new store with the operator's key; return its bundle for one party."""
    settings = Settings(store=f"sqlite:///{folder}/accord.db")
    init(settings, simulated=True)
    history = SqliteStore.open(settings.path)
    kept = [
        Kept(kind, SUBJECT, key, body)
        for kind in (COMMAND, PERSON)
        for key, body in accord.history.kept(kind, SUBJECT).items()
    ]
    history.copy(Copied([NewEvent(each) for each in events], kept, [], []))
    history.close()
    with bootstrap(settings) as lying:
        return exported(lying, folder, OURS)


def test_the_same_life_written_by_another_is_replayed_without_a_finding(
    accord: Accord, tmp_path: Path
) -> None:
    """The control of what follows."""
    events = list(_placed(list(accord.history.of(SUBJECT))))

    found = replay.replay(written(accord, events, tmp_path))

    assert (found.record.code, found.differs) == (None, False)


@pytest.mark.parametrize("number", range(FORGERIES))
def test_a_forged_change_of_what_was_signed_or_follows_is_found(
    accord: Accord, tmp_path: Path, number: int
) -> None:
    commands = accord.history.kept(COMMAND, SUBJECT)
    events = list(accord.history.of(SUBJECT))
    change = forged(events, commands, Random(number))  # noqa: S311 - as above

    found = replay.replay(written(accord, change.events, tmp_path))

    assert found.differs, (change.lie, change.place, change.events[change.place])
