"""The Merkle trees and checkpoints of the logs in one Postgres database."""

from collections.abc import Iterable

from infra.store.errors import Stale
from infra.store.postgres_datastore import Datastore, columns
from infra.store.trees import Growth, Trees
from infra.tlog.merkle import Node, Tree


class PostgresTrees(Trees):
    """The `Trees` in one Postgres database."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def tree(self, partnership: str) -> Tree:
        found = self._datastore.one(
            "SELECT size, frontier FROM history.trees WHERE partnership = %s", partnership
        )
        return Tree.of(*found) if found else Tree()

    def grow(self, partnership: str, growth: Growth) -> None:
        # One statement, so that a tree has its nodes whenever it has its size.
        found = self._datastore.one(
            """WITH given AS (
                SELECT %s::text AS partnership, %s::int AS size, %s::bytea AS frontier,
                       %s::int AS before
            ), grown AS (
                INSERT INTO history.trees AS t SELECT partnership, size, frontier FROM given
                WHERE before = 0
                    OR EXISTS (SELECT FROM history.trees o WHERE o.partnership = given.partnership)
                ON CONFLICT (partnership) DO UPDATE
                SET size = excluded.size, frontier = excluded.frontier
                WHERE t.size = (SELECT before FROM given)
                RETURNING t.partnership
            ), added AS (
                INSERT INTO history.nodes SELECT grown.partnership, g.* FROM grown,
                unnest(%s::int[], %s::int[], %s::bytea[]) AS g
                ON CONFLICT DO NOTHING
            ) SELECT partnership FROM grown""",
            partnership,
            growth.size,
            b"".join(growth.frontier),
            growth.before,
            *columns([(*node, hashed) for node, hashed in growth.nodes], 3),
        )
        if found is None:
            raise Stale(f"the tree of {partnership} grew meanwhile")

    def nodes(self, partnership: str, wanted: Iterable[Node]) -> dict[Node, bytes]:
        levels, numbers = columns(list(wanted), 2)
        found = self._datastore.all(
            """SELECT level, number, hash FROM unnest(%s::int[], %s::int[]) AS w (level, number)
            JOIN history.nodes n USING (level, number) WHERE n.partnership = %s""",
            levels,
            numbers,
            partnership,
        )
        return {(level, number): hashed for level, number, hashed in found}

    def checkpoints(self, partnership: str) -> list[str]:
        found = self._datastore.all(
            "SELECT note FROM history.checkpoints WHERE partnership = %s ORDER BY size", partnership
        )
        return [note for (note,) in found]

    def sizes(self, partnerships: Iterable[str]) -> dict[str, int]:
        found = self._datastore.all(
            """SELECT partnership, max(size) FROM history.checkpoints
            WHERE partnership = ANY(%s) GROUP BY partnership""",
            list(partnerships),
        )
        return dict(found)

    def keep(self, partnership: str, size: int, note: str) -> None:
        self._datastore.run(
            """INSERT INTO history.checkpoints VALUES (%s, %s, %s)
            ON CONFLICT (partnership, size) DO UPDATE SET note = excluded.note""",
            partnership,
            size,
            note,
        )
