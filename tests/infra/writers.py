"""A writer for a process of its own, as services have it."""

from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from infra.bootstrap import bootstrap
from infra.deciding.batch import Outcome
from infra.settings import Settings

BATCH = 20


def write(
    settings: Settings, messages: list[bytes], start: Barrier, outcomes: "Queue[list[Outcome]]"
) -> None:
    """Send messages in batches, each until it was decided, and put their outcomes in the queue."""
    came_of: list[Outcome] = []
    with bootstrap(settings) as accord:
        start.wait(60)
        for first in range(0, len(messages), BATCH):
            waiting = messages[first : first + BATCH]
            while waiting:
                tried = list(zip(waiting, accord.service.handle(waiting), strict=True))
                came_of += [outcome for _, outcome in tried if not outcome.retryable]
                waiting = [raw for raw, outcome in tried if outcome.retryable]
    outcomes.put(came_of)
