"""The real parts that tests run against, and honesty about those that this machine cannot have.

A test takes `database` (an empty Postgres database) or `broker` (Kafka). They are started natively,
or they are what ACCORD_TEST_POSTGRES and ACCORD_TEST_KAFKA name; Kafka may be a container as well.
A test that kills or restarts one takes `own_postgres` or `own_broker`, which are always native.
"""

import gc
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from dev.local import Missing, kafka, postgres
from dev.local.kafka import Broker
from dev.local.postgres import Postgres
from infra.store.postgres_datastore import migrate

MISSING = "real part missing: "

ALONE = {"test_documents.py"}
"""Files whose tests run in any worker."""

PATIENT: dict[str, int] = {"bootstrap_timeout_ms": 120_000}
"""How long a test's own client waits for a broker on a busy machine; by default it gives up."""


class Reachable(Protocol):
    """A broker, whoever runs it."""

    @property
    def address(self) -> str: ...


@dataclass(frozen=True)
class Elsewhere:
    """A broker that a test can reach and not control."""

    address: str


@dataclass(frozen=True)
class Server:
    """A Postgres server, whoever runs it, by the address of a role that may make databases."""

    admin: str

    def url(self, database: str) -> str:
        return urlsplit(self.admin)._replace(path=f"/{database}").geturl()


# --- the parts ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    if given := os.environ.get("ACCORD_TEST_POSTGRES"):
        yield Server(given)
        return
    with or_missing(), Postgres() as native:
        yield Server(native.url(postgres.OWNER))


@pytest.fixture
def database(postgres_server: Server) -> Iterator[str]:
    """The address of an empty database of this test's own."""
    with empty_database(postgres_server) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; each module has its own, because its event loop stops the tests of others."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def tables(postgres_server: Server) -> Iterator[str]:
    """The name of a database with the tables and no event, to be copied; nobody connects to it."""
    with empty_database(postgres_server) as address:
        migrate(address)
        yield address.rpartition("/")[2]


@pytest.fixture
def migrated(postgres_server: Server, tables: str) -> Iterator[str]:
    """The address of a database of this test's own with the tables and no event."""
    with empty_database(postgres_server, template=tables) as address:
        yield address


@contextmanager
def empty_database(server: Server, template: str | None = None) -> Iterator[str]:
    """Return the address of an empty database or of a copy, which is removed at the end."""
    name = f"accord_test_{uuid.uuid4().hex}"
    postgres.create(server.admin, name, template=template)
    yield server.url(name)
    postgres.drop(server.admin, name)


@pytest.fixture(scope="session")
def broker() -> Iterator[Reachable]:
    if given := os.environ.get("ACCORD_TEST_KAFKA"):
        yield Elsewhere(given)
        return
    with or_missing(), _native_or_container() as part:
        yield part


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with or_missing(), Postgres() as native:
        yield native


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    with or_missing(), Broker() as native:
        yield native


@contextmanager
def sockets_collected() -> Iterator[None]:
    """Collect, without a warning, the sockets that kafka-python leaves open meanwhile.

    Only what is new is looked at: all that earlier tests left would take seconds.
    """
    gc.freeze()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        gc.unfreeze()


@contextmanager
def or_missing() -> Iterator[None]:
    try:
        yield
    except Missing as error:
        missing_part(error.part, f"{error.why}. {error.hint}")


@contextmanager
def _native_or_container() -> Iterator[Reachable]:
    try:
        native = Broker()
    except Missing:
        docker = kafka.engine()
        if docker is None:
            raise
    else:
        with native:
            yield native
        return
    with kafka.container(docker) as address:
        yield Elsewhere(address)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one worker, so that what they share is made once.

    All tests with a broker are in one worker, too, so that only one broker is started. The tests of
    `ALONE` are long and share nothing. First, because xdist reads the groups when its own hook is
    called.
    """
    for item in items:
        if {"broker", "own_broker"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("kafka"))
        elif item.path.name not in ALONE and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


# --- what is missing ---------------------------------------------------------------------------


def missing_part(name: str, reason: str) -> NoReturn:
    """End the test: skipped on a person's machine, failed in CI, where every part must be real."""
    message = f"{MISSING}{name} ({reason})"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None:
                missing_part(program, "not on the PATH")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    reasons = {report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}
    missing = sorted(reason.split(MISSING, 1)[1] for reason in reasons if MISSING in reason)
    if missing:
        terminalreporter.section("NOT EVERYTHING WAS TESTED: real parts missing", red=True)
        for part in missing:
            terminalreporter.write_line(part, red=True)
