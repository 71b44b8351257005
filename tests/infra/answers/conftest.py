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
