"""What the tests of the store share."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.bootstrap import Accord, bootstrap, init, open_store
from infra.settings import Settings
from infra.store.history import History
from infra.store.views import Views
from tests.infra.noted import noted_is_known
from tests.infra.told import Told


@pytest.fixture
def known() -> Iterator[None]:
    with noted_is_known():
        yield


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/accord.db"
    migrated: str = request.getfixturevalue("migrated")
    return migrated


@pytest.fixture
def store(address: str, known: None) -> Iterator[History]:  # noqa: ARG001 - its effect
    store, *_ = open_store(Settings(store=address))
    with closing(store):
        yield store


@pytest.fixture
def views(address: str) -> Iterator[Views]:
    history, views, _ = open_store(Settings(store=address))
    with closing(history):
        yield views


@pytest.fixture
def clock() -> Told:
    return Told()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(store=f"sqlite:///{tmp_path}/ordinary.db")
    init(settings)
    return settings


@pytest.fixture
def accord(settings: Settings, clock: Told) -> Iterator[Accord]:
    with bootstrap(settings, clock) as accord:
        yield accord
