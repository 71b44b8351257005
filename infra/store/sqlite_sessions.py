"""The sessions in one SQLite file."""

from datetime import datetime
from typing import Final

from domain.values import instant
from infra.store.sessions import Sessions, StoredSession
from infra.store.sqlite_datastore import Datastore
from infra.tlog.codec import stored_moment, utc

SESSIONS: Final = """CREATE TABLE IF NOT EXISTS sessions (
    secret_hash BLOB PRIMARY KEY, signed_in TEXT NOT NULL, expires_at TEXT NOT NULL)
    WITHOUT ROWID"""
"""The statement that makes the table."""


class SqliteSessions(Sessions):
    """The `Sessions` in one SQLite file."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def get(self, secret_hash: bytes) -> StoredSession | None:
        found = self._datastore.one("SELECT * FROM sessions WHERE secret_hash = ?", secret_hash)
        return StoredSession(found[0], found[1], stored_moment(found[2])) if found else None

    def add(self, session: StoredSession, now: datetime) -> None:
        with self._datastore.writing() as c:
            # Without its letter at the end, a moment with fractions sorts after one without.
            c.execute(
                "DELETE FROM sessions WHERE rtrim(expires_at, 'Z') < rtrim(?, 'Z')", (_text(now),)
            )
            c.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                (session.secret_hash, session.signed_in, _text(session.expires_at)),
            )

    def end(self, secret_hash: bytes) -> None:
        self._datastore.run("DELETE FROM sessions WHERE secret_hash = ?", secret_hash)


def _text(moment: datetime) -> str:
    return instant(utc(moment))
