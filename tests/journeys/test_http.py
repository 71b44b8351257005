"""Partners' systems speak HTTP with a served store, over a real socket."""

import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.keyring import RevokeKey
from infra import workers as workers_module
from infra.audit.receipts import Promise
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding import intake
from infra.http import create_app
from infra.http.app import ASSETS
from infra.http.openapi import EXAMPLE
from infra.http.problems import UNREADABLE
from infra.http.server import Server
from infra.running.listening import listening
from infra.settings import OPERATOR, RELEASE, Settings
from infra.store.views import Saved, SavedOutput
from infra.tlog import merkle
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier, read_proof
from infra.workers import Workers
from projections import VERSIONS
from tests.documents import REPOSITORY
from tests.infra.signing import signatory

FEED = (REPOSITORY / "examples" / "1-growthos.jsonl").read_bytes()
CONSULTING = "growthos-consulting"

EVENT = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
LINES = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
PROBLEM = "application/problem+json"


class Served(NamedTuple):
    """A served store: how to ask it, and what it is made of."""

    client: httpx2.Client
    settings: Settings
    accord: Accord
    workers: Workers
    server: Server


@contextmanager
def serving(settings: Settings, hosts: tuple[str, ...] = ("*",)) -> Iterator[Served]:
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        listening("127.0.0.1", 0) as sock,
        httpx2.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}") as client,
    ):
        server = Server(create_app(accord, workers, hosts, is_open=True))
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield Served(client, settings, accord, workers, server)
        finally:
            client.close()
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def made(tmp_path: Path, *, simulated: bool) -> Settings:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=simulated)
    return settings


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(made(tmp_path, simulated=True)) as served:
        yield served


@pytest.fixture
def ordinary(tmp_path: Path) -> Iterator[Served]:
    with serving(made(tmp_path, simulated=False)) as served:
        yield served


