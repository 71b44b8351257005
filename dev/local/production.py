"""Production on this machine without containers, with its data in `var/local`.

The commands and the roles are those of `docker-compose.yml`; a test compares the two.
"""

import json
import os
import secrets
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
from dev.local.kafka import ADMIN, Broker, secured
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
from infra.kafka.grants import MECHANISM
from infra.kafka.grants import SERVICES as SENDERS
from infra.kafka.topics import Topics
from infra.store.postgres_datastore import LOGINS, login_of

FOLDER = REPOSITORY / "var" / "local"

OWNER: Final = "accord"
"""The role that owns the database, and the name of the database."""

MIGRATE: Final = ("migrate",)
"""The arguments of `accord` that make the tables and the topics."""

KEYS: Final = ("keys", "create", "--role", "operator", "--actor", "setup", "--out")
"""The command that makes the operator's first API key; the name of its file follows."""

SIGNERS: Final = (OWNER, "api", "intake", "notary")
"""Who has the operator's signing key: the migration makes it, and the others sign with it."""

API_KEY: Final = FOLDER / "operator.token"
"""The file of that key."""


@dataclass(frozen=True)
class Service:
    """A kind of process: the arguments of `accord`, and how many. It logs in by its name."""

    name: str
    arguments: tuple[str, ...]
    port: int
    """The port of its page; further replicas get another, and so does one whose port is in use."""

    replicas: int = 1


SERVICES: Final = (
    Service("api", ("up",), 8000),
    Service("intake", ("run", "intake"), 9101),
    Service("relay", ("run", "relay"), 9102),
    Service("projector", ("run", "projector"), 9103, replicas=2),
    Service("publisher", ("run", "publisher"), 9104),
    Service("notary", ("run", "notary"), 9105),
    Service("sinks", ("run", "sinks"), 9106),
    Service("courier", ("run", "courier"), 9107),
)


@dataclass(frozen=True)
class Instance:
    """One process of a service."""

    service: Service
    number: int = 1

    @property
    def name(self) -> str:
        """The name of the process and of its files."""
        return self.service.name + (f"-{self.number}" if self.number > 1 else "")

    @property
    def process(self) -> Process:
        """The process of its pid file, started by any command."""
        return Process(self.name, FOLDER / "run", FOLDER / "log" / f"{self.name}.log")

    @property
    def page(self) -> str:
        """The address of its page."""
        return f"http://{LOOPBACK}:{self._port.read_text('ascii')}"

    def start(self, postgres: Postgres, broker: Broker) -> None:
        """Start it; does nothing if it is running."""
        if self.process.running:
            return
        port = self._choose_port()
        self._port.write_text(str(port), "ascii")
        given = _environment(postgres, broker, self.service.name)
        # The API serves its health page with its routes; the others serve only that page.
        given |= {"ACCORD_PORT": str(port), "ACCORD_HEALTH": f"{LOOPBACK}:{port}"}
        self.process.start([_accord(), *self.service.arguments], given)

    def is_ready(self) -> bool:
        """Whether its page says that it is ready."""
        try:
            with urlopen(f"{self.page}/readyz", timeout=2) as page:  # noqa: S310 - the loopback
                return bool(page.status == 200)  # noqa: PLR2004 - HTTP's own number
        except (URLError, OSError):
            return False

    def _choose_port(self) -> int:
        # The first replica may not listen yet when the second one starts.
        if self.number == 1 and is_free(self.service.port):
            return self.service.port
        return free_port()

    @property
    def _port(self) -> Path:
        return FOLDER / "run" / f"{self.name}.port"


def up() -> None:
    """Start what is not running, in order, and wait until everything is ready.

    Raises `Missing` for a part that this machine cannot run, `DidNotStart` for one that did not
    start. Started parts stay running.
    """
    for name in ("run", "log"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    words = secrets_in(FOLDER)
    admin = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": ADMIN,
        "sasl_plain_password": words["kafka"],
    }
    postgres, broker = (
        Postgres(FOLDER / "postgres", fsync=True, password=words["postgres"]),
        Broker(FOLDER / "kafka", lasting=True, more=secured(words["kafka"]), client=admin),
    )
    for server in (postgres, broker):
        _start(server)
    _make_database(postgres)
    _run(postgres, broker, OWNER, MIGRATE)
    if not API_KEY.exists():
        _run(postgres, broker, "keys", (*KEYS, str(API_KEY)))
    _say("API key", str(API_KEY))
    for instance in _instances():
        instance.start(postgres, broker)
    for instance in _instances():
        instance.process.wait_until(instance.is_ready, STARTS_WITHIN)
        _say(instance.name, instance.page)
    _say("log", str(FOLDER / "log"))


