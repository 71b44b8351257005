"""People at a terminal: what they type, what is printed where, and how it ends."""

import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import consumers.command  # noqa: F401 - it adds commands
from domain.gates import ProposeWaiver
from domain.keyring import key_id
from domain.viewing import FullViewTaken
from infra.answers import logs
from infra.answers.question import Panel
from infra.audit.receipts import Promise
from infra.bootstrap import bootstrap, init
from infra.cli import options
from infra.settings import RELEASE, Settings
from infra.tlog import cloudevents, dsse
from infra.tlog.keys import Signer
from infra.tlog.merkle import node_hash
from infra.tlog.notes import Checkpoint, Note
from tests.documents import REPOSITORY
from tests.feeds import FEEDS, played
from tests.infra.messages import SOURCE, beginning, candidate, from_steps, message
from tests.journeys.typed import PROGRAM, Accord, Ran
from tests.life import LIFE, example

CONSULTING = "growthos-consulting"
NAME = "growthos-brightpath"
SIMULATED = "This is a simulated store"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which all examples were played."""
    folder = tmp_path_factory.mktemp("demo")
    with played(folder) as store:
        store.runner.catch_up()
    return f"sqlite:///{folder}/accord.db"


# --- what goes in ------------------------------------------------------------------------------


def test_a_store_is_made_once(accord: Accord) -> None:
    assert "Made a store" in accord("init").out
    assert accord("init").out == "The store sqlite:///accord.db exists already.\n"
    assert accord("init", "--json").json == {
        "simulated": False,
        "store": "sqlite:///accord.db",
        "made": False,
    }


def test_a_store_keeps_time_in_the_way_it_was_made_for(accord: Accord) -> None:
    assert accord("init", "--simulated", "--json").json["simulated"] is True

    ran = accord("init")

    assert ran.code == 1
    assert "is a simulated store" in ran.err


def test_accepted_inputs_end_well_and_the_same_again_does_nothing(accord: Accord) -> None:
    accord("init")
    feed = beginning("acme") + b"\n" + candidate("north", subject="acme")
    first = accord("ingest", "-", "--json", stdin=feed)
    again = accord("ingest", "-", "--json", stdin=feed)

    assert (first.code, first.json) == (0, report(accepted=2))
    assert (again.code, again.json) == (0, report(duplicates=2))
    words = accord("ingest", "-", stdin=feed).out
    assert words == "0 accepted, 0 refused, 2 duplicates.\n"


def report(accepted: int = 0, duplicates: int = 0) -> dict[str, object]:
    counts = {"accepted": accepted, "duplicates": duplicates}
    return {"simulated": False, **counts, "waiting": [], "refused": [], "lookalikes": []}


def test_a_refusal_names_the_rule_and_a_hint_and_has_its_own_exit_code(accord: Accord) -> None:
    accord("init")
    ran = accord("ingest", "-", "--json", stdin=candidate("north", subject="acme"))
    (refused,) = ran.json["refused"]

    assert ran.code == 3
    assert set(refused) == {"source", "id", "rule", "detail", "hint", "pointer"}
    assert refused["rule"] == "no-such-partnership"

    words = accord("ingest", "-", stdin=candidate("north", subject="acme"))
    assert "0 accepted, 1 refused." in words.out
    assert f"Hint: {refused['hint']}" in words.out
    assert words.code == 3


@pytest.mark.parametrize("name", ["feed.json", "-"])
@pytest.mark.parametrize(
    "written",
    [
        b"\n\n".join,
        lambda events: b"[" + b",".join(events) + b"]",
        lambda events: b"[\n" + b",\n".join(events) + b"\n]\n",
    ],
    ids=["lines", "one array", "an array over lines"],
)
def test_a_feed_is_read_in_whichever_form_it_comes(
    accord: Accord, tmp_path: Path, name: str, written: Callable[[list[bytes]], bytes]
) -> None:
    feed = written([beginning("acme"), beginning("zenith")])
    (tmp_path / "feed.json").write_bytes(feed)
    accord("init")

    assert accord("ingest", name, "--json", stdin=feed).json["accepted"] == 2


@pytest.mark.parametrize("between", [b",", b"\n"], ids=["array", "lines"])
def test_an_event_of_a_file_that_is_nested_too_deeply_is_refused_alone(
    accord: Accord, between: bytes
) -> None:
    accord("init")
    deep = b'{"data":' * 5000 + b"1" + b"}" * 5000
    feed = between.join([beginning("acme"), deep, beginning("zenith")])
    ran = accord("ingest", "-", "--json", stdin=feed if between == b"\n" else b"[" + feed + b"]")

    assert ran.json["accepted"] == 2
    assert [each["rule"] for each in ran.json["refused"]] == ["not-json"]
    assert "nested too deeply" in ran.json["refused"][0]["detail"]


def test_one_object_over_many_lines_is_one_event(accord: Accord) -> None:
    accord("init")
    event = json.dumps(json.loads(beginning("acme")), indent=2).encode()

    assert accord("ingest", "-", "--json", stdin=event).json["accepted"] == 1


def test_a_file_of_objects_over_many_lines_is_read_whatever_editor_wrote_it(
    accord: Accord,
) -> None:
    accord("init")
    pretty = [json.dumps(json.loads(beginning(name)), indent=2) for name in ("acme", "zenith")]
    text = "\n".join([pretty[0], '{\n  "id": "broken",', pretty[1]])
    Path("events.json").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    ran = accord("ingest", "events.json", "--json")

    assert ran.json["accepted"] == 2
    assert [each["rule"] for each in ran.json["refused"]] == ["not-json"]


def test_json_lines_are_read_as_they_come_and_never_all_at_once() -> None:
    class Endless(io.BytesIO):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield beginning("acme") + b"\n"

        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError(size)

    messages = cloudevents.stream(Endless())

    assert [next(messages) for _ in range(3)] == [beginning("acme")] * 3


def test_a_line_that_cannot_be_read_stops_no_other(accord: Accord) -> None:
    accord("init")
    feed = b"\n".join([b"{not json", beginning("acme"), b"[1]", beginning("zenith")])
    (Path("feed.jsonl")).write_bytes(feed)

    ran = accord("ingest", "feed.jsonl", "--json")

    assert ran.json["accepted"] == 2
    assert [each["rule"] for each in ran.json["refused"]] == ["not-json", "not-an-event"]


def test_files_are_opened_before_anything_is_decided(accord: Accord) -> None:
    accord("init")
    Path("good.jsonl").write_bytes(beginning("acme"))

    ran = accord("ingest", "good.jsonl", "missing.jsonl")

    assert ran.code == 1
    assert accord("list", "--json").json["items"] == []


def test_a_list_without_partnerships_says_what_to_do(accord: Accord) -> None:
    accord("init")

    ran = accord("list")

    assert ran.code == 0
    assert "There are no partnerships." in ran.err
    assert "accord ingest FILE" in ran.err


def test_a_file_that_is_no_rule_is_not_repeated(accord: Accord, demo: str) -> None:
    Path("secret").write_text("root:x:0:0\nhunter2:x:1:1\n" * 50)
    Path("bytes").write_bytes(b"\xff\xfehunter2")

    text, raw = (
        accord("try-rule", CONSULTING, each, "--since", "2026-Q1", "--store", demo)
        for each in ("secret", "bytes")
    )

    assert (text.code, raw.code) == (1, 2)
    assert "line 1 column 1" in text.err
    assert "is not text in UTF-8" in raw.err
    assert not any("hunter2" in each for each in (text.out, text.err, raw.out, raw.err))


def test_a_rule_as_json_may_be_longer_than_a_file_name(accord: Accord, demo: str) -> None:
    rule = {"rule": "x" * 300}

    ran = accord("try-rule", CONSULTING, json.dumps(rule), "--since", "2026-Q1", "--store", demo)

    assert ran.code == 1
    assert "nor a decision rule" in ran.err


def test_a_refused_input_is_kept_and_can_be_retried_once_its_reason_is_gone(
    accord: Accord,
) -> None:
    accord("init")
    accord("ingest", "-", stdin=candidate("north", subject="acme"))
    kept = accord("refusals", "--json").json["items"]
    early = accord("retry", "1")
    accord("ingest", "-", stdin=beginning("acme"))
    later = accord("retry", "1", "--json")

    assert [(each["number"], each["rule"]) for each in kept] == [(1, "no-such-partnership")]
    assert json.loads(kept[0]["message"])["type"] == "accord.IdentifyCandidate"
    assert early.code == 3
    assert (later.code, later.json["accepted"]) == (0, 1)
    assert accord("refusals", "--json").json["items"] == []
    every = accord("refusals", "--all", "--json").json["items"]
    assert [each["state"] for each in every] == ["resolved"]
    assert accord("list", "--json").json["items"][0]["events"] == 2


def test_the_types_that_can_be_sent_are_listed_in_the_order_of_a_partnerships_life(
    accord: Accord,
) -> None:
    types = [each["type"] for each in accord("schema", "--json").json["items"]]

    assert types[0] == "accord.BeginExploration"
    assert types.index("accord.ChoosePartner") < types.index("accord.SignAgreement")
    assert types.index("accord.HoldKickoff") < types.index("accord.ProposeCompletion")
    assert set(accord("schema").out.split()) >= set(types)


def test_a_type_has_its_fields_and_schema_and_the_metrics_their_units(accord: Accord) -> None:
    sign = accord("schema", "SignAgreement")
    report = accord("schema", "ReportMetric")
    metrics = {each["metric"]: each for each in accord("metrics", "--json").json["items"]}
    (one,) = accord("schema", "SignAgreement", "--json").json["items"]

    assert one["json_schema"]["properties"]["type"]["const"] == "accord.SignAgreement"
    assert "agreement_version  integer" in sign.out
    assert json.dumps(one["example"], separators=(",", ":")) in sign.out
    assert "demo_request_rate" in report.out
    assert "accord metrics" in report.err
    assert metrics["demo_to_won"]["unit"] == "percent"
    assert "demos, each summed" in accord("metrics").out


def test_a_field_of_an_optional_object_is_required_if_that_is_given(accord: Accord) -> None:
    def required(type: str) -> dict[str, str]:
        rows = [re.split(r"  +", line.strip()) for line in accord("schema", type).out.splitlines()]
        return {row[0]: row[-2] for row in rows if len(row) >= 4}

    terms = required("ProposeTerms")
    assert terms["effective_from"] == "yes"
    assert terms["frame"] == terms["frame.duration"] == "no"
    assert terms["frame.attribution.kind"] == "if attribution is given"
    assert terms["items[](revenue-share).share"] == "if items is given"
    assert terms["items[](revenue-share).tiers[].above"] == "if tiers is given"
    assert terms["items[](referral-fee).fee.currency"] == "if items is given"
    assert required("ReceivePayment")["amount.currency"] == "yes"


# --- what holds in a dispute -------------------------------------------------------------------

WAIVER = message("waiver", example(ProposeWaiver, rule="overlap-known"), subject="acme")


@pytest.fixture
def key(accord: Accord, tmp_path: Path) -> str:
    """The key of a party that has registered it."""
    Signer(b"1" * 32).save(tmp_path / "party.key")
    assert accord("init").code == 0
    accord("ingest", "-", stdin=beginning("acme"))
    event = accord(*REGISTER, "--key", "party.key").out.encode()
    assert accord("ingest", "-", "--json", stdin=event).json["accepted"] == 1
    return "party.key"


REGISTER = ("register-key", "acme", "--party", "growthos", "--actor", "maya.ortiz")


def test_a_party_signs_what_binds_it_from_the_command_line_alone(accord: Accord, key: str) -> None:
    unsigned = accord("ingest", "-", "--json", stdin=WAIVER)
    assert unsigned.json["refused"][0]["rule"] == "must-be-signed"

    signed = accord("sign", "-", "--key", key, stdin=WAIVER).out.encode()
    assert accord("ingest", "-", "--json", stdin=signed).json["accepted"] == 1
    assert accord("ingest", "-", "--json", stdin=signed).json["duplicates"] == 1


def test_a_party_that_lost_its_key_recovers_with_the_consent_of_the_other(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/signatures.md says: a new key, a proposal, and the signed consent of the other."""
    now = datetime(2027, 1, 12, 9, tzinfo=UTC)
    monkeypatch.setattr("infra.deciding.clock.wall_clock", lambda: now)
    feed = REPOSITORY / "examples" / "3-producer-renewal.jsonl"
    accord("init", "--simulated")
    accord("ingest", str(feed))
    by = {"helio-plus": "maya", "aurora-films": "boris"}
    for party, actor in by.items():
        register = ("register-key", "aurora-series", "--party", party, "--actor", actor)
        accord("keygen", f"{actor}.key")
        event = accord(*register, "--key", f"{actor}.key").out.encode()
        assert accord("ingest", "-", "--json", stdin=event).json["accepted"] == 1
    accord("keygen", "new.key")

    lost = ("--key", "new.key", "--lost-since", "2027-01-01")
    proposal = accord(
        "register-key", "aurora-series", "--party", "helio-plus", "--actor", "maya", *lost
    ).out.encode()
    assert accord("ingest", "-", "--json", stdin=proposal).json["accepted"] == 1
    inbox = accord("inbox", "aurora-series", "--party", "aurora-films", "--json").json
    offered = next(
        each
        for item in inbox["items"]
        for each in item["events"]
        if each["type"] == "accord.AgreeKeyRecovery"
    )
    assert offered.pop("missing") == []
    proposed = json.loads(proposal)
    filled = {"specversion": "1.0", "id": "consent", "source": "//aurora-films", "actor": "boris"}
    consent = {**offered, **filled, "time": proposed["time"]}
    signed = accord("sign", "-", "--key", "boris.key", stdin=json.dumps(consent).encode())
    assert accord("ingest", "-", "--json", stdin=signed.out.encode()).json["accepted"] == 1

    keys = accord("signatures", "aurora-series", "--json").json["keys"]
    of_party = {each["key"]: each["ended"] for each in keys if each["party"] == "helio-plus"}
    assert len(of_party) == 2
    assert sum(ended is None for ended in of_party.values()) == 1


