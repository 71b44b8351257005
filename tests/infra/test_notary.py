"""The verifiable log in both stores: it grows with the history, and signs what stands there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from infra.audit import cosigning, http_client
from infra.audit.cosigning import Collected
from infra.audit.log import TILE, Altered, Log
from infra.audit.notary import Notary, Seal
from infra.bootstrap import open_store
from infra.settings import Settings
from infra.store.history import History
from infra.store.trees import Trees
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.merkle import leaf_hash
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier
from infra.tlog.policy import Policy, PolicyWitness
from tests.infra.noted import NOON, noted, noted_is_known
from tests.infra.told import Told

SIGNER = Signer(b"1" * 32)
MANY = 3 * TILE + 17
"""Enough that proofs need saved nodes and leaves."""

Store = tuple[History, Trees]


@pytest.fixture
def both(address: str) -> Iterator[Store]:
    history, _, trees = open_store(Settings(store=address))
    with closing(history), noted_is_known():
        yield history, trees


@pytest.fixture
def clock() -> Told:
    told = Told()
    told.now = NOON + timedelta(hours=1)
    return told


def record(history: History, count: int, name: str = "acme") -> None:
    head = history.heads([name]).get(name)
    first = head.size + 1 if head else 1
    history.append([noted(name, version) for version in range(first, first + count)])


def sql(address: str, statement: str) -> None:
    """What somebody does who goes around the store."""
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as connection:
            connection.execute(statement)
            connection.commit()
        return
    with psycopg.connect(address) as connection:
        connection.execute(statement.replace(" events", " history.events"))


def test_a_checkpoint_has_the_size_and_root_of_the_log(both: Store, clock: Told) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], 5)
    note = notary.checkpoint("acme")
    leaves = [leaf_hash(body) for body in both[0].bodies("acme")]
    tree = merkle.Tree()
    for leaf in leaves:
        tree.add(leaf)
    assert Checkpoint.read(note.text) == Checkpoint("accord.example/acme", 5, tree.root())
    assert note.by(notary.seal.verifier("acme"))
    assert notary.seal.time(note) == clock.now
    assert notary.checkpoint("acme") == note == notary.latest("acme")


def test_each_checkpoint_is_proved_to_have_grown_out_of_every_one_before(
    both: Store, clock: Told
) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    signed = []
    for more in (1, TILE - 1, 1, MANY - TILE - 1):
        record(both[0], more)
        signed.append(Checkpoint.read(notary.checkpoint("acme").text))
    held = Log(*both, "acme")
    for one in signed:
        assert held.root(one.size) == one.root
        for other in signed:
            if one.size < other.size:
                path = held.consistency(one.size, other.size)
                assert merkle.consistent(one.size, other.size, one.root, other.root, path)


def test_each_event_is_proved_to_be_in_it(both: Store, clock: Told) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], MANY)
    last = Checkpoint.read(notary.checkpoint("acme").text)
    held = Log(*both, "acme")
    for index in (0, 1, TILE - 1, TILE, 2 * TILE + 5, MANY - 1):
        (body,) = both[0].bodies("acme", index, index + 1)
        path = held.inclusion(index, MANY)
        assert merkle.included(index, MANY, leaf_hash(body), path, last.root)


def test_signing_costs_only_the_new_events(both: Store, clock: Told) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], MANY)
    notary.checkpoint("acme")
    read: list[tuple[int, int | None]] = []

    class Watched(Log):
        def _checked(self, start: int, stop: int) -> Iterator[bytes]:
            read.append((start, stop))
            return super()._checked(start, stop)

    record(both[0], 2)
    Watched(*both, "acme").grow()
    assert read == [(MANY, MANY + 2)]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("UPDATE events SET body = body || ' ' WHERE idx = 3", 3),
        ("DELETE FROM events WHERE idx = 2", 2),
    ],
    ids=["edited", "taken-out"],
)
def test_nothing_is_signed_over_what_was_altered_meanwhile(
    both: Store, clock: Told, address: str, statement: str, index: int
) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], 5)
    if address.startswith("sqlite"):
        statement = statement.replace("body || ' '", "CAST(body || ' ' AS BLOB)")
    else:
        statement = statement.replace("body || ' '", "body || decode('20', 'hex')")
    sql(address, statement)
    with pytest.raises(Altered, match="Nothing is signed") as told:
        notary.checkpoint("acme")
    assert told.value.index == index
    assert notary.latest("acme") is None


def test_a_log_that_lost_what_was_signed_signs_no_more(
    both: Store, clock: Told, address: str
) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], 5)
    notary.checkpoint("acme")
    sql(address, "DELETE FROM events WHERE idx >= 3")
    if address.startswith("sqlite"):
        sql(address, "UPDATE heads SET size = 3")
    with pytest.raises(Altered, match="missing") as told:
        notary.checkpoint("acme")
    assert told.value.index == 3


def test_a_round_signs_where_there_is_news_and_one_bad_log_keeps_no_other_waiting(
    both: Store, clock: Told, address: str
) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    told: list[str] = []
    notary.subscribe(lambda name, _: told.append(name))
    for name in ("a", "b", "c"):
        record(both[0], 2, name)
    assert notary.round() == 3
    assert notary.round() == 0
    record(both[0], 2, "a")
    record(both[0], 2, "b")
    blob = "CAST('x' AS BLOB)" if address.startswith("sqlite") else "'x'::bytea"
    sql(address, f"UPDATE events SET body = {blob} WHERE partnership = 'a' AND idx = 2")
    assert notary.round() == 1
    assert told == ["a", "b", "c", "b"]


def test_the_time_of_checkpoints_never_runs_backwards(both: Store, clock: Told) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, clock))
    record(both[0], 1)
    first = notary.checkpoint("acme")
    clock.now -= timedelta(hours=5)
    record(both[0], 1)
    second = notary.checkpoint("acme")
    assert notary.seal.time(second) == notary.seal.time(first) is not None


def test_where_feeds_tell_the_time_so_does_the_last_event(both: Store) -> None:
    notary = Notary(*both, Seal("accord.example", SIGNER, None))
    record(both[0], 1)
    assert notary.seal.time(notary.checkpoint("acme")) == NOON


def test_a_note_is_kept_before_a_witness_sees_it_and_with_what_the_witness_adds(
    both: Store, clock: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Signer(b"2" * 32)
    witness = Verifier("witness.example", Kind.COSIGNATURE, other.public)
    policy = Policy(witnesses=(PolicyWitness("w", witness),), quorum="w")
    seen: list[Note | None] = []
    down = Collected(Note(""), {"w": "nobody answers"})

    def collect(note: Note, *_: object) -> Collected:
        seen.append(notary.latest("acme"))
        if len(seen) == 1:
            return replace(down, note=note)
        return Collected(note.cosigned("witness.example", other, 1), {})

    monkeypatch.setattr(cosigning, "collect", collect)
    notary = Notary(*both, Seal("accord.example", SIGNER, clock), policy)
    record(both[0], 1)
    alone = notary.checkpoint("acme")
    assert alone.by(witness) is None
    # The witness is there again, so whoever asks now gets its cosignature, too.
    note = notary.checkpoint("acme")
    assert note.by(witness)
    assert seen == [alone, alone]
    assert notary.latest("acme") == note == notary.checkpoint("acme")


def test_a_witness_that_cannot_be_reached_is_waited_for_once_and_not_by_every_log(
    both: Store, clock: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Verifier("witness.example", Kind.COSIGNATURE, Signer(b"2" * 32).public)
    nobody = "http://127.0.0.1:9"
    policy = Policy(witnesses=(PolicyWitness("w", witness, nobody),), quorum="w")
    asked: list[str] = []
    real = http_client.post

    def post(url: str, *given: Any) -> Any:  # noqa: ANN401 - as it is called
        asked.append(url)
        return real(url, *given)

    monkeypatch.setattr(cosigning, "post", post)
    notary = Notary(*both, Seal("accord.example", SIGNER, clock), policy)
    for name in ("a", "b", "c"):
        record(both[0], 1, name)
    assert notary.round() == 3
    assert asked == [f"{nobody}/add-checkpoint"]
