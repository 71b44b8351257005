"""What the tests of the store share."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.bootstrap import Accord, bootstrap, init
from infra.settings import Settings
from infra.store.sqlite import SqliteStore
from infra.store.sqlite_views import SqliteViews
from tests.infra.noted import noted_is_known
from tests.infra.told import Told


@pytest.fixture
def known() -> Iterator[None]:
    with noted_is_known():
        yield


@pytest.fixture
def store(tmp_path: Path, known: None) -> Iterator[SqliteStore]:  # noqa: ARG001 - its effect
    with closing(SqliteStore.open(tmp_path / "accord.db")) as store:
        yield store


@pytest.fixture
def views(tmp_path: Path) -> Iterator[SqliteViews]:
    with closing(SqliteViews.open(tmp_path / "accord.db")) as views:
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