def test_a_party_with_a_key_erases_a_person_by_its_signature_alone(
    accord: Accord, key: str
) -> None:
    asked = ("erase", "acme", "maya.ortiz", "--reason", "R", "--json")

    by_operator = accord(*asked)
    unsigned = accord(*asked, "--party", "growthos")
    signed = accord(*asked, "--party", "growthos", "--key", key)

    assert (by_operator.code, "each erasure of a person is signed" in by_operator.err) == (1, True)
    assert (unsigned.code, unsigned.json["refused"][0]["rule"]) == (3, "must-be-signed")
    assert (signed.code, len(signed.json["erased"])) == (0, 1)


def test_what_is_signed_is_written_as_it_will_be_recorded(
    accord: Accord, key: str, tmp_path: Path
) -> None:
    told = json.loads(WAIVER) | {"time": "2026-01-12T10:00:00+01:00"}
    (tmp_path / "feed.jsonl").write_text(json.dumps(told) + "\n" + json.dumps(told))
    assert accord("sign", "feed.jsonl", "--key", key, "-o", "signed.jsonl").out == ""

    lines = (tmp_path / "signed.jsonl").read_bytes().splitlines()
    payloads = [dsse.read(json.loads(line)).payload for line in lines]
    assert [each.event["time"] for each in payloads] == ["2026-01-12T09:00:00Z"] * 2
    assert len({each.nonce for each in payloads}) == 2


