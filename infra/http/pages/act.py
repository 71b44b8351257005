"""Acting from a page: the form is made from a command's schema, and the usual intake decides."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse

from domain.aggregates import command_types
from domain.deadlines.deadline import DeadlineKind
from domain.declarations import CHANGE_REASON
from domain.exploration import IdentifyCandidate
from domain.kernel import Command, Stage
from domain.recorded import Recorded
from domain.values import instant
from infra.access import roles
from infra.access.roles import Need
from infra.answers.candidates import CANDIDATES
from infra.answers.inbox import INBOX, SIGNED
from infra.answers.logs import NotFound, log, moment_of, whole_log
from infra.answers.next import NEXT, Next, PartyNext, PossibleEvent, summary
from infra.answers.parameters import Name, Wrong
from infra.answers.question import PartnershipId
from infra.answers.schema import group
from infra.answers.show_text import deadline_words
from infra.deciding.batch import Outcome
from infra.http.access import needs, refused_as_problem
from infra.http.events import decide
from infra.http.pages import forms
from infra.http.pages.consent import answered, fields_of, on_record, subject_of
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.forms import Unfinished
from infra.http.pages.inbox import Asked, by_thing
from infra.http.pages.shown import unsourced
from infra.http.pages.site import (
    OWNER,
    PageRoute,
    PostedPerhapsStale,
    Visit,
    Visited,
    names_of,
    page,
    showing,
    zone_of,
)
from infra.http.pages.suggested import changed_only, suggested
from infra.http.problems import Problem, refusal
from infra.store.history import InputId
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
    rows = (Sendable(of, each.type, unsourced(each.summary)) for of, each in found)
    return as_csv(f"{id}-next", Sendable, rows)


@router.get("/partnerships/{id}/next")
@needs(Need.FACTS)
def next_page(visit: Visited, id: PartnershipId) -> Response:
    """Show what awaits each party, what it can send, and what closed gates require."""
    when = visit.when(id)
    asked = by_thing(INBOX.whole(visit.accord, partnership=id, when=when).items)
    answer: Next = NEXT.reply(visit.accord, id=id, when=when)
    return page(
        "next.html",
        visit,
        section="portfolio",
        answer=answer,
        waiting=asked,
        groups={each.party: _groups(each, asked, answer.stage) for each in answer.parties},
        ahead=[each for each in answer.due if each.kind in _ENDS],
        deadline_words=deadline_words,
        given=partial(_about_candidate, _candidates(visit, answer)),
        names=names_of(visit.accord, id, when),
    )


_ENDS: Final = frozenset({DeadlineKind.NOTICE, DeadlineKind.TERM_END, DeadlineKind.EXIT})
"""The deadlines that nobody has to meet, and that change what can be done."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some types of events that a party can send."""

    name: str
    """`awaited`, or the stage in which they can first be sent."""
    events: list[PossibleEvent]
    is_open: bool
    """Whether the page shows them at once."""


AWAITED: Final = "awaited"
"""The group of what does what awaits a party."""


def _groups(party: PartyNext, asked: Iterable[Asked], stage: Stage) -> list[Group]:
    """Return what a party can send: what awaits it, then what its stage is for, then the rest."""
    types = (event.type for each in asked for event in each.events if event.party == party.party)
    places = {name: place for place, name in enumerate(dict.fromkeys(types))}
    found: dict[str, list[PossibleEvent]] = {AWAITED: [], stage.value: []}
    for each in party.events:
        command = _command(each.type)
        if each.type in places:
            found[AWAITED].append(each)
        else:
            found.setdefault(group(command), []).append(each)
    found[AWAITED].sort(key=lambda each: places[each.type])
    shown = {AWAITED, stage.value}
    return [Group(name, events, name in shown) for name, events in found.items() if events]


def _command(type: str) -> type[Command]:
    return command_types()[type.removeprefix(cloudevents.PREFIX)]


