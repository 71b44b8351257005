"""The eventsourcing library's `Application` on an Accord store.

The environment of the application names this factory and a store::

    PERSISTENCE_MODULE=infra.store.library:Factory
    ACCORD_STORE=sqlite:///accord.db
"""

from typing import Any

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType

from infra.settings import read, setting
from infra.store.mapper import EventMapper
from infra.store.postgres import PostgresStore
from infra.store.sqlite import SqliteStore

STORE = setting("store").variable


class Factory(InfrastructureFactory[TrackingRecorder]):
    """The library's access to a store: its recorder and its mapper.

    The application reads and saves events. Snapshots and the positions of a process are not kept
    in a store: projections keep theirs elsewhere. Raises `NoSuchStore`, `WrongSetting` and
    `UnknownSchema`.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        settings = read({name: text for name, text in self.env.items() if name == STORE})
        self._store: PostgresStore | SqliteStore = (
            PostgresStore.open(settings.store)
            if settings.in_postgres
            else SqliteStore.open(settings.path)
        )

    def mapper(self, *_: Any, **__: Any) -> EventMapper:  # type: ignore[override]  # noqa: ANN401
        """Return the mapper, which needs no transcoder."""
        return EventMapper()

    def application_recorder(self) -> ApplicationRecorder:
        """Return the store's recorder."""
        return self._store.recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Raise `NotImplementedError`: a store keeps no snapshots."""
        raise NotImplementedError(f"an Accord store keeps no {purpose} of this kind")

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        """Raise `NotImplementedError`: a store keeps no positions of other applications."""
        raise NotImplementedError(f"an Accord store is no {tracking_recorder_class}")

    def process_recorder(self) -> ProcessRecorder:
        """Raise `NotImplementedError`: a store keeps no positions of other applications."""
        raise NotImplementedError("an Accord store is not a process recorder")

    def close(self) -> None:
        """Close all connections to the store."""
        self._store.close()
