"""The demo's feeds, and a store into which they were played."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.batch import Outcome
from infra.settings import Settings
from infra.tlog import cloudevents, dsse
from tests.documents import REPOSITORY

FEEDS = sorted((REPOSITORY / "examples").glob("*.jsonl"))

MORE = sorted((REPOSITORY / "examples/more").glob("*.jsonl"))
"""Feeds that the demo does not play."""

PROGRAM = "growthos-program"
"""The portfolio's limits: they have a history, and are no partnership."""


def messages(feed: Path) -> list[bytes]:
    """Return a feed's messages, as the intake takes its body apart."""
    return list(cloudevents.split(feed.read_bytes()))


def event_of(raw: bytes) -> dict[str, Any]:
    """Return the CloudEvent of a message, signed or not."""
    value = orjson.loads(raw)
    return dsse.read(value).payload.event if dsse.MARK in value else value


def play(accord: Accord, feed: Path) -> list[Outcome]:
    """Play a feed in one batch."""
    return accord.service.handle(messages(feed))


@contextmanager
def simulated(folder: Path) -> Iterator[Accord]:
    """Return a simulated store, made in a folder if it is not there."""
    settings = Settings(store=f"sqlite:///{folder}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


@contextmanager
def played(folder: Path) -> Iterator[Accord]:
    """Return a simulated store into which all feeds were played, with nothing folded yet.

    It is a copy of a store that is made once for all tests of a process.
    """
    folder.mkdir(exist_ok=True)
    for name, content in _demo().items():
        (folder / name).touch(0o600)
        (folder / name).write_bytes(content)
    with simulated(folder) as accord:
        yield accord


@cache
def _demo() -> dict[str, bytes]:
    """Return the files of the store by name: the store and its key."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with simulated(folder) as accord:
            for feed in FEEDS:
                play(accord, feed)
        return {each.name: each.read_bytes() for each in folder.iterdir()}
