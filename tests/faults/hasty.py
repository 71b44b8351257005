"""The command `accord`, told to stop between its own last look and the first one of Faust."""

import signal

from consumers import faust_app, projector
from consumers.command import main

made = faust_app.application


def _told_to_stop(*given: str) -> object:
    signal.raise_signal(signal.SIGTERM)
    return made(*given)


if __name__ == "__main__":
    vars(projector)["application"] = _told_to_stop
    main()
