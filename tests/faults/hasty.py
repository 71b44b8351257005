"""The command `accord`, told to stop between its own last look and the first one of Faust."""

import signal

from consumers import projector
from consumers.command import main

made = projector.application


def _told_to_stop(*given: str) -> object:
    signal.raise_signal(signal.SIGTERM)
    return made(*given)


if __name__ == "__main__":
    projector.application = _told_to_stop  # type: ignore[assignment]
    main()
