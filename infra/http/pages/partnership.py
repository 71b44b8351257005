"""One partnership: where do we stand, and whose turn is it?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from fastapi import APIRouter, Response

from domain.execution import ReviewScheduled
from domain.kernel import Stage
from domain.metric_catalogue import Adds
from domain.standing_alerts import BY_RULE, OBJECTIVE_MISSED
from domain.terms import describe
from infra.access.roles import Need
from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.funnel import FUNNEL
from infra.answers.inbox import INBOX
from infra.answers.kpis import KPIS, LimitedFigure
from infra.answers.logs import moment_of, rows_of
from infra.answers.partnership_state import PartnershipState, ProposalSummary, TaskState
from infra.answers.question import PartnershipId
from infra.answers.show import SHOW
from infra.answers.show_text import (
    frame_lines,
    is_open,
    is_terms_in_force,
    task_words,
    tasks_of,
    without_verb,
)
from infra.answers.statements import STATEMENTS
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.figures import BAR, HEIGHT, figures_of, is_beyond
from infra.http.pages.figures import WIDTH as WIDTH_OF_CHART
from infra.http.pages.inbox import Asked, by_thing
from infra.http.pages.shown import is_reminder
from infra.http.pages.site import PageRoute, Visited, page, zone_of
from projections import OVERVIEW
from projections.alerts import Alert, AlertState
from projections.funnel import Passed
from projections.objectives import ObjectiveProgress
from projections.overview import OVERVIEW_ROW, Overview
from projections.scorecards import RATED

router = APIRouter(route_class=PageRoute, include_in_schema=False)

TRACK: Final = {
    "Exploration": (Stage.EXPLORATION,),
    "Formation": (Stage.FORMATION, Stage.ADOPTION),
    "Execution": (Stage.EXECUTION,),
    "Scaling": (Stage.SCALING,),
    "Renewal or exit": (Stage.RENEWAL, Stage.EXIT, Stage.ENDED),
}
"""The five steps of a partnership's life, each with its stages."""

WIDTH: Final = 440
"""The width of a bullet chart, in pixels."""

_HEADROOM: Final = Decimal("1.1")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the track."""

    name: str
    since: datetime | None
    """When it was first entered; null if it never was."""
    is_now: bool
    is_over: bool
    """Whether a later step was entered, so that this one is not to come."""
    ran_since: date | None = None
    """The first day of a partnership that was adopted in this step, as both parties state it."""


@dataclass(frozen=True, slots=True)
class Bullet:
    """An objective as a bar against its target, in pixels."""

    progress: ObjectiveProgress
    actual: int | None
    target: int
    pace: int | None
    """Where an even pace would be by now; only for what adds up over time."""

    @classmethod
    def of(cls, progress: ObjectiveProgress) -> "Bullet":
        """Return the bar of an objective."""
        target, value = progress.objective.target, progress.value
        most = max(target, value or Decimal(0), progress.objective.baseline) * _HEADROOM
        even = progress.elapsed_percent if progress.adds is Adds.SUM else None
        return cls(
            progress,
            None if value is None else _pixels(value, most),
            _pixels(target, most),
            None if even is None else _pixels(target * even / 100, most),
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both agreed and is in force."""

    text: str
    contents: tuple[str, ...]
    """What it says beyond that, in words."""
    day: datetime | None
    """When it was agreed."""
    begins: date | None
    """Its first day, if that is still to come."""
    proposed_by: str
    agreed_by: str

    @property
    def is_alone(self) -> bool:
        """Whether a party did it alone, as it may with what is its own."""
        return self.agreed_by == self.proposed_by


def _hours(state: PartnershipState) -> dict[str, datetime]:
    """Return the hour of each review that is scheduled and open; its deadline is a day."""
    planned = (each.planned for each in state.reviews if each.state is TaskState.OPEN)
    return {each.review: each.at for each in planned if isinstance(each, ReviewScheduled)}


def _pixels(value: Decimal, most: Decimal) -> int:
    return max(0, round(WIDTH * value / most)) if most > 0 else 0


@router.get("/partnerships/{id}.json")
@needs(Need.FACTS)
def partnership_json(visit: Visited, id: PartnershipId) -> Response:
    """Return the state of a partnership as JSON."""
    return as_json(SHOW.reply(visit.accord, id=id, when=visit.when(id)))


@router.get("/partnerships/{id}.csv")
@needs(Need.FACTS)
def partnership_csv(visit: Visited, id: PartnershipId) -> Response:
    """Return the proposals and agreements of a partnership as a table."""
    proposals = SHOW.reply(visit.accord, id=id, when=visit.when(id)).proposals
    return as_csv(id, ProposalSummary, proposals, without="content")


@router.get("/partnerships/{id}/figures.json")
@needs(Need.FACTS)
def figures_json(visit: Visited, id: PartnershipId) -> Response:
    """Return the figures of a partnership as JSON."""
    return as_json(KPIS.reply(visit.accord, id=id, when=visit.when(id)))


