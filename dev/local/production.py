"""All of production on this machine without containers, with its data in `var/local`.

The commands and the roles are those of `docker-compose.yml`; a test holds the two together.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
from psycopg import sql

from dev.local import REPOSITORY
from dev.local.kafka import Broker
from dev.local.postgres import STOP, Postgres, create
from dev.local.processes import (
    LOOPBACK,
    STARTS_WITHIN,
    DidNotStart,
    Process,
    Server,
    free_port,
    is_free,
)

FOLDER = REPOSITORY / "var" / "local"

OWNER: Final = "accord"
"""The role that owns the database, which has its name."""

MIGRATE: Final = ("migrate",)
"""The arguments of `accord` that make the tables and the topics."""


@dataclass(frozen=True)
class Service:
    """A kind of process: the arguments of `accord`, its role in the database, and how many."""

    name: str
    arguments: tuple[str, ...]
    role: str
    port: int
    """Of its page; another is taken for a second one, and where somebody else has it."""

    replicas: int = 1


SERVICES: Final = (
    Service("api", ("up",), "accord_writer", 8000),
    Service("intake", ("run", "intake"), "accord_writer", 9101),
    Service("relay", ("run", "relay"), "accord_views", 9102),
    Service("projector", ("run", "projector"), "accord_views", 9103, replicas=2),
    Service("publisher", ("run", "publisher"), "accord_views", 9104),
    Service("notary", ("run", "notary"), "accord_writer", 9105),
    Service("sinks", ("run", "sinks"), "accord_views", 9106),
)


@dataclass(frozen=True)
class Instance:
    """One process of a service."""

    service: Service
    number: int = 1

    @property
    def name(self) -> str:
        """Its own name, by which its files go."""
        return self.service.name + (f"-{self.number}" if self.number > 1 else "")

    @property
    def process(self) -> Process:
        """The process by its pid file, whichever command started it."""
        return Process(self.name, FOLDER / "run", FOLDER / "log" / f"{self.name}.log")

    @property
    def page(self) -> str:
        """Where its page is."""
        return f"http://{LOOPBACK}:{self._port.read_text('ascii')}"

    def start(self, postgres: Postgres, broker: Broker) -> None:
        """Start it, unless it is running."""
        if self.process.running:
            return
        port = self._choose_port()
        self._port.write_text(str(port), "ascii")
        given = _environment(postgres, broker, self.service.role)
        # The API has its pages where it serves; the others have nothing else to serve.
        given |= {"ACCORD_PORT": str(port), "ACCORD_HEALTH": f"{LOOPBACK}:{port}"}
        self.process.start([_accord(), *self.service.arguments], given)

    def is_ready(self) -> bool:
        """Whether it says that it can do its work."""
        try:
            with urlopen(f"{self.page}/readyz", timeout=2) as page:  # noqa: S310 - the loopback
                return bool(page.status == 200)  # noqa: PLR2004 - HTTP's own number
        except (URLError, OSError):
            return False

    def _choose_port(self) -> int:
        # The first one may not listen yet when the second one starts.
        if self.number == 1 and is_free(self.service.port):
            return self.service.port
        return free_port()

    @property
    def _port(self) -> Path:
        return FOLDER / "run" / f"{self.name}.port"


def up() -> None:
    """Start what is not running, in order, and wait until all of it is ready.

    Raises `Missing` for a part that this machine cannot have, `DidNotStart` for one that did not
    come up; what did is left running.
    """
    for name in ("run", "log"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    postgres, broker = (
        Postgres(FOLDER / "postgres", fsync=True),
        Broker(FOLDER / "kafka", lasting=True),
    )
    for server in (postgres, broker):
        _start(server)
    _make_database(postgres)
    _migrate(postgres, broker)
    for instance in _instances():
        instance.start(postgres, broker)
    for instance in _instances():
        instance.process.wait_until(instance.is_ready, STARTS_WITHIN)
        _say(instance.name, instance.page)
    _say("log", str(FOLDER / "log"))


def down() -> None:
    """Stop all that is running, in reverse order; the data stays."""
    for instance in reversed(list(_instances())):
        _stop(instance.process)
    _stop(_server_process("kafka"))
    _stop(_server_process("postgres"), STOP)


def status() -> bool:
    """Say what is running; whether all of it is, and is ready."""
    states = {
        name: "running" if _server_process(name).running else "stopped"
        for name in ("postgres", "kafka")
    }
    for instance in _instances():
        if not instance.process.running:
            states[instance.name] = "stopped"
        elif instance.is_ready():
            states[instance.name] = f"ready {instance.page}"
        else:
            states[instance.name] = f"not ready {instance.page}/readyz"
    for name, state in states.items():
        _say(name, state)
    return all(state.startswith(("running", "ready")) for state in states.values())


def _start(server: Server) -> None:
    if not server.process.running:
        server.start()
    url = server.url(OWNER, OWNER) if isinstance(server, Postgres) else server.address
    _say(server.process.name, url)


def _stop(process: Process, signal: Signals = Signals.SIGTERM) -> None:
    if process.running:
        process.stop(signal)
        _say(process.name, "stopped")


def _make_database(postgres: Postgres) -> None:
    """Make the database and its owner, who may make the roles and is no superuser."""
    admin = postgres.url("postgres")
    with psycopg.connect(admin, autocommit=True) as client:
        if client.execute("SELECT 1 FROM pg_database WHERE datname = %s", [OWNER]).fetchone():
            return
        name = sql.Identifier(OWNER)
        client.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(name))
    create(admin, OWNER, OWNER)


def _migrate(postgres: Postgres, broker: Broker) -> None:
    done = subprocess.run(  # noqa: S603 - Accord's own command
        [_accord(), *MIGRATE],
        env=_environment(postgres, broker, OWNER),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DidNotStart(f"accord migrate failed:\n{done.stdout}{done.stderr}")
    _say("migrate", done.stdout.strip())


def _instances() -> Iterator[Instance]:
    for service in SERVICES:
        for number in range(1, service.replicas + 1):
            yield Instance(service, number)


def _server_process(name: str) -> Process:
    # Not by `Broker`, so that a broker can be stopped when Java is no longer to be found.
    return Process(name, FOLDER / name, FOLDER / name / f"{name}.log")


def _environment(postgres: Postgres, broker: Broker, role: str) -> dict[str, str]:
    """Give the environment with what `docker-compose.yml` sets, and nothing else of Accord's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    # Whoever is on this machine is trusted, so no role has a password.
    given = {"ACCORD_STORE": postgres.url(OWNER, role), "ACCORD_KAFKA": broker.address}
    # Who only folds and tells has no use for the key.
    signs = {} if role == "accord_views" else {"ACCORD_KEY": str(FOLDER / "accord.key")}
    return kept | given | signs


def _accord() -> Path:
    return Path(sys.executable).with_name("accord")


def _say(name: str, what: str) -> None:
    sys.stdout.write(f"{name:<12}{what}\n")
    sys.stdout.flush()
