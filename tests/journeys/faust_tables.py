"""The same count made twice by Faust: in one of its tables, and in rows beside positions.

`python -m tests.journeys.faust_tables KIND BROKER TOPIC GROUP COMMIT_SECONDS LEDGER` is one worker.
A message's key is what is counted, and its value is its index among the messages of that key.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import EventT, StreamT, TopicT
from faust.worker import Worker

TABLE = "counts"
PARTITIONS = 2


def changelog(group: str) -> str:
    """The topic in which Faust keeps the table of a group."""
    return f"{group}-{TABLE}-changelog"


def run(kind: str, broker: str, topic: str, group: str, seconds: float, ledger: Path) -> None:
    app = faust.App(
        group,
        broker=f"kafka://{broker}",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=seconds,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
    )
    events = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    {"table": count_in_a_table, "rows": count_in_rows}[kind](app, events, ledger)
    Worker(app, quiet=True, redirect_stdouts=False, loglevel="INFO").execute_from_commandline()


# --- in a table, as Faust's documentation has it -----------------------------------------------


def count_in_a_table(app: faust.App, events: TopicT, _: Path) -> None:
    counts = app.Table(TABLE, default=int, partitions=PARTITIONS)

    async def count(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            counts[cast("bytes", event.key).decode()] += 1

    app.agent(events)(count)


# --- in rows, each with the position of what it has counted ------------------------------------


def prepare(ledger: Path, keys: Iterable[str]) -> None:
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute("CREATE TABLE counts (key TEXT PRIMARY KEY, position INT, count INT)")
        database.execute("CREATE TABLE deliveries (count INT)")
        database.execute("INSERT INTO deliveries VALUES (0)")
        database.executemany("INSERT INTO counts VALUES (?, 0, 0)", [(key,) for key in keys])


def count_in_rows(app: faust.App, events: TopicT, ledger: Path) -> None:
    async def count(stream: StreamT[bytes]) -> None:
        # The type of streams does not tell of it, and their class has it.
        async for batch in cast("faust.Stream[Any]", stream).noack_take(1000, within=0.02):
            await asyncio.to_thread(save, ledger, batch)
            for event in batch:
                event.ack()

    app.agent(events)(count)


def save(ledger: Path, batch: Iterable[EventT[bytes]]) -> None:
    """Count a batch in one transaction; what was counted already changes nothing."""
    found = [(cast("bytes", each.key).decode(), int(cast("bytes", each.value))) for each in batch]
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute("UPDATE deliveries SET count = count + ?", (len(found),))
        database.executemany(
            "UPDATE counts SET position = position + 1, count = count + 1"
            " WHERE key = ? AND position = ?",
            found,
        )


def counted(ledger: Path) -> tuple[dict[str, int], int]:
    """The count of each key, and how many messages were delivered to come to it."""
    with closing(sqlite3.connect(ledger)) as database:
        counts = dict(database.execute("SELECT key, count FROM counts"))
        (deliveries,) = database.execute("SELECT count FROM deliveries").fetchone()
        return counts, deliveries


if __name__ == "__main__":
    kind, broker, topic, group, seconds, ledger = sys.argv[1:]
    run(kind, broker, topic, group, float(seconds), Path(ledger))
