"""What the tests of the store share."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.store.sqlite import SqliteStore
from infra.store.sqlite_views import SqliteViews
from tests.infra.noted import noted_is_known


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