def event(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """An event that every store accepts, with changes; None leaves an attribute out."""
    return {key: value for key, value in {**EXAMPLE, **changed}.items() if value is not None}


def post(served: Served, body: object, headers: dict[str, str] = EVENT) -> httpx2.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return served.client.post("/v1/events", content=content, headers=headers)


def refused(answer: httpx2.Response) -> dict[str, Any]:
    """Return the problem that an answer is."""
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    return problem


# --- one event ---------------------------------------------------------------------------------


def test_an_event_is_accepted_and_the_same_again_gives_its_first_outcome(
    ordinary: Served,
) -> None:
    accepted = post(ordinary, event())
    assert accepted.status_code == 200
    assert accepted.json() == {
        "simulated": False,
        "status": "accepted",
        "source": EXAMPLE["source"],
        "id": EXAMPLE["id"],
        "partnership": EXAMPLE["subject"],
        "events": {"first": 0, "count": 1},
        "receipt": accepted.json()["receipt"],
        "lookalikes": [],
    }
    again = post(ordinary, event(), JSON)
    assert again.json() == accepted.json() | {"status": "duplicate"}
    assert ordinary.accord.history.size() == 1


def test_who_asks_is_given_checkpoints_and_their_proofs(served: Served) -> None:
    served.client.post("/v1/events", content=FEED, headers=LINES)
    base = f"/v1/partnerships/{CONSULTING}"
    key = Verifier.read(served.client.get(f"{base}/key").text.strip())
    first = Note.read(served.client.get(f"{base}/checkpoint").text)
    checkpoint = Checkpoint.read(first.text)
    assert first.by(key)
    assert checkpoint.size == len(list(served.accord.history.bodies(CONSULTING)))
    assert served.client.get(f"{base}/checkpoint").text == str(first)

    proof, _, note = served.client.get(f"{base}/proofs/12").text.partition("\n\n")
    (body,) = served.accord.history.bodies(CONSULTING, 12, 13)
    path = read_proof(proof.split("\n")[2:])
    assert note == str(first)
    assert merkle.included(12, checkpoint.size, merkle.leaf_hash(body), path, checkpoint.root)

    growth = served.client.get(f"{base}/consistency", params={"old": 100}).text
    lines, _, note = growth.partition("\n\n")
    old, *hashes = lines.split("\n")
    then = served.accord.signing().log(CONSULTING).root(100)
    assert (old, note) == ("old 100", str(first))
    assert merkle.consistent(100, checkpoint.size, then, checkpoint.root, read_proof(hashes))


def test_proofs_of_what_is_not_there_are_refused(served: Served) -> None:
    served.client.post("/v1/events", content=FEED, headers=LINES)
    base = f"/v1/partnerships/{CONSULTING}"
    for page in (
        "/v1/partnerships/nobody/checkpoint",
        f"{base}/proofs/99999",
        f"{base}/consistency?old=99999",
    ):
        answer = served.client.get(page)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert served.client.get(f"{base}/proofs/first").status_code == 422


def test_what_is_accepted_has_the_operators_receipt_and_without_a_key_has_none(
    ordinary: Served,
) -> None:
    note = Note.read(post(ordinary, event()).json()["receipt"])
    origin = f"{OPERATOR}/{EXAMPLE['subject']}"
    assert note.by(Verifier(origin, Kind.NOTE, ordinary.accord.signing().seal.signer.public))
    assert Promise.read(note.text).leaves == tuple(
        ordinary.accord.history.leaves(EXAMPLE["subject"])
    )

    key = ordinary.settings.path_of_key
    assert key
    key.rename(key.with_suffix(".away"))
    with serving(ordinary.settings) as keyless:
        assert post(keyless, event()).json()["receipt"] is None


def test_a_signed_command_is_posted_like_any_event(ordinary: Served) -> None:
    party = signatory(EXAMPLE["party"], 1)
    register = party.register(EXAMPLE["subject"])
    asked = {"subject": EXAMPLE["subject"]}
    post(ordinary, event())
    assert post(ordinary, party.unsigned(register, **asked), JSON).status_code == 200

    revoke = RevokeKey(keyid=party.keyid, reason="A laptop was lost.")
    problem = refused(post(ordinary, party.unsigned(revoke, **asked), JSON))
    assert (problem["status"], problem["rule"]) == (422, "must-be-signed")
    raw = party.signs(revoke, **asked)
    wrong = raw.replace(b'"sig"', b'"sag"')
    assert refused(post(ordinary, wrong, JSON))["status"] == 400
    assert post(ordinary, raw, JSON).json()["status"] == "accepted"
    assert post(ordinary, raw + b"\n" + raw, LINES).json()["duplicates"] == 2


def test_an_event_in_binary_mode_is_the_same_as_in_structured_mode(ordinary: Served) -> None:
    attributes = {f"ce-{key}": value for key, value in EXAMPLE.items() if key != "data"}
    attributes["ce-actor"] = "maya%2Eortiz"
    answer = post(ordinary, EXAMPLE["data"], JSON | attributes)
    assert answer.json()["status"] == "accepted"
    assert post(ordinary, event()).json()["status"] == "duplicate"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "application/json; charset=UTF-8",
        "application/vnd.growthos.crm+json",
        "text/json",
    ],
)
def test_the_data_in_binary_mode_may_have_any_type_of_json(
    ordinary: Served, kind: str | None
) -> None:
    attributes = {f"ce-{key}": value for key, value in EXAMPLE.items() if key != "data"}
    content_type = {} if kind is None else {"content-type": kind}
    answer = post(ordinary, EXAMPLE["data"], attributes | content_type)
    assert answer.json()["status"] == "accepted"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/cloudevents+json; charset=UTF-8", orjson.dumps(EXAMPLE)),
        ("Application/CloudEvents+JSON", b"\xef\xbb\xbf" + orjson.dumps(EXAMPLE)),
        ("application/json", b"\xef\xbb\xbf\r\n" + orjson.dumps(EXAMPLE) + b"\r\n"),
        ("application/cloudevents-batch+json; charset=utf-8", orjson.dumps([EXAMPLE])),
        ("application/json", b"\xef\xbb\xbf" + orjson.dumps([EXAMPLE])),
        ("application/x-ndjson", b"\xef\xbb\xbf" + orjson.dumps(EXAMPLE) + b"\r\n"),
        ("application/x-ndjson", orjson.dumps(EXAMPLE, option=orjson.OPT_INDENT_2) * 2),
    ],
)
def test_a_body_is_read_with_a_byte_order_mark_any_line_ends_and_parameters_of_its_type(
    ordinary: Served, kind: str, body: bytes
) -> None:
    answer = post(ordinary, body, {"content-type": kind})
    assert answer.status_code == 200
    assert ordinary.accord.history.size() == 1


