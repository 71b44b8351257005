"""The alerts: what must be done, and by whom?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from domain.calendar import preceding
from domain.deadlines.deadline import DeadlineKind
from domain.kernel import Refused
from domain.standing_alerts import DEPENDENCY_HIGH, EXIT_AHEAD
from domain.values import Slug, name_order
from infra.access import roles
from infra.access.roles import Need
from infra.answers.alert_acts import LONGEST_SILENCE
from infra.answers.alert_endings import Ending
from infra.answers.alerts import ALERTS_QUESTION, Alerts
from infra.answers.inbox import days_ahead
from infra.answers.members import names_seen
from infra.answers.parameters import Name, error_of
from infra.http.access import needs
from infra.http.handle_alerts import Acknowledgement, Assignment, Silencing, handle
from infra.http.pages import shown
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import (
    Form,
    PageRoute,
    Posted,
    Visit,
    Visited,
    blank_as_none,
    just_done,
    names_of_each,
    page,
    said,
    to_page,
)
from infra.http.problems import ParameterError, Problem, wrong_parameters
from projections.alert_acts import NOTHING_DONE, AlertActKind, Handling
from projections.alert_subjects import NOTHING, Subject
from projections.alerts import Alert, AlertEnd, AlertState
from projections.breaches import RuleFacts, Shortfall

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Done(StrEnum):
    """What was just done about an alert."""

    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    SILENCED = "silenced"
    BROUGHT_BACK = "brought-back"


_DONE: Final[Mapping[str, str]] = {
    Done.ACKNOWLEDGED: "The alert is acknowledged.",
    Done.ASSIGNED: "The alert is assigned.",
    Done.SILENCED: "The alert is silenced. It comes back on its day, or if it opens anew.",
    Done.BROUGHT_BACK: "The alert is back among the open ones.",
}

BRING_BACK: Final = "bring_back"
"""The button that ends a silence."""


@dataclass(frozen=True, slots=True)
class WrongAct:
    """An act that cannot be done, shown beside its alert with what was filled in."""

    alert: str
    text: str
    filled: Mapping[str, str]


_FIELDS: Final = {
    "by": "Your name",
    "to": "The person to assign it to",
    "until": "The day until which it is silenced",
}
"""The fields of the form, in words."""

Chosen = Annotated[Slug | None, Query(description="One partnership.")]


def _answer(visit: Visit, partnership: str | None) -> Alerts:
    about = () if partnership is None else (partnership,)
    answer: Alerts = ALERTS_QUESTION.whole(
        visit.accord, partnership=partnership, when=visit.when(*about)
    )
    return answer


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """The open alerts of a viewer, as every page counts them."""

    to_act_on: tuple[Alert, ...]
    """Those on which somebody must act."""
    reminders: tuple[Alert, ...]
    """Those that only say that a day is near."""
    silenced: tuple[Alert, ...]
    """Those that the viewer's side has put aside until a day."""
    handling: Mapping[str, Handling]
    """What the viewer's side has done about them, by the id of the alert."""
    zones: Mapping[str, str]
    """The time zone of the days of each partnership that has agreed terms."""


NONE_OPEN: Final = OpenAlerts((), (), (), {}, {})


