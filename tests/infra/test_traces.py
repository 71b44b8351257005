"""The trace of a command is kept beside its events, and goes out with what they cause."""

import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import psycopg
import pytest

from consumers.publisher import _alert
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.recording import ADOPTION_SOURCE, RULES_SOURCE
from infra.exchange.webhook import Webhook
from infra.kafka import messages
from infra.settings import Settings
from infra.store.history import NOTHING, TRACE, trace_key
from infra.store.mapper import PlacedEvent
from infra.store.postgres import PostgresStore
from infra.tlog import dsse
from infra.tlog.cloudevents import Trace
from infra.tlog.codec import encode
from tests.feeds import FEEDS, played
from tests.infra.messages import beginning
from tests.infra.test_kafka import received
from tests.infra.test_sinks import Receiver

ASKED: dict[tuple[str, str], Trace] = {}
"""The trace of each message of the examples, by source and id."""


def with_traces() -> Iterator[bytes]:
    """Yield the messages of the examples, each with a trace of its own."""
    for number, raw in enumerate(raw for feed in FEEDS for raw in feed.read_bytes().splitlines()):
        event = orjson.loads(raw)
        if dsse.MARK in event:  # Its signature covers the event as it is.
            yield raw
            continue
        trace = {"traceparent": parent(number), "tracestate": f"accord={number}"}
        ASKED[event["source"], event["id"]] = trace
        yield orjson.dumps(event | trace)


def parent(number: int) -> str:
    return f"00-{number + 1:032x}-{number + 1:016x}-01"


@pytest.fixture
def traced(address: str) -> Iterator[Accord]:
    settings = Settings(store=address)
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        accord.service.handle(list(with_traces()))
        accord.catch_up()
        yield accord


def of_command(accord: Accord, partnership: str, index: int) -> Trace | None:
    """Return the trace of the command that caused an event, directly or by rule or adoption."""
    (event,) = accord.history.of(partnership, index, index + 1)
    if event.source in {RULES_SOURCE, ADOPTION_SOURCE}:
        before = accord.history.of(partnership, 0, index)
        (cause,) = (each.index for each in before if each.event_id == event.causation_id)
        return of_command(accord, partnership, cause)
    return ASKED.get((event.source, event.source_id))


def test_a_trace_is_kept_with_each_event_and_changes_no_recorded_byte(
    traced: Accord, tmp_path: Path
) -> None:
    with played(tmp_path / "plain") as plain:
        for name in plain.history.partnerships():
            assert list(traced.history.bodies(name)) == list(plain.history.bodies(name))

    for event in traced.history.after(NOTHING, 10_000):
        kept = traced.history.kept(TRACE, event.partnership, [trace_key(event)])
        asked = of_command(traced, event.partnership, event.index)
        assert [orjson.loads(each) for each in kept.values()] == ([asked] if asked else [])


def test_an_alert_has_the_trace_of_the_command_that_caused_it(traced: Accord) -> None:
    outputs = traced.views.outputs(limit=10_000)
    expected = [of_command(traced, each.partnership, each.cause_index) for each in outputs]

    assert [each.trace for each in outputs] == expected
    assert any(expected)
    for each in outputs:
        sent = messages.attributes(received(_alert("accord.alerts", each)))
        assert {name: sent[name] for name in each.trace or {}} == (each.trace or {})


@pytest.mark.parametrize("address", ["postgres"], indirect=True)
def test_the_relay_finds_the_traces_of_the_events_that_it_sends(traced: Accord) -> None:
    store = traced.history
    assert isinstance(store, PostgresStore)
    stored = store.stored_after(NOTHING, 10_000)
    traces = store.traces(10, 200)

    assert set(traces) <= set(range(10, 201))
    for each in stored[10:201]:
        event = traced.history.after(each.position - 1, 1)[0]
        assert traces.get(each.position) == of_command(traced, event.partnership, event.index)


