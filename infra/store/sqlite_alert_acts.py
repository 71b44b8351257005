"""The acts about alerts in one SQLite file."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from domain.values import instant
from infra.store.alert_acts import ERASED, AlertActs
from infra.store.sqlite_datastore import Datastore, as_json
from infra.tlog.codec import stored_moment, utc
from projections.alert_acts import AlertAct, AlertActKind

ALERT_ACTS: Final = """CREATE TABLE IF NOT EXISTS alert_acts (
    alert TEXT NOT NULL, since TEXT NOT NULL, side TEXT, kind TEXT NOT NULL, by TEXT NOT NULL,
    at TEXT NOT NULL, assigned_to TEXT, until TEXT, number INTEGER PRIMARY KEY AUTOINCREMENT)"""
"""The statement that makes the table."""

ALERT_ACTS_OF: Final = "CREATE INDEX IF NOT EXISTS alert_acts_of ON alert_acts (alert, number)"
"""The statement that makes its index."""

_COLUMNS = "alert, since, side, kind, by, at, assigned_to, until"


class SqliteAlertActs(AlertActs):
    """The `AlertActs` in one SQLite file."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def of(self, side: str | None, alerts: Collection[str]) -> list[AlertAct]:
        found = self._datastore.all(
            f"""SELECT {_COLUMNS} FROM alert_acts WHERE side IS ?
            AND alert IN (SELECT value FROM json_each(?)) ORDER BY number""",  # noqa: S608 - above
            side,
            as_json(alerts),
        )
        return [_act(each) for each in found]

    def people(self) -> set[str]:
        found = self._datastore.all(
            "SELECT by FROM alert_acts UNION SELECT assigned_to FROM alert_acts"
        )
        return {name for (name,) in found if name}

    def naming(self, name: str) -> list[AlertAct]:
        found = self._datastore.all(
            f"SELECT {_COLUMNS} FROM alert_acts WHERE ? IN (by, assigned_to) ORDER BY number",  # noqa: S608 - as above
            name,
        )
        return [_act(each) for each in found]

    def add(self, act: AlertAct) -> None:
        self._datastore.run(
            f"INSERT INTO alert_acts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - as above
            act.alert,
            instant(utc(act.since)),
            act.side,
            act.kind,
            act.by,
            instant(utc(act.at)),
            act.to,
            act.until and instant(utc(act.until)),
        )

    def forget(self, partnership: str, side: str | None, name: str) -> None:
        with self._datastore.writing() as c:
            changed = c.execute(
                """UPDATE alert_acts SET by = iif(by = ?1, ?2, by),
                assigned_to = iif(assigned_to = ?1, ?2, assigned_to)
                WHERE ?1 IN (by, assigned_to) AND side IS ?4 AND instr(alert, ?3) > 0""",
                (name, ERASED, f"/{partnership}/", side),
            ).rowcount
        if changed:
            self._datastore.settle()


def _act(row: Sequence[Any]) -> AlertAct:
    alert, since, side, kind, by, at, to, until = row
    return AlertAct(
        alert,
        stored_moment(since),
        side,
        AlertActKind(kind),
        by,
        stored_moment(at),
        to,
        until and stored_moment(until),
    )
