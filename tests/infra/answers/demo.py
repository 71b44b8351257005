"""The demo's store for the tests of answers: how moments are written, and parts of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from infra.answers.logs import Asked, AsOf
from infra.answers.question import Answer
from infra.bootstrap import Accord
from projections.visibility import Viewer
from tests.feeds import FEEDS, event_of, messages, simulated

CONSULTING, AURORA = "growthos-consulting", "aurora-series"
OURS, PARTNER = "growthos", "northbridge"


def day(text: str) -> datetime:
    """Return a moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


EVERYTHING = AsOf(known=day("2100-01-01"))
"""A moment after all that is recorded: the answer comes from a replay and not from the views."""

BY_US, BY_PARTNER = AsOf(viewer=Viewer(OURS)), AsOf(viewer=Viewer(PARTNER))


def without_moment(answer: Answer) -> Answer:
    """Return an answer as if no moment had been asked for."""
    return answer.model_copy(update={"as_of": Asked()})


@contextmanager
def played_only(folder: Path, shows: Callable[[str], bool]) -> Iterator[Accord]:
    """Return a store with the demo's partnerships of these names, played and folded."""
    with simulated(folder) as accord:
        for feed in FEEDS:
            sent = [each for each in messages(feed) if shows(event_of(each)["subject"])]
            accord.service.handle(sent)
        accord.runner.catch_up()
        yield accord
