"""The command `accord`, told to stop between its own last look and the first one of Faust."""

import signal

from consumers import faust_app, projector
from consumers.command import main
from infra.kafka.cluster import Cluster

made = faust_app.application


def _told_to_stop(cluster: Cluster, group: str) -> object:
    signal.raise_signal(signal.SIGTERM)
    return made(cluster, group)


if __name__ == "__main__":
    vars(projector)["application"] = _told_to_stop
    main()
