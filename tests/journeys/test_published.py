"""What is published keeps to its schemas, and the schemas are whole."""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from consumers.courier import view
from consumers.publisher import _alert, _figure, _item
from domain.examples import LIFE
from domain.kernel import Event
from infra.answers.example_events import events, example
from infra.bootstrap import Accord
from infra.exchange import published
from infra.kafka import messages
from infra.kafka.messages import Message
from infra.kafka.topics import KEPT
from infra.store.mapper import PlacedEvent
from infra.store.views import typed_row
from infra.tlog.codec import canonical
from projections import KPIS, figures
from projections.visibility import OPERATOR, Sight, Viewer
from tests.feeds import played
from tests.journeys import typed
from tests.journeys.schemas import SCHEMAS, keeps_to


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("published")) as accord:
        accord.service.handle([orjson.dumps(each) for each in events(LIFE)])
        accord.catch_up()
        yield accord


@pytest.mark.parametrize("path", SCHEMAS)
def test_each_schema_is_a_json_schema(path: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[path])


def test_every_topic_and_type_is_described() -> None:
    document = published.asyncapi()

    assert set(document["channels"]) == {*KEPT, published.PARTY, published.STREAM}
    for topic in KEPT:
        assert document["channels"][topic]["messages"], topic
        assert document["channels"][topic]["address"] == f"accord.{topic}"
    recorded = {path for path in SCHEMAS if path.startswith("events/")}
    assert recorded == {f"events/{wire}.json" for wire in (*Event.registry, messages.WITHHELD)}


def undescribed(
    part: Any,  # noqa: ANN401 - any part of a schema
    whole: dict[str, Any],
    place: str = "",
) -> Iterator[str]:
    """Yield the places of properties that neither they nor what they refer to describe."""
    if isinstance(part, list):
        for each in part:
            yield from undescribed(each, whole, place)
    if not isinstance(part, dict):
        return
    if "title" in part or "type" in part:
        for name, each in part.get("properties", {}).items():
            ref = each.get("$ref", "#").removeprefix("#").split("/")[1:]
            meant = reduce(lambda found, step: found[step], ref, whole) if ref else each
            if not (each.get("description") or meant.get("description")):
                yield f"{place}/{part.get('title', '')}/{name}"
    for key, each in part.items():
        yield from undescribed(each, whole, f"{place}/{key}")


def test_every_property_is_described() -> None:
    document = published.asyncapi()

    assert list(undescribed(document, document)) == []
    assert {path: list(undescribed(each, each)) for path, each in SCHEMAS.items()} == {
        path: [] for path in SCHEMAS
    }
    assert list(undescribed({"type": "object", "properties": {"a": {"type": "string"}}}, {}))


def test_each_example_keeps_to_the_schema_of_what_is_sent() -> None:
    for step in {type(each.command): each for each in LIFE}.values():
        name = type(step.command).__name__
        validator = Draft202012Validator(SCHEMAS[f"commands/{name}.json"])
        validator.validate(example(type(step.command)))


def test_each_recorded_event_keeps_to_its_schema(store: Accord) -> None:
    seen = set()
    for stored in store.history.after(0, 100_000):
        body = next(iter(store.history.bodies(stored.partnership, stored.index, stored.index + 1)))
        envelope = orjson.loads(body)
        message = Message(
            "events",
            stored.partnership,
            body,
            [
                (
                    "ce_dataschema",
                    f"urn:accord:schema:{envelope['type']}:{envelope['schema_version']}".encode(),
                )
            ],
        )
        seen.add(keeps_to(message))
    assert len(seen) > 90


def test_what_the_relay_and_the_courier_send_keeps_to_its_schema(store: Accord) -> None:
    seen = set()
    for partnership in store.history.partnerships():
        sight = Sight.of(OPERATOR, store.history.of(partnership))
        viewers = [Viewer(each) for each in sight.parties]
        for index, body, _ in store.history.entries(partnership, 0, 1000):
            seen.add(keeps_to(messages.event("events", PlacedEvent(body, 1, index))))
            for each in viewers:
                of_party = replace(sight, viewer=each)
                seen.add(keeps_to(view("party", partnership, index, body, of_party)))

    assert seen > {"urn:accord:schema:EventWithheld:1", "urn:accord:schema:PartyView:1"}
    assert len(seen) > 50


def test_each_change_of_an_alert_keeps_to_its_schema(store: Accord) -> None:
    seen = {
        keeps_to(_alert("alerts", each))
        for each in store.views.outputs(0, 100_000)
        if each.kind == "alert"
    }

    assert seen == {
        f"urn:accord:schema:Alert{state}:1" for state in ("Opened", "Resolved", "Withdrawn")
    }


def test_each_item_of_the_trail_keeps_to_its_schema(store: Accord) -> None:
    seen = {keeps_to(_item("audit", each)) for each in store.history.after(0, 100_000)}

    assert seen == {"urn:accord:schema:TimelineItem:1"}


def test_each_figure_keeps_to_its_schema(store: Accord) -> None:
    count = 0
    for name in store.history.partnerships():
        rows = {
            key: typed_row(KPIS, name, key, row) for key, row in store.views.select(KPIS.name, name)
        }
        read = figures.Read(rows)
        for period in figures.concerned(read, list(rows)):
            for line in figures.report(read, period):
                keeps_to(_figure("kpis", "key", name, 1, line))
                count += 1
    assert count > 100


def test_a_refusal_keeps_to_its_schema(store: Accord) -> None:
    (outcome,) = store.service.handle([b'{"specversion":"1.0"}'])

    message = messages.refused("rejected", b"{}", "", outcome.refusal())

    assert keeps_to(message) == "urn:accord:schema:InputRefused:1"


def test_a_value_of_another_shape_is_found() -> None:
    message = messages.emitted("audit", "x", {"partnership": "x"}, id="1", type="Checkpoint")

    with pytest.raises(Exception, match="'size' is a required property"):
        keeps_to(message)


def test_the_command_writes_every_document(accord: typed.Accord, tmp_path: Path) -> None:
    ran = accord("schema", "--out", "specs")

    assert ran.code == 0
    document = orjson.loads((tmp_path / "specs" / "asyncapi.json").read_bytes())
    assert document == orjson.loads(canonical(published.asyncapi()))
    for path, schema in SCHEMAS.items():
        assert orjson.loads((tmp_path / "specs" / path).read_bytes()) == schema
