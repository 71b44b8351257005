"""The operator's commands for a dispute, as they are typed."""

import sqlite3
from contextlib import closing
from datetime import UTC
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest

from domain.values import moment_words
from infra.audit import timestamps
from infra.tlog.notes import Checkpoint, Note, Verifier
from tests.audit.test_timestamps import Authority, serving
from tests.documents import REPOSITORY
from tests.journeys.typed import Accord

CONSULTING = "growthos-consulting"


@pytest.fixture
def store(accord: Accord, tmp_path: Path) -> Path:
    """A store with the first feed in it; it is the one that is meant where none is named."""
    accord("init", "--simulated", "--operator", "accord.example")
    accord("ingest", str(REPOSITORY / "examples" / "1-growthos.jsonl"))
    return tmp_path / "accord.db"


def tamper(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_checkpoint_is_signed_by_the_printed_key(accord: Accord, store: Path) -> None:
    key = accord("audit", "log-key", CONSULTING)
    note = accord("audit", "checkpoint", CONSULTING)
    again = accord("audit", "checkpoint", CONSULTING, "--json")

    assert store.with_name("accord.db.key").stat().st_mode & 0o777 == 0o600
    assert key.out.startswith(f"accord.example/{CONSULTING}+")
    assert Note.read(note.out).by(Verifier.read(key.out.strip()))
    assert again.json["note"] == note.out
    unknown = accord("audit", "checkpoint", "nobody")
    assert (unknown.code, "There is no partnership nobody." in unknown.err) == (1, True)


def test_a_bundle_is_written_once_and_says_what_is_to_be_pinned(
    accord: Accord, store: Path
) -> None:
    asked = ("audit", "bundle", CONSULTING, "--reason", "A dispute.", "-o", "evidence.zip")
    made = accord(*asked, "--statement", "2026-Q2")
    assert made.code == 0
    assert accord("audit", "log-key", CONSULTING).out.strip() in made.out
    assert store.with_name("evidence.zip").exists()
    last = accord("history", CONSULTING).out.strip().splitlines()[-1]
    assert "exported an evidence bundle: A dispute." in last

    again = accord(*asked)
    assert (again.code, "evidence.zip: File exists" in again.err) == (1, True)
    for wrong in (("--for", "nobody"), ("--statement", "2031-Q1x"), ("--alert", "no@1/alert/x")):
        refused = accord(*asked[:-1], "other.zip", *wrong)
        assert refused.code == 1
        assert not store.with_name("other.zip").exists()


def test_what_no_longer_is_what_was_signed_is_handed_out_with_a_warning(
    accord: Accord, store: Path
) -> None:
    accord("audit", "checkpoint", CONSULTING)
    accord("audit", "bundle", CONSULTING, "--reason", "Before.", "-o", "before.zip")
    tamper(
        store,
        "UPDATE events SET body = CAST(replace(body, 'lesson', 'lesion') AS BLOB), leaf = leaf",
    )
    found = accord("audit", "verify")
    assert found.code == 1
    signed = accord("audit", "checkpoint", CONSULTING)
    assert (signed.code, signed.out) == (1, "")
    assert "differs from what was recorded. Nothing is signed over it" in signed.err
    tamper(store, "DELETE FROM events WHERE idx > 340")
    tamper(store, "UPDATE heads SET size = 341")
    made = accord("audit", "bundle", CONSULTING, "--reason", "After.", "-o", "after.zip")
    assert made.code == 1
    assert "The store differs from what was signed" in made.err


def test_an_auditor_goes_on_from_what_it_found_good(accord: Accord, store: Path) -> None:
    accord("audit", "checkpoint", CONSULTING)
    assert accord("audit", "verify", "--memory", "good").code == 0
    name, size, _ = store.with_name("good").read_text().split()
    assert (name, int(size) > 300) == (CONSULTING, True)
    assert accord("audit", "verify", "--memory", "good").code == 0
    # It goes on from there, but what it remembers must still be so.
    tamper(
        store,
        "UPDATE events SET body = CAST(replace(body, 'GrowthOS', 'Growths') AS BLOB), "
        "leaf = zeroblob(32) WHERE idx = 0",
    )
    assert accord("audit", "verify", "--memory", "good").code == 1


def test_two_accounts_of_one_log_are_compared(accord: Accord, store: Path) -> None:
    key = accord("audit", "log-key", CONSULTING).out.strip()
    Path("first").write_text(accord("audit", "checkpoint", CONSULTING).out)
    accord("audit", "bundle", CONSULTING, "--reason", "One.", "-o", "one.zip")
    grown = accord("audit", "diff", "first", "one.zip", "--log", key)
    assert (grown.code, "has grown from" in grown.out) == (0, True)

    # The operator tells another history, and signs that, too.
    tamper(
        store,
        "UPDATE events SET body = CAST(replace(body, '2025-09-16T', '2025-09-15T') AS BLOB) "
        "WHERE idx = 1",
    )
    from infra.tlog.merkle import leaf_hash  # noqa: PLC0415 - what it takes to lie

    with closing(sqlite3.connect(store)) as connection:
        connection.create_function("leaf", 1, leaf_hash)
        connection.execute("UPDATE events SET leaf = leaf(body)")
        for table in ("trees", "nodes", "checkpoints"):
            connection.execute(f"DELETE FROM {table}")
        connection.commit()
    accord("audit", "bundle", CONSULTING, "--reason", "Two.", "-o", "two.zip")
    forked = accord("audit", "diff", "one.zip", "two.zip", "--log", key, "-o", "fork.json")
    assert (forked.code, "two histories" in forked.out) == (3, True)
    assert "part at index 1" in forked.out
    assert accord("audit", "diff", "fork.json", "--log", key).code == 3

    stranger = accord("audit", "diff", "one.zip", "two.zip")
    assert (stranger.code, "--log" in stranger.err) == (2, True)
    wrong = accord("audit", "diff", "first", "accord.db", "--log", key)
    assert (wrong.code, "is neither a bundle nor a checkpoint" in wrong.err) == (1, True)


@pytest.mark.needs("openssl")
def test_an_outside_authority_timestamps_a_checkpoint(
    accord: Accord, store: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "authority")
    (tmp_path / "roots.pem").write_bytes(authority.root)
    with serving(authority) as url:
        asked = ("audit", "timestamp", CONSULTING, "--authority", url, "--roots")
        told = accord(*asked, "roots.pem")
        wrong = accord(*asked, "evidence.zip")
    assert told.code == 0, told.err
    assert "existed at 20" in told.out
    assert wrong.code == 1

    accord("audit", "bundle", CONSULTING, "--reason", "A dispute.", "-o", "evidence.zip")
    with ZipFile(store.with_name("evidence.zip")) as archive:
        (stamp,) = [each for each in archive.namelist() if each.endswith(".tsr")]
        lines = archive.read("data/checkpoints.jsonl").splitlines()
        size = int(Path(stamp).stem)
        texts = [Note.read(orjson.loads(each)["note"]).text for each in lines]
        (text,) = [each for each in texts if Checkpoint.read(each).size == size]
        answer = archive.read(stamp)
    at = timestamps.verify(answer, text, timestamps.roots(authority.root))
    assert moment_words(at.astimezone(UTC)) in told.out