def _about_candidate(
    candidates: list[str], type: str, about: str | None = None
) -> list[dict[str, str]]:
    """Return what forms are filled in with: that of a gate's candidate, or of each candidate."""
    command = _command(type)
    if "candidate" not in command.model_fields or command is IdentifyCandidate:
        return [{}]
    return [{"candidate": each} for each in ([about] if about else candidates)] or [{}]


def _candidates(visit: Visit, answer: Next) -> list[str]:
    """Return the candidates of a search that were not declined."""
    if answer.stage is not Stage.EXPLORATION:
        return []
    found = CANDIDATES.reply(visit.accord, id=answer.id, when=visit.when(answer.id)).candidates
    return sorted(each.candidate for each in found if each.declined is None)


@router.get("/partnerships/{id}/send/{type}")
@needs(Need.EMIT)
def form_page(visit: Visited, id: PartnershipId, type: TypeName, given: Known = None) -> Response:
    """Show the form of a command, with what is known filled in."""
    return _form(visit, _draft(visit, id, type, given or ""))


@router.post("/partnerships/{id}/send/{type}")
@needs(Need.EMIT)
async def send(
    visit: Visited, id: PartnershipId, type: TypeName, sent: PostedPerhapsStale
) -> Response:
    """Send what a form was filled in with; show what was decided, or in place why not."""
    form = sent.fields
    draft = _draft(visit, id, type, form.get("known", ""))
    draft = replace(draft, id=form.get("id", draft.id))
    if sent.is_stale:
        if form[OWNER] != visit.owner:
            raise Problem(
                400,
                "Somebody else has signed in since this form was shown, so nothing was sent. What "
                "was filled in is not shown, because it was another person's.",
                "Sign in as before, and fill in the form again.",
            )
        return _form(visit, draft, form, _STALE)
    if changed := _with_rows(visit, draft, form):
        return changed
    form = _with_identifiers(visit, draft, forms.without_blank_rows(form))
    try:
        zone = _zone(visit, id)
        time = _time(form, draft.time, zone)
        read = forms.data(draft.command, form, zone, _before(visit, draft))
        data = changed_only(visit, id, draft.command, read)
        draft = replace(draft, time=time, data=data)
    except Unfinished as error:
        count = len(error.wrong)
        fields = "A field needs" if count == 1 else f"{count} fields need"
        problem = Problem(422, f"{fields} to be corrected.", "What is wrong is said beside it.")
        return _form(visit, draft, form, problem, error.wrong)
    signed = form.get("signed", "").strip()
    raw = signed.encode() if signed else orjson.dumps(draft.event(visit.identity.actor))
    if not signed and WAIT not in form:
        (foreseen,) = await asyncio.to_thread(visit.accord.service.validate, [raw])
        if awaited := foreseen.waiting_for:
            would_wait = _WouldWait(foreseen.waits_because or "", awaited.words)
            return _form(visit, draft, form, would_wait)
    (outcome,) = await decide(visit.served, visit.identity, [raw])
    if outcome.status == "refused":
        problem = refusal(outcome)
        kept = await asyncio.to_thread(visit.accord.history.refused, [outcome.input])
        number = kept[outcome.input].number if outcome.input in kept else None
        beside = _beside(draft.command, form, problem)
        return _form(visit, draft, form, problem, beside, number=number)
    return _sent(visit, draft, outcome)


def _names(visit: Visit, id: str) -> Mapping[str, str]:
    """Return the names of the parties of a partnership that the viewer sees (`names_of`).

    A program has none, and a neutral third party is shown none.
    """
    with suppress(NotFound):
        return names_of(visit.accord, id, visit.when(id))
    return {}


def _zone(visit: Visit, id: str) -> ZoneInfo:
    """Return the time zone of a form: UTC for one whose agreement the viewer does not see."""
    return zone_of(visit.accord, id, visit.when(id)) if _names(visit, id) else ZoneInfo("UTC")


