"""The funnel of a partnership: how many deals go on at each step (C19)."""

from collections.abc import Iterator
from typing import Annotated

import projections
from domain.calendar import Period
from domain.metric_catalogue import metric_words
from infra.access.roles import Need
from infra.answers.logs import NOW, AsOf, rows_of, sight_of
from infra.answers.question import Answer, Parameter, PartnershipId, Question
from infra.answers.text import Block, Line, Table, interval, number, tenth
from infra.bootstrap import Accord
from projections import funnel
from projections.funnel import Cohort, Funnel, Passed


class DealFunnel(Answer):
    """The funnel of a period, or of the whole history."""

    id: str
    """The partnership."""
    funnel: Funnel
    """The funnel of its deals."""


def ask(
    accord: Accord,
    id: PartnershipId,
    period: Annotated[
        Period | None,
        Parameter(
            "What happened in a month, a quarter or a year; the whole history unless given.",
            "PERIOD",
        ),
    ] = None,
    when: AsOf = NOW,
) -> DealFunnel:
    """Return how many deals go on at each step, and how other channels compare (C19).

    Raises `NotFound`.
    """
    rows = rows_of(projections.KPIS, accord, id, when)
    hidden = sight_of(accord.history, id, when).hidden
    return DealFunnel(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        funnel=funnel.report(rows, period, hidden),
    )


def _caveat(step: Passed) -> str:
    return step.caveat.text if step.caveat else ""


def text(found: DealFunnel) -> Iterator[Block]:
    """Yield the steps, with the worst one marked, then the rates that other channels have too."""
    shown = found.funnel
    yield Line(f"{found.id}, {shown.period or 'all time'}", "bold")
    yield Table(
        ["STEP", ">DEALS", ">GO ON", f"LIKELY ({number(shown.credibility)} %)", ">DROP OFF", ""],
        [
            (
                each.step,
                number(each.count, "hidden"),
                *_share(each),
                "the worst step" if each.step == shown.worst else _caveat(each),
            )
            for each in shown.steps
        ],
        indent=2,
    )
    yield Table(
        ["METRIC", ">PARTNER", ">OTHER CHANNELS", "PARTNER HIGHER"],
        [
            (
                metric_words(each.metric),
                _cohort(each.partner),
                _cohort(each.other_channels),
                f"with probability {number(each.partner_higher)}",
            )
            for each in shown.cohorts
        ],
        title="compared to other channels",
        indent=2,
    )


def _share(step: Passed) -> tuple[str, str, str]:
    if step.goes_on is None or step.low is None or step.high is None or step.drop_off is None:
        return ("", "", "")
    return tenth(step.goes_on), interval(step.low, step.high), tenth(step.drop_off)


def _cohort(cohort: Cohort) -> str:
    return f"{tenth(cohort.rate)} ({number(cohort.successes)}/{number(cohort.trials)})"


FUNNEL = Question(
    "funnel",
    ask,
    text,
    path="/v1/partnerships/{id}/funnel",
    help="Show how many deals pass each step, where most stop, and the rates of other channels.",
    gives=Need.FIGURES,
)
