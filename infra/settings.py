"""What can be set from outside, and nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_STORE = "sqlite:///accord.db"
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


OPERATOR = "accord.local"
"""The operator's name unless another is given; the names of its logs begin with it."""

PARTITIONS = 12
"""Partitions of each topic, unless another number is set: enough for a dozen workers."""


class NoSuchStore(ValueError):
    """A store that cannot be used: its address is not understood, or it was not made."""


class Settings(BaseModel):
    """Where the store is and, in production, the broker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(default=DEFAULT_STORE, repr=False)
    """The store's address: ``sqlite:///`` and a path (four slashes make it absolute), or
    ``postgresql://``."""

    kafka: str | None = None
    """The broker's address, ``host:port`` and more behind commas. Where there is one, the processes
    behind it fold the views, and nobody else does."""

    key: Path | None = None
    """The file of the operator's signing key. A store in a file has it beside it, unless it is
    said to be elsewhere."""

    policy: Path | None = None
    """The file of the operator's policy: who cosigns checkpoints, and where they answer."""

    sinks: Mapping[str, str] = {}
    """The address of each sink of alerts, by its kind, such as ``webhook``."""

    topics: str = "accord"
    """What the names of topics begin with, so that several installations can share a broker."""

    @property
    def key_file(self) -> Path | None:
        """The file that the operator's key is read from, if there is one.

        That beside a store is passed over by whoever may not read it.
        """
        beside = self.path_of_key
        return beside if self.key or (beside and os.access(beside, os.R_OK)) else None

    @property
    def path_of_key(self) -> Path | None:
        """Where the operator's key is made: where it is said to be, or beside a store in a file."""
        if self.key is not None or self.in_postgres:
            return self.key
        return self.path.with_name(f"{self.path.name}.key")

    @property
    def in_postgres(self) -> bool:
        """Whether the store is a Postgres database."""
        return self.store.startswith(_POSTGRES)

    @property
    def folds_views(self) -> bool:
        """Whether whoever opens the store keeps its views up; beside a broker, projectors do."""
        return self.kafka is None or not self.in_postgres

    @property
    def broker(self) -> str:
        """The broker's address. Raises `NoSuchStore` where none is set, or no Postgres store."""
        if self.kafka is None or not self.in_postgres:
            raise NoSuchStore(
                "This runs beside a broker and a Postgres store; "
                "set ACCORD_KAFKA=host:9092 and ACCORD_STORE=postgresql://user@host/database."
            )
        return self.kafka

    def beside_broker(self) -> Self:
        """Give these settings. Raises `NoSuchStore` unless they name a broker and Postgres."""
        if not self.broker:
            raise NoSuchStore("ACCORD_KAFKA is empty; set it to host:9092.")
        return self

    @property
    def path(self) -> Path:
        """The file of the store. Raises `NoSuchStore` for an address that is no SQLite file."""
        if not self.store.startswith(_SQLITE) or self.store == _SQLITE:
            raise NoSuchStore(
                f"{self.store!r} is no store; write sqlite:///accord.db, "
                "sqlite:////var/lib/accord.db for an absolute path, "
                "or postgresql://user@host/database."
            )
        return Path(self.store.removeprefix(_SQLITE))

    @property
    def shown(self) -> str:
        """The store's address as it may be shown: without a password."""
        scheme, _, rest = self.store.rpartition("://")
        user, at, where = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{at}{where}"