def _with_rows(visit: Visit, draft: Draft, form: Mapping[str, str]) -> Response | None:
    """Return the form with a row added or removed; None if that was not asked for."""
    if path := form.get("add"):
        kind = form.get(f"{forms.PREFIX}{path}+kind", "")
        return _form(visit, draft, forms.with_row(draft.command, form, path, kind), changed=path)
    if path := form.get("remove"):
        left = forms.without_row(form, path)
        return _form(visit, draft, left, changed=path.rpartition("[")[0])
    return None


def _with_identifiers(visit: Visit, draft: Draft, form: Mapping[str, str]) -> dict[str, str]:
    """Return a form with the identifiers of the parties that it calls by their names."""
    names = _names(visit, draft.partnership)
    identifiers = {name: party for party, name in names.items()}
    named = {
        each.name: identifiers.get(each.value.strip())
        for each in forms.flat(forms.filled(draft.command, form))
        if isinstance(each, forms.Field) and each.names_party
    }
    return {**form, **{name: party for name, party in named.items() if party}}


class _WouldWait(Problem):
    """An event names what is not on record: perhaps it is mistyped."""

    def __init__(self, because: str, awaited: str) -> None:
        hint = f"Correct it. If it is right, let it wait for {awaited}."
        super().__init__(HTTPStatus.CONFLICT, because, hint)


WAIT: Final = "wait"
"""The button that sends an event of which the page said that it will wait."""

_STALE: Final = Problem(
    409,
    "You signed in again since this form was shown, so nothing was sent.",
    "Look at it, and send it again.",
)


def _beside(
    command: type[Command], form: Mapping[str, str], problem: Problem
) -> Mapping[str, Wrong]:
    """Return what is wrong by the path of its field, if a refusal is about a field of the form."""
    root, *steps = (problem.document.pointer or "").removeprefix("/").split("/")
    if root == "time":
        return {root: Wrong(problem.document.detail, problem.document.hint)}
    known = [*forms.flat(forms.filled(command, form))]
    path = forms.path_of(steps, known)
    if root != "data" or path not in {each.path for each in known}:
        return {}
    # Beside the field, a person needs no name for programs.
    hint = problem.document.hint.replace(f" ({CHANGE_REASON})", "")
    return {path: Wrong(problem.document.detail, hint)}


# --- when it happened --------------------------------------------------------------------------


def _time(form: Mapping[str, str], now: str, zone: ZoneInfo) -> str:
    """Return the moment that a form says: the exact one if what it shows was not changed."""
    exact, typed = form.get("moment", now), form.get("time", "").strip()
    try:
        return forms.moment(typed, exact, zone) if typed else exact
    except ValueError:
        raise Unfinished({"time": forms.no_moment("When it happened", typed)}) from None


def _before(visit: Visit, draft: Draft) -> Mapping[str, str]:
    """Return what the form was filled in with before anybody changed it, by path."""
    suggestions = suggested(visit, draft.partnership, draft.command, draft.known)
    found = forms.fields(draft.command, {**suggestions, **draft.known})
    return {each.path: each.value for each in forms.flat(found)}


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
    now, given = instant(_today(visit, id)), _object(known)
    return Draft(id, command, party, secrets.token_hex(16), now, given, given)


def _today(visit: Visit, id: str) -> datetime:
    """Return now; of a simulated store, whose time is that of its feeds, the latest record."""
    if visit.accord.simulated:
        with suppress(NotFound):
            return moment_of(visit.accord, id, visit.when(id))
    return visit.accord.clock()


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "What the form is filled in with is damaged.", "Open the form again.")
    return found


