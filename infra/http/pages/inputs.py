"""Inputs: which events wait, and which were refused?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from infra.access.roles import Need, Scope
from infra.answers import refusals
from infra.answers.logs import NotFound
from infra.answers.parameters import PositiveWhole
from infra.answers.question import Answer
from infra.answers.refusals import REFUSALS, Refusals, RefusedInput
from infra.answers.waiting import WAITING, WaitingInput, WaitingInputs
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import (
    PageRoute,
    Posted,
    Visit,
    Visited,
    just_done,
    names_of_each,
    page,
    to_page,
)
from infra.http.problems import Problem
from infra.http.refusals import dismiss, retry

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Done(StrEnum):
    """What was done about a refusal."""

    RETRIED = "retried"
    REFUSED = "refused"
    DISMISSED = "dismissed"


_DONE: Final[Mapping[str, str]] = {
    Done.RETRIED: "The event of refusal {} is recorded, or waits.",
    Done.REFUSED: "Refusal {} was decided again, and refused again.",
    Done.DISMISSED: "Refusal {} is dismissed.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An input that waits or was refused, as a row of a table."""

    state: str
    """`waiting` or `refused`."""
    number: int | None
    """The number of the refusal."""
    partnership: str | None
    type: str | None
    party: str | None
    person: str | None
    source: str
    id: str
    arrived: datetime
    until: datetime | None
    """When the days of what waits are over."""
    waits_for: str | None
    rule: str | None
    detail: str | None
    hint: str | None


def _waiting_row(each: WaitingInput) -> Row:
    sent = (each.partnership, each.type, each.party, each.person, each.source, each.id)
    awaited = each.waiting_for.detail
    return Row("waiting", None, *sent, each.since, each.until, awaited, None, None, None)


def _refused_row(each: RefusedInput) -> Row:
    sent = (each.subject, each.type, each.party, each.person, each.source, each.id)
    why = (each.rule, each.detail, each.hint)
    return Row("refused", each.number, *sent, each.received_at, None, None, *why)


class Inputs(Answer):
    """What waits and what was refused."""

    waiting: tuple[WaitingInput, ...]
    """The events that wait, in the order in which they came."""
    refused: tuple[RefusedInput, ...]
    """The inputs that were refused, in the order in which they came."""


Number = Annotated[PositiveWhole, Path(description="The refusal's number.")]


def _refused(visit: Visit) -> Refusals:
    answer: Refusals = REFUSALS.whole(visit.accord, viewer=visit.sees)
    return answer


def _waiting(visit: Visit) -> WaitingInputs:
    answer: WaitingInputs = WAITING.whole(visit.accord, viewer=visit.sees)
    return answer


def _inputs(visit: Visit) -> Inputs:
    refused = _refused(visit)
    return Inputs(
        simulated=refused.simulated,
        as_of=refused.as_of,
        waiting=_waiting(visit).items,
        refused=refused.items,
    )


@router.get("/inputs.json")
@needs(Need.INPUTS)
def inputs_json(visit: Visited) -> Response:
    """Return the inputs that wait and those that were refused as JSON."""
    return as_json(_inputs(visit))


@router.get("/inputs.csv")
@needs(Need.INPUTS)
def inputs_csv(visit: Visited) -> Response:
    """Return the inputs that wait and those that were refused as a table."""
    found = _inputs(visit)
    rows = [*map(_waiting_row, found.waiting), *map(_refused_row, found.refused)]
    return as_csv("inputs", Row, rows)


@router.get("/inputs")
@needs(Need.INPUTS)
def inputs_page(visit: Visited, request: Request) -> Response:
    """Show the events that wait, and those that were refused, the latest first."""
    done, _, number = just_done(request).partition(".")
    refused, waiting = _refused(visit), _waiting(visit)
    about = {each.subject or "" for each in refused.items} | {
        each.partnership for each in waiting.items
    }
    return page(
        "inputs.html",
        visit,
        section="inputs",
        answer=refused,
        refused=sorted(refused.items, key=_arrival, reverse=True),
        waiting=waiting.items,
        zone_of=waiting.zone_of,
        names=names_of_each(visit, [each for each in about if _is_seen(visit, each)]),
        can_act=Scope.OPERATE in visit.identity.scopes and visit.form_token is not None,
        done=_DONE[done].format(number) if done in _DONE else None,
    )


def _arrival(each: RefusedInput) -> tuple[datetime, int]:
    return each.received_at, each.number


def _is_seen(visit: Visit, partnership: str) -> bool:
    """Return whether the viewer sees a partnership: an input can name any."""
    try:
        visit.when(partnership)
    except (NotFound, Problem):
        return False
    return True


@router.post("/inputs/{number}/retry")
@needs(Need.OPERATE)
def retry_input(visit: Visited, request: Request, number: Number, form: Posted) -> Response:  # noqa: ARG001 - read for its token
    """Decide a refused event again, as it was sent."""
    if closed := _closed(visit, request, number):
        return closed
    report = retry(visit.served, refusals.chosen(visit.accord, number))
    done = Done.REFUSED if report.refused else Done.RETRIED
    return _to_inputs(visit, request, done, number)


@router.post("/inputs/{number}/dismiss")
@needs(Need.OPERATE)
def dismiss_input(visit: Visited, request: Request, number: Number, form: Posted) -> Response:
    """Close a refusal for good, in the name of the person who is signed in."""
    by = form.get("by", "").strip()
    if visit.is_open and not (by and by.isprintable()):
        raise Problem(422, "A dismissal names its person.", "Fill in who dismisses it.")
    if closed := _closed(visit, request, number):
        return closed
    dismiss(visit.served, visit.identity, refusals.chosen(visit.accord, number), by)
    return _to_inputs(visit, request, Done.DISMISSED, number)


def _closed(visit: Visit, request: Request, number: int) -> Response | None:
    """Lead to the inputs, and say what was done before, as by the first of two clicks.

    Returns None for a refusal that is open.
    """
    found = visit.accord.history.refusal(number)
    done = _CLOSED.get(found.state) if found else None
    return _to_inputs(visit, request, done, number) if done else None


_CLOSED: Final[Mapping[str, Done]] = {"resolved": Done.RETRIED, "dismissed": Done.DISMISSED}
"""What was done about a refusal that is not open any more, by its state."""


def _to_inputs(visit: Visit, request: Request, done: Done, number: int) -> Response:
    return to_page(request, visit.link("/inputs"), f"{done}.{number}")