def test_what_has_names_or_secrets_is_written_for_its_owner_alone(
    accord: Accord, key: str, tmp_path: Path
) -> None:
    mask = os.umask(0)
    try:
        accord("sign", "-", "--key", key, "-o", "signed.jsonl", stdin=WAIVER)
        accord("ingest", "signed.jsonl", "--receipts", "receipts.jsonl")
        accord("audit", "bundle", "acme", "--for", "growthos", "--reason", "R", "-o", "for.zip")
        accord("keygen", "another.key")
        accord("keys", "create", "--party", "growthos", "--out", "growthos.token")
    finally:
        os.umask(mask)

    made = ("signed.jsonl", "receipts.jsonl", "for.zip", "another.key", "growthos.token")
    assert {name: oct((tmp_path / name).stat().st_mode & 0o777) for name in made} == dict.fromkeys(
        made, "0o600"
    )


def test_a_key_takes_the_place_of_another_by_a_signed_event(
    accord: Accord, key: str, tmp_path: Path
) -> None:
    Signer(b"2" * 32).save(tmp_path / "next.key")
    old = key_id(Signer(b"1" * 32).public)
    rotate = accord(*REGISTER, "--key", "next.key", "--replaces", old).out.encode()
    signed = accord("sign", "-", "--key", key, stdin=rotate).out.encode()
    assert accord("ingest", "-", "--json", stdin=signed).json["accepted"] == 1

    waiver = accord("sign", "-", "--key", key, stdin=WAIVER).out.encode()
    (refused,) = accord("ingest", "-", "--json", stdin=waiver).json["refused"]
    assert refused["rule"] == "command-key"


def test_what_can_only_be_refused_is_not_signed(accord: Accord, key: str) -> None:
    ran = accord(
        "sign", "-", "--key", key, stdin=WAIVER.replace(b"accord.ProposeWaiver", b"accord.G")
    )
    assert (ran.code, ran.out) == (3, "")
    assert "unknown-type" in ran.err


@pytest.mark.parametrize(("expires", "code"), [("15m", 0), ("2d", 0), ("soon", 2), ("2030", 2)])
def test_a_signature_lasts_for_a_while_or_until_a_moment(
    accord: Accord, key: str, expires: str, code: int
) -> None:
    assert accord("sign", "-", "--key", key, "--expires", expires, stdin=WAIVER).code == code


@pytest.mark.parametrize("expires", ["15", "soon", "1 hour", "0m", "2031-02-30"])
def test_the_hint_of_an_expiry_names_all_that_can_be_written(
    accord: Accord, key: str, expires: str
) -> None:
    ran = accord("sign", "-", "--key", key, "--expires", expires, stdin=WAIVER)

    said = " ".join(ran.err.replace("│", " ").split())
    assert "expires is not" in said
    assert f": '{expires}'. Write how long from now, as in" in said
    assert "15m, 1h or 7d, or until when, as in 2026-01-31 or 2026-01-31T09:00:00Z" in said


def test_what_expired_is_refused(accord: Accord, key: str) -> None:
    ran = accord("sign", "-", "--key", key, "--expires", "2026-01-12T10:00:00Z", stdin=WAIVER)
    (refused,) = accord("ingest", "-", "--json", stdin=ran.out.encode()).json["refused"]
    assert refused["rule"] == "command-expired"


def test_a_party_binds_the_log_to_the_checkpoint_that_it_saw(
    accord: Accord, key: str, tmp_path: Path
) -> None:
    with bootstrap(Settings(store="sqlite:///accord.db")) as store:
        leaves = list(store.history.leaves("acme"))
        signer = store.signing().seal.signer
        first, second, last = leaves  # the last one says that the operator sent the first key
        origin, root = "accord.local/acme", node_hash(node_hash(first, second), last)
        seen = Note(Checkpoint(origin, 3, root).text).signed(origin, signer)
        forked = Note(Checkpoint(origin, 3, bytes(32)).text).signed(origin, signer)
    for name, note in (("seen", seen), ("forked", forked)):
        (tmp_path / name).write_text(str(note), encoding="utf-8")

    def asked(seen: str, *more: str) -> Ran:
        return accord("sign", "-", "--key", key, "--seen", seen, *more, stdin=WAIVER)

    lines = asked("forked").out.encode()
    (refused,) = accord("ingest", "-", "--json", stdin=lines).json["refused"]
    assert refused["rule"] == "command-seen"
    lines = asked("seen").out.encode()
    assert accord("ingest", "-", "--json", stdin=lines).json["accepted"] == 1
    for wrong in (asked("seen", "--operator", "elsewhere"), asked(key)):
        assert (wrong.code, wrong.out) == (2, "")


