"""What the store has of one person, under one name: for a person who asks what is kept of them.

Names are looked for as `accord erase` looks for them, so an export shows what an erasure removes.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import orjson

from domain.values import counted
from infra.access.credentials import in_name
from infra.answers.logs import NotFound
from infra.answers.question import Item, Result
from infra.answers.text import Block, Line, Remark
from infra.bootstrap import Accord
from infra.deciding import pseudonyms
from infra.deciding.pseudonyms import COMMAND
from infra.store.history import partnerships
from projections.alert_acts import AlertAct


class NamedIn(Item):
    """What one partnership has of the person."""

    id: str
    """The partnership."""
    party: str
    """The party that sent the name; `accord` for the operator."""
    commitment: str
    """The commitment that stands for the name in its events."""
    events: tuple[dict[str, Any], ...]
    """The events that the person caused or that name the person, as they are stored. Other people
    are in them as commitments."""
    commands: tuple[str, ...]
    """The signed commands that contain the name, as they were signed."""


class SentInput(Item):
    """An input that contains the name and is not recorded: it was refused, or it waits."""

    source: str
    """The service that sent it."""
    id: str
    """Its id there."""
    message: str
    """The input as it came."""


class NamedKey(Item):
    """An API key or an invitation that was made in the person's name."""

    id: str
    """Its public identifier."""
    party: str | None
    """The party for which it acts; null if it acts for none."""
    made_at: datetime
    """When it was made."""
    used_at: datetime | None
    """When it was last used, to the minute; null if it never was."""


class PersonalData(Result):
    """What the store has of a person under one name."""

    name: str
    """The name that was asked for."""
    partnerships: tuple[NamedIn, ...]
    """Where the person is named, by partnership."""
    refused: tuple[SentInput, ...]
    """The refused inputs that contain the name."""
    waiting: tuple[SentInput, ...]
    """The waiting inputs that contain the name."""
    alert_acts: tuple[AlertAct, ...]
    """What the person did about alerts, and which alerts are assigned to the person."""
    keys: tuple[NamedKey, ...]
    """The API keys and the invitations in the person's name."""


def of_person(accord: Accord, name: str) -> PersonalData:
    """Return what the store has of a person under a name. Raises `NotFound` if that is nothing."""
    history, spellings = accord.history, _spellings(accord, name)
    says = pseudonyms.spoken(*spellings)
    found = PersonalData(
        simulated=accord.simulated,
        name=name,
        partnerships=tuple(_named(accord, spellings, says)),
        refused=tuple(
            SentInput(source=each.source, id=each.source_id, message=_text(each.raw))
            for each in pseudonyms.refusals(history)
            if says(each.raw)
        ),
        waiting=tuple(
            SentInput(source=each.source, id=each.source_id, message=_text(each.raw))
            for partnership in partnerships(history)
            for each in history.waiting([partnership])
            if says(each.raw)
        ),
        alert_acts=tuple(
            sorted(
                {act for each in spellings for act in history.alert_acts.naming(each)},
                key=lambda act: (act.at, act.alert),
            )
        ),
        keys=tuple(
            NamedKey(id=each.id, party=each.grant.party, made_at=each.made_at, used_at=each.used_at)
            for each in in_name(history.credentials, name)
        ),
    )
    kept = found.partnerships, found.refused, found.waiting, found.alert_acts, found.keys
    if not any(kept):
        raise NotFound(
            f"The store has nobody of the name {name}.",
            "Write the whole name as it was sent. An erased name is not found any more.",
        )
    return found


def _spellings(accord: Accord, name: str) -> frozenset[str]:
    """Return the name, and each stored one that is read as it is."""
    known = (
        each
        for partnership in partnerships(accord.history)
        for each in pseudonyms.names(accord.history, partnership).values()
    )
    acted = accord.history.alert_acts.people()
    return frozenset({name, *pseudonyms.alike(chain(known, acted), name)})


def _named(
    accord: Accord, spellings: Collection[str], says: Callable[[bytes], bool]
) -> Iterator[NamedIn]:
    history = accord.history
    for partnership in partnerships(history):
        people = pseudonyms.people(history, partnership)
        for commitment in sorted(
            (key for key, each in people.items() if each.name in spellings),
            key=lambda key: (people[key], key),
        ):
            sought = commitment.encode()
            bodies = [body for body in history.bodies(partnership) if sought in body]
            commands = history.kept(COMMAND, partnership)
            named = {each.signed for each in pseudonyms.naming_events(bodies, commitment)}
            yield NamedIn(
                id=partnership,
                party=people[commitment].party,
                commitment=commitment,
                events=tuple(map(orjson.loads, bodies)),
                commands=tuple(
                    _text(body) for key, body in commands.items() if key in named and says(body)
                ),
            )


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def text(found: PersonalData) -> Iterator[Block]:
    """Yield the counts; the data itself is in the JSON document."""
    for each in found.partnerships:
        signed = f" and {len(each.commands)} signed commands" if each.commands else ""
        yield Line(f"{each.id}: {counted(len(each.events), 'event')} of {each.party}{signed}")
    for inputs, how in ((found.refused, "refused"), (found.waiting, "waiting")):
        if inputs:
            yield Line(f"{len(inputs)} {how} inputs")
    if found.alert_acts:
        yield Line(f"{len(found.alert_acts)} acts about alerts")
    if found.keys:
        yield Line(f"{len(found.keys)} API keys and invitations")
    yield Remark("The data itself is in the output of --json.")
