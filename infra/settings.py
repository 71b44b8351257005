"""The settings of a process: their variables, what each may be, and how they are read."""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

RELEASE: Final = version("accord")
"""The release of Accord that runs, as `accord --version` and `/healthz` show it."""

DEFAULT_STORE = "sqlite:///accord.db"
_SQLITE = "sqlite:///"
_BUNDLE = "bundle:"
_POSTGRES = ("postgresql://", "postgres://")


CENTURY = 36_500
"""Days; more than that is a slip of the pen, and soon beyond the calendar."""

_MANY = 10**9
"""No store keeps more rows of one kind; a larger number is a slip of the pen."""

OPERATOR = "accord.local"
"""The default name of the operator; the names of its logs begin with it."""

PARTITIONS = 12
"""The default number of partitions of each topic: enough for a dozen workers."""

LAST_PORT: Final = 65_535

PREFIX: Final = "ACCORD_"
"""The beginning of every variable."""

_NEARLY: Final = 0.9
"""The similarity from which on an unknown variable is taken for a slip of the pen."""


class NoSuchStore(ValueError):
    """A store that cannot be used: what is wrong with it, and a hint."""


class WrongSetting(ValueError):
    """A setting is wrong: its name, its value, what is allowed, and a hint."""


# --- what a setting may be ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in digits, within bounds; both are allowed."""

    least: int
    most: int
    unit: str

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return f"{self.least} to {self.most} {self.unit}".replace(" ;", ";")

    def read(self, text: str) -> int:
        """Return the number. Raises `ValueError` with what is wrong with the text."""
        if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)", text):
            raise ValueError("is not a whole number, written in digits alone")
        # Python refuses to convert thousands of digits, with an error of its own.
        digits = len(str(self.most)) + 1
        if text.startswith("-") or (len(text) <= digits and int(text) < self.least):
            raise ValueError(f"is below {self.least}")
        if len(text) > digits or int(text) > self.most:
            raise ValueError(f"is above {self.most}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Text:
    """Text of one form."""

    allowed: str
    pattern: str
    wrong: str
    """What is wrong with any other text, such as ``is not an address``."""
    least_port: int | None = None
    """The lowest port in it; None for text without ports."""

    def read(self, text: str) -> str:
        """Return the text. Raises `ValueError` with what is wrong with it."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.wrong)
        if self.least_port is not None:
            for port in re.findall(r":(\d+)(?=,|$)", text):
                Whole(self.least_port, LAST_PORT, "").read(port)
        return text


def without_password(address: str) -> str:
    """Return an address without the password in it."""
    return re.sub(r"(?s)(://[^/@]*?):.*@", r"\1@", address)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that comes from outside: its variable, what it may be, what it means."""

    variable: str
    """Its name in the environment. One that ends in ``*`` is a variable for each further name."""
    form: Whole | Text
    about: str
    shown: Callable[[str], str] = repr
    """How its value is shown in an error."""

    def read(self, text: str) -> Any:  # noqa: ANN401 - the type of the setting
        """Return the value. Raises `WrongSetting`, which says what is allowed."""
        if not text:
            raise WrongSetting(f"is empty. Allowed: {self.form.allowed}.")
        try:
            return self.form.read(text)
        except ValueError as error:
            allowed = self.form.allowed
            raise WrongSetting(f"{self.shown(text)} {error}. Allowed: {allowed}.") from None


_PATH: Final = Text(
    "the path of a file", r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?",
    "begins or ends with a space, or has control characters",
)  # fmt: skip
_NAME: Final = r"(?:[^\s,:/\[\]]+|\[[0-9a-fA-F:.]+\])"

# With other characters, the database's library would print a part of the password in its error.
_LOGIN: Final = r"(?:(?:[^\s@/:%]|%[0-9a-fA-F]{2})+(?::(?:[^\s@/:%]|%[0-9a-fA-F]{2})*)?@)?"


_SECRET: Final = Text(
    "any text without control characters", r"[^\x00-\x1f\x7f]+", "has control characters"
)

HOST: Final = Setting(
    "", Text("a name or an address of this machine", r"[^\s,/]+", "is not a host"), ""
)
"""The host to listen on. It is an option alone."""

# --- the settings ------------------------------------------------------------------------------


class ClockLimits(BaseModel):
    """When the clock of this machine is not trusted (see `infra.deciding.clock`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The shortest deadline has 48 hours.
    jump: Annotated[
        int,
        Setting(
            "ACCORD_CLOCK_JUMP",
            Whole(1, CENTURY * 86_400, "seconds"),
            "the departure of [the clock](#the-clock) from the time that passed; NTP corrects less "
            "than a minute a day",
        ),
    ] = 60

    # A store in use has a record at least once a year, because each partnership has deadlines.
    gap: Annotated[
        int,
        Setting(
            "ACCORD_CLOCK_GAP",
            Whole(1, CENTURY, "days"),
            "how far the clock may be beyond the last record when a process starts; a store that "
            "was not used for longer needs one confirmation",
        ),
    ] = 400


class HttpLimits(BaseModel):
    """What one client can ask of the HTTP server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Half of the files that a process may usually open (1,024); the store needs some of the others.
    connections: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_CONNECTIONS",
            Whole(1, 65_535, "connections"),
            "open connections, streams of alerts included. Beyond it, the connection that has "
            "waited longest for its client is closed, or else one with pipelined requests; if "
            "there is none, 503",
        ),
    ] = 512

    header_bytes: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_HEADER_BYTES",
            Whole(2**10, 2**24, "bytes"),
            "headers that are not complete yet; headers that arrive whole in one piece can be "
            "larger. Beyond it, 431",
        ),
    ] = 64 * 2**10

    header_seconds: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_HEADER_SECONDS",
            Whole(1, 3600, "seconds"),
            "the time in which the headers of a request must arrive. Beyond it, 408",
        ),
    ] = 10

    # 8 MiB at a million bits a second.
    body_seconds: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_BODY_SECONDS",
            Whole(1, 86_400, "seconds"),
            "the time in which the body must arrive, and in which the client must read the answer. "
            "Beyond it, 408; the connection is closed if the answer is not read",
        ),
    ] = 60

    body_bytes: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_BODY_BYTES",
            Whole(1, 2**30, "bytes"),
            "the body of a request. Beyond it, 413",
        ),
    ] = 8 * 2**20

    events: Annotated[
        int,
        Setting(
            "ACCORD_HTTP_EVENTS",
            Whole(1, 10**6, "events"),
            "events of a batch, or lines. Beyond it, 413; none of them is decided",
        ),
    ] = 10_000

    proxies: Annotated[
        str,
        Setting(
            "ACCORD_HTTP_PROXIES",
            Text(
                "addresses, separated by commas, without spaces",
                r"[0-9a-fA-F.:]+(?:,[0-9a-fA-F.:]+)*",
                "is not a list of addresses",
            ),
            "the [proxies](proxy.md) that say in `X-Forwarded-For` for whom they ask",
        ),
    ] = ""