def test_receipts_are_kept_in_a_file_and_made_again(accord: Accord, tmp_path: Path) -> None:
    accord("init", "--operator", "accord.example")
    feed = beginning("acme") + b"\n" + candidate("north", subject="acme")
    assert accord("ingest", "-", "--receipts", "receipts", stdin=feed).code == 0
    assert accord("ingest", "-", "--receipts", "receipts", stdin=feed).code == 0

    rows = [json.loads(line) for line in (tmp_path / "receipts").read_bytes().splitlines()]
    assert [each["id"] for each in rows] == 2 * ["begin-acme", "identify-north"]
    again = accord("audit", "receipt", "growthos", SOURCE, "identify-north").out
    assert again == rows[1]["receipt"] == rows[3]["receipt"]
    assert Promise.read(Note.read(again).text).origin == "accord.example/acme"
    answer = accord("audit", "receipt", "growthos", SOURCE, "identify-north", "--json").json
    assert answer == {"simulated": False, **rows[1]}


def test_there_is_no_receipt_of_what_was_not_recorded_or_without_a_key(
    accord: Accord, tmp_path: Path
) -> None:
    accord("init")
    assert accord("audit", "receipt", "growthos", SOURCE, "nothing").code == 1

    (tmp_path / "accord.db.key").unlink()
    ran = accord("ingest", "-", "--receipts", "receipts", stdin=beginning("acme"))
    assert (ran.code, "no signing key" in ran.err) == (1, True)
    assert accord("ingest", "-", "--json", stdin=beginning("acme")).json["accepted"] == 1


def test_an_operators_name_fits_a_signature_and_never_changes(accord: Accord) -> None:
    assert accord("init", "--operator", "two words").code == 2
    assert accord("init", "--operator", "accord.example").code == 0
    assert accord("init").code == 0
    other = accord("init", "--operator", "other").err
    assert "The operator of sqlite:///accord.db is accord.example" in other


# --- what comes out ----------------------------------------------------------------------------


def test_a_list_is_one_document_whole_or_page_by_page(accord: Accord, demo: str) -> None:
    whole = accord("list", "--json", "--store", demo).json
    first = accord("list", "--json", "--store", demo, "--limit", "2").json
    rest = accord("list", "--json", "--store", demo, "--after", first["next"]).json

    assert CONSULTING in [row["id"] for row in whole["items"]]
    assert (whole["simulated"], whole["next"]) == (True, None)
    assert first["items"] + rest["items"] == whole["items"]


READERS = [
    ("list",),
    ("show", CONSULTING),
    ("compare", CONSULTING, "--against", "2026-07-01"),
    ("history", CONSULTING),
    ("kpis", CONSULTING),
    ("funnel", CONSULTING),
    ("rules", CONSULTING),
    ("try-rule", CONSULTING, "conversion-floor", "--since", "2026-Q1"),
    ("alerts",),
    ("explain", f"referral-minimum@1/{CONSULTING}/2026-Q1"),
    ("explain", f"{CONSULTING}/demo_to_won/2026-Q1"),
    ("explain", f"issue-escalated@1/{CONSULTING}/issue-2"),
    ("list", "--at", "2026-06-30"),
    ("alerts", "--known", "2026-06-30"),
    ("portfolio",),
    ("candidates", CONSULTING),
    ("attributes", "payments"),
    ("audit", "verify"),
    ("refusals",),
]


@pytest.mark.parametrize("typed", READERS, ids=" ".join)
def test_a_simulated_store_says_so_in_all_that_is_printed(
    accord: Accord, demo: str, typed: tuple[str, ...]
) -> None:
    words = accord(*typed, "--store", demo)
    answer = accord(*typed, "--store", demo, "--json")

    assert words.code == answer.code == 0
    assert words.out
    assert SIMULATED in words.err
    found = answer.json if isinstance(answer.json, list) else [answer.json]
    assert all(each["simulated"] is True for each in found)
    assert answer.err == ""


@pytest.mark.parametrize(
    "typed", [("list",), ("show", "acme"), ("history", "acme"), ("audit", "verify")]
)
def test_an_ordinary_store_does_not_mention_simulation(
    accord: Accord, typed: tuple[str, ...]
) -> None:
    accord("init")
    accord("ingest", "-", stdin=beginning("acme"))

    words, answer = accord(*typed), accord(*typed, "--json")

    assert words.err == answer.err == ""
    assert "simulated" not in words.out + answer.out.replace('"simulated":false', "")


def test_a_date_means_the_whole_of_its_day_and_a_moment_itself(accord: Accord, demo: str) -> None:
    def stage(*when: str) -> str:
        return str(accord("show", CONSULTING, *when, "--store", demo, "--json").json["stage"])

    assert stage("--at", "2026-01-07") == "execution"
    assert stage("--at", "2026-01-07T08:59:59Z") == "formation"
    assert stage("--at", "2026-01-07T10:00:00+01:00") == "execution"
    assert stage("--known", "2026-01-06") == "formation"
    assert stage("--version", "1") == "exploration"


def test_the_state_is_shown_in_words(accord: Accord, demo: str) -> None:
    shown = accord("show", CONSULTING, "--at", "2026-03-31", "--store", demo).out

    assert shown.startswith(f"{CONSULTING}: execution\nGrowthOS and Northbridge Advisory\n")
    assert "candidates: 20 identified, 3 approached, 2 declined, northbridge chosen" in shown
    assert "terms in force on 2026-03-31: version 1" in shown
    assert "northbridge earns 15 % of the first-year revenue from each referred client" in shown
    assert "holds until 2029-01-01; the last day for notice is 2028-11-02" in shown


@pytest.mark.parametrize("name", ["spring-france", "spring-germany", "aurora-series"])
def test_every_kind_of_partnership_can_be_shown(accord: Accord, demo: str, name: str) -> None:
    assert accord("show", name, "--store", demo).out.startswith(f"{name}: ")


