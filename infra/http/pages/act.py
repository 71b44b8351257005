"""Acting from a page: the form is made from a command's schema, and the usual intake decides."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Query, Response

from domain.aggregates import command_types
from domain.kernel import Command
from domain.values import instant
from infra.access import roles
from infra.access.roles import Need
from infra.answers.inbox import INBOX, SIGNED
from infra.answers.next import NEXT, summary
from infra.answers.parameters import LONGEST_PAGE, Name
from infra.answers.question import Paging, PartnershipId
from infra.deciding.batch import Outcome
from infra.http.access import needs, refused_as_problem
from infra.http.events import decide
from infra.http.pages import forms
from infra.http.pages.consent import answered, fields_of, subject_of
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.forms import Field, Unfinished
from infra.http.pages.site import PageRoute, Posted, Visit, Visited, names_of, page
from infra.http.problems import Problem, refusal
from infra.tlog import cloudevents

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SOURCE: Final = "//accord/pages"
"""The source of the events that people send from a page."""

MUST_BE_SIGNED: Final = "must-be-signed"
"""The rule that refuses an unsigned event of a party with a key. The page then prepares it."""

TypeName = Annotated[Name, Path(description="The type of event, such as AcceptTerms.")]
Known = Annotated[
    str | None, Query(description="The data that is known, as JSON: the inbox has it.")
]


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that a person is about to send."""

    partnership: str
    command: type[Command]
    party: str
    id: str
    """Its id: a form that is sent twice is the same event, and acts once."""
    time: str
    """When what it tells happened."""
    known: Mapping[str, Any]
    """The data that is known without the person."""
    data: Mapping[str, Any]

    def event(self, actor: str) -> dict[str, Any]:
        """Return it as a CloudEvent."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": cloudevents.PREFIX + self.command.__name__,
            "subject": self.partnership,
            "time": self.time,
            "party": self.party,
            "actor": actor,
            "data": {**self.data},
        }

    def to_sign(self, actor: str) -> str:
        """Return it as the line that its party signs, with the digest of what it accepts."""
        signed = {name: self.known[name] for name in sorted(SIGNED & self.known.keys())}
        return orjson.dumps(replace(self, data={**self.data, **signed}).event(actor)).decode()


@router.get("/partnerships/{id}/next.json")
@needs(Need.FACTS)
def next_json(visit: Visited, id: PartnershipId) -> Response:
    """Return what each party can send and what closed gates require as JSON."""
    return as_json(NEXT.reply(visit.accord, id=id, when=visit.when(id)))


@dataclass(frozen=True, slots=True)
class Sendable:
    """A type of event that a party can send."""

    party: str
    type: str
    summary: str


@router.get("/partnerships/{id}/next.csv")
@needs(Need.FACTS)
def next_csv(visit: Visited, id: PartnershipId) -> Response:
    """Return the types of events that each party can send as a table."""
    answer = NEXT.reply(visit.accord, id=id, when=visit.when(id))
    found = [(of.party, event) for of in answer.parties for event in of.events]
    return as_csv(f"{id}-next", (Sendable(of, each.type, each.summary) for of, each in found))


@router.get("/partnerships/{id}/next")
@needs(Need.FACTS)
def next_page(visit: Visited, id: PartnershipId) -> Response:
    """Show what awaits each party, what it can send, and what closed gates require."""
    when = visit.when(id)
    waiting = INBOX.reply(visit.accord, partnership=id, when=when, page=Paging(limit=LONGEST_PAGE))
    return page(
        "next.html",
        visit,
        section="portfolio",
        answer=NEXT.reply(visit.accord, id=id, when=when),
        waiting=waiting.items,
        names=names_of(visit.accord, id, when),
    )


@router.get("/partnerships/{id}/send/{type}")
@needs(Need.EMIT)
def form_page(visit: Visited, id: PartnershipId, type: TypeName, given: Known = None) -> Response:
    """Show the form of a command, with what is known filled in."""
    draft = _draft(visit, id, type, given or "")
    return _form(visit, draft, forms.fields(draft.command, draft.known))


@router.post("/partnerships/{id}/send/{type}")
@needs(Need.EMIT)
async def send(visit: Visited, id: PartnershipId, type: TypeName, form: Posted) -> Response:
    """Send what a form was filled in with; show what was decided, or in place why not."""
    draft = _draft(visit, id, type, form.get("known", ""))
    draft = replace(draft, id=form.get("id", draft.id), time=form.get("time", draft.time))
    filled = forms.filled(draft.command, form)
    try:
        draft = replace(draft, data=forms.data(draft.command, form))
    except Unfinished as error:
        problem = Problem(422, str(error), "Write it as JSON, or leave it empty.")
        return _form(visit, draft, filled, problem)
    signed = form.get("signed", "").strip()
    raw = signed.encode() if signed else orjson.dumps(draft.event(visit.identity.actor))
    (outcome,) = await decide(visit.served, visit.identity, [raw])
    if outcome.status == "refused":
        return _form(visit, draft, filled, refusal(outcome), signed)
    return _decided(visit, draft, outcome)


def _draft(visit: Visit, id: str, type: str, known: str) -> Draft:
    command = command_types().get(type)
    if command is None:
        raise Problem(404, f"There is no type of event {type}.", "Choose one of those listed.")
    party = visit.identity.party or visit.party
    if party is None:
        raise Problem(
            400, "An event is sent by a party.", "Open the form from the inbox of the party."
        )
    visit.when(id)
    with refused_as_problem():
        roles.check_emits(visit.identity, party, type, id)
    now, given = instant(visit.accord.clock()), _known(known)
    return Draft(id, command, party, secrets.token_hex(16), now, given, given)


def _known(text: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "The data that is known is no JSON object.", "Open the form again.")
    return found


def _form(
    visit: Visit,
    draft: Draft,
    fields: Sequence[Field],
    refused: Problem | None = None,
    signed: str = "",
) -> Response:
    problem = refused.document if refused else None
    actor = visit.identity.actor
    answer = (visit, draft.partnership, draft.party, draft.command, draft.known)
    subject = subject_of(*answer)
    return page(
        "send.html",
        visit,
        refused.status if refused else HTTPStatus.OK,
        section="portfolio",
        draft=draft,
        names=names_of(visit.accord, draft.partnership, visit.when(draft.partnership)),
        type=draft.command.__name__,
        summary=summary(draft.command),
        subject=subject,
        answered=None if subject or not draft.known else answered(*answer),
        fields=fields_of([*fields], subject, draft.command, draft.known),
        known=orjson.dumps(draft.known).decode(),
        refused=problem,
        to_sign=draft.to_sign(actor) if problem and problem.rule == MUST_BE_SIGNED else None,
        signed=signed,
    )


def _decided(visit: Visit, draft: Draft, outcome: Outcome) -> Response:
    return page(
        "sent.html",
        visit,
        section="portfolio",
        draft=draft,
        names=names_of(visit.accord, draft.partnership, visit.when(draft.partnership)),
        type=draft.command.__name__,
        outcome=outcome,
    )
