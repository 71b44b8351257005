"""The Merkle trees and checkpoints of the logs in one SQLite file."""

from collections.abc import Iterable
from typing import Final

import orjson

from infra.store.records import Growth, Stale
from infra.store.sqlite_datastore import Datastore, as_json
from infra.tlog.merkle import Node, Tree

TREES: Final = (
    """CREATE TABLE IF NOT EXISTS trees (
        partnership TEXT PRIMARY KEY, size INTEGER NOT NULL, frontier BLOB NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS nodes (
        partnership TEXT, level INTEGER, number INTEGER, hash BLOB NOT NULL,
        PRIMARY KEY (partnership, level, number)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS checkpoints (
        partnership TEXT, size INTEGER, note TEXT NOT NULL, PRIMARY KEY (partnership, size))
        WITHOUT ROWID""",
)
"""The statements that make the tables."""


class SqliteTrees:
    """The `Trees` in one SQLite file."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def tree(self, partnership: str) -> Tree:
        """Return the tree as far as it is built; at first it is empty."""
        with self._datastore.reading() as c:
            found = c.execute(
                "SELECT size, frontier FROM trees WHERE partnership = ?", (partnership,)
            ).fetchone()
        return Tree.of(*found) if found else Tree()

    def grow(self, partnership: str, growth: Growth) -> None:
        """Save how a tree grew. Raises `Stale`, with nothing written, if it has another size."""
        with self._datastore.writing() as c:
            found = c.execute(
                "SELECT size FROM trees WHERE partnership = ?", (partnership,)
            ).fetchone()
            if (found[0] if found else 0) != growth.before:
                raise Stale(f"the tree of {partnership} grew meanwhile")
            c.execute(
                "INSERT OR REPLACE INTO trees VALUES (?, ?, ?)",
                (partnership, growth.size, b"".join(growth.frontier)),
            )
            c.executemany(
                "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?)",
                [(partnership, *node, hashed) for node, hashed in growth.nodes],
            )

    def nodes(self, partnership: str, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Return those of these nodes that are saved."""
        # A cross join keeps its order; SQLite would look through all of the partnership's instead.
        with self._datastore.reading() as c:
            found = c.execute(
                """SELECT level, number, hash FROM json_each(?2) AS wanted
                CROSS JOIN nodes ON partnership = ?1 AND level = wanted.value ->> 0
                AND number = wanted.value ->> 1""",
                (partnership, orjson.dumps(list(wanted)).decode()),
            ).fetchall()
        return {(level, number): hashed for level, number, hashed in found}

    def checkpoints(self, partnership: str) -> list[str]:
        """Return the signed notes of a partnership, by size."""
        with self._datastore.reading() as c:
            found = c.execute(
                "SELECT note FROM checkpoints WHERE partnership = ? ORDER BY size", (partnership,)
            ).fetchall()
        return [note for (note,) in found]

    def sizes(self, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the size of the latest checkpoint of each of these that has one."""
        with self._datastore.reading() as c:
            found = c.execute(
                """SELECT partnership, max(size) FROM checkpoints
                WHERE partnership IN (SELECT value FROM json_each(?)) GROUP BY partnership""",
                (as_json(partnerships),),
            ).fetchall()
        return dict(found)

    def keep(self, partnership: str, size: int, note: str) -> None:
        """Save the note of a checkpoint; it replaces one of the same size, when it is cosigned."""
        with self._datastore.writing() as c:
            c.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (partnership, size, note)
            )