def test_the_history_says_who_did_what_when_and_what_came_late(accord: Accord, demo: str) -> None:
    lines = accord("history", CONSULTING, "--store", demo).out.splitlines()

    assert lines[0].split(maxsplit=3)[:3] == ["0", "2025-09-15", "09:00"]
    assert "growthos (maya.ortiz)" in lines[0]
    assert len([line for line in lines if line.endswith("[reported 4 days late]")]) == 2
    early = accord("history", CONSULTING, "--known", "2026-07-04", "--store", demo).out
    assert "[reported 4 days late]" not in early


def test_an_erased_person_is_in_no_answer_and_everything_still_holds(
    accord: Accord, tmp_path: Path
) -> None:
    with played(tmp_path) as store:
        store.runner.catch_up()
    own = ("--store", f"sqlite:///{tmp_path}/accord.db")
    asked: list[tuple[str, ...]] = [
        ("history", CONSULTING),
        ("show", CONSULTING),
        ("explain", f"{CONSULTING}/leads/2026-Q1"),
        ("explain", f"referral-minimum@1/{CONSULTING}/2026-Q1"),
        ("rules", CONSULTING),
        ("kpis", CONSULTING),
        ("alerts",),
        ("list",),
        ("portfolio",),
        ("refusals", "--all"),
    ]

    def answers() -> str:
        forms = [(*each, *more, *own) for each in asked for more in ((), ("--json",))]
        return "".join(accord(*each).out for each in forms)

    words = "".join(accord(*each, *own).out for each in asked)
    assert "person:" not in words
    before = answers()
    assert all(each in before for each in ("Sam Adeyemi", "sam.adeyemi"))
    reasoned = ("--reason", "R", *own)
    by_party = accord("erase", CONSULTING, "Sam Adeyemi", *reasoned, "--party", "northbridge")
    assert "growthos sent the name, too" in by_party.out
    by_other = accord("erase", CONSULTING, "Sam Adeyemi", *reasoned, "--party", "growthos")
    by_operator = accord("erase", CONSULTING, "sam.adeyemi", *reasoned, "--json")

    assert (by_party.code, by_other.code, by_operator.code) == (0, 0, 0)
    assert by_operator.json["erased"][0] in before
    after = answers()
    assert "Sam Adeyemi" not in after
    assert "sam.adeyemi" not in after
    assert f"(erased person {by_operator.json['erased'][0][7:15]})" in after
    assert accord("audit", "verify", *own).code == 0
    again = accord("erase", CONSULTING, "sam.adeyemi", *reasoned)
    assert (again.code, "no person of this name" in again.err) == (1, True)


def test_what_is_stored_of_a_person_is_exported_without_the_names_of_others(
    accord: Accord, tmp_path: Path
) -> None:
    with played(tmp_path):
        own = ("--store", f"sqlite:///{tmp_path}/accord.db")
        found = accord("subject-export", "SAM  Adeyemi", *own, "--json")
        words = accord("subject-export", "Sam Adeyemi", *own)
        nobody = accord("subject-export", "Nobody Known", *own)

    assert found.code == 0
    assert [
        (each["id"], each["party"], *(event["type"] for event in each["events"]))
        for each in found.json["partnerships"]
    ] == [
        (CONSULTING, "growthos", "KickoffHeld"),
        (CONSULTING, "northbridge", "ContactAssigned"),
    ]
    assert all(each["commitment"] in str(each["events"]) for each in found.json["partnerships"])
    assert "maya" not in found.out.lower()
    assert f"{CONSULTING}: 1 event of northbridge" in words.out
    assert (nobody.code, "Nobody Known" in nobody.err) == (1, True)


def test_who_is_no_party_erases_nobody(accord: Accord, tmp_path: Path) -> None:
    with played(tmp_path):
        own = ("--store", f"sqlite:///{tmp_path}/accord.db")
    asked = ("erase", CONSULTING, "Sam Adeyemi", "--reason", "R", "--party", "passer-by", *own)

    assert accord(*asked).code == 3
    assert "Sam Adeyemi" in accord("show", CONSULTING, *own).out


def test_figures_are_compared_to_the_minimum_to_earlier_periods_and_to_other_channels(
    accord: Accord, demo: str
) -> None:
    third = accord("kpis", CONSULTING, "--period", "2026-Q3", "--store", demo).out
    second = accord("kpis", CONSULTING, "--period", "2026-Q2", "--store", demo).out
    spain = accord("kpis", "spring-spain", "--period", "2026-05", "--store", demo).out

    assert "minimum of northbridge 10 (terms version 1): 140 %" in third
    assert "+75 %" in third
    assert "minimum of northbridge 10 (terms version 1): 80 %, short by 2" in second
    assert "against other channels: +5 points, ×1.3333" in second
    assert "+9 points, ×5.5 since 2026-02" in spain
    assert "insufficient evidence" in spain


def test_a_rate_is_shown_with_its_interval(accord: Accord, demo: str) -> None:
    webinars = accord("kpis", CONSULTING, "--period", "2025-10", "--store", demo).out
    explained = accord("explain", f"{CONSULTING}/demo_to_won/2026-Q1", "--store", demo).out

    assert "in northbridge" in webinars
    assert "8 %  4.7–13.5 %" in webinars
    assert "95 % likely from 4.3272 to 64.1235 %" in explained
    assert "prior: Beta(1, 1), none agreed" in explained


def test_the_funnel_names_its_worst_step_and_other_channels(accord: Accord, demo: str) -> None:
    words = accord("funnel", CONSULTING, "--period", "2026-Q3", "--store", demo)
    answer = accord("funnel", CONSULTING, "--store", demo, "--json").json

    assert words.out.startswith(f"{CONSULTING}, 2026-Q3")
    assert "the worst step" in words.out
    assert answer["funnel"]["worst"] == "won"
    assert [each["metric"] for each in answer["funnel"]["cohorts"]] == ["demo_to_won"]
    early = accord("funnel", CONSULTING, "--known", "2026-01-31", "--store", demo, "--json").json
    leads = [each["funnel"]["steps"][0]["count"] for each in (early, answer)]
    assert leads == ["3", "30"]


def test_agreed_rules_are_listed_and_any_rule_can_be_tried(accord: Accord, demo: str) -> None:
    rules = accord("rules", "aurora-series", "--store", demo)
    assert "conversion-floor        1" in rules.out

    def tried(rule: str, *when: str) -> Ran:
        typed = ("try-rule", "aurora-series", rule, "--since", "2026-Q1", *when)
        return accord(*typed, "--store", demo)

    assert "withdrawn  2026-07-01  2026-Q2" in tried("conversion-floor").out
    assert (
        "open       2026-07-01  2026-Q2" in tried("conversion-floor", "--known", "2026-07-15").out
    )
    (agreed,) = accord("rules", "aurora-series", "--store", demo, "--json").json["rules"]
    rule = {**agreed["rule"], "credibility": "95"}
    Path("sure.json").write_text(json.dumps(rule), encoding="utf-8")
    assert "It would have raised no alert." in tried("sure.json").out
    assert "Perhaps conversion-floor?" in tried("conversion-flor").err