@pytest.mark.parametrize("twice", [[("ce-id", "one"), ("ce-id", "two")]])
def test_a_header_that_comes_twice_is_refused(
    ordinary: Served, twice: list[tuple[str, str]]
) -> None:
    given = {f"ce-{key}": value for key, value in EXAMPLE.items() if key not in {"data", "id"}}
    headers = [*given.items(), *twice, ("content-type", "application/json")]
    answer = ordinary.client.post(
        "/v1/events", content=orjson.dumps(EXAMPLE["data"]), headers=headers
    )
    problem = refused(answer)
    assert (problem["rule"], problem["pointer"]) == ("duplicate-key", "/id")


def test_a_sender_of_webhooks_is_told_that_it_may_deliver(ordinary: Served) -> None:
    asks = {
        "WebHook-Request-Origin": "eventemitter.example.com",
        "WebHook-Request-Rate": "120",
        "WebHook-Request-Callback": "https://example.com/confirm?id=12345",
    }
    answer = ordinary.client.options("/v1/events", headers=asks)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["webhook-allowed-origin"] == "eventemitter.example.com"
    assert answer.headers["webhook-allowed-rate"] == "*"
    assert answer.headers["allow"] == "OPTIONS, POST"

    # Deliveries name the origin again; any other OPTIONS request is no handshake.
    assert post(ordinary, event(), EVENT | asks).json()["status"] == "accepted"
    assert "webhook-allowed-origin" not in ordinary.client.options("/v1/events").headers


def test_an_unreadable_event_is_a_problem_that_points_at_the_place(ordinary: Served) -> None:
    data = {**EXAMPLE["data"], "purpose": 7}
    answer = post(ordinary, event(data=data))
    assert answer.status_code == 400
    assert refused(answer) == {
        "type": "/problems/wrong-value",
        "title": "Refused by the rule wrong-value",
        "status": 400,
        "detail": "/data/purpose is not text of 1 to 2000 characters: 7.",
        "source": EXAMPLE["source"],
        "id": EXAMPLE["id"],
        "rule": "wrong-value",
        "hint": "Write it as text, not longer. "
        "Of control characters, only tabs and line feeds are allowed.",
        "pointer": "/data/purpose",
    }


@pytest.mark.parametrize(
    ("body", "rule", "pointer"),
    [
        (b"{", "not-json", ""),
        (b"7", "not-an-event", ""),
        (b'{"id":"a","id":"b"}', "duplicate-key", "/id"),
        (event(type="accord.BeginExplorations"), "unknown-type", "/type"),
        (event(partyy="red"), "unknown-field", "/partyy"),
        (event(party=None), "missing-field", "/party"),
        (event(time="2026-01-12T09:00:00"), "time-without-zone", "/time"),
    ],
)
def test_what_breaks_a_rule_of_reading_is_a_bad_request(
    ordinary: Served, body: object, rule: str, pointer: str
) -> None:
    problem = refused(post(ordinary, body))
    assert (problem["status"], problem["rule"], problem["pointer"]) == (400, rule, pointer)
    assert problem["hint"]


def test_every_rule_of_reading_is_known_to_be_one() -> None:
    source = Path(intake.__file__).read_text(encoding="utf-8")
    named = re.findall(r'Refused\(\s*"([a-z-]+)"', source)
    assert {*named, *intake._RULES.values()} <= UNREADABLE


def test_what_the_domain_refuses_is_unprocessable_and_says_what_mends_it(
    ordinary: Served,
) -> None:
    candidate = {"candidate": "northbridge", "name": "Northbridge", "found_through": "directory"}
    problem = refused(post(ordinary, event(type="accord.IdentifyCandidate", data=candidate)))
    assert problem["status"] == 422
    assert problem["type"] == f"/problems/{problem['rule']}"
    assert problem["hint"]
    assert problem["id"] == EXAMPLE["id"]


