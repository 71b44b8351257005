"""Inputs: which events wait, and which were refused?"""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from fastapi.responses import RedirectResponse

from infra.access.roles import Need, Scope
from infra.answers import refusals
from infra.answers.logs import NotFound
from infra.answers.parameters import PositiveWhole
from infra.answers.refusals import REFUSALS, Refusals
from infra.answers.waiting import WAITING, WaitingInputs
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Posted, Visit, Visited, names_of_each, page
from infra.http.problems import Problem
from infra.http.refusals import dismiss, retry

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Done(StrEnum):
    """What was done about a refusal."""

    RETRIED = "retried"
    REFUSED = "refused"
    DISMISSED = "dismissed"


_DONE: Final = {
    Done.RETRIED: "The event of refusal {} is recorded, or waits.",
    Done.REFUSED: "Refusal {} was decided again, and refused again.",
    Done.DISMISSED: "Refusal {} is dismissed.",
}

Number = Annotated[PositiveWhole, Path(description="The refusal's number.")]


def _refused(visit: Visit) -> Refusals:
    answer: Refusals = REFUSALS.whole(visit.accord, viewer=visit.sees)
    return answer


def _waiting(visit: Visit) -> WaitingInputs:
    answer: WaitingInputs = WAITING.whole(visit.accord, viewer=visit.sees)
    return answer


@router.get("/inputs.json")
@needs(Need.INPUTS)
def inputs_json(visit: Visited) -> Response:
    """Return the refused inputs as JSON."""
    return as_json(_refused(visit))


@router.get("/inputs.csv")
@needs(Need.INPUTS)
def inputs_csv(visit: Visited) -> Response:
    """Return the refused inputs as a table."""
    return as_csv("refused-inputs", _refused(visit).items)


@router.get("/inputs")
@needs(Need.INPUTS)
def inputs_page(
    visit: Visited, done: Done | None = None, number: PositiveWhole | None = None
) -> Response:
    """Show the events that wait and those that were refused; `done` is what was just done."""
    refused, waiting = _refused(visit), _waiting(visit)
    about = {each.subject or "" for each in refused.items} | {
        each.partnership for each in waiting.items
    }
    return page(
        "inputs.html",
        visit,
        section="inputs",
        answer=refused,
        refused=refused.items,
        waiting=waiting.items,
        zone_of=waiting.zone_of,
        names=names_of_each(visit, [each for each in about if _is_seen(visit, each)]),
        can_act=Scope.OPERATE in visit.identity.scopes and visit.form_token is not None,
        done=_DONE[done].format(number) if done else None,
    )


def _is_seen(visit: Visit, partnership: str) -> bool:
    """Return whether the viewer sees a partnership: an input can name any."""
    try:
        visit.when(partnership)
    except (NotFound, Problem):
        return False
    return True


@router.post("/inputs/{number}/retry")
@needs(Need.OPERATE)
def retry_input(visit: Visited, number: Number, form: Posted) -> Response:  # noqa: ARG001 - read for its token
    """Decide a refused event again, as it was sent."""
    report = retry(visit.served, refusals.chosen(visit.accord, number))
    return _to_list(visit, Done.REFUSED if report.refused else Done.RETRIED, number)


@router.post("/inputs/{number}/dismiss")
@needs(Need.OPERATE)
def dismiss_input(visit: Visited, number: Number, form: Posted) -> Response:
    """Close a refusal for good, in the name of the person who is signed in."""
    by = form.get("by", "").strip()
    if visit.is_open and not (by and by.isprintable()):
        raise Problem(422, "A dismissal names its person.", "Fill in who dismisses it.")
    dismiss(visit.served, visit.identity, refusals.chosen(visit.accord, number), by)
    return _to_list(visit, Done.DISMISSED, number)


def _to_list(visit: Visit, done: Done, number: int) -> Response:
    to = visit.link("/inputs", done=done, number=f"{number}")
    return RedirectResponse(to, HTTPStatus.SEE_OTHER)
