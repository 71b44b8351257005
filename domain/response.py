"""How an alert is answered: how severe it is, and which office acts.

Each kind of alert names its response in its own row (`domain.standing_alerts`,
`domain.deadlines.table`). `domain.offices` says who holds an office.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class Severity(StrEnum):
    """How severe an alert is."""

    INFO = "info"
    """Good to know; nothing is lost yet."""
    WARNING = "warning"
    """Somebody has to act, or what was agreed is not kept."""
    CRITICAL = "critical"
    """Money that is owed, the contract or the partnership itself is at risk."""


class Office(StrEnum):
    """The office that acts on an alert: a contact for a function, or the executive sponsor (C12).

    The partnership manager acts for an office that nobody holds.
    """

    MANAGER = "partnership-manager"
    MARKETING = "marketing"
    FINANCE = "finance"
    LEGAL = "legal"
    SPONSOR = "executive-sponsor"
    METRIC_OWNER = "metric-owner"
    """The owner of the metric that an alert is about (C29)."""


class Response(NamedTuple):
    """How severe a kind of alert is, why, and which office acts."""

    severity: Severity
    because: str
    """The reason for the severity, as a sentence."""
    office: Office = Office.MANAGER


AGREED_RULE: Final = Response(Severity.WARNING, "A figure breaks a rule that both agreed.")
"""The response to the breach of an agreed rule."""
