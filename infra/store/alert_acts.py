"""The log of what people did about alerts, beside the history and never in it."""

from collections.abc import Collection
from typing import Protocol

from projections.alert_acts import AlertAct


class AlertActs(Protocol):
    """The acts about the alerts of a store. Each change is one transaction."""

    def of(self, side: str | None, alerts: Collection[str]) -> list[AlertAct]:
        """Return the acts of a side about these alerts, in the order in which they were done."""

    def people(self) -> set[str]:
        """Return the names of all who acted, and of all to whom an alert was assigned."""

    def naming(self, name: str) -> list[AlertAct]:
        """Return the acts that a person of this name did, and those that assign to one."""

    def add(self, act: AlertAct) -> None:
        """Save an act."""

    def forget(self, partnership: str, side: str | None, name: str) -> None:
        """Delete a name from a side's acts about the alerts of a partnership, and their bytes."""


ERASED = "an erased person"
"""What remains in the place of a name."""
