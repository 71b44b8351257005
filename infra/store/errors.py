"""What a store raises when it cannot do what was asked."""

from eventsourcing.persistence import OperationalError

from infra.settings import NoSuchStore


class Conflict(Exception):
    """Another writer was first, or time would run backwards. Nothing was written; decide again."""


class Stale(Exception):
    """Another process saved the same views or tree first. Nothing was written; read again."""


class UnknownSchema(Exception):
    """The store was written by a release whose tables have another form."""


class ReadOnlyStore(NoSuchStore):
    """The store is on read-only media, or this user may not write it."""


class StoreFull(OperationalError):
    """The disk of the store is full. Nothing was written; the same can be written later."""

    detail = "The disk of the store is full, so nothing was written."
    hint = "Free space on the disk of the store; no restart is needed. Then send the same again."

    def __init__(self) -> None:
        super().__init__(f"{self.detail} {self.hint}")
