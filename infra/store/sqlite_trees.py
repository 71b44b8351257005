"""The Merkle trees and checkpoints of the logs in one SQLite file."""

from collections.abc import Iterable
from typing import Final

import orjson

from infra.store.errors import Stale
from infra.store.sqlite_datastore import Datastore, as_json
from infra.store.trees import Growth, Trees
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


class SqliteTrees(Trees):
    """The `Trees` in one SQLite file."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def tree(self, partnership: str) -> Tree:
        found = self._datastore.one(
            "SELECT size, frontier FROM trees WHERE partnership = ?", partnership
        )
        return Tree.of(*found) if found else Tree()

    def grow(self, partnership: str, growth: Growth) -> None:
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
        # A cross join keeps its order; otherwise SQLite would scan all rows of the partnership.
        found = self._datastore.all(
            """SELECT level, number, hash FROM json_each(?2) AS wanted
            CROSS JOIN nodes ON partnership = ?1 AND level = wanted.value ->> 0
            AND number = wanted.value ->> 1""",
            partnership,
            orjson.dumps(list(wanted)).decode(),
        )
        return {(level, number): hashed for level, number, hashed in found}

    def checkpoints(self, partnership: str) -> list[str]:
        found = self._datastore.all(
            "SELECT note FROM checkpoints WHERE partnership = ? ORDER BY size", partnership
        )
        return [note for (note,) in found]

    def sizes(self, partnerships: Iterable[str]) -> dict[str, int]:
        found = self._datastore.all(
            """SELECT partnership, max(size) FROM checkpoints
            WHERE partnership IN (SELECT value FROM json_each(?)) GROUP BY partnership""",
            as_json(partnerships),
        )
        return dict(found)

    def keep(self, partnership: str, size: int, note: str) -> None:
        self._datastore.run(
            "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", partnership, size, note
        )
