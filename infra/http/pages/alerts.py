"""The alerts: what must be done, and by whom?"""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from domain.standing_alerts import AlertKind
from domain.values import Slug
from infra.access.roles import Need
from infra.answers.alerts import ALERTS_QUESTION, Alerts
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Visit, Visited, page
from projections.alerts import Alert, AlertState

router = APIRouter(route_class=PageRoute, include_in_schema=False)


Chosen = Annotated[Slug | None, Query(description="One partnership.")]


def _answer(visit: Visit, partnership: str | None) -> Alerts:
    about = () if partnership is None else (partnership,)
    answer: Alerts = ALERTS_QUESTION.reply(
        visit.accord,
        partnership=partnership,
        when=visit.when(*about),
        page=Paging(limit=LONGEST_PAGE),
    )
    return answer


@router.get("/alerts.json")
@needs(Need.FIGURES)
def alerts_json(visit: Visited, partnership: Chosen = None) -> Response:
    """Return the alerts as JSON."""
    return as_json(_answer(visit, partnership))


@router.get("/alerts.csv")
@needs(Need.FIGURES)
def alerts_csv(visit: Visited, partnership: Chosen = None) -> Response:
    """Return the alerts as a table."""
    return as_csv("alerts", _answer(visit, partnership).items)


@router.get("/alerts")
@needs(Need.FIGURES)
def alerts_page(visit: Visited, partnership: Chosen = None) -> Response:
    """Show what is open, what was withdrawn because it should not have opened, what is resolved."""
    answer = _answer(visit, partnership)
    latest = sorted(answer.items, key=lambda each: each.since, reverse=True)
    return page(
        "alerts.html",
        visit,
        section="alerts",
        answer=answer,
        partnership=partnership,
        opened=sorted(_in(latest, AlertState.OPEN), key=_is_reminder),
        withdrawn=_in(latest, AlertState.WITHDRAWN),
        resolved=_in(latest, AlertState.RESOLVED),
        to_act_on=sum(not _is_reminder(each) for each in _in(latest, AlertState.OPEN)),
        reminders=sum(_is_reminder(each) for each in _in(latest, AlertState.OPEN)),
    )


def _in(alerts: list[Alert], state: AlertState) -> list[Alert]:
    return [each for each in alerts if each.state is state]


def _is_reminder(alert: Alert) -> bool:
    return alert.kind is AlertKind.REMINDER
