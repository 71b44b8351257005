"""What a store raises when it cannot do what was asked."""

from infra.settings import NoSuchStore


class Conflict(Exception):
    """Another writer was first, or time would run backwards. Nothing was written; decide again."""


class Stale(Exception):
    """Another process saved the same views or tree first. Nothing was written; read again."""


class UnknownSchema(Exception):
    """The store was written by a release whose tables have another form."""


class ReadOnlyStore(NoSuchStore):
    """The store is on read-only media, or this user may not write it."""
