"""Bytes once written are read for ever: one file for each type and version of event.

A file is written once, by ``ACCORD_WRITE_GOLDEN=1 pytest tests/infra/test_golden.py``, and never
again. A test that fails after a change says that old histories would be read differently: give
the event a new version and an upcaster, which leaves the old file as it is and adds a new one.
"""

import os
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import orjson
import pytest

import domain
from domain.kernel import Act, Event
from domain.recorded import Recorded
from infra.tlog.codec import decode, encode, event_id
from tests.infra.examples import example
from tests.infra.noted import NOON

GOLDEN = Path(__file__).parents[1] / "golden"
WRITE = os.environ.get("ACCORD_WRITE_GOLDEN") == "1"

for module in walk_packages(domain.__path__, "domain."):
    import_module(module.name)
EVENTS = [event for _, event in sorted(Event.registry.items())]


def name(event: type[Event]) -> str:
    return f"{event.wire}.v{event.version}.json"


def write(event: type[Event]) -> None:
    body = encode(
        Recorded(
            partnership="acme-globex",
            stream="acme-globex",
            version=1,
            event_id=event_id("acme", "crm", event.wire, 0),
            act=Act("acme", "user:jo", NOON, NOON),
            source="crm",
            source_id=event.wire,
            event=event.model_validate(example(event)),
        )
    )
    GOLDEN.mkdir(exist_ok=True)
    # Opened for creation only: a file that stands is a promise.
    with (GOLDEN / name(event)).open("xb") as file:
        file.write(body)


@pytest.mark.parametrize("event", EVENTS, ids=name)
def test_each_event_has_bytes_that_are_kept_for_ever(event: type[Event]) -> None:
    path = GOLDEN / name(event)
    if WRITE and not path.exists():
        write(event)
    assert path.exists(), "a new event or version: write its file once, with ACCORD_WRITE_GOLDEN=1"
    body = path.read_bytes()
    assert type(decode(body).event) is event
    assert encode(decode(body)) == body


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.name)
def test_bytes_of_every_version_ever_written_are_still_read(path: Path) -> None:
    stored = orjson.loads(path.read_bytes())
    assert path.name == f"{stored['type']}.v{stored['schema_version']}.json"
    assert decode(path.read_bytes()).event.wire == stored["type"]