def test_the_same_id_with_other_content_is_a_conflict(ordinary: Served) -> None:
    post(ordinary, event())
    problem = refused(post(ordinary, event(actor="someone.else")))
    assert (problem["status"], problem["rule"]) == (409, "id-conflict")
    assert (problem["pointer"], problem["id"]) == ("/id", EXAMPLE["id"])


# --- many events -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "together"),
    [
        (BATCH, orjson.dumps),
        (JSON, orjson.dumps),
        (LINES, lambda events: b"\n".join(map(orjson.dumps, events)) + b"\n\n"),
    ],
    ids=["batch", "plain-json", "json-lines"],
)
def test_each_event_of_a_batch_is_decided_and_refusals_are_listed(
    ordinary: Served, headers: dict[str, str], together: Callable[[list[object]], bytes]
) -> None:
    unknown = event(id="crm-0003", type="accord.Begin")
    events: list[object] = [event(), event(), event(id="crm-0002", subject="other"), unknown]
    answer = post(ordinary, together(events), headers)
    assert answer.status_code == 200
    report = answer.json()
    assert (report["accepted"], report["duplicates"]) == (2, 1)
    results = report["results"]
    assert [each["index"] for each in results] == [0, 1, 2, 3]
    assert [each["status"] for each in results] == ["accepted", "duplicate", "accepted", "refused"]
    assert results[0]["receipt"] == results[1]["receipt"] != results[2]["receipt"]
    assert results[2]["events"] == {"first": 0, "count": 1}
    told = {name: value for name, value in results[3].items() if value is not None}
    assert told == {
        "index": 3,
        "status": "refused",
        "source": EXAMPLE["source"],
        "id": "crm-0003",
        "partnership": EXAMPLE["subject"],
        "rule": "unknown-type",
        "detail": "There is no type accord.Begin.",
        "hint": told["hint"],
        "pointer": "/type",
        "lookalikes": [],
    }


@pytest.mark.parametrize(("headers", "body"), [(BATCH, b"[]"), (LINES, b"")])
def test_no_events_are_no_mistake(ordinary: Served, headers: dict[str, str], body: bytes) -> None:
    answer = post(ordinary, body, headers)
    counts = {"accepted": 0, "duplicates": 0, "waiting": 0, "refused": 0}
    assert answer.status_code == 200
    assert answer.json() == {"simulated": False, **counts, "results": []}


@given(
    members=st.lists(
        st.sampled_from(["good", "again", "waits"])
        | st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["id", "type", "x"]), inner, max_size=2)
            ),
            max_leaves=5,
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_member_of_a_batch_stands_alone_whatever_the_others_are(
    ordinary: Served, members: list[object]
) -> None:
    begun = event(id=f"begin-{uuid4()}", subject=f"p-{uuid4()}")
    assert post(ordinary, begun).status_code == 200
    data = {"deal": "D-1", "payment": "P-1", "amount": {"amount": "1.00", "currency": "USD"}}
    waits = begun | {"type": "accord.ReceivePayment", "data": data}
    made: dict[str, Callable[[], object]] = {
        "good": lambda: event(id=str(uuid4()), subject=f"p-{uuid4()}"),
        "again": lambda: begun,
        "waits": lambda: waits | {"id": str(uuid4())},
    }
    sent = [made[each]() if isinstance(each, str) and each in made else each for each in members]
    expected = [
        {"good": "accepted", "again": "duplicate", "waits": None}.get(each, "refused")
        if isinstance(each, str)
        else "refused"
        for each in members
    ]

    answer = post(ordinary, sent, BATCH)

    results = answer.json()["results"]
    statuses = [each["status"] for each in results]
    assert [each["index"] for each in results] == list(range(len(members)))
    assert all(want in {None, got} for want, got in zip(expected, statuses, strict=True))
    assert all(each.get("hint") for each in results if each["status"] == "refused")
    refused = set(statuses) == {"refused"}
    assert answer.status_code == (422 if refused else 202 if set(statuses) == {"waiting"} else 200)


