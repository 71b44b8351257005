"""`accord schema`: every type, its fields, and an example that is accepted."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from domain.aggregates import command_types
from domain.content import digest
from domain.examples import ELSEWHERE, EXAMPLES, FIRST_KEY, HELD, LIFE, LOST, PROOF, Step
from domain.formation import AgreeNegotiationEnd, ProposeNegotiationEnd
from domain.kernel import Command, Stage
from domain.keyring import (
    AgreeKeyRecovery,
    KeyRecoveryProposed,
    ProposeKeyRecovery,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
)
from domain.second_person import ConfirmAct, WithdrawAct
from infra.answers import schema
from infra.answers.example_events import event, events, example
from infra.answers.field_table import EventField, fields
from infra.answers.schema import AT_ANY_TIME, TO_BEGIN
from infra.deciding import intake
from infra.deciding.batch import Outcome
from infra.settings import OPERATOR
from infra.tlog import dsse
from infra.tlog.keys import Signer
from tests.feeds import simulated
from tests.infra.answers.helpers import printed

COMMANDS = sorted(command_types().values(), key=lambda each: each.__name__)


def refused(outcomes: list[Outcome]) -> list[tuple[str, str | None]]:
    return [(each.id, each.rule) for each in outcomes if each.status != "accepted"]


# --- examples ----------------------------------------------------------------------------------


def test_the_examples_of_the_life_are_accepted_in_its_order(tmp_path: Path) -> None:
    sent = events(LIFE)

    with simulated(tmp_path) as accord:
        outcomes = accord.service.handle([orjson.dumps(each) for each in sent])

    assert refused(outcomes) == []
    of_life = {type(step.command) for step in LIFE}
    assert [each for each in map(example, of_life) if each not in sent] == []


SIGNED = {RotateKey: 1, RevokeKey: 1, RequireSignatures: 1, AgreeKeyRecovery: 3}
"""The commands that a party can send only once it has a key, and so signs, with its seed."""

NEEDED = {
    RotateKey: LOST[:1],
    RevokeKey: LOST[:1],
    RequireSignatures: LOST[:1],
    ProposeKeyRecovery: LOST[:-1],
    AgreeKeyRecovery: LOST,
    AgreeNegotiationEnd: [EXAMPLES[ProposeNegotiationEnd]],
    ConfirmAct: HELD,
    WithdrawAct: HELD,
}
"""What an example needs that is in no life."""


@pytest.mark.parametrize("step", ELSEWHERE, ids=lambda each: type(each.command).__name__)
def test_every_other_example_is_accepted_after_what_it_needs(tmp_path: Path, step: Step) -> None:
    before = [each for each in LIFE if each.at < step.at]
    kind = type(step.command)
    before += NEEDED.get(kind, ())
    sent = example(kind)
    if kind is ConfirmAct:
        sent["actor"] = "growthos-director"
    if kind is AgreeKeyRecovery:
        sent["data"]["content"] = digest(KeyRecoveryProposed.of(LOST[-1].command))

    with simulated(tmp_path) as accord:
        assert refused(accord.service.handle([orjson.dumps(each) for each in events(before)])) == []
        raw = signed(sent, SIGNED[kind]) if kind in SIGNED else orjson.dumps(sent)
        (outcome,) = accord.service.handle([raw])

    assert (outcome.status, outcome.detail) == ("accepted", None)


def signed(sent: dict[str, object], seed: int) -> bytes:
    """Sign an event with a key of the examples."""
    signer = Signer(bytes([seed]) * 32)
    asked = dsse.asked(sent, OPERATOR, datetime(2030, 1, 1, tzinfo=UTC))
    return dsse.sign(signer, asked)


def test_the_key_of_the_examples_proves_itself() -> None:
    assert EXAMPLES[RegisterKey].command == RegisterKey(key=FIRST_KEY, proof=PROOF)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
def test_each_example_is_read_as_its_type_and_shown_as_it_is_sent(command: type[Command]) -> None:
    (one,) = schema.ask(command.__name__).items

    assert one.example == example(command)
    assert one.json_schema is not None
    assert one.json_schema["examples"] == [one.example]
    read = intake.read(orjson.dumps(one.example))
    assert isinstance(read, intake.Input)
    assert isinstance(read.envelope.data, command)
    shown = printed(schema.text(schema.ask(command.__name__)))
    assert orjson.dumps(one.example).decode() in shown
    assert "(C" not in shown


def test_two_steps_of_one_kind_have_different_ids() -> None:
    ids = [each["id"] for each in events(LIFE)]

    assert len(ids) == len(set(ids))
    assert event(LIFE[0], "x")["time"] == "2025-09-01T09:00:00Z"


# --- the list ----------------------------------------------------------------------------------


def test_every_type_is_listed_once_by_the_stage_in_which_it_begins() -> None:
    items = schema.ask().items

    assert sorted(each.type for each in items) == sorted(f"accord.{x.__name__}" for x in COMMANDS)
    groups = list(dict.fromkeys(each.group for each in items))
    begun = [stage.value for stage in Stage if stage.value in groups]
    assert groups == [TO_BEGIN, *begun, AT_ANY_TIME]
    assert {x.type: x.group for x in items}["accord.HoldKickoff"] == "formation"
    assert {x.type: x.group for x in items}["accord.RegisterKey"] == AT_ANY_TIME


def test_the_list_ends_with_the_attributes_of_every_event() -> None:
    rows = {each.field: each for each in schema.ask().attributes}

    assert "data" not in rows
    assert [name for name, each in rows.items() if each.required] == [
        *("specversion", "id", "source", "type", "subject", "time", "party", "actor")
    ]
    assert all(each.meaning for each in rows.values())


# --- fields ------------------------------------------------------------------------------------


def of(name: str) -> dict[str, EventField]:
    (one,) = schema.ask(name).items
    return {each.field: each for each in one.fields or ()}


def test_a_field_has_its_type_format_and_meaning() -> None:
    rows = of("RecordPayout")

    assert rows["amount"].type == "object"
    assert rows["amount.amount"].format == 'decimal in quotes, above zero, "10.50"'
    assert rows["amount.currency"].format == "ISO 4217"
    assert rows["payout"].required
    assert rows["payout"].meaning == "The identifier of the payout."


def test_the_fields_of_each_kind_of_a_union_are_told_apart() -> None:
    rows = of("ProposeTerms")

    assert rows["items[](penalty).kind"].required
    assert rows["items[](revenue-share).tiers[].share"].type == "string"
    assert rows["items[](revenue-share).window"].default == "year"
    assert not rows["until"].required


def given(value: object, path: str, maps: set[str]) -> Iterator[str]:
    """Yield the path of each field of an example, without what a map contains."""
    match value:
        case dict() if path not in maps:
            for name, each in value.items():
                yield (inner := f"{path}.{name}" if path else name)
                yield from given(each, inner, maps)
        case list():
            for each in value:
                yield from given(each, f"{path}[]", maps)
        case _:
            pass


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
def test_each_field_of_the_example_is_in_the_table(command: type[Command]) -> None:
    known = {
        re.sub(r"\(.*?\)", "", each.field): each.type
        for each in fields(command.model_json_schema())
    }
    maps = {name for name, kind in known.items() if kind.startswith("map")}

    assert set(given(example(command)["data"], "", maps)) <= known.keys()


def test_every_row_says_what_the_field_means() -> None:
    bare = [
        f"{command.__name__}.{each.field}"
        for command in COMMANDS
        for each in fields(command.model_json_schema())
        if not each.meaning
    ]

    assert bare == []
