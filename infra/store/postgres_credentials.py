"""The credentials in one Postgres database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from infra.store.alert_acts import ERASED
from infra.store.credentials import Credentials, StoredCredential
from infra.store.postgres_datastore import Datastore
from infra.tlog.codec import utc

_SELECT = """SELECT id, secret_hash, granted, made_at, expires_at, revoked_at, used_at, replaced_by
    FROM access.credentials"""
_COLUMNS = "id, secret_hash, granted, made_at, expires_at, revoked_at, used_at, replaced_by"


class PostgresCredentials(Credentials):
    """The `Credentials` in one Postgres database. Only the role that serves can read them."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def get(self, id: str) -> StoredCredential | None:
        found = self._datastore.one(f"{_SELECT} WHERE id = %s", id)
        return _credential(found) if found else None

    def all(self) -> list[StoredCredential]:
        return list(map(_credential, self._datastore.all(f"{_SELECT} ORDER BY number")))

    def exist(self) -> bool:
        return self._datastore.one("SELECT 1 FROM access.credentials LIMIT 1") is not None

    def add(self, credential: StoredCredential) -> None:
        self._datastore.run(
            f"""INSERT INTO access.credentials ({_COLUMNS})
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",  # noqa: S608 - written above
            *credential,
        )

    def replace(self, id: str, by: StoredCredential, until: datetime) -> bool:
        # One statement, which is one transaction.
        return bool(
            self._datastore.all(
                f"""WITH replaced AS (
                    UPDATE access.credentials SET expires_at = %s, replaced_by = %s
                    WHERE id = %s AND revoked_at IS NULL AND replaced_by IS NULL RETURNING id)
                INSERT INTO access.credentials ({_COLUMNS})
                SELECT %s, %s, %s, %s, %s, %s, %s, %s FROM replaced RETURNING id""",  # noqa: S608 - as above
                *(until, by.id, id, *by),
            )
        )

    def revoke(self, id: str, at: datetime) -> bool:
        return bool(
            self._datastore.all(
                """UPDATE access.credentials SET revoked_at = %s
                WHERE id = %s AND revoked_at IS NULL RETURNING id""",
                at,
                id,
            )
        )

    def forget(self, id: str, at: datetime) -> None:
        self._datastore.run("SELECT access.forget(%s, %s, %s)", id, ERASED, at)

    def use(self, id: str, at: datetime) -> None:
        self._datastore.run("UPDATE access.credentials SET used_at = %s WHERE id = %s", at, id)


def _credential(row: Sequence[Any]) -> StoredCredential:
    name, secret_hash, grant, *moments, replaced_by = row
    made, expires, revoked, used = (each and utc(each) for each in moments)
    return StoredCredential(
        name, bytes(secret_hash), grant, made, expires, revoked, used, replaced_by
    )