def test_a_file_that_holds_no_rule_says_what_is_wrong(accord: Accord, demo: str) -> None:
    Path("bad.json").write_text('{"rule": "x"}', encoding="utf-8")

    ran = accord("try-rule", "aurora-series", "bad.json", "--since", "2026", "--store", demo)

    assert ran.code == 1
    assert "metric: Field required" in ran.err


def test_an_experiment_sets_its_variants_side_by_side(accord: Accord) -> None:
    accord("init", "--simulated")
    accord("ingest", "-", stdin=b"\n".join(from_steps(LIFE)))

    words = accord("experiments", NAME).out
    early = accord("experiments", NAME, "--known", "2026-02-10", "--json").json

    assert "plain (control)   8/200   4 %" in words
    assert "+8 points, ×3" in words
    assert "stop: 200 trials of each variant, level 95 %; met, figures wins" in words
    assert "figures was promoted into: The joint page from April on" in words
    assert early["experiments"][0]["state"] == "running"
    assert "There are no experiments." in accord("experiments", NAME, "--known", "2026-01-01").err
    assert "Beta(2, 18)" in accord("rules", NAME).out


def test_an_alert_is_explained_in_words(accord: Accord, demo: str) -> None:
    reference = "conversion-floor@1/aurora-series/2026-Q2"
    told = accord("explain", reference, "--store", demo).out

    assert told.startswith(f"{reference}: withdrawn\n")
    assert "lead to opportunity as reported below 5 % in 2 quarters in a row" in told
    assert "restated since" in told


def test_alerts_are_filtered_by_state(accord: Accord, demo: str) -> None:
    states = ("open", "resolved", "withdrawn")
    found = {
        state: accord("alerts", "--state", state, "--json", "--store", demo).json["items"]
        for state in states
    }

    assert {state: len(rows) for state, rows in found.items()} == {
        "open": 5,
        "resolved": 124,
        "withdrawn": 5,
    }
    assert (
        "There are no such alerts."
        in accord("alerts", "spring-spain", "--state", "open", "--store", demo).err
    )


def test_lists_are_given_as_of_a_time(accord: Accord, demo: str) -> None:
    def typed(*words: str) -> Ran:
        return accord(*words, "--store", demo)

    assert "cobalt-docs formation" in " ".join(typed("list", "--at", "2026-02-28").out.split())
    found = typed("alerts", "aurora-series", "--state", "open", "--known", "2026-07-20")
    assert "conversion-floor@1/aurora-series/2026-Q2" in found.out
    told = typed("explain", "conversion-floor@1/aurora-series/2026-Q2", "--known", "2026-07-20")
    assert "as they were known then" in told.out


def test_the_portfolio_says_which_are_off_track_and_on_which_one_depends(
    accord: Accord, demo: str
) -> None:
    told = accord("portfolio", "--at", "2026-06-30", "--store", demo).out

    assert "1 of 2 active on track" in told
    assert "spring-france: off track (1 off track, 2 open)" in told
    assert "off track, new subscribers: 1240 of 8000 by 2026-06-30, 15.50 % of the target" in told
    assert "All of it comes from one partner, northbridge." in told
    assert "without a partner: spring-germany" in told


def test_candidates_are_ranked_with_their_reasons(accord: Accord, demo: str) -> None:
    told = accord("candidates", CONSULTING, "--store", demo).out.splitlines()

    assert told[1].split()[:3] == ["1", "northbridge", "chosen"]
    assert "score 13 of 15 under profile 1" in told[1]


def test_few_partners_are_no_proof(accord: Accord, demo: str) -> None:
    told = accord("attributes", "new_subscribers", "--period", "2026-Q2", "--store", demo).out

    assert "Too few partners to compare: 2, and 10 are needed (C21)." in told
    assert "SLOPE" not in told


@pytest.fixture
def growing(tmp_path: Path) -> Settings:
    """A store with the beginning of the first example, up to a day on which alerts are open."""
    settings = Settings(store=f"sqlite:///{tmp_path}/growing.db")
    init(settings, simulated=True)
    grow(settings, slice(GROWN))
    return settings


GROWN = next(
    place
    for place, line in enumerate(FEEDS[0].read_bytes().splitlines())
    if b'"time":"2026-07-19' in line
)
"""The lines of the first example up to a day on which three alerts are open besides leads."""


def grow(settings: Settings, part: slice) -> None:
    with bootstrap(settings) as store:
        store.service.handle(FEEDS[0].read_bytes().splitlines()[part])
        store.runner.catch_up()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_follower_sees_what_is_open_and_then_each_change_until_it_is_interrupted(
    growing: Settings, *, as_json: bool
) -> None:
    typed = ["follow", CONSULTING, "--store", growing.store]
    follower = subprocess.Popen(
        [*PROGRAM, *typed, *(["--json"] if as_json else [])],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
    )
    assert follower.stdout is not None
    with follower, closing(follower.stdout) as lines:
        others = (each for each in lines if "lead-unanswered" not in each)
        stands = [next(others) for _ in range(3)]
        grow(growing, slice(GROWN, None))
        changes = [next(others) for _ in range(10)]
        follower.send_signal(signal.SIGINT)
        ended = follower.wait(20)

    if not as_json:
        assert all(" Acts: " in line for line in stands)
    if as_json:
        stands = [json.loads(line)["state"] for line in stands]
        changes = [json.loads(line)["state"] for line in changes]
    assert sum("open" in line for line in stands) == 3
    ends = ["resolved" in line for line in changes]
    # Once one says that a review was held, its reminder ends. Once one proposes how a dispute ends,
    # the other alone acts.
    assert ends == [False, True, False, False, True, False, True, True, True, False]
    assert ended == 0


