"""The settings of a process: its store, its broker, and its files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_STORE = "sqlite:///accord.db"
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


CENTURY = 36_500
"""Days; more than that is a slip of the pen, and soon beyond the calendar."""

OPERATOR = "accord.local"
"""The default name of the operator; the names of its logs begin with it."""

PARTITIONS = 12
"""The default number of partitions of each topic: enough for a dozen workers."""


class NoSuchStore(ValueError):
    """A store that cannot be used: what is wrong with it, and a hint."""


class ClockLimits(BaseModel):
    """When the clock of this machine is not trusted (see `infra.deciding.clock`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jump: int = Field(default=60, gt=0, le=CENTURY * 86_400)
    """Seconds by which the clock may depart from the time that passed. NTP corrects less than a
    minute a day, and the shortest deadline has 48 hours."""

    gap: int = Field(default=400, gt=0, le=CENTURY)
    """Days by which the clock may be beyond the last record when a process starts. A store in use
    has a record at least once a year, because each partnership has deadlines."""


class HttpLimits(BaseModel):
    """What one client can ask of the HTTP server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int = Field(default=512, gt=0)
    """Open connections, streams of alerts included. Half of the files that a process may usually
    open (1,024); the store needs some of the others."""

    header_bytes: int = Field(default=64 * 2**10, ge=2**10)
    """Bytes of the headers of one request."""

    header_seconds: int = Field(default=10, gt=0)
    """Seconds for the headers of a request to arrive."""

    body_seconds: int = Field(default=60, gt=0)
    """Seconds for the body of a request to arrive: 8 MiB at a million bits a second."""

    body_bytes: int = Field(default=8 * 2**20, gt=0)
    """Bytes of the body of one request."""

    events: int = Field(default=10_000, gt=0)
    """Events in one request."""


class RefusalLimits(BaseModel):
    """How many refused events are kept, until they are accepted or dismissed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of_source: int = Field(default=10_000, gt=0)
    """The most refused events of one source."""

    bytes_of_source: int = Field(default=64 * 2**20, gt=0)
    """The most bytes of the refused events of one source."""

    of_all: int = Field(default=100_000, gt=0)
    """The most refused events of all sources."""

    bytes_of_all: int = Field(default=2**30, gt=0)
    """The most bytes of the refused events of all sources. A sender can make up any source."""


class Settings(BaseModel):
    """Where the store is and, in production, the broker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(default=DEFAULT_STORE, repr=False)
    """The store's address: ``sqlite:///`` and a path (four slashes make it absolute), or
    ``postgresql://``."""

    kafka: str | None = None
    """The broker's address, ``host:port``; several are separated by commas. With a broker, only
    projectors fold the views."""

    key: Path | None = None
    """The file of the operator's signing key. By default it is beside a store in a file."""

    policy: Path | None = None
    """The file of the operator's policy: the witnesses of checkpoints, and their addresses."""

    sinks: Mapping[str, str] = {}
    """The address of each sink of alerts, by its kind, such as ``webhook``."""

    waiting_days: int = Field(default=30, ge=1, le=CENTURY)
    """How many days an event may wait for what it names, before it is refused."""

    waiting_of_partnership: int = Field(default=1000, ge=1)
    """The most events of one partnership that wait."""

    waiting_of_source: int = Field(default=10_000, ge=1)
    """The most events of one source that wait."""

    clock: ClockLimits = ClockLimits()
    """When the clock is not trusted."""

    refused: RefusalLimits = RefusalLimits()
    """How many refused events are kept."""

    http: HttpLimits = HttpLimits()
    """What one client can ask of the HTTP server."""

    topics: str = "accord"
    """The prefix of topics, so that several installations can share a broker."""

    @property
    def key_file(self) -> Path | None:
        """The file to read the operator's key from, if there is one.

        A file beside the store is ignored if this user may not read it.
        """
        beside = self.path_of_key
        return beside if self.key or (beside and os.access(beside, os.R_OK)) else None

    @property
    def path_of_key(self) -> Path | None:
        """The file to write a new operator's key to: `key`, or one beside a store in a file."""
        if self.key is not None or self.in_postgres:
            return self.key
        return self.path.with_name(f"{self.path.name}.key")

    @property
    def in_postgres(self) -> bool:
        """Whether the store is a Postgres database."""
        return self.store.startswith(_POSTGRES)

    @property
    def folds_views(self) -> bool:
        """Whether a process that opens the store folds its views; with a broker, projectors do."""
        return self.kafka is None or not self.in_postgres

    @property
    def broker(self) -> str:
        """The broker's address. Raises `NoSuchStore` without a broker and a Postgres store."""
        if self.kafka is None or not self.in_postgres:
            raise NoSuchStore(
                "This process needs a broker and a Postgres store. "
                "Set ACCORD_KAFKA=host:9092 and ACCORD_STORE=postgresql://user@host/database."
            )
        return self.kafka

    def beside_broker(self) -> Self:
        """Return these settings. Raises `NoSuchStore` without a broker and a Postgres store."""
        if not self.broker:
            raise NoSuchStore("ACCORD_KAFKA is empty; set it to host:9092.")
        return self

    @property
    def path(self) -> Path:
        """The file of the store. Raises `NoSuchStore` for another kind of address."""
        if not self.store.startswith(_SQLITE) or self.store == _SQLITE:
            raise NoSuchStore(
                f"{self.store!r} is not the address of a store. Write sqlite:///accord.db, "
                "sqlite:////var/lib/accord.db for an absolute path, "
                "or postgresql://user@host/database."
            )
        return Path(self.store.removeprefix(_SQLITE))

    @property
    def shown(self) -> str:
        """The store's address without a password."""
        scheme, _, rest = self.store.rpartition("://")
        user, at, where = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{at}{where}"
