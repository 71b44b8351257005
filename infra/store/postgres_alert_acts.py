"""The acts about alerts in one Postgres database."""

from collections.abc import Collection, Sequence
from typing import Any

from infra.store.alert_acts import ERASED, AlertActs
from infra.store.postgres_datastore import Datastore
from infra.tlog.codec import utc
from projections.alert_acts import AlertAct, AlertActKind

_SELECT = "SELECT alert, since, side, kind, by, at, assigned_to, until FROM history.alert_acts"


class PostgresAlertActs(AlertActs):
    """The `AlertActs` in one Postgres database. Only the role that serves adds and forgets."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def of(self, side: str | None, alerts: Collection[str]) -> list[AlertAct]:
        found = self._datastore.all(
            f"{_SELECT} WHERE side IS NOT DISTINCT FROM %s AND alert = ANY(%s) ORDER BY number",
            side,
            list(alerts),
        )
        return [_act(each) for each in found]

    def people(self) -> set[str]:
        found = self._datastore.all(
            "SELECT by FROM history.alert_acts UNION SELECT assigned_to FROM history.alert_acts"
        )
        return {name for (name,) in found if name}

    def naming(self, name: str) -> list[AlertAct]:
        found = self._datastore.all(
            f"{_SELECT} WHERE %s IN (by, assigned_to) ORDER BY number", name
        )
        return [_act(each) for each in found]

    def add(self, act: AlertAct) -> None:
        self._datastore.run(
            """INSERT INTO history.alert_acts
            (alert, since, side, kind, by, at, assigned_to, until)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
            act.alert,
            act.since,
            act.side,
            act.kind.value,
            act.by,
            act.at,
            act.to,
            act.until,
        )

    def forget(self, partnership: str, side: str | None, name: str) -> None:
        self._datastore.run(
            """UPDATE history.alert_acts SET by = CASE by WHEN %s THEN %s ELSE by END,
            assigned_to = CASE assigned_to WHEN %s THEN %s ELSE assigned_to END
            WHERE %s IN (by, assigned_to) AND side IS NOT DISTINCT FROM %s
            AND strpos(alert, %s) > 0""",
            name,
            ERASED,
            name,
            ERASED,
            name,
            side,
            f"/{partnership}/",
        )


def _act(row: Sequence[Any]) -> AlertAct:
    alert, since, side, kind, by, at, to, until = row
    moments = utc(since), utc(at), until and utc(until)
    return AlertAct(alert, moments[0], side, AlertActKind(kind), by, moments[1], to, moments[2])