@pytest.mark.parametrize("headers", [BATCH, LINES])
def test_a_batch_of_which_nothing_is_taken_is_answered_422_with_each_result(
    ordinary: Served, headers: dict[str, str]
) -> None:
    both = [event(type="accord.Begin"), event(id="2", specversion="2.0")]
    body = orjson.dumps(both) if headers == BATCH else b"\n".join(map(orjson.dumps, both))
    problem = refused(post(ordinary, body, headers))

    assert problem["status"] == 422
    assert problem["detail"] == "No event of the request was recorded."
    assert [(each["index"], each["rule"]) for each in problem["results"]] == [
        (0, "unknown-type"),
        (1, "wrong-value"),
    ]


def test_more_events_than_one_transaction_takes_are_all_decided(ordinary: Served) -> None:
    lines = b"\n".join(
        orjson.dumps(event(id=f"crm-{number}", subject=f"p{number}")) for number in range(2500)
    )
    answer = ordinary.client.post("/v1/events", content=lines, headers=LINES, timeout=30)
    report = answer.json()
    assert (report["accepted"], report["duplicates"], report["refused"]) == (2500, 0, 0)
    assert [each["id"] for each in report["results"]][:2] == ["crm-0", "crm-1"]
    assert [each["index"] for each in report["results"] if each["receipt"]] == list(range(2500))
    assert ordinary.accord.history.size() == 2500


# --- what is no event --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        # What a page of another site can send without asking is among these.
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_other_media_types_are_turned_away(ordinary: Served, headers: dict[str, str]) -> None:
    answer = post(ordinary, event(), headers)
    assert refused(answer)["status"] == 415
    assert "application/cloudevents+json" in answer.headers["accept"]
    assert ordinary.accord.history.size() == 0


def test_a_media_type_may_name_its_charset(ordinary: Served) -> None:
    headers = {"content-type": 'Application/CloudEvents+JSON; charset="UTF-8"'}
    assert post(ordinary, event(), headers).json()["status"] == "accepted"


def test_a_body_that_is_too_large_is_turned_away(ordinary: Served) -> None:
    problem = refused(post(ordinary, b" " * (9 * 2**20), LINES))
    assert problem["status"] == 413
    assert problem["hint"]


def test_while_the_writer_has_too_much_to_do_senders_are_asked_to_come_again(
    ordinary: Served,
) -> None:
    ordinary.workers.writer.stop()
    answer = post(ordinary, event())
    assert refused(answer)["status"] == 503
    assert answer.headers["retry-after"] == "1"


def test_unknown_paths_and_methods_are_problems(ordinary: Served) -> None:
    assert refused(ordinary.client.get("/v1/nothing"))["status"] == 404
    assert refused(ordinary.client.get("/v1/events"))["status"] == 405
    assert ordinary.client.put("/v1/partnerships").headers["allow"] == "GET, HEAD"
    assert ordinary.client.get("/v1/events").headers["allow"] == "OPTIONS, POST"
    assert ordinary.client.post("/v1/alerts/stream").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("since", ["", "2026-01-01", "2026-Q5", "2026-13", "9999", "x", "\0"])
def test_a_rule_is_tried_since_a_period(ordinary: Served, since: str) -> None:
    path = "/v1/partnerships/acme-north/rules/conversion-floor/try"
    problem = refused(ordinary.client.get(path, params={"since": since}))

    assert problem["status"] == 422
    assert problem["errors"][0]["parameter"] == "since"


@pytest.mark.parametrize(
    "body", [b"", b'""', b"null", b"[]", b"{}", b"{", b"7", b"\xff", b'{"by": 7}']
)
@pytest.mark.parametrize("path", ["/v1/refusals/dismiss", "/v1/refusals/1/dismiss"])
def test_a_dismissal_without_a_name_is_a_problem(ordinary: Served, path: str, body: bytes) -> None:
    answer = ordinary.client.post(path, content=body, headers={"content-type": "application/json"})

    assert refused(answer)["status"] in {400, 422}


def test_the_document_has_the_limits_of_a_page(ordinary: Served) -> None:
    described = ordinary.client.get("/openapi.json").json()["paths"]["/v1/alerts"]["get"]
    (limit,) = (each for each in described["parameters"] if each["name"] == "limit")

    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 1000)