def test_verify_finds_a_position_that_was_moved_back_and_names_it(
    accord: Accord, growing: Settings
) -> None:
    def move_back() -> None:
        with closing(sqlite3.connect(growing.path)) as connection, connection:
            sql = "UPDATE positions SET idx = 3 WHERE partnership = ?"
            connection.execute(sql, (CONSULTING,))

    whole = accord("audit", "verify", "--store", growing.store)
    move_back()
    broken = accord("audit", "verify", "--store", growing.store)
    again = accord("audit", "verify", "--store", growing.store)
    move_back()
    answer = accord("audit", "verify", "--store", growing.store, "--json")

    assert whole.code == 0
    assert whole.out.startswith("No difference found.\n1 partnership, 289 events: each log is as")
    assert broken.code == answer.code == 1
    assert f"Difference in {CONSULTING}: positions, {CONSULTING}." in broken.out
    assert answer.json["verified"] is False
    assert answer.json["differences"][0]["where"] == "positions"
    # The partnership was folded anew, to the same rows and outputs.
    assert (again.code, again.out) == (0, whole.out)


def test_verify_finds_a_changed_row_and_names_it(accord: Accord, growing: Settings) -> None:
    with closing(sqlite3.connect(growing.path)) as connection, connection:
        connection.execute("UPDATE rows SET body = x'7b7d' WHERE key = '2026-01'")
    broken = accord("audit", "verify", "--store", growing.store)
    answer = accord("audit", "verify", "--store", growing.store, "--json")

    assert broken.code == answer.code == 1
    assert f"Difference in {CONSULTING}: kpis, 2026-01." in broken.out
    assert answer.json["verified"] is False
    assert answer.json["differences"][0]["where"] == "kpis"
    assert answer.json["differences"][0]["hint"].startswith("Run accord rebuild")


# --- all together ------------------------------------------------------------------------------


def test_the_demo_makes_its_store_and_prints_the_story_of_the_examples(accord: Accord) -> None:
    examples = str(REPOSITORY / "examples")
    told = accord("demo")
    again = accord("demo", "--examples", examples, "--json").json

    assert told.code == 0
    assert told.out.startswith("Played 5 feeds: 833 accepted, 11 refused.")
    assert "GrowthOS and Northbridge Advisory (growthos-consulting)" in told.out
    for figure in (
        "5.5556 % (15/270)",
        "8 % (12/150)",
        "20 % (1/5)",
        "14 of 10",
        "11 % in 2026-05",
    ):
        assert figure in told.out
    assert f"resolved   2026-04-01  referral-minimum@1/{CONSULTING}/2026-Q1" in told.out
    assert "notice-period: The gate to exit is closed" in told.out
    assert SIMULATED in told.err
    assert (again["accepted"], again["duplicates"], len(again["refused"])) == (0, 833, 11)
    assert len(again["partnerships"]) == 7
    assert again["simulated"] is True


# --- how it ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("list", "--store", "sqlite:///none.db"), "Make it with accord init"),
        (("list", "--store", "postgresql://127.0.0.1:1/x"), "Connection refused"),
        (("list", "--store", "sqlite:///text.db"), "Check its address"),
        (("show", "growthos-consultng"), f"Perhaps {CONSULTING} or"),
        (("show", CONSULTING, "--version", "999"), "Ask for version 1 to 374"),
        (("show", CONSULTING, "--at", "2020-01-01"), "first event is at 2025-09-15"),
        (("explain", f"{CONSULTING}/leeds/2026-Q1"), "Perhaps leads"),
        (("ingest", "missing.jsonl"), "missing.jsonl: No such file"),
        (("ingest", "."), "Is a directory"),
        (("retry", "99"), "List the open refusals"),
        (("schema", "SignAgreemant"), "Perhaps accord.SignAgreement"),
        (("demo", "--examples", "nowhere"), "accord demo --examples DIR"),
    ],
)
def test_what_goes_wrong_is_one_line_that_names_the_mend(
    accord: Accord, demo: str, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], says: str
) -> None:
    Path("text.db").write_text("This is no database, and long enough not to look like one.")
    monkeypatch.setenv("ACCORD_STORE", demo)

    ran = accord(*typed)

    (line,) = [each for each in ran.err.splitlines() if not each.startswith(SIMULATED)]
    assert ran.code == 1
    assert line.startswith("accord: ")
    assert says in line
    assert ran.out == ""


