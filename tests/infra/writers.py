"""A writer for a process of its own, as services have it."""

from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from infra.bootstrap import bootstrap
from infra.deciding.batch import Outcome
from infra.settings import Settings


def write(
    settings: Settings,
    messages: list[bytes],
    batch: int,
    start: Barrier,
    outcomes: "Queue[list[Outcome]]",
) -> None:
    """Send messages, so many at a time, until each is decided; put their outcomes in the queue.

    The processes that share `start` begin each batch together, so that they meet.
    """
    came_of: list[Outcome] = []
    with bootstrap(settings) as accord:
        for first in range(0, len(messages), batch):
            start.wait(60)
            waiting = messages[first : first + batch]
            while waiting:
                tried = list(zip(waiting, accord.service.handle(waiting), strict=True))
                came_of += [outcome for _, outcome in tried if not outcome.retryable]
                waiting = [raw for raw, outcome in tried if outcome.retryable]
    outcomes.put(came_of)