def test_every_parameter_of_a_question_has_the_limits_of_its_type(ordinary: Served) -> None:
    described = ordinary.client.get("/openapi.json").json()["paths"]
    (since,) = (
        each
        for each in described["/v1/partnerships/{id}/rules/{rule}/try"]["get"]["parameters"]
        if each["name"] == "since"
    )
    assert since["schema"]["pattern"]
    assert refused(ordinary.client.get("/v1/partnerships/NOT_A_NAME/kpis"))["status"] == 422


# --- alerts ------------------------------------------------------------------------------------


class Change(NamedTuple):
    """One change of an alert, as the stream tells it."""

    cursor: str
    alert: dict[str, Any]

    @property
    def state(self) -> str:
        """The state of the alert after the change."""
        state: str = self.alert["state"]
        return state


def changes(stream: httpx2.Response) -> Iterator[Change]:
    """Yield the changes that a stream tells."""
    told: dict[str, str] = {}
    for line in stream.iter_lines():
        if line and not line.startswith(":"):
            field, _, value = line.partition(": ")
            told[field] = value
        elif "data" in told:
            if told["event"] == "alert":
                yield Change(told.get("id", ""), orjson.loads(told["data"]))
            told = {}


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_the_first_alert_of_a_feed_is_streamed_within_a_second(served: Served) -> None:
    with served.client.stream("GET", "/v1/alerts/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = changes(stream)
        post(served, FEED, LINES)
        began = time.monotonic()
        first = next(told)
        assert time.monotonic() - began < 1
    assert first.state == "open"
    assert first.alert["id"] == f"lead-unanswered@1/{CONSULTING}/2026-01/growthos"
    assert first.alert["simulated"] is True


def test_an_alert_is_streamed_within_a_second_of_its_event(served: Served) -> None:
    lines = FEED.splitlines()
    with served.client.stream("GET", "/v1/alerts/stream") as stream:
        told = changes(stream)
        before = next(
            number for number, line in enumerate(lines) if orjson.loads(line)["time"] > "2026-02-05"
        )
        post(served, b"\n".join(lines[:before]), LINES)
        began = time.monotonic()
        assert post(served, lines[before]).status_code == 200
        assert next(told).state == "open"
        assert time.monotonic() - began < 1


def test_a_stream_goes_on_after_the_last_change_that_was_seen(served: Served) -> None:
    post(served, FEED, LINES)
    with served.client.stream("GET", "/v1/alerts/stream?since=begin") as stream:
        told = changes(stream)
        seen = [next(told) for _ in range(5)]
    with served.client.stream(
        "GET", "/v1/alerts/stream", headers={"last-event-id": seen[2].cursor}
    ) as stream:
        assert next(changes(stream)) == seen[3]


def test_the_alerts_of_one_partnership_are_below_it(served: Served) -> None:
    post(served, FEED, LINES)
    eventually(lambda: served.workers.lag() == 0)
    below = served.client.get(f"/v1/partnerships/{CONSULTING}/alerts")

    assert below.json()["items"]
    assert below.text == served.client.get(f"/v1/alerts?partnership={CONSULTING}").text
    assert refused(served.client.get("/v1/partnerships/nobody/alerts"))["status"] == 404


def test_a_stream_can_be_of_one_partnership(served: Served) -> None:
    spain = (REPOSITORY / "examples" / "2-spring-launch.jsonl").read_bytes()
    post(served, FEED, LINES)
    post(served, spain, LINES)
    path = "/v1/alerts/stream?since=begin&partnership=spring-spain"
    with served.client.stream("GET", path) as stream:
        assert next(changes(stream)).alert["partnership"] == "spring-spain"


def test_an_alert_from_another_process_reaches_the_stream(served: Served) -> None:
    with (
        served.client.stream("GET", "/v1/alerts/stream") as stream,
        # Another object over the same file wakes nobody here, as another process would not.
        bootstrap(served.settings) as other,
    ):
        other.service.handle(FEED.splitlines())
        other.runner.catch_up()
        began = time.monotonic()
        assert next(changes(stream)).state == "open"
        assert time.monotonic() - began < 3


def test_what_is_no_alert_is_not_in_the_stream_of_alerts(served: Served) -> None:
    with (
        served.client.stream("GET", "/v1/alerts/stream") as stream,
        bootstrap(served.settings) as other,
    ):
        note = SavedOutput("some-note", "alerts", CONSULTING, "note", {"text": "no alert"}, 0)
        folds = [each.id for each in other.views.begin(VERSIONS).values()]
        other.views.save(Saved(folds, {}, outputs=[note]))
        other.service.handle(FEED.splitlines())
        other.runner.catch_up()
        assert next(changes(stream)).state == "open"


def test_alerts_are_listed_by_partnership_and_state(served: Served) -> None:
    post(served, FEED, LINES)
    eventually(lambda: served.workers.lag() == 0)
    everything = served.client.get("/v1/alerts").json()["items"]
    ended = {"partnership": CONSULTING, "state": "withdrawn"}
    assert {each["state"] for each in everything} == {"open", "resolved", "withdrawn"}
    assert served.client.get("/v1/alerts", params=ended).json()["items"] == [
        each for each in everything if each["state"] == "withdrawn"
    ]
    still = served.client.get("/v1/alerts", params={"state": "open"}).json()["items"]
    assert still == [each for each in everything if each["state"] == "open"]


def test_alerts_are_listed_as_they_stood_at_a_time(served: Served) -> None:
    post(served, FEED, LINES)
    # Unlike the list of what stands now, this one needs no views, so nothing is waited for.
    then = {"known": "2026-04-30T00:00:00Z", "state": "open"}
    found = served.client.get("/v1/alerts", params=then).json()["items"]
    assert [each["window"] for each in found if each["kind"] == "breach"] == ["2026-Q1"]
    happened = {"at": "2026-02-05T12:00:00+01:00"}
    then = served.client.get("/v1/alerts", params=happened).json()["items"]
    assert [each["window"] for each in then if each["rule"] == "milestone-missed"] == ["launch"]
    assert refused(served.client.get("/v1/alerts?at=yesterday"))["status"] == 422


def test_a_partnership_or_a_state_that_is_not_known_is_a_problem(served: Served) -> None:
    assert refused(served.client.get("/v1/alerts?partnership=nobody"))["status"] == 404
    problem = refused(served.client.get("/v1/alerts?state=loud"))
    assert problem["status"] == 422
    assert problem["errors"][0]["parameter"] == "state"


# --- what it says of itself --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/alerts/", "/v1/metrics/", "/portfolio/", "/problems/"])
def test_a_path_with_a_slash_too_many_leads_to_no_other_host(ordinary: Served, path: str) -> None:
    found = ordinary.client.get(path, follow_redirects=False)

    assert (found.status_code, found.headers.get("location")) == (404, None)


PATHS = ["/healthz", "/readyz", "/v1/alerts", "/v1/alerts?partnership=nobody", "/v1/nothing"]


def test_a_simulated_store_says_so_in_every_answer(served: Served) -> None:
    post(served, FEED, LINES)
    eventually(lambda: served.workers.lag() == 0)
    for path in PATHS:
        answer = served.client.get(path)
        body = answer.json()
        assert answer.headers["accord-simulated"] == "true"
        told = body if isinstance(body, list) else [body]
        assert all(each["simulated"] is True for each in told), path


def test_the_answers_to_events_of_a_simulated_store_say_so_too(served: Served) -> None:
    for answer in (post(served, event()), post(served, b"{"), post(served, b"", LINES)):
        assert answer.json()["simulated"] is True
        assert answer.headers["accord-simulated"] == "true"


def test_an_ordinary_store_is_not_called_simulated(ordinary: Served) -> None:
    for path in PATHS:
        answer = ordinary.client.get(path)
        assert "accord-simulated" not in answer.headers
        assert b'"simulated":true' not in answer.content


def test_it_is_alive_and_ready(ordinary: Served) -> None:
    assert ordinary.client.get("/healthz").json() == {
        "simulated": False,
        "status": "alive",
        "release": RELEASE,
    }
    assert ordinary.client.get("/readyz").json() == {
        "simulated": False,
        "status": "ready",
        "quarantined": [],
        "quarantined_count": 0,
    }


def test_it_is_alive_but_not_ready_while_nothing_can_be_written(
    ordinary: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "PROBE", 0.1)
    with closing(sqlite3.connect(ordinary.settings.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ordinary.client.get("/healthz").status_code == 200
        problem = refused(ordinary.client.get("/readyz"))
        other.rollback()
    assert (problem["status"], problem["reasons"]) == (503, ["the writer is busy"])


def test_a_page_of_another_site_that_points_its_name_here_reads_nothing(tmp_path: Path) -> None:
    with serving(made(tmp_path, simulated=False), ("127.0.0.1", "localhost")) as served:
        assert served.client.get("/healthz").status_code == 200
        foreign = served.client.get("/healthz", headers={"host": "elsewhere.example"})
        assert foreign.status_code == 400
        assert "access-control-allow-origin" not in foreign.headers


# --- the document and its page -----------------------------------------------------------------


def references(part: object) -> Iterator[str]:
    """Yield every reference in a JSON document."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_describes_every_event_that_can_be_sent(ordinary: Served) -> None:
    document = ordinary.client.get("/openapi.json").json()
    known = document["components"]["schemas"]
    mapping = known["Event"]["discriminator"]["mapping"]
    assert mapping.keys() == intake.envelope_types().keys()
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(known)
    content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    assert {headers["content-type"] for headers in (EVENT, BATCH, LINES, JSON)} == set(content)


def test_the_documents_examples_are_accepted(ordinary: Served) -> None:
    document = ordinary.client.get("/openapi.json").json()
    content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    for media_type, described in content.items():
        example = described["example"]
        body = example.encode() if isinstance(example, str) else orjson.dumps(example)
        answer = post(ordinary, body, {"content-type": media_type}).json()
        assert answer.get("status") in {"accepted", "duplicate"} or answer["duplicates"] == 1


def test_the_page_of_the_document_needs_no_other_host(ordinary: Served) -> None:
    page = ordinary.client.get("/docs")
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if name != "data:,":
            assert "//" not in name
            assert ordinary.client.get(f"/{name}").status_code == 200, name
    allowed = page.headers["content-security-policy"]
    assert allowed.startswith("default-src 'none'")
    assert "http" not in allowed
    assert "unsafe" not in allowed


def test_what_was_taken_from_others_is_as_they_published_it() -> None:
    viewer = ASSETS / "swagger-ui"
    sums = (viewer / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    lines = [line.split("  ") for line in sums if not line.startswith("#")]
    known = {name: digest for digest, name in lines}
    found = {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in viewer.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert found == known
    assert "LICENSE" in known


# --- beginning and end -------------------------------------------------------------------------

SERVE = """
import sys
from infra.http import serve
from infra.settings import Settings
serve(Settings(store=sys.argv[1]), "127.0.0.1", 0, is_open=True)
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_soon_even_with_a_stream_open(
    tmp_path: Path, end: signal.Signals
) -> None:
    settings = made(tmp_path, simulated=True)
    command = [sys.executable, "-c", SERVE, settings.store]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        where = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert where, line
        assert "simulated" in line
        with (
            httpx2.Client(base_url=where[0]) as client,
            client.stream("GET", "/v1/alerts/stream") as stream,
        ):
            lines = stream.iter_lines()
            assert next(lines) == ": alerts of a simulated store"
            posted = client.post("/v1/events", content=orjson.dumps(event()), headers=EVENT)
            assert posted.json()["status"] == "accepted"
            began = time.monotonic()
            process.send_signal(end)
            list(lines)
            assert process.wait(10) == 0
            assert time.monotonic() - began < 3
        assert process.stderr.read() == ""
    with bootstrap(settings) as accord:
        assert accord.history.size() == 1
        assert accord.views.positions("overview", [EXAMPLE["subject"]])


def test_a_server_on_loopback_answers_to_loopbacks_names_alone(tmp_path: Path) -> None:
    settings = made(tmp_path, simulated=False)
    command = [sys.executable, "-c", SERVE, settings.store]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        where = line.split()[3]
        assert "simulated" not in line
        try:
            assert httpx2.get(f"{where}/healthz").status_code == 200
            foreign = httpx2.get(f"{where}/healthz", headers={"host": "elsewhere.example"})
            assert foreign.status_code == 400
        finally:
            process.terminate()
        assert process.wait(10) == 0
