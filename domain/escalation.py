"""How an issue is escalated that nobody resolves: after which hours, and to whom (C24)."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from domain.calendar import add_working_hours
from domain.kernel import Value
from domain.response import Office

Escalated = Literal[Office.SPONSOR, Office.MANAGER, Office.MARKETING, Office.FINANCE, Office.LEGAL]
"""The offices that an issue can go to."""


class EscalationStep(Value):
    """A step of the escalation: after how long an open issue goes to which office."""

    hours: Annotated[int, Field(ge=1, le=9999)] = 48
    """After how many hours, counted from the step before it, or from when the issue was raised."""
    to: Escalated = Office.SPONSOR
    """The office of each party that then acts."""


class Escalation(Value):
    """The steps in which an issue is escalated that nobody resolves (C24)."""

    steps: Annotated[list[EscalationStep], Field(min_length=1, max_length=9)] = [EscalationStep()]
    """The steps, in order."""
    count: Literal["all-hours", "working-days"] = "all-hours"
    """Which hours count: all, or those of Monday to Friday."""

    def passes(self, step: int, since: datetime, zone: str) -> datetime:
        """Return when a step comes, counted from 0, if the one before it came at `since`."""
        hours = self.steps[step].hours
        if self.count == "working-days":
            return add_working_hours(since, hours, zone)
        return since + timedelta(hours=hours)


def office_words(office: Office) -> str:
    """Return in words whom an issue goes to: people of both parties, or a department of each."""
    if office in {Office.SPONSOR, Office.MANAGER}:
        return f"the {office.value.replace('-', ' ')}s"
    return office.value


DOCUMENTED: Final = Escalation()
"""The rule of the documents: after 48 hours an issue goes to the executive sponsors (C24)."""
