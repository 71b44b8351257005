"""The sessions in one Postgres database."""

from datetime import datetime

from infra.store.postgres_datastore import Datastore
from infra.store.sessions import Sessions, StoredSession
from infra.tlog.codec import utc


class PostgresSessions(Sessions):
    """The `Sessions` in one Postgres database. Only the role that serves can read them."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def get(self, secret_hash: bytes) -> StoredSession | None:
        found = self._datastore.one(
            "SELECT secret_hash, signed_in, expires_at FROM access.sessions WHERE secret_hash = %s",
            secret_hash,
        )
        return StoredSession(bytes(found[0]), found[1], utc(found[2])) if found else None

    def add(self, session: StoredSession, now: datetime) -> None:
        # One statement, which is one transaction.
        self._datastore.run(
            """WITH expired AS (DELETE FROM access.sessions WHERE expires_at < %s)
            INSERT INTO access.sessions (secret_hash, signed_in, expires_at) VALUES (%s, %s, %s)""",
            now,
            *session,
        )

    def end(self, secret_hash: bytes) -> None:
        self._datastore.run("DELETE FROM access.sessions WHERE secret_hash = %s", secret_hash)
