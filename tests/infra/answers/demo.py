"""The demo's store for the tests of answers: how moments are written, and parts of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from infra.bootstrap import Accord
from tests.feeds import FEEDS, messages, simulated

CONSULTING = "growthos-consulting"


def day(text: str) -> datetime:
    """Give a moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def played_only(folder: Path, shows: Callable[[str], bool]) -> Iterator[Accord]:
    """Give a store into which the demo's partnerships with these names were played, and folded."""
    with simulated(folder) as accord:
        for feed in FEEDS:
            sent = [each for each in messages(feed) if shows(orjson.loads(each)["subject"])]
            accord.service.handle(sent)
        accord.runner.catch_up()
        yield accord