def down() -> None:
    """Stop everything that is running, in reverse order; the data stays."""
    for instance in reversed(list(_instances())):
        _stop(instance.process)
    _stop(_server_process("kafka"))
    _stop(_server_process("postgres"), STOP)


def status() -> bool:
    """Print what is running; return whether everything is running and ready."""
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
    _say(server.process.name, server.address)


def _stop(process: Process, signal: Signals = Signals.SIGTERM) -> None:
    if process.running:
        process.stop(signal)
        _say(process.name, "stopped")


def _make_database(postgres: Postgres) -> None:
    """Make the database and its owner, which can make roles and is not a superuser."""
    admin = postgres.url("postgres")
    with psycopg.connect(admin, autocommit=True) as client:
        if client.execute("SELECT 1 FROM pg_database WHERE datname = %s", [OWNER]).fetchone():
            return
        word = client.pgconn.encrypt_password(
            secrets_in(FOLDER)[OWNER].encode(), OWNER.encode(), b"scram-sha-256"
        )
        client.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                sql.Identifier(OWNER), sql.Literal(word.decode())
            )
        )
    create(admin, OWNER, OWNER)


def _run(postgres: Postgres, broker: Broker, service: str, command: tuple[str, ...]) -> None:
    """Run a command of Accord as a service or the owner. Raises `DidNotStart` if it fails."""
    done = subprocess.run(  # noqa: S603 - Accord's own command
        [_accord(), *command],
        env=_environment(postgres, broker, service),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DidNotStart(f"accord {command[0]} failed:\n{done.stdout}{done.stderr}")
    _say(command[0], (done.stdout or done.stderr).strip())


def _instances() -> Iterator[Instance]:
    for service in SERVICES:
        for number in range(1, service.replicas + 1):
            yield Instance(service, number)


def _server_process(name: str) -> Process:
    # Without `Broker`, so that a broker can be stopped even if Java was removed.
    return Process(name, FOLDER / name, FOLDER / name / f"{name}.log")


def secrets_in(folder: Path) -> dict[str, str]:
    """Return the passwords of an installation: of its servers, of the owner, of each service.

    Those that are missing are made, in a file that only its owner can read.
    """
    file = folder / "secrets.json"
    file.touch(mode=0o600)
    found: dict[str, str] = json.loads(file.read_text("utf-8") or "{}")
    missing = {"postgres", "kafka", OWNER, *LOGINS} - found.keys()
    if missing:
        found |= {name: secrets.token_hex(16) for name in sorted(missing)}
        file.write_text(json.dumps(found), "utf-8")
    return found


def _environment(postgres: Postgres, broker: Broker, service: str) -> dict[str, str]:
    """Return the environment with the variables of `docker-compose.yml` and no others of Accord."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    words = secrets_in(FOLDER)
    login = OWNER if service == OWNER else login_of(service)
    given = {
        "ACCORD_STORE": postgres.url(OWNER, login, words[service]),
        "ACCORD_KAFKA": broker.address,
    }
    if service == OWNER:
        given |= {f"ACCORD_PASSWORD_{name.upper()}": words[name] for name in LOGINS}
        given |= _login("PLAIN", ADMIN, words["kafka"])
    elif service in SENDERS:
        given |= _login(MECHANISM, Topics().user(service), words[service])
    if service in SIGNERS:
        given["ACCORD_KEY"] = str(FOLDER / "accord.key")
    return kept | given


def _login(mechanism: str, user: str, password: str) -> dict[str, str]:
    return {
        "ACCORD_KAFKA_SASL": mechanism,
        "ACCORD_KAFKA_USER": user,
        "ACCORD_KAFKA_PASSWORD": password,
    }


def _accord() -> Path:
    return Path(sys.executable).with_name("accord")


def _say(name: str, what: str) -> None:
    sys.stdout.write(f"{name:<12}{what}\n")
    sys.stdout.flush()
