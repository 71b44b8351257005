"""Acknowledge, assign and silence alerts: each side for itself."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from domain.described import Described
from domain.values import Slug
from infra.access.roles import Identity, Need, Role
from infra.answers import alert_acts, alerts
from infra.answers.alert_acts import Handled
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import Name, Person, Since, WrongParameter
from infra.http import access
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import Served, ServedHere, json
from infra.http.openapi import Schema, problem
from infra.http.problems import ParameterError, not_found, wrong_parameters
from projections.alert_acts import AlertActKind

router = APIRouter(route_class=GuardedRoute, tags=["Alerts"])

_PROBLEMS: Final[dict[int | str, Schema]] = {
    404: problem("The caller has no such alert, or it is not open."),
    422: problem("The body is wrong, or the silence would be over already or too long."),
}


class Acknowledgement(Described):
    """Which alert was seen, and by whom."""

    model_config = ConfigDict(extra="forbid")

    alert: Name
    """The id of an open alert."""
    by: Annotated[Person | None, Field(default=None)]
    """The person who acts, on an open server. With an API key, its actor is recorded instead."""
    party: Annotated[Slug | None, Field(default=None)]
    """The party that acts; the party of the key, or the operator, unless given."""


class Assignment(Acknowledgement):
    """Who takes care of an alert."""

    to: Person
    """The name of the person."""


class Silencing(Acknowledgement):
    """Until when an alert is put aside."""

    until: Since | None
    """When it is shown again, at most 90 days ahead: a date means the beginning of that day (UTC).
    Null brings it back now."""


@router.post("/v1/alerts/acknowledge", response_model=Handled, responses=_PROBLEMS)
@needs(Need.HANDLE)
def acknowledge_alert(served: ServedHere, who: Caller, asked: Acknowledgement) -> Response:
    """Say that an open alert was seen. Only the side of the caller sees it."""
    return json(handle(served, who, asked, AlertActKind.ACKNOWLEDGE))


@router.post("/v1/alerts/assign", response_model=Handled, responses=_PROBLEMS)
@needs(Need.HANDLE)
def assign_alert(served: ServedHere, who: Caller, asked: Assignment) -> Response:
    """Assign an open alert to a person. Only the side of the caller sees it."""
    return json(handle(served, who, asked, AlertActKind.ASSIGN, to=asked.to))


@router.post("/v1/alerts/silence", response_model=Handled, responses=_PROBLEMS)
@needs(Need.HANDLE)
def silence_alert(served: ServedHere, who: Caller, asked: Silencing) -> Response:
    """Put an open alert aside, or bring it back. It is shown again on the day, or opened anew."""
    return json(handle(served, who, asked, AlertActKind.SILENCE, until=asked.until))


def handle(  # noqa: PLR0913 - the act's own parts
    served: Served,
    who: Identity,
    asked: Acknowledgement,
    kind: AlertActKind,
    *,
    to: str | None = None,
    until: datetime | None = None,
) -> Handled:
    """Record an act about an alert in the name of who asks, on that one's side.

    `asked.by` says the name on an open server alone. Raises a problem.
    """
    by = asked.by if who.role is Role.ANYONE else who.actor
    if not by:
        raise wrong_parameters([_wrong("by", "by is missing", "Say who acts.")])
    try:
        # Who has a program gets its alerts, and is a party of no partnership of that name.
        is_own = alert_acts.is_of_program(asked.alert)
        about = [] if is_own else [alert_acts.partnership_of(asked.alert)]
        viewer = access.viewer(served, who, about, asked.party)
        found = alerts.one(served.accord, asked.alert, AsOf(viewer=viewer))
        return alert_acts.act(served.accord, found, viewer.party, kind, by, to=to, until=until)
    except NotFound as error:
        raise not_found(error) from error
    except WrongParameter as wrong:
        raise wrong_parameters([_wrong(wrong.name, wrong.detail, wrong.hint)]) from wrong


def _wrong(name: str, detail: str, hint: str) -> ParameterError:
    return ParameterError(parameter=name, detail=detail, hint=hint)
