"""What the tests of answers share: a store into which all feeds of the demo were played."""

from collections.abc import Iterator

import pytest

from infra.bootstrap import Accord
from tests.feeds import played


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    """The demo's store, folded. No test writes to it."""
    with played(tmp_path_factory.mktemp("played")) as accord:
        accord.runner.catch_up()
        yield accord


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is not wrapped, whatever width the runner of the tests sets."""
    monkeypatch.delenv("COLUMNS", raising=False)
