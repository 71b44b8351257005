"""Lists the partnerships: parties, stage, number of events, number of open alerts."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from domain.kernel import Stage
from infra.access.roles import Need
from infra.answers import cursors
from infra.answers.logs import (
    NOW,
    AsOf,
    NotFound,
    extent,
    of_each,
    row_of_each,
    sight_of,
    whole_log,
)
from infra.answers.members import names_seen
from infra.answers.question import Item, Page, Paging, Question
from infra.answers.text import Block, Remark, Styled, Table, minute
from infra.bootstrap import Accord
from infra.projecting.replay import replay_all
from projections import ALERTS, OVERVIEW
from projections.alerts import START, STATE, AlertsState
from projections.overview import OVERVIEW_ROW, Overview


class PartnershipSummary(Item):
    """One partnership, as a list shows it."""

    id: str
    """The partnership."""
    parties: tuple[str, ...]
    """The party that began it, then the partner it chose."""
    names: dict[str, str]
    """The name of each party."""
    stage: Stage | None
    """The stage."""
    purpose: str | None
    """What it is for, in words."""
    events: int
    """How many events its log has."""
    last_recorded_at: datetime
    """When the last event that the viewer sees was recorded."""
    open_alerts: int
    """How many alerts are open."""


class Partnerships(Page[PartnershipSummary]):
    """The partnerships of a store, by identifier."""


def ask(accord: Accord, when: AsOf = NOW, page: Paging = Paging()) -> Partnerships:  # noqa: B008 - frozen
    """Return a page of partnerships. Raises `NotFound` for a cursor of another question."""
    question = cursors.asked("list", when=when)
    after = "" if page.after is None else cursors.read(question, page.after, str)[0]
    names = list(islice(names_seen(accord, when.viewer, after), page.limit + 1))
    following = cursors.written(question, names[page.limit - 1]) if names[page.limit :] else None
    names = names[: page.limit]
    found = _now(accord, names) if when == NOW else _then(accord, names, when)
    return Partnerships(
        simulated=accord.simulated, as_of=when.asked, items=tuple(found), next=following
    )


def _now(accord: Accord, names: list[str]) -> Iterator[PartnershipSummary]:
    heads = accord.history.heads(names)
    overviews = row_of_each(accord, OVERVIEW, OVERVIEW_ROW, names)
    alerts = row_of_each(accord, ALERTS, STATE, names)
    for name in names:
        if overview := overviews.get(name):
            head, state = heads[name], alerts.get(name, START)
            yield _listed(name, overview, head.size, head.recorded_at, state)


def _then(accord: Accord, names: list[str], when: AsOf) -> Iterator[PartnershipSummary]:
    return of_each(names, lambda name: _then_one(accord, name, when))


def _then_one(accord: Accord, name: str, when: AsOf) -> PartnershipSummary | None:
    try:
        sight = sight_of(accord.history, name, when, figures=False)
    except NotFound:  # The viewer was no party of it by then.
        return None
    events = whole_log(accord.history, name, when)
    replayed = {each.name: of.rows for each, of in replay_all((OVERVIEW, ALERTS), events).folded}
    overview = replayed[OVERVIEW.name].get(OVERVIEW_ROW)
    found = extent(accord.history, name, when, sight)
    if overview and found:
        state = replayed[ALERTS.name].get(STATE, START)
        return _listed(name, overview, found.events, found.recorded_at, state)
    return None


def _listed(
    name: str, overview: Overview, events: int, recorded_at: datetime, alerts: AlertsState
) -> PartnershipSummary:
    return PartnershipSummary(
        id=name,
        parties=overview.parties,
        names=dict(overview.names),
        stage=overview.stage,
        purpose=overview.purpose,
        events=events,
        last_recorded_at=recorded_at,
        open_alerts=len(alerts.open),
    )


def text(found: Partnerships) -> Iterator[Block]:
    """Yield a line for each partnership; without one, what to do next."""
    if not found.items:
        of = f" of {found.as_of.party}" if found.as_of.party else ""
        yield Remark(f"There are no partnerships{of}.")
        yield Remark(
            "Record events: accord ingest FILE, or POST /v1/events. For examples: accord demo."
        )
    yield Table(
        ["ID", "STAGE", "PARTIES", ">EVENTS", ">ALERTS", "LAST RECORDED"],
        [
            (
                each.id,
                each.stage.value if each.stage else "",
                " and ".join(each.names.get(party, party) for party in each.parties),
                each.events,
                Styled(str(each.open_alerts), "bold red" if each.open_alerts else ""),
                minute(each.last_recorded_at),
            )
            for each in found.items
        ],
    )


PARTNERSHIPS = Question(
    "list",
    ask,
    text,
    path="/v1/partnerships",
    help="List the partnerships: stage, parties, events, open alerts.",
    gives=Need.FIGURES,
)