def _form(  # noqa: PLR0913 - what a form is shown with
    visit: Visit,
    draft: Draft,
    typed: Mapping[str, str] | None = None,
    refused: Problem | None = None,
    wrong: Mapping[str, Wrong] | None = None,
    *,
    changed: str | None = None,
    number: int | None = None,
) -> Response:
    """Return the form: filled in with what is known, or as somebody filled it in.

    `changed` are the rows of which one was added or removed, and `number` is that of the refused
    input.
    """
    problem = refused.document if refused else None
    actor, names = visit.identity.actor, _names(visit, draft.partnership)
    answer = (visit, draft.partnership, draft.party, draft.command, draft.known)
    subject = subject_of(*answer)
    zone = _zone(visit, draft.partnership)
    suggestions = suggested(visit, draft.partnership, draft.command, draft.known)
    as_known = forms.fields(draft.command, {**suggestions, **draft.known})
    found = as_known if typed is None else forms.filled(draft.command, typed)
    typed, wrong = typed or {}, wrong or {}
    fields = fields_of(
        forms.asked(found, wrong),
        subject,
        draft.command,
        draft.known,
        is_prefilled="frame" in suggestions,
    )
    # What is not shown is what the page says, whatever a link filled in.
    shown = {each.path: each for each in as_known}
    fields = replace(fields, settled=tuple(shown[each.path] for each in fields.settled))
    beside = ["time", *(each.path for each in forms.flat((*fields.asked, *fields.more)))]
    form = page(
        "send.html",
        visit,
        refused.status if refused else HTTPStatus.OK,
        section="portfolio",
        draft=draft,
        names=names,
        type=draft.command.__name__,
        summary=unsourced(summary(draft.command)),
        subject=subject,
        answered=answered(*answer) if names and draft.known and not subject else None,
        fields=fields,
        is_prefilled="frame" in suggestions,
        changed=changed,
        wrong_time=wrong.get("time"),
        first_wrong=next((each for each in beside[1:] + beside[:1] if each in wrong), None),
        wrong_count=sum(path in beside for path in wrong),
        elsewhere=[each for path, each in wrong.items() if path not in beside],
        known=orjson.dumps(draft.known).decode(),
        moment=draft.time,
        time=typed.get("time") or forms.in_zone(draft.time, zone),
        in_zone=forms.in_zone,
        zone=zone,
        refused=problem,
        number=number,
        would_wait=isinstance(refused, _WouldWait),
        to_sign=draft.to_sign(actor) if problem and problem.rule == MUST_BE_SIGNED else None,
        signed=typed.get("signed", ""),
    )
    return showing(form, refused)


# --- after it was sent -------------------------------------------------------------------------

Source = Annotated[Name, Query(description="The source of the event.")]


def _sent(visit: Visit, draft: Draft, outcome: Outcome) -> Response:
    """Lead to a page of its own, so that a reload sends nothing again."""
    source = None if outcome.source == SOURCE else outcome.source
    path = f"/partnerships/{draft.partnership}/sent"
    to = visit.link(path, event=outcome.id, source=source)
    return RedirectResponse(to, HTTPStatus.SEE_OTHER)


@router.get("/partnerships/{id}/sent")
@needs(Need.EMIT)
def sent_page(
    visit: Visited,
    id: PartnershipId,
    event: Annotated[Name, Query(description="The id of the event.")],
    source: Source = SOURCE,
) -> Response:
    """Show what was decided of an event that its party sent from a page: what it recorded."""
    history, names = visit.accord.history, _names(visit, id)
    party = visit.identity.party or visit.party or ""
    visit.when(id)
    sent = InputId(party, source, event)
    found = history.results([sent]).get(sent)
    waits = next((each for each in history.waiting([id]) if each.input == sent), None)
    if waits is None and (found is None or found.partnership != id):
        raise Problem(
            404,
            "No event with this id was recorded, and none waits.",
            "Open the history of the partnership: it has every event.",
        )
    first = found.first if found and found.first is not None else 0
    recorded = range(first, first + min(found.count, MOST_LISTED) if found else 0)
    return page(
        "sent.html",
        visit,
        section="portfolio",
        id=id,
        names=names,
        waits=waits,
        events=[on_record(each) for each in _recorded(visit, id, party, recorded)],
    )


def _recorded(visit: Visit, id: str, party: str, within: range) -> Iterator[Recorded]:
    """Return the events of a range that the viewer sees: its own, if it sees no parties."""
    history, when = visit.accord.history, visit.when(id)
    if _names(visit, id):
        return log(history, id, when, within)
    return (each for each in whole_log(history, id, when, within) if each.act.party == party)


MOST_LISTED: Final = 50
"""How many events of one command its page lists."""