@pytest.mark.parametrize("analyzed", [False, True])
def test_reading_a_few_traces_does_not_read_all_of_them(
    migrated: str,
    analyzed: bool,  # noqa: FBT001 - a parameter
) -> None:
    of_events = "SELECT position, trace FROM history.traces WHERE position BETWEEN 100 AND 2100"
    of_outputs = """SELECT o.id, t.trace FROM views.outputs o LEFT JOIN history.traces t
        ON t.partnership = o.partnership AND t.idx = o.cause_index
        WHERE o.number > 5 ORDER BY o.number LIMIT 500"""
    with psycopg.connect(migrated) as client:
        client.execute(
            """INSERT INTO history.events SELECT n, 'p' || n % 50, n / 50,
            'p' || n % 50 || '/' || n, 1, 'X', now(), '', '' FROM generate_series(0, 19999) n"""
        )
        client.execute(
            """INSERT INTO history.kept SELECT 'trace', partnership, stream || '@1', '{}'
            FROM history.events"""
        )
        client.execute(
            """INSERT INTO views.outputs SELECT n, n, 'alerts', 'p' || n % 50, 'alert', '',
            n / 50, 1 FROM generate_series(0, 19999) n"""
        )
        if analyzed:
            client.execute("ANALYZE")
        for query in (of_events, of_outputs):
            plan = [line for (line,) in client.execute(f"EXPLAIN ANALYZE {query}")]
            (looked_up,) = (line for line in plan if "on kept" in line)
            assert "kept_pkey" in looked_up
            assert "rows=1" in looked_up.partition("actual")[2]
            read = [int(n) for line in plan for n in re.findall(r"actual.* rows=(\d+)", line)]
            assert max(read) < 3000, plan


def test_a_recorded_event_is_a_message_with_its_trace(traced: Accord) -> None:
    (event, *_) = traced.history.after(NOTHING, 1)
    placed = PlacedEvent(encode(event), 1, 0)
    trace = {"traceparent": parent(0), "tracestate": "accord=0"}

    sent = messages.attributes(received(messages.event("t", placed, trace)))
    assert (sent["traceparent"], sent["tracestate"]) == (parent(0), "accord=0")
    assert "traceparent" not in messages.attributes(received(messages.event("t", placed)))


def test_the_same_event_with_another_trace_is_a_duplicate_and_the_first_trace_stays(
    accord: Accord,
) -> None:
    first, again = (beginning("acme", traceparent=parent(number)) for number in (1, 2))

    outcomes = accord.service.handle([first]) + accord.service.handle([again])

    assert [each.status for each in outcomes] == ["accepted", "duplicate"]
    assert accord.history.kept(TRACE, "acme") == {
        "acme@1": orjson.dumps({"traceparent": parent(1)})
    }


def test_a_refusal_has_the_trace_of_its_input() -> None:
    raw = beginning("acme", traceparent=parent(1), tracestate="a=b")

    for sent, trace in (
        (raw, {"traceparent": parent(1), "tracestate": "a=b"}),
        (b"no JSON", {}),
        (b"[]", {}),
        (beginning("acme", traceparent="none"), {}),
    ):
        found = messages.attributes(received(messages.refused("t", sent, "acme", {})))
        assert {name: found[name] for name in found if name.startswith("trace")} == trace


def test_a_webhook_is_posted_the_trace_of_the_alert(traced: Accord) -> None:
    receiver = Receiver()
    change = next(each for each in traced.views.outputs(limit=10_000) if each.trace)
    with receiver.serving() as url:
        Webhook(url).deliver(change)

    (posted,) = receiver.events
    assert {name: posted[name] for name in change.trace or {}} == change.trace


HOSTILE = [
    ("a=" + '"},{"traceparent":"x', True),
    ("a=\\\\u0000\\", True),
    ("a=%0d%0aX-Evil: 1", True),
    ("=" * 512, True),
    (" ", True),
    ("=" * 513, False),
    ("a=b\r\nX-Evil: 1", False),
    ("a=\0", False),
    ("a=é", False),
    ("a=\x7f", False),
    ("", False),
]
"""States of a trace, and whether they are kept."""


def test_a_hostile_trace_comes_back_as_it_was_sent_or_not_at_all(accord: Accord) -> None:
    for number, (state, _) in enumerate(HOSTILE):
        raw = beginning(f"p-{number}", traceparent=parent(number), tracestate=state)
        (outcome,) = accord.service.handle([raw])
        assert outcome.status == "accepted"

    for number, (state, is_kept) in enumerate(HOSTILE):
        (event,) = accord.history.of(f"p-{number}")
        kept = accord.history.kept(TRACE, event.partnership, [trace_key(event)])
        trace = orjson.loads(kept[trace_key(event)])
        expected = {"traceparent": parent(number)} | ({"tracestate": state} if is_kept else {})
        message = received(messages.event("t", PlacedEvent(encode(event), 0, 0), trace))
        sent = messages.attributes(message)

        assert trace == expected
        assert {name: sent[name] for name in sent if name.startswith("trace")} == expected
