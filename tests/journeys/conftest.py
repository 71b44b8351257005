"""What all journeys share: the command as it is typed (see `tests/journeys/typed.py`)."""

from tests.journeys.typed import accord

__all__ = ["accord"]