def test_a_locked_store_has_its_own_error(
    accord: Accord, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from infra.store import sqlite_datastore  # noqa: PLC0415 - only this test needs it

    # Of 0 the library makes its own five seconds.
    monkeypatch.setattr(sqlite_datastore, "LOCK_TIMEOUT", 0.1)
    store = Settings(store=demo)
    with bootstrap(store) as other, other.history.datastore.writing():  # type: ignore[attr-defined]
        ran = accord("ingest", "-", "--store", demo, stdin=beginning("acme", at="2027-02-01"))

    assert ran.code == 1
    assert "locked by another process" in ran.err


def test_a_fault_of_the_program_is_not_hidden(
    accord: Accord, demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("infra.answers.partnerships._now", fault)

    with pytest.raises(ZeroDivisionError):
        accord("list", "--store", demo)


@pytest.mark.parametrize(
    "typed",
    [
        ("frobnicate",),
        ("ingest",),
        ("show", CONSULTING, "--at", "yesterday"),
        ("show", CONSULTING, "--at", "2026-01-01T00:00:00"),
        ("show", CONSULTING, "--version", "0"),
        ("kpis", CONSULTING, "--period", "2026-13"),
        ("alerts", "--state", "smouldering"),
    ],
)
def test_a_command_that_is_not_understood_ends_with_2(
    accord: Accord, typed: tuple[str, ...]
) -> None:
    assert accord(*typed).code == 2


def test_the_help_explains_exit_codes_and_dates(accord: Accord) -> None:
    told = " ".join(accord("--help", columns=100).out.split())

    for code, what in options.EXIT_CODES.items():
        assert f"{code} {what}" in told
    assert "the whole of that day" in accord("show", "--help", columns=200).out


def test_it_says_which_release_it_is(accord: Accord) -> None:
    assert accord("--version").out == f"accord {RELEASE}\n"


def test_the_help_shows_every_command_in_its_panel_and_place(accord: Accord) -> None:
    panels = [each.value for each in Panel]
    shown = re.findall(r"(?m)^(?:╭─ (\w+) ─|│ ([a-z][a-z-]+) )", accord("--help", columns=200).out)

    assert [panel for panel, _ in shown if panel] == ["Options", *panels]
    assert [name for _, name in shown if name in options.COMMANDS] == list(options.COMMANDS)


def test_the_help_of_audit_shows_every_command_in_its_place(accord: Accord) -> None:
    shown = re.findall(r"(?m)^│ ([a-z][a-z-]+) ", accord("audit", "--help", columns=200).out)

    assert shown == list(options.AUDIT)


@pytest.mark.parametrize("served", ["up", "audit witness"])
def test_a_port_in_use_is_reported_as_such(accord: Accord, tmp_path: Path, served: str) -> None:
    accord("init")
    Signer.new().save(tmp_path / "w.key")
    verifier = accord("keygen", "w.key", "--name", "w.example", "--json").json["signs"]
    mine = ("--name", "w.example", "--key", "w.key", "--state", "seen.db", "--log", verifier)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ran = accord(*served.split(), "--port", port, *(mine if "witness" in served else ()))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"accord: Port {port} of 127.0.0.1 is in use by another process. "
        "Choose another with --port, or stop that process.\n"
    )


def test_an_unknown_kind_of_sink_is_reported_as_such(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCORD_SINK_PAGER", "http://ops.example")
    accord("init")
    ran = accord("up", "--open", "--port", "0")

    assert ran.code == 1
    assert "accord: There is no kind of sink pager. Use one of webhook.\n" in ran.err


def test_an_address_of_another_machine_is_reported_as_such(accord: Accord) -> None:
    accord("init")
    ran = accord("up", "--host", "192.0.2.1", "--port", "0")

    assert ran.code == 1
    assert ran.err.startswith("accord: Cannot listen on 192.0.2.1: ")
    assert "Give an address of this machine." in ran.err


def test_the_reader_of_a_pipe_may_leave(demo: str) -> None:
    reader = subprocess.Popen(
        [*PROGRAM, "history", CONSULTING, "--json", "--store", demo],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert reader.stdout is not None
    assert reader.stderr is not None
    with reader:
        reader.stdout.read(10)
        reader.stdout.close()
        said = reader.stderr.read()

    assert b"Traceback" not in said


# --- how it looks ------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("typed", [*READERS, ("schema",), ("metrics",)], ids=" ".join)
def test_nothing_is_cut_off_where_the_terminal_is_narrow(
    accord: Accord, demo: str, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], columns: int
) -> None:
    monkeypatch.setenv("ACCORD_STORE", demo)
    wide = accord(*typed).out
    narrow = accord(*typed, columns=columns).out

    def letters(text: str) -> list[str]:
        return sorted("".join(text.split()))

    assert letters(narrow) == letters(wide)
    assert max(map(len, narrow.splitlines())) <= columns
    assert not any(line.endswith(" ") for line in narrow.splitlines())


def test_what_a_terminal_would_obey_is_shown_as_its_code(accord: Accord) -> None:
    accord("init")
    event = json.dumps({"id": "\x1b[2J", "source": "x", "type": "y", "specversion": "1.0"})
    ran = accord("ingest", "-", stdin=event.encode())
    kept = accord("refusals")

    assert "\x1b" not in ran.out + kept.out
    assert r"\x1b[2J" in ran.out
    assert r"\x1b[2J" in kept.out


# --- money, reviews, who sees what -------------------------------------------------------------


def test_a_statement_shows_who_owes_how_much_and_why(accord: Accord, demo: str) -> None:
    asked = ("statement", CONSULTING, "--period", "2026-Q2", "--store", demo)
    told, answer = accord(*asked), accord(*asked, "--json").json

    assert "growthos paid northbridge 2175.00 USD" in told.out
    assert "terms version 1; reported 4 days late" in told.out
    (issued,) = answer["statements"]
    assert (issued["state"], len(issued["lines"])) == ("settled", 3)
    assert issued["balance"]["amount"] == "2175.00"
    assert answer["simulated"] is True


def test_to_settle_too_early_is_refused_and_to_settle_again_adds_nothing(
    accord: Accord, demo: str
) -> None:
    early = accord("settle", CONSULTING, "--period", "2030", "--store", demo)
    again = accord("settle", CONSULTING, "--period", "2026-Q1", "--store", demo, "--json")

    assert early.code == 3
    assert "period-not-over" in early.out
    assert again.code == 0
    assert [each["statement"] for each in again.json["statements"]] == ["2026-Q1:USD"]


def test_a_review_is_one_page(accord: Accord, demo: str) -> None:
    told = accord("review", CONSULTING, "review-2026-q3", "--store", demo)
    unknown = accord("review", CONSULTING, "review-2026-q9", "--store", demo)

    assert len(told.out.splitlines()) < 60
    assert "contributions of both sides" in told.out
    assert "Perhaps review-2026-q" in unknown.err


def test_a_party_and_everything_are_not_asked_for_at_once(accord: Accord, demo: str) -> None:
    both = accord("show", CONSULTING, "--party", "growthos", "--full", "why", "--store", demo)

    assert both.code == 2
    assert "--full is the operator's" in both.err


def test_a_look_at_everything_is_recorded_before_it_is_answered(
    accord: Accord, growing: Settings
) -> None:
    def events() -> int:
        with bootstrap(growing) as store:
            return store.history.size()

    before = events()
    told = accord("show", CONSULTING, "--full", "A complaint.", "--store", growing.store)

    assert "best alternative (BATNA)" in told.out
    assert events() == before + 1
    history = accord("history", CONSULTING, "--store", growing.store).out
    assert "viewed the private statements of both parties" in history
    assert "A complaint." in history


def test_a_look_is_recorded_in_words_without_the_address_of_the_store(
    accord: Accord, growing: Settings
) -> None:
    look = ("--full", "A complaint.", "--at", "2026-06-30", "--version", "200")
    assert accord("show", CONSULTING, *look, "--store", growing.store).code == 0

    with bootstrap(growing) as store:
        taken = [
            each.event
            for each in logs.stored_log(store.history, CONSULTING)
            if isinstance(each.event, FullViewTaken)
        ]
    assert taken[-1].question == (
        f"Show the state of a partnership; id {CONSULTING}; version 200; "
        "at 2026-06-30T23:59:59.999999Z"
    )


def test_no_argument_has_a_password(accord: Accord) -> None:
    refused = accord("list", "--store", "postgresql://ana:secret@127.0.0.1:1/accord")

    assert refused.code == 2
    said = " ".join(refused.err.replace("│", " ").split())
    assert "An argument must not have a password. Set ACCORD_STORE to the address" in said
    assert "secret" not in refused.err


@pytest.mark.parametrize("reason", ["", " ", "a" * 2001])
def test_a_full_view_needs_a_reason(accord: Accord, demo: str, reason: str) -> None:
    ran = accord("show", CONSULTING, "--full", reason, "--store", demo)

    assert ran.code == 2
    assert "say why you look" in " ".join(ran.err.replace("│", " ").split())


@pytest.mark.parametrize("command", ["alerts", "markets", "rebuild", "funnel", "kpis"])
def test_help_shows_no_type_of_the_program(accord: Accord, command: str) -> None:
    shown = accord(command, "--help").out

    assert "typing." not in shown
    assert "Constraints" not in shown