def open_alerts(visit: Visit, partnership: str | None = None) -> OpenAlerts:
    """Return the open alerts of one partnership or of all, the latest first."""
    about = () if partnership is None else (partnership,)
    answer: Alerts = ALERTS_QUESTION.whole(
        visit.accord, partnership=partnership, state=AlertState.OPEN, when=visit.when(*about)
    )
    silenced = {name for name, each in answer.handling.items() if each.silenced_until}
    latest = sorted(answer.items, key=lambda each: each.since, reverse=True)
    loud = [each for each in latest if each.id not in silenced]
    return OpenAlerts(
        tuple(each for each in loud if not shown.is_reminder(each)),
        tuple(each for each in loud if shown.is_reminder(each)),
        tuple(each for each in latest if each.id in silenced),
        answer.handling,
        answer.zones,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts are shown: those of a rule, those on which a party acts."""

    rule: str | None
    acts: str | None

    def kept(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """Return the alerts that pass."""
        return tuple(each for each in alerts if self._passes(each))

    def _passes(self, alert: Alert) -> bool:
        parties = {each.party for each in alert.who_acts}
        return self.rule in {None, alert.rule} and (self.acts is None or self.acts in parties)

    def of_answer(self, answer: Alerts) -> Alerts:
        """Return the answer with the alerts that pass alone."""
        items = self.kept(answer.items)
        ids = {each.id for each in items}
        return answer.model_copy(
            update={
                "items": items,
                "handling": {name: of for name, of in answer.handling.items() if name in ids},
                "about": {name: of for name, of in answer.about.items() if name in ids},
                "ends": {name: of for name, of in answer.ends.items() if name in ids},
            }
        )

    def of(self, opened: OpenAlerts) -> OpenAlerts:
        """Return the open alerts that pass."""
        return OpenAlerts(
            self.kept(opened.to_act_on),
            self.kept(opened.reminders),
            self.kept(opened.silenced),
            opened.handling,
            opened.zones,
        )


Rule = Annotated[Name | None, BeforeValidator(blank_as_none), Query(description="One rule.")]
Acts = Annotated[
    Slug | None, BeforeValidator(blank_as_none), Query(description="The party that acts.")
]


@router.get("/alerts.json")
@needs(Need.FIGURES)
def alerts_json(
    visit: Visited, partnership: Chosen = None, rule: Rule = None, acts: Acts = None
) -> Response:
    """Return the alerts that pass the filter of the page as JSON."""
    return as_json(Filter(rule, acts).of_answer(_answer(visit, partnership)))


@router.get("/alerts.csv")
@needs(Need.FIGURES)
def alerts_csv(
    visit: Visited, partnership: Chosen = None, rule: Rule = None, acts: Acts = None
) -> Response:
    """Return the alerts that pass the filter of the page as a table."""
    answer = Filter(rule, acts).of_answer(_answer(visit, partnership))
    rows = (
        Row.of(
            each,
            answer.handling.get(each.id, NOTHING_DONE),
            answer.about.get(each.id, NOTHING),
            answer.ends.get(each.id),
        )
        for each in answer.items
    )
    return as_csv("alerts", Row, rows)


def values_of(facts: RuleFacts | Shortfall | None) -> tuple[Decimal | None, ...]:
    """Return the figures that an alert is about, one of each period that its rule looks at."""
    match facts:
        case RuleFacts(values=values):
            return values
        case Shortfall(value=value):
            return (value,)
        case None:
            return ()


class Corrected(NamedTuple):
    """A figure of a withdrawn alert, before and after what withdrew it."""

    period: str
    before: Decimal | None
    after: Decimal | None


def corrected(alert: Alert) -> list[Corrected]:
    """Return the figures whose correction withdrew an alert, by period; none for any other."""
    before, after = values_of(alert.facts_before), values_of(alert.facts)
    period, found = alert.window.partition("/")[0], list[Corrected]()
    for old, new in zip(reversed(before), reversed(after), strict=False):
        found.insert(0, Corrected(period, old, new))
        period = preceding(period)
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """An alert as a row of a table, with what the viewer's side has done about it."""

    id: str
    rule: str
    version: int
    kind: str
    severity: str
    partnership: str
    state: str
    text: str
    since: datetime
    recorded_at: datetime
    until: datetime | None
    ended: str | None
    ended_code: AlertEnd | None
    ends: Ending | None
    """What ends it, while it is open."""
    found_before: tuple[Decimal | None, ...]
    """The figures before what withdrew it, if figures did."""
    found: tuple[Decimal | None, ...]
    """The figures that it is about."""
    limit: Decimal | None
    """What they are compared with."""
    answer_by: date | None
    who_acts: tuple[str, ...]
    evidence: tuple[int, ...]
    handling: Handling
    about: Subject
    at_stake: Mapping[str, Decimal]
    """What money hangs on it, by currency."""

    @classmethod
    def of(cls, alert: Alert, done: Handling, about: Subject, ends: Ending | None) -> "Row":
        """Return the row of an alert."""
        return cls(
            alert.id,
            alert.rule,
            alert.version,
            alert.kind,
            alert.severity,
            alert.partnership,
            alert.state,
            alert.text,
            alert.since,
            alert.recorded_at,
            alert.until,
            alert.ended,
            alert.ended_code,
            ends,
            values_of(alert.facts_before),
            values_of(alert.facts),
            alert.facts.threshold if alert.facts else None,
            alert.answer_by,
            tuple(
                f"{each.party} ({each.person})" if each.person else each.party
                for each in alert.who_acts
            ),
            alert.evidence,
            done,
            about,
            alert.at_stake,
        )


@router.get("/alerts")
@needs(Need.FIGURES)
def alerts_page(
    visit: Visited,
    request: Request,
    partnership: Chosen = None,
    rule: Rule = None,
    acts: Acts = None,
) -> Response:
    """Show what is open, what was withdrawn because it should not have opened, what is resolved."""
    done = _DONE.get(just_done(request))
    return _page(visit, partnership, Filter(rule, acts), done)


def _page(
    visit: Visit,
    partnership: str | None,
    only: Filter,
    done: str | None = None,
    wrong: WrongAct | None = None,
) -> Response:
    answer, today = _answer(visit, partnership), visit.accord.clock().date()
    latest = sorted(only.kept(answer.items), key=lambda each: each.since, reverse=True)
    opened = only.of(open_alerts(visit, partnership))
    of_programs = {each.id: each for each in answer.items if each.rule == DEPENDENCY_HIGH}
    # An alert of a program names a partner, of whichever partnerships.
    every = names_seen(visit.accord, visit.when().viewer) if of_programs else ()
    about = {*filter(None, [partnership]), *(each.partnership for each in answer.items)}
    names = names_of_each(visit, {*every, *about})
    known = {party: name for of in names.values() for party, name in of.items()}
    pairs = {name: " × ".join(of.values()) for name, of in names.items()}
    pairs |= {each.partnership: program(each, known) for each in of_programs.values()}
    return page(
        "alerts.html",
        visit,
        HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        wrong=wrong,
        people=sorted({*_people(visit, answer)}),
        soonest=today + timedelta(days=1),
        last=today + LONGEST_SILENCE,
        section="alerts",
        answer=answer,
        partnership=partnership,
        only=only,
        rules=sorted({*filter(None, [only.rule]), *(each.rule for each in answer.items)}),
        parties=sorted(
            {
                *filter(None, [only.acts]),
                *(who.party for each in answer.items for who in each.who_acts),
            },
            key=lambda each: name_order(known.get(each) or each or ""),
        ),
        names=known,
        pairs=pairs,
        leaves=_leaves(visit, answer),
        opened=opened,
        of_programs=dict.fromkeys(of_programs, known),
        withdrawn=_in(latest, AlertState.WITHDRAWN),
        corrected={each.id: rows for each in latest if (rows := corrected(each))},
        resolved=_in(latest, AlertState.RESOLVED),
        can_act=_can_act(visit),
        done=done,
    )


def _leaves(visit: Visit, answer: Alerts) -> dict[str, date]:
    """Return the day on which each partnership ends that has an exit ahead."""
    ending = sorted({each.partnership for each in answer.items if each.rule == EXIT_AHEAD})
    return {
        name: each.day
        for name, of in days_ahead(visit.accord, ending, visit.when()).items()
        for each in of
        if each.kind is DeadlineKind.EXIT and each.day
    }


def program(alert: Alert, names: Mapping[str, str]) -> str:
    """Return the name of the program of an alert: that of the party whose program it is."""
    return f"Program of {shown.party(alert.who_acts[0].party, names)}"


def _people(visit: Visit, answer: Alerts) -> Iterator[str]:
    """Yield the people of the viewer's side who are known here, to choose from."""
    if visit.has_session:
        yield visit.identity.actor
    for alert in answer.items:
        own = (each for each in alert.who_acts if each.party == visit.viewer)
        yield from (each.person for each in own if each.person)
    for done in answer.handling.values():
        yield from (each for each in (done.acknowledged_by, done.assigned_to) if each)


def _can_act(visit: Visit) -> bool:
    if visit.is_past or visit.form_token is None:
        return False
    try:
        roles.access(visit.identity, Need.HANDLE)
    except Refused:
        return False
    return True


@router.post("/alerts/acknowledge")
@needs(Need.HANDLE)
def acknowledge_on_page(visit: Visited, request: Request, form: Posted) -> Response:
    """Say that an open alert was seen."""
    act = _Act(Acknowledgement, AlertActKind.ACKNOWLEDGE, Done.ACKNOWLEDGED)
    return _handle(visit, request, form, act)


@router.post("/alerts/assign")
@needs(Need.HANDLE)
def assign_on_page(visit: Visited, request: Request, form: Posted) -> Response:
    """Assign an open alert to a person."""
    return _handle(visit, request, form, _Act(Assignment, AlertActKind.ASSIGN, Done.ASSIGNED))


@router.post("/alerts/silence")
@needs(Need.HANDLE)
def silence_on_page(visit: Visited, request: Request, form: Posted) -> Response:
    """Put an open alert aside until a day, or bring it back."""
    done = Done.BROUGHT_BACK if BRING_BACK in form else Done.SILENCED
    return _handle(visit, request, form, _Act(Silencing, AlertActKind.SILENCE, done))


class _Act(NamedTuple):
    """What a button does about an alert: the fields that it reads, and what it records."""

    form: type[Acknowledgement]
    kind: AlertActKind
    done: Done


def _handle(visit: Visit, request: Request, form: Form, act: _Act) -> Response:
    partnership = form.get("partnership")
    # One form has the fields of all three acts.
    filled = {name: each.strip() for name, each in form.items()}
    given: dict[str, str | None] = {
        name: filled[name] for name in act.form.model_fields if filled.get(name)
    }
    if act.done is Done.BROUGHT_BACK:
        given["until"] = None
    try:
        asked = act.form.model_validate({**given, "party": visit.party})
        details = asked.model_dump(include={"to", "until"})
        handle(visit.served, visit.identity, asked, act.kind, **details)
    except ValidationError as error:
        return _wrong(visit, filled, wrong_parameters([*map(_wrong_field, error.errors())]))
    except Problem as problem:
        if problem.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        return _wrong(visit, filled, problem)
    to = visit.link("/alerts", partnership=partnership)
    return to_page(request, f"{to}#{quote(asked.alert, safe='/@')}", act.done)


def _wrong_field(error: ErrorDetails) -> ParameterError:
    name = f"{error['loc'][0]}"
    found = error_of(name, error)
    hint = "Fill it in." if error["type"] == "missing" else found.hint
    return ParameterError(parameter=name, detail=found.detail, hint=hint)


def _wrong(visit: Visit, filled: Mapping[str, str], problem: Problem) -> Response:
    """Return the page again, with what is wrong beside the alert."""
    text = f"{said(problem, _FIELDS)} {problem.document.hint}"
    partnership = filled.get("partnership")
    here = replace(visit, path="/alerts", filters={"partnership": partnership or ""})
    wrong = WrongAct(filled.get("alert", ""), text, filled)
    return _page(here, partnership, Filter(None, None), wrong=wrong)


def _in(alerts: list[Alert], state: AlertState) -> list[Alert]:
    return [each for each in alerts if each.state is state]