@router.get("/partnerships/{id}/figures.csv")
@needs(Need.FACTS)
def figures_csv(visit: Visited, id: PartnershipId) -> Response:
    """Return the figures of a partnership as a table, by period, with the limits on each."""
    figures = KPIS.reply(visit.accord, id=id, when=visit.when(id)).figures
    return as_csv(f"{id}-figures", LimitedFigure, figures)


@router.get("/partnerships/{id}/funnel.json")
@needs(Need.FACTS)
def funnel_json(visit: Visited, id: PartnershipId) -> Response:
    """Return the funnel of a partnership as JSON."""
    return as_json(FUNNEL.reply(visit.accord, id=id, when=visit.when(id)))


@router.get("/partnerships/{id}/funnel.csv")
@needs(Need.FACTS)
def funnel_csv(visit: Visited, id: PartnershipId) -> Response:
    """Return the steps of the funnel as a table."""
    steps = FUNNEL.reply(visit.accord, id=id, when=visit.when(id)).funnel.steps
    return as_csv(f"{id}-funnel", Passed, steps)


@router.get("/partnerships/{id}")
@needs(Need.FACTS)
def partnership_page(visit: Visited, id: PartnershipId) -> Response:
    """Show one partnership: what is open, terms, targets, statements, people, figures, funnel."""
    when, accord = visit.when(id), visit.accord
    state = SHOW.reply(accord, id=id, when=when)
    kpis = KPIS.reply(accord, id=id, when=when)
    opened = ALERTS_QUESTION.whole(accord, partnership=id, state=AlertState.OPEN, when=when)
    waiting = by_thing(INBOX.whole(accord, partnership=id, when=when).items)
    overview = rows_of(OVERVIEW, accord, id, when).get(OVERVIEW_ROW, Overview())
    periods = sorted({each.period for each in kpis.figures})[-4:]
    alerts = [(each, _last_day(each, waiting)) for each in opened.items]
    return page(
        "partnership.html",
        visit,
        section="portfolio",
        answer=state,
        today=state.terms.day,
        shown_day=moment_of(accord, id, when),
        names={each.party: each.name for each in state.parties},
        zone=zone_of(accord, id, when),
        steps=[*_steps(overview)],
        hours=_hours(state),
        # What somebody must act on stands above the reminders.
        to_act_on=[each for each in alerts if not is_reminder(each[0])],
        reminders=[each for each in alerts if is_reminder(each[0])],
        # What an alert says is among the alerts, with who acts.
        waiting=[each for each in waiting if not any(_says(x, each) for x in opened.items)],
        statements=STATEMENTS.reply(accord, id=id, when=when),
        bullets=[Bullet.of(each) for each in kpis.objectives],
        width=WIDTH,
        figures=figures_of(kpis, periods),
        chart=(WIDTH_OF_CHART, HEIGHT, BAR),
        is_beyond=is_beyond,
        funnel=FUNNEL.reply(accord, id=id, when=when).funnel,
        rated=[each for each in RATED if any(each in card.ratings for card in state.health)],
        terms=[describe(each) for each in state.terms.items],
        frame=[*frame_lines(state.terms.frame)] if state.terms.frame else [],
        plans=[task_words(each, state) for each in tasks_of(state) if is_open(each)],
        agreed=[*_agreed(state)],
        in_force=next(
            (each for each in state.terms.agreements if each.version == state.terms.version), None
        ),
    )


def _says(alert: Alert, asked: Asked) -> bool:
    """Whether a standing alert is about what awaits a party: its name is the same, or ends so.

    A figure that is too low asks for nothing by itself.
    """
    is_of_figure = alert.facts is not None or alert.rule == OBJECTIVE_MISSED
    is_same = f"/{alert.window}".endswith(f"/{asked.item.ref}")
    return is_same and alert.rule in BY_RULE and not is_of_figure


def _last_day(alert: Alert, waiting: Iterable[Asked]) -> date | None:
    """Return the last day to do what an alert asks for; None if the inbox names none."""
    days = [each.item.day for each in waiting if _says(alert, each) and each.item.is_last]
    return min(days, default=None)


def _agreed(state: PartnershipState) -> Iterator[Agreed]:
    """Yield what is in force; the terms in force stand above, item by item."""
    for each in state.proposals:
        if each.in_force:
            yield Agreed(
                without_verb(each.text),
                () if is_terms_in_force(each, state) else each.contents,
                each.answered_at,
                each.begins,
                each.proposed_by,
                each.answered_by or "",
            )


def _steps(overview: Overview) -> Iterator[Step]:
    entered = [
        [each.since for each in overview.stages if each.stage in stages]
        for stages in TRACK.values()
    ]
    last = max((at for at, since in enumerate(entered) if since), default=0)
    for at, (name, stages) in enumerate(TRACK.items()):
        since = entered[at]
        is_adopted = overview.adopted is not None and overview.adopted in since
        yield Step(
            name,
            since[0] if since else None,
            overview.stage in stages,
            is_over=at < last,
            ran_since=overview.ran_since if is_adopted else None,
        )
