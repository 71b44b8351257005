"""Retry and dismiss refusals: one by its number, or all open ones, of one rule or of any."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import ConfigDict

from domain.described import Described
from infra.access.roles import Identity, Need, Role
from infra.answers import refusals
from infra.answers.logs import NotFound
from infra.answers.outcomes import OutcomeCounts, Report
from infra.answers.parameters import Person, PositiveWhole
from infra.answers.problems import KnownRule
from infra.answers.refusals import Dismissed
from infra.deciding.group_commit import Busy
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import Served, ServedHere, json
from infra.http.openapi import Schema, problem
from infra.http.problems import AGAIN_SOON, Problem, not_found
from infra.store.history import Refusal

router = APIRouter(route_class=GuardedRoute, tags=["Ingest"])

Number = Annotated[PositiveWhole, Path(description="The refusal's number.")]
Rule = Annotated[KnownRule | None, Query(description="Only the refusals of this rule.")]

_BUSY: Final[dict[int | str, Schema]] = {
    422: problem("A parameter or the body is wrong."),
    503: problem("Nothing can be recorded at the moment (`Retry-After`)."),
}
_ONE: Final[dict[int | str, Schema]] = {
    404: problem("There is no such refusal, or it is not open any more."),
    **_BUSY,
}


class Dismissal(Described):
    """Who dismisses refusals."""

    model_config = ConfigDict(extra="forbid")

    by: Person
    """The name of the operator, for the record. With an API key, its actor is recorded instead."""


@router.post("/v1/refusals/retry", response_model=Report, responses=_BUSY)
@needs(Need.OPERATE)
def retry_refusals(served: ServedHere, rule: Rule = None) -> Response:
    """Decide all open refused events again, as they were sent, or those of one rule."""
    return json(retry(served, refusals.chosen(served.accord, rule=rule)))


@router.post("/v1/refusals/{number}/retry", response_model=Report, responses=_ONE)
@needs(Need.OPERATE)
def retry_refusal(served: ServedHere, number: Number) -> Response:
    """Decide a refused event again, as it was sent."""
    return json(retry(served, refusals.chosen(served.accord, number)))


@router.post("/v1/refusals/dismiss", response_model=Dismissed, responses=_BUSY)
@needs(Need.OPERATE)
def dismiss_refusals(
    served: ServedHere, who: Caller, dismissal: Dismissal, rule: Rule = None
) -> Response:
    """Close all open refusals for good, or those of one rule."""
    return json(dismiss(served, who, refusals.chosen(served.accord, rule=rule), dismissal.by))


@router.post("/v1/refusals/{number}/dismiss", response_model=Dismissed, responses=_ONE)
@needs(Need.OPERATE)
def dismiss_refusal(
    served: ServedHere, who: Caller, number: Number, dismissal: Dismissal
) -> Response:
    """Close a refusal for good. Its event is not kept; its sender can still send it again."""
    return json(dismiss(served, who, refusals.chosen(served.accord, number), dismissal.by))


def retry(served: Served, pages: Iterator[Sequence[Refusal]]) -> Report:
    """Decide refused events again, as they were sent. Raises a problem."""
    tally, writer = OutcomeCounts(), served.workers.writer
    try:
        for page in pages:
            tally.add(writer.call(partial(served.accord.service.retry, page)).result())
    except NotFound as error:
        raise not_found(error) from error
    except Busy as busy:
        again = "Send the same request again. Refusals whose events were accepted are not open."
        raise Problem(503, str(busy), again, headers=AGAIN_SOON) from busy
    return tally.report(served.accord)


def dismiss(
    served: Served, who: Identity, pages: Iterator[Sequence[Refusal]], by: str
) -> Dismissed:
    """Dismiss refusals in the name of who asks; `by` says it on an open server alone.

    Raises a problem.
    """
    try:
        return refusals.dismiss(served.accord, pages, by if who.role is Role.ANYONE else who.actor)
    except NotFound as error:
        raise not_found(error) from error
