"""The credentials in one SQLite file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from domain.values import instant
from infra.store.alert_acts import ERASED
from infra.store.credentials import Credentials, StoredCredential
from infra.store.sqlite_datastore import Datastore
from infra.tlog.codec import stored_moment, utc

CREDENTIALS: Final = """CREATE TABLE IF NOT EXISTS credentials (
    id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, granted TEXT NOT NULL, made_at TEXT NOT NULL,
    expires_at TEXT, revoked_at TEXT, used_at TEXT, replaced_by TEXT)"""
"""The statement that makes the table."""

_SELECT = "SELECT * FROM credentials"
_INSERT = "INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteCredentials(Credentials):
    """The `Credentials` in one SQLite file."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def get(self, id: str) -> StoredCredential | None:
        found = self._datastore.one(f"{_SELECT} WHERE id = ?", id)
        return _credential(found) if found else None

    def all(self) -> list[StoredCredential]:
        return list(map(_credential, self._datastore.all(f"{_SELECT} ORDER BY rowid")))

    def exist(self) -> bool:
        return self._datastore.one("SELECT 1 FROM credentials LIMIT 1") is not None

    def add(self, credential: StoredCredential) -> None:
        self._datastore.run(_INSERT, *_values(credential))

    def replace(self, id: str, by: StoredCredential, until: datetime) -> bool:
        with self._datastore.writing() as c:
            c.execute(
                """UPDATE credentials SET expires_at = ?, replaced_by = ?
                WHERE id = ? AND revoked_at IS NULL AND replaced_by IS NULL""",
                (_text(until), by.id, id),
            )
            if replaced := c.rowcount > 0:
                c.execute(_INSERT, _values(by))
        return replaced

    def revoke(self, id: str, at: datetime) -> bool:
        with self._datastore.writing() as c:
            c.execute(
                "UPDATE credentials SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                (_text(at), id),
            )
            return c.rowcount > 0

    def forget(self, id: str, at: datetime) -> None:
        self._datastore.run(
            """UPDATE credentials SET granted = json_set(granted, '$.actor', ?),
            revoked_at = coalesce(revoked_at, ?) WHERE id = ?""",
            ERASED,
            _text(at),
            id,
        )
        self._datastore.settle()

    def use(self, id: str, at: datetime) -> None:
        self._datastore.run("UPDATE credentials SET used_at = ? WHERE id = ?", _text(at), id)


def _values(credential: StoredCredential) -> list[object]:
    return [_text(each) if isinstance(each, datetime) else each for each in credential]


def _text(moment: datetime) -> str:
    return instant(utc(moment))


def _credential(row: Sequence[Any]) -> StoredCredential:
    name, secret_hash, grant, *moments, replaced_by = row
    made, expires, revoked, used = (each and stored_moment(each) for each in moments)
    return StoredCredential(name, secret_hash, grant, made, expires, revoked, used, replaced_by)