class RefusalLimits(BaseModel):
    """How many refused events are kept, until they are accepted or dismissed.

    A party can make up any source, so those of each party are limited too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of_source: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_OF_SOURCE",
            Whole(1, _MANY, "events"),
            "the most [refused events](events.md#refused-events) of one source of a party that are "
            "kept",
        ),
    ] = 10_000

    bytes_of_source: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_BYTES_OF_SOURCE", Whole(1, 2**50, "bytes"), "the most bytes of them"
        ),
    ] = 64 * 2**20

    of_party: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_OF_PARTY",
            Whole(1, _MANY, "events"),
            "the most refused events of one party that are kept",
        ),
    ] = 20_000

    bytes_of_party: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_BYTES_OF_PARTY", Whole(1, 2**50, "bytes"), "the most bytes of them"
        ),
    ] = 128 * 2**20

    of_all: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_OF_ALL",
            Whole(1, _MANY, "events"),
            "the most refused events of all parties that are kept",
        ),
    ] = 100_000

    bytes_of_all: Annotated[
        int,
        Setting("ACCORD_REFUSED_BYTES_OF_ALL", Whole(1, 2**50, "bytes"), "the most bytes of them"),
    ] = 2**30

    days: Annotated[
        int,
        Setting(
            "ACCORD_REFUSED_DAYS",
            Whole(1, CENTURY, "days"),
            "how long the content of a refused event is kept after it arrived",
        ),
    ] = 90


class BrokerLogin(BaseModel):
    """How a process logs in to the broker, and whether the connection is encrypted."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mechanism: Annotated[
        str | None,
        Setting(
            "ACCORD_KAFKA_SASL",
            Text(
                "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
                "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER",
                "is not a mechanism that Accord has",
            ),
            "how the process logs in to the broker; unset, it does not",
        ),
    ] = None
    user: Annotated[
        str | None,
        Setting("ACCORD_KAFKA_USER", _SECRET, "its user"),
    ] = None
    password: Annotated[
        str | None,
        Setting("ACCORD_KAFKA_PASSWORD", _SECRET, "its password", lambda _: "The password"),
    ] = Field(default=None, repr=False)
    token: Annotated[
        Path | None,
        Setting(
            "ACCORD_KAFKA_TOKEN",
            _PATH,
            "the file with the token for OAUTHBEARER, read anew for each connection",
        ),
    ] = None
    tls: Annotated[
        Path | None,
        Setting(
            "ACCORD_KAFKA_TLS",
            Text("the path of a file, or system", _PATH.pattern, _PATH.wrong),
            "the certificate authority of the broker, in PEM; `system` for those of the machine. "
            "Unset, the connection is not encrypted",
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        Setting(
            "ACCORD_KAFKA_CERTIFICATE",
            _PATH,
            "the certificate of the process and its key, in one PEM file, if the broker wants one",
        ),
    ] = None


class Settings(BaseModel):
    """Where the store is and, in production, the broker."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    store: Annotated[
        str,
        Setting(
            "ACCORD_STORE",
            Text(
                "sqlite:///accord.db, sqlite:////var/lib/accord.db for an absolute path, "
                "postgresql://user:password@host/database, or bundle:evidence.zip to read an "
                "evidence bundle",
                rf"{_SQLITE}{_PATH.pattern}|{_BUNDLE}{_PATH.pattern}|postgres(?:ql)?://{_LOGIN}[^\s@]+",
                "is not the address of a store; in a name or a password, write @, /, : and % as "
                "%40, %2F, %3A and %25",
            ),
            "the store",
            without_password,
        ),
    ] = Field(default=DEFAULT_STORE, repr=False)

    kafka: Annotated[
        str | None,
        Setting(
            "ACCORD_KAFKA",
            Text(
                "host:port; several are separated by commas, without spaces",
                rf"{_NAME}:\d{{1,5}}(?:,{_NAME}:\d{{1,5}})*",
                "is not the address of a broker",
                least_port=1,
            ),
            "the broker. With it and a Postgres store, only projectors fold",
        ),
    ] = None

    topics: Annotated[
        str,
        Setting(
            "ACCORD_TOPICS",
            Text(
                "1 to 200 letters, digits, dots, underscores and dashes",
                r"[A-Za-z0-9._-]{1,200}",
                "is not the beginning of a topic's name",
            ),
            "the prefix of topics and groups; with different prefixes, installations can share a "
            "broker",
        ),
    ] = "accord"

    key: Annotated[
        Path | None,
        Setting(
            "ACCORD_KEY",
            _PATH,
            "the operator's key, for the notary and for the processes that record events (without "
            "it they give no receipts); `accord migrate` creates it if it is missing. For a store "
            "in a file `accord init` creates a key file beside it",
        ),
    ] = None

    policy: Annotated[
        Path | None,
        Setting(
            "ACCORD_POLICY",
            _PATH,
            "the witnesses of checkpoints and their addresses "
            "(a [C2SP tlog-policy](../infra/evidence/verifiers/FORMAT.md#6-policy-and-pins))",
        ),
    ] = None

    sinks: Annotated[
        Mapping[str, str],
        Setting(
            "ACCORD_SINK_*",
            Text(
                "an address of the kind: for `ACCORD_SINK_WEBHOOK`, http:// or https://",
                _PATH.pattern,
                _PATH.wrong,
            ),
            "where each change of an alert is sent, by the kind of [sink](#sinks), for "
            "`accord run sinks`; `accord up` without a broker does it itself",
            without_password,
        ),
    ] = {}

    waiting_days: Annotated[
        int,
        Setting(
            "ACCORD_WAITING_DAYS",
            Whole(1, CENTURY, "days"),
            "how long an event may [wait](events.md#events-that-wait) for what it names, before "
            "it is refused",
        ),
    ] = 30

    waiting_of_partnership: Annotated[
        int,
        Setting(
            "ACCORD_WAITING_OF_PARTNERSHIP",
            Whole(1, _MANY, "events"),
            "the most events of one party in a partnership that wait",
        ),
    ] = 1000

    waiting_of_source: Annotated[
        int,
        Setting(
            "ACCORD_WAITING_OF_SOURCE",
            Whole(1, _MANY, "events"),
            "the most events of one source of a party that wait",
        ),
    ] = 10_000

    waiting_of_party: Annotated[
        int,
        Setting(
            "ACCORD_WAITING_OF_PARTY",
            Whole(1, _MANY, "events"),
            "the most events of one party that wait",
        ),
    ] = 20_000

    refused: RefusalLimits = RefusalLimits()
    """How many refused events are kept."""

    clock: ClockLimits = ClockLimits()
    """When the clock is not trusted."""

    passwords: Annotated[
        Mapping[str, str],
        Setting(
            "ACCORD_PASSWORD_*",
            _SECRET,
            "the password of a [service](#who-may-do-what), for `accord migrate`: "
            "`ACCORD_PASSWORD_INTAKE` is that of intake, in the database and at the broker",
            lambda _: "The password",
        ),
    ] = Field(default={}, repr=False)

    credential: Annotated[
        Path | None,
        Setting(
            "ACCORD_CREDENTIAL",
            _PATH,
            "the file with the API key or the token of the person who [acts at the command "
            "line](#who-acts-at-the-command-line); unset, it is an account of this machine",
        ),
    ] = None

    issuers: Annotated[
        Path | None,
        Setting(
            "ACCORD_ISSUERS",
            _PATH,
            "the file with the [issuers](#tokens-of-your-own-issuer) whose tokens `accord up` "
            "accepts beside API keys",
        ),
    ] = None

    broker_login: BrokerLogin = BrokerLogin()
    """Who this process is to the broker."""

    http: HttpLimits = HttpLimits()
    """What one client can ask of the HTTP server."""

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
        _ = self.broker
        return self

    @property
    def bundle(self) -> Path | None:
        """The evidence bundle that is read as a store; None if the address is of a store."""
        if not self.store.startswith(_BUNDLE):
            return None
        return Path(self.store.removeprefix(_BUNDLE))

    @property
    def path(self) -> Path:
        """The file of the store. Raises `NoSuchStore` for another kind of address."""
        if self.bundle:
            raise NoSuchStore(
                f"{self.shown} is an evidence bundle, which can only be read. "
                "Name the store itself for this command."
            )
        if not self.store.startswith(_SQLITE) or self.store == _SQLITE:
            allowed = setting("store").form.allowed
            raise NoSuchStore(f"{self.shown} is not the address of a store. Write {allowed}.")
        return Path(self.store.removeprefix(_SQLITE))

    @property
    def shown(self) -> str:
        """The store's address without a password."""
        return without_password(self.store)


class CommandSettings(BaseModel):
    """What single commands need besides; each is an option too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: Annotated[
        int,
        Setting(
            "ACCORD_PORT",
            Whole(0, LAST_PORT, "; 0 is any free one"),
            "the port of `accord up` (`--port`)",
        ),
    ] = 8000

    health: Annotated[
        str | None,
        Setting(
            "ACCORD_HEALTH",
            Text(
                "host:port; port 0 is any free one",
                r"[^\s,:/\[\]]*:\d{1,5}",
                "is not an address",
                least_port=0,
            ),
            "the address of `/healthz`, `/readyz` and `/metrics`, for `accord run` (`--health`); "
            "by default `127.0.0.1` and a port for each kind of process",
        ),
    ] = None

    partitions: Annotated[
        int,
        Setting(
            "ACCORD_PARTITIONS",
            Whole(1, 10_000, "partitions"),
            "partitions of each topic, for `accord migrate` (`--partitions`). They cannot be "
            "changed later, because they keep the messages of a partnership in order",
        ),
    ] = PARTITIONS

    replicas: Annotated[
        int,
        Setting(
            "ACCORD_REPLICAS",
            Whole(1, 1000, "replicas"),
            "replicas of each topic, for `accord migrate` (`--replicas`)",
        ),
    ] = 1


# --- reading them ------------------------------------------------------------------------------


class Row(NamedTuple):
    """A setting in the table of all: where its value is, its default, and what it may be."""

    path: tuple[str, ...]
    default: Any
    setting: Setting


@cache
def table() -> Mapping[str, Row]:
    """Return all settings by their variable, in the order of the documents."""
    rows = (*_rows(Settings, ()), *_rows(CommandSettings, ()))
    return {row.setting.variable: row for row in rows}


def _rows(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(field.annotation, path)
        for each in field.metadata:
            if isinstance(each, Setting):
                yield Row(path, field.default, each)


def setting(name: str) -> Setting:
    """Return the setting whose field has this name."""
    return next(row.setting for row in table().values() if row.path[-1] == name)


def read(environment: Mapping[str, str], **given: Any) -> Settings:  # noqa: ANN401 - any setting
    """Return the settings of a process: those that are given, and else those of the environment.

    All variables are read, those of other commands too. Raises `WrongSetting` for the first that
    is wrong, and for an unknown one whose name is nearly that of a setting.
    """
    found: dict[str, Any] = {}
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX) and (row := _row(variable)):
            try:
                value = row.setting.read(text)
            except WrongSetting as error:
                raise WrongSetting(_corrected(variable, error, row.default)) from None
            if row.setting.variable.endswith("*"):
                value = {_kind(variable, row): value}
            _put(found, row.path, value)
    own = {name: value for name, value in found.items() if name in Settings.model_fields}
    return Settings.model_validate(own | {name: x for name, x in given.items() if x is not None})


def _row(variable: str) -> Row | None:
    for name, row in table().items():
        if variable == name or (name.endswith("*") and _kind(variable, row)):
            return row
    if nearly := difflib.get_close_matches(variable, table(), 1, _NEARLY):
        raise WrongSetting(f"{variable} is not a setting. Perhaps {nearly[0]}?")
    return None


def _kind(variable: str, row: Row) -> str:
    stem = row.setting.variable.rstrip("*")
    return variable.removeprefix(stem).lower() if variable.startswith(stem) else ""


def _put(found: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    *above, name = path
    for each in above:
        found = found.setdefault(each, {})
    if isinstance(value, dict):
        found.setdefault(name, {}).update(value)
    else:
        found[name] = value


def _corrected(variable: str, error: WrongSetting, default: object) -> str:
    otherwise = f"for the default, {default}" if default else "if it is not needed"
    joint = " " if str(error).startswith("is ") else ": "
    return f"{variable}{joint}{error} Correct it, or unset it {otherwise}."
